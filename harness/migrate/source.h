/* source.h: what `migrate` reads: the files of one database, or one v1 store.
 *
 * Files. The path is resolved as SQLite resolves it, symbolic links included, and the sidecars
 * stand beside what it resolves to. While they are read SQLite's own SHARED lock is held on main,
 * so no rollback transaction can reach it; a database in which another process is writing is not
 * read at all, because then the journal is not hot but in use (pager.c hasHotJournal). A file that
 * changes all the same is noticed. A super-journal is looked up under the path that the journal
 * carries.
 *
 * Stores. A v1 reader asks the store for the pairs between the first metadata key and the last
 * chunk key, in order, 128 a request, each request from where the one before ended: no key is asked
 * for twice, and no other key at all. `kv_requests` counts those requests. A dump and an LMDB
 * environment are read through this same reader. */
#ifndef MIDCOMMIT_HARNESS_MIGRATE_SOURCE_H
#define MIDCOMMIT_HARNESS_MIGRATE_SOURCE_H

#include "core/bytes.h"
#include "core/v1.h"
#include "harness/host/infile.h"

typedef enum mc_source_kind { MC_SOURCE_FILES, MC_SOURCE_DUMP, MC_SOURCE_LMDB } mc_source_kind;

enum { MC_SOURCE_SIDECARS = 3 };

typedef struct mc_source {
    mc_source_kind kind;
    const char *path;  /* as given */
    mc_arena arena;    /* owns all bytes; its limit is the largest input taken */
    mc_files files;    /* kind FILES: as they lie; else: as the v1 VFS shows the store */
    mc_status visible; /* MC_REFUSED or MC_NO_MEMORY: the v1 VFS cannot show it, see `trouble` */
    mc_error trouble;
    mc_store store;       /* kinds DUMP and LMDB: the v1 pairs */
    uint64_t kv_requests; /* 0 for files */
    mc_infile file[1 + MC_SOURCE_SIDECARS];
} mc_source;

/* One request to a key-value store: at most `limit` pairs, in order, with keys after `after` (size
 * 0: from the first v1 key on) and up to the last v1 key. Pairs are borrowed until the next
 * request. */
typedef mc_status mc_source_list(void *context, mc_bytes after, uint32_t limit, mc_pair *pair,
                                 uint32_t *count, mc_error *error);

/* Reads all v1 pairs through `list` into `arena`. */
mc_status mc_source_read_v1(mc_source_list *list, void *context, const char *name, mc_arena *arena,
                            mc_store *out, uint64_t *requests, mc_error *error);

/* MC_OK also when there is no main in it, but something else (a sidecar, or no v1 pair in a store
 * that is one). MC_IO: it cannot be read, is no file, is in use, or changed; MC_MALFORMED: it is no
 * dump, no LMDB environment, or too large. Close it either way. */
mc_status mc_source_open(mc_source *source, mc_source_kind kind, const char *path,
                         uint64_t limit_bytes, mc_error *error);
void mc_source_close(mc_source *source);

/* For a source of kind LMDB: deletes exactly the orphans (mc_v1_is_orphan), in one transaction, and
 * counts them. MC_IO "changed" when the store's v1 pairs are not those that were read any more;
 * then nothing is deleted. */
mc_status mc_source_sweep(const mc_source *source, size_t *keys, uint64_t *bytes, mc_error *error);

#endif
