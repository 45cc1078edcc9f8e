/* trials.c: judges the cells of a rule, and says what came out. */
#include "harness/claims/claiming.h"

#include "crashsim/kvvfs.h"
#include "crashsim/workload.h"
#include "harness/judge/loss.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_BYTES = 4096, ASKED = 0 /* the one importer */ };

/* What a rule's cells add up to. */
typedef struct trial {
    mpz_t states;
    mpz_t undecided;
    mpz_t came;
    uint64_t cells;
    char first[MC_STATE_AGAIN_MAX];
} trial;

void mc_claim_note(mc_claim_test *t, const char *format, ...)
{
    char *note = t->result->note;
    size_t have = strlen(note);
    have += (size_t)snprintf(note + have, MC_CLAIM_NOTE_MAX - have, "%s", have > 0 ? "; " : "");
    va_list arguments;
    va_start(arguments, format);
    if (have < MC_CLAIM_NOTE_MAX) {
        (void)vsnprintf(note + have, MC_CLAIM_NOTE_MAX - have, format, arguments);
    }
    va_end(arguments);
}

void mc_claim_model(mc_claim_test *t, const char *model)
{
    char *all = t->result->model;
    size_t have = strlen(all);
    size_t size = strlen(model);
    for (const char *at = strstr(all, model); at != NULL; at = strstr(at + 1, model)) {
        if ((at == all || at[-1] == ' ') && (at[size] == '\0' || at[size] == ',')) {
            return;
        }
    }
    (void)snprintf(all + have, MC_CLAIM_MODEL_MAX - have, "%s%s", have > 0 ? ", " : "", model);
}

static void keep_state(mc_claim_test *t, const char *state, const char *command)
{
    (void)snprintf(t->result->state, sizeof t->result->state, "%s", state);
    (void)snprintf(t->result->command, sizeof t->result->command, "%s",
                   command == NULL ? "" : command);
}

void mc_claim_refute(mc_claim_test *t, const char *state, const char *command)
{
    t->refuted = true;
    if (!t->telling && state != NULL && state[0] != '\0') {
        keep_state(t, state, command);
        t->telling = true;
    }
}

void mc_claim_example(mc_claim_test *t, const char *state, const char *command)
{
    if (t->result->state[0] == '\0' && state != NULL) {
        keep_state(t, state, command);
    }
}

void mc_claim_command(const mc_claim_test *t, const mc_claim_rule *r, const char *state, char *out,
                      size_t size)
{
    uint32_t page_size = r->page_size == 0 ? PAGE_BYTES : r->page_size;
    char page[40] = "";
    char seed[40] = "";
    out[0] = '\0';
    if (r->profile != NULL || r->edit != NULL || r->plain_disk || state[0] == '\0' ||
        strstr(state, "...") != NULL) {
        return;
    }
    if (page_size != PAGE_BYTES) {
        (void)snprintf(page, sizeof page, " --page-size %u", page_size);
    }
    if (t->options->seed != 1) {
        (void)snprintf(seed, sizeof seed, " --seed %" PRIu64, t->options->seed);
    }
    (void)snprintf(out, size, "explain --importer sqlite --txns %u%s%s %s",
                   r->txns == 0 ? 1 : r->txns, page, seed, state);
}

/* ---- cells ---- */

/* The next word of a comma list; false behind the last. */
static bool next_word(const char **list, char *out, size_t size)
{
    if (*list == NULL || **list == '\0') {
        return false;
    }
    size_t length = strcspn(*list, ",");
    (void)snprintf(out, size, "%.*s", (int)length, *list);
    *list += length + ((*list)[length] == ',');
    return true;
}

static mc_status each_crash(mc_claim_test *t, const mc_claim_rule *r, mc_claim_cell *cell,
                            mc_claim_cell_fn fn, void *context, mc_error *error)
{
    const mc_claim_plant *plant = t->options->plant;
    char word[40];
    mc_status status = MC_OK;
    if (r->profile == NULL &&
        (strcmp(r->crash, "kill") == 0 || strcmp(r->crash, "recording") == 0 ||
         strncmp(r->crash, "kv", 2) == 0)) {
        cell->crash = r->crash;
        cell->profile = NULL;
        mc_claim_model(t, r->crash);
        return fn(t, r, cell, context, error);
    }
    cell->crash = "power";
    mc_claim_model(t, "power");
    const char *list = r->profile != NULL ? r->profile->name : r->crash;
    while (status == MC_OK && next_word(&list, word, sizeof word)) {
        cell->profile = r->profile != NULL ? r->profile : mc_power_find(word);
        cell->profile = plant != NULL && plant->profile != NULL ? plant->profile : cell->profile;
        assert(cell->profile != NULL);
        status = fn(t, r, cell, context, error);
    }
    return status;
}

