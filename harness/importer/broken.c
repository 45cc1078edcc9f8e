/* broken.c: a small recovery, with switches that break it one rule at a time.
 *
 * With no switch set it recovers what crashes of SQLite leave; that is tested on the workloads on
 * which each broken one is caught, so that a broken one is caught for its switch and nothing else.
 * It shares with core/ only the readers of bytes and the image that it hands back. */
#include "harness/importer/broken.h"

#include <string.h>

#include "core/bytes.h"
#include "core/dbheader.h"

typedef struct rules {
    bool ignore_journal; /* a hot journal is not played back */
    bool play_cold;      /* a journal whose header is zeroed is played back */
    bool skip_journal_checksum;
    bool drop_last_record;
    bool keep_size;    /* main's size comes from the file, not from the journal */
    bool ignore_super; /* a journal is played though its super-journal is gone */
    bool ignore_wal;
    bool one_frame_early;  /* the last frame that counts is left out */
    bool past_last_commit; /* frames after the last commit are taken, too */
    bool skip_wal_checksum;
    bool first_header; /* the page count comes from the first frame of page 1, not the last */
    bool old_salts;    /* frames of an older generation of the WAL are taken */
} rules;

enum { PAGES_MAX = 4096 };

typedef struct state {
    const rules *broken;
    const mc_files *files;
    uint32_t page_size;
    uint64_t main_pages;
    const uint8_t *header; /* where the page count is read, if not in page 1 */
    const uint8_t *page[PAGES_MAX];
} state;

static uint32_t be32(const mc_file *file, uint64_t at)
{
    return at + 4 <= file->size ? mc_bytes_get_be32(file->data + at) : 0;
}

static bool super_missing(const state *s)
{
    const mc_file *journal = &s->files->journal;
    if (s->broken->ignore_super || journal->size < 16 ||
        memcmp(journal->data + journal->size - 8, "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", 8) != 0) {
        return false;
    }
    uint32_t length = be32(journal, journal->size - 16);
    if (length == 0 || length > 512 || length + 16 > journal->size) {
        return false;
    }
    mc_file super = {0};
    const uint8_t *name = journal->data + journal->size - 16 - length;
    return !s->files->other(s->files->context, name, length, &super) || super.size == 0;
}

static bool record_holds(const state *s, uint64_t at, uint32_t nonce)
{
    const mc_file *journal = &s->files->journal;
    if (at + 8 + s->page_size > journal->size) {
        return false;
    }
    uint32_t sum = nonce;
    for (int64_t i = (int64_t)s->page_size - 200; i > 0; i -= 200) {
        sum += journal->data[at + 4 + (uint64_t)i];
    }
    return s->broken->skip_journal_checksum || s->broken->play_cold ||
           sum == be32(journal, at + 4 + s->page_size);
}

static void play(state *s)
{
    const mc_file *journal = &s->files->journal;
    bool cold = journal->size == 0 || journal->data[0] == 0;
    if (s->broken->ignore_journal || !journal->exists || s->main_pages == 0 ||
        journal->size < 512 || (cold && !s->broken->play_cold) || super_missing(s)) {
        return;
    }
    uint64_t original = cold ? s->main_pages : be32(journal, 16);
    uint32_t last = 0;
    const uint8_t *last_before = NULL;
    for (uint64_t at = 0; at + 512 <= journal->size;) {
        uint32_t records = cold ? UINT32_MAX : be32(journal, at + 8);
        uint32_t nonce = be32(journal, at + 12);
        if (!cold && memcmp(journal->data + at, "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", 8) != 0) {
            break;
        }
        at += 512;
        for (; records > 0 && record_holds(s, at, nonce); records--) {
            uint32_t page = be32(journal, at);
            if (page > 0 && page <= original) {
                last = page;
                last_before = s->page[page - 1];
                s->page[page - 1] = journal->data + at + 4;
            }
            at += 8 + (uint64_t)s->page_size;
        }
        if (records > 0) {
            break;
        }
        at = (at + 511) / 512 * 512;
    }
    if (s->broken->drop_last_record && last > 0) {
        s->page[last - 1] = last_before;
    }
    s->main_pages = s->broken->keep_size ? s->main_pages : original;
}

