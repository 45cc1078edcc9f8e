#include "core/ltx.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <lz4.h>
#include <string.h>

static const uint8_t MAGIC[4] = {'L', 'T', 'X', '1'};

enum {
    HEADER_BYTES = 100,
    HEADER_USED_BYTES = 40, /* up to the timestamp; zeros follow */
    FRAME_HEADER_BYTES = 10,
    END_BYTES = 6,
    FOOTER_BYTES = 8 + 16,
    INDEX_ENTRY_BYTES_MAX = 5 + 10 + 5,
    FLAG_NO_CHECKSUM = 2,
    FLAG_FRAME_SIZE = 1,
    DEFAULT_PAGE_SIZE = 4096
};

static bool is_page_size(uint32_t page_size)
{
    return page_size >= MC_PAGE_SIZE_MIN && page_size <= MC_PAGE_SIZE_MAX &&
           (page_size & (page_size - 1)) == 0;
}

mc_status mc_ltx_from_image(const mc_image *image, uint64_t txid, int64_t timestamp_ms,
                            mc_arena *arena, mc_ltx *out, mc_error *error)
{
    mc_ltx_page *page = mc_arena_calloc(arena, image->page_count, sizeof *page);
    if (page == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory",
                       "ltx: no memory for a list of %" PRIu32 " pages", image->page_count);
    }
    for (uint32_t i = 0; i < image->page_count; i++) {
        page[i] = (mc_ltx_page){.number = i + 1, .data = image->page[i]};
    }
    *out = (mc_ltx){
        .page_size = image->page_count == 0 ? DEFAULT_PAGE_SIZE : image->page_size,
        .commit_pages = image->page_count,
        .min_txid = txid,
        .max_txid = txid,
        .timestamp_ms = timestamp_ms,
        .page = page,
        .page_count = image->page_count,
    };
    return MC_OK;
}

/* What both directions ask of a commit; `status` is whose fault it is. */
static mc_status check_header(const mc_ltx *ltx, mc_status status, mc_error *error)
{
    if (!is_page_size(ltx->page_size)) {
        return mc_fail(error, status, "page-size",
                       "ltx: offset 8: expected a page size that is a power of two, 512..65536, "
                       "found %" PRIu32,
                       ltx->page_size);
    }
    if (ltx->min_txid == 0 || ltx->min_txid > ltx->max_txid) {
        return mc_fail(error, status, "txid",
                       "ltx: offset 16: expected 0 < smallest txid <= largest, found %" PRIu64
                       " and %" PRIu64,
                       ltx->min_txid, ltx->max_txid);
    }
    return MC_OK;
}

/* The same for one page that follows page `previous` (0: none). */
static mc_status check_page_number(uint32_t number, uint32_t previous, uint32_t commit_pages,
                                   uint64_t offset, mc_status status, mc_error *error)
{
    if (number == 0 || number > commit_pages) {
        return mc_fail(error, status, "page-number",
                       "ltx: offset %" PRIu64 ": expected a page of 1..%" PRIu32 ", found %" PRIu32,
                       offset, commit_pages, number);
    }
    if (number <= previous) {
        return mc_fail(error, status, "page-order",
                       "ltx: offset %" PRIu64 ": expected a page above %" PRIu32 ", found %" PRIu32,
                       offset, previous, number);
    }
    return MC_OK;
}

