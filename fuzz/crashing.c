#include "fuzz/crashing.h"

#include <assert.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/recover.h"
#include "core/v1.h"
#include "crashsim/crash.h"
#include "crashsim/diskid.h"
#include "crashsim/kvvfs.h"
#include "crashsim/memvfs.h"
#include "crashsim/stock.h"
#include "crashsim/witness.h"
#include "fuzz/faultvfs.h"
#include "harness/judge/defects.h"

enum { ARENA_BYTES = 64 << 20, CRASH_HEADER_BYTES = 3 };

const mc_crash_rules mc_crash_rules_true = {&mc_importer_recover, mc_promise_of, false};

/* What was made of one state: SQLite's answer is freed once recover's was compared with it. */
typedef struct answer {
    mc_status status;
    mc_import import;
    mc_error error;
} answer;

typedef struct execution {
    const mc_crash_rules *rules;
    mc_crash_report *report;
    mc_crash_case c;
} execution;

/* Memory that is kept from one input to the next, because asking for it again costs more than an
 * input does. Nothing in it is read before it was written. */
static mc_trace spare[MC_CRASHES_MAX] = {{.arena.limit_bytes = ARENA_BYTES},
                                         {.arena.limit_bytes = ARENA_BYTES}};
static mc_arena program_arena = {.limit_bytes = ARENA_BYTES};
static mc_arena work_arena = {.limit_bytes = ARENA_BYTES};
static mc_arena answer_arena[MC_CRASHES_MAX] = {{.limit_bytes = ARENA_BYTES},
                                                {.limit_bytes = ARENA_BYTES}};

static mc_trace take_trace(int depth)
{
    mc_trace trace = spare[depth];
    spare[depth] = (mc_trace){.arena.limit_bytes = ARENA_BYTES};
    return trace;
}

static void give_trace_back(int depth, mc_trace *trace)
{
    mc_trace_free(&spare[depth]);
    mc_trace_reset(trace);
    spare[depth] = *trace;
}

static bool found(mc_crash_report *report, const char *signature, const char *text)
{
    (void)snprintf(report->signature, sizeof report->signature, "%s", signature);
    (void)snprintf(report->text, sizeof report->text, "%s", text);
    return false;
}

static void free_crashed(mc_crashed *state)
{
    mc_disk_free(&state->disk);
    mc_kvstore_free(&state->store);
}

/* The database that programs with these options begin with; one for each combination of what shapes
 * it, few enough that nearly every execution finds it made. How large the page cache is does not
 * show in what a setup without transactions of many pages leaves. */
static mc_base *base_for(const mc_fuzz_options *options)
{
    enum { PAGE_SIZES = 5, VACUUMS = 3, ROWS = 4, STORES = 1 + MC_KV_BUILDS };
    static mc_base base[PAGE_SIZES * VACUUMS * ROWS * STORES * MC_FUZZ_SEEDS * 2 * 2];
    const mc_record_options *record = &options->record;
    size_t at = 0;
    while (record->page_size >> at > MC_PAGE_SIZE_MIN) {
        at++;
    }
    assert(at < PAGE_SIZES && options->auto_vacuum < VACUUMS && record->seed < MC_FUZZ_SEEDS);
    at = at * VACUUMS + options->auto_vacuum;
    at = at * ROWS + options->rows / 4u;
    at = at * STORES + (record->kv ? 1u + record->kv_build : 0u);
    at = at * MC_FUZZ_SEEDS + (size_t)record->seed;
    at = at * 2 + (record->mode == MC_MODE_WAL);
    return &base[at * 2 + options->empty];
}

static mc_status record(mc_crash_case *c, const mc_piece *program_piece, mc_error *error)
{
    mc_arena_reset(&program_arena);
    c->program = (mc_program){.arena = &program_arena};
    mc_status status = mc_fuzz_program(&c->options, program_piece, &c->program, &c->modes, error);
    mc_record_options options = c->options.record;
    options.program = &c->program;
    options.base = base_for(&c->options);
    return status == MC_OK ? mc_record(&options, &c->trace, error) : status;
}

typedef struct stream {
    const mc_piece *piece;
    size_t at;
} stream;

static uint32_t next_choice(void *context, mc_power_item item, const mc_op *op, uint32_t count)
{
    stream *s = context;
    (void)item;
    (void)op;
    return s->at < s->piece->size ? s->piece->data[s->at++] % count : count - 1;
}

