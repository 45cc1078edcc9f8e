/* test_found.c: states that were found somewhere, as cases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "harness/case/casefound.h"
#include "harness/run/cases.h"
#include "harness/host/outfile.h"
#include "harness/case/replay.h"

#define DUMPS MIDCOMMIT_SOURCE_DIR "/corpus/rivet-kv/"

static void check(mc_status status, const mc_error *error, const char *what)
{
    if (status != MC_OK) {
        print_error("%s: %s\n", what, error->text);
        fail();
    }
}

static void make_case(mc_source_kind kind, const char *path, const char *subject, mc_case *c)
{
    mc_source source;
    mc_importers importers;
    mc_error error = {0};
    uint32_t index = 0;
    check(mc_source_open(&source, kind, path, 1 << 26, &error), &error, path);
    check(mc_importers_usual(subject, &importers, &error), &error, subject);
    while (strcmp(importers.chosen[index].name, subject) != 0) {
        index++;
    }
    check(mc_case_found(&source, "found", &importers, index, c, &error), &error, path);
    mc_importers_free(&importers);
    mc_source_close(&source);
}

static const char *expected(const mc_case *c, const char *importer)
{
    return json_string_value(json_object_get(json_object_get(c->facts, "expected"), importer));
}

typedef struct dump_row {
    const char *name;
    const char *reject;
    const char *abandon;
} dump_row;

/* What the two importers of the field make of the real dumps, by FORMATS' rules and the flags in
 * each dump's own first line (journal_meta, main_chunk_count_mismatch, raw_main_uncommitted). */
static const dump_row dumps[] = {
    {"big_grow_200_k0009", "blocked: journal-exists", "clean, exact"},
    {"big_then_close_k0001", "blocked: journal-exists", "clean, exact"},
    {"cachespill_k0018", "blocked: journal-exists", "clean, exact"},
    {"crash_in_recovery_k0136", "blocked: journal-exists", "clean, exact"},
    {"drop_table_k0003", "blocked: chunk-count", "blocked: chunk-count"},
    {"grow_10_k0001", "clean, exact", "clean, exact"},
    {"grow_then_free_k0001", "blocked: chunk-count", "blocked: chunk-count"},
    {"one_page_k0001", "clean, exact", "clean, exact"},
    {"vacuum_journal_k0036", "blocked: journal-exists", "torn, loud"},
    {"vacuum_k0002", "blocked: chunk-count", "blocked: chunk-count"},
};

/* Promise: of every real v1 dump recover gets what SQLite does through the v1 VFS, and the field's
 * importers do what they did; the case that is made of it is whole and replays. */
static void real_dumps_become_cases(void **unused)
{
    (void)unused;
    char folder[] = "/tmp/midcommit-found.XXXXXX";
    assert_non_null(mkdtemp(folder));
    char made[sizeof dumps / sizeof *dumps][200];
    for (size_t i = 0; i < sizeof dumps / sizeof *dumps; i++) {
        char path[400];
        mc_case c;
        mc_error error = {0};
        (void)snprintf(path, sizeof path, DUMPS "%s.jsonl", dumps[i].name);
        make_case(MC_SOURCE_DUMP, path, "abandon", &c);
        assert_string_equal(expected(&c, "reject"), dumps[i].reject);
        assert_string_equal(expected(&c, "abandon"), dumps[i].abandon);
        assert_string_equal(expected(&c, "recover"), "clean, exact");
        assert_string_equal(expected(&c, "sqlite"), "clean, exact");
        (void)snprintf(made[i], sizeof made[i], "%s/%s.case", folder, dumps[i].name);
        check(mc_case_write(&c, made[i], &error), &error, made[i]);
        mc_case_free(&c);
    }
    const char *paths[] = {folder};
    mc_replay_options options = {.path = paths, .path_count = 1, .jobs = 2};
    mc_replay replay;
    mc_error error = {0};
    check(mc_replay_run(&options, &replay, &error), &error, "replay");
    assert_int_equal(replay.count, sizeof dumps / sizeof *dumps);
    assert_int_equal(replay.changed + replay.failed, 0);
    mc_replay_free(&replay);
    for (size_t i = 0; i < sizeof dumps / sizeof *dumps; i++) {
        assert_int_equal(unlink(made[i]), 0);
    }
    assert_int_equal(rmdir(folder), 0);
}

/* Promise: the files of a crash state, found in a folder, get the verdicts that the run gave them,
 * where what SQLite recovers is the acknowledged commit; and they are not changed. */
