/* settle.h: SQLite recovers the present state, and it is said which pages of the result are settled
 * for all states that are read alike (lazyimage.h). */
#ifndef MIDCOMMIT_HARNESS_JUDGE_SETTLE_H
#define MIDCOMMIT_HARNESS_JUDGE_SETTLE_H

#include "harness/judge/judging.h"
#include "harness/judge/lazyimage.h"

/* `reads` and `end` may be null, both; what `end` points to lies in `ends`. The state is as before
 * when it returns. */
mc_status mc_settle(mc_judging *judging, mc_control *control, mc_reads *reads, mc_arena *ends,
                    mc_end *end, mc_outcome *outcome, mc_error *error);

#endif
