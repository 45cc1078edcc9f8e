/* Recovery without SQLite.
 *
 * What stock SQLite does between opening a database and its first read, in its order (pager.c
 * sqlite3PagerSharedLock, btree.c lockBtree):
 *
 *   1. a hot journal is played back into main: main is cut or grown to its old size, then the
 *      journal's pages are written over it;
 *   2. a main that is empty now is an empty database, and its WAL is deleted unread;
 *   3. otherwise a WAL that is not empty is used, whatever main's header says about its mode;
 *   4. page 1, from the WAL if it is there, must have a header that SQLite accepts, and states the
 *      page size and, if its count is valid, the number of pages.
 *
 * Here nothing is written. Main after step 1 is described by two sizes: how many of its own bytes
 * are left, and how long the file would be, with zeros between. Then each page of the image is
 * pointed at its bytes: in main, in a record, in a frame. The page sizes of main, journal and WAL
 * can all differ in hostile input (and the journal's does in a crashed VACUUM that changes it), so
 * a record is laid over the image by its byte range. */
#include "core/recover.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/dbheader.h"
#include "core/v1.h"

typedef struct recovery {
    const mc_files *files;
    mc_arena *arena;
    mc_error *error;
    uint64_t main_max; /* bytes that the VFS lets main have */
    uint32_t assumed;  /* the page size that SQLite found in main before playback */
    mc_journal journal;
    mc_wal wal;
    uint64_t main_left; /* bytes of main that playback leaves in place */
    uint64_t main_size; /* of main after playback; zeros where neither main nor a record is */
    uint8_t header[MC_DBHEADER_BYTES]; /* the first bytes of page 1 */
    char where[32];                    /* and where they come from */
    uint32_t page_size;
    uint32_t page_count;
    const uint8_t **page;
    bool *owned; /* only where records are smaller than pages: page[i] is a copy in the arena */
} recovery;

static mc_status no_memory(const recovery *r, const char *what)
{
    return mc_fail(r->error, MC_NO_MEMORY, "no-memory", "recover: no memory for %s", what);
}

/* Pages in a file of that size, rounded up, in SQLite's 32 bits (pager.c pagerPagecount). */
static uint32_t pages_in(uint64_t size, uint32_t page_size)
{
    return (uint32_t)((size + page_size - 1) / page_size);
}

/* Step 1 as sizes (pager.c pager_truncate; pager_playback_one_page writes whole pages). */
static mc_status size_after_playback(recovery *r)
{
    const mc_journal *journal = &r->journal;
    r->main_size = mc_journal_file_size(&r->files->main);
    r->main_left = r->main_size;
    if (!journal->resizes) {
        return MC_OK;
    }
    uint64_t original_size = (uint64_t)journal->original_pages * journal->page_size;
    if (r->main_size > original_size) {
        r->main_left = original_size;
        r->main_size = original_size;
    } else if (r->main_size + journal->page_size <= original_size) {
        if (original_size > r->main_max) {
            return mc_fail(r->error, MC_REFUSED, "metadata-size",
                           "journal: offset 16: %" PRIu32 " pages of %" PRIu32
                           " bytes are more than a v1 file can have",
                           journal->original_pages, journal->page_size);
        }
        r->main_size = original_size; /* grown only by whole pages: a lesser gap is left */
    }
    for (size_t i = 0; i < journal->record_count; i++) {
        uint64_t end = (uint64_t)journal->record[i].page_number * journal->page_size;
        if (end > r->main_size) {
            r->main_size = end;
        }
    }
    return MC_OK;
}

/* The last record of page 1, or null. */
static const mc_journal_record *record_of_page_1(const mc_journal *journal)
{
    for (size_t i = journal->record_count; i > 0; i--) {
        if (journal->record[i - 1].page_number == 1) {
            return &journal->record[i - 1];
        }
    }
    return NULL;
}

/* The last counting frame of page 1, or 0. */
static uint32_t frame_of_page_1(const recovery *r)
{
    for (uint32_t frame = r->wal.commit_frames; frame > 0; frame--) {
        if (mc_wal_frame_page(&r->wal, &r->files->wal, frame) == 1) {
            return frame;
        }
    }
    return 0;
}

