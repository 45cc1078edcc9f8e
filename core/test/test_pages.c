/* The walker against stock SQLite: dbstat says which page belongs to what and who leads to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "core/pages.h"

/* A database image whose pages are separate allocations, so that a sanitizer sees any step outside.
 */
typedef struct fixture {
    sqlite3 *db;
    uint8_t **page;
    mc_image image;
    mc_page_info *info;
    mc_arena arena;
} fixture;

static void execute(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", sql, message);
    }
}

static int64_t query_int(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

static void image_free(fixture *f)
{
    for (uint32_t i = 0; i < f->image.page_count; i++) {
        free(f->page[i]);
    }
    free(f->page);
    free(f->info);
    mc_arena_free(&f->arena);
}

static void image_take(fixture *f)
{
    sqlite3_int64 size;
    uint8_t *bytes = sqlite3_serialize(f->db, "main", &size, 0);
    assert_non_null(bytes);
    uint32_t page_size = mc_bytes_get_be16(bytes + 16);
    page_size = page_size == 1 ? 65536 : page_size;
    uint32_t page_count = (uint32_t)(size / page_size);
    f->page = calloc(page_count, sizeof *f->page);
    f->info = calloc(page_count, sizeof *f->info);
    assert_non_null(f->page);
    assert_non_null(f->info);
    for (uint32_t i = 0; i < page_count; i++) {
        f->page[i] = malloc(page_size);
        assert_non_null(f->page[i]);
        memcpy(f->page[i], bytes + (size_t)i * page_size, page_size);
    }
    sqlite3_free(bytes);
    f->image = (mc_image){
        .page_size = page_size, .page_count = page_count, .page = (const uint8_t *const *)f->page};
    f->arena = (mc_arena){.limit_bytes = 64u << 20};
}

static void walk(fixture *f)
{
    mc_error error;
    mc_arena_reset(&f->arena);
    assert_int_equal(mc_pages_walk(&f->image, &f->arena, f->info, &error), MC_OK);
}

/* Every kind of page: an interior schema with overflowing rows, rowid and WITHOUT ROWID tables,
 * payloads on both sides of every spill limit, overflowing index keys, names that need care, and a
 * freelist of several trunks. */
static const char shape_sql[] =
    "CREATE TABLE rows(id INTEGER PRIMARY KEY, body BLOB);"
    "CREATE TABLE keyed(k TEXT PRIMARY KEY, v) WITHOUT ROWID;"
    "CREATE TABLE indexed(a TEXT, b TEXT UNIQUE);"
    "CREATE INDEX \"by \n a\u00e9\U0001F600\" ON indexed(a);"
    "CREATE TABLE doomed(x);"
    "CREATE VIEW seen AS SELECT * FROM rows;"
    "CREATE TRIGGER shot AFTER INSERT ON keyed BEGIN SELECT 1; END;"
    "CREATE TABLE a_table_whose_create_statement_is_long("
    "  column_number_one TEXT CHECK(length(column_number_one) < 100000 AND column_number_one <> "
    "''),"
    "  column_number_two TEXT CHECK(length(column_number_two) < 100000 AND column_number_two <> "
    "''),"
    "  column_number_three TEXT CHECK(length(column_number_three) < 100000),"
    "  column_number_four TEXT CHECK(length(column_number_four) < 100000),"
    "  column_number_five TEXT CHECK(length(column_number_five) < 100000));"
    "CREATE TABLE n(i INTEGER PRIMARY KEY);"
    "WITH RECURSIVE c(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM c WHERE i < 300)"
    "  INSERT INTO n SELECT i FROM c;"
    "INSERT INTO rows SELECT i, zeroblob(page_size * i / 30) FROM n, pragma_page_size WHERE i < 90;"
    /* Around the largest payload that stays local, and where the rest of one just fits. */
    "INSERT INTO rows(body) SELECT zeroblob(page_size - i) FROM n, pragma_page_size WHERE i < 110;"
    "INSERT INTO rows(body) SELECT zeroblob(page_size * 2 - i) FROM n, pragma_page_size"
    "  WHERE i BETWEEN 20 AND 140;"
    /* Chains so long that an error of a few bytes per page adds up to a page. */
    "INSERT INTO rows(body) SELECT zeroblob(70000 + 13 * i) FROM n WHERE i < 40;"
    "INSERT INTO keyed SELECT i || hex(zeroblob(page_size * i / 200)), i FROM n, pragma_page_size"
    "  WHERE i < 90;"
    "INSERT INTO keyed SELECT substr('+' || i || hex(zeroblob(page_size)), 1,"
    "    page_size * 64 / 255 - i), i FROM n, pragma_page_size WHERE i < 75;"
    "INSERT INTO keyed SELECT substr('-' || i || hex(zeroblob(page_size)), 1,"
    "    page_size + page_size * 64 / 255 - i), i FROM n, pragma_page_size WHERE i < 120;"
    "INSERT INTO keyed SELECT substr('=' || i || hex(zeroblob(9000)), 1, 10000 + 13 * i), i FROM n"
    "  WHERE i < 40;"
    "INSERT INTO indexed SELECT i || hex(zeroblob(page_size * (i % 9) / 40)), 'b' || i"
    "  FROM n, pragma_page_size;"
    "INSERT INTO doomed SELECT zeroblob(page_size) FROM n, pragma_page_size;"
    "DROP TABLE doomed; DELETE FROM rows WHERE id % 5 = 0;";

typedef struct shape {
    int page_size;
    int auto_vacuum; /* 2: incremental, so that the freelist stays */
    const char *encoding;
    int reserved;
} shape;

static void shape_open(fixture *f, const shape *s)
{
    *f = (fixture){0};
    assert_int_equal(sqlite3_open(":memory:", &f->db), SQLITE_OK);
    int reserved = s->reserved;
    sqlite3_file_control(f->db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
    char *sql = sqlite3_mprintf("PRAGMA page_size=%d; PRAGMA auto_vacuum=%d; PRAGMA encoding='%s';",
                                s->page_size, s->auto_vacuum, s->encoding);
    execute(f->db, sql);
    sqlite3_free(sql);
    execute(f->db, shape_sql);
    for (int i = 0; i < 60; i++) {
        sql = sqlite3_mprintf("CREATE TABLE small_%03d(a, b, c)", i);
        execute(f->db, sql);
        sqlite3_free(sql);
    }
    image_take(f);
    walk(f);
}

static void shape_close(fixture *f)
{
    image_free(f);
    sqlite3_close(f->db);
}

/* ---- dbstat's answers ---- */

static const char dbstat_sql[] =
    "SELECT d.pageno, d.name, d.pagetype, d.path,"
    " d.name IN (SELECT name FROM sqlite_schema WHERE type = 'index')"
    " OR d.name IN (SELECT name FROM pragma_table_list WHERE wr) FROM dbstat d";

static mc_page_role expected_role(const char *name, const char *pagetype, bool is_index)
{
    if (strcmp(pagetype, "overflow") == 0) {
        return MC_ROLE_OVERFLOW;
    }
    if (strcmp(name, "sqlite_schema") == 0) {
        return MC_ROLE_SCHEMA;
    }
    if (strcmp(pagetype, "leaf") == 0) {
        return is_index ? MC_ROLE_INDEX_LEAF : MC_ROLE_TABLE_LEAF;
    }
    assert_string_equal(pagetype, "internal");
    return is_index ? MC_ROLE_INDEX_INTERIOR : MC_ROLE_TABLE_INTERIOR;
}

/* dbstat's paths: a root "/", its third child "/002/", the second overflow page of that child's
 * fourth cell "/002/003+000001". Fills `out` with the path of the page that leads there. */
static void parent_path(const char *path, char *out, size_t out_size)
{
    (void)snprintf(out, out_size, "%s", path);
    char *plus = strrchr(out, '+');
    unsigned chain = plus == NULL ? 0 : (unsigned)strtoul(plus + 1, NULL, 16);
    if (chain > 0) {
        (void)snprintf(plus, (size_t)(out + out_size - plus), "+%06x", chain - 1);
        return;
    }
    if (plus == NULL) {
        out[strlen(out) - 1] = '\0';
    }
    strrchr(out, '/')[1] = '\0';
}

static void check_parent(sqlite3 *db, const mc_page_info *info, const char *name, const char *path)
{
    if (strcmp(path, "/") == 0) {
        return;
    }
    char parent[256];
    parent_path(path, parent, sizeof parent);
    char *sql =
        sqlite3_mprintf("SELECT pageno FROM dbstat WHERE name = %Q AND path = %Q", name, parent);
    assert_int_equal(info->parent, query_int(db, sql));
    sqlite3_free(sql);
}

static bool same_name(const char *owner, const char *name)
{
    if (strcmp(name, "by \n a\u00e9\U0001F600") == 0) {
        name = "by ? a\u00e9\U0001F600";
    }
    return owner != NULL && strcmp(owner, name) == 0;
}

/* Returns how many pages dbstat knows; `known` gets 1 for each. */
static uint32_t check_against_dbstat(const fixture *f, bool with_parents, uint8_t *known)
{
    sqlite3_stmt *row;
    assert_int_equal(sqlite3_prepare_v2(f->db, dbstat_sql, -1, &row, NULL), SQLITE_OK);
    uint32_t count = 0;
    for (; sqlite3_step(row) == SQLITE_ROW; count++) {
        uint32_t page_number = (uint32_t)sqlite3_column_int(row, 0);
        const char *name = (const char *)sqlite3_column_text(row, 1);
        const char *pagetype = (const char *)sqlite3_column_text(row, 2);
        const char *path = (const char *)sqlite3_column_text(row, 3);
        const mc_page_info *info = &f->info[page_number - 1];
        mc_page_role role = expected_role(name, pagetype, sqlite3_column_int(row, 4) != 0);
        if (info->role != role || !same_name(info->owner, name)) {
            fail_msg("page %u: %s of %s, dbstat: %s of %s", page_number,
                     mc_page_role_name((mc_page_role)info->role), info->owner,
                     mc_page_role_name(role), name);
        }
        if (with_parents) {
            check_parent(f->db, info, name, path);
        }
        known[page_number - 1] = 1;
    }
    sqlite3_finalize(row);
    return count;
}

static void count_leaf(void *context, uint32_t page_number)
{
    uint32_t *left = context;
    assert_true(page_number >= 2);
    assert_true(*left > 0);
    --*left;
}

static void check_shape(const shape *s, bool with_parents)
{
    fixture f;
    shape_open(&f, s);
    uint8_t *known = calloc(f.image.page_count, 1);
    assert_non_null(known);
    uint32_t in_trees = check_against_dbstat(&f, with_parents, known);
    uint32_t of[MC_ROLES] = {0};
    for (uint32_t i = 0; i < f.image.page_count; i++) {
        of[f.info[i].role] += known[i] == 0;
    }
    uint32_t free_pages = (uint32_t)query_int(f.db, "PRAGMA freelist_count");
    assert_true(free_pages > 0);
    assert_true(of[MC_ROLE_FREELIST_TRUNK] > 0);
    assert_int_equal(of[MC_ROLE_FREELIST_TRUNK] + of[MC_ROLE_FREELIST_LEAF], free_pages);
    assert_int_equal(of[MC_ROLE_POINTER_MAP], f.image.page_count - in_trees - free_pages);
    assert_int_equal(of[MC_ROLE_POINTER_MAP] > 0, s->auto_vacuum != 0);
    mc_pages_freelist_leaves(&f.image, count_leaf, &of[MC_ROLE_FREELIST_LEAF]);
    assert_int_equal(of[MC_ROLE_FREELIST_LEAF], 0);
    free(known);
    shape_close(&f);
}

static void test_agrees_with_dbstat(void **state)
{
    /* Promise: role and owner of every page are what stock SQLite says, in every layout. */
    (void)state;
    static const char *const encodings[] = {"UTF-8", "UTF-16le", "UTF-16be"};
    static const int page_sizes[] = {512, 4096, 65536};
    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < 3; j++) {
            shape s = {.page_size = page_sizes[i], .encoding = encodings[j]};
            check_shape(&s, false);
            s.auto_vacuum = 2;
            s.reserved = 32;
            check_shape(&s, false);
        }
    }
}

