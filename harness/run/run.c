#include "harness/run/results.h"
#include "harness/run/run.h"

#include "crashsim/kvvfs.h"
#include "crashsim/workload.h"
#include "harness/judge/handover.h"
#include "harness/host/tasks.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct runner {
    const mc_run_options *options;
    mc_run_result *result;
    mc_arena arena; /* names of workloads */
    mc_task *task;
    mc_cell *cell; /* by task, then mistake */
    uint32_t ways; /* mistakes: cells of a task */
    bool *finished;
    uint32_t task_count;
    uint32_t done_count;
    uint32_t required; /* bits of importers */
    uint64_t findings;
    FILE *results;   /* or null */
    uint32_t *from;  /* merging: by task, the file that had it, counted from 1 */
    uint32_t merged; /* that file, of the line that is taken */
    char identity[MC_RUN_IDENTITY_MAX];
} runner;

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "run: out of memory");
}

static void note_skipped(runner *r, const char *workload, const char *mode)
{
    char *text = r->result->skipped;
    size_t have = strlen(text);
    (void)snprintf(text + have, sizeof r->result->skipped - have, "%s%s in %s",
                   have == 0 ? "" : ", ", workload, mode);
}

static mc_status add_task(runner *r, const mc_task *what, mc_error *error)
{
    if (r->task_count == MC_TASKS_MAX) {
        return mc_fail(error, MC_USAGE, "tasks", "run: more than %d tasks; choose fewer workloads",
                       MC_TASKS_MAX);
    }
    mc_task *task = &r->task[r->task_count++];
    *task = *what;
    if (task->kv && !r->options->sync_given) {
        task->sync = MC_SYNC_NORMAL;
    }
    (void)snprintf(task->name, sizeof task->name, "%s/%s/%s/%s%s", task->workload,
                   mc_mode_names[task->mode], mc_sync_names[task->sync],
                   task->power != NULL ? "power:"
                   : task->kv          ? mc_kv_crash_names[task->build]
                                       : "kill",
                   task->power != NULL ? task->power->name : "");
    return MC_OK;
}

/* kv, in the builds that were asked for. */
static mc_status add_kv(runner *r, const mc_task *what, mc_error *error)
{
    mc_status status = MC_OK;
    mc_task task = *what;
    task.kv = true;
    for (int build = 0; build < MC_KV_BUILDS && status == MC_OK; build++) {
        if ((r->options->crash & (uint32_t)MC_CRASH_KV_JOURNAL << build) == 0) {
            continue;
        }
        if (build != MC_KV_JOURNAL && !mc_kvvfs_batch_supported()) {
            r->result->batch_missing = true;
            continue;
        }
        task.build = (mc_kv_build)build;
        status = add_task(r, &task, error);
    }
    return status;
}

static bool is_judged_under_power(const mc_chosen *importer)
{
    return importer->kind <= MC_IMPORTER_SQLITE;
}

bool mc_run_judges(const mc_run_cell *cell, const mc_chosen *importer)
{
    return cell->power == NULL || is_judged_under_power(importer);
}

static mc_status add_power(runner *r, const mc_task *what, mc_error *error)
{
    bool any = false;
    for (uint32_t i = 0; i < r->result->importers.count; i++) {
        any = any || is_judged_under_power(&r->result->importers.chosen[i]);
    }
    if (!any) {
        r->result->power_not_judged = true;
        return MC_OK;
    }
    mc_status status = MC_OK;
    mc_task task = *what;
    for (uint32_t i = 0; mc_power_profiles[i].name != NULL && status == MC_OK; i++) {
        if ((r->options->profiles & 1u << i) != 0) {
            task.power = &mc_power_profiles[i];
            status = add_task(r, &task, error);
        }
    }
    return status;
}

/* Mistakes with sidecars are made with what kill leaves; else a state is handed over as it is. */
static bool is_as_is_wanted(const runner *r)
{
    return r->options->sidecars == 0 || (r->options->sidecars & 1u << MC_MISTAKE_AS_IS) != 0;
}

