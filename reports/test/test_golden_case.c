/* test_golden_case.c: what people and CI servers read about cases, kept beside the test, and JUnit
 * held against its schema. MIDCOMMIT_UPDATE_GOLDEN=1 in the environment writes the files anew; look
 * at their diff before you believe it. */
#include "harness/test/program.h"

#include <jansson.h>
#include <libxml/xmlschemas.h>

#include "harness/case/case.h"
#include "harness/case/replay.h"
#include "reports/replay.h"
#include "reports/wrap.h"

#define GOLDEN MIDCOMMIT_SOURCE_DIR "/reports/test/golden/"
#define SCHEMA MIDCOMMIT_SOURCE_DIR "/reports/schema/junit.xsd"

typedef struct golden {
    const char *file;
    const char *arguments;
} golden;

static const golden goldens[] = {
    {"case-torn.txt", "explain corpus/torn.case"},
    {"case-blocked.txt", "explain corpus/blocked.case"},
    {"case-stale.txt", "explain corpus/stale.case"},
    {"case-kv.txt", "explain corpus/kv.case"},
    {"replay.txt", "replay corpus"},
    {"replay-quiet.txt", "replay corpus --quiet"},
    {"replay.xml", "replay corpus --junit -"},
    {"replay-accept.txt", "replay corpus/stale.case --accept"},
};

/* A case whose importers would not have been found to do this. */
static void spoil(const char *path, const char *importer, const char *expected)
{
    mc_case c;
    mc_error error;
    assert_int_equal(mc_case_read(path, &c, &error), MC_OK);
    assert_int_equal(
        json_object_set_new(json_object_get(c.facts, "expected"), importer, json_string(expected)),
        0);
    assert_int_equal(mc_case_write(&c, path, &error), MC_OK);
    mc_case_free(&c);
}

static int make_corpus(void **unused)
{
    static const char *const states[] = {
        "inplace/delete/full/kill/155 --txns 2 --save corpus/torn.case",
        "inplace/delete/full/kill/155 --txns 2 --importer reject --save corpus/blocked.case",
        "checkpoint/wal/full/kill/30 --txns 1 --save corpus/stale.case",
        "inplace/delete/normal/kv:journal/152+1 --txns 2 --save corpus/kv.case"};
    int rc = program_enter(unused);
    rc = rc == 0 ? program_shell("mkdir corpus && ln -s '%s' midcommit", MIDCOMMIT_PROGRAM) : rc;
    for (size_t i = 0; rc == 0 && i < sizeof states / sizeof *states; i++) {
        output o = program_run("explain %s", states[i]);
        program_expect(&o, 0, states[i]);
        program_done(&o);
    }
    spoil("corpus/stale.case", "abandon", "torn, silent");
    spoil("corpus/stale.case", "recover", "blocked: wal-<&>");
    program_write("corpus/damaged.case", "no archive", 10);
    return rc;
}

static void check(const golden *g)
{
    size_t size;
    (void)program_shell("./midcommit %s >found 2>&1", g->arguments);
    char *found = program_read("found", &size);
    char path[4500];
    (void)snprintf(path, sizeof path, GOLDEN "%s", g->file);
    if (getenv("MIDCOMMIT_UPDATE_GOLDEN") != NULL) {
        program_write(path, found, size);
    }
    char *expected = program_read(path, &size);
    assert_non_null(expected);
    assert_string_equal(found, expected);
    free(expected);
    free(found);
}

/* Promise: the stories of cases, the table of a replay and its XML are what was looked at and kept.
 */
static void output_is_as_it_was_kept(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof goldens / sizeof goldens[0]; i++) {
        print_message("%s\n", goldens[i].arguments);
        check(&goldens[i]);
    }
}

/* Promise: no line of a case's story has more than 100 columns. */
static void stories_fit_100_columns(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < 4; i++) {
        char path[4500];
        size_t size;
        (void)snprintf(path, sizeof path, GOLDEN "%s", goldens[i].file);
        char *text = program_read(path, &size);
        assert_non_null(text);
        for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
            assert_true(strlen(line) <= MC_WRAP_COLUMNS);
        }
        free(text);
    }
}

static void quiet(void *context, const char *format, ...)
{
    (void)context;
    (void)format;
}

/* Is it well-formed, and as the schema says? */
static bool is_valid(const char *text, size_t size)
{
    xmlSetGenericErrorFunc(NULL, quiet);
    xmlSchemaParserCtxtPtr parser = xmlSchemaNewParserCtxt(SCHEMA);
    assert_non_null(parser);
    xmlSchemaPtr schema = xmlSchemaParse(parser);
    xmlSchemaFreeParserCtxt(parser);
    assert_non_null(schema);
    xmlDocPtr document = xmlReadMemory(text, (int)size, "it", NULL, XML_PARSE_NONET);
    bool valid = false;
    if (document != NULL) {
        xmlSchemaValidCtxtPtr validator = xmlSchemaNewValidCtxt(schema);
        assert_non_null(validator);
        valid = xmlSchemaValidateDoc(validator, document) == 0;
        xmlSchemaFreeValidCtxt(validator);
        xmlFreeDoc(document);
    }
    xmlSchemaFree(schema);
    return valid;
}

#define SUITE(content) "<testsuites><testsuite name='n' tests='1' failures='0' errors='0'>" content
#define END "</testsuite></testsuites>"

