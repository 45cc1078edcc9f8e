/* plant.h: a small recovery of a test's own, with switches that break it one rule at a time.
 *
 * With no switch set it recovers what this harness's workloads leave; that is checked on the same
 * workloads as each broken one, so that a broken one is caught for its switch and nothing else. It
 * shares with core/ only the readers of bytes and the image that it hands back. */
#ifndef MIDCOMMIT_HARNESS_TEST_PLANT_H
#define MIDCOMMIT_HARNESS_TEST_PLANT_H

#include <string.h>

#include "core/bytes.h"
#include "core/importer.h"

typedef struct plant_rules {
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
    bool old_salts; /* frames of an older generation of the WAL are taken */
} plant_rules;

enum { PLANT_PAGES_MAX = 4096 };

typedef struct plant_state {
    const plant_rules *rules;
    const mc_files *files;
    uint32_t page_size;
    uint64_t main_pages;
    const uint8_t *page[PLANT_PAGES_MAX];
} plant_state;

static uint32_t plant_be32(const mc_file *file, uint64_t at)
{
    return at + 4 <= file->size ? mc_bytes_get_be32(file->data + at) : 0;
}

static bool plant_super_missing(const plant_state *s)
{
    const mc_file *journal = &s->files->journal;
    if (s->rules->ignore_super || journal->size < 16 ||
        memcmp(journal->data + journal->size - 8, "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", 8) != 0) {
        return false;
    }
    uint32_t length = plant_be32(journal, journal->size - 16);
    if (length == 0 || length > 512 || length + 16 > journal->size) {
        return false;
    }
    mc_file super = {0};
    const uint8_t *name = journal->data + journal->size - 16 - length;
    return !s->files->other(s->files->context, name, length, &super) || super.size == 0;
}

static bool plant_record_holds(const plant_state *s, uint64_t at, uint32_t nonce)
{
    const mc_file *journal = &s->files->journal;
    if (at + 8 + s->page_size > journal->size) {
        return false;
    }
    uint32_t sum = nonce;
    for (int64_t i = (int64_t)s->page_size - 200; i > 0; i -= 200) {
        sum += journal->data[at + 4 + (uint64_t)i];
    }
    return s->rules->skip_journal_checksum || s->rules->play_cold ||
           sum == plant_be32(journal, at + 4 + s->page_size);
}

static void plant_play(plant_state *s)
{
    const mc_file *journal = &s->files->journal;
    bool cold = journal->size == 0 || journal->data[0] == 0;
    if (s->rules->ignore_journal || !journal->exists || s->main_pages == 0 || journal->size < 512 ||
        (cold && !s->rules->play_cold) || plant_super_missing(s)) {
        return;
    }
    uint64_t original = cold ? s->main_pages : plant_be32(journal, 16);
    uint32_t last = 0;
    const uint8_t *last_before = NULL;
    for (uint64_t at = 0; at + 512 <= journal->size;) {
        uint32_t records = cold ? UINT32_MAX : plant_be32(journal, at + 8);
        uint32_t nonce = plant_be32(journal, at + 12);
        if (!cold && memcmp(journal->data + at, "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", 8) != 0) {
            break;
        }
        at += 512;
        for (; records > 0 && plant_record_holds(s, at, nonce); records--) {
            uint32_t page = plant_be32(journal, at);
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
    if (s->rules->drop_last_record && last > 0) {
        s->page[last - 1] = last_before;
    }
    s->main_pages = s->rules->keep_size ? s->main_pages : original;
}

static void plant_checksum(const uint8_t *data, size_t size, bool big, uint32_t sum[2])
{
    for (size_t i = 0; i < size; i += 8) {
        uint32_t a = big ? mc_bytes_get_be32(data + i) : mc_bytes_get_le32(data + i);
        uint32_t b = big ? mc_bytes_get_be32(data + i + 4) : mc_bytes_get_le32(data + i + 4);
        sum[0] += a + sum[1];
        sum[1] += b + sum[0];
    }
}

static bool plant_frame_holds(const plant_state *s, uint64_t at, uint32_t sum[2])
{
    const mc_file *wal = &s->files->wal;
    if (at + 24 + s->page_size > wal->size || plant_be32(wal, at) == 0) {
        return false;
    }
    bool big = plant_be32(wal, 0) & 1;
    plant_checksum(wal->data + at, 8, big, sum);
    plant_checksum(wal->data + at + 24, s->page_size, big, sum);
    bool salts = memcmp(wal->data + at + 8, wal->data + 16, 8) == 0;
    bool good = sum[0] == plant_be32(wal, at + 16) && sum[1] == plant_be32(wal, at + 20);
    return s->rules->old_salts || (salts && (good || s->rules->skip_wal_checksum));
}

static void plant_overlay(plant_state *s)
{
    const mc_file *wal = &s->files->wal;
    uint64_t frame_bytes = 24 + (uint64_t)s->page_size;
    if (s->rules->ignore_wal || wal->size <= 32 || s->main_pages == 0 ||
        (plant_be32(wal, 0) & ~1u) != 0x377f0682) {
        return;
    }
    uint32_t sum[2] = {0, 0};
    plant_checksum(wal->data, 24, plant_be32(wal, 0) & 1, sum);
    if (sum[0] != plant_be32(wal, 24) || sum[1] != plant_be32(wal, 28)) {
        return;
    }
    uint64_t valid = 0;
    uint64_t counts = 0;
    while (plant_frame_holds(s, 32 + valid * frame_bytes, sum)) {
        valid++;
        if (plant_be32(wal, 32 + (valid - 1) * frame_bytes + 4) > 0) {
            counts = valid;
        }
    }
    if (counts > 0) {
        s->main_pages = plant_be32(wal, 32 + (counts - 1) * frame_bytes + 4);
    }
    counts = s->rules->past_last_commit ? valid : counts;
    counts -= s->rules->one_frame_early && counts > 0;
    for (uint64_t i = 0; i < counts; i++) {
        uint32_t page = plant_be32(wal, 32 + i * frame_bytes);
        if (page <= PLANT_PAGES_MAX) {
            s->page[page - 1] = wal->data + 32 + i * frame_bytes + 24;
        }
    }
}

static mc_status plant_import(const plant_rules *rules, const mc_input *input, mc_arena *arena,
                              mc_import *out, mc_error *error)
{
    plant_state s = {.rules = rules, .files = &input->files, .page_size = 4096};
    const mc_file *main = &input->files.main;
    uint8_t *zeros = mc_arena_calloc(arena, 1, s.page_size);
    if (zeros == NULL || main->size > (uint64_t)PLANT_PAGES_MAX * s.page_size) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "plant: too large");
    }
    s.main_pages = main->size / s.page_size;
    for (uint64_t i = 0; i < PLANT_PAGES_MAX; i++) {
        s.page[i] = i < s.main_pages ? main->data + i * s.page_size : zeros;
    }
    plant_play(&s);
    plant_overlay(&s);
    if (s.main_pages > 0 && memcmp(s.page[0] + 24, s.page[0] + 92, 4) == 0 &&
        mc_bytes_get_be32(s.page[0] + 28) != 0) {
        s.main_pages = mc_bytes_get_be32(s.page[0] + 28);
    }
    const uint8_t **page = mc_arena_calloc(arena, (size_t)s.main_pages, sizeof *page);
    if (page == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "plant: too large");
    }
    memcpy(page, s.page, (size_t)s.main_pages * sizeof *page);
    out->image = (mc_image){s.main_pages > 0 ? s.page_size : 0, (uint32_t)s.main_pages, page};
    return MC_OK;
}

#endif
