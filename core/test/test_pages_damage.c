/* The walker on images that stock SQLite would not write, and on one too large to write here. */
#include "core/test/shape.h"

/* ---- places fixed by the page size ---- */

static void test_lock_byte_page(void **state)
{
    /* Promise: the page at 1 GiB is the lock byte's, and a pointer map that falls there moves on.
     */
    (void)state;
    /* 824 usable bytes: a map page each 165 pages from page 2 on, and 2 + 165 * 6355 = LOCK. */
    enum { PAGE_SIZE = 1024, RESERVED = 200, STRIDE = 165, LOCK = 1048577, PAGES = LOCK + 400 };
    uint8_t *header = calloc(1, PAGE_SIZE);
    uint8_t *zero = calloc(1, PAGE_SIZE);
    const uint8_t **page = calloc(PAGES, sizeof *page);
    mc_page_info *info = calloc(PAGES, sizeof *info);
    assert_true(header != NULL && zero != NULL && page != NULL && info != NULL);
    for (size_t i = 0; i < PAGES; i++) {
        page[i] = i == 0 ? header : zero;
    }
    header[20] = RESERVED;
    header[100] = 13;
    mc_bytes_put_be32(header + 52, 3);
    mc_arena arena = {.limit_bytes = 16u << 20};
    mc_image image = {.page_size = PAGE_SIZE, .page_count = PAGES, .page = page};
    mc_error error;
    assert_int_equal(mc_pages_walk(&image, &arena, info, &error), MC_OK);
    assert_int_equal(info[LOCK - 1].role, MC_ROLE_LOCK_BYTE);
    assert_int_equal(info[LOCK - STRIDE - 1].role, MC_ROLE_POINTER_MAP);
    assert_int_equal(info[LOCK].role, MC_ROLE_POINTER_MAP);
    assert_int_equal(info[LOCK + STRIDE - 1].role, MC_ROLE_POINTER_MAP);
    assert_int_equal(info[LOCK + STRIDE].role, MC_ROLE_UNKNOWN);
    mc_arena_free(&arena);
    free(header);
    free(zero);
    free(page);
    free(info);
}

/* ---- damage ---- */

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* One wound: a byte, a small number where a pointer or a count may stand, or a page over another.
 */
static void damage(fixture *f, uint64_t *seed)
{
    uint8_t *page = f->page[random_next(seed) % f->image.page_count];
    uint32_t header_area = random_next(seed) % 2 == 0 ? 128 : f->image.page_size;
    size_t offset = random_next(seed) % (header_area - 4);
    switch (random_next(seed) % 4) {
    case 0:
        page[offset] = (uint8_t)random_next(seed);
        break;
    case 1:
        mc_bytes_put_be32(page + offset, (uint32_t)(random_next(seed) % (f->image.page_count + 3)));
        break;
    case 2:
        mc_bytes_put_be16(page + offset, (uint16_t)random_next(seed));
        break;
    default:
        memcpy(page, f->page[random_next(seed) % f->image.page_count], f->image.page_size);
        break;
    }
}

/* What holds for any image: parents exist and lead to page 1 without a circle, owners are
 * printable. */
static void check_sane(const fixture *f)
{
    for (uint32_t n = 1; n <= f->image.page_count; n++) {
        const mc_page_info *info = &f->info[n - 1];
        assert_in_range(info->role, 0, MC_ROLES - 1);
        uint32_t steps = 0;
        for (uint32_t up = n; up != 0; up = f->info[up - 1].parent) {
            assert_true(up <= f->image.page_count);
            assert_true(++steps <= f->image.page_count + 1);
        }
        for (const char *c = info->owner == NULL ? "" : info->owner; *c != '\0'; c++) {
            assert_true((unsigned char)*c >= 0x20 && *c != 0x7f);
        }
    }
}

static void test_survives_damage(void **state)
{
    /* Promise: any damage ends in an answer, without a step outside a page (under a sanitizer). */
    (void)state;
    static const shape shapes[] = {
        {.page_size = 512, .auto_vacuum = 2, .encoding = "UTF-16le"},
        {.page_size = 512, .encoding = "UTF-8", .reserved = 32},
        {.page_size = 1024, .auto_vacuum = 2, .encoding = "UTF-8"},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        for (uint64_t seed = 1; seed <= 8; seed++) {
            fixture f;
            shape_open(&f, &shapes[i]);
            uint64_t random = seed * 0x9e3779b97f4a7c15u;
            for (int round = 0; round < 40; round++) {
                damage(&f, &random);
                walk(&f);
                check_sane(&f);
            }
            shape_close(&f);
        }
    }
}

