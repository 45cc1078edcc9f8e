/* workload_undo.c: programs that take back what they did.
 *
 * The cache is small, so what is taken back has reached the files before: rolling back then writes,
 * too. In WAL mode a savepoint that is rolled back leaves its frames behind the new end, and the
 * next writes of the same transaction put frames over them in place (pager.c sqlite3PagerSavepoint,
 * wal.c sqlite3WalSavepointUndo). */
#include "crashsim/workload_make.h"

enum { SMALL_CACHE_PAGES = 10 };

mc_status mc_make_rollback(mc_program *program, const mc_record_options *options, mc_error *error)
{
    program->cache_pages = SMALL_CACHE_PAGES;
    MC_TRY(mc_setup_rows(program, options, "main", MC_ROWS, error));
    for (uint32_t k = 1; k <= options->txns; k++) {
        MC_DO("BEGIN");
        MC_TRY(mc_do_update(program, options, "t", 1000 + k, "id % 9 = 0", error));
        MC_DO("ROLLBACK");
        MC_TRY(mc_do_update(program, options, "t", k, "id % 30 = 0", error));
        MC_DO("BEGIN");
        MC_TRY(mc_do_insert(program, options, "t", 2000 + k, 20 * MC_ROWS_A_PAGE, error));
        MC_DO("DELETE FROM t WHERE id BETWEEN 100 AND 200");
        MC_DO("ROLLBACK");
        MC_TRY(mc_do_insert(program, options, "t", k, MC_ROWS_A_PAGE, error));
    }
    return MC_OK;
}

/* Rolled back to after it spilled, then the same pages again. */
static mc_status write_over(mc_program *program, const mc_record_options *options, uint32_t k,
                            mc_error *error)
{
    MC_DO("BEGIN");
    MC_TRY(mc_do_update(program, options, "t", k, "id % 23 = 0", error));
    MC_DO("SAVEPOINT a");
    MC_TRY(mc_do_update(program, options, "t", 1000 + k, "id % 10 = 0", error));
    MC_DO("ROLLBACK TO a");
    MC_TRY(mc_do_update(program, options, "t", 2000 + k, "id % 20 = 0", error));
    MC_DO("RELEASE a");
    MC_DO("COMMIT");
    return MC_OK;
}

/* Inside a savepoint that is then rolled back, some pages spill, and then others twice: in WAL mode
 * the last spill goes over frames in the middle, and checksums from there on are left for the
 * commit to rewrite (wal.c iReCksum). */
static mc_status spill_twice(mc_program *program, const mc_record_options *options, uint32_t k,
                             mc_error *error)
{
    MC_DO("BEGIN");
    MC_TRY(mc_do_update(program, options, "t", k, "id = 3", error));
    MC_DO("SAVEPOINT a");
    MC_TRY(mc_do_update(program, options, "t", 1000 + k, "id % 6 = 4 AND id BETWEEN 20 AND 150",
                        error));
    MC_TRY(mc_do_update(program, options, "t", 1000 + k, "id % 6 = 4 AND id > 230", error));
    MC_TRY(mc_do_update(program, options, "t", 2000 + k, "id % 6 = 4 AND id > 230", error));
    MC_DO("ROLLBACK TO a");
    MC_TRY(mc_do_update(program, options, "t", 3000 + k, "id % 30 = 5", error));
    MC_DO("COMMIT");
    return MC_OK;
}

/* A transaction made of savepoints alone; the outermost RELEASE commits. */
static mc_status nest(mc_program *program, const mc_record_options *options, uint32_t k,
                      mc_error *error)
{
    MC_DO("SAVEPOINT outer");
    MC_TRY(mc_do_update(program, options, "t", k, "id % 40 = 1", error));
    MC_DO("SAVEPOINT inner");
    MC_TRY(mc_do_insert(program, options, "t", k, 12 * MC_ROWS_A_PAGE, error));
    MC_DO("RELEASE inner");
    MC_DO("SAVEPOINT second");
    MC_DO("DELETE FROM t WHERE id %% 12 < 6");
    MC_DO("SAVEPOINT third");
    MC_TRY(mc_do_update(program, options, "t", 1000 + k, "id % 25 = 7", error));
    MC_DO("ROLLBACK TO second");
    MC_DO("RELEASE outer");
    return MC_OK;
}

/* The file grows, is cut back to the savepoint, and grows again with other pages. */
static mc_status grow_twice(mc_program *program, const mc_record_options *options, uint32_t k,
                            mc_error *error)
{
    MC_DO("BEGIN");
    MC_DO("SAVEPOINT a");
    MC_TRY(mc_do_insert(program, options, "t", 1000 + k, 20 * MC_ROWS_A_PAGE, error));
    MC_DO("ROLLBACK TO a");
    MC_TRY(mc_do_insert(program, options, "t", 2000 + k, 15 * MC_ROWS_A_PAGE, error));
    MC_DO("ROLLBACK TO a");
    MC_TRY(mc_do_update(program, options, "t", k, "id % 40 = 2", error));
    MC_TRY(mc_do_insert(program, options, "t", k, 4 * MC_ROWS_A_PAGE, error));
    MC_DO("COMMIT");
    return MC_OK;
}

/* Everything is taken back before it commits. */
static mc_status commit_nothing(mc_program *program, const mc_record_options *options, uint32_t k,
                                mc_error *error)
{
    MC_DO("SAVEPOINT a");
    MC_TRY(mc_do_update(program, options, "t", 1000 + k, "id % 15 = 3", error));
    MC_DO("ROLLBACK TO a");
    MC_DO("RELEASE a");
    return MC_OK;
}

mc_status mc_make_savepoint(mc_program *program, const mc_record_options *options, mc_error *error)
{
    program->cache_pages = SMALL_CACHE_PAGES;
    MC_TRY(mc_setup_rows(program, options, "main", MC_ROWS, error));
    for (uint32_t k = 1; k <= options->txns; k++) {
        MC_TRY(write_over(program, options, 5 * k, error));
        MC_TRY(nest(program, options, 5 * k + 1, error));
        MC_TRY(grow_twice(program, options, 5 * k + 2, error));
        MC_TRY(commit_nothing(program, options, 5 * k + 3, error));
        MC_TRY(spill_twice(program, options, 5 * k + 4, error));
    }
    return MC_OK;
}
