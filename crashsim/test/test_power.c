/* test_power.c: what a disk can hold after a power loss, held against states worked out by hand and
 * against a model of what is durable that shares no code with power.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "crashsim/power.h"
#include "crashsim/record.h"

enum { MAIN, JOURNAL, ARENA_BYTES = 64 << 20, QUESTIONS_MAX = 64, BYTES_MAX = 16384 };

/* Answers in the order of the questions; behind the last one `rest` is answered. */
typedef struct answers {
    uint32_t answer[QUESTIONS_MAX];
    size_t count;
    bool rest_kept;
    size_t asked;
    mc_power_item item[QUESTIONS_MAX];
    uint32_t alternatives[QUESTIONS_MAX];
} answers;

static uint32_t answer(void *context, mc_power_item item, const mc_op *op, uint32_t count)
{
    answers *a = context;
    (void)op;
    assert_true(count >= 2 && a->asked < QUESTIONS_MAX);
    a->item[a->asked] = item;
    a->alternatives[a->asked] = count;
    size_t number = a->asked++;
    return number < a->count ? a->answer[number] : a->rest_kept ? count - 1 : 0;
}

static uint32_t keep(void *context, mc_power_item item, const mc_op *op, uint32_t count)
{
    (void)context;
    (void)item;
    (void)op;
    return count - 1;
}

static uint32_t drop(void *context, mc_power_item item, const mc_op *op, uint32_t count)
{
    (void)context;
    (void)item;
    (void)op;
    (void)count;
    return 0;
}

static mc_arena arena = {.limit_bytes = ARENA_BYTES};

static mc_disk state_of(const mc_trace *trace, size_t point, const char *profile,
                        mc_power_choose choose, void *context)
{
    mc_disk disk = {0};
    mc_error error;
    mc_arena_reset(&arena);
    assert_int_equal(mc_power_state(trace, point, mc_power_find(profile), choose, context, &arena,
                                    &disk, &error),
                     MC_OK);
    assert_int_equal(disk.file_count, trace->base.file_count);
    return disk;
}

static size_t pending_of(const mc_trace *trace, size_t point, const char *profile)
{
    mc_error error;
    mc_power *power = mc_power_open(trace, mc_power_find(profile));
    assert_non_null(power);
    assert_int_equal(mc_power_advance(power, point, &error), MC_OK);
    size_t pending = mc_power_pending(power);
    mc_power_close(power);
    return pending;
}

/* ---- traces made by hand: main.db with `size` bytes of 'm' ---- */

static mc_trace new_trace(size_t size)
{
    static uint8_t bytes[BYTES_MAX];
    memset(bytes, 'm', sizeof bytes);
    mc_trace trace = {.database = {"main.db"}, .database_count = 1};
    assert_int_equal(mc_disk_slot(&trace.base, "main.db"), MAIN);
    assert_int_equal(mc_disk_slot(&trace.base, "main.db-journal"), JOURNAL);
    assert_true(mc_disk_create(&trace.base, MAIN));
    assert_true(mc_disk_write(&trace.base, MAIN, 0, bytes, size));
    return trace;
}

static void op(mc_trace *trace, mc_op_kind kind, uint16_t file, uint64_t offset, int flags)
{
    mc_error error;
    mc_op element = {
        .kind = (uint8_t)kind, .file = file, .offset = offset, .flags = (uint8_t)flags};
    assert_int_equal(mc_trace_add(trace, element, &error), MC_OK);
}

static void write_op(mc_trace *trace, uint16_t file, uint64_t offset, size_t size, char byte)
{
    uint8_t bytes[BYTES_MAX];
    mc_error error;
    memset(bytes, byte, size);
    mc_op element = {
        .kind = MC_OP_WRITE, .file = file, .offset = offset, .size = (uint32_t)size, .data = bytes};
    assert_int_equal(mc_trace_add(trace, element, &error), MC_OK);
}

/* A file as text: "m2 b1" is two units of 512 of 'm' and one of 'b'; '?' is a mixture, "-" none. */
static void describe(const mc_disk *disk, uint16_t number, char out[256])
{
    const mc_disk_file *file = &disk->file[number];
    char *end = out;
    char last = '\0';
    unsigned run = 0;
    out[0] = '\0';
    assert_int_equal(file->size % 512, 0);
    for (uint64_t at = 0; at <= file->size; at += 512) {
        char now = '\0';
        if (at < file->size) {
            now = (char)file->data[at];
            for (size_t i = 0; i < 512; i++) {
                now = file->data[at + i] == file->data[at] ? now : '?';
            }
            now = now == '\0' ? '0' : now;
        }
        if (now != last && run > 0) {
            end += snprintf(end, 16, "%s%c%u", end == out ? "" : " ", last, run);
            run = 0;
        }
        last = now;
        run++;
    }
    if (!file->exists) {
        strcpy(out, "-");
    }
}

