#include "fuzz/faultvfs.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct mc_faultvfs {
    sqlite3_vfs base;
    sqlite3_vfs *below;
    mc_fault fault;
    uint64_t calls;
};

typedef struct fault_file {
    sqlite3_file base;
    mc_faultvfs *vfs;
    sqlite3_file *below; /* behind this struct */
} fault_file;

static bool fails(mc_faultvfs *vfs)
{
    return ++vfs->calls == vfs->fault.fail_at;
}

/* What a change of the disk says that was not made. */
static int change_error(const mc_faultvfs *vfs, int error)
{
    return vfs->fault.lies ? SQLITE_OK : error;
}

static sqlite3_file *below(sqlite3_file *file)
{
    return ((fault_file *)file)->below;
}

/* The result of a method of the file below, or what its failure looks like. */
#define OR_FAIL(file, error, method, ...)                                                          \
    (fails(((fault_file *)(file))->vfs)                                                            \
         ? (error)                                                                                 \
         : below(file)->pMethods->method(below(file), ##__VA_ARGS__))

static int fault_close(sqlite3_file *file)
{
    return below(file)->pMethods->xClose(below(file));
}

static int fault_read(sqlite3_file *file, void *out, int amount, sqlite3_int64 at)
{
    return OR_FAIL(file, SQLITE_IOERR_READ, xRead, out, amount, at);
}

static int fault_write(sqlite3_file *file, const void *data, int amount, sqlite3_int64 at)
{
    return OR_FAIL(file, change_error(((fault_file *)file)->vfs, SQLITE_IOERR_WRITE), xWrite, data,
                   amount, at);
}

static int fault_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return OR_FAIL(file, change_error(((fault_file *)file)->vfs, SQLITE_IOERR_TRUNCATE), xTruncate,
                   size);
}

static int fault_sync(sqlite3_file *file, int flags)
{
    return OR_FAIL(file, SQLITE_IOERR_FSYNC, xSync, flags);
}

static int fault_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return OR_FAIL(file, SQLITE_IOERR_FSTAT, xFileSize, size);
}

static int fault_lock(sqlite3_file *file, int level)
{
    return OR_FAIL(file, SQLITE_BUSY, xLock, level);
}

static int fault_unlock(sqlite3_file *file, int level)
{
    return below(file)->pMethods->xUnlock(below(file), level);
}

static int fault_reserved(sqlite3_file *file, int *out)
{
    return OR_FAIL(file, SQLITE_IOERR_CHECKRESERVEDLOCK, xCheckReservedLock, out);
}

static int fault_control(sqlite3_file *file, int op, void *argument)
{
    return below(file)->pMethods->xFileControl(below(file), op, argument);
}

static int fault_sector(sqlite3_file *file)
{
    return below(file)->pMethods->xSectorSize(below(file));
}

static int fault_characteristics(sqlite3_file *file)
{
    return below(file)->pMethods->xDeviceCharacteristics(below(file));
}

static int fault_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **out)
{
    return OR_FAIL(file, SQLITE_IOERR_SHMMAP, xShmMap, page, size, extend, out);
}

/* An unlock cannot fail. */
static int fault_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    if ((flags & SQLITE_SHM_UNLOCK) != 0) {
        return below(file)->pMethods->xShmLock(below(file), offset, count, flags);
    }
    return OR_FAIL(file, SQLITE_BUSY, xShmLock, offset, count, flags);
}

static void fault_shm_barrier(sqlite3_file *file)
{
    below(file)->pMethods->xShmBarrier(below(file));
}

static int fault_shm_unmap(sqlite3_file *file, int remove)
{
    return below(file)->pMethods->xShmUnmap(below(file), remove);
}

#define METHODS_1                                                                                  \
    .xClose = fault_close, .xRead = fault_read, .xWrite = fault_write,                             \
    .xTruncate = fault_truncate, .xSync = fault_sync, .xFileSize = fault_size,                     \
    .xLock = fault_lock, .xUnlock = fault_unlock, .xCheckReservedLock = fault_reserved,            \
    .xFileControl = fault_control, .xSectorSize = fault_sector,                                    \
    .xDeviceCharacteristics = fault_characteristics

