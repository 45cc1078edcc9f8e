#include "reports/compare.h"

#include "reports/wrap.h"

#include <stdlib.h>
#include <string.h>

/* Numbers of a cell that a reader wants to know of. */
static const char *const numbers[] = {"states",  "clean",         "stale",
                                      "torn",    "silent",        "blocked",
                                      "refused", "control_dirty", "known_defect"};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static json_t *cell_name(const json_t *cell)
{
    const char *sidecars = text_of(cell, "sidecars");
    return json_sprintf("%s/%s/%s/%s%s%s/%s", text_of(cell, "workload"), text_of(cell, "mode"),
                        text_of(cell, "sync"), text_of(cell, "crash"),
                        sidecars[0] != '\0' ? "@" : "", sidecars, text_of(cell, "importer"));
}

/* The elements of a list by the name of each; the later of two with one name is kept. */
static json_t *by_name(const json_t *list, bool cells)
{
    json_t *all = json_object();
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *element = json_array_get(list, i);
        json_t *name =
            cells ? cell_name(element) : json_incref(json_object_get(element, "signature"));
        json_object_set(all, json_string_value(name), element);
        json_decref(name);
    }
    return all;
}

/* Those of `list` that are not in `other`: findings whole, cells by name. */
static json_t *only_in(const json_t *list, const json_t *other, bool cells)
{
    json_t *only = json_array();
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *element = json_array_get(list, i);
        json_t *name =
            cells ? cell_name(element) : json_incref(json_object_get(element, "signature"));
        if (json_object_get(other, json_string_value(name)) == NULL) {
            json_array_append(only, cells ? name : element);
        }
        json_decref(name);
    }
    return only;
}

static json_t *changed_findings(const json_t *old, const json_t *now)
{
    json_t *changed = json_array();
    for (size_t i = 0; i < json_array_size(now); i++) {
        const json_t *finding = json_array_get(now, i);
        const json_t *before = json_object_get(old, text_of(finding, "signature"));
        json_int_t was = json_integer_value(json_object_get(before, "count"));
        json_int_t is = json_integer_value(json_object_get(finding, "count"));
        if (before != NULL && was != is) {
            json_array_append_new(changed,
                                  json_pack("{s:O,s:O,s:I,s:I,s:O}", "signature",
                                            json_object_get(finding, "signature"), "verdict",
                                            json_object_get(finding, "verdict"), "old", was, "new",
                                            is, "case", json_object_get(finding, "case")));
        }
    }
    return changed;
}

static json_t *changed_cells(const json_t *old, const json_t *now)
{
    json_t *changed = json_array();
    for (size_t i = 0; i < json_array_size(now); i++) {
        const json_t *cell = json_array_get(now, i);
        json_t *name = cell_name(cell);
        const json_t *before = json_object_get(old, json_string_value(name));
        for (size_t k = 0; before != NULL && k < sizeof numbers / sizeof *numbers; k++) {
            json_t *was = json_object_get(before, numbers[k]);
            json_t *is = json_object_get(cell, numbers[k]);
            if (!json_equal(was, is)) {
                json_array_append_new(changed, json_pack("{s:O,s:s,s:O,s:O}", "cell", name, "what",
                                                         numbers[k], "old", was, "new", is));
            }
        }
        json_decref(name);
    }
    return changed;
}

/* What else is another, by name: what a run says beside its cells' numbers and its findings. */
static json_t *changed_others(const json_t *old, const json_t *now, const json_t *old_cells)
{
    static const char *const others[] = {"promises", "second_crashes", "recover_against_sqlite"};
    json_t *changed = json_array();
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const json_t *was = json_object_get(old, others[i]);
        const json_t *is = json_object_get(now, others[i]);
        if (was != is && (was == NULL || is == NULL || !json_equal(was, is))) {
            json_array_append_new(changed, json_string(others[i]));
        }
    }
    const json_t *cells = json_object_get(now, "cells");
    for (size_t i = 0; i < json_array_size(cells); i++) {
        const json_t *cell = json_array_get(cells, i);
        json_t *name = cell_name(cell);
        const json_t *before = json_object_get(old_cells, json_string_value(name));
        const json_t *was = json_object_get(before, "power");
        const json_t *is = json_object_get(cell, "power");
        if (was != NULL && is != NULL && !json_equal(was, is)) {
            json_array_append_new(changed, json_sprintf("power of %s", json_string_value(name)));
        }
        json_decref(name);
    }
    return changed;
}

