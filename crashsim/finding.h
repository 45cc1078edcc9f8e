/* finding.h: the inside of classes.h: what one read can find. */
#ifndef MIDCOMMIT_CRASHSIM_FINDING_H
#define MIDCOMMIT_CRASHSIM_FINDING_H

#include "crashsim/trie.h"

enum {
    MC_FIND_CELLS_MAX = 64,        /* that one read depends on */
    MC_FIND_CONTENTS_MAX = 1 << 13 /* that it can find, those that fail a check aside */
};

extern const mc_hash128 mc_find_failure; /* the label of all that fails */

typedef struct mc_finder {
    mc_trie *trie; /* keeps findings, and has working memory */
    const mc_subject *reader;
    mc_states *states;
    mc_hash128 before; /* names what was found in bytes so far */
} mc_finder;

/* What a read finds, open cells being there. */
mc_hash128 mc_find_label(mc_finder *finder, const mc_read *read);

/* The open cells on which a read depends. False when they are too many. */
bool mc_find_open_cells(mc_finder *finder, const mc_read *read, uint32_t cells[MC_FIND_CELLS_MAX],
                        uint32_t *count);

/* What it can find for all choices of them, from memory if it was met before. Null without memory.
 */
mc_findings *mc_find(mc_finder *finder, const mc_read *read, const uint32_t *cells, uint32_t count);

/* The parts: bytes that a cell can change, [*from, *to). */
void mc_find_reach(const mc_power_cell *cell, uint64_t *from, uint64_t *to);

/* A row for what is chosen now, which stands for `times` choices. All that fail have one. False
 * without memory. */
bool mc_find_add_row(const mc_finder *finder, mc_findings *found, const mc_read *read,
                     const uint32_t *cells, mc_hash128 label, bool failed, uint64_t times);

/* All rows, where the cells are free of each other but for those of one unit. `window` is the read,
 * and what decides of it. False without memory. */
bool mc_find_by_units(mc_finder *finder, mc_findings *found, const mc_read *read,
                      const mc_read *window, const uint32_t *cells, bool checked);

#endif
