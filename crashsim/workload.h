/* workload.h: programs that commit, each made to put one mechanism of SQLite under the knife.
 *
 * A workload is one row of a table: adding one is adding a row. A program is a list of statements;
 * a statement is SQL for SQLite, or a directive of the harness that begins with '@' (below). A user's
 * FILE.sql is a program too: its statements up to a line "-- @program" are setup, the rest is the
 * program; without such a line all of it is the program and the database starts empty. */
#ifndef MIDCOMMIT_CRASHSIM_WORKLOAD_H
#define MIDCOMMIT_CRASHSIM_WORKLOAD_H

#include "crashsim/record.h"

/* Directives:
 *   @reopen        close the connection and open it again
 *   @reader begin  a second connection begins a read transaction and reads (holds a WAL snapshot)
 *   @reader end    it ends it
 */
typedef struct mc_program {
    mc_arena *arena;
    const char **setup;
    uint32_t setup_count;
    const char **statement;
    uint32_t statement_count;
    uint32_t capacity[2];
    uint32_t cache_pages;  /* 0: SQLite's default */
    bool auto_vacuum;      /* FULL instead of NONE */
    bool attach;           /* a second database "aux.db" is attached as `aux` */
} mc_program;

typedef struct mc_workload {
    const char *name;
    const char *summary;      /* one line: what it is made to show */
    uint32_t txns;            /* default number of transactions */
    uint32_t modes;           /* bit (1 << mc_mode) for each journal mode it makes sense in */
    bool kv;                  /* runs on the v1 VFS too */
    mc_status (*make)(mc_program *program, const mc_record_options *options, mc_error *error);
} mc_workload;

extern const mc_workload mc_workloads[]; /* ended by a row whose name is null */

const mc_workload *mc_workload_find(const char *name); /* or null */

#endif
