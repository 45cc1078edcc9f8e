#include "harness/judge/loss.h"

#include "core/dbheader.h"
#include "crashsim/powerchoice.h"
#include "harness/judge/checked.h"
#include "harness/judge/lazyimage.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
    CONTROL = MC_IMPORTERS_MAX, /* as a number of who is judged */
    SUBJECTS = MC_IMPORTERS_MAX + 1,
    DIGITS_MAX = 256,
    RUNS_DEFAULT = 20000, /* of SQLite, for one crash point */
    TRIES = 64
};

/* Who reads states: SQLite, or an importer that takes main as it is. */
typedef struct subject {
    struct loss *loss;
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
} subject;

/* Something that came of a crash point's states: one row for each difference that matters. */
typedef struct share {
    uint32_t who;
    mc_outcome outcome;
    bool recovers; /* SQLite recovers a snapshot from these states */
    bool induced;  /* SQLite does not, though main was one */
    mpz_t states;
    uint64_t classes;
    char choice[2 * MC_CHOICE_MAX]; /* of one of them; in a layout's, of its cells */
} share;

/* What came of one layout: for whenever the same is met again. */
typedef struct shares {
    share *share;
    uint32_t count;
    uint32_t capacity;
} shares;

typedef struct known_layout {
    shares came;
    mpz_t total;
    mpz_t lost;
    uint64_t classes;
} known_layout;

/* One file as it was laid last at this crash point. */
typedef struct laid {
    mc_arena arena;
    uint32_t end; /* of the digits that are its, and of those before */
    bool valid;
} laid;

typedef struct loss {
    mc_judging *j;
    mc_cell *cell;
    mc_proof *proof;
    mc_trace trace; /* the judging's, over a base of its own: the judging's disk shows states */
    mc_power *power;
    mc_lazy *lazy;
    mc_arena arena; /* of the state that is shown again */
    laid *laid;     /* by file */
    mc_arena ends;  /* what the ends hold */
    mc_states states;
    bool *shown; /* by file: the judging's disk holds it, but for some cells */
    mc_power_file *file;
    uint32_t digit[DIGITS_MAX];
    uint32_t base[DIGITS_MAX]; /* how many alternatives each has */
    uint32_t digits;
    uint32_t asked;
    uint32_t changed; /* the first digit that is not as it was */
    subject subject[SUBJECTS];
    mc_crash crash;
    char choice[2 * MC_CHOICE_MAX];
    uint64_t runs_left; /* for this crash point */
    shares point;       /* what came of the present crash point */
    shares *adding;     /* where states are counted: the layout's */
    uint64_t epoch;     /* changes whenever something becomes durable */
    mc_idmap seen;      /* layouts, by what they are */
    known_layout *layout;
    uint32_t layout_count;
    uint32_t layout_capacity;
    uint64_t layout_classes;
    mpz_t layout_lost;
    mpz_t *match; /* by snapshot: working memory */
    mpz_t rest;
    mpz_t resolved;
    mpz_t point_total;
    mpz_t point_lost;
    uint64_t point_classes;
    subject *nested; /* whose refusal the control is asked about */
    mc_outcome refused;
} loss;

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "power: out of memory");
}

static bool grow(void **array, uint32_t count, uint32_t *capacity, size_t element)
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

/* ---- names ---- */

static void say_answer(void *context, uint32_t answer)
{
    mc_choice_text *text = context;
    mc_choice_add(text, answer);
}

/* A state is named by its layout, then by the choices of its cells. */
static void name_layout(loss *l, char *out)
{
    mc_choice_text text = {.out = out};
    out[0] = '\0';
    for (uint32_t i = 0; i < l->digits; i++) {
        mc_choice_add(&text, l->digit[i]);
    }
    mc_choice_end(&text);
}

static void name_cells(loss *l, char *out)
{
    mc_choice_text text = {.out = out};
    out[0] = '\0';
    mc_power_answers(l->power, l->states.file, l->states.choice, say_answer, &text);
    mc_choice_end(&text);
}

static void name_state(loss *l, const char *cells)
{
    char layout[MC_CHOICE_MAX];
    name_layout(l, layout);
    (void)snprintf(l->choice, sizeof l->choice, "%s%s", layout, cells);
    l->crash.choice = l->choice;
}

/* ---- readers ---- */

static uint16_t sidecar(const mc_disk *disk, const char *main, const char *suffix)
{
    char name[MC_DISK_NAME_MAX + 16];
    (void)snprintf(name, sizeof name, "%s%s", main, suffix);
    return mc_disk_find(disk, name);
}

/* What an importer that takes main as it is looks at (core/field.c). */
static void note_field_reads(const mc_disk *disk, const char *main, mc_reads *reads)
{
    static const char *const suffix[] = {"-journal", "-wal", "-shm", ""};
    for (size_t i = 0; i < sizeof suffix / sizeof *suffix; i++) {
        uint16_t number = sidecar(disk, main, suffix[i]);
        if (number != MC_DISK_NONE) {
            mc_reads_exists(reads, number);
        }
        if (number != MC_DISK_NONE && suffix[i][0] == '\0') {
            mc_reads_size(reads, number);
            mc_reads_bytes(reads, number, 0, MC_DBHEADER_BYTES);
        }
    }
}

