/* idmap.h: a map from 128-bit ids to small numbers, for sets of visited states: one probe, 24 bytes
 * an entry, no allocation but for growth. Ids are hashes already, so their low half is the hash. */
#ifndef MIDCOMMIT_HARNESS_JUDGE_IDMAP_H
#define MIDCOMMIT_HARNESS_JUDGE_IDMAP_H

#include "core/image.h"

typedef struct mc_idmap_entry {
    mc_hash128 id;
    uint32_t value; /* plus one; 0: free */
} mc_idmap_entry;

typedef struct mc_idmap {
    mc_idmap_entry *entry;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
} mc_idmap;

/* Zero-initialise. */
void mc_idmap_free(mc_idmap *map);

/* True and the value, if the id is there. */
bool mc_idmap_get(const mc_idmap *map, mc_hash128 id, uint32_t *value);

/* Adds an id that is not there yet. False without memory. */
bool mc_idmap_put(mc_idmap *map, mc_hash128 id, uint32_t value);

#endif
