/* forge.h: databases, rollback journals and WALs made byte by byte, good or bad, for tests.
 *
 * Checksums come from core/, which makes no test circular: every file that is forged here is also
 * read by stock SQLite, which would ignore a journal or a WAL whose checksums were wrong. */
#ifndef MIDCOMMIT_CORE_TEST_FORGE_H
#define MIDCOMMIT_CORE_TEST_FORGE_H

#include "core/dbheader.h"
#include "core/test/stock.h"

/* One in-place transaction: main before and after it, made by stock SQLite. */
typedef struct forge_base {
    stock_file before;
    stock_file after;
    uint32_t page_size;
    uint32_t before_pages;
} forge_base;

typedef struct forge_journal {
    uint32_t count; /* as the header states it */
    uint32_t nonce;
    uint32_t original_pages;
    uint32_t sector_size; /* as stated, and used for padding when it is possible */
    uint32_t page_size;   /* as stated */
} forge_journal;

STOCK_UNUSED static sqlite3 *forge_open(const stock_dir *dir)
{
    sqlite3 *db;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    assert_int_equal(sqlite3_open_v2(dir->name[STOCK_MAIN], &db, flags, NULL), SQLITE_OK);
    return db;
}

/* A table of about `rows` pages and an index on it. */
STOCK_UNUSED static void forge_fill(sqlite3 *db, uint32_t page_size, int rows)
{
    char sql[640];
    (void)snprintf(sql, sizeof sql,
                   "PRAGMA page_size=%u; CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c BLOB);"
                   "CREATE INDEX i ON t(b);"
                   "WITH n(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM n WHERE x<%d)"
                   "INSERT INTO t SELECT x, printf('row %%d', x),"
                   " replace(hex(zeroblob(%u)), '0', char(64 + x)) FROM n;",
                   page_size, rows, page_size / 4);
    stock_exec(db, sql);
}

STOCK_UNUSED static void forge_base_make(const stock_dir *dir, uint32_t page_size, forge_base *out)
{
    stock_state state = {0};
    stock_dir_empty(dir);
    sqlite3 *db = forge_open(dir);
    forge_fill(db, page_size, 8);
    stock_read(dir, &state);
    stock_set(&out->before, state.file[STOCK_MAIN].data, state.file[STOCK_MAIN].size);
    stock_exec(db, "BEGIN; UPDATE t SET b = b || ' changed', c = randomblob(length(c));"
                   "INSERT INTO t SELECT a + 100, b, c FROM t; COMMIT;");
    stock_read(dir, &state);
    stock_set(&out->after, state.file[STOCK_MAIN].data, state.file[STOCK_MAIN].size);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    stock_free(&state);
    out->page_size = page_size;
    out->before_pages = (uint32_t)(out->before.size / page_size);
    assert_true(out->after.size > out->before.size && out->before_pages > 6);
}

STOCK_UNUSED static void forge_base_free(forge_base *base)
{
    stock_remove(&base->before);
    stock_remove(&base->after);
}

/* A header at the next sector boundary, and the rest of its sector as zeros. */
STOCK_UNUSED static void forge_header(stock_file *journal, const forge_journal *header)
{
    size_t sector = header->sector_size;
    bool possible = sector >= MC_JOURNAL_HEADER_BYTES && sector <= MC_JOURNAL_SECTOR_MAX;
    sector = possible ? sector : 512;
    size_t at = (journal->size + sector - 1) / sector * sector;
    stock_resize(journal, at + sector);
    uint8_t *p = journal->data + at;
    memcpy(p, mc_journal_magic, MC_JOURNAL_MAGIC_BYTES);
    mc_bytes_put_be32(p + 8, header->count);
    mc_bytes_put_be32(p + 12, header->nonce);
    mc_bytes_put_be32(p + 16, header->original_pages);
    mc_bytes_put_be32(p + 20, header->sector_size);
    mc_bytes_put_be32(p + 24, header->page_size);
}

