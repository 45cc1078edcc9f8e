/* shell.h: text as one word of a POSIX shell, for the commands that reports print. */
#ifndef MIDCOMMIT_REPORTS_SHELL_H
#define MIDCOMMIT_REPORTS_SHELL_H

#include <stdio.h>

/* As it is when no shell would touch it, in single quotes otherwise. */
void mc_shell_word(FILE *out, const char *text);

#endif
