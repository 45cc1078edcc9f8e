/* test_case_facts.c: what a case says of itself is checked before it is used: the facts in
 * case.json, the importers that they name, the snapshots and the store. */
#include "harness/test/hostile.h"

#include <jansson.h>

typedef struct fact_row {
    const char *key;
    const char *value; /* JSON; null: the fact is missing */
    bool judged;
} fact_row;

static void set_fact(items *all, const char *key, json_t *value)
{
    const item *old = items_find(all, "case.json");
    json_t *facts = json_loadb(old->data, old->size, 0, NULL);
    assert_non_null(facts);
    assert_int_equal(
        value == NULL ? json_object_del(facts, key) : json_object_set_new(facts, key, value), 0);
    char *text = json_dumps(facts, JSON_INDENT(1));
    assert_non_null(text);
    items_replace(all, "case.json", text, strlen(text));
    free(text);
    json_decref(facts);
}

static const fact_row fact_rows[] = {
    {"schema", NULL, false},
    {"schema", "1", false},
    {"schema", "\"midcommit/case/2\"", false},
    {"schema", "{}", false},
    {"signature", NULL, false},
    {"signature", "[]", false},
    {"signature", "\"\"", true},
    {"signature", "\"a\\u001b[31m\\nb\\u009b31m\"", true},
    {"state", "null", false},
    {"state", "\"\\n\\n\"", true},
    {"importer", "7", false},
    {"sqlite", "3.40", false},
    {"workload", "false", false},
    {"mode", "\"wall\"", false},
    {"mode", "0", false},
    {"sync", "\"maybe\"", false},
    {"crash", "\"power\"", false},
    {"crash", "\"kill@no-journal\"", true},
    {"crash", "\"kill+again\"", true},
    {"crash", "\"kill+agai\"", false},
    {"crash", "\"kill+again+again\"", false},
    {"crash", "\"kv:journal\"", false}, /* without a store */
    {"seed", "-1", false},
    {"seed", "1.5", false},
    {"seed", "9223372036854775807", true},
    {"txns", "1000000", false},
    {"cache_pages", "\"10\"", false},
    {"page_size", "0", false},
    {"page_size", "1", false},
    {"page_size", "-4096", false},
    {"page_size", "4096.0", false},
    {"page_size", "100", false},
    {"page_size", "4097", false},
    {"page_size", "131072", false},
    {"page_size", "4294971392", false}, /* 4096 in its low 32 bits */
    {"page_size", "512", false},        /* not the snapshots' */
    {"page_size", "8192", false},
    {"acked", "-1", false},
    {"acked", "true", false},
    {"acked", "1001", false},
    {"acked", "4294967296", false},
    {"begun", "2", false},
    {"begun", "1000", false},
    {"databases", "[]", false},
    {"databases", "{}", false},
    {"databases", "\"main.db\"", false},
    {"databases", "[1]", false},
    {"databases", "[\"main.db\",\"main.db\"]", false},
    {"databases", "[\"main.db\",\"main.db-wal\"]", false},
    {"databases", "[\"main.db-journal\"]", false},
    {"databases", "[\"case.json\"]", false},
    {"databases", "[\"../main.db\"]", false},
    {"databases", "[\"main.db\",\"aux.db\"]", false}, /* without its snapshots */
    {"databases", "[\"main.db\",\"aux.db\",\"main.db\",\"aux.db\"]", false},
    {"expected", "[]", false},
    {"expected", "{\"abandon\":1}", false},
    {"expected", "{\"abandon\":null}", false},
    {"expected",
     "{\"abandon\":\"0123456789012345678901234567890123456789012345678901234567890123\"}", false},
    {"expected", "{\"abandon\":\"\\u001b[2J\\nok       other.case\"}", true},
    {"story", NULL, true},
    {"story", "null", true},
    {"story", "[[[]]]", true},
    {"story", "{\"operations\":5,\"commits\":-1,\"elements\":1e308,\"since\":\"x\"}", true},
    {"story",
     "{\"operations\":[1,{},{\"does\":7},{\"does\":\"\\u001b]0;x\\u0007\",\"element\":-5},null]}",
     true},
    {"story", "{\"before\":\"\\u001b[31m\",\"since\":9223372036854775807}", true},
};

/* Promise: facts of another type or range are refused, and text in them is only shown, and shown
 * without what a terminal would obey. */
