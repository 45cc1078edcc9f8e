/* againpower.c: the power losses of one recovery, in classes.
 *
 * A class's end says which pages are settled; of the others it is counted which choices make the
 * image which snapshot. Only two things matter of a state, whether it converged and, if not, how;
 * the first time that something is said of an end, one such state is made and run. */
#include "harness/judge/againwork.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { DIGITS_MAX = 256, RUNS_DEFAULT = 2000, TRIES = 64 };

/* What came of one choice of names and lengths, for whenever it is met again. */
typedef struct layout {
    mpz_t total;
    mpz_t diverged;
    mpz_t unresolved;
} layout;

struct mc_again_power {
    mc_again *a;
    mc_trie *trie;
    mc_end *end; /* by the numbers in the trie's leaves */
    uint32_t end_count;
    uint32_t end_capacity;
    mc_arena ends;
    mc_idmap proved; /* what came out of which end, and was run */
    mc_lazy *lazy;
    mpz_t *match; /* by snapshot */
    uint32_t match_count;
    mc_power *loss;
    size_t point;
    uint64_t runs_left;
    uint32_t digit[DIGITS_MAX];
    uint32_t base[DIGITS_MAX]; /* how many alternatives each has */
    uint32_t digits;
    uint32_t asked;
    mc_arena laid; /* the present layout */
    mc_states states;
    mc_power_file *file;
    bool *shown;
    uint32_t file_capacity;
    mc_idmap seen; /* layouts of this recovery, by what they are */
    layout *layout;
    uint32_t layout_count;
    uint32_t layout_capacity;
    layout *adding;
};

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "again: out of memory");
}

static bool make_room(void **array, uint32_t count, uint32_t *capacity, size_t element)
{
    if (count < *capacity) {
        return true;
    }
    uint32_t more = *capacity == 0 ? 64 : *capacity * 2;
    void *moved = realloc(*array, more * element);
    if (moved == NULL) {
        return false;
    }
    *array = moved;
    *capacity = more;
    return true;
}

/* ---- choices ---- */

static void say_answer(void *context, uint32_t answer)
{
    mc_choice_add(context, answer);
}

/* "12+choices": the present state within the recovery. */
static void name_state(mc_again_power *p)
{
    char names[MC_CHOICE_MAX] = "";
    char cells[MC_CHOICE_MAX] = "";
    mc_choice_text text = {.out = names};
    for (uint32_t i = 0; i < p->digits; i++) {
        mc_choice_add(&text, p->digit[i]);
    }
    mc_choice_end(&text);
    text = (mc_choice_text){.out = cells};
    mc_power_answers(p->loss, p->file, p->states.choice, say_answer, &text);
    mc_choice_end(&text);
    p->a->point = p->point;
    (void)snprintf(p->a->where, sizeof p->a->where, "%zu%s%s%s", p->point,
                   names[0] != '\0' || cells[0] != '\0' ? "+" : "", names, cells);
}

/* ---- classes ---- */

static mc_status run(void *context, mc_disk *disk, mc_reads *reads, uint32_t *number,
                     mc_error *error)
{
    (void)disk;
    mc_again_power *p = context;
    mc_outcome made;
    if (!make_room((void **)&p->end, p->end_count, &p->end_capacity, sizeof *p->end)) {
        return no_memory(error);
    }
    *number = p->end_count++;
    p->end[*number] = (mc_end){0};
    name_state(p);
    return mc_again_ask(p->a, reads, &p->end[*number], &p->ends, &made, error);
}

/* Runs the present state, open choices being there. */
static mc_status ask_present(mc_again_power *p, mc_outcome *made, mc_error *error)
{
    name_state(p);
    return mc_states_show(&p->states, &p->a->j->trace.base, p->shown)
               ? mc_again_ask(p->a, NULL, NULL, NULL, made, error)
               : no_memory(error);
}

/* Has a state been run for that outcome of this end? It is taken as if it had been from now on. */
static mc_status is_proved(mc_again_power *p, uint32_t end, uint32_t class, bool *proved,
                           mc_error *error)
{
    mc_hash128 id = {(uint64_t)end << 32 | class, 0};
    XXH128_hash_t hash = XXH3_128bits(&id, sizeof id);
    uint32_t ignored;
    id = (mc_hash128){hash.low64, hash.high64};
    *proved = mc_idmap_get(&p->proved, id, &ignored);
    return *proved || mc_idmap_put(&p->proved, id, 0) ? MC_OK : no_memory(error);
}