static mc_status add_mode(runner *r, const char *name, const mc_workload *workload, mc_mode mode,
                          mc_error *error)
{
    const mc_run_options *o = r->options;
    if (workload != NULL && (workload->modes & 1u << mode) == 0) {
        note_skipped(r, name, mc_mode_names[mode]);
        return MC_OK;
    }
    bool as_is = is_as_is_wanted(r);
    bool kv = as_is && (o->crash & MC_CRASH_KV) != 0;
    if (kv && r->result->importers.ready) {
        r->result->kv_not_files = true;
        kv = false;
    }
    if (kv && mode == MC_MODE_DELETE && workload != NULL && !workload->kv) {
        note_skipped(r, name, "kv");
    }
    kv = kv && mode == MC_MODE_DELETE && (workload == NULL || workload->kv);
    mc_status status = MC_OK;
    for (int sync = 0; sync < MC_SYNCS && status == MC_OK; sync++) {
        mc_task task = {.workload = name, .mode = mode, .sync = (mc_sync)sync};
        if ((o->syncs & 1u << sync) == 0) {
            continue;
        }
        if ((o->crash & MC_CRASH_KILL) != 0) {
            status = add_task(r, &task, error);
        }
        if (status == MC_OK && kv) {
            status = add_kv(r, &task, error);
        }
        if (status == MC_OK && as_is && o->profiles != 0) {
            status = add_power(r, &task, error);
        }
    }
    return status;
}

static mc_status add_workload(runner *r, const char *name, mc_error *error)
{
    const mc_workload *workload = mc_workload_find(name);
    bool file = workload == NULL && (strchr(name, '/') != NULL || strchr(name, '.') != NULL);
    if (workload == NULL && !file) {
        return mc_fail(error, MC_USAGE, "workload",
                       "--workload: \"%s\" is no built-in workload and no FILE.sql", name);
    }
    if (strlen(name) > MC_TASK_NAME_MAX / 2) {
        return mc_fail(error, MC_USAGE, "workload",
                       "--workload: \"%.40s...\": the path is too long", name);
    }
    for (uint32_t i = 0; i < r->task_count; i++) {
        if (strcmp(r->task[i].workload, name) == 0) {
            return mc_fail(error, MC_USAGE, "workload", "--workload: \"%s\" is named twice", name);
        }
    }
    mc_status status = MC_OK;
    for (int mode = 0; mode < MC_MODES && status == MC_OK; mode++) {
        if ((r->options->modes & 1u << mode) != 0) {
            status = add_mode(r, name, workload, (mc_mode)mode, error);
        }
    }
    return status;
}

/* Why there is no task, or that there are some. */
static mc_status check_tasks(const runner *r, mc_error *error)
{
    const mc_run_options *o = r->options;
    if (r->task_count > 0) {
        return MC_OK;
    }
    if (r->result->power_not_judged) {
        return mc_fail(error, MC_USAGE, "tasks",
                       "run: nothing to do: under power reject, abandon, recover and sqlite are "
                       "judged, and --importer has none of them");
    }
    if ((o->crash & MC_CRASH_KILL) == 0 && o->sidecars > 1u << MC_MISTAKE_AS_IS) {
        return mc_fail(error, MC_USAGE, "tasks",
                       o->profiles == 0 ? "run: nothing to do: kv has no files for --sidecars to "
                                          "hand over wrongly"
                                        : "run: nothing to do: --sidecars makes its mistakes with "
                                          "what kill leaves, and only as-is with power");
    }
    return mc_fail(error, MC_USAGE, "tasks",
                   "run: nothing to do: no chosen workload makes sense in a chosen mode and model");
}

static mc_status make_tasks(runner *r, mc_error *error)
{
    r->arena.limit_bytes = 1 << 20;
    r->task = calloc(MC_TASKS_MAX, sizeof *r->task);
    if (r->task == NULL) {
        return no_memory(error);
    }
    mc_status status = MC_OK;
    bool delete_mode = (r->options->modes & 1u << MC_MODE_DELETE) != 0;
    if (!delete_mode && (r->options->crash & MC_CRASH_KV) != 0) {
        note_skipped(r, "kv", "any mode but delete");
    }
    if (r->options->sidecars > 1u << MC_MISTAKE_AS_IS && (r->options->crash & MC_CRASH_KV) != 0) {
        note_skipped(r, "mistakes with sidecars", "kv, which has no files");
    }
    if (r->options->again && (r->options->crash & MC_CRASH_KV) != 0) {
        note_skipped(r, "second crashes", "kv, whose store needs no recovery of files");
    }
    if (r->options->sidecars > 1u << MC_MISTAKE_AS_IS && r->options->profiles != 0) {
        note_skipped(r, "mistakes with sidecars", "power, which hands over as-is");
    }
    if (r->options->workloads == NULL) {
        for (const mc_workload *w = mc_workloads; w->name != NULL && status == MC_OK; w++) {
            status = w->named_only ? MC_OK : add_workload(r, w->name, error);
        }
    } else {
        size_t size = strlen(r->options->workloads) + 1;
        char *list = mc_arena_alloc(&r->arena, size);
        if (list == NULL) {
            return mc_fail(error, MC_USAGE, "workload", "--workload: the list is too long");
        }
        memcpy(list, r->options->workloads, size);
        char *rest = list;
        for (char *name = strsep(&rest, ","); name != NULL && status == MC_OK;
             name = strsep(&rest, ",")) {
            status = add_workload(r, name, error);
        }
    }
    return status == MC_OK ? check_tasks(r, error) : status;
}

