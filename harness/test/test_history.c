/* test_history.c: the snapshots are what SQLite itself says, and a trace that lies is noticed. */
#include "harness/test/walk.h"

#include <sqlite3.h>

#include "crashsim/memvfs.h"

typedef void check_history(mc_trace *trace, mc_history *history);

static void build_and_check(const mc_record_options *options, check_history *check)
{
    mc_trace trace;
    mc_history history;
    walk_record(options, &trace);
    walk_build(&trace, true, &history);
    check(&trace, &history);
    mc_history_free(&history);
    mc_trace_free(&trace);
}

/* Every workload in every mode it is made for, and on every build of the v1 store. */
static void for_each_history(check_history *check)
{
    for (const mc_workload *row = mc_workloads; row->name != NULL; row++) {
        mc_record_options options = walk_options(row->name, MC_MODE_DELETE);
        for (int mode = 0; mode < MC_MODES; mode++) {
            options.mode = (mc_mode)mode;
            if ((row->modes & 1u << mode) != 0) {
                build_and_check(&options, check);
            }
        }
        options.mode = MC_MODE_DELETE;
        options.kv = row->kv;
        for (int build = 0; row->kv && build < MC_KV_BUILDS; build++) {
            options.kv_build = (mc_kv_build)build;
            build_and_check(&options, check);
        }
    }
}

static uint64_t witnessed_pages;

static void check_witness(mc_trace *trace, mc_history *history)
{
    assert_int_equal(history->snapshot_count, trace->commit_count + 1);
    for (uint32_t k = 0; k < history->snapshot_count; k++) {
        for (uint32_t d = 0; d < trace->database_count; d++) {
            const mc_witness *witness = &trace->witness[k * trace->database_count + d];
            assert_int_not_equal(witness->page_count, MC_WITNESS_NONE);
            assert_int_equal(history->snapshot[k].page_count[d], witness->page_count);
            for (uint32_t page = 1; page <= witness->page_count; page++) {
                assert_int_equal(mc_history_page(history, k, d, page),
                                 witness->page_hash[page - 1]);
                witnessed_pages++;
            }
            assert_int_equal(mc_history_page(history, k, d, witness->page_count + 1), MC_ANY);
        }
    }
}

/* Promise: what the trace says the database was after each commit is, page by page, what the live
 * connection read then, for every workload in every journal mode and on the v1 store. */
static void snapshots_are_what_the_witness_saw(void **unused)
{
    (void)unused;
    for_each_history(check_witness);
    assert_true(witnessed_pages > 50000);
}

static void check_hashes_alone(mc_trace *trace, mc_history *history)
{
    mc_history lean;
    walk_build(trace, false, &lean);
    assert_int_equal(lean.snapshot_count, history->snapshot_count);
    assert_int_equal(lean.delta_count, history->delta_count);
    for (uint32_t d = 0; d < trace->database_count; d++) {
        assert_null(lean.base_page[d]);
        for (uint32_t k = 0; k < lean.snapshot_count; k++) {
            uint32_t pages = lean.snapshot[k].page_count[d];
            assert_int_equal(pages, history->snapshot[k].page_count[d]);
            for (uint32_t page = 1; page <= pages; page++) {
                assert_int_equal(mc_history_page(&lean, k, d, page),
                                 mc_history_page(history, k, d, page));
            }
        }
    }
    mc_history_free(&lean);
}

/* Promise: a history that keeps no contents has the same page counts and hashes. */
static void hashes_do_not_need_contents(void **unused)
{
    (void)unused;
    for_each_history(check_hashes_alone);
}

/* The page as SQLite reads it from the replayed files, against the one that the history keeps. */
static void compare_images(const mc_trace *trace, const mc_history *history, const mc_disk *disk,
                           uint32_t k)
{
    mc_arena arena = {.limit_bytes = (size_t)64 << 20};
    mc_error error = {0};
    mc_disk copy = {0};
    assert_true(mc_disk_copy(&copy, disk));
    mc_memvfs *vfs = mc_memvfs_open(&(mc_memvfs_options){.disk = &copy, .seed = 3});
    assert_non_null(vfs);
    for (uint32_t d = 0; d < trace->database_count; d++) {
        mc_image image;
        walk_check(mc_history_image(history, k, d, &arena, &image, &error), &error, "image");
        sqlite3 *db = NULL;
        assert_int_equal(sqlite3_open_v2(trace->database[d], &db,
                                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                                         mc_memvfs_name(vfs)),
                         SQLITE_OK);
        sqlite3_int64 size = 0;
        unsigned char *bytes = sqlite3_serialize(db, "main", &size, 0);
        if (image.page_count == 0) {
            /* Current versions give one empty page for a database that has none yet. */
            assert_true(size == 0 || size == (bytes[16] << 8 | bytes[17]));
        } else {
            assert_int_equal(size, (sqlite3_int64)image.page_count * image.page_size);
        }
        for (uint32_t page = 1; page <= image.page_count; page++) {
            if (mc_history_page(history, k, d, page) != MC_ANY) {
                assert_memory_equal(image.page[page - 1],
                                    bytes + (size_t)(page - 1) * image.page_size, image.page_size);
            }
        }
        sqlite3_free(bytes);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
    }
    mc_memvfs_close(vfs);
    mc_disk_free(&copy);
    mc_arena_free(&arena);
}

