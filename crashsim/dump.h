/* dump.h: a v1 store as text, one pair a line, in any order:
 *
 *     {"k":"hex key","v":"base64 value"}
 *
 * A line that is a JSON object with neither key (a header with metadata, say) is skipped, as are
 * blank lines, other keys beside the two, and pairs whose key is longer than a store's may be here
 * and does not begin as v1 keys do (08 01). Everything else is an error of one line that names the
 * dump, the line, and what was expected there: a line that is not a JSON object, one of the two
 * keys without the other, digits that are not hexadecimal, base64 that is not RFC 4648's (alphabet,
 * padding, unused bits zero), a key that was there before, and whatever passes a limit below. */
#ifndef MIDCOMMIT_CRASHSIM_DUMP_H
#define MIDCOMMIT_CRASHSIM_DUMP_H

#include <stdio.h>

#include "crashsim/kvstore.h"

/* Limits; a v1 key's is MC_KV_KEY_MAX. */
#define MC_DUMP_BYTES_MAX ((uint64_t)1 << 30) /* of a whole dump */
enum {
    MC_DUMP_VALUE_BYTES_MAX = 128 * 1024,
    MC_DUMP_LINE_BYTES_MAX = 4 << 20 /* as JSON values it takes some fifty times the memory */
};

/* Reads a dump into the empty `store`; values lie in `arena`. `name` is what errors call the dump.
 * MC_MALFORMED or MC_NO_MEMORY leave the store empty. */
mc_status mc_dump_parse(const char *name, const char *text, size_t size, mc_arena *arena,
                        mc_kvstore *store, mc_error *error);

/* The same for a file; MC_IO when it cannot be read. */
mc_status mc_dump_read(const char *path, mc_arena *arena, mc_kvstore *store, mc_error *error);

/* Writes the pairs in ascending order of their keys. MC_IO when `file` takes no more; `name` is
 * what the error calls it. */
mc_status mc_dump_write(const mc_kvstore *store, FILE *file, const char *name, mc_error *error);

#endif
