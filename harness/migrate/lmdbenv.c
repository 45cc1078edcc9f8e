#include "harness/migrate/lmdbenv.h"

#include <assert.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_BYTES = 4096, WALK_KEY_BYTES_MAX = 511 };

/* Signals arrive without a context, so the guard's is here; null outside of it. */
static sigjmp_buf *volatile guard_exit;

/* Keeps what a broken environment leaves behind reachable. */
static MDB_env *volatile last_env;

static void leave_guard(int signal_number)
{
    (void)signal_number;
    assert(guard_exit != NULL);
    siglongjmp(*guard_exit, 1);
}

static void assertion_failed(MDB_env *env, const char *text)
{
    (void)env;
    (void)text;
    if (guard_exit != NULL) {
        siglongjmp(*guard_exit, 1);
    }
}

mc_status mc_lmdb_guard(const char *dir, mc_status (*work)(void *context, mc_error *error),
                        void *context, mc_error *error)
{
    static const int signals[] = {SIGBUS, SIGSEGV, SIGFPE};
    enum { SIGNALS = sizeof signals / sizeof *signals };
    struct sigaction before[SIGNALS];
    struct sigaction guard = {.sa_handler = leave_guard};
    assert(guard_exit == NULL);
    sigjmp_buf here;
    volatile mc_status status = MC_OK;
    for (int i = 0; i < SIGNALS; i++) {
        (void)sigaction(signals[i], &guard, &before[i]);
    }
    if (sigsetjmp(here, 1) == 0) {
        guard_exit = &here;
        status = work(context, error);
    } else {
        status =
            mc_fail(error, MC_MALFORMED, "lmdb-damaged",
                    "%s: data.mdb: expected a whole LMDB environment, found a damaged one", dir);
    }
    guard_exit = NULL;
    for (int i = 0; i < SIGNALS; i++) {
        (void)sigaction(signals[i], &before[i], NULL);
    }
    return status;
}

mc_status mc_lmdb_fail(int code, const char *dir, const char *doing, mc_error *error)
{
    assert(code != MDB_SUCCESS);
    bool damaged = code == MDB_INVALID || code == MDB_CORRUPTED || code == MDB_PAGE_NOTFOUND ||
                   code == MDB_VERSION_MISMATCH || code == MDB_PANIC || code == MDB_CURSOR_FULL;
    return mc_fail(error, damaged ? MC_MALFORMED : MC_IO, damaged ? "lmdb-damaged" : "io",
                   "%s: cannot %s: %s", dir, doing, mdb_strerror(code));
}

mc_status mc_lmdb_look(const char *dir, bool *any, uint64_t *data_bytes, mc_error *error)
{
    *any = false;
    *data_bytes = 0;
    struct stat info;
    if (stat(dir, &info) != 0) {
        return errno == ENOENT ? MC_OK
                               : mc_fail(error, MC_IO, "io", "%s: %s", dir, strerror(errno));
    }
    if (!S_ISDIR(info.st_mode)) {
        return mc_fail(error, MC_IO, "io", "%s: expected a folder with an LMDB environment", dir);
    }
    char path[PATH_BYTES];
    if (snprintf(path, sizeof path, "%s/data.mdb", dir) >= (int)sizeof path) {
        return mc_fail(error, MC_IO, "io", "%.60s...: the path is too long", dir);
    }
    if (stat(path, &info) != 0) {
        return errno == ENOENT ? MC_OK
                               : mc_fail(error, MC_IO, "io", "%s: %s", path, strerror(errno));
    }
    if (!S_ISREG(info.st_mode)) {
        return mc_fail(error, MC_IO, "io", "%s: expected a regular file", path);
    }
    *data_bytes = (uint64_t)info.st_size;
    *any = info.st_size > 0; /* an empty one is what a killed creation leaves */
    return MC_OK;
}

static int open_steps(mc_lmdb *lmdb, bool write, uint64_t map_bytes, const char **doing)
{
    *doing = "open";
    int code = mdb_env_create(&lmdb->env);
    if (code != MDB_SUCCESS) {
        lmdb->env = NULL;
        return code;
    }
    last_env = lmdb->env;
    (void)mdb_env_set_assert(lmdb->env, assertion_failed);
    code = write ? mdb_env_set_mapsize(lmdb->env, (size_t)map_bytes) : MDB_SUCCESS;
    code = code == MDB_SUCCESS ? mdb_env_open(lmdb->env, lmdb->dir, write ? 0 : MDB_RDONLY, 0666)
                               : code;
    if (code != MDB_SUCCESS) {
        return code;
    }
    *doing = "begin a transaction";
    code = mdb_txn_begin(lmdb->env, NULL, write ? 0 : MDB_RDONLY, &lmdb->txn);
    if (code != MDB_SUCCESS) {
        lmdb->txn = NULL;
        return code;
    }
    *doing = "open the main database";
    return mdb_dbi_open(lmdb->txn, NULL, 0, &lmdb->dbi);
}

