/* test_ltx.c: LTX out and in again, byte by byte where the format leaves no choice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/ltx.h"

enum { LIMIT = 64 << 20 };

/* One zero page of 512 bytes as commit 7 at time 0x0102030405060708, put together by hand from the
 * format. The LZ4 block: a literal 0; a match one byte back, 4 + 15 + 255 + 232 = 506 long; and, as
 * a block must, five literals at the end (LZ4's block format document). */
/* clang-format off */
static const uint8_t BY_HAND[] = {
    'L', 'T', 'X', '1', 0, 0, 0, 2,                 /* magic, flags */
    0, 0, 2, 0, 0, 0, 0, 1,                         /* page size, pages of the database */
    0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 7, /* txids */
    1, 2, 3, 4, 5, 6, 7, 8,                         /* timestamp */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* checksum, WAL offset */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* WAL size, salts */
    0, 0, 0, 0, 0, 0, 0, 0,                         /* node id */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0,                   /* reserved, */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0,                   /* 20 bytes */
    0, 0, 0, 1, 0, 1, 0, 0, 0, 12,                  /* offset 100: page 1, flags, size */
    0x1f, 0, 1, 0, 255, 232, 0x50, 0, 0, 0, 0, 0,   /* offset 110: the block */
    0, 0, 0, 0, 0, 0,                               /* offset 122: no more pages */
    1, 100, 22, 0,                                  /* offset 128: page, offset, size; end */
    0, 0, 0, 0, 0, 0, 0, 4,                         /* offset 132: size of the index */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* trailer */
};
/* clang-format on */
enum { BLOCK_AT = 110, BLOCK_BYTES = 12 };

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* Promise: the bytes are those of the format, and what was put together by hand is read. */
static void bytes_by_hand(void **unused)
{
    (void)unused;
    assert_int_equal(sizeof BY_HAND, 156);
    mc_arena arena = {.limit_bytes = LIMIT};
    mc_error error;
    mc_ltx ltx;
    mc_bytes by_hand = {.data = BY_HAND, .size = sizeof BY_HAND};
    assert_int_equal(mc_ltx_decode(by_hand, &arena, &ltx, &error), MC_OK);
    assert_int_equal(ltx.page_size, 512);
    assert_int_equal(ltx.commit_pages, 1);
    assert_int_equal(ltx.min_txid, 7);
    assert_int_equal(ltx.max_txid, 7);
    assert_int_equal(ltx.timestamp_ms, 0x0102030405060708);
    assert_int_equal(ltx.page_count, 1);
    assert_int_equal(ltx.page[0].number, 1);
    static const uint8_t zeros[512];
    assert_memory_equal(ltx.page[0].data, zeros, 512);

    const uint8_t *page = zeros;
    mc_image image = {.page_size = 512, .page_count = 1, .page = &page};
    assert_int_equal(mc_ltx_from_image(&image, 7, 0x0102030405060708, &arena, &ltx, &error), MC_OK);
    mc_bytes out;
    assert_int_equal(mc_ltx_encode(&ltx, &arena, &out, &error), MC_OK);
    /* Another LZ4 may choose another block; everything else has one spelling. */
    assert_int_equal(out.size, sizeof BY_HAND);
    assert_memory_equal(out.data, BY_HAND, BLOCK_AT);
    size_t behind = BLOCK_AT + BLOCK_BYTES;
    assert_memory_equal(out.data + behind, BY_HAND + behind, sizeof BY_HAND - behind);
    mc_arena_free(&arena);
}

