#include "crashsim/classes.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
    CHOICES_MAX = 1 << 13, /* of one read */
    CELLS_MAX = 64,        /* that one read depends on */
    READ_BYTES_MAX = 1 << 17,
    NO_NODE = 0xffffffff
};

typedef struct node {
    mc_read read;
    bool leaf;
    uint32_t end;
} node;

typedef struct edge {
    uint32_t from; /* NO_NODE: a free place */
    uint32_t to;
    mc_hash128 label;
} edge;

struct mc_trie {
    node *node;
    uint32_t node_count;
    uint32_t node_capacity;
    edge *edge; /* a hash table */
    size_t edge_count;
    size_t edge_capacity; /* a power of two */
    uint64_t runs;
    uint64_t leaves;
};

/* ---- the trie ---- */

static size_t place_of(const mc_trie *trie, uint32_t from, mc_hash128 label)
{
    size_t mask = trie->edge_capacity - 1;
    size_t at = (label.low ^ (uint64_t)from * 0x9e3779b97f4a7c15u) & mask;
    while (trie->edge[at].from != NO_NODE &&
           !(trie->edge[at].from == from && mc_hash128_equal(trie->edge[at].label, label))) {
        at = (at + 1) & mask;
    }
    return at;
}

static bool more_edges(mc_trie *trie, size_t capacity)
{
    mc_trie wider = *trie;
    wider.edge = malloc(capacity * sizeof *wider.edge);
    wider.edge_capacity = capacity;
    if (wider.edge == NULL) {
        return false;
    }
    for (size_t i = 0; i < capacity; i++) {
        wider.edge[i].from = NO_NODE;
    }
    for (size_t i = 0; i < trie->edge_capacity; i++) {
        const edge *e = &trie->edge[i];
        if (e->from != NO_NODE) {
            wider.edge[place_of(&wider, e->from, e->label)] = *e;
        }
    }
    free(trie->edge);
    *trie = wider;
    return true;
}

mc_trie *mc_trie_open(void)
{
    mc_trie *trie = calloc(1, sizeof *trie);
    if (trie != NULL && !more_edges(trie, 1024)) {
        free(trie);
        return NULL;
    }
    return trie;
}

void mc_trie_free(mc_trie *trie)
{
    if (trie != NULL) {
        free(trie->node);
        free(trie->edge);
        free(trie);
    }
}

uint64_t mc_trie_runs(const mc_trie *trie)
{
    return trie->runs;
}

uint64_t mc_trie_leaves(const mc_trie *trie)
{
    return trie->leaves;
}

static uint32_t follow(const mc_trie *trie, uint32_t from, mc_hash128 label)
{
    const edge *e = &trie->edge[place_of(trie, from, label)];
    return e->from == NO_NODE ? (uint32_t)NO_NODE : e->to;
}

static uint32_t add_node(mc_trie *trie, node n)
{
    if (trie->node_count == trie->node_capacity) {
        uint32_t capacity = trie->node_capacity == 0 ? 1024 : trie->node_capacity * 2;
        node *moved = realloc(trie->node, capacity * sizeof *moved);
        if (moved == NULL) {
            return NO_NODE;
        }
        trie->node = moved;
        trie->node_capacity = capacity;
    }
    trie->node[trie->node_count] = n;
    trie->leaves += n.leaf;
    return trie->node_count++;
}

static bool add_edge(mc_trie *trie, uint32_t from, mc_hash128 label, uint32_t to)
{
    if (2 * (trie->edge_count + 1) > trie->edge_capacity &&
        !more_edges(trie, trie->edge_capacity * 2)) {
        return false;
    }
    trie->edge[place_of(trie, from, label)] = (edge){from, to, label};
    trie->edge_count++;
    return true;
}

/* ---- states ---- */

/* The cells of the write of which `cell` is one. */
static void write_of(const mc_power_file *file, uint32_t cell, uint32_t *first, uint32_t *end)
{
    *first = cell;
    *end = cell + 1;
    while (*first > 0 && file->cell[*first - 1].write == file->cell[cell].write) {
        --*first;
    }
    while (*end < file->cell_count && file->cell[*end].write == file->cell[cell].write) {
        ++*end;
    }
}

