/* test_follow.c: what is followed from state to state is what a fresh look at each state gives.
 *
 * Small traces are compared at every state; of large ones a seeded part is, and every state of them
 * is followed. */
#include "core/test/sanitized.h"
#include "harness/test/walk.h"

#include "harness/judge/control.h"
#include "harness/judge/judge.h"

/* About how many bytes of pages are hashed for one cell: beyond that its states are sampled. */
#define CELL_BYTES (SANITIZED ? UINT64_C(50000000) : UINT64_C(400000000))

typedef struct compared {
    mc_arena arena;
    uint64_t random;
    uint64_t one_in;
    uint64_t states;
    uint64_t refused;
    uint64_t imported;
    uint64_t different_views; /* states in which recovery changes something */
    mc_control *reused;
    mc_control *fresh;
} compared;

static const char *now; /* for messages: the cell */

static _Noreturn void differ(const char *importer, const mc_crash *crash, const char *what)
{
    print_error("%s: state %zu+%u: %s: %s\n", now, crash->point, crash->cut, importer, what);
    fail();
    abort();
}

/* The image of one database against one view of the oracle. */
static void compare_image(walk *w, uint32_t view, uint32_t d, const mc_image *image,
                          const char *importer, const mc_crash *crash)
{
    if (w->oracle.view[view].page_count[d] != image->page_count) {
        differ(importer, crash, "another page count");
    }
    for (uint32_t page = 1; page <= image->page_count; page++) {
        uint64_t hash = mc_page_hash(page, image->page[page - 1], image->page_size);
        if (mc_oracle_page(&w->oracle, view, d, page) != hash) {
            differ(importer, crash, "another page");
        }
    }
}

typedef mc_status follower(const mc_follow *follow, const char **reason);

/* Runs the one-shot importer on each database, in order, until one is refused. */
static void compare_importer(walk *w, compared *c, const char *name, follower *followed,
                             uint32_t view, const mc_crash *crash)
{
    const mc_importer *importer = mc_importer_find(name);
    const char *reason = NULL;
    mc_status expected = followed(w->follow, &reason);
    mc_status status = MC_OK;
    mc_error error = {0};
    mc_arena_reset(&c->arena);
    mc_import out[MC_DATABASES_MAX] = {{{0}, 0}};
    for (uint32_t d = 0; status == MC_OK && d < w->trace.database_count; d++) {
        mc_input input = {.kind = MC_INPUT_FILES};
        mc_disk_files(&w->trace.base, w->trace.database[d], &input.files);
        status = importer->import(&input, &c->arena, &out[d], &error);
    }
    if (status != expected) {
        differ(name, crash, status == MC_OK ? reason : error.reason);
    }
    if (status != MC_OK) {
        c->refused++;
        if (strcmp(reason, error.reason) != 0) {
            differ(name, crash, error.reason);
        }
        return;
    }
    c->imported++;
    for (uint32_t d = 0; d < w->trace.database_count; d++) {
        bool same_size = out[d].image.page_size == w->history.page_size;
        if (view == MC_VIEW_RECOVERED || same_size || out[d].image.page_count == 0) {
            compare_image(w, view, d, &out[d].image, name, crash);
        }
    }
}

static void compare_state(walk *w, const mc_crash *crash)
{
    compared *c = w->context;
    if (c->one_in == 0) {
        uint64_t cuts = w->history.page_size > 8192 ? w->history.page_size / 8192 : 1;
        uint64_t bytes = (uint64_t)w->history.pages_max * w->history.page_size * 2;
        c->one_in = 1 + w->trace.op_count * cuts * bytes / CELL_BYTES;
    }
    if (walk_random(&c->random) % c->one_in != 0) {
        return;
    }
    c->states++;
    compare_importer(w, c, "reject", mc_follow_reject, MC_VIEW_RAW, crash);
    compare_importer(w, c, "abandon", mc_follow_abandon, MC_VIEW_RAW, crash);
    compare_importer(w, c, "recover", mc_follow_recover, MC_VIEW_RECOVERED, crash);
    c->different_views += !mc_hash128_equal(mc_oracle_image_id(&w->oracle, MC_VIEW_RAW),
                                            mc_oracle_image_id(&w->oracle, MC_VIEW_RECOVERED));
}

