#include "cli/commands.h"

#include <stdio.h>
#include <string.h>

#include "cli/options.h"
#include "reports/report.h"

static const mc_option table[] = {
    {"importer", "NAME", "whose image is shown", "abandon"},
    {"output", "FOLDER", "write the state, the image and the snapshots there", NULL},
    {"txns", "N", "as in the run that named the state", NULL},
    {"page-size", "N", "as in that run", "4096"},
    {"cache-pages", "N", "as in that run", NULL},
    {"seed", "N", "as in that run", "1"},
    {NULL, NULL, NULL, NULL},
};

static mc_status parse(const mc_arguments *a, mc_record_options *record, mc_error *error)
{
    uint64_t seed;
    uint64_t page;
    uint64_t txns = 0;
    uint64_t cache = 0;
    mc_status status = mc_options_number(a, "seed", 0, INT64_MAX, &seed, error);
    status = status == MC_OK ? mc_options_number(a, "page-size", 512, 65536, &page, error) : status;
    if (status == MC_OK && mc_options_given(a, "txns")) {
        status = mc_options_number(a, "txns", 1, 100000, &txns, error);
    }
    if (status == MC_OK && mc_options_given(a, "cache-pages")) {
        status = mc_options_number(a, "cache-pages", 1, 1000000, &cache, error);
    }
    if (status != MC_OK) {
        return status;
    }
    record->seed = seed;
    record->page_size = record->kv ? 4096 : (uint32_t)page;
    record->txns = (uint32_t)txns;
    record->cache_pages = (uint32_t)cache;
    return MC_OK;
}

/* The three built-in importers and SQLite, and the one asked for if it is none of them. */
static mc_status choose(const char *wanted, mc_importers *importers, uint32_t *subject,
                        mc_error *error)
{
    static const char usual[] = "reject,abandon,recover,sqlite";
    mc_importers one;
    mc_status status = mc_importers_parse(wanted, &one, error);
    if (status == MC_OK && one.count != 1) {
        status = mc_fail(error, MC_USAGE, "usage", "--importer: one name, not a list");
    }
    bool known = status == MC_OK && one.chosen[0].kind <= MC_IMPORTER_SQLITE;
    mc_importers_free(&one);
    char list[4200];
    int size = snprintf(list, sizeof list, "%s%s%s", usual, known ? "" : ",", known ? "" : wanted);
    if (status == MC_OK && (size < 0 || (size_t)size >= sizeof list)) {
        status = mc_fail(error, MC_USAGE, "usage", "--importer: too long");
    }
    status = status == MC_OK ? mc_importers_parse(list, importers, error) : status;
    *subject = importers->count - 1;
    for (uint32_t i = 0; status == MC_OK && known && i < importers->count; i++) {
        *subject = strcmp(importers->chosen[i].name, wanted) == 0 ? i : *subject;
    }
    return status;
}

int mc_command_explain(int argc, char **argv)
{
    mc_arguments a;
    mc_error error;
    mc_status status = mc_options_parse(
        table, "explain STATE [options]",
        "Tells the story of one crash state: what SQLite was doing, what was left, what an "
        "importer\n"
        "made of it and who notices. STATE is the name that `run` prints, such as\n"
        "inplace/delete/full/kill/57+4096 or inplace/wal/full/kill/20@other-wal.",
        argc, argv, &a, &error);
    if (status != MC_OK || a.help) {
        return status == MC_OK ? MC_EXIT_OK : mc_options_fail(&error);
    }
    if (a.operand_count != 1) {
        (void)mc_fail(&error, MC_USAGE, "usage",
                      "explain: exactly one STATE; see midcommit explain --help");
        return mc_options_fail(&error);
    }
    mc_arena arena = {.limit_bytes = 1 << 20};
    mc_record_options record = {0};
    mc_importers importers = {0};
    mc_story story = {0};
    size_t point = 0;
    uint32_t cut = 0;
    uint32_t mistake = 0;
    uint32_t subject = 0;
    status = mc_story_parse(a.operand[0], &arena, &record, &point, &cut, &mistake, &error);
    status = status == MC_OK ? parse(&a, &record, &error) : status;
    status = status == MC_OK ? choose(mc_options_get(&a, "importer"), &importers, &subject, &error)
                             : status;
    if (status == MC_OK) {
        mc_judge_options options = {
            .record = &record, .importers = &importers, .sidecars = 1u << mistake};
        const char *folder = mc_options_get(&a, "output");
        status = mc_story_tell(&options, point, cut, subject, folder, &story, &error);
        if (status == MC_OK) {
            mc_report_story(&story, folder, stdout);
        }
    }
    mc_story_free(&story);
    mc_importers_free(&importers);
    mc_arena_free(&arena);
    return status == MC_OK ? MC_EXIT_OK : mc_options_fail(&error);
}
