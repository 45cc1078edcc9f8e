#include "fuzz/program.h"

#include <assert.h>
#include <stdio.h>

#include "crashsim/workload_make.h"

enum { TABLES = 3, SAVEPOINTS = 3, TEXT_BYTES = 512 };

/* What the database is in the middle of, as far as the next statement must know. */
typedef struct decoder {
    const mc_fuzz_options *options;
    mc_program *program;
    mc_mode mode;
    uint32_t modes;
    bool begun;          /* BEGIN was run */
    uint32_t savepoints; /* open ones: s0, s1, ... */
    bool reader;
    bool vacuumed; /* once is enough: it costs as much as all the rest */
} decoder;

static bool in_transaction(const decoder *d)
{
    return d->begun || d->savepoints > 0;
}

static uint8_t byte_of(const mc_piece *piece, size_t at)
{
    return piece != NULL && at < piece->size ? piece->data[at] : 0;
}

void mc_fuzz_options_read(const mc_piece *piece, mc_fuzz_options *out)
{
    static const uint32_t page_size[] = {512, 1024, 512, 4096, 512, 1024, 512, 8192};
    static const uint32_t cache_pages[] = {0, 5, 10, 20};
    static const uint8_t auto_vacuum[] = {0, 1, 2, 0};
    static const mc_model model[] = {MC_MODEL_KILL, MC_MODEL_POWER, MC_MODEL_POWER, MC_MODEL_KV};
    uint8_t flags = byte_of(piece, 4);
    uint32_t profiles = 0;
    while (mc_power_profiles[profiles].name != NULL) {
        profiles++;
    }
    *out = (mc_fuzz_options){
        .record = {.workload = "program.sql",
                   .mode = (mc_mode)(byte_of(piece, 0) % MC_MODES),
                   .sync = (mc_sync)(byte_of(piece, 1) % MC_SYNCS),
                   .page_size = page_size[byte_of(piece, 2) % 8],
                   .cache_pages = cache_pages[byte_of(piece, 3) % 4],
                   .seed = byte_of(piece, 7) % MC_FUZZ_SEEDS},
        .model = model[byte_of(piece, 5) % 4],
        .profile = &mc_power_profiles[byte_of(piece, 6) % profiles],
        .auto_vacuum = auto_vacuum[flags & 3],
        .rows = (uint8_t)((flags >> 2 & 3) * 4),
        .empty = (flags & 48) == 48,
    };
    if (out->model == MC_MODEL_KV) {
        out->record.kv = true;
        out->record.kv_build = (mc_kv_build)(byte_of(piece, 6) % MC_KV_BUILDS);
        out->record.mode = MC_MODE_DELETE;
        out->record.page_size = 4096;
    }
}

const char *mc_fuzz_options_crash(const mc_fuzz_options *options)
{
    static char text[64];
    switch (options->model) {
    case MC_MODEL_KILL:
        return "kill";
    case MC_MODEL_KV:
        return "kv";
    case MC_MODEL_POWER:
        break;
    }
    (void)snprintf(text, sizeof text, "power:%s", options->profile->name);
    return text;
}

/* What a row holds: random bytes, a function of the seed, so that no two pages are alike. */
static unsigned row_bytes(uint8_t operand)
{
    static const unsigned size[] = {0, 10, 40, 100, 200, 400, 700, 1300};
    return size[operand & 7] + (operand >> 3);
}

/* Each maker writes its statement into `text` (of TEXT_BYTES), or leaves it empty: it cannot run
 * here. */
typedef void (*maker)(decoder *d, const uint8_t *operand, char *text);

#define SAY(...) ((void)snprintf(text, TEXT_BYTES, __VA_ARGS__))

static void insert(decoder *d, const uint8_t *o, char *text)
{
    (void)d;
    unsigned size = row_bytes(o[1]);
    unsigned rows = 1 + (o[2] & 3);
    int at = snprintf(text, TEXT_BYTES, "INSERT INTO t%u(k, d) VALUES", o[0] % TABLES);
    for (unsigned i = 0; i < rows; i++) {
        at += snprintf(text + at, (size_t)(TEXT_BYTES - at), "%s(%u, randomblob(%u))",
                       i == 0 ? "" : ", ", (o[2] >> 2) + i, size);
    }
}

