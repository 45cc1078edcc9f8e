/* findings.h: the findings of all cells, one for each signature (inside reports/). */
#ifndef MIDCOMMIT_REPORTS_FINDINGS_H
#define MIDCOMMIT_REPORTS_FINDINGS_H

#include "harness/run/run.h"

typedef struct mc_found {
    const mc_finding *first; /* of that signature, in the order of the cells */
    const mc_run_cell *cell; /* that has it */
    uint64_t count;          /* states, or of a power loss classes of states, over all cells */
} mc_found;

/* In the order in which they were first met; `*count` of them, to be freed with free. Null without
 * memory, or when there is none. */
mc_found *mc_findings(const mc_run_result *result, uint32_t *count);

/* The importer of whose images it tells: "abandon"; of the control and of the differential
 * "sqlite". */
const char *mc_finding_importer(const mc_run_result *result, const mc_finding *finding);

#endif
