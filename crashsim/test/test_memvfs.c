/* test_memvfs.c: stock SQLite on a disk in memory behaves as it does on unix. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <sqlite3.h>

#include "crashsim/memvfs.h"
#include "crashsim/record.h"
#include "crashsim/stock.h"

typedef struct fixture {
    mc_disk disk;
    mc_memvfs *vfs;
    sqlite3 *db[3];
} fixture;

static void open_fixture(fixture *f)
{
    *f = (fixture){0};
    f->vfs = mc_memvfs_open(&(mc_memvfs_options){.disk = &f->disk, .seed = 1});
    assert_non_null(f->vfs);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(sqlite3_open_v2("main.db", &f->db[i],
                                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                                         mc_memvfs_name(f->vfs)),
                         SQLITE_OK);
    }
}

static void close_fixture(fixture *f)
{
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(sqlite3_close(f->db[i]), SQLITE_OK);
    }
    mc_memvfs_close(f->vfs);
    mc_disk_free(&f->disk);
}

static int run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static sqlite3_int64 number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    sqlite3_int64 result = sqlite3_column_int64(stmt, 0);
    assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
    return result;
}

/* Promise: with a rollback journal a reader keeps a writer from committing, a writer that waits
 * keeps new readers out, and two writers exclude each other (sqlite.org/lockingv3.html). */
static void rollback_locks_exclude(void **unused)
{
    (void)unused;
    fixture f;
    open_fixture(&f);
    assert_int_equal(run(f.db[0], "CREATE TABLE t(x); INSERT INTO t VALUES(1)"), SQLITE_OK);
    assert_int_equal(run(f.db[0], "BEGIN; SELECT * FROM t"), SQLITE_OK);
    assert_int_equal(run(f.db[1], "BEGIN IMMEDIATE; INSERT INTO t VALUES(2)"), SQLITE_OK);
    assert_int_equal(run(f.db[2], "BEGIN IMMEDIATE"), SQLITE_BUSY);
    assert_int_equal(number(f.db[2], "SELECT count(*) FROM t"), 1); /* RESERVED lets readers in */
    assert_int_equal(run(f.db[1], "COMMIT"), SQLITE_BUSY);
    assert_int_equal(run(f.db[2], "SELECT * FROM t"), SQLITE_BUSY); /* PENDING does not */
    assert_int_equal(run(f.db[0], "COMMIT"), SQLITE_OK);
    assert_int_equal(run(f.db[1], "COMMIT"), SQLITE_OK);
    assert_int_equal(number(f.db[2], "SELECT count(*) FROM t"), 2);
    close_fixture(&f);
}

/* Promise: with a WAL a reader keeps its snapshot while a writer commits, and writers exclude each
 * other (sqlite.org/wal.html). */
static void wal_gives_snapshots(void **unused)
{
    (void)unused;
    fixture f;
    open_fixture(&f);
    assert_int_equal(run(f.db[0], "PRAGMA journal_mode=WAL; CREATE TABLE t(x)"), SQLITE_OK);
    assert_int_equal(run(f.db[1], "BEGIN; SELECT count(*) FROM t"), SQLITE_OK);
    assert_int_equal(run(f.db[0], "BEGIN IMMEDIATE; INSERT INTO t VALUES(1)"), SQLITE_OK);
    assert_int_equal(run(f.db[2], "BEGIN IMMEDIATE"), SQLITE_BUSY);
    assert_int_equal(run(f.db[0], "COMMIT"), SQLITE_OK);
    assert_int_equal(number(f.db[1], "SELECT count(*) FROM t"), 0);
    assert_int_equal(number(f.db[2], "SELECT count(*) FROM t"), 1);
    assert_int_equal(number(f.db[0], "PRAGMA wal_checkpoint(TRUNCATE)"),
                     1); /* the reader is busy */
    assert_int_equal(run(f.db[1], "COMMIT"), SQLITE_OK);
    assert_int_equal(number(f.db[0], "PRAGMA wal_checkpoint(TRUNCATE)"), 0);
    close_fixture(&f);
}

/* Promise: a connection that stays open while the disk is rewound under it reads the disk's WAL
 * anew once the WAL index was dropped. */
static void dropped_index_is_recovered(void **unused)
{
    (void)unused;
    fixture f;
    open_fixture(&f);
    assert_int_equal(run(f.db[0], "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;"
                                  "CREATE TABLE t(x); INSERT INTO t VALUES(1)"),
                     SQLITE_OK);
    mc_disk_begin(&f.disk);
    assert_int_equal(run(f.db[0], "INSERT INTO t VALUES(2)"), SQLITE_OK);
    assert_int_equal(number(f.db[0], "SELECT count(*) FROM t"), 2);
    mc_disk_rewind(&f.disk);
    mc_memvfs_drop_shm(f.vfs);
    assert_int_equal(number(f.db[0], "SELECT count(*) FROM t"), 1);
    assert_int_equal(run(f.db[0], "INSERT INTO t VALUES(3)"), SQLITE_OK);
    assert_int_equal(number(f.db[1], "SELECT sum(x) FROM t"), 4);
    close_fixture(&f);
}

