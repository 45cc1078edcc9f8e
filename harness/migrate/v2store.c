#include "harness/migrate/v2store.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/migrate/lmdbenv.h"
#include "harness/host/outfile.h"

static const char HEAD[] = "head";
static const char DELTA[] = "delta";
static const char PAGE[] = "page";

enum {
    HEAD_KEY_BYTES = sizeof HEAD - 1,
    DELTA_PREFIX_BYTES = sizeof DELTA - 1,
    DELTA_KEY_BYTES = DELTA_PREFIX_BYTES + 8 + 4,
    PAGE_PREFIX_BYTES = sizeof PAGE - 1,
    PAGE_KEY_BYTES = PAGE_PREFIX_BYTES + 4,
    HEAD_BYTES = 8 + 4,
    PAGE_VALUE_BYTES = 8
};

static mc_bytes text_key(const char *text)
{
    return (mc_bytes){(const uint8_t *)text, strlen(text)};
}

static mc_bytes delta_key(uint8_t key[DELTA_KEY_BYTES], uint64_t txid, uint32_t chunk)
{
    memcpy(key, DELTA, DELTA_PREFIX_BYTES);
    mc_bytes_put_be64(key + DELTA_PREFIX_BYTES, txid);
    mc_bytes_put_be32(key + DELTA_PREFIX_BYTES + 8, chunk);
    return (mc_bytes){key, DELTA_KEY_BYTES};
}

static mc_bytes page_key(uint8_t key[PAGE_KEY_BYTES], uint32_t number)
{
    memcpy(key, PAGE, PAGE_PREFIX_BYTES);
    mc_bytes_put_be32(key + PAGE_PREFIX_BYTES, number);
    return (mc_bytes){key, PAGE_KEY_BYTES};
}

static bool begins_with(mc_bytes key, const char *prefix)
{
    size_t size = strlen(prefix);
    return key.size >= size && memcmp(key.data, prefix, size) == 0;
}

static mc_status get_head(const mc_lmdb *lmdb, mc_v2head *head, mc_error *error)
{
    bool found;
    mc_bytes value;
    *head = (mc_v2head){0};
    mc_status status = mc_lmdb_get(lmdb, text_key(HEAD), &found, &value, error);
    if (status != MC_OK || !found) {
        return status;
    }
    mc_v2head read = {0};
    if (value.size == HEAD_BYTES) {
        read = (mc_v2head){mc_bytes_get_be64(value.data), mc_bytes_get_be32(value.data + 8)};
    }
    if (read.txid == 0) {
        return mc_fail(error, MC_MALFORMED, "unreadable-head",
                       "%s: v2 head: expected %d bytes with a txid above 0, found %s", lmdb->dir,
                       HEAD_BYTES, value.size == HEAD_BYTES ? "txid 0" : "another size");
    }
    *head = read;
    return MC_OK;
}

/* ---- look ---- */

typedef struct look {
    const char *dir;
    mc_v2head *head;
} look;

static mc_status look_work(void *context, mc_error *error)
{
    look *l = context;
    mc_lmdb lmdb;
    mc_status status = mc_lmdb_open(&lmdb, l->dir, false, 0, error);
    if (status == MC_OK) {
        status = get_head(&lmdb, l->head, error);
        mc_lmdb_close(&lmdb);
    }
    return status;
}

mc_status mc_v2store_head(const char *dir, mc_v2head *head, mc_error *error)
{
    bool any;
    uint64_t data_bytes;
    *head = (mc_v2head){0};
    mc_status status = mc_lmdb_look(dir, &any, &data_bytes, error);
    if (status != MC_OK || !any) {
        return status;
    }
    return mc_lmdb_guard(dir, look_work, &(look){dir, head}, error);
}

/* ---- import ---- */

typedef struct import {
    const char *dir;
    mc_bytes ltx;
    uint32_t pages;
    bool skipped;
} import;

static mc_status remove_prefix(void *context, mc_bytes key, mc_bytes value, bool *more,
                               bool *remove, mc_error *error)
{
    (void)value;
    (void)error;
    *more = begins_with(key, context);
    *remove = *more;
    return MC_OK;
}

static mc_status remove_leftovers(const mc_lmdb *lmdb, mc_error *error)
{
    const char *const prefixes[] = {DELTA, PAGE};
    mc_status status = MC_OK;
    for (size_t i = 0; status == MC_OK && i < sizeof prefixes / sizeof *prefixes; i++) {
        status = mc_lmdb_walk(lmdb, text_key(prefixes[i]), remove_prefix,
                              (void *)(uintptr_t)prefixes[i], error);
    }
    return status;
}

