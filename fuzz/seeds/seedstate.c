#include "fuzz/seeds/seedstate.h"

#include <stdio.h>
#include <string.h>

#include "core/ltx.h"
#include "core/recover.h"
#include "fuzz/kvpairs.h"
#include "fuzz/pieces.h"

enum { INPUT_BYTES_MAX = 1 << 20, ARENA_BYTES_MAX = 64 << 20, TRAILER_BYTES = 16 };

static const char super_name[] = "main.db-mj1";

/* ---- states as they are ---- */

/* `journal` with `name` at its end in place of `old_size` bytes of trailer. Null without memory. */
static uint8_t *with_super(const mc_file *journal, uint64_t old_size, mc_arena *arena,
                           uint64_t *size)
{
    uint64_t kept = journal->size - old_size;
    uint32_t length = sizeof super_name - 1;
    *size = kept + 4 + length + TRAILER_BYTES;
    uint8_t *bytes = mc_arena_calloc(arena, *size, 1);
    if (bytes == NULL) {
        return NULL;
    }
    uint32_t sum = 0;
    for (uint32_t i = 0; i < length; i++) {
        sum += (unsigned char)super_name[i]; /* ASCII */
    }
    memcpy(bytes, journal->data, kept);
    uint8_t *p = bytes + kept;
    mc_bytes_put_be32(p, mc_lock_byte_page(512));
    memcpy(p + 4, super_name, length);
    mc_bytes_put_be32(p + 4 + length, length);
    mc_bytes_put_be32(p + 8 + length, sum);
    memcpy(p + 12 + length, mc_journal_magic, MC_JOURNAL_MAGIC_BYTES);
    return bytes;
}

bool mc_seed_state_of(const mc_disk *disk, mc_arena *arena, mc_seed_state *out)
{
    mc_files files;
    mc_disk_files(disk, "main.db", &files);
    *out = (mc_seed_state){.main = files.main, .journal = files.journal, .wal = files.wal};
    size_t name_size;
    const uint8_t *name = mc_journal_super_name(&files.journal, &name_size);
    if (name == NULL) {
        return true;
    }
    if (!files.other(files.context, name, name_size, &out->super)) {
        out->super = (mc_file){0};
    }
    out->journal.data =
        with_super(&files.journal, 4 + name_size + TRAILER_BYTES, arena, &out->journal.size);
    return out->journal.data != NULL;
}

static mc_status put_pieces(mc_seeds *seeds, mc_seed_target target, const char *name,
                            const char *variant, const mc_seed_state *state, mc_error *error)
{
    static uint8_t input[INPUT_BYTES_MAX];
    const struct {
        mc_piece_tag tag;
        const mc_file *file;
    } part[] = {{MC_PIECE_MAIN, &state->main},
                {MC_PIECE_JOURNAL, &state->journal},
                {MC_PIECE_WAL, &state->wal},
                {MC_PIECE_SUPER, &state->super}};
    size_t size = 0;
    bool fits = true;
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        const mc_file *file = part[i].file;
        fits = fits && (!file->exists || mc_pieces_add(input, &size, sizeof input, part[i].tag,
                                                       file->data, (size_t)file->size));
    }
    char full[MC_SEED_NAME_BYTES];
    (void)snprintf(full, sizeof full, "%s%s", name, variant);
    return fits ? mc_seeds_put(seeds, target, full, input, size, error) : MC_OK;
}

static mc_seed_target target_of(const mc_seed_state *state)
{
    bool wal = state->wal.exists || (state->main.size > 19 && state->main.data[19] == 2);
    return wal ? MC_SEED_WAL : MC_SEED_JOURNAL;
}

mc_status mc_seed_state_put(mc_seeds *seeds, const char *name, const mc_seed_state *state,
                            mc_error *error)
{
    return put_pieces(seeds, target_of(state), name, "", state, error);
}

/* ---- journals and WALs that lie ---- */

/* One row: `size` bytes of `value`, big-endian, at `offset` of the sidecar; or a cut. */
typedef struct forgery {
    const char *variant;
    int64_t offset; /* below 0: from the end */
    uint32_t size;
    uint32_t value;
    bool cut; /* the file ends at `offset` instead */
} forgery;

