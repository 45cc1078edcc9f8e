#include "harness/judge/inspect.h"

#include "crashsim/memvfs.h"
#include "harness/judge/rowdiff.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

const char *const mc_detector_names[MC_DETECTORS] = {
    "header check", "page count", "quick_check", "integrity_check", "read",
};

enum { FILES = 2 }; /* expected and found, for a difference; judging uses the first */
static const char *const file_names[FILES] = {"a.db", "b.db"};

struct mc_inspector {
    mc_disk disk;
    mc_memvfs *vfs;
    uint16_t file[FILES];
};

mc_inspector *mc_inspector_open(void)
{
    mc_inspector *inspector = calloc(1, sizeof *inspector);
    if (inspector == NULL) {
        return NULL;
    }
    mc_memvfs_options options = {.disk = &inspector->disk};
    inspector->vfs = mc_memvfs_open(&options);
    for (int i = 0; i < FILES; i++) {
        inspector->file[i] = mc_disk_slot(&inspector->disk, file_names[i]);
    }
    if (inspector->vfs == NULL || inspector->file[FILES - 1] == MC_DISK_NONE) {
        mc_inspector_close(inspector);
        return NULL;
    }
    return inspector;
}

void mc_inspector_close(mc_inspector *inspector)
{
    if (inspector == NULL) {
        return;
    }
    if (inspector->vfs != NULL) {
        mc_memvfs_close(inspector->vfs);
    }
    mc_disk_free(&inspector->disk);
    free(inspector);
}

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "inspection: out of memory");
}

/* Lays the image out as a file. Its file format versions are set to 1 (rollback journal): what is
 * judged are its pages, not whether a WAL could be opened beside it. */
static mc_status place(mc_inspector *inspector, int which, const mc_image *image, mc_error *error)
{
    uint16_t file = inspector->file[which];
    bool ok = mc_disk_create(&inspector->disk, file) && mc_disk_truncate(&inspector->disk, file, 0);
    for (uint32_t i = 0; ok && i < image->page_count; i++) {
        ok = mc_disk_write(&inspector->disk, file, (uint64_t)i * image->page_size, image->page[i],
                           image->page_size);
    }
    if (ok && image->page_count > 0 && image->page[0][18] == 2 && image->page[0][19] == 2) {
        ok = mc_disk_write(&inspector->disk, file, 18, "\1\1", 2);
    }
    return ok ? MC_OK : no_memory(error);
}

static sqlite3 *open_file(mc_inspector *inspector, int which)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(file_names[which], &db, SQLITE_OPEN_READONLY,
                             mc_memvfs_name(inspector->vfs));
    if (rc != SQLITE_OK) {
        (void)sqlite3_close(db);
        return NULL;
    }
    return db;
}

