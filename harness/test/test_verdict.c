/* test_verdict.c: every verdict and detail, and every row of what SQLite promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "crashsim/power.h"
#include "harness/judge/verdict.h"

enum { NONE = MC_NO_CLASS };

typedef struct row {
    const char *expected; /* as mc_verdict_text says it */
    mc_outcome_kind kind;
    uint32_t class; /* of the image; for an image that is no snapshot: what detectors noticed */
    uint32_t acked;
    uint32_t begun;
    bool control_recovers;
} row;

/* Eight snapshots; 3 gives back the content of 1; 4 changes nothing; class 0 has no schema. */
static const uint32_t classes[] = {0, 1, 2, 1, 1, 5, 6, 7};

static const row rows[] = {
    {"clean, exact", MC_OUTCOME_SNAPSHOT, 0, 0, 0, true},
    {"clean, exact", MC_OUTCOME_SNAPSHOT, 6, 6, 6, true},
    {"clean, exact", MC_OUTCOME_SNAPSHOT, 6, 6, 7, true},
    {"clean, ahead", MC_OUTCOME_SNAPSHOT, 7, 6, 7, true},
    {"clean, ahead", MC_OUTCOME_SNAPSHOT, 1, 0, 1, true},
    {"clean, exact", MC_OUTCOME_SNAPSHOT, 1, 3, 4, true}, /* the next one changes nothing */
    {"clean, exact", MC_OUTCOME_SNAPSHOT, 1, 4, 5, true},
    {"stale, behind 1", MC_OUTCOME_SNAPSHOT, 2, 3, 3, true},
    {"stale, behind 1", MC_OUTCOME_SNAPSHOT, 1, 5, 6, true}, /* the newest of three equal ones */
    {"stale, behind 2", MC_OUTCOME_SNAPSHOT, 1, 6, 6, true},
    {"stale, behind 4", MC_OUTCOME_SNAPSHOT, 2, 6, 7, true},
    {"stale, empty", MC_OUTCOME_SNAPSHOT, 0, 1, 1, true},
    {"stale, empty", MC_OUTCOME_SNAPSHOT, 0, 7, 7, false},
    {"torn, silent", MC_OUTCOME_SNAPSHOT, 7, 5, 6, true}, /* what nobody had written yet */
    {"torn, silent", MC_OUTCOME_SNAPSHOT, 6, 5, 5, true}, /* nor even begun */
    {"torn, silent", MC_OUTCOME_OTHER, 0, 3, 3, true},
    {"torn, loud", MC_OUTCOME_OTHER, 8, 3, 3, true},
    {"torn, loud", MC_OUTCOME_OTHER, 31, 0, 1, false},
    {"blocked: wal-exists", MC_OUTCOME_REFUSED, 0, 3, 3, true},
    {"refused: wal-exists", MC_OUTCOME_REFUSED, 0, 3, 3, false},
};

/* Promise: the verdict is what the table of the contract says, for each verdict and detail, and an
 * older snapshot is never called clean. */
static void verdicts_are_the_contracts(void **unused)
{
    (void)unused;
    uint32_t seen = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const row *r = &rows[i];
        mc_outcome outcome = {.kind = r->kind,
                              .content_class = r->class,
                              .noticed = r->kind == MC_OUTCOME_OTHER ? r->class : 0,
                              .reason = "wal-exists"};
        mc_verdict verdict =
            mc_verdict_of(&outcome, classes, r->acked, r->begun, 0, r->control_recovers);
        char text[64];
        mc_verdict_text(&verdict, text, sizeof text);
        assert_string_equal(text, r->expected);
        seen |= 1u << verdict.kind;
    }
    assert_int_equal(seen, (1u << MC_VERDICTS) - 1);
    /* What a check notices is loud, also when a later commit has the same content. */
    mc_outcome later = {.kind = MC_OUTCOME_SNAPSHOT, .content_class = 7, .noticed = 2};
    assert_false(mc_verdict_of(&later, classes, 5, 6, 0, true).silent);
}

