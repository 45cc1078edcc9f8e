/* test_kills.c: the lane of real kills itself. It must find the model true, and find out a trace
 * that is not what SQLite does, and files that are not what a model says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "harness/validate/gate.h"
#include "harness/validate/kills.h"
#include "harness/validate/live.h"

static char folder[] = "midcommit-test-XXXXXX";

static mc_record_options options_of(const char *workload, mc_mode mode)
{
    return (mc_record_options){.workload = workload,
                               .mode = mode,
                               .sync = MC_SYNC_FULL,
                               .page_size = 4096,
                               .txns = 1,
                               .seed = 3};
}

static void kill_all(const char *workload, mc_mode mode, mc_kills *kills)
{
    mc_record_options options = options_of(workload, mode);
    mc_error error;
    if (mc_kills_run(&options, folder, NULL, kills, &error) != MC_OK) {
        fail_msg("%s", error.text);
    }
}

/* Promise: in every journal mode on disk, what killed processes leave is the model's, each died,
 * and SQLite reads a clean database. */
static void killed_processes_leave_what_the_model_says(void **unused)
{
    (void)unused;
    static const mc_mode modes[] = {MC_MODE_DELETE, MC_MODE_TRUNCATE, MC_MODE_PERSIST, MC_MODE_WAL};
    mc_kills kills = {0};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        kill_all("grow", modes[i], &kills);
    }
    kill_all("shrink", MC_MODE_WAL, &kills);
    print_message("%llu kills, %llu within a write, %llu left out\n",
                  (unsigned long long)kills.fired, (unsigned long long)kills.cut,
                  (unsigned long long)kills.uncut);
    assert_string_equal(kills.first, "");
    assert_true(kills.points > 60);
    assert_int_equal(kills.fired, kills.points);
    assert_int_equal(kills.equal, kills.points);
    assert_int_equal(kills.clean + kills.undone, kills.points);
    assert_true(kills.uncut > 0 ? !mc_gate_works() : kills.cut > 10);
}

/* Promise: a trace with one other byte than SQLite writes is noticed at that operation. */
static void a_trace_that_lies_is_noticed(void **unused)
{
    (void)unused;
    mc_record_options options = options_of("inplace", MC_MODE_DELETE);
    mc_trace trace = {0};
    mc_error error;
    bool killed = false;
    assert_int_equal(mc_record(&options, &trace, &error), MC_OK);
    size_t at = 0;
    while (trace.op[at].kind != MC_OP_WRITE) {
        at++;
    }
    ((uint8_t *)trace.op[at].data)[trace.op[at].size - 1] ^= 1;
    mc_shim_said *said = mc_live_said();
    mc_shim_plan plan = {
        .trace = &trace, .seed = options.seed, .said = said, .die_at = MC_SHIM_NEVER};
    assert_int_equal(mc_live_put(&trace.base, folder, &error), MC_OK);
    pid_t process = mc_live_start(&options, &plan, folder);
    assert_int_equal(mc_live_wait(process, said, &killed, &error), MC_IO);
    assert_non_null(strstr(error.text, "with other content"));
    assert_int_equal(atomic_load(&said->begun), at == 0 ? 0 : atomic_load(&said->begun));
    mc_live_clear(folder);
    mc_live_said_free(said);
    mc_trace_free(&trace);
}

/* Promise: two directories are the same only with the same names, lengths and bytes. */
static void a_difference_of_one_byte_is_seen(void **unused)
{
    (void)unused;
    mc_disk a = {0};
    mc_disk b = {0};
    char text[100];
    mc_error error;
    assert_int_equal(mc_disk_slot(&a, "main.db"), 0);
    assert_true(mc_disk_create(&a, 0) && mc_disk_write(&a, 0, 0, "midcommit", 9));
    assert_int_equal(mc_live_put(&a, folder, &error), MC_OK);
    assert_int_equal(mc_live_take(&a, folder, &b, &error), MC_OK);
    assert_true(mc_live_same(&a, &b, text, sizeof text));
    assert_true(mc_disk_write(&b, 0, 8, "T", 1));
    assert_false(mc_live_same(&a, &b, text, sizeof text));
    assert_string_equal(text, "main.db differs at 8");
    assert_true(mc_disk_truncate(&b, 0, 8));
    assert_false(mc_live_same(&a, &b, text, sizeof text));
    assert_true(mc_disk_delete(&b, 0));
    assert_false(mc_live_same(&a, &b, text, sizeof text));
    assert_int_equal(mc_disk_slot(&b, "left-over"), 1);
    assert_true(mc_disk_create(&b, 1) && mc_disk_create(&b, 0));
    assert_true(mc_disk_write(&b, 0, 0, "midcommit", 9));
    assert_false(mc_live_same(&a, &b, text, sizeof text));
    assert_string_equal(text, "left-over is there");
    mc_live_clear(folder);
    mc_disk_free(&a);
    mc_disk_free(&b);
}

static int make_folder(void **unused)
{
    (void)unused;
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **unused)
{
    (void)unused;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_processes_leave_what_the_model_says),
        cmocka_unit_test(a_trace_that_lies_is_noticed),
        cmocka_unit_test(a_difference_of_one_byte_is_seen),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