#define ANSWERS(...)                                                                               \
    &(answers)                                                                                     \
    {                                                                                              \
        .answer = {__VA_ARGS__}, .count = sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)     \
    }

static void expect(const mc_trace *trace, const char *profile, answers *a, const char *main,
                   const char *journal)
{
    char text[256];
    mc_disk disk = state_of(trace, trace->op_count, profile, answer, a);
    describe(&disk, MAIN, text);
    assert_string_equal(text, main);
    describe(&disk, JOURNAL, text);
    assert_string_equal(text, journal);
    assert_true(a->asked >= a->count);
    mc_disk_free(&disk);
}

/* Promise: a write is torn at multiples of the unit in the file, any units of it or a beginning. */
static void writes_tear_as_the_profile_says(void **unused)
{
    (void)unused;
    mc_trace trace = new_trace(2048);
    write_op(&trace, MAIN, 512, 1024, 'b');
    answers asked = {0};
    expect(&trace, "psow", &asked, "m4", "-");
    assert_int_equal(asked.asked, 1);
    assert_int_equal(asked.item[0], MC_POWER_WRITE);
    assert_int_equal(asked.alternatives[0], 3);
    expect(&trace, "psow", ANSWERS(2), "m1 b2 m1", "-");
    expect(&trace, "psow", ANSWERS(1, 0, 1), "m2 b1 m1", "-");
    expect(&trace, "psow", ANSWERS(1, 1, 0), "m1 b1 m2", "-");
    expect(&trace, "sector-512", ANSWERS(0), "m4", "-");
    expect(&trace, "sector-512", ANSWERS(1), "m1 b1 m2", "-");
    expect(&trace, "sector-512", ANSWERS(2), "m1 b2 m1", "-");
    expect(&trace, "sector-4096", ANSWERS(1), "m1 b2 m1", "-"); /* all of it, or nothing */
    mc_trace_free(&trace);
}

/* Promise: without powersafe overwrite a torn unit takes what lies beside the write with it; with
 * it, never. */
static void only_strict_damages_the_neighbourhood(void **unused)
{
    (void)unused;
    mc_trace trace = new_trace(2048);
    write_op(&trace, MAIN, 612, 100, 'b');
    expect(&trace, "strict", ANSWERS(1, 0), "m4", "-");
    expect(&trace, "strict", ANSWERS(1, 1), "m1 ?1 m2", "-");
    mc_disk disk = state_of(&trace, 1, "strict", answer, ANSWERS(1, 1));
    assert_true(disk.file[MAIN].data[513] != 'm'); /* a hundred bytes before the write */
    mc_disk_free(&disk);
    disk = state_of(&trace, 1, "psow", keep, NULL);
    assert_int_equal(disk.file[MAIN].data[611], 'm');
    assert_int_equal(disk.file[MAIN].data[612], 'b');
    assert_int_equal(disk.file[MAIN].data[712], 'm');
    mc_disk_free(&disk);
    mc_trace_free(&trace);
}

/* A journal that is durable, deleted, and made anew with other bytes; a sync of main between. */
static mc_trace two_journals(int delete_flags, int second_sync_flags)
{
    mc_trace trace = new_trace(512);
    op(&trace, MC_OP_CREATE, JOURNAL, 0, 0);
    write_op(&trace, JOURNAL, 0, 1024, 'j');
    op(&trace, MC_OP_SYNC, JOURNAL, 0, MC_OPF_DIR_SYNC);
    op(&trace, MC_OP_DELETE, JOURNAL, 0, delete_flags);
    op(&trace, MC_OP_CREATE, JOURNAL, 0, 0);
    write_op(&trace, JOURNAL, 0, 512, 'k');
    op(&trace, MC_OP_SYNC, JOURNAL, 0, second_sync_flags);
    return trace;
}

/* Promise: a name leads to any file that it led to since the directory was durable; the bytes of a
 * deleted file are there with it. */
