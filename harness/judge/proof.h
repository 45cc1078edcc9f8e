/* proof.h: how many states of a power loss there are, and what came of how many, exactly.
 *
 * A state is one choice among everything that is pending at a crash point (power.h). Their numbers
 * pass any machine word. */
#ifndef MIDCOMMIT_HARNESS_JUDGE_PROOF_H
#define MIDCOMMIT_HARNESS_JUDGE_PROOF_H

#include <gmp.h>

#include "harness/importer/importers.h"
#include "harness/judge/verdict.h"

typedef struct mc_proof {
    mpz_t total;      /* states of all crash points */
    mpz_t unresolved; /* of them: not resolved within the budget, for SQLite */
    mpz_t verdict[MC_IMPORTERS_MAX + 1][MC_VERDICTS]; /* by importer; then the control's */
    mpz_t silent[MC_IMPORTERS_MAX + 1];               /* of torn */
    mpz_t
        induced; /* recovery-induced: main was a snapshot before SQLite recovered, and not after */
    uint64_t classes; /* what the states fell into */
    uint64_t runs;    /* states that were made, and recovered by SQLite */
    uint64_t points;  /* crash points with more than one state */
    mpz_t widest;     /* states of the crash point with the most */
    uint64_t widest_point;
    uint64_t widest_classes;
} mc_proof;

void mc_proof_init(mc_proof *proof);
void mc_proof_clear(mc_proof *proof);
void mc_proof_add(mc_proof *proof, const mc_proof *more);

/* How many states have no verdict of `who` that is certain: an importer's number, or
 * MC_IMPORTERS_MAX for the control. */
void mc_proof_undecided(const mc_proof *proof, uint32_t who, mpz_t out);

/* "2^72", "> 2^72" for what lies between two powers, or all digits of a small one. */
void mc_proof_text(const mpz_t number, char *out, size_t size);

#endif
