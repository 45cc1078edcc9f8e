#include "harness/validate/live.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crashsim/runner.h"
#include "crashsim/stock.h"
#include "crashsim/witness.h"

enum { PATH_BYTES = 4096 };

static const uint64_t WITNESS_LIMIT_BYTES = 16 << 20; /* as the recorder's */

mc_shim_said *mc_live_said(void)
{
    void *memory =
        mmap(NULL, sizeof(mc_shim_said), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void mc_live_said_free(mc_shim_said *said)
{
    if (said != NULL) {
        (void)munmap(said, sizeof *said);
    }
}

static mc_status run(const mc_record_options *options, const mc_shim_plan *plan, mc_error *error)
{
    mc_arena arena = {.limit_bytes = MC_TRACE_ARENA_BYTES};
    mc_program program = {.arena = &arena};
    mc_witness base = plan->trace->witness[0];
    mc_trace log = {.database = {plan->trace->database[0]},
                    .database_count = 1,
                    .witness = &base,
                    .arena.limit_bytes = MC_TRACE_ARENA_BYTES};
    const char *vfs = mc_shim_open(plan, &log);
    if (vfs == NULL) {
        return mc_fail(error, MC_IO, "shim", "SQLite does not take the VFS");
    }
    mc_status status = MC_OK;
    if (options->program != NULL) {
        program = *options->program;
    } else {
        status = mc_program_make(&program, options, error);
    }
    mc_runner runner = {.options = options,
                        .program = &program,
                        .vfs_name = vfs,
                        .settings = plan->trace->statement[0],
                        .trace = &log,
                        .witness_limit_bytes = WITNESS_LIMIT_BYTES};
    status = status == MC_OK ? mc_runner_open(&runner, error) : status;
    for (uint32_t i = 0; status == MC_OK && i < program.program.count; i++) {
        status = mc_runner_script(&runner, program.program.text[i], error);
    }
    if (status == MC_OK) {
        mc_shim_finish();
    }
    return status;
}

pid_t mc_live_start(const mc_record_options *options, const mc_shim_plan *plan, const char *folder)
{
    atomic_store(&plan->said->begun, 0);
    atomic_store(&plan->said->done, 0);
    plan->said->error[0] = '\0';
    (void)fflush(NULL);
    pid_t parent = getpid();
    pid_t process = fork();
    if (process != 0) {
        return process;
    }
    mc_error error = {0};
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(1);
    }
    if (chdir(folder) != 0) {
        (void)snprintf(plan->said->error, sizeof plan->said->error, "%s: %s", folder,
                       strerror(errno));
        _exit(1);
    }
    if (run(options, plan, &error) != MC_OK) {
        (void)snprintf(plan->said->error, sizeof plan->said->error, "%s", error.text);
        _exit(1);
    }
    _exit(0); /* nothing is closed: closing would write */
}

mc_status mc_live_wait(pid_t process, const mc_shim_said *said, bool *killed, mc_error *error)
{
    int status = 0;
    while (waitpid(process, &status, 0) < 0) {
        if (errno != EINTR) {
            return mc_fail(error, MC_IO, "live", "cannot wait for a process: %s", strerror(errno));
        }
    }
    *killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (*killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
        return MC_OK;
    }
    return mc_fail(error, MC_IO, "live", "a workload on real files: %s",
                   said->error[0] != '\0' ? said->error : "its process died");
}

static mc_status fail_file(mc_error *error, const char *path, const char *what)
{
    return mc_fail(error, MC_IO, "live", "%s: cannot %s it: %s", path, what, strerror(errno));
}

static bool write_all(int fd, const uint8_t *data, uint64_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, (size_t)size);
        if (n <= 0) {
            return false;
        }
        data += n;
        size -= (uint64_t)n;
    }
    return true;
}

mc_status mc_live_put(const mc_disk *disk, const char *folder, mc_error *error)
{
    for (uint32_t i = 0; i < disk->file_count; i++) {
        const mc_disk_file *file = &disk->file[i];
        char path[PATH_BYTES];
        if (!file->exists) {
            continue;
        }
        (void)snprintf(path, sizeof path, "%s/%s", folder, file->name);
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd < 0) {
            return fail_file(error, path, "make");
        }
        bool ok = write_all(fd, file->data, file->size);
        if (close(fd) != 0 || !ok) {
            return fail_file(error, path, "write");
        }
    }
    return MC_OK;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);
    return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

