/* Rollback journals, crafted byte by byte, before recover and stock SQLite side by side. */
#include "core/test/forge.h"

static stock_dir dir;
static forge_base base;

enum { RECORD_3 = 2 }; /* zero-based */

static uint8_t *journal_at(stock_state *state, size_t offset)
{
    assert_true(offset < state->file[STOCK_JOURNAL].size);
    return state->file[STOCK_JOURNAL].data + offset;
}

static size_t record_at(uint32_t index)
{
    return 512 + (size_t)index * (base.page_size + 8);
}

/* Each craft gets a good crash state and spoils it. */

static void good(stock_state *state)
{
    (void)state;
}

static void state_header(stock_state *state, size_t field, uint32_t value)
{
    mc_bytes_put_be32(journal_at(state, field), value);
}

static void count_too_large(stock_state *state)
{
    state_header(state, 8, base.before_pages + 7);
}

static void count_by_size(stock_state *state)
{
    state_header(state, 8, 0xffffffff);
}

static void count_zero(stock_state *state)
{
    state_header(state, 8, 0);
}

static void count_two(stock_state *state)
{
    state_header(state, 8, 2);
}

static void page_size_zero(stock_state *state)
{
    state_header(state, 24, 0);
}

static void page_size_256(stock_state *state)
{
    state_header(state, 24, 256);
}

static void sector_513(stock_state *state)
{
    state_header(state, 20, 513);
}

static void sector_16(stock_state *state)
{
    state_header(state, 20, 16);
}

static void sector_131072(stock_state *state)
{
    state_header(state, 20, 131072);
}

static void sector_65536_in_a_short_file(stock_state *state)
{
    state_header(state, 20, 65536);
    stock_resize(&state->file[STOCK_JOURNAL], 600);
}

static void sector_of(stock_state *state, uint32_t sector_size)
{
    forge_journal header = forge_good_header(&base);
    header.sector_size = sector_size;
    forge_crash(&base, &header, state);
}

static void sector_32(stock_state *state)
{
    sector_of(state, 32);
}

static void sector_4096(stock_state *state)
{
    sector_of(state, 4096);
}

/* Two segments; the second header's sizes are not looked at, its nonce and count are. */
static void two_segments(stock_state *state, uint32_t second_original_pages, uint32_t second_sector)
{
    forge_journal header = forge_good_header(&base);
    stock_file *journal = &state->file[STOCK_JOURNAL];
    stock_set(journal, NULL, 0);
    header.count = 3;
    forge_header(journal, &header);
    forge_records(journal, &base, header.nonce, 1, 3);
    header.nonce = 0xfeedbeef;
    header.count = base.before_pages - 3;
    header.original_pages = second_original_pages;
    forge_header(journal, &header);
    mc_bytes_put_be32(journal->data + journal->size - 512 + 20, second_sector);
    forge_records(journal, &base, header.nonce, 4, base.before_pages);
}

static void two_nonces(stock_state *state)
{
    two_segments(state, base.before_pages, 512);
}

static void second_original_size(stock_state *state)
{
    two_segments(state, 2, 4096);
}

static void second_count_by_size(stock_state *state)
{
    two_segments(state, base.before_pages, 512);
    size_t second = (record_at(3) + 511) / 512 * 512;
    mc_bytes_put_be32(journal_at(state, second + 8), 0xffffffff);
}

static void second_unsynced(stock_state *state)
{
    two_segments(state, base.before_pages, 512);
    size_t second = (record_at(3) + 511) / 512 * 512;
    memset(journal_at(state, second), 0, 12);
}

static void empty_segment_first(stock_state *state)
{
    forge_journal header = forge_good_header(&base);
    stock_file *journal = &state->file[STOCK_JOURNAL];
    stock_set(journal, NULL, 0);
    header.count = 0;
    forge_header(journal, &header);
    header.count = base.before_pages;
    forge_header(journal, &header);
    forge_records(journal, &base, header.nonce, 1, base.before_pages);
}

static void only_a_header(stock_state *state)
{
    stock_resize(&state->file[STOCK_JOURNAL], 512);
}

