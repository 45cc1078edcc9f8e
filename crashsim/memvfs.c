/* memvfs.c: SQLite's view of a disk in memory.
 *
 * What SQLite can see of os_unix.c is imitated, because it decides which operations a commit makes:
 * the sector size and device characteristics shape the journal, an empty journal "does not exist",
 * a short read is zero-filled and says so, locks make a second connection busy, a hot journal is
 * one that nobody holds a RESERVED lock for. What a crash can see is recorded: every call that
 * changes a named file or asks for durability becomes one element of the trace, after it took
 * effect.
 *
 * A file handle refers to its file by number. What belongs to the file rather than the handle
 * (locks, the WAL index) is a node, as an inode is; all connections of one VFS share the nodes, so
 * they block each other as threads of one process do. A file that is deleted while open does not
 * live on namelessly: SQLite closes before it deletes, and a handle left over reads nothing.
 *
 * The WAL index lives on the heap and its file stays empty: its bytes are rebuilt by the first
 * opener after any crash (wal.c walIndexRecover) and so are no part of a disk state; that the file
 * exists is.
 *
 * Not imitated: memory mapping, chunk sizes, batch-atomic writes (kvvfs.c has them), file
 * permissions. A VFS and its connections belong to one thread at a time; several may exist side by
 * side. */
#include "crashsim/memvfs.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SECTOR_BYTES = 4096,  /* os_unix.c SQLITE_DEFAULT_SECTOR_SIZE */
    PATH_BYTES = 512,     /* os_unix.c MAX_PATHNAME; also bounds super-journal names (pager.c) */
    SHM_PAGES_MAX = 4096, /* index pages of one WAL: 128 MiB, 16 million frames */
    UNIX_EPOCH_DAYS = 2440588,
    DAY_MS = 86400000,
    YEAR_2024_DAYS = 19723 /* days from 1970-01-01 to 2024-01-01 */
};

typedef struct mem_node {
    int level;  /* the strongest lock any handle holds: SQLITE_LOCK_NONE..EXCLUSIVE */
    int shared; /* handles that hold SHARED or more */
    int shm_users;
    int shm_page_bytes;
    int shm_page_count;
    uint8_t **shm_page;
    int shm_shared[SQLITE_SHM_NLOCK];     /* holders of each lock in shared mode */
    bool shm_exclusive[SQLITE_SHM_NLOCK]; /* or one holder of it alone */
} mem_node;

struct mc_memvfs {
    sqlite3_vfs vfs; /* first: SQLite hands out pointers to it */
    char name[32];
    mc_memvfs_options options;
    mc_disk temporary; /* files without a name; their slots are used again */
    mem_node **node;   /* by file number of options.disk */
    uint32_t node_count;
    uint64_t random;
    sqlite3_int64 time_ms; /* Julian day number in ms */
};

typedef struct mem_file {
    sqlite3_file base; /* first */
    mc_memvfs *vfs;
    mc_disk *disk;  /* the VFS's disk, or its temporary one */
    mem_node *node; /* null for temporary files */
    uint16_t number;
    bool read_only;
    bool dir_sync; /* the next sync syncs the directory, too */
    bool shm_open;
    int level;
    unsigned shm_shared; /* bit per lock held */
    unsigned shm_exclusive;
} mem_file;

static bool is_recorded(const mem_file *file)
{
    return file->vfs->options.trace != NULL && file->disk == file->vfs->options.disk;
}

/* Appends one element about a file of the disk; SQLITE_OK also when nothing is recorded. */
static int record(const mc_memvfs *vfs, mc_op op)
{
    mc_trace *trace = vfs->options.trace;
    if (trace == NULL) {
        return SQLITE_OK;
    }
    mc_error error;
    op.statement = vfs->options.statement == NULL ? 0 : *vfs->options.statement;
    return mc_trace_add(trace, op, &error) == MC_OK ? SQLITE_OK : SQLITE_IOERR_NOMEM;
}

static int record_of(const mem_file *file, mc_op op)
{
    op.file = file->number;
    return is_recorded(file) ? record(file->vfs, op) : SQLITE_OK;
}

/* The number of a named file, known to the trace's base under the same number. */
static uint16_t number_of(const mc_memvfs *vfs, const char *name)
{
    if (strlen(name) > MC_DISK_NAME_MAX) {
        return MC_DISK_NONE;
    }
    uint16_t number = mc_disk_slot(vfs->options.disk, name);
    if (vfs->options.trace != NULL && number != MC_DISK_NONE) {
        uint16_t base_number = mc_disk_slot(&vfs->options.trace->base, name);
        assert(base_number == number || base_number == MC_DISK_NONE);
        return base_number;
    }
    return number;
}

