/* test_again.c: recoveries that are crashed converge; broken ones, and disks that lie, are told; and
 * the classes of their power losses are held against brute force. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/recover.h"
#include "harness/judge/again.h"
#include "harness/judge/loss.h"

/* One cell: each state of the first crash that SQLite is run on is crashed again. */
typedef struct walk {
    mc_judging j;
    mc_again *again;
    mc_control *control;
    mc_cell cell;
    mc_importers importers;
    mc_importer recover; /* stands in recover's place, and so sees each state that SQLite is run on */
    bool inside;         /* recover is being asked about a second state */
    uint64_t told;
    char first[MC_STATE_ID_MAX + 900];
    char what[40];
} walk;

static walk *w;

static void check(mc_status status, const mc_error *error)
{
    if (status != MC_OK) {
        fail_msg("%s", error->text);
    }
}

static mc_status note(void *context, const mc_again_found *found, mc_error *error)
{
    (void)context;
    (void)error;
    if (w->told++ == 0) {
        (void)snprintf(w->first, sizeof w->first, "%s", found->state);
        (void)snprintf(w->what, sizeof w->what, "%s", found->what);
    }
    return MC_OK;
}

/* The first crash is any: so many acknowledged commits are none the less. */
static mc_status crash_again(const mc_crash *crash, mc_error *error)
{
    mc_outcome control;
    w->inside = true;
    mc_status status = mc_judging_control(&w->j, &control, error);
    status = status == MC_OK
                 ? mc_again_judge(w->again, &w->j.trace.base, crash, &control, error)
                 : status;
    w->inside = false;
    return status;
}

static mc_status import(const mc_input *input, mc_arena *arena, mc_import *out, mc_error *error)
{
    static const mc_crash anywhere = {0};
    if (!w->inside) {
        mc_status status = crash_again(&anywhere, error);
        if (status != MC_OK) {
            return status;
        }
    }
    return mc_importer_find("recover")->import(input, arena, out, error);
}

static mc_status state(void *context, const mc_crash *crash, mc_error *error)
{
    (void)context;
    return crash_again(crash, error);
}

typedef struct row {
    const char *workload;
    mc_mode mode;
    uint32_t page_size;
    uint32_t txns;
    const char *profile; /* null: kill */
    const char *second;  /* profile of the second crash; null: the same */
    void (*plant)(mc_trace *recovery);
} row;

static void open_walk(const row *r, mc_record_options *record, mc_judge_options *options)
{
    mc_error error;
    w = calloc(1, sizeof *w);
    *record = (mc_record_options){.workload = r->workload,
                                  .mode = r->mode,
                                  .sync = MC_SYNC_FULL,
                                  .page_size = r->page_size,
                                  .txns = r->txns,
                                  .seed = 1};
    check(mc_importers_parse("recover,sqlite", &w->importers, &error), &error);
    *options = (mc_judge_options){.record = record, .importers = &w->importers};
    if (r->profile != NULL) {
        w->recover = *mc_importer_find("recover");
        w->recover.import = import;
        w->importers.chosen[0].core = &w->recover;
        options->power = mc_power_find(r->profile);
    }
    check(mc_judging_open(&w->j, options, &error), &error);
    w->j.cell = &w->cell;
    const char *second = r->second != NULL ? r->second : r->profile;
    mc_again_options again = {.power = second != NULL ? mc_power_find(second) : NULL,
                              .found = note,
                              .plant = r->plant};
    w->again = mc_again_open(&w->j, &again);
    assert_non_null(w->again);
}

static void close_walk(void)
{
    mc_again_close(w->again);
    mc_judging_close(&w->j);
    mc_cell_free(&w->cell);
    mc_importers_free(&w->importers);
    free(w);
    w = NULL;
}

static void print_counts(const row *r, const mc_again_counts *c)
{
    char total[64];
    char diverged[64];
    char unresolved[64];
    mc_proof_text(c->total, total, sizeof total);
    mc_proof_text(c->diverged, diverged, sizeof diverged);
    mc_proof_text(c->unresolved, unresolved, sizeof unresolved);
    print_message("%s/%s/%s: %lu witnesses (%lu repeated, %lu unasked), recoveries of %lu elements,"
                  " %lu points; %s states: %lu visited in %lu classes, %s unresolved; %s diverged,"
                  " %lu disagreed\n",
                  r->workload, mc_mode_names[r->mode], r->profile == NULL ? "kill" : r->profile,
                  (unsigned long)c->witnesses, (unsigned long)c->repeated,
                  (unsigned long)c->unasked, (unsigned long)c->elements, (unsigned long)c->points,
                  total, (unsigned long)c->visited, (unsigned long)c->classes, unresolved, diverged,
                  (unsigned long)c->disagreed);
    if (w->told > 0) {
        print_message("    %s: %s\n", w->what, w->first);
    }
}

/* Crashes all of a cell twice; close_walk must follow. */
static const mc_again_counts *walk_cell(const row *r)
{
    static mc_record_options record;
    static mc_judge_options options;
    mc_error error;
    open_walk(r, &record, &options);
    if (r->profile != NULL) {
        check(mc_loss_judge(&w->j, &w->cell, &error), &error);
    } else {
        mc_explored explored;
        mc_visitor visitor = {&w->j, mc_judging_applied, mc_judging_acked, state};
        check(mc_judging_explore(&w->j, &visitor, &explored, &error), &error);
    }
    const mc_again_counts *c = mc_again_counted(w->again);
    print_counts(r, c);
    return c;
}

static void converges(const row *r)
{
    const mc_again_counts *c = walk_cell(r);
    assert_int_equal(mpz_sgn(c->diverged), 0);
    assert_int_equal(mpz_sgn(c->unresolved), 0);
    assert_int_equal(c->disagreed, 0);
    assert_int_equal(w->told, 0);
    assert_true(c->witnesses > c->repeated + c->unasked);
    assert_true(mpz_cmp_ui(c->total, c->visited) >= 0);
    close_walk();
}

static const mc_mode modes[] = {MC_MODE_DELETE, MC_MODE_TRUNCATE, MC_MODE_PERSIST, MC_MODE_WAL};
static const char *const workloads[] = {"inplace", "grow", "spill"};

/* Promise: whatever a kill left, a recovery that is killed anywhere leaves the same database. */
static void kills_converge(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < 12; i++) {
        converges(&(row){.workload = workloads[i / 4], .mode = modes[i % 4], .page_size = 4096});
    }
}

/* Promise: and so does a recovery that loses its power. */
static void losses_converge(void **unused)
{
    (void)unused;
    static const char *const profiles[] = {"psow", "ext4"};
    for (size_t i = 0; i < 24; i++) {
        converges(&(row){.workload = workloads[i / 8],
                         .mode = modes[i / 2 % 4],
                         .page_size = 4096,
                         .txns = 1,
                         .profile = profiles[i % 2]});
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kills_converge),
        cmocka_unit_test(losses_converge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
