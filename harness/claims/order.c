/* order.c: claims about the order in which SQLite does things, read from its recordings.
 *
 * Two disks are kept: `live` has all that happened, `synced` what each file was when it was synced
 * last; a file is on it from when its directory was synced. Each operation is looked at before it
 * happens. That sees more than states do (a breach that no enumerated state makes worse) and less
 * (a breach is not shown to hurt), so most of these claims have rules, too. */
#include "harness/claims/claiming.h"

#include "core/bytes.h"
#include "core/journal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_MAX = 64, HEADERS_MAX = 256, SECTOR_BYTES = 512, WIDE_BYTES = 4096 };

typedef struct ledger {
    mc_claim_walk w;
    mc_disk live;
    mc_disk synced;
    bool waits[FILES_MAX];        /* its name is not durable */
    uint64_t header[HEADERS_MAX]; /* where headers of the present journal lie */
    uint32_t header_count;
    uint32_t acked;
    size_t at;
    mc_arena arena;
    uint64_t looked; /* operations that the claim is about */
    uint64_t breaches;
    size_t first_breach;
    bool checkpointed; /* main was written since it was synced */
} ledger;

/* Looks at the next operation; counts it if the claim is about it. False: it breaks the claim. */
typedef mc_status (*look_fn)(ledger *l, const mc_op *op, bool *holds, mc_error *error);

static bool is_role(const ledger *l, const mc_op *op, const char *role)
{
    return op->file != MC_DISK_NONE && strcmp(mc_file_role(&l->w.j.trace, op->file), role) == 0;
}

static bool is_same_file(const ledger *l, uint16_t file, uint64_t from, uint64_t to)
{
    const mc_disk_file *live = &l->live.file[file];
    const mc_disk_file *synced = &l->synced.file[file];
    return live->exists && synced->exists && !l->waits[file] && to <= live->size &&
           to <= synced->size &&
           (from == to || memcmp(live->data + from, synced->data + from, (size_t)(to - from)) == 0);
}

static bool put_synced(ledger *l, uint16_t file)
{
    const mc_disk_file *live = &l->live.file[file];
    return mc_disk_create(&l->synced, file) && mc_disk_truncate(&l->synced, file, live->size) &&
           (live->size == 0 || mc_disk_write(&l->synced, file, 0, live->data, live->size));
}

static mc_status follow(ledger *l, const mc_op *op, mc_error *error)
{
    bool ok = true;
    if (op->kind == MC_OP_ACKED) {
        l->acked = (uint32_t)op->offset;
    } else if (op->kind == MC_OP_CREATE) {
        ok = mc_disk_delete(&l->synced, op->file);
        l->waits[op->file] = true;
    } else if (op->kind == MC_OP_DELETE) {
        ok = mc_disk_delete(&l->synced, op->file);
    } else if (op->kind == MC_OP_SYNC) {
        ok = put_synced(l, op->file);
        l->waits[op->file] = l->waits[op->file] && (op->flags & MC_OPF_DIR_SYNC) == 0;
    }
    return ok ? mc_trace_apply(&l->live, op, UINT32_MAX, error)
              : mc_fail(error, MC_NO_MEMORY, "no-memory", "claims: out of memory");
}

static mc_status scan(ledger *l, look_fn look, mc_error *error)
{
    const mc_trace *trace = &l->w.j.trace;
    assert(trace->base.file_count <= FILES_MAX);
    l->arena.limit_bytes = 64 << 20;
    bool ok = mc_disk_copy(&l->live, &trace->base) && mc_disk_copy(&l->synced, &trace->base);
    mc_status status =
        ok ? MC_OK : mc_fail(error, MC_NO_MEMORY, "no-memory", "claims: out of memory");
    for (l->at = 0; status == MC_OK && l->at < trace->op_count; l->at++) {
        const mc_op *op = &trace->op[l->at];
        bool holds = true;
        status = look(l, op, &holds, error);
        if (!holds && l->breaches++ == 0) {
            l->first_breach = l->at;
        }
        status = status == MC_OK ? follow(l, op, error) : status;
    }
    mc_disk_free(&l->live);
    mc_disk_free(&l->synced);
    mc_arena_free(&l->arena);
    return status;
}

/* What all cells add up to. */
typedef struct scanned {
    look_fn look;
    uint64_t looked;
    uint64_t breaches;
    char first[MC_STATE_AGAIN_MAX]; /* the crash point before the first breach */
} scanned;

