/* handover.h: the mistakes that copy, backup, move and restore tools make with sidecars.
 *
 * At a crash state the files are one database: main, journal, WAL and their names belong together.
 * Whoever carries them elsewhere can lose one, cut one short, or put one beside a main file that it
 * does not belong to. Each such mistake is one row of a table; it changes one file of the first
 * database and leaves all others as the crash left them.
 *
 * A mistake is made by exchanging the file's buffer in the disk and taken back by exchanging it
 * again: exact, and without a copy of the state. It is made only in states in which it changes
 * something. A file that comes from elsewhere is put there also where there was none: an old
 * journal beside a main file that has none is the mistake at its most common.
 *
 * What older and foreign sidecars are:
 *
 *   older-journal   the journal of an acknowledged transaction, as it lay just before the commit
 *                   deleted, truncated or zeroed it; the last such
 *   older-wal       the WAL as it lay when the transaction before the last acknowledged one was
 *                   acknowledged: a prefix of the present one, or of an older generation
 *   other-*         of another database with the same table, as two users of one application have:
 *                   a small second recording (workload `mixed`, the next seed) of the same page
 *                   size. The journal just before the last commit deletes it, the WAL at the last
 *                   acknowledgement at which it had frames that count
 *   restored        main is the image of the first commit that left a schema, as a backup would
 *                   have written it, from when that commit has been acknowledged on */
#ifndef MIDCOMMIT_HARNESS_JUDGE_HANDOVER_H
#define MIDCOMMIT_HARNESS_JUDGE_HANDOVER_H

#include "crashsim/crash.h"
#include "crashsim/record.h"
#include "harness/judge/history.h"

enum { MC_MISTAKES_MAX = 32, MC_MISTAKE_AS_IS = 0 };

/* Which file of the first database a mistake changes. */
typedef enum mc_handed_file {
    MC_HANDED_NONE,
    MC_HANDED_MAIN,
    MC_HANDED_JOURNAL,
    MC_HANDED_WAL,
    MC_HANDED_SHM,
    MC_HANDED_FILES
} mc_handed_file;

/* A file that is handed over in another's place. */
typedef struct mc_kept {
    uint8_t *data;
    uint64_t size;
    uint64_t capacity;
    bool exists;
    mc_hash128 hash; /* of the bytes */
    uint32_t commit; /* which transaction's; of a backup, which snapshot */
} mc_kept;

typedef struct mc_handover mc_handover;

typedef struct mc_mistake {
    const char *name;    /* "no-journal" */
    const char *summary; /* one line */
    mc_handed_file file;
    bool promised; /* what SQLite promises of a crash holds all the same */
    /* The file to hand over instead of `present`, or null where the mistake changes nothing. */
    mc_kept *(*make)(mc_handover *handover, const mc_crash *crash, const mc_disk_file *present);
    const char *source; /* in a story, what took the file's place; %u: mc_kept.commit; or null */
} mc_mistake;

extern const mc_mistake mc_mistakes[]; /* [MC_MISTAKE_AS_IS] is none; a row without name ends it */

/* The index of the mistake of that name, or MC_MISTAKES_MAX. */
uint32_t mc_mistake_find(const char *name);

/* How many of the bits `chosen` are set; 0 chooses what 1 << MC_MISTAKE_AS_IS does. */
uint32_t mc_mistake_count(uint32_t chosen);

/* The mistake of number `rank` among the chosen ones, in the order of the table. */
uint32_t mc_mistake_chosen(uint32_t chosen, uint32_t rank);

struct mc_handover {
    mc_disk *disk; /* null: no mistakes were chosen, and nothing below is used */
    const char *database;
    uint16_t slot[MC_HANDED_FILES];
    mc_kept scratch; /* what is made from the present file */
    mc_kept ending;  /* the journal of the commit in flight, from when it is about to end */
    mc_kept older_journal;
    mc_kept last_wal; /* at the last acknowledgement */
    mc_kept older_wal;
    mc_kept other_journal;
    mc_kept other_wal;
    mc_kept backup;
    struct mc_handed_hash *hash; /* by file of the disk */
    uint32_t hash_count;
    uint64_t *term; /* four for each file that exists: what names a state */
    bool no_memory;
    /* While a mistake is in force: */
    const mc_mistake *mistake; /* null: none is */
    mc_kept *given;
    mc_disk_file replaced;
};

/* Stands at the trace's base. `chosen` has bits of mistakes; with none but as-is nothing is done.
 * `record` is the trace's recipe. */
mc_status mc_handover_open(mc_handover *handover, uint32_t chosen, const mc_record_options *record,
                           mc_trace *trace, const mc_history *history, mc_error *error);
void mc_handover_close(mc_handover *handover);

/* What a walk passes must be told: each state before anything is made of it, each operation, each
 * acknowledgement. */
void mc_handover_watch(mc_handover *handover, const mc_crash *crash);
void mc_handover_applied(mc_handover *handover, const mc_op *op);
void mc_handover_acked(mc_handover *handover, uint32_t commit);

/* Makes mistake number `mistake` in the present state. `*made` is false where it changes nothing;
 * then there is nothing to take back. `handed` is the crash with the id of the files as they are
 * now: equal exactly when all bytes, sizes and existences are. */
mc_status mc_handover_make(mc_handover *handover, uint32_t mistake, const mc_crash *crash,
                           mc_crash *handed, bool *made, mc_error *error);
void mc_handover_take_back(mc_handover *handover);

/* In one sentence each, while a mistake is in force: what was done, and what SQLite itself makes of
 * the sidecars that are there now (empty when there is none). */
void mc_handover_tell(const mc_handover *handover, char *done, size_t done_size, char *effect,
                      size_t effect_size);

#endif
