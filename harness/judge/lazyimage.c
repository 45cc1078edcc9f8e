#include "harness/judge/lazyimage.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { UNIT_CHOICES_MAX = 1 << 12, OPEN_MAX = 12, NO_GROUP = 0xffffffff };

/* A snapshot laid flat. */
typedef struct flat {
    uint64_t *hash[MC_DATABASES_MAX]; /* by page - 1; MC_ANY: not compared */
    const uint8_t **page[MC_DATABASES_MAX];
} flat;

/* Cells that must be chosen together: they lie in one unit, or are chained. */
typedef struct group {
    uint32_t count; /* of its open cells */
    uint32_t cell[OPEN_MAX];
    uint32_t choices; /* valid ones */
    bool too_many;
} group;

struct mc_lazy {
    const mc_history *history;
    uint16_t main_file[MC_DATABASES_MAX];
    flat *flat;
    mc_arena arena;
    uint64_t *bare[MC_DATABASES_MAX];        /* hashes of pages without cells; 0: not taken yet */
    mc_power_file bare_of[MC_DATABASES_MAX]; /* for which files */
    uint64_t *now; /* hashes of one database's pages, open cells being there; 0: has open cells */
    group *group;
    uint32_t group_count;
    uint32_t group_capacity;
    uint32_t *group_of; /* by cell */
    uint32_t *number;   /* of a group, by its first cell */
    uint32_t cell_capacity;
    uint8_t page[MC_PAGE_SIZE_MAX];
    uint8_t unit[MC_PAGE_SIZE_MAX];
};

/* ---- the snapshots ---- */

static bool lay_flat(mc_lazy *lazy)
{
    const mc_history *h = lazy->history;
    lazy->flat = mc_arena_calloc(&lazy->arena, h->snapshot_count, sizeof *lazy->flat);
    for (uint32_t s = 0; lazy->flat != NULL && s < h->snapshot_count; s++) {
        flat *f = &lazy->flat[s];
        for (uint32_t d = 0; d < h->database_count; d++) {
            f->hash[d] = mc_arena_calloc(&lazy->arena, h->pages_max + 1, sizeof *f->hash[d]);
            f->page[d] = mc_arena_calloc(&lazy->arena, h->pages_max + 1, sizeof *f->page[d]);
            if (f->hash[d] == NULL || f->page[d] == NULL) {
                return false;
            }
            uint32_t pages = h->snapshot[s > 0 ? s - 1 : 0].page_count[d];
            const uint64_t *hash = s > 0 ? lazy->flat[s - 1].hash[d] : h->base_hash[d];
            const uint8_t *const *page = s > 0 ? lazy->flat[s - 1].page[d] : h->base_page[d];
            if (pages > 0) {
                memcpy(f->hash[d], hash, pages * sizeof *hash);
                memcpy((void *)f->page[d], (const void *)page, pages * sizeof *page);
            }
        }
        for (uint32_t i = 0; s > 0 && i < h->snapshot[s].delta_count; i++) {
            const mc_delta *delta = &h->delta[h->snapshot[s].first_delta + i];
            f->hash[delta->database][delta->page - 1] = delta->after;
            f->page[delta->database][delta->page - 1] = delta->content;
        }
    }
    return lazy->flat != NULL;
}

mc_lazy *mc_lazy_open(const mc_history *history, const uint16_t *main_file)
{
    mc_lazy *lazy = calloc(1, sizeof *lazy);
    if (lazy == NULL) {
        return NULL;
    }
    lazy->history = history;
    lazy->arena.limit_bytes = SIZE_MAX / 2;
    memcpy(lazy->main_file, main_file, sizeof lazy->main_file);
    bool ok = lay_flat(lazy);
    lazy->now = mc_arena_calloc(&lazy->arena, history->pages_max + 1, sizeof *lazy->now);
    for (uint32_t d = 0; ok && d < history->database_count; d++) {
        lazy->bare[d] = mc_arena_calloc(&lazy->arena, history->pages_max + 1, sizeof **lazy->bare);
        ok = lazy->bare[d] != NULL;
    }
    if (!ok || lazy->now == NULL) {
        mc_lazy_close(lazy);
        return NULL;
    }
    return lazy;
}

void mc_lazy_close(mc_lazy *lazy)
{
    if (lazy != NULL) {
        mc_arena_free(&lazy->arena);
        free(lazy->group);
        free(lazy->group_of);
        free(lazy->number);
        free(lazy);
    }
}

