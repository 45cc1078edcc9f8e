#include "reports/machine.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct rule {
    const char *verdict; /* a finding's verdict begins so */
    const char *id;
    const char *level;
    const char *text;
} rule;

/* The longer of two that begin alike stands first. */
static const rule rules[] = {
    {"torn, silent", "torn-silent", "warning",
     "The imported database equals no commit, and no check notices."},
    {"torn", "torn-loud", "warning", "The imported database equals no commit; a check notices."},
    {"stale", "stale", "warning", "The imported database has lost acknowledged commits."},
    {"blocked", "blocked", "note", "The importer refuses what SQLite recovers."},
    {"refused", "refused", "note", "The importer refuses, and SQLite cannot recover it either."},
    {"", "clean", "none", "The imported database is what was committed."},
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

/* A name as a relative URI reference (RFC 3986): a first segment has no colon, and what is no
 * character of a path is escaped. */
static json_t *uri_of(const char *name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-._~/+,@";
    char *text = malloc(3 * strlen(name) + 1);
    size_t size = 0;
    if (text == NULL) {
        return NULL;
    }
    for (const char *at = name; *at != '\0'; at++) {
        if (strchr(plain, *at) != NULL && !(*at == '/' && size == 0)) {
            text[size++] = *at;
        } else {
            size += (size_t)sprintf(text + size, "%%%02X", (unsigned char)*at);
        }
    }
    text[size] = '\0';
    json_t *uri = json_string(text);
    free(text);
    return uri;
}

/* Text of a message: brackets would make a link of it (SARIF 3.11.6). To be freed. */
static char *plain_text(const char *text)
{
    char *plain = malloc(2 * strlen(text) + 1);
    size_t size = 0;
    for (const char *at = text; plain != NULL && *at != '\0'; at++) {
        if (*at == '[' || *at == ']' || *at == '\\') {
            plain[size++] = '\\';
        }
        plain[size++] = *at;
    }
    if (plain != NULL) {
        plain[size] = '\0';
    }
    return plain;
}

static size_t rule_of(const char *verdict)
{
    size_t i = 0;
    while (strncmp(verdict, rules[i].verdict, strlen(rules[i].verdict)) != 0) {
        i++;
    }
    return i;
}

static json_t *rules_json(void)
{
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        json_array_append_new(list, json_pack("{s:s,s:{s:s},s:{s:s}}", "id", rules[i].id,
                                              "shortDescription", "text", rules[i].text,
                                              "defaultConfiguration", "level", rules[i].level));
    }
    return list;
}

static json_t *result_json(const json_t *finding)
{
    size_t index = rule_of(text_of(finding, "verdict"));
    const char *defect = json_string_value(json_object_get(finding, "known_defect"));
    bool fails = json_is_true(json_object_get(finding, "fails"));
    json_int_t count = json_integer_value(json_object_get(finding, "count"));
    char *signature = plain_text(text_of(finding, "signature"));
    char *state = plain_text(text_of(finding, "case"));
    bool again = strstr(text_of(finding, "signature"), "/does not converge/") != NULL;
    bool power = strstr(text_of(finding, "signature"), "/power:") != NULL;
    json_t *message = json_sprintf(
        "%s: %" JSON_INTEGER_FORMAT " %s. %s The first: midcommit explain %s",
        signature != NULL ? signature : "", count, power ? "classes of states" : "states",
        again ? "After a second crash another database comes out than without it."
              : rules[index].text,
        state != NULL ? state : "");
    free(signature);
    free(state);
    json_t *result = json_pack(
        "{s:s,s:i,s:s,s:{s:o},s:I,s:[{s:{s:{s:o}}}],s:{s:O}}", "ruleId", rules[index].id,
        "ruleIndex", (int)index, "level", fails ? "error" : rules[index].level, "message", "text",
        message, "occurrenceCount", count > 0 ? count : 1, "locations", "physicalLocation",
        "artifactLocation", "uri", uri_of(text_of(finding, "case")), "partialFingerprints",
        "midcommitSignature/v1", json_object_get(finding, "signature"));
    if (result != NULL && defect != NULL) {
        json_object_set_new(result, "suppressions",
                            json_pack("[{s:s,s:s}]", "kind", "external", "justification", defect));
    }
    return result;
}

char *mc_sarif(const json_t *run, const char *version)
{
    const json_t *findings = json_object_get(run, "findings");
    json_t *results = json_array();
    for (size_t i = 0; i < json_array_size(findings); i++) {
        json_array_append_new(results, result_json(json_array_get(findings, i)));
    }
    json_t *root =
        json_pack("{s:s,s:s,s:[{s:{s:{s:s,s:s,s:o}},s:o,s:{s:O,s:O}}]}", "$schema",
                  "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/"
                  "sarif-schema-2.1.0.json",
                  "version", "2.1.0", "runs", "tool", "driver", "name", "midcommit", "version",
                  version, "rules", rules_json(), "results", results, "properties", "sqlite",
                  json_object_get(run, "sqlite"), "seed", json_object_get(run, "seed"));
    char *text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(1));
    json_decref(root);
    return text;
}
