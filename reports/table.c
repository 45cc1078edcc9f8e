#include "reports/report.h"

#include "harness/judge/defects.h"
#include "harness/importer/fieldset.h"
#include "harness/judge/handover.h"
#include "reports/shell.h"
#include "reports/tabling.h"
#include "reports/wrap.h"

#include <assert.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <string.h>

enum { MC_ITEM_BYTES = 4096 };

/* The first column of the table holds a workload; or, with --sidecars, a mistake. */
enum { WORKLOAD_COLUMNS = MC_TABLE_WORKLOAD, SIDECARS_COLUMNS = 13 };

static const char row_format[] = "%-*s %-8s %-5s %-9s %8" PRIu64 " %8" PRIu64 " %7" PRIu64
                                 " %7" PRIu64 " %7" PRIu64 " %8" PRIu64 " %8" PRIu64 "\n";

static int first_columns(const mc_run_result *result)
{
    return result->sidecars != 0 ? SIDECARS_COLUMNS : WORKLOAD_COLUMNS;
}

/* The cells of the table; those of power have one of their own. */
static bool is_here(const mc_run_cell *run)
{
    return run->power == NULL;
}

static bool any_here(const mc_run_result *result)
{
    bool any = false;
    for (uint32_t c = 0; c < result->cell_count; c++) {
        any = any || is_here(&result->cell[c]);
    }
    return any;
}

/* Were files at more than one synchronous level? Then a cell's second line names its own. */
static bool has_levels(const mc_run_result *result)
{
    const mc_run_cell *files = NULL;
    for (uint32_t c = 0; c < result->cell_count; c++) {
        const mc_run_cell *run = &result->cell[c];
        if (is_here(run) && strcmp(run->crash, "kv") != 0) {
            files = files == NULL ? run : files;
            if (run->sync != files->sync) {
                return true;
            }
        }
    }
    return false;
}

static void print_level(const mc_run_result *result, const mc_run_cell *run, FILE *out)
{
    if (has_levels(result) && result->importers.count == 1) {
        (void)fprintf(out, "%-*s %s\n", first_columns(result), "", mc_sync_names[run->sync]);
    }
}

/* What stands in the column of the mode in the row of importer i. */
static const char *mode_or_level(const mc_run_result *result, const mc_run_cell *run, uint32_t i)
{
    return i == 0                         ? mc_mode_names[run->mode]
           : i == 1 && has_levels(result) ? mc_sync_names[run->sync]
                                          : "";
}

static void print_head(const mc_run_result *result, FILE *out)
{
    (void)fprintf(out, "%-*s %-8s %-5s %-9s %8s %8s %7s %7s %7s %8s %8s\n", first_columns(result),
                  result->sidecars != 0 ? "sidecars" : "workload", "mode", "crash", "importer",
                  "states", "clean", "stale", "torn", "silent", "blocked", "refused");
}

const char *mc_table_tail(const char *name, size_t width)
{
    size_t size = strlen(name);
    return size <= width ? name : name + size - width;
}

const char *mc_table_label(const mc_run_result *result, uint32_t i,
                           char text[static MC_TABLE_LABEL])
{
    assert(i < MC_IMPORTERS_MAX);
    const mc_chosen *chosen = &result->importers.chosen[i];
    if (strlen(chosen->name) < MC_TABLE_LABEL) {
        return chosen->name;
    }
    (void)snprintf(text, MC_TABLE_LABEL, "%s-%u", chosen->kind == MC_IMPORTER_EXEC ? "exec" : "so",
                   i + 1);
    return text;
}

static void print_labels(const mc_run_result *result, FILE *out)
{
    char text[MC_TABLE_LABEL];
    for (uint32_t i = 0; i < result->importers.count; i++) {
        const char *name = result->importers.chosen[i].name;
        if (mc_table_label(result, i, text) == text) {
            mc_wrap(out, 2, "%s is %s", text, name);
        }
    }
}

