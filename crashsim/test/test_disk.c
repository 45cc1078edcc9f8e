/* test_disk.c: a disk does what files do, and rewinding it leaves no trace of what was done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "crashsim/disk.h"

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static void assert_same(const mc_disk *a, const mc_disk *b)
{
    assert_true(a->file_count >= b->file_count);
    for (uint32_t i = 0; i < a->file_count; i++) {
        if (i >= b->file_count) {
            assert_false(a->file[i].exists);
            continue;
        }
        assert_string_equal(a->file[i].name, b->file[i].name);
        assert_int_equal(a->file[i].exists, b->file[i].exists);
        assert_int_equal(a->file[i].size, b->file[i].size);
        if (b->file[i].size > 0) {
            assert_memory_equal(a->file[i].data, b->file[i].data, b->file[i].size);
        }
    }
}

static void random_change(mc_disk *disk, uint64_t *state)
{
    static const char *const names[] = {"main.db", "main.db-journal", "main.db-wal", "x"};
    uint16_t file = mc_disk_slot(disk, names[next_random(state) % 4]);
    assert_int_not_equal(file, MC_DISK_NONE);
    uint64_t kind = next_random(state) % 8;
    uint8_t bytes[700];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)next_random(state);
    }
    if (kind == 0) {
        assert_true(mc_disk_delete(disk, file));
        return;
    }
    assert_true(mc_disk_create(disk, file));
    if (kind <= 2) {
        assert_true(mc_disk_truncate(disk, file, next_random(state) % 9000));
    } else {
        assert_true(mc_disk_write(disk, file, next_random(state) % 9000, bytes,
                                  next_random(state) % (sizeof bytes + 1)));
    }
}

/* Promise: after rewind every file has the name, size, existence and bytes it had at begin. */
static void rewind_is_exact(void **unused)
{
    (void)unused;
    mc_disk disk = {0};
    uint64_t state = 1;
    for (int round = 0; round < 400; round++) {
        mc_disk copy = {0};
        assert_true(mc_disk_copy(&copy, &disk));
        assert_same(&disk, &copy);
        mc_disk_begin(&disk);
        uint64_t count = next_random(&state) % 30;
        for (uint64_t i = 0; i < count; i++) {
            random_change(&disk, &state);
        }
        mc_disk_rewind(&disk);
        assert_same(&disk, &copy);
        random_change(&disk, &state); /* the next round starts from somewhere else */
        mc_disk_free(&copy);
    }
    mc_disk_free(&disk);
}

/* Promise: the log names every byte that differs from the state at begin. */
static void log_covers_every_difference(void **unused)
{
    (void)unused;
    mc_disk disk = {0};
    uint64_t state = 7;
    for (int round = 0; round < 200; round++) {
        random_change(&disk, &state);
        mc_disk copy = {0};
        assert_true(mc_disk_copy(&copy, &disk));
        mc_disk_begin(&disk);
        for (int i = 0; i < 5; i++) {
            random_change(&disk, &state);
        }
        for (uint32_t f = 0; f < copy.file_count; f++) {
            uint64_t size = disk.file[f].size;
            for (uint64_t at = 0; at < size; at++) {
                if (at < copy.file[f].size && copy.file[f].data[at] == disk.file[f].data[at]) {
                    continue;
                }
                bool named = false;
                for (size_t c = 0; c < disk.change_count && !named; c++) {
                    const mc_disk_change *change = &disk.change[c];
                    named = change->file == f && at >= change->offset &&
                            at - change->offset < change->touched;
                }
                assert_true(named);
            }
        }
        mc_disk_accept(&disk);
        mc_disk_free(&copy);
    }
    mc_disk_free(&disk);
}

