#include "harness/judge/history.h"

#include "core/pages.h"
#include "core/v1.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAL_HEADER = 32, FRAME_HEADER = 24 };

/* What the trace has built up so far, for one database. */
typedef struct database_state {
    uint16_t main;
    uint16_t wal;
    uint64_t *hash; /* of the last snapshot, by page - 1 */
    const uint8_t *
        *page; /* content of the last snapshot; null where it is the base's and not kept */
    const uint8_t **frame; /* by page - 1: content of the page in committed frames; null: none */
    uint8_t *touched;      /* by page - 1: may have changed since the last snapshot */
    uint32_t *touched_list;
    uint32_t touched_count;
    uint32_t capacity;    /* of the arrays above, in pages */
    uint32_t frames_done; /* frames of the WAL's present generation that belong to snapshots */
    uint64_t wal_high;    /* end of the last byte written to the WAL since its header */
    uint32_t wal_pages;   /* database size in the last counted commit frame; 0: no frame counts */
    uint32_t page_count;  /* of the last snapshot */
    const uint8_t *main_data; /* where main's bytes lay when pages were last borrowed from them */
    uint64_t main_size;
} database_state;

typedef struct builder {
    mc_trace *trace;
    mc_history *history;
    mc_error *error;
    database_state db[MC_DATABASES_MAX];
    uint32_t delta_capacity;
    uint8_t *leaf;          /* by page - 1, while a snapshot is taken */
    uint32_t leaf_capacity; /* the largest of the databases' */
    bool keep_contents;
    mc_kvstore store; /* of a KV trace: the pairs now */
    mc_file kv_main;  /* and main as the v1 VFS reads it from them */
} builder;

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "history: out of memory");
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Main as it lies on the disk, or as the v1 VFS reads it, now. */
static mc_file main_now(const builder *b, const database_state *db)
{
    if (b->trace->is_kv) {
        return b->kv_main;
    }
    const mc_disk_file *file = &b->trace->base.file[db->main];
    return (mc_file){file->exists, file->data, file->exists ? file->size : 0};
}

static bool grow_pages(builder *b, database_state *db, uint32_t pages)
{
    if (pages <= db->capacity) {
        return true;
    }
    uint32_t capacity = db->capacity < 64 ? 64 : db->capacity * 2;
    capacity = capacity < pages ? pages : capacity;
    uint64_t *hash = realloc(db->hash, capacity * sizeof *hash);
    db->hash = hash != NULL ? hash : db->hash;
    const uint8_t **page = realloc(db->page, capacity * sizeof *page);
    db->page = page != NULL ? page : db->page;
    const uint8_t **frame = realloc(db->frame, capacity * sizeof *frame);
    db->frame = frame != NULL ? frame : db->frame;
    uint8_t *touched = realloc(db->touched, capacity);
    db->touched = touched != NULL ? touched : db->touched;
    uint32_t *list = realloc(db->touched_list, capacity * sizeof *list);
    db->touched_list = list != NULL ? list : db->touched_list;
    uint32_t leaf_capacity = capacity > b->leaf_capacity ? capacity : b->leaf_capacity;
    uint8_t *leaf = realloc(b->leaf, leaf_capacity);
    b->leaf = leaf != NULL ? leaf : b->leaf;
    b->leaf_capacity = leaf != NULL ? leaf_capacity : b->leaf_capacity;
    if (!hash || !page || !frame || !touched || !list || !leaf) {
        return false;
    }
    uint32_t more = capacity - db->capacity;
    memset(db->hash + db->capacity, 0, more * sizeof *hash);
    memset(db->page + db->capacity, 0, more * sizeof *page);
    memset(db->frame + db->capacity, 0, more * sizeof *frame);
    memset(db->touched + db->capacity, 0, more);
    db->capacity = capacity;
    return true;
}

static bool touch(builder *b, database_state *db, uint32_t page)
{
    if (!grow_pages(b, db, page)) {
        return false;
    }
    if (!db->touched[page - 1]) {
        db->touched[page - 1] = 1;
        db->touched_list[db->touched_count++] = page;
    }
    return true;
}

