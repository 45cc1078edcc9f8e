/* test_emit.c: what is emitted is run with the tools it is made for, and must say the truth: that a
 * verdict came out when it did, and that it did not when the case's expectation is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/run/cases.h"
#include "reports/emit.h"

enum { POINTS = 400, NOT_RUN = -1 };

typedef struct row {
    const char *task; /* workload/mode/sync/crash */
    size_t hint;      /* the crash point to search from */
    const char *subject;
    const char *verdict; /* what the state must be found to be */
    const char *wrong;   /* another verdict, which must not be reproduced */
} row;

static const row rows[] = {
    {"spill/delete/full/kill", 220, "abandon", "torn, silent", "clean, exact"},
    {"spill/delete/full/kill", 294, "abandon", "torn, loud", "stale, behind 1"},
    {"spill/delete/full/kill", 294, "recover", "clean, exact", "torn, loud"},
    {"spill/delete/full/kill", 294, "sqlite", "clean, exact", "refused: cannot-open"},
    {"inplace/delete/full/kill", 201, "abandon", "clean, ahead", "clean, exact"},
    {"inplace/delete/full/kill", 100, "reject", "blocked: journal-exists", "clean, exact"},
    {"inplace/delete/full/kill", 0, "reject", "clean, exact", "blocked: journal-exists"},
    {"inplace/wal/full/kill", 102, "abandon", "stale, behind 1", "torn, silent"},
    {"inplace/wal/full/kill", 102, "reject", "blocked: wal-exists", "refused: wal-exists"},
    {"inplace/wal/full/kill", 102, "sqlite", "clean, exact", "stale, behind 1"},
    {"grow/wal/full/kill", 21, "abandon", "stale, empty", "clean, exact"},
    {"attach/delete/full/kill", 67, "recover", "clean, exact", "clean, ahead"},
    {"attach/delete/full/kill", 93, "abandon", "torn, silent", "stale, behind 1"},
    {"spill/delete/normal/kv:journal", 284, "abandon", "torn, silent", "clean, ahead"},
    {"spill/delete/normal/kv:journal", 205, "recover", "clean, exact", "torn, silent"},
    {"inplace/delete/normal/kv:journal", 100, "reject", "blocked: journal-exists", "torn, loud"},
};
enum { ROWS = sizeof rows / sizeof *rows };

static char folder[64];
static mc_importers importers;
static uint8_t *kept[ROWS]; /* cases, encoded */
static size_t kept_size[ROWS];

/* ---- cases ---- */

static const char *expected_of(const mc_case *c, const char *subject)
{
    return json_string_value(json_object_get(json_object_get(c->facts, "expected"), subject));
}

static void expect(mc_case *c, const char *subject, const char *verdict)
{
    json_t *expected = json_object_get(c->facts, "expected");
    assert_int_equal(json_object_set_new(expected, subject, json_string(verdict)), 0);
}

/* The first state from the hint on with the row's verdict and, if both shall differ, a commit in
 * flight. */
static void search(const row *r, mc_case *c)
{
    mc_run_options options = {.page_size = 4096, .seed = 1, .txns = 1};
    uint32_t subject = 0;
    while (strcmp(importers.chosen[subject].name, r->subject) != 0) {
        subject++;
    }
    for (size_t point = r->hint; point < r->hint + POINTS; point++) {
        char state[200];
        mc_error error;
        (void)snprintf(state, sizeof state, "%s/%zu", r->task, point);
        if (mc_cases_capture(state, &options, &importers, subject, NULL, c, &error) != MC_OK) {
            fail_msg("%s: no state is %s: %s", r->task, r->verdict, error.text);
        }
        bool flight =
            strcmp(r->verdict, "clean, ahead") == 0 || strcmp(r->wrong, "clean, ahead") == 0;
        if (strcmp(expected_of(c, r->subject), r->verdict) == 0 &&
            (!flight || mc_case_number(c, "begun") > mc_case_number(c, "acked"))) {
            return;
        }
        mc_case_free(c);
    }
    fail_msg("%s: no state is %s", r->task, r->verdict);
}

