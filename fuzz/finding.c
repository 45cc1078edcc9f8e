#include "fuzz/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void mc_finding(const char *signature, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "midcommit: finding: %s: %s: %s\n", mc_fuzz_target.name, signature, text);
    (void)fflush(stderr);
    abort();
}
