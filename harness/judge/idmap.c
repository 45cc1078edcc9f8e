#include "harness/judge/idmap.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static size_t find(const mc_idmap *map, mc_hash128 id)
{
    size_t at = (size_t)id.low & (map->capacity - 1);
    while (map->entry[at].value != 0 && !mc_hash128_equal(map->entry[at].id, id)) {
        at = (at + 1) & (map->capacity - 1);
    }
    return at;
}

static bool grow(mc_idmap *map)
{
    mc_idmap bigger = {.capacity = map->capacity == 0 ? 256 : map->capacity * 2};
    bigger.entry = calloc(bigger.capacity, sizeof *bigger.entry);
    if (bigger.entry == NULL) {
        return false;
    }
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->entry[i].value != 0) {
            bigger.entry[find(&bigger, map->entry[i].id)] = map->entry[i];
        }
    }
    bigger.count = map->count;
    free(map->entry);
    *map = bigger;
    return true;
}

void mc_idmap_free(mc_idmap *map)
{
    free(map->entry);
    memset(map, 0, sizeof *map);
}

bool mc_idmap_get(const mc_idmap *map, mc_hash128 id, uint32_t *value)
{
    if (map->capacity == 0) {
        return false;
    }
    const mc_idmap_entry *entry = &map->entry[find(map, id)];
    if (entry->value == 0) {
        return false;
    }
    *value = entry->value - 1;
    return true;
}

bool mc_idmap_put(mc_idmap *map, mc_hash128 id, uint32_t value)
{
    assert(value < UINT32_MAX);
    if (map->count * 3 >= map->capacity * 2 && !grow(map)) {
        return false;
    }
    size_t at = find(map, id);
    assert(map->entry[at].value == 0);
    map->entry[at] = (mc_idmap_entry){id, value + 1};
    map->count++;
    return true;
}
