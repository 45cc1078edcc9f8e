#include "harness/judge/defects.h"

#include "core/wal.h"

#include <string.h>

/* The last valid frame is followed by one with a page number whose salts and checksum are zero:
 * SQLite wrote it with the checksum left for later (wal.c walEncodeFrame), and later never came. */
static bool frame_without_checksum(const mc_files *files)
{
    mc_wal wal;
    mc_error error;
    if (mc_wal_open(&files->wal, &wal, NULL, &error) != MC_OK || !wal.usable) {
        return false;
    }
    mc_wal_advance(&wal, &files->wal);
    uint64_t at = mc_wal_frame_offset(&wal, wal.valid_frames + 1) - MC_WAL_FRAME_HEADER_BYTES;
    if (at + MC_WAL_FRAME_HEADER_BYTES + wal.page_size > files->wal.size) {
        return false;
    }
    static const uint8_t zeros[16];
    const uint8_t *frame = files->wal.data + at;
    return memcmp(frame, zeros, 4) != 0 && memcmp(frame + 8, zeros, 16) == 0;
}

/* Pages were written and nothing is there that could take them back. */
static bool without_journal(const mc_files *files)
{
    return files->main.exists && !files->journal.exists;
}

const mc_defect mc_defects[] = {
    {
        .name = "wal-frames-without-checksum",
        .first_version = 3011000, /* check-ins 5d113aef and 16b34f25: frames are overwritten */
        .fixed_version = 3050002,
        .verdicts = 1u << MC_STALE,
        .shows = frame_without_checksum,
        .reference =
            "SQLite 3.50.2 release notes: frames without checksums after ROLLBACK TO a savepoint"
            " when pages had spilled into the WAL; the acknowledged commit is lost in a crash",
    },
    {
        .name = "batch-atomic-without-sync",
        .first_version = 3021000, /* release notes: atomic writes of F2FS are used */
        .fixed_version = MC_DEFECT_NOT_FIXED,
        .verdicts = 1u << MC_TORN | 1u << MC_REFUSED_TOO,
        .syncs = 1u << MC_SYNC_OFF,
        .crashes = "kv:batch kv:batch-128",
        .shows = without_journal,
        .reference =
            "pager.c sqlite3PagerCommitPhaseOne: on a file system with batch-atomic writes the "
            "journal"
            " stays in memory, and with synchronous=OFF no batch is begun either, so a process "
            "crash"
            " in a commit tears the database; pragma.html says that OFF is safe against that",
    },
    {.name = NULL},
};

static bool lists(const char *words, const char *word)
{
    size_t size = strlen(word);
    for (const char *at = words; (at = strstr(at, word)) != NULL; at += size) {
        if ((at == words || at[-1] == ' ') && (at[size] == ' ' || at[size] == '\0')) {
            return true;
        }
    }
    return false;
}

const mc_defect *mc_defect_find(int version, const mc_files *files, const mc_verdict *verdict,
                                mc_sync sync, const char *crash)
{
    for (const mc_defect *defect = mc_defects; defect->name != NULL; defect++) {
        if (version >= defect->first_version && version < defect->fixed_version &&
            (defect->verdicts & 1u << verdict->kind) != 0 &&
            (defect->syncs == 0 || (defect->syncs & 1u << sync) != 0) &&
            (defect->crashes == NULL || lists(defect->crashes, crash)) && defect->shows(files)) {
            return defect;
        }
    }
    return NULL;
}

const mc_defect *mc_defect_named(const char *name)
{
    for (const mc_defect *defect = mc_defects; defect->name != NULL; defect++) {
        if (strcmp(defect->name, name) == 0) {
            return defect;
        }
    }
    return NULL;
}
