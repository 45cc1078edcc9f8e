#include "cli/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/reporting.h"
#include "harness/host/outfile.h"
#include "reports/compare.h"
#include "reports/machine.h"
#include "reports/page.h"
#include "reports/report.h"
#include "reports/runfile.h"

static const mc_option table[] = {
    {"output", "FILE", "the page, as HTML; also -o", NULL},
    {"markdown", "FILE", "a summary for the page of a CI job", NULL},
    {"sarif", "FILE", "the findings as SARIF 2.1.0, for code-scanning pages", NULL},
    {NULL, NULL, NULL, NULL},
};

/* A results file: the run as JSON and, of the lines of --results, all that a page shows. */
typedef struct loaded {
    json_t *run;
    mc_arena arena;
    mc_arguments arguments;
    mc_run_options options;
    mc_run_word words[MC_RUN_WORDS_MAX];
    mc_run_result result; /* of lines */
    bool lines;
} loaded;

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "report: out of memory");
}

/* What a printer of the table says, as one paragraph. */
static char *paragraph(void (*print)(const mc_run_result *result, FILE *out),
                       const mc_run_result *result)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return NULL;
    }
    print(result, out);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    char *to = text;
    for (const char *at = text; *at != '\0'; at++) {
        bool space = *at == ' ' || *at == '\n';
        if (!space || (to > text && to[-1] != ' ')) {
            *to++ = space ? ' ' : *at;
        }
    }
    *to = '\0';
    return text;
}

static void now_text(char out[static 32])
{
    time_t now = time(NULL);
    struct tm parts;
    out[0] = '\0';
    if (gmtime_r(&now, &parts) != NULL) {
        (void)strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &parts);
    }
}

/* The page of `run`; of a result there are films and what was left out, too. */
static mc_status write_page(const json_t *run, const mc_arguments *a, const mc_run_options *options,
                            const mc_run_result *result, const json_t *compared, bool programs,
                            const char *path, mc_error *error)
{
    static const char *const names[] = {"txns", "page-size", "cache-pages", "seed", NULL};
    char asked[400] = "";
    char host[200] = "";
    char when[32];
    mc_films films = {0};
    (void)gethostname(host, sizeof host - 1);
    now_text(when);
    mc_page page = {.run = run,
                    .version = MIDCOMMIT_VERSION,
                    .options = asked,
                    .compared = compared,
                    .host = host,
                    .time = when};
    mc_status status = MC_OK;
    char *limits = NULL;
    char *control = NULL;
    if (result != NULL) {
        mc_options_repeat(a, names, asked, sizeof asked);
        status = mc_films_make(options, result, programs, &films, error);
        limits = paragraph(mc_report_limits, result);
        control = paragraph(mc_report_control, result);
        page.untimed = options->merge_count > 0;
        page.words = options->words;
        page.films = &films;
        page.limits = limits;
        page.control = control;
    }
    status = status == MC_OK ? mc_page_write(&page, path, error) : status;
    free(limits);
    free(control);
    mc_films_free(&films);
    return status;
}

static mc_status json_of(const mc_run_result *result, json_t **run, mc_error *error)
{
    json_error_t why;
    char *text = mc_report_json(result);
    *run = text == NULL ? NULL : json_loads(text, 0, &why);
    free(text);
    return *run == NULL ? no_memory(error) : MC_OK;
}

/* Writes `text`, which is freed; null: there was no memory for it. */
static mc_status put_text(const char *path, char *text, mc_error *error)
{
    if (text == NULL) {
        return no_memory(error);
    }
    mc_status status = mc_outfile_put(path, text, strlen(text), error);
    free(text);
    return status;
}

/* --markdown and --sarif of either command. */
static mc_status put_formats(const mc_arguments *a, const json_t *run, const json_t *compared,
                             mc_error *error)
{
    const char *markdown = mc_options_get(a, "markdown");
    const char *sarif = mc_options_get(a, "sarif");
    mc_status status = MC_OK;
    if (markdown != NULL) {
        status = put_text(markdown, mc_markdown(run, compared), error);
    }
    if (status == MC_OK && sarif != NULL) {
        status = put_text(sarif, mc_sarif(run, MIDCOMMIT_VERSION), error);
    }
    return status;
}

mc_status mc_report_outputs(const mc_arguments *a, const mc_run_options *options,
                            const mc_run_result *result, mc_error *error)
{
    const char *html = mc_options_get(a, "html");
    json_t *run = NULL;
    bool any = html != NULL || mc_options_given(a, "markdown") || mc_options_given(a, "sarif");
    mc_status status = any ? json_of(result, &run, error) : MC_OK;
    if (status == MC_OK && html != NULL) {
        /* What only a file has named is not run. */
        bool programs = options->merge_count == 0;
        status = write_page(run, a, options, result, NULL, programs, html, error);
    }
    status = status == MC_OK && any ? put_formats(a, run, NULL, error) : status;
    json_decref(run);
    return status;
}

/* An error about the file, not about the option under which `run` would take it. */
static void without_option(mc_error *error)
{
    static const char option[] = "--merge ";
    if (strncmp(error->text, option, strlen(option)) == 0) {
        memmove(error->text, error->text + strlen(option),
                strlen(error->text + strlen(option)) + 1);
    }
}

