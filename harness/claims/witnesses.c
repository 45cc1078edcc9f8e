/* witnesses.c: claims that are asked of each state that SQLite is run on: at least one of each
 * class. Members of a class are alike for SQLite's recovery, and not for what is asked here, so
 * these claims are never more than "as far as seen" under power. */
#include "harness/claims/claiming.h"

#include "harness/judge/again.h"
#include "harness/judge/loss.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODE(m) (1u << MC_MODE_##m)
#define WITH_JOURNAL (MODE(DELETE) | MODE(TRUNCATE) | MODE(PERSIST))
#define SYNC(s) (1u << MC_SYNC_##s)

enum { RECOVER };

/* One cell whose `recover` is somebody else, who sees each state that SQLite is run on. */
typedef struct watched {
    mc_claim_walk w;
    mc_importer watcher;
    mc_again *again;
    bool inside; /* the watcher is at work, and sees its own states */
    char found[MC_STATE_AGAIN_MAX];
} watched;

static watched *present; /* an importer is not told whom it works for */

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "claims: out of memory");
}

static mc_status watch(watched *p, mc_claim_test *t, const mc_claim_rule *r,
                       const mc_claim_cell *cell, mc_error *error)
{
    mc_status status = mc_claim_open(&p->w, t, r, cell, "recover,sqlite", error);
    if (status == MC_OK) {
        p->watcher = *mc_importer_find("recover");
        p->w.importers.chosen[RECOVER].core = &p->watcher;
        present = p;
    }
    return status;
}

/* ---- without the checksums of records ---- */

typedef struct checks {
    uint64_t asked;
    uint64_t differed;
    mpz_t states;
    bool open;
    char first[MC_STATE_AGAIN_MAX];
} checks;

static mc_status ask_checksums(mc_claim_test *t, const mc_claim_rule *r, const mc_claim_cell *cell,
                               void *context, mc_error *error)
{
    checks *sum = context;
    mc_importers unchecked = {0};
    watched *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return no_memory(error);
    }
    mc_status status = mc_importers_parse("broken:journal-checksum", &unchecked, error);
    status = status == MC_OK ? watch(p, t, r, cell, error) : status;
    if (status == MC_OK) {
        p->watcher.import = unchecked.chosen[0].core->import;
        status = mc_loss_judge(&p->w.j, &p->w.cell, error);
        if (status == MC_OK) {
            const mc_cell *c = &p->w.cell;
            sum->asked += c->compared;
            sum->differed += c->disagreements;
            mpz_add(sum->states, sum->states, c->proof->total);
            t->result->classes += c->proof->classes;
            for (uint32_t i = 0; i < c->finding_count && sum->first[0] == '\0'; i++) {
                if (strstr(c->finding[i].signature, "recover differs") != NULL) {
                    memcpy(sum->first, c->finding[i].state, sizeof sum->first);
                }
            }
        }
        mc_claim_close(&p->w);
    }
    mc_importers_free(&unchecked);
    free(p);
    return status;
}

mc_status mc_claim_checksums(mc_claim_test *t, mc_error *error)
{
    static const mc_claim_rule rules[] = {
        {"FULL", "grow", WITH_JOURNAL, SYNC(FULL),
         "psow,ext4,ext4-ordered,ext4-writeback,xfs,btrfs,sector-512", .txns = 3, .page_size = 512},
        {"NORMAL", "grow", WITH_JOURNAL, SYNC(NORMAL), "psow,ext4", .txns = 3, .page_size = 512}};
    for (uint32_t i = 0; i < 2; i++) {
        const mc_claim_rule *r = &rules[i];
        checks sum = {0};
        char states[64];
        char command[MC_STATE_AGAIN_MAX + 100];
        mpz_init(sum.states);
        mc_status status = mc_claim_each(t, r, ask_checksums, &sum, error);
        mpz_add(t->states, t->states, sum.states);
        mc_proof_text(sum.states, states, sizeof states);
        mpz_clear(sum.states);
        if (status != MC_OK) {
            return status;
        }
        mc_claim_note(t,
                      "%s: of %lu states, one or more of each class of %s, %lu come out otherwise"
                      " when no checksum is looked at",
                      r->label, (unsigned long)sum.asked, states, (unsigned long)sum.differed);
        mc_claim_command(t, r, sum.first, command, sizeof command);
        if (i == 0 && sum.differed > 0) {
            mc_claim_refute(t, sum.first, command);
        } else if (i == 1 && sum.differed == 0) {
            mc_claim_refute(t, NULL, NULL); /* then the experiment sees nothing */
        } else {
            mc_claim_example(t, sum.first, command);
        }
        t->tested = t->tested || sum.asked > 0;
    }
    t->open = true;
    return MC_OK;
}

/* ---- recoveries that are crashed ---- */

typedef struct seconds {
    uint64_t first; /* states of the first crash */
    uint64_t recoveries;
    mpz_t total;
    mpz_t diverged;
    mpz_t unresolved;
    char found[MC_STATE_AGAIN_MAX];
} seconds;

