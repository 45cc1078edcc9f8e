#include "harness/validate/blocklog.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const size_t BLOCKS_MAX = (size_t)1 << 18;
static const size_t DATA_MAX = (size_t)1 << 30;

static void *share(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

mc_blocklog *mc_blocklog_new(mc_shim_said *said)
{
    mc_blocklog *log = share(sizeof *log);
    if (log == NULL) {
        return NULL;
    }
    log->said = said;
    log->block = share(BLOCKS_MAX * sizeof *log->block);
    log->data = share(DATA_MAX);
    if (log->block == NULL || log->data == NULL) {
        mc_blocklog_free(log);
        return NULL;
    }
    return log;
}

void mc_blocklog_free(mc_blocklog *log)
{
    if (log != NULL) {
        if (log->block != NULL) {
            (void)munmap(log->block, BLOCKS_MAX * sizeof *log->block);
        }
        if (log->data != NULL) {
            (void)munmap(log->data, DATA_MAX);
        }
        (void)munmap(log, sizeof *log);
    }
}

#ifdef MIDCOMMIT_FUSE3

#define FUSE_USE_VERSION 35
#include <fuse3/fuse.h>

bool mc_blocklog_built(void)
{
    return true;
}

/* One server to a process. */
static mc_blocklog *served;
static uint8_t *disk;
static uint64_t disk_bytes;

static int disk_getattr(const char *path, struct stat *out, struct fuse_file_info *info)
{
    (void)info;
    *out = (struct stat){.st_mode = S_IFDIR | 0700, .st_nlink = 2};
    if (strcmp(path, "/disk") == 0) {
        *out =
            (struct stat){.st_mode = S_IFREG | 0600, .st_nlink = 1, .st_size = (off_t)disk_bytes};
    } else if (strcmp(path, "/") != 0) {
        return -ENOENT;
    }
    return 0;
}

/* Past the page cache: what the loop device writes arrives at once and in its order. */
static int disk_open(const char *path, struct fuse_file_info *info)
{
    info->direct_io = 1;
    return strcmp(path, "/disk") == 0 ? 0 : -ENOENT;
}

static int disk_read(const char *path, char *out, size_t size, off_t offset,
                     struct fuse_file_info *info)
{
    (void)path;
    (void)info;
    uint64_t at = (uint64_t)offset;
    size = at >= disk_bytes ? 0 : size < disk_bytes - at ? size : (size_t)(disk_bytes - at);
    memcpy(out, disk + at, size);
    return (int)size;
}

static void remember(mc_block block, const void *data)
{
    mc_blocklog *log = served;
    size_t count = atomic_load(&log->count);
    size_t used = atomic_load(&log->used);
    if (count == BLOCKS_MAX || used + block.size > DATA_MAX) {
        atomic_store(&log->overflow, true);
        return;
    }
    if (block.size > 0) {
        memcpy(log->data + used, data, block.size);
    }
    block.data_at = used;
    /* In this order: what has begun by now may be more than what had when `done` was read. */
    block.done = atomic_load(&log->said->done);
    block.begun = atomic_load(&log->said->begun);
    log->block[count] = block;
    atomic_store(&log->used, used + block.size);
    atomic_store(&log->count, count + 1);
}

static int disk_write(const char *path, const char *data, size_t size, off_t offset,
                      struct fuse_file_info *info)
{
    (void)path;
    (void)info;
    if ((uint64_t)offset > disk_bytes || size > disk_bytes - (uint64_t)offset) {
        return -ENOSPC;
    }
    remember((mc_block){.offset = (uint64_t)offset, .size = (uint32_t)size}, data);
    memcpy(disk + offset, data, size);
    return (int)size;
}

static int disk_fsync(const char *path, int data_only, struct fuse_file_info *info)
{
    (void)path;
    (void)data_only;
    (void)info;
    remember((mc_block){.flush = true}, NULL);
    return 0;
}

static void *disk_init(struct fuse_conn_info *connection, struct fuse_config *config)
{
    (void)connection;
    (void)config;
    atomic_store(&served->serving, true);
    return NULL;
}

static const struct fuse_operations operations = {
    .getattr = disk_getattr,
    .open = disk_open,
    .read = disk_read,
    .write = disk_write,
    .fsync = disk_fsync,
    .init = disk_init,
};

static _Noreturn void serve(mc_blocklog *log, const char *image, const char *folder)
{
    char name[] = "midcommit";
    char *words[] = {name, NULL};
    struct fuse_args arguments = FUSE_ARGS_INIT(1, words);
    struct stat info;
    int fd = open(image, O_RDONLY | O_CLOEXEC);
    served = log;
    if (fd < 0 || fstat(fd, &info) != 0) {
        (void)snprintf(log->error, sizeof log->error, "%s: %s", image, strerror(errno));
        _exit(1);
    }
    disk_bytes = (uint64_t)info.st_size;
    disk =
        mmap(NULL, (size_t)disk_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
    struct fuse *fuse =
        disk == MAP_FAILED ? NULL : fuse_new(&arguments, &operations, sizeof operations, NULL);
    if (fuse == NULL || fuse_mount(fuse, folder) != 0) {
        (void)snprintf(log->error, sizeof log->error, "FUSE cannot be mounted");
        _exit(1);
    }
    int code = fuse_loop(fuse);
    _exit(code == 0 ? 0 : 1);
}

#else

bool mc_blocklog_built(void)
{
    return false;
}

static _Noreturn void serve(mc_blocklog *log, const char *image, const char *folder)
{
    (void)image;
    (void)folder;
    (void)snprintf(log->error, sizeof log->error, "built without libfuse3");
    _exit(1);
}

#endif

mc_status mc_blocklog_serve(mc_blocklog *log, const char *image, const char *folder, pid_t *server,
                            mc_error *error)
{
    enum { WAITS_MAX = 5000 };
    atomic_store(&log->count, 0);
    atomic_store(&log->used, 0);
    atomic_store(&log->serving, false);
    atomic_store(&log->overflow, false);
    log->error[0] = '\0';
    (void)fflush(NULL);
    *server = fork();
    if (*server == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(log, image, folder);
    }
    for (int i = 0; *server > 0 && i < WAITS_MAX && !atomic_load(&log->serving); i++) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        if (log->error[0] != '\0') {
            break;
        }
    }
    if (*server > 0 && atomic_load(&log->serving)) {
        return MC_OK;
    }
    if (*server > 0) {
        (void)kill(*server, SIGKILL);
        (void)waitpid(*server, NULL, 0);
    }
    return mc_fail(error, MC_IO, "blocklog", "cannot serve a disk: %s",
                   log->error[0] != '\0' ? log->error : "the server does not answer");
}

void mc_blocklog_end(const char *folder, pid_t server)
{
    enum { WAITS_MAX = 400 };
    for (int i = 0; umount2(folder, 0) != 0; i++) { /* the loop device lets go a little later */
        if (errno != EBUSY || i == WAITS_MAX) {
            (void)umount2(folder, MNT_DETACH);
            (void)kill(server, SIGKILL);
            break;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    (void)waitpid(server, NULL, 0);
}
