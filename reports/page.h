/* page.h: the report page: one HTML file that holds everything, opened without server or network.
 *
 * What it shows is one JSON document inside it, midcommit/page/1: the run as `run --json` writes it
 * (its cells as columns), the films of its cells, and who made it. The page's own program
 * (reports/page) draws it; where that was not built, the tables below it are all there is. */
#ifndef MIDCOMMIT_REPORTS_PAGE_H
#define MIDCOMMIT_REPORTS_PAGE_H

#include <jansson.h>

#include "harness/run/films.h"
#include "harness/run/run.h"

enum { MC_PAGE_FILMS_BYTES = 1100 << 10 }; /* of a page that is to stay below 2 MB */

typedef struct mc_page {
    const json_t *run;        /* midcommit/run/1, checked (runfile.h) */
    const char *version;      /* of midcommit */
    const char *options;      /* with which a state is explained, " --txns 2" */
    const mc_run_word *words; /* the options of the run; or null: they are not known */
    const char *limits;       /* what was skipped or cut short, in sentences; or null: not known */
    const char *control;      /* what is to say of SQLite itself; or null */
    const mc_films *films;    /* or null */
    const json_t *compared;   /* what changed since another run (compare.h); or null */
    bool untimed;             /* how long the run took is not known */
    const char *host;         /* of this page; host and time stand with the run's timing */
    const char *time;
} mc_page;

/* Writes it, whole or not at all. */
mc_status mc_page_write(const mc_page *page, const char *path, mc_error *error);

/* The document as text, to be freed; null without memory. */
char *mc_page_json(const mc_page *page);

/* The answer in one or two sentences, from the cells of midcommit/run/1; to be freed. */
char *mc_page_answer(const json_t *run);

/* The plain tables, as HTML. */
void mc_page_plain(const mc_page *page, const char *answer, FILE *out);

/* Text as HTML: nothing in it is markup. */
void mc_page_text(FILE *out, const char *text);

/* The page without data, in which {{title}}, {{plain}} and {{data}} stand for the rest; made when
 * midcommit is built (harness/page.sh). Empty where there was no npm. */
extern const char mc_page_template[];

#endif
