/* classes.h: the states of a crash point in exact classes.
 *
 * Recovery is deterministic, so two disk states that agree on everything that it reads before it
 * changes it (reads.h) end the same way: they are one class. What was read is kept in a trie whose
 * edges are what was there: its leaves are the ends that recovery can come to. A crash point's
 * states are walked through it with nothing decided. Where the next thing to be read depends on
 * cells that are not (power.h), each of their choices is followed; where the trie has no edge for
 * what is there, one state is made, the reader run on it, and its reads added. What no reader
 * looked at on the way to a leaf stays open, and the leaf stands for every choice of it: their
 * number is exact.
 *
 * So a leaf needs no more states than one, a witness, and all leaves of a crash point together
 * cover all of its states: mc_classes_walk proves that, by adding up. The trie outlives the crash
 * point, and most of the next one's states are met in it.
 *
 * What a class rests on: that the reader looks at a state through nothing but what it notes, and
 * has no memory of earlier states. */
#ifndef MIDCOMMIT_CRASHSIM_CLASSES_H
#define MIDCOMMIT_CRASHSIM_CLASSES_H

#include "crashsim/reads.h"
#include "crashsim/states.h"

typedef struct mc_subject {
    void *context;
    /* `disk` holds the state: reads it, notes that in `reads`, and leaves the disk as it was.
     * `*end` names what came of it. */
    mc_status (*run)(void *context, mc_disk *disk, mc_reads *reads, uint32_t *end, mc_error *error);
    /* A reader that checks what it reads, and when that fails looks at nothing more of it, does the
     * same for all that fails. Null, or: can that be in this read, and do these bytes of it fail?
     * `*from` and `*to` come as the read's, and leave as those of all bytes that decide it.
     * All that do are one class. The reader is run on two of them, which must end the same, once
     * for what was read before and lies there, whatever the length of the file. `around`: so many
     * bytes before and behind the read the check may look at, and at what lies further in front
     * only if that was read. */
    uint32_t around;
    bool (*checks)(void *context, const mc_states *states, const mc_read *read, uint64_t *from,
                   uint64_t *to);
    bool (*fails)(void *context, const mc_states *states, const mc_read *read);
    /* What spares trying all that can be there: bytes have a weight, which is a sum over them (in
     * each half of 32 bits on its own), and what has none of the `*count` weights at `*right`
     * fails. */
    uint64_t (*weight)(void *context, const mc_states *states, const mc_read *read);
    void (*weights)(void *context, const uint64_t **right, uint32_t *count);
    bool (*same)(void *context, uint32_t end, uint32_t other);
} mc_subject;

typedef struct mc_trie mc_trie;

mc_trie *mc_trie_open(void); /* or null */
void mc_trie_free(mc_trie *trie);
uint64_t mc_trie_runs(const mc_trie *trie);   /* states on which the reader was run */
uint64_t mc_trie_leaves(const mc_trie *trie); /* classes known so far */

typedef struct mc_walk {
    mc_trie *trie;
    const mc_subject *reader;
    mc_states *states;
    mc_disk *disk;        /* shows states to the reader; file numbers as those of `states` */
    bool *shown;          /* by file: it holds that already, but for what lies under cells */
    uint64_t runs_left;   /* of the reader; at 0, what the trie does not know stays unresolved */
    uint64_t leaves_left; /* at 0, all that was not walked yet does */
    /* A class: its end, the states of it being those of `states` now. */
    mc_status (*leaf)(void *context, uint32_t end, mc_error *error);
    /* States that were not resolved: too many contents in one read, or nothing left of the
     * above. */
    mc_status (*unresolved)(void *context, mc_error *error);
    void *context;
    mc_reads reads; /* working memory, as the rest */
} mc_walk;

/* Walks all classes of walk->states, whose choices are as before when it returns. */
mc_status mc_classes_walk(mc_walk *walk, mc_error *error);

#endif
