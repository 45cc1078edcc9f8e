#include "crashsim/trie.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
    CHOICES_MAX = 1 << 13, /* of one read */
    CELLS_MAX = 64,        /* that one read depends on */
};

typedef struct walking {
    mc_walk *walk;
    mc_error *error;
    mc_read *path; /* the reads on the way to the present node */
    size_t depth;
    size_t capacity;
    mc_hash128 before; /* names what was found in bytes so far */
    uint8_t *bytes;    /* MC_READ_BYTES_MAX */
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
    for (uint64_t at = from; at < to || at == from; at += MC_READ_BYTES_MAX) {
        uint64_t end = to - at < MC_READ_BYTES_MAX ? to : at + MC_READ_BYTES_MAX;
        mc_power_bytes(file, chosen, at, end, w->bytes);
        hash = XXH3_128bits_withSeed(w->bytes, (size_t)(end - at), hash.low64);
    }
    return (mc_hash128){hash.low64, hash.high64};
}

/* Bytes that a cell can change: [*from, *to). */
static void reach_of(const mc_power_cell *cell, uint64_t *from, uint64_t *to)
{
    *from = cell->alternatives > 2 ? cell->unit_from : cell->from;
    *to = cell->alternatives > 2 ? cell->unit_to : cell->to;
}

/* Is what the read finds the same whatever is chosen for the cell? Not known where other open cells
 * lie in the same place. */