/* The case of a row, searched once. */
static void capture(const row *r, mc_case *c)
{
    size_t i = (size_t)(r - rows);
    mc_error error;
    if (kept[i] == NULL) {
        search(r, c);
        assert_int_equal(mc_case_encode(c, &kept[i], &kept_size[i], &error), MC_OK);
        mc_case_free(c);
    }
    if (mc_case_decode("kept", kept[i], kept_size[i], c, &error) != MC_OK) {
        fail_msg("%s", error.text);
    }
}

/* As it would be read from a file, so that nothing is tried that no case can have. */
static void pass_through_file(mc_case *c)
{
    uint8_t *data = NULL;
    size_t size = 0;
    mc_error error;
    assert_int_equal(mc_case_encode(c, &data, &size, &error), MC_OK);
    mc_case_free(c);
    mc_status status = mc_case_decode("case", data, size, c, &error);
    if (status != MC_OK) {
        fail_msg("%s", error.text);
    }
    free(data);
}

/* ---- running ---- */

static int run(const char *command)
{
    char full[600];
    (void)snprintf(full, sizeof full, "cd %s && { %s; } >output 2>&1", folder, command);
    int status = system(full);
    assert_true(status != -1 && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static bool has_tool(const char *tool)
{
    char command[100];
    (void)snprintf(command, sizeof command, "command -v %s", tool);
    if (run(command) == 0) {
        return true;
    }
    print_message("skipped in part: there is no %s\n", tool);
    return false;
}

static void put_file(const char *name, const void *data, size_t size)
{
    char path[200];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void emit(const mc_case *c, mc_emit_kind kind, const char *name)
{
    char *text = NULL;
    size_t size = 0;
    mc_error error;
    if (mc_emit(c, kind, &text, &size, &error) != MC_OK) {
        fail_msg("%s", error.text);
    }
    assert_int_equal(strlen(text), size);
    put_file(name, text, size);
    free(text);
}

/* The exit status of the emitted shell script or C program; NOT_RUN without its tools. */
static int status_of(const mc_case *c, mc_emit_kind kind)
{
    if (!has_tool(kind == MC_EMIT_SH ? "sqlite3" : "cc")) {
        return NOT_RUN;
    }
    emit(c, kind, kind == MC_EMIT_SH ? "case.sh" : "case.c");
    if (kind == MC_EMIT_SH) {
        assert_int_equal(run("rm -rf made"), 0);
        return run("sh -e case.sh made >said");
    }
    assert_int_equal(run("cc -std=c11 -Wall -Wextra -Werror case.c -o case -lsqlite3"), 0);
    return run("./case");
}

/* ---- tests ---- */

/* Promise: script and program reproduce every kind of verdict. */
static void verdicts_are_reproduced(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROWS; i++) {
        mc_case c;
        capture(&rows[i], &c);
        print_message("%s: %s: %s\n", mc_case_text(&c, "state"), rows[i].subject, rows[i].verdict);
        for (int kind = MC_EMIT_SH; kind <= MC_EMIT_C; kind++) {
            int status = status_of(&c, (mc_emit_kind)kind);
            assert_true(status == 0 || status == NOT_RUN);
        }
        mc_case_free(&c);
    }
}

/* Promise: an expectation that is wrong is not reproduced, and the exit status says so. */
static void wrong_expectations_are_not(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROWS; i++) {
        mc_case c;
        capture(&rows[i], &c);
        print_message("%s: %s: not %s\n", mc_case_text(&c, "state"), rows[i].subject,
                      rows[i].wrong);
        expect(&c, rows[i].subject, rows[i].wrong);
        if (strcmp(rows[i].subject, "recover") == 0) {
            expect(&c, "sqlite", rows[i].wrong); /* or it is midcommit's to say why they differ */
        }
        for (int kind = MC_EMIT_SH; kind <= MC_EMIT_C; kind++) {
            int status = status_of(&c, (mc_emit_kind)kind);
            assert_true(status == 1 || status == NOT_RUN);
        }
        mc_case_free(&c);
    }
}

/* Promise: the SQL script runs to its end without a word of complaint, and where the case has every
 * commit it makes the last snapshot. */
static void sql_makes_the_last_snapshot(void **unused)
{
    (void)unused;
    size_t compared = 0;
    for (size_t i = 0; i < ROWS; i++) {
        if (!has_tool("sqlite3")) {
            skip();
        }
        mc_case c;
        capture(&rows[i], &c);
        emit(&c, MC_EMIT_SQL, "case.sql");
        assert_int_equal(run("rm -rf made && mkdir made && cd made && sqlite3 new.db <../case.sql "
                             "2>../errors && test ! -s ../errors"),
                         0);
        char name[MC_CASE_NAME_BYTES];
        json_t *story = json_object_get(c.facts, "story");
        uint32_t begun = mc_case_number(&c, "begun");
        if (json_integer_value(json_object_get(story, "commits")) == begun) {
            mc_case_snapshot_name(begun, 0, name);
            mc_file file = mc_case_file(&c, name);
            put_file("last.db", file.data, (size_t)file.size);
            assert_int_equal(run("sqlite3 last.db .dump >last && sqlite3 made/new.db .dump >new && "
                                 "cmp last new"),
                             0);
            compared++;
        }
        mc_case_free(&c);
    }
    assert_true(compared > 3);
}

static const char hostile[] =
    "\n*/ int x\n`touch x`$(touch x)';touch x;'\"\\\n.shell touch x\n%s?\?/";

/* Every text of the case that no rule holds to a form. */
static void make_hostile(mc_case *c)
{
    static const char *const keys[] = {"signature", "state", "sqlite", "workload"};
    json_t *story = json_object_get(c->facts, "story");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char text[200];
        (void)snprintf(text, sizeof text, "%.*s", i == 2 ? 31 : 119, hostile);
        (void)json_object_set_new(c->facts, keys[i], json_string(text));
    }
    json_t *op =
        json_pack("{s:I,s:s,s:s}", "element", (json_int_t)1, "does", hostile, "statement", hostile);
    (void)json_array_append_new(json_object_get(story, "operations"), op);
    (void)json_object_set_new(json_object_get(c->facts, "expected"), hostile, json_string("torn"));
}

