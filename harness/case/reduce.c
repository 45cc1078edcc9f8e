#include "harness/case/reduce.h"

#include "crashsim/workload.h"
#include "harness/case/casejudge.h"
#include "harness/case/ddmin.h"
#include "harness/case/sqltext.h"
#include "harness/case/story.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LITERALS_MAX = 64, EFFORT_PER_RUN = 400, EFFORT_PER_LOSS = 10, EFFORT_PER_PROGRAM = 5000 };
static const uint64_t EFFORT_DEFAULT = 6000000;
static const uint64_t STEPS_FIRST = 1000000000; /* for the program as it is; */
static const uint64_t STEPS_MORE = 100000; /* smaller ones get twice of what it took, and this */

typedef struct reducer {
    const mc_case *c;
    mc_importers subject; /* the importer whose verdict it is, alone */
    mc_record_options record;
    mc_arena arena;
    mc_program program;             /* the smallest one so far */
    char state[MC_STATE_AGAIN_MAX]; /* the first of its states that has the signature */
    uint64_t effort;
    uint64_t spent;
    uint64_t steps; /* of the last program */
    uint32_t tried;
    const mc_power_profile *power; /* or null */
    uint32_t sidecars;             /* the bit of the mistake with which the state was handed over */
    mc_script *part;               /* setup or program: what is being shrunk */
    uint32_t at;                   /* the statement of it that is being shrunk */
    mc_sqltext text;               /* its tokens */
} reducer;

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "reduce: out of memory");
}

/* A finding about the control, or about recover beside it, is not the importer's own verdict. */
static bool is_own(const mc_case *c)
{
    char who[MC_SIGNATURE_MAX];
    (void)snprintf(who, sizeof who, "/%s/", mc_case_text(c, "importer"));
    return strstr(mc_case_text(c, "signature"), who) != NULL;
}

/* All findings of the present program, for a signature that only the judge can give; or of a power
 * loss, whose states are too many to be walked one by one. */
static bool holds_for_judge(reducer *r, const mc_judge_options *options)
{
    mc_error why;
    mc_cell cell = {0};
    bool found = false;
    mc_status status = mc_judge(options, &cell, &why);
    r->spent += cell.explored.states;
    r->spent += cell.proof != NULL ? EFFORT_PER_LOSS * cell.proof->runs : 0;
    r->spent += cell.again != NULL ? EFFORT_PER_LOSS * cell.again->recoveries : 0;
    r->steps = cell.steps;
    for (uint32_t i = 0; status == MC_OK && !found && i < cell.finding_count; i++) {
        found = strcmp(cell.finding[i].signature, mc_case_text(r->c, "signature")) == 0;
        if (found) {
            memcpy(r->state, cell.finding[i].state, sizeof r->state);
        }
    }
    mc_cell_free(&cell);
    return found;
}

/* A walk that ends at the first state with the signature, if it can at one without a torn write. */
typedef struct seeking {
    reducer *r;
    mc_judging *j;
    bool found;
} seeking;

static mc_status on_applied(void *context, const mc_op *op, uint32_t from, uint32_t to,
                            uint64_t size_before, mc_error *error)
{
    return mc_judging_applied(((seeking *)context)->j, op, from, to, size_before, error);
}

static void on_acked(void *context, uint32_t commit)
{
    mc_judging_acked(((seeking *)context)->j, commit);
}

static mc_status seek(void *context, const mc_crash *crash, mc_error *error)
{
    seeking *s = context;
    mc_judging *j = s->j;
    mc_outcome outcome;
    mc_outcome control = {.kind = MC_OUTCOME_SNAPSHOT};
    char signature[MC_SIGNATURE_MAX];
    s->r->spent += j->importers->chosen[0].kind == MC_IMPORTER_EXEC ? EFFORT_PER_PROGRAM : 1;
    mc_status status = mc_judging_outcome(j, 0, &outcome, error);
    if (status == MC_OK && outcome.kind == MC_OUTCOME_REFUSED) {
        status = mc_judging_control(j, &control, error); /* blocked, or refused? */
    }
    if (status != MC_OK) {
        return status;
    }
    mc_verdict verdict = mc_verdict_of(&outcome, j->content.classes, crash->acked, crash->begun,
                                       j->content.empty_class, control.kind == MC_OUTCOME_SNAPSHOT);
    mc_judging_signature(j, crash, j->importers->chosen[0].name, &verdict, &outcome, NULL,
                         signature);
    /* A whole write before a torn one: the walk goes on until it has found the former. */
    bool torn = crash->cut > 0 && !j->trace.is_kv;
    if (strcmp(signature, mc_case_text(s->r->c, "signature")) == 0 && (!s->found || !torn)) {
        s->found = true;
        mc_judging_state_id(j, crash, s->r->state, sizeof s->r->state);
        return torn ? MC_OK : mc_fail(error, MC_USAGE, "found", "enough was seen");
    }
    return MC_OK;
}

