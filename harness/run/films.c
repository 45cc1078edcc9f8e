#include "harness/run/films.h"

#include "harness/case/film.h"
#include "harness/case/story.h"
#include "harness/host/tasks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct maker {
    const mc_run_options *options;
    const mc_run_result *result;
    mc_importers importers;
    mc_films *films;
} maker;

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "films: out of memory");
}

/* The importers that are shown: those of the run that may be run, and sqlite. */
static mc_status choose_importers(maker *m, bool programs, mc_error *error)
{
    enum { LIST_BYTES = 8192 };
    const mc_importers *all = &m->result->importers;
    char *list = calloc(1, LIST_BYTES);
    if (list == NULL) {
        return no_memory(error);
    }
    uint32_t outside = 0;
    bool sqlite = false;
    for (uint32_t i = 0; i < all->count; i++) {
        outside += all->chosen[i].kind == MC_IMPORTER_EXEC || all->chosen[i].kind == MC_IMPORTER_SO;
        sqlite = sqlite || all->chosen[i].kind == MC_IMPORTER_SQLITE;
    }
    bool left = outside > 0 && (!programs || outside > MC_FILMS_PROGRAMS_MAX);
    m->films->programs_left = left;
    for (uint32_t i = 0; i < all->count; i++) {
        mc_importer_kind kind = all->chosen[i].kind;
        bool runs = kind == MC_IMPORTER_EXEC || kind == MC_IMPORTER_SO;
        if ((!runs || !left) && !mc_importers_append(list, LIST_BYTES, all->chosen[i].name)) {
            m->films->programs_left = true;
        }
    }
    if (!sqlite) {
        (void)mc_importers_append(list, LIST_BYTES, "sqlite");
    }
    mc_status status = mc_importers_parse(list, &m->importers, error);
    free(list);
    return status;
}

/* A state of the cell to look at: the worst that an importer made, or "" when all is clean. */
static const char *worst_case(const maker *m, const mc_run_cell *run)
{
    const mc_tally *worst = NULL;
    for (uint32_t i = 0; i < m->result->importers.count; i++) {
        const mc_tally *t = &run->cell.tally[i];
        if (t->first_case[0] != '\0' && (worst == NULL || mc_verdict_rank(t->first_kind) >
                                                              mc_verdict_rank(worst->first_kind))) {
            worst = t;
        }
    }
    return worst != NULL ? worst->first_case : "";
}

static bool wanted(void *context, uint32_t index)
{
    const maker *m = context;
    const mc_run_cell *run = &m->result->cell[index];
    bool kv = strcmp(run->crash, "kv") == 0;
    /* Ready importers read files. Of power only what some importer did wrong is shown. */
    bool shown = run->power == NULL || run->cell.finding_count > 0;
    return shown && run->mistake == 0 && !(kv && m->importers.ready);
}

static const char *task_name(void *context, uint32_t index)
{
    return ((const maker *)context)->result->cell[index].workload;
}

/* A film's importers under power are those that are judged there. */
static mc_status choose_judged(const maker *m, mc_importers *out, mc_error *error)
{
    char list[200] = "";
    for (uint32_t i = 0; i < m->importers.count; i++) {
        if (m->importers.chosen[i].kind <= MC_IMPORTER_SQLITE) {
            (void)mc_importers_append(list, sizeof list, m->importers.chosen[i].name);
        }
    }
    return mc_importers_parse(list, out, error);
}

/* Is this the state of an earlier finding of the cell, too? */
static bool is_repeated(const mc_cell *cell, uint32_t index)
{
    uint32_t i = 0;
    while (strcmp(cell->finding[i].state, cell->finding[index].state) != 0) {
        i++;
    }
    return i < index;
}

static int by_point(const void *a, const void *b)
{
    const mc_film_state *left = a;
    const mc_film_state *right = b;
    int choice = strcmp(left->choice, right->choice);
    return left->point != right->point ? (left->point > right->point) * 2 - 1 : choice;
}

