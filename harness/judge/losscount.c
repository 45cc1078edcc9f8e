/* losscount.c: how many states came out as what. */
#include "harness/judge/losing.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { TRIES = 64 };

static void say_answer(void *context, uint32_t answer)
{
    mc_choice_text *text = context;
    mc_choice_add(text, answer);
}

/* A state is named by its layout, then by the choices of its cells. */
static void name_layout(mc_loss *l, char *out)
{
    mc_choice_text text = {.out = out};
    out[0] = '\0';
    for (uint32_t i = 0; i < l->digits; i++) {
        mc_choice_add(&text, l->digit[i]);
    }
    mc_choice_end(&text);
}

void mc_loss_name_cells(mc_loss *l, char *out)
{
    mc_choice_text text = {.out = out};
    out[0] = '\0';
    mc_power_answers(l->power, l->states.file, l->states.choice, say_answer, &text);
    mc_choice_end(&text);
}

void mc_loss_name_state(mc_loss *l, const char *cells)
{
    char layout[MC_CHOICE_MAX];
    name_layout(l, layout);
    (void)snprintf(l->choice, sizeof l->choice, "%s%s", layout, cells);
    l->crash.choice = l->choice;
}

static bool is_same(const mc_share *s, const mc_share *t)
{
    return s->who == t->who && s->recovers == t->recovers && s->induced == t->induced &&
           s->outcome.kind == t->outcome.kind &&
           (s->outcome.kind == MC_OUTCOME_SNAPSHOT
                ? s->outcome.content_class == t->outcome.content_class
            : s->outcome.kind == MC_OUTCOME_REFUSED ? s->outcome.reason == t->outcome.reason
                                                    : s->outcome.noticed == t->outcome.noticed);
}

/* Runs `who` on the state that the choices name now, open ones being there. */
static mc_status run_state(mc_loss *l, uint32_t who, mc_outcome *out, mc_error *error)
{
    mc_judging *j = l->j;
    if (!mc_states_show(&l->states, &j->trace.base, l->shown)) {
        return mc_loss_no_memory(error);
    }
    return who == MC_LOSS_CONTROL ? mc_judging_control(j, out, error)
                                  : mc_judging_outcome(j, who, out, error);
}

/* The row that is like `what`; `*added` if there was none. Null without memory. */
mc_share *mc_loss_row(mc_shares *all, const mc_share *what, bool *added)
{
    *added = false;
    for (uint32_t i = 0; i < all->count; i++) {
        if (is_same(&all->share[i], what)) {
            return &all->share[i];
        }
    }
    if (!mc_loss_grow((void **)&all->share, all->count, &all->capacity, sizeof *all->share)) {
        return NULL;
    }
    mc_share *s = &all->share[all->count++];
    *s = *what;
    s->choice = NULL;
    s->classes = 0;
    mpz_init(s->states);
    *added = true;
    return s;
}

void mc_loss_free_shares(mc_shares *all)
{
    for (uint32_t i = 0; i < all->count; i++) {
        mpz_clear(all->share[i].states);
        free(all->share[i].choice);
    }
    all->count = 0;
}

/* What comes out, and where: the control's end and an importer's. */
static mc_hash128 id_of_proof(const mc_share *s, uint32_t control, uint32_t importer)
{
    uint64_t facts[] = {s->who,
                        (uint64_t)s->recovers << 1 | s->induced,
                        s->outcome.kind,
                        s->outcome.kind == MC_OUTCOME_SNAPSHOT ? s->outcome.content_class
                                                               : s->outcome.noticed,
                        control,
                        importer};
    XXH128_hash_t hash = XXH3_128bits(facts, sizeof facts);
    return (mc_hash128){hash.low64, hash.high64};
}

/* Has a state been run for what comes out, where the classes of now end? It is taken as if it had
 * been from now on. False without memory. */
static bool is_proved(mc_loss *l, const mc_share *s, bool *known)
{
    mc_hash128 id = id_of_proof(s, l->ends_at[0], l->ends_at[1]);
    uint32_t ignored;
    *known = mc_idmap_get(&l->proved, id, &ignored);
    return *known || mc_idmap_put(&l->proved, id, 0);
}