bool mc_states_choose(mc_states *states, uint32_t number, uint32_t cell, uint8_t choice)
{
    const mc_power_file *file = &states->file[number];
    uint8_t *chosen = states->choice[number];
    uint32_t first;
    uint32_t end;
    write_of(file, cell, &first, &end);
    bool linear = end - first > 1 && file->cell[end - 1].chained;
    for (uint32_t i = first; linear && i < end; i++) {
        bool open = chosen[i] == MC_POWER_UNCHOSEN || file->cell[i].alternatives == 1;
        if (!open && ((i < cell && choice > chosen[i]) || (i > cell && choice < chosen[i]))) {
            return false;
        }
    }
    for (uint32_t i = first; linear && i < end; i++) {
        if (chosen[i] == MC_POWER_UNCHOSEN && (choice == 0 ? i > cell : i < cell)) {
            chosen[i] = choice;
        }
    }
    chosen[cell] = choice;
    return true;
}

void mc_states_count_file(const mc_states *states, uint32_t number, mpz_t count)
{
    const mc_power_file *file = &states->file[number];
    const uint8_t *chosen = states->choice[number];
    unsigned long twos = 0;
    mpz_set_ui(count, 1);
    for (uint32_t i = 0; i < file->cell_count;) {
        uint32_t write = file->cell[i].write;
        uint32_t open = 0;
        bool linear = false;
        for (; i < file->cell_count && file->cell[i].write == write; i++) {
            const mc_power_cell *cell = &file->cell[i];
            linear = linear || cell->chained;
            if (chosen[i] != MC_POWER_UNCHOSEN || cell->alternatives == 1) {
                continue;
            }
            open++;
            if (cell->alternatives > 2) {
                mpz_mul_ui(count, count, cell->alternatives);
                open--;
            }
        }
        if (linear) {
            mpz_mul_ui(count, count, open + 1);
        } else {
            twos += open;
        }
    }
    mpz_mul_2exp(count, count, twos);
}

void mc_states_count(const mc_states *states, mpz_t count)
{
    mpz_t one;
    mpz_init(one);
    mpz_set_ui(count, 1);
    for (uint32_t i = 0; i < states->file_count; i++) {
        if (states->file[i].exists) {
            mc_states_count_file(states, i, one);
            mpz_mul(count, count, one);
        }
    }
    mpz_clear(one);
}

/* The bytes under a file's cells, laid anew into the file as a whole. */
static void lay_cells(const mc_power_file *file, const uint8_t *chosen, uint8_t *bytes)
{
    mc_power_file bare = *file;
    bare.cell_count = 0;
    for (uint32_t i = 0; i < file->cell_count; i++) {
        const mc_power_cell *cell = &file->cell[i];
        mc_power_bytes(&bare, NULL, cell->unit_from, cell->unit_to, bytes + cell->unit_from);
    }
    for (uint32_t i = 0; i < file->cell_count; i++) {
        mc_power_put_cell(&file->cell[i], chosen[i], 0, file->size, bytes);
    }
}

bool mc_states_show(const mc_states *states, mc_disk *disk, bool *shown)
{
    assert(!disk->logging);
    for (uint32_t i = 0; i < states->file_count; i++) {
        const mc_power_file *file = &states->file[i];
        bool again = shown[i];
        shown[i] = true;
        if (!file->exists) {
            if (!again && disk->file[i].exists && !mc_disk_delete(disk, (uint16_t)i)) {
                return false;
            }
            continue;
        }
        if (!again) {
            if (!mc_disk_create(disk, (uint16_t)i) ||
                !mc_disk_truncate(disk, (uint16_t)i, file->size)) {
                return false;
            }
            mc_power_file bare = *file;
            bare.cell_count = 0;
            mc_power_bytes(&bare, NULL, 0, file->size, disk->file[i].data);
        }
        lay_cells(file, states->choice[i], disk->file[i].data);
    }
    return true;
}

/* ---- the walk ---- */

typedef struct walking {
    mc_walk *walk;
    mc_error *error;
    mc_read *path; /* the reads on the way to the present node */
    size_t depth;
    size_t capacity;
    uint8_t bytes[READ_BYTES_MAX];
} walking;

static mc_status no_memory(const walking *w)
{
    return mc_fail(w->error, MC_NO_MEMORY, "no-memory", "power: out of memory");
}

static const mc_power_file *file_of(const walking *w, const mc_read *read)
{
    static const mc_power_file none;
    const mc_states *states = w->walk->states;
    return read->file < states->file_count ? &states->file[read->file] : &none;
}

