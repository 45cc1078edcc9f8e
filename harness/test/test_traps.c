/* test_traps.c: mistakes that harnesses like this one have made, each pinned by a state in which
 * making it gives the wrong answer. */
#include "harness/test/walk.h"

#include <unistd.h>

#include "core/v1.h"
#include "harness/judge/content.h"
#include "harness/judge/control.h"
#include "harness/judge/judge.h"

static void judge_cell(const mc_record_options *record, const char *list, mc_cell *cell)
{
    mc_importers importers;
    mc_error error = {0};
    *cell = (mc_cell){0};
    walk_check(mc_importers_parse(list, &importers, &error), &error, list);
    mc_judge_options options = {.record = record, .importers = &importers, .required = 1};
    walk_check(mc_judge(&options, cell, &error), &error, record->workload);
    mc_importers_free(&importers);
}

/* Trap: commits that change nothing, or bring old content back, are several commits with one
 * content. Promise: such snapshots share a class, and an image with that content is clean wherever
 * one of them is acked or begun, never "behind" by the others. */
static void equal_contents_are_one_content(void **unused)
{
    (void)unused;
    mc_record_options record = walk_options("equal", MC_MODE_DELETE);
    mc_trace trace;
    mc_history history;
    mc_content content;
    mc_error error = {0};
    walk_record(&record, &trace);
    walk_build(&trace, true, &history);
    walk_check(mc_content_open(&content, &history, &error), &error, "content");
    assert_true(content.class_count < history.snapshot_count);
    uint32_t adjacent = 0;
    uint32_t returned = 0;
    for (uint32_t k = 1; k < history.snapshot_count; k++) {
        adjacent += content.classes[k] == content.classes[k - 1];
        for (uint32_t i = 0; i + 1 < k; i++) {
            returned += content.classes[k] == content.classes[i] &&
                        content.classes[k] != content.classes[k - 1];
        }
        mc_outcome outcome = {.kind = MC_OUTCOME_SNAPSHOT, .content_class = content.classes[k - 1]};
        mc_verdict verdict =
            mc_verdict_of(&outcome, content.classes, k, k, content.empty_class, true);
        bool same = content.classes[k] == content.classes[k - 1];
        assert_int_equal(verdict.kind, same ? MC_CLEAN : MC_STALE);
    }
    assert_true(adjacent > 0);
    assert_true(returned > 0);
    mc_content_close(&content);
    mc_history_free(&history);
    mc_trace_free(&trace);
}

typedef struct counts {
    uint64_t matched;
    uint64_t undefined_differ;
    uint64_t versions_differ;
    uint64_t unmatched;
} counts;

/* The newest content of a page at a snapshot, or null. */
static const uint8_t *page_at(const mc_history *h, uint32_t snapshot, uint32_t page)
{
    const mc_snapshot *last = &h->snapshot[snapshot];
    for (uint32_t i = last->first_delta + last->delta_count; i > 0; i--) {
        const mc_delta *delta = &h->delta[i - 1];
        if (delta->database == 0 && delta->page == page) {
            return delta->content;
        }
    }
    return page <= h->snapshot[0].page_count[0] ? h->base_page[0][page - 1] : NULL;
}

static void count_undefined(walk *w, const mc_crash *crash)
{
    (void)crash;
    counts *c = w->context;
    uint32_t snapshot = mc_oracle_match(&w->oracle, MC_VIEW_RECOVERED);
    if (snapshot == MC_NO_SNAPSHOT) {
        c->unmatched++;
        return;
    }
    c->matched++;
    bool differs = false;
    for (uint32_t page = 1; page <= w->history.snapshot[snapshot].page_count[0]; page++) {
        const uint8_t *expected = page_at(&w->history, snapshot, page);
        uint64_t hash = mc_page_hash(page, expected, w->history.page_size);
        bool same = hash == mc_oracle_page(&w->oracle, MC_VIEW_RECOVERED, 0, page);
        assert_true(same || mc_history_page(&w->history, snapshot, 0, page) == MC_ANY);
        differs = differs || !same;
    }
    c->undefined_differ += differs;
}

/* Trap: a freed page is not journalled when it is used again, so after a rollback its old bytes are
 * not back. Promise: such pages do not count; every recovered state matches by pages alone, and
 * there are states in which only pages of the freelist differ. */
static void freelist_leaves_do_not_count(void **unused)
{
    (void)unused;
    static const char *const names[] = {"overflow", "freed", "mixed"};
    counts all = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        mc_record_options record = walk_options(names[i], MC_MODE_DELETE);
        counts c = {0};
        walk w = {.context = &c};
        walk_all(&record, count_undefined, &w);
        assert_int_equal(c.unmatched, 0);
        all.undefined_differ += c.undefined_differ;
    }
    assert_true(all.undefined_differ > 20);
}

