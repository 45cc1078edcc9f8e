#include "core/field.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "core/bytes.h"
#include "core/v1.h"

static const uint8_t MAGIC[16] = "SQLite format 3";

mc_status mc_field_check_main(const uint8_t *head, size_t head_size, uint64_t size,
                              uint32_t required_page_size, mc_error *error)
{
    assert(head_size >= MC_FIELD_HEAD_BYTES || head_size >= size);
    if (size == 0) {
        return MC_OK;
    }
    if (size < MC_FIELD_HEAD_BYTES) {
        return mc_fail(error, MC_REFUSED, "main-too-small",
                       "main: expected at least %d bytes, found %" PRIu64, MC_FIELD_HEAD_BYTES,
                       size);
    }
    if (memcmp(head, MAGIC, sizeof MAGIC) != 0) {
        return mc_fail(error, MC_REFUSED, "bad-magic",
                       "main: offset 0: expected \"SQLite format 3\", found other bytes");
    }
    uint32_t page_size = mc_bytes_get_be16(head + 16);
    page_size = page_size == 1 ? MC_PAGE_SIZE_MAX : page_size;
    if (page_size < MC_PAGE_SIZE_MIN || page_size > MC_PAGE_SIZE_MAX) {
        return mc_fail(error, MC_REFUSED, "page-size-range",
                       "main: offset 16: expected a page size of %d..%d, found %" PRIu32,
                       MC_PAGE_SIZE_MIN, MC_PAGE_SIZE_MAX, page_size);
    }
    if (required_page_size != 0 && page_size != required_page_size) {
        return mc_fail(error, MC_REFUSED, "page-size-unsupported",
                       "main: offset 16: expected page size %" PRIu32 ", found %" PRIu32,
                       required_page_size, page_size);
    }
    if ((page_size & (page_size - 1)) != 0) {
        return mc_fail(error, MC_REFUSED, "page-size-unsupported",
                       "main: offset 16: expected a power of two, found page size %" PRIu32,
                       page_size);
    }
    if (size % page_size != 0 || size / page_size > UINT32_MAX) {
        return mc_fail(error, MC_REFUSED, "not-page-aligned",
                       "main: expected whole pages of %" PRIu32 " bytes, found %" PRIu64 " bytes",
                       page_size, size);
    }
    return MC_OK;
}

static mc_status no_memory(mc_error *error, uint64_t page_count)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "main: no memory for %" PRIu64 " pages",
                   page_count);
}

static mc_status import_file(const mc_file *main, mc_arena *arena, mc_image *out, mc_error *error)
{
    if (!main->exists) {
        return mc_fail(error, MC_REFUSED, "main-missing-metadata", "main: there is no such file");
    }
    size_t head_size = main->size < MC_FIELD_HEAD_BYTES ? (size_t)main->size : MC_FIELD_HEAD_BYTES;
    mc_status status = mc_field_check_main(main->data, head_size, main->size, 0, error);
    if (status != MC_OK || main->size == 0) {
        return status;
    }
    uint32_t page_size = mc_bytes_get_be16(main->data + 16);
    page_size = page_size == 1 ? MC_PAGE_SIZE_MAX : page_size;
    uint32_t page_count = (uint32_t)(main->size / page_size);
    const uint8_t **page = mc_arena_calloc(arena, page_count, sizeof *page);
    if (page == NULL) {
        return no_memory(error, page_count);
    }
    for (uint32_t i = 0; i < page_count; i++) {
        page[i] = main->data + (size_t)i * page_size;
    }
    *out = (mc_image){.page_size = page_size, .page_count = page_count, .page = page};
    return MC_OK;
}

/* Rule 3: what the field asks of main's chunks. */
static mc_status check_chunks(const mc_v1_file *main, uint64_t size, mc_error *error)
{
    size_t expected = (size_t)((size + MC_V1_CHUNK_BYTES - 1) / MC_V1_CHUNK_BYTES);
    size_t listed = main->chunk_count < expected + 1 ? main->chunk_count : expected + 1;
    for (size_t i = 0; i < listed; i++) {
        if (main->chunk[i].key_size != MC_V1_CHUNK_KEY_BYTES) {
            return mc_fail(error, MC_REFUSED, "chunk-key-length",
                           "main: chunk key %zu: expected %d bytes, found %" PRIu32, i,
                           MC_V1_CHUNK_KEY_BYTES, main->chunk[i].key_size);
        }
    }
    if (listed != expected) {
        return mc_fail(error, MC_REFUSED, "chunk-count",
                       "main: expected %zu chunks for %" PRIu64 " bytes, found %zu%s", expected,
                       size, listed, main->chunk_count > listed ? " or more" : "");
    }
    for (size_t i = 0; i < expected; i++) {
        uint32_t index = 0;
        (void)mc_v1_chunk_index(&main->chunk[i], &index);
        if (index != i) {
            return mc_fail(error, MC_REFUSED, "chunk-gap",
                           "main: expected chunk %zu, found chunk %" PRIu32, i, index);
        }
        uint32_t chunk_size = main->chunk[i].value_size;
        if (chunk_size > MC_V1_CHUNK_BYTES) {
            return mc_fail(error, MC_REFUSED, "chunk-too-long",
                           "main: chunk %zu: expected at most %d bytes, found %" PRIu32, i,
                           MC_V1_CHUNK_BYTES, chunk_size);
        }
        if ((uint64_t)i * MC_V1_CHUNK_BYTES + chunk_size > size) {
            return mc_fail(error, MC_REFUSED, "chunk-past-size",
                           "main: chunk %zu: expected to end by byte %" PRIu64 ", has %" PRIu32
                           " bytes",
                           i, size, chunk_size);
        }
    }
    return MC_OK;
}

