/* test_dump.c: dumps in and out, and what becomes of the real ones.
 *
 * The real dumps carry their own answers: what the real v1 VFS, with its own SQLite, recovered each
 * to (corpus/rivet-kv/README.md). Stock SQLite on our VFS and the native recovery must agree, byte
 * by byte; what the field's importer makes of each follows from its rules and is written down here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>
#include <sqlite3.h>

#include "core/field.h"
#include "core/v1.h"
#include "crashsim/dump.h"
#include "crashsim/kvvfs.h"

static const size_t LIMIT = (size_t)64 << 20;
enum { SHA256_DIGITS = 64 };

/* One real dump: the pages that abandon imports (0: it refuses), what reject and abandon say when
 * they refuse, and whether abandon's pages are those that recovery ends with. */
static const struct real_dump {
    const char *name;
    uint32_t abandon_pages;
    const char *reject_reason;
    const char *abandon_reason;
    bool abandon_is_right;
} DUMPS[] = {
    {"big_grow_200_k0009", 2, "journal-exists", NULL, true},
    {"big_then_close_k0001", 152, "journal-exists", NULL, true},
    {"cachespill_k0018", 62, "journal-exists", NULL, true},
    {"crash_in_recovery_k0136", 137, "journal-exists", NULL, true},
    {"drop_table_k0003", 0, "chunk-count", "chunk-count", false},
    {"grow_10_k0001", 12, NULL, NULL, true},
    {"grow_then_free_k0001", 0, "chunk-count", "chunk-count", false},
    {"one_page_k0001", 2, NULL, NULL, true},
    {"vacuum_journal_k0036", 32, "journal-exists", NULL, false},
    {"vacuum_k0002", 0, "chunk-count", "chunk-count", false},
};
enum { DUMP_COUNT = sizeof DUMPS / sizeof DUMPS[0] };

static void path_of(const struct real_dump *dump, char path[512])
{
    (void)snprintf(path, 512, "%s/corpus/rivet-kv/%s.jsonl", MIDCOMMIT_SOURCE_DIR, dump->name);
}

static void read_real(const struct real_dump *dump, mc_arena *arena, mc_kvstore *store)
{
    char path[512];
    path_of(dump, path);
    mc_error error;
    if (mc_dump_read(path, arena, store, &error) != MC_OK) {
        fail_msg("%s", error.text);
    }
}

/* What the real VFS recovered the dump to, from its first line. */
static void expected_sha256(const struct real_dump *dump, char out[SHA256_DIGITS + 1])
{
    char path[512];
    path_of(dump, path);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    json_t *line = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL);
    (void)fclose(file);
    const json_t *recovery = json_object_get(json_object_get(line, "meta"), "v1_recovery");
    const char *sha256 = json_string_value(json_object_get(recovery, "main_image_sha256"));
    assert_non_null(sha256);
    assert_int_equal(strlen(sha256), SHA256_DIGITS);
    memcpy(out, sha256, SHA256_DIGITS + 1);
    json_decref(line);
}

/* Of pages in a row, by the machine's sha256sum: no line of ours is between the bytes and the sum.
 */
static void sha256_of(const mc_image *image, char out[SHA256_DIGITS + 1])
{
    char path[] = P_tmpdir "/midcommit-XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    FILE *file = fdopen(descriptor, "wb");
    assert_non_null(file);
    for (uint32_t i = 0; i < image->page_count; i++) {
        assert_int_equal(fwrite(image->page[i], image->page_size, 1, file), 1);
    }
    assert_int_equal(fclose(file), 0);
    char command[64];
    (void)snprintf(command, sizeof command, "sha256sum %s", path);
    FILE *sum = popen(command, "r");
    assert_non_null(sum);
    assert_int_equal(fread(out, 1, SHA256_DIGITS, sum), SHA256_DIGITS);
    out[SHA256_DIGITS] = '\0';
    assert_int_equal(pclose(sum), 0);
    assert_int_equal(unlink(path), 0);
}

