#include "harness/validate/shim.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crashsim/seeded.h"
#include "harness/validate/gate.h"

typedef struct shim_file {
    sqlite3_file base;
    uint16_t number;    /* of the trace's base */
    sqlite3_file *real; /* behind this struct */
} shim_file;

/* One process runs one workload. */
static const mc_shim_plan *plan;
static mc_trace *op_log;
static sqlite3_vfs *unix_vfs;
static sqlite3_vfs shim_vfs;
static mc_seeded seeded;
static size_t next; /* element of the trace */

bool mc_shim_performs(const mc_trace *trace, size_t element)
{
    const mc_op *op = &trace->op[element];
    return op->kind <= MC_OP_DELETE && strcmp(mc_file_role(trace, op->file), "shm") != 0;
}

static _Noreturn void give_up(const char *format, ...) __attribute__((format(printf, 1, 2)));
static _Noreturn void give_up(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(plan->said->error, sizeof plan->said->error, format, arguments);
    va_end(arguments);
    _exit(1);
}

static void die(void)
{
    (void)raise(SIGKILL);
    _exit(1); /* never reached */
}

/* An operation is about to be made: is it the trace's next? */
static void begin(mc_op op)
{
    const mc_trace *trace = plan->trace;
    while (next < trace->op_count && !mc_shim_performs(trace, next)) {
        next++;
    }
    atomic_store(&plan->said->done, next);
    if (plan->die_at != MC_SHIM_NEVER && plan->cut == 0 && next >= (size_t)plan->die_at) {
        die();
    }
    if (next == trace->op_count) {
        give_up("a %s of %s after the trace's end", mc_op_kind_name((mc_op_kind)op.kind),
                trace->base.file[op.file].name);
    }
    const mc_op *want = &trace->op[next];
    bool same = op.kind == want->kind && op.file == want->file && op.offset == want->offset &&
                op.size == want->size;
    if (!same || (op.size > 0 && memcmp(op.data, want->data, op.size) != 0)) {
        give_up("element %zu: the trace has a %s of %s at %llu, %u bytes; SQLite on real files made"
                " a %s of %s at %llu, %u bytes%s",
                next, mc_op_kind_name((mc_op_kind)want->kind), trace->base.file[want->file].name,
                (unsigned long long)want->offset, want->size, mc_op_kind_name((mc_op_kind)op.kind),
                trace->base.file[op.file].name, (unsigned long long)op.offset, op.size,
                same ? " with other content" : "");
    }
    atomic_store(&plan->said->begun, next + 1);
}

static int end(mc_op op, int code)
{
    mc_error error;
    if (code != SQLITE_OK) {
        give_up("element %zu: the file system refused it (SQLite's code %d)", next, code);
    }
    size_t element = next++;
    atomic_store(&plan->said->done, next);
    if (plan->after != NULL) {
        plan->after(plan->context, element);
    }
    op.size = 0;
    op.data = NULL;
    return mc_trace_add(op_log, op, &error) == MC_OK ? SQLITE_OK : SQLITE_NOMEM;
}

#define REAL(f) (((shim_file *)(f))->real)
#define CALL(f, method, ...) REAL(f)->pMethods->method(REAL(f), ##__VA_ARGS__)

static int shim_close(sqlite3_file *f)
{
    return CALL(f, xClose);
}

static int shim_read(sqlite3_file *f, void *out, int amount, sqlite3_int64 offset)
{
    return CALL(f, xRead, out, amount, offset);
}

static int shim_write(sqlite3_file *f, const void *data, int amount, sqlite3_int64 offset)
{
    mc_op op = {.kind = MC_OP_WRITE,
                .file = ((shim_file *)f)->number,
                .offset = (uint64_t)offset,
                .size = (uint32_t)amount,
                .data = data};
    begin(op);
    if (plan->cut > 0 && plan->die_at == (int64_t)next) {
        data = mc_gate_put(data, op.size, op.offset, plan->cut);
        if (data == NULL) {
            give_up("no page of memory that can be withheld from the kernel");
        }
    }
    return end(op, CALL(f, xWrite, data, amount, offset));
}

static int shim_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    mc_op op = {.kind = MC_OP_TRUNCATE, .file = ((shim_file *)f)->number, .offset = (uint64_t)size};
    begin(op);
    return end(op, CALL(f, xTruncate, size));
}

static int shim_sync(sqlite3_file *f, int flags)
{
    mc_op op = {.kind = MC_OP_SYNC, .file = ((shim_file *)f)->number};
    begin(op);
    return end(op, plan->syncs ? CALL(f, xSync, flags) : SQLITE_OK);
}

static int shim_file_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return CALL(f, xFileSize, size);
}

static int shim_lock(sqlite3_file *f, int level)
{
    return CALL(f, xLock, level);
}

static int shim_unlock(sqlite3_file *f, int level)
{
    return CALL(f, xUnlock, level);
}

static int shim_check_reserved_lock(sqlite3_file *f, int *out)
{
    return CALL(f, xCheckReservedLock, out);
}