static void check_images(mc_trace *trace, mc_history *history)
{
    mc_disk disk = {0};
    mc_error error = {0};
    assert_true(mc_disk_copy(&disk, &trace->base));
    compare_images(trace, history, &disk, 0);
    for (size_t i = 0; i < trace->op_count; i++) {
        assert_int_equal(mc_trace_apply(&disk, &trace->op[i], UINT32_MAX, &error), MC_OK);
        if (trace->op[i].kind == MC_OP_ACKED) {
            compare_images(trace, history, &disk, (uint32_t)trace->op[i].offset);
        }
    }
    mc_disk_free(&disk);
}

/* Promise: a snapshot's image is, byte for byte, what sqlite3_serialize gives after that commit,
 * but for the pages whose content SQLite does not define. */
static void images_are_what_sqlite_serializes(void **unused)
{
    (void)unused;
    static const char *const names[] = {"grow", "overflow", "vacuum", "shrink", "mixed", "attach"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        mc_record_options options = walk_options(names[i], MC_MODE_DELETE);
        build_and_check(&options, check_images);
        options.mode = MC_MODE_WAL;
        if ((mc_workload_find(names[i])->modes & 1u << MC_MODE_WAL) != 0) {
            build_and_check(&options, check_images);
        }
        options.page_size = 512;
        options.mode = MC_MODE_PERSIST;
        build_and_check(&options, check_images);
    }
}

/* Promise: databases of very different sizes do not get into each other's way. */
static void databases_may_differ_in_size(void **unused)
{
    (void)unused;
    mc_record_options options = walk_options("attach", MC_MODE_DELETE);
    options.scale_bytes = 4 << 20;
    mc_trace trace;
    mc_history history;
    walk_record(&options, &trace);
    walk_build(&trace, true, &history);
    uint32_t large = history.snapshot[0].page_count[0];
    uint32_t small = history.snapshot[0].page_count[1];
    assert_true(large > 4 * small && small > 0);
    check_witness(&trace, &history);
    mc_history_free(&history);
    mc_trace_free(&trace);
}

static void assert_refused(mc_trace *trace, const char *reason, const char *words)
{
    mc_history history = {0};
    mc_error error = {0};
    assert_int_not_equal(mc_history_build(trace, true, &history, &error), MC_OK);
    assert_string_equal(error.reason, reason);
    assert_non_null(strstr(error.text, words));
    assert_null(history.snapshot);
}

/* Promise: a witness that says otherwise, in one page or in the page count, ends the run. */
static void a_wrong_witness_is_refused(void **unused)
{
    (void)unused;
    for (int mode = 0; mode < MC_MODES; mode++) {
        mc_record_options options = walk_options("inplace", (mc_mode)mode);
        mc_trace trace;
        walk_record(&options, &trace);
        uint32_t last = trace.commit_count;
        uint64_t *hash = (uint64_t *)(uintptr_t)trace.witness[last].page_hash;
        hash[30] ^= 1;
        char words[64];
        (void)snprintf(words, sizeof words, "main.db after commit %u: page 31 ", last);
        assert_refused(&trace, "witness", words);
        hash[30] ^= 1;
        trace.witness[1].page_count--;
        assert_refused(&trace, "witness", "after commit 1: ");
        trace.witness[1].page_count++;
        trace.witness[1].page_size = 1024;
        assert_refused(&trace, "page-size", "after commit 1: ");
        mc_trace_free(&trace);
    }
}

/* The last write of commit `k` that a reader sees: to main, or a whole page into the WAL. */
static mc_op *telling_write(mc_trace *trace, mc_mode mode, uint32_t k)
{
    mc_op *found = NULL;
    for (size_t i = 0; i < trace->op_count; i++) {
        mc_op *op = &trace->op[i];
        if (op->kind == MC_OP_ACKED && op->offset == k) {
            return found;
        }
        const char *role = op->kind == MC_OP_WRITE ? mc_file_role(trace, op->file) : "";
        if (strcmp(role, mode == MC_MODE_WAL ? "wal" : "main") == 0 && op->size == 4096) {
            found = op;
        }
    }
    return NULL;
}

/* Promise: one flipped bit in what a commit wrote, a write that is missing, or a lost
 * acknowledgement is noticed when the snapshots are made. */
static void a_corrupted_trace_is_noticed(void **unused)
{
    (void)unused;
    for (int mode = 0; mode < MC_MODES; mode++) {
        mc_record_options options = walk_options("inplace", (mc_mode)mode);
        mc_trace trace;
        walk_record(&options, &trace);
        for (uint32_t k = 1; k <= trace.commit_count; k++) {
            mc_op *op = telling_write(&trace, (mc_mode)mode, k);
            assert_non_null(op);
            uint8_t *data = (uint8_t *)(uintptr_t)op->data;
            data[2048] ^= 0x10;
            assert_refused(&trace, "witness", "");
            data[2048] ^= 0x10;
            op->kind = MC_OP_SYNC;
            assert_refused(&trace, "witness", "");
            op->kind = MC_OP_WRITE;
        }
        mc_history history;
        walk_build(&trace, true, &history); /* all is well again */
        mc_history_free(&history);
        trace.op_count = 0;
        assert_refused(&trace, "snapshot", "0 snapshots");
        mc_trace_free(&trace);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(snapshots_are_what_the_witness_saw),
        cmocka_unit_test(hashes_do_not_need_contents),
        cmocka_unit_test(images_are_what_sqlite_serializes),
        cmocka_unit_test(databases_may_differ_in_size),
        cmocka_unit_test(a_wrong_witness_is_refused),
        cmocka_unit_test(a_corrupted_trace_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
