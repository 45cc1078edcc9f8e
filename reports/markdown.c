#include "reports/machine.h"

#include "reports/page.h"

#include <stdlib.h>
#include <string.h>

enum { FINDINGS_SHOWN = 20 };

typedef struct row {
    const char *importer;
    json_int_t states;
    json_int_t count[6]; /* clean, stale, torn, silent, blocked, refused */
} row;

static const char *const keys[] = {"clean", "stale", "torn", "silent", "blocked", "refused"};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

/* Text that is no markup, in a table or a line: a reference for each character that could be. */
static void put_text(FILE *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;
        if (c < ' ' || c == 0x7f) {
            (void)fputc('?', out);
        } else if (strchr("&<>|`*_[]\\#~@:!", *at) != NULL) {
            (void)fprintf(out, "&#%d;", c);
        } else {
            (void)fputc(*at, out);
        }
    }
}

static size_t add_up(const json_t *cells, row out[MC_IMPORTERS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(cells); i++) {
        const json_t *cell = json_array_get(cells, i);
        size_t k = 0;
        while (k < count && strcmp(out[k].importer, text_of(cell, "importer")) != 0) {
            k++;
        }
        if (json_object_get(cell, "power") != NULL || k == MC_IMPORTERS_MAX) {
            continue;
        }
        if (k == count) {
            out[count++] = (row){.importer = text_of(cell, "importer")};
        }
        out[k].states += json_integer_value(json_object_get(cell, "states"));
        for (size_t v = 0; v < sizeof keys / sizeof *keys; v++) {
            out[k].count[v] += json_integer_value(json_object_get(cell, keys[v]));
        }
    }
    return count;
}

static void put_rows(const json_t *cells, FILE *out)
{
    row rows[MC_IMPORTERS_MAX];
    size_t count = add_up(cells, rows);
    if (count > 0) {
        (void)fputs("| importer | states | clean | stale | torn | of them silent | blocked | "
                    "refused |\n| --- | --: | --: | --: | --: | --: | --: | --: |\n",
                    out);
    }
    for (size_t i = 0; i < count; i++) {
        (void)fputs("| ", out);
        put_text(out, rows[i].importer);
        (void)fprintf(out, " | %" JSON_INTEGER_FORMAT, rows[i].states);
        for (size_t v = 0; v < sizeof keys / sizeof *keys; v++) {
            (void)fprintf(out, " | %" JSON_INTEGER_FORMAT, rows[i].count[v]);
        }
        (void)fputs(" |\n", out);
    }
}

static void put_promises(const json_t *promises, FILE *out)
{
    static const char *const shown[] = {"mode", "sync", "profile", "promised", "worst", "kept"};
    if (json_array_size(promises) > 0) {
        (void)fputs("| mode | sync | power loss | promised | worst | kept |\n"
                    "| --- | --- | --- | --- | --- | --- |\n",
                    out);
    }
    for (size_t i = 0; i < json_array_size(promises); i++) {
        for (size_t k = 0; k < sizeof shown / sizeof *shown; k++) {
            (void)fputs("| ", out);
            put_text(out, text_of(json_array_get(promises, i), shown[k]));
            (void)fputc(' ', out);
        }
        (void)fputs("|\n", out);
    }
}

/* Findings that fail the run, or all of `list`. */
static void put_findings(const json_t *list, const char *head, bool all, FILE *out)
{
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *finding = json_array_get(list, i);
        if (!all && !json_is_true(json_object_get(finding, "fails"))) {
            continue;
        }
        if (count++ == 0) {
            (void)fprintf(out,
                          "\n### %s\n\n| signature | states | first state |\n"
                          "| --- | --: | --- |\n",
                          head);
        }
        if (count <= FINDINGS_SHOWN) {
            (void)fputs("| ", out);
            put_text(out, text_of(finding, "signature"));
            (void)fprintf(out, " | %" JSON_INTEGER_FORMAT " | ",
                          json_integer_value(json_object_get(finding, "count")));
            put_text(out, text_of(finding, "case"));
            (void)fputs(" |\n", out);
        }
    }
    if (count > FINDINGS_SHOWN) {
        (void)fprintf(out, "\nand %zu more.\n", count - FINDINGS_SHOWN);
    }
}

char *mc_markdown(const json_t *run, const json_t *compared)
{
    char *text = NULL;
    size_t size = 0;
    char *answer = mc_page_answer(run);
    FILE *out = answer == NULL ? NULL : open_memstream(&text, &size);
    if (out == NULL) {
        free(answer);
        return NULL;
    }
    (void)fputs("## midcommit\n\n**", out);
    put_text(out, answer);
    (void)fputs("**\n\n", out);
    put_rows(json_object_get(run, "cells"), out);
    put_promises(json_object_get(run, "promises"), out);
    put_findings(json_object_get(run, "findings"), "Findings that fail the run", false, out);
    if (compared != NULL) {
        const json_t *findings = json_object_get(compared, "findings");
        put_findings(json_object_get(findings, "appeared"), "Findings that appeared", true, out);
        put_findings(json_object_get(findings, "disappeared"), "Findings that disappeared", true,
                     out);
        (void)fprintf(
            out, "\n%zu numbers of cells changed.\n",
            json_array_size(json_object_get(json_object_get(compared, "cells"), "changed")));
    }
    (void)fputs("\nSQLite ", out);
    put_text(out, text_of(run, "sqlite"));
    (void)fprintf(out, ", seed %" JSON_INTEGER_FORMAT ", %zu findings.\n",
                  json_integer_value(json_object_get(run, "seed")),
                  json_array_size(json_object_get(run, "findings")));
    free(answer);
    return fclose(out) == 0 ? text : NULL;
}
