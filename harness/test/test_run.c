/* test_run.c: the command: equal runs give equal bytes, counts add up, errors are one line, results
 * can be resumed and put together from shards, and a user's importers and programs are taken as
 * told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <stdbool.h>
#include <unistd.h>
#include <cmocka.h>

#include <jansson.h>

static char folder[] = "midcommit-test-XXXXXX";

/* Output of one run of the program. */
typedef struct output {
    int status;
    char *out;
    char *err;
} output;

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

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *text = NULL;
    size_t size = 0;
    size_t have = 0;
    do {
        text = realloc(text, size + 65536 + 1);
        assert_non_null(text);
        have = fread(text + size, 1, 65536, file);
        size += have;
    } while (have > 0);
    text[size] = '\0';
    assert_int_equal(fclose(file), 0);
    return text;
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

__attribute__((format(printf, 1, 2))) static output run(const char *format, ...)
{
    char line[2000];
    int n = snprintf(line, sizeof line, "'%s' ", MIDCOMMIT_PROGRAM);
    va_list arguments;
    va_start(arguments, format);
    n += vsnprintf(line + n, sizeof line - (size_t)n, format, arguments);
    va_end(arguments);
    (void)snprintf(line + n, sizeof line - (size_t)n, " >out.txt 2>err.txt </dev/null");
    int status = system(line);
    assert_true(WIFEXITED(status));
    return (output){WEXITSTATUS(status), read_text("out.txt"), read_text("err.txt")};
}

static void done(output *o)
{
    free(o->out);
    free(o->err);
    *o = (output){0};
}

/* The result without what a clock may change. */
static char *timeless(const char *text)
{
    json_t *root = json_loads(text, 0, NULL);
    if (root == NULL) {
        print_error("not JSON: %.300s\n", text);
        fail();
    }
    assert_int_equal(json_object_del(root, "timing"), 0);
    char *out = json_dumps(root, JSON_INDENT(1));
    json_decref(root);
    return out;
}

static char *result_of(const char *options)
{
    output o = run("run %s --json -", options);
    if (o.status > 1) {
        print_error("%s: %s", options, o.err);
        fail();
    }
    assert_string_equal(o.err, "");
    char *out = timeless(o.out);
    done(&o);
    return out;
}

#define SMALL "--workload inplace,grow,equal --txns 2 "

/* Promise: the number of processes and their timing do not show: equal options, equal bytes. */
static void equal_runs_give_equal_bytes(void **unused)
{
    (void)unused;
    char *one = result_of(SMALL "--jobs 1");
    char *two = result_of(SMALL "--jobs 2");
    char *again = result_of(SMALL "--jobs 2");
    char *other = result_of(SMALL "--jobs 2 --seed 7");
    assert_string_equal(one, two);
    assert_string_equal(two, again);
    assert_string_not_equal(one, other);
    free(one);
    free(two);
    free(again);
    free(other);
}

static json_int_t number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

/* Promise: in every cell clean + stale + torn + blocked + refused = states, and no part exceeds its
 * whole. */
static void counts_add_up(void **unused)
{
    (void)unused;
    char *text = result_of("--workload grow,inplace,modes --txns 2 --mode delete,persist,off,wal");
    json_t *root = json_loads(text, 0, NULL);
    json_t *cells = json_object_get(root, "cells");
    assert_true(json_array_size(cells) >= 40);
    size_t i;
    json_t *cell;
    json_array_foreach(cells, i, cell)
    {
        json_int_t states = number(cell, "states");
        assert_true(states > 8);
        assert_int_equal(number(cell, "clean") + number(cell, "stale") + number(cell, "torn") +
                             number(cell, "blocked") + number(cell, "refused"),
                         states);
        assert_true(number(cell, "ahead") <= number(cell, "clean"));
        assert_true(number(cell, "empty") <= number(cell, "stale"));
        assert_true(number(cell, "silent") <= number(cell, "torn"));
        assert_true(number(cell, "silent") <= number(cell, "integrity_check_missed"));
        assert_true(number(cell, "unique") <= states);
        assert_true(number(cell, "crash_points") <= states);
        assert_true(json_is_true(json_object_get(cell, "exhaustive")));
    }
    json_decref(root);
    free(text);
}

