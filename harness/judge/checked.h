/* checked.h: the reads of recovery whose bytes carry a checksum.
 *
 * A frame of a WAL with wrong salts or a wrong checksum ends recovery, whatever it holds
 * (fileformat2 4.1; wal.c walIndexRecover); so does a record of a rollback journal (fileformat2 3;
 * pager.c pager_playback_one_page). Torn in 2^9 ways, it is one class. That rests on the documents
 * and on core/, not on what SQLite was seen to read, so it is told apart and spot-checked
 * (classes.h). */
#ifndef MIDCOMMIT_HARNESS_JUDGE_CHECKED_H
#define MIDCOMMIT_HARNESS_JUDGE_CHECKED_H

#include "core/wal.h"
#include "crashsim/classes.h"

/* Around its read a check looks at the rest of the record: at most a page, and
 * MC_CHECKED_BESIDE_PAGE bytes. */
enum { MC_CHECKSUMS_MAX = 64, MC_CHECKED_BESIDE_PAGE = 8 };

typedef struct mc_checked {
    const mc_trace *trace;
    uint32_t page_size;
    bool is_wal;
    mc_wal wal;                          /* as it stands before the frame */
    uint32_t nonce;                      /* of the journal's header */
    uint64_t page_at;                    /* where the record's page begins */
    uint32_t checksum[MC_CHECKSUMS_MAX]; /* all that can be written behind the record */
    uint32_t checksum_count;
    uint64_t weight[MC_CHECKSUMS_MAX]; /* that the read has if it does not fail, each once */
    uint32_t weight_count;
    uint8_t page[MC_PAGE_SIZE_MAX];
    uint8_t *bytes; /* working memory */
    size_t capacity;
} mc_checked;

/* Zeroed but for trace and page size it is ready; free its bytes. Is this a read of a frame, or of
 * all of a record's page that is still open, and can all be said that its check needs? */
bool mc_checked_begin(mc_checked *checked, const mc_states *states, const mc_read *read);

/* As chosen now, does that fail the check, whatever checksum may lie behind it? */
bool mc_checked_fails(mc_checked *checked, const mc_states *states, const mc_read *read);

/* Both checksums are linear: that of a frame in its words, modulo 2^32 (wal.c walChecksumBytes:
 * sums of words and of sums), that of a record in the bytes that it takes (pager.c pager_cksum).
 * What the read has as chosen now, less the checksum beside it if that is read, too. */
uint64_t mc_checked_weight(mc_checked *checked, const mc_states *states, const mc_read *read);

#endif
