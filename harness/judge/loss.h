/* loss.h: one cell under the crash model `power`: every state of every crash point, by classes.
 *
 * SQLite is the reader whose classes are walked (classes.h), and so are the importers that take
 * main as it is; what is open in the image at the end of a class is shared out between the
 * snapshots by counting (lazyimage.h). Whenever something comes out at a crash point for the first
 * time, one state is made for it and run: a prediction that fails ends the run. `recover` is run
 * on each state that SQLite is run on and has to agree; its numbers are SQLite's. */
#ifndef MIDCOMMIT_HARNESS_JUDGE_LOSS_H
#define MIDCOMMIT_HARNESS_JUDGE_LOSS_H

#include "harness/judge/judging.h"

/* Judges all states of an open judging, whose options name a profile. `cell` has its proof. */
mc_status mc_loss_judge(mc_judging *judging, mc_cell *cell, mc_error *error);

#endif
