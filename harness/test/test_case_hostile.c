/* test_case_hostile.c: a case file may come from anywhere. Whatever its bytes are, it is judged or
 * refused with one line; it writes nothing, runs nothing, and stays within memory and time. */
#include "harness/test/hostile.h"

#include <jansson.h>
#include <sys/stat.h>

#include "harness/case/casejudge.h"
#include "harness/case/replay.h"

/* The same inside this process, for many: it must come back, with a line where it fails. */
static mc_status judge_bytes(const uint8_t *data, size_t size)
{
    mc_case c;
    mc_error error = {0};
    mc_status status = mc_case_decode("it", data, size, &c, &error);
    mc_importers importers = {0};
    mc_story story = {0};
    if (status == MC_OK) {
        mc_story_request request = {0};
        status = mc_replay_importers(&c, NULL, &importers, &error);
        status =
            status == MC_OK ? mc_story_of_case(&c, &importers, &request, &story, &error) : status;
        mc_story_free(&story);
        mc_importers_free(&importers);
        mc_case_free(&c);
    }
    if (status != MC_OK) {
        assert_true(error.text[0] != '\0');
        assert_non_null(error.reason);
        assert_null(strchr(error.text, '\n'));
    }
    return status;
}

static mc_status judge_items(const items *all)
{
    size_t size;
    items_write(all, "items.case");
    char *data = program_read("items.case", &size);
    mc_status status = judge_bytes((const uint8_t *)data, size);
    free(data);
    return status;
}

/* ---- damage ---- */

/* Promise: a file with any byte changed, or cut anywhere, is judged or refused; one that is cut is
 * never taken for whole. */
static void damaged_files_are_judged_or_refused(void **unused)
{
    (void)unused;
    static const char *const paths[] = {"good.case", "wal.case", "kv.case"};
    for (size_t p = 0; p < sizeof paths / sizeof *paths; p++) {
        size_t size;
        uint8_t *data = (uint8_t *)program_read(paths[p], &size);
        assert_int_equal(judge_bytes(data, size), MC_OK);
        size_t step = size / (SANITIZED ? 30 : 300) + 1;
        uint32_t refused = 0;
        for (size_t at = 0; at < size; at += at < 40 ? 1 : step) {
            uint8_t kept = data[at];
            data[at] = (uint8_t)~kept;
            refused += judge_bytes(data, size) != MC_OK;
            data[at] = kept ^ (uint8_t)(1u << at % 8);
            refused += judge_bytes(data, size) != MC_OK;
            data[at] = kept;
        }
        assert_true(refused > 20);
        for (size_t cut = 0; cut < size; cut += cut < 40 ? 1 : step) {
            uint8_t *piece = malloc(cut + 1); /* of that very size, for a sanitizer */
            assert_non_null(piece);
            memcpy(piece, data, cut);
            mc_status status = judge_bytes(piece, cut);
            free(piece);
            if (status == MC_OK && cut + 16 < size) {
                print_error("%s: taken for whole when cut at %zu of %zu\n", paths[p], cut, size);
                fail();
            }
        }
        free(data);
    }
    program_write("empty.case", "", 0);
    expect_refused("empty.case", "an empty file");
}

/* Bytes of `name` changed, one at a time, within the whole archive. */
static void flip_entry(const items *from, const char *name, bool must_be_judged)
{
    items all = copy_of(from);
    item *one = items_find(&all, name);
    size_t step = one->size / (SANITIZED ? 20 : 200) + 1;
    for (size_t at = 0; at < one->size; at += at < (SANITIZED ? 24 : 120) ? 1 : step) {
        char kept = one->data[at];
        one->data[at] = (char)(at % 2 == 0 ? ~kept : kept + 1);
        mc_status status = judge_items(&all);
        if (must_be_judged && status != MC_OK) {
            print_error("%s with byte %zu changed is an error\n", name, at);
            fail();
        }
        one->data[at] = kept;
    }
    items_free(&all);
}

/* Promise: damage to the state is what cases are about: it gives verdicts, not errors. Damage to
 * snapshots and facts gives either. */
static void damaged_entries_are_judged_or_refused(void **unused)
{
    (void)unused;
    flip_entry(&good, "main.db", true);
    flip_entry(&good, "main.db-journal", true);
    flip_entry(&good_wal, "main.db-wal", true);
    flip_entry(&good_kv, "kv.jsonl", false);
    flip_entry(&good, "snapshot-0.db", false);
    flip_entry(&good, "case.json", false);
}

