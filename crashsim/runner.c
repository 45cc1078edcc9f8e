/* runner.c: statements one by one, and the truth about when a commit was in flight.
 *
 * BEGUN goes into the trace before the statement that can commit is stepped, because its first
 * operation may already be one of the commit; whether it did commit is known only afterwards. So
 * the mark is set on suspicion and taken out again when nothing was committed:
 *   - suspicious is every statement that may write while no transaction is open, and COMMIT, END
 * and RELEASE inside one;
 *   - committed has what fired SQLite's commit hook and left no transaction open (vdbeaux.c
 *     vdbeCommit calls the hook exactly when some database holds a write transaction), and VACUUM,
 *     which commits past the hook (vacuum.c sqlite3RunVacuum).
 * A checkpoint, a ROLLBACK and a plain BEGIN are therefore no commits, a change of journal mode
 * that rewrites page 1 is one. The rule is checked, not believed: a statement that wrote to a file
 * without committing must leave every database as the last commit left it. */
#include "crashsim/runner.h"

#include <assert.h>
#include <string.h>

#include "crashsim/witness.h"

enum { LIST_FIRST = 64, SQL_SHOWN = 60, PROGRESS_STEPS = 1000 };

static const char *database_schema(uint32_t database)
{
    static const char *const schema[] = {"main", "aux"};
    assert(database < sizeof schema / sizeof *schema);
    return schema[database];
}

/* Skips white space and comments, so that what follows begins a statement. */
static const char *skip_space(const char *text)
{
    for (;;) {
        text += strspn(text, " \t\r\n\f");
        if (text[0] == '-' && text[1] == '-') {
            text += strcspn(text, "\n");
        } else if (text[0] == '/' && text[1] == '*') {
            const char *end = strstr(text + 2, "*/");
            text = end == NULL ? text + strlen(text) : end + 2;
        } else {
            return text;
        }
    }
}

static bool begins_with_word(const char *sql, const char *word)
{
    size_t size = strlen(word);
    char next = sqlite3_strnicmp(sql, word, (int)size) == 0 ? sql[size] : 'x';
    return strchr(" \t\r\n\f;/-", next) != NULL; /* the terminating zero included */
}

static mc_status fail_statement(const mc_runner *runner, const char *sql, const char *message,
                                mc_error *error)
{
    const char *phase = runner->trace == NULL ? "setup" : "statement";
    return mc_fail(error, MC_MALFORMED, "statement-failed", "%s: %s %u: %.*s: %s",
                   runner->options->workload, phase, runner->statement, SQL_SHOWN, sql, message);
}

/* Makes room for one more item of a list in the trace's arena; null without memory. */
static void *grow_list(mc_arena *arena, void *list, uint32_t count, uint32_t *capacity,
                       uint32_t more, size_t item_bytes)
{
    if (count + more <= *capacity) {
        return list;
    }
    uint32_t grown = *capacity == 0 ? LIST_FIRST : *capacity * 2;
    void *moved = mc_arena_calloc(arena, grown, item_bytes);
    if (moved == NULL) {
        return NULL;
    }
    if (count > 0) {
        memcpy(moved, list, count * item_bytes);
    }
    *capacity = grown;
    return moved;
}

/* Makes [sql, sql + size) the running statement. */
static mc_status name_statement(mc_runner *runner, const char *sql, size_t size, mc_error *error)
{
    mc_trace *trace = runner->trace;
    if (trace == NULL) {
        runner->statement++;
        return MC_OK;
    }
    char *copy = mc_arena_alloc(&trace->arena, size + 1);
    void *list = grow_list(&trace->arena, (void *)trace->statement, trace->statement_count,
                           &runner->statement_capacity, 1, sizeof *trace->statement);
    if (copy == NULL || list == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "%s: no memory for statement %u",
                       runner->options->workload, trace->statement_count);
    }
    memcpy(copy, sql, size);
    copy[size] = '\0';
    trace->statement = list;
    runner->statement = trace->statement_count;
    trace->statement[trace->statement_count++] = copy;
    return MC_OK;
}

