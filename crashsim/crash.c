#include "crashsim/crash.h"

#include "crashsim/diskid.h"

#include <assert.h>

/* A walk over a trace: where it stands and what the visitor is told. */
typedef struct walk {
    const mc_trace *trace;
    const mc_visitor *visitor;
    mc_explored *out;
    uint64_t budget;
    uint64_t at_point; /* states visited at the present crash point */
    mc_crash crash;
} walk;

static mc_status visit(walk *w, uint32_t cut, mc_hash128 id, mc_error *error)
{
    if (w->budget != 0 && w->at_point == w->budget) {
        w->out->skipped++;
        return MC_OK;
    }
    w->at_point++;
    w->out->states++;
    w->crash.cut = cut;
    w->crash.id = id;
    return w->visitor->state(w->visitor->context, &w->crash, error);
}

static void stand_at(walk *w, size_t point)
{
    w->at_point = 0;
    w->out->points++;
    w->crash.point = point;
    w->crash.op = point < w->trace->op_count ? &w->trace->op[point] : NULL;
}

/* A mark moves no bytes; it changes what was promised. */
static bool pass_mark(walk *w, const mc_op *op)
{
    if (op->kind == MC_OP_BEGUN) {
        assert(op->offset == w->crash.acked + UINT64_C(1));
        w->crash.begun = (uint32_t)op->offset;
        return true;
    }
    if (op->kind == MC_OP_ACKED) {
        assert(op->offset == w->crash.begun);
        w->crash.acked = (uint32_t)op->offset;
        if (w->visitor->acked != NULL) {
            w->visitor->acked(w->visitor->context, w->crash.acked);
        }
        return true;
    }
    return false;
}

/* Applies bytes [from, to) of `op` and tells everybody. */
static mc_status step(walk *w, mc_disk *disk, mc_diskid *id, const mc_op *op, uint32_t from,
                      uint32_t to, mc_error *error)
{
    uint64_t size_before = disk->file[op->file].exists ? disk->file[op->file].size : 0;
    bool write = op->kind == MC_OP_WRITE;
    uint64_t first = write ? op->offset + from : 0;
    uint64_t end = write ? op->offset + to : 0;
    uint64_t size_after = write                        ? (end > size_before ? end : size_before)
                          : op->kind == MC_OP_TRUNCATE ? op->offset
                          : op->kind == MC_OP_DELETE   ? 0
                                                       : size_before;
    mc_status status;
    if (!mc_diskid_before(id, disk, op->file, first, end, size_after)) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "kill: out of memory");
    }
    if (from == 0) {
        status = mc_trace_apply(disk, op, to, error);
    } else {
        mc_op rest = *op;
        rest.offset += from;
        rest.data += from;
        rest.size -= from;
        status = mc_trace_apply(disk, &rest, to - from, error);
    }
    if (status != MC_OK) {
        return status;
    }
    if (!mc_diskid_changed(id, disk, op->file, first, end)) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "kill: out of memory");
    }
    if (w->visitor->applied != NULL) {
        return w->visitor->applied(w->visitor->context, op, from, to, size_before, error);
    }
    return MC_OK;
}

static mc_status kill_at(walk *w, mc_disk *disk, mc_diskid *id, const mc_op *op, mc_error *error)
{
    uint32_t from = 0;
    uint32_t size = op->kind == MC_OP_WRITE ? op->size : 0;
    while (size > 0) {
        uint32_t cut =
            (uint32_t)(MC_KILL_CUT_BYTES - (op->offset + from) % MC_KILL_CUT_BYTES) + from;
        if (cut >= size) {
            break;
        }
        mc_status status = step(w, disk, id, op, from, cut, error);
        status = status == MC_OK ? visit(w, cut, id->id, error) : status;
        if (status != MC_OK) {
            return status;
        }
        from = cut;
    }
    return step(w, disk, id, op, from, size, error);
}

mc_status mc_kill_explore(const mc_trace *trace, mc_disk *disk, uint64_t budget,
                          const mc_visitor *visitor, mc_explored *out, mc_error *error)
{
    assert(!trace->is_kv);
    *out = (mc_explored){0};
    walk w = {.trace = trace, .visitor = visitor, .out = out, .budget = budget};
    mc_diskid id;
    if (!mc_diskid_init_relative(&id, disk)) {
        mc_diskid_free(&id);
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "kill: out of memory");
    }
    mc_status status = MC_OK;
    for (size_t i = 0; status == MC_OK && i <= trace->op_count; i++) {
        stand_at(&w, i);
        status = visit(&w, 0, id.id, error);
        if (status == MC_OK && i < trace->op_count && !pass_mark(&w, &trace->op[i])) {
            status = kill_at(&w, disk, &id, &trace->op[i], error);
        }
    }
    mc_diskid_free(&id);
    return status;
}

mc_status mc_kv_explore(const mc_trace *trace, mc_kvstore *store, uint64_t budget,
                        const mc_visitor *visitor, mc_explored *out, mc_error *error)
{
    assert(trace->is_kv);
    *out = (mc_explored){0};
    walk w = {.trace = trace, .visitor = visitor, .out = out, .budget = budget};
    mc_status status = MC_OK;
    for (size_t i = 0; status == MC_OK && i <= trace->op_count; i++) {
        stand_at(&w, i);
        status = visit(&w, 0, mc_kvstore_hash(store), error);
        if (status != MC_OK || i == trace->op_count || pass_mark(&w, &trace->op[i])) {
            continue;
        }
        const mc_op *op = &trace->op[i];
        status = mc_kvstore_apply(store, op->kind, op->data, op->size, op->offset, error);
        status = status == MC_OK ? visit(&w, 1, mc_kvstore_hash(store), error) : status;
    }
    return status;
}
