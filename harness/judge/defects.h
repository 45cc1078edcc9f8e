/* defects.h: confirmed bugs of SQLite itself, each with the versions that have it and the evidence.
 *
 * A control that breaks SQLite's promise is a defect of midcommit's model until it is explained. A
 * row of this table explains it: on a version that has the bug, in a state that carries the bug's
 * mark, with the verdict that the bug gives. The mark is read from the state's bytes, so that
 * another bug in the same mode is never taken for this one. */
#ifndef MIDCOMMIT_HARNESS_JUDGE_DEFECTS_H
#define MIDCOMMIT_HARNESS_JUDGE_DEFECTS_H

#include <limits.h>

#include "core/importer.h"
#include "harness/judge/verdict.h"

enum { MC_DEFECT_NOT_FIXED = INT_MAX };

typedef struct mc_defect {
    const char *name;                     /* how it is reported */
    int first_version;                    /* as sqlite3_libversion_number gives it */
    int fixed_version;                    /* first version without it, or MC_DEFECT_NOT_FIXED */
    uint32_t verdicts;                    /* bits of mc_verdict_kind that the control then gives */
    uint32_t syncs;                       /* bits of mc_sync under which it happens; 0: any */
    const char *crashes;                  /* crash models, a list of words; null: any */
    bool (*shows)(const mc_files *files); /* the state carries the bug's mark */
    const char *reference;                /* where it is described */
} mc_defect;

extern const mc_defect mc_defects[]; /* ended by a row without name */

/* The defect of SQLite `version` that explains the control's verdict on this state, or null.
 * `crash` is the model's name ("kill", "kv:batch"). */
const mc_defect *mc_defect_find(int version, const mc_files *files, const mc_verdict *verdict,
                                mc_sync sync, const char *crash);

/* The row of that name, or null. */
const mc_defect *mc_defect_named(const char *name);

#endif
