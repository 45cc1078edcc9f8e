/* mutate_journal.c: a rollback journal: headers, records, the super-journal's name (core/journal.h
 * and fileformat2 3 say what they are). */
#include "fuzz/mutate/mutate_edit.h"

#include <assert.h>
#include <string.h>

#include "core/bytes.h"
#include "core/image.h"
#include "core/journal.h"

enum {
    COUNT_AT = 8,
    NONCE_AT = 12,
    ORIGINAL_AT = 16,
    SECTOR_AT = 20,
    PAGE_SIZE_AT = 24,
    RECORD_EXTRA_BYTES = 8,
    SECTOR_BYTES = 512
};

static bool is_power_within(uint32_t value, uint32_t least, uint32_t most)
{
    return value >= least && value <= most && (value & (value - 1)) == 0;
}

static bool is_header(const uint8_t *data, size_t size, size_t at)
{
    return at + MC_JOURNAL_HEADER_BYTES <= size &&
           memcmp(data + at, mc_journal_magic, MC_JOURNAL_MAGIC_BYTES) == 0;
}

/* The sizes are the first header's, for the whole file; where it was zeroed, the usual ones. */
static void begin(const uint8_t *data, size_t size, mc_segment *segment)
{
    segment->begun = true;
    segment->sector_size = SECTOR_BYTES;
    if (size >= MC_JOURNAL_HEADER_BYTES) {
        uint32_t sector = mc_bytes_get_be32(data + SECTOR_AT);
        uint32_t page = mc_bytes_get_be32(data + PAGE_SIZE_AT);
        if (is_power_within(sector, MC_JOURNAL_SECTOR_MIN, MC_JOURNAL_SECTOR_MAX)) {
            segment->sector_size = sector;
        }
        if (is_power_within(page, MC_PAGE_SIZE_MIN, MC_PAGE_SIZE_MAX)) {
            segment->page_size = page;
        }
    }
}

bool mc_segment_next(const uint8_t *data, size_t size, mc_segment *segment)
{
    size_t header = 0;
    if (!segment->begun) {
        begin(data, size, segment);
    } else {
        size_t end = segment->record.at + segment->record.count * segment->record.bytes;
        header = (end + segment->sector_size - 1) / segment->sector_size * segment->sector_size;
        if (segment->last || !is_header(data, size, header)) {
            return false;
        }
    }
    if (size < MC_JOURNAL_HEADER_BYTES || size - header < MC_JOURNAL_HEADER_BYTES) {
        return false;
    }
    uint32_t stated = mc_bytes_get_be32(data + header + COUNT_AT);
    size_t at = header + segment->sector_size;
    size_t unit = (size_t)segment->page_size + RECORD_EXTRA_BYTES;
    size_t room = at < size ? (size - at) / unit : 0;
    /* A count of 0 is what a crash before the sync leaves in front of records. */
    bool counts = stated != 0 || is_header(data, size, at);
    segment->last = !counts || stated > room;
    segment->header = header;
    segment->record = (mc_units){at, unit, counts && stated < room ? stated : room};
    segment->nonce = mc_bytes_get_be32(data + header + NONCE_AT);
    return true;
}

static void fix_record(uint8_t *record, uint32_t nonce, uint32_t page_size)
{
    mc_bytes_put_be32(record + 4 + page_size, mc_journal_checksum(nonce, record + 4, page_size));
}

static bool fix(mc_edit *edit)
{
    mc_segment segment = {.page_size = mc_edit_page_size(edit)};
    size_t fixed = 0;
    while (mc_segment_next(edit->data, edit->size, &segment)) {
        for (size_t i = 0; i < segment.record.count; i++) {
            uint8_t *record = edit->data + segment.record.at + i * segment.record.bytes;
            fix_record(record, segment.nonce, segment.page_size);
            fixed++;
        }
    }
    return fixed > 0;
}

