/* kvvfs.h: the v1 key-value VFS as an SQLite VFS over an mc_kvstore, in its three builds.
 *
 * MODEL.md, The v1 store, is the specification, call by call. With a trace every request that
 * changes the store is appended to it before the call returns. */
#ifndef MIDCOMMIT_CRASHSIM_KVVFS_H
#define MIDCOMMIT_CRASHSIM_KVVFS_H

#include "crashsim/trace.h"

typedef struct mc_kvvfs mc_kvvfs;

typedef struct mc_kvvfs_options {
    mc_kvstore *store;
    mc_arena *arena;           /* owns the values that are put when there is no trace */
    mc_trace *trace;           /* null: do not record */
    const uint32_t *statement; /* as in memvfs.h */
    mc_kv_build build;
    uint64_t seed;
} mc_kvvfs_options;

/* Registers under a unique name and makes it the default, as mc_memvfs_open does. The main file is
 * "main.db"; its sidecars are told apart by their suffix. */
mc_kvvfs *mc_kvvfs_open(const mc_kvvfs_options *options);
const char *mc_kvvfs_name(const mc_kvvfs *vfs);

/* Requests answered since opening, reads included. */
uint64_t mc_kvvfs_requests(const mc_kvvfs *vfs);

/* True when the SQLite that midcommit is linked with was compiled with batch-atomic support,
 * without which MC_KV_BATCH and MC_KV_BATCH_128 behave as MC_KV_JOURNAL. */
bool mc_kvvfs_batch_supported(void);

void mc_kvvfs_close(mc_kvvfs *vfs);

#endif
