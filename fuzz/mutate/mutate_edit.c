#include "fuzz/mutate/mutate_edit.h"

#include <assert.h>
#include <string.h>

#include "core/bytes.h"
#include "core/dbheader.h"
#include "core/image.h"
#include "core/wal.h"

uint64_t mc_edit_step(uint64_t *random)
{
    uint64_t x = *random += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

uint32_t mc_edit_below(mc_edit *edit, size_t n)
{
    assert(n > 0 && n <= UINT32_MAX);
    return (uint32_t)(((mc_edit_step(edit->random) >> 32) * n) >> 32);
}

bool mc_edit_one_in(mc_edit *edit, uint32_t n)
{
    return mc_edit_below(edit, n) == 0;
}

uint32_t mc_edit_border(mc_edit *edit, uint32_t old, uint32_t natural, uint32_t bits)
{
    uint32_t all = UINT32_MAX >> (32 - bits);
    uint32_t value = natural;
    switch (mc_edit_below(edit, 13)) {
    case 0:
        value = 0;
        break;
    case 1:
        value = 1;
        break;
    case 2:
        value = old + 1;
        break;
    case 3:
        value = old - 1;
        break;
    case 4:
        break;
    case 5:
        value = natural + 1;
        break;
    case 6:
        value = natural - 1;
        break;
    case 7:
        value = all;
        break;
    case 8:
        value = (all >> 1) + mc_edit_below(edit, 2);
        break;
    case 9:
        value = (1u << mc_edit_below(edit, bits)) - mc_edit_below(edit, 2);
        break;
    case 10:
        value = old ^ 1u << mc_edit_below(edit, bits);
        break;
    case 11:
        value = (uint32_t)mc_edit_step(edit->random);
        break;
    default:
        value = natural < UINT32_MAX - 1 ? mc_edit_below(edit, (size_t)natural + 2) : natural;
        break;
    }
    return value & all;
}

uint32_t mc_edit_power(mc_edit *edit, uint32_t least, uint32_t most)
{
    uint32_t value = 1u << (least + mc_edit_below(edit, most - least + 1));
    return mc_edit_one_in(edit, 8) ? value - 1 + 2 * mc_edit_below(edit, 2) : value;
}

bool mc_edit_splice(mc_edit *edit, size_t at, size_t removed, const void *bytes, size_t added)
{
    assert(at <= edit->size && removed <= edit->size - at);
    size_t behind = at + removed;
    if (added > removed && added - removed > edit->capacity - edit->size) {
        return false;
    }
    memmove(edit->data + at + added, edit->data + behind, edit->size - behind);
    if (bytes != NULL) {
        memcpy(edit->data + at, bytes, added);
    } else {
        memset(edit->data + at, 0, added);
    }
    edit->size = edit->size - removed + added;
    return true;
}

void mc_edit_field(mc_edit *edit, size_t at, uint32_t width, uint32_t natural)
{
    assert(at + width <= edit->size);
    uint8_t *p = edit->data + at;
    uint32_t old = width == 1 ? *p : width == 2 ? mc_bytes_get_be16(p) : mc_bytes_get_be32(p);
    uint32_t value = mc_edit_border(edit, old, natural, width * 8);
    if (width == 1) {
        *p = (uint8_t)value;
    } else if (width == 2) {
        mc_bytes_put_be16(p, (uint16_t)value);
    } else {
        mc_bytes_put_be32(p, value);
    }
}

bool mc_edit_leaf(mc_edit *edit, size_t at, size_t size)
{
    assert(at + size <= edit->size);
    if (size == 0) {
        return false;
    }
    (void)edit->leaf(edit->data + at, size, size);
    return true;
}

/* Near a multiple of the unit, of 512 or of nothing, at most `most`. */
static size_t interesting(mc_edit *edit, size_t unit, size_t most)
{
    if (mc_edit_one_in(edit, 8)) {
        return mc_edit_below(edit, most + 1);
    }
    size_t grain = unit == 0 || mc_edit_one_in(edit, 4) ? 512 : unit;
    size_t at = mc_edit_below(edit, most / grain + 1) * grain;
    if (mc_edit_one_in(edit, 3)) {
        return at > 0 && mc_edit_one_in(edit, 2) ? at - 1 : at < most ? at + 1 : at;
    }
    return at;
}

bool mc_edit_cut(mc_edit *edit, size_t unit)
{
    if (edit->size == 0) {
        return false;
    }
    edit->size = mc_edit_one_in(edit, 4) ? edit->size - 1 : interesting(edit, unit, edit->size - 1);
    return true;
}

bool mc_edit_grow(mc_edit *edit, size_t unit)
{
    size_t most = 2 * unit + 512;
    size_t room = edit->capacity - edit->size;
    most = most < room ? most : room;
    if (most == 0) {
        return false;
    }
    size_t target = mc_edit_one_in(edit, 2) && unit > 0
                        ? (edit->size / unit + 1) * unit - edit->size
                        : interesting(edit, unit, most);
    size_t added = target == 0 ? 1 : target < most ? target : most;
    size_t from = edit->size >= added && mc_edit_one_in(edit, 2) ? edit->size - added : edit->size;
    bool copies = from < edit->size; /* the end once more, not zeros */
    bool grown = mc_edit_splice(edit, edit->size, 0, NULL, added);
    assert(grown);
    if (copies) {
        memcpy(edit->data + edit->size - added, edit->data + from, added);
    }
    return grown;
}

static size_t unit_at(mc_units units, size_t index)
{
    return units.at + index * units.bytes;
}

/* Two different ones. */
static bool pick_two(mc_edit *edit, mc_units units, size_t *a, size_t *b)
{
    if (units.count < 2) {
        return false;
    }
    size_t first = mc_edit_below(edit, units.count);
    size_t second = mc_edit_below(edit, units.count - 1);
    *a = unit_at(units, first);
    *b = unit_at(units, second >= first ? second + 1 : second);
    return true;
}

bool mc_units_swap(mc_edit *edit, mc_units units)
{
    size_t a, b;
    if (!pick_two(edit, units, &a, &b)) {
        return false;
    }
    for (size_t i = 0; i < units.bytes; i++) {
        uint8_t byte = edit->data[a + i];
        edit->data[a + i] = edit->data[b + i];
        edit->data[b + i] = byte;
    }
    return true;
}

bool mc_units_copy(mc_edit *edit, mc_units units)
{
    size_t a, b;
    if (!pick_two(edit, units, &a, &b)) {
        return false;
    }
    memcpy(edit->data + a, edit->data + b, units.bytes);
    return true;
}

bool mc_units_duplicate(mc_edit *edit, mc_units units)
{
    if (units.count == 0) {
        return false;
    }
    size_t from = unit_at(units, mc_edit_below(edit, units.count));
    size_t to = mc_edit_one_in(edit, 2) ? unit_at(units, units.count)
                                        : unit_at(units, mc_edit_below(edit, units.count + 1));
    if (!mc_edit_splice(edit, to, 0, NULL, units.bytes)) {
        return false;
    }
    memcpy(edit->data + to, edit->data + (from >= to ? from + units.bytes : from), units.bytes);
    return true;
}

bool mc_units_delete(mc_edit *edit, mc_units units)
{
    return units.count > 0 && mc_edit_splice(edit, unit_at(units, mc_edit_below(edit, units.count)),
                                             units.bytes, NULL, 0);
}

bool mc_units_insert(mc_edit *edit, mc_units units, const void *unit)
{
    size_t at = unit_at(units, mc_edit_below(edit, units.count + 1));
    return mc_edit_splice(edit, at, 0, unit, units.bytes);
}

uint32_t mc_edit_page_size(const mc_edit *edit)
{
    const mc_piece *main = mc_pieces_find(edit->other, edit->other_count, MC_PIECE_MAIN);
    return mc_dbheader_assumed_page_size(main != NULL ? main->data : NULL,
                                         main != NULL ? main->size : 0);
}

uint32_t mc_edit_main_pages(const mc_edit *edit, uint32_t page_size)
{
    const mc_piece *main = mc_pieces_find(edit->other, edit->other_count, MC_PIECE_MAIN);
    return main != NULL ? main->size / page_size : 0;
}

static const uint8_t *page_of_main(mc_edit *edit, const mc_piece *file, uint32_t page_size,
                                   uint32_t *number)
{
    uint32_t pages = file->size / page_size;
    if (pages == 0) {
        return NULL;
    }
    *number = mc_edit_below(edit, pages) + 1;
    return file->data + (size_t)(*number - 1) * page_size;
}

static const uint8_t *page_of_journal(mc_edit *edit, const mc_piece *file, uint32_t page_size,
                                      uint32_t *number)
{
    mc_segment segment = {.page_size = page_size};
    if (!mc_segment_next(file->data, file->size, &segment) || segment.page_size != page_size ||
        segment.record.count == 0) {
        return NULL;
    }
    const uint8_t *record =
        file->data + unit_at(segment.record, mc_edit_below(edit, segment.record.count));
    *number = mc_bytes_get_be32(record);
    return record + 4;
}

static const uint8_t *page_of_wal(mc_edit *edit, const mc_piece *file, uint32_t page_size,
                                  uint32_t *number)
{
    mc_units frames = mc_frames_of(file->data, file->size);
    if (frames.count == 0 || frames.bytes != MC_WAL_FRAME_HEADER_BYTES + (size_t)page_size) {
        return NULL;
    }
    const uint8_t *frame = file->data + unit_at(frames, mc_edit_below(edit, frames.count));
    *number = mc_bytes_get_be32(frame);
    return frame + MC_WAL_FRAME_HEADER_BYTES;
}

const uint8_t *mc_edit_page(mc_edit *edit, uint8_t but, uint32_t page_size, uint32_t *number)
{
    size_t first = edit->other_count > 0 ? mc_edit_below(edit, edit->other_count) : 0;
    for (size_t i = 0; i < edit->other_count; i++) {
        const mc_piece *file = &edit->other[(first + i) % edit->other_count];
        const uint8_t *page = NULL;
        if (file->tag == but) {
            continue;
        }
        if (file->tag == MC_PIECE_MAIN) {
            page = page_of_main(edit, file, page_size, number);
        } else if (file->tag == MC_PIECE_JOURNAL) {
            page = page_of_journal(edit, file, page_size, number);
        } else if (file->tag == MC_PIECE_WAL) {
            page = page_of_wal(edit, file, page_size, number);
        }
        if (page != NULL) {
            return page;
        }
    }
    return NULL;
}
