/* test_case.c: a finding that goes into a case and comes out again is judged as it was in its run,
 * by every importer; equal findings give equal bytes; and stock tools read what is in it. */
#include "harness/test/program.h"

#include <archive.h>
#include <archive_entry.h>
#include <jansson.h>
#include <sqlite3.h>

#include "harness/case/casejudge.h"
#include "harness/run/cases.h"

typedef struct cell_row {
    const char *workload;
    mc_mode mode;
    mc_sync sync;
    bool kv;
    uint32_t page_size;
} cell_row;

/* Small runs that together give every verdict. */
static const cell_row cells[] = {
    {"inplace", MC_MODE_DELETE, MC_SYNC_FULL, false, 4096},
    {"grow", MC_MODE_WAL, MC_SYNC_FULL, false, 4096},
    {"checkpoint", MC_MODE_WAL, MC_SYNC_NORMAL, false, 1024},
    {"indexed", MC_MODE_PERSIST, MC_SYNC_FULL, false, 4096},
    {"attach", MC_MODE_DELETE, MC_SYNC_FULL, false, 4096},
    {"freed", MC_MODE_OFF, MC_SYNC_FULL, false, 4096}, /* images that differ in page 1 alone */
    {"grow", MC_MODE_DELETE, MC_SYNC_NORMAL, true, 4096},
};

static void check(mc_status status, const mc_error *error, const char *what)
{
    if (status != MC_OK) {
        print_error("%s: %s\n", what, error->text);
        fail();
    }
}

/* Who is asked about a finding; one about the control is asked of it. */
static uint32_t subject_of(const mc_finding *finding, const mc_importers *importers)
{
    return finding->importer != UINT32_MAX ? finding->importer : importers->count - 1;
}

static void capture(const cell_row *row, const mc_finding *finding, const mc_importers *importers,
                    mc_case *c)
{
    mc_run_options options = {.page_size = row->page_size, .txns = 1, .seed = 1};
    mc_error error = {0};
    check(mc_cases_capture(finding->state, &options, importers, subject_of(finding, importers),
                           finding->signature, c, &error),
          &error, finding->state);
}

/* Opens the case and holds every importer's verdict against what the case says of the run. */
static void expect_verdicts(const mc_case *c, const mc_importers *importers, const char *state)
{
    mc_record_options record;
    mc_case_recipe(c, &record);
    mc_judge_options options = {.record = &record, .importers = importers};
    mc_judging *j = malloc(sizeof *j);
    assert_non_null(j);
    mc_crash crash;
    mc_error error = {0};
    check(mc_case_open(c, &options, j, &crash, &error), &error, state);
    char text[MC_IMPORTERS_MAX][MC_CASE_VERDICT_BYTES];
    check(mc_case_verdicts(j, &crash, text, &error), &error, state);
    mc_judging_close(j);
    free(j);
    const json_t *expected = json_object_get(c->facts, "expected");
    assert_int_equal(json_object_size(expected), importers->count);
    for (uint32_t i = 0; i < importers->count; i++) {
        const char *in_run =
            json_string_value(json_object_get(expected, importers->chosen[i].name));
        assert_non_null(in_run);
        if (strcmp(in_run, text[i]) != 0) {
            print_error("%s: %s: in the run \"%s\", of the case \"%s\"\n", state,
                        importers->chosen[i].name, in_run, text[i]);
            fail();
        }
    }
}

/* Captured twice where asked for: that takes the whole run twice. */
static void round_trip(const cell_row *row, const mc_finding *finding,
                       const mc_importers *importers, bool twice)
{
    mc_case made;
    mc_case again = {0};
    mc_case back;
    mc_error error = {0};
    uint8_t *bytes[3];
    size_t size[3];
    capture(row, finding, importers, &made);
    if (twice) {
        capture(row, finding, importers, &again);
    }
    check(mc_case_encode(&made, &bytes[0], &size[0], &error), &error, finding->state);
    check(mc_case_encode(twice ? &again : &made, &bytes[1], &size[1], &error), &error,
          finding->state);
    check(mc_case_decode("it", bytes[0], size[0], &back, &error), &error, finding->state);
    check(mc_case_encode(&back, &bytes[2], &size[2], &error), &error, finding->state);
    for (int i = 1; i < 3; i++) {
        assert_int_equal(size[i], size[0]);
        assert_memory_equal(bytes[i], bytes[0], size[0]);
        free(bytes[i]);
    }
    free(bytes[0]);
    assert_string_equal(mc_case_text(&back, "signature"), finding->signature);
    assert_string_equal(mc_case_text(&back, "state"), finding->state);
    expect_verdicts(&back, importers, finding->state);
    if (finding->importer != UINT32_MAX) {
        const char *name = importers->chosen[finding->importer].name;
        const json_t *expected = json_object_get(back.facts, "expected");
        assert_string_equal(json_string_value(json_object_get(expected, name)), finding->verdict);
    }
    mc_case_free(&made);
    mc_case_free(&again);
    mc_case_free(&back);
}

