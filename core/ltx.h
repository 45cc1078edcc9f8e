/* ltx.h: pages in LTX, the form in which a v2 store keeps a commit (source: rivet-dev/rivet,
 * depot/src/conveyer/ltx.rs).
 *
 * All integers big-endian:
 *
 *     header    100 bytes: "LTX1"; u32 flags = 2 (no checksum); u32 page size; u32 commit, the size
 *               of the database in pages; u64 smallest and u64 largest txid; i64 timestamp in ms;
 *               then zeros: u64 pre-apply checksum, i64 WAL offset, i64 WAL size, u32 salt1,
 *               u32 salt2, u64 node id, 20 reserved bytes
 *     frames    per page, ascending: u32 page number, u16 flags = 1, u32 compressed size, LZ4 block
 *     end       6 zero bytes
 *     index     per page three LEB128 numbers: page number, offset of its frame, size of its frame;
 *               then one 0
 *     footer    u64 size of the index; 16 zero bytes
 *
 * The decoder believes nothing twice written: the index must be the one that the frames imply, and
 * every field that v2 leaves zero must be zero. So what decodes is what some encoder of this format
 * meant, and only the LZ4 blocks have more than one spelling. */
#ifndef MIDCOMMIT_CORE_LTX_H
#define MIDCOMMIT_CORE_LTX_H

#include "core/arena.h"
#include "core/bytes.h"
#include "core/image.h"
#include "core/result.h"

typedef struct mc_ltx_page {
    uint32_t number;
    const uint8_t *data; /* page_size bytes */
} mc_ltx_page;

typedef struct mc_ltx {
    uint32_t page_size;    /* a power of two, 512..65536, also when there are no pages */
    uint32_t commit_pages; /* size of the database after this commit */
    uint64_t min_txid;     /* 0 < min_txid <= max_txid */
    uint64_t max_txid;
    int64_t timestamp_ms;
    const mc_ltx_page *page; /* ascending by number, each 1..commit_pages */
    uint32_t page_count;
} mc_ltx;

/* The whole image as one commit with one txid. The pages' bytes stay where they are, the list lies
 * in `arena`. An image of no pages gets page size 4096. MC_OK or MC_NO_MEMORY. */
mc_status mc_ltx_from_image(const mc_image *image, uint64_t txid, int64_t timestamp_ms,
                            mc_arena *arena, mc_ltx *out, mc_error *error);

/* MC_USAGE when `ltx` is not as described above (slugs "page-size", "txid", "page-number",
 * "page-order"); the bytes lie in `arena`. */
mc_status mc_ltx_encode(const mc_ltx *ltx, mc_arena *arena, mc_bytes *out, mc_error *error);

/* MC_MALFORMED with the offset and what was expected there; the pages lie in `arena`, whose limit
 * bounds what a small hostile file can unpack to. */
mc_status mc_ltx_decode(mc_bytes bytes, mc_arena *arena, mc_ltx *out, mc_error *error);

#endif
