/* test_page.c: `report`: what it makes of files that are no results, what changed between two runs,
 * and the page of a midcommit that was built without npm. The page in a browser: test/page.sh. */
#include "harness/test/program.h"

#include <jansson.h>

#include "reports/compare.h"
#include "reports/page.h"
#include "reports/runfile.h"

/* In the place of the one in the library: as if there had been no npm. */
const char mc_page_template[] = "";

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static json_t *load(const char *path)
{
    json_error_t why;
    json_t *value = json_load_file(path, 0, &why);
    assert_non_null(value);
    return value;
}

static void save(json_t *value, const char *path)
{
    assert_int_equal(json_dump_file(value, path, JSON_INDENT(1)), 0);
    json_decref(value);
}

/* run.json and run.jsonl, made once. */
static void make_run(void)
{
    if (!is_there("run.json")) {
        output made = program_run("run --workload grow,equal --txns 1 --mode delete --crash kill "
                                  "--quiet --json run.json --results run.jsonl");
        program_expect(&made, 0, "run");
        program_done(&made);
    }
}

/* `report BAD` gives one line, exit status 3 with the reason, and no page, nor a
 * piece of one. */
static void refuse(const char *what, const char *why)
{
    output o = program_run("report bad -o page.html");
    program_expect_line(&o, 3, what);
    if (strstr(o.err, why) == NULL) {
        print_error("%s: %s", what, o.err);
        fail();
    }
    assert_false(is_there("page.html"));
    assert_int_not_equal(program_shell("ls -A | grep -q 'page.html'"), 0);
    program_done(&o);
    o = program_run("report run.json bad");
    program_expect_line(&o, 3, what);
    program_done(&o);
}

/* Promise: files that are no results of this schema, whole and small enough, are refused. */
static void bad_files_are_refused(void **unused)
{
    (void)unused;
    make_run();
    static const struct {
        const char *make;
        const char *why;
    } rows[] = {
        {": >bad", "empty"},
        {"head -c 400 run.json >bad", "cut short"},
        {"head -c 300 run.jsonl >bad", "cut short"},
        {"head -c -30 run.jsonl >bad", "its last line is cut short"},
        {"sed 's#midcommit/run/1#midcommit/run/2#' run.json >bad", "its schema is midcommit/run/2"},
        {"sed 's#midcommit/task/2#midcommit/task/3#' run.jsonl >bad",
         "no line of midcommit/task/2"},
        {"sed 's/\"torn\": [0-9]*/\"torn\": -1/' run.json >bad", "cell 1: \"torn\""},
        {"sed 's/\"clean\": [0-9]*/\"clean\": 1/' run.json >bad", "cell 1: \"states\""},
        {"sed '/\"first_case\"/d; s/\"known_defect\": 0,/\"known_defect\": 0/' run.json >bad",
         "cell 1: \"first_case\""},
        {"sed 's/\"seed\": 1/\"seed\": \"1\"/' run.json >bad", "\"seed\""},
        {"sed 's/sqlite=[0-9.]*/sqlite=3.0.0/' run.jsonl >bad", "made with other options"},
        {"echo '[1]' >bad", "its schema is missing"},
        {"echo '{}' >bad", "its schema is missing"},
        {"printf 'SQLite format 3\\0' >bad", "not JSON"},
        {"rm bad; mkdir bad", "bad: "},
        {"rmdir bad; mkfifo bad", "bad: "},
        {"rm bad; truncate -s 65M bad", "expected at most"},
        {"rm bad", "there is no such file"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(program_shell("%s", rows[i].make), 0);
        refuse(rows[i].make, rows[i].why);
    }
}

/* Promise: what is asked wrongly is said to be, and an input is never written over. */
static void wrong_usage_is_told(void **unused)
{
    (void)unused;
    make_run();
    static const char *const asked[] = {"report",
                                        "report run.json",
                                        "report a b c -o x.html",
                                        "report run.json -o run.json",
                                        "report run.json -o",
                                        "report run.json run.jsonl -o run.jsonl",
                                        "run --html x.html --results x.html"};
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        output o = program_run("%s", asked[i]);
        program_expect_line(&o, 2, asked[i]);
        program_done(&o);
    }
    assert_false(is_there("x.html"));
    output full = program_run("report run.json -o /dev/full");
    program_expect_line(&full, 3, "a device");
    program_done(&full);
}

/* Promise: pages of one run are the same but for what stands under "timing". */
static void pages_are_the_same_again(void **unused)
{
    (void)unused;
    make_run();
    for (int i = 1; i <= 2; i++) {
        output o = program_run("report run.jsonl -o page%d.html", i);
        program_expect(&o, 0, "report");
        program_done(&o);
        assert_int_equal(program_shell("sed 's/\"timing\":{[^}]*}//' page%d.html >same%d", i, i),
                         0);
    }
    assert_int_equal(program_shell("cmp same1 same2 && grep -q '\"timing\":' page1.html"), 0);
}

