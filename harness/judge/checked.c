#include "harness/judge/checked.h"

#include "core/bytes.h"
#include "core/journal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD_EXTRA_BYTES = 8, OPEN_MAX = 8, UNCOUNTED = 0xffffffff };

static bool make_room(mc_checked *c, size_t size)
{
    if (size > c->capacity) {
        uint8_t *moved = realloc(c->bytes, size);
        if (moved == NULL) {
            return false;
        }
        c->bytes = moved;
        c->capacity = size;
    }
    return true;
}

/* Everything in front of the read has been read: its choices are made. */
static bool take_front(mc_checked *c, const mc_states *states, const mc_read *read)
{
    const mc_power_file *file = &states->file[read->file];
    if (read->to > file->size || !make_room(c, (size_t)read->to)) {
        return false;
    }
    mc_power_bytes(file, states->choice[read->file], 0, read->from, c->bytes);
    return true;
}

static bool begin_frame(mc_checked *c, const mc_states *states, const mc_read *read)
{
    uint64_t frame = MC_WAL_FRAME_HEADER_BYTES + (uint64_t)c->page_size;
    mc_error ignored;
    if (read->from < MC_WAL_HEADER_BYTES || (read->from - MC_WAL_HEADER_BYTES) % frame != 0 ||
        read->to - read->from != frame || !take_front(c, states, read)) {
        return false;
    }
    mc_file front = {
        .exists = true, .data = c->bytes, .size = read->to}; /* a header alone is none */
    if (mc_wal_open(&front, &c->wal, NULL, &ignored) != MC_OK || !c->wal.usable ||
        c->wal.page_size != c->page_size) {
        return false;
    }
    front.size = read->from;
    mc_wal_advance(&c->wal, &front);
    return c->wal.valid_frames == (read->from - MC_WAL_HEADER_BYTES) / frame;
}

/* The record in whose page `at` lies, and the nonce of its header; false if it is in none. */
static bool find_header(mc_checked *c, uint64_t at)
{
    uint64_t sector = 0;
    uint64_t record = RECORD_EXTRA_BYTES + (uint64_t)c->page_size;
    for (uint64_t header = 0; header + MC_JOURNAL_HEADER_BYTES <= at;) {
        const uint8_t *h = c->bytes + header;
        if (memcmp(h, mc_journal_magic, MC_JOURNAL_MAGIC_BYTES) != 0) {
            return false;
        }
        uint32_t count = mc_bytes_get_be32(h + 8);
        c->nonce = mc_bytes_get_be32(h + 12);
        if (header == 0) {
            sector = mc_bytes_get_be32(h + 20);
            if (sector < MC_JOURNAL_SECTOR_MIN || sector > MC_JOURNAL_SECTOR_MAX ||
                mc_bytes_get_be32(h + 24) != c->page_size) {
                return false;
            }
        }
        uint64_t first = header + sector + 4;
        if (at >= first && (count == UNCOUNTED || (at - first) / record < count)) {
            c->page_at = first + (at - first) / record * record;
            return at < c->page_at + c->page_size;
        }
        if (count == UNCOUNTED) {
            return false;
        }
        header = (first - 4 + count * record + sector - 1) / sector * sector;
    }
    return false;
}

/* All values of the four bytes at `at`, whatever is chosen for the open cells there; false when
 * they are too many. */
static bool list_checksums(mc_checked *c, const mc_states *states, uint16_t number, uint64_t at)
{
    const mc_power_file *file = &states->file[number];
    uint8_t *chosen = states->choice[number];
    uint32_t cell[OPEN_MAX];
    uint32_t open = 0;
    uint64_t combinations = 1;
    if (at + 4 > file->size) {
        return true; /* none: the record is short, and ends playback */
    }
    uint32_t end = file->block[(at + 3) / MC_POWER_BLOCK_BYTES + 1];
    for (uint32_t k = file->block[at / MC_POWER_BLOCK_BYTES]; k < end; k++) {
        const mc_power_cell *now = &file->cell[file->by_block[k]];
        if (chosen[file->by_block[k]] == MC_POWER_UNCHOSEN && now->alternatives > 1 &&
            now->unit_from < at + 4 && now->unit_to > at) {
            combinations *= now->alternatives;
            if (open == OPEN_MAX || combinations > MC_CHECKSUMS_MAX) {
                return false;
            }
            cell[open++] = file->by_block[k];
        }
    }
    for (uint64_t n = 0; n < combinations; n++) {
        uint64_t rest = n;
        uint8_t bytes[4];
        for (uint32_t i = 0; i < open; i++) {
            chosen[cell[i]] = (uint8_t)(rest % file->cell[cell[i]].alternatives);
            rest /= file->cell[cell[i]].alternatives;
        }
        mc_power_bytes(file, chosen, at, at + 4, bytes);
        c->checksum[c->checksum_count++] = mc_bytes_get_be32(bytes);
    }
    for (uint32_t i = 0; i < open; i++) {
        chosen[cell[i]] = MC_POWER_UNCHOSEN;
    }
    return true;
}

