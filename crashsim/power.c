/* power.c: what is durable and what is pending at a crash point, and the disk that a choice among
 * it leaves.
 *
 * The trace is turned into events on inodes, because a name outlives the file that it led to: a
 * journal that was deleted and made anew is two inodes, and the directory that is on the disk may
 * still lead to the first. What a sync covers is folded into what is durable, and what it makes
 * void is dropped; the events that are left are pending, in their order. */
#include "crashsim/powering.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static bool make_room(void **array, size_t count, size_t element, size_t *capacity)
{
    if (count < *capacity) {
        return true;
    }
    size_t more = *capacity == 0 ? 64 : *capacity * 2;
    void *moved = realloc(*array, more * element);
    if (moved == NULL) {
        return false;
    }
    *array = moved;
    *capacity = more;
    return true;
}

static uint32_t new_inode(mc_power *p, const mc_disk_file *base)
{
    size_t capacity = p->inode_capacity;
    if (!make_room((void **)&p->inode, p->inode_count, sizeof *p->inode, &capacity)) {
        p->failed = true;
        return MC_NO_INODE;
    }
    p->inode_capacity = (uint32_t)capacity;
    p->inode[p->inode_count] = (mc_power_inode){0};
    if (base != NULL) {
        p->inode[p->inode_count] =
            (mc_power_inode){.bytes = base->data, .durable_size = base->size, .size = base->size};
    }
    return p->inode_count++;
}

static void add_event(mc_power *p, mc_power_event e)
{
    if (!make_room((void **)&p->event, p->event_count, sizeof *p->event, &p->event_capacity)) {
        p->failed = true;
        return;
    }
    e.shrinks = e.kind == MC_EVENT_SIZE && e.size < p->inode[e.inode].size;
    uint8_t kind = e.kind == MC_EVENT_NAME    ? (uint8_t)MC_POWER_NAMES
                   : e.kind == MC_EVENT_BYTES ? 0
                   : e.shrinks                ? (uint8_t)MC_POWER_SHRINKS
                                              : (uint8_t)MC_POWER_GROWTHS;
    e.ordered = (p->profile->ordered & kind) != 0;
    p->event[p->event_count++] = e;
    if (e.kind == MC_EVENT_SIZE) {
        p->inode[e.inode].size = e.size;
    }
}

/* An inode's durable bytes get that length; zeros where it grew. */
static uint8_t *resize(mc_power *p, mc_power_inode *node, uint64_t size)
{
    if (node->capacity < size || node->capacity == 0) {
        uint64_t capacity = size > 2 * node->capacity ? size : 2 * node->capacity;
        capacity = capacity < MC_POWER_BLOCK_BYTES ? MC_POWER_BLOCK_BYTES : capacity;
        uint8_t *moved = realloc(node->capacity == 0 ? NULL : (void *)node->bytes, capacity);
        if (moved == NULL) {
            p->failed = true;
            return NULL;
        }
        if (node->capacity == 0 && node->durable_size > 0) {
            memcpy(moved, node->bytes, node->durable_size < size ? node->durable_size : size);
        }
        node->bytes = moved;
        node->capacity = capacity;
    }
    uint8_t *bytes = (uint8_t *)node->bytes;
    if (size > node->durable_size) {
        memset(bytes + node->durable_size, 0, size - node->durable_size);
    }
    node->durable_size = size;
    return bytes;
}

/* Of the `count` pending events before it, a length that became durable makes older lengths void,
 * and older bytes behind it; a name makes older changes of that name void. */
static size_t drop_void(mc_power *p, size_t count, const mc_power_event *by)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        mc_power_event e = p->event[i];
        bool same = by->kind == MC_EVENT_NAME ? e.kind == MC_EVENT_NAME && e.name == by->name
                                              : e.kind != MC_EVENT_NAME && e.inode == by->inode;
        if (same && e.kind == MC_EVENT_BYTES && e.size > by->size) {
            e.size = by->size;
        }
        if (!same || (e.kind == MC_EVENT_BYTES && e.size > p->trace->op[e.op].offset)) {
            p->event[kept++] = e;
        }
    }
    return kept;
}

