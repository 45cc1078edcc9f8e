/* Reading a rollback journal.
 *
 * Playback is a walk over untrusted bytes in which nothing is an error: where a header or a record
 * is not what it must be, SQLite stops, deletes the journal and goes on with what it has restored
 * by then. So the walk here keeps SQLite's order of tests exactly, because the order decides what
 * is restored: the super-journal is looked for at the file's end before the first header is read;
 * the first header's sizes hold for the whole file; a record's page must be wholly there before its
 * number is judged; a record beyond the old size is passed over without a look at its checksum,
 * which may even be cut off.
 *
 * The first header must fit a sector of the reading pager, not of the writing one. That is 512
 * bytes on every file system with powersafe overwrite (pager.c setSectorSize), SQLite's default on
 * unix. */
#include "core/journal.h"

#include <assert.h>
#include <string.h>

#include "core/bytes.h"
#include "core/dbheader.h"

enum {
    READER_SECTOR_BYTES = 512,
    CHECKSUM_STRIDE = 200,
    RECORD_EXTRA_BYTES = 8,  /* page number before the page, checksum behind it */
    SUPER_TRAILER_BYTES = 16 /* length, sum and magic behind the super-journal's name */
};

const uint8_t mc_journal_magic[MC_JOURNAL_MAGIC_BYTES] = {0xd9, 0xd5, 0x05, 0xf9,
                                                          0x20, 0xa1, 0x63, 0xd7};

/* Where playback stands. */
typedef struct playback {
    mc_reader reader;
    mc_journal *out;
    uint32_t sector_size;
    uint32_t nonce;
    uint32_t count; /* records that the current header announces */
} playback;

uint32_t mc_journal_checksum(uint32_t nonce, const uint8_t *page, uint32_t page_size)
{
    assert(page_size >= MC_PAGE_SIZE_MIN);
    uint32_t sum = nonce;
    for (int32_t at = (int32_t)page_size - CHECKSUM_STRIDE; at > 0; at -= CHECKSUM_STRIDE) {
        sum += page[at];
    }
    return sum;
}

const uint8_t *mc_journal_super_name(const mc_file *journal, size_t *name_size)
{
    uint64_t size = mc_journal_file_size(journal);
    if (size < SUPER_TRAILER_BYTES) {
        return NULL;
    }
    mc_reader reader = mc_reader_init(journal->data, size);
    mc_reader_seek(&reader, size - SUPER_TRAILER_BYTES);
    uint32_t length = mc_reader_be32(&reader);
    uint32_t sum = mc_reader_be32(&reader);
    const uint8_t *magic = mc_reader_take(&reader, MC_JOURNAL_MAGIC_BYTES);
    assert(magic != NULL);
    if (length == 0 || length > MC_JOURNAL_SUPER_NAME_MAX || length > size - SUPER_TRAILER_BYTES ||
        memcmp(magic, mc_journal_magic, MC_JOURNAL_MAGIC_BYTES) != 0) {
        return NULL;
    }
    const uint8_t *name = journal->data + (size - SUPER_TRAILER_BYTES - length);
    for (uint32_t i = 0; i < length; i++) {
        int32_t letter = (int8_t)name[i]; /* plain char, which is signed where SQLite wrote it */
        sum -= (uint32_t)letter;
    }
    /* SQLite handles the name as a C string from here on: a zero inside ends it. */
    size_t terminated = strnlen((const char *)name, length);
    if (sum != 0 || terminated == 0) {
        return NULL;
    }
    *name_size = terminated;
    return name;
}

/* The file that the journal names as its super-journal. False when it names none. */
static bool find_super_journal(const mc_files *files, mc_file *out)
{
    size_t name_size;
    const uint8_t *name = mc_journal_super_name(&files->journal, &name_size);
    *out = (mc_file){0};
    if (name == NULL) {
        return false;
    }
    if (files->other == NULL || !files->other(files->context, name, name_size, out)) {
        *out = (mc_file){0};
    }
    return true;
}

static bool is_same_file(const mc_file *a, const mc_file *b)
{
    return a->exists && b->exists && a->size > 0 && a->size == b->size && a->data == b->data;
}

/* Null when the journal may be hot, else why it is not (pager.c hasHotJournal). */
static const char *not_hot(const mc_files *files)
{
    if (!files->journal.exists) {
        return "absent";
    }
    if (files->journal.size == 0) {
        return "empty";
    }
    if (!files->main.exists || mc_journal_file_size(&files->main) == 0) {
        return "main-empty";
    }
    if (files->journal.data[0] == 0) {
        return "zero-header";
    }
    return NULL;
}

bool mc_journal_maybe_hot(const mc_files *files)
{
    return not_hot(files) == NULL;
}

static bool is_power_of_two_within(uint32_t value, uint32_t least, uint32_t most)
{
    return value >= least && value <= most && (value & (value - 1)) == 0;
}

