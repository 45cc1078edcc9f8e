/* test_handover.c: each mistake hands over exactly the files that it says, the state comes back,
 * and the control reads what is there then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/journal.h"
#include "core/wal.h"
#include "crashsim/diskid.h"
#include "harness/judge/judging.h"

/* What a test looks at, at every state. */
typedef struct looker {
    mc_judging j;
    mc_record_options record;
    mc_importers importers;
    mc_judge_options options;
    uint32_t mistake;
    uint64_t made;
    uint64_t states;
    void (*look)(struct looker *l, const mc_crash *crash, bool made);
    mc_idmap ids; /* of handed states, to their exact bytes */
    mc_hash128 *bytes;
    uint32_t id_count;
    /* Kept by the test itself: the sidecars as they were. */
    uint8_t *wal[64];
    uint64_t wal_size[64];
    uint8_t *journal[64]; /* by transaction, just before its commit ended it */
    uint64_t journal_size[64];
} looker;

static void check(mc_status status, const mc_error *error)
{
    if (status != MC_OK) {
        print_error("%s\n", error->text);
        fail();
    }
}

static mc_hash128 disk_hash(const mc_disk *disk)
{
    mc_diskid id;
    assert_true(mc_diskid_init(&id, disk));
    mc_hash128 hash = id.id;
    mc_diskid_free(&id);
    return hash;
}

static mc_disk_file *file_of(looker *l, const char *name)
{
    uint16_t number = mc_disk_find(&l->j.trace.base, name);
    assert_int_not_equal(number, MC_DISK_NONE);
    return &l->j.trace.base.file[number];
}

static uint8_t *copy_of(const uint8_t *data, uint64_t size)
{
    uint8_t *copy = malloc((size_t)size + 1);
    assert_non_null(copy);
    memcpy(copy, size > 0 ? data : copy, (size_t)size);
    return copy;
}

/* The journal of the commit in flight, at the last state in which its first byte is not zero. */
static void remember_journal(looker *l, const mc_crash *crash)
{
    const mc_disk_file *journal = file_of(l, "main.db-journal");
    if (crash->begun > crash->acked && journal->size > 0 && journal->data[0] != 0) {
        free(l->journal[crash->begun]);
        l->journal[crash->begun] = copy_of(journal->data, journal->size);
        l->journal_size[crash->begun] = journal->size;
    }
}

static mc_status on_state(void *context, const mc_crash *crash, mc_error *error)
{
    looker *l = context;
    mc_crash handed;
    bool made = false;
    l->states++;
    mc_hash128 before = disk_hash(&l->j.trace.base);
    remember_journal(l, crash);
    mc_handover_watch(&l->j.handover, crash);
    check(mc_judging_hand_over(&l->j, l->mistake, crash, &handed, &made, error), error);
    l->made += made;
    mc_hash128 after = disk_hash(&l->j.trace.base);
    assert_true(made == !mc_hash128_equal(before, after));
    if (made) {
        /* The id is equal exactly when the files are. */
        uint32_t index;
        if (mc_idmap_get(&l->ids, handed.id, &index)) {
            assert_true(mc_hash128_equal(l->bytes[index], after));
        } else {
            for (uint32_t i = 0; i < l->id_count; i++) {
                assert_false(mc_hash128_equal(l->bytes[i], after));
            }
            assert_true(mc_idmap_put(&l->ids, handed.id, l->id_count));
            l->bytes = realloc(l->bytes, (l->id_count + 1) * sizeof *l->bytes);
            l->bytes[l->id_count++] = after;
        }
    }
    l->look(l, crash, made);
    mc_judging_take_back(&l->j);
    assert_true(mc_hash128_equal(before, disk_hash(&l->j.trace.base)));
    return MC_OK;
}

static mc_status on_applied(void *context, const mc_op *op, uint32_t from, uint32_t to,
                            uint64_t size_before, mc_error *error)
{
    return mc_judging_applied(&((looker *)context)->j, op, from, to, size_before, error);
}

static void on_acked(void *context, uint32_t commit)
{
    looker *l = context;
    const mc_disk_file *wal = file_of(l, "main.db-wal");
    mc_judging_acked(&l->j, commit);
    l->wal[commit] = wal->exists ? copy_of(wal->data, wal->size) : NULL;
    l->wal_size[commit] = wal->size;
}