static void compare_cell(const mc_record_options *options, compared *total)
{
    char name[80];
    (void)snprintf(name, sizeof name, "%s/%s/%s/%u", options->workload,
                   mc_mode_names[options->mode], mc_sync_names[options->sync], options->page_size);
    now = name;
    compared c = {.arena = {.limit_bytes = (size_t)1 << 30}, .random = options->seed};
    walk w = {.context = &c};
    walk_all(options, compare_state, &w);
    mc_arena_free(&c.arena);
    assert_true(c.states > (SANITIZED ? 0 : 10));
    total->states += c.states;
    total->refused += c.refused;
    total->imported += c.imported;
    total->different_views += c.different_views;
}

static void for_each_cell(uint32_t page_size, mc_sync sync, compared *total)
{
    for (const mc_workload *row = mc_workloads; row->name != NULL; row++) {
        mc_record_options options = walk_options(row->name, MC_MODE_DELETE);
        options.page_size = page_size;
        options.sync = sync;
        for (int mode = 0; mode < MC_MODES; mode++) {
            options.mode = (mc_mode)mode;
            if ((row->modes & 1u << mode) != 0) {
                compare_cell(&options, total);
            }
        }
    }
}

/* Promise: on the states of every workload in every journal mode the follower's answers, reasons,
 * page counts and pages are those of the importers run afresh. */
static void following_equals_importing(void **unused)
{
    (void)unused;
    compared total = {0};
    for_each_cell(4096, MC_SYNC_FULL, &total);
    assert_true(total.states > (SANITIZED ? 4000 : 10000));
    assert_true(total.refused > 1000);
    assert_true(total.imported > total.states);
    assert_true(total.different_views > 1000);
}

/* Promise: the same with journals that are hot from their first byte (synchronous=off). */
static void following_holds_without_syncs(void **unused)
{
    (void)unused;
    compared total = {0};
    static const char *const names[] = {"grow", "inplace", "vacuum", "freed", "attach", "modes"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        mc_record_options options = walk_options(names[i], MC_MODE_DELETE);
        options.sync = MC_SYNC_OFF;
        compare_cell(&options, &total);
        options.mode = MC_MODE_PERSIST;
        compare_cell(&options, &total);
    }
    assert_true(total.different_views > 100);
}

/* Promise: the same at other page sizes: several pages in one 4096-byte block, and one page cut in
 * sixteen places. */
static void following_holds_at_other_page_sizes(void **unused)
{
    (void)unused;
    compared total = {0};
    static const char *const names[] = {"grow",   "inplace", "overflow",
                                        "shrink", "attach",  "walreset"};
    static const uint32_t sizes[] = {512, 1024, 65536};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            mc_record_options options = walk_options(names[i], MC_MODE_PERSIST);
            options.page_size = sizes[k];
            options.txns = 2;
            uint32_t modes = mc_workload_find(names[i])->modes;
            if ((modes & 1u << MC_MODE_PERSIST) != 0) {
                compare_cell(&options, &total);
            }
            options.mode = MC_MODE_WAL;
            if ((modes & 1u << MC_MODE_WAL) != 0) {
                compare_cell(&options, &total);
            }
            options.mode = MC_MODE_OFF;
            if (sizes[k] > 4096 && (modes & 1u << MC_MODE_OFF) != 0) {
                compare_cell(&options, &total);
            }
        }
    }
    assert_true(total.different_views > 100);
}

