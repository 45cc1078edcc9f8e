/* diskid.h: a 128-bit name of a disk state, kept up to date at the cost of each change.
 *
 * The sum, over 1024-byte blocks of every existing file, of a mix of place and content, with each
 * file's size. Equal states have equal ids whatever way led there. */
#ifndef MIDCOMMIT_CRASHSIM_DISKID_H
#define MIDCOMMIT_CRASHSIM_DISKID_H

#include "crashsim/disk.h"

typedef struct mc_diskid_file {
    uint64_t *block; /* hash by block number */
    uint32_t block_count;
    uint32_t block_capacity;
    bool exists;
    uint64_t size;
    mc_hash128 sum;
} mc_diskid_file;

typedef struct mc_diskid {
    mc_diskid_file *file;
    uint32_t file_count;
    mc_hash128 id;
} mc_diskid;

/* Reads the whole disk. False without memory. */
bool mc_diskid_init(mc_diskid *diskid, const mc_disk *disk);
void mc_diskid_free(mc_diskid *diskid);

/* `file` changed: bytes [from, to) and perhaps its size or existence. False without memory. */
bool mc_diskid_changed(mc_diskid *diskid, const mc_disk *disk, uint16_t file, uint64_t from,
                       uint64_t to);

#endif
