/* witness.h: what a live connection says its database is, page by page (inside crashsim). */
#ifndef MIDCOMMIT_CRASHSIM_WITNESS_H
#define MIDCOMMIT_CRASHSIM_WITNESS_H

#include <sqlite3.h>

#include "crashsim/trace.h"

/* Reads database `schema` through SQLite's pager. The hashes lie in `arena`. A database larger than
 * `limit_bytes` gives page_count MC_WITNESS_NONE. The connection must not hold a transaction. */
mc_status mc_witness_read(sqlite3 *db, const char *schema, uint64_t limit_bytes, mc_arena *arena,
                          mc_witness *out, mc_error *error);

/* What a witness of `image` would say. False without memory. */
bool mc_witness_of_image(const mc_image *image, mc_arena *arena, mc_witness *out);

/* True when both were taken and say the same. */
bool mc_witness_equal(const mc_witness *a, const mc_witness *b);

#endif