/* The WAL begins a new generation, or is gone: no frame counts any more, main holds everything. */
static bool forget_frames(builder *b, database_state *db)
{
    for (uint32_t page = 1; db->wal_pages > 0 && page <= db->capacity; page++) {
        if (db->frame[page - 1] != NULL) {
            db->frame[page - 1] = NULL;
            if (!touch(b, db, page)) {
                return false;
            }
        }
    }
    db->frames_done = 0;
    db->wal_high = 0;
    db->wal_pages = 0;
    return true;
}

static bool note_main(builder *b, database_state *db, const mc_op *op)
{
    uint32_t page_size = b->history->page_size;
    uint64_t size = b->trace->base.file[db->main].size;
    uint64_t first = op->offset;
    uint64_t end = op->kind == MC_OP_WRITE ? op->offset + op->size : op->offset;
    if (op->kind == MC_OP_TRUNCATE || op->kind == MC_OP_DELETE || op->kind == MC_OP_CREATE) {
        first = op->kind == MC_OP_TRUNCATE && op->offset < size ? op->offset : 0;
        end = (uint64_t)db->page_count * page_size > size ? (uint64_t)db->page_count * page_size
                                                          : size;
    }
    for (uint64_t page = first / page_size + 1; (page - 1) * page_size < end; page++) {
        if (!touch(b, db, (uint32_t)page)) {
            return false;
        }
    }
    return true;
}

static bool note_wal(builder *b, database_state *db, const mc_op *op)
{
    if (op->kind == MC_OP_WRITE && op->offset >= WAL_HEADER) {
        uint64_t end = op->offset + op->size;
        db->wal_high = end > db->wal_high ? end : db->wal_high;
        return true;
    }
    if (op->kind == MC_OP_SYNC) {
        return true;
    }
    /* The header is written once per generation; a truncation or deletion ends one. */
    return forget_frames(b, db);
}

/* Takes the frames that the acknowledged transaction appended, up to its commit frame. */
static mc_status take_frames(builder *b, database_state *db)
{
    const mc_disk_file *wal = &b->trace->base.file[db->wal];
    uint64_t frame_bytes = FRAME_HEADER + (uint64_t)b->history->page_size;
    uint32_t first = db->frames_done;
    for (uint32_t i = first;; i++) {
        uint64_t at = WAL_HEADER + i * frame_bytes;
        if (at + frame_bytes > db->wal_high || at + frame_bytes > wal->size) {
            return MC_OK; /* no commit frame: this commit did not go through the WAL */
        }
        uint32_t pages = be32(wal->data + at + 4);
        if (pages == 0) {
            continue;
        }
        for (uint32_t k = first; k <= i; k++) {
            const uint8_t *frame = wal->data + WAL_HEADER + k * frame_bytes;
            uint32_t page = be32(frame);
            if (page == 0 || !touch(b, db, page)) {
                return no_memory(b->error);
            }
            uint8_t *copy = mc_arena_alloc(&b->history->arena, b->history->page_size);
            if (copy == NULL) {
                return no_memory(b->error);
            }
            memcpy(copy, frame + FRAME_HEADER, b->history->page_size);
            db->frame[page - 1] = copy;
        }
        db->frames_done = i + 1;
        db->wal_pages = pages;
        return MC_OK;
    }
}

/* Page `page` as a reader sees it now, or null when there is none; copies main's bytes if asked to
 * keep them. */
static const uint8_t *content_now(builder *b, database_state *db, uint32_t page, bool copy)
{
    if (db->frame[page - 1] != NULL) {
        return db->frame[page - 1];
    }
    mc_file main = main_now(b, db);
    uint32_t page_size = b->history->page_size;
    uint64_t at = (uint64_t)(page - 1) * page_size;
    if (at >= main.size) {
        return NULL;
    }
    if (!copy && at + page_size <= main.size) {
        return main.data + at;
    }
    uint8_t *bytes = mc_arena_calloc(&b->history->arena, 1, page_size);
    if (bytes != NULL) {
        uint64_t have = main.size - at;
        memcpy(bytes, main.data + at, have < page_size ? have : page_size);
    }
    return bytes;
}

