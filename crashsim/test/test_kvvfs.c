/* test_kvvfs.c: SQLite on the v1 key-value VFS: request by request as MODEL.md says, right in every
 * build, and after a crash at every request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sqlite3.h>

#include "core/bytes.h"
#include "core/v1.h"
#include "crashsim/kvvfs.h"

static const size_t LIMIT = (size_t)256 << 20;

/* A running VFS with its store and trace. */
typedef struct world {
    mc_kvstore store;
    mc_arena arena;
    mc_trace trace;
    uint32_t statement;
    mc_kvvfs *vfs;
    sqlite3 *db;
} world;

static void start(world *w, mc_kv_build build, uint64_t seed)
{
    w->arena.limit_bytes = LIMIT;
    mc_kvvfs_options options = {.store = &w->store,
                                .arena = &w->arena,
                                .trace = &w->trace,
                                .statement = &w->statement,
                                .build = build,
                                .seed = seed};
    w->vfs = mc_kvvfs_open(&options);
    assert_non_null(w->vfs);
}

static void run(world *w, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(w->db, sql, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", sql, message);
    }
    w->statement++;
}

/* Opens as a v1 actor did. */
static void open_database(world *w)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    assert_int_equal(sqlite3_open_v2("main.db", &w->db, flags, mc_kvvfs_name(w->vfs)), SQLITE_OK);
    run(w, "PRAGMA page_size=4096; PRAGMA journal_mode=DELETE; PRAGMA synchronous=NORMAL;"
           "PRAGMA temp_store=MEMORY; PRAGMA auto_vacuum=NONE; PRAGMA locking_mode=EXCLUSIVE");
}

static void close_database(world *w)
{
    assert_int_equal(sqlite3_close(w->db), SQLITE_OK);
    w->db = NULL;
}

static void stop(world *w)
{
    if (w->db != NULL) {
        close_database(w);
    }
    mc_kvvfs_close(w->vfs);
    mc_kvstore_free(&w->store);
    mc_trace_free(&w->trace);
    mc_arena_free(&w->arena);
    *w = (world){0};
}

/* The requests from `first` on, one a line: "put", "delete" or "range", and the keys: a letter for
 * the file (m, j), then "meta" with the size or the chunk's index with the bytes. */
static void describe(const mc_trace *trace, size_t first, char *out, size_t out_size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = first; i < trace->op_count; i++) {
        const mc_op *op = &trace->op[i];
        bool is_put = op->kind == MC_OP_KV_PUT;
        const char *kind = is_put ? "put" : op->kind == MC_OP_KV_DELETE ? "delete" : "range";
        used += (size_t)snprintf(out + used, out_size - used, "%s", kind);
        mc_reader reader = mc_reader_init(op->data, op->size);
        for (uint64_t k = 0; k < op->offset; k++) {
            uint8_t key_size = mc_reader_u8(&reader);
            const uint8_t *key = mc_reader_take(&reader, key_size);
            uint32_t value_size = is_put ? mc_reader_le32(&reader) : 0;
            const uint8_t *value = mc_reader_take(&reader, value_size);
            assert_false(reader.failed);
            used += (size_t)snprintf(out + used, out_size - used, " %c", "mjws?"[key[3]]);
            if (key_size == 8) {
                used +=
                    (size_t)snprintf(out + used, out_size - used, "%u", mc_bytes_get_be32(key + 4));
            } else if (key[2] == 0) {
                used += (size_t)snprintf(out + used, out_size - used, "meta");
            }
            if (is_put) {
                unsigned shown = key_size == 8 ? value_size : mc_bytes_get_le32(value + 2);
                used += (size_t)snprintf(out + used, out_size - used, ":%u", shown);
            }
        }
        used += (size_t)snprintf(out + used, out_size - used, "\n");
        assert_true(used < out_size);
    }
}

static void assert_requests(const world *w, size_t first, const char *expected)
{
    static char found[1 << 20];
    describe(&w->trace, first, found, sizeof found);
    assert_string_equal(found, expected);
}

static void apply(mc_kvstore *store, const mc_op *op)
{
    mc_error error;
    assert_int_equal(mc_kvstore_apply(store, op->kind, op->data, op->size, op->offset, &error),
                     MC_OK);
}

