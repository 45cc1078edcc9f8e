#include "harness/judge/again.h"

#include "crashsim/memvfs.h"
#include "harness/judge/againwork.h"
#include "harness/judge/settle.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "again: out of memory");
}

/* How an application comes back. Its journal mode does not matter: SQLite reads the schema, and so
 * recovers, before it looks at that pragma. A hot journal is deleted, by an exclusive connection
 * its header is zeroed (pager.c pager_end_transaction). */
static const struct way {
    const char *name; /* in the names of states */
    const char *settings;
    bool journals; /* makes a difference for journals alone */
} ways[] = {
    {"", "", false},
    {"exclusive:", "PRAGMA locking_mode=EXCLUSIVE; ", true},
};

/* ---- states ---- */

/* Names a state: equal for equal files. */
static mc_hash128 id_of(const mc_disk *disk)
{
    XXH128_hash_t id = {0, 0};
    for (uint32_t i = 0; i < disk->file_count; i++) {
        const mc_disk_file *file = &disk->file[i];
        if (file->exists) {
            uint64_t facts[] = {id.low64, id.high64, i, file->size};
            id = XXH3_128bits(facts, sizeof facts);
            id = XXH3_128bits_withSeed(file->data, (size_t)file->size, id.low64 ^ id.high64);
        }
    }
    return (mc_hash128){id.low64, id.high64};
}

/* The same files under the same names; new names get new numbers. */
static bool copy_files(mc_disk *target, const mc_disk *source)
{
    mc_disk_clear(target);
    for (uint32_t i = 0; i < source->file_count; i++) {
        const mc_disk_file *file = &source->file[i];
        uint16_t number = mc_disk_slot(target, file->name);
        if (number == MC_DISK_NONE ||
            (file->exists && !(mc_disk_create(target, number) &&
                               mc_disk_write(target, number, 0, file->data, (size_t)file->size)))) {
            return false;
        }
    }
    return true;
}

/* Exchanges the judging's disk and the spare one, so that whatever works on the judging's works on
 * the state, and its own comes back untouched. */
static void exchange_disks(mc_again *a)
{
    mc_disk disk = a->j->trace.base;
    a->j->trace.base = a->disk;
    a->disk = disk;
}

/* ---- what is made of a state ---- */

bool mc_again_converged(const mc_again *a, const mc_outcome *made)
{
    return made->kind == a->expected.kind && made->content_class == a->expected.content_class;
}

static mc_status tell(mc_again *a, const char *what, const mc_outcome *made, bool recovers,
                      const mpz_t states, mc_error *error)
{
    char again[MC_AGAIN_WHERE_MAX + 20];
    char state[MC_STATE_AGAIN_MAX];
    if (a->options.found == NULL) {
        return MC_OK;
    }
    mc_crash crash = *a->first;
    (void)snprintf(again, sizeof again, "%s%s", ways[a->way].name, a->where);
    crash.again = again;
    crash.op = a->point < a->recovery.op_count ? &a->recovery.op[a->point] : NULL;
    mc_judging_state_id(a->j, &crash, state, sizeof state);
    mc_again_found found = {.what = what,
                            .crash = &crash,
                            .state = state,
                            .made = made,
                            .recovers = recovers,
                            .states = (const mpz_t *)states,
                            .recovery = &a->recovery};
    return a->options.found(a->options.context, &found, error);
}

mc_status mc_again_diverged(mc_again *a, const mc_outcome *made, const mpz_t states,
                            mc_error *error)
{
    const char *what = made->kind == MC_OUTCOME_SNAPSHOT  ? "another snapshot"
                       : made->kind == MC_OUTCOME_REFUSED ? "refused"
                                                          : "no snapshot";
    mpz_add(a->counts.diverged, a->counts.diverged, states);
    return tell(a, what, made, made->kind == MC_OUTCOME_SNAPSHOT, states, error);
}

/* Is recover's answer SQLite's? Of what is no snapshot it is only said that it is none. */
static mc_status meet_recover(mc_again *a, const mc_outcome *made, mc_error *error)
{
    mc_outcome own;
    if (a->recover == MC_IMPORTERS_MAX) {
        return MC_OK;
    }
    mc_status status = mc_judging_outcome(a->j, a->recover, &own, error);
    bool agrees = own.kind == made->kind &&
                  (own.kind != MC_OUTCOME_SNAPSHOT || own.content_class == made->content_class);
    if (status != MC_OK || agrees) {
        return status;
    }
    mpz_t one;
    mpz_init_set_ui(one, 1);
    a->counts.disagreed++;
    status = tell(a, "recover differs", &own, made->kind == MC_OUTCOME_SNAPSHOT, one, error);
    mpz_clear(one);
    return status;
}