/* Choices that make no snapshot up to the one in flight: all there, nothing there, then by chance
 * that is the same in every run. False when none was found. */
static mc_status pick_rest(mc_loss *l, const mc_end *end, bool *found, mc_error *error)
{
    uint64_t random = 0x9e3779b97f4a7c15u;
    *found = false;
    for (int attempt = 0; attempt < TRIES && !*found; attempt++) {
        mc_states_choose_open(&l->states, attempt, &random);
        bool exact;
        mc_status status = mc_lazy_share(l->lazy, &l->states, end, l->crash.begun, l->match,
                                         l->rest, &exact, error);
        if (status != MC_OK) {
            return status;
        }
        *found = mpz_sgn(l->rest) > 0;
        if (!*found) {
            mc_states_bring_back(&l->states);
        }
    }
    return MC_OK;
}

/* Makes the choices that the present row is about. */
static mc_status make_choices(mc_loss *l, mc_error *error)
{
    bool found = true;
    mc_status status = MC_OK;
    if (l->to_pick != NULL && l->picked == MC_NO_SNAPSHOT) {
        status = pick_rest(l, l->to_pick, &found, error);
        assert(status != MC_OK || found);
    } else if (l->to_pick != NULL) {
        (void)mc_lazy_pick(l->lazy, &l->states, l->to_pick, l->picked);
    }
    return status;
}

/* Adds states to what came of the layout. What is new is run, with the choices of now. */
static mc_status add_share(mc_loss *l, const mc_share *what, const mpz_t states, mc_error *error)
{
    bool added;
    mc_share *s = mc_loss_row(l->adding, what, &added);
    l->layout_classes += what->who == MC_LOSS_CONTROL;
    if (s == NULL) {
        return mc_loss_no_memory(error);
    }
    mpz_add(s->states, s->states, states);
    s->classes++;
    if (!added) {
        return MC_OK;
    }
    mc_status status = make_choices(l, error);
    if (status != MC_OK) {
        return status;
    }
    char cells[MC_CHOICE_MAX];
    mc_loss_name_cells(l, cells);
    s->choice = strdup(cells);
    if (s->choice == NULL) {
        return mc_loss_no_memory(error);
    }
    mc_share ran = *s;
    bool known;
    status = is_proved(l, s, &known) ? MC_OK : mc_loss_no_memory(error);
    if (status != MC_OK || known) {
        return status;
    }
    status = run_state(l, s->who, &ran.outcome, error);
    if (status == MC_OK && !is_same(s, &ran)) {
        char state[MC_STATE_ID_MAX];
        mc_loss_name_state(l, s->choice);
        mc_judging_state_id(l->j, &l->crash, state, sizeof state);
        return mc_fail(error, MC_IO, "class", "%s: a class said otherwise than this state of it",
                       state);
    }
    s->outcome = ran.outcome;
    return status;
}

/* The outcome of an image that is no snapshot by its pages: SQLite is asked once for each of an
 * end. Of one end only, since what a page's hash leaves out of page 1 was read on the way there. */
static mc_status outcome_of_rest(mc_loss *l, mc_loss_subject *s, const mc_end *end, mc_outcome *out,
                                 mc_error *error)
{
    mc_hash128 id = mc_lazy_id(l->lazy, &l->states, end);
    uint32_t index;
    id.high += l->ends_at[s->who == MC_LOSS_CONTROL ? 0 : 1];
    if (mc_idmap_get(&s->known, id, &index)) {
        *out = s->outcome[index];
        return MC_OK;
    }
    mc_status status = run_state(l, s->who, out, error);
    if (status == MC_OK && (!mc_loss_grow((void **)&s->outcome, s->outcome_count,
                                          &s->outcome_capacity, sizeof *s->outcome) ||
                            !mc_idmap_put(&s->known, id, s->outcome_count))) {
        return mc_loss_no_memory(error);
    }
    if (status == MC_OK) {
        s->outcome[s->outcome_count++] = *out;
    }
    return status;
}

