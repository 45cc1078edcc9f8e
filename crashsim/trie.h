/* trie.h: the inside of classes.h: what readers were seen to read, as a trie, and what reads can
 * find. */
#ifndef MIDCOMMIT_CRASHSIM_TRIE_H
#define MIDCOMMIT_CRASHSIM_TRIE_H

#include "core/image.h"
#include "crashsim/classes.h"

enum { MC_READ_BYTES_MAX = 1 << 17, MC_NO_NODE = 0xffffffff };

/* Most nodes have one edge: the first of each is kept in it. */
typedef struct mc_trie_node {
    mc_read read;
    bool leaf;
    uint32_t end;
    uint32_t first_to; /* MC_NO_NODE: there is no edge */
    mc_hash128 first_label;
} mc_trie_node;

typedef struct mc_trie_edge {
    uint32_t from; /* MC_NO_NODE: a free place */
    uint32_t to;
    mc_hash128 label;
} mc_trie_edge;

/* What one read can find, for the choices of its open cells: one row for all that leave the same
 * bytes under all of the cells, in the read and beside it; and one for all that fail. */
typedef struct mc_found {
    mc_hash128 label;
    uint64_t times; /* choices */
    bool failed;
} mc_found;

typedef struct mc_findings {
    mc_hash128 id; /* of the read, what was read before it, and the cells */
    uint32_t cells;
    uint32_t count;
    uint32_t capacity;
    bool too_many; /* contents: there are no rows, or not all */
    bool compared; /* the first and the last of those that fail were run, and ended alike */
    mc_found *row;
    uint8_t *choice; /* of row i, by cell: choice[i * cells] ...; of the failed, the first one's */
    uint8_t *last;   /* of the last that failed */
} mc_findings;

struct mc_trie {
    mc_findings *findings; /* a hash table, by id */
    size_t findings_count;
    size_t findings_capacity;
    mc_trie_node *node;
    uint32_t node_count;
    uint32_t node_capacity;
    mc_trie_edge *edge; /* a hash table, of all but the first of a node */
    size_t edge_count;
    size_t edge_capacity; /* a power of two */
    uint64_t runs;
    uint64_t leaves;
    uint8_t bytes[MC_READ_BYTES_MAX]; /* working memory of a walk */
};

/* MC_NO_NODE: there is no such edge; of an addition: no memory. */
uint32_t mc_trie_follow(const mc_trie *trie, uint32_t from, mc_hash128 label);
uint32_t mc_trie_add_node(mc_trie *trie, mc_trie_node node);
bool mc_trie_add_edge(mc_trie *trie, uint32_t from, mc_hash128 label, uint32_t to);

/* The place of what was found under that id; one whose `last` is null is free, for the caller to
 * fill in. Null without memory. */
mc_findings *mc_trie_findings(mc_trie *trie, mc_hash128 id);

#endif
