/* verdict.h: from what an importer made of a disk state to the word that people read.
 *
 *     clean    exact      equals snapshot acked
 *              ahead      equals the snapshot of the commit in flight: nobody was told either way
 *     stale    behind N   equals an older snapshot: N acknowledged commits are lost
 *              empty      no schema, though commits were acknowledged
 *     torn     loud       equals no snapshot, and some detector notices
 *              silent     equals no snapshot, and every detector says ok
 *     blocked  reason     refused, though stock SQLite recovers a snapshot from the same bytes
 *     refused  reason     refused, and stock SQLite recovers no snapshot either
 *
 * Pure rules over content classes: snapshots with equal content share a class, so a commit that
 * changed nothing, or changed it back, can never turn a clean state stale. */
#ifndef MIDCOMMIT_HARNESS_JUDGE_VERDICT_H
#define MIDCOMMIT_HARNESS_JUDGE_VERDICT_H

#include "crashsim/record.h"

typedef enum mc_verdict_kind {
    MC_CLEAN,
    MC_STALE,
    MC_TORN,
    MC_BLOCKED,
    MC_REFUSED_TOO,
    MC_VERDICTS
} mc_verdict_kind;

extern const char *const mc_verdict_names[MC_VERDICTS]; /* "clean", "stale", ... */

enum { MC_NO_CLASS = 0xffffffff };

/* What an importer made of a state, independent of what was acknowledged. */
typedef enum mc_outcome_kind {
    MC_OUTCOME_SNAPSHOT, /* an image whose content is that of class `content_class` */
    MC_OUTCOME_OTHER,    /* an image that equals no snapshot */
    MC_OUTCOME_REFUSED,  /* a refusal; for the control: SQLite cannot open or read it */
    MC_OUTCOME_FAILED    /* the importer itself failed: no verdict is possible */
} mc_outcome_kind;

typedef struct mc_outcome {
    mc_outcome_kind kind;
    uint32_t content_class;
    uint32_t noticed;   /* detectors that raised an alarm (inspect.h), when they were asked */
    const char *reason; /* REFUSED: a static or interned slug */
    mc_hash128 image;   /* names the image; zero when there is none */
} mc_outcome;

typedef struct mc_verdict {
    mc_verdict_kind kind;
    bool ahead;       /* clean */
    bool empty;       /* stale */
    uint32_t behind;  /* stale: acknowledged commits lost */
    uint32_t changes; /* of them, commits that changed anything */
    bool silent;      /* torn */
    const char *reason;
} mc_verdict;

/* `classes[k]` is the content class of snapshot k, for k up to `begun`; `empty_class` the class
 * without schema, or MC_NO_CLASS. `control_recovers`: stock SQLite recovers some snapshot from the
 * state. */
mc_verdict mc_verdict_of(const mc_outcome *outcome, const uint32_t *classes, uint32_t acked,
                         uint32_t begun, uint32_t empty_class, bool control_recovers);

/* What to look at first: torn, then stale, then blocked; 0: nothing to look at. */
int mc_verdict_rank(mc_verdict_kind kind);

/* "clean", "clean, ahead", "stale, behind 3", "stale, empty", "torn, silent", "blocked: reason". */
void mc_verdict_text(const mc_verdict *verdict, char *out, size_t size);

/* What SQLite promises after recovery: one row of the promise table per mode, synchronous and
 * model. */
typedef enum mc_promise {
    MC_PROMISE_CLEAN,  /* every acknowledged commit is there, whole */
    MC_PROMISE_LAST,   /* consistent; the last acknowledged commit may be lost */
    MC_PROMISE_STALE,  /* consistent; acknowledged commits back to the last sync may be lost */
    MC_PROMISE_NOTHING /* anything may come out */
} mc_promise;

/* The promise for a crash of kind "kill", "kv" or "power:PROFILE" (power.h), and the document it
 * comes from in `source` (static). `databases`: how many are attached and written together. */
mc_promise mc_promise_of(mc_mode mode, mc_sync sync, const char *crash, uint32_t databases,
                         const char **source);

/* Does a control verdict keep the promise? */
bool mc_promise_kept(mc_promise promise, const mc_verdict *verdict);

#endif
