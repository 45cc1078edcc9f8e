/* powerchoice.h: the answers that give one state of a power loss (power.h), as text: a digit in
 * base 36 for each, "(N)" for one that has none, and "xN." behind a digit for N of it. */
#ifndef MIDCOMMIT_CRASHSIM_POWERCHOICE_H
#define MIDCOMMIT_CRASHSIM_POWERCHOICE_H

#include "crashsim/power.h"

enum { MC_CHOICE_MAX = 400 };

/* `out` has MC_CHOICE_MAX bytes; an answer that does not fit makes the text "...", which is no
 * answer. */
typedef struct mc_choice_text {
    char *out;
    size_t used;
    uint32_t last;
    uint32_t times; /* that `last` was said and not written yet */
    bool full;
} mc_choice_text;

void mc_choice_add(mc_choice_text *text, uint32_t answer);
void mc_choice_end(mc_choice_text *text);

/* mc_power_choose over such a text; behind its end everything is there. An answer that is none of
 * the alternatives, or is not written as above, sets `wrong`. */
typedef struct mc_choice_reader {
    const char *text;
    uint32_t last;
    uint32_t times; /* that it is still to be said */
    bool wrong;
} mc_choice_reader;

uint32_t mc_choice_next(void *context, mc_power_item item, const mc_op *op, uint32_t count);

#endif
