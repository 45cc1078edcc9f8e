#include "harness/case/film.h"

#include "harness/case/telling.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A list of texts or values without repetition. */
typedef struct table {
    json_t *list;
    json_t *index; /* by text */
} table;

/* A state that was looked at: equal ones look equal. */
typedef struct seen {
    mc_hash128 id;
    uint32_t acked;
    uint32_t begun;
    size_t frame;
} seen;

typedef struct film {
    mc_judging *j;
    size_t first; /* elements [first, end) are shown, and the crash points first..end */
    size_t end;
    bool whole;
    json_t *frames;
    table looks;
    table maps;
    table role_lists;
    table texts;
    table roles;
    table near;
    seen *seen;
    size_t seen_count;
    json_t *choices; /* power: by frame */
    json_t *losses;
} film;

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "film: out of memory");
}

static table table_new(void)
{
    return (table){.list = json_array(), .index = json_object()};
}

static void table_free(table *t)
{
    json_decref(t->list);
    json_decref(t->index);
}

/* The number of `value`, which is taken; `key` tells values apart. */
static json_int_t number_of(table *t, const char *key, json_t *value)
{
    json_t *known = json_object_get(t->index, key);
    if (known != NULL) {
        json_decref(value);
        return json_integer_value(known);
    }
    json_int_t number = (json_int_t)json_array_size(t->list);
    json_array_append_new(t->list, value);
    json_object_set_new_nocheck(t->index, key, json_integer(number));
    return number;
}

static json_int_t number_of_text(table *t, const char *text)
{
    return number_of(t, text, json_string(text));
}

static json_int_t number_of_json(table *t, json_t *value)
{
    char *key = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
    json_int_t number = number_of(t, key != NULL ? key : "", value);
    free(key);
    return number;
}

/* One more page of that kind: the last pair grows, or a new one begins. */
static void add_run(json_t *list, json_int_t what)
{
    size_t size = json_array_size(list);
    if (size > 0 && json_integer_value(json_array_get(list, size - 2)) == what) {
        json_t *count = json_array_get(list, size - 1);
        json_integer_set(count, json_integer_value(count) + 1);
        return;
    }
    json_array_append_new(list, json_integer(what));
    json_array_append_new(list, json_integer(1));
}

/* One empty list for each database. */
static json_t *lists(const film *f)
{
    json_t *all = json_array();
    for (uint32_t d = 0; d < f->j->history.database_count; d++) {
        json_array_append_new(all, json_array());
    }
    return all;
}

static json_t *look_json(film *f, const mc_story *story)
{
    json_t *map = lists(f);
    json_t *roles = lists(f);
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < story->map_count; i++) {
        const mc_story_page *page = &story->map[i];
        json_int_t of = number_of_text(&f->texts, page->of);
        add_run(json_array_get(map, page->database), of * 2 + page->wrong);
        add_run(json_array_get(roles, page->database), number_of_text(&f->roles, page->role));
        wrong += page->wrong;
    }
    json_t *look = json_pack("{s:s}", "v", story->verdict);
    if (story->map_count > 0) {
        json_object_set_new(look, "m", json_integer(number_of_json(&f->maps, map)));
        json_object_set_new(look, "r", json_integer(number_of_json(&f->role_lists, roles)));
        json_object_set_new(look, "k", json_integer(story->snapshot));
        json_object_set_new(look, "w", json_integer(wrong));
    } else {
        json_decref(map);
        json_decref(roles);
    }
    if (story->noticed[0] != '\0' || story->missed[0] != '\0') {
        json_object_set_new(look, "n", json_string(story->noticed));
        json_object_set_new(look, "o", json_string(story->missed));
    }
    if (story->difference != NULL) {
        json_object_set_new(look, "d", json_string(story->difference));
    }
    return look;
}

/* What importer `subject` makes of the present state. */
static mc_status add_look(film *f, uint32_t subject, const mc_crash *crash, json_t *frame,
                          mc_error *error)
{
    mc_story story = {.arena.limit_bytes = SIZE_MAX / 2};
    mc_story_request request = {.point = crash->point, .cut = crash->cut, .subject = subject};
    mc_telling t = {.j = f->j, .story = &story, .request = &request};
    mc_image images[MC_DATABASES_MAX] = {{0}};
    mc_outcome own = {0};
    mc_status status = mc_telling_answers(&t, crash, error);
    status = status == MC_OK ? mc_judging_outcome(f->j, subject, &own, error) : status;
    if (status == MC_OK) {
        mc_telling_detectors(&t, &own);
        status = mc_telling_subject(&t, &own, images, error);
    }
    if (status == MC_OK) {
        json_int_t number = number_of_json(&f->looks, look_json(f, &story));
        json_array_append_new(frame, json_integer(number));
    }
    mc_story_free(&story);
    return status;
}