static void count_versions(walk *w, const mc_crash *crash)
{
    (void)crash;
    counts *c = w->context;
    uint32_t snapshot = mc_oracle_match(&w->oracle, MC_VIEW_RECOVERED);
    c->unmatched += snapshot == MC_NO_SNAPSHOT;
    if (snapshot == MC_NO_SNAPSHOT || w->history.snapshot[snapshot].page_count[0] == 0) {
        return;
    }
    mc_arena arena = {.limit_bytes = (size_t)1 << 28};
    mc_files files;
    mc_import import = {0};
    mc_error error;
    mc_disk_files(&w->trace.base, "main.db", &files);
    mc_input input = {.kind = MC_INPUT_FILES, .files = files};
    assert_int_equal(mc_importer_find("recover")->import(&input, &arena, &import, &error), MC_OK);
    c->versions_differ +=
        memcmp(import.image.page[0] + 18, page_at(&w->history, snapshot, 1) + 18, 2) != 0;
    mc_arena_free(&arena);
}

/* Trap: a change of the journal mode rewrites page 1 (versions, counters) without changing what the
 * database says. Promise: such states match by pages, and there are some that differ in just that.
 */
static void a_mode_change_is_no_other_content(void **unused)
{
    (void)unused;
    static const mc_mode modes[] = {MC_MODE_DELETE, MC_MODE_WAL};
    for (size_t i = 0; i < 2; i++) {
        mc_record_options record = walk_options("modes", modes[i]);
        counts c = {0};
        walk w = {.context = &c};
        walk_all(&record, count_versions, &w);
        assert_int_equal(c.unmatched, 0);
        assert_true(c.versions_differ > 0);
    }
}

/* A database of `pages` pages whose header counts `counted`, as one written by an old library,
 * which moves the change counter and leaves the count alone. */
static void forge_base(mc_trace *trace, uint32_t pages, uint32_t counted, bool valid)
{
    mc_record_options record = walk_options("inplace", MC_MODE_DELETE);
    walk_record(&record, trace);
    mc_disk *disk = &trace->base;
    uint16_t main = mc_disk_find(disk, "main.db");
    uint8_t count[4] = {0, 0, (uint8_t)(counted >> 8), (uint8_t)counted};
    assert_true(mc_disk_truncate(disk, main, (uint64_t)pages * 4096));
    assert_true(mc_disk_write(disk, main, 28, count, 4));
    assert_true(mc_disk_write(disk, main, 24, "\0\0\1\0", 4));
    assert_true(mc_disk_write(disk, main, 92, valid ? "\0\0\1\0" : "\0\0\0\7", 4));
    trace->op_count = 0;
    trace->commit_count = 0;
    trace->witness = NULL;
}

static void assert_pages(uint32_t pages, uint32_t counted, bool valid, uint32_t expected)
{
    mc_trace trace;
    mc_history history;
    mc_oracle oracle;
    mc_error error = {0};
    forge_base(&trace, pages, counted, valid);
    walk_build(&trace, true, &history);
    assert_int_equal(history.snapshot[0].page_count[0], expected);
    assert_true(mc_oracle_init(&oracle, &history, 2));
    mc_follow *follow = mc_follow_open(&trace, &trace.base, &oracle, &error);
    assert_non_null(follow);
    const char *reason;
    assert_int_equal(mc_follow_recover(follow, &reason), MC_OK);
    assert_int_equal(oracle.view[MC_VIEW_RECOVERED].page_count[0], expected);
    assert_int_equal(mc_oracle_match(&oracle, MC_VIEW_RECOVERED), 0);
    mc_follow_close(follow);
    mc_oracle_free(&oracle);
    mc_history_free(&history);
    mc_trace_free(&trace);
}

/* Trap: the header's page count. Promise: it counts only if it is not zero and the change counter
 * is the one that it was written with; else the file's size does. */
static void the_page_count_counts_only_when_valid(void **unused)
{
    (void)unused;
    assert_pages(50, 40, true, 40);
    assert_pages(50, 40, false, 50);
    assert_pages(50, 0, true, 50);
    assert_pages(50, 50, true, 50);
}

typedef struct torn_header {
    mc_control *control;
    uint64_t hot;
    uint64_t played;
} torn_header;

