/* test_depth.c: run --depth 2: what a second crash shows is counted, told, failed where SQLite
 * promises, kept as a case, explained and replayed; and the parts of such a run make the whole. */
#include "harness/test/program.h"
#include "harness/test/plants.h"

#include <jansson.h>

#include "harness/judge/judging.h"

/* One cell, its recoveries crashed, too. */
typedef struct judged {
    mc_importers importers;
    mc_cell cell;
    uint64_t fails;
    const mc_finding *first; /* of a second crash; or null */
} judged;

static void judge(judged *out, mc_mode mode, const char *profile, void (*plant)(mc_trace *),
                  const mc_importer *recover)
{
    mc_error error;
    mc_record_options record = {.workload = "inplace",
                                .mode = mode,
                                .sync = MC_SYNC_FULL,
                                .page_size = 4096,
                                .txns = 1,
                                .seed = 1};
    *out = (judged){0};
    assert_int_equal(mc_importers_parse("abandon,recover,sqlite", &out->importers, &error), MC_OK);
    if (recover != NULL) {
        out->importers.chosen[1].core = recover;
    }
    mc_judge_options options = {.record = &record,
                                .importers = &out->importers,
                                .power = profile != NULL ? mc_power_find(profile) : NULL,
                                .again = true,
                                .plant = plant};
    mc_status status = mc_judge(&options, &out->cell, &error);
    if (status != MC_OK) {
        fail_msg("%s", error.text);
    }
    assert_non_null(out->cell.again);
    for (uint32_t f = 0; f < out->cell.finding_count; f++) {
        const mc_finding *finding = &out->cell.finding[f];
        if (mc_finding_is_again(finding)) {
            out->first = out->first == NULL ? finding : out->first;
            out->fails += finding->fails;
            assert_non_null(strstr(finding->state, "//"));
        }
    }
}

static void judged_free(judged *j)
{
    mc_cell_free(&j->cell);
    mc_importers_free(&j->importers);
}

/* Promise: SQLite's own recovery converges, and nothing is found, in both modes and models. */
static void recovery_converges(void **unused)
{
    (void)unused;
    static const char *const profiles[] = {NULL, "ext4"};
    for (int i = 0; i < 4; i++) {
        judged j;
        judge(&j, i % 2 == 0 ? MC_MODE_DELETE : MC_MODE_WAL, profiles[i / 2], NULL, NULL);
        assert_int_equal(mpz_sgn(j.cell.again->diverged), 0);
        assert_int_equal(mpz_sgn(j.cell.again->unresolved), 0);
        assert_true(mpz_cmp_ui(j.cell.again->total, j.cell.again->visited) >= 0);
        assert_true(j.cell.again->recoveries > 100);
        assert_null(j.first);
        judged_free(&j);
    }
}

/* Promise: a recovery that cannot be repeated fails the run, under kill, and one that does not sync
 * under power alone. */
static void planted_recoveries_fail(void **unused)
{
    (void)unused;
    judged j;
    judge(&j, MC_MODE_DELETE, NULL, delete_first, NULL);
    assert_true(mpz_sgn(j.cell.again->diverged) > 0);
    assert_non_null(j.first);
    assert_true(j.fails > 0);
    assert_non_null(strstr(j.first->signature, "delete/kill+again/"));
    assert_non_null(strstr(j.first->signature, "/does not converge/torn"));
    judged_free(&j);
    judge(&j, MC_MODE_DELETE, NULL, drop_syncs, NULL);
    assert_int_equal(mpz_sgn(j.cell.again->diverged), 0);
    assert_null(j.first);
    judged_free(&j);
    judge(&j, MC_MODE_DELETE, "ext4", drop_syncs, NULL);
    assert_true(mpz_sgn(j.cell.again->diverged) > 0);
    assert_true(j.fails > 0);
    assert_non_null(strstr(j.first->signature, "delete/power:ext4+again/"));
    judged_free(&j);
}

/* SQLite writes main's pages from the first to the last, so only a recovery leaves page 4 back and
 * a later one not: an importer that has seen no such state takes it for a journal of another file.
 */
static mc_status not_twice(const mc_input *input, mc_arena *arena, mc_import *out, mc_error *error)
{
    enum { FIRST = 3 };
    bool back = true;
    bool later = false;
    mc_status status = mc_importer_find("recover")->import(input, arena, out, error);
    for (uint32_t i = FIRST; status == MC_OK && i < out->image.page_count; i++) {
        uint64_t at = (uint64_t)i * out->image.page_size;
        bool same =
            at + out->image.page_size <= input->files.main.size &&
            memcmp(out->image.page[i], input->files.main.data + at, out->image.page_size) == 0;
        back = back && (i > FIRST || same);
        later = later || (i > FIRST && !same);
    }
    return status == MC_OK && back && later
               ? mc_fail(error, MC_REFUSED, "half-way", "a recovery was here before me")
               : status;
}

/* Promise: an importer that cannot go on with what a recovery has left is told apart from SQLite,
 * and fails the run. */
static void planted_importer_fails(void **unused)
{
    (void)unused;
    mc_importer broken = *mc_importer_find("recover");
    broken.import = not_twice;
    judged j;
    judge(&j, MC_MODE_DELETE, NULL, NULL, &broken);
    assert_int_equal(mpz_sgn(j.cell.again->diverged), 0);
    assert_int_equal(j.cell.disagreements, 0); /* no first crash shows it */
    assert_true(j.cell.again->disagreed > 0);
    assert_non_null(j.first);
    assert_true(j.fails > 0);
    assert_non_null(strstr(j.first->signature, "kill+again/"));
    assert_non_null(strstr(j.first->signature, "/recover differs from sqlite/"));
    judged_free(&j);
}