static looker *look_at(const char *workload, mc_mode mode, const char *mistake,
                       void (*look)(looker *l, const mc_crash *crash, bool made))
{
    mc_error error = {0};
    looker *l = calloc(1, sizeof *l);
    assert_non_null(l);
    l->record = (mc_record_options){.workload = workload,
                                    .mode = mode,
                                    .sync = MC_SYNC_FULL,
                                    .page_size = 4096,
                                    .txns = 4,
                                    .seed = 1};
    check(mc_importers_parse("reject,abandon,recover,sqlite", &l->importers, &error), &error);
    l->mistake = mc_mistake_find(mistake);
    assert_int_not_equal(l->mistake, MC_MISTAKES_MAX);
    l->options = (mc_judge_options){
        .record = &l->record, .importers = &l->importers, .sidecars = 1u << l->mistake};
    l->look = look;
    check(mc_judging_open(&l->j, &l->options, &error), &error);
    const mc_disk_file *base = file_of(l, "main.db-wal");
    l->wal[0] = base->exists ? copy_of(base->data, base->size) : NULL;
    l->wal_size[0] = base->size;
    mc_visitor visitor = {
        .context = l, .applied = on_applied, .acked = on_acked, .state = on_state};
    mc_explored explored;
    check(mc_judging_explore(&l->j, &visitor, &explored, &error), &error);
    assert_int_equal(explored.states, l->states);
    return l;
}

static void leave(looker *l)
{
    mc_judging_close(&l->j);
    mc_importers_free(&l->importers);
    mc_idmap_free(&l->ids);
    free(l->bytes);
    for (int i = 0; i < 64; i++) {
        free(l->wal[i]);
        free(l->journal[i]);
    }
    free(l);
}

static void is_absent(looker *l, const mc_crash *crash, bool made)
{
    (void)crash;
    const mc_mistake *mistake = &mc_mistakes[l->mistake];
    const mc_disk_file *file = &l->j.trace.base.file[l->j.handover.slot[mistake->file]];
    assert_false(file->exists);
    assert_int_equal(file->size, 0);
    assert_true(!made || l->j.handover.replaced.exists);
}

static void is_empty(looker *l, const mc_crash *crash, bool made)
{
    (void)crash;
    const mc_mistake *mistake = &mc_mistakes[l->mistake];
    const mc_disk_file *file = &l->j.trace.base.file[l->j.handover.slot[mistake->file]];
    assert_int_equal(file->size, 0);
    assert_true(!made || (file->exists && l->j.handover.replaced.size > 0));
}

static void is_half(looker *l, const mc_crash *crash, bool made)
{
    (void)crash;
    const mc_mistake *mistake = &mc_mistakes[l->mistake];
    const mc_disk_file *file = &l->j.trace.base.file[l->j.handover.slot[mistake->file]];
    const mc_disk_file *whole = &l->j.handover.replaced;
    if (!made) {
        assert_true(file->size <= 1);
        return;
    }
    assert_true(file->exists);
    assert_int_equal(file->size, whole->size / 2);
    assert_memory_equal(file->data, whole->data, (size_t)file->size);
    assert_ptr_not_equal(file->data, whole->data);
}

/* Promise: no-*, empty-* and cut-* leave exactly nothing, no byte, and the first half; and apply
 * wherever that is something else than what lies there. */
static void what_is_lost_is_lost(void **unused)
{
    (void)unused;
    static const struct {
        const char *mistake;
        mc_mode mode;
        void (*look)(looker *l, const mc_crash *crash, bool made);
    } cases[] = {
        {"no-journal", MC_MODE_DELETE, is_absent},   {"no-journal", MC_MODE_PERSIST, is_absent},
        {"no-wal", MC_MODE_WAL, is_absent},          {"no-shm", MC_MODE_WAL, is_absent},
        {"empty-journal", MC_MODE_DELETE, is_empty}, {"empty-journal", MC_MODE_TRUNCATE, is_empty},
        {"empty-wal", MC_MODE_WAL, is_empty},        {"cut-journal", MC_MODE_DELETE, is_half},
        {"cut-wal", MC_MODE_WAL, is_half},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        looker *l = look_at("inplace", cases[i].mode, cases[i].mistake, cases[i].look);
        assert_true(l->made > l->states / 2);
        leave(l);
    }
}

