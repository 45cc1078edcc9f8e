#include "harness/run/bench.h"

#include "harness/run/benchpower.h"

#include "crashsim/memvfs.h"
#include "harness/judge/follow.h"
#include "harness/judge/judging.h"
#include "harness/host/tasks.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <malloc.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

typedef enum path {
    PATH_BASELINE,
    PATH_CONTROL,
    PATH_WALK,
    PATH_POWER,
    PATH_RESTORED,
    PATH_EXECUTED,
    PATH_VISITED
} path;

typedef struct plan {
    path path;
    mc_mode mode;
    bool large;
    const char *workload;
} plan;

/* SQLite's cost per state grows with the WAL: one commit is the case in which it is fastest. The
 * walk's does not, and each of its walks should be long enough to time. */
enum { WALK_COMMITS = 8 };

static const char *const path_names[] = {"baseline",      "control",        "walk",
                                         "power-classes", "power-baseline", "power-executed",
                                         "power-visited"};

static const uint64_t visited_least = 10000000;

static const plan plans[] = {
    {PATH_BASELINE, MC_MODE_DELETE, false, "inplace"},
    {PATH_CONTROL, MC_MODE_DELETE, false, "inplace"},
    {PATH_WALK, MC_MODE_DELETE, false, "inplace"},
    {PATH_WALK, MC_MODE_DELETE, true, "inplace"},
    {PATH_RESTORED, MC_MODE_DELETE, false, "inplace"},
    {PATH_POWER, MC_MODE_DELETE, false, "inplace"},
    {PATH_EXECUTED, MC_MODE_DELETE, false, "inplace"},
    {PATH_VISITED, MC_MODE_DELETE, false, "inplace"},
    {PATH_RESTORED, MC_MODE_DELETE, false, "grow"},
    {PATH_POWER, MC_MODE_DELETE, false, "grow"},
    {PATH_EXECUTED, MC_MODE_DELETE, false, "grow"},
    {PATH_BASELINE, MC_MODE_WAL, false, "inplace"},
    {PATH_CONTROL, MC_MODE_WAL, false, "inplace"},
    {PATH_WALK, MC_MODE_WAL, false, "inplace"},
    {PATH_WALK, MC_MODE_WAL, true, "inplace"},
};
enum { PLANS = sizeof plans / sizeof *plans };

/* What one path counts while it runs. */
typedef struct meter {
    mc_judging *j; /* control */
    mc_oracle *oracle;
    mc_follow *follow;
    const mc_trace *trace;
    mc_disk copy; /* baseline: the restored files */
    uint64_t states;
    uint64_t wrong; /* states whose recovery was not a snapshot acked or begun */
    uint64_t hash;  /* keeps hashing from being optimised away */
} meter;

/* Processor time: on a busy machine the clock would measure the others. Each path is one thread,
 * and waits for nothing. */
static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "bench: out of memory");
}

static bool is_clean(const mc_crash *crash, uint32_t snapshot)
{
    return snapshot == crash->acked || snapshot == crash->begun;
}

static mc_status walk_state(void *context, const mc_crash *crash, mc_error *error)
{
    meter *m = context;
    const char *reason;
    (void)error;
    m->states++;
    bool recovered = mc_follow_recover(m->follow, &reason) == MC_OK;
    m->wrong += !recovered || !is_clean(crash, mc_oracle_match(m->oracle, MC_VIEW_RECOVERED));
    return MC_OK;
}

static mc_status walk_applied(void *context, const mc_op *op, uint32_t from, uint32_t to,
                              uint64_t size_before, mc_error *error)
{
    return mc_follow_applied(((meter *)context)->follow, op, from, to, size_before, error);
}

static void walk_acked(void *context, uint32_t commit)
{
    (void)commit;
    mc_oracle_advance(((meter *)context)->oracle);
}

static mc_status control_state(void *context, const mc_crash *crash, mc_error *error)
{
    meter *m = context;
    mc_outcome outcome;
    m->states++;
    mc_status status = mc_judging_control(m->j, &outcome, error);
    const uint32_t *classes = m->j->content.classes;
    m->wrong +=
        outcome.kind != MC_OUTCOME_SNAPSHOT || (outcome.content_class != classes[crash->acked] &&
                                                outcome.content_class != classes[crash->begun]);
    return status;
}

static mc_status control_applied(void *context, const mc_op *op, uint32_t from, uint32_t to,
                                 uint64_t size_before, mc_error *error)
{
    return mc_judging_applied(((meter *)context)->j, op, from, to, size_before, error);
}

