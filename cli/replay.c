#include "cli/commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/options.h"
#include "harness/host/outfile.h"
#include "harness/case/replay.h"
#include "reports/corpus.h"
#include "reports/replay.h"

static const mc_option table[] = {
    {"importer", "LIST", "exec: and so: importers of the cases that may run", NULL},
    {"jobs", "N", "processes; default: one per core", NULL},
    {"accept", NULL, "make what was found the expectation of each case", NULL},
    {"junit", "FILE", "the results as JUnit XML, for CI servers", NULL},
    {"table", "FILE", "the cases as a table in Markdown; - is standard output", NULL},
    {"quiet", NULL, "only the cases that are not as expected", NULL},
    {NULL, NULL, NULL, NULL},
};

static mc_status write_junit(const mc_replay *replay, const char *path, mc_error *error)
{
    char *text = NULL;
    size_t size = 0;
    mc_status status = mc_report_junit(replay, &text, &size, error);
    status = status == MC_OK ? mc_outfile_put(path, text, size, error) : status;
    free(text);
    return status;
}

/* Names are relative to the folder that was replayed. */
static mc_status write_table(const mc_replay *replay, const char *root, const char *path,
                             mc_error *error)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    mc_status status = MC_OK;
    if (out != NULL) {
        mc_report_corpus(replay, root, out);
    }
    if (out == NULL || fclose(out) != 0) {
        status = mc_fail(error, MC_NO_MEMORY, "no-memory", "--table: out of memory");
    }
    status = status == MC_OK ? mc_outfile_put(path, text, size, error) : status;
    free(text);
    return status;
}

int mc_command_replay(int argc, char **argv)
{
    mc_arguments a;
    mc_error error;
    mc_status status = mc_options_parse(
        table, "replay PATH... [options]",
        "Judges stored cases again and fails when a verdict is another than the case expects.\n"
        "PATH is a case file or a folder with cases in it.",
        argc, argv, &a, &error);
    if (status != MC_OK || a.help) {
        return status == MC_OK ? MC_EXIT_OK : mc_options_fail(&error);
    }
    if (a.operand_count == 0) {
        (void)mc_fail(&error, MC_USAGE, "usage", "replay: no PATH; see midcommit replay --help");
        return mc_options_fail(&error);
    }
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t jobs = cores > 0 ? (uint64_t)cores : 1;
    if (mc_options_given(&a, "jobs")) {
        status = mc_options_number(&a, "jobs", 1, 64, &jobs, &error);
    }
    mc_replay replay = {0};
    const char *junit = mc_options_get(&a, "junit");
    const char *table_path = mc_options_get(&a, "table");
    mc_replay_options options = {.path = (const char *const *)a.operand,
                                 .path_count = (uint32_t)a.operand_count,
                                 .allowed = mc_options_get(&a, "importer"),
                                 .report = {junit, table_path},
                                 .jobs = (uint32_t)jobs,
                                 .accept = mc_options_given(&a, "accept")};
    status = status == MC_OK ? mc_replay_run(&options, &replay, &error) : status;
    bool taken = (junit != NULL && strcmp(junit, "-") == 0) ||
                 (table_path != NULL && strcmp(table_path, "-") == 0);
    if (status == MC_OK && !taken) {
        mc_report_replay(&replay, program_invocation_name, mc_options_given(&a, "quiet"), stdout);
    }
    if (status == MC_OK && junit != NULL) {
        status = write_junit(&replay, junit, &error);
    }
    if (status == MC_OK && table_path != NULL) {
        status = write_table(&replay, a.operand[0], table_path, &error);
    }
    if (status != MC_OK) {
        mc_replay_free(&replay);
        return mc_options_fail(&error);
    }
    if (replay.failed > 0) {
        (void)fprintf(stderr, "midcommit: replay: %u of %u case%s could not be judged\n",
                      replay.failed, replay.count, replay.count == 1 ? "" : "s");
    }
    int exit_status = replay.failed > 0    ? MC_EXIT_FAILED
                      : replay.changed > 0 ? MC_EXIT_FINDING
                                           : MC_EXIT_OK;
    mc_replay_free(&replay);
    return exit_status;
}