static int shim_file_control(sqlite3_file *f, int op, void *argument)
{
    return CALL(f, xFileControl, op, argument);
}

static int shim_sector_size(sqlite3_file *f)
{
    return CALL(f, xSectorSize);
}

static int shim_device_characteristics(sqlite3_file *f)
{
    return CALL(f, xDeviceCharacteristics);
}

static int shim_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return CALL(f, xShmMap, page, size, extend, out);
}

static int shim_shm_lock(sqlite3_file *f, int first, int count, int flags)
{
    return CALL(f, xShmLock, first, count, flags);
}

static void shim_shm_barrier(sqlite3_file *f)
{
    CALL(f, xShmBarrier);
}

static int shim_shm_unmap(sqlite3_file *f, int delete_file)
{
    return CALL(f, xShmUnmap, delete_file);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_file_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_check_reserved_lock,
    .xFileControl = shim_file_control,
    .xSectorSize = shim_sector_size,
    .xDeviceCharacteristics = shim_device_characteristics,
    .xShmMap = shim_shm_map,
    .xShmLock = shim_shm_lock,
    .xShmBarrier = shim_shm_barrier,
    .xShmUnmap = shim_shm_unmap,
};

static uint16_t number_of(const char *name)
{
    uint16_t number = mc_disk_find(&plan->trace->base, name);
    if (number == MC_DISK_NONE) {
        give_up("%s: the trace has no such file", name);
    }
    return number;
}

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    (void)vfs;
    if (name == NULL) {
        return unix_vfs->xOpen(unix_vfs, name, f, flags, out); /* a temporary file */
    }
    shim_file *file = (shim_file *)f;
    bool creates = (flags & SQLITE_OPEN_CREATE) != 0 && access(name, F_OK) != 0;
    mc_op op = {.kind = MC_OP_CREATE};
    if (creates) {
        op.file = number_of(name);
        begin(op);
    }
    file->real = (sqlite3_file *)(file + 1);
    int code = unix_vfs->xOpen(unix_vfs, name, file->real, flags, out);
    file->base.pMethods = code == SQLITE_OK ? &methods : NULL;
    if (code == SQLITE_OK) {
        file->number = number_of(name);
    }
    return creates ? end(op, code) : code;
}

static int shim_delete(sqlite3_vfs *vfs, const char *name, int dir_sync)
{
    (void)vfs;
    if (access(name, F_OK) != 0) {
        return unix_vfs->xDelete(unix_vfs, name, dir_sync);
    }
    mc_op op = {.kind = MC_OP_DELETE, .file = number_of(name)};
    begin(op);
    return end(op, unix_vfs->xDelete(unix_vfs, name, plan->syncs ? dir_sync : 0));
}

static int shim_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    (void)vfs;
    return unix_vfs->xAccess(unix_vfs, name, flags, out);
}

/* As the recorder's VFS: names stay relative, so journals that name others have the same bytes. */
static int shim_full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    (void)vfs;
    int length = snprintf(out, (size_t)size, "%s", name);
    return length >= 0 && length < size ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int shim_randomness(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs;
    mc_seeded_bytes(&seeded, out, (size_t)size);
    return size;
}

static int shim_sleep(sqlite3_vfs *vfs, int microseconds)
{
    (void)vfs;
    mc_seeded_sleep(&seeded, microseconds);
    return microseconds;
}

static int shim_current_time_int64(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
    (void)vfs;
    *out = seeded.time_ms;
    return SQLITE_OK;
}

const char *mc_shim_open(const mc_shim_plan *chosen, mc_trace *log)
{
    plan = chosen;
    op_log = log;
    next = 0;
    seeded = mc_seeded_init(plan->seed);
    unix_vfs = sqlite3_vfs_find("unix");
    if (unix_vfs == NULL) {
        return NULL;
    }
    shim_vfs = *unix_vfs;
    shim_vfs.zName = "midcommit-shim";
    shim_vfs.pNext = NULL;
    shim_vfs.szOsFile += (int)sizeof(shim_file);
    shim_vfs.xOpen = shim_open;
    shim_vfs.xDelete = shim_delete;
    shim_vfs.xAccess = shim_access;
    shim_vfs.xFullPathname = shim_full_pathname;
    shim_vfs.xRandomness = shim_randomness;
    shim_vfs.xSleep = shim_sleep;
    shim_vfs.xCurrentTimeInt64 = shim_current_time_int64;
    if (sqlite3_vfs_register(&shim_vfs, 1) != SQLITE_OK) {
        return NULL;
    }
    sqlite3_randomness(0, NULL); /* its next use seeds it from the default VFS */
    return shim_vfs.zName;
}

void mc_shim_finish(void)
{
    const mc_trace *trace = plan->trace;
    while (next < trace->op_count && !mc_shim_performs(trace, next)) {
        next++;
    }
    atomic_store(&plan->said->done, next);
    if (next < trace->op_count) {
        give_up("the program ended at element %zu of %zu", next, trace->op_count);
    }
    if (plan->die_at != MC_SHIM_NEVER) {
        die();
    }
}
