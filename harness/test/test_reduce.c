/* test_reduce.c: what is left out, and what must never change: the signature. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "crashsim/workload.h"
#include "harness/run/cases.h"
#include "harness/case/casejudge.h"
#include "harness/case/ddmin.h"
#include "harness/case/reduce.h"
#include "harness/case/sqltext.h"
#include "harness/test/walk.h"

/* ---- ddmin ---- */

/* A property: all items of some sets are there, or all of another. */
typedef struct needs {
    uint64_t set[2];
    uint32_t asked;
} needs;

static bool has_needs(void *context, const bool *keep, uint32_t count)
{
    needs *n = context;
    uint64_t kept = 0;
    n->asked++;
    for (uint32_t i = 0; i < count; i++) {
        kept |= keep[i] ? UINT64_C(1) << i : 0;
    }
    return (kept & n->set[0]) == n->set[0] || (kept & n->set[1]) == n->set[1];
}

/* Promise: the result has the property and loses it with any single item (property, 300 seeds). */
static void ddmin_is_minimal(void **unused)
{
    (void)unused;
    uint64_t seed = 7;
    for (int round = 0; round < 300; round++) {
        uint32_t count = 1 + (uint32_t)(walk_random(&seed) % 60);
        uint64_t all = count == 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
        needs n = {.set = {walk_random(&seed) & walk_random(&seed) & walk_random(&seed) & all,
                           walk_random(&seed) & walk_random(&seed) & all}};
        bool keep[64];
        for (uint32_t i = 0; i < count; i++) {
            keep[i] = true;
        }
        mc_ddmin(keep, count, has_needs, &n);
        assert_true(has_needs(&n, keep, count));
        for (uint32_t i = 0; i < count; i++) {
            if (keep[i]) {
                keep[i] = false;
                assert_false(has_needs(&n, keep, count));
                keep[i] = true;
            }
        }
    }
}

static bool is_balanced(void *context, const bool *keep, uint32_t count)
{
    (void)context;
    (void)count;
    return keep[0] == keep[3] && keep[1] && (!keep[2] || keep[0]);
}

/* Promise: two items that can only go together go. */
static void ddmin_pairs_go_together(void **unused)
{
    (void)unused;
    bool keep[4] = {true, true, true, true};
    mc_ddmin(keep, 4, is_balanced, NULL);
    mc_ddmin_pairs(keep, 4, is_balanced, NULL);
    assert_false(keep[0] || keep[2] || keep[3]);
    assert_true(keep[1]);
}

/* ---- SQL as text ---- */

/* Promise: statements end where SQLite says, tokens put together are the statement again. */
static void programs_are_split_as_sqlite_does(void **unused)
{
    (void)unused;
    static const char text[] =
        "CREATE TABLE t(a, \"b;c\");\n"
        "CREATE TRIGGER r AFTER INSERT ON t BEGIN UPDATE t SET a = 1; DELETE FROM t; END;\n"
        "-- @program\n"
        "INSERT INTO t VALUES(';', 'it''s');\n@reader begin\nSELECT 1 -- ;\n;\n@reopen\nCOMMIT";
    mc_arena arena = {.limit_bytes = 1 << 20};
    mc_program program = {.arena = &arena};
    mc_error error;
    assert_int_equal(mc_sqltext_program(text, strlen(text), &program, &error), MC_OK);
    assert_int_equal(program.setup.count, 2);
    assert_int_equal(program.program.count, 5);
    assert_string_equal(program.program.text[0], "INSERT INTO t VALUES(';', 'it''s');");
    assert_string_equal(program.program.text[1], "@reader begin");
    assert_string_equal(program.program.text[3], "@reopen");
    assert_string_equal(program.program.text[4], "COMMIT");
    for (uint32_t i = 0; i < program.program.count; i++) {
        mc_sqltext tokens;
        assert_true(mc_sqltext_split(&tokens, program.program.text[i], &arena));
        assert_string_equal(mc_sqltext_join(&tokens, NULL, &arena), program.program.text[i]);
    }
    mc_arena_free(&arena);
}

/* ---- cases ---- */

static const mc_run_options run_options = {.importers = "abandon", .page_size = 4096, .seed = 1};

static void capture(const char *state, const char *importer, mc_importers *importers,
                    uint32_t *subject, mc_case *c)
{
    mc_error error = {0};
    walk_check(mc_importers_usual(importer, importers, &error), &error, importer);
    *subject = 0;
    while (strcmp(importers->chosen[*subject].name, importer) != 0) {
        (*subject)++;
    }
    walk_check(mc_cases_capture(state, &run_options, importers, *subject, NULL, c, &error), &error,
               state);
}

static void load_program(const mc_case *c, mc_program *program)
{
    mc_error error = {0};
    mc_file sql = mc_case_file(c, "workload.sql");
    program->cache_pages = mc_case_number(c, "cache_pages");
    program->auto_vacuum = json_is_true(json_object_get(c->facts, "auto_vacuum"));
    program->attach = json_is_true(json_object_get(c->facts, "attach"));
    walk_check(mc_sqltext_program((const char *)sql.data, (size_t)sql.size, program, &error),
               &error, "workload.sql");
}

