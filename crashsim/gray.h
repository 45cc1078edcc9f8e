/* gray.h: every state of a crash point, one after the other.
 *
 * For names and lengths that are chosen (a layout of power.h), the cells of all files are digits of
 * a number, and the states are visited in the order of a reflected Gray code: each differs from the
 * one before in one choice of one cell, and the bytes of that cell's unit are all that is written
 * to go there. What a step costs does not depend on how many cells there are (Knuth, The Art of
 * Computer Programming 4A, 7.2.1.1, algorithm H: loopless). Between layouts, files are laid anew.
 *
 * The cells of a write that is there up to some point are one digit: how much of it is there. */
#ifndef MIDCOMMIT_CRASHSIM_GRAY_H
#define MIDCOMMIT_CRASHSIM_GRAY_H

#include "crashsim/states.h"

typedef struct mc_gray_digit mc_gray_digit;

/* The states of one layout. Zeroed it is ready. */
typedef struct mc_gray {
    mc_states *states;
    mc_gray_digit *digit;
    uint32_t *focus;
    uint32_t count;
    uint32_t capacity;
} mc_gray;

/* Chooses the first state: nothing of what is free is there. False without memory. */
bool mc_gray_begin(mc_gray *gray, mc_states *states);

/* The next state: the choice of that cell has changed. False behind the last. */
bool mc_gray_next(mc_gray *gray, uint32_t *file, uint32_t *cell);

void mc_gray_free(mc_gray *gray);

/* All states of a crash point, to which `power` has gone, if they are at most `budget`: `state` is
 * called with each on `disk`, whose files have the numbers of the trace's. It has to leave the disk
 * as it was. `*visited` is 0 when they are more. */
typedef struct mc_gray_visitor {
    void *context;
    mc_status (*state)(void *context, mc_error *error);
    /* Before that, if not null: all files are others now; bytes [from, to) of one file are. */
    mc_status (*laid)(void *context, mc_error *error);
    mc_status (*changed)(void *context, uint16_t file, uint64_t from, uint64_t to, mc_error *error);
} mc_gray_visitor;

mc_status mc_gray_explore(mc_power *power, uint32_t file_count, mc_disk *disk, uint64_t budget,
                          const mc_gray_visitor *visitor, uint64_t *visited, mc_error *error);

#endif
