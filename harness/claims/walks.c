/* walks.c: claims that are looked at state by state, where a process is killed. */
#include "harness/claims/claiming.h"

#include "core/journal.h"
#include "core/wal.h"
#include "crashsim/stock.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODE(m) (1u << MC_MODE_##m)
#define WITH_JOURNAL (MODE(DELETE) | MODE(TRUNCATE) | MODE(PERSIST))
#define FULL (1u << MC_SYNC_FULL)

/* A walk with what its states are asked. */
typedef struct asking {
    mc_claim_walk w; /* first: the states' context */
    mc_arena arena;
    uint64_t asked;
    uint64_t came;
    uint64_t other;
    mc_status (*state)(void *asking, const mc_crash *crash, mc_error *error);
    size_t *ending; /* by commit: the operation that ends its journal */
    char first[MC_STATE_AGAIN_MAX];
} asking;

typedef struct asked {
    mc_status (*state)(void *asking, const mc_crash *crash, mc_error *error);
    mc_status (*begin)(asking *a, mc_error *error); /* or null */
    uint64_t asked;
    uint64_t came;
    uint64_t other;
    char first[MC_STATE_AGAIN_MAX]; /* a state in which it came */
} asked;

/* What a plant does to a state, and takes back. */
static void flip(const asking *a)
{
    const mc_claim_plant *plant = a->w.test->options->plant;
    const mc_judging *j = &a->w.j;
    mc_disk_file *main = &j->trace.base.file[j->main_slot[0]];
    if (plant != NULL && plant->flip > 0 && main->exists && plant->flip < main->size) {
        main->data[plant->flip] ^= 0xff;
    }
}

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "claims: out of memory");
}

static mc_status ask_state(void *context, const mc_crash *crash, mc_error *error)
{
    asking *a = context;
    flip(a);
    mc_status status = a->state(a, crash, error);
    flip(a);
    return status;
}

static mc_status ask_cell(mc_claim_test *t, const mc_claim_rule *r, const mc_claim_cell *cell,
                          void *context, mc_error *error)
{
    asked *sum = context;
    asking *a = calloc(1, sizeof *a);
    if (a == NULL) {
        return no_memory(error);
    }
    a->arena.limit_bytes = 256 << 20;
    a->state = sum->state;
    mc_status status = mc_claim_open(&a->w, t, r, cell, "recover,sqlite", error);
    if (status == MC_OK) {
        status = sum->begin != NULL ? sum->begin(a, error) : MC_OK;
        status = status == MC_OK ? mc_claim_kill(&a->w, ask_state, error) : status;
        mc_claim_close(&a->w);
    }
    sum->asked += a->asked;
    sum->came += a->came;
    sum->other += a->other;
    if (sum->first[0] == '\0') {
        memcpy(sum->first, a->first, sizeof sum->first);
    }
    mc_arena_free(&a->arena);
    free(a->ending);
    free(a);
    return status;
}

static void came_here(asking *a, const mc_crash *crash)
{
    if (a->came++ == 0) {
        mc_judging_state_id(&a->w.j, crash, a->first, sizeof a->first);
    }
}

static mc_status read_journal(asking *a, mc_journal *out, mc_error *error)
{
    mc_files files;
    mc_disk_files(&a->w.j.trace.base, a->w.j.trace.database[0], &files);
    mc_arena_reset(&a->arena);
    return mc_journal_read(&files, &a->arena, out, error);
}

/* ---- a rollback restores exactly ---- */