static void a_deleted_file_can_be_there_again(void **unused)
{
    (void)unused;
    mc_trace trace = two_journals(0, 0);
    answers asked = {0};
    expect(&trace, "psow", &asked, "m1", "j2");
    assert_int_equal(asked.asked, 1);
    assert_int_equal(asked.item[0], MC_POWER_NAME);
    assert_int_equal(asked.alternatives[0], 3);
    expect(&trace, "psow", ANSWERS(1), "m1", "-");
    expect(&trace, "psow", ANSWERS(2), "m1", "k1");
    /* A journaling file system cannot sync the new file without its name, and the names before. */
    assert_int_equal(pending_of(&trace, trace.op_count, "ext4-ordered"), 0);
    expect(&trace, "ext4-ordered", &(answers){0}, "m1", "k1");
    assert_int_equal(pending_of(&trace, trace.op_count - 1, "ext4-ordered"), 4);
    /* Nobody syncs the directory: the first journal's name is not sure, either. */
    expect(&trace, "no-dirsync", ANSWERS(0), "m1", "-");
    expect(&trace, "no-dirsync", ANSWERS(1), "m1", "j2");
    expect(&trace, "lying-sync", &(answers){0}, "m1", "-");
    mc_trace_free(&trace);
    trace = two_journals(MC_OPF_DIR_SYNC, 0); /* the unlink is sure */
    expect(&trace, "psow", ANSWERS(0), "m1", "-");
    mc_trace_free(&trace);
    trace = two_journals(0, MC_OPF_DIR_SYNC);
    expect(&trace, "psow", &(answers){0}, "m1", "k1");
    mc_trace_free(&trace);
}

/* Promise: lengths and bytes go apart where the profile says so, and where a length waits for its
 * bytes they are there whatever is chosen. */
static void lengths_wait_for_their_bytes_or_not(void **unused)
{
    (void)unused;
    mc_trace trace = new_trace(4096);
    write_op(&trace, MAIN, 4096, 4096, 'b');
    answers asked = {0};
    expect(&trace, "psow", &asked, "m8", "-");
    assert_int_equal(asked.item[0], MC_POWER_SIZE);
    expect(&trace, "psow", ANSWERS(1, 1, 0), "m8 08", "-"); /* zeros, no byte */
    expect(&trace, "psow", ANSWERS(1, 0, 0), "m8 ?8", "-"); /* garbage */
    expect(&trace, "psow", ANSWERS(1, 1, 2), "m8 b8", "-"); /* all */
    expect(&trace, "ext4-writeback", ANSWERS(1, 1, 0), "m8 08", "-");
    expect(&trace, "ext4-ordered", ANSWERS(0), "m8", "-");
    asked = *ANSWERS(1);
    expect(&trace, "ext4-ordered", &asked, "m8 b8", "-");
    assert_int_equal(asked.asked, 1);
    write_op(&trace, MAIN, 4096, 512, 'c'); /* over bytes that the length does not wait for */
    expect(&trace, "ext4-ordered", ANSWERS(1, 0), "m8 b8", "-");
    expect(&trace, "ext4-ordered", ANSWERS(1, 1), "m8 c1 b7", "-");
    write_op(&trace, MAIN, 8192, 512, 'd'); /* nor does one that came later, in another block */
    expect(&trace, "ext4-ordered", ANSWERS(2, 0), "m8 b8 d1", "-");
    mc_trace_free(&trace);
    trace = new_trace(4096); /* a new block was written back before more was put into it */
    write_op(&trace, MAIN, 4096, 512, 'b');
    write_op(&trace, MAIN, 4608, 512, 'c');
    expect(&trace, "ext4-ordered", ANSWERS(2, 0), "m8 b1 01", "-");
    expect(&trace, "ext4-ordered", ANSWERS(2, 1), "m8 b1 c1", "-");
    mc_trace_free(&trace);
    trace = new_trace(4096); /* a cut waits for nothing; then blocks beyond it are new again */
    write_op(&trace, MAIN, 4096, 8192, 'b');
    op(&trace, MC_OP_TRUNCATE, MAIN, 8192, 0);
    expect(&trace, "ext4-ordered", ANSWERS(1, 0), "m8 08", "-");
    write_op(&trace, MAIN, 8192, 512, 'c');
    expect(&trace, "ext4-ordered", ANSWERS(1, 1), "m8 b8 c1", "-");
    mc_trace_free(&trace);
    trace = new_trace(512); /* in the last block that it has the length waits for nothing */
    write_op(&trace, MAIN, 512, 512, 'b');
    expect(&trace, "ext4-ordered", ANSWERS(1, 0), "m1 01", "-");
    mc_trace_free(&trace);
    trace = new_trace(4096); /* a cut that was synced with what came after it makes no block new */
    op(&trace, MC_OP_TRUNCATE, MAIN, 0, 0);
    write_op(&trace, MAIN, 0, 4096, 'b');
    op(&trace, MC_OP_SYNC, MAIN, 0, 0);
    write_op(&trace, MAIN, 0, 512, 'c');
    write_op(&trace, MAIN, 4096, 512, 'd');
    expect(&trace, "ext4-ordered", ANSWERS(1, 0), "b8 d1", "-");
    mc_trace_free(&trace);
}

