/* test_laws.c: each law notices a result that breaks it, and a broken law ends a target. */
#include <archive.h>
#include <archive_entry.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/bytes.h"
#include "core/field.h"
#include "core/v1.h"
#include "fuzz/caselaw.h"
#include "fuzz/fieldlaw.h"
#include "fuzz/finding.h"
#include "fuzz/imagelaw.h"
#include "fuzz/ltxlaw.h"

enum { CHUNK = MC_V1_CHUNK_BYTES, PAGES = 8, PAGE = 512 };

const mc_target mc_fuzz_target = {"test_laws", "none", NULL};

static mc_arena arena = {.limit_bytes = 16 << 20};

static int reset(void **unused)
{
    (void)unused;
    mc_arena_reset(&arena);
    return 0;
}

static void assert_broken(const mc_law *law, const char *signature)
{
    assert_non_null(law->broken);
    assert_string_equal(law->broken, signature);
    assert_true(law->text[0] != '\0');
}

/* ---- the field's rules ---- */

static uint8_t pages[2 * CHUNK];
static uint8_t metadata[MC_V1_METADATA_BYTES];

/* A sound main of two pages. */
static void make_store(mc_kvstore *store)
{
    uint8_t key[MC_V1_CHUNK_KEY_BYTES];
    *store = (mc_kvstore){0};
    memset(pages, 0x21, sizeof pages);
    memcpy(pages, "SQLite format 3", 16);
    mc_bytes_put_be16(pages + 16, CHUNK);
    mc_v1_encode_metadata(metadata, sizeof pages);
    mc_v1_metadata_key(key, MC_V1_MAIN);
    assert_true(mc_kvstore_put(store, key, MC_V1_METADATA_KEY_BYTES, metadata, sizeof metadata));
    for (uint32_t i = 0; i < 2; i++) {
        mc_v1_chunk_key(key, MC_V1_MAIN, i);
        assert_true(mc_kvstore_put(store, key, sizeof key, pages + (size_t)i * CHUNK, CHUNK));
    }
}

static void add_journal(mc_kvstore *store)
{
    uint8_t key[MC_V1_CHUNK_KEY_BYTES];
    mc_v1_chunk_key(key, MC_V1_JOURNAL, 3);
    assert_true(mc_kvstore_put(store, key, sizeof key, pages, 1));
}

/* abandon, but for one thing. */
static mc_status changes_a_byte(const mc_input *input, mc_arena *a, mc_import *out, mc_error *error)
{
    mc_status status = mc_importer_abandon.import(input, a, out, error);
    const uint8_t **list = mc_arena_calloc(a, out->image.page_count, sizeof *list);
    uint8_t *page = mc_arena_alloc(a, CHUNK);
    memcpy(list, out->image.page, out->image.page_count * sizeof *list);
    memcpy(page, list[1], CHUNK);
    page[CHUNK - 1] ^= 1;
    list[1] = page;
    out->image.page = list;
    return status;
}

static mc_status loses_a_page(const mc_input *input, mc_arena *a, mc_import *out, mc_error *error)
{
    mc_status status = mc_importer_abandon.import(input, a, out, error);
    out->image.page_count--;
    return status;
}

static mc_status gives_another_reason(const mc_input *input, mc_arena *a, mc_import *out,
                                      mc_error *error)
{
    (void)input;
    (void)a;
    (void)out;
    return mc_fail(error, MC_REFUSED, "chunk-gap", "main: refused for another reason");
}

static void field_rules_hold_and_wrong_answers_are_noticed(void **unused)
{
    (void)unused;
    static const struct {
        mc_status (*import)(const mc_input *, mc_arena *, mc_import *, mc_error *);
        const char *broken;
    } planted[] = {{changes_a_byte, "field-content"},
                   {loses_a_page, "field-pages"},
                   {gives_another_reason, "field-rule"}};
    mc_kvstore store;
    mc_law law = {0};
    make_store(&store);
    assert_true(mc_fieldlaw_holds(&store, &mc_importer_abandon, false, &arena, &law));
    assert_true(mc_fieldlaw_holds(&store, &mc_importer_reject, true, &arena, &law));
    for (size_t i = 0; i < sizeof planted / sizeof *planted; i++) {
        mc_importer wrong = {MC_IMPORTER_ABI, "wrong", "", planted[i].import};
        mc_law noticed = {0};
        assert_false(mc_fieldlaw_holds(&store, &wrong, false, &arena, &noticed));
        assert_broken(&noticed, planted[i].broken);
    }
    /* Orphans of a journal: abandon in reject's place does not see them. */
    add_journal(&store);
    assert_true(mc_fieldlaw_holds(&store, &mc_importer_reject, true, &arena, &law));
    assert_false(mc_fieldlaw_holds(&store, &mc_importer_abandon, true, &arena, &law));
    assert_broken(&law, "field-rule");
    mc_kvstore_free(&store);
}

