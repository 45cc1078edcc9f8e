#include "harness/judge/follow.h"

#include "core/dbheader.h"
#include "core/field.h"
#include "core/recover.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sizes come from headers. Beyond what the files hold and this many pages they are core's to
 * refuse, and core's list of pages is bounded, too. */
enum { PAGES_BEYOND_FILES = 1 << 20, WHOLE_ARENA_BYTES = 1 << 28 };

typedef enum regime { COLD, HOT, WAL, WHOLE } regime;

/* One database of the disk. */
typedef struct part {
    uint32_t index;
    const char *name;
    uint16_t main;
    uint16_t journal;
    uint16_t wal;
    uint16_t shm;
    mc_files files;
    regime regime;
    mc_arena arena;        /* the journal's records */
    mc_journal hot;        /* in HOT */
    mc_wal scan;           /* in WAL */
    uint32_t frames_shown; /* frames of `scan` that are in the overlay */
    uint32_t file_pages;   /* that the recovered view shows, before its header is asked */
    uint64_t *overlay;     /* by page - 1: hash that hides main's; 0: none */
    uint64_t *overlay_at;  /* and where its bytes lie in the sidecar */
    uint32_t capacity;
    uint32_t *hidden; /* the pages that have an overlay */
    uint32_t hidden_count;
    mc_status abandon;
    const char *abandon_reason;
    mc_status recover;
    const char *recover_reason;
} part;

struct mc_follow {
    mc_disk *disk;
    mc_oracle *oracle;
    uint32_t page_size;
    uint64_t zero_hash; /* of a page of zeros */
    uint32_t part_count;
    part part[MC_DATABASES_MAX];
    uint8_t scratch[MC_PAGE_SIZE_MAX];
};

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "follow: out of memory");
}

static uint32_t pages_of(const mc_follow *f, uint64_t size)
{
    return (uint32_t)((size + f->page_size - 1) / f->page_size);
}

/* Page `page` of main with missing bytes as zeros, or null when main ends before it. */
static const uint8_t *main_page(mc_follow *f, const part *p, uint32_t page)
{
    uint64_t at = (uint64_t)(page - 1) * f->page_size;
    if (at >= p->files.main.size) {
        return NULL;
    }
    if (at + f->page_size <= p->files.main.size) {
        return p->files.main.data + at;
    }
    size_t have = (size_t)(p->files.main.size - at);
    memcpy(f->scratch, p->files.main.data + at, have);
    memset(f->scratch + have, 0, f->page_size - have);
    return f->scratch;
}

static bool reserve(part *p, uint32_t pages)
{
    if (pages <= p->capacity) {
        return true;
    }
    uint32_t capacity = pages + pages / 4 + 64;
    uint64_t *overlay = realloc(p->overlay, capacity * sizeof *overlay);
    p->overlay = overlay != NULL ? overlay : p->overlay;
    uint64_t *at = realloc(p->overlay_at, capacity * sizeof *at);
    p->overlay_at = at != NULL ? at : p->overlay_at;
    uint32_t *hidden = realloc(p->hidden, capacity * sizeof *hidden);
    p->hidden = hidden != NULL ? hidden : p->hidden;
    if (overlay == NULL || at == NULL || hidden == NULL) {
        return false;
    }
    memset(overlay + p->capacity, 0, (capacity - p->capacity) * sizeof *overlay);
    p->capacity = capacity;
    return true;
}

/* How many pages the file of the recovered database has, before its header is asked. */
static uint32_t recovered_file_pages(const mc_follow *f, const part *p)
{
    if (p->regime == HOT && p->hot.resizes) {
        return p->hot.original_pages;
    }
    if (p->regime == WAL && p->scan.commit_frames > 0) {
        return p->scan.database_pages;
    }
    return pages_of(f, p->files.main.size);
}

/* Shows page `page` in the recovered view: the overlay's, else main's, else zeros where the file
 * reaches, else nothing. */
static bool show(mc_follow *f, part *p, uint32_t page)
{
    uint64_t hash = page <= p->capacity ? p->overlay[page - 1] : 0;
    if (hash == 0 && page <= recovered_file_pages(f, p)) {
        hash = mc_oracle_page(f->oracle, MC_VIEW_RAW, p->index, page);
        hash = hash == 0 ? f->zero_hash : hash;
    }
    return mc_oracle_set_page(f->oracle, MC_VIEW_RECOVERED, p->index, page, hash);
}

