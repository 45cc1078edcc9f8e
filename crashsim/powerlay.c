/* powerlay.c: the disk that a choice among what is pending leaves, as far as names and lengths say
 * it. */
#include "crashsim/powering.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

uint32_t mc_power_ask(const mc_power *p, mc_power_item item, const mc_power_event *about,
                      uint32_t count)
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
    uint32_t kept = mc_power_ask(p, MC_POWER_METADATA, NULL, pending + 1);
    for (size_t i = 0; i < p->event_count && kept > 0; i++) {
        mc_power_event *e = &p->event[i];
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
    const mc_power_event *about = NULL;
    for (size_t i = 0; i < p->event_count; i++) {
        const mc_power_event *e = &p->event[i];
        if (e->kind == MC_EVENT_NAME && e->name == file) {
            leads = e->there ? e->inode : leads;
            if (!e->ordered) {
                pending++;
                about = about == NULL ? e : about;
            }
        }
    }
    uint32_t kept = mc_power_ask(p, MC_POWER_NAME, about, pending + 1);
    for (size_t i = 0; i < p->event_count && kept > 0; i++) {
        const mc_power_event *e = &p->event[i];
        if (e->kind == MC_EVENT_NAME && e->name == file && !e->ordered) {
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
    const mc_power_event *length; /* the event that gave the chosen length; null: the durable one */
    uint64_t allocated;           /* bytes from here on lie in blocks that are new */
    bool *begun;                  /* by block: a write that is pending has touched it */
} laying;

static bool is_length(const laying *l, const mc_power_event *e)
{
    return e->kind == MC_EVENT_SIZE && e->inode == l->inode;
}

static void choose_size(laying *l)
{
    const mc_power *p = l->power;
    const mc_power_event *end = p->event + p->event_count;
    for (const mc_power_event *e = p->event; e < end; e++) {
        if (is_length(l, e) && e->there) {
            l->length = e;
        }
    }
    const mc_power_event *first = l->length == NULL ? p->event : l->length + 1;
    const mc_power_event *about = NULL;
    uint32_t pending = 0;
    for (const mc_power_event *e = first; e < end && !(is_length(l, e) && e->ordered); e++) {
        pending += is_length(l, e);
        about = is_length(l, e) ? e : about;
    }
    uint32_t kept = mc_power_ask(p, MC_POWER_SIZE, about, pending + 1);
    for (const mc_power_event *e = first; kept > 0; e++) {
        if (is_length(l, e)) {
            l->length = e;
            kept--;
        }
    }
    l->file->size = l->length == NULL ? p->inode[l->inode].durable_size : l->length->size;
}

static uint64_t block_end(uint64_t size)
{
    return (size + MC_POWER_BLOCK_BYTES - 1) / MC_POWER_BLOCK_BYTES * MC_POWER_BLOCK_BYTES;
}

/* Must bytes [at, end) of a write be there, since metadata that waits for them is? They lie in one
 * block. */
static bool is_forced(const laying *l, const mc_power_event *e, uint64_t at, uint64_t end)
{
    bool grew = l->length != NULL && !l->length->shrinks && e->op <= l->length->op;
    switch (l->power->profile->data) {
    case MC_POWER_DATA_FREE:
        return false;
    case MC_POWER_DATA_WITH_SIZE:
        return grew && at >= l->allocated && !l->begun[at / MC_POWER_BLOCK_BYTES];
    case MC_POWER_DATA_BEFORE_SIZE:
        return grew && end > e->before;
    case MC_POWER_DATA_BEFORE_LATER:
        return e->op < l->power->metadata_last;
    }
    return false;
}

/* The units of one write, as far as they can be seen. */
static void add_cells(laying *l, const mc_power_event *e)
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
        cell.alternatives = is_forced(l, e, from, cell.to) ? 1 : partial && !profile->psow ? 3 : 2;
        cell.chained = !profile->tear_any && from > op->offset && cell.alternatives > 1;
        file->cell[file->cell_count++] = cell;
        from = cell.to;
    }
    for (uint64_t at = op->offset; at < end; at = block_end(at + 1)) {
        l->begun[at / MC_POWER_BLOCK_BYTES] = true;
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
        const mc_power_event *e = &p->event[i];
        if (e->kind == MC_EVENT_BYTES && e->inode == l->inode) {
            most += p->trace->op[e->op].size / p->profile->tear_bytes + 2;
        }
    }
    return most;
}

