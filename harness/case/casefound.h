/* casefound.h: a state that was found somewhere (a database with its sidecars, a v1 dump) as a
 * case.
 *
 * Nobody knows its commits, so what stock SQLite recovers from it is taken as the one snapshot: the
 * importers are judged against SQLite. Where SQLite recovers nothing, the snapshot is the empty
 * database. Its signature has "found" for the operation at the crash. A super-journal is not taken
 * along: a journal that names one counts as one whose transaction has ended. */
#ifndef MIDCOMMIT_HARNESS_CASE_CASEFOUND_H
#define MIDCOMMIT_HARNESS_CASE_CASEFOUND_H

#include "harness/case/case.h"
#include "harness/importer/importers.h"
#include "harness/migrate/source.h"

/* `name` is the state's own name, `subject` an index into `importers`, whose verdicts the case
 * expects. `out` is freed by the caller. */
mc_status mc_case_found(const mc_source *source, const char *name, const mc_importers *importers,
                        uint32_t subject, mc_case *out, mc_error *error);

#endif
