/* againtable.c: the part of the table that is about second crashes: how many there were, and
 * whether recovery makes the same of what they leave. */
#include "reports/tabling.h"
#include "reports/wrap.h"

#include <inttypes.h>
#include <string.h>

enum { NUMBER_BYTES = 64 };

static void print_row(const mc_run_cell *run, FILE *out)
{
    const mc_again_counts *c = run->cell.again;
    char total[NUMBER_BYTES];
    char converge[NUMBER_BYTES];
    char diverged[NUMBER_BYTES];
    char unresolved[NUMBER_BYTES];
    mpz_t number;
    mpz_init(number);
    mc_again_converge(c, number);
    mc_proof_text(number, converge, sizeof converge);
    mpz_clear(number);
    mc_proof_text(c->total, total, sizeof total);
    mc_proof_text(c->diverged, diverged, sizeof diverged);
    mc_proof_text(c->unresolved, unresolved, sizeof unresolved);
    (void)fprintf(out, "%-*s %-8s %-6s %-16s %6" PRIu64 " %12s %7" PRIu64 " %12s %11s\n",
                  MC_TABLE_WORKLOAD, mc_table_tail(run->workload, MC_TABLE_WORKLOAD),
                  mc_mode_names[run->mode], mc_sync_names[run->sync],
                  run->power != NULL ? run->power->name : run->crash,
                  c->witnesses - c->repeated - c->unasked, total, c->visited, converge, diverged);
    if (mpz_sgn(c->unresolved) > 0) {
        mc_wrap(out, 2, "  bounded: %s second states are not decided within the budget",
                unresolved);
    }
}

/* The first of a cell's states that did not come out as its first crash. */
static const mc_finding *first_of(const mc_run_cell *run)
{
    for (uint32_t f = 0; f < run->cell.finding_count; f++) {
        if (mc_finding_is_again(&run->cell.finding[f])) {
            return &run->cell.finding[f];
        }
    }
    return NULL;
}

static void print_finding(const mc_run_cell *run, FILE *out)
{
    const mc_finding *finding = first_of(run);
    if (finding != NULL) {
        const char *differs = strstr(finding->signature, "/recover differs from sqlite/");
        mc_wrap(out, 2, "  %s, first (%s):",
                differs != NULL ? "recover makes something else than SQLite" : "does not converge",
                finding->verdict);
        (void)fprintf(out, "    %s\n", finding->state);
    }
}

void mc_table_again(const mc_run_result *result, FILE *out)
{
    bool any = false;
    bool bounded = false;
    for (uint32_t c = 0; c < result->cell_count; c++) {
        const mc_run_cell *run = &result->cell[c];
        if (run->cell.again == NULL) {
            continue;
        }
        if (!any) {
            (void)fprintf(out, "\n%-*s %-8s %-6s %-16s %6s %12s %7s %12s %11s\n", MC_TABLE_WORKLOAD,
                          "crash again", "mode", "sync", "crash", "first", "states", "run",
                          "converge", "do not");
            any = true;
        }
        bounded = bounded || mpz_sgn(run->cell.again->unresolved) > 0;
        print_row(run, out);
        print_finding(run, out);
    }
    if (any) {
        (void)fputc('\n', out);
        mc_wrap(
            out, 0,
            "First: states of the first crash that SQLite recovers; under power two of each class. "
            "Each recovery from one was crashed at each of its points, and %s states which that "
            "leaves were recovered again, or are proved equal to one that was. Converge: the "
            "same came out as without the second crash. `explain` tells the states that are named.",
            bounded ? "the" : "all");
    }
}