/* What the choices of the other files stand for, beside those of the main files. */
static void count_others(const mc_loss *l, mpz_t others)
{
    mc_states_count_beside(&l->states, l->j->main_slot, l->j->trace.database_count, others);
}

typedef mc_status (*take_fn)(mc_loss *l, mc_loss_subject *s, const mc_outcome *outcome,
                             const mpz_t states, mc_error *error);

void mc_loss_free_splits(mc_loss *l)
{
    for (uint32_t i = 0; i < l->split_count; i++) {
        for (uint32_t k = 0; k < l->split[i].count; k++) {
            mpz_clear(l->split[i].match[k]);
        }
        mpz_clear(l->split[i].rest);
        free(l->split[i].match);
    }
    l->split_count = 0;
    mc_idmap_free(&l->splits);
}

/* `end` is what the subject `who` comes to, by its number; main as it is has neither. */
static mc_hash128 id_of_split(const mc_loss *l, uint32_t who, uint32_t end)
{
    uint64_t facts[] = {who, end, l->crash.begun};
    XXH128_hash_t id = XXH3_128bits(facts, sizeof facts);
    for (uint32_t d = 0; d < l->j->trace.database_count; d++) {
        uint16_t f = l->j->main_slot[d];
        uint64_t file[] = {id.low64, id.high64, l->laid[f].id.low, l->laid[f].id.high};
        id = XXH3_128bits(file, sizeof file);
        id = XXH3_128bits_withSeed(l->states.choice[f], l->states.file[f].cell_count,
                                   id.low64 ^ id.high64);
    }
    return (mc_hash128){id.low64, id.high64};
}

/* What becomes of the rest. */
static mc_status judge_rest(mc_loss *l, mc_loss_subject *s, const mc_end *end,
                            mc_known_split *split, mc_error *error)
{
    mc_status status = pick_rest(l, end, &split->found, error);
    if (status == MC_OK && split->found) {
        status = outcome_of_rest(l, s, end, &split->outcome, error);
        /* A dump may say of one that it is a snapshot after all; not of the others. */
        split->found =
            split->outcome.kind != MC_OUTCOME_SNAPSHOT || mpz_cmp_ui(split->rest, 1) == 0;
    }
    mc_states_bring_back(&l->states);
    return status;
}

/* mc_lazy_share at the end where the walk is now, from memory if it was asked before. Without a
 * subject, of main as it is. The choices of now were kept, and are as before. */
static const mc_known_split *split_up(mc_loss *l, mc_loss_subject *s, const mc_end *end,
                                      mc_error *error)
{
    enum { SPLITS_MAX = 1 << 14 };
    uint32_t who = s == NULL ? (uint32_t)MC_LOSS_SUBJECTS : s->who;
    mc_hash128 id = id_of_split(l, who, s == NULL ? 0 : l->ends_at[who == MC_LOSS_CONTROL ? 0 : 1]);
    uint32_t index;
    if (mc_idmap_get(&l->splits, id, &index)) {
        return &l->split[index];
    }
    if (l->split_count == SPLITS_MAX) {
        mc_loss_free_splits(l);
    }
    mc_known_split split = {.count = l->crash.begun + 1};
    mc_status status = mc_lazy_share(l->lazy, &l->states, end, l->crash.begun, l->match, l->rest,
                                     &split.exact, error);
    split.match = malloc(split.count * sizeof *split.match);
    if (status != MC_OK || split.match == NULL ||
        !mc_loss_grow((void **)&l->split, l->split_count, &l->split_capacity, sizeof *l->split) ||
        !mc_idmap_put(&l->splits, id, l->split_count)) {
        free(split.match);
        (void)mc_loss_no_memory(error);
        return NULL;
    }
    for (uint32_t k = 0; k < split.count; k++) {
        mpz_init_set(split.match[k], l->match[k]);
    }
    mpz_init_set(split.rest, l->rest);
    mc_known_split *kept = &l->split[l->split_count++];
    *kept = split;
    if (s != NULL && split.exact && mpz_sgn(split.rest) > 0 &&
        judge_rest(l, s, end, kept, error) != MC_OK) {
        return NULL;
    }
    return kept;
}

