#include "crashsim/diskid.h"

#include "core/hash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 1024 };

static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product =
        (unsigned __int128)(a ^ UINT64_C(0x9e3779b97f4a7c15)) * (b ^ UINT64_C(0xbf58476d1ce4e5b9));
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static mc_hash128 term(uint64_t place, uint64_t hash)
{
    place *= UINT64_C(0xd6e8feb86659fd93);
    return (mc_hash128){mix(place, hash), mix(hash, ~place)};
}

static void add(mc_hash128 *sum, mc_hash128 t)
{
    sum->low += t.low;
    sum->high += t.high;
}

static void sub(mc_hash128 *sum, mc_hash128 t)
{
    sum->low -= t.low;
    sum->high -= t.high;
}

/* What a file contributes: which it is, whether it is there, how long it is and what it holds. */
static mc_hash128 file_term(uint32_t number, uint64_t size, mc_hash128 sum)
{
    mc_hash128 a = term(number + UINT64_C(1), size + 1);
    mc_hash128 b = term(a.low ^ sum.low, a.high ^ sum.high);
    return b;
}

static uint64_t hash_block(const mc_disk_file *file, uint64_t block)
{
    uint64_t at = block * BLOCK_BYTES;
    uint64_t left = file->size - at;
    return mc_hash64(file->data + at, left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES);
}

/* Room for the leaves of `blocks` blocks; the leaves themselves come when they are needed. */
static bool reserve(mc_diskid_file *f, uint32_t blocks)
{
    uint32_t leaves = blocks / MC_DISKID_LEAF_BLOCKS + 1;
    if (leaves <= f->leaf_count) {
        return true;
    }
    leaves += leaves / 2;
    uint64_t **leaf = realloc(f->leaf, leaves * sizeof *leaf);
    if (leaf == NULL) {
        return false;
    }
    memset(leaf + f->leaf_count, 0, (leaves - f->leaf_count) * sizeof *leaf);
    f->leaf = leaf;
    f->leaf_count = leaves;
    return true;
}

static uint64_t block_of(const mc_diskid_file *f, uint32_t block)
{
    const uint64_t *leaf = f->leaf[block / MC_DISKID_LEAF_BLOCKS];
    return leaf == NULL ? 0 : leaf[block % MC_DISKID_LEAF_BLOCKS];
}

static bool set_block(mc_diskid_file *f, uint32_t block, uint64_t hash)
{
    uint64_t **leaf = &f->leaf[block / MC_DISKID_LEAF_BLOCKS];
    if (*leaf == NULL) {
        *leaf = calloc(MC_DISKID_LEAF_BLOCKS, sizeof **leaf);
        if (*leaf == NULL) {
            return false;
        }
    }
    (*leaf)[block % MC_DISKID_LEAF_BLOCKS] = hash;
    return true;
}

static bool know(mc_diskid *diskid, uint32_t files)
{
    if (files <= diskid->file_count) {
        return true;
    }
    mc_diskid_file *file = realloc(diskid->file, files * sizeof *file);
    if (file == NULL) {
        return false;
    }
    memset(file + diskid->file_count, 0, (files - diskid->file_count) * sizeof *file);
    diskid->file = file;
    diskid->file_count = files;
    return true;
}

static void drop_blocks(mc_diskid_file *f, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to && i < f->block_count; i++) {
        assert(block_of(f, i) != 0);
        sub(&f->sum, term(i, block_of(f, i)));
    }
}

/* Brings the sum of one file up to date for bytes [from, to) and its new length. A new length also
 * changes the block at the shorter of the two ends and all behind it. */