static void first_12_zero(stock_state *state)
{
    memset(journal_at(state, 0), 0, 12);
}

static void first_28_zero(stock_state *state)
{
    memset(journal_at(state, 0), 0, 28);
}

static void first_byte_only(stock_state *state)
{
    memset(journal_at(state, 1), 0x55, 7);
}

static void cut_to(stock_state *state, size_t size)
{
    stock_resize(&state->file[STOCK_JOURNAL], size);
}

static void cut_to_0(stock_state *state)
{
    cut_to(state, 0);
}

static void cut_to_1(stock_state *state)
{
    cut_to(state, 1);
}

static void cut_to_100(stock_state *state)
{
    cut_to(state, 100);
}

static void cut_to_511(stock_state *state)
{
    cut_to(state, 511);
}

static void cut_in_record_3(stock_state *state)
{
    cut_to(state, record_at(RECORD_3) + 1000);
}

static void cut_in_checksum_3(stock_state *state)
{
    cut_to(state, record_at(RECORD_3 + 1) - 1);
}

static void sum_of_record_3(stock_state *state)
{
    *journal_at(state, record_at(RECORD_3 + 1) - 1) ^= 1;
}

static void byte_outside_the_sum(stock_state *state)
{
    *journal_at(state, record_at(RECORD_3) + 4 + base.page_size - 1) ^= 1;
}

static void byte_inside_the_sum(stock_state *state)
{
    *journal_at(state, record_at(RECORD_3) + 4 + base.page_size - 200) ^= 1;
}

static void number_of_record_3(stock_state *state, uint32_t page_number)
{
    mc_bytes_put_be32(journal_at(state, record_at(RECORD_3)), page_number);
}

static void record_of_page_0(stock_state *state)
{
    number_of_record_3(state, 0);
}

static void record_of_lock_byte_page(stock_state *state)
{
    number_of_record_3(state, mc_lock_byte_page(base.page_size));
}

static void record_beyond_old_size(stock_state *state)
{
    number_of_record_3(state, base.before_pages + 1);
    sum_of_record_3(state);
}

/* The last record is of a page beyond the old size and has no checksum at all: still no error. */
static void cut_sum_beyond_old_size(stock_state *state)
{
    stock_file *journal = &state->file[STOCK_JOURNAL];
    uint8_t *extra = calloc(1, 4 + base.page_size);
    assert_non_null(extra);
    mc_bytes_put_be32(extra, 0x7fffffff);
    stock_append(journal, extra, 4 + base.page_size);
    free(extra);
    state_header(state, 8, base.before_pages + 2);
}

static void page_twice(stock_state *state)
{
    stock_file *journal = &state->file[STOCK_JOURNAL];
    const uint8_t *other = base.after.data + 2 * (size_t)base.page_size;
    forge_record(journal, 0x12345678, 3, other, base.page_size);
    state_header(state, 8, base.before_pages + 1);
}

static void old_size(stock_state *state, uint32_t pages)
{
    state_header(state, 16, pages);
}

static void old_size_too_small(stock_state *state)
{
    old_size(state, base.before_pages - 2);
}

static void old_size_zero(stock_state *state)
{
    old_size(state, 0);
}

static void old_size_larger_than_main(stock_state *state)
{
    old_size(state, (uint32_t)(base.after.size / base.page_size) + 5);
}

static void main_to(stock_state *state, size_t size)
{
    stock_resize(&state->file[STOCK_MAIN], size);
}

static void main_one_byte_short(stock_state *state)
{
    main_to(state, base.before.size - 1);
}

static void main_one_page_short(stock_state *state)
{
    main_to(state, base.before.size - base.page_size);
}

static void main_100_bytes_long(stock_state *state)
{
    main_to(state, base.after.size + 100);
}

static void main_one_page_long(stock_state *state)
{
    main_to(state, base.after.size + base.page_size);
}

static void main_of_2_bytes(stock_state *state)
{
    main_to(state, 2);
}

static void main_of_1_byte(stock_state *state)
{
    main_to(state, 1);
}

static void main_of_0_bytes(stock_state *state)
{
    main_to(state, 0);
}