/* The state with its mistake, if it was handed over with one. */
static mc_status seek_handed(void *context, const mc_crash *crash, mc_error *error)
{
    mc_judging *j = ((seeking *)context)->j;
    mc_crash handed;
    bool made = false;
    mc_handover_watch(&j->handover, crash);
    uint32_t mistake = mc_mistake_chosen(j->options->sidecars, 0);
    mc_status status = mc_judging_hand_over(j, mistake, crash, &handed, &made, error);
    status = status == MC_OK && made ? seek(context, &handed, error) : status;
    mc_judging_take_back(j);
    return status;
}

static bool holds_for_importer(reducer *r, const mc_judge_options *options)
{
    mc_error why;
    seeking s = {.r = r, .j = malloc(sizeof *s.j)};
    if (s.j != NULL && mc_judging_open(s.j, options, &why) == MC_OK) {
        mc_explored explored;
        mc_visitor visitor = {.context = &s,
                              .applied = s.j->trace.is_kv ? NULL : on_applied,
                              .acked = on_acked,
                              .state = seek_handed};
        r->spent += s.j->trace.op_count;
        r->steps = s.j->trace.steps;
        (void)mc_judging_explore(s.j, &visitor, &explored, &why);
        mc_judging_close(s.j);
    }
    free(s.j);
    return s.found;
}

/* Has the present program a state with the signature? */
static bool holds(reducer *r)
{
    if (r->spent >= r->effort) {
        return false;
    }
    mc_record_options record = r->record;
    record.program = &r->program;
    mc_judge_options options = {
        .record = &record, .importers = &r->subject, .power = r->power, .sidecars = r->sidecars};
    options.again = strstr(mc_case_text(r->c, "signature"), MC_AGAIN_MARK "/") != NULL;
    r->tried++;
    r->spent += EFFORT_PER_RUN;
    return is_own(r->c) && r->power == NULL ? holds_for_importer(r, &options)
                                            : holds_for_judge(r, &options);
}

/* ---- statements ---- */

typedef struct statements {
    reducer *r;
    mc_script whole;
} statements;

static bool holds_with(void *context, const bool *keep, uint32_t count)
{
    statements *s = context;
    mc_script *part = s->r->part;
    part->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (keep[i]) {
            part->text[part->count++] = s->whole.text[i];
        }
    }
    return holds(s->r);
}

static mc_status shrink_statements(reducer *r, mc_script *part, mc_error *error)
{
    enum { PAIRS_MAX = 40 };
    bool keep[MC_DDMIN_MAX];
    uint32_t count = part->count;
    if (count == 0 || count > MC_DDMIN_MAX) {
        return MC_OK;
    }
    statements s = {.r = r, .whole = {.count = count}};
    s.whole.text = mc_arena_calloc(&r->arena, count, sizeof *s.whole.text);
    const char **room = mc_arena_calloc(&r->arena, count, sizeof *room);
    if (s.whole.text == NULL || room == NULL) {
        return no_memory(error);
    }
    memcpy((void *)s.whole.text, (const void *)part->text, count * sizeof *part->text);
    part->text = room;
    part->capacity = count;
    for (uint32_t i = 0; i < count; i++) {
        keep[i] = true;
    }
    r->part = part;
    mc_ddmin(keep, count, holds_with, &s);
    uint32_t left = 0;
    for (uint32_t i = 0; i < count; i++) {
        left += keep[i];
    }
    if (left <= PAIRS_MAX) {
        mc_ddmin_pairs(keep, count, holds_with, &s);
    }
    part->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (keep[i]) {
            part->text[part->count++] = s.whole.text[i];
        }
    }
    return MC_OK;
}

/* Statements of the program that may as well have happened before the trace begins. */
static void move_to_setup(reducer *r, mc_error *error)
{
    mc_script *from = &r->program.program;
    mc_script *to = &r->program.setup;
    for (uint32_t i = 0; i < from->count && from->count > 1; i++) {
        const char *moved = from->text[i];
        if (mc_program_add(&r->program, to, error, "%s", moved) != MC_OK) {
            return;
        }
        memmove((void *)&from->text[i], (const void *)&from->text[i + 1],
                (from->count - i - 1) * sizeof *from->text);
        from->count--;
        if (holds(r)) {
            i--;
            continue;
        }
        memmove((void *)&from->text[i + 1], (const void *)&from->text[i],
                (from->count - i) * sizeof *from->text);
        from->text[i] = moved;
        from->count++;
        to->count--;
    }
}

/* ---- the inside of one statement ---- */

/* Puts the present tokens in the statement's place. False when the property is lost; the statement
 * is then what it was. */
