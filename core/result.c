#include "core/result.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

mc_status mc_fail(mc_error *error, mc_status status, const char *reason, const char *format, ...)
{
    assert(error != NULL);
    assert(status != MC_OK);
    assert(reason != NULL);
    error->status = status;
    error->reason = reason;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    for (char *c = error->text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = '?';
        }
    }
    return status;
}
