#include "fuzz/seeds/seedtrace.h"

#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "core/recover.h"
#include "crashsim/crash.h"
#include "crashsim/workload.h"
#include "fuzz/seeds/seedstate.h"

enum {
    KINDS_MAX = 24, /* states taken of one recording */
    FORGED_MAX = 3, /* states of one target that are forged */
    PAGE_SIZES = 2,
    LABEL_BYTES = 80,
    ARENA_BYTES_MAX = 64 << 20
};

#define MODE(name) (1u << MC_MODE_##name)
#define JOURNALS (MODE(DELETE) | MODE(TRUNCATE) | MODE(PERSIST))
/* Names of two, three and four bytes in UTF-8, of two units in UTF-16, and one of several pages. */
#define NAMES                                                                                      \
    "CREATE TABLE \"caf\u00e9 \u2192 \U0001d11e\"(a, b); CREATE TABLE \"" NAME64 NAME64 NAME64     \
        NAME64 NAME64 NAME64 NAME64 NAME64 "\"(a UNIQUE);"
#define NAME64 "long long long long long long long long long long long long long"
#define ROWS(table, from, to, letters)                                                             \
    "WITH n(x) AS (SELECT " #from " UNION ALL SELECT x+1 FROM n WHERE x<" #to                      \
    ") INSERT INTO " #table " SELECT x, x*7%10, replace(hex(zeroblob(" #letters                    \
    ")), '0', char(65+x%26)) FROM n;"