static void print_cost(const mc_run_result *result, uint32_t i, FILE *out)
{
    uint64_t ran = 0;
    uint64_t nanoseconds = 0;
    for (uint32_t c = 0; c < result->cell_count; c++) {
        ran += result->cell[c].cell.tally[i].ran;
        nanoseconds += result->cell[c].cell.tally[i].nanoseconds;
    }
    if (ran > 0) {
        char text[MC_TABLE_LABEL];
        const mc_field_row *row = mc_fieldset_find(result->importers.chosen[i].name);
        (void)fprintf(out, "%-9s %8" PRIu64 "  %s%s\n", mc_table_label(result, i, text),
                      nanoseconds / ran / 1000, row != NULL ? row->summary : "a program or library",
                      row != NULL && row->run == NULL ? ", as programs" : "");
    }
}

/* What the ready importers are, and what each program or library took on a distinct state. */
static void print_costs(const mc_run_result *result, FILE *out)
{
    if (!result->importers.ready) {
        return;
    }
    (void)fprintf(out, "\n%-9s %8s  %s\n", "importer", "us/state", "what it does");
    for (uint32_t i = 0; i < result->importers.count; i++) {
        print_cost(result, i, out);
    }
}

static void print_cell(const mc_run_result *result, const mc_run_cell *run, FILE *out)
{
    for (uint32_t i = 0; i < result->importers.count; i++) {
        const mc_tally *t = &run->cell.tally[i];
        bool first = i == 0;
        char text[MC_TABLE_LABEL];
        (void)fprintf(out, row_format, WORKLOAD_COLUMNS,
                      first ? mc_table_tail(run->workload, WORKLOAD_COLUMNS) : "",
                      mode_or_level(result, run, i), first ? run->crash : "",
                      mc_table_label(result, i, text), run->cell.explored.states,
                      t->verdict[MC_CLEAN], t->verdict[MC_STALE], t->verdict[MC_TORN], t->silent,
                      t->verdict[MC_BLOCKED], t->verdict[MC_REFUSED_TOO]);
    }
    print_level(result, run, out);
}

/* Is `run` one of the cells of the group that `group` begins (same mode, level, crash and mistake)?
 * A null group is all of them. */
static bool belongs(const mc_run_cell *run, const mc_run_cell *group)
{
    return is_here(run) &&
           (group == NULL ||
            (run->mode == group->mode && run->sync == group->sync &&
             run->mistake == group->mistake && strcmp(run->crash, group->crash) == 0));
}

/* The sum over the cells of a group, and how many states they have. */
static mc_tally sum_of(const mc_run_result *result, const mc_run_cell *group, uint32_t importer,
                       uint64_t *states)
{
    mc_tally sum = {0};
    *states = 0;
    for (uint32_t c = 0; c < result->cell_count; c++) {
        const mc_tally *t = &result->cell[c].cell.tally[importer];
        if (!belongs(&result->cell[c], group)) {
            continue;
        }
        *states += result->cell[c].cell.explored.states;
        for (int v = 0; v < MC_VERDICTS; v++) {
            sum.verdict[v] += t->verdict[v];
        }
        sum.silent += t->silent;
    }
    return sum;
}

static void print_sum(const mc_run_result *result, const mc_run_cell *group, FILE *out)
{
    for (uint32_t i = 0; i < result->importers.count; i++) {
        uint64_t states;
        char text[MC_TABLE_LABEL];
        mc_tally sum = sum_of(result, group, i, &states);
        bool named = i == 0 && group != NULL;
        (void)fprintf(out, row_format, first_columns(result),
                      named    ? mc_mistakes[group->mistake].name
                      : i == 0 ? "all"
                               : "",
                      group != NULL ? mode_or_level(result, group, i) : "",
                      named ? group->crash : "", mc_table_label(result, i, text), states,
                      sum.verdict[MC_CLEAN], sum.verdict[MC_STALE], sum.verdict[MC_TORN],
                      sum.silent, sum.verdict[MC_BLOCKED], sum.verdict[MC_REFUSED_TOO]);
    }
    if (group != NULL) {
        print_level(result, group, out);
    }
}

/* The next cell from number `at` on that begins a group: mistakes in the order of their table, and
 * within one in the order of the cells; null behind the last. */
