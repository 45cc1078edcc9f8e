#include "harness/judge/judge.h"

#include "harness/judge/again.h"
#include "harness/judge/defects.h"
#include "harness/judge/judging.h"
#include "harness/judge/loss.h"
#include "harness/host/tasks.h"

#include <assert.h>
#include <ctype.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <string.h>

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "judge: out of memory");
}

/* The row of outcomes of one distinct state: the control's, then one per importer. */
static mc_outcome *row_of(const mc_judging *j, const mc_known *known, uint32_t state)
{
    return &known->stored[(size_t)state * (j->importers->count + 1)];
}

static bool add_row(const mc_judging *j, mc_known *known)
{
    if (known->count == known->capacity) {
        uint32_t capacity = known->capacity < 256 ? 256 : known->capacity * 2;
        size_t bytes = (size_t)capacity * (j->importers->count + 1) * sizeof *known->stored;
        mc_outcome *more = realloc(known->stored, bytes);
        if (more == NULL) {
            return false;
        }
        known->stored = more;
        known->capacity = capacity;
    }
    known->count++;
    return true;
}

/* The distinct states as the mistake in force leaves them. */
static mc_known *known_of(mc_judging *j)
{
    const mc_mistake *mistake = j->handover.mistake;
    return &j->known[mistake == NULL ? MC_MISTAKE_AS_IS : (uint32_t)(mistake - mc_mistakes)];
}

static mc_finding *finding_of(mc_cell *cell, const char *signature)
{
    for (uint32_t i = 0; i < cell->finding_count; i++) {
        if (strcmp(cell->finding[i].signature, signature) == 0) {
            return &cell->finding[i];
        }
    }
    if (cell->finding_count == cell->finding_capacity) {
        uint32_t capacity = cell->finding_capacity < 16 ? 16 : cell->finding_capacity * 2;
        mc_finding *more = realloc(cell->finding, capacity * sizeof *more);
        if (more == NULL) {
            return NULL;
        }
        cell->finding = more;
        cell->finding_capacity = capacity;
    }
    mc_finding *finding = &cell->finding[cell->finding_count++];
    memset(finding, 0, sizeof *finding);
    (void)snprintf(finding->signature, sizeof finding->signature, "%s", signature);
    return finding;
}

/* The state's files, and the snapshots up to the one in flight. */
static uint64_t case_bytes(const mc_judging *j, const mc_crash *crash)
{
    uint64_t bytes = 0;
    for (size_t i = 0; j->trace.is_kv && i < j->store.count; i++) {
        bytes += j->store.entry[i].value_size;
    }
    for (uint32_t i = 0; !j->trace.is_kv && i < j->trace.base.file_count; i++) {
        bytes += j->trace.base.file[i].exists ? j->trace.base.file[i].size : 0;
    }
    for (uint32_t k = 0; k <= crash->begun; k++) {
        for (uint32_t d = 0; d < j->trace.database_count; d++) {
            bytes += (uint64_t)j->history.snapshot[k].page_count[d] * j->history.page_size;
        }
    }
    return bytes;
}

static mc_status add_finding(mc_judging *j, const mc_crash *crash, const char *who,
                             uint32_t importer, const mc_verdict *verdict,
                             const mc_outcome *outcome, bool fails, const char *defect,
                             uint64_t times, mc_error *error)
{
    char text[64];
    char signature[MC_SIGNATURE_MAX];
    mc_verdict_text(verdict, text, sizeof text);
    mc_judging_signature(j, crash, who, verdict, outcome, defect, signature);
    mc_finding *finding = finding_of(j->cell, signature);
    if (finding == NULL) {
        return no_memory(error);
    }
    bool first = finding->count == 0;
    finding->count += times;
    /* A part of a choice ("...") names no state: the next of a second crash that has a name does.
     */
    bool unnamed = crash->again != NULL && strstr(finding->state, "...") != NULL;
    if (first || unnamed) {
        (void)snprintf(finding->verdict, sizeof finding->verdict, "%s", text);
        mc_judging_state_id(j, crash, finding->state,
                            crash->again != NULL ? sizeof finding->state : MC_STATE_ID_MAX);
        finding->bytes = case_bytes(j, crash);
        finding->importer = importer;
        finding->defect = defect;
    }
    finding->fails = finding->fails || fails;
    return MC_OK;
}

