/* runfile.h: midcommit/run/1 from outside: read with care, and checked before anything is made of
 * it. */
#ifndef MIDCOMMIT_REPORTS_RUNFILE_H
#define MIDCOMMIT_REPORTS_RUNFILE_H

#include <jansson.h>

#include "core/result.h"

enum { MC_RUNFILE_BYTES_MAX = 64 << 20 };

typedef enum mc_runfile_kind {
    MC_RUNFILE_JSON, /* what `run --json` writes */
    MC_RUNFILE_TASKS /* what `run --results` writes: one line for each task */
} mc_runfile_kind;

/* Says what `path` is. Of a JSON file `*run` is the checked document, to be decref'd; else null.
 * MC_MALFORMED: neither, or another schema, cut short, a field missing or out of range. */
mc_status mc_runfile_read(const char *path, mc_runfile_kind *kind, json_t **run, mc_error *error);

/* The checks alone; `name` is the file's, for the error. */
mc_status mc_runfile_check(const json_t *run, const char *name, mc_error *error);

#endif
