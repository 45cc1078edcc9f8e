/* record.c: from a workload's name to its trace.
 *
 * Three lives of the same files. In the first, fast and unobserved, the setup builds the database.
 * In the second a connection opens the result, says what it sees (witness 0), and every change it
 * made is undone. In the third the program runs with the trace on; then its process "is gone": the
 * connection is closed only to free memory, and what closing does to the files is cut off the
 * trace.
 *
 * A trace that lacked one operation would make every judgement after it worthless, so each
 * recording proves itself before it is handed out: base plus trace must be byte for byte the live
 * files. */
#include "crashsim/record.h"

#include "core/v1.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crashsim/diskid.h"
#include "crashsim/kvvfs.h"
#include "crashsim/memvfs.h"
#include "crashsim/runner.h"
#include "crashsim/witness.h"

enum {
    FILLER_ROW_BYTES = 900,
    FILLER_BATCH_ROWS = 20000,
    SETTINGS_BYTES = 1024,
    CACHE_DEFAULT = -2000 /* KiB: SQLite's own default (pragma.html, "cache_size") */
};

static const uint64_t WITNESS_LIMIT_BYTES = 16 << 20;

const char *const mc_mode_names[MC_MODES] = {"delete", "truncate", "persist",
                                             "memory", "off",      "wal"};
const char *const mc_sync_names[MC_SYNCS] = {"off", "normal", "full", "extra"};

/* What a recording holds while it runs. */
typedef struct recorder {
    mc_record_options options; /* the caller's, with defaults filled in */
    mc_trace *trace;
    mc_arena arena; /* the program's */
    mc_program program;
    mc_disk disk;      /* the live files, */
    mc_kvstore store;  /* or the live pairs */
    mc_memvfs *memvfs; /* the VFS of the present life: one of the two */
    mc_kvvfs *kvvfs;
    char settings[SETTINGS_BYTES];
    mc_runner runner;
} recorder;

static mc_status check_options(const mc_record_options *options, mc_error *error)
{
    uint32_t size = options->page_size;
    if (size < MC_PAGE_SIZE_MIN || size > MC_PAGE_SIZE_MAX || (size & (size - 1)) != 0) {
        return mc_fail(error, MC_USAGE, "page-size",
                       "page size %u: not a power of two in 512..65536", size);
    }
    if (options->mode >= MC_MODES || options->sync >= MC_SYNCS) {
        return mc_fail(error, MC_USAGE, "mode", "no such journal mode or synchronous setting");
    }
    if (options->kv && (size != 4096 || options->mode != MC_MODE_DELETE)) {
        return mc_fail(error, MC_USAGE, "kv-settings",
                       "the v1 store takes page size 4096 and journal mode delete only");
    }
    return MC_OK;
}

static mc_status fail_memory(mc_error *error, const recorder *rec)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "%s: no memory to record",
                   rec->options.workload);
}

/* Opens the VFS of one life; `trace` is null in the first two. */
static mc_status open_vfs(recorder *rec, mc_kvstore *store, mc_trace *trace, mc_error *error)
{
    assert(rec->memvfs == NULL && rec->kvvfs == NULL);
    if (rec->options.kv) {
        rec->kvvfs = mc_kvvfs_open(&(mc_kvvfs_options){.store = store,
                                                       .arena = &rec->trace->arena,
                                                       .trace = trace,
                                                       .statement = &rec->runner.statement,
                                                       .build = rec->options.kv_build,
                                                       .seed = rec->options.seed});
    } else {
        rec->memvfs = mc_memvfs_open(&(mc_memvfs_options){
            .disk = &rec->disk,
            .trace = trace,
            .statement = &rec->runner.statement,
            .seed = rec->options.seed,
            .device_characteristics = rec->options.plain_disk ? MC_DEVICE_PLAIN : 0});
    }
    if (rec->memvfs == NULL && rec->kvvfs == NULL) {
        return fail_memory(error, rec);
    }
    const char *name = rec->options.kv ? mc_kvvfs_name(rec->kvvfs) : mc_memvfs_name(rec->memvfs);
    uint64_t limit = rec->options.witness_limit_bytes;
    rec->runner = (mc_runner){.options = &rec->options,
                              .program = &rec->program,
                              .vfs_name = name,
                              .settings = rec->settings,
                              .trace = trace,
                              .witness_limit_bytes = limit == 0 ? WITNESS_LIMIT_BYTES : limit};
    return MC_OK;
}

