/* test_oracle.c: the oracle's counters say what a page-by-page comparison says. */
#include "harness/test/walk.h"

enum { DATABASES = 3, SNAPSHOTS = 12, PAGES = 14, VIEWS = 2, ROUNDS = 400, STEPS = 150 };

/* The plain truth: every page of every snapshot and of every view. 0 is "undefined" in a snapshot.
 */
typedef struct plain {
    uint32_t databases;
    uint32_t snapshots;
    uint32_t acked;
    uint32_t count[SNAPSHOTS][DATABASES];
    uint64_t hash[SNAPSHOTS][DATABASES][PAGES];
    uint32_t view_count[VIEWS][DATABASES];
    uint64_t view_hash[VIEWS][DATABASES][PAGES];
} plain;

static uint64_t seed;

static uint32_t draw(uint32_t below)
{
    return (uint32_t)(walk_random(&seed) % below);
}

/* Few different contents, so that pages and snapshots often return to what they were. */
static uint64_t draw_hash(void)
{
    return draw(6) == 0 ? MC_ANY : draw(3) + 1;
}

static void draw_snapshot(plain *p, uint32_t k)
{
    for (uint32_t d = 0; d < p->databases; d++) {
        p->count[k][d] = k == 0 || draw(3) == 0 ? draw(PAGES + 1) : p->count[k - 1][d];
        for (uint32_t i = 0; i < p->count[k][d]; i++) {
            bool keep = k > 0 && i < p->count[k - 1][d] && draw(3) > 0;
            p->hash[k][d][i] = keep ? p->hash[k - 1][d][i] : draw_hash();
        }
    }
    if (k > 1 && draw(4) == 0) { /* content that returns */
        uint32_t old = draw(k);
        memcpy(p->count[k], p->count[old], sizeof p->count[k]);
        memcpy(p->hash[k], p->hash[old], sizeof p->hash[k]);
    }
}

/* The history that history.c would have derived: base and differences, some of them void. */
static void make_history(const plain *p, mc_history *h)
{
    *h = (mc_history){
        .database_count = p->databases, .page_size = 512, .snapshot_count = p->snapshots};
    h->snapshot = calloc(p->snapshots, sizeof *h->snapshot);
    h->delta = calloc((size_t)SNAPSHOTS * DATABASES * PAGES, sizeof *h->delta);
    for (uint32_t k = 0; k < p->snapshots; k++) {
        mc_snapshot *snapshot = &h->snapshot[k];
        snapshot->first_delta = h->delta_count;
        for (uint32_t d = 0; d < p->databases; d++) {
            snapshot->page_count[d] = p->count[k][d];
            h->pages_max = p->count[k][d] > h->pages_max ? p->count[k][d] : h->pages_max;
            for (uint32_t i = 0; k > 0 && i < PAGES; i++) {
                uint64_t before = p->hash[k - 1][d][i];
                uint64_t after = p->hash[k][d][i];
                if (before != after || draw(8) == 0) {
                    h->delta[h->delta_count++] = (mc_delta){d, i + 1, before, after, NULL};
                }
            }
        }
        snapshot->delta_count = h->delta_count - snapshot->first_delta;
    }
    for (uint32_t d = 0; d < p->databases; d++) {
        h->base_hash[d] = malloc(sizeof p->hash[0][d]);
        memcpy(h->base_hash[d], p->hash[0][d], sizeof p->hash[0][d]);
    }
}

static void free_history(mc_history *h)
{
    for (uint32_t d = 0; d < DATABASES; d++) {
        free(h->base_hash[d]);
    }
    free(h->snapshot);
    free(h->delta);
}

static bool equals(const plain *p, uint32_t view, uint32_t k)
{
    for (uint32_t d = 0; d < p->databases; d++) {
        if (p->view_count[view][d] != p->count[k][d]) {
            return false;
        }
        for (uint32_t i = 0; i < p->count[k][d]; i++) {
            if (p->hash[k][d][i] != MC_ANY && p->hash[k][d][i] != p->view_hash[view][d][i]) {
                return false;
            }
        }
    }
    return true;
}

static uint32_t plain_match(const plain *p, uint32_t view)
{
    if (equals(p, view, p->acked)) {
        return p->acked;
    }
    if (p->acked + 1 < p->snapshots && equals(p, view, p->acked + 1)) {
        return p->acked + 1;
    }
    for (uint32_t k = p->acked; k > 0; k--) {
        if (equals(p, view, k - 1)) {
            return k - 1;
        }
    }
    return MC_NO_SNAPSHOT;
}

static void set_page(plain *p, mc_oracle *o, uint32_t v, uint32_t d, uint32_t i, uint64_t hash)
{
    p->view_hash[v][d][i] = hash;
    assert_true(mc_oracle_set_page(o, v, d, i + 1, hash));
}

static void set_count(plain *p, mc_oracle *o, uint32_t v, uint32_t d, uint32_t pages)
{
    p->view_count[v][d] = pages;
    assert_true(mc_oracle_set_count(o, v, d, pages));
}