static mc_status note_found(void *context, const mc_again_found *found, mc_error *error)
{
    watched *p = context;
    (void)error;
    if (p->found[0] == '\0') {
        (void)snprintf(p->found, sizeof p->found, "%.*s", (int)sizeof p->found - 1, found->state);
    }
    return MC_OK;
}

static mc_status crash_again(watched *p, const mc_crash *crash, mc_error *error)
{
    mc_outcome control;
    p->inside = true;
    mc_status status = mc_judging_control(&p->w.j, &control, error);
    status = status == MC_OK ? mc_again_judge(p->again, &p->w.j.trace.base, crash, &control, error)
                             : status;
    p->inside = false;
    return status;
}

static mc_status import_and_crash(const mc_input *input, mc_arena *arena, mc_import *out,
                                  mc_error *error)
{
    static const mc_crash anywhere = {0};
    watched *p = present;
    const mc_disk_file *main = &p->w.j.trace.base.file[p->w.j.main_slot[0]];
    if (!p->inside && input->files.main.size == main->size &&
        (main->size == 0 || input->files.main.data == main->data)) {
        mc_status status = crash_again(p, &anywhere, error);
        if (status != MC_OK) {
            return status;
        }
    }
    return mc_importer_find("recover")->import(input, arena, out, error);
}

static mc_status state_and_crash(void *context, const mc_crash *crash, mc_error *error)
{
    watched *p = context; /* the walk is its first member */
    return crash_again(p, crash, error);
}

static mc_status ask_again(mc_claim_test *t, const mc_claim_rule *r, const mc_claim_cell *cell,
                           void *context, mc_error *error)
{
    seconds *sum = context;
    watched *p = calloc(1, sizeof *p);
    mc_status status = p != NULL ? watch(p, t, r, cell, error) : no_memory(error);
    if (status != MC_OK) {
        free(p);
        return status;
    }
    p->watcher.import = import_and_crash;
    mc_again_options options = {.power = cell->profile, .found = note_found, .context = p};
    p->again = mc_again_open(&p->w.j, &options);
    if (p->again == NULL) {
        status = no_memory(error);
    } else if (cell->profile != NULL) {
        status = mc_loss_judge(&p->w.j, &p->w.cell, error);
    } else {
        p->w.importers.chosen[RECOVER].core = mc_importer_find("recover");
        mpz_t states;
        mpz_init_set(states, t->states);
        uint64_t classes = t->result->classes;
        status = mc_claim_kill(&p->w, state_and_crash, error);
        mpz_set(t->states, states); /* second states are what is counted */
        t->result->classes = classes;
        mpz_clear(states);
    }
    if (status == MC_OK) {
        const mc_again_counts *c = mc_again_counted(p->again);
        sum->first += c->witnesses - c->repeated - c->unasked;
        sum->recoveries += c->recoveries;
        t->result->classes += cell->profile != NULL ? c->classes : c->visited;
        mpz_add(sum->total, sum->total, c->total);
        mpz_add(sum->diverged, sum->diverged, c->diverged);
        mpz_add_ui(sum->diverged, sum->diverged, c->disagreed);
        mpz_add(sum->unresolved, sum->unresolved, c->unresolved);
        if (sum->found[0] == '\0') {
            memcpy(sum->found, p->found, sizeof sum->found);
        }
    }
    mc_again_close(p->again);
    mc_claim_close(&p->w);
    free(p);
    return status;
}

mc_status mc_claim_again(mc_claim_test *t, mc_error *error)
{
    static const mc_claim_rule rules[] = {
        {"killed, and the recovery is killed", "inplace,spill,attach", MODE(DELETE), SYNC(FULL),
         "kill", .txns = 1},
        {"power lost, and lost again", "grow", MODE(DELETE) | MODE(TRUNCATE), SYNC(FULL),
         "psow,ext4", .txns = 3, .page_size = 512}};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const mc_claim_rule *r = &rules[i];
        seconds sum = {0};
        char total[64];
        char diverged[64];
        mpz_inits(sum.total, sum.diverged, sum.unresolved, NULL);
        mc_status status = mc_claim_each(t, r, ask_again, &sum, error);
        mc_proof_text(sum.total, total, sizeof total);
        mc_proof_text(sum.diverged, diverged, sizeof diverged);
        mpz_add(t->states, t->states, sum.total);
        t->open = t->open || strcmp(r->crash, "kill") != 0 || mpz_sgn(sum.unresolved) > 0;
        if (status == MC_OK && mpz_sgn(sum.diverged) > 0) {
            mc_claim_refute(t, sum.found, NULL);
        }
        mpz_clears(sum.total, sum.diverged, sum.unresolved, NULL);
        if (status != MC_OK) {
            return status;
        }
        mc_claim_note(t,
                      "%s: %lu first states, %lu recoveries, %s second states, of which %s come out"
                      " otherwise",
                      r->label, (unsigned long)sum.first, (unsigned long)sum.recoveries, total,
                      diverged);
        t->tested = t->tested || sum.recoveries > 0;
    }
    return MC_OK;
}