static void test_parents_agree_with_dbstat(void **state)
{
    /* Promise: `parent` is the page whose pointer leads here, along trees and overflow chains. */
    (void)state;
    check_shape(&(shape){.page_size = 1024, .encoding = "UTF-8"}, true);
}

static void test_root_parent_is_schema_page(void **state)
{
    /* Promise: a root's parent is a page of sqlite_schema. */
    (void)state;
    fixture f;
    shape_open(&f, &(shape){.page_size = 512, .encoding = "UTF-8"});
    uint32_t root = (uint32_t)query_int(f.db, "SELECT rootpage FROM sqlite_schema"
                                              " WHERE name = 'small_059'");
    assert_string_equal(f.info[root - 1].owner, "small_059");
    assert_int_equal(f.info[f.info[root - 1].parent - 1].role, MC_ROLE_SCHEMA);
    assert_true(f.info[root - 1].parent > 1);
    shape_close(&f);
}

/* ---- freelist ---- */

typedef struct scribbler {
    fixture *f;
    uint32_t count;
} scribbler;

static void scribble(void *context, uint32_t page_number)
{
    scribbler *s = context;
    memset(s->f->page[page_number - 1], 0xa5, s->f->image.page_size);
    s->count++;
}

/* Opens the fixture's bytes in stock SQLite. */
static sqlite3 *reopen(const fixture *f)
{
    size_t size = (size_t)f->image.page_size * f->image.page_count;
    uint8_t *bytes = sqlite3_malloc64(size);
    assert_non_null(bytes);
    for (uint32_t i = 0; i < f->image.page_count; i++) {
        memcpy(bytes + (size_t)i * f->image.page_size, f->page[i], f->image.page_size);
    }
    sqlite3 *db;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_deserialize(db, "main", bytes, (sqlite3_int64)size, (sqlite3_int64)size,
                            SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE),
        SQLITE_OK);
    return db;
}

