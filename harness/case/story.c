#include "harness/case/story.h"

#include "core/text.h"
#include "harness/case/casejudge.h"
#include "harness/case/telling.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 240 };

static const char state_form[] = "WORKLOAD/MODE/SYNC/CRASH/POINT[+CUT][@SIDECARS]";
static const char power_form[] = "WORKLOAD/MODE/SYNC/power:PROFILE/POINT[+CHOICE]";

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "story: out of memory");
}

const char *mc_telling_keep(mc_story *story, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = mc_arena_alloc(&story->arena, size);
    return copy == NULL ? "" : memcpy(copy, text, size);
}

void mc_telling_detectors(mc_telling *t, const mc_outcome *outcome)
{
    const mc_seen_image *seen = mc_content_seen(&t->j->content, outcome->image);
    char noticed[400] = "";
    char missed[200] = "";
    bool asked = seen != NULL && seen->inspection.dumped; /* of some snapshots nobody asked */
    for (int i = 0; (asked || outcome->kind == MC_OUTCOME_OTHER) && i < MC_DETECTORS; i++) {
        bool alarm = (outcome->noticed & 1u << i) != 0;
        char *text = alarm ? noticed : missed;
        size_t size = alarm ? sizeof noticed : sizeof missed;
        size_t have = strlen(text);
        (void)snprintf(text + have, size - have, "%s%s", have > 0 ? ", " : "",
                       mc_detector_names[i]);
    }
    if (seen != NULL && seen->inspection.complaint[0] != '\0') {
        size_t have = strlen(noticed);
        (void)snprintf(noticed + have, sizeof noticed - have, " (%s)", seen->inspection.complaint);
    }
    t->story->noticed = mc_telling_keep(t->story, noticed);
    t->story->missed = mc_telling_keep(t->story, missed);
}

/* The subject's images, in the exploration's arena, and the view that holds their hashes. */
static mc_status subject_images(mc_telling *t, const mc_outcome *outcome, mc_image *images,
                                uint32_t *view, mc_error *error)
{
    mc_judging *j = t->j;
    mc_importer_kind kind = j->importers->chosen[t->request->subject].kind;
    *view = MC_VIEW_SCRATCH;
    (void)outcome;
    if (mc_judging_nothing_there(j)) {
        return MC_OK; /* an empty database, whoever asks */
    }
    if (!j->trace.is_kv && kind <= MC_IMPORTER_RECOVER) {
        if (mc_judging_followed(j, t->request->subject)) {
            *view = kind == MC_IMPORTER_RECOVER ? MC_VIEW_RECOVERED : MC_VIEW_RAW;
        }
        return kind == MC_IMPORTER_RECOVER
                   ? mc_judging_recovered_images(j, &t->story->arena, images, error)
                   : mc_judging_raw_images(j, &t->story->arena, images, error);
    }
    if (!j->trace.is_kv && kind == MC_IMPORTER_SQLITE) {
        return mc_judging_control_copy(j, &t->story->arena, images, error);
    }
    memcpy(images, j->given, j->trace.database_count * sizeof *images);
    return MC_OK;
}

static mc_status tell_difference(mc_telling *t, const mc_image *images, mc_error *error)
{
    mc_judging *j = t->j;
    for (uint32_t d = 0; d < j->history.database_count; d++) {
        mc_image expected;
        char text[LINE_BYTES];
        mc_status status = mc_history_image(&j->history, t->story->snapshot, d, &t->story->arena,
                                            &expected, error);
        status = status == MC_OK ? mc_inspect_difference(j->content.inspector, &expected,
                                                         &images[d], text, sizeof text, error)
                                 : status;
        if (status != MC_OK) {
            return status;
        }
        if (text[0] != '\0') {
            t->story->difference = mc_telling_keep(t->story, text);
            return MC_OK;
        }
    }
    return MC_OK;
}

static void answer(mc_telling *t, const char *importer, const mc_verdict *verdict, bool subject)
{
    char text[64];
    mc_verdict_text(verdict, text, sizeof text);
    const char *kept = mc_telling_keep(t->story, text);
    t->story->answer[t->story->answer_count++] = (mc_story_answer){importer, kept, subject};
    if (subject) {
        t->story->verdict = kept;
    }
}

static void tell_mistake(mc_telling *t)
{
    char done[LINE_BYTES];
    char effect[LINE_BYTES];
    if (t->j->handover.mistake != NULL) {
        mc_handover_tell(&t->j->handover, done, sizeof done, effect, sizeof effect);
        t->story->handed = mc_telling_keep(t->story, done);
        t->story->effect = mc_telling_keep(t->story, effect);
    }
}

