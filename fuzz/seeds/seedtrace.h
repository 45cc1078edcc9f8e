/* seedtrace.h: crash states of small programs as seeds: each kind of state once a recording. */
#ifndef MIDCOMMIT_FUZZ_SEEDS_SEEDTRACE_H
#define MIDCOMMIT_FUZZ_SEEDS_SEEDTRACE_H

#include "fuzz/seeds/seedfile.h"

/* Records the programs in every journal mode that they are for, and on the v1 store in each build,
 * walks their crash states and puts those that are new in kind: another operation in progress, on
 * another file, with another journal or WAL to read. */
mc_status mc_seed_traces(mc_seeds *seeds, mc_error *error);

#endif