/* Is main, as it lies on the disk, that snapshot byte for byte, wherever content counts? */
static mc_status is_exact(asking *a, uint32_t snapshot, bool *exact, mc_error *error)
{
    mc_judging *j = &a->w.j;
    const mc_disk_file *main = &j->trace.base.file[j->main_slot[0]];
    mc_image image;
    mc_arena_reset(&a->arena);
    mc_status status = mc_history_image(&j->history, snapshot, 0, &a->arena, &image, error);
    uint32_t page_size = j->history.page_size;
    *exact =
        status == MC_OK && main->exists && main->size == (uint64_t)image.page_count * page_size;
    for (uint32_t p = 1; *exact && p <= image.page_count; p++) {
        *exact =
            mc_history_page(&j->history, snapshot, 0, p) == MC_ANY ||
            memcmp(image.page[p - 1], main->data + (size_t)(p - 1) * page_size, page_size) == 0;
    }
    return status;
}

static mc_status ask_exact(void *context, const mc_crash *crash, mc_error *error)
{
    asking *a = context;
    mc_journal journal;
    mc_control_answer answer;
    mc_status status = read_journal(a, &journal, error);
    if (status != MC_OK || !journal.hot || !journal.resizes) {
        return status;
    }
    bool exact = false;
    a->asked++;
    mc_control_recover(a->w.j.control, &answer);
    status = answer.recovered ? is_exact(a, crash->acked, &exact, error) : MC_OK;
    mc_control_undo(a->w.j.control);
    if (status == MC_OK && !exact) {
        came_here(a, crash);
        mc_claim_refute_here(&a->w, crash);
    }
    return status;
}

mc_status mc_claim_exactly(mc_claim_test *t, mc_error *error)
{
    static const mc_claim_rule rule = {"hot journals played back by SQLite",
                                       "inplace,spill,shrink,freed,rollback,overflow",
                                       WITH_JOURNAL,
                                       FULL,
                                       "kill",
                                       .txns = 2};
    asked sum = {.state = ask_exact};
    mc_claim_model(t, "kill");
    mc_status status = mc_claim_each(t, &rule, ask_cell, &sum, error);
    mc_claim_note(t, "%s: %lu; main was not byte for byte what it was before in %lu", rule.label,
                  (unsigned long)sum.asked, (unsigned long)sum.came);
    t->tested = sum.asked > 0;
    return status;
}

/* What SQLite reads under that name on the disk, as an outcome. */
static mc_status outcome_of(asking *a, mc_disk *disk, const char *name, mc_outcome *out,
                            mc_error *error)
{
    mc_judging *j = &a->w.j;
    mc_stock stock;
    if (!mc_stock_ask_disk(disk, name, MC_STOCK_LIMIT_BYTES, &stock)) {
        return no_memory(error);
    }
    *out = (mc_outcome){.kind = MC_OUTCOME_REFUSED, .reason = "sqlite"};
    mc_status status = MC_OK;
    uint32_t page_size = j->history.page_size;
    if (stock.code == SQLITE_OK && stock.image_size % page_size == 0) {
        uint32_t pages = (uint32_t)(stock.image_size / page_size);
        mc_arena_reset(&a->arena);
        const uint8_t **page = mc_arena_calloc(&a->arena, pages, sizeof *page);
        for (uint32_t p = 0; page != NULL && p < pages; p++) {
            page[p] = stock.image + (size_t)p * page_size;
        }
        j->given[0] = (mc_image){pages == 0 ? 0 : page_size, pages, page};
        status = page == NULL ? no_memory(error) : mc_judging_given(j, out, error);
    }
    mc_stock_free(&stock);
    return status;
}

/* ---- a commit takes effect at once ---- */

static bool is_zeros(const mc_op *op)
{
    bool zeros = true;
    for (uint32_t i = 0; zeros && i < op->size; i++) {
        zeros = op->data[i] == 0;
    }
    return zeros;
}

