/* power.c: what is pending at a crash point, and the disk that a choice among it leaves.
 *
 * The trace is turned into events on inodes, because a name outlives the file that it led to: a
 * journal that was deleted and made anew is two inodes, and the directory that is on the disk may
 * still lead to the first. A write that lengthens its file is two events, the length and the bytes.
 * Syncs mark events durable. Three invariants follow from what a sync covers, and the builder
 * leans on them: the durable events of one inode's bytes and lengths come before its pending ones;
 * so do the durable ones among ordered metadata; and nothing durable is ever asked about. */
#include "crashsim/power.h"

#include <assert.h>
#include <string.h>

enum { BLOCK_BYTES = 4096, NO_INODE = 0xffffffff, SECTOR = 512, PAGE = 4096 };

const mc_power_profile mc_power_profiles[] = {
    {"strict", "between two syncs everything may happen, in any order", SECTOR, true, false, 0,
     MC_POWER_DATA_FREE, true, true, true,
     "POSIX fsync, and no more; psow.html: a torn sector may damage what lies beside the write"},
    {"psow", "as strict, but a write changes no byte outside itself", SECTOR, true, true, 0,
     MC_POWER_DATA_FREE, true, true, true, "psow.html: what SQLite takes its disks for"},
    {"sector-512", "everything in order; a write may stop at any multiple of 512", SECTOR, false,
     true, MC_POWER_NAMES | MC_POWER_SHRINKS | MC_POWER_GROWTHS, MC_POWER_DATA_BEFORE_LATER, false,
     true, true, "atomiccommit.html 2.0: a write goes linearly from one end to the other"},
    {"sector-4096", "everything in order; a write may stop at any multiple of 4096", PAGE, false,
     true, MC_POWER_NAMES | MC_POWER_SHRINKS | MC_POWER_GROWTHS, MC_POWER_DATA_BEFORE_LATER, false,
     true, true, "the same, on a disk with 4096-byte sectors"},
    {"ext4-ordered", "ext4 with data=ordered,dioread_lock: the default up to Linux 5.5", SECTOR,
     true, true, MC_POWER_NAMES | MC_POWER_SHRINKS, MC_POWER_DATA_WITH_SIZE, false, true, true,
     "Linux, admin-guide/ext4: data is forced out before its metadata is committed"},
    {"ext4-writeback", "ext4 with data=writeback: lengths may be there before their bytes", SECTOR,
     true, true, MC_POWER_NAMES | MC_POWER_SHRINKS, MC_POWER_DATA_FREE, true, true, true,
     "Linux, admin-guide/ext4: data may be written after its metadata"},
    {"lying-sync", "as ext4-ordered, on a disk whose sync does nothing", SECTOR, true, true,
     MC_POWER_NAMES | MC_POWER_SHRINKS, MC_POWER_DATA_WITH_SIZE, false, false, false,
     "howtocorrupt.html 3.1: disk drives that do not honor sync requests"},
    {"no-dirsync", "as psow, under a VFS that never syncs the directory", SECTOR, true, true, 0,
     MC_POWER_DATA_FREE, true, true, false,
     "compile.html: SQLITE_DISABLE_DIRSYNC; VFSes that have no directory to sync"},
    {"ext4", "ext4 as it is mounted by default: a longer file may be zeros where it grew", SECTOR,
     true, true, MC_POWER_NAMES | MC_POWER_SHRINKS, MC_POWER_DATA_FREE, false, true, true,
     "Linux 244adf6426ee: dioread_nolock is the default from 5.6 on, and new blocks are marked as "
     "unwritten until their data is there; the length may be committed before "
     "(docs/validation.md)"},
    {.name = NULL},
};

const mc_power_profile *mc_power_find(const char *name)
{
    for (const mc_power_profile *row = mc_power_profiles; row->name != NULL; row++) {
        if (strcmp(row->name, name) == 0) {
            return row;
        }
    }
    return NULL;
}