/* Promise: a database of no pages is a header, an end and an empty index. */
static void no_pages(void **unused)
{
    (void)unused;
    mc_arena arena = {.limit_bytes = LIMIT};
    mc_error error;
    mc_image image = {0};
    mc_ltx ltx;
    mc_bytes out;
    assert_int_equal(mc_ltx_from_image(&image, 1, -5, &arena, &ltx, &error), MC_OK);
    assert_int_equal(mc_ltx_encode(&ltx, &arena, &out, &error), MC_OK);
    assert_int_equal(out.size, 100 + 6 + 1 + 8 + 16);
    mc_ltx back;
    assert_int_equal(mc_ltx_decode(out, &arena, &back, &error), MC_OK);
    assert_int_equal(back.page_size, 4096);
    assert_int_equal(back.commit_pages, 0);
    assert_int_equal(back.timestamp_ms, -5);
    assert_int_equal(back.page_count, 0);
    mc_arena_free(&arena);
}

/* Pages of every kind: zeros, noise, text that packs well. */
static uint8_t *random_page(mc_arena *arena, uint32_t page_size, uint64_t *state)
{
    uint8_t *page = mc_arena_calloc(arena, page_size, 1);
    assert_non_null(page);
    uint64_t kind = next_random(state) % 3;
    for (uint32_t i = 0; kind > 0 && i < page_size; i++) {
        page[i] = kind == 1 ? (uint8_t)next_random(state) : (uint8_t) "abcabcd"[i % 7];
    }
    return page;
}

/* Promise: what is encoded is decoded, for every page size, full images and chosen pages. */
static void round_trip(void **unused)
{
    (void)unused;
    mc_arena arena = {.limit_bytes = LIMIT};
    uint64_t state = 1;
    for (uint32_t page_size = 512; page_size <= 65536; page_size *= 2) {
        mc_ltx_page page[40];
        uint32_t number = 0;
        uint32_t count = (uint32_t)(next_random(&state) % 41);
        for (uint32_t i = 0; i < count; i++) {
            number +=
                1 + (uint32_t)(next_random(&state) % 3 == 0 ? next_random(&state) % 70000 : 0);
            page[i] =
                (mc_ltx_page){.number = number, .data = random_page(&arena, page_size, &state)};
        }
        mc_ltx ltx = {.page_size = page_size,
                      .commit_pages = number + 3,
                      .min_txid = 1 + next_random(&state),
                      .max_txid = UINT64_MAX,
                      .timestamp_ms = (int64_t)next_random(&state),
                      .page = page,
                      .page_count = count};
        mc_bytes bytes;
        mc_error error;
        mc_ltx back;
        assert_int_equal(mc_ltx_encode(&ltx, &arena, &bytes, &error), MC_OK);
        assert_int_equal(mc_ltx_decode(bytes, &arena, &back, &error), MC_OK);
        assert_int_equal(back.page_size, page_size);
        assert_int_equal(back.commit_pages, ltx.commit_pages);
        assert_true(back.min_txid == ltx.min_txid && back.max_txid == ltx.max_txid);
        assert_true(back.timestamp_ms == ltx.timestamp_ms);
        assert_int_equal(back.page_count, count);
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(back.page[i].number, page[i].number);
            assert_memory_equal(back.page[i].data, page[i].data, page_size);
        }
        mc_arena_reset(&arena);
    }
    mc_arena_free(&arena);
}

