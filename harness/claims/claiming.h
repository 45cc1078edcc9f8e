/* claiming.h: the inside of claims.h: one claim while it is tested. */
#ifndef MIDCOMMIT_HARNESS_CLAIMS_CLAIMING_H
#define MIDCOMMIT_HARNESS_CLAIMS_CLAIMING_H

#include "harness/claims/claims.h"
#include "harness/judge/judging.h"

/* Bits of verdicts. */
enum {
    MC_CAME_STALE = 1 << MC_STALE,
    MC_CAME_BLOCKED = 1 << MC_BLOCKED,
    MC_CAME_BROKEN = 1 << MC_TORN | 1 << MC_REFUSED_TOO,
    MC_CAME_ANY = 1 << MC_STALE | 1 << MC_TORN | 1 << MC_BLOCKED | 1 << MC_REFUSED_TOO
};

/* Cells, and what must come out. Of `never`, `some` and `count` one is given. */
typedef struct mc_claim_rule {
    const char *label;     /* what the cells are, for the note; a rule without one ends the list */
    const char *workloads; /* comma list */
    uint32_t modes;        /* bits */
    uint32_t syncs;
    const char *crash;  /* "kill", "kv:batch", profiles of power ("psow,ext4"), or "recording": what
                           is crashed nowhere */
    uint32_t never;     /* no state may come out so */
    uint32_t some;      /* at least one must */
    uint32_t count;     /* how many do is what is asked */
    uint32_t txns;      /* 0: 1 */
    uint32_t page_size; /* 0: 4096 */
    uint64_t budget;    /* power: runs of SQLite per crash point; 0: as many as it takes */
    const char *importer;                 /* whose verdicts; null: SQLite's */
    const char *mistake;                  /* kill: made with the sidecars; null: none */
    const mc_power_profile *profile;      /* one that is not in the table, instead of `crash` */
    void (*edit)(mc_trace *trace);        /* power: changes the recording */
    size_t (*end)(const mc_trace *trace); /* power: elements of it that are crashed; null: all */
    bool plain_disk;                      /* SQLite is told of a disk without powersafe overwrite */
} mc_claim_rule;

/* One of a rule's cells. */
typedef struct mc_claim_cell {
    char workload[64];
    mc_mode mode;
    mc_sync sync;
    const char *crash;               /* "kill", "kv:batch", "power" */
    const mc_power_profile *profile; /* power */
} mc_claim_cell;

typedef struct mc_claim_test {
    const mc_claims_options *options;
    const mc_claim *claim;
    mc_claim_result *result;
    mpz_t states;
    bool refuted;
    bool open; /* states were left out */
    bool bounded;
    bool tested;  /* anything was */
    bool telling; /* result->state is what refutes */
} mc_claim_test;

/* A part of the note, with "; " before it if it is not the first. */
void mc_claim_note(mc_claim_test *test, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void mc_claim_model(mc_claim_test *test, const char *model);

/* Something was found that must not be; or must be and was not. `state` and `command` may be null.
 */
void mc_claim_refute(mc_claim_test *test, const char *state, const char *command);
void mc_claim_example(mc_claim_test *test, const char *state, const char *command);

/* Calls for each cell of the rule. */
typedef mc_status (*mc_claim_cell_fn)(mc_claim_test *test, const mc_claim_rule *rule,
                                      const mc_claim_cell *cell, void *context, mc_error *error);
mc_status mc_claim_each(mc_claim_test *test, const mc_claim_rule *rule, mc_claim_cell_fn fn,
                        void *context, mc_error *error);

/* Judges the cells of all rules of a list, and notes what came out of each. */
mc_status mc_claim_rules(mc_claim_test *test, const mc_claim_rule *rule, mc_error *error);

/* The command that explains a state of the cell; "" where there is none. */
void mc_claim_command(const mc_claim_test *test, const mc_claim_rule *rule, const char *state,
                      char *out, size_t size);

/* One cell, open for whoever walks it. */
typedef struct mc_claim_walk {
    mc_claim_test *test;
    const mc_claim_rule *rule;
    mc_record_options record;
    mc_judge_options options;
    mc_importers importers; /* recover, sqlite */
    mc_judging j;
    mc_cell cell;
} mc_claim_walk;

/* What a rule and a plant change in a recording: mc_claim_open does it where power is lost. */
void mc_claim_change(const mc_claim_test *test, const mc_claim_rule *rule, mc_trace *trace);

mc_status mc_claim_open(mc_claim_walk *walk, mc_claim_test *test, const mc_claim_rule *rule,
                        const mc_claim_cell *cell, const char *importers, mc_error *error);
void mc_claim_close(mc_claim_walk *walk);

/* Visits all states of an open cell of kill; `state`'s context is the walk. */
mc_status mc_claim_kill(mc_claim_walk *walk,
                        mc_status (*state)(void *walk, const mc_crash *crash, mc_error *error),
                        mc_error *error);

/* Refutes by the present state of an open cell. */
void mc_claim_refute_here(mc_claim_walk *walk, const mc_crash *crash);

/* Tests that are more than rules. */
typedef mc_status mc_claim_fn(struct mc_claim_test *test, mc_error *error);
mc_claim_fn mc_claim_attached; /* table.c */
mc_claim_fn mc_claim_counts, mc_claim_header_sector, mc_claim_whole_sectors, mc_claim_free_pages,
    mc_claim_checkpoint_order, mc_claim_journal_first, mc_claim_page_one; /* order.c */
mc_claim_fn mc_claim_exactly, mc_claim_effect, mc_claim_renamed, mc_claim_shm,
    mc_claim_versions;                          /* walks.c */
mc_claim_fn mc_claim_checksums, mc_claim_again; /* witnesses.c */

/* edits.c: changes of a recording, and the parts of one. */
size_t mc_claim_end_checkpoint(const mc_trace *trace);
size_t mc_claim_end_reuse(const mc_trace *trace);
void mc_claim_edit_first_flush(mc_trace *trace);
void mc_claim_edit_second_flush(mc_trace *trace);
void mc_claim_edit_children(mc_trace *trace);
void mc_claim_edit_barrier(mc_trace *trace);
void mc_claim_edit_wal_sync(mc_trace *trace);
void mc_claim_edit_main_sync(mc_trace *trace);

#endif