/* Promise: of two runs it is said which findings appeared and disappeared and which numbers are
 * others; a finding that appeared and fails a run is exit status 1. */
static void changes_are_told(void **unused)
{
    (void)unused;
    make_run();
    output o = program_run("report run.json run.jsonl");
    program_expect(&o, 0, "the same");
    assert_string_equal(o.out, "No finding and no number changed.\n");
    program_done(&o);
    o = program_run(
        "run --workload grow --txns 1 --mode delete --crash kill --quiet --json once.json");
    program_expect(&o, 0, "once");
    program_done(&o);
    o = program_run("run --workload grow --txns 1 --mode delete --crash kill --quiet --depth 2 "
                    "--json twice.json");
    program_expect(&o, 0, "twice");
    program_done(&o);
    o = program_run("report once.json twice.json");
    program_expect(&o, 0, "second crashes");
    assert_string_equal(o.out, "\nElse that changed: 1\n  second_crashes\n");
    program_done(&o);
    json_t *run = load("run.json");
    json_t *findings = json_object_get(run, "findings");
    json_t *cells = json_object_get(run, "cells");
    char gone[MC_SIGNATURE_MAX];
    char more[MC_SIGNATURE_MAX];
    json_t *first = json_array_get(findings, 0);
    json_t *second = json_array_get(findings, 1);
    (void)snprintf(gone, sizeof gone, "%s", json_string_value(json_object_get(first, "signature")));
    (void)snprintf(more, sizeof more, "%s",
                   json_string_value(json_object_get(second, "signature")));
    json_object_set_new(second, "count", json_integer(123456));
    json_t *added = json_deep_copy(first);
    json_object_set_new(added, "signature", json_string("new/one"));
    json_array_append_new(findings, added);
    json_array_remove(findings, 0);
    json_t *cell = json_array_get(cells, 1);
    json_int_t states = json_integer_value(json_object_get(cell, "states"));
    json_object_set_new(cell, "states", json_integer(states + 7));
    json_object_set_new(cell, "refused",
                        json_integer(json_integer_value(json_object_get(cell, "refused")) + 7));
    json_array_remove(cells, 0);
    save(run, "other.json");
    o = program_run("report run.json other.json");
    program_expect(&o, 0, "others");
    char line[600];
    (void)snprintf(line, sizeof line, "\nFindings that disappeared: 1\n  %s\n", gone);
    assert_non_null(strstr(o.out, line));
    assert_non_null(strstr(o.out, "\nFindings that appeared: 1\n  new/one\n"));
    (void)snprintf(line, sizeof line, "  %s: ", more);
    assert_non_null(strstr(o.out, line));
    assert_non_null(strstr(o.out, " -> 123456\n"));
    assert_non_null(strstr(o.out, "\nCells that disappeared: 1\n  grow/delete/full/kill/reject\n"));
    assert_non_null(strstr(o.out, "  grow/delete/full/kill/abandon: refused 0 -> 7\n"));
    program_done(&o);
    run = load("other.json");
    findings = json_object_get(run, "findings");
    added = json_array_get(findings, json_array_size(findings) - 1);
    json_object_set_new(added, "fails", json_true());
    save(run, "fails.json");
    o = program_run("report run.json fails.json");
    program_expect(&o, 1, "a finding that fails");
    assert_non_null(strstr(o.out, "  FAILED new/one\n"));
    program_done(&o);
}

/* The page of run.json with the names in it replaced, as this process writes it: without npm. */
static char *plain_page(const char *name)
{
    mc_error error;
    json_t *run = load("run.json");
    json_t *cells = json_object_get(run, "cells");
    for (size_t i = 0; i < json_array_size(cells); i++) {
        json_object_set_new(json_array_get(cells, i), "workload", json_string(name));
    }
    assert_int_equal(mc_runfile_check(run, "run", &error), MC_OK);
    mc_page page = {
        .run = run, .version = "1", .options = "", .host = "here", .time = "now", .limits = name};
    assert_int_equal(mc_page_write(&page, "plain.html", &error), MC_OK);
    json_decref(run);
    size_t size;
    return program_read("plain.html", &size);
}

/* Promise: without npm there is a page, too, of tables, which says why; names in it are text. */
static void plain_pages_are_whole(void **unused)
{
    (void)unused;
    make_run();
    static const char hostile[] = "</script><img src=x onerror=\"a\">{{data}}&amp;";
    char *page = plain_page(hostile);
    assert_non_null(strstr(page, "built without npm"));
    assert_null(strstr(page, "<img"));
    assert_non_null(
        strstr(page, "&lt;/script&gt;&lt;img src=x onerror=&quot;a&quot;&gt;{{data}}&amp;amp;"));
    const char *data = strstr(page, "id=\"data\">");
    assert_non_null(data);
    const char *end = strstr(data, "</script>");
    assert_non_null(end);
    assert_null(strstr(end + 1, "</script>")); /* the one that ends the element */
    json_error_t why;
    data += strlen("id=\"data\">");
    json_t *inside = json_loadb(data, (size_t)(end - data), 0, &why);
    assert_non_null(inside);
    assert_string_equal(json_string_value(json_object_get(inside, "limits")), hostile);
    assert_string_equal(json_string_value(json_object_get(inside, "schema")), "midcommit/page/1");
    json_decref(inside);
    assert_string_equal(page + strlen(page) - strlen("</html>\n"), "</html>\n");
    free(page);
}

