/* test_field.c: the importer of the field, refusal by refusal.
 *
 * Its own tests are covered by name where a name applies: migrates; abandons journal, wal, shm;
 * zero-size; corrupt magic; unsupported page size; missing chunks; over the limit. The two about a
 * v2 head belong to the store that has one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/field.h"
#include "core/test/pairs.h"

enum { CHUNK = MC_V1_CHUNK_BYTES };

static uint8_t page1[CHUNK];
static uint8_t page2[CHUNK];
static uint8_t page3[2 * CHUNK];
static mc_arena arena = {.limit_bytes = 1 << 20};

static void make_page1(uint8_t *page, uint16_t raw_page_size)
{
    memset(page, 0x11, CHUNK);
    memcpy(page, "SQLite format 3", 16);
    page[16] = (uint8_t)(raw_page_size >> 8);
    page[17] = (uint8_t)raw_page_size;
}

static int make_pages(void **unused)
{
    (void)unused;
    make_page1(page1, CHUNK);
    memset(page2, 0x22, sizeof page2);
    memset(page3, 0x33, sizeof page3);
    mc_arena_reset(&arena);
    return 0;
}

/* A sound main of three pages. */
static void put_sound(test_pairs *pairs)
{
    test_put_metadata(pairs, MC_V1_MAIN, 3 * CHUNK);
    test_put_chunk(pairs, MC_V1_MAIN, 0, page1, CHUNK);
    test_put_chunk(pairs, MC_V1_MAIN, 1, page2, CHUNK);
    test_put_chunk(pairs, MC_V1_MAIN, 2, page3, CHUNK);
}

static mc_status run(const mc_importer *importer, const test_pairs *pairs, mc_import *out,
                     mc_error *error)
{
    mc_input input = {.kind = MC_INPUT_STORE, .store = test_pairs_store(pairs)};
    *out = (mc_import){0};
    *error = (mc_error){0};
    return importer->import(&input, &arena, out, error);
}

static void assert_refused(const mc_importer *importer, const test_pairs *pairs, const char *reason)
{
    mc_import out;
    mc_error error;
    assert_int_equal(run(importer, pairs, &out, &error), MC_REFUSED);
    assert_string_equal(error.reason, reason);
    assert_int_equal(out.image.page_count, 0);
}

static void assert_both_refuse(const test_pairs *pairs, const char *reason)
{
    assert_refused(&mc_importer_reject, pairs, reason);
    assert_refused(&mc_importer_abandon, pairs, reason);
}

/* Promise: migrates. A sound main without sidecars comes out page by page, from both. */
static void migrates(void **unused)
{
    (void)unused;
    test_pairs pairs = {0};
    put_sound(&pairs);
    const mc_importer *const both[] = {&mc_importer_reject, &mc_importer_abandon};
    for (int i = 0; i < 2; i++) {
        mc_import out;
        mc_error error;
        assert_int_equal(run(both[i], &pairs, &out, &error), MC_OK);
        assert_int_equal(out.sidecars, 0);
        assert_int_equal(out.image.page_size, CHUNK);
        assert_int_equal(out.image.page_count, 3);
        assert_ptr_equal(out.image.page[0], page1);
        assert_ptr_equal(out.image.page[1], page2);
        assert_ptr_equal(out.image.page[2], page3);
    }
}

/* Promise: abandons journal, wal, shm. Metadata or any one chunk makes a sidecar; abandon names it
 * and goes on, reject refuses and names them all. */
static void abandons_sidecars(void **unused)
{
    (void)unused;
    static const char *const reason[] = {NULL, "journal-exists", "wal-exists", "shm-exists"};
    for (int tag = MC_V1_JOURNAL; tag < MC_V1_TAGS; tag++) {
        for (int by_chunk = 0; by_chunk < 2; by_chunk++) {
            test_pairs pairs = {0};
            put_sound(&pairs);
            if (by_chunk) {
                test_put_chunk(&pairs, (mc_v1_tag)tag, 77, page2, 1);
            } else {
                test_put_metadata(&pairs, (mc_v1_tag)tag, 0);
            }
            mc_import out;
            mc_error error;
            assert_int_equal(run(&mc_importer_abandon, &pairs, &out, &error), MC_OK);
            assert_int_equal(out.image.page_count, 3);
            assert_int_equal(out.sidecars, 1 << (tag - 1));
            assert_int_equal(run(&mc_importer_reject, &pairs, &out, &error), MC_REFUSED);
            assert_string_equal(error.reason, reason[tag]);
            assert_int_equal(out.sidecars, 1 << (tag - 1));
        }
    }
}