mc_status mc_again_ask(mc_again *a, mc_reads *reads, mc_end *end, mc_arena *ends, mc_outcome *made,
                       mc_error *error)
{
    mc_hash128 id = id_of(&a->j->trace.base);
    uint32_t index;
    bool seen = mc_idmap_get(&a->seen, id, &index);
    if (seen && reads == NULL) {
        *made = a->made[index];
        return MC_OK;
    }
    mc_status status = mc_settle(a->j, a->control, reads, ends, end, made, error);
    if (seen || status != MC_OK) {
        return status;
    }
    if (a->made_count == a->made_capacity) {
        uint32_t capacity = a->made_capacity == 0 ? 256 : a->made_capacity * 2;
        mc_outcome *more = realloc(a->made, capacity * sizeof *more);
        if (more == NULL) {
            return no_memory(error);
        }
        a->made = more;
        a->made_capacity = capacity;
    }
    a->made[a->made_count] = *made;
    a->counts.visited++;
    return mc_idmap_put(&a->seen, id, a->made_count++) ? meet_recover(a, made, error)
                                                       : no_memory(error);
}

/* ---- the recovery ---- */

/* Settings, a read, and at last a close, which checkpoints. */
static int reopen(const mc_judging *j, uint32_t way, const char *database, const char *vfs)
{
    sqlite3 *db = NULL;
    char sql[120];
    (void)snprintf(sql, sizeof sql, "%sPRAGMA synchronous=%s; PRAGMA schema_version",
                   ways[way].settings, mc_sync_names[j->options->record->sync]);
    int code = sqlite3_open_v2(database, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs);
    code = code == SQLITE_OK ? sqlite3_exec(db, sql, NULL, NULL, NULL) : code;
    int closed = sqlite3_close(db);
    return code == SQLITE_OK ? closed : code;
}

/* What an application does that comes back that way to `disk`, which stays as it is but for new
 * names. */
static mc_status record(const mc_judging *j, mc_disk *disk, uint32_t way, mc_trace *recovery,
                        mc_error *error)
{
    recovery->op_count = 0;
    mc_memvfs_options options = {.disk = disk, .trace = recovery};
    mc_memvfs *vfs = mc_memvfs_open(&options);
    if (vfs == NULL) {
        return no_memory(error);
    }
    int code = SQLITE_OK;
    mc_disk_begin(disk);
    for (uint32_t d = 0; d < recovery->database_count && code == SQLITE_OK; d++) {
        code = reopen(j, way, recovery->database[d], mc_memvfs_name(vfs));
    }
    mc_disk_rewind(disk);
    mc_memvfs_close(vfs);
    /* Now, since it made names. */
    if (code == SQLITE_NOMEM || !copy_files(&recovery->base, disk)) {
        return no_memory(error);
    }
    if (code != SQLITE_OK) {
        return mc_fail(error, MC_IO, "recovery", "a state that SQLite recovers: opened again: %s",
                       sqlite3_errstr(code));
    }
    if (j->options->plant != NULL) {
        j->options->plant(recovery);
    }
    return MC_OK;
}

static void begin_recovery(const mc_judging *j, mc_trace *recovery)
{
    recovery->database_count = j->trace.database_count;
    memcpy(recovery->database, j->trace.database, sizeof recovery->database);
}

static bool has_journal(const mc_trace *trace, const mc_disk *disk)
{
    bool has = false;
    for (uint32_t d = 0; d < trace->database_count; d++) {
        mc_files files;
        mc_disk_files(disk, trace->database[d], &files);
        has = has || files.journal.size > 0;
    }
    return has;
}

/* The longest name of a way that `again` begins with: the first has none. */
static uint32_t way_of(const char *again)
{
    uint32_t way = 0;
    for (uint32_t i = 1; i < sizeof ways / sizeof *ways; i++) {
        way = strncmp(again, ways[i].name, strlen(ways[i].name)) == 0 ? i : way;
    }
    return way;
}

mc_status mc_again_record(mc_judging *j, const mc_disk *state, const char *again,
                          mc_trace *recovery, const char **place, mc_error *error)
{
    uint32_t way = way_of(again);
    *place = again + strlen(ways[way].name);
    begin_recovery(j, recovery);
    if (ways[way].journals && !has_journal(&j->trace, state)) {
        return mc_fail(error, MC_USAGE, "no-such-state",
                       "explain: \"%.40s\": no journal is there that makes a difference", again);
    }
    mc_disk disk = {0};
    mc_status status =
        copy_files(&disk, state) ? record(j, &disk, way, recovery, error) : no_memory(error);
    mc_disk_free(&disk);
    return status;
}

/* ---- kill ---- */

