/* Main files and the assembly of an image, before recover and stock SQLite side by side. */
#include "core/test/forge.h"
#include "core/v1.h"

static stock_dir dir;
static forge_base base;

typedef struct header_craft {
    const char *name;
    size_t offset;
    uint8_t value;
    forge_outcome outcome;
    const char *reason;
} header_craft;

/* One byte of main's header each; page size 4096. A count that no longer equals version-valid-for
 * leaves the file's size, so those rows change nothing that counts. */
static const header_craft headers[] = {
    {"magic", 0, 's', FORGE_REFUSED, "bad-magic"},
    {"magic's zero", 15, 1, FORGE_REFUSED, "bad-magic"},
    {"page size 1000h + 100h", 16, 0x11, FORGE_REFUSED, "page-size"},
    {"page size 256", 16, 0x01, FORGE_REFUSED, "page-size"},
    {"page size 0", 16, 0x00, FORGE_REFUSED, "page-size"},
    {"page size 1001h", 17, 0x01, FORGE_REFUSED, "page-size"},
    {"page size 2048", 16, 0x08, FORGE_MIXED, NULL},
    {"page size 8192", 16, 0x20, FORGE_REFUSED, "page-count"},
    {"write version 3", 18, 3, FORGE_MIXED, NULL},
    {"read version 2", 19, 2, FORGE_MIXED, NULL},
    {"read version 3", 19, 3, FORGE_REFUSED, "read-version"},
    {"reserved 255", 20, 255, FORGE_MIXED, NULL},
    {"fraction 63", 21, 63, FORGE_REFUSED, "payload-fractions"},
    {"fraction 31", 22, 31, FORGE_REFUSED, "payload-fractions"},
    {"fraction 33", 23, 33, FORGE_REFUSED, "payload-fractions"},
    {"count too large", 30, 1, FORGE_REFUSED, "page-count"},
    {"schema format 5", 47, 5, FORGE_REFUSED, "schema-format"},
    {"schema format 256", 46, 1, FORGE_MIXED, NULL},
    {"text encoding 4", 59, 4, FORGE_MIXED, NULL},
    {"change counter only", 24, 1, FORGE_MIXED, NULL},
    {"index page as page 1", 100, 10, FORGE_REFUSED, "schema-root"},
    {"no page type", 100, 0, FORGE_REFUSED, "schema-root"},
    {"too many cells", 103, 0xff, FORGE_REFUSED, "schema-root"},
};

/* Promise: each header field leads to the refusal, or to the pages, that stock SQLite comes to. */
static void main_headers(void **unused)
{
    (void)unused;
    stock_state state = {0};
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        const header_craft *row = &headers[i];
        stock_set(&state.file[STOCK_MAIN], base.before.data, base.before.size);
        state.file[STOCK_MAIN].data[row->offset] = row->value;
        forge_expect(&dir, &base, &state, row->name, row->outcome, row->reason);
    }
    stock_free(&state);
}

static void set_count(stock_file *file, uint32_t count, uint32_t version_valid_for)
{
    mc_bytes_put_be32(file->data + 28, count);
    mc_bytes_put_be32(file->data + 92, version_valid_for);
}

/* Promise: the number of pages is SQLite's for every relation of file size, count and counters. */
static void main_sizes(void **unused)
{
    (void)unused;
    stock_state state = {0};
    stock_file *file = &state.file[STOCK_MAIN];
    uint32_t pages = base.before_pages;
    uint32_t counter = mc_bytes_get_be32(base.before.data + 24);

    stock_set(file, base.before.data, base.before.size);
    forge_expect(&dir, &base, &state, "whole", FORGE_BEFORE, NULL);
    set_count(file, pages - 1, counter);
    forge_expect(&dir, &base, &state, "one page fewer counted", FORGE_MIXED, NULL);
    set_count(file, pages + 1, counter);
    forge_expect(&dir, &base, &state, "one page more counted", FORGE_REFUSED, "page-count");
    set_count(file, pages + 1, counter + 1);
    forge_expect(&dir, &base, &state, "count not valid", FORGE_MIXED, NULL);
    set_count(file, 0, counter);
    forge_expect(&dir, &base, &state, "count 0", FORGE_MIXED, NULL);

    stock_set(file, base.before.data, base.before.size / 2);
    forge_expect(&dir, &base, &state, "half", FORGE_REFUSED, "page-count");
    stock_set(file, base.before.data, base.before.size);
    stock_resize(file, base.before.size + 100);
    forge_expect(&dir, &base, &state, "100 bytes longer", FORGE_BEFORE, NULL);
    set_count(file, 0, counter);
    forge_expect(&dir, &base, &state, "100 bytes longer, no count", FORGE_MIXED, NULL);
    stock_set(file, base.before.data, base.before.size - 1);
    forge_expect(&dir, &base, &state, "a byte short", FORGE_MIXED, NULL);
    stock_set(file, base.before.data, 99);
    forge_expect(&dir, &base, &state, "99 bytes", FORGE_REFUSED, "page-count");
    stock_set(file, NULL, 100);
    forge_expect(&dir, &base, &state, "100 zeros", FORGE_REFUSED, "bad-magic");
    stock_set(file, "x", 1);
    forge_expect(&dir, &base, &state, "1 byte", FORGE_EMPTY, NULL);
    stock_set(file, NULL, 0);
    forge_expect(&dir, &base, &state, "0 bytes", FORGE_EMPTY, NULL);
    stock_remove(file);
    forge_expect(&dir, &base, &state, "no main", FORGE_REFUSED, "main-missing");
    stock_free(&state);
}

