/* workload_rows.c: programs that add, change and remove rows.
 *
 * Every text is one word of eight hex digits, repeated, that depends on the row and the
 * transaction: so two versions of a page differ wherever a page can tear, and no two pages are
 * equal by chance. Sizes are fractions of the page size, so that a program has the same shape at
 * every page size. */
#include "crashsim/workload_make.h"

enum { WORD_BYTES = 8 };

/* A text of %u words for row %s of version %u. */
#define TEXT                                                                                       \
    "replace(printf('%%.*c', %u, 'x'), 'x', printf('%%08x', (%s * 2654435761 + %u * 40503) & "     \
    "4294967295))"

static uint32_t words_of_row(const mc_record_options *options)
{
    return options->page_size / (MC_ROWS_A_PAGE + 1) / WORD_BYTES;
}

static uint32_t words_of_pages(const mc_record_options *options, uint32_t tenths)
{
    return options->page_size / WORD_BYTES * tenths / 10;
}

mc_status mc_setup_rows(mc_program *program, const mc_record_options *options, const char *schema,
                        uint32_t rows, mc_error *error)
{
    MC_SETUP("CREATE TABLE %s.t(id INTEGER PRIMARY KEY, version INTEGER, data TEXT)", schema);
    MC_SETUP("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT %u) "
             "INSERT INTO %s.t SELECT i, 0, " TEXT " FROM n",
             rows, schema, words_of_row(options), "i", 0);
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
        MC_TRY(mc_do_insert(program, options, "t", k, 5 * MC_ROWS_A_PAGE, error));
    }
    return MC_OK;
}

mc_status mc_make_inplace(mc_program *program, const mc_record_options *options, mc_error *error)
{
    MC_TRY(mc_setup_rows(program, options, "main", MC_ROWS, error));
    for (uint32_t k = 1; k <= options->txns; k++) {
        MC_TRY(mc_do_update(program, options, "t", k, k % 2 == 0 ? "id % 4 = 0" : "id % 7 = 0",
                            error));
    }
    return MC_OK;
}

mc_status mc_make_indexed(mc_program *program, const mc_record_options *options, mc_error *error)
{
    MC_TRY(mc_setup_rows(program, options, "main", MC_ROWS / 2, error));
    MC_SETUP("CREATE INDEX t_version ON t(version, id)");
    MC_SETUP("CREATE INDEX t_data ON t(data)");
    for (uint32_t k = 1; k <= options->txns; k++) {
        if (k % 3 == 1) {
            MC_TRY(mc_do_update(program, options, "t", k, "id % 13 = 0", error));
        } else if (k % 3 == 2) {
            MC_DO("DELETE FROM t WHERE id %% 17 = %u", k % 17);
        } else {
            MC_TRY(mc_do_insert(program, options, "t", k, 12, error));
        }
    }
    return MC_OK;
}

mc_status mc_make_spill(mc_program *program, const mc_record_options *options, mc_error *error)
{
    program->cache_pages = 10;
    MC_TRY(mc_setup_rows(program, options, "main", MC_ROWS, error));
    for (uint32_t k = 1; k <= options->txns; k++) {
        MC_DO("BEGIN");
        MC_TRY(mc_do_update(program, options, "t", 2 * k - 1, "id % 5 <> 0", error));
        MC_TRY(mc_do_insert(program, options, "t", 2 * k, 3 * MC_ROWS_A_PAGE, error));
        MC_TRY(mc_do_update(program, options, "t", 2 * k, "id % 11 = 0", error));
        MC_DO("COMMIT");
    }
    return MC_OK;
}

/* Rows of 3 to 11 pages: each is a chain of overflow pages that grows, shrinks and is freed. */
mc_status mc_make_overflow(mc_program *program, const mc_record_options *options, mc_error *error)
{
    MC_SETUP("CREATE TABLE o(id INTEGER PRIMARY KEY, data TEXT)");
    for (uint32_t i = 1; i <= 10; i++) {
        MC_SETUP("INSERT INTO o VALUES(%u, " TEXT ")", i, words_of_pages(options, 30 + i % 7 * 8),
                 "1", i);
    }
    for (uint32_t k = 1; k <= options->txns; k++) {
        uint32_t row = 1 + k * 3 % 10;
        uint32_t words = words_of_pages(options, 30 + k * 5 % 9 * 10);
        if (k % 4 == 3) {
            MC_DO("DELETE FROM o WHERE id = %u", row);
        } else {
            MC_DO("INSERT OR REPLACE INTO o VALUES(%u, " TEXT ")", row, words, "2", k);
        }
    }
    return MC_OK;
}

