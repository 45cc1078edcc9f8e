/* mutate_cross.c: one input of two: for each kind of piece one's, the other's, or the beginning of
 * one and the end of the other, joined where units begin. */
#include "fuzz/mutate/mutate_edit.h"

#include <string.h>

#include "core/dbheader.h"
#include "core/wal.h"

static mc_units units_of(uint8_t tag, const uint8_t *data, size_t size)
{
    if (tag == MC_PIECE_MAIN) {
        size_t page_size = mc_dbheader_assumed_page_size(data, size);
        return (mc_units){0, page_size, size / page_size};
    }
    if (tag == MC_PIECE_WAL) {
        return mc_frames_of(data, size);
    }
    if (tag == MC_PIECE_JOURNAL) {
        mc_segment segment = {.page_size = MC_DBHEADER_PAGE_SIZE_DEFAULT};
        return mc_segment_next(data, size, &segment) ? segment.record : (mc_units){0};
    }
    if (tag == MC_PIECE_PROGRAM) {
        return (mc_units){0, 4, size / 4};
    }
    return (mc_units){0, 1, size};
}

/* The frames from `at` on belong to the WAL whose header they lie behind now. */
static void adopt_frames(uint8_t *data, size_t size, size_t at)
{
    mc_units frames = mc_frames_of(data, size);
    for (; frames.bytes > 0 && at + frames.bytes <= size; at += frames.bytes) {
        memcpy(data + at + 8, data + 16, 8);
    }
}

/* The beginning of `a` and the end of `b` in the work space; returns the size. Pages keep their
 * places; frames, records and statements need not. */
static size_t join(mc_edit *edit, uint8_t tag, const mc_piece *a, const mc_piece *b)
{
    mc_units ua = units_of(tag, a->data, a->size);
    mc_units ub = units_of(tag, b->data, b->size);
    if (a->size > MC_EDIT_BYTES_MAX || ua.bytes != ub.bytes || ua.count == 0 || ub.count == 0) {
        return 0;
    }
    size_t i = mc_edit_below(edit, ua.count + 1);
    size_t j =
        tag == MC_PIECE_MAIN ? (i < ub.count ? i : ub.count) : mc_edit_below(edit, ub.count + 1);
    size_t begin = ua.at + i * ua.bytes;
    size_t from = ub.at + j * ub.bytes;
    size_t end = b->size - from;
    if (begin > MC_EDIT_BYTES_MAX || end > MC_EDIT_BYTES_MAX - begin) {
        return 0;
    }
    memcpy(mc_mutate_work, a->data, begin);
    memcpy(mc_mutate_work + begin, b->data + from, end);
    mc_edit file = *edit;
    file.data = mc_mutate_work;
    file.size = begin + end;
    file.capacity = MC_EDIT_BYTES_MAX;
    const mc_mutation_table *table = mc_mutate_table(tag);
    if (edit->right && table->fix != NULL) {
        if (tag == MC_PIECE_WAL) {
            adopt_frames(file.data, file.size, begin);
        }
        (void)table->fix(&file);
    }
    return file.size;
}

/* One of the two, or a bit of both. */
static void put(mc_edit *edit, uint8_t tag, const mc_piece *a, const mc_piece *b)
{
    const mc_piece *one = a != NULL && (b == NULL || mc_edit_one_in(edit, 2)) ? a : b;
    size_t joined = 0;
    if (a != NULL && b != NULL && mc_edit_one_in(edit, 2)) {
        joined = join(edit, tag, one, one == a ? b : a);
    }
    if (joined > 0) {
        one = &(mc_piece){tag, (uint32_t)joined, mc_mutate_work};
        (void)mc_pieces_add(edit->data, &edit->size, edit->capacity, tag, one->data, one->size);
    } else if (one != NULL) {
        (void)mc_pieces_add(edit->data, &edit->size, edit->capacity, tag, one->data, one->size);
    }
}

