/* test_batch_atomic.c: evidence, apart from the recorder and its file systems, for the known defect
 * `batch-atomic-without-sync` (defects.h): SQLite's own unix VFS on real files, below a shim that
 * offers batch-atomic writes as F2FS does, and processes that are really killed.
 *
 * A process updates every row in one transaction and is killed at its nth write to the main file.
 * Whoever opens the files then, with the plain unix VFS, must find all rows old or all rows new. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <sqlite3.h>

#include "harness/judge/defects.h"

enum { ROWS = 60, ROW_BYTES = 1500, WRITES_MAX = 12, BATCH_WRITES_MAX = 200 };

/* ---- the shim ---- */

typedef struct batched {
    void *data;
    int size;
    sqlite3_int64 offset;
} batched;

typedef struct shim_file {
    sqlite3_file base;
    bool in_batch;
    sqlite3_file *real; /* behind this struct */
} shim_file;

static sqlite3_vfs *unix_vfs;
static bool offers_batches;
static int writes_left; /* until the process dies */
static batched batch[BATCH_WRITES_MAX];
static int batch_count;

#define REAL(f) (((shim_file *)(f))->real)

static int shim_close(sqlite3_file *f)
{
    return REAL(f)->pMethods->xClose(REAL(f));
}

static int shim_read(sqlite3_file *f, void *data, int size, sqlite3_int64 offset)
{
    return REAL(f)->pMethods->xRead(REAL(f), data, size, offset);
}

static int shim_write(sqlite3_file *f, const void *data, int size, sqlite3_int64 offset)
{
    if (((shim_file *)f)->in_batch) {
        if (batch_count == BATCH_WRITES_MAX) {
            return SQLITE_IOERR;
        }
        batched *b = &batch[batch_count++];
        *b = (batched){malloc((size_t)size), size, offset};
        memcpy(b->data, data, (size_t)size);
        return SQLITE_OK;
    }
    if (writes_left == 0) {
        (void)raise(SIGKILL);
    }
    writes_left--;
    return REAL(f)->pMethods->xWrite(REAL(f), data, size, offset);
}

/* All of the batch, or, when the process was to die before, nothing. */
static int commit_batch(shim_file *f)
{
    f->in_batch = false;
    if (writes_left < batch_count) {
        (void)raise(SIGKILL);
    }
    int code = SQLITE_OK;
    for (int i = 0; i < batch_count; i++) {
        code = code == SQLITE_OK ? f->real->pMethods->xWrite(f->real, batch[i].data, batch[i].size,
                                                             batch[i].offset)
                                 : code;
        free(batch[i].data);
    }
    batch_count = 0;
    return code;
}

static int shim_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return REAL(f)->pMethods->xTruncate(REAL(f), size);
}

static int shim_sync(sqlite3_file *f, int flags)
{
    return REAL(f)->pMethods->xSync(REAL(f), flags);
}

static int shim_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return REAL(f)->pMethods->xFileSize(REAL(f), size);
}

static int shim_lock(sqlite3_file *f, int level)
{
    return REAL(f)->pMethods->xLock(REAL(f), level);
}

static int shim_unlock(sqlite3_file *f, int level)
{
    return REAL(f)->pMethods->xUnlock(REAL(f), level);
}

static int shim_reserved(sqlite3_file *f, int *out)
{
    return REAL(f)->pMethods->xCheckReservedLock(REAL(f), out);
}

static int shim_control(sqlite3_file *f, int op, void *argument)
{
    shim_file *file = (shim_file *)f;
    switch (op) {
    case SQLITE_FCNTL_BEGIN_ATOMIC_WRITE:
        file->in_batch = true;
        return SQLITE_OK;
    case SQLITE_FCNTL_COMMIT_ATOMIC_WRITE:
        return commit_batch(file);
    case SQLITE_FCNTL_ROLLBACK_ATOMIC_WRITE:
        file->in_batch = false;
        batch_count = 0;
        return SQLITE_OK;
    default:
        return REAL(f)->pMethods->xFileControl(REAL(f), op, argument);
    }
}

static int shim_sector(sqlite3_file *f)
{
    return REAL(f)->pMethods->xSectorSize(REAL(f));
}

