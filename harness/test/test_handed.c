/* test_handed.c: what comes of states that are handed over with a mistake: recover agrees with
 * SQLite on all of them, what is known beforehand comes out, and names, stories, results and tables
 * say which mistake it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/test/sanitized.h"
#include "harness/judge/handover.h"
#include "harness/case/story.h"

enum { ALL = (1u << 13) - 1 };

static void check(mc_status status, const mc_error *error)
{
    if (status != MC_OK) {
        print_error("%s\n", error->text);
        fail();
    }
}

/* Every mistake's cell of one workload; `txns` transactions of it, 0: its own number. */
static void judge_some(const char *workload, mc_mode mode, const char *importers, uint32_t sidecars,
                       uint32_t txns, mc_cell *cell)
{
    mc_error error = {0};
    mc_importers chosen;
    mc_record_options record = {
        .workload = workload, .mode = mode, .sync = MC_SYNC_FULL, .page_size = 4096, .seed = 1};
    record.txns = txns;
    check(mc_importers_parse(importers, &chosen, &error), &error);
    mc_judge_options options = {
        .record = &record, .importers = &chosen, .required = 4, .sidecars = sidecars};
    memset(cell, 0, MC_MISTAKES_MAX * sizeof *cell);
    check(mc_judge(&options, cell, &error), &error);
    mc_importers_free(&chosen);
}

/* Of few of them where sanitizers make each slow. */
static void judge_all(const char *workload, mc_mode mode, const char *importers, uint32_t sidecars,
                      mc_cell *cell)
{
    judge_some(workload, mode, importers, sidecars, SANITIZED ? 2 : 0, cell);
}

static void free_all(mc_cell *cell)
{
    for (int i = 0; i < MC_MISTAKES_MAX; i++) {
        mc_cell_free(&cell[i]);
    }
}

/* Promise: recover notices what SQLite notices: on every handed-over state it gives what SQLite
 * gives, and so neither fails where the other is clean. */
static void recover_agrees_with_sqlite(void **unused)
{
    (void)unused;
    static const struct {
        const char *workload;
        mc_mode mode;
    } cases[] = {{"inplace", MC_MODE_DELETE},  {"inplace", MC_MODE_TRUNCATE},
                 {"inplace", MC_MODE_PERSIST}, {"inplace", MC_MODE_WAL},
                 {"grow", MC_MODE_DELETE},     {"modes", MC_MODE_WAL}};
    static mc_cell cell[MC_MISTAKES_MAX];
    uint64_t compared = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        judge_all(cases[i].workload, cases[i].mode, "reject,abandon,recover,sqlite", ALL, cell);
        for (uint32_t m = 0; mc_mistakes[m].name != NULL; m++) {
            assert_int_equal(cell[m].compared, cell[m].unique);
            assert_int_equal(cell[m].disagreements, 0);
            assert_int_equal(cell[m].tally[2].unmet, 0);
            assert_memory_equal(cell[m].tally[2].verdict, cell[m].tally[3].verdict,
                                sizeof cell[m].tally[2].verdict);
            for (uint32_t f = 0; f < cell[m].finding_count; f++) {
                assert_false(cell[m].finding[f].fails);
            }
            assert_true(mc_mistakes[m].promised || cell[m].control_dirty == 0);
            compared += cell[m].compared;
        }
        free_all(cell);
    }
    assert_true(compared > (SANITIZED ? 2000 : 10000));
}

/* A planted recover that forgets the sidecars: the comparison must see it on handed-over states. */
static void a_wrong_recover_is_caught(void **unused)
{
    (void)unused;
    static mc_cell cell[MC_MISTAKES_MAX];
    mc_importers chosen;
    mc_error error = {0};
    mc_record_options record = {.workload = "inplace",
                                .mode = MC_MODE_DELETE,
                                .sync = MC_SYNC_FULL,
                                .page_size = 4096,
                                .seed = 1};
    check(mc_importers_parse("recover", &chosen, &error), &error);
    chosen.chosen[0].core = mc_importer_find("abandon");
    mc_judge_options options = {.record = &record,
                                .importers = &chosen,
                                .required = 1,
                                .sidecars = 1u << mc_mistake_find("older-journal")};
    memset(cell, 0, sizeof cell);
    check(mc_judge(&options, cell, &error), &error);
    assert_true(cell[0].disagreements > 100);
    assert_non_null(strstr(cell[0].finding[0].signature, "delete/kill@older-journal/"));
    assert_non_null(strstr(cell[0].finding[0].state, "@older-journal"));
    assert_true(cell[0].finding[0].fails);
    free_all(cell);
    mc_importers_free(&chosen);
}