/* The operation that deletes, cuts or zeroes the journal, the last such of each commit. */
static mc_status find_endings(asking *a, mc_error *error)
{
    const mc_trace *trace = &a->w.j.trace;
    a->ending = calloc(trace->commit_count + 2, sizeof *a->ending);
    if (a->ending == NULL) {
        return no_memory(error);
    }
    size_t last = SIZE_MAX;
    for (size_t i = 0; i < trace->op_count; i++) {
        const mc_op *op = &trace->op[i];
        if (op->kind == MC_OP_ACKED) {
            a->ending[op->offset] = last;
            last = SIZE_MAX;
        } else if (op->file != MC_DISK_NONE &&
                   strcmp(mc_file_role(trace, op->file), "journal") == 0 &&
                   (op->kind == MC_OP_DELETE || (op->kind == MC_OP_TRUNCATE && op->offset == 0) ||
                    (op->kind == MC_OP_WRITE && op->offset == 0 && is_zeros(op)))) {
            last = i;
        }
    }
    return MC_OK;
}

static mc_status ask_effect(void *context, const mc_crash *crash, mc_error *error)
{
    asking *a = context;
    mc_outcome outcome;
    if (crash->begun == crash->acked || a->ending[crash->begun] == SIZE_MAX) {
        return MC_OK;
    }
    const uint32_t *classes = a->w.j.content.classes;
    bool after = crash->point > a->ending[crash->begun];
    mc_status status = outcome_of(a, &a->w.j.trace.base, "main.db", &outcome, error);
    a->asked++;
    a->other += after;
    if (status == MC_OK &&
        (outcome.kind != MC_OUTCOME_SNAPSHOT ||
         outcome.content_class != classes[after ? crash->begun : crash->acked])) {
        came_here(a, crash);
        mc_claim_refute_here(&a->w, crash);
    }
    return status;
}

mc_status mc_claim_effect(mc_claim_test *t, mc_error *error)
{
    static const mc_claim_rule rule = {
        "within commits", "inplace,spill,shrink,overflow", WITH_JOURNAL, FULL, "kill", .txns = 3};
    asked sum = {.state = ask_effect, .begin = find_endings};
    mc_claim_model(t, "kill");
    mc_status status = mc_claim_each(t, &rule, ask_cell, &sum, error);
    mc_claim_note(t,
                  "%s: %lu states, %lu of them after that operation; old before it and new after it"
                  " but in %lu",
                  rule.label, (unsigned long)sum.asked, (unsigned long)sum.other,
                  (unsigned long)sum.came);
    t->tested = sum.asked > sum.other && sum.other > 0;
    return status;
}

/* ---- another name ---- */

static bool is_clean(const asking *a, const mc_crash *crash, const mc_outcome *outcome)
{
    mc_verdict verdict = mc_verdict_of(outcome, a->w.j.content.classes, crash->acked, crash->begun,
                                       a->w.j.content.empty_class, true);
    return verdict.kind == MC_CLEAN;
}

static mc_status ask_renamed(void *context, const mc_crash *crash, mc_error *error)
{
    asking *a = context;
    mc_judging *j = &a->w.j;
    const mc_disk_file *main = &j->trace.base.file[j->main_slot[0]];
    mc_disk disk = {0};
    mc_outcome outcome;
    mc_outcome under_own;
    if (!main->exists) {
        return MC_OK;
    }
    uint16_t slot = MC_DISK_NONE;
    bool ok = mc_disk_copy(&disk, &j->trace.base) &&
              (slot = mc_disk_slot(&disk, "link.db")) != MC_DISK_NONE &&
              mc_disk_create(&disk, slot) &&
              (main->size == 0 || mc_disk_write(&disk, slot, 0, main->data, main->size));
    mc_status status = ok ? outcome_of(a, &disk, "link.db", &outcome, error) : no_memory(error);
    status = status == MC_OK ? outcome_of(a, &disk, "main.db", &under_own, error) : status;
    mc_disk_free(&disk);
    if (status != MC_OK) {
        return status;
    }
    a->asked++;
    a->other += !is_clean(a, crash, &under_own);
    if (!is_clean(a, crash, &outcome)) {
        came_here(a, crash);
    }
    return MC_OK;
}