static void is_older_journal(looker *l, const mc_crash *crash, bool made)
{
    const mc_disk_file *file = file_of(l, "main.db-journal");
    if (!made) {
        /* Before the first commit there is none, and nothing is in the place of itself. */
        assert_true(crash->acked == 0 ||
                    (l->journal_size[crash->acked] == file->size &&
                     memcmp(l->journal[crash->acked], file->data, (size_t)file->size) == 0));
        return;
    }
    assert_true(crash->acked > 0);
    assert_int_equal(l->j.handover.given->commit, crash->acked);
    assert_int_equal(file->size, l->journal_size[crash->acked]);
    assert_memory_equal(file->data, l->journal[crash->acked], (size_t)file->size);
    /* SQLite would apply it: it restores the pages of that transaction. */
    mc_files files;
    mc_arena arena = {.limit_bytes = 1 << 24};
    mc_journal journal;
    mc_error error;
    mc_disk_files(&l->j.trace.base, "main.db", &files);
    check(mc_journal_read(&files, &arena, &journal, &error), &error);
    assert_true(journal.hot && journal.resizes && journal.record_count > 0);
    mc_arena_free(&arena);
    /* And does: with nothing of the next transaction in main, the last commit is undone. */
    mc_outcome control;
    mc_outcome older = {0};
    check(mc_judging_control(&l->j, &control, &error), &error);
    if (crash->begun == crash->acked) {
        older.content_class = l->j.content.classes[crash->acked - 1];
        assert_int_equal(control.kind, MC_OUTCOME_SNAPSHOT);
        assert_int_equal(control.content_class, older.content_class);
    }
}

/* Promise: an older journal is that of the last acknowledged transaction, as it was before the
 * commit deleted, truncated or zeroed it, and SQLite rolls that transaction back with it. */
static void older_journals_are_applied(void **unused)
{
    (void)unused;
    static const mc_mode modes[] = {MC_MODE_DELETE, MC_MODE_TRUNCATE, MC_MODE_PERSIST};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        looker *l = look_at("inplace", modes[i], "older-journal", is_older_journal);
        assert_true(l->made > l->states / 2);
        leave(l);
    }
}

static void is_older_wal(looker *l, const mc_crash *crash, bool made)
{
    const mc_disk_file *file = file_of(l, "main.db-wal");
    if (!made) {
        uint32_t before = crash->acked > 0 ? crash->acked - 1 : 0;
        assert_true(crash->acked == 0 || l->wal[before] == NULL ||
                    (l->wal_size[before] == file->size &&
                     memcmp(l->wal[before], file->data, (size_t)file->size) == 0));
        return;
    }
    assert_int_equal(l->j.handover.given->commit, crash->acked - 1);
    assert_non_null(l->wal[crash->acked - 1]);
    assert_int_equal(file->size, l->wal_size[crash->acked - 1]);
    assert_memory_equal(file->data, l->wal[crash->acked - 1], (size_t)file->size);
}

/* Promise: an older WAL is the one that lay there one transaction earlier, a prefix of this one or
 * of another generation. */
static void older_wals_are_older(void **unused)
{
    (void)unused;
    static const char *const workloads[] = {"inplace", "walreset", "checkpoint"};
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
        looker *l = look_at(workloads[i], MC_MODE_WAL, "older-wal", is_older_wal);
        assert_true(l->made > l->states / 3);
        leave(l);
    }
}

static void is_other(looker *l, const mc_crash *crash, bool made)
{
    (void)crash;
    bool wal = mc_mistakes[l->mistake].file == MC_HANDED_WAL;
    mc_files files;
    mc_error error;
    mc_disk_files(&l->j.trace.base, "main.db", &files);
    assert_true(made); /* no state has the other's */
    if (wal) {
        mc_wal scan;
        check(mc_wal_open(&files.wal, &scan, NULL, &error), &error);
        assert_true(scan.usable);
        assert_int_equal(scan.page_size, 4096);
        mc_wal_advance(&scan, &files.wal);
        assert_true(scan.commit_frames > 0);
        return;
    }
    mc_arena arena = {.limit_bytes = 1 << 24};
    mc_journal journal;
    check(mc_journal_read(&files, &arena, &journal, &error), &error);
    assert_true(journal.hot && journal.resizes && journal.record_count > 0);
    assert_int_equal(journal.page_size, 4096);
    mc_arena_free(&arena);
}