/* Is the importer judged in any task? */
static bool is_judged(const runner *r, uint32_t importer)
{
    bool judged = is_judged_under_power(&r->result->importers.chosen[importer]);
    for (uint32_t i = 0; i < r->task_count; i++) {
        judged = judged || r->task[i].power == NULL;
    }
    return judged;
}

static mc_status find_required(runner *r, mc_error *error)
{
    mc_importers required;
    mc_error why;
    mc_status status = mc_importers_name(r->options->required, &required, &why);
    if (status != MC_OK) {
        mc_importers_free(&required);
        return mc_fail(error, status, why.reason, "--require %s: no such importer",
                       r->options->required);
    }
    for (uint32_t i = 0; status == MC_OK && i < required.count; i++) {
        uint32_t k = 0;
        while (k < r->result->importers.count &&
               strcmp(r->result->importers.chosen[k].name, required.chosen[i].name) != 0) {
            k++;
        }
        /* `recover` is required by default, also of runs that do without it. */
        if (k < r->result->importers.count && r->options->required_given && !is_judged(r, k)) {
            status = mc_fail(error, MC_USAGE, "require",
                             "--require: \"%s\" is not judged under power, and nothing else runs",
                             required.chosen[i].name);
        } else if (k < r->result->importers.count) {
            r->required |= 1u << k;
        } else if (r->options->required_given) {
            status = mc_fail(error, MC_USAGE, "require",
                             "--require: \"%s\" is not among --importer", required.chosen[i].name);
        }
    }
    mc_importers_free(&required);
    return status;
}

static void free_cells(mc_cell *cell, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        mc_cell_free(&cell[i]);
    }
}

/* Is the task of a model with which no mistakes are made? */
static bool is_as_is(const mc_task *task)
{
    return task->kv || task->power != NULL;
}

bool mc_run_crashes_again(const mc_run_options *o, const mc_task *task)
{
    bool as_is = o->sidecars == 0 || (o->sidecars & 1u << MC_MISTAKE_AS_IS) != 0;
    return o->again && as_is && !task->kv;
}

static char *work(void *context, uint32_t index, mc_error *error)
{
    runner *r = context;
    const mc_task *task = &r->task[index];
    const mc_run_options *o = r->options;
    mc_record_options record = {
        .workload = task->workload,
        .mode = task->mode,
        .sync = task->sync,
        .page_size = task->kv ? 4096 : o->page_size,
        .cache_pages = o->cache_pages,
        .txns = o->txns,
        .seed = o->seed,
        .kv = task->kv,
        .kv_build = task->build,
    };
    mc_judge_options options = {.record = &record,
                                .importers = &r->result->importers,
                                .required = r->required,
                                .power = task->power,
                                .budget = o->budget,
                                .clean_too = o->clean_too,
                                .again = mc_run_crashes_again(o, task),
                                .sidecars = is_as_is(task) ? 0 : o->sidecars};
    mc_cell cell[MC_MISTAKES_MAX];
    memset(cell, 0, sizeof cell);
    mc_error why;
    mc_status status = mc_judge(&options, cell, &why);
    if (status != MC_OK) {
        bool named = strncmp(why.text, task->name, strlen(task->name)) == 0;
        (void)mc_fail(error, status, why.reason, "%s%s%s", named ? "" : task->name,
                      named ? "" : ": ", why.text);
        free_cells(cell, r->ways);
        return NULL;
    }
    char *line = mc_run_encode(task, o, &r->result->importers, cell);
    free_cells(cell, r->ways);
    if (line == NULL) {
        (void)no_memory(error);
    }
    return line;
}

