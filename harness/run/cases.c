#include "harness/run/cases.h"

#include "harness/host/tasks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct writer {
    const mc_run_options *options;
    const mc_run_result *result;
    const char *folder;
    mc_importers importers;
    const mc_finding **chosen; /* one per signature */
    uint32_t count;
    uint32_t written;
} writer;

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "cases: out of memory");
}

/* Of findings with one signature the smallest; of equal ones the first. */
static mc_status choose(writer *w, mc_error *error)
{
    uint32_t all = 0;
    for (uint32_t c = 0; c < w->result->cell_count; c++) {
        all += w->result->cell[c].cell.finding_count;
    }
    w->chosen = calloc(all > 0 ? all : 1, sizeof *w->chosen);
    if (w->chosen == NULL) {
        return no_memory(error);
    }
    for (uint32_t c = 0; c < w->result->cell_count; c++) {
        const mc_cell *cell = &w->result->cell[c].cell;
        for (uint32_t f = 0; f < cell->finding_count; f++) {
            const mc_finding *finding = &cell->finding[f];
            uint32_t i = 0;
            while (i < w->count && strcmp(w->chosen[i]->signature, finding->signature) != 0) {
                i++;
            }
            w->count += i == w->count;
            if (w->chosen[i] == NULL || finding->bytes < w->chosen[i]->bytes) {
                w->chosen[i] = finding;
            }
        }
    }
    return MC_OK;
}

mc_status mc_cases_capture(const char *state, const mc_run_options *o,
                           const mc_importers *importers, uint32_t subject, const char *signature,
                           mc_case *c, mc_error *error)
{
    mc_arena arena = {.limit_bytes = 1 << 20};
    mc_record_options record = {
        .page_size = o->page_size, .cache_pages = o->cache_pages, .txns = o->txns, .seed = o->seed};
    mc_story story = {0};
    uint32_t mistake = 0;
    const mc_power_profile *power = NULL;
    mc_story_request request = {.subject = subject, .signature = signature, .keep = c};
    memset(c, 0, sizeof *c);
    mc_status status = mc_story_parse(state, &arena, &record, &request, &mistake, &power, error);
    if (status == MC_OK) {
        record.page_size = record.kv ? 4096 : record.page_size;
        mc_judge_options options = {
            .record = &record, .importers = importers, .power = power, .sidecars = 1u << mistake};
        status = mc_story_tell(&options, &request, &story, error);
        mc_story_free(&story);
    }
    mc_arena_free(&arena);
    return status;
}

/* Findings about the control, or about recover beside it, have a built-in importer as subject. */
static uint32_t subject_of(const writer *w, const mc_finding *finding)
{
    const char *name =
        finding->importer != UINT32_MAX ? w->result->importers.chosen[finding->importer].name
        : strstr(finding->signature, "/recover differs from sqlite/") != NULL ? "recover"
                                                                              : "sqlite";
    uint32_t i = 0;
    while (i + 1 < w->importers.count && strcmp(w->importers.chosen[i].name, name) != 0) {
        i++;
    }
    return i;
}

static char *work(void *context, uint32_t index, mc_error *error)
{
    const writer *w = context;
    const mc_finding *finding = w->chosen[index];
    char name[200];
    char path[4400];
    mc_case c;
    mc_error why;
    mc_status status = mc_cases_capture(finding->state, w->options, &w->importers,
                                        subject_of(w, finding), finding->signature, &c, &why);
    if (status == MC_OK) {
        mc_case_name_of(finding->signature, name, sizeof name);
        (void)snprintf(path, sizeof path, "%s/%s", w->folder, name);
        status = mc_case_write(&c, path, &why);
        mc_case_free(&c);
    }
    char *text = status == MC_OK ? strdup("") : NULL;
    if (text == NULL) {
        (void)mc_fail(error, status == MC_OK ? MC_NO_MEMORY : status, "cases", "--cases: %s: %s",
                      finding->state, status == MC_OK ? "out of memory" : why.text);
    }
    return text;
}

static const char *task_name(void *context, uint32_t index)
{
    return ((const writer *)context)->chosen[index]->state;
}

static mc_status done(void *context, uint32_t index, char *text, mc_error *error)
{
    (void)index;
    (void)error;
    free(text);
    ((writer *)context)->written++;
    return MC_OK;
}

mc_status mc_cases_write(const mc_run_options *options, const mc_run_result *result,
                         const char *folder, uint32_t *written, mc_error *error)
{
    writer w = {.options = options, .result = result, .folder = folder};
    struct stat info;
    if (mkdir(folder, 0777) != 0 &&
        (errno != EEXIST || stat(folder, &info) != 0 || !S_ISDIR(info.st_mode))) {
        return mc_fail(error, MC_IO, "io", "--cases %s: %s", folder,
                       errno == EEXIST ? "is there and is no folder" : strerror(errno));
    }
    char *scratch = NULL;
    mc_status status = mc_importers_usual(options->importers, &w.importers, error);
    status = status == MC_OK ? mc_importers_scratch(&w.importers, &scratch, error) : status;
    status = status == MC_OK ? choose(&w, error) : status;
    if (status == MC_OK) {
        status = mc_tasks_run(w.count, options->jobs, NULL, task_name, work, done, &w, error);
    }
    *written = w.written;
    mc_importers_remove_scratch(scratch);
    mc_importers_free(&w.importers);
    free((void *)w.chosen);
    return status;
}