/* Promise: where a length is set when its bytes are there, it waits for what was written beyond the
 * end, in blocks of any age, and not for what was written over that. */
static void lengths_are_set_after_their_bytes(void **unused)
{
    (void)unused;
    mc_trace trace = new_trace(512);
    write_op(&trace, MAIN, 512, 512, 'b');
    expect(&trace, "xfs", ANSWERS(0), "m1", "-");
    answers asked = *ANSWERS(1);
    expect(&trace, "xfs", &asked, "m1 b1", "-");
    assert_int_equal(asked.asked, 1);
    write_op(&trace, MAIN, 512, 512, 'c');
    write_op(&trace, MAIN, 512, 1024, 'd'); /* the second half of which is new */
    expect(&trace, "xfs", ANSWERS(2, 0, 0), "m1 b1 d1", "-");
    expect(&trace, "xfs", ANSWERS(2, 1, 0), "m1 c1 d1", "-");
    mc_trace_free(&trace);
}

/* Promise: where cuts are ordered, bytes of after a cut are not there without it; where they are
 * not, old and new bytes mix. */
static void bytes_after_a_cut_need_the_cut(void **unused)
{
    (void)unused;
    mc_trace trace = new_trace(1024);
    op(&trace, MC_OP_TRUNCATE, MAIN, 0, 0);
    write_op(&trace, MAIN, 0, 512, 'n');
    answers asked = {0};
    expect(&trace, "ext4-ordered", &asked, "m2", "-");
    assert_int_equal(asked.item[0], MC_POWER_METADATA);
    assert_int_equal(asked.asked, 1);
    expect(&trace, "ext4-ordered", ANSWERS(1, 0), "", "-");
    expect(&trace, "ext4-ordered", ANSWERS(1, 1), "n1", "-");
    expect(&trace, "psow", ANSWERS(0, 1), "n1 m1", "-");
    expect(&trace, "psow", ANSWERS(2, 1, 1), "n1", "-");
    expect(&trace, "psow", ANSWERS(2, 1, 0), "01", "-");
    mc_trace_free(&trace);
    trace = new_trace(1024); /* and whatever commits metadata commits a cut before it */
    assert_true(mc_disk_create(&trace.base, JOURNAL));
    op(&trace, MC_OP_TRUNCATE, MAIN, 512, 0);
    op(&trace, MC_OP_DELETE, JOURNAL, 0, MC_OPF_DIR_SYNC);
    op(&trace, MC_OP_ACKED, MC_DISK_NONE, 1, 0);
    expect(&trace, "ext4-ordered", &(answers){0}, "m1", "-");
    expect(&trace, "psow", &(answers){0}, "m2", "-");
    mc_trace_free(&trace);
}

/* Promise: in order means in order: what is older than metadata that is there is there. */
static void in_order_older_writes_are_there(void **unused)
{
    (void)unused;
    mc_trace trace = new_trace(1024);
    write_op(&trace, MAIN, 0, 512, 'b');
    op(&trace, MC_OP_CREATE, JOURNAL, 0, 0);
    write_op(&trace, MAIN, 512, 512, 'c');
    expect(&trace, "sector-512", ANSWERS(0, 0, 1), "m1 c1", "-");
    answers asked = *ANSWERS(1, 0);
    expect(&trace, "sector-512", &asked, "b1 m1", "");
    assert_int_equal(asked.asked, 2);
    mc_trace_free(&trace);
}

/* Promise: between an unlink and the sync of its directory the name may be there or not, in every
 * order with the names before it; from the next element on it is gone. */
