/* bytes.h: the one way in which core/ reads bytes that came from outside.
 *
 * An mc_bytes is a borrowed, immutable run of bytes of known size. An mc_reader walks one: every
 * read is checked against the end, and the first read that does not fit makes the reader fail for
 * good. Reads of a failed reader return 0 (or null) and move nothing, so a parser may read all
 * fields of a header in a row and check `failed` once. Offsets and sizes are 64-bit and never
 * overflow.
 *
 * For a field at a fixed offset of a buffer whose size has already been checked there are the plain
 * loads and stores mc_bytes_get_* and mc_bytes_put_*. */
#ifndef MIDCOMMIT_CORE_BYTES_H
#define MIDCOMMIT_CORE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mc_bytes {
    const uint8_t *data; /* null only when size is 0 */
    uint64_t size;
} mc_bytes;

typedef struct mc_reader {
    mc_bytes bytes;
    uint64_t offset; /* of the next read; <= bytes.size */
    bool failed;     /* a read or a seek went past the end */
} mc_reader;

mc_reader mc_reader_init(const uint8_t *data, uint64_t size);

uint64_t mc_reader_left(const mc_reader *reader);

/* To an absolute offset, the end included. */
void mc_reader_seek(mc_reader *reader, uint64_t offset);
void mc_reader_skip(mc_reader *reader, uint64_t size);

uint8_t mc_reader_u8(mc_reader *reader);
uint16_t mc_reader_be16(mc_reader *reader);
uint32_t mc_reader_be32(mc_reader *reader);
uint64_t mc_reader_be64(mc_reader *reader);
uint16_t mc_reader_le16(mc_reader *reader);
uint32_t mc_reader_le32(mc_reader *reader);

/* Unsigned LEB128; more than ten bytes, or bits beyond the 64th, fail the reader. */
uint64_t mc_reader_leb128(mc_reader *reader);

/* The next `size` bytes, borrowed; null when they are not all there. */
const uint8_t *mc_reader_take(mc_reader *reader, uint64_t size);

static inline uint16_t mc_bytes_get_be16(const uint8_t *p)
{
    return (uint16_t)(((uint32_t)p[0] << 8) | p[1]);
}

static inline uint32_t mc_bytes_get_be32(const uint8_t *p)
{
    return ((uint32_t)p[0] << 24) | ((uint32_t)p[1] << 16) | ((uint32_t)p[2] << 8) | p[3];
}

static inline uint32_t mc_bytes_get_le32(const uint8_t *p)
{
    return ((uint32_t)p[3] << 24) | ((uint32_t)p[2] << 16) | ((uint32_t)p[1] << 8) | p[0];
}

static inline uint64_t mc_bytes_get_be64(const uint8_t *p)
{
    return ((uint64_t)mc_bytes_get_be32(p) << 32) | mc_bytes_get_be32(p + 4);
}

static inline uint64_t mc_bytes_get_le64(const uint8_t *p)
{
    return ((uint64_t)mc_bytes_get_le32(p + 4) << 32) | mc_bytes_get_le32(p);
}

static inline uint16_t mc_bytes_get_le16(const uint8_t *p)
{
    return (uint16_t)(((uint32_t)p[1] << 8) | p[0]);
}

static inline void mc_bytes_put_be16(uint8_t *p, uint16_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static inline void mc_bytes_put_be32(uint8_t *p, uint32_t value)
{
    mc_bytes_put_be16(p, (uint16_t)(value >> 16));
    mc_bytes_put_be16(p + 2, (uint16_t)value);
}

static inline void mc_bytes_put_be64(uint8_t *p, uint64_t value)
{
    mc_bytes_put_be32(p, (uint32_t)(value >> 32));
    mc_bytes_put_be32(p + 4, (uint32_t)value);
}

static inline void mc_bytes_put_le16(uint8_t *p, uint16_t value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

static inline void mc_bytes_put_le32(uint8_t *p, uint32_t value)
{
    mc_bytes_put_le16(p, (uint16_t)value);
    mc_bytes_put_le16(p + 2, (uint16_t)(value >> 16));
}

static inline void mc_bytes_put_le64(uint8_t *p, uint64_t value)
{
    mc_bytes_put_le32(p, (uint32_t)value);
    mc_bytes_put_le32(p + 4, (uint32_t)(value >> 32));
}

#endif
