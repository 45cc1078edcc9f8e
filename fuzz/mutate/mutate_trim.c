/* mutate_trim.c: shorter inputs that may do the same. One walk goes through all candidates in their
 * order; it counts them, or makes the one that is asked for. */
#include "fuzz/mutate/mutate_edit.h"

#include <string.h>

#include "core/bytes.h"
#include "core/dbheader.h"
#include "core/wal.h"

enum { SINGLES_MAX = 256, RAW_PARTS_MAX = 64 };

typedef struct trim {
    const uint8_t *data;
    size_t size;
    uint8_t *out; /* null: only counts */
    uint32_t step;
    uint32_t steps; /* passed so far */
    size_t made;    /* size of the candidate, when its step came */
} trim;

/* True when the candidate that comes next is the one to be made. */
static bool is_wanted(trim *t)
{
    return t->steps++ == t->step && t->out != NULL;
}

/* The input without the bytes from..from+size, as an edit of `out`. */
static mc_edit without(trim *t, size_t from, size_t size)
{
    memcpy(t->out, t->data, t->size);
    mc_edit edit = {.data = t->out, .size = t->size, .capacity = t->size};
    (void)mc_edit_splice(&edit, from, size, NULL, 0);
    t->made = edit.size;
    return edit;
}

static mc_edit piece_without(trim *t, const mc_piece *p, size_t from, size_t size)
{
    size_t at = (size_t)(p->data - t->data);
    mc_edit edit = without(t, at + from, size);
    mc_bytes_put_le32(edit.data + at - MC_PIECE_HEADER_BYTES,
                      (uint32_t)(p->size - size) << 8 | p->tag);
    edit.data += at;
    edit.size = p->size - size;
    return edit;
}

static size_t end_of(mc_units units)
{
    return units.at + units.count * units.bytes;
}

/* Frames that recovery takes, checksums and all: they are kept so. */
static size_t valid_frames(const mc_piece *p)
{
    mc_file file = {true, p->data, p->size};
    mc_wal wal;
    mc_error error = {0};
    if (mc_wal_open(&file, &wal, NULL, &error) != MC_OK || !wal.usable) {
        return 0;
    }
    mc_wal_advance(&wal, &file);
    return wal.valid_frames;
}

/* The units of a piece; of a journal the records behind its last header, at `*header`. */
static mc_units units_of(const mc_piece *p, size_t *header)
{
    if (p->tag == MC_PIECE_JOURNAL) {
        mc_segment segment = {.page_size = MC_DBHEADER_PAGE_SIZE_DEFAULT};
        while (mc_segment_next(p->data, p->size, &segment)) {
            *header = segment.header;
        }
        return segment.record;
    }
    if (p->tag == MC_PIECE_WAL) {
        return mc_frames_of(p->data, p->size);
    }
    if (p->tag == MC_PIECE_MAIN) {
        size_t page_size = mc_dbheader_assumed_page_size(p->data, p->size);
        return (mc_units){0, page_size, p->size / page_size};
    }
    return p->tag == MC_PIECE_PROGRAM ? (mc_units){0, 4, p->size / 4} : (mc_units){0, 1, p->size};
}

/* What states how many there are, or sums them up, follows. */
static void follow(mc_edit *edit, const mc_piece *p, mc_units units, size_t first, size_t header)
{
    size_t left = edit->size < end_of(units) ? (edit->size - units.at) / units.bytes : units.count;
    size_t gone = units.count - left;
    if (p->tag == MC_PIECE_WAL) {
        size_t valid = valid_frames(p);
        if (first < valid) {
            valid = first + gone < valid ? valid - gone : first;
            mc_frames_fix(edit->data, units, valid);
        }
    } else if (p->tag == MC_PIECE_JOURNAL) {
        uint8_t *count = edit->data + header + 8;
        if (mc_bytes_get_be32(count) == units.count) {
            mc_bytes_put_be32(count, (uint32_t)left);
        }
    } else if (p->tag == MC_PIECE_MAIN && edit->size >= MC_DBHEADER_BYTES) {
        uint8_t *pages = edit->data + 28;
        if (mc_bytes_get_be32(pages) == units.count) {
            mc_bytes_put_be32(pages, (uint32_t)left);
        }
    }
}

/* Runs of units from the end, halving; then each unit but pages, whose places are their numbers. */
static void walk_units(trim *t, const mc_piece *p)
{
    size_t header = 0;
    mc_units units = units_of(p, &header);
    if (units.count == 0) {
        return;
    }
    if (p->size > end_of(units) && is_wanted(t)) {
        (void)piece_without(t, p, end_of(units), p->size - end_of(units));
    }
    for (size_t run = units.count / 2; run > 0; run /= 2) {
        if (is_wanted(t)) {
            size_t from = end_of(units) - run * units.bytes;
            mc_edit edit = piece_without(t, p, from, p->size - from);
            follow(&edit, p, units, units.count - run, header);
        }
    }
    if (p->tag == MC_PIECE_MAIN || units.bytes == 1) {
        return;
    }
    for (size_t i = units.count; i > 0 && units.count - i < SINGLES_MAX; i--) {
        if (is_wanted(t)) {
            mc_edit edit = piece_without(t, p, units.at + (i - 1) * units.bytes, units.bytes);
            follow(&edit, p, units, i - 1, header);
        }
    }
}

static void walk_pieces(trim *t)
{
    static mc_piece piece[MC_PIECES_MAX];
    size_t count = mc_pieces_read(t->data, t->size, piece);
    const mc_piece *last = &piece[count - 1];
    size_t end = (size_t)(last->data - t->data) + last->size;
    if (end < t->size && is_wanted(t)) {
        (void)without(t, end, t->size - end);
    }
    for (size_t i = count; count > 1 && i > 0; i--) {
        const mc_piece *p = &piece[i - 1];
        if (is_wanted(t)) {
            (void)without(t, (size_t)(p->data - t->data) - MC_PIECE_HEADER_BYTES,
                          MC_PIECE_HEADER_BYTES + p->size);
        }
    }
    for (size_t i = 0; i < count; i++) {
        walk_units(t, &piece[i]);
    }
}

static void walk_members(trim *t)
{
    static mc_member member[MC_MEMBERS_MAX];
    size_t count = mc_members_read(t->data, t->size, member);
    for (size_t i = count; count > 1 && i > 0; i--) {
        if (is_wanted(t)) {
            (void)without(t, member[i - 1].header, member[i - 1].bytes);
        }
    }
}

/* Parts of plain bytes, from the end: the second half, the first, quarters, ... */
static void walk_raw(trim *t)
{
    for (size_t parts = 2; parts <= RAW_PARTS_MAX && t->size / parts > 0; parts *= 2) {
        size_t bytes = t->size / parts;
        for (size_t i = parts; i > 0; i--) {
            if (is_wanted(t)) {
                (void)without(t, (i - 1) * bytes, bytes);
            }
        }
    }
}

static void walk(trim *t)
{
    if (mc_mutate_is_tar(t->data, t->size)) {
        walk_members(t);
    } else if (mc_mutate_is_pieces(t->data, t->size)) {
        walk_pieces(t);
    } else {
        walk_raw(t);
    }
}

uint32_t mc_mutate_trim_steps(const uint8_t *data, size_t size)
{
    trim t = {.data = data, .size = size};
    walk(&t);
    return t.steps;
}

size_t mc_mutate_trim(const uint8_t *data, size_t size, uint32_t step, uint8_t *out)
{
    trim t = {.data = data, .size = size, .out = out, .step = step};
    walk(&t);
    return t.made;
}
