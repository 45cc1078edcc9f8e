/* mutate.h: one mutator for all targets, that knows what a fuzz input is made of.
 *
 * A pure function of its arguments: equal bytes, seed and leaf, equal result. It knows pieces
 * (pieces.h), and in them pages and their headers, journal headers and records, WAL headers and
 * frames, chunk keys and metadata, statements, crash choices; and tar archives, which are what a
 * case file holds (case_fuzzer). Half of the time it makes checksums right again after a change, so
 * that damage gets past them; the other half it leaves them broken. What has no structure is
 * left to `leaf`. */
#ifndef MIDCOMMIT_FUZZ_MUTATE_MUTATE_H
#define MIDCOMMIT_FUZZ_MUTATE_MUTATE_H

#include <stddef.h>
#include <stdint.h>

/* A mutation of plain bytes: changes `size` bytes of `data`, within `capacity`, and returns the new
 * size, at least 1. LLVMFuzzerMutate is one. */
typedef size_t (*mc_mutate_leaf_fn)(uint8_t *data, size_t size, size_t capacity);

/* Changes the input in `buffer` (of `capacity` bytes, at least one, and `size` within it) and
 * returns its new size, 1..capacity. What is pieces stays pieces, and what is large does not grow.
 * Not for two threads at once. */
size_t mc_mutate(uint8_t *buffer, size_t size, size_t capacity, uint64_t seed,
                 mc_mutate_leaf_fn leaf);

/* Makes `out` of pieces of both, and returns its size, 0 when nothing could be made. */
size_t mc_mutate_cross(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                       uint8_t *out, size_t capacity, uint64_t seed);

/* A leaf of our own (bit flips, borders, copies, inserts), seeded through mc_mutate_leaf_seed: what
 * AFL++'s wrapper uses, which has no LLVMFuzzerMutate. One thread only. */
void mc_mutate_leaf_seed(uint64_t seed);
size_t mc_mutate_leaf(uint8_t *data, size_t size, size_t capacity);

/* What mc_mutate did last, in words: "wal frame: swap, checksums right"; several things are joined
 * by "; ", and a file within the input is named first: "store: file, page: copy". "checksums right"
 * says that all of that file are, from its beginning on. Static storage. */
const char *mc_mutate_last(void);

/* The name of the kind of mutation `index` of all, as mc_mutate_last gives it; null behind the
 * last. A kind that is meant to come oftener is there more than once. */
const char *mc_mutate_kind(size_t index);

/* Step `step` of trimming an input: writes a shorter candidate into `out` (of `size` bytes) and
 * returns its size, or 0 when there is none for this step. mc_mutate_trim_steps says how many steps
 * there are: whole pieces first, then statements, pages, frames, records from their ends. */
uint32_t mc_mutate_trim_steps(const uint8_t *data, size_t size);
size_t mc_mutate_trim(const uint8_t *data, size_t size, uint32_t step, uint8_t *out);

#endif
