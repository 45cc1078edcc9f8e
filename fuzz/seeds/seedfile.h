/* seedfile.h: the folder of seeds: OUT_DIR/TARGET/NAME, no two of one target with equal bytes. */
#ifndef MIDCOMMIT_FUZZ_SEEDS_SEEDFILE_H
#define MIDCOMMIT_FUZZ_SEEDS_SEEDFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/result.h"

typedef enum mc_seed_target {
    MC_SEED_JOURNAL,
    MC_SEED_WAL,
    MC_SEED_KV,
    MC_SEED_IMAGE,
    MC_SEED_CRASH,
    MC_SEED_CASE,
    MC_SEED_TARGETS
} mc_seed_target;

extern const char *const mc_seed_target_names[MC_SEED_TARGETS]; /* "journal_fuzzer", ... */

enum { MC_SEED_BYTES_MAX = 64 << 10, MC_SEEDS_MAX = 2000, MC_SEED_NAME_BYTES = 120 };

/* Zero-initialise and set `folder`, which must not exist; mc_seeds_start makes it. */
typedef struct mc_seeds {
    const char *folder;
    uint32_t count[MC_SEED_TARGETS];
    uint64_t bytes[MC_SEED_TARGETS];
    uint64_t known[MC_SEED_TARGETS][MC_SEEDS_MAX]; /* hashes of what was written */
} mc_seeds;

mc_status mc_seeds_start(mc_seeds *seeds, mc_error *error);

/* Writes one seed. One that is there, is empty, or is too large is passed over: MC_OK. */
mc_status mc_seeds_put(mc_seeds *seeds, mc_seed_target target, const char *name,
                       const uint8_t *data, size_t size, mc_error *error);

#endif