/* Of so many states, one of which is chosen, SQLite makes that. */
static mc_status take(mc_again_power *p, const mc_outcome *made, const mpz_t states,
                      mc_error *error)
{
    if (mc_again_converged(p->a, made)) {
        return MC_OK;
    }
    name_state(p);
    mpz_add(p->adding->diverged, p->adding->diverged, states);
    return mc_states_show(&p->states, &p->a->j->trace.base, p->shown)
               ? mc_again_diverged(p->a, made, states, error)
               : no_memory(error);
}

/* The states of an end whose image is snapshot `k`. */
static mc_status take_snapshot(mc_again_power *p, uint32_t end, uint32_t k, const mpz_t states,
                               mc_error *error)
{
    bool proved;
    mc_outcome said = {.kind = MC_OUTCOME_SNAPSHOT, .content_class = p->a->j->content.classes[k]};
    mc_status status = is_proved(p, end, said.content_class, &proved, error);
    if (status != MC_OK || (proved && mc_again_converged(p->a, &said))) {
        return status;
    }
    (void)mc_lazy_pick(p->lazy, &p->states, &p->end[end], k);
    mc_outcome made = said;
    status = proved ? MC_OK : ask_present(p, &made, error);
    if (status == MC_OK && (made.kind != said.kind || made.content_class != said.content_class)) {
        status = mc_fail(error, MC_IO, "class",
                         "a second crash, at %s: a class said otherwise than this state of it",
                         p->a->where);
    }
    return status == MC_OK ? take(p, &made, states, error) : status;
}

/* The states of an end whose image is no snapshot by its pages: one is run. What has a snapshot's
 * content all the same says nothing of the others. */
static mc_status take_rest(mc_again_power *p, uint32_t end, const mpz_t states, bool single,
                           mc_error *error)
{
    mpz_t rest;
    uint64_t random = UINT64_C(0x9e3779b97f4a7c15);
    bool found = false;
    bool exact = true;
    mc_outcome made;
    mc_status status = MC_OK;
    mpz_init(rest);
    for (int attempt = 0; status == MC_OK && exact && attempt < TRIES && !found; attempt++) {
        mc_states_bring_back(&p->states);
        mc_states_choose_open(&p->states, attempt, &random);
        status = mc_lazy_share(p->lazy, &p->states, &p->end[end], p->match_count - 1, p->match,
                               rest, &exact, error);
        found = exact && mpz_sgn(rest) > 0;
    }
    if (status == MC_OK && found) {
        status = ask_present(p, &made, error);
        found = made.kind != MC_OUTCOME_SNAPSHOT || single;
    }
    mpz_clear(rest);
    if (status == MC_OK && !found) {
        mpz_add(p->adding->unresolved, p->adding->unresolved, states);
        return MC_OK;
    }
    return status == MC_OK ? take(p, &made, states, error) : status;
}

static mc_status share_out(mc_again_power *p, uint32_t number, mc_error *error)
{
    bool exact;
    mpz_t others;
    mpz_t rest;
    mpz_t *states = malloc(p->match_count * sizeof *states);
    mpz_inits(others, rest, NULL);
    mc_status status = states == NULL
                           ? no_memory(error)
                           : mc_lazy_share(p->lazy, &p->states, &p->end[number], p->match_count - 1,
                                           p->match, rest, &exact, error);
    uint32_t count = status == MC_OK ? p->match_count : 0;
    bool single = mpz_cmp_ui(rest, 1) == 0;
    mc_states_count_beside(&p->states, p->a->j->main_slot, p->a->j->trace.database_count, others);
    mpz_mul(rest, rest, others);
    for (uint32_t k = 0; k < count; k++) {
        mpz_init(states[k]);
        mpz_mul(states[k], p->match[k], others);
    }
    mc_states_keep(&p->states);
    for (uint32_t k = 0; status == MC_OK && k < count; k++) {
        if (mpz_sgn(states[k]) > 0) {
            status = take_snapshot(p, number, k, states[k], error);
            mc_states_bring_back(&p->states);
        }
    }
    if (status == MC_OK && mpz_sgn(rest) > 0) {
        status = take_rest(p, number, rest, single, error);
        mc_states_bring_back(&p->states);
    }
    for (uint32_t k = 0; k < count; k++) {
        mpz_clear(states[k]);
    }
    free(states);
    mpz_clears(others, rest, NULL);
    return status;
}

