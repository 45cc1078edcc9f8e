#include "reports/page.h"

#include "harness/host/outfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void mc_page_text(FILE *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        switch (*at) {
        case '&':
            (void)fputs("&amp;", out);
            break;
        case '<':
            (void)fputs("&lt;", out);
            break;
        case '>':
            (void)fputs("&gt;", out);
            break;
        case '"':
            (void)fputs("&quot;", out);
            break;
        default:
            (void)fputc((unsigned char)*at < ' ' ? '?' : *at, out);
        }
    }
}

/* JSON within a script element: no '<' that could end it. */
static void put_json(FILE *out, const char *json)
{
    for (const char *at = json; *at != '\0'; at++) {
        if (*at == '<') {
            (void)fputs("\\u003c", out);
        } else {
            (void)fputc(*at, out);
        }
    }
}

/* Without the page's program: the tables alone. */
static const char bare[] =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
    "style-src 'unsafe-inline'\">\n<title>{{title}}</title>\n<style>\n"
    "body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 64rem; "
    "padding: 0 1rem; color-scheme: light dark; }\n"
    "table { border-collapse: collapse; display: block; overflow-x: auto; }\n"
    "th, td { padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top; }\n"
    "td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }\n"
    "code { overflow-wrap: anywhere; }\n"
    "</style>\n</head>\n<body>\n<main>\n{{plain}}\n"
    "<p>This midcommit was built without npm, so this page has tables and no pictures.</p>\n"
    "</main>\n<script type=\"application/json\" id=\"data\">{{data}}</script>\n</body>\n</html>\n";

/* The template with its three gaps filled. */
static void put_page(const mc_page *page, const char *json, const char *answer, FILE *out)
{
    const char *at = mc_page_template[0] != '\0' ? mc_page_template : bare;
    static const char title[] = "{{title}}";
    static const char plain[] = "{{plain}}";
    static const char data[] = "{{data}}";
    for (;;) {
        const char *gap = strstr(at, "{{");
        size_t size = gap == NULL ? strlen(at) : (size_t)(gap - at);
        (void)fwrite(at, 1, size, out);
        if (gap == NULL) {
            return;
        }
        if (strncmp(gap, title, strlen(title)) == 0) {
            (void)fputs("midcommit: ", out);
            mc_page_text(out, answer);
            at = gap + strlen(title);
        } else if (strncmp(gap, plain, strlen(plain)) == 0) {
            mc_page_plain(page, answer, out);
            at = gap + strlen(plain);
        } else if (strncmp(gap, data, strlen(data)) == 0) {
            put_json(out, json);
            at = gap + strlen(data);
        } else {
            (void)fputs("{{", out);
            at = gap + 2;
        }
    }
}

mc_status mc_page_write(const mc_page *page, const char *path, mc_error *error)
{
    char *json = mc_page_json(page);
    char *answer = mc_page_answer(page->run);
    char *text = NULL;
    size_t size = 0;
    FILE *out = json != NULL && answer != NULL ? open_memstream(&text, &size) : NULL;
    bool good = out != NULL;
    if (good) {
        put_page(page, json, answer, out);
        good = fclose(out) == 0;
    }
    mc_status status = good ? mc_outfile_put(path, text, size, error)
                            : mc_fail(error, MC_NO_MEMORY, "no-memory", "page: out of memory");
    free(text);
    free(json);
    free(answer);
    return status;
}