static void close_vfs(recorder *rec)
{
    mc_runner_close(&rec->runner);
    if (rec->memvfs != NULL) {
        mc_memvfs_close(rec->memvfs);
        rec->memvfs = NULL;
    }
    if (rec->kvvfs != NULL) {
        mc_kvvfs_close(rec->kvvfs);
        rec->kvvfs = NULL;
    }
}

static bool has_main(const recorder *rec)
{
    if (rec->options.kv) {
        return rec->store.count > 0;
    }
    uint16_t number = mc_disk_find(&rec->disk, "main.db");
    return number != MC_DISK_NONE && rec->disk.file[number].exists;
}

/* The settings that shape what a commit writes, said in full so that no build's defaults matter
 * (Debian's SQLite has secure_delete on, for one). The journal mode comes last: switching to WAL
 * writes page 1, whose layout the others decide. */
static void write_settings(recorder *rec, const char *mode, const char *sync)
{
    const mc_record_options *options = &rec->options;
    static const char *const schema[] = {"main", "aux"};
    char *out = rec->settings;
    size_t room = sizeof rec->settings;
    uint32_t cache = options->cache_pages != 0 ? options->cache_pages : rec->program.cache_pages;
    int used = snprintf(out, room,
                        "PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0; "
                        "PRAGMA wal_autocheckpoint=0; PRAGMA cache_spill=ON");
    if (options->kv) {
        used += snprintf(out + used, room - (size_t)used, "; PRAGMA locking_mode=EXCLUSIVE");
    }
    if (rec->program.attach) {
        used += snprintf(out + used, room - (size_t)used, "; ATTACH 'aux.db' AS aux");
    }
    for (int i = 0; i < (rec->program.attach ? 2 : 1); i++) {
        used += snprintf(out + used, room - (size_t)used,
                         "; PRAGMA %s.page_size=%u; PRAGMA %s.secure_delete=OFF; "
                         "PRAGMA %s.synchronous=%s",
                         schema[i], options->page_size, schema[i], schema[i], sync);
        if (!has_main(rec)) { /* to an existing database it would be a commit of its own */
            used += snprintf(out + used, room - (size_t)used, "; PRAGMA %s.auto_vacuum=%s",
                             schema[i], rec->program.auto_vacuum ? "FULL" : "NONE");
        }
        used += snprintf(out + used, room - (size_t)used, "; PRAGMA %s.cache_size=%d", schema[i],
                         cache != 0 ? (int)cache : CACHE_DEFAULT);
        used += snprintf(out + used, room - (size_t)used, "; PRAGMA %s.journal_mode=%s", schema[i],
                         mode);
    }
    assert(used > 0 && (size_t)used < room);
}

static mc_status run_scripts(recorder *rec, const mc_script *script, mc_error *error)
{
    for (uint32_t i = 0; i < script->count; i++) {
        mc_status status = mc_runner_script(&rec->runner, script->text[i], error);
        if (status != MC_OK) {
            return status;
        }
    }
    return MC_OK;
}

/* Rows of a table of its own until the database has about options.scale_bytes. */
static mc_status run_filler(recorder *rec, mc_error *error)
{
    static const char create[] = "CREATE TABLE filler(id INTEGER PRIMARY KEY, data BLOB)";
    mc_status status = mc_runner_script(&rec->runner, create, error);
    uint64_t rows = rec->options.scale_bytes / (FILLER_ROW_BYTES + FILLER_ROW_BYTES / 9);
    while (status == MC_OK && rows > 0) {
        uint64_t batch = rows < FILLER_BATCH_ROWS ? rows : FILLER_BATCH_ROWS;
        char sql[256];
        (void)snprintf(
            sql, sizeof sql,
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT %" PRIu64
            ") INSERT INTO filler(data) SELECT zeroblob(%d) FROM n",
            batch, FILLER_ROW_BYTES);
        status = mc_runner_script(&rec->runner, sql, error);
        rows -= batch;
    }
    return status;
}

