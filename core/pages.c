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
 * The order of claims is lock byte, pointer maps, schema, trees in the schema's order, freelist:
 * what a reader of the database would see wins over what is said to be free. The walk does not
 * judge: keys out of order, overlapping cells or a wrong free list count are integrity_check's
 * business. */
#include "core/pages.h"

#include <assert.h>
#include <string.h>

#include "core/bytes.h"
#include "core/text.h"

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

/* Called for each trunk and each leaf in list order, a trunk before its leaves; false ends the
 * walk. */
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
        assert(left < image->page_count);
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

void mc_pages_freelist_leaves(const mc_image *image,
                              void (*visit)(void *context, uint32_t page_number), void *context)
{
    leaf_visitor visitor = {.visit = visit, .context = context};
    freelist_walk(image, visit_leaf, &visitor);
}

/* ---- claims ---- */

typedef struct walk {
    const mc_image *image;
    mc_arena *arena;
    mc_page_info *info;
    uint8_t *claimed;      /* one per page */
    uint32_t *queue;       /* b-tree pages in the order they were claimed */
    uint32_t queue_end;    /* <= page_count */
    uint32_t usable;       /* bytes */
    uint64_t names_budget; /* overflow pages that may still be read for schema rows */
} walk;

/* False when there is no such page, or something else came first. */
static bool claim(walk *w, uint32_t page_number, mc_page_role role, uint32_t parent,
                  const char *owner)
{
    if (page_number == 0 || page_number > w->image->page_count || w->claimed[page_number - 1]) {
        return false;
    }
    w->claimed[page_number - 1] = 1;
    w->info[page_number - 1] =
        (mc_page_info){.role = (uint8_t)role, .parent = parent, .owner = owner};
    return true;
}

/* `role` is what is known before the page is read. */
static bool claim_tree_page(walk *w, uint32_t page_number, mc_page_role role, uint32_t parent,
                            const char *owner)
{
    if (!claim(w, page_number, role, parent, owner)) {
        return false;
    }
    assert(w->queue_end < w->image->page_count);
    w->queue[w->queue_end++] = page_number;
    return true;
}

/* Where pages lie that no pointer leads to (fileformat2 1.8; btree.c ptrmapPageno). */
static void claim_fixed_pages(walk *w)
{
    uint32_t page_count = w->image->page_count;
    uint32_t lock_byte = mc_lock_byte_page(w->image->page_size);
    claim(w, lock_byte, MC_ROLE_LOCK_BYTE, 0, NULL);
    if (mc_bytes_get_be32(w->image->page[0] + AT_LARGEST_ROOT) == 0) {
        return;
    }
    uint32_t stride = w->usable / 5 + 1;
    for (uint64_t map = 2; map <= page_count; map += stride) {
        claim(w, (uint32_t)(map == lock_byte ? map + 1 : map), MC_ROLE_POINTER_MAP, 0, NULL);
    }
}

static bool claim_freelist_page(void *context, uint32_t page_number, uint32_t parent, bool is_trunk)
{
    claim(context, page_number, is_trunk ? MC_ROLE_FREELIST_TRUNK : MC_ROLE_FREELIST_LEAF, parent,
          NULL);
    return true;
}

/* ---- b-tree pages ---- */

typedef enum tree_type {
    TREE_INDEX_INTERIOR = 2,
    TREE_TABLE_INTERIOR = 5,
    TREE_INDEX_LEAF = 10,
    TREE_TABLE_LEAF = 13
} tree_type;

typedef struct tree_page {
    uint32_t number;
    const uint8_t *data;
    uint32_t header;     /* offset of the b-tree header: 100 on page 1 */
    uint32_t cells;      /* offset of the cell pointers */
    uint32_t cell_count; /* whose pointers lie inside the usable size */
    bool is_table;
    bool is_leaf;
} tree_page;

/* One cell, its payload still where it lies. */
typedef struct tree_cell {
    uint64_t payload_size; /* 0 for an interior table cell */
    uint32_t child;        /* 0 on a leaf */
    const uint8_t *local;
    uint32_t local_size;
    uint32_t overflow; /* first page of the rest; 0: none */
} tree_cell;

