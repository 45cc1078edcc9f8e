/* The walker against stock SQLite: dbstat says which page belongs to what and who leads to it. */
#include "core/test/shape.h"

#include <stdio.h>

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

static void test_freelist_parents(void **state)
{
    /* Promise: the parent of a trunk is the page that names it as next, of a leaf its trunk. */
    (void)state;
    fixture f;
    shape_open(&f, &(shape){.page_size = 512, .encoding = "UTF-8"});
    uint32_t trunks = 0;
    for (uint32_t n = 1; n <= f.image.page_count; n++) {
        uint32_t parent = f.info[n - 1].parent;
        if (f.info[n - 1].role == MC_ROLE_FREELIST_TRUNK) {
            size_t next_at = parent == 1 ? 32 : 0;
            assert_int_equal(mc_bytes_get_be32(f.page[parent - 1] + next_at), n);
            trunks++;
        } else if (f.info[n - 1].role == MC_ROLE_FREELIST_LEAF) {
            assert_int_equal(f.info[parent - 1].role, MC_ROLE_FREELIST_TRUNK);
        }
    }
    assert_true(trunks > 1);
    shape_close(&f);
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
    mc_bytes_put_be32(f.page[trunk - 1] + 4, 0);
    mc_pages_freelist_leaves(&f.image, count_visit, &visits);
    assert_int_equal(visits, 0);
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
        cmocka_unit_test(test_freelist_parents),
        cmocka_unit_test(test_freelist_cycle_ends),
        cmocka_unit_test(test_role_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
