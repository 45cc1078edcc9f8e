/* test_record.c: a recording is complete, deterministic, and marked with the truth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <sqlite3.h>

#include "crashsim/memvfs.h"
#include "crashsim/workload.h"

typedef void check_trace(const mc_record_options *options, const mc_trace *trace);

static void record_and_check(const mc_record_options *options, check_trace *check)
{
    mc_trace trace = {0};
    mc_error error = {0};
    if (mc_record(options, &trace, &error) != MC_OK) {
        print_error("%s %s: %s\n", options->workload, mc_mode_names[options->mode], error.text);
        fail();
    }
    check(options, &trace);
    mc_trace_free(&trace);
}

/* Every workload in every journal mode it is made for, then on every build of the v1 store. */
static void for_each_recording(check_trace *check)
{
    for (const mc_workload *row = mc_workloads; row->name != NULL; row++) {
        mc_record_options options = {
            .workload = row->name, .sync = MC_SYNC_FULL, .page_size = 4096, .seed = 1};
        for (int mode = 0; mode < MC_MODES; mode++) {
            options.mode = (mc_mode)mode;
            if (row->modes & (1u << mode)) {
                record_and_check(&options, check);
            }
        }
        options.mode = MC_MODE_DELETE;
        options.kv = row->kv;
        for (int build = 0; row->kv && build < MC_KV_BUILDS; build++) {
            options.kv_build = (mc_kv_build)build;
            record_and_check(&options, check);
        }
    }
}

static void check_marks(const mc_record_options *options, const mc_trace *trace)
{
    (void)options;
    uint64_t acked = 0;
    bool in_flight = false;
    for (size_t i = 0; i < trace->op_count; i++) {
        const mc_op *op = &trace->op[i];
        assert_true(op->statement < trace->statement_count);
        if (op->kind == MC_OP_BEGUN) {
            assert_false(in_flight);
            assert_int_equal(op->offset, acked + 1);
            in_flight = true;
        } else if (op->kind == MC_OP_ACKED) {
            assert_true(in_flight);
            assert_int_equal(op->offset, acked + 1);
            in_flight = false;
            acked++;
        }
    }
    assert_false(in_flight);
    assert_int_equal(acked, trace->commit_count);
    assert_true(acked > 0);
}

/* Promise: commits are numbered from 1, acknowledged in order, one in flight at a time. */
static void marks_are_well_formed(void **unused)
{
    (void)unused;
    for_each_recording(check_marks);
}

static void check_size(const mc_record_options *options, const mc_trace *trace)
{
    const mc_workload *row = mc_workload_find(options->workload);
    size_t least = trace->is_kv ? 0 : row->named_only ? 10 : 100; /* a batch is one */
    if (trace->op_count < least || trace->op_count > 3000) {
        print_error("%s: %zu operations\n", row->name, trace->op_count);
        fail();
    }
    if (strcmp(row->name, "inplace") == 0) {
        assert_in_range(trace->witness[0].page_count, 50, 70);
    }
    if (strcmp(row->name, "grow") == 0) {
        assert_int_equal(trace->witness[0].page_count, 0);
    }
}

/* Promise: a trace is long enough to be worth killing and short enough to be explored. */
static void traces_have_their_sizes(void **unused)
{
    (void)unused;
    for_each_recording(check_size);
}

static void assert_same_ops(const mc_trace *a, const mc_trace *b)
{
    assert_int_equal(a->op_count, b->op_count);
    for (size_t i = 0; i < a->op_count; i++) {
        const mc_op *left = &a->op[i];
        const mc_op *right = &b->op[i];
        assert_int_equal(left->kind, right->kind);
        assert_int_equal(left->flags, right->flags);
        assert_int_equal(left->file, right->file);
        assert_int_equal(left->offset, right->offset);
        assert_int_equal(left->size, right->size);
        assert_int_equal(left->statement, right->statement);
        if (left->size > 0) {
            assert_memory_equal(left->data, right->data, left->size);
        }
    }
}

static void check_again(const mc_record_options *options, const mc_trace *trace)
{
    mc_trace again = {0};
    mc_error error;
    assert_int_equal(mc_record(options, &again, &error), MC_OK);
    assert_same_ops(trace, &again);
    mc_trace_free(&again);
}

/* Promise: equal options give equal traces, also one after another in one process. */
static void recordings_are_deterministic(void **unused)
{
    (void)unused;
    for_each_recording(check_again);
}

