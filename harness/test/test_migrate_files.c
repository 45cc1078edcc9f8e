/* test_migrate_files.c: `midcommit migrate` on files: real hot journals and WALs, super-journals,
 * databases in use, and input and targets that are not what they should be. */
#include "harness/test/migrating.h"

#include "harness/migrate/source.h"

/* ---- real sidecars ---- */

/* Copies `from` and its sidecars while its connection is open, as a crash would leave them. */
static void copy_database(const char *from, const char *to)
{
    static const char *const suffixes[] = {"", "-journal", "-wal"};
    for (int i = 0; i < 3; i++) {
        char source[4700];
        char target[4700];
        (void)snprintf(source, sizeof source, "%s%s", in_folder(from), suffixes[i]);
        (void)snprintf(target, sizeof target, "%s%s", in_folder(to), suffixes[i]);
        (void)unlink(target);
        if (exists(source)) {
            copy_file(source, target);
        }
    }
}

/* to.db: main with half a transaction in it, beside its hot journal; before.db: before it. */
static void make_hot(void)
{
    make_db(in_folder("live.db"), 4096);
    copy_file(in_folder("live.db"), in_folder("before.db"));
    sqlite3 *db = open_db(in_folder("live.db"));
    sql(db, "PRAGMA cache_size=2; PRAGMA cache_spill=1; BEGIN; UPDATE t SET b = b || 'x';");
    copy_database("live.db", "to.db");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    bytes main = read_bytes(in_folder("to.db"));
    bytes before = read_bytes(in_folder("before.db"));
    assert_true(main.size != before.size || memcmp(main.data, before.data, main.size) != 0);
    free(main.data);
    free(before.data);
}

