/* workload_mixed.c: a random program, a function of the seed. It reaches the combinations that
 * nobody thought of a workload for. */
#include "crashsim/workload_make.h"

#include <stdio.h>

typedef struct mix {
    mc_program *program;
    const mc_record_options *options;
    uint64_t random;
    uint32_t version;
    bool has_index;
} mix;

/* The upper bits of a 64-bit linear congruential step (Knuth's MMIX constants). */
static uint32_t pick(mix *m, uint32_t count)
{
    m->random = m->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(m->random >> 33) % count;
}

static mc_status update(mix *m, mc_error *error)
{
    char where[64];
    uint32_t step = 5 + pick(m, 60);
    (void)snprintf(where, sizeof where, "id %% %u = %u", step, pick(m, step));
    return mc_do_update(m->program, m->options, "t", ++m->version, where, error);
}

static mc_status insert(mix *m, mc_error *error)
{
    return mc_do_insert(m->program, m->options, "t", ++m->version, 1 + pick(m, 10 * MC_ROWS_A_PAGE),
                        error);
}

static mc_status remove_rows(mix *m, mc_error *error)
{
    mc_program *program = m->program;
    uint32_t first = pick(m, MC_ROWS);
    MC_DO("DELETE FROM t WHERE id BETWEEN %u AND %u", first, first + pick(m, 60));
    return MC_OK;
}

static mc_status blob(mix *m, mc_error *error)
{
    mc_program *program = m->program;
    uint32_t version = ++m->version;
    uint32_t row = 1 + pick(m, MC_ROWS);
    uint32_t words = 1 + m->options->page_size / 8 * pick(m, 6);
    MC_DO("INSERT OR REPLACE INTO t VALUES(%u, %u, replace(hex(zeroblob(%u)), '00', 'b%07u'))", row,
          version, words, version);
    return MC_OK;
}

static mc_status index_on_or_off(mix *m, mc_error *error)
{
    mc_program *program = m->program;
    MC_DO("%s", m->has_index ? "DROP INDEX t_version" : "CREATE INDEX t_version ON t(version)");
    m->has_index = !m->has_index;
    return MC_OK;
}

static mc_status change(mix *m, mc_error *error)
{
    static mc_status (*const changes[])(mix * m, mc_error * error) = {update,      update, insert,
                                                                      remove_rows, blob,   insert};
    return changes[pick(m, sizeof changes / sizeof *changes)](m, error);
}

static mc_status several(mix *m, mc_error *error)
{
    mc_program *program = m->program;
    bool undoes = m->options->mode != MC_MODE_OFF; /* undefined there */
    MC_DO("BEGIN");
    for (uint32_t i = 1 + pick(m, 4); i > 0; i--) {
        bool savepoint = undoes && pick(m, 3) == 0;
        if (savepoint) {
            MC_DO("SAVEPOINT s");
        }
        MC_TRY(change(m, error));
        if (savepoint) {
            MC_DO("%s", pick(m, 2) == 0 ? "ROLLBACK TO s" : "RELEASE s");
        }
    }
    MC_DO("%s", undoes && pick(m, 5) == 0 ? "ROLLBACK" : "COMMIT");
    return MC_OK;
}

static mc_status maintain(mix *m, mc_error *error)
{
    static const char *const checkpoints[] = {"PASSIVE", "FULL", "RESTART", "TRUNCATE"};
    mc_program *program = m->program;
    if (m->options->mode == MC_MODE_WAL && pick(m, 4) != 0) {
        MC_DO("PRAGMA wal_checkpoint(%s)", checkpoints[pick(m, 4)]);
        return MC_OK;
    }
    switch (pick(m, 4)) {
    case 0:
        MC_DO("VACUUM");
        return MC_OK;
    case 1:
        MC_DO("@reopen");
        return MC_OK;
    default:
        return index_on_or_off(m, error);
    }
}

mc_status mc_make_mixed(mc_program *program, const mc_record_options *options, mc_error *error)
{
    mix m = {.program = program, .options = options, .random = options->seed};
    (void)pick(&m, 2); /* small seeds differ in their low bits only */
    (void)pick(&m, 2);
    program->cache_pages = pick(&m, 2) == 0 ? 0 : 10 + pick(&m, 20);
    MC_TRY(mc_setup_rows(program, options, "main", MC_ROWS, error));
    for (uint32_t k = 0; k < options->txns; k++) {
        uint32_t kind = pick(&m, 10);
        if (kind < 5) {
            MC_TRY(change(&m, error));
        } else if (kind < 8) {
            MC_TRY(several(&m, error));
        } else {
            MC_TRY(maintain(&m, error));
        }
    }
    return update(&m, error);
}
