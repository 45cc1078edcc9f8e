/* lazyshare.c: the open choices of an image, in groups, and the snapshots that they make of it. */
#include "harness/judge/lazying.h"

#include <stdlib.h>
#include <string.h>

enum { NO_GROUP = 0xffffffff };

/* Does the cell lie under a page that the image takes from main? */
static bool is_seen(const mc_lazy_view *v, uint32_t cell)
{
    const mc_power_cell *c = &v->file->cell[cell];
    uint32_t page_size = v->lazy->history->page_size;
    for (uint64_t at = c->unit_from / page_size * page_size; at < c->unit_to; at += page_size) {
        if (!mc_lazy_is_settled(v, at)) {
            return true;
        }
    }
    return false;
}

static bool room_for(mc_lazy *lazy, uint32_t cells)
{
    if (cells > lazy->cell_capacity) {
        free(lazy->group_of);
        free(lazy->number);
        free(lazy->group);
        lazy->group_of = malloc(cells * sizeof *lazy->group_of);
        lazy->number = malloc(cells * sizeof *lazy->number);
        lazy->group = malloc(cells * sizeof *lazy->group);
        lazy->cell_capacity =
            lazy->group_of != NULL && lazy->number != NULL && lazy->group != NULL ? cells : 0;
    }
    return cells <= lazy->cell_capacity;
}

/* group_of as a forest: a cell leads to one before it, or to itself. */
static uint32_t leader_of(mc_lazy *lazy, uint32_t cell)
{
    uint32_t *to = lazy->group_of;
    while (to[cell] != cell) {
        to[cell] = to[to[cell]];
        cell = to[cell];
    }
    return cell;
}

static void join(mc_lazy *lazy, uint32_t a, uint32_t b)
{
    a = leader_of(lazy, a);
    b = leader_of(lazy, b);
    lazy->group_of[a < b ? b : a] = a < b ? a : b;
}

/* Cells of one unit lie in one block. */
static void join_units(const mc_lazy_view *v)
{
    const mc_power_file *file = v->file;
    uint64_t blocks = file->cell_count == 0 ? 0 : file->size / MC_POWER_BLOCK_BYTES + 1;
    for (uint64_t block = 0; block < blocks; block++) {
        for (uint32_t i = file->block[block]; i < file->block[block + 1]; i++) {
            uint32_t a = file->by_block[i];
            for (uint32_t k = file->block[block]; k < i && v->lazy->group_of[a] != NO_GROUP; k++) {
                uint32_t b = file->by_block[k];
                if (v->lazy->group_of[b] != NO_GROUP &&
                    file->cell[a].unit_from < file->cell[b].unit_to &&
                    file->cell[b].unit_from < file->cell[a].unit_to) {
                    join(v->lazy, a, b);
                }
            }
        }
    }
}

/* The open cells that the image shows, in groups. */
static void make_groups(const mc_lazy_view *v)
{
    mc_lazy *lazy = v->lazy;
    uint32_t cells = v->file->cell_count;
    for (uint32_t i = 0; i < cells; i++) {
        lazy->group_of[i] = mc_lazy_is_open(v, i) && is_seen(v, i) ? i : (uint32_t)NO_GROUP;
    }
    join_units(v);
    for (uint32_t i = 1; i < cells; i++) {
        if (v->file->cell[i].chained && lazy->group_of[i] != NO_GROUP &&
            lazy->group_of[i - 1] != NO_GROUP) {
            join(lazy, i - 1, i);
        }
    }
    lazy->group_count = 0;
    for (uint32_t i = 0; i < cells; i++) {
        uint32_t leader = lazy->group_of[i] == NO_GROUP ? i : leader_of(lazy, i);
        if (lazy->group_of[i] == NO_GROUP) {
            continue;
        }
        if (leader == i) {
            lazy->number[i] = lazy->group_count;
            lazy->group[lazy->group_count++] = (mc_lazy_group){0};
        }
        mc_lazy_group *g = &lazy->group[lazy->number[leader]];
        const mc_power_cell *cell = &v->file->cell[i];
        g->chained = g->chained || cell->chained ||
                     (i + 1 < cells && cell[1].chained && cell[1].write == cell->write);
        g->too_many = g->too_many || g->count == MC_LAZY_OPEN_MAX;
        g->cell[g->count < MC_LAZY_OPEN_MAX ? g->count++ : 0] = i;
    }
}

