/* memvfs.h: a disk (disk.h) as an SQLite VFS that behaves as SQLite's unix VFS on one machine.
 *
 * Used twice: recording (a trace is given; every operation on a named file is appended to it) and
 * judging (no trace; stock SQLite recovers a disk state in place).
 *
 * As unix: sector size 4096 with powersafe overwrite, so the pager uses 512-byte journal headers;
 * xAccess(EXISTS) says no for an empty file (os_unix.c unixAccess); the first sync of a handle that
 * may have created a journal, a super-journal or a WAL also syncs the directory; POSIX-like locks
 * between connections of this VFS; shared memory for the WAL index on the heap, beside a file that
 * stays empty. Temporary and unnamed files live outside the disk and leave no trace. Time and
 * randomness are functions of the seed. One VFS belongs to one thread at a time. */
#ifndef MIDCOMMIT_CRASHSIM_MEMVFS_H
#define MIDCOMMIT_CRASHSIM_MEMVFS_H

#include "crashsim/reads.h"
#include "crashsim/trace.h"

typedef struct mc_memvfs mc_memvfs;

/* Of device_characteristics: the disk promises nothing. */
enum { MC_DEVICE_PLAIN = -1 };

typedef struct mc_memvfs_options {
    mc_disk *disk;
    mc_trace *trace;           /* null: do not record; its file numbers are those of `disk` */
    const uint32_t *statement; /* where the recorder keeps the running statement's index; or null */
    uint64_t seed;
    int device_characteristics; /* 0: SQLITE_IOCAP_POWERSAFE_OVERWRITE; not BATCH_ATOMIC */
    int sector_size;            /* 0: 4096 */
} mc_memvfs_options;

/* Registers the VFS under a unique name and makes it the process's default, so that SQLite seeds
 * its own generator from it; resets that generator. Null without memory. */
mc_memvfs *mc_memvfs_open(const mc_memvfs_options *options);
const char *mc_memvfs_name(const mc_memvfs *vfs);

/* From now on, what is read of the disk is noted there, by its file numbers; null: nowhere. */
void mc_memvfs_note(mc_memvfs *vfs, mc_reads *reads);

/* Forgets locks and shared memory, as when every process that had the files open is gone. All
 * connections must be closed or hold no lock. Restarts time and randomness from the seed. */
void mc_memvfs_restart(mc_memvfs *vfs);

/* As restart for the WAL index of every file, but connections may stay open: the next reader
 * finds no index and recovers it from the WAL, as the first opener after a crash does. */
void mc_memvfs_drop_shm(mc_memvfs *vfs);

/* Unregisters and frees. All connections must be closed. */
void mc_memvfs_close(mc_memvfs *vfs);

#endif
