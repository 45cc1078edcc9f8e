/* machine.h: a run for other systems: SARIF 2.1.0 for code-scanning pages, Markdown for the summary
 * of a CI job. Both from midcommit/run/1, checked (runfile.h). */
#ifndef MIDCOMMIT_REPORTS_MACHINE_H
#define MIDCOMMIT_REPORTS_MACHINE_H

#include <jansson.h>

/* SARIF text, to be freed; null without memory. One result for each finding: its rule is the
 * verdict; its level is error if it fails the run, warning if it is torn or stale, else note; its
 * fingerprint is the signature. There is no source file to point at, so its location is the first
 * state's name, as a relative URI, which `midcommit explain` takes. A known defect of SQLite is a
 * result that is suppressed, with the defect's name as the justification. */
char *mc_sarif(const json_t *run, const char *version);

/* GitHub-flavoured Markdown, to be freed; null without memory. `compared` is mc_compare's, or null.
 */
char *mc_markdown(const json_t *run, const json_t *compared);

#endif
