/* replay.h: what people and CI servers read about a replay. */
#ifndef MIDCOMMIT_REPORTS_REPLAY_H
#define MIDCOMMIT_REPORTS_REPLAY_H

#include <stdio.h>

#include "harness/case/replay.h"

/* One line a case, and for one that changed what it expected, what was found, and the command that
 * explains it; at the end a sentence. `program` is how midcommit is called. `quiet`: only cases
 * that are not as expected. */
void mc_report_replay(const mc_replay *replay, const char *program, bool quiet, FILE *out);

/* JUnit XML (reports/schema/junit.xsd): a case is a testcase, a changed verdict a failure, a case
 * that could not be judged an error. To be freed with free. */
mc_status mc_report_junit(const mc_replay *replay, char **text, size_t *size, mc_error *error);

#endif
