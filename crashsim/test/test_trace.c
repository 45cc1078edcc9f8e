/* test_trace.c: a trace keeps what it is given and replays it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "crashsim/trace.h"

/* Promise: an element's bytes are copied, so the caller's buffer may be used again. */
static void additions_are_copied(void **unused)
{
    (void)unused;
    mc_trace trace = {0};
    mc_error error;
    uint8_t buffer[4] = "abcd";
    for (uint32_t i = 0; i < 3000; i++) {
        buffer[0] = (uint8_t)i;
        mc_op op = {.kind = MC_OP_WRITE, .offset = i, .size = 4, .data = buffer};
        assert_int_equal(mc_trace_add(&trace, op, &error), MC_OK);
    }
    assert_int_equal(trace.op_count, 3000);
    for (uint32_t i = 0; i < 3000; i++) {
        assert_int_equal(trace.op[i].offset, i);
        assert_int_equal(trace.op[i].data[0], (uint8_t)i);
        assert_memory_equal(trace.op[i].data + 1, "bcd", 3);
    }
    mc_trace_free(&trace);
    assert_null(trace.op);
}

/* Promise: each kind does to the disk what its name says, and marks and syncs do nothing. */
static void elements_apply(void **unused)
{
    (void)unused;
    mc_disk disk = {0};
    mc_error error;
    assert_int_equal(mc_disk_slot(&disk, "f"), 0);
    const uint8_t bytes[] = "0123456789";
    const mc_op ops[] = {
        {.kind = MC_OP_CREATE},
        {.kind = MC_OP_WRITE, .offset = 2, .size = 10, .data = bytes},
        {.kind = MC_OP_SYNC},
        {.kind = MC_OP_BEGUN, .file = MC_DISK_NONE, .offset = 1},
        {.kind = MC_OP_TRUNCATE, .offset = 5},
        {.kind = MC_OP_ACKED, .file = MC_DISK_NONE, .offset = 1},
    };
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        assert_int_equal(mc_trace_apply(&disk, &ops[i], UINT32_MAX, &error), MC_OK);
    }
    assert_int_equal(disk.file[0].size, 5);
    assert_memory_equal(disk.file[0].data,
                        "\0\0"
                        "012",
                        5);
    mc_op write = {.kind = MC_OP_WRITE, .offset = 5, .size = 10, .data = bytes};
    assert_int_equal(mc_trace_apply(&disk, &write, 3, &error), MC_OK); /* cut short */
    assert_int_equal(disk.file[0].size, 8);
    assert_memory_equal(disk.file[0].data + 5, "012", 3);
    assert_int_equal(mc_trace_apply(&disk, &(mc_op){.kind = MC_OP_DELETE}, UINT32_MAX, &error),
                     MC_OK);
    assert_false(disk.file[0].exists);
    mc_disk_free(&disk);
}

/* Promise: a file's role is told from its name; the super-journal's form is SQLite's. */
static void roles_follow_names(void **unused)
{
    (void)unused;
    static const struct {
        const char *name;
        const char *role;
    } cases[] = {
        {"main.db", "main"},
        {"aux.db", "main"},
        {"main.db-journal", "journal"},
        {"aux.db-wal", "wal"},
        {"main.db-shm", "shm"},
        {"main.db-mj0A1B2C93F", "super-journal"},
        {"main.db-mj0A1B2C93", "other"},
        {"main.db-mjzzzzzzzzz", "other"},
        {"x", "other"},
        {"-wal", "other"},
    };
    mc_trace trace = {.database = {"main.db", "aux.db"}, .database_count = 2};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint16_t number = mc_disk_slot(&trace.base, cases[i].name);
        assert_string_equal(mc_file_role(&trace, number), cases[i].role);
    }
    assert_string_equal(mc_file_role(&trace, MC_DISK_NONE), "other");
    mc_trace_free(&trace);
}

/* Promise: every kind has a name of its own. */
static void kinds_have_names(void **unused)
{
    (void)unused;
    for (int a = 0; a < MC_OP_KINDS; a++) {
        assert_non_null(mc_op_kind_name((mc_op_kind)a));
        for (int b = 0; b < a; b++) {
            assert_string_not_equal(mc_op_kind_name((mc_op_kind)a), mc_op_kind_name((mc_op_kind)b));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(additions_are_copied),
        cmocka_unit_test(elements_apply),
        cmocka_unit_test(roles_follow_names),
        cmocka_unit_test(kinds_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
