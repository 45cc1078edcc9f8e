/* inputs.h: realistic inputs for the tests of the mutator, made by stock SQLite and
 * core/test/forge.h; and memory that ends where no byte may be touched. */
#ifndef MIDCOMMIT_FUZZ_TEST_INPUTS_H
#define MIDCOMMIT_FUZZ_TEST_INPUTS_H

#include "core/test/forge.h"

#include <sys/mman.h>

#include "core/ltx.h"
#include "core/v1.h"
#include "fuzz/mutate/mutate.h"
#include "fuzz/pieces.h"

enum { INPUT_BYTES_MAX = 1 << 18, INPUT_PAGE_SIZE = 512 };

typedef struct input {
    uint8_t *data; /* exactly its size */
    size_t size;
} input;

typedef enum input_kind {
    INPUT_FILES, /* main, journal, WAL and a super-journal, all good */
    INPUT_STORE, /* the first three as pairs */
    INPUT_LTX,   /* main as one commit of a v2 store */
    INPUT_CRASH, /* options, a program, two crashes */
    INPUT_TAR,   /* an archive of the three and a text */
    INPUT_RAW,   /* a text */
    INPUT_KINDS
} input_kind;

/* `size` bytes whose end is the end of what may be read or written, sanitizer or not. */
typedef struct fenced {
    uint8_t *data;
    size_t size;
    void *map;
    size_t map_bytes;
} fenced;

STOCK_UNUSED static fenced fenced_make(const uint8_t *data, size_t size, size_t capacity)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t room = (capacity + page - 1) / page * page;
    fenced f = {.size = capacity, .map_bytes = room + page};
    f.map = mmap(NULL, f.map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(f.map != MAP_FAILED);
    assert_int_equal(mprotect((uint8_t *)f.map + room, page, PROT_NONE), 0);
    f.data = (uint8_t *)f.map + room - capacity;
    if (size > 0) {
        memcpy(f.data, data, size);
    }
    return f;
}

STOCK_UNUSED static void fenced_free(fenced *f)
{
    assert_int_equal(munmap(f->map, f->map_bytes), 0);
}

static void input_files(stock_state *state)
{
    stock_dir dir;
    forge_base base = {0};
    stock_state wal_state = {0};
    stock_dir_make(&dir);
    forge_base_make(&dir, INPUT_PAGE_SIZE, &base);
    forge_journal header = forge_good_header(&base);
    forge_crash(&base, &header, state);
    forge_wal wal = forge_good_wal(INPUT_PAGE_SIZE);
    forge_wal_state(&base, &wal, &wal_state);
    state->file[STOCK_WAL] = wal_state.file[STOCK_WAL];
    wal_state.file[STOCK_WAL] = (stock_file){0};
    stock_set(&state->file[STOCK_SUPER], "main.db-journal", 16);
    stock_free(&wal_state);
    forge_base_free(&base);
    stock_dir_remove(&dir);
}

static void input_store(const stock_state *state, uint8_t *buffer, size_t *size)
{
    for (int tag = 0; tag <= MC_V1_WAL; tag++) {
        const stock_file *file = &state->file[tag];
        uint8_t pair[1 + MC_V1_CHUNK_KEY_BYTES + MC_V1_CHUNK_BYTES];
        pair[0] = MC_V1_METADATA_KEY_BYTES;
        mc_v1_metadata_key(pair + 1, (mc_v1_tag)tag);
        mc_v1_encode_metadata(pair + 5, file->size);
        assert_true(mc_pieces_add(buffer, size, INPUT_BYTES_MAX, MC_PIECE_PAIR, pair, 15));
        uint32_t index = 0;
        for (size_t at = 0; at < file->size; at += MC_V1_CHUNK_BYTES, index++) {
            size_t left = file->size - at;
            size_t bytes = left < MC_V1_CHUNK_BYTES ? left : MC_V1_CHUNK_BYTES;
            pair[0] = MC_V1_CHUNK_KEY_BYTES;
            mc_v1_chunk_key(pair + 1, (mc_v1_tag)tag, index);
            memcpy(pair + 9, file->data + at, bytes);
            assert_true(
                mc_pieces_add(buffer, size, INPUT_BYTES_MAX, MC_PIECE_PAIR, pair, 9 + bytes));
        }
    }
}

