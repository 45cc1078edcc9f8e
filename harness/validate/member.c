#include "harness/validate/member.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK = 4096, NOWHERE = 0xffffffff };

/* A change that may have reached the disk on its own. Of a name or a length what is older than a
 * durable one does not show any more. */
typedef struct change {
    enum { RENAMED, RESIZED, WRITTEN } kind;
    uint16_t name;  /* RENAMED: of this file, */
    uint32_t inode; /* which leads here now; else whose length or bytes */
    uint64_t size;  /* RESIZED: the length; WRITTEN: where the write ends */
    uint64_t old;   /* WRITTEN: the length that the file had before */
    bool shrinks;
    bool durable;
    bool ordered; /* it becomes durable in the order in which it was made */
    bool there;   /* of ordered ones, in the alternative that is tried */
    size_t op;
} change;

typedef struct inode {
    const mc_disk_file *base;
    uint64_t size;
} inode;

typedef struct search {
    const mc_trace *trace;
    const mc_power_profile *profile;
    const mc_disk *state;
    change *change;
    size_t count;
    inode *inode;
    uint32_t inode_count;
    uint32_t *leads; /* by file: the inode of that name, at the point reached */
    uint32_t *first; /* and at the start */
    uint8_t *known;  /* by byte of the file that is tried: a later change accounts for it */
    size_t newest;   /* element that made the newest ordered metadata that is there */
    char *why;
    size_t why_size;
} search;

static bool is_shm(const mc_trace *trace, uint16_t file)
{
    return strcmp(mc_file_role(trace, file), "shm") == 0;
}

static void add(search *s, change c)
{
    uint8_t kinds = s->profile->ordered;
    c.ordered = (c.kind == RENAMED && (kinds & MC_POWER_NAMES) != 0) ||
                (c.kind == RESIZED && c.shrinks && (kinds & MC_POWER_SHRINKS) != 0) ||
                (c.kind == RESIZED && !c.shrinks && (kinds & MC_POWER_GROWTHS) != 0);
    s->change[s->count++] = c;
}

static void commit_ordered(search *s)
{
    for (size_t i = 0; i < s->count; i++) {
        s->change[i].durable |= s->change[i].ordered;
    }
}

/* The names that lead to a file are its metadata. Alone, it takes them along; else the directory's
 * part is left to the order. */
static void sync_file(search *s, uint32_t number)
{
    bool alone = s->profile->sync_alone;
    bool metadata = false;
    for (size_t i = 0; i < s->count; i++) {
        change *c = &s->change[i];
        if (c->inode == number && !c->durable) {
            metadata |= c->kind != WRITTEN;
            c->durable = c->kind != RENAMED || alone;
        }
    }
    if (metadata && !alone) {
        commit_ordered(s);
    }
}

/* The directory is a file: its names are its metadata. */
static void sync_folder(search *s)
{
    if (!s->profile->syncs || !s->profile->dir_syncs) {
        return;
    }
    for (size_t i = 0; i < s->count; i++) {
        s->change[i].durable |= s->change[i].kind == RENAMED;
    }
    if (!s->profile->sync_alone) {
        commit_ordered(s);
    }
}

/* A file that goes block by block gets each length of whole blocks on its way, and none at last. */
static void shrink_away(search *s, change c)
{
    uint64_t *size = &s->inode[c.inode].size;
    c.kind = RESIZED;
    c.shrinks = true;
    while (*size > 0) {
        uint64_t rest = *size % BLOCK;
        *size -= rest > 0 ? rest : BLOCK;
        c.size = *size;
        add(s, c);
    }
}

static void take(search *s, size_t element)
{
    const mc_op *op = &s->trace->op[element];
    uint32_t number = s->leads[op->file];
    uint64_t end = op->kind == MC_OP_TRUNCATE ? op->offset : op->offset + op->size;
    change c = {.name = op->file, .inode = number, .size = end, .op = element};
    if (op->kind == MC_OP_DELETE && s->profile->unlink_shrinks) {
        shrink_away(s, c);
    }
    if (op->kind == MC_OP_CREATE || op->kind == MC_OP_DELETE) {
        c.kind = RENAMED;
        c.inode = op->kind == MC_OP_CREATE ? s->inode_count++ : (uint32_t)NOWHERE;
        s->leads[op->file] = c.inode;
        add(s, c);
    } else if (op->kind == MC_OP_TRUNCATE || op->kind == MC_OP_WRITE) {
        c.kind = RESIZED;
        c.shrinks = end < s->inode[number].size;
        c.old = s->inode[number].size;
        if (op->kind == MC_OP_TRUNCATE || end > s->inode[number].size) {
            s->inode[number].size = end;
            add(s, c);
        }
        c.kind = WRITTEN;
        if (op->kind == MC_OP_WRITE) {
            add(s, c);
        }
    } else if (op->kind == MC_OP_SYNC && s->profile->syncs && number != NOWHERE) {
        sync_file(s, number);
    }
}