/* Pages [first, last] of the recovered view. */
static bool show_range(mc_follow *f, part *p, uint32_t first, uint32_t last)
{
    for (uint32_t page = first; page <= last; page++) {
        if (!show(f, p, page)) {
            return false;
        }
    }
    return true;
}

/* The raw view's pages [first, last] from main's bytes. */
static bool read_main(mc_follow *f, part *p, uint32_t first, uint32_t last)
{
    for (uint32_t page = first; page <= last; page++) {
        const uint8_t *bytes = main_page(f, p, page);
        uint64_t hash = bytes == NULL ? 0 : mc_page_hash(page, bytes, f->page_size);
        if (!mc_oracle_set_page(f->oracle, MC_VIEW_RAW, p->index, page, hash)) {
            return false;
        }
    }
    return true;
}

/* What `abandon` says, and how many pages its image has. */
static bool judge_abandon(mc_follow *f, part *p)
{
    const mc_file *main = &p->files.main;
    mc_error error;
    uint64_t head = main->size < 100 ? main->size : 100;
    p->abandon = MC_REFUSED;
    if (!main->exists) {
        p->abandon_reason = "main-missing-metadata";
    } else {
        p->abandon = mc_field_check_main(main->data, (size_t)head, main->size, 0, &error);
        p->abandon_reason = p->abandon == MC_OK ? NULL : error.reason;
    }
    /* All pages that lie there; a file longer than its header says is SQLite's to judge
     * (content.h). */
    return mc_oracle_set_count(f->oracle, MC_VIEW_RAW, p->index, pages_of(f, main->size));
}

/* What `recover` says once the overlay is right: page 1 must be one that SQLite opens. */
static bool judge_recover(mc_follow *f, part *p)
{
    uint32_t file_pages = recovered_file_pages(f, p);
    uint32_t pages = 0;
    p->recover = p->files.main.exists ? MC_OK : MC_REFUSED;
    p->recover_reason = p->files.main.exists ? NULL : "main-missing";
    if (p->files.main.exists && file_pages > 0) {
        const uint8_t *page1 = main_page(f, p, 1);
        if (p->capacity > 0 && p->overlay[0] != 0) {
            const mc_file *sidecar = p->regime == HOT ? &p->files.journal : &p->files.wal;
            page1 = sidecar->data + p->overlay_at[0];
        }
        if (page1 == NULL) {
            memset(f->scratch, 0, f->page_size);
            page1 = f->scratch;
        }
        mc_error error;
        p->recover = mc_recover_page_count(page1, f->page_size, file_pages, &pages, &error);
        if (p->recover == MC_OK) {
            p->recover = mc_dbheader_check_schema(page1, f->page_size, "page 1", &error);
        }
        p->recover_reason = p->recover == MC_OK ? NULL : error.reason;
    }
    return mc_oracle_set_count(f->oracle, MC_VIEW_RECOVERED, p->index,
                               p->recover == MC_OK ? pages : 0);
}

static bool clear_overlay(mc_follow *f, part *p)
{
    for (uint32_t i = 0; i < p->hidden_count; i++) {
        p->overlay[p->hidden[i] - 1] = 0;
        if (!show(f, p, p->hidden[i])) {
            return false;
        }
    }
    p->hidden_count = 0;
    return true;
}

static bool hide(mc_follow *f, part *p, uint32_t page, const mc_file *sidecar, uint64_t at)
{
    if (!reserve(p, page)) {
        return false;
    }
    if (p->overlay[page - 1] == 0) {
        p->hidden[p->hidden_count++] = page;
    }
    p->overlay[page - 1] = mc_page_hash(page, sidecar->data + at, f->page_size);
    p->overlay_at[page - 1] = at;
    return show(f, p, page);
}

/* The recovered view as main, whatever it was. */
static bool go_cold(mc_follow *f, part *p)
{
    bool whole = p->regime == WHOLE; /* then no page is known to be main's */
    uint32_t before = p->file_pages;
    p->regime = COLD;
    p->file_pages = recovered_file_pages(f, p);
    uint32_t low = before < p->file_pages ? before : p->file_pages;
    uint32_t high = before < p->file_pages ? p->file_pages : before;
    return clear_overlay(f, p) && show_range(f, p, whole ? 1 : low + 1, high);
}