static mc_status put_all(const mc_lmdb *lmdb, const import *in, mc_error *error)
{
    mc_status status = remove_leftovers(lmdb, error);
    uint32_t chunk = 0;
    for (uint64_t at = 0; status == MC_OK && at < in->ltx.size; at += MC_V2_CHUNK_BYTES) {
        uint8_t key[DELTA_KEY_BYTES];
        uint64_t left = in->ltx.size - at;
        mc_bytes value = {in->ltx.data + at, left < MC_V2_CHUNK_BYTES ? left : MC_V2_CHUNK_BYTES};
        status = mc_lmdb_put(lmdb, delta_key(key, MC_V2_MIGRATION_TXID, chunk++), value, error);
    }
    uint8_t txid[PAGE_VALUE_BYTES];
    mc_bytes_put_be64(txid, MC_V2_MIGRATION_TXID);
    for (uint32_t i = 0; status == MC_OK && i < in->pages; i++) {
        uint8_t key[PAGE_KEY_BYTES];
        status = mc_lmdb_put(lmdb, page_key(key, i + 1), (mc_bytes){txid, sizeof txid}, error);
    }
    uint8_t head[HEAD_BYTES];
    mc_bytes_put_be64(head, MC_V2_MIGRATION_TXID);
    mc_bytes_put_be32(head + 8, in->pages);
    if (status == MC_OK) {
        status = mc_lmdb_put(lmdb, text_key(HEAD), (mc_bytes){head, sizeof head}, error);
    }
    return status;
}

/* LMDB syncs its file, but not the names that lead to it. */
static mc_status sync_names(const char *dir, mc_error *error)
{
    char real[PATH_MAX];
    char data[PATH_MAX + sizeof "/data.mdb"];
    if (realpath(dir, real) == NULL) {
        return mc_fail(error, MC_IO, "io", "%s: %s", dir, strerror(errno));
    }
    (void)snprintf(data, sizeof data, "%s/data.mdb", real);
    mc_status status = mc_outfile_sync_folder(data, error);
    return status == MC_OK ? mc_outfile_sync_folder(real, error) : status;
}

static mc_status import_work(void *context, mc_error *error)
{
    enum { PAGE_ROW_BYTES = 64, CHUNK_SPARE_BYTES = 8192 };
    import *in = context;
    if (mkdir(in->dir, 0777) != 0 && errno != EEXIST) {
        return mc_fail(error, MC_IO, "io", "%s: %s", in->dir, strerror(errno));
    }
    uint64_t chunks = in->ltx.size / MC_V2_CHUNK_BYTES + 1;
    uint64_t growth =
        in->ltx.size + chunks * CHUNK_SPARE_BYTES + (uint64_t)in->pages * PAGE_ROW_BYTES;
    mc_lmdb lmdb;
    mc_status status = mc_lmdb_open(&lmdb, in->dir, true, growth, error);
    if (status != MC_OK) {
        return status;
    }
    mc_v2head head;
    status = get_head(&lmdb, &head, error);
    in->skipped = status == MC_OK && head.txid != 0;
    if (status == MC_OK && !in->skipped) {
        status = put_all(&lmdb, in, error);
        status = status == MC_OK ? mc_lmdb_commit(&lmdb, error) : status;
        status = status == MC_OK ? sync_names(in->dir, error) : status;
    }
    mc_lmdb_close(&lmdb);
    return status;
}

mc_status mc_v2store_import(const char *dir, mc_bytes ltx_bytes, uint32_t pages, bool *skipped,
                            mc_error *error)
{
import in = {.dir = dir, .ltx = ltx_bytes, .pages = pages };
    mc_status status = mc_lmdb_guard(dir, import_work, &in, error);
    *skipped = in.skipped;
    return status;
}

/* ---- read back ---- */

typedef struct read_back {
    const char *dir;
    mc_arena *arena;
    mc_v2head *head;
    mc_ltx *out;
    uint8_t *blob; /* null while chunks are only counted */
    uint64_t size;
    uint32_t chunks;
    bool ended; /* a chunk shorter than the full size came */
    uint32_t pages;
} read_back;

static mc_status bad_store(const read_back *r, const char *expected, mc_error *error)
{
    return mc_fail(error, MC_MALFORMED, "v2-store", "%s: expected %s", r->dir, expected);
}