static bool does_not_matter(walking *w, const mc_read *read, uint32_t number)
{
    const mc_power_file *file = file_of(w, read);
    uint8_t *chosen = w->walk->states->choice[read->file];
    const mc_power_cell *cell = &file->cell[number];
    uint64_t from;
    uint64_t to;
    reach_of(cell, &from, &to);
    from = from > read->from ? from : read->from;
    to = to < read->to ? to : read->to;
    uint32_t end = file->block[(to - 1) / MC_POWER_BLOCK_BYTES + 1];
    for (uint32_t k = file->block[from / MC_POWER_BLOCK_BYTES]; k < end; k++) {
        uint32_t i = file->by_block[k];
        const mc_power_cell *other = &file->cell[i];
        uint64_t other_from;
        uint64_t other_to;
        reach_of(other, &other_from, &other_to);
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
        uint64_t from;
        uint64_t to;
        reach_of(cell, &from, &to);
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
            label = label_of(w, &n.read);
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
        at = alike ? mc_trie_follow(walk->trie, at, label_of(w, &now)) : at;
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

/* Is there an open cell, none of these, that lies over or under one of them? What they leave is
 * then not known yet. */
static bool are_mixed(const walking *w, const mc_read *read, const uint32_t *cells, uint32_t count)
{
    const mc_power_file *file = file_of(w, read);
    const uint8_t *chosen = w->walk->states->choice[read->file];
    for (uint32_t n = 0; n < count; n++) {
        uint64_t from;
        uint64_t to;
        reach_of(&file->cell[cells[n]], &from, &to);
        uint32_t end = file->block[(to - 1) / MC_POWER_BLOCK_BYTES + 1];
        for (uint32_t k = file->block[from / MC_POWER_BLOCK_BYTES]; k < end; k++) {
            uint32_t i = file->by_block[k];
            uint64_t other_from;
            uint64_t other_to;
            reach_of(&file->cell[i], &other_from, &other_to);
            bool listed = false;
            for (uint32_t m = 0; m < count; m++) {
                listed = listed || cells[m] == i;
            }
            if (!listed && chosen[i] == MC_POWER_UNCHOSEN && file->cell[i].alternatives > 1 &&
                other_from < to && other_to > from) {
                return true;
            }
        }
    }
    return false;
}

/* Names all bytes that the cells can change, as chosen now. */
static mc_hash128 place_label(walking *w, const mc_read *read, const uint32_t *cells,
                              uint32_t count)
{
    const mc_power_file *file = file_of(w, read);
    const uint8_t *chosen = w->walk->states->choice[read->file];
    XXH128_hash_t hash = {0, 0};
    for (uint32_t i = 0; i < count; i++) {
        uint64_t from;
        uint64_t to;
        reach_of(&file->cell[cells[i]], &from, &to);
        mc_power_bytes(file, chosen, from, to, w->bytes);
        hash = XXH3_128bits_withSeed(w->bytes, (size_t)(to - from), hash.low64 ^ hash.high64);
    }
    return (mc_hash128){hash.low64, hash.high64};
}

/* The row of choices that nobody can tell from these: they fail as well, or leave the same bytes.
 */
static uint32_t row_like(const mc_findings *f, mc_hash128 place, bool failed)
{
    uint32_t row = 0;
    while (row < f->count &&
           (failed != f->row[row].failed ||
            (!failed && (!f->merges || !mc_hash128_equal(f->row[row].place, place))))) {
        row++;
    }
    return row;
}

static bool add_finding(walking *w, mc_findings *f, const uint32_t *cells, const mc_read *read,
                        mc_hash128 label, bool failed)
{
    const uint8_t *chosen = w->walk->states->choice[read->file];
    mc_hash128 place = {0};
    if (f->merges && !failed) {
        place = place_label(w, read, cells, f->cells);
    }
    uint32_t row = row_like(f, place, failed);
    if (row < f->count) {
        f->row[row].times++;
        for (uint32_t i = 0; failed && i < f->cells; i++) {
            f->last[i] = chosen[cells[i]];
        }
        return true;
    }
    if (f->count == f->capacity) {
        uint32_t capacity = f->capacity == 0 ? 8 : f->capacity * 2;
        mc_found *rows = realloc(f->row, capacity * sizeof *rows);
        f->row = rows != NULL ? rows : f->row;
        uint8_t *choices = realloc(f->choice, (size_t)capacity * (f->cells + 1));
        f->choice = choices != NULL ? choices : f->choice;
        if (rows == NULL || choices == NULL) {
            return false;
        }
        f->capacity = capacity;
    }
    f->row[row] = (mc_found){label, place, 1, failed};
    for (uint32_t i = 0; i < f->cells; i++) {
        f->choice[(size_t)row * f->cells + i] = chosen[cells[i]];
        f->last[i] = failed ? chosen[cells[i]] : f->last[i];
    }
    f->count++;
    return true;
}

/* Every choice of the cells from number `i` on. */
static mc_status find_all(walking *w, mc_findings *f, const mc_read *read, const uint32_t *cells,
                          uint32_t i, bool checked)
{
    static const mc_hash128 failure = {0x6661696c, 0x6661696c};
    mc_states *states = w->walk->states;
    const mc_power_file *file = &states->file[read->file];
    uint8_t *chosen = states->choice[read->file];
    if (i == f->cells) {
        bool failed = checked && w->walk->reader->fails(w->walk->reader->context, states, read);
        mc_hash128 label = failed ? failure : label_of(w, read);
        return add_finding(w, f, cells, read, label, failed) ? MC_OK : no_memory(w);
    }
    if (chosen[cells[i]] != MC_POWER_UNCHOSEN) { /* it followed from another */
        return find_all(w, f, read, cells, i + 1, checked);
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
            status = find_all(w, f, read, cells, i + 1, checked);
        }
        memcpy(chosen, before, file->cell_count);
    }
    free(before);
    return status;
}

/* Names all that decides what a read can find, and whether that fails a check: what was found
 * before, what lies under the cells, and every cell there and around, with its choice if it has
 * one. */
static mc_hash128 id_of_read(walking *w, const mc_read *read, const uint32_t *cells, uint32_t count)
{
    const mc_power_file *file = file_of(w, read);
    const uint8_t *chosen = w->walk->states->choice[read->file];
    mc_power_file bare = *file;
    bare.cell_count = 0;
    uint32_t around = w->walk->reader->around;
    uint64_t from = read->from > around ? read->from - around : 0;
    uint64_t to = read->to + around < file->size ? read->to + around : file->size;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t cell_from;
        uint64_t cell_to;
        reach_of(&file->cell[cells[i]], &cell_from, &cell_to);
        from = cell_from < from ? cell_from : from;
        to = cell_to > to ? cell_to : to;
    }
    uint64_t place[] = {read->file, read->from, read->to, from, to, w->before.high};
    XXH128_hash_t id = XXH3_128bits_withSeed(place, sizeof place, w->before.low);
    for (uint64_t at = from; at < to; at += MC_READ_BYTES_MAX) {
        uint64_t stop = to - at < MC_READ_BYTES_MAX ? to : at + MC_READ_BYTES_MAX;
        mc_power_bytes(&bare, NULL, at, stop, w->bytes);
        id = XXH3_128bits_withSeed(w->bytes, (size_t)(stop - at), id.low64 ^ id.high64);
    }
    uint32_t end = file->block[(to - 1) / MC_POWER_BLOCK_BYTES + 1];
    for (uint32_t k = file->block[from / MC_POWER_BLOCK_BYTES]; k < end; k++) {
        uint32_t i = file->by_block[k];
        const mc_power_cell *cell = &file->cell[i];
        uint64_t facts[] = {cell->from,
                            cell->to,
                            cell->unit_from,
                            cell->unit_to,
                            (uint64_t)(uintptr_t)cell->data,
                            (uint64_t)chosen[i] << 8 | cell->alternatives};
        id = XXH3_128bits_withSeed(facts, sizeof facts, id.low64 ^ id.high64);
    }
    return (mc_hash128){id.low64, id.high64};
}