/* Torn before stale before blocked: the first case of a row is the one to look at. */
static bool more_telling(const mc_verdict *verdict, const mc_tally *tally)
{
    int now = mc_verdict_rank(verdict->kind) * 2 + verdict->silent;
    int then = tally->first_case[0] == '\0'
                   ? 0
                   : mc_verdict_rank(tally->first_kind) * 2 + (tally->silent > 0);
    return now > then;
}

static void count(mc_judging *j, const mc_crash *crash, uint32_t importer,
                  const mc_verdict *verdict, const mc_outcome *outcome, uint64_t times)
{
    mc_tally *tally = &j->cell->tally[importer];
    if (more_telling(verdict, tally)) {
        mc_judging_state_id(j, crash, tally->first_case, sizeof tally->first_case);
        tally->first_kind = verdict->kind;
    }
    bool torn = verdict->kind == MC_TORN;
    tally->verdict[verdict->kind] += times;
    tally->ahead += verdict->kind == MC_CLEAN && verdict->ahead ? times : 0;
    tally->empty += verdict->kind == MC_STALE && verdict->empty ? times : 0;
    tally->silent += torn && verdict->silent ? times : 0;
    tally->missed += torn && (outcome->noticed & MC_NOTICED_INTEGRITY_CHECK) == 0 ? times : 0;
}

/* Two outcomes say the same of one state: both refuse, or the logical content is equal. */
static bool agree(const mc_judging *j, const mc_outcome *a, const mc_outcome *b)
{
    if (a->kind != b->kind) {
        return false;
    }
    if (a->kind == MC_OUTCOME_REFUSED || mc_hash128_equal(a->image, b->image)) {
        return true;
    }
    if (a->kind == MC_OUTCOME_SNAPSHOT) {
        return a->content_class == b->content_class;
    }
    const mc_seen_image *left = mc_content_seen(&j->content, a->image);
    const mc_seen_image *right = mc_content_seen(&j->content, b->image);
    return left != NULL && right != NULL && left->inspection.dumped && right->inspection.dumped &&
           mc_hash128_equal(left->inspection.dump, right->inspection.dump);
}

static mc_verdict verdict_of(const mc_judging *j, const mc_crash *crash, const mc_outcome *outcome,
                             bool control_recovers)
{
    return mc_verdict_of(outcome, j->content.classes, crash->acked, crash->begun,
                         j->content.empty_class, control_recovers);
}

mc_status mc_judged_meeting(mc_judging *j, const mc_crash *crash, const mc_outcome *control,
                            const mc_outcome *own, mc_error *error)
{
    j->cell->compared++;
    if (agree(j, own, control)) {
        return MC_OK;
    }
    j->cell->disagreements++;
    mc_verdict verdict = verdict_of(j, crash, own, control->kind == MC_OUTCOME_SNAPSHOT);
    return add_finding(j, crash, "recover differs from sqlite", UINT32_MAX, &verdict, own, true,
                       NULL, 1, error);
}

/* The known defect of this SQLite whose mark one of the state's databases carries, or null. */
static const char *known_defect(mc_judging *j, const mc_verdict *verdict)
{
    const mc_defect *defect = NULL;
    for (uint32_t d = 0; defect == NULL && d < j->trace.database_count; d++) {
        mc_files files;
        if (mc_judging_files(j, d, &files)) {
            defect = mc_defect_find(sqlite3_libversion_number(), &files, verdict,
                                    j->options->record->sync, j->crash_name);
        }
    }
    return defect != NULL ? defect->name : NULL;
}

/* A second crash has shown something; `who` of the signature says what is not as it was. Where
 * nothing is promised of the first crash, nothing is of the second. */