/* Promise: the program in a case, run with the case's facts, makes the trace of the workload again,
 * element by element (differential, every workload in every mode that it has). */
static void the_program_in_a_case_makes_its_trace(void **unused)
{
    (void)unused;
    for (const mc_workload *w = mc_workloads; w->name != NULL; w++) {
        for (int mode = 0; mode < MC_MODES; mode += MC_MODE_WAL) {
            if ((w->modes & 1u << mode) == 0) {
                continue;
            }
            char state[100];
            mc_importers importers;
            uint32_t subject;
            mc_case c;
            (void)snprintf(state, sizeof state, "%s/%s/full/kill/0", w->name, mc_mode_names[mode]);
            capture(state, "recover", &importers, &subject, &c);
            mc_arena arena = {.limit_bytes = 1 << 26};
            mc_program program = {.arena = &arena};
            load_program(&c, &program);
            mc_record_options options = walk_options(w->name, (mc_mode)mode);
            mc_trace right;
            mc_trace again;
            walk_record(&options, &right);
            mc_case_recipe(&c, &options);
            options.program = &program;
            walk_record(&options, &again);
            assert_int_equal(right.op_count, again.op_count);
            for (size_t i = 0; i < right.op_count; i++) {
                const mc_op *a = &right.op[i];
                const mc_op *b = &again.op[i];
                assert_true(a->kind == b->kind && a->file == b->file && a->size == b->size &&
                            a->offset == b->offset &&
                            (a->size == 0 || memcmp(a->data, b->data, a->size) == 0));
            }
            mc_trace_free(&right);
            mc_trace_free(&again);
            mc_arena_free(&arena);
            mc_case_free(&c);
            mc_importers_free(&importers);
        }
    }
}

typedef struct reduction {
    const char *state;
    const char *importer;
    uint32_t statements; /* of the smaller program, at most */
} reduction;

static const reduction reductions[] = {
    {"spill/delete/full/kill/28", "abandon", 1},
    {"inplace/delete/full/kill/155", "abandon", 1},
    {"inplace/wal/full/kill/107", "abandon", 2},
    {"grow/delete/full/kill/40", "abandon", 2},
    {"indexed/persist/full/kill/60", "reject", 1},
    {"attach/delete/full/kill/60", "reject", 4},
    {"grow/delete/normal/kv:journal/40", "abandon", 2},
    {"spill/wal/full/kill/200", "broken:past-commit", 4},
};

/* Promise: a reduced case has the signature, at most so many statements, none more than before,
 * replays as it says, and is the same bytes when it is made again. */
static void a_reduced_case_keeps_its_signature(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof reductions / sizeof *reductions; i++) {
        const reduction *r = &reductions[i];
        mc_importers importers;
        uint32_t subject;
        mc_case c;
        mc_error error = {0};
        capture(r->state, r->importer, &importers, &subject, &c);
        uint8_t *bytes[2];
        size_t size[2];
        for (int round = 0; round < 2; round++) {
            mc_case smaller;
            mc_reduced reduced;
            walk_check(mc_reduce(&c, &importers, 0, &smaller, &reduced, &error), &error, r->state);
            assert_string_equal(mc_case_text(&c, "signature"), mc_case_text(&smaller, "signature"));
            assert_true(reduced.minimal);
            if (reduced.after.statements > r->statements) {
                print_error("%s: %u statements\n", r->state, reduced.after.statements);
                fail();
            }
            assert_true(reduced.after.bytes <= reduced.before.bytes);
            walk_check(mc_case_encode(&smaller, &bytes[round], &size[round], &error), &error,
                       "encode");
            mc_case_free(&smaller);
        }
        assert_int_equal(size[0], size[1]);
        assert_memory_equal(bytes[0], bytes[1], size[0]);
        free(bytes[0]);
        free(bytes[1]);
        mc_case_free(&c);
        mc_importers_free(&importers);
    }
}

/* Promise: a case whose program does not lead to its signature is an error, not a small case. */
static void a_program_of_another_case_is_refused(void **unused)
{
    (void)unused;
    mc_importers importers;
    uint32_t subject;
    mc_case c;
    mc_case smaller;
    mc_reduced reduced;
    mc_error error = {0};
    capture("inplace/delete/full/kill/155", "abandon", &importers, &subject, &c);
    json_object_set_new(c.facts, "signature",
                        json_string("delete/kill/write wal/table leaf/abandon/torn, silent"));
    assert_int_equal(mc_reduce(&c, &importers, 0, &smaller, &reduced, &error), MC_IO);
    assert_non_null(strstr(error.text, "has no state with this signature"));
    mc_case_free(&c);
    mc_importers_free(&importers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ddmin_is_minimal),
        cmocka_unit_test(ddmin_pairs_go_together),
        cmocka_unit_test(programs_are_split_as_sqlite_does),
        cmocka_unit_test(the_program_in_a_case_makes_its_trace),
        cmocka_unit_test(a_reduced_case_keeps_its_signature),
        cmocka_unit_test(a_program_of_another_case_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
