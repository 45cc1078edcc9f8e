/* test_crash.c: the crash models visit exactly the states that their essays allow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/v1.h"
#include "crashsim/crash.h"
#include "crashsim/diskid.h"
#include "crashsim/workload.h"

enum { VISITS_MAX = 64 };

typedef struct visit {
    size_t point;
    uint32_t cut;
    uint32_t acked;
    uint32_t begun;
} visit;

typedef struct visits {
    visit visit[VISITS_MAX];
    size_t count;
    uint32_t acked_calls;
    const mc_trace *trace;
    const mc_disk *disk;
    const mc_kvstore *store;
    mc_hash128 *told; /* ids as the walk gave them, and as reading the whole disk gives them */
    mc_hash128 *read;
} visits;

static mc_status keep_visit(void *context, const mc_crash *crash, mc_error *error)
{
    (void)error;
    visits *v = context;
    assert_true(v->count < VISITS_MAX);
    v->visit[v->count++] = (visit){crash->point, crash->cut, crash->acked, crash->begun};
    assert_ptr_equal(crash->op,
                     crash->point < v->trace->op_count ? &v->trace->op[crash->point] : NULL);
    return MC_OK;
}

static void keep_acked(void *context, uint32_t commit)
{
    visits *v = context;
    assert_int_equal(commit, ++v->acked_calls);
}

static void add(mc_trace *trace, mc_op_kind kind, uint16_t file, uint64_t offset, const void *data,
                uint32_t size)
{
    mc_error error;
    mc_op op = {.kind = (uint8_t)kind, .file = file, .offset = offset, .data = data, .size = size};
    assert_int_equal(mc_trace_add(trace, op, &error), MC_OK);
}

/* Nine elements, worked out by hand. The write at 4000 of 9000 bytes crosses 4096, 8192 and 12288.
 */
static void make_trace(mc_trace *trace)
{
    static uint8_t bytes[9000];
    memset(bytes, 7, sizeof bytes);
    *trace = (mc_trace){.database = {"main.db"}, .database_count = 1};
    uint16_t main = mc_disk_slot(&trace->base, "main.db");
    uint16_t journal = mc_disk_slot(&trace->base, "main.db-journal");
    assert_true(mc_disk_create(&trace->base, main));
    add(trace, MC_OP_BEGUN, MC_DISK_NONE, 1, NULL, 0); /* 0 */
    add(trace, MC_OP_CREATE, journal, 0, NULL, 0);     /* 1 */
    add(trace, MC_OP_WRITE, journal, 0, bytes, 4096);  /* 2: ends at a boundary, no cut */
    add(trace, MC_OP_SYNC, journal, 0, NULL, 0);       /* 3 */
    add(trace, MC_OP_WRITE, main, 4000, bytes, 9000);  /* 4: cut after 96, 4192, 8288 */
    add(trace, MC_OP_DELETE, journal, 0, NULL, 0);     /* 5 */
    add(trace, MC_OP_ACKED, MC_DISK_NONE, 1, NULL, 0); /* 6 */
    add(trace, MC_OP_TRUNCATE, main, 100, NULL, 0);    /* 7 */
    add(trace, MC_OP_WRITE, main, 4096, bytes, 1);     /* 8: one byte behind a boundary */
}

static const visit expected_visits[] = {
    {0, 0, 0, 0},  {1, 0, 0, 1},    {2, 0, 0, 1},    {3, 0, 0, 1}, {4, 0, 0, 1},
    {4, 96, 0, 1}, {4, 4192, 0, 1}, {4, 8288, 0, 1}, {5, 0, 0, 1}, {6, 0, 0, 1},
    {7, 0, 1, 1},  {8, 0, 1, 1},    {9, 0, 1, 1},
};
enum { EXPECTED = sizeof expected_visits / sizeof *expected_visits };

static void explore(mc_trace *trace, mc_disk *disk, uint64_t budget, visits *v, mc_explored *out)
{
    mc_error error;
    *v = (visits){.trace = trace, .disk = disk};
    mc_visitor visitor = {v, NULL, keep_acked, keep_visit};
    assert_int_equal(mc_kill_explore(trace, disk, budget, &visitor, out, &error), MC_OK);
}

/* Promise: kill visits every position of the trace once, and each write that crosses multiples of
 * 4096 in the file cut there and nowhere else; commits are counted as the marks say. */