static bool wanted(void *context, uint32_t index)
{
    runner *r = context;
    bool ours = r->options->shards <= 1 || index % r->options->shards == r->options->shard - 1;
    return ours && !r->finished[index];
}

static const char *task_name(void *context, uint32_t index)
{
    return ((const runner *)context)->task[index].name;
}

static void tell(runner *r)
{
    if (r->options->progress != NULL) {
        uint32_t all = 0;
        for (uint32_t i = 0; i < r->task_count; i++) {
            all += r->finished[i] || wanted(r, i);
        }
        r->options->progress(r->options->context, r->done_count, all, r->result->states,
                             r->findings);
    }
}

static mc_status take_line(runner *r, uint32_t index, const char *line, const char *where,
                           mc_error *error)
{
    char name[MC_TASK_NAME_MAX];
    mc_cell *cell = &r->cell[(size_t)index * r->ways];
    mc_status status = mc_run_decode(line, where, r->identity, r->options, &r->result->importers,
                                     name, cell, error);
    if (status != MC_OK) {
        return status;
    }
    assert(strcmp(name, r->task[index].name) == 0);
    assert((cell->proof != NULL) == (r->task[index].power != NULL));
    r->finished[index] = true;
    r->done_count++;
    for (uint32_t i = 0; i < r->ways; i++) {
        r->result->states += cell[i].explored.states;
        r->findings += cell[i].finding_count;
    }
    tell(r);
    return MC_OK;
}

static mc_status done(void *context, uint32_t index, char *line, mc_error *error)
{
    runner *r = context;
    mc_status status = take_line(r, index, line, "a task's result", error);
    if (status == MC_OK && r->results != NULL) {
        status = mc_results_append(r->results, r->options->results, line, error);
    }
    free(line);
    return status;
}

/* The task that a line is of; all of the line is checked. MC_TASKS_MAX: of none. */
static mc_status find_task(const runner *r, const char *line, const char *where,
                           char name[MC_TASK_NAME_MAX], uint32_t *index, mc_error *error)
{
    mc_cell cell[MC_MISTAKES_MAX];
    memset(cell, 0, sizeof cell);
    mc_status status = mc_run_decode(line, where, r->identity, r->options, &r->result->importers,
                                     name, cell, error);
    bool proof = cell[0].proof != NULL;
    bool again = cell[0].again != NULL;
    free_cells(cell, r->ways);
    *index = 0;
    while (status == MC_OK && *index < r->task_count && strcmp(r->task[*index].name, name) != 0) {
        (*index)++;
    }
    *index = *index < r->task_count ? *index : MC_TASKS_MAX;
    if (status == MC_OK && *index != MC_TASKS_MAX && proof != (r->task[*index].power != NULL)) {
        status = mc_fail(error, MC_MALFORMED, "results", "%s: %s has %s", where, name,
                         proof ? "a proof, which only power has" : "no proof");
    }
    if (status == MC_OK && *index != MC_TASKS_MAX &&
        again != mc_run_crashes_again(r->options, &r->task[*index])) {
        status =
            mc_fail(error, MC_MALFORMED, "results", "%s: %s has %s", where, name,
                    again ? "second crashes, which --depth did not ask for" : "no second crashes");
    }
    return status;
}

/* Takes one line of the results file if it belongs to this run. */
static mc_status resume_line(void *context, const char *line, const char *where, mc_error *error)
{
    runner *r = context;
    char name[MC_TASK_NAME_MAX];
    uint32_t index;
    mc_status status = find_task(r, line, where, name, &index, error);
    if (status != MC_OK || index == MC_TASKS_MAX || r->finished[index]) {
        return status;
    }
    r->result->resumed++;
    return take_line(r, index, line, where, error);
}

/* Takes one line of the files that are merged: each task must be in one line. */
static mc_status merge_line(void *context, const char *line, const char *where, mc_error *error)
{
    runner *r = context;
    char name[MC_TASK_NAME_MAX];
    uint32_t index;
    mc_status status = find_task(r, line, where, name, &index, error);
    if (status != MC_OK) {
        return status;
    }
    if (index == MC_TASKS_MAX) {
        return mc_fail(error, MC_MALFORMED, "results", "%s: %s is no task of its options", where,
                       name);
    }
    if (r->finished[index]) {
        return mc_fail(error, MC_MALFORMED, "results", "%s: %s is in %s, too", where, name,
                       r->options->merge[r->from[index] - 1]);
    }
    r->from[index] = r->merged;
    return take_line(r, index, line, where, error);
}