/* Promise: files of the state that are no database at all give verdicts. */
static void garbage_states_give_verdicts(void **unused)
{
    (void)unused;
    static const char *const names[] = {"main.db", "main.db-journal"};
    static const size_t sizes[] = {0, 1, 99, 511, 512, 4096, 100000};
    char *garbage = malloc(100000);
    assert_non_null(garbage);
    for (size_t i = 0; i < 100000; i++) {
        garbage[i] = (char)(i * i * 7 + i / 251);
    }
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            items all = copy_of(&good);
            items_replace(&all, names[n], garbage, sizes[s]);
            items_write(&all, "garbage.case");
            expect_verdicts("garbage.case", names[n]);
            items_free(&all);
        }
    }
    items all = copy_of(&good_wal);
    items_replace(&all, "main.db-wal", garbage, 50000);
    (void)items_add(&all, "main.db-journal", garbage, 3000);
    (void)items_add(&all, "main.db-mj12345678", garbage, 300);
    items_write(&all, "garbage.case");
    expect_verdicts("garbage.case", "garbage beside a good main file");
    items_remove(&all, "main.db");
    items_write(&all, "garbage.case");
    expect_verdicts("garbage.case", "garbage without a main file");
    items_free(&all);
    free(garbage);
}

/* ---- archives ---- */

/* Promise: an entry's name is a plain file name, or the case is refused. */
static void names_that_lead_elsewhere_are_refused(void **unused)
{
    (void)unused;
    static const char *const names[] = {"../evil",     "/tmp/midcommit-evil",
                                        "a/b",         "./main.db-wal",
                                        ".",           "..",
                                        "...",         ".hidden",
                                        "a\\b",        "a b",
                                        "a\nb",        "a\033[31mb",
                                        "main.db\xc3", "\xc3\xa4",
                                        "a:b",         "a/",
                                        "*",           "a\tb",
                                        "~",           "$HOME"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        items all = copy_of(&good);
        (void)items_add(&all, names[i], "evil", 4);
        items_write(&all, "name.case");
        expect_refused("name.case", names[i]);
        items_free(&all);
    }
    char *name = malloc(70001);
    assert_non_null(name);
    static const size_t lengths[] = {64, 65, 101, 257, 5000, 70000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        items all = copy_of(&good);
        memset(name, 'n', lengths[i]);
        name[lengths[i]] = '\0';
        (void)items_add(&all, name, "evil", 4);
        items_write(&all, "name.case");
        expect_refused("name.case", "a long name");
        items_free(&all);
    }
    free(name);
    assert_int_not_equal(access("../evil", F_OK), 0);
    assert_int_not_equal(access("/tmp/midcommit-evil", F_OK), 0);
}

/* Promise: only regular files are entries, each once. */
static void entries_are_regular_files(void **unused)
{
    (void)unused;
    static const struct {
        int type;
        const char *hardlink;
        const char *symlink;
    } rows[] = {{AE_IFLNK, NULL, "/etc/passwd"}, {AE_IFLNK, NULL, "main.db"},
                {AE_IFREG, "main.db", NULL},     {AE_IFREG, "../../etc/passwd", NULL},
                {AE_IFDIR, NULL, NULL},          {AE_IFCHR, NULL, NULL},
                {AE_IFBLK, NULL, NULL},          {AE_IFIFO, NULL, NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        items all = copy_of(&good);
        item *one = items_add(&all, "main.db-wal", "", 0);
        one->type = rows[i].type;
        one->hardlink = rows[i].hardlink;
        one->symlink = rows[i].symlink;
        items_write(&all, "type.case");
        expect_refused("type.case", "no regular file");
        items_free(&all);
    }
    static const char *const twice[] = {"main.db", "case.json", "snapshot-0.db"};
    for (size_t i = 0; i < sizeof twice / sizeof *twice; i++) {
        items all = copy_of(&good);
        (void)items_add(&all, twice[i], "x", 1);
        items_write(&all, "type.case");
        expect_refused("type.case", twice[i]);
        items_free(&all);
    }
    items many = copy_of(&good);
    for (int i = 0; i < 3000; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "file%d", i);
        (void)items_add(&many, name, "", 0);
    }
    items_write(&many, "type.case");
    expect_refused("type.case", "3000 entries");
    items_free(&many);
}