/* Main as the VFS reads it. */
static void main_image(const mc_kvstore *store, mc_arena *arena, mc_image *out)
{
    mc_store view;
    mc_kvstore_view(store, mc_arena_calloc(arena, store->count, sizeof(mc_pair)), &view);
    mc_files files;
    mc_error error;
    assert_int_equal(mc_v1_files(&view, arena, &files, &error), MC_OK);
    uint32_t page_count = (uint32_t)(files.main.size / MC_V1_CHUNK_BYTES);
    const uint8_t **page = mc_arena_calloc(arena, page_count, sizeof *page);
    for (uint32_t i = 0; i < page_count; i++) {
        page[i] = files.main.data + (size_t)i * MC_V1_CHUNK_BYTES;
    }
    *out = (mc_image){MC_V1_CHUNK_BYTES, page_count, page};
}

static void exec_ok(sqlite3 *db, const char *sql, const char *expected)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    if (expected != NULL) {
        assert_string_equal(sqlite3_column_text(statement, 0), expected);
    }
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
}

/* Promise: stock SQLite through our VFS, in each build, recovers every real dump to the image that
 * the real VFS recovered it to. */
static void real_dumps_recover_on_our_vfs(void **unused)
{
    (void)unused;
    for (int i = 0; i < DUMP_COUNT * MC_KV_BUILDS; i++) {
        const struct real_dump *dump = &DUMPS[i / MC_KV_BUILDS];
        mc_arena arena = {.limit_bytes = LIMIT};
        mc_kvstore store = {0};
        read_real(dump, &arena, &store);
        mc_kvvfs_options options = {
            .store = &store, .arena = &arena, .build = (mc_kv_build)(i % MC_KV_BUILDS)};
        mc_kvvfs *vfs = mc_kvvfs_open(&options);
        assert_non_null(vfs);
        sqlite3 *db;
        assert_int_equal(sqlite3_open_v2("main.db", &db, SQLITE_OPEN_READWRITE, mc_kvvfs_name(vfs)),
                         SQLITE_OK);
        exec_ok(db, "PRAGMA locking_mode=EXCLUSIVE", "exclusive");
        exec_ok(db, "SELECT count(*) FROM sqlite_schema", NULL);
        exec_ok(db, "PRAGMA integrity_check", "ok");
        char expected[SHA256_DIGITS + 1];
        char found[SHA256_DIGITS + 1];
        mc_image image;
        main_image(&store, &arena, &image);
        expected_sha256(dump, expected);
        sha256_of(&image, found);
        assert_string_equal(found, expected);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        mc_kvvfs_close(vfs);
        mc_kvstore_free(&store);
        mc_arena_free(&arena);
    }
}

static mc_status import(const mc_importer *importer, const mc_kvstore *store, mc_arena *arena,
                        mc_import *out, mc_error *error)
{
    mc_input input = {.kind = MC_INPUT_STORE};
    mc_kvstore_view(store, mc_arena_calloc(arena, store->count, sizeof(mc_pair)), &input.store);
    *out = (mc_import){0};
    *error = (mc_error){0};
    return importer->import(&input, arena, out, error);
}

/* Promise: the native recovery imports every real dump as the image the real VFS recovered it to.
 */
static void real_dumps_recover_natively(void **unused)
{
    (void)unused;
    const mc_importer *recover = mc_importer_find("recover");
    assert_non_null(recover);
    for (int i = 0; i < DUMP_COUNT; i++) {
        mc_arena arena = {.limit_bytes = LIMIT};
        mc_kvstore store = {0};
        read_real(&DUMPS[i], &arena, &store);
        mc_import out;
        mc_error error;
        if (import(recover, &store, &arena, &out, &error) != MC_OK) {
            fail_msg("%s: %s", DUMPS[i].name, error.text);
        }
        char expected[SHA256_DIGITS + 1];
        char found[SHA256_DIGITS + 1];
        expected_sha256(&DUMPS[i], expected);
        sha256_of(&out.image, found);
        assert_string_equal(found, expected);
        mc_kvstore_free(&store);
        mc_arena_free(&arena);
    }
}