/* Promise: a run that leaves states out says so. */
static void a_budget_is_not_exhaustive(void **unused)
{
    (void)unused;
    char *text = result_of("--workload grow --txns 1 --page-size 65536 --mode delete --crash kill"
                           " --budget 2");
    json_t *root = json_loads(text, 0, NULL);
    json_t *cell = json_array_get(json_object_get(root, "cells"), 0);
    assert_true(json_is_false(json_object_get(cell, "exhaustive")));
    json_decref(root);
    free(text);
}

/* Promise: 0 when all holds, 1 for a finding, 2 for wrong usage, 3 when it could not run. */
static void exit_statuses_are_the_documented_ones(void **unused)
{
    (void)unused;
    static const struct {
        const char *options;
        int status;
    } table[] = {
        {"run --workload equal --txns 1 --quiet", 0},
        {"run --workload inplace --txns 1 --mode delete --crash kill --require abandon --quiet", 1},
        {"run --nonsense", 2},
        {"run --workload equal --txns 1 --json no/such/folder/x.json", 3},
        {"run --workload ./missing.sql", 3},
        {"--help", 0},
        {"run --help", 0},
        {"run --list", 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        output o = run("%s", table[i].options);
        if (o.status != table[i].status) {
            print_error("%s: %d: %s\n", table[i].options, o.status, o.err);
        }
        assert_int_equal(o.status, table[i].status);
        done(&o);
    }
}

static void assert_one_line(const output *o, const char *options, int status)
{
    const char *end = strchr(o->err, '\n');
    if (o->status != status || strncmp(o->err, "midcommit: ", 11) != 0 || end == NULL ||
        end[1] != '\0') {
        print_error("%s: status %d, expected %d: %s\n", options, o->status, status, o->err);
        fail();
    }
    assert_string_equal(o->out, "");
}

/* Promise: every wrong option is one line that begins with the program's name, and status 2. */
static void wrong_usage_is_one_line(void **unused)
{
    (void)unused;
    static const char *const wrong[] = {
        "",
        "nonsense",
        "run surplus",
        "run --unknown",
        "run --mode",
        "run --mode=",
        "run --mode wall",
        "run --mode delete,",
        "run --sync maybe",
        "run --sync off,more",
        "run --crash power:no-such-file-system",
        "run --crash power:",
        "run --crash kill,powers",
        "run --crash fire",
        "run --importer nobody",
        "run --importer ''",
        "run --importer recover,recover",
        "run --importer exec:",
        "run --importer so:",
        "run --importer so:./missing.so",
        "run --workload nobody",
        "run --workload ''",
        "run --txns 0",
        "run --txns -1",
        "run --txns x",
        "run --txns 99999999999999999999",
        "run --page-size 1000",
        "run --page-size 256",
        "run --page-size 131072",
        "run --cache-pages 0",
        "run --seed -1",
        "run --seed 1x",
        "run --budget 0",
        "run --shard 0/2",
        "run --shard 3/2",
        "run --shard 1",
        "run --shard 1/2x",
        "run --jobs 0",
        "run --jobs 65",
        "run --resume",
        "run --require nobody",
        "run --importer recover --require abandon",
        "run --crash power:ext4 --workload grow --importer exec:false,recover --require exec:false",
        "run --quiet=yes",
        "run --workload checkpoint --mode delete",
        "run --mode memory --crash kv",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        output o = run("%s", wrong[i]);
        assert_one_line(&o, wrong[i], 2);
        done(&o);
    }
}

/* Promise: --results holds one line per task; a run that was interrupted, even in the middle of a
 * line, goes on with --resume and gives the result of one that was not. */
static void an_interrupted_run_is_resumed(void **unused)
{
    (void)unused;
    char *whole = result_of(SMALL "--results r.jsonl");
    char *lines = read_text("r.jsonl");
    size_t count = 0;
    for (const char *c = lines; *c != '\0'; c++) {
        count += *c == '\n';
    }
    /* Three workloads: kills in two modes, and one or all three builds of the v1 VFS. */
    assert_true(count == 9 || count == 15);
    output again = run("run " SMALL "--results r.jsonl --json -");
    assert_one_line(&again, "--results without --resume", 3);
    done(&again);
    for (size_t keep = 0; keep <= count; keep += 3) {
        size_t size = 0;
        for (size_t k = 0; k < keep; k++) {
            size = (size_t)(strchr(lines + size, '\n') - lines) + 1;
        }
        size_t half = strcspn(lines + size, "\n") / 2;
        char *cut = strndup(lines, size + half);
        assert_non_null(cut);
        write_text("r.jsonl", cut);
        char *resumed = result_of(SMALL "--results r.jsonl --resume");
        assert_string_equal(resumed, whole);
        char *after = read_text("r.jsonl");
        assert_int_equal(strlen(after), strlen(lines));
        free(after);
        free(resumed);
        free(cut);
    }
    free(lines);
    free(whole);
}

/* Promise: lines made with other options are not taken for this run's, however alike they look. */
static void foreign_results_are_refused(void **unused)
{
    (void)unused;
    char *made = result_of("--workload equal --txns 1 --crash kill --budget 10 --results f.jsonl");
    static const char *const other[] = {
        "--workload equal --txns 1 --crash kill --budget 1", /* a prefix of "budget=10" */
        "--workload equal --txns 1 --crash kill --budget 100",
        "--workload equal --txns 2 --crash kill --budget 10",
        "--workload equal --txns 1 --crash kill --budget 10 --seed 2",
        "--workload equal --txns 1 --crash kill --budget 10 --importer recover",
    };
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        output o = run("run %s --results f.jsonl --resume", other[i]);
        assert_one_line(&o, other[i], 3);
        assert_non_null(strstr(o.err, "made with other options"));
        done(&o);
    }
    free(made);
    /* An importer whose name is escaped in JSON is recognised as the same. */
    static const char quoted[] = "--workload equal --txns 1 --crash kill --mode wal --budget 1"
                                 " --importer 'exec:cp \"main.db\" out.db' --results q.jsonl";
    made = result_of(quoted);
    char resume[200];
    (void)snprintf(resume, sizeof resume, "%s --resume", quoted);
    char *resumed = result_of(resume);
    assert_string_equal(made, resumed);
    free(resumed);
    free(made);
    write_text("bad.jsonl", "{\"schema\":\"something/else\"}\n");
    output o = run("run --workload equal --results bad.jsonl --resume");
    assert_one_line(&o, "a foreign file", 3);
    done(&o);
}

