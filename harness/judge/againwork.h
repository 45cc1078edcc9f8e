/* againwork.h: the inside of again.h, shared by its two models. */
#ifndef MIDCOMMIT_HARNESS_JUDGE_AGAINWORK_H
#define MIDCOMMIT_HARNESS_JUDGE_AGAINWORK_H

#include "crashsim/powerchoice.h"
#include "harness/judge/again.h"
#include "harness/judge/lazyimage.h"

enum { MC_AGAIN_WHERE_MAX = 2 * MC_CHOICE_MAX + 24 };

typedef struct mc_again_power mc_again_power;

struct mc_again {
    mc_judging *j;
    mc_again_options options;
    mc_again_counts counts;
    mc_control *control; /* of fresh connections */
    mc_disk disk;        /* in the judging's disk's place while a state is judged, else the spare */
    mc_trace recovery;   /* its data stay while a trie knows them by their address */
    mc_idmap witness;    /* by state and what is expected */
    mc_idmap seen;       /* by state: index in `made` */
    mc_outcome *made;    /* by SQLite */
    uint32_t made_count;
    uint32_t made_capacity;
    uint32_t recover; /* which importer it is; MC_IMPORTERS_MAX: none */
    mc_outcome expected;
    const mc_crash *first;
    uint32_t way;                   /* in which the application comes back */
    size_t point;                   /* in its recovery */
    char where[MC_AGAIN_WHERE_MAX]; /* names the present second state within the recovery */
    mc_again_power *power;
};

/* SQLite and recover on the state that the judging's disk shows, and `where` names. With `reads`,
 * what SQLite looked at is noted, and what `end` needs is read, too. */
mc_status mc_again_ask(mc_again *again, mc_reads *reads, mc_end *end, mc_arena *ends,
                       mc_outcome *made, mc_error *error);

/* Is that what is expected? */
bool mc_again_converged(const mc_again *again, const mc_outcome *made);

/* Counts states of which SQLite made something else; the present one is of them. */
mc_status mc_again_diverged(mc_again *again, const mc_outcome *made, const mpz_t states,
                            mc_error *error);

/* The power losses of the recovery. */
mc_again_power *mc_again_power_open(mc_again *again); /* or null */
void mc_again_power_close(mc_again_power *power);
mc_status mc_again_power_judge(mc_again_power *power, mc_error *error);

/* How many bytes of recoveries are kept before all is forgotten. */
enum { MC_AGAIN_KEPT_BYTES = 64 << 20 };
void mc_again_power_forget(mc_again_power *power);

#endif
