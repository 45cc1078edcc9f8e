/* workload_rows.c: programs that add, change and remove rows.
 *
 * Every text is one word of eight hex digits, repeated, that depends on the row and the
 * transaction: so two versions of a page differ wherever a page can tear, and no two pages are
 * equal by chance. Sizes are fractions of the page size, so that a program has the same shape at
 * every page size. */
#include "crashsim/workload_make.h"

enum {
    ROWS_A_PAGE = 6, /* that a table of mc_setup_rows holds */
    ROWS = 330,      /* of it: 60 pages */
    WORD_BYTES = 8
};

/* A text of %u words for row %s of version %u. */
#define TEXT                                                                                       \
    "replace(printf('%%.*c', %u, 'x'), 'x', printf('%%08x', (%s * 2654435761 + %u * 40503) & "     \
    "4294967295))"

static uint32_t words_of_row(const mc_record_options *options)
{
    return options->page_size / (ROWS_A_PAGE + 1) / WORD_BYTES;
}

mc_status mc_setup_rows(mc_program *program, const mc_record_options *options, const char *schema,
                        mc_error *error)
{
    MC_SETUP("CREATE TABLE %s.t(id INTEGER PRIMARY KEY, version INTEGER, data TEXT)", schema);
    MC_SETUP("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT %d) "
             "INSERT INTO %s.t SELECT i, 0, " TEXT " FROM n",
             ROWS, schema, words_of_row(options), "i", 0);
    return MC_OK;
}

mc_status mc_do_update(mc_program *program, const mc_record_options *options, const char *table,
                       uint32_t version, const char *where, mc_error *error)
{
    MC_DO("UPDATE %s SET version = %u, data = " TEXT " WHERE %s", table, version,
          words_of_row(options), "id", version, where);
    return MC_OK;
}

mc_status mc_do_insert(mc_program *program, const mc_record_options *options, const char *table,
                       uint32_t version, uint32_t rows, mc_error *error)
{
    MC_DO("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT %u) "
          "INSERT INTO %s(version, data) SELECT %u, " TEXT " FROM n",
          rows, table, version, words_of_row(options), "i", version);
    return MC_OK;
}

mc_status mc_make_grow(mc_program *program, const mc_record_options *options, mc_error *error)
{
    MC_DO("CREATE TABLE t(id INTEGER PRIMARY KEY, version INTEGER, data TEXT)");
    for (uint32_t k = 1; k < options->txns; k++) {
        MC_TRY(mc_do_insert(program, options, "t", k, 5 * ROWS_A_PAGE, error));
    }
    return MC_OK;
}

mc_status mc_make_inplace(mc_program *program, const mc_record_options *options, mc_error *error)
{
    MC_TRY(mc_setup_rows(program, options, "main", error));
    for (uint32_t k = 1; k <= options->txns; k++) {
        MC_TRY(mc_do_update(program, options, "t", k, k % 2 == 0 ? "id % 4 = 0" : "id % 7 = 0",
                            error));
    }
    return MC_OK;
}