/* Is one of the cells chained to another? What is chosen for it then decides of cells that the read
 * does not reach, so choices that fail in one way do not stand for equally many. */
static bool are_chained(const mc_power_file *file, const uint32_t *cells, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t next = cells[i] + 1;
        if (file->cell[cells[i]].chained ||
            (next < file->cell_count && file->cell[next].chained &&
             file->cell[next].write == file->cell[cells[i]].write)) {
            return true;
        }
    }
    return false;
}

/* What a read can find, from memory if it was met before. Null without memory. */
static mc_findings *find(walking *w, const mc_read *read, const uint32_t *cells, uint32_t count)
{
    const mc_subject *reader = w->walk->reader;
    mc_hash128 id = id_of_read(w, read, cells, count);
    mc_findings *f = mc_trie_findings(w->walk->trie, id);
    if (f == NULL || f->row != NULL) {
        return f;
    }
    *f = (mc_findings){.id = id, .cells = count, .last = malloc(count + 1)};
    w->walk->trie->findings_count++;
    bool chained = are_chained(file_of(w, read), cells, count);
    f->merges = !chained && !are_mixed(w, read, cells, count);
    bool checked = reader->checks != NULL && !chained &&
                   reader->checks(reader->context, w->walk->states, read);
    return f->last != NULL && find_all(w, f, read, cells, 0, checked) == MC_OK ? f : NULL;
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
    if (status == MC_OK && grew && found.failed && found.times > 1) {
        status = run_other(w, read, cells, f, to);
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
    mc_hash128 before = w->before;
    const mc_findings *kept = find(w, read, cells, count);
    if (kept == NULL) {
        return no_memory(w);
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
        w->before = (mc_hash128){id.low64, id.high64};
        status = take_finding(w, from, read, cells, &f, row);
        memcpy(chosen, choices, cell_count);
    }
    w->before = before;
    free(choices);
    return status;
}

/* Nothing is open in what is read. */
static mc_status walk_settled(walking *w, uint32_t from, const mc_read *read)
{
    mc_hash128 before = w->before;
    mc_hash128 label = label_of(w, read);
    bool grew;
    uint32_t to;
    if (read->kind == MC_READ_BYTES) {
        uint64_t chain[] = {before.low, before.high, label.low, label.high};
        XXH128_hash_t id = XXH3_128bits(chain, sizeof chain);
        w->before = (mc_hash128){id.low64, id.high64};
    }
    mc_status status = go_on(w, from, label, &grew, &to);
    if (status == MC_OK && to != MC_NO_NODE) {
        status = walk_node(w, to);
    }
    w->before = before;
    return status;
}

static mc_status walk_node(walking *w, uint32_t number)
{
    mc_trie_node n = w->walk->trie->node[number];
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
    mc_status status = count > 0 ? walk_findings(w, number, &n.read, cells, count)
                                 : walk_settled(w, number, &n.read);
    w->depth--;
    return status;
}

mc_status mc_classes_walk(mc_walk *walk, mc_error *error)
{
    walking w = {.walk = walk, .error = error, .bytes = walk->trie->bytes};
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
