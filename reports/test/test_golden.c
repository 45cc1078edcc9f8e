/* test_golden.c: what people read, kept beside the test. MIDCOMMIT_UPDATE_GOLDEN=1 in the
 * environment writes the files anew; look at their diff before you believe it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <sqlite3.h>

#include "reports/wrap.h"

#define GOLDEN MIDCOMMIT_SOURCE_DIR "/reports/test/golden/"

typedef struct golden {
    const char *file;
    const char *arguments;
} golden;

/* None of these depends on the version of SQLite but by its name. */
static const golden goldens[] = {
    {"run.txt", "run --workload inplace,equal --mode delete,wal --crash kill --importer "
                "reject,abandon,recover,sqlite"},
    {"run-sparse.txt", "run --workload attach --mode wal,persist --crash kill --budget 1"},
    {"run.json", "run --workload equal --mode delete --crash kill --quiet --json -"},
    {"run.md", "run --workload inplace,equal --mode delete,wal --crash kill --markdown -"},
    {"run-power.md", "run --workload grow --txns 1 --crash power:xfs --mode delete --importer "
                     "abandon,sqlite --markdown -"},
    {"run-power.txt",
     "run --workload grow --txns 1 --crash power:psow,power:nonatomic-unlink --sync "
     "full,extra --mode delete,truncate"},
    {"run-power-open.txt", "run --workload grow,equal --txns 1 --crash kill,power:ext4 --mode wal "
                           "--budget 3 --importer 'recover,exec:exit 3'"},
    {"run-power.json", "run --workload grow --txns 1 --crash power:xfs --mode delete --importer "
                       "abandon,sqlite --quiet --json -"},
    {"run-depth.txt",
     "run --depth 2 --workload grow,sampled --txns 1 --mode delete,wal --page-size 512 "
     "--crash kill,power:lying-sync --importer abandon,recover --budget 40"},
    {"run-depth.json", "run --depth 2 --workload grow --txns 1 --mode delete --page-size 512 "
                       "--crash kill,power:lying-sync --importer recover --budget 40 --json -"},
    {"explain-depth.txt", "explain inplace/delete/full/kill/155//3"},
    {"explain-power.txt", "explain spill/delete/normal/power:ext4-ordered/55+42"},
    {"explain-delete.txt", "explain inplace/delete/full/kill/155"},
    {"explain-wal.txt", "explain spill/wal/full/kill/60"},
    {"explain-kv.txt", "explain inplace/delete/normal/kv:journal/152+1"},
};

/* The output with the version of SQLite, and what stands after "timing", masked. */
static char *masked(char *text)
{
    const char *version = sqlite3_libversion();
    size_t size = strlen(version);
    for (char *at = strstr(text, version); at != NULL; at = strstr(at, version)) {
        memcpy(at, "S", 1);
        memmove(at + 1, at + size, strlen(at + size) + 1);
    }
    char *timing = strstr(text, "\"timing\"");
    if (timing != NULL) {
        memcpy(timing, "(timing)\n", 10);
    }
    return text;
}

static char *read_all(FILE *file)
{
    char *text = calloc(1, 1 << 16);
    assert_non_null(text);
    size_t size = fread(text, 1, (1 << 16) - 1, file);
    assert_true(size < (1 << 16) - 1);
    text[size] = '\0';
    return text;
}

static void check(const golden *g)
{
    char command[4500];
    (void)snprintf(command, sizeof command, "cd '%.*s' && ./midcommit %s 2>&1",
                   (int)(strrchr(MIDCOMMIT_PROGRAM, '/') - MIDCOMMIT_PROGRAM), MIDCOMMIT_PROGRAM,
                   g->arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    char *found = masked(read_all(pipe));
    (void)pclose(pipe);
    char path[4500];
    (void)snprintf(path, sizeof path, GOLDEN "%s", g->file);
    if (getenv("MIDCOMMIT_UPDATE_GOLDEN") != NULL) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_true(fputs(found, file) >= 0);
        assert_int_equal(fclose(file), 0);
    }
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *expected = read_all(file);
    assert_int_equal(fclose(file), 0);
    assert_string_equal(found, expected);
    free(expected);
    free(found);
}

/* Promise: the table, the JSON and the story are what was looked at and kept. */
static void output_is_as_it_was_kept(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof goldens / sizeof goldens[0]; i++) {
        print_message("%s\n", goldens[i].arguments);
        check(&goldens[i]);
    }
}

/* Promise: no line of text has more than 100 columns. */
static void text_fits_100_columns(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof goldens / sizeof goldens[0]; i++) {
        char path[4500];
        char line[4096];
        (void)snprintf(path, sizeof path, GOLDEN "%s", goldens[i].file);
        FILE *file = strstr(path, ".txt") != NULL ? fopen(path, "r") : NULL;
        while (file != NULL && fgets(line, sizeof line, file) != NULL) {
            assert_true(strlen(line) <= MC_WRAP_COLUMNS + 1);
        }
        assert_true(file == NULL || fclose(file) == 0);
    }
}

/* Promise: sentences break at spaces before column 101, counted in characters; a word that is
 * longer stays whole. */
static void sentences_are_wrapped(void **unused)
{
    (void)unused;
    char found[1024] = "";
    FILE *file = fmemopen(found, sizeof found, "w");
    assert_non_null(file);
    char word[120];
    memset(word, 'w', sizeof word);
    mc_wrap(file, 2, "%.99s x %.96s \xc3\xa4 %.97s y %.110s z", word, word, word, word);
    assert_int_equal(fclose(file), 0);
    char expected[1024];
    (void)snprintf(expected, sizeof expected,
                   "%.99s\n  x %.96s\n  \xc3\xa4\n  %.97s\n  y\n  %.110s\n  z\n", word, word, word,
                   word);
    assert_string_equal(found, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_is_as_it_was_kept),
        cmocka_unit_test(text_fits_100_columns),
        cmocka_unit_test(sentences_are_wrapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
