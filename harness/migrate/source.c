#include "harness/migrate/source.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "crashsim/dump.h"
#include "harness/migrate/lmdbenv.h"

/* SQLite's locks on unix: bytes of main (os.h) and of the shm file (os_unix.c, wal.c). */
enum {
    LOCK_PENDING = 0x40000000,
    LOCK_RESERVED,
    LOCK_SHARED_FIRST,
    LOCK_SHARED_SIZE = 510,
    SHM_WRITE = 120,
    SHM_WRITERS = 3 /* write, checkpoint, recover */
};

enum { REQUEST_KEYS = 128 };

static const uint8_t first_v1_key[3] = {0x08, 0x01, 0x00};
static const uint8_t after_v1_keys[3] = {0x08, 0x01, 0x02};

/* ---- files ---- */

/* False when another process holds a lock that excludes a reader there. A file system without
 * locks excludes nobody. */
static bool is_free(int fd, off_t start, off_t length)
{
    struct flock lock = {
        .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    return fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type == F_UNLCK;
}

static mc_status lock_as_reader(const mc_source *source, mc_error *error)
{
    int main = source->file[0].fd;
    int shm = source->file[MC_V1_SHM].fd;
    struct flock shared = {.l_type = F_RDLCK,
                           .l_whence = SEEK_SET,
                           .l_start = LOCK_SHARED_FIRST,
                           .l_len = LOCK_SHARED_SIZE};
    bool refused = fcntl(main, F_OFD_SETLK, &shared) != 0 && (errno == EAGAIN || errno == EACCES);
    if (refused || !is_free(main, LOCK_PENDING, 2) ||
        (shm >= 0 && !is_free(shm, SHM_WRITE, SHM_WRITERS))) {
        return mc_fail(error, MC_IO, "in-use", "%s: another process is writing to this database",
                       source->path);
    }
    return MC_OK;
}

/* The super-journal that a journal names. To be there is all that SQLite asks of it (os_unix.c
 * unixAccess), so its bytes are not read. */
static bool find_other(void *context, const uint8_t *name, size_t name_size, mc_file *out)
{
    static const uint8_t any_byte = 0;
    const mc_source *source = context;
    char path[PATH_MAX];
    if (name_size >= sizeof path) {
        return false;
    }
    memcpy(path, name, name_size);
    path[name_size] = '\0';
    struct stat info;
    if (stat(path, &info) != 0) {
        return false;
    }
    for (int i = 0; i < 1 + MC_SOURCE_SIDECARS; i++) {
        const mc_infile *own = &source->file[i];
        if (own->fd >= 0 && own->opened.st_dev == info.st_dev &&
            own->opened.st_ino == info.st_ino) {
            *out = own->file;
            return true;
        }
    }
    bool empty = S_ISREG(info.st_mode) && info.st_size == 0;
    *out = (mc_file){.exists = true, .data = empty ? NULL : &any_byte, .size = empty ? 0 : 1};
    return true;
}

static mc_status name_files(mc_source *source, const char *name[1 + MC_SOURCE_SIDECARS],
                            mc_error *error)
{
    static const char *const suffix[1 + MC_SOURCE_SIDECARS] = {"", "-journal", "-wal", "-shm"};
    char main[PATH_MAX];
    if (realpath(source->path, main) == NULL) {
        if (errno != ENOENT || strlen(source->path) >= sizeof main) {
            return mc_fail(error, MC_IO, "io", "%s: %s", source->path, strerror(errno));
        }
        (void)snprintf(main, sizeof main, "%s", source->path); /* its sidecars may still be there */
    }
    for (int i = 0; i < 1 + MC_SOURCE_SIDECARS; i++) {
        size_t size = strlen(main) + strlen(suffix[i]) + 1;
        char *path = mc_arena_alloc(&source->arena, size);
        if (path == NULL) {
            return mc_fail(error, MC_NO_MEMORY, "no-memory", "%s: no memory", source->path);
        }
        (void)snprintf(path, size, "%s%s", main, suffix[i]);
        name[i] = path;
    }
    return MC_OK;
}

static mc_status read_files(mc_source *source, uint64_t limit_bytes, mc_error *error)
{
    const char *name[1 + MC_SOURCE_SIDECARS];
    mc_status status = name_files(source, name, error);
    bool any = false;
    for (int i = 0; status == MC_OK && i < 1 + MC_SOURCE_SIDECARS; i++) {
        status = mc_infile_open(&source->file[i], name[i], limit_bytes, error);
        any = any || source->file[i].fd >= 0;
    }
    if (status == MC_OK && !any) {
        status = mc_fail(error, MC_IO, "io", "%s: %s", source->path, strerror(ENOENT));
    }
    if (status == MC_OK && source->file[0].fd >= 0) {
        status = lock_as_reader(source, error);
    }
    for (int i = 0; status == MC_OK && i < MC_V1_SHM; i++) {
        status = source->file[i].fd < 0 ? MC_OK
                                        : mc_infile_read(&source->file[i], &source->arena, error);
    }
    for (int i = 0; status == MC_OK && i < 1 + MC_SOURCE_SIDECARS; i++) {
        status = mc_infile_unchanged(&source->file[i], error);
    }
    source->files = (mc_files){
        .main = source->file[MC_V1_MAIN].file,
        .journal = source->file[MC_V1_JOURNAL].file,
        .wal = source->file[MC_V1_WAL].file,
        .shm = {.exists = source->file[MC_V1_SHM].fd >= 0},
        .other = find_other,
        .context = source,
    };
    return status;
}

/* ---- stores ---- */

static int compare_keys(mc_bytes a, mc_bytes b)
{
    uint64_t shared = a.size < b.size ? a.size : b.size;
    int order = shared == 0 ? 0 : memcmp(a.data, b.data, (size_t)shared);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* Copies one pair into the arena; its key must follow `previous` (null: it is the first). */
static mc_status keep_pair(const mc_pair *from, const mc_pair *previous, const char *name,
                           mc_arena *arena, mc_pair *to, mc_error *error)
{
    mc_bytes key = {from->key, from->key_size};
    if (previous != NULL && compare_keys((mc_bytes){previous->key, previous->key_size}, key) >= 0) {
        return mc_fail(error, MC_MALFORMED, "key-order",
                       "%s: expected keys in ascending order, each once", name);
    }
    uint8_t *bytes = mc_arena_alloc(arena, (size_t)from->key_size + from->value_size);
    if (bytes == NULL) {
        return mc_fail(error, MC_MALFORMED, "too-large",
                       "%s: expected at most %zu bytes of v1 pairs, found more", name,
                       arena->limit_bytes);
    }
    memcpy(bytes, from->key, from->key_size);
    if (from->value_size > 0) {
        memcpy(bytes + from->key_size, from->value, from->value_size);
    }
    *to = *from;
    to->key = bytes;
    to->value = bytes + from->key_size;
    return MC_OK;
}

static mc_status make_room(mc_pair **all, size_t *capacity, size_t count, const char *name,
                           mc_error *error)
{
    if (*capacity - count >= REQUEST_KEYS) {
        return MC_OK;
    }
    size_t wanted = (*capacity + REQUEST_KEYS) * 2;
    mc_pair *moved = realloc(*all, wanted * sizeof **all);
    if (moved == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "%s: no memory for %zu keys", name,
                       wanted);
    }
    *all = moved;
    *capacity = wanted;
    return MC_OK;
}

mc_status mc_source_read_v1(mc_source_list *list, void *context, const char *name, mc_arena *arena,
                            mc_store *out, uint64_t *requests, mc_error *error)
{
    mc_pair *all = NULL;
    size_t capacity = 0;
    size_t count = 0;
    uint32_t got = REQUEST_KEYS;
    mc_status status = MC_OK;
    *requests = 0;
    while (status == MC_OK && got == REQUEST_KEYS) {
        mc_pair page[REQUEST_KEYS];
        mc_bytes after = {NULL, 0};
        if (count > 0) {
            after = (mc_bytes){all[count - 1].key, all[count - 1].key_size};
        }
        *requests += 1;
        status = list(context, after, REQUEST_KEYS, page, &got, error);
        status = status == MC_OK ? make_room(&all, &capacity, count, name, error) : status;
        for (uint32_t i = 0; status == MC_OK && i < got; i++, count++) {
            status = keep_pair(&page[i], count == 0 ? NULL : &all[count - 1], name, arena,
                               &all[count], error);
        }
    }
    mc_pair *kept = status == MC_OK ? mc_arena_calloc(arena, count, sizeof *kept) : NULL;
    if (status == MC_OK && kept == NULL) {
        status =
            mc_fail(error, MC_NO_MEMORY, "no-memory", "%s: no memory for %zu keys", name, count);
    }
    if (status == MC_OK && count > 0) {
        memcpy(kept, all, count * sizeof *kept);
        *out = (mc_store){kept, count};
    }
    free(all);
    return status;
}

/* The part of a sorted store that one request asks for. */
static mc_status list_store(void *context, mc_bytes after, uint32_t limit, mc_pair *pair,
                            uint32_t *count, mc_error *error)
{
    (void)error;
    const mc_store *store = context;
    mc_bytes first = {first_v1_key, sizeof first_v1_key};
    mc_bytes end = {after_v1_keys, sizeof after_v1_keys};
    *count = 0;
    size_t low = 0;
    for (size_t high = store->count; low < high;) {
        size_t middle = low + (high - low) / 2;
        mc_bytes key = {store->pair[middle].key, store->pair[middle].key_size};
        bool before = after.size > 0 ? compare_keys(key, after) <= 0 : compare_keys(key, first) < 0;
        low = before ? middle + 1 : low;
        high = before ? high : middle;
    }
    for (size_t i = low; i < store->count && *count < limit; i++) {
        mc_bytes key = {store->pair[i].key, store->pair[i].key_size};
        if (compare_keys(key, end) >= 0) {
            break;
        }
        pair[(*count)++] = store->pair[i];
    }
    return MC_OK;
}

static mc_status read_dump(mc_source *source, uint64_t limit_bytes, mc_error *error)
{
    mc_arena arena = {.limit_bytes = (size_t)limit_bytes * 2};
    mc_kvstore dump = {0};
    mc_infile *in = &source->file[0];
    mc_status status = mc_infile_open(in, source->path, limit_bytes, error);
    if (status == MC_OK && in->fd < 0) {
        status = mc_fail(error, MC_IO, "io", "%s: %s", source->path, strerror(ENOENT));
    }
    status = status == MC_OK ? mc_infile_read(in, &arena, error) : status;
    status = status == MC_OK ? mc_infile_unchanged(in, error) : status;
    if (status == MC_OK) {
        status = mc_dump_parse(source->path, in->file.size == 0 ? "" : (const char *)in->file.data,
                               (size_t)in->file.size, &arena, &dump, error);
    }
    mc_pair *pair = status == MC_OK ? mc_arena_calloc(&arena, dump.count, sizeof *pair) : NULL;
    if (status == MC_OK && pair == NULL) {
        status = mc_fail(error, MC_NO_MEMORY, "no-memory", "%s: no memory for %zu keys",
                         source->path, dump.count);
    }
    if (status == MC_OK) {
        mc_store store;
        mc_kvstore_view(&dump, pair, &store);
        status = mc_source_read_v1(list_store, &store, source->path, &source->arena, &source->store,
                                   &source->kv_requests, error);
    }
    mc_kvstore_free(&dump);
    mc_arena_free(&arena);
    return status;
}

/* ---- LMDB ---- */

typedef struct lmdb_list {
    mc_lmdb lmdb;
    mc_bytes after;
    uint32_t limit;
    mc_pair *pair;
    uint32_t count;
} lmdb_list;

/* Values of 4 GiB and more are no v1 values; the reader's limit would refuse them, too. */
static mc_status to_pair(const char *dir, mc_bytes key, mc_bytes value, mc_pair *out,
                         mc_error *error)
{
    if (value.size > UINT32_MAX) {
        return mc_fail(error, MC_MALFORMED, "too-large", "%s: a value of %llu bytes", dir,
                       (unsigned long long)value.size);
    }
    *out = (mc_pair){key.data, value.data, (uint32_t)key.size, (uint32_t)value.size};
    return MC_OK;
}

static bool is_behind_v1(mc_bytes key)
{
    return compare_keys(key, (mc_bytes){after_v1_keys, sizeof after_v1_keys}) >= 0;
}

static mc_status list_visit(void *context, mc_bytes key, mc_bytes value, bool *more, bool *remove,
                            mc_error *error)
{
    (void)remove;
    lmdb_list *list = context;
    if (is_behind_v1(key)) {
        *more = false;
        return MC_OK;
    }
    if (compare_keys(key, list->after) == 0) {
        return MC_OK; /* LMDB seeks to a key, not behind one */
    }
    mc_status status = to_pair(list->lmdb.dir, key, value, &list->pair[list->count], error);
    list->count++;
    *more = list->count < list->limit;
    return status;
}

static mc_status list_lmdb(void *context, mc_bytes after, uint32_t limit, mc_pair *pair,
                           uint32_t *count, mc_error *error)
{
    lmdb_list *list = context;
    list->after = after;
    list->limit = limit;
    list->pair = pair;
    list->count = 0;
    mc_bytes first = after.size > 0 ? after : (mc_bytes){first_v1_key, sizeof first_v1_key};
    mc_status status = mc_lmdb_walk(&list->lmdb, first, list_visit, list, error);
    *count = list->count;
    return status;
}

static mc_status read_lmdb(void *context, mc_error *error)
{
    mc_source *source = context;
    lmdb_list list;
    mc_status status = mc_lmdb_open(&list.lmdb, source->path, false, 0, error);
    if (status == MC_OK) {
        status = mc_source_read_v1(list_lmdb, &list, source->path, &source->arena, &source->store,
                                   &source->kv_requests, error);
        mc_lmdb_close(&list.lmdb);
    }
    return status;
}

typedef struct sweep {
    const mc_source *source;
    mc_v1 v1;
    size_t at; /* of the next pair that was read */
    size_t keys;
    uint64_t bytes;
} sweep;

static mc_status sweep_changed(const sweep *s, mc_error *error)
{
    return mc_fail(error, MC_IO, "changed",
                   "%s: its v1 pairs changed since they were read; swept nothing", s->source->path);
}

static mc_status sweep_visit(void *context, mc_bytes key, mc_bytes value, bool *more, bool *remove,
                             mc_error *error)
{
    sweep *s = context;
    if (is_behind_v1(key)) {
        *more = false;
        return MC_OK;
    }
    const mc_store *store = &s->source->store;
    if (s->at == store->count) {
        return sweep_changed(s, error);
    }
    const mc_pair *read = &store->pair[s->at++];
    if (compare_keys(key, (mc_bytes){read->key, read->key_size}) != 0 ||
        value.size != read->value_size ||
        (value.size > 0 && memcmp(value.data, read->value, (size_t)value.size) != 0)) {
        return sweep_changed(s, error);
    }
    *remove = mc_v1_is_orphan(&s->v1, read);
    if (*remove) {
        s->keys++;
        s->bytes += key.size + value.size;
    }
    return MC_OK;
}

static mc_status sweep_lmdb(void *context, mc_error *error)
{
    sweep *s = context;
    mc_lmdb lmdb;
    mc_status status = mc_lmdb_open(&lmdb, s->source->path, true, 0, error);
    if (status != MC_OK) {
        return status;
    }
    mc_bytes first = {first_v1_key, sizeof first_v1_key};
    status = mc_lmdb_walk(&lmdb, first, sweep_visit, s, error);
    if (status == MC_OK && s->at != s->source->store.count) {
        status = sweep_changed(s, error);
    }
    status = status == MC_OK ? mc_lmdb_commit(&lmdb, error) : status;
    mc_lmdb_close(&lmdb);
    return status;
}

mc_status mc_source_sweep(const mc_source *source, size_t *keys, uint64_t *bytes, mc_error *error)
{
    assert(source->kind == MC_SOURCE_LMDB);
    sweep s = {.source = source};
    mc_v1_parse(&source->store, &s.v1);
    mc_status status = mc_lmdb_guard(source->path, sweep_lmdb, &s, error);
    if (status == MC_OK) {
        *keys = s.keys;
        *bytes = s.bytes;
    }
    return status;
}

/* ---- both ---- */

mc_status mc_source_open(mc_source *source, mc_source_kind kind, const char *path,
                         uint64_t limit_bytes, mc_error *error)
{
    enum { SPARE_BYTES = 1 << 20 };
    *source = (mc_source){.kind = kind, .path = path};
    /* Main, journal and WAL, once as read and once as the v1 VFS shows them. */
    source->arena.limit_bytes = (size_t)limit_bytes * 6 + SPARE_BYTES;
    for (int i = 0; i < 1 + MC_SOURCE_SIDECARS; i++) {
        source->file[i].fd = -1;
    }
    if (kind == MC_SOURCE_FILES) {
        return read_files(source, limit_bytes, error);
    }
    mc_status status = kind == MC_SOURCE_DUMP ? read_dump(source, limit_bytes, error)
                                              : mc_lmdb_guard(path, read_lmdb, source, error);
    if (status == MC_OK) {
        source->visible =
            mc_v1_files(&source->store, &source->arena, &source->files, &source->trouble);
    }
    return status;
}

void mc_source_close(mc_source *source)
{
    for (int i = 0; i < 1 + MC_SOURCE_SIDECARS; i++) {
        mc_infile_close(&source->file[i]);
    }
    mc_arena_free(&source->arena);
}
