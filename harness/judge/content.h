/* content.h: which snapshot's content an image has: by its pages at once, by SQLite's dump if need
 * be.
 *
 * The pages decide when they can (oracle.h). An image whose pages match no snapshot is laid before
 * stock SQLite once: the detectors look at it, and if integrity_check accepts it and its logical
 * dump equals a snapshot's, it has that snapshot's content after all. Images are remembered by
 * their id. */
#ifndef MIDCOMMIT_HARNESS_JUDGE_CONTENT_H
#define MIDCOMMIT_HARNESS_JUDGE_CONTENT_H

#include "harness/judge/idmap.h"
#include "harness/judge/inspect.h"
#include "harness/judge/oracle.h"
#include "harness/judge/verdict.h"

/* An image that was laid before SQLite. */
typedef struct mc_seen_image {
    mc_outcome outcome;
    mc_inspection inspection;
    char
        role[40]; /* of the first page that differs from the nearer of snapshots acked, acked + 1 */
    uint32_t database;
    uint32_t page; /* that page */
} mc_seen_image;

typedef struct mc_content {
    mc_inspector *inspector;
    const mc_history *history;
    uint32_t *classes; /* by snapshot */
    uint32_t class_count;
    mc_hash128 *class_dump; /* by class */
    uint32_t empty_class;   /* MC_NO_CLASS when no snapshot is without schema */
    uint32_t domain; /* set by the caller; the role of an image is that of its first meeting in one
                        domain, so that what is asked in one does not show in another */
    mc_idmap map;    /* by image and domain */
    mc_idmap inspected; /* by image: one that was laid before SQLite, in any domain */
    mc_seen_image *seen;
    uint32_t seen_count;
    uint32_t seen_capacity;
    mc_arena scratch;
} mc_content;

/* Dumps every snapshot (the history must have kept contents) and assigns classes. */
mc_status mc_content_open(mc_content *content, const mc_history *history, mc_error *error);
void mc_content_close(mc_content *content);

/* Makes the images (one per database) of the view whose outcome is asked, when they are needed. */
typedef mc_status (*mc_images_fn)(void *context, mc_arena *arena, mc_image *images,
                                  mc_error *error);

/* The first bytes of one database of that view as it is now, at least 100, or null when there is no
 * page 1. */
typedef const uint8_t *(*mc_head_fn)(void *context, uint32_t database);

/* The outcome of a view of the oracle. A check of an image that equals no snapshot sees the fields
 * of page 1 that make no difference to its content, too, so they name it beside its pages: `head`
 * gives them, or, when it is null, the images. */
mc_status mc_content_of_view(mc_content *content, const mc_oracle *oracle, uint32_t view,
                             mc_images_fn images, mc_head_fn head, void *context, mc_outcome *out,
                             mc_error *error);

/* What SQLite said of an image that equals no snapshot, or null if it was never asked in this
 * domain. */
const mc_seen_image *mc_content_seen(const mc_content *content, mc_hash128 image);

/* The first page of a view that differs from the nearer of snapshots acked and acked + 1: page 0
 * when only the page counts differ. Returns the snapshot compared with. */
uint32_t mc_content_first_wrong(const mc_oracle *oracle, uint32_t view, uint32_t *database,
                                uint32_t *page);

/* The role of a page in a snapshot: "table leaf", or "page count" for page 0. */
mc_status mc_content_role(mc_content *content, uint32_t snapshot, uint32_t database, uint32_t page,
                          char *out, size_t size, mc_error *error);

#endif