/* The page that the old end of main cuts has no record: main is neither cut nor grown there. */
static void short_main_and_no_record(stock_state *state)
{
    stock_set(&state->file[STOCK_MAIN], base.before.data, base.before.size - 100);
    state_header(state, 8, 1);
}

static void name_super(stock_state *state, enum stock_role role, uint32_t add_to_sum)
{
    const char *name = dir.name[role];
    stock_file *journal = &state->file[STOCK_JOURNAL];
    forge_super(journal, base.page_size, name, (uint32_t)strlen(name), add_to_sum);
}

static void super_missing(stock_state *state)
{
    name_super(state, STOCK_SUPER, 0);
}

static void super_empty(stock_state *state)
{
    name_super(state, STOCK_SUPER, 0);
    stock_set(&state->file[STOCK_SUPER], NULL, 0);
}

static void super_naming_us(stock_state *state)
{
    name_super(state, STOCK_SUPER, 0);
    const char *name = dir.name[STOCK_JOURNAL];
    stock_set(&state->file[STOCK_SUPER], name, strlen(name) + 1);
}

static void super_naming_nobody(stock_state *state)
{
    name_super(state, STOCK_SUPER, 0);
    stock_set(&state->file[STOCK_SUPER], "x", 1);
}

static void super_wrong_sum(stock_state *state)
{
    name_super(state, STOCK_SUPER, 1);
}

static void super_no_name(stock_state *state)
{
    forge_super(&state->file[STOCK_JOURNAL], base.page_size, "", 0, 0);
}

static void super_zero_name(stock_state *state)
{
    static const char zeros[8];
    forge_super(&state->file[STOCK_JOURNAL], base.page_size, zeros, sizeof zeros, 0);
}

static void super_high_letters(stock_state *state)
{
    forge_super(&state->file[STOCK_JOURNAL], base.page_size, "/n\xc3\xb6where", 9, 0);
}

/* A zero inside the name ends it: the file that is asked for is the super-journal, which is there.
 */
static void super_zero_inside(stock_state *state)
{
    char name[sizeof dir.name[0] + 8] = {0};
    size_t length = strlen(dir.name[STOCK_SUPER]);
    memcpy(name, dir.name[STOCK_SUPER], length);
    memcpy(name + length + 1, "rest", 4);
    forge_super(&state->file[STOCK_JOURNAL], base.page_size, name, (uint32_t)length + 5, 0);
    stock_set(&state->file[STOCK_SUPER], "x\0y", 3);
}

static void super_of_length(stock_state *state, uint32_t length)
{
    char name[600];
    memset(name, 'n', sizeof name);
    assert_true(length <= sizeof name);
    forge_super(&state->file[STOCK_JOURNAL], base.page_size, name, length, 0);
}

static void super_of_512_letters(stock_state *state)
{
    super_of_length(state, 512);
}

static void super_of_513_letters(stock_state *state)
{
    super_of_length(state, 513);
}

/* The name need not lie behind the records: with it, a bad first header changes nothing. */
static void super_missing_and_no_header(stock_state *state)
{
    first_byte_only(state);
    super_missing(state);
}

typedef struct craft {
    const char *name;
    void (*spoil)(stock_state *state);
    forge_outcome outcome;
    const char *slug; /* mc_journal.why or .end (null: either of two); for FORGE_REFUSED the
                         importer's reason */
} craft;

#define ROW(spoil, outcome, slug)                                                                  \
    {                                                                                              \
#spoil, spoil, outcome, slug                                                               \
    }

