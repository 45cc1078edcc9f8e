/* trace.h: the ordered operations that one workload performed on its files or its key-value store.
 *
 * A trace begins before the first file is opened and holds, besides operations, two marks per
 * commit: BEGUN (the statement that will commit has been handed to SQLite) and ACKED (it returned
 * success). A crash point is a position between two elements, marks included, 0..count: so "written
 * but not yet acknowledged" and "acknowledged" are different crash points over equal bytes. */
#ifndef MIDCOMMIT_CRASHSIM_TRACE_H
#define MIDCOMMIT_CRASHSIM_TRACE_H

#include "core/image.h"
#include "crashsim/disk.h"
#include "crashsim/kvstore.h"

typedef enum mc_op_kind {
    MC_OP_CREATE,          /* file comes into being, empty */
    MC_OP_WRITE,           /* `size` bytes of `data` at `offset` of `file` */
    MC_OP_TRUNCATE,        /* `file` gets length `offset` */
    MC_OP_SYNC,            /* everything written to `file` so far is asked to be durable */
    MC_OP_DELETE,          /* the directory entry of `file` goes */
    MC_OP_BATCH_BEGIN,     /* the VFS was asked to begin an atomic batch on `file` */
    MC_OP_BATCH_COMMIT,    /* and to commit it; the batch's writes stand between the two */
    MC_OP_KV_PUT,          /* one request: put `offset` pairs, encoded in `data` (kvstore.h) */
    MC_OP_KV_DELETE,       /* one request: delete `offset` keys, encoded in `data` */
    MC_OP_KV_DELETE_RANGE, /* one request: delete [first key, second key), encoded in `data` */
    MC_OP_BEGUN,           /* commit number `offset` (1 is the first) is in flight */
    MC_OP_ACKED,           /* commit number `offset` returned success */
    MC_OP_KINDS
} mc_op_kind;

/* Bits of mc_op.flags. */
enum {
    MC_OPF_FULL_SYNC = 1, /* SYNC: SQLITE_SYNC_FULL was asked for */
    MC_OPF_DATA_ONLY = 2, /* SYNC: SQLITE_SYNC_DATAONLY */
    MC_OPF_DIR_SYNC = 4   /* SYNC or DELETE: the unix VFS would sync the directory here, too */
};

typedef struct mc_op {
    uint8_t kind; /* mc_op_kind */
    uint8_t flags;
    uint16_t file; /* number in the trace's base disk; MC_DISK_NONE for KV operations and marks */
    uint32_t size;
    uint64_t offset;
    const uint8_t *data; /* in the trace's arena */
    uint32_t statement;  /* index into mc_trace.statement of the SQL being run */
} mc_op;

/* What the live connection itself said the database was after a commit: read through SQLite's own
 * pager (sqlite3_serialize), so independent of every line of core/. It checks the snapshots that
 * the oracle derives from the trace. One per database and commit, absent (pages == 0xffffffff) when
 * the database was larger than mc_record_options.witness_limit_bytes. */
typedef struct mc_witness {
    uint32_t page_size;
    uint32_t page_count;
    const uint64_t *page_hash; /* mc_page_hash of each page; 0 for pages whose content SQLite does
                                  not define: freelist leaves and the lock-byte page */
} mc_witness;

enum { MC_DATABASES_MAX = 4, MC_WITNESS_NONE = 0xffffffff };

typedef struct mc_trace {
    mc_arena arena; /* owns data, names and statements */
    mc_op *op;
    size_t op_count;
    size_t op_capacity;
    mc_disk base; /* the files before the first operation; file numbers hold for the whole trace */
    mc_kvstore base_kv; /* the pairs before the first request, for a KV trace */
    bool is_kv;
    mc_kv_build kv_build;
    const char *database[MC_DATABASES_MAX]; /* main file names: "main.db", and those attached */
    uint32_t database_count;
    const char **statement; /* the program's SQL, setup excluded */
    uint32_t statement_count;
    uint32_t commit_count;
    uint64_t
        steps; /* instructions that SQLite's virtual machine ran, about, when they were limited */
    /* witness[k * database_count + d]: database d after commit k; k = 0 is the base. */
    mc_witness *witness;
} mc_trace;

/* The limit of a trace's arena, set by the first addition to a zeroed trace. */
#define MC_TRACE_ARENA_BYTES ((size_t)4 << 30)

/* Appends one element, copying `data` into the arena. */
mc_status mc_trace_add(mc_trace *trace, mc_op op, mc_error *error);

/* Frees everything the trace owns. A zeroed trace is valid. */
void mc_trace_free(mc_trace *trace);

/* Makes it as a zeroed one, but keeps memory for the next recording, which is faster for it. */
void mc_trace_reset(mc_trace *trace);

/* "write", "journal sync", ...: the words used in signatures and stories. */
const char *mc_op_kind_name(mc_op_kind kind);

/* What a file is by its name: "main", "journal", "wal", "shm", "super-journal" or "other". */
const char *mc_file_role(const mc_trace *trace, uint16_t file);

/* Brings `disk` from before `op` to after it. `limit_bytes` cuts a WRITE short (UINT32_MAX: whole).
 * Marks, syncs and batch operations change nothing. Not for KV operations. */
mc_status mc_trace_apply(mc_disk *disk, const mc_op *op, uint32_t limit_bytes, mc_error *error);

#endif
