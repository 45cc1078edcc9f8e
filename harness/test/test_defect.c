/* test_defect.c: evidence, apart from the recorder and its file system, for the one known defect of
 * SQLite (defects.h): SQLite's own unix VFS on real files, and processes that are really killed.
 *
 * A child runs the workload up to a statement that ends outside a transaction, says what it then
 * reads, and dies of SIGKILL. Its files are copied before anything opens them; then stock SQLite
 * says what is left. All of that is done once, before the tests. */
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

#include "core/hash.h"
#include "core/recover.h"
#include "crashsim/workload.h"
#include "harness/judge/defects.h"

enum { KILLS_MAX = 64, PAGE_BYTES = 4096 };

/* All that a connection reads: the schema, and every value of every table in the rows' order. */
typedef struct digest {
    uint64_t rows;
    uint64_t hash;
} digest;

typedef struct killed {
    digest acknowledged;       /* what the process read after its last statement had returned */
    mc_files files;            /* what it left */
    digest found;              /* what SQLite reads from them, */
    uint8_t *page;             /* and all pages that it sees */
    sqlite3_int64 pages_bytes; /* of `page` */
} killed;

static char folder[] = "midcommit-test-XXXXXX";
static killed kills[KILLS_MAX];
static uint32_t kill_count;

static void digest_bytes(digest *d, const void *data, size_t size)
{
    uint64_t chain[3] = {d->hash, size, size == 0 ? 0 : mc_hash64(data, size)};
    d->hash = mc_hash64(chain, sizeof chain);
}

static int digest_query(sqlite3 *db, const char *sql, digest *out)
{
    sqlite3_stmt *row = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &row, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(row)) == SQLITE_ROW) {
        out->rows++;
        for (int i = 0; i < sqlite3_column_count(row); i++) {
            int type = sqlite3_column_type(row, i);
            const void *data = sqlite3_column_blob(row, i);
            digest_bytes(out, &type, sizeof type);
            digest_bytes(out, data, (size_t)sqlite3_column_bytes(row, i));
        }
        rc = SQLITE_OK;
    }
    (void)sqlite3_finalize(row);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int read_digest(sqlite3 *db, digest *out)
{
    static const char tables[] = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1";
    sqlite3_stmt *table = NULL;
    *out = (digest){0};
    int rc = digest_query(db, "SELECT type, name, sql FROM sqlite_master ORDER BY rowid", out);
    rc = rc == SQLITE_OK ? sqlite3_prepare_v2(db, tables, -1, &table, NULL) : rc;
    while (rc == SQLITE_OK && (rc = sqlite3_step(table)) == SQLITE_ROW) {
        char *sql =
            sqlite3_mprintf("SELECT * FROM \"%w\" ORDER BY rowid", sqlite3_column_text(table, 0));
        rc = sql == NULL ? SQLITE_NOMEM : digest_query(db, sql, out);
        sqlite3_free(sql);
    }
    (void)sqlite3_finalize(table);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* The recorder's settings (record.c write_settings), on a real file. Ends the child on failure. */
static sqlite3 *open_with_settings(const mc_program *program, const char *sync, const char *mode)
{
    sqlite3 *db = NULL;
    char sql[400];
    (void)snprintf(sql, sizeof sql,
                   "PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0; PRAGMA wal_autocheckpoint=0; "
                   "PRAGMA cache_spill=ON; PRAGMA page_size=%d; PRAGMA secure_delete=OFF; "
                   "PRAGMA synchronous=%s; PRAGMA cache_size=%u; PRAGMA journal_mode=%s",
                   PAGE_BYTES, sync, program->cache_pages, mode);
    if (sqlite3_open_v2("main.db", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "unix") !=
            SQLITE_OK ||
        sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        _exit(1);
    }
    return db;
}

static void run_first(sqlite3 *db, const mc_script *script, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (sqlite3_exec(db, script->text[i], NULL, NULL, NULL) != SQLITE_OK) {
            _exit(1);
        }
    }
}

/* In a child: builds the database as the recorder does, runs statements 0..last in a second life,
 * says what it reads, and is killed with its connection open. */
static _Noreturn void live_and_die(const mc_program *program, uint32_t last, int out)
{
    sqlite3 *db = open_with_settings(program, "OFF", "MEMORY");
    run_first(db, &program->setup, program->setup.count);
    if (sqlite3_close(db) != SQLITE_OK) {
        _exit(1);
    }
    db = open_with_settings(program, "FULL", "WAL");
    run_first(db, &program->program, last + 1);
    digest seen;
    if (sqlite3_get_autocommit(db) == 0 || read_digest(db, &seen) != SQLITE_OK ||
        write(out, &seen, sizeof seen) != sizeof seen) {
        _exit(1);
    }
    (void)raise(SIGKILL);
    _exit(1);
}

static void kill_after(const mc_program *program, uint32_t statement, digest *acknowledged)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(ends[0]);
        live_and_die(program, statement, ends[1]);
    }
    (void)close(ends[1]);
    ssize_t got = read(ends[0], acknowledged, sizeof *acknowledged);
    (void)close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(got, sizeof *acknowledged);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
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

