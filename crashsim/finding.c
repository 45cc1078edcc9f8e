/* finding.c: the open cells that a read depends on, and what is kept of what it can find. */
#include "crashsim/finding.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static const uint64_t STATES_MAX = UINT64_C(1) << 62;

const mc_hash128 mc_find_failure = {0x6661696c, 0x6661696c};

static const mc_power_file *file_of(const mc_finder *f, const mc_read *read)
{
    static const mc_power_file none;
    const mc_states *states = f->states;
    return read->file < states->file_count ? &states->file[read->file] : &none;
}

mc_hash128 mc_find_label(mc_finder *f, const mc_read *read)
{
    const mc_power_file *file = file_of(f, read);
    if (read->kind == MC_READ_EXISTS) {
        return (mc_hash128){file->exists, 1};
    }
    if (read->kind == MC_READ_SIZE) {
        return (mc_hash128){file->exists ? file->size : 0, 2};
    }
    uint64_t from = read->from < file->size ? read->from : file->size;
    uint64_t to = read->to < file->size ? read->to : file->size;
    const uint8_t *chosen =
        read->file < f->states->file_count ? f->states->choice[read->file] : NULL;
    XXH128_hash_t hash = {to - from, 0};
    for (uint64_t at = from; at < to || at == from; at += MC_READ_BYTES_MAX) {
        uint64_t end = to - at < MC_READ_BYTES_MAX ? to : at + MC_READ_BYTES_MAX;
        mc_power_bytes(file, chosen, at, end, f->trie->bytes);
        hash = XXH3_128bits_withSeed(f->trie->bytes, (size_t)(end - at), hash.low64);
    }
    return (mc_hash128){hash.low64, hash.high64};
}

void mc_find_reach(const mc_power_cell *cell, uint64_t *from, uint64_t *to)
{
    *from = cell->alternatives > 2 ? cell->unit_from : cell->from;
    *to = cell->alternatives > 2 ? cell->unit_to : cell->to;
}

/* Is what the read finds the same whatever is chosen for the cell? Not known where other open cells
 * lie in the same place. */