mc_status mc_claim_each(mc_claim_test *t, const mc_claim_rule *r, mc_claim_cell_fn fn,
                        void *context, mc_error *error)
{
    mc_claim_cell cell = {0};
    mc_status status = MC_OK;
    const char *list = r->workloads;
    while (status == MC_OK && next_word(&list, cell.workload, sizeof cell.workload)) {
        const mc_workload *workload = mc_workload_find(cell.workload);
        assert(workload != NULL);
        for (int mode = 0; mode < MC_MODES; mode++) {
            for (int sync = 0; sync < MC_SYNCS && status == MC_OK; sync++) {
                cell.mode = (mc_mode)mode;
                cell.sync = (mc_sync)sync;
                if ((r->modes & workload->modes & 1u << mode) != 0 &&
                    (r->syncs & 1u << sync) != 0) {
                    status = each_crash(t, r, &cell, fn, context, error);
                }
            }
        }
    }
    return status;
}

static void fill_record(const mc_claim_test *t, const mc_claim_rule *r, const mc_claim_cell *cell,
                        mc_record_options *out)
{
    bool kv = strncmp(cell->crash, "kv", 2) == 0;
    *out = (mc_record_options){.workload = cell->workload,
                               .mode = cell->mode,
                               .sync = cell->sync,
                               .page_size = r->page_size == 0 ? PAGE_BYTES : r->page_size,
                               .txns = r->txns == 0 ? 1 : r->txns,
                               .seed = t->options->seed,
                               .kv = kv,
                               .kv_build = MC_KV_BATCH,
                               .plain_disk = r->plain_disk};
    assert(!kv || strcmp(cell->crash, "kv:batch") == 0);
}

/* Changes are made when the snapshots are known, which they must leave alone. */
void mc_claim_change(const mc_claim_test *t, const mc_claim_rule *r, mc_trace *trace)
{
    if (r->end != NULL) {
        trace->op_count = r->end(trace);
    }
    if (r->edit != NULL) {
        r->edit(trace);
    }
    if (t->options->plant != NULL && t->options->plant->edit != NULL) {
        t->options->plant->edit(trace);
    }
}

mc_status mc_claim_open(mc_claim_walk *w, mc_claim_test *t, const mc_claim_rule *r,
                        const mc_claim_cell *cell, const char *importers, mc_error *error)
{
    memset(w, 0, sizeof *w);
    w->test = t;
    w->rule = r;
    fill_record(t, r, cell, &w->record);
    w->options = (mc_judge_options){.record = &w->record,
                                    .importers = &w->importers,
                                    .power = cell->profile,
                                    .budget = r->budget};
    mc_status status = mc_importers_parse(importers, &w->importers, error);
    status = status == MC_OK ? mc_judging_open(&w->j, &w->options, error) : status;
    if (status != MC_OK) {
        mc_importers_free(&w->importers);
        return status;
    }
    if (w->j.trace.commit_count == 0) {
        mc_claim_close(w);
        return mc_fail(error, MC_MALFORMED, "no-commit",
                       "%s: nothing was committed, so no crash was tested", cell->workload);
    }
    w->j.cell = &w->cell;
    w->cell.promise = MC_PROMISE_NOTHING;
    if (cell->profile != NULL) {
        mc_claim_change(t, r, &w->j.trace);
    }
    return MC_OK;
}

void mc_claim_close(mc_claim_walk *w)
{
    mc_judging_close(&w->j);
    mc_cell_free(&w->cell);
    mc_importers_free(&w->importers);
}

static mc_status walk_applied(void *context, const mc_op *op, uint32_t from, uint32_t to,
                              uint64_t size_before, mc_error *error)
{
    mc_claim_walk *w = context;
    return mc_judging_applied(&w->j, op, from, to, size_before, error);
}

static void walk_acked(void *context, uint32_t commit)
{
    mc_claim_walk *w = context;
    mc_judging_acked(&w->j, commit);
}

mc_status mc_claim_kill(mc_claim_walk *w,
                        mc_status (*state)(void *walk, const mc_crash *crash, mc_error *error),
                        mc_error *error)
{
    mc_explored explored = {0};
    mc_visitor visitor = {w, walk_applied, walk_acked, state};
    mc_status status = mc_judging_explore(&w->j, &visitor, &explored, error);
    mpz_add_ui(w->test->states, w->test->states, explored.states);
    w->test->result->classes += explored.states;
    w->test->tested = w->test->tested || explored.states > 0;
    return status;
}

