/* kvstore.h: a v1 key-value store at one moment, and the requests that change it.
 *
 * Keys are at most 16 bytes (v1 has none above 8, core/v1.h).
 * Values are immutable: a put points at new bytes, so copying a store copies an array of pointers
 * and a crash explorer can keep one store per request. Value bytes belong to whoever put them (the
 * trace's arena, a dump's arena). */
#ifndef MIDCOMMIT_CRASHSIM_KVSTORE_H
#define MIDCOMMIT_CRASHSIM_KVSTORE_H

#include "core/importer.h"

/* Twice as long as a v1 key: one that is too long can be kept, and refused for what it is. */
enum { MC_KV_KEY_MAX = 16, MC_KV_REQUEST_KEYS_MAX = 128 };

/* The three builds of the v1 VFS that existed (MODEL.md, The v1 store). */
typedef enum mc_kv_build {
    MC_KV_JOURNAL,   /* no batch-atomic support: every commit uses a rollback journal; native delete
                      */
    MC_KV_BATCH,     /* batch-atomic, delete = metadata, then one delete-range */
    MC_KV_BATCH_128, /* batch-atomic, delete in requests of up to 128 keys, metadata in the first */
    MC_KV_BUILDS
} mc_kv_build;

/* What a crash of each is called: "kv:journal", ... */
extern const char *const mc_kv_crash_names[MC_KV_BUILDS];

typedef struct mc_kv_entry {
    uint8_t key[MC_KV_KEY_MAX];
    uint32_t key_size;
    uint32_t value_size;
    const uint8_t *value;
} mc_kv_entry;

/* A zeroed mc_kvstore is empty. Entries ascend by key. */
typedef struct mc_kvstore {
    mc_kv_entry *entry;
    size_t count;
    size_t capacity;
} mc_kvstore;

void mc_kvstore_free(mc_kvstore *store);
bool mc_kvstore_copy(mc_kvstore *target, const mc_kvstore *source); /* target is overwritten */

/* The entry with that key, or null. */
const mc_kv_entry *mc_kvstore_get(const mc_kvstore *store, const uint8_t *key, uint32_t key_size);

/* False only without memory. The value is borrowed. */
bool mc_kvstore_put(mc_kvstore *store, const uint8_t *key, uint32_t key_size, const uint8_t *value,
                    uint32_t value_size);
void mc_kvstore_delete(mc_kvstore *store, const uint8_t *key, uint32_t key_size);
void mc_kvstore_delete_range(mc_kvstore *store, const uint8_t *first, uint32_t first_size,
                             const uint8_t *end, uint32_t end_size);

/* One request as bytes, as a trace keeps it. Per key: u8 key size, key; for a put also u32 LE value
 * size, value. Applies one request; `keys` is the number of keys. Values stay in `data`. */
mc_status mc_kvstore_apply(mc_kvstore *store, int op_kind, const uint8_t *data, size_t size,
                           uint64_t keys, mc_error *error);

/* The importer's view: `pair` has room for store->count pairs. */
void mc_kvstore_view(const mc_kvstore *store, mc_pair *pair, mc_store *out);

/* XXH3-128 over keys, sizes and values: equal exactly when the stores are equal. */
mc_hash128 mc_kvstore_hash(const mc_kvstore *store);

#endif