typedef enum event_kind { EVENT_NAME, EVENT_SIZE, EVENT_BYTES } event_kind;

typedef struct event {
    uint8_t kind;
    bool durable;
    bool ordered;   /* metadata that the profile keeps in order */
    bool there;     /* of ordered metadata: durable, or chosen to be */
    uint16_t name;  /* EVENT_NAME: the file number whose name changed */
    uint32_t inode; /* EVENT_NAME: where it leads now, or NO_INODE */
    uint64_t size;  /* EVENT_SIZE: the length now */
    size_t op;      /* index in the trace */
} event;

typedef struct inode {
    const mc_disk_file *base; /* what is on the disk of it from the start; null: nothing */
    uint64_t size;            /* at the point reached */
} inode;

typedef struct power {
    const mc_trace *trace;
    const mc_power_profile *profile;
    event *event;
    size_t event_count;
    inode *inode;
    uint32_t inode_count;
    uint32_t *leads; /* by file number: where the name leads at the point reached */
    uint32_t *first; /* and where it led at the start */
    bool *is_shm;    /* by file number: a WAL index */
    mc_power_choose choose;
    void *context;
} power;

static uint64_t size_of(const inode *node)
{
    return node->base == NULL ? 0 : node->base->size;
}

static void add_event(power *p, event e)
{
    e.ordered = e.kind == EVENT_NAME ? (p->profile->ordered & MC_POWER_NAMES) != 0
                : e.kind == EVENT_SIZE
                    ? (p->profile->ordered &
                       (e.size < p->inode[e.inode].size ? MC_POWER_SHRINKS : MC_POWER_GROWTHS)) != 0
                    : false;
    p->event[p->event_count++] = e;
}

/* All ordered metadata so far is committed together: there is one journal. */
static void commit_metadata(power *p)
{
    for (size_t i = 0; i < p->event_count; i++) {
        p->event[i].durable = p->event[i].durable || p->event[i].ordered;
    }
}

static void sync_names(power *p)
{
    for (size_t i = 0; i < p->event_count; i++) {
        p->event[i].durable = p->event[i].durable || p->event[i].kind == EVENT_NAME;
    }
    commit_metadata(p);
}

static void sync_inode(power *p, uint32_t number)
{
    bool metadata = false;
    for (size_t i = 0; i < p->event_count; i++) {
        event *e = &p->event[i];
        if (e->inode == number && !e->durable) {
            metadata = metadata || e->kind != EVENT_BYTES;
            e->durable = e->kind != EVENT_NAME;
        }
    }
    if (metadata) {
        commit_metadata(p);
    }
}

static void take_op(power *p, size_t index)
{
    const mc_op *op = &p->trace->op[index];
    bool dir_sync =
        (op->flags & MC_OPF_DIR_SYNC) != 0 && p->profile->syncs && p->profile->dir_syncs;
    uint32_t number = p->leads[op->file];
    uint64_t end = op->kind == MC_OP_TRUNCATE ? op->offset : op->offset + op->size;
    event e = {.op = index, .inode = number, .name = op->file, .size = end};
    switch ((mc_op_kind)op->kind) {
    case MC_OP_CREATE:
    case MC_OP_DELETE:
        e.kind = EVENT_NAME;
        e.inode = op->kind == MC_OP_CREATE ? p->inode_count++ : (uint32_t)NO_INODE;
        p->leads[op->file] = e.inode;
        add_event(p, e);
        break;
    case MC_OP_TRUNCATE:
    case MC_OP_WRITE:
        assert(number != NO_INODE);
        e.kind = EVENT_SIZE;
        if (op->kind == MC_OP_TRUNCATE || end > p->inode[number].size) {
            add_event(p, e);
            p->inode[number].size = end;
        }
        e.kind = EVENT_BYTES;
        if (op->kind == MC_OP_WRITE) {
            add_event(p, e);
        }
        break;
    case MC_OP_SYNC:
        if (p->profile->syncs && number != NO_INODE) {
            sync_inode(p, number);
        }
        break;
    default:
        break;
    }
    if (dir_sync) {
        sync_names(p);
    }
}