static bool pick_segment(mc_edit *edit, mc_segment *out)
{
    mc_segment segment = {.page_size = mc_edit_page_size(edit)};
    size_t count = 0;
    while (mc_segment_next(edit->data, edit->size, &segment)) {
        count++;
        if (mc_edit_one_in(edit, (uint32_t)count)) {
            *out = segment;
        }
    }
    return count > 0;
}

static bool pick_record(mc_edit *edit, mc_segment *segment, size_t *record)
{
    if (!pick_segment(edit, segment) || segment->record.count == 0) {
        return false;
    }
    *record = segment->record.at +
              segment->record.bytes * (size_t)mc_edit_below(edit, segment->record.count);
    return true;
}

/* After records came or went, most of the time: the header's count follows. */
static void recount(mc_edit *edit, const mc_segment *segment, uint32_t change)
{
    uint8_t *p = edit->data + segment->header + COUNT_AT;
    uint32_t count = mc_bytes_get_be32(p);
    if (count != 0 && count != UINT32_MAX && !mc_edit_one_in(edit, 4)) {
        mc_bytes_put_be32(p, count + change);
    }
}

static bool header_field(mc_edit *edit)
{
    mc_segment segment;
    if (!pick_segment(edit, &segment)) {
        return false;
    }
    uint32_t natural[] = {(uint32_t)segment.record.count, segment.nonce,
                          mc_edit_main_pages(edit, segment.page_size)};
    uint32_t i = mc_edit_below(edit, 3);
    mc_edit_field(edit, segment.header + COUNT_AT + 4 * i, 4, natural[i]);
    return true;
}

static bool header_sizes(mc_edit *edit)
{
    if (edit->size < MC_JOURNAL_HEADER_BYTES) {
        return false;
    }
    if (mc_edit_one_in(edit, 4)) {
        mc_bytes_put_be32(edit->data + PAGE_SIZE_AT, mc_edit_page_size(edit));
    } else if (mc_edit_one_in(edit, 2)) {
        mc_bytes_put_be32(edit->data + PAGE_SIZE_AT,
                          mc_edit_one_in(edit, 4) ? 0 : mc_edit_power(edit, 8, 17));
    } else {
        mc_bytes_put_be32(edit->data + SECTOR_AT,
                          mc_edit_one_in(edit, 4) ? 0 : mc_edit_power(edit, 4, 17));
    }
    return true;
}

/* Zeroed as journal_mode=PERSIST does on commit, made whole again, or one byte wrong. */
static bool header_magic(mc_edit *edit)
{
    mc_segment segment;
    if (!pick_segment(edit, &segment)) {
        return false;
    }
    uint8_t *p = edit->data + segment.header;
    if (!is_header(edit->data, edit->size, segment.header)) {
        memcpy(p, mc_journal_magic, MC_JOURNAL_MAGIC_BYTES);
        mc_bytes_put_be32(p + SECTOR_AT, segment.sector_size);
        mc_bytes_put_be32(p + PAGE_SIZE_AT, segment.page_size);
        mc_bytes_put_be32(p + COUNT_AT, (uint32_t)segment.record.count);
    } else if (mc_edit_one_in(edit, 2)) {
        memset(p, 0, MC_JOURNAL_HEADER_BYTES);
    } else {
        p[mc_edit_below(edit, MC_JOURNAL_MAGIC_BYTES)] ^= (uint8_t)(1u << mc_edit_below(edit, 8));
    }
    return true;
}

static bool record_number(mc_edit *edit)
{
    mc_segment segment;
    size_t record;
    if (!pick_record(edit, &segment, &record)) {
        return false;
    }
    uint32_t natural = mc_edit_one_in(edit, 8) ? mc_lock_byte_page(segment.page_size)
                                               : mc_edit_main_pages(edit, segment.page_size);
    mc_edit_field(edit, record, 4, natural);
    return true;
}

static bool record_checksum(mc_edit *edit)
{
    mc_segment segment;
    size_t record;
    if (!pick_record(edit, &segment, &record)) {
        return false;
    }
    size_t at = record + 4 + segment.page_size;
    mc_edit_field(edit, at, 4, mc_bytes_get_be32(edit->data + at) ^ 0x100);
    edit->right = false; /* this is about wrong ones */
    return true;
}

