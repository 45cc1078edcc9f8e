/* Write-ahead logs, crafted byte by byte, before recover and stock SQLite side by side. */
#include "core/test/forge.h"

static stock_dir dir;
static forge_base base;
static uint32_t after_pages;

/* Frames and headers of the WAL by number, counted from 1. */
static size_t frame_at(uint32_t frame)
{
    return MC_WAL_HEADER_BYTES + (size_t)(frame - 1) * (MC_WAL_FRAME_HEADER_BYTES + base.page_size);
}

static uint8_t *wal_at(stock_state *state, size_t offset)
{
    assert_true(offset < state->file[STOCK_WAL].size);
    return state->file[STOCK_WAL].data + offset;
}

static const uint8_t *page_of(const stock_file *file, uint32_t page_number)
{
    assert_true((uint64_t)page_number * base.page_size <= file->size);
    return file->data + (size_t)(page_number - 1) * base.page_size;
}

static void good(stock_state *state)
{
    (void)state;
}

static void big_endian(stock_state *state)
{
    forge_wal wal = forge_good_wal(base.page_size);
    wal.big_endian = true;
    forge_wal_state(&base, &wal, state);
}

static void garbage_behind(stock_state *state)
{
    uint8_t garbage[5000];
    memset(garbage, 0xa5, sizeof garbage);
    stock_append(&state->file[STOCK_WAL], garbage, sizeof garbage);
}

static void main_page_1_damaged(stock_state *state)
{
    memset(state->file[STOCK_MAIN].data, 0x77, 200);
}

static void main_header_version_2(stock_state *state)
{
    state->file[STOCK_MAIN].data[18] = 2;
    state->file[STOCK_MAIN].data[19] = 2;
}

static void main_of_one_page(stock_state *state)
{
    stock_resize(&state->file[STOCK_MAIN], 2);
}

static void main_of_1_byte(stock_state *state)
{
    stock_resize(&state->file[STOCK_MAIN], 1);
}

static void main_of_0_bytes(stock_state *state)
{
    stock_resize(&state->file[STOCK_MAIN], 0);
}

static void no_commit(stock_state *state)
{
    stock_resize(&state->file[STOCK_WAL], frame_at(after_pages));
}

static void last_frame_short(stock_state *state)
{
    stock_resize(&state->file[STOCK_WAL], state->file[STOCK_WAL].size - 1);
}

static void size_32(stock_state *state)
{
    stock_resize(&state->file[STOCK_WAL], 32);
}

static void size_33(stock_state *state)
{
    stock_resize(&state->file[STOCK_WAL], 33);
}

static void size_0(stock_state *state)
{
    stock_resize(&state->file[STOCK_WAL], 0);
}

static void bad_magic(stock_state *state)
{
    *wal_at(state, 3) ^= 0x10;
}

static void wrong_byte_order(stock_state *state)
{
    *wal_at(state, 3) ^= 1;
}

static void bad_header_checksum(stock_state *state)
{
    *wal_at(state, 31) ^= 1;
}

static void bad_page_size(stock_state *state)
{
    mc_bytes_put_be32(wal_at(state, 8), 4097);
}

static void bad_version(stock_state *state)
{
    forge_wal wal = forge_good_wal(base.page_size);
    wal.version = MC_WAL_VERSION + 1;
    forge_wal_state(&base, &wal, state);
}

static void bad_version_and_checksum(stock_state *state)
{
    mc_bytes_put_be32(wal_at(state, 4), MC_WAL_VERSION + 1);
}

static void frame_2_damaged(stock_state *state)
{
    *wal_at(state, frame_at(2) + 100) ^= 1;
}

static void frame_2_of_another_round(stock_state *state)
{
    *wal_at(state, frame_at(2) + 8) ^= 1;
}

static void commit_frame_damaged(stock_state *state)
{
    *wal_at(state, frame_at(after_pages) + 30) ^= 1;
}

/* The frame's checksums hold; only its number is none. */
static void page_zero(stock_state *state)
{
    forge_wal wal = forge_good_wal(base.page_size);
    stock_file *file = &state->file[STOCK_WAL];
    forge_wal_header(file, &wal);
    forge_frame(file, &wal, 0, 0, page_of(&base.after, 1));
    for (uint32_t n = 1; n <= after_pages; n++) {
        forge_frame(file, &wal, n, n == after_pages ? n : 0, page_of(&base.after, n));
    }
}

