#include "fuzz/law.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fuzz/finding.h"

bool mc_law_broken(mc_law *law, const char *signature, const char *format, ...)
{
    if (law->broken == NULL) {
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(law->text, sizeof law->text, format, arguments);
        va_end(arguments);
        law->broken = signature;
    }
    return false;
}

bool mc_law_error(mc_law *law, mc_status status, const mc_error *error)
{
    size_t size = strnlen(error->text, sizeof error->text);
    if (error->status != status || error->reason == NULL || error->reason[0] == '\0') {
        return mc_law_broken(law, "error-form", "status %d with an error of status %d", (int)status,
                             (int)error->status);
    }
    if (size == 0 || size == sizeof error->text) {
        return mc_law_broken(law, "error-form", "%s: the text is empty or has no end",
                             error->reason);
    }
    for (size_t i = 0; i < size; i++) {
        unsigned char letter = (unsigned char)error->text[i];
        if (letter < 0x20 || letter == 0x7f) {
            return mc_law_broken(law, "error-form", "%s: a control character %u in the text",
                                 error->reason, letter);
        }
    }
    return true;
}

void mc_law_demand(const mc_law *law)
{
    if (law->broken != NULL) {
        mc_finding(law->broken, "%s", law->text);
    }
}
