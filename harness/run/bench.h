/* bench.h: states judged per second on each path, in one run on one core.
 *
 *     baseline   what harnesses do: restore the state's files, open a fresh connection, let it
 * recover, integrity_check, hash every page, close control    stock SQLite in place on a reused
 * connection, the recovered pages matched with the snapshots (control.h) walk       native recovery
 * followed from state to state, matched with the snapshots (follow.h)
 *
 *     power-classes   all states of all power losses under `strict`, by exact classes (loss.h)
 *
 * Absolute numbers depend on the machine and its neighbours; the ratios to the baseline of the same
 * run are what is quoted. Each path runs in a process of its own, so that its peak memory is its
 * own. */
#ifndef MIDCOMMIT_HARNESS_RUN_BENCH_H
#define MIDCOMMIT_HARNESS_RUN_BENCH_H

#include "crashsim/record.h"

enum { MC_BENCH_ROWS_MAX = 16 };

typedef struct mc_bench_row {
    const char *path;
    mc_mode mode;
    const char *workload;
    uint64_t database_bytes;
    uint64_t trace_bytes; /* what the trace's operations hold */
    uint64_t states;      /* power-classes: that were made */
    double judged;        /* power-classes: states, about; else 0 */
    double states_per_second;
    double ratio; /* to the baseline of the same mode on the small database */
    uint64_t peak_rss_bytes;
} mc_bench_row;

typedef struct mc_bench {
    mc_bench_row row[MC_BENCH_ROWS_MAX];
    uint32_t row_count;
} mc_bench;

typedef struct mc_bench_options {
    uint64_t large_bytes; /* size of the large database on which the walk is measured, too */
    double seconds;       /* measure each path for at least this long */
} mc_bench_options;

/* An error also when a path's states were not what they must be: speed without truth is nothing. */
mc_status mc_bench_run(const mc_bench_options *options, mc_bench *bench, mc_error *error);

#endif
