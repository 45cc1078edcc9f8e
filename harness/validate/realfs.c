#include "harness/validate/realfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/loop.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, MIB = 1 << 20, PAGE = 4096 };

/* Hidden in our namespace by a file system in memory; every system has it. */
#define WORLD_FOLDER "/mnt"

/* The smallest disks on which they work as on large ones; no discards, which nobody would log. */
#define EXT4_MAKE                                                                                  \
    {                                                                                              \
        "mkfs.ext4", "-q", "-F", "-b", "4096", "-J", "size=4", "-N", "128", "-E",                  \
            "nodiscard,lazy_itable_init=0,lazy_journal_init=0", NULL                               \
    }

const mc_realfs mc_realfs_rows[] = {
    {"ext4", "ext4", "data=ordered,nodiscard", 24 * MIB, EXT4_MAKE, "ext4"},
    {"ext4-lock", "ext4", "data=ordered,dioread_lock,nodiscard", 24 * MIB, EXT4_MAKE,
     "ext4-ordered"},
    {"ext4-writeback", "ext4", "data=writeback,nodiscard", 24 * MIB, EXT4_MAKE, "ext4-writeback"},
    {"xfs", "xfs", "nodiscard", 320 * MIB, {"mkfs.xfs", "-q", "-f", "-K", NULL}, "xfs"},
    {"btrfs", "btrfs", "nodiscard", 128 * MIB, {"mkfs.btrfs", "-q", "-f", "-K", NULL}, "btrfs"},
    {.name = NULL},
};

static mc_status fail(mc_error *error, const char *path, const char *what)
{
    return mc_fail(error, MC_IO, "realfs", "%s: %s: %s", path, what, strerror(errno));
}

/* Root of a container may not be allowed what root of a machine is. */
static bool may_have_a_world(void)
{
    pid_t process = fork();
    if (process == 0) {
        bool may = unshare(CLONE_NEWNS | CLONE_NEWPID) == 0 &&
                   mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                   mount("midcommit", WORLD_FOLDER, "tmpfs", 0, "mode=0700") == 0;
        _exit(may ? 0 : 1);
    }
    int status = 1;
    while (process > 0 && waitpid(process, &status, 0) < 0 && errno == EINTR) {
    }
    return process > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

const char *mc_realfs_cannot(void)
{
    if (geteuid() != 0) {
        return "needs root";
    }
    if (access("/dev/fuse", R_OK | W_OK) != 0) {
        return "no /dev/fuse";
    }
    int fd = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return "no loop devices";
    }
    (void)close(fd);
    return may_have_a_world() ? NULL : "no mounts in a namespace of our own";
}

static bool is_on_path(const char *program)
{
    static const char *const folders[] = {"/usr/sbin", "/sbin", "/usr/bin", "/bin",
                                          "/usr/local/sbin"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char path[PATH_BYTES];
        (void)snprintf(path, sizeof path, "%s/%s", folders[i], program);
        if (access(path, X_OK) == 0) {
            return true;
        }
    }
    return false;
}

static bool kernel_knows(const char *type)
{
    char line[200];
    bool known = false;
    FILE *list = fopen("/proc/filesystems", "re");
    while (list != NULL && fgets(line, sizeof line, list) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        const char *name = strrchr(line, '\t');
        known = known || (name != NULL && strcmp(name + 1, type) == 0);
    }
    if (list != NULL) {
        (void)fclose(list);
    }
    return known;
}

static int run_program(const char *const *words, const char *last)
{
    pid_t process = fork();
    if (process == 0) {
        char *all[20] = {NULL};
        int null = open("/dev/null", O_RDWR);
        for (size_t i = 0; words[i] != NULL; i++) {
            all[i] = (char *)words[i];
            all[i + 1] = (char *)last;
        }
        (void)dup2(null, 0);
        (void)dup2(null, 1);
        (void)dup2(null, 2);
        (void)setenv("PATH", "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin", 1);
        (void)execvp(all[0], all);
        _exit(127);
    }
    int status = 0;
    while (process > 0 && waitpid(process, &status, 0) < 0 && errno == EINTR) {
    }
    return process > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

const char *mc_realfs_lacks(const mc_realfs *fs)
{
    static const char *const modprobe[] = {"modprobe", "-q", NULL};
    if (!is_on_path(fs->make[0])) {
        return "its mkfs is not there";
    }
    if (!kernel_knows(fs->type)) {
        (void)run_program(modprobe, fs->type);
    }
    return kernel_knows(fs->type) ? NULL : "this kernel does not know it";
}

/* ---- a world of its own ---- */

typedef struct world {
    mc_status (*work)(void *context, const char *folder, mc_error *error);
    void *context;
    mc_error *error; /* shared */
} world;

/* The first process of the namespaces. */
static mc_status be_first(const world *w)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("midcommit", WORLD_FOLDER, "tmpfs", 0, "mode=0700") != 0) {
        return fail(w->error, WORLD_FOLDER, "cannot mount a tmpfs");
    }
    return w->work(w->context, WORLD_FOLDER, w->error);
}

static mc_status enter(const world *w)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (unshare(CLONE_NEWNS | CLONE_NEWPID) != 0) {
        return fail(w->error, "namespaces", "cannot make them");
    }
    pid_t first = fork();
    if (first == 0) {
        _exit((int)be_first(w));
    }
    int status = 0;
    while (first > 0 && waitpid(first, &status, 0) < 0 && errno == EINTR) {
    }
    if (first > 0 && WIFEXITED(status)) {
        return (mc_status)WEXITSTATUS(status);
    }
    return mc_fail(w->error, MC_IO, "realfs", "the lane's process died%s%s",
                   first > 0 && WIFSIGNALED(status) ? " of " : "",
                   first > 0 && WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "");
}

