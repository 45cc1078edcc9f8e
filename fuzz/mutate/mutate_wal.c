/* mutate_wal.c: a write-ahead log: its header and its frames (core/wal.h and fileformat2 4 say what
 * they are). */
#include "fuzz/mutate/mutate_edit.h"

#include <string.h>

#include "core/bytes.h"
#include "core/image.h"
#include "core/wal.h"

enum {
    VERSION_AT = 4,
    PAGE_SIZE_AT = 8,
    SALT_AT = 16,
    HEADER_SUM_AT = 24,
    COMMIT_AT = 4,
    FRAME_SALT_AT = 8,
    FRAME_SUM_AT = 16,
    FRAME_SUMMED_BYTES = 8
};

mc_units mc_frames_of(const uint8_t *data, size_t size)
{
    if (size < MC_WAL_HEADER_BYTES) {
        return (mc_units){0};
    }
    uint32_t page_size = mc_bytes_get_be32(data + PAGE_SIZE_AT);
    if (page_size < MC_PAGE_SIZE_MIN || page_size > MC_PAGE_SIZE_MAX ||
        (page_size & (page_size - 1)) != 0) {
        return (mc_units){0};
    }
    size_t bytes = MC_WAL_FRAME_HEADER_BYTES + (size_t)page_size;
    return (mc_units){MC_WAL_HEADER_BYTES, bytes, (size - MC_WAL_HEADER_BYTES) / bytes};
}

static void put_sum(uint8_t *p, const uint32_t sum[2])
{
    mc_bytes_put_be32(p, sum[0]);
    mc_bytes_put_be32(p + 4, sum[1]);
}

void mc_frames_fix(uint8_t *data, mc_units frames, size_t count)
{
    bool big_endian = (data[3] & 1) != 0;
    uint32_t sum[2] = {0, 0};
    mc_wal_checksum(big_endian, data, HEADER_SUM_AT, sum);
    put_sum(data + HEADER_SUM_AT, sum);
    for (size_t i = 0; i < count; i++) {
        uint8_t *frame = data + frames.at + i * frames.bytes;
        mc_wal_checksum(big_endian, frame, FRAME_SUMMED_BYTES, sum);
        mc_wal_checksum(big_endian, frame + MC_WAL_FRAME_HEADER_BYTES,
                        frames.bytes - MC_WAL_FRAME_HEADER_BYTES, sum);
        put_sum(frame + FRAME_SUM_AT, sum);
    }
}

static bool fix(mc_edit *edit)
{
    if (edit->size < MC_WAL_HEADER_BYTES) {
        return false;
    }
    mc_units frames = mc_frames_of(edit->data, edit->size);
    mc_frames_fix(edit->data, frames, frames.count);
    return true;
}

static bool pick_frame(mc_edit *edit, mc_units *frames, size_t *frame)
{
    *frames = mc_frames_of(edit->data, edit->size);
    if (frames->count == 0) {
        return false;
    }
    *frame = frames->at + frames->bytes * (size_t)mc_edit_below(edit, frames->count);
    return true;
}

static uint32_t page_size_of(mc_units frames)
{
    return (uint32_t)frames.bytes - MC_WAL_FRAME_HEADER_BYTES;
}

static uint32_t main_pages(const mc_edit *edit, mc_units frames)
{
    return mc_edit_main_pages(edit, page_size_of(frames));
}

static bool header_field(mc_edit *edit)
{
    if (edit->size < MC_WAL_HEADER_BYTES) {
        return false;
    }
    uint32_t field = mc_edit_below(edit, 6); /* version, page size, sequence, salts, first sum */
    uint32_t natural = mc_bytes_get_be32(edit->data + VERSION_AT + 4 * field);
    if (field == 1) {
        mc_bytes_put_be32(edit->data + PAGE_SIZE_AT, mc_edit_one_in(edit, 4)
                                                         ? mc_edit_page_size(edit)
                                                         : mc_edit_power(edit, 8, 17));
    } else {
        mc_edit_field(edit, VERSION_AT + 4 * field, 4, field == 0 ? MC_WAL_VERSION : natural);
    }
    return true;
}

