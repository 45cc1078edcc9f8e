#include "core/bytes.h"

#include <assert.h>

mc_reader mc_reader_init(const uint8_t *data, uint64_t size)
{
    assert(data != NULL || size == 0);
    return (mc_reader){.bytes = {.data = data, .size = size}};
}

uint64_t mc_reader_left(const mc_reader *reader)
{
    assert(reader->offset <= reader->bytes.size);
    return reader->failed ? 0 : reader->bytes.size - reader->offset;
}

void mc_reader_seek(mc_reader *reader, uint64_t offset)
{
    if (offset > reader->bytes.size) {
        reader->failed = true;
    }
    if (!reader->failed) {
        reader->offset = offset;
    }
}

const uint8_t *mc_reader_take(mc_reader *reader, uint64_t size)
{
    if (reader->failed || size > mc_reader_left(reader)) {
        reader->failed = true;
        return NULL;
    }
    /* An empty run may have no data at all, but its caller was promised a pointer. */
    static const uint8_t nothing[1];
    const uint8_t *taken =
        reader->bytes.data == NULL ? nothing : reader->bytes.data + reader->offset;
    reader->offset += size;
    return taken;
}

void mc_reader_skip(mc_reader *reader, uint64_t size)
{
    (void)mc_reader_take(reader, size);
}

uint8_t mc_reader_u8(mc_reader *reader)
{
    const uint8_t *p = mc_reader_take(reader, 1);
    return p == NULL ? 0 : p[0];
}

uint16_t mc_reader_be16(mc_reader *reader)
{
    const uint8_t *p = mc_reader_take(reader, 2);
    return p == NULL ? 0 : mc_bytes_get_be16(p);
}

uint32_t mc_reader_be32(mc_reader *reader)
{
    const uint8_t *p = mc_reader_take(reader, 4);
    return p == NULL ? 0 : mc_bytes_get_be32(p);
}

uint64_t mc_reader_be64(mc_reader *reader)
{
    const uint8_t *p = mc_reader_take(reader, 8);
    return p == NULL ? 0 : mc_bytes_get_be64(p);
}

uint16_t mc_reader_le16(mc_reader *reader)
{
    const uint8_t *p = mc_reader_take(reader, 2);
    return p == NULL ? 0 : mc_bytes_get_le16(p);
}

uint32_t mc_reader_le32(mc_reader *reader)
{
    const uint8_t *p = mc_reader_take(reader, 4);
    return p == NULL ? 0 : mc_bytes_get_le32(p);
}

uint64_t mc_reader_leb128(mc_reader *reader)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        uint8_t byte = mc_reader_u8(reader);
        if (reader->failed) {
            return 0;
        }
        uint64_t bits = byte & 0x7fu;
        if (shift == 63 && bits > 1) {
            break;
        }
        value |= bits << shift;
        if ((byte & 0x80u) == 0) {
            return value;
        }
    }
    reader->failed = true;
    return 0;
}
