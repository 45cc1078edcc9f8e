#include "cli/commands.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/claims.h"
#include "cli/merge.h"
#include "cli/reporting.h"
#include "cli/options.h"
#include "crashsim/workload.h"
#include "harness/run/cases.h"
#include "harness/importer/fieldset.h"
#include "harness/judge/handover.h"
#include "harness/host/outfile.h"
#include "harness/validate/validate.h"
#include "reports/report.h"
#include "reports/shell.h"

static const mc_option table[] = {
    {"mode", "LIST", "journal modes: delete, truncate, persist, memory, off, wal", "delete,wal"},
    {"sync", "LIST", "off, normal, full, extra, or all; kv defaults to normal, as v1 ran", "full"},
    {"crash", "LIST", "kill, kv (or kv:journal, kv:batch, kv:batch-128), power:PROFILE; see --list",
     "kill,kv"},
    {"importer", "LIST", "reject, abandon, recover, sqlite, exec:CMD, so:PATH, @field; see --list",
     "reject,abandon,recover,sqlite"},
    {"workload", "LIST", "names or FILE.sql; see --list", NULL},
    {"sidecars", "LIST", "mistakes in handing files over: all, or a list; see the manual", NULL},
    {"txns", "N", "transactions per workload; default: each workload's own", NULL},
    {"page-size", "N", "bytes, a power of two", "4096"},
    {"cache-pages", "N", "page cache; default: each workload's own", NULL},
    {"seed", "N", "of everything random", "1"},
    {"budget", "N", "most states per crash point (power: that SQLite is run on, and classes)",
     NULL},
    {"depth", "N", "2: crash SQLite's recovery from each state, too, and recover again", "1"},
    {"shard", "I/N", "only the I-th of N parts of the work", NULL},
    {"jobs", "N", "processes; default: one per core", NULL},
    {"require", "LIST", "importers that must be clean wherever SQLite is", "recover"},
    {"json", "FILE", "the result as JSON; - is standard output, and no table then", NULL},
    {"markdown", "FILE", "the result as Markdown, for a job's summary on a code server", NULL},
    {"sarif", "FILE", "the findings as SARIF 2.1.0, for code-scanning pages", NULL},
    {"results", "FILE", "one JSON line per finished task, appended", NULL},
    {"resume", NULL, "go on with what --results holds", NULL},
    {"merge", NULL, "the result of the --results FILES of all shards; nothing is run", NULL},
    {"quiet", NULL, "no table and no progress", NULL},
    {"list", NULL, "print workloads, profiles of power and ready importers, and end", NULL},
    {"cases", "DIR", "write one case file per signature there", NULL},
    {"clean", NULL, "findings and cases of clean verdicts, too", NULL},
    {"validate", NULL, "hold the models against real kills and real file systems, and end", NULL},
    {"validate-states", "N", "disks per workload and file system for --validate", "30"},
    {"html", "FILE", "the report page: one HTML file", NULL},
    {"claims", NULL, "put SQLite's claims about crashes (or those numbers) to the test, and end",
     NULL},
    {NULL, NULL, NULL, NULL},
};

/* An unknown profile has a line of its own: the list of all models would be too long for one. */
static mc_status check_profiles(const char *list, mc_error *error)
{
    for (const char *at = list; at != NULL; at = *at == ',' ? at + 1 : NULL) {
        char name[MC_CRASH_NAME_MAX];
        size_t size = strcspn(at, ",");
        bool power = strncmp(at, "power:", 6) == 0;
        (void)snprintf(name, sizeof name, "%.*s", power ? (int)size - 6 : 0, at + (power ? 6 : 0));
        if (power && strcmp(name, "all") != 0 && mc_power_find(name) == NULL) {
            char known[300] = "all";
            for (const mc_power_profile *row = mc_power_profiles; row->name != NULL; row++) {
                size_t have = strlen(known);
                (void)snprintf(known + have, sizeof known - have, ", %s", row->name);
            }
            return mc_fail(error, MC_USAGE, "usage", "--crash: power has no profile \"%s\": %s",
                           name, known);
        }
        at += size;
    }
    return MC_OK;
}

