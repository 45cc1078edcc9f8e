#include "harness/judge/handover.h"

#include "core/journal.h"
#include "core/wal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

enum { KEPT_BYTES_FIRST = 4096, OTHER_TXNS = 2, OTHER_TXNS_MAX = 64 };

typedef struct mc_handed_hash {
    bool known; /* it is that of the file's present bytes */
    mc_hash128 hash;
} mc_handed_hash;

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "handover: out of memory");
}

static mc_hash128 hash_of(const void *data, uint64_t size)
{
    XXH128_hash_t hash = XXH3_128bits(size == 0 ? "" : data, (size_t)size);
    return (mc_hash128){hash.low64, hash.high64};
}

/* ---- kept files ---- */

/* Copies `size` bytes of a file that exists. */
static bool keep(mc_kept *kept, const uint8_t *data, uint64_t size)
{
    if (size > kept->capacity) {
        uint64_t capacity = size + size / 2 + KEPT_BYTES_FIRST;
        uint8_t *more = realloc(kept->data, (size_t)capacity);
        if (more == NULL) {
            return false;
        }
        kept->data = more;
        kept->capacity = capacity;
    }
    if (size > 0) {
        memcpy(kept->data, data, (size_t)size);
    }
    kept->size = size;
    kept->exists = true;
    kept->hash = hash_of(kept->data, size);
    return true;
}

static bool keep_file(mc_kept *kept, const mc_disk_file *file)
{
    kept->exists = false;
    kept->size = 0;
    return !file->exists || keep(kept, file->data, file->size);
}

static bool equals(const mc_kept *kept, const mc_disk_file *file)
{
    return kept->exists == file->exists && kept->size == file->size &&
           (file->size == 0 || memcmp(kept->data, file->data, (size_t)file->size) == 0);
}

static void swap(mc_kept *a, mc_kept *b)
{
    mc_kept c = *a;
    *a = *b;
    *b = c;
}

/* ---- the mistakes ---- */

static mc_kept *make_absent(mc_handover *h, const mc_crash *crash, const mc_disk_file *present)
{
    (void)crash;
    h->scratch.exists = false;
    h->scratch.size = 0;
    return present->exists ? &h->scratch : NULL;
}

static mc_kept *make_empty(mc_handover *h, const mc_crash *crash, const mc_disk_file *present)
{
    (void)crash;
    h->no_memory = h->no_memory || !keep(&h->scratch, NULL, 0);
    return present->size > 0 ? &h->scratch : NULL;
}

static mc_kept *make_cut(mc_handover *h, const mc_crash *crash, const mc_disk_file *present)
{
    (void)crash;
    if (present->size <= 1) {
        return NULL;
    }
    h->no_memory = h->no_memory || !keep(&h->scratch, present->data, present->size / 2);
    return &h->scratch;
}

static mc_kept *instead(mc_kept *kept, const mc_disk_file *present)
{
    return kept->exists && !equals(kept, present) ? kept : NULL;
}

static mc_kept *make_older_journal(mc_handover *h, const mc_crash *crash,
                                   const mc_disk_file *present)
{
    (void)crash;
    return instead(&h->older_journal, present);
}

static mc_kept *make_older_wal(mc_handover *h, const mc_crash *crash, const mc_disk_file *present)
{
    (void)crash;
    return instead(&h->older_wal, present);
}

static mc_kept *make_other_journal(mc_handover *h, const mc_crash *crash,
                                   const mc_disk_file *present)
{
    (void)crash;
    return instead(&h->other_journal, present);
}

static mc_kept *make_other_wal(mc_handover *h, const mc_crash *crash, const mc_disk_file *present)
{
    (void)crash;
    return instead(&h->other_wal, present);
}

/* Without a sidecar that stays, an old main file is an old backup and no mistake. */
static mc_kept *make_restored(mc_handover *h, const mc_crash *crash, const mc_disk_file *present)
{
    const mc_disk_file *file = h->disk->file;
    bool stays = file[h->slot[MC_HANDED_JOURNAL]].size > 0 || file[h->slot[MC_HANDED_WAL]].size > 0;
    return stays && crash->acked >= h->backup.commit ? instead(&h->backup, present) : NULL;
}

