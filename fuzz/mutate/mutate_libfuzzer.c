/* mutate_libfuzzer.c: the mutator as libFuzzer, and engines like it, ask for one. Plain bytes are
 * left to the engine's own mutations, which know its dictionary and what comparisons want. */
#include "fuzz/mutate/mutate.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t capacity); /* the engine's */

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t capacity, unsigned int seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned int seed)
{
    return mc_mutate(data, size, capacity, seed, LLVMFuzzerMutate);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t capacity, unsigned int seed)
{
    return mc_mutate_cross(a, a_size, b, b_size, out, capacity, seed);
}
