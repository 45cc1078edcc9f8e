/* test_traits.c: the classes of states, each with a state made by hand that shows it alone or with
 * what cannot be apart from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "harness/validate/traits.h"

enum { MAIN, JOURNAL };

#define OF(role, trait) (1u << ((role) * (int)MC_TRAITS + (int)(trait)))

static mc_trace trace;
static mc_disk killed;
static mc_disk state;

static void add(mc_op_kind kind, uint16_t file, uint64_t offset, uint32_t size, char byte)
{
    uint8_t bytes[4096];
    mc_error error;
    memset(bytes, byte, sizeof bytes);
    mc_op op = {.kind = (uint8_t)kind, .file = file, .offset = offset, .size = size, .data = bytes};
    assert_int_equal(mc_trace_add(&trace, op, &error), MC_OK);
    assert_int_equal(mc_trace_apply(&killed, &trace.op[trace.op_count - 1], UINT32_MAX, &error),
                     MC_OK);
}

/* main.db of 2048 'm', of which 1024 become 'a' and then 512 'b'; a journal is made and written. */
static int make(void **unused)
{
    (void)unused;
    uint8_t bytes[2048];
    memset(bytes, 'm', sizeof bytes);
    trace = (mc_trace){.database = {"main.db"}, .database_count = 1};
    killed = (mc_disk){0};
    state = (mc_disk){0};
    (void)mc_disk_slot(&trace.base, "main.db");
    (void)mc_disk_slot(&trace.base, "main.db-journal");
    bool ok = mc_disk_create(&trace.base, MAIN) &&
              mc_disk_write(&trace.base, MAIN, 0, bytes, sizeof bytes) &&
              mc_disk_copy(&killed, &trace.base);
    add(MC_OP_CREATE, JOURNAL, 0, 0, 0);
    add(MC_OP_WRITE, JOURNAL, 0, 512, 'j');
    add(MC_OP_WRITE, MAIN, 0, 1024, 'a');
    add(MC_OP_WRITE, MAIN, 1536, 512, 'b');
    return ok && mc_disk_copy(&state, &killed) ? 0 : 1;
}

static int clean(void **unused)
{
    (void)unused;
    mc_trace_free(&trace);
    mc_disk_free(&killed);
    mc_disk_free(&state);
    return 0;
}

static void put(uint16_t file, uint64_t offset, size_t size, char byte)
{
    uint8_t bytes[2048];
    memset(bytes, byte, sizeof bytes);
    assert_true(mc_disk_write(&state, file, offset, bytes, size));
}

static void expect(uint32_t bits)
{
    assert_int_equal(mc_traits_of(&trace, trace.op_count, &killed, &state), bits);
}

static void what_a_kill_leaves_shows_none(void **unused)
{
    (void)unused;
    expect(0);
}

static void a_write_that_is_torn(void **unused)
{
    (void)unused;
    put(MAIN, 512, 512, 'm');
    expect(OF(0, MC_TRAIT_OLD) | OF(0, MC_TRAIT_TORN));
}

static void a_write_that_is_missing_before_a_later_one(void **unused)
{
    (void)unused;
    put(MAIN, 0, 1024, 'm');
    expect(OF(0, MC_TRAIT_OLD) | OF(0, MC_TRAIT_LATE));
}

static void the_last_write_missing_is_not_late(void **unused)
{
    (void)unused;
    put(MAIN, 1536, 512, 'm');
    expect(OF(0, MC_TRAIT_OLD));
}

static void zeros_in_place_of_bytes(void **unused)
{
    (void)unused;
    put(JOURNAL, 0, 512, 0);
    expect(OF(1, MC_TRAIT_HOLE) | OF(1, MC_TRAIT_LATE));
}

static void lengths(void **unused)
{
    (void)unused;
    assert_true(mc_disk_truncate(&state, MAIN, 1536));
    assert_true(mc_disk_truncate(&state, JOURNAL, 1024));
    expect(OF(0, MC_TRAIT_SHORTER) | OF(1, MC_TRAIT_LONGER));
}

static void names(void **unused)
{
    (void)unused;
    assert_true(mc_disk_delete(&state, JOURNAL));
    expect(OF(1, MC_TRAIT_NOT_MADE));
    add(MC_OP_DELETE, JOURNAL, 0, 0, 0);
    assert_true(mc_disk_create(&state, JOURNAL));
    expect(OF(1, MC_TRAIT_BACK));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_a_kill_leaves_shows_none, make, clean),
        cmocka_unit_test_setup_teardown(a_write_that_is_torn, make, clean),
        cmocka_unit_test_setup_teardown(a_write_that_is_missing_before_a_later_one, make, clean),
        cmocka_unit_test_setup_teardown(the_last_write_missing_is_not_late, make, clean),
        cmocka_unit_test_setup_teardown(zeros_in_place_of_bytes, make, clean),
        cmocka_unit_test_setup_teardown(lengths, make, clean),
        cmocka_unit_test_setup_teardown(names, make, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
