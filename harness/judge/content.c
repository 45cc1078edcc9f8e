#include "harness/judge/content.h"

#include "core/pages.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "content: out of memory");
}

static uint32_t find_class(const mc_content *content, mc_hash128 dump)
{
    for (uint32_t i = 0; i < content->class_count; i++) {
        if (mc_hash128_equal(content->class_dump[i], dump)) {
            return i;
        }
    }
    return MC_NO_CLASS;
}

static mc_status classify(mc_content *content, uint32_t k, mc_error *error)
{
    const mc_history *history = content->history;
    mc_image images[MC_DATABASES_MAX];
    mc_arena_reset(&content->scratch);
    for (uint32_t d = 0; d < history->database_count; d++) {
        mc_status status = mc_history_image(history, k, d, &content->scratch, &images[d], error);
        if (status != MC_OK) {
            return status;
        }
    }
    mc_hash128 dump;
    mc_status status =
        mc_inspect_dump(content->inspector, images, history->database_count, &dump, error);
    if (status != MC_OK) {
        return status;
    }
    uint32_t class = find_class(content, dump);
    if (class == MC_NO_CLASS) {
        class = content->class_count++;
        content->class_dump[class] = dump;
    }
    content->classes[k] = class;
    if (history->snapshot[k].empty) {
        content->empty_class = class;
    }
    return MC_OK;
}

mc_status mc_content_open(mc_content *content, const mc_history *history, mc_error *error)
{
    memset(content, 0, sizeof *content);
    content->history = history;
    content->empty_class = MC_NO_CLASS;
    content->scratch.limit_bytes = SIZE_MAX / 2;
    content->inspector = mc_inspector_open();
    content->classes = calloc(history->snapshot_count, sizeof *content->classes);
    content->class_dump = calloc(history->snapshot_count, sizeof *content->class_dump);
    if (content->inspector == NULL || content->classes == NULL || content->class_dump == NULL) {
        mc_content_close(content);
        return no_memory(error);
    }
    for (uint32_t k = 0; k < history->snapshot_count; k++) {
        mc_status status = classify(content, k, error);
        if (status != MC_OK) {
            mc_content_close(content);
            return status;
        }
    }
    return MC_OK;
}

void mc_content_close(mc_content *content)
{
    mc_inspector_close(content->inspector);
    free(content->classes);
    free(content->class_dump);
    free(content->seen);
    mc_idmap_free(&content->map);
    mc_idmap_free(&content->inspected);
    mc_arena_free(&content->scratch);
    memset(content, 0, sizeof *content);
}

static mc_hash128 in_domain(const mc_content *content, mc_hash128 id)
{
    return (mc_hash128){id.low ^ content->domain * UINT64_C(0x9e3779b97f4a7c15), id.high};
}

static mc_seen_image *remember(mc_content *content, mc_hash128 id)
{
    if (content->seen_count == content->seen_capacity) {
        uint32_t capacity = content->seen_capacity < 64 ? 64 : content->seen_capacity * 2;
        mc_seen_image *seen = realloc(content->seen, capacity * sizeof *seen);
        if (seen == NULL) {
            return NULL;
        }
        content->seen = seen;
        content->seen_capacity = capacity;
    }
    if (!mc_idmap_put(&content->map, in_domain(content, id), content->seen_count)) {
        return NULL;
    }
    mc_seen_image *seen = &content->seen[content->seen_count++];
    memset(seen, 0, sizeof *seen);
    seen->outcome.image = id;
    return seen;
}

uint32_t mc_content_first_wrong(const mc_oracle *oracle, uint32_t view, uint32_t *database,
                                uint32_t *page)
{
    const mc_history *history = oracle->history;
    const mc_view *v = &oracle->view[view];
    bool next = oracle->acked + 1 < history->snapshot_count && v->mismatch[1] < v->mismatch[0];
    uint32_t snapshot = oracle->acked + (next ? 1 : 0);
    *database = 0;
    *page = 0;
    for (uint32_t d = 0; d < history->database_count; d++) {
        const uint64_t *expected = oracle->expected[next ? 1 : 0][d];
        for (uint32_t p = 1; p <= history->snapshot[snapshot].page_count[d]; p++) {
            if (expected[p - 1] != MC_ANY && expected[p - 1] != v->hash[d][p - 1]) {
                *database = d;
                *page = p;
                return snapshot;
            }
        }
    }
    return snapshot;
}

mc_status mc_content_role(mc_content *content, uint32_t snapshot, uint32_t database, uint32_t page,
                          char *out, size_t size, mc_error *error)
{
    if (page == 0) {
        (void)snprintf(out, size, "page count");
        return MC_OK;
    }
    mc_arena_reset(&content->scratch);
    mc_image image;
    mc_status status =
        mc_history_image(content->history, snapshot, database, &content->scratch, &image, error);
    if (status != MC_OK) {
        return status;
    }
    mc_page_info *info = mc_arena_calloc(&content->scratch, image.page_count, sizeof *info);
    if (info == NULL) {
        return no_memory(error);
    }
    status = mc_pages_walk(&image, &content->scratch, info, error);
    if (status == MC_OK) {
        (void)snprintf(out, size, "%s", mc_page_role_name((mc_page_role)info[page - 1].role));
    }
    return status;
}