/* Three transactions; the last one is cut. */
static void two_commits_and_a_half(stock_state *state)
{
    forge_wal wal = forge_good_wal(base.page_size);
    stock_file *file = &state->file[STOCK_WAL];
    forge_wal_state(&base, &wal, state);
    for (uint32_t n = 1; n <= base.before_pages; n++) {
        forge_frame(file, &wal, n, n == base.before_pages ? n : 0, page_of(&base.before, n));
    }
    forge_frame(file, &wal, 1, 0, page_of(&base.after, 1));
    forge_frame(file, &wal, 2, 0, page_of(&base.after, 2));
}

/* A frame of a page beyond the committed size counts for nothing. */
static void page_beyond_the_end(stock_state *state)
{
    forge_wal wal = forge_good_wal(base.page_size);
    stock_file *file = &state->file[STOCK_WAL];
    forge_wal_header(file, &wal);
    forge_frame(file, &wal, 0xfffffffe, 0, page_of(&base.after, 1));
    for (uint32_t n = 1; n <= after_pages; n++) {
        forge_frame(file, &wal, n, n == after_pages ? n : 0, page_of(&base.after, n));
    }
}

static void commit_smaller_than_header(stock_state *state)
{
    forge_wal wal = forge_good_wal(base.page_size);
    stock_file *file = &state->file[STOCK_WAL];
    forge_wal_header(file, &wal);
    forge_frame(file, &wal, 1, after_pages - 1, page_of(&base.after, 1));
}

/* Main lacks the pages that the commit counts and the WAL does not hold: they read as zeros. */
static void commit_larger_than_main(stock_state *state)
{
    forge_wal wal = forge_good_wal(base.page_size);
    stock_file *file = &state->file[STOCK_WAL];
    forge_wal_header(file, &wal);
    forge_frame(file, &wal, 1, after_pages, page_of(&base.after, 1));
}

/* A WAL of another database whose frames are larger than main's pages: SQLite takes the first bytes
 * of each. */
static void larger_page_size(stock_state *state)
{
    forge_wal wal = forge_good_wal(base.page_size * 2);
    stock_file *file = &state->file[STOCK_WAL];
    uint8_t *page = calloc(1, wal.page_size);
    assert_non_null(page);
    memset(page, 0x5a, wal.page_size);
    forge_wal_header(file, &wal);
    forge_frame(file, &wal, 3, base.before_pages, page);
    free(page);
}

static void smaller_page_size(stock_state *state)
{
    forge_wal wal = forge_good_wal(base.page_size / 2);
    stock_file *file = &state->file[STOCK_WAL];
    forge_wal_header(file, &wal);
    forge_frame(file, &wal, 3, base.before_pages, page_of(&base.before, 3));
}

/* Playback comes first: the WAL lies on top of what the journal restores. */
static void hot_journal_and_wal(stock_state *state)
{
    forge_journal header = forge_good_header(&base);
    forge_wal wal = forge_good_wal(base.page_size);
    stock_file *file = &state->file[STOCK_WAL];
    forge_crash(&base, &header, state);
    forge_wal_header(file, &wal);
    forge_frame(file, &wal, 3, base.before_pages, page_of(&base.after, 3));
}

static void journal_empties_main(stock_state *state)
{
    forge_journal header = forge_good_header(&base);
    header.original_pages = 0;
    stock_file wal = state->file[STOCK_WAL];
    state->file[STOCK_WAL] = (stock_file){0};
    forge_crash(&base, &header, state);
    state->file[STOCK_WAL] = wal;
}

typedef struct craft {
    const char *name;
    void (*spoil)(stock_state *state);
    forge_outcome outcome;
    const char *slug; /* what mc_wal_open says, or the importer's reason */
} craft;

#define ROW(spoil, outcome, slug)                                                                  \
    {                                                                                              \
#spoil, spoil, outcome, slug                                                               \
    }