/* What only the first header decides: sizes and the old length of main. */
static bool read_first_sizes(playback *play, const mc_file *main, uint32_t original_pages)
{
    uint32_t sector_size = mc_reader_be32(&play->reader);
    uint32_t page_size = mc_reader_be32(&play->reader);
    if (page_size == 0) { /* written before 3.5.8 */
        page_size = mc_dbheader_assumed_page_size(main->data, main->size);
    }
    if (!is_power_of_two_within(page_size, MC_PAGE_SIZE_MIN, MC_PAGE_SIZE_MAX) ||
        !is_power_of_two_within(sector_size, MC_JOURNAL_SECTOR_MIN, MC_JOURNAL_SECTOR_MAX)) {
        return false;
    }
    play->sector_size = sector_size;
    play->out->resizes = true;
    play->out->page_size = page_size;
    play->out->original_pages = original_pages;
    return true;
}

/* Reads the header at the next sector boundary and leaves the reader at its first record. Null, or
 * the slug that ends playback (pager.c readJournalHdr). */
static const char *read_header(playback *play, const mc_file *main)
{
    mc_reader *reader = &play->reader;
    uint64_t size = reader->bytes.size;
    uint64_t at = (reader->offset + play->sector_size - 1) / play->sector_size * play->sector_size;
    if (reader->failed || at + play->sector_size > size) {
        return "end";
    }
    mc_reader_seek(reader, at);
    const uint8_t *magic = mc_reader_take(reader, MC_JOURNAL_MAGIC_BYTES);
    if (magic == NULL || memcmp(magic, mc_journal_magic, MC_JOURNAL_MAGIC_BYTES) != 0) {
        return "no-header";
    }
    play->count = mc_reader_be32(reader);
    play->nonce = mc_reader_be32(reader);
    uint32_t original_pages = mc_reader_be32(reader);
    assert(!reader->failed); /* the smallest sector, 32 bytes, holds the first five fields */
    if (at == 0 && !read_first_sizes(play, main, original_pages)) {
        return "bad-sizes";
    }
    mc_reader_seek(reader, at + play->sector_size);
    return NULL;
}

/* One record: null, or the slug that ends playback (pager.c pager_playback_one_page). */
static const char *read_record(playback *play)
{
    mc_reader *reader = &play->reader;
    mc_journal *out = play->out;
    uint32_t page_number = mc_reader_be32(reader);
    uint64_t page_at = reader->offset;
    const uint8_t *page = mc_reader_take(reader, out->page_size);
    if (page == NULL) {
        return "short-record";
    }
    if (page_number == 0) {
        return "page-zero";
    }
    if (page_number == mc_lock_byte_page(out->page_size)) {
        return "lock-byte-page";
    }
    uint32_t checksum = mc_reader_be32(reader);
    if (page_number > out->original_pages) {
        return NULL; /* also when the checksum is cut off: then the next read ends playback */
    }
    if (reader->failed) {
        return "short-record";
    }
    if (checksum != mc_journal_checksum(play->nonce, page, out->page_size)) {
        return "bad-checksum";
    }
    out->record[out->record_count++] = (mc_journal_record){page_number, page_at};
    return NULL;
}

/* Room for all records that the bytes could hold, whatever the headers say. */
static mc_status allocate_records(playback *play, mc_arena *arena, mc_error *error)
{
    uint64_t most = play->reader.bytes.size / (play->out->page_size + RECORD_EXTRA_BYTES);
    play->out->record = mc_arena_calloc(arena, (size_t)most + 1, sizeof *play->out->record);
    if (play->out->record == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory",
                       "journal: no memory for a list of %llu records", (unsigned long long)most);
    }
    return MC_OK;
}

static mc_status play_back(playback *play, const mc_file *main, mc_arena *arena, mc_error *error)
{
    mc_journal *out = play->out;
    while (out->end == NULL) {
        bool had_header = out->resizes;
        out->end = read_header(play, main);
        if (out->end != NULL) {
            break;
        }
        if (!had_header) {
            mc_status status = allocate_records(play, arena, error);
            if (status != MC_OK) {
                return status;
            }
        }
        /* A count of 0xffffffff (the writer never synced) means as many records as fit, and needs
         * no case of its own: reading ends at the first one that is short, and behind it there is
         * no room for a header with a record. */
        for (uint32_t i = 0; i < play->count && out->end == NULL; i++) {
            out->end = read_record(play);
        }
    }
    return MC_OK;
}

mc_status mc_journal_read(const mc_files *files, mc_arena *arena, mc_journal *out, mc_error *error)
{
    *out = (mc_journal){.why = not_hot(files)};
    if (out->why != NULL) {
        return MC_OK;
    }
    mc_file super;
    if (find_super_journal(files, &super)) {
        /* Gone or empty means that its transaction committed everywhere (pager.c pager_playback).
         */
        if (!super.exists || super.size == 0) {
            out->why = "super-journal-missing";
            return MC_OK;
        }
        if (is_same_file(&super, &files->main) || is_same_file(&super, &files->journal) ||
            is_same_file(&super, &files->wal)) {
            return mc_fail(
                error, MC_REFUSED, "super-journal-self",
                "journal: the super-journal named at its end is a file of this database");
        }
    }
    out->hot = true;
    playback play = {
        .reader = mc_reader_init(files->journal.data, mc_journal_file_size(&files->journal)),
        .out = out,
        .sector_size = READER_SECTOR_BYTES,
    };
    return play_back(&play, &files->main, arena, error);
}