static sqlite3_file *open_file(const world *w, const char *name, int flags)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(mc_kvvfs_name(w->vfs));
    assert_non_null(vfs);
    sqlite3_file *file = calloc(1, (size_t)vfs->szOsFile);
    assert_non_null(file);
    int out;
    if (vfs->xOpen(vfs, name, file, flags, &out) != SQLITE_OK) {
        assert_null(file->pMethods);
        free(file);
        return NULL;
    }
    return file;
}

static void close_file(sqlite3_file *file)
{
    assert_int_equal(file->pMethods->xClose(file), SQLITE_OK);
    free(file);
}

enum { CREATE = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE };

/* Promise: open, write, sync, truncate and delete of a file send the requests of MODEL.md, with no
 * metadata where the size stays, read-back of partly covered chunks, and nothing for a clean sync.
 */
static void calls_become_requests(void **unused)
{
    (void)unused;
    static uint8_t bytes[20000];
    memset(bytes, 7, sizeof bytes);
    for (int build = 0; build < MC_KV_BUILDS; build++) {
        world w = {0};
        start(&w, (mc_kv_build)build, 1);
        assert_null(open_file(&w, "main.db", SQLITE_OPEN_READWRITE));
        assert_null(open_file(&w, "other.db", CREATE));
        assert_null(open_file(&w, NULL, CREATE));
        sqlite3_file *file = open_file(&w, "main.db-journal", CREATE);
        assert_non_null(file);
        const sqlite3_io_methods *io = file->pMethods;
        assert_int_equal(io->xWrite(file, bytes, 100, 0), SQLITE_OK);
        assert_int_equal(io->xWrite(file, bytes, 10, 50), SQLITE_OK);
        assert_int_equal(io->xTruncate(file, 60), SQLITE_OK);
        assert_int_equal(io->xWrite(file, bytes, 5000, 4000), SQLITE_OK);
        assert_int_equal(io->xWrite(file, bytes, 4096, 16384), SQLITE_OK);
        assert_int_equal(io->xSync(file, SQLITE_SYNC_NORMAL), SQLITE_OK);
        assert_int_equal(io->xTruncate(file, 30000), SQLITE_OK);
        assert_int_equal(io->xTruncate(file, 30000), SQLITE_OK);
        assert_int_equal(io->xTruncate(file, 4100), SQLITE_OK);
        assert_int_equal(io->xTruncate(file, 4096), SQLITE_OK);
        close_file(file);
        bool by_key = build == MC_KV_BATCH_128;
        char expected[1000];
        (void)snprintf(expected, sizeof expected,
                       "put jmeta:0\n"
                       "put j0:100 jmeta:100\n"
                       "put j0:100\n"
                       "put jmeta:60\n"
                       "put j0:60\n"
                       "put j0:4096 j1:4096 j2:808 jmeta:9000\n"
                       "put j4:4096 jmeta:20480\n"
                       "put jmeta:30000\n"
                       "put jmeta:4100\n"
                       "put j1:4\n"
                       "%s"
                       "put jmeta:4096\n"
                       "%s",
                       by_key ? "delete j2 j3 j4\n" : "range j2 w\n",
                       by_key ? "delete j1\n" : "range j1 w\n");
        assert_requests(&w, 0, expected);
        sqlite3_vfs *vfs = sqlite3_vfs_find(mc_kvvfs_name(w.vfs));
        size_t before = w.trace.op_count;
        assert_int_equal(vfs->xDelete(vfs, "main.db-journal", 0), SQLITE_OK);
        assert_requests(&w, before, by_key ? "delete jmeta j0\n" : "delete jmeta\nrange j0 w\n");
        assert_int_equal(w.store.count, 0);
        int exists = -1;
        assert_int_equal(vfs->xAccess(vfs, "main.db-journal", SQLITE_ACCESS_EXISTS, &exists), 0);
        assert_int_equal(exists, 0);
        stop(&w);
    }
}

/* Promise: a request carries at most 128 keys: deleting 300 chunks takes one range, or three
 * requests, the first with the metadata and 127 chunks. */
