/* test_unix.c: the memory VFS makes SQLite do what SQLite's own unix VFS makes it do. A spy between
 * SQLite and "unix" writes down every operation on real files while the statements of a recorded
 * trace run again; the two lists must be the same operation by operation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <sqlite3.h>

#include "crashsim/workload.h"

typedef struct spy_file {
    sqlite3_file base;
    const char *role;
    sqlite3_file *real;
} spy_file;

typedef struct seen {
    mc_op_kind kind;
    const char *role;
    uint64_t offset;
    uint64_t size;
    int flags;
} seen;

static sqlite3_vfs *unix_vfs;
static seen *seen_ops;
static size_t seen_count;

static void see(mc_op_kind kind, const char *role, uint64_t offset, uint64_t size, int flags)
{
    if (role == NULL) {
        return; /* a temporary file */
    }
    seen_ops = realloc(seen_ops, (seen_count + 1) * sizeof *seen_ops);
    assert_non_null(seen_ops);
    seen_ops[seen_count++] = (seen){kind, role, offset, size, flags};
}

/* The file's name, without its folder; a super-journal's without its random part. */
static const char *role_of(const char *path)
{
    static const char *const names[] = {"main.db",   "main.db-journal", "main.db-wal",
                                        "aux.db",    "aux.db-journal",  "aux.db-wal",
                                        "main.db-mj"};
    const char *name = path == NULL ? "" : strrchr(path, '/') + 1;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0 || (i == 6 && strncmp(name, names[i], 10) == 0)) {
            return names[i];
        }
    }
    return NULL;
}

#define REAL(file) (((spy_file *)(file))->real)
#define CALL(file, method, ...) REAL(file)->pMethods->method(REAL(file), ##__VA_ARGS__)

static int spy_close(sqlite3_file *file)
{
    int rc = CALL(file, xClose);
    free(REAL(file));
    return rc;
}

static int spy_read(sqlite3_file *file, void *out, int amount, sqlite3_int64 offset)
{
    return CALL(file, xRead, out, amount, offset);
}

static int spy_write(sqlite3_file *file, const void *data, int amount, sqlite3_int64 offset)
{
    see(MC_OP_WRITE, ((spy_file *)file)->role, (uint64_t)offset, (uint64_t)amount, 0);
    return CALL(file, xWrite, data, amount, offset);
}

static int spy_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    see(MC_OP_TRUNCATE, ((spy_file *)file)->role, (uint64_t)size, 0, 0);
    return CALL(file, xTruncate, size);
}

static int spy_sync(sqlite3_file *file, int flags)
{
    int op_flags = (flags & 0x0f) == SQLITE_SYNC_FULL ? MC_OPF_FULL_SYNC : 0;
    op_flags |= flags & SQLITE_SYNC_DATAONLY ? MC_OPF_DATA_ONLY : 0;
    see(MC_OP_SYNC, ((spy_file *)file)->role, 0, 0, op_flags);
    return CALL(file, xSync, flags);
}

static int spy_file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return CALL(file, xFileSize, size);
}

static int spy_lock(sqlite3_file *file, int level)
{
    return CALL(file, xLock, level);
}

static int spy_unlock(sqlite3_file *file, int level)
{
    return CALL(file, xUnlock, level);
}

static int spy_check_reserved_lock(sqlite3_file *file, int *out)
{
    return CALL(file, xCheckReservedLock, out);
}

static int spy_file_control(sqlite3_file *file, int op, void *argument)
{
    return CALL(file, xFileControl, op, argument);
}

static int spy_sector_size(sqlite3_file *file)
{
    return CALL(file, xSectorSize);
}

static int spy_device_characteristics(sqlite3_file *file)
{
    return CALL(file, xDeviceCharacteristics);
}

static int spy_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **out)
{
    return CALL(file, xShmMap, page, size, extend, out);
}