const mc_mistake mc_mistakes[] = {
    {"as-is", "no mistake", MC_HANDED_NONE, true, NULL, NULL},
    {"no-journal", "the journal is left behind", MC_HANDED_JOURNAL, false, make_absent, NULL},
    {"no-wal", "the WAL is left behind", MC_HANDED_WAL, false, make_absent, NULL},
    {"no-shm", "the WAL index is left behind", MC_HANDED_SHM, true, make_absent, NULL},
    {"empty-journal", "the journal has no bytes", MC_HANDED_JOURNAL, false, make_empty, NULL},
    {"empty-wal", "the WAL has no bytes", MC_HANDED_WAL, false, make_empty, NULL},
    {"cut-journal", "the first half of the journal", MC_HANDED_JOURNAL, false, make_cut, NULL},
    {"cut-wal", "the first half of the WAL", MC_HANDED_WAL, false, make_cut, NULL},
    {"older-journal", "the journal of an earlier transaction", MC_HANDED_JOURNAL, false,
     make_older_journal, "the one of transaction %u"},
    {"older-wal", "the WAL of an earlier transaction", MC_HANDED_WAL, false, make_older_wal,
     "the one that lay there after transaction %u"},
    {"other-journal", "the journal of another database", MC_HANDED_JOURNAL, false,
     make_other_journal, "the one of another database, from its transaction %u"},
    {"other-wal", "the WAL of another database", MC_HANDED_WAL, false, make_other_wal,
     "the one of another database, after its transaction %u"},
    {"restored", "main is an older backup, newer sidecars stay", MC_HANDED_MAIN, false,
     make_restored, "a backup of snapshot %u"},
    {NULL, NULL, MC_HANDED_NONE, false, NULL, NULL},
};

uint32_t mc_mistake_find(const char *name)
{
    for (uint32_t i = 0; mc_mistakes[i].name != NULL; i++) {
        if (strcmp(mc_mistakes[i].name, name) == 0) {
            return i;
        }
    }
    return MC_MISTAKES_MAX;
}

uint32_t mc_mistake_count(uint32_t chosen)
{
    return chosen == 0 ? 1 : (uint32_t)__builtin_popcount(chosen);
}

uint32_t mc_mistake_chosen(uint32_t chosen, uint32_t rank)
{
    assert(rank < mc_mistake_count(chosen));
    for (; rank > 0; rank--) {
        chosen &= chosen - 1;
    }
    return chosen == 0 ? MC_MISTAKE_AS_IS : (uint32_t)__builtin_ctz(chosen);
}

/* ---- what a walk passes ---- */

/* Will `op` end the rollback journal, file number `journal`? */
static bool ends_journal(const mc_op *op, uint16_t journal)
{
    return op != NULL && op->file == journal &&
           (op->kind == MC_OP_DELETE || (op->kind == MC_OP_TRUNCATE && op->offset == 0) ||
            (op->kind == MC_OP_WRITE && op->offset == 0 && op->data[0] == 0));
}

/* A rollback ends its journal, too: only what happens between the marks is a commit. */
void mc_handover_watch(mc_handover *h, const mc_crash *crash)
{
    if (h->disk == NULL || crash->cut > 0 || crash->begun == crash->acked ||
        !ends_journal(crash->op, h->slot[MC_HANDED_JOURNAL])) {
        return;
    }
    mc_files files;
    mc_disk_files(h->disk, h->database, &files);
    if (mc_journal_maybe_hot(&files)) {
        const mc_disk_file *journal = &h->disk->file[h->slot[MC_HANDED_JOURNAL]];
        h->no_memory = h->no_memory || !keep_file(&h->ending, journal);
        h->ending.commit = crash->begun;
    }
}

void mc_handover_applied(mc_handover *h, const mc_op *op)
{
    if (op->file < h->hash_count) {
        h->hash[op->file].known = false;
    }
}

void mc_handover_acked(mc_handover *h, uint32_t commit)
{
    if (h->disk == NULL) {
        return;
    }
    if (h->ending.exists) {
        swap(&h->older_journal, &h->ending);
        h->ending.exists = false;
    }
    swap(&h->older_wal, &h->last_wal);
    const mc_disk_file *wal = &h->disk->file[h->slot[MC_HANDED_WAL]];
    h->no_memory = h->no_memory || !keep_file(&h->last_wal, wal);
    h->last_wal.commit = commit;
}

