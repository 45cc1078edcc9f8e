/* claims.h: what SQLite's documents say about crashes, put to the test.
 *
 * A claim is one sentence of a document, in our words, and the experiments that could refute it. An
 * experiment is a set of cells (a workload in a journal mode at a synchronous level under a crash
 * model) and what must never, or must somewhere, come out of SQLite there; or it walks a recording
 * and looks at the order of its operations. Nothing else is written down: verdict, numbers and
 * states come from the run.
 *
 *     confirmed        nothing came out that must not, and all that must; every state was covered
 *     refuted          something came out that must not, and one state of it is named; or what the
 *                      claim says must happen did not, in any state
 *     bounded          the claim has no yes or no: how many of how many states
 *     as far as seen   as confirmed, but states were left out
 *     not testable     this SQLite cannot do it
 *
 * A state is one of the model's, so a share of states is no probability. */
#ifndef MIDCOMMIT_HARNESS_CLAIMS_CLAIMS_H
#define MIDCOMMIT_HARNESS_CLAIMS_CLAIMS_H

#include "crashsim/power.h"
#include "harness/judge/judge.h"

enum {
    MC_CLAIMS_MAX = 64,
    MC_CLAIM_DIGITS_MAX = 1200,
    MC_CLAIM_NOTE_MAX = 1600,
    MC_CLAIM_MODEL_MAX = 100
};

typedef enum mc_claim_verdict {
    MC_CLAIM_CONFIRMED,
    MC_CLAIM_REFUTED,
    MC_CLAIM_BOUNDED,
    MC_CLAIM_SEEN,
    MC_CLAIM_UNTESTABLE,
    MC_CLAIM_VERDICTS
} mc_claim_verdict;

extern const char *const mc_claim_verdict_names[MC_CLAIM_VERDICTS];

struct mc_claim_test;

typedef struct mc_claim {
    uint32_t number;
    const char *text;
    const char *page; /* of sqlite.org */
    const struct mc_claim_rule *rule;
    /* More than its rules, or null. */
    mc_status (*test)(struct mc_claim_test *test, mc_error *error);
} mc_claim;

extern const mc_claim mc_claims[]; /* ended by a row without text */

typedef struct mc_claim_result {
    mc_claim_verdict verdict;
    char model[MC_CLAIM_MODEL_MAX];   /* "kill, power" */
    char states[MC_CLAIM_DIGITS_MAX]; /* all digits */
    uint64_t classes;                 /* power: what they fell into; kill: each state is one */
    char state[MC_STATE_AGAIN_MAX];   /* what refutes it, or an example; or "" */
    char command[MC_STATE_AGAIN_MAX + 100]; /* behind the program's name: shows that state; or "" */
    char note[MC_CLAIM_NOTE_MAX];           /* what came out, experiment by experiment */
} mc_claim_result;

/* For tests: something to find. */
typedef struct mc_claim_plant {
    void (*edit)(mc_trace *trace);   /* changes each trace before it is scanned or loses power */
    const mc_power_profile *profile; /* in place of every other */
    const char *importer;            /* judged in SQLite's place, where a process is killed */
    uint64_t flip; /* that byte of main is inverted in each state that is looked at on its own; 0:
                      none */
} mc_claim_plant;

typedef struct mc_claims_options {
    uint64_t seed;
    uint32_t jobs;
    uint64_t chosen;             /* bits by index in mc_claims; 0: all */
    const mc_claim_plant *plant; /* or null */
    void (*progress)(void *context, uint32_t done, uint32_t claims); /* or null */
    void *context;
} mc_claims_options;

typedef struct mc_claims_result {
    bool done[MC_CLAIMS_MAX];
    mc_claim_result claim[MC_CLAIMS_MAX]; /* by index in mc_claims */
    uint64_t seed;
    double seconds;
} mc_claims_result;

uint32_t mc_claims_count(void);

/* The index of the claim of that number, or MC_CLAIMS_MAX. */
uint32_t mc_claims_find(uint64_t number);

/* Tests the chosen claims, each in a process of its own. A result is a function of claim, seed and
 * SQLite. */
mc_status mc_claims_run(const mc_claims_options *options, mc_claims_result *result,
                        mc_error *error);

/* One claim in this process. */
mc_status mc_claims_test(const mc_claims_options *options, const mc_claim *claim,
                         mc_claim_result *result, mc_error *error);

#endif
