/* mutate_edit.h: what the parts of the mutator share: one file under change, and small tools.
 *
 * A part (mutate_main.c, mutate_journal.c, ...) is a table of mutations of one kind of file. Each
 * gets an mc_edit and changes its bytes, or says that it does not apply and leaves them alone. No
 * part knows where the bytes came from: a piece, a tar member, the chunks of a store or a raw
 * input; mutate.c takes the file out and puts it back. */
#ifndef MIDCOMMIT_FUZZ_MUTATE_MUTATE_EDIT_H
#define MIDCOMMIT_FUZZ_MUTATE_MUTATE_EDIT_H

#include "fuzz/mutate/mutate.h"
#include "fuzz/pieces.h"

typedef struct mc_edit {
    uint8_t *data;
    size_t size; /* <= capacity */
    size_t capacity;
    uint64_t *random;
    mc_mutate_leaf_fn leaf;
    bool right;            /* checksums are made right after the change */
    const mc_piece *other; /* the files beside it, as they were: pages are copied from these */
    size_t other_count;
} mc_edit;

typedef struct mc_mutation {
    const char *name;             /* "wal frame: swap" */
    bool (*apply)(mc_edit *edit); /* false: not possible here, and nothing was changed */
    bool notes;                   /* it changes a file within, and that has been noted */
} mc_mutation;

/* A kind of file: its tag among pieces, and what can be done to one. `fix`, if not null, makes
 * every checksum right, and is false where there is nothing to be made right. */
typedef struct mc_mutation_table {
    uint8_t tag;
    const mc_mutation *row;
    size_t count;
    bool (*fix)(mc_edit *edit);
} mc_mutation_table;

extern const mc_mutation_table mc_mutate_main, mc_mutate_journal, mc_mutate_wal, mc_mutate_pair,
    mc_mutate_ltx, mc_mutate_program, mc_mutate_crash, mc_mutate_bytes;

/* Things of one size, one behind the other: pages, records, frames, statements. */
typedef struct mc_units {
    size_t at;
    size_t bytes;
    size_t count;
} mc_units;

/* ---- chance ---- */

uint64_t mc_edit_step(uint64_t *random);         /* splitmix64 */
uint32_t mc_edit_below(mc_edit *edit, size_t n); /* 0..n-1; n > 0 */
bool mc_edit_one_in(mc_edit *edit, uint32_t n);
/* A value at a border of `bits` bits, of the old value, or of `natural`, the one that would be
 * right here. */
uint32_t mc_edit_border(mc_edit *edit, uint32_t old, uint32_t natural, uint32_t bits);
/* A power of two in 2^least..2^most, mostly; sometimes one beside it. */
uint32_t mc_edit_power(mc_edit *edit, uint32_t least, uint32_t most);

/* ---- bytes ---- */

/* Replaces `removed` bytes at `at` by `added` others, which lie outside `data`; null: zeros. False
 * when there is no room. */
bool mc_edit_splice(mc_edit *edit, size_t at, size_t removed, const void *bytes, size_t added);
/* Sets the big-endian field of 1, 2 or 4 bytes at `at` to a border. */
void mc_edit_field(mc_edit *edit, size_t at, uint32_t width, uint32_t natural);
/* The leaf on `size` bytes at `at`; the file keeps its size. */
bool mc_edit_leaf(mc_edit *edit, size_t at, size_t size);
/* Cuts the file to a multiple of `unit`, a byte beside one, or to anything; or grows it so. */
bool mc_edit_cut(mc_edit *edit, size_t unit);
bool mc_edit_grow(mc_edit *edit, size_t unit);

/* ---- units ---- */

bool mc_units_swap(mc_edit *edit, mc_units units);
bool mc_units_copy(mc_edit *edit, mc_units units); /* one over another */
bool mc_units_duplicate(mc_edit *edit, mc_units units);
bool mc_units_delete(mc_edit *edit, mc_units units);
bool mc_units_insert(mc_edit *edit, mc_units units, const void *unit);

/* ---- pages ---- */

/* The page size that SQLite takes the main file of this edit to have. */
uint32_t mc_edit_page_size(const mc_edit *edit);
/* The pages of the main file beside this one; 0 when there is none. */
uint32_t mc_edit_main_pages(const mc_edit *edit, uint32_t page_size);
/* A page of that size from main, a journal or a WAL beside the file, but not from one tagged `but`,
 * with the number that it has there; null when there is none. */
const uint8_t *mc_edit_page(mc_edit *edit, uint8_t but, uint32_t page_size, uint32_t *number);

/* One run of journal records under one header, found as recovery would find them, but leniently: a
 * header's sizes or count that cannot be are replaced by what the writer must have meant. Start
 * with zeros and the file's assumed page size. */
typedef struct mc_segment {
    size_t header;
    mc_units record; /* number, page, checksum each */
    uint32_t page_size;
    uint32_t sector_size;
    uint32_t nonce;
    bool begun;
    bool last;
} mc_segment;

bool mc_segment_next(const uint8_t *data, size_t size, mc_segment *segment);

/* The frames that a WAL has room for; `count` is 0 without a possible page size. */
mc_units mc_frames_of(const uint8_t *data, size_t size);
/* Makes the checksums of the header and the first `count` frames right. */
void mc_frames_fix(uint8_t *data, mc_units frames, size_t count);

/* ---- whole inputs: a part takes a file out, changes it by its kind and puts it back ---- */

/* No file larger than this is taken out of an input; of a larger one only bytes change. */
enum { MC_EDIT_BYTES_MAX = 1 << 20 };

/* Where a file lies while it is out. */
extern uint8_t mc_mutate_work[MC_EDIT_BYTES_MAX];

/* Copies `size` bytes there, as an edit that may grow as far as the whole input has room. */
mc_edit mc_mutate_take(mc_edit *whole, const void *data, size_t size, const mc_piece *other,
                       size_t other_count);
/* One mutation of a file of that kind, and perhaps its checksums; notes what it did. */
void mc_mutate_file(mc_edit *file, uint8_t tag, const char *where);
/* Tries rows until one applies; null: none did in a few tries. */
const mc_mutation *mc_mutate_row(mc_edit *edit, const mc_mutation_table *table);
/* Notes for mc_mutate_last. */
void mc_mutate_note(const char *where, const char *what, const char *how);

/* The same for inputs of those forms. */
bool mc_mutate_is_pieces(const uint8_t *data, size_t size);
bool mc_mutate_is_tar(const uint8_t *data, size_t size);
void mc_mutate_pieces(mc_edit *edit);
void mc_mutate_tar(mc_edit *edit);
extern const mc_mutation_table mc_mutate_list, mc_mutate_store, mc_mutate_archive;

/* One member of a tar archive. */
typedef struct mc_member {
    size_t header;
    size_t size;  /* of its data, as far as it is there */
    size_t bytes; /* of header, data and padding */
} mc_member;

enum { MC_MEMBERS_MAX = 256, MC_TAR_BLOCK_BYTES = 512 };
size_t mc_members_read(const uint8_t *data, size_t size, mc_member member[MC_MEMBERS_MAX]);

/* What a raw input is, by how it begins: the tag of a piece, or 0. */
uint8_t mc_mutate_kind_of(const uint8_t *data, size_t size);
/* The table for files of that tag; plain bytes when no other is. */
const mc_mutation_table *mc_mutate_table(uint8_t tag);

/* Gives the piece these bytes; false without room. */
bool mc_piece_replace(mc_edit *edit, const mc_piece *piece, const void *data, size_t size);
/* Where the piece's header lies. */
size_t mc_piece_at(const mc_edit *edit, const mc_piece *piece);

#endif