/* The pages of a snapshot near the crash, as the page map of an image that equals it would be. */
static json_t *snapshot_json(film *f, const mc_crash *crash, uint32_t snapshot)
{
    const mc_history *history = &f->j->history;
    json_t *map = lists(f);
    for (uint32_t d = 0; d < history->database_count; d++) {
        for (uint32_t page = 1; page <= history->snapshot[snapshot].page_count[d]; page++) {
            uint64_t old = mc_history_page(history, crash->acked, d, page);
            uint64_t new = mc_history_page(history, crash->begun, d, page);
            uint64_t own = snapshot == crash->acked ? old : new;
            char of[40] = "both";
            if (own == MC_ANY) {
                (void)snprintf(of, sizeof of, "content does not count");
            } else if (old != new) {
                (void)snprintf(of, sizeof of, "%u (%s)", snapshot,
                               snapshot == crash->acked ? "acknowledged" : "in flight");
            }
            add_run(json_array_get(map, d), number_of_text(&f->texts, of) * 2);
        }
    }
    return json_integer(number_of_json(&f->maps, map));
}

static json_t *near_json(film *f, const mc_crash *crash)
{
    return json_pack("{s:i,s:i,s:o,s:o}", "acked", (int)crash->acked, "begun", (int)crash->begun,
                     "old", snapshot_json(f, crash, crash->acked), "new",
                     snapshot_json(f, crash, crash->begun));
}

/* The frame of an equal state, or null. */
static const json_t *known_frame(const film *f, const mc_crash *crash)
{
    for (size_t i = 0; i < f->seen_count; i++) {
        const seen *s = &f->seen[i];
        if (mc_hash128_equal(s->id, crash->id) && s->acked == crash->acked &&
            s->begun == crash->begun) {
            return json_array_get(f->frames, s->frame);
        }
    }
    return NULL;
}

/* The snapshots near the crash, and what each importer makes of the present state. */
static mc_status add_looks(film *f, const mc_crash *crash, json_t *frame, mc_error *error)
{
    json_array_append_new(frame, json_integer(number_of_json(&f->near, near_json(f, crash))));
    mc_status status = MC_OK;
    for (uint32_t i = 0; status == MC_OK && i < f->j->importers->count; i++) {
        status = add_look(f, i, crash, frame, error);
    }
    return status;
}

/* [point, cut, near, look of importer 0, ...] */
static mc_status on_state(void *context, const mc_crash *crash, mc_error *error)
{
    film *f = context;
    enum { LOOKS = 2 }; /* behind point and cut */
    if (crash->point < f->first || crash->point > f->end) {
        return MC_OK;
    }
    size_t frames = json_array_size(f->frames);
    if (frames >= (size_t)MC_FILM_ELEMENTS_MAX * 2) { /* cuts of large writes */
        f->whole = false;
        return MC_OK;
    }
    json_t *frame = json_pack("[I,I]", (json_int_t)crash->point, (json_int_t)crash->cut);
    const json_t *known = known_frame(f, crash);
    for (size_t i = LOOKS; known != NULL && i < json_array_size(known); i++) {
        json_array_append(frame, json_array_get(known, i));
    }
    mc_status status = MC_OK;
    if (known == NULL) {
        status = add_looks(f, crash, frame, error);
        f->seen[f->seen_count++] = (seen){crash->id, crash->acked, crash->begun, frames};
    }
    json_array_append_new(f->frames, frame);
    return status;
}

static mc_status on_applied(void *context, const mc_op *op, uint32_t from, uint32_t to,
                            uint64_t size_before, mc_error *error)
{
    return mc_judging_applied(((film *)context)->j, op, from, to, size_before, error);
}

static void on_acked(void *context, uint32_t commit)
{
    mc_judging_acked(((film *)context)->j, commit);
}

/* The transaction around a crash point: from behind the acknowledgement before it to behind its
 * own, where a point belongs to what was acknowledged. A long one is cut to the elements near the
 * point. */
