/* again.h: a second crash, while SQLite recovers from the first.
 *
 * A state that a crash left is opened as an application does when it comes back: each database is
 * opened, read once, and closed, so a hot journal is played back and a WAL is checkpointed and
 * deleted; and, where there is a journal, once more by an exclusive connection, which does not
 * delete it but zeroes its header. Each such recovery is recorded. What lay on the disk before it
 * is durable (the machine has been started again), and what it did is a trace like any other, which
 * the same crash model crashes at every point. SQLite, on a fresh connection, and recover are then
 * let loose on what is left.
 *
 * Recovery must converge: where SQLite made a snapshot of the first state, both must make the same
 * content of each of the second. Anything else (another snapshot, a torn database, a refusal) is
 * told. Where SQLite made no snapshot, nothing is asked.
 *
 * After a power loss a recovery that wrote pages leaves states by the power of two; they are walked
 * in exact classes (classes.h) and counted (lazyimage.h), as those of the first crash are (loss.h).
 * Each class is run at least once, and so is each thing that counting says of one.
 *
 * A class of first states is none for a second crash: its members differ in bytes that the first
 * recovery did not read but may write over, and the second crash can take that back. What can show
 * is a byte that differs from what the recovery leaves, so whoever gives one state of a class
 * should give that in which everything is there that is open, and that in which nothing is: the
 * pages that a rollback restores show in the one, those that a checkpoint writes in the other.
 *
 * Left out: statements that follow the recovery; recoveries by two processes at once; a crash in
 * the recovery from the second crash. */
#ifndef MIDCOMMIT_HARNESS_JUDGE_AGAIN_H
#define MIDCOMMIT_HARNESS_JUDGE_AGAIN_H

#include "harness/judge/againcount.h"
#include "harness/judge/judging.h"

/* What was found: the judging's disk shows a state of it. */
typedef struct mc_again_found {
    const char *what;       /* "another snapshot", "no snapshot", "refused", "recover differs" */
    const mc_crash *crash;  /* the first, with `again` set, and the second's operation */
    const char *state;      /* the first state's name, "//", and the second's within the recovery */
    const mc_outcome *made; /* by SQLite; of "recover differs", by recover */
    bool recovers;          /* SQLite makes a snapshot of it */
    const mpz_t *states;    /* how many */
    const mc_trace *recovery; /* begins at the first state */
} mc_again_found;

typedef struct mc_again_options {
    const mc_power_profile *power; /* null: the machine lives on */
    uint64_t budget; /* per second crash point: states (kill; 0: all), runs (power; 0: 2000) */
    mc_status (*found)(void *context, const mc_again_found *found, mc_error *error); /* or null */
    void *context;
} mc_again_options;

typedef struct mc_again mc_again;

/* For the states of an open judging, until before it is closed. The judging need not be of the same
 * crash model. Null without memory. */
mc_again *mc_again_open(mc_judging *judging, const mc_again_options *options);
void mc_again_close(mc_again *again);
const mc_again_counts *mc_again_counted(const mc_again *again);

/* Crashes the recovery from `state` (the judging's disk, or one with the same main files). `crash`
 * says where it comes from; `control`: what SQLite made of it. The judging stays as it was, but for
 * `given`, its arena and its scratch view. */
mc_status mc_again_judge(mc_again *again, const mc_disk *state, const mc_crash *crash,
                         const mc_outcome *control, mc_error *error);

/* Records how an application comes back to `state`: "exclusive:12+01" and "12+01" name the way. The
 * trace's base is `state`, its files under the same numbers; it keeps nothing of the judging but
 * the names of databases, and is freed with mc_trace_free. `*place` is what stands behind the way.
 * MC_USAGE: that way is not taken from there. */
mc_status mc_again_record(mc_judging *judging, const mc_disk *state, const char *again,
                          mc_trace *recovery, const char **place, mc_error *error);

#endif