json_t *mc_compare(const json_t *old, const json_t *now)
{
    const json_t *old_findings = json_object_get(old, "findings");
    const json_t *new_findings = json_object_get(now, "findings");
    const json_t *old_cells = json_object_get(old, "cells");
    const json_t *new_cells = json_object_get(now, "cells");
    json_t *findings[2] = {by_name(old_findings, false), by_name(new_findings, false)};
    json_t *cells[2] = {by_name(old_cells, true), by_name(new_cells, true)};
    json_t *compared =
        json_pack("{s:{s:O,s:O},s:{s:O,s:O},s:{s:o,s:o,s:o},s:{s:o,s:o,s:o},s:o}", "old", "sqlite",
                  json_object_get(old, "sqlite"), "seed", json_object_get(old, "seed"), "new",
                  "sqlite", json_object_get(now, "sqlite"), "seed", json_object_get(now, "seed"),
                  "findings", "appeared", only_in(new_findings, findings[0], false), "disappeared",
                  only_in(old_findings, findings[1], false), "changed",
                  changed_findings(findings[0], new_findings), "cells", "appeared",
                  only_in(new_cells, cells[0], true), "disappeared",
                  only_in(old_cells, cells[1], true), "changed", changed_cells(cells[0], new_cells),
                  "others", changed_others(old, now, cells[0]));
    for (int i = 0; i < 2; i++) {
        json_decref(findings[i]);
        json_decref(cells[i]);
    }
    return compared;
}

static void print_line(FILE *out, const char *lead, const char *text)
{
    (void)fputs(lead, out);
    mc_plain(out, text);
    (void)fputc('\n', out);
}

static void print_findings(const json_t *list, const char *head, FILE *out)
{
    if (json_array_size(list) > 0) {
        (void)fprintf(out, "\n%s: %zu\n", head, json_array_size(list));
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *finding = json_array_get(list, i);
        bool fails = json_is_true(json_object_get(finding, "fails"));
        print_line(out, fails ? "  FAILED " : "  ", text_of(finding, "signature"));
        (void)fprintf(out, "      %" JSON_INTEGER_FORMAT " states, first ",
                      json_integer_value(json_object_get(finding, "count")));
        print_line(out, "", text_of(finding, "case"));
    }
}

static void print_names(const json_t *list, const char *head, FILE *out)
{
    if (json_array_size(list) > 0) {
        (void)fprintf(out, "\n%s: %zu\n", head, json_array_size(list));
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        print_line(out, "  ", json_string_value(json_array_get(list, i)));
    }
}

static void print_numbers(const json_t *list, const char *head, const char *key, FILE *out)
{
    if (json_array_size(list) > 0) {
        (void)fprintf(out, "\n%s: %zu\n", head, json_array_size(list));
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *change = json_array_get(list, i);
        const char *what = text_of(change, "what");
        (void)fputs("  ", out);
        mc_plain(out, text_of(change, key));
        (void)fprintf(out, ": %s%s%" JSON_INTEGER_FORMAT " -> %" JSON_INTEGER_FORMAT "\n", what,
                      what[0] != '\0' ? " " : "",
                      json_integer_value(json_object_get(change, "old")),
                      json_integer_value(json_object_get(change, "new")));
    }
}

void mc_compare_table(const json_t *compared, FILE *out)
{
    const json_t *findings = json_object_get(compared, "findings");
    const json_t *cells = json_object_get(compared, "cells");
    const json_t *old = json_object_get(compared, "old");
    const json_t *now = json_object_get(compared, "new");
    const json_t *others = json_object_get(compared, "others");
    size_t changes = json_array_size(others);
    const char *key;
    json_t *list;
    json_object_foreach((json_t *)findings, key, list)
    {
        changes += json_array_size(list);
    }
    json_object_foreach((json_t *)cells, key, list)
    {
        changes += json_array_size(list);
    }
    if (!json_equal(json_object_get(old, "sqlite"), json_object_get(now, "sqlite"))) {
        (void)fputs("SQLite ", out);
        mc_plain(out, text_of(old, "sqlite"));
        (void)fputs(" -> ", out);
        mc_plain(out, text_of(now, "sqlite"));
        (void)fputc('\n', out);
    }
    if (changes == 0) {
        (void)fputs("No finding and no number changed.\n", out);
        return;
    }
    print_findings(json_object_get(findings, "appeared"), "Findings that appeared", out);
    print_findings(json_object_get(findings, "disappeared"), "Findings that disappeared", out);
    print_numbers(json_object_get(findings, "changed"), "Findings of more or fewer states",
                  "signature", out);
    print_names(json_object_get(cells, "appeared"), "Cells that appeared", out);
    print_names(json_object_get(cells, "disappeared"), "Cells that disappeared", out);
    print_numbers(json_object_get(cells, "changed"), "Numbers that changed", "cell", out);
    print_names(others, "Else that changed", out);
}

bool mc_compare_failed(const json_t *compared)
{
    const json_t *findings = json_object_get(compared, "findings");
    const json_t *appeared = json_object_get(findings, "appeared");
    for (size_t i = 0; i < json_array_size(appeared); i++) {
        if (json_is_true(json_object_get(json_array_get(appeared, i), "fails"))) {
            return true;
        }
    }
    return false;
}
