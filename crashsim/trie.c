#include "crashsim/trie.h"

#include <stdlib.h>

static size_t place_of(const mc_trie *trie, uint32_t from, mc_hash128 label)
{
    size_t mask = trie->edge_capacity - 1;
    size_t at = (label.low ^ (uint64_t)from * 0x9e3779b97f4a7c15u) & mask;
    while (trie->edge[at].from != MC_NO_NODE &&
           !(trie->edge[at].from == from && mc_hash128_equal(trie->edge[at].label, label))) {
        at = (at + 1) & mask;
    }
    return at;
}

static bool more_edges(mc_trie *trie, size_t capacity)
{
    mc_trie wider = *trie;
    wider.edge = malloc(capacity * sizeof *wider.edge);
    wider.edge_capacity = capacity;
    if (wider.edge == NULL) {
        return false;
    }
    for (size_t i = 0; i < capacity; i++) {
        wider.edge[i].from = MC_NO_NODE;
    }
    for (size_t i = 0; i < trie->edge_capacity; i++) {
        const mc_trie_edge *e = &trie->edge[i];
        if (e->from != MC_NO_NODE) {
            wider.edge[place_of(&wider, e->from, e->label)] = *e;
        }
    }
    free(trie->edge);
    *trie = wider;
    return true;
}

mc_trie *mc_trie_open(void)
{
    mc_trie *trie = calloc(1, sizeof *trie);
    if (trie != NULL && !more_edges(trie, 1024)) {
        free(trie);
        return NULL;
    }
    return trie;
}

void mc_trie_free(mc_trie *trie)
{
    if (trie != NULL) {
        for (size_t i = 0; i < trie->findings_capacity; i++) {
            free(trie->findings[i].row);
            free(trie->findings[i].choice);
            free(trie->findings[i].last);
        }
        free(trie->findings);
        free(trie->node);
        free(trie->edge);
        free(trie);
    }
}

uint64_t mc_trie_runs(const mc_trie *trie)
{
    return trie->runs;
}

uint64_t mc_trie_leaves(const mc_trie *trie)
{
    return trie->leaves;
}

uint32_t mc_trie_follow(const mc_trie *trie, uint32_t from, mc_hash128 label)
{
    const mc_trie_node *n = &trie->node[from];
    if (n->first_to == MC_NO_NODE || mc_hash128_equal(n->first_label, label)) {
        return n->first_to;
    }
    const mc_trie_edge *e = &trie->edge[place_of(trie, from, label)];
    return e->from == MC_NO_NODE ? (uint32_t)MC_NO_NODE : e->to;
}

uint32_t mc_trie_add_node(mc_trie *trie, mc_trie_node n)
{
    if (trie->node_count == trie->node_capacity) {
        uint32_t capacity = trie->node_capacity == 0 ? 1024 : trie->node_capacity * 2;
        mc_trie_node *moved = realloc(trie->node, capacity * sizeof *moved);
        if (moved == NULL) {
            return MC_NO_NODE;
        }
        trie->node = moved;
        trie->node_capacity = capacity;
    }
    n.first_to = MC_NO_NODE;
    trie->node[trie->node_count] = n;
    trie->leaves += n.leaf;
    return trie->node_count++;
}

bool mc_trie_add_edge(mc_trie *trie, uint32_t from, mc_hash128 label, uint32_t to)
{
    mc_trie_node *n = &trie->node[from];
    if (n->first_to == MC_NO_NODE) {
        n->first_to = to;
        n->first_label = label;
        return true;
    }
    if (2 * (trie->edge_count + 1) > trie->edge_capacity &&
        !more_edges(trie, trie->edge_capacity * 2)) {
        return false;
    }
    trie->edge[place_of(trie, from, label)] = (mc_trie_edge){from, to, label};
    trie->edge_count++;
    return true;
}

mc_findings *mc_trie_findings(mc_trie *trie, mc_hash128 id)
{
    if (2 * (trie->findings_count + 1) > trie->findings_capacity) {
        size_t capacity = trie->findings_capacity == 0 ? 256 : trie->findings_capacity * 2;
        mc_findings *wider = calloc(capacity, sizeof *wider);
        if (wider == NULL) {
            return NULL;
        }
        for (size_t i = 0; i < trie->findings_capacity; i++) {
            const mc_findings *f = &trie->findings[i];
            size_t at = f->id.low & (capacity - 1);
            while (f->last != NULL && wider[at].last != NULL) {
                at = (at + 1) & (capacity - 1);
            }
            if (f->last != NULL) {
                wider[at] = *f;
            }
        }
        free(trie->findings);
        trie->findings = wider;
        trie->findings_capacity = capacity;
    }
    size_t at = id.low & (trie->findings_capacity - 1);
    while (trie->findings[at].last != NULL && !mc_hash128_equal(trie->findings[at].id, id)) {
        at = (at + 1) & (trie->findings_capacity - 1);
    }
    return &trie->findings[at];
}
