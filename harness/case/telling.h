/* telling.h: the inside of story.h: one story while it is gathered, shared by its parts. */
#ifndef MIDCOMMIT_HARNESS_CASE_TELLING_H
#define MIDCOMMIT_HARNESS_CASE_TELLING_H

#include "core/pages.h"
#include "harness/judge/judging.h"
#include "harness/case/story.h"

/* A walk that stops to tell one state's story. */
typedef struct mc_telling {
    mc_judging *j;
    mc_story *story;
    const mc_story_request *request;
    uint32_t mistake;      /* with which the state is handed over (handover.h) */
    const mc_case *stored; /* its operations are in this case, not in a trace; or null */
    bool found;
    bool recovers;        /* the control recovers a snapshot */
    bool whole;           /* main, as it lies there, is a snapshot */
    mc_verdict_kind last; /* verdict of the subject at the state before */
    size_t bad;           /* the operation that made it what it is */
    bool any;
    size_t first; /* elements [first, end) are told as operations; `end` 0: those near the crash */
    size_t end;
} mc_telling;

/* A copy in the story's arena; "" without memory. */
const char *mc_telling_keep(mc_story *story, const char *text);

/* story.c: the present state: what each importer makes of it; who noticed what of `own`, which is
 * the subject's and the last that was asked for; and the pages of its images, which are set. */
mc_status mc_telling_answers(mc_telling *t, const mc_crash *crash, mc_error *error);
void mc_telling_detectors(mc_telling *t, const mc_outcome *own);
mc_status mc_telling_subject(mc_telling *t, const mc_outcome *own, mc_image *images,
                             mc_error *error);

/* storymap.c: the operations around the crash, with the roles of the pages they are about, and the
 * page map of a view. */
mc_status mc_telling_operations(mc_telling *t, mc_error *error);
mc_status mc_telling_pages(mc_telling *t, uint32_t view, mc_error *error);

/* storypower.c: brings the judging's disk to the state that the request names by a choice, fills in
 * `crash`, and tells what is there of what was pending. Sets `found`, or finds no such crash point;
 * MC_USAGE: such a choice does not exist. */
mc_status mc_telling_power(mc_telling *t, mc_crash *crash, mc_error *error);

/* storyagain.c: the judging's disk shows the state that the first crash left; tells, by `tell`,
 * that which the request's second crash left. The disk shows the first again when it returns. */
mc_status mc_telling_again(mc_telling *t, const mc_crash *first,
                           mc_status (*tell)(mc_telling *t, const mc_crash *crash, mc_error *error),
                           mc_error *error);

/* "57", "57+4096" where cuts are made, or "57+CHOICE": into the request. False for anything else.
 */
bool mc_story_point(char *text, bool power, mc_story_request *request);

/* storyfolder.c: the state, the images and the snapshots near the crash, in a new folder. */
mc_status mc_telling_folder(mc_telling *t, const mc_outcome *outcome, const mc_image *images,
                            mc_error *error);

#endif
