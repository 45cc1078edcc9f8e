/* storyagain.c: the state that a second crash left, in the recovery from the first.
 *
 * The recovery is recorded from the first state and takes the trace's place while the second is
 * told: the elements around the crash are its own, and so is what was pending. The commits stay
 * those of the program. */
#include "harness/case/telling.h"

#include "harness/judge/again.h"

#include <stdio.h>
#include <string.h>

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "story: out of memory");
}

static mc_status no_such_state(const mc_telling *t, const mc_trace *recovery, const char *place,
                               mc_error *error)
{
    return mc_fail(error, MC_USAGE, "no-such-state",
                   "explain: no state %.60s of the recovery by %s, which has elements 0 to %zu",
                   place, t->j->crash_name, recovery->op_count);
}

/* The judging's disk holds the recovery's base: brings it to where the process died. */
static mc_status kill_recovery(mc_telling *t, const mc_story_request *at, mc_error *error)
{
    const mc_trace *trace = &t->j->trace;
    mc_disk *disk = &t->j->trace.base;
    mc_status status = MC_OK;
    bool cut = at->cut > 0;
    if (at->point > trace->op_count ||
        (cut && (at->point == trace->op_count || at->cut >= trace->op[at->point].size))) {
        return MC_OK; /* not found */
    }
    for (size_t i = 0; status == MC_OK && i < at->point + cut; i++) {
        status = mc_trace_apply(disk, &trace->op[i], i == at->point ? at->cut : UINT32_MAX, error);
    }
    t->found = true;
    return status;
}

/* In the recovery's own terms, with the judging standing on it. */
static mc_status tell_second(mc_telling *t, const mc_crash *first, const char *place,
                             mc_status (*tell)(mc_telling *, const mc_crash *, mc_error *),
                             mc_error *error)
{
    mc_judging *j = t->j;
    const mc_trace *recovery = &j->trace;
    mc_story_request at = *t->request;
    mc_crash ignored;
    char text[2 * MC_STATE_ID_MAX];
    (void)snprintf(text, sizeof text, "%s", place);
    bool power = j->options->power != NULL;
    if (!mc_story_point(text, power, &at)) {
        return no_such_state(t, recovery, place, error);
    }
    const mc_story_request *asked = t->request;
    t->request = &at;
    t->found = false;
    mc_status status = power ? mc_telling_power(t, &ignored, error) : kill_recovery(t, &at, error);
    if (status == MC_OK && !t->found) {
        status = no_such_state(t, recovery, place, error);
    }
    if (status == MC_OK) {
        mc_crash crash = *first;
        crash.again = asked->again;
        crash.op = at.point < recovery->op_count ? &recovery->op[at.point] : NULL;
        t->story->elements = recovery->op_count;
        mc_judging_state_id(j, &crash, t->story->state, sizeof t->story->state);
        status = tell(t, &crash, error);
    }
    t->request = asked;
    return status;
}

mc_status mc_telling_again(mc_telling *t, const mc_crash *first,
                           mc_status (*tell)(mc_telling *t, const mc_crash *crash, mc_error *error),
                           mc_error *error)
{
    mc_judging *j = t->j;
    mc_trace recovery = {0};
    const char *place;
    char told[200];
    mc_status status =
        mc_again_record(j, &j->trace.base, t->request->again, &recovery, &place, error);
    (void)snprintf(told, sizeof told,
                   "%s at element %zu of the program; then %s opened the database again, and "
                   "crashed again while SQLite recovered",
                   j->options->power != NULL ? "The power went" : "The process died", first->point,
                   place == t->request->again ? "the application" : "an exclusive connection");
    t->story->again = mc_telling_keep(t->story, told);
    mc_trace program = j->trace;
    mc_control *control = j->control;
    bool single = j->single;
    mc_disk base = recovery.base;
    recovery.base = (mc_disk){0};
    if (status == MC_OK) {
        j->trace = recovery;
        j->trace.base = base;
        base = (mc_disk){0};
        j->single = true;
        j->control = mc_control_open(&j->trace, &j->trace.base, false);
        status = j->control == NULL ? no_memory(error) : tell_second(t, first, place, tell, error);
        mc_control_close(j->control);
        mc_disk_free(&j->trace.base);
        j->trace = program;
        j->single = single;
        j->control = control;
    }
    mc_disk_free(&base);
    mc_trace_free(&recovery);
    return status;
}