/* What only the trace knows: the operations, and what was going on at the crash. */
static mc_status tell_signature(mc_telling *t, const mc_crash *crash, const mc_outcome *own,
                                mc_error *error)
{
    mc_judging *j = t->j;
    const char *subject = j->importers->chosen[t->request->subject].name;
    char signature[MC_SIGNATURE_MAX];
    mc_verdict verdict = mc_verdict_of(own, j->content.classes, crash->acked, crash->begun,
                                       j->content.empty_class, t->recovers);
    mc_judging_signature(j, crash, subject, &verdict, own, NULL, signature);
    bool given = t->request->signature != NULL;
    t->story->signature = mc_telling_keep(t->story, given ? t->request->signature : signature);
    tell_mistake(t);
    return mc_telling_operations(t, error);
}

/* Has recovery, the subject's too, damaged a main file that was whole? Said of power losses. */
static bool is_induced(const mc_telling *t)
{
    mc_importer_kind kind = t->j->importers->chosen[t->request->subject].kind;
    return t->j->options->power != NULL && t->request->again == NULL && t->whole && !t->recovers &&
           (kind == MC_IMPORTER_RECOVER || kind == MC_IMPORTER_SQLITE);
}

mc_status mc_telling_answers(mc_telling *t, const mc_crash *crash, mc_error *error)
{
    mc_judging *j = t->j;
    mc_outcome control;
    t->story->acked = crash->acked;
    t->story->begun = crash->begun;
    t->story->subject = mc_telling_keep(t->story, j->importers->chosen[t->request->subject].name);
    mc_status status = mc_judging_control(j, &control, error);
    bool recovers = status == MC_OK && control.kind == MC_OUTCOME_SNAPSHOT;
    t->recovers = recovers;
    t->whole = false;
    for (uint32_t i = 0; status == MC_OK && i < j->importers->count; i++) {
        mc_outcome outcome;
        status = mc_judging_outcome(j, i, &outcome, error);
        if (status == MC_OK) {
            mc_verdict verdict = mc_verdict_of(&outcome, j->content.classes, crash->acked,
                                               crash->begun, j->content.empty_class, recovers);
            answer(t, j->importers->chosen[i].name, &verdict, i == t->request->subject);
            t->whole = t->whole || (j->importers->chosen[i].kind == MC_IMPORTER_ABANDON &&
                                    outcome.kind == MC_OUTCOME_SNAPSHOT);
        }
    }
    if (status != MC_OK) {
        return status;
    }
    mc_verdict verdict = mc_verdict_of(&control, j->content.classes, crash->acked, crash->begun,
                                       j->content.empty_class, recovers);
    answer(t, "SQLite itself", &verdict, false);
    return MC_OK;
}

mc_status mc_telling_subject(mc_telling *t, const mc_outcome *own, mc_image *images,
                             mc_error *error)
{
    bool imported = own->kind == MC_OUTCOME_SNAPSHOT || own->kind == MC_OUTCOME_OTHER;
    uint32_t view = MC_VIEW_SCRATCH;
    if (!imported) {
        return MC_OK;
    }
    mc_status status = subject_images(t, own, images, &view, error);
    status = status == MC_OK ? mc_telling_pages(t, view, error) : status;
    return status == MC_OK ? tell_difference(t, images, error) : status;
}

/* Everything about the present state. */
static mc_status tell(mc_telling *t, const mc_crash *crash, mc_error *error)
{
    mc_outcome own = {0};
    mc_image images[MC_DATABASES_MAX] = {{0}};
    t->found = true;
    mc_status status = mc_telling_answers(t, crash, error);
    /* Once more for the subject: its image is then the last one made. */
    status = status == MC_OK ? mc_judging_outcome(t->j, t->request->subject, &own, error) : status;
    if (status != MC_OK) {
        return status;
    }
    mc_telling_detectors(t, &own);
    mc_crash noted = *crash;
    noted.note = is_induced(t) ? "recovery-induced" : crash->note;
    status = t->stored != NULL ? MC_OK : tell_signature(t, &noted, &own, error);
    status = status == MC_OK ? mc_telling_subject(t, &own, images, error) : status;
    if (status == MC_OK && t->request->folder != NULL) {
        status = mc_telling_folder(t, &own, images, error);
    }
    if (status == MC_OK && t->request->keep != NULL) {
        status = mc_case_capture(t->j, crash, t->story, t->request->keep, error);
    }
    return status;
}

