/* test_claims_told.c: what `run --claims` finds is what docs/claims.md says, as text and as JSON.
 *
 * MIDCOMMIT_UPDATE_GOLDEN=1 in the environment writes the table in the document anew; look at its
 * diff before you believe it. Under sanitizers a few claims stand for all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <cmocka.h>
#include <jansson.h>
#include <sqlite3.h>

#include "core/test/sanitized.h"
#include "harness/judge/defects.h"
#include "reports/claims.h"

#define DOCUMENT MIDCOMMIT_SOURCE_DIR "/docs/claims.md"
#define SCHEMA MIDCOMMIT_SOURCE_DIR "/reports/schema/claims-1.json"

enum { TEXT_BYTES = 1 << 18 };

static const char begin_mark[] = "```text\n";
static const char end_mark[] = "```\n";
static const uint32_t few[] = {1, 10, 15, 23, 25, 26, 31, 36, 37};
static mc_claims_result result;
static char document[TEXT_BYTES];

static void read_text(const char *path, char *out)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t size = fread(out, 1, TEXT_BYTES - 1, file);
    assert_true(size < TEXT_BYTES - 1);
    out[size] = '\0';
    assert_int_equal(fclose(file), 0);
}

static const char *told(void)
{
    static char text[TEXT_BYTES];
    FILE *file = fmemopen(text, sizeof text, "w");
    assert_non_null(file);
    mc_report_claims(&result, "build/midcommit", file);
    assert_int_equal(fclose(file), 0);
    return text;
}

static void update(const char *text)
{
    char *from = strstr(document, begin_mark);
    assert_non_null(from);
    from += strlen(begin_mark);
    char *to = strstr(from, end_mark);
    assert_non_null(to);
    FILE *file = fopen(DOCUMENT, "w");
    assert_non_null(file);
    (void)fprintf(file, "%.*s%s%s", (int)(from - document), document, text, to);
    assert_int_equal(fclose(file), 0);
    read_text(DOCUMENT, document);
}

/* Promise: the document's table is what this run finds, number by number. Another version of SQLite
 * than its own may differ in verdicts that known defects explain. */
static void document_is_what_is_found(void **unused)
{
    (void)unused;
    const char *text = told();
    if (getenv("MIDCOMMIT_UPDATE_GOLDEN") != NULL && !SANITIZED) {
        update(text);
    }
    char version[80];
    (void)snprintf(version, sizeof version, "%sSQLite %s, seed 1\n", begin_mark,
                   sqlite3_libversion());
    if (strstr(document, version) == NULL ||
        sqlite3_compileoption_used("ENABLE_BATCH_ATOMIC_WRITE")) {
        print_message("the document is about another SQLite than %s\n%s", sqlite3_libversion(),
                      text);
        return;
    }
    /* Claim by claim: each is a paragraph. */
    for (const char *at = strstr(text, "\n\n"); at != NULL;) {
        const char *next = strstr(at + 2, "\n\n");
        size_t size = next == NULL ? 0 : (size_t)(next - at) + 1;
        char *paragraph = strndup(at, size);
        if (size > 0 && strstr(document, paragraph) == NULL) {
            fail_msg("not in docs/claims.md:%s", paragraph);
        }
        free(paragraph);
        at = next;
    }
    if (!SANITIZED) {
        char *whole = malloc(strlen(text) + 100);
        (void)sprintf(whole, "%s%s%s", begin_mark, text, end_mark);
        assert_non_null(strstr(document, whole));
        free(whole);
    }
    for (const char *line = text; *line != '\0';) {
        size_t size = strcspn(line, "\n");
        const char *command = strstr(line, "build/midcommit");
        assert_true(size <= 100 || (command != NULL && command < line + size));
        line += size + (line[size] == '\n');
    }
}

static mc_claim_verdict verdict_of(uint32_t number)
{
    return result.claim[mc_claims_find(number)].verdict;
}

static bool has_defect(const char *name)
{
    const mc_defect *defect = mc_defect_named(name);
    int version = sqlite3_libversion_number();
    assert_non_null(defect);
    return version >= defect->first_version && version < defect->fixed_version;
}

/* Promise: where a known defect of SQLite is in the version under test, the claim that it breaks is
 * refuted, and confirmed where it is not. */
static void known_defects_refute(void **unused)
{
    (void)unused;
    bool batches = sqlite3_compileoption_used("ENABLE_BATCH_ATOMIC_WRITE") != 0;
    bool batch = batches && has_defect("batch-atomic-without-sync");
    if (SANITIZED) {
        skip();
    }
    assert_int_equal(verdict_of(2), batch || has_defect("wal-frames-without-checksum")
                                        ? MC_CLAIM_REFUTED
                                        : MC_CLAIM_CONFIRMED);
    assert_int_equal(verdict_of(8), batch ? MC_CLAIM_REFUTED : MC_CLAIM_CONFIRMED);
    assert_int_equal(verdict_of(36), batches ? MC_CLAIM_CONFIRMED : MC_CLAIM_UNTESTABLE);
}

/* ---- JSON ---- */

static bool is_type(const json_t *value, const char *type)
{
    return (strcmp(type, "object") == 0 && json_is_object(value)) ||
           (strcmp(type, "array") == 0 && json_is_array(value)) ||
           (strcmp(type, "string") == 0 && json_is_string(value)) ||
           (strcmp(type, "integer") == 0 && json_is_integer(value)) ||
           (strcmp(type, "number") == 0 && json_is_number(value)) ||
           (strcmp(type, "null") == 0 && json_is_null(value));
}

/* The part of JSON Schema that the schema uses: type, enum, required, properties, items, and that
 * nothing else may be there. */
