/* test_workload.c: programs, the user's own among them, and which of their statements commit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "crashsim/workload.h"

static char path[] = "midcommit-XXXXXX.sql";

static int make_path(void **unused)
{
    (void)unused;
    int file = mkstemps(path, 4);
    return file < 0 ? -1 : close(file);
}

static int remove_path(void **unused)
{
    (void)unused;
    return unlink(path);
}

static mc_status record_bytes(const void *bytes, size_t size, mc_mode mode, mc_trace *trace,
                              mc_error *error)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    *trace = (mc_trace){0};
    mc_record_options options = {
        .workload = path, .mode = mode, .sync = MC_SYNC_FULL, .page_size = 4096, .seed = 1};
    return mc_record(&options, trace, error);
}

static void record_sql(const char *sql, mc_mode mode, mc_trace *trace)
{
    mc_error error;
    if (record_bytes(sql, strlen(sql), mode, trace, &error) != MC_OK) {
        print_error("%s\n", error.text);
        fail();
    }
}

/* Promise: SQLite's own rules split a user's file: triggers, strings and comments with semicolons
 * are one statement; what stands before "-- @program" is setup and not traced. */
static void user_files_are_split_by_sqlite(void **unused)
{
    (void)unused;
    mc_trace trace;
    record_sql(
        "CREATE TABLE t(x);\n"
        "INSERT INTO t VALUES('x -- @program\n y'), ('\n-- @programs');\n"
        "-- @program\n"
        "CREATE TRIGGER r AFTER INSERT ON t BEGIN UPDATE t SET x = 'a;b'; DELETE FROM t; END;\n"
        "/* a ; comment */ INSERT INTO t VALUES(';');\n"
        "@reopen\n"
        "INSERT INTO t VALUES(2)",
        MC_MODE_DELETE, &trace);
    assert_int_equal(trace.statement_count, 5); /* the settings are the first */
    assert_string_equal(trace.statement[1],
                        "CREATE TRIGGER r AFTER INSERT ON t BEGIN UPDATE t SET x "
                        "= 'a;b'; DELETE FROM t; END;");
    assert_string_equal(trace.statement[2], "INSERT INTO t VALUES(';');");
    assert_string_equal(trace.statement[3], "@reopen");
    assert_string_equal(trace.statement[4], "INSERT INTO t VALUES(2)");
    assert_int_equal(trace.commit_count, 3);
    assert_int_equal(trace.witness[0].page_count, 2);
    mc_trace_free(&trace);
    record_sql("CREATE TABLE t(x)", MC_MODE_DELETE, &trace);
    assert_int_equal(trace.witness[0].page_count, 0);
    assert_int_equal(trace.commit_count, 1);
    mc_trace_free(&trace);
}

/* Promise: exactly the statements that commit are marked, each around its own operations. */
static void commits_are_told_from_the_rest(void **unused)
{
    (void)unused;
    static const struct {
        const char *sql;
        uint32_t commits;
    } cases[] = {
        {"INSERT INTO t VALUES(1)", 1},
        {"BEGIN; INSERT INTO t VALUES(1); ROLLBACK", 0},
        {"BEGIN; INSERT INTO t VALUES(1); COMMIT", 1},
        {"BEGIN; INSERT INTO t VALUES(1); END TRANSACTION", 1},
        {"BEGIN; INSERT INTO t VALUES(1)", 0},
        {"BEGIN; SELECT * FROM t; COMMIT", 0},
        {"SAVEPOINT a; INSERT INTO t VALUES(1); SAVEPOINT b; RELEASE b", 0},
        {"SAVEPOINT a; INSERT INTO t VALUES(1); SAVEPOINT b; RELEASE b; RELEASE a", 1},
        {"SAVEPOINT a; INSERT INTO t VALUES(1); ROLLBACK TO a", 0},
        {"SELECT * FROM t", 0},
        {"EXPLAIN INSERT INTO t VALUES(1)", 0},
        {"PRAGMA user_version = 7", 1},
        {"PRAGMA user_version", 0},
        {"PRAGMA wal_checkpoint", 0},
        {"/* c */ VACUUM", 1},
        {"REINDEX", 1},
        {"CREATE TEMP TABLE x(y); INSERT INTO x VALUES(1)", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int mode = 0; mode < MC_MODES; mode++) {
            char sql[512];
            mc_trace trace;
            if (mode == MC_MODE_OFF && strstr(cases[i].sql, "ROLLBACK") != NULL) {
                continue;
            }
            (void)snprintf(sql, sizeof sql,
                           "CREATE TABLE t(x); CREATE INDEX i ON t(x);\n-- @program\n%s",
                           cases[i].sql);
            record_sql(sql, (mc_mode)mode, &trace);
            if (trace.commit_count != cases[i].commits) {
                print_error("%s in mode %s: %u commits\n", cases[i].sql, mc_mode_names[mode],
                            trace.commit_count);
                fail();
            }
            mc_trace_free(&trace);
        }
    }
}

