#include "harness/run/benchpower.h"

#include "crashsim/gray.h"
#include "harness/host/tasks.h"
#include "harness/judge/judging.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static double now(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- states, one by one ---- */

typedef struct stepper {
    mc_judging *j;
    const mc_bench_walk *walk;
    mc_bench_pass *pass;
    uint64_t made;
} stepper;

static mc_status step(void *context, mc_error *error)
{
    stepper *s = context;
    if (s->made++ % s->walk->every != 0) {
        return MC_OK;
    }
    s->pass->states++;
    return s->walk->state == NULL ? MC_OK : s->walk->state(s->walk->context, s->j, error);
}

/* The view of main as it lies there follows the states, so that SQLite's recovery is all that has
 * to be looked at. */
static bool follow_page(mc_judging *j, uint32_t d, uint32_t page)
{
    const mc_disk_file *file = &j->trace.base.file[j->main_slot[d]];
    uint32_t page_size = j->history.page_size;
    uint64_t at = (uint64_t)(page - 1) * page_size;
    uint64_t hash = 0;
    if (file->exists && at < file->size) {
        uint64_t there = file->size - at < page_size ? file->size - at : page_size;
        memset(j->page, 0, page_size);
        memcpy(j->page, file->data + at, (size_t)there);
        hash = mc_page_hash(page, j->page, page_size);
    }
    return mc_oracle_set_page(&j->oracle, MC_VIEW_RAW, d, page, hash);
}

static mc_status follow_changed(void *context, uint16_t file, uint64_t from, uint64_t to,
                                mc_error *error)
{
    mc_judging *j = ((stepper *)context)->j;
    uint32_t page_size = j->history.page_size;
    bool ok = true;
    for (uint32_t d = 0; d < j->trace.database_count; d++) {
        for (uint64_t at = from / page_size; j->main_slot[d] == file && at * page_size < to; at++) {
            ok = ok && follow_page(j, d, (uint32_t)at + 1);
        }
    }
    return ok ? MC_OK : mc_fail(error, MC_NO_MEMORY, "no-memory", "bench: out of memory");
}

static mc_status follow_laid(void *context, mc_error *error)
{
    mc_judging *j = ((stepper *)context)->j;
    bool ok = true;
    for (uint32_t d = 0; d < j->trace.database_count; d++) {
        uint64_t size = j->trace.base.file[j->main_slot[d]].size;
        uint32_t pages = (uint32_t)(size / j->history.page_size) + 1;
        pages = pages > j->oracle.capacity[d] ? pages : j->oracle.capacity[d];
        for (uint32_t page = 1; ok && page <= pages; page++) {
            ok = follow_page(j, d, page);
        }
    }
    j->raw_is_shown = true;
    return ok ? MC_OK : mc_fail(error, MC_NO_MEMORY, "no-memory", "bench: out of memory");
}

static mc_status step_trace(stepper *s, const mc_trace *trace, mc_error *error)
{
    mc_gray_visitor visitor = {
        .context = s, .state = step, .laid = follow_laid, .changed = follow_changed};
    if (s->walk->state == NULL) {
        visitor.laid = NULL;
        visitor.changed = NULL;
    }
    mc_power *power = mc_power_open(trace, mc_power_find("strict"));
    mc_status status =
        power != NULL ? MC_OK : mc_fail(error, MC_NO_MEMORY, "no-memory", "bench: out of memory");
    for (size_t point = 0; status == MC_OK && point <= trace->op_count; point++) {
        const mc_op *op = point > 0 ? &trace->op[point - 1] : NULL;
        uint64_t visited;
        if (op != NULL && op->kind == MC_OP_ACKED) {
            mc_judging_acked(s->j, (uint32_t)op->offset);
        }
        status = mc_power_advance(power, point, error);
        if (status == MC_OK && (point == 0 || !mc_power_is_same(trace, point)) &&
            s->pass->states < s->walk->enough) {
            status = mc_gray_explore(power, trace->base.file_count, &s->j->trace.base,
                                     s->walk->budget, &visitor, &visited, error);
        }
    }
    mc_power_close(power);
    return status;
}