static mc_status fail_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "power: out of memory");
}

static mc_status collect(power *p, size_t point, mc_arena *arena, mc_error *error)
{
    const mc_disk *base = &p->trace->base;
    uint32_t files = base->file_count;
    assert(point <= p->trace->op_count && !p->trace->is_kv);
    p->event = mc_arena_calloc(arena, 2 * point, sizeof *p->event);
    p->inode = mc_arena_calloc(arena, files + point, sizeof *p->inode);
    p->leads = mc_arena_calloc(arena, files, sizeof *p->leads);
    p->first = mc_arena_calloc(arena, files, sizeof *p->first);
    p->is_shm = mc_arena_calloc(arena, files, sizeof *p->is_shm);
    if (p->event == NULL || p->inode == NULL || p->leads == NULL || p->first == NULL ||
        p->is_shm == NULL) {
        return fail_memory(error);
    }
    for (uint32_t i = 0; i < files; i++) {
        const mc_disk_file *file = &base->file[i];
        bool there = file->exists;
        p->is_shm[i] = strcmp(mc_file_role(p->trace, (uint16_t)i), "shm") == 0;
        p->leads[i] = there ? p->inode_count++ : (uint32_t)NO_INODE;
        p->first[i] = p->leads[i];
        if (there) {
            p->inode[p->leads[i]] = (inode){.base = file, .size = file->size};
        }
    }
    for (size_t i = 0; i < point; i++) {
        uint16_t file = p->trace->op[i].file;
        if (file != MC_DISK_NONE && !p->is_shm[file]) {
            take_op(p, i);
        }
    }
    return MC_OK;
}

static uint32_t ask(const power *p, mc_power_item item, const event *about, uint32_t count)
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

/* How much of the ordered metadata is there. Returns the element that made the last of it, or 0. */
static size_t choose_metadata(power *p)
{
    uint32_t pending = 0;
    for (size_t i = 0; i < p->event_count; i++) {
        pending += p->event[i].ordered && !p->event[i].durable;
    }
    uint32_t kept = ask(p, MC_POWER_METADATA, NULL, pending + 1);
    size_t last = 0;
    for (size_t i = 0; i < p->event_count; i++) {
        event *e = &p->event[i];
        if (e->ordered && (e->durable || kept > 0)) {
            kept -= e->durable ? 0 : 1;
            e->there = true;
            last = e->op;
        }
    }
    return last;
}

/* Where the name of `file` leads on the disk. */
static uint32_t choose_name(const power *p, uint16_t file)
{
    uint32_t leads = p->first[file];
    uint32_t pending = 0;
    const event *about = NULL;
    for (size_t i = 0; i < p->event_count; i++) {
        const event *e = &p->event[i];
        if (e->kind == EVENT_NAME && e->name == file) {
            leads = e->durable || e->there ? e->inode : leads;
            if (!e->durable && !e->ordered) {
                pending++;
                about = about == NULL ? e : about;
            }
        }
    }
    uint32_t kept = ask(p, MC_POWER_NAME, about, pending + 1);
    for (size_t i = 0; i < p->event_count && kept > 0; i++) {
        const event *e = &p->event[i];
        if (e->kind == EVENT_NAME && e->name == file && !e->durable && !e->ordered) {
            leads = e->inode;
            kept--;
        }
    }
    return leads;
}

/* One file that is on the disk, while it is put together. */
typedef struct building {
    power *power;
    mc_disk *disk;
    uint16_t file;
    uint32_t inode;
    const event *length;   /* the event that gave the chosen length; null: it had it at the start */
    uint64_t size;         /* the chosen length */
    uint64_t durable_size; /* the last length that is sure */
    uint64_t allocated;    /* bytes from here on lie in blocks that are new */
    size_t metadata_last;  /* the element that made the newest ordered metadata that is there */
    bool garbage;
} building;