/* Damages a hot journal's header behind its count and asks the follower, core and SQLite. */
static void tear_header(walk *w, const mc_crash *crash)
{
    torn_header *t = w->context;
    uint16_t journal = mc_disk_find(&w->trace.base, "main.db-journal");
    mc_disk *disk = &w->trace.base;
    if (t->control == NULL) {
        t->control = mc_control_open(&w->trace, disk, false);
        assert_non_null(t->control);
    }
    bool hot = journal != MC_DISK_NONE && disk->file[journal].exists &&
               disk->file[journal].size > 512 && disk->file[journal].data[0] != 0;
    for (uint64_t from = 12; hot && from < 28; from += 4) {
        static const uint8_t zeros[16];
        mc_error error = {0};
        uint8_t whole[16];
        memcpy(whole, disk->file[journal].data + 12, sizeof whole);
        assert_true(mc_disk_write(disk, journal, from, zeros, (size_t)(28 - from)));
        mc_op op = {.kind = MC_OP_WRITE,
                    .file = journal,
                    .offset = from,
                    .size = (uint32_t)(28 - from),
                    .data = zeros};
        uint64_t size = disk->file[journal].size;
        walk_check(mc_follow_applied(w->follow, &op, 0, op.size, size, &error), &error, "follow");
        const char *reason = NULL;
        mc_status status = mc_follow_recover(w->follow, &reason);
        mc_control_answer answer;
        mc_control_recover(t->control, &answer);
        assert_int_equal(answer.recovered, status == MC_OK);
        const mc_disk_file *main = &disk->file[mc_disk_find(disk, "main.db")];
        for (uint32_t page = 1; status == MC_OK && (uint64_t)page * 4096 <= main->size; page++) {
            assert_int_equal(mc_page_hash(page, main->data + (uint64_t)(page - 1) * 4096, 4096),
                             mc_oracle_page(&w->oracle, MC_VIEW_RECOVERED, 0, page));
        }
        mc_control_undo(t->control);
        assert_true(mc_disk_write(disk, journal, 12, whole, sizeof whole));
        op = (mc_op){.kind = MC_OP_WRITE, .file = journal, .offset = 12, .size = 16, .data = whole};
        walk_check(mc_follow_applied(w->follow, &op, 0, op.size, size, &error), &error, "follow");
        t->hot++;
        t->played += status == MC_OK;
    }
    if (crash->op == NULL) {
        mc_control_close(t->control);
    }
}

/* Trap: a journal header torn so that magic and record count are there and the sizes are not.
 * Promise: recovery makes of it what SQLite makes of it, whichever field is the first one missing.
 */
static void a_torn_journal_header_is_read_as_sqlite_reads_it(void **unused)
{
    (void)unused;
    static const mc_mode modes[] = {MC_MODE_DELETE, MC_MODE_PERSIST};
    for (size_t i = 0; i < 2; i++) {
        mc_record_options record = walk_options("inplace", modes[i]);
        record.txns = 2;
        torn_header t = {0};
        walk w = {.context = &t};
        walk_all(&record, tear_header, &w);
        assert_true(t.hot > 40);
        assert_true(t.played > 10);
    }
}

/* Trap: a WAL database whose main file has no schema yet looks like a good, empty database.
 * Promise: importing main alone is stale, empty, as soon as a commit was acknowledged, and not
 * before. */
static void a_main_file_without_schema_is_stale(void **unused)
{
    (void)unused;
    mc_record_options record = walk_options("grow", MC_MODE_WAL);
    mc_cell cell;
    judge_cell(&record, "recover,abandon", &cell);
    const mc_tally *recover = &cell.tally[0];
    const mc_tally *abandon = &cell.tally[1];
    assert_int_equal(recover->unmet, 0);
    assert_int_equal(recover->verdict[MC_CLEAN], cell.explored.states);
    assert_true(abandon->empty > cell.explored.states / 2);
    assert_true(abandon->verdict[MC_CLEAN] > 0);
    assert_int_equal(abandon->verdict[MC_TORN], 0);
    mc_cell_free(&cell);
}

static mc_status import_orphans(const mc_input *input, mc_arena *arena, mc_import *out,
                                mc_error *error)
{
    /* Plants the mistake: chunks without metadata are taken for a journal that is still there. */
    mc_v1 v1;
    mc_v1_parse(&input->store, &v1);
    mc_input changed = *input;
    const mc_v1_file *journal = &v1.file[MC_V1_JOURNAL];
    if (journal->metadata == NULL && journal->chunk_count > 0) {
        mc_pair *pair = mc_arena_calloc(arena, input->store.count + 1, sizeof *pair);
        uint8_t *bytes = mc_arena_alloc(arena, MC_V1_METADATA_KEY_BYTES + MC_V1_METADATA_BYTES);
        assert_true(pair != NULL && bytes != NULL);
        mc_v1_metadata_key(bytes, MC_V1_JOURNAL);
        mc_v1_encode_metadata(bytes + MC_V1_METADATA_KEY_BYTES,
                              journal->chunk_count * (uint64_t)MC_V1_CHUNK_BYTES);
        size_t at = 0;
        while (at < input->store.count && input->store.pair[at].key_size == 4 &&
               memcmp(input->store.pair[at].key, bytes, 4) < 0) {
            pair[at] = input->store.pair[at];
            at++;
        }
        pair[at] = (mc_pair){bytes, bytes + MC_V1_METADATA_KEY_BYTES, MC_V1_METADATA_KEY_BYTES,
                             MC_V1_METADATA_BYTES};
        memcpy(pair + at + 1, input->store.pair + at, (input->store.count - at) * sizeof *pair);
        changed.store = (mc_store){pair, input->store.count + 1};
    }
    return mc_importer_find("recover")->import(&changed, arena, out, error);
}

