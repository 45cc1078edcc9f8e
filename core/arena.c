#include "core/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = alignof(max_align_t), FIRST_BLOCK_BYTES = 64 * 1024 };

struct mc_arena_block {
    mc_arena_block *next;
    size_t capacity;
    size_t used;
    alignas(max_align_t) unsigned char data[];
};

static mc_arena_block *add_block(mc_arena *arena, size_t need_bytes)
{
    size_t capacity = arena->block == NULL ? FIRST_BLOCK_BYTES : arena->block->capacity * 2;
    if (capacity > arena->limit_bytes) {
        capacity = arena->limit_bytes;
    }
    if (capacity < need_bytes) {
        capacity = need_bytes;
    }
    mc_arena_block *block = malloc(sizeof *block + capacity);
    if (block == NULL) {
        return NULL;
    }
    block->capacity = capacity;
    block->used = 0;
    block->next = arena->block;
    arena->block = block;
    return block;
}

static size_t padded_bytes(size_t size_bytes)
{
    return (size_bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

bool mc_arena_fits(const mc_arena *arena, uint64_t size_bytes)
{
    return size_bytes <= arena->limit_bytes &&
           padded_bytes((size_t)size_bytes) <= arena->limit_bytes - arena->used_bytes;
}

void *mc_arena_alloc(mc_arena *arena, size_t size_bytes)
{
    assert(arena->limit_bytes > 0);
    if (!mc_arena_fits(arena, size_bytes)) {
        return NULL;
    }
    size_t padded = padded_bytes(size_bytes);
    mc_arena_block *block = arena->block;
    if (block == NULL || block->capacity - block->used < padded) {
        block = add_block(arena, padded);
        if (block == NULL) {
            return NULL;
        }
    }
    void *result = block->data + block->used;
    block->used += padded;
    arena->used_bytes += padded;
    assert(arena->used_bytes <= arena->limit_bytes);
    return result;
}

void *mc_arena_calloc(mc_arena *arena, size_t count, size_t item_bytes)
{
    if (item_bytes != 0 && count > SIZE_MAX / item_bytes) {
        return NULL;
    }
    void *result = mc_arena_alloc(arena, count * item_bytes);
    if (result != NULL) {
        memset(result, 0, count * item_bytes);
    }
    return result;
}

void mc_arena_reset(mc_arena *arena)
{
    mc_arena_block *largest = NULL;
    mc_arena_block *block = arena->block;
    while (block != NULL) {
        mc_arena_block *next = block->next;
        if (largest == NULL || block->capacity > largest->capacity) {
            free(largest);
            largest = block;
        } else {
            free(block);
        }
        block = next;
    }
    if (largest != NULL) {
        largest->next = NULL;
        largest->used = 0;
    }
    arena->block = largest;
    arena->used_bytes = 0;
}

void mc_arena_free(mc_arena *arena)
{
    mc_arena_reset(arena);
    free(arena->block);
    arena->block = NULL;
}