static void control_acked(void *context, uint32_t commit)
{
    mc_judging_acked(((meter *)context)->j, commit);
}

/* The state's files into buffers that are there already: a harness would not allocate them anew. */
static bool restore(mc_disk *copy, const mc_disk *state)
{
    bool ok = true;
    for (uint32_t i = 0; ok && i < state->file_count; i++) {
        const mc_disk_file *file = &state->file[i];
        uint16_t number = mc_disk_slot(copy, file->name);
        ok = number != MC_DISK_NONE && mc_disk_delete(copy, number);
        if (ok && file->exists) {
            ok = mc_disk_create(copy, number) &&
                 mc_disk_write(copy, number, 0, file->data, (size_t)file->size);
        }
    }
    return ok;
}

/* Restore, open, recover, integrity_check, hash, close: SQLite does all of it. */
static mc_status baseline_state(void *context, const mc_crash *crash, mc_error *error)
{
    meter *m = context;
    (void)crash;
    m->states++;
    mc_memvfs_options options = {.disk = &m->copy};
    mc_memvfs *vfs = restore(&m->copy, &m->trace->base) ? mc_memvfs_open(&options) : NULL;
    if (vfs == NULL) {
        return no_memory(error);
    }
    sqlite3 *db = NULL;
    sqlite3_stmt *check = NULL;
    int rc = sqlite3_open_v2("main.db", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                             mc_memvfs_name(vfs));
    rc = rc == SQLITE_OK ? sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &check, NULL) : rc;
    bool ok = rc == SQLITE_OK && sqlite3_step(check) == SQLITE_ROW &&
              strcmp((const char *)sqlite3_column_text(check, 0), "ok") == 0;
    (void)sqlite3_finalize(check);
    sqlite3_int64 size = 0;
    unsigned char *bytes = sqlite3_serialize(db, "main", &size, 0);
    m->hash ^= bytes == NULL ? 0 : XXH3_64bits(bytes, (size_t)size);
    sqlite3_free(bytes);
    m->wrong += !ok;
    (void)sqlite3_close(db);
    mc_memvfs_close(vfs);
    return MC_OK;
}

static mc_record_options recipe(const plan *p, const mc_bench_options *options)
{
    return (mc_record_options){
        .workload = p->workload,
        .mode = p->mode,
        .sync = MC_SYNC_FULL,
        .page_size = 4096,
        .seed = 1,
        .txns = p->path == PATH_BASELINE || p->path == PATH_CONTROL ? 1 : WALK_COMMITS,
        .scale_bytes = p->large ? options->large_bytes : 0,
    };
}

/* Reads the trace once: opening a large database has emptied the caches, which on a small one still
 * hold the trace from the walk before. */
static uint64_t warm(const mc_trace *trace)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < trace->op_count; i++) {
        hash ^= trace->op[i].data == NULL ? 0 : XXH3_64bits(trace->op[i].data, trace->op[i].size);
    }
    return hash;
}

/* One walk over the trace: only the exploration itself is timed. The disk's undo log is on, which
 * costs a little, so that the same base can be walked again. */
static mc_status walk_once(mc_trace *trace, const mc_history *history, meter *m, double *seconds,
                           mc_error *error)
{
    mc_oracle oracle = {0};
    mc_explored explored;
    if (!mc_oracle_init(&oracle, history, MC_VIEW_RECOVERED + 1)) {
        return no_memory(error);
    }
    m->follow = mc_follow_open(trace, &trace->base, &oracle, error);
    mc_status status = m->follow == NULL ? error->status : MC_OK;
    if (status == MC_OK) {
        mc_visitor visitor = {m, walk_applied, walk_acked, walk_state};
        m->oracle = &oracle;
        m->hash ^= warm(trace);
        mc_disk_begin(&trace->base);
        double start = now();
        status = mc_kill_explore(trace, &trace->base, 0, &visitor, &explored, error);
        *seconds += now() - start;
        mc_disk_rewind(&trace->base);
    }
    mc_follow_close(m->follow);
    mc_oracle_free(&oracle);
    return status;
}

static mc_status measure_walk(const mc_record_options *record, double least, mc_bench_row *row,
                              meter *m, double *seconds, mc_error *error)
{
    mc_trace trace = {0};
    mc_history history = {0};
    mc_status status = mc_record(record, &trace, error);
    status = status == MC_OK ? mc_history_build(&trace, false, &history, error) : status;
    while (status == MC_OK && *seconds < least) {
        status = walk_once(&trace, &history, m, seconds, error);
        row->database_bytes = trace.base.file[mc_disk_slot(&trace.base, "main.db")].size;
        row->trace_bytes = trace.arena.used_bytes + trace.op_count * sizeof *trace.op;
    }
    mc_history_free(&history);
    mc_trace_free(&trace);
    return status;
}