static bool holds_text(reducer *r, const bool *keep)
{
    const char *before = r->part->text[r->at];
    const char *now = mc_sqltext_join(&r->text, keep, &r->arena);
    if (now == NULL || strcmp(now, before) == 0) {
        return false;
    }
    r->part->text[r->at] = now;
    if (holds(r)) {
        return true;
    }
    r->part->text[r->at] = before;
    return false;
}

static bool holds_tokens(void *context, const bool *keep, uint32_t count)
{
    (void)count;
    return holds_text(context, keep);
}

static void shrink_tokens(reducer *r)
{
    bool keep[MC_SQLTEXT_TOKENS_MAX];
    if (!mc_sqltext_split(&r->text, r->part->text[r->at], &r->arena)) {
        return;
    }
    for (uint32_t i = 0; i < r->text.count; i++) {
        keep[i] = true;
    }
    mc_ddmin(keep, r->text.count, holds_tokens, r);
}

/* Makes one number as small as it can be: 1, then by halving the distance. */
static void shrink_number(reducer *r, uint32_t token)
{
    uint64_t high = mc_sqltext_number(&r->text, token); /* has the property */
    uint64_t low = 0;                                   /* has not, or was not tried */
    for (int i = 0; i < LITERALS_MAX && high > low + 1; i++) {
        uint64_t middle = i == 0 ? 1 : low + (high - low) / 2;
        const char *before = r->text.token[token];
        if (!mc_sqltext_set_number(&r->text, token, middle, &r->arena)) {
            return;
        }
        if (holds_text(r, NULL)) {
            high = middle;
        } else {
            low = middle;
            r->text.token[token] = before;
        }
    }
}

static void shrink_numbers(reducer *r)
{
    if (!mc_sqltext_split(&r->text, r->part->text[r->at], &r->arena)) {
        return;
    }
    for (uint32_t i = 0; i < r->text.count; i++) {
        if (mc_sqltext_number(&r->text, i) > 1) {
            shrink_number(r, i);
        }
    }
}

static void shrink_inside(reducer *r, void (*shrink)(reducer *r))
{
    mc_script *parts[] = {&r->program.setup, &r->program.program};
    for (int p = 0; p < 2; p++) {
        r->part = parts[p];
        for (r->at = 0; r->at < parts[p]->count; r->at++) {
            shrink(r);
        }
    }
}

/* ---- the whole ---- */

static uint64_t program_bytes(const mc_program *program)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < program->setup.count; i++) {
        bytes += strlen(program->setup.text[i]) + 1;
    }
    for (uint32_t i = 0; i < program->program.count; i++) {
        bytes += strlen(program->program.text[i]) + 1;
    }
    return bytes;
}

/* Rounds, until one changes nothing. */
static mc_status shrink(reducer *r, bool *minimal, mc_error *error)
{
    uint64_t before;
    mc_status status = MC_OK;
    do {
        before = program_bytes(&r->program);
        status = shrink_statements(r, &r->program.program, error);
        move_to_setup(r, error);
        status = status == MC_OK ? shrink_statements(r, &r->program.setup, error) : status;
        shrink_inside(r, shrink_numbers);
        shrink_inside(r, shrink_tokens);
    } while (status == MC_OK && program_bytes(&r->program) < before && r->spent < r->effort);
    *minimal = r->spent < r->effort;
    return status;
}

static void measure(const mc_case *c, const mc_program *program, mc_reduce_size *out)
{
    *out = (mc_reduce_size){.setup = program->setup.count,
                            .statements = program->program.count,
                            .commits = mc_case_number(c, "begun")};
    for (uint32_t i = 0; i < c->entry_count; i++) {
        out->bytes += mc_case_is_state(c->entry[i].name) ? c->entry[i].file.size : 0;
    }
    for (uint32_t d = 0; d < mc_case_database_count(c); d++) {
        char name[MC_CASE_NAME_BYTES];
        mc_case_snapshot_name(out->commits, d, name);
        out->pages += (uint32_t)(mc_case_file(c, name).size / mc_case_number(c, "page_size"));
    }
    bool kill = strncmp(mc_case_text(c, "crash"), "kill", 4) == 0;
    out->torn_write = kill && strchr(mc_case_text(c, "state"), '+') != NULL;
}

/* Who must be asked for a finding of that signature to show: the case's importer; of the control
 * and of recover beside it, they themselves. */
static mc_status find_subject(reducer *r, const mc_importers *importers, uint32_t *subject,
                              mc_error *error)
{
    const char *name = mc_case_text(r->c, "importer");
    *subject = 0;
    while (*subject < importers->count && strcmp(importers->chosen[*subject].name, name) != 0) {
        (*subject)++;
    }
    if (*subject == importers->count) {
        return mc_fail(error, MC_USAGE, "importer", "reduce: the case's importer %.100s is missing",
                       name);
    }
    r->subject.chosen[0] = importers->chosen[*subject];
    r->subject.count = 1;
    return MC_OK;
}