/* Small, so that a seed is: a few pages at 512 bytes, each with one mechanism at work. */
static const struct {
    const char *name;
    uint32_t modes;
    uint32_t cache_pages;
    bool auto_vacuum;
    bool attach;
    bool kv;
    const char *setup;
    const char *program;
} programs[] = {
    {"update", JOURNALS | MODE(WAL), 0, false, false, true,
     "CREATE TABLE t(a INTEGER PRIMARY KEY, b, c); CREATE INDEX i ON t(b);" ROWS(t, 1, 12, 30),
     "UPDATE t SET c = upper(c) || a WHERE a % 4 = 0;" ROWS(t, 20, 24,
                                                            40) "DELETE FROM t WHERE a < 4;"},
    {"grow", JOURNALS | MODE(WAL) | MODE(MEMORY) | MODE(OFF), 0, false, false, true, "",
     "CREATE TABLE t(a INTEGER PRIMARY KEY, b, c);" ROWS(t, 1, 6, 60) ROWS(t, 7, 20, 60)},
    {"spill", JOURNALS | MODE(WAL), 2, false, false, false,
     "CREATE TABLE t(a INTEGER PRIMARY KEY, b, c);" ROWS(t, 1, 60, 60),
     "BEGIN; UPDATE t SET b = b + 1 WHERE a % 3 = 0;" ROWS(
         t, 61, 80, 60) "UPDATE t SET c = lower(c); DELETE FROM t WHERE a % 5 = 1; COMMIT; UPDATE "
                        "t SET b = 0 WHERE a = 2;"},
    {"overflow", JOURNALS | MODE(WAL), 0, false, false, true,
     "CREATE TABLE t(a INTEGER PRIMARY KEY, b, c);" ROWS(t, 1, 3, 1400),
     "UPDATE t SET c = substr(c, 1, 900) WHERE a = 2; DELETE FROM t WHERE a = 1;" ROWS(t, 4, 5,
                                                                                       700)},
    {"vacuum", JOURNALS | MODE(WAL), 0, false, false, false,
     "CREATE TABLE t(a INTEGER PRIMARY KEY, b, c); CREATE INDEX i ON t(b);" ROWS(
         t, 1, 24, 60) "DELETE FROM t WHERE a % 3 = 0;",
     "VACUUM;"},
    {"shrink", JOURNALS | MODE(WAL), 0, true, false, false,
     "CREATE TABLE t(a INTEGER PRIMARY KEY, b, c); CREATE INDEX i ON t(b);" ROWS(t, 1, 24, 60),
     "DELETE FROM t WHERE a > 12; DROP INDEX i;"},
    {"freed", JOURNALS | MODE(WAL), 0, false, false, false,
     "CREATE TABLE t(a INTEGER PRIMARY KEY, b, c); CREATE TABLE u AS SELECT * FROM t;" ROWS(
         t, 1, 16, 60) ROWS(u, 1, 16, 60),
     "DROP TABLE u; BEGIN; DELETE FROM t WHERE a > 8; CREATE TABLE v(a, b, c);" ROWS(v, 1, 9,
                                                                                     60) "COMMIT;"},
    {"attach", JOURNALS, 0, false, true, false,
     "CREATE TABLE main.t(a INTEGER PRIMARY KEY, b, c); CREATE TABLE aux.t(a INTEGER PRIMARY KEY, "
     "b, c);" ROWS(main.t, 1, 8, 60) ROWS(aux.t, 1, 8, 60),
     "BEGIN; UPDATE main.t SET b = 1; UPDATE aux.t SET b = 2; COMMIT;"},
    {"modes", MODE(DELETE) | MODE(WAL), 0, false, false, false,
     "CREATE TABLE t(a INTEGER PRIMARY KEY, b, c);" ROWS(t, 1, 8, 60),
     "PRAGMA journal_mode = wal; UPDATE t SET b = 1; PRAGMA journal_mode = persist;"
     "UPDATE t SET b = 2 WHERE a < 4; PRAGMA journal_mode = wal; UPDATE t SET b = 3 WHERE a > 6;"},
    {"checkpoint", MODE(WAL), 0, false, false, false,
     "CREATE TABLE t(a INTEGER PRIMARY KEY, b, c);" ROWS(t, 1, 12, 60),
     "UPDATE t SET b = 1 WHERE a < 6;\n@reader begin\nUPDATE t SET b = 2 WHERE a > 6;"
     "PRAGMA wal_checkpoint(PASSIVE);\n@reader end\nPRAGMA wal_checkpoint(RESTART);"
     "UPDATE t SET b = 3 WHERE a = 1; UPDATE t SET b = 5 WHERE a = 9;" ROWS(
         t, 13, 20, 60) "PRAGMA wal_checkpoint(TRUNCATE); DELETE FROM t "
                        "WHERE a > 16;\n@reopen\nUPDATE t SET b = 4;"},
    {"names", MODE(DELETE), 0, false, false, false, NAMES, "CREATE TABLE u(a); DROP TABLE u;"},
    {"names-le", MODE(DELETE), 0, false, false, false, "PRAGMA encoding = 'UTF-16le';" NAMES,
     "CREATE TABLE u(a); DROP TABLE u;"},
    {"names-be", MODE(DELETE), 0, false, false, false, "PRAGMA encoding = 'UTF-16be';" NAMES,
     "CREATE TABLE u(a); DROP TABLE u;"},
    {"savepoint", JOURNALS | MODE(WAL), 2, false, false, false,
     "CREATE TABLE t(a INTEGER PRIMARY KEY, b, c);" ROWS(t, 1, 40, 60),
     "BEGIN; UPDATE t SET b = 1; SAVEPOINT s; UPDATE t SET c = lower(c); ROLLBACK TO s;"
     "UPDATE t SET b = 5 WHERE a % 2 = 0; COMMIT;"},
};

typedef struct walk {
    mc_seeds *seeds;
    const char *label; /* of the recording */
    const mc_trace *trace;
    const mc_disk *disk;
    const mc_kvstore *store;
    uint64_t kind[KINDS_MAX];
    uint32_t kinds;
    uint32_t *forged; /* by target */
    mc_arena arena;
} walk;

/* Up to 3, then by powers of two: 4, 5, ... */
static uint32_t about(uint64_t count)
{
    uint32_t class = 0;
    for (; count > 3; count /= 2) {
        class ++;
    }
    return class * 4 + (uint32_t)count;
}