static size_t put_leb128(uint8_t *target, uint64_t value)
{
    size_t size = 0;
    while (value >= 0x80) {
        target[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    target[size++] = (uint8_t)value;
    return size;
}

static void put_header(const mc_ltx *ltx, uint8_t *target)
{
    memset(target, 0, HEADER_BYTES);
    memcpy(target, MAGIC, sizeof MAGIC);
    mc_bytes_put_be32(target + 4, FLAG_NO_CHECKSUM);
    mc_bytes_put_be32(target + 8, ltx->page_size);
    mc_bytes_put_be32(target + 12, ltx->commit_pages);
    mc_bytes_put_be64(target + 16, ltx->min_txid);
    mc_bytes_put_be64(target + 24, ltx->max_txid);
    mc_bytes_put_be64(target + 32, (uint64_t)ltx->timestamp_ms);
}

/* Returns the frame's size. */
static size_t put_frame(const mc_ltx_page *page, uint32_t page_size, uint8_t *target)
{
    int room = LZ4_compressBound((int)page_size);
    int compressed = LZ4_compress_default(
        (const char *)page->data, (char *)target + FRAME_HEADER_BYTES, (int)page_size, room);
    assert(compressed > 0); /* with the bound's room LZ4 cannot fail (lz4.h) */
    mc_bytes_put_be32(target, page->number);
    mc_bytes_put_be16(target + 4, FLAG_FRAME_SIZE);
    mc_bytes_put_be32(target + 6, (uint32_t)compressed);
    return FRAME_HEADER_BYTES + (size_t)compressed;
}

mc_status mc_ltx_encode(const mc_ltx *ltx, mc_arena *arena, mc_bytes *out, mc_error *error)
{
    mc_status status = check_header(ltx, MC_USAGE, error);
    for (uint32_t i = 0; status == MC_OK && i < ltx->page_count; i++) {
        status = check_page_number(ltx->page[i].number, i == 0 ? 0 : ltx->page[i - 1].number,
                                   ltx->commit_pages, 0, MC_USAGE, error);
    }
    if (status != MC_OK) {
        return status;
    }
    size_t frame_bytes_max = FRAME_HEADER_BYTES + (size_t)LZ4_compressBound((int)ltx->page_size);
    size_t bytes_max = HEADER_BYTES + END_BYTES + 1 + FOOTER_BYTES +
                       ltx->page_count * (frame_bytes_max + INDEX_ENTRY_BYTES_MAX);
    uint8_t *bytes = mc_arena_alloc(arena, bytes_max);
    /* The index stands behind the frames, whose sizes are known only then. */
    uint8_t *index = mc_arena_alloc(arena, (size_t)ltx->page_count * INDEX_ENTRY_BYTES_MAX + 1);
    if (bytes == NULL || index == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "ltx: no memory for %" PRIu32 " pages",
                       ltx->page_count);
    }
    put_header(ltx, bytes);
    size_t size = HEADER_BYTES;
    size_t index_size = 0;
    for (uint32_t i = 0; i < ltx->page_count; i++) {
        size_t frame_size = put_frame(&ltx->page[i], ltx->page_size, bytes + size);
        index_size += put_leb128(index + index_size, ltx->page[i].number);
        index_size += put_leb128(index + index_size, size);
        index_size += put_leb128(index + index_size, frame_size);
        size += frame_size;
    }
    index[index_size++] = 0;
    memset(bytes + size, 0, END_BYTES);
    size += END_BYTES;
    memcpy(bytes + size, index, index_size);
    size += index_size;
    memset(bytes + size, 0, FOOTER_BYTES);
    mc_bytes_put_be64(bytes + size, index_size);
    size += FOOTER_BYTES;
    assert(size <= bytes_max);
    *out = (mc_bytes){.data = bytes, .size = size};
    return MC_OK;
}

static mc_status malformed(mc_error *error, const char *reason, uint64_t offset,
                           const char *expected)
{
    return mc_fail(error, MC_MALFORMED, reason, "ltx: offset %" PRIu64 ": expected %s", offset,
                   expected);
}

static bool all_zero(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] != 0) {
            return false;
        }
    }
    return true;
}

static mc_status get_header(mc_reader *reader, mc_ltx *out, mc_error *error)
{
    const uint8_t *magic = mc_reader_take(reader, sizeof MAGIC);
    uint32_t flags = mc_reader_be32(reader);
    out->page_size = mc_reader_be32(reader);
    out->commit_pages = mc_reader_be32(reader);
    out->min_txid = mc_reader_be64(reader);
    out->max_txid = mc_reader_be64(reader);
    out->timestamp_ms = (int64_t)mc_reader_be64(reader);
    const uint8_t *zeros = mc_reader_take(reader, HEADER_BYTES - HEADER_USED_BYTES);
    if (reader->failed) {
        return malformed(error, "too-small", reader->bytes.size, "a header of 100 bytes");
    }
    if (memcmp(magic, MAGIC, sizeof MAGIC) != 0) {
        return malformed(error, "bad-magic", 0, "LTX1");
    }
    if (flags != FLAG_NO_CHECKSUM) {
        return malformed(error, "header-flags", 4, "flags 2");
    }
    if (!all_zero(zeros, HEADER_BYTES - HEADER_USED_BYTES)) {
        return malformed(error, "header-zeros", HEADER_USED_BYTES, "zeros to the header's end");
    }
    return check_header(out, MC_MALFORMED, error);
}

/* Unpacks the frame whose page number was just read. */
static mc_status get_frame(mc_reader *reader, uint32_t page_size, mc_arena *arena,
                           mc_ltx_page *page, mc_error *error)
{
    uint64_t offset = reader->offset;
    uint16_t flags = mc_reader_be16(reader);
    uint32_t size = mc_reader_be32(reader);
    const uint8_t *compressed = mc_reader_take(reader, size);
    if (compressed == NULL || size > INT_MAX) {
        return malformed(error, "frame-size", offset, "a frame that ends before the index");
    }
    if (flags != FLAG_FRAME_SIZE) {
        return malformed(error, "frame-flags", offset, "page flags 1");
    }
    uint8_t *data = mc_arena_alloc(arena, page_size);
    if (data == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "ltx: no memory for page %" PRIu32,
                       page->number);
    }
    int unpacked =
        LZ4_decompress_safe((const char *)compressed, (char *)data, (int)size, (int)page_size);
    if (unpacked != (int)page_size) {
        return malformed(error, "frame-content", offset, "an LZ4 block of exactly one page");
    }
    page->data = data;
    return MC_OK;
}