static const forgery journal_forgeries[] = {
    {"-count-0", 8, 4, 0, false},
    {"-count-1", 8, 4, 1, false},
    {"-count-all", 8, 4, 0xffffffff, false},
    {"-count-large", 8, 4, 1000, false},
    {"-old-size-1", 16, 4, 1, false},
    {"-old-size-0", 16, 4, 0, false},
    {"-old-size-large", 16, 4, 40, false},
    {"-sector-32", 20, 4, 32, false},
    {"-sector-513", 20, 4, 513, false},
    {"-sector-4096", 20, 4, 4096, false},
    {"-sector-131072", 20, 4, 131072, false},
    {"-page-0", 24, 4, 0, false},
    {"-page-256", 24, 4, 256, false},
    {"-page-4096", 24, 4, 4096, false},
    {"-magic", 4, 1, 0, false},
    {"-zero-12", 0, 4, 0, false},
    {"-record-page-0", 512, 4, 0, false},
    {"-record-far", 512, 4, 500, false},
    {"-record-sum", 512 + 4 + 312, 1, 0xa5, false},
    {"-cut-header", 28, 0, 0, true},
    {"-cut-100", 100, 0, 0, true},
    {"-cut-record", 800, 0, 0, true},
    {"-cut-1", -1, 0, 0, true},
};

static const forgery wal_forgeries[] = {
    {"-magic", 0, 1, 0, false},
    {"-header-sum", 24, 1, 0xa5, false},
    {"-frame-page-0", 32, 4, 0, false},
    {"-frame-salt", 40, 1, 0xa5, false},
    {"-frame-byte", 32 + 24 + 100, 1, 0xa5, false},
    {"-cut-32", 32, 0, 0, true},
    {"-cut-1", -1, 0, 0, true},
};

/* These are made before the checksums are, in either byte order. */
static const forgery wal_sound_forgeries[] = {
    {"-big-endian", 0, 4, MC_WAL_MAGIC | 1, false},
    {"-little-endian", 0, 4, MC_WAL_MAGIC, false},
    {"-version", 4, 4, 3007001, false},
    {"-page-256", 8, 4, 256, false},
    {"-frame-far", 32, 4, 400, false},
    {"-frame-commits", 36, 4, 3, false},
    {"-frame-commits-far", 36, 4, 70000, false},
};

static bool apply(const forgery *f, uint8_t *bytes, uint64_t *size)
{
    uint64_t at = f->offset < 0 ? *size - (uint64_t)-f->offset : (uint64_t)f->offset;
    if (at > *size || *size - at < f->size) {
        return false;
    }
    for (uint32_t i = 0; i < f->size; i++) {
        bytes[at + i] = (uint8_t)(f->value >> (8 * (f->size - 1 - i)));
    }
    *size = f->cut ? at : *size;
    return true;
}

/* Header and frames get the checksums that the magic asks for, as wal.c writes them. */
static void sum_wal(uint8_t *wal, uint64_t size, uint32_t page_size)
{
    bool big = (wal[3] & 1) != 0;
    uint32_t sum[2] = {0, 0};
    mc_wal_checksum(big, wal, 24, sum);
    mc_bytes_put_be32(wal + 24, sum[0]);
    mc_bytes_put_be32(wal + 28, sum[1]);
    uint64_t frame = MC_WAL_FRAME_HEADER_BYTES + (uint64_t)page_size;
    for (uint64_t at = MC_WAL_HEADER_BYTES; size - at >= frame; at += frame) {
        if (memcmp(wal + at + 8, wal + 16, 8) != 0) {
            return; /* a frame of an earlier round stays stale */
        }
        mc_wal_checksum(big, wal + at, 8, sum);
        mc_wal_checksum(big, wal + at + MC_WAL_FRAME_HEADER_BYTES, page_size, sum);
        mc_bytes_put_be32(wal + at + 16, sum[0]);
        mc_bytes_put_be32(wal + at + 20, sum[1]);
    }
}

static mc_status forge(mc_seeds *seeds, const char *name, const mc_seed_state *state, bool of_wal,
                       const forgery *row, size_t rows, uint32_t sum_page_size, mc_error *error)
{
    static uint8_t bytes[INPUT_BYTES_MAX];
    const mc_file *from = of_wal ? &state->wal : &state->journal;
    mc_status status = MC_OK;
    for (size_t i = 0; status == MC_OK && i < rows && from->size <= sizeof bytes; i++) {
        mc_seed_state forged = *state;
        uint64_t size = from->size;
        memcpy(bytes, from->data, (size_t)size);
        if (!apply(&row[i], bytes, &size)) {
            continue;
        }
        if (sum_page_size > 0) {
            sum_wal(bytes, size, sum_page_size);
        }
        *(of_wal ? &forged.wal : &forged.journal) = (mc_file){true, bytes, size};
        status = put_pieces(seeds, target_of(state), name, row[i].variant, &forged, error);
    }
    return status;
}

