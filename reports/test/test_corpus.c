/* test_corpus.c: signatures in sentences, and cases in a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "reports/corpus.h"

typedef struct sentence {
    const char *signature;
    const char *expected;
} sentence;

static const sentence sentences[] = {
    {"delete/kill/write main/table leaf/abandon/torn, silent",
     "SQLite is killed before main is written (delete); abandon makes a torn database that every "
     "check accepts (first wrong: table leaf)."},
    {"wal/power:lying-sync+again/end/table leaf/does not converge/torn, silent",
     "The power goes, and again in the recovery that follows, after its last operation (wal, "
     "power:lying-sync); SQLite itself makes a torn database that every check accepts (first "
     "wrong: "
     "table leaf)."},
    {"delete/kill+again/sync journal/-/does not converge/clean, ahead/another snapshot",
     "SQLite is killed, and again in its recovery, before the journal is synced (delete); SQLite "
     "itself is right: the commit in flight is whole, but not what it made before the second "
     "crash."},
    {"delete/power:ext4-writeback/sync journal/-/sqlite/torn, loud/recovery-induced",
     "The power goes before the journal is synced (delete, power:ext4-writeback); sqlite makes a "
     "torn database that a check notices, though main was a commit before SQLite recovered it."},
    {"persist/kill/sync journal/-/reject/blocked: journal-exists",
     "SQLite is killed before the journal is synced (persist); reject refuses (journal-exists) "
     "what "
     "SQLite recovers."},
    {"wal/kill/commit acknowledged/-/abandon/stale",
     "SQLite is killed before a commit is acknowledged (wal); abandon loses acknowledged commits."},
    {"wal/kill/end/-/abandon/stale, empty",
     "SQLite is killed after its last operation (wal); abandon makes an empty database though "
     "commits were acknowledged."},
    {"wal/kill@other-wal/write wal/schema/sqlite/torn, loud",
     "SQLite is killed before the WAL is written (wal), handed over as other-wal; sqlite makes a "
     "torn database that a check notices (first wrong: schema)."},
    {"delete/kv:journal/put/-/recover/clean, ahead",
     "The actor is cut off at a put (kv:journal); recover is right: the commit in flight is "
     "whole."},
    {"delete/kv:journal/found/table interior/abandon/torn, loud",
     "A v1 store found in the field; abandon makes a torn database that a check notices (first "
     "wrong: table interior)."},
    {"memory/kill/write main/-/recover/refused: page-count",
     "SQLite is killed before main is written (memory); recover refuses (page-count), and SQLite "
     "recovers no commit either."},
    {"no signature", "no signature"},
};

/* Promise: every part of a signature is said in words that were looked at. */
static void signatures_are_sentences(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++) {
        char text[800];
        mc_corpus_sentence(sentences[i].signature, text, sizeof text);
        assert_string_equal(text, sentences[i].expected);
    }
}

/* Promise: a row per case that could be read, named from the folder; a bar does not end a cell. */
static void tables_are_markdown(void **unused)
{
    (void)unused;
    mc_replayed rows[] = {
        {.path = "corpus/torn/a.case", .signature = "x | y"},
        {.path = "corpus/torn/bad.case", .failure = "it is damaged"},
    };
    mc_replay replay = {.replayed = rows, .count = 2};
    char text[2000] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    assert_non_null(out);
    mc_report_corpus(&replay, "corpus/", out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "| case | signature | what happened |\n| --- | --- | --- |\n"
                              "| [torn/a](torn/a.case) | x \\| y | x \\| y |\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_are_sentences),
        cmocka_unit_test(tables_are_markdown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