/* Promise: shards share the work without overlap; their result files together are the whole run's.
 */
static void shards_together_are_the_whole(void **unused)
{
    (void)unused;
    char *whole = result_of(SMALL);
    for (int part = 1; part <= 3; part++) {
        char options[200];
        (void)snprintf(options, sizeof options, SMALL "--shard %d/3 --results s%d.jsonl", part,
                       part);
        char *piece = result_of(options);
        assert_string_not_equal(piece, whole);
        free(piece);
    }
    assert_int_equal(system("cat s3.jsonl s1.jsonl s2.jsonl > all.jsonl"), 0);
    char *before = read_text("all.jsonl");
    char *together = result_of(SMALL "--results all.jsonl --resume");
    assert_string_equal(together, whole);
    char *after = read_text("all.jsonl");
    assert_string_equal(before, after); /* nothing was left to do */
    free(before);
    free(after);
    free(together);
    free(whole);
}

#define EXEC_CELL "--workload inplace --txns 1 --mode delete --crash kill --budget 1 --jobs 1 "

static json_t *cell_of(const char *text, size_t index)
{
    json_t *root = json_loads(text, 0, NULL);
    json_t *cell = json_incref(json_array_get(json_object_get(root, "cells"), index));
    json_decref(root);
    assert_non_null(cell);
    return cell;
}

/* Promise: a program gets the state's files in a folder of its own, and what it makes of them is
 * judged as any importer's; copying main alone is exactly `abandon`, exit 3 a refusal. */