static void assert_same_disk(const mc_disk *a, const mc_disk *b)
{
    for (uint32_t i = 0; i < a->file_count; i++) {
        if (i >= b->file_count) {
            assert_false(a->file[i].exists);
            continue;
        }
        assert_int_equal(a->file[i].exists, b->file[i].exists);
        assert_int_equal(a->file[i].size, b->file[i].size);
        if (a->file[i].size > 0) {
            assert_memory_equal(a->file[i].data, b->file[i].data, a->file[i].size);
        }
    }
}

static mc_trace recorded(const char *workload, mc_mode mode, mc_sync sync)
{
    mc_trace trace = {0};
    mc_error error;
    mc_record_options options = {
        .workload = workload, .mode = mode, .sync = sync, .page_size = 4096, .seed = 1};
    assert_int_equal(mc_record(&options, &trace, &error), MC_OK);
    return trace;
}

/* Promise: stock SQLite can recover a state in place, and undo gives the exact bytes back. */
static void recovery_is_undone(void **unused)
{
    (void)unused;
    static const mc_mode modes[] = {MC_MODE_DELETE, MC_MODE_WAL};
    for (size_t m = 0; m < 2; m++) {
        mc_trace trace = recorded("spill", modes[m], MC_SYNC_FULL);
        mc_error error;
        mc_disk disk = {0};
        assert_true(mc_disk_copy(&disk, &trace.base));
        /* To just before the last COMMIT: main, or the WAL, is full of what has spilled. */
        for (size_t i = 0;
             trace.op[i].offset < trace.commit_count || trace.op[i].kind != MC_OP_BEGUN; i++) {
            assert_int_equal(mc_trace_apply(&disk, &trace.op[i], UINT32_MAX, &error), MC_OK);
        }
        mc_disk before = {0};
        assert_true(mc_disk_copy(&before, &disk));
        mc_memvfs *vfs = mc_memvfs_open(&(mc_memvfs_options){.disk = &disk, .seed = 2});
        sqlite3_int64 answer[2];
        for (int round = 0; round < 2; round++) {
            sqlite3 *db = NULL;
            mc_memvfs_restart(vfs);
            mc_disk_begin(&disk);
            assert_int_equal(
                sqlite3_open_v2("main.db", &db, SQLITE_OPEN_READWRITE, mc_memvfs_name(vfs)),
                SQLITE_OK);
            answer[round] = number(db, "SELECT sum(version) + count(*) FROM t");
            assert_int_equal(sqlite3_close(db), SQLITE_OK);
            assert_true(disk.change_count > 0);
            assert_false(disk.file[mc_disk_find(&disk, modes[m] == MC_MODE_WAL ? "main.db-wal"
                                                                               : "main.db-journal")]
                             .exists);
            mc_disk_rewind(&disk);
            assert_same_disk(&disk, &before);
        }
        assert_int_equal(answer[0], answer[1]);
        mc_memvfs_close(vfs);
        mc_disk_free(&before);
        mc_disk_free(&disk);
        mc_trace_free(&trace);
    }
}

static uint32_t count_ops(const mc_trace *trace, mc_op_kind kind, const char *role, int flag)
{
    uint32_t count = 0;
    for (size_t i = 0; i < trace->op_count; i++) {
        const mc_op *op = &trace->op[i];
        count += op->kind == kind && strcmp(mc_file_role(trace, op->file), role) == 0 &&
                 (op->flags & flag) == flag;
    }
    return count;
}

/* Promise: the directory is synced where unix does: with the first sync of each journal, never with
 * main's, and after the journal's unlink only with synchronous=EXTRA (pragma.html, "synchronous").
 */
static void directory_is_synced_as_on_unix(void **unused)
{
    (void)unused;
    mc_trace full = recorded("inplace", MC_MODE_DELETE, MC_SYNC_FULL);
    mc_trace extra = recorded("inplace", MC_MODE_DELETE, MC_SYNC_EXTRA);
    assert_int_equal(full.commit_count, 8);
    assert_int_equal(count_ops(&full, MC_OP_SYNC, "journal", MC_OPF_DIR_SYNC), 8);
    assert_int_equal(count_ops(&full, MC_OP_SYNC, "journal", 0), 16);
    assert_int_equal(count_ops(&full, MC_OP_SYNC, "main", 0), 8);
    assert_int_equal(count_ops(&full, MC_OP_SYNC, "main", MC_OPF_DIR_SYNC), 0);
    assert_int_equal(count_ops(&full, MC_OP_DELETE, "journal", 0), 8);
    assert_int_equal(count_ops(&full, MC_OP_DELETE, "journal", MC_OPF_DIR_SYNC), 0);
    assert_int_equal(count_ops(&extra, MC_OP_DELETE, "journal", MC_OPF_DIR_SYNC), 8);
    mc_trace_free(&full);
    mc_trace_free(&extra);
}