static mc_end *new_end(subject *s, uint32_t *number)
{
    if (!grow((void **)&s->end, s->end_count, &s->end_capacity, sizeof *s->end)) {
        return NULL;
    }
    *number = s->end_count;
    mc_end *end = &s->end[s->end_count++];
    *end = (mc_end){0};
    return end;
}

static bool settle_pages(loss *l, mc_end *end, uint32_t d, uint32_t pages)
{
    end->page_count[d] = pages;
    end->settled[d] = mc_arena_calloc(&l->ends, pages + 1, sizeof **end->settled);
    return end->settled[d] != NULL;
}

static mc_status run_field(void *context, mc_disk *disk, mc_reads *reads, uint32_t *number,
                           mc_error *error)
{
    subject *s = context;
    loss *l = s->loss;
    mc_judging *j = l->j;
    const mc_importer *core = j->importers->chosen[s->who].core;
    mc_end *end = new_end(s, number);
    mc_arena_reset(&j->arena);
    for (uint32_t d = 0; end != NULL && d < j->trace.database_count; d++) {
        mc_input input = {.kind = MC_INPUT_FILES};
        mc_import import = {0};
        note_field_reads(disk, j->trace.database[d], reads);
        mc_disk_files(disk, j->trace.database[d], &input.files);
        mc_status status = core->import(&input, &j->arena, &import, error);
        if (status == MC_REFUSED) {
            end->refusal = mc_judging_intern(j, error->reason);
        } else if (status != MC_OK) {
            return status;
        } else if (import.image.page_count > 0 && import.image.page_size != j->history.page_size) {
            end->refusal = NULL;
            import.image.page_count = UINT32_MAX; /* equals no snapshot */
        }
        if (!settle_pages(l, end, d,
                          import.image.page_count == UINT32_MAX ? 0 : import.image.page_count)) {
            return no_memory(error);
        }
        if (import.image.page_count == UINT32_MAX) {
            end->page_count[d] = UINT32_MAX;
        }
    }
    return end == NULL ? no_memory(error) : MC_OK;
}

/* Pages that SQLite has changed in part are settled by reading the rest. */
static void read_changed_pages(loss *l, uint16_t number, mc_reads *reads)
{
    const mc_disk *disk = &l->j->trace.base;
    uint32_t page_size = l->j->history.page_size;
    for (size_t i = 0; i < disk->change_count; i++) {
        const mc_disk_change *change = &disk->change[i];
        uint64_t size = disk->file[number].size;
        uint64_t end = change->touched > 0 ? change->offset + change->touched : size;
        uint64_t from = change->touched > 0 ? change->offset : size;
        if (change->file == number) {
            mc_reads_bytes(reads, number, from / page_size * page_size,
                           (end + page_size - 1) / page_size * page_size);
        }
    }
}

static mc_status settle_control(loss *l, mc_end *end, mc_reads *reads, mc_outcome *outcome,
                                mc_error *error)
{
    mc_judging *j = l->j;
    mc_arena_reset(&j->arena);
    for (uint32_t d = 0; d < j->trace.database_count; d++) {
        mc_reads_bytes(reads, j->main_slot[d], 0, MC_DBHEADER_BYTES);
        mc_reads_size(reads, j->main_slot[d]);
        mc_reads_exists(reads, j->main_slot[d]);
        read_changed_pages(l, j->main_slot[d], reads);
    }
    mc_status status = mc_judging_control_images(j, &j->arena, j->given, error);
    for (uint32_t d = 0; status == MC_OK && d < j->trace.database_count; d++) {
        const mc_image *image = &j->given[d];
        uint64_t page_size = j->history.page_size;
        if (!settle_pages(l, end, d, image->page_count)) {
            return no_memory(error);
        }
        for (uint32_t i = 0; i < image->page_count; i++) {
            if (mc_reads_know(reads, j->main_slot[d], i * page_size, (i + 1) * page_size)) {
                end->settled[d][i] = mc_page_hash(i + 1, image->page[i], (uint32_t)page_size);
            }
        }
    }
    return status == MC_OK ? mc_judging_given(j, outcome, error) : status;
}

/* The disk shows a state of which SQLite made `control`. */
static mc_status meet_recover(loss *l, const mc_outcome *control, mc_error *error)
{
    mc_judging *j = l->j;
    for (uint32_t i = 0; i < j->importers->count; i++) {
        if (j->importers->chosen[i].kind == MC_IMPORTER_RECOVER) {
            mc_outcome own;
            mc_status status = mc_judging_outcome(j, i, &own, error);
            char cells[MC_CHOICE_MAX];
            name_cells(l, cells);
            name_state(l, cells);
            return status == MC_OK ? mc_judged_meeting(j, &l->crash, control, &own, error) : status;
        }
    }
    return MC_OK;
}

