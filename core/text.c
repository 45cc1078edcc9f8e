#include "core/text.h"

#include <assert.h>

enum { BAD = '?' };

/* The next character of at least one byte; a byte that begins none counts as BAD by itself. */
static uint32_t next_utf8(mc_reader *reader)
{
    uint32_t first = mc_reader_u8(reader);
    if (first < 0x80) {
        return first;
    }
    int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    static const uint32_t least[4] = {0, 0x80, 0x800,
                                      0x10000}; /* shorter forms must be used below */
    if (first < 0xc2 || first > 0xf4) {
        return BAD;
    }
    uint32_t character = first & (0x3fu >> more);
    mc_reader rest = *reader;
    for (int i = 0; i < more; i++) {
        uint32_t byte = mc_reader_u8(&rest);
        if (rest.failed || (byte & 0xc0u) != 0x80) {
            return BAD;
        }
        character = character << 6 | (byte & 0x3fu);
    }
    if (character < least[more] || character > 0x10ffff ||
        (character >= 0xd800 && character < 0xe000)) {
        return BAD;
    }
    *reader = rest;
    return character;
}

static uint32_t next_utf16(mc_reader *reader, bool big_endian)
{
    if (mc_reader_left(reader) == 1) {
        mc_reader_skip(reader, 1);
        return BAD;
    }
    uint32_t unit = big_endian ? mc_reader_be16(reader) : mc_reader_le16(reader);
    if (unit < 0xd800 || unit >= 0xe000) {
        return unit;
    }
    mc_reader rest = *reader;
    uint32_t low = big_endian ? mc_reader_be16(&rest) : mc_reader_le16(&rest);
    if (unit >= 0xdc00 || rest.failed || low < 0xdc00 || low >= 0xe000) {
        return BAD;
    }
    *reader = rest;
    return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

static char *put_utf8(char *out, uint32_t character)
{
    if (character < 0x80) {
        *out++ = (char)character;
        return out;
    }
    int more = character >= 0x10000 ? 3 : character >= 0x800 ? 2 : 1;
    static const uint32_t lead[4] = {0, 0xc0, 0xe0, 0xf0};
    *out++ = (char)(lead[more] | character >> (6 * more));
    while (more-- > 0) {
        *out++ = (char)(0x80u | (character >> (6 * more) & 0x3fu));
    }
    return out;
}

const char *mc_text_utf8(mc_arena *arena, mc_bytes bytes, uint32_t encoding)
{
    bool is_utf16 = encoding == MC_TEXT_UTF16LE || encoding == MC_TEXT_UTF16BE;
    /* Two bytes of UTF-16 become at most three, and no form of UTF-8 grows. */
    char *text = mc_arena_alloc(arena, is_utf16 ? bytes.size / 2 * 3 + 2 : bytes.size + 1);
    if (text == NULL) {
        return NULL;
    }
    char *end = text;
    mc_reader reader = mc_reader_init(bytes.data, bytes.size);
    while (mc_reader_left(&reader) > 0) {
        uint32_t character =
            is_utf16 ? next_utf16(&reader, encoding == MC_TEXT_UTF16BE) : next_utf8(&reader);
        bool is_control = character < 0x20 || (character >= 0x7f && character < 0xa0);
        end = put_utf8(end, is_control ? BAD : character);
    }
    assert(!reader.failed);
    *end = '\0';
    return text;
}