/* What only a second crash shows (test_again.c says why). */
#define ATTACH                                                                                     \
    "--workload attach --mode delete --txns 1 --page-size 1024 --crash power:nonatomic-unlink "    \
    "--budget 200 --importer recover,sqlite"

static json_t *run_json(const char *options, int status)
{
    json_error_t why;
    output o = program_run("run %s --json -", options);
    program_expect(&o, status, options);
    json_t *root = json_loads(o.out, 0, &why);
    assert_non_null(root);
    program_done(&o);
    assert_int_equal(json_object_del(root, "timing"), 0);
    return root;
}

/* Promise: the finding has a name that explain tells and --cases keeps; its case replays and says
 * that it is of a second crash. */
static void findings_are_kept(void **unused)
{
    (void)unused;
    json_t *root = run_json(ATTACH " --depth 2 --cases kept", 0);
    const json_t *again = json_array_get(json_object_get(root, "second_crashes"), 0);
    const char *first = json_string_value(json_object_get(again, "first_case"));
    assert_non_null(first);
    assert_string_not_equal(json_string_value(json_object_get(again, "diverge")), "0");
    assert_non_null(strstr(first, "power:nonatomic-unlink/"));
    output o = program_run("explain %s --txns 1 --page-size 1024 --importer sqlite", first);
    program_expect(&o, 0, first);
    assert_non_null(strstr(o.out, "+again/"));
    assert_non_null(strstr(o.out, "of the recovery)"));
    assert_non_null(strstr(o.out, "crashed again while SQLite recovered"));
    program_done(&o);
    assert_int_equal(program_shell("mkdir twice && mv kept/*again*.case twice"), 0);
    o = program_run("replay twice");
    program_expect(&o, 0, "replay");
    program_done(&o);
    assert_int_equal(program_shell("set -- twice/*.case; mv \"$1\" one.case"), 0);
    o = program_run("explain one.case");
    program_expect(&o, 0, "explain of the case");
    assert_non_null(strstr(o.out, "crashed again while SQLite recovered"));
    program_done(&o);
    json_decref(root);
    root = run_json(ATTACH, 0);
    assert_null(json_object_get(root, "second_crashes"));
    json_decref(root);
}

/* Promise: shards, resumption and merging keep the numbers; lines of another depth are refused. */
static void parts_make_the_whole(void **unused)
{
    (void)unused;
    static const char options[] = "--workload grow,inplace --txns 1 --crash "
                                  "kill,kv:journal,power:ext4 --depth 2 --budget 400";
    json_t *whole = run_json(options, 0);
    const json_t *list = json_object_get(whole, "second_crashes");
    assert_int_equal(json_array_size(list), 8); /* none of kv */
    for (int i = 1; i <= 2; i++) {
        output o = program_run("run %s --quiet --shard %d/2 --results part-%d", options, i, i);
        program_expect(&o, 0, "a shard");
        program_done(&o);
    }
    json_t *merged = run_json("--merge part-1 part-2", 0);
    assert_true(json_equal(whole, merged));
    json_decref(merged);
    assert_int_equal(program_shell("head -n 1 part-1 >begun"), 0);
    output o = program_run("run %s --quiet --shard 1/2 --results begun --resume", options);
    program_expect(&o, 0, "resumed");
    program_done(&o);
    assert_int_equal(program_shell("sort begun >a; sort part-1 >b; cmp a b"), 0);
    o = program_run("run --workload grow,inplace --txns 1 --crash kill,kv:journal,power:ext4 "
                    "--budget 400 --quiet --shard 1/2 --results begun --resume");
    program_expect_line(&o, 3, "another depth");
    program_done(&o);
    assert_int_equal(program_shell("sed 's/\"again\":{[^}]*}/\"gone\":1/' part-1 >less"), 0);
    o = program_run("run --merge less part-2");
    program_expect_line(&o, 3, "no numbers");
    assert_non_null(strstr(o.err, "no second crashes"));
    program_done(&o);
    json_decref(whole);
}

/* Promise: what makes no sense is one line, and a budget that cuts second crashes short is told. */
static void bounds_are_told(void **unused)
{
    (void)unused;
    static const char *const wrong[] = {"run --depth 3",
                                        "run --depth 0",
                                        "run --depth two",
                                        "run --depth 2 --crash kv",
                                        "explain inplace/delete/full/kill/155//300",
                                        "explain inplace/delete/full/kill/155//3//4",
                                        "explain inplace/delete/full/kill/155//way:3",
                                        "explain inplace/delete/full/kill/0//exclusive:1",
                                        "explain inplace/delete/full/kill/155@no-journal//3",
                                        "explain inplace/delete/normal/kv:journal/5//3"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        output o = program_run("%s", wrong[i]);
        program_expect_line(&o, 2, wrong[i]);
        program_done(&o);
    }
    output o = program_run("run --depth 2 --workload grow --txns 1 --mode wal --budget 30 "
                           "--crash power:lying-sync");
    program_expect(&o, 0, "a budget");
    assert_non_null(strstr(o.out, "bounded: "));
    program_done(&o);
    o = program_run("run --depth 2 --workload grow --txns 1 --crash kill,kv");
    program_expect(&o, 0, "kv, too");
    assert_non_null(strstr(o.out, "Not run: second crashes in kv"));
    program_done(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recovery_converges),     cmocka_unit_test(planted_recoveries_fail),
        cmocka_unit_test(planted_importer_fails), cmocka_unit_test(findings_are_kept),
        cmocka_unit_test(parts_make_the_whole),   cmocka_unit_test(bounds_are_told),
    };
    return cmocka_run_group_tests(tests, program_enter, program_leave);
}