static const craft crafts[] = {
    ROW(good, FORGE_AFTER, NULL),
    ROW(big_endian, FORGE_AFTER, NULL),
    ROW(garbage_behind, FORGE_AFTER, NULL),
    ROW(main_page_1_damaged, FORGE_AFTER, NULL),
    ROW(main_header_version_2, FORGE_AFTER, NULL),
    ROW(main_of_one_page, FORGE_AFTER, NULL),
    ROW(main_of_1_byte, FORGE_EMPTY, NULL),
    ROW(main_of_0_bytes, FORGE_EMPTY, NULL),
    ROW(no_commit, FORGE_BEFORE, NULL),
    ROW(last_frame_short, FORGE_BEFORE, NULL),
    ROW(size_32, FORGE_BEFORE, "short"),
    ROW(size_33, FORGE_BEFORE, NULL),
    ROW(size_0, FORGE_BEFORE, "short"),
    ROW(bad_magic, FORGE_BEFORE, "bad-magic"),
    ROW(wrong_byte_order, FORGE_BEFORE, "bad-header-checksum"),
    ROW(bad_header_checksum, FORGE_BEFORE, "bad-header-checksum"),
    ROW(bad_page_size, FORGE_BEFORE, "bad-page-size"),
    ROW(bad_version, FORGE_REFUSED, "wal-version"),
    ROW(bad_version_and_checksum, FORGE_BEFORE, "bad-header-checksum"),
    ROW(frame_2_damaged, FORGE_BEFORE, NULL),
    ROW(frame_2_of_another_round, FORGE_BEFORE, NULL),
    ROW(commit_frame_damaged, FORGE_BEFORE, NULL),
    ROW(page_zero, FORGE_BEFORE, NULL),
    ROW(two_commits_and_a_half, FORGE_BEFORE, NULL),
    ROW(page_beyond_the_end, FORGE_AFTER, NULL),
    ROW(commit_smaller_than_header, FORGE_REFUSED, "page-count"),
    ROW(commit_larger_than_main, FORGE_MIXED, NULL),
    ROW(larger_page_size, FORGE_MIXED, NULL),
    ROW(smaller_page_size, FORGE_REFUSED, "wal-page-size"),
    ROW(hot_journal_and_wal, FORGE_MIXED, NULL),
    ROW(journal_empties_main, FORGE_EMPTY, NULL),
};

/* Promise: a crafted WAL leads recover to the very bytes that stock SQLite gives. */
static void crafted_wals(void **unused)
{
    (void)unused;
    stock_state state = {0};
    for (size_t i = 0; i < sizeof crafts / sizeof crafts[0]; i++) {
        const craft *row = &crafts[i];
        forge_wal forged = forge_good_wal(base.page_size);
        forge_wal_state(&base, &forged, &state);
        row->spoil(&state);
        mc_file file = stock_view(&state.file[STOCK_WAL]);
        mc_wal wal;
        mc_error error;
        const char *why = NULL;
        mc_status status = mc_wal_open(&file, &wal, &why, &error);
        bool refused = row->slug != NULL && strcmp(row->slug, "wal-version") == 0;
        assert_int_equal(status, refused ? MC_REFUSED : MC_OK);
        if (row->outcome != FORGE_REFUSED) {
            assert_true(row->slug == NULL ? why == NULL : why && strcmp(why, row->slug) == 0);
            assert_int_equal(wal.usable, why == NULL);
        }
        forge_expect(&dir, &base, &state, row->name, row->outcome, row->slug);
    }
    stock_free(&state);
}

/* Promise: a scan that is continued as the file grows, byte by byte around the frames' borders,
 * ends where one scan of the whole file ends. */
static void growing_file(void **unused)
{
    (void)unused;
    stock_state state = {0};
    forge_wal forged = forge_good_wal(base.page_size);
    forge_wal_state(&base, &forged, &state);
    two_commits_and_a_half(&state);
    mc_file whole = stock_view(&state.file[STOCK_WAL]);
    mc_wal at_once;
    mc_wal grown;
    mc_error error;
    assert_int_equal(mc_wal_open(&whole, &at_once, NULL, &error), MC_OK);
    grown = at_once;
    mc_wal_advance(&at_once, &whole);
    assert_int_equal(at_once.valid_frames, after_pages + base.before_pages + 2);
    assert_int_equal(at_once.commit_frames, after_pages + base.before_pages);
    assert_int_equal(at_once.database_pages, base.before_pages);
    for (uint64_t size = 33; size <= whole.size; size += 1111) {
        mc_file part = {true, whole.data, size};
        mc_wal_advance(&grown, &part);
        uint64_t frames = (size - MC_WAL_HEADER_BYTES) / (frame_at(2) - frame_at(1));
        assert_int_equal(grown.valid_frames, frames);
    }
    mc_wal_advance(&grown, &whole);
    assert_memory_equal(&grown, &at_once, sizeof grown);
    assert_int_equal(mc_wal_frame_page(&grown, &whole, after_pages + 2), 2);
    assert_int_equal(mc_wal_frame_offset(&grown, 2), frame_at(2) + MC_WAL_FRAME_HEADER_BYTES);
    stock_free(&state);
}

