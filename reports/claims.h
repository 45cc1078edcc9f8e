/* claims.h: SQLite's claims and what became of each, for people and for programs. */
#ifndef MIDCOMMIT_REPORTS_CLAIMS_H
#define MIDCOMMIT_REPORTS_CLAIMS_H

#include <stdio.h>

#include "harness/claims/claims.h"

/* A line and a few sentences for each claim that was tested, then how many came out how. `program`
 * is how midcommit is called, for the commands that show a state. */
void mc_report_claims(const mc_claims_result *result, const char *program, FILE *out);

/* midcommit/claims/1 as text, to be freed; null without memory. Everything but the keys under
 * "timing" is a function of the claims, the seed and SQLite. */
char *mc_report_claims_json(const mc_claims_result *result);

#endif
