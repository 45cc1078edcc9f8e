/* test_loss.c: the exact classes of power losses against brute force: every state of small commits
 * is made, one after the other, and recovered by SQLite on a fresh connection; the numbers of
 * states by verdict must be those that classes and counting gave. Then what is known of SQLite from
 * its documents and from real disks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/test/sanitized.h"
#include "crashsim/gray.h"
#include "harness/judge/judging.h"
#include "harness/judge/loss.h"

enum { REJECT, ABANDON, RECOVER, SQLITE, IMPORTERS, STATES_MAX = 4000 };

static mc_importers importers;

typedef struct row {
    const char *workload;
    mc_mode mode;
    mc_sync sync;
    const char *profile;
    uint32_t page_size;
} row;

static mc_status judge(const row *r, uint64_t budget, mc_cell *cell, mc_error *error)
{
    mc_record_options record = {.workload = r->workload,
                                .mode = r->mode,
                                .sync = r->sync,
                                .page_size = r->page_size,
                                .txns = 1,
                                .seed = 1};
    mc_judge_options options = {.record = &record,
                                .importers = &importers,
                                .power = mc_power_find(r->profile),
                                .budget = budget};
    assert_non_null(options.power);
    return mc_judge(&options, cell, error);
}

/* Promise: a record of a page behind the end that the journal states is skipped, not checked, so
 * what lies beside it counts. Several transactions leave such records in a journal that is cut. */
static void skipped_records_are_not_checked(void **unused)
{
    (void)unused;
    mc_record_options record = {.workload = "grow",
                                .mode = MC_MODE_TRUNCATE,
                                .sync = MC_SYNC_NORMAL,
                                .page_size = 4096,
                                .txns = 4,
                                .seed = 1};
    mc_judge_options options = {.record = &record,
                                .importers = &importers,
                                .power = mc_power_find("strict"),
                                .budget = 300};
    mc_cell cell = {0};
    mc_error error;
    if (mc_judge(&options, &cell, &error) != MC_OK) {
        fail_msg("%s", error.text);
    }
    assert_int_equal(cell.disagreements, 0);
    mc_cell_free(&cell);
}

/* ---- brute force ---- */

typedef struct brute {
    mc_judging j;
    mc_trace trace;
    mc_crash crash;
    uint64_t states;
    uint64_t count[IMPORTERS][MC_VERDICTS];
    uint64_t induced; /* main was a snapshot, and is none once SQLite has recovered it */
} brute;

static mc_status judge_state(void *context, mc_error *error)
{
    brute *b = context;
    mc_outcome control;
    assert_int_equal(mc_judging_control(&b->j, &control, error), MC_OK);
    for (uint32_t i = 0; i < IMPORTERS; i++) {
        mc_outcome outcome = control;
        if (i != SQLITE) {
            assert_int_equal(mc_judging_outcome(&b->j, i, &outcome, error), MC_OK);
        }
        mc_verdict verdict =
            mc_verdict_of(&outcome, b->j.content.classes, b->crash.acked, b->crash.begun,
                          b->j.content.empty_class, control.kind == MC_OUTCOME_SNAPSHOT);
        b->count[i][verdict.kind]++;
        b->induced += i == ABANDON && outcome.kind == MC_OUTCOME_SNAPSHOT &&
                      control.kind != MC_OUTCOME_SNAPSHOT;
    }
    b->states++;
    return MC_OK;
}