static mc_status take_file(int folder, const char *name, mc_disk *out, mc_error *error)
{
    uint8_t bytes[16384];
    uint16_t number = strlen(name) > MC_DISK_NAME_MAX ? MC_DISK_NONE : mc_disk_slot(out, name);
    bool ok = number != MC_DISK_NONE && mc_disk_create(out, number);
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return fail_file(error, name, "open");
    }
    ssize_t n = 1;
    while (ok && n > 0) {
        n = read(fd, bytes, sizeof bytes);
        ok = n <= 0 || mc_disk_write(out, number, out->file[number].size, bytes, (size_t)n);
    }
    int failed = errno;
    (void)close(fd);
    errno = failed;
    if (!ok) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "%s: no memory for it", name);
    }
    return n < 0 ? fail_file(error, name, "read") : MC_OK;
}

mc_status mc_live_take(const mc_disk *disk, const char *folder, mc_disk *out, mc_error *error)
{
    for (uint32_t i = 0; i < disk->file_count; i++) {
        if (mc_disk_slot(out, disk->file[i].name) != i) {
            return mc_fail(error, MC_NO_MEMORY, "no-memory", "%s: out of memory", folder);
        }
    }
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return fail_file(error, folder, "read");
    }
    mc_status status = MC_OK;
    for (struct dirent *entry = readdir(dir); status == MC_OK && entry != NULL;
         entry = readdir(dir)) {
        struct stat info;
        bool is_file = fstatat(dirfd(dir), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
                       S_ISREG(info.st_mode);
        if (is_file && !ends_with(entry->d_name, "-shm")) {
            status = take_file(dirfd(dir), entry->d_name, out, error);
        }
    }
    (void)closedir(dir);
    return status;
}

void mc_live_clear(const char *folder)
{
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return;
    }
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    (void)closedir(dir);
}

bool mc_live_same(const mc_disk *model, const mc_disk *real, char *text, size_t size)
{
    for (uint32_t i = 0; i < real->file_count; i++) {
        const mc_disk_file *b = &real->file[i];
        if (ends_with(b->name, "-shm")) {
            continue;
        }
        static const mc_disk_file none;
        const mc_disk_file *a = i < model->file_count ? &model->file[i] : &none;
        if (a->exists != b->exists) {
            (void)snprintf(text, size, "%s is %s", b->name, b->exists ? "there" : "not there");
            return false;
        }
        if (!a->exists) {
            continue;
        }
        if (a->size != b->size) {
            (void)snprintf(text, size, "%s has %llu bytes, not %llu", b->name,
                           (unsigned long long)b->size, (unsigned long long)a->size);
            return false;
        }
        for (uint64_t at = 0; at < a->size; at++) {
            if (a->data[at] != b->data[at]) {
                (void)snprintf(text, size, "%s differs at %llu", b->name, (unsigned long long)at);
                return false;
            }
        }
    }
    return true;
}

int mc_live_commit(const mc_trace *trace, const mc_stock *stock, mc_arena *arena)
{
    bool missing = stock->code == SQLITE_CANTOPEN;
    if (!missing && (stock->code != SQLITE_OK || stock->page_count < 0)) {
        return -2;
    }
    mc_image image = {0};
    if (!missing && stock->image != NULL && stock->page_count > 0) {
        uint32_t count = (uint32_t)stock->page_count;
        const uint8_t **page = mc_arena_calloc(arena, count, sizeof *page);
        uint32_t page_size = (uint32_t)(stock->image_size / stock->page_count);
        for (uint32_t i = 0; page != NULL && i < count; i++) {
            page[i] = stock->image + (size_t)i * page_size;
        }
        image = (mc_image){page_size, page == NULL ? 0 : count, page};
    }
    mc_witness now;
    if (!mc_witness_of_image(&image, arena, &now)) {
        return -2;
    }
    for (uint32_t k = trace->commit_count + 1; k > 0; k--) {
        const mc_witness *then = &trace->witness[k - 1];
        if (mc_witness_equal(&now, then) || (now.page_count == 0 && then->page_count == 0)) {
            return (int)k - 1;
        }
    }
    return -1;
}