mc_status mc_claim_renamed(mc_claim_test *t, mc_error *error)
{
    static const mc_claim_rule rule = {"opened as link.db",
                                       "inplace,spill,checkpoint",
                                       WITH_JOURNAL | MODE(WAL),
                                       FULL,
                                       "kill",
                                       .txns = 1};
    asked sum = {.state = ask_renamed};
    char command[MC_STATE_AGAIN_MAX + 100];
    mc_claim_model(t, "kill");
    mc_status status = mc_claim_each(t, &rule, ask_cell, &sum, error);
    mc_claim_note(
        t, "%s: %lu of %lu states are stale, torn or unreadable; under their own name %lu",
        rule.label, (unsigned long)sum.came, (unsigned long)sum.asked, (unsigned long)sum.other);
    t->tested = sum.asked > 0;
    mc_claim_command(t, &rule, sum.first, command, sizeof command);
    mc_claim_example(t, sum.first, command);
    if (sum.came == 0 || sum.other > 0) {
        mc_claim_refute(t, NULL, NULL);
    }
    return status;
}

/* ---- a damaged WAL index ---- */

static bool put_file(const char *folder, const char *name, const void *data, size_t size)
{
    char path[300];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    bool ok = file != NULL && (size == 0 || fwrite(data, 1, size, file) == size);
    return file != NULL && fclose(file) == 0 && ok;
}