static mc_status pass_control(const mc_record_options *record, mc_bench_row *row, meter *m,
                              double *seconds, mc_error *error)
{
    mc_importers none = {0};
    mc_judge_options options = {.record = record, .importers = &none};
    mc_explored explored;
    m->j = malloc(sizeof *m->j);
    if (m->j == NULL) {
        return no_memory(error);
    }
    mc_status status = mc_judging_open(m->j, &options, error);
    if (status == MC_OK) {
        mc_visitor visitor = {m, control_applied, control_acked, control_state};
        double start = now();
        status = mc_judging_explore(m->j, &visitor, &explored, error);
        *seconds += now() - start;
        row->database_bytes = m->j->trace.base.file[m->j->main_slot[0]].size;
        row->trace_bytes = m->j->trace.arena.used_bytes;
        mc_judging_close(m->j);
    }
    free(m->j);
    return status;
}

static mc_status pass_baseline(const mc_record_options *record, mc_bench_row *row, meter *m,
                               double *seconds, mc_error *error)
{
    mc_trace trace = {0};
    mc_explored explored;
    mc_status status = mc_record(record, &trace, error);
    if (status == MC_OK) {
        mc_visitor visitor = {.context = m, .state = baseline_state};
        m->trace = &trace;
        double start = now();
        status = mc_kill_explore(&trace, &trace.base, 0, &visitor, &explored, error);
        *seconds += now() - start;
        row->database_bytes = trace.base.file[mc_disk_slot(&trace.base, "main.db")].size;
        row->trace_bytes = trace.arena.used_bytes;
    }
    mc_disk_free(&m->copy);
    mc_trace_free(&trace);
    return status;
}

/* All states of all power losses under `strict`; what is not closed is not counted. */
static mc_status pass_power(const mc_record_options *record, mc_bench_row *row, meter *m,
                            double *seconds, mc_error *error)
{
    mc_importers none = {0};
    mc_judge_options options = {
        .record = record, .importers = &none, .power = mc_power_find("strict")};
    mc_cell cell = {0};
    double start = now();
    mc_status status = mc_judge(&options, &cell, error);
    *seconds += now() - start;
    if (status == MC_OK) {
        mpz_sub(cell.proof->total, cell.proof->total, cell.proof->unresolved);
        row->judged += mpz_get_d(cell.proof->total);
        m->states += cell.proof->runs;
        m->wrong += cell.control_dirty;
    }
    mc_cell_free(&cell);
    return status;
}

static mc_status execute_state(void *context, mc_judging *j, mc_error *error)
{
    meter *m = context;
    mc_outcome outcome;
    mc_status status = mc_judging_control(j, &outcome, error);
    m->wrong += outcome.kind != MC_OUTCOME_SNAPSHOT;
    return status;
}

static mc_status restore_state(void *context, mc_judging *j, mc_error *error)
{
    meter *m = context;
    uint64_t states = m->states;
    m->trace = &j->trace;
    mc_status status = baseline_state(m, NULL, error);
    m->states = states; /* the pass counts them */
    return status;
}

/* States of power losses, one by one. The usual way is measured on a sample of them. */
static mc_status pass_states(const plan *p, const mc_record_options *record, mc_bench_row *row,
                             meter *m, double *seconds, mc_error *error)
{
    enum { EXECUTED_MAX = 1 << 14, MADE_MAX = 1 << 20, SAMPLE = 16 };
    mc_bench_walk walk = {.budget = EXECUTED_MAX,
                          .enough = UINT64_MAX,
                          .every = p->path == PATH_RESTORED ? SAMPLE : 1,
                          .state = p->path == PATH_RESTORED ? restore_state : execute_state,
                          .context = m};
    if (p->path == PATH_VISITED) {
        walk.budget = MADE_MAX;
        walk.enough = visited_least;
        walk.state = NULL;
    }
    mc_bench_pass pass = {.states = m->states};
    mc_status status = mc_bench_states(record, &walk, &pass, error);
    *seconds += pass.seconds;
    m->states = pass.states;
    row->database_bytes = pass.database_bytes;
    row->trace_bytes = pass.trace_bytes;
    mc_disk_free(&m->copy);
    return status;
}

