/* handtell.c: a mistake in words: what was done, and what SQLite itself makes of it. */
#include "harness/judge/handover.h"

#include "core/journal.h"
#include "core/wal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void tell_done(const mc_handover *h, char *out, size_t size)
{
    const mc_mistake *mistake = h->mistake;
    const char *name = h->disk->file[h->slot[mistake->file]].name;
    const mc_disk_file *was = &h->replaced;
    if (mistake->source == NULL && !h->given->exists) {
        (void)snprintf(out, size, "%s was removed.", name);
    } else if (mistake->source == NULL) {
        (void)snprintf(out, size, "%s was cut to the first %" PRIu64 " of its %" PRIu64 " bytes.",
                       name, h->given->size, was->size);
    } else {
        const char *number = strstr(mistake->source, "%u");
        assert(number != NULL);
        (void)snprintf(out, size, "%s %s %.*s%u%s.", name,
                       was->exists ? "was replaced by" : "did not exist and became",
                       (int)(number - mistake->source), mistake->source, h->given->commit,
                       number + 2);
    }
}

/* A journal that exists and is not empty. */
static int tell_journal(const mc_files *files, char *out, size_t size)
{
    mc_arena arena = {.limit_bytes = SIZE_MAX / 2};
    mc_journal journal;
    mc_error error = {0};
    mc_status status = mc_journal_read(files, &arena, &journal, &error);
    mc_arena_free(&arena);
    if (status != MC_OK) {
        return snprintf(out, size, "SQLite cannot open it: %s.", error.text);
    }
    if (!journal.hot) {
        return snprintf(out, size, "SQLite ignores the journal: %s.", journal.why);
    }
    if (!journal.resizes) {
        return snprintf(out, size, "SQLite plays the journal back, and it restores nothing: %s.",
                        journal.end);
    }
    return snprintf(out, size,
                    "SQLite itself applies this journal: it puts %zu pages back and makes main"
                    " %u pages long.",
                    journal.record_count, journal.original_pages);
}

static int tell_wal(const mc_files *files, char *out, size_t size)
{
    mc_wal wal;
    mc_error error = {0};
    const char *why = NULL;
    if (files->main.size <= 1) {
        return snprintf(out, size, "SQLite ignores the WAL: main is empty.");
    }
    if (mc_wal_open(&files->wal, &wal, &why, &error) != MC_OK) {
        return snprintf(out, size, "SQLite cannot open it: %s.", error.text);
    }
    if (!wal.usable) {
        return snprintf(out, size, "SQLite ignores the WAL: %s.", why);
    }
    mc_wal_advance(&wal, &files->wal);
    if (wal.commit_frames == 0) {
        return snprintf(out, size, "SQLite ignores the WAL: no frame of it counts.");
    }
    return snprintf(out, size,
                    "SQLite itself applies this WAL: %u frames count, and main becomes %u pages"
                    " long.",
                    wal.commit_frames, wal.database_pages);
}

void mc_handover_tell(const mc_handover *h, char *done, size_t done_size, char *effect,
                      size_t effect_size)
{
    assert(h->mistake != NULL && effect_size > 0);
    mc_files files;
    mc_disk_files(h->disk, h->database, &files);
    tell_done(h, done, done_size);
    effect[0] = '\0';
    if (files.journal.size > 0 && h->mistake->file != MC_HANDED_WAL) {
        (void)tell_journal(&files, effect, effect_size);
    }
    size_t have = strlen(effect);
    if (files.wal.size > 0 && h->mistake->file != MC_HANDED_JOURNAL && have + 2 < effect_size) {
        (void)snprintf(effect + have, effect_size - have, "%s", have > 0 ? " " : "");
        have = strlen(effect);
        (void)tell_wal(&files, effect + have, effect_size - have);
    }
}
