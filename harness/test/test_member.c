/* test_member.c: the membership test against the model itself, in both directions: every state that
 * mc_power_state makes is a member; and of a small trace whose states can all be made, a state is a
 * member exactly when it is one of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "crashsim/record.h"
#include "harness/validate/member.h"

enum { MAIN, JOURNAL, ARENA_BYTES = 64 << 20, QUESTIONS_MAX = 64, STATES_MAX = 200000 };

static mc_arena arena = {.limit_bytes = ARENA_BYTES};

static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static bool is_member(const mc_trace *trace, size_t point, const mc_power_profile *profile,
                      const mc_disk *state, char why[200])
{
    bool member = false;
    mc_error error;
    mc_arena_reset(&arena);
    assert_int_equal(mc_member(trace, point, profile, state, &arena, &member, why, 200, &error),
                     MC_OK);
    return member;
}

/* Leans to one side, differently each time: half of all writes lost is one kind of crash only. */
static uint32_t choose_at_random(void *context, mc_power_item item, const mc_op *op, uint32_t count)
{
    uint64_t *seed = context;
    (void)item;
    (void)op;
    uint64_t lean = *seed >> 62;
    uint64_t random = draw(seed);
    *seed = (*seed & ~(UINT64_C(3) << 62)) | lean << 62;
    if (lean == 1 && random % 4 != 0) {
        return count - 1;
    }
    return lean == 2 && random % 4 != 0 ? 0 : (uint32_t)((random >> 8) % count);
}

/* Promise: whatever the model makes is a member, of every profile, at every crash point; a byte
 * that nobody wrote in a place that was durable is not. */
static void states_of_the_model_are_members(void **unused)
{
    (void)unused;
    static const struct {
        const char *workload;
        mc_mode mode;
        mc_sync sync;
    } cells[] = {
        {"grow", MC_MODE_DELETE, MC_SYNC_FULL},    {"spill", MC_MODE_DELETE, MC_SYNC_NORMAL},
        {"shrink", MC_MODE_TRUNCATE, MC_SYNC_OFF}, {"vacuum", MC_MODE_PERSIST, MC_SYNC_FULL},
        {"checkpoint", MC_MODE_WAL, MC_SYNC_FULL}, {"grow", MC_MODE_WAL, MC_SYNC_NORMAL},
    };
    uint64_t seed = 7;
    uint64_t states = 0;
    uint64_t foreign = 0;
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        mc_record_options options = {.workload = cells[i].workload,
                                     .mode = cells[i].mode,
                                     .sync = cells[i].sync,
                                     .page_size = 1024,
                                     .txns = 2,
                                     .seed = 1};
        mc_trace trace = {0};
        mc_error error;
        assert_int_equal(mc_record(&options, &trace, &error), MC_OK);
        for (const mc_power_profile *p = mc_power_profiles; p->name != NULL; p++) {
            for (int round = 0; round < 60; round++) {
                size_t point = (size_t)(draw(&seed) % (trace.op_count + 1));
                uint64_t choices = draw(&seed);
                char why[200];
                mc_disk state = {0};
                mc_arena_reset(&arena);
                assert_int_equal(mc_power_state(&trace, point, p, choose_at_random, &choices,
                                                &arena, &state, &error),
                                 MC_OK);
                if (!is_member(&trace, point, p, &state, why)) {
                    fail_msg("%s, %s, element %zu of %zu: %s", options.workload, p->name, point,
                             trace.op_count, why);
                }
                states++;
                /* Nobody writes to the middle of SQLite's magic. */
                if (p->psow && state.file[MAIN].exists && state.file[MAIN].size > 1024 &&
                    state.file[MAIN].data[5] == 'e') {
                    assert_true(mc_disk_write(&state, MAIN, 5, "E", 1));
                    foreign += !p->garbage;
                    assert_true(p->garbage || !is_member(&trace, point, p, &state, why));
                }
                mc_disk_free(&state);
            }
        }
        mc_trace_free(&trace);
    }
    assert_true(states > 2000 && foreign > 300);
}

/* ---- all states of a small trace ---- */

typedef struct odometer {
    uint32_t answer[QUESTIONS_MAX];
    uint32_t count[QUESTIONS_MAX];
    size_t asked;
    size_t fixed;
} odometer;

static uint32_t next_answer(void *context, mc_power_item item, const mc_op *op, uint32_t count)
{
    odometer *o = context;
    (void)item;
    (void)op;
    assert_true(o->asked < QUESTIONS_MAX);
    if (o->asked >= o->fixed) {
        o->answer[o->asked] = 0;
    }
    o->count[o->asked] = count;
    return o->answer[o->asked++];
}

static bool turn(odometer *o)
{
    size_t at = o->asked;
    while (at > 0 && o->answer[at - 1] + 1 == o->count[at - 1]) {
        at--;
    }
    if (at > 0) {
        o->answer[at - 1]++;
    }
    o->fixed = at;
    o->asked = 0;
    return at > 0;
}

