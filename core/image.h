/* image.h: a database image, page by page, and what makes two pages the same page.
 *
 * An importer's result is an image: pages 1..page_count of one size. The pages are borrowed (from
 * the importer's input, where a page lies whole in main, the journal or the WAL) or lie in the
 * arena that the importer was given; nothing is copied that need not be. */
#ifndef MIDCOMMIT_CORE_IMAGE_H
#define MIDCOMMIT_CORE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MC_PAGE_SIZE_MIN = 512,
    MC_PAGE_SIZE_MAX = 65536,
    MC_LOCK_BYTE_OFFSET = 0x40000000 /* pager.h, PENDING_BYTE: its page never holds data */
};

typedef struct mc_image {
    uint32_t page_size;  /* 0 when page_count is 0 */
    uint32_t page_count; /* pages that belong to the database by SQLite's own rule */
    const uint8_t *const
        *page; /* page[n - 1]: page n, page_size bytes; null when page_count is 0 */
} mc_image;

typedef struct mc_hash128 {
    uint64_t low;
    uint64_t high;
} mc_hash128;

static inline bool mc_hash128_equal(mc_hash128 a, mc_hash128 b)
{
    return a.low == b.low && a.high == b.high;
}

/* The page number that holds the lock byte at this page size (fileformat2, "The Lock-Byte Page").
 */
static inline uint32_t mc_lock_byte_page(uint32_t page_size)
{
    return (uint32_t)MC_LOCK_BYTE_OFFSET / page_size + 1;
}

/* XXH3-64 of one page. For page 1 the fields that a recovery or a mode change may rewrite without
 * changing what the database says are read as zero: file format versions (18, 19; rewritten by a
 * switch to or from WAL), change counter (24..27), version-valid-for (92..95) and the writer's
 * library version (96..99) (fileformat2 1.3; pager.c pager_write_changecounter). */
uint64_t mc_page_hash(uint32_t page_number, const uint8_t *page, uint32_t page_size);

/* XXH3-64 of those fields, for whom they matter: a check may notice by them that the header's page
 * count does not hold. `page1` has at least 100 bytes. */
uint64_t mc_page1_masked_hash(const uint8_t *page1);

/* XXH3-128 over all bytes of all pages in order, nothing masked: the `content_hash` of `migrate`.
 */
mc_hash128 mc_image_content_hash(const mc_image *image);

/* 33 bytes: 32 lower-case hex digits, high half first, and a terminating zero. */
void mc_hash128_hex(mc_hash128 hash, char out[33]);

#endif