static mc_status forge_journal(mc_seeds *seeds, const char *name, const mc_seed_state *state,
                               mc_arena *arena, mc_error *error)
{
    static const uint8_t names_nobody[1] = {0};
    mc_seed_state named = *state;
    named.journal.data = with_super(&state->journal, 0, arena, &named.journal.size);
    if (named.journal.data == NULL) {
        return MC_OK;
    }
    mc_status status = forge(seeds, name, state, false, journal_forgeries,
                             sizeof journal_forgeries / sizeof *journal_forgeries, 0, error);
    status = status == MC_OK
                 ? put_pieces(seeds, target_of(state), name, "-super-gone", &named, error)
                 : status;
    named.super = (mc_file){true, names_nobody, sizeof names_nobody};
    status = status == MC_OK
                 ? put_pieces(seeds, target_of(state), name, "-super-there", &named, error)
                 : status;
    mc_seed_state small = *state;
    small.main.size -= small.main.size > 100 ? 100 : 0;
    return status == MC_OK ? put_pieces(seeds, target_of(state), name, "-main-short", &small, error)
                           : status;
}

mc_status mc_seed_state_forge(mc_seeds *seeds, const char *name, const mc_seed_state *state,
                              mc_error *error)
{
    mc_arena arena = {.limit_bytes = ARENA_BYTES_MAX};
    mc_wal wal = {0};
    mc_status status = MC_OK;
    if (state->journal.size > 512) {
        status = forge_journal(seeds, name, state, &arena, error);
    }
    if (status == MC_OK && state->wal.size > MC_WAL_HEADER_BYTES &&
        mc_wal_open(&state->wal, &wal, NULL, error) == MC_OK && wal.usable) {
        status = forge(seeds, name, state, true, wal_forgeries,
                       sizeof wal_forgeries / sizeof *wal_forgeries, 0, error);
        status = status == MC_OK ? forge(seeds, name, state, true, wal_sound_forgeries,
                                         sizeof wal_sound_forgeries / sizeof *wal_sound_forgeries,
                                         wal.page_size, error)
                                 : status;
    }
    mc_arena_free(&arena);
    return status;
}

/* ---- images ---- */

static mc_status put_piece(mc_seeds *seeds, mc_piece_tag tag, const char *name, const char *variant,
                           mc_bytes bytes, mc_error *error)
{
    static uint8_t input[INPUT_BYTES_MAX];
    size_t size = 0;
    char full[MC_SEED_NAME_BYTES];
    (void)snprintf(full, sizeof full, "%s%s", name, variant);
    return mc_pieces_add(input, &size, sizeof input, tag, bytes.data, (size_t)bytes.size)
               ? mc_seeds_put(seeds, MC_SEED_IMAGE, full, input, size, error)
               : MC_OK;
}

/* The image's pages in a row, and as one commit. */
static mc_status put_image(mc_seeds *seeds, const char *name, const mc_image *image,
                           mc_arena *arena, mc_error *error)
{
    mc_ltx ltx;
    mc_bytes encoded;
    size_t size = (size_t)image->page_count * image->page_size;
    uint8_t *bytes = mc_arena_alloc(arena, size);
    mc_status status = bytes == NULL
                           ? mc_fail(error, MC_NO_MEMORY, "no-memory", "seeds: out of memory")
                           : mc_ltx_from_image(image, 1, 0, arena, &ltx, error);
    status = status == MC_OK ? mc_ltx_encode(&ltx, arena, &encoded, error) : status;
    for (uint32_t i = 0; status == MC_OK && i < image->page_count; i++) {
        memcpy(bytes + (size_t)i * image->page_size, image->page[i], image->page_size);
    }
    status =
        status == MC_OK ? put_piece(seeds, MC_PIECE_LTX, name, "-ltx", encoded, error) : status;
    return status == MC_OK ? put_piece(seeds, MC_PIECE_MAIN, name, "-recovered",
                                       (mc_bytes){size > 0 ? bytes : NULL, size}, error)
                           : status;
}

mc_status mc_seed_state_images(mc_seeds *seeds, const char *name, const mc_seed_state *state,
                               mc_error *error)
{
    mc_arena arena = {.limit_bytes = ARENA_BYTES_MAX};
    mc_files files = {.main = state->main, .journal = state->journal, .wal = state->wal};
    mc_import import = {0};
    mc_error refusal;
    mc_status status = put_piece(seeds, MC_PIECE_MAIN, name, "",
                                 (mc_bytes){state->main.data, state->main.size}, error);
    if (status == MC_OK && mc_recover_files(&files, &arena, &import, &refusal) == MC_OK) {
        status = put_image(seeds, name, &import.image, &arena, error);
    }
    mc_arena_free(&arena);
    return status;
}

/* ---- stores ---- */

