/* losses.h: the lane of real file systems: is the crash model `power` (crashsim/power.h) what a
 * file system leaves when the machine dies?
 *
 * A workload lives on a real file system on a disk that logs (blocklog.h). From the log disks are
 * built as they could have been at some moment: every write up to it; or, of the writes since the
 * last flush, some dropped and some torn at 512 bytes, which is what a disk with a cache may do.
 * Each is mounted, so that the file system recovers by itself, and what lies in the folder is held
 * against the profile that stands for this file system (member.h).
 *
 * Which crash point is it? Between two blocks the disk does not change, so the state must be
 * allowed at every crash point that the workload passed in between; that is how a sync that did not
 * do what the model says it does is found. If it passed none, one operation was under way all the
 * time, and the state must be allowed before it or right after it, where a sync of the directory
 * that it ends with need not be over (power.h). */
#ifndef MIDCOMMIT_HARNESS_VALIDATE_LOSSES_H
#define MIDCOMMIT_HARNESS_VALIDATE_LOSSES_H

#include "crashsim/power.h"
#include "crashsim/record.h"
#include "harness/validate/realfs.h"
#include "harness/validate/traits.h"

enum { MC_PROFILES_MAX = 16 };

/* What was found on one file system; added up over workloads. No pointers: it is shared memory. */
typedef struct mc_losses {
    uint64_t writes, flushes;            /* blocks that were logged */
    uint64_t states;                     /* disks that were built and mounted */
    uint64_t unmountable;                /* and those that the file system did not want to mount */
    uint64_t distinct;                   /* different directories */
    uint64_t killed;                     /* of which are what a kill leaves, too */
    uint64_t in;                         /* contained in the file system's own profile */
    uint64_t in_other[MC_PROFILES_MAX];  /* in each, by row of mc_power_profiles */
    uint64_t classes[MC_TRAIT_CLASSES];  /* how many show each class */
    uint64_t modelled[MC_TRAIT_CLASSES]; /* how many states drawn from the profile do */
    uint64_t drawn;                      /* states drawn from it */
    uint64_t clean, stale, torn;         /* what stock SQLite makes of the distinct ones */
    uint64_t broken;                     /* those that its promise does not allow */
    char first[400];                     /* the first state that the profile does not contain */
    char first_broken[200];
} mc_losses;

typedef struct mc_losses_options {
    const mc_realfs *fs;
    const mc_record_options *record;
    uint32_t states;    /* about so many disks are built */
    uint64_t seed;      /* of which, and of when pages are written back before their time */
    bool write_back;    /* now and then pages are written back while the workload runs, as a machine
                           with more to do would; else only syncs write */
    bool forgets_syncs; /* the workload's syncs are not made though its trace has them: that the
                           lane finds this is a test of it */
} mc_losses_options;

/* Adds to `losses`. In a world of its own (mc_realfs_world), in its empty folder, which is left
 * empty. MC_IO also when nothing was tested: the disk logged no flush, or the device has no cache.
 */
mc_status mc_losses_run(const mc_losses_options *options, const char *folder, mc_losses *losses,
                        mc_error *error);

#endif