static void facts_are_checked(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof fact_rows / sizeof *fact_rows; i++) {
        const fact_row *row = &fact_rows[i];
        char what[300];
        (void)snprintf(what, sizeof what, "%s: %s", row->key,
                       row->value == NULL ? "missing" : row->value);
        items all = copy_of(&good);
        json_t *value = row->value == NULL ? NULL : json_loads(row->value, JSON_DECODE_ANY, NULL);
        if (row->value != NULL && value == NULL) {
            print_error("%s: no JSON\n", what);
            fail();
        }
        set_fact(&all, row->key, value);
        items_write(&all, "fact.case");
        if (row->judged) {
            expect_verdicts("fact.case", what);
        } else {
            expect_refused("fact.case", what);
        }
        items_free(&all);
    }
}

/* Replays a case whose only change is what it expects; `%s` in that is this folder. */
static void expect_unjudged(const char *expected, const char *options, const char *reason)
{
    char *here = getcwd(NULL, 0);
    char text[9000];
    size_t have = 0;
    assert_non_null(here);
    for (const char *at = expected; *at != '\0'; at += strncmp(at, "%s", 2) == 0 ? 2 : 1) {
        bool folder = strncmp(at, "%s", 2) == 0;
        int n = snprintf(text + have, sizeof text - have, "%.*s", folder ? 4096 : 1,
                         folder ? here : at);
        assert_in_range(n, 1, sizeof text - have - 1);
        have += (size_t)n;
    }
    free(here);
    items all = copy_of(&good);
    json_t *value = json_loads(text, 0, NULL);
    assert_non_null(value);
    set_fact(&all, "expected", value);
    items_write(&all, "code.case");
    items_free(&all);
    output o = program_run("replay code.case%s", options);
    program_expect(&o, 3, expected);
    program_expect_unjudged(&o);
    if (strstr(o.out, reason) == NULL) {
        print_error("%s: not for \"%s\": %s", expected, reason, o.out);
        fail();
    }
    program_done(&o);
}

/* Promise: importers that are code run only if the user names them, however a case names them. What
 * would run does so in a folder of its own, so it would leave its mark here by a whole path. */