/* False when the page is not of a b-tree. */
static bool tree_page_read(const walk *w, uint32_t page_number, tree_page *out)
{
    const uint8_t *data = w->image->page[page_number - 1];
    uint32_t header = page_number == 1 ? HEADER_BYTES : 0;
    uint8_t type = data[header];
    if (type != TREE_INDEX_INTERIOR && type != TREE_TABLE_INTERIOR && type != TREE_INDEX_LEAF &&
        type != TREE_TABLE_LEAF) {
        return false;
    }
    bool is_leaf = type == TREE_INDEX_LEAF || type == TREE_TABLE_LEAF;
    uint32_t cells = header + (is_leaf ? 8 : 12);
    uint32_t cell_count = mc_bytes_get_be16(data + header + 3);
    uint32_t cell_count_max = (w->usable - cells) / 2;
    *out = (tree_page){
        .number = page_number,
        .data = data,
        .header = header,
        .cells = cells,
        .cell_count = cell_count < cell_count_max ? cell_count : cell_count_max,
        .is_table = type == TREE_TABLE_INTERIOR || type == TREE_TABLE_LEAF,
        .is_leaf = is_leaf,
    };
    return true;
}

static mc_page_role tree_page_role(const tree_page *page)
{
    if (page->is_table) {
        return page->is_leaf ? MC_ROLE_TABLE_LEAF : MC_ROLE_TABLE_INTERIOR;
    }
    return page->is_leaf ? MC_ROLE_INDEX_LEAF : MC_ROLE_INDEX_INTERIOR;
}

/* SQLite's own varint: big-endian groups of seven bits, a ninth byte counts whole
 * (fileformat2 1.6). */
static uint64_t read_varint(mc_reader *reader)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        uint8_t byte = mc_reader_u8(reader);
        value = (value << 7) | (byte & 0x7fu);
        if ((byte & 0x80u) == 0) {
            return value;
        }
    }
    return (value << 8) | mc_reader_u8(reader);
}

/* How much of a payload stays in its cell (fileformat2 1.6, U, X, M and K there). */
static uint32_t local_bytes(const walk *w, const tree_page *page, uint64_t payload_size)
{
    uint32_t usable = w->usable;
    uint32_t most = page->is_table ? usable - 35 : (usable - 12) * 64 / 255 - 23;
    if (payload_size <= most) {
        return (uint32_t)payload_size;
    }
    uint32_t least = (usable - 12) * 32 / 255 - 23;
    uint32_t fitting = least + (uint32_t)((payload_size - least) % (usable - 4));
    return fitting <= most ? fitting : least;
}

/* False when the cell does not lie inside the page. */
static bool cell_read(const walk *w, const tree_page *page, uint32_t index, tree_cell *out)
{
    assert(index < page->cell_count);
    *out = (tree_cell){0};
    mc_reader reader = mc_reader_init(page->data, w->usable);
    mc_reader_seek(&reader, mc_bytes_get_be16(page->data + page->cells + (size_t)2 * index));
    if (!page->is_leaf) {
        out->child = mc_reader_be32(&reader);
        if (page->is_table) {
            return !reader.failed;
        }
    }
    out->payload_size = read_varint(&reader);
    if (page->is_table) {
        (void)read_varint(&reader); /* the rowid */
    }
    out->local_size = local_bytes(w, page, out->payload_size);
    out->local = mc_reader_take(&reader, out->local_size);
    if (out->local_size < out->payload_size) {
        out->overflow = mc_reader_be32(&reader);
    }
    return !reader.failed;
}

/* Exactly as many pages as the payload needs; the last one's pointer has no meaning. */
static void claim_overflow_chain(walk *w, const tree_cell *cell, uint32_t parent, const char *owner)
{
    uint32_t page_number = cell->overflow;
    uint64_t done = cell->local_size;
    while (done < cell->payload_size && claim(w, page_number, MC_ROLE_OVERFLOW, parent, owner)) {
        done += w->usable - 4;
        parent = page_number;
        page_number = mc_bytes_get_be32(w->image->page[page_number - 1]);
    }
}

/* Names the page's role and claims what it points to. */
static void walk_tree_page(walk *w, uint32_t page_number, bool tree_is_table)
{
    mc_page_info *info = &w->info[page_number - 1];
    tree_page page;
    if (!tree_page_read(w, page_number, &page) || page.is_table != tree_is_table) {
        return;
    }
    mc_page_role child_role = MC_ROLE_SCHEMA;
    if (info->role != MC_ROLE_SCHEMA) {
        info->role = (uint8_t)tree_page_role(&page);
        child_role = MC_ROLE_UNKNOWN;
    }
    for (uint32_t i = 0; i < page.cell_count; i++) {
        tree_cell cell;
        if (!cell_read(w, &page, i, &cell)) {
            continue;
        }
        if (!page.is_leaf) {
            claim_tree_page(w, cell.child, child_role, page_number, info->owner);
        }
        claim_overflow_chain(w, &cell, page_number, info->owner);
    }
    if (!page.is_leaf) {
        claim_tree_page(w, mc_bytes_get_be32(page.data + page.header + 8), child_role, page_number,
                        info->owner);
    }
}

