#include "reports/report.h"

#include "harness/judge/handover.h"
#include "reports/lossrow.h"

#include <jansson.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_BYTES = 128 };

static json_t *big_json(const mpz_t number)
{
    char digits[NUMBER_BYTES];
    if (mpz_sizeinbase(number, 10) + 2 <= sizeof digits) {
        return json_string(mpz_get_str(digits, 10, number));
    }
    char *more = mpz_get_str(NULL, 10, number);
    json_t *text = json_string(more);
    free(more);
    return text;
}

/* What came of an importer's states; the control's under the name of sqlite or recover. */
static json_t *verdicts_json(const mc_proof *p, uint32_t who)
{
    json_t *object = json_object();
    mpz_t undecided;
    mpz_init(undecided);
    mc_proof_undecided(p, who, undecided);
    for (int v = 0; v < MC_VERDICTS; v++) {
        json_object_set_new(object, mc_verdict_names[v], big_json(p->verdict[who][v]));
    }
    json_object_set_new(object, "silent", big_json(p->silent[who]));
    json_object_set_new(object, "undecided", big_json(undecided));
    mpz_clear(undecided);
    return object;
}

static json_t *power_json(const mc_run_result *result, const mc_run_cell *run, uint32_t importer)
{
    const mc_proof *p = run->cell.proof;
    json_t *widest = json_pack("{s:I,s:o,s:I}", "point", (json_int_t)p->widest_point, "states",
                               big_json(p->widest), "classes", (json_int_t)p->widest_classes);
    return json_pack("{s:s,s:o,s:o,s:I,s:I,s:I,s:I,s:o,s:o,s:{s:o}}", "profile", run->power->name,
                     "total", big_json(p->total), "unresolved", big_json(p->unresolved), "classes",
                     (json_int_t)p->classes, "runs", (json_int_t)p->runs, "points",
                     (json_int_t)p->points, "points_not_closed",
                     (json_int_t)run->cell.explored.skipped, "widest", widest, "recovery_induced",
                     big_json(p->induced), "verdicts", result->importers.chosen[importer].name,
                     verdicts_json(p, mc_loss_who(result, importer)));
}

/* An importer's walk has classes of its own. */
static uint64_t classes_of(const mc_tally *t)
{
    uint64_t sum = 0;
    for (int v = 0; v < MC_VERDICTS; v++) {
        sum += t->verdict[v];
    }
    return sum;
}

static bool is_exhaustive(const mc_run_result *result, const mc_run_cell *run)
{
    return run->cell.proof != NULL ? mc_loss_proved(result, run) : run->cell.explored.skipped == 0;
}

static json_t *cell_json(const mc_run_result *result, const mc_run_cell *run, uint32_t importer)
{
    const mc_cell *cell = &run->cell;
    const mc_tally *t = &cell->tally[importer];
    json_t *object = json_pack(
        "{s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:b}", "workload", run->workload, "mode",
        mc_mode_names[run->mode], "sync", mc_sync_names[run->sync], "crash", run->crash, "importer",
        result->importers.chosen[importer].name, "crash_points", (json_int_t)cell->explored.points,
        "states", (json_int_t)(cell->proof != NULL ? classes_of(t) : cell->explored.states),
        "unique", (json_int_t)cell->unique, "exhaustive", is_exhaustive(result, run));
    if (result->sidecars != 0) {
        json_object_set_new(object, "sidecars", json_string(mc_mistakes[run->mistake].name));
    }
    const struct {
        const char *key;
        uint64_t value;
    } counts[] = {
        {"clean", t->verdict[MC_CLEAN]},         {"ahead", t->ahead},
        {"stale", t->verdict[MC_STALE]},         {"empty", t->empty},
        {"torn", t->verdict[MC_TORN]},           {"silent", t->silent},
        {"integrity_check_missed", t->missed},   {"blocked", t->verdict[MC_BLOCKED]},
        {"refused", t->verdict[MC_REFUSED_TOO]}, {"control_dirty", cell->control_dirty},
        {"known_defect", cell->known_defect},
    };
    for (size_t i = 0; object != NULL && i < sizeof counts / sizeof *counts; i++) {
        json_object_set_new(object, counts[i].key, json_integer((json_int_t)counts[i].value));
    }
    json_object_set_new(object, "first_case",
                        t->first_case[0] != '\0' ? json_string(t->first_case) : json_null());
    if (object != NULL && cell->proof != NULL) {
        json_object_set_new(object, "power", power_json(result, run, importer));
    }
    return object;
}

/* What SQLite promises of itself after a power loss, and the worst that came out. */
static json_t *promises_json(const mc_run_result *result)
{
    uint32_t count;
    mc_loss_row *row = mc_loss_rows(result, &count);
    json_t *list = json_array();
    for (uint32_t i = 0; row != NULL && i < count; i++) {
        const mc_run_cell *cell = row[i].cell;
        json_array_append_new(
            list, json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:o,s:b,s:s?}", "mode",
                            mc_mode_names[cell->mode], "sync", mc_sync_names[cell->sync], "profile",
                            cell->power->name, "promised", mc_loss_promise(cell->cell.promise),
                            "worst", mc_verdict_names[row[i].worst], "kept", mc_loss_kept(&row[i]),
                            "broken", (json_int_t)row[i].broken, "states", big_json(row[i].states),
                            "proved", row[i].proved, "first_case", row[i].first));
    }
    mc_loss_rows_free(row, count);
    return list;
}

