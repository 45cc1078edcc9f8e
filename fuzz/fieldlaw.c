#include "fuzz/fieldlaw.h"

#include "core/v1.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { METADATA = 0, CHUNK = 1, CHUNK_BYTES = 4096, SIZE_MAX_BYTES = 128 * 1024 * 1024 };

static bool is_of(const mc_kv_entry *entry, uint8_t kind, uint8_t tag)
{
    const uint8_t prefix[4] = {0x08, 0x01, kind, tag};
    return entry->key_size >= 4 && memcmp(entry->key, prefix, 4) == 0 &&
           (kind == CHUNK || entry->key_size == 4);
}

/* The pair number `rank` of that kind in the order of keys; or null. */
static const mc_kv_entry *find(const mc_kvstore *store, uint8_t kind, uint8_t tag, size_t rank)
{
    for (size_t i = 0; i < store->count; i++) {
        if (is_of(&store->entry[i], kind, tag) && rank-- == 0) {
            return &store->entry[i];
        }
    }
    return NULL;
}

static size_t count_chunks(const mc_kvstore *store)
{
    size_t count = 0;
    for (size_t i = 0; i < store->count; i++) {
        count += is_of(&store->entry[i], CHUNK, 0);
    }
    return count;
}

/* Rule 3. */
static const char *wrong_chunks(const mc_kvstore *store, uint64_t size, size_t count)
{
    uint64_t wanted = (size + CHUNK_BYTES - 1) / CHUNK_BYTES;
    const mc_kv_entry *first = find(store, CHUNK, 0, 0);
    for (uint64_t i = 0; i < count && i <= wanted; i++) {
        if (first[i].key_size != 8) {
            return "chunk-key-length";
        }
    }
    if (count != wanted) {
        return "chunk-count";
    }
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *k = first[i].key;
        uint64_t index = (uint64_t)k[4] << 24 | (uint64_t)k[5] << 16 | (uint64_t)k[6] << 8 | k[7];
        if (index != i) {
            return "chunk-gap";
        }
        if (first[i].value_size > CHUNK_BYTES) {
            return "chunk-too-long";
        }
        if (i * CHUNK_BYTES + first[i].value_size > size) {
            return "chunk-past-size";
        }
    }
    return NULL;
}

/* Rule 4, of a size that is not 0. */
static const char *wrong_header(const mc_kv_entry *first, uint64_t size)
{
    uint8_t head[18] = {0};
    for (uint32_t i = 0; i < sizeof head && i < first->value_size; i++) {
        head[i] = first->value[i];
    }
    uint32_t page_size = (uint32_t)head[16] << 8 | head[17];
    page_size = page_size == 1 ? 65536 : page_size;
    if (size < sizeof head) {
        return "main-too-small";
    }
    if (memcmp(head, "SQLite format 3", 16) != 0) {
        return "bad-magic";
    }
    if (page_size < 512 || page_size > 65536) {
        return "page-size-range";
    }
    return page_size != CHUNK_BYTES ? "page-size-unsupported"
           : size % page_size != 0  ? "not-page-aligned"
                                    : NULL;
}

const char *mc_fieldlaw_refusal(const mc_kvstore *store, bool reject, uint32_t *pages)
{
    static const char *const sidecar[] = {"journal-exists", "wal-exists", "shm-exists"};
    *pages = 0;
    for (uint8_t tag = 1; reject && tag <= 3; tag++) {
        if (find(store, METADATA, tag, 0) != NULL || find(store, CHUNK, tag, 0) != NULL) {
            return sidecar[tag - 1];
        }
    }
    const mc_kv_entry *metadata = find(store, METADATA, 0, 0);
    size_t chunks = count_chunks(store);
    if (metadata == NULL) {
        return chunks == 0 ? "main-missing-metadata" : "main-chunks-without-metadata";
    }
    if (metadata->value_size != 10) {
        return "metadata-length";
    }
    if (metadata->value[0] != 1 || metadata->value[1] != 0) {
        return "metadata-version";
    }
    uint64_t size = 0;
    for (int i = 9; i >= 2; i--) {
        size = size << 8 | metadata->value[i];
    }
    if (size > SIZE_MAX_BYTES) {
        return "over-size-limit";
    }
    const char *wrong = wrong_chunks(store, size, chunks);
    if (wrong != NULL || size == 0) {
        return wrong;
    }
    *pages = (uint32_t)chunks;
    return wrong_header(find(store, CHUNK, 0, 0), size);
}

