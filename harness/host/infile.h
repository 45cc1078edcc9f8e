/* infile.h: input files, read whole and with care.
 *
 * Only regular files are read (a FIFO would block, a device never end), only up to a limit, and a
 * file that is changed while it is read is noticed by its size and times. */
#ifndef MIDCOMMIT_HARNESS_HOST_INFILE_H
#define MIDCOMMIT_HARNESS_HOST_INFILE_H

#include <sys/stat.h>

#include "core/arena.h"
#include "core/importer.h"

typedef struct mc_infile {
    const char *path; /* borrowed */
    int fd;           /* -1: there is no such file */
    struct stat opened;
    mc_file file; /* bytes in the arena */
} mc_infile;

/* A file that does not exist is MC_OK with fd -1. MC_IO: it cannot be opened, or is no regular
 * file; MC_MALFORMED "too-large": it has more than `limit_bytes`. */
mc_status mc_infile_open(mc_infile *in, const char *path, uint64_t limit_bytes, mc_error *error);

/* Reads what mc_infile_open found into `in->file`. MC_IO "changed" when the file's end is elsewhere
 * by then. */
mc_status mc_infile_read(mc_infile *in, mc_arena *arena, mc_error *error);

/* MC_IO "changed" when the file, or what its path names, is not what was opened any more. */
mc_status mc_infile_unchanged(const mc_infile *in, mc_error *error);

void mc_infile_close(mc_infile *in);

#endif
