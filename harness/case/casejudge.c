#include "harness/case/casejudge.h"

#include "crashsim/dump.h"
#include "crashsim/workload.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* For one importer on one state: a store of a few bytes may speak of a file of terabytes. */
enum { STATE_BYTES_MAX = 2 * MC_CASE_BYTES_MAX };

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "case: out of memory");
}

/* ---- to a case ---- */

static mc_status put_state(const mc_judging *j, mc_case *c, mc_error *error)
{
    const mc_disk *disk = &j->trace.base;
    mc_status status = MC_OK;
    if (j->trace.is_kv) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        status = out == NULL ? no_memory(error) : mc_dump_write(&j->store, out, "kv.jsonl", error);
        if (out != NULL && fclose(out) != 0 && status == MC_OK) {
            status = no_memory(error);
        }
        status = status == MC_OK ? mc_case_add(c, "kv.jsonl", text, size, error) : status;
        free(text);
        return status;
    }
    for (uint32_t i = 0; status == MC_OK && i < disk->file_count; i++) {
        const mc_disk_file *file = &disk->file[i];
        if (file->exists) {
            /* Nobody reads a -shm after a crash; that it is there is all that counts. */
            bool shm = strcmp(mc_file_role(&j->trace, (uint16_t)i), "shm") == 0;
            status = mc_case_add(c, file->name, file->data, shm ? 0 : file->size, error);
        }
    }
    return status;
}

static mc_status put_snapshots(mc_judging *j, uint32_t last, mc_case *c, mc_error *error)
{
    mc_status status = MC_OK;
    for (uint32_t k = 0; status == MC_OK && k <= last; k++) {
        for (uint32_t d = 0; status == MC_OK && d < j->history.database_count; d++) {
            char name[MC_CASE_NAME_BYTES];
            mc_image image;
            mc_arena_reset(&j->arena);
            status = mc_history_image(&j->history, k, d, &j->arena, &image, error);
            size_t size = (size_t)image.page_count * image.page_size;
            uint8_t *bytes = status == MC_OK ? mc_arena_alloc(&j->arena, size) : NULL;
            if (status == MC_OK && bytes == NULL) {
                return no_memory(error);
            }
            for (uint32_t i = 0; status == MC_OK && i < image.page_count; i++) {
                memcpy(bytes + (size_t)i * image.page_size, image.page[i], image.page_size);
            }
            mc_case_snapshot_name(k, d, name);
            status = status == MC_OK ? mc_case_add(c, name, bytes, size, error) : status;
        }
    }
    return status;
}

/* The program as a FILE.sql: what `run --workload` takes. */
static mc_status put_program(const mc_program *program, mc_case *c, mc_error *error)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return no_memory(error);
    }
    const mc_script *scripts[] = {&program->setup, &program->program};
    for (int s = 0; s < 2; s++) {
        (void)fputs(s == 1 ? "-- @program\n" : "", out);
        for (uint32_t i = 0; i < scripts[s]->count; i++) {
            const char *sql = scripts[s]->text[i];
            size_t length = strlen(sql);
            while (length > 0 && (sql[length - 1] == '\n' || sql[length - 1] == ' ')) {
                length--;
            }
            bool ended = length > 0 && (sql[length - 1] == ';' || sql[0] == '@');
            const char *end = strstr(sql, "--") != NULL ? "\n;" : ";"; /* past a last comment */
            (void)fprintf(out, "%.*s%s\n", (int)length, sql, ended ? "" : end);
        }
    }
    mc_status status =
        fclose(out) == 0 ? mc_case_add(c, "workload.sql", text, size, error) : no_memory(error);
    free(text);
    return status;
}

static json_t *operations(const mc_story *story)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < story->op_count; i++) {
        const mc_story_op *op = &story->op[i];
        json_t *object =
            json_pack("{s:I,s:s}", "element", (json_int_t)op->number, "does", op->text);
        if (op->statement != NULL) {
            json_object_set_new(object, "statement", json_string(op->statement));
        }
        if (op->crash) {
            json_object_set_new(object, "crash", json_true());
        }
        json_array_append_new(list, object);
    }
    return list;
}