/* The bits of MC_CRASH_KILL..., and behind them one for each profile of power. */
static mc_status parse_crash(const mc_arguments *a, mc_run_options *o, mc_error *error)
{
    enum { POWER = 6, WORDS_MAX = 32 };
    const char *words[WORDS_MAX] = {"kill",         "kv:journal", "kv:batch",
                                    "kv:batch-128", "kv",         "power"};
    char name[WORDS_MAX][MC_CRASH_NAME_MAX];
    uint32_t count = POWER;
    for (const mc_power_profile *row = mc_power_profiles; row->name != NULL; row++, count++) {
        assert(count + 1 < WORDS_MAX);
        (void)snprintf(name[count], sizeof name[count], "power:%s", row->name);
        words[count] = name[count];
    }
    words[count++] = "power:all";
    uint32_t chosen = 0;
    mc_status status = check_profiles(mc_options_get(a, "crash"), error);
    status = status == MC_OK ? mc_options_words(a, "crash", words, count, &chosen, error) : status;
    o->crash = (chosen & 15u) | ((chosen & 16u) != 0 ? (uint32_t)MC_CRASH_KV : 0);
    o->profiles = (chosen >> POWER) & ((1u << (count - 1 - POWER)) - 1);
    o->profiles |=
        (chosen & 1u << (POWER - 1)) != 0 ? 1u << (mc_power_find("strict") - mc_power_profiles) : 0;
    o->profiles |= (chosen & 1u << (count - 1)) != 0 ? (1u << (count - 1 - POWER)) - 1 : 0;
    return status;
}

static mc_status parse_syncs(const mc_arguments *a, uint32_t *bits, mc_error *error)
{
    const char *words[MC_SYNCS + 1];
    memcpy((void *)words, (const void *)mc_sync_names, MC_SYNCS * sizeof *words);
    words[MC_SYNCS] = "all";
    mc_status status = mc_options_words(a, "sync", words, MC_SYNCS + 1, bits, error);
    *bits = (*bits & 1u << MC_SYNCS) != 0 ? (1u << MC_SYNCS) - 1 : *bits;
    return status;
}

static mc_status parse_sidecars(const mc_arguments *a, uint32_t *bits, mc_error *error)
{
    const char *words[MC_MISTAKES_MAX + 1];
    uint32_t count = 0;
    *bits = 0;
    if (!mc_options_given(a, "sidecars")) {
        return MC_OK;
    }
    for (; mc_mistakes[count].name != NULL; count++) {
        words[count] = mc_mistakes[count].name;
    }
    words[count] = "all";
    mc_status status = mc_options_words(a, "sidecars", words, count + 1, bits, error);
    uint32_t all = 1u << count;
    *bits = (*bits & all) != 0 ? all - 1 : *bits;
    return status;
}

static mc_status parse_shard(const mc_arguments *a, mc_run_options *o, mc_error *error)
{
    const char *text = mc_options_get(a, "shard");
    if (text == NULL) {
        return MC_OK;
    }
    char end;
    unsigned part = 0;
    unsigned parts = 0;
    if (sscanf(text, "%u/%u%c", &part, &parts, &end) != 2 || part < 1 || part > parts ||
        parts > 100000) {
        return mc_fail(error, MC_USAGE, "usage", "--shard: \"%s\" is not I/N with 1 <= I <= N",
                       text);
    }
    o->shard = part;
    o->shards = parts;
    return MC_OK;
}

static mc_status parse_optional(const mc_arguments *a, const char *name, uint64_t most,
                                uint64_t *out, mc_error *error)
{
    *out = 0;
    return mc_options_get(a, name) == NULL ? MC_OK
                                           : mc_options_number(a, name, 1, most, out, error);
}

