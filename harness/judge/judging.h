/* judging.h: the inside of judge.h: one exploration while it runs, shared by the judge, which
 * counts, and by explain, which stops at one state and tells its story. */
#ifndef MIDCOMMIT_HARNESS_JUDGE_JUDGING_H
#define MIDCOMMIT_HARNESS_JUDGE_JUDGING_H

#include "harness/judge/content.h"
#include "harness/judge/control.h"
#include "harness/judge/follow.h"
#include "harness/judge/handover.h"
#include "harness/judge/judge.h"

typedef struct mc_saved_page {
    uint32_t database;
    uint32_t page;
    uint64_t hash;
} mc_saved_page;

/* The distinct states that were met. */
typedef struct mc_known {
    mc_idmap seen;
    mc_outcome *stored; /* stored[state * (importers + 1)]: the control's, then each importer's */
    uint32_t count;
    uint32_t capacity;
} mc_known;

typedef struct mc_judging {
    const mc_judge_options *options;
    const mc_importers *importers;
    mc_trace trace; /* its base is the disk that is explored */
    bool single;    /* one state, a case's: nothing is followed */
    mc_trace told;  /* of a case: leads from snapshot to snapshot; the history points into it */
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
    bool raw_is_shown; /* power: MC_VIEW_RAW is main as it lies on the disk; the owner sees to it */
    mc_saved_page *saved;
    size_t saved_capacity;
    mc_handover handover;
    mc_known known[MC_MISTAKES_MAX]; /* by mistake */
    uint64_t nanoseconds;            /* that one program or library took on one state */
    const char *crash_name;          /* "kill", "kv", "power:PROFILE" */
    char power_name[40];
    mc_cell *cells;                     /* by rank of the chosen mistakes */
    size_t last_point[MC_MISTAKES_MAX]; /* by rank: the last crash point counted, plus 1 */
    mc_cell *cell;                      /* the one that counts now */
    struct mc_again *again;             /* crashes recoveries (again.h), or null */
    uint8_t page[MC_PAGE_SIZE_MAX];
} mc_judging;

/* Records, derives and classifies the snapshots, and stands at the base. On failure nothing is
 * left. */
mc_status mc_judging_open(mc_judging *judging, const mc_judge_options *options, mc_error *error);
void mc_judging_close(mc_judging *judging);

/* The same in two steps, for whoever has trace and history from elsewhere: start, fill in `trace`
 * (and `told`) and `history`, then get ready. On failure nothing is left. */
void mc_judging_start(mc_judging *judging, const mc_judge_options *options);
mc_status mc_judging_ready(mc_judging *judging, mc_error *error);

/* Walks all states. */
mc_status mc_judging_explore(mc_judging *judging, const mc_visitor *visitor, mc_explored *explored,
                             mc_error *error);

/* Ready-made visitor callbacks that keep oracle and follower in step; context is the mc_judging. */
mc_status mc_judging_applied(void *context, const mc_op *op, uint32_t from, uint32_t to,
                             uint64_t size_before, mc_error *error);
void mc_judging_acked(void *context, uint32_t commit);

/* Hands the present state over with a mistake (handover.h), until it is taken back. As-is is always
 * made, and the state stays what it is. */
mc_status mc_judging_hand_over(mc_judging *judging, uint32_t mistake, const mc_crash *crash,
                               mc_crash *handed, bool *made, mc_error *error);
void mc_judging_take_back(mc_judging *judging);

/* Does the follower hold this importer's answer to the present state? Else it is run on its bytes.
 */
bool mc_judging_followed(const mc_judging *judging, uint32_t importer);

/* Outcomes of the present state. An importer that refuses a state without any main file has found
 * what SQLite finds, an empty database: where a snapshot is empty, too, that is its outcome. */
mc_status mc_judging_control(mc_judging *judging, mc_outcome *out, mc_error *error);
mc_status mc_judging_outcome(mc_judging *judging, uint32_t importer, mc_outcome *out,
                             mc_error *error);

/* The outcome of the images in `given`. */
mc_status mc_judging_given(mc_judging *judging, mc_outcome *out, mc_error *error);

/* Counts `times` states of which an importer made that, and makes a finding of what is one; they
 * and the next two belong to the judge. `unmet`: it did worse than SQLite. */
mc_status mc_judged_importer(mc_judging *judging, const mc_crash *crash, uint32_t importer,
                             const mc_outcome *outcome, const mc_verdict *verdict, bool unmet,
                             uint64_t times, mc_error *error);
/* The control did not keep its promise on the present state. */
mc_status mc_judged_control(mc_judging *judging, const mc_crash *crash, const mc_outcome *control,
                            const mc_verdict *verdict, uint64_t times, mc_error *error);
/* The present state, which SQLite recovers as `control` says, is crashed again in its recovery. */
mc_status mc_judged_again(mc_judging *judging, const mc_crash *crash, const mc_outcome *control,
                          mc_error *error);
/* recover has made `own` of the present state, and SQLite `control`. */
mc_status mc_judged_meeting(mc_judging *judging, const mc_crash *crash, const mc_outcome *control,
                            const mc_outcome *own, mc_error *error);

/* The files of one database of the present state, those that the v1 VFS shows for a store; false
 * when it could not open them. */
bool mc_judging_files(mc_judging *judging, uint32_t database, mc_files *out);

/* No main file anywhere: the process died before it made one. */
bool mc_judging_nothing_there(const mc_judging *judging);

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

/* The signature of what `who` made of a state: journal mode, crash model, kind of operation at the
 * crash, role of the first wrong page, who, verdict; and the known defect that explains it, if any.
 */
void mc_judging_signature(const mc_judging *judging, const mc_crash *crash, const char *who,
                          const mc_verdict *verdict, const mc_outcome *outcome, const char *defect,
                          char out[MC_SIGNATURE_MAX]);

/* "inplace/delete/full/kill/57+4096@no-journal": the name under which a state can be asked for
 * again. One of a second crash has the first one's name, "//", and its own within the recovery. */
void mc_judging_state_id(const mc_judging *judging, const mc_crash *crash, char *out, size_t size);

#endif
