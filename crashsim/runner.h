/* runner.h: runs scripts on one SQLite connection and marks their commits (inside crashsim). */
#ifndef MIDCOMMIT_CRASHSIM_RUNNER_H
#define MIDCOMMIT_CRASHSIM_RUNNER_H

#include <sqlite3.h>

#include "crashsim/workload.h"

/* Zero-initialise and set the fields of the first group; mc_runner_close releases the rest. */
typedef struct mc_runner {
    const mc_record_options *options;
    const mc_program *program;
    const char *vfs_name;
    const char *settings; /* SQL that every connection begins with */
    mc_trace *trace;      /* null: the setup runs, nothing is marked */
    uint64_t witness_limit_bytes;

    uint32_t statement; /* index of the running statement; the VFS reads it */
    sqlite3 *db;
    sqlite3 *reader;
    uint64_t steps;   /* run so far, for options->steps_limit */
    bool commit_seen; /* SQLite's commit hook has fired since the statement began */
    uint32_t statement_capacity;
    uint32_t witness_capacity;
} mc_runner;

/* Opens the connection and runs the settings; they are one statement of the trace. */
mc_status mc_runner_open(mc_runner *runner, mc_error *error);

/* Runs the statements and directives of one script. */
mc_status mc_runner_script(mc_runner *runner, const char *text, mc_error *error);

/* Appends the witnesses of commit trace->commit_count, for each database one. */
mc_status mc_runner_witness(mc_runner *runner, mc_error *error);

/* Closes all connections as SQLite does: a last connection checkpoints and deletes its WAL. */
void mc_runner_close(mc_runner *runner);

#endif
