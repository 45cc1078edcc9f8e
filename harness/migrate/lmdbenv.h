/* lmdbenv.h: LMDB environments that came from outside.
 *
 * LMDB maps its file and believes it: a file that is cut short or damaged ends in SIGBUS, SIGSEGV
 * or a failed assertion inside the library, not in an error code. mc_lmdb_guard turns those into an
 * mc_error. What the library held at that moment (memory, and the writer's lock until the process
 * ends) is lost, so after such an error the environment is not touched again. */
#ifndef MIDCOMMIT_HARNESS_MIGRATE_LMDBENV_H
#define MIDCOMMIT_HARNESS_MIGRATE_LMDBENV_H

#include <lmdb.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/result.h"

/* Runs `work`; MC_MALFORMED "lmdb-damaged" when the library breaks on the environment `dir`. Not
 * to be nested, and for one thread at a time. */
mc_status mc_lmdb_guard(const char *dir, mc_status (*work)(void *context, mc_error *error),
                        void *context, mc_error *error);

/* An error code of LMDB as an error: MC_MALFORMED "lmdb-damaged" when the code says that the
 * environment is none or is damaged, else MC_IO "io". `doing`: "open", "commit", ... */
mc_status mc_lmdb_fail(int code, const char *dir, const char *doing, mc_error *error);

/* Does `dir` hold an environment? `*any` is false when there is no folder, no data.mdb in it, or an
 * empty one. MC_IO when either is there and is something else. `*data_bytes` is the size of
 * data.mdb. */
mc_status mc_lmdb_look(const char *dir, bool *any, uint64_t *data_bytes, mc_error *error);

/* Opens the environment for reading, or for writing with room to grow by `growth_bytes`, with its
 * main database in `*dbi` and a transaction in `*txn`. On failure all are closed. The main database
 * must be an ordinary one: keys in memcmp order, one value each. */
typedef struct mc_lmdb {
    const char *dir;
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
} mc_lmdb;
mc_status mc_lmdb_open(mc_lmdb *lmdb, const char *dir, bool write, uint64_t growth_bytes,
                       mc_error *error);

/* Commits what a writer did. The environment is still to be closed. */
mc_status mc_lmdb_commit(mc_lmdb *lmdb, mc_error *error);

/* Drops what was not committed. */
void mc_lmdb_close(mc_lmdb *lmdb);

/* The value of a key; `*found` is false when there is none. Valid until the next write. */
mc_status mc_lmdb_get(const mc_lmdb *lmdb, mc_bytes key, bool *found, mc_bytes *value,
                      mc_error *error);
mc_status mc_lmdb_put(const mc_lmdb *lmdb, mc_bytes key, mc_bytes value, mc_error *error);

/* Walks all keys from `first` on, in order, until `visit` clears `*more` or fails. `visit` sets
 * `*remove` to delete the pair (of a writer). */
typedef mc_status mc_lmdb_visit(void *context, mc_bytes key, mc_bytes value, bool *more,
                                bool *remove, mc_error *error);
mc_status mc_lmdb_walk(const mc_lmdb *lmdb, mc_bytes first, mc_lmdb_visit *visit, void *context,
                       mc_error *error);

#endif