static void assert_field(const struct real_dump *dump, const mc_importer *importer,
                         const char *reason, const mc_kvstore *store, mc_arena *arena)
{
    mc_import out;
    mc_error error;
    mc_status status = import(importer, store, arena, &out, &error);
    if (reason != NULL) {
        assert_int_equal(status, MC_REFUSED);
        assert_string_equal(error.reason, reason);
        return;
    }
    assert_int_equal(status, MC_OK);
    assert_int_equal(out.image.page_count, dump->abandon_pages);
    char expected[SHA256_DIGITS + 1];
    char found[SHA256_DIGITS + 1];
    expected_sha256(dump, expected);
    sha256_of(&out.image, found);
    assert_int_equal(strcmp(found, expected) == 0, dump->abandon_is_right);
}

/* Promise: the field's importer, before and after its change, does to every real dump what its
 * rules say: five are refused for their journal, three for ever for their chunks, and one is
 * imported torn. */
static void real_dumps_in_the_field(void **unused)
{
    (void)unused;
    for (int i = 0; i < DUMP_COUNT; i++) {
        const struct real_dump *dump = &DUMPS[i];
        mc_arena arena = {.limit_bytes = LIMIT};
        mc_kvstore store = {0};
        read_real(dump, &arena, &store);
        assert_field(dump, &mc_importer_reject, dump->reject_reason, &store, &arena);
        assert_field(dump, &mc_importer_abandon, dump->abandon_reason, &store, &arena);
        mc_kvstore_free(&store);
        mc_arena_free(&arena);
    }
}

/* Promise: orphans of the real dumps are what their headers' shapes count. */
static void real_dumps_have_their_orphans(void **unused)
{
    (void)unused;
    static const struct {
        int dump;
        size_t keys;
        uint64_t bytes;
    } rows[] = {
        {1, 25, 25 * 8 + 24 * 4096 + 1200}, /* journal chunks without metadata */
        {3, 10, 10 * 8 + 9 * 4096 + 1080},  /* the last of them short */
        {4, 13, 13 * (8 + 4096)},           /* main's chunks beyond its size */
        {9, 10, 10 * (8 + 4096)},           /* the same */
        {0, 3, 2 * 8 + 8160 + 4 + 10},      /* a journal with its metadata */
        {5, 0, 0},                          /* a clean store */
        {6, 0, 0},                          /* missing chunks are no orphans */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        mc_arena arena = {.limit_bytes = LIMIT};
        mc_kvstore store = {0};
        read_real(&DUMPS[rows[i].dump], &arena, &store);
        mc_store view;
        mc_kvstore_view(&store, mc_arena_calloc(&arena, store.count, sizeof(mc_pair)), &view);
        size_t keys;
        uint64_t bytes;
        mc_v1_orphans(&view, &keys, &bytes);
        assert_int_equal(keys, rows[i].keys);
        assert_int_equal(bytes, rows[i].bytes);
        mc_kvstore_free(&store);
        mc_arena_free(&arena);
    }
}

static mc_status parse(const char *text, mc_arena *arena, mc_kvstore *store, mc_error *error)
{
    *error = (mc_error){0};
    return mc_dump_parse("test.jsonl", text, strlen(text), arena, store, error);
}

/* Promise: RFC 4648's own examples, either case of hex, any order, other keys, blank lines and
 * lines with neither key. */
static void good_lines(void **unused)
{
    (void)unused;
    mc_arena arena = {.limit_bytes = LIMIT};
    mc_kvstore store = {0};
    mc_error error;
    assert_int_equal(parse("{\"meta\": {\"k\": 1}}\n\n"
                           "{\"k\": \"0A02\", \"v\": \"Zm9vYmFy\"}\r\n"
                           "{\"v\":\"Zg==\",\"k\":\"0a01\",\"more\":[]}\n"
                           " {\"k\":\"0a\",\"v\":\"\"}\n"
                           "{\"k\":\"\",\"v\":\"Zm8=\"}\n"
                           "{\"k\":\"ff00000000000000\",\"v\":\"+/+/\"}",
                           &arena, &store, &error),
                     MC_OK);
    assert_int_equal(store.count, 5);
    static const struct {
        const char *key;
        uint32_t key_size;
        const char *value;
        uint32_t value_size;
    } rows[] = {
        {"", 0, "fo", 2},
        {"\x0a", 1, "", 0},
        {"\x0a\x01", 2, "f", 1},
        {"\x0a\x02", 2, "foobar", 6},
        {"\xff\0\0\0\0\0\0\0", 8, "\xfb\xff\xbf", 3},
    };
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(store.entry[i].key_size, rows[i].key_size);
        assert_memory_equal(store.entry[i].key, rows[i].key, rows[i].key_size);
        assert_int_equal(store.entry[i].value_size, rows[i].value_size);
        assert_memory_equal(store.entry[i].value, rows[i].value, rows[i].value_size);
    }
    mc_kvstore_free(&store);
    mc_arena_free(&arena);
}

