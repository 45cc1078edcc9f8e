#include "reports/emit.h"

#include "core/v1.h"
#include "crashsim/dump.h"
#include "reports/emitting.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    mc_status (*emit)(mc_emission *e, FILE *out, mc_error *error);
} kinds[MC_EMIT_KINDS] = {
    {"sql", mc_emit_sql},
    {"sh", mc_emit_sh},
    {"c", mc_emit_c},
};
const char *const mc_emit_names[MC_EMIT_KINDS] = {"sql", "sh", "c"};
const char *const mc_emit_sidecars[3] = {"-journal", "-wal", "-shm"};

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "emit: out of memory");
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* ---- texts ---- */

void mc_emit_plain(FILE *out, const char *text, size_t most)
{
    char last = '\0';
    for (const char *at = text; *at != '\0'; at++) {
        if ((size_t)(at - text) == most) {
            (void)fputs("...", out);
            return;
        }
        char next = *at >= ' ' && *at <= '~' ? *at : '?';
        if ((last == '*' && next == '/') || (last == '/' && next == '*') ||
            (last == '?' && next == '?')) {
            (void)fputc(' ', out);
        }
        last = next;
        (void)fputc(last, out);
    }
}

const char *mc_emit_plain_text(mc_emission *e, const char *text)
{
    size_t room = strlen(text) * 2 + 1;
    char *plain = mc_arena_alloc(&e->arena, room + 1);
    FILE *out = plain == NULL ? NULL : fmemopen(plain, room + 1, "w");
    if (out == NULL) {
        return NULL;
    }
    mc_emit_plain(out, text, SIZE_MAX);
    return fclose(out) == 0 ? plain : NULL;
}

void mc_emit_about(const mc_emission *e, const char *lead, FILE *out)
{
    enum { TEXT_BYTES = 200 };
    (void)fprintf(out, "%sThe finding: ", lead);
    mc_emit_plain(out, mc_case_text(e->c, "signature"), TEXT_BYTES);
    (void)fprintf(out, "\n%sThe state:   ", lead);
    mc_emit_plain(out, mc_case_text(e->c, "state"), TEXT_BYTES);
    (void)fprintf(out, ", made by SQLite ");
    mc_emit_plain(out, mc_case_text(e->c, "sqlite"), TEXT_BYTES);
    (void)fprintf(out, "\n%sExpected:    ", lead);
    mc_emit_plain(out, e->subject, TEXT_BYTES);
    (void)fprintf(out, " makes of it: ");
    mc_emit_plain(out, e->verdict, TEXT_BYTES);
    (void)fprintf(out, "\n%sAcknowledged: %u commits%s.\n", lead, e->acked,
                  e->begun > e->acked ? "; one more was in flight" : "");
}

static void story_operations(const mc_emission *e, const char *lead, FILE *out)
{
    enum { TEXT_BYTES = 150 };
    const json_t *story = json_object_get(e->c->facts, "story");
    const json_t *list = json_object_get(story, "operations");
    bool died = false;
    bool power = mc_case_power(e->c) != NULL;
    size_t i;
    for (i = 0; i < json_array_size(list); i++) {
        const json_t *op = json_array_get(list, i);
        const char *does = json_string_value(json_object_get(op, "does"));
        const char *statement = json_string_value(json_object_get(op, "statement"));
        if (json_is_true(json_object_get(op, "crash"))) {
            (void)fprintf(out, "%s>> %s the next operation:\n", lead,
                          power ? "the power goes here, before" : "kill -9 here, before or inside");
            died = true;
        }
        if (statement != NULL) {
            (void)fprintf(out, "%s         in: ", lead);
            mc_emit_plain(out, statement, TEXT_BYTES);
            (void)fputc('\n', out);
        }
        json_int_t element = json_integer_value(json_object_get(op, "element"));
        (void)fprintf(out, "%s%8lld  ", lead, (long long)element);
        mc_emit_plain(out, does != NULL ? does : "", TEXT_BYTES);
        (void)fputc('\n', out);
    }
    if (!died && json_array_size(list) > 0) {
        (void)fprintf(out, "%s>> %s here, after the last operation\n", lead,
                      power ? "the power goes" : "kill -9");
    }
    const char *cut = power ? NULL : strrchr(mc_case_text(e->c, "state"), '+');
    json_t *line;
    json_array_foreach(json_object_get(story, "power"), i, line)
    {
        (void)fprintf(out, "%s  ", lead);
        mc_emit_plain(out, json_is_string(line) ? json_string_value(line) : "", TEXT_BYTES);
        (void)fputc('\n', out);
    }
    if (cut != NULL) {
        (void)fprintf(out, "%sOf the operation at the crash was kept: ", lead);
        mc_emit_plain(out, cut + 1, TEXT_BYTES);
        (void)fprintf(out, "%s\n", e->is_kv ? " (1: the request was applied)" : " bytes");
    }
}