static bool record_bytes(mc_edit *edit)
{
    mc_segment segment;
    size_t record;
    return pick_record(edit, &segment, &record) &&
           mc_edit_leaf(edit, record + 4, segment.page_size);
}

static bool record_swap(mc_edit *edit)
{
    mc_segment segment;
    return pick_segment(edit, &segment) && mc_units_swap(edit, segment.record);
}

static bool record_copy(mc_edit *edit)
{
    mc_segment segment;
    return pick_segment(edit, &segment) && mc_units_copy(edit, segment.record);
}

static bool record_duplicate(mc_edit *edit)
{
    mc_segment segment;
    if (!pick_segment(edit, &segment) || !mc_units_duplicate(edit, segment.record)) {
        return false;
    }
    recount(edit, &segment, 1);
    return true;
}

static bool record_delete(mc_edit *edit)
{
    mc_segment segment;
    if (!pick_segment(edit, &segment) || !mc_units_delete(edit, segment.record)) {
        return false;
    }
    recount(edit, &segment, UINT32_MAX);
    return true;
}

/* Opens a record at `at` and fills it from a file beside this one. */
static bool put_record(mc_edit *edit, const mc_segment *segment, size_t at)
{
    uint32_t number;
    const uint8_t *page = mc_edit_page(edit, 0, segment->page_size, &number);
    if (page == NULL || !mc_edit_splice(edit, at, 0, NULL, segment->record.bytes)) {
        return false;
    }
    uint8_t *record = edit->data + at;
    mc_bytes_put_be32(record, number);
    memcpy(record + 4, page, segment->page_size);
    if (edit->right) {
        fix_record(record, segment->nonce, segment->page_size);
    }
    return true;
}

static bool record_insert(mc_edit *edit)
{
    mc_segment segment;
    if (!pick_segment(edit, &segment) || segment.record.at > edit->size) {
        return false;
    }
    size_t index = mc_edit_below(edit, segment.record.count + 1);
    if (!put_record(edit, &segment, segment.record.at + index * segment.record.bytes)) {
        return false;
    }
    recount(edit, &segment, 1);
    return true;
}

static bool record_from(mc_edit *edit)
{
    mc_segment segment;
    size_t record;
    uint32_t number;
    if (!pick_record(edit, &segment, &record)) {
        return false;
    }
    const uint8_t *page = mc_edit_page(edit, MC_PIECE_JOURNAL, segment.page_size, &number);
    if (page == NULL) {
        return false;
    }
    memcpy(edit->data + record + 4, page, segment.page_size);
    return true;
}

/* A second header with its records, at the sector where the last ones end: a journal that was
 * synced twice. */
static bool segment_append(mc_edit *edit)
{
    mc_segment segment = {.page_size = mc_edit_page_size(edit)};
    bool any = false;
    while (mc_segment_next(edit->data, edit->size, &segment)) {
        any = true;
    }
    if (!any || segment.record.at > edit->size) {
        return false;
    }
    size_t end = segment.record.at + segment.record.count * segment.record.bytes;
    size_t sector = segment.sector_size;
    size_t header = (end + sector - 1) / sector * sector;
    if (header + sector + segment.record.bytes > edit->capacity) {
        return false;
    }
    edit->size = end; /* what lies behind the last record goes */
    bool fits = mc_edit_splice(edit, end, 0, NULL, header + sector - end);
    assert(fits);
    uint8_t *p = edit->data + header;
    memcpy(p, edit->data, MC_JOURNAL_HEADER_BYTES);
    memcpy(p, mc_journal_magic, MC_JOURNAL_MAGIC_BYTES);
    segment.nonce = mc_edit_one_in(edit, 2) ? segment.nonce : (uint32_t)mc_edit_step(edit->random);
    mc_bytes_put_be32(p + NONCE_AT, segment.nonce);
    uint32_t records = 1 + mc_edit_below(edit, 3);
    uint32_t put = 0;
    while (put < records && put_record(edit, &segment, edit->size)) {
        put++;
    }
    mc_bytes_put_be32(edit->data + header + COUNT_AT, put);
    /* The count before must say where this header is. */
    uint8_t *before = edit->data + segment.header + COUNT_AT;
    if (mc_bytes_get_be32(before) == UINT32_MAX || mc_bytes_get_be32(before) == 0) {
        mc_bytes_put_be32(before, (uint32_t)segment.record.count);
    }
    return true;
}

