/* Promises of fuzz/mutate/mutate.h, on realistic inputs of each form and on what became of them. */
#include "fuzz/test/inputs.h"

#include <ctype.h>

/* Both wrappers as they are, with the engine's own mutation made ours. */
#include "fuzz/mutate/mutate_afl.c"
#include "fuzz/mutate/mutate_libfuzzer.c"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t capacity)
{
    return mc_mutate_leaf(data, size, capacity);
}

static input inputs[INPUT_KINDS];

static int make_inputs(void **state)
{
    (void)state;
    for (int kind = 0; kind < INPUT_KINDS; kind++) {
        inputs[kind] = input_make((input_kind)kind);
    }
    return 0;
}

static int free_inputs(void **state)
{
    (void)state;
    for (int kind = 0; kind < INPUT_KINDS; kind++) {
        free(inputs[kind].data);
    }
    return 0;
}

static bool has_pieces(int kind)
{
    return kind == INPUT_FILES || kind == INPUT_STORE || kind == INPUT_LTX || kind == INPUT_CRASH;
}

/* The leaf's calls, held to its contract. */
static size_t leaf_calls;
static size_t checking_leaf(uint8_t *data, size_t size, size_t capacity)
{
    assert_true(capacity > 0 && size <= capacity);
    leaf_calls++;
    memset(data + size, 0xa5, capacity - size); /* all of it may be written */
    return mc_mutate_leaf(data, size, capacity);
}

static void test_outputs_stay_within_capacity_and_keep_their_pieces(void **state)
{
    (void)state;
    for (int kind = 0; kind < INPUT_KINDS; kind++) {
        static const size_t more[] = {0, 1, 100, 5000, 100000};
        for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
            size_t capacity = inputs[kind].size + more[i];
            fenced buffer = fenced_make(inputs[kind].data, inputs[kind].size, capacity);
            size_t size = inputs[kind].size;
            for (uint64_t seed = 0; seed < 3000; seed++) {
                if (seed % 20 == 0) { /* up to twenty on top of each other */
                    size = inputs[kind].size;
                    memcpy(buffer.data, inputs[kind].data, size);
                }
                mc_mutate_leaf_seed(seed);
                size = mc_mutate(buffer.data, size, capacity, seed, checking_leaf);
                assert_true(size >= 1 && size <= capacity);
                if (has_pieces(kind)) {
                    assert_true(input_is_whole(buffer.data, size));
                }
            }
            fenced_free(&buffer);
        }
    }
    assert_true(leaf_calls > 1000);
}

/* The bytes need not make sense: every prefix of an input, damaged, in no more room than it takes.
 */
static void test_hostile_inputs_are_held_within_their_bytes(void **state)
{
    (void)state;
    uint64_t random = 11;
    for (int round = 0; round < 6000; round++) {
        const input *from = &inputs[round % INPUT_KINDS];
        size_t size = 1 + (size_t)(mc_edit_step(&random) % from->size);
        size_t capacity = size + (size_t)(mc_edit_step(&random) % 64);
        fenced buffer = fenced_make(from->data, size, capacity);
        for (int i = 0; i < 8; i++) {
            size_t at = (size_t)(mc_edit_step(&random) % (i < 4 && size > 64 ? 64 : size));
            buffer.data[at] = (uint8_t)mc_edit_step(&random);
        }
        mc_mutate_leaf_seed((uint64_t)round);
        size_t made = mc_mutate(buffer.data, size, capacity, (uint64_t)round, mc_mutate_leaf);
        assert_true(made >= 1 && made <= capacity);
        fenced exact = fenced_make(buffer.data, made, made);
        uint32_t steps = mc_mutate_trim_steps(exact.data, made);
        fenced out = fenced_make(NULL, 0, made);
        for (uint32_t step = 0; step < steps; step += 1 + steps / 8) {
            assert_true(mc_mutate_trim(exact.data, made, step, out.data) < made);
        }
        const input *other = &inputs[mc_edit_step(&random) % INPUT_KINDS];
        size_t crossed = mc_mutate_cross(exact.data, made, other->data, other->size, out.data, made,
                                         (uint64_t)round);
        assert_true(crossed <= made);
        fenced_free(&out);
        fenced_free(&exact);
        fenced_free(&buffer);
    }
}