static const mc_run_cell *first_of_group(const mc_run_result *result, uint32_t mistake,
                                         uint32_t *at)
{
    for (; *at < result->cell_count; (*at)++) {
        const mc_run_cell *run = &result->cell[*at];
        uint32_t before = 0;
        while (before < *at && !belongs(&result->cell[before], run)) {
            before++;
        }
        if (is_here(run) && run->mistake == mistake && before == *at) {
            return run;
        }
    }
    return NULL;
}

static void print_groups(const mc_run_result *result, FILE *out)
{
    char none[1000] = "";
    for (uint32_t m = 0; mc_mistakes[m].name != NULL; m++) {
        const mc_run_cell *group;
        for (uint32_t at = 0; (group = first_of_group(result, m, &at)) != NULL; at++) {
            uint64_t states;
            (void)sum_of(result, group, 0, &states);
            if (states > 0) {
                print_sum(result, group, out);
                continue;
            }
            size_t have = strlen(none);
            (void)snprintf(none + have, sizeof none - have, "%s%s in %s", have > 0 ? ", " : "",
                           mc_mistakes[m].name, mc_mode_names[group->mode]);
        }
    }
    if (none[0] != '\0') {
        (void)fputc('\n', out);
        mc_wrap(out, 2, "In no state would it change anything: %s.", none);
    }
}

/* The cell in which an importer tears the largest share of the states. */
static const mc_run_cell *worst_cell(const mc_run_result *result, uint32_t importer)
{
    /* Mistakes are compared in a sentence of their own. */
    const mc_run_cell *worst = NULL;
    double share = 0;
    for (uint32_t c = 0; c < result->cell_count; c++) {
        const mc_cell *cell = &result->cell[c].cell;
        bool apart = !is_here(&result->cell[c]) || result->cell[c].mistake != MC_MISTAKE_AS_IS;
        double now = cell->explored.states == 0 || apart
                         ? 0
                         : (double)cell->tally[importer].silent / (double)cell->explored.states;
        if (now > share) {
            share = now;
            worst = &result->cell[c];
        }
    }
    return worst;
}

/* A name as --importer takes it: a comma inside is written "\,". */
static const char *list_item(const char *name, char item[static MC_ITEM_BYTES])
{
    size_t size = 0;
    for (const char *at = name; *at != '\0' && size + 3 < MC_ITEM_BYTES; at++) {
        if (*at == ',') {
            item[size++] = '\\';
        }
        item[size++] = *at;
    }
    item[size] = '\0';
    return item;
}

void mc_table_explain(const char *state, const char *importer, const char *explain, FILE *out)
{
    (void)fprintf(out, "%s ", explain);
    mc_shell_word(out, state);
    if (importer != NULL) {
        char item[MC_ITEM_BYTES];
        (void)fputs(" --importer ", out);
        mc_shell_word(out, list_item(importer, item));
    }
    (void)fputc('\n', out);
}

static void print_sentence(const mc_run_result *result, const char *explain, FILE *out)
{
    for (uint32_t i = 0; i < result->importers.count; i++) {
        const char *name = result->importers.chosen[i].name;
        const mc_run_cell *run = worst_cell(result, i);
        if (run == NULL) {
            continue;
        }
        const mc_tally *t = &run->cell.tally[i];
        const char *how = strcmp(name, "abandon") == 0
                              ? run->mode == MC_MODE_WAL
                                    ? "Importing the main file without its WAL"
                                    : "Importing the main file without its journal"
                              : name;
        uint64_t torn = t->verdict[MC_TORN];
        char missed[64] = "all";
        if (t->missed != torn) {
            (void)snprintf(missed, sizeof missed, "%" PRIu64 " of %" PRIu64, t->missed, torn);
        }
        (void)fputc('\n', out);
        mc_wrap(out, 0,
                "%s tears the database at %.0f %% of the crash states of %s (%s%s%s, %s); "
                "integrity_check misses %s of them.",
                how, 100.0 * (double)torn / (double)run->cell.explored.states, run->workload,
                mc_mode_names[run->mode], has_levels(result) ? ", " : "",
                has_levels(result) ? mc_sync_names[run->sync] : "", run->crash, missed);
        (void)fprintf(out, "See the first one:\n\n    ");
        mc_table_explain(t->first_case, strcmp(name, "abandon") == 0 ? NULL : name, explain, out);
        return;
    }
    if (any_here(result)) {
        bool losses = false;
        for (uint32_t c = 0; c < result->cell_count; c++) {
            losses = losses || !is_here(&result->cell[c]);
        }
        (void)fprintf(out, "\nNo importer gave a torn database that every detector accepts%s.\n",
                      losses ? " where only a process died" : "");
    }
}