/* What the detectors say depends on the image alone. */
static mc_status inspect(mc_content *content, mc_images_fn make, void *context, mc_seen_image *seen,
                         mc_error *error)
{
    mc_image images[MC_DATABASES_MAX] = {{0}};
    uint32_t index;
    if (mc_idmap_get(&content->inspected, seen->outcome.image, &index)) {
        seen->inspection = content->seen[index].inspection;
        return MC_OK;
    }
    mc_arena_reset(&content->scratch);
    mc_status status = make(context, &content->scratch, images, error);
    if (status == MC_OK) {
        status = mc_inspect(content->inspector, images, content->history->database_count,
                            &seen->inspection, error);
    }
    index = (uint32_t)(seen - content->seen);
    if (status == MC_OK && !mc_idmap_put(&content->inspected, seen->outcome.image, index)) {
        status = no_memory(error);
    }
    return status;
}

/* An image that no snapshot's pages match: SQLite has the word. */
static mc_status ask_sqlite(mc_content *content, const mc_oracle *oracle, uint32_t view,
                            mc_images_fn make, void *context, mc_seen_image *seen, mc_error *error)
{
    mc_status status = inspect(content, make, context, seen, error);
    if (status != MC_OK) {
        return status;
    }
    /* Not the page count: a file may rightly be longer than its header says. */
    uint32_t damage = MC_NOTICED_HEADER | MC_NOTICED_QUICK_CHECK | MC_NOTICED_INTEGRITY_CHECK |
                      MC_NOTICED_UNREADABLE;
    uint32_t class = MC_NO_CLASS;
    if (seen->inspection.dumped && (seen->inspection.noticed & damage) == 0) {
        class = find_class(content, seen->inspection.dump);
    }
    seen->outcome.kind = class == MC_NO_CLASS ? MC_OUTCOME_OTHER : MC_OUTCOME_SNAPSHOT;
    seen->outcome.content_class = class;
    seen->outcome.noticed = seen->inspection.noticed;
    uint32_t snapshot = mc_content_first_wrong(oracle, view, &seen->database, &seen->page);
    return mc_content_role(content, snapshot, seen->database, seen->page, seen->role,
                           sizeof seen->role, error);
}

/* An image's name with the fields of page 1 that its pages' hashes leave out. */
static mc_status exact_id(mc_content *content, mc_images_fn make, mc_head_fn head, void *context,
                          mc_hash128 *id, mc_error *error)
{
    mc_image images[MC_DATABASES_MAX] = {{0}};
    uint32_t count = content->history->database_count;
    if (head == NULL) {
        mc_arena_reset(&content->scratch);
        mc_status status = make(context, &content->scratch, images, error);
        if (status != MC_OK) {
            return status;
        }
    }
    for (uint32_t d = 0; d < count; d++) {
        const uint8_t *page1 = head != NULL               ? head(context, d)
                               : images[d].page_count > 0 ? images[d].page[0]
                                                          : NULL;
        id->low = (id->low ^ (page1 != NULL ? mc_page1_masked_hash(page1) : 1)) *
                  UINT64_C(0xff51afd7ed558ccd);
    }
    return MC_OK;
}

mc_status mc_content_of_view(mc_content *content, const mc_oracle *oracle, uint32_t view,
                             mc_images_fn images, mc_head_fn head, void *context, mc_outcome *out,
                             mc_error *error)
{
    mc_hash128 id = mc_oracle_image_id(oracle, view);
    uint32_t index;
    if (!mc_idmap_get(&content->map, in_domain(content, id), &index)) {
        mc_seen_image *pages = remember(content, id);
        if (pages == NULL) {
            return no_memory(error);
        }
        uint32_t snapshot = mc_oracle_match(oracle, view);
        bool known = snapshot != MC_NO_SNAPSHOT;
        pages->outcome.kind = known ? MC_OUTCOME_SNAPSHOT : MC_OUTCOME_OTHER;
        pages->outcome.content_class = known ? content->classes[snapshot] : MC_NO_CLASS;
        index = content->seen_count - 1;
    }
    *out = content->seen[index].outcome;
    if (out->kind == MC_OUTCOME_SNAPSHOT) {
        return MC_OK;
    }
    mc_status status = exact_id(content, images, head, context, &id, error);
    if (status != MC_OK) {
        return status;
    }
    if (!mc_idmap_get(&content->map, in_domain(content, id), &index)) {
        mc_seen_image *seen = remember(content, id);
        if (seen == NULL) {
            return no_memory(error);
        }
        index = content->seen_count - 1;
        status = ask_sqlite(content, oracle, view, images, context, seen, error);
    }
    *out = content->seen[index].outcome;
    return status;
}

const mc_seen_image *mc_content_seen(const mc_content *content, mc_hash128 image)
{
    uint32_t index;
    return mc_idmap_get(&content->map, in_domain(content, image), &index) ? &content->seen[index]
                                                                          : NULL;
}
