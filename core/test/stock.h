/* stock.h: the same files to stock SQLite and to recover, and a comparison of what comes out.
 *
 * A state is the files of one database as bytes. stock_compare gives it to mc_recover_files and, as
 * real files in a directory of its own, to the SQLite library (crashsim/stock.h says how they are
 * compared).
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
#include "crashsim/stock.h"

#define STOCK_UNUSED __attribute__((unused))

enum stock_role { STOCK_MAIN, STOCK_JOURNAL, STOCK_WAL, STOCK_SUPER, STOCK_FILES };

enum { STOCK_ARENA_BYTES = 64 << 20 };

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

/* Gives `state` to both and fails the test, naming `what`, unless they agree. The caller frees
 * ours->arena. `stock_code` may be null. */
STOCK_UNUSED static void stock_compare(const stock_dir *dir, const stock_state *state,
                                       const char *what, stock_ours *ours, int *stock_code)
{
    char problem[512] = "";
    mc_stock stock;
    stock_recover(dir, state, ours);
    stock_write(dir, state);
    mc_stock_ask(dir->name[STOCK_MAIN], NULL, MC_STOCK_LIMIT_BYTES, &stock);
    if (!mc_stock_agrees(&stock, ours->status, &ours->import.image, &ours->error, problem,
                         sizeof problem, NULL)) {
        stock_dir kept;
        stock_dir_make(&kept);
        stock_write(&kept, state);
        fail_msg("%s: %s (files kept in %s)", what, problem, kept.path);
    }
    if (stock_code != NULL) {
        *stock_code = stock.code;
    }
    mc_stock_free(&stock);
}

#endif