/* Promise: a switch to WAL and back are commits, a switch between rollback modes is none. */
static void mode_switches_commit_when_they_write(void **unused)
{
    (void)unused;
    mc_trace trace;
    record_sql("CREATE TABLE t(x);\n-- @program\nPRAGMA journal_mode = WAL", MC_MODE_DELETE,
               &trace);
    assert_int_equal(trace.commit_count, 1);
    mc_trace_free(&trace);
    record_sql("CREATE TABLE t(x);\n-- @program\nPRAGMA journal_mode = DELETE", MC_MODE_WAL,
               &trace);
    assert_int_equal(trace.commit_count, 1);
    mc_trace_free(&trace);
    record_sql("CREATE TABLE t(x);\n-- @program\nPRAGMA journal_mode = PERSIST", MC_MODE_DELETE,
               &trace);
    assert_int_equal(trace.commit_count, 0);
    mc_trace_free(&trace);
}

static bool trace_writes(const mc_trace *trace, const char *role, const char *needle)
{
    for (size_t i = 0; i < trace->op_count; i++) {
        const mc_op *op = &trace->op[i];
        if (op->kind == MC_OP_WRITE && strcmp(mc_file_role(trace, op->file), role) == 0 &&
            memmem(op->data, op->size, needle, strlen(needle)) != NULL) {
            return true;
        }
    }
    return false;
}

/* Promise: what a build of SQLite has as its default does not show: with secure_delete, which some
 * builds have on, the deleted row would be overwritten with zeros. */
static void build_defaults_do_not_show(void **unused)
{
    (void)unused;
    mc_trace trace;
    record_sql("CREATE TABLE t(x); INSERT INTO t VALUES('stays'), ('needle'), ('stays');\n"
               "-- @program\nDELETE FROM t WHERE x = 'needle'",
               MC_MODE_DELETE, &trace);
    assert_true(trace_writes(&trace, "main", "needle"));
    mc_trace_free(&trace);
}

static void assert_fails(const char *bytes, size_t size, const char *slug, const char *said)
{
    mc_trace trace;
    mc_error error;
    assert_int_not_equal(record_bytes(bytes, size, MC_MODE_DELETE, &trace, &error), MC_OK);
    assert_string_equal(error.reason, slug);
    if (strstr(error.text, said) == NULL) {
        print_error("%s\n", error.text);
        fail();
    }
    assert_null(strchr(error.text, '\n'));
    assert_null(trace.op);
    assert_int_equal(trace.op_count, 0);
}

/* Promise: a file that cannot be a program, and a statement that fails, are one line that says so.
 */
static void bad_files_are_one_line(void **unused)
{
    (void)unused;
    assert_fails("", 0, "workload-file", "empty");
    assert_fails("SELECT 1;\0SELECT 2", 18, "workload-file", "zero byte");
    assert_fails("SELECT '\xff'", 10, "workload-file", "UTF-8");
    assert_fails("SELECT '\xc0\xaf'", 11, "workload-file", "UTF-8");
    assert_fails("SELECT '\xed\xa0\x80'", 12, "workload-file", "UTF-8");
    assert_fails("SELECT '\xe2\x82", 10, "workload-file", "UTF-8");
    assert_fails("SELECT 1;\nSELEKT 2", 18, "statement-failed", "statement 2: SELEKT 2");
    assert_fails("CREATE TABLE t(x UNIQUE); INSERT INTO t VALUES(1),(1)", 53, "statement-failed",
                 "UNIQUE constraint failed");
    assert_fails("SELEKT 1;\n-- @program\nSELECT 1", 30, "statement-failed", "setup");
    assert_fails("ATTACH 'other.db' AS o", 22, "statement-failed", "attached");
    assert_fails("@jump", 5, "statement-failed", "no such directive");
    assert_fails("@reader end", 11, "statement-failed", "no reader");
}

static void assert_refused(mc_record_options options, const char *slug)
{
    mc_trace trace = {0};
    mc_error error;
    if (options.page_size == 0) {
        options.page_size = 4096;
    }
    assert_int_not_equal(mc_record(&options, &trace, &error), MC_OK);
    assert_string_equal(error.reason, slug);
}