/* Promise: an importer that reads sidecars is one that abandons them, where there is none; the
 * index of a WAL says nothing that the WAL does not. */
static void known_answers_come_out(void **unused)
{
    (void)unused;
    static mc_cell cell[MC_MISTAKES_MAX];
    judge_all("inplace", MC_MODE_DELETE, "abandon,recover,sqlite", ALL, cell);
    const mc_cell *lost = &cell[mc_mistake_find("no-journal")];
    assert_true(lost->tally[1].verdict[MC_TORN] > 100);
    assert_memory_equal(lost->tally[0].verdict, lost->tally[1].verdict,
                        sizeof lost->tally[0].verdict);
    assert_memory_equal(lost->tally[0].verdict, lost->tally[2].verdict,
                        sizeof lost->tally[0].verdict);
    assert_int_equal(cell[mc_mistake_find("no-wal")].explored.states, 0);
    const mc_cell *older = &cell[mc_mistake_find("older-journal")];
    assert_true(older->tally[2].verdict[MC_STALE] > 100);
    free_all(cell);
    judge_all("checkpoint", MC_MODE_WAL, "recover,sqlite,abandon", ALL, cell);
    const mc_cell *no_shm = &cell[mc_mistake_find("no-shm")];
    for (int i = 0; i < 3; i++) {
        /* States before the index was made are as-is alone, and clean. */
        uint64_t more = cell[0].explored.states - no_shm->explored.states;
        assert_int_equal(no_shm->tally[i].verdict[MC_CLEAN] + more,
                         cell[0].tally[i].verdict[MC_CLEAN]);
        assert_int_equal(no_shm->tally[i].verdict[MC_STALE], cell[0].tally[i].verdict[MC_STALE]);
        assert_int_equal(no_shm->tally[i].verdict[MC_TORN], cell[0].tally[i].verdict[MC_TORN]);
    }
    assert_true(no_shm->explored.states > 100);
    free_all(cell);
}

static void same_cell(const mc_cell *a, const mc_cell *b)
{
    assert_memory_equal(&a->explored, &b->explored, sizeof a->explored);
    assert_memory_equal(a->tally, b->tally, sizeof a->tally);
    assert_int_equal(a->unique, b->unique);
    assert_int_equal(a->compared, b->compared);
    assert_int_equal(a->finding_count, b->finding_count);
    for (uint32_t i = 0; i < a->finding_count; i++) {
        assert_string_equal(a->finding[i].signature, b->finding[i].signature);
        assert_string_equal(a->finding[i].state, b->finding[i].state);
        assert_int_equal(a->finding[i].count, b->finding[i].count);
    }
}

