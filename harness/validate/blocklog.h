/* blocklog.h: a disk that remembers everything it was told.
 *
 * A process serves one file through FUSE; a loop device on that file is the disk of a file system.
 * What reaches the file reaches the disk: every write with its bytes, and every flush (the loop
 * driver makes a flush of the device an fsync of the file, and splits a forced write into a write
 * and a flush). With each goes where the workload stood at that moment. The image itself is not
 * changed: the server writes to a private copy in memory, so that disks as they were at any moment
 * can be built from the image and the log. */
#ifndef MIDCOMMIT_HARNESS_VALIDATE_BLOCKLOG_H
#define MIDCOMMIT_HARNESS_VALIDATE_BLOCKLOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/result.h"
#include "harness/validate/shim.h"

typedef struct mc_block {
    bool flush; /* all writes before it are on the disk for good; else a write */
    uint64_t offset;
    uint32_t size;
    uint64_t data_at; /* in mc_blocklog.data */
    size_t begun;     /* of the workload (mc_shim_said), when it arrived */
    size_t done;
} mc_block;

/* In memory that the server and its parent share. */
typedef struct mc_blocklog {
    mc_block *block;
    uint8_t *data;
    mc_shim_said *said;
    atomic_size_t count;
    atomic_size_t used;   /* bytes of data */
    atomic_bool serving;  /* the file can be opened */
    atomic_bool overflow; /* there was no room for all */
    char error[200];      /* why the server gave up; or empty */
} mc_blocklog;

/* Is midcommit built with libfuse3? */
bool mc_blocklog_built(void);

mc_blocklog *mc_blocklog_new(mc_shim_said *said); /* null without memory */
void mc_blocklog_free(mc_blocklog *log);

/* Starts a process that serves the file `image` as folder/disk until the folder is unmounted, and
 * dies with its parent. MC_OK once the file can be opened. */
mc_status mc_blocklog_serve(mc_blocklog *log, const char *image, const char *folder, pid_t *server,
                            mc_error *error);

/* Unmounts it and waits for the process. The file must not be in use any more. */
void mc_blocklog_end(const char *folder, pid_t server);

#endif
