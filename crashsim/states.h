/* states.h: the states of one crash point that have their names and lengths in common, as choices
 * of which some are made. */
#ifndef MIDCOMMIT_CRASHSIM_STATES_H
#define MIDCOMMIT_CRASHSIM_STATES_H

#include <gmp.h>

#include "crashsim/power.h"

/* A cell's choice is MC_POWER_UNCHOSEN while it is open. `times`: what is chosen stands for so many
 * choices that make no difference (classes.h, `fails`). */
typedef struct mc_states {
    const mc_power_file *file;
    uint8_t **choice; /* by file, then by cell; with as much room behind, for mc_states_keep */
    uint32_t file_count;
    mpz_t times;
} mc_states;

/* How many states the open choices of one file, or of all and what is closed, stand for. */
void mc_states_count_file(const mc_states *states, uint32_t file, mpz_t count);
void mc_states_count(const mc_states *states, mpz_t count);

/* What the open choices of all files but those of that many numbers, and what is closed, stand for.
 */
void mc_states_count_beside(const mc_states *states, const uint16_t *number, uint32_t numbers,
                            mpz_t count);

/* Choices are kept while some are made for a while, and brought back as often as is liked. */
void mc_states_keep(mc_states *states);
void mc_states_bring_back(mc_states *states);

/* Chooses what is open: in attempt 0 everything is there, in attempt 1 nothing, then it is by
 * chance:
 * `*random`, which moves on, is where it comes from. */
void mc_states_choose_open(mc_states *states, int attempt, uint64_t *random);

/* Brings `disk` to the state with every open cell there. Only bytes under cells are written to a
 * file that is shown already; all are when it returns. */
bool mc_states_show(const mc_states *states, mc_disk *disk, bool *shown);

/* Opens, decides and takes back: sets a cell's choice and what follows for the cells that it is
 * chained to; false if it contradicts what was chosen before, nothing being changed. */
bool mc_states_choose(mc_states *states, uint32_t file, uint32_t cell, uint8_t choice);

#endif
