#include "harness/case/pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
} buffer;

static la_ssize_t take_bytes(struct archive *archive, void *context, const void *data, size_t size)
{
    buffer *b = context;
    if (b->capacity - b->size < size) {
        size_t capacity = b->capacity * 2 + size;
        uint8_t *more = realloc(b->data, capacity);
        if (more == NULL) {
            archive_set_error(archive, ENOMEM, "out of memory");
            return -1;
        }
        b->data = more;
        b->capacity = capacity;
    }
    memcpy(b->data + b->size, data, size);
    b->size += size;
    return (la_ssize_t)size;
}

static bool put_entry(struct archive *archive, const mc_packed *packed)
{
    struct archive_entry *entry = archive_entry_new();
    if (entry == NULL) {
        return false;
    }
    archive_entry_set_pathname(entry, packed->name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, (la_int64_t)packed->file.size);
    archive_entry_set_mtime(entry, 0, 0);
    const mc_file *file = &packed->file;
    bool ok = archive_write_header(archive, entry) == ARCHIVE_OK &&
              (file->size == 0 || archive_write_data(archive, file->data, (size_t)file->size) ==
                                      (la_ssize_t)file->size);
    archive_entry_free(entry);
    return ok;
}

/* zstd at level 6: the highest, 19, makes cases an eighth smaller, and clears 80 MiB of tables for
 * each, which takes longer than all of a run that finds them. A fuzzer writes a case only to read
 * it again, and clearing the tables of level 6 is half of its time. */
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
#define ZSTD_OPTIONS "zstd:compression-level=1"
#else
#define ZSTD_OPTIONS "zstd:compression-level=6"
#endif

static bool open_archive(struct archive *archive, mc_pack_kind kind, buffer *b)
{
    bool zstd = kind == MC_PACK_ZSTD;
    return (zstd ? archive_write_add_filter_zstd(archive)
                 : archive_write_add_filter_gzip(archive)) == ARCHIVE_OK &&
           archive_write_set_format_ustar(archive) == ARCHIVE_OK &&
           archive_write_set_options(archive, zstd ? ZSTD_OPTIONS
                                                   : "gzip:compression-level=9,gzip:!timestamp") ==
               ARCHIVE_OK &&
           archive_write_set_bytes_per_block(archive, 0) == ARCHIVE_OK &&
           archive_write_open(archive, b, NULL, take_bytes, NULL) == ARCHIVE_OK;
}

mc_status mc_pack(const mc_packed *entry, uint32_t count, mc_pack_kind kind, uint8_t **out,
                  size_t *size, mc_error *error)
{
    buffer b = {0};
    struct archive *archive = archive_write_new();
    bool ok = archive != NULL && open_archive(archive, kind, &b);
    for (uint32_t i = 0; ok && i < count; i++) {
        ok = put_entry(archive, &entry[i]);
    }
    ok = ok && archive_write_close(archive) == ARCHIVE_OK;
    mc_status status = MC_OK;
    if (ok) {
        *out = b.data;
        *size = b.size;
    } else {
        const char *why = archive != NULL ? archive_error_string(archive) : NULL;
        status = mc_fail(error, MC_IO, "pack", "archive: %s", why != NULL ? why : "no memory");
        free(b.data);
    }
    (void)archive_write_free(archive);
    return status;
}
