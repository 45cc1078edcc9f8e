/* trace.c: appending to a trace, naming what is in it, and replaying it onto a disk.
 *
 * Replaying is the whole meaning of a trace: base, then each element in order, is byte for byte
 * what the live files were. Everything a crash model does is a choice among these applications, so
 * there is one function that applies an element and every model calls it. */
#include "crashsim/trace.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { OPS_FIRST = 1024, SUPER_JOURNAL_DIGITS = 9 };

mc_status mc_trace_add(mc_trace *trace, mc_op op, mc_error *error)
{
    assert(op.kind < MC_OP_KINDS);
    assert(op.size == 0 || op.data != NULL);
    if (trace->arena.limit_bytes == 0) {
        trace->arena.limit_bytes = MC_TRACE_ARENA_BYTES;
    }
    if (trace->op_count == trace->op_capacity) {
        size_t capacity = trace->op_capacity == 0 ? OPS_FIRST : trace->op_capacity * 2;
        mc_op *moved = realloc(trace->op, capacity * sizeof *moved);
        if (moved == NULL) {
            return mc_fail(error, MC_NO_MEMORY, "no-memory", "trace: no memory for %zu operations",
                           capacity);
        }
        trace->op = moved;
        trace->op_capacity = capacity;
    }
    if (op.size > 0) {
        uint8_t *copy = mc_arena_alloc(&trace->arena, op.size);
        if (copy == NULL) {
            return mc_fail(error, MC_NO_MEMORY, "no-memory",
                           "trace: no memory for %u bytes of operation %zu", op.size,
                           trace->op_count);
        }
        memcpy(copy, op.data, op.size);
        op.data = copy;
    } else {
        op.data = NULL;
    }
    trace->op[trace->op_count++] = op;
    return MC_OK;
}

void mc_trace_free(mc_trace *trace)
{
    free(trace->op);
    mc_disk_free(&trace->base);
    mc_kvstore_free(&trace->base_kv);
    mc_arena_free(&trace->arena);
    *trace = (mc_trace){0};
}

void mc_trace_reset(mc_trace *trace)
{
    mc_disk_free(&trace->base);
    mc_kvstore_free(&trace->base_kv);
    mc_arena_reset(&trace->arena);
    *trace = (mc_trace){.arena = trace->arena, .op = trace->op, .op_capacity = trace->op_capacity};
}

const char *mc_op_kind_name(mc_op_kind kind)
{
    static const char *const name[MC_OP_KINDS] = {
        [MC_OP_CREATE] = "create",
        [MC_OP_WRITE] = "write",
        [MC_OP_TRUNCATE] = "truncate",
        [MC_OP_SYNC] = "sync",
        [MC_OP_DELETE] = "delete",
        [MC_OP_BATCH_BEGIN] = "batch begin",
        [MC_OP_BATCH_COMMIT] = "batch commit",
        [MC_OP_KV_PUT] = "put",
        [MC_OP_KV_DELETE] = "delete keys",
        [MC_OP_KV_DELETE_RANGE] = "delete range",
        [MC_OP_BEGUN] = "commit begun",
        [MC_OP_ACKED] = "commit acknowledged",
    };
    assert(kind < MC_OP_KINDS);
    return name[kind];
}

static bool ends_with(const char *name, const char *suffix)
{
    size_t size = strlen(name);
    size_t suffix_size = strlen(suffix);
    return size > suffix_size && strcmp(name + size - suffix_size, suffix) == 0;
}

/* "-mj" and nine hexadecimal digits (vdbeaux.c vdbeCommit). */
static bool is_super_journal(const char *name)
{
    const char *mark = strrchr(name, '-');
    if (mark == NULL || strncmp(mark, "-mj", 3) != 0 || strlen(mark + 3) != SUPER_JOURNAL_DIGITS) {
        return false;
    }
    for (const char *c = mark + 3; *c != '\0'; c++) {
        if (!isxdigit((unsigned char)*c)) {
            return false;
        }
    }
    return true;
}

const char *mc_file_role(const mc_trace *trace, uint16_t file)
{
    if (file >= trace->base.file_count) {
        return "other";
    }
    const char *name = trace->base.file[file].name;
    for (uint32_t i = 0; i < trace->database_count; i++) {
        if (strcmp(name, trace->database[i]) == 0) {
            return "main";
        }
    }
    if (ends_with(name, "-journal")) {
        return "journal";
    }
    if (ends_with(name, "-wal")) {
        return "wal";
    }
    if (ends_with(name, "-shm")) {
        return "shm";
    }
    return is_super_journal(name) ? "super-journal" : "other";
}

mc_status mc_trace_apply(mc_disk *disk, const mc_op *op, uint32_t limit_bytes, mc_error *error)
{
    bool ok = true;
    switch ((mc_op_kind)op->kind) {
    case MC_OP_CREATE:
        ok = mc_disk_create(disk, op->file);
        break;
    case MC_OP_WRITE:
        ok = mc_disk_write(disk, op->file, op->offset, op->data,
                           op->size < limit_bytes ? op->size : limit_bytes);
        break;
    case MC_OP_TRUNCATE:
        ok = mc_disk_truncate(disk, op->file, op->offset);
        break;
    case MC_OP_DELETE:
        ok = mc_disk_delete(disk, op->file);
        break;
    case MC_OP_SYNC:
    case MC_OP_BATCH_BEGIN:
    case MC_OP_BATCH_COMMIT:
    case MC_OP_BEGUN:
    case MC_OP_ACKED:
        break;
    case MC_OP_KV_PUT:
    case MC_OP_KV_DELETE:
    case MC_OP_KV_DELETE_RANGE:
    case MC_OP_KINDS:
        assert(false && "a request is applied to a store, not to a disk");
        break;
    }
    if (!ok) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory",
                       "trace: no memory to replay a %s of file %u",
                       mc_op_kind_name((mc_op_kind)op->kind), (unsigned)op->file);
    }
    return MC_OK;
}