/* How many bytes of a write at a kill's point have happened. */
static uint32_t cut_of(const mc_op *op, uint8_t choice)
{
    if (op->kind != MC_OP_WRITE || op->size == 0) {
        return 0;
    }
    uint64_t first = op->offset / MC_KILL_CUT_BYTES + 1;
    uint64_t last = (op->offset + op->size - 1) / MC_KILL_CUT_BYTES;
    uint64_t nth = choice % (last + 2 - first);
    return nth == 0 ? 0 : (uint32_t)((first + nth - 1) * MC_KILL_CUT_BYTES - op->offset);
}

static mc_status kill_state(const mc_trace *trace, uint8_t choice, mc_crashed *out, mc_error *error)
{
    if (!mc_disk_copy(&out->disk, &trace->base)) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "no memory for a state");
    }
    mc_status status = MC_OK;
    for (size_t i = 0; status == MC_OK && i < out->point; i++) {
        status = mc_trace_apply(&out->disk, &trace->op[i], UINT32_MAX, error);
    }
    if (status == MC_OK && out->point < trace->op_count) {
        const mc_op *op = &trace->op[out->point];
        out->cut = cut_of(op, choice);
        status = out->cut == 0 ? MC_OK : mc_trace_apply(&out->disk, op, out->cut, error);
    }
    return status;
}

static mc_status kv_state(const mc_trace *trace, uint8_t choice, mc_crashed *out, mc_error *error)
{
    if (!mc_kvstore_copy(&out->store, &trace->base_kv)) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "no memory for a state");
    }
    mc_status status = MC_OK;
    for (size_t i = 0; status == MC_OK && i < trace->op_count && i <= out->point; i++) {
        const mc_op *op = &trace->op[i];
        bool request = op->kind >= MC_OP_KV_PUT && op->kind <= MC_OP_KV_DELETE_RANGE;
        bool applied = i < out->point || (choice & 1) != 0;
        if (request && applied) {
            out->cut = i == out->point;
            status = mc_kvstore_apply(&out->store, op->kind, op->data, op->size, op->offset, error);
        }
    }
    return status;
}

/* The state that a crash of `trace` leaves, as `piece` (null: none given) chooses it. */
static mc_status crash(const mc_fuzz_options *options, const mc_trace *trace, const mc_piece *piece,
                       mc_crashed *out, mc_error *error)
{
    uint8_t header[CRASH_HEADER_BYTES] = {0};
    if (piece != NULL && piece->size > 0) {
        memcpy(header, piece->data, piece->size < sizeof header ? piece->size : sizeof header);
    }
    size_t selector = header[0] | (size_t)header[1] << 8;
    *out = (mc_crashed){.is_kv = options->model == MC_MODEL_KV, .point = trace->op_count};
    if (piece != NULL) {
        out->point = selector % (trace->op_count + 1);
    }
    if (options->model == MC_MODEL_KILL) {
        return kill_state(trace, header[2], out, error);
    }
    if (options->model == MC_MODEL_KV) {
        return kv_state(trace, header[2], out, error);
    }
    static const mc_piece none = {0};
    stream s = {piece == NULL ? &none : piece, CRASH_HEADER_BYTES};
    mc_arena_reset(&work_arena);
    return mc_power_state(trace, out->point, options->profile, next_choice, &s, &work_arena,
                          &out->disk, error);
}

/* SQLite recovers the files; they are put back. With a trace its operations are recorded. */
static bool ask_disk(mc_crashed *state, mc_trace *trace, mc_stock *out)
{
    mc_memvfs_options options = {.disk = &state->disk, .trace = trace};
    mc_memvfs *vfs = mc_memvfs_open(&options);
    if (vfs == NULL) {
        return false;
    }
    mc_disk_begin(&state->disk);
    mc_stock_ask("main.db", mc_memvfs_name(vfs), MC_STOCK_LIMIT_BYTES, out);
    mc_disk_rewind(&state->disk);
    mc_memvfs_close(vfs);
    return true;
}

