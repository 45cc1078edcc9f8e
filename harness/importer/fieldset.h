/* fieldset.h: importers that people really use, as ready rows: `@field` in a list of importers is
 * all of them, `@cp` one.
 *
 * What a row is, is said by a short shell script in harness/field (installed in
 * share/midcommit/field), which can be read, and run with exec:. Most rows also have the same steps
 * in C (fieldrun.h), and then those are run; the rest start their script for each distinct state.
 * They read files, so the v1 store (`kv`) is not for them. The gates are checks that people put in
 * front of an import of the main file alone: copy it, look at the copy, refuse it when the look
 * says no. */
#ifndef MIDCOMMIT_HARNESS_IMPORTER_FIELDSET_H
#define MIDCOMMIT_HARNESS_IMPORTER_FIELDSET_H

#include <stdbool.h>
#include <stddef.h>

#include "harness/importer/fieldrun.h"

#define MC_FIELDSET_ALL "@field"

typedef struct mc_field_row {
    const char *name;    /* of at most 9 bytes, which the table's column holds */
    const char *script;  /* its file's name; a row without one ends the table */
    mc_field_fn run;     /* the script's steps in C; null: the script is run */
    const char *summary; /* one line */
} mc_field_row;

extern const mc_field_row mc_field_rows[];

/* The row of that name, "@cp"; or null. */
const mc_field_row *mc_fieldset_find(const char *name);

/* The absolute path of a row's script: installed beside this program, else in the source tree.
 * MC_IO when it is in neither or may not be executed, or when the path is too long. */
mc_status mc_fieldset_script(const mc_field_row *row, char *path, size_t size, mc_error *error);

/* Whether the `sqlite3` program in PATH can do what the scripts without C ask of it, and its
 * version. MC_IO when there is none. `*able` is false when it was built without the table
 * sqlite_dbpage, as Debian's is, without which its .recover prints no row and yet ends a pipe well.
 */
mc_status mc_fieldset_shell(char *version, size_t size, bool *able, mc_error *error);

#endif
