/* losing.h: the inside of loss.h: one exploration while it runs. */
#ifndef MIDCOMMIT_HARNESS_JUDGE_LOSING_H
#define MIDCOMMIT_HARNESS_JUDGE_LOSING_H

#include "crashsim/powerchoice.h"
#include "harness/judge/checked.h"
#include "harness/judge/judging.h"
#include "harness/judge/lazyimage.h"

enum {
    MC_LOSS_CONTROL = MC_IMPORTERS_MAX, /* as a number of who is judged */
    MC_LOSS_SUBJECTS = MC_IMPORTERS_MAX + 1,
    MC_DIGITS_MAX = 256
};

/* Who reads states: SQLite, or an importer that takes main as it is. */
typedef struct mc_loss_subject {
    struct mc_loss *loss;
    uint32_t who;
    mc_trie *trie;
    mc_end *end; /* by the numbers in the trie's leaves */
    uint32_t end_count;
    uint32_t end_capacity;
    mc_idmap known; /* by mc_lazy_id: index in `outcome` of images that are no snapshot by pages */
    mc_checked checked;
    mc_outcome *outcome;
    uint32_t outcome_count;
    uint32_t outcome_capacity;
} mc_loss_subject;

/* Something that came of a crash point's states: one row for each difference that matters. */
typedef struct mc_share {
    uint32_t who;
    mc_outcome outcome;
    bool recovers; /* SQLite recovers a snapshot from these states */
    bool induced;  /* SQLite does not, though main was one */
    mpz_t states;
    uint64_t classes;
    char *choice; /* of one of them; in a layout's, of its cells; its own */
} mc_share;

/* What came of one layout: for whenever the same is met again. */
typedef struct mc_shares {
    mc_share *share;
    uint32_t count;
    uint32_t capacity;
} mc_shares;

/* How the choices that are open in main files were shared out: for the same files again, whatever
 * lies beside them. */
typedef struct mc_known_split {
    mpz_t *match; /* by snapshot, `count` of them */
    uint32_t count;
    mpz_t rest;
    bool exact;
    bool found; /* a state of the rest, and that all of it comes out as `outcome` */
    mc_outcome outcome;
} mc_known_split;

typedef struct mc_known_layout {
    mc_shares came;
    mpz_t total;
    mpz_t lost;
    uint64_t classes;
} mc_known_layout;

/* One file as it was laid last at this crash point. */
typedef struct mc_laid {
    mc_arena arena;
    mc_hash128 id; /* mc_power_peek's, of how it is laid, and of how it is to be */
    mc_hash128 wanted;
} mc_laid;

typedef struct mc_loss {
    mc_judging *j;
    mc_cell *cell;
    mc_proof *proof;
    mc_trace trace; /* the judging's, over a base of its own: the judging's disk shows states */
    mc_power *power;
    mc_lazy *lazy;
    mc_arena arena; /* of the state that is shown again */
    mc_laid *laid;  /* by file */
    mc_arena ends;  /* what the ends hold */
    mc_states states;
    bool *shown; /* by file: the judging's disk holds it, but for some cells */
    mc_power_file *file;
    uint32_t digit[MC_DIGITS_MAX];
    uint32_t base[MC_DIGITS_MAX]; /* how many alternatives each has */
    uint32_t digits;
    uint32_t asked;
    mc_loss_subject subject[MC_LOSS_SUBJECTS];
    mc_crash crash;
    char choice[2 * MC_CHOICE_MAX];
    uint64_t runs_left;    /* for this crash point */
    uint64_t classes_left; /* for all so far: what one crash point does not need, later ones may */
    mc_shares point;       /* what came of the present crash point */
    mc_shares *adding;     /* where states are counted: the layout's */
    mc_idmap proved;       /* what came out of which ends, and was run */
    uint32_t ends_at[2];   /* the numbers of the ends where the control, and an importer, are */
    mc_idmap seen;         /* layouts, by what they are */
    mc_known_layout *layout;
    uint32_t layout_count;
    uint32_t layout_capacity;
    mc_idmap splits; /* by files, choices and end */
    mc_known_split *split;
    uint32_t split_count;
    uint32_t split_capacity;
    uint64_t layout_classes;
    mpz_t layout_lost;
    mpz_t *match; /* by snapshot: working memory */
    mpz_t rest;
    mpz_t resolved;
    mpz_t point_total;
    mpz_t point_lost;
    uint64_t point_classes;
    /* What the control came to in this layout: [1] where it recovers a snapshot, [0] elsewhere. */
    mpz_t taken[2];
    uint64_t taken_classes[2];
    uint32_t taken_end[2]; /* of the first of these classes */
    mpz_t layout_total;
    bool cut;                /* it was not walked to its end */
    mc_loss_subject *nested; /* whose refusal the control is asked about, or null */
    mc_outcome refused;
    const mc_end *to_pick; /* when a row is added, choices are to make snapshot `picked`; or null */
    uint32_t picked;       /* or MC_NO_SNAPSHOT: none */
    const mc_end *alike;   /* the end of a class of which every state came out the same, or null */
} mc_loss;

mc_status mc_loss_no_memory(mc_error *error);
bool mc_loss_grow(void **array, uint32_t count, uint32_t *capacity, size_t element);

/* A state is named by its layout, then by the choices of its cells: the text of these, of
 * MC_CHOICE_MAX bytes; then loss->choice, and the crash's, of both. */
void mc_loss_name_cells(mc_loss *loss, char *out);
void mc_loss_name_state(mc_loss *loss, const char *cells);

/* lossread.c: walks the classes of the states that are left open now, by what a subject reads. */
mc_status mc_loss_walk(mc_loss *loss, mc_loss_subject *subject,
                       mc_status (*leaf)(void *, uint32_t, mc_error *),
                       mc_status (*unresolved)(void *, mc_error *), mc_error *error);

/* losscount.c: what is done at the end of a class, and with states that are in none; the context is
 * the subject. */
mc_status mc_loss_control_leaf(void *context, uint32_t end, mc_error *error);
mc_status mc_loss_control_unresolved(void *context, mc_error *error);
mc_status mc_loss_field_leaf(void *context, uint32_t end, mc_error *error);
mc_status mc_loss_leave_unresolved(void *context, mc_error *error);

/* The row that is like `what`; `*added` if there was none. Null without memory. */
mc_share *mc_loss_row(mc_shares *all, const mc_share *what, bool *added);
void mc_loss_free_shares(mc_shares *all);
void mc_loss_free_splits(mc_loss *loss);

#endif
