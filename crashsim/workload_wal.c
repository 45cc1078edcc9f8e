/* workload_wal.c: programs about the write-ahead log's own life. */
#include "crashsim/workload_make.h"

mc_status mc_make_checkpoint(mc_program *program, const mc_record_options *options, mc_error *error)
{
    uint32_t version = 0;
    MC_TRY(mc_setup_rows(program, options, "main", MC_ROWS, error));
    for (uint32_t k = 1; k <= options->txns; k++) {
        MC_TRY(mc_do_update(program, options, "t", ++version, "id % 30 = 0", error));
        MC_DO("PRAGMA wal_checkpoint(PASSIVE)");
        MC_TRY(mc_do_update(program, options, "t", ++version, "id % 30 = 1", error));
        MC_DO("@reader begin"); /* from here on frames after this commit cannot be moved */
        MC_TRY(mc_do_update(program, options, "t", ++version, "id % 30 = 2", error));
        MC_DO("PRAGMA wal_checkpoint(PASSIVE)");
        MC_DO("PRAGMA wal_checkpoint(FULL)");
        MC_TRY(mc_do_insert(program, options, "t", ++version, 2 * MC_ROWS_A_PAGE, error));
        MC_DO("@reader end");
        MC_DO("PRAGMA wal_checkpoint(FULL)");
        MC_TRY(mc_do_update(program, options, "t", ++version, "id % 30 = 3", error));
        MC_DO("PRAGMA wal_checkpoint(RESTART)");
        MC_TRY(mc_do_update(program, options, "t", ++version, "id % 30 = 4", error));
        MC_DO("DELETE FROM t WHERE id > (SELECT max(id) - 10 FROM t)");
        MC_DO("PRAGMA wal_checkpoint(TRUNCATE)");
        MC_TRY(mc_do_update(program, options, "t", ++version, "id % 30 = 5", error));
        MC_DO("@reopen"); /* the last connection checkpoints and deletes the WAL */
    }
    MC_TRY(mc_do_update(program, options, "t", ++version, "id % 30 = 6", error));
    return MC_OK;
}

mc_status mc_make_walreset(mc_program *program, const mc_record_options *options, mc_error *error)
{
    MC_TRY(mc_setup_rows(program, options, "main", MC_ROWS, error));
    for (uint32_t k = 1; k <= options->txns; k++) {
        if (k == 3) { /* SQLite's own checkpoint, inside the COMMIT that filled the WAL */
            MC_DO("PRAGMA wal_autocheckpoint = 20");
        }
        MC_TRY(mc_do_update(program, options, "t", 3 * k - 2, "id % 8 = 0", error));
        MC_DO("PRAGMA wal_checkpoint(PASSIVE)");
        MC_TRY(mc_do_update(program, options, "t", 3 * k - 1, "id % 60 = 0", error));
        MC_TRY(mc_do_update(program, options, "t", 3 * k, "id % 60 = 1", error));
    }
    return MC_OK;
}

mc_status mc_make_modes(mc_program *program, const mc_record_options *options, mc_error *error)
{
    static const char *const cycle[] = {"wal", "delete", "persist", "wal", "truncate", "delete"};
    uint32_t version = 0;
    MC_TRY(mc_setup_rows(program, options, "main", MC_ROWS, error));
    for (uint32_t k = 1; k <= options->txns; k++) {
        for (size_t i = 0; i < sizeof cycle / sizeof *cycle; i++) {
            MC_TRY(mc_do_update(program, options, "t", ++version, "id % 40 = 0", error));
            MC_DO("PRAGMA journal_mode = %s", cycle[i]);
        }
        MC_TRY(mc_do_insert(program, options, "t", ++version, MC_ROWS_A_PAGE, error));
        MC_DO("PRAGMA journal_mode = %s", mc_mode_names[options->mode]);
    }
    MC_TRY(mc_do_update(program, options, "t", ++version, "id % 40 = 1", error));
    return MC_OK;
}