/* The `nth` piece of that tag, or null. */
static const mc_piece *nth_of(const mc_piece *piece, size_t count, uint8_t tag, size_t nth)
{
    for (size_t i = 0; i < count; i++) {
        if (piece[i].tag == tag && nth-- == 0) {
            return &piece[i];
        }
    }
    return NULL;
}

static void cross_pieces(mc_edit *edit, const mc_piece *a, size_t a_count, const mc_piece *b,
                         size_t b_count)
{
    static const char order[] = "OMJWULPC";
    for (const char *tag = order; *tag != '\0'; tag++) {
        const mc_piece *one, *two;
        for (size_t i = 0; one = nth_of(a, a_count, (uint8_t)*tag, i),
                    two = nth_of(b, b_count, (uint8_t)*tag, i), one != NULL || two != NULL;
             i++) {
            if ((one == NULL || two == NULL) && mc_edit_one_in(edit, 2)) {
                continue; /* what only one has may stay away */
            }
            put(edit, (uint8_t)*tag, one, two);
        }
    }
    /* Of two stores any pairs: where both have a key, one of them. */
    for (size_t i = 0; i < a_count + b_count; i++) {
        const mc_piece *one = i < a_count ? &a[i] : &b[i - a_count];
        if (one->tag == MC_PIECE_PAIR && !mc_edit_one_in(edit, 3)) {
            put(edit, one->tag, one, NULL);
        }
    }
}

/* The first members of one, the last of the other, and the two blocks of zeros that end it. */
static void cross_tar(mc_edit *edit, const uint8_t *a, size_t a_size, const uint8_t *b,
                      size_t b_size)
{
    static mc_member ma[MC_MEMBERS_MAX], mb[MC_MEMBERS_MAX];
    size_t a_count = mc_members_read(a, a_size, ma);
    size_t b_count = mc_members_read(b, b_size, mb);
    size_t i = mc_edit_below(edit, a_count + 1);
    size_t j = mc_edit_below(edit, b_count + 1);
    for (size_t k = 0; k < i; k++) {
        (void)mc_edit_splice(edit, edit->size, 0, a + ma[k].header, ma[k].bytes);
    }
    for (size_t k = j; k < b_count; k++) {
        (void)mc_edit_splice(edit, edit->size, 0, b + mb[k].header, mb[k].bytes);
    }
    if (edit->size > 0) {
        (void)mc_edit_splice(edit, edit->size, 0, NULL, (size_t)2 * MC_TAR_BLOCK_BYTES);
    }
}

static void cross_raw(mc_edit *edit, const mc_piece *a, const mc_piece *b)
{
    uint8_t tag = mc_mutate_kind_of(a->data, a->size);
    tag = tag == mc_mutate_kind_of(b->data, b->size) ? tag : 0;
    size_t joined = join(edit, tag, a, b);
    (void)mc_edit_splice(edit, 0, 0, mc_mutate_work,
                         joined < edit->capacity ? joined : edit->capacity);
}

size_t mc_mutate_cross(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                       uint8_t *out, size_t capacity, uint64_t seed)
{
    static mc_piece pa[MC_PIECES_MAX], pb[MC_PIECES_MAX];
    uint64_t random = seed;
    mc_edit edit = {.data = out, .capacity = capacity, .random = &random};
    edit.right = mc_edit_one_in(&edit, 2);
    if (a_size == 0 || b_size == 0 || a_size > UINT32_MAX || b_size > UINT32_MAX) {
        return 0;
    }
    if (mc_mutate_is_tar(a, a_size) && mc_mutate_is_tar(b, b_size)) {
        cross_tar(&edit, a, a_size, b, b_size);
    } else if (mc_mutate_is_pieces(a, a_size) && mc_mutate_is_pieces(b, b_size)) {
        cross_pieces(&edit, pa, mc_pieces_read(a, a_size, pa), pb, mc_pieces_read(b, b_size, pb));
    } else {
        cross_raw(&edit, &(mc_piece){0, (uint32_t)a_size, a}, &(mc_piece){0, (uint32_t)b_size, b});
    }
    return edit.size;
}