/* The name of a super-journal at the end: one that is there (main.db-mj1), is not, or is a file of
 * this very database; the sum right or wrong. */
static bool super_name(mc_edit *edit)
{
    static const char *const names[] = {"main.db-mj1",     "main.db-mj2", "main.db",
                                        "main.db-journal", "main.db-wal", ""};
    const char *name = names[mc_edit_below(edit, sizeof names / sizeof *names)];
    size_t length = strlen(name);
    uint8_t record[64];
    uint32_t sum = 0;
    mc_segment segment = {.page_size = mc_edit_page_size(edit)};
    (void)mc_segment_next(edit->data, edit->size, &segment);
    mc_bytes_put_be32(record, mc_lock_byte_page(segment.page_size));
    memcpy(record + 4, name, length);
    for (size_t i = 0; i < length; i++) {
        sum += (uint8_t)name[i];
    }
    uint8_t *p = record + 4 + length;
    mc_bytes_put_be32(p, (uint32_t)length + (mc_edit_one_in(edit, 8) ? 1 : 0));
    mc_bytes_put_be32(p + 4, sum + (mc_edit_one_in(edit, 4) ? 1 : 0));
    memcpy(p + 8, mc_journal_magic, MC_JOURNAL_MAGIC_BYTES);
    size_t bytes = 4 + length + 16;
    size_t at = edit->size;
    size_t removed = mc_edit_one_in(edit, 2) && at >= bytes ? bytes : 0; /* in place of the end */
    return mc_edit_splice(edit, at - removed, removed, record, bytes);
}

static size_t grain(mc_edit *edit)
{
    mc_segment segment = {.page_size = mc_edit_page_size(edit)};
    (void)mc_segment_next(edit->data, edit->size, &segment);
    return mc_edit_one_in(edit, 2) ? SECTOR_BYTES : segment.page_size + RECORD_EXTRA_BYTES;
}

/* At the end of a record, a byte beside it, or wherever. */
static bool cut(mc_edit *edit)
{
    mc_segment segment;
    size_t record;
    if (mc_edit_one_in(edit, 2) && pick_record(edit, &segment, &record)) {
        size_t within = mc_edit_one_in(edit, 2)
                            ? 0
                            : (size_t)mc_edit_below(edit, 3) * (4 + (size_t)segment.page_size) / 2;
        edit->size = record + within;
        return true;
    }
    return mc_edit_cut(edit, grain(edit));
}

static bool grow(mc_edit *edit)
{
    return mc_edit_grow(edit, grain(edit));
}

static const mc_mutation rows[] = {
    {"journal header: field", header_field, false},
    {"journal header: sizes", header_sizes, false},
    {"journal header: magic", header_magic, false},
    {"journal: another header", segment_append, false},
    {"journal record: page number", record_number, false},
    {"journal record: checksum", record_checksum, false},
    {"journal record: bytes", record_bytes, false},
    {"journal record: swap", record_swap, false},
    {"journal record: copy", record_copy, false},
    {"journal record: duplicate", record_duplicate, false},
    {"journal record: delete", record_delete, false},
    {"journal record: insert", record_insert, false},
    {"journal record: another page", record_from, false},
    {"journal: super-journal", super_name, false},
    {"journal: cut", cut, false},
    {"journal: grow", grow, false},
};

const mc_mutation_table mc_mutate_journal = {MC_PIECE_JOURNAL, rows, sizeof rows / sizeof *rows,
                                             fix};
