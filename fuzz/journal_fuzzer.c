/* journal_fuzzer.c: of a main file and a rollback journal, recover and stock SQLite recover the
 * same pages, or both refuse for the same reason, whatever the bytes are. */
#include "fuzz/differ.h"
#include "fuzz/finding.h"

static const char tags[] = "MJU";

static mc_status files(const uint8_t *data, size_t size, const char *dir, char *state,
                       size_t state_size, mc_error *error)
{
    mc_disk disk = {0};
    mc_status status = mc_differ_disk(data, size, tags, &disk)
                           ? mc_differ_files(&disk, dir, state, state_size, error)
                           : mc_fail(error, MC_NO_MEMORY, "no-memory", "out of memory");
    mc_disk_free(&disk);
    return status;
}

const mc_target mc_fuzz_target = {
    "journal_fuzzer", "recover and SQLite agree on a main file and a rollback journal", files};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return mc_differ_input(data, size, tags);
}
