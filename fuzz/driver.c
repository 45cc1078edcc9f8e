/* driver.c: a target without an engine: runs the inputs named on its command line, each file of
 * each folder, and says how many. What CI replays, what coverage is measured with, and how one
 * person sees one finding again.
 *
 *     journal_fuzzer PATH...                 0: none broke the property; abort: one did
 *     journal_fuzzer --hash PATH...          the same, and a line for each input: a hash of what
 * the target concluded, and the path journal_fuzzer --files DIR INPUT       unpacks the input into
 * DIR and prints what to type
 */
#include "fuzz/finding.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/host/infile.h"

enum { INPUT_BYTES_MAX = 64 << 20, STATE_BYTES = 4096 };

static unsigned long runs;
static bool hashes; /* --hash */

static int failed(const mc_error *error)
{
    (void)fprintf(stderr, "midcommit: %s\n", error->text);
    return 3;
}

static mc_status read_input(const char *path, mc_arena *arena, mc_file *out, mc_error *error)
{
    mc_infile in;
    mc_status status = mc_infile_open(&in, path, INPUT_BYTES_MAX, error);
    if (status == MC_OK && in.fd < 0) {
        status = mc_fail(error, MC_IO, "no-file", "%s: no such file", path);
    }
    status = status == MC_OK ? mc_infile_read(&in, arena, error) : status;
    *out = in.file;
    mc_infile_close(&in);
    return status;
}

static void run(const char *path, const uint8_t *data, size_t size)
{
    uint64_t notes = 0;
    (void)fprintf(stderr, "running %s\n", path);
    if (hashes) {
        mc_fuzz_listen();
    }
    int kept = LLVMFuzzerTestOneInput(data, size);
    runs++;
    if (hashes) {
        uint64_t hash = mc_fuzz_noted(&notes);
        (void)printf("%016" PRIx64 " %" PRIu64 " notes, returned %d: %s\n", hash, notes, kept,
                     path);
    }
}

/* The input lies in memory of exactly its size, so that a sanitizer sees a read past it. */
static mc_status run_file(const char *path, mc_error *error)
{
    mc_arena arena = {.limit_bytes = 2 * (size_t)INPUT_BYTES_MAX};
    mc_file file;
    mc_status status = read_input(path, &arena, &file, error);
    uint8_t *exact = status == MC_OK ? malloc(file.size + (file.size == 0)) : NULL;
    if (exact != NULL) {
        if (file.size > 0) {
            memcpy(exact, file.data, file.size);
        }
        run(path, exact, file.size);
    }
    free(exact);
    mc_arena_free(&arena);
    return status;
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static mc_status run_folder(const char *path, mc_error *error)
{
    struct dirent **entry;
    int count = scandir(path, &entry, not_hidden, alphasort);
    if (count < 0) {
        return mc_fail(error, MC_IO, "no-folder", "%s: cannot be read", path);
    }
    mc_status status = MC_OK;
    for (int i = 0; i < count; i++) {
        char file[4096];
        int length = snprintf(file, sizeof file, "%s/%s", path, entry[i]->d_name);
        if (status == MC_OK && length < (int)sizeof file && entry[i]->d_type == DT_REG) {
            status = run_file(file, error);
        }
        free(entry[i]);
    }
    free(entry);
    return status;
}

static int unpack(const char *folder, const char *path)
{
    mc_error error = {0};
    mc_arena arena = {.limit_bytes = 2 * (size_t)INPUT_BYTES_MAX};
    mc_file file;
    char state[STATE_BYTES] = "";
    if (mkdir(folder, 0777) != 0) {
        (void)fprintf(stderr, "midcommit: %s: a new folder is needed\n", folder);
        return 2;
    }
    mc_status status = read_input(path, &arena, &file, &error);
    status = status == MC_OK
                 ? mc_fuzz_target.files(file.data, file.size, folder, state, sizeof state, &error)
                 : status;
    mc_arena_free(&arena);
    if (status != MC_OK) {
        return failed(&error);
    }
    (void)printf("cd %s && midcommit explain %s\n", folder, state);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--files") == 0) {
        return unpack(argv[2], argv[3]);
    }
    hashes = argc > 1 && strcmp(argv[1], "--hash") == 0;
    int first = hashes ? 2 : 1;
    if (argc <= first || argv[first][0] == '-') {
        (void)fprintf(stderr, "%s: %s\nusage: %s [--hash] INPUT|FOLDER... | --files DIR INPUT\n",
                      mc_fuzz_target.name, mc_fuzz_target.property, argv[0]);
        return 2;
    }
    mc_error error = {0};
    for (int i = first; i < argc; i++) {
        struct stat status;
        bool folder = stat(argv[i], &status) == 0 && S_ISDIR(status.st_mode);
        if ((folder ? run_folder(argv[i], &error) : run_file(argv[i], &error)) != MC_OK) {
            return failed(&error);
        }
    }
    (void)printf("%s: %lu inputs, the property holds for each\n", mc_fuzz_target.name, runs);
    return runs > 0 ? 0 : 3;
}