static void input_ltx(const stock_file *main, uint8_t *buffer, size_t *size)
{
    static const uint8_t *page[64];
    mc_image image = {INPUT_PAGE_SIZE, (uint32_t)(main->size / INPUT_PAGE_SIZE), page};
    mc_arena arena = {.limit_bytes = 1 << 22};
    mc_ltx ltx;
    mc_bytes bytes;
    mc_error error = {0};
    assert_true(image.page_count > 2 && image.page_count <= 64);
    for (uint32_t i = 0; i < image.page_count; i++) {
        page[i] = main->data + (size_t)i * INPUT_PAGE_SIZE;
    }
    assert_int_equal(mc_ltx_from_image(&image, 1, 1, &arena, &ltx, &error), MC_OK);
    assert_int_equal(mc_ltx_encode(&ltx, &arena, &bytes, &error), MC_OK);
    assert_true(
        mc_pieces_add(buffer, size, INPUT_BYTES_MAX, MC_PIECE_LTX, bytes.data, (size_t)bytes.size));
    mc_arena_free(&arena);
}

static void input_member(uint8_t *buffer, size_t *size, const char *name, const void *data,
                         size_t bytes)
{
    uint8_t *p = buffer + *size;
    memset(p, 0, 512 + (bytes + 511) / 512 * 512);
    memcpy(p, name, strlen(name));
    memcpy(p + 100, "0000644", 7);
    (void)snprintf((char *)p + 124, 12, "%011o", (unsigned)bytes);
    p[156] = '0';
    memcpy(p + 257, "ustar\00000", 8);
    memset(p + 148, ' ', 8);
    unsigned sum = 0;
    for (int i = 0; i < 512; i++) {
        sum += p[i];
    }
    (void)snprintf((char *)p + 148, 7, "%06o", sum);
    memcpy(p + 512, data, bytes);
    *size += 512 + (bytes + 511) / 512 * 512;
}

STOCK_UNUSED static input input_make(input_kind kind)
{
    static const char text[] = "{\"schema\": 1, \"story\": [\"a text that nobody knows\", 4096]}";
    static const char *const name[] = {"main.db", "main.db-journal", "main.db-wal"};
    static const mc_piece_tag tag[] = {MC_PIECE_MAIN, MC_PIECE_JOURNAL, MC_PIECE_WAL,
                                       MC_PIECE_SUPER};
    stock_state state = {0};
    uint8_t *buffer = malloc(INPUT_BYTES_MAX);
    size_t size = 0;
    assert_non_null(buffer);
    input_files(&state);
    if (kind == INPUT_FILES) {
        for (int i = 0; i < 4; i++) {
            assert_true(mc_pieces_add(buffer, &size, INPUT_BYTES_MAX, tag[i], state.file[i].data,
                                      state.file[i].size));
        }
    } else if (kind == INPUT_STORE) {
        input_store(&state, buffer, &size);
    } else if (kind == INPUT_LTX) {
        input_ltx(&state.file[STOCK_MAIN], buffer, &size);
    } else if (kind == INPUT_CRASH) {
        static const uint8_t program[] = {1, 2, 3, 0, 4, 0, 0, 9, 1, 7, 7, 7, 3, 200, 1, 0};
        static const uint8_t choices[] = {3, 0, 7, 1, 0, 0};
        assert_true(mc_pieces_add(buffer, &size, INPUT_BYTES_MAX, MC_PIECE_OPTIONS, choices, 4));
        assert_true(mc_pieces_add(buffer, &size, INPUT_BYTES_MAX, MC_PIECE_PROGRAM, program,
                                  sizeof program));
        assert_true(mc_pieces_add(buffer, &size, INPUT_BYTES_MAX, MC_PIECE_CRASH, choices, 6));
        assert_true(mc_pieces_add(buffer, &size, INPUT_BYTES_MAX, MC_PIECE_CRASH, choices, 2));
    } else if (kind == INPUT_TAR) {
        input_member(buffer, &size, "case.json", text, sizeof text - 1);
        for (int i = 0; i < 3; i++) {
            input_member(buffer, &size, name[i], state.file[i].data, state.file[i].size);
        }
        memset(buffer + size, 0, 1024);
        size += 1024;
    } else {
        memcpy(buffer, text, sizeof text);
        size = sizeof text;
    }
    stock_free(&state);
    buffer = realloc(buffer, size);
    assert_non_null(buffer);
    return (input){buffer, size};
}

/* Is it a list of pieces with nothing cut, nothing left over, and no tag that nobody knows? */
STOCK_UNUSED static bool input_is_whole(const uint8_t *data, size_t size)
{
    static mc_piece piece[MC_PIECES_MAX];
    size_t count = mc_pieces_read(data, size, piece);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t stated = mc_bytes_get_le32(data + at) >> 8;
        if (strchr("MJWUKLOPCF", piece[i].tag) == NULL || piece[i].tag == 0 ||
            stated != piece[i].size) {
            return false;
        }
        at += MC_PIECE_HEADER_BYTES + piece[i].size;
    }
    return count > 0 && at == size;
}

#endif
