/* casejudge.h: from a state under judgement to a case, and back.
 *
 * Back: the disk state becomes a trace without operations, and the snapshots a second trace that
 * leads from one to the next, so that the very oracle, importers and control of a run judge the
 * case. Nothing of the workload is run again, hence a case holds on any version of SQLite. */
#ifndef MIDCOMMIT_HARNESS_CASE_CASEJUDGE_H
#define MIDCOMMIT_HARNESS_CASE_CASEJUDGE_H

#include "harness/case/case.h"
#include "harness/judge/judging.h"
#include "harness/case/story.h"

/* Stores the present state, the snapshots up to the one in flight, and what `story` says, in the
 * empty `c`. */
mc_status mc_case_capture(mc_judging *judging, const mc_crash *crash, const mc_story *story,
                          mc_case *c, mc_error *error);

/* Stands at the state of a case that was read. options->record is the case's recipe
 * (mc_case_recipe); it and `c` must outlive the judging. On failure nothing is left. */
mc_status mc_case_open(const mc_case *c, const mc_judge_options *options, mc_judging *judging,
                       mc_crash *crash, mc_error *error);

/* Stands there, lets `look` see it, and leaves. */
typedef mc_status (*mc_case_look_fn)(void *context, mc_judging *judging, const mc_crash *crash,
                                     mc_error *error);
mc_status mc_case_judge(const mc_case *c, const mc_importers *importers, mc_case_look_fn look,
                        void *context, mc_error *error);

/* The verdict on what each importer makes of the present state, as mc_verdict_text says it. */
mc_status mc_case_verdicts(mc_judging *judging, const mc_crash *crash,
                           char (*text)[MC_CASE_VERDICT_BYTES], mc_error *error);

#endif