/* Element `done` is over, since another begins; or it is the last one before the crash. */
static void end_element(search *s, size_t done, bool is_last)
{
    const mc_op *op = &s->trace->op[done];
    bool waits = op->kind == MC_OP_DELETE || s->profile->sync_alone;
    if ((op->flags & MC_OPF_DIR_SYNC) != 0 && !(is_last && waits)) {
        sync_folder(s);
    }
}

/* How many changes the elements before `point` are at most. */
static size_t changes_at_most(const search *s, size_t point)
{
    uint64_t longest = 0;
    size_t most = 2 * point + 1;
    for (uint32_t i = 0; i < s->trace->base.file_count; i++) {
        uint64_t size = s->trace->base.file[i].size;
        longest = size > longest ? size : longest;
    }
    for (size_t i = 0; i < point; i++) {
        const mc_op *op = &s->trace->op[i];
        bool sizes = op->kind == MC_OP_WRITE || op->kind == MC_OP_TRUNCATE;
        uint64_t end = sizes ? op->offset + op->size : 0;
        longest = end > longest ? end : longest;
        bool shrinks = op->kind == MC_OP_DELETE && s->profile->unlink_shrinks;
        most += shrinks ? (size_t)(longest / BLOCK) + 1 : 0;
    }
    return most;
}

static bool derive(search *s, size_t point, mc_arena *arena)
{
    const mc_disk *base = &s->trace->base;
    uint64_t longest = 1;
    for (uint32_t i = 0; i < s->state->file_count; i++) {
        uint64_t size = s->state->file[i].size;
        longest = size > longest ? size : longest;
    }
    s->change = mc_arena_calloc(arena, changes_at_most(s, point), sizeof *s->change);
    s->inode = mc_arena_calloc(arena, base->file_count + point, sizeof *s->inode);
    s->leads = mc_arena_calloc(arena, base->file_count, sizeof *s->leads);
    s->first = mc_arena_calloc(arena, base->file_count, sizeof *s->first);
    s->known = mc_arena_calloc(arena, (size_t)longest, 1);
    if (s->change == NULL || s->inode == NULL || s->leads == NULL || s->first == NULL ||
        s->known == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < base->file_count; i++) {
        const mc_disk_file *file = &base->file[i];
        s->leads[i] = file->exists ? s->inode_count++ : (uint32_t)NOWHERE;
        s->first[i] = s->leads[i];
        if (file->exists) {
            s->inode[s->leads[i]] = (inode){file, file->size};
        }
    }
    for (size_t i = 0; i < point; i++) {
        uint16_t file = s->trace->op[i].file;
        if (file != MC_DISK_NONE && !is_shm(s->trace, file)) {
            take(s, i);
        }
        end_element(s, i, i + 1 == point);
    }
    return true;
}

/* ---- the bytes of one file ---- */

typedef struct attempt {
    search *s;
    const mc_disk_file *file; /* what was found */
    uint32_t inode;
    const change *length; /* that gave the file its length; null: it had it at the start */
    uint64_t durable_size;
    bool any_fill; /* what nobody wrote in new space may be anything */
    const char *wrong;
    uint64_t wrong_at;
} attempt;

static uint8_t *known(attempt *a)
{
    return a->s->known;
}

static bool fail_at(attempt *a, uint64_t at, const char *what)
{
    a->wrong = what;
    a->wrong_at = at;
    return false;
}

/* Do [from, to) agree with `data`, as far as no later change accounts for them? */
static bool agrees(attempt *a, uint64_t from, uint64_t to, const uint8_t *data)
{
    for (uint64_t at = from; at < to; at++) {
        if (!known(a)[at] && a->file->data[at] != data[at - from]) {
            return false;
        }
    }
    return true;
}

static void account_for(attempt *a, uint64_t from, uint64_t to)
{
    if (from < to) {
        memset(known(a) + from, 1, (size_t)(to - from));
    }
}

/* From `from` on nothing older shows: zeros, or, from `any` on, anything. */
static bool cut_off(attempt *a, uint64_t from, uint64_t any)
{
    for (uint64_t at = from; at < a->file->size; at++) {
        bool free = a->any_fill && at >= any;
        if (!known(a)[at] && a->file->data[at] != 0 && !free) {
            return fail_at(a, at, "is not zero, and nobody wrote there");
        }
    }
    account_for(a, from, a->file->size);
    return true;
}

