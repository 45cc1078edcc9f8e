/* test_v1.c: the files that the v1 VFS sees in a store, whatever a crash left there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/test/pairs.h"

enum { LIMIT = 1 << 20 };

static uint8_t ones[2 * MC_V1_CHUNK_BYTES];

static bool is_filled(const uint8_t *data, size_t size, uint8_t byte)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] != byte) {
            return false;
        }
    }
    return true;
}

/* Reads the files; the arena lives until the next call. */
static mc_status files_of(const test_pairs *pairs, mc_files *files, mc_error *error)
{
    static mc_arena arena = {.limit_bytes = LIMIT};
    mc_arena_reset(&arena);
    mc_store store = test_pairs_store(pairs);
    return mc_v1_files(&store, &arena, files, error);
}

/* Promise: keys and metadata have the bytes that core/v1.h gives. */
static void keys_and_metadata_are_the_formats(void **unused)
{
    (void)unused;
    uint8_t key[8];
    mc_v1_metadata_key(key, MC_V1_WAL);
    assert_memory_equal(key, "\x08\x01\x00\x02", 4);
    mc_v1_chunk_key(key, MC_V1_JOURNAL, 0x01020304);
    assert_memory_equal(key, "\x08\x01\x01\x01\x01\x02\x03\x04", 8);
    uint8_t value[10];
    mc_v1_encode_metadata(value, 622592);
    assert_memory_equal(value, "\x01\x00\x00\x80\x09\x00\x00\x00\x00\x00", 10);
    uint64_t size = 0;
    mc_error error;
    assert_int_equal(mc_v1_decode_metadata(value, 10, MC_V1_MAIN, &size, &error), MC_OK);
    assert_int_equal(size, 622592);
}

/* Promise: chunks make up the file; missing and short ones are zeros, the size clips the last. */
static void chunks_become_bytes(void **unused)
{
    (void)unused;
    test_pairs pairs = {0};
    test_put_metadata(&pairs, MC_V1_MAIN, 3 * MC_V1_CHUNK_BYTES + 10);
    test_put_chunk(&pairs, MC_V1_MAIN, 3, ones, MC_V1_CHUNK_BYTES);
    test_put_chunk(&pairs, MC_V1_MAIN, 0, ones, MC_V1_CHUNK_BYTES);
    test_put_chunk(&pairs, MC_V1_MAIN, 1, ones, 100);
    mc_files files;
    mc_error error;
    assert_int_equal(files_of(&pairs, &files, &error), MC_OK);
    assert_true(files.main.exists);
    assert_int_equal(files.main.size, 3 * MC_V1_CHUNK_BYTES + 10);
    assert_true(is_filled(files.main.data, 4196, 1));
    assert_true(is_filled(files.main.data + 4196, 12288 - 4196, 0));
    assert_true(is_filled(files.main.data + 12288, 10, 1));
    assert_false(files.journal.exists);
    assert_false(files.wal.exists);
    assert_false(files.shm.exists);
    assert_null(files.other);
}

/* Promise: chunks at or past the size are invisible, and no longer than 4096 bytes. */
static void chunks_beyond_are_invisible(void **unused)
{
    (void)unused;
    test_pairs pairs = {0};
    test_put_metadata(&pairs, MC_V1_MAIN, 2 * MC_V1_CHUNK_BYTES);
    test_put_chunk(&pairs, MC_V1_MAIN, 0, ones, sizeof ones);
    test_put_chunk(&pairs, MC_V1_MAIN, 2, ones, MC_V1_CHUNK_BYTES);
    test_put_chunk(&pairs, MC_V1_MAIN, UINT32_MAX, ones, MC_V1_CHUNK_BYTES);
    mc_files files;
    mc_error error;
    assert_int_equal(files_of(&pairs, &files, &error), MC_OK);
    assert_int_equal(files.main.size, 2 * MC_V1_CHUNK_BYTES);
    assert_true(is_filled(files.main.data + 4096, 4096, 0));
}

/* Promise: chunks without metadata are no file; metadata without chunks is a file, even empty. */
static void metadata_alone_decides(void **unused)
{
    (void)unused;
    test_pairs pairs = {0};
    test_put_chunk(&pairs, MC_V1_MAIN, 0, ones, MC_V1_CHUNK_BYTES);
    test_put_chunk(&pairs, MC_V1_JOURNAL, 0, ones, MC_V1_CHUNK_BYTES);
    test_put_metadata(&pairs, MC_V1_WAL, 0);
    test_put_metadata(&pairs, MC_V1_SHM, UINT64_MAX);
    mc_files files;
    mc_error error;
    assert_int_equal(files_of(&pairs, &files, &error), MC_OK);
    assert_false(files.main.exists);
    assert_false(files.journal.exists);
    assert_true(files.wal.exists);
    assert_null(files.wal.data);
    assert_true(files.shm.exists); /* nobody opens it, so its size is nobody's business */
}

