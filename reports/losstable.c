/* losstable.c: the part of the table that is about power loss. Its states are counted exactly, and
 * their numbers pass what a column holds: they are shown as powers of two, and verdicts as shares
 * of all states. */
#include "reports/tabling.h"
#include "reports/wrap.h"

#include <inttypes.h>
#include <string.h>

enum { SHARE_BYTES = 32, NUMBER_BYTES = 64 };

/* "0" and "100 %" are said of none and all only. */
static const char *share_text(const mpz_t part, const mpz_t all, char out[static SHARE_BYTES])
{
    mpz_t hundredths;
    if (mpz_sgn(part) == 0 || mpz_sgn(all) == 0 || mpz_cmp(part, all) >= 0) {
        return mpz_sgn(part) == 0 ? "0" : "100 %";
    }
    mpz_init(hundredths);
    mpz_mul_ui(hundredths, part, 10000);
    mpz_fdiv_q(hundredths, hundredths, all);
    unsigned long n = mpz_get_ui(hundredths);
    mpz_clear(hundredths);
    (void)snprintf(out, SHARE_BYTES, "%s%lu.%02lu %%",
                   n == 0      ? "<"
                   : n == 9999 ? ">"
                               : "",
                   n == 0 ? 0 : n / 100, n == 0 ? 1 : n % 100);
    return out;
}

static void print_importer(const mc_run_result *result, const mc_run_cell *run, uint32_t i,
                           FILE *out)
{
    const mc_proof *p = run->cell.proof;
    uint32_t who = mc_loss_who(result, i);
    char text[MC_TABLE_LABEL];
    mpz_t undecided;
    mpz_init(undecided);
    mc_proof_undecided(p, who, undecided);
    const mpz_t *column[] = {&p->verdict[who][MC_CLEAN],   &p->verdict[who][MC_STALE],
                             &p->verdict[who][MC_TORN],    &p->silent[who],
                             &p->verdict[who][MC_BLOCKED], &p->verdict[who][MC_REFUSED_TOO],
                             (const mpz_t *)&undecided};
    (void)fprintf(out, "  %-15s", mc_table_label(result, i, text));
    for (size_t c = 0; c < sizeof column / sizeof *column; c++) {
        char share[SHARE_BYTES];
        (void)fprintf(out, " %10s", share_text(*column[c], p->total, share));
    }
    (void)fputc('\n', out);
    mpz_clear(undecided);
}

/* What a cell has not proved, in a sentence. */
static void print_open(const mc_run_cell *run, FILE *out)
{
    const mc_proof *p = run->cell.proof;
    char states[NUMBER_BYTES];
    if (mpz_sgn(p->unresolved) == 0) {
        mc_wrap(out, 2, "  not proved: of some classes an importer's verdict is not certain");
        return;
    }
    mc_proof_text(p->unresolved, states, sizeof states);
    mc_wrap(out, 2,
            "  not proved: %" PRIu64 " of %" PRIu64 " crash points are not closed, %s states are "
            "sampled or unresolved",
            run->cell.explored.skipped, run->cell.explored.points, states);
}

static void print_cell(const mc_run_result *result, const mc_run_cell *run, FILE *out)
{
    const mc_proof *p = run->cell.proof;
    char states[NUMBER_BYTES];
    bool proved = mc_loss_proved(result, run);
    mc_proof_text(p->total, states, sizeof states);
    (void)fprintf(out, "%-*s %-8s %-6s %-16s %8" PRIu64 " %12s %9" PRIu64 " %8" PRIu64 " %s\n",
                  MC_TABLE_WORKLOAD, mc_table_tail(run->workload, MC_TABLE_WORKLOAD),
                  mc_mode_names[run->mode], mc_sync_names[run->sync], run->power->name,
                  run->cell.explored.points, states, p->classes, p->runs,
                  proved ? "proved" : "not proved");
    for (uint32_t i = 0; i < result->importers.count; i++) {
        if (mc_run_judges(run, &result->importers.chosen[i])) {
            print_importer(result, run, i, out);
        }
    }
    if (mpz_sgn(p->induced) > 0) {
        mc_proof_text(p->induced, states, sizeof states);
        mc_wrap(out, 2,
                "  recovery-induced: %s states; main was a commit, and is none once SQLite has "
                "recovered it",
                states);
    }
    if (!proved) {
        print_open(run, out);
    }
}

static void print_not_judged(const mc_run_result *result, const mc_run_cell *run, FILE *out)
{
    char list[400] = "";
    for (uint32_t i = 0; i < result->importers.count; i++) {
        if (!mc_run_judges(run, &result->importers.chosen[i])) {
            char text[MC_TABLE_LABEL];
            size_t have = strlen(list);
            (void)snprintf(list + have, sizeof list - have, "%s%s", have > 0 ? ", " : "",
                           mc_table_label(result, i, text));
        }
    }
    if (list[0] != '\0') {
        mc_wrap(out, 0, "Not judged under power: %s; what they read of a state is not known.",
                list);
    }
}

