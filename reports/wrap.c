#include "reports/wrap.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

/* Columns are counted as UTF-8 characters. */
static unsigned columns(const char *text, size_t size)
{
    unsigned count = 0;
    for (size_t i = 0; i < size; i++) {
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    }
    return count;
}

void mc_wrap(FILE *out, unsigned indent, const char *format, ...)
{
    char text[2001];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    unsigned at = 0;
    for (const char *word = text; *word != '\0';) {
        size_t size = strcspn(word, " ");
        unsigned width = columns(word, size);
        if (at > indent && at + 1 + width > MC_WRAP_COLUMNS) {
            (void)fprintf(out, "\n%*s", (int)indent, "");
            at = indent;
        } else if (word != text) {
            (void)fputc(' ', out);
            at++;
        }
        (void)fwrite(word, 1, size, out);
        at += width;
        word += size;
        word += *word == ' ';
    }
    (void)fputc('\n', out);
}

void mc_plain(FILE *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        bool control = (unsigned char)*at < 0x20 || *at == 0x7f;
        /* U+0080 to U+009F, which a terminal obeys, too */
        bool second = (unsigned char)at[0] == 0xc2 && (unsigned char)at[1] >= 0x80 &&
                      (unsigned char)at[1] < 0xa0;
        (void)fputc(control || second ? '?' : *at, out);
        at += second;
    }
}