/* Promise: the encoder refuses what the format cannot hold. */
static void encoder_refuses(void **unused)
{
    (void)unused;
    static const uint8_t data[512];
    const mc_ltx_page good[] = {{1, data}, {2, data}};
    const mc_ltx_page twice[] = {{2, data}, {2, data}};
    const mc_ltx_page back[] = {{2, data}, {1, data}};
    const mc_ltx_page zero[] = {{0, data}, {1, data}};
    const mc_ltx_page beyond[] = {{1, data}, {3, data}};
    const struct {
        mc_ltx ltx;
        const char *reason;
    } rows[] = {
        {{512, 2, 1, 1, 0, good, 2}, NULL},           {{0, 2, 1, 1, 0, good, 2}, "page-size"},
        {{256, 2, 1, 1, 0, good, 2}, "page-size"},    {{513, 2, 1, 1, 0, good, 2}, "page-size"},
        {{131072, 2, 1, 1, 0, good, 2}, "page-size"}, {{512, 2, 0, 1, 0, good, 2}, "txid"},
        {{512, 2, 0, 0, 0, good, 2}, "txid"},         {{512, 2, 2, 1, 0, good, 2}, "txid"},
        {{512, 2, 1, 1, 0, twice, 2}, "page-order"},  {{512, 2, 1, 1, 0, back, 2}, "page-order"},
        {{512, 2, 1, 1, 0, zero, 2}, "page-number"},  {{512, 2, 1, 1, 0, beyond, 2}, "page-number"},
    };
    mc_arena arena = {.limit_bytes = LIMIT};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        mc_bytes out;
        mc_error error = {0};
        mc_status status = mc_ltx_encode(&rows[i].ltx, &arena, &out, &error);
        assert_int_equal(status, rows[i].reason == NULL ? MC_OK : MC_USAGE);
        if (rows[i].reason != NULL) {
            assert_string_equal(error.reason, rows[i].reason);
        }
    }
    mc_arena_free(&arena);
}

static mc_status decode_changed(const uint8_t *bytes, size_t size, mc_error *error)
{
    static mc_arena arena = {.limit_bytes = 1 << 20};
    mc_arena_reset(&arena);
    mc_ltx ltx;
    *error = (mc_error){0};
    return mc_ltx_decode((mc_bytes){.data = bytes, .size = size}, &arena, &ltx, error);
}

/* Promise: every byte counts. Outside the fields that may hold anything (size in pages, txids,
 * timestamp, the LZ4 block) no single flipped bit decodes, and no shorter or longer file does. */
static void every_bit_is_checked(void **unused)
{
    (void)unused;
    mc_error error;
    for (size_t at = 0; at < sizeof BY_HAND; at++) {
        bool free_field = (at >= 12 && at < 40) || (at >= BLOCK_AT && at < BLOCK_AT + BLOCK_BYTES);
        for (int bit = 0; !free_field && bit < 8; bit++) {
            uint8_t changed[sizeof BY_HAND];
            memcpy(changed, BY_HAND, sizeof changed);
            changed[at] ^= (uint8_t)(1 << bit);
            assert_int_equal(decode_changed(changed, sizeof changed, &error), MC_MALFORMED);
            assert_non_null(error.reason);
        }
    }
    uint8_t longer[sizeof BY_HAND + 1] = {0};
    memcpy(longer, BY_HAND, sizeof BY_HAND);
    for (size_t size = 0; size <= sizeof longer; size++) {
        mc_status expected = size == sizeof BY_HAND ? MC_OK : MC_MALFORMED;
        assert_int_equal(decode_changed(longer, size, &error), expected);
    }
}

