/* judging.h: the inside of judge.h: one exploration while it runs, shared by the judge, which
 * counts, and by explain, which stops at one state and tells its story. */
#ifndef MIDCOMMIT_HARNESS_JUDGING_H
#define MIDCOMMIT_HARNESS_JUDGING_H

#include "harness/content.h"
#include "harness/control.h"
#include "harness/follow.h"
#include "harness/judge.h"

typedef struct mc_saved_page {
    uint32_t database;
    uint32_t page;
    uint64_t hash;
} mc_saved_page;

typedef struct mc_judging {
    const mc_judge_options *options;
    const mc_importers *importers;
    mc_trace trace; /* its base is the disk that is explored */
    mc_history history;
    mc_content content;
    mc_oracle oracle;
    mc_follow *follow;   /* null for a KV trace */
    mc_control *control; /* null for a KV trace */
    mc_kvstore store;    /* the store that is explored, for a KV trace */
    uint16_t main_slot[MC_DATABASES_MAX];
    mc_arena arena; /* for one importer on one state */
    mc_arena names; /* interned reasons */
    const char **interned;
    uint32_t interned_count;
    mc_image given[MC_DATABASES_MAX];
    mc_saved_page *saved;
    size_t saved_capacity;
    mc_idmap seen;      /* distinct states */
    mc_outcome *stored; /* stored[state * (importers + 1)]: the control's, then each importer's */
    uint32_t state_count;
    uint32_t state_capacity;
    uint64_t nanoseconds;   /* that one program or library took on one state */
    const char *crash_name; /* "kill" or "kv" */
    const char *sync_name;
    mc_cell *cell;
    uint8_t page[MC_PAGE_SIZE_MAX];
} mc_judging;

/* Records, derives and classifies the snapshots, and stands at the base. On failure nothing is
 * left. */
mc_status mc_judging_open(mc_judging *judging, const mc_judge_options *options, mc_error *error);
void mc_judging_close(mc_judging *judging);

/* Walks all states. */
mc_status mc_judging_explore(mc_judging *judging, const mc_visitor *visitor, mc_explored *explored,
                             mc_error *error);

/* Ready-made visitor callbacks that keep oracle and follower in step; context is the mc_judging. */
mc_status mc_judging_applied(void *context, const mc_op *op, uint32_t from, uint32_t to,
                             uint64_t size_before, mc_error *error);
void mc_judging_acked(void *context, uint32_t commit);

/* Outcomes of the present state. An importer that refuses a state without any main file has found
 * what SQLite finds, an empty database: where a snapshot is empty, too, that is its outcome. */
mc_status mc_judging_control(mc_judging *judging, mc_outcome *out, mc_error *error);
mc_status mc_judging_outcome(mc_judging *judging, uint32_t importer, mc_outcome *out,
                             mc_error *error);

/* Images of the present state as an importer sees them (mc_images_fn; context: the mc_judging). */
mc_status mc_judging_raw_images(void *context, mc_arena *arena, mc_image *images, mc_error *error);
mc_status mc_judging_recovered_images(void *context, mc_arena *arena, mc_image *images,
                                      mc_error *error);
mc_status mc_judging_control_images(void *context, mc_arena *arena, mc_image *images,
                                    mc_error *error);

/* The control's images of a state of files, copied into `arena`. */
mc_status mc_judging_control_copy(mc_judging *judging, mc_arena *arena, mc_image *images,
                                  mc_error *error);

/* One copy of a text that lives as long as the exploration. */
const char *mc_judging_intern(mc_judging *judging, const char *text);

/* Remembers a page that is about to be shown differently for a moment. False without memory. */
bool mc_judging_save(mc_judging *judging, size_t at, uint32_t database, uint32_t page,
                     uint64_t hash);

/* "inplace/delete/full/kill/57+4096": the name under which a state can be asked for again. */
void mc_judging_state_id(const mc_judging *judging, const mc_crash *crash, char *out, size_t size);

#endif