mc_status mc_realfs_world(mc_status (*work)(void *context, const char *folder, mc_error *error),
                          void *context, mc_error *error)
{
    mc_error *told =
        mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (told == MAP_FAILED) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "realfs: out of memory");
    }
    world w = {work, context, told};
    (void)fflush(NULL);
    pid_t process = fork();
    if (process == 0) {
        _exit((int)enter(&w));
    }
    int status = 0;
    while (process > 0 && waitpid(process, &status, 0) < 0 && errno == EINTR) {
    }
    mc_status result = MC_OK;
    if (process < 0 || !WIFEXITED(status)) {
        result = mc_fail(error, MC_IO, "realfs", "the lane's process died");
    } else if (WEXITSTATUS(status) != 0) {
        *error = *told;
        result = told->status != MC_OK ? told->status
                                       : mc_fail(error, MC_IO, "realfs", "the lane's process died");
    }
    (void)munmap(told, sizeof *told);
    return result;
}

/* ---- disks ---- */

mc_status mc_realfs_make(const mc_realfs *fs, const char *image, mc_error *error)
{
    int fd = open(image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && ftruncate(fd, (off_t)fs->bytes) == 0;
    if (!ok || close(fd) != 0) {
        return fail(error, image, "cannot make it");
    }
    int code = run_program(fs->make, image);
    return code == 0 ? MC_OK
                     : mc_fail(error, MC_IO, "realfs", "%s: exit status %d", fs->make[0], code);
}

/* Attaches the file to a free loop device, which detaches itself when nobody has it open any more.
 * Returns its descriptor, or -1. */
static int attach(const char *image, char device[32])
{
    int file = open(image, O_RDWR | O_CLOEXEC);
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    int fd = -1;
    for (int i = 0; file >= 0 && control >= 0 && fd < 0 && i < 100; i++) {
        struct loop_config config = {.fd = (uint32_t)file, .info.lo_flags = LO_FLAGS_AUTOCLEAR};
        int number = ioctl(control, LOOP_CTL_GET_FREE);
        (void)snprintf(device, 32, "/dev/loop%d", number);
        fd = number < 0 ? -1 : open(device, O_RDWR | O_CLOEXEC);
        if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &config) != 0) {
            (void)close(fd); /* somebody else took it */
            fd = -1;
        }
        if (fd < 0) {
            (void)nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        }
    }
    int failed = errno;
    (void)close(file);
    (void)close(control);
    errno = failed;
    return fd;
}

static bool has_write_cache(const char *device)
{
    char path[100];
    char text[20] = "";
    (void)snprintf(path, sizeof path, "/sys/block/%s/queue/write_cache", device + strlen("/dev/"));
    FILE *file = fopen(path, "re");
    bool read = file != NULL && fgets(text, sizeof text, file) != NULL;
    if (file != NULL) {
        (void)fclose(file);
    }
    return read && strncmp(text, "write back", 10) == 0;
}

/* btrfs remembers a device after the unmount and then refuses an older state of the same disk. */
static void forget(const mc_mounted *mounted)
{
    if (strcmp(mounted->fs->type, "btrfs") == 0) {
        struct btrfs_ioctl_vol_args which = {.fd = 0};
        int control = open("/dev/btrfs-control", O_RDWR | O_CLOEXEC);
        (void)snprintf(which.name, sizeof which.name, "%s", mounted->device);
        (void)ioctl(control, BTRFS_IOC_FORGET_DEV, &which);
        (void)close(control);
    }
}

mc_status mc_realfs_mount(const mc_realfs *fs, const char *image, const char *folder,
                          mc_mounted *out, mc_error *error)
{
    *out = (mc_mounted){.fs = fs, .folder = folder};
    int fd = attach(image, out->device);
    if (fd < 0) {
        return fail(error, image, "cannot attach it to a loop device");
    }
    out->write_back = has_write_cache(out->device);
    int code = mount(out->device, folder, fs->type, 0, fs->options);
    int failed = errno;
    (void)close(fd); /* from now on the mount holds the device */
    errno = failed;
    if (code != 0) {
        (void)fail(error, fs->name, "cannot be mounted");
        forget(out);
        return error->status;
    }
    return MC_OK;
}

mc_status mc_realfs_unmount(const mc_mounted *mounted, mc_error *error)
{
    for (int i = 0; umount2(mounted->folder, 0) != 0; i++) {
        if (errno != EBUSY || i == 200) {
            return fail(error, mounted->fs->name, "cannot be unmounted");
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    forget(mounted);
    return MC_OK;
}

static bool copy_pages(int source, int target, off_t size)
{
    static const uint8_t zeros[PAGE];
    uint8_t page[PAGE];
    for (off_t at = lseek(source, 0, SEEK_DATA); at >= 0 && at < size;) {
        off_t hole = lseek(source, at, SEEK_HOLE);
        for (; at < hole; at += PAGE) {
            ssize_t n = pread(source, page, sizeof page, at);
            if (n <= 0 ||
                (memcmp(page, zeros, (size_t)n) != 0 && pwrite(target, page, (size_t)n, at) != n)) {
                return false;
            }
        }
        at = lseek(source, at, SEEK_DATA);
    }
    return true;
}

mc_status mc_realfs_copy(const char *source, const char *target, mc_error *error)
{
    struct stat info;
    int from = open(source, O_RDONLY | O_CLOEXEC);
    (void)unlink(target);
    int to = open(target, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok = from >= 0 && to >= 0 && fstat(from, &info) == 0 && ftruncate(to, info.st_size) == 0 &&
              copy_pages(from, to, info.st_size);
    mc_status status = ok ? MC_OK : fail(error, target, "cannot copy");
    (void)close(from);
    (void)close(to);
    return status;
}
