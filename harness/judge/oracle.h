/* oracle.h: says in constant time whether an image is a snapshot.
 *
 * The oracle stands at one acknowledged commit of a history and moves forward with the trace. It
 * follows several views (an importer's image each) and keeps, per view, how many pages differ from
 * snapshot `acked` and from snapshot `acked + 1`, the only two that can make an image clean.
 * Setting a page costs O(1), moving on costs the pages that the commit changed. Older snapshots are
 * looked at only for images that match neither: by walking the differences back, adjusting one
 * counter.
 *
 * A page whose hash is MC_ANY in a snapshot differs from nothing there (history.h). */
#ifndef MIDCOMMIT_HARNESS_JUDGE_ORACLE_H
#define MIDCOMMIT_HARNESS_JUDGE_ORACLE_H

#include "harness/judge/history.h"

enum { MC_VIEWS_MAX = 3, MC_NO_SNAPSHOT = 0xffffffff };

typedef struct mc_view {
    uint64_t *hash[MC_DATABASES_MAX]; /* by page - 1; 0: the page does not exist */
    uint32_t page_count[MC_DATABASES_MAX];
    uint32_t mismatch[2]; /* pages of snapshot acked, acked + 1 that differ */
    mc_hash128 sum;       /* over the pages within page_count */
} mc_view;

typedef struct mc_oracle {
    const mc_history *history;
    uint32_t acked;
    uint32_t view_count;
    uint32_t capacity[MC_DATABASES_MAX];     /* pages, of all arrays */
    uint64_t *expected[2][MC_DATABASES_MAX]; /* hashes of snapshots acked, acked + 1 */
    mc_view view[MC_VIEWS_MAX];
} mc_oracle;

/* All views are empty databases, the oracle stands at snapshot 0. False without memory. */
bool mc_oracle_init(mc_oracle *oracle, const mc_history *history, uint32_t view_count);
void mc_oracle_free(mc_oracle *oracle);

/* The next commit has been acknowledged. */
void mc_oracle_advance(mc_oracle *oracle);

/* Page `page` of the view now has this hash (0: it is gone). False without memory. */
bool mc_oracle_set_page(mc_oracle *oracle, uint32_t view, uint32_t database, uint32_t page,
                        uint64_t hash);
uint64_t mc_oracle_page(const mc_oracle *oracle, uint32_t view, uint32_t database, uint32_t page);
bool mc_oracle_set_count(mc_oracle *oracle, uint32_t view, uint32_t database, uint32_t pages);

/* Makes the view that image. */
bool mc_oracle_set_image(mc_oracle *oracle, uint32_t view, uint32_t database,
                         const mc_image *image);

/* The snapshot that the view equals: acked, else acked + 1 (if there is one), else the newest older
 * one, else MC_NO_SNAPSHOT. */
uint32_t mc_oracle_match(const mc_oracle *oracle, uint32_t view);

/* Equal for equal images (page counts and page hashes): names an image in caches. */
mc_hash128 mc_oracle_image_id(const mc_oracle *oracle, uint32_t view);

#endif
