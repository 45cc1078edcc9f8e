/* test_crashing.c: crash_fuzzer decodes everything, judges rightly, and forgets nothing between
 * inputs.
 */
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

#include "core/recover.h"
#include "fuzz/crashing.h"
#include "fuzz/finding.h"

const mc_target mc_fuzz_target = {"test_crashing", "", mc_crash_files};

enum { INPUT_BYTES = 1024, INPUTS = 200 };

/* The upper bits of a 64-bit linear congruential step (Knuth's MMIX constants). */
static uint64_t random_state;

static uint8_t random_byte(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint8_t)(random_state >> 56);
}

typedef struct input {
    uint8_t data[INPUT_BYTES];
    size_t size;
} input;

static void add(input *in, mc_piece_tag tag, const void *data, size_t size)
{
    assert_true(mc_pieces_add(in->data, &in->size, sizeof in->data, tag, data, size));
}

static void add_random(input *in, mc_piece_tag tag, size_t size)
{
    uint8_t bytes[256];
    for (size_t i = 0; i < size; i++) {
        bytes[i] = random_byte();
    }
    add(in, tag, bytes, size);
}

static input random_input(uint64_t number)
{
    input in = {.size = 0};
    random_state = number;
    (void)random_byte();
    add_random(&in, MC_PIECE_OPTIONS, 8);
    add_random(&in, MC_PIECE_PROGRAM, 8 + random_byte() % 64u);
    add_random(&in, MC_PIECE_CRASH, random_byte() % 40u);
    if (random_byte() % 2 == 0) {
        add_random(&in, MC_PIECE_CRASH, random_byte() % 20u);
    }
    return in;
}

static mc_crash_report run(const input *in)
{
    mc_crash_report report;
    assert_true(mc_crash_run(in->data, in->size, &mc_crash_rules_true, &report));
    if (report.signature[0] != '\0') {
        print_error("%s: %s\n", report.signature, report.text);
    }
    return report;
}

/* Promise: every byte string is a program that runs to its end, and decodes to the same statements
 * each time. */
static void every_program_runs(void **unused)
{
    (void)unused;
    for (uint64_t i = 0; i < INPUTS; i++) {
        input in = random_input(i);
        mc_crash_case c[2];
        for (int k = 0; k < 2; k++) {
            mc_error error = {0};
            if (mc_crash_open(in.data, in.size, &c[k], &error) != MC_OK) {
                print_error("input %u: %s\n", (unsigned)i, error.text);
                fail();
            }
        }
        assert_int_equal(c[0].trace.statement_count, c[1].trace.statement_count);
        assert_int_equal(c[0].trace.op_count, c[1].trace.op_count);
        assert_int_equal(c[0].modes, c[1].modes);
        for (uint32_t s = 0; s < c[0].trace.statement_count; s++) {
            assert_string_equal(c[0].trace.statement[s], c[1].trace.statement[s]);
        }
        mc_crash_close(&c[0]);
        mc_crash_close(&c[1]);
    }
    for (size_t size = 0; size < 40; size++) { /* no pieces at all, or broken ones */
        input in = random_input(size);
        in.size = size;
        assert_string_equal(run(&in).signature, "");
    }
}

/* Promise: each op of the grammar, with each of many operands, alone, in a transaction and after
 * each other op, runs. */
