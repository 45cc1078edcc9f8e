/* reporting.h: what `run` and `report` share: the page of a run, and what other systems read. */
#ifndef MIDCOMMIT_CLI_REPORTING_H
#define MIDCOMMIT_CLI_REPORTING_H

#include "cli/options.h"
#include "core/arena.h"
#include "harness/run/run.h"

/* Writes what --html, --markdown and --sarif ask for of a run that has ended. `a` are the arguments
 * of `run`. */
mc_status mc_report_outputs(const mc_arguments *a, const mc_run_options *options,
                            const mc_run_result *result, mc_error *error);

/* run.c: what was run, from the files that `run --results` wrote; then mc_run gives the result
 * without running anything. `words` has MC_RUN_WORDS_MAX; memory is `arena`'s. */
mc_status mc_run_from_files(char **files, int count, mc_arguments *a, mc_run_options *options,
                            mc_run_word *words, mc_arena *arena, mc_error *error);

#endif