/* Promise: metadata that the VFS could not read refuses, with a slug and a line for each way. */
static void malformed_metadata_refuses(void **unused)
{
    (void)unused;
    static const struct {
        uint32_t size;
        const char *bytes;
        const char *reason;
    } rows[] = {
        {0, "", "metadata-length"},
        {9, "\x01\x00\x00\x10\x00\x00\x00\x00\x00", "metadata-length"},
        {11, "\x01\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00", "metadata-length"},
        {10, "\x02\x00\x00\x10\x00\x00\x00\x00\x00\x00", "metadata-version"},
        {10, "\x00\x01\x00\x10\x00\x00\x00\x00\x00\x00", "metadata-version"},
        {10, "\x01\x01\x00\x10\x00\x00\x00\x00\x00\x00", "metadata-version"},
        {10, "\x01\x00\x01\x00\x00\x00\x00\x10\x00\x00", "metadata-size"},
        {10, "\x01\x00\x00\x00\x00\x00\x00\x00\x00\x80", "metadata-size"},
        {10, "\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff", "metadata-size"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int tag = MC_V1_MAIN; tag < MC_V1_SHM; tag++) {
            test_pairs pairs = {0};
            uint8_t key[4];
            mc_v1_metadata_key(key, (mc_v1_tag)tag);
            test_put(&pairs, key, 4, rows[i].bytes, rows[i].size);
            mc_files files;
            mc_error error = {0};
            assert_int_equal(files_of(&pairs, &files, &error), MC_REFUSED);
            assert_string_equal(error.reason, rows[i].reason);
            assert_ptr_equal(strstr(error.text, mc_v1_tag_names[tag]), error.text);
            assert_null(strchr(error.text, '\n'));
        }
    }
}

/* Promise: a size is never trusted with memory; past the arena's limit it is refused, in one
 * line. */
static void hostile_size_meets_the_arena(void **unused)
{
    (void)unused;
    const uint64_t sizes[] = {LIMIT + 1, (uint64_t)1 << 40, (uint64_t)1 << 44};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        test_pairs pairs = {0};
        test_put_metadata(&pairs, MC_V1_MAIN, sizes[i]);
        test_put_chunk(&pairs, MC_V1_MAIN, 0, ones, MC_V1_CHUNK_BYTES);
        mc_files files;
        mc_error error;
        assert_int_equal(files_of(&pairs, &files, &error), MC_REFUSED);
        assert_string_equal(error.reason, "too-large");
    }
}

/* Promise: a chunk behind the end is not copied behind the end (for the sanitizers: the file fills
 * the arena's memory to its last byte but a few). */
static void chunk_behind_the_end_stays_out(void **unused)
{
    (void)unused;
    test_pairs pairs = {0};
    test_put_metadata(&pairs, MC_V1_MAIN, LIMIT - 10);
    test_put_chunk(&pairs, MC_V1_MAIN, LIMIT / MC_V1_CHUNK_BYTES - 1, ones, MC_V1_CHUNK_BYTES);
    test_put_chunk(&pairs, MC_V1_MAIN, LIMIT / MC_V1_CHUNK_BYTES, ones, MC_V1_CHUNK_BYTES);
    mc_files files;
    mc_error error;
    assert_int_equal(files_of(&pairs, &files, &error), MC_OK);
    assert_true(is_filled(files.main.data + LIMIT - MC_V1_CHUNK_BYTES, MC_V1_CHUNK_BYTES - 10, 1));
}

