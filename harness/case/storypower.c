/* storypower.c: the state that a power loss left, made from its name, and what is there of that
 * which was pending. */
#include "harness/case/telling.h"

#include "crashsim/powerchoice.h"
#include "harness/case/optext.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WRITES_TOLD = 10, LINE_BYTES = 240, UNITS_SHOWN = 16 };

/* One pending write, as it was asked about. */
typedef struct pending {
    const mc_op *op;
    uint32_t units; /* that could be there or not */
    uint32_t there;
    uint32_t damaged;
    uint32_t left; /* units that are still to be asked about */
    char map[UNITS_SHOWN + 1];
} pending;

typedef struct teller {
    mc_telling *t;
    mc_choice_reader reader;
    pending *write;
    uint32_t count;
    uint32_t capacity;
    uint32_t changes; /* of names and lengths that keep their order */
    uint32_t changes_there;
    bool garbage;
    bool failed;
} teller;

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "story: out of memory");
}

static void note_write(teller *w, const mc_op *op, uint32_t answer, uint32_t count)
{
    if (w->count == w->capacity) {
        uint32_t capacity = w->capacity == 0 ? 64 : w->capacity * 2;
        pending *more = realloc(w->write, capacity * sizeof *more);
        if (more == NULL) {
            w->failed = true;
            return;
        }
        w->write = more;
        w->capacity = capacity;
    }
    bool linear = !w->t->j->options->power->tear_any;
    pending *p = &w->write[w->count++];
    *p = (pending){.op = op};
    if (linear || count == 2) {
        p->units = count - 1;
        p->there = answer;
    } else { /* not there, torn, there: see ask_write in power.c */
        p->units = answer == 1 ? 0 : 1;
        p->there = answer == 2;
    }
}

static void note_unit(teller *w, uint32_t answer, uint32_t count)
{
    if (w->count == 0) {
        return;
    }
    pending *p = &w->write[w->count - 1];
    bool there = answer == count - 1;
    if (p->units < UNITS_SHOWN) {
        p->map[p->units] = there ? '#' : answer > 0 ? '?' : '.';
    }
    p->units++;
    p->there += there;
    p->damaged += !there && answer > 0;
}

static uint32_t choose(void *context, mc_power_item item, const mc_op *op, uint32_t count)
{
    teller *w = context;
    uint32_t answer = mc_choice_next(&w->reader, item, op, count);
    switch (item) {
    case MC_POWER_METADATA:
        w->changes = count - 1;
        w->changes_there = answer;
        break;
    case MC_POWER_FILL:
        w->garbage = w->garbage || answer == 0;
        break;
    case MC_POWER_WRITE:
        note_write(w, op, answer, count);
        break;
    case MC_POWER_UNIT:
        note_unit(w, answer, count);
        break;
    default: /* which names and lengths were chosen shows in the files */
        break;
    }
    return answer;
}

__attribute__((format(printf, 2, 3))) static void say(mc_telling *t, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (t->story->loss_count < MC_STORY_LOSS_MAX) {
        t->story->loss[t->story->loss_count++] = mc_telling_keep(t->story, line);
    }
}

/* The files beside what the program saw of them. */
static void say_files(mc_telling *t, const mc_disk *live)
{
    const mc_disk *disk = &t->j->trace.base;
    for (uint32_t i = 0; i < live->file_count; i++) {
        const mc_disk_file *saw = &live->file[i];
        const mc_disk_file *is = &disk->file[i];
        unsigned long long before = saw->size;
        unsigned long long now = is->size;
        bool shm = strcmp(mc_file_role(&t->j->trace, (uint16_t)i), "shm") == 0;
        if (shm || (!saw->exists && !is->exists)) {
            continue;
        }
        if (!is->exists) {
            say(t, "%s: its name is not there; the program saw %llu bytes", saw->name, before);
        } else if (!saw->exists) {
            say(t, "%s: %llu bytes, there again; the program had deleted it", saw->name, now);
        } else if (before != now) {
            say(t, "%s: %llu bytes; the program saw %llu", saw->name, now, before);
        } else {
            say(t, "%s: %llu bytes, as the program saw it", saw->name, now);
        }
    }
}

static bool is_whole(const pending *p)
{
    return p->there == p->units;
}