/* Applies one operation and tells the follower, as a crash model does. */
static void disturb(walk *w, mc_op op, uint32_t to)
{
    mc_error error = {0};
    mc_disk *disk = &w->trace.base;
    uint64_t size = disk->file[op.file].size;
    if (!disk->file[op.file].exists && op.kind != MC_OP_CREATE && op.kind != MC_OP_DELETE) {
        disturb(w, (mc_op){.kind = MC_OP_CREATE, .file = op.file}, 0);
        size = 0;
    }
    walk_check(mc_trace_apply(disk, &op, to, &error), &error, now);
    walk_check(mc_follow_applied(w->follow, &op, 0, to, size, &error), &error, now);
}

/* Something that no crash of this trace leaves: files cut, grown, deleted, bytes changed. */
static void damage(walk *w, compared *c)
{
    static const uint8_t bytes[4] = {0, 0xd9, 1, 8}; /* 8: a page size of 2048, at offset 16 */
    mc_disk *disk = &w->trace.base;
    uint16_t file = (uint16_t)(walk_random(&c->random) % disk->file_count);
    uint64_t size = disk->file[file].size;
    uint64_t at = size == 0 ? 0 : walk_random(&c->random) % (size + size / 8 + 1);
    uint64_t where = walk_random(&c->random) % 8;
    at = where < 3 ? at % 120 : where == 3 && size > 16 ? 16 : at;
    uint64_t kind = walk_random(&c->random) % 8;
    const char *role = mc_file_role(&w->trace, file);
    uint64_t in_frame = at < 32 ? 8 : (at - 32) % (24 + w->history.page_size);
    if ((strcmp(role, "journal") == 0 && at >= 16 && at < 18) ||
        (strcmp(role, "wal") == 0 && in_frame >= 4 && in_frame < 6)) {
        return; /* a size of billions of pages: sizes_that_lie_cost_nothing */
    }
    if (kind == 0) {
        disturb(w, (mc_op){.kind = MC_OP_DELETE, .file = file}, 0);
    } else if (kind < 4) {
        at = walk_random(&c->random) % 2 == 0 ? at / 512 * 512 : at;
        disturb(w, (mc_op){.kind = MC_OP_TRUNCATE, .file = file, .offset = at}, 0);
    } else {
        disturb(w,
                (mc_op){.kind = MC_OP_WRITE,
                        .file = file,
                        .offset = at,
                        .size = 1,
                        .data = &bytes[walk_random(&c->random) % 4]},
                1);
    }
}

/* Goes through a trace of which operations are lost, cut short or followed by damage. */
static void stumble(const mc_record_options *options, uint64_t seed, compared *total)
{
    mc_error error = {0};
    compared c = {.arena = {.limit_bytes = (size_t)1 << 28}, .random = seed, .one_in = 2};
    walk w = {.context = &c};
    walk_record(options, &w.trace);
    walk_build(&w.trace, true, &w.history);
    assert_true(mc_oracle_init(&w.oracle, &w.history, 2));
    w.follow = mc_follow_open(&w.trace, &w.trace.base, &w.oracle, &error);
    assert_non_null(w.follow);
    for (size_t i = 0; i < w.trace.op_count; i++) {
        mc_op op = w.trace.op[i];
        uint64_t luck = walk_random(&c.random) % 40;
        if (op.file != MC_DISK_NONE && op.kind <= MC_OP_DELETE && op.kind != MC_OP_SYNC &&
            luck > 1) {
            uint32_t cut = op.size > 0 && luck == 2 ? op.size / 2 : op.size;
            disturb(&w, op, cut);
        }
        if (luck == 3) {
            damage(&w, &c);
        }
        compare_state(&w, &(mc_crash){.point = i, .cut = (uint32_t)seed});
    }
    mc_follow_close(w.follow);
    mc_oracle_free(&w.oracle);
    mc_history_free(&w.history);
    mc_trace_free(&w.trace);
    mc_arena_free(&c.arena);
    total->states += c.states;
    total->refused += c.refused;
    total->imported += c.imported;
}

