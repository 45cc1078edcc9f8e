/* kills.h: the lane of real kills: is the crash model `kill` (crashsim/crash.h) what a process
 * leaves that dies of SIGKILL?
 *
 * For every state of the model a process repeats the workload on real files and dies in front of
 * the very operation, or in the very write, when as many bytes as the model says are in the kernel.
 * What lies in the folder must be the model's state byte for byte, and stock SQLite, opening the
 * real files, must read the pages that it reads of the model's. Of a write that was cut the kernel
 * may also keep nothing, which is the model's state in front of it. */
#ifndef MIDCOMMIT_HARNESS_VALIDATE_KILLS_H
#define MIDCOMMIT_HARNESS_VALIDATE_KILLS_H

#include <signal.h>

#include "crashsim/record.h"

typedef struct mc_kills {
    uint64_t points; /* states of the model in which a process was to die */
    uint64_t fired;  /* processes that died there */
    uint64_t equal;  /* of which the files were the model's, and read alike */
    uint64_t cut;    /* of `equal`: in the middle of a write, whose first pages were there, */
    uint64_t undone; /* or of which the kernel kept nothing */
    uint64_t uncut;  /* states in the middle of a write that were left out, because this kernel does
                        not withhold pages */
    uint64_t clean, stale, torn; /* what stock SQLite read on the real files */
    char first[256];             /* the first state that was not the model's; or empty */
} mc_kills;

/* Adds up the kills of one workload in the empty `folder`, which is left empty. `stop` (or null)
 * ends it early. */
mc_status mc_kills_run(const mc_record_options *options, const char *folder,
                       const volatile sig_atomic_t *stop, mc_kills *kills, mc_error *error);

#endif