static void an_unlink_is_pending_until_its_directory_is_synced(void **unused)
{
    (void)unused;
    mc_trace trace = new_trace(512);
    assert_true(mc_disk_delete(&trace.base, MAIN));
    assert_true(mc_disk_create(&trace.base, JOURNAL));
    op(&trace, MC_OP_CREATE, MAIN, 0, 0);
    op(&trace, MC_OP_DELETE, JOURNAL, 0, MC_OPF_DIR_SYNC);
    assert_false(mc_power_is_same(&trace, 1));
    expect(&trace, "psow", ANSWERS(0, 0), "-", "");
    expect(&trace, "psow", ANSWERS(0, 1), "-", "-");
    expect(&trace, "psow", ANSWERS(1, 0), "", "");
    expect(&trace, "ext4-ordered", ANSWERS(1), "", "");
    expect(&trace, "ext4-ordered", ANSWERS(2), "", "-");
    op(&trace, MC_OP_ACKED, MC_DISK_NONE, 1, 0);
    op(&trace, MC_OP_BEGUN, MC_DISK_NONE, 2, 0);
    assert_false(mc_power_is_same(&trace, 3));
    assert_true(mc_power_is_same(&trace, 4));
    expect(&trace, "psow", &(answers){0}, "", "-");
    expect(&trace, "ext4-ordered", &(answers){0}, "", "-");
    expect(&trace, "no-dirsync", ANSWERS(0, 0), "-", "");
    mc_trace_free(&trace);
}

/* Promise: with `sync_alone` a sync takes what is its file's along, its name too, and leaves what
 * is older pending; a sync of the directory takes all names and no cut. */
static void a_sync_alone_commits_one_file(void **unused)
{
    (void)unused;
    mc_trace trace = new_trace(1024);
    op(&trace, MC_OP_TRUNCATE, MAIN, 512, 0);
    op(&trace, MC_OP_CREATE, JOURNAL, 0, 0);
    write_op(&trace, JOURNAL, 0, 512, 'j');
    op(&trace, MC_OP_SYNC, JOURNAL, 0, 0);
    expect(&trace, "btrfs", ANSWERS(0), "m2", "j1");
    expect(&trace, "btrfs", ANSWERS(1), "m1", "j1");
    expect(&trace, "xfs", &(answers){0}, "m1", "j1");
    op(&trace, MC_OP_DELETE, JOURNAL, 0, MC_OPF_DIR_SYNC);
    expect(&trace, "btrfs", ANSWERS(0), "m2", "j1");
    expect(&trace, "btrfs", ANSWERS(1), "m1", "j1"); /* in order */
    expect(&trace, "btrfs", ANSWERS(2), "m1", "-");
    op(&trace, MC_OP_ACKED, MC_DISK_NONE, 1, 0);
    expect(&trace, "btrfs", ANSWERS(0), "m2", "-");
    mc_trace_free(&trace);
    trace =
        new_trace(512); /* between its two halves a sync has brought a name without older ones */
    assert_true(mc_disk_delete(&trace.base, MAIN));
    op(&trace, MC_OP_CREATE, MAIN, 0, 0);
    op(&trace, MC_OP_CREATE, JOURNAL, 0, 0);
    expect(&trace, "btrfs", ANSWERS(1), "", "-");
    op(&trace, MC_OP_SYNC, JOURNAL, 0, MC_OPF_DIR_SYNC);
    expect(&trace, "btrfs", ANSWERS(0), "-", "");
    expect(&trace, "xfs", &(answers){0}, "", "");
    op(&trace, MC_OP_ACKED, MC_DISK_NONE, 1, 0);
    expect(&trace, "btrfs", &(answers){0}, "", "");
    mc_trace_free(&trace);
}

/* Promise: with `unlink_shrinks` a deleted file is whole, cut at a block, empty or gone, until
 * its directory is synced. */
static void an_unlink_may_stop_half_way(void **unused)
{
    (void)unused;
    mc_trace trace = new_trace(5120);
    op(&trace, MC_OP_DELETE, MAIN, 0, MC_OPF_DIR_SYNC);
    expect(&trace, "nonatomic-unlink", ANSWERS(0), "m10", "-");
    expect(&trace, "nonatomic-unlink", ANSWERS(1), "m8", "-");
    expect(&trace, "nonatomic-unlink", ANSWERS(2), "", "-");
    expect(&trace, "nonatomic-unlink", ANSWERS(3), "-", "-");
    op(&trace, MC_OP_ACKED, MC_DISK_NONE, 1, 0);
    expect(&trace, "nonatomic-unlink", &(answers){0}, "-", "-");
    mc_trace_free(&trace);
}

