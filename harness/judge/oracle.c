#include "harness/judge/oracle.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product =
        (unsigned __int128)(a ^ UINT64_C(0x9e3779b97f4a7c15)) * (b ^ UINT64_C(0xbf58476d1ce4e5b9));
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* What one page contributes to an image's sum. Sums commute, so pages can come and go in any order.
 */
static mc_hash128 term(uint32_t database, uint32_t page, uint64_t hash)
{
    uint64_t place = ((uint64_t)database << 32 | page) * UINT64_C(0xd6e8feb86659fd93);
    return (mc_hash128){mix(place, hash), mix(hash, ~place)};
}

static void add_term(mc_view *view, uint32_t database, uint32_t page, uint64_t hash)
{
    mc_hash128 t = term(database, page, hash);
    view->sum.low += t.low;
    view->sum.high += t.high;
}

static void drop_term(mc_view *view, uint32_t database, uint32_t page, uint64_t hash)
{
    mc_hash128 t = term(database, page, hash);
    view->sum.low -= t.low;
    view->sum.high -= t.high;
}

static bool grow(uint64_t **array, uint32_t from, uint32_t to)
{
    uint64_t *more = realloc(*array, to * sizeof *more);
    if (more == NULL) {
        return false;
    }
    memset(more + from, 0, (to - from) * sizeof *more);
    *array = more;
    return true;
}

static bool reserve(mc_oracle *oracle, uint32_t database, uint32_t pages)
{
    uint32_t from = oracle->capacity[database];
    if (pages <= from) {
        return true;
    }
    uint32_t to = pages + pages / 4 + 64;
    bool ok = grow(&oracle->expected[0][database], from, to) &&
              grow(&oracle->expected[1][database], from, to);
    for (uint32_t v = 0; ok && v < oracle->view_count; v++) {
        ok = grow(&oracle->view[v].hash[database], from, to);
    }
    if (ok) {
        oracle->capacity[database] = to;
    }
    return ok;
}

static void expect_base(mc_oracle *oracle, uint32_t which)
{
    const mc_history *history = oracle->history;
    for (uint32_t d = 0; d < history->database_count; d++) {
        uint32_t pages = history->snapshot[0].page_count[d];
        if (pages > 0) {
            memcpy(oracle->expected[which][d], history->base_hash[d], pages * sizeof(uint64_t));
        }
    }
}

/* A page's expectation in snapshot acked + which changes: every view's counter follows. */
static void expect(mc_oracle *oracle, uint32_t which, const mc_delta *delta)
{
    uint64_t *slot = &oracle->expected[which][delta->database][delta->page - 1];
    for (uint32_t v = 0; v < oracle->view_count; v++) {
        mc_view *view = &oracle->view[v];
        uint64_t have = view->hash[delta->database][delta->page - 1];
        view->mismatch[which] -= *slot != MC_ANY && *slot != have;
        view->mismatch[which] += delta->after != MC_ANY && delta->after != have;
    }
    *slot = delta->after;
}

static void apply_commit(mc_oracle *oracle, uint32_t which, uint32_t k)
{
    const mc_snapshot *snapshot = &oracle->history->snapshot[k];
    for (uint32_t i = 0; i < snapshot->delta_count; i++) {
        expect(oracle, which, &oracle->history->delta[snapshot->first_delta + i]);
    }
}

bool mc_oracle_init(mc_oracle *oracle, const mc_history *history, uint32_t view_count)
{
    assert(view_count > 0 && view_count <= MC_VIEWS_MAX);
    memset(oracle, 0, sizeof *oracle);
    oracle->history = history;
    oracle->view_count = view_count;
    for (uint32_t d = 0; d < history->database_count; d++) {
        if (!reserve(oracle, d, history->pages_max + 1)) {
            mc_oracle_free(oracle);
            return false;
        }
    }
    expect_base(oracle, 0);
    expect_base(oracle, 1);
    for (uint32_t v = 0; v < view_count; v++) {
        for (uint32_t d = 0; d < history->database_count; d++) {
            for (uint32_t i = 0; i < history->snapshot[0].page_count[d]; i++) {
                bool defined = history->base_hash[d][i] != MC_ANY;
                oracle->view[v].mismatch[0] += defined;
                oracle->view[v].mismatch[1] += defined;
            }
        }
    }
    if (history->snapshot_count > 1) {
        apply_commit(oracle, 1, 1);
    }
    return true;
}

void mc_oracle_free(mc_oracle *oracle)
{
    for (uint32_t d = 0; d < MC_DATABASES_MAX; d++) {
        free(oracle->expected[0][d]);
        free(oracle->expected[1][d]);
        for (uint32_t v = 0; v < MC_VIEWS_MAX; v++) {
            free(oracle->view[v].hash[d]);
        }
    }
    memset(oracle, 0, sizeof *oracle);
}

