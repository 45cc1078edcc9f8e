#include "crashsim/kvstore.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/bytes.h"
#include "crashsim/trace.h"

const char *const mc_kv_crash_names[MC_KV_BUILDS] = {"kv:journal", "kv:batch", "kv:batch-128"};

enum { ENTRIES_FIRST = 64 };

void mc_kvstore_free(mc_kvstore *store)
{
    free(store->entry);
    *store = (mc_kvstore){0};
}

static bool reserve(mc_kvstore *store, size_t need)
{
    if (need <= store->capacity) {
        return true;
    }
    size_t capacity = store->capacity == 0 ? ENTRIES_FIRST : store->capacity;
    while (capacity < need) {
        capacity *= 2;
    }
    mc_kv_entry *moved = realloc(store->entry, capacity * sizeof *moved);
    if (moved == NULL) {
        return false;
    }
    store->entry = moved;
    store->capacity = capacity;
    return true;
}

bool mc_kvstore_copy(mc_kvstore *target, const mc_kvstore *source)
{
    assert(target != source);
    if (!reserve(target, source->count)) {
        return false;
    }
    if (source->count > 0) {
        memcpy(target->entry, source->entry, source->count * sizeof *source->entry);
    }
    target->count = source->count;
    return true;
}

static int compare_key(const mc_kv_entry *entry, const uint8_t *key, uint32_t key_size)
{
    uint32_t shared = entry->key_size < key_size ? entry->key_size : key_size;
    int order = shared == 0 ? 0 : memcmp(entry->key, key, shared);
    if (order != 0) {
        return order;
    }
    return (entry->key_size > key_size) - (entry->key_size < key_size);
}