/* Promise: a bad line is one line of error that names dump, line and what was expected. */
static void bad_lines(void **unused)
{
    (void)unused;
    static const struct {
        const char *line;
        const char *expected;
    } rows[] = {
        {"nonsense", "one JSON object"},
        {"[\"k\", \"v\"]", "one JSON object"},
        {"\"k\"", "one JSON object"},
        {"{\"k\":\"00\",\"v\":\"\"} {}", "one JSON object"},
        {"{\"k\":\"00\",\"k\":\"01\",\"v\":\"\"}", "one JSON object"},
        {"{\"k\":\"00\\u0000\",\"v\":\"\"}", "one JSON object"},
        {"{\"k\":\"00\",\"v\":\"\"", "one JSON object"},
        {"{\"k\":\"00\"}", "\"k\" and \"v\", both strings"},
        {"{\"v\":\"\"}", "\"k\" and \"v\", both strings"},
        {"{\"k\":0,\"v\":\"\"}", "\"k\" and \"v\", both strings"},
        {"{\"k\":\"00\",\"v\":null}", "\"k\" and \"v\", both strings"},
        {"{\"k\":\"000\",\"v\":\"\"}", "a key of pairs of hexadecimal digits"},
        {"{\"k\":\"0801000000000000000000000000000000\",\"v\":\"\"}",
         "a v1 key of at most 16 bytes"},
        {"{\"k\":\"0000000000000000000000000000000000000g\",\"v\":\"\"}",
         "a key of hexadecimal digits"},
        {"{\"k\":\"0g\",\"v\":\"\"}", "a key of hexadecimal digits"},
        {"{\"k\":\"00\",\"v\":\"Zg=\"}", "a value in base64"},
        {"{\"k\":\"00\",\"v\":\"Zg\"}", "a value in base64"},
        {"{\"k\":\"00\",\"v\":\"Z===\"}", "a value in base64"},
        {"{\"k\":\"00\",\"v\":\"====\"}", "a value in base64"},
        {"{\"k\":\"00\",\"v\":\"Zm9v=\"}", "a value in base64"},
        {"{\"k\":\"00\",\"v\":\"Z=g=\"}", "a value in base64"},
        {"{\"k\":\"00\",\"v\":\"Zh==\"}", "a value in base64"},
        {"{\"k\":\"00\",\"v\":\"Zm9=\"}", "a value in base64"},
        {"{\"k\":\"00\",\"v\":\"Zm-v\"}", "a value in base64"},
        {"{\"k\":\"00\",\"v\":\"Zm9v\\n\"}", "a value in base64"},
        {"{\"k\":\"00\",\"v\":\"\\u00e9\\u00e9\"}", "a value in base64"},
    };
    mc_arena arena = {.limit_bytes = LIMIT};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[200];
        (void)snprintf(text, sizeof text, "{}\n{\"k\":\"01\",\"v\":\"\"}\n%s\n", rows[i].line);
        mc_kvstore store = {0};
        mc_error error;
        assert_int_equal(parse(text, &arena, &store, &error), MC_MALFORMED);
        assert_int_equal(store.count, 0);
        char expected[200];
        (void)snprintf(expected, sizeof expected, "test.jsonl: line 3: expected %s",
                       rows[i].expected);
        if (strncmp(error.text, expected, strlen(expected)) != 0) {
            fail_msg("%s: %s", rows[i].line, error.text);
        }
        assert_null(strchr(error.text, '\n'));
    }
    mc_arena_free(&arena);
}

