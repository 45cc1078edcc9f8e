/* films.h: of each cell of a run the film (film.h) of one transaction: that in which an importer
 * did worst. */
#ifndef MIDCOMMIT_HARNESS_RUN_FILMS_H
#define MIDCOMMIT_HARNESS_RUN_FILMS_H

#include "harness/run/run.h"

/* At most so many programs and libraries are run for the films: each takes milliseconds a state. */
enum { MC_FILMS_PROGRAMS_MAX = 2 };

typedef struct mc_films {
    char **text; /* by cell of the result; null: it has none */
    uint32_t count;
    uint32_t made;
    bool programs_left; /* programs or libraries of the run are not in them */
} mc_films;

/* Records again and walks. `programs`: the user has named those importers, so they may be run.
 * `films` must be zeroed and is freed with mc_films_free, also after a failure. */
mc_status mc_films_make(const mc_run_options *options, const mc_run_result *result, bool programs,
                        mc_films *films, mc_error *error);
void mc_films_free(mc_films *films);

#endif