/* Is anything open of the record's page that the read does not settle? */
static bool is_rest_open(const mc_checked *c, const mc_states *states, const mc_read *read)
{
    const mc_power_file *file = &states->file[read->file];
    uint64_t page_end = c->page_at + c->page_size;
    uint32_t end = file->block[(page_end - 1) / MC_POWER_BLOCK_BYTES + 1];
    for (uint32_t k = file->block[c->page_at / MC_POWER_BLOCK_BYTES]; k < end; k++) {
        uint32_t i = file->by_block[k];
        const mc_power_cell *cell = &file->cell[i];
        uint64_t from = cell->alternatives > 2 ? cell->unit_from : cell->from;
        uint64_t to = cell->alternatives > 2 ? cell->unit_to : cell->to;
        bool open = cell->alternatives > 1 && states->choice[read->file][i] == MC_POWER_UNCHOSEN;
        if (open && from < page_end && to > c->page_at && (to <= read->from || from >= read->to)) {
            return true;
        }
    }
    return false;
}

/* A record of a page behind the end that the journal's first header states is skipped: its checksum
 * is not looked at, and playback goes on (pager.c pager_playback_one_page). */
static bool is_skipped(const mc_checked *c)
{
    enum { DATABASE_PAGES_AT = 16 };
    return mc_bytes_get_be32(c->bytes + c->page_at - 4) >
           mc_bytes_get_be32(c->bytes + DATABASE_PAGES_AT);
}

static bool begin_record(mc_checked *c, const mc_states *states, const mc_read *read)
{
    return take_front(c, states, read) && find_header(c, read->from) && !is_skipped(c) &&
           read->to <= c->page_at + c->page_size &&
           c->page_at + c->page_size <= states->file[read->file].size &&
           !is_rest_open(c, states, read) &&
           list_checksums(c, states, read->file, c->page_at + c->page_size);
}

static void list_weights(mc_checked *c)
{
    c->weight_count = 0;
    if (c->is_wal) {
        c->weight[c->weight_count++] = 0;
    }
    for (uint32_t i = 0; i < c->checksum_count; i++) {
        bool again = false;
        for (uint32_t k = 0; k < c->weight_count; k++) {
            again = again || c->weight[k] == c->checksum[i];
        }
        if (!again) {
            c->weight[c->weight_count++] = c->checksum[i];
        }
    }
}

bool mc_checked_begin(mc_checked *c, const mc_states *states, const mc_read *read)
{
    const char *role = mc_file_role(c->trace, read->file);
    c->is_wal = strcmp(role, "wal") == 0;
    c->checksum_count = 0;
    bool ok = c->is_wal ? begin_frame(c, states, read)
                        : strcmp(role, "journal") == 0 && begin_record(c, states, read);
    list_weights(c);
    return ok;
}

uint64_t mc_checked_weight(mc_checked *c, const mc_states *states, const mc_read *read)
{
    enum { SALT_AT = 8, CHECKSUM_AT = 16 };
    const mc_power_file *file = &states->file[read->file];
    const uint8_t *chosen = states->choice[read->file];
    if (!c->is_wal) {
        mc_power_bytes(file, chosen, c->page_at, c->page_at + c->page_size, c->page);
        return mc_journal_checksum(c->nonce, c->page, c->page_size);
    }
    uint8_t *frame = c->bytes + read->from;
    uint32_t sum[] = {c->wal.checksum[0], c->wal.checksum[1]};
    mc_power_bytes(file, chosen, read->from, read->to, frame);
    mc_wal_checksum(c->wal.big_endian, frame, SALT_AT, sum);
    mc_wal_checksum(c->wal.big_endian, frame + MC_WAL_FRAME_HEADER_BYTES, c->page_size, sum);
    sum[0] -= mc_bytes_get_be32(frame + CHECKSUM_AT);
    sum[1] -= mc_bytes_get_be32(frame + CHECKSUM_AT + 4);
    return (uint64_t)sum[1] << 32 | sum[0];
}

bool mc_checked_fails(mc_checked *c, const mc_states *states, const mc_read *read)
{
    const mc_power_file *file = &states->file[read->file];
    const uint8_t *chosen = states->choice[read->file];
    if (c->is_wal) {
        mc_wal wal = c->wal;
        mc_power_bytes(file, chosen, read->from, read->to, c->bytes + read->from);
        mc_file front = {.exists = true, .data = c->bytes, .size = read->to};
        mc_wal_advance(&wal, &front);
        return wal.valid_frames == c->wal.valid_frames;
    }
    mc_power_bytes(file, chosen, c->page_at, c->page_at + c->page_size, c->page);
    uint32_t sum = mc_journal_checksum(c->nonce, c->page, c->page_size);
    for (uint32_t i = 0; i < c->checksum_count; i++) {
        if (c->checksum[i] == sum) {
            return false;
        }
    }
    return true;
}