void mc_lazy_forget(mc_lazy *lazy)
{
    for (uint32_t d = 0; d < lazy->history->database_count; d++) {
        lazy->bare_of[d] = (mc_power_file){0};
    }
}

/* Fields of page 1 that make no difference (image.h). */
static bool is_masked(uint32_t page, uint32_t at)
{
    return page == 1 && ((at >= 18 && at < 20) || (at >= 24 && at < 28) || (at >= 92 && at < 100));
}

/* Are `bytes` what the snapshot has at [from, to) of the file? */
static bool is_snapshot(const mc_lazy *lazy, uint32_t s, uint32_t d, uint64_t from, uint64_t to,
                        const uint8_t *bytes)
{
    uint32_t page_size = lazy->history->page_size;
    while (from < to) {
        uint32_t page = (uint32_t)(from / page_size) + 1;
        uint32_t at = (uint32_t)(from % page_size);
        if (page > lazy->history->pages_max) {
            return false; /* main was longer while a transaction spilled */
        }
        uint32_t count = to - from < page_size - at ? (uint32_t)(to - from) : page_size - at;
        const uint8_t *content = lazy->flat[s].page[d][page - 1];
        bool compared = lazy->flat[s].hash[d][page - 1] != MC_ANY && content != NULL;
        if (compared && memcmp(bytes, content + at, count) != 0) {
            for (uint32_t i = 0; i < count; i++) {
                if (bytes[i] != content[at + i] && !is_masked(page, at + i)) {
                    return false;
                }
            }
        }
        bytes += count;
        from += count;
    }
    return true;
}

/* ---- one database of the image ---- */

typedef struct view {
    mc_lazy *lazy;
    const mc_states *states;
    const mc_end *end;
    uint32_t d;
    uint16_t number; /* of the main file */
    const mc_power_file *file;
    uint8_t *chosen;
    uint32_t pages;
} view;

static view view_of(mc_lazy *lazy, const mc_states *states, const mc_end *end, uint32_t d)
{
    uint16_t number = lazy->main_file[d];
    return (view){lazy,
                  states,
                  end,
                  d,
                  number,
                  &states->file[number],
                  states->choice[number],
                  end->page_count[d]};
}

/* The hash of a page that is settled, or 0. */
static uint64_t settled_hash(const view *v, uint64_t page)
{
    const uint64_t *settled = v->end->settled[v->d];
    return settled == NULL ? 0 : settled[page];
}

static bool is_settled(const view *v, uint64_t at)
{
    uint64_t page = at / v->lazy->history->page_size;
    return page >= v->pages || settled_hash(v, page) != 0;
}

static bool is_open(const view *v, uint32_t cell)
{
    const mc_power_cell *c = &v->file->cell[cell];
    return v->chosen[cell] == MC_POWER_UNCHOSEN && c->alternatives > 1;
}

/* Does the cell lie under a page that the image takes from main? */
static bool is_seen(const view *v, uint32_t cell)
{
    const mc_power_cell *c = &v->file->cell[cell];
    uint32_t page_size = v->lazy->history->page_size;
    for (uint64_t at = c->unit_from / page_size * page_size; at < c->unit_to; at += page_size) {
        if (!is_settled(v, at)) {
            return true;
        }
    }
    return false;
}

static uint64_t hash_page(const view *v, const mc_power_file *file, uint32_t page)
{
    uint32_t page_size = v->lazy->history->page_size;
    uint64_t from = (uint64_t)page * page_size;
    uint64_t to = from + page_size < file->size ? from + page_size : file->size;
    if (!file->exists || from >= to) {
        return 1; /* no page's hash */
    }
    memset(v->lazy->page, 0, page_size);
    mc_power_bytes(file, v->chosen, from, to, v->lazy->page);
    return mc_page_hash(page + 1, v->lazy->page, page_size);
}

static uint64_t bare_hash(const view *v, uint32_t page)
{
    mc_lazy *lazy = v->lazy;
    mc_power_file *of = &lazy->bare_of[v->d];
    if (of->bytes != v->file->bytes || of->size != v->file->size || of->sure != v->file->sure ||
        of->garbage != v->file->garbage || of->exists != v->file->exists) {
        memset(lazy->bare[v->d], 0, lazy->history->pages_max * sizeof **lazy->bare);
        *of = *v->file;
    }
    uint64_t *hash = &lazy->bare[v->d][page];
    if (page >= lazy->history->pages_max || *hash == 0) {
        mc_power_file bare = *v->file;
        bare.cell_count = 0;
        uint64_t taken = hash_page(v, &bare, page);
        if (page >= lazy->history->pages_max) {
            return taken;
        }
        *hash = taken;
    }
    return *hash;
}

