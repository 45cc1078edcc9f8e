#include "harness/case/optext.h"

#include "core/v1.h"
#include "core/wal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The write to the same file before element `index`, or null. */
static const mc_op *write_before(const mc_trace *trace, size_t index)
{
    uint16_t file = trace->op[index].file;
    for (size_t i = index; i > 0; i--) {
        const mc_op *op = &trace->op[i - 1];
        if (op->file == file && op->kind == MC_OP_WRITE) {
            return op;
        }
        if (op->file == file && op->kind != MC_OP_SYNC) {
            return NULL;
        }
    }
    return NULL;
}

/* A record is written in three pieces: page number, page, checksum (pager.c pager_write). Returns
 * the page whose record it is, or 0. */
static uint32_t journal_write(const mc_trace *trace, size_t index, uint32_t page_size, char *out,
                              size_t size)
{
    const mc_op *op = &trace->op[index];
    const mc_op *before = write_before(trace, index);
    static const uint8_t magic[8] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
    if (op->size >= 12 && op->size != page_size && memcmp(op->data, magic, 8) == 0) {
        (void)snprintf(out, size, "rollback-journal header, %u records from here on count",
                       be32(op->data + 8));
    } else if (op->size >= 28 && op->offset % 512 == 0 && op->size != page_size) {
        (void)snprintf(out, size, "rollback-journal header, magic and count still zero");
    } else if (op->size >= 12 && op->offset == 0 && be32(op->data) == 0) {
        (void)snprintf(out, size, "rollback-journal header zeroed: cold from here on");
    } else if (op->size == page_size && before != NULL && before->size == 4) {
        (void)snprintf(out, size, "record of page %u: old content", be32(before->data));
        return be32(before->data);
    } else if (op->size == 4 && before != NULL && before->size == page_size &&
               before->offset + page_size == op->offset) {
        (void)snprintf(out, size, "record: checksum");
    } else if (op->size == 4) {
        (void)snprintf(out, size, "record of page %u: its number", be32(op->data));
        return be32(op->data);
    } else {
        (void)snprintf(out, size, "super-journal name or padding");
    }
    return 0;
}

/* The frame that commits the transaction which element `index` belongs to; 0: none is written. */
static uint64_t last_frame(const mc_trace *trace, size_t index, uint64_t frame_bytes)
{
    uint16_t file = trace->op[index].file;
    for (size_t i = index; i < trace->op_count; i++) {
        const mc_op *op = &trace->op[i];
        if (op->kind != MC_OP_WRITE || op->file != file || op->offset < MC_WAL_HEADER_BYTES) {
            continue;
        }
        uint64_t at = op->offset - MC_WAL_HEADER_BYTES;
        if (at % frame_bytes == 0 && op->size >= MC_WAL_FRAME_HEADER_BYTES &&
            be32(op->data + 4) != 0) {
            return at / frame_bytes + 1;
        }
    }
    return 0;
}

static uint32_t wal_write(const mc_trace *trace, size_t index, uint32_t page_size, char *out,
                          size_t size)
{
    const mc_op *op = &trace->op[index];
    uint64_t frame_bytes = MC_WAL_FRAME_HEADER_BYTES + (uint64_t)page_size;
    if (op->offset == 0 && op->size >= MC_WAL_HEADER_BYTES) {
        (void)snprintf(out, size, "WAL header, checkpoint sequence %u", be32(op->data + 12));
        return 0;
    }
    uint64_t at = op->offset - MC_WAL_HEADER_BYTES;
    uint64_t frame = at / frame_bytes + 1;
    /* A frame is written in two pieces; its header says whether it commits. */
    bool header = at % frame_bytes == 0 && op->size >= MC_WAL_FRAME_HEADER_BYTES;
    uint64_t last = last_frame(trace, header || index == 0 ? index : index - 1, frame_bytes);
    char of[40] = "";
    if (last > 0) {
        (void)snprintf(of, sizeof of, " of %" PRIu64, last);
    }
    if (header) {
        uint32_t page = be32(op->data);
        (void)snprintf(out, size, "WAL frame %" PRIu64 "%s%s: header, page %u", frame, of,
                       be32(op->data + 4) != 0 ? ", commits" : "", page);
        return page;
    }
    (void)snprintf(out, size, "WAL frame %" PRIu64 "%s: page content", frame, of);
    return 0;
}

