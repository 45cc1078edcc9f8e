/* test_migrate_kill.c: a migration that is killed leaves the old or the whole new, never a part.
 *
 * The program is really killed with SIGKILL. First at every one of its system calls, before the
 * call and after it: nothing that another process can see changes between two calls, but for stores
 * into shared memory, and LMDB writes its data with write calls (no MDB_WRITEMAP). Then by a timer
 * at moments spread over a whole run, which also cuts calls. */
#include "harness/test/migrating.h"

#include <sys/ptrace.h>
#include <time.h>

enum { STOPS_MAX = 100000 };

typedef struct scenario {
    const char *arguments[RUN_ARGUMENTS_MAX];
    void (*prepare)(void); /* before each run */
    int (*check)(void);    /* after each kill: 0 the old is there, 1 the new, 2 the new and swept */
    const char *const *outputs; /* names in the folder; the first kill is where the first appears */
} scenario;

static bool any_output(const scenario *s)
{
    for (int i = 0; s->outputs[i] != NULL; i++) {
        if (count_names(s->outputs[i]) > 0) {
            return true;
        }
    }
    return false;
}

/* Starts the program stopped at its first instruction. False when tracing is not allowed here. */
static bool start_traced(const scenario *s, pid_t *child)
{
    *child = fork();
    assert_true(*child >= 0);
    if (*child == 0) {
        int null = open("/dev/null", O_WRONLY);
        (void)dup2(null, 1);
        (void)dup2(null, 2);
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) {
            _exit(126);
        }
        become_program(s->arguments, 0);
    }
    int status;
    assert_int_equal(waitpid(*child, &status, 0), *child);
    if (!WIFSTOPPED(status)) {
        return false;
    }
    return ptrace(PTRACE_SETOPTIONS, *child, NULL,
                  (void *)(uintptr_t)(PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD)) == 0;
}

/* Lets the child go on to its next system call, entered or left. False when it has ended. */
static bool next_stop(pid_t child)
{
    int status;
    assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSTOPPED(status)) {
        return true;
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return false;
}

static void end_child(pid_t child)
{
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
}

/* The stops of a whole run, and the one at which the first output appears. */
static bool count_stops(const scenario *s, int *first, int *all)
{
    pid_t child;
    s->prepare();
    bool before = any_output(s);
    assert_false(before);
    *first = 0;
    *all = 0;
    if (!start_traced(s, &child)) {
        return false;
    }
    while (next_stop(child)) {
        *all += 1;
        if (*first == 0 && any_output(s)) {
            *first = *all;
        }
        assert_true(*all < STOPS_MAX);
    }
    assert_true(*first > 0);
    return true;
}

static void kill_at_every_call(const scenario *s, int seen[3])
{
    int first;
    int all;
    if (!count_stops(s, &first, &all)) {
        print_message("tracing is not allowed here: only the timer kills\n");
        skip();
    }
    for (int stop = first - 1; stop <= all; stop++) {
        pid_t child;
        s->prepare();
        assert_true(start_traced(s, &child));
        bool running = true;
        for (int i = 0; i < stop && running; i++) {
            running = next_stop(child);
        }
        /* Two runs may differ by a call or two, as the heap's place is random: one that ended
         * before the last stop is a whole run. */
        if (running) {
            end_child(child);
        } else {
            assert_true(stop > all - 8);
        }
        seen[s->check()]++;
    }
    print_message("killed at %d of %d stops: old %d, new %d, new and swept %d\n", all - first + 2,
                  all, seen[0], seen[1], seen[2]);
}

static int64_t now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static pid_t start(const scenario *s)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        (void)dup2(null, 1);
        (void)dup2(null, 2);
        become_program(s->arguments, 0);
    }
    return child;
}

static void kill_by_timer(const scenario *s, int seen[3])
{
    enum { KILLS = 100 };
    s->prepare();
    int64_t begin = now_us();
    (void)waitpid(start(s), NULL, 0);
    int64_t whole_us = now_us() - begin;
    for (int i = 0; i < KILLS; i++) {
        s->prepare();
        pid_t child = start(s);
        (void)usleep((useconds_t)(whole_us * i / KILLS));
        end_child(child);
        seen[s->check()]++;
    }
}

/* ---- to a v2 store ---- */

static void prepare_v2(void)
{
    remove_tree(in_folder("v2"));
}

static int check_v2(void)
{
    if (v2_txid(in_folder("v2")) == 0) {
        return 0;
    }
    assert_v2_holds(in_folder("v2"), in_folder("expected.db"));
    return 1;
}

static const char *const v2_outputs[] = {"v2", NULL};

static scenario to_v2(const char *dump)
{
    ran r;
    migrate(&r, "--from-kv", dump, "--to-file", in_folder("expected.db"), NULL);
    assert_int_equal(r.status, 0);
    static char dir[4600];
    (void)snprintf(dir, sizeof dir, "%s", in_folder("v2"));
    return (scenario){{"midcommit", "migrate", "--from-kv", dump, "--to-v2", dir, NULL},
                      prepare_v2,
                      check_v2,
                      v2_outputs};
}

static void test_killed_at_every_call_v2_has_no_head_or_everything(void **state)
{
    /* Promise: a migration into v2 that is killed leaves no head, or the whole database. */
    (void)state;
    int seen[3] = {0};
    scenario s = to_v2(corpus("vacuum_journal_k0036"));
    kill_at_every_call(&s, seen);
    assert_true(seen[0] > 0 && seen[1] > 0);
}