/* Promise: options that make no sense are refused by name. */
static void bad_options_are_refused(void **unused)
{
    (void)unused;
    assert_refused((mc_record_options){.workload = "nothing"}, "no-such-workload");
    assert_refused((mc_record_options){.workload = "./nothing.sql"}, "workload-file");
    assert_refused((mc_record_options){.workload = "./"}, "workload-file");
    assert_refused((mc_record_options){.workload = "walreset"}, "workload-mode");
    assert_refused((mc_record_options){.workload = "attach", .kv = true}, "workload-kv");
    assert_refused((mc_record_options){.workload = "grow", .page_size = 1000}, "page-size");
    assert_refused((mc_record_options){.workload = "grow", .page_size = 131072}, "page-size");
    assert_refused((mc_record_options){.workload = "grow", .kv = true, .mode = MC_MODE_WAL},
                   "kv-settings");
}

static size_t count_before_commits(const mc_trace *trace, const char *role, mc_op_kind kind)
{
    size_t count = 0;
    bool in_flight = false;
    for (size_t i = 0; i < trace->op_count; i++) {
        const mc_op *op = &trace->op[i];
        in_flight = op->kind == MC_OP_BEGUN || (in_flight && op->kind != MC_OP_ACKED);
        count += !in_flight && op->kind == kind && strcmp(mc_file_role(trace, op->file), role) == 0;
    }
    return count;
}

static size_t count_all(const mc_trace *trace, const char *role, mc_op_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < trace->op_count; i++) {
        const mc_op *op = &trace->op[i];
        count += op->kind == kind && strcmp(mc_file_role(trace, op->file), role) == 0;
    }
    return count;
}

static mc_trace recorded(const char *workload, mc_mode mode)
{
    mc_trace trace = {0};
    mc_error error;
    mc_record_options options = {
        .workload = workload, .mode = mode, .sync = MC_SYNC_FULL, .page_size = 4096, .seed = 1};
    assert_int_equal(mc_record(&options, &trace, &error), MC_OK);
    return trace;
}

/* A frame was written over another one without a ROLLBACK between the two. */
static bool wal_is_overwritten_in_place(const mc_trace *trace)
{
    uint64_t end = 0;
    uint32_t statement = 0;
    for (size_t i = 0; i < trace->op_count; i++) {
        const mc_op *op = &trace->op[i];
        for (; statement < op->statement; statement++) {
            end = strcmp(trace->statement[statement], "ROLLBACK") == 0 ? 0 : end;
        }
        if (op->kind != MC_OP_WRITE || strcmp(mc_file_role(trace, op->file), "wal") != 0) {
            continue;
        }
        if (op->offset > 0 && op->offset < end) {
            return true;
        }
        end = op->offset + op->size > end ? op->offset + op->size : end;
    }
    return false;
}

/* Promise: each workload really exercises the mechanism that it is named for. */
static void workloads_do_what_they_say(void **unused)
{
    (void)unused;
    mc_trace trace = recorded("spill", MC_MODE_DELETE);
    assert_true(count_before_commits(&trace, "main", MC_OP_WRITE) > 100);
    mc_trace_free(&trace);
    trace = recorded("inplace", MC_MODE_DELETE);
    assert_int_equal(count_before_commits(&trace, "main", MC_OP_WRITE), 0);
    mc_trace_free(&trace);
    trace = recorded("shrink", MC_MODE_DELETE);
    assert_true(count_all(&trace, "main", MC_OP_TRUNCATE) >= 6);
    mc_trace_free(&trace);
    trace = recorded("attach", MC_MODE_DELETE);
    assert_int_equal(count_all(&trace, "super-journal", MC_OP_DELETE), 4);
    mc_trace_free(&trace);
    trace = recorded("rollback", MC_MODE_DELETE);
    assert_true(count_before_commits(&trace, "main", MC_OP_WRITE) > 100);
    mc_trace_free(&trace);
    trace = recorded("savepoint", MC_MODE_WAL);
    assert_true(wal_is_overwritten_in_place(&trace));
    mc_trace_free(&trace);
    trace = recorded("walreset", MC_MODE_WAL);
    assert_true(wal_is_overwritten_in_place(&trace));
    mc_trace_free(&trace);
    trace = recorded("checkpoint", MC_MODE_WAL);
    assert_true(count_before_commits(&trace, "main", MC_OP_WRITE) > 50);
    assert_true(count_all(&trace, "wal", MC_OP_TRUNCATE) >= 2);
    mc_trace_free(&trace);
    trace = recorded("modes", MC_MODE_DELETE);
    assert_true(count_all(&trace, "wal", MC_OP_DELETE) >= 4);
    mc_trace_free(&trace);
    trace = recorded("vacuum", MC_MODE_DELETE);
    assert_true(trace.witness[trace.commit_count].page_count < trace.witness[0].page_count);
    mc_trace_free(&trace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(user_files_are_split_by_sqlite),
        cmocka_unit_test(commits_are_told_from_the_rest),
        cmocka_unit_test(mode_switches_commit_when_they_write),
        cmocka_unit_test(build_defaults_do_not_show),
        cmocka_unit_test(bad_files_are_one_line),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(workloads_do_what_they_say),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
