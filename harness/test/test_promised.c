/* test_promised.c: what is known of SQLite after a power loss, from its documents and from real
 * machines, comes out of the judge unforced, with every state accounted for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "harness/judge/judge.h"

/* Bits of the verdicts that SQLite must have of some states; the others it must have of none. */
enum {
    CLEAN = 1 << MC_CLEAN,
    STALE = 1 << MC_STALE,
    TORN = 1 << MC_TORN,
    MALFORMED = 1 << MC_REFUSED_TOO
};

typedef struct known {
    const char *workload;
    mc_mode mode;
    mc_sync sync;
    const char *profiles; /* with spaces between */
    uint32_t control;
    mc_promise promise;
} known;

static const known table[] = {
    /* The last commit is lost with the unlink of its journal; EXTRA, or another end of it, closes
     * exactly that (seen on real ext4, xfs and btrfs; pragma.html#pragma_synchronous). */
    {"grow", MC_MODE_DELETE, MC_SYNC_FULL, "ext4 ext4-ordered ext4-writeback xfs btrfs sector-512",
     CLEAN | STALE, MC_PROMISE_LAST},
    /* A commit that wrote nothing is lost with it, unseen. */
    {"equal", MC_MODE_DELETE, MC_SYNC_FULL, "xfs sector-512", CLEAN | STALE, MC_PROMISE_LAST},
    {"grow", MC_MODE_DELETE, MC_SYNC_NORMAL, "sector-512 sector-4096", CLEAN | STALE,
     MC_PROMISE_LAST},
    {"grow", MC_MODE_DELETE, MC_SYNC_EXTRA,
     "strict psow ext4 ext4-ordered ext4-writeback xfs btrfs sector-512", CLEAN, MC_PROMISE_CLEAN},
    {"grow", MC_MODE_TRUNCATE, MC_SYNC_FULL, "psow ext4 xfs btrfs sector-512", CLEAN,
     MC_PROMISE_CLEAN},
    {"grow", MC_MODE_PERSIST, MC_SYNC_FULL, "psow ext4 xfs btrfs sector-512", CLEAN,
     MC_PROMISE_CLEAN},
    /* atomiccommit.html 9.3: a part of a deleted journal is played back. */
    {"shrink", MC_MODE_DELETE, MC_SYNC_FULL, "nonatomic-unlink", CLEAN | STALE | TORN,
     MC_PROMISE_NOTHING},
    /* One sync for records and the header that counts them, in a block that is there. */
    {"spill", MC_MODE_DELETE, MC_SYNC_NORMAL, "ext4-ordered", CLEAN | STALE | TORN | MALFORMED,
     MC_PROMISE_NOTHING},
    {"spill", MC_MODE_DELETE, MC_SYNC_FULL, "xfs", CLEAN | STALE, MC_PROMISE_LAST},
    /* pragma.html: without syncs the database may be corrupted. */
    {"grow", MC_MODE_DELETE, MC_SYNC_OFF, "btrfs", CLEAN | STALE | MALFORMED, MC_PROMISE_NOTHING},
    /* pragma.html: WAL is consistent at NORMAL, and durable from FULL on. */
    {"grow", MC_MODE_WAL, MC_SYNC_NORMAL, "psow ext4 xfs btrfs", CLEAN | STALE, MC_PROMISE_STALE},
    {"grow", MC_MODE_WAL, MC_SYNC_FULL, "psow ext4 xfs btrfs", CLEAN, MC_PROMISE_CLEAN},
};

static uint32_t control_of(const mc_proof *proof)
{
    uint32_t bits = 0;
    for (int v = 0; v < MC_VERDICTS; v++) {
        bits |= mpz_sgn(proof->verdict[MC_IMPORTERS_MAX][v]) > 0 ? 1u << v : 0;
    }
    return bits;
}

static void check_one(const known *k, const char *profile)
{
    mc_error error = {0};
    mc_importers importers;
    mc_cell cell = {0};
    mc_record_options record = {.workload = k->workload,
                                .mode = k->mode,
                                .sync = k->sync,
                                .page_size = 4096,
                                .txns = 1,
                                .seed = 1};
    assert_int_equal(mc_importers_parse("sqlite,recover", &importers, &error), MC_OK);
    mc_judge_options options = {
        .record = &record, .importers = &importers, .power = mc_power_find(profile)};
    assert_non_null(options.power);
    print_message("%s/%s/%s/power:%s\n", k->workload, mc_mode_names[k->mode],
                  mc_sync_names[k->sync], profile);
    mc_status status = mc_judge(&options, &cell, &error);
    if (status != MC_OK) {
        fail_msg("%s", error.text);
    }
    mpz_t undecided;
    mpz_init(undecided);
    mc_proof_undecided(cell.proof, MC_IMPORTERS_MAX, undecided);
    assert_int_equal(mpz_sgn(undecided), 0);
    mpz_clear(undecided);
    assert_int_equal(control_of(cell.proof), k->control);
    assert_int_equal(cell.promise, k->promise);
    assert_int_equal(cell.control_dirty, 0);
    assert_int_equal(cell.disagreements, 0);
    assert_true(cell.compared > 0);
    mc_cell_free(&cell);
    mc_importers_free(&importers);
}

/* Promise: each row of what is known holds in every profile that it names. */
static void what_is_known_comes_out(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        for (const char *at = table[i].profiles; *at != '\0';) {
            char profile[40];
            size_t size = strcspn(at, " ");
            (void)snprintf(profile, sizeof profile, "%.*s", (int)size, at);
            check_one(&table[i], profile);
            at += size + (at[size] == ' ');
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_known_comes_out)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
