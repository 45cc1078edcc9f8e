/* witness.c: reading a database through the connection that just committed to it.
 *
 * sqlite3_serialize reads every page through the pager of the live connection, from its cache, the
 * WAL or the file, as any query would; it shares nothing with core/. Two traps: it asks the b-tree
 * for its page size before it has read page 1, and on a database of no pages it commits an empty
 * transaction, which would create the file it was to look at. So the number of pages is asked for
 * first. */
#include "crashsim/witness.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/pages.h"

static mc_status pragma_number(sqlite3 *db, const char *schema, const char *pragma,
                               sqlite3_int64 *out, mc_error *error)
{
    sqlite3_stmt *stmt = NULL;
    char *sql = sqlite3_mprintf("PRAGMA \"%w\".%s", schema, pragma);
    int rc = sql == NULL ? SQLITE_NOMEM : sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    sqlite3_free(sql);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
        *out = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    }
    (void)sqlite3_finalize(stmt);
    if (rc != SQLITE_ROW) {
        return mc_fail(error, MC_IO, "witness-failed", "witness: %s of %s: %s", pragma, schema,
                       sqlite3_errmsg(db));
    }
    return MC_OK;
}

typedef struct undefined_pages {
    uint64_t *hash;
    uint32_t page_count;
} undefined_pages;

static void forget_page(void *context, uint32_t page_number)
{
    const undefined_pages *pages = context;
    assert(page_number >= 1 && page_number <= pages->page_count);
    pages->hash[page_number - 1] = 0;
}

bool mc_witness_of_image(const mc_image *image, mc_arena *arena, mc_witness *out)
{
    uint64_t *hash = mc_arena_calloc(arena, image->page_count, sizeof *hash);
    if (hash == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < image->page_count; i++) {
        hash[i] = mc_page_hash(i + 1, image->page[i], image->page_size);
    }
    if (image->page_count > 0) {
        uint32_t lock_byte_page = mc_lock_byte_page(image->page_size);
        if (lock_byte_page <= image->page_count) {
            hash[lock_byte_page - 1] = 0;
        }
        undefined_pages undefined = {.hash = hash, .page_count = image->page_count};
        mc_pages_freelist_leaves(image, forget_page, &undefined);
    }
    *out = (mc_witness){
        .page_size = image->page_size, .page_count = image->page_count, .page_hash = hash};
    return true;
}

static mc_status hash_pages(const uint8_t *bytes, mc_arena *arena, mc_witness *out, mc_error *error)
{
    const uint8_t **page = calloc(out->page_count, sizeof *page);
    for (uint32_t i = 0; page != NULL && i < out->page_count; i++) {
        page[i] = bytes + (size_t)i * out->page_size;
    }
    mc_image image = {.page_size = out->page_size, .page_count = out->page_count, .page = page};
    bool ok = page != NULL && mc_witness_of_image(&image, arena, out);
    free(page);
    return ok ? MC_OK
              : mc_fail(error, MC_NO_MEMORY, "no-memory", "witness: no memory for %u pages",
                        image.page_count);
}

mc_status mc_witness_read(sqlite3 *db, const char *schema, uint64_t limit_bytes, mc_arena *arena,
                          mc_witness *out, mc_error *error)
{
    assert(sqlite3_get_autocommit(db));
    sqlite3_int64 page_count = 0;
    sqlite3_int64 page_size = 0;
    mc_status status = pragma_number(db, schema, "page_count", &page_count, error);
    bool small = (uint64_t)page_count <= limit_bytes / MC_PAGE_SIZE_MAX; /* whatever its pages */
    if (status == MC_OK && !small) {
        status = pragma_number(db, schema, "page_size", &page_size, error);
    }
    if (status != MC_OK) {
        return status;
    }
    *out = (mc_witness){.page_count = (uint32_t)page_count};
    if (page_count == 0) {
        return MC_OK;
    }
    if (!small && (uint64_t)page_count * (uint64_t)page_size > limit_bytes) {
        *out = (mc_witness){.page_size = (uint32_t)page_size, .page_count = MC_WITNESS_NONE};
        return MC_OK;
    }
    sqlite3_int64 size = 0;
    uint8_t *bytes = sqlite3_serialize(db, schema, &size, 0);
    page_size = small ? size / page_count : page_size;
    out->page_size = (uint32_t)page_size;
    if (bytes == NULL || size != page_count * page_size) {
        sqlite3_free(bytes);
        return mc_fail(error, MC_IO, "witness-failed", "witness: cannot serialize %s: %s", schema,
                       sqlite3_errmsg(db));
    }
    status = hash_pages(bytes, arena, out, error);
    sqlite3_free(bytes);
    return status;
}

bool mc_witness_equal(const mc_witness *a, const mc_witness *b)
{
    if (a->page_count == MC_WITNESS_NONE || a->page_count != b->page_count) {
        return false;
    }
    return a->page_count == 0 ||
           (a->page_size == b->page_size &&
            memcmp(a->page_hash, b->page_hash, a->page_count * sizeof *a->page_hash) == 0);
}