/* The files as text, one character per 512 bytes: the trace writes nothing that differs within. */
static void key_of(const mc_disk *disk, char out[64])
{
    char *end = out;
    for (uint16_t i = MAIN; i <= JOURNAL; i++) {
        const mc_disk_file *file = &disk->file[i];
        *end++ = file->exists ? '[' : '-';
        for (uint64_t at = 0; file->exists && at < file->size; at += 512) {
            *end++ = file->data[at] == 0 ? '0' : (char)file->data[at];
        }
    }
    *end = '\0';
}

static void add_op(mc_trace *trace, mc_op_kind kind, uint16_t file, uint64_t at, uint32_t units,
                   char byte, int flags)
{
    uint8_t bytes[4096];
    mc_error error;
    memset(bytes, byte, sizeof bytes);
    mc_op op = {.kind = (uint8_t)kind,
                .file = file,
                .offset = at * 512,
                .size = units * 512,
                .data = bytes,
                .flags = (uint8_t)flags};
    assert_int_equal(mc_trace_add(trace, op, &error), MC_OK);
}

/* main.db of two units, and no journal. */
static mc_trace empty_trace(void)
{
    uint8_t bytes[1024];
    mc_trace trace = {.database = {"main.db"}, .database_count = 1};
    memset(bytes, 'm', sizeof bytes);
    assert_int_equal(mc_disk_slot(&trace.base, "main.db"), MAIN);
    assert_int_equal(mc_disk_slot(&trace.base, "main.db-journal"), JOURNAL);
    assert_true(mc_disk_create(&trace.base, MAIN));
    assert_true(mc_disk_write(&trace.base, MAIN, 0, bytes, sizeof bytes));
    return trace;
}

/* Names, lengths up and down, writes over writes, a name that leads to another file: few units. */
static mc_trace small_trace(void)
{
    mc_trace trace = empty_trace();
    add_op(&trace, MC_OP_CREATE, JOURNAL, 0, 0, 0, 0);
    add_op(&trace, MC_OP_WRITE, JOURNAL, 0, 2, 'j', 0);
    add_op(&trace, MC_OP_WRITE, JOURNAL, 0, 1, 'k', 0);
    add_op(&trace, MC_OP_SYNC, JOURNAL, 0, 0, 0, MC_OPF_DIR_SYNC);
    add_op(&trace, MC_OP_WRITE, MAIN, 1, 2, 'a', 0);
    add_op(&trace, MC_OP_WRITE, MAIN, 0, 1, 'b', 0);
    add_op(&trace, MC_OP_TRUNCATE, MAIN, 1, 0, 0, 0);
    add_op(&trace, MC_OP_WRITE, MAIN, 2, 1, 'c', 0);
    add_op(&trace, MC_OP_DELETE, JOURNAL, 0, 0, 0, 0);
    add_op(&trace, MC_OP_CREATE, JOURNAL, 0, 0, 0, 0);
    add_op(&trace, MC_OP_WRITE, JOURNAL, 1, 1, 'n', 0);
    add_op(&trace, MC_OP_SYNC, MAIN, 0, 0, 0, 0);
    add_op(&trace, MC_OP_WRITE, MAIN, 0, 3, 'd', 0);
    return trace;
}

/* New blocks that are written more than once, cut and begun again; syncs of one file with changes
 * of the other pending; unlinks of more than one block, one with a sync of the directory. */