static mc_status run_control(void *context, mc_disk *disk, mc_reads *reads, uint32_t *number,
                             mc_error *error)
{
    (void)disk;
    subject *s = context;
    loss *l = s->loss;
    mc_judging *j = l->j;
    mc_end *end = new_end(s, number);
    if (end == NULL) {
        return no_memory(error);
    }
    mc_outcome outcome;
    mc_control_answer answer;
    mc_control_note(j->control, reads);
    mc_control_recover(j->control, &answer);
    mc_control_note(j->control, NULL);
    mc_status status = MC_OK;
    if (answer.recovered) {
        status = settle_control(l, end, reads, &outcome, error);
    } else {
        end->refusal = mc_judging_intern(j, answer.text);
        outcome = (mc_outcome){.kind = MC_OUTCOME_REFUSED, .reason = end->refusal};
    }
    mc_control_undo(j->control);
    return status == MC_OK ? meet_recover(l, &outcome, error) : status;
}

/* ---- what came out ---- */

static bool is_same(const share *s, const share *t)
{
    return s->who == t->who && s->recovers == t->recovers && s->induced == t->induced &&
           s->outcome.kind == t->outcome.kind &&
           (s->outcome.kind == MC_OUTCOME_SNAPSHOT
                ? s->outcome.content_class == t->outcome.content_class
            : s->outcome.kind == MC_OUTCOME_REFUSED ? s->outcome.reason == t->outcome.reason
                                                    : s->outcome.noticed == t->outcome.noticed);
}

/* Runs `who` on the state that the choices name now, open ones being there. */
static mc_status run_state(loss *l, uint32_t who, mc_outcome *out, mc_error *error)
{
    mc_judging *j = l->j;
    if (!mc_states_show(&l->states, &j->trace.base, l->shown)) {
        return no_memory(error);
    }
    return who == CONTROL ? mc_judging_control(j, out, error)
                          : mc_judging_outcome(j, who, out, error);
}

/* The row that is like `what`; `*added` if there was none. Null without memory. */
static share *row_of(shares *all, const share *what, bool *added)
{
    *added = false;
    for (uint32_t i = 0; i < all->count; i++) {
        if (is_same(&all->share[i], what)) {
            return &all->share[i];
        }
    }
    if (!grow((void **)&all->share, all->count, &all->capacity, sizeof *all->share)) {
        return NULL;
    }
    share *s = &all->share[all->count++];
    *s = *what;
    s->classes = 0;
    mpz_init(s->states);
    *added = true;
    return s;
}

static void free_shares(shares *all)
{
    for (uint32_t i = 0; i < all->count; i++) {
        mpz_clear(all->share[i].states);
    }
    all->count = 0;
}

/* Adds states to what came of the layout. What is new is run, with the choices of now. */
static mc_status add_share(loss *l, const share *what, const mpz_t states, mc_error *error)
{
    bool added;
    share *s = row_of(l->adding, what, &added);
    l->layout_classes += what->who == CONTROL;
    if (s == NULL) {
        return no_memory(error);
    }
    mpz_add(s->states, s->states, states);
    s->classes++;
    if (!added) {
        return MC_OK;
    }
    name_cells(l, s->choice);
    share ran = *s;
    mc_status status = run_state(l, s->who, &ran.outcome, error);
    if (status == MC_OK && !is_same(s, &ran)) {
        char state[MC_STATE_ID_MAX];
        name_state(l, s->choice);
        mc_judging_state_id(l->j, &l->crash, state, sizeof state);
        return mc_fail(error, MC_IO, "class", "%s: a class said otherwise than this state of it",
                       state);
    }
    s->outcome = ran.outcome;
    return status;
}

/* Choices that make no snapshot up to the one in flight: all there, nothing there, then by chance
 * that is the same in every run. False when none was found. */
static mc_status pick_rest(loss *l, const mc_end *end, bool *found, mc_error *error)
{
    uint64_t random = 0x9e3779b97f4a7c15u;
    *found = false;
    for (int attempt = 0; attempt < TRIES && !*found; attempt++) {
        for (uint32_t f = 0; f < l->states.file_count; f++) {
            const mc_power_file *file = &l->states.file[f];
            for (uint32_t i = 0; file->exists && i < file->cell_count; i++) {
                random = random * 6364136223846793005u + 1442695040888963407u;
                uint8_t most = (uint8_t)(file->cell[i].alternatives - 1);
                uint8_t choice = attempt == 0   ? most
                                 : attempt == 1 ? 0
                                                : (uint8_t)((random >> 33) % (most + 1u));
                if (l->states.choice[f][i] == MC_POWER_UNCHOSEN && most > 0) {
                    (void)mc_states_choose(&l->states, f, i, choice);
                }
            }
        }
        bool exact;
        mc_status status = mc_lazy_share(l->lazy, &l->states, end, l->crash.begun, l->match,
                                         l->rest, &exact, error);
        if (status != MC_OK) {
            return status;
        }
        *found = mpz_sgn(l->rest) > 0;
        for (uint32_t f = 0; f < l->states.file_count && !*found; f++) {
            if (l->states.file[f].exists) {
                memcpy(l->states.choice[f], l->states.choice[f] + l->states.file[f].cell_count,
                       l->states.file[f].cell_count);
            }
        }
    }
    return MC_OK;
}