static long long sum_of(const char *path)
{
    sqlite3 *db = open_db(path);
    sqlite3_stmt *row;
    const char *query = "SELECT sum(length(b)) + 1000000 * count(*) FROM t";
    assert_int_equal(sqlite3_prepare_v2(db, query, -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    long long sum = sqlite3_column_int64(row, 0);
    (void)sqlite3_finalize(row);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return sum;
}

static void test_hot_journal_is_played_back(void **state)
{
    /* Promise: `recover` writes the database as it was before the crashed transaction; `abandon`
     * does not, and says so; the source is not touched. */
    (void)state;
    make_hot();
    copy_file(in_folder("to.db"), in_folder("main.copy"));
    copy_file(in_folder("to.db-journal"), in_folder("journal.copy"));
    ran r;
    migrate(&r, "--from-files", in_folder("to.db"), "--to-file", in_folder("out.db"), "--json", "-",
            NULL);
    assert_outcome(&r, "imported", "null", "hot-journal");
    assert_same_file(in_folder("out.db"), in_folder("before.db"));
    migrate(&r, "--from-files", in_folder("to.db"), "--policy", "abandon", "--to-file",
            in_folder("out.db"), NULL);
    assert_int_equal(r.status, 0);
    assert_non_null(strstr(r.out, "warning: "));
    assert_same_file(in_folder("out.db"), in_folder("main.copy"));
    migrate(&r, "--from-files", in_folder("to.db"), "--policy", "reject", "--json", "-", NULL);
    assert_outcome(&r, "refused", "journal-exists", "hot-journal");
    assert_same_file(in_folder("to.db"), in_folder("main.copy"));
    assert_same_file(in_folder("to.db-journal"), in_folder("journal.copy"));
}

static void test_sidecars_stand_beside_what_a_link_leads_to(void **state)
{
    /* Promise: like SQLite, a symbolic link is followed before the sidecars are looked for. */
    (void)state;
    make_hot();
    assert_int_equal(symlink("to.db", in_folder("link.db")), 0);
    ran r;
    migrate(&r, "--from-files", in_folder("link.db"), "--to-file", in_folder("out.db"), "--json",
            "-", NULL);
    assert_outcome(&r, "imported", "null", "hot-journal");
    assert_same_file(in_folder("out.db"), in_folder("before.db"));
}

static void test_wal_is_applied(void **state)
{
    /* Promise: a WAL with real frames is applied, and stock SQLite reads the same from the result
     * as from the source. */
    (void)state;
    make_db(in_folder("live.db"), 4096);
    sqlite3 *db = open_db(in_folder("live.db"));
    sql(db,
        "PRAGMA journal_mode=WAL; UPDATE t SET b = b || 'y'; INSERT INTO t VALUES(1000,'new');");
    copy_database("live.db", "to.db");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    ran r;
    migrate(&r, "--from-files", in_folder("to.db"), "--to-file", in_folder("out.db"), "--to-v2",
            in_folder("v2"), "--json", "-", NULL);
    assert_outcome(&r, "imported", "null", "wal");
    assert_v2_holds(in_folder("v2"), in_folder("out.db"));
    migrate(&r, "--from-files", in_folder("to.db"), "--policy", "abandon", "--to-file",
            in_folder("main.db"), "--metrics", in_folder("m.prom"), NULL);
    assert_int_equal(r.status, 0);
    assert_non_null(strstr(r.out, "warning: "));
    bytes metrics = read_bytes(in_folder("m.prom"));
    assert_non_null(strstr((char *)metrics.data, "abandoned_sidecars_total{kind=\"wal\"} 1\n"));
    free(metrics.data);
    long long expected = sum_of(in_folder("live.db"));
    assert_int_equal(sum_of(in_folder("out.db")), expected);
    assert_true(sum_of(in_folder("main.db")) != expected);
    assert_int_equal(sum_of(in_folder("to.db")), expected);
}

/* The image ends where the header's page count says, and the file may be longer. */
static void assert_begins_with(const char *longer, const char *shorter)
{
    bytes whole = read_bytes(longer);
    bytes part = read_bytes(shorter);
    assert_true(part.size > 0 && part.size <= whole.size);
    assert_memory_equal(whole.data, part.data, part.size);
    free(whole.data);
    free(part.data);
}

static void test_super_journal_is_looked_up_where_it_is_named(void **state)
{
    /* Promise: a journal whose super-journal is there is played back, one whose super-journal is
     * missing or empty is not; stock SQLite agrees. */
    (void)state;
    make_hot();
    const char *super = in_folder("live.db-mj0011223344");
    size_t length = strlen(super);
    uint8_t tail[4700 + 20];
    uint32_t sum = 0;
    for (size_t i = 0; i < length; i++) {
        int32_t letter = (int8_t)super[i];
        sum += (uint32_t)letter;
    }
    mc_bytes_put_be32(tail, 0x40000000 / 4096 + 1);
    memcpy(tail + 4, super, length);
    mc_bytes_put_be32(tail + 4 + length, (uint32_t)length);
    mc_bytes_put_be32(tail + 8 + length, sum);
    memcpy(tail + 12 + length, "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", 8);
    FILE *file = fopen(in_folder("to.db-journal"), "ab");
    (void)fwrite(tail, 1, 20 + length, file);
    (void)fclose(file);
    static const struct {
        const char *content; /* null: no file */
        const char *state;
    } cases[] = {{NULL, "stale-sidecar"}, {"", "stale-sidecar"}, {"x", "hot-journal"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (cases[i].content != NULL) {
            write_bytes(super, cases[i].content, strlen(cases[i].content));
        }
        ran r;
        migrate(&r, "--from-files", in_folder("to.db"), "--to-file", in_folder("out.db"), "--json",
                "-", NULL);
        bool hot = strcmp(cases[i].state, "hot-journal") == 0;
        json_t *object = json_of(&r);
        const char *found = text_at(json_object_get(object, "input"), "state");
        /* Half a transaction may be damage of its own; hot or not is what is asked here. */
        assert_int_equal(strcmp(found, "hot-journal") == 0, hot);
        json_decref(object);
        assert_begins_with(in_folder(hot ? "before.db" : "to.db"), in_folder("out.db"));
        copy_database("to.db", "sqlite.db");
        sqlite3 *db = open_db(in_folder("sqlite.db"));
        (void)sqlite3_exec(db, "SELECT * FROM sqlite_schema", NULL, NULL, NULL);
        (void)sqlite3_close(db);
        assert_begins_with(in_folder("sqlite.db"), in_folder("out.db"));
    }
}

static void test_every_page_size(void **state)
{
    /* Promise: files of any page size are copied exactly; v2 takes 4096 alone. */
    (void)state;
    for (int size = 512; size <= 65536; size *= 2) {
        make_db(in_folder("main.db"), size);
        ran r;
        migrate(&r, "--from-files", in_folder("main.db"), "--to-file", in_folder("out.db"),
                "--to-ltx", in_folder("out.ltx"), "--json", "-", NULL);
        assert_outcome(&r, "imported", "null", "clean");
        assert_same_file(in_folder("out.db"), in_folder("main.db"));
        migrate(&r, "--from-files", in_folder("main.db"), "--to-file", in_folder("v2.db"),
                "--to-v2", in_folder("v2"), "--json", "-", NULL);
        assert_outcome(&r, size == 4096 ? "imported" : "refused",
                       size == 4096 ? "null" : "page-size-unsupported", "clean");
        assert_int_equal(exists(in_folder("v2")), size == 4096);
        assert_int_equal(exists(in_folder("v2.db")), size == 4096);
        remove_tree(in_folder("v2"));
        (void)unlink(in_folder("v2.db"));
    }
}

/* ---- in use ---- */

/* A child that opens main, runs `text` and holds what it holds until it is ended. */
static pid_t hold(const char *path, const char *text)
{
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        sqlite3 *db;
        bool ok = sqlite3_open(path, &db) == SQLITE_OK &&
                  sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK;
        (void)!write(ready[1], ok ? "y" : "n", 1);
        (void)alarm(RUN_SECONDS_MAX);
        for (;;) {
            (void)pause();
        }
    }
    char answer = 'n';
    assert_int_equal(read(ready[0], &answer, 1), 1);
    (void)close(ready[0]);
    (void)close(ready[1]);
    assert_int_equal(answer, 'y');
    return child;
}

static void test_a_database_in_use_is_not_read(void **state)
{
    /* Promise: while another process writes, its journal is not hot, and nothing is imported;
     * readers and idle connections are no hindrance. */
    (void)state;
    static const struct {
        const char *sql;
        bool writes;
    } cases[] = {
        {"BEGIN IMMEDIATE", true},
        {"BEGIN EXCLUSIVE", true},
        {"PRAGMA cache_size=2; BEGIN; UPDATE t SET b = b || 'x';", true},
        {"PRAGMA journal_mode=WAL; BEGIN IMMEDIATE; INSERT INTO t VALUES(2000,'z')", true},
        {"BEGIN; SELECT * FROM t", false},
        {"PRAGMA journal_mode=WAL; INSERT INTO t VALUES(3000,'z')", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make_db(in_folder("main.db"), 4096);
        pid_t child = hold(in_folder("main.db"), cases[i].sql);
        ran r;
        migrate(&r, "--from-files", in_folder("main.db"), "--to-file", in_folder("out.db"),
                "--json", "-", NULL);
        (void)kill(child, SIGKILL);
        (void)waitpid(child, NULL, 0);
        if (cases[i].writes) {
            assert_error(&r, 3, "another process is writing");
            assert_int_equal(count_names("out.db"), 0);
        } else {
            assert_int_equal(r.status, 0);
            (void)unlink(in_folder("out.db"));
        }
        (void)unlink(in_folder("main.db-wal"));
        (void)unlink(in_folder("main.db-shm"));
        (void)unlink(in_folder("main.db-journal"));
    }
}

static void test_nobody_writes_while_it_is_read(void **state)
{
    /* Promise: from the first byte read to the end of the migration SQLite cannot get to main. */
    (void)state;
    make_db(in_folder("main.db"), 4096);
    mc_source source;
    mc_error error;
    assert_int_equal(
        mc_source_open(&source, MC_SOURCE_FILES, in_folder("main.db"), 1 << 20, &error), MC_OK);
    sqlite3 *db = open_db(in_folder("main.db"));
    const char *write = "BEGIN; DELETE FROM t; COMMIT";
    assert_int_equal(sqlite3_exec(db, write, NULL, NULL, NULL), SQLITE_BUSY);
    sql(db, "ROLLBACK");
    mc_source_close(&source);
    sql(db, write);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void test_a_file_that_changes_is_noticed(void **state)
{
    /* Promise: a file that grows, is written, replaced, made or removed between open and the check
     * after reading is an error. */
    (void)state;
    for (int change = 0; change < 5; change++) {
        const char *path = in_folder("file");
        mc_arena arena = {.limit_bytes = 1 << 16};
        mc_infile in;
        mc_error error;
        (void)unlink(path);
        if (change != 3) {
            write_bytes(path, "four", 4);
        }
        assert_int_equal(mc_infile_open(&in, path, 100, &error), MC_OK);
        assert_int_equal(mc_infile_unchanged(&in, &error), MC_OK);
        (void)usleep(20000); /* times of files move in steps of the kernel's clock */
        mc_status expected = MC_OK;
        if (change == 0) {
            write_bytes(path, "fiver", 5);
            expected = MC_IO;
        } else if (change == 1) {
            write_bytes(path, "also", 4);
        } else if (change == 2) {
            write_bytes(in_folder("new"), "four", 4);
            assert_int_equal(rename(in_folder("new"), path), 0);
        } else if (change == 3) {
            write_bytes(path, "four", 4);
        } else {
            assert_int_equal(unlink(path), 0);
        }
        if (change != 3) {
            assert_int_equal(mc_infile_read(&in, &arena, &error), expected);
        }
        assert_int_equal(mc_infile_unchanged(&in, &error), MC_IO);
        assert_string_equal(error.reason, "changed");
        mc_infile_close(&in);
        mc_arena_free(&arena);
    }
}

/* ---- bad sources ---- */

static void test_sources_that_are_no_files(void **state)
{
    /* Promise: what is missing, a folder, a FIFO, a device or too large is one line and status 3,
     * at once, and no output. */
    (void)state;
    static const char *const options[] = {"--from-files", "--from-kv", "--from-lmdb"};
    assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
    assert_int_equal(mkdir(in_folder("dir"), 0700), 0);
    write_bytes(in_folder("sparse"), "S", 1);
    assert_int_equal(truncate(in_folder("sparse"), (off_t)1 << 40), 0);
    const char *const sources[] = {
        in_folder("none"),   in_folder("dir"),         in_folder("fifo"),         "/dev/zero",
        in_folder("sparse"), in_folder("none/deeper"), in_folder("sparse/deeper")};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        for (size_t k = 0; k < sizeof sources / sizeof sources[0]; k++) {
            ran r;
            migrate(&r, options[i], sources[k], "--to-file", in_folder("out.db"), "--to-v2",
                    in_folder("v2"), NULL);
            assert_error(&r, 3, sources[k]);
        }
    }
    make_db(in_folder("main.db"), 4096);
    assert_int_equal(mkfifo(in_folder("main.db-journal"), 0600), 0);
    ran r;
    migrate(&r, "--from-files", in_folder("main.db"), "--to-file", in_folder("out.db"), NULL);
    assert_error(&r, 3, "main.db-journal");
    assert_int_equal(count_names("out.db"), 0);
    assert_false(exists(in_folder("v2")));
}

static void test_dumps_that_are_none(void **state)
{
    /* Promise: a dump that is cut or spoilt is one line with its place, status 3, and no output; an
     * impossible size is refused, and is never allocated. */
    (void)state;
    bytes dump = read_bytes(corpus("one_page_k0001"));
    ran r;
    write_bytes(in_folder("cut"), dump.data, dump.size - 20);
    migrate(&r, "--from-kv", in_folder("cut"), "--to-file", in_folder("out.db"), NULL);
    assert_error(&r, 3, "line 4");
    write_bytes(in_folder("binary"), "\0\1\2\n\3", 5);
    migrate(&r, "--from-kv", in_folder("binary"), "--to-file", in_folder("out.db"), NULL);
    assert_error(&r, 3, "line 1");
    static const struct {
        uint64_t size;
        const char *reason;
    } sizes[] = {{UINT64_MAX, "metadata-size"}, {(uint64_t)1 << 43, "too-large"}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        mc_arena arena = {.limit_bytes = 4096};
        mc_kvstore store = {0};
        put_metadata(&store, &arena, MC_V1_MAIN, sizes[i].size);
        save_dump(&store, in_folder("huge"));
        migrate(&r, "--from-kv", in_folder("huge"), "--to-file", in_folder("out.db"), NULL);
        assert_int_equal(r.status, 1);
        assert_non_null(strstr(r.err, sizes[i].reason));
        assert_int_equal(count_lines(r.err), 1);
        mc_kvstore_free(&store);
        mc_arena_free(&arena);
    }
    free(dump.data);
    assert_int_equal(count_names("out.db"), 0);
}

static void test_files_that_are_no_database(void **state)
{
    /* Promise: what SQLite would not open is refused by name; cut at any size, main is answered
     * with a verdict and never with a crash. */
    (void)state;
    ran r;
    write_bytes(in_folder("text"),
                "not a database, but long enough to be looked at in full, is it?", 63);
    migrate(&r, "--from-files", in_folder("text"), "--to-file", in_folder("out.db"), "--json", "-",
            NULL);
    assert_outcome(&r, "refused", "bad-magic", "malformed");
    assert_false(exists(in_folder("out.db")));
    make_hot();
    bytes main = read_bytes(in_folder("to.db"));
    bytes journal = read_bytes(in_folder("to.db-journal"));
    static const size_t cuts[] = {0, 1, 17, 99, 100, 4095, 4096, 5000};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        write_bytes(in_folder("to.db"), main.data, cuts[i]);
        write_bytes(in_folder("to.db-journal"), journal.data, journal.size);
        migrate(&r, "--from-files", in_folder("to.db"), "--json", "-", NULL);
        assert_true(r.status == 0 || r.status == 1);
        write_bytes(in_folder("to.db"), main.data, main.size);
        write_bytes(in_folder("to.db-journal"), journal.data, cuts[i]);
        migrate(&r, "--from-files", in_folder("to.db"), "--json", "-", NULL);
        assert_true(r.status == 0 || r.status == 1);
    }
    free(main.data);
    free(journal.data);
}

/* ---- bad targets ---- */

static void test_targets_that_cannot_be_written(void **state)
{
    /* Promise: a target that cannot be written is one line and status 3, and what is there stays.
     */
    (void)state;
    const char *dump = corpus("grow_10_k0001");
    assert_int_equal(mkdir(in_folder("dir"), 0700), 0);
    assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
    write_bytes(in_folder("plain"), "plain", 5);
    const char *const bad[] = {in_folder("none/out"), in_folder("fifo"), in_folder("plain/out")};
    static const char *const options[] = {"--to-file", "--to-ltx", "--to-v2", "--json",
                                          "--metrics"};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
            ran r;
            migrate(&r, "--from-kv", dump, options[i], bad[k], NULL);
            assert_int_equal(r.status, 3);
            assert_non_null(strstr(r.err, bad[k]));
        }
    }
    ran r;
    migrate(&r, "--from-kv", dump, "--to-file", in_folder("dir"), NULL);
    assert_error(&r, 3, "regular file");
    migrate(&r, "--from-kv", dump, "--to-v2", in_folder("plain"), NULL);
    assert_error(&r, 3, "folder");
    struct stat info;
    assert_int_equal(stat(in_folder("fifo"), &info), 0);
    assert_true(S_ISFIFO(info.st_mode));
    assert_int_equal(count_names("fifo"), 1);
    bytes plain = read_bytes(in_folder("plain"));
    assert_string_equal(plain.data, "plain");
    free(plain.data);
}

