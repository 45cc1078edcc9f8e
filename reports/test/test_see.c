/* test_see.c: the commands that a story prints, pasted. */
#include "harness/test/program.h"

#include <fts.h>

#include "harness/case/case.h"

enum { CASES_MAX = 1000, SHOWN = 60 };

/* The lines between "See it with stock tools:" and the empty one, as a script. */
static char *commands_of(const char *story)
{
    static const char title[] = "\nSee it with stock tools:\n";
    const char *from = strstr(story, title);
    assert_non_null(from);
    from += strlen(title);
    const char *end = strstr(from, "\n\n");
    return strndup(from, end != NULL ? (size_t)(end - from) : strlen(from));
}

static bool has_difference(const char *out)
{
    return strstr(out, "\n< ") != NULL || strstr(out, "\n> ") != NULL;
}

/* Pastes what `explain` prints, and holds what comes out against the verdict in its first line. */
static void paste(const char *arguments)
{
    output told = program_run("explain %s", arguments);
    program_expect(&told, 0, arguments);
    char *commands = commands_of(told.out);
    program_write("paste.sh", commands, strlen(commands));
    assert_int_equal(program_shell("rm -rf state"), 0);
    (void)program_shell("sh paste.sh >pasted 2>&1");
    size_t size;
    char *seen = program_read("pasted", &size);
    bool ok = strncmp(seen, "ok\n", 3) == 0;
    bool differs = has_difference(seen) || strstr(seen, "Error:") != NULL;
    bool blocked = strncmp(told.out, "Blocked", 7) == 0 && strstr(told.out, "/kv:") == NULL;
    bool refused = strncmp(told.out, "Blocked", 7) == 0 || strncmp(told.out, "Refused", 7) == 0;
    bool clean = strncmp(told.out, "Clean", 5) == 0;
    bool silent = strncmp(told.out, "Torn, silent", 12) == 0;
    bool good = blocked   ? ok /* SQLite recovers what the importer refuses */
                : refused ? size > 0 && strstr(seen, "No such file") == NULL
                : clean   ? ok && !differs
                          : (!silent || ok) && (differs || !ok);
    if (!good) {
        print_error("explain %s:\n%.200s\n%s\n%.2000s\n", arguments, told.out, commands, seen);
        fail();
    }
    free(seen);
    free(commands);
    program_done(&told);
}

/* Promise: what is pasted shows what is said, of states with their options, and of found ones. */
static void states_can_be_pasted(void **unused)
{
    (void)unused;
    static const char *const states[] = {
        "inplace/delete/full/kill/155 --txns 1",
        "inplace/delete/full/kill/155 --txns 1 --importer recover",
        "inplace/wal/full/kill/50@other-wal --txns 1 --page-size 1024 --seed 5 --importer sqlite",
        "inplace/wal/full/kill/107 --page-size 1024",
        "inplace/delete/normal/kv:journal/152+1 --txns 1",
        "inplace/delete/full/kill/155 --importer broken:main-size",
        "inplace/delete/full/kill/155 --importer 'exec:cp main.db out.db; : a\\, b'",
        MIDCOMMIT_SOURCE_DIR "/corpus/rivet-kv/vacuum_journal_k0036.jsonl",
        MIDCOMMIT_SOURCE_DIR "/corpus/rivet-kv/cachespill_k0018.jsonl",
        MIDCOMMIT_SOURCE_DIR "/corpus/rivet-kv/vacuum_k0002.jsonl",
    };
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        paste(states[i]);
    }
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* Promise: the same of cases: a sample of the corpus, spread over all of it. */
static void cases_can_be_pasted(void **unused)
{
    (void)unused;
    char root[] = MIDCOMMIT_SOURCE_DIR "/corpus";
    char *roots[] = {root, NULL};
    char *path[CASES_MAX];
    size_t count = 0;
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    assert_non_null(walk);
    for (FTSENT *entry = fts_read(walk); entry != NULL; entry = fts_read(walk)) {
        if (entry->fts_info == FTS_F && strstr(entry->fts_name, ".case") != NULL) {
            assert_true(count < CASES_MAX);
            path[count++] = strdup(entry->fts_path);
        }
    }
    assert_int_equal(fts_close(walk), 0);
    assert_true(count >= SHOWN);
    for (size_t i = 0; i < count; i++) {
        if (i % (count / SHOWN) == 0) {
            paste(path[i]);
        }
        free(path[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_can_be_pasted),
        cmocka_unit_test(cases_can_be_pasted),
    };
    return cmocka_run_group_tests(tests, program_enter, program_leave);
}