static void long_files_are_deleted_in_pieces(void **unused)
{
    (void)unused;
    for (int build = 0; build < MC_KV_BUILDS; build++) {
        world w = {0};
        start(&w, (mc_kv_build)build, 1);
        sqlite3_file *file = open_file(&w, "main.db-journal", CREATE);
        assert_non_null(file);
        uint8_t page[4096] = {1};
        for (int i = 0; i < 300; i++) {
            assert_int_equal(file->pMethods->xWrite(file, page, 4096, i * 4096), SQLITE_OK);
        }
        close_file(file);
        size_t before = w.trace.op_count;
        sqlite3_vfs *vfs = sqlite3_vfs_find(mc_kvvfs_name(w.vfs));
        assert_int_equal(vfs->xDelete(vfs, "main.db-journal", 0), SQLITE_OK);
        assert_int_equal(w.store.count, 0);
        if (build == MC_KV_BATCH_128) {
            assert_int_equal(w.trace.op_count - before, 3);
            assert_int_equal(w.trace.op[before].offset, 128);
            assert_memory_equal(w.trace.op[before].data, "\x04\x08\x01\x00\x01", 5);
            assert_int_equal(w.trace.op[before + 1].offset, 128);
            assert_int_equal(w.trace.op[before + 2].offset, 301 - 256);
        } else {
            assert_requests(&w, before, "delete jmeta\nrange j0 w\n");
        }
        stop(&w);
    }
}

/* Promise: a batch sends nothing until its commit, which is one request; reads inside see it, a
 * rollback and a commit of more than 128 keys undo it, size included. */
static void batches_are_held_back(void **unused)
{
    (void)unused;
    world w = {0};
    start(&w, MC_KV_BATCH, 1);
    sqlite3_file *file = open_file(&w, "main.db", CREATE);
    assert_non_null(file);
    const sqlite3_io_methods *io = file->pMethods;
    size_t before = w.trace.op_count;
    static uint8_t page[4096];
    uint8_t found[16];
    sqlite3_int64 size;
    memset(page, 5, sizeof page);
    assert_int_equal(io->xFileControl(file, SQLITE_FCNTL_BEGIN_ATOMIC_WRITE, NULL), SQLITE_OK);
    assert_int_equal(io->xWrite(file, page, 4096, 8192), SQLITE_OK);
    assert_int_equal(io->xWrite(file, page, 8, 4), SQLITE_OK); /* merged into the empty page */
    assert_int_equal(io->xWrite(file, page, 8, 12), SQLITE_OK);
    assert_int_equal(io->xRead(file, found, 16, 0), SQLITE_OK);
    assert_memory_equal(found, "SQLi\5\5\5\5\5\5\5\5\5\5\5\5", 16);
    assert_int_equal(io->xRead(file, found, 16, 8192), SQLITE_OK);
    assert_memory_equal(found, page, 16);
    assert_int_equal(w.trace.op_count, before);
    assert_int_equal(io->xFileControl(file, SQLITE_FCNTL_ROLLBACK_ATOMIC_WRITE, NULL), SQLITE_OK);
    assert_int_equal(io->xFileSize(file, &size), SQLITE_OK);
    assert_int_equal(size, 4096);
    assert_int_equal(io->xRead(file, found, 16, 0), SQLITE_OK);
    assert_memory_equal(found, "SQLite format 3", 16);

    assert_int_equal(io->xFileControl(file, SQLITE_FCNTL_BEGIN_ATOMIC_WRITE, NULL), SQLITE_OK);
    assert_int_equal(io->xWrite(file, page, 4096, 8192), SQLITE_OK);
    assert_int_equal(io->xWrite(file, page, 4096, 0), SQLITE_OK);
    assert_int_equal(io->xFileControl(file, SQLITE_FCNTL_COMMIT_ATOMIC_WRITE, NULL), SQLITE_OK);
    assert_requests(&w, before, "put m0:4096 m2:4096 mmeta:12288\n");

    assert_int_equal(io->xFileControl(file, SQLITE_FCNTL_BEGIN_ATOMIC_WRITE, NULL), SQLITE_OK);
    for (int i = 0; i < 128; i++) {
        assert_int_equal(io->xWrite(file, page, 4096, i * 4096), SQLITE_OK);
    }
    assert_int_equal(io->xFileControl(file, SQLITE_FCNTL_COMMIT_ATOMIC_WRITE, NULL), SQLITE_IOERR);
    assert_int_equal(w.trace.op_count, before + 1);
    assert_int_equal(io->xFileSize(file, &size), SQLITE_OK);
    assert_int_equal(size, 12288);
    assert_int_equal(io->xFileControl(file, SQLITE_FCNTL_SIZE_HINT, NULL), SQLITE_NOTFOUND);
    close_file(file);
    stop(&w);
}

