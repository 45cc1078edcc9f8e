#include "harness/run/results.h"

#include "harness/host/infile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WHERE_BYTES = 300 };

static const uint64_t merged_limit_bytes = 1 << 30;

/* What is handed over line by line. */
typedef struct lines {
    const char *option; /* "--results", "--merge" */
    const char *path;
    uint64_t number;
    mc_results_fn take;
    void *context;
} lines;

static mc_status fail(const lines *l, const char *why, mc_error *error)
{
    return mc_fail(error, MC_IO, "results", "%s %s: %s", l->option, l->path, why);
}

/* `line` has `size` bytes and is terminated behind them. */
static mc_status take_line(lines *l, const char *line, size_t size, mc_error *error)
{
    char where[WHERE_BYTES];
    (void)snprintf(where, sizeof where, "%s %s: line %" PRIu64, l->option, l->path, ++l->number);
    if (strlen(line) != size) {
        return mc_fail(error, MC_MALFORMED, "results", "%s: not JSON: it has a zero byte", where);
    }
    return l->take(l->context, line, where, error);
}

/* Another process at the same file could have its last line cut off here while it writes it. The
 * lock is this process's alone: children do not have it, and it ends with the process. A file
 * system without locks is used without. */
static bool is_busy(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_SETLK, &lock) != 0 && (errno == EAGAIN || errno == EACCES);
}

mc_status mc_results_open(const char *path, bool resume, mc_results_fn take, void *context,
                          FILE **out, mc_error *error)
{
    lines l = {.option = "--results", .path = path, .take = take, .context = context};
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | (resume ? 0 : O_EXCL), 0666);
    *out = fd < 0 ? NULL : fdopen(fd, "r+");
    if (*out == NULL) {
        return fail(&l,
                    errno == EEXIST ? "exists already; --resume goes on with it" : strerror(errno),
                    error);
    }
    if (is_busy(fd)) {
        return fail(&l, "another process is writing it", error);
    }
    char *line = NULL;
    size_t capacity = 0;
    off_t whole = 0;
    ssize_t size = 0;
    mc_status status = MC_OK;
    while (status == MC_OK && (size = getline(&line, &capacity, *out)) > 0 &&
           line[size - 1] == '\n') {
        line[size - 1] = '\0';
        status = take_line(&l, line, (size_t)size - 1, error);
        whole += size;
    }
    free(line);
    struct stat info;
    if (status == MC_OK && (ferror(*out) != 0 || fstat(fd, &info) != 0 ||
                            (whole < info.st_size && ftruncate(fd, whole) != 0))) {
        status = fail(&l, strerror(errno), error);
    }
    return status;
}

mc_status mc_results_append(FILE *file, const char *path, char *line, mc_error *error)
{
    size_t size = strlen(line);
    line[size] = '\n'; /* in place of the terminator: one write, one whole line */
    ssize_t n = write(fileno(file), line, size + 1);
    line[size] = '\0';
    if (n != (ssize_t)(size + 1)) {
        return mc_fail(error, MC_IO, "results", "--results %s: %s", path,
                       n < 0 ? strerror(errno) : "written in part only");
    }
    return MC_OK;
}

mc_status mc_results_read(const char *path, mc_results_fn take, void *context, mc_error *error)
{
    lines l = {.option = "--merge", .path = path, .take = take, .context = context};
    mc_arena arena = {.limit_bytes = merged_limit_bytes + 4096};
    mc_infile in;
    mc_error why;
    mc_status status = mc_infile_open(&in, path, merged_limit_bytes, &why);
    bool there = in.fd >= 0;
    status = status == MC_OK && there ? mc_infile_read(&in, &arena, &why) : status;
    mc_infile_close(&in);
    if (status != MC_OK || !there) {
        mc_arena_free(&arena);
        return status == MC_OK ? fail(&l, "there is no such file", error)
                               : mc_fail(error, status, why.reason, "--merge: %s", why.text);
    }
    const char *at = (const char *)in.file.data;
    size_t left = (size_t)in.file.size;
    char *line = NULL;
    while (status == MC_OK && left > 0) {
        const char *end = memchr(at, '\n', left);
        if (end == NULL) {
            status = fail(&l, "its last line is cut short; --resume that run first", error);
            break;
        }
        size_t size = (size_t)(end - at);
        line = malloc(size + 1);
        if (line == NULL) {
            status = mc_fail(error, MC_NO_MEMORY, "no-memory", "--merge: out of memory");
            break;
        }
        memcpy(line, at, size);
        line[size] = '\0';
        status = take_line(&l, line, size, error);
        free(line);
        at += size + 1;
        left -= size + 1;
    }
    mc_arena_free(&arena);
    return status;
}
