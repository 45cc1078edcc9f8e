/* test_field_set.c: the importers that people use (harness/importer/fieldset.h): each says what its
 * script says and what an independent count says, names are taken as told, and a missing or useless
 * sqlite3 program is said in one line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "harness/importer/fieldset.h"

#include <jansson.h>

static char folder[] = "midcommit-test-XXXXXX";

static int enter_folder(void **unused)
{
    (void)unused;
    /* Some importers sync each file that they make: that takes its time on a real disk. */
    if (access("/dev/shm", W_OK) == 0 && setenv("TMPDIR", "/dev/shm", 0) != 0) {
        return -1;
    }
    return mkdtemp(folder) != NULL && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **unused)
{
    (void)unused;
    char command[64];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return chdir("..") == 0 ? system(command) : -1;
}

static void write_text(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

/* Runs `before MIDCOMMIT arguments`; `before` sets the environment. What it said lies in out.txt
 * and err.txt. */
__attribute__((format(printf, 2, 3))) static int run(const char *before, const char *format, ...)
{
    char line[8000];
    int n = snprintf(line, sizeof line, "%s '%s' ", before, MIDCOMMIT_PROGRAM);
    va_list arguments;
    va_start(arguments, format);
    n += vsnprintf(line + n, sizeof line - (size_t)n, format, arguments);
    va_end(arguments);
    assert_true((size_t)n < sizeof line - 50);
    (void)snprintf(line + n, sizeof line - (size_t)n, " >out.txt 2>err.txt </dev/null");
    int status = system(line);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static const char *text_of(const char *path)
{
    static char text[200000];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
    return text;
}

static void must_say(const char *path, const char *words)
{
    if (strstr(text_of(path), words) == NULL) {
        print_error("no \"%s\" in: %s\n", words, text_of(path));
        fail();
    }
}

static void must_not_say(const char *path, const char *words)
{
    if (strstr(text_of(path), words) != NULL) {
        print_error("\"%s\" in: %s\n", words, text_of(path));
        fail();
    }
}

/* One line of error, and nothing else. */
static void fails(const char *before, const char *arguments, int status, const char *words)
{
    int found = run(before, "%s", arguments);
    const char *said = text_of("err.txt");
    const char *end = strchr(said, '\n');
    if (found != status || end == NULL || end[1] != '\0') {
        print_error("%s: status %d, said: %s\n", arguments, found, said);
        fail();
    }
    must_say("err.txt", words);
    assert_string_equal(text_of("out.txt"), "");
}

static json_t *result_of(const char *before, const char *arguments)
{
    int status = run(before, "run %s --json -", arguments);
    json_t *root = json_load_file("out.txt", 0, NULL);
    if (status > 1 || root == NULL) {
        print_error("%s: status %d: %s\n", arguments, status, text_of("err.txt"));
        fail();
    }
    assert_string_equal(text_of("err.txt"), "");
    return root;
}

/* The sum over all cells of one importer's counts. */
static json_int_t count(const json_t *root, const char *importer, const char *key)
{
    size_t i;
    json_t *cell;
    json_int_t sum = 0;
    bool found = false;
    json_array_foreach(json_object_get(root, "cells"), i, cell)
    {
        const char *name = json_string_value(json_object_get(cell, "importer"));
        if (strcmp(name, importer) == 0) {
            assert_true(json_is_integer(json_object_get(cell, key)));
            sum += json_integer_value(json_object_get(cell, key));
            found = true;
        }
    }
    if (!found) {
        print_error("no cell of %s\n", importer);
        fail();
    }
    return sum;
}

static const char *const verdicts[] = {"states",  "clean",  "ahead",  "stale",
                                       "empty",   "torn",   "silent", "integrity_check_missed",
                                       "blocked", "refused"};
enum { VERDICTS = sizeof verdicts / sizeof *verdicts };

/* Every verdict, in every cell. */
static void same_verdicts(const json_t *root, const char *one, const char *other)
{
    const json_t *cells = json_object_get(root, "cells");
    const json_t *mine = NULL;
    size_t i;
    json_t *cell;
    size_t compared = 0;
    json_array_foreach(cells, i, cell)
    {
        const char *name = json_string_value(json_object_get(cell, "importer"));
        mine = strcmp(name, one) == 0 ? cell : mine;
        for (size_t k = 0; mine != NULL && strcmp(name, other) == 0 && k < VERDICTS; k++) {
            json_int_t a = json_integer_value(json_object_get(mine, verdicts[k]));
            json_int_t b = json_integer_value(json_object_get(cell, verdicts[k]));
            if (a != b) {
                print_error("%s in %s: %s %lld, %s %lld\n", verdicts[k],
                            json_string_value(json_object_get(cell, "mode")), one, (long long)a,
                            other, (long long)b);
                fail();
            }
            compared++;
        }
    }
    assert_true(compared >= VERDICTS);
}

/* Few pages and few steps: a table and its index are torn apart, and the file grows. */
static const char small[] = "CREATE TABLE t(a, b);\nCREATE INDEX i ON t(b);\n"
                            "INSERT INTO t VALUES(1, 1), (2, 2);\n-- @program\n"
                            "UPDATE t SET b = b + 10;\nINSERT INTO t VALUES(3, zeroblob(5000));\n";

/* Promise: the steps in C give, in every verdict, what the script gives that says what they are; on
 * pages that a crash can cut, too. Each kind of answer occurs. */
static void rows_do_what_their_scripts_say(void **unused)
{
    (void)unused;
    json_int_t torn = 0;
    json_int_t refused_by_gates = 0;
    write_text("small.sql", small, 0644);
    write_text("start.sql", "CREATE TABLE t(a);\n", 0644);
    static const char *const cells[] = {"--workload ./small.sql --budget 1",
                                        "--workload ./start.sql --page-size 8192"};
    for (size_t c = 0; c < sizeof cells / sizeof *cells; c++) {
        char arguments[6000];
        int n = snprintf(arguments, sizeof arguments, "%s --crash kill --importer '@cp", cells[c]);
        for (const mc_field_row *row = mc_field_rows; row->script != NULL; row++) {
            const char *more = strcmp(row->name, "@cp") == 0 ? "" : row->name;
            n += row->run == NULL
                     ? 0
                     : snprintf(arguments + n, sizeof arguments - (size_t)n,
                                "%s%s,exec:%s/harness/field/%s", more[0] != '\0' ? "," : "", more,
                                MIDCOMMIT_SOURCE_DIR, row->script);
        }
        (void)snprintf(arguments + n, sizeof arguments - (size_t)n, "'");
        json_t *root = result_of("", arguments);
        for (const mc_field_row *row = mc_field_rows; row->script != NULL; row++) {
            char script[1000];
            (void)snprintf(script, sizeof script, "exec:%s/harness/field/%s", MIDCOMMIT_SOURCE_DIR,
                           row->script);
            if (row->run != NULL) {
                same_verdicts(root, row->name, script);
            }
        }
        torn += count(root, "@cp", "torn") * count(root, "@cp-live", "torn");
        refused_by_gates += c == 0 ? count(root, "@pages", "blocked") *
                                         count(root, "@integ-ck", "blocked") *
                                         count(root, "@readonly", "blocked")
                                   : 0;
        json_decref(root);
    }
    assert_true(torn > 0);
    assert_true(refused_by_gates > 0);
}

/* Promise: what the rows say is what others count: a copy of main is `abandon`, a backup is SQLite
 * itself, and the gate of integrity_check refuses just what integrity_check notices of `abandon`.
 */
static void rows_agree_with_independent_counts(void **unused)
{
    (void)unused;
    json_t *root = result_of("", "--workload inplace,indexed,spill --txns 1 --budget 2 --importer "
                                 "abandon,sqlite,@cp,@header,@.backup,@vacuum,@integ-ck,@quick-ck");
    same_verdicts(root, "abandon", "@cp");
    same_verdicts(root, "abandon", "@header");
    same_verdicts(root, "sqlite", "@.backup");
    same_verdicts(root, "sqlite", "@vacuum");
    json_int_t torn = count(root, "abandon", "torn");
    json_int_t missed = count(root, "abandon", "integrity_check_missed");
    assert_true(torn > missed && missed > 0);
    assert_int_equal(count(root, "@integ-ck", "torn"), missed);
    assert_int_equal(count(root, "@integ-ck", "integrity_check_missed"), missed);
    assert_int_equal(count(root, "@integ-ck", "blocked"), torn - missed);
    assert_int_equal(count(root, "@integ-ck", "clean"), count(root, "abandon", "clean"));
    assert_true(count(root, "@quick-ck", "torn") >= missed);
    assert_true(count(root, "@quick-ck", "torn") <= torn);
    json_decref(root);

    root = result_of("", "--workload grow --txns 1 --mode delete --page-size 8192 "
                         "--importer abandon,@header,sqlite,@.backup --crash kill");
    same_verdicts(root, "abandon", "@header"); /* where there is no file yet, and half a page */
    same_verdicts(root, "sqlite", "@.backup");
    json_decref(root);
}

#define TINY "--workload ./small.sql --budget 1 --mode delete "

/* Promise: @field is all rows, beside others and as what is required; a name that is none or that
 * comes twice is wrong usage, in one line. */
static void names_are_taken_as_told(void **unused)
{
    (void)unused;
    write_text("small.sql", small, 0644);
    static const char *const wrong[] = {"@bogus",     "@",       "@field,@cp",
                                        "@cp,@field", "@cp,@cp", "@field,@field"};
    static const char *const words[] = {"\"@bogus\" is no ready importer; see midcommit run --list",
                                        "\"@\" is no ready importer",
                                        "\"@cp\" is named twice",
                                        "\"@cp\" is named twice",
                                        "\"@cp\" is named twice",
                                        "\"@cp\" is named twice"};
    char arguments[300];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        (void)snprintf(arguments, sizeof arguments, "run " TINY "--importer %s", wrong[i]);
        fails("", arguments, 2, words[i]);
    }
    fails("", "run " TINY "--importer abandon --require @cp", 2, "\"@cp\" is not among --importer");
    fails("", "run " TINY "--importer @cp --crash kv", 2, "nothing to do");
    fails("", "explain ./small.sql/delete/full/kill/0 --importer @field", 2, "not a list");
    assert_int_equal(
        run("", "run " TINY "--importer reject,abandon,recover,sqlite,@field,'exec:exit 3'"), 0);
    for (const mc_field_row *row = mc_field_rows; row->script != NULL; row++) {
        assert_true(strlen(row->name) <= 9 && strlen(row->summary) <= 70);
        must_say("out.txt", row->name);
    }
    must_say("out.txt", "Not run: kv; the importers of @field read files.");
    must_say("out.txt", "us/state");
    assert_int_equal(run("", "run " TINY "--importer abandon,recover"), 0);
    must_not_say("out.txt", "us/state");
    assert_int_equal(run("", "run " TINY "--importer @cp,@.backup --require @.backup"), 0);
    assert_int_equal(run("", "run " TINY "--importer @cp,@.backup --require @cp"), 1);
    must_say("out.txt", "--importer @cp\n");
    assert_int_equal(run("", "explain ./small.sql/delete/full/kill/0 --importer @cp"), 0);
}

/* Stands in for the sqlite3 program: SAYS to the question whether it has sqlite_dbpage, and a
 * .recover that copies main. */
#define FAKE(says, recover)                                                                        \
    "#!/bin/sh\ncase \"$*\" in\n-version) echo '9.8.7 today' ;;\n*dbpage*) " says                  \
    " ;;\n*.recover*) " recover " ;;\n*.read*) mv rows.sql out.db ;;\nesac\n"

/* Promise: @.recover needs a sqlite3 program that can do it. Without one, one line before anything
 * is run; with one that cannot, the others of @field run and it is said. What it answers is judged,
 * and a machine that fails is no refusal. */
static void the_program_is_asked_first(void **unused)
{
    (void)unused;
    write_text("small.sql", small, 0644);
    assert_int_equal(mkdir("none", 0777), 0);
    assert_int_equal(mkdir("fake", 0777), 0);
    fails("PATH=none", "run " TINY "--importer @.recover", 3, "no sqlite3 program in PATH");
    fails("PATH=none", "run " TINY "--importer @field", 3, "no sqlite3 program in PATH");
    json_decref(result_of("PATH=none", TINY "--importer @cp,@.backup"));

    write_text("fake/sqlite3", FAKE("exit 1", "exit 1"), 0755);
    fails("PATH=$PWD/fake:$PATH", "run " TINY "--importer @.recover", 3,
          "the sqlite3 program (9.8.7) was built without sqlite_dbpage");
    assert_int_equal(run("PATH=$PWD/fake:$PATH", "run " TINY "--importer @field"), 0);
    must_say("out.txt", "Not run: @.recover; the sqlite3 program here");

    write_text("fake/sqlite3", FAKE("echo 1", "cp main.db rows.sql"), 0755);
    json_t *root = result_of("PATH=$PWD/fake:$PATH", TINY "--importer @cp,@.recover");
    same_verdicts(root, "@cp", "@.recover");
    assert_true(count(root, "@cp", "torn") > 0);
    assert_string_equal(json_string_value(json_object_get(root, "sqlite3_program")), "9.8.7");
    json_decref(root);

    write_text("fake/sqlite3", FAKE("echo 1", "echo malformed >&2; exit 1"), 0755);
    root = result_of("PATH=$PWD/fake:$PATH", TINY "--importer @.recover");
    assert_int_equal(count(root, "@.recover", "blocked"), count(root, "@.recover", "states"));
    json_decref(root);
    write_text("fake/sqlite3", FAKE("echo 1", "kill -9 $$"), 0755);
    assert_int_equal(run("PATH=$PWD/fake:$PATH", "run " TINY "--importer @.recover"), 3);
    must_say("err.txt", "small.sql/delete/full/kill/0: importer: \"@.recover\"");
    write_text("fake/sqlite3", FAKE("echo 1", "echo database or disk is full >&2; exit 1"), 0755);
    assert_int_equal(run("PATH=$PWD/fake:$PATH", "run " TINY "--importer @.recover"), 3);
    must_say("err.txt", "disk is full");
}

/* Promise: the time that importers took is under "timing" and nowhere else, for each that was run,
 * over the distinct states; a resumed run repeats it; the rest is equal whatever the jobs. */
static void costs_are_timing(void **unused)
{
    (void)unused;
    write_text("small.sql", small, 0644);
    static const char list[] = "--workload ./small.sql --importer abandon,@cp,@vacuum,@cp-live "
                               "--results r.jsonl";
    char again[300];
    json_t *one = result_of("", list);
    (void)snprintf(again, sizeof again, "%s --resume", list);
    json_t *two = result_of("", again);
    assert_int_equal(remove("r.jsonl"), 0);
    (void)snprintf(again, sizeof again, "%s --jobs 1", list);
    json_t *three = result_of("", again);
    json_t *costs = json_object_get(json_object_get(one, "timing"), "importers");
    assert_int_equal(json_array_size(costs), 3); /* abandon is followed, not run */
    assert_true(json_equal(costs, json_object_get(json_object_get(two, "timing"), "importers")));
    for (size_t i = 0; i < 3; i++) {
        const json_t *cost = json_array_get(costs, i);
        assert_int_equal(json_integer_value(json_object_get(cost, "states_run")),
                         count(one, "@cp", "unique"));
        assert_true(json_integer_value(json_object_get(cost, "microseconds_per_state")) > 0);
    }
    json_object_del(one, "timing");
    json_object_del(two, "timing");
    json_object_del(three, "timing");
    assert_true(json_equal(one, two));
    assert_true(json_equal(one, three));
    json_decref(one);
    json_decref(two);
    json_decref(three);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_do_what_their_scripts_say),
        cmocka_unit_test(rows_agree_with_independent_counts),
        cmocka_unit_test(names_are_taken_as_told),
        cmocka_unit_test(the_program_is_asked_first),
        cmocka_unit_test(costs_are_timing),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