static const craft crafts[] = {
    ROW(good, FORGE_BEFORE, "end"),
    ROW(count_too_large, FORGE_BEFORE, "short-record"),
    ROW(count_by_size, FORGE_BEFORE, "short-record"),
    ROW(page_size_zero, FORGE_BEFORE, "end"),
    ROW(sector_32, FORGE_BEFORE, "end"),
    ROW(sector_4096, FORGE_BEFORE, "end"),
    ROW(two_nonces, FORGE_BEFORE, "end"),
    ROW(second_original_size, FORGE_BEFORE, "end"),
    ROW(second_count_by_size, FORGE_BEFORE, "short-record"),
    ROW(second_unsynced, FORGE_MIXED, "no-header"),
    ROW(empty_segment_first, FORGE_BEFORE, "end"),
    ROW(count_zero, FORGE_REFUSED, "page-count"),
    ROW(count_two, FORGE_MIXED, "no-header"),
    ROW(only_a_header, FORGE_REFUSED, "page-count"),
    ROW(first_12_zero, FORGE_AFTER, "zero-header"),
    ROW(first_28_zero, FORGE_AFTER, "zero-header"),
    ROW(cut_to_0, FORGE_AFTER, "empty"),
    ROW(cut_to_1, FORGE_AFTER, "end"),
    ROW(cut_to_100, FORGE_AFTER, "end"),
    ROW(cut_to_511, FORGE_AFTER, "end"),
    ROW(first_byte_only, FORGE_AFTER, "no-header"),
    ROW(sector_513, FORGE_AFTER, "bad-sizes"),
    ROW(sector_16, FORGE_AFTER, "bad-sizes"),
    ROW(sector_131072, FORGE_AFTER, "bad-sizes"),
    ROW(sector_65536_in_a_short_file, FORGE_REFUSED, "page-count"),
    ROW(page_size_256, FORGE_AFTER, "bad-sizes"),
    ROW(cut_in_record_3, FORGE_MIXED, "short-record"),
    ROW(cut_in_checksum_3, FORGE_MIXED, "short-record"),
    ROW(sum_of_record_3, FORGE_MIXED, "bad-checksum"),
    ROW(byte_outside_the_sum, FORGE_MIXED, "end"),
    ROW(byte_inside_the_sum, FORGE_MIXED, "bad-checksum"),
    ROW(record_of_page_0, FORGE_MIXED, "page-zero"),
    ROW(record_of_lock_byte_page, FORGE_MIXED, "lock-byte-page"),
    ROW(record_beyond_old_size, FORGE_MIXED, "end"),
    ROW(cut_sum_beyond_old_size, FORGE_BEFORE, "short-record"),
    ROW(page_twice, FORGE_MIXED, "end"),
    ROW(old_size_too_small, FORGE_REFUSED, "page-count"),
    ROW(old_size_zero, FORGE_EMPTY, "end"),
    ROW(old_size_larger_than_main, FORGE_BEFORE, "end"),
    ROW(main_one_byte_short, FORGE_BEFORE, "end"),
    ROW(main_one_page_short, FORGE_BEFORE, "end"),
    ROW(main_100_bytes_long, FORGE_BEFORE, "end"),
    ROW(main_one_page_long, FORGE_BEFORE, "end"),
    ROW(main_of_2_bytes, FORGE_BEFORE, "end"),
    ROW(main_of_1_byte, FORGE_EMPTY, "main-empty"),
    ROW(main_of_0_bytes, FORGE_EMPTY, "main-empty"),
    ROW(short_main_and_no_record, FORGE_MIXED, "no-header"),
    ROW(super_missing, FORGE_AFTER, "super-journal-missing"),
    ROW(super_empty, FORGE_AFTER, "super-journal-missing"),
    ROW(super_naming_us, FORGE_BEFORE, "end"),
    ROW(super_naming_nobody, FORGE_BEFORE, "end"),
    ROW(super_wrong_sum, FORGE_BEFORE, "end"),
    ROW(super_no_name, FORGE_BEFORE, "end"),
    ROW(super_zero_name, FORGE_BEFORE, "end"),
    ROW(super_high_letters, FORGE_AFTER, "super-journal-missing"),
    ROW(super_zero_inside, FORGE_BEFORE, "end"),
    ROW(super_of_512_letters, FORGE_AFTER, "super-journal-missing"),
    ROW(super_of_513_letters, FORGE_BEFORE, NULL),
    ROW(super_missing_and_no_header, FORGE_AFTER, "super-journal-missing"),
};

