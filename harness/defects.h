/* defects.h: confirmed bugs of SQLite itself, each with the versions that have it and the evidence. */
#ifndef MIDCOMMIT_HARNESS_DEFECTS_H
#define MIDCOMMIT_HARNESS_DEFECTS_H

#include "harness/verdict.h"

typedef struct mc_defect {
    const char *name;      /* how it is reported */
    int first_version;     /* as sqlite3_libversion_number gives it; 0: since ever */
    int fixed_version;     /* first version without it; INT_MAX: none yet */
    const char *workloads; /* comma list in which it shows */
    uint32_t modes;        /* bits of mc_mode */
    uint32_t verdicts;     /* bits of mc_verdict_kind that the control then gives */
    const char *reference; /* where it is described, one line */
} mc_defect;

/* The name of the known defect that explains this verdict of the control on the SQLite version under test, or
 * null. */
const char *mc_defect_find(int version, const char *workload, mc_mode mode,
                                const mc_verdict *verdict);

/* The table's own copy of a defect's name, or null when no defect has it. */
const char *mc_defect_name(const char *name);

#endif
