/* test_diskid.c: a state's id depends on the state alone and tells states apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "crashsim/diskid.h"
#include "crashsim/seeded.h"

enum { FILES = 4, SIZE_MAX_BYTES = 9000, STEPS = 3000 };

static mc_seeded seeded;

static uint64_t draw(uint64_t below)
{
    uint64_t value;
    mc_seeded_bytes(&seeded, &value, sizeof value);
    return value % below;
}

static void make_files(mc_disk *disk)
{
    static const char *const name[FILES] = {"main.db", "main.db-journal", "main.db-wal", "aux.db"};
    *disk = (mc_disk){0};
    for (uint16_t i = 0; i < FILES; i++) {
        assert_int_equal(mc_disk_slot(disk, name[i]), i);
    }
}

/* Sizes and offsets around the block's, where a sum would lose a byte. */
static uint64_t draw_offset(void)
{
    return draw(3) > 0 ? draw(SIZE_MAX_BYTES) : draw(8) * 1024 + draw(3) - (draw(2) ? 1 : 0);
}

/* One operation as a trace would hold it; tells the id of it as crash.c does. */
static void take_step(mc_disk *disk, mc_diskid *id)
{
    uint8_t bytes[3000];
    uint16_t file = (uint16_t)draw(FILES);
    uint64_t from = 0;
    uint64_t to = 0;
    switch (draw(6)) {
    case 0:
        assert_true(mc_disk_delete(disk, file));
        break;
    case 1:
        assert_true(mc_disk_create(disk, file));
        assert_true(mc_disk_truncate(disk, file, draw_offset() & 0xffff));
        break;
    default:
        assert_true(mc_disk_create(disk, file));
        from = draw_offset() & 0xffff;
        to = from + draw(sizeof bytes);
        memset(bytes, (int)draw(3), sizeof bytes);
        assert_true(mc_disk_write(disk, file, from, bytes, (size_t)(to - from)));
    }
    assert_true(mc_diskid_changed(id, disk, file, from, to));
}

static mc_hash128 fresh_id(const mc_disk *disk)
{
    mc_diskid id;
    assert_true(mc_diskid_init(&id, disk));
    mc_hash128 out = id.id;
    mc_diskid_free(&id);
    return out;
}

/* Promise: kept up to date over any operations, the id is the one that reading the whole disk
 * gives. */
static void following_equals_reading(void **unused)
{
    (void)unused;
    seeded = mc_seeded_init(1);
    mc_disk disk;
    make_files(&disk);
    mc_diskid id;
    assert_true(mc_diskid_init(&id, &disk));
    for (int step = 0; step < STEPS; step++) {
        take_step(&disk, &id);
        assert_true(mc_hash128_equal(id.id, fresh_id(&disk)));
    }
    mc_diskid_free(&id);
    mc_disk_free(&disk);
}

static bool same_disk(const mc_disk *a, const mc_disk *b)
{
    for (uint32_t i = 0; i < FILES; i++) {
        const mc_disk_file *left = &a->file[i];
        const mc_disk_file *right = &b->file[i];
        if (left->exists != right->exists || left->size != right->size ||
            (left->size > 0 && memcmp(left->data, right->data, left->size) != 0)) {
            return false;
        }
    }
    return true;
}

/* Brings `disk` to `goal` piece by piece, in an order of its own. */
static void become(mc_disk *disk, mc_diskid *id, const mc_disk *goal)
{
    uint16_t start = (uint16_t)draw(FILES);
    for (uint16_t i = 0; i < FILES; i++) {
        uint16_t file = (uint16_t)((start + i) % FILES);
        const mc_disk_file *want = &goal->file[file];
        if (!want->exists) {
            assert_true(mc_disk_delete(disk, file));
            assert_true(mc_diskid_changed(id, disk, file, 0, 0));
            continue;
        }
        assert_true(mc_disk_create(disk, file));
        assert_true(mc_diskid_changed(id, disk, file, 0, 0));
        for (uint64_t at = 0; at < want->size;) {
            uint64_t size = 1 + draw(2000);
            size = size < want->size - at ? size : want->size - at;
            assert_true(mc_disk_write(disk, file, at, want->data + at, (size_t)size));
            assert_true(mc_diskid_changed(id, disk, file, at, at + size));
            at += size;
        }
        assert_true(mc_disk_truncate(disk, file, want->size));
        assert_true(mc_diskid_changed(id, disk, file, 0, 0));
    }
    assert_true(same_disk(disk, goal));
}

/* Promise: states that are equal have one id, whatever way led there, files that came and went
 * included. */
static void every_way_to_a_state_gives_its_id(void **unused)
{
    (void)unused;
    seeded = mc_seeded_init(2);
    mc_disk a;
    mc_disk b;
    make_files(&a);
    make_files(&b);
    mc_diskid left;
    mc_diskid right;
    assert_true(mc_diskid_init(&left, &a));
    assert_true(mc_diskid_init(&right, &b));
    for (int round = 0; round < 200; round++) {
        for (int step = 0; step < 10; step++) {
            take_step(&a, &left);
            take_step(&b, &right);
        }
        become(&b, &right, &a);
        assert_true(mc_hash128_equal(left.id, right.id));
    }
    mc_diskid_free(&left);
    mc_diskid_free(&right);
    mc_disk_free(&a);
    mc_disk_free(&b);
}

/* Promise: one byte, one byte of length, absent against empty, two files or two blocks changed
 * about: each gives another id. */