static void assert_integrity(sqlite3 *db, bool is_ok)
{
    assert_int_equal(query_int(db, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"),
                     is_ok);
}

static void test_freelist_leaves_do_not_count(void **state)
{
    /* Promise: SQLite itself does not care what the pages named as freelist leaves hold. */
    (void)state;
    fixture f;
    shape_open(&f, &(shape){.page_size = 512, .auto_vacuum = 2, .encoding = "UTF-8"});
    scribbler s = {.f = &f};
    mc_pages_freelist_leaves(&f.image, scribble, &s);
    assert_true(s.count > 250);
    sqlite3 *db = reopen(&f);
    assert_integrity(db, true);
    execute(db, "CREATE TABLE reused(x); INSERT INTO reused SELECT zeroblob(200) FROM rows, rows");
    assert_int_equal(query_int(db, "PRAGMA freelist_count"), 0);
    assert_integrity(db, true);
    sqlite3_close(db);
    shape_close(&f);
}

static void test_freelist_trunks_do_count(void **state)
{
    /* Promise: a trunk is not named as a leaf: SQLite notices when one is overwritten. */
    (void)state;
    fixture f;
    shape_open(&f, &(shape){.page_size = 512, .encoding = "UTF-8"});
    for (uint32_t n = 1; n <= f.image.page_count; n++) {
        if (f.info[n - 1].role == MC_ROLE_FREELIST_TRUNK) {
            memset(f.page[n - 1], 0xa5, f.image.page_size);
            break;
        }
    }
    sqlite3 *db = reopen(&f);
    assert_integrity(db, false);
    sqlite3_close(db);
    shape_close(&f);
}

static void count_visit(void *context, uint32_t page_number)
{
    (void)page_number;
    ++*(uint32_t *)context;
}

static void test_freelist_cycle_ends(void **state)
{
    /* Promise: a freelist that leads back to itself ends within page_count visits. */
    (void)state;
    fixture f;
    shape_open(&f, &(shape){.page_size = 512, .encoding = "UTF-8"});
    uint32_t trunk = mc_bytes_get_be32(f.page[0] + 32);
    mc_bytes_put_be32(f.page[trunk - 1], trunk);
    uint32_t visits = 0;
    mc_pages_freelist_leaves(&f.image, count_visit, &visits);
    assert_in_range(visits, 1, f.image.page_count);
    mc_bytes_put_be32(f.page[trunk - 1] + 4, 0xffffffff);
    visits = 0;
    mc_pages_freelist_leaves(&f.image, count_visit, &visits);
    assert_int_equal(visits, 0);
    shape_close(&f);
}

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

static void test_role_names(void **state)
{
    /* Promise: every role has a name of its own. */
    (void)state;
    for (int i = 0; i < MC_ROLES; i++) {
        const char *name = mc_page_role_name((mc_page_role)i);
        assert_non_null(name);
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(name, mc_page_role_name((mc_page_role)j));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agrees_with_dbstat),
        cmocka_unit_test(test_parents_agree_with_dbstat),
        cmocka_unit_test(test_root_parent_is_schema_page),
        cmocka_unit_test(test_freelist_leaves_do_not_count),
        cmocka_unit_test(test_freelist_trunks_do_count),
        cmocka_unit_test(test_freelist_cycle_ends),
        cmocka_unit_test(test_lock_byte_page),
        cmocka_unit_test(test_survives_damage),
        cmocka_unit_test(test_shared_rows_cost_little),
        cmocka_unit_test(test_no_memory_is_said),
        cmocka_unit_test(test_role_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