static mc_status visit_chunk(void *context, mc_bytes key, mc_bytes value, bool *more, bool *remove,
                             mc_error *error)
{
    (void)remove;
    read_back *r = context;
    *more = begins_with(key, DELTA);
    if (!*more) {
        return MC_OK;
    }
    uint8_t wanted[DELTA_KEY_BYTES];
    (void)delta_key(wanted, r->head->txid, r->chunks);
    if (key.size != sizeof wanted || memcmp(key.data, wanted, sizeof wanted) != 0) {
        return bad_store(r, "only the chunks of the head's delta, numbered from 0", error);
    }
    if (r->ended || value.size == 0 || value.size > MC_V2_CHUNK_BYTES) {
        return bad_store(r, "chunks of 10,000 bytes and a last one of 1 to 10,000", error);
    }
    if (r->blob != NULL) {
        memcpy(r->blob + r->size, value.data, (size_t)value.size);
    }
    r->ended = value.size < MC_V2_CHUNK_BYTES;
    r->size += value.size;
    r->chunks++;
    return MC_OK;
}

static mc_status visit_page(void *context, mc_bytes key, mc_bytes value, bool *more, bool *remove,
                            mc_error *error)
{
    (void)remove;
    read_back *r = context;
    *more = begins_with(key, PAGE);
    if (!*more) {
        return MC_OK;
    }
    uint8_t wanted[PAGE_KEY_BYTES];
    (void)page_key(wanted, r->pages + 1);
    if (key.size != sizeof wanted || memcmp(key.data, wanted, sizeof wanted) != 0 ||
        value.size != PAGE_VALUE_BYTES || mc_bytes_get_be64(value.data) != r->head->txid) {
        return bad_store(r, "a page index of every page, each in the head's delta", error);
    }
    r->pages++;
    return MC_OK;
}

static mc_status walk_chunks(const mc_lmdb *lmdb, read_back *r, mc_error *error)
{
    r->size = 0;
    r->chunks = 0;
    r->ended = false;
    return mc_lmdb_walk(lmdb, text_key(DELTA), visit_chunk, r, error);
}

static mc_status read_open(const mc_lmdb *lmdb, read_back *r, mc_error *error)
{
    mc_status status = get_head(lmdb, r->head, error);
    if (status != MC_OK || r->head->txid == 0) {
        return status;
    }
    status = walk_chunks(lmdb, r, error); /* for the size, which no key states */
    if (status == MC_OK) {
        r->blob = mc_arena_alloc(r->arena, (size_t)r->size);
        if (r->blob == NULL) {
            return mc_fail(error, MC_NO_MEMORY, "no-memory",
                           "%s: no memory for a delta of %" PRIu64 " bytes", r->dir, r->size);
        }
        status = walk_chunks(lmdb, r, error);
    }
    status = status == MC_OK ? mc_lmdb_walk(lmdb, text_key(PAGE), visit_page, r, error) : status;
    if (status == MC_OK) {
        status = mc_ltx_decode((mc_bytes){r->blob, r->size}, r->arena, r->out, error);
    }
    if (status != MC_OK) {
        return status;
    }
    uint32_t pages = r->head->pages;
    if (r->out->max_txid != r->head->txid || r->out->commit_pages != pages ||
        r->out->page_count != pages || r->pages != pages) {
        return bad_store(r, "head, delta and page index of one database", error);
    }
    return MC_OK;
}

static mc_status read_work(void *context, mc_error *error)
{
    read_back *r = context;
    mc_lmdb lmdb;
    mc_status status = mc_lmdb_open(&lmdb, r->dir, false, 0, error);
    if (status == MC_OK) {
        status = read_open(&lmdb, r, error);
        mc_lmdb_close(&lmdb);
    }
    return status;
}

mc_status mc_v2store_read(const char *dir, mc_arena *arena, mc_v2head *head, mc_ltx *out,
                          mc_error *error)
{
    bool any;
    uint64_t data_bytes;
    *head = (mc_v2head){0};
    *out = (mc_ltx){0};
    mc_status status = mc_lmdb_look(dir, &any, &data_bytes, error);
    if (status != MC_OK || !any) {
        return status;
    }
    read_back r = {.dir = dir, .arena = arena, .head = head, .out = out};
    return mc_lmdb_guard(dir, read_work, &r, error);
}