static void checksum(const uint8_t *data, size_t size, bool big, uint32_t sum[2])
{
    for (size_t i = 0; i < size; i += 8) {
        uint32_t a = big ? mc_bytes_get_be32(data + i) : mc_bytes_get_le32(data + i);
        uint32_t b = big ? mc_bytes_get_be32(data + i + 4) : mc_bytes_get_le32(data + i + 4);
        sum[0] += a + sum[1];
        sum[1] += b + sum[0];
    }
}

static bool frame_holds(const state *s, uint64_t at, uint32_t sum[2])
{
    const mc_file *wal = &s->files->wal;
    if (at + 24 + s->page_size > wal->size || be32(wal, at) == 0) {
        return false;
    }
    bool big = be32(wal, 0) & 1;
    checksum(wal->data + at, 8, big, sum);
    checksum(wal->data + at + 24, s->page_size, big, sum);
    bool salts = memcmp(wal->data + at + 8, wal->data + 16, 8) == 0;
    bool good = sum[0] == be32(wal, at + 16) && sum[1] == be32(wal, at + 20);
    return s->broken->old_salts || (salts && (good || s->broken->skip_wal_checksum));
}

static void overlay(state *s)
{
    const mc_file *wal = &s->files->wal;
    uint64_t frame_bytes = 24 + (uint64_t)s->page_size;
    if (s->broken->ignore_wal || wal->size <= 32 || s->main_pages == 0 ||
        (be32(wal, 0) & ~1u) != 0x377f0682) {
        return;
    }
    uint32_t sum[2] = {0, 0};
    checksum(wal->data, 24, be32(wal, 0) & 1, sum);
    if (sum[0] != be32(wal, 24) || sum[1] != be32(wal, 28)) {
        return;
    }
    uint64_t valid = 0;
    uint64_t counts = 0;
    while (frame_holds(s, 32 + valid * frame_bytes, sum)) {
        valid++;
        if (be32(wal, 32 + (valid - 1) * frame_bytes + 4) > 0) {
            counts = valid;
        }
    }
    if (counts > 0) {
        s->main_pages = be32(wal, 32 + (counts - 1) * frame_bytes + 4);
    }
    counts = s->broken->past_last_commit ? valid : counts;
    counts -= s->broken->one_frame_early && counts > 0;
    for (uint64_t i = 0; i < counts; i++) {
        uint32_t page = be32(wal, 32 + i * frame_bytes);
        if (page == 1 && s->header == NULL && s->broken->first_header) {
            s->header = wal->data + 32 + i * frame_bytes + 24;
        }
        if (page <= PAGES_MAX) {
            s->page[page - 1] = wal->data + 32 + i * frame_bytes + 24;
        }
    }
}

static mc_status too_large(mc_error *error)
{
    return mc_fail(error, MC_REFUSED, "too-large", "broken: more than %d pages", PAGES_MAX);
}

