/* stock.h: the same files to stock SQLite and to recover, and a comparison of what comes out.
 *
 * A state is the files of one database as bytes. stock_compare gives it to mc_recover_files and, as
 * real files in a directory of its own, to the SQLite library, which opens it, makes its recovery
 * on the first read and is then asked for every page through its own pager (sqlite3_serialize).
 * Both must give the same number of pages and the same bytes in each, or both must refuse.
 *
 * Every file's bytes are an allocation of exactly their size, so a sanitizer sees any read past it.
 */
#ifndef MIDCOMMIT_CORE_TEST_STOCK_H
#define MIDCOMMIT_CORE_TEST_STOCK_H

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <sqlite3.h>

#include "core/bytes.h"
#include "core/recover.h"

#define STOCK_UNUSED __attribute__((unused))

enum stock_role { STOCK_MAIN, STOCK_JOURNAL, STOCK_WAL, STOCK_SUPER, STOCK_FILES };

/* Above this many pages SQLite is asked for the number only. */
enum { STOCK_PAGES_MAX = 20000, STOCK_ARENA_BYTES = 64 << 20 };

typedef struct stock_file {
    uint8_t *data;
    size_t size;
    bool exists;
} stock_file;

typedef struct stock_state {
    stock_file file[STOCK_FILES];
} stock_state;

typedef struct stock_dir {
    char path[64];
    char name[STOCK_FILES][96]; /* whole paths */
} stock_dir;

/* What stock SQLite made of a state. */
typedef struct stock_answer {
    int code; /* of the first read: SQLITE_OK or a primary error code */
    char message[128];
    int64_t page_count; /* -1: not to be had */
    uint8_t *image;     /* from sqlite3_malloc, or null */
    int64_t image_size;
} stock_answer;

/* What recover made of it; `image` points into the state and `arena`. */
typedef struct stock_ours {
    mc_status status;
    mc_import import;
    mc_error error;
    mc_arena arena;
} stock_ours;

STOCK_UNUSED static void stock_dir_make(stock_dir *dir)
{
    static const char *const suffix[STOCK_FILES] = {"", "-journal", "-wal", "-super"};
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : P_tmpdir;
    (void)snprintf(dir->path, sizeof dir->path, "%s/midcommit-XXXXXX", base);
    assert_non_null(mkdtemp(dir->path));
    for (int i = 0; i < STOCK_FILES; i++) {
        (void)snprintf(dir->name[i], sizeof dir->name[i], "%s/t.db%s", dir->path, suffix[i]);
    }
}

static void stock_dir_empty(const stock_dir *dir)
{
    char shm[sizeof dir->name[0] + 8];
    (void)snprintf(shm, sizeof shm, "%s-shm", dir->name[STOCK_MAIN]);
    (void)unlink(shm);
    for (int i = 0; i < STOCK_FILES; i++) {
        (void)unlink(dir->name[i]);
    }
}

STOCK_UNUSED static void stock_dir_remove(const stock_dir *dir)
{
    stock_dir_empty(dir);
    assert_int_equal(rmdir(dir->path), 0);
}

/* Makes the file exist with these bytes; `data` may be null for zeros. */
STOCK_UNUSED static void stock_set(stock_file *file, const void *data, size_t size)
{
    uint8_t *copy = size == 0 ? NULL : calloc(1, size);
    assert_true(size == 0 || copy != NULL);
    if (size > 0 && data != NULL) {
        memcpy(copy, data, size);
    }
    free(file->data);
    *file = (stock_file){copy, size, true};
}

/* Cuts the file, or grows it with zeros. */
STOCK_UNUSED static void stock_resize(stock_file *file, size_t size)
{
    stock_file old = *file;
    *file = (stock_file){0};
    stock_set(file, NULL, size);
    if (old.size > 0 && size > 0) {
        memcpy(file->data, old.data, old.size < size ? old.size : size);
    }
    free(old.data);
}