static void programs_are_importers(void **unused)
{
    (void)unused;
    char *text = result_of(EXEC_CELL "--require recover --importer "
                                     "'abandon,recover,exec:cp main.db out.db,exec:exit 3'");
    json_t *abandon = cell_of(text, 0);
    json_t *copied = cell_of(text, 2);
    json_t *refused = cell_of(text, 3);
    static const char *const keys[] = {"clean", "ahead", "stale", "torn", "silent", "blocked"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        assert_int_equal(number(abandon, keys[i]), number(copied, keys[i]));
    }
    assert_true(number(copied, "torn") > 0);
    assert_int_equal(number(refused, "blocked"), number(refused, "states"));
    json_decref(abandon);
    json_decref(copied);
    json_decref(refused);
    free(text);
    write_text("copy.sh", "#!/bin/sh\n[ \"$1\" = \"$PWD\" ] && exec cp \"$1/main.db\" out.db\n");
    assert_int_equal(chmod("copy.sh", 0755), 0);
    text = result_of(EXEC_CELL "--require recover --importer "
                               "'recover,exec:./copy.sh,exec:cp $1/main.db $1/out.db'");
    json_t *program = cell_of(text, 1);
    json_t *argument = cell_of(text, 2);
    assert_true(number(program, "torn") > 0);
    assert_int_equal(number(program, "torn"), number(argument, "torn"));
    json_decref(program);
    json_decref(argument);
    free(text);
    static const char *const failing[] = {"exec:exit 1", "exec:true", "exec:kill -9 $$",
                                          "exec:mkdir out.db"};
    for (size_t i = 0; i < sizeof failing / sizeof *failing; i++) {
        output o = run("run " EXEC_CELL "--importer '%s' --json -", failing[i]);
        assert_one_line(&o, failing[i], 3);
        assert_non_null(strstr(o.err, "inplace/delete/full/kill"));
        done(&o);
    }
    text = result_of(EXEC_CELL
                     "--require recover --importer 'recover,exec:echo no database > out.db'");
    json_t *junk = cell_of(text, 1);
    assert_int_equal(number(junk, "torn"), number(junk, "states"));
    assert_int_equal(number(junk, "silent"), 0);
    json_decref(junk);
    free(text);
}

static void compile(const char *name, const char *body)
{
    char command[1000];
    char source[64];
    (void)snprintf(source, sizeof source, "%s.c", name);
    write_text(source, body);
    (void)snprintf(command, sizeof command, "cc -shared -fPIC -I'%s' -o %s.so %s.c",
                   MIDCOMMIT_SOURCE_DIR, name, name);
    assert_int_equal(system(command), 0);
}

#define IMPORT_MAIN                                                                                \
    "#include <core/importer.h>\n"                                                                 \
    "static mc_status import(const mc_input *input, mc_arena *arena, mc_import *out,"              \
    " mc_error *error)\n{\n"                                                                       \
    "    (void)error;\n"                                                                           \
    "    unsigned pages = (unsigned)(input->files.main.size / 4096);\n"                            \
    "    const uint8_t **page = mc_arena_calloc(arena, pages, sizeof *page);\n"                    \
    "    for (unsigned i = 0; i < pages; i++) page[i] = input->files.main.data + i * 4096u;\n"     \
    "    BODY;\n"                                                                                  \
    "    out->image = (mc_image){4096, pages, page};\n    return MC_OK;\n}\n"                      \
    "static const mc_importer mine = {ABI, \"mine\", \"main alone\", import};\n"                   \
    "const mc_importer *NAME(void) { return &mine; }\n"
#define AS(abi, name, body)                                                                        \
    "#define ABI " abi "\n#define NAME " name "\n#define BODY " body "\n" IMPORT_MAIN

/* Promise: a loaded importer is judged; one of another interface, without the symbol, or that is no
 * library is refused in one line; one that crashes fails the run and names the task. */
static void libraries_are_importers(void **unused)
{
    (void)unused;
    compile("good", AS("1u", "midcommit_importer", "(void)0"));
    compile("future", AS("2u", "midcommit_importer", "(void)0"));
    compile("nameless", AS("1u", "other_name", "(void)0"));
    compile("crashes", AS("1u", "midcommit_importer", "__builtin_trap()"));
    write_text("text.so", "no library\n");
    char *text = result_of(EXEC_CELL "--require recover --importer abandon,recover,so:./good.so");
    json_t *abandon = cell_of(text, 0);
    json_t *loaded = cell_of(text, 2);
    assert_int_equal(number(abandon, "torn"), number(loaded, "torn"));
    assert_int_equal(number(abandon, "clean"), number(loaded, "clean"));
    assert_true(number(loaded, "torn") > 0);
    json_decref(abandon);
    json_decref(loaded);
    free(text);
    static const char *const wrong[] = {"future", "nameless", "text"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        output o = run("run " EXEC_CELL "--importer so:%s.so", wrong[i]);
        assert_one_line(&o, wrong[i], 2);
        done(&o);
    }
    output o = run("run " EXEC_CELL "--importer so:crashes.so");
    assert_one_line(&o, "crashes", 3);
    assert_non_null(strstr(o.err, "inplace/delete/full/kill"));
    done(&o);
}

