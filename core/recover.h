/* recover.h: what SQLite would make of a main file and its sidecars, page by page, without SQLite.
 *
 * Every page of the result points at its source: main's own bytes, overlaid by what the journal
 * restores, overlaid by the frames of the WAL that count. Only a page that lies in no source as a
 * whole is copied. */
#ifndef MIDCOMMIT_CORE_RECOVER_H
#define MIDCOMMIT_CORE_RECOVER_H

#include "core/journal.h"
#include "core/wal.h"

/* SQLite's rule for how many pages a database has (btree.c lockBtree): the count in the header if
 * it is not zero and the change counter equals version-valid-for, else `file_pages`. MC_REFUSED
 * when page 1 is one that SQLite will not open, states another page size, or counts more pages than
 * there are (dbheader.h lists the reasons). `page1` is not read, and the answer 0, when file_pages
 * is 0. */
mc_status mc_recover_page_count(const uint8_t *page1, uint32_t page_size, uint32_t file_pages,
                                uint32_t *page_count, mc_error *error);

/* The whole of it: out->image and out->sidecars for files. MC_REFUSED is what stock SQLite cannot
 * open or read; besides the reasons of dbheader.h, "wal-version" and "super-journal-self" there are
 *   main-missing   no main file: SQLite can only make a new one
 *   wal-page-size  a page would come from a WAL frame smaller than the page; SQLite takes the rest
 *                  from uninitialised memory (wal.c sqlite3WalReadFrame), so no answer is right
 *   too-large      the list of pages alone would pass the arena's limit (a forged size); or
 *                  of a v1 store, a file would (core/v1.h)
 *   metadata-size  of a v1 store: playback would make main longer than its VFS can */
mc_status mc_recover_files(const mc_files *files, mc_arena *arena, mc_import *out, mc_error *error);

/* The same for files or a v1 store, which recovers as SQLite does through the v1 VFS. `*used`:
 * MC_SIDECAR_... of the sidecars that say what the image is, the others being stale. */
mc_status mc_recover(const mc_input *input, mc_arena *arena, mc_import *out, uint32_t *used,
                     mc_error *error);

/* The importer `recover`. */
extern const mc_importer mc_importer_recover;

#endif