static int spy_shm_lock(sqlite3_file *file, int first, int count, int flags)
{
    return CALL(file, xShmLock, first, count, flags);
}

static void spy_shm_barrier(sqlite3_file *file)
{
    CALL(file, xShmBarrier);
}

static int spy_shm_unmap(sqlite3_file *file, int delete_file)
{
    return CALL(file, xShmUnmap, delete_file);
}

static const sqlite3_io_methods spy_methods = {
    .iVersion = 2,
    .xClose = spy_close,
    .xRead = spy_read,
    .xWrite = spy_write,
    .xTruncate = spy_truncate,
    .xSync = spy_sync,
    .xFileSize = spy_file_size,
    .xLock = spy_lock,
    .xUnlock = spy_unlock,
    .xCheckReservedLock = spy_check_reserved_lock,
    .xFileControl = spy_file_control,
    .xSectorSize = spy_sector_size,
    .xDeviceCharacteristics = spy_device_characteristics,
    .xShmMap = spy_shm_map,
    .xShmLock = spy_shm_lock,
    .xShmBarrier = spy_shm_barrier,
    .xShmUnmap = spy_shm_unmap,
};

static int spy_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *handle, int flags, int *out)
{
    (void)vfs;
    spy_file *file = (spy_file *)handle;
    *file = (spy_file){.role = role_of(name), .real = calloc(1, (size_t)unix_vfs->szOsFile)};
    assert_non_null(file->real);
    bool existed = name != NULL && access(name, F_OK) == 0;
    int rc = unix_vfs->xOpen(unix_vfs, name, file->real, flags, out);
    if (rc != SQLITE_OK) {
        free(file->real);
        return rc;
    }
    file->base.pMethods = &spy_methods;
    if (!existed) {
        see(MC_OP_CREATE, file->role, 0, 0, 0);
    }
    return rc;
}

static int spy_delete(sqlite3_vfs *vfs, const char *name, int dir_sync)
{
    (void)vfs;
    int rc = unix_vfs->xDelete(unix_vfs, name, dir_sync);
    if (rc == SQLITE_OK) {
        see(MC_OP_DELETE, role_of(name), 0, 0, dir_sync & 1 ? MC_OPF_DIR_SYNC : 0);
    }
    return rc;
}

static void put_file(const mc_disk_file *file)
{
    if (file->exists) {
        FILE *out = fopen(file->name, "wb");
        assert_non_null(out);
        assert_int_equal(fwrite(file->data, 1, file->size, out), file->size);
        assert_int_equal(fclose(out), 0);
    }
}

/* As the recorder after each statement: it reads, so that the caches hold the same pages. */
static void read_as_the_witness(sqlite3 *db, const mc_trace *trace)
{
    static const char *const schema[] = {"main", "aux"};
    assert_int_equal(sqlite3_exec(db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL), 0);
    for (uint32_t i = 0; i < trace->database_count; i++) {
        sqlite3_int64 size = 0;
        sqlite3_free(sqlite3_serialize(db, schema[i], &size, 0));
    }
}

static void open_database(sqlite3 **db, const char *settings)
{
    assert_int_equal(
        sqlite3_open_v2("main.db", db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "spy"),
        SQLITE_OK);
    assert_int_equal(sqlite3_exec(*db, settings, NULL, NULL, NULL), SQLITE_OK);
}

static void run_on_unix(const mc_trace *trace)
{
    sqlite3 *db = NULL;
    sqlite3 *reader = NULL;
    open_database(&db, trace->statement[0]);
    for (uint32_t i = 1; i < trace->statement_count; i++) {
        const char *sql = trace->statement[i];
        if (strcmp(sql, "@reopen") == 0) {
            assert_int_equal(sqlite3_close(db), SQLITE_OK);
            open_database(&db, trace->statement[0]);
        } else if (strcmp(sql, "@reader begin") == 0) {
            open_database(&reader, "BEGIN; SELECT count(*) FROM sqlite_schema");
        } else if (strcmp(sql, "@reader end") == 0) {
            assert_int_equal(sqlite3_close(reader), SQLITE_OK);
        } else {
            assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        }
        if (sqlite3_get_autocommit(db)) {
            read_as_the_witness(db, trace);
        }
    }
    size_t count = seen_count;
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    seen_count = count; /* the process is gone before it closes */
}

