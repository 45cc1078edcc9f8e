/* diskid.h: a 128-bit name of a disk state, kept up to date at the cost of each change.
 *
 * The sum, over 1024-byte blocks of every existing file, of a mix of place and content, with each
 * file's size. Equal states have equal ids whatever way led there.
 *
 * A walk that begins on a large database need not read all of it: a relative id leaves out the
 * blocks that never were about to change. Relative ids compare only within their own walk. */
#ifndef MIDCOMMIT_CRASHSIM_DISKID_H
#define MIDCOMMIT_CRASHSIM_DISKID_H

#include "crashsim/disk.h"

enum { MC_DISKID_LEAF_BLOCKS = 512 };

typedef struct mc_diskid_file {
    uint64_t **leaf; /* hashes by block number, MC_DISKID_LEAF_BLOCKS in each; a null leaf, or a
                        hash of 0: not read, as it was at the beginning */
    uint32_t leaf_count;
    uint32_t block_count;
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

/* Stands at `disk` without reading it: ids are relative to it. Before each change, mc_diskid_before
 * must be told which bytes [from, to) of `file` may change, and the length it will have. */
bool mc_diskid_init_relative(mc_diskid *diskid, const mc_disk *disk);
bool mc_diskid_before(mc_diskid *diskid, const mc_disk *disk, uint16_t file, uint64_t from,
                      uint64_t to, uint64_t size_after);

/* `file` changed: bytes [from, to) and perhaps its size or existence. False without memory. */
bool mc_diskid_changed(mc_diskid *diskid, const mc_disk *disk, uint16_t file, uint64_t from,
                       uint64_t to);

#endif
