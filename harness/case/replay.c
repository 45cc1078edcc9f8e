#include "harness/case/replay.h"

#include "harness/case/casejudge.h"
#include "harness/host/outfile.h"
#include "harness/host/tasks.h"

#include <assert.h>
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_BYTES = 8192 };

typedef struct replayer {
    const mc_replay_options *options;
    mc_replay *out;
    uint32_t capacity;
    uint32_t answered;
} replayer;

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "replay: out of memory");
}

static const char *keep(mc_replay *replay, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = mc_arena_alloc(&replay->arena, size);
    return copy == NULL ? NULL : memcpy(copy, text, size);
}

/* ---- which cases ---- */

/* `failure`: what is known already to be wrong with it; or null. */
static mc_status add_path(replayer *r, const char *path, const char *failure, mc_error *error)
{
    mc_replay *out = r->out;
    if (out->count == r->capacity) {
        uint32_t capacity = r->capacity == 0 ? 256 : r->capacity * 2;
        mc_replayed *more = realloc(out->replayed, capacity * sizeof *more);
        if (more == NULL) {
            return no_memory(error);
        }
        out->replayed = more;
        r->capacity = capacity;
    }
    mc_replayed *one = &out->replayed[out->count++];
    *one = (mc_replayed){.path = keep(out, path),
                         .failure = failure != NULL ? keep(out, failure) : NULL};
    return one->path != NULL && (failure == NULL || one->failure != NULL) ? MC_OK
                                                                          : no_memory(error);
}

static bool is_case(const char *name)
{
    size_t size = strlen(name);
    return size > 5 && strcmp(name + size - 5, ".case") == 0;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* A file as it is; of a folder every *.case below it, in the order of their names. */
static mc_status find_cases(replayer *r, const char *path, mc_error *error)
{
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/') {
        size--;
    }
    char *copy = strndup(path, size);
    char *roots[] = {copy, NULL};
    errno = copy == NULL ? ENOMEM : 0;
    FTS *walk =
        copy == NULL ? NULL : fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_COMFOLLOW, by_name);
    mc_status status =
        walk == NULL ? mc_fail(error, MC_IO, "io", "\"%s\": %s", path, strerror(errno)) : MC_OK;
    FTSENT *entry;
    while (status == MC_OK && (entry = fts_read(walk)) != NULL) {
        bool file = entry->fts_info == FTS_F;
        bool root = entry->fts_level == FTS_ROOTLEVEL;
        bool closed = entry->fts_info == FTS_DNR || entry->fts_info == FTS_NS;
        if (entry->fts_info == FTS_ERR || (root && entry->fts_info == FTS_NS)) {
            status =
                mc_fail(error, MC_IO, "io", "%s: %s", entry->fts_path, strerror(entry->fts_errno));
        } else if (closed) {
            status = add_path(r, entry->fts_path, strerror(entry->fts_errno), error);
        } else if (root && !file && entry->fts_info != FTS_D && entry->fts_info != FTS_DP) {
            status = mc_fail(error, MC_IO, "not-a-file", "%s: neither a case nor a folder",
                             entry->fts_path);
        } else if (file && (root || is_case(entry->fts_name))) {
            status = add_path(r, entry->fts_path, NULL, error);
        }
    }
    if (walk != NULL) {
        (void)fts_close(walk);
    }
    free(copy);
    return status;
}

/* ---- one case ---- */

static bool runs_code(const char *name)
{
    return strncmp(name, "exec:", 5) == 0 || strncmp(name, "so:", 3) == 0;
}