static void kill_visits_the_hand_computed_list(void **unused)
{
    (void)unused;
    mc_trace trace;
    make_trace(&trace);
    visits v;
    mc_explored out;
    explore(&trace, &trace.base, 0, &v, &out);
    assert_int_equal(v.count, EXPECTED);
    for (size_t i = 0; i < EXPECTED; i++) {
        assert_int_equal(v.visit[i].point, expected_visits[i].point);
        assert_int_equal(v.visit[i].cut, expected_visits[i].cut);
        assert_int_equal(v.visit[i].acked, expected_visits[i].acked);
        assert_int_equal(v.visit[i].begun, expected_visits[i].begun);
    }
    assert_int_equal(v.acked_calls, 1);
    assert_int_equal(out.points, 10);
    assert_int_equal(out.states, EXPECTED);
    assert_int_equal(out.skipped, 0);
    mc_trace_free(&trace);
}

/* Promise: a budget bounds the states of each crash point, and what it left out is counted. */
static void a_budget_is_said(void **unused)
{
    (void)unused;
    for (uint64_t budget = 1; budget <= 5; budget++) {
        mc_trace trace;
        make_trace(&trace);
        visits v;
        mc_explored out;
        explore(&trace, &trace.base, budget, &v, &out);
        uint64_t at_4 = budget < 4 ? budget : 4;
        assert_int_equal(out.states, 9 + at_4);
        assert_int_equal(out.skipped, 4 - at_4);
        assert_int_equal(v.count, out.states);
        assert_int_equal(trace.base.file[0].size, 4097); /* the walk itself went on to the end */
        mc_trace_free(&trace);
    }
}