static void test_shared_rows_cost_little(void **state)
{
    /* Promise: rows that all claim one endless overflow chain do not multiply the work (if they do,
     * 30 thousand million pages are read and the test runs into its time limit). */
    (void)state;
    enum { PAGE_SIZE = 4096, LEAVES = 60, PAGES = 3000, CELLS = 1500, CELL = 3200 };
    uint8_t *bytes = calloc(PAGES, PAGE_SIZE);
    const uint8_t **page = calloc(PAGES, sizeof *page);
    mc_page_info *info = calloc(PAGES, sizeof *info);
    assert_true(bytes != NULL && page != NULL && info != NULL);
    for (size_t i = 0; i < PAGES; i++) {
        page[i] = bytes + i * PAGE_SIZE;
    }
    bytes[100] = 5;
    mc_bytes_put_be16(bytes + 103, LEAVES);
    /* A payload of 2147481997 bytes and rowid 1; then a record header of 10 bytes: a type of 2^30
     * bytes, an empty name and tbl_name, a rootpage of one byte. 489 bytes are local. */
    static const uint8_t cell[] = {0x87, 0xff, 0xff, 0xf3, 0x0d, 1,  10, 0x88,
                                   0x80, 0x80, 0x80, 0x0c, 13,   13, 1,  13};
    for (size_t i = 0; i < LEAVES; i++) {
        mc_bytes_put_be16(bytes + 112 + 2 * i, (uint16_t)(1000 + 5 * i));
        mc_bytes_put_be32(bytes + 1000 + 5 * i, (uint32_t)i + 2);
        uint8_t *leaf = bytes + (i + 1) * PAGE_SIZE;
        leaf[0] = 13;
        mc_bytes_put_be16(leaf + 3, CELLS);
        for (size_t j = 0; j < CELLS; j++) {
            mc_bytes_put_be16(leaf + 8 + 2 * j, CELL);
        }
        memcpy(leaf + CELL, cell, sizeof cell);
        mc_bytes_put_be32(leaf + CELL + 6 + 489, LEAVES + 2);
    }
    for (uint32_t n = LEAVES + 2; n <= PAGES; n++) {
        mc_bytes_put_be32(bytes + (size_t)(n - 1) * PAGE_SIZE, n < PAGES ? n + 1 : LEAVES + 2);
    }
    mc_arena arena = {.limit_bytes = 1u << 20};
    mc_image image = {.page_size = PAGE_SIZE, .page_count = PAGES, .page = page};
    mc_error error;
    assert_int_equal(mc_pages_walk(&image, &arena, info, &error), MC_OK);
    assert_int_equal(info[LEAVES].role, MC_ROLE_SCHEMA);
    assert_int_equal(info[PAGES - 1].role, MC_ROLE_OVERFLOW);
    mc_arena_free(&arena);
    free(bytes);
    free(page);
    free(info);
}

static void test_child_of_another_kind(void **state)
{
    /* Promise: a table's child that is an index page has no role, but keeps owner and parent. */
    (void)state;
    fixture f;
    shape_open(&f, &(shape){.page_size = 512, .encoding = "UTF-8"});
    uint32_t root = (uint32_t)query_int(f.db, "SELECT rootpage FROM sqlite_schema"
                                              " WHERE name = 'rows'");
    assert_int_equal(f.info[root - 1].role, MC_ROLE_TABLE_INTERIOR);
    uint32_t child = mc_bytes_get_be32(f.page[root - 1] + 8);
    f.page[child - 1][0] = 2;
    walk(&f);
    assert_int_equal(f.info[child - 1].role, MC_ROLE_UNKNOWN);
    assert_int_equal(f.info[child - 1].parent, root);
    assert_string_equal(f.info[child - 1].owner, "rows");
    shape_close(&f);
}

/* One schema cell, and whether it leads to page 2. */
typedef struct row_sample {
    uint8_t cell[16];
    bool leads;
    const char *owner;
} row_sample;

