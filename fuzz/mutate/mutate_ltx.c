/* mutate_ltx.c: a commit as a v2 store keeps it (core/ltx.h): fields of the header and of frames,
 * frames that come and go. The index and the footer say again what the frames say; to make them
 * right is what checksums are elsewhere. */
#include "fuzz/mutate/mutate_edit.h"

#include <string.h>

#include "core/bytes.h"

enum {
    HEADER_BYTES = 100,
    PAGE_SIZE_AT = 8,
    COMMIT_AT = 12,
    FRAME_HEADER_BYTES = 10, /* page number, flags, size of the block */
    BLOCK_SIZE_AT = 6,
    END_BYTES = 6,
    FOOTER_BYTES = 24,
    LEB128_BYTES_MAX = 10,
    FRAMES_MAX = 1024
};

/* The bytes of the frame at `at`; 0 where there is none. */
static size_t frame_bytes(const uint8_t *data, size_t size, size_t at)
{
    if (size < at || size - at < FRAME_HEADER_BYTES || mc_bytes_get_be32(data + at) == 0) {
        return 0;
    }
    size_t block = mc_bytes_get_be32(data + at + BLOCK_SIZE_AT);
    return block <= size - at - FRAME_HEADER_BYTES ? FRAME_HEADER_BYTES + block : 0;
}

/* A random frame; false when there is none. */
static bool pick(mc_edit *edit, size_t *frame, size_t *bytes)
{
    size_t count = 0;
    size_t at = HEADER_BYTES;
    size_t next;
    while (count < FRAMES_MAX && (next = frame_bytes(edit->data, edit->size, at)) > 0) {
        count++;
        if (mc_edit_one_in(edit, (uint32_t)count)) {
            *frame = at;
            *bytes = next;
        }
        at += next;
    }
    return count > 0;
}

static size_t put_leb128(uint8_t *p, size_t value)
{
    size_t size = 0;
    for (; value >= 0x80; value >>= 7) {
        p[size++] = (uint8_t)(value | 0x80);
    }
    p[size++] = (uint8_t)value;
    return size;
}

/* Writes end, index and footer behind the frames anew. */
static bool fix(mc_edit *edit)
{
    static uint8_t tail[END_BYTES + FRAMES_MAX * 3 * LEB128_BYTES_MAX + 1 + FOOTER_BYTES];
    size_t size = END_BYTES;
    size_t at = HEADER_BYTES;
    size_t next;
    if (edit->size < HEADER_BYTES) {
        return false;
    }
    for (size_t i = 0; i < FRAMES_MAX && (next = frame_bytes(edit->data, edit->size, at)) > 0;
         i++) {
        size += put_leb128(tail + size, mc_bytes_get_be32(edit->data + at));
        size += put_leb128(tail + size, at);
        size += put_leb128(tail + size, next);
        at += next;
    }
    tail[size++] = 0;
    memset(tail + size, 0, FOOTER_BYTES);
    mc_bytes_put_be64(tail + size, size - END_BYTES);
    size += FOOTER_BYTES;
    return mc_edit_splice(edit, at, edit->size - at, tail, size);
}

static bool header_field(mc_edit *edit)
{
    if (edit->size < HEADER_BYTES) {
        return false;
    }
    /* Mostly those that mean something: page size, commit, txids, time. */
    size_t field = mc_edit_one_in(edit, 4) ? mc_edit_below(edit, HEADER_BYTES / 4)
                                           : 2 + mc_edit_below(edit, 8);
    mc_edit_field(edit, 4 * field, 4, mc_bytes_get_be32(edit->data + COMMIT_AT));
    return true;
}

static bool page_size(mc_edit *edit)
{
    if (edit->size < HEADER_BYTES) {
        return false;
    }
    mc_bytes_put_be32(edit->data + PAGE_SIZE_AT, mc_edit_power(edit, 8, 17));
    return true;
}

static bool frame_field(mc_edit *edit)
{
    size_t frame, bytes;
    if (!pick(edit, &frame, &bytes)) {
        return false;
    }
    uint32_t commit = mc_bytes_get_be32(edit->data + COMMIT_AT);
    switch (mc_edit_below(edit, 4)) {
    case 0:
        mc_edit_field(edit, frame + 4, 2, 1);
        break;
    case 1:
        mc_edit_field(edit, frame + BLOCK_SIZE_AT, 4, (uint32_t)bytes - FRAME_HEADER_BYTES);
        break;
    default:
        mc_edit_field(edit, frame, 4, commit);
        break;
    }
    return true;
}

static bool frame_block(mc_edit *edit)
{
    size_t frame, bytes;
    return pick(edit, &frame, &bytes) &&
           mc_edit_leaf(edit, frame + FRAME_HEADER_BYTES, bytes - FRAME_HEADER_BYTES);
}

static bool frame_delete(mc_edit *edit)
{
    size_t frame, bytes;
    return pick(edit, &frame, &bytes) && mc_edit_splice(edit, frame, bytes, NULL, 0);
}

/* Once more behind itself, under the next number most of the time. */
static bool frame_duplicate(mc_edit *edit)
{
    size_t frame, bytes;
    if (!pick(edit, &frame, &bytes) || !mc_edit_splice(edit, frame, 0, NULL, bytes)) {
        return false;
    }
    uint8_t *second = edit->data + frame + bytes;
    memcpy(edit->data + frame, second, bytes);
    if (!mc_edit_one_in(edit, 4)) {
        mc_bytes_put_be32(second, mc_bytes_get_be32(second) + 1);
    }
    return true;
}

/* The index and the footer, byte by byte. */
static bool tail_byte(mc_edit *edit)
{
    size_t at = HEADER_BYTES;
    size_t next;
    while ((next = frame_bytes(edit->data, edit->size, at)) > 0) {
        at += next;
    }
    if (at >= edit->size) {
        return false;
    }
    mc_edit_field(edit, at + mc_edit_below(edit, edit->size - at), 1, 1);
    edit->right = false; /* this is about wrong ones */
    return true;
}

static bool cut(mc_edit *edit)
{
    if (!mc_edit_cut(edit, 1)) {
        return false;
    }
    edit->right = false; /* this is about missing ones */
    return true;
}

static const mc_mutation rows[] = {
    {"ltx header: field", header_field, false}, {"ltx header: page size", page_size, false},
    {"ltx frame: field", frame_field, false},   {"ltx frame: block", frame_block, false},
    {"ltx frame: delete", frame_delete, false}, {"ltx frame: duplicate", frame_duplicate, false},
    {"ltx: index", tail_byte, false},           {"ltx: cut", cut, false},
};

const mc_mutation_table mc_mutate_ltx = {MC_PIECE_LTX, rows, sizeof rows / sizeof *rows, fix};
