/* power.c: what is durable and what is pending at a crash point, and the disk that a choice among
 * it leaves.
 *
 * The trace is turned into events on inodes, because a name outlives the file that it led to: a
 * journal that was deleted and made anew is two inodes, and the directory that is on the disk may
 * still lead to the first. What a sync covers is folded into what is durable, and what it makes
 * void is dropped; the events that are left are pending, in their order. */
#include "crashsim/power.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { BLOCK_BYTES = MC_POWER_BLOCK_BYTES, NO_INODE = 0xffffffff };

typedef enum event_kind { EVENT_NAME, EVENT_SIZE, EVENT_BYTES } event_kind;

typedef struct event {
    uint8_t kind;
    bool durable;   /* while it is being folded */
    bool ordered;   /* metadata that the profile keeps in order */
    bool there;     /* of ordered metadata: chosen to be */
    uint16_t name;  /* EVENT_NAME: the file number whose name changed */
    uint32_t inode; /* EVENT_NAME: where it leads now, or NO_INODE */
    uint64_t size;  /* EVENT_SIZE: the length now; EVENT_BYTES: where it ends */
    size_t op;      /* index in the trace */
} event;

typedef struct inode {
    const uint8_t *bytes; /* what is durable of it */
    uint64_t durable_size;
    uint64_t capacity; /* of `bytes`, if they are its own; 0: they are the base's */
    uint64_t size;     /* as programs see it */
} inode;

struct mc_power {
    const mc_trace *trace;
    const mc_power_profile *profile;
    size_t point;
    event *event;
    size_t event_count;
    size_t event_capacity;
    inode *inode;
    uint32_t inode_count;
    uint32_t inode_capacity;
    uint32_t *leads; /* by file number: where the name leads for programs */
    uint32_t *first; /* and on the disk, if nothing pending is there */
    bool *is_shm;    /* by file number: a WAL index */
    bool failed;     /* no memory */
    uint64_t folds;  /* how often something became durable */
    mc_power_choose choose;
    void *context;
    size_t metadata_last; /* the element that made the newest ordered metadata that is there */
};

/* ---- what happened ---- */

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
        return NO_INODE;
    }
    p->inode_capacity = (uint32_t)capacity;
    p->inode[p->inode_count] = (inode){0};
    if (base != NULL) {
        p->inode[p->inode_count] =
            (inode){.bytes = base->data, .durable_size = base->size, .size = base->size};
    }
    return p->inode_count++;
}

static void add_event(mc_power *p, event e)
{
    if (!make_room((void **)&p->event, p->event_count, sizeof *p->event, &p->event_capacity)) {
        p->failed = true;
        return;
    }
    uint8_t kind = e.kind == EVENT_NAME              ? (uint8_t)MC_POWER_NAMES
                   : e.kind == EVENT_BYTES           ? 0
                   : e.size < p->inode[e.inode].size ? (uint8_t)MC_POWER_SHRINKS
                                                     : (uint8_t)MC_POWER_GROWTHS;
    e.ordered = (p->profile->ordered & kind) != 0;
    p->event[p->event_count++] = e;
    if (e.kind == EVENT_SIZE) {
        p->inode[e.inode].size = e.size;
    }
}