/* How many pages a reader would see (btree.c lockBtree): the header's count when it is valid. */
static uint32_t page_count_now(builder *b, database_state *db)
{
    uint32_t page_size = b->history->page_size;
    uint64_t file_pages = (main_now(b, db).size + page_size - 1) / page_size;
    if (db->wal_pages > 0) {
        file_pages = db->wal_pages;
    }
    const uint8_t *page1 = file_pages > 0 && db->capacity > 0 ? content_now(b, db, 1, false) : NULL;
    if (page1 == NULL) {
        return 0;
    }
    uint32_t counted = be32(page1 + 28);
    bool valid = counted != 0 && memcmp(page1 + 24, page1 + 92, 4) == 0;
    return valid ? counted : (uint32_t)file_pages;
}

static void mark_leaf(void *context, uint32_t page)
{
    uint8_t *leaf = context;
    leaf[page - 1] = 1;
}

static bool add_delta(builder *b, mc_delta delta)
{
    mc_history *h = b->history;
    if (h->delta_count == b->delta_capacity) {
        uint32_t capacity = b->delta_capacity < 256 ? 256 : b->delta_capacity * 2;
        mc_delta *more = realloc(h->delta, capacity * sizeof *more);
        if (more == NULL) {
            return false;
        }
        h->delta = more;
        b->delta_capacity = capacity;
    }
    h->delta[h->delta_count++] = delta;
    return true;
}

/* Pages that are borrowed from main move when main's buffer moves. */
static void follow_main(builder *b, database_state *db)
{
    mc_file main = main_now(b, db);
    for (uint32_t page = 1; main.data != db->main_data && page <= db->capacity; page++) {
        uintptr_t at = (uintptr_t)db->page[page - 1] - (uintptr_t)db->main_data;
        if (db->page[page - 1] != NULL && at < db->main_size) {
            db->page[page - 1] = main.data + at;
        }
    }
    db->main_data = main.data;
    db->main_size = main.size;
}

/* Brings db->page up to date for the touched pages and finds which pages are freelist leaves. */
static mc_status refresh_pages(builder *b, database_state *db, uint32_t pages)
{
    follow_main(b, db);
    bool copy = b->keep_contents || b->history->snapshot_count > 0;
    for (uint32_t i = 0; i < db->touched_count; i++) {
        uint32_t page = db->touched_list[i];
        db->page[page - 1] = page <= pages ? content_now(b, db, page, copy) : NULL;
    }
    if (db->capacity > 0) {
        memset(b->leaf, 0, db->capacity);
    }
    if (pages > 0) {
        mc_image image = {b->history->page_size, pages, db->page};
        for (uint32_t page = 1; page <= pages; page++) {
            if (db->page[page - 1] == NULL) {
                return mc_fail(b->error, MC_IO, "snapshot", "history: page %u of %u has no content",
                               page, pages);
            }
        }
        mc_pages_freelist_leaves(&image, mark_leaf, b->leaf);
    }
    return MC_OK;
}

static uint64_t hash_for(builder *b, database_state *db, uint32_t page, uint32_t pages)
{
    uint32_t page_size = b->history->page_size;
    if (page > pages || b->leaf[page - 1] || page == mc_lock_byte_page(page_size)) {
        return MC_ANY;
    }
    return mc_page_hash(page, db->page[page - 1], page_size);
}

/* Ends one database's part of a snapshot. Every page whose hash may differ is among the touched
 * ones, those that joined or left the freelist, and those between the old and the new size. */
static mc_status snapshot_database(builder *b, uint32_t d, mc_snapshot *snapshot)
{
    database_state *db = &b->db[d];
    uint32_t pages = page_count_now(b, db);
    uint32_t limit = pages > db->page_count ? pages : db->page_count;
    if (!grow_pages(b, db, limit)) {
        return no_memory(b->error);
    }
    for (uint32_t page = (pages < db->page_count ? pages : db->page_count) + 1; page <= limit;
         page++) {
        if (!touch(b, db, page)) {
            return no_memory(b->error);
        }
    }
    mc_status status = refresh_pages(b, db, pages);
    if (status != MC_OK) {
        return status;
    }
    for (uint32_t page = 1; page <= limit; page++) {
        bool defined_before = db->hash[page - 1] != MC_ANY;
        bool same_kind = defined_before != (bool)b->leaf[page - 1] && page <= db->page_count;
        if (!db->touched[page - 1] && same_kind) {
            continue;
        }
        uint64_t after = hash_for(b, db, page, pages);
        uint64_t before = db->hash[page - 1];
        if (after != before || db->touched[page - 1]) {
            mc_delta delta = {d, page, before, after, page <= pages ? db->page[page - 1] : NULL};
            if (!add_delta(b, delta)) {
                return no_memory(b->error);
            }
            db->hash[page - 1] = after;
        }
    }
    for (uint32_t i = 0; i < db->touched_count; i++) {
        db->touched[db->touched_list[i] - 1] = 0;
    }
    db->touched_count = 0;
    db->page_count = pages;
    snapshot->page_count[d] = pages;
    if (pages > b->history->pages_max) {
        b->history->pages_max = pages;
    }
    return MC_OK;
}