static bool ask_store(mc_crashed *state, mc_kv_build build, mc_trace *trace, mc_stock *out)
{
    mc_kvstore copy = {0};
    mc_arena_reset(&work_arena);
    mc_kvvfs_options options = {
        .store = &copy, .arena = &work_arena, .trace = trace, .build = build};
    mc_kvvfs *vfs = mc_kvstore_copy(&copy, &state->store) ? mc_kvvfs_open(&options) : NULL;
    if (vfs != NULL) {
        mc_stock_ask("main.db", mc_kvvfs_name(vfs), MC_STOCK_LIMIT_BYTES, out);
        mc_kvvfs_close(vfs);
    }
    mc_kvstore_free(&copy);
    return vfs != NULL;
}

/* A state as importers read it. */
static mc_status view(const mc_crashed *state, mc_arena *arena, mc_input *out, mc_error *error)
{
    *out = (mc_input){.kind = state->is_kv ? MC_INPUT_STORE : MC_INPUT_FILES};
    if (!state->is_kv) {
        mc_disk_files(&state->disk, "main.db", &out->files);
        return MC_OK;
    }
    mc_pair *pair = mc_arena_calloc(arena, state->store.count + 1, sizeof *pair);
    if (pair == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "no memory for the pairs of a store");
    }
    mc_kvstore_view(&state->store, pair, &out->store);
    return MC_OK;
}

/* Its files, those that the v1 VFS shows of a store. */
static mc_status view_files(const mc_crashed *state, mc_arena *arena, mc_files *out,
                            mc_error *error)
{
    mc_input input;
    mc_status status = view(state, arena, &input, error);
    if (status == MC_OK && state->is_kv) {
        return mc_v1_files(&input.store, arena, out, error);
    }
    *out = input.files;
    return status;
}

/* Recovers a state both ways. False when there is no memory or, with a report, they disagree. */
static bool recover(execution *x, int depth, mc_crashed *state, mc_trace *trace, answer *out)
{
    mc_arena *arena = &answer_arena[depth];
    mc_stock stock;
    mc_input input;
    mc_arena_reset(arena);
    *out = (answer){0};
    if (!(state->is_kv ? ask_store(state, x->c.options.record.kv_build, trace, &stock)
                       : ask_disk(state, trace, &stock))) {
        return false;
    }
    out->status = view(state, arena, &input, &out->error);
    if (out->status == MC_OK) {
        out->status = x->rules->recover->import(&input, arena, &out->import, &out->error);
    }
    char problem[512] = "";
    const char *kind = "";
    bool agrees =
        out->status != MC_NO_MEMORY && mc_stock_agrees(&stock, out->status, &out->import.image,
                                                       &out->error, problem, sizeof problem, &kind);
    mc_stock_free(&stock);
    if (!agrees && out->status != MC_NO_MEMORY) {
        char signature[64];
        (void)snprintf(signature, sizeof signature, "%s%s", depth == 0 ? "" : "again-", kind);
        return found(x->report, signature, problem);
    }
    return agrees;
}

/* Is that a database in which nothing was made yet? The v1 VFS makes a file of one empty page, and
 * so does SQLite when it is asked for WAL or auto_vacuum. It says what no file at all says. */
static bool is_blank(const mc_image *image)
{
    enum { USER_VERSION = 60, APPLICATION_ID = 68, ROOT = 100, CELLS = ROOT + 3, LEAF_TABLE = 13 };
    static const uint8_t zeros[4];
    const uint8_t *page1 = image->page_count == 1 ? image->page[0] : NULL;
    return page1 != NULL && page1[ROOT] == LEAF_TABLE && memcmp(page1 + CELLS, zeros, 2) == 0 &&
           memcmp(page1 + USER_VERSION, zeros, 4) == 0 &&
           memcmp(page1 + APPLICATION_ID, zeros, 4) == 0;
}

/* Of what these programs make, one page is always a blank database: each table has a root. */
static bool same_content(const mc_witness *a, const mc_witness *b)
{
    return (a->page_count <= 1 && b->page_count <= 1) || mc_witness_equal(a, b);
}