static bool is_length(const building *b, const event *e)
{
    return e->kind == EVENT_SIZE && e->inode == b->inode;
}

static void choose_size(building *b)
{
    const power *p = b->power;
    const event *end = p->event + p->event_count;
    b->durable_size = size_of(&p->inode[b->inode]);
    for (const event *e = p->event; e < end; e++) {
        if (is_length(b, e) && (e->durable || e->there)) {
            b->length = e;
            b->durable_size = e->durable ? e->size : b->durable_size;
        }
    }
    const event *first = b->length == NULL ? p->event : b->length + 1;
    const event *about = NULL;
    uint32_t pending = 0;
    for (const event *e = first; e < end && !(is_length(b, e) && e->ordered); e++) {
        pending += is_length(b, e);
        about = is_length(b, e) ? e : about;
    }
    uint32_t kept = ask(p, MC_POWER_SIZE, about, pending + 1);
    for (const event *e = first; kept > 0; e++) {
        if (is_length(b, e)) {
            b->length = e;
            kept--;
        }
    }
    b->size = b->length == NULL ? b->durable_size : b->length->size;
}

static uint64_t block_end(uint64_t size)
{
    return (size + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
}

static bool put_garbage(building *b, uint64_t from, uint64_t to)
{
    uint8_t bytes[SECTOR];
    for (; from < to; from += sizeof bytes) {
        size_t count = to - from < sizeof bytes ? (size_t)(to - from) : sizeof bytes;
        for (size_t i = 0; i < count; i++) {
            bytes[i] = (uint8_t)((from + i) * 167 + 13);
        }
        if (!mc_disk_write(b->disk, b->file, from, bytes, count)) {
            return false;
        }
    }
    return true;
}

/* Bytes that nobody wrote, up to `size`. */
static bool fill_up(building *b, uint64_t size)
{
    uint64_t now = b->disk->file[b->file].size;
    if (size <= now) {
        return true;
    }
    return b->garbage ? put_garbage(b, now, size) : mc_disk_truncate(b->disk, b->file, size);
}

static bool put_bytes(building *b, const mc_op *op, uint64_t from, uint64_t to)
{
    return fill_up(b, from) && mc_disk_write(b->disk, b->file, from, op->data + (from - op->offset),
                                             (size_t)(to - from));
}

/* Must the bytes from `at` on be there, since metadata that waits for them is? */
static bool is_forced(const building *b, const event *e, uint64_t at)
{
    if (e->durable) {
        return true;
    }
    switch (b->power->profile->data) {
    case MC_POWER_DATA_FREE:
        return false;
    case MC_POWER_DATA_WITH_SIZE:
        return b->length != NULL && e->op <= b->length->op && at >= b->allocated;
    case MC_POWER_DATA_BEFORE_LATER:
        return e->op < b->metadata_last;
    }
    return false;
}

/* The bytes of one write, as far as they are there and can be seen. */
static bool put_write(building *b, const event *e)
{
    enum { GONE, TORN };
    const power *p = b->power;
    const mc_power_profile *profile = p->profile;
    const mc_op *op = &p->trace->op[e->op];
    uint64_t tear = profile->tear_bytes;
    uint64_t end = e->size < b->size ? e->size : b->size;
    if (op->offset >= end) {
        return true;
    }
    uint32_t units = (uint32_t)((end - 1) / tear - op->offset / tear + 1);
    bool asked = !is_forced(b, e, op->offset); /* if the first unit is forced, all are */
    bool splits = units > 1 || !profile->psow;
    uint32_t whole = !profile->tear_any ? units : splits ? 2 : 1;
    uint32_t kept = asked ? ask(p, MC_POWER_WRITE, e, whole + 1) : whole;
    uint64_t from = op->offset;
    for (uint32_t i = 0; i < units; i++) {
        uint64_t sector = from / tear * tear;
        uint64_t to = sector + tear < end ? sector + tear : end;
        uint32_t most = profile->psow ? 1 : 2;
        uint32_t there = kept == whole ? most : 0;
        if (profile->tear_any && splits && kept == TORN && !is_forced(b, e, from)) {
            there = ask(p, MC_POWER_UNIT, e, most + 1);
        } else if (!profile->tear_any && i < kept) {
            there = most;
        }
        bool put = there == most || is_forced(b, e, from);
        uint64_t sector_end = sector + tear < b->size ? sector + tear : b->size;
        if (put ? !put_bytes(b, op, from, to)
                : there == 1 && !(fill_up(b, sector) && put_garbage(b, sector, sector_end))) {
            return false;
        }
        from = to;
    }
    return true;
}

static bool put_file(building *b)
{
    power *p = b->power;
    const inode *node = &p->inode[b->inode];
    choose_size(b);
    b->allocated = block_end(b->durable_size);
    bool ok = mc_disk_create(b->disk, b->file) &&
              (node->base == NULL ||
               mc_disk_write(b->disk, b->file, 0, node->base->data, (size_t)node->base->size));
    bool may_fill = p->profile->garbage && b->length != NULL && !b->length->durable && b->size > 0;
    bool garbage = may_fill && ask(p, MC_POWER_FILL, NULL, 2) == 0;
    for (size_t i = 0; ok && i < p->event_count; i++) {
        const event *e = &p->event[i];
        if (e->inode != b->inode || e->kind == EVENT_NAME) {
            continue;
        }
        b->garbage = garbage && !e->durable;
        uint64_t now = b->disk->file[b->file].size;
        if (e->kind == EVENT_BYTES) {
            ok = put_write(b, e);
        } else if (e->size < now && b->length != NULL && e <= b->length) {
            ok = mc_disk_truncate(b->disk, b->file, e->size);
            if (!e->durable && b->allocated > e->size) {
                b->allocated = block_end(e->size);
            }
        } else if (e->ordered && !e->there) {
            break; /* what came later lies in blocks that the file has not got */
        }
    }
    b->garbage = garbage;
    if (b->disk->file[b->file].size > b->size) {
        return ok && mc_disk_truncate(b->disk, b->file, b->size);
    }
    return ok && fill_up(b, b->size);
}

mc_status mc_power_state(const mc_trace *trace, size_t point, const mc_power_profile *profile,
                         mc_power_choose choose, void *context, mc_arena *arena, mc_disk *disk,
                         mc_error *error)
{
    power p = {.trace = trace, .profile = profile, .choose = choose, .context = context};
    mc_status status = collect(&p, point, arena, error);
    if (status != MC_OK) {
        return status;
    }
    size_t metadata_last = choose_metadata(&p);
    for (uint32_t i = 0; i < trace->base.file_count; i++) {
        uint16_t file = mc_disk_slot(disk, trace->base.file[i].name);
        if (file == MC_DISK_NONE) {
            return fail_memory(error);
        }
        assert(file == i);
        uint32_t leads = p.is_shm[i] ? (uint32_t)NO_INODE : choose_name(&p, file);
        building b = {.power = &p,
                      .disk = disk,
                      .file = file,
                      .inode = leads,
                      .metadata_last = metadata_last};
        if (leads != NO_INODE && !put_file(&b)) {
            return fail_memory(error);
        }
    }
    return MC_OK;
}

mc_status mc_power_pending(const mc_trace *trace, size_t point, const mc_power_profile *profile,
                           mc_arena *arena, size_t *pending, mc_error *error)
{
    power p = {.trace = trace, .profile = profile};
    mc_status status = collect(&p, point, arena, error);
    *pending = 0;
    for (size_t i = 0; status == MC_OK && i < p.event_count; i++) {
        *pending += !p.event[i].durable;
    }
    return status;
}
