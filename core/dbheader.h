/* dbheader.h: the 100-byte header at the start of page 1 (fileformat2 1.3), and the checks that
 * stock SQLite makes on it before it reads anything else.
 *
 * The checks stand in SQLite's order, so that the first failure here is SQLite's first failure
 * (btree.c lockBtree; prepare.c sqlite3InitOne). Text encoding is missing on purpose: SQLite masks
 * the field with 3 and takes 0 as UTF-8, so no value is refused. Write version above 2 only makes a
 * database read-only.
 *
 * reason              SQLite says  rule
 * bad-magic           NOTADB       bytes 0..15 are "SQLite format 3" and a zero
 * read-version        NOTADB       byte 19 is at most 2
 * payload-fractions   NOTADB       bytes 21..23 are 64, 32, 32
 * page-size           NOTADB       a power of two, 512..65536
 * page-count          CORRUPT      the header's count, where it counts, is within the file
 * reserved-bytes      NOTADB       page size less byte 20 is at least 480
 * schema-format       ERROR        the low byte of the u32 at 44 is at most 4 (prepare.c)
 * schema-root         CORRUPT      page 1 is a table b-tree page with a possible number of cells */
#ifndef MIDCOMMIT_CORE_DBHEADER_H
#define MIDCOMMIT_CORE_DBHEADER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/result.h"

enum {
    MC_DBHEADER_BYTES = 100,
    MC_DBHEADER_MAGIC_BYTES = 16,
    MC_DBHEADER_PAGE_SIZE_DEFAULT = 4096, /* what a pager starts with (SQLITE_DEFAULT_PAGE_SIZE) */
    MC_DBHEADER_USABLE_SIZE_MIN = 480,
    MC_DBHEADER_SCHEMA_FORMAT_MAX = 4
};

extern const uint8_t mc_dbheader_magic[MC_DBHEADER_MAGIC_BYTES];

typedef struct mc_dbheader {
    uint32_t page_size; /* bytes; 0: not a power of two in 512..65536 */
    uint8_t write_version;
    uint8_t read_version;
    uint8_t reserved_bytes; /* unused bytes at the end of each page */
    uint8_t fractions[3];
    uint32_t change_counter;
    uint32_t page_count;   /* as written; it counts only if `page_count_valid` */
    bool page_count_valid; /* not zero, and the change counter equals version-valid-for */
    uint32_t freelist_trunk;
    uint32_t freelist_count;
    uint32_t schema_cookie;
    uint32_t schema_format;
    uint32_t text_encoding;
    uint32_t user_version;
    uint32_t version_valid_for;
} mc_dbheader;

/* The page size that the u16 at offset 16 stands for (1 means 65536), or 0 if it is none. */
uint32_t mc_dbheader_page_size(const uint8_t header[MC_DBHEADER_BYTES]);

/* The page size that SQLite assumes when it opens a main file of these bytes, before it has locked
 * it and read page 1: the header's if it is one, else the default (btree.c sqlite3BtreeOpen). */
uint32_t mc_dbheader_assumed_page_size(const uint8_t *main, uint64_t main_size);

/* Reads the fields; judges nothing. */
void mc_dbheader_parse(const uint8_t header[MC_DBHEADER_BYTES], mc_dbheader *out);

/* What lockBtree refuses before it looks at the page count: magic, read version, fractions and page
 * size. `where` says in the message which bytes these are ("main", "wal frame 7"). Fills `out`. */
mc_status mc_dbheader_check(const uint8_t header[MC_DBHEADER_BYTES], const char *where,
                            mc_dbheader *out, mc_error *error);

/* The rest of lockBtree: the page count by SQLite's rule when the storage holds `file_pages` pages,
 * and the usable size. `header` has passed mc_dbheader_check. */
mc_status mc_dbheader_count(const mc_dbheader *header, const char *where, uint32_t file_pages,
                            uint32_t *page_count, mc_error *error);

/* What reading sqlite_schema refuses at once: the schema format, and a page 1 that cannot be the
 * root of a table. `page1` holds page_size bytes. */
mc_status mc_dbheader_check_schema(const uint8_t *page1, uint32_t page_size, const char *where,
                                   mc_error *error);

#endif