/* Promise: each way to be malformed has its own slug. */
static void decoder_names_what_is_wrong(void **unused)
{
    (void)unused;
    static const struct {
        size_t at;
        uint8_t byte;
        const char *reason;
    } rows[] = {
        {0, 'l', "bad-magic"},
        {7, 0, "header-flags"},
        {7, 3, "header-flags"},
        {10, 3, "page-size"},
        {15, 0, "page-number"},
        {23, 0, "txid"},
        {31, 6, "txid"},
        {47, 1, "header-zeros"},
        {99, 1, "header-zeros"},
        {103, 2, "page-number"},
        {105, 0, "frame-flags"},
        {109, 11, "frame-content"},
        {109, 200, "frame-size"},
        {106, 255, "frame-size"},
        {115, 231, "frame-content"},
        {115, 233, "frame-content"},
        {112, 9, "frame-content"},
        {125, 1, "page-order"},
        {127, 1, "no-end"},
        {128, 2, "index-mismatch"},
        {129, 101, "index-mismatch"},
        {130, 23, "index-mismatch"},
        {131, 1, "index-end"},
        {139, 3, "index-mismatch"},
        {139, 5, "index-mismatch"},
        {132, 1, "index-size"},
        {139, 27, "index-size"},
        {140, 1, "trailer"},
        {155, 1, "trailer"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t changed[sizeof BY_HAND];
        memcpy(changed, BY_HAND, sizeof changed);
        changed[rows[i].at] = rows[i].byte;
        mc_error error;
        if (rows[i].at == 125) {
            changed[15] = 9; /* else a page 256 is beyond the database */
        }
        assert_int_equal(decode_changed(changed, sizeof changed, &error), MC_MALFORMED);
        if (strcmp(error.reason, rows[i].reason) != 0) {
            fail_msg("byte %zu = %u: %s instead of %s", rows[i].at, rows[i].byte, error.reason,
                     rows[i].reason);
        }
    }
}

/* Promise: an index number spelled with a byte too many is refused. */
static void index_has_one_spelling(void **unused)
{
    (void)unused;
    uint8_t changed[sizeof BY_HAND + 1];
    memcpy(changed, BY_HAND, 128);
    memcpy(changed + 128, "\x81\x00", 2);
    memcpy(changed + 130, BY_HAND + 129, sizeof BY_HAND - 129);
    changed[140] = 5;
    mc_error error;
    assert_int_equal(decode_changed(changed, sizeof changed, &error), MC_MALFORMED);
    assert_string_equal(error.reason, "index-mismatch");
}

/* Promise: nothing lies between frames and index, or behind the index's last number. */
static void nothing_lies_between(void **unused)
{
    (void)unused;
    static const struct {
        size_t at;
        uint8_t index_size;
        const char *reason;
    } rows[] = {{128, 4, "no-end"}, {132, 5, "index-end"}};
    for (int i = 0; i < 2; i++) {
        uint8_t changed[sizeof BY_HAND + 1] = {0};
        memcpy(changed, BY_HAND, rows[i].at);
        memcpy(changed + rows[i].at + 1, BY_HAND + rows[i].at, sizeof BY_HAND - rows[i].at);
        changed[140] = rows[i].index_size;
        mc_error error;
        assert_int_equal(decode_changed(changed, sizeof changed, &error), MC_MALFORMED);
        assert_string_equal(error.reason, rows[i].reason);
    }
}

/* Promise: what a small file unpacks to is bounded by the arena. */
static void arena_bounds_unpacking(void **unused)
{
    (void)unused;
    mc_arena tiny = {.limit_bytes = 400};
    mc_ltx ltx;
    mc_error error;
    mc_bytes bytes = {.data = BY_HAND, .size = sizeof BY_HAND};
    assert_int_equal(mc_ltx_decode(bytes, &tiny, &ltx, &error), MC_NO_MEMORY);
    assert_int_equal(ltx.page_size, 0); /* nothing half-read comes out */
    assert_null(ltx.page);
    mc_arena_free(&tiny);
}

/* Promise: no bytes make the decoder read or write where it must not (for the sanitizers). */
static void random_damage(void **unused)
{
    (void)unused;
    uint64_t state = 42;
    for (int round = 0; round < 20000; round++) {
        uint8_t changed[sizeof BY_HAND];
        memcpy(changed, BY_HAND, sizeof changed);
        uint64_t hits = 1 + next_random(&state) % 6;
        for (uint64_t i = 0; i < hits; i++) {
            changed[next_random(&state) % sizeof changed] = (uint8_t)next_random(&state);
        }
        mc_error error;
        mc_status status =
            decode_changed(changed, sizeof changed - next_random(&state) % 3, &error);
        assert_true(status == MC_OK || status == MC_MALFORMED || status == MC_NO_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_by_hand),
        cmocka_unit_test(no_pages),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(encoder_refuses),
        cmocka_unit_test(every_bit_is_checked),
        cmocka_unit_test(decoder_names_what_is_wrong),
        cmocka_unit_test(index_has_one_spelling),
        cmocka_unit_test(nothing_lies_between),
        cmocka_unit_test(arena_bounds_unpacking),
        cmocka_unit_test(random_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