static void test_source_and_target_must_differ(void **state)
{
    /* Promise: no output takes the place of its own source, by whatever name, nor stands where
     * another database's sidecar would be played back into it. */
    (void)state;
    make_hot();
    ran r;
    assert_int_equal(link(in_folder("to.db"), in_folder("same.db")), 0);
    const char *const targets[] = {in_folder("to.db"), in_folder("same.db"),
                                   in_folder("to.db-journal")};
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        migrate(&r, "--from-files", in_folder("to.db"), "--to-file", targets[i], NULL);
        assert_error(&r, 2, targets[i]);
        migrate(&r, "--from-files", in_folder("to.db"), "--to-ltx", targets[i], NULL);
        assert_error(&r, 2, targets[i]);
        migrate(&r, "--from-files", in_folder("to.db"), "--json", targets[i], NULL);
        assert_error(&r, 2, targets[i]);
        migrate(&r, "--from-files", in_folder("to.db"), "--metrics", targets[i], NULL);
        assert_error(&r, 2, targets[i]);
    }
    /* Nor the name of a sidecar that is not there, of the source or of the target. */
    migrate(&r, "--from-files", in_folder("to.db"), "--to-file", in_folder("./to.db-wal"), NULL);
    assert_error(&r, 2, "to.db-wal");
    assert_false(exists(in_folder("to.db-wal")));
    migrate(&r, "--from-files", in_folder("to.db"), "--to-file", in_folder("out.db"), "--json",
            in_folder("out.db-wal"), NULL);
    assert_error(&r, 2, "out.db-wal");
    assert_false(exists(in_folder("out.db")));
    /* And a report that cannot be written is found out first. */
    migrate(&r, "--from-files", in_folder("to.db"), "--to-file", in_folder("out.db"), "--json",
            in_folder("missing/report"), NULL);
    assert_error(&r, 3, "missing/report");
    assert_false(exists(in_folder("out.db")));
    write_bytes(in_folder("out.db-journal"), "old", 3);
    migrate(&r, "--from-files", in_folder("to.db"), "--to-file", in_folder("out.db"), NULL);
    assert_error(&r, 3, "out.db-journal");
    assert_false(exists(in_folder("out.db")));
    migrate(&r, "--from-files", in_folder("to.db"), "--to-file", in_folder("other.db"), NULL);
    assert_int_equal(r.status, 0);
    assert_same_file(in_folder("other.db"), in_folder("before.db"));
}

