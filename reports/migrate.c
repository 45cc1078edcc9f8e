#include "reports/migrate.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"

static const struct {
    uint32_t bit;
    const char *name;
} sidecars[] = {{MC_SIDECAR_JOURNAL, "journal"}, {MC_SIDECAR_WAL, "wal"}, {MC_SIDECAR_SHM, "shm"}};
enum { SIDECARS = sizeof sidecars / sizeof *sidecars, ACTOR_BYTES_MAX = 4096 };

static json_t *names_of(uint32_t bits)
{
    json_t *names = json_array();
    for (int i = 0; i < SIDECARS; i++) {
        if ((bits & sidecars[i].bit) != 0) {
            json_array_append_new(names, json_string(sidecars[i].name));
        }
    }
    return names;
}

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *text_or_null(const char *text)
{
    return text != NULL ? json_string(text) : json_null();
}

static json_t *hash_or_null(const mc_migration *m)
{
    char hex[33];
    mc_hash128_hex(m->content_hash, hex);
    return m->outcome == MC_MIGRATE_IMPORTED ? json_string(hex) : json_null();
}

/* The text with a newline, to be freed. */
static char *to_text(json_t *object, size_t flags)
{
    char *text = json_dumps(object, flags);
    json_decref(object);
    size_t size = text == NULL ? 0 : strlen(text);
    char *line = text == NULL ? NULL : realloc(text, size + 2);
    if (line == NULL) {
        free(text);
        return NULL;
    }
    (void)memcpy(line + size, "\n", 2);
    return line;
}

char *mc_report_migrate_json(const mc_migration *m)
{
    json_t *input = json_object();
    json_object_set_new(input, "state", json_string(mc_migrate_state_names[m->state]));
    json_object_set_new(input, "sidecars", names_of(m->sidecars));
    json_object_set_new(input, "orphan_bytes", number(m->orphan_bytes));
    json_object_set_new(input, "kv_requests", number(m->kv_requests));
    json_t *object = json_object();
    json_object_set_new(object, "schema", json_string("midcommit/migrate/1"));
    json_object_set_new(object, "policy", json_string(m->policy->name));
    json_object_set_new(object, "outcome", json_string(mc_migrate_outcome_names[m->outcome]));
    json_object_set_new(object, "reason", text_or_null(m->reason));
    json_object_set_new(object, "pages", number(m->pages));
    json_object_set_new(object, "page_size", number(m->page_size));
    json_object_set_new(object, "size_bytes", number((uint64_t)m->pages * m->page_size));
    json_object_set_new(object, "input", input);
    json_object_set_new(object, "content_hash", hash_or_null(m));
    if (m->swept) {
        json_object_set_new(object, "swept",
                            json_pack("{s:I,s:I}", "keys", (json_int_t)m->swept_keys, "bytes",
                                      (json_int_t)m->swept_bytes));
    }
    return to_text(object, JSON_INDENT(1));
}

void mc_report_migrate_text(const mc_migration *m, const char *source, FILE *out)
{
    const char *outcome = mc_migrate_outcome_names[m->outcome];
    (void)fprintf(out, "%s: %s by %s", source, outcome, m->policy->name);
    if (m->outcome == MC_MIGRATE_IMPORTED) {
        char hex[33];
        mc_hash128_hex(m->content_hash, hex);
        (void)fprintf(out, ": %" PRIu32 " pages of %" PRIu32 " bytes, content %s\n", m->pages,
                      m->page_size, hex);
    } else {
        (void)fprintf(out, ": %s (%s)\n", m->detail, m->reason);
    }
    (void)fprintf(out, "input: %s; sidecars:", mc_migrate_state_names[m->state]);
    for (int i = 0; i < SIDECARS; i++) {
        if ((m->sidecars & sidecars[i].bit) != 0) {
            (void)fprintf(out, " %s%s", sidecars[i].name,
                          (m->abandoned & sidecars[i].bit) != 0 ? " (abandoned)" : "");
        }
    }
    (void)fprintf(out,
                  "%s; orphans: %zu keys, %" PRIu64 " bytes; key-value requests: %" PRIu64 "\n",
                  m->sidecars == 0 ? " none" : "", m->orphan_keys, m->orphan_bytes, m->kv_requests);
    if (m->compared && m->pages_differing > 0) {
        (void)fprintf(out, "warning: %" PRIu32 " pages differ from what SQLite would recover\n",
                      m->pages_differing);
    }
    if (m->swept) {
        (void)fprintf(out, "swept: %zu keys, %" PRIu64 " bytes\n", m->swept_keys, m->swept_bytes);
    }
}

/* As JSON takes it: what is not UTF-8 is made so. */
static json_t *actor_text(const char *actor)
{
    if (actor == NULL) {
        return json_null();
    }
    json_t *text = json_string(actor);
    if (text != NULL) {
        return text;
    }
    mc_arena arena = {.limit_bytes = 4 * ACTOR_BYTES_MAX};
    mc_bytes bytes = {(const uint8_t *)actor, strnlen(actor, ACTOR_BYTES_MAX)};
    const char *valid = mc_text_utf8(&arena, bytes, MC_TEXT_UTF8);
    text = text_or_null(valid);
    mc_arena_free(&arena);
    return text;
}

