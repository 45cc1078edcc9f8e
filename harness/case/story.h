/* story.h: everything that can be said about one crash state, gathered for a person. */
#ifndef MIDCOMMIT_HARNESS_CASE_STORY_H
#define MIDCOMMIT_HARNESS_CASE_STORY_H

#include "harness/case/case.h"
#include "harness/judge/judge.h"

/* One element of the trace near the crash, in words. */
typedef struct mc_story_op {
    size_t number;
    const char *text;      /* "write main.db-journal at 512, 4 bytes: record: page number 5" */
    const char *statement; /* the SQL being run, when it differs from the element before; or null */
    bool crash;            /* the process died here: this element did not happen, or in part */
} mc_story_op;

/* One page of the imported image. */
typedef struct mc_story_page {
    uint32_t database;
    uint32_t page;
    const char *role; /* "table leaf t", by the nearer snapshot */
    const char *of;   /* "snapshot 2 and 3", "no snapshot", "absent" */
    bool wrong;       /* it does not belong to the snapshot that the image should be */
} mc_story_page;

typedef struct mc_story_answer {
    const char *importer;
    const char *verdict;
    bool is_subject; /* the importer whose image is shown */
} mc_story_answer;

enum { MC_STORY_LOSS_MAX = 24 };

typedef struct mc_story {
    mc_arena arena;
    char state[MC_STATE_ID_MAX];
    const char *signature;
    const char *subject; /* the importer whose image is shown */
    const char *database[MC_DATABASES_MAX];
    uint32_t database_count;
    bool is_kv; /* the state is a v1 store, not files */
    uint32_t acked;
    uint32_t begun;
    uint32_t commits;
    size_t elements;    /* of the whole trace */
    const char *handed; /* the mistake that was made; or null */
    const char *effect; /* and what SQLite makes of the sidecars that are there then; or "" */
    const char *loss[MC_STORY_LOSS_MAX]; /* power: lines on what is there of what was pending */
    uint32_t loss_count;                 /* 0: the machine lived on */
    const char *verdict;                 /* of the subject */
    mc_story_answer answer[MC_IMPORTERS_MAX + 1]; /* each importer's; the last is the control's */
    uint32_t answer_count;
    mc_story_op *op;
    uint32_t op_count;
    uint32_t snapshot; /* the page map and the difference compare with this one */
    mc_story_page
        *page; /* the pages that changed between the snapshots near the crash, or are wrong */
    uint32_t page_count;
    uint32_t pages_same; /* pages left out: they are in every snapshot near the crash */
    mc_story_page *map;  /* all pages, the same ones, too */
    uint32_t map_count;
    const char *difference; /* the first row that differs; or null */
    const char *noticed; /* detectors that raised an alarm: "integrity_check (row 3 missing ...)" */
    const char *missed;  /* detectors that said ok */
    const char *before; /* what the verdict was before the first bad operation; null: always this */
    size_t bad;         /* the number of that operation, the last that changed the verdict */
    const char *bad_text; /* what it did; null when that is not known */
} mc_story;

/* Which state, seen through whose eyes, and what to keep of it. */
typedef struct mc_story_request {
    size_t point;
    uint32_t cut;
    const char *choice;    /* power: the answers that give the state (powerchoice.h) */
    uint32_t subject;      /* index into the importers */
    const char *signature; /* of the finding, when it is not the subject's own verdict; or null */
    const char *folder;    /* where to write the state's files (or kv.jsonl), the subject's image
                              (imported.db) and the snapshots near the crash (snapshot-K.db); it must
                              not exist yet; or null */
    mc_case *keep;         /* gets the case, to be freed by the caller; or null */
} mc_story_request;

/* Runs the workload again, stops at the state, and gathers its story. options->record must be the
 * state's own recipe, and options->sidecars the bit of its mistake. */
mc_status mc_story_tell(const mc_judge_options *options, const mc_story_request *request,
                        mc_story *story, mc_error *error);

/* The same from a case: its operations are taken as they were kept, everything else is judged
 * again. */
mc_status mc_story_of_case(const mc_case *c, const mc_importers *importers,
                           const mc_story_request *request, mc_story *story, mc_error *error);
void mc_story_free(mc_story *story);

/* Takes "inplace/delete/full/kill/57+4096@no-journal" or "inplace/delete/full/power:psow/57+01x7."
 * apart: sets the recipe of `record`; point, cut and choice of `request`; the mistake, and the
 * profile, null where the machine lived on. Returned pointers lie in `arena`. */
mc_status mc_story_parse(const char *id, mc_arena *arena, mc_record_options *record,
                         mc_story_request *request, uint32_t *mistake,
                         const mc_power_profile **power, mc_error *error);

#endif
