#include "harness/validate/losses.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crashsim/diskid.h"
#include "crashsim/seeded.h"
#include "crashsim/stock.h"
#include "harness/judge/idmap.h"
#include "harness/judge/verdict.h"
#include "harness/validate/blocklog.h"
#include "harness/validate/live.h"
#include "harness/validate/member.h"

enum { PATH_BYTES = 200, ARENA_BYTES = 256 << 20, SECTOR = 512, DRAWN = 1500 };

typedef struct lane {
    const mc_losses_options *options;
    mc_losses *out;
    mc_trace trace;
    mc_arena arena;
    mc_seeded seeded;
    mc_shim_said *said;
    mc_blocklog *log;
    mc_idmap known;
    const mc_power_profile *profile;
    const char *crash;        /* "power:PROFILE" */
    char start[PATH_BYTES];   /* the disk before the workload, */
    char now[PATH_BYTES];     /* as it was at some block, */
    char crashed[PATH_BYTES]; /* and one that was built from it */
    char served[PATH_BYTES];
    char mount[PATH_BYTES];
} lane;

static uint64_t draw(lane *l, uint64_t below)
{
    uint64_t random;
    mc_seeded_bytes(&l->seeded, &random, sizeof random);
    return random % below;
}

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "losses: out of memory");
}

/* ---- the workload, and the log of its disk ---- */

/* In the workload's process, after an operation: a machine with more to do writes back what it
 * likes. Closing a file drops the process's locks on it, which nobody else wants. */
