#include "harness/importer/importers.h"

#include "core/recover.h"
#include "crashsim/dump.h"
#include "harness/importer/broken.h"
#include "harness/importer/fieldset.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_REFUSED = 3, PATH_BYTES = 4096, TIME_LIMIT_MS = 60000 };

typedef struct builtin {
    const char *name;
    mc_importer_kind kind;
} builtin;

static const builtin builtins[] = {
    {"reject", MC_IMPORTER_REJECT},
    {"abandon", MC_IMPORTER_ABANDON},
    {"recover", MC_IMPORTER_RECOVER},
    {"sqlite", MC_IMPORTER_SQLITE},
};

/* Cuts the next item off a comma list; "\," is a comma inside an item. */
static char *next_item(char **list)
{
    char *from = *list;
    if (from == NULL) {
        return NULL;
    }
    char *to = from;
    char *out = from;
    for (; *to != '\0' && *to != ','; to++) {
        if (to[0] == '\\' && to[1] == ',') {
            to++;
        }
        *out++ = *to;
    }
    *list = *to == ',' ? to + 1 : NULL;
    *out = '\0';
    return from;
}

static mc_status load_library(mc_chosen *chosen, const char *path, mc_error *error)
{
    /* A name without a slash would be searched for in system folders; the user means a file. */
    char file[PATH_BYTES];
    (void)snprintf(file, sizeof file, "%s%s", strchr(path, '/') == NULL ? "./" : "", path);
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        return mc_fail(error, MC_USAGE, "importer", "--importer so:%s: %s", path, dlerror());
    }
    const mc_importer *(*get)(void) = NULL;
    *(void **)&get = dlsym(library, "midcommit_importer");
    chosen->core = get == NULL ? NULL : get();
    if (chosen->core == NULL) {
        (void)dlclose(library);
        return mc_fail(error, MC_USAGE, "importer",
                       "--importer so:%s: it exports no midcommit_importer()", path);
    }
    if (chosen->core->import == NULL) {
        return mc_fail(error, MC_USAGE, "importer", "--importer so:%s: it has no import function",
                       path);
    }
    if (chosen->core->abi != MC_IMPORTER_ABI) {
        return mc_fail(error, MC_USAGE, "importer",
                       "--importer so:%s: its interface is version %u, expected %u", path,
                       chosen->core->abi, MC_IMPORTER_ABI);
    }
    return MC_OK;
}

/* The command runs in another folder, so a program's path must not depend on this one. */
static mc_status find_program(mc_chosen *chosen, mc_arena *arena, mc_error *error)
{
    struct stat info;
    if (stat(chosen->command, &info) != 0 || !S_ISREG(info.st_mode) ||
        access(chosen->command, X_OK) != 0) {
        return MC_OK;
    }
    char *path = realpath(chosen->command, NULL);
    size_t size = path == NULL ? 0 : strlen(path) + 1;
    char *kept = path == NULL ? NULL : mc_arena_alloc(arena, size);
    if (kept == NULL) {
        free(path);
        return mc_fail(error, MC_IO, "importer", "--importer %s: its path cannot be resolved",
                       chosen->name);
    }
    memcpy(kept, path, size);
    free(path);
    chosen->program = kept;
    return MC_OK;
}

/* A ready importer that is a program. MC_REFUSED: the machine's sqlite3 program cannot do it. */
static mc_status find_script(const mc_field_row *row, mc_chosen *chosen, mc_importers *out,
                             mc_error *error)
{
    char path[PATH_BYTES];
    bool able = false;
    mc_status status = mc_fieldset_script(row, path, sizeof path, error);
    status =
        status == MC_OK ? mc_fieldset_shell(out->shell, sizeof out->shell, &able, error) : status;
    if (status == MC_OK && !able) {
        status = mc_fail(error, MC_REFUSED, "sqlite3",
                         "--importer %s: the sqlite3 program (%s) was built without sqlite_dbpage",
                         row->name, out->shell);
        out->shell[0] = '\0';
    }
    if (status != MC_OK) {
        return status;
    }
    size_t size = strlen(path) + 1;
    char *kept = mc_arena_alloc(&out->arena, size);
    if (kept == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "importer: out of memory");
    }
    chosen->program = memcpy(kept, path, size);
    return MC_OK;
}

static mc_status choose_ready(const char *item, mc_importers *out, mc_error *error)
{
    const mc_field_row *row = mc_fieldset_find(item);
    if (row == NULL) {
        return mc_fail(error, MC_USAGE, "importer",
                       "--importer: \"%s\" is no ready importer; see midcommit run --list", item);
    }
    mc_chosen chosen = {.kind = MC_IMPORTER_EXEC, .name = row->name, .command = row->name};
    mc_status status = row->run == NULL ? find_script(row, &chosen, out, error) : MC_OK;
    if (status == MC_OK) {
        out->ready = true;
        out->chosen[out->count] = chosen;
    }
    return status;
}