static bool is_allowed(const char *name, const mc_importers *allowed)
{
    for (uint32_t i = 0; i < allowed->count; i++) {
        if (strcmp(allowed->chosen[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

mc_status mc_replay_importers(const mc_case *c, const char *allowed, mc_importers *out,
                              mc_error *error)
{
    char list[LIST_BYTES] = "";
    mc_importers named = {0};
    mc_status status = allowed != NULL ? mc_importers_parse(allowed, &named, error) : MC_OK;
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(c->facts, "expected"), name, value)
    {
        if (status == MC_OK && runs_code(name) && !is_allowed(name, &named)) {
            status = mc_fail(error, MC_USAGE, "importer",
                             "its importer %.100s runs only if --importer names it", name);
        }
        if (status == MC_OK && !mc_importers_append(list, sizeof list, name)) {
            status = mc_fail(error, MC_MALFORMED, "case-facts",
                             "too many importers, or one with a name that no list can have");
        }
    }
    mc_importers_free(&named);
    if (status == MC_OK && list[0] == '\0') {
        status = mc_fail(error, MC_MALFORMED, "case-facts", "it expects no verdict");
    }
    return status == MC_OK ? mc_importers_parse(list, out, error) : status;
}

/* What SQLite says in words when it refuses differs between its versions. */
static bool same_verdict(const mc_chosen *chosen, const char *expected, const char *found)
{
    size_t size = chosen->kind == MC_IMPORTER_SQLITE ? strcspn(expected, ":") : SIZE_MAX;
    return size == SIZE_MAX ? strcmp(expected, found) == 0
                            : strncmp(expected, found, size) == 0 && strcspn(found, ":") == size;
}

/* A text as JSON; what is no UTF-8 (a path, a library's reason) is shown with '?'. */
static json_t *text_json(const char *text)
{
    json_t *value = json_string(text);
    char plain[512];
    (void)snprintf(plain, sizeof plain, "%s", text);
    for (char *c = plain; value == NULL && *c != '\0'; c++) {
        *c = (unsigned char)*c < 0x80 ? *c : '?';
    }
    return value != NULL ? value : json_string(plain);
}

static mc_status take_verdicts(void *context, mc_judging *j, const mc_crash *crash, mc_error *error)
{
    char(*text)[MC_CASE_VERDICT_BYTES] = context;
    return mc_case_verdicts(j, crash, text, error);
}

/* Judges one case and tells the verdicts that differ. */
static mc_status judge_case(const mc_case *c, const mc_importers *importers, json_t *changes,
                            mc_error *error)
{
    char text[MC_IMPORTERS_MAX][MC_CASE_VERDICT_BYTES];
    mc_status status = mc_case_judge(c, importers, take_verdicts, text, error);
    for (uint32_t i = 0; status == MC_OK && i < importers->count; i++) {
        const mc_chosen *chosen = &importers->chosen[i];
        const char *expected =
            json_string_value(json_object_get(json_object_get(c->facts, "expected"), chosen->name));
        assert(expected != NULL);
        if (!same_verdict(chosen, expected, text[i])) {
            json_array_append_new(changes,
                                  json_pack("[s,s,o]", chosen->name, expected, text_json(text[i])));
        }
    }
    return status;
}

/* The expectations become what was found; so does the verdict at the end of the signature, if it is
 * that importer's. */
static mc_status accept(mc_case *c, const char *path, const json_t *changes, mc_error *error)
{
    size_t i;
    json_t *change;
    json_array_foreach(changes, i, change)
    {
        const char *importer = json_string_value(json_array_get(change, 0));
        const char *found = json_string_value(json_array_get(change, 2));
        json_object_set_new(json_object_get(c->facts, "expected"), importer, json_string(found));
        const char *old = mc_case_text(c, "signature");
        char tail[MC_CASE_VERDICT_BYTES + 128];
        (void)snprintf(tail, sizeof tail, "/%s/", importer);
        const char *at = strstr(old, tail);
        if (strcmp(importer, mc_case_text(c, "importer")) == 0 && at != NULL) {
            bool behind = strncmp(found, "stale, behind", 13) == 0;
            char signature[MC_SIGNATURE_MAX];
            (void)snprintf(signature, sizeof signature, "%.*s%s",
                           (int)(at - old + (long)strlen(tail)), old, behind ? "stale" : found);
            json_object_set_new(c->facts, "signature", json_string(signature));
        }
    }
    return mc_case_write(c, path, error);
}

static mc_status replay_one(const mc_replay_options *options, const char *path, json_t *changes,
                            char *signature, mc_error *error)
{
    mc_case c;
    mc_importers importers = {0};
    mc_status status = mc_case_read(path, &c, error);
    if (status != MC_OK) {
        return status;
    }
    (void)snprintf(signature, MC_SIGNATURE_MAX, "%s", mc_case_text(&c, "signature"));
    status = mc_replay_importers(&c, options->allowed, &importers, error);
    status = status == MC_OK ? judge_case(&c, &importers, changes, error) : status;
    mc_importers_free(&importers);
    if (status == MC_OK && options->accept && json_array_size(changes) > 0) {
        status = accept(&c, path, changes, error);
    }
    mc_case_free(&c);
    return status;
}

/* An error without the path that it may begin with: the path is shown beside it. */
static const char *without_path(const char *text, const char *path)
{
    size_t size = strlen(path);
    bool begins = strncmp(text, path, size) == 0 && strncmp(text + size, ": ", 2) == 0;
    return begins ? text + size + 2 : text;
}

/* ---- all of them ---- */

static uint32_t worker_count(const replayer *r)
{
    return r->options->jobs < r->out->count ? r->options->jobs : r->out->count;
}

/* Worker w takes every case whose number is w modulo their count. */
static char *work(void *context, uint32_t index, mc_error *error)
{
    const replayer *r = context;
    json_t *answers = json_array();
    for (uint32_t i = index; i < r->out->count; i += worker_count(r)) {
        const char *path = r->out->replayed[i].path;
        json_t *changes = json_array();
        char signature[MC_SIGNATURE_MAX] = "";
        const char *failure = r->out->replayed[i].failure;
        mc_error why;
        mc_tasks_at(path);
        if (failure == NULL && replay_one(r->options, path, changes, signature, &why) != MC_OK) {
            failure = without_path(why.text, path);
        }
        json_array_append_new(answers, json_pack("{s:I,s:s,s:o,s:o}", "case", (json_int_t)i,
                                                 "signature", signature, "failure",
                                                 text_json(failure != NULL ? failure : ""),
                                                 "changes", changes));
    }
    char *text = json_dumps(answers, JSON_COMPACT);
    json_decref(answers);
    if (text == NULL) {
        (void)no_memory(error);
    }
    return text;
}

static const char *worker_name(void *context, uint32_t index)
{
    (void)context;
    (void)index;
    return "replay";
}

static bool take_answer(replayer *r, const json_t *answer)
{
    mc_replay *out = r->out;
    size_t at = (size_t)json_integer_value(json_object_get(answer, "case"));
    const char *failure = json_string_value(json_object_get(answer, "failure"));
    const char *signature = json_string_value(json_object_get(answer, "signature"));
    const json_t *changes = json_object_get(answer, "changes");
    if (at >= out->count || failure == NULL || signature == NULL) {
        return false;
    }
    mc_replayed *one = &out->replayed[at];
    one->failure = failure[0] != '\0' ? keep(out, failure) : NULL;
    one->signature = signature[0] != '\0' ? keep(out, signature) : NULL;
    one->change_count = (uint32_t)json_array_size(changes);
    one->change = mc_arena_calloc(&out->arena, one->change_count, sizeof *one->change);
    one->accepted = r->options->accept && one->change_count > 0 && one->failure == NULL;
    for (uint32_t i = 0; one->change != NULL && i < one->change_count; i++) {
        const json_t *change = json_array_get(changes, i);
        one->change[i] =
            (mc_replay_change){keep(out, json_string_value(json_array_get(change, 0))),
                               keep(out, json_string_value(json_array_get(change, 1))),
                               keep(out, json_string_value(json_array_get(change, 2)))};
    }
    r->answered++;
    out->failed += one->failure != NULL;
    out->accepted += one->accepted;
    out->changed += one->failure == NULL && one->change_count > 0 && !one->accepted;
    return one->change != NULL;
}

static mc_status done(void *context, uint32_t index, char *text, mc_error *error)
{
    replayer *r = context;
    (void)index;
    json_t *answers = json_loads(text, 0, NULL);
    free(text);
    size_t i;
    json_t *answer;
    bool good = json_is_array(answers);
    json_array_foreach(answers, i, answer)
    {
        good = good && take_answer(r, answer);
    }
    json_decref(answers);
    return good ? MC_OK : mc_fail(error, MC_IO, "task", "replay: a worker's answer is no answer");
}

mc_status mc_replay_run(const mc_replay_options *options, mc_replay *out, mc_error *error)
{
    memset(out, 0, sizeof *out);
    out->arena.limit_bytes = SIZE_MAX / 2;
    replayer r = {.options = options, .out = out};
    mc_importers allowed = {0};
    char *scratch = NULL;
    mc_status status = MC_OK;
    if (options->allowed != NULL) {
        status = mc_importers_parse(options->allowed, &allowed, error);
        status = status == MC_OK ? mc_importers_scratch(&allowed, &scratch, error) : status;
    }
    for (uint32_t i = 0; status == MC_OK && i < options->path_count; i++) {
        status = find_cases(&r, options->path[i], error);
    }
    for (uint32_t i = 0; status == MC_OK && i < 2 * out->count; i++) {
        const char *report = options->report[i % 2];
        if (report != NULL && mc_outfile_same(report, out->replayed[i / 2].path)) {
            status =
                mc_fail(error, MC_USAGE, "same-file", "%s: it is one of the cases, too", report);
        }
    }
    if (status == MC_OK && out->count == 0) {
        status = mc_fail(error, MC_IO, "nothing", "replay: no case there: nothing was judged");
    }
    if (status == MC_OK) {
        status =
            mc_tasks_run(worker_count(&r), options->jobs, NULL, worker_name, work, done, &r, error);
    }
    if (status == MC_OK && r.answered != out->count) {
        status = mc_fail(error, MC_IO, "task", "replay: %u of %u cases have an answer", r.answered,
                         out->count);
    }
    mc_importers_remove_scratch(scratch);
    mc_importers_free(&allowed);
    if (status != MC_OK) {
        mc_replay_free(out);
    }
    return status;
}

void mc_replay_free(mc_replay *replay)
{
    free(replay->replayed);
    mc_arena_free(&replay->arena);
    memset(replay, 0, sizeof *replay);
}