/* Promise: every finding of a run, as a case, gets the run's own verdict from each importer,
 * without its workload; captured, encoded or read again, its bytes are the same. */
static void cases_are_judged_as_their_runs_were(void **unused)
{
    (void)unused;
    static const char *const verdicts[] = {"torn, silent", "torn, loud", "stale, behind",
                                           "blocked: "};
    uint32_t met[sizeof verdicts / sizeof *verdicts] = {0};
    mc_importers importers;
    mc_error error = {0};
    check(mc_importers_parse("reject,abandon,recover,sqlite", &importers, &error), &error, "");
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        const cell_row *row = &cells[i];
        mc_record_options record = {.workload = row->workload,
                                    .mode = row->mode,
                                    .sync = row->sync,
                                    .kv = row->kv,
                                    .page_size = row->page_size,
                                    .txns = 1,
                                    .seed = 1};
        mc_judge_options options = {.record = &record, .importers = &importers};
        mc_cell cell = {0};
        check(mc_judge(&options, &cell, &error), &error, row->workload);
        assert_true(cell.finding_count > 0);
        for (uint32_t f = 0; f < cell.finding_count; f++) {
            round_trip(row, &cell.finding[f], &importers, f % 4 == 0);
            for (size_t v = 0; v < sizeof verdicts / sizeof *verdicts; v++) {
                met[v] += strncmp(cell.finding[f].verdict, verdicts[v], strlen(verdicts[v])) == 0;
            }
        }
        mc_cell_free(&cell);
    }
    for (size_t v = 0; v < sizeof verdicts / sizeof *verdicts; v++) {
        assert_true(met[v] > 0);
    }
    mc_importers_free(&importers);
}

/* Two runs of the program into two folders, for the tests below. */
static int make_cases(void **unused)
{
    int rc = program_enter(unused);
    for (int i = 0; rc == 0 && i < 2; i++) {
        output o = program_run("run --workload grow,inplace,attach --txns 1 --mode delete --jobs %d"
                               " --crash kill,kv --quiet --cases made%d",
                               i + 1, i);
        rc = o.status == 0 && o.err[0] == '\0' ? 0 : -1;
        program_done(&o);
    }
    return rc;
}

/* Calls `look` for each case in made0; returns how many there are. */
static int each_case(void (*look)(const char *path, void *context), void *context)
{
    char path[600];
    int count = 0;
    FILE *list = popen("ls made0", "r");
    assert_non_null(list);
    for (char name[500]; fgets(name, sizeof name, list) != NULL; count++) {
        name[strcspn(name, "\n")] = '\0';
        (void)snprintf(path, sizeof path, "made0/%s", name);
        look(path, context);
    }
    assert_int_equal(pclose(list), 0);
    return count;
}

/* Promise: equal runs write equal cases, whatever the number of processes; their replay finds what
 * they expect. */
static void equal_runs_write_equal_cases(void **unused)
{
    (void)unused;
    assert_int_equal(program_shell("diff -r made0 made1"), 0);
    output o = program_run("replay made0");
    program_expect(&o, 0, "replay made0");
    assert_null(strstr(o.out, "CHANGED"));
    assert_non_null(strstr(o.out, " 0 changed, 0 could not be judged."));
    program_done(&o);
}