static mc_status run_setup(recorder *rec, mc_error *error)
{
    bool filled = rec->options.scale_bytes > 0;
    if (rec->program.setup.count == 0 && !filled) {
        return MC_OK;
    }
    write_settings(rec, rec->options.kv ? "DELETE" : "MEMORY", "OFF");
    mc_status status = open_vfs(rec, &rec->store, NULL, error);
    if (status == MC_OK) {
        status = mc_runner_open(&rec->runner, error);
    }
    if (status == MC_OK) {
        status = run_scripts(rec, &rec->program.setup, error);
    }
    if (status == MC_OK && filled) {
        status = run_filler(rec, error);
    }
    if (status == MC_OK && rec->options.mode == MC_MODE_WAL) {
        status = mc_runner_script(&rec->runner, "PRAGMA main.journal_mode=WAL", error);
    }
    close_vfs(rec);
    return status;
}

/* Witness 0: what a connection that opens a copy of the base sees. */
static mc_status witness_base(recorder *rec, mc_error *error)
{
    mc_trace *trace = rec->trace;
    trace->witness = mc_arena_calloc(&trace->arena, trace->database_count, sizeof *trace->witness);
    if (trace->witness == NULL) {
        return fail_memory(error, rec);
    }
    if (!has_main(rec)) {
        return MC_OK; /* no file, no pages */
    }
    mc_kvstore copy = {0};
    if (rec->options.kv && !mc_kvstore_copy(&copy, &rec->store)) {
        return fail_memory(error, rec);
    }
    mc_disk_begin(&rec->disk);
    (void)snprintf(rec->settings, sizeof rec->settings, "%s",
                   rec->program.attach ? "ATTACH 'aux.db' AS aux" : "");
    mc_status status = open_vfs(rec, &copy, NULL, error);
    if (status == MC_OK) {
        status = mc_runner_open(&rec->runner, error);
    }
    for (uint32_t i = 0; status == MC_OK && i < trace->database_count; i++) {
        status = mc_witness_read(rec->runner.db, i == 0 ? "main" : "aux",
                                 rec->runner.witness_limit_bytes, &trace->arena, &trace->witness[i],
                                 error);
    }
    close_vfs(rec);
    mc_disk_rewind(&rec->disk);
    mc_kvstore_free(&copy);
    return status;
}

void mc_base_free(mc_base *base)
{
    mc_disk_free(&base->disk);
    mc_kvstore_free(&base->store);
    mc_arena_free(&base->arena);
    *base = (mc_base){0};
}

static bool copy_witness(mc_arena *arena, mc_witness *target, const mc_witness *source)
{
    size_t bytes = source->page_hash == NULL ? 0 : source->page_count * sizeof *source->page_hash;
    uint64_t *hash = mc_arena_alloc(arena, bytes);
    *target = *source;
    if (hash != NULL && bytes > 0) {
        memcpy(hash, source->page_hash, bytes);
        target->page_hash = hash;
    }
    return hash != NULL;
}

static bool copy_store(mc_arena *arena, mc_kvstore *target, const mc_kvstore *source)
{
    bool ok = mc_kvstore_copy(target, source);
    for (size_t i = 0; ok && i < target->count; i++) {
        mc_kv_entry *entry = &target->entry[i];
        uint8_t *value = mc_arena_alloc(arena, entry->value_size);
        ok = value != NULL;
        if (ok) {
            memcpy(value, entry->value, entry->value_size);
            entry->value = value;
        }
    }
    return ok;
}

/* The setup is over: keeps its result in the caller's base. */
static mc_status keep_base(recorder *rec, mc_error *error)
{
    mc_base *base = rec->options.base;
    mc_base_free(base);
    base->arena.limit_bytes = MC_TRACE_ARENA_BYTES;
    bool ok = mc_disk_copy(&base->disk, &rec->disk) &&
              copy_store(&base->arena, &base->store, &rec->store);
    for (uint32_t i = 0; ok && i < rec->trace->database_count; i++) {
        ok = copy_witness(&base->arena, &base->witness[i], &rec->trace->witness[i]);
    }
    base->made = ok;
    return ok ? MC_OK : fail_memory(error, rec);
}

/* And takes it from there. */
static mc_status take_base(recorder *rec, mc_error *error)
{
    const mc_base *base = rec->options.base;
    mc_trace *trace = rec->trace;
    trace->witness = mc_arena_calloc(&trace->arena, trace->database_count, sizeof *trace->witness);
    bool ok = trace->witness != NULL && mc_disk_copy(&rec->disk, &base->disk) &&
              copy_store(&trace->arena, &rec->store, &base->store);
    for (uint32_t i = 0; ok && i < trace->database_count; i++) {
        ok = copy_witness(&trace->arena, &trace->witness[i], &base->witness[i]);
    }
    return ok ? MC_OK : fail_memory(error, rec);
}