/* Are the places of the group's cells the snapshot's, as chosen now? */
static bool group_matches(const mc_lazy_view *v, const mc_lazy_group *g, uint32_t s)
{
    for (uint32_t i = 0; i < g->count; i++) {
        const mc_power_cell *cell = &v->file->cell[g->cell[i]];
        uint32_t page_size = v->lazy->history->page_size;
        for (uint64_t from = cell->unit_from; from < cell->unit_to;) {
            uint64_t page_end = (from / page_size + 1) * page_size;
            uint64_t to = cell->unit_to < page_end ? cell->unit_to : page_end;
            if (!mc_lazy_is_settled(v, from)) {
                mc_power_bytes(v->file, v->chosen, from, to, v->lazy->unit);
                if (!mc_lazy_is_snapshot(v->lazy, s, v->d, from, to, v->lazy->unit)) {
                    return false;
                }
            }
            from = to;
        }
    }
    return true;
}

/* Does the bytes' place in snapshots a and b hold the same content? */
static bool same_content(const mc_lazy_view *v, uint32_t page, uint32_t a, uint32_t b)
{
    const mc_lazy *lazy = v->lazy;
    return page <= lazy->history->pages_max &&
           lazy->flat[a].page[v->d][page - 1] == lazy->flat[b].page[v->d][page - 1] &&
           lazy->flat[a].hash[v->d][page - 1] == lazy->flat[b].hash[v->d][page - 1];
}

/* Bytes [from, to), which lie in one page and are in lazy->unit, are held against each snapshot
 * that is alive. */
static void match_bytes(const mc_lazy_view *v, uint64_t from, uint64_t to)
{
    mc_lazy *lazy = v->lazy;
    uint32_t page = (uint32_t)(from / lazy->history->page_size) + 1;
    bool last = false;
    for (uint32_t k = 0; k < lazy->alive_count; k++) {
        if (k == 0 || !same_content(v, page, lazy->alive[k - 1], lazy->alive[k])) {
            last = mc_lazy_is_snapshot(lazy, lazy->alive[k], v->d, from, to, lazy->unit);
        }
        lazy->matches[k] = lazy->matches[k] && last;
    }
}

/* Which snapshots have what is in the places of the group's cells, as chosen now? */
static void match_group(const mc_lazy_view *v, const mc_lazy_group *g)
{
    mc_lazy *lazy = v->lazy;
    uint32_t page_size = lazy->history->page_size;
    memset(lazy->matches, true, lazy->alive_count * sizeof *lazy->matches);
    for (uint32_t i = 0; i < g->count; i++) {
        const mc_power_cell *cell = &v->file->cell[g->cell[i]];
        const mc_power_cell *before = i > 0 ? &v->file->cell[g->cell[i - 1]] : NULL;
        if (before != NULL && before->unit_from == cell->unit_from &&
            before->unit_to == cell->unit_to) {
            continue; /* the same place */
        }
        for (uint64_t from = cell->unit_from; from < cell->unit_to;) {
            uint64_t page_end = (from / page_size + 1) * page_size;
            uint64_t to = cell->unit_to < page_end ? cell->unit_to : page_end;
            if (!mc_lazy_is_settled(v, from)) {
                mc_power_bytes(v->file, v->chosen, from, to, lazy->unit);
                match_bytes(v, from, to);
            }
            from = to;
        }
    }
}

/* Of the valid choices of a group's cells from number `i` on: how many there are; lazy->times has
 * those that make it each snapshot that is alive. */
static uint32_t count_group(const mc_lazy_view *v, const mc_lazy_group *g, uint32_t i)
{
    mc_lazy *lazy = v->lazy;
    if (i == g->count) {
        if (lazy->alive_count > 0) {
            match_group(v, g);
        }
        for (uint32_t k = 0; k < lazy->alive_count; k++) {
            lazy->times[k] += lazy->matches[k];
        }
        return 1;
    }
    uint32_t cell = g->cell[i];
    if (v->chosen[cell] != MC_POWER_UNCHOSEN) { /* it followed from another */
        return count_group(v, g, i + 1);
    }
    uint8_t before[MC_LAZY_OPEN_MAX];
    for (uint32_t k = 0; k < g->count; k++) {
        before[k] = v->chosen[g->cell[k]];
    }
    uint32_t choices = 0;
    mc_states states = *v->states;
    for (uint8_t c = 0; c < v->file->cell[cell].alternatives; c++) {
        if (!g->chained) {
            v->chosen[cell] = c;
            choices += count_group(v, g, i + 1);
        } else if (mc_states_choose(&states, v->number, cell, c)) {
            choices += count_group(v, g, i + 1);
        }
        for (uint32_t k = 0; k < g->count; k++) {
            v->chosen[g->cell[k]] = before[k];
        }
    }
    return choices;
}

/* All choices of a group's cells; lazy->times as above. */
static uint32_t share_group(const mc_lazy_view *v, const mc_lazy_group *g)
{
    memset(v->lazy->times, 0, v->lazy->alive_count * sizeof *v->lazy->times);
    if (v->lazy->alive_count > 0 || g->chained) {
        return count_group(v, g, 0);
    }
    uint32_t choices = 1;
    for (uint32_t i = 0; i < g->count; i++) {
        choices *= v->file->cell[g->cell[i]].alternatives;
    }
    return choices;
}

