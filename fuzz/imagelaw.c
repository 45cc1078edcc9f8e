#include "fuzz/imagelaw.h"

#include <string.h>

enum { NAME_BYTES_MAX = 1024, BITS_TRIED = 16, NEIGHBOURS_MAX = 4096 };

static bool page_is_sound(const mc_image *image, const mc_page_info *info, uint32_t number,
                          mc_law *law)
{
    const mc_page_info *page = &info[number - 1];
    if (page->role >= MC_ROLES || page->parent > image->page_count || page->parent == number) {
        return mc_law_broken(law, "walk-range", "page %u: role %u, parent %u of %u pages", number,
                             page->role, page->parent, image->page_count);
    }
    if (page->owner != NULL &&
        strnlen(page->owner, NAME_BYTES_MAX * 4 + 1) > (size_t)NAME_BYTES_MAX * 4) {
        return mc_law_broken(law, "walk-name", "page %u: a name without an end", number);
    }
    bool wants = page->role == MC_ROLE_OVERFLOW || page->role == MC_ROLE_FREELIST_TRUNK ||
                 page->role == MC_ROLE_FREELIST_LEAF;
    bool forbids =
        number == 1 || page->role == MC_ROLE_POINTER_MAP || page->role == MC_ROLE_LOCK_BYTE;
    if ((wants && page->parent == 0) || (forbids && page->parent != 0) ||
        ((number == 1) && page->role != MC_ROLE_SCHEMA)) {
        return mc_law_broken(law, "walk-role", "page %u: role \"%s\" with parent %u", number,
                             mc_page_role_name((mc_page_role)page->role), page->parent);
    }
    return true;
}

/* Each step goes to a page whose parents are known to end, or marks one more page of this path. */
static bool parents_end(const mc_image *image, const mc_page_info *info, uint32_t *met, mc_law *law)
{
    for (uint32_t from = 1; from <= image->page_count; from++) {
        uint32_t at = from;
        while (at != 0 && met[at - 1] == 0) {
            met[at - 1] = from;
            at = info[at - 1].parent;
            if (at != 0 && met[at - 1] == from) {
                return mc_law_broken(law, "walk-cycle", "page %u is above itself", at);
            }
        }
    }
    return true;
}

static bool walk_with(const mc_image *image, const mc_page_info *info, uint32_t *met, mc_law *law)
{
    for (uint32_t number = 1; number <= image->page_count; number++) {
        if (!page_is_sound(image, info, number, law)) {
            return false;
        }
    }
    memset(met, 0, image->page_count * sizeof *met);
    return parents_end(image, info, met, law);
}

bool mc_imagelaw_walk(const mc_image *image, const mc_page_info *info, mc_law *law)
{
    mc_arena arena = {.limit_bytes = SIZE_MAX / 2};
    uint32_t *met = mc_arena_calloc(&arena, image->page_count, sizeof *met);
    bool holds = met == NULL || walk_with(image, info, met, law);
    mc_arena_free(&arena);
    return holds;
}

typedef struct leaves {
    const mc_image *image;
    mc_law *law;
    uint8_t *seen;
    uint64_t count;
} leaves;

static void visit_leaf(void *context, uint32_t number)
{
    leaves *l = context;
    l->count++;
    if (number < 2 || number > l->image->page_count ||
        number == mc_lock_byte_page(l->image->page_size)) {
        (void)mc_law_broken(l->law, "freelist-range", "leaf %u of %u pages", number,
                            l->image->page_count);
        return;
    }
    l->seen[number - 1] = 1;
}