static mc_status choose(const char *item, mc_importers *out, mc_error *error)
{
    mc_chosen *chosen = &out->chosen[out->count];
    chosen->name = item;
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++) {
        if (strcmp(item, builtins[i].name) == 0) {
            chosen->kind = builtins[i].kind;
            chosen->core = mc_importer_find(item);
            return MC_OK;
        }
    }
    if (mc_broken_find(item) != NULL) {
        chosen->kind = MC_IMPORTER_BROKEN;
        chosen->core = mc_broken_find(item);
        return MC_OK;
    }
    if (strncmp(item, "exec:", 5) == 0 && item[5] != '\0') {
        chosen->kind = MC_IMPORTER_EXEC;
        chosen->command = item + 5;
        return find_program(chosen, &out->arena, error);
    }
    if (item[0] == '@') {
        return choose_ready(item, out, error);
    }
    if (strncmp(item, "so:", 3) == 0 && item[3] != '\0') {
        chosen->kind = MC_IMPORTER_SO;
        return out->named_only ? MC_OK : load_library(chosen, item + 3, error);
    }
    return mc_fail(error, MC_USAGE, "importer",
                   "--importer: \"%s\" is none of reject, abandon, recover, sqlite, exec:CMD, "
                   "so:PATH, @field, broken:NAME",
                   item);
}

static mc_status add(const char *item, mc_importers *out, mc_error *error)
{
    if (out->count == MC_IMPORTERS_MAX) {
        return mc_fail(error, MC_USAGE, "importer", "--importer: more than %d importers",
                       MC_IMPORTERS_MAX);
    }
    for (uint32_t i = 0; i < out->count; i++) {
        if (strcmp(out->chosen[i].name, item) == 0) {
            return mc_fail(error, MC_USAGE, "importer", "--importer: \"%s\" is named twice", item);
        }
    }
    mc_status status = choose(item, out, error);
    out->count += status == MC_OK;
    return status;
}

static mc_status parse(const char *list, bool named_only, mc_importers *out, mc_error *error)
{
    memset(out, 0, sizeof *out);
    out->named_only = named_only;
    out->arena.limit_bytes = 1 << 20;
    size_t size = strlen(list) + 1;
    char *copy = mc_arena_alloc(&out->arena, size);
    if (copy == NULL) {
        return mc_fail(error, MC_USAGE, "importer", "--importer: the list is too long");
    }
    memcpy(copy, list, size);
    for (char *item = next_item(&copy); item != NULL; item = next_item(&copy)) {
        bool all = strcmp(item, MC_FIELDSET_ALL) == 0;
        const mc_field_row *row = mc_field_rows;
        mc_status status = all ? MC_OK : add(item, out, error);
        for (; all && status == MC_OK && row->script != NULL; row++) {
            status = add(row->name, out, error);
            if (status == MC_REFUSED) {
                out->left = row->name;
                status = MC_OK;
            }
        }
        if (status != MC_OK) {
            return status;
        }
    }
    return MC_OK;
}

mc_status mc_importers_parse(const char *list, mc_importers *out, mc_error *error)
{
    return parse(list, false, out, error);
}

mc_status mc_importers_name(const char *list, mc_importers *out, mc_error *error)
{
    return parse(list, true, out, error);
}

bool mc_importers_append(char *list, size_t size, const char *name)
{
    size_t have = strlen(list);
    size_t length = strlen(name);
    if (have > 0 && have + 1 < size) {
        list[have++] = ',';
    }
    for (const char *at = name; *at != '\0'; at++) {
        if (have + 3 > size) {
            return false;
        }
        if (*at == ',') {
            list[have++] = '\\';
        }
        list[have++] = *at;
    }
    list[have] = '\0';
    return length == 0 || name[length - 1] != '\\';
}

mc_status mc_importers_usual(const char *list, mc_importers *out, mc_error *error)
{
    mc_importers more;
    mc_status status = mc_importers_parse(list, &more, error);
    char all[8192] = "reject,abandon,recover,sqlite";
    for (uint32_t i = 0; status == MC_OK && i < more.count; i++) {
        if (more.chosen[i].kind > MC_IMPORTER_SQLITE &&
            !mc_importers_append(all, sizeof all, more.chosen[i].name)) {
            status = mc_fail(error, MC_USAGE, "importer", "--importer: the list is too long");
        }
    }
    mc_importers_free(&more);
    return status == MC_OK ? mc_importers_parse(all, out, error) : status;
}

void mc_importers_free(mc_importers *importers)
{
    /* Libraries stay loaded: their importers may be referred to until the process ends. */
    mc_arena_free(&importers->arena);
    memset(importers, 0, sizeof *importers);
}

