#include "cli/commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/options.h"
#include "harness/case/casefound.h"
#include "harness/case/replay.h"
#include "reports/report.h"

static const mc_option table[] = {
    {"importer", "NAME", "whose image is shown; of a case, its own", "abandon"},
    {"output", "FOLDER", "write the state, the image and the snapshots there", NULL},
    {"save", "FILE", "keep the state as a case", NULL},
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

/* The usual importers, and the one asked for if it is none of them. */
static mc_status choose(const char *wanted, mc_importers *importers, uint32_t *subject,
                        mc_error *error)
{
    mc_importers one;
    char name[4096] = "";
    mc_status status = mc_importers_parse(wanted, &one, error);
    if (status == MC_OK && one.count != 1) {
        status = mc_fail(error, MC_USAGE, "usage", "--importer: one name, not a list");
    }
    if (status == MC_OK) {
        (void)snprintf(name, sizeof name, "%s", one.chosen[0].name);
    }
    mc_importers_free(&one);
    status = status == MC_OK ? mc_importers_usual(wanted, importers, error) : status;
    for (uint32_t i = 0; status == MC_OK && i < importers->count; i++) {
        *subject = strcmp(importers->chosen[i].name, name) == 0 ? i : *subject;
    }
    return status;
}

/* A state that was recorded again. */
static mc_status explain_state(const mc_arguments *a, mc_error *error)
{
    mc_arena arena = {.limit_bytes = 1 << 20};
    mc_record_options record = {0};
    mc_importers importers = {0};
    mc_story story = {0};
    const char *save = mc_options_get(a, "save");
    uint32_t mistake = 0;
    const mc_power_profile *power = NULL;
    mc_case kept = {0};
    mc_story_request request = {.folder = mc_options_get(a, "output"),
                                .keep = save != NULL ? &kept : NULL};
    mc_status status =
        mc_story_parse(a->operand[0], &arena, &record, &request, &mistake, &power, error);
    status = status == MC_OK ? parse(a, &record, error) : status;
    status = status == MC_OK
                 ? choose(mc_options_get(a, "importer"), &importers, &request.subject, error)
                 : status;
    if (status == MC_OK) {
        mc_judge_options options = {
            .record = &record, .importers = &importers, .power = power, .sidecars = 1u << mistake};
        status = mc_story_tell(&options, &request, &story, error);
    }
    if (status == MC_OK && save != NULL) {
        status = mc_case_write(&kept, save, error);
    }
    if (status == MC_OK) {
        static const char *const names[] = {"txns", "page-size", "cache-pages", "seed", NULL};
        char asked[400];
        mc_options_repeat(a, names, asked, sizeof asked);
        mc_story_place place = {.program = program_invocation_name,
                                .operand = a->operand[0],
                                .options = asked,
                                .folder = request.folder};
        mc_report_story(&story, &place, stdout);
    }
    mc_case_free(&kept);
    mc_story_free(&story);
    mc_importers_free(&importers);
    mc_arena_free(&arena);
    return status;
}

/* Tells the story of a case. */
static mc_status tell_case(const mc_arguments *a, const mc_case *c, bool is_file,
                           const char *subject, mc_error *error)
{
    mc_importers importers = {0};
    mc_story story = {0};
    mc_story_request request = {.folder = mc_options_get(a, "output")};
    mc_status status = choose(subject, &importers, &request.subject, error);
    if (status == MC_USAGE && !mc_options_given(a, "importer")) {
        status = MC_MALFORMED; /* not the user's word */
        error->status = status;
    }
    status = status == MC_OK ? mc_story_of_case(c, &importers, &request, &story, error) : status;
    if (status == MC_OK) {
        mc_story_place place = {.program = program_invocation_name,
                                .operand = a->operand[0],
                                .options = "",
                                .is_case = is_file,
                                .folder = request.folder};
        mc_report_story(&story, &place, stdout);
    }
    mc_story_free(&story);
    mc_importers_free(&importers);
    return status;
}

static mc_status refuse_recorded(const mc_arguments *a, mc_error *error)
{
    static const char *const recorded[] = {"txns", "page-size", "cache-pages", "seed"};
    for (size_t i = 0; i < sizeof recorded / sizeof *recorded; i++) {
        if (mc_options_given(a, recorded[i])) {
            return mc_fail(error, MC_USAGE, "usage", "explain: --%s is for a STATE, not a file",
                           recorded[i]);
        }
    }
    return MC_OK;
}

/* A case; its own importer unless another is asked for. A case may come from anywhere, so what it
 * names is not run unless the user names it. */
static mc_status explain_case(const mc_arguments *a, mc_error *error)
{
    mc_case c = {0};
    char own[8400] = "";
    mc_status status = refuse_recorded(a, error);
    if (status == MC_OK && mc_options_given(a, "save")) {
        status = mc_fail(error, MC_USAGE, "usage", "explain: --save: it is a case already");
    }
    status = status == MC_OK ? mc_case_read(a->operand[0], &c, error) : status;
    if (status != MC_OK) {
        return status;
    }
    bool asked = mc_options_given(a, "importer");
    if (!mc_importers_append(own, sizeof own, mc_case_text(&c, "importer")) && !asked) {
        status = mc_fail(error, MC_MALFORMED, "case-facts", "%s: its importer has no usable name",
                         a->operand[0]);
    }
    if (status == MC_OK && !asked &&
        (strncmp(own, "exec:", 5) == 0 || strncmp(own, "so:", 3) == 0)) {
        status =
            mc_fail(error, MC_USAGE, "importer",
                    "%s: its importer %.100s runs only if --importer names it", a->operand[0], own);
    }
    if (status == MC_OK) {
        status = tell_case(a, &c, true, asked ? mc_options_get(a, "importer") : own, error);
    }
    mc_case_free(&c);
    return status;
}

/* A database with its sidecars, or a v1 dump: judged against what SQLite recovers from it. */
static mc_status explain_found(const mc_arguments *a, mc_source_kind kind, mc_error *error)
{
    mc_source source;
    mc_case c = {0};
    mc_importers importers = {0};
    uint32_t subject = 0;
    const char *path = a->operand[0];
    const char *save = mc_options_get(a, "save");
    const char *slash = strrchr(path, '/');
    char name[100];
    (void)snprintf(name, sizeof name, "%.99s", slash != NULL ? slash + 1 : path);
    mc_status status = refuse_recorded(a, error);
    if (status != MC_OK) {
        return status;
    }
    status = mc_source_open(&source, kind, path, MC_CASE_BYTES_MAX / 4, error);
    status = status == MC_OK ? choose(mc_options_get(a, "importer"), &importers, &subject, error)
                             : status;
    status =
        status == MC_OK ? mc_case_found(&source, name, &importers, subject, &c, error) : status;
    status = status == MC_OK && save != NULL ? mc_case_write(&c, save, error) : status;
    if (status == MC_OK) {
        status = tell_case(a, &c, false, mc_options_get(a, "importer"), error);
    }
    mc_source_close(&source);
    mc_importers_free(&importers);
    mc_case_free(&c);
    return status;
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text);
    return size > strlen(end) && strcmp(text + size - strlen(end), end) == 0;
}