/* The base that is kept, with the slots that the program's files got since. */
static bool copy_base(const recorder *rec, const mc_disk *slots, mc_disk *out)
{
    bool ok = mc_disk_copy(out, &rec->options.base->disk);
    for (uint32_t i = out->file_count; ok && i < slots->file_count; i++) {
        ok = mc_disk_slot(out, slots->file[i].name) == i;
    }
    return ok;
}

/* Plays the trace onto `disk`, which holds its base, and compares with what the live files were. */
static mc_status prove_files(const recorder *rec, mc_disk *disk, mc_hash128 live, mc_error *error)
{
    mc_diskid id = {0};
    mc_status status = MC_OK;
    for (size_t i = 0; status == MC_OK && i < rec->trace->op_count; i++) {
        status = mc_trace_apply(disk, &rec->trace->op[i], UINT32_MAX, error);
    }
    if (status == MC_OK && !mc_diskid_init(&id, disk)) {
        status = fail_memory(error, rec);
    }
    if (status == MC_OK && !mc_hash128_equal(id.id, live)) {
        status = mc_fail(error, MC_IO, "trace-incomplete",
                         "%s: the trace does not lead from its base to the live files",
                         rec->options.workload);
    }
    mc_diskid_free(&id);
    return status;
}

/* The live files are in `live`; makes them the trace's base again, and proves the trace. */
static mc_status rewind_files(recorder *rec, mc_hash128 live, mc_error *error)
{
    mc_disk_rewind(&rec->disk);
    rec->trace->base = rec->disk;
    rec->disk = (mc_disk){0};
    mc_disk_begin(&rec->trace->base);
    mc_status status = prove_files(rec, &rec->trace->base, live, error);
    mc_disk_rewind(&rec->trace->base);
    return status;
}

static mc_status copy_files(recorder *rec, mc_hash128 live, mc_error *error)
{
    mc_disk proof = {0};
    bool ok = copy_base(rec, &rec->disk, &rec->trace->base) && copy_base(rec, &rec->disk, &proof);
    mc_status status = ok ? prove_files(rec, &proof, live, error) : fail_memory(error, rec);
    mc_disk_free(&proof);
    return status;
}

/* Runs the program on the files themselves with the disk's undo log on, so that a large database is
 * never held twice: what is left after the rewind is the base. A base that is kept is small, and
 * copying it costs less than a log. */
static mc_status run_on_files(recorder *rec, mc_error *error)
{
    mc_trace *trace = rec->trace;
    mc_diskid id = {0};
    bool kept = rec->options.base != NULL;
    if (!kept) {
        mc_disk_begin(&rec->disk);
    }
    mc_status status = open_vfs(rec, NULL, trace, error);
    if (status == MC_OK) {
        status = mc_runner_open(&rec->runner, error);
    }
    if (status == MC_OK) {
        status = run_scripts(rec, &rec->program.program, error);
    }
    if (status == MC_OK && !mc_diskid_init(&id, &rec->disk)) {
        status = fail_memory(error, rec);
    }
    mc_hash128 live = id.id;
    mc_diskid_free(&id);
    size_t op_count = trace->op_count;
    close_vfs(rec);
    trace->op_count = op_count;
    if (status != MC_OK) {
        if (!kept) {
            mc_disk_rewind(&rec->disk);
        }
        return status;
    }
    return kept ? copy_files(rec, live, error) : rewind_files(rec, live, error);
}

static mc_status prove_store(recorder *rec, mc_error *error)
{
    mc_kvstore copy = {0};
    if (!mc_kvstore_copy(&copy, &rec->trace->base_kv)) {
        return fail_memory(error, rec);
    }
    mc_status status = MC_OK;
    for (size_t i = 0; status == MC_OK && i < rec->trace->op_count; i++) {
        const mc_op *op = &rec->trace->op[i];
        if (op->kind == MC_OP_KV_PUT || op->kind == MC_OP_KV_DELETE ||
            op->kind == MC_OP_KV_DELETE_RANGE) {
            status = mc_kvstore_apply(&copy, op->kind, op->data, op->size, op->offset, error);
        }
    }
    if (status == MC_OK &&
        !mc_hash128_equal(mc_kvstore_hash(&copy), mc_kvstore_hash(&rec->store))) {
        status = mc_fail(error, MC_IO, "trace-incomplete",
                         "%s: the trace does not lead from its base to the live pairs",
                         rec->options.workload);
    }
    mc_kvstore_free(&copy);
    return status;
}