static void find_header(recovery *r)
{
    uint32_t frame = frame_of_page_1(r);
    const mc_journal_record *record = record_of_page_1(&r->journal);
    if (frame != 0) {
        const uint8_t *page = r->files->wal.data + mc_wal_frame_offset(&r->wal, frame);
        memcpy(r->header, page, sizeof r->header);
        (void)snprintf(r->where, sizeof r->where, "wal frame %" PRIu32, frame);
    } else if (record != NULL) {
        memcpy(r->header, r->files->journal.data + record->offset, sizeof r->header);
        (void)snprintf(r->where, sizeof r->where, "journal record of page 1");
    } else {
        size_t left = r->main_left < sizeof r->header ? (size_t)r->main_left : sizeof r->header;
        memset(r->header, 0, sizeof r->header);
        memcpy(r->header, r->files->main.data, left);
        (void)snprintf(r->where, sizeof r->where, "main");
    }
}

/* Step 4: the geometry. A count of 0 is an empty database. */
static mc_status measure(recovery *r)
{
    mc_dbheader header;
    mc_status status = mc_dbheader_check(r->header, r->where, &header, r->error);
    if (status != MC_OK) {
        return status;
    }
    uint32_t file_pages =
        r->wal.commit_frames > 0 ? r->wal.database_pages : pages_in(r->main_size, header.page_size);
    if (file_pages == 0) {
        return MC_OK;
    }
    r->page_size = header.page_size;
    return mc_dbheader_count(&header, r->where, file_pages, &r->page_count, r->error);
}

static mc_status allocate_pages(recovery *r)
{
    size_t room = r->arena->limit_bytes - r->arena->used_bytes;
    size_t beside = 2 * (size_t)r->page_size; /* lay_main's */
    if (room < beside || r->page_count > (room - beside) / sizeof *r->page) {
        return mc_fail(r->error, MC_REFUSED, "too-large",
                       "%s: a database of %" PRIu32 " pages passes the limit of memory", r->where,
                       r->page_count);
    }
    r->page = mc_arena_calloc(r->arena, r->page_count, sizeof *r->page);
    return r->page != NULL ? MC_OK : no_memory(r, "the list of pages");
}

/* Points every page at what playback leaves of main: whole pages in place, the page that main's end
 * cuts in a copy filled up with zeros, all others at one page of zeros. */
static mc_status lay_main(recovery *r)
{
    uint64_t whole = r->main_left / r->page_size;
    uint32_t count = r->page_count;
    uint32_t in_place = whole < count ? (uint32_t)whole : count;
    for (uint32_t i = 0; i < in_place; i++) {
        r->page[i] = r->files->main.data + (uint64_t)i * r->page_size;
    }
    if (in_place == count) {
        return MC_OK;
    }
    uint8_t *zeros = mc_arena_calloc(r->arena, 2, r->page_size);
    if (zeros == NULL) {
        return no_memory(r, "pages that main does not hold");
    }
    uint8_t *cut = zeros + r->page_size;
    uint64_t cut_at = (uint64_t)in_place * r->page_size;
    if (r->main_left > cut_at) {
        memcpy(cut, r->files->main.data + cut_at, (size_t)(r->main_left - cut_at));
    }
    r->page[in_place] = cut;
    for (uint32_t i = in_place + 1; i < count; i++) {
        r->page[i] = zeros;
    }
    return MC_OK;
}

/* A record that covers one page or several. */
static void lay_large_record(recovery *r, const mc_journal_record *record)
{
    uint32_t ratio = r->journal.page_size / r->page_size;
    uint64_t first = (uint64_t)(record->page_number - 1) * ratio;
    for (uint32_t i = 0; i < ratio && first + i < r->page_count; i++) {
        r->page[first + i] = r->files->journal.data + record->offset + (uint64_t)i * r->page_size;
    }
}

/* A record that covers a part of a page. */
static mc_status lay_small_record(recovery *r, const mc_journal_record *record)
{
    uint32_t size = r->journal.page_size;
    uint64_t at = (uint64_t)(record->page_number - 1) * size;
    uint64_t index = at / r->page_size;
    if (index >= r->page_count) {
        return MC_OK;
    }
    if (!r->owned[index]) {
        uint8_t *copy = mc_arena_alloc(r->arena, r->page_size);
        if (copy == NULL) {
            return no_memory(r, "a page made of several records");
        }
        memcpy(copy, r->page[index], r->page_size);
        r->page[index] = copy;
        r->owned[index] = true;
    }
    uint8_t *own = (uint8_t *)(uintptr_t)r->page[index];
    memcpy(own + at % r->page_size, r->files->journal.data + record->offset, size);
    return MC_OK;
}

