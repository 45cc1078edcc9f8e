#include "reports/report.h"

#include "reports/wrap.h"

#include <inttypes.h>
#include <string.h>

enum { PAGES_SHOWN = 12 };

static void print_window(const mc_story *story, FILE *out)
{
    (void)fprintf(out, "\nThe story (element 0 to %zu of the trace):\n", story->elements);
    for (uint32_t i = 0; i < story->op_count; i++) {
        const mc_story_op *op = &story->op[i];
        if (op->statement != NULL) {
            (void)fprintf(out, "         %.88s\n", op->statement);
        }
        (void)fprintf(out, "%s %5zu  %.88s\n", op->crash ? ">>" : "  ", op->number, op->text);
        if (op->crash) {
            const char *plus = strrchr(story->state, '+');
            (void)fprintf(
                out, ">>        the process dies here%s%.*s%s\n", plus != NULL ? ", after " : "",
                plus != NULL ? (int)strcspn(plus + 1, "@") : 0, plus != NULL ? plus + 1 : "",
                plus == NULL                           ? ", before this happens"
                : strstr(story->state, "/kv:") != NULL ? " request applied"
                                                       : " bytes of it");
        }
    }
    if (story->op_count == 0 || !story->op[story->op_count - 1].crash) {
        bool shown = false;
        for (uint32_t i = 0; i < story->op_count; i++) {
            shown = shown || story->op[i].crash;
        }
        if (!shown) {
            (void)fprintf(out, ">>        the process dies here, after the last element\n");
        }
    }
}

static void print_pages(const mc_story *story, FILE *out)
{
    if (story->page_count == 0) {
        return;
    }
    (void)fprintf(out,
                  "\nPages of the image that differ between the snapshots, or are wrong"
                  " (%u others are the same):\n",
                  story->pages_same);
    (void)fprintf(out, "  %6s  %-34s %s\n", "page", "role", "belongs to snapshot");
    uint32_t left = story->page_count;
    for (uint32_t i = 0; i < story->page_count && i < PAGES_SHOWN; i++, left--) {
        const mc_story_page *page = &story->page[i];
        (void)fprintf(out, "%s %6u  %-34s %s%s%s\n", page->wrong ? "!!" : "  ", page->page,
                      page->role, page->of, story->database_count > 1 ? " in " : "",
                      story->database_count > 1 ? story->database[page->database] : "");
    }
    if (left > 0) {
        (void)fprintf(out, "          and %u more\n", left);
    }
}

static void print_how_to_see(const mc_story *story, const char *folder, FILE *out)
{
    if (folder == NULL) {
        (void)fprintf(out, "\nTo have the files: add --output FOLDER; then, with stock tools,\n"
                           "    sqlite3 FOLDER/imported.db 'PRAGMA integrity_check'\n");
        return;
    }
    (void)fprintf(out,
                  "\nSee it with stock tools:\n    sqlite3 %s/imported.db"
                  " 'PRAGMA integrity_check'\n",
                  folder);
    (void)fprintf(out, "    sqldiff %s/snapshot-%u.db %s/imported.db\n", folder, story->snapshot,
                  folder);
}

void mc_report_story(const mc_story *story, const char *folder, FILE *out)
{
    const char *subject = "";
    for (uint32_t i = 0; i < story->answer_count; i++) {
        subject = story->answer[i].is_subject ? story->answer[i].importer : subject;
    }
    (void)fprintf(out, "%s\n%s: %s. %u of %u commits were acknowledged%s.\n", story->state, subject,
                  story->verdict, story->acked, story->commits,
                  story->begun > story->acked ? ", one was in flight" : "");
    if (story->handed != NULL) {
        mc_wrap(out, 0, "Handed over with a mistake: %s %s", story->handed, story->effect);
    }
    print_how_to_see(story, folder, out);
    print_window(story, out);
    print_pages(story, out);
    if (story->difference != NULL) {
        (void)fprintf(out, "\nFirst row that differs from snapshot %u:\n    %s\n", story->snapshot,
                      story->difference);
    }
    if (story->noticed[0] != '\0' || story->missed[0] != '\0') {
        (void)fprintf(out, "\nDetectors that noticed: %s\nDetectors that said ok: %s\n",
                      story->noticed[0] != '\0' ? story->noticed : "none",
                      story->missed[0] != '\0' ? story->missed : "none");
    }
    (void)fprintf(out, "\nWhat each makes of the same bytes:\n");
    for (uint32_t i = 0; i < story->answer_count; i++) {
        (void)fprintf(out, "    %-16s %s\n", story->answer[i].importer, story->answer[i].verdict);
    }
    if (story->before != NULL) {
        (void)fprintf(out, "\nFirst bad operation: up to element %zu it was %s, since then this.\n",
                      story->since - 1, story->before);
    }
}