/* Promise: reads see chunks, zeros for missing and short ones, nothing past the size, and say when
 * they were short. */
static void reads_are_clipped_and_filled(void **unused)
{
    (void)unused;
    world w = {0};
    start(&w, MC_KV_JOURNAL, 1);
    uint8_t full[4096];
    memset(full, 9, sizeof full);
    uint8_t key[8];
    uint8_t metadata[10];
    mc_v1_metadata_key(key, MC_V1_WAL);
    mc_v1_encode_metadata(metadata, 3 * 4096 + 5);
    assert_true(mc_kvstore_put(&w.store, key, 4, metadata, 10));
    mc_v1_chunk_key(key, MC_V1_WAL, 0);
    assert_true(mc_kvstore_put(&w.store, key, 8, full, 100));
    mc_v1_chunk_key(key, MC_V1_WAL, 2);
    assert_true(mc_kvstore_put(&w.store, key, 8, full, 4096));
    mc_v1_chunk_key(key, MC_V1_WAL, 3);
    assert_true(mc_kvstore_put(&w.store, key, 8, full, 4096));
    sqlite3_file *file = open_file(&w, "main.db-wal", SQLITE_OPEN_READWRITE);
    assert_non_null(file);
    uint64_t requests = mc_kvvfs_requests(w.vfs);
    static uint8_t found[5 * 4096];
    static uint8_t expected[5 * 4096];
    memset(found, 1, sizeof found);
    memset(expected, 9, 100);
    memset(expected + 2 * 4096, 9, 4096 + 5);
    assert_int_equal(file->pMethods->xRead(file, found, sizeof found, 0), SQLITE_IOERR_SHORT_READ);
    assert_memory_equal(found, expected, sizeof found);
    assert_int_equal(file->pMethods->xRead(file, found, 5000, 4000), SQLITE_OK);
    assert_memory_equal(found, expected + 4000, 5000);
    assert_int_equal(mc_kvvfs_requests(w.vfs), requests + 2);
    assert_int_equal(file->pMethods->xRead(file, found, 10, 50000), SQLITE_IOERR_SHORT_READ);
    assert_int_equal(mc_kvvfs_requests(w.vfs),
                     requests + 2); /* the size is known: nothing to get */
    close_file(file);
    stop(&w);
}

/* Promise: metadata that is malformed does not open, for main and sidecar. */
static void malformed_metadata_does_not_open(void **unused)
{
    (void)unused;
    world w = {0};
    start(&w, MC_KV_JOURNAL, 1);
    uint8_t key[4];
    mc_v1_metadata_key(key, MC_V1_MAIN);
    assert_true(mc_kvstore_put(&w.store, key, 4, (const uint8_t *)"\x01\x00\x00", 3));
    assert_null(open_file(&w, "main.db", CREATE));
    sqlite3 *db;
    assert_int_not_equal(sqlite3_open_v2("main.db", &db, CREATE, mc_kvvfs_name(w.vfs)), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(w.trace.op_count, 0);
    stop(&w);
}

/* A program that grows, spills its cache, deletes, shrinks and reopens. */
static const char *const PROGRAM[] = {
    "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)",
    "INSERT INTO t VALUES(1, zeroblob(9000)), (2, 'two')",
    "WITH RECURSIVE n(i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < 60)"
    "INSERT INTO t SELECT i, zeroblob(i * 100) FROM n",
    "UPDATE t SET v = 'changed' WHERE id % 3 = 0",
    "PRAGMA cache_size=10",
    "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 300)"
    "INSERT INTO t SELECT i, hex(zeroblob(1000)) FROM n",
    "BEGIN; DELETE FROM t WHERE id > 50; ROLLBACK",
    "WITH RECURSIVE n(i) AS (SELECT 400 UNION ALL SELECT i + 1 FROM n WHERE i < 540)"
    "INSERT INTO t SELECT i, hex(zeroblob(2000)) FROM n", /* fits the cache, not one request */
    "DELETE FROM t WHERE id > 100",
    "VACUUM",
    "INSERT INTO t VALUES(1000, 'end')",
};
enum { PROGRAM_STATEMENTS = sizeof PROGRAM / sizeof PROGRAM[0], REOPEN_BEFORE = 7 };

/* All rows, each with the end of its value, as one text to be freed with sqlite3_free. */
static char *content(sqlite3 *db)
{
    sqlite3_stmt *statement;
    const char *sql = "SELECT group_concat(id || ':' || length(v) || hex(substr(v, -9)))"
                      " FROM (SELECT * FROM t ORDER BY id)";
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) {
        return sqlite3_mprintf("no table");
    }
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    char *found = sqlite3_mprintf("%s", sqlite3_column_text(statement, 0));
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    return found;
}

