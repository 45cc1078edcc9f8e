/* lazyimage.h: an image with choices still open, and how many of them make it which snapshot.
 *
 * When recovery has ended, some pages of the database are settled: it wrote or read all of them.
 * The others are main's own, as the power loss left them, with cells whose choices nobody has
 * needed so far. The image equals a snapshot exactly if each of its bytes does, and the units of
 * the disk are free of each other, so the number of choices that make it that snapshot is a
 * product: over the units, of the choices that give a unit the snapshot's bytes. No state is made
 * for it. */
#ifndef MIDCOMMIT_HARNESS_JUDGE_LAZYIMAGE_H
#define MIDCOMMIT_HARNESS_JUDGE_LAZYIMAGE_H

#include "crashsim/classes.h"
#include "harness/judge/history.h"

/* What a reader made of the states of a class. */
typedef struct mc_end {
    const char *refusal; /* else null, and: */
    uint32_t page_count[MC_DATABASES_MAX];
    uint64_t *settled[MC_DATABASES_MAX]; /* by page - 1: its hash (mc_page_hash); 0: main's own.
                                            Null: all are */
} mc_end;

typedef struct mc_lazy mc_lazy;

/* `main_file[d]`: the number of database d's main file. Null without memory. */
mc_lazy *mc_lazy_open(const mc_history *history, const uint16_t *main_file);
void mc_lazy_close(mc_lazy *lazy);

/* The durable bytes have changed, or may have: page hashes are taken anew. */
void mc_lazy_forget(mc_lazy *lazy);

/* Of the open choices of the main files: match[s] of them make the image snapshot s, for s up to
 * `last`, and `rest` none. `*exact`: false where two snapshots are alike in all that is compared,
 * so that which of them it is cannot be said; the newer is. */
mc_status mc_lazy_share(mc_lazy *lazy, const mc_states *states, const mc_end *end, uint32_t last,
                        mpz_t *match, mpz_t rest, bool *exact, mc_error *error);

/* Makes choices that make the image that snapshot, where there are some. */
bool mc_lazy_pick(mc_lazy *lazy, const mc_states *states, const mc_end *end, uint32_t snapshot);

/* Equal for equal images, open choices taken as there. */
mc_hash128 mc_lazy_id(mc_lazy *lazy, const mc_states *states, const mc_end *end);

#endif
