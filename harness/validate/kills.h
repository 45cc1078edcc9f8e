/* kills.h: the lane of real kills: is the crash model `kill` (crashsim/crash.h) what a process
 * leaves that dies of SIGKILL?
 *
 * For every state of the model whose write was not cut, a process repeats the workload on real
 * files and dies in front of the very operation. What lies in the folder must be the model's state
 * byte for byte, and stock SQLite, opening the real files, must read the pages that it reads of the
 * model's. For every write that crosses a multiple of 4096 another process is shot while it writes,
 * a few times: what it leaves must be one of the states that the model allows of this write. */
#ifndef MIDCOMMIT_HARNESS_VALIDATE_KILLS_H
#define MIDCOMMIT_HARNESS_VALIDATE_KILLS_H

#include <signal.h>

#include "crashsim/record.h"

typedef struct mc_kills {
    uint64_t points;             /* crash points of the model at which a process was to die */
    uint64_t fired;              /* processes that died there */
    uint64_t equal;              /* of which the files were the model's, and read alike */
    uint64_t shot;               /* processes that were shot while they wrote */
    uint64_t cut;                /* of which the write was cut in between */
    uint64_t whole;              /* of which it was whole or not begun */
    uint64_t clean, stale, torn; /* what stock SQLite read on the real files */
    char first[256];             /* the first state that was not the model's; or empty */
} mc_kills;

/* Adds up the kills of one workload in the empty `folder`, which is left empty. `stop` (or null)
 * ends it early. */
mc_status mc_kills_run(const mc_record_options *options, const char *folder,
                       const volatile sig_atomic_t *stop, mc_kills *kills, mc_error *error);

#endif