/* What a read finds, open cells being there. */
static mc_hash128 label_of(walking *w, const mc_read *read)
{
    const mc_power_file *file = file_of(w, read);
    if (read->kind == MC_READ_EXISTS) {
        return (mc_hash128){file->exists, 1};
    }
    if (read->kind == MC_READ_SIZE) {
        return (mc_hash128){file->exists ? file->size : 0, 2};
    }
    uint64_t from = read->from < file->size ? read->from : file->size;
    uint64_t to = read->to < file->size ? read->to : file->size;
    const uint8_t *chosen =
        read->file < w->walk->states->file_count ? w->walk->states->choice[read->file] : NULL;
    XXH128_hash_t hash = {to - from, 0};
    for (uint64_t at = from; at < to || at == from; at += READ_BYTES_MAX) {
        uint64_t end = to - at < READ_BYTES_MAX ? to : at + READ_BYTES_MAX;
        mc_power_bytes(file, chosen, at, end, w->bytes);
        hash = XXH3_128bits_withSeed(w->bytes, (size_t)(end - at), hash.low64);
    }
    return (mc_hash128){hash.low64, hash.high64};
}

/* Is what the read finds the same whatever is chosen for the cell? Not known where other open cells
 * lie in the same place. */
static bool does_not_matter(walking *w, const mc_read *read, uint32_t number)
{
    const mc_power_file *file = file_of(w, read);
    uint8_t *chosen = w->walk->states->choice[read->file];
    const mc_power_cell *cell = &file->cell[number];
    uint64_t from = cell->alternatives > 2 ? cell->unit_from : cell->from;
    uint64_t to = cell->alternatives > 2 ? cell->unit_to : cell->to;
    from = from > read->from ? from : read->from;
    to = to < read->to ? to : read->to;
    uint32_t end = file->block[(to - 1) / MC_POWER_BLOCK_BYTES + 1];
    for (uint32_t k = file->block[from / MC_POWER_BLOCK_BYTES]; k < end; k++) {
        uint32_t i = file->by_block[k];
        const mc_power_cell *other = &file->cell[i];
        uint64_t other_from = other->alternatives > 2 ? other->unit_from : other->from;
        uint64_t other_to = other->alternatives > 2 ? other->unit_to : other->to;
        if (i != number && other->alternatives > 1 && chosen[i] == MC_POWER_UNCHOSEN &&
            other_from < to && other_to > from) {
            return false;
        }
    }
    uint8_t most[4096];
    uint8_t less[4096];
    bool same = to - from <= sizeof most;
    if (same) {
        mc_power_bytes(file, chosen, from, to, most);
    }
    for (uint8_t choice = 0; same && choice + 1 < cell->alternatives; choice++) {
        chosen[number] = choice;
        mc_power_bytes(file, chosen, from, to, less);
        same = memcmp(most, less, (size_t)(to - from)) == 0;
    }
    chosen[number] = MC_POWER_UNCHOSEN;
    return same;
}

/* The open cells on which a read depends. False when they are too many. */
static bool open_cells(walking *w, const mc_read *read, uint32_t cells[CELLS_MAX], uint32_t *count)
{
    const mc_power_file *file = file_of(w, read);
    uint64_t choices = 1;
    *count = 0;
    if (read->kind != MC_READ_BYTES || file->cell_count == 0 || read->from >= file->size) {
        return true;
    }
    uint64_t last = read->to < file->size ? read->to - 1 : file->size - 1;
    uint32_t end = file->block[last / MC_POWER_BLOCK_BYTES + 1];
    for (uint32_t k = file->block[read->from / MC_POWER_BLOCK_BYTES]; k < end; k++) {
        uint32_t i = file->by_block[k];
        const mc_power_cell *cell = &file->cell[i];
        uint64_t from = cell->alternatives > 2 ? cell->unit_from : cell->from;
        uint64_t to = cell->alternatives > 2 ? cell->unit_to : cell->to;
        if (from >= read->to || to <= read->from || cell->alternatives == 1 ||
            w->walk->states->choice[read->file][i] != MC_POWER_UNCHOSEN ||
            does_not_matter(w, read, i)) {
            continue;
        }
        choices *= cell->alternatives;
        if (*count == CELLS_MAX || choices > CHOICES_MAX) {
            return false;
        }
        cells[(*count)++] = i;
    }
    return true;
}

static bool begins_with_path(const walking *w)
{
    const mc_reads *reads = &w->walk->reads;
    bool same = reads->count >= w->depth;
    for (size_t i = 0; same && i < w->depth; i++) {
        const mc_read *a = &reads->read[i];
        const mc_read *b = &w->path[i];
        same = a->kind == b->kind && a->file == b->file && a->from == b->from && a->to == b->to;
    }
    return same;
}

/* Runs the reader on one state and grows the trie by what it read behind the present path, whose
 * last edge, if there is one, has no node yet. */
