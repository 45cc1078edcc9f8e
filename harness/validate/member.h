/* member.h: can this crash model leave this directory?
 *
 * Says of a disk state that was found somewhere whether mc_power_state (crashsim/power.h) can make
 * it at a crash point for some answers to its questions. It does not search among the answers: what
 * is on the disk tells them.
 *
 * How much of the ordered metadata is there, where a name leads and which length a file has are few
 * alternatives each, and are tried. For one alternative the bytes of a file are gone through from
 * the last pending write to the first. A unit of a write that agrees with the bytes that no later
 * write accounts for accounts for them; one that does not was not there, or, if the profile says
 * that it must have been, the alternative is wrong. To take a unit that agrees is never worse than
 * to leave it: it asks nothing of other units (of a write that is kept as a prefix, the longest
 * prefix that agrees contains every other), and leaves fewer bytes to account for. What is left in
 * the end must be what was durable, or zeros where nothing was.
 *
 * Wider than the model in one thing: garbage and torn units of profiles that have them may be any
 * bytes here, where the model has one pattern that stands for them.
 *
 * The events are derived from the trace here, anew, not shared with power.c: a mistake in either is
 * a disagreement that test_member.c finds. */
#ifndef MIDCOMMIT_HARNESS_VALIDATE_MEMBER_H
#define MIDCOMMIT_HARNESS_VALIDATE_MEMBER_H

#include "crashsim/power.h"

/* `state` has the trace's file numbers; files beyond those make it no member, WAL indexes are not
 * looked at. `*is_member` false: `why` says, of one alternative, which file and byte did not agree.
 * `arena` gives working memory. */
mc_status mc_member(const mc_trace *trace, size_t point, const mc_power_profile *profile,
                    const mc_disk *state, mc_arena *arena, bool *is_member, char *why,
                    size_t why_size, mc_error *error);

#endif