static void test_a_source_that_cannot_be_read_is_kept(void **state)
{
    /* Promise: metrics, which are written of a migration that could not run, too, never take the
     * place of what it could not read. */
    (void)state;
    ran r;
    write_bytes(in_folder("bad.jsonl"), "no dump", 7);
    migrate(&r, "--from-kv", in_folder("bad.jsonl"), "--metrics", in_folder("./bad.jsonl"), NULL);
    assert_error(&r, 2, "bad.jsonl");
    bytes bad = read_bytes(in_folder("bad.jsonl"));
    assert_string_equal(bad.data, "no dump");
    free(bad.data);
    assert_int_equal(mkdir(in_folder("v1"), 0700), 0);
    static const char *const names[] = {"v1/data.mdb", "v1/lock.mdb"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        migrate(&r, "--from-lmdb", in_folder("v1"), "--metrics", in_folder(names[i]), NULL);
        assert_error(&r, 2, names[i]);
        assert_false(exists(in_folder(names[i])));
    }
}

static void test_outputs_must_differ(void **state)
{
    /* Promise: no output takes the place of another, by whatever name, nor of the v2 store's files.
     */
    (void)state;
    const char *dump = corpus("grow_10_k0001");
    assert_int_equal(mkdir(in_folder("v2"), 0700), 0);
    static const struct {
        const char *option;
        const char *path;
        const char *other_option;
        const char *other;
    } pairs[] = {
        {"--to-file", "out", "--json", "./out"},
        {"--to-file", "out", "--to-ltx", "./out"},
        {"--to-ltx", "out", "--metrics", "v2/../out"},
        {"--json", "out", "--metrics", "./out"},
        {"--to-v2", "v2", "--json", "v2/data.mdb"},
        {"--to-v2", "v2", "--to-file", "./v2/data.mdb"},
        {"--to-v2", "v2", "--metrics", "v2/lock.mdb"},
        {"--to-file", "out", "--to-ltx", "./out-journal"},
        {"--to-file", "out", "--metrics", "out-shm"},
        {"--to-file", "out", "--to-v2", "out-wal"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        ran r;
        migrate(&r, "--from-kv", dump, pairs[i].option, in_folder(pairs[i].path),
                pairs[i].other_option, in_folder(pairs[i].other), NULL);
        assert_error(&r, 2, "");
        assert_int_equal(count_names("out"), 0);
        assert_false(exists(in_folder("v2/data.mdb")));
    }
}

static void test_reports_are_checked_first(void **state)
{
    /* Promise: when a report cannot be written, nothing is. */
    (void)state;
    const char *dump = corpus("grow_10_k0001");
    assert_int_equal(mkdir(in_folder("dir"), 0700), 0);
    const char *const bad[] = {in_folder("none/report"), in_folder("dir"), "/dev/null"};
    static const char *const reports[] = {"--json", "--metrics"};
    for (size_t i = 0; i < sizeof reports / sizeof reports[0]; i++) {
        for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
            ran r;
            migrate(&r, "--from-kv", dump, "--to-file", in_folder("out.db"), "--to-ltx",
                    in_folder("out.ltx"), "--to-v2", in_folder("out.v2"), reports[i], bad[k], NULL);
            assert_error(&r, 3, bad[k]);
            assert_int_equal(count_names("out"), 0);
        }
    }
    assert_int_equal(count_names("dir"), 1);
}

