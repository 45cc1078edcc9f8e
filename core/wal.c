/* Reading a write-ahead log.
 *
 * Frames are taken in file order for as long as each carries the header's salts, a page number and
 * the right checksum. The checksum runs on from the header over every frame before, so nothing
 * behind the first frame that fails can be valid, whatever it holds, and frames left from an
 * earlier round of the same file fail by their salts. What counts ends with the last valid frame
 * that commits.
 *
 * The checksum is where exploration spends its time. Its recurrence s0 += x + s1, s1 += y + s0 is
 * serial, but it is the Fibonacci recurrence with data added, so linear: 32 words later
 *
 *     s0' = F(31) s0 + F(32) s1 + sum of F(31 - j) x[j]
 *     s1' = F(32) s0 + F(33) s1 + sum of F(32 - j) x[j],    j = 0..31, modulo 2^32,
 *
 * and being linear it may run in eight lanes whose sums are added at the end. Where the processor
 * has AVX2 that is several times as fast as the plain loop (3 GB/s), which does the rest. */
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
        s0 += x0 + s1;
        s1 += x1 + s0;
    }
    checksum[0] = s0;
    checksum[1] = s1;
}

#if defined(__x86_64__) && defined(__GNUC__)

enum { LANES = 8, BLOCK_WORDS = 32, BLOCK_BYTES = BLOCK_WORDS * 4 };

typedef uint32_t lanes __attribute__((vector_size(LANES * sizeof(uint32_t))));

/* F(32) down to F(0). The weights of a block's words are the first 32 for s1, the last 32 for s0.
 */
static const uint32_t fibonacci[BLOCK_WORDS + 1] = {
    2178309, 1346269, 832040, 514229, 317811, 196418, 121393, 75025, 46368, 28657, 17711,
    10946,   6765,    4181,   2584,   1597,   987,    610,    377,   233,   144,   89,
    55,      34,      21,     13,     8,      5,      3,      2,     1,     1,     0};

/* Folds the whole blocks of `data` and returns how many bytes those are. */
__attribute__((target("avx2"))) static size_t fold_blocks(bool big_endian, const uint8_t *data,
                                                          size_t size, uint32_t checksum[2])
{
    const uint32_t f31 = fibonacci[1];
    const uint32_t f32 = fibonacci[0];
    const uint32_t f33 = f31 + f32;
    lanes s0 = {checksum[0]};
    lanes s1 = {checksum[1]};
    size_t done = 0;
    for (; size - done >= BLOCK_BYTES; done += BLOCK_BYTES) {
        lanes next0 = s0 * f31 + s1 * f32;
        lanes next1 = s0 * f32 + s1 * f33;
        for (size_t word = 0; word < BLOCK_WORDS; word += LANES) {
            lanes x;
            lanes weight0;
            lanes weight1;
            memcpy(&x, data + done + word * sizeof(uint32_t), sizeof x);
            memcpy(&weight0, fibonacci + word + 1, sizeof weight0);
            memcpy(&weight1, fibonacci + word, sizeof weight1);
            if (big_endian) {
                x = (x << 24) | ((x & 0xff00) << 8) | ((x >> 8) & 0xff00) | (x >> 24);
            }
            next0 += x * weight0;
            next1 += x * weight1;
        }
        s0 = next0;
        s1 = next1;
    }
    checksum[0] = 0;
    checksum[1] = 0;
    for (int i = 0; i < LANES; i++) {
        checksum[0] += s0[i];
        checksum[1] += s1[i];
    }
    return done;
}

static size_t fold_fast(bool big_endian, const uint8_t *data, size_t size, uint32_t checksum[2])
{
    if (size < BLOCK_BYTES || !__builtin_cpu_supports("avx2")) {
        return 0;
    }
    return fold_blocks(big_endian, data, size, checksum);
}

#else

static size_t fold_fast(bool big_endian, const uint8_t *data, size_t size, uint32_t checksum[2])
{
    (void)big_endian, (void)data, (void)size, (void)checksum;
    return 0;
}

#endif

void mc_wal_checksum(bool big_endian, const uint8_t *data, size_t size, uint32_t checksum[2])
{
    assert(size % 8 == 0);
    size_t done = fold_fast(big_endian, data, size, checksum);
    if (big_endian) {
        fold(true, data + done, size - done, checksum);
    } else {
        fold(false, data + done, size - done, checksum);
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
