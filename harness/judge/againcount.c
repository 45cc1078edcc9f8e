#include "harness/judge/againcount.h"

void mc_again_counts_init(mc_again_counts *c)
{
    *c = (mc_again_counts){0};
    mpz_inits(c->total, c->unresolved, c->diverged, NULL);
}

void mc_again_counts_clear(mc_again_counts *c)
{
    mpz_clears(c->total, c->unresolved, c->diverged, NULL);
}

void mc_again_counts_add(mc_again_counts *c, const mc_again_counts *more)
{
    c->witnesses += more->witnesses;
    c->repeated += more->repeated;
    c->unasked += more->unasked;
    c->recoveries += more->recoveries;
    c->elements += more->elements;
    c->points += more->points;
    c->visited += more->visited;
    c->classes += more->classes;
    c->disagreed += more->disagreed;
    mpz_add(c->total, c->total, more->total);
    mpz_add(c->unresolved, c->unresolved, more->unresolved);
    mpz_add(c->diverged, c->diverged, more->diverged);
}

/* One of those that are not resolved may have been visited, too. */
static void not_below_zero(mpz_t number)
{
    if (mpz_sgn(number) < 0) {
        mpz_set_ui(number, 0);
    }
}

void mc_again_equal(const mc_again_counts *c, mpz_t out)
{
    mpz_sub(out, c->total, c->unresolved);
    mpz_sub_ui(out, out, c->visited);
    not_below_zero(out);
}

void mc_again_converge(const mc_again_counts *c, mpz_t out)
{
    mpz_sub(out, c->total, c->unresolved);
    mpz_sub(out, out, c->diverged);
    not_below_zero(out);
}