static void small_differences_show(void **unused)
{
    (void)unused;
    mc_hash128 seen[16];
    int count = 0;
    for (int variant = 0; variant < 10; variant++) {
        mc_disk disk;
        make_files(&disk);
        static uint8_t block[2][1024];
        memset(block[1], 1, sizeof block[1]);
        bool swap = variant == 1;
        uint16_t file = variant == 2 ? 1 : 0;
        assert_true(mc_disk_create(&disk, file));
        assert_true(mc_disk_write(&disk, file, 0, block[swap], 1024));
        assert_true(mc_disk_write(&disk, file, 1024, block[!swap], 1024));
        if (variant == 3) {
            assert_true(mc_disk_create(&disk, 3)); /* an empty file more */
        } else if (variant == 4) {
            assert_true(mc_disk_truncate(&disk, file, 2047));
        } else if (variant == 5) {
            assert_true(mc_disk_truncate(&disk, file, 2049));
        } else if (variant == 6) {
            assert_true(mc_disk_write(&disk, file, 2047, "\2", 1));
        } else if (variant == 7) {
            assert_true(mc_disk_write(&disk, file, 0, "\2", 1));
        } else if (variant == 8) {
            assert_true(mc_disk_truncate(&disk, file, 0));
        } else if (variant == 9) {
            assert_true(mc_disk_delete(&disk, file));
        }
        seen[count] = fresh_id(&disk);
        for (int i = 0; i < count; i++) {
            assert_false(mc_hash128_equal(seen[i], seen[count]));
        }
        count++;
        mc_disk_free(&disk);
    }
}

/* Promise: over a long random walk, two states have one id only if they are equal. */
static void different_states_have_different_ids(void **unused)
{
    (void)unused;
    seeded = mc_seeded_init(3);
    enum { KEPT = 120 };
    static mc_disk kept[KEPT];
    mc_hash128 ids[KEPT];
    mc_disk disk;
    make_files(&disk);
    mc_diskid id;
    assert_true(mc_diskid_init(&id, &disk));
    for (int i = 0; i < KEPT; i++) {
        take_step(&disk, &id);
        assert_true(mc_disk_copy(&kept[i], &disk));
        ids[i] = id.id;
        for (int k = 0; k < i; k++) {
            assert_int_equal(mc_hash128_equal(ids[i], ids[k]), same_disk(&kept[i], &kept[k]));
        }
    }
    for (int i = 0; i < KEPT; i++) {
        mc_disk_free(&kept[i]);
    }
    mc_diskid_free(&id);
    mc_disk_free(&disk);
}

/* A step that often takes an earlier one back, so that states return. */
static void step_relative(mc_disk *disk, mc_diskid *id)
{
    static const uint8_t bytes[2][2048] = {{0}, {1}};
    uint16_t file = (uint16_t)draw(FILES);
    uint64_t size = disk->file[file].size;
    uint64_t size_after = size;
    uint64_t from = draw(3) * 1024;
    uint64_t to = from + draw(3) * 700;
    uint64_t kind = disk->file[file].exists ? draw(5) : 5;
    if (kind == 0) {
        size_after = 0;
    } else if (kind == 1) {
        size_after = draw(2) ? draw(4) * 900 : size + draw(1500);
    } else if (kind < 5) {
        size_after = to > from && to > size ? to : size;
    }
    from = kind < 2 || kind == 5 ? 0 : from;
    to = kind < 2 || kind == 5 ? 0 : to;
    assert_true(mc_diskid_before(id, disk, file, from, to, size_after));
    if (kind == 0) {
        assert_true(mc_disk_delete(disk, file));
    } else if (kind == 1) {
        assert_true(mc_disk_truncate(disk, file, size_after));
    } else if (kind == 5) {
        assert_true(mc_disk_create(disk, file));
    } else {
        assert_true(mc_disk_write(disk, file, from, bytes[draw(2)], (size_t)(to - from)));
    }
    assert_true(mc_diskid_changed(id, disk, file, from, to));
}

/* Promise: relative ids, which never read what does not change, tell the states of one walk apart
 * exactly as reading all of them does. */
static void relative_ids_compare_within_their_walk(void **unused)
{
    (void)unused;
    enum { WALKS = 20, STATES = 60 };
    static mc_disk kept[STATES];
    for (uint64_t walk = 0; walk < WALKS; walk++) {
        seeded = mc_seeded_init(100 + walk);
        mc_hash128 ids[STATES];
        mc_disk disk;
        make_files(&disk);
        mc_diskid whole;
        mc_diskid relative;
        assert_true(mc_diskid_init(&whole, &disk));
        for (int i = 0; i < 6; i++) {
            take_step(&disk, &whole); /* a base to be relative to */
        }
        assert_true(mc_diskid_init_relative(&relative, &disk));
        for (int i = 0; i < STATES; i++) {
            step_relative(&disk, &relative);
            memset(&kept[i], 0, sizeof kept[i]);
            assert_true(mc_disk_copy(&kept[i], &disk));
            ids[i] = relative.id;
            for (int k = 0; k < i; k++) {
                assert_int_equal(mc_hash128_equal(ids[i], ids[k]), same_disk(&kept[i], &kept[k]));
            }
        }
        for (int i = 0; i < STATES; i++) {
            mc_disk_free(&kept[i]);
        }
        mc_diskid_free(&relative);
        mc_diskid_free(&whole);
        mc_disk_free(&disk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(following_equals_reading),
        cmocka_unit_test(every_way_to_a_state_gives_its_id),
        cmocka_unit_test(small_differences_show),
        cmocka_unit_test(different_states_have_different_ids),
        cmocka_unit_test(relative_ids_compare_within_their_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
