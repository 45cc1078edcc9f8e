/* arena.h: memory that a caller hands to a function, freed all at once.
 *
 * core/ allocates only from an arena in its arguments, so a reader sees from a signature whether a
 * function needs memory, and a size read from a hostile file meets the arena's limit, not malloc.
 */
#ifndef MIDCOMMIT_CORE_ARENA_H
#define MIDCOMMIT_CORE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mc_arena_block mc_arena_block;

/* Zero-initialise and set `limit_bytes`; the first allocation brings memory. */
typedef struct mc_arena {
    mc_arena_block *block; /* newest first */
    size_t used_bytes;     /* handed out since the last reset, padding included */
    size_t limit_bytes;    /* allocations that would pass it return null */
} mc_arena;

/* `size_bytes` bytes aligned for any type, not cleared; null past the limit or without memory. A
 * zero-sized allocation returns a valid pointer. Pointers stay valid until reset or free. */
void *mc_arena_alloc(mc_arena *arena, size_t size_bytes);

/* Would so many bytes stay within the limit? If so and mc_arena_alloc returns null, the machine has
 * no memory; if not, the size is more than the caller wants to give. */
bool mc_arena_fits(const mc_arena *arena, uint64_t size_bytes);

/* `count` items of `item_bytes`, cleared; null also when the product overflows. */
void *mc_arena_calloc(mc_arena *arena, size_t count, size_t item_bytes);

/* Takes everything back and keeps the largest block for the next round. */
void mc_arena_reset(mc_arena *arena);

/* Returns all memory; the arena may be used again. */
void mc_arena_free(mc_arena *arena);

#endif