/* Before the state: only the subject's verdict, to know since when it has been what it is. */
static mc_status on_handed(mc_telling *t, const mc_crash *crash, mc_error *error)
{
    mc_judging *j = t->j;
    mc_outcome outcome;
    mc_status status = mc_judging_outcome(j, t->request->subject, &outcome, error);
    if (status != MC_OK) {
        return status;
    }
    mc_verdict verdict = mc_verdict_of(&outcome, j->content.classes, crash->acked, crash->begun,
                                       j->content.empty_class, true);
    if (t->any && verdict.kind != t->last) {
        t->bad = crash->cut > 0 ? crash->point : crash->point - 1;
        t->story->before = mc_verdict_names[t->last];
    }
    t->any = true;
    t->last = verdict.kind;
    if (crash->point == t->request->point && crash->cut == t->request->cut) {
        if (t->request->again != NULL) {
            t->found = true;
            t->story->before = NULL; /* that is about the first crash */
            return mc_telling_again(t, crash, tell, error);
        }
        t->story->bad = t->bad;
        mc_judging_state_id(j, crash, t->story->state, sizeof t->story->state);
        return tell(t, crash, error);
    }
    return MC_OK;
}

static mc_status on_state(void *context, const mc_crash *crash, mc_error *error)
{
    mc_telling *t = context;
    mc_judging *j = t->j;
    /* Of a program, which takes milliseconds, only the verdict one operation earlier is asked. */
    bool program = j->importers->chosen[t->request->subject].kind == MC_IMPORTER_EXEC;
    bool early = program && crash->point + 1 < t->request->point;
    if (t->found) {
        return MC_OK;
    }
    mc_crash handed;
    bool made = false;
    mc_handover_watch(&j->handover, crash);
    mc_status status = mc_judging_hand_over(j, t->mistake, crash, &handed, &made, error);
    if (status == MC_OK && made && !early) {
        status = on_handed(t, &handed, error);
    } else if (status == MC_OK && !made && crash->point == t->request->point &&
               crash->cut == t->request->cut) {
        status = mc_fail(error, MC_USAGE, "no-such-state",
                         "explain: %s changes nothing in this state", mc_mistakes[t->mistake].name);
    }
    mc_judging_take_back(j);
    return status;
}

static mc_status on_applied(void *context, const mc_op *op, uint32_t from, uint32_t to,
                            uint64_t size_before, mc_error *error)
{
    return mc_judging_applied(((mc_telling *)context)->j, op, from, to, size_before, error);
}

static void on_acked(void *context, uint32_t commit)
{
    mc_judging_acked(((mc_telling *)context)->j, commit);
}

static void begin(mc_story *story, const mc_trace *trace)
{
    story->commits = trace->commit_count;
    story->elements = trace->op_count;
    story->database_count = trace->database_count;
    story->is_kv = trace->is_kv;
    for (uint32_t d = 0; d < trace->database_count; d++) {
        story->database[d] = mc_telling_keep(story, trace->database[d]);
    }
}

static mc_status tell_power(mc_telling *t, mc_error *error)
{
    mc_crash crash;
    mc_status status = mc_telling_power(t, &crash, error);
    if (status == MC_OK && t->found && t->request->again != NULL) {
        t->story->loss_count = 0; /* what is told is the second crash */
        status = mc_telling_again(t, &crash, tell, error);
    } else if (status == MC_OK && t->found) {
        mc_judging_state_id(t->j, &crash, t->story->state, MC_STATE_ID_MAX);
        status = tell(t, &crash, error);
    }
    return status;
}

mc_status mc_story_tell(const mc_judge_options *options, const mc_story_request *request,
                        mc_story *story, mc_error *error)
{
    memset(story, 0, sizeof *story);
    story->arena.limit_bytes = SIZE_MAX / 2;
    mc_judging *j = malloc(sizeof *j);
    if (j == NULL) {
        return no_memory(error);
    }
    mc_status status = mc_judging_open(j, options, error);
    if (status == MC_OK) {
        mc_telling t = {.j = j,
                        .story = story,
                        .request = request,
                        .mistake = mc_mistake_chosen(options->sidecars, 0)};
        mc_explored explored;
        mc_visitor visitor = {.context = &t,
                              .applied = j->trace.is_kv ? NULL : on_applied,
                              .acked = on_acked,
                              .state = on_state};
        begin(story, &j->trace);
        status = options->power != NULL ? tell_power(&t, error)
                                        : mc_judging_explore(j, &visitor, &explored, error);
        if (status == MC_OK && !t.found) {
            status = mc_fail(error, MC_USAGE, "no-such-state",
                             "explain: no state %zu+%u: %s has elements 0 to %zu", request->point,
                             request->cut, options->record->workload, j->trace.op_count);
        }
        mc_judging_close(j);
    }
    free(j);
    if (status != MC_OK) {
        mc_story_free(story);
    }
    return status;
}

