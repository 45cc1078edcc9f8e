#include "reports/report.h"

#include "crashsim/workload.h"
#include "reports/findings.h"
#include "reports/tabling.h"

#include <inttypes.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* What a verdict is to somebody who reads code-scanning results. */
static const struct {
    const char *id;
    const char *level;
    const char *name;
    const char *text;
} rules[] = {
    {"torn-silent", "error", "TornSilently",
     "The database equals no commit, and no check notices."},
    {"torn-loud", "error", "Torn", "The database equals no commit; a check notices."},
    {"stale", "warning", "Stale", "An acknowledged commit is missing."},
    {"blocked", "warning", "Blocked", "A database that SQLite recovers was refused."},
    {"refused", "note", "Refused", "The importer refused, and SQLite recovers nothing either."},
    {"other", "note", "Other", "Another result: a clean image, or a difference from SQLite."},
};

/* The schema's own name for itself. */
#define SCHEMA "https://json.schemastore.org/sarif-2.1.0.json"
#define BUILT_IN "WORKLOADS"

enum { RULES = sizeof rules / sizeof *rules, OTHER = RULES - 1 };

static size_t rule_of(const mc_finding *f)
{
    static const struct {
        const char *prefix;
        size_t rule;
    } begins[] = {{"torn, silent", 0}, {"torn", 1}, {"stale", 2}, {"blocked", 3}, {"refused", 4}};
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        if (strncmp(f->verdict, begins[i].prefix, strlen(begins[i].prefix)) == 0) {
            return begins[i].rule;
        }
    }
    return OTHER;
}

static json_t *rules_json(void)
{
    json_t *list = json_array();
    for (size_t i = 0; i < RULES; i++) {
        json_array_append_new(list,
                              json_pack("{s:s,s:s,s:{s:s},s:{s:s}}", "id", rules[i].id, "name",
                                        rules[i].name, "shortDescription", "text", rules[i].text,
                                        "defaultConfiguration", "level", rules[i].level));
    }
    return list;
}

/* The command that shows the first state, as text to be freed. */
static char *command_of(const mc_run_result *result, const mc_finding *f, const char *explain)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return NULL;
    }
    mc_table_explain(f->state, f->importer == UINT32_MAX ? NULL : mc_finding_importer(result, f),
                     explain, out);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    text[strcspn(text, "\n")] = '\0';
    return text;
}

/* A code-scanning page shows a result at a file: that of the workload. A built-in one is a name
 * below a base of its own. The state's name is a logical location. */
static json_t *location_json(const mc_found *found)
{
    const char *workload = found->cell->workload;
    char uri[3 * MC_TASK_NAME_MAX] = "";
    for (const char *at = workload; *at != '\0'; at++) {
        size_t have = strlen(uri);
        bool plain = strchr("-._~/", *at) != NULL || (*at >= '0' && *at <= '9') ||
                     ((*at | 0x20) >= 'a' && (*at | 0x20) <= 'z');
        (void)snprintf(uri + have, sizeof uri - have, plain ? "%c" : "%%%02X", (unsigned char)*at);
    }
    json_t *artifact = json_pack("{s:s}", "uri", uri);
    if (mc_workload_find(workload) != NULL) {
        json_object_set_new(artifact, "uriBaseId", json_string(BUILT_IN));
    }
    return json_pack("{s:{s:o},s:[{s:s,s:s}]}", "physicalLocation", "artifactLocation", artifact,
                     "logicalLocations", "fullyQualifiedName", found->first->state, "kind",
                     "state");
}

static json_t *result_json(const mc_run_result *result, const mc_found *found, const char *explain)
{
    const mc_finding *f = found->first;
    size_t rule = rule_of(f);
    char *command = command_of(result, f, explain);
    char text[2048];
    (void)snprintf(text, sizeof text, "%s: %s, at %" PRIu64 " crash states (%s)%s%s. %s%s",
                   mc_finding_importer(result, f), f->verdict, found->count, f->signature,
                   f->defect != NULL ? ", the known defect of SQLite " : "",
                   f->defect != NULL ? f->defect : "",
                   "See the first one: ", command != NULL ? command : f->state);
    free(command);
    return json_pack("{s:s,s:I,s:s,s:{s:s},s:[o],s:{s:s},s:{s:I,s:s,s:b}}", "ruleId",
                     rules[rule].id, "ruleIndex", (json_int_t)rule, "level",
                     f->fails ? "error" : rules[rule].level, "message", "text", text, "locations",
                     location_json(found), "partialFingerprints", "midcommit/signature",
                     f->signature, "properties", "count", (json_int_t)found->count, "importer",
                     mc_finding_importer(result, f), "fails", f->fails);
}

char *mc_report_sarif(const mc_run_result *result, const char *explain, const char *version)
{
    uint32_t count;
    mc_found *found = mc_findings(result, &count);
    json_t *results = json_array();
    for (uint32_t i = 0; i < count; i++) {
        json_array_append_new(results, result_json(result, &found[i], explain));
    }
    free(found);
    json_t *driver =
        json_pack("{s:s,s:s,s:o}", "name", "midcommit", "version", version, "rules", rules_json());
    json_t *base = json_pack("{s:{s:{s:s}}}", BUILT_IN, "description", "text",
                             "midcommit's built-in workloads: midcommit run --list");
    json_t *root = json_pack("{s:s,s:s,s:[{s:{s:o},s:o,s:o,s:{s:s,s:I}}]}", "$schema", SCHEMA,
                             "version", "2.1.0", "runs", "tool", "driver", driver,
                             "originalUriBaseIds", base, "results", results, "properties", "sqlite",
                             sqlite3_libversion(), "seed", (json_int_t)result->seed);
    char *text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(1));
    json_decref(root);
    return text;
}
