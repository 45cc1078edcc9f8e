#include "core/v1.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "core/bytes.h"

enum { PREFIX = 0x08, SCHEMA = 0x01, METADATA = 0x00, CHUNK = 0x01, VERSION = 1 };

const char *const mc_v1_tag_names[MC_V1_TAGS] = {"main", "journal", "wal", "shm"};

void mc_v1_metadata_key(uint8_t key[MC_V1_METADATA_KEY_BYTES], mc_v1_tag tag)
{
    assert(tag < MC_V1_TAGS);
    key[0] = PREFIX;
    key[1] = SCHEMA;
    key[2] = METADATA;
    key[3] = (uint8_t)tag;
}

void mc_v1_chunk_key(uint8_t key[MC_V1_CHUNK_KEY_BYTES], mc_v1_tag tag, uint32_t index)
{
    assert(tag < MC_V1_TAGS);
    key[0] = PREFIX;
    key[1] = SCHEMA;
    key[2] = CHUNK;
    key[3] = (uint8_t)tag;
    mc_bytes_put_be32(key + 4, index);
}

void mc_v1_encode_metadata(uint8_t value[MC_V1_METADATA_BYTES], uint64_t size_bytes)
{
    mc_bytes_put_le16(value, VERSION);
    mc_bytes_put_le64(value + 2, size_bytes);
}

mc_status mc_v1_decode_metadata(const uint8_t *value, uint32_t value_size, mc_v1_tag tag,
                                uint64_t *size_bytes, mc_error *error)
{
    if (value_size != MC_V1_METADATA_BYTES) {
        return mc_fail(error, MC_REFUSED, "metadata-length",
                       "%s: metadata: expected %d bytes, found %" PRIu32, mc_v1_tag_names[tag],
                       MC_V1_METADATA_BYTES, value_size);
    }
    uint16_t version = mc_bytes_get_le16(value);
    if (version != VERSION) {
        return mc_fail(error, MC_REFUSED, "metadata-version",
                       "%s: metadata: expected version %d, found %u", mc_v1_tag_names[tag], VERSION,
                       (unsigned)version);
    }
    *size_bytes = mc_bytes_get_le64(value + 2);
    return MC_OK;
}

mc_status mc_v1_file_size(const mc_v1_file *file, mc_v1_tag tag, uint64_t *size_bytes,
                          mc_error *error)
{
    assert(file->metadata != NULL);
    mc_status status = mc_v1_decode_metadata(file->metadata->value, file->metadata->value_size, tag,
                                             size_bytes, error);
    if (status != MC_OK) {
        return status;
    }
    if (*size_bytes > MC_V1_FILE_BYTES_MAX) {
        return mc_fail(error, MC_REFUSED, "metadata-size",
                       "%s: metadata: expected a size of at most %" PRIu64 " bytes, found %" PRIu64,
                       mc_v1_tag_names[tag], MC_V1_FILE_BYTES_MAX, *size_bytes);
    }
    return MC_OK;
}

bool mc_v1_chunk_index(const mc_pair *pair, uint32_t *index)
{
    if (pair->key_size != MC_V1_CHUNK_KEY_BYTES) {
        return false;
    }
    *index = mc_bytes_get_be32(pair->key + 4);
    return true;
}

/* <0, 0, >0: the key sorts before, begins with, sorts after the prefix. */
static int compare_prefix(const mc_pair *pair, const uint8_t *prefix, uint32_t prefix_size)
{
    uint32_t shared = pair->key_size < prefix_size ? pair->key_size : prefix_size;
    int order = shared == 0 ? 0 : memcmp(pair->key, prefix, shared);
    return order != 0 || shared == prefix_size ? order : -1;
}