static mc_status scan_cell(mc_claim_test *t, const mc_claim_rule *r, const mc_claim_cell *cell,
                           void *context, mc_error *error)
{
    scanned *s = context;
    ledger *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "claims: out of memory");
    }
    mc_status status = mc_claim_open(&l->w, t, r, cell, "recover,sqlite", error);
    if (status == MC_OK) {
        mc_claim_change(t, r, &l->w.j.trace);
        status = scan(l, s->look, error);
        if (l->breaches > 0 && s->first[0] == '\0') {
            mc_crash crash = {.point = l->first_breach};
            mc_judging_state_id(&l->w.j, &crash, s->first, sizeof s->first);
        }
        s->looked += l->looked;
        s->breaches += l->breaches;
        mc_claim_close(&l->w);
    }
    free(l);
    return status;
}

/* Scans the rule's cells and says what came out. */
static mc_status scan_rule(mc_claim_test *t, const mc_claim_rule *r, look_fn look, const char *what,
                           scanned *s, mc_error *error)
{
    *s = (scanned){.look = look};
    mc_status status = mc_claim_each(t, r, scan_cell, s, error);
    if (status != MC_OK) {
        return status;
    }
    mc_claim_note(t, "%s: %lu of %lu %s", r->label, (unsigned long)(s->looked - s->breaches),
                  (unsigned long)s->looked, what);
    t->tested = t->tested || s->looked > 0;
    if (s->breaches > 0 || s->looked == 0) {
        char command[MC_STATE_AGAIN_MAX + 100];
        mc_claim_command(t, r, s->first, command, sizeof command);
        mc_claim_refute(t, s->first, command);
    }
    return MC_OK;
}

#define WITH_JOURNAL (1u << MC_MODE_DELETE | 1u << MC_MODE_TRUNCATE | 1u << MC_MODE_PERSIST)
#define FULL (1u << MC_SYNC_FULL)

/* ---- what a journal counts ---- */

static bool is_header(const mc_op *op)
{
    return op->kind == MC_OP_WRITE && op->size >= MC_JOURNAL_MAGIC_BYTES + 4 &&
           memcmp(op->data, mc_journal_magic, MC_JOURNAL_MAGIC_BYTES) == 0;
}

static mc_status look_at_count(ledger *l, const mc_op *op, bool *holds, mc_error *error)
{
    (void)error;
    if (!is_role(l, op, "journal") || !is_header(op)) {
        return MC_OK;
    }
    uint64_t records = mc_bytes_get_be32(op->data + MC_JOURNAL_MAGIC_BYTES);
    uint64_t from = op->offset + SECTOR_BYTES;
    uint64_t to = from + records * (l->w.record.page_size + 8);
    l->looked++;
    *holds = records == 0 || (records != UINT32_MAX && is_same_file(l, op->file, from, to));
    return MC_OK;
}

mc_status mc_claim_counts(mc_claim_test *t, mc_error *error)
{
    static const mc_claim_rule rule = {"in recordings with FULL",
                                       "inplace,spill,attach,freed",
                                       WITH_JOURNAL,
                                       FULL,
                                       "recording",
                                       .txns = 2};
    scanned s;
    return scan_rule(t, &rule, look_at_count, "counts in headers are of synced records", &s, error);
}

/* ---- a header's sector ---- */

static mc_status look_at_sector(ledger *l, const mc_op *op, bool *holds, mc_error *error)
{
    (void)error;
    if (!is_role(l, op, "journal")) {
        return MC_OK;
    }
    if (op->kind == MC_OP_CREATE || op->kind == MC_OP_DELETE || op->kind == MC_OP_TRUNCATE) {
        l->header_count = 0;
    }
    if (op->kind != MC_OP_WRITE) {
        return MC_OK;
    }
    bool zeros = op->offset == 0; /* PERSIST ends a commit so */
    for (uint32_t i = 0; zeros && i < op->size; i++) {
        zeros = op->data[i] == 0;
    }
    if (zeros) {
        l->header_count = 0;
        l->header[l->header_count++] = 0;
        return MC_OK;
    }
    /* The first write of a header is its sector: magic and count are zero, or there already. */
    if (op->size == SECTOR_BYTES && op->offset % SECTOR_BYTES == 0) {
        bool known = false;
        for (uint32_t i = 0; i < l->header_count; i++) {
            known = known || l->header[i] == op->offset;
        }
        if (!known && l->header_count < HEADERS_MAX) {
            l->header[l->header_count++] = op->offset;
        }
        return MC_OK;
    }
    l->looked++;
    for (uint32_t i = 0; i < l->header_count && *holds; i++) {
        uint64_t from = l->header[i];
        uint64_t to = from + SECTOR_BYTES;
        bool touches = op->offset < to && op->offset + op->size > from;
        *holds = !touches || (op->offset == from && op->offset + op->size <= to && is_header(op));
    }
    return MC_OK;
}