static void complain(mc_inspection *out, uint32_t detector, const char *text)
{
    out->noticed |= detector;
    if (out->complaint[0] == '\0') {
        (void)snprintf(out->complaint, sizeof out->complaint, "%s", text != NULL ? text : "?");
        for (char *c = out->complaint; *c != '\0'; c++) {
            *c = (unsigned char)*c < 0x20 ? ' ' : *c;
        }
    }
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* What careful importers look at before they trust a main file (fileformat2 1.3). */
static void check_header(const mc_image *image, mc_inspection *out)
{
    const uint8_t *p = image->page[0];
    uint32_t page_size = (uint32_t)p[16] << 8 | p[17];
    page_size = page_size == 1 ? MC_PAGE_SIZE_MAX : page_size;
    if (memcmp(p, "SQLite format 3", 16) != 0) {
        complain(out, MC_NOTICED_HEADER, "bad magic");
    } else if (page_size != image->page_size) {
        complain(out, MC_NOTICED_HEADER, "bad page size");
    } else if (p[18] > 2 || p[19] > 2 || p[21] != 64 || p[22] != 32 || p[23] != 32) {
        complain(out, MC_NOTICED_HEADER, "bad fixed header bytes");
    }
    bool counts = be32(p + 28) != 0 && memcmp(p + 24, p + 92, 4) == 0;
    if (counts && be32(p + 28) != image->page_count) {
        complain(out, MC_NOTICED_PAGE_COUNT, "the header counts other pages than there are");
    }
}

static bool is_damage(int rc)
{
    return (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB;
}

static void run_check(sqlite3 *db, const char *sql, uint32_t detector, mc_inspection *out)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    rc = rc == SQLITE_OK ? sqlite3_step(statement) : rc;
    if (rc != SQLITE_ROW) {
        complain(out, detector | MC_NOTICED_UNREADABLE, sqlite3_errmsg(db));
        out->corrupt |= is_damage(rc);
    } else {
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        if (text == NULL || strcmp(text, "ok") != 0) {
            complain(out, detector, text);
            out->corrupt = true;
        }
    }
    (void)sqlite3_finalize(statement);
}

static void hash_value(XXH3_state_t *state, sqlite3_stmt *row, int column)
{
    int type = sqlite3_column_type(row, column);
    const void *bytes = NULL;
    int64_t integer = 0;
    double real = 0;
    size_t size = 0;
    if (type == SQLITE_INTEGER) {
        integer = sqlite3_column_int64(row, column);
        bytes = &integer;
        size = sizeof integer;
    } else if (type == SQLITE_FLOAT) {
        real = sqlite3_column_double(row, column);
        bytes = &real;
        size = sizeof real;
    } else if (type != SQLITE_NULL) {
        bytes = type == SQLITE_TEXT ? (const void *)sqlite3_column_text(row, column)
                                    : sqlite3_column_blob(row, column);
        size = (size_t)sqlite3_column_bytes(row, column);
    }
    uint64_t head[2] = {(uint64_t)type, size};
    XXH3_128bits_update(state, head, sizeof head);
    if (size > 0 && bytes != NULL) {
        XXH3_128bits_update(state, bytes, size);
    }
}

/* Hashes all rows of one query. Returns SQLite's code. */
static int hash_rows(sqlite3 *db, XXH3_state_t *state, const char *sql)
{
    sqlite3_stmt *row = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &row, NULL);
    if (rc != SQLITE_OK) {
        return rc;
    }
    int columns = sqlite3_column_count(row);
    uint64_t rows = 0;
    while ((rc = sqlite3_step(row)) == SQLITE_ROW) {
        for (int i = 0; i < columns; i++) {
            hash_value(state, row, i);
        }
        rows++;
    }
    XXH3_128bits_update(state, &rows, sizeof rows);
    (void)sqlite3_finalize(row);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static const char tables_sql[] =
    "SELECT name FROM sqlite_schema WHERE type='table' AND rootpage>0 ORDER BY name";

static int dump_tables(sqlite3 *db, XXH3_state_t *state)
{
    sqlite3_stmt *tables = NULL;
    int rc = sqlite3_prepare_v2(db, tables_sql, -1, &tables, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(tables)) == SQLITE_ROW) {
        char *sql = mc_rowdiff_query(db, (const char *)sqlite3_column_text(tables, 0));
        rc = sql == NULL ? SQLITE_NOMEM : hash_rows(db, state, sql);
        sqlite3_free(sql);
    }
    (void)sqlite3_finalize(tables);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int dump_database(sqlite3 *db, XXH3_state_t *state)
{
    static const char *const general[] = {
        "PRAGMA user_version",
        "PRAGMA application_id",
        "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name, tbl_name",
    };
    for (size_t i = 0; i < sizeof general / sizeof *general; i++) {
        int rc = hash_rows(db, state, general[i]);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }
    return dump_tables(db, state);
}

static void inspect_file(mc_inspector *inspector, const mc_image *image, bool check,
                         XXH3_state_t *state, mc_inspection *out)
{
    if (image->page_count > 0 && check) {
        check_header(image, out);
    }
    sqlite3 *db = open_file(inspector, 0);
    if (db == NULL) {
        complain(out, MC_NOTICED_UNREADABLE, "cannot open");
        out->dumped = false;
        return;
    }
    if (check) {
        run_check(db, "PRAGMA quick_check(1)", MC_NOTICED_QUICK_CHECK, out);
        run_check(db, "PRAGMA integrity_check(1)", MC_NOTICED_INTEGRITY_CHECK, out);
    }
    int rc = dump_database(db, state);
    if (rc != SQLITE_OK) {
        complain(out, MC_NOTICED_UNREADABLE, sqlite3_errmsg(db));
        out->dumped = false;
        out->corrupt |= is_damage(rc);
    }
    (void)sqlite3_close(db);
}

static mc_status inspect(mc_inspector *inspector, const mc_image *image, uint32_t count, bool check,
                         mc_inspection *out, mc_error *error)
{
    memset(out, 0, sizeof *out);
    out->dumped = true;
    XXH3_state_t state;
    XXH3_128bits_reset(&state);
    for (uint32_t i = 0; i < count; i++) {
        mc_status status = place(inspector, 0, &image[i], error);
        if (status != MC_OK) {
            return status;
        }
        inspect_file(inspector, &image[i], check, &state, out);
    }
    XXH128_hash_t hash = XXH3_128bits_digest(&state);
    out->dump = (mc_hash128){hash.low64, hash.high64};
    return MC_OK;
}

mc_status mc_inspect(mc_inspector *inspector, const mc_image *image, uint32_t count,
                     mc_inspection *out, mc_error *error)
{
    return inspect(inspector, image, count, true, out, error);
}

mc_status mc_inspect_dump(mc_inspector *inspector, const mc_image *image, uint32_t count,
                          mc_hash128 *dump, mc_error *error)
{
    mc_inspection inspection;
    mc_status status = inspect(inspector, image, count, false, &inspection, error);
    if (status == MC_OK && !inspection.dumped) {
        return mc_fail(error, MC_IO, "unreadable-snapshot",
                       "inspection: a snapshot cannot be read: %s", inspection.complaint);
    }
    *dump = inspection.dump;
    return status;
}

mc_status mc_inspect_difference(mc_inspector *inspector, const mc_image *expected,
                                const mc_image *found, char *text, size_t text_size,
                                mc_error *error)
{
    assert(text_size > 0);
    text[0] = '\0';
    mc_status status = place(inspector, 0, expected, error);
    status = status == MC_OK ? place(inspector, 1, found, error) : status;
    if (status != MC_OK) {
        return status;
    }
    sqlite3 *a = open_file(inspector, 0);
    sqlite3 *b = open_file(inspector, 1);
    if (a != NULL && b != NULL) {
        mc_rowdiff(a, b, text, text_size);
    }
    (void)sqlite3_close(a);
    (void)sqlite3_close(b);
    return MC_OK;
}
