/* mutate_store.c: the pairs of a v1 store (core/v1.h): keys, metadata and chunks one by one; and
 * the files that they make, which are put together, changed as files, and taken apart again. */
#include "fuzz/mutate/mutate_edit.h"

#include <string.h>

#include "core/bytes.h"
#include "core/v1.h"

enum {
    KIND_AT = 2, /* in a key: metadata or chunk */
    TAG_AT = 3,
    FILES = MC_V1_WAL + 1,
    FILE_BYTES_MAX = 1 << 18,
    KEY_BYTES_MAX = 255
};

typedef struct pair {
    size_t key_size;
    size_t value_at; /* in the piece */
    size_t value_size;
} pair;

/* The piece as a pair. A key that passes the piece, of which its target makes nothing, is cut
 * there. */
static pair pair_of(const uint8_t *data, size_t size)
{
    size_t room = size > 0 ? size - 1 : 0;
    size_t key_size = size > 0 && data[0] < room ? data[0] : room;
    return (pair){key_size, size > 0 ? 1 + key_size : 0, room - key_size};
}

static bool is_metadata(const uint8_t *key, size_t key_size)
{
    return key_size == MC_V1_METADATA_KEY_BYTES && key[KIND_AT] == 0;
}

static bool is_chunk(const uint8_t *key, size_t key_size)
{
    return key_size == MC_V1_CHUNK_KEY_BYTES && key[KIND_AT] == 1;
}

/* ---- one pair ---- */

static bool key_byte(mc_edit *edit)
{
    pair p = pair_of(edit->data, edit->size);
    if (p.key_size < MC_V1_METADATA_KEY_BYTES) {
        return false;
    }
    size_t at = mc_edit_one_in(edit, 2) ? TAG_AT : mc_edit_below(edit, MC_V1_METADATA_KEY_BYTES);
    uint8_t *byte = edit->data + 1 + at;
    *byte = (uint8_t)(mc_edit_one_in(edit, 2) ? mc_edit_below(edit, MC_V1_TAGS + 1)
                                              : mc_edit_border(edit, *byte, 1, 8));
    return true;
}

static bool key_index(mc_edit *edit)
{
    pair p = pair_of(edit->data, edit->size);
    if (!is_chunk(edit->data + 1, p.key_size)) {
        return false;
    }
    mc_edit_field(edit, 1 + MC_V1_METADATA_KEY_BYTES, 4, mc_edit_below(edit, 8));
    return true;
}

static bool key_length(mc_edit *edit)
{
    pair p = pair_of(edit->data, edit->size);
    if (edit->size == 0) {
        return false;
    }
    size_t target = mc_edit_one_in(edit, 2) ? p.key_size + 1 : mc_edit_below(edit, 10);
    target = target < KEY_BYTES_MAX ? target : KEY_BYTES_MAX;
    if (!mc_edit_splice(edit, 1 + (target < p.key_size ? target : p.key_size),
                        target < p.key_size ? p.key_size - target : 0, NULL,
                        target > p.key_size ? target - p.key_size : 0)) {
        return false;
    }
    edit->data[0] = (uint8_t)target;
    return true;
}

static bool metadata_size(mc_edit *edit)
{
    pair p = pair_of(edit->data, edit->size);
    if (!is_metadata(edit->data + 1, p.key_size) || p.value_size < MC_V1_METADATA_BYTES) {
        return false;
    }
    static const uint64_t borders[] = {
        0, 1, 512, 4096, UINT32_MAX, MC_V1_FILE_BYTES_MAX, INT64_MAX, UINT64_MAX};
    uint8_t *value = edit->data + p.value_at + 2;
    uint64_t old = mc_bytes_get_le64(value);
    uint64_t size = mc_edit_one_in(edit, 2) ? old / MC_V1_CHUNK_BYTES * MC_V1_CHUNK_BYTES
                                            : borders[mc_edit_below(edit, 8)];
    size += mc_edit_one_in(edit, 3) ? MC_V1_CHUNK_BYTES : 0;
    mc_bytes_put_le64(value, mc_edit_one_in(edit, 2) ? size : size + mc_edit_below(edit, 3) - 1);
    return true;
}

static bool metadata_version(mc_edit *edit)
{
    pair p = pair_of(edit->data, edit->size);
    if (!is_metadata(edit->data + 1, p.key_size) || p.value_size < 2) {
        return false;
    }
    mc_edit_field(edit, p.value_at + mc_edit_below(edit, 2), 1, 1);
    return true;
}

/* Values end at 4096, or a byte beside it, or at a sector; metadata at 10. */
static bool value_size(mc_edit *edit)
{
    static const uint16_t sizes[] = {0, 1, 9, 10, 11, 512, 4095, 4096, 4097};
    pair p = pair_of(edit->data, edit->size);
    if (edit->size == 0) {
        return false;
    }
    size_t target = mc_edit_one_in(edit, 3) ? mc_edit_below(edit, p.value_size + 1)
                                            : sizes[mc_edit_below(edit, sizeof sizes / 2)];
    size_t kept = target < p.value_size ? target : p.value_size;
    return mc_edit_splice(edit, p.value_at + kept, p.value_size - kept, NULL, target - kept);
}