/* Promise: sidecars are refused in the order journal, wal, shm, and before anything about main. */
static void sidecars_come_first(void **unused)
{
    (void)unused;
    test_pairs pairs = {0};
    test_put_metadata(&pairs, MC_V1_SHM, 0);
    assert_refused(&mc_importer_reject, &pairs, "shm-exists");
    test_put_chunk(&pairs, MC_V1_WAL, 3, page2, CHUNK);
    assert_refused(&mc_importer_reject, &pairs, "wal-exists");
    test_put_metadata(&pairs, MC_V1_JOURNAL, 512);
    assert_refused(&mc_importer_reject, &pairs, "journal-exists");
    mc_import out;
    mc_error error;
    assert_int_equal(run(&mc_importer_abandon, &pairs, &out, &error), MC_REFUSED);
    assert_string_equal(error.reason, "main-missing-metadata");
    assert_int_equal(out.sidecars, MC_SIDECAR_JOURNAL | MC_SIDECAR_WAL | MC_SIDECAR_SHM);
}

/* Promise: rule 1, main without metadata, with and without chunks. */
static void main_needs_metadata(void **unused)
{
    (void)unused;
    test_pairs pairs = {0};
    assert_both_refuse(&pairs, "main-missing-metadata");
    test_put_chunk(&pairs, MC_V1_MAIN, 0, page1, CHUNK);
    assert_both_refuse(&pairs, "main-chunks-without-metadata");
}

/* Promise: rule 2, metadata of another length or version, and over the limit. */
static void metadata_must_be_sound(void **unused)
{
    (void)unused;
    test_pairs short_one = {0};
    test_put(&short_one, "\x08\x01\x00\x00", 4, "\x01\x00\x00\x10\x00\x00\x00\x00\x00", 9);
    assert_both_refuse(&short_one, "metadata-length");
    test_pairs version = {0};
    test_put(&version, "\x08\x01\x00\x00", 4, "\x03\x00\x00\x10\x00\x00\x00\x00\x00\x00", 10);
    assert_both_refuse(&version, "metadata-version");
    test_pairs over = {0};
    test_put_metadata(&over, MC_V1_MAIN, MC_FIELD_BYTES_MAX + 1u);
    assert_both_refuse(&over, "over-size-limit");
    test_pairs hostile = {0};
    test_put_metadata(&hostile, MC_V1_MAIN, UINT64_MAX);
    assert_both_refuse(&hostile, "over-size-limit");
    test_pairs at_limit = {0};
    test_put_metadata(&at_limit, MC_V1_MAIN, MC_FIELD_BYTES_MAX);
    assert_both_refuse(&at_limit, "chunk-count");
}

/* Promise: missing chunks. Rule 3 in its order: key length, count, gaps. */
static void chunks_must_be_all_there(void **unused)
{
    (void)unused;
    test_pairs missing = {0};
    test_put_metadata(&missing, MC_V1_MAIN, 3 * CHUNK);
    test_put_chunk(&missing, MC_V1_MAIN, 0, page1, CHUNK);
    test_put_chunk(&missing, MC_V1_MAIN, 2, page3, CHUNK);
    assert_both_refuse(&missing, "chunk-count");
    test_put_chunk(&missing, MC_V1_MAIN, 3, page3, CHUNK);
    assert_both_refuse(&missing, "chunk-gap");
    test_pairs leftover = {0};
    put_sound(&leftover);
    test_put_chunk(&leftover, MC_V1_MAIN, 3, page3, CHUNK);
    assert_both_refuse(&leftover, "chunk-count");
    /* The field lists ceil(size / 4096) + 1 keys, so it sees a strange key only that far. */
    test_put(&leftover, "\x08\x01\x01\x00\x00\x00\x00\x09\x00", 9, page3, 1);
    assert_both_refuse(&leftover, "chunk-count");
    test_put(&leftover, "\x08\x01\x01\x00\x00\x00\x00", 7, page3, 1);
    assert_both_refuse(&leftover, "chunk-key-length");
}

