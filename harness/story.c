#include "harness/story.h"

#include "core/pages.h"
#include "harness/judging.h"
#include "harness/optext.h"
#include "harness/outfile.h"
#include "crashsim/dump.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { OPS_BEFORE = 8, OPS_AFTER = 4, LINE_BYTES = 240 };

/* A walk that stops to tell one state's story. */
typedef struct telling {
    mc_judging *j;
    mc_story *story;
    size_t point;
    uint32_t cut;
    uint32_t subject;
    uint32_t mistake;
    const char *folder;
    bool found;
    mc_verdict_kind last; /* verdict of the subject at the state before */
    size_t since;
    bool any;
} telling;

static const char state_form[] = "WORKLOAD/MODE/SYNC/CRASH/POINT[+CUT][@SIDECARS]";

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "story: out of memory");
}

static const char *keep(mc_story *story, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = mc_arena_alloc(&story->arena, size);
    return copy == NULL ? "" : memcpy(copy, text, size);
}

static void tell_ops(telling *t)
{
    const mc_trace *trace = &t->j->trace;
    mc_story *story = t->story;
    size_t first = t->point > OPS_BEFORE ? t->point - OPS_BEFORE : 0;
    size_t end = t->point + OPS_AFTER < trace->op_count ? t->point + OPS_AFTER : trace->op_count;
    story->op = mc_arena_calloc(&story->arena, end - first + 1, sizeof *story->op);
    if (story->op == NULL) {
        return;
    }
    for (size_t i = first; i < end; i++) {
        char line[LINE_BYTES];
        mc_optext(trace, i, t->j->history.page_size, line, sizeof line);
        mc_story_op *op = &story->op[story->op_count++];
        *op = (mc_story_op){.number = i, .text = keep(story, line), .crash = i == t->point};
        bool changed = i == first || trace->op[i].statement != trace->op[i - 1].statement;
        if (changed && trace->op[i].statement < trace->statement_count) {
            op->statement = keep(story, trace->statement[trace->op[i].statement]);
        }
    }
}

/* Which snapshots near the crash a page's hash belongs to. */
static const char *belongs_to(telling *t, uint32_t database, uint32_t page, uint64_t hash)
{
    const mc_history *history = &t->j->history;
    char text[80];
    uint32_t last = t->story->begun;
    if (hash == 0) {
        return "absent";
    }
    bool now = mc_history_page(history, t->story->acked, database, page) == hash;
    bool next = last != t->story->acked && mc_history_page(history, last, database, page) == hash;
    if (now && next) {
        return "both";
    }
    if (now || next) {
        (void)snprintf(text, sizeof text, "%u (%s)", now ? t->story->acked : last,
                       now ? "acknowledged" : "in flight");
        return keep(t->story, text);
    }
    for (uint32_t k = t->story->acked; k > 0; k--) {
        if (mc_history_page(history, k - 1, database, page) == hash) {
            (void)snprintf(text, sizeof text, "%u (older)", k - 1);
            return keep(t->story, text);
        }
    }
    return "none";
}

static mc_status tell_page(telling *t, uint32_t view, uint32_t database, uint32_t page,
                           const mc_page_info *info, uint32_t info_count)
{
    const mc_history *history = &t->j->history;
    mc_story *story = t->story;
    uint64_t hash = mc_oracle_page(&t->j->oracle, view, database, page);
    hash = page <= t->j->oracle.view[view].page_count[database] ? hash : 0;
    uint64_t expected = mc_history_page(history, story->snapshot, database, page);
    uint64_t other = mc_history_page(history, story->begun, database, page);
    uint64_t acked = mc_history_page(history, story->acked, database, page);
    bool wrong = expected != MC_ANY && expected != hash;
    if (!wrong && other == acked) {
        story->pages_same++;
        return MC_OK;
    }
    char role[80];
    const mc_page_info *own = page <= info_count ? &info[page - 1] : NULL;
    (void)snprintf(role, sizeof role, "%s%s%s",
                   own != NULL ? mc_page_role_name((mc_page_role)own->role) : "-",
                   own != NULL && own->owner != NULL ? " of " : "",
                   own != NULL && own->owner != NULL ? own->owner : "");
    story->page[story->page_count++] = (mc_story_page){
        .database = database,
        .page = page,
        .role = keep(story, role),
        .of = expected == MC_ANY ? "content does not count" : belongs_to(t, database, page, hash),
        .wrong = wrong,
    };
    return MC_OK;
}

