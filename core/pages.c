/* pages.c: which page of a database image does what.
 *
 * The walk follows only what leads somewhere by the file format (fileformat2 1.5, 1.6, 1.8, 2.6):
 * the page size fixes the lock-byte page and, when the header says auto_vacuum, the pointer-map
 * pages; page 1 is the root of sqlite_schema, whose rows name the other roots; interior pages and
 * cells lead to children and overflow chains; the header leads to the freelist.
 *
 * Images here are often torn, so nothing that is read is believed. Three rules keep the walk safe:
 *
 *   - a page is claimed once, by whoever comes first, and only a claimed page is followed. Cycles,
 *     shared pages and any depth end there, and one queue of page_count numbers serves the walk;
 *   - every offset is held against the usable size before it is used. A cell that does not fit is
 *     skipped, its neighbours are still read;
 *   - the schema's overflow chains, which are read again for the names, share a budget of pages.
 *
 * The order of claims is lock byte, pointer maps, schema, trees in the schema's order, freelist: what
 * a reader of the database would see wins over what is said to be free. The walk does not judge: keys
 * out of order, overlapping cells or a wrong free list count are integrity_check's business. */
#include "core/pages.h"

#include <assert.h>
#include <string.h>

#include "core/bytes.h"

enum {
    HEADER_BYTES = 100,
    AT_RESERVED = 20,
    AT_FREELIST_TRUNK = 32,
    AT_LARGEST_ROOT = 52, /* not zero: the database has pointer-map pages */
    AT_TEXT_ENCODING = 56,
    USABLE_MIN = 480 /* btree.c lockBtree refuses less */
};

/* Bytes of a page that hold data; the header's reserved bytes end every page. */
static uint32_t usable_bytes(const mc_image *image)
{
    return image->page_size - image->page[0][AT_RESERVED];
}

/* ---- freelist ---- */

/* Called for each trunk and each leaf in list order, a trunk before its leaves; false ends the walk. */
typedef bool freelist_visit(void *context, uint32_t page_number, uint32_t parent, bool is_trunk);

static bool freelist_number_is_good(const mc_image *image, uint32_t page_number)
{
    return page_number >= 2 && page_number <= image->page_count &&
           page_number != mc_lock_byte_page(image->page_size);
}

/* A sound list names each page once and never page 1, so `left` ends every cycle. */
static void freelist_walk(const mc_image *image, freelist_visit *visit, void *context)
{
    if (image->page_count == 0) {
        return;
    }
    uint32_t leaves_max = usable_bytes(image) / 4 - 2; /* btree.c allocateBtreePage */
    uint32_t left = image->page_count - 1;
    uint32_t parent = 1;
    uint32_t trunk = mc_bytes_get_be32(image->page[0] + AT_FREELIST_TRUNK);
    while (left > 0 && freelist_number_is_good(image, trunk)) {
        left--;
        if (!visit(context, trunk, parent, true)) {
            return;
        }
        const uint8_t *page = image->page[trunk - 1];
        uint32_t leaves = mc_bytes_get_be32(page + 4);
        if (leaves > leaves_max) {
            return;
        }
        for (uint32_t i = 0; i < leaves; i++, left--) {
            uint32_t leaf = mc_bytes_get_be32(page + 8 + (size_t)4 * i);
            if (left == 0 || !freelist_number_is_good(image, leaf) ||
                !visit(context, leaf, trunk, false)) {
                return;
            }
        }
        parent = trunk;
        trunk = mc_bytes_get_be32(page);
    }
}

typedef struct leaf_visitor {
    void (*visit)(void *context, uint32_t page_number);
    void *context;
} leaf_visitor;

static bool visit_leaf(void *context, uint32_t page_number, uint32_t parent, bool is_trunk)
{
    const leaf_visitor *visitor = context;
    (void)parent;
    if (!is_trunk) {
        visitor->visit(visitor->context, page_number);
    }
    return true;
}

void mc_pages_freelist_leaves(const mc_image *image, void (*visit)(void *context, uint32_t page_number),
                              void *context)
{
    leaf_visitor visitor = {.visit = visit, .context = context};
    freelist_walk(image, visit_leaf, &visitor);
}