static bool schema_is_empty(const database_state *db)
{
    /* sqlite_schema's root is page 1; a leaf (type 13) with no cell holds no object. */
    return db->page_count == 0 || (db->page[0] != NULL && db->page[0][100] == 13 &&
                                   db->page[0][103] == 0 && db->page[0][104] == 0);
}

static mc_status check_witness(builder *b, uint32_t k)
{
    mc_trace *trace = b->trace;
    for (uint32_t d = 0; d < trace->database_count && trace->witness != NULL; d++) {
        const mc_witness *witness = &trace->witness[k * trace->database_count + d];
        const database_state *db = &b->db[d];
        if (witness->page_count == MC_WITNESS_NONE) {
            continue;
        }
        if (witness->page_count > 0 && witness->page_size != b->history->page_size) {
            return mc_fail(b->error, MC_MALFORMED, "page-size",
                           "history: %s after commit %u: its page size is %u, that of the trace %u;"
                           " one size for all databases and all time is needed",
                           trace->database[d], k, witness->page_size, b->history->page_size);
        }
        if (witness->page_count != db->page_count) {
            return mc_fail(b->error, MC_IO, "witness",
                           "history: %s after commit %u: %u pages derived, SQLite says %u",
                           trace->database[d], k, db->page_count, witness->page_count);
        }
        for (uint32_t page = 1; page <= db->page_count; page++) {
            uint64_t said = witness->page_hash[page - 1];
            if (said != db->hash[page - 1]) {
                return mc_fail(
                    b->error, MC_IO, "witness",
                    "history: %s after commit %u: page %u is not what SQLite reads there",
                    trace->database[d], k, page);
            }
        }
    }
    return MC_OK;
}

/* A request names chunks, not pages: after a commit every page may be another. */
static mc_status read_store(builder *b)
{
    mc_pair *pair = mc_arena_calloc(&b->history->arena, b->store.count, sizeof *pair);
    if (pair == NULL) {
        return no_memory(b->error);
    }
    mc_store view;
    mc_kvstore_view(&b->store, pair, &view);
    mc_files files = {0};
    mc_status status = mc_v1_files(&view, &b->history->arena, &files, b->error);
    if (status != MC_OK) {
        return status;
    }
    b->kv_main = files.main;
    uint64_t pages = (files.main.size + b->history->page_size - 1) / b->history->page_size;
    for (uint32_t page = 1; page <= pages || page <= b->db[0].page_count; page++) {
        if (!touch(b, &b->db[0], page)) {
            return no_memory(b->error);
        }
    }
    return MC_OK;
}

static mc_status take_snapshot(builder *b, uint32_t k)
{
    if (b->trace->is_kv) {
        mc_status status = read_store(b);
        if (status != MC_OK) {
            return status;
        }
    }
    mc_snapshot *snapshot = &b->history->snapshot[k];
    snapshot->first_delta = b->history->delta_count;
    snapshot->empty = true;
    for (uint32_t d = 0; d < b->trace->database_count; d++) {
        mc_status status = k > 0 && !b->trace->is_kv ? take_frames(b, &b->db[d]) : MC_OK;
        if (status == MC_OK) {
            status = snapshot_database(b, d, snapshot);
        }
        if (status != MC_OK) {
            return status;
        }
        snapshot->empty = snapshot->empty && schema_is_empty(&b->db[d]);
    }
    snapshot->delta_count = b->history->delta_count - snapshot->first_delta;
    b->history->snapshot_count = k + 1;
    return check_witness(b, k);
}