mc_status mc_lmdb_open(mc_lmdb *lmdb, const char *dir, bool write, uint64_t growth_bytes,
                       mc_error *error)
{
    enum { SPARE_BYTES = 16 << 20, MAP_UNIT = 1 << 20 };
    *lmdb = (mc_lmdb){.dir = dir};
    bool any;
    uint64_t data_bytes;
    mc_status status = mc_lmdb_look(dir, &any, &data_bytes, error);
    if (status != MC_OK) {
        return status;
    }
    if (!any && !write) {
        return mc_fail(error, MC_IO, "io", "%s: no LMDB environment (data.mdb) there", dir);
    }
    /* Copy on write: a transaction may need every page that it touches a second time. */
    uint64_t map_bytes = data_bytes * 2 + growth_bytes + SPARE_BYTES;
    map_bytes = (map_bytes + MAP_UNIT - 1) / MAP_UNIT * MAP_UNIT;
    const char *doing;
    int code = open_steps(lmdb, write, map_bytes, &doing);
    unsigned flags = 0;
    if (code == MDB_SUCCESS) {
        code = mdb_dbi_flags(lmdb->txn, lmdb->dbi, &flags);
    }
    if (code != MDB_SUCCESS) {
        status = mc_lmdb_fail(code, dir, doing, error);
    } else if (flags != 0) {
        status = mc_fail(error, MC_MALFORMED, "lmdb-flags",
                         "%s: expected a main database without flags, found %#x", dir, flags);
    }
    if (status != MC_OK) {
        mc_lmdb_close(lmdb);
    }
    return status;
}

mc_status mc_lmdb_commit(mc_lmdb *lmdb, mc_error *error)
{
    MDB_txn *txn = lmdb->txn;
    lmdb->txn = NULL; /* it is gone, however this ends (lmdb.h) */
    int code = mdb_txn_commit(txn);
    return code == MDB_SUCCESS ? MC_OK : mc_lmdb_fail(code, lmdb->dir, "commit", error);
}

void mc_lmdb_close(mc_lmdb *lmdb)
{
    if (lmdb->txn != NULL) {
        mdb_txn_abort(lmdb->txn);
    }
    if (lmdb->env != NULL) {
        mdb_env_close(lmdb->env);
    }
    last_env = NULL;
    lmdb->txn = NULL;
    lmdb->env = NULL;
}

static MDB_val to_val(mc_bytes bytes)
{
    return (MDB_val){(size_t)bytes.size, (void *)(uintptr_t)bytes.data};
}

static mc_bytes from_val(MDB_val value)
{
    return (mc_bytes){value.mv_size == 0 ? NULL : value.mv_data, value.mv_size};
}

mc_status mc_lmdb_get(const mc_lmdb *lmdb, mc_bytes key, bool *found, mc_bytes *value,
                      mc_error *error)
{
    MDB_val wanted = to_val(key);
    MDB_val got;
    int code = mdb_get(lmdb->txn, lmdb->dbi, &wanted, &got);
    *found = code == MDB_SUCCESS;
    if (code == MDB_SUCCESS) {
        *value = from_val(got);
    }
    return code == MDB_SUCCESS || code == MDB_NOTFOUND
               ? MC_OK
               : mc_lmdb_fail(code, lmdb->dir, "read", error);
}

mc_status mc_lmdb_put(const mc_lmdb *lmdb, mc_bytes key, mc_bytes value, mc_error *error)
{
    MDB_val k = to_val(key);
    MDB_val v = to_val(value);
    int code = mdb_put(lmdb->txn, lmdb->dbi, &k, &v, 0);
    return code == MDB_SUCCESS ? MC_OK : mc_lmdb_fail(code, lmdb->dir, "write", error);
}

/* Keys must ascend, or a damaged environment could be walked for ever. */
static bool ascends(const uint8_t *last, size_t last_size, const MDB_val *key)
{
    size_t shared = last_size < key->mv_size ? last_size : key->mv_size;
    int order = shared == 0 ? 0 : memcmp(last, key->mv_data, shared);
    return order < 0 || (order == 0 && last_size < key->mv_size);
}

mc_status mc_lmdb_walk(const mc_lmdb *lmdb, mc_bytes first, mc_lmdb_visit *visit, void *context,
                       mc_error *error)
{
    MDB_cursor *cursor;
    int code = mdb_cursor_open(lmdb->txn, lmdb->dbi, &cursor);
    if (code != MDB_SUCCESS) {
        return mc_lmdb_fail(code, lmdb->dir, "read", error);
    }
    uint8_t last[WALK_KEY_BYTES_MAX];
    size_t last_size = 0;
    MDB_val key = to_val(first);
    MDB_val value;
    mc_status status = MC_OK;
    bool more = true;
    code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (code == MDB_SUCCESS && status == MC_OK) {
        if (key.mv_size > sizeof last || !ascends(last, last_size, &key)) {
            code = MDB_CORRUPTED;
            break;
        }
        memcpy(last, key.mv_data, key.mv_size);
        last_size = key.mv_size;
        bool remove = false;
        status = visit(context, from_val(key), from_val(value), &more, &remove, error);
        if (status == MC_OK && remove) {
            code = mdb_cursor_del(cursor, 0);
        }
        if (status != MC_OK || code != MDB_SUCCESS || !more) {
            break;
        }
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    if (status == MC_OK && code != MDB_SUCCESS && code != MDB_NOTFOUND) {
        status = mc_lmdb_fail(code, lmdb->dir, "read", error);
    }
    return status;
}
