/* test_shards.c: the parts of a run, wherever and whenever they ran and however they ended, make
 * the result of a run in one piece, or one line that says why not. */
#include "harness/test/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

#include <jansson.h>

/* What a run or a merge says, as text; JSON without what a clock may change. */
__attribute__((format(printf, 2, 3))) static char *told(int status, const char *format, ...)
{
    char words[2000];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    output o = program_run("run %s", words);
    program_expect(&o, status, words);
    assert_string_equal(o.err, "");
    json_t *root = json_loads(o.out, 0, NULL);
    char *text = NULL;
    if (root != NULL) {
        assert_int_equal(json_object_del(root, "timing"), 0);
        text = json_dumps(root, JSON_INDENT(1));
        json_decref(root);
    } else {
        text = strdup(o.out);
    }
    assert_non_null(text);
    program_done(&o);
    return text;
}

static void assert_same(char *a, char *b)
{
    assert_string_equal(a, b);
    free(a);
    free(b);
}

/* Runs all shards; `results` gets the names of their files, the last shard's first. */
static void run_shards(const char *options, int count, int status, char *results, size_t size)
{
    results[0] = '\0';
    (void)program_shell("rm -f shard-*");
    for (int i = count; i > 0; i--) {
        output o = program_run("run %s --jobs 1 --quiet --shard %d/%d --results shard-%d", options,
                               i, count, i);
        assert_true(o.status == 0 || o.status == status);
        program_done(&o);
        size_t have = strlen(results);
        (void)snprintf(results + have, size - have, " shard-%d", i);
    }
}

static const char sql[] = "CREATE TABLE t(a, b);\n-- @program\nINSERT INTO t VALUES(1, 2);\n";

/* Promise: --merge of all shards gives the table, the JSON, the findings and the status of one run
 * with the same options, byte for byte, whatever those are and into however many parts it is cut;
 * nobody repeats an option. */
static void merged_shards_are_the_whole(void **unused)
{
    (void)unused;
    static const struct {
        const char *options;
        int shards;
        int status;
    } table[] = {
        {"--workload inplace,grow --txns 1", 3, 0},
        {"--workload equal --txns 1", 1, 0},
        {"--workload equal --txns 1 --mode delete,off,wal --seed 9", 9, 0}, /* some have none */
        {"--workload inplace --txns 1 --require abandon --clean", 2, 1},
        {"--workload grow,checkpoint --txns 1 --mode delete,persist,wal --budget 2", 2, 0},
        {"--workload grow --txns 1 --crash kv:journal --page-size 8192 --sync full", 2, 0},
        {"--workload grow --txns 2 --sidecars no-wal,older-wal,as-is --cache-pages 20", 3, 0},
        {"--workload grow,equal --txns 1 --crash power:xfs,kill,power:sector-512 --sync full,extra "
         "--mode delete",
         5, 0},
        {"--workload ./my.sql --importer 'recover,sqlite,exec:echo a\\,b >out.db; exit 3'", 2, 0},
    };
    program_write("my.sql", sql, sizeof sql - 1);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char files[1000];
        const char *options = table[i].options;
        int status = table[i].status;
        run_shards(options, table[i].shards, status, files, sizeof files);
        assert_same(told(status, "--merge%s", files), told(status, "%s", options));
        assert_same(told(status, "--merge --json -%s", files),
                    told(status, "%s --json -", options));
        (void)program_shell("cat%s >shard-all", files);
        assert_same(told(status, "--merge shard-all"), told(status, "%s", options));
    }
}

/* Promise: --cases of a merge are those of the whole, unless that would run programs which only a
 * file names; a library that a file names is not loaded. */
static void merged_shards_have_cases(void **unused)
{
    (void)unused;
    char files[200];
    run_shards("--workload inplace --txns 1 --crash kill", 2, 0, files, sizeof files);
    free(told(0, "--workload inplace --txns 1 --crash kill --cases whole --quiet"));
    free(told(0, "--merge --cases merged --quiet --jobs 2%s", files));
    assert_int_equal(program_shell("diff -r whole merged && ls whole/*.case >/dev/null"), 0);
    run_shards("--workload equal --txns 1 --crash kill --importer 'exec:exit 3'", 2, 0, files,
               sizeof files);
    output o = program_run("run --merge --cases more%s", files);
    program_expect_line(&o, 2, "cases of a program");
    program_done(&o);
    /* A library whose loading leaves a file: the shards load it, the merge must not. */
    static const char body[] =
        "#include <core/importer.h>\n#include <fcntl.h>\n"
        "__attribute__((constructor)) static void f(void) { (void)open(\"loaded\", O_CREAT, 0600); "
        "}"
        "static mc_status import(const mc_input *i, mc_arena *a, mc_import *o, mc_error *e)"
        "{ (void)i; (void)a; (void)o; return mc_fail(e, MC_REFUSED, \"no\", \"no\"); }"
        "static const mc_importer mine = {MC_IMPORTER_ABI, \"m\", \"m\", import};"
        "const mc_importer *midcommit_importer(void) { return &mine; }";
    program_write("loads.c", body, sizeof body - 1);
    assert_int_equal(
        program_shell("cc -shared -fPIC -I'%s' -o loads.so loads.c", MIDCOMMIT_SOURCE_DIR), 0);
    static const char loading[] =
        "--workload equal --txns 1 --crash kill --importer recover,so:./loads.so";
    run_shards(loading, 2, 0, files, sizeof files);
    char *whole = told(0, "%s", loading);
    assert_int_equal(program_shell("rm loaded"), 0);
    assert_same(told(0, "--merge%s", files), whole);
    assert_int_equal(program_shell("test ! -e loaded"), 0);
}