static void update(decoder *d, const uint8_t *o, char *text)
{
    (void)d;
    unsigned step = 1 + (o[2] & 7);
    SAY("UPDATE t%u SET k = k + 1, d = randomblob(%u) WHERE id %% %u = %u", o[0] % TABLES,
        row_bytes(o[1]), step, (o[2] >> 3) % step);
}

static void update_one(decoder *d, const uint8_t *o, char *text)
{
    (void)d;
    SAY("UPDATE t%u SET k = %u WHERE id = %u", o[0] % TABLES, o[1], 1u + o[2] % 16);
}

static void replace(decoder *d, const uint8_t *o, char *text)
{
    (void)d;
    SAY("INSERT OR REPLACE INTO t%u VALUES(%u, %u, randomblob(%u))", o[0] % TABLES, 1u + o[2] % 32,
        o[2] >> 5, row_bytes(o[1]));
}

static void delete_some(decoder *d, const uint8_t *o, char *text)
{
    (void)d;
    unsigned step = 1 + (o[2] & 3);
    SAY("DELETE FROM t%u WHERE id %% %u = %u", o[0] % TABLES, step, (o[2] >> 2) % step);
}

static void begin(decoder *d, const uint8_t *o, char *text)
{
    (void)o;
    if (!in_transaction(d)) {
        d->begun = true;
        SAY("BEGIN");
    }
}

static void leave(decoder *d)
{
    d->begun = false;
    d->savepoints = 0;
}

static void commit(decoder *d, const uint8_t *o, char *text)
{
    (void)o;
    if (in_transaction(d)) {
        leave(d);
        SAY("COMMIT");
    }
}

/* With journal_mode=OFF what a rollback leaves is undefined (pragma.html). */
static void rollback(decoder *d, const uint8_t *o, char *text)
{
    (void)o;
    if (in_transaction(d) && d->mode != MC_MODE_OFF) {
        leave(d);
        SAY("ROLLBACK");
    }
}

static void savepoint(decoder *d, const uint8_t *o, char *text)
{
    (void)o;
    if (d->savepoints < SAVEPOINTS) {
        SAY("SAVEPOINT s%u", d->savepoints++);
    }
}

static void release(decoder *d, const uint8_t *o, char *text)
{
    if (d->savepoints > 0) {
        d->savepoints = o[0] % d->savepoints;
        SAY("RELEASE s%u", d->savepoints);
    }
}

static void rollback_to(decoder *d, const uint8_t *o, char *text)
{
    if (d->savepoints > 0 && d->mode != MC_MODE_OFF) {
        d->savepoints = 1 + o[0] % d->savepoints;
        SAY("ROLLBACK TO s%u", d->savepoints - 1);
    }
}

static void checkpoint(decoder *d, const uint8_t *o, char *text)
{
    static const char *const kinds[] = {"PASSIVE", "FULL", "RESTART", "TRUNCATE"};
    if (d->mode == MC_MODE_WAL && !in_transaction(d)) {
        SAY("PRAGMA wal_checkpoint(%s)", kinds[o[0] & 3]);
    }
}

static void switch_mode(decoder *d, const uint8_t *o, char *text)
{
    static const mc_mode modes[] = {MC_MODE_DELETE, MC_MODE_TRUNCATE, MC_MODE_PERSIST, MC_MODE_WAL};
    mc_mode mode = modes[o[0] & 3];
    bool v1_never_did = d->options->model == MC_MODEL_KV && mode == MC_MODE_WAL;
    if (!in_transaction(d) && !d->reader && !v1_never_did) {
        d->mode = mode;
        d->modes |= 1u << mode;
        SAY("PRAGMA journal_mode=%s", mc_mode_names[mode]);
    }
}

static void vacuum(decoder *d, const uint8_t *o, char *text)
{
    (void)o;
    if (!in_transaction(d) && !d->vacuumed) {
        d->vacuumed = true;
        SAY("VACUUM");
    }
}