/* ---- images ---- */

static uint8_t bytes[PAGES][PAGE];
static const uint8_t *page_list[PAGES];
static const mc_image image = {PAGE, PAGES, page_list};

static void make_image(void)
{
    for (uint32_t i = 0; i < PAGES; i++) {
        memset(bytes[i], i < 4 ? (int)i : 9, PAGE);
        page_list[i] = bytes[i];
    }
    memset(bytes[0], 0, PAGE);
    bytes[0][100] = 13;
}

static void a_wrong_walk_is_noticed(void **unused)
{
    (void)unused;
    static const struct {
        uint32_t page; /* 1.. */
        mc_page_info info;
        const char *broken;
    } planted[] = {
        {3, {MC_ROLES, 1, NULL}, "walk-range"},
        {3, {MC_ROLE_TABLE_LEAF, PAGES + 1, NULL}, "walk-range"},
        {3, {MC_ROLE_TABLE_LEAF, 3, NULL}, "walk-range"},
        {3, {MC_ROLE_TABLE_LEAF, 4, NULL}, "walk-cycle"}, /* 4 is below 3 */
        {3, {MC_ROLE_OVERFLOW, 0, NULL}, "walk-role"},
        {3, {MC_ROLE_POINTER_MAP, 1, NULL}, "walk-role"},
        {1, {MC_ROLE_TABLE_LEAF, 0, NULL}, "walk-role"},
        {1, {MC_ROLE_SCHEMA, 2, NULL}, "walk-role"},
    };
    make_image();
    mc_law law = {0};
    mc_page_info sound[PAGES] = {{MC_ROLE_SCHEMA, 0, "sqlite_schema"},
                                 {MC_ROLE_TABLE_INTERIOR, 1, "t"},
                                 {MC_ROLE_TABLE_LEAF, 2, "t"},
                                 {MC_ROLE_OVERFLOW, 3, "t"}};
    assert_true(mc_imagelaw_walk(&image, sound, &law));
    assert_true(mc_imagelaw_pages(&image, &arena, &law));
    for (size_t i = 0; i < sizeof planted / sizeof *planted; i++) {
        mc_page_info info[PAGES];
        mc_law noticed = {0};
        memcpy(info, sound, sizeof info);
        info[planted[i].page - 1] = planted[i].info;
        assert_false(mc_imagelaw_walk(&image, info, &noticed));
        assert_broken(&noticed, planted[i].broken);
    }
}

static void hashes_keep_their_law(void **unused)
{
    (void)unused;
    make_image();
    mc_law law = {0};
    for (uint64_t salt = 0; salt < 50; salt++) {
        assert_true(mc_imagelaw_hashes(&image, salt, &law));
    }
}

static void images_that_differ_are_noticed(void **unused)
{
    (void)unused;
    make_image();
    const uint8_t *others[PAGES];
    memcpy(others, page_list, sizeof others);
    others[2] = bytes[3];
    mc_image shorter = {PAGE, PAGES - 1, page_list};
    mc_image other = {PAGE, PAGES, others};
    mc_law law = {0};
    assert_true(mc_imagelaw_agree(&image, &shorter, &law));
    mc_law size = {0};
    assert_false(mc_imagelaw_agree(&shorter, &image, &size));
    assert_broken(&size, "importers-size");
    mc_law content = {0};
    assert_false(mc_imagelaw_agree(&image, &other, &content));
    assert_broken(&content, "importers-content");
}

/* ---- LTX ---- */

static void a_wrong_encoding_is_noticed(void **unused)
{
    (void)unused;
    make_image();
    mc_error error;
    mc_ltx ltx;
    mc_bytes encoded;
    mc_law law = {0};
    assert_true(mc_ltxlaw_image(&image, 5, &arena, &law));
    assert_int_equal(mc_ltx_from_image(&image, 7, 0, &arena, &ltx, &error), MC_OK);
    assert_int_equal(mc_ltx_encode(&ltx, &arena, &encoded, &error), MC_OK);
    for (uint64_t salt = 0; salt < 50; salt++) {
        assert_true(mc_ltxlaw_encoded(&ltx, encoded, salt, &arena, &law));
    }
    mc_ltx other = ltx;
    other.max_txid++;
    mc_law field = {0};
    assert_false(mc_ltxlaw_encoded(&other, encoded, 0, &arena, &field));
    assert_broken(&field, "ltx-roundtrip");
    bytes[5][511] ^= 1; /* the encoding has the page as it was */
    mc_law content = {0};
    assert_false(mc_ltxlaw_encoded(&ltx, encoded, 0, &arena, &content));
    assert_broken(&content, "ltx-roundtrip");
}

/* ---- cases ---- */

