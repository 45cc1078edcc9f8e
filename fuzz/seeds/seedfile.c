#include "fuzz/seeds/seedfile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/hash.h"

const char *const mc_seed_target_names[MC_SEED_TARGETS] = {
    "journal_fuzzer", "wal_fuzzer", "kv_fuzzer", "image_fuzzer", "crash_fuzzer", "case_fuzzer"};

static mc_status make_folder(const char *path, mc_error *error)
{
    return mkdir(path, 0777) == 0 ? MC_OK
                                  : mc_fail(error, MC_IO, "io", "%s: %s", path, strerror(errno));
}

mc_status mc_seeds_start(mc_seeds *seeds, mc_error *error)
{
    mc_status status = make_folder(seeds->folder, error);
    for (int i = 0; status == MC_OK && i < MC_SEED_TARGETS; i++) {
        char path[4096];
        (void)snprintf(path, sizeof path, "%s/%s", seeds->folder, mc_seed_target_names[i]);
        status = make_folder(path, error);
    }
    return status;
}

mc_status mc_seeds_put(mc_seeds *seeds, mc_seed_target target, const char *name,
                       const uint8_t *data, size_t size, mc_error *error)
{
    uint64_t hash = mc_hash64(data, size);
    uint32_t *count = &seeds->count[target];
    for (uint32_t i = 0; i < *count; i++) {
        if (seeds->known[target][i] == hash) {
            return MC_OK;
        }
    }
    if (size == 0 || size > MC_SEED_BYTES_MAX) {
        return MC_OK;
    }
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s/%s", seeds->folder, mc_seed_target_names[target],
                   name);
    FILE *file = *count < MC_SEEDS_MAX ? fopen(path, "wbx") : NULL;
    bool written = file != NULL && fwrite(data, 1, size, file) == size;
    if (file == NULL || fclose(file) != 0 || !written) {
        return mc_fail(error, MC_IO, "io", "%s: a second seed of that name, or no room", path);
    }
    seeds->known[target][(*count)++] = hash;
    seeds->bytes[target] += size;
    return MC_OK;
}
