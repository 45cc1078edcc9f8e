/* case.h: one stored disk state with its snapshots, story and expected verdicts.
 *
 * NAME.case is a tar archive compressed with zstd, so stock tar reads it (`tar -xf NAME.case`):
 *
 *     case.json          the facts: schema, signature, recipe, expected verdicts, story
 *     workload.sql       the program that was run, as `run --workload` takes it; absent when the
 *                        state came from elsewhere (a dump, a fuzzer)
 *     main.db, main.db-journal, main.db-wal, main.db-shm, aux.db ..., or kv.jsonl
 *                        the disk state that the crash left; of -shm only that it exists
 *     snapshot-K.db      the database after commit K, for K = 0 (before the first) to `begun`;
 *                        snapshot-K-aux.db is the second database of an attached pair
 *
 * Equal content gives equal bytes: entries have no times, owners or other accidents, and their
 * order is that of their addition. A case comes from outside: it is read within limits, and a name
 * that could leave a folder, a link, a second entry of one name, or facts of another form are
 * errors of one line (MC_MALFORMED). Nothing is written while reading. */
#ifndef MIDCOMMIT_HARNESS_CASE_CASE_H
#define MIDCOMMIT_HARNESS_CASE_CASE_H

#include <jansson.h>

#include "core/importer.h"
#include "crashsim/power.h"
#include "crashsim/record.h"
#include "harness/case/pack.h"

enum {
    MC_CASE_ENTRIES_MAX = 2048,
    MC_CASE_NAME_BYTES = 64,    /* of an entry, terminator included */
    MC_CASE_COMMITS_MAX = 1000, /* snapshots of one case, but the first */
    MC_CASE_VERDICT_BYTES = 64,
    MC_CASE_FILE_BYTES_MAX = 64 << 20, /* of the compressed file */
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    MC_CASE_BYTES_MAX = 32 << 20 /* of everything in it: a fuzzer finds what is largest */
#else
    MC_CASE_BYTES_MAX = 256 << 20 /* of everything in it */
#endif
};

/* Zero-initialise to build one. */
typedef struct mc_case {
    mc_arena arena; /* owns names and bytes */
    json_t *facts;  /* case.json */
    mc_packed *entry;
    uint32_t entry_count;
} mc_case;

/* Adds a copy. MC_MALFORMED: a name that is not made of letters, digits, '.' and '-', or begins
 * with '.', or is there already; or a limit is passed. */
mc_status mc_case_add(mc_case *c, const char *name, const void *data, uint64_t size,
                      mc_error *error);

/* The entry of that name; `exists` is false when there is none. */
mc_file mc_case_file(const mc_case *c, const char *name);

/* "snapshot-2.db", "snapshot-2-aux.db". */
void mc_case_snapshot_name(uint32_t snapshot, uint32_t database, char out[MC_CASE_NAME_BYTES]);

/* Does an entry belong to the disk state? */
bool mc_case_is_state(const char *name);

/* The file as bytes, to be freed with free. */
mc_status mc_case_encode(const mc_case *c, uint8_t **out, size_t *size, mc_error *error);
mc_status mc_case_write(const mc_case *c, const char *path, mc_error *error);

/* Reads and checks; `name` is what errors call it. On failure nothing is left. */
mc_status mc_case_decode(const char *name, const uint8_t *data, size_t size, mc_case *c,
                         mc_error *error);
mc_status mc_case_read(const char *path, mc_case *c, mc_error *error);
void mc_case_free(mc_case *c);

/* Facts of a case that was read: they are there, and of their type and range. */
const char *mc_case_text(const mc_case *c,
                         const char *key);                  /* signature, state, importer, sqlite */
uint32_t mc_case_number(const mc_case *c, const char *key); /* acked, begun, page_size */
uint32_t mc_case_database_count(const mc_case *c);
const char *mc_case_database(const mc_case *c, uint32_t database);

/* The profile of a power loss; null where the machine lived on. */
const mc_power_profile *mc_case_power(const mc_case *c);

/* The recipe as options to record; workload is the state's own name for it. Pointers into `c`. */
void mc_case_recipe(const mc_case *c, mc_record_options *out);

/* The file name for a finding: its signature in safe letters, and a hash of it: "NAME.case". */
void mc_case_name_of(const char *signature, char *out, size_t size);

#endif