static mc_status parse_numbers(const mc_arguments *a, mc_run_options *o, mc_error *error)
{
    uint64_t txns;
    uint64_t cache;
    uint64_t jobs;
    uint64_t page;
    uint64_t depth;
    mc_status status = parse_optional(a, "txns", 100000, &txns, error);
    status = status == MC_OK ? parse_optional(a, "cache-pages", 1000000, &cache, error) : status;
    status = status == MC_OK ? parse_optional(a, "budget", UINT64_MAX, &o->budget, error) : status;
    status = status == MC_OK ? parse_optional(a, "jobs", 64, &jobs, error) : status;
    status = status == MC_OK ? mc_options_number(a, "seed", 0, INT64_MAX, &o->seed, error) : status;
    status = status == MC_OK ? mc_options_number(a, "page-size", 512, 65536, &page, error) : status;
    status = status == MC_OK ? mc_options_number(a, "depth", 1, 2, &depth, error) : status;
    if (status != MC_OK) {
        return status;
    }
    o->again = depth == 2;
    if (o->again && (o->crash & MC_CRASH_KILL) == 0 && o->profiles == 0) {
        return mc_fail(error, MC_USAGE, "usage",
                       "--depth: 2 needs kill or power in --crash: a v1 store has no recovery of "
                       "files to crash");
    }
    if ((page & (page - 1)) != 0) {
        return mc_fail(error, MC_USAGE, "usage", "--page-size: %" PRIu64 " is not a power of two",
                       page);
    }
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    o->txns = (uint32_t)txns;
    o->cache_pages = (uint32_t)cache;
    o->page_size = (uint32_t)page;
    o->jobs = jobs > 0 ? (uint32_t)jobs : cores > 0 ? (uint32_t)cores : 1;
    return MC_OK;
}

/* No output may be an input or another output. */
static mc_status check_outputs(const mc_arguments *a, mc_error *error)
{
    static const char *const outputs[] = {"json", "markdown", "sarif", "html", "results"};
    enum { OUTPUTS = sizeof outputs / sizeof *outputs };
    for (size_t i = 0; i < OUTPUTS; i++) {
        const char *path = mc_options_get(a, outputs[i]);
        const char *list = mc_options_get(a, "workload");
        for (size_t k = i + 1; path != NULL && k < OUTPUTS; k++) {
            const char *other = mc_options_get(a, outputs[k]);
            if (other != NULL && mc_outfile_same(path, other)) {
                return mc_fail(error, MC_USAGE, "same-file", "--%s: %s is --%s, too", outputs[i],
                               path, outputs[k]);
            }
        }
        for (const char *at = list; path != NULL && at != NULL; at = at[0] == ',' ? at + 1 : NULL) {
            char name[4096];
            size_t size = strcspn(at, ",");
            (void)snprintf(name, sizeof name, "%.*s", (int)size, at);
            at += size;
            if (mc_workload_find(name) == NULL && mc_outfile_same(path, name)) {
                return mc_fail(error, MC_USAGE, "same-file", "--%s: %s is a workload, too",
                               outputs[i], path);
            }
        }
    }
    return MC_OK;
}

static mc_status parse(const mc_arguments *a, mc_run_options *o, mc_error *error)
{
    if (a->operand_count > 0 && !mc_options_given(a, "merge")) {
        return mc_fail(error, MC_USAGE, "usage", "run: unexpected \"%s\"; see midcommit run --help",
                       a->operand[0]);
    }
    mc_status status = mc_options_words(a, "mode", mc_mode_names, MC_MODES, &o->modes, error);
    status = status == MC_OK ? parse_syncs(a, &o->syncs, error) : status;
    status = status == MC_OK ? parse_crash(a, o, error) : status;
    status = status == MC_OK ? parse_sidecars(a, &o->sidecars, error) : status;
    status = status == MC_OK ? parse_shard(a, o, error) : status;
    status = status == MC_OK ? parse_numbers(a, o, error) : status;
    if (status != MC_OK) {
        return status;
    }
    o->sync_given = mc_options_given(a, "sync");
    o->importers = mc_options_get(a, "importer");
    o->required = mc_options_get(a, "require");
    o->required_given = mc_options_given(a, "require");
    o->workloads = mc_options_get(a, "workload");
    o->results = mc_options_get(a, "results");
    o->clean_too = mc_options_given(a, "clean");
    o->resume = mc_options_given(a, "resume");
    if (o->resume && o->results == NULL) {
        return mc_fail(error, MC_USAGE, "usage", "--resume: needs --results FILE");
    }
    return check_outputs(a, error);
}