static size_t lines_of(const char *path)
{
    size_t size;
    size_t count = 0;
    char *text = program_read(path, &size);
    for (const char *at = text; at != NULL && *at != '\0'; at++) {
        count += *at == '\n';
    }
    free(text);
    return count;
}

/* Promise: cut at any byte, a results file is whole again after --resume, byte for byte. */
static void any_cut_is_resumed(void **unused)
{
    (void)unused;
    static const char options[] = "--workload equal,grow --txns 1 --crash kill --jobs 1 --quiet";
    size_t size;
    size_t again;
    free(told(0, "%s --results whole.jsonl", options));
    char *whole = program_read("whole.jsonl", &size);
    assert_int_equal(lines_of("whole.jsonl"), 4);
    for (size_t keep = 0; keep <= size; keep += keep % 7 == 3 ? 97 : keep < 3 ? 1 : 181) {
        program_write("cut.jsonl", whole, keep);
        free(told(0, "%s --results cut.jsonl --resume", options));
        char *resumed = program_read("cut.jsonl", &again);
        assert_string_equal(resumed, whole);
        free(resumed);
    }
    for (const char *end = strchr(whole, '\n'); end != NULL; end = strchr(end + 1, '\n')) {
        for (int past = 0; past < 2; past++) {
            program_write("cut.jsonl", whole, (size_t)(end - whole) + (size_t)past);
            free(told(0, "%s --results cut.jsonl --resume", options));
            char *resumed = program_read("cut.jsonl", &again);
            assert_string_equal(resumed, whole);
            free(resumed);
        }
    }
    free(whole);
}

static pid_t start_run(void)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)execl(MIDCOMMIT_PROGRAM, "midcommit", "run", "--workload", "inplace,grow,equal",
                    "--txns", "2", "--jobs", "2", "--quiet", "--results", "killed.jsonl",
                    "--resume", (char *)NULL);
        _exit(127);
    }
    return pid;
}

/* Promise: a run that is killed again and again, and resumed, ends with the result of one that was
 * not; what a kill left is not done again. */
static void killed_runs_go_on(void **unused)
{
    (void)unused;
    size_t kills = 0;
    size_t had = 0;
    bool ended = false;
    for (unsigned round = 0; !ended; round++) {
        assert_true(round < 50); /* nine lines, one more in each round */
        pid_t pid = start_run();
        int status = 0;
        struct timespec pause = {.tv_nsec = 500000 + (round % 7) * 1300000};
        /* Until one line more is there; then a little, another time in each round. */
        while (!ended && lines_of("killed.jsonl") <= had) {
            ended = waitpid(pid, &status, WNOHANG) == pid;
        }
        (void)nanosleep(&pause, NULL);
        if (!ended) {
            assert_int_equal(kill(pid, SIGKILL), 0);
            assert_int_equal(waitpid(pid, &status, 0), pid);
        }
        assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
        kills += WIFSIGNALED(status);
        size_t have = lines_of("killed.jsonl");
        assert_true(ended || have > had);
        had = have;
    }
    assert_true(kills >= 2);
    assert_same(told(0, "--merge killed.jsonl"), told(0, "--workload inplace,grow,equal --txns 2"));
}