/* Promise: a case is one tar in one zstd: not another format, and no zstd in a zstd. */
static void other_formats_are_refused(void **unused)
{
    (void)unused;
    static const int filters[] = {ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_BZIP2,
                                  ARCHIVE_FILTER_XZ, ARCHIVE_FILTER_LZ4};
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        items_write_as(&good, "format.case", filters[i], ARCHIVE_FORMAT_TAR_USTAR);
        expect_refused("format.case", "another filter");
    }
    static const int formats[] = {ARCHIVE_FORMAT_ZIP, ARCHIVE_FORMAT_CPIO, ARCHIVE_FORMAT_7ZIP};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        items_write_as(&good, "format.case", ARCHIVE_FILTER_ZSTD, formats[i]);
        expect_refused("format.case", "another format");
    }
    size_t size;
    char *data = program_read("good.case", &size);
    write_zstd("format.case", data, size, 1);
    free(data);
    expect_refused("format.case", "zstd in zstd");
    items_write_as(&good, "format.case", ARCHIVE_FILTER_ZSTD, ARCHIVE_FORMAT_TAR_GNUTAR);
    expect_verdicts("format.case", "as GNU tar writes it");
    items_write_as(&good, "format.case", ARCHIVE_FILTER_ZSTD, ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE);
    expect_verdicts("format.case", "as POSIX tar writes it");
    assert_int_equal(mkdir("folder.case", 0755), 0);
    output o = program_run("explain folder.case");
    program_expect_line(&o, 3, "a folder");
    program_done(&o);
    assert_int_equal(mkfifo("fifo.case", 0644), 0);
    o = program_run("explain fifo.case");
    program_expect_line(&o, 3, "a FIFO");
    program_done(&o);
    o = program_run("replay fifo.case");
    program_expect_line(&o, 3, "a FIFO");
    program_done(&o);
}

/* ---- size and time ---- */

/* A header, a body of as many zeros as are asked for, and what stands before them. */
static void write_bomb(const char *path, const char *name, uint64_t promised, char type,
                       const char *before, size_t before_size, uint64_t mebibytes)
{
    size_t mebibyte = (size_t)1 << 20;
    char *block = calloc(1, mebibyte);
    assert_non_null(block);
    struct archive *archive = archive_write_new();
    struct archive_entry *entry = archive_entry_new();
    assert_int_equal(archive_write_add_filter_zstd(archive), ARCHIVE_OK);
    assert_int_equal(archive_write_set_format_raw(archive), ARCHIVE_OK);
    assert_int_equal(archive_write_open_filename(archive, path), ARCHIVE_OK);
    archive_entry_set_pathname(entry, "data");
    archive_entry_set_filetype(entry, AE_IFREG);
    assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
    if (before_size > 0) {
        assert_int_equal(archive_write_data(archive, before, before_size), before_size);
    }
    char header[512];
    tar_header(header, name, promised, type);
    assert_int_equal(archive_write_data(archive, header, 512), 512);
    for (uint64_t i = 0; i < mebibytes; i++) {
        assert_int_equal(archive_write_data(archive, block, mebibyte), mebibyte);
    }
    archive_entry_free(entry);
    assert_int_equal(archive_write_free(archive), ARCHIVE_OK);
    free(block);
}

/* Promise: what unpacks to gigabytes, or says so, is refused within memory and time. */
static void bombs_are_refused(void **unused)
{
    (void)unused;
    write_bomb("bomb.case", "main.db", UINT64_C(2) << 30, '0', NULL, 0, 2048);
    expect_refused("bomb.case", "2 GiB of zeros");
    write_bomb("bomb.case", "case.json", UINT64_C(2) << 30, '0', NULL, 0, 300);
    expect_refused("bomb.case", "300 MiB of facts");
    write_bomb("bomb.case", "main.db", UINT64_C(1) << 62, '0', NULL, 0, 1);
    expect_refused("bomb.case", "a promise of 4 EiB");
    write_bomb("bomb.case", "main.db", UINT64_MAX, '0', NULL, 0, 1);
    expect_refused("bomb.case", "a promise of less than nothing");
    write_bomb("bomb.case", "x", UINT64_C(1) << 31, 'L', NULL, 0, 400);
    expect_refused("bomb.case", "a name of 2 GiB");
    write_bomb("bomb.case", "x", UINT64_C(1) << 31, 'x', NULL, 0, 400);
    expect_refused("bomb.case", "an extended header of 2 GiB");
    write_bomb("bomb.case", "x", UINT64_C(1) << 40, 'g', NULL, 0, 400);
    expect_refused("bomb.case", "a global header of 1 TiB");
}

