#include "harness/host/infile.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static mc_status io_error(const mc_infile *in, mc_error *error)
{
    return mc_fail(error, MC_IO, "io", "%s: %s", in->path, strerror(errno));
}

static mc_status changed(const mc_infile *in, mc_error *error)
{
    return mc_fail(error, MC_IO, "changed", "%s: changed while it was read", in->path);
}

mc_status mc_infile_open(mc_infile *in, const char *path, uint64_t limit_bytes, mc_error *error)
{
    *in = (mc_infile){.path = path, .fd = -1};
    /* Without O_NONBLOCK the open of a FIFO would wait for a writer. */
    in->fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (in->fd < 0) {
        return errno == ENOENT ? MC_OK : io_error(in, error);
    }
    mc_status status = MC_OK;
    if (fstat(in->fd, &in->opened) != 0) {
        status = io_error(in, error);
    } else if (!S_ISREG(in->opened.st_mode)) {
        status = mc_fail(error, MC_IO, "not-a-file", "%s: expected a regular file", path);
    } else if ((uint64_t)in->opened.st_size > limit_bytes) {
        status = mc_fail(error, MC_MALFORMED, "too-large",
                         "%s: expected at most %" PRIu64 " bytes, found %lld", path, limit_bytes,
                         (long long)in->opened.st_size);
    }
    if (status != MC_OK) {
        mc_infile_close(in);
    }
    return status;
}

mc_status mc_infile_read(mc_infile *in, mc_arena *arena, mc_error *error)
{
    assert(in->fd >= 0);
    size_t size = (size_t)in->opened.st_size;
    uint8_t *data = mc_arena_alloc(arena, size + 1); /* one more, to see an end that has moved */
    if (data == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "%s: no memory for %zu bytes", in->path,
                       size);
    }
    size_t have = 0;
    while (have <= size) {
        ssize_t got = read(in->fd, data + have, size + 1 - have);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return io_error(in, error);
        }
        if (got == 0) {
            break;
        }
        have += (size_t)got;
    }
    if (have != size) {
        return changed(in, error);
    }
    in->file = (mc_file){.exists = true, .data = size == 0 ? NULL : data, .size = size};
    return MC_OK;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

mc_status mc_infile_unchanged(const mc_infile *in, mc_error *error)
{
    struct stat now;
    bool there = stat(in->path, &now) == 0;
    if (!there && errno != ENOENT) {
        return io_error(in, error);
    }
    bool same = there == (in->fd >= 0);
    if (same && there) {
        same = now.st_dev == in->opened.st_dev && now.st_ino == in->opened.st_ino &&
               now.st_size == in->opened.st_size && same_time(&now.st_mtim, &in->opened.st_mtim) &&
               same_time(&now.st_ctim, &in->opened.st_ctim);
    }
    return same ? MC_OK : changed(in, error);
}

void mc_infile_close(mc_infile *in)
{
    if (in->fd >= 0) {
        (void)close(in->fd);
    }
    in->fd = -1;
}
