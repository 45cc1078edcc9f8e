#include "fuzz/pieces.h"

#include <string.h>

static uint32_t get_u24(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

size_t mc_pieces_read(const uint8_t *data, size_t size, mc_piece piece[MC_PIECES_MAX])
{
    size_t count = 0;
    size_t at = 0;
    while (count < MC_PIECES_MAX && size - at >= MC_PIECE_HEADER_BYTES) {
        uint32_t wanted = get_u24(data + at + 1);
        size_t left = size - at - MC_PIECE_HEADER_BYTES;
        uint32_t given = wanted < left ? wanted : (uint32_t)left;
        piece[count++] = (mc_piece){data[at], given, data + at + MC_PIECE_HEADER_BYTES};
        at += MC_PIECE_HEADER_BYTES + given;
    }
    return count;
}

const mc_piece *mc_pieces_find(const mc_piece *piece, size_t count, mc_piece_tag tag)
{
    for (size_t i = 0; i < count; i++) {
        if (piece[i].tag == tag) {
            return &piece[i];
        }
    }
    return NULL;
}

bool mc_pieces_add(uint8_t *buffer, size_t *size, size_t capacity, mc_piece_tag tag,
                   const void *data, size_t data_size)
{
    if (data_size > MC_PIECE_BYTES_MAX || capacity - *size < MC_PIECE_HEADER_BYTES + data_size) {
        return false;
    }
    uint8_t *p = buffer + *size;
    p[0] = (uint8_t)tag;
    p[1] = (uint8_t)data_size;
    p[2] = (uint8_t)(data_size >> 8);
    p[3] = (uint8_t)(data_size >> 16);
    if (data_size > 0) {
        memcpy(p + MC_PIECE_HEADER_BYTES, data, data_size);
    }
    *size += MC_PIECE_HEADER_BYTES + data_size;
    return true;
}
