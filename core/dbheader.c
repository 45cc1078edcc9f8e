#include "core/dbheader.h"

#include <assert.h>
#include <string.h>

#include "core/bytes.h"
#include "core/image.h"

enum {
    TABLE_INTERIOR = 5,
    TABLE_LEAF = 13,
    PAGE_HEADER_BYTES = 8, /* of a leaf, as btreeInt.h MX_CELL counts it */
    CELL_BYTES_MIN = 6     /* two for its pointer, four for the smallest cell */
};

const uint8_t mc_dbheader_magic[MC_DBHEADER_MAGIC_BYTES] = "SQLite format 3";

uint32_t mc_dbheader_page_size(const uint8_t header[MC_DBHEADER_BYTES])
{
    /* SQLite reads the pair so that 1 becomes 65536 and every odd value fails (btree.c lockBtree).
     */
    uint32_t size = ((uint32_t)header[16] << 8) | ((uint32_t)header[17] << 16);
    bool is_power_of_two = (size & (size - 1)) == 0;
    bool in_range = size >= MC_PAGE_SIZE_MIN && size <= MC_PAGE_SIZE_MAX;
    return is_power_of_two && in_range ? size : 0;
}

uint32_t mc_dbheader_assumed_page_size(const uint8_t *main, uint64_t main_size)
{
    uint8_t header[MC_DBHEADER_BYTES] = {0};
    if (main_size > 0) {
        memcpy(header, main, main_size < sizeof header ? (size_t)main_size : sizeof header);
    }
    uint32_t page_size = mc_dbheader_page_size(header);
    return page_size != 0 ? page_size : MC_DBHEADER_PAGE_SIZE_DEFAULT;
}

void mc_dbheader_parse(const uint8_t header[MC_DBHEADER_BYTES], mc_dbheader *out)
{
    *out = (mc_dbheader){
        .page_size = mc_dbheader_page_size(header),
        .write_version = header[18],
        .read_version = header[19],
        .reserved_bytes = header[20],
        .fractions = {header[21], header[22], header[23]},
        .change_counter = mc_bytes_get_be32(header + 24),
        .page_count = mc_bytes_get_be32(header + 28),
        .freelist_trunk = mc_bytes_get_be32(header + 32),
        .freelist_count = mc_bytes_get_be32(header + 36),
        .schema_cookie = mc_bytes_get_be32(header + 40),
        .schema_format = mc_bytes_get_be32(header + 44),
        .text_encoding = mc_bytes_get_be32(header + 56),
        .user_version = mc_bytes_get_be32(header + 60),
        .version_valid_for = mc_bytes_get_be32(header + 92),
    };
    out->page_count_valid = out->page_count != 0 && out->change_counter == out->version_valid_for;
}

mc_status mc_dbheader_check(const uint8_t header[MC_DBHEADER_BYTES], const char *where,
                            mc_dbheader *out, mc_error *error)
{
    mc_dbheader_parse(header, out);
    if (memcmp(header, mc_dbheader_magic, sizeof mc_dbheader_magic) != 0) {
        return mc_fail(
            error, MC_REFUSED, "bad-magic",
            "%s: offset 0: expected \"SQLite format 3\", found bytes %02x %02x %02x %02x", where,
            header[0], header[1], header[2], header[3]);
    }
    if (out->read_version > 2) {
        return mc_fail(error, MC_REFUSED, "read-version",
                       "%s: offset 19: expected a read version of at most 2, found %u", where,
                       out->read_version);
    }
    if (out->fractions[0] != 64 || out->fractions[1] != 32 || out->fractions[2] != 32) {
        return mc_fail(error, MC_REFUSED, "payload-fractions",
                       "%s: offset 21: expected payload fractions 64 32 32, found %u %u %u", where,
                       out->fractions[0], out->fractions[1], out->fractions[2]);
    }
    if (out->page_size == 0) {
        return mc_fail(error, MC_REFUSED, "page-size",
                       "%s: offset 16: expected a page size (512 to 32768, or 1), found %u", where,
                       mc_bytes_get_be16(header + 16));
    }
    return MC_OK;
}

mc_status mc_dbheader_count(const mc_dbheader *header, const char *where, uint32_t file_pages,
                            uint32_t *page_count, mc_error *error)
{
    assert(header->page_size != 0);
    uint32_t count = header->page_count_valid ? header->page_count : file_pages;
    if (count > file_pages) {
        return mc_fail(error, MC_REFUSED, "page-count",
                       "%s: offset 28: expected at most %u pages, found a count of %u", where,
                       file_pages, count);
    }
    if (header->page_size - header->reserved_bytes < MC_DBHEADER_USABLE_SIZE_MIN) {
        return mc_fail(error, MC_REFUSED, "reserved-bytes",
                       "%s: offset 20: expected %u usable bytes in a page, found %u less %u", where,
                       (unsigned)MC_DBHEADER_USABLE_SIZE_MIN, header->page_size,
                       header->reserved_bytes);
    }
    *page_count = count;
    return MC_OK;
}

mc_status mc_dbheader_check_schema(const uint8_t *page1, uint32_t page_size, const char *where,
                                   mc_error *error)
{
    uint8_t format = page1[47];
    if (format > MC_DBHEADER_SCHEMA_FORMAT_MAX) {
        return mc_fail(error, MC_REFUSED, "schema-format",
                       "%s: offset 47: expected a schema format of at most 4, found %u", where,
                       format);
    }
    uint8_t type = page1[MC_DBHEADER_BYTES];
    if (type != TABLE_INTERIOR && type != TABLE_LEAF) {
        return mc_fail(error, MC_REFUSED, "schema-root",
                       "%s: offset 100: expected a table page (5 or 13), found type %u", where,
                       type);
    }
    uint32_t cells = mc_bytes_get_be16(page1 + MC_DBHEADER_BYTES + 3);
    uint32_t cells_max = (page_size - PAGE_HEADER_BYTES) / CELL_BYTES_MIN;
    if (cells > cells_max) {
        return mc_fail(error, MC_REFUSED, "schema-root",
                       "%s: offset 103: expected at most %u cells, found %u", where, cells_max,
                       cells);
    }
    return MC_OK;
}