/* lazy->now of every page: settled, bare, or with its cells; `open_as_zero`: 0 for a page that has
 * open cells. Pages past the longest snapshot are left out: no snapshot has them. */
static void take_hashes(const view *v, bool open_as_zero)
{
    mc_lazy *lazy = v->lazy;
    uint32_t page_size = lazy->history->page_size;
    uint32_t pages = v->pages < lazy->history->pages_max ? v->pages : lazy->history->pages_max;
    for (uint32_t i = 0; i < pages; i++) {
        uint64_t settled = settled_hash(v, i);
        lazy->now[i] = settled != 0 ? settled : bare_hash(v, i);
    }
    for (uint32_t c = 0; c < v->file->cell_count; c++) {
        const mc_power_cell *cell = &v->file->cell[c];
        for (uint64_t i = cell->unit_from / page_size; i < pages && i * page_size < cell->unit_to;
             i++) {
            if (settled_hash(v, i) == 0 && lazy->now[i] == bare_hash(v, (uint32_t)i)) {
                lazy->now[i] = hash_page(v, v->file, (uint32_t)i);
            }
        }
    }
    for (uint32_t c = 0; open_as_zero && c < v->file->cell_count; c++) {
        const mc_power_cell *cell = &v->file->cell[c];
        for (uint64_t i = cell->unit_from / page_size;
             is_open(v, c) && i < pages && i * page_size < cell->unit_to; i++) {
            lazy->now[i] = settled_hash(v, i) == 0 ? 0 : lazy->now[i];
        }
    }
}

/* ---- groups ---- */

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
static void join_units(const view *v)
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
static void make_groups(const view *v)
{
    mc_lazy *lazy = v->lazy;
    uint32_t cells = v->file->cell_count;
    for (uint32_t i = 0; i < cells; i++) {
        lazy->group_of[i] = is_open(v, i) && is_seen(v, i) ? i : (uint32_t)NO_GROUP;
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
            lazy->group[lazy->group_count++] = (group){0};
        }
        group *g = &lazy->group[lazy->number[leader]];
        g->too_many = g->too_many || g->count == OPEN_MAX;
        g->cell[g->count < OPEN_MAX ? g->count++ : 0] = i;
    }
}

/* Are the places of the group's cells the snapshot's, as chosen now? */
static bool group_matches(const view *v, const group *g, uint32_t s)
{
    for (uint32_t i = 0; i < g->count; i++) {
        const mc_power_cell *cell = &v->file->cell[g->cell[i]];
        uint32_t page_size = v->lazy->history->page_size;
        for (uint64_t from = cell->unit_from; from < cell->unit_to;) {
            uint64_t page_end = (from / page_size + 1) * page_size;
            uint64_t to = cell->unit_to < page_end ? cell->unit_to : page_end;
            if (!is_settled(v, from)) {
                mc_power_bytes(v->file, v->chosen, from, to, v->lazy->unit);
                if (!is_snapshot(v->lazy, s, v->d, from, to, v->lazy->unit)) {
                    return false;
                }
            }
            from = to;
        }
    }
    return true;
}

/* Of the valid choices of a group's cells from number `i` on, those that match. */
static uint32_t count_group(const view *v, group *g, uint32_t i, uint32_t s)
{
    if (i == g->count) {
        g->choices++;
        return group_matches(v, g, s);
    }
    uint32_t cell = g->cell[i];
    if (v->chosen[cell] != MC_POWER_UNCHOSEN) { /* it followed from another */
        return count_group(v, g, i + 1, s);
    }
    uint8_t before[OPEN_MAX];
    for (uint32_t k = 0; k < g->count; k++) {
        before[k] = v->chosen[g->cell[k]];
    }
    uint32_t found = 0;
    mc_states states = *v->states;
    for (uint8_t c = 0; c < v->file->cell[cell].alternatives; c++) {
        if (mc_states_choose(&states, v->number, cell, c)) {
            found += count_group(v, g, i + 1, s);
        }
        for (uint32_t k = 0; k < g->count; k++) {
            v->chosen[g->cell[k]] = before[k];
        }
    }
    return found;
}