/* An inode's durable bytes get that length; zeros where it grew. */
static uint8_t *resize(mc_power *p, inode *node, uint64_t size)
{
    if (node->capacity < size || node->capacity == 0) {
        uint64_t capacity = size > 2 * node->capacity ? size : 2 * node->capacity;
        capacity = capacity < BLOCK_BYTES ? BLOCK_BYTES : capacity;
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
static size_t drop_void(mc_power *p, size_t count, const event *by)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        event e = p->event[i];
        bool same = by->kind == EVENT_NAME ? e.kind == EVENT_NAME && e.name == by->name
                                           : e.kind != EVENT_NAME && e.inode == by->inode;
        if (same && e.kind == EVENT_BYTES && e.size > by->size) {
            e.size = by->size;
        }
        if (!same || (e.kind == EVENT_BYTES && e.size > p->trace->op[e.op].offset)) {
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
        event e = p->event[i];
        if (!e.durable) {
            p->event[kept++] = e;
            continue;
        }
        if (e.kind == EVENT_NAME) {
            kept = drop_void(p, kept, &e);
            p->first[e.name] = e.inode;
            continue;
        }
        inode *node = &p->inode[e.inode];
        if (e.kind == EVENT_SIZE) {
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
        event *e = &p->event[i];
        e->durable = e->durable || e->ordered;
        last = e->ordered ? e->op : last;
    }
    for (size_t i = 0; p->profile->data == MC_POWER_DATA_BEFORE_LATER && i < p->event_count; i++) {
        event *e = &p->event[i];
        e->durable = e->durable || (e->kind == EVENT_BYTES && e->op < last);
    }
}

static void sync_names(mc_power *p)
{
    for (size_t i = 0; i < p->event_count; i++) {
        p->event[i].durable = p->event[i].durable || p->event[i].kind == EVENT_NAME;
    }
    if (!p->profile->sync_alone) {
        commit_metadata(p);
    }
}

static void sync_inode(mc_power *p, uint32_t number)
{
    bool metadata = false;
    for (size_t i = 0; i < p->event_count; i++) {
        event *e = &p->event[i];
        if (e->inode == number) {
            metadata = metadata || e->kind != EVENT_BYTES;
            e->durable = e->kind != EVENT_NAME || p->profile->sync_alone;
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
        p->leads[op->file] = NO_INODE;
        for (uint64_t size = p->profile->unlink_shrinks ? p->inode[number].size : 0; size > 0;) {
            size = (size - 1) / BLOCK_BYTES * BLOCK_BYTES;
            add_event(p, (event){.kind = EVENT_SIZE, .inode = number, .size = size, .op = index});
        }
    }
    add_event(
        p, (event){.kind = EVENT_NAME, .inode = p->leads[op->file], .name = op->file, .op = index});
}

static void take_op(mc_power *p, size_t index)
{
    const mc_op *op = &p->trace->op[index];
    uint32_t number = p->leads[op->file];
    uint64_t end = op->kind == MC_OP_TRUNCATE ? op->offset : op->offset + op->size;
    event e = {.kind = EVENT_SIZE, .op = index, .inode = number, .size = end};
    switch ((mc_op_kind)op->kind) {
    case MC_OP_CREATE:
    case MC_OP_DELETE:
        change_name(p, index);
        break;
    case MC_OP_TRUNCATE:
    case MC_OP_WRITE:
        assert(number != NO_INODE);
        if (op->kind == MC_OP_TRUNCATE || end > p->inode[number].size) {
            add_event(p, e);
        }
        e.kind = EVENT_BYTES;
        if (op->kind == MC_OP_WRITE) {
            add_event(p, e);
        }
        break;
    case MC_OP_SYNC:
        if (p->profile->syncs && number != NO_INODE) {
            sync_inode(p, number);
            fold(p);
        }
        break;
    default:
        break;
    }
    if ((op->flags & MC_OPF_DIR_SYNC) != 0 && p->profile->syncs && p->profile->dir_syncs) {
        sync_names(p);
        fold(p);
    }
}

static mc_status fail_memory(mc_error *error)
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
    p->leads = calloc(files + 1, sizeof *p->leads);
    p->first = calloc(files + 1, sizeof *p->first);
    p->is_shm = calloc(files + 1, sizeof *p->is_shm);
    p->failed = p->leads == NULL || p->first == NULL || p->is_shm == NULL;
    for (uint32_t i = 0; i < files && !p->failed; i++) {
        const mc_disk_file *file = &trace->base.file[i];
        p->is_shm[i] = strcmp(mc_file_role(trace, (uint16_t)i), "shm") == 0;
        p->leads[i] = file->exists ? new_inode(p, file) : (uint32_t)NO_INODE;
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
        uint16_t file = p->trace->op[p->point].file;
        if (file != MC_DISK_NONE && !p->is_shm[file]) {
            take_op(p, p->point);
        }
    }
    return p->failed ? fail_memory(error) : MC_OK;
}

size_t mc_power_pending(const mc_power *p)
{
    return p->event_count;
}

/* ---- what may be there of it ---- */

static uint32_t ask(const mc_power *p, mc_power_item item, const event *about, uint32_t count)
{
    assert(count > 0);
    if (count == 1) {
        return 0;
    }
    uint32_t answer =
        p->choose(p->context, item, about == NULL ? NULL : &p->trace->op[about->op], count);
    assert(answer < count);
    return answer;
}

void mc_power_metadata(mc_power *p, mc_power_choose choose, void *context)
{
    uint32_t pending = 0;
    p->choose = choose;
    p->context = context;
    p->metadata_last = 0;
    for (size_t i = 0; i < p->event_count; i++) {
        p->event[i].there = false;
        pending += p->event[i].ordered;
    }
    uint32_t kept = ask(p, MC_POWER_METADATA, NULL, pending + 1);
    for (size_t i = 0; i < p->event_count && kept > 0; i++) {
        event *e = &p->event[i];
        if (e->ordered) {
            kept--;
            e->there = true;
            p->metadata_last = e->op;
        }
    }
}

/* Where the name of `file` leads on the disk. */
static uint32_t choose_name(const mc_power *p, uint16_t file)
{
    uint32_t leads = p->first[file];
    uint32_t pending = 0;
    const event *about = NULL;
    for (size_t i = 0; i < p->event_count; i++) {
        const event *e = &p->event[i];
        if (e->kind == EVENT_NAME && e->name == file) {
            leads = e->there ? e->inode : leads;
            if (!e->ordered) {
                pending++;
                about = about == NULL ? e : about;
            }
        }
    }
    uint32_t kept = ask(p, MC_POWER_NAME, about, pending + 1);
    for (size_t i = 0; i < p->event_count && kept > 0; i++) {
        const event *e = &p->event[i];
        if (e->kind == EVENT_NAME && e->name == file && !e->ordered) {
            leads = e->inode;
            kept--;
        }
    }
    return leads;
}

/* One file that is on the disk, while it is laid out. */
typedef struct laying {
    mc_power *power;
    mc_power_file *file;
    uint32_t inode;
    const event *length; /* the event that gave the chosen length; null: the durable one */
    uint64_t allocated;  /* bytes from here on lie in blocks that are new */
} laying;

static bool is_length(const laying *l, const event *e)
{
    return e->kind == EVENT_SIZE && e->inode == l->inode;
}

static void choose_size(laying *l)
{
    const mc_power *p = l->power;
    const event *end = p->event + p->event_count;
    for (const event *e = p->event; e < end; e++) {
        if (is_length(l, e) && e->there) {
            l->length = e;
        }
    }
    const event *first = l->length == NULL ? p->event : l->length + 1;
    const event *about = NULL;
    uint32_t pending = 0;
    for (const event *e = first; e < end && !(is_length(l, e) && e->ordered); e++) {
        pending += is_length(l, e);
        about = is_length(l, e) ? e : about;
    }
    uint32_t kept = ask(p, MC_POWER_SIZE, about, pending + 1);
    for (const event *e = first; kept > 0; e++) {
        if (is_length(l, e)) {
            l->length = e;
            kept--;
        }
    }
    l->file->size = l->length == NULL ? p->inode[l->inode].durable_size : l->length->size;
}

static uint64_t block_end(uint64_t size)
{
    return (size + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
}

/* Must the bytes from `at` on be there, since metadata that waits for them is? */
static bool is_forced(const laying *l, const event *e, uint64_t at)
{
    switch (l->power->profile->data) {
    case MC_POWER_DATA_FREE:
        return false;
    case MC_POWER_DATA_WITH_SIZE:
        return l->length != NULL && e->op <= l->length->op && at >= l->allocated;
    case MC_POWER_DATA_BEFORE_LATER:
        return e->op < l->power->metadata_last;
    }
    return false;
}

/* The units of one write, as far as they can be seen. */
static void add_cells(laying *l, const event *e)
{
    const mc_power_profile *profile = l->power->profile;
    const mc_op *op = &l->power->trace->op[e->op];
    mc_power_file *file = l->file;
    uint64_t tear = profile->tear_bytes;
    uint64_t end = e->size < file->size ? e->size : file->size;
    for (uint64_t from = op->offset; from < end;) {
        uint64_t unit = from / tear * tear;
        mc_power_cell cell = {.from = from, .data = op->data + (from - op->offset), .op = op};
        cell.to = unit + tear < end ? unit + tear : end;
        cell.unit_from = unit;
        cell.unit_to = unit + tear < file->size ? unit + tear : file->size;
        bool partial = cell.from > cell.unit_from || cell.to < cell.unit_to;
        cell.write = (uint32_t)e->op;
        cell.alternatives = is_forced(l, e, from) ? 1 : partial && !profile->psow ? 3 : 2;
        cell.chained = !profile->tear_any && from > op->offset && cell.alternatives > 1;
        file->cell[file->cell_count++] = cell;
        from = cell.to;
    }
}

/* What a cut that is there takes away from older cells. */
static void cut_cells(mc_power_file *file, uint64_t size)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < file->cell_count; i++) {
        mc_power_cell cell = file->cell[i];
        cell.to = cell.to < size ? cell.to : size;
        cell.unit_to = cell.unit_to < size ? cell.unit_to : size;
        if (cell.from < cell.to) {
            file->cell[kept++] = cell;
        }
    }
    file->cell_count = kept;
    file->sure = file->sure < size ? file->sure : size;
}

static size_t cells_at_most(const laying *l)
{
    const mc_power *p = l->power;
    size_t most = 0;
    for (size_t i = 0; i < p->event_count; i++) {
        const event *e = &p->event[i];
        if (e->kind == EVENT_BYTES && e->inode == l->inode) {
            most += p->trace->op[e->op].size / p->profile->tear_bytes + 2;
        }
    }
    return most;
}

/* Sorts the cells by block. None lies in two. */
static bool sort_cells(mc_power_file *file, mc_arena *arena)
{
    size_t blocks = (size_t)(file->size / BLOCK_BYTES) + 1;
    uint32_t *first = mc_arena_calloc(arena, blocks + 2, sizeof *first);
    uint32_t *sorted = mc_arena_alloc(arena, file->cell_count * sizeof *sorted);
    if (first == NULL || sorted == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < file->cell_count; i++) {
        first[file->cell[i].from / BLOCK_BYTES + 2]++;
    }
    for (size_t b = 1; b <= blocks; b++) {
        first[b + 1] += first[b];
    }
    for (uint32_t i = 0; i < file->cell_count; i++) {
        sorted[first[file->cell[i].from / BLOCK_BYTES + 1]++] = i;
    }
    file->block = first;
    file->by_block = sorted;
    return true;
}

/* Which file it is, how long, and with what fill. */
static void choose_file(laying *l, uint16_t number)
{
    mc_power *p = l->power;
    mc_power_file *file = l->file;
    *file = (mc_power_file){0};
    l->inode = p->is_shm[number] ? (uint32_t)NO_INODE : choose_name(p, number);
    if (l->inode == NO_INODE) {
        return;
    }
    const inode *node = &p->inode[l->inode];
    *file = (mc_power_file){.exists = true, .bytes = node->bytes};
    choose_size(l);
    file->sure = node->durable_size < file->size ? node->durable_size : file->size;
    l->allocated = block_end(node->durable_size);
    bool may_fill = p->profile->garbage && l->length != NULL && file->size > 0;
    file->garbage = may_fill && ask(p, MC_POWER_FILL, NULL, 2) == 0;
}

static bool lay_file(laying *l, mc_arena *arena)
{
    const mc_power *p = l->power;
    mc_power_file *file = l->file;
    file->cell = mc_arena_alloc(arena, (cells_at_most(l) + 1) * sizeof *file->cell);
    if (file->cell == NULL) {
        return false;
    }
    uint64_t reach = file->sure; /* no byte lies behind */
    for (size_t i = 0; i < p->event_count; i++) {
        const event *e = &p->event[i];
        if (e->inode != l->inode || e->kind == EVENT_NAME) {
            continue;
        }
        if (e->kind == EVENT_BYTES) {
            add_cells(l, e);
            reach = reach > e->size ? reach : e->size;
        } else if (l->length != NULL && e <= l->length) {
            if (e->size < reach) {
                cut_cells(file, e->size);
                reach = e->size;
            }
            l->allocated = l->allocated < e->size ? l->allocated : block_end(e->size);
        } else if (e->ordered && !e->there) {
            break; /* what came later lies in blocks that the file has not got */
        }
    }
    return file->cell_count == 0 || sort_cells(file, arena);
}

mc_status mc_power_lay(mc_power *p, uint16_t number, mc_power_choose choose, void *context,
                       mc_arena *arena, mc_power_file *file, mc_error *error)
{
    p->choose = choose;
    p->context = context;
    laying l = {.power = p, .file = file};
    choose_file(&l, number);
    return !file->exists || lay_file(&l, arena) ? MC_OK : fail_memory(error);
}

mc_hash128 mc_power_peek(mc_power *p, uint16_t number, mc_power_choose choose, void *context)
{
    mc_power_file file;
    laying l = {.power = p, .file = &file};
    p->choose = choose;
    p->context = context;
    choose_file(&l, number);
    uint64_t facts[] = {p->folds,
                        l.inode,
                        file.size,
                        file.garbage,
                        l.length == NULL ? 0 : l.length->op + 1,
                        p->profile->data == MC_POWER_DATA_BEFORE_LATER ? p->metadata_last : 0};
    XXH128_hash_t id = XXH3_128bits(facts, sizeof facts);
    for (size_t i = 0; file.exists && i < p->event_count; i++) {
        const event *e = &p->event[i];
        bool seen = e->kind == EVENT_BYTES ? p->trace->op[e->op].offset < file.size
                                           : l.length != NULL && e <= l.length;
        if (e->inode != l.inode || e->kind == EVENT_NAME) {
            continue;
        }
        if (e->kind == EVENT_SIZE && !seen && e->ordered && !e->there) {
            break;
        }
        if (seen) {
            id.low64 = (id.low64 ^ (e->op * 4 + e->kind)) * 0x9e3779b97f4a7c15u;
            id.high64 = (id.high64 + id.low64 + e->size) * 0xc2b2ae3d27d4eb4fu;
            id.low64 ^= id.high64 >> 29;
        }
    }
    return (mc_hash128){id.low64, id.high64};
}

/* ---- the bytes ---- */

/* Garbage is a function of its place that repeats every 256 bytes. */
static void put_garbage(uint64_t from, uint64_t to, uint8_t *out)
{
    enum { PERIOD = 256 };
    static uint8_t pattern[2 * PERIOD];
    if (pattern[0] == 0) {
        for (uint32_t i = 0; i < 2 * PERIOD; i++) {
            pattern[i] = (uint8_t)(i * 167 + 13);
        }
    }
    while (from < to) {
        size_t count = to - from < PERIOD ? (size_t)(to - from) : PERIOD;
        memcpy(out, pattern + from % PERIOD, count);
        out += count;
        from += count;
    }
}

void mc_power_put_cell(const mc_power_cell *cell, uint8_t choice, uint64_t from, uint64_t to,
                       uint8_t *out)
{
    uint32_t most = cell->alternatives - 1u;
    uint32_t chosen = choice < most ? choice : most;
    if (chosen == most) {
        uint64_t first = cell->from > from ? cell->from : from;
        uint64_t end = cell->to < to ? cell->to : to;
        if (first < end) {
            memcpy(out + (first - from), cell->data + (first - cell->from), (size_t)(end - first));
        }
    } else if (chosen == 1) {
        uint64_t first = cell->unit_from > from ? cell->unit_from : from;
        put_garbage(first, cell->unit_to < to ? cell->unit_to : to, out + (first - from));
    }
}

void mc_power_bytes(const mc_power_file *file, const uint8_t *choice, uint64_t from, uint64_t to,
                    uint8_t *out)
{
    assert(from <= to && to <= file->size);
    if (from == to) {
        return; /* an empty file need not have a place */
    }
    uint64_t sure = file->sure < from ? from : file->sure < to ? file->sure : to;
    if (sure > from) {
        memcpy(out, file->bytes + from, (size_t)(sure - from));
    }
    if (file->garbage) {
        put_garbage(sure, to, out + (sure - from));
    } else {
        memset(out + (sure - from), 0, (size_t)(to - sure));
    }
    if (file->cell_count == 0) {
        return;
    }
    uint32_t end = file->block[(to - 1) / BLOCK_BYTES + 1];
    for (uint32_t i = file->block[from / BLOCK_BYTES]; i < end; i++) {
        uint32_t cell = file->by_block[i];
        mc_power_put_cell(&file->cell[cell], choice[cell], from, to, out);
    }
}

/* ---- one state ---- */

/* Asks for the cells of one write that begin at `first`; returns where the next write's begin. */
static uint32_t ask_write(const mc_power *p, const mc_power_file *file, uint32_t first,
                          uint8_t *choice)
{
    enum { GONE, TORN };
    const mc_power_cell *cell = file->cell;
    uint32_t end = first;
    uint32_t free_cells = 0;
    bool damages = false;
    while (end < file->cell_count && cell[end].write == cell[first].write) {
        free_cells += cell[end].alternatives > 1;
        damages = damages || cell[end].alternatives > 2;
        end++;
    }
    event about = {.op = (size_t)(cell[first].op - p->trace->op)};
    bool linear = !p->profile->tear_any;
    bool splits = free_cells > 1 || damages;
    uint32_t whole = free_cells == 0 ? 0 : linear ? free_cells : splits ? 2 : 1;
    uint32_t kept = ask(p, MC_POWER_WRITE, &about, whole + 1);
    uint32_t number = 0;
    for (uint32_t i = first; i < end; i++) {
        uint32_t most = cell[i].alternatives - 1u;
        choice[i] = (uint8_t)most;
        if (most == 0) {
            continue;
        }
        if (linear) {
            choice[i] = (uint8_t)(number < kept ? most : 0);
        } else if (kept != whole) {
            choice[i] = (uint8_t)(kept == TORN ? ask(p, MC_POWER_UNIT, &about, most + 1) : GONE);
        }
        number++;
    }
    return end;
}

/* What ask_write asks for the cells of one write, answered by their choices. */
static uint32_t answer_write(const mc_power *p, const mc_power_file *file, uint32_t first,
                             const uint8_t *choice, void (*say)(void *, uint32_t), void *context)
{
    const mc_power_cell *cell = file->cell;
    uint32_t end = first;
    uint32_t free_cells = 0;
    uint32_t there = 0;
    bool damages = false;
    bool damaged = false;
    while (end < file->cell_count && cell[end].write == cell[first].write) {
        uint32_t most = cell[end].alternatives - 1u;
        free_cells += most > 0;
        damages = damages || most > 1;
        there += most > 0 && choice[end] >= most;
        damaged = damaged || (most > 1 && choice[end] == 1);
        end++;
    }
    bool linear = !p->profile->tear_any;
    bool splits = free_cells > 1 || damages;
    if (free_cells == 0) {
        return end;
    }
    if (linear || !splits) {
        say(context, there);
        return end;
    }
    bool torn = damaged || (there > 0 && there < free_cells);
    say(context, torn ? 1 : there == 0 ? 0 : 2);
    for (uint32_t i = first; torn && i < end; i++) {
        uint32_t most = cell[i].alternatives - 1u;
        if (most > 0) {
            say(context, choice[i] < most ? choice[i] : most);
        }
    }
    return end;
}

void mc_power_answers(const mc_power *p, const mc_power_file *file, uint8_t *const *choice,
                      void (*say)(void *context, uint32_t answer), void *context)
{
    for (uint32_t f = 0; f < p->trace->base.file_count; f++) {
        for (uint32_t i = 0; file[f].exists && i < file[f].cell_count;) {
            i = answer_write(p, &file[f], i, choice[f], say, context);
        }
    }
}

static bool put_file(const mc_power *p, const mc_power_file *file, uint16_t number, mc_arena *arena,
                     mc_disk *disk)
{
    uint8_t *choice = mc_arena_alloc(arena, file->cell_count + 1);
    uint8_t *bytes = mc_arena_alloc(arena, (size_t)file->size + 1);
    if (choice == NULL || bytes == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < file->cell_count;) {
        i = ask_write(p, file, i, choice);
    }
    mc_power_bytes(file, choice, 0, file->size, bytes);
    return mc_disk_create(disk, number) &&
           mc_disk_write(disk, number, 0, bytes, (size_t)file->size);
}

mc_status mc_power_state(const mc_trace *trace, size_t point, const mc_power_profile *profile,
                         mc_power_choose choose, void *context, mc_arena *arena, mc_disk *disk,
                         mc_error *error)
{
    uint32_t files = trace->base.file_count;
    mc_power *p = mc_power_open(trace, profile);
    mc_power_file *file = mc_arena_calloc(arena, files, sizeof *file);
    if (p == NULL || file == NULL) {
        mc_power_close(p);
        return fail_memory(error);
    }
    mc_status status = mc_power_advance(p, point, error);
    if (status == MC_OK) {
        mc_power_metadata(p, choose, context);
    }
    for (uint16_t i = 0; status == MC_OK && i < files; i++) {
        status = mc_power_lay(p, i, choose, context, arena, &file[i], error);
    }
    for (uint32_t i = 0; status == MC_OK && i < files; i++) {
        uint16_t number = mc_disk_slot(disk, trace->base.file[i].name);
        assert(number == MC_DISK_NONE || number == i);
        if (number == MC_DISK_NONE ||
            (file[i].exists && !put_file(p, &file[i], number, arena, disk))) {
            status = fail_memory(error);
        }
    }
    mc_power_close(p);
    return status;
}
