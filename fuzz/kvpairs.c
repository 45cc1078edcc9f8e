#include "fuzz/kvpairs.h"

#include <stdio.h>
#include <string.h>

#include "crashsim/dump.h"
#include "fuzz/pieces.h"

bool mc_kvpairs_store(const uint8_t *data, size_t size, mc_kvstore *store)
{
    static mc_piece piece[MC_PIECES_MAX];
    size_t count = mc_pieces_read(data, size, piece);
    *store = (mc_kvstore){0};
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        const mc_piece *p = &piece[i];
        if (p->tag != MC_PIECE_PAIR || p->size < 1 || p->data[0] > MC_KV_KEY_MAX ||
            p->data[0] > p->size - 1) {
            continue;
        }
        uint32_t key_size = p->data[0];
        ok = mc_kvstore_put(store, p->data + 1, key_size, p->data + 1 + key_size,
                            p->size - 1 - key_size);
    }
    return ok;
}

bool mc_kvpairs_add(uint8_t *buffer, size_t *size, size_t capacity, const mc_kvstore *store)
{
    static uint8_t pair[1 << 20];
    bool ok = true;
    for (size_t i = 0; ok && i < store->count; i++) {
        const mc_kv_entry *e = &store->entry[i];
        size_t pair_size = 1 + (size_t)e->key_size + e->value_size;
        if (pair_size > sizeof pair) {
            return false;
        }
        pair[0] = (uint8_t)e->key_size;
        memcpy(pair + 1, e->key, e->key_size);
        if (e->value_size > 0) {
            memcpy(pair + 1 + e->key_size, e->value, e->value_size);
        }
        ok = mc_pieces_add(buffer, size, capacity, MC_PIECE_PAIR, pair, pair_size);
    }
    return ok;
}

mc_status mc_kvpairs_files(const uint8_t *data, size_t size, const char *dir, char *state,
                           size_t state_size, mc_error *error)
{
    mc_kvstore store;
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/kv.jsonl", dir);
    FILE *file = mc_kvpairs_store(data, size, &store) ? fopen(path, "wb") : NULL;
    mc_status status = file == NULL ? mc_fail(error, MC_IO, "write", "%s: cannot be written", path)
                                    : mc_dump_write(&store, file, path, error);
    if (file != NULL && fclose(file) != 0 && status == MC_OK) {
        status = mc_fail(error, MC_IO, "write", "%s: cannot be written", path);
    }
    mc_kvstore_free(&store);
    (void)snprintf(state, state_size, "kv.jsonl");
    return status;
}
