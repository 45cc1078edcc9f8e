#include "fuzz/ltxlaw.h"

#include <string.h>

enum { TXID = 7, TIMESTAMP_MS = -1, CUTS_TRIED = 4 };

static uint64_t next(uint64_t *salt)
{
    *salt = *salt * 6364136223846793005u + 1442695040888963407u;
    return *salt >> 33;
}

bool mc_ltxlaw_equal(const mc_ltx *a, const mc_ltx *b)
{
    bool equal = a->page_size == b->page_size && a->commit_pages == b->commit_pages &&
                 a->min_txid == b->min_txid && a->max_txid == b->max_txid &&
                 a->timestamp_ms == b->timestamp_ms && a->page_count == b->page_count;
    for (uint32_t i = 0; equal && i < a->page_count; i++) {
        equal = a->page[i].number == b->page[i].number &&
                memcmp(a->page[i].data, b->page[i].data, a->page_size) == 0;
    }
    return equal;
}

static bool refuses(mc_bytes bytes, mc_arena *arena, const char *what, mc_law *law)
{
    mc_ltx decoded;
    mc_error error = {0};
    mc_status status = mc_ltx_decode(bytes, arena, &decoded, &error);
    if (status == MC_OK) {
        return mc_law_broken(law, "ltx-lenient", "%s decodes", what);
    }
    return mc_law_error(law, status, &error);
}

/* The bytes end where their memory ends, so that a sanitizer sees a read past them. */
static bool refuses_resized(mc_bytes bytes, uint64_t size, mc_arena *arena, const char *what,
                            mc_law *law)
{
    mc_arena exact = {.limit_bytes = SIZE_MAX / 2};
    uint8_t *copy = mc_arena_calloc(&exact, size, 1);
    bool holds = true;
    if (copy != NULL) {
        memcpy(copy, bytes.data, size < bytes.size ? size : bytes.size);
        holds = refuses((mc_bytes){size > 0 ? copy : NULL, size}, arena, what, law);
    }
    mc_arena_free(&exact);
    return holds;
}

bool mc_ltxlaw_encoded(const mc_ltx *ltx, mc_bytes bytes, uint64_t salt, mc_arena *arena,
                       mc_law *law)
{
    mc_ltx decoded;
    mc_error error = {0};
    mc_status status = mc_ltx_decode(bytes, arena, &decoded, &error);
    if (status == MC_NO_MEMORY) {
        return mc_law_error(law, status, &error);
    }
    if (status != MC_OK || !mc_ltxlaw_equal(ltx, &decoded)) {
        return mc_law_broken(law, "ltx-roundtrip", "%u pages of %u do not come back: %s",
                             ltx->page_count, ltx->page_size,
                             status == MC_OK ? "others do" : error.text);
    }
    bool holds = refuses_resized(bytes, bytes.size + 1, arena, "a zero behind the end", law);
    for (int i = 0; holds && i < CUTS_TRIED; i++) {
        uint64_t cut = i == 0 ? bytes.size - 1 : next(&salt) % bytes.size;
        holds = refuses_resized(bytes, cut, arena, "a part", law);
    }
    return holds;
}

bool mc_ltxlaw_bytes(mc_bytes bytes, mc_arena *arena, mc_law *law)
{
    mc_ltx first;
    mc_ltx second;
    mc_bytes again;
    mc_error error = {0};
    mc_status status = mc_ltx_decode(bytes, arena, &first, &error);
    if (status != MC_OK) {
        return (status == MC_MALFORMED || status == MC_NO_MEMORY)
                   ? mc_law_error(law, status, &error)
                   : mc_law_broken(law, "ltx-status", "the decoder says status %d", (int)status);
    }
    status = mc_ltx_encode(&first, arena, &again, &error);
    status = status == MC_OK ? mc_ltx_decode(again, arena, &second, &error) : status;
    if (status == MC_NO_MEMORY) {
        return mc_law_error(law, status, &error);
    }
    if (status != MC_OK || !mc_ltxlaw_equal(&first, &second)) {
        return mc_law_broken(law, "ltx-meaning", "what decoded does not come back: %s",
                             status == MC_OK ? "other pages do" : error.text);
    }
    return true;
}

bool mc_ltxlaw_image(const mc_image *image, uint64_t salt, mc_arena *arena, mc_law *law)
{
    mc_ltx ltx;
    mc_bytes bytes;
    mc_bytes again;
    mc_error error = {0};
    mc_status status = mc_ltx_from_image(image, TXID, TIMESTAMP_MS, arena, &ltx, &error);
    status = status == MC_OK ? mc_ltx_encode(&ltx, arena, &bytes, &error) : status;
    status = status == MC_OK ? mc_ltx_encode(&ltx, arena, &again, &error) : status;
    if (status != MC_OK) {
        return status == MC_NO_MEMORY
                   ? mc_law_error(law, status, &error)
                   : mc_law_broken(law, "ltx-encode", "an image does not encode: %s", error.text);
    }
    if (bytes.size != again.size || memcmp(bytes.data, again.data, bytes.size) != 0) {
        return mc_law_broken(law, "ltx-twice", "two encodings differ");
    }
    if (!mc_ltxlaw_encoded(&ltx, bytes, salt, arena, law)) {
        return false;
    }
    uint8_t *damaged = (uint8_t *)(uintptr_t)again.data; /* lies in the arena, and is ours */
    damaged[next(&salt) % again.size] ^= (uint8_t)(1u << next(&salt) % 8);
    return mc_ltxlaw_bytes(again, arena, law);
}
