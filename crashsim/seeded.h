/* seeded.h: time and randomness that are functions of a seed, for VFSes whose runs must repeat.
 *
 * The clock stands still unless somebody sleeps, so what SQLite reads of it does not depend on how
 * fast the machine is. */
#ifndef MIDCOMMIT_CRASHSIM_SEEDED_H
#define MIDCOMMIT_CRASHSIM_SEEDED_H

#include <stddef.h>
#include <stdint.h>

typedef struct mc_seeded {
    uint64_t random;
    int64_t time_ms; /* Julian day number in ms, as xCurrentTimeInt64 counts */
} mc_seeded;

/* Some moment of 2024-01-01, and the generator's start. */
mc_seeded mc_seeded_init(uint64_t seed);

/* Fills `out` (splitmix64). */
void mc_seeded_bytes(mc_seeded *seeded, void *out, size_t size);

/* Moves the clock on, in whole ms, rounded up. */
void mc_seeded_sleep(mc_seeded *seeded, int microseconds);

#endif
