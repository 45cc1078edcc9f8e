#include "harness/host/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4200 };

static mc_status io_error(mc_error *error, const char *path)
{
    return mc_fail(error, MC_IO, "io", "%s: %s", path, strerror(errno));
}

mc_status mc_outfile_open(mc_outfile *file, const char *path, mc_error *error)
{
    if (strlen(path) >= sizeof file->path || path[0] == '\0') {
        return mc_fail(error, MC_IO, "io", "%.60s...: the path is empty or too long", path);
    }
    struct stat there;
    if (stat(path, &there) == 0 && !S_ISREG(there.st_mode)) {
        return mc_fail(error, MC_IO, "not-a-file", "%s: is there and is no regular file", path);
    }
    (void)snprintf(file->path, sizeof file->path, "%s", path);
    (void)snprintf(file->temporary, sizeof file->temporary, "%s.XXXXXX", path);
    file->fd = mkstemp(file->temporary);
    if (file->fd < 0) {
        return io_error(error, path);
    }
    mode_t mask = umask(0);
    (void)umask(mask);
    if (fchmod(file->fd, 0666 & ~mask) != 0) {
        mc_outfile_abandon(file);
        return io_error(error, path);
    }
    return MC_OK;
}

static bool write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        data += n;
        size -= (size_t)n;
    }
    return true;
}

mc_status mc_outfile_write(mc_outfile *file, const void *data, size_t size, mc_error *error)
{
    return write_all(file->fd, data, size) ? MC_OK : io_error(error, file->path);
}

mc_status mc_outfile_sync_folder(const char *path, mc_error *error)
{
    char folder[4096];
    (void)snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash == NULL) {
        (void)snprintf(folder, sizeof folder, ".");
    } else {
        slash[slash == folder ? 1 : 0] = '\0';
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    mc_status status = fd >= 0 && fsync(fd) == 0 ? MC_OK : io_error(error, path);
    if (fd >= 0) {
        (void)close(fd);
    }
    return status;
}

mc_status mc_outfile_commit(mc_outfile *file, mc_error *error)
{
    if (fsync(file->fd) != 0 || rename(file->temporary, file->path) != 0) {
        mc_status status = io_error(error, file->path);
        mc_outfile_abandon(file);
        return status;
    }
    return close(file->fd) == 0 ? mc_outfile_sync_folder(file->path, error)
                                : io_error(error, file->path);
}

void mc_outfile_abandon(mc_outfile *file)
{
    (void)close(file->fd);
    (void)unlink(file->temporary);
}

static bool one_file(const char *a, const char *b)
{
    struct stat one;
    struct stat other;
    return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

bool mc_outfile_same(const char *a, const char *b)
{
    const char *name_a = strrchr(a, '/') == NULL ? a : strrchr(a, '/') + 1;
    const char *name_b = strrchr(b, '/') == NULL ? b : strrchr(b, '/') + 1;
    char folder_a[PATH_BYTES];
    char folder_b[PATH_BYTES];
    (void)snprintf(folder_a, sizeof folder_a, "%.*s.", (int)(name_a - a), a);
    (void)snprintf(folder_b, sizeof folder_b, "%.*s.", (int)(name_b - b), b);
    return strcmp(a, b) == 0 || one_file(a, b) ||
           (strcmp(name_a, name_b) == 0 && one_file(folder_a, folder_b));
}

mc_status mc_outfile_put(const char *path, const void *data, size_t size, mc_error *error)
{
    if (strcmp(path, "-") == 0) {
        return write_all(1, data, size) ? MC_OK : io_error(error, "standard output");
    }
    mc_outfile file;
    mc_status status = mc_outfile_open(&file, path, error);
    if (status != MC_OK) {
        return status;
    }
    status = mc_outfile_write(&file, data, size, error);
    if (status != MC_OK) {
        mc_outfile_abandon(&file);
        return status;
    }
    return mc_outfile_commit(&file, error);
}