/* Gives the group's cells the first valid choice that matches. */
static bool pick_group(const mc_lazy_view *v, const mc_lazy_group *g, uint32_t i, uint32_t s)
{
    if (i == g->count) {
        return group_matches(v, g, s);
    }
    uint32_t cell = g->cell[i];
    if (v->chosen[cell] != MC_POWER_UNCHOSEN) {
        return pick_group(v, g, i + 1, s);
    }
    uint8_t before[MC_LAZY_OPEN_MAX];
    for (uint32_t k = 0; k < g->count; k++) {
        before[k] = v->chosen[g->cell[k]];
    }
    mc_states states = *v->states;
    for (uint8_t c = v->file->cell[cell].alternatives; c-- > 0;) {
        if (mc_states_choose(&states, v->number, cell, c) && pick_group(v, g, i + 1, s)) {
            return true;
        }
        for (uint32_t k = 0; k < g->count; k++) {
            v->chosen[g->cell[k]] = before[k];
        }
    }
    return false;
}

/* Is what lies between the open cells of the pages that have any the snapshot's? */
static bool rest_matches(const mc_lazy_view *v, uint32_t page, uint32_t s)
{
    uint32_t page_size = v->lazy->history->page_size;
    uint64_t from = (uint64_t)page * page_size;
    uint64_t to = from + page_size;
    uint64_t last = to < v->file->size ? to - 1 : v->file->size - 1; /* cells lie in the file */
    uint32_t first = v->file->block[from / MC_POWER_BLOCK_BYTES];
    uint32_t end_of_cells = v->file->block[last / MC_POWER_BLOCK_BYTES + 1];
    while (from < to) {
        uint64_t stop = to; /* the next open unit begins there */
        uint64_t skip = to; /* and ends there */
        for (uint32_t k = first; k < end_of_cells; k++) {
            uint32_t i = v->file->by_block[k];
            const mc_power_cell *cell = &v->file->cell[i];
            if (mc_lazy_is_open(v, i) && cell->unit_to > from && cell->unit_from < stop) {
                stop = cell->unit_from > from ? cell->unit_from : from;
                skip = cell->unit_to;
            }
        }
        uint64_t end = stop < v->file->size ? stop : v->file->size;
        if (end > from) {
            mc_power_bytes(v->file, v->chosen, from, end, v->lazy->unit);
            if (!mc_lazy_is_snapshot(v->lazy, s, v->d, from, end, v->lazy->unit)) {
                return false;
            }
        }
        if (stop > end) {
            memset(v->lazy->unit, 0, (size_t)(stop - (end > from ? end : from)));
            if (!mc_lazy_is_snapshot(v->lazy, s, v->d, end > from ? end : from, stop,
                                     v->lazy->unit)) {
                return false;
            }
        }
        from = skip;
    }
    return true;
}

/* Of the snapshots that are alive, those that have the image's pages as far as nothing is open in
 * them. */
static void drop_by_pages(const mc_lazy_view *v)
{
    mc_lazy *lazy = v->lazy;
    uint32_t kept = 0;
    for (uint32_t k = 0; k < lazy->alive_count; k++) {
        uint32_t s = lazy->alive[k];
        lazy->alive[kept] = s;
        kept += v->pages == lazy->history->snapshot[s].page_count[v->d];
    }
    lazy->alive_count = kept;
    for (uint32_t i = 0; i < v->pages && lazy->alive_count > 0; i++) {
        uint32_t before = 0;
        bool same = false;
        kept = 0;
        for (uint32_t k = 0; k < lazy->alive_count; k++) {
            uint32_t s = lazy->alive[k];
            uint64_t hash = lazy->flat[s].hash[v->d][i];
            if (k == 0 || !same_content(v, i + 1, before, s)) {
                same = hash == MC_ANY ||
                       (lazy->now[i] != 0 ? lazy->now[i] == hash : rest_matches(v, i, s));
            }
            before = s;
            lazy->alive[kept] = s;
            kept += same;
        }
        lazy->alive_count = kept;
    }
}

/* Multiplies match[s] by the choices of this database's open cells that make it that of s, for each
 * s that match is not 0 for, and `seen` by all choices of cells that the image shows. */