static bool value_bytes(mc_edit *edit)
{
    pair p = pair_of(edit->data, edit->size);
    return mc_edit_leaf(edit, p.value_at, p.value_size);
}

/* ---- the list of pairs ---- */

static size_t read_pairs(const mc_edit *edit, mc_piece *piece)
{
    size_t count = mc_pieces_read(edit->data, edit->size, piece);
    size_t pairs = 0;
    for (size_t i = 0; i < count; i++) {
        if (piece[i].tag == MC_PIECE_PAIR) {
            piece[pairs++] = piece[i];
        }
    }
    return pairs;
}

static mc_piece piece[MC_PIECES_MAX];

/* The pair of that key, or null. */
static const mc_piece *find_pair(size_t count, const uint8_t *key, size_t key_size)
{
    for (size_t i = 0; i < count; i++) {
        pair p = pair_of(piece[i].data, piece[i].size);
        if (p.key_size == key_size && memcmp(piece[i].data + 1, key, key_size) == 0) {
            return &piece[i];
        }
    }
    return NULL;
}

static bool keys_swap(mc_edit *edit)
{
    size_t count = read_pairs(edit, piece);
    if (count < 2) {
        return false;
    }
    const mc_piece *a = &piece[mc_edit_below(edit, count)];
    const mc_piece *b = &piece[mc_edit_below(edit, count)];
    pair pa = pair_of(a->data, a->size);
    if (a == b || pa.key_size == 0 || pa.key_size != pair_of(b->data, b->size).key_size) {
        return false;
    }
    uint8_t key[KEY_BYTES_MAX];
    uint8_t *key_a = edit->data + (a->data - edit->data) + 1;
    uint8_t *key_b = edit->data + (b->data - edit->data) + 1;
    memcpy(key, key_a, pa.key_size);
    memcpy(key_a, key_b, pa.key_size);
    memcpy(key_b, key, pa.key_size);
    return true;
}

/* The same value under the key of another file or chunk. */
static bool pair_again(mc_edit *edit)
{
    size_t count = read_pairs(edit, piece);
    if (count == 0 || count > MC_PIECES_MAX / 2) {
        return false;
    }
    const mc_piece *from = &piece[mc_edit_below(edit, count)];
    pair p = pair_of(from->data, from->size);
    if (p.key_size < MC_V1_METADATA_KEY_BYTES || from->size > MC_EDIT_BYTES_MAX) {
        return false;
    }
    memcpy(mc_mutate_work, from->data, from->size);
    uint8_t *key = mc_mutate_work + 1;
    if (is_chunk(key, p.key_size) && mc_edit_one_in(edit, 2)) {
        key[MC_V1_CHUNK_KEY_BYTES - 1] = (uint8_t)mc_edit_below(edit, 8);
    } else {
        key[TAG_AT] = (uint8_t)mc_edit_below(edit, MC_V1_TAGS);
    }
    return mc_pieces_add(edit->data, &edit->size, edit->capacity, MC_PIECE_PAIR, mc_mutate_work,
                         from->size);
}

/* ---- a file of the store ---- */

static uint8_t files[FILES][FILE_BYTES_MAX];

static bool file_size(size_t count, mc_v1_tag tag, size_t *size)
{
    uint8_t key[MC_V1_METADATA_KEY_BYTES];
    mc_v1_metadata_key(key, tag);
    const mc_piece *metadata = find_pair(count, key, sizeof key);
    if (metadata == NULL) {
        return false;
    }
    pair p = pair_of(metadata->data, metadata->size);
    if (p.value_size < MC_V1_METADATA_BYTES) {
        return false;
    }
    uint64_t stated = mc_bytes_get_le64(metadata->data + p.value_at + 2);
    *size = stated < FILE_BYTES_MAX ? (size_t)stated : FILE_BYTES_MAX;
    return true;
}

/* Puts the file together; what no chunk holds is zeros. */
static void gather(size_t count, mc_v1_tag tag, size_t size)
{
    memset(files[tag], 0, size);
    for (size_t i = 0; i < count; i++) {
        pair p = pair_of(piece[i].data, piece[i].size);
        const uint8_t *key = piece[i].data + 1;
        if (!is_chunk(key, p.key_size) || key[TAG_AT] != tag) {
            continue;
        }
        size_t at = (size_t)mc_bytes_get_be32(key + MC_V1_METADATA_KEY_BYTES) * MC_V1_CHUNK_BYTES;
        size_t bytes = p.value_size < MC_V1_CHUNK_BYTES ? p.value_size : MC_V1_CHUNK_BYTES;
        if (at < size) {
            memcpy(files[tag] + at, piece[i].data + p.value_at,
                   bytes < size - at ? bytes : size - at);
        }
    }
}

