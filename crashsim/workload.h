/* workload.h: programs that commit, each made to put one mechanism of SQLite under the knife.
 *
 * A workload is one row of a table: adding one is adding a row. A program is a list of scripts; a
 * script is one or more SQL statements, or a directive of the harness: a line that begins with '@'
 * where a statement would begin. A user's FILE.sql is a program too: what comes before a line
 * "-- @program" is setup, the rest is the program; without such a line all of it is the program and
 * the database starts empty. */
#ifndef MIDCOMMIT_CRASHSIM_WORKLOAD_H
#define MIDCOMMIT_CRASHSIM_WORKLOAD_H

#include "crashsim/record.h"

/* Directives:
 *   @reopen        close the connection and open it again
 *   @reader begin  a second connection begins a read transaction and reads (holds a WAL snapshot)
 *   @reader end    it ends it
 */
typedef struct mc_script {
    const char **text;
    uint32_t count;
    uint32_t capacity;
} mc_script;

typedef struct mc_program {
    mc_arena *arena;
    mc_script setup;
    mc_script program;
    uint32_t cache_pages; /* 0: SQLite's default */
    bool auto_vacuum;     /* FULL instead of NONE */
    bool attach;          /* a second database "aux.db" is attached as `aux` */
} mc_program;

typedef struct mc_workload {
    const char *name;
    const char *summary; /* one line: what it is made to show */
    uint32_t txns;       /* default number of transactions */
    uint32_t modes;      /* bit (1 << mc_mode) for each journal mode it makes sense in */
    bool kv;             /* runs on the v1 VFS too */
    /* `options->txns` is never 0 here. */
    mc_status (*make)(mc_program *program, const mc_record_options *options, mc_error *error);
    bool named_only; /* no part of the default set: its content is made to deceive */
} mc_workload;

extern const mc_workload mc_workloads[]; /* ended by a row whose name is null */

const mc_workload *mc_workload_find(const char *name); /* or null */

/* Makes the program that options->workload names: a row of the table or a user's file. A file that
 * is missing, not a regular file, empty, not UTF-8 or above 16 MiB, an unknown name, and a mode
 * that a row is not made for are errors. `program` must be zeroed but for its arena. */
mc_status mc_program_make(mc_program *program, const mc_record_options *options, mc_error *error);

/* Appends one script, formatted as printf does, to `script` (of `program`). */
mc_status mc_program_add(mc_program *program, mc_script *script, mc_error *error,
                         const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