static void choose_window(film *f, size_t point)
{
    const mc_trace *trace = &f->j->trace;
    size_t last = trace->op_count;
    while (point == SIZE_MAX && last > 0 && trace->op[last - 1].kind != MC_OP_ACKED) {
        last--;
    }
    point = point == SIZE_MAX ? (last > 0 ? last - 1 : 0) : point;
    point = point > trace->op_count ? trace->op_count : point;
    point -= point > 0 && trace->op[point - 1].kind == MC_OP_ACKED; /* the end of what was done */
    f->first = point;
    while (f->first > 0 && trace->op[f->first - 1].kind != MC_OP_ACKED) {
        f->first--;
    }
    f->end = point;
    while (f->end < trace->op_count && trace->op[f->end].kind != MC_OP_ACKED) {
        f->end++;
    }
    f->end += f->end < trace->op_count;
    f->whole = f->end - f->first <= MC_FILM_ELEMENTS_MAX;
    if (!f->whole) {
        size_t half = MC_FILM_ELEMENTS_MAX / 2;
        f->first = point > f->first + half ? point - half : f->first;
        f->end =
            f->end > f->first + MC_FILM_ELEMENTS_MAX ? f->first + MC_FILM_ELEMENTS_MAX : f->end;
    }
}

static json_t *op_json(film *f, table *lanes, size_t index, const char *text)
{
    const mc_trace *trace = &f->j->trace;
    const mc_op *op = &trace->op[index];
    const char *lane = op->file != MC_DISK_NONE ? trace->base.file[op->file].name : "store";
    bool mark = op->kind == MC_OP_BEGUN || op->kind == MC_OP_ACKED;
    const char *kind = op->kind == MC_OP_BEGUN   ? "begun"
                       : op->kind == MC_OP_ACKED ? "acked"
                                                 : mc_op_kind_name((mc_op_kind)op->kind);
    return json_pack("[s,I,I,I,s]", kind, mark ? (json_int_t)-1 : number_of_text(lanes, lane),
                     (json_int_t)op->offset, (json_int_t)op->size, text);
}

/* Operations and statements, told as a story tells them. */
static mc_status add_operations(film *f, json_t *root, mc_error *error)
{
    const mc_trace *trace = &f->j->trace;
    mc_story story = {.arena.limit_bytes = SIZE_MAX / 2};
    mc_story_request request = {.point = SIZE_MAX - 1};
    mc_telling t = {.j = f->j, .story = &story, .request = &request, .first = f->first};
    t.end = f->end;
    for (size_t i = 0; i < f->end; i++) {
        story.begun += trace->op[i].kind == MC_OP_BEGUN;
    }
    mc_status status = f->end > 0 ? mc_telling_operations(&t, error) : MC_OK;
    table lanes = table_new();
    json_t *ops = json_array();
    json_t *statements = json_array();
    for (uint32_t i = 0; status == MC_OK && i < story.op_count; i++) {
        json_array_append_new(ops, op_json(f, &lanes, f->first + i, story.op[i].text));
        if (story.op[i].statement != NULL) {
            char text[240];
            (void)snprintf(text, sizeof text, "%.200s", story.op[i].statement);
            json_t *statement = json_pack("[I,s]", (json_int_t)(f->first + i), text);
            json_array_append_new(statements, statement != NULL ? statement : json_null());
        }
    }
    json_object_set(root, "lanes", lanes.list);
    json_object_set_new(root, "ops", ops);
    json_object_set_new(root, "statements", statements);
    table_free(&lanes);
    mc_story_free(&story);
    return status;
}

static json_t *root_json(const film *f)
{
    const mc_judging *j = f->j;
    const mc_record_options *record = j->options->record;
    json_t *importers = json_array();
    json_t *databases = json_array();
    char name[MC_STATE_ID_MAX];
    (void)snprintf(name, sizeof name, "%s/%s/%s/%s", record->workload, mc_mode_names[record->mode],
                   mc_sync_names[record->sync], j->crash_name);
    for (uint32_t i = 0; i < j->importers->count; i++) {
        json_array_append_new(importers, json_string(j->importers->chosen[i].name));
    }
    for (uint32_t d = 0; d < j->trace.database_count; d++) {
        json_array_append_new(databases, json_string(j->trace.database[d]));
    }
    return json_pack("{s:s,s:I,s:I,s:I,s:i,s:b,s:o,s:o}", "task", name, "elements",
                     (json_int_t)j->trace.op_count, "first", (json_int_t)f->first, "end",
                     (json_int_t)f->end, "commits", (int)j->trace.commit_count, "whole", f->whole,
                     "importers", importers, "databases", databases);
}

static void put_parts(const film *f, json_t *root)
{
    const struct {
        const char *key;
        json_t *value;
    } parts[] = {
        {"frames", f->frames},   {"near", f->near.list},           {"looks", f->looks.list},
        {"maps", f->maps.list},  {"rolemaps", f->role_lists.list}, {"texts", f->texts.list},
        {"roles", f->roles.list}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        json_object_set(root, parts[i].key, parts[i].value);
    }
    json_object_set_new(root, "whole", json_boolean(f->whole));
}