/* Blobs that grow by 7 tenths of a page: they cross the limits of a cell, a page and a chain. */
mc_status mc_make_blob(mc_program *program, const mc_record_options *options, mc_error *error)
{
    MC_TRY(mc_setup_rows(program, options, "main", MC_ROWS * 2 / 3, error));
    MC_SETUP("CREATE TABLE b(id INTEGER PRIMARY KEY, data BLOB)");
    MC_SETUP("INSERT INTO b VALUES(1, x''), (2, x''), (3, x'')");
    for (uint32_t k = 1; k <= options->txns; k++) {
        MC_DO("UPDATE b SET data = CAST(data || " TEXT " AS BLOB) WHERE id = %u",
              words_of_pages(options, 7), "id", k, 1 + k % 3);
    }
    return MC_OK;
}

/* Pages that come and go within one transaction: none of them is journalled, and those that spilled
 * before they were freed stay in the file with contents that nobody wanted. */
mc_status mc_make_freed(mc_program *program, const mc_record_options *options, mc_error *error)
{
    program->cache_pages = 20;
    MC_TRY(mc_setup_rows(program, options, "main", MC_ROWS, error));
    for (uint32_t k = 1; k <= options->txns; k++) {
        MC_DO("BEGIN");
        if (k % 2 == 1) {
            MC_TRY(mc_do_insert(program, options, "t", k, 30 * MC_ROWS_A_PAGE, error));
            MC_TRY(mc_do_update(program, options, "t", k, "id % 40 = 0", error));
            MC_DO("DELETE FROM t WHERE version = %u AND id > %d", k, MC_ROWS);
        } else {
            MC_DO("CREATE TABLE x(id INTEGER PRIMARY KEY, version INTEGER, data TEXT)");
            MC_TRY(mc_do_insert(program, options, "x", k, 40 * MC_ROWS_A_PAGE, error));
            MC_DO("DROP TABLE x");
            MC_TRY(mc_do_update(program, options, "t", k, "id % 30 = 0", error));
        }
        MC_DO("COMMIT");
    }
    return MC_OK;
}

/* Pages whose journal records lie: the checksum of a record is the sum of every 200th byte, counted
 * from the page's end (pager.c pager_cksum), and here those are all zero while their neighbours are
 * not. A record that reached the disk with sectors of zeros inside has the right checksum. One row
 * fills a page, so its blob ends where the page does, and so do its parts of 200 bytes. */
mc_status mc_make_sampled(mc_program *program, const mc_record_options *options, mc_error *error)
{
    enum { SAMPLED_BYTES = 200, ROW_BYTES = 100, ROWS = 3 };
    uint32_t parts = (options->page_size - ROW_BYTES) / SAMPLED_BYTES;
#define PART                                                                                       \
    "CAST(replace(hex(zeroblob(%u)), '00', char(0) || substr(replace(printf('%%.*c', 25, 'x'), "   \
    "'x', printf('%%08x', (%s * 2654435761 + %u * 40503) & 4294967295)), 1, 199)) AS BLOB)"
    MC_SETUP("CREATE TABLE s(id INTEGER PRIMARY KEY, version INTEGER, data BLOB)");
    MC_SETUP("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT %d) "
             "INSERT INTO s SELECT i, 0, " PART " FROM n",
             ROWS, parts, "i", 0);
    for (uint32_t k = 1; k <= options->txns; k++) {
        MC_DO("UPDATE s SET version = %u, data = " PART " WHERE id %% 3 = %u", k, parts, "id", k,
              k % 3);
    }
#undef PART
    return MC_OK;
}

/* Commits after which the database says what an earlier one said. */
mc_status mc_make_equal(mc_program *program, const mc_record_options *options, mc_error *error)
{
    MC_TRY(mc_setup_rows(program, options, "main", MC_ROWS, error));
    for (uint32_t k = 1; k <= options->txns; k++) {
        MC_DO("UPDATE t SET version = version WHERE id %% 40 = 0"); /* writes what was there */
        MC_TRY(mc_do_update(program, options, "t", 1, "id % 25 = 0", error)); /* to B */
        MC_TRY(mc_do_update(program, options, "t", 0, "id % 25 = 0", error)); /* and back to A */
        MC_DO("BEGIN IMMEDIATE");
        MC_DO("COMMIT"); /* commits without a page */
        MC_DO("DELETE FROM t WHERE id < 0");
    }
    return MC_OK;
}