/* Promise: the answer names the worst importer and those that did nothing wrong. */
static void answers_name_the_worst(void **unused)
{
    (void)unused;
    static const struct {
        const char *cells;
        const char *answer;
    } rows[] = {
        {"[{'importer':'a','states':2000,'torn':1234,'silent':1000,'blocked':0},"
         "{'importer':'b','states':2000,'torn':1,'silent':0,'blocked':0},"
         "{'importer':'c','states':2000,'torn':0,'silent':0,'blocked':0},"
         "{'importer':'d','states':2000,'torn':0,'silent':0,'blocked':0}]",
         "a tears the database at 1,234 of 2,000 crash states, and no check notices 1,000 of them. "
         "c and d tear and refuse none."},
        {"[{'importer':'a','states':20,'torn':1,'silent':0,'blocked':0}]",
         "a tears the database at 1 of 20 crash states, and checks notice all of them."},
        {"[{'importer':'a','states':20,'torn':0,'silent':0,'blocked':3},"
         "{'importer':'b','states':20,'torn':0,'silent':0,'blocked':0}]",
         "a refuses 3 of 20 databases that SQLite recovers. b tears and refuses none."},
        {"[{'importer':'a','sidecars':'as-is','states':20,'torn':1,'silent':1,'blocked':0},"
         "{'importer':'a','sidecars':'no-wal','states':30,'torn':30,'silent':30,'blocked':0}]",
         "a tears the database at 1 of 20 crash states, and no check notices 1 of them."},
        {"[{'importer':'a','states':20,'torn':0,'silent':0,'blocked':0}]",
         "Nothing was torn, and nothing refused that SQLite recovers."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[1000];
        (void)snprintf(text, sizeof text, "{\"cells\":%s}", rows[i].cells);
        for (char *at = text; *at != '\0'; at++) {
            *at = *at == '\'' ? '"' : *at;
        }
        json_error_t why;
        json_t *run = json_loads(text, 0, &why);
        assert_non_null(run);
        char *answer = mc_page_answer(run);
        assert_string_equal(answer, rows[i].answer);
        free(answer);
        json_decref(run);
    }
}

/* Promise: SARIF and Markdown hold the findings, in which nothing is markup or a link, and with two
 * runs what is new. The schema of SARIF: test/page.sh. */
static void other_systems_read_it(void **unused)
{
    (void)unused;
    make_run();
    json_t *run = load("run.json");
    json_t *first = json_array_get(json_object_get(run, "findings"), 0);
    json_object_set_new(first, "signature", json_string("[a](b)|<i>`\\"));
    json_object_set_new(first, "case", json_string("./a b%.sql/delete/full/kill/3"));
    json_object_set_new(first, "fails", json_true());
    save(run, "marked.json");
    output o = program_run("report run.json marked.json --sarif s.json --markdown s.md");
    program_expect(&o, 1, "report");
    program_done(&o);
    json_t *sarif = load("s.json");
    const json_t *result = json_array_get(
        json_object_get(json_array_get(json_object_get(sarif, "runs"), 0), "results"), 0);
    const char *text =
        json_string_value(json_object_get(json_object_get(result, "message"), "text"));
    assert_int_equal(strncmp(text, "\\[a\\](b)|<i>`\\\\: ", 17), 0);
    assert_string_equal(json_string_value(json_object_get(result, "level")), "error");
    char *place = json_dumps(json_object_get(result, "locations"), JSON_COMPACT);
    assert_non_null(strstr(place, "\"./a%20b%25.sql/delete/full/kill/3\""));
    free(place);
    json_decref(sarif);
    size_t size;
    char *summary = program_read("s.md", &size);
    assert_non_null(strstr(summary, "\n### Findings that fail the run\n"));
    assert_non_null(strstr(summary, "| &#91;a&#93;(b)&#124;&#60;i&#62;&#96;&#92; | "));
    assert_non_null(strstr(summary, "\n### Findings that appeared\n"));
    free(summary);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_files_are_refused),    cmocka_unit_test(wrong_usage_is_told),
        cmocka_unit_test(pages_are_the_same_again), cmocka_unit_test(changes_are_told),
        cmocka_unit_test(plain_pages_are_whole),    cmocka_unit_test(answers_name_the_worst),
        cmocka_unit_test(other_systems_read_it),
    };
    return cmocka_run_group_tests(tests, program_enter, program_leave);
}