/* Promise: at page size 512 the usable size may be 480 but not 479. */
static void reserved_bytes(void **unused)
{
    (void)unused;
    stock_state state = {0};
    forge_base small = {0};
    forge_base_make(&dir, 512, &small);
    stock_set(&state.file[STOCK_MAIN], small.before.data, small.before.size);
    state.file[STOCK_MAIN].data[20] = 33;
    forge_expect(&dir, &small, &state, "33 reserved", FORGE_REFUSED, "reserved-bytes");
    state.file[STOCK_MAIN].data[20] = 32;
    forge_expect(&dir, &small, &state, "32 reserved", FORGE_MIXED, NULL);
    forge_base_free(&small);
    stock_free(&state);
}

/* Promise: a crash in a VACUUM that changes the page size is rolled back although main already
 * states the new one, in both directions. */
static void vacuum_to_another_page_size(void **unused)
{
    (void)unused;
    static const uint32_t sizes[][2] = {{1024, 8192}, {8192, 1024}, {65536, 512}, {512, 65536}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        stock_state state = {0};
        forge_base vacuumed = {0};
        char sql[64];
        forge_base_make(&dir, sizes[i][0], &vacuumed);
        stock_set(&state.file[STOCK_MAIN], vacuumed.before.data, vacuumed.before.size);
        stock_write(&dir, &state);
        sqlite3 *db = forge_open(&dir);
        (void)snprintf(sql, sizeof sql, "PRAGMA page_size=%u; VACUUM", sizes[i][1]);
        stock_exec(db, sql);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        stock_read(&dir, &state);
        stock_set(&vacuumed.after, state.file[STOCK_MAIN].data, state.file[STOCK_MAIN].size);
        assert_true(mc_bytes_get_be16(vacuumed.after.data + 16) !=
                    mc_bytes_get_be16(vacuumed.before.data + 16));
        forge_journal header = forge_good_header(&vacuumed);
        forge_crash(&vacuumed, &header, &state);
        forge_expect(&dir, &vacuumed, &state, sql, FORGE_BEFORE, NULL);
        forge_base_free(&vacuumed);
        stock_free(&state);
    }
}

/* Promise: a gap smaller than a page of the journal is not filled when main is grown to its old
 * size, unless a record lies there; seen where the journal's pages are larger than main's. */
static void gap_below_a_page(void **unused)
{
    (void)unused;
    stock_state state = {0};
    forge_journal header = forge_good_header(&base);
    uint8_t page[8192] = {0};
    assert_int_equal(base.before_pages % 2, 1);
    for (uint32_t records = 0; records < 2; records++) {
        stock_ours ours;
        header.page_size = sizeof page;
        header.original_pages = (base.before_pages + 1) / 2;
        header.count = records;
        stock_set(&state.file[STOCK_MAIN], base.before.data, base.before.size);
        mc_bytes_put_be32(state.file[STOCK_MAIN].data + 28, 0); /* no count: the size tells */
        stock_set(&state.file[STOCK_JOURNAL], NULL, 0);
        forge_header(&state.file[STOCK_JOURNAL], &header);
        forge_record(&state.file[STOCK_JOURNAL], header.nonce, header.original_pages, page,
                     sizeof page);
        stock_compare(&dir, &state, "gap", &ours, NULL);
        assert_int_equal(ours.status, MC_OK);
        assert_int_equal(ours.import.image.page_count, base.before_pages + records);
        mc_arena_free(&ours.arena);
    }
    stock_free(&state);
}

