/* Reading a write-ahead log.
 *
 * Frames are taken in file order for as long as each carries the header's salts, a page number and
 * the right checksum. The checksum runs on from the header over every frame before, so nothing
 * behind the first frame that fails can be valid, whatever it holds, and frames left from an
 * earlier round of the same file fail by their salts. What counts ends with the last valid frame
 * that commits.
 *
 * The checksum is where exploration spends its time. Its recurrence is serial, two additions deep
 * for each eight bytes, so what the loop can do is not to be slower than that: it loads eight bytes
 * at once, and has the byte order decided outside of the loop. */
#include "core/wal.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "core/bytes.h"

enum { CHECKSUMMED_HEADER_BYTES = 24, CHECKSUMMED_FRAME_BYTES = 8 };

/* The loop for one byte order, which is constant where this is inlined. */
static inline void fold(bool big_endian, const uint8_t *data, size_t size, uint32_t checksum[2])
{
    uint32_t s0 = checksum[0];
    uint32_t s1 = checksum[1];
    for (const uint8_t *end = data + size; data != end; data += 8) {
        uint32_t x0 = big_endian ? mc_bytes_get_be32(data) : mc_bytes_get_le32(data);
        uint32_t x1 = big_endian ? mc_bytes_get_be32(data + 4) : mc_bytes_get_le32(data + 4);
        s0 = (s0 + x0) + s1;
        s1 = (s1 + x1) + s0;
    }
    checksum[0] = s0;
    checksum[1] = s1;
}

void mc_wal_checksum(bool big_endian, const uint8_t *data, size_t size, uint32_t checksum[2])
{
    assert(size % 8 == 0);
    if (big_endian) {
        fold(true, data, size, checksum);
    } else {
        fold(false, data, size, checksum);
    }
}

static const char *header_problem(const mc_file *file, mc_wal *wal, uint32_t *version)
{
    if (!file->exists) {
        return "absent";
    }
    if (file->size <= MC_WAL_HEADER_BYTES) {
        return "short";
    }
    mc_reader reader = mc_reader_init(file->data, file->size);
    uint32_t magic = mc_reader_be32(&reader);
    *version = mc_reader_be32(&reader);
    uint32_t page_size = mc_reader_be32(&reader);
    mc_reader_skip(&reader, 4); /* checkpoint sequence: only a writer needs it */
    wal->salt[0] = mc_reader_be32(&reader);
    wal->salt[1] = mc_reader_be32(&reader);
    uint32_t expected[2];
    expected[0] = mc_reader_be32(&reader);
    expected[1] = mc_reader_be32(&reader);
    assert(!reader.failed && reader.offset == MC_WAL_HEADER_BYTES);
    if ((magic & ~1u) != MC_WAL_MAGIC) {
        return "bad-magic";
    }
    if (page_size < MC_PAGE_SIZE_MIN || page_size > MC_PAGE_SIZE_MAX ||
        (page_size & (page_size - 1)) != 0) {
        return "bad-page-size";
    }
    wal->page_size = page_size;
    wal->big_endian = (magic & 1u) != 0;
    mc_wal_checksum(wal->big_endian, file->data, CHECKSUMMED_HEADER_BYTES, wal->checksum);
    if (memcmp(wal->checksum, expected, sizeof expected) != 0) {
        return "bad-header-checksum";
    }
    return NULL;
}

mc_status mc_wal_open(const mc_file *file, mc_wal *wal, const char **why, mc_error *error)
{
    *wal = (mc_wal){0};
    uint32_t version = 0;
    const char *problem = header_problem(file, wal, &version);
    if (why != NULL) {
        *why = problem;
    }
    if (problem != NULL) {
        return MC_OK;
    }
    if (version != MC_WAL_VERSION) {
        return mc_fail(error, MC_REFUSED, "wal-version",
                       "wal: offset 4: expected version %d, found %" PRIu32, MC_WAL_VERSION,
                       version);
    }
    wal->usable = true;
    return MC_OK;
}

static uint64_t frame_bytes(const mc_wal *wal)
{
    return (uint64_t)MC_WAL_FRAME_HEADER_BYTES + wal->page_size;
}

uint64_t mc_wal_frame_offset(const mc_wal *wal, uint32_t frame)
{
    assert(frame >= 1);
    return MC_WAL_HEADER_BYTES + (frame - 1) * frame_bytes(wal) + MC_WAL_FRAME_HEADER_BYTES;
}

uint32_t mc_wal_frame_page(const mc_wal *wal, const mc_file *file, uint32_t frame)
{
    assert(frame <= wal->valid_frames);
    uint64_t at = mc_wal_frame_offset(wal, frame) - MC_WAL_FRAME_HEADER_BYTES;
    assert(at + MC_WAL_FRAME_HEADER_BYTES <= file->size);
    return mc_bytes_get_be32(file->data + at);
}

/* True, with the running checksum moved on, when the whole frame at `frame` is the next valid one
 * (wal.c walDecodeFrame). */
static bool take_frame(mc_wal *wal, const uint8_t *frame)
{
    if (mc_bytes_get_be32(frame + 8) != wal->salt[0] ||
        mc_bytes_get_be32(frame + 12) != wal->salt[1] || mc_bytes_get_be32(frame) == 0) {
        return false;
    }
    uint32_t checksum[2] = {wal->checksum[0], wal->checksum[1]};
    mc_wal_checksum(wal->big_endian, frame, CHECKSUMMED_FRAME_BYTES, checksum);
    mc_wal_checksum(wal->big_endian, frame + MC_WAL_FRAME_HEADER_BYTES, wal->page_size, checksum);
    if (mc_bytes_get_be32(frame + 16) != checksum[0] ||
        mc_bytes_get_be32(frame + 20) != checksum[1]) {
        return false;
    }
    memcpy(wal->checksum, checksum, sizeof checksum);
    return true;
}

void mc_wal_advance(mc_wal *wal, const mc_file *file)
{
    if (!wal->usable || file->size < MC_WAL_HEADER_BYTES) {
        return;
    }
    uint64_t frames = (file->size - MC_WAL_HEADER_BYTES) / frame_bytes(wal);
    while (wal->valid_frames < frames && wal->valid_frames < UINT32_MAX) {
        uint64_t at = mc_wal_frame_offset(wal, wal->valid_frames + 1) - MC_WAL_FRAME_HEADER_BYTES;
        const uint8_t *frame = file->data + at;
        if (!take_frame(wal, frame)) {
            return;
        }
        wal->valid_frames++;
        uint32_t database_pages = mc_bytes_get_be32(frame + 4);
        if (database_pages != 0) {
            wal->commit_frames = wal->valid_frames;
            wal->database_pages = database_pages;
        }
    }
}