/* Case, database or neither, by how it begins; an empty file is an empty database. */
static mc_status explain_file(const mc_arguments *a, const char *path, uint64_t size,
                              mc_error *error)
{
    static const unsigned char zstd[4] = {0x28, 0xb5, 0x2f, 0xfd}; /* RFC 8878 3.1.1 */
    char head[16] = "";
    FILE *file = fopen(path, "re");
    size_t have = file != NULL ? fread(head, 1, sizeof head, file) : 0;
    if (file != NULL) {
        (void)fclose(file);
    }
    if (size == 0 || memcmp(head, "SQLite format 3", sizeof head) == 0) {
        return explain_found(a, MC_SOURCE_FILES, error);
    }
    if (have >= sizeof zstd && memcmp(head, zstd, sizeof zstd) == 0) {
        return explain_case(a, error);
    }
    return mc_fail(error, MC_MALFORMED, "not-a-case",
                   "%s: neither a case, nor a database, nor a v1 dump (.jsonl)", path);
}

static mc_status explain(const mc_arguments *a, mc_error *error)
{
    const char *operand = a->operand[0];
    struct stat info;
    bool file = stat(operand, &info) == 0 && S_ISREG(info.st_mode);
    if (ends_with(operand, ".case")) {
        return explain_case(a, error);
    }
    if (file && ends_with(operand, ".jsonl")) {
        return explain_found(a, MC_SOURCE_DUMP, error);
    }
    return file ? explain_file(a, operand, (uint64_t)info.st_size, error) : explain_state(a, error);
}

int mc_command_explain(int argc, char **argv)
{
    mc_arguments a;
    mc_error error;
    mc_status status = mc_options_parse(
        table, "explain STATE|CASE|DATABASE|DUMP.jsonl [options]",
        "Tells the story of one crash state: what SQLite was doing, what was left, what an "
        "importer\n"
        "made of it and who notices. STATE is the name that `run` prints, such as\n"
        "inplace/delete/full/kill/57+4096, inplace/wal/full/kill/20@other-wal or\n"
        "inplace/delete/full/power:psow/202+101; CASE is a case file. A DATABASE with its "
        "sidecars, "
        "or a\n"
        "v1 DUMP, is judged against what SQLite recovers from it.",
        argc, argv, &a, &error);
    if (status != MC_OK || a.help) {
        return status == MC_OK ? MC_EXIT_OK : mc_options_fail(&error);
    }
    if (a.operand_count != 1) {
        (void)mc_fail(
            &error, MC_USAGE, "usage",
            "explain: exactly one STATE, CASE, DATABASE or DUMP; see midcommit explain --help");
        return mc_options_fail(&error);
    }
    status = explain(&a, &error);
    return status == MC_OK ? MC_EXIT_OK : mc_options_fail(&error);
}