/* In words, what there is to read in a state. */
static void describe(const mc_files *files, mc_arena *arena, char *out, size_t size)
{
    mc_journal journal;
    mc_wal wal = {0};
    mc_error error;
    const char *why = "";
    bool reads = mc_journal_read(files, arena, &journal, &error) == MC_OK;
    if (mc_wal_open(&files->wal, &wal, &why, &error) == MC_OK && wal.usable) {
        mc_wal_advance(&wal, &files->wal);
    }
    size_t name_size;
    bool super = mc_journal_super_name(&files->journal, &name_size) != NULL;
    bool stale = wal.valid_frames > 0 &&
                 mc_wal_frame_offset(&wal, wal.valid_frames + 1) + wal.page_size <= files->wal.size;
    (void)snprintf(out, size, "%s/%s/%u/%d/%s/%u/%u/%d", reads && !journal.hot ? journal.why : "",
                   reads && journal.hot ? journal.end : "",
                   reads && journal.hot ? about(journal.record_count) : 0, super,
                   why == NULL || wal.usable ? "" : why, about(wal.valid_frames),
                   about(wal.commit_frames), stale);
}

/* Was a state of that kind taken? If not, remembers it. */
static bool is_new(walk *w, const char *kind)
{
    uint64_t hash = mc_hash64(kind, strlen(kind));
    for (uint32_t i = 0; i < w->kinds; i++) {
        if (w->kind[i] == hash) {
            return false;
        }
    }
    if (w->kinds == KINDS_MAX) {
        return false;
    }
    w->kind[w->kinds++] = hash;
    return true;
}

static mc_status take_files(walk *w, const char *name, mc_error *error)
{
    mc_seed_state state;
    if (!mc_seed_state_of(w->disk, &w->arena, &state)) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "seeds: out of memory");
    }
    mc_status status = mc_seed_state_put(w->seeds, name, &state, error);
    if (status == MC_OK && w->kinds % 8 == 3) {
        status = mc_seed_state_images(w->seeds, name, &state, error);
    }
    uint32_t *forged = &w->forged[state.wal.size > 0];
    bool worth = state.wal.size > 0 || (state.journal.size > 1024 && state.journal.data[0] != 0);
    if (status == MC_OK && worth && *forged < FORGED_MAX && w->kinds % 4 == 0) {
        *forged += 1;
        status = mc_seed_state_forge(w->seeds, name, &state, error);
    }
    return status;
}

static mc_status take_store(walk *w, const char *name, mc_error *error)
{
    mc_status status = mc_seed_store_put(w->seeds, name, w->store, error);
    if (status == MC_OK && w->forged[2] < FORGED_MAX && w->kinds % 6 == 5) {
        w->forged[2]++;
        status = mc_seed_store_forge(w->seeds, name, w->store, error);
    }
    return status;
}

static mc_status visit(void *context, const mc_crash *crash, mc_error *error)
{
    walk *w = context;
    char kind[256];
    char name[MC_SEED_NAME_BYTES];
    mc_files files = {0};
    mc_arena_reset(&w->arena);
    const char *op = crash->op == NULL ? "end" : mc_op_kind_name((mc_op_kind)crash->op->kind);
    const char *role = "";
    if (w->store != NULL) {
        mc_pair *pair = mc_arena_calloc(&w->arena, w->store->count, sizeof *pair);
        mc_input input = {.kind = MC_INPUT_STORE};
        mc_import import = {0};
        mc_error refusal = {.reason = ""};
        mc_kvstore_view(w->store, pair, &input.store);
        (void)mc_importer_recover.import(&input, &w->arena, &import, &refusal);
        (void)snprintf(kind, sizeof kind, "%s/%zu/%u/%s", op, w->store->count, import.sidecars,
                       refusal.reason);
    } else {
        char read[160];
        mc_disk_files(w->disk, "main.db", &files);
        describe(&files, &w->arena, read, sizeof read);
        role = crash->op == NULL || crash->op->file == MC_DISK_NONE
                   ? ""
                   : mc_file_role(w->trace, crash->op->file);
        (void)snprintf(kind, sizeof kind, "%s/%s/%s", op, role, read);
    }
    if (!is_new(w, kind)) {
        return MC_OK;
    }
    (void)snprintf(name, sizeof name, "%s-%03zu-%u", w->label, crash->point, crash->cut);
    return w->store != NULL ? take_store(w, name, error) : take_files(w, name, error);
}

