/* Thousands of damaged disk states before recover and stock SQLite side by side.
 *
 * A state starts as a crash that SQLite or forge.h made, in one of four page sizes: a journal that
 * SQLite spilled, a forged one of two segments, a WAL that SQLite wrote, a forged one, a journal
 * and a WAL, a main file alone. Then one to four mutations hit its files: fields set to values that
 * sit on some border, bytes flipped, files cut, grown, emptied, removed, records and frames copied
 * over each other. Half of the time checksums are made right again afterwards, so that damage gets
 * past them.
 *
 * The seed is fixed, SQLite's own random generator included, and each state depends on its number
 * alone. A failure names the number and keeps the files. */
#include "core/test/forge.h"

enum { STARTS = 6, PAGE_SIZES = 4, MUTATIONS_MAX = 4 };

static const uint32_t page_sizes[PAGE_SIZES] = {512, 1024, 4096, 65536};

static stock_dir dir;
static stock_state starts[PAGE_SIZES][STARTS];

/* How often each thing happened, to see that none of them never does. */
static struct tally {
    const char *reason;
    unsigned count;
} tally[] = {
    {"imported", 0},
    {"empty", 0},
    {"played-back", 0},
    {"wal-applied", 0},
    {"bad-magic", 0},
    {"page-size", 0},
    {"read-version", 0},
    {"page-count", 0},
    {"payload-fractions", 0},
    {"schema-root", 0},
    {"reserved-bytes", 0},
    {"schema-format", 0},
    {"wal-version", 0},
    {"wal-page-size", 0},
    {"super-journal-self", 0},
    {"journal-of-larger-pages", 0},
    {"journal-of-smaller-pages", 0},
};

static void count(const char *reason)
{
    for (size_t i = 0; i < sizeof tally / sizeof tally[0]; i++) {
        if (strcmp(tally[i].reason, reason) == 0) {
            tally[i].count++;
        }
    }
}

