/* case_fuzzer.c: any bytes as a case file are read or refused in one line; a case that was read is
 * written and read again as the same, and is judged without a crash, a program or a file. An input
 * that does not begin as zstd does is the tar archive itself, so that it can be changed in place;
 * one that begins with '{' is a line of a results file, which keeps the same laws (caselaw.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/caselaw.h"
#include "fuzz/finding.h"
#include "fuzz/process.h"

enum { INPUT_BYTES_MAX = 4 << 20 };

static bool is_zstd(const uint8_t *data, size_t size)
{
    static const uint8_t magic[4] = {0x28, 0xb5, 0x2f, 0xfd};
    return size >= sizeof magic && memcmp(data, magic, sizeof magic) == 0;
}

static bool is_results(const uint8_t *data, size_t size)
{
    return size > 0 && data[0] == '{';
}

static mc_status files(const uint8_t *data, size_t size, const char *dir, char *state,
                       size_t state_size, mc_error *error)
{
    const char *name = is_results(data, size) ? "results.jsonl" : "input.case";
    char path[4096];
    size_t packed_size = size;
    bool plain = is_results(data, size) || is_zstd(data, size);
    uint8_t *packed = plain ? NULL : mc_caselaw_zstd(data, size, &packed_size);
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "wb");
    bool written = file != NULL && (plain || packed != NULL) &&
                   fwrite(plain ? data : packed, 1, packed_size, file) == packed_size;
    written = file != NULL && fclose(file) == 0 && written;
    free(packed);
    (void)snprintf(state, state_size, "%s", name);
    return written ? MC_OK : mc_fail(error, MC_IO, "write", "%s: cannot be written", path);
}

const mc_target mc_fuzz_target = {
    "case_fuzzer", "a case or a results file of any bytes is read, or refused in one line", files};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mc_law law = {0};
    bool reads = false;
    mc_fuzz_process();
    if (size > INPUT_BYTES_MAX) {
        return -1;
    }
    if (is_results(data, size)) {
        (void)mc_caselaw_results(data, size, &reads, &law);
    } else if (is_zstd(data, size)) {
        (void)mc_caselaw_case(data, size, &reads, &law);
    } else {
        size_t packed_size;
        uint8_t *packed = mc_caselaw_zstd(data, size, &packed_size);
        if (packed != NULL) {
            (void)mc_caselaw_case(packed, packed_size, &reads, &law);
        }
        free(packed);
    }
    mc_fuzz_note(&reads, sizeof reads);
    mc_law_demand(&law);
    return 0;
}
