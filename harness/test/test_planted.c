/* test_planted.c: importers with one planted mistake each; the harness must catch every one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "crashsim/workload.h"
#include "harness/judge/judge.h"
#include "harness/importer/broken.h"

/* A mistake shows only where a crash can reach it: the cell is part of what is known. */
typedef struct planted {
    const char *name;
    const char *workload;
    mc_mode mode;
    mc_sync sync;
    uint32_t verdicts; /* bits of mc_verdict_kind, one of which at least must come up */
} planted;

static const planted plants[] = {
    {"broken:no-journal", "inplace", MC_MODE_DELETE, MC_SYNC_FULL, 1u << MC_TORN},
    {"broken:cold-journal", "inplace", MC_MODE_PERSIST, MC_SYNC_FULL,
     1u << MC_STALE | 1u << MC_TORN},
    {"broken:journal-checksum", "inplace", MC_MODE_PERSIST, MC_SYNC_OFF, 1u << MC_TORN},
    {"broken:last-record", "spill", MC_MODE_DELETE, MC_SYNC_FULL, 1u << MC_TORN},
    {"broken:main-size", "grow", MC_MODE_DELETE, MC_SYNC_FULL, 1u << MC_TORN},
    {"broken:super-journal", "attach", MC_MODE_DELETE, MC_SYNC_FULL,
     1u << MC_STALE | 1u << MC_TORN},
    {"broken:no-wal", "inplace", MC_MODE_WAL, MC_SYNC_FULL, 1u << MC_STALE},
    {"broken:last-frame", "inplace", MC_MODE_WAL, MC_SYNC_FULL, 1u << MC_TORN},
    {"broken:past-commit", "spill", MC_MODE_WAL, MC_SYNC_FULL, 1u << MC_TORN},
    {"broken:wal-checksum", "walreset", MC_MODE_WAL, MC_SYNC_FULL, 1u << MC_TORN},
    {"broken:first-header", "grow", MC_MODE_WAL, MC_SYNC_FULL, 1u << MC_TORN},
    {"broken:old-salts", "walreset", MC_MODE_WAL, MC_SYNC_FULL, 1u << MC_STALE | 1u << MC_TORN},
};

static uint64_t failing_findings(const mc_cell *cell, uint32_t importer)
{
    uint64_t states = 0;
    for (uint32_t i = 0; i < cell->finding_count; i++) {
        const mc_finding *finding = &cell->finding[i];
        states += finding->fails && finding->importer == importer ? finding->count : 0;
    }
    return states;
}

/* Promise: each planted mistake gives states that are not clean though SQLite's are, as findings
 * that fail the run, with the verdict that the mistake must give; the right importer, judged beside
 * it on the same states, gives none. */
static void every_planted_mistake_is_caught(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof plants / sizeof *plants; i++) {
        const planted *p = &plants[i];
        mc_importers importers = {
            .chosen = {{MC_IMPORTER_SO, "so:right", mc_broken_find("broken:none"), NULL, NULL},
                       {MC_IMPORTER_SO, "so:planted", mc_broken_find(p->name), NULL, NULL}},
            .count = 2};
        mc_record_options record = {.workload = p->workload,
                                    .mode = p->mode,
                                    .sync = p->sync,
                                    .page_size = 4096,
                                    .seed = 1};
        mc_judge_options options = {.record = &record, .importers = &importers, .required = 3};
        mc_cell cell = {0};
        mc_error error;
        if (mc_judge(&options, &cell, &error) != MC_OK) {
            print_error("%s: %s\n", p->name, error.text);
            fail();
        }
        const mc_tally *good = &cell.tally[0];
        const mc_tally *bad = &cell.tally[1];
        uint64_t telling = 0;
        for (uint32_t v = 0; v < MC_VERDICTS; v++) {
            telling += (p->verdicts & 1u << v) != 0 ? bad->verdict[v] : 0;
        }
        if (good->unmet != 0 || bad->unmet == 0 || telling == 0) {
            print_error("%s: right %llu unmet (%s), planted %llu unmet, %llu telling\n", p->name,
                        (unsigned long long)good->unmet, good->first_case,
                        (unsigned long long)bad->unmet, (unsigned long long)telling);
            fail();
        }
        assert_int_equal(good->verdict[MC_CLEAN], cell.explored.states);
        assert_int_equal(failing_findings(&cell, 0), 0);
        assert_int_equal(failing_findings(&cell, 1), bad->unmet);
        assert_true(bad->first_case[0] != '\0');
        mc_cell_free(&cell);
    }
}