/* Shares the states of a class out between the outcomes of its image. */
static mc_status share_out(mc_loss *l, mc_loss_subject *s, const mc_end *end, take_fn take,
                           mc_error *error)
{
    mc_states_keep(&l->states);
    const mc_known_split *known = split_up(l, s, end, error);
    if (known == NULL) {
        return error->status;
    }
    mc_known_split split = *known; /* the table may move, or be emptied when the rest is taken */
    mpz_t others;
    mpz_t states;
    bool any = false;
    mc_status status = MC_OK;
    mpz_inits(others, states, NULL);
    count_others(l, others);
    for (uint32_t k = 0; status == MC_OK && k < split.count; k++) {
        if (mpz_sgn(split.match[k]) > 0) {
            any = true;
            mc_outcome outcome = {.kind = MC_OUTCOME_SNAPSHOT,
                                  .content_class = l->j->content.classes[k]};
            mpz_mul(states, split.match[k], others);
            l->to_pick = end;
            l->picked = k;
            status = take(l, s, &outcome, states, error);
            mc_states_bring_back(&l->states);
        }
    }
    if (status == MC_OK && mpz_sgn(split.rest) > 0) {
        mpz_mul(states, split.rest, others);
        if (split.found) {
            l->to_pick = end;
            l->picked = MC_NO_SNAPSHOT;
            l->alike = any ? NULL : end;
            status = take(l, s, &split.outcome, states, error);
            l->alike = NULL;
        } else if (s->who == MC_LOSS_CONTROL && l->nested == NULL) {
            mpz_add(l->layout_lost, l->layout_lost, states);
            mpz_add(l->resolved, l->resolved, states);
        }
        mc_states_bring_back(&l->states);
    }
    l->to_pick = NULL;
    mpz_clears(others, states, NULL);
    return status;
}

static bool nothing_there(const mc_loss *l)
{
    for (uint32_t d = 0; d < l->j->trace.database_count; d++) {
        if (l->states.file[l->j->main_slot[d]].exists) {
            return false;
        }
    }
    return true;
}

static mc_status add_for(mc_loss *l, uint32_t who, const mc_outcome *outcome, bool recovers,
                         const mpz_t states, mc_error *error)
{
    mc_share what = {.who = who, .outcome = *outcome, .recovers = recovers};
    return add_share(l, &what, states, error);
}

/* ---- SQLite ---- */

/* Of states that recovery has not made a snapshot, those in which main was one before: recovery has
 * damaged what was whole. `*picked` is the newest that it was. */
static mc_status count_induced(mc_loss *l, const mc_end *as_it_is, const mpz_t states,
                               mpz_t induced, uint32_t *picked, mc_error *error)
{
    const mc_known_split *split = split_up(l, NULL, as_it_is, error);
    if (split == NULL) {
        return error->status;
    }
    mpz_set_ui(induced, 0);
    for (uint32_t k = 0; split->exact && k < split->count; k++) {
        *picked = mpz_sgn(split->match[k]) > 0 ? k : *picked;
        mpz_add(induced, induced, split->match[k]);
    }
    if (mpz_sgn(induced) > 0) {
        mpz_t others;
        mpz_init(others);
        count_others(l, others);
        mpz_mul(induced, induced, others);
        mpz_clear(others);
    }
    if (mpz_cmp(induced, states) > 0) {
        mpz_set_ui(induced, 0); /* only a part of the class came out so: which, is not known */
    }
    return MC_OK;
}

/* All states of a class came out so: those that recovery has damaged are told apart. */
static mc_status take_alike(mc_loss *l, const mc_outcome *outcome, const mpz_t states, mpz_t rest,
                            mc_error *error)
{
    mc_end as_it_is = {0};
    const mc_end *to_pick = l->to_pick;
    uint32_t picked = l->picked;
    uint32_t page_size = l->j->history.page_size;
    for (uint32_t d = 0; d < l->j->trace.database_count; d++) {
        const mc_power_file *file = &l->states.file[l->j->main_slot[d]];
        as_it_is.page_count[d] = file->exists ? (uint32_t)(file->size / page_size) : 0;
    }
    mpz_t induced;
    mpz_init(induced);
    mc_status status = count_induced(l, &as_it_is, states, induced, &l->picked, error);
    if (status == MC_OK && mpz_sgn(induced) > 0) {
        mc_share what = {.who = MC_LOSS_CONTROL, .outcome = *outcome, .induced = true};
        l->to_pick = &as_it_is;
        status = add_share(l, &what, induced, error);
        mc_states_bring_back(&l->states);
    }
    mpz_sub(rest, states, induced);
    mpz_clear(induced);
    l->to_pick = to_pick;
    l->picked = picked;
    return status;
}