static bool lies_in(const uint8_t *page, const stock_file *file)
{
    uintptr_t at = (uintptr_t)page;
    return at >= (uintptr_t)file->data && at < (uintptr_t)file->data + file->size;
}

/* Promise: pages that lie whole in the input are borrowed from it, not copied. */
static void pages_are_borrowed(void **unused)
{
    (void)unused;
    stock_state state = {0};
    stock_ours ours;
    forge_journal header = forge_good_header(&base);
    forge_crash(&base, &header, &state);
    mc_bytes_put_be32(state.file[STOCK_JOURNAL].data + 8, 4);
    forge_wal wal = forge_good_wal(base.page_size);
    forge_wal_header(&state.file[STOCK_WAL], &wal);
    const uint8_t *page = base.after.data + base.page_size;
    forge_frame(&state.file[STOCK_WAL], &wal, 2, base.before_pages, page);
    stock_compare(&dir, &state, "borrowed", &ours, NULL);
    assert_int_equal(ours.status, MC_OK);
    assert_int_equal(ours.import.sidecars, MC_SIDECAR_JOURNAL | MC_SIDECAR_WAL);
    for (uint32_t n = 1; n <= base.before_pages; n++) {
        int role = n == 2 ? STOCK_WAL : n <= 4 ? STOCK_JOURNAL : STOCK_MAIN;
        assert_true(lies_in(ours.import.image.page[n - 1], &state.file[role]));
    }
    assert_true(ours.arena.used_bytes < base.page_size);
    mc_arena_free(&ours.arena);
    stock_free(&state);
}

/* Promise: sizes that a file only claims allocate nothing: a refusal or the counted pages come out.
 */
static void claimed_sizes(void **unused)
{
    (void)unused;
    stock_state state = {0};
    stock_ours ours;
    forge_journal header = forge_good_header(&base);
    header.count = 0xffffffff;
    header.original_pages = 0xffffffff;
    forge_crash(&base, &header, &state);
    stock_recover(&dir, &state, &ours);
    assert_int_equal(ours.status, MC_OK);
    assert_true(forge_image_is(&ours.import.image, &base.before));
    mc_arena_free(&ours.arena);

    mc_bytes_put_be32(state.file[STOCK_JOURNAL].data + 512 + 4 + 28, 0); /* page 1's count */
    stock_recover(&dir, &state, &ours);
    assert_int_equal(ours.status, MC_REFUSED);
    assert_string_equal(ours.error.reason, "too-large");
    assert_true(ours.arena.used_bytes < 1 << 20);
    mc_arena_free(&ours.arena);
    stock_free(&state);
}

/* Promise: an arena of any size gives the image or an error, never a half image. */
static void little_memory(void **unused)
{
    (void)unused;
    stock_state state = {0};
    forge_journal header = forge_good_header(&base);
    forge_crash(&base, &header, &state);
    stock_resize(&state.file[STOCK_MAIN], 3000);
    bool done = false;
    for (size_t limit = 16; !done; limit += 16) {
        mc_files files = {.main = stock_view(&state.file[STOCK_MAIN]),
                          .journal = stock_view(&state.file[STOCK_JOURNAL])};
        mc_arena arena = {.limit_bytes = limit};
        mc_import out = {0};
        mc_error error = {0};
        mc_status status = mc_recover_files(&files, &arena, &out, &error);
        done = status == MC_OK;
        if (!done) {
            assert_true(status == MC_NO_MEMORY || strcmp(error.reason, "too-large") == 0);
            assert_int_equal(out.image.page_count, 0);
        } else {
            assert_true(forge_image_is(&out.image, &base.before));
        }
        mc_arena_free(&arena);
        assert_true(limit < 1 << 20);
    }
    stock_free(&state);
}

