/* mutate_main.c: a main file: the database header, the headers of b-tree pages, their cells, the
 * freelist, whole pages (fileformat2 1.3, 1.5, 1.6). */
#include "fuzz/mutate/mutate_edit.h"

#include <string.h>

#include "core/bytes.h"
#include "core/dbheader.h"

enum { PAGE_SIZE_AT = 16, COUNTER_AT = 24, PAGES_AT = 28, TRUNK_AT = 32, VALID_FOR_AT = 92 };

static mc_units pages_of(const mc_edit *edit)
{
    size_t page_size = mc_dbheader_assumed_page_size(edit->data, edit->size);
    return (mc_units){0, page_size, edit->size / page_size};
}

/* The offset of a random page and of its b-tree header, behind page 1's database header. */
static bool pick_page(mc_edit *edit, mc_units *pages, size_t *page, size_t *header)
{
    *pages = pages_of(edit);
    if (pages->count == 0) {
        return false;
    }
    *page = mc_edit_below(edit, pages->count) * pages->bytes;
    *header = *page == 0 ? MC_DBHEADER_BYTES : *page;
    return true;
}

static bool header_field(mc_edit *edit)
{
    static const struct {
        uint8_t at, width;
    } field[] = {{18, 1}, {19, 1},         {20, 1},       {21, 1},           {22, 1},
                 {23, 1}, {COUNTER_AT, 4}, {PAGES_AT, 4}, {TRUNK_AT, 4},     {36, 4},
                 {40, 4}, {44, 4},         {48, 4},       {52, 4},           {56, 4},
                 {60, 4}, {64, 4},         {68, 4},       {VALID_FOR_AT, 4}, {96, 4}};
    if (edit->size < MC_DBHEADER_BYTES) {
        return false;
    }
    size_t i = mc_edit_below(edit, sizeof field / sizeof *field);
    uint32_t natural = field[i].width == 1 ? 2 : (uint32_t)pages_of(edit).count;
    mc_edit_field(edit, field[i].at, field[i].width, natural);
    return true;
}

static bool page_size(mc_edit *edit)
{
    if (edit->size < MC_DBHEADER_BYTES) {
        return false;
    }
    /* 65536 is written as 1. */
    uint32_t size = mc_edit_power(edit, 8, 16);
    mc_bytes_put_be16(edit->data + PAGE_SIZE_AT, (uint16_t)(size == 65536 ? 1 : size));
    return true;
}

/* A count that SQLite believes, since the change counter vouches for it, or else not. */
static bool page_count(mc_edit *edit)
{
    if (edit->size < MC_DBHEADER_BYTES) {
        return false;
    }
    mc_edit_field(edit, PAGES_AT, 4, (uint32_t)pages_of(edit).count);
    memcpy(edit->data + VALID_FOR_AT, edit->data + COUNTER_AT, 4);
    if (mc_edit_one_in(edit, 4)) {
        edit->data[VALID_FOR_AT + 3] ^= 1;
    }
    return true;
}

static bool tree_field(mc_edit *edit)
{
    static const struct {
        uint8_t at, width;
    } field[] = {{1, 2}, {3, 2}, {5, 2}, {7, 1}, {8, 4}};
    mc_units pages;
    size_t page, header;
    if (!pick_page(edit, &pages, &page, &header)) {
        return false;
    }
    size_t i = mc_edit_below(edit, sizeof field / sizeof *field);
    uint32_t natural = field[i].width == 4 ? (uint32_t)pages.count : (uint32_t)pages.bytes;
    mc_edit_field(edit, header + field[i].at, field[i].width, natural);
    return true;
}

static bool tree_type(mc_edit *edit)
{
    static const uint8_t types[] = {2, 5, 10, 13, 0, 1, 8, 255};
    mc_units pages;
    size_t page, header;
    if (!pick_page(edit, &pages, &page, &header)) {
        return false;
    }
    edit->data[header] = types[mc_edit_below(edit, sizeof types)];
    return true;
}

/* A random cell of the page: where its pointer stands. */
static bool pick_cell(mc_edit *edit, mc_units *pages, size_t *page, size_t *pointer)
{
    size_t header;
    if (!pick_page(edit, pages, page, &header)) {
        return false;
    }
    uint8_t type = edit->data[header];
    size_t cells = mc_bytes_get_be16(edit->data + header + 3);
    size_t first = header + (type == 2 || type == 5 ? 12 : 8);
    size_t room = (*page + pages->bytes - first) / 2;
    cells = cells < room ? cells : room;
    if (cells == 0) {
        return false;
    }
    *pointer = first + 2 * (size_t)mc_edit_below(edit, cells);
    return true;
}

static bool cell_pointer(mc_edit *edit)
{
    mc_units pages;
    size_t page, pointer;
    if (!pick_cell(edit, &pages, &page, &pointer)) {
        return false;
    }
    mc_edit_field(edit, pointer, 2, (uint32_t)pages.bytes - 4);
    return true;
}

/* The varints and the child number with which cells begin. */
static bool cell_start(mc_edit *edit)
{
    static const uint8_t bytes[] = {0, 1, 2, 0x7f, 0x80, 0x81, 0xff, 0x0d};
    mc_units pages;
    size_t page, pointer;
    if (!pick_cell(edit, &pages, &page, &pointer)) {
        return false;
    }
    size_t at = mc_bytes_get_be16(edit->data + pointer) + (size_t)mc_edit_below(edit, 8);
    if (at >= pages.bytes) {
        return false;
    }
    edit->data[page + at] = bytes[mc_edit_below(edit, sizeof bytes)];
    return true;
}