mc_status mc_runner_witness(mc_runner *runner, mc_error *error)
{
    mc_trace *trace = runner->trace;
    uint32_t first = trace->commit_count * trace->database_count;
    trace->witness = grow_list(&trace->arena, trace->witness, first, &runner->witness_capacity,
                               trace->database_count, sizeof *trace->witness);
    if (trace->witness == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "%s: no memory for witness %u",
                       runner->options->workload, first);
    }
    size_t op_count = trace->op_count;
    for (uint32_t i = 0; i < trace->database_count; i++) {
        mc_status status =
            mc_witness_read(runner->db, database_schema(i), runner->witness_limit_bytes,
                            &trace->arena, &trace->witness[first + i], error);
        if (status != MC_OK) {
            return status;
        }
    }
    assert(trace->op_count == op_count);
    (void)op_count;
    return MC_OK;
}

/* Fails when the databases are no longer what the last commit left. */
static mc_status check_nothing_committed(mc_runner *runner, mc_error *error)
{
    mc_trace *trace = runner->trace;
    const mc_witness *last = &trace->witness[trace->commit_count * trace->database_count];
    for (uint32_t i = 0; i < trace->database_count; i++) {
        mc_witness now;
        mc_status status = mc_witness_read(runner->db, database_schema(i),
                                           runner->witness_limit_bytes, &trace->arena, &now, error);
        if (status != MC_OK) {
            return status;
        }
        bool taken = now.page_count != MC_WITNESS_NONE && last[i].page_count != MC_WITNESS_NONE;
        if (taken && !mc_witness_equal(&now, &last[i])) {
            return mc_fail(error, MC_IO, "unmarked-commit",
                           "%s: statement %u changed database %s without a commit that was seen",
                           runner->options->workload, runner->statement, trace->database[i]);
        }
    }
    return MC_OK;
}

static mc_status add_mark(mc_runner *runner, mc_op_kind kind, mc_error *error)
{
    return mc_trace_add(runner->trace,
                        (mc_op){.kind = (uint8_t)kind,
                                .file = MC_DISK_NONE,
                                .offset = (uint64_t)runner->trace->commit_count + 1,
                                .statement = runner->statement},
                        error);
}

/* What followed the mark at `index` happened, but belonged to no commit. */
static void take_mark_out(mc_trace *trace, size_t index)
{
    assert(index < trace->op_count && trace->op[index].kind == MC_OP_BEGUN);
    trace->op_count--;
    memmove(trace->op + index, trace->op + index + 1,
            (trace->op_count - index) * sizeof *trace->op);
}

static bool may_commit(sqlite3 *db, sqlite3_stmt *stmt, const char *sql)
{
    if (sqlite3_stmt_isexplain(stmt) != 0) {
        return false;
    }
    if (sqlite3_get_autocommit(db)) {
        return !sqlite3_stmt_readonly(stmt);
    }
    return begins_with_word(sql, "COMMIT") || begins_with_word(sql, "END") ||
           begins_with_word(sql, "RELEASE");
}

/* Steps one statement to its end, and finalizes it. */
static mc_status step_to_end(mc_runner *runner, sqlite3_stmt *stmt, const char *sql,
                             mc_error *error)
{
    int rc = SQLITE_ROW;
    while (rc == SQLITE_ROW) {
        rc = sqlite3_step(stmt);
    }
    if (sqlite3_finalize(stmt) != SQLITE_OK) {
        return fail_statement(runner, sql, sqlite3_errmsg(runner->db), error);
    }
    return MC_OK;
}

/* After a switch to WAL the next read creates -wal and -shm (pager.c pagerOpenWalIfPresent, btree.c
 * lockBtree). That read is made here as the application's own, so that the witness's changes
 * nothing. */
static mc_status read_after_pragma(mc_runner *runner, const char *sql, mc_error *error)
{
    if (!begins_with_word(sql, "PRAGMA")) {
        return MC_OK;
    }
    static const char read[] = "SELECT count(*) FROM sqlite_schema";
    if (sqlite3_exec(runner->db, read, NULL, NULL, NULL) != SQLITE_OK) {
        return fail_statement(runner, sql, sqlite3_errmsg(runner->db), error);
    }
    return MC_OK;
}

