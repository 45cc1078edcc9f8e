#include "reports/report.h"

#include "reports/shell.h"
#include "reports/wrap.h"

#include <string.h>

enum { PAGES_SHOWN = 12 };

static void print_window(const mc_story *story, FILE *out)
{
    if (story->op_count == 0 && story->elements == 0) {
        return; /* a state that no workload made */
    }
    (void)fprintf(out, "\nThe story of %s (elements 0 to %zu of the trace):\n", story->state,
                  story->elements);
    for (uint32_t i = 0; i < story->op_count; i++) {
        const mc_story_op *op = &story->op[i];
        if (op->statement != NULL) {
            (void)fprintf(out, "         %.90s\n", op->statement);
        }
        (void)fprintf(out, "%s %5zu  %.90s\n", op->crash ? ">>" : "  ", op->number, op->text);
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

static const char *const no_sidecars = "    rm -f main.db-journal main.db-wal main.db-shm";

/* The commands between unpacking and looking: what makes the importer's database of the state. */
static void print_import(const mc_story *story, const char *program, FILE *out)
{
    const char *subject = story->subject;
    bool raw = strcmp(subject, "abandon") == 0;
    bool builtin = raw || strcmp(subject, "recover") == 0 || strcmp(subject, "reject") == 0;
    if (story->is_kv && builtin) {
        (void)fputs("    ", out);
        mc_shell_word(out, program);
        (void)fprintf(out, " migrate --from-kv kv.jsonl --policy %s --to-file main.db\n", subject);
    } else if (raw) {
        (void)fprintf(out, "%s    # abandon\n", no_sidecars);
    } else if (!builtin && strcmp(subject, "sqlite") != 0) {
        (void)fprintf(out, "    # run %.80s here\n", subject);
    }
}

static void print_how_to_see(const mc_story *story, const mc_story_place *place, FILE *out)
{
    (void)fprintf(out, "\nSee it with stock tools:\n");
    if (place->folder != NULL) {
        (void)fputs("    cd ", out);
        mc_shell_word(out, place->folder);
        (void)fputc('\n', out);
    } else if (place->is_case) {
        (void)fputs("    mkdir state && tar --zstd -C state -xf ", out);
        mc_shell_word(out, place->operand);
        (void)fputs(" && cd state\n", out);
    } else {
        (void)fputs("    ", out);
        mc_shell_word(out, place->program);
        (void)fputs(" explain ", out);
        mc_shell_word(out, place->operand);
        (void)fputs(" --output state && cd state\n", out);
    }
    print_import(story, place->program, out);
    (void)fprintf(out, "    sqlite3 main.db 'PRAGMA integrity_check'\n");
    if (story->difference != NULL) {
        (void)fprintf(out,
                      "    sqlite3 snapshot-%u.db .dump >expected; sqlite3 main.db .dump |"
                      " diff expected -\n",
                      story->snapshot);
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
    char crash[120];
    bool found = story->commits == 0 && story->elements == 0; /* nobody knows its commits */
    (void)snprintf(crash, sizeof crash, "after a crash with %u of %u commits acknowledged%s",
                   story->acked, story->commits,
                   story->begun > story->acked ? " and one in flight" : "");
    if (found) {
        (void)snprintf(crash, sizeof crash, "measured against what SQLite recovers");
    }
    if (strcmp(verdict, "torn, silent") == 0) {
        mc_wrap(
            out, 0,
            "Torn, silent: %s makes a database that equals no commit and passes every check, %s; "
            "%u of its pages are wrong.",
            who, crash, wrong);
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
    print_how_to_see(story, place, out);
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
    if (story->before != NULL && story->since > 0) {
        (void)fprintf(out, "\nFirst bad operation: up to element %zu it was %s, since then this.\n",
                      story->since - 1, story->before);
    }
}
