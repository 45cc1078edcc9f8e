/* validate.h: do the crash models tell the truth? Both lanes, and what they found in one table.
 *
 * Lane 1 holds `kill` against processes that are really killed (kills.h), lane 2 holds the profiles
 * of `power` against real file systems (losses.h). A lane that this machine cannot run is skipped,
 * with the reason; a lane that ran and tested nothing fails. */
#ifndef MIDCOMMIT_HARNESS_VALIDATE_VALIDATE_H
#define MIDCOMMIT_HARNESS_VALIDATE_VALIDATE_H

#include "harness/validate/kills.h"
#include "harness/validate/losses.h"

enum { MC_REALFS_MAX = 8 };

typedef struct mc_validate_options {
    uint64_t seed;
    uint32_t states;  /* about so many disks of each workload and file system are looked at */
    const char *only; /* one file system by name, or null: all */
} mc_validate_options;

typedef struct mc_validated {
    mc_kills kills;
    uint32_t kill_cells;
    const char *skipped;                   /* why the lane of file systems was skipped, or null */
    const char *fs_skipped[MC_REALFS_MAX]; /* by row of mc_realfs_rows: why this one was */
    uint32_t fs_cells;                     /* workloads on each */
    mc_losses losses[MC_REALFS_MAX];
} mc_validated;

/* What both lanes ran; MC_IO "no-kills", "no-flush" and the like when one tested nothing. SIGINT
 * and SIGTERM end it with MC_IO "interrupted". Nothing stays behind in any case. */
mc_status mc_validate(const mc_validate_options *options, mc_validated *out, mc_error *error);

/* Was every state that was seen one of the model's? */
bool mc_validated_holds(const mc_validated *validated);

#endif