static mc_status recover_with(const rules *broken, const mc_input *input, mc_arena *arena,
                              mc_import *out, mc_error *error)
{
    const mc_file *main = &input->files.main;
    if (input->kind != MC_INPUT_FILES) {
        return mc_fail(error, MC_REFUSED, "files-only", "broken: it reads files only");
    }
    state s = {.broken = broken, .files = &input->files};
    s.page_size = mc_dbheader_assumed_page_size(main->data, main->size);
    uint8_t *zeros = mc_arena_calloc(arena, 1, s.page_size);
    if (zeros == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "broken: out of memory");
    }
    s.main_pages = main->size / s.page_size;
    if (s.main_pages > PAGES_MAX) {
        return too_large(error);
    }
    for (uint64_t i = 0; i < PAGES_MAX; i++) {
        s.page[i] = i < s.main_pages ? main->data + i * s.page_size : zeros;
    }
    play(&s);
    overlay(&s);
    const uint8_t *header = s.header != NULL ? s.header : s.page[0];
    if (s.main_pages > 0 && memcmp(header + 24, header + 92, 4) == 0 &&
        mc_bytes_get_be32(header + 28) != 0) {
        s.main_pages = mc_bytes_get_be32(header + 28);
    }
    if (s.main_pages > PAGES_MAX) {
        return too_large(error);
    }
    const uint8_t **page = mc_arena_calloc(arena, (size_t)s.main_pages, sizeof *page);
    if (page == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "broken: out of memory");
    }
    memcpy(page, s.page, (size_t)s.main_pages * sizeof *page);
    out->image = (mc_image){s.main_pages > 0 ? s.page_size : 0, (uint32_t)s.main_pages, page};
    return MC_OK;
}

#define BROKEN(id, ...)                                                                            \
    static mc_status import_##id(const mc_input *input, mc_arena *arena, mc_import *out,           \
                                 mc_error *error)                                                  \
    {                                                                                              \
        static const rules which = {__VA_ARGS__};                                                  \
        return recover_with(&which, input, arena, out, error);                                     \
    }

BROKEN(none, .ignore_journal = false)
BROKEN(no_journal, .ignore_journal = true)
BROKEN(cold_journal, .play_cold = true)
BROKEN(journal_checksum, .skip_journal_checksum = true)
BROKEN(last_record, .drop_last_record = true)
BROKEN(main_size, .keep_size = true)
BROKEN(super_journal, .ignore_super = true)
BROKEN(no_wal, .ignore_wal = true)
BROKEN(last_frame, .one_frame_early = true)
BROKEN(past_commit, .past_last_commit = true)
BROKEN(wal_checksum, .skip_wal_checksum = true)
BROKEN(first_header, .first_header = true)
BROKEN(old_salts, .old_salts = true)

const mc_importer mc_broken_importers[] = {
    {MC_IMPORTER_ABI, "broken:none", "the small recovery, with no mistake", import_none},
    {MC_IMPORTER_ABI, "broken:no-journal", "a hot journal is not played back", import_no_journal},
    {MC_IMPORTER_ABI, "broken:cold-journal", "a journal whose header is zeroed is played back",
     import_cold_journal},
    {MC_IMPORTER_ABI, "broken:journal-checksum", "records are not checked",
     import_journal_checksum},
    {MC_IMPORTER_ABI, "broken:last-record", "the last record is left out", import_last_record},
    {MC_IMPORTER_ABI, "broken:main-size", "main keeps its size: the journal's is ignored",
     import_main_size},
    {MC_IMPORTER_ABI, "broken:super-journal",
     "a journal is played back though its super-journal is gone", import_super_journal},
    {MC_IMPORTER_ABI, "broken:no-wal", "the WAL is not read", import_no_wal},
    {MC_IMPORTER_ABI, "broken:last-frame", "the last frame that counts is left out",
     import_last_frame},
    {MC_IMPORTER_ABI, "broken:past-commit", "frames after the last commit are taken, too",
     import_past_commit},
    {MC_IMPORTER_ABI, "broken:wal-checksum", "frames are not checked", import_wal_checksum},
    {MC_IMPORTER_ABI, "broken:first-header", "the page count is that of the first frame of page 1",
     import_first_header},
    {MC_IMPORTER_ABI, "broken:old-salts", "frames of an older generation of the WAL are taken",
     import_old_salts},
    {0, NULL, NULL, NULL},
};

const mc_importer *mc_broken_find(const char *name)
{
    for (const mc_importer *row = mc_broken_importers; row->name != NULL; row++) {
        if (strcmp(row->name, name) == 0) {
            return row;
        }
    }
    return NULL;
}