/* The pages that a journal or WAL adds to main or takes from it. */
static bool resize(mc_follow *f, part *p)
{
    uint32_t before = p->file_pages;
    p->file_pages = recovered_file_pages(f, p);
    uint32_t low = before < p->file_pages ? before : p->file_pages;
    uint32_t high = before < p->file_pages ? p->file_pages : before;
    return show_range(f, p, low + 1, high);
}

/* More pages than all the files hold, by far: some header lies. */
static bool too_many(const mc_follow *f, const part *p, uint32_t pages)
{
    const mc_files *files = &p->files;
    uint64_t lying = (files->main.size + files->journal.size + files->wal.size) / f->page_size;
    return pages > lying + PAGES_BEYOND_FILES;
}

/* Everything by one run of core: rare (a hot journal beside a WAL, foreign page sizes, lies). */
static mc_status go_whole(mc_follow *f, part *p, mc_error *error)
{
    if (!go_cold(f, p)) {
        return no_memory(error);
    }
    p->regime = WHOLE;
    mc_arena_reset(&p->arena);
    mc_import import = {0};
    mc_error refusal;
    p->recover = mc_recover_files(&p->files, &p->arena, &import, &refusal);
    p->recover_reason = p->recover == MC_OK ? NULL : refusal.reason;
    if (p->recover != MC_OK && p->recover != MC_REFUSED) {
        *error = refusal;
        return p->recover;
    }
    p->file_pages = import.image.page_count;
    bool ok = mc_oracle_set_image(f->oracle, MC_VIEW_RECOVERED, p->index, &import.image);
    return ok ? MC_OK : no_memory(error);
}

static mc_status go_hot(mc_follow *f, part *p, mc_error *error)
{
    if (!go_cold(f, p)) {
        return no_memory(error);
    }
    mc_arena_reset(&p->arena);
    mc_error refusal;
    mc_status status = mc_journal_read(&p->files, &p->arena, &p->hot, &refusal);
    if (status != MC_OK) {
        return go_whole(f, p, error);
    }
    if (!p->hot.hot) {
        return MC_OK;
    }
    if (p->hot.resizes &&
        (p->hot.page_size != f->page_size || too_many(f, p, p->hot.original_pages))) {
        return go_whole(f, p, error);
    }
    p->regime = HOT;
    bool ok = resize(f, p);
    for (size_t i = 0; ok && i < p->hot.record_count; i++) {
        ok = hide(f, p, p->hot.record[i].page_number, &p->files.journal, p->hot.record[i].offset);
    }
    return ok ? MC_OK : no_memory(error);
}

/* Shows the frames that have come to count since the last time. */
static mc_status show_frames(mc_follow *f, part *p, mc_error *error)
{
    if (p->scan.commit_frames > 0 && too_many(f, p, p->scan.database_pages)) {
        return go_whole(f, p, error);
    }
    for (uint32_t i = p->frames_shown + 1; i <= p->scan.commit_frames; i++) {
        uint32_t page = mc_wal_frame_page(&p->scan, &p->files.wal, i);
        if (too_many(f, p, page)) {
            return go_whole(f, p, error);
        }
        if (!hide(f, p, page, &p->files.wal, mc_wal_frame_offset(&p->scan, i))) {
            return no_memory(error);
        }
    }
    p->frames_shown = p->scan.commit_frames;
    return resize(f, p) ? MC_OK : no_memory(error);
}

static mc_status go_wal(mc_follow *f, part *p, mc_error *error)
{
    if (!go_cold(f, p)) {
        return no_memory(error);
    }
    mc_error refusal;
    mc_status status = mc_wal_open(&p->files.wal, &p->scan, NULL, &refusal);
    if (status != MC_OK || (p->scan.usable && p->scan.page_size != f->page_size)) {
        return go_whole(f, p, error);
    }
    p->regime = WAL;
    p->frames_shown = 0;
    if (p->scan.usable) {
        mc_wal_advance(&p->scan, &p->files.wal);
    }
    return show_frames(f, p, error);
}

