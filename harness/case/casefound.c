#include "harness/case/casefound.h"

#include "crashsim/dump.h"
#include "harness/case/casejudge.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "case: out of memory");
}

static mc_status put_files(const mc_source *source, mc_case *c, mc_error *error)
{
    static const char *const names[] = {"main.db", "main.db-journal", "main.db-wal", "main.db-shm"};
    const mc_file *files[] = {&source->files.main, &source->files.journal, &source->files.wal,
                              &source->files.shm};
    mc_status status = MC_OK;
    for (int i = 0; status == MC_OK && i < 4; i++) {
        if (files[i]->exists) {
            status = mc_case_add(c, names[i], files[i]->data, i == 3 ? 0 : files[i]->size, error);
        }
    }
    return status;
}

static mc_status put_store(const mc_source *source, mc_case *c, mc_error *error)
{
    mc_kvstore store = {0};
    char *text = NULL;
    size_t size = 0;
    bool ok = true;
    for (size_t i = 0; ok && i < source->store.count; i++) {
        const mc_pair *pair = &source->store.pair[i];
        ok = pair->key_size <= MC_KV_KEY_MAX &&
             mc_kvstore_put(&store, pair->key, pair->key_size, pair->value, pair->value_size);
    }
    FILE *out = ok ? open_memstream(&text, &size) : NULL;
    mc_status status =
        out == NULL ? no_memory(error) : mc_dump_write(&store, out, "kv.jsonl", error);
    if (out != NULL) {
        (void)fclose(out);
    }
    status = status == MC_OK ? mc_case_add(c, "kv.jsonl", text, size, error) : status;
    free(text);
    mc_kvstore_free(&store);
    return status;
}

static mc_status put_facts(const mc_source *source, const char *name, const char *subject,
                           mc_case *c, mc_error *error)
{
    const mc_file *main = &source->files.main;
    bool kv = source->kind != MC_SOURCE_FILES;
    uint32_t page_size = kv ? 4096 : 0;
    if (!kv && main->size >= 100) {
        page_size = (uint32_t)main->data[16] << 8 | main->data[17];
        page_size = page_size == 1 ? MC_PAGE_SIZE_MAX : page_size;
    }
    bool good = page_size >= MC_PAGE_SIZE_MIN && page_size <= MC_PAGE_SIZE_MAX &&
                (page_size & (page_size - 1)) == 0;
    const char *mode = !kv && source->files.wal.exists ? "wal" : "delete";
    c->facts = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:i,s:I,s:i,s:i,s:i,s:[s],s:{}}",
                         "schema", "midcommit/case/1", "signature", "", "state", name, "importer",
                         subject, "sqlite", sqlite3_libversion(), "workload", "", "mode", mode,
                         "sync", "full", "crash", kv ? "kv:journal" : "kill", "seed", 0, "txns", 0,
                         "page_size", (json_int_t)(good ? page_size : 4096), "cache_pages", 0,
                         "acked", 0, "begun", 0, "databases", "main.db", "expected");
    return c->facts != NULL
               ? MC_OK
               : mc_fail(error, MC_MALFORMED, "case-facts", "case: a name is no UTF-8 text");
}

/* An image that SQLite opens and cannot read is no snapshot: as if it had refused. */
static mc_status leave_unreadable(mc_judging *j, mc_image *image, mc_error *error)
{
    mc_hash128 dump;
    mc_status status = mc_inspect_dump(j->content.inspector, image, 1, &dump, error);
    if (status == MC_IO && strcmp(error->reason, "unreadable-snapshot") == 0) {
        *image = (mc_image){0};
        return MC_OK;
    }
    return status;
}