static mc_status found_again(void *context, const mc_again_found *found, mc_error *error)
{
    mc_judging *j = context;
    mc_crash crash = *found->crash;
    bool meeting = strcmp(found->what, "recover differs") == 0;
    mc_verdict verdict = verdict_of(j, &crash, found->made, found->recovers);
    const char *defect = meeting ? NULL : known_defect(j, &verdict);
    crash.note = found->made->kind == MC_OUTCOME_SNAPSHOT ? "another snapshot" : NULL;
    return add_finding(j, &crash, meeting ? "recover differs from sqlite" : "does not converge",
                       UINT32_MAX, &verdict, found->made,
                       meeting || (defect == NULL && j->cell->promise != MC_PROMISE_NOTHING),
                       defect, 1, error);
}

mc_status mc_judged_again(mc_judging *j, const mc_crash *crash, const mc_outcome *control,
                          mc_error *error)
{
    if (j->again == NULL || j->handover.mistake != NULL) {
        return MC_OK;
    }
    return mc_again_judge(j->again, &j->trace.base, crash, control, error);
}

/* A state that was not met before: everything that has to be run is run. */
static mc_status first_meeting(mc_judging *j, mc_known *known, const mc_crash *crash,
                               mc_error *error)
{
    if (!add_row(j, known) || !mc_idmap_put(&known->seen, crash->id, known->count - 1)) {
        return no_memory(error);
    }
    mc_outcome *row = row_of(j, known, known->count - 1);
    mc_status status = mc_judging_control(j, &row[0], error);
    for (uint32_t i = 0; status == MC_OK && i < j->importers->count; i++) {
        mc_importer_kind kind = j->importers->chosen[i].kind;
        if (kind == MC_IMPORTER_SQLITE) {
            row[i + 1] = row[0];
        } else if (kind == MC_IMPORTER_RECOVER || !mc_judging_followed(j, i)) {
            status = mc_judging_outcome(j, i, &row[i + 1], error);
        }
        if (kind == MC_IMPORTER_EXEC || kind == MC_IMPORTER_SO) {
            j->cell->tally[i].ran++;
            j->cell->tally[i].nanoseconds += j->nanoseconds;
        }
        if (status == MC_OK && kind == MC_IMPORTER_RECOVER) {
            status = mc_judged_meeting(j, crash, &row[0], &row[i + 1], error);
        }
    }
    return status == MC_OK ? mc_judged_again(j, crash, &row[0], error) : status;
}

mc_status mc_judged_control(mc_judging *j, const mc_crash *crash, const mc_outcome *control,
                            const mc_verdict *verdict, uint64_t times, mc_error *error)
{
    const char *defect = known_defect(j, verdict);
    j->cell->known_defect += defect != NULL ? times : 0;
    j->cell->control_dirty += defect == NULL ? times : 0;
    return add_finding(j, crash, "control breaks its promise", UINT32_MAX, verdict, control,
                       defect == NULL, defect, times, error);
}

mc_status mc_judged_importer(mc_judging *j, const mc_crash *crash, uint32_t importer,
                             const mc_outcome *outcome, const mc_verdict *verdict, bool unmet,
                             uint64_t times, mc_error *error)
{
    bool fails = unmet && (j->options->required & 1u << importer) != 0;
    j->cell->tally[importer].unmet += unmet ? times : 0;
    count(j, crash, importer, verdict, outcome, times);
    if (verdict->kind == MC_CLEAN && !j->options->clean_too) {
        return MC_OK;
    }
    return add_finding(j, crash, j->importers->chosen[importer].name, importer, verdict, outcome,
                       fails, NULL, times, error);
}