/* Promise: a key that was there before is an error that names both lines. */
static void duplicate_key(void **unused)
{
    (void)unused;
    mc_arena arena = {.limit_bytes = LIMIT};
    mc_kvstore store = {0};
    mc_error error;
    assert_int_equal(parse("{\"k\":\"0801\",\"v\":\"\"}\n{\"k\":\"0800\",\"v\":\"\"}\n"
                           "{\"k\":\"0801\",\"v\":\"Zg==\"}\n",
                           &arena, &store, &error),
                     MC_MALFORMED);
    assert_string_equal(error.reason, "duplicate-key");
    assert_string_equal(error.text,
                        "test.jsonl: line 3: expected a new key, found the key of line 1");
    assert_int_equal(store.count, 0);
    mc_arena_free(&arena);
}

/* Promise: values have a limit, and the arena's limit is one line, too. */
static void limits(void **unused)
{
    (void)unused;
    enum { ROOM = 180000 };
    char *text = malloc(ROOM);
    assert_non_null(text);
    for (int over = 0; over < 2; over++) {
        size_t digits =
            ((size_t)MC_DUMP_VALUE_BYTES_MAX + 2) / 3 * 4; /* the last group is padded */
        size_t used = (size_t)snprintf(text, ROOM, "{\"k\":\"00\",\"v\":\"");
        memset(text + used, 'A', digits);
        used += digits;
        if (!over) {
            text[used - 1] = '=';
        }
        (void)snprintf(text + used, ROOM - used, "\"}\n");
        mc_arena arena = {.limit_bytes = LIMIT};
        mc_kvstore store = {0};
        mc_error error;
        mc_status status = parse(text, &arena, &store, &error);
        assert_int_equal(status, over ? MC_MALFORMED : MC_OK);
        if (!over) {
            assert_int_equal(store.entry[0].value_size, MC_DUMP_VALUE_BYTES_MAX);
            mc_arena tiny = {.limit_bytes = 100};
            mc_kvstore none = {0};
            assert_int_equal(parse(text, &tiny, &none, &error), MC_NO_MEMORY);
            mc_arena_free(&tiny);
        }
        mc_kvstore_free(&store);
        mc_arena_free(&arena);
    }
    free(text);
}

/* Promise: what is written reads back as the same store, for the real dumps. */
static void round_trip(void **unused)
{
    (void)unused;
    for (int i = 0; i < DUMP_COUNT; i++) {
        mc_arena arena = {.limit_bytes = LIMIT};
        mc_kvstore store = {0};
        mc_kvstore back = {0};
        read_real(&DUMPS[i], &arena, &store);
        char *text = NULL;
        size_t size = 0;
        FILE *file = open_memstream(&text, &size);
        assert_non_null(file);
        mc_error error;
        assert_int_equal(mc_dump_write(&store, file, "memory", &error), MC_OK);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(mc_dump_parse("memory", text, size, &arena, &back, &error), MC_OK);
        assert_int_equal(back.count, store.count);
        assert_true(mc_hash128_equal(mc_kvstore_hash(&store), mc_kvstore_hash(&back)));
        free(text);
        mc_kvstore_free(&store);
        mc_kvstore_free(&back);
        mc_arena_free(&arena);
    }
}

/* Promise: a file that is not there, and a full disk, are errors of one line. */
static void files_that_fail(void **unused)
{
    (void)unused;
    mc_arena arena = {.limit_bytes = LIMIT};
    mc_kvstore store = {0};
    mc_error error;
    assert_int_equal(mc_dump_read("/nonexistent/x.jsonl", &arena, &store, &error), MC_IO);
    assert_string_equal(error.text, "/nonexistent/x.jsonl: cannot open: No such file or directory");
    assert_int_equal(mc_dump_read("/", &arena, &store, &error), MC_IO);
    assert_true(mc_kvstore_put(&store, (const uint8_t *)"k", 1, (const uint8_t *)"v", 1));
    FILE *full = fopen("/dev/full", "w");
    if (full != NULL) {
        assert_int_equal(mc_dump_write(&store, full, "full", &error), MC_IO);
        (void)fclose(full);
    }
    mc_kvstore_free(&store);
    mc_arena_free(&arena);
}