static void importers_of_cases_run_nothing(void **unused)
{
    (void)unused;
    static const struct {
        const char *expected;
        const char *reason;
    } rows[] = {
        {"{\"exec:touch %s/marker; exit 3\":\"clean, exact\"}", "only if --importer names it"},
        {"{\"abandon\":\"x\",\"exec:touch %s/marker\":\"x\"}", "only if --importer names it"},
        {"{\"so:%s/marker.so\":\"clean, exact\"}", "only if --importer names it"},
        {"{\"nobody\":\"clean, exact\"}", "\"nobody\" is none of"},
        {"{\"\":\"clean, exact\"}", "expects no verdict"},
        {"{\"abandon\\\\\":\"x\",\"recover\":\"x\"}", "a name that no list can have"},
        {"{\"abandon,exec:touch %s/marker\":\"x\"}", "is none of"},
        {"{\" exec:touch %s/marker\":\"x\"}", "is none of"},
        {"{\"EXEC:touch %s/marker\":\"x\"}", "is none of"},
        {"{}", "expects no verdict"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect_unjudged(rows[i].expected, "", rows[i].reason);
    }
    /* What the user allows is that very command, not a longer one. */
    expect_unjudged("{\"exec:true \\\\\":\"x\",\"; touch %s/marker; exit 3\":\"x\"}",
                    " --importer 'exec:true \\'", "a name that no list can have");
    static const char *const own[] = {"exec:touch marker",         "so:./marker.so", "nobody", "",
                                      "abandon,exec:touch marker", "abandon\\"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        items all = copy_of(&good);
        set_fact(&all, "importer", json_string(own[i]));
        items_write(&all, "code.case");
        items_free(&all);
        output o = program_run("explain code.case");
        program_expect_line(&o, i < 2 ? 2 : 3, own[i]); /* 2: it says which option would run it */
        program_done(&o);
    }
    assert_int_not_equal(access("marker", F_OK), 0);
}

/* Promise: JSON that is deep, wide, doubled or none is refused. */
static void facts_are_small_json(void **unused)
{
    (void)unused;
    static const char *const reasons[] = {
        "more than 1048576 bytes", "more than 1048576 bytes", "more than 1048576 bytes",
        "case.json: line 1: ",     "duplicate object key",    "expected near"};
    size_t size = (size_t)3 << 20;
    char *text = malloc(size + 1);
    assert_non_null(text);
    for (int i = 0; i < 6; i++) {
        items all = copy_of(&good);
        memset(text, i == 0 ? '[' : ' ', size);
        size_t used = i < 3 ? size : 0;
        if (i == 1) {
            for (size_t at = 0; at + 3 < size; at += 3) {
                memcpy(text + at, at == 0 ? "[[]" : ",[]", 3);
            }
            text[size - 1] = ']';
        }
        static const char *const small[] = {"", "{\"schema\":1,\"schema\":2}", "\"text\""};
        if (i >= 3) {
            used = strlen(small[i - 3]);
            memcpy(text, small[i - 3], used);
        }
        items_replace(&all, "case.json", text, used);
        items_write(&all, "json.case");
        items_free(&all);
        expect_refused_for("json.case", "facts", reasons[i]);
    }
    items all = copy_of(&good);
    items_remove(&all, "case.json");
    items_write(&all, "json.case");
    items_free(&all);
    expect_refused_for("json.case", "no facts", "schema is not");
    memset(text, '[', 5000);
    all = copy_of(&good);
    items_replace(&all, "case.json", text, 5000);
    items_write(&all, "json.case");
    items_free(&all);
    expect_refused_for("json.case", "5000 arrays in each other", "maximum parsing depth");
    free(text);
}

/* ---- snapshots ---- */

/* Promise: a snapshot that is missing, or no database of whole pages as its header counts them, is
 * no snapshot. */
static void snapshots_are_checked(void **unused)
{
    (void)unused;
    items all = copy_of(&good);
    items_remove(&all, "snapshot-0.db");
    items_write(&all, "snapshot.case");
    expect_refused_for("snapshot.case", "no snapshot", "snapshot-0.db: missing");
    items_free(&all);
    static const struct {
        const char *what;
        size_t at;
        const char *bytes;
        size_t count;
        long cut;
        const char *reason;
    } rows[] = {
        {"its header counts more pages", 28, "\0\0\7\0", 4, 0, "its header counts other pages"},
        {"its header counts one page", 28, "\0\0\0\1", 4, 0, "its header counts other pages"},
        {"pages of 512 bytes", 16, "\2\0", 2, 0, "pages of 512 bytes, case.json says 4096"},
        {"pages of 0 bytes", 16, "\0\0", 2, 0, "a snapshot cannot be read"},
        {"pages of 3 bytes", 16, "\0\3", 2, 0, "page size 3"},
        {"no magic", 0, "xxxx", 4, 0, "a snapshot cannot be read"},
        {"a byte too few", 0, "", 0, 1, "not whole pages"},
        {"a page too few", 0, "", 0, 4096, "its header counts other pages"},
        {"a schema that is none", 100, "\377\377\377\377\377\377\377\377", 8, 0,
         "a snapshot cannot be read"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        all = copy_of(&good);
        item *one = items_find(&all, "snapshot-0.db");
        memcpy(one->data + rows[i].at, rows[i].bytes, rows[i].count);
        one->size -= (size_t)rows[i].cut;
        items_write(&all, "snapshot.case");
        expect_refused_for("snapshot.case", rows[i].what, rows[i].reason);
        items_free(&all);
    }
    /* An empty one is a database, too: the one before anything was made. */
    all = copy_of(&good);
    items_replace(&all, "snapshot-0.db", "", 0);
    items_write(&all, "snapshot.case");
    expect_verdicts("snapshot.case", "an empty snapshot");
    items_free(&all);
}

/* Promise: a store that is no dump of one is refused. */
static void stores_are_checked(void **unused)
{
    (void)unused;
    static const char *const texts[] = {"{",
                                        "[]",
                                        "{\"k\":\"0801\"}",
                                        "{\"k\":\"zz\",\"v\":\"\"}",
                                        "{\"k\":\"08010000\",\"v\":\"!\"}",
                                        "\xff\xfe"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        items all = copy_of(&good_kv);
        items_replace(&all, "kv.jsonl", texts[i], strlen(texts[i]));
        items_write(&all, "store.case");
        expect_refused("store.case", texts[i]);
        items_free(&all);
    }
    items all = copy_of(&good_kv);
    items_replace(&all, "kv.jsonl", "", 0);
    items_write(&all, "store.case");
    expect_verdicts("store.case", "an empty store");
    set_fact(&all, "databases", json_loads("[\"main.db\",\"aux.db\"]", 0, NULL));
    static const char *const names[] = {"snapshot-0-aux.db", "snapshot-1-aux.db"};
    for (size_t i = 0; i < 2; i++) {
        (void)items_add(&all, names[i], "", 0);
    }
    items_write(&all, "store.case");
    expect_refused("store.case", "a store of two databases");
    items_free(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_are_checked),    cmocka_unit_test(importers_of_cases_run_nothing),
        cmocka_unit_test(facts_are_small_json), cmocka_unit_test(snapshots_are_checked),
        cmocka_unit_test(stores_are_checked),   cmocka_unit_test(nothing_was_written),
    };
    return cmocka_run_group_tests(tests, make_good, drop_good);
}