/* The first pair whose key does not sort before the prefix or, with `after`, sorts after it. */
static size_t find_prefix(const mc_store *store, const uint8_t *prefix, bool after)
{
    size_t low = 0;
    size_t high = store->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_prefix(&store->pair[middle], prefix, MC_V1_METADATA_KEY_BYTES);
        if (order < 0 || (after && order == 0)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void mc_v1_parse(const mc_store *store, mc_v1 *out)
{
    *out = (mc_v1){0};
    for (int tag = 0; tag < MC_V1_TAGS; tag++) {
        uint8_t key[MC_V1_CHUNK_KEY_BYTES];
        mc_v1_metadata_key(key, (mc_v1_tag)tag);
        size_t at = find_prefix(store, key, false);
        if (at < store->count && store->pair[at].key_size == MC_V1_METADATA_KEY_BYTES &&
            memcmp(store->pair[at].key, key, MC_V1_METADATA_KEY_BYTES) == 0) {
            out->file[tag].metadata = &store->pair[at];
        }
        mc_v1_chunk_key(key, (mc_v1_tag)tag, 0);
        size_t first = find_prefix(store, key, false);
        out->file[tag].chunk = store->count == 0 ? NULL : store->pair + first;
        out->file[tag].chunk_count = find_prefix(store, key, true) - first;
    }
}

static mc_status read_file(const mc_v1_file *file, mc_v1_tag tag, mc_arena *arena, mc_file *out,
                           mc_error *error)
{
    if (file->metadata == NULL) {
        return MC_OK;
    }
    uint64_t size;
    mc_status status = mc_v1_file_size(file, tag, &size, error);
    return status == MC_OK ? mc_v1_show(file, tag, size, arena, out, error) : status;
}

mc_status mc_v1_show(const mc_v1_file *file, mc_v1_tag tag, uint64_t size, mc_arena *arena,
                     mc_file *out, mc_error *error)
{
    *out = (mc_file){.exists = true};
    if (size == 0) {
        return MC_OK;
    }
    if (!mc_arena_fits(arena, size)) {
        return mc_fail(error, MC_REFUSED, "too-large",
                       "%s: metadata: a size of %" PRIu64 " bytes passes the limit of memory",
                       mc_v1_tag_names[tag], size);
    }
    uint8_t *data = mc_arena_calloc(arena, (size_t)size, 1);
    if (data == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "%s: no memory for %" PRIu64 " bytes",
                       mc_v1_tag_names[tag], size);
    }
    for (size_t i = 0; i < file->chunk_count; i++) {
        const mc_pair *pair = &file->chunk[i];
        uint32_t index;
        if (!mc_v1_chunk_index(pair, &index)) {
            continue;
        }
        uint64_t offset = (uint64_t)index * MC_V1_CHUNK_BYTES;
        if (offset >= size) {
            break;
        }
        uint64_t copied = pair->value_size;
        copied = copied < MC_V1_CHUNK_BYTES ? copied : MC_V1_CHUNK_BYTES;
        copied = copied < size - offset ? copied : size - offset;
        if (copied > 0) {
            memcpy(data + offset, pair->value, (size_t)copied);
        }
    }
    out->data = data;
    out->size = size;
    return MC_OK;
}

mc_status mc_v1_files(const mc_store *store, mc_arena *arena, mc_files *out, mc_error *error)
{
    *out = (mc_files){0};
    mc_v1 v1;
    mc_v1_parse(store, &v1);
    mc_file *const target[] = {&out->main, &out->journal, &out->wal};
    for (int tag = MC_V1_MAIN; tag < MC_V1_SHM; tag++) {
        mc_status status = read_file(&v1.file[tag], (mc_v1_tag)tag, arena, target[tag], error);
        if (status != MC_OK) {
            return status;
        }
    }
    out->shm.exists = v1.file[MC_V1_SHM].metadata != NULL;
    return MC_OK;
}

bool mc_v1_is_orphan(const mc_v1 *v1, const mc_pair *pair)
{
    if (pair->key_size < MC_V1_METADATA_KEY_BYTES || pair->key[0] != PREFIX ||
        pair->key[1] != SCHEMA || pair->key[3] >= MC_V1_TAGS) {
        return false;
    }
    bool sidecar = pair->key[3] != MC_V1_MAIN;
    if (pair->key[2] == METADATA) {
        return sidecar && pair->key_size == MC_V1_METADATA_KEY_BYTES;
    }
    uint32_t index;
    if (pair->key[2] != CHUNK || !mc_v1_chunk_index(pair, &index)) {
        return false;
    }
    const mc_v1_file *main = &v1->file[MC_V1_MAIN];
    if (sidecar || main->metadata == NULL) {
        return true;
    }
    uint64_t size;
    mc_error ignored;
    return mc_v1_file_size(main, MC_V1_MAIN, &size, &ignored) == MC_OK &&
           (uint64_t)index * MC_V1_CHUNK_BYTES >= size;
}

void mc_v1_orphans(const mc_store *store, size_t *keys, uint64_t *bytes)
{
    mc_v1 v1;
    mc_v1_parse(store, &v1);
    *keys = 0;
    *bytes = 0;
    for (size_t i = 0; i < store->count; i++) {
        const mc_pair *pair = &store->pair[i];
        if (mc_v1_is_orphan(&v1, pair)) {
            *keys += 1;
            *bytes += (uint64_t)pair->key_size + pair->value_size;
        }
    }
}
