/* rowdiff.h: all rows of a table in key order, and the first in which two databases differ. */
#ifndef MIDCOMMIT_HARNESS_JUDGE_ROWDIFF_H
#define MIDCOMMIT_HARNESS_JUDGE_ROWDIFF_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A query for all rows of a table in key order, read without an index; the first column is the
 * rowid where there is one. To be freed with sqlite3_free; null without memory. */
char *mc_rowdiff_query(sqlite3 *db, const char *table);

/* One line: table, row key, column, expected, found. Empty when no table of `expected` differs. */
void mc_rowdiff(sqlite3 *expected, sqlite3 *found, char *text, size_t size);

#endif