static mc_status note_op(builder *b, const mc_op *op)
{
    for (uint32_t d = 0; d < b->trace->database_count; d++) {
        database_state *db = &b->db[d];
        bool ok = true;
        if (op->file == db->main && op->kind <= MC_OP_DELETE && op->kind != MC_OP_SYNC) {
            ok = note_main(b, db, op);
        } else if (op->file == db->wal) {
            ok = note_wal(b, db, op);
        }
        if (!ok) {
            return no_memory(b->error);
        }
    }
    return MC_OK;
}

static mc_status replay(builder *b)
{
    mc_trace *trace = b->trace;
    for (size_t i = 0; i < trace->op_count; i++) {
        const mc_op *op = &trace->op[i];
        mc_status status = MC_OK;
        if (op->kind == MC_OP_ACKED) {
            status = take_snapshot(b, (uint32_t)op->offset);
        } else if (op->kind >= MC_OP_KV_PUT && op->kind <= MC_OP_KV_DELETE_RANGE) {
            status =
                mc_kvstore_apply(&b->store, op->kind, op->data, op->size, op->offset, b->error);
        } else if (op->file != MC_DISK_NONE) {
            status = mc_trace_apply(&trace->base, op, UINT32_MAX, b->error);
            status = status == MC_OK ? note_op(b, op) : status;
        }
        if (status != MC_OK) {
            return status;
        }
    }
    return MC_OK;
}

/* The base becomes snapshot 0: its pages are kept as hashes and, if asked, as copies. */
static mc_status take_base(builder *b)
{
    mc_history *h = b->history;
    for (uint32_t d = 0; d < h->database_count; d++) {
        database_state *db = &b->db[d];
        uint64_t pages = (main_now(b, db).size + h->page_size - 1) / h->page_size;
        for (uint32_t page = 1; page <= pages; page++) {
            if (!touch(b, db, page)) {
                return no_memory(b->error);
            }
        }
    }
    mc_status status = take_snapshot(b, 0);
    for (uint32_t d = 0; status == MC_OK && d < h->database_count; d++) {
        const database_state *db = &b->db[d];
        uint32_t pages = h->snapshot[0].page_count[d];
        h->base_hash[d] = mc_arena_calloc(&h->arena, pages, sizeof *h->base_hash[d]);
        h->base_page[d] = mc_arena_calloc(&h->arena, pages, sizeof *h->base_page[d]);
        if (h->base_hash[d] == NULL || h->base_page[d] == NULL) {
            return no_memory(b->error);
        }
        if (pages > 0) {
            memcpy(h->base_hash[d], db->hash, pages * sizeof *db->hash);
            memcpy(h->base_page[d], db->page, pages * sizeof *db->page);
        }
    }
    return status;
}

static mc_status find_page_size(builder *b)
{
    mc_trace *trace = b->trace;
    if (trace->is_kv) {
        b->history->page_size = 4096; /* a v1 chunk is a page */
        return MC_OK;
    }
    for (uint32_t d = 0; d < trace->database_count; d++) {
        b->db[d].main = mc_disk_slot(&trace->base, trace->database[d]);
        char wal[MC_DISK_NAME_MAX];
        (void)snprintf(wal, sizeof wal, "%s-wal", trace->database[d]);
        b->db[d].wal = mc_disk_slot(&trace->base, wal);
    }
    /* Every page 1 that is ever written to main says the page size; so does a base. */
    uint32_t page_size = 0;
    const mc_disk_file *main = &trace->base.file[b->db[0].main];
    if (main->exists && main->size >= 100) {
        page_size = (uint32_t)main->data[16] << 8 | main->data[17];
    }
    for (size_t i = 0; page_size == 0 && i < trace->op_count; i++) {
        const mc_op *op = &trace->op[i];
        if (op->kind == MC_OP_WRITE && op->file == b->db[0].main && op->offset == 0 &&
            op->size >= 100) {
            page_size = (uint32_t)op->data[16] << 8 | op->data[17];
        } else if (op->kind == MC_OP_WRITE && op->file == b->db[0].wal && op->offset == 0) {
            page_size = be32(op->data + 8);
        }
    }
    b->history->page_size = page_size == 1 ? MC_PAGE_SIZE_MAX : page_size == 0 ? 4096 : page_size;
    uint32_t size = b->history->page_size;
    if (size < MC_PAGE_SIZE_MIN || size > MC_PAGE_SIZE_MAX || (size & (size - 1)) != 0) {
        return mc_fail(b->error, MC_MALFORMED, "page-size", "history: page size %u in the trace",
                       size);
    }
    return MC_OK;
}