static mc_status visit(void *context, const mc_crash *crash, mc_error *error)
{
    mc_again *a = context;
    mc_outcome made;
    a->point = crash->point;
    int n = snprintf(a->where, sizeof a->where, "%zu", crash->point);
    if (crash->cut > 0) {
        (void)snprintf(a->where + n, sizeof a->where - (size_t)n, "+%u", crash->cut);
    }
    mc_status status = mc_again_ask(a, NULL, NULL, NULL, &made, error);
    mpz_add_ui(a->counts.total, a->counts.total, 1);
    if (status != MC_OK || mc_again_converged(a, &made)) {
        return status;
    }
    mpz_t one;
    mpz_init_set_ui(one, 1);
    status = mc_again_diverged(a, &made, one, error);
    mpz_clear(one);
    return status;
}

static mc_status kill_recovery(mc_again *a, mc_error *error)
{
    mc_explored explored;
    mc_visitor visitor = {.context = a, .state = visit};
    mc_status status = mc_kill_explore(&a->recovery, &a->j->trace.base, a->options.budget, &visitor,
                                       &explored, error);
    if (status == MC_OK) {
        a->counts.points += explored.points;
        mpz_add_ui(a->counts.total, a->counts.total, explored.skipped);
        mpz_add_ui(a->counts.unresolved, a->counts.unresolved, explored.skipped);
    }
    return status;
}

/* ---- all of it ---- */

/* The judging's disk shows the first state; not any more when this returns. */
static mc_status judge_recovery(mc_again *a, mc_error *error)
{
    if (a->recovery.arena.used_bytes > MC_AGAIN_KEPT_BYTES) {
        mc_arena_reset(&a->recovery.arena);
        mc_again_power_forget(a->power);
    }
    mc_status status = record(a->j, &a->j->trace.base, a->way, &a->recovery, error);
    if (status != MC_OK) {
        return status;
    }
    a->counts.recoveries++;
    a->counts.elements += a->recovery.op_count;
    return a->power != NULL ? mc_again_power_judge(a->power, error) : kill_recovery(a, error);
}

/* Was this state given before, and the same expected of it? */
static mc_status is_repeated(mc_again *a, bool *repeated, mc_error *error)
{
    uint32_t ignored;
    mc_hash128 id = id_of(&a->j->trace.base);
    id.high ^= (a->expected.content_class + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15);
    *repeated = mc_idmap_get(&a->witness, id, &ignored);
    return *repeated || mc_idmap_put(&a->witness, id, 0) ? MC_OK : no_memory(error);
}

mc_status mc_again_judge(mc_again *a, const mc_disk *state, const mc_crash *crash,
                         const mc_outcome *control, mc_error *error)
{
    mc_judging *j = a->j;
    bool single = j->single;
    bool repeated = false;
    assert(!j->trace.is_kv && !state->logging && j->handover.mistake == NULL);
    a->counts.witnesses++;
    if (control->kind != MC_OUTCOME_SNAPSHOT) {
        a->counts.unasked++;
        return MC_OK;
    }
    a->expected = *control;
    a->first = crash;
    if (!copy_files(&a->disk, state)) {
        return no_memory(error);
    }
    exchange_disks(a);
    j->single = true;
    mc_status status = is_repeated(a, &repeated, error);
    a->counts.repeated += repeated;
    bool journal = has_journal(&a->recovery, &j->trace.base);
    for (a->way = 0; status == MC_OK && !repeated && a->way < sizeof ways / sizeof *ways;
         a->way++) {
        if (a->way > 0 && !copy_files(&j->trace.base, &a->recovery.base)) {
            status = no_memory(error);
        } else if (journal || !ways[a->way].journals) {
            status = judge_recovery(a, error);
        }
    }
    j->single = single;
    exchange_disks(a);
    return status;
}

mc_again *mc_again_open(mc_judging *j, const mc_again_options *options)
{
    mc_again *a = calloc(1, sizeof *a);
    if (a == NULL) {
        return NULL;
    }
    a->j = j;
    a->options = *options;
    mc_again_counts_init(&a->counts);
    begin_recovery(j, &a->recovery);
    a->recover = MC_IMPORTERS_MAX;
    for (uint32_t i = 0; i < j->importers->count && a->recover == MC_IMPORTERS_MAX; i++) {
        a->recover = j->importers->chosen[i].kind == MC_IMPORTER_RECOVER ? i : a->recover;
    }
    a->control = mc_control_open(&j->trace, &j->trace.base, false);
    a->power = options->power != NULL ? mc_again_power_open(a) : NULL;
    if (!copy_files(&a->disk, &j->trace.base) || a->control == NULL ||
        (options->power != NULL && a->power == NULL)) {
        mc_again_close(a);
        return NULL;
    }
    return a;
}

void mc_again_close(mc_again *a)
{
    if (a == NULL) {
        return;
    }
    mc_control_close(a->control);
    mc_again_power_close(a->power);
    mc_disk_free(&a->disk);
    mc_trace_free(&a->recovery);
    mc_idmap_free(&a->witness);
    mc_idmap_free(&a->seen);
    free(a->made);
    mc_again_counts_clear(&a->counts);
    free(a);
}

const mc_again_counts *mc_again_counted(const mc_again *a)
{
    return &a->counts;
}