static void test_equal_seeds_give_equal_bytes(void **state)
{
    (void)state;
    static uint8_t a[INPUT_BYTES_MAX], b[INPUT_BYTES_MAX];
    for (int kind = 0; kind < INPUT_KINDS; kind++) {
        size_t differ = 0;
        for (uint64_t seed = 0; seed < 500; seed++) {
            memset(a, 0x11, sizeof a);
            memset(b, 0xee, sizeof b); /* what lies behind the input must not matter */
            memcpy(a, inputs[kind].data, inputs[kind].size);
            memcpy(b, inputs[kind].data, inputs[kind].size);
            mc_mutate_leaf_seed(seed);
            size_t a_size = mc_mutate(a, inputs[kind].size, sizeof a, seed, mc_mutate_leaf);
            char what[256];
            (void)snprintf(what, sizeof what, "%s", mc_mutate_last());
            mc_mutate_leaf_seed(seed);
            size_t b_size = mc_mutate(b, inputs[kind].size, sizeof b, seed, mc_mutate_leaf);
            assert_int_equal(a_size, b_size);
            assert_memory_equal(a, b, a_size);
            assert_string_equal(what, mc_mutate_last());
            differ += a_size != inputs[kind].size || memcmp(a, inputs[kind].data, a_size) != 0;
        }
        assert_true(differ > 440); /* and something has changed, nearly always */
    }
}

/* As `mutate` sees an input: the same seed, the same leaf, the same bytes from both engines. */
static void test_both_wrappers_give_the_same_bytes(void **state)
{
    (void)state;
    static uint8_t buffer[INPUT_BYTES_MAX];
    for (int kind = 0; kind < INPUT_KINDS; kind++) {
        const input *in = &inputs[kind];
        const input *other = &inputs[(kind + 1) % INPUT_KINDS];
        void *afl = afl_custom_init(NULL, 7);
        uint64_t random = 7;
        size_t crossed = 0;
        for (int i = 0; i < 600; i++) {
            bool alone = i % 2 == 0;
            uint32_t seed = (uint32_t)mc_edit_step(&random);
            uint8_t *out;
            size_t made = afl_custom_fuzz(afl, in->data, in->size, &out, alone ? NULL : other->data,
                                          alone ? 0 : other->size, sizeof buffer);
            const char *how = afl_custom_describe(afl, 60);
            size_t size = 0;
            if (strcmp(how, "cross") == 0) {
                size = LLVMFuzzerCustomCrossOver(in->data, in->size, other->data, other->size,
                                                 buffer, sizeof buffer, seed);
                crossed++;
            } else {
                memcpy(buffer, in->data, in->size);
                mc_mutate_leaf_seed(seed);
                size = LLVMFuzzerCustomMutator(buffer, in->size, sizeof buffer, seed);
            }
            assert_int_equal(made, size);
            assert_memory_equal(out, buffer, size);
        }
        assert_true(crossed > 10);
        afl_custom_deinit(afl);
    }
}

static void test_descriptions_are_parts_of_file_names(void **state)
{
    (void)state;
    void *afl = afl_custom_init(NULL, 1);
    for (int i = 0; i < 5000; i++) {
        const input *in = &inputs[i % INPUT_KINDS];
        uint8_t *out;
        assert_true(afl_custom_fuzz(afl, in->data, in->size, &out, NULL, 0, INPUT_BYTES_MAX) > 0);
        char first[64];
        (void)snprintf(first, sizeof first, "%s", afl_custom_describe(afl, 40));
        const char *how = afl_custom_describe(afl, 40);
        assert_string_equal(how, first);
        assert_true(strlen(how) > 0 && strlen(how) <= 40);
        for (const char *p = how; *p != '\0'; p++) {
            assert_true(isalnum((unsigned char)*p) || *p == '-' || *p == '+');
        }
    }
    afl_custom_deinit(afl);
}

