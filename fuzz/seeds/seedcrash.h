/* seedcrash.h: seeds of crash_fuzzer: small programs, in each journal mode and crash model, that
 * die at points spread over them; some die again while they recover. */
#ifndef MIDCOMMIT_FUZZ_SEEDS_SEEDCRASH_H
#define MIDCOMMIT_FUZZ_SEEDS_SEEDCRASH_H

#include "fuzz/seeds/seedfile.h"

mc_status mc_seed_crashes(mc_seeds *seeds, mc_error *error);

#endif
