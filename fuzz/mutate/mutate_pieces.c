/* mutate_pieces.c: the list of pieces itself: pieces that come, go, change places or kinds, and
 * sidecars made of the pages at hand. */
#include "fuzz/mutate/mutate_edit.h"

#include <string.h>

#include "core/bytes.h"
#include "core/journal.h"
#include "core/wal.h"

enum { SECTOR_BYTES = 512, PAGES_MADE_MAX = 4 };

static const char known_tags[] = "MJWUKLOPCF";

static mc_piece piece[MC_PIECES_MAX];

static size_t read_pieces(const mc_edit *edit)
{
    return mc_pieces_read(edit->data, edit->size, piece);
}

bool mc_mutate_is_pieces(const uint8_t *data, size_t size)
{
    if (size < MC_PIECE_HEADER_BYTES || data[0] == 0 || strchr(known_tags, data[0]) == NULL) {
        return false;
    }
    /* A text may begin with such a letter; its stated size then passes the end by far. */
    uint32_t stated = mc_bytes_get_le32(data) >> 8;
    return stated <= 2 * size;
}

size_t mc_piece_at(const mc_edit *edit, const mc_piece *p)
{
    return (size_t)(p->data - edit->data) - MC_PIECE_HEADER_BYTES;
}

static void put_header(uint8_t *at, uint8_t tag, size_t size)
{
    mc_bytes_put_le32(at, (uint32_t)size << 8 | tag);
}

bool mc_piece_replace(mc_edit *edit, const mc_piece *p, const void *data, size_t size)
{
    size_t at = mc_piece_at(edit, p);
    uint8_t tag = p->tag;
    if (size > MC_PIECE_BYTES_MAX ||
        !mc_edit_splice(edit, at + MC_PIECE_HEADER_BYTES, p->size, data, size)) {
        return false;
    }
    put_header(edit->data + at, tag, size);
    return true;
}

/* Writes down what the reader sees: the last piece's size may pass the end, and a few bytes behind
 * it may be no piece. So a mutation before them does not change what they are. */
static void settle(mc_edit *edit)
{
    size_t count = read_pieces(edit);
    if (count == 0) {
        return;
    }
    const mc_piece *last = &piece[count - 1];
    put_header(edit->data + mc_piece_at(edit, last), last->tag, last->size);
    edit->size = (size_t)(last->data - edit->data) + last->size;
}

static bool piece_delete(mc_edit *edit)
{
    size_t count = read_pieces(edit);
    if (count < 2) {
        return false;
    }
    const mc_piece *p = &piece[mc_edit_below(edit, count)];
    return mc_edit_splice(edit, mc_piece_at(edit, p), MC_PIECE_HEADER_BYTES + p->size, NULL, 0);
}

static bool piece_duplicate(mc_edit *edit)
{
    size_t count = read_pieces(edit);
    if (count == 0 || count == MC_PIECES_MAX) {
        return false;
    }
    const mc_piece *p = &piece[mc_edit_below(edit, count)];
    size_t from = mc_piece_at(edit, p);
    size_t bytes = MC_PIECE_HEADER_BYTES + p->size;
    size_t to = edit->size;
    if (!mc_edit_splice(edit, to, 0, NULL, bytes)) {
        return false;
    }
    memcpy(edit->data + to, edit->data + from, bytes);
    return true;
}

/* One piece to another place. The first of a kind is the one that counts. */
static bool piece_move(mc_edit *edit)
{
    size_t count = read_pieces(edit);
    if (count < 2) {
        return false;
    }
    const mc_piece *p = &piece[mc_edit_below(edit, count)];
    size_t bytes = MC_PIECE_HEADER_BYTES + p->size;
    size_t at = mc_piece_at(edit, p);
    if (bytes > sizeof mc_mutate_work) {
        return false;
    }
    memcpy(mc_mutate_work, edit->data + at, bytes);
    (void)mc_edit_splice(edit, at, bytes, NULL, 0);
    size_t left = read_pieces(edit);
    size_t to = mc_edit_below(edit, left + 1);
    to = to == left ? edit->size : mc_piece_at(edit, &piece[to]);
    return mc_edit_splice(edit, to, 0, mc_mutate_work, bytes);
}

static bool piece_tag(mc_edit *edit)
{
    size_t count = read_pieces(edit);
    if (count == 0) {
        return false;
    }
    const mc_piece *p = &piece[mc_edit_below(edit, count)];
    uint8_t tag = (uint8_t)known_tags[mc_edit_below(edit, sizeof known_tags - 1)];
    if (tag == p->tag) {
        return false;
    }
    edit->data[mc_piece_at(edit, p)] = tag;
    return true;
}

/* Gives the input a piece of that kind in place of the one that it has, or adds it. */
static bool put_piece(mc_edit *edit, mc_piece_tag tag, const void *data, size_t size)
{
    size_t count = read_pieces(edit);
    const mc_piece *old = mc_pieces_find(piece, count, tag);
    if (old != NULL) {
        return mc_piece_replace(edit, old, data, size);
    }
    return count < MC_PIECES_MAX &&
           mc_pieces_add(edit->data, &edit->size, edit->capacity, tag, data, size);
}

/* As an edit in the work space, empty, beside the input's pieces. Only where there is a database.
 */
static bool make_begin(mc_edit *edit, mc_edit *file, uint32_t *page_size)
{
    size_t count = read_pieces(edit);
    if (mc_pieces_find(piece, count, MC_PIECE_MAIN) == NULL) {
        return false;
    }
    *file = mc_mutate_take(edit, NULL, 0, piece, count);
    *page_size = mc_edit_page_size(file);
    return true;
}