static bool refresh(mc_diskid_file *f, const mc_disk_file *file, uint64_t from, uint64_t to)
{
    uint64_t size = file->exists ? file->size : 0;
    uint32_t blocks = (uint32_t)((size + BLOCK_BYTES - 1) / BLOCK_BYTES);
    if (!reserve(f, blocks)) {
        return false;
    }
    if (size != f->size) {
        uint64_t edge = size < f->size ? size : f->size;
        from = edge < from || from == to ? edge : from;
        to = size > to ? size : to;
    }
    uint32_t first = (uint32_t)(from / BLOCK_BYTES);
    uint32_t end = (uint32_t)((to + BLOCK_BYTES - 1) / BLOCK_BYTES);
    end = end < blocks ? end : blocks;
    drop_blocks(f, first < blocks ? first : blocks, end);
    drop_blocks(f, blocks, f->block_count);
    for (uint32_t i = first; i < end; i++) {
        uint64_t hash = hash_block(file, i);
        if (!set_block(f, i, hash)) {
            return false;
        }
        add(&f->sum, term(i, hash));
    }
    f->block_count = blocks;
    f->size = size;
    f->exists = file->exists;
    return true;
}

bool mc_diskid_changed(mc_diskid *diskid, const mc_disk *disk, uint16_t number, uint64_t from,
                       uint64_t to)
{
    if (!know(diskid, disk->file_count)) {
        return false;
    }
    mc_diskid_file *f = &diskid->file[number];
    if (f->exists) {
        sub(&diskid->id, file_term(number, f->size, f->sum));
    }
    if (!refresh(f, &disk->file[number], from, to)) {
        return false;
    }
    if (f->exists) {
        add(&diskid->id, file_term(number, f->size, f->sum));
    }
    return true;
}

bool mc_diskid_init(mc_diskid *diskid, const mc_disk *disk)
{
    memset(diskid, 0, sizeof *diskid);
    bool ok = know(diskid, disk->file_count);
    for (uint32_t i = 0; ok && i < disk->file_count; i++) {
        ok = mc_diskid_changed(diskid, disk, (uint16_t)i, 0, disk->file[i].size);
    }
    return ok;
}

void mc_diskid_free(mc_diskid *diskid)
{
    for (uint32_t i = 0; i < diskid->file_count; i++) {
        for (uint32_t leaf = 0; leaf < diskid->file[i].leaf_count; leaf++) {
            free(diskid->file[i].leaf[leaf]);
        }
        free(diskid->file[i].leaf);
    }
    free(diskid->file);
    memset(diskid, 0, sizeof *diskid);
}

bool mc_diskid_init_relative(mc_diskid *diskid, const mc_disk *disk)
{
    memset(diskid, 0, sizeof *diskid);
    bool ok = know(diskid, disk->file_count);
    for (uint32_t i = 0; ok && i < disk->file_count; i++) {
        mc_diskid_file *f = &diskid->file[i];
        if (disk->file[i].exists) {
            uint32_t blocks = (uint32_t)((disk->file[i].size + BLOCK_BYTES - 1) / BLOCK_BYTES);
            ok = reserve(f, blocks);
            f->block_count = blocks;
            f->exists = true;
            f->size = disk->file[i].size;
            add(&diskid->id, file_term(i, f->size, f->sum));
        }
    }
    return ok;
}

/* Relative to the beginning nothing has changed in these blocks yet: the sum stays. */
static bool learn(mc_diskid_file *f, const mc_disk_file *file, uint64_t from, uint64_t to)
{
    bool ok = true;
    for (uint64_t i = from / BLOCK_BYTES; ok && i * BLOCK_BYTES < to && i < f->block_count; i++) {
        ok = block_of(f, (uint32_t)i) != 0 || set_block(f, (uint32_t)i, hash_block(file, i));
    }
    return ok;
}

bool mc_diskid_before(mc_diskid *diskid, const mc_disk *disk, uint16_t number, uint64_t from,
                      uint64_t to, uint64_t size_after)
{
    if (!know(diskid, disk->file_count)) {
        return false;
    }
    mc_diskid_file *f = &diskid->file[number];
    const mc_disk_file *file = &disk->file[number];
    bool ok = !f->exists || learn(f, file, from, to);
    if (ok && f->exists && size_after != f->size) {
        ok = learn(f, file, size_after < f->size ? size_after : f->size, f->size);
    }
    return ok;
}