static mc_status acknowledge(mc_runner *runner, const char *sql, mc_error *error)
{
    mc_status status = add_mark(runner, MC_OP_ACKED, error);
    if (status == MC_OK) {
        runner->trace->commit_count++;
        status = read_after_pragma(runner, sql, error);
    }
    return status == MC_OK ? mc_runner_witness(runner, error) : status;
}

static mc_status run_marked(mc_runner *runner, sqlite3_stmt *stmt, const char *sql, mc_error *error)
{
    mc_trace *trace = runner->trace;
    bool suspicious = may_commit(runner->db, stmt, sql);
    bool vacuum = suspicious && begins_with_word(sql, "VACUUM");
    size_t first = trace->op_count;
    if (suspicious && add_mark(runner, MC_OP_BEGUN, error) != MC_OK) {
        (void)sqlite3_finalize(stmt);
        return error->status;
    }
    size_t before = trace->op_count;
    runner->commit_seen = false;
    mc_status status = step_to_end(runner, stmt, sql, error);
    if (status != MC_OK) {
        return status;
    }
    bool wrote = trace->op_count > before;
    bool done = sqlite3_get_autocommit(runner->db) != 0;
    if (done && (runner->commit_seen || vacuum)) {
        assert(suspicious);
        return acknowledge(runner, sql, error);
    }
    if (suspicious) {
        take_mark_out(trace, first);
    }
    return done && wrote ? check_nothing_committed(runner, error) : MC_OK;
}

/* A further database would need snapshots of its own. */
static mc_status check_attached(const mc_runner *runner, const char *sql, mc_error *error)
{
    for (int i = 2;; i++) { /* 0 is main, 1 is temp */
        const char *schema = sqlite3_db_name(runner->db, i);
        if (schema == NULL) {
            return MC_OK;
        }
        const char *file = sqlite3_db_filename(runner->db, schema);
        bool ours = runner->program->attach && strcmp(schema, "aux") == 0;
        if (!ours && file != NULL && file[0] != '\0') {
            return fail_statement(runner, sql, "no other database file can be attached", error);
        }
    }
}

/* Runs all SQL in [text, end of the last statement that SQLite finds in it] until a directive
 * comes. `named` is false when the whole text already is the running statement. */
static mc_status run_sql(mc_runner *runner, const char *text, bool named, const char **rest,
                         mc_error *error)
{
    for (text = skip_space(text); text[0] != '\0' && text[0] != '@'; text = skip_space(text)) {
        sqlite3_stmt *stmt = NULL;
        const char *tail = NULL;
        int rc = sqlite3_prepare_v2(runner->db, text, -1, &stmt, &tail);
        size_t size = rc == SQLITE_OK ? (size_t)(tail - text) : strcspn(text, ";");
        mc_status status = MC_OK;
        if (named && (stmt != NULL || rc != SQLITE_OK)) {
            status = name_statement(runner, text, size, error);
        }
        if (status == MC_OK && rc != SQLITE_OK) {
            status = fail_statement(runner, text, sqlite3_errmsg(runner->db), error);
        }
        if (status != MC_OK) {
            (void)sqlite3_finalize(stmt);
            return status;
        }
        if (stmt != NULL) {
            status = runner->trace == NULL ? step_to_end(runner, stmt, text, error)
                                           : run_marked(runner, stmt, text, error);
        }
        if (status == MC_OK) {
            status = check_attached(runner, text, error);
        }
        if (status != MC_OK) {
            return status;
        }
        text = tail;
    }
    *rest = text;
    return MC_OK;
}

/* The hook also fires for the temporary database, which no crash can leave behind. */
static int on_commit(void *context)
{
    mc_runner *runner = context;
    uint32_t count = runner->program->attach ? 2 : 1;
    for (uint32_t i = 0; i < count; i++) {
        if (sqlite3_txn_state(runner->db, database_schema(i)) == SQLITE_TXN_WRITE) {
            runner->commit_seen = true;
        }
    }
    return 0; /* go on and commit */
}

/* Interrupts what would run for too long. */
static int on_progress(void *context)
{
    mc_runner *runner = context;
    runner->steps += PROGRESS_STEPS;
    return runner->steps > runner->options->steps_limit;
}

