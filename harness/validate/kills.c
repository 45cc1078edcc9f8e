#include "harness/validate/kills.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crashsim/crash.h"
#include "crashsim/stock.h"
#include "harness/validate/gate.h"
#include "harness/validate/live.h"

enum {
    SHOTS = 3,
    SPINS = 4096,
    ARENA_BYTES = 64 << 20,
    PATH_BYTES = 4096,
    CUT = MC_KILL_CUT_BYTES
};

typedef struct killing {
    const mc_record_options *options;
    const char *folder;
    const volatile sig_atomic_t *stop;
    mc_trace trace;
    mc_disk disk;   /* the model's state, */
    mc_disk before; /* and the one in front of the operation that is under way */
    bool cuts;      /* a write can be stopped */
    mc_arena arena;
    mc_shim_said *said;
    mc_kills *out;
} killing;

static void differ(killing *k, const mc_crash *crash, const char *text)
{
    if (k->out->first[0] == '\0') {
        (void)snprintf(k->out->first, sizeof k->out->first, "%s/%s/%s, element %zu: %s",
                       k->options->workload, mc_mode_names[k->options->mode],
                       mc_sync_names[k->options->sync], crash->point, text);
    }
}

/* Lets a process die as `plan` says, and takes what it left into the empty `real`. */
static mc_status kill_one(killing *k, const mc_shim_plan *plan, bool *killed, mc_disk *real,
                          mc_error *error)
{
    mc_live_clear(k->folder);
    mc_status status = mc_live_put(&k->trace.base, k->folder, error);
    if (status != MC_OK) {
        return status;
    }
    pid_t process = mc_live_start(k->options, plan, k->folder);
    if (process < 0) {
        return mc_fail(error, MC_IO, "kills", "cannot start a process");
    }
    status = mc_live_wait(process, k->said, killed, error);
    return status == MC_OK ? mc_live_take(&k->trace.base, k->folder, real, error) : status;
}

static void count_verdict(killing *k, int commit, const mc_crash *crash)
{
    bool is_clean = commit >= 0 && (uint32_t)commit >= crash->acked;
    k->out->clean += is_clean;
    k->out->stale += commit >= 0 && !is_clean;
    k->out->torn += commit < 0;
}

/* Stock SQLite opens the real files, and the model's: does it read the same pages? */
static mc_status compare_answers(killing *k, const mc_crash *crash, mc_error *error)
{
    char path[PATH_BYTES];
    mc_stock real;
    mc_stock model;
    (void)snprintf(path, sizeof path, "%s/%s", k->folder, k->trace.database[0]);
    mc_stock_ask(path, "unix", MC_STOCK_LIMIT_BYTES, &real);
    if (!mc_stock_ask_disk(&k->disk, k->trace.database[0], MC_STOCK_LIMIT_BYTES, &model)) {
        mc_stock_free(&real);
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "kills: out of memory");
    }
    bool same =
        real.code == model.code && real.page_count == model.page_count &&
        real.image_size == model.image_size &&
        (real.image_size == 0 || memcmp(real.image, model.image, (size_t)real.image_size) == 0);
    mc_arena_reset(&k->arena);
    count_verdict(k, mc_live_commit(&k->trace, &real, &k->arena), crash);
    if (same) {
        k->out->equal++;
    } else {
        differ(k, crash, "SQLite reads other pages on the real files than on the model's");
    }
    mc_stock_free(&real);
    mc_stock_free(&model);
    return MC_OK;
}

static mc_status compare(killing *k, const mc_crash *crash, const mc_disk *real, mc_error *error)
{
    char text[160];
    if (mc_live_same(&k->disk, real, text, sizeof text)) {
        k->out->cut += crash->cut > 0;
        return compare_answers(k, crash, error);
    }
    if (crash->cut > 0 && mc_live_same(&k->before, real, text, sizeof text)) {
        k->out->undone++;
        k->out->equal++;
        return MC_OK;
    }
    differ(k, crash, text);
    return MC_OK;
}

static mc_status at_state(void *context, const mc_crash *crash, mc_error *error)
{
    killing *k = context;
    if (k->stop != NULL && *k->stop != 0) {
        return mc_fail(error, MC_IO, "interrupted", "interrupted");
    }
    if (crash->op != NULL && !mc_shim_performs(&k->trace, crash->point)) {
        return MC_OK; /* a mark: the state in front of the next operation is the same */
    }
    if (crash->cut > 0 && !k->cuts) {
        k->out->uncut++;
        return MC_OK;
    }
    if (crash->cut == 0) {
        mc_disk_free(&k->before);
        if (!mc_disk_copy(&k->before, &k->disk)) {
            return mc_fail(error, MC_NO_MEMORY, "no-memory", "kills: out of memory");
        }
    }
    bool killed = false;
    mc_disk real = {0};
    mc_shim_plan plan = {.trace = &k->trace,
                         .seed = k->options->seed,
                         .said = k->said,
                         .die_at = (int64_t)crash->point,
                         .cut = crash->cut};
    k->out->points++;
    mc_status status = kill_one(k, &plan, &killed, &real, error);
    if (status == MC_OK && killed) {
        k->out->fired++;
        status = compare(k, crash, &real, error);
    }
    mc_disk_free(&real);
    return status;
}

mc_status mc_kills_run(const mc_record_options *options, const char *folder,
                       const volatile sig_atomic_t *stop, mc_kills *kills, mc_error *error)
{
    killing k = {.options = options,
                 .folder = folder,
                 .stop = stop,
                 .arena.limit_bytes = ARENA_BYTES,
                 .cuts = mc_gate_works(),
                 .said = mc_live_said(),
                 .out = kills};
    mc_status status = mc_record(options, &k.trace, error);
    assert(status != MC_OK || (k.trace.database_count == 1 && !k.trace.is_kv));
    if (status == MC_OK && (k.said == NULL || !mc_disk_copy(&k.disk, &k.trace.base))) {
        status = mc_fail(error, MC_NO_MEMORY, "no-memory", "kills: out of memory");
    }
    mc_visitor visitor = {.context = &k, .state = at_state};
    mc_explored explored;
    if (status == MC_OK) {
        status = mc_kill_explore(&k.trace, &k.disk, 0, &visitor, &explored, error);
    }
    mc_live_clear(folder);
    mc_live_said_free(k.said);
    mc_disk_free(&k.disk);
    mc_disk_free(&k.before);
    mc_arena_free(&k.arena);
    mc_trace_free(&k.trace);
    return status;
}