/* Promise: mc_recover_page_count is SQLite's rule, and refuses what it cannot be asked for. */
static void page_count_rule(void **unused)
{
    (void)unused;
    uint8_t page[4096];
    uint32_t count = 99;
    mc_error error;
    memcpy(page, base.before.data, sizeof page);
    assert_int_equal(mc_recover_page_count(NULL, 4096, 0, &count, &error), MC_OK);
    assert_int_equal(count, 0);
    assert_int_equal(mc_recover_page_count(page, 4096, 500, &count, &error), MC_OK);
    assert_int_equal(count, base.before_pages);
    page[27]++;
    assert_int_equal(mc_recover_page_count(page, 4096, 500, &count, &error), MC_OK);
    assert_int_equal(count, 500);
    page[27]--;
    assert_int_equal(mc_recover_page_count(page, 4096, 1, &count, &error), MC_REFUSED);
    assert_string_equal(error.reason, "page-count");
    assert_int_equal(mc_recover_page_count(page, 1024, 500, &count, &error), MC_REFUSED);
    assert_string_equal(error.reason, "page-size");
}

/* One chunk of a v1 store: 08 01 01 TAG and the index. */
static mc_pair chunk_of(uint8_t key[MC_V1_CHUNK_KEY_BYTES], mc_v1_tag tag, uint32_t index,
                        const stock_file *file)
{
    uint64_t at = (uint64_t)index * MC_V1_CHUNK_BYTES;
    uint64_t left = file->size - at;
    mc_v1_chunk_key(key, tag, index);
    return (mc_pair){key, file->data + at, MC_V1_CHUNK_KEY_BYTES,
                     left < MC_V1_CHUNK_BYTES ? (uint32_t)left : MC_V1_CHUNK_BYTES};
}

/* Promise: the importer gives the same image for a v1 store as for the files that it holds. */
static void importer_reads_stores(void **unused)
{
    (void)unused;
    enum { PAIRS_MAX = 200 };
    static uint8_t key[PAIRS_MAX][MC_V1_CHUNK_KEY_BYTES];
    static uint8_t metadata[2][MC_V1_METADATA_BYTES];
    static mc_pair pair[PAIRS_MAX];
    stock_state state = {0};
    forge_journal header = forge_good_header(&base);
    forge_crash(&base, &header, &state);
    size_t count = 0;
    for (mc_v1_tag tag = MC_V1_MAIN; tag <= MC_V1_JOURNAL; tag++) {
        mc_v1_metadata_key(key[count], tag);
        mc_v1_encode_metadata(metadata[tag], state.file[tag].size);
        pair[count] =
            (mc_pair){key[count], metadata[tag], MC_V1_METADATA_KEY_BYTES, MC_V1_METADATA_BYTES};
        count++;
    }
    for (mc_v1_tag tag = MC_V1_MAIN; tag <= MC_V1_JOURNAL; tag++) {
        const stock_file *file = &state.file[tag];
        for (uint32_t i = 0; (uint64_t)i * MC_V1_CHUNK_BYTES < file->size; i++, count++) {
            assert_true(count < PAIRS_MAX);
            pair[count] = chunk_of(key[count], tag, i, file);
        }
    }
    mc_input input = {.kind = MC_INPUT_STORE, .store = {pair, count}};
    mc_arena arena = {.limit_bytes = STOCK_ARENA_BYTES};
    mc_import out = {0};
    mc_error error;
    assert_int_equal(mc_importer_recover.import(&input, &arena, &out, &error), MC_OK);
    assert_true(forge_image_is(&out.image, &base.before));
    assert_int_equal(out.sidecars, MC_SIDECAR_JOURNAL);
    assert_int_equal(mc_importer_recover.abi, MC_IMPORTER_ABI);
    mc_arena_free(&arena);
    stock_free(&state);
}

/* Promise: a v1 main of one byte is what the v1 VFS shows: a database with a bad header. Only the
 * unix VFS takes such a file for an empty one. */