static mc_status merge(runner *r, mc_error *error)
{
    mc_status status = MC_OK;
    r->from = calloc(r->task_count, sizeof *r->from);
    if (r->from == NULL) {
        return no_memory(error);
    }
    for (uint32_t i = 0; status == MC_OK && i < r->options->merge_count; i++) {
        r->merged = i + 1;
        status = mc_results_read(r->options->merge[i], merge_line, r, error);
    }
    for (uint32_t i = 0; status == MC_OK && i < r->task_count; i++) {
        if (!r->finished[i]) {
            status = mc_fail(error, MC_MALFORMED, "results",
                             "--merge: task %u of %u, %s, is in none of the files: a shard is "
                             "missing or has not ended",
                             i + 1, r->task_count, r->task[i].name);
        }
    }
    return status;
}

bool mc_run_merge(mc_cell *cell, const mc_cell *more, uint32_t importers)
{
    cell->explored.points += more->explored.points;
    cell->explored.states += more->explored.states;
    cell->explored.skipped += more->explored.skipped;
    cell->unique += more->unique;
    cell->control_dirty += more->control_dirty;
    cell->known_defect += more->known_defect;
    cell->compared += more->compared;
    cell->disagreements += more->disagreements;
    cell->commits += more->commits;
    cell->promise = more->promise;
    for (uint32_t i = 0; i < importers; i++) {
        mc_tally *to = &cell->tally[i];
        const mc_tally *from = &more->tally[i];
        bool silent = from->silent > 0 && to->silent == 0; /* a torn first case is then silent */
        int rank = mc_verdict_rank(from->first_kind) - mc_verdict_rank(to->first_kind);
        if (to->first_case[0] == '\0' || rank > 0 || (rank == 0 && silent)) {
            memcpy(to->first_case, from->first_case, sizeof to->first_case);
            to->first_kind = from->first_kind;
        }
        for (int v = 0; v < MC_VERDICTS; v++) {
            to->verdict[v] += from->verdict[v];
        }
        to->ahead += from->ahead;
        to->empty += from->empty;
        to->silent += from->silent;
        to->missed += from->missed;
        to->unmet += from->unmet;
        to->ran += from->ran;
        to->nanoseconds += from->nanoseconds;
    }
    if (more->proof != NULL && cell->proof == NULL) {
        cell->proof = malloc(sizeof *cell->proof);
        if (cell->proof == NULL) {
            return false;
        }
        mc_proof_init(cell->proof);
    }
    if (more->proof != NULL) {
        mc_proof_add(cell->proof, more->proof);
    }
    if (more->again != NULL && cell->again == NULL) {
        cell->again = malloc(sizeof *cell->again);
        if (cell->again == NULL) {
            return false;
        }
        mc_again_counts_init(cell->again);
    }
    if (more->again != NULL) {
        mc_again_counts_add(cell->again, more->again);
    }
    uint32_t count = cell->finding_count + more->finding_count;
    mc_finding *finding = realloc(cell->finding, (count > 0 ? count : 1) * sizeof *finding);
    if (finding == NULL) {
        return false;
    }
    cell->finding = finding;
    cell->finding_capacity = count > 0 ? count : 1;
    for (uint32_t i = 0; i < more->finding_count; i++) {
        finding[cell->finding_count++] = more->finding[i];
    }
    return true;
}

static mc_status collect_cell(mc_run_result *result, const mc_task *task, uint32_t mistake,
                              const mc_cell *cell, mc_error *error)
{
    mc_run_cell *last = result->cell_count > 0 ? &result->cell[result->cell_count - 1] : NULL;
    char crash[MC_CRASH_NAME_MAX];
    (void)snprintf(crash, sizeof crash, "%s%s",
                   task->power != NULL ? "power:"
                   : task->kv          ? "kv"
                                       : "kill",
                   task->power != NULL ? task->power->name : "");
    bool same = last != NULL && strcmp(last->workload, task->workload) == 0 &&
                last->mode == task->mode && last->sync == task->sync &&
                strcmp(last->crash, crash) == 0 && last->mistake == mistake;
    if (!same) {
        last = &result->cell[result->cell_count++];
        *last = (mc_run_cell){
            .mode = task->mode, .sync = task->sync, .power = task->power, .mistake = mistake};
        (void)snprintf(last->crash, sizeof last->crash, "%s", crash);
        (void)snprintf(last->workload, sizeof last->workload, "%s", task->workload);
    }
    for (uint32_t f = 0; f < cell->finding_count; f++) {
        result->failed = result->failed || cell->finding[f].fails;
    }
    return mc_run_merge(&last->cell, cell, result->importers.count) ? MC_OK : no_memory(error);
}