STOCK_UNUSED static void stock_append(stock_file *file, const void *data, size_t size)
{
    size_t at = file->size;
    stock_resize(file, at + size);
    memcpy(file->data + at, data, size);
}

STOCK_UNUSED static void stock_remove(stock_file *file)
{
    free(file->data);
    *file = (stock_file){0};
}

STOCK_UNUSED static void stock_free(stock_state *state)
{
    for (int i = 0; i < STOCK_FILES; i++) {
        stock_remove(&state->file[i]);
    }
}

STOCK_UNUSED static void stock_copy(stock_state *target, const stock_state *source)
{
    stock_free(target);
    for (int i = 0; i < STOCK_FILES; i++) {
        if (source->file[i].exists) {
            stock_set(&target->file[i], source->file[i].data, source->file[i].size);
        }
    }
}

STOCK_UNUSED static void stock_write(const stock_dir *dir, const stock_state *state)
{
    stock_dir_empty(dir);
    for (int i = 0; i < STOCK_FILES; i++) {
        const stock_file *file = &state->file[i];
        if (!file->exists) {
            continue;
        }
        int fd = open(dir->name[i], O_CREAT | O_WRONLY | O_TRUNC, 0600);
        assert_true(fd >= 0);
        assert_true(write(fd, file->data, file->size) == (ssize_t)file->size);
        assert_int_equal(close(fd), 0);
    }
}

/* Takes what lies in the directory now: called between two statements it is a crash. */
STOCK_UNUSED static void stock_read(const stock_dir *dir, stock_state *state)
{
    stock_free(state);
    for (int i = 0; i < STOCK_FILES; i++) {
        struct stat status;
        if (stat(dir->name[i], &status) != 0) {
            continue;
        }
        stock_set(&state->file[i], NULL, (size_t)status.st_size);
        int fd = open(dir->name[i], O_RDONLY);
        assert_true(fd >= 0);
        assert_true(read(fd, state->file[i].data, state->file[i].size) == status.st_size);
        assert_int_equal(close(fd), 0);
    }
}

STOCK_UNUSED static void stock_exec(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
}

/* The first column of the first row, or -1. */
static int64_t stock_number(sqlite3 *db, const char *sql)
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

static void stock_take_pages(sqlite3 *db, stock_answer *out)
{
    out->page_count = stock_number(db, "PRAGMA page_count");
    if (out->page_count > 0 && out->page_count <= STOCK_PAGES_MAX) {
        sqlite3_int64 size = 0;
        out->image = sqlite3_serialize(db, "main", &size, 0);
        out->image_size = size;
    }
}