/* Text from a case, for a terminal: a case may come from anywhere. */
static const char *keep_plain(mc_story *story, const char *text)
{
    mc_bytes bytes = {(const uint8_t *)text, strlen(text)};
    const char *plain = mc_text_utf8(&story->arena, bytes, MC_TEXT_UTF8);
    return plain == NULL ? "" : plain;
}

static uint64_t number_of(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 ? (uint64_t)value : 0;
}

/* The part of a story that needs its trace, as the case keeps it. What is missing or of another
 * form is left out: it is shown, not judged. */
static mc_status take_stored(const mc_case *c, mc_story *story, mc_error *error)
{
    const json_t *told = json_object_get(c->facts, "story");
    const json_t *list = json_object_get(told, "operations");
    const char *before = json_string_value(json_object_get(told, "before"));
    const char *handed = json_string_value(json_object_get(told, "handed"));
    const char *effect = json_string_value(json_object_get(told, "effect"));
    story->commits = (uint32_t)number_of(told, "commits");
    story->elements = (size_t)number_of(told, "elements");
    const json_t *bad = json_object_get(told, "first_bad");
    const char *bad_text = json_string_value(json_object_get(bad, "does"));
    story->bad = (size_t)number_of(bad, "element");
    story->bad_text = bad_text == NULL ? NULL : keep_plain(story, bad_text);
    story->before = before == NULL || bad == NULL ? NULL : keep_plain(story, before);
    const char *again = json_string_value(json_object_get(told, "again"));
    story->again = again == NULL ? NULL : keep_plain(story, again);
    story->handed = handed == NULL ? NULL : keep_plain(story, handed);
    story->effect = effect == NULL ? "" : keep_plain(story, effect);
    story->signature = keep_plain(story, mc_case_text(c, "signature"));
    (void)snprintf(story->state, sizeof story->state, "%s",
                   keep_plain(story, mc_case_text(c, "state")));
    story->op = mc_arena_calloc(&story->arena, json_array_size(list), sizeof *story->op);
    if (story->op == NULL) {
        return no_memory(error);
    }
    size_t i;
    json_t *value;
    json_array_foreach(json_object_get(told, "power"), i, value)
    {
        if (json_is_string(value) && story->loss_count < MC_STORY_LOSS_MAX) {
            story->loss[story->loss_count++] = keep_plain(story, json_string_value(value));
        }
    }
    json_array_foreach(list, i, value)
    {
        const char *does = json_string_value(json_object_get(value, "does"));
        const char *statement = json_string_value(json_object_get(value, "statement"));
        if (does != NULL) {
            story->op[story->op_count++] =
                (mc_story_op){.number = (size_t)number_of(value, "element"),
                              .text = keep_plain(story, does),
                              .statement = statement == NULL ? NULL : keep_plain(story, statement),
                              .crash = json_is_true(json_object_get(value, "crash"))};
        }
    }
    return MC_OK;
}

static mc_status tell_stored(void *context, mc_judging *j, const mc_crash *crash, mc_error *error)
{
    mc_telling *t = context;
    t->j = j;
    begin(t->story, &j->trace);
    mc_status status = take_stored(t->stored, t->story, error);
    return status == MC_OK ? tell(t, crash, error) : status;
}

mc_status mc_story_of_case(const mc_case *c, const mc_importers *importers,
                           const mc_story_request *request, mc_story *story, mc_error *error)
{
    memset(story, 0, sizeof *story);
    story->arena.limit_bytes = SIZE_MAX / 2;
    mc_telling t = {.story = story, .request = request, .stored = c};
    mc_status status = mc_case_judge(c, importers, tell_stored, &t, error);
    if (status != MC_OK) {
        mc_story_free(story);
    }
    return status;
}

void mc_story_free(mc_story *story)
{
    mc_arena_free(&story->arena);
    memset(story, 0, sizeof *story);
}

static int word_index(const char *word, const char *const *words, int count)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(word, words[i]) == 0) {
            return i;
        }
    }
    return -1;
}