/* The first byte of new blocks, at the time of each change: lengths that are there make it less. */
static uint64_t new_from(const attempt *a, const change *now)
{
    uint64_t from = (a->durable_size + BLOCK - 1) / BLOCK * BLOCK;
    for (const change *c = a->s->change; c < now; c++) {
        bool counts = c->kind == RESIZED && c->inode == a->inode && c->shrinks && !c->durable &&
                      a->length != NULL && c <= a->length;
        uint64_t end = (c->size + BLOCK - 1) / BLOCK * BLOCK;
        from = counts && end < from ? end : from;
    }
    return from;
}

/* Is `write` the first in the block of `at` since that block was new? */
static bool is_first(const attempt *a, const change *write, uint64_t at)
{
    uint64_t block = at / BLOCK;
    for (const change *c = write; c-- > a->s->change;) {
        if (c->inode != a->inode || c->kind == RENAMED) {
            continue;
        }
        uint64_t from = a->s->trace->op[c->op].offset;
        if (c->kind == WRITTEN && from / BLOCK <= block && block * BLOCK < c->size) {
            return false;
        }
        if (c->kind == RESIZED && c->shrinks && c->size <= block * BLOCK &&
            (c->durable || c <= a->length)) {
            return true;
        }
    }
    return true;
}

static bool is_forced(const attempt *a, const change *c, uint64_t at, uint64_t to, uint64_t fresh)
{
    const change *length = a->length;
    bool waited = length != NULL && !length->shrinks && c->op <= length->op;
    switch (a->s->profile->data) {
    case MC_POWER_DATA_FREE:
        return c->durable;
    case MC_POWER_DATA_WITH_SIZE:
        return c->durable || (waited && at >= fresh && is_first(a, c, at));
    case MC_POWER_DATA_BEFORE_SIZE:
        return c->durable || (waited && to > c->old);
    case MC_POWER_DATA_BEFORE_LATER:
        return c->durable || c->op < a->s->newest;
    }
    return c->durable;
}

static bool take_write(attempt *a, const change *c)
{
    const mc_power_profile *profile = a->s->profile;
    const mc_op *op = &a->s->trace->op[c->op];
    uint64_t tear = profile->tear_bytes;
    uint64_t end = c->size < a->file->size ? c->size : a->file->size;
    uint64_t fresh = new_from(a, c);
    bool ended = false; /* of a write of which a prefix is there: the prefix */
    uint64_t to;
    for (uint64_t from = op->offset; from < end; from = to) {
        uint64_t unit = from / tear * tear;
        to = unit + tear < end ? unit + tear : end;
        bool forced = is_forced(a, c, from, to, fresh);
        bool agree = agrees(a, from, to, op->data + (from - op->offset));
        ended = ended || !agree;
        if (agree && (forced || profile->tear_any || !ended)) {
            account_for(a, from, to);
        } else if (forced) {
            return fail_at(a, from, "does not begin what was written and must be there");
        } else if (!profile->psow && profile->tear_any) {
            account_for(a, unit, unit + tear < a->file->size ? unit + tear : a->file->size);
        }
    }
    return true;
}

static bool bytes_agree(attempt *a)
{
    const search *s = a->s;
    const mc_disk_file *base = s->inode[a->inode].base;
    const change *end = s->change + s->count;
    const change *c = s->change;
    uint64_t base_size = base == NULL ? 0 : base->size;
    while (c < end && !(c->kind == RESIZED && c->inode == a->inode && c->ordered && !c->there)) {
        c++; /* what came later lies in blocks that the file has not got */
    }
    memset(known(a), 0, (size_t)a->file->size);
    while (c-- > s->change) {
        if (c->kind == RENAMED || c->inode != a->inode) {
            continue;
        }
        bool cuts = c->kind == RESIZED && a->length != NULL && c <= a->length;
        if (c->kind == WRITTEN && !take_write(a, c)) {
            return false;
        }
        if (cuts && c->shrinks && !cut_off(a, c->size, c->durable ? a->durable_size : c->size)) {
            return false;
        }
    }
    uint64_t old = base_size < a->file->size ? base_size : a->file->size;
    for (uint64_t at = 0; at < old; at++) {
        if (!known(a)[at] && a->file->data[at] != base->data[at]) {
            return fail_at(a, at, "is neither what was there nor what was written");
        }
    }
    return cut_off(a, old, a->durable_size);
}

