/* kvvfs.c: SQLite's calls turned into key-value requests, as the v1 VFS turned them.
 *
 * A file here is a size and 4096-byte chunks (core/v1.h); there are no other files than main.db and
 * its three sidecars, no locks (an actor is the only one that opens its database) and no shared
 * memory. Whatever changes the store is one request (kvrequest.h), and a call goes on only when its
 * request has been recorded and applied.
 *
 * The three builds differ in two places. With batch-atomic support (device_characteristics) SQLite
 * brackets the writes of a commit with BEGIN and COMMIT_ATOMIC_WRITE; the writes are held back in
 * the file's batch and leave as one request, or, when they need more than 128 keys, not at all: the
 * commit fails, and SQLite itself falls back to a rollback journal (pager.c
 * sqlite3PagerCommitPhaseOne). And chunks are deleted by one range request, or by their keys, 128
 * at a time (kvrequest.h).
 *
 * What this leaves out: the real VFS stored the bytes of a write inside a batch as the whole chunk,
 * which is right only for writes of whole chunks. A v1 actor's pages are 4096 bytes, so it saw no
 * others; here a smaller write is merged into its chunk. And a request here cannot fail but for
 * want of memory. */
#include "crashsim/kvvfs.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "core/v1.h"
#include "crashsim/kvrequest.h"
#include "crashsim/seeded.h"

enum { PATH_BYTES = 512, DAY_MS = 86400000, HELD_FIRST = 128 };

struct mc_kvvfs {
    sqlite3_vfs base; /* first: SQLite hands out pointers to it */
    char name[32];
    mc_kv_build build;
    mc_seeded seeded;
    mc_kvrequest request;
};

/* A chunk that an atomic batch holds back. */
typedef struct held_chunk {
    uint32_t index;
    uint32_t size;
    uint8_t *data; /* room for a whole chunk */
} held_chunk;

typedef struct kv_file {
    sqlite3_file base; /* first */
    mc_kvvfs *vfs;
    mc_v1_tag tag;
    bool metadata_dirty; /* the store's metadata does not say `size` */
    bool in_batch;
    uint64_t size;
    uint64_t size_before_batch;
    held_chunk *held; /* ascending by index */
    size_t held_count;
    size_t held_capacity;
} kv_file;

static bool put_metadata(kv_file *file)
{
    mc_kvrequest_begin(&file->vfs->request);
    mc_kvrequest_put_metadata(&file->vfs->request, file->tag, file->size);
    if (!mc_kvrequest_send(&file->vfs->request, MC_OP_KV_PUT)) {
        return false;
    }
    file->metadata_dirty = false;
    return true;
}

static const mc_kv_entry *get_metadata(mc_kvvfs *vfs, mc_v1_tag tag)
{
    uint8_t key[MC_V1_METADATA_KEY_BYTES];
    mc_v1_metadata_key(key, tag);
    vfs->request.answered++;
    return mc_kvstore_get(vfs->request.store, key, sizeof key);
}

static uint64_t chunks_of(uint64_t size)
{
    return (size + MC_V1_CHUNK_BYTES - 1) / MC_V1_CHUNK_BYTES;
}