static void incremental_vacuum(decoder *d, const uint8_t *o, char *text)
{
    (void)d;
    SAY("PRAGMA incremental_vacuum(%u)", 1u + o[0] % 8);
}

static void index_on_or_off(decoder *d, const uint8_t *o, char *text)
{
    (void)d;
    unsigned table = o[0] % TABLES;
    if ((o[1] & 1) == 0) {
        SAY("CREATE INDEX IF NOT EXISTS i%u ON t%u(k)", table, table);
    } else {
        SAY("DROP INDEX IF EXISTS i%u", table);
    }
}

static void table_anew(decoder *d, const uint8_t *o, char *text)
{
    (void)d;
    (void)o;
    SAY("DROP TABLE t2; CREATE TABLE t2(id INTEGER PRIMARY KEY, k INT, d BLOB)");
}

static void cache(decoder *d, const uint8_t *o, char *text)
{
    (void)d;
    SAY("PRAGMA cache_size=%u", 1u + o[0] % 32);
}

static void user_version(decoder *d, const uint8_t *o, char *text)
{
    (void)d;
    SAY("PRAGMA user_version=%u", o[0]);
}

static void reopen(decoder *d, const uint8_t *o, char *text)
{
    (void)o;
    if (!in_transaction(d)) {
        d->mode = d->options->record.mode; /* the settings run again */
        d->reader = false;
        SAY("@reopen");
    }
}

/* A reader would make commits to a rollback journal wait for it. */
static void reader(decoder *d, const uint8_t *o, char *text)
{
    (void)o;
    if (d->mode == MC_MODE_WAL && !in_transaction(d)) {
        d->reader = !d->reader;
        SAY("@reader %s", d->reader ? "begin" : "end");
    }
}

static const maker makers[] = {
    insert,          insert,     update,     update_one, replace,     delete_some,
    begin,           commit,     commit,     rollback,   savepoint,   release,
    rollback_to,     checkpoint, checkpoint, vacuum,     switch_mode, incremental_vacuum,
    index_on_or_off, table_anew, cache,      reopen,     reader,      user_version};

static mc_status make_tables(const mc_fuzz_options *options, mc_program *program, mc_script *script,
                             mc_error *error)
{
    if (options->auto_vacuum != 0) {
        MC_TRY(
            mc_program_add(program, script, error, "PRAGMA auto_vacuum=%u", options->auto_vacuum));
    }
    for (unsigned i = 0; i < TABLES; i++) {
        MC_TRY(mc_program_add(program, script, error,
                              "CREATE TABLE t%u(id INTEGER PRIMARY KEY, k INT, d BLOB)", i));
    }
    for (unsigned i = 0; i + 1 < TABLES && options->rows > 0; i++) {
        MC_TRY(mc_program_add(
            program, script, error,
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %u) "
            "INSERT INTO t%u SELECT i, i, randomblob(%u) FROM n",
            options->rows, i, i == 0 ? 60 : 300));
    }
    return MC_OK;
}

mc_status mc_fuzz_program(const mc_fuzz_options *options, const mc_piece *piece,
                          mc_program *program, uint32_t *modes, mc_error *error)
{
    decoder d = {.options = options,
                 .program = program,
                 .mode = options->record.mode,
                 .modes = 1u << options->record.mode};
    MC_TRY(
        make_tables(options, program, options->empty ? &program->program : &program->setup, error));
    size_t statements = piece == NULL ? 0 : piece->size / MC_STATEMENT_BYTES;
    for (size_t i = 0; i < statements && i < MC_STATEMENTS_MAX; i++) {
        const uint8_t *bytes = piece->data + i * MC_STATEMENT_BYTES;
        char text[TEXT_BYTES] = "";
        makers[bytes[0] % (sizeof makers / sizeof *makers)](&d, bytes + 1, text);
        if (text[0] != '\0') {
            MC_DO("%s", text);
        }
    }
    *modes = d.modes;
    return MC_OK;
}
