#include "crashsim/finding.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

typedef struct walking {
    mc_walk *walk;
    mc_error *error;
    mc_read *path; /* the reads on the way to the present node */
    size_t depth;
    size_t capacity;
    mc_finder finder;
} walking;

static mc_status no_memory(const walking *w)
{
    return mc_fail(w->error, MC_NO_MEMORY, "no-memory", "power: out of memory");
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
    *out = MC_NO_NODE;
    for (size_t i = w->depth; i <= walk->reads.count; i++) {
        bool leaf = i == walk->reads.count;
        mc_trie_node n = {.leaf = leaf, .end = leaf ? end : 0};
        if (!leaf) {
            n.read = walk->reads.read[i];
        }
        uint32_t added = mc_trie_add_node(trie, n);
        if (added == MC_NO_NODE ||
            (from != MC_NO_NODE && !mc_trie_add_edge(trie, from, label, added))) {
            return no_memory(w);
        }
        *out = *out == MC_NO_NODE ? added : *out;
        from = added;
        if (!leaf) {
            label = mc_find_label(&w->finder, &n.read);
        }
    }
    return MC_OK;
}

static mc_status walk_node(walking *w, uint32_t number);

/* Two states that fail alike must be read alike and end alike. */
static mc_status run_other(walking *w, const mc_read *read, const uint32_t *cells,
                           const mc_findings *f, uint32_t node_number)
{
    mc_walk *walk = w->walk;
    mc_states *states = walk->states;
    uint8_t *chosen = states->choice[read->file];
    uint32_t cell_count = states->file[read->file].cell_count;
    uint8_t *before = malloc(cell_count);
    if (before == NULL) {
        return no_memory(w);
    }
    memcpy(before, chosen, cell_count);
    for (uint32_t i = 0; i < f->cells; i++) {
        chosen[cells[i]] = MC_POWER_UNCHOSEN;
    }
    for (uint32_t i = 0; i < f->cells; i++) {
        (void)mc_states_choose(states, read->file, cells[i], f->last[i]);
    }
    uint32_t end = 0;
    mc_status status = MC_OK;
    bool shown = mc_states_show(states, walk->disk, walk->shown);
    mc_reads_begin(&walk->reads);
    status =
        shown ? walk->reader->run(walk->reader->context, walk->disk, &walk->reads, &end, w->error)
              : no_memory(w);
    walk->trie->runs++;
    memcpy(chosen, before, cell_count);
    free(before);
    if (status != MC_OK) {
        return status;
    }
    bool alike = begins_with_path(w);
    size_t depth = w->depth;
    uint32_t at = node_number;
    for (; alike && !walk->trie->node[at].leaf; depth++) {
        mc_read now = walk->trie->node[at].read;
        const mc_read *then = &walk->reads.read[depth];
        alike = depth < walk->reads.count && now.kind == then->kind && now.file == then->file &&
                now.from == then->from && now.to == then->to;
        at = alike ? mc_trie_follow(walk->trie, at, mc_find_label(&w->finder, &now)) : at;
        alike = alike && at != MC_NO_NODE;
    }
    alike = alike && depth == walk->reads.count &&
            walk->reader->same(walk->reader->context, walk->trie->node[at].end, end);
    return alike ? MC_OK
                 : mc_fail(w->error, MC_IO, "check",
                           "power: two states that fail in one check, "
                           "of bytes %" PRIu64 " to %" PRIu64 ", did not end the same",
                           read->from, read->to);
}

static mc_status go_on(walking *w, uint32_t from, mc_hash128 label, bool *grew, uint32_t *to)
{
    *grew = false;
    *to = mc_trie_follow(w->walk->trie, from, label);
    if (*to != MC_NO_NODE) {
        return MC_OK;
    }
    if (w->walk->runs_left == 0) {
        return w->walk->unresolved(w->walk->context, w->error);
    }
    *grew = true;
    return grow(w, from, label, to);
}

