/* A task's cell as one line of JSON and back: what a child process hands to its parent, and what a
 * results file keeps. The line carries everything that a cell holds, so a resumed run cannot differ
 * from one that was never interrupted. */
#include "crashsim/workload.h"
#include "harness/judge/defects.h"
#include "harness/judge/handover.h"
#include "harness/run/results.h"
#include "harness/run/run.h"

#include <inttypes.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

static const char schema[] = "midcommit/task/2";

enum { DIGITS_MAX = 1 << 20 }; /* of a number of states */

/* A file's content, folded into `hash`; one that cannot be read counts as empty: whoever needs it
 * says so. */
static uint64_t fold_file(uint64_t hash, const char *path)
{
    uint8_t block[8192];
    FILE *file = fopen(path, "re");
    size_t n = 0;
    while (file != NULL && (n = fread(block, 1, sizeof block, file)) > 0) {
        hash = XXH3_64bits_withSeed(block, n, hash);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return hash;
}

static uint64_t fold_workloads(uint64_t hash, const char *list)
{
    char path[MC_TASK_NAME_MAX];
    for (const char *at = list; at != NULL; at = at[0] == ',' ? at + 1 : NULL) {
        size_t size = strcspn(at, ",");
        (void)snprintf(path, sizeof path, "%.*s", (int)size, at);
        hash = mc_workload_find(path) == NULL ? fold_file(hash, path) : hash;
        at += size;
    }
    return hash;
}

/* A ready script may source those of its folder that others share. */
static uint64_t fold_shared(uint64_t hash, const char *script)
{
    static const char *const shared[] = {"sqlite.sh", "header.sh"};
    int folder = (int)(strrchr(script, '/') - script);
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) {
        char path[4096];
        (void)snprintf(path, sizeof path, "%.*s/%s", folder, script, shared[i]);
        hash = fold_file(hash, path);
    }
    return hash;
}

void mc_run_identity(const mc_run_options *options, const mc_importers *importers, char *out,
                     size_t size)
{
    uint64_t files = fold_workloads(0, options->workloads);
    for (uint32_t i = 0; i < importers->count; i++) {
        const mc_chosen *chosen = &importers->chosen[i];
        const char *path =
            chosen->kind == MC_IMPORTER_SO ? chosen->name + strlen("so:") : chosen->program;
        files = path != NULL ? fold_file(files, path) : files;
        files = path != NULL && chosen->name[0] == '@' ? fold_shared(files, path) : files;
    }
    int n = snprintf(out, size,
                     "sqlite=%s%s%s importers=%s required=%s txns=%u page=%u cache=%u seed=%" PRIu64
                     " budget=%" PRIu64 "%s%s files=%016" PRIx64,
                     sqlite3_libversion(), importers->shell[0] != '\0' ? " shell=" : "",
                     importers->shell, options->importers, options->required, options->txns,
                     options->page_size, options->cache_pages, options->seed, options->budget,
                     options->clean_too ? " clean" : "", options->again ? " depth=2" : "", files);
    for (uint32_t i = 0; options->sidecars != 0 && i < mc_mistake_count(options->sidecars); i++) {
        size_t have = n >= 0 && (size_t)n < size ? strlen(out) : size;
        (void)snprintf(out + have, size - have, "%s%s", i == 0 ? " sidecars=" : ",",
                       mc_mistakes[mc_mistake_chosen(options->sidecars, i)].name);
    }
}

static json_t *encode_tally(const mc_tally *t)
{
    json_t *verdicts = json_array();
    for (int i = 0; i < MC_VERDICTS; i++) {
        json_array_append_new(verdicts, json_integer((json_int_t)t->verdict[i]));
    }
    return json_pack("{s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:s,s:i}", "verdicts", verdicts, "ahead",
                     (json_int_t)t->ahead, "empty", (json_int_t)t->empty, "silent",
                     (json_int_t)t->silent, "missed", (json_int_t)t->missed, "unmet",
                     (json_int_t)t->unmet, "ran", (json_int_t)t->ran, "nanoseconds",
                     (json_int_t)t->nanoseconds, "case", t->first_case, "kind", (int)t->first_kind);
}