static bool length_of(const attempt *a, const change *c)
{
    return c->kind == RESIZED && c->inode == a->inode;
}

/* Is the file what this inode can have become? */
static bool inode_agrees(attempt *a)
{
    const search *s = a->s;
    const change *end = s->change + s->count;
    const mc_disk_file *base = s->inode[a->inode].base;
    uint64_t size = base == NULL ? 0 : base->size;
    a->length = NULL;
    a->durable_size = size;
    for (const change *c = s->change; c < end; c++) {
        if (length_of(a, c) && (c->durable || c->there)) {
            a->length = c;
            a->durable_size = c->durable ? c->size : a->durable_size;
        }
    }
    const change *c = a->length == NULL ? s->change : a->length + 1;
    size = a->length == NULL ? a->durable_size : a->length->size;
    bool had = false;
    for (;;) {
        bool fills = a->length != NULL && !a->length->durable && size > 0;
        a->any_fill = s->profile->garbage && fills;
        if (size == a->file->size) {
            had = true;
            if (bytes_agree(a)) {
                return true;
            }
        }
        while (c < end && !length_of(a, c)) {
            c++;
        }
        if (c == end || c->ordered) {
            return had ? false : fail_at(a, a->file->size, "is no length that it can have");
        }
        a->length = c;
        size = c->size;
        c++;
    }
}

/* ---- names ---- */

static bool leads_there(search *s, uint16_t number, uint32_t target)
{
    attempt a = {.s = s, .file = &s->state->file[number], .inode = target};
    if (target == NOWHERE || !a.file->exists) {
        bool same = (target == NOWHERE) == !a.file->exists;
        if (!same && s->why[0] == '\0') {
            (void)snprintf(s->why, s->why_size, "%s is %s", a.file->name,
                           a.file->exists ? "there" : "not there");
        }
        return same;
    }
    if (inode_agrees(&a)) {
        return true;
    }
    if (s->why[0] == '\0') {
        (void)snprintf(s->why, s->why_size, "%s: byte %llu %s", a.file->name,
                       (unsigned long long)a.wrong_at, a.wrong);
    }
    return false;
}

static bool file_agrees(search *s, uint16_t number)
{
    const change *end = s->change + s->count;
    uint32_t target = s->first[number];
    for (const change *c = s->change; c < end; c++) {
        if (c->kind == RENAMED && c->name == number && (c->durable || c->there)) {
            target = c->inode;
        }
    }
    bool found = leads_there(s, number, target);
    for (const change *c = s->change; !found && c < end; c++) {
        if (c->kind == RENAMED && c->name == number && !c->durable && !c->ordered) {
            found = leads_there(s, number, c->inode);
        }
    }
    return found;
}

/* The alternative in which the first `kept` pending ordered changes are there. */
static bool metadata_agrees(search *s, size_t kept)
{
    s->newest = 0;
    for (size_t i = 0; i < s->count; i++) {
        change *c = &s->change[i];
        c->there = c->ordered && (c->durable || kept > 0);
        kept -= c->there && !c->durable;
        s->newest = c->there ? c->op : s->newest;
    }
    for (uint32_t i = 0; i < s->trace->base.file_count; i++) {
        if (!is_shm(s->trace, (uint16_t)i) && !file_agrees(s, (uint16_t)i)) {
            return false;
        }
    }
    return true;
}

mc_status mc_member(const mc_trace *trace, size_t point, const mc_power_profile *profile,
                    const mc_disk *state, mc_arena *arena, bool *is_member, char *why,
                    size_t why_size, mc_error *error)
{
    search s = {
        .trace = trace, .profile = profile, .state = state, .why = why, .why_size = why_size};
    assert(point <= trace->op_count && !trace->is_kv);
    assert(state->file_count >= trace->base.file_count);
    *is_member = false;
    why[0] = '\0';
    for (uint32_t i = trace->base.file_count; i < state->file_count; i++) {
        if (state->file[i].exists) {
            (void)snprintf(why, why_size, "%s: nobody made it", state->file[i].name);
            return MC_OK;
        }
    }
    if (!derive(&s, point, arena)) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "member: out of memory");
    }
    size_t pending = 0;
    for (size_t i = 0; i < s.count; i++) {
        pending += s.change[i].ordered && !s.change[i].durable;
    }
    for (size_t kept = pending + 1; kept > 0 && !*is_member; kept--) {
        *is_member = metadata_agrees(&s, kept - 1);
    }
    if (*is_member) {
        why[0] = '\0';
    }
    return MC_OK;
}