/* Which commit the answer is: the first of those with the same pages. */
static bool classify(execution *x, const answer *a, uint32_t *classes, mc_outcome *outcome)
{
    const mc_trace *trace = &x->c.trace;
    mc_witness now = {0};
    bool missing = a->status != MC_OK && strcmp(a->error.reason, "main-missing") == 0;
    *outcome = (mc_outcome){.kind = MC_OUTCOME_REFUSED, .reason = a->error.reason};
    if (a->status == MC_OK || missing) {
        outcome->kind = MC_OUTCOME_OTHER;
    }
    if (a->status == MC_OK && !mc_witness_of_image(&a->import.image, &work_arena, &now)) {
        return false;
    }
    bool readable =
        outcome->kind == MC_OUTCOME_OTHER && (now.page_count != 1 || is_blank(&a->import.image));
    for (uint32_t k = 0; k <= trace->commit_count; k++) {
        classes[k] = k;
        for (uint32_t i = 0; i < k && classes[k] == k; i++) {
            classes[k] = same_content(&trace->witness[k], &trace->witness[i]) ? i : k;
        }
        if (readable && same_content(&now, &trace->witness[k])) {
            outcome->kind = MC_OUTCOME_SNAPSHOT;
            outcome->content_class = classes[k];
        }
    }
    return true;
}

static void count_commits(mc_crash_report *report, const mc_trace *trace)
{
    for (size_t i = 0; i < report->point; i++) {
        const mc_op *op = &trace->op[i];
        report->begun = op->kind == MC_OP_BEGUN ? (uint32_t)op->offset : report->begun;
        report->acked = op->kind == MC_OP_ACKED ? (uint32_t)op->offset : report->acked;
    }
}

/* Takes commits with the content of the one before out of `classes`, up to the one in flight.
 * Returns how many acknowledged ones are left, and in `*begun_left` how many begun ones. */
static uint32_t drop_equal(uint32_t *classes, uint32_t acked, uint32_t begun, uint32_t *begun_left)
{
    uint32_t left = 0;
    uint32_t acked_left = 0;
    for (uint32_t k = 1; k <= begun; k++) {
        if (classes[k] != classes[left]) {
            classes[++left] = classes[k];
        }
        acked_left = k <= acked ? left : acked_left;
    }
    *begun_left = left;
    return acked_left;
}

/* Holds what both recovered from the first crash against what was committed. */
static bool judge(execution *x, const mc_crashed *state, const answer *a)
{
    mc_crash_report *report = x->report;
    mc_arena_reset(&work_arena);
    uint32_t *classes =
        mc_arena_calloc(&work_arena, x->c.trace.commit_count + UINT32_C(1), sizeof *classes);
    mc_outcome outcome;
    mc_files files;
    mc_error error;
    uint32_t begun = 0;
    if (classes == NULL || !classify(x, a, classes, &outcome) ||
        view_files(state, &work_arena, &files, &error) != MC_OK) {
        return false;
    }
    count_commits(report, &x->c.trace);
    /* Commits that changed nothing leave nothing to lose, so they do not count as lost. */
    uint32_t acked = drop_equal(classes, report->acked, report->begun, &begun);
    report->verdict = mc_verdict_of(&outcome, classes, acked, begun, MC_NO_CLASS, false);
    const char *crash = mc_fuzz_options_crash(&x->c.options);
    const char *source = "";
    const char *weakest = "";
    for (int mode = 0; mode < MC_MODES; mode++) {
        mc_promise promise =
            x->rules->promise((mc_mode)mode, x->c.options.record.sync, crash, 1, &source);
        if ((x->c.modes & 1u << mode) != 0 && promise >= report->promise) {
            report->promise = promise;
            weakest = source;
        }
    }
    if (mc_promise_kept(report->promise, &report->verdict)) {
        return true;
    }
    const mc_record_options *record = &x->c.options.record;
    const mc_defect *defect =
        mc_defect_find(sqlite3_libversion_number(), &files, &report->verdict, record->sync,
                       record->kv ? mc_kv_crash_names[record->kv_build] : crash);
    if (defect != NULL) {
        report->defect = defect->name;
        return true;
    }
    char verdict[64];
    mc_verdict_text(&report->verdict, verdict, sizeof verdict);
    (void)snprintf(report->signature, sizeof report->signature, "promise-%s-%s-%s",
                   mc_verdict_names[report->verdict.kind], mc_mode_names[x->c.options.record.mode],
                   x->c.options.model == MC_MODEL_POWER ? x->c.options.profile->name : crash);
    (void)snprintf(report->text, sizeof report->text,
                   "%s at element %zu of %zu, %u commits acknowledged, %u begun; promised: %s",
                   verdict, report->point, report->elements, report->acked, report->begun, weakest);
    return false;
}

/* A page that the recovery had to invent (main was cut, the journal does not have the page, so it
 * is a hole) may be garbage after a power loss: what SQLite does not define is not compared. */