/* Promise: rule 3, a chunk past 4096 bytes, then past the size. */
static void chunks_must_fit(void **unused)
{
    (void)unused;
    test_pairs pairs = {0};
    test_put_metadata(&pairs, MC_V1_MAIN, 2 * CHUNK - 1);
    test_put_chunk(&pairs, MC_V1_MAIN, 0, page1, CHUNK);
    test_put_chunk(&pairs, MC_V1_MAIN, 1, page3, CHUNK);
    assert_both_refuse(&pairs, "chunk-past-size");
    pairs.pair[2].value_size = CHUNK + 1;
    assert_both_refuse(&pairs, "chunk-too-long");
}

/* Promise: a short chunk in the middle is filled up with zeros without a word. */
static void short_chunk_is_filled_up(void **unused)
{
    (void)unused;
    test_pairs pairs = {0};
    put_sound(&pairs);
    pairs.pair[2].value_size = 100;
    pairs.pair[3].value_size = 0;
    mc_import out;
    mc_error error;
    assert_int_equal(run(&mc_importer_abandon, &pairs, &out, &error), MC_OK);
    uint8_t expected[CHUNK] = {0};
    assert_memory_equal(out.image.page[2], expected, CHUNK);
    memcpy(expected, page2, 100);
    assert_memory_equal(out.image.page[1], expected, CHUNK);
}

/* Promise: zero-size migrates with no pages; a chunk beside it does not. */
static void zero_size(void **unused)
{
    (void)unused;
    test_pairs pairs = {0};
    test_put_metadata(&pairs, MC_V1_MAIN, 0);
    mc_import out;
    mc_error error;
    assert_int_equal(run(&mc_importer_reject, &pairs, &out, &error), MC_OK);
    assert_int_equal(out.image.page_count, 0);
    assert_int_equal(out.image.page_size, 0);
    test_put_chunk(&pairs, MC_V1_MAIN, 0, page1, CHUNK);
    assert_both_refuse(&pairs, "chunk-count");
}

/* Promise: rule 4 in its order on a store: too small, corrupt magic, unsupported page size, size.
 */