/* The last part of a state's name: POINT, or POINT+CUT of a model that cuts, or POINT+CHOICE. */
bool mc_story_point(char *text, bool power, mc_story_request *request)
{
    size_t digits = strspn(text, "0123456789");
    char *end = NULL;
    errno = 0;
    request->point = (size_t)strtoull(text, &end, 10);
    request->cut = 0;
    request->choice = power ? text + digits + (text[digits] == '+') : NULL;
    if (digits == 0 || errno != 0 || (text[digits] != '\0' && text[digits] != '+')) {
        return false;
    }
    if (power || text[digits] == '\0') {
        return true;
    }
    const char *cut = text + digits + 1;
    unsigned long long bytes = strtoull(cut, &end, 10);
    request->cut = (uint32_t)bytes;
    return *cut != '\0' && strspn(cut, "0123456789") == strlen(cut) && errno == 0 &&
           bytes <= UINT32_MAX;
}

/* What of a state's name, as it was taken apart, means nothing; or null. */
static const char *what_is_wrong(int mode, int sync, int model, const mc_power_profile *power,
                                 bool pointed, uint32_t mistake)
{
    return mode < 0                      ? "MODE"
           : sync < 0                    ? "SYNC"
           : model < 0 && power == NULL  ? "CRASH"
           : !pointed                    ? "POINT"
           : mistake == MC_MISTAKES_MAX  ? "SIDECARS"
           : mistake == MC_MISTAKE_AS_IS ? NULL
           : power != NULL               ? "SIDECARS (a power loss is handed over as it is)"
           : model < MC_KV_BUILDS        ? "SIDECARS (a v1 store has none)"
                                         : NULL;
}

mc_status mc_story_parse(const char *id, mc_arena *arena, mc_record_options *record,
                         mc_story_request *request, uint32_t *mistake,
                         const mc_power_profile **power, mc_error *error)
{
    static const char *const models[] = {"kv:journal", "kv:batch", "kv:batch-128", "kill"};
    size_t size = strlen(id) + 1;
    char *text = mc_arena_alloc(arena, size);
    if (text == NULL) {
        return no_memory(error);
    }
    memcpy(text, id, size);
    /* A workload's path may have two slashes, too; more follow then. */
    char *again = text;
    for (char *at = strstr(text, "//"); at != NULL; at = strstr(at + 1, "//")) {
        again = at;
    }
    bool twice = again != text && strchr(again + 2, '/') == NULL;
    request->again = twice ? again + 2 : NULL;
    if (twice) {
        *again = '\0';
    }
    /* A workload's path may have an @, too. */
    const char *last = strrchr(text, '/');
    char *at_sign = last == NULL ? NULL : strchr(last, '@');
    *mistake = at_sign == NULL ? (uint32_t)MC_MISTAKE_AS_IS : mc_mistake_find(at_sign + 1);
    if (at_sign != NULL) {
        *at_sign = '\0';
    }
    char *part[5] = {text};
    for (int i = 4; i > 0; i--) {
        char *slash = strrchr(text, '/');
        if (slash == NULL) {
            return mc_fail(error, MC_USAGE, "state", "explain: \"%.100s\" is no file, and not %s",
                           id, state_form);
        }
        *slash = '\0';
        part[i] = slash + 1;
    }
    bool lost = strncmp(part[3], "power:", 6) == 0;
    *power = lost ? mc_power_find(part[3] + 6) : NULL;
    int mode = word_index(part[1], mc_mode_names, MC_MODES);
    int sync = word_index(part[2], mc_sync_names, MC_SYNCS);
    int model = word_index(part[3], models, 4);
    bool pointed = mc_story_point(part[4], lost, request);
    if (twice && ((!lost && model >= 0 && model < MC_KV_BUILDS) || at_sign != NULL)) {
        return mc_fail(error, MC_USAGE, "state",
                       "explain: \"%.100s\": a second crash is only of files that are handed over "
                       "as they are",
                       id);
    }
    const char *wrong = what_is_wrong(mode, sync, model, *power, pointed, *mistake);
    if (wrong != NULL) {
        return mc_fail(error, MC_USAGE, "state", "explain: \"%.100s\" is not %s: no such %s", id,
                       lost ? power_form : state_form, wrong);
    }
    record->workload = part[0];
    record->mode = (mc_mode)mode;
    record->sync = (mc_sync)sync;
    record->kv = !lost && model < MC_KV_BUILDS;
    record->kv_build = record->kv ? (mc_kv_build)model : MC_KV_JOURNAL;
    return MC_OK;
}