static mc_status lay_journal(recovery *r)
{
    const mc_journal *journal = &r->journal;
    bool small = journal->record_count > 0 && journal->page_size < r->page_size;
    if (small) {
        r->owned = mc_arena_calloc(r->arena, r->page_count, sizeof *r->owned);
        if (r->owned == NULL) {
            return no_memory(r, "marks of copied pages");
        }
    }
    for (size_t i = 0; i < journal->record_count; i++) {
        if (!small) {
            lay_large_record(r, &journal->record[i]);
            continue;
        }
        mc_status status = lay_small_record(r, &journal->record[i]);
        if (status != MC_OK) {
            return status;
        }
    }
    return MC_OK;
}

/* Of a frame larger than a page SQLite reads the first bytes (wal.c sqlite3WalReadFrame). */
static mc_status lay_wal(recovery *r)
{
    const mc_file *file = &r->files->wal;
    for (uint32_t frame = 1; frame <= r->wal.commit_frames; frame++) {
        uint32_t page_number = mc_wal_frame_page(&r->wal, file, frame);
        if (page_number > r->page_count) {
            continue;
        }
        if (r->wal.page_size < r->page_size) {
            return mc_fail(r->error, MC_REFUSED, "wal-page-size",
                           "wal: offset 8: expected a page size of at least %" PRIu32
                           " as in %s, found %" PRIu32,
                           r->page_size, r->where, r->wal.page_size);
        }
        r->page[page_number - 1] = file->data + mc_wal_frame_offset(&r->wal, frame);
    }
    return MC_OK;
}

static mc_status lay_pages(recovery *r)
{
    mc_status status = allocate_pages(r);
    if (status == MC_OK) {
        status = lay_main(r);
    }
    if (status == MC_OK) {
        status = lay_journal(r);
    }
    if (status == MC_OK) {
        status = lay_wal(r);
    }
    return status;
}

/* The rest of steps 1 to 3, the journal having been read. False in `*any` when what is left is an
 * empty database. */
static mc_status read_sidecars(recovery *r, bool *any)
{
    const mc_files *files = r->files;
    mc_status status = size_after_playback(r);
    if (status != MC_OK) {
        return status;
    }
    *any = pages_in(r->main_size, r->assumed) > 0;
    if (!*any) {
        return MC_OK;
    }
    status = mc_wal_open(&files->wal, &r->wal, NULL, r->error);
    if (status == MC_OK) {
        mc_wal_advance(&r->wal, &files->wal);
    }
    return status;
}

static uint32_t sidecars_of(const mc_files *files)
{
    return (files->journal.exists ? (uint32_t)MC_SIDECAR_JOURNAL : 0) |
           (files->wal.exists ? (uint32_t)MC_SIDECAR_WAL : 0) |
           (files->shm.exists ? (uint32_t)MC_SIDECAR_SHM : 0);
}

/* The sidecars that changed something: of a hot journal without a good first header SQLite makes
 * nothing but a free place in the folder. */
static uint32_t used_of(const recovery *r)
{
    return (r->journal.hot && r->journal.resizes ? (uint32_t)MC_SIDECAR_JOURNAL : 0) |
           (r->wal.commit_frames > 0 ? (uint32_t)MC_SIDECAR_WAL : 0);
}

/* A recovery of `files`, their journal read. */
static mc_status begin(recovery *r, const mc_files *files, uint64_t main_max, mc_arena *arena,
                       mc_error *error)
{
    *r = (recovery){.files = files, .arena = arena, .error = error, .main_max = main_max};
    r->assumed = mc_dbheader_assumed_page_size(files->main.data, files->main.size);
    if (!files->main.exists) {
        return mc_fail(error, MC_REFUSED, "main-missing", "main: no such file");
    }
    return mc_journal_read(files, arena, &r->journal, error);
}

static mc_status finish(recovery *r, mc_import *out)
{
    bool any;
    mc_status status = read_sidecars(r, &any);
    if (status != MC_OK || !any) {
        return status;
    }
    find_header(r);
    status = measure(r);
    if (status != MC_OK || r->page_count == 0) {
        return status;
    }
    status = lay_pages(r);
    if (status == MC_OK) {
        status = mc_dbheader_check_schema(r->page[0], r->page_size, r->where, r->error);
    }
    if (status == MC_OK) {
        out->image = (mc_image){r->page_size, r->page_count, r->page};
    }
    return status;
}

static mc_status recover_files(const mc_files *files, mc_arena *arena, mc_import *out,
                               uint32_t *used, mc_error *error)
{
    recovery r;
    out->image = (mc_image){0};
    out->sidecars = sidecars_of(files);
    mc_status status = begin(&r, files, UINT64_MAX, arena, error);
    status = status == MC_OK ? finish(&r, out) : status;
    *used = used_of(&r);
    return status;
}

