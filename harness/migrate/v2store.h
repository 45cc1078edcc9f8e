/* v2store.h: the v2 page store in an LMDB environment.
 *
 *     key                                value
 *     "head"                             u64 txid, u32 size of the database in pages
 *     "delta" u64 txid, u32 chunk        the LTX of that commit (core/ltx.h) in chunks of 10,000
 *                                        bytes, numbered from 0, the last one shorter
 *     "page" u32 page number             u64 txid: the delta that holds the page
 *
 * all integers big-endian, all in the environment's main database (the parts are those of
 * rivet-dev/rivet, depot/src/conveyer; their keys here are our own). Only what the head leads to
 * counts: a store without head holds no database, whatever else lies in it.
 *
 * A migration writes everything in one LMDB transaction, as txid 1. LMDB commits by writing one
 * meta page after all others are synced, so a crash leaves no head or the whole database. */
#ifndef MIDCOMMIT_HARNESS_MIGRATE_V2STORE_H
#define MIDCOMMIT_HARNESS_MIGRATE_V2STORE_H

#include "core/ltx.h"

enum {
    MC_V2_CHUNK_BYTES = 10000,
    MC_V2_PAGE_BYTES = 4096, /* the only page size that v2 takes */
    MC_V2_MIGRATION_TXID = 1
};

typedef struct mc_v2head {
    uint64_t txid; /* 0: the store has no head */
    uint32_t pages;
} mc_v2head;

/* The head of the store in `dir`; none when there is no environment yet. MC_MALFORMED
 * "unreadable-head" when there is one that cannot be read; MC_IO and MC_MALFORMED of lmdbenv.h. */
mc_status mc_v2store_head(const char *dir, mc_v2head *head, mc_error *error);

/* Stores a whole database, `ltx_bytes` being its LTX with MC_V2_MIGRATION_TXID, unless the store
 * has a head: then nothing is written and `*skipped` is set. Makes the folder when it is missing.
 * What lies in the store without a head leading to it is removed. Errors as above; then nothing is
 * written. */
mc_status mc_v2store_import(const char *dir, mc_bytes ltx_bytes, uint32_t pages, bool *skipped,
                            mc_error *error);

/* Reads a store back that holds nothing but a migration: head, chunks, page index, and they must
 * agree. The pages lie in `arena`. `head->txid` 0: there is no head. MC_MALFORMED "v2-store" names
 * what is not as it should be, also for a store that has moved on to another txid. */
mc_status mc_v2store_read(const char *dir, mc_arena *arena, mc_v2head *head, mc_ltx *out,
                          mc_error *error);

#endif