static const sqlite3_io_methods methods_1 = {.iVersion = 1, METHODS_1};
static const sqlite3_io_methods methods_2 = {.iVersion = 2,
                                             METHODS_1,
                                             .xShmMap = fault_shm_map,
                                             .xShmLock = fault_shm_lock,
                                             .xShmBarrier = fault_shm_barrier,
                                             .xShmUnmap = fault_shm_unmap};

static mc_faultvfs *owner(sqlite3_vfs *vfs)
{
    return vfs->pAppData;
}

static int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *out, int flags, int *given)
{
    fault_file *file = (fault_file *)out;
    mc_faultvfs *own = owner(vfs);
    *file = (fault_file){.vfs = own, .below = (sqlite3_file *)(file + 1)};
    if (fails(own)) {
        return SQLITE_CANTOPEN;
    }
    memset(file->below, 0, (size_t)own->below->szOsFile);
    if (own->fault.read_only && name != NULL) {
        flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
    }
    int code = own->below->xOpen(own->below, name, file->below, flags, given);
    if (file->below->pMethods != NULL) {
        file->base.pMethods = file->below->pMethods->iVersion >= 2 ? &methods_2 : &methods_1;
    }
    return code;
}

static int fault_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
    mc_faultvfs *own = owner(vfs);
    if (own->fault.read_only) {
        return SQLITE_IOERR_DELETE;
    }
    return fails(own) ? change_error(own, SQLITE_IOERR_DELETE)
                      : own->below->xDelete(own->below, name, sync_folder);
}

static int fault_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    mc_faultvfs *own = owner(vfs);
    return fails(own) ? SQLITE_IOERR_ACCESS : own->below->xAccess(own->below, name, flags, out);
}

static int fault_path(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    sqlite3_vfs *real = owner(vfs)->below;
    return real->xFullPathname(real, name, size, out);
}

static int fault_random(sqlite3_vfs *vfs, int size, char *out)
{
    sqlite3_vfs *real = owner(vfs)->below;
    return real->xRandomness(real, size, out);
}

static int fault_sleep(sqlite3_vfs *vfs, int microseconds)
{
    sqlite3_vfs *real = owner(vfs)->below;
    return real->xSleep(real, microseconds);
}

static int fault_time(sqlite3_vfs *vfs, double *out)
{
    sqlite3_vfs *real = owner(vfs)->below;
    return real->xCurrentTime(real, out);
}

static int fault_last_error(sqlite3_vfs *vfs, int size, char *out)
{
    sqlite3_vfs *real = owner(vfs)->below;
    return real->xGetLastError == NULL ? 0 : real->xGetLastError(real, size, out);
}

mc_faultvfs *mc_faultvfs_open(const char *below_name, const mc_fault *fault)
{
    sqlite3_vfs *real = sqlite3_vfs_find(below_name);
    mc_faultvfs *vfs = real == NULL ? NULL : calloc(1, sizeof *vfs);
    if (vfs == NULL) {
        return NULL;
    }
    vfs->below = real;
    vfs->fault = *fault;
    vfs->base = (sqlite3_vfs){.iVersion = 1,
                              .szOsFile = (int)sizeof(fault_file) + real->szOsFile,
                              .mxPathname = real->mxPathname,
                              .zName = "midcommit-fault",
                              .pAppData = vfs,
                              .xOpen = fault_open,
                              .xDelete = fault_delete,
                              .xAccess = fault_access,
                              .xFullPathname = fault_path,
                              .xRandomness = fault_random,
                              .xSleep = fault_sleep,
                              .xCurrentTime = fault_time,
                              .xGetLastError = fault_last_error};
    if (sqlite3_vfs_register(&vfs->base, 0) != SQLITE_OK) {
        free(vfs);
        return NULL;
    }
    return vfs;
}

const char *mc_faultvfs_name(const mc_faultvfs *vfs)
{
    return vfs->base.zName;
}

uint64_t mc_faultvfs_calls(const mc_faultvfs *vfs)
{
    return vfs->calls;
}

void mc_faultvfs_close(mc_faultvfs *vfs)
{
    (void)sqlite3_vfs_unregister(&vfs->base);
    free(vfs);
}