static mc_status put_facts(const mc_judging *j, const mc_crash *crash, const mc_story *story,
                           const mc_program *program, mc_case *c, mc_error *error)
{
    const mc_record_options *record = j->options->record;
    json_t *names = json_array();
    for (uint32_t d = 0; d < j->trace.database_count; d++) {
        json_array_append_new(names, json_string(j->trace.database[d]));
    }
    json_t *expected = json_object();
    for (uint32_t i = 0; i < j->importers->count; i++) {
        json_object_set_new(expected, story->answer[i].importer,
                            json_string(story->answer[i].verdict));
    }
    uint32_t cache = record->cache_pages != 0 ? record->cache_pages : program->cache_pages;
    char crash_name[64];
    const mc_mistake *mistake = j->handover.mistake;
    (void)snprintf(crash_name, sizeof crash_name, "%s%s%s%s", j->crash_name,
                   crash->again != NULL ? MC_AGAIN_MARK : "", mistake != NULL ? "@" : "",
                   mistake != NULL ? mistake->name : "");
    json_t *told = json_pack("{s:I,s:I,s:o}", "elements", (json_int_t)story->elements, "commits",
                             (json_int_t)story->commits, "operations", operations(story));
    if (story->before != NULL) {
        json_object_set_new(told, "before", json_string(story->before));
        json_object_set_new(told, "first_bad",
                            json_pack("{s:I,s:s}", "element", (json_int_t)story->bad, "does",
                                      story->bad_text != NULL ? story->bad_text : ""));
    }
    json_t *loss = story->loss_count > 0 ? json_array() : NULL;
    for (uint32_t i = 0; i < story->loss_count; i++) {
        json_array_append_new(loss, json_string(story->loss[i]));
    }
    if (loss != NULL) {
        json_object_set_new(told, "power", loss);
    }
    if (story->again != NULL) {
        json_object_set_new(told, "again", json_string(story->again));
    }
    if (story->handed != NULL) {
        json_object_set_new(told, "handed", json_string(story->handed));
        json_object_set_new(told, "effect", json_string(story->effect));
    }
    c->facts = json_pack(
        "{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:b,s:b,s:I,s:I,s:o,s:o,s:o}",
        "schema", "midcommit/case/1", "signature", story->signature, "state", story->state,
        "importer", story->subject, "sqlite", sqlite3_libversion(), "workload", record->workload,
        "mode", mc_mode_names[record->mode], "sync", mc_sync_names[record->sync], "crash",
        crash_name, "seed", (json_int_t)record->seed, "txns", (json_int_t)record->txns, "page_size",
        (json_int_t)j->history.page_size, "cache_pages", (json_int_t)cache, "auto_vacuum",
        program->auto_vacuum, "attach", program->attach, "acked", (json_int_t)crash->acked, "begun",
        (json_int_t)crash->begun, "databases", names, "expected", expected, "story", told);
    if (c->facts != NULL && crash->choice != NULL) {
        json_object_set_new(c->facts, "choice", json_string(crash->choice));
    }
    if (c->facts != NULL && crash->again != NULL) {
        json_object_set_new(c->facts, "again", json_string(crash->again));
    }
    return c->facts != NULL
               ? MC_OK
               : mc_fail(error, MC_MALFORMED, "case-facts", "case: a name is no UTF-8 text");
}

