/* wal_fuzzer.c: of a main file, a WAL and perhaps a journal, recover and stock SQLite recover the
 * same pages, or both refuse for the same reason, whatever the bytes are. */
#include "fuzz/differ.h"
#include "fuzz/finding.h"

static const char tags[] = "MJWU";

static mc_status files(const uint8_t *data, size_t size, const char *dir, char *state,
                       size_t state_size, mc_error *error)
{
    return mc_differ_unpack(data, size, tags, dir, state, state_size, error);
}

const mc_target mc_fuzz_target = {
    "wal_fuzzer", "recover and SQLite agree on a main file, a WAL and perhaps a journal", files};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return mc_differ_input(data, size, tags);
}