static mc_status open_connection(const mc_runner *runner, sqlite3 **out, mc_error *error)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2("main.db", out, flags, runner->vfs_name) != SQLITE_OK) {
        mc_fail(error, MC_IO, "cannot-open", "%s: cannot open main.db: %s",
                runner->options->workload, sqlite3_errmsg(*out));
        (void)sqlite3_close(*out);
        *out = NULL;
        return error->status;
    }
    return MC_OK;
}

static mc_status open_main(mc_runner *runner, mc_error *error)
{
    mc_status status = open_connection(runner, &runner->db, error);
    if (status != MC_OK) {
        return status;
    }
    (void)sqlite3_commit_hook(runner->db, on_commit, runner);
    if (runner->options->steps_limit > 0) {
        sqlite3_progress_handler(runner->db, PROGRESS_STEPS, on_progress, runner);
    }
    const char *rest = NULL;
    return run_sql(runner, runner->settings, false, &rest, error);
}

mc_status mc_runner_open(mc_runner *runner, mc_error *error)
{
    mc_status status = name_statement(runner, runner->settings, strlen(runner->settings), error);
    return status == MC_OK ? open_main(runner, error) : status;
}

static mc_status directive_reopen(mc_runner *runner, mc_error *error)
{
    mc_runner_close(runner);
    return open_main(runner, error);
}

static mc_status directive_reader_begin(mc_runner *runner, mc_error *error)
{
    if (runner->reader != NULL) {
        return fail_statement(runner, "@reader begin", "there is a reader already", error);
    }
    mc_status status = open_connection(runner, &runner->reader, error);
    if (status != MC_OK) {
        return status;
    }
    char *message = NULL;
    if (sqlite3_exec(runner->reader, "BEGIN; SELECT count(*) FROM sqlite_schema", NULL, NULL,
                     &message) != SQLITE_OK) {
        status = fail_statement(runner, "@reader begin", message, error);
    }
    sqlite3_free(message);
    return status;
}

static mc_status directive_reader_end(mc_runner *runner, mc_error *error)
{
    if (runner->reader == NULL) {
        return fail_statement(runner, "@reader end", "there is no reader", error);
    }
    (void)sqlite3_close_v2(runner->reader); /* rolls its transaction back */
    runner->reader = NULL;
    return MC_OK;
}

static mc_status run_directive(mc_runner *runner, const char *text, const char **rest,
                               mc_error *error)
{
    static const struct {
        const char *text;
        mc_status (*run)(mc_runner *runner, mc_error *error);
    } directives[] = {
        {"@reopen", directive_reopen},
        {"@reader begin", directive_reader_begin},
        {"@reader end", directive_reader_end},
    };
    size_t size = strcspn(text, "\r\n");
    *rest = text + size;
    while (size > 0 && strchr(" \t;", text[size - 1]) != NULL) {
        size--;
    }
    mc_status status = name_statement(runner, text, size, error);
    if (status != MC_OK) {
        return status;
    }
    for (size_t i = 0; i < sizeof directives / sizeof *directives; i++) {
        if (strlen(directives[i].text) == size && memcmp(directives[i].text, text, size) == 0) {
            return directives[i].run(runner, error);
        }
    }
    return fail_statement(runner, text, "no such directive", error);
}

mc_status mc_runner_script(mc_runner *runner, const char *text, mc_error *error)
{
    for (text = skip_space(text); text[0] != '\0'; text = skip_space(text)) {
        mc_status status = text[0] == '@' ? run_directive(runner, text, &text, error)
                                          : run_sql(runner, text, true, &text, error);
        if (status != MC_OK) {
            return status;
        }
    }
    return MC_OK;
}

void mc_runner_close(mc_runner *runner)
{
    if (runner->reader != NULL) {
        (void)sqlite3_close_v2(runner->reader);
        runner->reader = NULL;
    }
    if (runner->db != NULL) {
        int rc = sqlite3_close(runner->db);
        assert(rc == SQLITE_OK); /* every statement has been finalized */
        (void)rc;
        runner->db = NULL;
    }
}
