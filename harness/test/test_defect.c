/* test_defect.c: evidence, apart from the recorder and its file system, for the one known defect of
 * SQLite (defects.h): SQLite's own unix VFS on real files, and processes that are really killed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <signal.h>
#include <sqlite3.h>

#include "core/recover.h"
#include "crashsim/workload.h"
#include "harness/defects.h"

static char folder[] = "midcommit-test-XXXXXX";

static int enter_folder(void **unused)
{
    (void)unused;
    return mkdtemp(folder) != NULL && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **unused)
{
    (void)unused;
    char command[64];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return chdir("..") == 0 ? system(command) : -1;
}

/* What the one table holds: its rows, the sum of two columns, and of each row's text. */
typedef struct digest {
    sqlite3_int64 value[4];
} digest;

static int read_digest(sqlite3 *db, digest *out)
{
    sqlite3_stmt *row = NULL;
    memset(out, 0, sizeof *out);
    int rc = sqlite3_prepare_v2(db,
                                "SELECT count(*), sum(id * 31 + version), sum(length(data)), "
                                "sum(unicode(data) * id) FROM t",
                                -1, &row, NULL);
    rc = rc == SQLITE_OK ? sqlite3_step(row) : rc;
    for (int i = 0; rc == SQLITE_ROW && i < 4; i++) {
        out->value[i] = sqlite3_column_int64(row, i);
    }
    (void)sqlite3_finalize(row);
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static void run_all(sqlite3 *db, const mc_script *script, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (sqlite3_exec(db, script->text[i], NULL, NULL, NULL) != SQLITE_OK) {
            _exit(1);
        }
    }
}

/* The workload's database, built and closed; the recorder's settings (record.c). */
static sqlite3 *open_with_settings(const mc_program *program)
{
    sqlite3 *db = NULL;
    char settings[400];
    (void)snprintf(settings, sizeof settings,
                   "PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
                   "PRAGMA wal_autocheckpoint=0; PRAGMA cache_spill=ON; PRAGMA temp_store=MEMORY; "
                   "PRAGMA cache_size=%u",
                   program->cache_pages);
    if (sqlite3_open_v2("main.db", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "unix") !=
            SQLITE_OK ||
        sqlite3_exec(db, settings, NULL, NULL, NULL) != SQLITE_OK) {
        _exit(1);
    }
    return db;
}

/* In a child: runs statements 0..last, says what its connection then sees, and is killed. A
 * statement that leaves a transaction open is not a commit: the child says nothing and ends. */
static _Noreturn void live_and_die(const mc_program *program, uint32_t last, int out)
{
    sqlite3 *db = open_with_settings(program);
    run_all(db, &program->setup, program->setup.count);
    run_all(db, &program->program, last + 1);
    digest seen;
    if (sqlite3_get_autocommit(db) == 0) {
        _exit(0);
    }
    if (read_digest(db, &seen) != SQLITE_OK || write(out, &seen, sizeof seen) != sizeof seen) {
        _exit(1);
    }
    (void)raise(SIGKILL);
    _exit(1);
}

static void remove_files(void)
{
    static const char *const names[] = {"main.db", "main.db-wal", "main.db-shm"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)unlink(names[i]);
    }
}

/* True, and what the process saw, when it was killed after a commit had returned. */
static bool killed_after(const mc_program *program, uint32_t statement, digest *seen)
{
    int ends[2];
    remove_files();
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(ends[0]);
        live_and_die(program, statement, ends[1]);
    }
    (void)close(ends[1]);
    ssize_t got = read(ends[0], seen, sizeof *seen);
    (void)close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (got == 0) {
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        return false;
    }
    assert_int_equal(got, sizeof *seen);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return true;
}

static mc_file read_file(const char *name)
{
    struct stat info;
    if (stat(name, &info) != 0) {
        return (mc_file){0};
    }
    uint8_t *data = malloc((size_t)info.st_size + 1);
    FILE *file = fopen(name, "rb");
    assert_true(data != NULL && file != NULL);
    assert_int_equal(fread(data, 1, (size_t)info.st_size, file), info.st_size);
    assert_int_equal(fclose(file), 0);
    return (mc_file){.exists = true, .data = data, .size = (uint64_t)info.st_size};
}

/* What `recover` makes of the files, as SQLite reads it. */
static digest recovered_digest(const mc_files *files)
{
    mc_arena arena = {.limit_bytes = 1 << 28};
    mc_import import = {0};
    mc_error error;
    digest found;
    assert_int_equal(mc_recover_files(files, &arena, &import, &error), MC_OK);
    FILE *file = fopen("recovered.db", "wb");
    assert_non_null(file);
    for (uint32_t i = 0; i < import.image.page_count; i++) {
        assert_int_equal(fwrite(import.image.page[i], 1, import.image.page_size, file),
                         import.image.page_size);
    }
    assert_int_equal(fclose(file), 0);
    mc_arena_free(&arena);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open("recovered.db", &db), SQLITE_OK);
    assert_int_equal(read_digest(db, &found), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    (void)unlink("recovered.db");
    (void)unlink("recovered.db-wal");
    (void)unlink("recovered.db-shm");
    return found;
}

/* Opens what the killed process left. True when the commit that it was told of is there. */
static bool commit_is_there(const digest *seen, bool *marked)
{
    mc_files files = {.main = read_file("main.db"), .wal = read_file("main.db-wal")};
    mc_verdict stale = {.kind = MC_STALE, .behind = 1};
    *marked = mc_defect_find(sqlite3_libversion_number(), &files, &stale) != NULL;
    digest recovered = recovered_digest(&files);
    free((void *)files.main.data);
    free((void *)files.wal.data);
    sqlite3 *db = NULL;
    digest found;
    assert_int_equal(sqlite3_open_v2("main.db", &db, SQLITE_OPEN_READWRITE, "unix"), SQLITE_OK);
    assert_int_equal(read_digest(db, &found), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_memory_equal(&recovered, &found, sizeof found);
    return memcmp(&found, seen, sizeof found) == 0;
}

/* Promise: a process that is killed after its commit has returned loses the commit on the versions
 * that the table names, on no other, and only where the files carry the defect's mark. `recover`
 * reads from the files what SQLite reads. */
static void commits_are_lost_on_the_named_versions_only(void **unused)
{
    (void)unused;
    mc_arena arena = {.limit_bytes = 1 << 26};
    mc_program program = {.arena = &arena};
    mc_record_options options = {.workload = "savepoint",
                                 .mode = MC_MODE_WAL,
                                 .sync = MC_SYNC_FULL,
                                 .page_size = 4096,
                                 .txns = 1,
                                 .seed = 1};
    mc_error error;
    assert_int_equal(mc_program_make(&program, &options, &error), MC_OK);
    const mc_defect *defect = mc_defect_named("wal-frames-without-checksum");
    assert_non_null(defect);
    int version = sqlite3_libversion_number();
    bool has_it = version >= defect->first_version && version < defect->fixed_version;
    int kills = 0;
    int lost = 0;
    for (uint32_t i = 0; i < program.program.count; i++) {
        digest seen;
        bool marked = false;
        if (!killed_after(&program, i, &seen)) {
            continue;
        }
        kills++;
        if (!commit_is_there(&seen, &marked)) {
            lost++;
            assert_true(marked);
        }
    }
    mc_arena_free(&arena);
    print_message("SQLite %s: %d kills, %d lost a commit\n", sqlite3_libversion(), kills, lost);
    assert_true(kills >= 5);
    assert_true(has_it ? lost > 0 : lost == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commits_are_lost_on_the_named_versions_only),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