/* A super-journal and the journals that name it hold paths, which are longer on unix: there only
 * the order of operations is compared. */
static void compare(const mc_record_options *options, const mc_trace *trace)
{
    size_t at = 0;
    bool sizes = trace->database_count == 1;
    for (size_t i = 0; i < trace->op_count; i++) {
        const mc_op *op = &trace->op[i];
        if (op->file == MC_DISK_NONE || strcmp(mc_file_role(trace, op->file), "shm") == 0) {
            continue; /* the spy does not see unix make its shared memory */
        }
        assert_true(at < seen_count);
        const seen *other = &seen_ops[at++];
        char path[MC_DISK_NAME_MAX + 2];
        (void)snprintf(path, sizeof path, "/%s", trace->base.file[op->file].name);
        int flags = op->kind == MC_OP_SYNC ? op->flags & ~MC_OPF_DIR_SYNC : op->flags;
        if (op->kind != other->kind || strcmp(role_of(path), other->role) != 0 ||
            (sizes && (op->offset != other->offset || op->size != other->size)) ||
            flags != other->flags) {
            print_error("%s %s: operation %zu: here %s of %s at %llu, there %s of %s at %llu\n",
                        options->workload, mc_mode_names[options->mode], i,
                        mc_op_kind_name((mc_op_kind)op->kind), path, (unsigned long long)op->offset,
                        mc_op_kind_name(other->kind), other->role,
                        (unsigned long long)other->offset);
            fail();
        }
    }
    assert_int_equal(at, seen_count);
}

static void run_and_compare(const mc_record_options *options)
{
    char folder[] = "midcommit-unix-XXXXXX";
    mc_trace trace = {0};
    mc_error error;
    assert_int_equal(mc_record(options, &trace, &error), MC_OK);
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    for (uint32_t i = 0; i < trace.base.file_count; i++) {
        put_file(&trace.base.file[i]);
    }
    seen_count = 0;
    run_on_unix(&trace);
    compare(options, &trace);
    for (uint32_t i = 0; i < trace.base.file_count; i++) {
        (void)unlink(trace.base.file[i].name);
    }
    assert_int_equal(chdir(".."), 0);
    assert_int_equal(rmdir(folder), 0);
    mc_trace_free(&trace);
}

/* Promise: for every workload and journal mode, the operations, their order, places, sizes and
 * flags are those that SQLite performs on real files. */
static void operations_are_those_on_unix(void **unused)
{
    (void)unused;
    unix_vfs = sqlite3_vfs_find("unix");
    assert_non_null(unix_vfs);
    sqlite3_vfs spy = *unix_vfs;
    spy.zName = "spy";
    spy.szOsFile = (int)sizeof(spy_file);
    spy.xOpen = spy_open;
    spy.xDelete = spy_delete;
    assert_int_equal(sqlite3_vfs_register(&spy, 0), SQLITE_OK);
    for (const mc_workload *row = mc_workloads; row->name != NULL; row++) {
        for (int mode = 0; mode < MC_MODES; mode++) {
            if (row->modes & (1u << mode)) {
                run_and_compare(
                    &(mc_record_options){.workload = row->name,
                                         .mode = (mc_mode)mode,
                                         .sync = mode % 2 == 0 ? MC_SYNC_FULL : MC_SYNC_EXTRA,
                                         .page_size = 4096,
                                         .txns = 2,
                                         .seed = 1});
            }
        }
    }
    assert_int_equal(sqlite3_vfs_unregister(&spy), SQLITE_OK);
    free(seen_ops);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(operations_are_those_on_unix)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
