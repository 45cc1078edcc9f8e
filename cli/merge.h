/* merge.h: `run --merge FILES`: the options come from the files. */
#ifndef MIDCOMMIT_CLI_MERGE_H
#define MIDCOMMIT_CLI_MERGE_H

#include "cli/options.h"
#include "core/arena.h"
#include "harness/run/run.h"

/* The options among `arguments` that say what is run, as they are kept with results, in `words`
 * (MC_RUN_WORDS_MAX). */
void mc_merge_words(const mc_arguments *arguments, mc_run_word *words);

/* Puts the options that the files (the operands) were made with into `arguments`, beside those that
 * say where the result goes; those are the only ones that may be given. The memory is `arena`'s. */
mc_status mc_merge_arguments(mc_arguments *arguments, mc_arena *arena, mc_error *error);

#endif