/* Promise: texts of a case run nothing, and break nothing. */
static void hostile_texts_stay_texts(void **unused)
{
    (void)unused;
    mc_case c;
    capture(&rows[0], &c);
    make_hostile(&c);
    pass_through_file(&c);
    for (int kind = MC_EMIT_SH; kind <= MC_EMIT_C; kind++) {
        int status = status_of(&c, (mc_emit_kind)kind);
        assert_true(status == 0 || status == NOT_RUN);
    }
    if (has_tool("sqlite3")) {
        emit(&c, MC_EMIT_SQL, "case.sql");
        assert_int_equal(run("rm -f new.db && sqlite3 new.db <case.sql"), 0);
    }
    (void)json_object_set_new(c.facts, "importer", json_string(hostile));
    for (int kind = MC_EMIT_SH; kind <= MC_EMIT_C; kind++) {
        int status = status_of(&c, (mc_emit_kind)kind);
        assert_true(status == 2 || status == NOT_RUN);
    }
    expect(&c, hostile, hostile);
    char *text = NULL;
    size_t size = 0;
    mc_error error;
    for (int kind = 0; kind < MC_EMIT_KINDS; kind++) {
        assert_int_equal(mc_emit(&c, (mc_emit_kind)kind, &text, &size, &error), MC_MALFORMED);
        assert_null(text);
    }
    assert_int_equal(run("test ! -e x && test ! -e made/x"), 0);
    mc_case_free(&c);
}

static void set_program(mc_case *c, const char *text)
{
    for (uint32_t i = 0; i < c->entry_count; i++) {
        if (strcmp(c->entry[i].name, "workload.sql") == 0) {
            c->entry[i].file = (mc_file){true, (const uint8_t *)text, strlen(text)};
        }
    }
}

