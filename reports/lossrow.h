/* lossrow.h: what SQLite promises beside what came out of a power loss: one row for each journal
 * mode, synchronous level and profile (inside reports/). */
#ifndef MIDCOMMIT_REPORTS_LOSSROW_H
#define MIDCOMMIT_REPORTS_LOSSROW_H

#include "harness/run/run.h"

typedef struct mc_loss_row {
    const mc_run_cell *cell; /* the first that is of this row, for what they have in common */
    mc_verdict_kind worst;   /* that SQLite itself had of any state; see mc_loss_worse */
    const char *first;       /* a state with that verdict; null when it is clean or not known */
    uint64_t broken;         /* classes in which the promise was not kept */
    bool defect;             /* a known defect of SQLite explains all of those */
    bool proved;             /* no state is undecided */
    mpz_t states;
} mc_loss_row;

/* The rows of all cells of power, in the order of the tables of modes, levels and profiles;
 * `*count` of them, to be freed with mc_loss_rows_free. Null without memory, or when there is none.
 */
mc_loss_row *mc_loss_rows(const mc_run_result *result, uint32_t *count);
void mc_loss_rows_free(mc_loss_row *row, uint32_t count);

/* Was the promise kept: "-" (there is none), "yes", "as far as seen", "NO", "known defect". */
const char *mc_loss_kept(const mc_loss_row *row);

/* "clean", "last", "stale", "nothing". */
const char *mc_loss_promise(mc_promise promise);

/* The row of a proof that has an importer's verdicts: of sqlite and recover it is the control's. */
uint32_t mc_loss_who(const mc_run_result *result, uint32_t importer);

/* Are all verdicts of a cell exact, SQLite's and those of the importers that are judged in it? */
bool mc_loss_proved(const mc_run_result *result, const mc_run_cell *cell);

#endif
