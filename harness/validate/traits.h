/* traits.h: in what a disk state differs from what a kill would have left at the same crash point:
 * the classes by which states of a model and of real file systems are compared. */
#ifndef MIDCOMMIT_HARNESS_VALIDATE_TRAITS_H
#define MIDCOMMIT_HARNESS_VALIDATE_TRAITS_H

#include "crashsim/trace.h"

/* Of one file. */
typedef enum mc_trait {
    MC_TRAIT_NOT_MADE, /* it was made, and its name is not there */
    MC_TRAIT_BACK,     /* it was deleted, and its name is there */
    MC_TRAIT_SHORTER,
    MC_TRAIT_LONGER,
    MC_TRAIT_OLD,  /* 512 bytes that were written have not got there */
    MC_TRAIT_HOLE, /* zeros in place of bytes that were written */
    MC_TRAIT_TORN, /* of one write some units of 512 are there and some are not */
    MC_TRAIT_LATE, /* a write is not there, and a later one, to any file, is */
    MC_TRAITS
} mc_trait;

enum { MC_TRAIT_ROLES = 3, MC_TRAIT_CLASSES = MC_TRAIT_ROLES * MC_TRAITS };

extern const char *const mc_trait_names[MC_TRAITS];
extern const char *const mc_trait_roles[MC_TRAIT_ROLES]; /* main, journal, wal */

/* Bit (role * MC_TRAITS + trait) of each class that `state` belongs to. `killed` is what a kill
 * leaves at `point`. 0: it is that very state. */
uint32_t mc_traits_of(const mc_trace *trace, size_t point, const mc_disk *killed,
                      const mc_disk *state);

#endif