/* Folds the durable events into what is durable. */
static void fold(mc_power *p)
{
    size_t kept = 0;
    p->folds++;
    for (size_t i = 0; i < p->event_count && !p->failed; i++) {
        mc_power_event e = p->event[i];
        if (!e.durable) {
            p->event[kept++] = e;
            continue;
        }
        if (e.kind == MC_EVENT_NAME) {
            kept = drop_void(p, kept, &e);
            p->first[e.name] = e.inode;
            continue;
        }
        mc_power_inode *node = &p->inode[e.inode];
        if (e.kind == MC_EVENT_SIZE) {
            kept = drop_void(p, kept, &e);
            (void)resize(p, node, e.size);
            continue;
        }
        const mc_op *op = &p->trace->op[e.op];
        uint8_t *bytes = resize(p, node, node->durable_size > e.size ? node->durable_size : e.size);
        if (bytes != NULL) {
            memcpy(bytes + op->offset, op->data, (size_t)(e.size - op->offset));
        }
    }
    p->event_count = kept;
}

/* All ordered metadata so far is committed together: there is one journal. Bytes that it waits for
 * are there before it. */
static void commit_metadata(mc_power *p)
{
    size_t last = 0;
    for (size_t i = 0; i < p->event_count; i++) {
        mc_power_event *e = &p->event[i];
        e->durable = e->durable || e->ordered;
        last = e->ordered ? e->op : last;
    }
    for (size_t i = 0; p->profile->data == MC_POWER_DATA_BEFORE_LATER && i < p->event_count; i++) {
        mc_power_event *e = &p->event[i];
        e->durable = e->durable || (e->kind == MC_EVENT_BYTES && e->op < last);
    }
}

static void sync_names(mc_power *p)
{
    for (size_t i = 0; i < p->event_count; i++) {
        p->event[i].durable = p->event[i].durable || p->event[i].kind == MC_EVENT_NAME;
    }
    if (!p->profile->sync_alone) {
        commit_metadata(p);
    }
}

static void sync_folder(mc_power *p)
{
    if (p->profile->syncs && p->profile->dir_syncs) {
        sync_names(p);
        fold(p);
    }
}

static void sync_inode(mc_power *p, uint32_t number)
{
    bool metadata = false;
    for (size_t i = 0; i < p->event_count; i++) {
        mc_power_event *e = &p->event[i];
        if (e->inode == number) {
            metadata = metadata || e->kind != MC_EVENT_BYTES;
            e->durable = e->kind != MC_EVENT_NAME || p->profile->sync_alone;
        }
    }
    if (metadata && !p->profile->sync_alone) {
        commit_metadata(p);
    }
}

static void change_name(mc_power *p, size_t index)
{
    const mc_op *op = &p->trace->op[index];
    uint32_t number = p->leads[op->file];
    if (op->kind == MC_OP_CREATE) {
        p->leads[op->file] = new_inode(p, NULL);
    } else {
        p->leads[op->file] = MC_NO_INODE;
        for (uint64_t size = p->profile->unlink_shrinks ? p->inode[number].size : 0; size > 0;) {
            size = (size - 1) / MC_POWER_BLOCK_BYTES * MC_POWER_BLOCK_BYTES;
            add_event(p, (mc_power_event){
                             .kind = MC_EVENT_SIZE, .inode = number, .size = size, .op = index});
        }
    }
    add_event(
        p, (mc_power_event){
               .kind = MC_EVENT_NAME, .inode = p->leads[op->file], .name = op->file, .op = index});
}