/* A page is its chunk, filled up with zeros. */
static bool is_page(const uint8_t *page, const mc_kv_entry *chunk)
{
    for (uint32_t i = 0; i < CHUNK_BYTES; i++) {
        if (page[i] != (i < chunk->value_size ? chunk->value[i] : 0)) {
            return false;
        }
    }
    return true;
}

static bool judge(const mc_kvstore *store, bool reject, mc_status status, const mc_import *import,
                  const mc_error *error, mc_law *law)
{
    uint32_t pages;
    const char *expected = mc_fieldlaw_refusal(store, reject, &pages);
    const char *who = reject ? "reject" : "abandon";
    if (status != MC_OK && (!mc_law_error(law, status, error) || status == MC_NO_MEMORY)) {
        return law->broken == NULL;
    }
    const char *found = status == MC_OK ? NULL : error->reason;
    if ((found == NULL) != (expected == NULL) ||
        (found != NULL && (status != MC_REFUSED || strcmp(found, expected) != 0))) {
        return mc_law_broken(law, "field-rule", "%s: the rules say %s, found %s", who,
                             expected == NULL ? "imported" : expected,
                             found == NULL ? "imported" : found);
    }
    if (status != MC_OK) {
        return true;
    }
    if (import->image.page_count != pages || (pages > 0 && import->image.page_size != 4096)) {
        return mc_law_broken(law, "field-pages", "%s: expected %u pages, found %u of %u bytes", who,
                             pages, import->image.page_count, import->image.page_size);
    }
    for (uint32_t i = 0; i < pages; i++) {
        if (!is_page(import->image.page[i], find(store, CHUNK, 0, 0) + i)) {
            return mc_law_broken(law, "field-content", "%s: page %u is not its chunk", who, i + 1);
        }
    }
    return true;
}

bool mc_fieldlaw_holds(const mc_kvstore *store, const mc_importer *importer, bool reject,
                       mc_arena *arena, mc_law *law)
{
    mc_pair *pair = mc_arena_calloc(arena, store->count, sizeof *pair);
    if (pair == NULL) {
        return true; /* without memory there is no answer to judge */
    }
    mc_input input = {.kind = MC_INPUT_STORE};
    mc_import import = {0};
    mc_error error = {0};
    mc_kvstore_view(store, pair, &input.store);
    mc_status status = importer->import(&input, arena, &import, &error);
    return judge(store, reject, status, &import, &error, law);
}

/* Below which index the VFS sees a chunk of main; false where nobody can say. */
static bool visible_chunks(const mc_kvstore *store, uint64_t *count)
{
    const mc_kv_entry *metadata = find(store, METADATA, 0, 0);
    *count = 0;
    if (metadata == NULL) {
        return true;
    }
    uint64_t size = 0;
    for (uint32_t i = 9; i >= 2 && metadata->value_size == 10; i--) {
        size = size << 8 | metadata->value[i];
    }
    *count = size / CHUNK_BYTES + (size % CHUNK_BYTES != 0);
    return metadata->value_size == 10 && metadata->value[0] == 1 && metadata->value[1] == 0 &&
           size <= MC_V1_FILE_BYTES_MAX;
}

bool mc_fieldlaw_sweeps(const mc_kvstore *store, mc_arena *arena, mc_law *law)
{
    mc_pair *pair = mc_arena_calloc(arena, store->count, sizeof *pair);
    if (pair == NULL) {
        return true;
    }
    mc_store view;
    size_t keys;
    uint64_t bytes;
    mc_kvstore_view(store, pair, &view);
    mc_v1_orphans(&view, &keys, &bytes);
    uint64_t visible;
    bool known = visible_chunks(store, &visible);
    for (size_t i = 0; i < store->count; i++) {
        const mc_kv_entry *entry = &store->entry[i];
        const uint8_t *k = entry->key;
        bool orphan = false;
        for (uint8_t tag = 1; tag <= 3; tag++) {
            orphan |=
                is_of(entry, METADATA, tag) || (is_of(entry, CHUNK, tag) && entry->key_size == 8);
        }
        if (known && is_of(entry, CHUNK, 0) && entry->key_size == 8) {
            uint64_t index =
                (uint64_t)k[4] << 24 | (uint64_t)k[5] << 16 | (uint64_t)k[6] << 8 | k[7];
            orphan |= index >= visible;
        }
        keys -= orphan;
        bytes -= orphan ? entry->key_size + (uint64_t)entry->value_size : 0;
    }
    return (keys == 0 && bytes == 0) ||
           mc_law_broken(law, "orphans",
                         "the rule names other pairs: %" PRId64 " more, %" PRId64 " bytes",
                         -(int64_t)keys, -(int64_t)bytes);
}
