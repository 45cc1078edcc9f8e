#include "reports/lossrow.h"

#include <stdlib.h>
#include <string.h>

const char *mc_loss_promise(mc_promise promise)
{
    static const char *const names[] = {[MC_PROMISE_CLEAN] = "clean",
                                        [MC_PROMISE_LAST] = "last",
                                        [MC_PROMISE_STALE] = "stale",
                                        [MC_PROMISE_NOTHING] = "nothing"};
    return names[promise];
}

const char *mc_loss_kept(const mc_loss_row *row)
{
    return row->cell->cell.promise == MC_PROMISE_NOTHING ? "-"
           : row->broken > 0                             ? row->defect ? "known defect" : "NO"
           : row->proved                                 ? "yes"
                                                         : "as far as seen";
}

uint32_t mc_loss_who(const mc_run_result *result, uint32_t importer)
{
    mc_importer_kind kind = result->importers.chosen[importer].kind;
    bool control = kind == MC_IMPORTER_SQLITE || kind == MC_IMPORTER_RECOVER;
    return control ? (uint32_t)MC_IMPORTERS_MAX : importer;
}

bool mc_loss_proved(const mc_run_result *result, const mc_run_cell *cell)
{
    mpz_t open;
    mpz_init(open);
    mc_proof_undecided(cell->cell.proof, MC_IMPORTERS_MAX, open);
    bool proved = mpz_sgn(open) == 0;
    for (uint32_t i = 0; i < result->importers.count; i++) {
        if (mc_run_judges(cell, &result->importers.chosen[i])) {
            mc_proof_undecided(cell->cell.proof, mc_loss_who(result, i), open);
            proved = proved && mpz_sgn(open) == 0;
        }
    }
    mpz_clear(open);
    return proved;
}

/* Of SQLite itself a refusal is a database that is lost. */
static int badness(mc_verdict_kind kind)
{
    static const int bad[MC_VERDICTS] = {
        [MC_CLEAN] = 0, [MC_STALE] = 1, [MC_BLOCKED] = 2, [MC_REFUSED_TOO] = 2, [MC_TORN] = 3};
    return bad[kind];
}

static mc_verdict_kind worst_of(const mc_proof *proof)
{
    mc_verdict_kind worst = MC_CLEAN;
    for (int v = 0; v < MC_VERDICTS; v++) {
        if (mpz_sgn(proof->verdict[MC_IMPORTERS_MAX][v]) > 0 &&
            badness((mc_verdict_kind)v) > badness(worst)) {
            worst = (mc_verdict_kind)v;
        }
    }
    return worst;
}

/* A state of which SQLite made its worst, where sqlite or recover was among the importers. */
static const char *first_of(const mc_run_result *result, const mc_run_cell *cell,
                            mc_verdict_kind worst)
{
    for (uint32_t i = 0; worst != MC_CLEAN && i < result->importers.count; i++) {
        const mc_tally *tally = &cell->cell.tally[i];
        if (mc_loss_who(result, i) == MC_IMPORTERS_MAX && tally->first_case[0] != '\0' &&
            tally->first_kind == worst) {
            return tally->first_case;
        }
    }
    return NULL;
}

static void add_cell(const mc_run_result *result, const mc_run_cell *cell, mc_loss_row *row)
{
    mc_verdict_kind worst = worst_of(cell->cell.proof);
    if (row->cell == NULL) {
        *row = (mc_loss_row){.cell = cell, .defect = true, .proved = true};
        mpz_init(row->states);
    }
    if (badness(worst) > badness(row->worst)) {
        row->worst = worst;
        row->first = first_of(result, cell, worst);
    }
    row->broken += cell->cell.control_dirty + cell->cell.known_defect;
    row->defect = row->defect && cell->cell.control_dirty == 0;
    mpz_t open;
    mpz_init(open);
    mc_proof_undecided(cell->cell.proof, MC_IMPORTERS_MAX, open);
    row->proved = row->proved && mpz_sgn(open) == 0;
    mpz_clear(open);
    mpz_add(row->states, row->states, cell->cell.proof->total);
}

/* Does the cell belong behind that row, or in it? Transactions over several databases have a
 * promise of their own, and so a row. */
static int compare(const mc_run_cell *a, const mc_run_cell *b)
{
    int by_mode = (int)a->mode - (int)b->mode;
    int by_sync = (int)a->sync - (int)b->sync;
    int by_power = (int)(a->power - b->power);
    int by_promise = (int)a->cell.promise - (int)b->cell.promise;
    return by_mode != 0 ? by_mode : by_sync != 0 ? by_sync : by_power != 0 ? by_power : by_promise;
}

mc_loss_row *mc_loss_rows(const mc_run_result *result, uint32_t *count)
{
    *count = 0;
    mc_loss_row *row = calloc(result->cell_count + 1, sizeof *row);
    for (uint32_t c = 0; row != NULL && c < result->cell_count; c++) {
        const mc_run_cell *cell = &result->cell[c];
        if (cell->power == NULL || cell->cell.proof == NULL) {
            continue;
        }
        uint32_t at = 0;
        while (at < *count && compare(row[at].cell, cell) < 0) {
            at++;
        }
        if (at == *count || compare(row[at].cell, cell) != 0) {
            memmove(&row[at + 1], &row[at], (*count - at) * sizeof *row);
            memset(&row[at], 0, sizeof *row);
            ++*count;
        }
        add_cell(result, cell, &row[at]);
    }
    return row;
}

void mc_loss_rows_free(mc_loss_row *row, uint32_t count)
{
    for (uint32_t i = 0; row != NULL && i < count; i++) {
        mpz_clear(row[i].states);
    }
    free(row);
}
