#include "crashsim/seeded.h"

#include <string.h>

static const int64_t DAY_MS = 86400000;
static const int64_t DAYS_TO_2024 = 2460311; /* Julian day of 2024-01-01, noon */

mc_seeded mc_seeded_init(uint64_t seed)
{
    return (mc_seeded){.random = seed,
                       .time_ms = DAYS_TO_2024 * DAY_MS - DAY_MS / 2 + (int64_t)(seed % 86400000u)};
}

static uint64_t next_random(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15u;
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void mc_seeded_bytes(mc_seeded *seeded, void *out, size_t size)
{
    uint8_t *byte = out;
    for (size_t i = 0; i < size; i++) {
        byte[i] = (uint8_t)(next_random(&seeded->random) >> 56);
    }
}

void mc_seeded_sleep(mc_seeded *seeded, int microseconds)
{
    if (microseconds > 0) {
        seeded->time_ms += ((int64_t)microseconds + 999) / 1000;
    }
}
