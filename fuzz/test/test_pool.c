/* test_pool.c: the pool watches SQLite's memory as closely as AddressSanitizer's allocator, and
 * carries nothing from one object to the next.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <sqlite3.h>

#include "fuzz/finding.h"
#include "fuzz/pool.h"
#include "fuzz/process.h"

#if defined(__SANITIZE_ADDRESS__)
#define WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WATCHED 1
#endif
#endif

const mc_target mc_fuzz_target = {"test_pool", "", NULL};

#ifdef WATCHED
#include <sanitizer/asan_interface.h>

enum { SIZE_MAX_BYTES = 70000 }; /* the largest come from malloc */

/* Sizes around those of chunks, and pages with their headers. */
static int next_size(int size)
{
    return size < 300 ? size + 1 : size + size / 7;
}

/* Promise: each byte of an object may be touched, those beside it and all of it once it is free
 * may not; whatever its size. */
static void exactly_the_object_may_be_touched(void **unused)
{
    (void)unused;
    for (int size = 1; size < SIZE_MAX_BYTES; size = next_size(size)) {
        uint8_t *object = sqlite3_malloc(size);
        assert_non_null(object);
        assert_int_equal(sqlite3_msize(object), size);
        assert_null(__asan_region_is_poisoned(object, (size_t)size));
        assert_true(__asan_address_is_poisoned(object + size));
        assert_true(__asan_address_is_poisoned(object + size + 15));
        if (size < 40000) { /* before a large one lies its size */
            assert_true(__asan_address_is_poisoned(object - 1));
        }
        assert_true(__asan_address_is_poisoned(object - 17));
        sqlite3_free(object);
        for (int i = 0; i < size; i++) {
            assert_true(__asan_address_is_poisoned(object + i));
        }
    }
}

/* Promise: between neighbours lie 32 bytes of nobody's. */
static void neighbours_keep_their_distance(void **unused)
{
    (void)unused;
    enum { OBJECTS = 300, SIZE = 48 };
    uint8_t *object[OBJECTS];
    for (int i = 0; i < OBJECTS; i++) {
        object[i] = sqlite3_malloc(SIZE);
    }
    for (int i = 0; i < OBJECTS; i++) {
        for (int k = 1; k <= 32; k++) {
            assert_true(__asan_address_is_poisoned(object[i] + SIZE - 1 + k));
            assert_true(__asan_address_is_poisoned(object[i] - k));
        }
    }
    for (int i = 0; i < OBJECTS; i++) {
        sqlite3_free(object[i]);
    }
}

/* Promise: what was freed is not handed out again soon. */
static void freed_memory_rests(void **unused)
{
    (void)unused;
    static const struct {
        int size;
        int rests; /* while so many others of its size come and go */
    } row[] = {{24, 100}, {200, 100}, {900, 60}, {4500, 10}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        void *freed = sqlite3_malloc(row[i].size);
        sqlite3_free(freed);
        for (int k = 0; k < row[i].rests; k++) {
            void *other = sqlite3_malloc(row[i].size);
            assert_ptr_not_equal(other, freed);
            sqlite3_free(other);
        }
    }
}

/* Promise: an object begins with bytes that do not depend on what was there before. */
static void objects_begin_alike(void **unused)
{
    (void)unused;
    for (int size = 1; size < 40000; size = next_size(size)) {
        for (int k = 0; k < 300; k++) {
            uint8_t *object = sqlite3_malloc(size);
            for (int i = 0; i < size; i += 1 + size / 50) {
                assert_int_equal(object[i], 0xbe);
            }
            assert_int_equal(object[size - 1], 0xbe);
            memset(object, k, (size_t)size);
            sqlite3_free(object);
        }
    }
}

/* Promise: objects do not share bytes, and keep theirs when they grow and shrink. */
static void objects_keep_their_bytes(void **unused)
{
    (void)unused;
    enum { OBJECTS = 200 };
    static uint8_t *object[OBJECTS];
    static int size[OBJECTS];
    size_t live = mc_pool_live();
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < OBJECTS; i++) {
            int kept = size[i];
            size[i] = 1 + (i * 37 + round * 101) % 5000;
            kept = kept < size[i] ? kept : size[i];
            object[i] = sqlite3_realloc(object[i], size[i]);
            for (int k = 0; k < kept; k++) {
                assert_int_equal(object[i][k], (uint8_t)i);
            }
            memset(object[i], i, (size_t)size[i]);
        }
    }
    assert_int_equal(mc_pool_live(), live + OBJECTS);
    for (int i = 0; i < OBJECTS; i++) {
        sqlite3_free(object[i]);
    }
    assert_int_equal(mc_pool_live(), live);
}

/* Promise: a connection leaves nothing behind. */
static void connections_leave_nothing(void **unused)
{
    (void)unused;
    size_t live = mc_pool_live();
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE t(a)", NULL, NULL, NULL), SQLITE_OK);
    assert_true(mc_pool_live() > live);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(mc_pool_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exactly_the_object_may_be_touched),
        cmocka_unit_test(neighbours_keep_their_distance),
        cmocka_unit_test(freed_memory_rests),
        cmocka_unit_test(objects_begin_alike),
        cmocka_unit_test(objects_keep_their_bytes),
        cmocka_unit_test(connections_leave_nothing),
    };
    mc_fuzz_process();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

/* Promise: without AddressSanitizer SQLite keeps its own allocator. */
static void there_is_no_pool(void **unused)
{
    (void)unused;
    void *object = sqlite3_malloc(10);
    assert_non_null(object);
    assert_int_equal(mc_pool_live(), 0);
    sqlite3_free(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(there_is_no_pool)};
    mc_fuzz_process();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