/* Another byte order for all checksums, or a magic that is none. */
static bool header_magic(mc_edit *edit)
{
    if (edit->size < MC_WAL_HEADER_BYTES) {
        return false;
    }
    uint32_t magic = MC_WAL_MAGIC | mc_edit_below(edit, 2);
    if (mc_edit_one_in(edit, 4)) {
        magic ^= 1u << mc_edit_below(edit, 32);
    }
    if (magic == mc_bytes_get_be32(edit->data)) {
        magic ^= 1;
    }
    mc_bytes_put_be32(edit->data, magic);
    return true;
}

static bool frame_number(mc_edit *edit)
{
    mc_units frames;
    size_t frame;
    if (!pick_frame(edit, &frames, &frame)) {
        return false;
    }
    uint32_t natural = mc_edit_one_in(edit, 8) ? mc_lock_byte_page(page_size_of(frames))
                                               : main_pages(edit, frames);
    mc_edit_field(edit, frame, 4, natural);
    return true;
}

/* Ends a transaction here, or takes its end away, or makes the database longer or shorter. */
static bool frame_commit(mc_edit *edit)
{
    mc_units frames;
    size_t frame;
    if (!pick_frame(edit, &frames, &frame)) {
        return false;
    }
    if (mc_edit_one_in(edit, 3)) {
        bool commits = mc_bytes_get_be32(edit->data + frame + COMMIT_AT) != 0;
        mc_bytes_put_be32(edit->data + frame + COMMIT_AT, commits ? 0 : main_pages(edit, frames));
    } else {
        mc_edit_field(edit, frame + COMMIT_AT, 4, main_pages(edit, frames));
    }
    return true;
}

static bool frame_salt(mc_edit *edit)
{
    mc_units frames;
    size_t frame;
    if (!pick_frame(edit, &frames, &frame)) {
        return false;
    }
    size_t at = frame + FRAME_SALT_AT + 4 * (size_t)mc_edit_below(edit, 2);
    mc_edit_field(edit, at, 4, mc_bytes_get_be32(edit->data + at) ^ 0x100);
    return true;
}

/* A restarted WAL: from some frame on, or up to it, the salts of another generation. Or all the
 * header's, so that an old tail comes to life. */
static bool frame_generation(mc_edit *edit)
{
    mc_units frames;
    size_t frame;
    if (!pick_frame(edit, &frames, &frame)) {
        return false;
    }
    uint32_t step = mc_edit_below(edit, 3) - 1; /* the first salt counts restarts */
    uint8_t salt[8];
    memcpy(salt, edit->data + SALT_AT, sizeof salt);
    mc_bytes_put_be32(salt, mc_bytes_get_be32(salt) + step);
    if (step != 0) {
        mc_bytes_put_be32(salt + 4, (uint32_t)mc_edit_step(edit->random));
    }
    size_t end = frames.at + frames.count * frames.bytes;
    for (size_t at = step == 0 ? frames.at : frame; at < end; at += frames.bytes) {
        memcpy(edit->data + at + FRAME_SALT_AT, salt, sizeof salt);
    }
    return true;
}

static bool frame_checksum(mc_edit *edit)
{
    mc_units frames;
    size_t frame;
    if (!pick_frame(edit, &frames, &frame)) {
        return false;
    }
    size_t at = frame + FRAME_SUM_AT + 4 * (size_t)mc_edit_below(edit, 2);
    mc_edit_field(edit, at, 4, mc_bytes_get_be32(edit->data + at) ^ 0x100);
    edit->right = false; /* this is about wrong ones */
    return true;
}

static bool frame_bytes(mc_edit *edit)
{
    mc_units frames;
    size_t frame;
    return pick_frame(edit, &frames, &frame) &&
           mc_edit_leaf(edit, frame + MC_WAL_FRAME_HEADER_BYTES, page_size_of(frames));
}