static mc_status judge_known(mc_judging *j, const mc_crash *crash, mc_error *error)
{
    uint32_t index;
    mc_known *known = known_of(j);
    mc_status status = MC_OK;
    if (!mc_idmap_get(&known->seen, crash->id, &index)) {
        status = first_meeting(j, known, crash, error);
        index = known->count - 1;
    }
    if (status != MC_OK) {
        return status;
    }
    const mc_outcome *row = row_of(j, known, index);
    bool recovers = row[0].kind == MC_OUTCOME_SNAPSHOT;
    mc_verdict control = verdict_of(j, crash, &row[0], recovers);
    const mc_mistake *mistake = j->handover.mistake;
    /* Of a sidecar that does not belong there SQLite promises nothing. */
    if ((mistake == NULL || mistake->promised) && !mc_promise_kept(j->cell->promise, &control)) {
        status = mc_judged_control(j, crash, &row[0], &control, 1, error);
    }
    for (uint32_t i = 0; status == MC_OK && i < j->importers->count; i++) {
        mc_outcome outcome = row[i + 1];
        if (mc_judging_followed(j, i)) {
            status = mc_judging_outcome(j, i, &outcome, error);
        }
        if (status != MC_OK) {
            break;
        }
        mc_verdict verdict = verdict_of(j, crash, &outcome, recovers);
        bool unmet = verdict.kind != MC_CLEAN && control.kind == MC_CLEAN;
        status = mc_judged_importer(j, crash, i, &outcome, &verdict, unmet, 1, error);
    }
    return status;
}

static bool runs_libraries(const mc_judging *j)
{
    bool any = false;
    for (uint32_t i = 0; i < j->importers->count; i++) {
        any = any || j->importers->chosen[i].kind == MC_IMPORTER_SO;
    }
    return any;
}

/* Whatever goes wrong in a state is told with its name, which `explain` takes. */
static mc_status judge_present(mc_judging *j, const mc_crash *crash, mc_error *error)
{
    mc_error why;
    char state[MC_STATE_ID_MAX];
    if (runs_libraries(j)) {
        mc_judging_state_id(j, crash, state, sizeof state);
        mc_tasks_at(state);
    }
    mc_status status = judge_known(j, crash, &why);
    if (status == MC_OK) {
        return MC_OK;
    }
    mc_judging_state_id(j, crash, state, sizeof state);
    return mc_fail(error, status, why.reason, "%s: %s", state, why.text);
}

static mc_status judge_state(void *context, const mc_crash *crash, mc_error *error)
{
    mc_judging *j = context;
    uint32_t chosen = j->options->sidecars;
    mc_handover_watch(&j->handover, crash);
    mc_status status = MC_OK;
    for (uint32_t rank = 0; status == MC_OK && rank < mc_mistake_count(chosen); rank++) {
        mc_crash handed;
        bool made = false;
        uint32_t mistake = mc_mistake_chosen(chosen, rank);
        status = mc_judging_hand_over(j, mistake, crash, &handed, &made, error);
        if (status == MC_OK && made) {
            j->cell = &j->cells[rank];
            j->cell->explored.states++;
            /* Points are visited in order. */
            j->cell->explored.points += j->last_point[rank] != crash->point + 1;
            j->last_point[rank] = crash->point + 1;
            status = judge_present(j, &handed, error);
        }
        mc_judging_take_back(j);
    }
    return status;
}

/* The mode to which a statement sets the journal, or MC_MODES. */
static uint32_t mode_set_by(const char *statement)
{
    static const char pragma[] = "journal_mode";
    const char *at = strcasestr(statement, pragma);
    at = at == NULL ? "" : at + strlen(pragma);
    at += strspn(at, " =('\"");
    for (uint32_t mode = 0; mode < MC_MODES; mode++) {
        size_t size = strlen(mc_mode_names[mode]);
        if (strncasecmp(at, mc_mode_names[mode], size) == 0 && !isalpha((unsigned char)at[size])) {
            return mode;
        }
    }
    return MC_MODES;
}