static mc_status leaf(void *context, uint32_t number, mc_error *error)
{
    mc_again_power *p = context;
    p->a->counts.classes++;
    if (p->end[number].refusal == NULL) {
        return share_out(p, number, error);
    }
    mpz_t states;
    mpz_init(states);
    mc_states_count(&p->states, states);
    mc_outcome made = {.kind = MC_OUTCOME_REFUSED, .reason = p->end[number].refusal};
    mc_status status = take(p, &made, states, error);
    mpz_clear(states);
    return status;
}

static mc_status unresolved(void *context, mc_error *error)
{
    (void)error;
    mc_again_power *p = context;
    mpz_t states;
    mpz_init(states);
    mc_states_count(&p->states, states);
    mpz_add(p->adding->unresolved, p->adding->unresolved, states);
    mpz_clear(states);
    return MC_OK;
}

/* ---- layouts ---- */

static uint32_t next_digit(void *context, mc_power_item item, const mc_op *op, uint32_t count)
{
    mc_again_power *p = context;
    (void)item;
    (void)op;
    assert(p->asked < DIGITS_MAX);
    if (p->asked == p->digits) {
        p->digit[p->digits++] = 0;
    }
    p->base[p->asked] = count;
    return p->digit[p->asked++];
}

/* The next choice of names and lengths; false behind the last. */
static bool step_digits(mc_again_power *p)
{
    for (; p->digits > 0; p->digits--) {
        uint32_t last = p->digits - 1;
        if (p->digit[last] + 1 < p->base[last]) {
            p->digit[last]++;
            return true;
        }
    }
    return false;
}

/* What the layout with the present digits would be. */
static mc_hash128 peek(mc_again_power *p)
{
    XXH128_hash_t id = {0, 0};
    p->asked = 0;
    mc_power_metadata(p->loss, next_digit, p);
    for (uint16_t f = 0; f < p->states.file_count; f++) {
        mc_hash128 file = mc_power_peek(p->loss, f, next_digit, p);
        uint64_t facts[] = {id.low64, id.high64, file.low, file.high};
        id = XXH3_128bits(facts, sizeof facts);
    }
    return (mc_hash128){id.low64, id.high64};
}

static mc_status lay(mc_again_power *p, mc_error *error)
{
    mc_status status = MC_OK;
    mc_arena_reset(&p->laid);
    mc_lazy_forget(p->lazy);
    p->asked = 0;
    mc_power_metadata(p->loss, next_digit, p);
    for (uint16_t f = 0; status == MC_OK && f < p->states.file_count; f++) {
        mc_power_file *file = &p->file[f];
        p->shown[f] = false;
        status = mc_power_lay(p->loss, f, next_digit, p, &p->laid, file, error);
        size_t cells = status == MC_OK ? file->cell_count : 0;
        p->states.choice[f] = mc_arena_alloc(&p->laid, 2 * cells + 1);
        if (p->states.choice[f] == NULL) {
            return no_memory(error);
        }
        memset(p->states.choice[f], MC_POWER_UNCHOSEN, cells);
    }
    return status;
}

static mc_status walk_layout(mc_again_power *p, mc_error *error)
{
    mc_subject reader = {.context = p, .run = run};
    mc_walk w = {.trie = p->trie,
                 .reader = &reader,
                 .states = &p->states,
                 .disk = &p->a->j->trace.base,
                 .shown = p->shown,
                 .runs_left = p->runs_left,
                 .leaves_left = UINT64_MAX,
                 .leaf = leaf,
                 .unresolved = unresolved,
                 .context = p};
    mc_status status = mc_classes_walk(&w, error);
    p->runs_left = w.runs_left;
    mc_reads_free(&w.reads);
    return status;
}