/* The mistake after which SQLite itself gives a torn database that every detector accepts at the
 * largest share of the states of a mode. */
static void print_mistake(const mc_run_result *result, const char *explain, FILE *out)
{
    const mc_run_cell *worst = NULL;
    uint32_t control = 0;
    double share = 0;
    while (control < result->importers.count &&
           result->importers.chosen[control].kind != MC_IMPORTER_SQLITE) {
        control++;
    }
    for (uint32_t c = 0; control < result->importers.count && c < result->cell_count; c++) {
        const mc_run_cell *run = &result->cell[c];
        uint64_t states;
        mc_tally sum = sum_of(result, run, control, &states);
        double now = states == 0 ? 0 : (double)sum.silent / (double)states;
        if (run->mistake != MC_MISTAKE_AS_IS && now > share) {
            share = now;
            worst = run;
        }
    }
    if (worst == NULL) {
        return;
    }
    const char *first = NULL;
    for (uint32_t c = 0; first == NULL && c < result->cell_count; c++) {
        const mc_tally *t = &result->cell[c].cell.tally[control];
        first = belongs(&result->cell[c], worst) && t->silent > 0 ? t->first_case : NULL;
    }
    (void)fputc('\n', out);
    mc_wrap(out, 0,
            "Handed over with a mistake (%s: %s), SQLite itself opens a torn database at %.0f %% "
            "of the states in mode %s, and no check notices.",
            mc_mistakes[worst->mistake].name, mc_mistakes[worst->mistake].summary, 100.0 * share,
            mc_mode_names[worst->mode]);
    (void)fprintf(out, "See the first one:\n\n    ");
    mc_table_explain(first, "sqlite", explain, out);
}

static void print_defect(const mc_run_result *result, const mc_defect *defect, FILE *out)
{
    uint64_t states = 0;
    const char *first = NULL;
    for (uint32_t c = 0; c < result->cell_count; c++) {
        const mc_cell *cell = &result->cell[c].cell;
        for (uint32_t f = 0; f < cell->finding_count; f++) {
            if (cell->finding[f].defect == defect->name) {
                states += cell->finding[f].count;
                first = first == NULL ? cell->finding[f].state : first;
            }
        }
    }
    char fixed[64] = "not fixed in any version known here";
    if (defect->fixed_version != MC_DEFECT_NOT_FIXED) {
        (void)snprintf(fixed, sizeof fixed, "fixed in %d.%d.%d", defect->fixed_version / 1000000,
                       defect->fixed_version / 1000 % 1000, defect->fixed_version % 1000);
    }
    if (states > 0) {
        mc_wrap(out, 2, "Known defect of SQLite %s, %s: %s, %" PRIu64 " states, first %s (%s)",
                sqlite3_libversion(), fixed, defect->name, states, first, defect->reference);
    }
}

/* What the counts of a cell of power count is the latter. */
static const char *const units[] = {"states", "classes of states"};

void mc_report_control(const mc_run_result *result, FILE *out)
{
    uint64_t compared = 0;
    uint64_t disagreements = 0;
    uint64_t dirty[2] = {0};
    for (uint32_t c = 0; c < result->cell_count; c++) {
        compared += result->cell[c].cell.compared;
        disagreements += result->cell[c].cell.disagreements;
        dirty[!is_here(&result->cell[c])] += result->cell[c].cell.control_dirty;
    }
    if (compared > 0) {
        (void)fprintf(out,
                      "\nrecover and SQLite %s were compared on %" PRIu64
                      " distinct states: %" PRIu64 " differences.\n",
                      sqlite3_libversion(), compared, disagreements);
    }
    for (int power = 0; power < 2; power++) {
        if (dirty[power] > 0) {
            (void)fprintf(out, "SQLite %s broke its own promise at %" PRIu64 " %s:\n",
                          sqlite3_libversion(), dirty[power], units[power]);
        }
    }
    for (const mc_defect *defect = mc_defects; defect->name != NULL; defect++) {
        print_defect(result, defect, out);
    }
}