/* The choices are kept behind themselves while some are made for a while. */
static void keep_choices(loss *l)
{
    for (uint32_t f = 0; f < l->states.file_count; f++) {
        if (l->states.file[f].exists) {
            memcpy(l->states.choice[f] + l->states.file[f].cell_count, l->states.choice[f],
                   l->states.file[f].cell_count);
        }
    }
}

static void bring_choices_back(loss *l)
{
    for (uint32_t f = 0; f < l->states.file_count; f++) {
        if (l->states.file[f].exists) {
            memcpy(l->states.choice[f], l->states.choice[f] + l->states.file[f].cell_count,
                   l->states.file[f].cell_count);
        }
    }
}

/* The outcome of an image that is no snapshot by its pages: SQLite is asked once for each. */
static mc_status outcome_of_rest(loss *l, subject *s, const mc_end *end, mc_outcome *out,
                                 mc_error *error)
{
    mc_hash128 id = mc_lazy_id(l->lazy, &l->states, end);
    uint32_t index;
    if (mc_idmap_get(&s->known, id, &index)) {
        *out = s->outcome[index];
        return MC_OK;
    }
    mc_status status = run_state(l, s->who, out, error);
    if (status == MC_OK &&
        (!grow((void **)&s->outcome, s->outcome_count, &s->outcome_capacity, sizeof *s->outcome) ||
         !mc_idmap_put(&s->known, id, s->outcome_count))) {
        return no_memory(error);
    }
    if (status == MC_OK) {
        s->outcome[s->outcome_count++] = *out;
    }
    return status;
}

/* What the choices of the other files stand for, beside those of the main files. */
static void count_others(loss *l, mpz_t others)
{
    mpz_t one;
    mpz_init(one);
    mpz_set(others, l->states.times);
    for (uint32_t f = 0; f < l->states.file_count; f++) {
        bool is_main = false;
        for (uint32_t d = 0; d < l->j->trace.database_count; d++) {
            is_main = is_main || l->j->main_slot[d] == f;
        }
        if (l->states.file[f].exists && !is_main) {
            mc_states_count_file(&l->states, f, one);
            mpz_mul(others, others, one);
        }
    }
    mpz_clear(one);
}

typedef mc_status (*take_fn)(loss *l, subject *s, const mc_outcome *outcome, const mpz_t states,
                             mc_error *error);

/* Shares the states of a class out between the outcomes of its image. */
static mc_status share_out(loss *l, subject *s, const mc_end *end, take_fn take, mc_error *error)
{
    mpz_t others;
    mpz_t rest;
    mpz_t states;
    bool exact;
    uint32_t last = l->crash.begun;
    mc_status status =
        mc_lazy_share(l->lazy, &l->states, end, last, l->match, l->rest, &exact, error);
    if (status != MC_OK) {
        return status;
    }
    mpz_inits(others, rest, states, NULL);
    count_others(l, others);
    mpz_set(rest, l->rest);
    mpz_t *match = malloc((last + 1) * sizeof *match);
    for (uint32_t k = 0; match != NULL && k <= last; k++) {
        mpz_init_set(match[k], l->match[k]);
    }
    status = match == NULL ? no_memory(error) : MC_OK;
    keep_choices(l);
    for (uint32_t k = 0; status == MC_OK && k <= last; k++) {
        if (mpz_sgn(match[k]) > 0) {
            mc_outcome outcome = {.kind = MC_OUTCOME_SNAPSHOT,
                                  .content_class = l->j->content.classes[k]};
            mpz_mul(states, match[k], others);
            (void)mc_lazy_pick(l->lazy, &l->states, end, k);
            status = take(l, s, &outcome, states, error);
            bring_choices_back(l);
        }
    }
    if (status == MC_OK && mpz_sgn(rest) > 0) {
        bool found = false;
        mc_outcome outcome;
        mpz_mul(states, rest, others);
        status = exact ? pick_rest(l, end, &found, error) : MC_OK;
        if (status == MC_OK && found) {
            status = outcome_of_rest(l, s, end, &outcome, error);
            found = outcome.kind != MC_OUTCOME_SNAPSHOT || mpz_cmp_ui(rest, 1) == 0;
            status = status == MC_OK ? take(l, s, &outcome, states, error) : status;
        }
        if (!found && s->who == CONTROL) {
            mpz_add(l->layout_lost, l->layout_lost, states);
        }
        bring_choices_back(l);
    }
    for (uint32_t k = 0; match != NULL && k <= last; k++) {
        mpz_clear(match[k]);
    }
    free(match);
    mpz_clears(others, rest, states, NULL);
    return status;
}

static bool nothing_there(const loss *l)
{
    for (uint32_t d = 0; d < l->j->trace.database_count; d++) {
        if (l->states.file[l->j->main_slot[d]].exists) {
            return false;
        }
    }
    return true;
}