/* splitmix64 */
static uint64_t random_next(uint64_t *random)
{
    uint64_t z = (*random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint32_t below(uint64_t *random, uint64_t limit)
{
    assert_true(limit > 0 && limit <= UINT32_MAX);
    return (uint32_t)(random_next(random) % limit);
}

/* Values at the borders of SQLite's tests. */
static uint32_t border_value(uint64_t *random, uint32_t page_size, uint32_t old)
{
    uint32_t value[] = {0,
                        1,
                        2,
                        3,
                        old - 1,
                        old + 1,
                        old * 2,
                        old / 2,
                        12,
                        0x7fffffff,
                        0xffffffff,
                        512u << below(random, 8),
                        32u << below(random, 12),
                        mc_lock_byte_page(page_size),
                        (uint32_t)random_next(random)};
    return value[below(random, sizeof value / sizeof value[0])];
}

static size_t field_of(uint64_t *random, int role, const stock_file *file, uint32_t page_size)
{
    static const uint8_t main_field[] = {0,  13, 14, 15, 16, 16, 17, 18, 20, 21, 24, 24,  28,
                                         28, 32, 36, 40, 44, 44, 52, 56, 92, 92, 97, 100, 102};
    static const uint8_t journal_field[] = {0, 4, 8, 8, 12, 16, 16, 20, 20, 24, 24};
    static const uint8_t wal_field[] = {0, 0, 4, 8, 12, 16, 20, 24, 28};
    uint32_t item = below(random, 8);
    switch (role) {
    case STOCK_MAIN:
        return main_field[below(random, sizeof main_field)];
    case STOCK_JOURNAL:
        if (item < 4 && file->size > 0) { /* a record's number, or near it, in either segment */
            return 512 * (1 + item / 3) + (size_t)below(random, 8) * (page_size + 8);
        }
        return journal_field[below(random, sizeof journal_field)];
    default:
        if (item < 5 && file->size > 0) {
            size_t frame = MC_WAL_FRAME_HEADER_BYTES + page_size;
            return MC_WAL_HEADER_BYTES + below(random, 8) * frame + 4 * (size_t)below(random, 8);
        }
        return wal_field[below(random, sizeof wal_field)];
    }
}

static void mutate_field(uint64_t *random, int role, stock_file *file, uint32_t page_size)
{
    size_t at = field_of(random, role, file, page_size);
    if (at + 4 <= file->size) {
        uint32_t old = mc_bytes_get_be32(file->data + at);
        mc_bytes_put_be32(file->data + at, border_value(random, page_size, old));
    }
}

static void mutate_byte(uint64_t *random, int role, stock_file *file, uint32_t page_size)
{
    size_t at = below(random, 2) == 0 ? below(random, file->size)
                                      : field_of(random, role, file, page_size) + below(random, 4);
    if (at < file->size) {
        file->data[at] ^= (uint8_t)(1u << below(random, 8));
    }
}

static void mutate_length(uint64_t *random, stock_file *file, uint32_t page_size)
{
    static const size_t length[] = {0, 1, 2, 27, 28, 31, 32, 33, 99, 511, 512, 513, 1000};
    size_t size = file->size;
    switch (below(random, 5)) {
    case 0:
        size = length[below(random, sizeof length / sizeof length[0])];
        break;
    case 1:
        size = below(random, file->size + 1);
        break;
    case 2:
        size = size / page_size * page_size + below(random, 3) - 1;
        break;
    case 3:
        size += below(random, 3 * page_size);
        break;
    default:
        size -= size > 1 ? 1 + below(random, page_size < size ? page_size : size - 1) : 0;
        break;
    }
    stock_resize(file, size > 4u << 20 ? 0 : size);
}

/* One item of a file over another: pages, records with their numbers, frames with their headers. */
static void mutate_splice(uint64_t *random, int role, stock_file *file, uint32_t page_size)
{
    static const size_t start[] = {0, 512, MC_WAL_HEADER_BYTES};
    static const size_t extra[] = {0, 8, MC_WAL_FRAME_HEADER_BYTES};
    size_t item = page_size + extra[role];
    if (file->size < start[role] + 2 * item) {
        return;
    }
    uint64_t items = (file->size - start[role]) / item;
    size_t from = start[role] + below(random, items) * item;
    size_t to = start[role] + below(random, items) * item;
    memmove(file->data + to, file->data + from, item);
}

/* The page size that a header states, if it can be one. */
static uint32_t stated_page_size(const stock_file *file, size_t at, uint32_t otherwise)
{
    uint32_t stated = file->size >= at + 4 ? mc_bytes_get_be32(file->data + at) : 0;
    bool possible = stated >= 512 && stated <= 65536 && (stated & (stated - 1)) == 0;
    return possible ? stated : otherwise;
}

/* Right checksums for the records that a walk from the first header meets. */
static void fix_journal(stock_file *journal, uint32_t page_size)
{
    uint32_t size = stated_page_size(journal, 24, page_size);
    for (size_t at = 512; at + size + 8 <= journal->size; at += size + 8) {
        uint32_t nonce = mc_bytes_get_be32(journal->data + 12);
        uint8_t *page = journal->data + at + 4;
        mc_bytes_put_be32(page + size, mc_journal_checksum(nonce, page, size));
    }
}

/* Right checksums and salts in the header and all frames. */
static void fix_wal(stock_file *file, uint32_t page_size)
{
    if (file->size < MC_WAL_HEADER_BYTES) {
        return;
    }
    uint32_t size = stated_page_size(file, 8, page_size);
    bool big_endian = (file->data[3] & 1) != 0;
    uint32_t sum[2] = {0, 0};
    mc_wal_checksum(big_endian, file->data, 24, sum);
    mc_bytes_put_be32(file->data + 24, sum[0]);
    mc_bytes_put_be32(file->data + 28, sum[1]);
    size_t item = MC_WAL_FRAME_HEADER_BYTES + (size_t)size;
    for (size_t at = MC_WAL_HEADER_BYTES; at + item <= file->size; at += item) {
        uint8_t *frame = file->data + at;
        memcpy(frame + 8, file->data + 16, 8);
        mc_wal_checksum(big_endian, frame, 8, sum);
        mc_wal_checksum(big_endian, frame + MC_WAL_FRAME_HEADER_BYTES, size, sum);
        mc_bytes_put_be32(frame + 16, sum[0]);
        mc_bytes_put_be32(frame + 20, sum[1]);
    }
}

static void add_super(uint64_t *random, stock_state *state, uint32_t page_size)
{
    const char *name = dir.name[below(random, STOCK_FILES)];
    forge_super(&state->file[STOCK_JOURNAL], page_size, name, (uint32_t)strlen(name),
                below(random, 4) == 0 ? 1 : 0);
    /* Its content must not name a directory, as a part of a path would: SQLite reads what is named.
     */
    if (below(random, 2) == 0) {
        bool whole = below(random, 2) == 0;
        stock_set(&state->file[STOCK_SUPER], whole ? name : "x", whole ? strlen(name) : 1);
    }
}

/* Another page size than the other files'. A journal with smaller records gets a number of them
 * that makes its first ones count. */
static void mutate_page_size(uint64_t *random, int role, stock_file *file)
{
    uint32_t size = 512u << below(random, 8);
    if (file->size < MC_WAL_HEADER_BYTES) {
        return;
    }
    switch (role) {
    case STOCK_MAIN:
        mc_bytes_put_be16(file->data + 16, (uint16_t)(size == 65536 ? 1 : size));
        break;
    case STOCK_JOURNAL:
        mc_bytes_put_be32(file->data + 24, size);
        mc_bytes_put_be32(file->data + 8, 1 + below(random, 3));
        mc_bytes_put_be32(file->data + 16, 1 + below(random, 64));
        break;
    default:
        mc_bytes_put_be32(file->data + 8, size);
        break;
    }
}

static void mutate(uint64_t *random, stock_state *state, uint32_t page_size)
{
    int role = (int)below(random, 3);
    while (!state->file[role].exists) {
        role = (role + 1) % 3;
    }
    stock_file *file = &state->file[role];
    switch (below(random, 16)) {
    case 0:
        if (role != STOCK_MAIN || below(random, 8) == 0) {
            stock_remove(file);
        }
        break;
    case 1:
    case 2:
        mutate_length(random, file, page_size);
        break;
    case 3:
    case 4:
        mutate_splice(random, role, file, page_size);
        break;
    case 5:
        if (role == STOCK_JOURNAL) {
            add_super(random, state, page_size);
        }
        break;
    case 9:
        mutate_page_size(random, role, file);
        break;
    case 6:
    case 7:
    case 8:
        if (file->size > 0) {
            mutate_byte(random, role, file, page_size);
        }
        break;
    default:
        mutate_field(random, role, file, page_size);
        break;
    }
}

static void build(uint64_t number, int size_index, stock_state *state)
{
    uint64_t random = number;
    uint32_t page_size = page_sizes[size_index];
    stock_copy(state, &starts[size_index][below(&random, STARTS)]);
    for (uint32_t left = 1 + below(&random, MUTATIONS_MAX); left > 0; left--) {
        if (!state->file[STOCK_MAIN].exists) {
            break;
        }
        mutate(&random, state, page_size);
    }
    if (below(&random, 2) == 0) {
        fix_journal(&state->file[STOCK_JOURNAL], page_size);
        fix_wal(&state->file[STOCK_WAL], page_size);
    }
}

static bool lies_in(const uint8_t *page, const stock_file *file)
{
    uintptr_t at = (uintptr_t)page;
    return at >= (uintptr_t)file->data && at < (uintptr_t)file->data + file->size;
}

static void count_import(const stock_state *state, const mc_image *image)
{
    count(image->page_count > 0 ? "imported" : "empty");
    bool from_journal = false;
    bool from_wal = false;
    for (uint32_t i = 0; i < image->page_count && i < 64; i++) {
        from_journal |= lies_in(image->page[i], &state->file[STOCK_JOURNAL]);
        from_wal |= lies_in(image->page[i], &state->file[STOCK_WAL]);
    }
    if (from_journal) {
        count("played-back");
    }
    const stock_file *journal = &state->file[STOCK_JOURNAL];
    if (image->page_count > 0 && journal->size > 28) {
        uint32_t stated = stated_page_size(journal, 24, image->page_size);
        count(stated > image->page_size   ? "journal-of-larger-pages"
              : stated < image->page_size ? "journal-of-smaller-pages"
                                          : "");
    }
    if (from_wal) {
        count("wal-applied");
    }
}

static void run(int size_index, uint64_t states)
{
    stock_state state = {0};
    for (uint64_t i = 0; i < states; i++) {
        uint64_t number = ((uint64_t)size_index << 32) + i;
        char what[64];
        stock_ours ours;
        (void)snprintf(what, sizeof what, "state %" PRIu64 " of page size %u", i,
                       page_sizes[size_index]);
        build(number * 1000003, size_index, &state);
        stock_compare(&dir, &state, what, &ours, NULL);
        if (ours.status == MC_OK) {
            count_import(&state, &ours.import.image);
        } else {
            count(ours.error.reason);
        }
        mc_arena_free(&ours.arena);
    }
    stock_free(&state);
}

/* Promise: on damaged states of page size 512 recover gives SQLite's pages or refuses as it does.
 */
static void page_size_512(void **unused)
{
    (void)unused;
    run(0, 4000);
}

/* Promise: the same with page size 1024. */
static void page_size_1024(void **unused)
{
    (void)unused;
    run(1, 4000);
}

/* Promise: the same with page size 4096. */
static void page_size_4096(void **unused)
{
    (void)unused;
    run(2, 4000);
}

/* Promise: the same with page size 65536. */
static void page_size_65536(void **unused)
{
    (void)unused;
    run(3, 500);
}

/* Promise: the runs above reached every way in which an import can end. */
static void nothing_untried(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof tally / sizeof tally[0]; i++) {
        print_message("%s: %u states\n", tally[i].reason, tally[i].count);
        assert_true(tally[i].count > 0);
    }
}

static void start_from_sqlite(uint32_t page_size, stock_state *journal, stock_state *wal)
{
    stock_dir_empty(&dir);
    sqlite3 *db = forge_open(&dir);
    forge_fill(db, page_size, 12);
    stock_exec(db, "PRAGMA cache_size=2; BEGIN; UPDATE t SET c = lower(c) WHERE a < 6;"
                   "UPDATE t SET c = 'x' || c, b = 'x' || b;");
    stock_read(&dir, journal);
    assert_true(journal->file[STOCK_JOURNAL].size > 0);
    stock_exec(db, "ROLLBACK; PRAGMA journal_mode=WAL; UPDATE t SET b = 'first ' || b;"
                   "DELETE FROM t WHERE a > 9; UPDATE t SET c = lower(c);");
    stock_read(&dir, wal);
    assert_true(wal->file[STOCK_WAL].size > 0);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void start_forged(uint32_t page_size, stock_state *start)
{
    forge_base base = {0};
    forge_base_make(&dir, page_size, &base);
    forge_journal header = forge_good_header(&base);
    forge_crash(&base, &header, &start[2]);
    forge_wal little = forge_good_wal(page_size);
    forge_wal_state(&base, &little, &start[3]);
    forge_crash(&base, &header, &start[4]);
    forge_wal big = {.big_endian = true, .page_size = page_size, .version = MC_WAL_VERSION};
    forge_wal_header(&start[4].file[STOCK_WAL], &big);
    const uint8_t *page = base.after.data;
    forge_frame(&start[4].file[STOCK_WAL], &big, 3, base.before_pages,
                page + 2 * (size_t)page_size);
    forge_frame(&start[4].file[STOCK_WAL], &big, 4, 0, page + 3 * (size_t)page_size);
    stock_set(&start[5].file[STOCK_MAIN], base.after.data, base.after.size);
    forge_base_free(&base);
}

static int setup(void **unused)
{
    (void)unused;
    stock_dir_make(&dir);
    (void)sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, 1, (sqlite3 *)NULL);
    for (int i = 0; i < PAGE_SIZES; i++) {
        start_from_sqlite(page_sizes[i], &starts[i][0], &starts[i][1]);
        start_forged(page_sizes[i], starts[i]);
    }
    return 0;
}

static int teardown(void **unused)
{
    (void)unused;
    for (int i = 0; i < PAGE_SIZES * STARTS; i++) {
        stock_free(&starts[i / STARTS][i % STARTS]);
    }
    stock_dir_remove(&dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_size_512),   cmocka_unit_test(page_size_1024),
        cmocka_unit_test(page_size_4096),  cmocka_unit_test(page_size_65536),
        cmocka_unit_test(nothing_untried),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