static mc_trace trace_of_blocks(void)
{
    mc_trace trace = empty_trace();
    add_op(&trace, MC_OP_TRUNCATE, MAIN, 1, 0, 0, 0);
    add_op(&trace, MC_OP_CREATE, JOURNAL, 0, 0, 0, 0);
    add_op(&trace, MC_OP_WRITE, JOURNAL, 0, 1, 'j', 0);
    add_op(&trace, MC_OP_WRITE, JOURNAL, 1, 1, 'k', 0);
    add_op(&trace, MC_OP_WRITE, JOURNAL, 8, 1, 'n', 0);
    add_op(&trace, MC_OP_WRITE, JOURNAL, 0, 1, 'n', 0);
    add_op(&trace, MC_OP_TRUNCATE, JOURNAL, 2, 0, 0, 0);
    add_op(&trace, MC_OP_WRITE, JOURNAL, 8, 1, 'j', 0);
    add_op(&trace, MC_OP_WRITE, JOURNAL, 9, 1, 'k', 0);
    add_op(&trace, MC_OP_SYNC, JOURNAL, 0, 0, 0, 0);
    add_op(&trace, MC_OP_DELETE, MAIN, 0, 0, 0, 0);
    add_op(&trace, MC_OP_CREATE, MAIN, 0, 0, 0, 0);
    add_op(&trace, MC_OP_WRITE, MAIN, 0, 2, 'a', 0);
    add_op(&trace, MC_OP_DELETE, JOURNAL, 0, 0, 0, 0);
    add_op(&trace, MC_OP_CREATE, JOURNAL, 0, 0, 0, 0);
    add_op(&trace, MC_OP_WRITE, JOURNAL, 8, 1, 'n', 0);
    add_op(&trace, MC_OP_SYNC, JOURNAL, 0, 0, 0, MC_OPF_DIR_SYNC);
    add_op(&trace, MC_OP_SYNC, MAIN, 0, 0, 0, 0);
    add_op(&trace, MC_OP_TRUNCATE, MAIN, 1, 0, 0, 0);
    add_op(&trace, MC_OP_DELETE, JOURNAL, 0, 0, 0, MC_OPF_DIR_SYNC);
    add_op(&trace, MC_OP_ACKED, MC_DISK_NONE, 1, 0, 0, 0);
    return trace;
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* All states of a point, as sorted keys. */
static size_t all_states(const mc_trace *trace, size_t point, const mc_power_profile *profile,
                         char (*keys)[64])
{
    odometer o = {.fixed = 0};
    mc_error error;
    size_t count = 0;
    do {
        mc_disk disk = {0};
        mc_arena_reset(&arena);
        assert_int_equal(
            mc_power_state(trace, point, profile, next_answer, &o, &arena, &disk, &error), MC_OK);
        assert_true(count < STATES_MAX);
        key_of(&disk, keys[count++]);
        mc_disk_free(&disk);
    } while (turn(&o));
    qsort(keys, count, sizeof *keys, compare_keys);
    return count;
}

/* A directory drawn from what the trace writes: lengths and letters, so that many are states. */
static mc_disk draw_disk(const mc_trace *trace, uint64_t *seed, char (*keys)[64], size_t count)
{
    static const char letters[2][8] = {"mabcd0", "jkn0"};
    const char *key = keys[draw(seed) % count]; /* one change or two away from a state */
    mc_disk disk = {0};
    for (uint16_t i = MAIN; i <= JOURNAL; i++) {
        assert_int_equal(mc_disk_slot(&disk, trace->base.file[i].name), i);
        bool there = *key++ == '[';
        if (!there) {
            continue;
        }
        assert_true(mc_disk_create(&disk, i));
        for (; *key != '\0' && *key != '[' && *key != '-'; key++) {
            uint8_t bytes[512];
            memset(bytes, *key == '0' ? 0 : *key, sizeof bytes);
            assert_true(mc_disk_write(&disk, i, disk.file[i].size, bytes, sizeof bytes));
        }
        if (draw(seed) % 8 == 0) {
            assert_true(mc_disk_truncate(&disk, i, draw(seed) % 4 * 512));
        }
        if (draw(seed) % 2 == 0 && disk.file[i].size > 0) {
            uint8_t bytes[512];
            char letter = letters[i][draw(seed) % strlen(letters[i])];
            memset(bytes, letter == '0' ? 0 : letter, sizeof bytes);
            uint64_t at = draw(seed) % (disk.file[i].size / 512) * 512;
            assert_true(mc_disk_write(&disk, i, at, bytes, sizeof bytes));
        }
        if (draw(seed) % 16 == 0) {
            assert_true(mc_disk_delete(&disk, i));
        }
    }
    return disk;
}

static void exactly_the_states_are_members(mc_trace trace)
{
    static char keys[2][STATES_MAX][64]; /* of this point, and of the one before it */
    size_t count[2] = {0, 0};
    uint64_t seed = 11;
    uint64_t members = 0;
    uint64_t others = 0;
    for (const mc_power_profile *p = mc_power_profiles; p->name != NULL; p++) {
        for (size_t point = 0; point <= trace.op_count && p->psow && !p->garbage; point++) {
            size_t now = point % 2;
            count[now] = all_states(&trace, point, p, keys[now]);
            for (int round = 0; round < 400; round++) {
                char key[64];
                char why[200];
                size_t near = point == 0 || draw(&seed) % 2 == 0 ? now : 1 - now;
                mc_disk disk = draw_disk(&trace, &seed, keys[near], count[near]);
                key_of(&disk, key);
                bool possible =
                    bsearch(key, keys[now], count[now], sizeof **keys, compare_keys) != NULL;
                bool member = is_member(&trace, point, p, &disk, why);
                if (member != possible) {
                    fail_msg("%s, element %zu: %s is %s: %s", p->name, point, key,
                             possible ? "possible, but no member" : "a member, but impossible",
                             why);
                }
                members += member;
                others += !member;
                mc_disk_free(&disk);
            }
        }
    }
    mc_trace_free(&trace);
    print_message("%llu members, %llu others\n", (unsigned long long)members,
                  (unsigned long long)others);
    assert_true(members > 5000 && others > 5000);
}

/* Promise: of a trace whose states can all be made, exactly those are members. (Profiles with
 * garbage or damage take any bytes for it, so they are left to the test above.) */
static void exactly_the_states_of_the_model_are_members(void **unused)
{
    (void)unused;
    exactly_the_states_are_members(small_trace());
    exactly_the_states_are_members(trace_of_blocks());
}

static int free_arena(void **unused)
{
    (void)unused;
    mc_arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_of_the_model_are_members),
        cmocka_unit_test(exactly_the_states_of_the_model_are_members),
    };
    return cmocka_run_group_tests(tests, NULL, free_arena);
}