static void look_at_headers(const char *path, void *context)
{
    (void)context;
    struct archive *archive = archive_read_new();
    struct archive_entry *entry;
    assert_int_equal(archive_read_append_filter(archive, ARCHIVE_FILTER_ZSTD), ARCHIVE_OK);
    assert_int_equal(archive_read_support_format_tar(archive), ARCHIVE_OK);
    assert_int_equal(archive_read_open_filename(archive, path, 4096), ARCHIVE_OK);
    int entries = 0;
    for (; archive_read_next_header(archive, &entry) == ARCHIVE_OK; entries++) {
        assert_int_equal(archive_entry_mtime(entry), 0);
        assert_int_equal(archive_entry_uid(entry), 0);
        assert_int_equal(archive_entry_gid(entry), 0);
        assert_string_equal(archive_entry_uname(entry) == NULL ? "" : archive_entry_uname(entry),
                            "");
        assert_string_equal(archive_entry_gname(entry) == NULL ? "" : archive_entry_gname(entry),
                            "");
        assert_int_equal(archive_entry_perm(entry), 0644);
        assert_int_equal(archive_entry_filetype(entry), AE_IFREG);
        if (entries == 0) {
            assert_string_equal(archive_entry_pathname(entry), "case.json");
        }
    }
    assert_true(entries > 3);
    assert_int_equal(archive_read_free(archive), ARCHIVE_OK);
}

/* Promise: nothing of the machine or the moment is in a case. */
static void cases_have_no_accidents(void **unused)
{
    (void)unused;
    assert_true(each_case(look_at_headers, NULL) > 20);
}

static void note_size(const char *path, void *context)
{
    size_t **next = context;
    char *bytes = program_read(path, (*next)++);
    assert_non_null(bytes);
    free(bytes);
}

static int by_size(const void *a, const void *b)
{
    size_t one = *(const size_t *)a;
    size_t other = *(const size_t *)b;
    return (one > other) - (one < other);
}

/* Promise: a case is small enough to be kept by the hundred: half of them have less than 8 KiB, and
 * none of these has more than 64. */
static void cases_are_small(void **unused)
{
    (void)unused;
    static size_t sizes[4096];
    size_t *next = sizes;
    int count = each_case(note_size, &next);
    qsort(sizes, (size_t)count, sizeof *sizes, by_size);
    print_message("%d cases, of %zu to %zu bytes, median %zu\n", count, sizes[0], sizes[count - 1],
                  sizes[count / 2]);
    assert_true(sizes[count / 2] < 8192);
    assert_true(sizes[count - 1] < 65536);
}

static void check_integrity(const char *path)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(statement, 0), "ok");
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Unpacks with tar; the snapshots are databases that SQLite finds whole, and what else is there are
 * the state's files. */
static void look_with_stock_tools(const char *path, void *context)
{
    int *snapshots = context;
    assert_int_equal(program_shell("rm -rf open && mkdir open && tar --zstd -C open -xf %s", path),
                     0);
    assert_int_equal(program_shell("tar --zstd -tf %s | sort > listed && ls open | cat > unpacked"
                                   " && LC_ALL=C sort unpacked > u && LC_ALL=C sort listed > l &&"
                                   " cmp u l",
                                   path),
                     0);
    FILE *list = popen("ls open", "r");
    assert_non_null(list);
    for (char name[200]; fgets(name, sizeof name, list) != NULL;) {
        char file[300];
        name[strcspn(name, "\n")] = '\0';
        (void)snprintf(file, sizeof file, "open/%s", name);
        bool known = strcmp(name, "case.json") == 0 || strcmp(name, "workload.sql") == 0 ||
                     strcmp(name, "kv.jsonl") == 0 || strncmp(name, "main.db", 7) == 0 ||
                     strncmp(name, "aux.db", 6) == 0;
        if (strncmp(name, "snapshot-", 9) == 0) {
            check_integrity(file);
            (*snapshots)++;
        } else if (!known) {
            print_error("%s: %s\n", path, name);
            fail();
        }
    }
    assert_int_equal(pclose(list), 0);
}

/* Promise: stock tar lists and unpacks a case, and SQLite opens its snapshots. */
static void stock_tools_read_cases(void **unused)
{
    (void)unused;
    if (program_shell("command -v zstd >.out") != 0) {
        print_message("no zstd here, so tar cannot unpack\n");
        return;
    }
    int snapshots = 0;
    int cases = each_case(look_with_stock_tools, &snapshots);
    assert_true(snapshots > cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases_are_judged_as_their_runs_were),
        cmocka_unit_test(equal_runs_write_equal_cases),
        cmocka_unit_test(cases_have_no_accidents),
        cmocka_unit_test(cases_are_small),
        cmocka_unit_test(stock_tools_read_cases),
    };
    return cmocka_run_group_tests(tests, make_cases, program_leave);
}