/* Promise: the follower keeps saying what the importers say when operations are lost or cut and
 * files damaged on the way, so it does not live from what SQLite's own order of writing happens to
 * avoid. */
static void following_holds_on_damaged_states(void **unused)
{
    (void)unused;
    static const struct {
        const char *workload;
        mc_mode mode;
    } cells[] = {{"inplace", MC_MODE_DELETE},  {"grow", MC_MODE_DELETE},
                 {"shrink", MC_MODE_PERSIST},  {"grow", MC_MODE_WAL},
                 {"walreset", MC_MODE_WAL},    {"modes", MC_MODE_WAL},
                 {"modes", MC_MODE_DELETE},    {"attach", MC_MODE_DELETE},
                 {"vacuum", MC_MODE_TRUNCATE}, {"equal", MC_MODE_OFF}};
    compared total = {0};
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        mc_record_options options = walk_options(cells[i].workload, cells[i].mode);
        options.txns = 2;
        for (uint64_t seed = 1; seed <= (SANITIZED ? 6 : 20); seed++) {
            char name[60];
            (void)snprintf(name, sizeof name, "%s/%s with damage", cells[i].workload,
                           mc_mode_names[cells[i].mode]);
            now = name;
            options.page_size = seed % 4 == 0 ? 1024 : 4096;
            stumble(&options, seed, &total);
        }
    }
    assert_true(total.refused > 500);
    assert_true(total.imported > 3000);
}

static void lie(walk *w, const mc_crash *crash)
{
    static const uint8_t huge[4] = {0x7f, 0xff, 0xff, 0};
    compared *c = w->context;
    mc_disk *disk = &w->trace.base;
    uint16_t journal = mc_disk_find(disk, "main.db-journal");
    if (journal == MC_DISK_NONE || disk->file[journal].size < 512 ||
        disk->file[journal].data[0] == 0 || crash->point % 16 != 0) {
        return;
    }
    uint8_t honest[4];
    memcpy(honest, disk->file[journal].data + 16, 4);
    mc_op op = {.kind = MC_OP_WRITE, .file = journal, .offset = 16, .size = 4, .data = huge};
    disturb(w, op, 4);
    compare_importer(w, c, "recover", mc_follow_recover, MC_VIEW_RECOVERED, crash);
    assert_true(w->oracle.capacity[0] < 10000); /* nobody made room for them */
    c->states++;
    op.data = honest;
    disturb(w, op, 4);
    compare_importer(w, c, "recover", mc_follow_recover, MC_VIEW_RECOVERED, crash);
}

/* Promise: a journal that claims billions of pages costs no memory for them, gives what the
 * importer gives, and is forgotten when it says the truth again. */
static void sizes_that_lie_cost_nothing(void **unused)
{
    (void)unused;
    mc_record_options options = walk_options("inplace", MC_MODE_DELETE);
    compared c = {.arena = {.limit_bytes = (size_t)1 << 28}};
    walk w = {.context = &c};
    now = "a size that lies";
    walk_all(&options, lie, &w);
    mc_arena_free(&c.arena);
    assert_true(c.states > 5);
}

/* Recovers the present state with one control and gives a hash over what it left of every main. */
static mc_hash128 recovered_by(walk *w, mc_control *control, mc_control_answer *answer)
{
    mc_control_recover(control, answer);
    const uint8_t *page[1];
    mc_hash128 sum = {0, 0};
    for (uint32_t d = 0; d < w->trace.database_count; d++) {
        mc_files files;
        mc_disk_files(&w->trace.base, w->trace.database[d], &files);
        for (uint64_t at = 0; at + 512 <= files.main.size; at += 512) {
            page[0] = files.main.data + at;
            mc_hash128 hash = mc_image_content_hash(&(mc_image){512, 1, page});
            sum.low = sum.low * 31 + hash.low;
            sum.high = sum.high * 37 + hash.high + files.main.size;
        }
    }
    mc_control_undo(control);
    return sum;
}

