/* faultvfs.h: an SQLite VFS over another in which one call fails, once.
 *
 * A call is one of xOpen, xDelete, xAccess, xRead, xWrite, xTruncate, xSync, xFileSize, xLock,
 * xCheckReservedLock, xShmMap and xShmLock, on whichever file: those that the operating system can
 * refuse. Locks fail as if another connection had them, the rest as if the disk were broken. The
 * call that fails does nothing. Or none fails, and the disk is read-only. */
#ifndef MIDCOMMIT_FUZZ_FAULTVFS_H
#define MIDCOMMIT_FUZZ_FAULTVFS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct mc_faultvfs mc_faultvfs;

typedef struct mc_fault {
    uint64_t fail_at; /* the number of the call that fails, counted from 1; 0: none */
    bool lies;        /* a write, truncation or deletion that fails says that it did not */
    bool read_only;   /* files are opened for reading, and nothing is deleted */
} mc_fault;

/* Over the registered VFS `below`. Null without memory. */
mc_faultvfs *mc_faultvfs_open(const char *below, const mc_fault *fault);
const char *mc_faultvfs_name(const mc_faultvfs *vfs);

/* How many calls there were. */
uint64_t mc_faultvfs_calls(const mc_faultvfs *vfs);

/* All connections must be closed. */
void mc_faultvfs_close(mc_faultvfs *vfs);

#endif