static bool make_journal(mc_edit *edit)
{
    mc_edit file;
    uint32_t page_size, number;
    if (!make_begin(edit, &file, &page_size) || !mc_edit_splice(&file, 0, 0, NULL, SECTOR_BYTES)) {
        return false;
    }
    uint32_t nonce = (uint32_t)mc_edit_step(edit->random);
    uint32_t count = mc_edit_below(edit, PAGES_MADE_MAX + 1);
    uint32_t made = 0;
    size_t bytes = (size_t)page_size + 8;
    const uint8_t *page;
    while (made < count &&
           (page = mc_edit_page(&file, MC_PIECE_JOURNAL, page_size, &number)) != NULL &&
           mc_edit_splice(&file, file.size, 0, NULL, bytes)) {
        uint8_t *record = file.data + file.size - bytes;
        mc_bytes_put_be32(record, number);
        memcpy(record + 4, page, page_size);
        mc_bytes_put_be32(record + 4 + page_size, mc_journal_checksum(nonce, page, page_size));
        made++;
    }
    memcpy(file.data, mc_journal_magic, MC_JOURNAL_MAGIC_BYTES);
    mc_bytes_put_be32(file.data + 8, mc_edit_one_in(edit, 4) ? UINT32_MAX : made);
    mc_bytes_put_be32(file.data + 12, nonce);
    mc_bytes_put_be32(file.data + 16, mc_edit_main_pages(&file, page_size));
    mc_bytes_put_be32(file.data + 20, SECTOR_BYTES);
    mc_bytes_put_be32(file.data + 24, page_size);
    return put_piece(edit, MC_PIECE_JOURNAL, file.data, file.size);
}

static bool make_wal(mc_edit *edit)
{
    mc_edit file;
    uint32_t page_size, number;
    if (!make_begin(edit, &file, &page_size) ||
        !mc_edit_splice(&file, 0, 0, NULL, MC_WAL_HEADER_BYTES)) {
        return false;
    }
    uint64_t salt = mc_edit_step(edit->random);
    mc_bytes_put_be32(file.data, MC_WAL_MAGIC | mc_edit_below(edit, 2));
    mc_bytes_put_be32(file.data + 4, MC_WAL_VERSION);
    mc_bytes_put_be32(file.data + 8, page_size);
    mc_bytes_put_be64(file.data + 16, salt);
    uint32_t count = mc_edit_below(edit, PAGES_MADE_MAX + 1);
    size_t bytes = MC_WAL_FRAME_HEADER_BYTES + (size_t)page_size;
    const uint8_t *page;
    for (uint32_t i = 0;
         i < count && (page = mc_edit_page(&file, MC_PIECE_WAL, page_size, &number)) != NULL &&
         mc_edit_splice(&file, file.size, 0, NULL, bytes);
         i++) {
        uint8_t *frame = file.data + file.size - bytes;
        bool commits = i + 1 == count || mc_edit_one_in(edit, 3);
        mc_bytes_put_be32(frame, number);
        mc_bytes_put_be32(frame + 4, commits ? mc_edit_main_pages(&file, page_size) : 0);
        mc_bytes_put_be64(frame + 8, salt);
        memcpy(frame + MC_WAL_FRAME_HEADER_BYTES, page, page_size);
    }
    mc_units frames = mc_frames_of(file.data, file.size);
    mc_frames_fix(file.data, frames, frames.count);
    return put_piece(edit, MC_PIECE_WAL, file.data, file.size);
}

/* A file that is there and holds nothing is another thing than none. */
static bool piece_empty(mc_edit *edit)
{
    static const mc_piece_tag tags[] = {MC_PIECE_MAIN, MC_PIECE_JOURNAL, MC_PIECE_WAL,
                                        MC_PIECE_SUPER};
    return read_pieces(edit) > 0 &&
           mc_pieces_find(piece, read_pieces(edit), MC_PIECE_MAIN) != NULL &&
           put_piece(edit, tags[mc_edit_below(edit, 4)], "", mc_edit_below(edit, 2));
}

void mc_mutate_pieces(mc_edit *edit)
{
    settle(edit);
    size_t count = read_pieces(edit);
    const mc_piece *p = &piece[mc_edit_below(edit, count)];
    if (p->tag == MC_PIECE_SUPER) { /* hardly a byte of it counts */
        p = &piece[mc_edit_below(edit, count)];
    }
    bool whole = mc_edit_one_in(edit, 8);
    const mc_mutation_table *table = whole ? &mc_mutate_list : &mc_mutate_store;
    if (whole || (p->tag == MC_PIECE_PAIR && mc_edit_one_in(edit, 2))) {
        const mc_mutation *row = mc_mutate_row(edit, table);
        if (row != NULL) {
            if (!row->notes) {
                mc_mutate_note("", row->name, "");
            }
            return;
        }
        count = read_pieces(edit);
        p = &piece[mc_edit_below(edit, count)];
    }
    if (p->size > MC_EDIT_BYTES_MAX) {
        size_t at = (size_t)(p->data - edit->data);
        (void)mc_edit_leaf(edit, at, p->size);
        mc_mutate_note("", "bytes", "");
        return;
    }
    mc_edit file = mc_mutate_take(edit, p->data, p->size, piece, count);
    mc_mutate_file(&file, p->tag, "");
    (void)mc_piece_replace(edit, p, file.data, file.size);
}

static const mc_mutation rows[] = {
    {"piece: delete", piece_delete, false},     {"piece: duplicate", piece_duplicate, false},
    {"piece: move", piece_move, false},         {"piece: tag", piece_tag, false},
    {"piece: empty", piece_empty, false},       {"piece: a journal of pages", make_journal, false},
    {"piece: a wal of pages", make_wal, false},
};

const mc_mutation_table mc_mutate_list = {0, rows, sizeof rows / sizeof *rows, NULL};