void mc_oracle_advance(mc_oracle *oracle)
{
    assert(oracle->acked + 1 < oracle->history->snapshot_count);
    oracle->acked++;
    apply_commit(oracle, 0, oracle->acked);
    if (oracle->acked + 1 < oracle->history->snapshot_count) {
        apply_commit(oracle, 1, oracle->acked + 1);
    }
}

uint64_t mc_oracle_page(const mc_oracle *oracle, uint32_t view, uint32_t database, uint32_t page)
{
    assert(page > 0);
    return page <= oracle->capacity[database] ? oracle->view[view].hash[database][page - 1] : 0;
}

bool mc_oracle_set_page(mc_oracle *oracle, uint32_t view, uint32_t database, uint32_t page,
                        uint64_t hash)
{
    assert(page > 0);
    if (!reserve(oracle, database, page)) {
        return false;
    }
    mc_view *v = &oracle->view[view];
    uint64_t old = v->hash[database][page - 1];
    if (old == hash) {
        return true;
    }
    for (uint32_t which = 0; which < 2; which++) {
        uint64_t want = oracle->expected[which][database][page - 1];
        v->mismatch[which] -= want != MC_ANY && want != old;
        v->mismatch[which] += want != MC_ANY && want != hash;
    }
    v->hash[database][page - 1] = hash;
    if (page <= v->page_count[database]) {
        drop_term(v, database, page, old);
        add_term(v, database, page, hash);
    }
    return true;
}

bool mc_oracle_set_count(mc_oracle *oracle, uint32_t view, uint32_t database, uint32_t pages)
{
    if (!reserve(oracle, database, pages)) {
        return false;
    }
    mc_view *v = &oracle->view[view];
    for (uint32_t page = v->page_count[database] + 1; page <= pages; page++) {
        add_term(v, database, page, v->hash[database][page - 1]);
    }
    for (uint32_t page = pages + 1; page <= v->page_count[database]; page++) {
        drop_term(v, database, page, v->hash[database][page - 1]);
    }
    v->page_count[database] = pages;
    return true;
}

bool mc_oracle_set_image(mc_oracle *oracle, uint32_t view, uint32_t database, const mc_image *image)
{
    bool ok = true;
    for (uint32_t page = 1; ok && page <= image->page_count; page++) {
        uint64_t hash = mc_page_hash(page, image->page[page - 1], image->page_size);
        ok = mc_oracle_set_page(oracle, view, database, page, hash);
    }
    for (uint32_t page = image->page_count + 1; ok && page <= oracle->capacity[database]; page++) {
        ok = mc_oracle_set_page(oracle, view, database, page, 0);
    }
    return ok && mc_oracle_set_count(oracle, view, database, image->page_count);
}

static bool counts_equal(const mc_oracle *oracle, uint32_t view, uint32_t snapshot)
{
    for (uint32_t d = 0; d < oracle->history->database_count; d++) {
        if (oracle->view[view].page_count[d] != oracle->history->snapshot[snapshot].page_count[d]) {
            return false;
        }
    }
    return true;
}

uint32_t mc_oracle_match(const mc_oracle *oracle, uint32_t view)
{
    const mc_view *v = &oracle->view[view];
    const mc_history *history = oracle->history;
    uint32_t acked = oracle->acked;
    if (v->mismatch[0] == 0 && counts_equal(oracle, view, acked)) {
        return acked;
    }
    bool next = acked + 1 < history->snapshot_count;
    if (next && v->mismatch[1] == 0 && counts_equal(oracle, view, acked + 1)) {
        return acked + 1;
    }
    uint32_t mismatch = v->mismatch[0];
    for (uint32_t k = acked; k > 0; k--) {
        const mc_snapshot *snapshot = &history->snapshot[k];
        for (uint32_t i = 0; i < snapshot->delta_count; i++) {
            const mc_delta *delta = &history->delta[snapshot->first_delta + i];
            uint64_t have = v->hash[delta->database][delta->page - 1];
            mismatch -= delta->after != MC_ANY && delta->after != have;
            mismatch += delta->before != MC_ANY && delta->before != have;
        }
        if (mismatch == 0 && counts_equal(oracle, view, k - 1)) {
            return k - 1;
        }
    }
    return MC_NO_SNAPSHOT;
}

mc_hash128 mc_oracle_image_id(const mc_oracle *oracle, uint32_t view)
{
    mc_hash128 id = oracle->view[view].sum;
    for (uint32_t d = 0; d < oracle->history->database_count; d++) {
        mc_hash128 count = term(d, UINT32_MAX, oracle->view[view].page_count[d] + UINT64_C(1));
        id.low += count.low;
        id.high += count.high;
    }
    return id;
}