static void every_statement_runs_anywhere(void **unused)
{
    (void)unused;
    enum { BEGIN = 6 };
    for (unsigned mode = 0; mode < MC_MODES; mode++) {
        for (unsigned op = 0; op < 24; op++) {
            uint8_t program[16 * MC_STATEMENT_BYTES] = {0};
            for (unsigned i = 0; i < sizeof program; i += MC_STATEMENT_BYTES) {
                bool own = i / MC_STATEMENT_BYTES % 2 == 1;
                program[i] = (uint8_t)(own ? op : (op + i / MC_STATEMENT_BYTES) % 24);
                program[i + 1] = (uint8_t)(i * 7 + op);
                program[i + 2] = (uint8_t)(i * 13 + mode);
                program[i + 3] = (uint8_t)(i * 5 + op);
            }
            program[0] = op % 2 == 0 ? BEGIN : program[0];
            uint8_t options[] = {(uint8_t)mode, (uint8_t)(op % 4), 1, 1, (uint8_t)(op * 7), 0};
            input in = {.size = 0};
            add(&in, MC_PIECE_OPTIONS, options, sizeof options);
            add(&in, MC_PIECE_PROGRAM, program, sizeof program);
            assert_string_equal(run(&in).signature, "");
        }
    }
}

static mc_crash_report in_a_fresh_process(const input *in)
{
    int ends[2];
    mc_crash_report report;
    assert_int_equal(pipe(ends), 0);
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        report = run(in);
        _exit(write(ends[1], &report, sizeof report) == (ssize_t)sizeof report ? 0 : 1);
    }
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], &report, sizeof report), sizeof report);
    (void)close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    return report;
}

/* Promise: an input gives the same after other inputs, after itself, and in a process that has run
 * nothing. Must be the first test: a child that is forked later has this process's bases. */
static void results_do_not_depend_on_what_ran_before(void **unused)
{
    (void)unused;
    static mc_crash_report fresh[INPUTS];
    for (unsigned i = 0; i < INPUTS; i++) {
        input in = random_input(i);
        fresh[i] = in_a_fresh_process(&in);
    }
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < INPUTS; i++) {
            input in = random_input(i);
            mc_crash_report now = run(&in);
            assert_string_equal(now.signature, fresh[i].signature);
            assert_int_equal(now.point, fresh[i].point);
            assert_int_equal(now.elements, fresh[i].elements);
            assert_int_equal(now.recovery, fresh[i].recovery);
            assert_int_equal(now.acked, fresh[i].acked);
            assert_int_equal(now.verdict.kind, fresh[i].verdict.kind);
            assert_int_equal(now.verdict.behind, fresh[i].verdict.behind);
            assert_true(mc_hash128_equal(now.image, fresh[i].image));
        }
    }
}

/* ---- one program for the rest: three commits, each to every row of a table ---- */

static const uint8_t three_updates[] = {2, 1, 4, 0, 2, 1, 12, 0, 2, 1, 20, 0};

static input crash_input(mc_mode mode, mc_sync sync, uint8_t model, const char *profile,
                         const void *choices, size_t size)
{
    uint8_t row = 0;
    while (profile != NULL && strcmp(mc_power_profiles[row].name, profile) != 0) {
        row++;
    }
    uint8_t options[] = {(uint8_t)mode, (uint8_t)sync, 1, 0, 4, model, row};
    input in = {.size = 0};
    add(&in, MC_PIECE_OPTIONS, options, sizeof options);
    add(&in, MC_PIECE_PROGRAM, three_updates, sizeof three_updates);
    add(&in, MC_PIECE_CRASH, choices, size);
    return in;
}

enum { KILL, POWER };

/* Every crash point, with everything pending kept, or dropped: the verdicts that come. */
static void walk(mc_mode mode, mc_sync sync, const char *profile, bool keep, char *verdicts,
                 size_t size)
{
    size_t points = 1;
    size_t used = 0;
    verdicts[0] = '\0';
    for (size_t point = 0; point < points; point++) {
        uint8_t crash[64] = {(uint8_t)point, (uint8_t)(point >> 8)};
        input in = crash_input(mode, sync, POWER, profile, crash, keep ? 3 : sizeof crash);
        mc_crash_report report = run(&in);
        assert_string_equal(report.signature, "");
        assert_int_equal(report.point, point);
        points = report.elements + 1;
        char text[64];
        mc_verdict_text(&report.verdict, text, sizeof text);
        if (strstr(verdicts, text) == NULL) {
            used +=
                (size_t)snprintf(verdicts + used, size - used, "%s%s", used == 0 ? "" : "; ", text);
        }
    }
    assert_true(points > 20);
}

