/* outfile.h: output files are written whole or not at all.
 *
 * A file is built under a temporary name beside its place, synced, renamed over it, and the folder
 * synced. Until the rename the old file (or none) is there; a failure leaves no trace. */
#ifndef MIDCOMMIT_HARNESS_HOST_OUTFILE_H
#define MIDCOMMIT_HARNESS_HOST_OUTFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/result.h"

typedef struct mc_outfile {
    int fd;
    char path[4096];
    char temporary[4128];
} mc_outfile;

/* MC_IO errors name the path; a path that is there and is no regular file (a device, a folder, a
 * FIFO) is one, because the rename would take its place. After open, exactly one of commit and
 * abandon must follow. */
mc_status mc_outfile_open(mc_outfile *file, const char *path, mc_error *error);
mc_status mc_outfile_write(mc_outfile *file, const void *data, size_t size, mc_error *error);
mc_status mc_outfile_commit(mc_outfile *file, mc_error *error);
void mc_outfile_abandon(mc_outfile *file);

/* Syncs the folder in which `path` has its name. */
mc_status mc_outfile_sync_folder(const char *path, mc_error *error);

/* Are these two names of one file, which may not be there yet? */
bool mc_outfile_same(const char *a, const char *b);

/* All of that for one buffer. The path "-" is standard output. */
mc_status mc_outfile_put(const char *path, const void *data, size_t size, mc_error *error);

#endif
