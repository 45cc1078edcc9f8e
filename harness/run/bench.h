/* bench.h: states judged per second on each path, in one run on one core.
 *
 *     baseline   what harnesses do: restore the state's files, open a fresh connection, let it
 * recover, integrity_check, hash every page, close control    stock SQLite in place on a reused
 * connection, the recovered pages matched with the snapshots (control.h) walk       native recovery
 * followed from state to state, matched with the snapshots (follow.h)
 *
 *     power-classes   all states of all power losses under `strict`, by exact classes (loss.h)
 *     power-baseline  the usual way, on each 16th of the states of power-executed: the rows of
 * power that follow it are compared with it power-executed  those of crash points that have few, in
 * Gray-code order (gray.h): SQLite recovers each, its pages are matched with the snapshots
 *     power-visited   ten million of them, made one after the other and not judged: for the memory
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
    double ratio; /* to the baseline row before it, on a small database */
    uint64_t peak_rss_bytes;
} mc_bench_row;

/* The same work by one process at a time and by two. With cores of one's own the ratio is that of
 * the clock; on a busy machine processor time says at least what two cost each other. */
typedef struct mc_bench_two_jobs {
    double one_seconds;
    double two_seconds;
    double one_cpu_seconds;
    double two_cpu_seconds;
    double ratio;     /* one_seconds to two_seconds */
    double ratio_cpu; /* 2, less what two processes cost each other in processor time */
    bool busy;        /* one process did not get a whole core: the ratio is not to be believed */
} mc_bench_two_jobs;

typedef struct mc_bench {
    mc_bench_row row[MC_BENCH_ROWS_MAX];
    uint32_t row_count;
    mc_bench_two_jobs jobs;
} mc_bench;

typedef struct mc_bench_options {
    uint64_t large_bytes; /* size of the large database on which the walk is measured, too */
    double seconds;       /* measure each path for at least this long */
} mc_bench_options;

/* An error also when a path's states were not what they must be: speed without truth is nothing. */
mc_status mc_bench_run(const mc_bench_options *options, mc_bench *bench, mc_error *error);

#endif