static mc_status load(char *path, loaded *out, mc_error *error)
{
    mc_runfile_kind kind = MC_RUNFILE_JSON;
    out->arena.limit_bytes = 1 << 20;
    mc_status status = mc_runfile_read(path, &kind, &out->run, error);
    if (status != MC_OK || kind == MC_RUNFILE_JSON) {
        return status;
    }
    out->lines = true;
    status =
        mc_run_from_files(&path, 1, &out->arguments, &out->options, out->words, &out->arena, error);
    status = status == MC_OK ? mc_run(&out->options, &out->result, error) : status;
    status = status == MC_OK ? json_of(&out->result, &out->run, error) : status;
    if (status != MC_OK) {
        without_option(error);
        /* The options are the file's, so what is wrong with them is, too. */
        error->status = status == MC_USAGE ? MC_MALFORMED : status;
    }
    return status == MC_USAGE ? MC_MALFORMED : status;
}

static void unload(loaded *file)
{
    json_decref(file->run);
    mc_run_free(&file->result);
    mc_arena_free(&file->arena);
}

static mc_status check(const mc_arguments *a, mc_error *error)
{
    static const char *const outputs[] = {"output", "markdown", "sarif"};
    enum { OUTPUTS = sizeof outputs / sizeof *outputs };
    const char *path[OUTPUTS];
    int asked = 0;
    if (a->operand_count != 1 && a->operand_count != 2) {
        return mc_fail(error, MC_USAGE, "usage",
                       "report: one results file, or two; see midcommit report --help");
    }
    for (int k = 0; k < OUTPUTS; k++) {
        path[k] = mc_options_get(a, outputs[k]);
        asked += path[k] != NULL;
        for (int i = 0; path[k] != NULL && i < a->operand_count; i++) {
            if (mc_outfile_same(path[k], a->operand[i])) {
                return mc_fail(error, MC_USAGE, "same-file", "report: %s is read, too", path[k]);
            }
        }
        for (int i = 0; path[k] != NULL && i < k; i++) {
            if (path[i] != NULL && mc_outfile_same(path[i], path[k])) {
                return mc_fail(error, MC_USAGE, "same-file", "report: --%s: %s is --%s, too",
                               outputs[k], path[k], outputs[i]);
            }
        }
    }
    if (a->operand_count == 1 && asked == 0) {
        return mc_fail(error, MC_USAGE, "usage",
                       "report: needs -o FILE for the page, or --markdown or --sarif");
    }
    return MC_OK;
}

/* What is asked for of the last run. */
static mc_status put_outputs(const mc_arguments *a, const loaded *last, const json_t *compared,
                             mc_error *error)
{
    const char *page = mc_options_get(a, "output");
    mc_status status = MC_OK;
    if (page != NULL) {
        status = write_page(last->run, &last->arguments, &last->options,
                            last->lines ? &last->result : NULL, compared, false, page, error);
    }
    status = status == MC_OK ? put_formats(a, last->run, compared, error) : status;
    if (page == NULL && !mc_options_given(a, "markdown") && !mc_options_given(a, "sarif")) {
        mc_compare_table(compared, stdout);
    }
    return status;
}

/* The last of the files, and what changed to it from the one before. */
static mc_status report(const mc_arguments *a, loaded file[2], bool *failed, mc_error *error)
{
    mc_status status = MC_OK;
    for (int i = 0; status == MC_OK && i < a->operand_count; i++) {
        status = load(a->operand[i], &file[i], error);
    }
    if (status != MC_OK) {
        return status;
    }
    const loaded *last = &file[a->operand_count - 1];
    json_t *compared = NULL;
    if (a->operand_count == 2) {
        compared = mc_compare(file[0].run, file[1].run);
        if (compared == NULL) {
            return no_memory(error);
        }
        *failed = mc_compare_failed(compared);
    }
    status = put_outputs(a, last, compared, error);
    json_decref(compared);
    if (status ==
        MC_USAGE) { /* names and options are the file's, so what is wrong with them is, too */
        status =
            mc_fail(error, MC_MALFORMED, "results", "%s: a name or an option in it means nothing",
                    a->operand[a->operand_count - 1]);
    }
    return status;
}

int mc_command_report(int argc, char **argv)
{
    mc_arguments a;
    mc_error error;
    bool failed = false;
    static loaded file[2]; /* large */
    mc_status status = mc_options_parse(
        table, "report RESULTS -o FILE.html | report OLD NEW [options]",
        "Writes the report page of a run: one HTML file. RESULTS is what `run --results` or\n"
        "`run --json` wrote; with the former the page has the timelines, too, for which the\n"
        "workloads are recorded again. Of two files it says what appeared, disappeared or changed\n"
        "from OLD to NEW; exit status 1 if a finding appeared that fails a run.",
        argc, argv, &a, &error);
    if (status != MC_OK || a.help) {
        return status == MC_OK ? MC_EXIT_OK : mc_options_fail(&error);
    }
    status = check(&a, &error);
    status = status == MC_OK ? report(&a, file, &failed, &error) : status;
    unload(&file[0]);
    unload(&file[1]);
    if (status != MC_OK) {
        return mc_options_fail(&error);
    }
    return failed ? MC_EXIT_FINDING : MC_EXIT_OK;
}