/* A program may change the journal mode. On the v1 store WAL is outside what actors did and what
 * snapshots are derived from, so it is an error that says so. */
static mc_status refuse_wal(const recorder *rec, mc_error *error)
{
    uint8_t wal[1 + MC_V1_METADATA_KEY_BYTES] = {MC_V1_METADATA_KEY_BYTES};
    mc_v1_metadata_key(wal + 1, MC_V1_WAL);
    for (size_t i = 0; i < rec->trace->op_count; i++) {
        const mc_op *op = &rec->trace->op[i];
        if (op->kind == MC_OP_KV_PUT && op->size >= sizeof wal &&
            memcmp(op->data, wal, sizeof wal) == 0) {
            return mc_fail(error, MC_USAGE, "kv-wal",
                           "%s: it uses WAL mode, which v1 actors never did; leave kv out of"
                           " --crash",
                           rec->options.workload);
        }
    }
    return MC_OK;
}

static mc_status run_on_store(recorder *rec, mc_error *error)
{
    mc_trace *trace = rec->trace;
    if (!mc_kvstore_copy(&trace->base_kv, &rec->store)) {
        return fail_memory(error, rec);
    }
    mc_status status = open_vfs(rec, &rec->store, trace, error);
    if (status == MC_OK) {
        status = mc_runner_open(&rec->runner, error);
    }
    if (status == MC_OK) {
        status = run_scripts(rec, &rec->program.program, error);
    }
    if (status == MC_OK) {
        status = prove_store(rec, error);
    }
    status = status == MC_OK ? refuse_wal(rec, error) : status;
    size_t op_count = trace->op_count;
    close_vfs(rec);
    trace->op_count = op_count;
    return status;
}

static mc_status run_program(recorder *rec, mc_error *error)
{
    write_settings(rec, mc_mode_names[rec->options.mode], mc_sync_names[rec->options.sync]);
    return rec->options.kv ? run_on_store(rec, error) : run_on_files(rec, error);
}

static mc_status record_all(recorder *rec, mc_error *error)
{
    mc_trace *trace = rec->trace;
    mc_status status = MC_OK;
    if (rec->options.program != NULL) {
        rec->program = *rec->options.program;
    } else {
        status = mc_program_make(&rec->program, &rec->options, error);
    }
    if (status != MC_OK) {
        return status;
    }
    trace->is_kv = rec->options.kv;
    trace->kv_build = rec->options.kv_build;
    trace->database[0] = "main.db";
    trace->database[1] = rec->program.attach ? "aux.db" : NULL;
    trace->database_count = rec->program.attach ? 2 : 1;
    if (rec->options.base != NULL && rec->options.base->made) {
        status = take_base(rec, error);
    } else {
        status = run_setup(rec, error);
        trace->steps = rec->runner.steps;
        status = status == MC_OK ? witness_base(rec, error) : status;
        if (status == MC_OK && rec->options.base != NULL) {
            status = keep_base(rec, error);
        }
    }
    status = status == MC_OK ? run_program(rec, error) : status;
    trace->steps += rec->runner.steps;
    return status;
}

mc_status mc_record(const mc_record_options *options, mc_trace *trace, mc_error *error)
{
    assert(trace->op_count == 0 && trace->witness == NULL);
    mc_status status = check_options(options, error);
    if (status != MC_OK) {
        return status;
    }
    trace->arena.limit_bytes = MC_TRACE_ARENA_BYTES;
    recorder *rec = calloc(1, sizeof *rec);
    if (rec == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "no memory to record");
    }
    rec->options = *options;
    rec->trace = trace;
    rec->arena.limit_bytes = MC_TRACE_ARENA_BYTES;
    rec->program.arena = &rec->arena;
    status = record_all(rec, error);
    mc_disk_free(&rec->disk);
    mc_kvstore_free(&rec->store);
    mc_arena_free(&rec->arena);
    free(rec);
    if (status != MC_OK) {
        mc_trace_free(trace);
    }
    return status;
}