/* The first states of the cell's findings, torn ones before others. */
static char *work_losses(const maker *m, const mc_run_cell *run, mc_record_options *record,
                         mc_arena *arena, mc_error *error)
{
    static const char *const order[] = {"torn, silent", "torn", "stale", "blocked", "refused"};
    mc_film_state states[MC_FILM_LOSSES_MAX];
    uint32_t count = 0;
    mc_status status = MC_OK;
    for (size_t v = 0; v < sizeof order / sizeof *order; v++) {
        for (uint32_t i = 0; i < run->cell.finding_count && count < MC_FILM_LOSSES_MAX; i++) {
            const mc_finding *finding = &run->cell.finding[i];
            mc_story_request request = {0};
            uint32_t mistake = 0;
            const mc_power_profile *power = NULL;
            bool counts = strncmp(finding->verdict, order[v], strlen(order[v])) == 0 &&
                          !(v == 1 && strcmp(finding->verdict, order[0]) == 0);
            if (!counts || is_repeated(&run->cell, i) || strstr(finding->state, "...") != NULL) {
                continue; /* a name that was too long to keep ends so */
            }
            status =
                mc_story_parse(finding->state, arena, record, &request, &mistake, &power, error);
            if (status != MC_OK) {
                return NULL;
            }
            states[count++] = (mc_film_state){request.point, request.choice};
        }
    }
    if (count == 0) {
        return strdup(""); /* none to show */
    }
    size_t worst = states[0].point;
    qsort(states, count, sizeof *states, by_point);
    mc_importers judged;
    status = choose_judged(m, &judged, error);
    mc_judge_options options = {.record = record, .importers = &judged, .power = run->power};
    char *text = status == MC_OK ? mc_film_of_losses(&options, worst, states, count, error) : NULL;
    mc_importers_free(&judged);
    return text;
}

static char *work(void *context, uint32_t index, mc_error *error)
{
    const maker *m = context;
    const mc_run_options *o = m->options;
    const mc_run_cell *run = &m->result->cell[index];
    mc_arena arena = {.limit_bytes = 1 << 20};
    mc_record_options record = {.workload = run->workload, .mode = run->mode, .sync = run->sync};
    record.kv = strcmp(run->crash, "kv") == 0;
    record.page_size = record.kv ? 4096 : o->page_size;
    record.cache_pages = o->cache_pages;
    record.txns = o->txns;
    record.seed = o->seed;
    if (run->power != NULL) {
        char *film = work_losses(m, run, &record, &arena, error);
        mc_arena_free(&arena);
        return film;
    }
    mc_story_request request = {.point = SIZE_MAX};
    uint32_t mistake = 0;
    const mc_power_profile *power = NULL;
    const char *state = worst_case(m, run);
    mc_status status =
        state[0] != '\0' ? mc_story_parse(state, &arena, &record, &request, &mistake, &power, error)
                         : MC_OK;
    mc_judge_options options = {.record = &record, .importers = &m->importers};
    char *text = status == MC_OK ? mc_film_make(&options, request.point, error) : NULL;
    mc_arena_free(&arena);
    return text;
}

static mc_status done(void *context, uint32_t index, char *text, mc_error *error)
{
    mc_films *films = ((maker *)context)->films;
    (void)error;
    films->text[index] = text;
    films->made++;
    return MC_OK;
}

mc_status mc_films_make(const mc_run_options *options, const mc_run_result *result, bool programs,
                        mc_films *films, mc_error *error)
{
    maker m = {.options = options, .result = result, .films = films};
    char *scratch = NULL;
    films->count = result->cell_count;
    films->text = calloc(films->count > 0 ? films->count : 1, sizeof *films->text);
    mc_status status =
        films->text == NULL ? no_memory(error) : choose_importers(&m, programs, error);
    status = status == MC_OK ? mc_importers_scratch(&m.importers, &scratch, error) : status;
    if (status == MC_OK) {
        status =
            mc_tasks_run(films->count, options->jobs, wanted, task_name, work, done, &m, error);
    }
    mc_importers_remove_scratch(scratch);
    mc_importers_free(&m.importers);
    return status;
}

void mc_films_free(mc_films *films)
{
    for (uint32_t i = 0; films->text != NULL && i < films->count; i++) {
        free(films->text[i]);
    }
    free(films->text);
    memset(films, 0, sizeof *films);
}