/* Promise: a user's FILE.sql is a workload; one that is wrong, missing or no text fails in one line
 * that names it. */
static void files_are_workloads(void **unused)
{
    (void)unused;
    write_text("good.sql", "CREATE TABLE t(a, b);\n-- @program\nINSERT INTO t VALUES(1, 2);\n"
                           "UPDATE t SET b = 3;\n");
    write_text("syntax.sql", "CREATE TABLE t(a);\n-- @program\nINSERT INTO nowhere VALUES(1);\n");
    write_text("idle.sql", "CREATE TABLE t(a);\n-- @program\nSELECT * FROM t;\n");
    write_text("binary.sql", "CREATE TABLE t(a);\n\xff\xfe\x01\n");
    write_text("empty.sql", "");
    write_text("sizes.sql", "CREATE TABLE t(a);\n-- @program\nINSERT INTO t VALUES(1);\n"
                            "PRAGMA page_size=1024;\nVACUUM;\n");
    char *text = result_of("--workload ./good.sql --crash kill --require recover,sqlite");
    json_t *cell = cell_of(text, 2);
    assert_string_equal(json_string_value(json_object_get(cell, "workload")), "./good.sql");
    assert_true(number(cell, "states") > 20);
    assert_int_equal(number(cell, "clean"), number(cell, "states"));
    json_decref(cell);
    free(text);
    static const char *const wrong[] = {"syntax", "idle", "missing", "binary", "empty", "sizes"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        output o = run("run --mode delete --crash kill --workload ./%s.sql", wrong[i]);
        assert_one_line(&o, wrong[i], 3);
        assert_non_null(strstr(o.err, wrong[i]));
        done(&o);
    }
}

/* Promise: a program that fails is not taken for one that refuses: the run ends and names the
 * state. One that cannot copy what is not there yet has refused an empty database. */
static void failing_importers_end_the_run(void **unused)
{
    (void)unused;
    output o = run("run " EXEC_CELL "--importer '%s' --json -",
                   "exec:[ -s main.db-journal ] && exit 7; cp main.db out.db");
    assert_one_line(&o, "an importer that fails at one state", 3);
    assert_non_null(strstr(o.err, "midcommit: inplace/delete/full/kill/3: importer: "));
    done(&o);
    o = run("run " EXEC_CELL "--importer '%s' --json -", "exec:mkfifo out.db");
    assert_one_line(&o, "an importer that makes a FIFO", 3);
    done(&o);
    char *text = result_of("--mode delete --crash kill --workload grow --txns 1 "
                           "--importer 'exec:cp main.db out.db 2>/dev/null,abandon'");
    json_t *copied = cell_of(text, 0);
    json_t *abandon = cell_of(text, 1);
    assert_int_equal(number(copied, "clean"), number(abandon, "clean"));
    assert_int_equal(number(copied, "blocked"), 0);
    json_decref(copied);
    json_decref(abandon);
    free(text);
}

