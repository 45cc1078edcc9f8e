/* finding.h: the inside of classes.h: what one read can find. */
#ifndef MIDCOMMIT_CRASHSIM_FINDING_H
#define MIDCOMMIT_CRASHSIM_FINDING_H

#include "crashsim/trie.h"

enum { MC_FIND_CELLS_MAX = 64 }; /* that one read depends on */

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

#endif