void mc_claim_refute_here(mc_claim_walk *w, const mc_crash *crash)
{
    char state[MC_STATE_AGAIN_MAX];
    char command[MC_STATE_AGAIN_MAX + 100];
    mc_judging_state_id(&w->j, crash, state, sizeof state);
    mc_claim_command(w->test, w->rule, state, command, sizeof command);
    mc_claim_refute(w->test, state, command);
}

/* ---- rules ---- */

/* A state that came out as one of `bits`, or "". */
static void find_state(const mc_cell *cell, uint32_t bits, char *out, size_t size)
{
    const mc_tally *tally = &cell->tally[ASKED];
    out[0] = '\0';
    if (tally->first_case[0] != '\0' && (bits & 1u << tally->first_kind) != 0) {
        (void)snprintf(out, size, "%s", tally->first_case);
        return;
    }
    for (uint32_t i = 0; i < cell->finding_count; i++) {
        const mc_finding *finding = &cell->finding[i];
        for (uint32_t v = 0; finding->importer == ASKED && v < MC_VERDICTS; v++) {
            const char *name = mc_verdict_names[v];
            if ((bits & 1u << v) != 0 && strncmp(finding->verdict, name, strlen(name)) == 0) {
                (void)snprintf(out, size, "%s", finding->state);
                return;
            }
        }
    }
}

static void add_cell(mc_claim_test *t, const mc_cell *cell, uint32_t bits, trial *sum)
{
    mpz_t number;
    mpz_init(number);
    for (uint32_t v = 0; v < MC_VERDICTS; v++) {
        if (cell->proof == NULL) {
            mpz_add_ui(number, number, cell->tally[ASKED].verdict[v]);
        }
        if ((bits & 1u << v) != 0 && cell->proof != NULL) {
            mpz_add(sum->came, sum->came, cell->proof->verdict[ASKED][v]);
        } else if ((bits & 1u << v) != 0) {
            mpz_add_ui(sum->came, sum->came, cell->tally[ASKED].verdict[v]);
        }
    }
    t->result->classes += cell->proof != NULL ? cell->proof->classes : mpz_get_ui(number);
    if (cell->proof != NULL) {
        mpz_add(sum->states, sum->states, cell->proof->total);
        mc_proof_undecided(cell->proof, ASKED, number);
        mpz_add(sum->undecided, sum->undecided, number);
    } else {
        mpz_add(sum->states, sum->states, number);
        mpz_add_ui(sum->undecided, sum->undecided, cell->explored.skipped);
    }
    mpz_clear(number);
    sum->cells++;
    if (sum->first[0] == '\0') {
        find_state(cell, bits, sum->first, sizeof sum->first);
    }
}

/* A recording that is changed, or a profile that is, goes the judge's way from its middle on. */
static mc_status judge_changed(mc_claim_test *t, const mc_claim_rule *r, const mc_claim_cell *c,
                               const char *importer, mc_cell *out, mc_error *error)
{
    mc_claim_walk w;
    mc_status status = mc_claim_open(&w, t, r, c, importer, error);
    if (status != MC_OK) {
        return status;
    }
    status = mc_loss_judge(&w.j, &w.cell, error);
    if (status == MC_OK) {
        *out = w.cell;
        w.cell = (mc_cell){0};
    }
    mc_claim_close(&w);
    return status;
}

static mc_status judge_cell(mc_claim_test *t, const mc_claim_rule *r, const mc_claim_cell *c,
                            const char *importer, mc_cell *out, mc_error *error)
{
    mc_record_options record;
    mc_importers judged;
    char *scratch = NULL;
    if (c->profile != NULL) {
        return judge_changed(t, r, c, importer, out, error);
    }
    fill_record(t, r, c, &record);
    mc_status status = mc_importers_parse(importer, &judged, error);
    status = status == MC_OK ? mc_importers_scratch(&judged, &scratch, error) : status;
    if (status == MC_OK) {
        uint32_t mistake = r->mistake == NULL ? 0 : 1u << mc_mistake_find(r->mistake);
        mc_judge_options options = {.record = &record, .importers = &judged, .sidecars = mistake};
        status = mc_judge(&options, out, error);
    }
    mc_importers_remove_scratch(scratch);
    mc_importers_free(&judged);
    return status;
}

static mc_status try_cell(mc_claim_test *t, const mc_claim_rule *r, const mc_claim_cell *c,
                          void *context, mc_error *error)
{
    trial *sum = context;
    const mc_claim_plant *plant = t->options->plant;
    const char *importer = r->importer != NULL ? r->importer : "sqlite";
    if (r->importer == NULL && c->profile == NULL && plant != NULL && plant->importer != NULL) {
        importer = plant->importer;
    }
    mc_cell cell = {0};
    mc_status status = judge_cell(t, r, c, importer, &cell, error);
    if (status == MC_OK) {
        add_cell(t, &cell, r->never | r->some | r->count, sum);
    }
    mc_cell_free(&cell);
    return status;
}