/* Makes a page the first trunk of the freelist, with a few leaves, right or nearly. */
static bool freelist(mc_edit *edit)
{
    mc_units pages;
    size_t page, header;
    if (!pick_page(edit, &pages, &page, &header) || page == 0) {
        return false;
    }
    uint32_t count = (uint32_t)pages.count;
    uint32_t leaves = mc_edit_below(edit, 4);
    mc_bytes_put_be32(edit->data + TRUNK_AT, (uint32_t)(page / pages.bytes) + 1);
    mc_bytes_put_be32(edit->data + TRUNK_AT + 4, leaves + 1);
    mc_bytes_put_be32(edit->data + page, 0);
    mc_bytes_put_be32(edit->data + page + 4, leaves);
    for (uint32_t i = 0; i < leaves; i++) {
        mc_bytes_put_be32(edit->data + page + 8 + 4 * (size_t)i, mc_edit_below(edit, count) + 1);
    }
    if (mc_edit_one_in(edit, 2)) {
        size_t at = mc_edit_below(edit, 3 + leaves);
        mc_edit_field(edit, at == 0 ? TRUNK_AT + 4 : page + 4 * (at - 1), 4, count);
    }
    return true;
}

/* The next page of an overflow chain or trunk, or an entry of a pointer map. */
static bool page_pointer(mc_edit *edit)
{
    mc_units pages;
    size_t page, header;
    if (!pick_page(edit, &pages, &page, &header) || page == 0) {
        return false;
    }
    if (mc_edit_one_in(edit, 2)) {
        mc_edit_field(edit, page, 4, (uint32_t)pages.count);
        return true;
    }
    size_t entry = page + 5 * (size_t)mc_edit_below(edit, pages.count);
    if (entry + 5 > page + pages.bytes) {
        return false;
    }
    edit->data[entry] = (uint8_t)mc_edit_below(edit, 7);
    mc_edit_field(edit, entry + 1, 4, (uint32_t)pages.count);
    return true;
}

static bool page_swap(mc_edit *edit)
{
    return mc_units_swap(edit, pages_of(edit));
}

static bool page_copy(mc_edit *edit)
{
    return mc_units_copy(edit, pages_of(edit));
}

static bool page_append(mc_edit *edit)
{
    return mc_units_duplicate(edit, pages_of(edit));
}

static bool page_delete(mc_edit *edit)
{
    mc_units pages = pages_of(edit);
    return pages.count > 1 && mc_units_delete(edit, pages);
}

static bool page_fill(mc_edit *edit)
{
    mc_units pages;
    size_t page, header;
    if (!pick_page(edit, &pages, &page, &header)) {
        return false;
    }
    size_t from =
        mc_edit_one_in(edit, 2) ? 0 : 512 * (size_t)mc_edit_below(edit, pages.bytes / 512);
    memset(edit->data + page + from, mc_edit_one_in(edit, 4) ? 0xff : 0, pages.bytes - from);
    return true;
}

static bool page_bytes(mc_edit *edit)
{
    mc_units pages;
    size_t page, header;
    return pick_page(edit, &pages, &page, &header) && mc_edit_leaf(edit, page, pages.bytes);
}

/* What a checkpoint or a rollback would have done with one page of a sidecar; perhaps misplaced. */
static bool page_from(mc_edit *edit)
{
    mc_units pages = pages_of(edit);
    uint32_t number;
    const uint8_t *page = mc_edit_page(edit, MC_PIECE_MAIN, (uint32_t)pages.bytes, &number);
    if (page == NULL || pages.count == 0) {
        return false;
    }
    if (number == 0 || number > pages.count || mc_edit_one_in(edit, 4)) {
        number = mc_edit_below(edit, pages.count) + 1;
    }
    memcpy(edit->data + (number - 1) * pages.bytes, page, pages.bytes);
    return true;
}

static bool cut(mc_edit *edit)
{
    return mc_edit_cut(edit, pages_of(edit).bytes);
}

static bool grow(mc_edit *edit)
{
    return mc_edit_grow(edit, pages_of(edit).bytes);
}

static const mc_mutation rows[] = {
    {"header: field", header_field, false},
    {"header: page size", page_size, false},
    {"header: page count", page_count, false},
    {"page: header field", tree_field, false},
    {"page: type", tree_type, false},
    {"cell: pointer", cell_pointer, false},
    {"cell: start", cell_start, false},
    {"page: freelist", freelist, false},
    {"page: pointer", page_pointer, false},
    {"page: swap", page_swap, false},
    {"page: copy", page_copy, false},
    {"page: duplicate", page_append, false},
    {"page: delete", page_delete, false},
    {"page: fill", page_fill, false},
    {"page: bytes", page_bytes, false},
    {"page: from a file beside it", page_from, false},
    {"main: cut", cut, false},
    {"main: grow", grow, false},
};

const mc_mutation_table mc_mutate_main = {MC_PIECE_MAIN, rows, sizeof rows / sizeof *rows, NULL};
