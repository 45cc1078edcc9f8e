/* againcount.h: what came of second crashes (again.h), in numbers.
 *
 * The numbers of second states are over witnesses that are not repeated. Those that are neither
 * visited nor unresolved are proved equal: of the same bytes as one that was visited, or of a class
 * with one. */
#ifndef MIDCOMMIT_HARNESS_JUDGE_AGAINCOUNT_H
#define MIDCOMMIT_HARNESS_JUDGE_AGAINCOUNT_H

#include <gmp.h>
#include <stdint.h>

typedef struct mc_again_counts {
    uint64_t witnesses;  /* states of the first crash that were given */
    uint64_t repeated;   /* of them: were given before */
    uint64_t unasked;    /* of them: SQLite makes no snapshot of it */
    uint64_t recoveries; /* of the others: one each, and one more where there is a journal */
    uint64_t elements;   /* of their traces */
    uint64_t points;     /* crash points of those */
    uint64_t visited;    /* second states that were made and recovered: distinct ones */
    uint64_t classes;    /* power: what they fell into */
    uint64_t disagreed;  /* visited states of which recover made something else than SQLite */
    mpz_t total;         /* second states */
    mpz_t unresolved;    /* not decided within the budget */
    mpz_t diverged;      /* SQLite makes something else of them than of the first state */
} mc_again_counts;

void mc_again_counts_init(mc_again_counts *counts);
void mc_again_counts_clear(mc_again_counts *counts);
void mc_again_counts_add(mc_again_counts *counts, const mc_again_counts *more);

/* How many second states are proved equal to one that was visited. */
void mc_again_equal(const mc_again_counts *counts, mpz_t out);

/* How many converge: all that are decided and do not diverge. */
void mc_again_converge(const mc_again_counts *counts, mpz_t out);

#endif