static void assert_integrity(sqlite3 *db)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL), 0);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_string_equal(sqlite3_column_text(statement, 0), "ok");
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
}

/* The content after each statement of the program, run where no VFS of ours is involved. */
static void expected_contents(char *expected[PROGRAM_STATEMENTS])
{
    sqlite3 *memory;
    assert_int_equal(sqlite3_open(":memory:", &memory), SQLITE_OK);
    for (int i = 0; i < PROGRAM_STATEMENTS; i++) {
        assert_int_equal(sqlite3_exec(memory, PROGRAM[i], NULL, NULL, NULL), SQLITE_OK);
        expected[i] = content(memory);
    }
    assert_int_equal(sqlite3_close(memory), SQLITE_OK);
}

/* Runs the program; marks[i] is the trace's length after statement i. */
static void run_program(world *w, size_t marks[PROGRAM_STATEMENTS])
{
    open_database(w);
    for (int i = 0; i < PROGRAM_STATEMENTS; i++) {
        if (i == REOPEN_BEFORE) {
            close_database(w);
            open_database(w);
        }
        w->statement = (uint32_t)i;
        run(w, PROGRAM[i]);
        marks[i] = w->trace.op_count;
    }
}

/* Promise: in every build SQLite computes on this VFS what it computes in memory, the trace replays
 * to the live store, and no request has more than 128 keys. */
static void databases_are_right(void **unused)
{
    (void)unused;
    char *expected[PROGRAM_STATEMENTS];
    expected_contents(expected);
    for (int build = 0; build < MC_KV_BUILDS; build++) {
        world w = {0};
        start(&w, (mc_kv_build)build, 1);
        size_t marks[PROGRAM_STATEMENTS];
        run_program(&w, marks);
        char *found = content(w.db);
        assert_string_equal(found, expected[PROGRAM_STATEMENTS - 1]);
        sqlite3_free(found);
        assert_integrity(w.db);
        close_database(&w);
        mc_kvstore replayed = {0};
        for (size_t i = 0; i < w.trace.op_count; i++) {
            apply(&replayed, &w.trace.op[i]);
            assert_in_range(w.trace.op[i].offset, 1, MC_KV_REQUEST_KEYS_MAX);
            assert_int_equal(w.trace.op[i].file, MC_DISK_NONE);
        }
        assert_true(mc_hash128_equal(mc_kvstore_hash(&replayed), mc_kvstore_hash(&w.store)));
        mc_kvstore_free(&replayed);
        stop(&w);
    }
    for (int i = 0; i < PROGRAM_STATEMENTS; i++) {
        sqlite3_free(expected[i]);
    }
}

/* Promise: equal seeds give equal traces, statement numbers included; another seed another trace.
 */