/* Promise: a program is SQL and nothing that only the sqlite3 shell can do. */
static void programs_get_no_shell(void **unused)
{
    (void)unused;
    static const char *const refused[] = {
        "SELECT writefile('x', 'y');",
        "SELECT \"EDIT\" /**/ ('a', 'touch x');",
        "ATTACH 'x' AS y;",
        "VACUUM main INTO 'x';",
        "SELECT load_extension('x');",
        "CREATE VIRTUAL TABLE z USING [zipfile]('x');",
        "SELECT edit\n--\n('a');",
    };
    static const char *const taken[] = {
        "CREATE TABLE edits(edit, credit, attached); VACUUM; INSERT INTO edits VALUES(1, 2, 3);",
        ".shell touch x\n",
        "SELECT 1;\n.shell touch x\n",
        "-- @program\n.shell touch x\n",
        "SELECT '\n;\n.shell touch x\n';",
    };
    mc_case c;
    capture(&rows[0], &c);
    char *text = NULL;
    size_t size = 0;
    mc_error error;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        set_program(&c, refused[i]);
        assert_int_equal(mc_emit(&c, MC_EMIT_SQL, &text, &size, &error), MC_MALFORMED);
        assert_non_null(strstr(error.text, "workload.sql"));
    }
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        set_program(&c, taken[i]);
        emit(&c, MC_EMIT_SQL, "case.sql");
        int status = run("rm -f new.db; sqlite3 new.db <case.sql");
        assert_true(status == 0 || i > 0); /* only the first is SQL */
        assert_int_equal(run("test ! -e x"), 0);
    }
    mc_case_free(&c);
}

/* Promise: without the importer at hand the files are built, and the text says how to go on. */
static void other_importers_are_pointed_at(void **unused)
{
    (void)unused;
    mc_case c;
    capture(&rows[ROWS - 1], &c);
    (void)json_object_set_new(c.facts, "importer", json_string("exec:./mine.sh"));
    expect(&c, "exec:./mine.sh", "torn, silent");
    int status = status_of(&c, MC_EMIT_C);
    assert_true(status == 2 || status == NOT_RUN);
    status = status_of(&c, MC_EMIT_SH);
    assert_true(status == 2 || status == NOT_RUN);
    if (status == 2) {
        assert_int_equal(run("grep -q 'replay --importer exec:./mine.sh' said"), 0);
        assert_int_equal(run("test -s made/kv.jsonl && test -s made/snapshot-0.db"), 0);
    }
    mc_case_free(&c);
}

/* Promise: equal cases give equal bytes. */
static void bytes_are_deterministic(void **unused)
{
    (void)unused;
    mc_case c;
    capture(&rows[ROWS - 1], &c);
    for (int kind = 0; kind < MC_EMIT_KINDS; kind++) {
        char *text[2] = {NULL, NULL};
        size_t size[2] = {0, 0};
        mc_error error;
        for (int i = 0; i < 2; i++) {
            assert_int_equal(mc_emit(&c, (mc_emit_kind)kind, &text[i], &size[i], &error), MC_OK);
            pass_through_file(&c);
            (void)usleep(i == 0 && kind == MC_EMIT_SH ? 1100000 : 0); /* a gzip time has seconds */
        }
        assert_int_equal(size[0], size[1]);
        assert_memory_equal(text[0], text[1], size[0]);
        free(text[0]);
        free(text[1]);
    }
    mc_case_free(&c);
}

static int set_up(void **unused)
{
    (void)unused;
    mc_error error;
    (void)snprintf(folder, sizeof folder, "/tmp/midcommit-emit-XXXXXX");
    return mkdtemp(folder) != NULL && setenv("TMPDIR", folder, 1) == 0 &&
                   mc_importers_parse("reject,abandon,recover,sqlite", &importers, &error) == MC_OK
               ? 0
               : -1;
}

static int tear_down(void **unused)
{
    (void)unused;
    char command[100];
    mc_importers_free(&importers);
    for (size_t i = 0; i < ROWS; i++) {
        free(kept[i]);
    }
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_are_reproduced),
        cmocka_unit_test(wrong_expectations_are_not),
        cmocka_unit_test(sql_makes_the_last_snapshot),
        cmocka_unit_test(hostile_texts_stay_texts),
        cmocka_unit_test(programs_get_no_shell),
        cmocka_unit_test(other_importers_are_pointed_at),
        cmocka_unit_test(bytes_are_deterministic),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
