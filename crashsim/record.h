/* record.h: runs a workload on stock SQLite and keeps its trace. */
#ifndef MIDCOMMIT_CRASHSIM_RECORD_H
#define MIDCOMMIT_CRASHSIM_RECORD_H

#include "crashsim/trace.h"

typedef enum mc_mode {
    MC_MODE_DELETE,
    MC_MODE_TRUNCATE,
    MC_MODE_PERSIST,
    MC_MODE_MEMORY,
    MC_MODE_OFF,
    MC_MODE_WAL,
    MC_MODES
} mc_mode;

typedef enum mc_sync { MC_SYNC_OFF, MC_SYNC_NORMAL, MC_SYNC_FULL, MC_SYNC_EXTRA, MC_SYNCS } mc_sync;

extern const char
    *const mc_mode_names[MC_MODES]; /* "delete", ... as PRAGMA journal_mode names them */
extern const char *const mc_sync_names[MC_SYNCS]; /* "off", "normal", "full", "extra" */

/* What a setup made and what a connection saw of it, to be recorded from more than once. Zeroed:
 * not made yet. A function of the setup, the page size, the seed, and of whether the mode is WAL.
 */
typedef struct mc_base {
    bool made;
    mc_arena arena; /* the store's values and the witnesses */
    mc_disk disk;
    mc_kvstore store;
    mc_witness witness[MC_DATABASES_MAX];
} mc_base;

void mc_base_free(mc_base *base);

typedef struct mc_record_options {
    const char *workload;             /* a name from workload.h, or the path of a user's FILE.sql */
    const struct mc_program *program; /* what to run instead, under that name; or null */
    mc_mode mode;
    mc_sync sync;
    uint32_t page_size;   /* bytes */
    uint32_t cache_pages; /* 0: what the workload asks for, else 2000 KiB */
    uint32_t txns;        /* 0: the workload's own number */
    uint64_t seed;
    uint64_t scale_bytes; /* 0, or grow the setup's table until the database has about this size, so
                             that the same operations can be measured on a large database */
    bool kv;              /* on the v1 key-value VFS, with the settings of a v1 actor */
    mc_kv_build kv_build;
    uint64_t steps_limit; /* a statement is interrupted when a connection has run about so many
                             instructions of SQLite's virtual machine; 0: no limit */
    mc_base *base; /* null; or kept by the caller: the first recording makes it, further ones begin
                      with it instead of running the setup, which must be the same */
    bool plain_disk; /* the disk promises SQLite no powersafe overwrite in its sectors of 4096 bytes
                        (memvfs.h); not for kv */
    uint64_t witness_limit_bytes; /* take no witness of databases above this size; 0: 16 MiB */
} mc_record_options;

/* Runs the workload's setup (not traced: it ends in `trace->base`), closes, then runs its program
 * with the trace on, and drops the connection without any further traced operation once the last
 * statement has returned. The connection's settings are the first statement of the trace. Every
 * recording is proved before it is returned: base and trace give the live files, byte for byte.
 * Deterministic: equal options, equal trace. `trace` must be zeroed, or reset; on failure it is
 * left freed and zeroed. A statement that fails ends the run with MC_MALFORMED and an error that
 * names the workload, the statement and SQLite's message. */
mc_status mc_record(const mc_record_options *options, mc_trace *trace, mc_error *error);

#endif