mc_status mc_claim_header_sector(mc_claim_test *t, mc_error *error)
{
    static const mc_claim_rule rule = {"in recordings", "inplace,spill", WITH_JOURNAL, FULL,
                                       "recording",     .txns = 2};
    scanned s;
    return scan_rule(t, &rule, look_at_sector,
                     "writes leave headers' sectors alone or rewrite them", &s, error);
}

/* ---- what the database overwrites ---- */

static uint32_t database_of(const ledger *l, uint16_t file)
{
    uint32_t d = 0;
    while (d < l->w.j.trace.database_count && l->w.j.main_slot[d] != file) {
        d++;
    }
    return d;
}

/* The pages that the journal restores as it was synced last, or none. */
static mc_status read_synced(ledger *l, uint32_t database, mc_journal *out, mc_error *error)
{
    const char *name = l->w.j.trace.database[database];
    char sidecar[MC_DISK_NAME_MAX];
    mc_files live;
    mc_files files;
    (void)snprintf(sidecar, sizeof sidecar, "%s-journal", name);
    uint16_t journal = mc_disk_find(&l->synced, sidecar);
    mc_disk_files(&l->live, name, &live);
    mc_disk_files(&l->synced, name, &files);
    files.main = live.main;
    mc_arena_reset(&l->arena);
    if (journal == MC_DISK_NONE || l->waits[journal]) {
        *out = (mc_journal){0};
        return MC_OK;
    }
    return mc_journal_read(&files, &l->arena, out, error);
}

static bool restores(const mc_journal *journal, uint32_t page)
{
    for (size_t i = 0; journal->hot && i < journal->record_count; i++) {
        if (journal->record[i].page_number == page) {
            return true;
        }
    }
    return false;
}

/* Is it a page whose content counts in the database as it was before the transaction? */
static bool counts(const ledger *l, uint32_t database, uint32_t page)
{
    return page >= 1 && page <= l->w.j.history.snapshot[l->acked].page_count[database] &&
           mc_history_page(&l->w.j.history, l->acked, database, page) != MC_ANY;
}

static bool overwrites(const ledger *l, const mc_op *op, uint32_t *database, uint32_t *page)
{
    if (op->kind != MC_OP_WRITE) {
        return false;
    }
    *database = database_of(l, op->file);
    *page = (uint32_t)(op->offset / l->w.record.page_size) + 1;
    return *database < l->w.j.trace.database_count &&
           *page <= l->w.j.history.snapshot[l->acked].page_count[*database];
}

static mc_status look_at_overwrite(ledger *l, const mc_op *op, bool *holds, mc_error *error)
{
    uint32_t d;
    uint32_t page;
    mc_journal journal;
    if (!overwrites(l, op, &d, &page) || !counts(l, d, page)) {
        return MC_OK;
    }
    l->looked++;
    mc_status status = read_synced(l, d, &journal, error);
    *holds = status == MC_OK && restores(&journal, page);
    return status;
}

mc_status mc_claim_journal_first(mc_claim_test *t, mc_error *error)
{
    static const mc_claim_rule rule = {
        "in recordings with FULL",
        "inplace,spill,attach,freed,shrink,rollback,savepoint,overflow",
        WITH_JOURNAL,
        FULL,
        "recording",
        .txns = 2};
    static const mc_claim_rule extra = {
        "with NORMAL", "inplace,spill,attach,freed,shrink,rollback,savepoint,overflow",
        WITH_JOURNAL,  1u << MC_SYNC_NORMAL,
        "recording",   .txns = 2};
    scanned s;
    static const char what[] = "pages were in a synced journal before they were written over";
    mc_status status = scan_rule(t, &rule, look_at_overwrite, what, &s, error);
    return status == MC_OK ? scan_rule(t, &extra, look_at_overwrite, what, &s, error) : status;
}