static const mc_importer takes_orphans = {MC_IMPORTER_ABI, "takes_orphans", "planted",
                                          import_orphans};

/* A program that closes between its commits: only then does an actor of v1 delete its journal. */
static void write_program(char *path)
{
    int file = mkstemps(path, 4);
    assert_true(file >= 0);
    assert_true(dprintf(file, "CREATE TABLE t(a INTEGER PRIMARY KEY, x);\n"
                              "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                              " WHERE i < 40)\nINSERT INTO t SELECT i, randomblob(1200) FROM n;\n"
                              "-- @program\nPRAGMA locking_mode=NORMAL;\n"
                              "UPDATE t SET x = randomblob(1200);\n"
                              "UPDATE t SET x = randomblob(1200) WHERE a %% 3 = 0;\n") > 0);
    assert_int_equal(close(file), 0);
}

/* Trap: deleting the journal is the commit, and a crash in the middle of it leaves its chunks.
 * Promise: chunks without metadata are no journal. The commit did happen, so recover is ahead
 * there, as SQLite is; who takes the chunks for a journal undoes it. */
static void orphan_chunks_are_no_journal(void **unused)
{
    (void)unused;
    char path[] = "midcommit-XXXXXX.sql";
    write_program(path);
    mc_importers importers = {
        .chosen = {{MC_IMPORTER_RECOVER, "recover", mc_importer_find("recover"), NULL, NULL},
                   {MC_IMPORTER_SQLITE, "sqlite", NULL, NULL, NULL},
                   {MC_IMPORTER_SO, "so:orphans", &takes_orphans, NULL, NULL}},
        .count = 3};
    mc_record_options record = walk_options(path, MC_MODE_DELETE);
    record.sync = MC_SYNC_NORMAL;
    record.kv = true;
    record.kv_build = MC_KV_JOURNAL;
    mc_judge_options options = {.record = &record, .importers = &importers, .required = 7};
    mc_cell cell = {0};
    mc_error error = {0};
    walk_check(mc_judge(&options, &cell, &error), &error, path);
    assert_int_equal(cell.commits, 2);
    assert_int_equal(cell.disagreements, 0);
    assert_int_equal(cell.tally[0].verdict[MC_CLEAN], cell.explored.states);
    assert_int_equal(cell.tally[0].ahead, cell.tally[1].ahead);
    /* Two states of each commit: metadata deleted, seen as applied and as passed. */
    assert_int_equal(cell.tally[2].ahead + 2 * (uint64_t)cell.commits, cell.tally[0].ahead);
    mc_cell_free(&cell);
    assert_int_equal(unlink(path), 0);
}

/* Trap: nobody knows whether the last request before a crash was applied. Promise: each request is
 * judged both ways, and a commit whose deciding request was applied and never answered is clean,
 * ahead; without these states there would be fewer of them than commits. */
static void the_last_request_may_have_been_applied(void **unused)
{
    (void)unused;
    mc_record_options record = walk_options("inplace", MC_MODE_DELETE);
    record.sync = MC_SYNC_NORMAL;
    record.kv = true;
    mc_cell cell;
    judge_cell(&record, "recover,sqlite", &cell);
    assert_int_equal(cell.tally[0].unmet, 0);
    assert_int_equal(cell.tally[0].verdict[MC_CLEAN], cell.explored.states);
    assert_true(cell.explored.states > cell.explored.points);
    /* Of a commit's deciding request: applied in progress, and passed but not acknowledged. */
    assert_true(cell.tally[0].ahead >= 2 * (uint64_t)cell.commits);
    assert_int_equal(cell.tally[0].ahead, cell.tally[1].ahead);
    mc_cell_free(&cell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_contents_are_one_content),
        cmocka_unit_test(freelist_leaves_do_not_count),
        cmocka_unit_test(a_mode_change_is_no_other_content),
        cmocka_unit_test(the_page_count_counts_only_when_valid),
        cmocka_unit_test(a_torn_journal_header_is_read_as_sqlite_reads_it),
        cmocka_unit_test(a_main_file_without_schema_is_stale),
        cmocka_unit_test(orphan_chunks_are_no_journal),
        cmocka_unit_test(the_last_request_may_have_been_applied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