/* The position of the first entry that does not sort before the key. */
static size_t find(const mc_kvstore *store, const uint8_t *key, uint32_t key_size)
{
    size_t low = 0;
    size_t high = store->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_key(&store->entry[middle], key, key_size) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_at(const mc_kvstore *store, size_t at, const uint8_t *key, uint32_t key_size)
{
    return at < store->count && compare_key(&store->entry[at], key, key_size) == 0;
}

const mc_kv_entry *mc_kvstore_get(const mc_kvstore *store, const uint8_t *key, uint32_t key_size)
{
    size_t at = find(store, key, key_size);
    return is_at(store, at, key, key_size) ? &store->entry[at] : NULL;
}

bool mc_kvstore_put(mc_kvstore *store, const uint8_t *key, uint32_t key_size, const uint8_t *value,
                    uint32_t value_size)
{
    assert(key_size <= MC_KV_KEY_MAX);
    assert(value != NULL || value_size == 0);
    mc_kv_entry made = {.key_size = key_size, .value_size = value_size, .value = value};
    memcpy(made.key, key, key_size); /* before anything moves: the key may lie in an entry */
    size_t at = find(store, made.key, key_size);
    if (!is_at(store, at, made.key, key_size)) {
        if (!reserve(store, store->count + 1)) {
            return false;
        }
        memmove(store->entry + at + 1, store->entry + at,
                (store->count - at) * sizeof *store->entry);
        store->count++;
    }
    store->entry[at] = made;
    return true;
}

static void delete_between(mc_kvstore *store, size_t first, size_t end)
{
    assert(first <= end && end <= store->count);
    if (first == end) {
        return;
    }
    memmove(store->entry + first, store->entry + end, (store->count - end) * sizeof *store->entry);
    store->count -= end - first;
}

void mc_kvstore_delete(mc_kvstore *store, const uint8_t *key, uint32_t key_size)
{
    size_t at = find(store, key, key_size);
    if (is_at(store, at, key, key_size)) {
        delete_between(store, at, at + 1);
    }
}

void mc_kvstore_delete_range(mc_kvstore *store, const uint8_t *first, uint32_t first_size,
                             const uint8_t *end, uint32_t end_size)
{
    size_t first_at = find(store, first, first_size);
    size_t end_at = find(store, end, end_size);
    if (first_at < end_at) {
        delete_between(store, first_at, end_at);
    }
}

/* One key, and for a put its value, of an encoded request. */
typedef struct request_item {
    const uint8_t *key;
    const uint8_t *value;
    uint32_t key_size;
    uint32_t value_size;
} request_item;

static request_item next_item(mc_reader *reader, bool has_value)
{
    request_item item = {0};
    item.key_size = mc_reader_u8(reader);
    item.key = mc_reader_take(reader, item.key_size);
    if (has_value) {
        item.value_size = mc_reader_le32(reader);
        item.value = mc_reader_take(reader, item.value_size);
    }
    if (item.key_size > MC_KV_KEY_MAX) {
        reader->failed = true;
    }
    return item;
}

/* A request happens whole or not at all, so it is read to its end before it changes anything. */
static mc_status check_request(mc_reader reader, bool is_put, uint64_t keys, mc_error *error)
{
    for (uint64_t i = 0; i < keys && !reader.failed; i++) {
        (void)next_item(&reader, is_put);
    }
    if (reader.failed || mc_reader_left(&reader) != 0) {
        return mc_fail(error, MC_MALFORMED, "bad-request",
                       "key-value request: expected %" PRIu64
                       " keys of at most %d bytes in %" PRIu64 " bytes",
                       keys, MC_KV_KEY_MAX, reader.bytes.size);
    }
    return MC_OK;
}

mc_status mc_kvstore_apply(mc_kvstore *store, int op_kind, const uint8_t *data, size_t size,
                           uint64_t keys, mc_error *error)
{
    assert(op_kind == MC_OP_KV_PUT || op_kind == MC_OP_KV_DELETE ||
           op_kind == MC_OP_KV_DELETE_RANGE);
    bool is_put = op_kind == MC_OP_KV_PUT;
    mc_reader reader = mc_reader_init(data, size);
    mc_status status = check_request(reader, is_put, keys, error);
    if (status != MC_OK) {
        return status;
    }
    if (op_kind == MC_OP_KV_DELETE_RANGE) {
        if (keys != 2) {
            return mc_fail(error, MC_MALFORMED, "bad-request",
                           "key-value request: expected the 2 keys of a range, found %" PRIu64,
                           keys);
        }
        request_item first = next_item(&reader, false);
        request_item end = next_item(&reader, false);
        mc_kvstore_delete_range(store, first.key, first.key_size, end.key, end.key_size);
        return MC_OK;
    }
    if (is_put &&
        (keys > SIZE_MAX - store->count || !reserve(store, store->count + (size_t)keys))) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory",
                       "key-value store: no memory for %" PRIu64 " more keys", keys);
    }
    for (uint64_t i = 0; i < keys; i++) {
        request_item item = next_item(&reader, is_put);
        if (is_put) {
            bool put = mc_kvstore_put(store, item.key, item.key_size, item.value, item.value_size);
            assert(put); /* the room was reserved */
            (void)put;
        } else {
            mc_kvstore_delete(store, item.key, item.key_size);
        }
    }
    return MC_OK;
}

void mc_kvstore_view(const mc_kvstore *store, mc_pair *pair, mc_store *out)
{
    for (size_t i = 0; i < store->count; i++) {
        const mc_kv_entry *entry = &store->entry[i];
        pair[i] = (mc_pair){.key = entry->key,
                            .value = entry->value,
                            .key_size = entry->key_size,
                            .value_size = entry->value_size};
    }
    *out = (mc_store){.pair = pair, .count = store->count};
}

mc_hash128 mc_kvstore_hash(const mc_kvstore *store)
{
    XXH3_state_t state;
    XXH3_128bits_reset(&state);
    for (size_t i = 0; i < store->count; i++) {
        const mc_kv_entry *entry = &store->entry[i];
        /* Sizes first, so that no two stores feed the same bytes. */
        uint8_t head[8 + MC_KV_KEY_MAX];
        mc_bytes_put_le32(head, entry->key_size);
        mc_bytes_put_le32(head + 4, entry->value_size);
        memcpy(head + 8, entry->key, MC_KV_KEY_MAX); /* padded with zeros by mc_kvstore_put */
        XXH3_128bits_update(&state, head, sizeof head);
        if (entry->value_size > 0) {
            XXH3_128bits_update(&state, entry->value, entry->value_size);
        }
    }
    XXH128_hash_t hash = XXH3_128bits_digest(&state);
    return (mc_hash128){.low = hash.low64, .high = hash.high64};
}
