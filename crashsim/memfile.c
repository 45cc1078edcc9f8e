/* memfile.c: the methods of an open file of a memvfs: bytes, locks, the WAL index.
 *
 * Each call that changes a named file or asks for durability becomes one element of the trace,
 * after it took effect. Locks and the WAL index belong to a node, as to an inode: all connections
 * of one VFS share it, so they block each other as the threads of one process do.
 *
 * The WAL index lives on the heap and its file stays empty: its bytes are rebuilt by the first
 * opener after any crash (wal.c walIndexRecover) and so are no part of a disk state; that the file
 * exists is. */
#include "crashsim/memfile.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SECTOR_BYTES = 4096, /* os_unix.c SQLITE_DEFAULT_SECTOR_SIZE */
    SHM_PAGES_MAX = 4096 /* index pages of one WAL: 128 MiB, 16 million frames */
};

static bool is_recorded(const mc_memfile *file)
{
    return file->vfs->options.trace != NULL && file->disk == file->vfs->options.disk;
}

int mc_memfile_record(const mc_memvfs *vfs, mc_op op)
{
    mc_trace *trace = vfs->options.trace;
    if (trace == NULL) {
        return SQLITE_OK;
    }
    mc_error error;
    op.statement = vfs->options.statement == NULL ? 0 : *vfs->options.statement;
    return mc_trace_add(trace, op, &error) == MC_OK ? SQLITE_OK : SQLITE_IOERR_NOMEM;
}

/* Where reads and changes of this file are noted, or null. */
static mc_reads *reads_of(const mc_memfile *file)
{
    return file->disk == file->vfs->options.disk ? file->vfs->reads : NULL;
}

static int record_of(const mc_memfile *file, mc_op op)
{
    op.file = file->number;
    if (reads_of(file) != NULL && op.kind == MC_OP_WRITE) {
        mc_reads_wrote(reads_of(file), file->number, op.offset, op.offset + op.size);
    } else if (reads_of(file) != NULL && op.kind == MC_OP_TRUNCATE) {
        mc_reads_cut(reads_of(file), file->number, op.offset);
    }
    return is_recorded(file) ? mc_memfile_record(file->vfs, op) : SQLITE_OK;
}

uint16_t mc_memfile_number(const mc_memvfs *vfs, const char *name)
{
    if (strlen(name) > MC_DISK_NAME_MAX) {
        return MC_DISK_NONE;
    }
    return mc_disk_slot(vfs->options.disk, name);
}

