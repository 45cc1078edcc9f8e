/* test_claims.c: the verdict of a claim is computed: what breaks a claim is planted, and the claim
 * must be refuted by it. What comes out of SQLite itself is in reports/test/test_claims_told.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/journal.h"
#include "core/test/sanitized.h"
#include "harness/claims/claiming.h"

static mc_claim_result tried;

static mc_claim_verdict verdict_of(uint32_t number, const mc_claim_plant *plant)
{
    mc_claims_options options = {.seed = 1, .plant = plant};
    mc_error error;
    uint32_t index = mc_claims_find(number);
    assert_true(index < MC_CLAIMS_MAX);
    if (mc_claims_test(&options, &mc_claims[index], &tried, &error) != MC_OK) {
        fail_msg("claim %u: %s", number, error.text);
    }
    print_message("claim %u: %s; %.300s\n", number, mc_claim_verdict_names[tried.verdict],
                  tried.note);
    return tried.verdict;
}

static bool is_journal(const mc_trace *trace, const mc_op *op)
{
    return op->file != MC_DISK_NONE && strcmp(mc_file_role(trace, op->file), "journal") == 0;
}

/* A pager that counts its records before they are synced, as at NORMAL. */
static void count_too_early(mc_trace *trace)
{
    for (size_t i = 0; i + 1 < trace->op_count; i++) {
        mc_op *op = &trace->op[i];
        const mc_op *next = op + 1;
        if (op->kind == MC_OP_SYNC && is_journal(trace, op) && next->kind == MC_OP_WRITE &&
            is_journal(trace, next) && next->size >= MC_JOURNAL_MAGIC_BYTES &&
            memcmp(next->data, mc_journal_magic, MC_JOURNAL_MAGIC_BYTES) == 0) {
            mc_op sync = *op;
            *op = *next;
            trace->op[i + 1] = sync;
        }
    }
}

/* A pager that forgets to sync its journal. */
static void forget_journal(mc_trace *trace)
{
    size_t kept = 0;
    for (size_t i = 0; i < trace->op_count; i++) {
        if (trace->op[i].kind != MC_OP_SYNC || !is_journal(trace, &trace->op[i])) {
            trace->op[kept++] = trace->op[i];
        }
    }
    trace->op_count = kept;
}

/* Promise: each of these is confirmed (or nearly) of SQLite and refuted where the defect is. */
static void planted_defects_refute(void **unused)
{
    (void)unused;
    static const mc_claim_plant without_journal = {.importer = "broken:no-journal"};
    static const mc_claim_plant old_salts = {.importer = "broken:old-salts"};
    static const mc_claim_plant early = {.edit = count_too_early};
    static const mc_claim_plant forgetful = {.edit = forget_journal};
    const struct {
        uint32_t number;
        const mc_claim_plant *plant;
    } rows[] = {{1, &without_journal}, {27, &without_journal}, {29, &old_salts}, {10, &early},
                {11, &early},          {34, &forgetful},       {25, &early}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool large = rows[i].number == 29 || rows[i].number == 34;
        if (SANITIZED && large) {
            continue;
        }
        mc_claim_verdict plain = verdict_of(rows[i].number, NULL);
        assert_true(plain == MC_CLAIM_CONFIRMED || plain == MC_CLAIM_SEEN);
        assert_int_equal(verdict_of(rows[i].number, rows[i].plant), MC_CLAIM_REFUTED);
        assert_true(tried.state[0] != '\0');
    }
}

/* Promise: claims that are asked of each state see a byte of main that is not what it was. */
static void damaged_states_refute(void **unused)
{
    (void)unused;
    static const mc_claim_plant version = {.flip = 18};
    static const mc_claim_plant row = {.flip = 9 * 4096 + 4000};
    const struct {
        uint32_t number;
        const mc_claim_plant *plant;
    } rows[] = {{23, &row}, {28, &row}, {31, &version}, {37, &row}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (SANITIZED && rows[i].number != 31) {
            continue;
        }
        assert_int_equal(verdict_of(rows[i].number, NULL), MC_CLAIM_CONFIRMED);
        assert_int_equal(verdict_of(rows[i].number, rows[i].plant), MC_CLAIM_REFUTED);
    }
}

/* Promise: a claim that something must be seen to be needed is refuted where it is not seen. */
static void what_is_not_seen_refutes(void **unused)
{
    (void)unused;
    static const uint32_t numbers[] = {12, 13, 17};
    mc_claim_plant atomic = {.profile = mc_power_find("sector-4096")};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        assert_int_equal(verdict_of(numbers[i], &atomic), MC_CLAIM_REFUTED);
    }
}

/* Promise: the table has the 38 claims, in order, each with an experiment. */
static void table_is_whole(void **unused)
{
    (void)unused;
    assert_int_equal(mc_claims_count(), 38);
    for (uint32_t i = 0; i < mc_claims_count(); i++) {
        assert_int_equal(mc_claims[i].number, i + 1);
        assert_true(mc_claims[i].rule != NULL || mc_claims[i].test != NULL);
        assert_true(mc_claims[i].text[0] != '\0' && mc_claims[i].page[0] != '\0');
        for (const mc_claim_rule *r = mc_claims[i].rule; r != NULL && r->label != NULL; r++) {
            assert_int_equal((r->never != 0) + (r->some != 0) + (r->count != 0), 1);
        }
    }
    assert_int_equal(mc_claims_find(39), MC_CLAIMS_MAX);
    assert_int_equal(mc_claims_find(0), MC_CLAIMS_MAX);
}

/* Promise: a result is a function of claim and seed. */
static void results_are_the_same_again(void **unused)
{
    (void)unused;
    static mc_claim_result first;
    verdict_of(15, NULL);
    first = tried;
    verdict_of(26, NULL);
    verdict_of(15, NULL);
    assert_memory_equal(&first, &tried, sizeof first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_whole),           cmocka_unit_test(results_are_the_same_again),
        cmocka_unit_test(what_is_not_seen_refutes), cmocka_unit_test(planted_defects_refute),
        cmocka_unit_test(damaged_states_refute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