static json_t *encode_finding(const mc_finding *f)
{
    return json_pack("{s:s,s:s,s:s,s:I,s:I,s:i,s:s,s:b}", "signature", f->signature, "verdict",
                     f->verdict, "case", f->state, "count", (json_int_t)f->count, "bytes",
                     (json_int_t)f->bytes, "importer",
                     f->importer == UINT32_MAX ? -1 : (int)f->importer, "defect",
                     f->defect != NULL ? f->defect : "", "fails", f->fails);
}

/* Numbers of states pass any integer of JSON. */
static json_t *encode_big(const mpz_t number)
{
    char *digits = mpz_get_str(NULL, 10, number);
    json_t *text = json_string(digits);
    free(digits);
    return text;
}

static json_t *encode_proof(const mc_proof *p, uint32_t importers)
{
    json_t *verdicts = json_array();
    for (uint32_t i = 0; i <= importers; i++) {
        uint32_t who = i < importers ? i : MC_IMPORTERS_MAX; /* the control's */
        json_t *row = json_array();
        for (int v = 0; v < MC_VERDICTS; v++) {
            json_array_append_new(row, encode_big(p->verdict[who][v]));
        }
        json_array_append_new(row, encode_big(p->silent[who]));
        json_array_append_new(verdicts, row);
    }
    return json_pack("{s:o,s:o,s:o,s:o,s:I,s:I,s:I,s:I,s:I,s:o}", "total", encode_big(p->total),
                     "unresolved", encode_big(p->unresolved), "induced", encode_big(p->induced),
                     "widest", encode_big(p->widest), "widest_point", (json_int_t)p->widest_point,
                     "widest_classes", (json_int_t)p->widest_classes, "classes",
                     (json_int_t)p->classes, "runs", (json_int_t)p->runs, "points",
                     (json_int_t)p->points, "verdicts", verdicts);
}

static json_t *encode_again(const mc_again_counts *c)
{
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o,s:o}", "witnesses",
                     (json_int_t)c->witnesses, "repeated", (json_int_t)c->repeated, "unasked",
                     (json_int_t)c->unasked, "recoveries", (json_int_t)c->recoveries, "elements",
                     (json_int_t)c->elements, "points", (json_int_t)c->points, "visited",
                     (json_int_t)c->visited, "classes", (json_int_t)c->classes, "disagreed",
                     (json_int_t)c->disagreed, "total", encode_big(c->total), "unresolved",
                     encode_big(c->unresolved), "diverged", encode_big(c->diverged));
}

/* What a cell holds, as keys of `object`. */
static void encode_cell(json_t *object, const mc_cell *cell, uint32_t importers)
{
    const struct {
        const char *key;
        uint64_t value;
    } counts[] = {
        {"points", cell->explored.points},   {"states", cell->explored.states},
        {"skipped", cell->explored.skipped}, {"unique", cell->unique},
        {"dirty", cell->control_dirty},      {"known", cell->known_defect},
        {"compared", cell->compared},        {"disagreements", cell->disagreements},
        {"commits", cell->commits},          {"promise", (uint64_t)cell->promise},
    };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        json_object_set_new(object, counts[i].key, json_integer((json_int_t)counts[i].value));
    }
    json_t *tallies = json_array();
    for (uint32_t i = 0; i < importers; i++) {
        json_array_append_new(tallies, encode_tally(&cell->tally[i]));
    }
    json_t *findings = json_array();
    for (uint32_t i = 0; i < cell->finding_count; i++) {
        json_array_append_new(findings, encode_finding(&cell->finding[i]));
    }
    json_object_set_new(object, "tallies", tallies);
    json_object_set_new(object, "findings", findings);
    if (cell->proof != NULL) {
        json_object_set_new(object, "power", encode_proof(cell->proof, importers));
    }
    if (cell->again != NULL) {
        json_object_set_new(object, "again", encode_again(cell->again));
    }
}

/* Null when none are kept. */
static json_t *encode_words(const mc_run_word *words)
{
    json_t *object = words == NULL ? NULL : json_object();
    for (; object != NULL && words->name != NULL; words++) {
        json_object_set_new(object, words->name, json_string(words->value));
    }
    return object;
}