static uint32_t write_text(const mc_trace *trace, size_t index, uint32_t page_size, char *out,
                           size_t size)
{
    const mc_op *op = &trace->op[index];
    const char *role = mc_file_role(trace, op->file);
    if (strcmp(role, "main") == 0) {
        uint32_t page = (uint32_t)(op->offset / page_size + 1);
        (void)snprintf(out, size, "page %u", page);
        return page;
    }
    if (strcmp(role, "journal") == 0) {
        return journal_write(trace, index, page_size, out, size);
    }
    if (strcmp(role, "wal") == 0) {
        return wal_write(trace, index, page_size, out, size);
    }
    (void)snprintf(
        out, size, "%s",
        strcmp(role, "super-journal") == 0 ? "name of a journal that belongs to the commit" : "");
    return 0;
}

/* "main metadata", "journal chunk 3". */
static void key_text(const uint8_t *key, uint32_t size, char *out, size_t out_size)
{
    bool v1 = size >= MC_V1_METADATA_KEY_BYTES && key[0] == 8 && key[1] == 1 && key[3] < MC_V1_TAGS;
    if (v1 && key[2] == 0) {
        (void)snprintf(out, out_size, "%s metadata", mc_v1_tag_names[key[3]]);
    } else if (v1 && size == MC_V1_CHUNK_KEY_BYTES) {
        (void)snprintf(out, out_size, "%s chunk %u", mc_v1_tag_names[key[3]], be32(key + 4));
    } else {
        (void)snprintf(out, out_size, "another key");
    }
}

/* A request's keys, as many as fit. The encoding is kvstore.h's. */
static void request_text(const mc_op *op, char *out, size_t size)
{
    static const char *const verbs[] = {"put", "delete", "delete range"};
    size_t have = (size_t)snprintf(out, size, "%s", verbs[op->kind - MC_OP_KV_PUT]);
    size_t at = 0;
    for (uint64_t i = 0; i < op->offset && at < op->size && have + 60 < size; i++) {
        char key[48];
        uint32_t key_size = op->data[at];
        key_text(op->data + at + 1, key_size, key, sizeof key);
        at += 1 + key_size;
        if (op->kind == MC_OP_KV_PUT) {
            const uint8_t *p = op->data + at;
            at += 4 + ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                       (uint32_t)p[3] << 24);
        }
        have += (size_t)snprintf(out + have, size - have, "%s %s", i > 0 ? "," : "", key);
        if (i + 1 < op->offset && have + 60 >= size) {
            (void)snprintf(out + have, size - have, ", ... (%" PRIu64 " keys)", op->offset);
        }
    }
}

uint32_t mc_optext(const mc_trace *trace, size_t index, uint32_t page_size, char *out, size_t size)
{
    const mc_op *op = &trace->op[index];
    mc_op_kind kind = (mc_op_kind)op->kind;
    if (kind == MC_OP_BEGUN || kind == MC_OP_ACKED) {
        (void)snprintf(out, size, "-- commit %" PRIu64 " %s --", op->offset,
                       kind == MC_OP_BEGUN ? "begun" : "acknowledged");
        return 0;
    }
    if (kind >= MC_OP_KV_PUT && kind <= MC_OP_KV_DELETE_RANGE) {
        request_text(op, out, size);
        return 0;
    }
    const char *name = trace->base.file[op->file].name;
    if (kind == MC_OP_WRITE) {
        char what[100];
        uint32_t page = write_text(trace, index, page_size, what, sizeof what);
        (void)snprintf(out, size, "write %s %" PRIu64 "+%u: %s", name, op->offset, op->size, what);
        return page;
    }
    if (kind == MC_OP_TRUNCATE) {
        (void)snprintf(out, size, "truncate %s to %" PRIu64 " bytes", name, op->offset);
    } else {
        (void)snprintf(out, size, "%s %s%s", mc_op_kind_name(kind), name,
                       (op->flags & MC_OPF_DIR_SYNC) != 0 ? ", and its folder" : "");
    }
    return 0;
}