static bool same_name(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool walks_agree(const mc_image *image, const mc_page_info *a, const mc_page_info *b,
                        const leaves *l, mc_law *law)
{
    for (uint32_t i = 0; i < image->page_count; i++) {
        if (a[i].role != b[i].role || a[i].parent != b[i].parent ||
            !same_name(a[i].owner, b[i].owner)) {
            return mc_law_broken(law, "walk-twice", "page %u: two walks differ", i + 1);
        }
        if (a[i].role == MC_ROLE_FREELIST_LEAF && !l->seen[i]) {
            return mc_law_broken(law, "freelist-leaf", "page %u: a leaf by the walk alone", i + 1);
        }
    }
    return true;
}

bool mc_imagelaw_pages(const mc_image *image, mc_arena *arena, mc_law *law)
{
    mc_error error = {0};
    size_t count = image->page_count;
    mc_page_info *info = mc_arena_calloc(arena, 2 * count, sizeof *info);
    leaves l = {.image = image, .law = law, .seen = mc_arena_calloc(arena, count, 1)};
    if (info == NULL || l.seen == NULL || mc_pages_walk(image, arena, info, &error) != MC_OK ||
        mc_pages_walk(image, arena, info + count, &error) != MC_OK) {
        return error.status == MC_OK || mc_law_error(law, MC_NO_MEMORY, &error);
    }
    mc_pages_freelist_leaves(image, visit_leaf, &l);
    if (l.count > count) {
        return mc_law_broken(law, "freelist-count", "%llu leaves of %zu pages",
                             (unsigned long long)l.count, count);
    }
    return law->broken == NULL && walks_agree(image, info, info + count, &l, law) &&
           mc_imagelaw_walk(image, info, law);
}

/* Is that byte of page 1 one of those that a recovery may rewrite? */
static bool is_masked(uint32_t at)
{
    return at == 18 || at == 19 || (at >= 24 && at < 28) || (at >= 92 && at < 100);
}

/* One bit of a page is changed: exactly the hash that covers it must change. */
static bool bit_counts(const mc_image *image, uint32_t number, uint32_t at, mc_law *law)
{
    uint8_t changed[MC_PAGE_SIZE_MAX];
    const uint8_t *page = image->page[number - 1];
    memcpy(changed, page, image->page_size);
    changed[at] ^= (uint8_t)(1u << (at & 7u));
    bool page_differs = mc_page_hash(number, page, image->page_size) !=
                        mc_page_hash(number, changed, image->page_size);
    bool masked = number == 1 && is_masked(at);
    bool mask_differs = number == 1 && mc_page1_masked_hash(page) != mc_page1_masked_hash(changed);
    if (page_differs == masked || mask_differs != masked) {
        return mc_law_broken(law, "hash-mask", "page %u: a change of byte %u counts wrongly",
                             number, at);
    }
    return true;
}

bool mc_imagelaw_hashes(const mc_image *image, uint64_t salt, mc_law *law)
{
    if (image->page_count == 0) {
        return true;
    }
    bool holds = true;
    for (uint32_t at = 0; at < 112 && holds; at++) {
        holds = bit_counts(image, 1, at, law);
    }
    for (uint32_t i = 0; i < BITS_TRIED && holds; i++) {
        salt = salt * 6364136223846793005u + 1442695040888963407u;
        uint32_t number = (uint32_t)(salt >> 33) % image->page_count + 1;
        holds = bit_counts(image, number, (uint32_t)(salt >> 20) % image->page_size, law);
    }
    for (uint32_t n = 2; n < image->page_count && n < NEIGHBOURS_MAX && holds; n++) {
        bool equal = memcmp(image->page[n - 1], image->page[n], image->page_size) == 0;
        bool hashes = mc_page_hash(n, image->page[n - 1], image->page_size) ==
                      mc_page_hash(n + 1, image->page[n], image->page_size);
        holds = equal == hashes ||
                mc_law_broken(law, "hash-equal", "pages %u and %u: equal %d, hashes equal %d", n,
                              n + 1, equal, hashes);
    }
    return holds;
}

bool mc_imagelaw_agree(const mc_image *abandon, const mc_image *recover, mc_law *law)
{
    uint32_t count =
        abandon->page_count < recover->page_count ? abandon->page_count : recover->page_count;
    if (recover->page_count > abandon->page_count ||
        (count > 0 && abandon->page_size != recover->page_size)) {
        return mc_law_broken(law, "importers-size", "abandon has %u pages of %u, recover %u of %u",
                             abandon->page_count, abandon->page_size, recover->page_count,
                             recover->page_size);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (memcmp(abandon->page[i], recover->page[i], abandon->page_size) != 0) {
            return mc_law_broken(law, "importers-content", "page %u differs", i + 1);
        }
    }
    return true;
}
