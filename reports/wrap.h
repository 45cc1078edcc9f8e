/* wrap.h: sentences on lines of at most 100 columns, and texts that stay on theirs (inside
 * reports/). */
#ifndef MIDCOMMIT_REPORTS_WRAP_H
#define MIDCOMMIT_REPORTS_WRAP_H

#include <stdio.h>

enum { MC_WRAP_COLUMNS = 100 };

/* Prints what `format` gives, of at most 2000 bytes, broken at spaces, each line after the first
 * indented by `indent` columns, and ends the line. A word that is longer than a line stays whole.
 */
void mc_wrap(FILE *out, unsigned indent, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A text from outside on one line: control characters are shown as '?'. */
void mc_plain(FILE *out, const char *text);

#endif