/* The whole tree of a root that has just been claimed. */
static void walk_tree(walk *w, uint32_t root)
{
    assert(w->queue_end > 0 && w->queue[w->queue_end - 1] == root);
    tree_page page;
    if (!tree_page_read(w, root, &page)) {
        return;
    }
    for (uint32_t at = w->queue_end - 1; at < w->queue_end; at++) {
        walk_tree_page(w, w->queue[at], page.is_table);
    }
}

/* ---- sqlite_schema ---- */

enum {
    SCHEMA_HEADER_BYTES_MAX = 54, /* the header's size and five serial types, nine bytes each */
    SCHEMA_ROW_BYTES_MAX = 0x7fffffff, /* SQLite's own limit for a row */
    NAME_BYTES_MAX = 1024              /* a longer name is cut: it is for people to read */
};

/* Where the row (type, name, tbl_name, rootpage, sql) has what the walk needs. */
typedef struct schema_row {
    uint64_t name_offset; /* in the payload */
    uint64_t name_size;   /* bytes; 0: no text */
    uint64_t root;        /* 0: the object has no pages, as a view or a trigger */
} schema_row;

/* Bytes [offset, offset + size) of a cell's payload, which must lie inside it. */
static bool payload_copy(walk *w, const tree_cell *cell, uint64_t offset, uint8_t *out,
                         uint64_t size)
{
    assert(offset + size <= cell->payload_size);
    const uint8_t *from = cell->local;
    uint64_t from_size = cell->local_size;
    uint32_t next = cell->overflow;
    while (size > 0) {
        if (offset < from_size) {
            uint64_t part = from_size - offset < size ? from_size - offset : size;
            memcpy(out, from + offset, part);
            out += part;
            size -= part;
            offset += part;
        } else if (next == 0 || next > w->image->page_count || w->names_budget == 0) {
            return false;
        } else {
            w->names_budget--;
            offset -= from_size;
            from = w->image->page[next - 1] + 4;
            from_size = w->usable - 4;
            next = mc_bytes_get_be32(from - 4);
        }
    }
    return true;
}

/* Bytes of a value with this serial type (fileformat2 2.1). */
static uint64_t value_bytes(uint64_t serial_type)
{
    static const uint8_t small[12] = {0, 1, 2, 3, 4, 6, 8, 8};
    return serial_type < 12 ? small[serial_type] : (serial_type - 12) / 2;
}

/* The integer with this serial type; 0 when it is not one, or negative. */
static bool read_root(walk *w, const tree_cell *cell, uint64_t offset, uint64_t serial_type,
                      uint64_t *out)
{
    *out = serial_type == 9 ? 1 : 0;
    if (serial_type < 1 || serial_type > 6) {
        return true;
    }
    uint8_t bytes[8];
    uint64_t size = value_bytes(serial_type);
    if (!payload_copy(w, cell, offset, bytes, size)) {
        return false;
    }
    if ((bytes[0] & 0x80u) == 0) {
        for (uint64_t i = 0; i < size; i++) {
            *out = *out << 8 | bytes[i];
        }
    }
    return true;
}

static bool schema_row_read(walk *w, const tree_cell *cell, schema_row *out)
{
    if (cell->payload_size > SCHEMA_ROW_BYTES_MAX) {
        return false;
    }
    uint8_t header[SCHEMA_HEADER_BYTES_MAX];
    uint64_t header_size = cell->payload_size < sizeof header ? cell->payload_size : sizeof header;
    if (!payload_copy(w, cell, 0, header, header_size)) {
        return false;
    }
    mc_reader reader = mc_reader_init(header, header_size);
    uint64_t offset[5];
    uint64_t type[4];
    offset[0] = read_varint(&reader);
    if (offset[0] > cell->payload_size) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        type[i] = read_varint(&reader);
        uint64_t size = value_bytes(type[i]);
        if (reader.failed || size > cell->payload_size - offset[i]) {
            return false;
        }
        offset[i + 1] = offset[i] + size;
    }
    bool has_name = type[1] >= 13 && type[1] % 2 == 1;
    out->name_offset = offset[1];
    out->name_size = has_name ? offset[2] - offset[1] : 0;
    return read_root(w, cell, offset[3], type[3], &out->root);
}