/* A pax header with one record, as it stands in an archive: `text` is "key=value". */
static size_t pax_record(char out[1024], const char *text)
{
    char body[300];
    int length = (int)strlen(text) + 5; /* "NNN " and a newline */
    (void)snprintf(body, sizeof body, "%03d %s\n", length, text);
    tar_header(out, "PaxHeader", strlen(body), 'x');
    memset(out + 512, 0, 512);
    memcpy(out + 512, body, strlen(body));
    return 1024;
}

static void write_global_headers(const char *path)
{
    char block[65536];
    for (size_t i = 0; i < sizeof block; i += 1024) {
        (void)pax_record(block + i, "comment=x");
        tar_header(block + i, "GlobalHead", strlen(block + i + 512), 'g');
    }
    write_zstd(path, block, sizeof block, UINT64_C(4) << 30 >> 16);
}

/* Empty files, each after an extended header of 1 MiB: no entry is large, and all of it is. */
static void write_long_headers(const char *path)
{
    enum { FILES = 600, BODY = 1 << 20, EACH = 512 + BODY + 512 };
    char *all = calloc(FILES, EACH);
    assert_non_null(all);
    for (int i = 0; i < FILES; i++) {
        char *at = all + (size_t)i * EACH;
        char name[32];
        (void)snprintf(name, sizeof name, "file%d", i);
        tar_header(at, "PaxHeader", BODY, 'x');
        memset(at + 512, 'c', BODY);
        for (int half = 0; half < 2; half++) { /* the library takes no record of 1 MiB */
            char *record = at + 512 + half * BODY / 2;
            memcpy(record, "524288 comment=", 15);
            record[BODY / 2 - 1] = '\n';
        }
        tar_header(at + 512 + BODY, name, 0, '0');
    }
    write_zstd(path, all, (size_t)FILES * EACH, 1);
    free(all);
}

/* Promise: headers without end, and files that are mostly holes, are refused as well. */
static void hollow_archives_are_refused(void **unused)
{
    (void)unused;
    write_global_headers("hollow.case");
    expect_refused("hollow.case", "4 GiB of global headers");
    write_long_headers("hollow.case");
    expect_refused("hollow.case", "600 entries with headers of 1 MiB");
    output o = program_run("explain hollow.case");
    assert_non_null(strstr(o.err, "more than 268435456 bytes"));
    program_done(&o);
    static const char *const sparse[] = {"GNU.sparse.size=4398046511104",
                                         "GNU.sparse.realsize=4398046511104",
                                         "size=4398046511104",
                                         "size=-1",
                                         "size=99999999999999999999999999",
                                         "path=../evil",
                                         "path=/tmp/midcommit-evil",
                                         "path=a/../../evil",
                                         "linkpath=/etc/passwd",
                                         "GNU.sparse.name=../evil",
                                         "hdrcharset=BINARY",
                                         "SCHILY.realsize=4398046511104",
                                         "GNU.sparse.map=4398046511103,1",
                                         "path="};
    for (size_t i = 0; i < sizeof sparse / sizeof *sparse; i++) {
        char header[1024];
        size_t size = pax_record(header, sparse[i]);
        write_bomb("hollow.case", "main.db", 1 << 20, '0', header, size, 1);
        expect_refused("hollow.case", sparse[i]);
    }
    /* GNU's old form: the map is in the header: 1 byte at an offset of 1 TiB. */
    char header[512];
    tar_header(header, "main.db", 1, 'S');
    memcpy(header + 257, "ustar  ", 8);
    (void)snprintf(header + 386, 13, "%012llo", 1ull << 35);
    memcpy(header + 398, "000000000001", 12);
    (void)snprintf(header + 483, 13, "%012llo", (1ull << 35) + 1);
    memset(header + 148, ' ', 8);
    unsigned sum = 0;
    for (int i = 0; i < 512; i++) {
        sum += (unsigned char)header[i];
    }
    (void)snprintf(header + 148, 8, "%06o", sum & 0777777);
    char hole[1024] = {0};
    memcpy(hole, header, sizeof header);
    write_zstd("hollow.case", hole, sizeof hole, 1);
    expect_refused("hollow.case", "a hole of 32 GiB");
    assert_int_not_equal(access("../evil", F_OK), 0);
}

