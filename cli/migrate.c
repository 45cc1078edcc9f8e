/* midcommit migrate */
#include "cli/commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"
#include "harness/host/outfile.h"
#include "reports/migrate.h"

static const mc_option table[] = {
    {"from-files", "MAIN", "a main file; sidecars are found beside it", NULL},
    {"from-kv", "DUMP.jsonl", "a dump of a v1 store", NULL},
    {"from-lmdb", "DIR", "an LMDB environment whose main database holds v1 keys", NULL},
    {"policy", "NAME", "reject, abandon or recover", "recover"},
    {"to-file", "OUT.db", "write the database as one file, whole or not at all", NULL},
    {"to-ltx", "OUT.ltx", "write it as LTX", NULL},
    {"to-v2", "DIR", "write it to a v2 page store in LMDB, unless that has a head", NULL},
    {"sweep", NULL, "after success, delete the orphans from --from-lmdb's store", NULL},
    {"actor", "ID", "the actor's name, for the log line", NULL},
    {"limit", "MIB", "the largest file or store that is read", "1024"},
    {"json", "FILE", "the result as JSON; - is standard output, and no text then", NULL},
    {"metrics", "FILE", "metrics in Prometheus text format; - is standard output", NULL},
    {NULL, NULL, NULL, NULL},
};

static const char about[] =
    "Imports one database and says what its input was. Without an output it only checks.\n\n"
    "input: clean (no sidecar), hot-journal (SQLite would play the journal back), wal (the WAL "
    "has\n"
    "frames that count), stale-sidecar (sidecars that SQLite would not use), torn (recovery gives "
    "a\n"
    "database that integrity_check calls damaged), malformed (SQLite cannot open or read it).\n"
    "outcome: imported, skipped (the v2 store has a head), refused (exit status 1).";

typedef struct from_option {
    const char *name;
    mc_source_kind kind;
} from_option;

static const from_option froms[] = {
    {"from-files", MC_SOURCE_FILES}, {"from-kv", MC_SOURCE_DUMP}, {"from-lmdb", MC_SOURCE_LMDB}};
static const char *const targets[] = {"to-file", "to-ltx", "to-v2", "json", "metrics"};
enum { FROMS = sizeof froms / sizeof *froms, TARGETS = sizeof targets / sizeof *targets };

static mc_status parse_source(const mc_arguments *a, mc_migrate_options *o, mc_error *error)
{
    int given = 0;
    for (int i = 0; i < FROMS; i++) {
        if (mc_options_given(a, froms[i].name)) {
            given++;
            o->from = froms[i].kind;
            o->source = mc_options_get(a, froms[i].name);
        }
    }
    if (given != 1) {
        return mc_fail(error, MC_USAGE, "usage",
                       "migrate: needs one of --from-files, --from-kv and --from-lmdb");
    }
    return o->source[0] != '\0'
               ? MC_OK
               : mc_fail(error, MC_USAGE, "usage", "migrate: the source has no name");
}

static mc_status parse_targets(const mc_arguments *a, mc_error *error)
{
    for (int i = 0; i < TARGETS; i++) {
        const char *path = mc_options_get(a, targets[i]);
        if (path == NULL) {
            continue;
        }
        if (path[0] == '\0' || (strcmp(path, "-") == 0 && strncmp(targets[i], "to-", 3) == 0)) {
            return mc_fail(error, MC_USAGE, "usage", "--%s: needs a path", targets[i]);
        }
        for (int k = 0; k < i; k++) {
            const char *other = mc_options_get(a, targets[k]);
            if (other != NULL && strcmp(path, other) == 0) {
                return mc_fail(error, MC_USAGE, "usage", "--%s: is --%s, too", targets[i],
                               targets[k]);
            }
        }
    }
    return MC_OK;
}