/* Null without memory; an empty name when the bytes cannot be reached. */
static const char *read_name(walk *w, const tree_cell *cell, const schema_row *row)
{
    uint8_t bytes[NAME_BYTES_MAX];
    uint64_t size = row->name_size < sizeof bytes ? row->name_size : sizeof bytes;
    if (!payload_copy(w, cell, row->name_offset, bytes, size)) {
        size = 0;
    }
    uint32_t encoding = mc_bytes_get_be32(w->image->page[0] + AT_TEXT_ENCODING);
    return mc_text_utf8(w->arena, (mc_bytes){.data = bytes, .size = size}, encoding);
}

/* Claims and walks the trees that the rows of one schema leaf name. False without memory. */
static bool walk_schema_rows(walk *w, uint32_t page_number)
{
    tree_page page;
    if (!tree_page_read(w, page_number, &page) || !page.is_table || !page.is_leaf) {
        return true;
    }
    for (uint32_t i = 0; i < page.cell_count; i++) {
        tree_cell cell;
        schema_row row;
        if (!cell_read(w, &page, i, &cell) || !schema_row_read(w, &cell, &row) ||
            row.root > w->image->page_count ||
            !claim_tree_page(w, (uint32_t)row.root, MC_ROLE_UNKNOWN, page_number, NULL)) {
            continue;
        }
        const char *name = read_name(w, &cell, &row);
        if (name == NULL) {
            return false;
        }
        w->info[row.root - 1].owner = name[0] == '\0' ? NULL : name;
        walk_tree(w, (uint32_t)row.root);
    }
    return true;
}

mc_status mc_pages_walk(const mc_image *image, mc_arena *arena, mc_page_info *info, mc_error *error)
{
    uint32_t page_count = image->page_count;
    if (page_count == 0) {
        return MC_OK;
    }
    assert(image->page_size >= MC_PAGE_SIZE_MIN && image->page_size <= MC_PAGE_SIZE_MAX);
    memset(info, 0, page_count * sizeof *info);
    walk w = {
        .image = image,
        .arena = arena,
        .info = info,
        .claimed = mc_arena_calloc(arena, page_count, sizeof *w.claimed),
        .queue = mc_arena_calloc(arena, page_count, sizeof *w.queue),
        .usable = usable_bytes(image),
        .names_budget =
            3 * (uint64_t)page_count, /* header, root and name; each once in sound ones */
    };
    if (w.claimed == NULL || w.queue == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "no memory to walk %u pages", page_count);
    }
    claim_tree_page(&w, 1, MC_ROLE_SCHEMA, 0, "sqlite_schema");
    if (w.usable < USABLE_MIN) {
        return MC_OK;
    }
    claim_fixed_pages(&w);
    walk_tree(&w, 1);
    for (uint32_t at = 0, schema_end = w.queue_end; at < schema_end; at++) {
        if (!walk_schema_rows(&w, w.queue[at])) {
            return mc_fail(error, MC_NO_MEMORY, "no-memory", "no memory for the names of %u pages",
                           page_count);
        }
    }
    freelist_walk(image, claim_freelist_page, &w);
    return MC_OK;
}

const char *mc_page_role_name(mc_page_role role)
{
    static const char *const name[MC_ROLES] = {
        [MC_ROLE_UNKNOWN] = "unknown",
        [MC_ROLE_SCHEMA] = "schema",
        [MC_ROLE_TABLE_LEAF] = "table leaf",
        [MC_ROLE_TABLE_INTERIOR] = "table interior",
        [MC_ROLE_INDEX_LEAF] = "index leaf",
        [MC_ROLE_INDEX_INTERIOR] = "index interior",
        [MC_ROLE_OVERFLOW] = "overflow",
        [MC_ROLE_FREELIST_TRUNK] = "freelist trunk",
        [MC_ROLE_FREELIST_LEAF] = "freelist leaf",
        [MC_ROLE_POINTER_MAP] = "pointer map",
        [MC_ROLE_LOCK_BYTE] = "lock byte",
    };
    assert(role < MC_ROLES);
    return name[role];
}