/* The states of now, of which SQLite makes a snapshot, are crashed again: that in which everything
 * is there that is open, and that in which nothing is (again.h says why these). Where there is
 * nothing to pick, one state alone is chosen already. */
static mc_status crash_again(mc_loss *l, const mc_outcome *outcome, mc_error *error)
{
    mc_judging *j = l->j;
    uint64_t random = 0;
    mc_status status = MC_OK;
    int witnesses = l->to_pick != NULL ? 2 : 1;
    for (int nothing = 0; status == MC_OK && nothing < witnesses; nothing++) {
        char cells[MC_CHOICE_MAX];
        if (l->to_pick != NULL) {
            mc_states_bring_back(&l->states);
            (void)mc_lazy_pick(l->lazy, &l->states, l->to_pick, l->picked);
        }
        mc_states_choose_open(&l->states, nothing, &random);
        if (!mc_states_show(&l->states, &j->trace.base, l->shown)) {
            return mc_loss_no_memory(error);
        }
        mc_loss_name_cells(l, cells);
        mc_loss_name_state(l, cells);
        status = mc_judged_again(j, &l->crash, outcome, error);
    }
    mc_states_bring_back(&l->states);
    return status;
}

static mc_status take_control(mc_loss *l, mc_loss_subject *s, const mc_outcome *outcome,
                              const mpz_t states, mc_error *error)
{
    (void)s;
    int recovers = outcome->kind == MC_OUTCOME_SNAPSHOT;
    mpz_add(l->resolved, l->resolved, states);
    mpz_add(l->taken[recovers], l->taken[recovers], states);
    if (l->taken_classes[recovers]++ == 0) {
        l->taken_end[recovers] = l->ends_at[0];
    }
    if (outcome->kind == MC_OUTCOME_SNAPSHOT) {
        mc_status added = add_for(l, MC_LOSS_CONTROL, outcome, true, states, error);
        return added == MC_OK && l->j->again != NULL ? crash_again(l, outcome, error) : added;
    }
    mpz_t rest;
    mpz_init_set(rest, states);
    mc_status status = l->alike == NULL ? MC_OK : take_alike(l, outcome, states, rest, error);
    if (status == MC_OK && mpz_sgn(rest) > 0) {
        status = add_for(l, MC_LOSS_CONTROL, outcome, false, rest, error);
    }
    mpz_clear(rest);
    return status;
}

mc_status mc_loss_control_leaf(void *context, uint32_t number, mc_error *error)
{
    mc_loss_subject *s = context;
    mc_loss *l = s->loss;
    l->ends_at[0] = number;
    mc_end end = s->end[number];
    if (end.refusal == NULL) {
        return share_out(l, s, &end, take_control, error);
    }
    mpz_t states;
    mpz_init(states);
    mc_states_count(&l->states, states);
    mc_outcome outcome = {.kind = MC_OUTCOME_REFUSED, .reason = end.refusal};
    mc_states_keep(&l->states);
    l->alike = &end;
    mc_status status = take_control(l, s, &outcome, states, error);
    l->alike = NULL;
    mc_states_bring_back(&l->states);
    mpz_clear(states);
    return status;
}

mc_status mc_loss_control_unresolved(void *context, mc_error *error)
{
    (void)error;
    mc_loss_subject *s = context;
    mpz_t states;
    mpz_init(states);
    mc_states_count(&s->loss->states, states);
    mpz_add(s->loss->layout_lost, s->loss->layout_lost, states);
    mpz_add(s->loss->resolved, s->loss->resolved, states);
    mpz_clear(states);
    return MC_OK;
}