/* ---- the mistake in force ---- */

static bool know_files(mc_handover *h)
{
    uint32_t count = h->disk->file_count;
    if (count <= h->hash_count) {
        return true;
    }
    mc_handed_hash *hash = realloc(h->hash, count * sizeof *hash);
    h->hash = hash != NULL ? hash : h->hash;
    uint64_t *term = realloc(h->term, count * 4 * sizeof *term);
    h->term = term != NULL ? term : h->term;
    if (hash == NULL || term == NULL) {
        return false;
    }
    memset(hash + h->hash_count, 0, (count - h->hash_count) * sizeof *hash);
    h->hash_count = count;
    return true;
}

/* XXH3-128 over number, size and XXH3-128 of every file that exists. Only files that changed since
 * the last state are read again. */
static mc_hash128 id_of(mc_handover *h, uint16_t slot)
{
    size_t terms = 0;
    for (uint32_t i = 0; i < h->disk->file_count; i++) {
        const mc_disk_file *file = &h->disk->file[i];
        if (!file->exists) {
            continue;
        }
        if (i != slot && !h->hash[i].known) {
            h->hash[i] = (mc_handed_hash){true, hash_of(file->data, file->size)};
        }
        mc_hash128 hash = i == slot ? h->given->hash : h->hash[i].hash;
        h->term[terms++] = i;
        h->term[terms++] = file->size;
        h->term[terms++] = hash.low;
        h->term[terms++] = hash.high;
    }
    return hash_of(h->term, terms * sizeof *h->term);
}

mc_status mc_handover_make(mc_handover *h, uint32_t mistake, const mc_crash *crash,
                           mc_crash *handed, bool *made, mc_error *error)
{
    const mc_mistake *row = &mc_mistakes[mistake];
    assert(h->disk != NULL && h->mistake == NULL && row->make != NULL);
    uint16_t slot = h->slot[row->file];
    h->given = row->make(h, crash, &h->disk->file[slot]);
    *made = h->given != NULL;
    if (h->no_memory || !know_files(h)) {
        return no_memory(error);
    }
    if (!*made) {
        return MC_OK;
    }
    h->mistake = row;
    h->replaced = h->disk->file[slot];
    mc_disk_file *file = &h->disk->file[slot];
    file->data = h->given->data;
    file->size = h->given->size;
    file->capacity = h->given->capacity;
    file->exists = h->given->exists;
    *handed = *crash;
    handed->id = id_of(h, slot);
    return MC_OK;
}

/* SQLite may have lengthened the file for a moment, and so moved its buffer. */
void mc_handover_take_back(mc_handover *h)
{
    assert(h->mistake != NULL && !h->disk->logging);
    mc_disk_file *file = &h->disk->file[h->slot[h->mistake->file]];
    assert(file->size == h->given->size && file->exists == h->given->exists);
    h->given->data = file->data;
    h->given->capacity = file->capacity;
    *file = h->replaced;
    h->mistake = NULL;
}

/* ---- the second recording, and the backup ---- */

static bool has_commit(const mc_disk_file *file)
{
    mc_file view = {file->exists, file->data, file->size};
    mc_wal wal;
    mc_error ignored;
    if (mc_wal_open(&view, &wal, NULL, &ignored) != MC_OK || !wal.usable) {
        return false;
    }
    mc_wal_advance(&wal, &view);
    return wal.commit_frames > 0;
}

/* Walks another database's trace to the last point at which SQLite would apply its sidecar. */
static mc_status take_other(mc_trace *trace, bool wal, mc_kept *out, mc_error *error)
{
    mc_disk *disk = &trace->base;
    uint16_t slot = mc_disk_slot(disk, wal ? "main.db-wal" : "main.db-journal");
    uint32_t begun = 0;
    uint32_t acked = 0;
    mc_status status = slot == MC_DISK_NONE ? no_memory(error) : MC_OK;
    for (size_t i = 0; status == MC_OK && i < trace->op_count; i++) {
        const mc_op *op = &trace->op[i];
        begun = op->kind == MC_OP_BEGUN ? (uint32_t)op->offset : begun;
        acked = op->kind == MC_OP_ACKED ? (uint32_t)op->offset : acked;
        if (wal ? op->kind == MC_OP_ACKED && has_commit(&disk->file[slot])
                : begun > acked && ends_journal(op, slot) && disk->file[slot].size > 0) {
            status = keep_file(out, &disk->file[slot]) ? MC_OK : no_memory(error);
            out->commit = begun;
        }
        status = status == MC_OK ? mc_trace_apply(disk, op, UINT32_MAX, error) : status;
    }
    return status;
}