static mc_status capture(reducer *r, const mc_importers *importers, uint32_t subject, mc_case *out,
                         mc_error *error)
{
    mc_record_options record = r->record;
    mc_record_options named = {0};
    record.program = &r->program;
    mc_story story = {0};
    bool own = is_own(r->c);
    mc_story_request request = {.subject = subject, .keep = out};
    request.signature = own ? NULL : mc_case_text(r->c, "signature");
    mc_judge_options options = {.record = &record, .importers = importers, .sidecars = r->sidecars};
    uint32_t mistake;
    const mc_power_profile *power;
    mc_status status =
        mc_story_parse(r->state, &r->arena, &named, &request, &mistake, &power, error);
    options.power = power;
    status = status == MC_OK ? mc_story_tell(&options, &request, &story, error) : status;
    mc_story_free(&story);
    if (status == MC_OK &&
        strcmp(mc_case_text(out, "signature"), mc_case_text(r->c, "signature")) != 0) {
        status = mc_fail(error, MC_IO, "reduce", "reduce: the signature was lost: %s",
                         mc_case_text(out, "signature"));
        mc_case_free(out);
    }
    return status;
}

static mc_status copy_case(const mc_case *c, mc_case *out, mc_error *error)
{
    uint8_t *data = NULL;
    size_t size = 0;
    mc_status status = mc_case_encode(c, &data, &size, error);
    status = status == MC_OK ? mc_case_decode("reduce", data, size, out, error) : status;
    free(data);
    return status;
}

static mc_status take_program(reducer *r, mc_error *error)
{
    mc_file sql = mc_case_file(r->c, "workload.sql");
    const json_t *facts = r->c->facts;
    mc_case_recipe(r->c, &r->record);
    const char *mistake = strchr(mc_case_text(r->c, "crash"), '@');
    uint32_t number = mistake != NULL ? mc_mistake_find(mistake + 1) : MC_MISTAKE_AS_IS;
    if (number == MC_MISTAKES_MAX) {
        return mc_fail(error, MC_MALFORMED, "case-facts", "reduce: no mistake is called %.40s",
                       mistake + 1);
    }
    r->sidecars = 1u << number;
    r->power = mc_case_power(r->c);
    r->record.workload = "workload.sql"; /* where its text lies, once it is unpacked */
    r->record.steps_limit = STEPS_FIRST;
    r->program = (mc_program){.arena = &r->arena,
                              .cache_pages = r->record.cache_pages,
                              .auto_vacuum = json_is_true(json_object_get(facts, "auto_vacuum")),
                              .attach = json_is_true(json_object_get(facts, "attach"))};
    return mc_sqltext_program((const char *)sql.data, (size_t)sql.size, &r->program, error);
}

mc_status mc_reduce(const mc_case *c, const mc_importers *importers, uint64_t effort, mc_case *out,
                    mc_reduced *reduced, mc_error *error)
{
    memset(reduced, 0, sizeof *reduced);
    memset(out, 0, sizeof *out);
    reducer r = {.c = c, .effort = effort != 0 ? effort : EFFORT_DEFAULT};
    uint32_t subject = 0;
    r.arena.limit_bytes = MC_TRACE_ARENA_BYTES;
    mc_status status = find_subject(&r, importers, &subject, error);
    if (status == MC_OK && !mc_case_file(c, "workload.sql").exists) {
        reduced->no_program = true;
        reduced->minimal = true;
        measure(c, &r.program, &reduced->before);
        reduced->after = reduced->before;
        return copy_case(c, out, error);
    }
    status = status == MC_OK ? take_program(&r, error) : status;
    if (status == MC_OK) {
        measure(c, &r.program, &reduced->before);
        if (!holds(&r)) {
            status = mc_fail(error, MC_IO, "reduce",
                             "reduce: its program, run again, has no state with this signature");
        }
    }
    r.record.steps_limit = 2 * r.steps + STEPS_MORE;
    status = status == MC_OK ? shrink(&r, &reduced->minimal, error) : status;
    /* The last candidate may have failed: the state's name is that of the program that is left. */
    r.effort = UINT64_MAX;
    if (status == MC_OK && !holds(&r)) {
        status = mc_fail(error, MC_IO, "reduce", "reduce: the signature was lost");
    }
    status = status == MC_OK ? capture(&r, importers, subject, out, error) : status;
    reduced->tried = r.tried;
    if (status == MC_OK) {
        measure(out, &r.program, &reduced->after);
    }
    mc_arena_free(&r.arena);
    return status;
}
