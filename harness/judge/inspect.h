/* inspect.h: stock SQLite's opinion of an image: what its checks notice, and what it contains.
 *
 * The detectors are those that people put in front of an import. The dump is the logical content:
 * every schema row and every row of every table, typed, in key order, with user_version and
 * application_id, hashed to 128 bits. An image's dump counts as equal to a snapshot's only when
 * integrity_check accepts the image: a dump reads tables, so it cannot see a torn index. */
#ifndef MIDCOMMIT_HARNESS_JUDGE_INSPECT_H
#define MIDCOMMIT_HARNESS_JUDGE_INSPECT_H

#include "core/importer.h"

/* Bits of mc_inspection.noticed: the detectors that raised an alarm. */
enum {
    MC_NOTICED_HEADER = 1,          /* magic, page size, versions, fixed bytes */
    MC_NOTICED_PAGE_COUNT = 2,      /* the header counts other pages than there are */
    MC_NOTICED_QUICK_CHECK = 4,     /* PRAGMA quick_check says other than ok */
    MC_NOTICED_INTEGRITY_CHECK = 8, /* PRAGMA integrity_check says other than ok */
    MC_NOTICED_UNREADABLE = 16      /* it cannot be opened, or reading a table fails */
};
enum { MC_DETECTORS = 5 };
extern const char *const mc_detector_names[MC_DETECTORS]; /* by bit */

typedef struct mc_inspection {
    uint32_t noticed;
    bool dumped;  /* every table could be read to its end */
    bool corrupt; /* SQLite calls the content damaged; false too when all it lacks is, say, the
                     collation that an application would have registered */
    mc_hash128 dump;
    char complaint[160]; /* the first thing a detector said; empty when none did */
} mc_inspection;

typedef struct mc_inspector mc_inspector;

/* A connectionless SQLite on a private in-memory file system. Null without memory. */
mc_inspector *mc_inspector_open(void);
void mc_inspector_close(mc_inspector *inspector);

/* Runs every detector on the databases of one imported state and dumps them. Several databases
 * (attach) have one dump. An image of zero pages is the empty database: nothing notices it. */
mc_status mc_inspect(mc_inspector *inspector, const mc_image *image, uint32_t count,
                     mc_inspection *out, mc_error *error);

/* Only the dump, for images that are known to be sound (snapshots). */
mc_status mc_inspect_dump(mc_inspector *inspector, const mc_image *image, uint32_t count,
                          mc_hash128 *dump, mc_error *error);

/* The first row in which `found` differs from `expected`, as one line: table, key, column,
 * expected, found. An empty text means that no table's rows differ (an index, the schema or the
 * freelist does). */
mc_status mc_inspect_difference(mc_inspector *inspector, const mc_image *expected,
                                const mc_image *found, char *text, size_t text_size,
                                mc_error *error);

#endif