static void list_names(void)
{
    for (const mc_workload *w = mc_workloads; w->name != NULL; w++) {
        printf("%-11s %s\n", w->name, w->summary);
    }
    printf("\nprofiles of --crash power:PROFILE (power alone is strict, power:all is each of "
           "them):\n");
    for (const mc_power_profile *row = mc_power_profiles; row->name != NULL; row++) {
        printf("%-16s %s\n", row->name, row->summary);
    }
    printf("\nimporters that people use, each alone or all as %s:\n", MC_FIELDSET_ALL);
    for (const mc_field_row *row = mc_field_rows; row->script != NULL; row++) {
        printf("%-11s %s\n", row->name, row->summary);
    }
}

static void progress(void *context, uint32_t done, uint32_t tasks, uint64_t states,
                     uint64_t findings)
{
    (void)context;
    enum { WIDTH = 30 };
    static uint64_t begun;
    begun = begun == 0 ? mc_importers_clock() : begun;
    uint64_t passed = (mc_importers_clock() - begun) / 1000000; /* milliseconds */
    char pace[80] = "";
    int filled = tasks == 0 ? WIDTH : (int)(done * (uint32_t)WIDTH / tasks);
    char bar[WIDTH + 1];
    for (int i = 0; i < WIDTH; i++) {
        bar[i] = i < filled ? '#' : '.';
    }
    bar[WIDTH] = '\0';
    if (passed > 2000 && done > 0) {
        (void)snprintf(pace, sizeof pace, ", %" PRIu64 " a second, about %" PRIu64 " s left",
                       states * 1000 / passed, passed * (tasks - done) / done / 1000);
    }
    (void)fprintf(stderr, "\r[%s] %u of %u, %" PRIu64 " states, %" PRIu64 " findings%s ", bar, done,
                  tasks, states, findings, pace);
    if (done == tasks) {
        (void)fprintf(stderr, "\r%110s\r", "");
    }
    (void)fflush(stderr);
}

/* The command that tells a state's story: this program, as it was called, and the options that make
 * the same trace again. */
static void write_explain(const mc_arguments *a, char *out, size_t size)
{
    static const char *const names[] = {"txns", "page-size", "cache-pages", "seed", NULL};
    out[0] = '\0';
    FILE *text = fmemopen(out, size, "w");
    if (text != NULL) {
        mc_shell_word(text, program_invocation_name);
        (void)fputs(" explain", text);
        (void)fclose(text);
    }
    size_t have = strlen(out);
    mc_options_repeat(a, names, out + have, size - have);
}

/* What is run, from the command line or, merging, from the files. Cases are judged anew, so
 * programs and libraries would run that only a file has named. */
static mc_status prepare(mc_arguments *a, mc_run_options *options, mc_run_word *words,
                         mc_arena *arena, mc_error *error)
{
    bool merge = mc_options_given(a, "merge");
    mc_status status = merge ? mc_merge_arguments(a, arena, error) : MC_OK;
    status = status == MC_OK ? parse(a, options, error) : status;
    if (status != MC_OK) {
        return status;
    }
    mc_merge_words(a, words);
    options->words = words;
    if (merge) {
        options->merge = (const char *const *)a->operand;
        options->merge_count = (uint32_t)a->operand_count;
    } else if (!mc_options_given(a, "quiet") && isatty(2)) {
        options->progress = progress;
    }
    if (merge && mc_options_given(a, "cases") &&
        (strstr(options->importers, "exec:") != NULL ||
         strstr(options->importers, "so:") != NULL)) {
        return mc_fail(error, MC_USAGE, "usage",
                       "--cases: not with --merge of files that name a program or library");
    }
    return MC_OK;
}

static mc_status write_json(const mc_run_result *result, const char *path, mc_error *error)
{
    char *text = mc_report_json(result);
    if (text == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "--json: out of memory");
    }
    size_t size = strlen(text);
    text[size] = '\n';
    mc_status status = mc_outfile_put(path, text, size + 1, error);
    free(text);
    return status;
}