static const char *words_of(uint32_t bits)
{
    static const struct {
        uint32_t bits;
        const char *words;
    } rows[] = {{MC_CAME_BROKEN, "torn or unreadable"},
                {MC_CAME_STALE, "stale"},
                {MC_CAME_BLOCKED, "refused"},
                {MC_CAME_STALE | MC_CAME_BROKEN, "stale, torn or unreadable"},
                {MC_CAME_STALE | 1 << MC_TORN, "stale or torn"},
                {1 << MC_TORN, "torn"},
                {MC_CAME_ANY, "anything but clean"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].bits == bits) {
            return rows[i].words;
        }
    }
    assert(false && "a rule with other verdicts");
    return "";
}

/* "37.20 %", "<0.01 %". */
static void write_share(const mpz_t part, const mpz_t all, char *out, size_t size)
{
    mpz_t number;
    mpz_init(number);
    mpz_mul_ui(number, part, 10000);
    mpz_fdiv_q(number, number, all);
    unsigned long hundredths = mpz_get_ui(number);
    mpz_clear(number);
    if (hundredths == 0) {
        (void)snprintf(out, size, "<0.01 %%");
    } else {
        (void)snprintf(out, size, "%lu.%02lu %%", hundredths / 100, hundredths % 100);
    }
}

static void tell(mc_claim_test *t, const mc_claim_rule *r, const trial *sum)
{
    char states[64];
    char came[64];
    char open[100] = "";
    char share[40];
    uint32_t bits = r->never | r->some | r->count;
    mc_proof_text(sum->states, states, sizeof states);
    mc_proof_text(sum->came, came, sizeof came);
    if (mpz_sgn(sum->undecided) > 0) {
        char undecided[64];
        mc_proof_text(sum->undecided, undecided, sizeof undecided);
        (void)snprintf(open, sizeof open, " (%s not decided)", undecided);
    }
    if (mpz_sgn(sum->came) == 0) {
        mc_claim_note(t, "%s: none of %s states %s%s", r->label, states, words_of(bits), open);
        return;
    }
    write_share(sum->came, sum->states, share, sizeof share);
    mc_claim_note(t, "%s: %s of %s states %s, %s%s", r->label, came, states, words_of(bits), share,
                  open);
}

static void conclude(mc_claim_test *t, const mc_claim_rule *r, const trial *sum)
{
    char command[MC_STATE_AGAIN_MAX + 100];
    bool came = mpz_sgn(sum->came) > 0;
    mc_claim_command(t, r, sum->first, command, sizeof command);
    if (r->never != 0 && came) {
        mc_claim_refute(t, sum->first, command);
    } else if (came) {
        mc_claim_example(t, sum->first, command);
    }
    if (r->some != 0 && !came && mpz_sgn(sum->undecided) == 0) {
        mc_claim_refute(t, NULL, NULL);
    }
    t->bounded = t->bounded || r->count != 0;
    /* What was left out could not take back what came of the rest. */
    t->open = t->open || (mpz_sgn(sum->undecided) > 0 && !(r->some != 0 && came));
    t->tested = t->tested || mpz_sgn(sum->states) > 0;
}

mc_status mc_claim_rules(mc_claim_test *t, const mc_claim_rule *rule, mc_error *error)
{
    mc_status status = MC_OK;
    for (const mc_claim_rule *r = rule; status == MC_OK && r->label != NULL; r++) {
        trial sum = {0};
        if (r->profile == NULL && strncmp(r->crash, "kv", 2) == 0 && !mc_kvvfs_batch_supported()) {
            mc_claim_note(t,
                          "%s: not testable, this SQLite is built without "
                          "SQLITE_ENABLE_BATCH_ATOMIC_WRITE",
                          r->label);
            continue;
        }
        mpz_inits(sum.states, sum.undecided, sum.came, NULL);
        status = mc_claim_each(t, r, try_cell, &sum, error);
        if (status == MC_OK && sum.cells == 0) {
            status = mc_fail(error, MC_USAGE, "claim", "claim %u, %s: no cell", t->claim->number,
                             r->label);
        }
        if (status == MC_OK) {
            mpz_add(t->states, t->states, sum.states);
            tell(t, r, &sum);
            conclude(t, r, &sum);
        }
        mpz_clears(sum.states, sum.undecided, sum.came, NULL);
    }
    return status;
}