static mc_status tell_pages(telling *t, uint32_t view, mc_error *error)
{
    mc_judging *j = t->j;
    mc_story *story = t->story;
    uint32_t database;
    uint32_t first;
    story->snapshot = mc_content_first_wrong(&j->oracle, view, &database, &first);
    uint32_t limit = 0;
    for (uint32_t d = 0; d < j->history.database_count; d++) {
        uint32_t have = j->oracle.view[view].page_count[d];
        uint32_t want = j->history.snapshot[story->snapshot].page_count[d];
        limit += have > want ? have : want;
    }
    story->page = mc_arena_calloc(&story->arena, limit, sizeof *story->page);
    if (story->page == NULL) {
        return no_memory(error);
    }
    for (uint32_t d = 0; d < j->history.database_count; d++) {
        mc_image image;
        mc_arena_reset(&j->arena);
        mc_status status =
            mc_history_image(&j->history, story->snapshot, d, &j->arena, &image, error);
        mc_page_info *info = mc_arena_calloc(&j->arena, image.page_count, sizeof *info);
        status = info == NULL ? no_memory(error) : status;
        status = status == MC_OK ? mc_pages_walk(&image, &j->arena, info, error) : status;
        uint32_t have = j->oracle.view[view].page_count[d];
        uint32_t pages = have > image.page_count ? have : image.page_count;
        for (uint32_t page = 1; status == MC_OK && page <= pages; page++) {
            status = tell_page(t, view, d, page, info, image.page_count);
        }
        if (status != MC_OK) {
            return status;
        }
    }
    return MC_OK;
}