static mc_status parse(const mc_arguments *a, mc_migrate_options *o, mc_error *error)
{
    enum { MIB = 1 << 20, LIMIT_MAX = 1 << 20 };
    if (a->operand_count > 0) {
        return mc_fail(error, MC_USAGE, "usage",
                       "migrate: unexpected \"%s\"; see midcommit migrate --help", a->operand[0]);
    }
    uint64_t limit = 0;
    mc_status status = parse_source(a, o, error);
    status = status == MC_OK ? parse_targets(a, error) : status;
    status = status == MC_OK ? mc_options_number(a, "limit", 1, LIMIT_MAX, &limit, error) : status;
    if (status != MC_OK) {
        return status;
    }
    o->limit_bytes = limit * MIB;
    o->policy = mc_importer_find(mc_options_get(a, "policy"));
    o->to_file = mc_options_get(a, "to-file");
    o->to_ltx = mc_options_get(a, "to-ltx");
    o->to_v2 = mc_options_get(a, "to-v2");
    o->report[0] = mc_options_get(a, "json");
    o->report[1] = mc_options_get(a, "metrics");
    o->sweep = mc_options_given(a, "sweep");
    if (o->policy == NULL) {
        return mc_fail(error, MC_USAGE, "usage",
                       "--policy: \"%s\" is none of reject, abandon, recover",
                       mc_options_get(a, "policy"));
    }
    bool writes = o->to_file != NULL || o->to_ltx != NULL || o->to_v2 != NULL;
    if (o->sweep && (o->from != MC_SOURCE_LMDB || !writes)) {
        return mc_fail(error, MC_USAGE, "usage",
                       "--sweep: needs --from-lmdb and one of --to-file, --to-ltx and --to-v2");
    }
    return MC_OK;
}

/* Writes a report, or leaves `status` as it is when something has failed before. `text` is freed.
 */
static mc_status put_report(mc_status status, const char *path, char *text, mc_error *error)
{
    mc_error later;
    mc_status put = text == NULL
                        ? mc_fail(&later, MC_NO_MEMORY, "no-memory", "%s: out of memory", path)
                        : mc_outfile_put(path, text, strlen(text), &later);
    free(text);
    if (status == MC_OK && put != MC_OK) {
        *error = later;
        return put;
    }
    return status;
}

static void log_line(const mc_migration *m, const char *actor, const mc_error *failure)
{
    char *line = mc_report_migrate_log(m, actor, failure);
    if (line != NULL) {
        (void)fputs(line, stderr);
    }
    free(line);
}

/* A migration that could not run has its line of error for a log, and the structured line beside it
 * only for those who gave it a name to look for. */
static mc_status report(const mc_arguments *a, const mc_migration *m, const char *source,
                        mc_status status, mc_error *error)
{
    const char *actor = mc_options_get(a, "actor");
    const char *json = mc_options_get(a, "json");
    const char *metrics = mc_options_get(a, "metrics");
    bool ran = status == MC_OK;
    if (ran || actor != NULL) {
        log_line(m, actor, ran ? NULL : error);
    }
    if (metrics != NULL && status != MC_USAGE) { /* it may name what must not be lost */
        status = put_report(status, metrics, mc_report_migrate_metrics(m, !ran), error);
    }
    if (ran && json != NULL) {
        status = put_report(status, json, mc_report_migrate_json(m), error);
    } else if (ran && (metrics == NULL || strcmp(metrics, "-") != 0)) {
        mc_report_migrate_text(m, source, stdout);
        if (fflush(stdout) != 0 && status == MC_OK) {
            status = mc_fail(error, MC_IO, "io", "standard output: %s", strerror(errno));
        }
    }
    return status;
}

int mc_command_migrate(int argc, char **argv)
{
    mc_arguments a;
    mc_error error;
    mc_migrate_options options = {0};
    mc_status status = mc_options_parse(table, "migrate --from-... SOURCE [options]", about, argc,
                                        argv, &a, &error);
    if (status == MC_OK && a.help) {
        return MC_EXIT_OK;
    }
    status = status == MC_OK ? parse(&a, &options, &error) : status;
    if (status != MC_OK) {
        return mc_options_fail(&error);
    }
    mc_migration migration;
    status = mc_migrate(&options, &migration, &error);
    status = report(&a, &migration, options.source, status, &error);
    if (status != MC_OK) {
        return mc_options_fail(&error);
    }
    return migration.outcome == MC_MIGRATE_REFUSED ? MC_EXIT_FINDING : MC_EXIT_OK;
}
