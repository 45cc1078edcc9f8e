/* Promise: every byte string is a list of pieces; what is added is read back; nothing is read or
 * written past an end. */
#include "fuzz/test/inputs.h"

#include "fuzz/mutate/mutate.h"

static mc_piece piece[MC_PIECES_MAX];

static void test_added_pieces_are_read_back(void **state)
{
    (void)state;
    static const mc_piece_tag tags[] = {MC_PIECE_MAIN, MC_PIECE_WAL, MC_PIECE_MAIN, MC_PIECE_CRASH};
    uint8_t content[300 + 3];
    for (size_t i = 0; i < sizeof content; i++) {
        content[i] = (uint8_t)(i * 7);
    }
    for (size_t step = 0; step < 300; step += 13) {
        uint8_t buffer[1300];
        size_t size = 0;
        for (size_t i = 0; i < 4; i++) {
            assert_true(mc_pieces_add(buffer, &size, sizeof buffer, tags[i], content + i,
                                      i == 2 ? 0 : step));
        }
        assert_int_equal(mc_pieces_read(buffer, size, piece), 4);
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(piece[i].tag, tags[i]);
            assert_int_equal(piece[i].size, i == 2 ? 0 : step);
            assert_memory_equal(piece[i].data, content + i, piece[i].size);
        }
        assert_ptr_equal(mc_pieces_find(piece, 4, MC_PIECE_MAIN), &piece[0]);
        assert_null(mc_pieces_find(piece, 4, MC_PIECE_PAIR));
        assert_true(input_is_whole(buffer, size));
    }
}

static void test_what_does_not_fit_is_not_added(void **state)
{
    (void)state;
    static const uint8_t content[100];
    for (size_t capacity = 0; capacity < 130; capacity++) {
        fenced room = fenced_make(NULL, 0, capacity);
        size_t size = 0;
        bool added = mc_pieces_add(room.data, &size, capacity, MC_PIECE_MAIN, content, 100);
        assert_int_equal(added, capacity >= 104);
        assert_int_equal(size, added ? 104 : 0);
        bool second = mc_pieces_add(room.data, &size, capacity, MC_PIECE_MAIN, content, 20);
        assert_int_equal(second, capacity >= (added ? 128u : 24u));
        fenced_free(&room);
    }
    uint8_t small[8];
    size_t size = 0;
    assert_false(mc_pieces_add(small, &size, SIZE_MAX, MC_PIECE_MAIN, content,
                               (size_t)MC_PIECE_BYTES_MAX + 1));
}

/* Any bytes: the pieces lie one behind the other, within the input, and are all of it but fewer
 * than four bytes. */
static void test_any_bytes_are_pieces(void **state)
{
    (void)state;
    uint64_t random = 5;
    for (int round = 0; round < 5000; round++) {
        uint8_t bytes[64];
        random = random * 6364136223846793005u + 1442695040888963407u;
        size_t size = (size_t)(random >> 58);
        for (size_t i = 0; i < size; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            bytes[i] = random >> 63 ? (uint8_t)(random >> 40) : (uint8_t)(random >> 60);
        }
        fenced exact = fenced_make(bytes, size, size);
        size_t count = mc_pieces_read(exact.data, size, piece);
        size_t at = 0;
        for (size_t i = 0; i < count; i++) {
            at += MC_PIECE_HEADER_BYTES;
            assert_ptr_equal(piece[i].data, exact.data + at);
            at += piece[i].size;
        }
        assert_true(at <= size && size - at < MC_PIECE_HEADER_BYTES);
        fenced_free(&exact);
    }
}

static void test_more_pieces_than_there_is_room_for(void **state)
{
    (void)state;
    static uint8_t many[MC_PIECE_HEADER_BYTES * (MC_PIECES_MAX + 10)];
    assert_int_equal(mc_pieces_read(many, sizeof many, piece), MC_PIECES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_added_pieces_are_read_back),
        cmocka_unit_test(test_what_does_not_fit_is_not_added),
        cmocka_unit_test(test_any_bytes_are_pieces),
        cmocka_unit_test(test_more_pieces_than_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