char *mc_report_migrate_log(const mc_migration *m, const char *actor, const mc_error *failure)
{
    bool imported = failure == NULL && m->outcome == MC_MIGRATE_IMPORTED;
    json_t *object = json_object();
    bool refused = failure == NULL && m->outcome == MC_MIGRATE_REFUSED;
    bool warn = refused || m->abandoned != 0 || (m->compared && m->pages_differing > 0);
    json_object_set_new(object, "level",
                        json_string(failure != NULL ? "error"
                                    : warn          ? "warn"
                                                    : "info"));
    json_object_set_new(object, "event", json_string("migrate"));
    json_object_set_new(object, "actor", actor_text(actor));
    json_object_set_new(object, "policy", json_string(m->policy->name));
    json_object_set_new(
        object, "outcome",
        json_string(failure != NULL ? "failed" : mc_migrate_outcome_names[m->outcome]));
    json_object_set_new(object, "reason",
                        text_or_null(failure != NULL ? failure->reason : m->reason));
    if (failure != NULL || refused) {
        json_object_set_new(object, "phase", json_string(mc_migrate_phase_names[m->phase]));
        json_object_set_new(object, "detail",
                            json_string(failure != NULL ? failure->text : m->detail));
    }
    if (failure == NULL) {
        json_object_set_new(object, "state", json_string(mc_migrate_state_names[m->state]));
        json_object_set_new(object, "sidecars", names_of(m->sidecars));
        json_object_set_new(object, "abandoned", names_of(m->abandoned));
        json_object_set_new(object, "pages", number(m->pages));
        json_object_set_new(object, "orphan_bytes", number(m->orphan_bytes));
        json_object_set_new(object, "kv_requests", number(m->kv_requests));
    }
    if (imported && m->compared) {
        json_object_set_new(object, "pages_differing", number(m->pages_differing));
    }
    if (m->swept) {
        json_object_set_new(object, "swept_keys", number(m->swept_keys));
        json_object_set_new(object, "swept_bytes", number(m->swept_bytes));
    }
    json_object_set_new(object, "seconds", json_real(m->seconds));
    return to_text(object, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(6));
}

static void metric(FILE *out, const char *name, const char *type, const char *help)
{
    (void)fprintf(out, "# HELP midcommit_migrate_%s %s\n# TYPE midcommit_migrate_%s %s\n", name,
                  help, name, type);
}

static void sample(FILE *out, const char *name, uint64_t value)
{
    (void)fprintf(out, "midcommit_migrate_%s %" PRIu64 "\n", name, value);
}

static void write_outcome_metrics(const mc_migration *m, bool failed, FILE *out)
{
    bool refused = !failed && m->outcome == MC_MIGRATE_REFUSED;
    metric(out, "attempts_total", "counter", "Migrations begun.");
    sample(out, "attempts_total", 1);
    metric(out, "successes_total", "counter", "Migrations that imported a database.");
    sample(out, "successes_total", !failed && m->outcome == MC_MIGRATE_IMPORTED);
    metric(out, "skipped_total", "counter", "Migrations whose target had a database already.");
    sample(out, "skipped_total", !failed && m->outcome == MC_MIGRATE_SKIPPED);
    metric(out, "failures_total", "counter",
           "Migrations that were refused or could not run, by the phase in which they ended.");
    for (int i = 0; i < MC_PHASES; i++) {
        (void)fprintf(out, "midcommit_migrate_failures_total{phase=\"%s\"} %d\n",
                      mc_migrate_phase_names[i],
                      (failed || refused) && m->phase == (mc_migrate_phase)i);
    }
}

static void write_metrics(const mc_migration *m, bool failed, FILE *out)
{
    write_outcome_metrics(m, failed, out);
    metric(out, "duration_seconds", "gauge", "Wall clock time of the migration.");
    (void)fprintf(out, "midcommit_migrate_duration_seconds %.6f\n", m->seconds);
    metric(out, "pages", "gauge", "Pages of the imported database.");
    sample(out, "pages", m->pages);
    metric(out, "abandoned_sidecars_total", "counter",
           "Sidecars that the import made no use of, by kind.");
    for (int i = 0; i < SIDECARS; i++) {
        (void)fprintf(out, "midcommit_migrate_abandoned_sidecars_total{kind=\"%s\"} %d\n",
                      sidecars[i].name, (m->abandoned & sidecars[i].bit) != 0);
    }
    metric(out, "orphan_bytes", "gauge", "Bytes of v1 keys and values that nobody reads any more.");
    sample(out, "orphan_bytes", m->orphan_bytes);
    metric(out, "kv_requests_total", "counter", "Key-value requests made to read v1.");
    sample(out, "kv_requests_total", m->kv_requests);
    metric(out, "swept_bytes_total", "counter", "Orphan bytes deleted by a sweep.");
    sample(out, "swept_bytes_total", m->swept_bytes);
}

char *mc_report_migrate_metrics(const mc_migration *m, bool failed)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return NULL;
    }
    write_metrics(m, failed, out);
    bool ok = !ferror(out);
    ok = fclose(out) == 0 && ok;
    if (!ok) {
        free(text);
        return NULL;
    }
    return text;
}
