/* finding.h: how a fuzz target says that its property does not hold, and what it leaves for people.
 *
 * A target is one source file with LLVMFuzzerTestOneInput and mc_target. It is linked with one of
 * three mains: libFuzzer's, AFL++'s (afl.c), or the regression driver (driver.c), which runs inputs
 * that are named on its command line and, with --files DIR, unpacks one into files that midcommit
 * explains. */
#ifndef MIDCOMMIT_FUZZ_FINDING_H
#define MIDCOMMIT_FUZZ_FINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/result.h"

typedef struct mc_target {
    const char *name;     /* "journal_fuzzer" */
    const char *property; /* one sentence */
    /* Writes what the input stands for into the folder `dir`, which exists: main.db and its
     * sidecars, kv.jsonl, program.sql, FILE.case. `state` (of `state_size` bytes) gets what
     * `midcommit explain` takes to show it, relative to the folder. */
    mc_status (*files)(const uint8_t *data, size_t size, const char *dir, char *state,
                       size_t state_size, mc_error *error);
} mc_target;

extern const mc_target mc_fuzz_target;

/* The entry that libFuzzer and others call. Returns 0, or -1 for an input not to be kept in a
 * corpus. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Prints "midcommit: finding: NAME: SIGNATURE: text" and aborts, which every engine takes for a
 * crash. The signature is what triage drops duplicates by: words joined by '-', no numbers of pages
 * or offsets in it. */
_Noreturn void mc_finding(const char *signature, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A target tells what it concluded of the running input: codes, messages, recovered bytes; nothing
 * that may differ from one process to the next. Nobody listens while an engine fuzzes, and then it
 * costs nothing. With the driver's --hash all that was told of an input becomes one hash, by which
 * determinism.sh sees whether a target depends on more than its input. */
extern bool mc_fuzz_listening;
void mc_fuzz_note(const void *bytes, size_t size);

/* Listens from now on: forgets what was noted before. */
void mc_fuzz_listen(void);

/* The hash of what was noted since mc_fuzz_listen, and how many notes they were. */
uint64_t mc_fuzz_noted(uint64_t *count);

#endif
