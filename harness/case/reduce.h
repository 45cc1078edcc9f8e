/* reduce.h: a smaller case with the same signature.
 *
 * What is shrunk is the program that made the state: statements of the program and of the setup are
 * left out, then numbers made smaller (rows, sizes, moduli), then parts of statements left out;
 * each candidate is recorded and every crash state of it judged, and it is smaller in earnest when
 * one of them has the signature still. So the result is again a real crash of a real SQLite.
 * Everything is repeated until nothing can go, or until `effort` is spent, and the result says
 * which. */
#ifndef MIDCOMMIT_HARNESS_CASE_REDUCE_H
#define MIDCOMMIT_HARNESS_CASE_REDUCE_H

#include "harness/case/case.h"
#include "harness/importer/importers.h"

/* Before and after. */
typedef struct mc_reduce_size {
    uint32_t setup;      /* statements */
    uint32_t statements; /* of the program */
    uint32_t commits;    /* begun before the crash */
    uint32_t pages;      /* of the snapshot in flight, all databases */
    uint64_t bytes;      /* of the disk state */
    bool torn_write;     /* the write at the crash point was cut */
} mc_reduce_size;

typedef struct mc_reduced {
    mc_reduce_size before;
    mc_reduce_size after;
    uint32_t tried;  /* programs that were run */
    bool no_program; /* the case has no program, so nothing could be left out */
    bool minimal;    /* nothing more can go; false: the effort was spent first */
} mc_reduced;

/* `importers` holds the case's own importer, and may hold others; their verdicts are what the
 * result expects. `effort` counts elements of traces that are judged; 0: the default, which is some
 * seconds. The result in `out` is freed by the caller. */
mc_status mc_reduce(const mc_case *c, const mc_importers *importers, uint64_t effort, mc_case *out,
                    mc_reduced *reduced, mc_error *error);

#endif