static void tell_detectors(telling *t, const mc_outcome *outcome)
{
    const mc_seen_image *seen = mc_content_seen(&t->j->content, outcome->image);
    char noticed[400] = "";
    char missed[200] = "";
    for (int i = 0; outcome->kind == MC_OUTCOME_OTHER && i < MC_DETECTORS; i++) {
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
    t->story->noticed = keep(t->story, noticed);
    t->story->missed = keep(t->story, missed);
}

/* The subject's images, in the exploration's arena, and the view that holds their hashes. */
static mc_status subject_images(telling *t, const mc_outcome *outcome, mc_image *images,
                                uint32_t *view, mc_error *error)
{
    mc_judging *j = t->j;
    mc_importer_kind kind = j->importers->chosen[t->subject].kind;
    *view = MC_VIEW_SCRATCH;
    (void)outcome;
    if (!j->trace.is_kv && kind <= MC_IMPORTER_RECOVER) {
        if (mc_judging_followed(j, t->subject)) {
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

static mc_status tell_difference(telling *t, const mc_image *images, mc_error *error)
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
            t->story->difference = keep(t->story, text);
            return MC_OK;
        }
    }
    return MC_OK;
}

static mc_status put_image(const char *folder, const char *name, const mc_image *image,
                           mc_error *error)
{
    char path[4096];
    mc_outfile file;
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    mc_status status = mc_outfile_open(&file, path, error);
    if (status != MC_OK) {
        return status;
    }
    for (uint32_t i = 0; status == MC_OK && i < image->page_count; i++) {
        status = mc_outfile_write(&file, image->page[i], image->page_size, error);
    }
    if (status != MC_OK) {
        mc_outfile_abandon(&file);
        return status;
    }
    return mc_outfile_commit(&file, error);
}

static mc_status put_state(telling *t, mc_error *error)
{
    const mc_disk *disk = &t->j->trace.base;
    char path[4096];
    if (t->j->trace.is_kv) {
        (void)snprintf(path, sizeof path, "%s/kv.jsonl", t->folder);
        FILE *file = fopen(path, "wxe");
        if (file == NULL) {
            return mc_fail(error, MC_IO, "io", "%s: %s", path, strerror(errno));
        }
        mc_status status = mc_dump_write(&t->j->store, file, path, error);
        (void)fclose(file);
        return status;
    }
    for (uint32_t i = 0; i < disk->file_count; i++) {
        const mc_disk_file *file = &disk->file[i];
        if (file->exists) {
            (void)snprintf(path, sizeof path, "%s/%s", t->folder, file->name);
            mc_status status = mc_outfile_put(path, file->data, (size_t)file->size, error);
            if (status != MC_OK) {
                return status;
            }
        }
    }
    return MC_OK;
}

static mc_status put_folder(telling *t, const mc_outcome *outcome, const mc_image *images,
                            mc_error *error)
{
    if (mkdir(t->folder, 0777) != 0) {
        return mc_fail(error, MC_IO, "io", "%s: %s", t->folder, strerror(errno));
    }
    mc_status status = put_state(t, error);
    bool imported = outcome->kind == MC_OUTCOME_SNAPSHOT || outcome->kind == MC_OUTCOME_OTHER;
    for (uint32_t d = 0; status == MC_OK && d < t->j->history.database_count; d++) {
        char name[64];
        const char *suffix = d == 0 ? "" : "-aux";
        if (imported) {
            (void)snprintf(name, sizeof name, "imported%s.db", suffix);
            status = put_image(t->folder, name, &images[d], error);
        }
        for (uint32_t k = t->story->acked; status == MC_OK && k <= t->story->begun; k++) {
            mc_image image;
            status = mc_history_image(&t->j->history, k, d, &t->story->arena, &image, error);
            (void)snprintf(name, sizeof name, "snapshot-%u%s.db", k, suffix);
            status = status == MC_OK ? put_image(t->folder, name, &image, error) : status;
        }
    }
    return status;
}

static void answer(telling *t, const char *importer, const mc_verdict *verdict, bool subject)
{
    char text[64];
    mc_verdict_text(verdict, text, sizeof text);
    const char *kept = keep(t->story, text);
    t->story->answer[t->story->answer_count++] = (mc_story_answer){importer, kept, subject};
    if (subject) {
        t->story->verdict = kept;
    }
}

static void tell_mistake(telling *t)
{
    char done[LINE_BYTES];
    char effect[LINE_BYTES];
    if (t->j->handover.mistake != NULL) {
        mc_handover_tell(&t->j->handover, done, sizeof done, effect, sizeof effect);
        t->story->handed = keep(t->story, done);
        t->story->effect = keep(t->story, effect);
    }
}

static mc_status tell(telling *t, const mc_crash *crash, mc_error *error)
{
    mc_judging *j = t->j;
    mc_outcome control;
    mc_outcome own = {0};
    mc_image images[MC_DATABASES_MAX] = {{0}};
    t->found = true;
    t->story->acked = crash->acked;
    t->story->begun = crash->begun;
    mc_judging_state_id(j, crash, t->story->state, sizeof t->story->state);
    mc_status status = mc_judging_control(j, &control, error);
    bool recovers = status == MC_OK && control.kind == MC_OUTCOME_SNAPSHOT;
    for (uint32_t i = 0; status == MC_OK && i < j->importers->count; i++) {
        mc_outcome outcome;
        status = mc_judging_outcome(j, i, &outcome, error);
        if (status == MC_OK) {
            mc_verdict verdict = mc_verdict_of(&outcome, j->content.classes, crash->acked,
                                               crash->begun, j->content.empty_class, recovers);
            answer(t, j->importers->chosen[i].name, &verdict, i == t->subject);
        }
    }
    /* Once more for the subject: its image is then the last one made. */
    status = status == MC_OK ? mc_judging_outcome(j, t->subject, &own, error) : status;
    if (status != MC_OK) {
        return status;
    }
    mc_verdict verdict = mc_verdict_of(&control, j->content.classes, crash->acked, crash->begun,
                                       j->content.empty_class, recovers);
    answer(t, "SQLite itself", &verdict, false);
    tell_mistake(t);
    tell_ops(t);
    tell_detectors(t, &own);
    bool imported = own.kind == MC_OUTCOME_SNAPSHOT || own.kind == MC_OUTCOME_OTHER;
    uint32_t view = MC_VIEW_SCRATCH;
    if (imported) {
        status = subject_images(t, &own, images, &view, error);
        status = status == MC_OK ? tell_pages(t, view, error) : status;
        status = status == MC_OK ? tell_difference(t, images, error) : status;
    }
    if (status == MC_OK && t->folder != NULL) {
        status = put_folder(t, &own, images, error);
    }
    return status;
}

/* Before the state: only the subject's verdict, to know since when it has been what it is. */
static mc_status on_handed(telling *t, const mc_crash *crash, mc_error *error)
{
    mc_judging *j = t->j;
    mc_outcome outcome;
    mc_status status = mc_judging_outcome(j, t->subject, &outcome, error);
    if (status != MC_OK) {
        return status;
    }
    mc_verdict verdict = mc_verdict_of(&outcome, j->content.classes, crash->acked, crash->begun,
                                       j->content.empty_class, true);
    if (t->any && verdict.kind != t->last) {
        t->since = crash->point;
        t->story->before = mc_verdict_names[t->last];
    }
    t->any = true;
    t->last = verdict.kind;
    if (crash->point == t->point && crash->cut == t->cut) {
        t->story->since = t->since;
        return tell(t, crash, error);
    }
    return MC_OK;
}

static mc_status on_state(void *context, const mc_crash *crash, mc_error *error)
{
    telling *t = context;
    mc_judging *j = t->j;
    if (t->found) {
        return MC_OK;
    }
    mc_crash handed;
    bool made = false;
    mc_handover_watch(&j->handover, crash);
    mc_status status = mc_judging_hand_over(j, t->mistake, crash, &handed, &made, error);
    if (status == MC_OK && made) {
        status = on_handed(t, &handed, error);
    } else if (status == MC_OK && crash->point == t->point && crash->cut == t->cut) {
        status = mc_fail(error, MC_USAGE, "no-such-state",
                         "explain: %s changes nothing in this state", mc_mistakes[t->mistake].name);
    }
    mc_judging_take_back(j);
    return status;
}

static mc_status on_applied(void *context, const mc_op *op, uint32_t from, uint32_t to,
                            uint64_t size_before, mc_error *error)
{
    return mc_judging_applied(((telling *)context)->j, op, from, to, size_before, error);
}

static void on_acked(void *context, uint32_t commit)
{
    mc_judging_acked(((telling *)context)->j, commit);
}

mc_status mc_story_tell(const mc_judge_options *options, size_t point, uint32_t cut,
                        uint32_t subject, const char *folder, mc_story *story, mc_error *error)
{
    mc_judging *j = malloc(sizeof *j);
    if (j == NULL) {
        return no_memory(error);
    }
    memset(story, 0, sizeof *story);
    story->arena.limit_bytes = SIZE_MAX / 2;
    mc_status status = mc_judging_open(j, options, error);
    if (status == MC_OK) {
        telling t = {.j = j,
                     .story = story,
                     .point = point,
                     .cut = cut,
                     .subject = subject,
                     .mistake = mc_mistake_chosen(options->sidecars, 0),
                     .folder = folder};
        mc_explored explored;
        mc_visitor visitor = {.context = &t,
                              .applied = j->trace.is_kv ? NULL : on_applied,
                              .acked = on_acked,
                              .state = on_state};
        story->commits = j->trace.commit_count;
        story->elements = j->trace.op_count;
        story->database_count = j->trace.database_count;
        for (uint32_t d = 0; d < j->trace.database_count; d++) {
            story->database[d] = keep(story, j->trace.database[d]);
        }
        status = mc_judging_explore(j, &visitor, &explored, error);
        if (status == MC_OK && !t.found) {
            status = mc_fail(error, MC_USAGE, "no-such-state",
                             "explain: no state %zu+%u: %s has elements 0 to %zu", point, cut,
                             options->record->workload, j->trace.op_count);
        }
        mc_judging_close(j);
    }
    free(j);
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

mc_status mc_story_parse(const char *id, mc_arena *arena, mc_record_options *record, size_t *point,
                         uint32_t *cut, uint32_t *mistake, mc_error *error)
{
    static const char *const models[] = {"kv:journal", "kv:batch", "kv:batch-128", "kill"};
    size_t size = strlen(id) + 1;
    char *text = mc_arena_alloc(arena, size);
    if (text == NULL) {
        return no_memory(error);
    }
    memcpy(text, id, size);
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
            return mc_fail(error, MC_USAGE, "state", "explain: \"%s\" is not %s", id, state_form);
        }
        *slash = '\0';
        part[i] = slash + 1;
    }
    int mode = word_index(part[1], mc_mode_names, MC_MODES);
    int sync = word_index(part[2], mc_sync_names, MC_SYNCS);
    int model = word_index(part[3], models, 4);
    unsigned long long at = 0;
    unsigned bytes = 0;
    char end;
    int numbers = sscanf(part[4], "%llu+%u%c", &at, &bytes, &end);
    bool plain = numbers == 1 && strspn(part[4], "0123456789") == strlen(part[4]);
    bool files = model == MC_KV_BUILDS;
    if (mode < 0 || sync < 0 || model < 0 || (!plain && numbers != 2) ||
        *mistake == MC_MISTAKES_MAX || (!files && *mistake != MC_MISTAKE_AS_IS)) {
        return mc_fail(error, MC_USAGE, "state", "explain: \"%s\" is not %s", id, state_form);
    }
    record->workload = part[0];
    record->mode = (mc_mode)mode;
    record->sync = (mc_sync)sync;
    record->kv = model < MC_KV_BUILDS;
    record->kv_build = record->kv ? (mc_kv_build)model : MC_KV_JOURNAL;
    *point = (size_t)at;
    *cut = bytes;
    return MC_OK;
}
