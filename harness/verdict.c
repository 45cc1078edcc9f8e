#include "harness/verdict.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

const char *const mc_verdict_names[MC_VERDICTS] = {"clean", "stale", "torn", "blocked", "refused"};

static mc_verdict judge_snapshot(uint32_t class, uint32_t noticed, const uint32_t *classes,
                                 uint32_t acked, uint32_t begun, uint32_t empty_class)
{
    if (class == classes[acked]) {
        return (mc_verdict){.kind = MC_CLEAN};
    }
    if (class == classes[begun]) {
        return (mc_verdict){.kind = MC_CLEAN, .ahead = true};
    }
    for (uint32_t k = acked; k > 0; k--) {
        if (class == classes[k - 1]) {
            return (mc_verdict){
                .kind = MC_STALE, .behind = acked - (k - 1), .empty = class == empty_class};
        }
    }
    /* Only a later snapshot has this content. No crash can show what was not yet written, so the
     * image does not come from this state. */
    return (mc_verdict){.kind = MC_TORN, .silent = noticed == 0};
}

mc_verdict mc_verdict_of(const mc_outcome *outcome, const uint32_t *classes, uint32_t acked,
                         uint32_t begun, uint32_t empty_class, bool control_recovers)
{
    assert(outcome->kind != MC_OUTCOME_FAILED);
    assert(begun == acked || begun == acked + 1);
    switch (outcome->kind) {
    case MC_OUTCOME_SNAPSHOT:
        return judge_snapshot(outcome->content_class, outcome->noticed, classes, acked, begun,
                              empty_class);
    case MC_OUTCOME_OTHER:
        return (mc_verdict){.kind = MC_TORN, .silent = outcome->noticed == 0};
    default:
        return (mc_verdict){.kind = control_recovers ? MC_BLOCKED : MC_REFUSED_TOO,
                            .reason = outcome->reason};
    }
}

int mc_verdict_rank(mc_verdict_kind kind)
{
    static const int rank[MC_VERDICTS] = {
        [MC_CLEAN] = 0, [MC_REFUSED_TOO] = 1, [MC_BLOCKED] = 2, [MC_STALE] = 3, [MC_TORN] = 4};
    assert(kind < MC_VERDICTS);
    return rank[kind];
}

void mc_verdict_text(const mc_verdict *verdict, char *out, size_t size)
{
    const char *name = mc_verdict_names[verdict->kind];
    switch (verdict->kind) {
    case MC_CLEAN:
        (void)snprintf(out, size, "%s, %s", name, verdict->ahead ? "ahead" : "exact");
        break;
    case MC_STALE:
        if (verdict->empty) {
            (void)snprintf(out, size, "%s, empty", name);
        } else {
            (void)snprintf(out, size, "%s, behind %u", name, verdict->behind);
        }
        break;
    case MC_TORN:
        (void)snprintf(out, size, "%s, %s", name, verdict->silent ? "silent" : "loud");
        break;
    default:
        (void)snprintf(out, size, "%s: %s", name, verdict->reason);
        break;
    }
}

typedef struct promise_row {
    const char *crash;
    uint32_t modes; /* bits of mc_mode */
    uint32_t syncs; /* bits of mc_sync */
    bool several;   /* a transaction over several databases */
    mc_promise promise;
    const char *source;
} promise_row;

#define MODE(m) (1u << MC_MODE_##m)
#define SYNC(s) (1u << MC_SYNC_##s)
#define ANY_SYNC (SYNC(OFF) | SYNC(NORMAL) | SYNC(FULL) | SYNC(EXTRA))
#define ON_DISK (MODE(DELETE) | MODE(TRUNCATE) | MODE(PERSIST) | MODE(WAL))

/* The first row that fits decides. */
static const promise_row promises[] = {
    {"kv", ON_DISK, ANY_SYNC, false, MC_PROMISE_CLEAN,
     "pragma.html#pragma_synchronous: every request is durable, so a crash is a process crash"},
    {"kill", MODE(MEMORY) | MODE(OFF), ANY_SYNC, false, MC_PROMISE_NOTHING,
     "pragma.html#pragma_journal_mode: may corrupt if the application crashes"},
    {"kill", MODE(MEMORY) | MODE(OFF), ANY_SYNC, true, MC_PROMISE_NOTHING,
     "pragma.html#pragma_journal_mode: may corrupt if the application crashes"},
    {"kill", ON_DISK, ANY_SYNC, false, MC_PROMISE_CLEAN,
     "pragma.html#pragma_synchronous: safe against an application crash at every level"},
    {"kill", MODE(WAL), ANY_SYNC, true, MC_PROMISE_NOTHING,
     "lang_attach.html: atomic for each file, not across files, in WAL mode"},
    {"kill", ON_DISK, ANY_SYNC & ~SYNC(OFF), true, MC_PROMISE_CLEAN,
     "atomiccommit.html 5: a super-journal makes the commit atomic across files"},
    {"kill", ON_DISK, SYNC(OFF), true, MC_PROMISE_NOTHING,
     "pager.c, pager_end_transaction and vdbeaux.c, vdbeCommit: no super-journal name is synced"},
};

mc_promise mc_promise_of(mc_mode mode, mc_sync sync, const char *crash, uint32_t databases,
                         const char **source)
{
    for (size_t i = 0; i < sizeof promises / sizeof *promises; i++) {
        const promise_row *row = &promises[i];
        if (strcmp(row->crash, crash) == 0 && (row->modes & 1u << mode) != 0 &&
            (row->syncs & 1u << sync) != 0 && row->several == (databases > 1)) {
            *source = row->source;
            return row->promise;
        }
    }
    *source = "no promise is documented";
    return MC_PROMISE_NOTHING;
}

bool mc_promise_kept(mc_promise promise, const mc_verdict *verdict)
{
    switch (promise) {
    case MC_PROMISE_CLEAN:
        return verdict->kind == MC_CLEAN;
    case MC_PROMISE_LAST:
        return verdict->kind == MC_CLEAN || (verdict->kind == MC_STALE && verdict->behind <= 1);
    case MC_PROMISE_STALE:
        return verdict->kind == MC_CLEAN || verdict->kind == MC_STALE;
    case MC_PROMISE_NOTHING:
        return true;
    }
    return false;
}