static void write_back(void *context, size_t element)
{
    lane *l = context;
    uint64_t choice = draw(l, 8);
    const mc_disk *base = &l->trace.base;
    (void)element;
    if (choice > 2) {
        return;
    }
    int fd = open(base->file[draw(l, base->file_count)].name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    if (choice == 0 && draw(l, 4) == 0) {
        (void)syncfs(fd);
    } else {
        (void)sync_file_range(fd, 0, 0,
                              SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                  SYNC_FILE_RANGE_WAIT_AFTER);
    }
    (void)close(fd);
}

static mc_status live(lane *l, mc_error *error)
{
    bool killed = false;
    mc_shim_plan plan = {.trace = &l->trace,
                         .seed = l->options->record->seed,
                         .said = l->said,
                         .die_at = MC_SHIM_NEVER,
                         .syncs = !l->options->forgets_syncs,
                         .after = l->options->write_back ? write_back : NULL,
                         .context = l};
    pid_t process = mc_live_start(l->options->record, &plan, l->mount);
    if (process < 0) {
        return mc_fail(error, MC_IO, "losses", "cannot start a process");
    }
    return mc_live_wait(process, l->said, &killed, error);
}

static mc_status live_on_log(lane *l, mc_error *error)
{
    char disk[PATH_BYTES + 8];
    mc_mounted mounted;
    pid_t server = 0;
    mc_status status = mc_blocklog_serve(l->log, l->start, l->served, &server, error);
    if (status != MC_OK) {
        return status;
    }
    (void)snprintf(disk, sizeof disk, "%s/disk", l->served);
    status = mc_realfs_mount(l->options->fs, disk, l->mount, &mounted, error);
    if (status == MC_OK) {
        mc_error ignored;
        status = live(l, error);
        mc_status after = mc_realfs_unmount(&mounted, status == MC_OK ? error : &ignored);
        status = status == MC_OK ? after : status;
    }
    mc_blocklog_end(l->served, server);
    if (status == MC_OK && !mounted.write_back) {
        status = mc_fail(error, MC_IO, "write-through",
                         "%s: the loop device says that it writes through, so nothing was tested",
                         l->options->fs->name);
    }
    if (status == MC_OK && atomic_load(&l->log->overflow)) {
        status =
            mc_fail(error, MC_IO, "losses", "%s: the log of blocks is full", l->options->fs->name);
    }
    return status;
}

/* The disk with the files that the workload begins with. */
static mc_status prepare(lane *l, mc_error *error)
{
    const mc_realfs *fs = l->options->fs;
    mc_mounted mounted;
    mc_status status = mc_realfs_make(fs, l->now, error);
    status = status == MC_OK ? mc_realfs_mount(fs, l->now, l->mount, &mounted, error) : status;
    if (status == MC_OK) {
        mc_error ignored;
        status = mc_live_put(&l->trace.base, l->mount, error);
        mc_status after = mc_realfs_unmount(&mounted, status == MC_OK ? error : &ignored);
        status = status == MC_OK ? after : status;
    }
    status = status == MC_OK ? mc_realfs_copy(l->now, l->start, error) : status;
    return status == MC_OK ? mc_realfs_copy(l->start, l->now, error) : status;
}

/* ---- one state ---- */

/* Between two blocks: the workload had begun `begun` and done `done` elements when the state came
 * to be, and `until` were done when the next block came. */
typedef struct moment {
    size_t begun;
    size_t done;
    size_t until;
} moment;

static mc_status allowed_at(lane *l, size_t point, const mc_power_profile *profile,
                            const mc_disk *state, bool *is_allowed, char why[200], mc_error *error)
{
    mc_arena_reset(&l->arena);
    return mc_member(&l->trace, point, profile, state, &l->arena, is_allowed, why, 200, error);
}

static mc_status allowed(lane *l, const moment *m, const mc_power_profile *profile,
                         const mc_disk *state, bool *is_allowed, size_t *point, char why[200],
                         mc_error *error)
{
    mc_status status = MC_OK;
    *point = m->begun;
    if (m->begun <= m->until) {
        *is_allowed = true;
        for (size_t p = m->begun; status == MC_OK && *is_allowed && p <= m->until; p++) {
            if (p == m->begun || !mc_power_is_same(&l->trace, p)) {
                *point = p;
                status = allowed_at(l, p, profile, state, is_allowed, why, error);
            }
        }
        return status;
    }
    assert(m->begun > 0);
    status = allowed_at(l, m->begun - 1, profile, state, is_allowed, why, error);
    if (status == MC_OK && !*is_allowed) {
        status = allowed_at(l, m->begun, profile, state, is_allowed, why, error);
    }
    return status;
}

static mc_status kill_state(const mc_trace *trace, size_t point, mc_disk *out, mc_error *error)
{
    mc_status status = mc_disk_copy(out, &trace->base) ? MC_OK : no_memory(error);
    for (size_t i = 0; status == MC_OK && i < point; i++) {
        status = mc_trace_apply(out, &trace->op[i], UINT32_MAX, error);
    }
    return status;
}

static void count_classes(uint64_t counts[MC_TRAIT_CLASSES], uint32_t bits)
{
    for (int i = 0; i < MC_TRAIT_CLASSES; i++) {
        counts[i] += (bits >> i) & 1;
    }
}

/* What SQLite promises of this workload. A database that becomes a WAL's does so in a transaction
 * with a rollback journal. */
static mc_promise promise_of(const lane *l)
{
    const mc_record_options *record = l->options->record;
    const char *source = "";
    mc_promise promise = mc_promise_of(record->mode, record->sync, l->crash, 1, &source);
    for (size_t i = 0; i < l->trace.op_count && record->mode == MC_MODE_WAL; i++) {
        const mc_op *op = &l->trace.op[i];
        if (op->kind == MC_OP_DELETE && strcmp(mc_file_role(&l->trace, op->file), "journal") == 0) {
            mc_promise other = mc_promise_of(MC_MODE_DELETE, record->sync, l->crash, 1, &source);
            return other > promise ? other : promise;
        }
    }
    return promise;
}

/* Stock SQLite on the state: which commit is it, and may it be? */
static mc_status ask_sqlite(lane *l, size_t point, mc_disk *state, mc_error *error)
{
    const mc_record_options *record = l->options->record;
    mc_losses *out = l->out;
    mc_stock stock;
    uint32_t acked = 0;
    for (size_t i = 0; i < point; i++) {
        const mc_op *op = &l->trace.op[i];
        acked = op->kind == MC_OP_ACKED ? (uint32_t)op->offset : acked;
    }
    if (!mc_stock_ask_disk(state, l->trace.database[0], MC_STOCK_LIMIT_BYTES, &stock)) {
        return no_memory(error);
    }
    mc_arena_reset(&l->arena);
    int commit = mc_live_commit(&l->trace, &stock, &l->arena);
    mc_verdict verdict = {
        .kind = commit < 0                 ? MC_TORN
                : (uint32_t)commit < acked ? MC_STALE
                                           : MC_CLEAN,
        .behind = commit >= 0 && (uint32_t)commit < acked ? acked - (uint32_t)commit : 0};
    mc_promise promise = promise_of(l);
    out->clean += verdict.kind == MC_CLEAN;
    out->stale += verdict.kind == MC_STALE;
    out->torn += verdict.kind == MC_TORN;
    if (!mc_promise_kept(promise, &verdict)) {
        out->broken++;
        if (out->first_broken[0] == '\0') {
            (void)snprintf(out->first_broken, sizeof out->first_broken,
                           "%s/%s/%s, element %zu: SQLite read %s %d of %u acknowledged (%s)",
                           record->workload, mc_mode_names[record->mode],
                           mc_sync_names[record->sync], point, commit < 0 ? "no commit:" : "commit",
                           commit, acked, stock.message);
        }
    }
    mc_stock_free(&stock);
    return MC_OK;
}

static mc_status judge(lane *l, const moment *m, mc_disk *state, mc_error *error)
{
    const mc_record_options *record = l->options->record;
    mc_losses *out = l->out;
    mc_disk killed = {0};
    char why[200];
    bool in = false;
    size_t point = 0;
    mc_status status = allowed(l, m, l->profile, state, &in, &point, why, error);
    size_t last = m->until > m->begun ? m->until : m->begun;
    out->in += in;
    if (status == MC_OK && !in && out->first[0] == '\0') {
        (void)snprintf(out->first, sizeof out->first, "%s/%s/%s, element %zu (%zu..%zu): %s",
                       record->workload, mc_mode_names[record->mode], mc_sync_names[record->sync],
                       point, m->begun, m->until, why);
    }
    for (int i = 0; status == MC_OK && mc_power_profiles[i].name != NULL; i++) {
        bool also = false;
        assert(i < MC_PROFILES_MAX);
        status = allowed(l, m, &mc_power_profiles[i], state, &also, &point, why, error);
        out->in_other[i] += also;
    }
    status = status == MC_OK ? kill_state(&l->trace, last, &killed, error) : status;
    if (status == MC_OK) {
        uint32_t bits = mc_traits_of(&l->trace, last, &killed, state);
        count_classes(out->classes, bits);
        out->killed += bits == 0;
        status = ask_sqlite(l, last, state, error);
    }
    mc_disk_free(&killed);
    return status;
}

/* Mounts what was built and looks into it. */
static mc_status look(lane *l, const moment *m, mc_error *error)
{
    mc_mounted mounted;
    mc_disk state = {0};
    mc_error refused;
    l->out->states++;
    if (mc_realfs_mount(l->options->fs, l->crashed, l->mount, &mounted, &refused) != MC_OK) {
        l->out->unmountable++;
        return MC_OK;
    }
    mc_error ignored;
    mc_status status = mc_live_take(&l->trace.base, l->mount, &state, error);
    mc_status after = mc_realfs_unmount(&mounted, status == MC_OK ? error : &ignored);
    status = status == MC_OK ? after : status;
    mc_diskid id = {0};
    if (status == MC_OK && !mc_diskid_init(&id, &state)) {
        status = no_memory(error);
    }
    if (status == MC_OK) {
        mc_hash128 name = id.id; /* the same directory at another moment is another state */
        name.low ^= (uint64_t)m->begun * UINT64_C(0x9e3779b97f4a7c15);
        name.high ^= (uint64_t)m->until * UINT64_C(0xbf58476d1ce4e5b9);
        uint32_t ignored_number;
        if (!mc_idmap_get(&l->known, name, &ignored_number)) {
            status = mc_idmap_put(&l->known, name, 1) ? MC_OK : no_memory(error);
            l->out->distinct++;
            status = status == MC_OK ? judge(l, m, &state, error) : status;
        }
    }
    mc_diskid_free(&id);
    mc_disk_free(&state);
    return status;
}

/* ---- all states ---- */

static bool put_on(int disk, const mc_blocklog *log, const mc_block *b, uint32_t from, uint32_t to)
{
    return pwrite(disk, log->data + b->data_at + from, to - from, (off_t)(b->offset + from)) ==
           (ssize_t)(to - from);
}

/* How a disk with a cache treats the writes [first, end) since the last flush. */
typedef enum fate { EVERY_WRITE, SOME_WRITES, ALL_BUT_ONE, ONE_WRITE, FATES } fate;

static bool put_some(lane *l, int disk, size_t first, size_t end, fate how)
{
    size_t one = first + (size_t)draw(l, end - first);
    bool ok = true;
    for (size_t i = first; ok && i < end; i++) {
        const mc_block *b = &l->log->block[i];
        bool there = how == EVERY_WRITE || (how == SOME_WRITES && draw(l, 2) == 0) ||
                     (how == ALL_BUT_ONE && i != one) || (how == ONE_WRITE && i == one);
        bool torn = how != EVERY_WRITE && b->size > SECTOR && draw(l, 4) == 0;
        if (there && !torn) {
            ok = put_on(disk, l->log, b, 0, b->size);
        }
        for (uint32_t at = 0; ok && there && torn && at < b->size; at += SECTOR) {
            uint32_t to = at + SECTOR < b->size ? at + SECTOR : b->size;
            ok = draw(l, 2) == 0 || put_on(disk, l->log, b, at, to);
        }
    }
    return ok;
}

/* Builds one disk and looks at it. */
static mc_status build(lane *l, size_t first, size_t end, fate how, const moment *m,
                       mc_error *error)
{
    mc_status status = mc_realfs_copy(l->now, l->crashed, error);
    if (status != MC_OK) {
        return status;
    }
    int disk = open(l->crashed, O_WRONLY | O_CLOEXEC);
    bool ok = disk >= 0 && put_some(l, disk, first, end, how);
    (void)close(disk);
    return ok ? look(l, m, error)
              : mc_fail(error, MC_IO, "losses", "%s: cannot write it", l->crashed);
}

static mc_status flush(lane *l, size_t first, size_t end, mc_error *error)
{
    int disk = open(l->now, O_WRONLY | O_CLOEXEC);
    bool ok = disk >= 0 && (first == end || put_some(l, disk, first, end, EVERY_WRITE));
    (void)close(disk);
    return ok ? MC_OK : mc_fail(error, MC_IO, "losses", "%s: cannot write it", l->now);
}

/* The next block of a kind at or after `i`; the end of the log if there is none. */
static size_t next_block(const mc_blocklog *log, size_t count, size_t i, bool is_flush)
{
    while (i < count && log->block[i].flush != is_flush) {
        i++;
    }
    return i;
}

static size_t done_by(const lane *l, size_t count, size_t i)
{
    return i < count ? l->log->block[i].done : l->trace.op_count;
}

/* At the write `i`, the last of those [first, i] since the last flush. */
static mc_status at_write(lane *l, size_t count, size_t first, size_t i, uint64_t weight,
                          mc_error *error)
{
    const mc_block *b = &l->log->block[i];
    size_t next = next_block(l->log, count, i + 1, false);
    size_t end = next_block(l->log, count, i + 1, true);
    moment m = {.begun = b->begun, .done = b->done, .until = done_by(l, count, next)};
    bool last = next > end;
    mc_status status = MC_OK;
    if (draw(l, weight) < l->options->states * (last ? 4u : 1u)) {
        status = build(l, first, i + 1, EVERY_WRITE, &m, error);
    }
    m.until = done_by(l, count, end);
    if (status == MC_OK && draw(l, weight) < l->options->states * (last ? 4u : 1u)) {
        fate how = (fate)(1 + draw(l, FATES - 1));
        status = build(l, first, i + 1, how, &m, error);
    }
    return status;
}

/* Was anything tested? A workload that syncs must have made the disk flush while it ran; what comes
 * when the device is detached does not count. */
static mc_status check_log(const lane *l, size_t count, mc_error *error)
{
    bool syncs = false;
    bool flushed = false;
    for (size_t i = 0; i < l->trace.op_count; i++) {
        syncs = syncs || l->trace.op[i].kind == MC_OP_SYNC;
    }
    for (size_t i = 0; i < count; i++) {
        const mc_block *b = &l->log->block[i];
        flushed = flushed || (b->flush && b->begun > 0 && b->done < l->trace.op_count);
    }
    if (count > 0 && (flushed || !syncs)) {
        return MC_OK;
    }
    return mc_fail(
        error, MC_IO, "no-flush",
        "%s: the workload synced, and its disk saw no flush of %zu blocks, so nothing was"
        " tested",
        l->options->fs->name, count);
}

static mc_status explore(lane *l, mc_error *error)
{
    size_t count = atomic_load(&l->log->count);
    uint64_t weight = 1;
    for (size_t i = 0; i < count; i++) {
        bool is_flush = l->log->block[i].flush;
        bool last = i + 1 < count && !is_flush && l->log->block[i + 1].flush;
        l->out->flushes += is_flush;
        l->out->writes += !is_flush;
        weight += is_flush ? 0 : last ? 8 : 2;
    }
    if (check_log(l, count, error) != MC_OK) {
        return error->status;
    }
    size_t first = 0;
    mc_status status = MC_OK;
    for (size_t i = 0; status == MC_OK && i < count; i++) {
        if (l->log->block[i].flush) {
            status = flush(l, first, i, error);
            first = i + 1;
        } else {
            status = at_write(l, count, first, i, weight, error);
        }
    }
    return status;
}

/* ---- what the profile has ---- */

static uint32_t choose_at_random(void *context, mc_power_item item, const mc_op *op, uint32_t count)
{
    lane *l = context;
    (void)item;
    (void)op;
    uint64_t lean = draw(l, 3);
    return lean == 0 ? count - 1 : (uint32_t)draw(l, count);
}

static mc_status draw_from_profile(lane *l, mc_error *error)
{
    mc_status status = MC_OK;
    for (int i = 0; status == MC_OK && i < DRAWN; i++) {
        size_t point = (size_t)draw(l, l->trace.op_count + 1);
        mc_disk state = {0};
        mc_disk killed = {0};
        mc_arena_reset(&l->arena);
        status = mc_power_state(&l->trace, point, l->profile, choose_at_random, l, &l->arena,
                                &state, error);
        status = status == MC_OK ? kill_state(&l->trace, point, &killed, error) : status;
        if (status == MC_OK) {
            count_classes(l->out->modelled, mc_traits_of(&l->trace, point, &killed, &state));
            l->out->drawn++;
        }
        mc_disk_free(&state);
        mc_disk_free(&killed);
    }
    return status;
}

static mc_status open_lane(lane *l, const char *folder, char crash[64], mc_error *error)
{
    const mc_losses_options *o = l->options;
    l->profile = mc_power_find(o->fs->profile);
    assert(l->profile != NULL);
    (void)snprintf(crash, 64, "power:%s", o->fs->profile);
    l->crash = crash;
    l->seeded = mc_seeded_init(o->seed);
    l->arena.limit_bytes = ARENA_BYTES;
    (void)snprintf(l->start, sizeof l->start, "%s/start.img", folder);
    (void)snprintf(l->now, sizeof l->now, "%s/now.img", folder);
    (void)snprintf(l->crashed, sizeof l->crashed, "%s/crashed.img", folder);
    (void)snprintf(l->served, sizeof l->served, "%s/served", folder);
    (void)snprintf(l->mount, sizeof l->mount, "%s/mount", folder);
    if (mkdir(l->served, 0700) != 0 || mkdir(l->mount, 0700) != 0) {
        return mc_fail(error, MC_IO, "losses", "%s: cannot make folders", folder);
    }
    l->said = mc_live_said();
    l->log = l->said == NULL ? NULL : mc_blocklog_new(l->said);
    return l->log == NULL ? no_memory(error) : mc_record(o->record, &l->trace, error);
}

static void close_lane(lane *l)
{
    (void)unlink(l->start);
    (void)unlink(l->now);
    (void)unlink(l->crashed);
    (void)rmdir(l->served);
    (void)rmdir(l->mount);
    mc_idmap_free(&l->known);
    mc_blocklog_free(l->log);
    mc_live_said_free(l->said);
    mc_arena_free(&l->arena);
    mc_trace_free(&l->trace);
}

mc_status mc_losses_run(const mc_losses_options *options, const char *folder, mc_losses *losses,
                        mc_error *error)
{
    char crash[64];
    lane l = {.options = options, .out = losses};
    mc_status status = open_lane(&l, folder, crash, error);
    status = status == MC_OK ? prepare(&l, error) : status;
    status = status == MC_OK ? live_on_log(&l, error) : status;
    status = status == MC_OK ? explore(&l, error) : status;
    if (status == MC_OK && losses->states == losses->unmountable) {
        status = mc_fail(error, MC_IO, "no-states",
                         "%s: no disk that was built could be mounted, so"
                         " nothing was tested",
                         options->fs->name);
    }
    status = status == MC_OK ? draw_from_profile(&l, error) : status;
    close_lane(&l);
    return status;
}