static void files_are_judged_as_in_their_run(void **unused)
{
    (void)unused;
    char folder[] = "/tmp/midcommit-found.XXXXXX";
    assert_non_null(mkdtemp(folder));
    mc_run_options run = {.importers = "abandon", .page_size = 4096, .seed = 1};
    mc_importers importers;
    mc_error error = {0};
    mc_case c;
    mc_case found;
    check(mc_importers_usual("abandon", &importers, &error), &error, "importers");
    check(mc_cases_capture("inplace/delete/full/kill/155", &run, &importers, 1, NULL, &c, &error),
          &error, "capture");
    char main_path[200];
    char journal_path[200];
    mc_file main = mc_case_file(&c, "main.db");
    mc_file journal = mc_case_file(&c, "main.db-journal");
    (void)snprintf(main_path, sizeof main_path, "%s/main.db", folder);
    (void)snprintf(journal_path, sizeof journal_path, "%s/main.db-journal", folder);
    check(mc_outfile_put(main_path, main.data, main.size, &error), &error, "main");
    check(mc_outfile_put(journal_path, journal.data, journal.size, &error), &error, "journal");
    make_case(MC_SOURCE_FILES, main_path, "abandon", &found);
    static const char *const names[] = {"reject", "abandon", "recover", "sqlite"};
    for (int i = 0; i < 4; i++) {
        assert_string_equal(expected(&found, names[i]), expected(&c, names[i]));
    }
    assert_string_equal(mc_case_text(&found, "signature"),
                        "delete/kill/found/table leaf/abandon/torn, silent");
    struct stat info;
    assert_int_equal(stat(journal_path, &info), 0);
    assert_int_equal((uint64_t)info.st_size, journal.size);
    assert_int_equal(unlink(main_path) | unlink(journal_path) | rmdir(folder), 0);
    mc_case_free(&found);
    mc_case_free(&c);
    mc_importers_free(&importers);
}

/* Promise: of files that SQLite opens and cannot read there is no snapshot, and a case all the
 * same: everybody's image is torn, SQLite's too. */
static void what_cannot_be_read_becomes_a_case(void **unused)
{
    (void)unused;
    char folder[] = "/tmp/midcommit-found.XXXXXX";
    assert_non_null(mkdtemp(folder));
    mc_run_options run = {.importers = "abandon", .page_size = 4096, .seed = 1};
    mc_importers importers;
    mc_error error = {0};
    mc_case c;
    mc_case found;
    check(mc_importers_usual("abandon", &importers, &error), &error, "importers");
    check(mc_cases_capture("inplace/delete/full/kill/0", &run, &importers, 1, NULL, &c, &error),
          &error, "capture");
    char path[200];
    mc_file main = mc_case_file(&c, "main.db");
    uint8_t *bytes = malloc(main.size);
    assert_true(bytes != NULL && main.size > 4096);
    memcpy(bytes, main.data, main.size);
    memset(bytes + 103, 0xff, 2); /* the schema's page has more cells than fit */
    (void)snprintf(path, sizeof path, "%s/main.db", folder);
    check(mc_outfile_put(path, bytes, main.size, &error), &error, "main");
    make_case(MC_SOURCE_FILES, path, "abandon", &found);
    static const char *const names[] = {"reject", "abandon", "sqlite"};
    for (int i = 0; i < 3; i++) {
        assert_string_equal(expected(&found, names[i]), "torn, loud");
    }
    assert_int_equal(mc_case_file(&found, "snapshot-0.db").size, 0);
    assert_int_equal(unlink(path) | rmdir(folder), 0);
    free(bytes);
    mc_case_free(&found);
    mc_case_free(&c);
    mc_importers_free(&importers);
}

/* Promise: a journal of 512 bytes that wants main to have had 2 GiB costs one line. SQLite's
 * pager_truncate would make main as large as that. */
static void a_forged_size_is_refused(void **unused)
{
    (void)unused;
    static const uint8_t journal[512] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7, 0, 0,
                                         0,    0,    0,    0,    0,    0,    0,    0x08, 0, 0,
                                         0,    0,    2,    0,    0,    0,    0x10, 0};
    mc_run_options run = {.importers = "abandon", .page_size = 4096, .seed = 1};
    mc_importers importers;
    mc_error error = {0};
    mc_case c;
    mc_case found;
    check(mc_importers_usual("abandon", &importers, &error), &error, "importers");
    check(mc_cases_capture("inplace/delete/full/kill/0", &run, &importers, 1, NULL, &c, &error),
          &error, "capture");
    mc_source source = {.kind = MC_SOURCE_FILES};
    source.files.main = mc_case_file(&c, "main.db");
    source.files.journal = (mc_file){.data = journal, .size = sizeof journal, .exists = true};
    assert_int_equal(mc_case_found(&source, "found", &importers, 1, &found, &error), MC_REFUSED);
    assert_string_equal(error.reason, "too-large");
    assert_null(strchr(error.text, '\n'));
    mc_case_free(&c);
    mc_importers_free(&importers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_dumps_become_cases),
        cmocka_unit_test(files_are_judged_as_in_their_run),
        cmocka_unit_test(what_cannot_be_read_becomes_a_case),
        cmocka_unit_test(a_forged_size_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