static mc_status judge_layout(mc_again_power *p, mc_error *error)
{
    mc_hash128 id = peek(p);
    mc_again_counts *counts = &p->a->counts;
    uint32_t index;
    bool again = mc_idmap_get(&p->seen, id, &index);
    mc_status status = MC_OK;
    if (!again) {
        index = p->layout_count;
        if (!make_room((void **)&p->layout, index, &p->layout_capacity, sizeof *p->layout) ||
            !mc_idmap_put(&p->seen, id, index)) {
            return no_memory(error);
        }
        p->adding = &p->layout[p->layout_count++];
        mpz_inits(p->adding->total, p->adding->diverged, p->adding->unresolved, NULL);
        status = lay(p, error);
        if (status == MC_OK) {
            mc_states_count(&p->states, p->adding->total);
            status = walk_layout(p, error);
        }
    }
    const layout *came = &p->layout[index];
    mpz_add(counts->total, counts->total, came->total);
    mpz_add(counts->unresolved, counts->unresolved, came->unresolved);
    if (again) { /* else they were told, and counted, as they were found */
        mpz_add(counts->diverged, counts->diverged, came->diverged);
    }
    return status;
}

/* ---- one recovery ---- */

static void forget_layouts(mc_again_power *p)
{
    for (uint32_t i = 0; i < p->layout_count; i++) {
        mpz_clears(p->layout[i].total, p->layout[i].diverged, p->layout[i].unresolved, NULL);
    }
    p->layout_count = 0;
    mc_idmap_free(&p->seen);
}

static bool make_files(mc_again_power *p, uint32_t files)
{
    if (files > p->file_capacity) {
        free(p->file);
        free(p->shown);
        free(p->states.choice);
        p->file = calloc(files, sizeof *p->file);
        p->shown = calloc(files, sizeof *p->shown);
        p->states.choice = calloc(files, sizeof *p->states.choice);
        p->file_capacity = files;
    }
    p->states.file = p->file;
    p->states.file_count = files;
    return p->file != NULL && p->shown != NULL && p->states.choice != NULL;
}

mc_status mc_again_power_judge(mc_again_power *p, mc_error *error)
{
    const mc_again *a = p->a;
    p->loss = mc_power_open(&a->recovery, a->options.power);
    if (p->loss == NULL || !make_files(p, a->recovery.base.file_count)) {
        mc_power_close(p->loss);
        return no_memory(error);
    }
    mc_status status = MC_OK;
    for (p->point = 0; status == MC_OK && p->point <= a->recovery.op_count; p->point++) {
        p->digits = 0;
        p->runs_left = a->options.budget > 0 ? a->options.budget : RUNS_DEFAULT;
        status = mc_power_advance(p->loss, p->point, error);
        do {
            status = status == MC_OK ? judge_layout(p, error) : status;
        } while (status == MC_OK && step_digits(p));
        p->a->counts.points++;
    }
    forget_layouts(p);
    mc_power_close(p->loss);
    return status;
}

void mc_again_power_forget(mc_again_power *p)
{
    if (p != NULL) {
        mc_trie_free(p->trie);
        p->trie = mc_trie_open();
        p->end_count = 0;
        mc_arena_reset(&p->ends);
        mc_idmap_free(&p->proved);
    }
}

mc_again_power *mc_again_power_open(mc_again *a)
{
    mc_again_power *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return NULL;
    }
    p->a = a;
    p->ends.limit_bytes = SIZE_MAX / 2;
    p->laid.limit_bytes = SIZE_MAX / 2;
    mpz_init_set_ui(p->states.times, 1);
    uint32_t snapshots = a->j->history.snapshot_count;
    p->match = calloc(snapshots, sizeof *p->match);
    for (uint32_t k = 0; p->match != NULL && k < snapshots; k++) {
        mpz_init(p->match[k]);
        p->match_count = k + 1;
    }
    p->trie = mc_trie_open();
    p->lazy = mc_lazy_open(&a->j->history, a->j->main_slot);
    if (p->match == NULL || p->trie == NULL || p->lazy == NULL) {
        mc_again_power_close(p);
        return NULL;
    }
    return p;
}

void mc_again_power_close(mc_again_power *p)
{
    if (p == NULL) {
        return;
    }
    mc_trie_free(p->trie);
    mc_lazy_close(p->lazy);
    free(p->end);
    mc_arena_free(&p->ends);
    mc_arena_free(&p->laid);
    mc_idmap_free(&p->proved);
    forget_layouts(p);
    free(p->layout);
    for (uint32_t k = 0; k < p->match_count; k++) {
        mpz_clear(p->match[k]);
    }
    free(p->match);
    free(p->file);
    free(p->shown);
    free(p->states.choice);
    mpz_clear(p->states.times);
    free(p);
}
