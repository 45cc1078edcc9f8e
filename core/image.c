#include "core/image.h"

#include "core/hash.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { HEADER_BYTES = 100 };

uint64_t mc_page_hash(uint32_t page_number, const uint8_t *page, uint32_t page_size)
{
    assert(page_number > 0);
    assert(page_size >= MC_PAGE_SIZE_MIN && page_size <= MC_PAGE_SIZE_MAX);
    if (page_number > 1) {
        return mc_hash64(page, page_size);
    }
    uint8_t header[HEADER_BYTES];
    memcpy(header, page, sizeof header);
    memset(header + 18, 0, 2);
    memset(header + 24, 0, 4);
    memset(header + 92, 0, 8);
    uint64_t seed = XXH3_64bits(header, sizeof header);
    return XXH3_64bits_withSeed(page + HEADER_BYTES, page_size - HEADER_BYTES, seed);
}

uint64_t mc_page1_masked_hash(const uint8_t *page1)
{
    uint8_t masked[14];
    memcpy(masked, page1 + 18, 2);
    memcpy(masked + 2, page1 + 24, 4);
    memcpy(masked + 6, page1 + 92, 8);
    return XXH3_64bits(masked, sizeof masked);
}

mc_hash128 mc_image_content_hash(const mc_image *image)
{
    XXH3_state_t state;
    XXH3_128bits_reset(&state);
    for (uint32_t i = 0; i < image->page_count; i++) {
        XXH3_128bits_update(&state, image->page[i], image->page_size);
    }
    XXH128_hash_t hash = XXH3_128bits_digest(&state);
    return (mc_hash128){.low = hash.low64, .high = hash.high64};
}

void mc_hash128_hex(mc_hash128 hash, char out[33])
{
    (void)snprintf(out, 33, "%016" PRIx64 "%016" PRIx64, hash.high, hash.low);
}