static void take_op(mc_power *p, size_t index)
{
    const mc_op *op = &p->trace->op[index];
    uint32_t number = p->leads[op->file];
    uint64_t end = op->kind == MC_OP_TRUNCATE ? op->offset : op->offset + op->size;
    mc_power_event e = {.kind = MC_EVENT_SIZE, .op = index, .inode = number, .size = end};
    uint64_t before = 0;
    switch ((mc_op_kind)op->kind) {
    case MC_OP_CREATE:
    case MC_OP_DELETE:
        change_name(p, index);
        break;
    case MC_OP_TRUNCATE:
    case MC_OP_WRITE:
        assert(number != MC_NO_INODE);
        before = p->inode[number].size;
        if (op->kind == MC_OP_TRUNCATE || end > p->inode[number].size) {
            add_event(p, e);
        }
        e.kind = MC_EVENT_BYTES;
        e.before = before;
        if (op->kind == MC_OP_WRITE) {
            add_event(p, e);
        }
        break;
    case MC_OP_SYNC:
        if (p->profile->syncs && number != MC_NO_INODE) {
            sync_inode(p, number);
            fold(p);
        }
        break;
    default:
        break;
    }
}

static bool syncs_folder(const mc_trace *trace, size_t element)
{
    return (trace->op[element].flags & MC_OPF_DIR_SYNC) != 0;
}

/* Does what an element does before it syncs the directory make states of its own? */
static bool ends_later(const mc_power *p, size_t element)
{
    return p->trace->op[element].kind == MC_OP_DELETE || p->profile->sync_alone;
}

bool mc_power_is_same(const mc_trace *trace, size_t point)
{
    mc_op_kind kind = point == 0 ? MC_OP_KINDS : (mc_op_kind)trace->op[point - 1].kind;
    bool is_mark = kind == MC_OP_BEGUN || kind == MC_OP_ACKED;
    return is_mark && (point == 1 || !syncs_folder(trace, point - 2));
}

mc_status mc_power_no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "power: out of memory");
}

mc_power *mc_power_open(const mc_trace *trace, const mc_power_profile *profile)
{
    assert(!trace->is_kv);
    uint32_t files = trace->base.file_count;
    mc_power *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return NULL;
    }
    *p = (mc_power){.trace = trace, .profile = profile};
    /* There is room before there are events, so that a pointer to none is one. */
    p->failed = !make_room((void **)&p->event, 0, sizeof *p->event, &p->event_capacity);
    p->leads = calloc(files + 1, sizeof *p->leads);
    p->first = calloc(files + 1, sizeof *p->first);
    p->is_shm = calloc(files + 1, sizeof *p->is_shm);
    p->failed = p->failed || p->leads == NULL || p->first == NULL || p->is_shm == NULL;
    for (uint32_t i = 0; i < files && !p->failed; i++) {
        const mc_disk_file *file = &trace->base.file[i];
        p->is_shm[i] = strcmp(mc_file_role(trace, (uint16_t)i), "shm") == 0;
        p->leads[i] = file->exists ? new_inode(p, file) : (uint32_t)MC_NO_INODE;
        p->first[i] = p->leads[i];
    }
    if (p->failed) {
        mc_power_close(p);
        return NULL;
    }
    return p;
}

void mc_power_close(mc_power *p)
{
    if (p == NULL) {
        return;
    }
    for (uint32_t i = 0; i < p->inode_count; i++) {
        if (p->inode[i].capacity > 0) {
            free((void *)p->inode[i].bytes);
        }
    }
    free(p->inode);
    free(p->event);
    free(p->leads);
    free(p->first);
    free(p->is_shm);
    free(p);
}

mc_status mc_power_advance(mc_power *p, size_t point, mc_error *error)
{
    assert(point >= p->point && point <= p->trace->op_count);
    for (; p->point < point && !p->failed; p->point++) {
        size_t now = p->point;
        uint16_t file = p->trace->op[now].file;
        if (now > 0 && syncs_folder(p->trace, now - 1) && ends_later(p, now - 1)) {
            sync_folder(p);
        }
        if (file != MC_DISK_NONE && !p->is_shm[file]) {
            take_op(p, now);
        }
        if (syncs_folder(p->trace, now) && !ends_later(p, now)) {
            sync_folder(p);
        }
    }
    return p->failed ? mc_power_no_memory(error) : MC_OK;
}

size_t mc_power_pending(const mc_power *p)
{
    return p->event_count;
}