static void test_every_kind_is_reached(void **state)
{
    (void)state;
    static uint8_t buffer[INPUT_BYTES_MAX];
    static size_t seen[256];
    size_t kinds = 0;
    while (mc_mutate_kind(kinds) != NULL) {
        kinds++;
    }
    assert_true(kinds > 80 && kinds < 256);
    for (uint64_t seed = 0; seed < 40000; seed++) {
        const input *in = &inputs[seed % INPUT_KINDS];
        memcpy(buffer, in->data, in->size);
        mc_mutate_leaf_seed(seed);
        (void)mc_mutate(buffer, in->size, sizeof buffer, seed, mc_mutate_leaf);
        for (size_t i = 0; i < kinds; i++) {
            const char *found = strstr(mc_mutate_last(), mc_mutate_kind(i));
            seen[i] += found != NULL;
        }
    }
    for (size_t i = 0; i < kinds; i++) {
        if (seen[i] < 20) {
            fail_msg("%s: %zu times of 40000", mc_mutate_kind(i), seen[i]);
        }
    }
}

/* How playback of the input's journal ends, as core reads it; null where it is not hot. */
static const char *journal_end(const uint8_t *data, size_t size, mc_arena *arena)
{
    static mc_piece piece[MC_PIECES_MAX];
    size_t count = mc_pieces_read(data, size, piece);
    const mc_piece *main = mc_pieces_find(piece, count, MC_PIECE_MAIN);
    const mc_piece *journal = mc_pieces_find(piece, count, MC_PIECE_JOURNAL);
    mc_files files = {
        .main = {main != NULL, main != NULL ? main->data : NULL, main != NULL ? main->size : 0}};
    assert_non_null(journal);
    files.journal = (mc_file){true, journal->data, journal->size};
    mc_journal read;
    mc_error error = {0};
    mc_arena_reset(arena);
    return mc_journal_read(&files, arena, &read, &error) == MC_OK ? read.end : NULL;
}

typedef enum wal_end { WAL_UNUSABLE, WAL_ALL, WAL_SALTS, WAL_ZERO, WAL_SUMS } wal_end;

/* Why the scan of the input's WAL ends where it does. */
static wal_end wal_stops(const uint8_t *data, size_t size)
{
    static mc_piece piece[MC_PIECES_MAX];
    size_t count = mc_pieces_read(data, size, piece);
    const mc_piece *file = mc_pieces_find(piece, count, MC_PIECE_WAL);
    assert_non_null(file);
    mc_file bytes = {true, file->data, file->size};
    mc_wal wal;
    mc_error error = {0};
    const char *why;
    mc_status status = mc_wal_open(&bytes, &wal, &why, &error);
    if (why != NULL && strcmp(why, "bad-header-checksum") == 0) {
        return WAL_SUMS;
    }
    if (status != MC_OK || !wal.usable) {
        return WAL_UNUSABLE;
    }
    mc_wal_advance(&wal, &bytes);
    size_t at = (size_t)mc_wal_frame_offset(&wal, wal.valid_frames + 1) - MC_WAL_FRAME_HEADER_BYTES;
    if (at + MC_WAL_FRAME_HEADER_BYTES + wal.page_size > file->size) {
        return WAL_ALL;
    }
    const uint8_t *frame = file->data + at;
    if (memcmp(frame + 8, file->data + 16, 8) != 0) {
        return WAL_SALTS;
    }
    return mc_bytes_get_be32(frame) == 0 ? WAL_ZERO : WAL_SUMS;
}

