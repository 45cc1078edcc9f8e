/* pageplain.c: what the page says, as plain tables: for a midcommit that was built without npm, and
 * for readers that run no scripts. */
#include "reports/page.h"

#include <inttypes.h>
#include <string.h>

enum { FINDINGS_SHOWN = 200, CELLS_SHOWN = 300 };

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static void put_cell(FILE *out, const char *text)
{
    (void)fputs("<td>", out);
    mc_page_text(out, text);
    (void)fputs("</td>", out);
}

static void put_number(FILE *out, const json_t *object, const char *key)
{
    (void)fprintf(out, "<td class=\"n\">%" JSON_INTEGER_FORMAT "</td>",
                  json_integer_value(json_object_get(object, key)));
}

static void put_cells(const json_t *cells, FILE *out)
{
    static const char *const names[] = {"workload", "mode", "sync", "crash", "importer"};
    static const char *const counts[] = {"states", "clean",   "stale",  "torn",
                                         "silent", "blocked", "refused"};
    (void)fputs("<table>\n<caption>Each cell: states by verdict. Of a power loss these are classes "
                "of states.</caption>\n<thead><tr>",
                out);
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        (void)fprintf(out, "<th scope=\"col\">%s</th>", names[k]);
    }
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
        (void)fprintf(out, "<th scope=\"col\" class=\"n\">%s</th>", counts[k]);
    }
    (void)fputs("</tr></thead>\n<tbody>\n", out);
    /* Beside the pictures, which have them all, they need not be complete. */
    size_t count = json_array_size(cells);
    size_t shown = mc_page_template[0] != '\0' && count > CELLS_SHOWN ? CELLS_SHOWN : count;
    for (size_t i = 0; i < shown; i++) {
        const json_t *cell = json_array_get(cells, i);
        (void)fputs("<tr>", out);
        for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
            put_cell(out, text_of(cell, names[k]));
        }
        for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
            put_number(out, cell, counts[k]);
        }
        (void)fputs("</tr>\n", out);
    }
    (void)fputs("</tbody>\n</table>\n", out);
    if (shown < count) {
        (void)fprintf(out, "<p>These are the first %zu of %zu cells.</p>\n", shown, count);
    }
}

static void put_findings(const json_t *findings, FILE *out)
{
    size_t count = json_array_size(findings);
    (void)fprintf(out, "<h2>Findings</h2>\n<p>%zu signatures%s.</p>\n<table>\n<thead><tr>", count,
                  count > FINDINGS_SHOWN ? ", of which the first 200 are listed" : "");
    (void)fputs("<th scope=\"col\">signature</th><th scope=\"col\" class=\"n\">states</th>"
                "<th scope=\"col\">first state</th></tr></thead>\n<tbody>\n",
                out);
    for (size_t i = 0; i < count && i < FINDINGS_SHOWN; i++) {
        const json_t *finding = json_array_get(findings, i);
        (void)fputs("<tr>", out);
        put_cell(out, text_of(finding, "signature"));
        put_number(out, finding, "count");
        (void)fputs("<td><code>", out);
        mc_page_text(out, text_of(finding, "case"));
        (void)fputs("</code></td></tr>\n", out);
    }
    (void)fputs("</tbody>\n</table>\n", out);
}

static void put_promises(const json_t *promises, FILE *out)
{
    static const char *const keys[] = {"mode", "sync", "profile", "promised", "worst", "kept"};
    if (json_array_size(promises) == 0) {
        return;
    }
    (void)fputs("<h2>What SQLite promises, and what came out</h2>\n<table>\n<thead><tr>", out);
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        (void)fprintf(out, "<th scope=\"col\">%s</th>", keys[k]);
    }
    (void)fputs("<th scope=\"col\">how sure</th></tr></thead>\n<tbody>\n", out);
    for (size_t i = 0; i < json_array_size(promises); i++) {
        const json_t *row = json_array_get(promises, i);
        (void)fputs("<tr>", out);
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
            put_cell(out, text_of(row, keys[k]));
        }
        put_cell(out, json_is_true(json_object_get(row, "proved")) ? "proved" : "not proved");
        (void)fputs("</tr>\n", out);
    }
    (void)fputs("</tbody>\n</table>\n", out);
}

static void put_paragraph(const char *text, FILE *out)
{
    if (text != NULL && text[0] != '\0') {
        (void)fputs("<p>", out);
        mc_page_text(out, text);
        (void)fputs("</p>\n", out);
    }
}

void mc_page_plain(const mc_page *page, const char *answer, FILE *out)
{
    (void)fputs("<h1>", out);
    mc_page_text(out, answer);
    (void)fputs("</h1>\n", out);
    put_cells(json_object_get(page->run, "cells"), out);
    put_promises(json_object_get(page->run, "promises"), out);
    put_findings(json_object_get(page->run, "findings"), out);
    put_paragraph(page->control, out);
    put_paragraph(page->limits, out);
    (void)fputs("<p>SQLite ", out);
    mc_page_text(out, text_of(page->run, "sqlite"));
    (void)fprintf(out, ", seed %" JSON_INTEGER_FORMAT ", midcommit ",
                  json_integer_value(json_object_get(page->run, "seed")));
    mc_page_text(out, page->version);
    (void)fputs(".</p>\n", out);
}