/* Promise: without a snapshot that lacks a schema nothing is called empty. */
static void empty_needs_an_empty_snapshot(void **unused)
{
    (void)unused;
    mc_outcome outcome = {.kind = MC_OUTCOME_SNAPSHOT, .content_class = 0};
    mc_verdict verdict = mc_verdict_of(&outcome, classes, 2, 2, NONE, true);
    assert_int_equal(verdict.kind, MC_STALE);
    assert_false(verdict.empty);
    assert_int_equal(verdict.behind, 2);
}

static const char *const crashes[] = {"kill", "kv"};

/* What the contract says, row by row, in words of its own: C clean, N nothing. Per mode, over the
 * levels of synchronous off, normal, full, extra. */
static const struct {
    const char *crash;
    mc_mode mode;
    uint32_t databases;
    const char *expected;
} promised[] = {
    {"kill", MC_MODE_DELETE, 1, "CCCC"},  {"kill", MC_MODE_TRUNCATE, 1, "CCCC"},
    {"kill", MC_MODE_PERSIST, 1, "CCCC"}, {"kill", MC_MODE_WAL, 1, "CCCC"},
    {"kill", MC_MODE_MEMORY, 1, "NNNN"},  {"kill", MC_MODE_OFF, 1, "NNNN"},
    {"kill", MC_MODE_DELETE, 2, "NCCC"},  {"kill", MC_MODE_TRUNCATE, 2, "NCCC"},
    {"kill", MC_MODE_PERSIST, 2, "NCCC"}, {"kill", MC_MODE_WAL, 2, "NNNN"},
    {"kill", MC_MODE_MEMORY, 2, "NNNN"},  {"kill", MC_MODE_OFF, 2, "NNNN"},
    {"kv", MC_MODE_DELETE, 1, "CCCC"},    {"kv", MC_MODE_MEMORY, 1, "NNNN"},
    {"kv", MC_MODE_OFF, 1, "NNNN"},       {"power-of-another-kind", MC_MODE_DELETE, 1, "NNNN"},
};

/* For power: L the last may be lost, S back to the last sync. Modes in the order of mc_mode. */
static const struct {
    const char *profile;
    const char *expected[MC_MODES];
} promised_power[] = {
    {"strict", {"NNNC", "NNCC", "NNCC", "NNNN", "NNNN", "NNNN"}},
    {"psow", {"NNNC", "NNCC", "NNCC", "NNNN", "NNNN", "NSCC"}},
    {"sector-512", {"NLLC", "NLCC", "NNCC", "NNNN", "NNNN", "NSCC"}},
    {"sector-4096", {"NLLC", "NLCC", "NNCC", "NNNN", "NNNN", "NSCC"}},
    {"ext4-ordered", {"NNLC", "NNCC", "NNCC", "NNNN", "NNNN", "NSCC"}},
    {"ext4-writeback", {"NNLC", "NNCC", "NNCC", "NNNN", "NNNN", "NSCC"}},
    {"lying-sync", {"NNNN", "NNNN", "NNNN", "NNNN", "NNNN", "NNNN"}},
    {"no-dirsync", {"NNNN", "NNNN", "NNNN", "NNNN", "NNNN", "NNNN"}},
    {"xfs", {"NNLC", "NNCC", "NNCC", "NNNN", "NNNN", "NSCC"}},
    {"btrfs", {"NNLC", "NNCC", "NNCC", "NNNN", "NNNN", "NSCC"}},
    {"nonatomic-unlink", {"NNNN", "NNCC", "NNCC", "NNNN", "NNNN", "NNNN"}},
    {"ext4", {"NNLC", "NNCC", "NNCC", "NNNN", "NNNN", "NSCC"}},
};

