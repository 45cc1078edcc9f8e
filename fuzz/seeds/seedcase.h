/* seedcase.h: stored cases (harness/case/case.h) as seeds: their states, and the files themselves.
 */
#ifndef MIDCOMMIT_FUZZ_SEEDS_SEEDCASE_H
#define MIDCOMMIT_FUZZ_SEEDS_SEEDCASE_H

#include "fuzz/seeds/seedfile.h"

/* Of the cases below `folder`, in the order of their paths: each state as mc_seed_state_put and
 * mc_seed_store_put make it of every case whose number has a turn; some as the compressed file,
 * some as the tar archive in it; and lines of a results file. */
mc_status mc_seed_cases(mc_seeds *seeds, const char *folder, mc_error *error);

#endif