/* Is there such a process? One that waits to be buried is none. */
static bool runs(int pid)
{
    char path[64];
    char state = 'Z';
    (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *stat = fopen(path, "r");
    bool told = stat != NULL && fscanf(stat, "%*d (%*[^)]) %c", &state) == 1;
    assert_true(stat == NULL || fclose(stat) == 0);
    return told && state != 'Z';
}

/* Promise: a run does not wait for what an importer leaves running, and ends it. */
static void importers_leave_nothing_running(void **unused)
{
    (void)unused;
    char *here = realpath(".", NULL);
    assert_non_null(here);
    output o = run("run --workload grow --txns 1 --mode delete --crash kill --budget 1 --quiet "
                   "--importer 'exec:sleep 100 & echo $! >>%s/pids; exit 3'",
                   here);
    free(here);
    assert_int_equal(o.status, 0);
    done(&o);
    FILE *file = fopen("pids", "r");
    assert_non_null(file);
    int pid = 0;
    int count = 0;
    for (; fscanf(file, "%d", &pid) == 1; count++) {
        /* It was killed; on a busy machine it may not have been scheduled since. */
        int tries = 0;
        while (runs(pid) && tries++ < 1000) {
            (void)usleep(10000);
        }
        assert_false(runs(pid));
    }
    assert_true(count > 0);
    assert_int_equal(fclose(file), 0);
}

/* Promise: libraries that break the interface are errors of one line that names them. */
static void libraries_are_checked(void **unused)
{
    (void)unused;
    static const char *const bodies[] = {
        "return MC_REFUSED;",
        "return (mc_status)77;",
        "out->image.page_count = 5; out->image.page_size = 4096; return MC_OK;",
        "static const uint8_t *page[2]; out->image = (mc_image){4096, 2, page}; return MC_OK;",
        "static const uint8_t *page[2]; out->image = (mc_image){4095, 2, page}; return MC_OK;",
        "__builtin_memset(error, 65, sizeof *error); error->reason = 0; return MC_REFUSED;",
        "return *(volatile int *)16;",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        char body[1200];
        char name[32];
        (void)snprintf(body, sizeof body,
                       "#include <core/importer.h>\n"
                       "static mc_status import(const mc_input *input, mc_arena *arena, mc_import "
                       "*out, mc_error *error) { (void)input; (void)arena; (void)out; (void)error; "
                       "%s }\n"
                       "static const mc_importer mine = {MC_IMPORTER_ABI, \"m\", \"m\", import};\n"
                       "const mc_importer *midcommit_importer(void) { return &mine; }\n",
                       bodies[i]);
        (void)snprintf(name, sizeof name, "broken%zu", i);
        compile(name, body);
        output o = run("run " EXEC_CELL "--importer so:./%s.so --json -", name);
        assert_int_equal(o.status, 3);
        assert_non_null(strstr(o.err, "midcommit: inplace/delete/full/kill/"));
        done(&o);
    }
}

/* Promise: no output takes the place of an input or of the other output. */
static void outputs_are_no_inputs(void **unused)
{
    (void)unused;
    static const char sql[] = "CREATE TABLE t(a); INSERT INTO t VALUES(1);";
    write_text("mine.sql", sql);
    static const char *const wrong[] = {
        "--workload mine.sql --json mine.sql", "--workload grow,mine.sql --json ./mine.sql",
        "--workload mine.sql --results mine.sql --resume", "--workload grow --results r --json r"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        output o = run("run %s", wrong[i]);
        assert_one_line(&o, wrong[i], 2);
        done(&o);
    }
    char *text = read_text("mine.sql");
    assert_string_equal(text, sql);
    free(text);
}

/* Promise: --resume takes nothing that other contents of a user's file gave. */
static void changed_files_are_not_resumed(void **unused)
{
    (void)unused;
    static const char options[] = "run --workload its.sql --mode delete --crash kill --quiet "
                                  "--results its.jsonl";
    write_text("its.sql", "CREATE TABLE t(a); INSERT INTO t VALUES(1);");
    output o = run("%s", options);
    assert_int_equal(o.status, 0);
    done(&o);
    write_text("its.sql", "CREATE TABLE t(a);");
    o = run("%s --resume", options);
    assert_one_line(&o, "a changed file", 3);
    done(&o);
}

/* Promise: what is printed and does not arrive is a failure. */
static void full_disks_are_noticed(void **unused)
{
    (void)unused;
    char line[1000];
    (void)snprintf(line, sizeof line, "'%s' run %s >/dev/full 2>err.txt", MIDCOMMIT_PROGRAM,
                   EXEC_CELL);
    int status = system(line);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_runs_give_equal_bytes),
        cmocka_unit_test(counts_add_up),
        cmocka_unit_test(a_budget_is_not_exhaustive),
        cmocka_unit_test(exit_statuses_are_the_documented_ones),
        cmocka_unit_test(wrong_usage_is_one_line),
        cmocka_unit_test(an_interrupted_run_is_resumed),
        cmocka_unit_test(foreign_results_are_refused),
        cmocka_unit_test(shards_together_are_the_whole),
        cmocka_unit_test(programs_are_importers),
        cmocka_unit_test(libraries_are_importers),
        cmocka_unit_test(failing_importers_end_the_run),
        cmocka_unit_test(importers_leave_nothing_running),
        cmocka_unit_test(libraries_are_checked),
        cmocka_unit_test(outputs_are_no_inputs),
        cmocka_unit_test(changed_files_are_not_resumed),
        cmocka_unit_test(full_disks_are_noticed),
        cmocka_unit_test(files_are_workloads),
    };
    if (MIDCOMMIT_PROGRAM[0] == '\0') {
        print_message("there is no midcommit program in this build\n");
        return 1;
    }
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