static void test_no_room_leaves_no_output(void **state)
{
    /* Promise: when the disk takes no more, what was there stays, nothing is left of what was
     * begun, and v2 gets no head. */
    (void)state;
    const char *dump = corpus("big_then_close_k0001");
    const char *file[] = {"midcommit",         "migrate",  "--from-kv",          dump, "--to-file",
                          in_folder("out.db"), "--to-ltx", in_folder("out.ltx"), NULL};
    const char *ltx[] = {"midcommit",          "migrate", "--from-kv", dump, "--to-ltx",
                         in_folder("out.ltx"), NULL};
    const char *v2[] = {"midcommit", "migrate",       "--from-kv", dump,
                        "--to-v2",   in_folder("v2"), NULL};
    write_bytes(in_folder("out.db"), "old", 3);
    for (rlim_t most = 4096; most <= 16384; most *= 2) {
        ran r;
        run_limited(&r, most, file);
        assert_error(&r, 3, "out.db");
        run_limited(&r, most / 16, ltx);
        assert_error(&r, 3, "out.ltx");
        run_limited(&r, most, v2);
        assert_int_equal(r.status, 3);
        assert_int_equal(count_lines(r.err), 1);
    }
    bytes old = read_bytes(in_folder("out.db"));
    assert_string_equal(old.data, "old");
    free(old.data);
    assert_int_equal(count_names("out."), 1);
    ran r;
    migrate(&r, "--from-kv", dump, "--to-v2", in_folder("v2"), "--json", "-", NULL);
    assert_outcome(&r, "imported", "null", "stale-sidecar");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_hot_journal_is_played_back),
        IN_FOLDER(test_sidecars_stand_beside_what_a_link_leads_to),
        IN_FOLDER(test_wal_is_applied),
        IN_FOLDER(test_super_journal_is_looked_up_where_it_is_named),
        IN_FOLDER(test_every_page_size),
        IN_FOLDER(test_a_database_in_use_is_not_read),
        IN_FOLDER(test_nobody_writes_while_it_is_read),
        IN_FOLDER(test_a_file_that_changes_is_noticed),
        IN_FOLDER(test_sources_that_are_no_files),
        IN_FOLDER(test_dumps_that_are_none),
        IN_FOLDER(test_files_that_are_no_database),
        IN_FOLDER(test_targets_that_cannot_be_written),
        IN_FOLDER(test_source_and_target_must_differ),
        IN_FOLDER(test_a_source_that_cannot_be_read_is_kept),
        IN_FOLDER(test_outputs_must_differ),
        IN_FOLDER(test_reports_are_checked_first),
        IN_FOLDER(test_no_room_leaves_no_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