mc_status mc_case_capture(mc_judging *j, const mc_crash *crash, const mc_story *story, mc_case *c,
                          mc_error *error)
{
    assert(c->facts == NULL && c->entry_count == 0);
    mc_arena arena = {.limit_bytes = MC_TRACE_ARENA_BYTES};
    mc_program made = {.arena = &arena};
    const mc_program *program = j->options->record->program;
    mc_status status = program != NULL ? MC_OK : mc_program_make(&made, j->options->record, error);
    program = program != NULL ? program : &made;
    if (crash->begun > MC_CASE_COMMITS_MAX) {
        status = mc_fail(error, MC_MALFORMED, "case-too-large", "%s: more than %d commits",
                         story->state, MC_CASE_COMMITS_MAX);
    }
    status = status == MC_OK ? put_facts(j, crash, story, program, c, error) : status;
    status = status == MC_OK ? put_program(program, c, error) : status;
    status = status == MC_OK ? put_state(j, c, error) : status;
    status = status == MC_OK ? put_snapshots(j, crash->begun, c, error) : status;
    mc_arena_free(&arena);
    if (status != MC_OK) {
        mc_case_free(c);
    }
    return status;
}

/* ---- from a case ---- */

static mc_status add_file(mc_disk *disk, const char *name, const mc_file *file, mc_error *error)
{
    uint16_t slot = mc_disk_slot(disk, name);
    bool ok = slot != MC_DISK_NONE && mc_disk_create(disk, slot) &&
              (file->size == 0 || mc_disk_write(disk, slot, 0, file->data, (size_t)file->size));
    return ok ? MC_OK : no_memory(error);
}

static mc_status load_state(const mc_case *c, mc_trace *trace, mc_error *error)
{
    if (trace->is_kv) {
        mc_file dump = mc_case_file(c, "kv.jsonl");
        return mc_dump_parse("kv.jsonl", (const char *)dump.data, (size_t)dump.size, &trace->arena,
                             &trace->base_kv, error);
    }
    for (uint32_t d = 0; d < trace->database_count; d++) {
        if (mc_disk_slot(&trace->base, trace->database[d]) == MC_DISK_NONE) {
            return no_memory(error);
        }
    }
    mc_status status = MC_OK;
    for (uint32_t i = 0; status == MC_OK && i < c->entry_count; i++) {
        if (mc_case_is_state(c->entry[i].name)) {
            status = add_file(&trace->base, c->entry[i].name, &c->entry[i].file, error);
        }
    }
    return status;
}

/* One commit of the told trace: the whole snapshot is written, and the file cut to its size. */
static mc_status tell_commit(const mc_case *c, mc_trace *told, uint32_t k, mc_error *error)
{
    mc_op mark = {.kind = MC_OP_BEGUN, .file = MC_DISK_NONE, .offset = k};
    mc_status status = mc_trace_add(told, mark, error);
    for (uint32_t d = 0; status == MC_OK && d < told->database_count; d++) {
        char name[MC_CASE_NAME_BYTES];
        mc_case_snapshot_name(k, d, name);
        mc_file file = mc_case_file(c, name);
        uint16_t slot = mc_disk_find(&told->base, told->database[d]);
        mc_op write = {
            .kind = MC_OP_WRITE, .file = slot, .size = (uint32_t)file.size, .data = file.data};
        mc_op cut = {.kind = MC_OP_TRUNCATE, .file = slot, .offset = file.size};
        status = file.size > 0 ? mc_trace_add(told, write, error) : MC_OK;
        status = status == MC_OK ? mc_trace_add(told, cut, error) : status;
    }
    mark.kind = MC_OP_ACKED;
    return status == MC_OK ? mc_trace_add(told, mark, error) : status;
}

static mc_status tell_snapshots(const mc_case *c, mc_trace *told, mc_error *error)
{
    mc_status status = MC_OK;
    for (uint32_t d = 0; status == MC_OK && d < told->database_count; d++) {
        char name[MC_CASE_NAME_BYTES];
        mc_case_snapshot_name(0, d, name);
        mc_file file = mc_case_file(c, name);
        status = add_file(&told->base, told->database[d], &file, error);
    }
    told->commit_count = mc_case_number(c, "begun");
    for (uint32_t k = 1; status == MC_OK && k <= told->commit_count; k++) {
        status = tell_commit(c, told, k, error);
    }
    return status;
}