mc_status mc_recover_files(const mc_files *files, mc_arena *arena, mc_import *out, mc_error *error)
{
    uint32_t used;
    return recover_files(files, arena, out, &used, error);
}

mc_status mc_recover_page_count(const uint8_t *page1, uint32_t page_size, uint32_t file_pages,
                                uint32_t *page_count, mc_error *error)
{
    *page_count = 0;
    if (file_pages == 0) {
        return MC_OK;
    }
    mc_dbheader header;
    mc_status status = mc_dbheader_check(page1, "page 1", &header, error);
    if (status != MC_OK) {
        return status;
    }
    if (header.page_size != page_size) {
        return mc_fail(error, MC_REFUSED, "page-size",
                       "page 1: offset 16: expected a page size of %" PRIu32 ", found %" PRIu32,
                       page_size, header.page_size);
    }
    return mc_dbheader_count(&header, "page 1", file_pages, page_count, error);
}

/* Only SQLite's unix VFS takes a main file of one byte for an empty one; through the v1 VFS it is a
 * database of one page with a bad header. The same byte, and one of the zeros that are read behind
 * it, say so. */
static mc_status lengthen(mc_file *main, mc_arena *arena, mc_error *error)
{
    if (!main->exists || main->size != 1) {
        return MC_OK;
    }
    uint8_t *bytes = mc_arena_calloc(arena, 2, 1);
    if (bytes == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "main: no memory for 2 bytes");
    }
    bytes[0] = main->data[0];
    *main = (mc_file){.exists = true, .data = bytes, .size = 2};
    return MC_OK;
}

/* Playback makes main as long as it was. On a file system that adds zeros; in a v1 store it
 * uncovers what a torn shrink left in chunks behind the size, all but the last page, which SQLite
 * writes as zeros, and it does nothing when less than a page is wanting (pager.c pager_truncate).
 */
static mc_status uncover(const mc_store *store, const recovery *r, mc_file *main)
{
    mc_v1 v1;
    mc_v1_parse(store, &v1);
    const mc_v1_file *stored = &v1.file[MC_V1_MAIN];
    uint32_t index;
    const mc_pair *last = stored->chunk_count > 0 ? &stored->chunk[stored->chunk_count - 1] : NULL;
    uint64_t size = (uint64_t)r->journal.original_pages * r->journal.page_size;
    if (!r->journal.resizes || main->size + r->journal.page_size > size || size > r->main_max ||
        last == NULL ||
        (mc_v1_chunk_index(last, &index) &&
         (uint64_t)index * MC_V1_CHUNK_BYTES + last->value_size <= main->size)) {
        return MC_OK;
    }
    mc_status status = mc_v1_show(stored, MC_V1_MAIN, size, r->arena, main, r->error);
    if (status == MC_OK) {
        memset((uint8_t *)main->data + size - r->journal.page_size, 0, r->journal.page_size);
    }
    return status;
}

static mc_status recover_store(const mc_store *store, mc_arena *arena, mc_import *out,
                               uint32_t *used, mc_error *error)
{
    recovery r;
    mc_files files;
    mc_status status = mc_v1_files(store, arena, &files, error);
    if (status == MC_OK && files.journal.size < MC_V1_CHUNK_BYTES) {
        /* A first header must fit a sector, and the v1 VFS says that those are chunks (pager.c
         * readJournalHdr): less restores nothing. */
        files.journal = (mc_file){.exists = files.journal.exists};
    }
    if (status == MC_OK) {
        status = lengthen(&files.main, arena, error);
    }
    if (status != MC_OK) {
        return status;
    }
    out->image = (mc_image){0};
    out->sidecars = sidecars_of(&files);
    status = begin(&r, &files, MC_V1_FILE_BYTES_MAX, arena, error);
    if (status == MC_OK) {
        status = uncover(store, &r, &files.main);
    }
    status = status == MC_OK ? finish(&r, out) : status;
    *used = used_of(&r);
    return status;
}

mc_status mc_recover(const mc_input *input, mc_arena *arena, mc_import *out, uint32_t *used,
                     mc_error *error)
{
    *used = 0;
    return input->kind == MC_INPUT_FILES ? recover_files(&input->files, arena, out, used, error)
                                         : recover_store(&input->store, arena, out, used, error);
}

static mc_status import(const mc_input *input, mc_arena *arena, mc_import *out, mc_error *error)
{
    uint32_t used;
    return mc_recover(input, arena, out, &used, error);
}

const mc_importer mc_importer_recover = {
    MC_IMPORTER_ABI,
    "recover",
    "plays back a hot journal or replays the WAL, and imports what SQLite would have recovered",
    import,
};