static void share_database(const mc_lazy_view *v, uint32_t last, mpz_t *match, mpz_t seen)
{
    mc_lazy *lazy = v->lazy;
    lazy->alive_count = 0;
    for (uint32_t s = 0; s <= last; s++) {
        if (mpz_sgn(match[s]) > 0) {
            lazy->alive[lazy->alive_count++] = s;
        }
    }
    drop_by_pages(v);
    for (uint32_t s = 0, k = 0; s <= last; s++) {
        bool alive = k < lazy->alive_count && lazy->alive[k] == s;
        k += alive;
        if (!alive) {
            mpz_set_ui(match[s], 0);
        }
    }
    unsigned long twos = 0;
    for (uint32_t i = 0; i < lazy->group_count; i++) {
        uint32_t kept = 0;
        uint32_t choices = share_group(v, &lazy->group[i]);
        twos += choices == 2;
        if (choices != 2) {
            mpz_mul_ui(seen, seen, choices);
        }
        for (uint32_t k = 0; k < lazy->alive_count; k++) {
            uint32_t s = lazy->alive[k];
            if (lazy->times[k] != 1) {
                mpz_mul_ui(match[s], match[s], lazy->times[k]);
            }
            lazy->alive[kept] = s;
            kept += lazy->times[k] > 0;
        }
        lazy->alive_count = kept;
    }
    mpz_mul_2exp(seen, seen, twos);
}

static bool too_many(const mc_lazy *lazy)
{
    for (uint32_t i = 0; i < lazy->group_count; i++) {
        if (lazy->group[i].too_many) {
            return true;
        }
    }
    return false;
}

/* Snapshots that no image can tell apart. */
static bool are_alike(const mc_lazy *lazy, uint32_t a, uint32_t b)
{
    const mc_history *h = lazy->history;
    for (uint32_t d = 0; d < h->database_count; d++) {
        uint32_t pages = h->snapshot[a].page_count[d];
        if (pages != h->snapshot[b].page_count[d]) {
            return false;
        }
        for (uint32_t i = 0; i < pages; i++) {
            uint64_t left = lazy->flat[a].hash[d][i];
            uint64_t right = lazy->flat[b].hash[d][i];
            if (left != MC_ANY && right != MC_ANY && left != right) {
                return false;
            }
        }
    }
    return true;
}

mc_status mc_lazy_share(mc_lazy *lazy, const mc_states *states, const mc_end *end, uint32_t last,
                        mpz_t *match, mpz_t rest, bool *exact, mc_error *error)
{
    mpz_t seen; /* choices of cells that the image shows, and others */
    mpz_t all;
    *exact = true;
    mpz_init(seen);
    mpz_init_set_ui(all, 1);
    for (uint32_t s = 0; s <= last; s++) {
        mpz_set_ui(match[s], 1);
    }
    for (uint32_t d = 0; d < lazy->history->database_count; d++) {
        mc_lazy_view v = mc_lazy_view_of(lazy, states, end, d);
        if (!room_for(lazy, v.file->cell_count + 1)) {
            mpz_clears(seen, all, NULL);
            return mc_fail(error, MC_NO_MEMORY, "no-memory", "power: out of memory");
        }
        mc_lazy_take_hashes(&v, true);
        make_groups(&v);
        *exact = *exact && !too_many(lazy);
        mpz_set_ui(seen, 1);
        if (*exact) {
            share_database(&v, last, match, seen);
        }
        mpz_t file;
        mpz_init(file);
        if (v.file->exists) {
            mc_states_count_file(states, v.number, file);
            mpz_mul(all, all, file);
            /* Choices that the image does not show go with each of those that it does. */
            mpz_divexact(file, file, seen);
            for (uint32_t s = 0; s <= last; s++) {
                mpz_mul(match[s], match[s], file);
            }
        }
        mpz_clear(file);
    }
    mpz_set(rest, all);
    for (uint32_t s = last + 1; *exact && s-- > 0;) {
        for (uint32_t newer = s + 1; newer <= last && mpz_sgn(match[s]) > 0; newer++) {
            if (mpz_sgn(match[newer]) > 0 && are_alike(lazy, s, newer)) {
                mpz_set_ui(match[s], 0);
            }
        }
        mpz_sub(rest, rest, match[s]);
    }
    for (uint32_t s = 0; !*exact && s <= last; s++) {
        mpz_set_ui(match[s], 0);
    }
    mpz_clears(seen, all, NULL);
    return MC_OK;
}

bool mc_lazy_pick(mc_lazy *lazy, const mc_states *states, const mc_end *end, uint32_t snapshot)
{
    bool picked = true;
    for (uint32_t d = 0; picked && d < lazy->history->database_count; d++) {
        mc_lazy_view v = mc_lazy_view_of(lazy, states, end, d);
        picked = room_for(lazy, v.file->cell_count + 1);
        if (picked) {
            make_groups(&v);
            for (uint32_t i = 0; picked && i < lazy->group_count; i++) {
                picked = pick_group(&v, &lazy->group[i], 0, snapshot);
            }
        }
    }
    return picked;
}