static void main_header_is_checked(void **unused)
{
    (void)unused;
    static const struct {
        uint64_t size;
        uint16_t raw_page_size;
        bool magic;
        const char *reason;
    } rows[] = {
        {17, CHUNK, false, "main-too-small"},         {18, CHUNK, false, "bad-magic"},
        {CHUNK, CHUNK, false, "bad-magic"},           {18, CHUNK, true, "not-page-aligned"},
        {CHUNK - 1, CHUNK, true, "not-page-aligned"}, {CHUNK, 0, true, "page-size-range"},
        {CHUNK, 511, true, "page-size-range"},        {CHUNK, 512, true, "page-size-unsupported"},
        {CHUNK, 1, true, "page-size-unsupported"},    {CHUNK, 32768, true, "page-size-unsupported"},
        {CHUNK, 4097, true, "page-size-unsupported"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        make_page1(page1, rows[i].raw_page_size);
        page1[3] ^= rows[i].magic ? 0 : 1;
        test_pairs pairs = {0};
        test_put_metadata(&pairs, MC_V1_MAIN, rows[i].size);
        test_put_chunk(&pairs, MC_V1_MAIN, 0, page1, (uint32_t)rows[i].size);
        assert_both_refuse(&pairs, rows[i].reason);
    }
}

static mc_status run_files(const mc_importer *importer, const mc_files *files, mc_import *out,
                           mc_error *error)
{
    mc_input input = {.kind = MC_INPUT_FILES, .files = *files};
    *out = (mc_import){0};
    *error = (mc_error){0};
    return importer->import(&input, &arena, out, error);
}

/* Promise: files go by rule 4 alone, with any page size that SQLite has, all pages as they lie. */
static void files_of_every_page_size(void **unused)
{
    (void)unused;
    enum { BYTES = 2 * MC_PAGE_SIZE_MAX };
    uint8_t *data = calloc(1, BYTES);
    assert_non_null(data);
    for (uint32_t page_size = 512; page_size <= 65536; page_size *= 2) {
        make_page1(data, page_size == 65536 ? 1 : (uint16_t)page_size);
        mc_files files = {.main = {.exists = true, .data = data, .size = BYTES}};
        mc_import out;
        mc_error error;
        assert_int_equal(run_files(&mc_importer_abandon, &files, &out, &error), MC_OK);
        assert_int_equal(out.image.page_size, page_size);
        assert_int_equal(out.image.page_count, BYTES / page_size);
        assert_ptr_equal(out.image.page[1], data + page_size);
        files.main.size--;
        assert_int_equal(run_files(&mc_importer_abandon, &files, &out, &error), MC_REFUSED);
        assert_string_equal(error.reason, "not-page-aligned");
    }
    make_page1(data, 1000);
    mc_files odd = {.main = {.exists = true, .data = data, .size = 2000}};
    mc_import out;
    mc_error error;
    assert_int_equal(run_files(&mc_importer_abandon, &odd, &out, &error), MC_REFUSED);
    assert_string_equal(error.reason, "page-size-unsupported");
    free(data);
}

/* Promise: a sidecar file exists even when empty; no main is refused, an empty main has no pages.
 */
static void files_and_their_sidecars(void **unused)
{
    (void)unused;
    mc_import out;
    mc_error error;
    mc_files files = {.shm = {.exists = true}};
    assert_int_equal(run_files(&mc_importer_reject, &files, &out, &error), MC_REFUSED);
    assert_string_equal(error.reason, "shm-exists");
    assert_int_equal(run_files(&mc_importer_abandon, &files, &out, &error), MC_REFUSED);
    assert_string_equal(error.reason, "main-missing-metadata");
    files.main.exists = true;
    files.journal = (mc_file){.exists = true, .data = page2, .size = CHUNK};
    files.wal.exists = true;
    assert_int_equal(run_files(&mc_importer_abandon, &files, &out, &error), MC_OK);
    assert_int_equal(out.image.page_count, 0);
    assert_int_equal(out.sidecars, MC_SIDECAR_JOURNAL | MC_SIDECAR_WAL | MC_SIDECAR_SHM);
    assert_int_equal(run_files(&mc_importer_reject, &files, &out, &error), MC_REFUSED);
    assert_string_equal(error.reason, "journal-exists");
    files.main = (mc_file){.exists = true, .data = page1, .size = 17};
    assert_int_equal(run_files(&mc_importer_abandon, &files, &out, &error), MC_REFUSED);
    assert_string_equal(error.reason, "main-too-small");
}

/* Promise: an arena without room is a failure of the importer, not a refusal. */
static void no_memory_is_not_a_refusal(void **unused)
{
    (void)unused;
    test_pairs pairs = {0};
    put_sound(&pairs);
    mc_arena tiny = {.limit_bytes = 16};
    mc_input input = {.kind = MC_INPUT_STORE, .store = test_pairs_store(&pairs)};
    mc_import out = {0};
    mc_error error;
    assert_int_equal(mc_importer_abandon.import(&input, &tiny, &out, &error), MC_NO_MEMORY);
    mc_arena_free(&tiny);
}

/* Promise: the built-in importers are found by name, in their order. */
static void importers_are_found(void **unused)
{
    (void)unused;
    assert_ptr_equal(mc_importer_find("reject"), &mc_importer_reject);
    assert_ptr_equal(mc_importer_find("abandon"), &mc_importer_abandon);
    assert_ptr_equal(mc_builtin_importers[0], &mc_importer_reject);
    assert_ptr_equal(mc_builtin_importers[1], &mc_importer_abandon);
    assert_string_equal(mc_builtin_importers[2]->name, "recover");
    assert_null(mc_builtin_importers[3]);
    assert_null(mc_importer_find("sqlite"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(migrates, make_pages),
        cmocka_unit_test_setup(abandons_sidecars, make_pages),
        cmocka_unit_test_setup(sidecars_come_first, make_pages),
        cmocka_unit_test_setup(main_needs_metadata, make_pages),
        cmocka_unit_test_setup(metadata_must_be_sound, make_pages),
        cmocka_unit_test_setup(chunks_must_be_all_there, make_pages),
        cmocka_unit_test_setup(chunks_must_fit, make_pages),
        cmocka_unit_test_setup(short_chunk_is_filled_up, make_pages),
        cmocka_unit_test_setup(zero_size, make_pages),
        cmocka_unit_test_setup(main_header_is_checked, make_pages),
        cmocka_unit_test_setup(files_of_every_page_size, make_pages),
        cmocka_unit_test_setup(files_and_their_sidecars, make_pages),
        cmocka_unit_test_setup(no_memory_is_not_a_refusal, make_pages),
        cmocka_unit_test_setup(importers_are_found, make_pages),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    mc_arena_free(&arena);
    return failures;
}