/* One finding of a read: its choices are made, and what follows is walked. */
static mc_status take_finding(walking *w, uint32_t from, const mc_read *read, const uint32_t *cells,
                              const mc_findings *f, uint32_t row)
{
    mc_states *states = w->walk->states;
    mc_found found = f->row[row];
    for (uint32_t i = 0; i < f->cells; i++) {
        (void)mc_states_choose(states, read->file, cells[i], f->choice[(size_t)row * f->cells + i]);
    }
    if (found.times > 1) {
        mpz_mul_ui(states->times, states->times, found.times);
    }
    bool grew;
    uint32_t to;
    mc_status status = go_on(w, from, found.label, &grew, &to);
    /* Once for what is found, whatever the length of the file. */
    mc_findings *kept = mc_trie_findings(w->walk->trie, f->id);
    if (kept == NULL) {
        return no_memory(w);
    }
    if (status == MC_OK && grew && found.failed && found.times > 1 && !kept->compared) {
        status = run_other(w, read, cells, f, to);
        kept->compared = true;
    }
    if (status == MC_OK && to != MC_NO_NODE) {
        status = walk_node(w, to);
    }
    if (found.times > 1) {
        mpz_divexact_ui(states->times, states->times, found.times);
    }
    return status;
}

static mc_status walk_findings(walking *w, uint32_t from, const mc_read *read,
                               const uint32_t *cells, uint32_t count)
{
    mc_states *states = w->walk->states;
    mc_hash128 before = w->finder.before;
    const mc_findings *kept = mc_find(&w->finder, read, cells, count);
    if (kept == NULL) {
        return no_memory(w);
    }
    if (kept->too_many) {
        return w->walk->unresolved(w->walk->context, w->error);
    }
    mc_findings f = *kept; /* the table may move */
    uint32_t cell_count = states->file[read->file].cell_count;
    uint8_t *chosen = states->choice[read->file];
    uint8_t *choices = malloc(cell_count);
    if (choices == NULL) {
        return no_memory(w);
    }
    memcpy(choices, chosen, cell_count);
    mc_status status = MC_OK;
    for (uint32_t row = 0; status == MC_OK && row < f.count; row++) {
        uint64_t chain[] = {before.low, before.high, f.row[row].label.low, f.row[row].label.high};
        XXH128_hash_t id = XXH3_128bits(chain, sizeof chain);
        w->finder.before = (mc_hash128){id.low64, id.high64};
        status = take_finding(w, from, read, cells, &f, row);
        memcpy(chosen, choices, cell_count);
    }
    w->finder.before = before;
    free(choices);
    return status;
}

/* Nothing is open in what is read. */
static mc_status walk_settled(walking *w, uint32_t from, const mc_read *read)
{
    mc_hash128 before = w->finder.before;
    mc_hash128 label = mc_find_label(&w->finder, read);
    bool grew;
    uint32_t to;
    if (read->kind == MC_READ_BYTES) {
        uint64_t chain[] = {before.low, before.high, label.low, label.high};
        XXH128_hash_t id = XXH3_128bits(chain, sizeof chain);
        w->finder.before = (mc_hash128){id.low64, id.high64};
    }
    mc_status status = go_on(w, from, label, &grew, &to);
    if (status == MC_OK && to != MC_NO_NODE) {
        status = walk_node(w, to);
    }
    w->finder.before = before;
    return status;
}

static mc_status walk_node(walking *w, uint32_t number)
{
    mc_trie_node n = w->walk->trie->node[number];
    if (w->walk->leaves_left == 0) {
        return w->walk->unresolved(w->walk->context, w->error);
    }
    if (n.leaf) {
        w->walk->leaves_left--;
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
    uint32_t cells[MC_FIND_CELLS_MAX];
    uint32_t count;
    if (!mc_find_open_cells(&w->finder, &n.read, cells, &count)) {
        return w->walk->unresolved(w->walk->context, w->error);
    }
    w->path[w->depth++] = n.read;
    mc_status status = count > 0 ? walk_findings(w, number, &n.read, cells, count)
                                 : walk_settled(w, number, &n.read);
    w->depth--;
    return status;
}

mc_status mc_classes_walk(mc_walk *walk, mc_error *error)
{
    walking w = {.walk = walk,
                 .error = error,
                 .finder = {.trie = walk->trie, .reader = walk->reader, .states = walk->states}};
    uint32_t root = 0;
    mc_status status = MC_OK;
    if (walk->trie->node_count == 0) {
        status = walk->runs_left == 0 ? walk->unresolved(walk->context, error)
                                      : grow(&w, MC_NO_NODE, (mc_hash128){0}, &root);
    }
    if (status == MC_OK && walk->trie->node_count > 0) {
        status = walk_node(&w, root);
    }
    free(w.path);
    return status;
}