static void store_of_one_byte_is_not_empty(void **unused)
{
    (void)unused;
    uint8_t key[MC_V1_METADATA_KEY_BYTES];
    uint8_t metadata[MC_V1_METADATA_BYTES];
    uint8_t chunk_key[MC_V1_CHUNK_KEY_BYTES];
    mc_kvstore store = {0};
    mc_pair pair[2];
    mc_v1_metadata_key(key, MC_V1_MAIN);
    mc_v1_encode_metadata(metadata, 1);
    mc_v1_chunk_key(chunk_key, MC_V1_MAIN, 0);
    assert_true(mc_kvstore_put(&store, key, sizeof key, metadata, sizeof metadata));
    assert_true(mc_kvstore_put(&store, chunk_key, sizeof chunk_key, (const uint8_t *)"S", 1));
    mc_input input = {.kind = MC_INPUT_STORE};
    mc_kvstore_view(&store, pair, &input.store);
    mc_arena arena = {.limit_bytes = STOCK_ARENA_BYTES};
    mc_import out = {0};
    mc_error error;
    assert_int_equal(mc_importer_recover.import(&input, &arena, &out, &error), MC_REFUSED);
    assert_string_equal(error.reason, "bad-magic");
    for (int build = 0; build < MC_KV_BUILDS; build++) {
        mc_stock stock;
        char problem[256];
        assert_true(
            mc_stock_ask_store(&store, (mc_kv_build)build, &arena, MC_STOCK_LIMIT_BYTES, &stock));
        assert_int_equal(stock.code, SQLITE_NOTADB);
        assert_true(
            mc_stock_agrees(&stock, MC_REFUSED, &out.image, &error, problem, sizeof problem, NULL));
        assert_false(
            mc_stock_agrees(&stock, MC_OK, &out.image, &error, problem, sizeof problem, NULL));
        mc_stock_free(&stock);
    }
    mc_kvstore_free(&store);
    mc_arena_free(&arena);
}

/* Every chunk of `file` and, as its metadata, `size`. */
static void put_file(mc_kvstore *store, mc_arena *arena, mc_v1_tag tag, const stock_file *file,
                     uint64_t size)
{
    uint8_t key[MC_V1_CHUNK_KEY_BYTES];
    uint8_t *metadata = mc_arena_alloc(arena, MC_V1_METADATA_BYTES);
    assert_non_null(metadata);
    mc_v1_metadata_key(key, tag);
    mc_v1_encode_metadata(metadata, size);
    assert_true(
        mc_kvstore_put(store, key, MC_V1_METADATA_KEY_BYTES, metadata, MC_V1_METADATA_BYTES));
    for (uint32_t i = 0; (uint64_t)i * MC_V1_CHUNK_BYTES < file->size; i++) {
        mc_pair chunk = chunk_of(key, tag, i, file);
        assert_true(mc_kvstore_put(store, key, sizeof key, chunk.value, chunk.value_size));
    }
}

/* A store of base's old pages, main's metadata saying `size`, and a journal; recover and SQLite
 * through the v1 VFS in all its builds must agree. The image lies in `arena`. */
static mc_status compare_store(uint64_t size, const stock_file *journal, mc_arena *arena,
                               mc_import *out)
{
    mc_kvstore store = {0};
    mc_pair pair[64];
    put_file(&store, arena, MC_V1_MAIN, &base.before, size);
    put_file(&store, arena, MC_V1_JOURNAL, journal, journal->size);
    assert_true(store.count <= sizeof pair / sizeof pair[0]);
    mc_input input = {.kind = MC_INPUT_STORE};
    mc_kvstore_view(&store, pair, &input.store);
    mc_error error = {0};
    mc_status status = mc_importer_recover.import(&input, arena, out, &error);
    for (int build = 0; build < MC_KV_BUILDS; build++) {
        mc_stock stock;
        char problem[256] = "";
        assert_true(
            mc_stock_ask_store(&store, (mc_kv_build)build, arena, MC_STOCK_LIMIT_BYTES, &stock));
        if (!mc_stock_agrees(&stock, status, &out->image, &error, problem, sizeof problem, NULL)) {
            fail_msg("size %d, build %d: %s", (int)size, build, problem);
        }
        mc_stock_free(&stock);
    }
    mc_kvstore_free(&store);
    return status;
}

/* Promise: where playback makes a v1 main as long as it was, chunks that a torn shrink left behind
 * its size are seen again, as through the v1 VFS; the last page is zeros. */
static void playback_uncovers_chunks(void **unused)
{
    (void)unused;
    stock_state state = {0};
    forge_journal header = forge_good_header(&base);
    header.sector_size = 4096;
    forge_crash(&base, &header, &state);
    stock_resize(&state.file[STOCK_JOURNAL], 4096 + 2 * (4096 + 8)); /* pages 1 and 2 alone */
    for (uint64_t size = 1; size < base.before.size + 4096; size += 2047) {
        mc_arena arena = {.limit_bytes = STOCK_ARENA_BYTES};
        mc_import out = {0};
        compare_store(size, &state.file[STOCK_JOURNAL], &arena, &out);
        assert_int_equal(out.image.page_count, base.before_pages);
        assert_memory_equal(out.image.page[2], base.before.data + 2 * 4096, 4096);
        mc_arena_free(&arena);
    }
    stock_free(&state);
}