STOCK_UNUSED static void forge_record(stock_file *journal, uint32_t nonce, uint32_t page_number,
                                      const uint8_t *page, uint32_t page_size)
{
    uint8_t number[4];
    uint8_t sum[4];
    mc_bytes_put_be32(number, page_number);
    mc_bytes_put_be32(sum, mc_journal_checksum(nonce, page, page_size));
    stock_append(journal, number, sizeof number);
    stock_append(journal, page, page_size);
    stock_append(journal, sum, sizeof sum);
}

/* Records of pages first..last as they were before. */
STOCK_UNUSED static void forge_records(stock_file *journal, const forge_base *base, uint32_t nonce,
                                       uint32_t first, uint32_t last)
{
    for (uint32_t n = first; n <= last; n++) {
        const uint8_t *page = base->before.data + (size_t)(n - 1) * base->page_size;
        forge_record(journal, nonce, n, page, base->page_size);
    }
}

STOCK_UNUSED static forge_journal forge_good_header(const forge_base *base)
{
    return (forge_journal){.count = base->before_pages,
                           .nonce = 0x12345678,
                           .original_pages = base->before_pages,
                           .sector_size = 512,
                           .page_size = base->page_size};
}

/* The state of a crash after main was written: main new, and a journal of the old pages under
 * `header`. */
STOCK_UNUSED static void forge_crash(const forge_base *base, const forge_journal *header,
                                     stock_state *state)
{
    stock_free(state);
    stock_set(&state->file[STOCK_MAIN], base->after.data, base->after.size);
    stock_set(&state->file[STOCK_JOURNAL], NULL, 0);
    forge_header(&state->file[STOCK_JOURNAL], header);
    forge_records(&state->file[STOCK_JOURNAL], base, header->nonce, 1, base->before_pages);
}

/* A super-journal record of `name`, whose length and sum are wrong by what is added to them. */
STOCK_UNUSED static void forge_super(stock_file *journal, uint32_t page_size, const void *name,
                                     uint32_t length, uint32_t add_to_sum)
{
    uint8_t word[4];
    mc_bytes_put_be32(word, mc_lock_byte_page(page_size));
    stock_append(journal, word, sizeof word);
    uint32_t sum = add_to_sum;
    for (uint32_t i = 0; i < length; i++) {
        int32_t letter = ((const signed char *)name)[i];
        sum += (uint32_t)letter;
    }
    stock_append(journal, name, length);
    mc_bytes_put_be32(word, length);
    stock_append(journal, word, sizeof word);
    mc_bytes_put_be32(word, sum);
    stock_append(journal, word, sizeof word);
    stock_append(journal, mc_journal_magic, MC_JOURNAL_MAGIC_BYTES);
}

typedef struct forge_wal {
    bool big_endian;
    uint32_t page_size;
    uint32_t version;
    uint32_t salt[2];
    uint32_t checksum[2]; /* running; forge_wal_header starts it */
} forge_wal;

STOCK_UNUSED static void forge_wal_header(stock_file *file, forge_wal *wal)
{
    stock_set(file, NULL, MC_WAL_HEADER_BYTES);
    uint8_t *p = file->data;
    mc_bytes_put_be32(p, MC_WAL_MAGIC | (wal->big_endian ? 1 : 0));
    mc_bytes_put_be32(p + 4, wal->version);
    mc_bytes_put_be32(p + 8, wal->page_size);
    mc_bytes_put_be32(p + 16, wal->salt[0]);
    mc_bytes_put_be32(p + 20, wal->salt[1]);
    wal->checksum[0] = 0;
    wal->checksum[1] = 0;
    mc_wal_checksum(wal->big_endian, p, 24, wal->checksum);
    mc_bytes_put_be32(p + 24, wal->checksum[0]);
    mc_bytes_put_be32(p + 28, wal->checksum[1]);
}