/* Gives the group's cells the first valid choice that matches. */
static bool pick_group(const view *v, const group *g, uint32_t i, uint32_t s)
{
    if (i == g->count) {
        return group_matches(v, g, s);
    }
    uint32_t cell = g->cell[i];
    if (v->chosen[cell] != MC_POWER_UNCHOSEN) {
        return pick_group(v, g, i + 1, s);
    }
    uint8_t before[OPEN_MAX];
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
static bool rest_matches(const view *v, uint32_t page, uint32_t s)
{
    uint32_t page_size = v->lazy->history->page_size;
    uint64_t from = (uint64_t)page * page_size;
    uint64_t to = from + page_size;
    while (from < to) {
        uint64_t stop = to; /* the next open unit begins there */
        uint64_t skip = to; /* and ends there */
        for (uint32_t i = 0; i < v->file->cell_count; i++) {
            const mc_power_cell *cell = &v->file->cell[i];
            if (is_open(v, i) && cell->unit_to > from && cell->unit_from < stop) {
                stop = cell->unit_from > from ? cell->unit_from : from;
                skip = cell->unit_to;
            }
        }
        uint64_t end = stop < v->file->size ? stop : v->file->size;
        if (end > from) {
            mc_power_bytes(v->file, v->chosen, from, end, v->lazy->unit);
            if (!is_snapshot(v->lazy, s, v->d, from, end, v->lazy->unit)) {
                return false;
            }
        }
        if (stop > end) {
            memset(v->lazy->unit, 0, (size_t)(stop - (end > from ? end : from)));
            if (!is_snapshot(v->lazy, s, v->d, end > from ? end : from, stop, v->lazy->unit)) {
                return false;
            }
        }
        from = skip;
    }
    return true;
}

/* Multiplies `count` by the choices of this database's open cells that make it that of `s`. */
static void share_of(const view *v, uint32_t s, mpz_t count)
{
    mc_lazy *lazy = v->lazy;
    if (v->pages != lazy->history->snapshot[s].page_count[v->d]) {
        mpz_set_ui(count, 0);
        return;
    }
    for (uint32_t i = 0; i < v->pages; i++) {
        uint64_t hash = lazy->flat[s].hash[v->d][i];
        bool same =
            hash == MC_ANY || (lazy->now[i] != 0 ? lazy->now[i] == hash : rest_matches(v, i, s));
        if (!same) {
            mpz_set_ui(count, 0);
            return;
        }
    }
    for (uint32_t i = 0; i < lazy->group_count && mpz_sgn(count) > 0; i++) {
        lazy->group[i].choices = 0;
        mpz_mul_ui(count, count, count_group(v, &lazy->group[i], 0, s));
    }
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
        view v = view_of(lazy, states, end, d);
        if (!room_for(lazy, v.file->cell_count + 1)) {
            mpz_clears(seen, all, NULL);
            return mc_fail(error, MC_NO_MEMORY, "no-memory", "power: out of memory");
        }
        take_hashes(&v, true);
        make_groups(&v);
        *exact = *exact && !too_many(lazy);
        mpz_set_ui(seen, 1);
        for (uint32_t i = 0; *exact && i < lazy->group_count; i++) {
            lazy->group[i].choices = 0;
            (void)count_group(&v, &lazy->group[i], 0, 0);
            mpz_mul_ui(seen, seen, lazy->group[i].choices);
        }
        for (uint32_t s = 0; *exact && s <= last; s++) {
            if (mpz_sgn(match[s]) > 0) {
                share_of(&v, s, match[s]);
            }
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
        view v = view_of(lazy, states, end, d);
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

mc_hash128 mc_lazy_id(mc_lazy *lazy, const mc_states *states, const mc_end *end)
{
    XXH128_hash_t id = {0, 0};
    for (uint32_t d = 0; d < lazy->history->database_count; d++) {
        view v = view_of(lazy, states, end, d);
        take_hashes(&v, false);
        uint32_t pages = v.pages < lazy->history->pages_max ? v.pages : lazy->history->pages_max;
        id = XXH3_128bits_withSeed(lazy->now, pages * sizeof *lazy->now, id.low64 ^ v.pages);
        /* And pages that no snapshot has: those that are settled, or that main has. */
        bool settles = end->settled[d] != NULL;
        uint64_t page_size = lazy->history->page_size;
        for (uint32_t i = pages; i < v.pages && (settles || i * page_size < v.file->size); i++) {
            uint64_t settled = settled_hash(&v, i);
            uint64_t hash = settled != 0 ? settled : hash_page(&v, v.file, i);
            id = XXH3_128bits_withSeed(&hash, sizeof hash, id.low64 ^ id.high64);
        }
    }
    return (mc_hash128){id.low64, id.high64};
}