/* Opens the files in `dir` as any program would, and reads. */
STOCK_UNUSED static void stock_ask(const stock_dir *dir, stock_answer *out)
{
    *out = (stock_answer){.page_count = -1};
    sqlite3 *db;
    int code = sqlite3_open_v2(dir->name[STOCK_MAIN], &db, SQLITE_OPEN_READWRITE, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_exec(db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
    }
    out->code = code & 0xff;
    (void)snprintf(out->message, sizeof out->message, "%s", sqlite3_errmsg(db));
    if (code == SQLITE_OK) {
        stock_take_pages(db, out);
    } else if (out->code == SQLITE_CORRUPT) {
        /* Pages can be had of a database whose schema cannot be read, by a second connection that
         * never tried; the first stays open, or closing it would checkpoint the WAL. */
        sqlite3 *lenient;
        code = sqlite3_open_v2(dir->name[STOCK_MAIN], &lenient, SQLITE_OPEN_READWRITE, NULL);
        if (code == SQLITE_OK) { /* not if a journal made SQLite delete main */
            (void)sqlite3_exec(lenient, "PRAGMA writable_schema=ON", NULL, NULL, NULL);
            stock_take_pages(lenient, out);
        }
        (void)sqlite3_close(lenient);
    }
    (void)sqlite3_close(db);
}

/* Finds the database's own files by the paths that a super-journal record may name. */
typedef struct stock_lookup {
    const stock_dir *dir;
    const stock_state *state;
} stock_lookup;

static mc_file stock_view(const stock_file *file)
{
    return (mc_file){file->exists, file->data, file->size};
}

static bool stock_other(void *context, const uint8_t *name, size_t name_size, mc_file *out)
{
    const stock_lookup *lookup = context;
    for (int i = 0; i < STOCK_FILES; i++) {
        const char *path = lookup->dir->name[i];
        if (strlen(path) == name_size && memcmp(path, name, name_size) == 0) {
            *out = stock_view(&lookup->state->file[i]);
            return true;
        }
    }
    return false;
}

STOCK_UNUSED static void stock_recover(const stock_dir *dir, const stock_state *state,
                                       stock_ours *out)
{
    stock_lookup lookup = {dir, state};
    mc_files files = {
        .main = stock_view(&state->file[STOCK_MAIN]),
        .journal = stock_view(&state->file[STOCK_JOURNAL]),
        .wal = stock_view(&state->file[STOCK_WAL]),
        .other = stock_other,
        .context = &lookup,
    };
    *out = (stock_ours){.arena = {.limit_bytes = STOCK_ARENA_BYTES}};
    out->status = mc_recover_files(&files, &out->arena, &out->import, &out->error);
}

/* The primary code with which SQLite must have failed for recover to refuse for that reason; 0: no
 * answer of SQLite's is wrong. */
static int stock_code_for(const char *reason)
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

/* True when both agree; else `problem` says how they do not. */
static bool stock_agree(const stock_ours *ours, const stock_answer *stock, char *problem,
                        size_t size)
{
    const mc_image *image = &ours->import.image;
    if (ours->status != MC_OK) {
        int expected = ours->status == MC_REFUSED ? stock_code_for(ours->error.reason) : -1;
        (void)snprintf(problem, size, "recover refuses (%s), stock has code %d (%s)",
                       ours->error.text, stock->code, stock->message);
        return expected == 0 || expected == stock->code;
    }
    if (stock->code != SQLITE_OK && stock->code != SQLITE_CORRUPT) {
        (void)snprintf(problem, size, "recover imports %u pages, stock has code %d (%s)",
                       image->page_count, stock->code, stock->message);
        return false;
    }
    if (stock->page_count != image->page_count) {
        (void)snprintf(problem, size, "recover has %u pages, stock %" PRId64 " (code %d, %s)",
                       image->page_count, stock->page_count, stock->code, stock->message);
        return false;
    }
    if (stock->page_count > STOCK_PAGES_MAX || stock->page_count == 0) {
        return true;
    }
    if (stock->image == NULL || stock->image_size != stock->page_count * image->page_size) {
        (void)snprintf(problem, size,
                       "stock's image has %" PRId64 " bytes, %u pages of %u expected",
                       stock->image_size, image->page_count, image->page_size);
        return false;
    }
    for (uint32_t i = 0; i < image->page_count; i++) {
        const uint8_t *page = stock->image + (size_t)i * image->page_size;
        if (memcmp(page, image->page[i], image->page_size) != 0) {
            (void)snprintf(problem, size, "page %u of %u differs", i + 1, image->page_count);
            return false;
        }
    }
    return true;
}

/* Gives `state` to both and fails the test, naming `what`, unless they agree. The caller frees
 * ours->arena. `stock_code` may be null. */
STOCK_UNUSED static void stock_compare(const stock_dir *dir, const stock_state *state,
                                       const char *what, stock_ours *ours, int *stock_code)
{
    char problem[512] = "";
    stock_answer stock;
    stock_recover(dir, state, ours);
    stock_write(dir, state);
    stock_ask(dir, &stock);
    if (!stock_agree(ours, &stock, problem, sizeof problem)) {
        stock_dir kept;
        stock_dir_make(&kept);
        stock_write(&kept, state);
        fail_msg("%s: %s (files kept in %s)", what, problem, kept.path);
    }
    if (stock_code != NULL) {
        *stock_code = stock.code;
    }
    sqlite3_free(stock.image);
}

#endif