/* One step of a random program; often a whole snapshot comes in sight, page by page. */
static void take_step(plain *p, mc_oracle *o)
{
    uint32_t v = draw(VIEWS);
    uint32_t d = draw(p->databases);
    uint32_t near = draw(p->snapshots);
    switch (draw(8)) {
    case 0:
        if (p->acked + 1 < p->snapshots) {
            p->acked++;
            mc_oracle_advance(o);
        }
        return;
    case 1:
        set_count(p, o, v, d, draw(PAGES + 1));
        return;
    case 2:
    case 3: /* become a snapshot, but for what is undefined in it */
        for (d = 0; d < p->databases; d++) {
            set_count(p, o, v, d, p->count[near][d]);
            for (uint32_t i = 0; i < PAGES; i++) {
                uint64_t hash = p->hash[near][d][i];
                set_page(p, o, v, d, i, hash != MC_ANY ? hash : draw(4));
            }
        }
        return;
    default:
        set_page(p, o, v, d, draw(PAGES), draw(4));
    }
}

/* Promise: after any sequence of changes, the snapshot that a view equals is the one that comparing
 * every page names: acked, acked + 1, else the newest older one, undefined pages left out. */
static void match_is_what_comparing_says(void **unused)
{
    (void)unused;
    uint64_t found = 0;
    uint64_t older = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        seed = round;
        plain p = {.databases = draw(DATABASES) + 1, .snapshots = draw(SNAPSHOTS) + 1};
        for (uint32_t k = 0; k < p.snapshots; k++) {
            draw_snapshot(&p, k);
        }
        mc_history history;
        make_history(&p, &history);
        mc_oracle oracle;
        assert_true(mc_oracle_init(&oracle, &history, VIEWS));
        for (uint32_t step = 0; step < STEPS; step++) {
            for (uint32_t v = 0; v < VIEWS; v++) {
                uint32_t expected = plain_match(&p, v);
                assert_int_equal(mc_oracle_match(&oracle, v), expected);
                found += expected != MC_NO_SNAPSHOT;
                older += expected != MC_NO_SNAPSHOT && expected < p.acked;
            }
            take_step(&p, &oracle);
        }
        mc_oracle_free(&oracle);
        free_history(&history);
    }
    assert_true(found > ROUNDS * 20); /* or nothing was tested */
    assert_true(older > ROUNDS * 3);
}

/* Promise: two views have one id exactly when page counts and the pages within them are equal. */
static void ids_are_equal_exactly_for_equal_images(void **unused)
{
    (void)unused;
    seed = 7;
    uint64_t equal = 0;
    uint64_t different = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        plain p = {.databases = draw(DATABASES) + 1, .snapshots = 4};
        for (uint32_t k = 0; k < p.snapshots; k++) {
            draw_snapshot(&p, k);
        }
        mc_history history;
        make_history(&p, &history);
        mc_oracle oracle;
        assert_true(mc_oracle_init(&oracle, &history, VIEWS));
        for (uint32_t step = 0; step < STEPS; step++) {
            take_step(&p, &oracle);
            bool same = true;
            for (uint32_t d = 0; d < p.databases; d++) {
                same = same && p.view_count[0][d] == p.view_count[1][d];
                for (uint32_t i = 0; same && i < p.view_count[0][d]; i++) {
                    same = p.view_hash[0][d][i] == p.view_hash[1][d][i];
                }
            }
            assert_int_equal(
                mc_hash128_equal(mc_oracle_image_id(&oracle, 0), mc_oracle_image_id(&oracle, 1)),
                same);
            equal += same;
            different += !same;
        }
        mc_oracle_free(&oracle);
        free_history(&history);
    }
    assert_true(equal > 200);
    assert_true(different > 200);
}

/* Promise: set_image makes the view that image, whatever it was, and forgets pages behind its end.
 */
static void an_image_replaces_the_view(void **unused)
{
    (void)unused;
    static uint8_t bytes[PAGES][512];
    const uint8_t *page[PAGES];
    for (uint32_t i = 0; i < PAGES; i++) {
        memset(bytes[i], (int)i + 1, sizeof bytes[i]);
        page[i] = bytes[i];
    }
    plain p = {.databases = 1, .snapshots = 2, .count = {{0}, {5}}};
    for (uint32_t i = 0; i < 5; i++) {
        p.hash[1][0][i] = mc_page_hash(i + 1, page[i], 512);
    }
    mc_history history;
    make_history(&p, &history);
    mc_oracle oracle;
    assert_true(mc_oracle_init(&oracle, &history, 1));
    assert_int_equal(mc_oracle_match(&oracle, 0), 0);
    assert_true(mc_oracle_set_image(&oracle, 0, 0, &(mc_image){512, PAGES, page}));
    assert_int_equal(mc_oracle_match(&oracle, 0), MC_NO_SNAPSHOT);
    mc_hash128 long_id = mc_oracle_image_id(&oracle, 0);
    assert_true(mc_oracle_set_image(&oracle, 0, 0, &(mc_image){512, 5, page}));
    assert_int_equal(mc_oracle_match(&oracle, 0), 1);
    assert_int_equal(mc_oracle_page(&oracle, 0, 0, 6), 0);
    assert_true(mc_oracle_set_image(&oracle, 0, 0, &(mc_image){512, PAGES, page}));
    assert_true(mc_hash128_equal(mc_oracle_image_id(&oracle, 0), long_id));
    assert_true(mc_oracle_set_image(&oracle, 0, 0, &(mc_image){0}));
    assert_int_equal(mc_oracle_match(&oracle, 0), 0);
    mc_oracle_free(&oracle);
    free_history(&history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(match_is_what_comparing_says),
        cmocka_unit_test(ids_are_equal_exactly_for_equal_images),
        cmocka_unit_test(an_image_replaces_the_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