/* Promise: stores that differ in a key, a value or a boundary between them differ in their hash. */
static void hash_tells_stores_apart(void **unused)
{
    (void)unused;
    static const char *const texts[] = {
        "",
        "{\"k\":\"\",\"v\":\"\"}",
        "{\"k\":\"00\",\"v\":\"\"}",
        "{\"k\":\"0000\",\"v\":\"\"}",
        "{\"k\":\"\",\"v\":\"AA==\"}",
        "{\"k\":\"00\",\"v\":\"AA==\"}",
        "{\"k\":\"00\",\"v\":\"\"}\n{\"k\":\"0000\",\"v\":\"\"}",
        /* a value that spells the next pair's sizes and key */
        "{\"k\":\"00\",\"v\":\"\"}\n{\"k\":\"01\",\"v\":\"\"}",
        "{\"k\":\"00\",\"v\":\"AQAAAAAAAAABAAAAAAAAAA==\"}",
    };
    enum { TEXTS = sizeof texts / sizeof texts[0] };
    mc_arena arena = {.limit_bytes = LIMIT};
    mc_hash128 hash[TEXTS];
    for (int i = 0; i < TEXTS; i++) {
        mc_kvstore store = {0};
        mc_error error;
        assert_int_equal(parse(texts[i], &arena, &store, &error), MC_OK);
        hash[i] = mc_kvstore_hash(&store);
        for (int j = 0; j < i; j++) {
            assert_false(mc_hash128_equal(hash[i], hash[j]));
        }
        mc_kvstore_free(&store);
    }
    mc_arena_free(&arena);
}

/* Promise: a malformed request changes nothing. */
static void malformed_requests_change_nothing(void **unused)
{
    (void)unused;
    static const struct {
        int kind;
        uint64_t keys;
        uint32_t size;
        const char *data;
    } rows[] = {
        {MC_OP_KV_PUT, 1, 3, "\x02k1"},                                  /* no value */
        {MC_OP_KV_PUT, 1, 7, "\x01k\x02\0\0\0v"},                        /* value cut short */
        {MC_OP_KV_PUT, 2, 14, "\x01k\x01\0\0\0v\x01k\xff\xff\xff\xff!"}, /* the second is bad */
        {MC_OP_KV_PUT, 1, 8, "\x01k\x01\0\0\0v!"},                       /* more than it says */
        {MC_OP_KV_DELETE, 1, 18,
         "\x11"
         "12345678901234567"},                  /* key too long */
        {MC_OP_KV_DELETE, 3, 4, "\x01k\x01l"},  /* fewer keys than it says */
        {MC_OP_KV_DELETE_RANGE, 1, 2, "\x01k"}, /* half a range */
        {MC_OP_KV_DELETE, UINT64_MAX, 2, "\x01k"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        mc_kvstore store = {0};
        assert_true(mc_kvstore_put(&store, (const uint8_t *)"k", 1, (const uint8_t *)"v", 1));
        mc_hash128 before = mc_kvstore_hash(&store);
        mc_error error;
        assert_int_equal(mc_kvstore_apply(&store, rows[i].kind, (const uint8_t *)rows[i].data,
                                          rows[i].size, rows[i].keys, &error),
                         MC_MALFORMED);
        assert_true(mc_hash128_equal(before, mc_kvstore_hash(&store)));
        mc_kvstore_free(&store);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_dumps_recover_on_our_vfs),
        cmocka_unit_test(real_dumps_recover_natively),
        cmocka_unit_test(real_dumps_in_the_field),
        cmocka_unit_test(real_dumps_have_their_orphans),
        cmocka_unit_test(good_lines),
        cmocka_unit_test(bad_lines),
        cmocka_unit_test(duplicate_key),
        cmocka_unit_test(limits),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(files_that_fail),
        cmocka_unit_test(hash_tells_stores_apart),
        cmocka_unit_test(malformed_requests_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