static void runs_repeat(void **unused)
{
    (void)unused;
    for (int build = 0; build < MC_KV_BUILDS; build++) {
        world w[3] = {0};
        size_t marks[PROGRAM_STATEMENTS];
        for (int i = 0; i < 3; i++) {
            start(&w[i], (mc_kv_build)build, i < 2 ? 5 : 6);
            run_program(&w[i], marks);
            close_database(&w[i]);
        }
        assert_int_equal(w[0].trace.op_count, w[1].trace.op_count);
        bool other = w[0].trace.op_count != w[2].trace.op_count;
        for (size_t i = 0; i < w[0].trace.op_count; i++) {
            const mc_op *a = &w[0].trace.op[i];
            const mc_op *b = &w[1].trace.op[i];
            assert_int_equal(a->kind, b->kind);
            assert_int_equal(a->statement, b->statement);
            assert_int_equal(a->size, b->size);
            assert_memory_equal(a->data, b->data, a->size);
            const mc_op *c = &w[2].trace.op[i < w[2].trace.op_count ? i : 0];
            other = other || a->size != c->size || memcmp(a->data, c->data, a->size) != 0;
        }
        assert_true(other); /* the journal's nonce is random */
        for (int i = 1; i < PROGRAM_STATEMENTS; i++) {
            bool silent = marks[i] == marks[i - 1];
            assert_true(silent || w[2].trace.op[marks[i] - 1].statement == (uint32_t)i);
        }
        for (int i = 0; i < 3; i++) {
            stop(&w[i]);
        }
    }
}

/* Promise: one transaction in a build with a rollback journal is, request by request, what FORMATS
 * says; with EXCLUSIVE locking SQLite ends it by zeroing the journal's header, not by deleting it.
 */
static void journal_commit_request_by_request(void **unused)
{
    (void)unused;
    world w = {0};
    start(&w, MC_KV_JOURNAL, 1);
    open_database(&w);
    assert_requests(&w, 0, "put m0:4096 mmeta:4096\n");
    run(&w, "CREATE TABLE t(v)");
    size_t before = w.trace.op_count;
    run(&w, "INSERT INTO t VALUES(1)");
    /* The journal's header has a sector of 4096 bytes, chunk 0. The record of page 2 is a page
     * number (chunk 1), the page (4 bytes later, so chunks 1 and 2) and a checksum (chunk 2). Then
     * the record count goes into the header, page 2 into main, zeros into the header. Chunk 1 is
     * whole because the journal of CREATE TABLE is still there; page 1 stays, because under an
     * EXCLUSIVE lock the change counter is raised once. */
    assert_requests(&w, before,
                    "put j0:4096\n"
                    "put j1:4096\nput j1:4096 j2:8\nput j2:8\n"
                    "put j0:4096\n"
                    "put m1:4096\n"
                    "put j0:4096\n");
    before = w.trace.op_count;
    close_database(&w);
    assert_requests(&w, before, "delete jmeta\nrange j0 w\n");
    stop(&w);
}

/* Promise: with batch-atomic support a commit is one put of all dirty chunks and the metadata when
 * the size changed; past 128 keys nothing leaves the batch and SQLite falls back to a journal. */
static void batch_commit_is_one_request(void **unused)
{
    (void)unused;
    if (!mc_kvvfs_batch_supported()) {
        skip();
    }
    for (int build = MC_KV_BATCH; build <= MC_KV_BATCH_128; build++) {
        world w = {0};
        start(&w, (mc_kv_build)build, 1);
        open_database(&w);
        run(&w, "CREATE TABLE t(v)");
        assert_requests(&w, 0, "put m0:4096 mmeta:4096\nput m0:4096 m1:4096 mmeta:8192\n");
        size_t before = w.trace.op_count;
        run(&w, "INSERT INTO t VALUES(1)");
        assert_requests(&w, before, "put m1:4096\n");
        /* 125 overflow pages: with main's two and the metadata exactly 128 keys. */
        before = w.trace.op_count;
        run(&w, "INSERT INTO t VALUES(zeroblob(125 * 4092))");
        assert_int_equal(w.trace.op_count, before + 1);
        assert_int_equal(w.trace.op[before].offset, 128);
        before = w.trace.op_count;
        run(&w, "INSERT INTO t VALUES(zeroblob(126 * 4092))");
        assert_true(w.trace.op_count > before + 128);
        assert_memory_equal(w.trace.op[before].data, "\x04\x08\x01\x00\x01", 5);
        uint64_t keys_into_main = 0;
        for (size_t i = before; i < w.trace.op_count; i++) {
            keys_into_main += memcmp(w.trace.op[i].data + 1, "\x08\x01\x01\x00", 4) == 0;
        }
        assert_int_equal(keys_into_main, 128); /* one page a request: no batch */
        close_database(&w);                    /* what it says now comes from the store */
        open_database(&w);
        assert_integrity(w.db);
        stop(&w);
    }
}