static void judge_all(const row *r, brute *b)
{
    mc_error error;
    mc_record_options record = {.workload = r->workload,
                                .mode = r->mode,
                                .sync = r->sync,
                                .page_size = r->page_size,
                                .txns = 1,
                                .seed = 1};
    mc_judge_options options = {
        .record = &record, .importers = &importers, .power = mc_power_find(r->profile)};
    assert_int_equal(mc_judging_open(&b->j, &options, &error), MC_OK);
    b->trace = b->j.trace;
    b->trace.base = (mc_disk){0};
    assert_true(mc_disk_copy(&b->trace.base, &b->j.trace.base));
    mc_power *power = mc_power_open(&b->trace, options.power);
    for (size_t point = 0; point <= b->trace.op_count; point++) {
        const mc_op *op = point > 0 ? &b->trace.op[point - 1] : NULL;
        if (op != NULL && op->kind == MC_OP_BEGUN) {
            b->crash.begun = (uint32_t)op->offset;
        } else if (op != NULL && op->kind == MC_OP_ACKED) {
            b->crash.acked = (uint32_t)op->offset;
            mc_judging_acked(&b->j, b->crash.acked);
        }
        assert_int_equal(mc_power_advance(power, point, &error), MC_OK);
        mc_gray_visitor visitor = {.context = b, .state = judge_state};
        uint64_t visited;
        assert_int_equal(mc_gray_explore(power, b->trace.base.file_count, &b->j.trace.base,
                                         UINT32_MAX, &visitor, &visited, &error),
                         MC_OK);
        assert_true(visited > 0);
    }
    mc_power_close(power);
    mc_disk_free(&b->trace.base);
    mc_judging_close(&b->j);
}

/* Promise: the number of states for each importer and verdict is that of brute force, in every
 * mode, at every level, on every profile whose states can be made one by one. */
static void classes_are_brute_force(void **unused)
{
    (void)unused;
    uint32_t compared = 0;
    uint64_t states = 0;
    for (uint32_t n = 0;; n++) {
        uint32_t profiles = 0;
        while (mc_power_profiles[profiles].name != NULL) {
            profiles++;
        }
        uint32_t mode = n / profiles % MC_MODES;
        uint32_t sync = n / profiles / MC_MODES;
        row r = {"grow", (mc_mode)mode, (mc_sync)sync, mc_power_profiles[n % profiles].name, 512};
        mc_cell cell = {0};
        mc_error error;
        if (sync == MC_SYNCS) {
            break;
        }
        if (SANITIZED && n % 5 != 0) {
            continue; /* a sample of all modes, levels and profiles */
        }
        if (judge(&r, 0, &cell, &error) != MC_OK) {
            fail_msg("%s", error.text);
        }
        if (mpz_cmp_ui(cell.proof->total, STATES_MAX) > 0) {
            mc_cell_free(&cell);
            continue;
        }
        static brute b;
        memset(&b, 0, sizeof b);
        judge_all(&r, &b);
        assert_int_equal(mpz_get_ui(cell.proof->total), b.states);
        assert_int_equal(mpz_sgn(cell.proof->unresolved), 0);
        for (uint32_t i = 0; i < IMPORTERS; i++) {
            for (uint32_t v = 0; v < MC_VERDICTS; v++) {
                if (mpz_cmp_ui(cell.proof->verdict[i][v], b.count[i][v]) != 0) {
                    fail_msg("%s/%s/%s: %s %s: %lu states by classes, %lu by force",
                             mc_mode_names[mode], mc_sync_names[sync], r.profile,
                             importers.chosen[i].name, mc_verdict_names[v],
                             mpz_get_ui(cell.proof->verdict[i][v]), (unsigned long)b.count[i][v]);
                }
            }
        }
        assert_int_equal(mpz_get_ui(cell.proof->induced), b.induced);
        assert_int_equal(cell.disagreements, 0);
        compared++;
        states += b.states;
        mc_cell_free(&cell);
    }
    print_message("%u cells, %lu states\n", compared, (unsigned long)states);
    assert_true(compared > (SANITIZED ? 40 : 200) && states > (SANITIZED ? 2000 : 10000));
}

/* ---- what is known ---- */

static uint64_t states_of(const row *r, mc_verdict_kind kind)
{
    mc_cell cell = {0};
    mc_error error;
    if (judge(r, 0, &cell, &error) != MC_OK) {
        fail_msg("%s", error.text);
    }
    assert_int_equal(mpz_sgn(cell.proof->unresolved), 0);
    uint64_t count = mpz_sgn(cell.proof->verdict[SQLITE][kind]) == 0
                         ? 0
                         : mpz_get_ui(cell.proof->verdict[SQLITE][kind]) | 1;
    mc_cell_free(&cell);
    return count;
}