static bool same_file(const mc_disk_file *a, const mc_disk_file *b)
{
    return a->exists == b->exists && a->size == b->size &&
           (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

/* The state rebuilt from the base, element by element, by another way than the walk's. */
static mc_status check_rebuilt(void *context, const mc_crash *crash, mc_error *error)
{
    visits *v = context;
    mc_disk naive = {0};
    mc_diskid id;
    assert_true(mc_disk_copy(&naive, v->disk));
    for (size_t i = 0; i < crash->point; i++) {
        assert_int_equal(mc_trace_apply(&naive, &v->trace->op[i], UINT32_MAX, error), MC_OK);
    }
    if (crash->cut > 0) {
        assert_int_equal((crash->op->offset + crash->cut) % 4096, 0);
        assert_int_equal(mc_trace_apply(&naive, crash->op, crash->cut, error), MC_OK);
    }
    for (uint32_t i = 0; i < naive.file_count; i++) {
        assert_true(same_file(&naive.file[i], &v->trace->base.file[i]));
    }
    assert_true(mc_diskid_init(&id, &naive));
    v->told[v->count] = crash->id;
    v->read[v->count] = id.id;
    for (size_t i = 0; i < v->count; i++) {
        assert_int_equal(mc_hash128_equal(v->told[i], crash->id),
                         mc_hash128_equal(v->read[i], id.id));
    }
    mc_diskid_free(&id);
    mc_disk_free(&naive);
    v->count++;
    return MC_OK;
}

/* Promise: at each visit the disk holds exactly the elements before the point and the cut's bytes,
 * and two visits have one id exactly when the disks are equal. */
static void kill_states_equal_a_naive_rebuild(void **unused)
{
    (void)unused;
    static const struct {
        const char *workload;
        mc_mode mode;
        uint32_t page_size;
    } cells[] = {{"grow", MC_MODE_DELETE, 4096},
                 {"equal", MC_MODE_WAL, 4096},
                 {"attach", MC_MODE_PERSIST, 4096},
                 {"grow", MC_MODE_WAL, 65536}};
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        mc_record_options options = {.workload = cells[i].workload,
                                     .mode = cells[i].mode,
                                     .sync = MC_SYNC_FULL,
                                     .page_size = cells[i].page_size,
                                     .txns = 2,
                                     .seed = 1};
        mc_trace trace = {0};
        mc_error error;
        mc_disk base = {0};
        mc_explored out;
        assert_int_equal(mc_record(&options, &trace, &error), MC_OK);
        assert_true(mc_disk_copy(&base, &trace.base));
        size_t most = trace.op_count * 20;
        visits v = {.trace = &trace, .disk = &base};
        v.told = calloc(most, sizeof *v.told);
        v.read = calloc(most, sizeof *v.read);
        assert_true(v.told != NULL && v.read != NULL);
        mc_visitor visitor = {&v, NULL, NULL, check_rebuilt};
        assert_int_equal(mc_kill_explore(&trace, &trace.base, 0, &visitor, &out, &error), MC_OK);
        assert_int_equal(out.points, trace.op_count + 1);
        assert_int_equal(v.count, out.states);
        assert_true(v.count <= most);
        free(v.told);
        free(v.read);
        mc_disk_free(&base);
        mc_trace_free(&trace);
    }
}

typedef struct heard {
    mc_disk copy; /* brought along by what `applied` says alone */
    const mc_trace *trace;
    uint64_t calls;
} heard;

static mc_status hear(void *context, const mc_op *op, uint32_t from, uint32_t to,
                      uint64_t size_before, mc_error *error)
{
    heard *h = context;
    h->calls++;
    assert_int_equal(size_before, h->copy.file[op->file].size);
    if (op->kind != MC_OP_WRITE) {
        assert_int_equal(mc_trace_apply(&h->copy, op, UINT32_MAX, error), MC_OK);
    } else {
        assert_true(from <= to && to <= op->size);
        assert_true(
            mc_disk_write(&h->copy, op->file, op->offset + from, op->data + from, to - from));
    }
    return MC_OK;
}

static mc_status compare_heard(void *context, const mc_crash *crash, mc_error *error)
{
    (void)crash;
    (void)error;
    heard *h = context;
    for (uint32_t i = 0; i < h->copy.file_count; i++) {
        assert_true(same_file(&h->copy.file[i], &h->trace->base.file[i]));
    }
    return MC_OK;
}

/* Promise: who follows `applied` alone holds the same disk at every visit. */
static void what_was_applied_is_told(void **unused)
{
    (void)unused;
    mc_trace trace;
    make_trace(&trace);
    heard h = {.trace = &trace};
    mc_error error;
    mc_explored out;
    assert_true(mc_disk_copy(&h.copy, &trace.base));
    mc_visitor visitor = {&h, hear, NULL, compare_heard};
    assert_int_equal(mc_kill_explore(&trace, &trace.base, 0, &visitor, &out, &error), MC_OK);
    assert_int_equal(h.calls,
                     10); /* seven elements that are no marks, one of them in four pieces */
    mc_disk_free(&h.copy);
    mc_trace_free(&trace);
}

/* What a store must hold at a visit: all requests before it, and the one in progress if `cut`. */
static mc_status check_store(void *context, const mc_crash *crash, mc_error *error)
{
    visits *v = context;
    mc_kvstore naive = {0};
    assert_true(mc_kvstore_copy(&naive, &v->trace->base_kv));
    uint32_t acked = 0;
    uint32_t begun = 0;
    for (size_t i = 0; i < crash->point + crash->cut; i++) {
        const mc_op *op = &v->trace->op[i];
        begun = op->kind == MC_OP_BEGUN ? (uint32_t)op->offset : begun;
        acked = op->kind == MC_OP_ACKED ? (uint32_t)op->offset : acked;
        if (op->kind >= MC_OP_KV_PUT && op->kind <= MC_OP_KV_DELETE_RANGE) {
            assert_int_equal(
                mc_kvstore_apply(&naive, op->kind, op->data, op->size, op->offset, error), MC_OK);
        }
    }
    assert_int_equal(crash->acked, acked);
    assert_int_equal(crash->begun, begun);
    assert_true(mc_hash128_equal(mc_kvstore_hash(&naive), crash->id));
    assert_true(mc_hash128_equal(mc_kvstore_hash(v->store), crash->id));
    v->count++;
    v->acked_calls += crash->cut;
    mc_kvstore_free(&naive);
    return MC_OK;
}

/* Promise: on the v1 store every request is visited undone and done, every mark once, and the store
 * is exactly that. */
static void kv_visits_each_request_before_and_after(void **unused)
{
    (void)unused;
    for (int build = 0; build < MC_KV_BUILDS; build++) {
        mc_record_options options = {.workload = "grow",
                                     .mode = MC_MODE_DELETE,
                                     .sync = MC_SYNC_NORMAL,
                                     .page_size = 4096,
                                     .txns = 3,
                                     .seed = 1,
                                     .kv = true,
                                     .kv_build = (mc_kv_build)build};
        mc_trace trace = {0};
        mc_error error;
        mc_kvstore store = {0};
        mc_explored out;
        assert_int_equal(mc_record(&options, &trace, &error), MC_OK);
        assert_true(mc_kvstore_copy(&store, &trace.base_kv));
        visits v = {.trace = &trace, .store = &store};
        mc_visitor visitor = {&v, NULL, NULL, check_store};
        assert_int_equal(mc_kv_explore(&trace, &store, 0, &visitor, &out, &error), MC_OK);
        size_t marks = (size_t)trace.commit_count * 2;
        assert_int_equal(out.points, trace.op_count + 1);
        assert_int_equal(out.states, out.points + trace.op_count - marks);
        assert_int_equal(v.count, out.states);
        assert_int_equal(v.acked_calls, trace.op_count - marks);
        mc_kvstore_free(&store);
        mc_trace_free(&trace);
    }
}

static bool journal_has(const mc_kvstore *store, bool *chunks)
{
    uint8_t key[MC_V1_CHUNK_KEY_BYTES];
    mc_v1_chunk_key(key, MC_V1_JOURNAL, 0);
    *chunks = false;
    for (size_t i = 0; i < store->count; i++) {
        const mc_kv_entry *entry = &store->entry[i];
        *chunks = *chunks || (entry->key_size == 8 && memcmp(entry->key, key, 4) == 0);
    }
    mc_v1_metadata_key(key, MC_V1_JOURNAL);
    return mc_kvstore_get(store, key, MC_V1_METADATA_KEY_BYTES) != NULL;
}

static mc_status count_orphans(void *context, const mc_crash *crash, mc_error *error)
{
    (void)error;
    (void)crash;
    visits *v = context;
    bool chunks;
    bool exists = journal_has(v->store, &chunks);
    v->count += !exists && chunks;
    return MC_OK;
}

/* A v1 actor keeps its lock, and so its journal, until it closes: only then is it deleted. */
static void write_program(char *path, int rows)
{
    int file = mkstemps(path, 4);
    assert_true(file >= 0);
    assert_true(
        dprintf(file,
                "CREATE TABLE t(x);\n"
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)\n"
                "INSERT INTO t SELECT randomblob(3000) FROM n;\n"
                "-- @program\nPRAGMA cache_size=1000;\nUPDATE t SET x = zeroblob(3000);\n"
                "@reopen\nUPDATE t SET x = 1;\n",
                rows) > 0);
    assert_int_equal(close(file), 0);
}