/* Promise: a sidecar of another database is one that SQLite applies, in every state. */
static void other_sidecars_are_live(void **unused)
{
    (void)unused;
    static const mc_mode modes[] = {MC_MODE_DELETE, MC_MODE_WAL};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        leave(look_at("inplace", modes[i], "other-journal", is_other));
        leave(look_at("inplace", modes[i], "other-wal", is_other));
    }
}

static void is_backup(looker *l, const mc_crash *crash, bool made)
{
    (void)crash;
    if (!made) {
        return;
    }
    const mc_disk_file *file = file_of(l, "main.db");
    const mc_disk_file *journal = file_of(l, "main.db-journal");
    const mc_disk_file *wal = file_of(l, "main.db-wal");
    mc_image image;
    mc_error error;
    assert_true(journal->size > 0 || wal->size > 0);
    assert_true(crash->acked >= l->j.handover.given->commit);
    mc_arena arena = {.limit_bytes = 1 << 24};
    check(mc_history_image(&l->j.history, l->j.handover.given->commit, 0, &arena, &image, &error),
          &error);
    assert_int_equal(file->size, (uint64_t)image.page_count * 4096);
    for (uint32_t i = 0; i < image.page_count; i++) {
        assert_memory_equal(file->data + (size_t)i * 4096, image.page[i], 4096);
    }
    mc_arena_free(&arena);
    mc_outcome abandon;
    check(mc_judging_outcome(&l->j, 1, &abandon, &error), &error);
    assert_int_equal(abandon.kind, MC_OUTCOME_SNAPSHOT);
    assert_int_equal(abandon.content_class, l->j.content.classes[l->j.handover.given->commit]);
}

/* Promise: a restored main is the first snapshot with a schema, page for page, beside a sidecar
 * that stayed; `abandon` gives that snapshot. */
static void backups_are_snapshots(void **unused)
{
    (void)unused;
    looker *l = look_at("inplace", MC_MODE_DELETE, "restored", is_backup);
    assert_true(l->made > l->states / 2);
    leave(l);
    l = look_at("grow", MC_MODE_DELETE, "restored", is_backup);
    assert_true(l->made > l->states / 2);
    assert_int_equal(l->j.handover.backup.commit, 1);
    leave(l);
    l = look_at("checkpoint", MC_MODE_WAL, "restored", is_backup);
    assert_true(l->made > 0);
    leave(l);
}

/* What SQLite makes of the present state: main's bytes, and whether it could open it. */
static mc_hash128 recovered_by(looker *l, mc_control *control, bool *recovered)
{
    mc_control_answer answer;
    mc_control_recover(control, &answer);
    mc_disk main = {.file = file_of(l, "main.db"), .file_count = 1};
    mc_hash128 hash = disk_hash(&main);
    mc_control_undo(control);
    *recovered = answer.recovered;
    return hash;
}

static void is_recovered_alike(looker *l, const mc_crash *crash, bool made)
{
    (void)crash;
    bool again;
    bool anew;
    if (!made) {
        return;
    }
    mc_control *fresh = mc_control_open(&l->j.trace, &l->j.trace.base, false);
    assert_non_null(fresh);
    mc_hash128 a = recovered_by(l, l->j.control, &again);
    mc_hash128 b = recovered_by(l, fresh, &anew);
    mc_control_close(fresh);
    assert_int_equal(again, anew);
    assert_true(!again || mc_hash128_equal(a, b));
}

/* Promise: a connection that is used again for the next state sees what a new one sees, also when
 * sidecars come and go between two states as no crash makes them. */
static void the_control_reads_anew(void **unused)
{
    (void)unused;
    for (uint32_t m = 1; mc_mistakes[m].name != NULL; m++) {
        leave(look_at("modes", MC_MODE_WAL, mc_mistakes[m].name, is_recovered_alike));
        leave(look_at("grow", MC_MODE_DELETE, mc_mistakes[m].name, is_recovered_alike));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_lost_is_lost),  cmocka_unit_test(older_journals_are_applied),
        cmocka_unit_test(older_wals_are_older),  cmocka_unit_test(other_sidecars_are_live),
        cmocka_unit_test(backups_are_snapshots), cmocka_unit_test(the_control_reads_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