static mc_status explore(mc_seeds *seeds, const char *label, const mc_record_options *options,
                         uint32_t forged[3], mc_error *error)
{
    mc_trace trace = {0};
    mc_status status = mc_record(options, &trace, error);
    if (status != MC_OK) {
        return status;
    }
    walk w = {.seeds = seeds, .label = label, .trace = &trace, .disk = &trace.base};
    w.forged = forged;
    w.arena.limit_bytes = ARENA_BYTES_MAX;
    mc_visitor visitor = {.context = &w, .state = visit};
    mc_explored explored;
    if (options->kv) {
        mc_kvstore store = {0};
        w.store = &store;
        status = mc_kvstore_copy(&store, &trace.base_kv)
                     ? mc_kv_explore(&trace, &store, 0, &visitor, &explored, error)
                     : mc_fail(error, MC_NO_MEMORY, "no-memory", "seeds: out of memory");
        mc_kvstore_free(&store);
    } else {
        status = mc_kill_explore(&trace, &trace.base, 0, &visitor, &explored, error);
    }
    mc_arena_free(&w.arena);
    mc_trace_free(&trace);
    return status;
}

/* One program under one set of options. */
static mc_status record(mc_seeds *seeds, size_t at, mc_record_options options, const char *label,
                        uint32_t forged[3], mc_error *error)
{
    const char *setup[] = {programs[at].setup};
    const char *text[] = {programs[at].program};
    mc_program program = {.setup = {setup, setup[0][0] != '\0', 1},
                          .program = {text, 1, 1},
                          .cache_pages = programs[at].cache_pages,
                          .auto_vacuum = programs[at].auto_vacuum,
                          .attach = programs[at].attach};
    options.workload = programs[at].name;
    options.program = &program;
    options.seed = 1;
    return explore(seeds, label, &options, forged, error);
}

mc_status mc_seed_traces(mc_seeds *seeds, mc_error *error)
{
    static const uint32_t page_size[PAGE_SIZES] = {512, 1024};
    static const char *const build_names[MC_KV_BUILDS] = {"journal", "batch", "batch-128"};
    uint32_t forged[3] = {0};
    mc_status status = MC_OK;
    char label[LABEL_BYTES];
    for (size_t p = 0; p < sizeof programs / sizeof *programs; p++) {
        for (int cell = 0; status == MC_OK && cell < MC_MODES * PAGE_SIZES; cell++) {
            mc_record_options options = {.mode = (mc_mode)(cell / PAGE_SIZES),
                                         .sync = MC_SYNC_FULL,
                                         .page_size = page_size[cell % PAGE_SIZES]};
            bool is_for = (programs[p].modes & (1u << options.mode)) != 0;
            (void)snprintf(label, sizeof label, "%s-%s-%u", programs[p].name,
                           mc_mode_names[options.mode], options.page_size);
            status = is_for ? record(seeds, p, options, label, forged, error) : MC_OK;
        }
        for (int build = 0; status == MC_OK && programs[p].kv && build < MC_KV_BUILDS; build++) {
            mc_record_options options = {.mode = MC_MODE_DELETE,
                                         .sync = MC_SYNC_NORMAL,
                                         .page_size = 4096,
                                         .kv = true,
                                         .kv_build = (mc_kv_build)build};
            (void)snprintf(label, sizeof label, "%s-kv-%s", programs[p].name, build_names[build]);
            status = record(seeds, p, options, label, forged, error);
        }
    }
    return status;
}