/* Promise: keys that no VFS wrote, and other users' keys, belong to no file. */
static void strange_keys_are_no_chunks(void **unused)
{
    (void)unused;
    test_pairs pairs = {0};
    test_put(&pairs, "", 0, ones, 1);
    test_put(&pairs, "\x08", 1, ones, 1);
    test_put(&pairs, "\x08\x01\x00", 3, ones, 1);
    test_put(&pairs, "\x08\x01\x00\x00\x00", 5, ones, 1);
    test_put(&pairs, "\x08\x01\x01\x00", 4, ones, 1);
    test_put(&pairs, "\x08\x01\x01\x00\x00\x00\x00", 7, ones, 1);
    test_put(&pairs, "\x08\x01\x01\x00\x00\x00\x00\x00\x00", 9, ones, 1);
    test_put(&pairs, "\x07\xff", 2, ones, 1);
    test_put(&pairs, "\x09", 1, ones, 1);
    mc_files files;
    mc_error error;
    assert_int_equal(files_of(&pairs, &files, &error), MC_OK);
    assert_false(files.main.exists);
    test_put_metadata(&pairs, MC_V1_MAIN, MC_V1_CHUNK_BYTES);
    assert_int_equal(files_of(&pairs, &files, &error), MC_OK);
    assert_true(is_filled(files.main.data, MC_V1_CHUNK_BYTES, 0));
    size_t keys;
    uint64_t bytes;
    mc_store store = test_pairs_store(&pairs);
    mc_v1_orphans(&store, &keys, &bytes);
    assert_int_equal(keys, 0);
}

/* Promise: orphans are the sidecars, whole, and main's invisible chunks; keys and values count. */
static void orphans_are_counted(void **unused)
{
    (void)unused;
    test_pairs pairs = {0};
    test_put_metadata(&pairs, MC_V1_MAIN, MC_V1_CHUNK_BYTES + 1);
    test_put_chunk(&pairs, MC_V1_MAIN, 0, ones, MC_V1_CHUNK_BYTES);
    test_put_chunk(&pairs, MC_V1_MAIN, 1, ones, 1);
    mc_store store = test_pairs_store(&pairs);
    size_t keys;
    uint64_t bytes;
    mc_v1_orphans(&store, &keys, &bytes);
    assert_int_equal(keys, 0);
    assert_int_equal(bytes, 0);
    test_put_chunk(&pairs, MC_V1_MAIN, 2, ones, 100);
    test_put_metadata(&pairs, MC_V1_JOURNAL, 5);
    test_put_chunk(&pairs, MC_V1_JOURNAL, 0, ones, 5);
    test_put_chunk(&pairs, MC_V1_WAL, 7, ones, 50);
    test_put_metadata(&pairs, MC_V1_SHM, 0);
    test_put(&pairs, "\x08\x01\x01\x04\x00\x00\x00\x00", 8, ones, 1); /* no such tag */
    store = test_pairs_store(&pairs);
    mc_v1_orphans(&store, &keys, &bytes);
    assert_int_equal(keys, 5);
    assert_int_equal(bytes, (8 + 100) + (4 + 10) + (8 + 5) + (8 + 50) + (4 + 10));
}

/* Promise: without main's metadata its chunks are orphans, with a malformed one they are not. */
static void orphans_of_main_need_its_size(void **unused)
{
    (void)unused;
    test_pairs pairs = {0};
    test_put_chunk(&pairs, MC_V1_MAIN, 9, ones, 10);
    mc_store store = test_pairs_store(&pairs);
    size_t keys;
    uint64_t bytes;
    mc_v1_orphans(&store, &keys, &bytes);
    assert_int_equal(keys, 1);
    test_put(&pairs, "\x08\x01\x00\x00", 4, "\x01\x00", 2);
    store = test_pairs_store(&pairs);
    mc_v1_orphans(&store, &keys, &bytes);
    assert_int_equal(keys, 0);
}

/* Promise: an empty store has no files and no orphans. */
static void empty_store(void **unused)
{
    (void)unused;
    mc_store store = {0};
    mc_arena arena = {.limit_bytes = LIMIT};
    mc_files files;
    mc_error error;
    assert_int_equal(mc_v1_files(&store, &arena, &files, &error), MC_OK);
    assert_false(files.main.exists || files.journal.exists || files.wal.exists || files.shm.exists);
    size_t keys;
    uint64_t bytes;
    mc_v1_orphans(&store, &keys, &bytes);
    assert_int_equal(keys, 0);
    mc_arena_free(&arena);
}

int main(void)
{
    memset(ones, 1, sizeof ones);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_and_metadata_are_the_formats),
        cmocka_unit_test(chunks_become_bytes),
        cmocka_unit_test(chunks_beyond_are_invisible),
        cmocka_unit_test(metadata_alone_decides),
        cmocka_unit_test(malformed_metadata_refuses),
        cmocka_unit_test(hostile_size_meets_the_arena),
        cmocka_unit_test(chunk_behind_the_end_stays_out),
        cmocka_unit_test(strange_keys_are_no_chunks),
        cmocka_unit_test(orphans_are_counted),
        cmocka_unit_test(orphans_of_main_need_its_size),
        cmocka_unit_test(empty_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
