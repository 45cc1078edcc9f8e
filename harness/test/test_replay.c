/* test_replay.c: what `replay` does with changed, damaged, missing and hidden cases, and what it
 * leaves as it was. */
#include "harness/test/hostile.h"

#include <jansson.h>
#include <sys/stat.h>

/* The good cases in a folder of that name, as a.case, b.case and c.case. */
static void fill(const char *folder)
{
    assert_int_equal(program_shell("rm -rf '%s' && mkdir '%s' && cp good.case '%s/a.case' && cp "
                                   "wal.case '%s/b.case' && cp kv.case '%s/c.case'",
                                   folder, folder, folder, folder, folder),
                     0);
}

static void expect_verdict(const char *path, const char *importer, const char *verdict)
{
    items all;
    items_read(&all, path);
    const item *facts = items_find(&all, "case.json");
    json_t *root = json_loadb(facts->data, facts->size, 0, NULL);
    assert_int_equal(
        json_object_set_new(json_object_get(root, "expected"), importer, json_string(verdict)), 0);
    char *text = json_dumps(root, JSON_INDENT(1));
    items_replace(&all, "case.json", text, strlen(text));
    items_write(&all, path);
    items_free(&all);
    free(text);
    json_decref(root);
}

/* Promise: a verdict that changed is shown with what was expected and found, and the command below
 * it explains it when it is pasted into a shell, whatever the path's and importer's letters. */
static void changes_come_with_a_command_that_works(void **unused)
{
    (void)unused;
    static const char folder[] = "it's; \"odd\" $(touch marker) folder";
    assert_int_equal(mkdir(folder, 0755), 0);
    char path[200];
    (void)snprintf(path, sizeof path, "%s/good one.case", folder);
    items all = copy_of(&good);
    items_write(&all, path);
    items_free(&all);
    expect_verdict(path, "abandon", "torn, silent");
    expect_verdict(path, "exec:echo a,b >&2; exit 3", "clean, exact");
    output o = program_run("replay . --importer 'exec:echo a\\,b >&2; exit 3'");
    program_expect(&o, 1, "a changed expectation");
    assert_non_null(
        strstr(o.out, "\n         abandon: expected \"torn, silent\", found \"clean, "));
    assert_non_null(strstr(o.out, "exit 3: expected \"clean, exact\", found \"blocked: exit-3\""));
    assert_non_null(strstr(o.out, "1 changed, 0 could not be judged."));
    int commands = 0;
    for (char *at = strstr(o.out, " explain "); at != NULL; at = strstr(at + 1, " explain ")) {
        char *from = at;
        while (from > o.out && from[-1] != '\n') {
            from--;
        }
        char *line = strndup(from, strcspn(from, "\n"));
        program_write("pasted.sh", line, strlen(line));
        free(line);
        commands++;
        assert_int_equal(program_shell("sh pasted.sh >pasted 2>&1"), 0);
        assert_int_equal(program_shell("grep -q '^What each makes' pasted"), 0);
    }
    assert_int_equal(commands, 2);
    program_done(&o);
    assert_int_not_equal(access("marker", F_OK), 0);
    assert_int_equal(program_shell("rm -r *folder pasted*"), 0);
}

/* Promise: what is accepted is expected from then on, and the file is the one that a case with
 * these expectations would have been; cases that are as expected are not touched. */
static void accepted_cases_are_as_if_made_so(void **unused)
{
    (void)unused;
    fill("accept");
    assert_int_equal(program_shell("cp -r accept before"), 0);
    expect_verdict("accept/a.case", "abandon", "torn, silent");
    expect_verdict("accept/c.case", "reject", "refused: nothing");
    assert_int_equal(program_shell("cp -p accept/b.case kept.case"), 0);
    assert_int_equal(program_shell("ln accept/b.case link.case"), 0);
    output o = program_run("replay accept --accept");
    program_expect(&o, 0, "replay --accept");
    assert_non_null(strstr(o.out, "ACCEPTED accept/a.case\n"));
    assert_non_null(strstr(o.out, "ok       accept/b.case\n"));
    assert_non_null(strstr(o.out, "ACCEPTED accept/c.case\n"));
    assert_non_null(strstr(o.out, "0 changed, 0 could not be judged, 2 accepted"));
    program_done(&o);
    assert_int_equal(program_shell("diff -r accept before"), 0);
    assert_int_equal(program_shell("test accept/b.case -ef link.case"), 0); /* not written anew */
    o = program_run("replay accept");
    program_expect(&o, 0, "replay after --accept");
    program_done(&o);
    assert_int_equal(program_shell("rm -r accept before kept.case link.case"), 0);
}

/* Promise: nothing judged is no success, and a path that is not there is told. */
static void nothing_is_no_success(void **unused)
{
    (void)unused;
    assert_int_equal(program_shell("mkdir -p empty/deep && : >empty/other.txt && : >empty/.case"),
                     0);
    static const char *const paths[] = {"empty",     "missing",          "''", "empty/other.txt/x",
                                        "/dev/null", "good.case missing"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        output o = program_run("replay %s", paths[i]);
        program_expect_line(&o, 3, paths[i]);
        program_done(&o);
    }
    output o = program_run("replay");
    program_expect_line(&o, 2, "no path");
    program_done(&o);
    o = program_run("replay ''");
    assert_non_null(strstr(o.err, "No such file"));
    program_done(&o);
    assert_int_equal(program_shell("rm -r empty"), 0);
}

/* Promise: a damaged case ends nothing: the others are judged, and told beside it; the reason is
 * there however long the path is. */