/* Copies what the process left, then lets SQLite recover it in place. */
static void look_at(killed *k)
{
    k->files = (mc_files){.main = read_file("main.db"),
                          .journal = read_file("main.db-journal"),
                          .wal = read_file("main.db-wal")};
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open_v2("main.db", &db, SQLITE_OPEN_READWRITE, "unix"), SQLITE_OK);
    assert_int_equal(read_digest(db, &k->found), SQLITE_OK);
    k->page = sqlite3_serialize(db, "main", &k->pages_bytes, 0);
    assert_non_null(k->page);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    (void)unlink("main.db");
    (void)unlink("main.db-journal");
    (void)unlink("main.db-wal");
    (void)unlink("main.db-shm");
}

/* Kills once after each statement that ends outside a transaction; a database in memory tells which
 * those are. */
static void kill_at_each_commit(const mc_program *program)
{
    sqlite3 *scout = NULL;
    assert_int_equal(sqlite3_open(":memory:", &scout), SQLITE_OK);
    for (uint32_t i = 0; i < program->setup.count; i++) {
        assert_int_equal(sqlite3_exec(scout, program->setup.text[i], NULL, NULL, NULL), SQLITE_OK);
    }
    for (uint32_t i = 0; i < program->program.count; i++) {
        const char *sql = program->program.text[i];
        assert_int_equal(sqlite3_exec(scout, sql, NULL, NULL, NULL), SQLITE_OK);
        if (sqlite3_get_autocommit(scout) != 0) {
            assert_true(kill_count < KILLS_MAX);
            killed *k = &kills[kill_count++];
            kill_after(program, i, &k->acknowledged);
            look_at(k);
        }
    }
    assert_int_equal(sqlite3_close(scout), SQLITE_OK);
}

static int kill_all(void **unused)
{
    (void)unused;
    assert_true(mkdtemp(folder) != NULL && chdir(folder) == 0);
    mc_arena arena = {.limit_bytes = 1 << 26};
    mc_program program = {.arena = &arena};
    mc_record_options options = {.workload = "savepoint",
                                 .mode = MC_MODE_WAL,
                                 .sync = MC_SYNC_FULL,
                                 .page_size = PAGE_BYTES,
                                 .txns = 2,
                                 .seed = 1};
    mc_error error;
    assert_int_equal(mc_program_make(&program, &options, &error), MC_OK);
    kill_at_each_commit(&program);
    mc_arena_free(&arena);
    return 0;
}

static int leave_folder(void **unused)
{
    (void)unused;
    for (uint32_t i = 0; i < kill_count; i++) {
        free((void *)kills[i].files.main.data);
        free((void *)kills[i].files.journal.data);
        free((void *)kills[i].files.wal.data);
        sqlite3_free(kills[i].page);
    }
    char command[64];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return chdir("..") == 0 ? system(command) : -1;
}

/* Promise: a process that is killed after its commit has returned loses the commit on the versions
 * that the table names, on no other, and only where the files carry the defect's mark. */
static void commits_are_lost_on_the_named_versions_only(void **unused)
{
    (void)unused;
    const mc_defect *defect = mc_defect_named("wal-frames-without-checksum");
    assert_non_null(defect);
    int version = sqlite3_libversion_number();
    bool has_it = version >= defect->first_version && version < defect->fixed_version;
    uint32_t lost = 0;
    uint32_t marked = 0;
    uint32_t unexplained = 0;
    for (uint32_t i = 0; i < kill_count; i++) {
        const killed *k = &kills[i];
        mc_verdict stale = {.kind = MC_STALE, .behind = 1};
        bool is_lost = memcmp(&k->found, &k->acknowledged, sizeof k->found) != 0;
        lost += is_lost;
        marked += defect->shows(&k->files);
        unexplained +=
            is_lost && mc_defect_find(version, &k->files, &stale, MC_SYNC_FULL, "kill") != defect;
    }
    print_message("SQLite %s: %u kills, %u lost a commit, %u carry the mark\n",
                  sqlite3_libversion(), kill_count, lost, marked);
    assert_true(kill_count >= 5);
    assert_int_equal(unexplained, 0);
    assert_true(has_it ? lost > 0 : lost == 0);
}

/* Promise: `recover` gives page for page what SQLite sees in the very bytes that a killed process
 * left, whether a commit is lost in them or not. */
static void recover_gives_the_pages_that_sqlite_sees(void **unused)
{
    (void)unused;
    mc_arena arena = {.limit_bytes = 1 << 28};
    uint32_t from_wal = 0;
    for (uint32_t i = 0; i < kill_count; i++) {
        const killed *k = &kills[i];
        mc_input input = {.kind = MC_INPUT_FILES, .files = k->files};
        mc_import import = {0};
        mc_error error;
        assert_int_equal(mc_importer_recover.import(&input, &arena, &import, &error), MC_OK);
        assert_int_equal(import.image.page_size, PAGE_BYTES);
        assert_int_equal((sqlite3_int64)import.image.page_count * PAGE_BYTES, k->pages_bytes);
        bool differs = (uint64_t)k->pages_bytes != k->files.main.size;
        for (uint32_t n = 0; n < import.image.page_count; n++) {
            size_t at = (size_t)n * PAGE_BYTES;
            assert_memory_equal(import.image.page[n], k->page + at, PAGE_BYTES);
            differs = differs || memcmp(k->files.main.data + at, k->page + at, PAGE_BYTES) != 0;
        }
        from_wal += differs;
        mc_arena_reset(&arena);
    }
    mc_arena_free(&arena);
    assert_true(from_wal >= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commits_are_lost_on_the_named_versions_only),
        cmocka_unit_test(recover_gives_the_pages_that_sqlite_sees),
    };
    return cmocka_run_group_tests(tests, kill_all, leave_folder);
}
