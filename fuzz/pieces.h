/* pieces.h: a fuzz input as a list of tagged pieces.
 *
 *     piece   u8 tag, u24 LE size in bytes, the bytes
 *
 * Every byte string is such a list: a size that passes the end is cut there, fewer than four bytes
 * at the end are no piece, and a tag that a target does not know is skipped. So whatever a fuzzer
 * does to an input, it stays one, and what it did to one piece leaves the others where they were.
 */
#ifndef MIDCOMMIT_FUZZ_PIECES_H
#define MIDCOMMIT_FUZZ_PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MC_PIECE_HEADER_BYTES = 4, MC_PIECE_BYTES_MAX = 0xffffff, MC_PIECES_MAX = 1024 };

typedef enum mc_piece_tag {
    MC_PIECE_MAIN = 'M',    /* bytes of main.db */
    MC_PIECE_JOURNAL = 'J', /* of main.db-journal */
    MC_PIECE_WAL = 'W',     /* of main.db-wal */
    MC_PIECE_SUPER = 'U',   /* of main.db-mj1, a file that a journal may name */
    MC_PIECE_LTX = 'L',     /* a commit as a v2 store keeps it (core/ltx.h) */
    MC_PIECE_PAIR = 'K',    /* one pair of a v1 store: u8 key size, key, value */
    MC_PIECE_OPTIONS = 'O', /* of a crash: how the database is made (crash_fuzzer) */
    MC_PIECE_PROGRAM = 'P', /* of a crash: statements of four bytes each (program.h) */
    MC_PIECE_CRASH = 'C', /* of a crash: where, and what survives; a second one crashes recovery */
    MC_PIECE_FAULT = 'F'  /* of a crash: which call of the recovery fails */
} mc_piece_tag;

typedef struct mc_piece {
    uint8_t tag;
    uint32_t size;
    const uint8_t *data; /* into the input; never null */
} mc_piece;

/* The first MC_PIECES_MAX pieces of an input; returns how many. */
size_t mc_pieces_read(const uint8_t *data, size_t size, mc_piece piece[MC_PIECES_MAX]);

/* The first piece of that tag, or null. */
const mc_piece *mc_pieces_find(const mc_piece *piece, size_t count, mc_piece_tag tag);

/* Appends a piece to an input of `*size` bytes in a buffer of `capacity`; false when it does not
 * fit, and then nothing was written. `data` may overlap nothing of the buffer. */
bool mc_pieces_add(uint8_t *buffer, size_t *size, size_t capacity, mc_piece_tag tag,
                   const void *data, size_t data_size);

#endif
