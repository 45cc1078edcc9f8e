#include "fuzz/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/hash.h"

bool mc_fuzz_listening;
static uint64_t noted_hash;
static uint64_t noted_count;

/* A chain over the hash of each note: where one ends and the next begins counts too. */
void mc_fuzz_note(const void *bytes, size_t size)
{
    if (!mc_fuzz_listening) {
        return;
    }
    uint64_t link[2] = {noted_hash, mc_hash64(bytes, size)};
    noted_hash = mc_hash64(link, sizeof link);
    noted_count++;
}

void mc_fuzz_listen(void)
{
    mc_fuzz_listening = true;
    noted_hash = 0;
    noted_count = 0;
}

uint64_t mc_fuzz_noted(uint64_t *count)
{
    *count = noted_count;
    return noted_hash;
}

/* Of the profile runtime, which a coverage build has: abort would lose what the input reached. */
int __llvm_profile_write_file(void) __attribute__((weak));

void mc_finding(const char *signature, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "midcommit: finding: %s: %s: %s\n", mc_fuzz_target.name, signature, text);
    (void)fflush(stderr);
    if (__llvm_profile_write_file != NULL) {
        (void)__llvm_profile_write_file();
    }
    abort();
}
