#include "core/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t mc_hash64(const void *data, size_t size_bytes)
{
#ifdef MC_HASH_AVX2
    if (__builtin_cpu_supports("avx2")) {
        return mc_hash64_avx2(data, size_bytes);
    }
#endif
    return XXH3_64bits(data, size_bytes);
}
