/* lazying.h: the inside of lazyimage.h. */
#ifndef MIDCOMMIT_HARNESS_JUDGE_LAZYING_H
#define MIDCOMMIT_HARNESS_JUDGE_LAZYING_H

#include "harness/judge/lazyimage.h"

enum { MC_LAZY_OPEN_MAX = 12 }; /* cells of a group */

/* A snapshot laid flat. */
typedef struct mc_lazy_flat {
    uint64_t *hash[MC_DATABASES_MAX]; /* by page - 1; MC_ANY: not compared */
    const uint8_t **page[MC_DATABASES_MAX];
} mc_lazy_flat;

/* Cells that must be chosen together: they lie in one unit, or are chained. */
typedef struct mc_lazy_group {
    uint32_t count; /* of its open cells */
    uint32_t cell[MC_LAZY_OPEN_MAX];
    bool chained; /* not every combination of them is valid */
    bool too_many;
} mc_lazy_group;

struct mc_lazy {
    const mc_history *history;
    uint16_t main_file[MC_DATABASES_MAX];
    mc_lazy_flat *flat;
    mc_arena arena;
    uint64_t *bare[MC_DATABASES_MAX];        /* hashes of pages without cells; 0: not taken yet */
    mc_power_file bare_of[MC_DATABASES_MAX]; /* for which files */
    uint64_t *now; /* hashes of one database's pages, open cells being there; 0: has open cells */
    uint8_t *cells_on; /* by page of one database */
    uint32_t *alive;   /* snapshots that the image may still be, and of each: */
    bool *matches;     /* is it that one, as chosen now? */
    uint64_t *times;   /* by how many choices of a group */
    uint32_t alive_count;
    mc_lazy_group *group;
    uint32_t group_count;
    uint32_t group_capacity;
    uint32_t *group_of; /* by cell */
    uint32_t *number;   /* of a group, by its first cell */
    uint32_t cell_capacity;
    uint8_t page[MC_PAGE_SIZE_MAX];
    uint8_t unit[MC_PAGE_SIZE_MAX];
};

/* One database of the image. */
typedef struct mc_lazy_view {
    mc_lazy *lazy;
    const mc_states *states;
    const mc_end *end;
    uint32_t d;
    uint16_t number; /* of the main file */
    const mc_power_file *file;
    uint8_t *chosen;
    uint32_t pages;
} mc_lazy_view;

mc_lazy_view mc_lazy_view_of(mc_lazy *lazy, const mc_states *states, const mc_end *end, uint32_t d);

/* Does byte `at` lie in a page that is settled, or behind the image? */
bool mc_lazy_is_settled(const mc_lazy_view *v, uint64_t at);
bool mc_lazy_is_open(const mc_lazy_view *v, uint32_t cell);

/* Are `bytes` what the snapshot has at [from, to) of the file? */
bool mc_lazy_is_snapshot(const mc_lazy *lazy, uint32_t s, uint32_t d, uint64_t from, uint64_t to,
                         const uint8_t *bytes);

/* lazy->now of every page: settled, bare, or with its cells; `open_as_zero`: 0 for a page that has
 * open cells. Pages past the longest snapshot are left out: no snapshot has them. */
void mc_lazy_take_hashes(const mc_lazy_view *v, bool open_as_zero);

#endif
