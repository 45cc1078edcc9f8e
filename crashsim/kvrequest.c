#include "crashsim/kvrequest.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"

enum { REQUEST_FIRST_BYTES = 64 * 1024 };

void mc_kvrequest_free(mc_kvrequest *request)
{
    free(request->data);
    *request = (mc_kvrequest){0};
}

void mc_kvrequest_begin(mc_kvrequest *request)
{
    request->size = 0;
    request->keys = 0;
    request->failed = false;
}

static uint8_t *make_room(mc_kvrequest *request, size_t size)
{
    if (request->size + size > request->capacity) {
        size_t capacity = request->capacity == 0 ? REQUEST_FIRST_BYTES : request->capacity;
        while (capacity < request->size + size) {
            capacity *= 2;
        }
        uint8_t *moved = realloc(request->data, capacity);
        if (moved == NULL) {
            request->failed = true;
            return NULL;
        }
        request->data = moved;
        request->capacity = capacity;
    }
    uint8_t *room = request->data + request->size;
    request->size += size;
    return room;
}

static void add_key(mc_kvrequest *request, const uint8_t *key, size_t key_size)
{
    uint8_t *room = make_room(request, 1 + key_size);
    if (room != NULL) {
        room[0] = (uint8_t)key_size;
        memcpy(room + 1, key, key_size);
        request->keys++;
    }
}

static void add_value(mc_kvrequest *request, const uint8_t *value, uint32_t value_size)
{
    uint8_t *room = make_room(request, 4 + (size_t)value_size);
    if (room != NULL) {
        mc_bytes_put_le32(room, value_size);
        memcpy(room + 4, value, value_size);
    }
}

void mc_kvrequest_metadata_key(mc_kvrequest *request, mc_v1_tag tag)
{
    uint8_t key[MC_V1_METADATA_KEY_BYTES];
    mc_v1_metadata_key(key, tag);
    add_key(request, key, sizeof key);
}

void mc_kvrequest_chunk_key(mc_kvrequest *request, mc_v1_tag tag, uint32_t index)
{
    uint8_t key[MC_V1_CHUNK_KEY_BYTES];
    mc_v1_chunk_key(key, tag, index);
    add_key(request, key, sizeof key);
}

void mc_kvrequest_put_metadata(mc_kvrequest *request, mc_v1_tag tag, uint64_t size_bytes)
{
    uint8_t value[MC_V1_METADATA_BYTES];
    mc_v1_encode_metadata(value, size_bytes);
    mc_kvrequest_metadata_key(request, tag);
    add_value(request, value, sizeof value);
}

void mc_kvrequest_put_chunk(mc_kvrequest *request, mc_v1_tag tag, uint32_t index,
                            const uint8_t *data, uint32_t size)
{
    mc_kvrequest_chunk_key(request, tag, index);
    add_value(request, data, size);
}

/* The store borrows the bytes, so they move to where they will stay: the trace, or the arena. */
static const uint8_t *record(mc_kvrequest *request, mc_op_kind kind)
{
    mc_trace *trace = request->trace;
    if (trace == NULL) {
        uint8_t *copy = mc_arena_alloc(request->arena, request->size);
        if (copy != NULL) {
            memcpy(copy, request->data, request->size);
        }
        return copy;
    }
    mc_error error;
    mc_op op = {.kind = (uint8_t)kind,
                .file = MC_DISK_NONE,
                .size = (uint32_t)request->size,
                .offset = request->keys,
                .data = request->data,
                .statement = request->statement == NULL ? 0 : *request->statement};
    return mc_trace_add(trace, op, &error) == MC_OK ? trace->op[trace->op_count - 1].data : NULL;
}

bool mc_kvrequest_send(mc_kvrequest *request, mc_op_kind kind)
{
    request->answered++;
    if (request->failed) {
        return false;
    }
    assert(request->keys > 0 && request->keys <= MC_KV_REQUEST_KEYS_MAX);
    assert(request->size <= UINT32_MAX);
    mc_error error;
    const uint8_t *data = record(request, kind);
    return data != NULL && mc_kvstore_apply(request->store, (int)kind, data, request->size,
                                            request->keys, &error) == MC_OK;
}

bool mc_kvrequest_delete_range(mc_kvrequest *request, mc_v1_tag tag, uint32_t first)
{
    uint8_t end[MC_V1_CHUNK_KEY_BYTES];
    mc_v1_chunk_key(end, tag, 0);
    end[3]++; /* the next tag's chunks */
    mc_kvrequest_begin(request);
    mc_kvrequest_chunk_key(request, tag, first);
    add_key(request, end, MC_V1_METADATA_KEY_BYTES);
    return mc_kvrequest_send(request, MC_OP_KV_DELETE_RANGE);
}

/* One past the last chunk that the store has of a file. */
static uint64_t stored_chunks(const mc_kvstore *store, mc_v1_tag tag)
{
    uint8_t key[MC_V1_CHUNK_KEY_BYTES];
    mc_v1_chunk_key(key, tag, 0);
    for (size_t i = store->count; i > 0; i--) {
        const mc_kv_entry *entry = &store->entry[i - 1];
        int order = memcmp(entry->key, key, MC_V1_METADATA_KEY_BYTES);
        if (order < 0) {
            break;
        }
        if (order == 0 && entry->key_size == MC_V1_CHUNK_KEY_BYTES) {
            return (uint64_t)mc_bytes_get_be32(entry->key + 4) + 1;
        }
    }
    return 0;
}

bool mc_kvrequest_delete_keys(mc_kvrequest *request, mc_v1_tag tag, bool metadata, uint64_t first,
                              uint64_t end)
{
    uint64_t stored = stored_chunks(request->store, tag);
    end = end < stored ? end : stored;
    mc_kvrequest_begin(request);
    if (metadata) {
        mc_kvrequest_metadata_key(request, tag);
    }
    for (uint64_t index = first; index < end; index++) {
        if (request->keys == MC_KV_REQUEST_KEYS_MAX) {
            if (!mc_kvrequest_send(request, MC_OP_KV_DELETE)) {
                return false;
            }
            mc_kvrequest_begin(request);
        }
        mc_kvrequest_chunk_key(request, tag, (uint32_t)index);
    }
    return request->keys == 0 || mc_kvrequest_send(request, MC_OP_KV_DELETE);
}