static void free_builder(builder *b)
{
    for (uint32_t d = 0; d < MC_DATABASES_MAX; d++) {
        free(b->db[d].hash);
        free((void *)b->db[d].page);
        free((void *)b->db[d].frame);
        free(b->db[d].touched);
        free(b->db[d].touched_list);
    }
    free(b->leaf);
    mc_kvstore_free(&b->store);
}

mc_status mc_history_build(mc_trace *trace, bool keep_contents, mc_history *history,
                           mc_error *error)
{
    assert(history->snapshot == NULL);
    history->arena.limit_bytes = SIZE_MAX / 2;
    history->database_count = trace->database_count;
    builder b = {
        .trace = trace, .history = history, .error = error, .keep_contents = keep_contents};
    history->snapshot = mc_arena_calloc(&history->arena, (size_t)trace->commit_count + 1,
                                        sizeof *history->snapshot);
    mc_status status = history->snapshot == NULL ? no_memory(error) : find_page_size(&b);
    if (status == MC_OK && !mc_kvstore_copy(&b.store, &trace->base_kv)) {
        status = no_memory(error);
    }
    if (status == MC_OK) {
        mc_disk_begin(&trace->base);
        status = take_base(&b);
        status = status == MC_OK ? replay(&b) : status;
        mc_disk_rewind(&trace->base);
    }
    free_builder(&b);
    if (status == MC_OK && history->snapshot_count != trace->commit_count + 1) {
        status = mc_fail(error, MC_IO, "snapshot", "history: %u snapshots of %u commits",
                         history->snapshot_count - 1, trace->commit_count);
    }
    for (uint32_t d = 0; !keep_contents && d < history->database_count; d++) {
        history->base_page[d] = NULL;
    }
    if (status != MC_OK) {
        mc_history_free(history);
    }
    return status;
}

void mc_history_free(mc_history *history)
{
    free(history->delta);
    mc_arena_free(&history->arena);
    memset(history, 0, sizeof *history);
}

mc_status mc_history_image(const mc_history *history, uint32_t snapshot, uint32_t database,
                           mc_arena *arena, mc_image *out, mc_error *error)
{
    assert(snapshot < history->snapshot_count);
    assert(database < history->database_count);
    assert(history->base_page[database] != NULL);
    uint32_t pages = history->snapshot[snapshot].page_count[database];
    const uint8_t **page = mc_arena_calloc(arena, pages, sizeof *page);
    if (page == NULL) {
        return no_memory(error);
    }
    uint32_t base_pages = history->snapshot[0].page_count[database];
    for (uint32_t i = 0; i < pages && i < base_pages; i++) {
        page[i] = history->base_page[database][i];
    }
    const mc_snapshot *last = &history->snapshot[snapshot];
    for (uint32_t i = 0; i < last->first_delta + last->delta_count; i++) {
        const mc_delta *delta = &history->delta[i];
        if (delta->database == database && delta->page <= pages) {
            page[delta->page - 1] = delta->content;
        }
    }
    *out = (mc_image){pages == 0 ? 0 : history->page_size, pages, page};
    return MC_OK;
}

uint64_t mc_history_page(const mc_history *history, uint32_t snapshot, uint32_t database,
                         uint32_t page)
{
    assert(page > 0);
    if (page > history->snapshot[snapshot].page_count[database]) {
        return MC_ANY;
    }
    const mc_snapshot *last = &history->snapshot[snapshot];
    for (uint32_t i = last->first_delta + last->delta_count; i > 0; i--) {
        const mc_delta *delta = &history->delta[i - 1];
        if (delta->database == database && delta->page == page) {
            return delta->after;
        }
    }
    bool in_base = page <= history->snapshot[0].page_count[database];
    return in_base ? history->base_hash[database][page - 1] : MC_ANY;
}