static mem_node *node_of(mc_memvfs *vfs, uint16_t number)
{
    if (number >= vfs->node_count) {
        uint32_t count = (uint32_t)number + 1;
        mem_node **moved = realloc(vfs->node, count * sizeof *moved);
        if (moved == NULL) {
            return NULL;
        }
        memset(moved + vfs->node_count, 0, (count - vfs->node_count) * sizeof *moved);
        vfs->node = moved;
        vfs->node_count = count;
    }
    if (vfs->node[number] == NULL) {
        vfs->node[number] = calloc(1, sizeof *vfs->node[number]);
    }
    return vfs->node[number];
}

static int mem_read(sqlite3_file *handle, void *out, int amount, sqlite3_int64 offset)
{
    const mem_file *file = (const mem_file *)handle;
    const mc_disk_file *source = &file->disk->file[file->number];
    uint64_t at = (uint64_t)offset;
    uint64_t there = at < source->size ? source->size - at : 0;
    size_t count = there < (uint64_t)amount ? (size_t)there : (size_t)amount;
    if (count > 0) {
        memcpy(out, source->data + at, count);
    }
    memset((uint8_t *)out + count, 0, (size_t)amount - count);
    return count == (size_t)amount ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int mem_write(sqlite3_file *handle, const void *data, int amount, sqlite3_int64 offset)
{
    mem_file *file = (mem_file *)handle;
    assert(amount > 0 && offset >= 0);
    if (file->read_only || !file->disk->file[file->number].exists) {
        return SQLITE_IOERR_WRITE;
    }
    if (!mc_disk_write(file->disk, file->number, (uint64_t)offset, data, (size_t)amount)) {
        return SQLITE_IOERR_NOMEM;
    }
    return record_of(file, (mc_op){.kind = MC_OP_WRITE,
                                   .offset = (uint64_t)offset,
                                   .size = (uint32_t)amount,
                                   .data = data});
}

static int mem_truncate(sqlite3_file *handle, sqlite3_int64 size)
{
    mem_file *file = (mem_file *)handle;
    assert(size >= 0);
    if (file->read_only || !file->disk->file[file->number].exists) {
        return SQLITE_IOERR_TRUNCATE;
    }
    if (!mc_disk_truncate(file->disk, file->number, (uint64_t)size)) {
        return SQLITE_IOERR_NOMEM;
    }
    return record_of(file, (mc_op){.kind = MC_OP_TRUNCATE, .offset = (uint64_t)size});
}

static int mem_sync(sqlite3_file *handle, int flags)
{
    mem_file *file = (mem_file *)handle;
    int op_flags = 0;
    if ((flags & 0x0f) == SQLITE_SYNC_FULL) {
        op_flags |= MC_OPF_FULL_SYNC;
    }
    if (flags & SQLITE_SYNC_DATAONLY) {
        op_flags |= MC_OPF_DATA_ONLY;
    }
    if (file->dir_sync) {
        op_flags |= MC_OPF_DIR_SYNC;
        file->dir_sync = false;
    }
    return record_of(file, (mc_op){.kind = MC_OP_SYNC, .flags = (uint8_t)op_flags});
}

static int mem_file_size(sqlite3_file *handle, sqlite3_int64 *size)
{
    const mem_file *file = (const mem_file *)handle;
    *size = (sqlite3_int64)file->disk->file[file->number].size;
    return SQLITE_OK;
}

/* Lock levels rise NONE, SHARED, RESERVED, (PENDING,) EXCLUSIVE. At most one handle is above
 * SHARED; PENDING, held by one that waits for EXCLUSIVE, lets no new SHARED in (os_unix.c
 * unixLock). */
static int mem_lock(sqlite3_file *handle, int level)
{
    mem_file *file = (mem_file *)handle;
    mem_node *node = file->node;
    if (node == NULL || file->level >= level) {
        return SQLITE_OK;
    }
    bool another_writer = node->level > SQLITE_LOCK_SHARED && file->level <= SQLITE_LOCK_SHARED;
    if (level == SQLITE_LOCK_SHARED) {
        assert(file->level == SQLITE_LOCK_NONE);
        if (node->level >= SQLITE_LOCK_PENDING) {
            return SQLITE_BUSY;
        }
        node->shared++;
        if (node->level < SQLITE_LOCK_SHARED) {
            node->level = SQLITE_LOCK_SHARED;
        }
        file->level = SQLITE_LOCK_SHARED;
        return SQLITE_OK;
    }
    assert(file->level >= SQLITE_LOCK_SHARED);
    if (another_writer) {
        return SQLITE_BUSY;
    }
    bool must_wait = level == SQLITE_LOCK_EXCLUSIVE && node->shared > 1;
    file->level = must_wait ? SQLITE_LOCK_PENDING : level;
    node->level = file->level;
    return must_wait ? SQLITE_BUSY : SQLITE_OK;
}

static int mem_unlock(sqlite3_file *handle, int level)
{
    mem_file *file = (mem_file *)handle;
    mem_node *node = file->node;
    assert(level <= SQLITE_LOCK_SHARED);
    if (node == NULL || file->level <= level) {
        return SQLITE_OK;
    }
    if (file->level > SQLITE_LOCK_SHARED) {
        assert(node->level == file->level);
        node->level = SQLITE_LOCK_SHARED;
    }
    if (level == SQLITE_LOCK_NONE) {
        assert(node->shared > 0);
        node->shared--;
        if (node->shared == 0) {
            node->level = SQLITE_LOCK_NONE;
        }
    }
    file->level = level;
    return SQLITE_OK;
}

static int mem_check_reserved_lock(sqlite3_file *handle, int *out)
{
    const mem_file *file = (const mem_file *)handle;
    *out = file->node != NULL && file->node->level > SQLITE_LOCK_SHARED;
    return SQLITE_OK;
}

static int mem_file_control(sqlite3_file *handle, int op, void *argument)
{
    const mem_file *file = (const mem_file *)handle;
    switch (op) {
    case SQLITE_FCNTL_LOCKSTATE:
        *(int *)argument = file->level;
        return SQLITE_OK;
    case SQLITE_FCNTL_SIZE_HINT: /* without a chunk size unix changes nothing (fcntlSizeHint) */
        return SQLITE_OK;
    case SQLITE_FCNTL_VFSNAME:
        *(char **)argument = sqlite3_mprintf("%s", file->vfs->name);
        return SQLITE_OK;
    default:
        return SQLITE_NOTFOUND;
    }
}

static int mem_sector_size(sqlite3_file *handle)
{
    const mc_memvfs_options *options = &((const mem_file *)handle)->vfs->options;
    return options->sector_size == 0 ? SECTOR_BYTES : options->sector_size;
}

static int mem_device_characteristics(sqlite3_file *handle)
{
    const mc_memvfs_options *options = &((const mem_file *)handle)->vfs->options;
    int given = options->device_characteristics;
    return given == 0 ? SQLITE_IOCAP_POWERSAFE_OVERWRITE : given;
}

/* The file of the WAL index of `file`, as a number, or MC_DISK_NONE. */
static uint16_t shm_number_of(const mem_file *file)
{
    char name[MC_DISK_NAME_MAX + sizeof "-shm"];
    (void)snprintf(name, sizeof name, "%s-shm", file->disk->file[file->number].name);
    return number_of(file->vfs, name);
}

static int shm_open(mem_file *file)
{
    uint16_t number = shm_number_of(file);
    if (number == MC_DISK_NONE) {
        return SQLITE_CANTOPEN;
    }
    mc_disk *disk = file->disk;
    if (!disk->file[number].exists) {
        if (!mc_disk_create(disk, number)) {
            return SQLITE_IOERR_NOMEM;
        }
        int rc = record(file->vfs, (mc_op){.kind = MC_OP_CREATE, .file = number});
        if (rc != SQLITE_OK) {
            return rc;
        }
    }
    file->shm_open = true;
    file->node->shm_users++;
    return SQLITE_OK;
}

/* Adds cleared index pages up to `count`; those handed out before stay where they are. */
static int shm_extend(mem_node *node, int count, int page_bytes)
{
    if (node->shm_page == NULL) {
        node->shm_page = calloc(SHM_PAGES_MAX, sizeof *node->shm_page);
        node->shm_page_bytes = page_bytes;
    }
    if (node->shm_page == NULL || count > SHM_PAGES_MAX) {
        return SQLITE_IOERR_NOMEM;
    }
    while (node->shm_page_count < count) {
        uint8_t *page = calloc(1, (size_t)page_bytes);
        if (page == NULL) {
            return SQLITE_IOERR_NOMEM;
        }
        node->shm_page[node->shm_page_count++] = page;
    }
    return SQLITE_OK;
}

static int mem_shm_map(sqlite3_file *handle, int page, int page_bytes, int extend,
                       void volatile **out)
{
    mem_file *file = (mem_file *)handle;
    mem_node *node = file->node;
    assert(node != NULL && page >= 0);
    *out = NULL;
    if (!file->shm_open) {
        int rc = shm_open(file);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }
    assert(node->shm_page_bytes == 0 || node->shm_page_bytes == page_bytes);
    if (page >= node->shm_page_count) {
        if (!extend) {
            return SQLITE_OK;
        }
        int rc = shm_extend(node, page + 1, page_bytes);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }
    *out = node->shm_page[page];
    return SQLITE_OK;
}

static bool shm_blocked(const mem_file *file, int lock, bool exclusive)
{
    const mem_node *node = file->node;
    bool own_shared = (file->shm_shared & (1u << lock)) != 0;
    return node->shm_exclusive[lock] ||
           (exclusive && node->shm_shared[lock] > (own_shared ? 1 : 0));
}

static int mem_shm_lock(sqlite3_file *handle, int first, int count, int flags)
{
    mem_file *file = (mem_file *)handle;
    mem_node *node = file->node;
    bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
    unsigned *held = exclusive ? &file->shm_exclusive : &file->shm_shared;
    assert(first >= 0 && count > 0 && first + count <= SQLITE_SHM_NLOCK);
    if (!file->shm_open) {
        return SQLITE_IOERR_SHMLOCK;
    }
    bool take = (flags & SQLITE_SHM_LOCK) != 0;
    for (int i = first; take && i < first + count; i++) {
        if ((*held & (1u << i)) == 0 && shm_blocked(file, i, exclusive)) {
            return SQLITE_BUSY;
        }
    }
    for (int i = first; i < first + count; i++) {
        unsigned bit = 1u << i;
        if (((*held & bit) != 0) == take) {
            continue;
        }
        *held ^= bit;
        if (exclusive) {
            node->shm_exclusive[i] = take;
        } else {
            node->shm_shared[i] += take ? 1 : -1;
        }
    }
    return SQLITE_OK;
}

static void mem_shm_barrier(sqlite3_file *handle)
{
    (void)handle;
    atomic_thread_fence(memory_order_seq_cst);
}

static void shm_free(mem_node *node)
{
    for (int i = 0; i < node->shm_page_count; i++) {
        free(node->shm_page[i]);
    }
    free(node->shm_page);
    node->shm_page = NULL;
    node->shm_page_count = 0;
    node->shm_page_bytes = 0;
}

static int mem_shm_unmap(sqlite3_file *handle, int delete_file)
{
    mem_file *file = (mem_file *)handle;
    if (!file->shm_open) {
        return SQLITE_OK;
    }
    (void)mem_shm_lock(handle, 0, SQLITE_SHM_NLOCK, SQLITE_SHM_UNLOCK | SQLITE_SHM_SHARED);
    (void)mem_shm_lock(handle, 0, SQLITE_SHM_NLOCK, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
    file->shm_open = false;
    file->node->shm_users--;
    if (file->node->shm_users > 0) {
        return SQLITE_OK;
    }
    shm_free(file->node);
    uint16_t number = shm_number_of(file);
    if (!delete_file || number == MC_DISK_NONE || !file->disk->file[number].exists) {
        return SQLITE_OK;
    }
    if (!mc_disk_delete(file->disk, number)) {
        return SQLITE_IOERR_NOMEM;
    }
    return record(file->vfs, (mc_op){.kind = MC_OP_DELETE, .file = number});
}

static int mem_close(sqlite3_file *handle)
{
    mem_file *file = (mem_file *)handle;
    int rc = SQLITE_OK;
    if (file->node != NULL) {
        rc = mem_shm_unmap(handle, 0);
        (void)mem_unlock(handle, SQLITE_LOCK_NONE);
    } else if (!mc_disk_delete(file->disk, file->number)) {
        rc = SQLITE_IOERR_NOMEM;
    }
    file->base.pMethods = NULL;
    return rc;
}

static const sqlite3_io_methods file_methods = {
    .iVersion = 2, /* no xFetch: nothing is memory-mapped */
    .xClose = mem_close,
    .xRead = mem_read,
    .xWrite = mem_write,
    .xTruncate = mem_truncate,
    .xSync = mem_sync,
    .xFileSize = mem_file_size,
    .xLock = mem_lock,
    .xUnlock = mem_unlock,
    .xCheckReservedLock = mem_check_reserved_lock,
    .xFileControl = mem_file_control,
    .xSectorSize = mem_sector_size,
    .xDeviceCharacteristics = mem_device_characteristics,
    .xShmMap = mem_shm_map,
    .xShmLock = mem_shm_lock,
    .xShmBarrier = mem_shm_barrier,
    .xShmUnmap = mem_shm_unmap,
};

/* A file without a name, in the first slot of the temporary disk that is free. */
static int open_temporary(mc_memvfs *vfs, mem_file *file)
{
    char name[16];
    uint16_t number = 0;
    for (uint32_t i = 0;; i++) {
        (void)snprintf(name, sizeof name, "%u", i);
        number = mc_disk_slot(&vfs->temporary, name);
        if (number == MC_DISK_NONE) {
            return SQLITE_IOERR_NOMEM;
        }
        if (!vfs->temporary.file[number].exists) {
            break;
        }
    }
    if (!mc_disk_create(&vfs->temporary, number)) {
        return SQLITE_IOERR_NOMEM;
    }
    file->disk = &vfs->temporary;
    file->number = number;
    return SQLITE_OK;
}

static int open_named(mc_memvfs *vfs, const char *name, mem_file *file, int flags)
{
    const int journals = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
    mc_disk *disk = vfs->options.disk;
    bool create = (flags & SQLITE_OPEN_CREATE) != 0;
    uint16_t number = create ? number_of(vfs, name) : mc_disk_find(disk, name);
    if (number == MC_DISK_NONE) {
        return SQLITE_CANTOPEN;
    }
    bool exists = disk->file[number].exists;
    if (exists ? (flags & SQLITE_OPEN_EXCLUSIVE) != 0 : !create) {
        return SQLITE_CANTOPEN;
    }
    file->disk = disk;
    file->number = number;
    file->read_only = (flags & SQLITE_OPEN_READONLY) != 0;
    /* os_unix.c unixOpen: whether or not the file was there before */
    file->dir_sync = create && (flags & journals) != 0;
    file->node = node_of(vfs, number);
    if (file->node == NULL || !mc_disk_create(disk, number)) {
        return SQLITE_IOERR_NOMEM;
    }
    return exists ? SQLITE_OK : record(vfs, (mc_op){.kind = MC_OP_CREATE, .file = number});
}

static int mem_open(sqlite3_vfs *base, const char *name, sqlite3_file *handle, int flags,
                    int *out_flags)
{
    mc_memvfs *vfs = (mc_memvfs *)base;
    mem_file *file = (mem_file *)handle;
    *file = (mem_file){.vfs = vfs};
    bool temporary = name == NULL || (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
    int rc = temporary ? open_temporary(vfs, file) : open_named(vfs, name, file, flags);
    if (rc != SQLITE_OK) {
        return rc; /* pMethods is null, so SQLite does not close it */
    }
    file->base.pMethods = &file_methods;
    if (out_flags != NULL) {
        *out_flags = flags;
    }
    return SQLITE_OK;
}

static int mem_delete(sqlite3_vfs *base, const char *name, int dir_sync)
{
    mc_memvfs *vfs = (mc_memvfs *)base;
    mc_disk *disk = vfs->options.disk;
    uint16_t number = mc_disk_find(disk, name);
    if (number == MC_DISK_NONE || !disk->file[number].exists) {
        return SQLITE_IOERR_DELETE_NOENT;
    }
    if (!mc_disk_delete(disk, number)) {
        return SQLITE_IOERR_NOMEM;
    }
    return record(vfs, (mc_op){.kind = MC_OP_DELETE,
                               .file = number,
                               .flags = (dir_sync & 1) != 0 ? MC_OPF_DIR_SYNC : 0});
}

static int mem_access(sqlite3_vfs *base, const char *name, int flags, int *out)
{
    const mc_disk *disk = ((const mc_memvfs *)base)->options.disk;
    uint16_t number = mc_disk_find(disk, name);
    bool exists = number != MC_DISK_NONE && disk->file[number].exists;
    if (exists && flags == SQLITE_ACCESS_EXISTS) {
        exists = disk->file[number].size > 0; /* os_unix.c unixAccess */
    }
    *out = exists;
    return SQLITE_OK;
}

/* Names stay as they are, so that the names inside journals do not depend on where we run. */
static int mem_full_pathname(sqlite3_vfs *base, const char *name, int out_size, char *out)
{
    (void)base;
    int size = snprintf(out, (size_t)out_size, "%s", name);
    return size >= 0 && size < out_size ? SQLITE_OK : SQLITE_CANTOPEN;
}

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15u;
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int mem_randomness(sqlite3_vfs *base, int size, char *out)
{
    mc_memvfs *vfs = (mc_memvfs *)base;
    for (int i = 0; i < size; i++) {
        out[i] = (char)(next_random(&vfs->random) >> 56);
    }
    return size;
}

static int mem_sleep(sqlite3_vfs *base, int microseconds)
{
    ((mc_memvfs *)base)->time_ms += (microseconds + 999) / 1000;
    return microseconds;
}

static int mem_current_time_int64(sqlite3_vfs *base, sqlite3_int64 *out)
{
    *out = ((const mc_memvfs *)base)->time_ms;
    return SQLITE_OK;
}

static int mem_current_time(sqlite3_vfs *base, double *out)
{
    *out = (double)((const mc_memvfs *)base)->time_ms / DAY_MS;
    return SQLITE_OK;
}

static int mem_get_last_error(sqlite3_vfs *base, int size, char *out)
{
    (void)base;
    (void)size;
    (void)out;
    return 0;
}

static void seed_time_and_randomness(mc_memvfs *vfs)
{
    vfs->random = vfs->options.seed;
    vfs->time_ms = (sqlite3_int64)(UNIX_EPOCH_DAYS + YEAR_2024_DAYS) * DAY_MS - DAY_MS / 2;
    vfs->time_ms += (sqlite3_int64)(vfs->options.seed % DAY_MS);
    sqlite3_randomness(0, NULL); /* its next use seeds it from the default VFS */
}

mc_memvfs *mc_memvfs_open(const mc_memvfs_options *options)
{
    static atomic_uint opened;
    assert(options->disk != NULL);
    assert((options->device_characteristics & SQLITE_IOCAP_BATCH_ATOMIC) == 0);
    mc_memvfs *vfs = calloc(1, sizeof *vfs);
    if (vfs == NULL) {
        return NULL;
    }
    vfs->options = *options;
    (void)snprintf(vfs->name, sizeof vfs->name, "midcommit-mem-%u", atomic_fetch_add(&opened, 1));
    vfs->vfs = (sqlite3_vfs){.iVersion = 2,
                             .szOsFile = sizeof(mem_file),
                             .mxPathname = PATH_BYTES,
                             .zName = vfs->name,
                             .xOpen = mem_open,
                             .xDelete = mem_delete,
                             .xAccess = mem_access,
                             .xFullPathname = mem_full_pathname,
                             .xRandomness = mem_randomness,
                             .xSleep = mem_sleep,
                             .xCurrentTime = mem_current_time,
                             .xCurrentTimeInt64 = mem_current_time_int64,
                             .xGetLastError = mem_get_last_error};
    if (sqlite3_vfs_register(&vfs->vfs, 1) != SQLITE_OK) {
        free(vfs);
        return NULL;
    }
    seed_time_and_randomness(vfs);
    return vfs;
}

const char *mc_memvfs_name(const mc_memvfs *vfs)
{
    return vfs->name;
}

void mc_memvfs_drop_shm(mc_memvfs *vfs)
{
    for (uint32_t i = 0; i < vfs->node_count; i++) {
        mem_node *node = vfs->node[i];
        for (int page = 0; node != NULL && page < node->shm_page_count; page++) {
            memset(node->shm_page[page], 0, (size_t)node->shm_page_bytes);
        }
    }
}

void mc_memvfs_restart(mc_memvfs *vfs)
{
    for (uint32_t i = 0; i < vfs->node_count; i++) {
        const mem_node *node = vfs->node[i];
        assert(node == NULL || node->level == SQLITE_LOCK_NONE);
        for (int lock = 0; node != NULL && lock < SQLITE_SHM_NLOCK; lock++) {
            assert(node->shm_shared[lock] == 0 && !node->shm_exclusive[lock]);
        }
    }
    mc_memvfs_drop_shm(vfs);
    seed_time_and_randomness(vfs);
}

void mc_memvfs_close(mc_memvfs *vfs)
{
    sqlite3_vfs_unregister(&vfs->vfs);
    for (uint32_t i = 0; i < vfs->node_count; i++) {
        if (vfs->node[i] != NULL) {
            assert(vfs->node[i]->shm_users == 0 && vfs->node[i]->shared == 0);
            shm_free(vfs->node[i]);
            free(vfs->node[i]);
        }
    }
    free(vfs->node);
    mc_disk_free(&vfs->temporary);
    free(vfs);
}