/* Promise: temporary files, when SQLite does put them in files, leave no trace on the disk. */
static void temporary_files_stay_outside(void **unused)
{
    (void)unused;
    fixture f;
    open_fixture(&f);
    mc_disk_begin(&f.disk);
    assert_int_equal(run(f.db[0],
                         "PRAGMA temp_store=FILE; PRAGMA temp.cache_size=5;"
                         "CREATE TEMP TABLE x AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
                         "SELECT i + 1 FROM n LIMIT 3000) SELECT randomblob(500) AS b FROM n;"
                         "UPDATE x SET b = randomblob(501)"),
                     SQLITE_OK);
    assert_int_equal(number(f.db[0], "SELECT count(DISTINCT b) FROM x"), 3000);
    assert_int_equal(f.disk.change_count, 0);
    mc_disk_accept(&f.disk);
    close_fixture(&f);
}

/* Promise: reads past the end are zero-filled and say so, and an empty file "does not exist"
 * (os_unix.c unixRead, unixAccess). */
static void small_files_read_as_on_unix(void **unused)
{
    (void)unused;
    mc_disk disk = {0};
    mc_memvfs *vfs = mc_memvfs_open(&(mc_memvfs_options){.disk = &disk, .seed = 1});
    sqlite3_vfs *base = sqlite3_vfs_find(mc_memvfs_name(vfs));
    sqlite3_file *file = calloc(1, (size_t)base->szOsFile);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_MAIN_JOURNAL;
    int exists = 1;
    char buffer[8] = "xxxxxxxx";
    assert_int_equal(base->xOpen(base, "j", file, flags, NULL), SQLITE_CANTOPEN);
    assert_null(file->pMethods);
    flags |= SQLITE_OPEN_CREATE;
    assert_int_equal(base->xOpen(base, "j", file, flags, NULL), SQLITE_OK);
    assert_int_equal(base->xAccess(base, "j", SQLITE_ACCESS_EXISTS, &exists), SQLITE_OK);
    assert_int_equal(exists, 0);
    assert_int_equal(file->pMethods->xWrite(file, "abc", 3, 0), SQLITE_OK);
    assert_int_equal(base->xAccess(base, "j", SQLITE_ACCESS_EXISTS, &exists), SQLITE_OK);
    assert_int_equal(exists, 1);
    assert_int_equal(file->pMethods->xRead(file, buffer, 8, 1), SQLITE_IOERR_SHORT_READ);
    assert_memory_equal(buffer, "bc\0\0\0\0\0\0", 8);
    sqlite3_int64 size_hint = 100000;
    assert_int_equal(file->pMethods->xFileControl(file, SQLITE_FCNTL_SIZE_HINT, &size_hint),
                     SQLITE_OK);
    assert_int_equal(disk.file[0].size, 3);
    assert_int_equal(file->pMethods->xClose(file), SQLITE_OK);
    flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_JOURNAL;
    assert_int_equal(base->xOpen(base, "j", file, flags, NULL), SQLITE_OK);
    assert_int_equal(file->pMethods->xWrite(file, "abc", 3, 0), SQLITE_IOERR_WRITE);
    assert_int_equal(file->pMethods->xTruncate(file, 0), SQLITE_IOERR_TRUNCATE);
    assert_int_equal(file->pMethods->xClose(file), SQLITE_OK);
    assert_int_equal(disk.file[0].size, 3);
    assert_int_equal(base->xDelete(base, "j", 0), SQLITE_OK);
    assert_int_equal(base->xDelete(base, "j", 0), SQLITE_IOERR_DELETE_NOENT);
    free(file);
    mc_memvfs_close(vfs);
    mc_disk_free(&disk);
}

/* Promise: a file of one byte counts as empty (os_unix.c unixFileSize), in memory as on a real file
 * system: SQLite finds an empty database. */
static void one_byte_is_an_empty_database(void **unused)
{
    (void)unused;
    char path[] = "midcommit-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(close(fd), 0);
    mc_stock real;
    mc_stock_ask(path, "unix", MC_STOCK_LIMIT_BYTES, &real);
    assert_int_equal(unlink(path), 0);
    mc_disk disk = {0};
    uint16_t file = mc_disk_slot(&disk, "main.db");
    assert_true(mc_disk_create(&disk, file) && mc_disk_write(&disk, file, 0, "x", 1));
    mc_stock simulated;
    assert_true(mc_stock_ask_disk(&disk, "main.db", MC_STOCK_LIMIT_BYTES, &simulated));
    assert_int_equal(real.code, SQLITE_OK);
    assert_int_equal(simulated.code, real.code);
    assert_int_equal(simulated.page_count, real.page_count);
    mc_stock_free(&real);
    mc_stock_free(&simulated);
    mc_disk_free(&disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rollback_locks_exclude),
        cmocka_unit_test(wal_gives_snapshots),
        cmocka_unit_test(dropped_index_is_recovered),
        cmocka_unit_test(recovery_is_undone),
        cmocka_unit_test(directory_is_synced_as_on_unix),
        cmocka_unit_test(temporary_files_stay_outside),
        cmocka_unit_test(small_files_read_as_on_unix),
        cmocka_unit_test(one_byte_is_an_empty_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