/* Sorts the cells by block. None lies in two. */
static bool sort_cells(mc_power_file *file, mc_arena *arena)
{
    size_t blocks = (size_t)(file->size / MC_POWER_BLOCK_BYTES) + 1;
    uint32_t *first = mc_arena_calloc(arena, blocks + 2, sizeof *first);
    uint32_t *sorted = mc_arena_alloc(arena, file->cell_count * sizeof *sorted);
    if (first == NULL || sorted == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < file->cell_count; i++) {
        first[file->cell[i].from / MC_POWER_BLOCK_BYTES + 2]++;
    }
    for (size_t b = 1; b <= blocks; b++) {
        first[b + 1] += first[b];
    }
    for (uint32_t i = 0; i < file->cell_count; i++) {
        sorted[first[file->cell[i].from / MC_POWER_BLOCK_BYTES + 1]++] = i;
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
    l->inode = p->is_shm[number] ? (uint32_t)MC_NO_INODE : choose_name(p, number);
    if (l->inode == MC_NO_INODE) {
        return;
    }
    const mc_power_inode *node = &p->inode[l->inode];
    *file = (mc_power_file){.exists = true, .bytes = node->bytes};
    choose_size(l);
    file->sure = node->durable_size < file->size ? node->durable_size : file->size;
    l->allocated = block_end(node->durable_size);
    bool may_fill = p->profile->garbage && l->length != NULL && file->size > 0;
    file->garbage = may_fill && mc_power_ask(p, MC_POWER_FILL, NULL, 2) == 0;
}

static bool lay_file(laying *l, mc_arena *arena)
{
    const mc_power *p = l->power;
    mc_power_file *file = l->file;
    size_t blocks = (size_t)(block_end(file->size) / MC_POWER_BLOCK_BYTES);
    file->cell = mc_arena_alloc(arena, (cells_at_most(l) + 1) * sizeof *file->cell);
    l->begun = mc_arena_calloc(arena, blocks + 1, sizeof *l->begun);
    if (file->cell == NULL || l->begun == NULL) {
        return false;
    }
    uint64_t reach = file->sure; /* no byte lies behind */
    for (size_t i = 0; i < p->event_count; i++) {
        const mc_power_event *e = &p->event[i];
        if (e->inode != l->inode || e->kind == MC_EVENT_NAME) {
            continue;
        }
        if (e->kind == MC_EVENT_BYTES) {
            add_cells(l, e);
            reach = reach > e->size ? reach : e->size;
        } else if (l->length != NULL && e <= l->length) {
            if (e->size < reach) {
                cut_cells(file, e->size);
                reach = e->size;
            }
            l->allocated = l->allocated < e->size ? l->allocated : block_end(e->size);
            for (size_t b = block_end(e->size) / MC_POWER_BLOCK_BYTES; e->shrinks && b < blocks;
                 b++) {
                l->begun[b] = false;
            }
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
    return !file->exists || lay_file(&l, arena) ? MC_OK : mc_power_no_memory(error);
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
        const mc_power_event *e = &p->event[i];
        bool seen = e->kind == MC_EVENT_BYTES ? p->trace->op[e->op].offset < file.size
                                              : l.length != NULL && e <= l.length;
        if (e->inode != l.inode || e->kind == MC_EVENT_NAME) {
            continue;
        }
        if (e->kind == MC_EVENT_SIZE && !seen && e->ordered && !e->there) {
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