/* Tasks become cells: the builds of the v1 VFS are one row, as the crash model is one. */
static mc_status collect(runner *r, mc_error *error)
{
    mc_status status = MC_OK;
    r->result->cell = calloc((size_t)r->task_count * r->ways, sizeof *r->result->cell);
    if (r->result->cell == NULL) {
        return no_memory(error);
    }
    for (uint32_t i = 0; status == MC_OK && i < r->task_count; i++) {
        if (!r->finished[i]) {
            continue; /* another shard's */
        }
        uint32_t ways = is_as_is(&r->task[i]) ? 1 : r->ways;
        for (uint32_t k = 0; status == MC_OK && k < ways; k++) {
            status =
                collect_cell(r->result, &r->task[i], mc_mistake_chosen(r->options->sidecars, k),
                             &r->cell[(size_t)i * r->ways + k], error);
        }
    }
    return status;
}

static double now_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static mc_status run(runner *r, mc_error *error)
{
    double start = now_seconds();
    mc_status status = make_tasks(r, error);
    status = status == MC_OK ? find_required(r, error) : status;
    if (status != MC_OK) {
        return status;
    }
    r->cell = calloc((size_t)r->task_count * r->ways, sizeof *r->cell);
    r->finished = calloc(r->task_count, sizeof *r->finished);
    if (r->cell == NULL || r->finished == NULL) {
        return no_memory(error);
    }
    mc_run_identity(r->options, &r->result->importers, r->identity, sizeof r->identity);
    if (r->options->results != NULL) {
        status = mc_results_open(r->options->results, r->options->resume, resume_line, r,
                                 &r->results, error);
    }
    if (status == MC_OK && r->options->merge_count > 0) {
        status = merge(r, error);
    } else if (status == MC_OK) {
        tell(r);
        status =
            mc_tasks_run(r->task_count, r->options->jobs, wanted, task_name, work, done, r, error);
    }
    status = status == MC_OK ? collect(r, error) : status;
    r->result->tasks = r->task_count;
    r->result->seconds = now_seconds() - start;
    return status;
}

mc_status mc_run(const mc_run_options *options, mc_run_result *result, mc_error *error)
{
    assert(result->cell == NULL);
    assert(options->shards == 0 || (options->shard >= 1 && options->shard <= options->shards));
    runner r = {.options = options, .result = result};
    r.ways = mc_mistake_count(options->sidecars);
    result->sidecars = options->sidecars;
    result->seed = options->seed;
    result->shard = options->shard;
    result->shards = options->shards;
    result->page_size = options->page_size;
    /* Merging runs no importer: a library that a results file names is not loaded. */
    mc_status status = options->merge_count > 0
                           ? mc_importers_name(options->importers, &result->importers, error)
                           : mc_importers_parse(options->importers, &result->importers, error);
    char *scratch = NULL;
    if (status == MC_OK && options->merge_count == 0) {
        status = mc_importers_scratch(&result->importers, &scratch, error);
    }
    status = status == MC_OK ? run(&r, error) : status;
    mc_importers_remove_scratch(scratch);
    if (r.cell != NULL) {
        free_cells(r.cell, r.task_count * r.ways);
    }
    free(r.cell);
    free(r.finished);
    free(r.task);
    mc_arena_free(&r.arena);
    free(r.from);
    if (r.results != NULL) {
        (void)fclose(r.results);
    }
    if (status != MC_OK) {
        mc_run_free(result);
    }
    return status;
}

void mc_run_free(mc_run_result *result)
{
    for (uint32_t i = 0; i < result->cell_count; i++) {
        mc_cell_free(&result->cell[i].cell);
    }
    free(result->cell);
    mc_importers_free(&result->importers);
    memset(result, 0, sizeof *result);
}