static mc_status load(const mc_case *c, mc_judging *j, mc_error *error)
{
    mc_trace *traces[] = {&j->trace, &j->told};
    for (int i = 0; i < 2; i++) {
        traces[i]->arena.limit_bytes = MC_TRACE_ARENA_BYTES;
        traces[i]->database_count = mc_case_database_count(c);
        for (uint32_t d = 0; d < traces[i]->database_count; d++) {
            traces[i]->database[d] = mc_case_database(c, d);
        }
    }
    j->trace.is_kv = j->options->record->kv;
    j->trace.kv_build = j->options->record->kv_build;
    j->trace.base.limit_bytes = MC_CASE_BYTES_MAX; /* a forged header may name terabytes */
    mc_status status = load_state(c, &j->trace, error);
    status = status == MC_OK ? tell_snapshots(c, &j->told, error) : status;
    status = status == MC_OK ? mc_history_build(&j->told, true, &j->history, error) : status;
    if (status == MC_OK && j->history.pages_max == 0) {
        j->history.page_size = j->options->record->page_size; /* no snapshot says it */
    }
    if (status == MC_OK && j->history.page_size != j->options->record->page_size) {
        status = mc_fail(error, MC_MALFORMED, "case-snapshot",
                         "snapshots have pages of %u bytes, case.json says %u",
                         j->history.page_size, j->options->record->page_size);
    }
    return status;
}

mc_status mc_case_open(const mc_case *c, const mc_judge_options *options, mc_judging *j,
                       mc_crash *crash, mc_error *error)
{
    mc_judging_start(j, options);
    j->single = true;
    j->arena.limit_bytes = STATE_BYTES_MAX;
    mc_status status = load(c, j, error);
    if (status != MC_OK) {
        mc_judging_close(j);
        return status;
    }
    status = mc_judging_ready(j, error);
    if (status != MC_OK) {
        return status;
    }
    *crash = (mc_crash){.acked = mc_case_number(c, "acked"), .begun = mc_case_number(c, "begun")};
    for (uint32_t k = 1; k <= crash->acked; k++) {
        mc_judging_acked(j, k);
    }
    return MC_OK;
}

mc_status mc_case_judge(const mc_case *c, const mc_importers *importers, mc_case_look_fn look,
                        void *context, mc_error *error)
{
    mc_record_options record;
    mc_judge_options options = {.record = &record, .importers = importers};
    mc_crash crash;
    mc_judging *j = malloc(sizeof *j);
    if (j == NULL) {
        return no_memory(error);
    }
    mc_case_recipe(c, &record);
    mc_status status = mc_case_open(c, &options, j, &crash, error);
    if (status == MC_OK) {
        status = look(context, j, &crash, error);
        mc_judging_close(j);
    }
    free(j);
    return status;
}

mc_status mc_case_verdicts(mc_judging *j, const mc_crash *crash,
                           char (*text)[MC_CASE_VERDICT_BYTES], mc_error *error)
{
    mc_outcome control;
    mc_status status = mc_judging_control(j, &control, error);
    bool recovers = status == MC_OK && control.kind == MC_OUTCOME_SNAPSHOT;
    for (uint32_t i = 0; status == MC_OK && i < j->importers->count; i++) {
        mc_outcome outcome = control;
        if (j->importers->chosen[i].kind != MC_IMPORTER_SQLITE) {
            status = mc_judging_outcome(j, i, &outcome, error);
        }
        if (status == MC_OK) {
            mc_verdict verdict = mc_verdict_of(&outcome, j->content.classes, crash->acked,
                                               crash->begun, j->content.empty_class, recovers);
            mc_verdict_text(&verdict, text[i], MC_CASE_VERDICT_BYTES);
        }
    }
    return status;
}
