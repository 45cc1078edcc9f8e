/* history.h: every snapshot of one trace: what the database was after each acknowledged commit.
 *
 * Snapshots are derived from the trace by trusting it: after a commit the database is what SQLite
 * wrote, page by page, into main or into WAL frames that this very transaction appended. No
 * journal, checksum or recovery rule takes part, so the oracle shares no code with the importers it
 * judges. Each snapshot is then checked, page by page, against the witness that the live connection
 * gave while the workload ran (trace.h). A difference is an error of midcommit and ends the run.
 *
 * Stored as differences: a commit costs memory for the pages it changed, whatever the database's
 * size. A page whose content SQLite does not define (freelist leaf, lock-byte page) has hash
 * MC_ANY. */
#ifndef MIDCOMMIT_HARNESS_JUDGE_HISTORY_H
#define MIDCOMMIT_HARNESS_JUDGE_HISTORY_H

#include "crashsim/trace.h"

enum { MC_ANY = 0 };

/* One page that a commit changed, or whose presence it changed. */
typedef struct mc_delta {
    uint32_t database;
    uint32_t page;
    uint64_t before; /* page hash; MC_ANY: undefined or not part of the snapshot */
    uint64_t after;
    const uint8_t *content; /* after; null when the page is no longer part of the database */
} mc_delta;

typedef struct mc_snapshot {
    uint32_t page_count[MC_DATABASES_MAX];
    uint32_t first_delta;
    uint32_t delta_count;
    uint32_t content_class; /* snapshots with equal logical content share one (classify.h) */
    bool empty;             /* no schema in any database */
} mc_snapshot;

typedef struct mc_history {
    mc_arena arena;
    uint32_t database_count;
    uint32_t page_size; /* bytes; one size for all databases and all time */
    uint32_t snapshot_count;
    mc_snapshot *snapshot; /* [0]: the base; [k]: after commit k */
    mc_delta *delta;
    uint32_t delta_count;
    uint64_t *base_hash[MC_DATABASES_MAX];
    const uint8_t **base_page[MC_DATABASES_MAX]; /* null when contents were not kept */
    uint32_t pages_max; /* largest page count of any database at any time */
} mc_history;

/* Derives and checks all snapshots. `keep_contents` copies the base's pages, so that images of
 * snapshots can be built; without it only hashes of the base are kept. trace->base is changed on
 * the way and restored. `history` must be zeroed. */
mc_status mc_history_build(mc_trace *trace, bool keep_contents, mc_history *history,
                           mc_error *error);
void mc_history_free(mc_history *history);

/* The image of one database at one snapshot; needs kept contents. Pages point into the history; the
 * page list lies in `arena`. */
mc_status mc_history_image(const mc_history *history, uint32_t snapshot, uint32_t database,
                           mc_arena *arena, mc_image *out, mc_error *error);

/* The page hash at a snapshot (MC_ANY when undefined or beyond it). Walks the differences: for
 * stories, not for loops. */
uint64_t mc_history_page(const mc_history *history, uint32_t snapshot, uint32_t database,
                         uint32_t page);

#endif