/* Promise: what is known of power losses comes out by itself. A DELETE journal that is unlinked
 * without a sync of the directory comes back and takes the last acknowledged commit with it, with
 * FULL as with NORMAL, and never two; EXTRA syncs it before the commit is acknowledged, so with all
 * of it dropped no commit is there too early, and TRUNCATE and PERSIST need no directory. A
 * WAL loses what was not synced with NORMAL, and nothing with FULL. */
static void what_is_known_comes_out_unforced(void **unused)
{
    (void)unused;
    static const struct {
        mc_mode mode;
        mc_sync sync;
        const char *dropped;
    } known[] = {
        {MC_MODE_DELETE, MC_SYNC_NORMAL, "clean, exact; stale, behind 1"},
        {MC_MODE_DELETE, MC_SYNC_FULL, "clean, exact; stale, behind 1"},
        {MC_MODE_DELETE, MC_SYNC_EXTRA, "clean, exact"},
        {MC_MODE_TRUNCATE, MC_SYNC_NORMAL, "clean, exact; stale, behind 1"},
        {MC_MODE_TRUNCATE, MC_SYNC_FULL, "clean, exact; clean, ahead"},
        {MC_MODE_PERSIST, MC_SYNC_NORMAL, "clean, exact; clean, ahead"},
        {MC_MODE_WAL, MC_SYNC_NORMAL,
         "clean, exact; stale, behind 1; stale, behind 2; stale, behind 3"},
        {MC_MODE_WAL, MC_SYNC_FULL, "clean, exact; clean, ahead"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char verdicts[256];
        walk(known[i].mode, known[i].sync, "ext4-ordered", true, verdicts, sizeof verdicts);
        assert_string_equal(verdicts, "clean, exact; clean, ahead");
        walk(known[i].mode, known[i].sync, "ext4-ordered", false, verdicts, sizeof verdicts);
        assert_string_equal(verdicts, known[i].dropped);
    }
}

static mc_status main_alone(const mc_input *given, mc_arena *arena, mc_import *out, mc_error *error)
{
    mc_input bare = *given;
    bare.files.journal = (mc_file){0};
    bare.files.wal = (mc_file){0};
    return mc_importer_recover.import(&bare, arena, out, error);
}

static const mc_importer forgetful = {.import = main_alone};

static int calls; /* each input with two crashes is recovered twice */

static mc_status main_alone_the_second_time(const mc_input *given, mc_arena *arena, mc_import *out,
                                            mc_error *error)
{
    calls++;
    return (calls % 2 == 0 ? main_alone : mc_importer_recover.import)(given, arena, out, error);
}

static const mc_importer forgetful_later = {.import = main_alone_the_second_time};

static int stores;

static mc_status count_stores(const mc_input *given, mc_arena *arena, mc_import *out,
                              mc_error *error)
{
    stores += given->kind == MC_INPUT_STORE;
    return mc_importer_recover.import(given, arena, out, error);
}

static const mc_importer counting = {.import = count_stores};

/* Promise: recover gets a v1 store as the store that it is, for its VFS recovers otherwise than
 * files are recovered (core/recover.c), and files as files. */
static void recover_gets_what_the_crash_left(void **unused)
{
    (void)unused;
    static const struct {
        uint8_t model;
        int stores;
    } cases[] = {{0, 0}, {3, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const uint8_t options[] = {MC_MODE_DELETE, MC_SYNC_FULL, 0, 0, 8, cases[i].model, 0, 0};
        const uint8_t program[] = {0, 1, 1, 1};
        input in = {.size = 0};
        add(&in, MC_PIECE_OPTIONS, options, sizeof options);
        add(&in, MC_PIECE_PROGRAM, program, sizeof program);
        const mc_crash_rules rules = {&counting, mc_promise_of, false};
        mc_crash_report report;
        stores = 0;
        assert_true(mc_crash_run(in.data, in.size, &rules, &report));
        assert_string_equal(report.signature, "");
        assert_int_equal(stores, cases[i].stores);
    }
}

static mc_promise clean_always(mc_mode mode, mc_sync sync, const char *crash, uint32_t databases,
                               const char **source)
{
    (void)mode;
    (void)sync;
    (void)crash;
    (void)databases;
    *source = "nobody";
    return MC_PROMISE_CLEAN;
}

/* How many crash points of three updates break the property under these rules, and the signature
 * of the first. */
static unsigned breaches(mc_mode mode, mc_sync sync, const char *profile, bool twice,
                         const mc_crash_rules *rules, char *signature)
{
    unsigned count = 0;
    size_t points = 1;
    signature[0] = '\0';
    for (size_t point = 0; point < points; point++) {
        uint8_t crash[64] = {(uint8_t)point, (uint8_t)(point >> 8)};
        input in =
            crash_input(mode, sync, profile == NULL ? KILL : POWER, profile, crash, sizeof crash);
        uint8_t again[] = {1};
        if (twice) {
            add(&in, MC_PIECE_CRASH, again, sizeof again);
        }
        mc_crash_report report;
        assert_true(mc_crash_run(in.data, in.size, rules, &report));
        points = report.elements + 1;
        if (report.signature[0] != '\0') {
            count++;
            (void)snprintf(signature, sizeof report.signature, "%s", report.signature);
        }
    }
    return count;
}

/* Promise: an importer that forgets the sidecars is noticed, at the first crash and at a second; so
 * is a database that breaks a promise; and the true rules are never broken on the same states. */
static void planted_defects_are_noticed(void **unused)
{
    (void)unused;
    char signature[96];
    static const mc_mode modes[] = {MC_MODE_DELETE, MC_MODE_TRUNCATE, MC_MODE_PERSIST, MC_MODE_WAL};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        const mc_crash_rules forgets = {&forgetful, mc_promise_of, false};
        assert_true(breaches(modes[i], MC_SYNC_FULL, NULL, false, &forgets, signature) > 0);
        assert_string_equal(signature, "page-content");
        const mc_crash_rules later = {&forgetful_later, mc_promise_of, false};
        calls = 0;
        assert_true(breaches(modes[i], MC_SYNC_FULL, NULL, true, &later, signature) > 0);
        assert_string_equal(signature, "again-page-content");
        assert_int_equal(
            breaches(modes[i], MC_SYNC_FULL, NULL, true, &mc_crash_rules_true, signature), 0);
        assert_int_equal(
            breaches(modes[i], MC_SYNC_FULL, "psow", true, &mc_crash_rules_true, signature), 0);
    }
    const mc_crash_rules strict = {&mc_importer_recover, clean_always, false};
    assert_true(breaches(MC_MODE_DELETE, MC_SYNC_FULL, "psow", false, &strict, signature) > 0);
    assert_string_equal(signature, "promise-stale-delete-psow");
    assert_true(breaches(MC_MODE_WAL, MC_SYNC_NORMAL, "psow", false, &strict, signature) > 0);
    assert_string_equal(signature, "promise-stale-wal-psow");
    assert_true(breaches(MC_MODE_WAL, MC_SYNC_OFF, NULL, false, &strict, signature) == 0);
    assert_true(breaches(MC_MODE_MEMORY, MC_SYNC_FULL, NULL, false, &strict, signature) > 0);
    assert_string_equal(signature, "promise-torn-memory-kill");
}

enum { CALL, READ_ONLY };

typedef struct failures {
    unsigned runs;
    unsigned errors;   /* that SQLite told of */
    unsigned breaches; /* of the property */
} failures;

/* Recovery from one crash, with each of its calls failing in turn, or once on a read-only disk. */
static void fail_each(mc_mode mode, size_t point, uint8_t kind, const mc_crash_rules *rules,
                      failures *out)
{
    uint64_t count = 1;
    for (uint64_t nth = 0; nth < count; nth++) {
        const uint8_t crash[] = {(uint8_t)point, (uint8_t)(point >> 8), 0};
        const uint8_t fault[] = {(uint8_t)nth, (uint8_t)(nth >> 8), kind};
        input in = crash_input(mode, MC_SYNC_FULL, KILL, NULL, crash, sizeof crash);
        add(&in, MC_PIECE_FAULT, fault, sizeof fault);
        mc_crash_report report;
        assert_true(mc_crash_run(in.data, in.size, rules, &report));
        count = report.calls > count ? report.calls : count;
        out->runs++;
        out->errors += report.failed != 0;
        if (report.signature[0] != '\0') {
            assert_string_equal(report.signature, "recovery-failed");
            out->breaches++;
        }
    }
}

/* Promise: a recovery that fails, at whichever call or because the disk is read-only, changes
 * nothing: the next gives what the first would have given. And where a disk keeps silent about a
 * change that it did not make, that is noticed. */
static void a_failed_recovery_is_repeated(void **unused)
{
    (void)unused;
    static const mc_mode modes[] = {MC_MODE_DELETE, MC_MODE_TRUNCATE, MC_MODE_PERSIST, MC_MODE_WAL};
    const mc_crash_rules lying = {&mc_importer_recover, mc_promise_of, true};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        failures calls_failed = {0};
        failures lied = {0};
        failures read_only = {0};
        for (size_t point = 12; point < 60; point += 9) {
            fail_each(modes[i], point, CALL, &mc_crash_rules_true, &calls_failed);
            fail_each(modes[i], point, CALL, &lying, &lied);
            fail_each(modes[i], point, READ_ONLY, &mc_crash_rules_true, &read_only);
        }
        assert_true(calls_failed.errors > 50);
        assert_true(modes[i] == MC_MODE_WAL || read_only.errors > 0);
        assert_int_equal(calls_failed.breaches + read_only.breaches, 0);
        assert_true(lied.breaches > 0);
    }
}