static bool checks(void *context, const mc_states *states, const mc_read *read)
{
    subject *s = context;
    return mc_checked_begin(&s->checked, states, read);
}

static bool fails(void *context, const uint8_t *bytes, size_t size)
{
    subject *s = context;
    return mc_checked_fails(&s->checked, bytes, size);
}

static bool same_end(void *context, uint32_t a, uint32_t b)
{
    const subject *s = context;
    const mc_end *left = &s->end[a];
    const mc_end *right = &s->end[b];
    bool same = left->refusal == right->refusal;
    for (uint32_t d = 0; same && left->refusal == NULL && d < s->loss->j->trace.database_count;
         d++) {
        uint32_t pages = left->page_count[d];
        same = pages == right->page_count[d] &&
               (pages == 0 ||
                memcmp(left->settled[d], right->settled[d], pages * sizeof **left->settled) == 0);
    }
    return same;
}

static mc_status walk(loss *l, subject *s, mc_status (*leaf)(void *, uint32_t, mc_error *),
                      mc_status (*unresolved)(void *, mc_error *), mc_error *error)
{
    mc_subject reader = {.context = s, .run = run_field};
    if (s->who == CONTROL) {
        reader = (mc_subject){s, run_control, checks, fails, same_end};
    }
    mc_walk w = {.trie = s->trie,
                 .reader = &reader,
                 .states = &l->states,
                 .disk = &l->j->trace.base,
                 .runs_left = l->runs_left,
                 .shown = l->shown,
                 .leaf = leaf,
                 .unresolved = unresolved,
                 .context = s};
    mc_status status = mc_classes_walk(&w, error);
    l->runs_left = w.runs_left;
    mc_reads_free(&w.reads);
    return status;
}

static mc_status add_for(loss *l, uint32_t who, const mc_outcome *outcome, bool recovers,
                         const mpz_t states, mc_error *error)
{
    share what = {.who = who, .outcome = *outcome, .recovers = recovers};
    return add_share(l, &what, states, error);
}

/* ---- SQLite ---- */

static mc_status take_control(loss *l, subject *s, const mc_outcome *outcome, const mpz_t states,
                              mc_error *error)
{
    (void)s;
    mpz_add(l->resolved, l->resolved, states);
    return add_for(l, CONTROL, outcome, outcome->kind == MC_OUTCOME_SNAPSHOT, states, error);
}

static mc_status control_leaf(void *context, uint32_t number, mc_error *error)
{
    subject *s = context;
    loss *l = s->loss;
    mc_end end = s->end[number];
    if (end.refusal == NULL) {
        return share_out(l, s, &end, take_control, error);
    }
    mpz_t states;
    mpz_init(states);
    mc_states_count(&l->states, states);
    mc_outcome outcome = {.kind = MC_OUTCOME_REFUSED, .reason = end.refusal};
    mc_status status = take_control(l, s, &outcome, states, error);
    mpz_clear(states);
    return status;
}

static mc_status control_unresolved(void *context, mc_error *error)
{
    (void)error;
    subject *s = context;
    mpz_t states;
    mpz_init(states);
    mc_states_count(&s->loss->states, states);
    mpz_add(s->loss->layout_lost, s->loss->layout_lost, states);
    mpz_add(s->loss->resolved, s->loss->resolved, states);
    mpz_clear(states);
    return MC_OK;
}

/* ---- importers that take main as it is ---- */

static mc_status take_field(loss *l, subject *s, const mc_outcome *outcome, const mpz_t states,
                            mc_error *error)
{
    return add_for(l, s->who, outcome, true, states, error);
}

/* A refusal: does SQLite recover these states? */
static mc_status take_refused(loss *l, subject *s, const mc_outcome *outcome, const mpz_t states,
                              mc_error *error)
{
    (void)s;
    return add_for(l, l->nested->who, &l->refused, outcome->kind == MC_OUTCOME_SNAPSHOT, states,
                   error);
}