static void compare_controls(walk *w, const mc_crash *crash)
{
    compared *c = w->context;
    if (c->reused == NULL) {
        c->reused = mc_control_open(&w->trace, &w->trace.base, true);
        c->fresh = mc_control_open(&w->trace, &w->trace.base, false);
        assert_true(c->reused != NULL && c->fresh != NULL);
    }
    mc_control_answer a;
    mc_control_answer b;
    mc_hash128 reused = recovered_by(w, c->reused, &a);
    mc_hash128 fresh = recovered_by(w, c->fresh, &b);
    if (a.recovered != b.recovered || a.code != b.code || strcmp(a.text, b.text) != 0 ||
        !mc_hash128_equal(reused, fresh)) {
        differ("control", crash, "a connection used again recovers something else");
    }
    c->states++;
    if (crash->op == NULL) { /* the trace's end, and the walk's */
        mc_control_close(c->reused);
        mc_control_close(c->fresh);
        c->reused = NULL;
    }
}

/* Promise: the control, whose connections serve many states, recovers what a new connection does.
 */
static void a_reused_control_recovers_as_a_fresh_one(void **unused)
{
    (void)unused;
    static const char *const names[] = {"grow", "vacuum", "modes", "attach", "walreset", "equal"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        for (int mode = 0; mode < MC_MODES; mode++) {
            mc_record_options options = walk_options(names[i], (mc_mode)mode);
            if ((mc_workload_find(names[i])->modes & 1u << mode) != 0) {
                compared c = {0};
                walk w = {.context = &c};
                now = names[i];
                walk_all(&options, compare_controls, &w);
                assert_true(c.states > 50);
            }
        }
    }
}

/* Promise: on every distinct state of every workload, `recover` and stock SQLite make the same of
 * it, on files in every mode and on the v1 store. */
static void recover_agrees_with_sqlite(void **unused)
{
    (void)unused;
    mc_importers importers;
    mc_error error = {0};
    walk_check(mc_importers_parse("recover", &importers, &error), &error, "importers");
    uint64_t distinct = 0;
    for (const mc_workload *row = mc_workloads; row->name != NULL; row++) {
        for (int mode = 0; mode <= MC_MODES; mode++) {
            bool kv = mode == MC_MODES; /* after the modes: the v1 store */
            if (kv ? !row->kv : (row->modes & 1u << mode) == 0) {
                continue;
            }
            mc_record_options record = walk_options(row->name, kv ? MC_MODE_DELETE : (mc_mode)mode);
            record.kv = kv;
            record.txns = row->txns > 3 && (SANITIZED || row->txns > 8) ? 3 : 0;
            mc_judge_options options = {.record = &record, .importers = &importers, .required = 1};
            mc_cell cell = {0};
            walk_check(mc_judge(&options, &cell, &error), &error, row->name);
            if (cell.disagreements > 0 || cell.tally[0].unmet > 0) {
                print_error("%s: %s: %s\n", row->name, cell.finding[0].state,
                            cell.finding[0].signature);
            }
            assert_int_equal(cell.disagreements, 0);
            assert_int_equal(cell.tally[0].unmet, 0);
            assert_int_equal(cell.control_dirty, 0);
            assert_int_equal(cell.compared, cell.unique);
            distinct += cell.unique;
            mc_cell_free(&cell);
        }
    }
    assert_true(distinct > (SANITIZED ? 5000 : 15000));
    mc_importers_free(&importers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(following_equals_importing),
        cmocka_unit_test(following_holds_without_syncs),
        cmocka_unit_test(following_holds_at_other_page_sizes),
        cmocka_unit_test(following_holds_on_damaged_states),
        cmocka_unit_test(sizes_that_lie_cost_nothing),
        cmocka_unit_test(a_reused_control_recovers_as_a_fresh_one),
        cmocka_unit_test(recover_agrees_with_sqlite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