/* Payload size, rowid 1; then record header size, serial types, values (fileformat2 2.1). */
static const row_sample row_samples[] = {
    {{8, 1, 6, 13, 15, 13, 1, 13, 't', 2}, true, "t"},
    {{9, 1, 6, 13, 15, 13, 2, 13, 't', 0, 2}, true, "t"},
    {{7, 1, 6, 13, 0, 13, 1, 13, 2}, true, NULL},        /* the name is null */
    {{8, 1, 6, 13, 14, 13, 1, 13, 't', 2}, true, NULL},  /* the name is a blob */
    {{8, 1, 6, 13, 15, 13, 1, 13, 't', 3}, false, NULL}, /* no page 3 */
    {{8, 1, 6, 13, 15, 13, 1, 13, 't', 0}, false, NULL},
    {{8, 1, 6, 13, 15, 13, 1, 13, 't', 0x82}, false, NULL}, /* negative */
    {{7, 1, 6, 13, 15, 13, 9, 13, 't'}, false, NULL},       /* the constant 1: the schema itself */
    {{8, 1, 6, 13, 15, 13, 15, 13, 't', 2}, false, NULL},   /* text */
    {{8, 1, 60, 13, 15, 13, 1, 13, 't', 2}, false, NULL},   /* header past the payload */
    {{8, 1, 6, 13, 0x7f, 13, 1, 13, 't', 2}, false, NULL},  /* name past the payload */
    {{7, 1, 6, 13, 15, 13, 1, 13, 't', 2}, false, NULL},    /* rootpage past the payload */
    {{3, 1, 6, 13, 15}, false, NULL},                       /* header cut short */
    {{8, 1, 6, 13, 15, 13, 0xff, 0xff, 0xff, 0xff}, false, NULL},
};

static void test_schema_rows(void **state)
{
    /* Promise: a schema row leads to its root when it is sound, and nowhere when it is not. */
    (void)state;
    uint8_t page1[512];
    uint8_t page2[512] = {13};
    const uint8_t *const page[] = {page1, page2};
    mc_image image = {.page_size = 512, .page_count = 2, .page = page};
    for (size_t i = 0; i < sizeof row_samples / sizeof row_samples[0]; i++) {
        const row_sample *sample = &row_samples[i];
        memset(page1, 0, sizeof page1);
        page1[100] = 13;
        mc_bytes_put_be16(page1 + 103, 1);
        mc_bytes_put_be16(page1 + 108, 400);
        memcpy(page1 + 400, sample->cell, sizeof sample->cell);
        mc_arena arena = {.limit_bytes = 1u << 16};
        mc_page_info info[2];
        mc_error error;
        assert_int_equal(mc_pages_walk(&image, &arena, info, &error), MC_OK);
        assert_int_equal(info[1].role, sample->leads ? MC_ROLE_TABLE_LEAF : MC_ROLE_UNKNOWN);
        assert_int_equal(info[1].parent, sample->leads);
        if (sample->owner == NULL) {
            assert_null(info[1].owner);
        } else {
            assert_string_equal(info[1].owner, sample->owner);
        }
        mc_arena_free(&arena);
    }
}

static void test_too_many_reserved_bytes(void **state)
{
    /* Promise: where SQLite opens nothing, as with less than 480 usable bytes, nothing is named. */
    (void)state;
    fixture f;
    shape_open(&f, &(shape){.page_size = 512, .encoding = "UTF-8"});
    f.page[0][20] = 33;
    sqlite3 *db = reopen(&f);
    assert_int_equal(sqlite3_exec(db, "SELECT * FROM rows", NULL, NULL, NULL), SQLITE_NOTADB);
    sqlite3_close(db);
    walk(&f);
    assert_int_equal(f.info[0].role, MC_ROLE_SCHEMA);
    for (uint32_t n = 2; n <= f.image.page_count; n++) {
        assert_int_equal(f.info[n - 1].role, MC_ROLE_UNKNOWN);
    }
    shape_close(&f);
}

static void test_no_memory_is_said(void **state)
{
    /* Promise: without memory the walk fails with that reason, and with enough it succeeds. */
    (void)state;
    fixture f;
    shape_open(&f, &(shape){.page_size = 512, .encoding = "UTF-8"});
    int failures = 0;
    for (size_t limit = 64;; limit += 64) {
        mc_arena arena = {.limit_bytes = limit};
        mc_error error;
        mc_status status = mc_pages_walk(&f.image, &arena, f.info, &error);
        mc_arena_free(&arena);
        if (status == MC_OK) {
            break;
        }
        assert_int_equal(status, MC_NO_MEMORY);
        assert_string_equal(error.reason, "no-memory");
        failures++;
    }
    assert_true(failures > 2);
    shape_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lock_byte_page),
        cmocka_unit_test(test_survives_damage),
        cmocka_unit_test(test_shared_rows_cost_little),
        cmocka_unit_test(test_child_of_another_kind),
        cmocka_unit_test(test_schema_rows),
        cmocka_unit_test(test_too_many_reserved_bytes),
        cmocka_unit_test(test_no_memory_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