/* One cell lies in the line itself. If mistakes were chosen, "sidecars" lists their cells. */
char *mc_run_encode(const mc_task *task, const mc_run_options *options,
                    const mc_importers *importers, const mc_cell *cell)
{
    char identity[MC_RUN_IDENTITY_MAX];
    mc_run_identity(options, importers, identity, sizeof identity);
    json_t *line =
        json_pack("{s:s,s:s,s:s}", "schema", schema, "run", identity, "task", task->name);
    if (options->words != NULL) {
        json_object_set_new(line, "options", encode_words(options->words));
    }
    json_t *list = options->sidecars == 0 ? NULL : json_array();
    for (uint32_t i = 0; list != NULL && i < mc_mistake_count(options->sidecars); i++) {
        const char *name = mc_mistakes[mc_mistake_chosen(options->sidecars, i)].name;
        json_t *object = json_pack("{s:s}", "sidecars", name);
        encode_cell(object, &cell[i], importers->count);
        json_array_append_new(list, object);
    }
    if (list != NULL) {
        json_object_set_new(line, "sidecars", list);
    } else {
        encode_cell(line, cell, importers->count);
    }
    char *text = line == NULL ? NULL : json_dumps(line, JSON_COMPACT);
    json_decref(line);
    return text;
}

static uint64_t count_of(const json_t *object, const char *key, bool *good)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        *good = false;
        return 0;
    }
    return (uint64_t)json_integer_value(value);
}

static void text_of(const json_t *object, const char *key, char *out, size_t size, bool *good)
{
    const char *text = json_string_value(json_object_get(object, key));
    if (text == NULL || strlen(text) >= size) {
        *good = false;
        return;
    }
    memcpy(out, text, strlen(text) + 1);
}

static void decode_tally(const json_t *object, mc_tally *t, bool *good)
{
    const json_t *verdicts = json_object_get(object, "verdicts");
    for (size_t i = 0; i < MC_VERDICTS; i++) {
        const json_t *value = json_array_get(verdicts, i);
        *good = *good && json_is_integer(value) && json_integer_value(value) >= 0;
        t->verdict[i] = (uint64_t)json_integer_value(value);
    }
    t->ahead = count_of(object, "ahead", good);
    t->empty = count_of(object, "empty", good);
    t->silent = count_of(object, "silent", good);
    t->missed = count_of(object, "missed", good);
    t->unmet = count_of(object, "unmet", good);
    t->ran = count_of(object, "ran", good);
    t->nanoseconds = count_of(object, "nanoseconds", good);
    text_of(object, "case", t->first_case, sizeof t->first_case, good);
    uint64_t kind = count_of(object, "kind", good);
    *good = *good && kind < MC_VERDICTS;
    t->first_kind = *good ? (mc_verdict_kind)kind : MC_CLEAN;
}

static void decode_finding(const json_t *object, uint32_t importers, mc_finding *f, bool *good)
{
    char defect[80] = "";
    text_of(object, "signature", f->signature, sizeof f->signature, good);
    text_of(object, "verdict", f->verdict, sizeof f->verdict, good);
    text_of(object, "case", f->state, sizeof f->state, good);
    text_of(object, "defect", defect, sizeof defect, good);
    f->count = count_of(object, "count", good);
    f->bytes = count_of(object, "bytes", good);
    const json_t *importer = json_object_get(object, "importer");
    json_int_t index = json_integer_value(importer);
    *good = *good && json_is_integer(importer) && index >= -1 && index < (json_int_t)importers;
    f->importer = index < 0 ? UINT32_MAX : (uint32_t)index;
    f->fails = json_is_true(json_object_get(object, "fails"));
    const mc_defect *known = mc_defect_named(defect);
    f->defect = known != NULL ? known->name : NULL;
    *good = *good && (defect[0] == '\0' || known != NULL);
}

static void decode_big(const json_t *value, mpz_t out, bool *good)
{
    const char *text = json_string_value(value);
    size_t size = text == NULL ? 0 : strlen(text);
    if (size == 0 || size > DIGITS_MAX || strspn(text, "0123456789") != size ||
        mpz_set_str(out, text, 10) != 0) {
        *good = false;
    }
}

