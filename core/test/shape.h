/* shape.h: databases of every layout, made by stock SQLite, for the tests of pages.h. */
#ifndef MIDCOMMIT_CORE_TEST_SHAPE_H
#define MIDCOMMIT_CORE_TEST_SHAPE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sqlite3.h>
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

static inline void execute(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", sql, message);
    }
}

static inline int64_t query_int(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

static inline void image_free(fixture *f)
{
    for (uint32_t i = 0; i < f->image.page_count; i++) {
        free(f->page[i]);
    }
    free(f->page);
    free(f->info);
    mc_arena_free(&f->arena);
}

static inline void image_take(fixture *f)
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

static inline void walk(fixture *f)
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

static inline void shape_open(fixture *f, const shape *s)
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

static inline void shape_close(fixture *f)
{
    image_free(f);
    sqlite3_close(f->db);
}

/* Opens the fixture's bytes in stock SQLite. */
static inline sqlite3 *reopen(const fixture *f)
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

#endif