/* Promise: two processes do not write one file; a process that ended, however, is none. */
static void a_results_file_has_one_writer(void **unused)
{
    (void)unused;
    static const char options[] = "--workload equal --txns 1 --quiet --results one.jsonl --resume";
    int fd = open("one.jsonl", O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    assert_true(fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0);
    output o = program_run("run %s", options);
    program_expect_line(&o, 3, "a file that another process writes");
    assert_non_null(strstr(o.err, "another process"));
    program_done(&o);
    assert_int_equal(close(fd), 0);
    free(told(0, "%s", options));
}

/* Promise: files that are not all the shards of one run are one line and status 3 that says which
 * and why; wrong usage is one line and 2. */
static void what_is_no_run_is_refused(void **unused)
{
    (void)unused;
    static const struct {
        const char *make; /* "bad", from a, b, c: the shards of one run; o: of another */
        const char *files;
        const char *says;
        int status;
    } table[] = {
        {":", "a c", "task 2 of 4, ", 3},
        {":", "b", "task 1 of 4, ", 3},
        {":", "a b c b", "is in b, too", 3},
        {"head -n 1 a >bad", "a b c bad", "bad: line 1: ", 3},
        {":", "a o", "o: line 1: made with other options", 3},
        {":", "a b w", "w: line 1: made with other options", 3},
        {"head -c -1 c >bad", "a b bad", "bad: its last line is cut short", 3},
        {"sed 's/sqlite=3[^ ]*/sqlite=2.8.17/' c >bad", "a b bad", "made with other options", 3},
        {"sed 's/sqlite=3[^ ]*/sqlite=2.8.17/' c >bad", "bad", "made with other options", 3},
        {"sed 's/.\"task\":\"[^\"]*/&\\\\nx/' c >bad", "a b bad", "is no task of its options", 3},
        {"sed 's/\"states\":[0-9]*/\"states\":-1/' c >bad", "a b bad", "out of range", 3},
        {"sed 's/\"task\"/\"Task\"/' c >bad", "a b bad", "missing or out of range", 3},
        {"sed 's/\"options\":{[^}]*},//' c >bad", "a b bad", "made with other options", 3},
        {"sed 's/\"options\":{[^}]*},//' c >bad", "bad", "with the options of its run", 3},
        {"sed 's/\"txns\":\"1\"/\"txns\":1/' c >bad", "bad", "options are no texts", 3},
        {"sed 's/\"txns\":\"1\"/\"json\":\"stolen\"/' c >bad", "bad", "\"json\" is no option", 3},
        {"sed 's/\"txns\":\"1\"/\"t\\\\nx\":\"1\"/' c >bad", "bad", "is no option", 3},
        {"sed 's/\"txns\":\"1\"/\"clean\":\"1\"/' c >bad", "bad", "\"clean\" is no option", 3},
        {"sed 's/\"txns\":\"1\"/\"txns\":\"x\"/' c >bad", "bad", "--txns: ", 2},
        {"sed 's/\"txns\":\"1\"/\"importer\":\"so:.\\/no.so\"/' c >bad", "bad", "other options", 3},
        {"tr '\\n' '\\0' <c >bad; echo >>bad", "bad", "zero byte", 3},
        {"echo nonsense >bad", "bad", "with the options of its run", 3},
        {"echo nonsense >bad", "a b c bad", "bad: line 1: not JSON", 3},
        {"echo >bad", "a b c bad", "bad: line 1: not JSON", 3},
        {"printf '[%0100000d\\n' 1 | tr 01 '[[' >bad", "bad", "bad: line 1: ", 3},
        {": >bad", "bad", "no file has a result", 3},
        {":", "none", "there is no such file", 3},
        {":", ".", "expected a regular file", 3},
        {"rm -f bad; mkfifo bad", "a bad", "expected a regular file", 3},
        {":", "", "no files", 2},
        {":", "a b c --txns 1", "--txns: not with --merge", 2},
        {":", "a b c --shard 1/2", "--shard: not with --merge", 2},
        {":", "a b c --json b", "b is merged, too", 2},
    };
    for (const char *part = "abc"; *part != '\0'; part++) {
        free(told(0,
                  "--workload equal,grow --txns 1 --crash kill --quiet --results %c --shard %d/3",
                  *part, *part - 'a' + 1));
    }
    free(told(0, "--workload equal,grow --txns 2 --crash kill --quiet --results o --shard 2/3"));
    free(told(0, "--workload equal --txns 1 --crash kill --quiet --results w"));
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        (void)program_shell("rm -f bad");
        assert_int_equal(program_shell("%s", table[i].make), 0);
        output o = program_run("run --merge %s", table[i].files);
        program_expect_line(&o, table[i].status, table[i].make);
        if (strstr(o.err, table[i].says) == NULL) {
            print_error("%s, merge %s: %s", table[i].make, table[i].files, o.err);
            fail();
        }
        program_done(&o);
    }
    assert_int_equal(program_shell("test ! -e stolen"), 0);
    output o = program_run("run --workload equal --txns 1 --crash kill --results a --resume");
    program_expect_line(&o, 3, "resumed with other workloads");
    program_done(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merged_shards_are_the_whole),
        cmocka_unit_test(merged_shards_have_cases),
        cmocka_unit_test(any_cut_is_resumed),
        cmocka_unit_test(killed_runs_go_on),
        cmocka_unit_test(a_results_file_has_one_writer),
        cmocka_unit_test(what_is_no_run_is_refused),
    };
    return cmocka_run_group_tests(tests, program_enter, program_leave);
}