static bool is_valid(const json_t *value, const json_t *schema)
{
    const json_t *type = json_object_get(schema, "type");
    const json_t *words = json_object_get(schema, "enum");
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *items = json_object_get(schema, "items");
    bool valid = type == NULL || (json_is_string(type) && is_type(value, json_string_value(type)));
    for (size_t i = 0; json_is_array(type) && i < json_array_size(type); i++) {
        valid = valid || is_type(value, json_string_value(json_array_get(type, i)));
    }
    bool listed = words == NULL;
    for (size_t i = 0; i < json_array_size(words); i++) {
        listed = listed || json_equal(json_array_get(words, i), value);
    }
    const json_t *required = json_object_get(schema, "required");
    for (size_t i = 0; i < json_array_size(required); i++) {
        valid =
            valid && json_object_get(value, json_string_value(json_array_get(required, i))) != NULL;
    }
    for (size_t i = 0; items != NULL && i < json_array_size(value); i++) {
        valid = valid && is_valid(json_array_get(value, i), items);
    }
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        const json_t *own = json_object_get(properties, key);
        valid = valid && own != NULL && is_valid(member, own);
    }
    return valid && listed;
}

/* Promise: the JSON is what its schema says, and says what the table says. */
static void json_is_what_its_schema_says(void **unused)
{
    (void)unused;
    json_error_t why;
    json_t *schema = json_load_file(SCHEMA, 0, &why);
    char *text = mc_report_claims_json(&result);
    json_t *root = json_loads(text, 0, &why);
    assert_true(schema != NULL && root != NULL);
    assert_true(is_valid(root, schema));
    json_t *claims = json_object_get(root, "claims");
    assert_int_equal(json_array_size(claims),
                     SANITIZED ? sizeof few / sizeof *few : mc_claims_count());
    json_t *first = json_array_get(claims, 0);
    assert_string_equal(json_string_value(json_object_get(first, "states")),
                        result.claim[0].states);
    json_object_set_new(first, "verdict", json_string("true"));
    assert_false(is_valid(root, schema));
    json_object_set_new(first, "verdict", json_string("refuted"));
    assert_true(is_valid(root, schema));
    json_object_del(first, "states");
    assert_false(is_valid(root, schema));
    json_decref(root);
    json_decref(schema);
    free(text);
}

/* ---- the command ---- */

static int run(const char *arguments, char *out)
{
    char command[4500];
    (void)snprintf(command, sizeof command, "'%s' run %s 2>&1", MIDCOMMIT_PROGRAM, arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    out[fread(out, 1, TEXT_BYTES - 1, pipe)] = '\0';
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Promise: numbers choose claims; a refuted one is exit status 1; what makes no sense is one line
 * and exit status 2. */
static void command_line(void **unused)
{
    (void)unused;
    static char out[TEXT_BYTES];
    assert_int_equal(run("--claims 31 37", out), 0);
    assert_non_null(strstr(out, "\n2 claims: 2 confirmed.\n"));
    assert_int_equal(run("--claims 31 --quiet --json -", out), 0);
    json_error_t why;
    json_t *root = json_loads(out, 0, &why);
    assert_int_equal(json_array_size(json_object_get(root, "claims")), 1);
    json_decref(root);
    static const char *const wrong[] = {"--claims 39",         "--claims 0",
                                        "--claims x",          "--claims 3x",
                                        "--claims -1",         "--claims 1 --mode wal",
                                        "--claims --jobs 0 1", "--claims 18446744073709551617"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(run(wrong[i], out), 2);
        assert_true(strncmp(out, "midcommit: ", 11) == 0);
        assert_true(strchr(out, '\n') == out + strlen(out) - 1);
    }
    if (!SANITIZED && verdict_of(3) == MC_CLAIM_REFUTED) {
        assert_int_equal(run("--claims --quiet 3", out), 1);
        assert_string_equal(out, "");
    }
}

/* Promise: the command beside a refuted claim shows a state that came out so, in SQLite itself. */
static void refuted_states_can_be_seen(void **unused)
{
    (void)unused;
    static char out[TEXT_BYTES];
    for (uint32_t i = 0; i < mc_claims_count(); i++) {
        const mc_claim_result *c = &result.claim[i];
        if (result.done[i] && c->verdict == MC_CLAIM_REFUTED && c->command[0] != '\0') {
            char command[MC_STATE_ID_MAX + 200];
            (void)snprintf(command, sizeof command, "--quiet >/dev/null --list && '%s' %s",
                           MIDCOMMIT_PROGRAM, c->command);
            assert_int_equal(run(command, out), 0);
            const char *line = strstr(out, "\n    sqlite ");
            assert_non_null(line);
            line += strlen("\n    sqlite ");
            line += strspn(line, " ");
            assert_true(strncmp(line, "torn", 4) == 0 || strncmp(line, "stale", 5) == 0);
        }
    }
}

static int test_all(void **unused)
{
    (void)unused;
    mc_error error;
    mc_claims_options options = {.seed = 1, .jobs = 2};
    for (size_t i = 0; SANITIZED && i < sizeof few / sizeof *few; i++) {
        options.chosen |= (uint64_t)1 << mc_claims_find(few[i]);
    }
    if (mc_claims_run(&options, &result, &error) != MC_OK) {
        print_error("%s\n", error.text);
        return -1;
    }
    read_text(DOCUMENT, document);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(document_is_what_is_found),    cmocka_unit_test(known_defects_refute),
        cmocka_unit_test(json_is_what_its_schema_says), cmocka_unit_test(command_line),
        cmocka_unit_test(refuted_states_can_be_seen),
    };
    return cmocka_run_group_tests(tests, test_all, NULL);
}