static bool same_defined(const answer *a, const answer *b)
{
    mc_witness left;
    mc_witness right;
    mc_arena_reset(&work_arena);
    return a->status == MC_OK && b->status == MC_OK &&
           mc_witness_of_image(&a->import.image, &work_arena, &left) &&
           mc_witness_of_image(&b->import.image, &work_arena, &right) &&
           mc_witness_equal(&left, &right);
}

static bool same_bytes(const answer *a, const answer *b)
{
    const mc_image *left = &a->import.image;
    const mc_image *right = &b->import.image;
    if (a->status != b->status || left->page_count != right->page_count) {
        return false;
    }
    if (a->status != MC_OK) {
        return strcmp(a->error.reason, b->error.reason) == 0;
    }
    bool same = left->page_count == 0 || left->page_size == right->page_size;
    for (uint32_t i = 0; same && i < left->page_count; i++) {
        same = memcmp(left->page[i], right->page[i], left->page_size) == 0;
    }
    return same;
}

/* Does a crash of the recovery keep what it is to keep? After a power loss only a database that is
 * some commit's can be asked for, and only of a disk whose sync does not lie. */
static bool is_kept(const execution *x, const answer *first, const answer *second)
{
    bool same = same_bytes(first, second);
    if (same || x->c.options.model != MC_MODEL_POWER) {
        return same;
    }
    mc_verdict_kind kind = x->report->verdict.kind;
    bool some_commit = kind == MC_CLEAN || kind == MC_STALE;
    return !x->c.options.profile->syncs || !some_commit || same_defined(first, second);
}

/* The recovery, whose trace begins at the first state, is crashed, and what it leaves recovered. */
static bool crash_recovery(execution *x, const answer *first, const mc_trace *recovery)
{
    mc_crashed state;
    mc_error error;
    answer second;
    x->report->recovery = recovery->op_count;
    bool ok = crash(&x->c.options, recovery, &x->c.piece[1], &state, &error) == MC_OK &&
              recover(x, 1, &state, NULL, &second);
    if (ok && !is_kept(x, first, &second)) {
        char text[256];
        (void)snprintf(text, sizeof text,
                       "a crash of the recovery at element %zu of %zu gives another database",
                       state.point, recovery->op_count);
        ok = found(x->report, "recovery-crashed", text);
    }
    free_crashed(&state);
    return ok;
}

/* Asks for a recovery with a fault. What it leaves of the state stays. The report gets the number
 * of calls, and SQLite's result. */
static bool ask_failing(execution *x, mc_crashed *state, const mc_fault *fault)
{
    mc_memvfs_options files = {.disk = &state->disk};
    mc_kvvfs_options pairs = {
        .store = &state->store, .arena = &work_arena, .build = x->c.options.record.kv_build};
    mc_memvfs *mem = state->is_kv ? NULL : mc_memvfs_open(&files);
    mc_kvvfs *kv = state->is_kv ? mc_kvvfs_open(&pairs) : NULL;
    mc_faultvfs *vfs = NULL;
    if (mem != NULL || kv != NULL) {
        vfs = mc_faultvfs_open(mem != NULL ? mc_memvfs_name(mem) : mc_kvvfs_name(kv), fault);
    }
    if (vfs != NULL) {
        mc_stock stock;
        mc_stock_ask("main.db", mc_faultvfs_name(vfs), MC_STOCK_LIMIT_BYTES, &stock);
        x->report->failed = stock.code;
        x->report->calls = mc_faultvfs_calls(vfs);
        mc_stock_free(&stock);
        mc_faultvfs_close(vfs);
    }
    if (mem != NULL) {
        mc_memvfs_close(mem);
    }
    if (kv != NULL) {
        mc_kvvfs_close(kv);
    }
    return vfs != NULL;
}

static bool copy_state(const mc_crashed *from, mc_crashed *to)
{
    *to = (mc_crashed){.is_kv = from->is_kv, .point = from->point, .cut = from->cut};
    return from->is_kv ? mc_kvstore_copy(&to->store, &from->store)
                       : mc_disk_copy(&to->disk, &from->disk);
}