static size_t orphan_states(const char *path, mc_kv_build build)
{
    mc_record_options options = {.workload = path,
                                 .mode = MC_MODE_DELETE,
                                 .sync = MC_SYNC_NORMAL,
                                 .page_size = 4096,
                                 .seed = 1,
                                 .kv = true,
                                 .kv_build = build};
    mc_trace trace = {0};
    mc_error error;
    mc_kvstore store = {0};
    mc_explored out;
    if (mc_record(&options, &trace, &error) != MC_OK) {
        print_error("%s\n", error.text);
        fail();
    }
    assert_true(mc_kvstore_copy(&store, &trace.base_kv));
    visits v = {.trace = &trace, .store = &store};
    mc_visitor visitor = {&v, NULL, NULL, count_orphans};
    assert_int_equal(mc_kv_explore(&trace, &store, 0, &visitor, &out, &error), MC_OK);
    mc_kvstore_free(&store);
    mc_trace_free(&trace);
    return v.count;
}

/* Promise: the two ways in which v1 deleted a journal differ in what a crash leaves of it: the
 * native one passes a state with chunks and no metadata, the other one only with more than 127
 * chunks. */
static void both_ways_of_deleting_are_crashed(void **unused)
{
    (void)unused;
    char path[] = "midcommit-XXXXXX.sql";
    write_program(path, 20);
    assert_true(orphan_states(path, MC_KV_JOURNAL) > 0);
    assert_int_equal(orphan_states(path, MC_KV_BATCH_128), 0);
    assert_int_equal(unlink(path), 0);
    char larger[] = "midcommit-XXXXXX.sql";
    write_program(larger, 200);
    assert_true(orphan_states(larger, MC_KV_JOURNAL) > 0);
    assert_true(orphan_states(larger, MC_KV_BATCH_128) > 0);
    assert_int_equal(unlink(larger), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kill_visits_the_hand_computed_list),
        cmocka_unit_test(a_budget_is_said),
        cmocka_unit_test(kill_states_equal_a_naive_rebuild),
        cmocka_unit_test(what_was_applied_is_told),
        cmocka_unit_test(kv_visits_each_request_before_and_after),
        cmocka_unit_test(both_ways_of_deleting_are_crashed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
