/* plants.h: recoveries with a defect, made of the trace of a good one. */
#ifndef MIDCOMMIT_HARNESS_TEST_PLANTS_H
#define MIDCOMMIT_HARNESS_TEST_PLANTS_H

#include <string.h>

#include "crashsim/trace.h"

static void drop_syncs(mc_trace *recovery)
{
    size_t kept = 0;
    for (size_t i = 0; i < recovery->op_count; i++) {
        if (recovery->op[i].kind != MC_OP_SYNC) {
            recovery->op[kept++] = recovery->op[i];
        }
    }
    recovery->op_count = kept;
}

/* The journal goes before the pages are back. */
static void delete_first(mc_trace *recovery)
{
    size_t at = 0;
    while (at < recovery->op_count && recovery->op[at].kind != MC_OP_DELETE) {
        at++;
    }
    if (at == recovery->op_count) {
        return;
    }
    mc_op gone = recovery->op[at];
    size_t kept = recovery->op_count;
    for (size_t i = recovery->op_count; i-- > 0;) {
        if (recovery->op[i].file != gone.file) {
            recovery->op[--kept] = recovery->op[i];
        }
    }
    recovery->op[--kept] = gone;
    recovery->op_count -= kept;
    memmove(recovery->op, recovery->op + kept, recovery->op_count * sizeof gone);
}

#endif