static bool does_not_matter(mc_finder *f, const mc_read *read, uint32_t number)
{
    const mc_power_file *file = file_of(f, read);
    uint8_t *chosen = f->states->choice[read->file];
    const mc_power_cell *cell = &file->cell[number];
    uint64_t from;
    uint64_t to;
    mc_find_reach(cell, &from, &to);
    from = from > read->from ? from : read->from;
    to = to < read->to ? to : read->to;
    uint32_t end = file->block[(to - 1) / MC_POWER_BLOCK_BYTES + 1];
    for (uint32_t k = file->block[from / MC_POWER_BLOCK_BYTES]; k < end; k++) {
        uint32_t i = file->by_block[k];
        const mc_power_cell *other = &file->cell[i];
        uint64_t other_from;
        uint64_t other_to;
        mc_find_reach(other, &other_from, &other_to);
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

bool mc_find_open_cells(mc_finder *f, const mc_read *read, uint32_t cells[MC_FIND_CELLS_MAX],
                        uint32_t *count)
{
    const mc_power_file *file = file_of(f, read);
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
        mc_find_reach(cell, &from, &to);
        if (from >= read->to || to <= read->from || cell->alternatives == 1 ||
            f->states->choice[read->file][i] != MC_POWER_UNCHOSEN || does_not_matter(f, read, i)) {
            continue;
        }
        choices *= cell->alternatives;
        if (*count == MC_FIND_CELLS_MAX || choices > STATES_MAX) {
            return false;
        }
        cells[(*count)++] = i;
    }
    return true;
}

/* Is there an open cell, none of these, that lies over or under one of them? What they leave is
 * then not known yet. */
static bool are_mixed(const mc_finder *f, const mc_read *read, const uint32_t *cells,
                      uint32_t count)
{
    const mc_power_file *file = file_of(f, read);
    const uint8_t *chosen = f->states->choice[read->file];
    for (uint32_t n = 0; n < count; n++) {
        uint64_t from;
        uint64_t to;
        mc_find_reach(&file->cell[cells[n]], &from, &to);
        uint32_t end = file->block[(to - 1) / MC_POWER_BLOCK_BYTES + 1];
        for (uint32_t k = file->block[from / MC_POWER_BLOCK_BYTES]; k < end; k++) {
            uint32_t i = file->by_block[k];
            uint64_t other_from;
            uint64_t other_to;
            mc_find_reach(&file->cell[i], &other_from, &other_to);
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

/* ---- rows ---- */

static mc_found *new_row(mc_findings *found)
{
    if (found->count == found->capacity) {
        uint32_t capacity = found->capacity == 0 ? 8 : found->capacity * 2;
        mc_found *rows = realloc(found->row, capacity * sizeof *rows);
        found->row = rows != NULL ? rows : found->row;
        uint8_t *choices = realloc(found->choice, (size_t)capacity * (found->cells + 1));
        found->choice = choices != NULL ? choices : found->choice;
        if (rows == NULL || choices == NULL) {
            return NULL;
        }
        found->capacity = capacity;
    }
    return &found->row[found->count++];
}

bool mc_find_add_row(const mc_finder *f, mc_findings *found, const mc_read *read,
                     const uint32_t *cells, mc_hash128 label, bool failed, uint64_t times)
{
    const uint8_t *chosen = f->states->choice[read->file];
    mc_found *row = NULL;
    for (uint32_t i = 0; failed && i < found->count; i++) {
        row = found->row[i].failed ? &found->row[i] : row;
    }
    if (row == NULL) {
        row = new_row(found);
        if (row == NULL) {
            return false;
        }
        *row = (mc_found){label, 0, failed};
        uint8_t *choice = found->choice + (size_t)(found->count - 1) * found->cells;
        for (uint32_t i = 0; i < found->cells; i++) {
            choice[i] = chosen[cells[i]];
        }
    }
    row->times += times;
    for (uint32_t i = 0; failed && i < found->cells; i++) {
        found->last[i] = chosen[cells[i]];
    }
    return true;
}

/* Every choice of the cells from number `i` on, one by one: where they are chained, or what lies
 * over them is not known. */
static bool find_each(mc_finder *f, mc_findings *found, const mc_read *read, const uint32_t *cells,
                      uint32_t i, bool checked)
{
    const mc_power_file *file = &f->states->file[read->file];
    uint8_t *chosen = f->states->choice[read->file];
    if (i == found->cells) {
        bool failed = checked && f->reader->fails(f->reader->context, f->states, read);
        mc_hash128 label = failed ? mc_find_failure : mc_find_label(f, read);
        return mc_find_add_row(f, found, read, cells, label, failed, 1);
    }
    if (chosen[cells[i]] != MC_POWER_UNCHOSEN) { /* it followed from another */
        return find_each(f, found, read, cells, i + 1, checked);
    }
    uint8_t *before = malloc(file->cell_count);
    if (before == NULL) {
        return false;
    }
    memcpy(before, chosen, file->cell_count);
    bool ok = true;
    for (uint8_t choice = 0; ok && choice < file->cell[cells[i]].alternatives; choice++) {
        if (mc_states_choose(f->states, read->file, cells[i], choice)) {
            ok = find_each(f, found, read, cells, i + 1, checked);
        }
        memcpy(chosen, before, file->cell_count);
    }
    free(before);
    return ok;
}

/* Names all that decides what a read can find, and whether that fails a check: what was found
 * before, what lies under the cells, and every cell there and around, with its choice if it has
 * one. */
static mc_hash128 id_of_read(mc_finder *f, const mc_read *read, const uint32_t *cells,
                             uint32_t count)
{
    const mc_power_file *file = file_of(f, read);
    const uint8_t *chosen = f->states->choice[read->file];
    mc_power_file bare = *file;
    bare.cell_count = 0;
    uint32_t around = f->reader->around;
    uint64_t from = read->from > around ? read->from - around : 0;
    uint64_t to = read->to + around < file->size ? read->to + around : file->size;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t cell_from;
        uint64_t cell_to;
        mc_find_reach(&file->cell[cells[i]], &cell_from, &cell_to);
        from = cell_from < from ? cell_from : from;
        to = cell_to > to ? cell_to : to;
    }
    uint64_t place[] = {read->file, read->from, read->to, from, to, f->before.high};
    XXH128_hash_t id = XXH3_128bits_withSeed(place, sizeof place, f->before.low);
    for (uint64_t at = from; at < to; at += MC_READ_BYTES_MAX) {
        uint64_t stop = to - at < MC_READ_BYTES_MAX ? to : at + MC_READ_BYTES_MAX;
        mc_power_bytes(&bare, NULL, at, stop, f->trie->bytes);
        id = XXH3_128bits_withSeed(f->trie->bytes, (size_t)(stop - at), id.low64 ^ id.high64);
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

/* Fills in what the read can find. False without memory. */
static bool fill(mc_finder *f, mc_findings *found, const mc_read *read, const uint32_t *cells)
{
    bool chained = are_chained(file_of(f, read), cells, found->cells);
    mc_read window = *read;
    bool checked = f->reader->checks != NULL && !chained &&
                   f->reader->checks(f->reader->context, f->states, read, &window.from, &window.to);
    window.from = window.from < read->from ? window.from : read->from;
    window.to = window.to > read->to ? window.to : read->to;
    if (chained || are_mixed(f, read, cells, found->cells)) {
        uint64_t choices = 1;
        for (uint32_t i = 0; i < found->cells && choices <= MC_FIND_CONTENTS_MAX; i++) {
            choices *= file_of(f, read)->cell[cells[i]].alternatives;
        }
        found->too_many = choices > MC_FIND_CONTENTS_MAX;
        return found->too_many || find_each(f, found, read, cells, 0, checked);
    }
    return mc_find_by_units(f, found, read, &window, cells, checked);
}

mc_findings *mc_find(mc_finder *f, const mc_read *read, const uint32_t *cells, uint32_t count)
{
    mc_hash128 id = id_of_read(f, read, cells, count);
    mc_findings *found = mc_trie_findings(f->trie, id);
    if (found == NULL || found->last != NULL) {
        return found;
    }
    *found = (mc_findings){.id = id, .cells = count, .last = malloc(count + 1)};
    f->trie->findings_count++;
    return found->last != NULL && fill(f, found, read, cells) ? found : NULL;
}