/* A canonical LEB128 number: no byte more than it needs, so one number has one spelling. */
static bool index_says(mc_reader *index, uint64_t value)
{
    uint64_t offset = index->offset;
    uint8_t canonical[10];
    uint64_t found = mc_reader_leb128(index);
    return !index->failed && found == value &&
           index->offset - offset == put_leb128(canonical, value);
}

/* How many pages there may be: counted frame by frame, so that one list can be allocated. */
static uint32_t count_frames(mc_reader reader)
{
    uint32_t count = 0;
    while (mc_reader_be32(&reader) != 0) {
        mc_reader_skip(&reader, 2);
        uint32_t size = mc_reader_be32(&reader);
        mc_reader_skip(&reader, size);
        count += reader.failed ? 0 : 1;
    }
    return count;
}

/* Frames and index side by side, up to the six zeros and the final 0. */
static mc_status get_pages(mc_reader *frames, mc_reader *index, mc_arena *arena, mc_ltx *out,
                           mc_error *error)
{
    mc_ltx_page *page = mc_arena_calloc(arena, count_frames(*frames), sizeof *page);
    if (page == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "ltx: no memory for the list of pages");
    }
    out->page = page;
    uint32_t previous = 0;
    for (;;) {
        uint64_t offset = frames->offset;
        uint32_t number = mc_reader_be32(frames);
        if (frames->failed) {
            return malformed(error, "no-end", offset, "six zero bytes behind the last frame");
        }
        if (number == 0) {
            break;
        }
        mc_status status =
            check_page_number(number, previous, out->commit_pages, offset, MC_MALFORMED, error);
        if (status != MC_OK) {
            return status;
        }
        page[out->page_count].number = number;
        status = get_frame(frames, out->page_size, arena, &page[out->page_count], error);
        if (status != MC_OK) {
            return status;
        }
        uint64_t entry = index->offset;
        if (!index_says(index, number) || !index_says(index, offset) ||
            !index_says(index, frames->offset - offset)) {
            return malformed(error, "index-mismatch", entry, "an index entry that fits its frame");
        }
        out->page_count++;
        previous = number;
    }
    if (mc_reader_be16(frames) != 0 || frames->failed || mc_reader_left(frames) != 0) {
        return malformed(error, "no-end", frames->offset, "six zero bytes, then the index");
    }
    uint64_t end = index->offset;
    if (!index_says(index, 0) || mc_reader_left(index) != 0) {
        return malformed(error, "index-end", end, "the index to end with one 0");
    }
    return MC_OK;
}

mc_status mc_ltx_decode(mc_bytes bytes, mc_arena *arena, mc_ltx *out, mc_error *error)
{
    *out = (mc_ltx){0};
    mc_reader reader = mc_reader_init(bytes.data, bytes.size);
    mc_status status = get_header(&reader, out, error);
    if (status != MC_OK) {
        return status;
    }
    if (mc_reader_left(&reader) < END_BYTES + FOOTER_BYTES) {
        return malformed(error, "too-small", bytes.size, "frames, an index and a footer");
    }
    uint64_t index_end = bytes.size - FOOTER_BYTES;
    uint64_t index_size = mc_bytes_get_be64(bytes.data + index_end);
    if (!all_zero(bytes.data + index_end + 8, FOOTER_BYTES - 8)) {
        return malformed(error, "trailer", index_end + 8, "16 zero bytes");
    }
    if (index_size > index_end - HEADER_BYTES - END_BYTES) {
        return malformed(error, "index-size", index_end, "an index that lies behind the frames");
    }
    /* Each half ends where the other begins, so neither can read into the other. The index keeps
     * offsets from the file's start by being read from there. */
    uint64_t index_start = index_end - index_size;
    mc_reader frames = mc_reader_init(bytes.data, index_start);
    mc_reader index = mc_reader_init(bytes.data, index_end);
    mc_reader_seek(&frames, HEADER_BYTES);
    mc_reader_seek(&index, index_start);
    status = get_pages(&frames, &index, arena, out, error);
    if (status != MC_OK) {
        *out = (mc_ltx){0};
    }
    return status;
}