void mc_emit_story(const mc_emission *e, const char *lead, FILE *out)
{
    enum { NAME_BYTES = 60 };
    story_operations(e, lead, out);
    (void)fprintf(out, "%sWhat the crash left%s:\n", lead,
                  e->is_kv ? ", as the store's VFS shows it" : "");
    for (uint32_t i = 0; i < e->file_count && mc_case_is_state(e->file[i].name); i++) {
        (void)fprintf(out, "%s    %s, %llu bytes\n", lead, e->file[i].name,
                      (unsigned long long)e->file[i].file.size);
    }
    (void)fprintf(out, "%sWhat each importer makes of it:\n", lead);
    const char *importer;
    json_t *verdict;
    json_object_foreach(json_object_get(e->c->facts, "expected"), importer, verdict)
    {
        (void)fprintf(out, "%s    ", lead);
        mc_emit_plain(out, importer, NAME_BYTES);
        (void)fputs(": ", out);
        const char *text = json_string_value(verdict);
        mc_emit_plain(out, text != NULL ? text : "", NAME_BYTES);
        (void)fputc('\n', out);
    }
}

void mc_emit_go_on(const mc_emission *e, FILE *out)
{
    const char *who = e->subject;
    bool ours = mc_importer_find(who) != NULL;
    if (ours && e->is_kv) {
        (void)fprintf(out, "midcommit migrate --from-kv kv.jsonl --policy %s --to-file out.db",
                      who);
    } else if (ours) {
        (void)fputs("midcommit migrate --from-files ./", out);
        mc_emit_plain(out, mc_case_database(e->c, 0), MC_CASE_NAME_BYTES);
        (void)fprintf(out, " --policy %s --to-file out.db", who);
    } else {
        (void)fputs("midcommit replay --importer ", out);
        mc_emit_plain(out, who, SIZE_MAX);
        (void)fputs(" with the case", out);
    }
}

/* ---- what is expected, and how to get there ---- */

static mc_status expect(mc_emission *e, mc_error *error)
{
    static const char behind[] = "stale, behind ";
    const char *verdict = e->verdict;
    mc_emit_expected *x = &e->expected;
    *x = (mc_emit_expected){.low = 1, .high = 0}; /* nothing */
    if (strcmp(verdict, "clean, ahead") == 0) {
        x->low = x->high = e->begun;
        x->none = false;
    } else if (begins(verdict, "clean")) {
        x->low = x->high = e->acked;
    } else if (begins(verdict, behind)) {
        unsigned long lost = strtoul(verdict + strlen(behind), NULL, 10);
        if (lost > 0 && lost <= e->acked) {
            x->low = x->high = e->acked - (uint32_t)lost;
        }
    } else if (begins(verdict, "stale") && e->acked > 0) {
        x->low = 0;
        x->high = e->acked - 1;
    } else if (begins(verdict, "torn")) {
        x->none = true;
        x->sound = strcmp(verdict, "torn, silent") == 0;
    } else if (begins(verdict, "blocked")) {
        x->refusal = true;
        x->low = 0;
        x->high = e->begun;
    } else if (begins(verdict, "refused")) {
        x->refusal = true;
        x->none = true;
    } else if (!begins(verdict, "stale")) {
        return mc_fail(error, MC_MALFORMED, "case-facts", "case.json: \"%s\" is no verdict",
                       verdict);
    }
    return MC_OK;
}