/* ---- whole recordings ---- */

static const struct {
    const char *workload;
    mc_mode mode;
    mc_sync sync;
} cells[] = {
    {"mixed", MC_MODE_DELETE, MC_SYNC_FULL},  {"shrink", MC_MODE_TRUNCATE, MC_SYNC_NORMAL},
    {"spill", MC_MODE_PERSIST, MC_SYNC_FULL}, {"checkpoint", MC_MODE_WAL, MC_SYNC_NORMAL},
    {"modes", MC_MODE_WAL, MC_SYNC_FULL},     {"attach", MC_MODE_DELETE, MC_SYNC_EXTRA},
};
enum { CELLS = sizeof cells / sizeof *cells, POINTS = 200 };

static void record(size_t cell, mc_trace *trace)
{
    mc_record_options options = {.workload = cells[cell].workload,
                                 .mode = cells[cell].mode,
                                 .sync = cells[cell].sync,
                                 .page_size = 1024,
                                 .txns = 2,
                                 .seed = 1};
    mc_error error;
    *trace = (mc_trace){0};
    assert_int_equal(mc_record(&options, trace, &error), MC_OK);
}

static void same_disk(const mc_trace *trace, const mc_disk *a, const mc_disk *b)
{
    for (uint32_t i = 0; i < trace->base.file_count; i++) {
        bool shm = strcmp(mc_file_role(trace, (uint16_t)i), "shm") == 0;
        assert_int_equal(a->file[i].exists, b->file[i].exists && !shm);
        if (a->file[i].exists) {
            assert_int_equal(a->file[i].size, b->file[i].size);
            assert_memory_equal(a->file[i].data, b->file[i].data, a->file[i].size);
        }
    }
}

/* Promise: with everything kept the disk is what kill leaves there, in every profile. */
static void everything_kept_is_the_kill_state(void **unused)
{
    (void)unused;
    for (size_t cell = 0; cell < CELLS; cell++) {
        mc_trace trace;
        mc_disk live = {0};
        mc_error error;
        record(cell, &trace);
        assert_true(mc_disk_copy(&live, &trace.base));
        size_t step = trace.op_count / POINTS + 1;
        for (size_t point = 0; point <= trace.op_count; point++) {
            for (size_t i = 0; point % step == 0 && mc_power_profiles[i].name != NULL; i++) {
                mc_disk disk = state_of(&trace, point, mc_power_profiles[i].name, keep, NULL);
                same_disk(&trace, &disk, &live);
                mc_disk_free(&disk);
            }
            if (point < trace.op_count) {
                assert_int_equal(mc_trace_apply(&live, &trace.op[point], UINT32_MAX, &error),
                                 MC_OK);
            }
        }
        mc_disk_free(&live);
        mc_trace_free(&trace);
    }
}

/* What is durable, the simple way: `live` is the directory as programs see it, with a copy of each
 * file as it was when it was last synced, and `durable` the directory when that was. */
enum { FILES_MAX = 16, INODES_MAX = 512 };

typedef struct model {
    mc_disk live;
    mc_disk synced; /* by inode: "0", "1", ... */
    uint32_t inodes;
    int inode[FILES_MAX]; /* by file; -1: none */
    int durable[FILES_MAX];
    bool unlinked; /* by the last element, which syncs the directory, too */
} model;

static int new_inode(model *m, const mc_disk_file *content)
{
    char name[16];
    (void)snprintf(name, sizeof name, "%u", m->inodes);
    uint16_t number = mc_disk_slot(&m->synced, name);
    assert_true(m->inodes < INODES_MAX && mc_disk_create(&m->synced, number));
    if (content != NULL) {
        assert_true(mc_disk_write(&m->synced, number, 0, content->data, (size_t)content->size));
    }
    return (int)m->inodes++;
}

