/* crash.h: the crash models `kill` and `kv`: every disk state that a crash at any crash point can
 * leave.
 *
 * kill: the process dies and the kernel lives on. Every operation before the crash point has
 * happened, in order, because the page cache survives the process. The write in progress may have
 * been cut: the kernel copies a write into its page cache page by page and can be interrupted
 * between two of them, so a cut falls where the write crosses a multiple of 4096 bytes in the file
 * (measured with SIGKILL on tmpfs and ext4: no cut was seen anywhere else). Left out: partial
 * copies inside one 4096-byte page, which the kernel does not leave; loss of anything that was
 * written, which needs the machine to die.
 *
 * kv: the process dies over the v1 store, in which each request is one atomic, durable, ordered
 * transaction. All requests before the crash point have happened; the one in progress has or has
 * not.
 *
 * Both walk a trace once, forward, and visit every state of every crash point. A crash point is a
 * position between two elements of the trace, marks included (trace.h). */
#ifndef MIDCOMMIT_CRASHSIM_CRASH_H
#define MIDCOMMIT_CRASHSIM_CRASH_H

#include "crashsim/trace.h"

enum { MC_KILL_CUT_BYTES = 4096 };

/* One crash state, as told to the visitor. */
typedef struct mc_crash {
    size_t point;   /* elements [0, point) of the trace have happened */
    uint32_t cut;   /* kill: bytes of element `point` that have happened; kv: 1 if it was applied */
    uint32_t acked; /* commits that returned success */
    uint32_t begun; /* acked, or acked + 1 while a commit is in flight */
    const mc_op *op;    /* element `point`, the operation in progress; null at the trace's end */
    const char *note;   /* a word more for the signature, or null */
    const char *choice; /* power: the answers that give the state (power.h); else null */
    const char *again;  /* a second crash: where, in the recovery from this one; else null */
    mc_hash128 id;      /* equal exactly when the disk states are equal */
} mc_crash;

typedef struct mc_visitor {
    void *context;
    /* The disk changed: bytes [from, to) of `op` were applied. May be null. Not called for kv. */
    mc_status (*applied)(void *context, const mc_op *op, uint32_t from, uint32_t to,
                         uint64_t size_before, mc_error *error);
    /* A commit was acknowledged (element of kind ACKED was passed). May be null. */
    void (*acked)(void *context, uint32_t commit);
    /* A crash here leaves what the disk (the store) holds now. The visitor may change it if it puts
     * everything back. */
    mc_status (*state)(void *context, const mc_crash *crash, mc_error *error);
} mc_visitor;

typedef struct mc_explored {
    uint64_t points;
    uint64_t states;
    uint64_t skipped; /* states of a crash point beyond the budget; 0: exhaustive */
} mc_explored;

/* Walks the trace over `disk`, which must hold the trace's base and is left at the trace's end.
 * `budget` bounds the states per crash point (0: no bound). */
mc_status mc_kill_explore(const mc_trace *trace, mc_disk *disk, uint64_t budget,
                          const mc_visitor *visitor, mc_explored *out, mc_error *error);

/* The same over a store, which must hold the trace's base_kv. */
mc_status mc_kv_explore(const mc_trace *trace, mc_kvstore *store, uint64_t budget,
                        const mc_visitor *visitor, mc_explored *out, mc_error *error);

#endif