static int mem_read(sqlite3_file *handle, void *out, int amount, sqlite3_int64 offset)
{
    const mc_memfile *file = (const mc_memfile *)handle;
    const mc_disk_file *source = &file->disk->file[file->number];
    uint64_t at = (uint64_t)offset;
    uint64_t there = at < source->size ? source->size - at : 0;
    if (reads_of(file) != NULL) {
        mc_reads_bytes(reads_of(file), file->number, at, at + (uint64_t)amount);
    }
    size_t count = there < (uint64_t)amount ? (size_t)there : (size_t)amount;
    if (count > 0) {
        memcpy(out, source->data + at, count);
    }
    memset((uint8_t *)out + count, 0, (size_t)amount - count);
    return count == (size_t)amount ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

/* Why the disk took no more. */
static int not_taken(const mc_memfile *file, uint64_t end)
{
    uint64_t limit = file->disk->limit_bytes;
    return limit > 0 && end > limit ? SQLITE_FULL : SQLITE_IOERR_NOMEM;
}

static int mem_write(sqlite3_file *handle, const void *data, int amount, sqlite3_int64 offset)
{
    mc_memfile *file = (mc_memfile *)handle;
    assert(amount > 0 && offset >= 0);
    if (file->read_only || !file->disk->file[file->number].exists) {
        return SQLITE_IOERR_WRITE;
    }
    if (!mc_disk_write(file->disk, file->number, (uint64_t)offset, data, (size_t)amount)) {
        return not_taken(file, (uint64_t)offset + (uint64_t)amount);
    }
    return record_of(file, (mc_op){.kind = MC_OP_WRITE,
                                   .offset = (uint64_t)offset,
                                   .size = (uint32_t)amount,
                                   .data = data});
}

static int mem_truncate(sqlite3_file *handle, sqlite3_int64 size)
{
    mc_memfile *file = (mc_memfile *)handle;
    assert(size >= 0);
    if (file->read_only || !file->disk->file[file->number].exists) {
        return SQLITE_IOERR_TRUNCATE;
    }
    if (!mc_disk_truncate(file->disk, file->number, (uint64_t)size)) {
        return not_taken(file, (uint64_t)size);
    }
    return record_of(file, (mc_op){.kind = MC_OP_TRUNCATE, .offset = (uint64_t)size});
}

static int mem_sync(sqlite3_file *handle, int flags)
{
    mc_memfile *file = (mc_memfile *)handle;
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
    const mc_memfile *file = (const mc_memfile *)handle;
    sqlite3_int64 bytes = (sqlite3_int64)file->disk->file[file->number].size;
    if (reads_of(file) != NULL) {
        mc_reads_size(reads_of(file), file->number);
    }
    *size = bytes == 1 ? 0 : bytes; /* os_unix.c unixFileSize: one byte counts as none */
    return SQLITE_OK;
}

/* Lock levels rise NONE, SHARED, RESERVED, (PENDING,) EXCLUSIVE. At most one handle is above
 * SHARED; PENDING, held by one that waits for EXCLUSIVE, lets no new SHARED in (os_unix.c
 * unixLock). */
static int mem_lock(sqlite3_file *handle, int level)
{
    mc_memfile *file = (mc_memfile *)handle;
    mc_memnode *node = file->node;
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
    mc_memfile *file = (mc_memfile *)handle;
    mc_memnode *node = file->node;
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
    const mc_memfile *file = (const mc_memfile *)handle;
    *out = file->node != NULL && file->node->level > SQLITE_LOCK_SHARED;
    return SQLITE_OK;
}

static int mem_file_control(sqlite3_file *handle, int op, void *argument)
{
    const mc_memfile *file = (const mc_memfile *)handle;
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
    const mc_memvfs_options *options = &((const mc_memfile *)handle)->vfs->options;
    return options->sector_size == 0 ? SECTOR_BYTES : options->sector_size;
}

static int mem_device_characteristics(sqlite3_file *handle)
{
    const mc_memvfs_options *options = &((const mc_memfile *)handle)->vfs->options;
    int given = options->device_characteristics;
    if (given == MC_DEVICE_PLAIN) {
        return 0;
    }
    return given == 0 ? SQLITE_IOCAP_POWERSAFE_OVERWRITE : given;
}

/* The file of the WAL index of `file`, as a number, or MC_DISK_NONE. */
static uint16_t shm_number_of(const mc_memfile *file)
{
    char name[MC_DISK_NAME_MAX + sizeof "-shm"];
    (void)snprintf(name, sizeof name, "%s-shm", file->disk->file[file->number].name);
    return mc_memfile_number(file->vfs, name);
}

static int shm_open(mc_memfile *file)
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
        int rc = mc_memfile_record(file->vfs, (mc_op){.kind = MC_OP_CREATE, .file = number});
        if (rc != SQLITE_OK) {
            return rc;
        }
    }
    file->shm_open = true;
    file->node->shm_users++;
    return SQLITE_OK;
}

/* Adds cleared index pages up to `count`; those handed out before stay where they are. */
static int shm_extend(mc_memnode *node, int count, int page_bytes)
{
    if (count > SHM_PAGES_MAX) {
        return SQLITE_IOERR_NOMEM;
    }
    if (count > node->shm_page_count) {
        uint8_t **moved = realloc(node->shm_page, (size_t)count * sizeof *moved);
        if (moved == NULL) {
            return SQLITE_IOERR_NOMEM;
        }
        node->shm_page = moved;
        node->shm_page_bytes = page_bytes;
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
    mc_memfile *file = (mc_memfile *)handle;
    mc_memnode *node = file->node;
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

static bool shm_blocked(const mc_memfile *file, int lock, bool exclusive)
{
    const mc_memnode *node = file->node;
    bool own_shared = (file->shm_shared & (1u << lock)) != 0;
    return node->shm_exclusive[lock] ||
           (exclusive && node->shm_shared[lock] > (own_shared ? 1 : 0));
}

static int mem_shm_lock(sqlite3_file *handle, int first, int count, int flags)
{
    mc_memfile *file = (mc_memfile *)handle;
    mc_memnode *node = file->node;
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

void mc_memfile_free_shm(mc_memnode *node)
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
    mc_memfile *file = (mc_memfile *)handle;
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
    mc_memfile_free_shm(file->node);
    uint16_t number = shm_number_of(file);
    if (!delete_file || number == MC_DISK_NONE || !file->disk->file[number].exists) {
        return SQLITE_OK;
    }
    if (!mc_disk_delete(file->disk, number)) {
        return SQLITE_IOERR_NOMEM;
    }
    return mc_memfile_record(file->vfs, (mc_op){.kind = MC_OP_DELETE, .file = number});
}

static int mem_close(sqlite3_file *handle)
{
    mc_memfile *file = (mc_memfile *)handle;
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

const sqlite3_io_methods mc_memfile_methods = {
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