/* What SQLite promises of the workload: the least of the modes in which it commits. */
static mc_promise promise_of(const mc_judging *j)
{
    const mc_record_options *record = j->options->record;
    const char *crash = record->kv ? "kv" : j->crash_name;
    const char *source;
    uint32_t databases = j->trace.database_count;
    mc_promise least = mc_promise_of(record->mode, record->sync, crash, databases, &source);
    for (uint32_t i = 0; i < j->trace.statement_count; i++) {
        uint32_t mode = mode_set_by(j->trace.statement[i]);
        mc_promise other = mode == MC_MODES ? least
                                            : mc_promise_of((mc_mode)mode, record->sync, crash,
                                                            databases, &source);
        least = other > least ? other : least;
    }
    return least;
}

static void begin_cells(mc_judging *j, mc_cell *cell)
{
    j->cells = cell;
    for (uint32_t i = 0; i < mc_mistake_count(j->options->sidecars); i++) {
        cell[i].commits = j->trace.commit_count;
        cell[i].steps = j->trace.steps;
        cell[i].promise = promise_of(j);
    }
}

static void end_cells(const mc_judging *j, uint64_t skipped)
{
    uint32_t chosen = j->options->sidecars;
    for (uint32_t i = 0; i < mc_mistake_count(chosen); i++) {
        j->cells[i].explored.skipped = skipped;
        j->cells[i].unique = j->known[mc_mistake_chosen(chosen, i)].count;
    }
}

static mc_status open_again(mc_judging *j, mc_error *error)
{
    const mc_judge_options *o = j->options;
    if (!o->again) {
        return MC_OK;
    }
    mc_again_options options = {
        .power = o->power, .budget = o->budget, .found = found_again, .context = j};
    j->again = mc_again_open(j, &options);
    return j->again != NULL ? MC_OK : no_memory(error);
}

/* The counts become the cell's in which states are handed over as they are: the first, if any. */
static mc_status close_again(mc_judging *j, mc_cell *cell, mc_status status, mc_error *error)
{
    if (j->again != NULL && status == MC_OK) {
        cell->again = malloc(sizeof *cell->again);
        if (cell->again == NULL) {
            status = no_memory(error);
        } else {
            mc_again_counts_init(cell->again);
            mc_again_counts_add(cell->again, mc_again_counted(j->again));
        }
    }
    mc_again_close(j->again);
    j->again = NULL;
    return status;
}

mc_status mc_judge(const mc_judge_options *options, mc_cell *cell, mc_error *error)
{
    assert(cell->finding == NULL);
    assert(!options->again || !options->record->kv);
    assert(!options->record->kv || options->sidecars <= 1u << MC_MISTAKE_AS_IS);
    mc_judging *j = malloc(sizeof *j);
    if (j == NULL) {
        return no_memory(error);
    }
    mc_status status = mc_judging_open(j, options, error);
    if (status == MC_OK) {
        mc_explored explored;
        begin_cells(j, cell);
        status = open_again(j, error);
        mc_visitor visitor = {.context = j,
                              .applied = j->trace.is_kv ? NULL : mc_judging_applied,
                              .acked = mc_judging_acked,
                              .state = judge_state};
        if (status == MC_OK && options->power != NULL) {
            j->cell = cell;
            status = mc_loss_judge(j, cell, error);
        } else if (status == MC_OK) {
            status = mc_judging_explore(j, &visitor, &explored, error);
            end_cells(j, explored.skipped);
        }
        if (status == MC_OK && cell->commits == 0) {
            status = mc_fail(error, MC_MALFORMED, "no-commit",
                             "%s: nothing was committed, so no crash was tested",
                             options->record->workload);
        }
        status = close_again(j, cell, status, error);
        mc_judging_close(j);
    }
    free(j);
    return status;
}

bool mc_finding_is_again(const mc_finding *finding)
{
    return strstr(finding->signature, MC_AGAIN_MARK "/") != NULL;
}

void mc_cell_free(mc_cell *cell)
{
    free(cell->finding);
    if (cell->proof != NULL) {
        mc_proof_clear(cell->proof);
        free(cell->proof);
    }
    if (cell->again != NULL) {
        mc_again_counts_clear(cell->again);
        free(cell->again);
    }
    memset(cell, 0, sizeof *cell);
}