static void print_failures(const mc_run_result *result, const char *explain, FILE *out)
{
    for (uint32_t c = 0; c < result->cell_count; c++) {
        const mc_cell *cell = &result->cell[c].cell;
        for (uint32_t f = 0; f < cell->finding_count; f++) {
            const mc_finding *finding = &cell->finding[f];
            if (finding->fails) {
                (void)fprintf(out, "FAILED %s: %" PRIu64 " %s, first:\n    ", finding->signature,
                              finding->count, units[!is_here(&result->cell[c])]);
                mc_table_explain(finding->state,
                                 finding->importer == UINT32_MAX
                                     ? mc_finding_is_again(finding) ? "sqlite" : NULL
                                     : result->importers.chosen[finding->importer].name,
                                 explain, out);
            }
        }
    }
}

void mc_report_limits(const mc_run_result *result, FILE *out)
{
    uint64_t skipped = 0;
    for (uint32_t c = 0; c < result->cell_count; c++) {
        skipped += is_here(&result->cell[c]) ? result->cell[c].cell.explored.skipped : 0;
    }
    if (skipped > 0) {
        (void)fprintf(out, "Cut short by --budget: %" PRIu64 " states were not visited.\n",
                      skipped);
    }
    if (result->skipped[0] != '\0') {
        mc_wrap(out, 0, "Not run: %s.", result->skipped);
    }
    bool kv = false;
    for (uint32_t c = 0; c < result->cell_count; c++) {
        kv = kv || strcmp(result->cell[c].crash, "kv") == 0;
    }
    if (kv && result->page_size != 4096) {
        (void)fprintf(out, "kv ran with pages of 4096 bytes: v1 has no others.\n");
    }
    if (result->cell_count == 0) {
        (void)fprintf(out, "Nothing was tested: part %u of %u has no task.\n", result->shard,
                      result->shards);
    }
    if (result->power_not_judged) {
        (void)fprintf(out, "Not run: power; no importer is among reject, abandon, recover and "
                           "sqlite.\n");
    }
    if (result->kv_not_files) {
        (void)fprintf(out, "Not run: kv; the importers of @field read files.\n");
    }
    if (result->importers.left != NULL) {
        (void)fprintf(out,
                      "Not run: %s; the sqlite3 program here was built without sqlite_dbpage.\n",
                      result->importers.left);
    }
    if (result->batch_missing) {
        mc_wrap(out, 0,
                "Not run: the batch-atomic builds of the v1 VFS; SQLite %s was compiled without "
                "SQLITE_ENABLE_BATCH_ATOMIC_WRITE.",
                sqlite3_libversion());
    }
}

void mc_report_table(const mc_run_result *result, const char *explain, FILE *out)
{
    if (any_here(result) || result->cell_count == 0) {
        print_head(result, out);
    }
    for (uint32_t c = 0; result->sidecars == 0 && c < result->cell_count; c++) {
        if (is_here(&result->cell[c])) {
            print_cell(result, &result->cell[c], out);
        }
    }
    if (result->sidecars != 0) {
        print_groups(result, out);
    }
    if (any_here(result) || result->cell_count == 0) {
        (void)fputc('\n', out);
        print_sum(result, NULL, out);
    }
    print_labels(result, out);
    print_costs(result, out);
    mc_table_losses(result, out);
    mc_table_again(result, out);
    mc_report_control(result, out);
    mc_report_limits(result, out);
    print_failures(result, explain, out);
    if (result->sidecars == 0 || (result->sidecars & 1u << MC_MISTAKE_AS_IS) != 0) {
        print_sentence(result, explain, out);
    }
    print_mistake(result, explain, out);
    mc_table_loss_sentence(result, explain, out);
}
