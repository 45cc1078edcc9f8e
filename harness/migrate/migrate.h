/* migrate.h: one import of a real database or v1 store, with the verdict on its input.
 *
 * Read the source, judge it, import it by one policy, write what was asked for, sweep if asked to.
 * Nothing is written before the import has succeeded, and files before the v2 store, whose head is
 * what a next run looks at. Each output is whole or not there, at any moment.
 *
 * Outcomes:
 *     imported   the policy took the database, and every output holds it
 *     refused    the policy did not take it; `reason` is the importer's slug, or one of
 *                  main-missing           the source has no main file (`recover`; SQLite would
 *                                         make a new one, which is no migration)
 *                  page-size-unsupported  for v2, whose pages have 4096 bytes
 *     skipped    the v2 store has a head: whatever v1 holds, v2 is the database ("v2-has-head")
 *
 * The input's state, independent of the policy; the first that holds:
 *     malformed      there is no main file, or SQLite, and so `recover`, cannot open or read it
 *     torn           what recovery gives is damaged, by SQLite's own integrity_check
 *     hot-journal    SQLite would play the journal back, beginning with a good first header:
 *                    main alone is not the database
 *     wal            the WAL has frames that count: main alone is not the database
 *     stale-sidecar  there are sidecars, and SQLite would use none of them
 *     clean          no sidecar at all
 *
 * A sidecar is there as the field counted it: in a store when it has metadata or any chunk, among
 * files when the file exists. It is abandoned when the import makes no use of it: by `abandon` any,
 * by `recover` all but a hot journal (as above) and a WAL with frames that count. */
#ifndef MIDCOMMIT_HARNESS_MIGRATE_MIGRATE_H
#define MIDCOMMIT_HARNESS_MIGRATE_MIGRATE_H

#include "harness/migrate/source.h"

typedef enum mc_migrate_outcome {
    MC_MIGRATE_IMPORTED,
    MC_MIGRATE_REFUSED,
    MC_MIGRATE_SKIPPED,
    MC_MIGRATE_OUTCOMES
} mc_migrate_outcome;
extern const char *const mc_migrate_outcome_names[MC_MIGRATE_OUTCOMES];

typedef enum mc_migrate_state {
    MC_STATE_CLEAN,
    MC_STATE_HOT_JOURNAL,
    MC_STATE_WAL,
    MC_STATE_TORN,
    MC_STATE_STALE_SIDECAR,
    MC_STATE_MALFORMED,
    MC_STATES
} mc_migrate_state;
extern const char *const mc_migrate_state_names[MC_STATES]; /* "clean", "hot-journal", ... */

/* Where a migration ended that did not import, as the field's metrics count it: the source could
 * not be read as a file of its kind; its bytes are no database that the policy takes; an output
 * could not be written. */
typedef enum mc_migrate_phase {
    MC_PHASE_READ_V1,
    MC_PHASE_VALIDATE,
    MC_PHASE_FINALIZE,
    MC_PHASES
} mc_migrate_phase;
extern const char *const mc_migrate_phase_names[MC_PHASES]; /* "read_v1", "validate", "finalize" */

enum { MC_MIGRATE_REPORTS = 2 };

typedef struct mc_migrate_options {
    mc_source_kind from;
    const char *source;
    const mc_importer *policy; /* a built-in one */
    const char *to_file;       /* null: none; so for all outputs */
    const char *to_ltx;
    const char *to_v2;
    const char *report[MC_MIGRATE_REPORTS]; /* files that the caller will write when it is over;
                                               they are checked before anything is done. Null: none;
                                               "-": standard output */
    bool sweep;                             /* only with MC_SOURCE_LMDB and an output */
    uint64_t limit_bytes;                   /* the largest file or store taken */
} mc_migrate_options;

typedef struct mc_migration {
    const mc_importer *policy;
    mc_migrate_outcome outcome;
    const char *reason;     /* slug; null when imported */
    char detail[256];       /* the same for people */
    mc_migrate_phase phase; /* of a refusal or failure */
    uint32_t page_size;     /* of the imported image; 0 when nothing was imported */
    uint32_t pages;
    mc_hash128 content_hash;
    mc_migrate_state state;
    uint32_t sidecars;        /* bits MC_SIDECAR_* */
    uint32_t abandoned;       /* those of them that the import made no use of; 0 unless imported */
    bool compared;            /* imported, and recovery gives an image, too */
    uint32_t pages_differing; /* then: pages that differ from it, or are in one image only */
    size_t orphan_keys;       /* of a store (core/v1.h); 0 for files */
    uint64_t orphan_bytes;
    uint64_t kv_requests;
    bool swept;
    size_t swept_keys;
    uint64_t swept_bytes;
    double seconds; /* the only thing here that two runs may not agree on */
} mc_migration;

/* MC_OK: it ran, see out->outcome. Else it could not run, and `error` says why; out->phase is
 * where. Outputs: nothing is left of one that was not finished. MC_USAGE: an output would
 * take the place of the source, of another output or of a file that belongs to one of them. Sources
 * are never changed, but by a sweep, which comes last: after a migration that succeeded, or one
 * that was skipped because the v2 store holds exactly what this import gives, as after a run that
 * was killed before its sweep. */
mc_status mc_migrate(const mc_migrate_options *options, mc_migration *out, mc_error *error);

#endif