/* Promise: the page size of a journal that states none is the one that SQLite found in main before
 * playback, also where playback uncovers a header that states another. */
static void uncovered_header_comes_too_late(void **unused)
{
    (void)unused;
    stock_state state = {0};
    forge_journal header = forge_good_header(&base);
    header.sector_size = 4096;
    forge_crash(&base, &header, &state);
    stock_resize(&state.file[STOCK_JOURNAL], 4096);
    memset(state.file[STOCK_JOURNAL].data + 24, 0, 4);
    uint8_t stated[2];
    memcpy(stated, base.before.data + 16, sizeof stated);
    memcpy(base.before.data + 16, "\x00\x01", sizeof stated); /* 65536 */
    for (uint64_t size = 1; size < 40; size++) {
        mc_arena arena = {.limit_bytes = STOCK_ARENA_BYTES};
        mc_import out = {0};
        (void)compare_store(size, &state.file[STOCK_JOURNAL], &arena, &out);
        mc_arena_free(&arena);
    }
    memcpy(base.before.data + 16, stated, sizeof stated);
    stock_free(&state);
}

/* Promise: a v1 journal shorter than the VFS's sector restores nothing. */
static void short_journals_restore_nothing(void **unused)
{
    (void)unused;
    static const size_t sizes[] = {1, 28, 512, 4095, 4096, 4097};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        mc_arena arena = {.limit_bytes = STOCK_ARENA_BYTES};
        mc_import out = {0};
        stock_state state = {0};
        forge_journal header = forge_good_header(&base);
        header.sector_size = 512;
        header.original_pages = 1;
        forge_crash(&base, &header, &state);
        stock_resize(&state.file[STOCK_JOURNAL], sizes[i]);
        compare_store(base.before.size, &state.file[STOCK_JOURNAL], &arena, &out);
        assert_int_equal(out.image.page_count, sizes[i] < 4096 ? base.before_pages : 0);
        mc_arena_free(&arena);
        stock_free(&state);
    }
}

/* Promise: a journal that makes main longer than a v1 file can be is refused; nothing shorter is.
 */
static void playback_stays_in_chunks(void **unused)
{
    (void)unused;
    static const struct {
        uint32_t page_size;
        uint32_t original_pages;
        mc_status expected;
    } rows[] = {
        {4096, UINT32_MAX, MC_OK},         /* a page less than 2^44 bytes */
        {8192, UINT32_MAX / 2, MC_OK},     /* two pages less */
        {8192, UINT32_MAX / 2 + 1, MC_OK}, /* 2^44 bytes */
        {8192, UINT32_MAX / 2 + 2, MC_REFUSED},
        {65536, UINT32_MAX, MC_REFUSED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        mc_arena arena = {.limit_bytes = STOCK_ARENA_BYTES};
        mc_import out = {0};
        stock_state state = {0};
        forge_journal header = forge_good_header(&base);
        header.sector_size = 4096;
        header.page_size = rows[i].page_size;
        header.original_pages = rows[i].original_pages;
        forge_crash(&base, &header, &state);
        stock_resize(&state.file[STOCK_JOURNAL], 4096);
        assert_int_equal(compare_store(base.before.size, &state.file[STOCK_JOURNAL], &arena, &out),
                         rows[i].expected);
        mc_arena_free(&arena);
        stock_free(&state);
    }
}

static int setup(void **unused)
{
    (void)unused;
    stock_dir_make(&dir);
    forge_base_make(&dir, 4096, &base);
    return 0;
}

static int teardown(void **unused)
{
    (void)unused;
    forge_base_free(&base);
    stock_dir_remove(&dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(main_headers),
        cmocka_unit_test(main_sizes),
        cmocka_unit_test(reserved_bytes),
        cmocka_unit_test(vacuum_to_another_page_size),
        cmocka_unit_test(gap_below_a_page),
        cmocka_unit_test(pages_are_borrowed),
        cmocka_unit_test(claimed_sizes),
        cmocka_unit_test(little_memory),
        cmocka_unit_test(page_count_rule),
        cmocka_unit_test(importer_reads_stores),
        cmocka_unit_test(store_of_one_byte_is_not_empty),
        cmocka_unit_test(playback_uncovers_chunks),
        cmocka_unit_test(short_journals_restore_nothing),
        cmocka_unit_test(playback_stays_in_chunks),
        cmocka_unit_test(uncovered_header_comes_too_late),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