/* Promise: a case as large as one may be is judged or refused within memory. */
static void large_cases_stay_within_memory(void **unused)
{
    (void)unused;
    static const size_t mebibytes[] = {100, 240, 256};
    for (size_t i = 0; i < sizeof mebibytes / sizeof *mebibytes; i++) {
        size_t size = mebibytes[i] << 20;
        items all = copy_of(&good);
        char *zeros = calloc(1, size);
        assert_non_null(zeros);
        items_replace(&all, "main.db-journal", zeros, size);
        items_write(&all, "large.case");
        free(zeros);
        items_free(&all);
        output o = program_run("replay large.case");
        if (o.status > 1) {
            program_expect(&o, 3, "a large journal");
            assert_non_null(strstr(o.out, "ERROR    "));
        }
        assert_string_equal(o.err, "");
        program_done(&o);
    }
    if (SANITIZED) {
        return; /* its time is not ours */
    }
    items all = copy_of(&good_kv);
    size_t size = (size_t)200 << 20;
    char *line = malloc(size);
    assert_non_null(line);
    memset(line, ' ', size);
    for (size_t at = 0; at < size; at += 3) { /* {"a":[[],[],[] ... */
        memcpy(line + at, "[],", size - at < 3 ? size - at : 3);
    }
    memcpy(line, "{\"a\":[", 6);
    memcpy(line + size - 6, "[]]}  ", 6);
    items_replace(&all, "kv.jsonl", line, size);
    items_write(&all, "large.case");
    free(line);
    items_free(&all);
    output o = program_run("replay large.case");
    program_expect(&o, 3, "a line of 200 MiB");
    assert_non_null(strstr(o.out, "a line of at most"));
    program_done(&o);
}

/* Promise: a v1 store that says that its file has gigabytes is judged, or refused, within memory;
 * so is one whose database says so, too. */
static void lies_about_sizes_take_no_memory(void **unused)
{
    (void)unused;
    static const char *const sizes[] = {"AQAAAAAAAgAAAA==", "AQAAAAAAAAEAAA==",
                                        "AQD//////////w=="}; /* 8 GiB, 1 TiB and more than all */
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        items all = copy_of(&good_kv);
        char *text = items_find(&all, "kv.jsonl")->data;
        char *at = strstr(text, "{\"k\":\"08010000\",\"v\":\"");
        assert_non_null(at);
        memcpy(at + strlen("{\"k\":\"08010000\",\"v\":\""), sizes[i], 16);
        if (i == 0) { /* the first chunk begins with page 1: its count of pages is at 28 */
            at = strstr(text, "{\"k\":\"0801010000000000\",\"v\":\"");
            assert_non_null(at);
            at += strlen("{\"k\":\"0801010000000000\",\"v\":\"");
            memcpy(at + 36, "ACAAAAAA", 8); /* bytes 27 to 32: 0x00200000 pages */
        }
        items_write(&all, "lie.case");
        items_free(&all);
        output o = program_run("replay lie.case");
        if (i == 0) { /* SQLite itself would read all of it */
            program_expect(&o, 3, sizes[i]);
            assert_non_null(strstr(o.out, "control: no memory for 8589934592 bytes"));
        } else {
            program_expect(&o, 1, sizes[i]);
            const char *reason = i == 1 ? "found \"blocked: too-large\"" : "metadata-size";
            if (strstr(o.out, reason) == NULL) {
                print_error("%s: not \"%s\": %s", sizes[i], reason, o.out);
                fail();
            }
        }
        if (i == 0) {
            program_expect_unjudged(&o);
        } else {
            assert_string_equal(o.err, "");
        }
        program_done(&o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_files_are_judged_or_refused),
        cmocka_unit_test(damaged_entries_are_judged_or_refused),
        cmocka_unit_test(garbage_states_give_verdicts),
        cmocka_unit_test(names_that_lead_elsewhere_are_refused),
        cmocka_unit_test(entries_are_regular_files),
        cmocka_unit_test(other_formats_are_refused),
        cmocka_unit_test(bombs_are_refused),
        cmocka_unit_test(hollow_archives_are_refused),
        cmocka_unit_test(large_cases_stay_within_memory),
        cmocka_unit_test(lies_about_sizes_take_no_memory),
        cmocka_unit_test(nothing_was_written),
    };
    return cmocka_run_group_tests(tests, make_good, drop_good);
}
