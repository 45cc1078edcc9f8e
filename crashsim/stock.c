#include "crashsim/stock.h"

#include "crashsim/kvvfs.h"
#include "crashsim/memvfs.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

/* The first column of the first row, or -1. */
static int64_t number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    int64_t value = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        value = sqlite3_column_int64(statement, 0);
    }
    (void)sqlite3_finalize(statement);
    return value;
}

static void take_pages(sqlite3 *db, mc_stock *out)
{
    out->page_count = number(db, "PRAGMA page_count");
    int64_t page_size = MC_PAGE_SIZE_MAX; /* asked for only where it decides */
    if (out->page_count > (int64_t)(out->limit_bytes / MC_PAGE_SIZE_MAX)) {
        page_size = number(db, "PRAGMA page_size");
    }
    if (out->page_count > 0 && page_size > 0 &&
        (uint64_t)out->page_count <= out->limit_bytes / (uint64_t)page_size) {
        sqlite3_int64 size = 0;
        out->image = sqlite3_serialize(db, "main", &size, 0);
        out->image_size = size;
    }
}

static int open_with(const char *path, const char *vfs, const char *settings, sqlite3 **db)
{
    int code = sqlite3_open_v2(path, db, SQLITE_OPEN_READWRITE, vfs);
    return code == SQLITE_OK ? sqlite3_exec(*db, settings, NULL, NULL, NULL) : code;
}

/* Is it the schema that could not be read? Its text may be damaged, or state a length that SQLite
 * does not take. */
static bool is_unreadable(int code)
{
    return code == SQLITE_CORRUPT || code == SQLITE_TOOBIG;
}

