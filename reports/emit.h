/* emit.h: a case as one text that shows its finding without midcommit.
 *
 *     sql   a script for the stock sqlite3 shell, `sqlite3 new.db <case.sql`: the steps that led to
 *           the state, with comments that say where the process must be killed, what that leaves
 *           and what each importer makes of it
 *     sh    a POSIX shell script, `sh case.sh [FOLDER]`: builds the files, does what the importer
 *           does, and compares with the snapshots, all with base64, tar and sqlite3
 *     c     a C11 test, `cc case.c -lsqlite3 && ./a.out [FOLDER]`: the same as one program
 *
 * sh and c end with 0 when the expected verdict came out, 1 when another did, and 2 when stock
 * tools cannot say it (the importer is a program or library of the user, or one of ours refuses or
 * differs from SQLite for a reason of its own): then the files are there, and the text says how to
 * go on. "torn" asks that the database equals no snapshot, and "silent" that integrity_check says
 * ok; which check notices a loud one is not asked. A state of a v1 store is shown as the files that
 * its VFS saw in it.
 *
 * Everything in a case is untrusted. Its texts are reduced to printable ASCII and then quoted for
 * where they stand. The program itself stays SQL: a line of it cannot become a command of the
 * sqlite3 shell, and a program that needs what only that shell has is refused. Equal cases give
 * equal bytes. */
#ifndef MIDCOMMIT_REPORTS_EMIT_H
#define MIDCOMMIT_REPORTS_EMIT_H

#include "harness/case/case.h"

typedef enum mc_emit_kind { MC_EMIT_SQL, MC_EMIT_SH, MC_EMIT_C, MC_EMIT_KINDS } mc_emit_kind;

extern const char *const mc_emit_names[MC_EMIT_KINDS]; /* "sql", "sh", "c" */

/* `c` was read, or captured. `*text` is ended by a zero that `*size` does not count, and is freed
 * with free. MC_MALFORMED: the case expects nothing of its importer, has no workload.sql or one
 * that the sqlite3 shell must not be given (sql), or a dump of another form. */
mc_status mc_emit(const mc_case *c, mc_emit_kind kind, char **text, size_t *size, mc_error *error);

#endif