/* Promise: a gap reads as zeros, also where an earlier, longer content lay. */
static void gaps_are_zero(void **unused)
{
    (void)unused;
    mc_disk disk = {0};
    uint16_t file = mc_disk_slot(&disk, "f");
    assert_true(mc_disk_create(&disk, file));
    assert_true(mc_disk_write(&disk, file, 0, "abcdefgh", 8));
    assert_true(mc_disk_truncate(&disk, file, 2));
    assert_true(mc_disk_write(&disk, file, 6, "X", 1));
    assert_int_equal(disk.file[file].size, 7);
    assert_memory_equal(disk.file[file].data, "ab\0\0\0\0X", 7);
    assert_true(mc_disk_truncate(&disk, file, 1));
    assert_true(mc_disk_truncate(&disk, file, 4));
    assert_memory_equal(disk.file[file].data, "a\0\0\0", 4);
    assert_true(mc_disk_delete(&disk, file));
    assert_true(mc_disk_create(&disk, file));
    assert_int_equal(disk.file[file].size, 0);
    mc_disk_free(&disk);
}

/* Promise: names get stable numbers, also across delete and copy. */
static void numbers_are_stable(void **unused)
{
    (void)unused;
    mc_disk disk = {0};
    assert_int_equal(mc_disk_find(&disk, "a"), MC_DISK_NONE);
    assert_int_equal(mc_disk_slot(&disk, "a"), 0);
    assert_int_equal(mc_disk_slot(&disk, "ab"), 1);
    assert_int_equal(mc_disk_slot(&disk, "a"), 0);
    assert_true(mc_disk_create(&disk, 1));
    mc_disk copy = {0};
    assert_true(mc_disk_copy(&copy, &disk));
    assert_int_equal(mc_disk_find(&copy, "ab"), 1);
    assert_true(copy.file[1].exists);
    assert_false(copy.file[0].exists);
    mc_disk_free(&copy);
    mc_disk_free(&disk);
}

/* Promise: the importer's view finds main, sidecars and others, and only those that exist. */
static void view_shows_what_exists(void **unused)
{
    (void)unused;
    mc_disk disk = {0};
    uint16_t main_file = mc_disk_slot(&disk, "main.db");
    uint16_t journal = mc_disk_slot(&disk, "main.db-journal");
    uint16_t super = mc_disk_slot(&disk, "main.db-mj0123456789");
    assert_true(mc_disk_create(&disk, main_file) && mc_disk_create(&disk, journal) &&
                mc_disk_create(&disk, super));
    assert_true(mc_disk_write(&disk, main_file, 0, "m", 1));
    assert_true(mc_disk_delete(&disk, journal));
    mc_files files;
    mc_disk_files(&disk, "main.db", &files);
    assert_true(files.main.exists);
    assert_int_equal(files.main.size, 1);
    assert_int_equal(files.main.data[0], 'm');
    assert_false(files.journal.exists);
    assert_false(files.wal.exists);
    mc_file other;
    const uint8_t name[] = "main.db-mj0123456789";
    assert_true(files.other(files.context, name, sizeof name - 1, &other));
    assert_true(other.exists);
    assert_null(other.data);
    assert_false(files.other(files.context, name, sizeof name - 2, &other));
    mc_disk_free(&disk);
}

/* Promise: a file grows up to the limit and not beyond, and what did not fit changed nothing. */
static void a_limit_holds(void **unused)
{
    (void)unused;
    mc_disk disk = {.limit_bytes = 8192};
    uint16_t file = mc_disk_slot(&disk, "main.db");
    assert_true(mc_disk_create(&disk, file));
    assert_true(mc_disk_write(&disk, file, 8191, "x", 1));
    assert_false(mc_disk_write(&disk, file, 8191, "yz", 2));
    assert_false(mc_disk_write(&disk, file, UINT64_C(1) << 40, "y", 1));
    assert_false(mc_disk_truncate(&disk, file, 8193));
    assert_int_equal(disk.file[file].size, 8192);
    assert_int_equal(disk.file[file].data[8191], 'x');
    mc_disk_free(&disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rewind_is_exact),        cmocka_unit_test(log_covers_every_difference),
        cmocka_unit_test(gaps_are_zero),          cmocka_unit_test(numbers_are_stable),
        cmocka_unit_test(view_shows_what_exists), cmocka_unit_test(a_limit_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