static const char *verdict_on(const mc_case *c, const char *importer)
{
    return json_string_value(json_object_get(json_object_get(c->facts, "expected"), importer));
}

static bool has_file(const mc_emission *e, const char *name, const char *suffix)
{
    char full[MC_CASE_NAME_BYTES + 16];
    (void)snprintf(full, sizeof full, "%s%s", name, suffix);
    for (uint32_t i = 0; i < e->file_count; i++) {
        if (strcmp(e->file[i].name, full) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_sidecar(const mc_emission *e)
{
    bool found = false;
    for (uint32_t d = 0; d < e->databases; d++) {
        for (size_t s = 0; s < sizeof mc_emit_sidecars / sizeof *mc_emit_sidecars; s++) {
            found = found || has_file(e, mc_case_database(e->c, d), mc_emit_sidecars[s]);
        }
    }
    return found;
}

/* Only for a sidecar does an importer refuse what stock tools can see. */
static mc_emit_way way_of_reject(const mc_emission *e)
{
    bool for_sidecar = strstr(e->verdict, "-exists") != NULL;
    if (!has_file(e, mc_case_database(e->c, 0), "")) {
        return e->expected.refusal ? MC_EMIT_ELSEWHERE : MC_EMIT_OPEN; /* an empty database */
    }
    if (e->expected.refusal && (!for_sidecar || (e->is_kv && !has_sidecar(e)))) {
        return MC_EMIT_ELSEWHERE; /* a store can hold a sidecar that its VFS does not show */
    }
    return MC_EMIT_REJECT;
}

static mc_emit_way way_of(mc_emission *e)
{
    const char *control = verdict_on(e->c, "sqlite");
    bool as_control = control != NULL && strcmp(control, e->verdict) == 0;
    bool refused = begins(e->verdict, "refused");
    if (e->is_kv && e->file_count == 0) {
        return MC_EMIT_ELSEWHERE; /* the VFS itself cannot read the store */
    }
    if (strcmp(e->subject, "reject") == 0) {
        return way_of_reject(e);
    }
    if (strcmp(e->subject, "abandon") == 0) {
        return e->expected.refusal ? MC_EMIT_ELSEWHERE : MC_EMIT_ABANDON;
    }
    if (strcmp(e->subject, "sqlite") != 0 &&
        (strcmp(e->subject, "recover") != 0 ||
         !(as_control || (refused && control != NULL && begins(control, "refused"))))) {
        return MC_EMIT_ELSEWHERE;
    }
    if (e->expected.refusal) {
        /* SQLite's own refusal is that nothing sound comes out. It cannot be blocked by itself. */
        e->expected.unsound = true;
        e->expected.refusal = !refused;
    }
    return MC_EMIT_OPEN;
}

/* ---- the files ---- */

static mc_status take_store(mc_emission *e, mc_error *error)
{
    mc_kvstore store = {0};
    mc_store view;
    mc_files files = {0};
    mc_file dump = mc_case_file(e->c, "kv.jsonl");
    mc_status status = mc_dump_parse("kv.jsonl", (const char *)dump.data, (size_t)dump.size,
                                     &e->arena, &store, error);
    mc_pair *pair =
        status == MC_OK ? mc_arena_calloc(&e->arena, store.count + 1, sizeof *pair) : NULL;
    if (status == MC_OK && pair == NULL) {
        status = no_memory(error);
    }
    if (status == MC_OK) {
        mc_kvstore_view(&store, pair, &view);
        status = mc_v1_files(&view, &e->arena, &files, error);
    }
    mc_kvstore_free(&store);
    if (status == MC_REFUSED) {
        return MC_OK; /* no files: the VFS cannot open them */
    }
    const mc_file *file[] = {&files.main, &files.journal, &files.wal, &files.shm};
    for (size_t i = 0; status == MC_OK && i < sizeof file / sizeof *file; i++) {
        char *name = mc_arena_alloc(&e->arena, MC_CASE_NAME_BYTES + 16);
        if (name == NULL) {
            return no_memory(error);
        }
        (void)snprintf(name, MC_CASE_NAME_BYTES + 16, "%s%s", mc_case_database(e->c, 0),
                       i == 0 ? "" : mc_emit_sidecars[i - 1]);
        if (file[i]->exists) {
            e->file[e->file_count++] = (mc_packed){name, *file[i]};
        }
    }
    return status;
}

static mc_status take_files(mc_emission *e, mc_error *error)
{
    const mc_case *c = e->c;
    e->is_kv = begins(mc_case_text(c, "crash"), "kv");
    e->file = mc_arena_calloc(&e->arena, c->entry_count + 4, sizeof *e->file);
    if (e->file == NULL) {
        return no_memory(error);
    }
    mc_status status = e->is_kv ? take_store(e, error) : MC_OK;
    for (uint32_t i = 0; status == MC_OK && !e->is_kv && i < c->entry_count; i++) {
        if (mc_case_is_state(c->entry[i].name)) {
            e->file[e->file_count++] = c->entry[i];
        }
    }
    e->way = status == MC_OK ? way_of(e) : MC_EMIT_ELSEWHERE;
    for (uint32_t k = 0; status == MC_OK && k <= e->begun; k++) {
        for (uint32_t d = 0; d < e->databases; d++) {
            char name[MC_CASE_NAME_BYTES];
            mc_case_snapshot_name(k, d, name);
            for (uint32_t i = 0; i < c->entry_count; i++) {
                if (strcmp(c->entry[i].name, name) == 0) {
                    e->file[e->file_count++] = c->entry[i];
                }
            }
        }
    }
    return status;
}

static mc_status prepare(mc_emission *e, mc_error *error)
{
    const char *verdict = verdict_on(e->c, mc_case_text(e->c, "importer"));
    if (verdict == NULL) {
        return mc_fail(error, MC_MALFORMED, "case-facts",
                       "case.json: \"expected\": says nothing about the case's importer");
    }
    e->acked = mc_case_number(e->c, "acked");
    e->begun = mc_case_number(e->c, "begun");
    e->databases = mc_case_database_count(e->c);
    e->subject = mc_emit_plain_text(e, mc_case_text(e->c, "importer"));
    e->verdict = mc_emit_plain_text(e, verdict);
    if (e->subject == NULL || e->verdict == NULL) {
        return no_memory(error);
    }
    mc_status status = expect(e, error);
    return status == MC_OK ? take_files(e, error) : status;
}

mc_status mc_emit(const mc_case *c, mc_emit_kind kind, char **text, size_t *size, mc_error *error)
{
    mc_emission e = {.c = c, .arena = {.limit_bytes = (size_t)MC_CASE_BYTES_MAX * 3}};
    *text = NULL;
    FILE *out = open_memstream(text, size);
    if (out == NULL) {
        return no_memory(error);
    }
    mc_status status = prepare(&e, error);
    status = status == MC_OK ? kinds[kind].emit(&e, out, error) : status;
    bool whole = ferror(out) == 0;
    whole = fclose(out) == 0 && whole;
    if (status == MC_OK && !whole) {
        status = no_memory(error);
    }
    if (status != MC_OK) {
        free(*text);
        *text = NULL;
    }
    mc_arena_free(&e.arena);
    return status;
}