static mc_status io_error(mc_error *error, const char *what, const char *name)
{
    return mc_fail(error, MC_IO, "io", "importer: %s %s: %s", what, name, strerror(errno));
}

static bool write_all(int fd, const uint8_t *data, uint64_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size < 1 << 30 ? (size_t)size : (size_t)1 << 30);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        data += n;
        size -= (uint64_t)n;
    }
    return true;
}

static mc_status put_file(int dir, const char *name, const uint8_t *data, uint64_t size,
                          mc_error *error)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return io_error(error, "create", name);
    }
    bool ok = write_all(fd, data, size);
    ok = close(fd) == 0 && ok;
    return ok ? MC_OK : io_error(error, "write", name);
}

/* The files of a disk under their own names, except that the database in question is main.db. */
static mc_status stage_disk(int dir, const mc_disk *disk, const char *main_name, mc_error *error)
{
    size_t length = strlen(main_name);
    bool rename_main = strcmp(main_name, "main.db") != 0;
    for (uint32_t i = 0; i < disk->file_count; i++) {
        const mc_disk_file *file = &disk->file[i];
        char name[MC_DISK_NAME_MAX + 16];
        bool ours = strncmp(file->name, main_name, length) == 0 &&
                    (file->name[length] == '\0' || file->name[length] == '-');
        bool super = strstr(file->name, "-mj") != NULL;
        if (!file->exists || (!ours && !super && rename_main)) {
            continue;
        }
        (void)snprintf(name, sizeof name, "%s%s", ours && !super ? "main.db" : file->name,
                       ours && !super ? file->name + length : "");
        mc_status status = put_file(dir, name, file->data, file->size, error);
        if (status != MC_OK) {
            return status;
        }
    }
    return MC_OK;
}

static mc_status stage_store(const char *path, const mc_kvstore *store, mc_error *error)
{
    char name[PATH_BYTES + 16];
    (void)snprintf(name, sizeof name, "%s/kv.jsonl", path);
    FILE *file = fopen(name, "wxe");
    if (file == NULL) {
        return io_error(error, "create", name);
    }
    mc_status status = mc_dump_write(store, file, name, error);
    if (fclose(file) != 0 && status == MC_OK) {
        status = io_error(error, "write", name);
    }
    return status;
}

static _Noreturn void be_command(const mc_chosen *chosen, const char *path)
{
    /* A group of its own, so that what it leaves running can be ended, too. */
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    int null = open("/dev/null", O_RDONLY);
    if (chdir(path) != 0 || null < 0 || dup2(null, 0) < 0 || dup2(2, 1) < 0) {
        _exit(127);
    }
    if (chosen->program != NULL) {
        (void)execl(chosen->program, chosen->program, path, (char *)NULL);
    } else {
        (void)execl("/bin/sh", "sh", "-c", chosen->command, "sh", path, (char *)NULL);
    }
    _exit(127);
}

/* Waits until the child has ended or its time is over; false then. A kernel without process
 * descriptors gives it all the time it wants. */
static bool ends_in_time(pid_t child)
{
    int descriptor = (int)syscall(SYS_pidfd_open, child, 0);
    if (descriptor < 0) {
        return true;
    }
    struct pollfd wait = {.fd = descriptor, .events = POLLIN};
    int n = 0;
    do {
        n = poll(&wait, 1, TIME_LIMIT_MS);
    } while (n < 0 && errno == EINTR);
    (void)close(descriptor);
    return n != 0;
}

/* Runs the command in `path` with nothing on standard input; its words go to our standard error. */
static mc_status run_command(const mc_chosen *chosen, const char *path, int *code, mc_error *error)
{
    const char *command = chosen->command;
    pid_t child = fork();
    if (child < 0) {
        return io_error(error, "start", command);
    }
    if (child == 0) {
        be_command(chosen, path);
    }
    (void)setpgid(child, child);
    bool in_time = ends_in_time(child);
    (void)kill(-child, SIGKILL); /* not reaped yet, so the number is still its own */
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return io_error(error, "wait for", command);
        }
    }
    if (!in_time) {
        return mc_fail(error, MC_IO, "importer-time", "importer: \"%s\" ran longer than %d s",
                       command, TIME_LIMIT_MS / 1000);
    }
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return MC_OK;
}

/* All pages that lie in out.db, also those that its header does not count: a check that compares
 * the two must be able to notice. */
static mc_status take_whole_file(const uint8_t *data, size_t size, mc_arena *arena, mc_image *out,
                                 mc_error *error)
{
    size_t count = out->page_size == 0 ? 0 : size / out->page_size;
    if (count <= out->page_count || count > UINT32_MAX) {
        return MC_OK;
    }
    const uint8_t **page = mc_arena_calloc(arena, count, sizeof *page);
    if (page == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "importer: out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        page[i] = data + i * out->page_size;
    }
    out->page = page;
    out->page_count = (uint32_t)count;
    return MC_OK;
}