static int shim_characteristics(sqlite3_file *f)
{
    return REAL(f)->pMethods->xDeviceCharacteristics(REAL(f)) |
           (offers_batches ? SQLITE_IOCAP_BATCH_ATOMIC : 0);
}

static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_reserved,
    .xFileControl = shim_control,
    .xSectorSize = shim_sector,
    .xDeviceCharacteristics = shim_characteristics,
};

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    (void)vfs;
    if ((flags & SQLITE_OPEN_MAIN_DB) == 0) {
        return unix_vfs->xOpen(unix_vfs, name, f, flags, out);
    }
    shim_file *file = (shim_file *)f;
    file->in_batch = false;
    file->real = (sqlite3_file *)(file + 1);
    int code = unix_vfs->xOpen(unix_vfs, name, file->real, flags, out);
    file->base.pMethods = code == SQLITE_OK ? &methods : NULL;
    return code;
}

/* ---- the test ---- */

static void run(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
}

static int number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    int value = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        value = sqlite3_column_int(statement, 0);
    }
    (void)sqlite3_finalize(statement);
    return value;
}

static void make_database(const char *path)
{
    sqlite3 *db;
    char sql[256];
    (void)unlink(path);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "unix"),
                     SQLITE_OK);
    (void)snprintf(sql, sizeof sql,
                   "CREATE TABLE t(id INTEGER PRIMARY KEY, v INT, d BLOB); WITH RECURSIVE n(i) AS "
                   "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
                   "INSERT INTO t SELECT i, 0, zeroblob(%d) FROM n",
                   ROWS, ROW_BYTES);
    run(db, sql);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Updates and dies at a write; comes back only when the commit needed fewer. */
static void update_and_die(const char *path, const char *synchronous, int writes)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        sqlite3 *db;
        char sql[64];
        writes_left = writes;
        (void)snprintf(sql, sizeof sql, "PRAGMA synchronous=%s", synchronous);
        if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, "shim") == SQLITE_OK) {
            (void)sqlite3_exec(db, sql, NULL, NULL, NULL);
            (void)sqlite3_exec(db, "UPDATE t SET v = 1", NULL, NULL, NULL);
        }
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* How many of the kills at the first writes of a commit leave some rows old and some new. */
static int torn(bool batches, const char *synchronous)
{
    static const char path[] = "midcommit-test-batch.db";
    int count = 0;
    offers_batches = batches;
    for (int writes = 0; writes < WRITES_MAX; writes++) {
        make_database(path);
        update_and_die(path, synchronous, writes);
        sqlite3 *db;
        assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, "unix"), SQLITE_OK);
        int old = number(db, "SELECT count(*) FROM t WHERE v = 0");
        int updated = number(db, "SELECT count(*) FROM t WHERE v = 1");
        assert_int_equal(old + updated, ROWS);
        count += old > 0 && updated > 0;
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
    }
    (void)unlink(path);
    (void)unlink("midcommit-test-batch.db-journal");
    return count;
}

/* Promise: with batch-atomic writes and synchronous=OFF a killed process tears the database on the
 * versions that the table names and in no other setting. */
static void commits_tear_without_sync_only(void **unused)
{
    (void)unused;
    const mc_defect *defect = mc_defect_named("batch-atomic-without-sync");
    assert_non_null(defect);
    int version = sqlite3_libversion_number();
    bool has_it = sqlite3_compileoption_used("ENABLE_BATCH_ATOMIC_WRITE") != 0 &&
                  version >= defect->first_version && version < defect->fixed_version;
    int without_sync = torn(true, "OFF");
    print_message("SQLite %s: %d kills with batches and synchronous=OFF, %d tore the database\n",
                  sqlite3_libversion(), WRITES_MAX, without_sync);
    assert_true(has_it ? without_sync >= WRITES_MAX - 2 : without_sync == 0);
    assert_int_equal(torn(true, "NORMAL"), 0);
    assert_int_equal(torn(false, "OFF"), 0);
    assert_int_equal(torn(false, "NORMAL"), 0);
}

int main(void)
{
    static sqlite3_vfs shim;
    unix_vfs = sqlite3_vfs_find("unix");
    shim = *unix_vfs;
    shim.zName = "shim";
    shim.szOsFile += (int)sizeof(shim_file);
    shim.xOpen = shim_open;
    if (sqlite3_vfs_register(&shim, 0) != SQLITE_OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(commits_tear_without_sync_only)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