static const char case_path[] =
    MIDCOMMIT_SOURCE_DIR "/corpus/clean/delete-kill-end-recover-clean-exact-cf7ff43e.case";

static void a_wrongly_written_case_is_noticed(void **unused)
{
    (void)unused;
    mc_case c;
    mc_error error;
    uint8_t *written;
    size_t size;
    assert_int_equal(mc_case_read(case_path, &c, &error), MC_OK);
    assert_int_equal(mc_case_encode(&c, &written, &size, &error), MC_OK);
    mc_law law = {0};
    bool reads;
    assert_true(mc_caselaw_written(&c, written, size, &law));
    assert_true(mc_caselaw_case(written, size, &reads, &law));
    assert_true(reads);
    assert_int_equal(mc_case_add(&c, "main.db-mj1", "x", 1, &error), MC_OK);
    mc_law other = {0};
    assert_false(mc_caselaw_written(&c, written, size, &other));
    assert_broken(&other, "case-roundtrip");
    mc_law cut = {0};
    assert_false(mc_caselaw_written(&c, written, size / 2, &cut));
    assert_broken(&cut, "case-reread");
    free(written);
    mc_case_free(&c);
}

/* Promise: zstd's raw blocks are read as the bytes that went in, whatever their number. */
static void raw_zstd_is_read(void **unused)
{
    (void)unused;
    static uint8_t in[300000];
    static uint8_t out[sizeof in + 1];
    static const size_t sizes[] = {1, 131071, 131072, 131073, sizeof in};
    for (size_t i = 0; i < sizeof in; i++) {
        in[i] = (uint8_t)(i * i >> 7);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t size;
        uint8_t *packed = mc_caselaw_zstd(in, sizes[i], &size);
        struct archive *archive = archive_read_new();
        struct archive_entry *entry;
        assert_int_equal(archive_read_append_filter(archive, ARCHIVE_FILTER_ZSTD), ARCHIVE_OK);
        assert_int_equal(archive_read_support_format_raw(archive), ARCHIVE_OK);
        assert_int_equal(archive_read_open_memory(archive, packed, size), ARCHIVE_OK);
        assert_int_equal(archive_read_next_header(archive, &entry), ARCHIVE_OK);
        assert_int_equal(archive_read_data(archive, out, sizeof out), sizes[i]);
        assert_memory_equal(in, out, sizes[i]);
        (void)archive_read_free(archive);
        free(packed);
    }
}

/* ---- what a broken law does ---- */

static void errors_of_more_than_a_line_are_noticed(void **unused)
{
    (void)unused;
    mc_error good = {MC_MALFORMED, "slug", "a line"};
    mc_error bad[] = {{MC_MALFORMED, "slug", ""},
                      {MC_MALFORMED, "slug", "two\nlines"},
                      {MC_MALFORMED, NULL, "a line"},
                      {MC_REFUSED, "slug", "another status"},
                      {MC_MALFORMED, "slug", "no end"}};
    memset(bad[4].text, 'x', sizeof bad[4].text);
    mc_law law = {0};
    assert_true(mc_law_error(&law, MC_MALFORMED, &good));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        mc_law noticed = {0};
        assert_false(mc_law_error(&noticed, MC_MALFORMED, &bad[i]));
        assert_broken(&noticed, "error-form");
    }
}

static void a_broken_law_aborts_with_its_signature(void **unused)
{
    (void)unused;
    char said[512] = "";
    int ends[2];
    int status;
    assert_int_equal(pipe(ends), 0);
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL); /* cmocka catches it */
        (void)dup2(ends[1], STDERR_FILENO);
        mc_law law = {0};
        mc_law_demand(&law); /* nothing is broken: returns */
        (void)mc_law_broken(&law, "planted-defect", "number %d", 7);
        (void)mc_law_broken(&law, "another", "later");
        mc_law_demand(&law);
        _exit(0);
    }
    (void)close(ends[1]);
    ssize_t size = read(ends[0], said, sizeof said - 1);
    assert_true(size > 0);
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_string_equal(said, "midcommit: finding: test_laws: planted-defect: number 7\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(field_rules_hold_and_wrong_answers_are_noticed, reset),
        cmocka_unit_test_setup(a_wrong_walk_is_noticed, reset),
        cmocka_unit_test_setup(hashes_keep_their_law, reset),
        cmocka_unit_test_setup(images_that_differ_are_noticed, reset),
        cmocka_unit_test_setup(a_wrong_encoding_is_noticed, reset),
        cmocka_unit_test_setup(a_wrongly_written_case_is_noticed, reset),
        cmocka_unit_test_setup(raw_zstd_is_read, reset),
        cmocka_unit_test(errors_of_more_than_a_line_are_noticed),
        cmocka_unit_test(a_broken_law_aborts_with_its_signature),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mc_arena_free(&arena);
    return failed;
}
