/* migrating.h: what the tests of `migrate` share: a folder for each test, the program run as users
 * run it, databases made by stock SQLite, and v1 stores as dumps and as LMDB environments. */
#ifndef MIDCOMMIT_HARNESS_TEST_MIGRATING_H
#define MIDCOMMIT_HARNESS_TEST_MIGRATING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <lmdb.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include "core/v1.h"
#include "crashsim/dump.h"
#include "harness/migrate/v2store.h"

/* Each test has a folder of its own, and all paths in the tests are names in it. */
static char folder[4096];

static inline const char *in_folder(const char *name)
{
    static char paths[128][4600];
    static unsigned next;
    char *path = paths[next++ % 128];
    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static inline const char *corpus(const char *name)
{
    static char paths[4][4600];
    static unsigned next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/corpus/rivet-kv/%s.jsonl", MIDCOMMIT_SOURCE_DIR,
                   name);
    return path;
}

static inline int remove_entry(const char *path, const struct stat *info, int type,
                               struct FTW *place)
{
    (void)info;
    (void)type;
    (void)place;
    return remove(path);
}

static inline void remove_tree(const char *path)
{
    (void)nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static inline int make_folder(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    (void)snprintf(folder, sizeof folder, "%s/midcommit-test.XXXXXX", base != NULL ? base : "/tmp");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static inline int remove_folder(void **state)
{
    (void)state;
    remove_tree(folder);
    return 0;
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

/* ---- bytes and files ---- */

typedef struct bytes {
    uint8_t *data;
    size_t size;
} bytes;

static inline bytes read_bytes(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fail_msg("%s: %s", path, strerror(errno));
    }
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    bytes out = {.size = (size_t)ftell(file)};
    rewind(file);
    out.data = malloc(out.size + 1);
    assert_non_null(out.data);
    assert_int_equal(fread(out.data, 1, out.size, file), out.size);
    (void)fclose(file);
    out.data[out.size] = 0;
    return out;
}

static inline void write_bytes(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static inline void copy_file(const char *from, const char *to)
{
    bytes all = read_bytes(from);
    write_bytes(to, all.data, all.size);
    free(all.data);
}

static inline bool exists(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

static inline void assert_same_file(const char *a, const char *b)
{
    bytes one = read_bytes(a);
    bytes other = read_bytes(b);
    assert_int_equal(one.size, other.size);
    assert_memory_equal(one.data, other.data, one.size);
    free(one.data);
    free(other.data);
}

/* Names in the folder that begin so; a file left by a broken write has a longer name than its
 * target. */
static inline int count_names(const char *prefix)
{
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        count += entry->d_name[0] != '.' && strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    }
    (void)closedir(dir);
    return count;
}

/* ---- the program ---- */

typedef struct ran {
    int status; /* exit status, or 128 and the signal that ended it */
    char out[16384];
    char err[4096];
} ran;

static inline void slurp(const char *path, char *text, size_t size)
{
    bytes all = read_bytes(path);
    assert_true(all.size < size);
    memcpy(text, all.data, all.size + 1);
    free(all.data);
}

enum { RUN_ARGUMENTS_MAX = 24, RUN_SECONDS_MAX = 60 };

/* In a child: the program with `arguments`, no file larger than `file_bytes_max` (0: any). */
static inline void become_program(const char *const *arguments, rlim_t file_bytes_max)
{
    if (file_bytes_max != 0) {
        struct rlimit limit = {file_bytes_max, file_bytes_max};
        (void)signal(SIGXFSZ, SIG_IGN);
        (void)setrlimit(RLIMIT_FSIZE, &limit);
    }
    (void)alarm(RUN_SECONDS_MAX); /* what hangs is ended by SIGALRM, and that is no exit status */
    (void)execv(MIDCOMMIT_PROGRAM, (char *const *)(uintptr_t)arguments);
    _exit(127);
}

static inline void run_limited(ran *r, rlim_t file_bytes_max, const char *const *arguments)
{
    char out[4600];
    char err[4600];
    (void)snprintf(out, sizeof out, "%s/.out", folder);
    (void)snprintf(err, sizeof err, "%s/.err", folder);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int o = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        int e = open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        (void)dup2(o, 1);
        (void)dup2(e, 2);
        become_program(arguments, file_bytes_max);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    r->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    slurp(out, r->out, sizeof r->out);
    slurp(err, r->err, sizeof r->err);
}

/* `midcommit migrate ...`, the arguments ended by a null pointer. */
static inline void migrate(ran *r, ...)
{
    const char *arguments[RUN_ARGUMENTS_MAX] = {"midcommit", "migrate"};
    va_list list;
    va_start(list, r);
    int count = 2;
    while ((arguments[count] = va_arg(list, const char *)) != NULL) {
        count++;
        assert_true(count < RUN_ARGUMENTS_MAX);
    }
    va_end(list);
    run_limited(r, 0, arguments);
}

static inline int count_lines(const char *text)
{
    int lines = 0;
    for (; *text != '\0'; text++) {
        lines += *text == '\n';
    }
    return lines;
}

/* It could not run: one line of error, the status, nothing on standard output. */
static inline void assert_error(const ran *r, int status, const char *part)
{
    if (r->status != status || count_lines(r->err) != 1 || strstr(r->err, part) == NULL ||
        strncmp(r->err, "midcommit: ", 11) != 0 || r->out[0] != '\0') {
        fail_msg("expected status %d and one line with \"%s\", found status %d, \"%s\", \"%s\"",
                 status, part, r->status, r->err, r->out);
    }
}

/* What --json - printed; to be given back with json_decref. */
static inline json_t *json_of(const ran *r)
{
    json_error_t error;
    json_t *object = json_loads(r->out, 0, &error);
    if (object == NULL) {
        fail_msg("no JSON: \"%s\", standard error \"%s\"", r->out, r->err);
    }
    return object;
}

static inline const char *text_at(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_null(value) ? "null" : json_is_string(value) ? json_string_value(value) : "?";
}

static inline long long number_at(const json_t *object, const char *key)
{
    assert_true(json_is_integer(json_object_get(object, key)));
    return (long long)json_integer_value(json_object_get(object, key));
}

/* Outcome, reason ("null": none) and state of a run with --json -, and the exit status they stand
 * for. */
static inline void assert_outcome(const ran *r, const char *outcome, const char *reason,
                                  const char *state)
{
    json_t *object = json_of(r);
    assert_string_equal(text_at(object, "outcome"), outcome);
    assert_string_equal(text_at(object, "reason"), reason);
    assert_string_equal(text_at(json_object_get(object, "input"), "state"), state);
    assert_int_equal(r->status, strcmp(outcome, "refused") == 0 ? 1 : 0);
    assert_int_equal(count_lines(r->err), 1);
    json_decref(object);
}

/* ---- databases ---- */

static inline void sql(sqlite3 *db, const char *text)
{
    char *message = NULL;
    if (sqlite3_exec(db, text, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", text, message);
    }
}

static inline sqlite3 *open_db(const char *path)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

/* A database of some pages at `path`. */
static inline void make_db(const char *path, int page_size)
{
    (void)unlink(path);
    sqlite3 *db = open_db(path);
    char pragma[64];
    (void)snprintf(pragma, sizeof pragma, "PRAGMA page_size=%d", page_size);
    sql(db, pragma);
    sql(db, "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);"
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<300)"
            "INSERT INTO t SELECT i, hex(zeroblob(40)) FROM n;");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* ---- stores ---- */

static inline void put_metadata(mc_kvstore *store, mc_arena *arena, mc_v1_tag tag, uint64_t size)
{
    uint8_t key[MC_V1_METADATA_KEY_BYTES];
    uint8_t *value = mc_arena_alloc(arena, MC_V1_METADATA_BYTES);
    mc_v1_metadata_key(key, tag);
    mc_v1_encode_metadata(value, size);
    assert_true(mc_kvstore_put(store, key, sizeof key, value, MC_V1_METADATA_BYTES));
}

static inline void put_chunk(mc_kvstore *store, mc_v1_tag tag, uint32_t index, const uint8_t *data,
                             size_t size)
{
    uint8_t key[MC_V1_CHUNK_KEY_BYTES];
    mc_v1_chunk_key(key, tag, index);
    assert_true(mc_kvstore_put(store, key, sizeof key, data, (uint32_t)size));
}

/* A file of SQLite's under its tag, as the v1 VFS would have stored it. */
static inline void put_file(mc_kvstore *store, mc_arena *arena, mc_v1_tag tag, const char *path)
{
    bytes all = read_bytes(path);
    uint8_t *data = mc_arena_alloc(arena, all.size);
    assert_non_null(data);
    memcpy(data, all.data, all.size);
    free(all.data);
    put_metadata(store, arena, tag, all.size);
    for (size_t at = 0; at < all.size; at += MC_V1_CHUNK_BYTES) {
        size_t left = all.size - at;
        put_chunk(store, tag, (uint32_t)(at / MC_V1_CHUNK_BYTES), data + at,
                  left < MC_V1_CHUNK_BYTES ? left : MC_V1_CHUNK_BYTES);
    }
}

static inline void save_dump(const mc_kvstore *store, const char *path)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    mc_error error;
    assert_int_equal(mc_dump_write(store, file, path, &error), MC_OK);
    assert_int_equal(fclose(file), 0);
}

/* One transaction on the environment in `dir`, which is made when it is missing. */
typedef struct lmdb {
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
} lmdb;

static inline lmdb lmdb_begin(const char *dir, bool write)
{
    lmdb l;
    (void)mkdir(dir, 0700);
    assert_int_equal(mdb_env_create(&l.env), 0);
    assert_int_equal(mdb_env_set_mapsize(l.env, (size_t)64 << 20), 0);
    assert_int_equal(mdb_env_open(l.env, dir, write ? 0 : MDB_RDONLY, 0600), 0);
    assert_int_equal(mdb_txn_begin(l.env, NULL, write ? 0 : MDB_RDONLY, &l.txn), 0);
    assert_int_equal(mdb_dbi_open(l.txn, NULL, 0, &l.dbi), 0);
    return l;
}

static inline void lmdb_put(const lmdb *l, const void *key, size_t key_size, const void *value,
                            size_t value_size)
{
    MDB_val k = {key_size, (void *)(uintptr_t)key};
    MDB_val v = {value_size, (void *)(uintptr_t)value};
    assert_int_equal(mdb_put(l->txn, l->dbi, &k, &v, 0), 0);
}

static inline void lmdb_end(lmdb *l)
{
    assert_int_equal(mdb_txn_commit(l->txn), 0);
    mdb_env_close(l->env);
}

static inline void save_lmdb(const mc_kvstore *store, const char *dir)
{
    lmdb l = lmdb_begin(dir, true);
    for (size_t i = 0; i < store->count; i++) {
        const mc_kv_entry *e = &store->entry[i];
        lmdb_put(&l, e->key, e->key_size, e->value, e->value_size);
    }
    lmdb_end(&l);
}

/* All pairs of an environment's main database as one text, to be freed: "key=value\n" in hex. */
static inline char *lmdb_text(const char *dir)
{
    lmdb l = lmdb_begin(dir, false);
    MDB_cursor *cursor;
    assert_int_equal(mdb_cursor_open(l.txn, l.dbi, &cursor), 0);
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    MDB_val k;
    MDB_val v;
    while (mdb_cursor_get(cursor, &k, &v, MDB_NEXT) == 0) {
        for (size_t i = 0; i < k.mv_size; i++) {
            (void)fprintf(out, "%02x", ((const uint8_t *)k.mv_data)[i]);
        }
        (void)fputc('=', out);
        for (size_t i = 0; i < v.mv_size; i++) {
            (void)fprintf(out, "%02x", ((const uint8_t *)v.mv_data)[i]);
        }
        (void)fputc('\n', out);
    }
    mdb_cursor_close(cursor);
    mdb_txn_abort(l.txn);
    mdb_env_close(l.env);
    (void)fclose(out);
    return text;
}

/* The v2 store in `dir` holds exactly the database in the file `path`. */
static inline void assert_v2_holds(const char *dir, const char *path)
{
    mc_arena arena = {.limit_bytes = (size_t)64 << 20};
    mc_v2head head;
    mc_ltx ltx;
    mc_error error;
    if (mc_v2store_read(dir, &arena, &head, &ltx, &error) != MC_OK) {
        fail_msg("%s", error.text);
    }
    bytes file = read_bytes(path);
    assert_int_equal(head.txid, 1);
    assert_int_equal(ltx.page_size, 4096);
    assert_int_equal((size_t)ltx.page_count * 4096, file.size);
    assert_int_equal(head.pages, ltx.page_count);
    for (uint32_t i = 0; i < ltx.page_count; i++) {
        assert_int_equal(ltx.page[i].number, i + 1);
        assert_memory_equal(ltx.page[i].data, file.data + (size_t)i * 4096, 4096);
    }
    free(file.data);
    mc_arena_free(&arena);
}

static inline uint64_t v2_txid(const char *dir)
{
    mc_v2head head;
    mc_error error;
    if (mc_v2store_head(dir, &head, &error) != MC_OK) {
        fail_msg("%s", error.text);
    }
    return head.txid;
}

#endif
