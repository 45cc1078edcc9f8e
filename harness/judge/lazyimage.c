#include "harness/judge/lazying.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { NO_CELLS, CLOSED_CELLS, OPEN_CELLS };

/* ---- the snapshots ---- */

static bool lay_flat(mc_lazy *lazy)
{
    const mc_history *h = lazy->history;
    lazy->flat = mc_arena_calloc(&lazy->arena, h->snapshot_count, sizeof *lazy->flat);
    for (uint32_t s = 0; lazy->flat != NULL && s < h->snapshot_count; s++) {
        mc_lazy_flat *f = &lazy->flat[s];
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
    lazy->cells_on = mc_arena_calloc(&lazy->arena, history->pages_max + 1, 1);
    lazy->alive = mc_arena_calloc(&lazy->arena, history->snapshot_count, sizeof *lazy->alive);
    lazy->matches = mc_arena_calloc(&lazy->arena, history->snapshot_count, sizeof *lazy->matches);
    lazy->times = mc_arena_calloc(&lazy->arena, history->snapshot_count, sizeof *lazy->times);
    ok = ok && lazy->now != NULL && lazy->cells_on != NULL && lazy->alive != NULL &&
         lazy->matches != NULL && lazy->times != NULL;
    for (uint32_t d = 0; ok && d < history->database_count; d++) {
        lazy->bare[d] = mc_arena_calloc(&lazy->arena, history->pages_max + 1, sizeof **lazy->bare);
        ok = lazy->bare[d] != NULL;
    }
    if (!ok) {
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

bool mc_lazy_is_snapshot(const mc_lazy *lazy, uint32_t s, uint32_t d, uint64_t from, uint64_t to,
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

mc_lazy_view mc_lazy_view_of(mc_lazy *lazy, const mc_states *states, const mc_end *end, uint32_t d)
{
    uint16_t number = lazy->main_file[d];
    return (mc_lazy_view){lazy,
                          states,
                          end,
                          d,
                          number,
                          &states->file[number],
                          states->choice[number],
                          end->page_count[d]};
}

/* The hash of a page that is settled, or 0. */
static uint64_t settled_hash(const mc_lazy_view *v, uint64_t page)
{
    const uint64_t *settled = v->end->settled[v->d];
    return settled == NULL ? 0 : settled[page];
}

bool mc_lazy_is_settled(const mc_lazy_view *v, uint64_t at)
{
    uint64_t page = at / v->lazy->history->page_size;
    return page >= v->pages || settled_hash(v, page) != 0;
}

bool mc_lazy_is_open(const mc_lazy_view *v, uint32_t cell)
{
    const mc_power_cell *c = &v->file->cell[cell];
    return v->chosen[cell] == MC_POWER_UNCHOSEN && c->alternatives > 1;
}

static uint64_t hash_page(const mc_lazy_view *v, const mc_power_file *file, uint32_t page)
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

static uint64_t bare_hash(const mc_lazy_view *v, uint32_t page)
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

void mc_lazy_take_hashes(const mc_lazy_view *v, bool open_as_zero)
{
    mc_lazy *lazy = v->lazy;
    uint32_t page_size = lazy->history->page_size;
    uint32_t pages = v->pages < lazy->history->pages_max ? v->pages : lazy->history->pages_max;
    memset(lazy->cells_on, NO_CELLS, pages);
    for (uint32_t c = 0; c < v->file->cell_count; c++) {
        const mc_power_cell *cell = &v->file->cell[c];
        uint8_t what = open_as_zero && mc_lazy_is_open(v, c) ? OPEN_CELLS : CLOSED_CELLS;
        for (uint64_t i = cell->unit_from / page_size; i < pages && i * page_size < cell->unit_to;
             i++) {
            lazy->cells_on[i] = what > lazy->cells_on[i] ? what : lazy->cells_on[i];
        }
    }
    for (uint32_t i = 0; i < pages; i++) {
        uint64_t settled = settled_hash(v, i);
        lazy->now[i] = settled != 0                        ? settled
                       : lazy->cells_on[i] == NO_CELLS     ? bare_hash(v, i)
                       : lazy->cells_on[i] == CLOSED_CELLS ? hash_page(v, v->file, i)
                                                           : 0;
    }
}

mc_hash128 mc_lazy_id(mc_lazy *lazy, const mc_states *states, const mc_end *end)
{
    XXH128_hash_t id = {0, 0};
    for (uint32_t d = 0; d < lazy->history->database_count; d++) {
        mc_lazy_view v = mc_lazy_view_of(lazy, states, end, d);
        mc_lazy_take_hashes(&v, false);
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
