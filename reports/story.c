#include "reports/report.h"

#include "harness/importer/importers.h"
#include "reports/shell.h"
#include "reports/wrap.h"

#include <string.h>

enum { PAGES_SHOWN = 12 };

static void print_window(const mc_story *story, FILE *out)
{
    if (story->op_count == 0 && story->elements == 0) {
        return; /* a state that no workload made */
    }
    (void)fprintf(out, "\nThe story of %s (elements 0 to %zu of the %s):\n", story->state,
                  story->elements, story->again != NULL ? "recovery" : "trace");
    for (uint32_t i = 0; i < story->op_count; i++) {
        const mc_story_op *op = &story->op[i];
        if (op->statement != NULL) {
            (void)fprintf(out, "         %.90s\n", op->statement);
        }
        (void)fprintf(out, "%s %5zu  %.90s\n", op->crash ? ">>" : "  ", op->number, op->text);
        if (op->crash) {
            const char *twice = story->again != NULL ? strrchr(story->state, '/') : NULL;
            const char *plus = strrchr(twice != NULL ? twice : story->state, '+');
            if (story->loss_count > 0) {
                (void)fprintf(out, ">>        the power goes here, before this happens\n");
                continue;
            }
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
            (void)fprintf(out, ">>        the %s here, after the last element\n",
                          story->loss_count > 0 ? "power goes" : "process dies");
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
                  " (%u other%s the same):\n",
                  story->pages_same, story->pages_same == 1 ? " is" : "s are");
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

static void print_loss(const mc_story *story, FILE *out)
{
    if (story->loss_count > 0) {
        (void)fprintf(out, "\nWhat is on the disk then:\n");
    }
    for (uint32_t i = 0; i < story->loss_count; i++) {
        (void)fprintf(out, "    %.96s\n", story->loss[i]);
    }
}

static bool is_refusal(const mc_story *story)
{
    return strncmp(story->verdict, "blocked", 7) == 0 || strncmp(story->verdict, "refused", 7) == 0;
}

/* Can stock tools do what the importer does? */
static bool is_stock(const mc_story *story)
{
    static const char *const names[] = {"reject", "abandon", "recover", "sqlite"};
    bool known = false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        known = known || strcmp(story->subject, names[i]) == 0;
    }
    return known && !story->is_kv;
}

/* The command that writes the state, the importer's image and the snapshots into a folder. */
static void print_output(const mc_story *story, const mc_story_place *place, FILE *out)
{
    char item[2 * 4096 + 16] = "";
    (void)mc_importers_append(item, sizeof item, story->subject);
    (void)fputs("    ", out);
    mc_shell_word(out, place->program);
    (void)fputs(" explain ", out);
    mc_shell_word(out, place->operand);
    (void)fputs(place->options, out);
    if (place->is_case || strcmp(story->subject, "abandon") != 0) { /* what explain defaults to */
        (void)fputs(" --importer ", out);
        mc_shell_word(out, item);
    }
    (void)fputs(" --output state >/dev/null\n", out);
}

/* Commands for a folder beside which the reader stands: they name it and do not enter it, so that a
 * relative path in them stays true. */
static void print_how_to_see(const mc_story *story, const mc_story_place *place, FILE *out)
{
    const char *folder = place->folder != NULL ? place->folder : "state";
    bool unpack = place->folder == NULL && place->is_case && is_stock(story);
    bool image = !is_stock(story) && !is_refusal(story);
    (void)fprintf(out, "\nSee it with stock tools:\n");
    if (unpack) {
        (void)fputs("    mkdir state && tar --zstd -C state -xf ", out);
        mc_shell_word(out, place->operand);
        (void)fputc('\n', out);
    } else if (place->folder == NULL) {
        print_output(story, place, out);
    }
    (void)fputs("    cd ", out);
    mc_shell_word(out, folder);
    if (strcmp(story->subject, "abandon") == 0 && is_stock(story)) {
        (void)fputs(" && rm -f main.db-journal main.db-wal main.db-shm &&\n    ", out);
    } else {
        (void)fputs(" && ", out);
    }
    if (is_refusal(story) && story->is_kv) {
        (void)fputs("ls # the importer refuses this store\n", out);
        return;
    }
    const char *database = image ? "imported.db" : "main.db";
    (void)fprintf(out, "sqlite3 %s 'PRAGMA integrity_check'\n", database);
    if (story->difference != NULL) {
        (void)fprintf(out,
                      "    sqlite3 snapshot-%u.db .dump >expected; sqlite3 %s .dump |"
                      " diff expected -\n",
                      story->snapshot, database);
    }
}

/* What the importer did, in one sentence. */
static void print_verdict(const mc_story *story, FILE *out)
{
    const char *verdict = story->verdict;
    const char *who = story->subject;
    const char *reason = strchr(verdict, ':');
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < story->page_count; i++) {
        wrong += story->page[i].wrong;
    }
    const char *measure = "measured against what SQLite recovers";
    char crash[120];
    bool found = story->commits == 0 && story->elements == 0; /* nobody knows its commits */
    (void)snprintf(crash, sizeof crash, "after a crash with %u of %u commits acknowledged%s",
                   story->acked, story->commits,
                   story->begun > story->acked ? " and one in flight" : "");
    if (found) {
        (void)snprintf(crash, sizeof crash, "%s", is_refusal(story) ? "as it was found" : measure);
    }
    if (strcmp(verdict, "torn, silent") == 0) {
        mc_wrap(
            out, 0,
            "Torn, silent: %s makes a database that equals no commit and passes every check, %s; "
            "%u of its pages %s wrong.",
            who, crash, wrong, wrong == 1 ? "is" : "are");
    } else if (strncmp(verdict, "torn", 4) == 0) {
        mc_wrap(out, 0, "Torn, loud: %s makes a database that equals no commit, %s; checks notice.",
                who, crash);
    } else if (strcmp(verdict, "stale, empty") == 0) {
        mc_wrap(out, 0, "Stale, empty: %s makes an empty database, %s.", who, crash);
    } else if (strncmp(verdict, "stale", 5) == 0) {
        mc_wrap(out, 0, "Stale: %s loses acknowledged commits (%s), %s.", who,
                verdict + strlen("stale, "), crash);
    } else if (strncmp(verdict, "blocked", 7) == 0) {
        mc_wrap(out, 0, "Blocked: %s refuses (%s) what SQLite recovers, %s.", who,
                reason != NULL ? reason + 2 : "", crash);
    } else if (strncmp(verdict, "refused", 7) == 0) {
        mc_wrap(out, 0, "Refused: %s refuses (%s), and SQLite recovers no commit either, %s.", who,
                reason != NULL ? reason + 2 : "", crash);
    } else {
        mc_wrap(out, 0, "Clean: %s makes %s, %s.", who,
                strcmp(verdict, "clean, ahead") == 0 ? "the commit in flight, whole"
                : found                              ? "exactly what is there"
                                                     : "exactly what was acknowledged",
                crash);
    }
}

void mc_report_story(const mc_story *story, const mc_story_place *place, FILE *out)
{
    print_verdict(story, out);
    (void)fprintf(out, "%s\n", story->signature);
    if (story->handed != NULL) {
        mc_wrap(out, 0, "Handed over with a mistake: %s %s", story->handed, story->effect);
    }
    if (story->again != NULL) {
        mc_wrap(out, 0, "%s.", story->again);
    }
    print_how_to_see(story, place, out);
    print_window(story, out);
    print_loss(story, out);
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
    int width = 16;
    for (uint32_t i = 0; i < story->answer_count; i++) {
        int size = (int)strlen(story->answer[i].importer);
        width = size > width && size < 60 ? size : width;
    }
    for (uint32_t i = 0; i < story->answer_count; i++) {
        (void)fprintf(out, "    %-*s %s\n", width, story->answer[i].importer,
                      story->answer[i].verdict);
    }
    if (story->before != NULL) {
        (void)fputc('\n', out);
        mc_wrap(out, 4,
                "First bad operation: element %zu, %s. A crash before it is %s, a crash after it "
                "%.*s.",
                story->bad, story->bad_text != NULL ? story->bad_text : "", story->before,
                (int)strcspn(story->verdict, ",:"), story->verdict);
    }
}
