/* replay.h: stored cases judged again, on several processes.
 *
 * A case says what each importer made of its state. Replay asks them again; any verdict that is
 * another now is a change. Importers that are programs or libraries are named by a file that may
 * come from anywhere, so they run only if the caller names them, too. */
#ifndef MIDCOMMIT_HARNESS_CASE_REPLAY_H
#define MIDCOMMIT_HARNESS_CASE_REPLAY_H

#include "harness/case/case.h"
#include "harness/importer/importers.h"

typedef struct mc_replay_options {
    const char *const *path; /* case files, and folders, below which every regular file *.case is
                                one; links in them are not followed */
    uint32_t path_count;
    const char *allowed;   /* comma list of exec: and so: importers that may run; or null */
    const char *report[2]; /* files that will be written, so that they must be none of the cases;
                              or null */
    uint32_t jobs;
    bool accept; /* rewrite the expectations of changed cases */
} mc_replay_options;

/* One verdict that is not what the case expects. */
typedef struct mc_replay_change {
    const char *importer;
    const char *expected;
    const char *found;
} mc_replay_change;

typedef struct mc_replayed {
    const char *path;      /* of a case; or of a folder that could not be searched: a failure */
    const char *signature; /* null when the case could not be read */
    const char *failure;   /* why it could not; else null */
    mc_replay_change *change;
    uint32_t change_count;
    bool accepted; /* the changes were written into the case */
} mc_replayed;

typedef struct mc_replay {
    mc_arena arena;
    mc_replayed *replayed; /* by path */
    uint32_t count;
    uint32_t changed; /* cases with a change that was not accepted */
    uint32_t accepted;
    uint32_t failed;
} mc_replay;

/* Judges all cases. MC_IO: a path is not there; MC_IO "nothing": there was no case to judge;
 * MC_USAGE: the report is a case, and nothing was judged. `out` is freed with mc_replay_free. */
mc_status mc_replay_run(const mc_replay_options *options, mc_replay *out, mc_error *error);
void mc_replay_free(mc_replay *replay);

/* The importers of a case's expectations, in their order; MC_USAGE for one that `allowed` does not
 * have. */
mc_status mc_replay_importers(const mc_case *c, const char *allowed, mc_importers *out,
                              mc_error *error);

#endif
