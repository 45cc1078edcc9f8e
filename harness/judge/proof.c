#include "harness/judge/proof.h"

#include <stdio.h>

enum { DIGITS_MAX = 12, ROWS = MC_IMPORTERS_MAX + 1 };

void mc_proof_init(mc_proof *p)
{
    *p = (mc_proof){0};
    mpz_inits(p->total, p->unresolved, p->induced, p->widest, NULL);
    for (int i = 0; i < ROWS; i++) {
        mpz_init(p->silent[i]);
        for (int v = 0; v < MC_VERDICTS; v++) {
            mpz_init(p->verdict[i][v]);
        }
    }
}

void mc_proof_clear(mc_proof *p)
{
    mpz_clears(p->total, p->unresolved, p->induced, p->widest, NULL);
    for (int i = 0; i < ROWS; i++) {
        mpz_clear(p->silent[i]);
        for (int v = 0; v < MC_VERDICTS; v++) {
            mpz_clear(p->verdict[i][v]);
        }
    }
}

void mc_proof_add(mc_proof *p, const mc_proof *more)
{
    mpz_add(p->total, p->total, more->total);
    mpz_add(p->unresolved, p->unresolved, more->unresolved);
    mpz_add(p->induced, p->induced, more->induced);
    for (int i = 0; i < ROWS; i++) {
        mpz_add(p->silent[i], p->silent[i], more->silent[i]);
        for (int v = 0; v < MC_VERDICTS; v++) {
            mpz_add(p->verdict[i][v], p->verdict[i][v], more->verdict[i][v]);
        }
    }
    p->classes += more->classes;
    p->runs += more->runs;
    p->points += more->points;
    if (mpz_cmp(more->widest, p->widest) > 0) {
        mpz_set(p->widest, more->widest);
        p->widest_point = more->widest_point;
        p->widest_classes = more->widest_classes;
    }
}

void mc_proof_undecided(const mc_proof *p, uint32_t who, mpz_t out)
{
    mpz_set(out, p->total);
    for (int v = 0; v < MC_VERDICTS; v++) {
        mpz_sub(out, out, p->verdict[who][v]);
    }
    /* Of those that SQLite has left unresolved, some may have a verdict by a sample. */
    if (who == MC_IMPORTERS_MAX && mpz_cmp(out, p->unresolved) < 0) {
        mpz_set(out, p->unresolved);
    }
    if (mpz_sgn(out) < 0) {
        mpz_set_ui(out, 0);
    }
}

void mc_proof_text(const mpz_t number, char *out, size_t size)
{
    size_t digits = mpz_sizeinbase(number, 10);
    if (digits <= DIGITS_MAX) {
        (void)gmp_snprintf(out, size, "%Zd", number);
        return;
    }
    size_t bits = mpz_sizeinbase(number, 2) - 1;
    const char *about = mpz_scan1(number, 0) == bits ? "" : "> ";
    (void)snprintf(out, size, "%s2^%zu", about, bits);
}