/* One change to the sidecar whose kinds begin with `what`, and nothing else. */
static bool is_one(const char *what)
{
    return strncmp(mc_mutate_last(), what, strlen(what)) == 0 &&
           strchr(mc_mutate_last(), ';') == NULL;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);
    return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

static void test_checksums_made_right_verify(void **state)
{
    (void)state;
    static uint8_t buffer[INPUT_BYTES_MAX];
    const input *in = &inputs[INPUT_FILES];
    mc_arena arena = {.limit_bytes = 1 << 22};
    size_t right[2] = {0}, right_and_all[2] = {0}, left[2] = {0}, broken[2] = {0};
    assert_string_equal(journal_end(in->data, in->size, &arena), "end");
    assert_int_equal(wal_stops(in->data, in->size), WAL_ALL);
    for (uint64_t seed = 0; seed < 40000; seed++) {
        memcpy(buffer, in->data, in->size);
        mc_mutate_leaf_seed(seed);
        size_t size = mc_mutate(buffer, in->size, sizeof buffer, seed, mc_mutate_leaf);
        bool is_right = ends_with(mc_mutate_last(), ", checksums right");
        bool is_left = ends_with(mc_mutate_last(), ", checksums left");
        if (!is_right && !is_left) {
            continue;
        }
        if (is_one("journal")) {
            const char *end = journal_end(buffer, size, &arena);
            bool bad = end != NULL && strcmp(end, "bad-checksum") == 0;
            right[0] += is_right;
            right_and_all[0] += is_right && end != NULL && strcmp(end, "end") == 0;
            left[0] += is_left;
            broken[0] += is_left && bad;
            assert_false(is_right && bad);
        } else if (is_one("wal")) {
            wal_end end = wal_stops(buffer, size);
            right[1] += is_right;
            right_and_all[1] += is_right && end == WAL_ALL;
            left[1] += is_left;
            broken[1] += is_left && end == WAL_SUMS;
            assert_false(is_right && end == WAL_SUMS);
        }
    }
    mc_arena_free(&arena);
    for (int i = 0; i < 2; i++) {
        assert_true(right[i] > 1500 && left[i] > 1500);
        assert_true(2 * right[i] > left[i] && 2 * left[i] > right[i]);
        assert_true(right_and_all[i] * 3 > right[i]); /* damage that gets past them */
        assert_true(broken[i] * 4 > left[i]);
    }
}

/* A store's files have right checksums, too, after "store: file, ..., checksums right": the chunks
 * are put together by core/v1.h. */
static void test_checksums_of_a_store_verify(void **state)
{
    (void)state;
    static uint8_t buffer[INPUT_BYTES_MAX], joined[INPUT_BYTES_MAX];
    static mc_piece piece[MC_PIECES_MAX];
    const input *in = &inputs[INPUT_STORE];
    mc_arena arena = {.limit_bytes = 1 << 22};
    size_t right = 0, all = 0;
    for (uint64_t seed = 0; seed < 20000; seed++) {
        memcpy(buffer, in->data, in->size);
        mc_mutate_leaf_seed(seed);
        size_t size = mc_mutate(buffer, in->size, sizeof buffer, seed, mc_mutate_leaf);
        if (!is_one("store: file, wal") || !ends_with(mc_mutate_last(), ", checksums right")) {
            continue;
        }
        mc_pair pair[64];
        size_t count = mc_pieces_read(buffer, size, piece);
        assert_true(count <= 64);
        for (size_t i = 0; i < count; i++) {
            const uint8_t *p = piece[i].data;
            pair[i] = (mc_pair){p + 1, p + 1 + p[0], p[0], piece[i].size - 1 - p[0]};
        }
        mc_store store = {pair, count};
        mc_files files = {0};
        mc_error error = {0};
        /* A store wants its keys ascending; a file grown by a chunk has it at the end. */
        for (size_t i = 1; i < count; i++) {
            for (size_t j = i; j > 0; j--) {
                size_t common = pair[j].key_size < pair[j - 1].key_size ? pair[j].key_size
                                                                        : pair[j - 1].key_size;
                if (memcmp(pair[j].key, pair[j - 1].key, common) >= 0) {
                    break;
                }
                mc_pair held = pair[j];
                pair[j] = pair[j - 1];
                pair[j - 1] = held;
            }
        }
        mc_arena_reset(&arena);
        assert_int_equal(mc_v1_files(&store, &arena, &files, &error), MC_OK);
        size_t joined_size = 0;
        assert_true(mc_pieces_add(joined, &joined_size, sizeof joined, MC_PIECE_WAL, files.wal.data,
                                  (size_t)files.wal.size));
        wal_end end = wal_stops(joined, joined_size);
        right++;
        all += end == WAL_ALL;
        assert_int_not_equal(end, WAL_SUMS);
    }
    mc_arena_free(&arena);
    assert_true(right > 200 && all * 3 > right);
}