/* Is standard output that of a format? Then the table is not there. */
static bool is_taken(const mc_arguments *a)
{
    static const char *const outputs[] = {"json", "markdown", "sarif"};
    bool taken = false;
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
        const char *path = mc_options_get(a, outputs[i]);
        taken = taken || (path != NULL && strcmp(path, "-") == 0);
    }
    return taken;
}

mc_status mc_run_from_files(char **files, int count, mc_arguments *a, mc_run_options *options,
                            mc_run_word *words, mc_arena *arena, mc_error *error)
{
    static char *run = "run";
    static char *merge = "--merge";
    char **argv = mc_arena_calloc(arena, (size_t)count + 3, sizeof *argv);
    if (argv == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "report: out of memory");
    }
    argv[0] = run;
    argv[1] = merge;
    memcpy((void *)&argv[2], (const void *)files, (size_t)count * sizeof *argv);
    mc_status status = mc_options_parse(table, "", "", count + 2, argv, a, error);
    return status == MC_OK ? prepare(a, options, words, arena, error) : status;
}

static int validate(const mc_arguments *a)
{
    mc_error error;
    uint64_t states = 0;
    mc_validate_options options = {0};
    static mc_validated validated; /* large */
    mc_status status = mc_options_number(a, "seed", 0, INT64_MAX, &options.seed, &error);
    if (status == MC_OK) {
        status = mc_options_number(a, "validate-states", 1, 1000000, &states, &error);
    }
    options.states = (uint32_t)states;
    status = status == MC_OK ? mc_validate(&options, &validated, &error) : status;
    if (status != MC_OK) {
        return mc_options_fail(&error);
    }
    mc_report_validation(&validated, stdout);
    return mc_validated_holds(&validated) ? MC_EXIT_OK : MC_EXIT_FINDING;
}

int mc_command_run(int argc, char **argv)
{
    mc_arguments a;
    mc_error error;
    mc_run_options options = {0};
    mc_status status = mc_options_parse(
        table, "run [options] | run --merge FILE... | run --claims [NUMBER...]",
        "Kills SQLite at every point of its commits, hands each disk state to every importer,\n"
        "and says what came out: clean, stale, torn, blocked or refused.",
        argc, argv, &a, &error);
    if (status != MC_OK || a.help) {
        return status == MC_OK ? MC_EXIT_OK : mc_options_fail(&error);
    }
    if (mc_options_given(&a, "list")) {
        list_names();
        return MC_EXIT_OK;
    }
    if (mc_options_given(&a, "validate")) {
        return validate(&a);
    }
    if (mc_options_given(&a, "claims")) {
        return mc_claims_command(&a);
    }
    mc_run_result result = {0};
    mc_run_word words[MC_RUN_WORDS_MAX];
    mc_arena arena = {.limit_bytes = 1 << 20};
    status = prepare(&a, &options, words, &arena, &error);
    bool quiet = mc_options_given(&a, "quiet");
    status = status == MC_OK ? mc_run(&options, &result, &error) : status;
    const char *cases = mc_options_get(&a, "cases");
    uint32_t written = 0;
    if (status == MC_OK && cases != NULL) {
        status = mc_cases_write(&options, &result, cases, &written, &error);
    }
    const char *json = mc_options_get(&a, "json");
    if (status == MC_OK && json != NULL) {
        status = write_json(&result, json, &error);
    }
    status = status == MC_OK ? mc_report_outputs(&a, &options, &result, &error) : status;
    if (status != MC_OK) {
        mc_run_free(&result);
        mc_arena_free(&arena);
        return mc_options_fail(&error);
    }
    if (!quiet && !is_taken(&a)) {
        char explain[4300];
        write_explain(&a, explain, sizeof explain);
        mc_report_table(&result, explain, stdout);
        if (cases != NULL) {
            printf("\n%u cases, one per signature, are in %s. To judge them again:\n\n    ",
                   written, cases);
            mc_shell_word(stdout, program_invocation_name);
            printf(" replay ");
            mc_shell_word(stdout, cases);
            printf("\n");
        }
    }
    bool failed = result.failed;
    mc_run_free(&result);
    mc_arena_free(&arena);
    return failed ? MC_EXIT_FINDING : MC_EXIT_OK;
}
