/* memvfs.c: SQLite's view of a disk in memory.
 *
 * What SQLite can see of os_unix.c is imitated, because it decides which operations a commit makes:
 * the sector size and device characteristics shape the journal, an empty journal "does not exist",
 * a short read is zero-filled and says so, locks make a second connection busy, a hot journal is
 * one that nobody holds a RESERVED lock for. What a crash can see is recorded. The files' own
 * methods are in memfile.c.
 *
 * A file that is deleted while open does not live on namelessly, as it would on unix: SQLite closes
 * before it deletes, and a handle left over reads nothing and cannot write.
 *
 * Not imitated: memory mapping, chunk sizes, batch-atomic writes (kvvfs.c has them), file
 * permissions. A VFS and its connections belong to one thread at a time; several may exist side by
 * side. */
#include "crashsim/memfile.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PATH_BYTES = 512, /* os_unix.c MAX_PATHNAME; also bounds super-journal names (pager.c) */
    DAY_MS = 86400000
};

static mc_memnode *node_of(mc_memvfs *vfs, uint16_t number)
{
    if (number >= vfs->node_count) {
        uint32_t count = (uint32_t)number + 1;
        mc_memnode **moved = realloc(vfs->node, count * sizeof *moved);
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
/* A file without a name, in the first slot of the temporary disk that is free. */
static int open_temporary(mc_memvfs *vfs, mc_memfile *file)
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

static int open_named(mc_memvfs *vfs, const char *name, mc_memfile *file, int flags)
{
    const int journals = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
    mc_disk *disk = vfs->options.disk;
    bool create = (flags & SQLITE_OPEN_CREATE) != 0;
    uint16_t number = create ? mc_memfile_number(vfs, name) : mc_disk_find(disk, name);
    if (number == MC_DISK_NONE) {
        return SQLITE_CANTOPEN;
    }
    bool exists = disk->file[number].exists;
    if (vfs->reads != NULL) {
        mc_reads_exists(vfs->reads, number);
    }
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
    if (!exists && vfs->reads != NULL) {
        mc_reads_renewed(vfs->reads, number);
    }
    return exists ? SQLITE_OK
                  : mc_memfile_record(vfs, (mc_op){.kind = MC_OP_CREATE, .file = number});
}

static int mem_open(sqlite3_vfs *base, const char *name, sqlite3_file *handle, int flags,
                    int *out_flags)
{
    mc_memvfs *vfs = (mc_memvfs *)base;
    mc_memfile *file = (mc_memfile *)handle;
    *file = (mc_memfile){.vfs = vfs};
    bool temporary = name == NULL || (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
    int rc = temporary ? open_temporary(vfs, file) : open_named(vfs, name, file, flags);
    if (rc != SQLITE_OK) {
        return rc; /* pMethods is null, so SQLite does not close it */
    }
    file->base.pMethods = &mc_memfile_methods;
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
    mc_reads *reads = number == MC_DISK_NONE ? NULL : vfs->reads;
    if (reads != NULL) {
        mc_reads_exists(reads, number);
    }
    if (number == MC_DISK_NONE || !disk->file[number].exists) {
        return SQLITE_IOERR_DELETE_NOENT;
    }
    if (reads != NULL) {
        mc_reads_renewed(reads, number);
    }
    if (!mc_disk_delete(disk, number)) {
        return SQLITE_IOERR_NOMEM;
    }
    return mc_memfile_record(vfs, (mc_op){.kind = MC_OP_DELETE,
                                          .file = number,
                                          .flags = (dir_sync & 1) != 0 ? MC_OPF_DIR_SYNC : 0});
}

static int mem_access(sqlite3_vfs *base, const char *name, int flags, int *out)
{
    const mc_memvfs *vfs = (const mc_memvfs *)base;
    const mc_disk *disk = vfs->options.disk;
    uint16_t number = mc_disk_find(disk, name);
    if (vfs->reads != NULL && number != MC_DISK_NONE) {
        mc_reads_exists(vfs->reads, number);
        mc_reads_size(vfs->reads, number);
    }
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

static int mem_randomness(sqlite3_vfs *base, int size, char *out)
{
    mc_seeded_bytes(&((mc_memvfs *)base)->seeded, out, (size_t)size);
    return size;
}

static int mem_sleep(sqlite3_vfs *base, int microseconds)
{
    mc_seeded_sleep(&((mc_memvfs *)base)->seeded, microseconds);
    return microseconds;
}

static int mem_current_time_int64(sqlite3_vfs *base, sqlite3_int64 *out)
{
    *out = ((const mc_memvfs *)base)->seeded.time_ms;
    return SQLITE_OK;
}

static int mem_current_time(sqlite3_vfs *base, double *out)
{
    *out = (double)((const mc_memvfs *)base)->seeded.time_ms / DAY_MS;
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
    vfs->seeded = mc_seeded_init(vfs->options.seed);
    sqlite3_randomness(0, NULL); /* its next use seeds it from the default VFS */
}

mc_memvfs *mc_memvfs_open(const mc_memvfs_options *options)
{
    static atomic_uint opened;
    assert(options->disk != NULL);
    assert(options->device_characteristics == MC_DEVICE_PLAIN ||
           (options->device_characteristics & SQLITE_IOCAP_BATCH_ATOMIC) == 0);
    mc_memvfs *vfs = calloc(1, sizeof *vfs);
    if (vfs == NULL) {
        return NULL;
    }
    vfs->options = *options;
    (void)snprintf(vfs->name, sizeof vfs->name, "midcommit-mem-%u", atomic_fetch_add(&opened, 1));
    vfs->vfs = (sqlite3_vfs){.iVersion = 2,
                             .szOsFile = sizeof(mc_memfile),
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

void mc_memvfs_note(mc_memvfs *vfs, mc_reads *reads)
{
    vfs->reads = reads;
}

void mc_memvfs_drop_shm(mc_memvfs *vfs)
{
    for (uint32_t i = 0; i < vfs->node_count; i++) {
        mc_memnode *node = vfs->node[i];
        for (int page = 0; node != NULL && page < node->shm_page_count; page++) {
            memset(node->shm_page[page], 0, (size_t)node->shm_page_bytes);
        }
    }
}

void mc_memvfs_restart(mc_memvfs *vfs)
{
    for (uint32_t i = 0; i < vfs->node_count; i++) {
        const mc_memnode *node = vfs->node[i];
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
            mc_memfile_free_shm(vfs->node[i]);
            free(vfs->node[i]);
        }
    }
    free(vfs->node);
    mc_disk_free(&vfs->temporary);
    free(vfs);
}