/* ---- importers that take main as it is ---- */

static mc_status take_field(mc_loss *l, mc_loss_subject *s, const mc_outcome *outcome,
                            const mpz_t states, mc_error *error)
{
    return add_for(l, s->who, outcome, true, states, error);
}

/* A refusal: does SQLite recover these states? */
static mc_status take_refused(mc_loss *l, mc_loss_subject *s, const mc_outcome *outcome,
                              const mpz_t states, mc_error *error)
{
    (void)s;
    return add_for(l, l->nested->who, &l->refused, outcome->kind == MC_OUTCOME_SNAPSHOT, states,
                   error);
}

static mc_status refused_leaf(void *context, uint32_t number, mc_error *error)
{
    mc_loss_subject *s = context;
    mc_loss *l = s->loss;
    l->ends_at[0] = number;
    mc_end end = s->end[number];
    if (end.refusal == NULL) {
        return share_out(l, s, &end, take_refused, error);
    }
    mpz_t states;
    mpz_init(states);
    mc_states_count(&l->states, states);
    mc_status status = add_for(l, l->nested->who, &l->refused, false, states, error);
    mpz_clear(states);
    return status;
}

mc_status mc_loss_leave_unresolved(void *context, mc_error *error)
{
    (void)context;
    (void)error;
    return MC_OK;
}

/* An importer refuses all states of the layout: what the control made of them is known. Where no
 * state has been run for that yet, `*done` is false. */
static mc_status refuse_all(mc_loss *l, const mc_loss_subject *s, bool *done, mc_error *error)
{
    mc_share what[2];
    uint64_t classes[] = {l->taken_classes[0], l->taken_classes[1]};
    *done = true;
    for (int k = 0; k < 2; k++) {
        uint32_t ignored;
        what[k] = (mc_share){.who = s->who, .outcome = l->refused, .recovers = k == 1};
        *done = *done &&
                (l->taken_classes[k] == 0 ||
                 mc_idmap_get(&l->proved, id_of_proof(&what[k], l->taken_end[k], l->ends_at[1]),
                              &ignored));
    }
    for (uint32_t i = 0; *done && i < l->adding->count; i++) {
        const mc_share row = l->adding->share[i]; /* the table may move */
        int k = row.recovers;
        bool added;
        if (row.who != MC_LOSS_CONTROL || classes[k] == 0) {
            continue;
        }
        mc_share *to = mc_loss_row(l->adding, &what[k], &added);
        if (to == NULL) {
            return mc_loss_no_memory(error);
        }
        to->choice = added ? strdup(row.choice) : to->choice;
        mpz_add(to->states, to->states, l->taken[k]);
        to->classes += classes[k];
        classes[k] = 0; /* once */
        if (to->choice == NULL) {
            return mc_loss_no_memory(error);
        }
    }
    return MC_OK;
}

mc_status mc_loss_field_leaf(void *context, uint32_t number, mc_error *error)
{
    mc_loss_subject *s = context;
    mc_loss *l = s->loss;
    l->ends_at[1] = number;
    mc_end end = s->end[number];
    bool empty = end.refusal != NULL && nothing_there(l);
    for (uint32_t d = 0; empty && d < l->j->trace.database_count; d++) {
        empty = l->j->history.snapshot[0].page_count[d] == 0;
    }
    if (end.refusal == NULL || empty) {
        return share_out(l, s, &end, take_field, error);
    }
    if (l->cut) {
        return MC_OK;
    }
    bool done = false;
    mc_status status = MC_OK;
    mpz_t states;
    mpz_init(states);
    mc_states_count(&l->states, states);
    l->refused = (mc_outcome){.kind = MC_OUTCOME_REFUSED, .reason = end.refusal};
    if (mpz_cmp(states, l->layout_total) == 0) {
        status = refuse_all(l, s, &done, error);
    }
    mpz_clear(states);
    if (status == MC_OK && !done) {
        l->nested = s;
        status = mc_loss_walk(l, &l->subject[MC_LOSS_CONTROL], refused_leaf,
                              mc_loss_leave_unresolved, error);
        l->nested = NULL;
    }
    return status;
}