/* Promise: what is counted for one mistake does not depend on which others were chosen. */
static void mistakes_do_not_meet(void **unused)
{
    (void)unused;
    static mc_cell all[MC_MISTAKES_MAX];
    static mc_cell alone[MC_MISTAKES_MAX];
    static const struct {
        const char *workload;
        mc_mode mode;
        const char *mistake; /* null: each */
    } cases[] = {{"modes", MC_MODE_WAL, NULL}, {"rollback", MC_MODE_DELETE, "restored"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        judge_all(cases[i].workload, cases[i].mode, "abandon,recover,sqlite", ALL, all);
        judge_all(cases[i].workload, cases[i].mode, "abandon,recover,sqlite", 0, alone);
        same_cell(&all[0], &alone[0]);
        free_all(alone);
        for (uint32_t m = 1; mc_mistakes[m].name != NULL; m++) {
            if (cases[i].mistake == NULL || strcmp(cases[i].mistake, mc_mistakes[m].name) == 0) {
                judge_all(cases[i].workload, cases[i].mode, "abandon,recover,sqlite", 1u << m,
                          alone);
                same_cell(&all[m], &alone[0]);
                free_all(alone);
            }
        }
        free_all(all);
    }
}

/* Promise: SQLite's answer is what it reads, also where a WAL makes main longer than SQLite's
 * checkpoint believes (wal.c walCheckpoint: SQLITE_CORRUPT). */
static void what_sqlite_reads_counts(void **unused)
{
    (void)unused;
    static mc_cell cell[MC_MISTAKES_MAX];
    judge_some("mixed", MC_MODE_WAL, "recover,sqlite", 1u << mc_mistake_find("restored"), 0, cell);
    assert_true(cell[0].compared > 100);
    assert_int_equal(cell[0].disagreements, 0);
    assert_int_equal(cell[0].tally[1].verdict[MC_REFUSED_TOO], 0);
    free_all(cell);
}

/* Promise: the name of a state leads back to it, and its story says what was done. */
static void stories_say_what_was_done(void **unused)
{
    (void)unused;
    static const struct {
        const char *state;
        const char *handed;
        const char *effect;
    } cases[] = {
        {"inplace/delete/full/kill/155@no-journal", "main.db-journal was removed.", ""},
        {"inplace/delete/full/kill/155@cut-journal", "main.db-journal was cut to the first ",
         "SQLite itself applies this journal: it puts "},
        {"inplace/delete/full/kill/400@older-journal",
         "main.db-journal was replaced by the one of transaction 1.",
         "SQLite itself applies this journal: it puts "},
        {"inplace/wal/full/kill/300@other-wal",
         "main.db-wal was replaced by the one of another database, after its transaction 2.",
         "SQLite itself applies this WAL: "},
        {"inplace/wal/full/kill/10@other-journal", "main.db-journal did not exist and became the ",
         "SQLite itself applies this journal: it puts "},
        {"inplace/wal/full/kill/300@empty-wal", "main.db-wal was cut to the first 0 of its ", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mc_error error = {0};
        mc_arena arena = {.limit_bytes = 1 << 20};
        mc_record_options record = {.page_size = 4096, .seed = 1};
        mc_importers importers;
        mc_story story;
        mc_story_request request = {0};
        uint32_t mistake;
        const mc_power_profile *power;
        check(mc_importers_parse("reject,abandon,recover,sqlite", &importers, &error), &error);
        check(mc_story_parse(cases[i].state, &arena, &record, &request, &mistake, &power, &error),
              &error);
        assert_null(power);
        mc_judge_options options = {
            .record = &record, .importers = &importers, .sidecars = 1u << mistake};
        for (uint32_t subject = 0; subject < 4; subject++) {
            request.subject = subject;
            check(mc_story_tell(&options, &request, &story, &error), &error);
            assert_string_equal(story.state, cases[i].state);
            assert_ptr_equal(strstr(story.handed, cases[i].handed), story.handed);
            assert_ptr_equal(strstr(story.effect, cases[i].effect), story.effect);
            assert_true(cases[i].effect[0] != '\0' || story.effect[0] == '\0');
            mc_story_free(&story);
        }
        mc_importers_free(&importers);
        mc_arena_free(&arena);
    }
}

/* Promise: what is no state's name, or changes nothing there, is said to be so. */
static void wrong_names_are_refused(void **unused)
{
    (void)unused;
    static const char *const wrong[] = {"inplace/delete/full/kill/155@",
                                        "inplace/delete/full/kill/155@no-such",
                                        "inplace/delete/full/kill@no-journal/155",
                                        "inplace/delete/normal/kv:journal/152@no-wal",
                                        "inplace/delete/full/power/1",
                                        "inplace/delete/full/power:ext5/1",
                                        "inplace/delete/full/power:psow/",
                                        "inplace/delete/full/power:psow/1x",
                                        "inplace/delete/full/power:psow/1@no-journal",
                                        "inplace/delete/full/kill/1+",
                                        "inplace/delete/full/kill/1+1x",
                                        "inplace/delete/full/kill/1+99999999999"};
    mc_arena arena = {.limit_bytes = 1 << 20};
    mc_error error = {0};
    mc_record_options record = {.page_size = 4096, .seed = 1};
    mc_story_request named;
    uint32_t mistake;
    const mc_power_profile *power;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(
            mc_story_parse(wrong[i], &arena, &record, &named, &mistake, &power, &error), MC_USAGE);
    }
    check(mc_story_parse("a@b/inplace.sql/wal/full/kill/7+4096@cut-wal", &arena, &record, &named,
                         &mistake, &power, &error),
          &error);
    assert_string_equal(record.workload, "a@b/inplace.sql");
    assert_int_equal(named.cut, 4096);
    assert_string_equal(mc_mistakes[mistake].name, "cut-wal");
    mc_importers importers;
    mc_story story;
    check(mc_importers_parse("recover", &importers, &error), &error);
    record = (mc_record_options){
        .workload = "inplace", .mode = MC_MODE_DELETE, .sync = MC_SYNC_FULL, .page_size = 4096};
    mc_judge_options options = {
        .record = &record, .importers = &importers, .sidecars = 1u << mc_mistake_find("no-wal")};
    mc_story_request request = {.point = 155};
    assert_int_equal(mc_story_tell(&options, &request, &story, &error), MC_USAGE);
    assert_string_equal(error.text, "explain: no-wal changes nothing in this state");
    mc_importers_free(&importers);
    mc_arena_free(&arena);
}

/* Runs the program and returns what it printed; `status` is the exit status that it must have. */
__attribute__((format(printf, 2, 3))) static char *output_of(int status, const char *format, ...)
{
    char line[2000];
    int n = snprintf(line, sizeof line, "'%s' ", MIDCOMMIT_PROGRAM);
    va_list arguments;
    va_start(arguments, format);
    n += vsnprintf(line + n, sizeof line - (size_t)n, format, arguments);
    va_end(arguments);
    (void)snprintf(line + n, sizeof line - (size_t)n, " 2>&1 </dev/null");
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    size_t size = fread(text, 1, (1 << 20) - 1, pipe);
    int ended = pclose(pipe);
    if (!WIFEXITED(ended) || WEXITSTATUS(ended) != status || size == (1 << 20) - 1) {
        print_error("%s: %s\n", line, text);
        fail();
    }
    char *timing = strstr(text, "\"timing\"");
    if (timing != NULL) {
        *timing = '\0';
    }
    return text;
}

static void same_output(const char *one, const char *other)
{
    char *a = output_of(0, "run --workload modes,grow --txns 2 --json - %s", one);
    char *b = output_of(0, "run --workload modes,grow --txns 2 --json - %s", other);
    assert_non_null(strstr(a, "\"sidecars\": \"cut-wal\""));
    assert_string_equal(a, b);
    free(a);
    free(b);
}

/* Promise: neither jobs nor shards nor an interruption show in the result, and results of other
 * mistakes are not taken for these. */
static void runs_are_reproducible(void **unused)
{
    (void)unused;
    char folder[] = "midcommit-handover-XXXXXX";
    char command[200];
    assert_non_null(mkdtemp(folder));
    same_output("--jobs 1 --sidecars as-is,cut-wal,restored",
                "--jobs 3 --sidecars restored,cut-wal,as-is");
    static const char few[] = "run --workload modes,grow --txns 2 --quiet --sidecars as-is,cut-wal";
    free(output_of(0, "%s --shard 1/2 --results %s/r", few, folder));
    (void)snprintf(command, sizeof command,
                   "--sidecars as-is,cut-wal --quiet --results %s/r --resume", folder);
    same_output(command, "--sidecars as-is,cut-wal");
    free(output_of(3, "%s,restored --results %s/r --resume", few, folder));
    free(output_of(3, "run --workload modes --quiet --results %s/r --resume", folder));
    free(output_of(2, "run --crash kv --sidecars no-wal"));
    free(output_of(2, "run --sidecars no-such"));
    (void)snprintf(command, sizeof command, "rm -r '%s'", folder);
    assert_int_equal(system(command), 0);
}

/* Promise: without the option nothing is said of it, and with it the table has a row per mode and
 * mistake, says where a mistake could not be made, and fits 100 columns. */
static void tables_have_groups(void **unused)
{
    (void)unused;
    char *plain = output_of(0, "run --workload grow,equal --txns 2 --json -");
    assert_null(strstr(plain, "sidecars"));
    free(plain);
    plain = output_of(0, "run --workload grow,equal --txns 2 --sidecars no-wal,no-journal");
    assert_non_null(strstr(plain, "no-journal    delete   kill  reject "));
    assert_non_null(strstr(plain, "no-wal        wal      kill  reject "));
    assert_non_null(strstr(plain, "In no state would it change anything: no-wal in delete."));
    assert_non_null(strstr(plain, "Not run: mistakes with sidecars in kv, which has no files"));
    for (char *line = strtok(plain, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        /* But a command line, which has this program's path. */
        assert_true(strlen(line) <= 100 || strstr(line, " explain ") != NULL);
    }
    free(plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recover_agrees_with_sqlite), cmocka_unit_test(a_wrong_recover_is_caught),
        cmocka_unit_test(known_answers_come_out),     cmocka_unit_test(mistakes_do_not_meet),
        cmocka_unit_test(what_sqlite_reads_counts),   cmocka_unit_test(stories_say_what_was_done),
        cmocka_unit_test(wrong_names_are_refused),    cmocka_unit_test(runs_are_reproducible),
        cmocka_unit_test(tables_have_groups),
    };
    if (MIDCOMMIT_PROGRAM[0] == '\0') {
        print_message("there is no midcommit program in this build\n");
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