/* Promise: DELETE loses the last acknowledged commit wherever the directory is not synced after the
 * unlink, and EXTRA closes exactly that; TRUNCATE and PERSIST do not have it; WAL loses nothing at
 * FULL, and is stale but never torn at NORMAL; without sync, or without a journal, databases tear.
 */
static void known_results(void **unused)
{
    (void)unused;
    static const char *const profiles[] = {"psow", "ext4", "ext4-ordered", "xfs", "btrfs"};
    for (size_t i = 0; i < sizeof profiles / sizeof *profiles; i++) {
        const char *p = profiles[i];
        assert_true(states_of(&(row){"inplace", MC_MODE_DELETE, MC_SYNC_FULL, p, 4096}, MC_STALE));
        assert_false(states_of(&(row){"inplace", MC_MODE_DELETE, MC_SYNC_FULL, p, 4096}, MC_TORN));
        assert_false(
            states_of(&(row){"inplace", MC_MODE_DELETE, MC_SYNC_EXTRA, p, 4096}, MC_STALE));
        assert_false(
            states_of(&(row){"inplace", MC_MODE_TRUNCATE, MC_SYNC_FULL, p, 4096}, MC_STALE));
        assert_false(
            states_of(&(row){"inplace", MC_MODE_PERSIST, MC_SYNC_FULL, p, 4096}, MC_STALE));
        assert_false(states_of(&(row){"inplace", MC_MODE_WAL, MC_SYNC_FULL, p, 4096}, MC_STALE));
        assert_true(states_of(&(row){"inplace", MC_MODE_WAL, MC_SYNC_NORMAL, p, 4096}, MC_STALE));
        assert_false(states_of(&(row){"inplace", MC_MODE_WAL, MC_SYNC_NORMAL, p, 4096}, MC_TORN));
        assert_true(states_of(&(row){"inplace", MC_MODE_OFF, MC_SYNC_FULL, p, 4096}, MC_TORN));
    }
    row unlink = {"inplace", MC_MODE_DELETE, MC_SYNC_FULL, "nonatomic-unlink", 4096};
    assert_true(states_of(&unlink, MC_TORN));
}

/* Promise: where every byte that the checksum of a journal's record looks at is zero, recovery
 * restores records that reached the disk with sectors of zeros in them, at NORMAL without ordered
 * data, and so damages a database that was whole; at FULL it does not, nor where a length waits for
 * its data. The number of such states is that of brute force. */
static void recovery_induced(void **unused)
{
    (void)unused;
    static const struct {
        row r;
        bool induced;
    } table[] = {
        {{"sampled", MC_MODE_DELETE, MC_SYNC_NORMAL, "ext4-writeback", 512}, true},
        {{"sampled", MC_MODE_DELETE, MC_SYNC_FULL, "ext4-writeback", 512}, false},
        {{"sampled", MC_MODE_DELETE, MC_SYNC_NORMAL, "ext4-writeback", 1024}, true},
        {{"sampled", MC_MODE_DELETE, MC_SYNC_FULL, "ext4-writeback", 1024}, false},
        /* There the rest of a block is not tied to the length (power.h), so small pages are hit. */
        {{"sampled", MC_MODE_DELETE, MC_SYNC_NORMAL, "ext4-ordered", 512}, true},
        {{"sampled", MC_MODE_DELETE, MC_SYNC_NORMAL, "xfs", 512}, false},
        {{"sampled", MC_MODE_DELETE, MC_SYNC_NORMAL, "xfs", 1024}, false},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const row *r = &table[i].r;
        mc_cell cell = {0};
        mc_error error;
        if (judge(r, 0, &cell, &error) != MC_OK) {
            fail_msg("%s", error.text);
        }
        bool named = false;
        for (uint32_t f = 0; f < cell.finding_count; f++) {
            named = named || strstr(cell.finding[f].signature, "/recovery-induced") != NULL;
        }
        static brute b;
        memset(&b, 0, sizeof b);
        uint64_t total = mpz_get_ui(cell.proof->total);
        if (mpz_fits_ulong_p(cell.proof->total) && total < 100000) {
            judge_all(r, &b);
            assert_int_equal(total, b.states);
            assert_int_equal(mpz_get_ui(cell.proof->induced), b.induced);
        }
        print_message("%s/%s/%s: %lu of %lu states are recovery-induced, %lu by force\n",
                      r->workload, mc_sync_names[r->sync], r->profile,
                      mpz_get_ui(cell.proof->induced), (unsigned long)total,
                      (unsigned long)b.induced);
        assert_true((mpz_sgn(cell.proof->induced) > 0) == table[i].induced);
        assert_true(named == table[i].induced);
        assert_int_equal(mpz_sgn(cell.proof->unresolved), 0);
        mc_cell_free(&cell);
    }
}

