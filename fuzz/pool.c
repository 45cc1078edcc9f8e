/* pool.c: chunks of a few sizes, cut from one block and never given back.
 *
 *     header | object | rest
 *
 * The header (16 bytes) and the rest (at least 16) are poisoned always, the object while it is
 * free, so taking a chunk is to unpoison the object and freeing it to poison it. The free chunks of
 * a size are a queue: one is taken again when QUARANTINE_BYTES or QUARANTINE_CHUNKS were freed
 * after it. Sizes rise by a third to a half, so that a chunk holds little that no one uses.
 *
 * What is larger than the largest size, or comes when the block is used up, is malloc's.
 *
 * This file is compiled without sanitizers, or it could not read its own headers. */
#include "fuzz/pool.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef MC_POOL /* CMakeLists.txt */
#include <sanitizer/asan_interface.h>

enum {
    BLOCK_BYTES = 32 << 20,
    HEADER_BYTES = 16,
    REDZONE_BYTES = 16,
    CLASSES = 20, /* 64, 96, 128, 192, ... 32768, 49152 bytes */
    QUARANTINE_BYTES = 64 << 10,
    QUARANTINE_CHUNKS = 128
};

static const uint64_t FILL = UINT64_C(0xbebebebebebebebe); /* AddressSanitizer's own */

typedef struct chunk {
    struct chunk *next; /* freed after it; while in use: itself */
    uint32_t size;
    uint32_t class;
} chunk;

typedef struct queue {
    chunk *first; /* freed the longest ago */
    chunk *last;
    uint32_t count;
} queue;

static uint8_t *block;
static size_t used_bytes;
static size_t live;
static queue free_of[CLASSES];

static size_t bytes_of(uint32_t class)
{
    return ((size_t)64 << class / 2) + (class % 2) * ((size_t)32 << class / 2);
}

/* The smallest class whose chunks have `bytes`; CLASSES: none. */
static uint32_t class_of(size_t bytes)
{
    if (bytes <= 64) {
        return 0;
    }
    uint32_t doublings = 58 - (uint32_t)__builtin_clzll(bytes - 1);
    return 2 * doublings - (bytes <= bytes_of(2 * doublings - 1));
}

static uint32_t quarantined(uint32_t class)
{
    size_t chunks = QUARANTINE_BYTES / bytes_of(class);
    return (uint32_t)(chunks < QUARANTINE_CHUNKS ? chunks : QUARANTINE_CHUNKS);
}

static chunk *take_free(uint32_t class)
{
    queue *q = &free_of[class];
    chunk *c = q->first;
    if (q->count <= quarantined(class)) {
        return NULL;
    }
    q->first = c->next;
    q->count--;
    return c;
}

static chunk *cut(uint32_t class)
{
    size_t bytes = bytes_of(class);
    if (bytes > BLOCK_BYTES - used_bytes) {
        return NULL;
    }
    chunk *c = (chunk *)(void *)(block + used_bytes);
    used_bytes += bytes;
    return c;
}

static bool is_ours(const void *object)
{
    uintptr_t at = (uintptr_t)object;
    return at >= (uintptr_t)block && at < (uintptr_t)block + BLOCK_BYTES;
}

/* Malloc's objects have their size before them, too. */
static void *large_malloc(size_t size)
{
    uint64_t *head = malloc(HEADER_BYTES + size);
    if (head == NULL) {
        return NULL;
    }
    head[0] = size;
    return (uint8_t *)head + HEADER_BYTES;
}

/* Up to 7 bytes more, which are the rest's. The barrier keeps it from becoming a memset, whose
 * interception costs more than the bytes. */
static void fill(uint8_t *object, size_t size)
{
    uint64_t *word = (uint64_t *)(void *)object;
    for (size_t i = 0; i < (size + 7) / 8; i++) {
        word[i] = FILL;
        __asm__ volatile("" ::: "memory");
    }
}

static void *pool_malloc(int size)
{
    uint32_t class = class_of(HEADER_BYTES + (size_t)size + REDZONE_BYTES);
    chunk *c = class < CLASSES ? take_free(class) : NULL;
    c = c == NULL && class < CLASSES ? cut(class) : c;
    if (c == NULL) {
        return large_malloc((size_t)size);
    }
    *c = (chunk){.next = c, .size = (uint32_t)size, .class = class};
    uint8_t *object = (uint8_t *)c + HEADER_BYTES;
    __asan_unpoison_memory_region(object, (size_t)size);
    fill(object, (size_t)size);
    live++;
    return object;
}

static int pool_size(void *object)
{
    if (object == NULL) {
        return 0;
    }
    if (!is_ours(object)) {
        return (int)((const uint64_t *)object)[-2];
    }
    return (int)((const chunk *)((uint8_t *)object - HEADER_BYTES))->size;
}

static void pool_free(void *object)
{
    if (object == NULL) {
        return;
    }
    if (!is_ours(object)) {
        free((uint8_t *)object - HEADER_BYTES);
        return;
    }
    chunk *c = (chunk *)(void *)((uint8_t *)object - HEADER_BYTES);
    if (c->next != c) {
        abort(); /* freed twice, or never allocated */
    }
    __asan_poison_memory_region(object, c->size);
    queue *q = &free_of[c->class];
    c->next = NULL;
    if (q->count == 0) {
        q->first = c;
    } else {
        q->last->next = c;
    }
    q->last = c;
    q->count++;
    live--;
}

static void *pool_realloc(void *object, int size)
{
    void *moved = pool_malloc(size);
    if (moved != NULL && object != NULL) {
        int kept = pool_size(object);
        memcpy(moved, object, (size_t)(kept < size ? kept : size));
        pool_free(object);
    }
    return moved;
}

static int pool_roundup(int size)
{
    return (size + 7) & ~7;
}

static int pool_init(void *unused)
{
    (void)unused;
    return SQLITE_OK;
}

static void pool_shutdown(void *unused)
{
    (void)unused;
}

void mc_pool_use(void)
{
    static const sqlite3_mem_methods methods = {.xMalloc = pool_malloc,
                                                .xFree = pool_free,
                                                .xRealloc = pool_realloc,
                                                .xSize = pool_size,
                                                .xRoundup = pool_roundup,
                                                .xInit = pool_init,
                                                .xShutdown = pool_shutdown};
    const char *wish = getenv("MIDCOMMIT_POOL");
    block = wish != NULL && strcmp(wish, "off") == 0 ? NULL : malloc(BLOCK_BYTES);
    if (block != NULL) {
        __asan_poison_memory_region(block, BLOCK_BYTES);
        int code = sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
        assert(code == SQLITE_OK);
        (void)code;
    }
}

size_t mc_pool_live(void)
{
    return live;
}

#else

void mc_pool_use(void)
{
}

size_t mc_pool_live(void)
{
    return 0;
}

#endif
