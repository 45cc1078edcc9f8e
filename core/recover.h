/* recover.h: what SQLite would make of a main file and its sidecars, page by page, without SQLite.
 *
 * A plan names the source of every page of the recovered database without copying any: main's own
 * bytes, overlaid by what the journal restores, overlaid by the frames of the WAL that count. */
#ifndef MIDCOMMIT_CORE_RECOVER_H
#define MIDCOMMIT_CORE_RECOVER_H

#include "core/journal.h"
#include "core/wal.h"

/* SQLite's rule for how many pages a database has (btree.c lockBtree): the count in the header if it
 * is not zero and the change counter equals version-valid-for, else `file_pages`. MC_REFUSED when page
 * 1 is one that SQLite will not open, or the header counts more pages than there are. */
mc_status mc_recover_page_count(const uint8_t *page1, uint32_t page_size, uint32_t file_pages,
                                uint32_t *page_count, mc_error *error);

/* The whole of it: out->image for files. */
mc_status mc_recover_files(const mc_files *files, mc_arena *arena, mc_import *out, mc_error *error);

#endif