/* Promise: an importer that is not required is reported and fails nothing. */
static void what_is_not_required_does_not_fail(void **unused)
{
    (void)unused;
    mc_importers importers = {
        .chosen = {{MC_IMPORTER_SO, "so:planted", mc_broken_find("broken:no-journal"), NULL, NULL}},
        .count = 1};
    mc_record_options record = {.workload = "inplace",
                                .mode = MC_MODE_DELETE,
                                .sync = MC_SYNC_FULL,
                                .page_size = 4096,
                                .txns = 1,
                                .seed = 1};
    mc_judge_options options = {.record = &record, .importers = &importers};
    mc_cell cell = {0};
    mc_error error;
    assert_int_equal(mc_judge(&options, &cell, &error), MC_OK);
    assert_true(cell.tally[0].unmet > 0);
    assert_true(cell.finding_count > 0);
    assert_int_equal(failing_findings(&cell, 0), 0);
    mc_cell_free(&cell);
}

static mc_status other_size(const mc_input *input, mc_arena *arena, mc_import *out, mc_error *error)
{
    mc_status status = mc_broken_find("broken:none")->import(input, arena, out, error);
    const uint8_t **page = mc_arena_calloc(arena, (size_t)out->image.page_count * 4, sizeof *page);
    if (status != MC_OK || page == NULL || out->image.page_count == 0) {
        return status;
    }
    for (uint32_t i = 0; i < out->image.page_count * 4; i++) {
        page[i] = out->image.page[i / 4] + (size_t)(i % 4) * 1024;
    }
    out->image = (mc_image){1024, out->image.page_count * 4, page};
    return MC_OK;
}

/* The right bytes under a wrong page size. */
static const mc_importer wrong_page_size = {MC_IMPORTER_ABI, "wrong_page_size", "planted",
                                            other_size};

static mc_status refuse_all(const mc_input *input, mc_arena *arena, mc_import *out, mc_error *error)
{
    (void)input;
    (void)arena;
    (void)out;
    return mc_fail(error, MC_REFUSED, "never", "never imports");
}

static const mc_importer refuses = {MC_IMPORTER_ABI, "refuses", "planted", refuse_all};

static mc_status import_nothing(const mc_input *input, mc_arena *arena, mc_import *out,
                                mc_error *error)
{
    (void)input;
    (void)arena;
    (void)error;
    out->image = (mc_image){0};
    return MC_OK;
}

static const mc_importer empties = {MC_IMPORTER_ABI, "empties", "planted", import_nothing};

/* Promise: images of another page size are torn, refusals of good data blocked, and an empty image
 * is stale-empty once something was acknowledged: never clean. */
static void gross_mistakes_get_their_names(void **unused)
{
    (void)unused;
    mc_importers importers = {.chosen = {{MC_IMPORTER_SO, "so:size", &wrong_page_size, NULL, NULL},
                                         {MC_IMPORTER_SO, "so:refuses", &refuses, NULL, NULL},
                                         {MC_IMPORTER_SO, "so:empties", &empties, NULL, NULL}},
                              .count = 3};
    mc_record_options record = {.workload = "grow",
                                .mode = MC_MODE_DELETE,
                                .sync = MC_SYNC_FULL,
                                .page_size = 4096,
                                .txns = 3,
                                .seed = 1};
    mc_judge_options options = {.record = &record, .importers = &importers, .required = 7};
    mc_cell cell = {0};
    mc_error error;
    assert_int_equal(mc_judge(&options, &cell, &error), MC_OK);
    const mc_tally *size = &cell.tally[0];
    assert_true(size->verdict[MC_TORN] > cell.explored.states / 2);
    assert_int_equal(size->silent, 0);
    assert_int_equal(size->verdict[MC_CLEAN] + size->verdict[MC_TORN], cell.explored.states);
    const mc_tally *no = &cell.tally[1];
    assert_int_equal(no->verdict[MC_CLEAN], 1); /* before there was any file */
    assert_int_equal(no->verdict[MC_BLOCKED], cell.explored.states - 1);
    const mc_tally *none = &cell.tally[2];
    assert_true(none->empty > cell.explored.states / 2);
    assert_int_equal(none->empty, none->verdict[MC_STALE]);
    assert_int_equal(none->verdict[MC_CLEAN] + none->empty, cell.explored.states);
    mc_cell_free(&cell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_planted_mistake_is_caught),
        cmocka_unit_test(what_is_not_required_does_not_fail),
        cmocka_unit_test(gross_mistakes_get_their_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
