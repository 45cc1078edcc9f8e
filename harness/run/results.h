/* results.h: the file of a run's results: whole lines, each of one task, appended one by one.
 *
 * A line is written by one write, in one process, so a kill leaves whole lines and at most one
 * piece of a line at the end. Nothing else is kept: a file may be put together from others by
 * `cat`. */
#ifndef MIDCOMMIT_HARNESS_RUN_RESULTS_H
#define MIDCOMMIT_HARNESS_RUN_RESULTS_H

#include <stdio.h>

#include "harness/run/run.h"

/* Takes one line, without its newline; `where` names it for errors. */
typedef mc_status (*mc_results_fn)(void *context, const char *line, const char *where,
                                   mc_error *error);

/* Opens a file to append to, which no other process may do meanwhile, hands over the whole lines
 * that it has, and cuts off a piece at its end. Without `resume` it must not be there yet. `*out`
 * is to be closed by fclose, also after a failure, unless null. */
mc_status mc_results_open(const char *path, bool resume, mc_results_fn take, void *context,
                          FILE **out, mc_error *error);

/* Appends a line, which is changed meanwhile and the same afterwards. */
mc_status mc_results_append(FILE *file, const char *path, char *line, mc_error *error);

/* Hands over the lines of a file that is complete: a piece of a line at its end is an error. */
mc_status mc_results_read(const char *path, mc_results_fn take, void *context, mc_error *error);

#endif