/* A recovery fails in the middle; what it leaves is recovered once more. */
static bool fail_recovery(execution *x, const answer *first)
{
    const mc_piece *piece = &x->c.fault;
    uint8_t choice[3] = {0};
    memcpy(choice, piece->data, piece->size < sizeof choice ? piece->size : sizeof choice);
    uint32_t nth = choice[0] | (uint32_t)choice[1] << 8;
    bool read_only = (choice[2] & 1) != 0;
    mc_fault fault = {.read_only = read_only, .lies = x->rules->lying_disk};
    mc_crashed state;
    answer second;
    mc_arena_reset(&work_arena);
    bool ok = copy_state(&x->c.state, &state) && (read_only || ask_failing(x, &state, &fault));
    uint64_t calls = x->report->calls;
    free_crashed(&state);
    fault.fail_at = calls > 0 ? 1 + nth % calls : 0;
    ok = ok && copy_state(&x->c.state, &state) && ask_failing(x, &state, &fault) &&
         recover(x, 1, &state, NULL, &second);
    x->report->calls = calls;
    if (ok && !is_kept(x, first, &second)) {
        char text[256];
        (void)snprintf(text, sizeof text,
                       "a recovery that failed with %d (%s, call %" PRIu64
                       ") gives another database afterwards",
                       x->report->failed, read_only ? "read-only" : "once", fault.fail_at);
        ok = found(x->report, "recovery-failed", text);
    }
    free_crashed(&state);
    return ok;
}

/* The trace of a recovery: it begins at `state`, whose disk it borrows. */
static mc_trace recovery_of(const mc_crashed *state)
{
    mc_trace trace = take_trace(1);
    trace.is_kv = state->is_kv;
    trace.database[0] = "main.db";
    trace.database_count = 1;
    return trace;
}

static bool judge_state(execution *x)
{
    mc_crashed *state = &x->c.state;
    mc_trace recovery = recovery_of(state);
    answer first;
    bool again = x->c.crashes > 1;
    bool ok = recover(x, 0, state, again ? &recovery : NULL, &first);
    if (ok) {
        x->report->image =
            first.status == MC_OK ? mc_image_content_hash(&first.import.image) : (mc_hash128){0};
        ok = judge(x, state, &first);
    }
    if (ok && again) {
        recovery.base = state->disk;
        recovery.base_kv = state->store;
        ok = crash_recovery(x, &first, &recovery);
        recovery.base = (mc_disk){0};
        recovery.base_kv = (mc_kvstore){0};
    }
    give_trace_back(1, &recovery);
    return ok && x->c.fault.size > 0 ? fail_recovery(x, &first) : ok;
}

mc_status mc_crash_open(const uint8_t *data, size_t size, mc_crash_case *out, mc_error *error)
{
    static mc_piece piece[MC_PIECES_MAX];
    size_t count = mc_pieces_read(data, size, piece);
    *out = (mc_crash_case){.trace = take_trace(0)};
    for (size_t i = 0; i < count && out->crashes < MC_CRASHES_MAX; i++) {
        if (piece[i].tag == MC_PIECE_CRASH) {
            out->piece[out->crashes++] = piece[i];
        }
    }
    const mc_piece *fault = mc_pieces_find(piece, count, MC_PIECE_FAULT);
    out->fault = fault != NULL ? *fault : out->fault;
    mc_fuzz_options_read(mc_pieces_find(piece, count, MC_PIECE_OPTIONS), &out->options);
    mc_status status = record(out, mc_pieces_find(piece, count, MC_PIECE_PROGRAM), error);
    const mc_piece *first = out->crashes > 0 ? &out->piece[0] : NULL;
    return status == MC_OK ? crash(&out->options, &out->trace, first, &out->state, error) : status;
}

void mc_crash_close(mc_crash_case *crash_case)
{
    free_crashed(&crash_case->state);
    give_trace_back(0, &crash_case->trace);
}

bool mc_crash_run(const uint8_t *data, size_t size, const mc_crash_rules *rules,
                  mc_crash_report *report)
{
    *report = (mc_crash_report){0};
    execution x = {.rules = rules, .report = report};
    mc_error error = {0};
    mc_status status = mc_crash_open(data, size, &x.c, &error);
    bool memory = status != MC_NO_MEMORY;
    report->options = x.c.options;
    report->point = x.c.state.point;
    report->cut = x.c.state.cut;
    report->commits = x.c.trace.commit_count;
    report->elements = x.c.trace.op_count;
    if (status == MC_OK) {
        memory = judge_state(&x) || report->signature[0] != '\0';
    } else if (memory) {
        (void)found(report, error.reason, error.text);
    }
    mc_crash_close(&x.c);
    return memory;
}
