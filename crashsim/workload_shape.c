/* workload_shape.c: programs that change the schema, the size of the file, or two files at once. */
#include "crashsim/workload_make.h"

mc_status mc_make_ddl(mc_program *program, const mc_record_options *options, mc_error *error)
{
    MC_TRY(mc_setup_rows(program, options, "main", MC_ROWS, error));
    for (uint32_t k = 1; k <= options->txns; k++) {
        MC_DO("CREATE TABLE d%u(a INTEGER PRIMARY KEY, b TEXT, c TEXT DEFAULT 'c')", k);
        MC_TRY(mc_do_insert(program, options, "t", k, MC_ROWS_A_PAGE, error));
        MC_DO("INSERT INTO d%u(b) SELECT data FROM t WHERE id %% 20 = 0", k);
        MC_DO("CREATE INDEX d%u_b ON d%u(b)", k, k);
        MC_DO("ALTER TABLE d%u ADD COLUMN e INTEGER DEFAULT %u", k, k);
        MC_DO("CREATE VIEW v%u AS SELECT a, e FROM d%u", k, k);
        MC_DO("CREATE TRIGGER r%u AFTER UPDATE ON t BEGIN "
              "UPDATE d%u SET e = e + 1 WHERE a %% 4 = 0; END",
              k, k);
        MC_TRY(mc_do_update(program, options, "t", k, "id % 90 = 0", error));
        MC_DO("DROP VIEW v%u", k);
        MC_DO("ALTER TABLE d%u DROP COLUMN c", k);
        MC_DO("DROP INDEX d%u_b", k);
        MC_DO("DROP TRIGGER r%u", k);
        MC_DO("ALTER TABLE d%u RENAME TO old%u", k, k);
        MC_DO("PRAGMA user_version = %u", k);
        if (k % 2 == 0) {
            MC_DO("DROP TABLE old%u", k - 1);
        }
    }
    return MC_OK;
}

mc_status mc_make_vacuum(mc_program *program, const mc_record_options *options, mc_error *error)
{
    MC_TRY(mc_setup_rows(program, options, "main", MC_ROWS, error));
    for (uint32_t k = 1; k <= options->txns; k++) {
        MC_DO("DELETE FROM t WHERE id %% 36 / 12 = %u", k % 3);
        MC_DO("VACUUM");
        MC_TRY(mc_do_insert(program, options, "t", k, 10 * MC_ROWS_A_PAGE, error));
    }
    return MC_OK;
}

mc_status mc_make_shrink(mc_program *program, const mc_record_options *options, mc_error *error)
{
    program->auto_vacuum = true;
    MC_TRY(mc_setup_rows(program, options, "main", MC_ROWS, error));
    for (uint32_t k = 1; k <= options->txns; k++) {
        if (k % 3 == 1) { /* pages from the middle go, so those at the end move */
            MC_DO("DELETE FROM t WHERE id BETWEEN %u AND %u", k * 30, k * 30 + 60);
        } else if (k % 3 == 2) { /* pages at the end go */
            MC_DO("DELETE FROM t WHERE id > (SELECT max(id) - 40 FROM t)");
        } else {
            MC_TRY(mc_do_insert(program, options, "t", k, 8 * MC_ROWS_A_PAGE, error));
        }
    }
    return MC_OK;
}

mc_status mc_make_attach(mc_program *program, const mc_record_options *options, mc_error *error)
{
    program->attach = true;
    MC_TRY(mc_setup_rows(program, options, "main", MC_ROWS, error));
    MC_TRY(mc_setup_rows(program, options, "aux", MC_ROWS / 2, error));
    for (uint32_t k = 1; k <= options->txns; k++) {
        if (k % 3 == 0) { /* one database: no super-journal */
            MC_TRY(mc_do_update(program, options, k % 2 == 0 ? "aux.t" : "main.t", k, "id % 40 = 0",
                                error));
            continue;
        }
        MC_DO("BEGIN");
        MC_TRY(mc_do_update(program, options, "main.t", k, "id % 30 = 0", error));
        MC_TRY(mc_do_update(program, options, "aux.t", k, "id % 20 = 0", error));
        MC_TRY(mc_do_insert(program, options, k % 2 == 0 ? "aux.t" : "main.t", k, MC_ROWS_A_PAGE,
                            error));
        MC_DO("COMMIT");
    }
    return MC_OK;
}