static void decode_proof(const json_t *object, uint32_t importers, mc_proof *p, bool *good)
{
    decode_big(json_object_get(object, "total"), p->total, good);
    decode_big(json_object_get(object, "unresolved"), p->unresolved, good);
    decode_big(json_object_get(object, "induced"), p->induced, good);
    decode_big(json_object_get(object, "widest"), p->widest, good);
    p->widest_point = count_of(object, "widest_point", good);
    p->widest_classes = count_of(object, "widest_classes", good);
    p->classes = count_of(object, "classes", good);
    p->runs = count_of(object, "runs", good);
    p->points = count_of(object, "points", good);
    const json_t *verdicts = json_object_get(object, "verdicts");
    *good = *good && json_array_size(verdicts) == importers + 1;
    for (uint32_t i = 0; *good && i <= importers; i++) {
        uint32_t who = i < importers ? i : MC_IMPORTERS_MAX;
        const json_t *row = json_array_get(verdicts, i);
        for (size_t v = 0; v < MC_VERDICTS; v++) {
            decode_big(json_array_get(row, v), p->verdict[who][v], good);
        }
        decode_big(json_array_get(row, MC_VERDICTS), p->silent[who], good);
    }
}

static void decode_again(const json_t *object, mc_again_counts *c, bool *good)
{
    c->witnesses = count_of(object, "witnesses", good);
    c->repeated = count_of(object, "repeated", good);
    c->unasked = count_of(object, "unasked", good);
    c->recoveries = count_of(object, "recoveries", good);
    c->elements = count_of(object, "elements", good);
    c->points = count_of(object, "points", good);
    c->visited = count_of(object, "visited", good);
    c->classes = count_of(object, "classes", good);
    c->disagreed = count_of(object, "disagreed", good);
    decode_big(json_object_get(object, "total"), c->total, good);
    decode_big(json_object_get(object, "unresolved"), c->unresolved, good);
    decode_big(json_object_get(object, "diverged"), c->diverged, good);
}

static void decode_cell(const json_t *line, uint32_t importers, mc_cell *cell, bool *good)
{
    cell->explored.points = count_of(line, "points", good);
    cell->explored.states = count_of(line, "states", good);
    cell->explored.skipped = count_of(line, "skipped", good);
    cell->unique = count_of(line, "unique", good);
    cell->control_dirty = count_of(line, "dirty", good);
    cell->known_defect = count_of(line, "known", good);
    cell->compared = count_of(line, "compared", good);
    cell->disagreements = count_of(line, "disagreements", good);
    cell->commits = (uint32_t)count_of(line, "commits", good);
    uint64_t promise = count_of(line, "promise", good);
    *good = *good && promise <= MC_PROMISE_NOTHING;
    cell->promise = (mc_promise)promise;
    const json_t *tallies = json_object_get(line, "tallies");
    *good = *good && json_array_size(tallies) == importers;
    for (uint32_t i = 0; *good && i < importers; i++) {
        decode_tally(json_array_get(tallies, i), &cell->tally[i], good);
    }
    const json_t *findings = json_object_get(line, "findings");
    *good = *good && json_is_array(findings);
    size_t count = *good ? json_array_size(findings) : 0;
    cell->finding = count > 0 ? calloc(count, sizeof *cell->finding) : NULL;
    *good = *good && (count == 0 || cell->finding != NULL);
    for (size_t i = 0; *good && i < count; i++) {
        decode_finding(json_array_get(findings, i), importers, &cell->finding[i], good);
    }
    cell->finding_count = *good ? (uint32_t)count : 0;
    cell->finding_capacity = cell->finding_count;
    const json_t *power = json_object_get(line, "power");
    cell->proof = *good && power != NULL ? malloc(sizeof *cell->proof) : NULL;
    if (cell->proof != NULL) {
        mc_proof_init(cell->proof);
        decode_proof(power, importers, cell->proof, good);
    }
    *good = *good && (power == NULL || cell->proof != NULL);
    const json_t *again = json_object_get(line, "again");
    cell->again = *good && again != NULL ? malloc(sizeof *cell->again) : NULL;
    if (cell->again != NULL) {
        mc_again_counts_init(cell->again);
        decode_again(again, cell->again, good);
    }
    *good = *good && (again == NULL || cell->again != NULL);
}