static void expect_slug(const stock_state *state, const craft *row)
{
    stock_lookup lookup = {&dir, state};
    mc_files files = {
        .main = stock_view(&state->file[STOCK_MAIN]),
        .journal = stock_view(&state->file[STOCK_JOURNAL]),
        .other = stock_other,
        .context = &lookup,
    };
    mc_arena arena = {.limit_bytes = STOCK_ARENA_BYTES};
    mc_error error;
    mc_journal journal;
    assert_int_equal(mc_journal_read(&files, &arena, &journal, &error), MC_OK);
    const char *slug = journal.hot ? journal.end : journal.why;
    if (row->outcome != FORGE_REFUSED && row->slug != NULL && strcmp(slug, row->slug) != 0) {
        fail_msg("%s: slug %s expected, %s found", row->name, row->slug, slug);
    }
    assert_true(journal.hot == (journal.why == NULL) && journal.hot == (journal.end != NULL));
    if (journal.hot) {
        assert_true(mc_journal_maybe_hot(&files));
    }
    mc_arena_free(&arena);
}

/* Promise: a crafted journal leads recover to the very bytes that stock SQLite gives. */
static void crafted_journals(void **unused)
{
    (void)unused;
    stock_state state = {0};
    forge_journal header = forge_good_header(&base);
    for (size_t i = 0; i < sizeof crafts / sizeof crafts[0]; i++) {
        forge_crash(&base, &header, &state);
        crafts[i].spoil(&state);
        expect_slug(&state, &crafts[i]);
        forge_expect(&dir, &base, &state, crafts[i].name, crafts[i].outcome, crafts[i].slug);
    }
    stock_free(&state);
}

/* Promise: a journal that stock SQLite wrote itself, spilling its cache over several segments, is
 * played back to the bytes before the transaction, at every page size. */
static void spilled_transaction(void **unused)
{
    (void)unused;
    static const uint32_t page_sizes[] = {512, 1024, 4096, 65536};
    for (size_t i = 0; i < sizeof page_sizes / sizeof page_sizes[0]; i++) {
        stock_state state = {0};
        forge_base real = {.page_size = page_sizes[i]};
        stock_dir_empty(&dir);
        sqlite3 *db = forge_open(&dir);
        forge_fill(db, real.page_size, 40);
        stock_read(&dir, &state);
        stock_set(&real.before, state.file[STOCK_MAIN].data, state.file[STOCK_MAIN].size);
        stock_exec(db, "PRAGMA cache_size=3; BEGIN; UPDATE t SET c = randomblob(length(c)) "
                       "WHERE a < 25; UPDATE t SET c = randomblob(length(c)), b = 'x' || b;");
        stock_read(&dir, &state);
        stock_exec(db, "ROLLBACK");
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        assert_memory_equal(state.file[STOCK_JOURNAL].data, mc_journal_magic, 8);
        assert_true(state.file[STOCK_MAIN].size != real.before.size ||
                    memcmp(state.file[STOCK_MAIN].data, real.before.data, real.before.size) != 0);
        forge_expect(&dir, &real, &state, "spilled", FORGE_BEFORE, NULL);
        forge_base_free(&real);
        stock_free(&state);
    }
}

/* Promise: the record checksum is the nonce plus every 200th byte from the page's end, and nothing
 * at offset 0 (pager.c pager_cksum; sums by hand). */
static void checksum_by_hand(void **unused)
{
    (void)unused;
    uint8_t page[1024] = {0};
    page[824] = 1;
    page[624] = 2;
    page[424] = 4;
    page[224] = 8;
    page[24] = 16;
    page[0] = 100;
    page[1023] = 100;
    assert_int_equal(mc_journal_checksum(1000, page, 1024), 1031);
    uint8_t *small = calloc(1, 512);
    assert_non_null(small);
    small[312] = 5;
    small[112] = 6;
    assert_int_equal(mc_journal_checksum(0xffffffff, small, 512), 10);
    free(small);
}

static int setup(void **unused)
{
    (void)unused;
    stock_dir_make(&dir);
    forge_base_make(&dir, 4096, &base);
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
        cmocka_unit_test(checksum_by_hand),
        cmocka_unit_test(crafted_journals),
        cmocka_unit_test(spilled_transaction),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
