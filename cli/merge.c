#include "cli/merge.h"

#include "harness/host/outfile.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Each option of `run` says what is run, or how and where to, and then it is no part of a result. A
 * file may set no other than the first: it must not name a file that is written. */
static const char *const what[] = {"mode",     "sync",  "crash",     "importer",    "workload",
                                   "sidecars", "txns",  "page-size", "cache-pages", "seed",
                                   "budget",   "depth", "require",   "clean",       NULL};
static const char *const how[] = {
    "shard", "jobs", "markdown", "sarif", "json",   "results",  "resume",          "merge",
    "quiet", "list", "cases",    "html",  "claims", "validate", "validate-states", NULL};
static const char *const with_merge[] = {"jobs",  "json",  "markdown", "sarif", "merge",
                                         "quiet", "cases", "html",     NULL};

static bool is_among(const char *const *names, const char *name)
{
    while (*names != NULL && strcmp(*names, name) != 0) {
        names++;
    }
    return *names != NULL;
}

void mc_merge_words(const mc_arguments *arguments, mc_run_word *words)
{
    uint32_t count = 0;
    for (int i = 0; arguments->option[i].name != NULL; i++) {
        const char *name = arguments->option[i].name;
        assert(is_among(what, name) != is_among(how, name));
        if (arguments->given[i] && is_among(what, name)) {
            assert(count + 1 < MC_RUN_WORDS_MAX);
            words[count++] = (mc_run_word){name, arguments->value[i]};
        }
    }
    words[count] = (mc_run_word){0};
}

static mc_status check_given(const mc_arguments *a, mc_error *error)
{
    for (int i = 0; a->option[i].name != NULL; i++) {
        if (a->given[i] && !is_among(with_merge, a->option[i].name)) {
            return mc_fail(error, MC_USAGE, "usage",
                           "--%s: not with --merge, which takes what was run from the files",
                           a->option[i].name);
        }
    }
    if (a->operand_count == 0) {
        return mc_fail(error, MC_USAGE, "usage", "--merge: no files; see midcommit run --help");
    }
    static const char *const outputs[] = {"json", "html", "markdown", "sarif"};
    for (size_t k = 0; k < sizeof outputs / sizeof *outputs; k++) {
        const char *path = mc_options_get(a, outputs[k]);
        for (int i = 0; path != NULL && i < a->operand_count; i++) {
            if (mc_outfile_same(path, a->operand[i])) {
                return mc_fail(error, MC_USAGE, "same-file", "--%s: %s is merged, too", outputs[k],
                               path);
            }
        }
    }
    return MC_OK;
}

static mc_status take_word(mc_arguments *a, const mc_run_word *word, const char *file,
                           mc_error *error)
{
    for (int i = 0; is_among(what, word->name) && a->option[i].name != NULL; i++) {
        if (strcmp(a->option[i].name, word->name) == 0 &&
            (a->option[i].argument != NULL || word->value[0] == '\0')) {
            a->value[i] = word->value;
            a->given[i] = true;
            return MC_OK;
        }
    }
    return mc_fail(error, MC_MALFORMED, "results",
                   "--merge %s: \"%.40s\" is no option that a run has", file, word->name);
}

mc_status mc_merge_arguments(mc_arguments *arguments, mc_arena *arena, mc_error *error)
{
    mc_run_word words[MC_RUN_WORDS_MAX];
    mc_status status = check_given(arguments, error);
    if (status == MC_OK) {
        status = mc_run_words((const char *const *)arguments->operand,
                              (uint32_t)arguments->operand_count, words, arena, error);
    }
    for (uint32_t i = 0; status == MC_OK && words[i].name != NULL; i++) {
        status = take_word(arguments, &words[i], arguments->operand[0], error);
    }
    return status;
}