STOCK_UNUSED static void forge_frame(stock_file *file, forge_wal *wal, uint32_t page_number,
                                     uint32_t commit_pages, const uint8_t *page)
{
    uint8_t header[MC_WAL_FRAME_HEADER_BYTES];
    mc_bytes_put_be32(header, page_number);
    mc_bytes_put_be32(header + 4, commit_pages);
    mc_bytes_put_be32(header + 8, wal->salt[0]);
    mc_bytes_put_be32(header + 12, wal->salt[1]);
    mc_wal_checksum(wal->big_endian, header, 8, wal->checksum);
    mc_wal_checksum(wal->big_endian, page, wal->page_size, wal->checksum);
    mc_bytes_put_be32(header + 16, wal->checksum[0]);
    mc_bytes_put_be32(header + 20, wal->checksum[1]);
    stock_append(file, header, sizeof header);
    stock_append(file, page, wal->page_size);
}

STOCK_UNUSED static forge_wal forge_good_wal(uint32_t page_size)
{
    return (forge_wal){
        .page_size = page_size, .version = MC_WAL_VERSION, .salt = {0x01020304, 0xa0b0c0d0}};
}

/* Main as before, and a WAL that holds the whole of after in one transaction. */
STOCK_UNUSED static void forge_wal_state(const forge_base *base, forge_wal *wal, stock_state *state)
{
    stock_free(state);
    stock_set(&state->file[STOCK_MAIN], base->before.data, base->before.size);
    forge_wal_header(&state->file[STOCK_WAL], wal);
    uint32_t pages = (uint32_t)(base->after.size / base->page_size);
    for (uint32_t n = 1; n <= pages; n++) {
        const uint8_t *page = base->after.data + (size_t)(n - 1) * base->page_size;
        forge_frame(&state->file[STOCK_WAL], wal, n, n == pages ? pages : 0, page);
    }
}

/* True when the image is those bytes, page by page. */
STOCK_UNUSED static bool forge_image_is(const mc_image *image, const stock_file *file)
{
    if ((uint64_t)image->page_count * image->page_size != file->size) {
        return false;
    }
    for (uint32_t i = 0; i < image->page_count; i++) {
        size_t at = (size_t)i * image->page_size;
        if (memcmp(image->page[i], file->data + at, image->page_size) != 0) {
            return false;
        }
    }
    return true;
}

/* What a crafted state must come to, besides what stock SQLite says. */
typedef enum forge_outcome {
    FORGE_BEFORE, /* byte for byte the database before the transaction */
    FORGE_AFTER,  /* or after it */
    FORGE_MIXED,  /* imported, and neither */
    FORGE_EMPTY,  /* no pages */
    FORGE_REFUSED /* with the reason named */
} forge_outcome;

STOCK_UNUSED static void forge_expect(const stock_dir *dir, const forge_base *base,
                                      const stock_state *state, const char *what,
                                      forge_outcome outcome, const char *reason)
{
    stock_ours ours;
    stock_compare(dir, state, what, &ours, NULL);
    const mc_image *image = &ours.import.image;
    bool before = ours.status == MC_OK && forge_image_is(image, &base->before);
    bool after = ours.status == MC_OK && forge_image_is(image, &base->after);
    bool holds = false;
    switch (outcome) {
    case FORGE_BEFORE:
        holds = before;
        break;
    case FORGE_AFTER:
        holds = after;
        break;
    case FORGE_MIXED:
        holds = ours.status == MC_OK && !before && !after && image->page_count > 0;
        break;
    case FORGE_EMPTY:
        holds = ours.status == MC_OK && image->page_count == 0;
        break;
    case FORGE_REFUSED:
        holds = ours.status == MC_REFUSED && strcmp(ours.error.reason, reason) == 0;
        break;
    }
    if (!holds) {
        fail_msg("%s: agrees with stock, but not outcome %d: status %d %s, %u pages", what,
                 (int)outcome, (int)ours.status, ours.status == MC_OK ? "" : ours.error.text,
                 image->page_count);
    }
    mc_arena_free(&ours.arena);
}

#endif
