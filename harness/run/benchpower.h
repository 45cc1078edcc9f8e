/* benchpower.h: the inside of bench.h: power losses, state by state, and by two processes. */
#ifndef MIDCOMMIT_HARNESS_RUN_BENCHPOWER_H
#define MIDCOMMIT_HARNESS_RUN_BENCHPOWER_H

#include "crashsim/record.h"
#include "harness/judge/judging.h"
#include "harness/run/bench.h"

/* What a pass has done. */
typedef struct mc_bench_pass {
    uint64_t states;
    double seconds;
    uint64_t database_bytes;
    uint64_t trace_bytes;
} mc_bench_pass;

/* States of power losses under `strict`, in Gray-code order, of each crash point that has at most
 * `budget`; no more points are begun when there were `enough`. Of each `every`th, `state` is called
 * with what lies on the judging's disk, unless it is null. Adds to `pass`. */
typedef struct mc_bench_walk {
    uint64_t budget;
    uint64_t enough;
    uint64_t every;
    mc_status (*state)(void *context, mc_judging *judging, mc_error *error);
    void *context;
} mc_bench_walk;

mc_status mc_bench_states(const mc_record_options *record, const mc_bench_walk *walk,
                          mc_bench_pass *pass, mc_error *error);

/* The same work twice: one after the other, and at once by two processes. */
mc_status mc_bench_jobs(mc_bench_two_jobs *jobs, mc_error *error);

#endif
