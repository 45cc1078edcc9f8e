#include "cli/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"
#include "harness/host/outfile.h"
#include "reports/report.h"

static const mc_option table[] = {
    {"json", "FILE", "the result as JSON; - is standard output, and no table then", NULL},
    {"large-mb", "N", "size of the large database", "100"},
    {"tenths", "N", "measure each path for at least N tenths of a second", "5"},
    {NULL, NULL, NULL, NULL},
};

static mc_status write_json(const mc_bench *bench, const char *path, mc_error *error)
{
    char *text = mc_report_bench_json(bench);
    if (text == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "--json: out of memory");
    }
    size_t size = strlen(text);
    text[size] = '\n'; /* in place of the terminator */
    mc_status status = mc_outfile_put(path, text, size + 1, error);
    free(text);
    return status;
}

int mc_command_bench(int argc, char **argv)
{
    mc_arguments a;
    mc_error error;
    uint64_t megabytes = 0;
    uint64_t tenths = 0;
    mc_status status = mc_options_parse(
        table, "bench [options]",
        "Measures how many crash states each path judges in a second, in one run on one core, and\n"
        "their ratio to the usual way: restore, open, recover, integrity_check, hash, close.",
        argc, argv, &a, &error);
    if (status != MC_OK || a.help) {
        return status == MC_OK ? MC_EXIT_OK : mc_options_fail(&error);
    }
    status = mc_options_number(&a, "large-mb", 1, 4000, &megabytes, &error);
    status = status == MC_OK ? mc_options_number(&a, "tenths", 1, 6000, &tenths, &error) : status;
    if (status == MC_OK && a.operand_count > 0) {
        status = mc_fail(&error, MC_USAGE, "usage", "bench: unexpected \"%s\"", a.operand[0]);
    }
    mc_bench bench;
    mc_bench_options options = {.large_bytes = megabytes * 1000000, .seconds = (double)tenths / 10};
    status = status == MC_OK ? mc_bench_run(&options, &bench, &error) : status;
    const char *json = mc_options_get(&a, "json");
    if (status == MC_OK && json != NULL) {
        status = write_json(&bench, json, &error);
    }
    if (status != MC_OK) {
        return mc_options_fail(&error);
    }
    if (json == NULL || strcmp(json, "-") != 0) {
        mc_report_bench(&bench, stdout);
    }
    return MC_EXIT_OK;
}