static void step_model(model *m, const mc_op *element)
{
    mc_error error;
    if (m->unlinked) {
        memcpy(m->durable, m->inode, sizeof m->durable);
    }
    assert_int_equal(mc_trace_apply(&m->live, element, UINT32_MAX, &error), MC_OK);
    uint16_t file = element->file;
    if (element->kind == MC_OP_CREATE) {
        m->inode[file] = new_inode(m, NULL);
    } else if (element->kind == MC_OP_DELETE) {
        m->inode[file] = -1;
    } else if (element->kind == MC_OP_SYNC) {
        const mc_disk_file *now = &m->live.file[file];
        uint16_t inode = (uint16_t)m->inode[file];
        assert_true(mc_disk_truncate(&m->synced, inode, 0));
        assert_true(mc_disk_write(&m->synced, inode, 0, now->data, (size_t)now->size));
    }
    if (element->kind == MC_OP_SYNC && (element->flags & MC_OPF_DIR_SYNC) != 0) {
        memcpy(m->durable, m->inode, sizeof m->durable);
    }
    m->unlinked = element->kind == MC_OP_DELETE && (element->flags & MC_OPF_DIR_SYNC) != 0;
}

static void same_as_durable(const mc_trace *trace, const model *m, const mc_disk *disk)
{
    for (uint32_t i = 0; i < trace->base.file_count; i++) {
        bool shm = strcmp(mc_file_role(trace, (uint16_t)i), "shm") == 0;
        assert_int_equal(disk->file[i].exists, !shm && m->durable[i] >= 0);
        if (disk->file[i].exists) {
            const mc_disk_file *file = &m->synced.file[m->durable[i]];
            assert_int_equal(disk->file[i].size, file->size);
            assert_memory_equal(disk->file[i].data, file->data, file->size);
        }
    }
}

/* Promise: with everything dropped the disk is what was last durable, file by file and name by
 * name; where sync lies that is the base. */
static void everything_dropped_is_what_was_durable(void **unused)
{
    (void)unused;
    for (size_t cell = 0; cell < CELLS; cell++) {
        mc_trace trace;
        model m = {0};
        record(cell, &trace);
        assert_true(trace.base.file_count <= FILES_MAX);
        assert_true(mc_disk_copy(&m.live, &trace.base));
        for (uint32_t i = 0; i < FILES_MAX; i++) {
            bool there = i < trace.base.file_count && trace.base.file[i].exists;
            m.durable[i] = m.inode[i] = there ? new_inode(&m, &trace.base.file[i]) : -1;
        }
        size_t step = trace.op_count / POINTS + 1;
        for (size_t point = 0; point <= trace.op_count; point++) {
            if (point % step == 0) {
                mc_disk disk = state_of(&trace, point, "psow", drop, NULL);
                same_as_durable(&trace, &m, &disk);
                mc_disk_free(&disk);
                disk = state_of(&trace, point, "lying-sync", drop, NULL);
                same_disk(&trace, &disk, &trace.base);
                mc_disk_free(&disk);
            }
            if (point < trace.op_count) {
                step_model(&m, &trace.op[point]);
            }
        }
        mc_disk_free(&m.live);
        mc_disk_free(&m.synced);
        mc_trace_free(&trace);
    }
}

/* Promise: the table can be searched, and each row says whose behaviour it is and where from. */
static void profiles_have_names_and_sources(void **unused)
{
    (void)unused;
    for (const mc_power_profile *row = mc_power_profiles; row->name != NULL; row++) {
        assert_ptr_equal(mc_power_find(row->name), row);
        assert_true(strlen(row->summary) > 20 && strlen(row->source) > 20);
        assert_int_equal(row->tear_bytes & (row->tear_bytes - 1), 0);
    }
    assert_null(mc_power_find("ext5"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_tear_as_the_profile_says),
        cmocka_unit_test(only_strict_damages_the_neighbourhood),
        cmocka_unit_test(a_deleted_file_can_be_there_again),
        cmocka_unit_test(lengths_wait_for_their_bytes_or_not),
        cmocka_unit_test(lengths_are_set_after_their_bytes),
        cmocka_unit_test(bytes_after_a_cut_need_the_cut),
        cmocka_unit_test(in_order_older_writes_are_there),
        cmocka_unit_test(an_unlink_is_pending_until_its_directory_is_synced),
        cmocka_unit_test(a_sync_alone_commits_one_file),
        cmocka_unit_test(an_unlink_may_stop_half_way),
        cmocka_unit_test(everything_kept_is_the_kill_state),
        cmocka_unit_test(everything_dropped_is_what_was_durable),
        cmocka_unit_test(profiles_have_names_and_sources),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mc_arena_free(&arena);
    return failed;
}
