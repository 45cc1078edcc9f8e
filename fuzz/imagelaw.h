/* imagelaw.h: what holds of the page walk, the freelist and the hashes of any image at all. */
#ifndef MIDCOMMIT_FUZZ_IMAGELAW_H
#define MIDCOMMIT_FUZZ_IMAGELAW_H

#include "core/pages.h"
#include "fuzz/law.h"

/* Of what mc_pages_walk said: page 1 is the schema's root; every role is one; a parent is another
 * page of the image, and parents lead to a page without one, never round; a page that nothing leads
 * to has no parent and no owner; overflow and freelist pages have a parent, pointer maps and the
 * lock byte have none; a name ends within 1 KiB. */
bool mc_imagelaw_walk(const mc_image *image, const mc_page_info *info, mc_law *law);

/* Runs the walk, twice, judges it, and holds it and mc_pages_freelist_leaves together: at most
 * page_count leaves, each from 2 to page_count and never the lock byte's page; and each page of the
 * freelist by the walk is one of them. */
bool mc_imagelaw_pages(const mc_image *image, mc_arena *arena, mc_law *law);

/* Pages are equal exactly when their hashes are: of neighbours, and of copies in which one bit was
 * changed. On page 1 the bits of the five masked fields change mc_page1_masked_hash and not
 * mc_page_hash, and all others the other way round. `salt` chooses the bits. */
bool mc_imagelaw_hashes(const mc_image *image, uint64_t salt, mc_law *law);

/* Two images that were read from one main file without sidecars agree on every page both have. */
bool mc_imagelaw_agree(const mc_image *abandon, const mc_image *recover, mc_law *law);

#endif