/* Promise: the schema tells what readers take from what they do not. */
static void the_schema_can_say_no(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        bool valid;
    } rows[] = {
        {SUITE("<testcase classname='c' name='a'/><testcase classname='c' name='b'/>") END, true},
        {SUITE("<testcase classname='c' name='a'><error message='m' type='t'>x</error></testcase>")
             END,
         true},
        {SUITE("") END, false},
        {SUITE("<testcase name='a'/>") END, false},
        {SUITE("<testcase classname='c' name=''/>") END, false},
        {SUITE("<testcase classname='c' name='a'/><testcase classname='c' name='a'/>") END, false},
        {SUITE("<testcase classname='c' name='a'><failure message='m' type='t'/></testcase>") END,
         false},
        {SUITE("<testcase classname='c' name='a'><failure>x</failure></testcase>") END, false},
        {SUITE("<testcase classname='c' name='a'><skipped/></testcase>") END, false},
        {SUITE("<testcase classname='c' name='a'><failure message='m' type='t'>x</failure><error "
               "message='m' type='t'>x</error></testcase>") END,
         false},
        {"<testsuite name='n' tests='0' failures='0' errors='0'/>", false},
        {"<testsuites><testsuite name='n' tests='-1' failures='0' errors='0'><testcase "
         "classname='c' name='a'/></testsuite></testsuites>",
         false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (is_valid(rows[i].text, strlen(rows[i].text)) != rows[i].valid) {
            print_error("%s: should be %svalid\n", rows[i].text, rows[i].valid ? "" : "in");
            fail();
        }
    }
}

/* One hostile text everywhere a text can be. */
static void expect_valid_with(const char *text, size_t number)
{
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", text, text) > 0);
    mc_replay_change changes[] = {{text, text, text}, {"abandon", "clean, exact", "torn, loud"}};
    mc_replayed replayed[] = {
        {.path = path, .signature = text},
        {.path = "f/error.case", .failure = text},
        {.path = text, .signature = text, .change = changes, .change_count = 2},
        {.path = "f/accepted.case", .change = changes, .change_count = 2, .accepted = true}};
    mc_replay replay = {.replayed = replayed, .count = 4, .changed = 1, .accepted = 1, .failed = 1};
    char *xml = NULL;
    size_t size = 0;
    mc_error error;
    assert_int_equal(mc_report_junit(&replay, &xml, &size, &error), MC_OK);
    if (!is_valid(xml, size)) {
        print_error("text %zu: not valid:\n%s\n", number, xml);
        fail();
    }
    free(xml);
    char *report = NULL;
    FILE *out = open_memstream(&report, &size);
    assert_non_null(out);
    mc_report_replay(&replay, "./midcommit", false, out);
    assert_int_equal(fclose(out), 0);
    /* Behind that are commands, which must keep each byte; what is before it is for eyes. */
    const char *commands = strstr(report, "CHANGED");
    assert_non_null(commands);
    for (const char *at = report; at < commands && strchr(text, '\n') == NULL; at++) {
        assert_true((unsigned char)*at >= 0x20 || *at == '\n');
    }
    free(report);
    free(path);
}

/* Promise: whatever is in names, verdicts and reasons, the XML is whole and as its schema says, and
 * no line of the table obeys it. */
static void hostile_texts_give_valid_xml(void **unused)
{
    (void)unused;
    static const char *const texts[] = {
        "<failure>&amp;&bogus;]]></testcase>\"'",
        "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;",
        "]]>",
        "<![CDATA[",
        "<!--",
        "\001\002\b\033[31m\177",
        "\xff\xfe\x80",
        "\xc0\x80",              /* zero, in a form that is too long */
        "\xed\xa0\x80",          /* half of a pair */
        "\xef\xbf\xbe",          /* U+FFFE */
        "a\xef\xbf\xbf\xef\xbf", /* U+FFFF, and a piece */
        "\xf4\x90\x80\x80",      /* past U+10FFFF */
        ("\xc2\x9b"
         "31m"),        /* a control character of two bytes */
        "\xe2\x80\xae", /* right to left: text, if odd */
        " ",
        "\xc3\xa4\xe2\x82\xac\xf0\x9f\x92\xa5",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        expect_valid_with(texts[i], i);
    }
    char *longest = malloc(20001);
    assert_non_null(longest);
    for (size_t i = 0; i < 20000; i++) {
        longest[i] = "\xc3\xa4"[i % 2];
    }
    longest[20000] = '\0';
    expect_valid_with(longest, 100);
    expect_valid_with(longest + 1, 101);
    free(longest);
}

/* Promise: what the program writes is valid, too. */
static void the_reports_are_valid(void **unused)
{
    (void)unused;
    size_t size;
    output o = program_run("replay corpus --junit report.xml");
    program_expect(&o, 3, "replay corpus");
    program_done(&o);
    char *text = program_read("report.xml", &size);
    assert_non_null(text);
    assert_true(is_valid(text, size));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reports_are_valid),        cmocka_unit_test(output_is_as_it_was_kept),
        cmocka_unit_test(stories_fit_100_columns),      cmocka_unit_test(the_schema_can_say_no),
        cmocka_unit_test(hostile_texts_give_valid_xml),
    };
    return cmocka_run_group_tests(tests, make_corpus, program_leave);
}