/* Writes one chunk of the changed file: over the pair that is there, which is made longer where
 * more than zeros lies behind it, or as a new pair. */
static void scatter_chunk(mc_edit *edit, mc_v1_tag tag, uint32_t index, const uint8_t *data,
                          size_t size)
{
    uint8_t bytes[1 + MC_V1_CHUNK_KEY_BYTES + MC_V1_CHUNK_BYTES];
    bytes[0] = MC_V1_CHUNK_KEY_BYTES;
    mc_v1_chunk_key(bytes + 1, tag, index);
    memcpy(bytes + 1 + MC_V1_CHUNK_KEY_BYTES, data, size);
    size_t used = size;
    while (used > 0 && data[used - 1] == 0) {
        used--;
    }
    size_t count = read_pairs(edit, piece);
    const mc_piece *old = find_pair(count, bytes + 1, MC_V1_CHUNK_KEY_BYTES);
    if (old == NULL) {
        if (used > 0) {
            (void)mc_pieces_add(edit->data, &edit->size, edit->capacity, MC_PIECE_PAIR, bytes,
                                1 + MC_V1_CHUNK_KEY_BYTES + size);
        }
        return;
    }
    pair p = pair_of(old->data, old->size);
    if (p.value_size < used) {
        (void)mc_piece_replace(edit, old, bytes, 1 + MC_V1_CHUNK_KEY_BYTES + size);
    } else {
        memcpy(edit->data + (old->data - edit->data) + p.value_at, data,
               size < p.value_size ? size : p.value_size);
    }
}

static void scatter(mc_edit *edit, mc_v1_tag tag, const mc_edit *file, size_t old_size)
{
    uint32_t index = 0;
    for (size_t at = 0; at < file->size; at += MC_V1_CHUNK_BYTES, index++) {
        size_t left = file->size - at;
        size_t size = left < MC_V1_CHUNK_BYTES ? left : MC_V1_CHUNK_BYTES;
        size_t held = at < old_size ? old_size - at : 0;
        bool same = held >= size && memcmp(files[tag] + at, file->data + at, size) == 0;
        if (!same) {
            scatter_chunk(edit, tag, index, file->data + at, size);
        }
    }
    /* The request with the metadata may be the one that a crash lost; then what is left of the old
     * file, or not yet there of the new, makes sums wrong. */
    if (file->size != old_size && (edit->right || !mc_edit_one_in(edit, 4))) {
        uint8_t key[MC_V1_METADATA_KEY_BYTES];
        mc_v1_metadata_key(key, tag);
        const mc_piece *metadata = find_pair(read_pairs(edit, piece), key, sizeof key);
        pair p = pair_of(metadata->data, metadata->size);
        mc_bytes_put_le64(edit->data + (metadata->data - edit->data) + p.value_at + 2, file->size);
    }
}

static bool file_of_store(mc_edit *edit)
{
    static const uint8_t kind[FILES] = {MC_PIECE_MAIN, MC_PIECE_JOURNAL, MC_PIECE_WAL};
    mc_piece file[FILES];
    mc_v1_tag tag[FILES];
    size_t file_count = 0;
    size_t count = read_pairs(edit, piece);
    for (int t = 0; t < FILES; t++) {
        size_t size;
        if (file_size(count, (mc_v1_tag)t, &size)) {
            gather(count, (mc_v1_tag)t, size);
            tag[file_count] = (mc_v1_tag)t;
            file[file_count++] = (mc_piece){kind[t], (uint32_t)size, files[t]};
        }
    }
    if (file_count == 0) {
        return false;
    }
    size_t chosen = mc_edit_below(edit, file_count);
    mc_edit taken = mc_mutate_take(edit, file[chosen].data, file[chosen].size, file, file_count);
    taken.capacity = taken.capacity < FILE_BYTES_MAX ? taken.capacity : FILE_BYTES_MAX;
    mc_mutate_file(&taken, file[chosen].tag, "store: file, ");
    scatter(edit, tag[chosen], &taken, file[chosen].size);
    return true;
}

static const mc_mutation pair_rows[] = {
    {"key: byte", key_byte, false},
    {"key: index", key_index, false},
    {"key: length", key_length, false},
    {"metadata: size", metadata_size, false},
    {"metadata: version", metadata_version, false},
    {"value: size", value_size, false},
    {"value: bytes", value_bytes, false},
};

static const mc_mutation store_rows[] = {
    {"store: file", file_of_store, true},
    {"store: file", file_of_store, true}, /* the deepest of them: twice as often */
    {"store: swap keys", keys_swap, false},
    {"store: pair under another key", pair_again, false},
};

const mc_mutation_table mc_mutate_pair = {MC_PIECE_PAIR, pair_rows,
                                          sizeof pair_rows / sizeof *pair_rows, NULL};
const mc_mutation_table mc_mutate_store = {0, store_rows, sizeof store_rows / sizeof *store_rows,
                                           NULL};