/* Promise: the seed reaches what SQLite draws: the nonce of a journal, the salts of a WAL. */
static void seeds_differ(void **unused)
{
    (void)unused;
    static const mc_mode modes[] = {MC_MODE_DELETE, MC_MODE_WAL};
    for (size_t m = 0; m < 2; m++) {
        mc_trace trace[2];
        memset(trace, 0, sizeof trace);
        mc_error error;
        bool same = true;
        for (size_t i = 0; i < 2; i++) {
            mc_record_options options = {.workload = "inplace",
                                         .mode = modes[m],
                                         .sync = MC_SYNC_FULL,
                                         .page_size = 4096,
                                         .seed = i + 1};
            assert_int_equal(mc_record(&options, &trace[i], &error), MC_OK);
        }
        assert_int_equal(trace[0].op_count, trace[1].op_count);
        for (size_t i = 0; i < trace[0].op_count; i++) {
            const mc_op *a = &trace[0].op[i];
            const mc_op *b = &trace[1].op[i];
            assert_int_equal(a->size, b->size);
            same = same && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
        }
        assert_false(same);
        mc_trace_free(&trace[0]);
        mc_trace_free(&trace[1]);
    }
}

/* Whether one database in the files under `vfs`, read by stock SQLite, is what the witness saw. */
static bool is_witnessed(const mc_memvfs *vfs, const char *name, const mc_witness *witness)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(
        sqlite3_open_v2(name, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, mc_memvfs_name(vfs)),
        SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA page_count", -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    bool same = sqlite3_column_int64(stmt, 0) == witness->page_count;
    assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
    if (same && witness->page_count > 0) {
        uint32_t page_size = witness->page_size;
        sqlite3_int64 size = 0;
        unsigned char *bytes = sqlite3_serialize(db, "main", &size, 0);
        assert_int_equal(size, (sqlite3_int64)witness->page_count * page_size);
        for (uint32_t p = 0; p < witness->page_count; p++) {
            uint64_t hash = mc_page_hash(p + 1, bytes + (size_t)p * page_size, page_size);
            same = same && (witness->page_hash[p] == 0 || witness->page_hash[p] == hash);
        }
        sqlite3_free(bytes);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return same;
}

static bool all_witnessed(const mc_trace *trace, const mc_disk *disk, uint32_t commit)
{
    mc_disk copy = {0};
    assert_true(mc_disk_copy(&copy, disk));
    mc_memvfs *vfs = mc_memvfs_open(&(mc_memvfs_options){.disk = &copy, .seed = 5});
    assert_non_null(vfs);
    bool same = true;
    for (uint32_t d = 0; d < trace->database_count; d++) {
        const mc_witness *witness = &trace->witness[commit * trace->database_count + d];
        same = same && is_witnessed(vfs, trace->database[d], witness);
    }
    mc_memvfs_close(vfs);
    mc_disk_free(&copy);
    return same;
}

/* How many commits stock SQLite does not show when it opens base and trace up to their
 * acknowledgement as the live connection showed them then; the base is asked as commit 0. */
static uint32_t count_not_witnessed(const mc_trace *trace)
{
    mc_disk disk = {0};
    mc_error error;
    assert_true(mc_disk_copy(&disk, &trace->base));
    uint32_t acked = 0;
    uint32_t wrong = !all_witnessed(trace, &disk, 0);
    for (size_t i = 0; i < trace->op_count; i++) {
        assert_int_equal(mc_trace_apply(&disk, &trace->op[i], UINT32_MAX, &error), MC_OK);
        if (trace->op[i].kind == MC_OP_ACKED) {
            acked++;
            wrong += !all_witnessed(trace, &disk, acked);
        }
    }
    mc_disk_free(&disk);
    return wrong;
}

/* SQLite 3.40.1 forgets to forget where to begin rewriting checksums when a savepoint is rolled
 * back (wal.c sqlite3WalSavepointUndo and iReCksum), so the commit's frames do not continue the
 * chain and a recovery loses it and all that follow. 3.53.2 has the missing lines; which version
 * first had them is not known here, so those in between are asked nothing. */
static void check_witnesses(const mc_record_options *options, const mc_trace *trace)
{
    const int with_defect = 3040001;
    const int without_defect = 3053002;
    int version = sqlite3_libversion_number();
    if (trace->is_kv) {
        return;
    }
    bool meets_defect = options->mode == MC_MODE_WAL && strcmp(options->workload, "savepoint") == 0;
    uint32_t wrong = count_not_witnessed(trace);
    if (!meets_defect || version >= without_defect) {
        assert_int_equal(wrong, 0);
    } else if (version <= with_defect) {
        assert_true(wrong > 0);
    }
}

/* Promise: replaying base and trace up to an acknowledgement and opening the result with stock
 * SQLite shows, page by page, what the live connection showed then; but for one known defect. */
static void replay_shows_what_the_witness_saw(void **unused)
{
    (void)unused;
    for_each_recording(check_witnesses);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_are_well_formed),
        cmocka_unit_test(traces_have_their_sizes),
        cmocka_unit_test(recordings_are_deterministic),
        cmocka_unit_test(seeds_differ),
        cmocka_unit_test(replay_shows_what_the_witness_saw),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