/* What SQLite recovers, as snapshot 0. */
static mc_status put_snapshot(mc_judging *j, mc_case *c, mc_error *error)
{
    mc_outcome control;
    mc_image image = {0};
    mc_arena arena = {.limit_bytes = SIZE_MAX / 2};
    mc_status status = mc_judging_control(j, &control, error);
    bool recovered = status == MC_OK && control.kind != MC_OUTCOME_REFUSED;
    if (status == MC_OK && !recovered && strcmp(control.reason, sqlite3_errstr(SQLITE_FULL)) == 0) {
        return mc_fail(error, MC_REFUSED, "too-large",
                       "main.db: what SQLite recovers is larger than a case holds (%d bytes)",
                       MC_CASE_BYTES_MAX);
    }
    if (recovered && j->trace.is_kv) {
        image = j->given[0];
    } else if (recovered) {
        status = mc_judging_control_copy(j, &arena, &image, error);
    }
    if (status == MC_OK && image.page_count > 0) {
        status = leave_unreadable(j, &image, error);
    }
    size_t size = (size_t)image.page_count * image.page_size;
    uint8_t *bytes = status == MC_OK ? mc_arena_alloc(&arena, size) : NULL;
    if (status == MC_OK && bytes == NULL) {
        status = no_memory(error);
    }
    for (uint32_t i = 0; status == MC_OK && i < image.page_count; i++) {
        memcpy(bytes + (size_t)i * image.page_size, image.page[i], image.page_size);
    }
    c->entry_count--; /* in the place of the empty one */
    status = status == MC_OK ? mc_case_add(c, "snapshot-0.db", bytes, size, error) : status;
    mc_arena_free(&arena);
    return status;
}

/* What is being made, while it is looked at. */
typedef struct finding {
    mc_case *c;
    uint32_t subject;
} finding;

static mc_status take_snapshot(void *context, mc_judging *j, const mc_crash *crash, mc_error *error)
{
    (void)crash;
    return put_snapshot(j, ((finding *)context)->c, error);
}

static mc_status take_verdicts(void *context, mc_judging *j, const mc_crash *crash, mc_error *error)
{
    mc_case *c = ((finding *)context)->c;
    uint32_t subject = ((finding *)context)->subject;
    char text[MC_IMPORTERS_MAX][MC_CASE_VERDICT_BYTES];
    mc_outcome outcome;
    mc_status status = mc_case_verdicts(j, crash, text, error);
    status = status == MC_OK ? mc_judging_outcome(j, subject, &outcome, error) : status;
    if (status != MC_OK) {
        return status;
    }
    json_t *expected = json_object_get(c->facts, "expected");
    for (uint32_t i = 0; i < j->importers->count; i++) {
        json_object_set_new(expected, j->importers->chosen[i].name, json_string(text[i]));
    }
    const mc_seen_image *seen =
        outcome.kind == MC_OUTCOME_OTHER ? mc_content_seen(&j->content, outcome.image) : NULL;
    char signature[MC_SIGNATURE_MAX];
    (void)snprintf(signature, sizeof signature, "%s/%s/found/%s/%s/%s", mc_case_text(c, "mode"),
                   mc_case_text(c, "crash"), seen != NULL && seen->role[0] ? seen->role : "-",
                   j->importers->chosen[subject].name, text[subject]);
    json_object_set_new(c->facts, "signature", json_string(signature));
    return MC_OK;
}

mc_status mc_case_found(const mc_source *source, const char *name, const mc_importers *importers,
                        uint32_t subject, mc_case *out, mc_error *error)
{
    memset(out, 0, sizeof *out);
    bool kv = source->kind != MC_SOURCE_FILES;
    finding made = {.c = out, .subject = subject};
    mc_status status = put_facts(source, name, importers->chosen[subject].name, out, error);
    status = status != MC_OK ? status
             : kv            ? put_store(source, out, error)
                             : put_files(source, out, error);
    status = status == MC_OK ? mc_case_add(out, "snapshot-0.db", NULL, 0, error) : status;
    status = status == MC_OK ? mc_case_judge(out, importers, take_snapshot, &made, error) : status;
    status = status == MC_OK ? mc_case_judge(out, importers, take_verdicts, &made, error) : status;
    if (status != MC_OK) {
        mc_case_free(out);
    }
    return status;
}
