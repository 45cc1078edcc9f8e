#include "harness/judge/verdict.h"

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
    uint32_t changes = 0;
    for (uint32_t k = acked; k > 0; k--) {
        changes += classes[k] != classes[k - 1];
        if (class == classes[k - 1]) {
            return (mc_verdict){.kind = MC_STALE,
                                .behind = acked - (k - 1),
                                .changes = changes,
                                .empty = class == empty_class};
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
    const char *crash; /* one model, or several with spaces between */
    uint32_t modes;    /* bits of mc_mode */
    uint32_t syncs;    /* bits of mc_sync */
    bool several;      /* a transaction over several databases */
    mc_promise promise;
    const char *source;
} promise_row;

#define MODE(m) (1u << MC_MODE_##m)
#define SYNC(s) (1u << MC_SYNC_##s)
#define ANY_SYNC (SYNC(OFF) | SYNC(NORMAL) | SYNC(FULL) | SYNC(EXTRA))
#define ON_DISK (MODE(DELETE) | MODE(TRUNCATE) | MODE(PERSIST) | MODE(WAL))

/* Profiles (power.h) that keep the order in which names change and files are cut, as journaling
 * file systems do, and those that promise no order. */
#define LINEAR "power:sector-512 power:sector-4096"
#define DELAYED                                                                                    \
    "power:ext4 power:ext4-ordered power:ext4-writeback power:xfs power:btrfs "                    \
    "power:nonatomic-unlink"
#define ORDERED DELAYED " " LINEAR
#define UNORDERED "power:psow power:strict"

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
    {"power:nonatomic-unlink", MODE(DELETE) | MODE(WAL), ANY_SYNC, false, MC_PROMISE_NOTHING,
     "atomiccommit.html 9.3: what is left of a journal, or of a WAL, that is deleted in part may "
     "be "
     "played back"},
    {ORDERED " " UNORDERED, MODE(DELETE), SYNC(EXTRA), false, MC_PROMISE_CLEAN,
     "pragma.html#pragma_synchronous: EXTRA syncs the directory after the unlink of the journal"},
    {DELAYED, MODE(DELETE) | MODE(TRUNCATE), SYNC(NORMAL), false, MC_PROMISE_NOTHING,
     "pager.c, syncJournal: at NORMAL one sync covers the records and the header that counts them, "
     "which lies in a block that is there when the transaction has spilled before"},
    {ORDERED, MODE(DELETE), SYNC(NORMAL) | SYNC(FULL), false, MC_PROMISE_LAST,
     "pragma.html#pragma_synchronous: without EXTRA the unlink, and so the last commit, may be "
     "lost"},
    {UNORDERED, MODE(DELETE), SYNC(NORMAL) | SYNC(FULL), false, MC_PROMISE_NOTHING,
     "pager.c, pager_end_transaction: main is cut after the unlink, and no sync lies between"},
    {ORDERED " " UNORDERED, MODE(TRUNCATE), SYNC(FULL) | SYNC(EXTRA), false, MC_PROMISE_CLEAN,
     "pager.c, pager_end_transaction: the cut of the journal is synced from FULL on"},
    {ORDERED, MODE(TRUNCATE), SYNC(NORMAL), false, MC_PROMISE_LAST,
     "the same: at NORMAL it is not, so the last commit may be lost"},
    {UNORDERED, MODE(TRUNCATE), SYNC(NORMAL), false, MC_PROMISE_NOTHING,
     "the same: the next journal's records may lie under this one's header"},
    {ORDERED " " UNORDERED, MODE(PERSIST), SYNC(FULL) | SYNC(EXTRA), false, MC_PROMISE_CLEAN,
     "pager.c, zeroJournalHdr: the zeros are synced"},
    {ORDERED " " UNORDERED, MODE(PERSIST), SYNC(NORMAL), false, MC_PROMISE_NOTHING,
     "pager.c, syncJournal: one sync covers records, written in place, and their header's count"},
    {ORDERED " power:psow", MODE(WAL), SYNC(FULL) | SYNC(EXTRA), false, MC_PROMISE_CLEAN,
     "pragma.html#pragma_synchronous: from FULL on the WAL is synced after each commit"},
    {ORDERED " power:psow", MODE(WAL), SYNC(NORMAL), false, MC_PROMISE_STALE,
     "pragma.html#pragma_synchronous: consistent, but a commit may roll back after a power loss"},
    {"power:strict", MODE(WAL), SYNC(NORMAL) | SYNC(FULL) | SYNC(EXTRA), false, MC_PROMISE_NOTHING,
     "psow.html: frames share sectors, so without powersafe overwrite synced ones may be damaged"},
    {ORDERED " " UNORDERED, ON_DISK, SYNC(OFF), false, MC_PROMISE_NOTHING,
     "pragma.html#pragma_synchronous: OFF may corrupt the database when power is lost"},
    {"power:lying-sync", ON_DISK, ANY_SYNC, false, MC_PROMISE_NOTHING,
     "howtocorrupt.html 3.1: a disk that does not sync may corrupt the database"},
    {"power:no-dirsync", ON_DISK, ANY_SYNC, false, MC_PROMISE_NOTHING,
     "atomiccommit.html 3.7: the directory entry of the journal must be durable"},
    {ORDERED " " UNORDERED " power:lying-sync power:no-dirsync", MODE(MEMORY) | MODE(OFF), ANY_SYNC,
     false, MC_PROMISE_NOTHING, "pragma.html#pragma_journal_mode: no journal is on the disk"},
};

/* Is `word` one of the words of `list`? */
static bool lists(const char *list, const char *word)
{
    size_t size = strlen(word);
    for (const char *at = list; *at != '\0'; at += strspn(at, " ")) {
        size_t length = strcspn(at, " ");
        if (length == size && memcmp(at, word, size) == 0) {
            return true;
        }
        at += length;
    }
    return false;
}

mc_promise mc_promise_of(mc_mode mode, mc_sync sync, const char *crash, uint32_t databases,
                         const char **source)
{
    for (size_t i = 0; i < sizeof promises / sizeof *promises; i++) {
        const promise_row *row = &promises[i];
        if (lists(row->crash, crash) && (row->modes & 1u << mode) != 0 &&
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
        return verdict->kind == MC_CLEAN || (verdict->kind == MC_STALE && verdict->changes <= 1);
    case MC_PROMISE_STALE:
        return verdict->kind == MC_CLEAN || verdict->kind == MC_STALE;
    case MC_PROMISE_NOTHING:
        return true;
    }
    return false;
}
