#include "reports/runfile.h"

#include "harness/host/infile.h"
#include "harness/judge/verdict.h"

#include <string.h>

static const char schema[] = "midcommit/run/1";
static const char tasks[] = "midcommit/task/";

static const char *const texts[] = {"workload", "mode", "sync", "crash", "importer"};
static const char *const counts[] = {
    "crash_points", "states", "unique",  "clean",   "ahead",         "stale",       "empty",
    "torn",         "silent", "blocked", "refused", "control_dirty", "known_defect"};

static mc_status malformed(const char *name, const char *where, size_t index, const char *key,
                           mc_error *error)
{
    return mc_fail(error, MC_MALFORMED, "results", "%s: %s %zu: \"%s\" is missing or out of range",
                   name, where, index + 1, key);
}

static json_int_t number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : -1;
}

/* Decimal digits, as numbers of states are that pass 64 bits. */
static bool is_number(const json_t *value)
{
    const char *text = json_string_value(value);
    return text != NULL && text[0] != '\0' && strspn(text, "0123456789") == strlen(text);
}

static const char *wrong_power(const json_t *power)
{
    static const char *const keys[] = {"torn", "silent", "undecided"};
    const json_t *verdicts = json_object_get(power, "verdicts");
    const void *first = json_object_iter((json_t *)verdicts);
    const json_t *own = json_object_iter_value((void *)first);
    bool good = is_number(json_object_get(power, "total")) && json_object_size(verdicts) == 1;
    for (int v = 0; good && v < MC_VERDICTS; v++) {
        good = is_number(json_object_get(own, mc_verdict_names[v]));
    }
    for (size_t i = 0; good && i < sizeof keys / sizeof *keys; i++) {
        good = is_number(json_object_get(own, keys[i]));
    }
    return good ? NULL : "power";
}

/* The key that is wrong in a cell, or null. */
static const char *wrong_in_cell(const json_t *cell)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (!json_is_string(json_object_get(cell, texts[i]))) {
            return texts[i];
        }
    }
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        if (number_of(cell, counts[i]) < 0) {
            return counts[i];
        }
    }
    json_int_t left = number_of(cell, "states");
    for (int v = 0; v < MC_VERDICTS; v++) {
        json_int_t part = number_of(cell, mc_verdict_names[v]);
        if (part > left) {
            return "states"; /* the verdicts are more than the states */
        }
        left -= part;
    }
    const json_t *first = json_object_get(cell, "first_case");
    const json_t *power = json_object_get(cell, "power");
    return left != 0                                               ? "states"
           : number_of(cell, "silent") > number_of(cell, "torn")   ? "silent"
           : !json_is_boolean(json_object_get(cell, "exhaustive")) ? "exhaustive"
           : !json_is_string(first) && !json_is_null(first)        ? "first_case"
           : power != NULL                                         ? wrong_power(power)
                                                                   : NULL;
}

static const char *wrong_in_finding(const json_t *finding)
{
    static const char *const keys[] = {"signature", "verdict", "case"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (!json_is_string(json_object_get(finding, keys[i]))) {
            return keys[i];
        }
    }
    return number_of(finding, "count") < 0                       ? "count"
           : !json_is_boolean(json_object_get(finding, "fails")) ? "fails"
                                                                 : NULL;
}

mc_status mc_runfile_check(const json_t *run, const char *name, mc_error *error)
{
    const char *found = json_string_value(json_object_get(run, "schema"));
    if (found == NULL || strcmp(found, schema) != 0) {
        return mc_fail(error, MC_MALFORMED, "results", "%s: its schema is %.60s, expected %s", name,
                       found != NULL ? found : "missing", schema);
    }
    const json_t *cells = json_object_get(run, "cells");
    const json_t *findings = json_object_get(run, "findings");
    const json_t *met = json_object_get(run, "recover_against_sqlite");
    const json_t *promises = json_object_get(run, "promises");
    const char *missing = !json_is_array(cells)                             ? "cells"
                          : !json_is_array(findings)                        ? "findings"
                          : !json_is_string(json_object_get(run, "sqlite")) ? "sqlite"
                          : number_of(run, "seed") < 0                      ? "seed"
                          : number_of(met, "compared") < 0                  ? "compared"
                          : !json_is_object(json_object_get(run, "timing")) ? "timing"
                          : promises != NULL && !json_is_array(promises)    ? "promises"
                                                                            : NULL;
    if (missing != NULL) {
        return mc_fail(error, MC_MALFORMED, "results", "%s: \"%s\" is missing or out of range",
                       name, missing);
    }
    for (size_t i = 0; i < json_array_size(cells); i++) {
        const char *wrong = wrong_in_cell(json_array_get(cells, i));
        if (wrong != NULL) {
            return malformed(name, "cell", i, wrong, error);
        }
    }
    for (size_t i = 0; i < json_array_size(findings); i++) {
        const char *wrong = wrong_in_finding(json_array_get(findings, i));
        if (wrong != NULL) {
            return malformed(name, "finding", i, wrong, error);
        }
    }
    return MC_OK;
}

/* Is the first line an object of its own, a task's? */
static bool begins_with_task(const char *text, size_t size)
{
    const char *end = memchr(text, '\n', size);
    json_error_t why;
    json_t *line = json_loadb(text, end != NULL ? (size_t)(end - text) : size, 0, &why);
    const char *found = json_string_value(json_object_get(line, "schema"));
    bool task = found != NULL && strncmp(found, tasks, strlen(tasks)) == 0;
    json_decref(line);
    return task;
}

static mc_status take(const mc_infile *in, mc_runfile_kind *kind, json_t **run, mc_error *error)
{
    const char *text = (const char *)in->file.data;
    size_t size = (size_t)in->file.size;
    if (size == 0) {
        return mc_fail(error, MC_MALFORMED, "results", "%s: empty", in->path);
    }
    if (begins_with_task(text, size)) {
        *kind = MC_RUNFILE_TASKS;
        return MC_OK;
    }
    json_error_t why;
    *kind = MC_RUNFILE_JSON;
    *run = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    if (*run == NULL) {
        bool end = json_error_code(&why) == json_error_premature_end_of_input;
        return mc_fail(error, MC_MALFORMED, "results", "%s: %s (line %d)", in->path,
                       end ? "cut short" : "no results of midcommit run: not JSON", why.line);
    }
    return mc_runfile_check(*run, in->path, error);
}

mc_status mc_runfile_read(const char *path, mc_runfile_kind *kind, json_t **run, mc_error *error)
{
    mc_arena arena = {.limit_bytes = MC_RUNFILE_BYTES_MAX + 4096};
    mc_infile in;
    *run = NULL;
    mc_status status = mc_infile_open(&in, path, MC_RUNFILE_BYTES_MAX, error);
    if (status == MC_OK && in.fd < 0) {
        status = mc_fail(error, MC_IO, "results", "%s: there is no such file", path);
    }
    status = status == MC_OK ? mc_infile_read(&in, &arena, error) : status;
    status = status == MC_OK ? take(&in, kind, run, error) : status;
    mc_infile_close(&in);
    mc_arena_free(&arena);
    if (status != MC_OK) {
        json_decref(*run);
        *run = NULL;
    }
    return status;
}