/* Promise: each profile of power has its row of promises, with a source for every combination. */
static void promises_of_power_are_the_contracts(void **unused)
{
    (void)unused;
    static const char letters[] = "CLSN";
    size_t profiles = 0;
    for (; mc_power_profiles[profiles].name != NULL; profiles++) {
        assert_string_equal(mc_power_profiles[profiles].name, promised_power[profiles].profile);
        char crash[64];
        (void)snprintf(crash, sizeof crash, "power:%s", mc_power_profiles[profiles].name);
        for (int mode = 0; mode < MC_MODES; mode++) {
            for (int sync = 0; sync < MC_SYNCS; sync++) {
                const char *source = NULL;
                mc_promise promise = mc_promise_of((mc_mode)mode, (mc_sync)sync, crash, 1, &source);
                assert_int_equal(letters[promise], promised_power[profiles].expected[mode][sync]);
                assert_string_not_equal(source, "no promise is documented");
                assert_int_equal(mc_promise_of((mc_mode)mode, (mc_sync)sync, crash, 2, &source),
                                 MC_PROMISE_NOTHING);
            }
        }
    }
    assert_int_equal(profiles, sizeof promised_power / sizeof *promised_power);
    const char *source = NULL; /* a name is a whole word */
    assert_int_equal(mc_promise_of(MC_MODE_WAL, MC_SYNC_FULL, "power:sector-51", 1, &source),
                     MC_PROMISE_NOTHING);
}

/* Promise: the table of promises says what the contract says, and each row names its source. */
static void promises_are_the_contracts(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof promised / sizeof *promised; i++) {
        for (int sync = 0; sync < MC_SYNCS; sync++) {
            const char *source = NULL;
            mc_promise promise = mc_promise_of(promised[i].mode, (mc_sync)sync, promised[i].crash,
                                               promised[i].databases, &source);
            assert_int_equal(promise, promised[i].expected[sync] == 'C' ? MC_PROMISE_CLEAN
                                                                        : MC_PROMISE_NOTHING);
            assert_true(source != NULL && strlen(source) > 10);
        }
    }
    for (size_t i = 0; i < 2; i++) { /* no combination is without an answer */
        for (int mode = 0; mode < MC_MODES; mode++) {
            const char *source = NULL;
            (void)mc_promise_of((mc_mode)mode, MC_SYNC_FULL, crashes[i], 1, &source);
            assert_non_null(source);
        }
    }
}

/* Promise: which verdict keeps which promise. */
static void promises_are_kept_or_broken(void **unused)
{
    (void)unused;
    static const mc_verdict verdict[] = {
        {.kind = MC_CLEAN},
        {.kind = MC_CLEAN, .ahead = true},
        {.kind = MC_STALE, .behind = 1, .changes = 1},
        {.kind = MC_STALE, .behind = 2, .changes = 1}, /* the last one wrote nothing */
        {.kind = MC_STALE, .behind = 2, .changes = 2},
        {.kind = MC_TORN},
        {.kind = MC_BLOCKED},
        {.kind = MC_REFUSED_TOO},
    };
    static const struct {
        mc_promise promise;
        const char *kept; /* by verdict: y or n */
    } table[] = {
        {MC_PROMISE_CLEAN, "yynnnnnn"},
        {MC_PROMISE_LAST, "yyyynnnn"},
        {MC_PROMISE_STALE, "yyyyynnn"},
        {MC_PROMISE_NOTHING, "yyyyyyyy"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        for (size_t k = 0; k < sizeof verdict / sizeof *verdict; k++) {
            assert_int_equal(mc_promise_kept(table[i].promise, &verdict[k]),
                             table[i].kept[k] == 'y');
        }
    }
}

/* Promise: the first case of a row is the worst there is: torn, then stale, then blocked. */
static void the_worst_comes_first(void **unused)
{
    (void)unused;
    static const mc_verdict_kind order[] = {MC_CLEAN, MC_REFUSED_TOO, MC_BLOCKED, MC_STALE,
                                            MC_TORN};
    assert_int_equal(mc_verdict_rank(MC_CLEAN), 0);
    for (size_t i = 1; i < sizeof order / sizeof *order; i++) {
        assert_true(mc_verdict_rank(order[i]) > mc_verdict_rank(order[i - 1]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_are_the_contracts),
        cmocka_unit_test(empty_needs_an_empty_snapshot),
        cmocka_unit_test(promises_are_the_contracts),
        cmocka_unit_test(promises_of_power_are_the_contracts),
        cmocka_unit_test(promises_are_kept_or_broken),
        cmocka_unit_test(the_worst_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
