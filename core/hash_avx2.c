/* Compiled with -mavx2 where the compiler knows it (CMakeLists.txt), and nothing else in the tree.
 */
#include "core/hash.h"

#ifdef MC_HASH_AVX2
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t mc_hash64_avx2(const void *data, size_t size_bytes)
{
    return XXH3_64bits(data, size_bytes);
}
#endif