/* Promise: the checksum is s0 += x[i] + s1, s1 += x[i + 1] + s0 over words of either byte order
 * (fileformat2 4.4; sums by hand). */
static void checksum_by_hand(void **unused)
{
    (void)unused;
    static const uint8_t data[16] = {1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0x80};
    uint32_t little[2] = {10, 100};
    mc_wal_checksum(false, data, sizeof data, little);
    /* s0 = 10+1+100 = 111, s1 = 100+2+111 = 213; s0 = 111+3+213 = 327, s1 = 213+4+327 + 2^31 */
    assert_int_equal(little[0], 327);
    assert_int_equal(little[1], 544u + 0x80000000u);
    uint32_t big[2] = {0, 0};
    mc_wal_checksum(true, data, 8, big);
    assert_int_equal(big[0], 0x01000000);
    assert_int_equal(big[1], 0x03000000);
}

/* Promise: however many bytes are folded at once, the checksum is that of the plain recurrence. */
static void checksum_of_any_length(void **unused)
{
    (void)unused;
    enum { BYTES = 1600 };
    uint8_t data[BYTES];
    for (size_t i = 0; i < BYTES; i++) {
        data[i] = (uint8_t)(i * i * 31 + i / 7 + 0x80);
    }
    for (size_t size = 0; size <= BYTES; size += 8) {
        uint32_t plain[2][2] = {{0xfffffff0, 0x12345678}, {0xfffffff0, 0x12345678}};
        for (size_t at = 0; at < size; at += 8) {
            plain[0][0] += mc_bytes_get_le32(data + at) + plain[0][1];
            plain[0][1] += mc_bytes_get_le32(data + at + 4) + plain[0][0];
            plain[1][0] += mc_bytes_get_be32(data + at) + plain[1][1];
            plain[1][1] += mc_bytes_get_be32(data + at + 4) + plain[1][0];
        }
        for (int big_endian = 0; big_endian < 2; big_endian++) {
            uint32_t sum[2] = {0xfffffff0, 0x12345678};
            mc_wal_checksum(big_endian, data, size, sum);
            assert_memory_equal(sum, plain[big_endian], sizeof sum);
        }
    }
}

/* Promise: WALs that stock SQLite wrote itself, with commits, a spilled half and no checkpoint,
 * give what stock SQLite reads from them, at every page size. */
static void written_by_sqlite(void **unused)
{
    (void)unused;
    static const uint32_t page_sizes[] = {512, 1024, 4096, 65536};
    for (size_t i = 0; i < sizeof page_sizes / sizeof page_sizes[0]; i++) {
        stock_state state = {0};
        stock_ours ours;
        stock_dir_empty(&dir);
        sqlite3 *db = forge_open(&dir);
        forge_fill(db, page_sizes[i], 40);
        stock_exec(db, "PRAGMA journal_mode=WAL; UPDATE t SET b = 'first ' || b;"
                       "DELETE FROM t WHERE a > 30; PRAGMA cache_size=3; BEGIN;"
                       "UPDATE t SET c = randomblob(length(c)), b = 'half ' || b;");
        stock_read(&dir, &state);
        stock_exec(db, "ROLLBACK");
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        mc_file file = stock_view(&state.file[STOCK_WAL]);
        mc_wal wal;
        mc_error error;
        assert_int_equal(mc_wal_open(&file, &wal, NULL, &error), MC_OK);
        mc_wal_advance(&wal, &file);
        /* The half transaction is in the file, with checksums that are right only once it commits:
         * SQLite overwrites frames of its own transaction (wal.c sqlite3WalFrames, iReCksum). */
        assert_true(wal.commit_frames > 0);
        assert_true(file.size > mc_wal_frame_offset(&wal, wal.commit_frames + 1));
        stock_compare(&dir, &state, "written by SQLite", &ours, NULL);
        assert_int_equal(ours.status, MC_OK);
        assert_int_equal(ours.import.image.page_count, wal.database_pages);
        mc_arena_free(&ours.arena);
        stock_free(&state);
    }
}

static int setup(void **unused)
{
    (void)unused;
    stock_dir_make(&dir);
    forge_base_make(&dir, 4096, &base);
    after_pages = (uint32_t)(base.after.size / base.page_size);
    return 0;
}

static int teardown(void **unused)
{
    (void)unused;
    forge_base_free(&base);
    stock_dir_remove(&dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksum_by_hand),  cmocka_unit_test(checksum_of_any_length),
        cmocka_unit_test(crafted_wals),      cmocka_unit_test(growing_file),
        cmocka_unit_test(written_by_sqlite),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