static mc_status refused_leaf(void *context, uint32_t number, mc_error *error)
{
    subject *s = context;
    loss *l = s->loss;
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

static mc_status leave_unresolved(void *context, mc_error *error)
{
    (void)context;
    (void)error;
    return MC_OK;
}

static mc_status field_leaf(void *context, uint32_t number, mc_error *error)
{
    subject *s = context;
    loss *l = s->loss;
    mc_end end = s->end[number];
    bool empty = end.refusal != NULL && nothing_there(l);
    for (uint32_t d = 0; empty && d < l->j->trace.database_count; d++) {
        empty = l->j->history.snapshot[0].page_count[d] == 0;
    }
    if (end.refusal == NULL || empty) {
        return share_out(l, s, &end, take_field, error);
    }
    l->nested = s;
    l->refused = (mc_outcome){.kind = MC_OUTCOME_REFUSED, .reason = end.refusal};
    return walk(l, &l->subject[CONTROL], refused_leaf, leave_unresolved, error);
}

/* ---- crash points ---- */

static uint32_t next_digit(void *context, mc_power_item item, const mc_op *op, uint32_t count)
{
    loss *l = context;
    (void)item;
    (void)op;
    assert(l->asked < DIGITS_MAX);
    if (l->asked == l->digits) {
        l->digit[l->digits++] = 0;
    }
    l->base[l->asked] = count;
    return l->digit[l->asked++];
}

/* The next choice of names and lengths; false behind the last. */
static bool step_digits(loss *l)
{
    while (l->digits > 0) {
        uint32_t last = l->digits - 1;
        if (l->digit[last] + 1 < l->base[last]) {
            l->changed = last;
            l->digit[last]++;
            return true;
        }
        l->digits--;
    }
    return false;
}

static void forget_layout(loss *l)
{
    for (uint32_t f = 0; f < l->states.file_count; f++) {
        l->laid[f].valid = false;
    }
}

/* Lays the files that have a digit at or behind the one that changed. */
static mc_status lay(loss *l, mc_error *error)
{
    mc_status status = MC_OK;
    l->asked = 0;
    mc_power_metadata(l->power, next_digit, l);
    if (l->changed < l->asked) {
        forget_layout(l);
    }
    for (uint16_t f = 0; status == MC_OK && f < l->states.file_count; f++) {
        laid *file = &l->laid[f];
        mc_power_file *out = &l->file[f];
        if (file->valid && file->end <= l->changed) {
            l->asked = file->end;
        } else {
            mc_arena_reset(&file->arena);
            status = mc_power_lay(l->power, f, next_digit, l, &file->arena, out, error);
            file->end = l->asked;
            file->valid = true;
            l->states.choice[f] = mc_arena_alloc(&file->arena, 2 * (size_t)out->cell_count + 1);
            l->shown[f] = false;
            if (status == MC_OK && l->states.choice[f] == NULL) {
                status = no_memory(error);
            }
        }
        if (status == MC_OK) {
            memset(l->states.choice[f], MC_POWER_UNCHOSEN, out->cell_count);
        }
    }
    return status;
}

/* Equal for layouts whose states are the same. */
static mc_hash128 id_of_layout(const loss *l)
{
    XXH128_hash_t id = {l->epoch, l->crash.begun};
    for (uint32_t f = 0; f < l->states.file_count; f++) {
        const mc_power_file *file = &l->states.file[f];
        uint64_t facts[] = {file->exists,
                            file->garbage,
                            file->size,
                            file->sure,
                            (uint64_t)(uintptr_t)file->bytes,
                            file->cell_count};
        id = XXH3_128bits_withSeed(facts, sizeof facts, id.low64 ^ id.high64);
        id = XXH3_128bits_withSeed(file->cell, file->cell_count * sizeof *file->cell,
                                   id.low64 ^ id.high64);
    }
    return (mc_hash128){id.low64, id.high64};
}

static mc_status walk_layout(loss *l, const mpz_t total, mc_error *error)
{
    mc_judging *j = l->j;
    mpz_set_ui(l->resolved, 0);
    mc_status status = walk(l, &l->subject[CONTROL], control_leaf, control_unresolved, error);
    if (status == MC_OK && mpz_cmp(l->resolved, total) != 0) {
        status = mc_fail(error, MC_IO, "classes", "power: the classes at %zu do not add up",
                         l->crash.point);
    }
    for (uint32_t i = 0; status == MC_OK && i < j->importers->count; i++) {
        mc_importer_kind kind = j->importers->chosen[i].kind;
        if (kind == MC_IMPORTER_REJECT || kind == MC_IMPORTER_ABANDON) {
            status = walk(l, &l->subject[i], field_leaf, leave_unresolved, error);
        }
    }
    return status;
}

/* What came of the layout is what came of the crash point. */
static mc_status add_layout(loss *l, const known_layout *known, mc_error *error)
{
    mpz_add(l->point_total, l->point_total, known->total);
    mpz_add(l->point_lost, l->point_lost, known->lost);
    l->point_classes += known->classes;
    for (uint32_t i = 0; i < known->came.count; i++) {
        const share *from = &known->came.share[i];
        bool added;
        share *to = row_of(&l->point, from, &added);
        if (to == NULL) {
            return no_memory(error);
        }
        mpz_add(to->states, to->states, from->states);
        to->classes += from->classes;
        if (added) {
            name_state(l, from->choice);
            memcpy(to->choice, l->choice, sizeof to->choice);
        }
    }
    return MC_OK;
}

static mc_status judge_layout(loss *l, mc_error *error)
{
    mc_hash128 id = id_of_layout(l);
    uint32_t index;
    if (mc_idmap_get(&l->seen, id, &index)) {
        return add_layout(l, &l->layout[index], error);
    }
    index = l->layout_count;
    if (!grow((void **)&l->layout, index, &l->layout_capacity, sizeof *l->layout) ||
        !mc_idmap_put(&l->seen, id, index)) {
        return no_memory(error);
    }
    known_layout known = {0};
    mpz_inits(known.total, known.lost, NULL);
    mc_states_count(&l->states, known.total);
    mpz_set_ui(l->layout_lost, 0);
    l->layout_classes = 0;
    l->adding = &known.came;
    mc_status status = walk_layout(l, known.total, error);
    mpz_set(known.lost, l->layout_lost);
    known.classes = l->layout_classes;
    l->layout[l->layout_count++] = known;
    return status == MC_OK ? add_layout(l, &known, error) : status;
}

static mc_status judge_point(loss *l, mc_error *error)
{
    free_shares(&l->point);
    mc_lazy_forget(l->lazy);
    mpz_set_ui(l->point_total, 0);
    mpz_set_ui(l->point_lost, 0);
    l->point_classes = 0;
    l->digits = 0;
    l->changed = 0;
    forget_layout(l);
    l->runs_left = l->j->options->budget > 0 ? l->j->options->budget : RUNS_DEFAULT;
    mc_status status;
    do {
        status = lay(l, error);
        status = status == MC_OK ? judge_layout(l, error) : status;
    } while (status == MC_OK && step_digits(l));
    return status;
}

/* Brings the judging's disk to one of the states that make up a share. */
static mc_status show_again(loss *l, const char *choice, mc_error *error)
{
    mc_disk *disk = &l->j->trace.base;
    mc_choice_reader reader = {.text = choice};
    mc_disk_clear(disk);
    memset(l->shown, 0, l->states.file_count * sizeof *l->shown);
    mc_arena_reset(&l->arena);
    return mc_power_state(&l->trace, l->crash.point, l->j->options->power, mc_choice_next, &reader,
                          &l->arena, disk, error);
}

/* What the share means at this crash point. */
static mc_status account(loss *l, const share *s, mc_error *error)
{
    mc_judging *j = l->j;
    l->crash.choice = s->choice;
    mc_verdict verdict = mc_verdict_of(&s->outcome, j->content.classes, l->crash.acked,
                                       l->crash.begun, j->content.empty_class, s->recovers);
    mc_proof *p = l->proof;
    mpz_add(p->verdict[s->who][verdict.kind], p->verdict[s->who][verdict.kind], s->states);
    if (verdict.kind == MC_TORN && verdict.silent) {
        mpz_add(p->silent[s->who], p->silent[s->who], s->states);
    }
    if (s->who == CONTROL) {
        mc_status status = MC_OK;
        if (!mc_promise_kept(j->cell->promise, &verdict)) {
            status = show_again(l, s->choice, error);
            status = status == MC_OK
                         ? mc_judged_control(j, &l->crash, &s->outcome, &verdict, s->classes, error)
                         : status;
        }
        for (uint32_t i = 0; status == MC_OK && i < j->importers->count; i++) {
            mc_importer_kind kind = j->importers->chosen[i].kind;
            if (kind == MC_IMPORTER_SQLITE || kind == MC_IMPORTER_RECOVER) {
                mpz_add(p->verdict[i][verdict.kind], p->verdict[i][verdict.kind], s->states);
                status = mc_judged_importer(j, &l->crash, i, &s->outcome, &verdict, false,
                                            s->classes, error);
            }
        }
        return status;
    }
    /* Where SQLite promises to be clean it is, so an importer that is not has done worse. */
    bool unmet = verdict.kind != MC_CLEAN && j->cell->promise == MC_PROMISE_CLEAN;
    return mc_judged_importer(j, &l->crash, s->who, &s->outcome, &verdict, unmet, s->classes,
                              error);
}

static mc_status account_all(loss *l, mc_error *error)
{
    mc_proof *p = l->proof;
    mc_status status = MC_OK;
    for (uint32_t i = 0; status == MC_OK && i < l->point.count; i++) {
        status = account(l, &l->point.share[i], error);
    }
    mpz_add(p->total, p->total, l->point_total);
    mpz_add(p->unresolved, p->unresolved, l->point_lost);
    p->classes += l->point_classes;
    p->points += mpz_cmp_ui(l->point_total, 1) > 0;
    if (mpz_cmp(l->point_total, p->widest) > 0) {
        mpz_set(p->widest, l->point_total);
        p->widest_point = l->crash.point;
        p->widest_classes = l->point_classes;
    }
    l->cell->explored.points++;
    l->cell->explored.states += l->point_classes;
    l->cell->explored.skipped += mpz_sgn(l->point_lost) > 0;
    return status;
}

static mc_status judge_trace(loss *l, mc_error *error)
{
    mc_judging *j = l->j;
    mc_status status = MC_OK;
    for (size_t point = 0; status == MC_OK && point <= l->trace.op_count; point++) {
        const mc_op *before = point > 0 ? &l->trace.op[point - 1] : NULL;
        l->crash.point = point;
        l->crash.op = point < l->trace.op_count ? &l->trace.op[point] : NULL;
        if (before != NULL && before->kind == MC_OP_BEGUN) {
            l->crash.begun = (uint32_t)before->offset;
        } else if (before != NULL && before->kind == MC_OP_ACKED) {
            l->crash.acked = (uint32_t)before->offset;
            mc_judging_acked(j, l->crash.acked);
        }
        bool ends_sync = point > 1 && (l->trace.op[point - 2].flags & MC_OPF_DIR_SYNC) != 0;
        l->epoch += before != NULL && (before->kind == MC_OP_SYNC || ends_sync);
        /* Most marks change nothing on the disk; one that begins a commit lets it be there. */
        if (before == NULL || before->kind != MC_OP_ACKED || !mc_power_is_same(&l->trace, point)) {
            status = mc_power_advance(l->power, point, error);
            status = status == MC_OK ? judge_point(l, error) : status;
        }
        status = status == MC_OK ? account_all(l, error) : status;
    }
    return status;
}

/* ---- all of it ---- */

static bool open_subjects(loss *l)
{
    for (uint32_t i = 0; i < SUBJECTS; i++) {
        l->subject[i] = (subject){.loss = l, .who = i};
        l->subject[i].checked =
            (mc_checked){.trace = &l->j->trace, .page_size = l->j->history.page_size};
        bool used = i == CONTROL || i < l->j->importers->count;
        l->subject[i].trie = used ? mc_trie_open() : NULL;
        if (used && l->subject[i].trie == NULL) {
            return false;
        }
    }
    return true;
}

static void close_loss(loss *l)
{
    for (uint32_t i = 0; i < SUBJECTS; i++) {
        mc_trie_free(l->subject[i].trie);
        mc_idmap_free(&l->subject[i].known);
        free(l->subject[i].end);
        free(l->subject[i].checked.bytes);
        free(l->subject[i].outcome);
    }
    free_shares(&l->point);
    free(l->point.share);
    for (uint32_t i = 0; i < l->layout_count; i++) {
        free_shares(&l->layout[i].came);
        free(l->layout[i].came.share);
        mpz_clears(l->layout[i].total, l->layout[i].lost, NULL);
    }
    free(l->layout);
    mc_idmap_free(&l->seen);
    for (uint32_t k = 0; l->match != NULL && k < l->j->history.snapshot_count; k++) {
        mpz_clear(l->match[k]);
    }
    free(l->match);
    mpz_clears(l->rest, l->layout_lost, l->resolved, l->point_total, l->point_lost, NULL);
    mc_lazy_close(l->lazy);
    mc_power_close(l->power);
    for (uint32_t f = 0; l->laid != NULL && f < l->trace.base.file_count; f++) {
        mc_arena_free(&l->laid[f].arena);
    }
    free(l->laid);
    free(l->shown);
    free(l->file);
    free(l->states.choice);
    mpz_clear(l->states.times);
    mc_disk_free(&l->trace.base);
    mc_arena_free(&l->arena);
    mc_arena_free(&l->ends);
}

static mc_status open_loss(loss *l, mc_error *error)
{
    mc_judging *j = l->j;
    mpz_inits(l->rest, l->layout_lost, l->resolved, l->point_total, l->point_lost, NULL);
    l->arena.limit_bytes = SIZE_MAX / 2;
    l->ends.limit_bytes = SIZE_MAX / 2;
    l->trace = j->trace;
    l->trace.base = (mc_disk){0};
    l->match = calloc(j->history.snapshot_count, sizeof *l->match);
    for (uint32_t k = 0; l->match != NULL && k < j->history.snapshot_count; k++) {
        mpz_init(l->match[k]);
    }
    bool ok = l->match != NULL && mc_disk_copy(&l->trace.base, &j->trace.base);
    uint32_t files = ok ? l->trace.base.file_count : 0;
    l->laid = calloc(files + 1, sizeof *l->laid);
    l->shown = calloc(files + 1, sizeof *l->shown);
    l->file = calloc(files + 1, sizeof *l->file);
    l->states.file = l->file;
    l->states.file_count = files;
    l->states.choice = calloc(files + 1, sizeof *l->states.choice);
    mpz_init_set_ui(l->states.times, 1);
    ok = ok && l->laid != NULL && l->shown != NULL && l->file != NULL && l->states.choice != NULL;
    for (uint32_t f = 0; ok && f < files; f++) {
        l->laid[f].arena.limit_bytes = SIZE_MAX / 2;
    }
    l->power = ok ? mc_power_open(&l->trace, j->options->power) : NULL;
    l->lazy = ok ? mc_lazy_open(&j->history, j->main_slot) : NULL;
    return l->power != NULL && l->lazy != NULL && open_subjects(l) ? MC_OK : no_memory(error);
}

mc_status mc_loss_judge(mc_judging *j, mc_cell *cell, mc_error *error)
{
    loss *l = calloc(1, sizeof *l);
    cell->proof = malloc(sizeof *cell->proof);
    if (l == NULL || cell->proof == NULL) {
        free(l);
        free(cell->proof);
        cell->proof = NULL;
        return no_memory(error);
    }
    mc_proof_init(cell->proof);
    l->j = j;
    l->cell = cell;
    l->proof = cell->proof;
    mc_status status = open_loss(l, error);
    status = status == MC_OK ? judge_trace(l, error) : status;
    if (status == MC_OK) {
        cell->proof->runs = mc_trie_runs(l->subject[CONTROL].trie);
        cell->unique = mc_trie_leaves(l->subject[CONTROL].trie);
    }
    close_loss(l);
    free(l);
    return status;
}