/* Decides the regime anew from the files as they are. */
static mc_status decide(mc_follow *f, part *p, mc_error *error)
{
    bool hot = mc_journal_maybe_hot(&p->files);
    bool wal = p->files.wal.size > 0 && p->files.main.size > 1;
    mc_status status = MC_OK;
    if (hot && wal) {
        status = go_whole(f, p, error);
    } else if (hot) {
        status = go_hot(f, p, error);
    } else if (wal) {
        status = go_wal(f, p, error);
    } else if (p->files.main.size == 1) {
        status = go_whole(f, p, error);
    } else if (!go_cold(f, p)) {
        status = no_memory(error);
    }
    return status;
}

static mc_status judge(mc_follow *f, part *p, mc_error *error)
{
    bool ok = judge_abandon(f, p) && (p->regime == WHOLE || judge_recover(f, p));
    if (ok && p->recover == MC_REFUSED && strcmp(p->recover_reason, "page-size") == 0) {
        return go_whole(f, p, error); /* perhaps a good one, but another */
    }
    return ok ? MC_OK : no_memory(error);
}

/* A change of main: the raw view follows it, the recovered one where nothing hides it. */
static mc_status main_changed(mc_follow *f, part *p, uint64_t first_byte, uint64_t end_byte,
                              uint64_t size_before, mc_error *error)
{
    uint64_t size = p->files.main.size;
    uint32_t first = (uint32_t)(first_byte / f->page_size) + 1;
    uint32_t last = pages_of(f, end_byte);
    if (size != size_before) {
        uint64_t low = size < size_before ? size : size_before;
        uint32_t edge = (uint32_t)(low / f->page_size) + 1; /* its zero fill changed */
        uint32_t high = pages_of(f, size < size_before ? size_before : size);
        first = edge < first ? edge : first;
        last = high > last ? high : last;
    }
    if (!read_main(f, p, first, last)) {
        return no_memory(error);
    }
    bool presence = size != size_before && (size <= 1 || size_before <= 1);
    bool odd = p->regime == WHOLE || presence;
    if (odd) {
        mc_status status = decide(f, p, error);
        if (status != MC_OK) {
            return status;
        }
    }
    if (p->regime != WHOLE) {
        p->file_pages = recovered_file_pages(f, p);
        if (!show_range(f, p, first, last)) {
            return no_memory(error);
        }
    }
    return first == 1 || size != size_before || odd ? judge(f, p, error) : MC_OK;
}

static mc_status wal_changed(mc_follow *f, part *p, const mc_op *op, uint32_t from, mc_error *error)
{
    uint64_t frame = MC_WAL_FRAME_HEADER_BYTES + (uint64_t)f->page_size;
    uint64_t scanned = MC_WAL_HEADER_BYTES + p->scan.valid_frames * frame;
    bool append = p->regime == WAL && p->scan.usable && op->kind == MC_OP_WRITE &&
                  op->offset + from >= scanned;
    if (append) {
        uint32_t commit_before = p->scan.commit_frames;
        mc_wal_advance(&p->scan, &p->files.wal);
        if (p->scan.commit_frames == commit_before) {
            return MC_OK;
        }
        mc_status status = show_frames(f, p, error);
        return status == MC_OK ? judge(f, p, error) : status;
    }
    mc_status status = decide(f, p, error);
    return status == MC_OK ? judge(f, p, error) : status;
}

/* Brings the views of all files up to date: not only of the one that an operation changed, for
 * whoever lengthened a file between two operations and took it back may have moved its bytes. */
static void look(const mc_follow *f, part *p)
{
    const uint16_t number[] = {p->main, p->journal, p->wal, p->shm};
    mc_file *const view[] = {&p->files.main, &p->files.journal, &p->files.wal, &p->files.shm};
    for (size_t i = 0; i < sizeof view / sizeof *view; i++) {
        const mc_disk_file *file = &f->disk->file[number[i]];
        *view[i] = (mc_file){file->exists, file->data, file->exists ? file->size : 0};
    }
}

static mc_status part_applied(mc_follow *f, part *p, const mc_op *op, uint32_t from, uint32_t to,
                              uint64_t size_before, mc_error *error)
{
    look(f, p);
    if (op->kind == MC_OP_SYNC) {
        return MC_OK;
    }
    if (op->file == p->main) {
        bool write = op->kind == MC_OP_WRITE;
        return main_changed(f, p, write ? op->offset + from : 0, write ? op->offset + to : 0,
                            size_before, error);
    }
    if (op->file == p->wal) {
        return wal_changed(f, p, op, from, error);
    }
    /* The journal, or a file that may be its super-journal. */
    bool hot = p->regime == HOT || p->regime == WHOLE;
    if (op->file != p->shm && (hot || mc_journal_maybe_hot(&p->files))) {
        mc_status status = decide(f, p, error);
        return status == MC_OK ? judge(f, p, error) : status;
    }
    return MC_OK;
}

