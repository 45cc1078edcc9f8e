/* reads.h: what a reader has looked at of a disk state, in order, as far as it had not changed it
 * before.
 *
 * Recovery is deterministic: two states that agree on each of these facts end the same way. Facts
 * are existence, length, and ranges of bytes. A range that was read before, or that the reader
 * wrote itself, is no new fact. */
#ifndef MIDCOMMIT_CRASHSIM_READS_H
#define MIDCOMMIT_CRASHSIM_READS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum mc_read_kind { MC_READ_EXISTS, MC_READ_SIZE, MC_READ_BYTES } mc_read_kind;

/* BYTES: [from, to) of the file, as far as it reaches. */
typedef struct mc_read {
    uint8_t kind;
    uint16_t file;
    uint64_t from;
    uint64_t to;
} mc_read;

typedef struct mc_known_file mc_known_file; /* what is known of a file */

typedef struct mc_reads {
    mc_read *read;
    size_t count;
    size_t capacity;
    mc_known_file *known;
    uint32_t file_capacity;
    bool failed; /* no memory: the list is not complete */
} mc_reads;

/* A zeroed mc_reads is ready. Begin forgets all, keeps memory. */
void mc_reads_begin(mc_reads *reads);
void mc_reads_free(mc_reads *reads);

void mc_reads_exists(mc_reads *reads, uint16_t file);
void mc_reads_size(mc_reads *reads, uint16_t file);
void mc_reads_bytes(mc_reads *reads, uint16_t file, uint64_t from, uint64_t to);

/* The reader itself changed the file. */
void mc_reads_wrote(mc_reads *reads, uint16_t file, uint64_t from, uint64_t to);
void mc_reads_cut(mc_reads *reads, uint16_t file, uint64_t size); /* it has this length now */
void mc_reads_renewed(mc_reads *reads, uint16_t file);            /* it was made, or deleted */

/* Are bytes [from, to) all known: read, or written by the reader? */
bool mc_reads_know(const mc_reads *reads, uint16_t file, uint64_t from, uint64_t to);

#endif