static void remove_folder(const char *folder)
{
    static const char *const names[] = {"main.db", "main.db-wal", "main.db-shm", "main.db-journal"};
    char path[300];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

/* What SQLite's own VFS reads from real files beside an index of garbage: the same as without. */
static mc_status ask_shm(void *context, const mc_crash *crash, mc_error *error)
{
    enum { INDEX_BYTES = 32768, EVERY = 7 };
    asking *a = context;
    mc_files files;
    mc_stock real;
    mc_stock model;
    char folder[200];
    char path[300];
    static uint8_t garbage[INDEX_BYTES];
    mc_disk_files(&a->w.j.trace.base, "main.db", &files);
    if (!files.main.exists || files.wal.size == 0 || crash->point % EVERY != 0) {
        return MC_OK;
    }
    for (uint32_t i = 0; i < INDEX_BYTES; i++) {
        garbage[i] = (uint8_t)((i * 2654435761u + (uint32_t)crash->point) >> 11);
    }
    const char *top = getenv("TMPDIR");
    (void)snprintf(folder, sizeof folder, "%.150s/midcommit-claim-XXXXXX",
                   top != NULL ? top : P_tmpdir);
    if (mkdtemp(folder) == NULL) {
        return mc_fail(error, MC_IO, "folder", "claim 30: cannot make a folder in TMPDIR");
    }
    bool ok = put_file(folder, "main.db", files.main.data, (size_t)files.main.size) &&
              put_file(folder, "main.db-wal", files.wal.data, (size_t)files.wal.size) &&
              put_file(folder, "main.db-shm", garbage, INDEX_BYTES);
    (void)snprintf(path, sizeof path, "%s/main.db", folder);
    mc_stock_ask(path, "unix", MC_STOCK_LIMIT_BYTES, &real);
    remove_folder(folder);
    bool done =
        ok && mc_stock_ask_disk(&a->w.j.trace.base, "main.db", MC_STOCK_LIMIT_BYTES, &model);
    if (!done) {
        mc_stock_free(&real);
        return mc_fail(error, MC_IO, "folder", "claim 30: cannot write to a folder in TMPDIR");
    }
    a->asked++;
    if (real.code != model.code || real.image_size != model.image_size ||
        (real.image_size > 0 && memcmp(real.image, model.image, (size_t)real.image_size) != 0)) {
        came_here(a, crash);
        mc_claim_refute_here(&a->w, crash);
    }
    mc_stock_free(&real);
    mc_stock_free(&model);
    return MC_OK;
}

mc_status mc_claim_shm(mc_claim_test *t, mc_error *error)
{
    static const mc_claim_rule rule = {"real files beside an index of garbage",
                                       "inplace,walreset",
                                       MODE(WAL),
                                       FULL,
                                       "kill",
                                       .txns = 2};
    asked sum = {.state = ask_shm};
    uint64_t classes = t->result->classes;
    mpz_t states;
    mpz_init_set(states, t->states);
    mc_status status = mc_claim_each(t, &rule, ask_cell, &sum, error);
    mpz_add_ui(t->states, states, sum.asked); /* those that were asked, of the walk's */
    t->result->classes = classes + sum.asked;
    mpz_clear(states);
    mc_claim_note(t, "%s: SQLite's unix VFS read something else in %lu of %lu", rule.label,
                  (unsigned long)sum.came, (unsigned long)sum.asked);
    if (sum.asked == 0) {
        mc_claim_refute(t, NULL, NULL);
    }
    return status;
}

/* ---- versions ---- */

enum { WRITE_VERSION_AT = 18, READ_VERSION_AT = 19, WAL_FORMAT = 2, UNKNOWN_FORMAT = 3 };

/* Beside a WAL that holds a commit, main must say format 2; and a format that a program does not
 * know must keep it away, which this SQLite can show of one that it does not know itself. */
static mc_status ask_versions(void *context, const mc_crash *crash, mc_error *error)
{
    asking *a = context;
    mc_judging *j = &a->w.j;
    mc_disk *disk = &j->trace.base;
    uint16_t main = j->main_slot[0];
    mc_files files;
    mc_wal wal;
    mc_stock stock;
    mc_disk_files(disk, "main.db", &files);
    mc_status status = mc_wal_open(&files.wal, &wal, NULL, error);
    if (status != MC_OK || !wal.usable || files.main.size <= READ_VERSION_AT) {
        return status;
    }
    mc_wal_advance(&wal, &files.wal);
    if (wal.commit_frames == 0) {
        return MC_OK;
    }
    a->asked++;
    bool says = files.main.data[WRITE_VERSION_AT] == WAL_FORMAT &&
                files.main.data[READ_VERSION_AT] == WAL_FORMAT;
    uint8_t kept = files.main.data[READ_VERSION_AT];
    disk->file[main].data[READ_VERSION_AT] = UNKNOWN_FORMAT;
    /* Without the WAL, whose page 1 would be read instead: an old program looks at main alone. */
    uint16_t number = mc_disk_find(disk, "main.db-wal");
    disk->file[number].exists = false;
    bool done = mc_stock_ask_disk(disk, "main.db", MC_STOCK_LIMIT_BYTES, &stock);
    disk->file[number].exists = true;
    disk->file[main].data[READ_VERSION_AT] = kept;
    if (!done) {
        return no_memory(error);
    }
    a->other += stock.code == SQLITE_NOTADB;
    if (!says || stock.code == SQLITE_OK) {
        came_here(a, crash);
        mc_claim_refute_here(&a->w, crash);
    }
    mc_stock_free(&stock);
    return MC_OK;
}

mc_status mc_claim_versions(mc_claim_test *t, mc_error *error)
{
    static const mc_claim_rule rule = {"states whose WAL holds a commit",
                                       "inplace,grow,modes",
                                       MODE(WAL) | MODE(DELETE),
                                       FULL,
                                       "kill",
                                       .txns = 2};
    asked sum = {.state = ask_versions};
    mc_claim_model(t, "kill");
    mc_status status = mc_claim_each(t, &rule, ask_cell, &sum, error);
    mc_claim_note(
        t,
        "%s: %lu; main says another format than 2, or was opened with one that this SQLite"
        " does not know, in %lu; with that it called %lu of them no database; a program"
        " without WAL was not run",
        rule.label, (unsigned long)sum.asked, (unsigned long)sum.came, (unsigned long)sum.other);
    t->tested = sum.asked > 0;
    return status;
}