mc_status mc_bench_states(const mc_record_options *record, const mc_bench_walk *walk,
                          mc_bench_pass *pass, mc_error *error)
{
    mc_importers none = {0};
    mc_judge_options options = {
        .record = record, .importers = &none, .power = mc_power_find("strict")};
    mc_judging *j = malloc(sizeof *j);
    if (j == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "bench: out of memory");
    }
    mc_status status = mc_judging_open(j, &options, error);
    if (status == MC_OK) {
        stepper s = {j, walk, pass, 0};
        mc_trace trace = j->trace;
        trace.base = (mc_disk){0};
        pass->database_bytes = j->trace.base.file[j->main_slot[0]].size;
        pass->trace_bytes = j->trace.arena.used_bytes;
        if (!mc_disk_copy(&trace.base, &j->trace.base)) {
            status = mc_fail(error, MC_NO_MEMORY, "no-memory", "bench: out of memory");
        }
        double start = now(CLOCK_PROCESS_CPUTIME_ID);
        status = status == MC_OK ? step_trace(&s, &trace, error) : status;
        pass->seconds += now(CLOCK_PROCESS_CPUTIME_ID) - start;
        mc_disk_free(&trace.base);
        mc_judging_close(j);
    }
    free(j);
    return status;
}

/* ---- two jobs ---- */

static double cpu_seconds(const struct rusage *usage)
{
    return (double)usage->ru_utime.tv_sec + (double)usage->ru_utime.tv_usec * 1e-6 +
           (double)usage->ru_stime.tv_sec + (double)usage->ru_stime.tv_usec * 1e-6;
}

/* In a child: all power losses of one workload, by classes. */
static char *work(void *context, uint32_t index, mc_error *error)
{
    mc_record_options record = {.workload = "inplace",
                                .mode = MC_MODE_DELETE,
                                .sync = MC_SYNC_FULL,
                                .page_size = 4096,
                                .seed = 1,
                                .txns = 8};
    mc_importers none = {0};
    mc_judge_options options = {
        .record = &record, .importers = &none, .power = mc_power_find("strict")};
    mc_cell cell = {0};
    (void)context;
    (void)index;
    mc_status status = mc_judge(&options, &cell, error);
    mc_cell_free(&cell);
    return status == MC_OK ? strdup("") : NULL;
}

static mc_status done(void *context, uint32_t index, char *text, mc_error *error)
{
    (void)context;
    (void)index;
    (void)error;
    free(text);
    return MC_OK;
}

static bool every(void *context, uint32_t index)
{
    (void)context;
    (void)index;
    return true;
}

static const char *name_of(void *context, uint32_t index)
{
    (void)context;
    (void)index;
    return "jobs";
}

static mc_status time_jobs(uint32_t jobs, double *wall, double *cpu, mc_error *error)
{
    enum { TASKS = 4 };
    struct rusage before;
    struct rusage after;
    (void)getrusage(RUSAGE_CHILDREN, &before);
    double start = now(CLOCK_MONOTONIC);
    mc_status status = mc_tasks_run(TASKS, jobs, every, name_of, work, done, NULL, error);
    *wall = now(CLOCK_MONOTONIC) - start;
    (void)getrusage(RUSAGE_CHILDREN, &after);
    *cpu = cpu_seconds(&after) - cpu_seconds(&before);
    return status;
}

mc_status mc_bench_jobs(mc_bench_two_jobs *jobs, mc_error *error)
{
    mc_status status = time_jobs(1, &jobs->one_seconds, &jobs->one_cpu_seconds, error);
    return status == MC_OK ? time_jobs(2, &jobs->two_seconds, &jobs->two_cpu_seconds, error)
                           : status;
}