static void a_damaged_case_is_told_beside_the_others(void **unused)
{
    (void)unused;
    fill("mixed");
    char deep[200];
    memset(deep, 'd', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    assert_int_equal(
        program_shell("mkdir -p mixed/%s/%s && head -c 300 good.case >mixed/%s/%s/bad.case"
                      " && head -c 300 wal.case >mixed/bb.case",
                      deep, deep, deep, deep),
        0);
    expect_verdict("mixed/c.case", "abandon", "torn, loud");
    output o = program_run("replay mixed --junit mixed.xml");
    program_expect(&o, 3, "damaged cases");
    program_expect_unjudged(&o);
    assert_non_null(strstr(o.out, "ok       mixed/a.case\n"));
    assert_non_null(strstr(o.out, "ERROR    mixed/bb.case\n         not a"));
    assert_non_null(strstr(o.out, "/bad.case\n         ..."));
    assert_non_null(strstr(o.out, "/bad.case: not a"));
    assert_non_null(strstr(o.out, "CHANGED  mixed/c.case\n"));
    assert_non_null(strstr(o.out, "5 cases replayed: 2 as expected, 1 changed, 2 could not be"));
    program_done(&o);
    o = program_run("replay mixed --quiet");
    program_expect(&o, 3, "--quiet");
    assert_null(strstr(o.out, "ok "));
    assert_non_null(strstr(o.out, "ERROR    mixed/bb.case\n"));
    program_done(&o);
    /* Processes share the work; they do not show. */
    output one = program_run("replay mixed good.case --jobs 1 --junit one.xml");
    output four = program_run("replay mixed good.case --jobs 4 --junit four.xml");
    assert_string_equal(one.out, four.out);
    assert_int_equal(program_shell("cmp one.xml four.xml"), 0);
    program_done(&one);
    program_done(&four);
    assert_int_equal(program_shell("rm -r mixed *.xml"), 0);
}

/* Promise: folders are searched as they are: links are not followed, so a loop has an end; a folder
 * that may not be read is told, and the rest is judged. */
static void folders_are_searched_with_care(void **unused)
{
    (void)unused;
    fill("tree");
    assert_int_equal(program_shell("ln -s . tree/loop && ln -s ../tree tree/tree && ln -s nowhere "
                                   "tree/dangling.case && mkfifo tree/fifo.case && ln -s tree way"),
                     0);
    output o = program_run("replay tree/");
    program_expect(&o, 0, "a loop");
    assert_non_null(strstr(o.out, "\n3 cases replayed"));
    program_done(&o);
    o = program_run("replay way"); /* what the user names is followed */
    program_expect(&o, 0, "a link");
    assert_non_null(strstr(o.out, "\n3 cases replayed"));
    program_done(&o);
    assert_int_equal(program_shell("mkdir tree/closed && chmod 0 tree/closed && chmod 755 ."), 0);
    const char *before = program_before;
    if (geteuid() == 0 && program_shell("command -v setpriv >.out") == 0) {
        /* The reports go where root puts them: only the program is somebody else. */
        program_before = "setpriv --reuid 65534 --regid 65534 --clear-groups";
    }
    o = program_run("replay tree");
    program_before = before;
    if (geteuid() != 0 || program_shell("command -v setpriv >.out") == 0) {
        program_expect(&o, 3, "a closed folder");
        assert_non_null(strstr(o.out, "ERROR    tree/closed\n         Permission denied\n"));
        assert_non_null(strstr(o.out, "ok       tree/c.case\n"));
    }
    program_done(&o);
    assert_int_equal(program_shell("chmod 755 tree/closed && rm -r tree way"), 0);
}

/* Promise: a report takes no case's place, and then nothing is accepted either; a report that
 * cannot be written is a failure that hides no result. */
static void reports_take_no_place(void **unused)
{
    (void)unused;
    fill("keep");
    expect_verdict("keep/a.case", "abandon", "torn, silent");
    assert_int_equal(program_shell("cp -r keep kept && ln -s keep/b.case link.xml"), 0);
    static const char *const reports[] = {"keep/a.case", "./keep/../keep/c.case", "link.xml"};
    for (size_t i = 0; i < sizeof reports / sizeof *reports; i++) {
        output o = program_run("replay keep --accept --junit %s", reports[i]);
        program_expect_line(&o, 2, reports[i]);
        program_done(&o);
        assert_int_equal(program_shell("diff -r keep kept"), 0);
    }
    output o = program_run("replay keep --junit missing/x.xml");
    program_expect(&o, 3, "a folder that is not there");
    assert_non_null(strstr(o.out, "CHANGED  keep/a.case\n"));
    assert_non_null(strstr(o.err, "missing/x.xml"));
    program_done(&o);
    o = program_run("replay keep --junit -");
    program_expect(&o, 1, "--junit -");
    assert_int_equal(strncmp(o.out, "<?xml", 5), 0);
    assert_null(strstr(o.out, "CHANGED"));
    program_done(&o);
    assert_int_equal(program_shell("rm -r keep kept link.xml"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_come_with_a_command_that_works),
        cmocka_unit_test(accepted_cases_are_as_if_made_so),
        cmocka_unit_test(nothing_is_no_success),
        cmocka_unit_test(a_damaged_case_is_told_beside_the_others),
        cmocka_unit_test(folders_are_searched_with_care),
        cmocka_unit_test(reports_take_no_place),
        cmocka_unit_test(nothing_was_written),
    };
    return cmocka_run_group_tests(tests, make_good, drop_good);
}
