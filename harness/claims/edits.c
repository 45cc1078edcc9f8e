/* edits.c: recordings with a rule broken, or of a disk that does something else.
 *
 * Snapshots are known before a recording is changed, and what was acknowledged when is still read
 * from its marks. */
#include "harness/claims/claiming.h"

#include <stdlib.h>
#include <string.h>

static bool is_role(const mc_trace *trace, const mc_op *op, const char *role)
{
    return op->file != MC_DISK_NONE && strcmp(mc_file_role(trace, op->file), role) == 0;
}

static void take_out(mc_trace *trace, size_t at)
{
    memmove(&trace->op[at], &trace->op[at + 1], (trace->op_count - at - 1) * sizeof *trace->op);
    trace->op_count--;
}

/* Takes sync number `which` (0, 1) out of each child journal's, counted from the creation of the
 * super-journal. That the journal's name is synced with its first goes to the one that stays. */
static void drop_flush(mc_trace *trace, uint32_t which)
{
    uint32_t seen[64] = {0};
    bool named[64] = {false};
    bool within = false;
    for (size_t i = 0; i < trace->op_count; i++) {
        mc_op *op = &trace->op[i];
        if (is_role(trace, op, "super-journal") && op->kind == MC_OP_CREATE) {
            within = true;
            memset(seen, 0, sizeof seen);
            memset(named, 0, sizeof named);
        } else if (is_role(trace, op, "super-journal") && op->kind == MC_OP_DELETE) {
            within = false;
        }
        if (!within || op->kind != MC_OP_SYNC || !is_role(trace, op, "journal") || op->file >= 64) {
            continue;
        }
        uint32_t number = seen[op->file]++;
        if (named[op->file] && number == 1) {
            op->flags |= MC_OPF_DIR_SYNC;
        }
        if (number == which) {
            named[op->file] = (op->flags & MC_OPF_DIR_SYNC) != 0;
            take_out(trace, i--);
        }
    }
}

void mc_claim_edit_first_flush(mc_trace *trace)
{
    drop_flush(trace, 0);
}

void mc_claim_edit_second_flush(mc_trace *trace)
{
    drop_flush(trace, 1);
}

/* The child journals of each commit are deleted the other way round. */
void mc_claim_edit_children(mc_trace *trace)
{
    for (size_t i = 0; i < trace->op_count; i++) {
        if (trace->op[i].kind != MC_OP_DELETE || !is_role(trace, &trace->op[i], "super-journal")) {
            continue;
        }
        size_t first = SIZE_MAX;
        size_t last = 0;
        for (size_t k = i + 1; k < trace->op_count && trace->op[k].kind != MC_OP_ACKED; k++) {
            if (trace->op[k].kind == MC_OP_DELETE && is_role(trace, &trace->op[k], "journal")) {
                first = first == SIZE_MAX ? k : first;
                last = k;
            }
        }
        if (first < last) {
            mc_op kept = trace->op[first];
            trace->op[first] = trace->op[last];
            trace->op[last] = kept;
        }
    }
}

/* Under a sync that only orders, what a crash leaves is what it could have left at any moment
 * before, whatever was acknowledged since. So each commit is acknowledged before it does anything.
 */
void mc_claim_edit_barrier(mc_trace *trace)
{
    size_t begun = SIZE_MAX;
    for (size_t i = 0; i < trace->op_count; i++) {
        if (trace->op[i].kind == MC_OP_BEGUN) {
            begun = i;
        } else if (trace->op[i].kind == MC_OP_ACKED && begun != SIZE_MAX) {
            mc_op mark = trace->op[i];
            memmove(&trace->op[begun + 2], &trace->op[begun + 1],
                    (i - begun - 1) * sizeof *trace->op);
            trace->op[begun + 1] = mark;
            begun = SIZE_MAX;
        }
    }
}

static void drop_syncs(mc_trace *trace, const char *role)
{
    for (size_t i = 0; i < trace->op_count; i++) {
        if (trace->op[i].kind == MC_OP_SYNC && is_role(trace, &trace->op[i], role)) {
            take_out(trace, i--);
        }
    }
}

void mc_claim_edit_wal_sync(mc_trace *trace)
{
    drop_syncs(trace, "wal");
}

void mc_claim_edit_main_sync(mc_trace *trace)
{
    drop_syncs(trace, "main");
}

/* Up to the end of the first checkpoint, its sync of main. */
size_t mc_claim_end_checkpoint(const mc_trace *trace)
{
    bool written = false;
    for (size_t i = 0; i < trace->op_count; i++) {
        const mc_op *op = &trace->op[i];
        written = written || (op->kind == MC_OP_WRITE && is_role(trace, op, "main"));
        if (written && op->kind == MC_OP_SYNC && is_role(trace, op, "main")) {
            return i + 1;
        }
    }
    return trace->op_count;
}

/* Up to the acknowledgement of the first commit into a WAL that is used again. */
size_t mc_claim_end_reuse(const mc_trace *trace)
{
    size_t i = mc_claim_end_checkpoint(trace);
    while (i < trace->op_count && (trace->op[i].kind != MC_OP_WRITE || trace->op[i].offset != 0 ||
                                   !is_role(trace, &trace->op[i], "wal"))) {
        i++;
    }
    while (i < trace->op_count && trace->op[i].kind != MC_OP_ACKED) {
        i++;
    }
    return i < trace->op_count ? i + 1 : i;
}
