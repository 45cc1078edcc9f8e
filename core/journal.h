/* journal.h: reading a rollback journal as SQLite's hot-journal recovery reads it (fileformat2 3;
 * pager.c hasHotJournal, readJournalHdr, readSuperJournal, pager_playback). */
#ifndef MIDCOMMIT_CORE_JOURNAL_H
#define MIDCOMMIT_CORE_JOURNAL_H

#include "core/importer.h"

enum {
    MC_JOURNAL_MAGIC_BYTES = 8,
    MC_JOURNAL_HEADER_BYTES = 28, /* the fields; a header fills a whole sector */
    MC_JOURNAL_SECTOR_MIN = 32,   /* bytes, as a header may state it */
    MC_JOURNAL_SECTOR_MAX = 65536,
    MC_JOURNAL_SUPER_NAME_MAX = 512 /* os_unix.c MAX_PATHNAME; a longer name counts as none */
};

extern const uint8_t mc_journal_magic[MC_JOURNAL_MAGIC_BYTES];

typedef struct mc_journal_record {
    uint32_t page_number;
    uint64_t offset; /* of the page's bytes in the journal */
} mc_journal_record;

/* What playing a journal back would do.
 *
 * `why`, when it is not hot: "absent", "empty", "zero-header", "main-empty" (SQLite deletes the
 * journal), "super-journal-missing" (deleted too).
 * `end`, when it is hot, says what playback met where it stopped: "end" (no room for another
 * header), "no-header" (no magic there), "bad-sizes" (first header's sector or page size),
 * "short-record", "page-zero", "lock-byte-page", "bad-checksum". None of them is an error to
 * SQLite. */
typedef struct mc_journal {
    bool hot;           /* SQLite would play it back; false: `why` says why not */
    const char *why;    /* static slug; null when hot */
    const char *end;    /* static slug; null when not hot */
    bool resizes;       /* a valid first header was found: main gets `original_pages` pages */
    uint32_t page_size; /* of the records; bytes; 0 when `resizes` is false */
    uint32_t original_pages;
    mc_journal_record *record; /* in playback order; of two for one page the later wins */
    size_t record_count;
} mc_journal;

/* Decides whether the journal of `files` is hot and lists what it restores. `arena` holds the list.
 * Fails without memory, and with MC_REFUSED "super-journal-self" when a hot journal names a file of
 * its own database as its super-journal, which no SQLite writes: after playback SQLite would delete
 * that file, main even, or fail to find the journal that it has just deleted (pager_delsuper). */
mc_status mc_journal_read(const mc_files *files, mc_arena *arena, mc_journal *out, mc_error *error);

/* The cheap part of that: could the journal be hot at all (exists, not empty, first byte not zero,
 * main not empty)? When false, no other byte of the journal matters. */
bool mc_journal_maybe_hot(const mc_files *files);

/* A record's checksum: `nonce` plus the bytes at page_size - 200, -400, ... above 0. */
uint32_t mc_journal_checksum(uint32_t nonce, const uint8_t *page, uint32_t page_size);

/* The name of the super-journal that the journal names at its end, or null. `*name_size` is without
 * the terminating zero that the name does not have. */
const uint8_t *mc_journal_super_name(const mc_file *journal, size_t *name_size);

/* SQLite's unix VFS reports a file of one byte as empty (os_unix.c unixFileSize), which is why a
 * main file of one byte is an empty database. */
static inline uint64_t mc_journal_file_size(const mc_file *file)
{
    return !file->exists || file->size == 1 ? 0 : file->size;
}

#endif