/* The position in the batch of chunk `index`, or where it belongs. */
static size_t find_held(const kv_file *file, uint32_t index)
{
    size_t low = 0;
    size_t high = file->held_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (file->held[middle].index < index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_held(const kv_file *file, size_t at, uint32_t index)
{
    return at < file->held_count && file->held[at].index == index;
}

/* The bytes of one chunk as they are now, held back or stored; size 0 when there are none. */
static uint32_t chunk_now(const kv_file *file, uint32_t index, const uint8_t **data)
{
    size_t at = find_held(file, index);
    if (is_held(file, at, index)) {
        *data = file->held[at].data;
        return file->held[at].size;
    }
    uint8_t key[MC_V1_CHUNK_KEY_BYTES];
    mc_v1_chunk_key(key, file->tag, index);
    const mc_kv_entry *entry = mc_kvstore_get(file->vfs->request.store, key, sizeof key);
    if (entry == NULL) {
        *data = NULL;
        return 0;
    }
    *data = entry->value;
    return entry->value_size < MC_V1_CHUNK_BYTES ? entry->value_size : MC_V1_CHUNK_BYTES;
}

static bool hold(kv_file *file, uint32_t index, const uint8_t *data, uint32_t size)
{
    size_t at = find_held(file, index);
    if (!is_held(file, at, index)) {
        if (file->held_count == file->held_capacity) {
            size_t capacity = file->held_capacity == 0 ? HELD_FIRST : file->held_capacity * 2;
            held_chunk *moved = realloc(file->held, capacity * sizeof *moved);
            if (moved == NULL) {
                return false;
            }
            file->held = moved;
            file->held_capacity = capacity;
        }
        uint8_t *room = malloc(MC_V1_CHUNK_BYTES);
        if (room == NULL) {
            return false;
        }
        memmove(file->held + at + 1, file->held + at, (file->held_count - at) * sizeof *file->held);
        file->held_count++;
        file->held[at] = (held_chunk){.index = index, .data = room};
    }
    memcpy(file->held[at].data, data, size);
    file->held[at].size = size;
    return true;
}

static void drop_held(kv_file *file)
{
    for (size_t i = 0; i < file->held_count; i++) {
        free(file->held[i].data);
    }
    file->held_count = 0;
}

static int kv_close(sqlite3_file *base)
{
    kv_file *file = (kv_file *)base;
    bool ok = !file->metadata_dirty || put_metadata(file);
    drop_held(file);
    free(file->held);
    return ok ? SQLITE_OK : SQLITE_IOERR;
}

static int kv_read(sqlite3_file *base, void *buffer, int amount, sqlite3_int64 offset)
{
    kv_file *file = (kv_file *)base;
    assert(amount >= 0);
    memset(buffer, 0, (size_t)amount);
    if (offset < 0) {
        return SQLITE_IOERR_READ;
    }
    uint64_t start = (uint64_t)offset;
    if (start >= file->size) {
        return SQLITE_IOERR_SHORT_READ;
    }
    uint64_t end = start + (uint64_t)amount;
    uint64_t readable_end = end < file->size ? end : file->size;
    file->vfs->request.answered++; /* one request gets all chunks; none is needed of those held
                              back, but a commit reads nothing of what it has just written */
    for (uint64_t at = start; at < readable_end;) {
        uint32_t index = (uint32_t)(at / MC_V1_CHUNK_BYTES);
        uint32_t from = (uint32_t)(at % MC_V1_CHUNK_BYTES);
        uint64_t next = at - from + MC_V1_CHUNK_BYTES;
        uint64_t stop = next < readable_end ? next : readable_end;
        const uint8_t *chunk;
        uint64_t chunk_end = at - from + chunk_now(file, index, &chunk);
        uint64_t copy_end = chunk_end < stop ? chunk_end : stop;
        if (copy_end > at) {
            memcpy((uint8_t *)buffer + (at - start), chunk + from, (size_t)(copy_end - at));
        }
        at = stop;
    }
    return readable_end < end ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
}

/* Chunk `index` after bytes [from, to) of it became `data`; returns its new size. As the VFS does,
 * it is read back only when the file, by its size, has bytes there that the write leaves alone;
 * then the whole stored chunk stays, also what it has past the file's size. */
static uint32_t merge(const kv_file *file, uint32_t index, uint32_t from, uint32_t to,
                      const uint8_t *data, uint8_t merged[MC_V1_CHUNK_BYTES], bool *read_back)
{
    uint64_t start = (uint64_t)index * MC_V1_CHUNK_BYTES;
    uint64_t existing = file->size > start ? file->size - start : 0;
    existing = existing < MC_V1_CHUNK_BYTES ? existing : MC_V1_CHUNK_BYTES;
    memset(merged, 0, MC_V1_CHUNK_BYTES);
    uint32_t size = 0;
    if (from > 0 || existing > to) {
        const uint8_t *old;
        size = chunk_now(file, index, &old);
        if (size > 0) {
            memcpy(merged, old, size);
        }
        *read_back = true;
    }
    memcpy(merged + from, data, to - from);
    return size > to ? size : to;
}

static int kv_write(sqlite3_file *base, const void *data, int amount, sqlite3_int64 offset)
{
    kv_file *file = (kv_file *)base;
    assert(amount >= 0);
    if (offset < 0 || (uint64_t)offset + (uint64_t)amount > MC_V1_FILE_BYTES_MAX) {
        return SQLITE_IOERR_WRITE;
    }
    uint64_t start = (uint64_t)offset;
    uint64_t end = start + (uint64_t)amount;
    bool ok = true;
    bool read_back = false;
    mc_kvrequest_begin(&file->vfs->request);
    for (uint64_t at = start; at < end && ok;) {
        uint32_t index = (uint32_t)(at / MC_V1_CHUNK_BYTES);
        uint32_t from = (uint32_t)(at % MC_V1_CHUNK_BYTES);
        uint64_t left = end - at;
        uint32_t to = left < MC_V1_CHUNK_BYTES - from ? from + (uint32_t)left : MC_V1_CHUNK_BYTES;
        uint8_t merged[MC_V1_CHUNK_BYTES];
        uint32_t size =
            merge(file, index, from, to, (const uint8_t *)data + (at - start), merged, &read_back);
        if (file->in_batch) {
            ok = hold(file, index, merged, size);
        } else {
            mc_kvrequest_put_chunk(&file->vfs->request, file->tag, index, merged, size);
        }
        at += to - from;
    }
    uint64_t size_before = file->size;
    bool dirty_before = file->metadata_dirty;
    if (end > file->size) {
        file->size = end;
        file->metadata_dirty = true;
    }
    if (file->in_batch) {
        return ok ? SQLITE_OK : SQLITE_IOERR_NOMEM;
    }
    file->vfs->request.answered += read_back;
    if (file->metadata_dirty) {
        mc_kvrequest_put_metadata(&file->vfs->request, file->tag, file->size);
    }
    if (!mc_kvrequest_send(&file->vfs->request, MC_OP_KV_PUT)) {
        file->size = size_before;
        file->metadata_dirty = dirty_before;
        return SQLITE_IOERR_WRITE;
    }
    file->metadata_dirty = false;
    return SQLITE_OK;
}

/* The chunk in which the file now ends loses what it has past the end. */
static bool shorten_last_chunk(kv_file *file)
{
    uint32_t kept = (uint32_t)(file->size % MC_V1_CHUNK_BYTES);
    if (kept == 0) {
        return true;
    }
    uint32_t index = (uint32_t)(file->size / MC_V1_CHUNK_BYTES);
    const uint8_t *data;
    file->vfs->request.answered++;
    if (chunk_now(file, index, &data) <= kept) {
        return true;
    }
    mc_kvrequest_begin(&file->vfs->request);
    mc_kvrequest_put_chunk(&file->vfs->request, file->tag, index, data, kept);
    return mc_kvrequest_send(&file->vfs->request, MC_OP_KV_PUT);
}

static int kv_truncate(sqlite3_file *base, sqlite3_int64 new_size)
{
    kv_file *file = (kv_file *)base;
    if (new_size < 0 || (uint64_t)new_size > MC_V1_FILE_BYTES_MAX) {
        return SQLITE_IOERR_TRUNCATE;
    }
    uint64_t size = (uint64_t)new_size;
    uint64_t size_before = file->size;
    if (size == size_before) {
        return SQLITE_OK;
    }
    file->size = size;
    file->metadata_dirty = true;
    if (!put_metadata(file)) {
        file->size = size_before;
        return SQLITE_IOERR_TRUNCATE;
    }
    if (size > size_before) {
        return SQLITE_OK;
    }
    bool ok = shorten_last_chunk(file);
    uint64_t first = chunks_of(size);
    uint64_t end = chunks_of(size_before);
    if (ok && first < end) {
        ok = file->vfs->build == MC_KV_BATCH_128
                 ? mc_kvrequest_delete_keys(&file->vfs->request, file->tag, false, first, end)
                 : mc_kvrequest_delete_range(&file->vfs->request, file->tag, (uint32_t)first);
    }
    return ok ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
}

static int kv_sync(sqlite3_file *base, int flags)
{
    (void)flags;
    kv_file *file = (kv_file *)base;
    return !file->metadata_dirty || put_metadata(file) ? SQLITE_OK : SQLITE_IOERR_FSYNC;
}

static int kv_file_size(sqlite3_file *base, sqlite3_int64 *size)
{
    *size = (sqlite3_int64)((const kv_file *)base)->size;
    return SQLITE_OK;
}

static int kv_lock(sqlite3_file *base, int level)
{
    (void)base;
    (void)level;
    return SQLITE_OK;
}

static int kv_check_reserved_lock(sqlite3_file *base, int *out)
{
    (void)base;
    *out = 0;
    return SQLITE_OK;
}

static void end_batch(kv_file *file, bool committed)
{
    if (!committed) {
        file->size = file->size_before_batch;
    }
    file->metadata_dirty = false;
    file->in_batch = false;
    drop_held(file);
}

static int commit_batch(kv_file *file)
{
    bool ok = file->held_count + (file->metadata_dirty ? 1 : 0) <= MC_KV_REQUEST_KEYS_MAX;
    if (ok && (file->held_count > 0 || file->metadata_dirty)) {
        mc_kvrequest_begin(&file->vfs->request);
        for (size_t i = 0; i < file->held_count; i++) {
            const held_chunk *chunk = &file->held[i];
            mc_kvrequest_put_chunk(&file->vfs->request, file->tag, chunk->index, chunk->data,
                                   chunk->size);
        }
        if (file->metadata_dirty) {
            mc_kvrequest_put_metadata(&file->vfs->request, file->tag, file->size);
        }
        ok = mc_kvrequest_send(&file->vfs->request, MC_OP_KV_PUT);
    }
    end_batch(file, ok);
    return ok ? SQLITE_OK : SQLITE_IOERR;
}

static int kv_file_control(sqlite3_file *base, int op, void *argument)
{
    (void)argument;
    kv_file *file = (kv_file *)base;
    switch (op) {
    case SQLITE_FCNTL_BEGIN_ATOMIC_WRITE:
        file->size_before_batch = file->size;
        file->metadata_dirty = false;
        file->in_batch = true;
        assert(file->held_count == 0);
        return SQLITE_OK;
    case SQLITE_FCNTL_COMMIT_ATOMIC_WRITE:
        return commit_batch(file);
    case SQLITE_FCNTL_ROLLBACK_ATOMIC_WRITE:
        if (file->in_batch) {
            end_batch(file, false);
        }
        return SQLITE_OK;
    default:
        return SQLITE_NOTFOUND;
    }
}

static int kv_sector_size(sqlite3_file *base)
{
    (void)base;
    return MC_V1_CHUNK_BYTES;
}

static int kv_device_characteristics(sqlite3_file *base)
{
    return ((const kv_file *)base)->vfs->build == MC_KV_JOURNAL ? 0 : SQLITE_IOCAP_BATCH_ATOMIC;
}

static const sqlite3_io_methods FILE_METHODS = {
    .iVersion = 1,
    .xClose = kv_close,
    .xRead = kv_read,
    .xWrite = kv_write,
    .xTruncate = kv_truncate,
    .xSync = kv_sync,
    .xFileSize = kv_file_size,
    .xLock = kv_lock,
    .xUnlock = kv_lock,
    .xCheckReservedLock = kv_check_reserved_lock,
    .xFileControl = kv_file_control,
    .xSectorSize = kv_sector_size,
    .xDeviceCharacteristics = kv_device_characteristics,
};

/* False for a name that is not one of the four. */
static bool find_tag(const char *name, mc_v1_tag *tag)
{
    static const char *const names[MC_V1_TAGS] = {"main.db", "main.db-journal", "main.db-wal",
                                                  "main.db-shm"};
    for (int i = 0; name != NULL && i < MC_V1_TAGS; i++) {
        if (strcmp(name, names[i]) == 0) {
            *tag = (mc_v1_tag)i;
            return true;
        }
    }
    return false;
}

/* The page that the VFS gives a new database: empty, UTF-8, as SQLite 3.50.1 wrote it (source: npm
 * @rivetkit/sqlite-vfs, empty-db-page.ts; fields: fileformat2 1.3). */
static void make_empty_page(uint8_t page[MC_V1_CHUNK_BYTES])
{
    memset(page, 0, MC_V1_CHUNK_BYTES);
    memcpy(page, "SQLite format 3", 16);
    mc_bytes_put_be16(page + 16, MC_V1_CHUNK_BYTES); /* page size */
    page[18] = 1;                                    /* rollback journal, to write */
    page[19] = 1;                                    /* and to read */
    page[21] = 64;                                   /* payload fractions */
    page[22] = 32;
    page[23] = 32;
    mc_bytes_put_be32(page + 24, 3);                  /* change counter */
    mc_bytes_put_be32(page + 28, 1);                  /* size in pages */
    mc_bytes_put_be32(page + 40, 3);                  /* schema cookie */
    mc_bytes_put_be32(page + 56, 1);                  /* UTF-8 */
    mc_bytes_put_be32(page + 92, 3);                  /* version-valid-for */
    mc_bytes_put_be32(page + 96, 3050001);            /* library version */
    page[100] = 0x0d;                                 /* an empty leaf of a table */
    mc_bytes_put_be16(page + 105, MC_V1_CHUNK_BYTES); /* its cells begin at the page's end */
}

static bool create_file(mc_kvvfs *vfs, mc_v1_tag tag, uint64_t *size)
{
    mc_kvrequest_begin(&vfs->request);
    *size = 0;
    if (tag == MC_V1_MAIN) {
        uint8_t page[MC_V1_CHUNK_BYTES];
        make_empty_page(page);
        mc_kvrequest_put_chunk(&vfs->request, tag, 0, page, sizeof page);
        *size = sizeof page;
    }
    mc_kvrequest_put_metadata(&vfs->request, tag, *size);
    return mc_kvrequest_send(&vfs->request, MC_OP_KV_PUT);
}

static bool size_of(const mc_kv_entry *metadata, mc_v1_tag tag, uint64_t *size)
{
    mc_error error;
    mc_pair pair = {.value = metadata->value, .value_size = metadata->value_size};
    return mc_v1_file_size(&(mc_v1_file){.metadata = &pair}, tag, size, &error) == MC_OK;
}

static int kv_open(sqlite3_vfs *base, const char *name, sqlite3_file *handle, int flags,
                   int *out_flags)
{
    mc_kvvfs *vfs = (mc_kvvfs *)base;
    kv_file *file = (kv_file *)handle;
    *file = (kv_file){0}; /* no methods: SQLite does not close a file that did not open */
    mc_v1_tag tag;
    if (!find_tag(name, &tag)) {
        return SQLITE_CANTOPEN;
    }
    uint64_t size;
    const mc_kv_entry *metadata = get_metadata(vfs, tag);
    if (metadata != NULL) {
        if (!size_of(metadata, tag, &size)) {
            return SQLITE_IOERR;
        }
    } else if ((flags & SQLITE_OPEN_CREATE) == 0 || !create_file(vfs, tag, &size)) {
        return SQLITE_CANTOPEN;
    }
    file->base.pMethods = &FILE_METHODS;
    file->vfs = vfs;
    file->tag = tag;
    file->size = size;
    if (out_flags != NULL) {
        *out_flags = flags;
    }
    return SQLITE_OK;
}

static int kv_delete(sqlite3_vfs *base, const char *name, int sync_directory)
{
    (void)sync_directory;
    mc_kvvfs *vfs = (mc_kvvfs *)base;
    mc_v1_tag tag;
    if (!find_tag(name, &tag)) {
        return SQLITE_IOERR_DELETE;
    }
    if (vfs->build != MC_KV_BATCH_128) {
        mc_kvrequest_begin(&vfs->request);
        mc_kvrequest_metadata_key(&vfs->request, tag);
        bool ok = mc_kvrequest_send(&vfs->request, MC_OP_KV_DELETE) &&
                  mc_kvrequest_delete_range(&vfs->request, tag, 0);
        return ok ? SQLITE_OK : SQLITE_IOERR_DELETE;
    }
    const mc_kv_entry *metadata = get_metadata(vfs, tag);
    if (metadata == NULL) {
        return SQLITE_OK;
    }
    uint64_t size;
    if (!size_of(metadata, tag, &size)) {
        return SQLITE_IOERR_DELETE;
    }
    return mc_kvrequest_delete_keys(&vfs->request, tag, true, 0, chunks_of(size))
               ? SQLITE_OK
               : SQLITE_IOERR_DELETE;
}

static int kv_access(sqlite3_vfs *base, const char *name, int flags, int *out)
{
    (void)flags;
    mc_v1_tag tag;
    *out = find_tag(name, &tag) && get_metadata((mc_kvvfs *)base, tag) != NULL;
    return SQLITE_OK;
}

static int kv_full_pathname(sqlite3_vfs *base, const char *name, int out_size, char *out)
{
    (void)base;
    int size = snprintf(out, (size_t)out_size, "%s", name);
    return size >= 0 && size < out_size ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int kv_randomness(sqlite3_vfs *base, int size, char *out)
{
    mc_seeded_bytes(&((mc_kvvfs *)base)->seeded, out, (size_t)size);
    return size;
}

static int kv_sleep(sqlite3_vfs *base, int microseconds)
{
    mc_seeded_sleep(&((mc_kvvfs *)base)->seeded, microseconds);
    return microseconds;
}

static int kv_current_time(sqlite3_vfs *base, double *out)
{
    *out = (double)((const mc_kvvfs *)base)->seeded.time_ms / DAY_MS;
    return SQLITE_OK;
}

mc_kvvfs *mc_kvvfs_open(const mc_kvvfs_options *options)
{
    static atomic_uint opened;
    assert(options->store != NULL);
    assert(options->trace != NULL || options->arena != NULL);
    assert(options->build < MC_KV_BUILDS);
    mc_kvvfs *vfs = calloc(1, sizeof *vfs);
    if (vfs == NULL) {
        return NULL;
    }
    vfs->build = options->build;
    vfs->request = (mc_kvrequest){.store = options->store,
                                  .arena = options->arena,
                                  .trace = options->trace,
                                  .statement = options->statement};
    vfs->seeded = mc_seeded_init(options->seed);
    (void)snprintf(vfs->name, sizeof vfs->name, "midcommit-kv-%u", atomic_fetch_add(&opened, 1));
    vfs->base = (sqlite3_vfs){.iVersion = 1,
                              .szOsFile = sizeof(kv_file),
                              .mxPathname = PATH_BYTES,
                              .zName = vfs->name,
                              .xOpen = kv_open,
                              .xDelete = kv_delete,
                              .xAccess = kv_access,
                              .xFullPathname = kv_full_pathname,
                              .xRandomness = kv_randomness,
                              .xSleep = kv_sleep,
                              .xCurrentTime = kv_current_time};
    if (sqlite3_vfs_register(&vfs->base, 1) != SQLITE_OK) {
        free(vfs);
        return NULL;
    }
    sqlite3_randomness(0, NULL); /* SQLite's own generator is seeded anew from this VFS */
    return vfs;
}

const char *mc_kvvfs_name(const mc_kvvfs *vfs)
{
    return vfs->name;
}

uint64_t mc_kvvfs_requests(const mc_kvvfs *vfs)
{
    return vfs->request.answered;
}

bool mc_kvvfs_batch_supported(void)
{
    return sqlite3_compileoption_used("ENABLE_BATCH_ATOMIC_WRITE") != 0;
}

void mc_kvvfs_close(mc_kvvfs *vfs)
{
    sqlite3_vfs_unregister(&vfs->base);
    mc_kvrequest_free(&vfs->request);
    free(vfs);
}
