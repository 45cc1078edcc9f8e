/* realfs.h: real file systems on disks that are files: made, attached to a loop device, mounted.
 *
 * All of it happens in a world of its own (mc_realfs_world): namespaces for mounts and processes,
 * in which nothing can stay behind. When its first process is gone, however it went, the kernel
 * ends the others, takes the mounts apart, and with the last user of a loop device detaches it. */
#ifndef MIDCOMMIT_HARNESS_VALIDATE_REALFS_H
#define MIDCOMMIT_HARNESS_VALIDATE_REALFS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/result.h"

typedef struct mc_realfs {
    const char *name;
    const char *type;    /* as mount(2) calls it */
    const char *options; /* of the mount */
    uint64_t bytes;      /* of the disk */
    const char
        *make[16]; /* the program that makes it, its arguments without the file; ended by null */
    const char *profile; /* which profile (crashsim/power.h) has to contain what is found on it */
} mc_realfs;

extern const mc_realfs mc_realfs_rows[]; /* ended by a row without name */

/* Why this machine cannot do it: no root, no loop devices, no FUSE. Null: it can. */
const char *mc_realfs_cannot(void);

/* Why not this one (its mkfs is not there, the kernel does not know it); null: it can. */
const char *mc_realfs_lacks(const mc_realfs *fs);

/* Runs `work` in a world of its own, with `folder` an empty folder in memory that vanishes with it.
 * MC_OK if it returned MC_OK; else `error` is filled. What `work` wants to tell goes through memory
 * that is shared. */
mc_status mc_realfs_world(mc_status (*work)(void *context, const char *folder, mc_error *error),
                          void *context, mc_error *error);

/* ---- in that world ---- */

mc_status mc_realfs_make(const mc_realfs *fs, const char *image, mc_error *error);

typedef struct mc_mounted {
    const mc_realfs *fs;
    const char *folder;
    char device[32];
    bool write_back; /* the device says that it has a cache that must be flushed */
} mc_mounted;

/* Mounts the disk `image` on `folder`. */
mc_status mc_realfs_mount(const mc_realfs *fs, const char *image, const char *folder,
                          mc_mounted *out, mc_error *error);
mc_status mc_realfs_unmount(const mc_mounted *mounted, mc_error *error);

/* Copies a file into a new one, leaving out what is zeros. */
mc_status mc_realfs_copy(const char *source, const char *target, mc_error *error);

#endif