static void test_killed_by_a_timer_v2_has_no_head_or_everything(void **state)
{
    /* Promise: the same at any moment, calls cut in the middle included. */
    (void)state;
    int seen[3] = {0};
    scenario s = to_v2(corpus("big_then_close_k0001"));
    kill_by_timer(&s, seen);
    assert_true(seen[0] > 0);
}

/* ---- to files ---- */

static void prepare_files(void)
{
    write_bytes(in_folder("target.db"), "old", 3);
    write_bytes(in_folder("target.ltx"), "old", 3);
    DIR *dir = opendir(folder);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strncmp(entry->d_name, "target.db.", 10) == 0 ||
            strncmp(entry->d_name, "target.ltx.", 11) == 0) {
            (void)unlink(in_folder(entry->d_name));
        }
    }
    (void)closedir(dir);
}

static bool is_old(const char *path)
{
    bytes found = read_bytes(path);
    bool old = found.size == 3 && memcmp(found.data, "old", 3) == 0;
    free(found.data);
    return old;
}

static int check_files(void)
{
    static const char *const names[][2] = {{"target.db", "expected.db"},
                                           {"target.ltx", "expected.ltx"}};
    int fresh = 0;
    for (int i = 0; i < 2; i++) {
        if (!is_old(in_folder(names[i][0]))) {
            assert_same_file(in_folder(names[i][0]), in_folder(names[i][1]));
            fresh++;
        }
    }
    return fresh == 2;
}

static void test_killed_at_every_call_files_are_old_or_new(void **state)
{
    /* Promise: a file that a killed migration was to replace is the old one or the whole new one.
     */
    (void)state;
    static const char *const outputs[] = {"target.db.", "target.ltx.", NULL};
    const char *dump = corpus("vacuum_journal_k0036");
    ran r;
    migrate(&r, "--from-kv", dump, "--to-file", in_folder("expected.db"), "--to-ltx",
            in_folder("expected.ltx"), NULL);
    assert_int_equal(r.status, 0);
    int seen[3] = {0};
    char db[4600];
    char ltx[4600];
    (void)snprintf(db, sizeof db, "%s", in_folder("target.db"));
    (void)snprintf(ltx, sizeof ltx, "%s", in_folder("target.ltx"));
    scenario s = {
        {"midcommit", "migrate", "--from-kv", dump, "--to-file", db, "--to-ltx", ltx, NULL},
        prepare_files,
        check_files,
        outputs};
    kill_at_every_call(&s, seen);
    assert_true(seen[0] > 0 && seen[1] > 0);
}

/* ---- with a sweep ---- */

static char *v1_before;
static char *v1_after;
static char v1_dir[4600];
static char v2_dir[4600];

static void prepare_sweep(void)
{
    remove_tree(v2_dir);
    remove_tree(v1_dir);
    assert_int_equal(mkdir(v1_dir, 0700), 0);
    copy_file(in_folder("saved/data.mdb"), in_folder("v1/data.mdb"));
}

static int check_sweep(void)
{
    char *v1 = lmdb_text(v1_dir);
    bool swept = strcmp(v1, v1_before) != 0;
    if (swept) {
        assert_string_equal(v1, v1_after);
    }
    free(v1);
    int v2 = check_v2();
    assert_true(v2 == 1 || !swept); /* never swept before v2 has it */
    ran r;
    migrate(&r, "--from-lmdb", v1_dir, "--to-v2", v2_dir, "--sweep", NULL);
    assert_int_equal(r.status, 0);
    assert_int_equal(check_v2(), 1);
    v1 = lmdb_text(v1_dir);
    assert_string_equal(v1, v1_after); /* a second run does what the first one was killed before */
    free(v1);
    return v2 + swept;
}

static void test_killed_at_every_call_nothing_is_swept_too_early(void **state)
{
    /* Promise: v1 loses its orphans in one step, after v2 has the whole database, and a second run
     * finishes what the killed one began. */
    (void)state;
    mc_arena arena = {.limit_bytes = (size_t)64 << 20};
    mc_kvstore store = {0};
    mc_error error;
    assert_int_equal(mc_dump_read(corpus("vacuum_journal_k0036"), &arena, &store, &error), MC_OK);
    save_lmdb(&store, in_folder("saved"));
    mc_kvstore_free(&store);
    mc_arena_free(&arena);
    (void)snprintf(v1_dir, sizeof v1_dir, "%s", in_folder("v1"));
    (void)snprintf(v2_dir, sizeof v2_dir, "%s", in_folder("v2"));
    prepare_sweep();
    v1_before = lmdb_text(v1_dir);
    ran r;
    migrate(&r, "--from-lmdb", v1_dir, "--to-v2", v2_dir, "--to-file", in_folder("expected.db"),
            "--sweep", NULL);
    assert_int_equal(r.status, 0);
    v1_after = lmdb_text(v1_dir);
    assert_true(strlen(v1_after) < strlen(v1_before));
    int seen[3] = {0};
    scenario s = {
        {"midcommit", "migrate", "--from-lmdb", v1_dir, "--to-v2", v2_dir, "--sweep", NULL},
        prepare_sweep,
        check_sweep,
        v2_outputs};
    kill_at_every_call(&s, seen);
    assert_true(seen[0] > 0 && seen[1] > 0 && seen[2] > 0);
    free(v1_before);
    free(v1_after);
}

int main(void)
{
    (void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* the leak check itself traces */
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_killed_at_every_call_v2_has_no_head_or_everything),
        IN_FOLDER(test_killed_by_a_timer_v2_has_no_head_or_everything),
        IN_FOLDER(test_killed_at_every_call_files_are_old_or_new),
        IN_FOLDER(test_killed_at_every_call_nothing_is_swept_too_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