static void say_write(mc_telling *t, const pending *p)
{
    char text[LINE_BYTES];
    char fate[80];
    size_t index = (size_t)(p->op - t->j->trace.op);
    (void)mc_optext(&t->j->trace, index, t->j->history.page_size, text, sizeof text);
    if (is_whole(p) || (p->there == 0 && p->damaged == 0)) {
        (void)snprintf(fate, sizeof fate, "%s", is_whole(p) ? "there" : "lost");
    } else {
        bool map = p->map[0] != '\0' && p->units <= UNITS_SHOWN;
        (void)snprintf(fate, sizeof fate, "torn, %u of %u%s%s%s", p->there, p->units,
                       map ? " (" : "", map ? p->map : "", map ? ")" : "");
    }
    say(t, "  %5zu %s: %.*s", index, fate, (int)(88 - strlen(fate)), text);
}

static void say_writes(const teller *w)
{
    mc_telling *t = w->t;
    uint32_t there = 0;
    uint32_t lost = 0;
    for (uint32_t i = 0; i < w->count; i++) {
        there += is_whole(&w->write[i]);
        lost += w->write[i].there == 0 && w->write[i].damaged == 0;
    }
    if (w->count == 0) {
        say(t, "No write was pending that can be seen in it.");
        return;
    }
    uint32_t tear = t->j->options->power->tear_bytes;
    say(t, "Pending writes that can be seen: %u, of them %u there, %u lost, %u torn (units of %u):",
        w->count, there, lost, w->count - there - lost, tear);
    uint32_t told = 0;
    for (int whole = 0; whole < 2; whole++) { /* what is missing is told first */
        for (uint32_t i = 0; i < w->count && told < WRITES_TOLD; i++) {
            if (is_whole(&w->write[i]) == (whole == 1)) {
                say_write(t, &w->write[i]);
                told++;
            }
        }
    }
    if (told < w->count) {
        say(t, "        and %u more", w->count - told);
    }
}

/* What the program saw: all that happened before the crash point. */
static mc_status replay_ops(mc_telling *t, mc_disk *live, mc_crash *crash, mc_error *error)
{
    mc_judging *j = t->j;
    mc_status status = mc_disk_copy(live, &j->trace.base) ? MC_OK : no_memory(error);
    for (size_t i = 0; status == MC_OK && i < t->request->point; i++) {
        const mc_op *op = &j->trace.op[i];
        status = mc_trace_apply(live, op, UINT32_MAX, error);
        if (op->kind == MC_OP_BEGUN) {
            crash->begun = (uint32_t)op->offset;
        } else if (op->kind == MC_OP_ACKED) {
            crash->acked = (uint32_t)op->offset;
            mc_judging_acked(j, crash->acked);
        }
    }
    return status;
}

static mc_status make_state(teller *w, mc_error *error)
{
    mc_judging *j = w->t->j;
    mc_arena arena = {.limit_bytes = SIZE_MAX / 2};
    mc_trace trace = j->trace; /* over a base of its own: the judging's disk shows the state */
    trace.base = (mc_disk){0};
    mc_status status = mc_disk_copy(&trace.base, &j->trace.base) ? MC_OK : no_memory(error);
    mc_disk_clear(&j->trace.base);
    status = status == MC_OK ? mc_power_state(&trace, w->t->request->point, j->options->power,
                                              choose, w, &arena, &j->trace.base, error)
                             : status;
    mc_disk_free(&trace.base);
    mc_arena_free(&arena);
    return status;
}

mc_status mc_telling_power(mc_telling *t, mc_crash *crash, mc_error *error)
{
    const mc_story_request *request = t->request;
    const mc_trace *trace = &t->j->trace;
    if (request->point > trace->op_count) {
        return MC_OK; /* not found */
    }
    *crash = (mc_crash){.point = request->point, .choice = request->choice};
    crash->op = request->point < trace->op_count ? &trace->op[request->point] : NULL;
    teller w = {.t = t, .reader = {.text = request->choice}};
    mc_disk live = {0};
    mc_status status = replay_ops(t, &live, crash, error);
    status = status == MC_OK ? make_state(&w, error) : status;
    bool rest = *w.reader.text != '\0' || w.reader.times > 0;
    if (status == MC_OK && w.failed) {
        status = no_memory(error);
    } else if (status == MC_OK && (w.reader.wrong || rest)) {
        status = mc_fail(error, MC_USAGE, "no-such-state",
                         "explain: \"%.60s\" chooses nothing at %zu that %s allows",
                         request->choice, request->point, t->j->crash_name);
    }
    if (status == MC_OK) {
        say_files(t, &live);
        if (w.changes > 0) {
            say(t, "Names and lengths: the first %u of %u changes are there.", w.changes_there,
                w.changes);
        }
        if (w.garbage) {
            say(t, "Where nothing was written, a file that grew holds garbage.");
        }
        say_writes(&w);
        t->recovers = false;
        t->found = true;
    }
    free(w.write);
    mc_disk_free(&live);
    return status;
}
