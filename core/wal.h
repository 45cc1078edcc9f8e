/* wal.h: reading a write-ahead log as SQLite's recovery reads it (fileformat2 4; wal.c
 * walIndexRecover). */
#ifndef MIDCOMMIT_CORE_WAL_H
#define MIDCOMMIT_CORE_WAL_H

#include "core/importer.h"

enum { MC_WAL_HEADER_BYTES = 32, MC_WAL_FRAME_HEADER_BYTES = 24, MC_WAL_VERSION = 3007000 };

/* The magic's lowest bit says how checksums read words: 0 little-endian, 1 big-endian. */
#define MC_WAL_MAGIC 0x377f0682u

/* How far a WAL has been read. The scan can be continued when the file has grown, so following a
 * WAL while it is written costs each frame's checksum once. */
typedef struct mc_wal {
    bool usable;        /* the header is good; false: SQLite ignores the file */
    bool big_endian;    /* checksums read words big-endian (magic 0x377f0683) */
    uint32_t page_size; /* bytes */
    uint32_t salt[2];
    uint32_t checksum[2];    /* running, after `valid_frames` frames */
    uint32_t valid_frames;   /* frames whose salts and checksums hold, from the first on */
    uint32_t commit_frames;  /* how many of them count: up to the last commit frame */
    uint32_t database_pages; /* from that commit frame; 0 when commit_frames is 0 */
} mc_wal;

/* Reads the header. MC_OK also for a WAL that SQLite ignores (`usable` false; `why`, if not null,
 * gets a static slug: "absent", "short", "bad-magic", "bad-page-size", "bad-header-checksum").
 * MC_REFUSED, "wal-version": the checksum holds but the version is unknown, SQLite cannot open. */
mc_status mc_wal_open(const mc_file *file, mc_wal *wal, const char **why, mc_error *error);

/* Reads on from frame valid_frames + 1 to the first frame that is not valid. The frames before it
 * must not have changed: a file that was restarted (new salts in its header) is opened again. */
void mc_wal_advance(mc_wal *wal, const mc_file *file);

/* Of frame 1..valid_frames: its page number, and where its page lies in the file. */
uint32_t mc_wal_frame_page(const mc_wal *wal, const mc_file *file, uint32_t frame);
uint64_t mc_wal_frame_offset(const mc_wal *wal, uint32_t frame);

/* Folds `size` bytes, a multiple of 8, into the running checksum. */
void mc_wal_checksum(bool big_endian, const uint8_t *data, size_t size, uint32_t checksum[2]);

#endif