static mc_status measure_pass(const plan *p, const mc_record_options *record, mc_bench_row *row,
                              meter *m, double *seconds, mc_error *error)
{
    switch (p->path) {
    case PATH_CONTROL:
        return pass_control(record, row, m, seconds, error);
    case PATH_POWER:
        return pass_power(record, row, m, seconds, error);
    case PATH_RESTORED:
    case PATH_EXECUTED:
    case PATH_VISITED:
        return pass_states(p, record, row, m, seconds, error);
    default:
        return pass_baseline(record, row, m, seconds, error);
    }
}

static mc_status measure(const plan *p, const mc_bench_options *options, mc_bench_row *row,
                         mc_error *error)
{
    mc_record_options record = recipe(p, options);
    meter m = {0};
    double seconds = 0;
    mc_status status = MC_OK;
    /* No path pays for memory that goes back to the kernel after each state and comes again. */
    (void)mallopt(M_MMAP_THRESHOLD, 32 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 512 << 20);
    if (p->path == PATH_WALK) {
        status = measure_walk(&record, options->seconds, row, &m, &seconds, error);
    }
    while (status == MC_OK &&
           (seconds < options->seconds || (p->path == PATH_VISITED && m.states < visited_least))) {
        status = measure_pass(p, &record, row, &m, &seconds, error);
    }
    if (status == MC_OK && m.wrong > 0) {
        status = mc_fail(error, MC_IO, "wrong",
                         "bench: %s/%s: %" PRIu64 " of %" PRIu64 " states were not recovered clean",
                         path_names[p->path], mc_mode_names[p->mode], m.wrong, m.states);
    }
    row->states = m.states;
    row->states_per_second = (p->path == PATH_POWER ? row->judged : (double)m.states) / seconds;
    return status;
}

typedef struct bench_context {
    const mc_bench_options *options;
    mc_bench *bench;
} bench_context;

/* In the child: one path, its row as JSON. */
static char *work(void *context, uint32_t index, mc_error *error)
{
    const bench_context *c = context;
    mc_bench_row row = {0};
    if (measure(&plans[index], c->options, &row, error) != MC_OK) {
        return NULL;
    }
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    json_t *object =
        json_pack("{s:I,s:I,s:I,s:f,s:I}", "bytes", (json_int_t)row.database_bytes, "trace",
                  (json_int_t)row.trace_bytes, "states", (json_int_t)row.states, "rate",
                  row.states_per_second, "rss", (json_int_t)usage.ru_maxrss * 1024);
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    if (text == NULL) {
        (void)no_memory(error);
    }
    return text;
}

static mc_status done(void *context, uint32_t index, char *text, mc_error *error)
{
    const bench_context *c = context;
    json_t *object = json_loads(text, 0, NULL);
    free(text);
    if (object == NULL) {
        return mc_fail(error, MC_IO, "bench", "bench: a path's result is damaged");
    }
    mc_bench_row *row = &c->bench->row[index];
    row->path = path_names[plans[index].path];
    row->mode = plans[index].mode;
    row->workload = plans[index].workload;
    row->database_bytes = (uint64_t)json_integer_value(json_object_get(object, "bytes"));
    row->trace_bytes = (uint64_t)json_integer_value(json_object_get(object, "trace"));
    row->states = (uint64_t)json_integer_value(json_object_get(object, "states"));
    row->states_per_second = json_real_value(json_object_get(object, "rate"));
    row->peak_rss_bytes = (uint64_t)json_integer_value(json_object_get(object, "rss"));
    json_decref(object);
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
    return path_names[plans[index].path];
}

mc_status mc_bench_run(const mc_bench_options *options, mc_bench *bench, mc_error *error)
{
    memset(bench, 0, sizeof *bench);
    bench_context context = {options, bench};
    mc_status status = mc_tasks_run(PLANS, 1, every, name_of, work, done, &context, error);
    double baseline[MC_MODES] = {0};
    bench->row_count = PLANS;
    for (uint32_t i = 0; status == MC_OK && i < PLANS; i++) {
        mc_bench_row *row = &bench->row[i];
        if (plans[i].path == PATH_BASELINE || plans[i].path == PATH_RESTORED) {
            baseline[row->mode] = row->states_per_second;
        }
        row->ratio = row->states_per_second / baseline[row->mode];
    }
    mc_bench_two_jobs *j = &bench->jobs;
    status = status == MC_OK ? mc_bench_jobs(j, error) : status;
    if (status == MC_OK) {
        j->ratio = j->one_seconds / j->two_seconds;
        j->ratio_cpu = 2 * j->one_cpu_seconds / j->two_cpu_seconds;
        j->busy = j->one_cpu_seconds < 0.9 * j->one_seconds ||
                  j->two_cpu_seconds < 0.9 * 2 * j->two_seconds;
    }
    return status;
}