static void decode_cells(const json_t *line, uint32_t sidecars, uint32_t importers, mc_cell *cell,
                         bool *good)
{
    if (sidecars == 0) {
        decode_cell(line, importers, cell, good);
        return;
    }
    const json_t *list = json_object_get(line, "sidecars");
    uint32_t count = mc_mistake_count(sidecars);
    *good = *good && json_array_size(list) == count;
    for (uint32_t i = 0; *good && i < count; i++) {
        const json_t *object = json_array_get(list, i);
        const char *name = json_string_value(json_object_get(object, "sidecars"));
        *good = name != NULL && mc_mistake_find(name) == mc_mistake_chosen(sidecars, i);
        if (*good) {
            decode_cell(object, importers, &cell[i], good);
        }
    }
}

mc_status mc_run_decode(const char *line, const char *where, const char *identity,
                        const mc_run_options *options, const mc_importers *importers,
                        char task[MC_TASK_NAME_MAX], mc_cell *cell, mc_error *error)
{
    json_error_t why;
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &why);
    if (object == NULL) {
        return mc_fail(error, MC_MALFORMED, "results", "%s: not JSON: %s", where, why.text);
    }
    const char *found = json_string_value(json_object_get(object, "schema"));
    if (found == NULL || strcmp(found, schema) != 0) {
        json_decref(object);
        return mc_fail(error, MC_MALFORMED, "results", "%s: schema is not %s", where, schema);
    }
    const char *made = json_string_value(json_object_get(object, "run"));
    json_t *words = encode_words(options->words);
    const json_t *given = json_object_get(object, "options");
    bool same = words == given || json_equal(words, given) != 0;
    json_decref(words);
    if (made == NULL || strcmp(made, identity) != 0 || !same) {
        json_decref(object);
        return mc_fail(error, MC_MALFORMED, "results",
                       "%s: made with other options or files, expected %s", where, identity);
    }
    bool good = true;
    text_of(object, "task", task, MC_TASK_NAME_MAX, &good);
    decode_cells(object, options->sidecars, importers->count, cell, &good);
    json_decref(object);
    if (!good) {
        return mc_fail(error, MC_MALFORMED, "results", "%s: a field is missing or out of range",
                       where);
    }
    return MC_OK;
}

typedef struct word_list {
    mc_run_word *words;
    mc_arena *arena;
    uint32_t count;
    bool found;
} word_list;

static const char *keep_text(mc_arena *arena, const char *text)
{
    size_t size = strlen(text) + 1;
    char *kept = mc_arena_alloc(arena, size);
    return kept == NULL ? NULL : memcpy(kept, text, size);
}

/* Takes the words of the first line; of the others nothing. */
static mc_status take_words(void *context, const char *line, const char *where, mc_error *error)
{
    word_list *list = context;
    if (list->found) {
        return MC_OK;
    }
    json_error_t why;
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &why);
    const char *found = json_string_value(json_object_get(object, "schema"));
    json_t *words = json_object_get(object, "options");
    if (found == NULL || strcmp(found, schema) != 0 || !json_is_object(words)) {
        json_decref(object);
        return mc_fail(error, MC_MALFORMED, "results",
                       "%s: no line of %s with the options of its run", where, schema);
    }
    list->found = true;
    const char *name;
    json_t *value;
    bool good = json_object_size(words) < MC_RUN_WORDS_MAX;
    json_object_foreach(words, name, value)
    {
        mc_run_word *word = good ? &list->words[list->count++] : NULL;
        good = good && json_is_string(value);
        if (good) {
            word->name = keep_text(list->arena, name);
            word->value = keep_text(list->arena, json_string_value(value));
            good = word->name != NULL && word->value != NULL;
        }
    }
    json_decref(object);
    if (!good) {
        return mc_fail(error, MC_MALFORMED, "results", "%s: its options are no texts", where);
    }
    list->words[list->count] = (mc_run_word){0};
    return MC_OK;
}

mc_status mc_run_words(const char *const *files, uint32_t count, mc_run_word *words,
                       mc_arena *arena, mc_error *error)
{
    word_list list = {.words = words, .arena = arena};
    mc_status status = MC_OK;
    for (uint32_t i = 0; status == MC_OK && !list.found && i < count; i++) {
        status = mc_results_read(files[i], take_words, &list, error);
    }
    if (status == MC_OK && !list.found) {
        status = mc_fail(error, MC_MALFORMED, "results", "--merge: no file has a result");
    }
    return status;
}
