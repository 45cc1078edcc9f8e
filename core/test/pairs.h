/* pairs.h: stores for tests, put together pair by pair in any order. */
#ifndef MIDCOMMIT_CORE_TEST_PAIRS_H
#define MIDCOMMIT_CORE_TEST_PAIRS_H

#include <assert.h>
#include <string.h>

#include "core/v1.h"

enum { TEST_PAIRS_MAX = 64, TEST_KEY_BYTES = 12 };

typedef struct test_pairs {
    mc_pair pair[TEST_PAIRS_MAX];
    uint8_t key[TEST_PAIRS_MAX][TEST_KEY_BYTES];
    uint8_t metadata[TEST_PAIRS_MAX][MC_V1_METADATA_BYTES];
    size_t count;
} test_pairs;

static inline mc_store test_pairs_store(const test_pairs *pairs)
{
    return (mc_store){.pair = pairs->pair, .count = pairs->count};
}

/* Adds a pair at its place; the value is borrowed. */
static inline void test_put(test_pairs *pairs, const void *key, uint32_t key_size,
                            const void *value, uint32_t value_size)
{
    assert(pairs->count < TEST_PAIRS_MAX && key_size <= TEST_KEY_BYTES);
    size_t at = 0;
    while (at < pairs->count) {
        const mc_pair *there = &pairs->pair[at];
        uint32_t shared = there->key_size < key_size ? there->key_size : key_size;
        int order = memcmp(there->key, key, shared);
        if (order > 0 || (order == 0 && there->key_size > key_size)) {
            break;
        }
        at++;
    }
    memmove(pairs->pair + at + 1, pairs->pair + at, (pairs->count - at) * sizeof *pairs->pair);
    memcpy(pairs->key[pairs->count], key, key_size);
    pairs->pair[at] = (mc_pair){.key = pairs->key[pairs->count],
                                .key_size = key_size,
                                .value = value,
                                .value_size = value_size};
    pairs->count++;
}

static inline void test_put_metadata(test_pairs *pairs, mc_v1_tag tag, uint64_t size)
{
    uint8_t key[MC_V1_METADATA_KEY_BYTES];
    mc_v1_metadata_key(key, tag);
    uint8_t *value = pairs->metadata[pairs->count];
    mc_v1_encode_metadata(value, size);
    test_put(pairs, key, sizeof key, value, MC_V1_METADATA_BYTES);
}

static inline void test_put_chunk(test_pairs *pairs, mc_v1_tag tag, uint32_t index,
                                  const void *value, uint32_t value_size)
{
    uint8_t key[MC_V1_CHUNK_KEY_BYTES];
    mc_v1_chunk_key(key, tag, index);
    test_put(pairs, key, sizeof key, value, value_size);
}

#endif
