/* control.h: stock SQLite opening a disk state with all its sidecars.
 *
 * SQLite recovers in place, on the very disk that is being explored, with the disk's undo log on:
 * what it changed is known exactly, and costs what it changed, not what the database holds. To
 * bring every page home, frames that its WAL recovery accepted are checkpointed into main. A WAL
 * that makes main longer by far more than it holds is read by SQLite and not checkpointed
 * (SQLITE_CORRUPT; wal.c walCheckpoint): then the pages that SQLite reads are written to main. A
 * connection is used again for the next state as long as both are of one kind (rollback or WAL);
 * between two states its page cache is emptied, and the WAL index dropped, so it reads everything
 * anew as the first opener after a crash does. */
#ifndef MIDCOMMIT_HARNESS_JUDGE_CONTROL_H
#define MIDCOMMIT_HARNESS_JUDGE_CONTROL_H

#include "crashsim/reads.h"
#include "crashsim/trace.h"

typedef struct mc_control mc_control;

typedef struct mc_control_answer {
    bool recovered; /* SQLite opened and read every database */
    int code;       /* else its result code */
    char text[96];  /* and message */
} mc_control_answer;

/* For the databases of `trace` on `disk`. `reuse` keeps connections between states. Null without
 * memory. */
mc_control *mc_control_open(const mc_trace *trace, mc_disk *disk, bool reuse);
void mc_control_close(mc_control *control);

/* The next recovery notes what it looks at of the state (reads.h), the lengths by which it chooses
 * its connection included; null: not any more. */
void mc_control_note(mc_control *control, mc_reads *reads);

/* Recovers the present state. The disk is logging on return: disk->change lists what SQLite
 * changed. mc_control_undo brings the state back and must follow. */
void mc_control_recover(mc_control *control, mc_control_answer *out);
void mc_control_undo(mc_control *control);

/* The control of a v1 store: stock SQLite through the v1 VFS on a copy of `store`. The image it
 * reads lies in `arena`. MC_OK also when SQLite could not recover: then out->recovered is false. */
mc_status mc_control_store(const mc_kvstore *store, mc_kv_build build, mc_arena *arena,
                           mc_image *image, mc_control_answer *out, mc_error *error);

#endif