/* What an actor finds that opens the store after a crash; to be freed with sqlite3_free. */
static char *recovered_content(const mc_kvstore *store, mc_kv_build build, bool check_integrity)
{
    world w = {.arena = {.limit_bytes = LIMIT}};
    assert_true(mc_kvstore_copy(&w.store, store));
    mc_kvvfs_options options = {.store = &w.store, .arena = &w.arena, .build = build};
    w.vfs = mc_kvvfs_open(&options);
    assert_non_null(w.vfs);
    open_database(&w);
    char *found = content(w.db);
    if (check_integrity) {
        assert_integrity(w.db);
    }
    stop(&w);
    return found;
}

/* Promise: after a crash between any two requests stock SQLite recovers, through this VFS, what the
 * last acknowledged statement or the one in flight left (the truth that the `kv` model stands on).
 */
static void crash_at_every_request(void **unused)
{
    (void)unused;
    char *expected[PROGRAM_STATEMENTS];
    expected_contents(expected);
    for (int build = 0; build < MC_KV_BUILDS; build++) {
        if (build == MC_KV_BATCH && !mc_kvvfs_batch_supported()) {
            continue; /* request by request the same as MC_KV_JOURNAL */
        }
        world w = {0};
        start(&w, (mc_kv_build)build, 1);
        size_t marks[PROGRAM_STATEMENTS];
        run_program(&w, marks);
        mc_kvstore live = {0};
        int acked = 0;
        int rolled_back = 0;
        for (size_t i = 0; i < w.trace.op_count; i++) {
            apply(&live, &w.trace.op[i]);
            while (acked < PROGRAM_STATEMENTS && marks[acked] <= i + 1) {
                acked++;
            }
            char *found = recovered_content(&live, (mc_kv_build)build, i % 16 == 0);
            const char *before = acked == 0 ? "no table" : expected[acked - 1];
            const char *after = acked == PROGRAM_STATEMENTS ? before : expected[acked];
            if (strcmp(found, before) != 0 && strcmp(found, after) != 0) {
                fail_msg("build %d, request %zu: neither statement %d nor the one before", build, i,
                         acked);
            }
            rolled_back += strcmp(before, after) != 0 && strcmp(found, before) == 0;
            sqlite3_free(found);
        }
        assert_true(rolled_back > 0); /* some crash did fall inside a commit */
        mc_kvstore_free(&live);
        stop(&w);
    }
    for (int i = 0; i < PROGRAM_STATEMENTS; i++) {
        sqlite3_free(expected[i]);
    }
}

/* Promise: a hostile size of a file does not make deleting it endless. */
static void hostile_size_is_deleted_quickly(void **unused)
{
    (void)unused;
    world w = {0};
    start(&w, MC_KV_BATCH_128, 1);
    uint8_t key[8];
    uint8_t metadata[10];
    mc_v1_metadata_key(key, MC_V1_JOURNAL);
    mc_v1_encode_metadata(metadata, MC_V1_FILE_BYTES_MAX);
    assert_true(mc_kvstore_put(&w.store, key, 4, metadata, 10));
    mc_v1_chunk_key(key, MC_V1_JOURNAL, 200);
    assert_true(mc_kvstore_put(&w.store, key, 8, metadata, 10));
    sqlite3_vfs *vfs = sqlite3_vfs_find(mc_kvvfs_name(w.vfs));
    assert_int_equal(vfs->xDelete(vfs, "main.db-journal", 0), SQLITE_OK);
    assert_int_equal(w.store.count, 0);
    assert_int_equal(w.trace.op_count, 2);
    stop(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_become_requests),
        cmocka_unit_test(long_files_are_deleted_in_pieces),
        cmocka_unit_test(batches_are_held_back),
        cmocka_unit_test(reads_are_clipped_and_filled),
        cmocka_unit_test(malformed_metadata_does_not_open),
        cmocka_unit_test(databases_are_right),
        cmocka_unit_test(runs_repeat),
        cmocka_unit_test(journal_commit_request_by_request),
        cmocka_unit_test(batch_commit_is_one_request),
        cmocka_unit_test(crash_at_every_request),
        cmocka_unit_test(hostile_size_is_deleted_quickly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
