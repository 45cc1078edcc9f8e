/* walk.h: one recorded workload, with its snapshots, the oracle and the follower kept in step, for
 * tests that look into every crash state. */
#ifndef MIDCOMMIT_HARNESS_TEST_WALK_H
#define MIDCOMMIT_HARNESS_TEST_WALK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "crashsim/crash.h"
#include "crashsim/workload.h"
#include "harness/judge/follow.h"

#define WALK_UNUSED __attribute__((unused))

typedef struct walk {
    mc_trace trace;
    mc_history history;
    mc_oracle oracle;
    mc_follow *follow;
    void (*state)(struct walk *walk, const mc_crash *crash);
    void *context;
    uint64_t states;
} walk;

static void walk_check(mc_status status, const mc_error *error, const char *what)
{
    if (status != MC_OK) {
        print_error("%s: %s\n", what, error->text);
        fail();
    }
}

WALK_UNUSED static mc_record_options walk_options(const char *workload, mc_mode mode)
{
    return (mc_record_options){
        .workload = workload, .mode = mode, .sync = MC_SYNC_FULL, .page_size = 4096, .seed = 1};
}

WALK_UNUSED static void walk_record(const mc_record_options *options, mc_trace *trace)
{
    mc_error error = {0};
    *trace = (mc_trace){0};
    walk_check(mc_record(options, trace, &error), &error, options->workload);
}

WALK_UNUSED static void walk_build(mc_trace *trace, bool keep_contents, mc_history *history)
{
    mc_error error = {0};
    *history = (mc_history){0};
    walk_check(mc_history_build(trace, keep_contents, history, &error), &error, "history");
}

/* Splitmix64: what a test draws is a function of its seed. */
WALK_UNUSED static uint64_t walk_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

WALK_UNUSED static mc_status walk_applied(void *context, const mc_op *op, uint32_t from,
                                          uint32_t to, uint64_t size_before, mc_error *error)
{
    walk *w = context;
    return mc_follow_applied(w->follow, op, from, to, size_before, error);
}

WALK_UNUSED static void walk_acked(void *context, uint32_t commit)
{
    walk *w = context;
    (void)commit;
    mc_oracle_advance(&w->oracle);
}

WALK_UNUSED static mc_status walk_state(void *context, const mc_crash *crash, mc_error *error)
{
    (void)error;
    walk *w = context;
    w->states++;
    w->state(w, crash);
    return MC_OK;
}

/* Records a workload on files and calls `state` on every crash state of it. */
WALK_UNUSED static void walk_all(const mc_record_options *options,
                                 void (*state)(walk *w, const mc_crash *crash), walk *w)
{
    mc_error error = {0};
    walk_record(options, &w->trace);
    walk_build(&w->trace, true, &w->history);
    assert_true(mc_oracle_init(&w->oracle, &w->history, 2));
    w->follow = mc_follow_open(&w->trace, &w->trace.base, &w->oracle, &error);
    assert_non_null(w->follow);
    w->state = state;
    mc_visitor visitor = {w, walk_applied, walk_acked, walk_state};
    mc_explored explored;
    walk_check(mc_kill_explore(&w->trace, &w->trace.base, 0, &visitor, &explored, &error), &error,
               options->workload);
    assert_int_equal(explored.states, w->states);
    mc_follow_close(w->follow);
    mc_oracle_free(&w->oracle);
    mc_history_free(&w->history);
    mc_trace_free(&w->trace);
}

#endif