static mc_status make(film *f, size_t point, json_t **out, mc_error *error)
{
    mc_explored explored;
    mc_visitor visitor = {.context = f,
                          .applied = f->j->trace.is_kv ? NULL : on_applied,
                          .acked = on_acked,
                          .state = on_state};
    choose_window(f, point);
    json_t *root = root_json(f);
    mc_status status = root == NULL ? no_memory(error) : add_operations(f, root, error);
    status = status == MC_OK ? mc_judging_explore(f->j, &visitor, &explored, error) : status;
    put_parts(f, root);
    *out = root;
    return status;
}

static mc_status film_open(film *f, mc_error *error)
{
    table *const tables[] = {&f->looks, &f->maps, &f->role_lists, &f->texts, &f->roles, &f->near};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        *tables[i] = table_new();
    }
    f->frames = json_array();
    f->j = malloc(sizeof *f->j);
    f->seen = calloc((size_t)MC_FILM_ELEMENTS_MAX * 2, sizeof *f->seen);
    return f->j == NULL || f->seen == NULL ? no_memory(error) : MC_OK;
}

/* Also gives the text of `root`, when `status` is good. */
static char *film_close(film *f, json_t *root, mc_status status, mc_error *error)
{
    table *const tables[] = {&f->looks, &f->maps, &f->role_lists, &f->texts, &f->roles, &f->near};
    char *text = status == MC_OK ? json_dumps(root, JSON_COMPACT) : NULL;
    if (status == MC_OK && text == NULL) {
        (void)no_memory(error);
    }
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        table_free(tables[i]);
    }
    json_decref(root);
    json_decref(f->frames);
    json_decref(f->choices);
    json_decref(f->losses);
    free(f->seen);
    free(f->j);
    return text;
}

char *mc_film_make(const mc_judge_options *options, size_t point, mc_error *error)
{
    assert(options->power == NULL && options->sidecars == 0);
    film f = {0};
    json_t *root = NULL;
    mc_status status = film_open(&f, error);
    status = status == MC_OK ? mc_judging_open(f.j, options, error) : status;
    if (status == MC_OK) {
        status = make(&f, point, &root, error);
        mc_judging_close(f.j);
    }
    return film_close(&f, root, status, error);
}

/* The frame of one state, at which the judging has been brought. */
static mc_status add_loss(film *f, const mc_film_state *state, mc_error *error)
{
    mc_story story = {.arena.limit_bytes = SIZE_MAX / 2};
    mc_story_request request = {.point = state->point, .choice = state->choice};
    mc_telling t = {.j = f->j, .story = &story, .request = &request};
    mc_crash crash;
    mc_status status = mc_telling_power(&t, &crash, error);
    if (status == MC_OK && t.found) {
        json_t *frame = json_pack("[I,i]", (json_int_t)state->point, 0);
        status = add_looks(f, &crash, frame, error);
        json_array_append_new(f->frames, frame);
        json_t *lines = json_array();
        for (uint32_t i = 0; i < story.loss_count; i++) {
            json_array_append_new(lines, json_string(story.loss[i]));
        }
        json_array_append_new(f->losses, lines);
        json_array_append_new(f->choices, json_string(state->choice));
    }
    mc_story_free(&story);
    return status;
}

/* `point` gives the window. The judging is this state's alone: its disk becomes the state. */
static mc_status take_loss(film *f, size_t point, const mc_film_state *state, json_t **root,
                           mc_error *error)
{
    mc_status status = MC_OK;
    if (*root == NULL) {
        choose_window(f, point);
        *root = root_json(f);
        status = *root == NULL ? no_memory(error) : add_operations(f, *root, error);
    }
    bool inside = state->point >= f->first && state->point <= f->end;
    return status == MC_OK && inside ? add_loss(f, state, error) : status;
}

char *mc_film_of_losses(const mc_judge_options *options, size_t point, const mc_film_state *states,
                        uint32_t count, mc_error *error)
{
    assert(options->power != NULL && count > 0);
    film f = {.choices = json_array(), .losses = json_array()};
    json_t *root = NULL;
    mc_status status = film_open(&f, error);
    for (uint32_t i = 0; status == MC_OK && i < count; i++) {
        status = mc_judging_open(f.j, options, error);
        if (status == MC_OK) {
            status = take_loss(&f, point, &states[i], &root, error);
            mc_judging_close(f.j);
        }
    }
    if (status == MC_OK) {
        put_parts(&f, root);
        json_object_set(root, "choices", f.choices);
        json_object_set(root, "losses", f.losses);
    }
    return film_close(&f, root, status, error);
}
