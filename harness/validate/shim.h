/* shim.h: SQLite's own unix VFS on real files, which is watched while it repeats a recording.
 *
 * The shim hands every call to "unix" and gives SQLite the recording's time, randomness and file
 * names, so the bytes that reach the files must be those of the trace. It holds each operation
 * against the trace before it is made: what differs ends the process, because nothing that is
 * compared afterwards would mean anything. Where it stands it says in memory that others share. It
 * can kill the process at any operation. */
#ifndef MIDCOMMIT_HARNESS_VALIDATE_SHIM_H
#define MIDCOMMIT_HARNESS_VALIDATE_SHIM_H

#include <stdatomic.h>

#include "crashsim/trace.h"

/* Written by the process that runs SQLite, read by others while it lives and after. */
typedef struct mc_shim_said {
    atomic_size_t begun; /* elements [0, begun) of the trace have begun */
    atomic_size_t done;  /* elements [0, done) have had all their effect; marks count as passed when
                            the next operation begins */
    char error[256];     /* why the process gave up; empty: it did not */
} mc_shim_said;

enum { MC_SHIM_NEVER = -1 };

typedef struct mc_shim_plan {
    const mc_trace *trace; /* what must happen; one database, files only */
    uint64_t seed;
    mc_shim_said *said;
    int64_t die_at; /* SIGKILL instead of the first operation at or after this element, */
    uint32_t cut;   /* or, if above 0, in the middle of that write, where its first `cut` bytes are
                       in the kernel (gate.h) */
    bool syncs; /* syncs are made; a process that is killed leaves the same files without them */
    void (*after)(void *context, size_t element); /* called after each operation, or null */
    void *context;
} mc_shim_plan;

/* Registers the shim as the process's default VFS and returns its name, or null when SQLite will
 * not have it. `log` gets an element without bytes for every operation, so that a runner knows that
 * there was one. Both must live as long as the process. */
const char *mc_shim_open(const mc_shim_plan *plan, mc_trace *log);

/* Dies if the plan says so at the end of the trace; ends the process if the trace is not at its
 * end. */
void mc_shim_finish(void);

/* Does SQLite on real files perform this element? Marks are no operations, and the WAL index is
 * memory that processes share. */
bool mc_shim_performs(const mc_trace *trace, size_t element);

#endif
