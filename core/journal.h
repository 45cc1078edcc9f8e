/* journal.h: reading a rollback journal as SQLite's hot-journal recovery reads it (fileformat2 3;
 * pager.c hasHotJournal, readJournalHdr, readSuperJournal, pager_playback). */
#ifndef MIDCOMMIT_CORE_JOURNAL_H
#define MIDCOMMIT_CORE_JOURNAL_H

#include "core/importer.h"

typedef struct mc_journal_record {
    uint32_t page_number;
    uint64_t offset; /* of the page's bytes in the journal */
} mc_journal_record;

/* What playing a journal back would do. */
typedef struct mc_journal {
    bool hot;            /* SQLite would play it back; false: `why` says why not */
    const char *why;     /* static slug, such as "absent", "zero-header", "super-journal-missing" */
    bool resizes;        /* a valid first header was found: main gets `original_pages` pages */
    uint32_t page_size;  /* of the records; bytes */
    uint32_t original_pages;
    mc_journal_record *record; /* in playback order; of two for one page the later wins */
    size_t record_count;
} mc_journal;

/* Decides whether the journal of `files` is hot and lists what it restores. `arena` holds the list. */
mc_status mc_journal_read(const mc_files *files, mc_arena *arena, mc_journal *out, mc_error *error);

/* The cheap part of that: could the journal be hot at all (exists, not empty, first byte not zero,
 * main not empty)? When false, no other byte of the journal matters. */
bool mc_journal_maybe_hot(const mc_files *files);

#endif
