/* ddmin.h: the smallest part of a list that still has a property (Zeller and Hildebrandt,
 * "Simplifying and Isolating Failure-Inducing Input", 2002): chunks are left out, large ones first,
 * until no single item can go. */
#ifndef MIDCOMMIT_HARNESS_CASE_DDMIN_H
#define MIDCOMMIT_HARNESS_CASE_DDMIN_H

#include <stdbool.h>
#include <stdint.h>

enum { MC_DDMIN_MAX = 4096 }; /* items of a list */

/* Does the list without the items whose `keep` is false still have the property? */
typedef bool (*mc_ddmin_fn)(void *context, const bool *keep, uint32_t count);

/* `keep` holds true for the items (at most MC_DDMIN_MAX) to begin with, which have the property,
 * and the smaller list on return. 1-minimal when `holds` did not change its mind. */
void mc_ddmin(bool *keep, uint32_t count, mc_ddmin_fn holds, void *context);

/* The same for pairs: items that can only go together, such as BEGIN and COMMIT. */
void mc_ddmin_pairs(bool *keep, uint32_t count, mc_ddmin_fn holds, void *context);

#endif