/* Second crashes: one entry for each cell that had some. */
static json_t *again_json(const mc_run_result *result)
{
    json_t *list = json_array();
    mpz_t converge;
    mpz_init(converge);
    for (uint32_t i = 0; i < result->cell_count; i++) {
        const mc_run_cell *run = &result->cell[i];
        const mc_again_counts *c = run->cell.again;
        if (c == NULL) {
            continue;
        }
        const char *first = NULL;
        for (uint32_t f = 0; first == NULL && f < run->cell.finding_count; f++) {
            const mc_finding *finding = &run->cell.finding[f];
            first = mc_finding_is_again(finding) ? finding->state : NULL;
        }
        mc_again_converge(c, converge);
        json_t *object = json_pack(
            "{s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:I}", "workload", run->workload, "mode",
            mc_mode_names[run->mode], "sync", mc_sync_names[run->sync], "crash", run->crash,
            "first_states", (json_int_t)(c->witnesses - c->repeated - c->unasked), "recoveries",
            (json_int_t)c->recoveries, "crash_points", (json_int_t)c->points, "runs",
            (json_int_t)c->visited, "classes", (json_int_t)c->classes, "recover_differs",
            (json_int_t)c->disagreed);
        json_object_set_new(object, "states", big_json(c->total));
        json_object_set_new(object, "converge", big_json(converge));
        json_object_set_new(object, "diverge", big_json(c->diverged));
        json_object_set_new(object, "unresolved", big_json(c->unresolved));
        json_object_set_new(object, "exhaustive", json_boolean(mpz_sgn(c->unresolved) == 0));
        json_object_set_new(object, "first_case", first != NULL ? json_string(first) : json_null());
        json_array_append_new(list, object);
    }
    mpz_clear(converge);
    return list;
}

/* One entry per signature, over all cells, in the order in which they were first met. */
static void add_finding(json_t *findings, json_t *by_signature, const mc_finding *f)
{
    json_t *known = json_object_get(by_signature, f->signature);
    if (known != NULL) {
        json_int_t count = json_integer_value(json_object_get(known, "count"));
        json_object_set_new(known, "count", json_integer(count + (json_int_t)f->count));
        return;
    }
    json_t *object =
        json_pack("{s:s,s:s,s:I,s:s,s:b}", "signature", f->signature, "verdict", f->verdict,
                  "count", (json_int_t)f->count, "case", f->state, "fails", f->fails);
    if (object != NULL && f->defect != NULL) {
        json_object_set_new(object, "known_defect", json_string(f->defect));
    }
    json_object_set(by_signature, f->signature, object);
    json_array_append_new(findings, object);
}

/* What each program or library took, by importer; empty when none was run. */
static json_t *costs_json(const mc_run_result *result)
{
    json_t *costs = json_array();
    for (uint32_t i = 0; i < result->importers.count; i++) {
        uint64_t ran = 0;
        uint64_t nanoseconds = 0;
        for (uint32_t c = 0; c < result->cell_count; c++) {
            ran += result->cell[c].cell.tally[i].ran;
            nanoseconds += result->cell[c].cell.tally[i].nanoseconds;
        }
        if (ran > 0) {
            json_array_append_new(
                costs, json_pack("{s:s,s:I,s:I}", "importer", result->importers.chosen[i].name,
                                 "microseconds_per_state", (json_int_t)(nanoseconds / ran / 1000),
                                 "states_run", (json_int_t)ran));
        }
    }
    return costs;
}

char *mc_report_json(const mc_run_result *result)
{
    json_t *cells = json_array();
    json_t *findings = json_array();
    json_t *by_signature = json_object();
    uint64_t compared = 0;
    uint64_t disagreements = 0;
    for (uint32_t i = 0; i < result->cell_count; i++) {
        const mc_run_cell *run = &result->cell[i];
        for (uint32_t k = 0; k < result->importers.count; k++) {
            if (mc_run_judges(run, &result->importers.chosen[k])) {
                json_array_append_new(cells, cell_json(result, run, k));
            }
        }
        for (uint32_t k = 0; k < run->cell.finding_count; k++) {
            add_finding(findings, by_signature, &run->cell.finding[k]);
        }
        compared += run->cell.compared;
        disagreements += run->cell.disagreements;
    }
    json_decref(by_signature);
    double rate = result->seconds > 0 ? (double)result->states / result->seconds : 0;
    json_t *root = json_pack(
        "{s:s,s:s,s:I,s:o,s:o,s:{s:I,s:I},s:{s:f,s:f,s:o}}", "schema", "midcommit/run/1", "sqlite",
        sqlite3_libversion(), "seed", (json_int_t)result->seed, "cells", cells, "findings",
        findings, "recover_against_sqlite", "compared", (json_int_t)compared, "disagreements",
        (json_int_t)disagreements, "timing", "seconds", round(result->seconds * 1000) / 1000,
        "states_per_second", round(rate), "importers", costs_json(result));
    json_t *promises = promises_json(result);
    if (root != NULL && json_array_size(promises) > 0) {
        json_object_set(root, "promises", promises);
    }
    json_decref(promises);
    json_t *again = again_json(result);
    if (root != NULL && json_array_size(again) > 0) {
        json_object_set(root, "second_crashes", again);
    }
    json_decref(again);
    if (root != NULL && result->importers.shell[0] != '\0') {
        json_object_set_new(root, "sqlite3_program", json_string(result->importers.shell));
    }
    char *text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    json_decref(root);
    return text;
}