static void print_row(const mc_loss_row *row, FILE *out)
{
    char states[NUMBER_BYTES];
    const mc_run_cell *cell = row->cell;
    mc_promise promise = cell->cell.promise;
    mc_proof_text(row->states, states, sizeof states);
    (void)fprintf(out, "%-8s %-6s %-16s %-9s %-9s %-14s %12s %s\n", mc_mode_names[cell->mode],
                  mc_sync_names[cell->sync], cell->power->name, mc_loss_promise(promise),
                  mc_verdict_names[row->worst], mc_loss_kept(row), states,
                  row->proved ? "proved" : "not proved");
    if (row->first != NULL) {
        (void)fprintf(out, "    %s\n", row->first);
    }
}

/* What SQLite promises, and the worst that came out of it. */
static void print_promises(const mc_run_result *result, FILE *out)
{
    uint32_t count;
    mc_loss_row *row = mc_loss_rows(result, &count);
    bool several = false;
    for (uint32_t i = 1; row != NULL && i < count; i++) {
        several = several || row[i].cell->mode != row[0].cell->mode ||
                  row[i].cell->sync != row[0].cell->sync;
    }
    if (several) {
        (void)fputc('\n', out);
        mc_wrap(out, 0,
                "What SQLite promises of itself after a power loss, the worst that came out, and "
                "the first state of that (last: the last acknowledged commit may be lost; stale: "
                "any since the last sync; refused: SQLite cannot read it):");
        (void)fprintf(out, "%-8s %-6s %-16s %-9s %-9s %-14s %12s\n", "mode", "sync", "profile",
                      "promised", "worst", "kept", "states");
    }
    for (uint32_t i = 0; several && i < count; i++) {
        print_row(&row[i], out);
    }
    mc_loss_rows_free(row, count);
}

void mc_table_losses(const mc_run_result *result, FILE *out)
{
    const mc_run_cell *any = NULL;
    for (uint32_t c = 0; c < result->cell_count; c++) {
        const mc_run_cell *run = &result->cell[c];
        if (run->power == NULL || run->cell.proof == NULL) {
            continue;
        }
        if (any == NULL) {
            (void)fprintf(out, "%s%-*s %-8s %-6s %-16s %8s %12s %9s %8s\n", c > 0 ? "\n" : "",
                          MC_TABLE_WORKLOAD, "power loss", "mode", "sync", "profile", "points",
                          "states", "classes", "run");
            (void)fprintf(out, "  %-15s %10s %10s %10s %10s %10s %10s %10s\n", "importer", "clean",
                          "stale", "torn", "silent", "blocked", "refused", "undecided");
        }
        any = run;
        print_cell(result, run, out);
    }
    if (any != NULL) {
        (void)fputc('\n', out);
        mc_wrap(
            out, 0,
            "A class is what recovery cannot tell apart. SQLite was run on one state of each that "
            "was new, and all its states were counted. Silent: no check noticed in such a state.");
        print_not_judged(result, any, out);
        print_promises(result, out);
    }
}

/* Is a / b more than c / d? */
static bool is_more(const mpz_t a, const mpz_t b, const mpz_t c, const mpz_t d)
{
    mpz_t left;
    mpz_t right;
    mpz_inits(left, right, NULL);
    mpz_mul(left, a, d);
    mpz_mul(right, c, b);
    bool more = mpz_cmp(left, right) > 0;
    mpz_clears(left, right, NULL);
    return more;
}

void mc_table_loss_sentence(const mc_run_result *result, const char *explain, FILE *out)
{
    const mc_run_cell *worst = NULL;
    uint32_t importer = 0;
    for (; worst == NULL && importer < result->importers.count; importer++) {
        for (uint32_t c = 0; c < result->cell_count; c++) {
            const mc_run_cell *run = &result->cell[c];
            const mc_proof *p = run->cell.proof;
            const mc_proof *than = worst != NULL ? worst->cell.proof : NULL;
            bool torn = run->power != NULL && p != NULL &&
                        run->cell.tally[importer].first_kind == MC_TORN &&
                        run->cell.tally[importer].first_case[0] != '\0';
            uint32_t who = mc_loss_who(result, importer);
            if (torn && (than == NULL || is_more(p->verdict[who][MC_TORN], p->total,
                                                 than->verdict[who][MC_TORN], than->total))) {
                worst = run;
            }
        }
    }
    if (worst == NULL) {
        return;
    }
    importer--;
    const char *name = result->importers.chosen[importer].name;
    const mc_proof *p = worst->cell.proof;
    char share[SHARE_BYTES];
    (void)fputc('\n', out);
    mc_wrap(out, 0, "%s tears the database in %s of the states of %s (%s, %s, %s).", name,
            share_text(p->verdict[mc_loss_who(result, importer)][MC_TORN], p->total, share),
            worst->workload, mc_mode_names[worst->mode], mc_sync_names[worst->sync], worst->crash);
    (void)fprintf(out, "See the first one:\n\n    ");
    mc_table_explain(worst->cell.tally[importer].first_case,
                     strcmp(name, "abandon") == 0 ? NULL : name, explain, out);
}