/* Promise: what an input leaves for people are the program, with its setup, and a state that names
 * the same crash; or the files, where no name can. */
static void an_input_becomes_files(void **unused)
{
    (void)unused;
    char folder[] = "midcommit-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    const uint8_t crash[] = {9};
    char state[256];
    mc_error error;
    input in = crash_input(MC_MODE_TRUNCATE, MC_SYNC_NORMAL, KILL, NULL, crash, sizeof crash);
    assert_int_equal(mc_crash_files(in.data, in.size, folder, state, sizeof state, &error), MC_OK);
    assert_string_equal(state, "--page-size 1024 --seed 0 ./program.sql/truncate/normal/kill/9");
    char path[300];
    char text[4096] = "";
    (void)snprintf(path, sizeof path, "%s/program.sql", folder);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    assert_int_equal(fclose(file), 0);
    assert_non_null(strstr(text, "randomblob(300) FROM n;\n-- @program\nUPDATE t1 SET k = k + 1, "
                                 "d = randomblob(200) WHERE id % 1 = 0;\n"));
    static const char *const names[] = {"program.sql", "main.db", "main.db-journal"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(folder), 0); /* and nothing else is there */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_do_not_depend_on_what_ran_before),
        cmocka_unit_test(every_program_runs),
        cmocka_unit_test(every_statement_runs_anywhere),
        cmocka_unit_test(what_is_known_comes_out_unforced),
        cmocka_unit_test(planted_defects_are_noticed),
        cmocka_unit_test(a_failed_recovery_is_repeated),
        cmocka_unit_test(recover_gets_what_the_crash_left),
        cmocka_unit_test(an_input_becomes_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
