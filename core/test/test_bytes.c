/* The checked reader, at and around the ends of what it reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"

static const uint8_t digits[16] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
                                   0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10};

/* Promise: each width and byte order reads what is there, and moves on by it. */
static void orders_and_widths(void **unused)
{
    (void)unused;
    mc_reader r = mc_reader_init(digits, sizeof digits);
    assert_int_equal(mc_reader_u8(&r), 0x01);
    assert_int_equal(mc_reader_be16(&r), 0x2345);
    assert_int_equal(mc_reader_le16(&r), 0x8967);
    mc_reader_skip(&r, 3);
    assert_int_equal(mc_reader_be32(&r), 0xfedcba98);
    assert_int_equal(mc_reader_le32(&r), 0x10325476);
    assert_int_equal(mc_reader_left(&r), 0);
    mc_reader_seek(&r, 0);
    assert_true(mc_reader_be64(&r) == 0x0123456789abcdefu);
    assert_int_equal(mc_reader_left(&r), 8);
    assert_false(r.failed);
}

/* Promise: a read that does not fit gives nothing, moves nothing and fails the reader for good. */
static void past_the_end(void **unused)
{
    (void)unused;
    uint8_t *exact = malloc(3); /* a sanitizer sees a read past it */
    assert_non_null(exact);
    memcpy(exact, digits, 3);
    mc_reader r = mc_reader_init(exact, 3);
    assert_int_equal(mc_reader_be32(&r), 0);
    assert_true(r.failed);
    assert_int_equal(r.offset, 0);
    assert_int_equal(mc_reader_u8(&r), 0);
    assert_null(mc_reader_take(&r, 0));
    assert_int_equal(mc_reader_left(&r), 0);

    r = mc_reader_init(exact, 3);
    assert_null(mc_reader_take(&r, UINT64_MAX));
    assert_true(r.failed);
    r = mc_reader_init(exact, 3);
    mc_reader_seek(&r, 3);
    assert_false(r.failed);
    mc_reader_seek(&r, 4);
    assert_true(r.failed);
    free(exact);
}

/* Promise: nothing at all can be read, and taking no bytes of it is no failure. */
static void no_bytes(void **unused)
{
    (void)unused;
    mc_reader r = mc_reader_init(NULL, 0);
    assert_non_null(mc_reader_take(&r, 0));
    assert_false(r.failed);
    assert_int_equal(mc_reader_u8(&r), 0);
    assert_true(r.failed);
}

/* Promise: LEB128 is read up to 64 bits and not beyond (values by hand). */
static void leb128(void **unused)
{
    (void)unused;
    static const struct {
        uint8_t bytes[11];
        uint8_t size;
        bool good;
        uint64_t value;
    } row[] = {
        {{0x00}, 1, true, 0},
        {{0x7f}, 1, true, 127},
        {{0x80, 0x01}, 2, true, 128},
        {{0xe5, 0x8e, 0x26}, 3, true, 624485},
        {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, 10, true, UINT64_MAX},
        {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}, 10, false, 0},
        {{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00}, 11, false, 0},
        {{0x80}, 1, false, 0},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        mc_reader r = mc_reader_init(row[i].bytes, row[i].size);
        assert_true(mc_reader_leb128(&r) == row[i].value);
        assert_true(r.failed == !row[i].good);
    }
}

/* Promise: what is put is what is got, in both byte orders. */
static void put_and_get(void **unused)
{
    (void)unused;
    uint8_t p[8];
    mc_bytes_put_be64(p, 0x0123456789abcdefu);
    assert_memory_equal(p, digits, 8);
    mc_bytes_put_le64(p, 0xefcdab8967452301u);
    assert_memory_equal(p, digits, 8);
    assert_true(mc_bytes_get_be64(p) == 0x0123456789abcdefu);
    assert_true(mc_bytes_get_le64(p) == 0xefcdab8967452301u);
    mc_bytes_put_be32(p, 0x01020304);
    assert_int_equal(mc_bytes_get_le32(p), 0x04030201);
    mc_bytes_put_le16(p, 0x0102);
    assert_int_equal(mc_bytes_get_be16(p), 0x0201);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_and_widths), cmocka_unit_test(past_the_end),
        cmocka_unit_test(no_bytes),          cmocka_unit_test(leb128),
        cmocka_unit_test(put_and_get),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
