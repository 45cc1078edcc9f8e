/* hash.h: the hash of pages and blocks: XXH3-64, at the speed of the processor it runs on.
 *
 * xxHash chooses its vectors when it is compiled; a build that must run on any x86-64 would hash at
 * half the speed most machines have. So it is compiled twice and chosen when called. The value is
 * the same on every machine (xxHash specification: vectors change the speed only). */
#ifndef MIDCOMMIT_CORE_HASH_H
#define MIDCOMMIT_CORE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t mc_hash64(const void *data, size_t size_bytes);

/* The same, compiled for AVX2; only where the processor has it. */
uint64_t mc_hash64_avx2(const void *data, size_t size_bytes);

#endif