static bool frame_swap(mc_edit *edit)
{
    return mc_units_swap(edit, mc_frames_of(edit->data, edit->size));
}

static bool frame_copy(mc_edit *edit)
{
    return mc_units_copy(edit, mc_frames_of(edit->data, edit->size));
}

static bool frame_duplicate(mc_edit *edit)
{
    return mc_units_duplicate(edit, mc_frames_of(edit->data, edit->size));
}

static bool frame_delete(mc_edit *edit)
{
    return mc_units_delete(edit, mc_frames_of(edit->data, edit->size));
}

/* Only the frame's page becomes another's. */
static bool frame_from(mc_edit *edit)
{
    mc_units frames;
    size_t frame;
    uint32_t number;
    if (!pick_frame(edit, &frames, &frame)) {
        return false;
    }
    const uint8_t *page = mc_edit_page(edit, MC_PIECE_WAL, page_size_of(frames), &number);
    if (page == NULL) {
        return false;
    }
    memcpy(edit->data + frame + MC_WAL_FRAME_HEADER_BYTES, page, page_size_of(frames));
    return true;
}

/* A new frame of a page from a file beside this one, perhaps the end of a transaction. */
static bool frame_insert(mc_edit *edit)
{
    mc_units frames = mc_frames_of(edit->data, edit->size);
    uint32_t number;
    if (frames.bytes == 0) {
        return false;
    }
    const uint8_t *page = mc_edit_page(edit, 0, page_size_of(frames), &number);
    if (page == NULL || !mc_units_insert(edit, (mc_units){frames.at, frames.bytes, 0}, NULL)) {
        return false;
    }
    uint8_t *frame = edit->data + frames.at;
    size_t before = mc_edit_below(edit, frames.count + 1);
    memmove(frame, frame + frames.bytes, before * frames.bytes);
    frame += before * frames.bytes;
    mc_bytes_put_be32(frame, number);
    mc_bytes_put_be32(frame + COMMIT_AT, mc_edit_one_in(edit, 2) ? main_pages(edit, frames) : 0);
    memcpy(frame + FRAME_SALT_AT, edit->data + SALT_AT, 8);
    memcpy(frame + MC_WAL_FRAME_HEADER_BYTES, page, page_size_of(frames));
    return true;
}

static bool cut(mc_edit *edit)
{
    mc_units frames = mc_frames_of(edit->data, edit->size);
    size_t frame;
    if (mc_edit_one_in(edit, 2) && pick_frame(edit, &frames, &frame)) {
        static const uint8_t within[] = {0, 1, MC_WAL_FRAME_HEADER_BYTES, 255};
        edit->size = frame + within[mc_edit_below(edit, sizeof within)];
        return true;
    }
    return mc_edit_cut(edit, frames.bytes);
}

static bool grow(mc_edit *edit)
{
    return mc_edit_grow(edit, mc_frames_of(edit->data, edit->size).bytes);
}

static const mc_mutation rows[] = {
    {"wal header: field", header_field, false},
    {"wal header: magic", header_magic, false},
    {"wal frame: page number", frame_number, false},
    {"wal frame: commit", frame_commit, false},
    {"wal frame: salt", frame_salt, false},
    {"wal frame: generation", frame_generation, false},
    {"wal frame: checksum", frame_checksum, false},
    {"wal frame: bytes", frame_bytes, false},
    {"wal frame: swap", frame_swap, false},
    {"wal frame: copy", frame_copy, false},
    {"wal frame: duplicate", frame_duplicate, false},
    {"wal frame: delete", frame_delete, false},
    {"wal frame: insert", frame_insert, false},
    {"wal frame: another page", frame_from, false},
    {"wal: cut", cut, false},
    {"wal: grow", grow, false},
};

const mc_mutation_table mc_mutate_wal = {MC_PIECE_WAL, rows, sizeof rows / sizeof *rows, fix};