/* An index that was made right is the one that core/ltx.h wants. */
static void test_an_index_made_right_is_taken(void **state)
{
    (void)state;
    static uint8_t buffer[INPUT_BYTES_MAX];
    static mc_piece piece[MC_PIECES_MAX];
    const input *in = &inputs[INPUT_LTX];
    mc_arena arena = {.limit_bytes = 1 << 22};
    size_t right = 0, left = 0;
    for (uint64_t seed = 0; seed < 5000; seed++) {
        memcpy(buffer, in->data, in->size);
        mc_mutate_leaf_seed(seed);
        size_t size = mc_mutate(buffer, in->size, sizeof buffer, seed, mc_mutate_leaf);
        if (!is_one("ltx frame: delete")) {
            continue;
        }
        assert_int_equal(mc_pieces_read(buffer, size, piece), 1);
        mc_ltx ltx;
        mc_error error = {0};
        mc_arena_reset(&arena);
        mc_status status =
            mc_ltx_decode((mc_bytes){piece[0].data, piece[0].size}, &arena, &ltx, &error);
        bool is_right = ends_with(mc_mutate_last(), ", checksums right");
        assert_int_equal(status, is_right ? MC_OK : MC_MALFORMED);
        right += is_right;
        left += !is_right;
    }
    mc_arena_free(&arena);
    assert_true(right > 50 && left > 50);
}

static void test_crossing_makes_inputs_of_both(void **state)
{
    (void)state;
    for (int kind = 0; kind < INPUT_KINDS; kind++) {
        size_t made = 0, mixed = 0;
        input b = {malloc(inputs[kind].size), inputs[kind].size};
        assert_non_null(b.data);
        memcpy(b.data, inputs[kind].data, b.size);
        for (size_t i = has_pieces(kind) ? 600 : 16; i < b.size; i += 7) {
            if (kind == INPUT_RAW) {
                b.data[i] = (uint8_t)(b.data[i] ^ 0x80);
            }
        }
        for (uint64_t seed = 0; seed < 1000; seed++) {
            size_t capacity = seed % 4 == 0 ? inputs[kind].size / 2 : 3 * inputs[kind].size;
            fenced out = fenced_make(NULL, 0, capacity);
            size_t size = mc_mutate_cross(inputs[kind].data, inputs[kind].size, b.data, b.size,
                                          out.data, capacity, seed);
            assert_true(size <= capacity);
            made += size > 0;
            mixed += size > 0 && (size != b.size || memcmp(out.data, b.data, size) != 0);
            if (has_pieces(kind) && size > 0) {
                assert_true(input_is_whole(out.data, size));
            }
            fenced_free(&out);
        }
        free(b.data);
        assert_true(made > 700 && mixed > 300);
    }
}