/* `settings`: SQL that every connection begins with. */
static void ask(const char *path, const char *vfs, const char *settings, uint64_t limit_bytes,
                mc_stock *out)
{
    *out = (mc_stock){.page_count = -1, .limit_bytes = limit_bytes};
    sqlite3 *db;
    int code = open_with(path, vfs, settings, &db);
    if (code == SQLITE_OK) {
        code = sqlite3_exec(db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
    }
    out->code = code & 0xff;
    (void)snprintf(out->message, sizeof out->message, "%s", sqlite3_errmsg(db));
    if (code == SQLITE_OK) {
        take_pages(db, out);
    } else if (is_unreadable(out->code)) {
        /* Pages can be had of a database whose schema cannot be read, by a second connection that
         * never tried; the first stays open, or closing it would checkpoint the WAL. */
        sqlite3 *lenient;
        code = open_with(path, vfs, settings, &lenient);
        if (code == SQLITE_OK) { /* not if a journal made SQLite delete main */
            (void)sqlite3_exec(lenient, "PRAGMA writable_schema=ON", NULL, NULL, NULL);
            take_pages(lenient, out);
        }
        (void)sqlite3_close(lenient);
    }
    (void)sqlite3_close(db);
}

void mc_stock_ask(const char *path, const char *vfs, uint64_t limit_bytes, mc_stock *out)
{
    ask(path, vfs, "", limit_bytes, out);
}

void mc_stock_free(mc_stock *stock)
{
    sqlite3_free(stock->image);
    stock->image = NULL;
}

bool mc_stock_ask_disk(mc_disk *disk, const char *main_name, uint64_t limit_bytes, mc_stock *out)
{
    mc_memvfs_options options = {.disk = disk};
    mc_memvfs *vfs = mc_memvfs_open(&options);
    if (vfs == NULL) {
        return false;
    }
    mc_disk_begin(disk);
    mc_stock_ask(main_name, mc_memvfs_name(vfs), limit_bytes, out);
    mc_disk_rewind(disk);
    mc_memvfs_close(vfs);
    return true;
}

bool mc_stock_ask_store(const mc_kvstore *store, mc_kv_build build, mc_arena *arena,
                        uint64_t limit_bytes, mc_stock *out)
{
    mc_kvstore copy = {0};
    mc_kvvfs_options options = {.store = &copy, .arena = arena, .build = build};
    mc_kvvfs *vfs = mc_kvstore_copy(&copy, store) ? mc_kvvfs_open(&options) : NULL;
    if (vfs != NULL) {
        ask("main.db", mc_kvvfs_name(vfs),
            "PRAGMA locking_mode=EXCLUSIVE; PRAGMA temp_store=MEMORY", limit_bytes, out);
        mc_kvvfs_close(vfs);
    }
    mc_kvstore_free(&copy);
    return vfs != NULL;
}

/* The primary code with which SQLite must have failed for recover to refuse for that reason; 0: no
 * answer of SQLite's is wrong. */
static int code_for(const char *reason)
{
    static const struct {
        const char *reason;
        int code;
    } row[] = {
        {"bad-magic", SQLITE_NOTADB},
        {"read-version", SQLITE_NOTADB},
        {"payload-fractions", SQLITE_NOTADB},
        {"page-size", SQLITE_NOTADB},
        {"reserved-bytes", SQLITE_NOTADB},
        {"page-count", SQLITE_CORRUPT},
        {"schema-root", SQLITE_CORRUPT},
        {"schema-format", SQLITE_ERROR},
        {"wal-version", SQLITE_CANTOPEN},
        {"main-missing", SQLITE_CANTOPEN},
        {"metadata-length", SQLITE_IOERR}, /* of a v1 store */
        {"metadata-version", SQLITE_IOERR},
        {"metadata-size", SQLITE_IOERR},
        {"super-journal-self", 0},
        {"wal-page-size", 0},
        {"too-large", 0},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        if (strcmp(row[i].reason, reason) == 0) {
            return row[i].code;
        }
    }
    return -1;
}

typedef struct difference {
    char *problem;
    size_t size;
    const char **signature;
} difference;

static bool differs(const difference *d, const char *signature)
{
    if (d->signature != NULL) {
        *d->signature = signature;
    }
    return false;
}

static bool pages_agree(const mc_stock *stock, const mc_image *image, const difference *d)
{
    if (stock->image == NULL || stock->image_size != stock->page_count * image->page_size) {
        (void)snprintf(d->problem, d->size,
                       "stock's image has %" PRId64 " bytes, %u pages of %u expected",
                       stock->image_size, image->page_count, image->page_size);
        return differs(d, "image-size");
    }
    for (uint32_t i = 0; i < image->page_count; i++) {
        const uint8_t *page = stock->image + (size_t)i * image->page_size;
        if (memcmp(page, image->page[i], image->page_size) != 0) {
            (void)snprintf(d->problem, d->size, "page %u of %u differs", i + 1, image->page_count);
            return differs(d, "page-content");
        }
    }
    return true;
}

bool mc_stock_agrees(const mc_stock *stock, mc_status status, const mc_image *image,
                     const mc_error *error, char *problem, size_t size, const char **signature)
{
    difference d = {problem, size, signature};
    if (status != MC_OK) {
        int expected = status == MC_REFUSED ? code_for(error->reason) : -1;
        (void)snprintf(problem, size, "recover refuses (%s), stock has code %d (%s)", error->text,
                       stock->code, stock->message);
        return expected == 0 || expected == stock->code || differs(&d, "recover-refuses");
    }
    if (stock->code != SQLITE_OK && !is_unreadable(stock->code)) {
        (void)snprintf(problem, size, "recover imports %u pages, stock has code %d (%s)",
                       image->page_count, stock->code, stock->message);
        return differs(&d, "sqlite-refuses");
    }
    if (stock->page_count != image->page_count) {
        (void)snprintf(problem, size, "recover has %u pages, stock %" PRId64 " (code %d, %s)",
                       image->page_count, stock->page_count, stock->code, stock->message);
        return differs(&d, "page-count");
    }
    if ((uint64_t)image->page_count * image->page_size > stock->limit_bytes ||
        stock->page_count == 0) {
        return true;
    }
    return pages_agree(stock, image, &d);
}
