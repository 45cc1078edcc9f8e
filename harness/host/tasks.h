/* tasks.h: child processes, one per task, each handing back one text through a pipe. */
#ifndef MIDCOMMIT_HARNESS_HOST_TASKS_H
#define MIDCOMMIT_HARNESS_HOST_TASKS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/result.h"

/* What errors call a task. */
typedef const char *(*mc_task_name_fn)(void *context, uint32_t index);

/* In the child: does task `index` and returns its text (malloc), or null with `error` filled. */
typedef char *(*mc_task_fn)(void *context, uint32_t index, mc_error *error);

/* In the child: where it is, for the error should it die (at most 199 bytes are kept). */
void mc_tasks_at(const char *place);

/* In the parent, as soon as a task has ended: takes its text (owned by the callee). Anything but
 * MC_OK ends the whole. */
typedef mc_status (*mc_task_done_fn)(void *context, uint32_t index, char *text, mc_error *error);

/* Runs the tasks for which `wanted(context, index)` holds (null: all), at most `jobs` at a time,
 * started in order. A child that dies, or fails, ends the whole with an error that says which;
 * children still running are then killed and waited for. Nothing is left behind. */
mc_status mc_tasks_run(uint32_t count, uint32_t jobs, bool (*wanted)(void *context, uint32_t index),
                       mc_task_name_fn name, mc_task_fn work, mc_task_done_fn done, void *context,
                       mc_error *error);

#endif