static mc_status read_output(int dir, const char *command, mc_arena *arena, mc_import *out,
                             mc_error *error)
{
    int fd = openat(dir, "out.db", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return mc_fail(error, MC_IO, "no-output",
                       "importer: \"%s\" exited with 0 and left no out.db", command);
    }
    size_t size = (size_t)info.st_size;
    uint8_t *data = mc_arena_alloc(arena, size);
    size_t have = 0;
    while (data != NULL && have < size) {
        ssize_t n = read(fd, data + have, size - have);
        if (n <= 0) {
            break;
        }
        have += (size_t)n;
    }
    (void)close(fd);
    if (data == NULL || have < size) {
        return mc_fail(error, MC_IO, "output", "importer: out.db of \"%s\" cannot be read",
                       command);
    }
    mc_files files = {.main = {true, data, size}};
    mc_error why;
    mc_status status = mc_recover_files(&files, arena, out, &why);
    if (status == MC_OK) {
        return take_whole_file(data, size, arena, &out->image, error);
    }
    return status == MC_REFUSED
               ? mc_fail(error, MC_MALFORMED, "unreadable-output", "importer: %s", why.text)
               : status;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info;
    (void)type;
    (void)place;
    return remove(path);
}

uint64_t mc_importers_clock(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static mc_status run_in(const mc_chosen *chosen, const char *path, int dir, mc_arena *arena,
                        mc_import *out, uint64_t *nanoseconds, mc_error *error)
{
    int code = 0;
    const mc_field_row *ready = mc_fieldset_find(chosen->name);
    bool here = ready != NULL && ready->run != NULL;
    uint64_t start = mc_importers_clock();
    mc_status status = here ? ready->run(path, error) : run_command(chosen, path, &code, error);
    *nanoseconds = mc_importers_clock() - start;
    if (status != MC_OK) {
        return status;
    }
    if (code == EXIT_REFUSED) {
        return mc_fail(error, MC_REFUSED, "exit-3", "importer: \"%s\" refused", chosen->command);
    }
    if (code != 0) {
        return mc_fail(error, MC_IO, "importer-failed", "importer: \"%s\" ended with status %d",
                       chosen->command, code);
    }
    return read_output(dir, chosen->command, arena, out, error);
}

/* A new folder below TMPDIR. */
static mc_status make_folder(char path[PATH_BYTES], mc_error *error)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(path, PATH_BYTES, "%s/midcommit.XXXXXX", base != NULL ? base : "/tmp");
    return mkdtemp(path) != NULL ? MC_OK : io_error(error, "make a folder", path);
}

static void remove_folder(const char *path)
{
    (void)nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

mc_status mc_importers_scratch(const mc_importers *importers, char **scratch, mc_error *error)
{
    bool programs = false;
    for (uint32_t i = 0; i < importers->count; i++) {
        programs = programs || importers->chosen[i].kind == MC_IMPORTER_EXEC;
    }
    *scratch = NULL;
    char path[PATH_BYTES];
    mc_status status = programs ? make_folder(path, error) : MC_OK;
    if (status != MC_OK || !programs) {
        return status;
    }
    *scratch = strdup(path);
    return *scratch != NULL && setenv("TMPDIR", path, 1) == 0
               ? MC_OK
               : mc_fail(error, MC_NO_MEMORY, "no-memory", "importer: out of memory");
}

void mc_importers_remove_scratch(char *scratch)
{
    if (scratch != NULL) {
        remove_folder(scratch);
        *strrchr(scratch, '/') = '\0';
        (void)setenv("TMPDIR", scratch[0] != '\0' ? scratch : "/", 1); /* where it was made */
    }
    free(scratch);
}

mc_status mc_importers_exec(const mc_chosen *chosen, const mc_disk *disk, const char *main_name,
                            const mc_kvstore *store, mc_arena *arena, mc_import *out,
                            uint64_t *nanoseconds, mc_error *error)
{
    assert(chosen->kind == MC_IMPORTER_EXEC);
    *nanoseconds = 0;
    char path[PATH_BYTES];
    mc_status status = make_folder(path, error);
    if (status != MC_OK) {
        return status;
    }
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    status = dir < 0         ? io_error(error, "open", path)
             : store != NULL ? stage_store(path, store, error)
                             : stage_disk(dir, disk, main_name, error);
    status = status == MC_OK ? run_in(chosen, path, dir, arena, out, nanoseconds, error) : status;
    if (dir >= 0) {
        (void)close(dir);
    }
    remove_folder(path);
    return status;
}