/* The pages of chunks that passed check_chunks; a whole chunk is borrowed, a short one is filled
 * up. */
static mc_status take_chunks(const mc_v1_file *main, mc_arena *arena, mc_image *out,
                             mc_error *error)
{
    size_t count = main->chunk_count;
    const uint8_t **page = mc_arena_calloc(arena, count, sizeof *page);
    if (page == NULL) {
        return no_memory(error, count);
    }
    for (size_t i = 0; i < count; i++) {
        const mc_pair *chunk = &main->chunk[i];
        page[i] = chunk->value;
        if (chunk->value_size < MC_V1_CHUNK_BYTES) {
            uint8_t *filled = mc_arena_calloc(arena, MC_V1_CHUNK_BYTES, 1);
            if (filled == NULL) {
                return no_memory(error, count);
            }
            if (chunk->value_size > 0) {
                memcpy(filled, chunk->value, chunk->value_size);
            }
            page[i] = filled;
        }
    }
    *out = (mc_image){.page_size = MC_V1_CHUNK_BYTES, .page_count = (uint32_t)count, .page = page};
    return MC_OK;
}

static mc_status import_store(const mc_v1_file *main, mc_arena *arena, mc_image *out,
                              mc_error *error)
{
    if (main->metadata == NULL && main->chunk_count == 0) {
        return mc_fail(error, MC_REFUSED, "main-missing-metadata",
                       "main: expected metadata, found neither metadata nor chunks");
    }
    if (main->metadata == NULL) {
        return mc_fail(error, MC_REFUSED, "main-chunks-without-metadata",
                       "main: expected metadata, found %zu chunks alone", main->chunk_count);
    }
    uint64_t size;
    mc_status status = mc_v1_decode_metadata(main->metadata->value, main->metadata->value_size,
                                             MC_V1_MAIN, &size, error);
    if (status != MC_OK) {
        return status;
    }
    if (size > MC_FIELD_BYTES_MAX) {
        return mc_fail(error, MC_REFUSED, "over-size-limit",
                       "main: metadata: expected a size of at most %d bytes, found %" PRIu64,
                       MC_FIELD_BYTES_MAX, size);
    }
    status = check_chunks(main, size, error);
    if (status != MC_OK) {
        return status;
    }
    uint8_t head[MC_FIELD_HEAD_BYTES] = {0};
    if (main->chunk_count > 0 && main->chunk[0].value_size > 0) {
        uint32_t copied = main->chunk[0].value_size;
        memcpy(head, main->chunk[0].value, copied < sizeof head ? copied : sizeof head);
    }
    status = mc_field_check_main(head, sizeof head, size, MC_V1_CHUNK_BYTES, error);
    if (status != MC_OK || size == 0) {
        return status;
    }
    return take_chunks(main, arena, out, error);
}

/* One kind of sidecar: its tag in a store, its bit, and what `reject` says when it exists. */
static const struct {
    mc_v1_tag tag;
    uint32_t bit;
    const char *reason;
} SIDECARS[] = {
    {MC_V1_JOURNAL, MC_SIDECAR_JOURNAL, "journal-exists"},
    {MC_V1_WAL, MC_SIDECAR_WAL, "wal-exists"},
    {MC_V1_SHM, MC_SIDECAR_SHM, "shm-exists"},
};
enum { SIDECAR_KINDS = sizeof SIDECARS / sizeof SIDECARS[0] };

static uint32_t find_sidecars(const mc_input *input, const mc_v1 *v1)
{
    const mc_file *const file[SIDECAR_KINDS] = {&input->files.journal, &input->files.wal,
                                                &input->files.shm};
    uint32_t found = 0;
    for (int i = 0; i < SIDECAR_KINDS; i++) {
        const mc_v1_file *stored = &v1->file[SIDECARS[i].tag];
        bool exists = input->kind == MC_INPUT_STORE
                          ? stored->metadata != NULL || stored->chunk_count > 0
                          : file[i]->exists;
        found |= exists ? SIDECARS[i].bit : 0;
    }
    return found;
}

static mc_status import(const mc_input *input, bool refuse_sidecars, mc_arena *arena,
                        mc_import *out, mc_error *error)
{
    mc_v1 v1 = {0};
    if (input->kind == MC_INPUT_STORE) {
        mc_v1_parse(&input->store, &v1);
    }
    out->sidecars = find_sidecars(input, &v1);
    for (int i = 0; refuse_sidecars && i < SIDECAR_KINDS; i++) {
        if ((out->sidecars & SIDECARS[i].bit) != 0) {
            return mc_fail(error, MC_REFUSED, SIDECARS[i].reason,
                           "%s: expected no sidecar, found one", mc_v1_tag_names[SIDECARS[i].tag]);
        }
    }
    if (input->kind == MC_INPUT_STORE) {
        return import_store(&v1.file[MC_V1_MAIN], arena, &out->image, error);
    }
    return import_file(&input->files.main, arena, &out->image, error);
}

static mc_status import_reject(const mc_input *input, mc_arena *arena, mc_import *out,
                               mc_error *error)
{
    return import(input, true, arena, out, error);
}

static mc_status import_abandon(const mc_input *input, mc_arena *arena, mc_import *out,
                                mc_error *error)
{
    return import(input, false, arena, out, error);
}

const mc_importer mc_importer_reject = {
    MC_IMPORTER_ABI, "reject", "refuses when any sidecar exists, else imports main as it is",
    import_reject};

const mc_importer mc_importer_abandon = {MC_IMPORTER_ABI, "abandon",
                                         "imports main as it is and leaves the sidecars behind",
                                         import_abandon};