static void test_trimming_gives_shorter_inputs(void **state)
{
    (void)state;
    for (int kind = 0; kind < INPUT_KINDS; kind++) {
        const input *in = &inputs[kind];
        uint32_t steps = mc_mutate_trim_steps(in->data, in->size);
        fenced out = fenced_make(NULL, 0, in->size);
        assert_true(steps > 3);
        for (uint32_t step = 0; step < steps; step++) {
            size_t size = mc_mutate_trim(in->data, in->size, step, out.data);
            assert_true(size > 0 && size < in->size);
            if (has_pieces(kind)) {
                assert_true(input_is_whole(out.data, size));
            }
        }
        assert_int_equal(mc_mutate_trim(in->data, in->size, steps, out.data), 0);
        fenced_free(&out);
    }
}

/* Trimming keeps what holds: a journal's records and a WAL's frames stay all good. */
static void test_trimming_keeps_sidecars_good(void **state)
{
    (void)state;
    static uint8_t out[INPUT_BYTES_MAX];
    static mc_piece piece[MC_PIECES_MAX];
    const input *in = &inputs[INPUT_FILES];
    mc_arena arena = {.limit_bytes = 1 << 22};
    size_t checked = 0;
    uint32_t steps = mc_mutate_trim_steps(in->data, in->size);
    for (uint32_t step = 0; step < steps; step++) {
        size_t size = mc_mutate_trim(in->data, in->size, step, out);
        if (mc_pieces_read(out, size, piece) == 4) {
            assert_string_equal(journal_end(out, size, &arena), "end");
            assert_int_equal(wal_stops(out, size), WAL_ALL);
            checked++;
        }
    }
    mc_arena_free(&arena);
    assert_true(checked > 30);
}

/* The loop of afl-fuzz: to the smallest input that still holds an op 4, in a bounded number of
 * steps. */
static bool holds_op(const uint8_t *data, size_t size)
{
    static mc_piece piece[MC_PIECES_MAX];
    const mc_piece *p = mc_pieces_find(piece, mc_pieces_read(data, size, piece), MC_PIECE_PROGRAM);
    for (size_t i = 0; p != NULL && i + 4 <= p->size; i += 4) {
        if (p->data[i] == 4) {
            return true;
        }
    }
    return false;
}

static void test_afl_trims_to_what_matters(void **state)
{
    (void)state;
    void *afl = afl_custom_init(NULL, 0);
    const input *in = &inputs[INPUT_CRASH];
    int32_t stages = afl_custom_init_trim(afl, in->data, in->size);
    size_t smallest = in->size;
    int runs = 0;
    for (int32_t stage = 0; stage < stages;) {
        uint8_t *out;
        size_t size = afl_custom_trim(afl, &out);
        assert_true(size > 0 && size < smallest);
        bool holds = holds_op(out, size);
        smallest = holds ? size : smallest;
        stage = afl_custom_post_trim(afl, holds);
        assert_true(++runs < 200);
    }
    assert_int_equal(smallest, MC_PIECE_HEADER_BYTES + 4); /* one piece of one statement */
    afl_custom_deinit(afl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outputs_stay_within_capacity_and_keep_their_pieces),
        cmocka_unit_test(test_hostile_inputs_are_held_within_their_bytes),
        cmocka_unit_test(test_equal_seeds_give_equal_bytes),
        cmocka_unit_test(test_both_wrappers_give_the_same_bytes),
        cmocka_unit_test(test_descriptions_are_parts_of_file_names),
        cmocka_unit_test(test_every_kind_is_reached),
        cmocka_unit_test(test_checksums_made_right_verify),
        cmocka_unit_test(test_checksums_of_a_store_verify),
        cmocka_unit_test(test_an_index_made_right_is_taken),
        cmocka_unit_test(test_crossing_makes_inputs_of_both),
        cmocka_unit_test(test_trimming_gives_shorter_inputs),
        cmocka_unit_test(test_trimming_keeps_sidecars_good),
        cmocka_unit_test(test_afl_trims_to_what_matters),
    };
    return cmocka_run_group_tests(tests, make_inputs, free_inputs);
}