mc_status mc_follow_applied(mc_follow *follow, const mc_op *op, uint32_t from, uint32_t to,
                            uint64_t size_before, mc_error *error)
{
    for (uint32_t i = 0; i < follow->part_count; i++) {
        mc_status status = part_applied(follow, &follow->part[i], op, from, to, size_before, error);
        if (status != MC_OK) {
            return status;
        }
    }
    return MC_OK;
}

static uint16_t sidecar_slot(mc_disk *disk, const char *name, const char *suffix)
{
    char sidecar[MC_DISK_NAME_MAX];
    (void)snprintf(sidecar, sizeof sidecar, "%s%s", name, suffix);
    return mc_disk_slot(disk, sidecar);
}

static mc_status open_part(mc_follow *f, part *p, const char *name, mc_error *error)
{
    p->name = name;
    p->main = mc_disk_slot(f->disk, name);
    p->journal = sidecar_slot(f->disk, name, "-journal");
    p->wal = sidecar_slot(f->disk, name, "-wal");
    p->shm = sidecar_slot(f->disk, name, "-shm");
    p->arena.limit_bytes = WHOLE_ARENA_BYTES;
    mc_disk_files(f->disk, name, &p->files);
    uint32_t pages = pages_of(f, p->files.main.size);
    p->file_pages = pages;
    if (p->shm == MC_DISK_NONE || !reserve(p, pages) || !read_main(f, p, 1, pages) ||
        !show_range(f, p, 1, pages)) {
        return no_memory(error);
    }
    mc_status status = decide(f, p, error);
    return status == MC_OK ? judge(f, p, error) : status;
}

mc_follow *mc_follow_open(const mc_trace *trace, mc_disk *disk, mc_oracle *oracle, mc_error *error)
{
    assert(oracle->view_count >= MC_VIEW_RECOVERED + 1);
    mc_follow *f = calloc(1, sizeof *f);
    if (f == NULL) {
        (void)no_memory(error);
        return NULL;
    }
    f->disk = disk;
    f->oracle = oracle;
    f->page_size = oracle->history->page_size;
    f->zero_hash = mc_page_hash(2, f->scratch, f->page_size);
    f->part_count = trace->database_count;
    for (uint32_t i = 0; i < f->part_count; i++) {
        f->part[i].index = i;
        if (open_part(f, &f->part[i], trace->database[i], error) != MC_OK) {
            mc_follow_close(f);
            return NULL;
        }
    }
    return f;
}

void mc_follow_close(mc_follow *follow)
{
    if (follow == NULL) {
        return;
    }
    for (uint32_t i = 0; i < follow->part_count; i++) {
        part *p = &follow->part[i];
        free(p->overlay);
        free(p->overlay_at);
        free(p->hidden);
        mc_arena_free(&p->arena);
    }
    free(follow);
}

mc_status mc_follow_abandon(const mc_follow *follow, const char **reason)
{
    for (uint32_t i = 0; i < follow->part_count; i++) {
        if (follow->part[i].abandon != MC_OK) {
            *reason = follow->part[i].abandon_reason;
            return follow->part[i].abandon;
        }
    }
    return MC_OK;
}

mc_status mc_follow_reject(const mc_follow *follow, const char **reason)
{
    for (uint32_t i = 0; i < follow->part_count; i++) {
        const part *p = &follow->part[i];
        if (p->files.journal.exists || p->files.wal.exists || p->files.shm.exists) {
            *reason = p->files.journal.exists ? "journal-exists"
                      : p->files.wal.exists   ? "wal-exists"
                                              : "shm-exists";
            return MC_REFUSED;
        }
        if (p->abandon != MC_OK) {
            *reason = p->abandon_reason;
            return p->abandon;
        }
    }
    return MC_OK;
}

mc_status mc_follow_recover(const mc_follow *follow, const char **reason)
{
    for (uint32_t i = 0; i < follow->part_count; i++) {
        if (follow->part[i].recover != MC_OK) {
            *reason = follow->part[i].recover_reason;
            return follow->part[i].recover;
        }
    }
    return MC_OK;
}