static mc_status put_store(mc_seeds *seeds, const char *name, const char *variant,
                           const mc_kvstore *store, mc_error *error)
{
    static uint8_t input[INPUT_BYTES_MAX];
    size_t size = 0;
    char full[MC_SEED_NAME_BYTES];
    (void)snprintf(full, sizeof full, "%s%s", name, variant);
    return mc_kvpairs_add(input, &size, sizeof input, store)
               ? mc_seeds_put(seeds, MC_SEED_KV, full, input, size, error)
               : MC_OK;
}

mc_status mc_seed_store_put(mc_seeds *seeds, const char *name, const mc_kvstore *store,
                            mc_error *error)
{
    return put_store(seeds, name, "", store, error);
}

/* One pair that is put, or with size UINT32_MAX deleted. */
static const struct {
    const char *variant;
    uint8_t key[MC_KV_KEY_MAX];
    uint32_t key_size;
    uint8_t value[10];
    uint32_t value_size;
} store_forgeries[] = {
    {"-no-metadata", {8, 1, 0, 0}, 4, {0}, UINT32_MAX},
    {"-metadata-9", {8, 1, 0, 0}, 4, {1}, 9},
    {"-metadata-version", {8, 1, 0, 0}, 4, {2, 0, 0, 16}, 10},
    {"-metadata-empty", {8, 1, 0, 0}, 4, {1, 0}, 10},
    {"-metadata-1", {8, 1, 0, 0}, 4, {1, 0, 1}, 10},
    {"-metadata-half", {8, 1, 0, 0}, 4, {1, 0, 0, 24}, 10},
    {"-metadata-one-page", {8, 1, 0, 0}, 4, {1, 0, 0, 16}, 10},
    {"-metadata-17m", {8, 1, 0, 0}, 4, {1, 0, 0, 0, 16, 1}, 10},
    {"-metadata-129m", {8, 1, 0, 0}, 4, {1, 0, 0, 0, 16, 8}, 10},
    {"-metadata-16t", {8, 1, 0, 0}, 4, {1, 0, 0, 0, 0, 0, 0, 16}, 10},
    {"-metadata-all", {8, 1, 0, 0}, 4, {1, 0, 255, 255, 255, 255, 255, 255, 255, 255}, 10},
    {"-no-chunk-1", {8, 1, 1, 0, 0, 0, 0, 1}, 8, {0}, UINT32_MAX},
    {"-short-chunk-1", {8, 1, 1, 0, 0, 0, 0, 1}, 8, {13, 0}, 10},
    {"-chunk-far", {8, 1, 1, 0, 0, 1, 0, 0}, 8, {7}, 10},
    {"-chunk-key-7", {8, 1, 1, 0, 0, 0, 0}, 7, {7}, 10},
    {"-chunk-key-9", {8, 1, 1, 0, 0, 0, 0, 0, 0}, 9, {7}, 10},
    {"-journal-orphans", {8, 1, 0, 1}, 4, {0}, UINT32_MAX},
    {"-journal-metadata-9", {8, 1, 0, 1}, 4, {1}, 9},
    {"-journal-empty", {8, 1, 0, 1}, 4, {1, 0}, 10},
    {"-journal-large", {8, 1, 0, 1}, 4, {1, 0, 0, 0, 16}, 10},
    {"-wal-empty", {8, 1, 0, 2}, 4, {1, 0}, 10},
    {"-wal-zeros", {8, 1, 0, 2}, 4, {1, 0, 0, 16}, 10},
    {"-shm", {8, 1, 0, 3}, 4, {1, 0}, 10},
    {"-other-key", {7, 'a'}, 2, {1, 0}, 10},
};

mc_status mc_seed_store_forge(mc_seeds *seeds, const char *name, const mc_kvstore *store,
                              mc_error *error)
{
    mc_status status = MC_OK;
    for (size_t i = 0; status == MC_OK && i < sizeof store_forgeries / sizeof *store_forgeries;
         i++) {
        mc_kvstore forged = {0};
        bool ok = mc_kvstore_copy(&forged, store);
        if (ok && store_forgeries[i].value_size == UINT32_MAX) {
            mc_kvstore_delete(&forged, store_forgeries[i].key, store_forgeries[i].key_size);
        } else {
            ok = ok && mc_kvstore_put(&forged, store_forgeries[i].key, store_forgeries[i].key_size,
                                      store_forgeries[i].value, store_forgeries[i].value_size);
        }
        status = ok ? put_store(seeds, name, store_forgeries[i].variant, &forged, error)
                    : mc_fail(error, MC_NO_MEMORY, "no-memory", "seeds: out of memory");
        mc_kvstore_free(&forged);
    }
    return status;
}
