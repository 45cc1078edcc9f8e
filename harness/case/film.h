/* film.h: one transaction, as each of its crash states looks to each importer.
 *
 * A film is text (JSON) for the report page: the operations of one transaction, and for each crash
 * state between its first operation and the last before the next transaction the verdict of each
 * importer, which snapshot each page of its image belongs to, who noticed, and the first row that
 * differs. It is told by the functions by which `explain` tells one state, so both say the same.
 *
 * What repeats is kept once: a look is a number in "looks", a page map one in "maps". A map has one
 * list for each database of pairs (what, how many pages in a row), where `what` is twice the number
 * of a text in "texts", plus one if the page is wrong there; a list of roles has pairs (number of a
 * text in "roles", how many).
 *
 * Power losses have too many states at one crash point to show in a row. Their film has those that
 * it is given, with the choices that make each ("choices") and what is there of what was pending
 * ("losses"), by frame.
 *
 * Left out: states of a transaction beyond MC_FILM_ELEMENTS_MAX elements ("whole" is then false),
 * and mistakes with sidecars. */
#ifndef MIDCOMMIT_HARNESS_CASE_FILM_H
#define MIDCOMMIT_HARNESS_CASE_FILM_H

#include "harness/judge/judge.h"

enum { MC_FILM_ELEMENTS_MAX = 200, MC_FILM_LOSSES_MAX = 24 };

/* The film of the transaction in which crash point `point` lies (SIZE_MAX: the last transaction),
 * to be freed. options->sidecars and options->power must be zero. Null after a failure. */
char *mc_film_make(const mc_judge_options *options, size_t point, mc_error *error);

/* A state that a power loss left, as its name says it (mc_story_parse). */
typedef struct mc_film_state {
    size_t point;
    const char *choice;
} mc_film_state;

/* The film of the transaction in which `point` lies, with those of `states` that are in it, in
 * their order; options->power must be theirs. The workload is recorded once for each. */
char *mc_film_of_losses(const mc_judge_options *options, size_t point, const mc_film_state *states,
                        uint32_t count, mc_error *error);

#endif