static mc_status look_at_whole_sector(ledger *l, const mc_op *op, bool *holds, mc_error *error)
{
    uint32_t d;
    uint32_t page;
    mc_journal journal;
    uint32_t pages = WIDE_BYTES / l->w.record.page_size;
    if (!overwrites(l, op, &d, &page)) {
        return MC_OK;
    }
    mc_status status = read_synced(l, d, &journal, error);
    uint32_t first = (page - 1) / pages * pages + 1;
    l->looked++;
    for (uint32_t p = first; status == MC_OK && *holds && p < first + pages; p++) {
        *holds = !counts(l, d, p) || restores(&journal, p);
    }
    return status;
}

mc_status mc_claim_whole_sectors(mc_claim_test *t, mc_error *error)
{
    static const mc_claim_rule rule = {
        "in recordings", "inplace,spill,shrink", WITH_JOURNAL,      FULL, "recording",
        .txns = 2,       .page_size = 512,       .plain_disk = true};
    scanned s;
    return scan_rule(t, &rule, look_at_whole_sector,
                     "overwrites had all pages of their sector in the journal", &s, error);
}

/* Here a breach is what is looked for: a page of the freelist that no record restores. */
static mc_status look_at_free_page(ledger *l, const mc_op *op, bool *holds, mc_error *error)
{
    uint32_t d;
    uint32_t page;
    mc_journal journal;
    if (!overwrites(l, op, &d, &page) || counts(l, d, page)) {
        return MC_OK;
    }
    mc_status status = read_synced(l, d, &journal, error);
    l->looked += status == MC_OK && !restores(&journal, page);
    (void)holds;
    return status;
}

mc_status mc_claim_free_pages(mc_claim_test *t, mc_error *error)
{
    static const mc_claim_rule rule = {"in recordings", "freed,overflow", WITH_JOURNAL, FULL,
                                       "recording",     .txns = 4};
    scanned s;
    return scan_rule(t, &rule, look_at_free_page,
                     "overwritten leaf pages of the freelist had no record", &s, error);
}

/* ---- checkpoints ---- */

static mc_status look_at_checkpoint(ledger *l, const mc_op *op, bool *holds, mc_error *error)
{
    (void)error;
    uint16_t main = l->w.j.main_slot[0];
    uint16_t wal = mc_disk_find(&l->live, "main.db-wal");
    if (wal == MC_DISK_NONE) {
        return MC_OK;
    }
    if (op->kind == MC_OP_SYNC && op->file == main) {
        l->checkpointed = false;
    } else if (op->kind == MC_OP_WRITE && op->file == main && l->live.file[wal].size > 0) {
        l->looked++;
        l->checkpointed = true;
        *holds = is_same_file(l, wal, 0, l->live.file[wal].size);
    } else if (op->file == wal && l->checkpointed &&
               (op->kind == MC_OP_TRUNCATE || op->kind == MC_OP_DELETE ||
                (op->kind == MC_OP_WRITE && op->offset == 0))) {
        l->looked++;
        *holds = false;
    } else if (op->file == wal && (op->kind == MC_OP_TRUNCATE || op->kind == MC_OP_DELETE ||
                                   (op->kind == MC_OP_WRITE && op->offset == 0))) {
        l->looked++;
    }
    return MC_OK;
}

mc_status mc_claim_checkpoint_order(mc_claim_test *t, mc_error *error)
{
    static const mc_claim_rule rule = {"in recordings",   "checkpoint,walreset",
                                       1u << MC_MODE_WAL, 1u << MC_SYNC_NORMAL | FULL,
                                       "recording",       .txns = 2};
    scanned s;
    return scan_rule(t, &rule, look_at_checkpoint,
                     "writes by checkpoints and reuses of the WAL came after their sync", &s,
                     error);
}

static mc_status look_at_page_one(ledger *l, const mc_op *op, bool *holds, mc_error *error)
{
    (void)holds;
    (void)error;
    l->looked += op->kind == MC_OP_WRITE && op->file == l->w.j.main_slot[0] && op->offset == 0;
    return MC_OK;
}

mc_status mc_claim_page_one(mc_claim_test *t, mc_error *error)
{
    static const mc_claim_rule rule = {"in their recordings", "checkpoint,walreset",
                                       1u << MC_MODE_WAL,     FULL,
                                       "recording",           .page_size = 512};
    scanned s;
    return scan_rule(t, &rule, look_at_page_one, "writes of page 1 by checkpoints", &s, error);
}