static mc_status grow(walking *w, uint32_t from, mc_hash128 label, uint32_t *out)
{
    mc_walk *walk = w->walk;
    mc_trie *trie = walk->trie;
    uint32_t end;
    if (!mc_states_show(walk->states, walk->disk, walk->shown)) {
        return no_memory(w);
    }
    mc_reads_begin(&walk->reads);
    mc_status status =
        walk->reader->run(walk->reader->context, walk->disk, &walk->reads, &end, w->error);
    trie->runs++;
    walk->runs_left--;
    if (status != MC_OK) {
        return status;
    }
    if (walk->reads.failed) {
        return no_memory(w);
    }
    if (!begins_with_path(w)) {
        return mc_fail(w->error, MC_IO, "not-deterministic",
                       "power: two states alike in %zu reads were read otherwise", w->depth);
    }
    *out = NO_NODE;
    for (size_t i = w->depth; i <= walk->reads.count; i++) {
        bool leaf = i == walk->reads.count;
        node n = {.leaf = leaf, .end = leaf ? end : 0};
        if (!leaf) {
            n.read = walk->reads.read[i];
        }
        uint32_t added = add_node(trie, n);
        if (added == NO_NODE || (from != NO_NODE && !add_edge(trie, from, label, added))) {
            return no_memory(w);
        }
        *out = *out == NO_NODE ? added : *out;
        from = added;
        if (!leaf) {
            label = label_of(w, &n.read);
        }
    }
    return MC_OK;
}

static mc_status walk_node(walking *w, uint32_t number);

static mc_status go_on(walking *w, uint32_t from)
{
    mc_read read = w->walk->trie->node[from].read;
    mc_hash128 label = label_of(w, &read);
    uint32_t to = follow(w->walk->trie, from, label);
    if (to == NO_NODE) {
        if (w->walk->runs_left == 0) {
            return w->walk->unresolved(w->walk->context, w->error);
        }
        mc_status status = grow(w, from, label, &to);
        if (status != MC_OK) {
            return status;
        }
    }
    return walk_node(w, to);
}

/* Every choice of the cells from number `i` on. */
static mc_status branch(walking *w, uint32_t from, const mc_read *read, const uint32_t *cells,
                        uint32_t count, uint32_t i)
{
    if (i == count) {
        return go_on(w, from);
    }
    mc_states *states = w->walk->states;
    const mc_power_file *file = &states->file[read->file];
    uint8_t *chosen = states->choice[read->file];
    if (chosen[cells[i]] != MC_POWER_UNCHOSEN) { /* it followed from another */
        return branch(w, from, read, cells, count, i + 1);
    }
    uint8_t *before = malloc(file->cell_count);
    if (before == NULL) {
        return no_memory(w);
    }
    memcpy(before, chosen, file->cell_count);
    mc_status status = MC_OK;
    for (uint8_t choice = 0; status == MC_OK && choice < file->cell[cells[i]].alternatives;
         choice++) {
        if (mc_states_choose(states, read->file, cells[i], choice)) {
            status = branch(w, from, read, cells, count, i + 1);
        }
        memcpy(chosen, before, file->cell_count);
    }
    free(before);
    return status;
}

static mc_status walk_node(walking *w, uint32_t number)
{
    node n = w->walk->trie->node[number];
    if (n.leaf) {
        return w->walk->leaf(w->walk->context, n.end, w->error);
    }
    if (w->depth == w->capacity) {
        size_t capacity = w->capacity == 0 ? 256 : w->capacity * 2;
        mc_read *moved = realloc(w->path, capacity * sizeof *moved);
        if (moved == NULL) {
            return no_memory(w);
        }
        w->path = moved;
        w->capacity = capacity;
    }
    uint32_t cells[CELLS_MAX];
    uint32_t count;
    if (!open_cells(w, &n.read, cells, &count)) {
        return w->walk->unresolved(w->walk->context, w->error);
    }
    w->path[w->depth++] = n.read;
    mc_status status = branch(w, number, &n.read, cells, count, 0);
    w->depth--;
    return status;
}

mc_status mc_classes_walk(mc_walk *walk, mc_error *error)
{
    walking *w = malloc(sizeof *w);
    if (w == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "power: out of memory");
    }
    w->walk = walk;
    w->error = error;
    w->path = NULL;
    w->depth = 0;
    w->capacity = 0;
    uint32_t root = 0;
    mc_status status = MC_OK;
    if (walk->trie->node_count == 0) {
        status = walk->runs_left == 0 ? walk->unresolved(walk->context, error)
                                      : grow(w, NO_NODE, (mc_hash128){0}, &root);
    }
    if (status == MC_OK && walk->trie->node_count > 0) {
        status = walk_node(w, root);
    }
    free(w->path);
    free(w);
    return status;
}