/* Promise: the commit that overwrites pages has an epoch of 9 pages and more, all of whose subsets
 * of sectors are covered, by a number of classes that can be run. */
static void large_epochs_are_closed(void **unused)
{
    (void)unused;
    row r = {"inplace", MC_MODE_DELETE, MC_SYNC_FULL, "strict", 4096};
    mc_cell cell = {0};
    mc_error error;
    assert_int_equal(judge(&r, 0, &cell, &error), MC_OK);
    assert_int_equal(mpz_sgn(cell.proof->unresolved), 0);
    assert_true(mpz_sizeinbase(cell.proof->widest, 2) > 72);
    assert_true(cell.proof->runs < 10000);
    mc_cell_free(&cell);
}

/* Promise: a main file that a spilled transaction made longer than any snapshot is judged, too. */
static void longer_than_any_snapshot(void **unused)
{
    (void)unused;
    row r = {"rollback", MC_MODE_TRUNCATE, MC_SYNC_EXTRA, "ext4", 4096};
    mc_cell cell = {0};
    mc_error error;
    if (judge(&r, 200, &cell, &error) != MC_OK) {
        fail_msg("%s", error.text);
    }
    assert_true(mpz_sgn(cell.proof->verdict[ABANDON][MC_TORN]) > 0);
    assert_int_equal(mpz_sgn(cell.proof->verdict[SQLITE][MC_TORN]), 0);
    mc_cell_free(&cell);
}

/* Promise: states beyond the budget are counted as such, and the rest is as before. */
static void what_is_not_closed_is_said(void **unused)
{
    (void)unused;
    row r = {"inplace", MC_MODE_DELETE, MC_SYNC_FULL, "psow", 4096};
    mc_cell cell = {0};
    mc_error error;
    assert_int_equal(judge(&r, 1, &cell, &error), MC_OK);
    assert_true(mpz_sgn(cell.proof->unresolved) > 0 && cell.explored.skipped > 0);
    assert_true(mpz_cmp(cell.proof->unresolved, cell.proof->total) < 0);
    mpz_t sum;
    mpz_init_set(sum, cell.proof->unresolved);
    for (uint32_t v = 0; v < MC_VERDICTS; v++) {
        mpz_add(sum, sum, cell.proof->verdict[SQLITE][v]);
    }
    assert_int_equal(mpz_cmp(sum, cell.proof->total), 0);
    mpz_clear(sum);
    mc_cell_free(&cell);
}

static int setup(void **unused)
{
    (void)unused;
    mc_error error;
    return mc_importers_parse("reject,abandon,recover,sqlite", &importers, &error) == MC_OK ? 0
                                                                                            : -1;
}

static int teardown(void **unused)
{
    (void)unused;
    mc_importers_free(&importers);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_are_brute_force),
        cmocka_unit_test(known_results),
        cmocka_unit_test(recovery_induced),
        cmocka_unit_test(skipped_records_are_not_checked),
        cmocka_unit_test(large_epochs_are_closed),
        cmocka_unit_test(longer_than_any_snapshot),
        cmocka_unit_test(what_is_not_closed_is_said),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
