#include "cli/claims.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/host/outfile.h"
#include "reports/claims.h"

static void progress(void *context, uint32_t done, uint32_t claims)
{
    (void)context;
    (void)fprintf(stderr, "\r%u of %u claims ", done, claims);
    if (done == claims) {
        (void)fprintf(stderr, "\r%30s\r", "");
    }
    (void)fflush(stderr);
}

static mc_status choose(const mc_arguments *a, mc_claims_options *o, mc_error *error)
{
    for (int i = 0; i < a->operand_count; i++) {
        char *end;
        errno = 0;
        unsigned long number = strtoul(a->operand[i], &end, 10);
        bool digit = a->operand[i][0] >= '0' && a->operand[i][0] <= '9';
        uint32_t index =
            digit && *end == '\0' && errno == 0 ? mc_claims_find(number) : (uint32_t)MC_CLAIMS_MAX;
        if (index == MC_CLAIMS_MAX) {
            return mc_fail(error, MC_USAGE, "usage",
                           "--claims: \"%.40s\" is no claim's number, which are 1 to %u",
                           a->operand[i], mc_claims_count());
        }
        o->chosen |= (uint64_t)1 << index;
    }
    return MC_OK;
}

/* What makes a run of cells makes no sense here. */
static mc_status check_others(const mc_arguments *a, mc_error *error)
{
    static const char *const mine[] = {"claims", "seed", "jobs", "json", "quiet"};
    for (uint32_t i = 0; a->option[i].name != NULL; i++) {
        bool known = false;
        for (size_t k = 0; k < sizeof mine / sizeof *mine; k++) {
            known = known || strcmp(a->option[i].name, mine[k]) == 0;
        }
        if (a->given[i] && !known) {
            return mc_fail(error, MC_USAGE, "usage",
                           "--%s: not with --claims, whose experiments are fixed",
                           a->option[i].name);
        }
    }
    return MC_OK;
}

static mc_status write_json(const mc_claims_result *result, const char *path, mc_error *error)
{
    char *text = mc_report_claims_json(result);
    if (text == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "--json: out of memory");
    }
    size_t size = strlen(text);
    text[size] = '\n'; /* in place of the terminator */
    mc_status status = mc_outfile_put(path, text, size + 1, error);
    free(text);
    return status;
}

int mc_claims_command(const mc_arguments *a)
{
    static mc_claims_result result; /* large */
    mc_error error;
    mc_claims_options options = {0};
    uint64_t jobs = 0;
    bool quiet = mc_options_given(a, "quiet");
    mc_status status = check_others(a, &error);
    status = status == MC_OK ? mc_options_number(a, "seed", 0, INT64_MAX, &options.seed, &error)
                             : status;
    if (status == MC_OK && mc_options_given(a, "jobs")) {
        status = mc_options_number(a, "jobs", 1, 64, &jobs, &error);
    }
    status = status == MC_OK ? choose(a, &options, &error) : status;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    options.jobs = jobs > 0 ? (uint32_t)jobs : cores > 0 ? (uint32_t)cores : 1;
    options.progress = !quiet && isatty(2) ? progress : NULL;
    status = status == MC_OK ? mc_claims_run(&options, &result, &error) : status;
    const char *json = mc_options_get(a, "json");
    if (status == MC_OK && json != NULL) {
        status = write_json(&result, json, &error);
    }
    if (status != MC_OK) {
        return mc_options_fail(&error);
    }
    if (!quiet && (json == NULL || strcmp(json, "-") != 0)) {
        mc_report_claims(&result, program_invocation_name, stdout);
    }
    bool refuted = false;
    for (uint32_t i = 0; i < mc_claims_count(); i++) {
        refuted = refuted || (result.done[i] && result.claim[i].verdict == MC_CLAIM_REFUTED);
    }
    return refuted ? MC_EXIT_FINDING : MC_EXIT_OK;
}