/* A random program may roll back all it began: then a longer one is taken. */
static mc_status record_other(const mc_record_options *record, bool wal, mc_kept *out,
                              mc_error *error)
{
    mc_record_options other = {.workload = "mixed",
                               .mode = wal ? MC_MODE_WAL : MC_MODE_DELETE,
                               .sync = MC_SYNC_FULL,
                               .page_size = record->page_size,
                               .txns = OTHER_TXNS,
                               .seed = record->seed + 1};
    mc_status status = MC_OK;
    for (; status == MC_OK && !out->exists && other.txns <= OTHER_TXNS_MAX; other.txns *= 2) {
        mc_trace trace = {0};
        status = mc_record(&other, &trace, error);
        status = status == MC_OK ? take_other(&trace, wal, out, error) : status;
        mc_trace_free(&trace);
    }
    return status;
}

static mc_status make_backup(mc_handover *h, const mc_history *history, mc_error *error)
{
    uint32_t k = 0;
    while (k < history->snapshot_count &&
           (history->snapshot[k].empty || history->snapshot[k].page_count[0] == 0)) {
        k++;
    }
    if (k == history->snapshot_count) {
        return MC_OK; /* nothing was ever there to back up */
    }
    mc_arena arena = {.limit_bytes = SIZE_MAX / 2};
    mc_image image;
    mc_status status = mc_history_image(history, k, 0, &arena, &image, error);
    uint64_t size = status == MC_OK ? (uint64_t)image.page_count * image.page_size : 0;
    uint8_t *bytes = status == MC_OK ? mc_arena_alloc(&arena, (size_t)size) : NULL;
    for (uint32_t i = 0; bytes != NULL && i < image.page_count; i++) {
        memcpy(bytes + (uint64_t)i * image.page_size, image.page[i], image.page_size);
    }
    if (status == MC_OK && (bytes == NULL || !keep(&h->backup, bytes, size))) {
        status = no_memory(error);
    }
    h->backup.commit = k;
    mc_arena_free(&arena);
    return status;
}

static bool find_slots(mc_handover *h)
{
    static const char *const suffix[MC_HANDED_FILES] = {NULL, "", "-journal", "-wal", "-shm"};
    for (int i = MC_HANDED_MAIN; i < MC_HANDED_FILES; i++) {
        char name[MC_DISK_NAME_MAX];
        (void)snprintf(name, sizeof name, "%s%s", h->database, suffix[i]);
        h->slot[i] = mc_disk_slot(h->disk, name);
        if (h->slot[i] == MC_DISK_NONE) {
            return false;
        }
    }
    return true;
}

mc_status mc_handover_open(mc_handover *h, uint32_t chosen, const mc_record_options *record,
                           mc_trace *trace, const mc_history *history, mc_error *error)
{
    memset(h, 0, sizeof *h);
    if ((chosen & ~(1u << MC_MISTAKE_AS_IS)) == 0) {
        return MC_OK;
    }
    assert(!trace->is_kv);
    h->disk = &trace->base;
    h->database = trace->database[0];
    if (!find_slots(h) || !keep_file(&h->last_wal, &h->disk->file[h->slot[MC_HANDED_WAL]])) {
        return no_memory(error);
    }
    mc_status status = make_backup(h, history, error);
    if (status == MC_OK && (chosen & 1u << mc_mistake_find("other-journal")) != 0) {
        status = record_other(record, false, &h->other_journal, error);
    }
    if (status == MC_OK && (chosen & 1u << mc_mistake_find("other-wal")) != 0) {
        status = record_other(record, true, &h->other_wal, error);
    }
    return status;
}

void mc_handover_close(mc_handover *h)
{
    mc_kept *const kept[] = {&h->scratch,   &h->ending,        &h->older_journal, &h->last_wal,
                             &h->older_wal, &h->other_journal, &h->other_wal,     &h->backup};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        free(kept[i]->data);
    }
    free(h->hash);
    free(h->term);
    memset(h, 0, sizeof *h);
}
