/* cases.h: the findings of a run as case files, one per signature. */
#ifndef MIDCOMMIT_HARNESS_RUN_CASES_H
#define MIDCOMMIT_HARNESS_RUN_CASES_H

#include "harness/run/run.h"
#include "harness/case/story.h"

/* Writes into `folder` (made if it is not there) one case per signature: of the first states of the
 * cells, the smallest. The expected verdicts are those of the four built-in importers and of the
 * run's own. `*written` counts the files. */
mc_status mc_cases_write(const mc_run_options *options, const mc_run_result *result,
                         const char *folder, uint32_t *written, mc_error *error);

/* The recipe of a state by its name (mc_story_parse), seen through `importers`; `signature` is that
 * of the finding, or null: the subject's own. */
mc_status mc_cases_capture(const char *state, const mc_run_options *options,
                           const mc_importers *importers, uint32_t subject, const char *signature,
                           mc_case *c, mc_error *error);

#endif
