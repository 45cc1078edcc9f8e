/* test_again.c: recoveries that are crashed converge; broken ones, and disks that lie, are told;
 * and the classes of their power losses are held against brute force. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sqlite3.h>

#include "crashsim/powerchoice.h"
#include "crashsim/stock.h"
#include "core/test/sanitized.h"
#include "harness/test/plants.h"
#include "harness/judge/again.h"
#include "harness/judge/loss.h"

enum { STATES_MAX = 600 };

/* Makes the states of power losses of a trace, one after the other. */
typedef struct force {
    const mc_trace *trace;
    mc_power_file *file;
    uint8_t **choice;
    mc_arena arena;
    uint32_t digit[64];
    uint32_t base[64];
    uint32_t digits;
    uint32_t asked;
    bool extremes;  /* of the cells' choices only two: all there, nothing there */
    uint64_t limit; /* no states beyond so many */
    uint64_t total;
    void (*state)(struct force *force);
} force;

static uint32_t next_digit(void *context, mc_power_item item, const mc_op *op, uint32_t count)
{
    force *f = context;
    (void)item;
    (void)op;
    assert_true(f->asked < 64);
    if (f->asked == f->digits) {
        f->digit[f->digits++] = 0;
    }
    f->base[f->asked] = count;
    return f->digit[f->asked++];
}

static bool step_digits(force *f)
{
    for (; f->digits > 0; f->digits--) {
        if (++f->digit[f->digits - 1] < f->base[f->digits - 1]) {
            return true;
        }
    }
    return false;
}

/* Every choice of the cells from cell `i` of file `n` on. */
static void force_cells(force *f, uint16_t n, uint32_t i)
{
    while (n < f->trace->base.file_count && (!f->file[n].exists || i == f->file[n].cell_count)) {
        n++;
        i = 0;
    }
    if (n == f->trace->base.file_count) {
        if (f->total++ < f->limit) {
            f->state(f);
        }
        return;
    }
    const mc_power_cell *cell = &f->file[n].cell[i];
    uint8_t most = (uint8_t)(cell->alternatives - 1);
    bool before = !cell->chained || f->choice[n][i - 1] == f->file[n].cell[i - 1].alternatives - 1;
    for (uint8_t c = 0; c <= most && (c == 0 || before) && f->total <= f->limit; c++) {
        f->choice[n][i] = c;
        force_cells(f, n, i + 1);
    }
}

static void force_extremes(force *f)
{
    for (int all = 0; all < 2; all++) {
        for (uint16_t n = 0; n < f->trace->base.file_count; n++) {
            for (uint32_t i = 0; f->file[n].exists && i < f->file[n].cell_count; i++) {
                f->choice[n][i] = all ? (uint8_t)(f->file[n].cell[i].alternatives - 1) : 0;
            }
        }
        f->total++;
        f->state(f);
    }
}

static void check(mc_status status, const mc_error *error)
{
    if (status != MC_OK) {
        fail_msg("%s", error->text);
    }
}

static void force_trace(force *f, const mc_power_profile *profile)
{
    mc_error error;
    uint32_t files = f->trace->base.file_count;
    f->file = calloc(files, sizeof *f->file);
    f->choice = calloc(files, sizeof *f->choice);
    f->arena.limit_bytes = 64 << 20;
    mc_power *power = mc_power_open(f->trace, profile);
    for (size_t point = 0; point <= f->trace->op_count && f->total <= f->limit; point++) {
        check(mc_power_advance(power, point, &error), &error);
        f->digits = 0;
        do {
            mc_arena_reset(&f->arena);
            f->asked = 0;
            mc_power_metadata(power, next_digit, f);
            for (uint16_t n = 0; n < files; n++) {
                check(mc_power_lay(power, n, next_digit, f, &f->arena, &f->file[n], &error),
                      &error);
                f->choice[n] = mc_arena_alloc(&f->arena, f->file[n].cell_count + 1);
            }
            if (f->extremes) {
                force_extremes(f);
            } else {
                force_cells(f, 0, 0);
            }
        } while (step_digits(f));
    }
    mc_power_close(power);
    mc_arena_free(&f->arena);
    free(f->file);
    free(f->choice);
}

/* Brings `disk`, which has the trace's names, to the present state. */
static void put_state(const force *f, mc_disk *disk)
{
    mc_disk_clear(disk);
    for (uint16_t n = 0; n < f->trace->base.file_count; n++) {
        const mc_power_file *file = &f->file[n];
        assert_int_equal(mc_disk_slot(disk, f->trace->base.file[n].name), n);
        if (file->exists) {
            uint8_t *bytes = malloc(file->size + 1);
            mc_power_bytes(file, f->choice[n], 0, file->size, bytes);
            assert_true(mc_disk_create(disk, n) && mc_disk_write(disk, n, 0, bytes, file->size));
            free(bytes);
        }
    }
}

/* The second states from one first state, each of which was made. */
static struct forced {
    mc_disk disk;
    mc_hash128 wanted;
    uint64_t total;
    uint64_t diverged;
    void (*plant)(mc_trace *recovery);
} b;

/* One cell: each state of the first crash that SQLite is run on is crashed again. */
typedef struct walk {
    mc_judging j;
    mc_again *again;
    mc_control *control;
    mc_cell cell;
    mc_importers importers;
    mc_importer
        recover; /* stands in recover's place, and so sees each state that SQLite is run on */
    bool inside; /* recover is being asked about a second state */
    const mc_power_profile *again_power;
    uint64_t compared;  /* first states whose second ones were all made */
    uint64_t diverging; /* of them: do not converge */
    uint64_t told;
    uint64_t named; /* of them: the name was tried */
    char first[MC_STATE_AGAIN_MAX];
    char what[40];
} walk;

static walk *w;

/* Does the name of a second state of a power loss give what the judging's disk shows? */
static void check_name(const mc_again_found *found)
{
    static const char way[] = "exclusive:";
    mc_error error;
    mc_disk disk = {0};
    mc_arena arena = {.limit_bytes = 64 << 20};
    char *at = strstr(found->state, "//");
    assert_non_null(at);
    at += strncmp(at + 2, way, sizeof way - 1) == 0 ? sizeof way + 1 : 2;
    size_t point = strtoul(at, &at, 10);
    mc_choice_reader reader = {.text = *at == '+' ? at + 1 : at};
    if (strstr(at, "...") == NULL) { /* else it is too long to be said */
        check(mc_power_state(found->recovery, point, w->again_power, mc_choice_next, &reader,
                             &arena, &disk, &error),
              &error);
        assert_false(reader.wrong);
        for (uint16_t n = 0; n < disk.file_count; n++) {
            const mc_disk_file *said = &disk.file[n];
            const mc_disk_file *shown = &w->j.trace.base.file[n];
            assert_true(said->exists == shown->exists && said->size == shown->size);
            assert_true(said->size == 0 || memcmp(said->data, shown->data, said->size) == 0);
        }
        w->named++;
    }
    mc_disk_free(&disk);
    mc_arena_free(&arena);
}

static mc_status note(void *context, const mc_again_found *found, mc_error *error)
{
    (void)context;
    (void)error;
    if (w->again_power != NULL) {
        check_name(found);
    }
    if (w->told++ == 0) {
        (void)snprintf(w->first, sizeof w->first, "%s", found->state);
        (void)snprintf(w->what, sizeof w->what, "%s", found->what);
    }
    return MC_OK;
}

/* What was counted for one first state, against the states that were made. */
static void compare_with_force(const mpz_t total, const mpz_t diverged)
{
    const mc_again_counts *c = mc_again_counted(w->again);
    mpz_t counted;
    mpz_init(counted);
    if (b.total > 0 && b.total <= STATES_MAX) {
        mpz_sub(counted, c->total, total);
        assert_int_equal(mpz_cmp_ui(counted, b.total), 0);
        mpz_sub(counted, c->diverged, diverged);
        if (mpz_cmp_ui(counted, b.diverged) != 0) {
            fail_msg("%lu states diverge by classes, %lu of %lu by force", mpz_get_ui(counted),
                     (unsigned long)b.diverged, (unsigned long)b.total);
        }
        w->compared++;
        w->diverging += b.diverged > 0;
    }
    mpz_clear(counted);
}

/* Crashes the recovery from the state that the judging's disk shows. */
static mc_status crash_again(const mc_crash *crash, mc_error *error)
{
    const mc_again_counts *c = mc_again_counted(w->again);
    mc_outcome control;
    mpz_t total;
    mpz_t diverged;
    mpz_init_set(total, c->total);
    mpz_init_set(diverged, c->diverged);
    b.total = 0;
    b.diverged = 0;
    w->inside = true;
    mc_status status = mc_judging_control(&w->j, &control, error);
    status = status == MC_OK ? mc_again_judge(w->again, &w->j.trace.base, crash, &control, error)
                             : status;
    w->inside = false;
    compare_with_force(total, diverged);
    mpz_clears(total, diverged, NULL);
    return status;
}

static mc_status import(const mc_input *input, mc_arena *arena, mc_import *out, mc_error *error)
{
    static const mc_crash anywhere = {0};
    const mc_disk_file *first = &w->j.trace.base.file[w->j.main_slot[0]];
    if (!w->inside && input->files.main.size == first->size &&
        (first->size == 0 || input->files.main.data == first->data)) {
        mc_status status = crash_again(&anywhere, error);
        if (status != MC_OK) {
            return status;
        }
    }
    return mc_importer_find("recover")->import(input, arena, out, error);
}

static mc_status state(void *context, const mc_crash *crash, mc_error *error)
{
    (void)context;
    return crash_again(crash, error);
}

/* Which first states of a power loss are crashed again. */
typedef enum first_states {
    FIRST_RUN,      /* those that SQLite is run on: one of each class */
    FIRST_EXTREMES, /* of each layout that with all there, and that with nothing there */
    FIRST_ALL
} first_states;

typedef struct row {
    const char *workload;
    mc_mode mode;
    uint32_t page_size;
    uint32_t txns;
    const char *profile; /* null: kill */
    const char *second;  /* profile of the second crash; null: the same */
    void (*plant)(mc_trace *recovery);
    first_states first;
} row;

static void open_walk(const row *r, mc_record_options *record, mc_judge_options *options)
{
    mc_error error;
    w = calloc(1, sizeof *w);
    *record = (mc_record_options){.workload = r->workload,
                                  .mode = r->mode,
                                  .sync = MC_SYNC_FULL,
                                  .page_size = r->page_size,
                                  .txns = r->txns,
                                  .seed = 1};
    check(mc_importers_parse("recover,sqlite", &w->importers, &error), &error);
    *options = (mc_judge_options){.record = record, .importers = &w->importers, .plant = r->plant};
    if (r->profile != NULL) {
        w->recover = *mc_importer_find("recover");
        w->recover.import = import;
        w->importers.chosen[0].core = &w->recover;
        options->power = mc_power_find(r->profile);
    }
    check(mc_judging_open(&w->j, options, &error), &error);
    w->j.cell = &w->cell;
    const char *second = r->second != NULL ? r->second : r->profile;
    w->again_power = second != NULL ? mc_power_find(second) : NULL;
    mc_again_options again = {.power = w->again_power, .found = note};
    w->again = mc_again_open(&w->j, &again);
    assert_non_null(w->again);
}

static void close_walk(void)
{
    mc_again_close(w->again);
    mc_judging_close(&w->j);
    mc_cell_free(&w->cell);
    mc_importers_free(&w->importers);
    free(w);
    w = NULL;
}

static void print_counts(const row *r, const mc_again_counts *c)
{
    mpz_t number;
    char equal[64];
    char total[64];
    char diverged[64];
    char unresolved[64];
    mpz_init(number);
    mc_again_equal(c, number);
    mc_proof_text(number, equal, sizeof equal);
    mc_proof_text(c->total, total, sizeof total);
    mc_proof_text(c->diverged, diverged, sizeof diverged);
    mc_proof_text(c->unresolved, unresolved, sizeof unresolved);
    mpz_clear(number);
    print_message(
        "%s/%s/%s: %lu first states (%lu repeated, %lu unasked), %lu recoveries of %lu "
        "elements; second states: %s in all, %lu visited, %s proved equal, %s unresolved; "
        "%s diverged, %lu disagreed\n",
        r->workload, mc_mode_names[r->mode], r->profile == NULL ? "kill" : r->profile,
        (unsigned long)c->witnesses, (unsigned long)c->repeated, (unsigned long)c->unasked,
        (unsigned long)c->recoveries, (unsigned long)c->elements, total, (unsigned long)c->visited,
        equal, unresolved, diverged, (unsigned long)c->disagreed);
    if (w->told > 0) {
        print_message("    %s: %.200s\n", w->what, w->first);
    }
}

static void crash_state(force *f)
{
    static const mc_crash anywhere = {0};
    mc_error error;
    put_state(f, &w->j.trace.base);
    check(crash_again(&anywhere, &error), &error);
}

/* First states that are made one by one. */
static void walk_states(const row *r)
{
    mc_trace trace = w->j.trace;
    trace.base = (mc_disk){0};
    assert_true(mc_disk_copy(&trace.base, &w->j.trace.base));
    force f = {.trace = &trace,
               .limit = UINT64_MAX,
               .extremes = r->first == FIRST_EXTREMES,
               .state = crash_state};
    force_trace(&f, mc_power_find(r->profile));
    mc_disk_free(&trace.base);
}

/* Crashes all of a cell twice; close_walk must follow. */
static const mc_again_counts *walk_cell(const row *r)
{
    static mc_record_options record;
    static mc_judge_options options;
    mc_error error;
    open_walk(r, &record, &options);
    if (r->first != FIRST_RUN) {
        walk_states(r);
    } else if (r->profile != NULL) {
        check(mc_loss_judge(&w->j, &w->cell, &error), &error);
    } else {
        mc_explored explored;
        mc_visitor visitor = {&w->j, mc_judging_applied, mc_judging_acked, state};
        check(mc_judging_explore(&w->j, &visitor, &explored, &error), &error);
    }
    const mc_again_counts *c = mc_again_counted(w->again);
    print_counts(r, c);
    return c;
}

static void converges(const row *r)
{
    const mc_again_counts *c = walk_cell(r);
    assert_int_equal(mpz_sgn(c->diverged), 0);
    assert_int_equal(mpz_sgn(c->unresolved), 0);
    assert_int_equal(c->disagreed, 0);
    assert_int_equal(w->told, 0);
    assert_int_equal(w->cell.disagreements, 0);
    assert_true(c->witnesses > c->repeated + c->unasked);
    assert_true(mpz_cmp_ui(c->total, c->visited) >= 0);
    close_walk();
}

static const mc_mode modes[] = {MC_MODE_DELETE, MC_MODE_TRUNCATE, MC_MODE_PERSIST, MC_MODE_WAL};
static const char *const workloads[] = {"inplace", "grow", "spill"};

/* Promise: whatever a kill left, a recovery that is killed anywhere leaves the same database. */
static void kills_converge(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < 12; i++) {
        converges(&(row){.workload = workloads[i / 4],
                         .mode = modes[i % 4],
                         .page_size = i / 4 == 1 ? 16384 : 4096, /* those are cut */
                         .txns = 1});
    }
}

/* Promise: and so does a recovery that loses its power, from one state of each class of the first
 * loss. */
static void losses_converge(void **unused)
{
    (void)unused;
    static const char *const profiles[] = {"ext4", "psow"};
    for (size_t i = 0; i < 21; i++) { /* the last three would take ten seconds each */
        converges(&(row){.workload = workloads[i / 8],
                         .mode = modes[i % 4],
                         .page_size = 4096,
                         .txns = 1,
                         .profile = profiles[i / 4 % 2]});
    }
}

/* Promise: and from those members of a class that differ the most in what the first recovery did
 * not read: it may have written over that, and the second crash may take it back. */
static void members_converge(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < 8; i++) {
        converges(&(row){.workload = workloads[i / 4],
                         .mode = modes[i % 4],
                         .page_size = 4096,
                         .txns = 1,
                         .profile = "ext4",
                         .first = FIRST_EXTREMES});
    }
    for (size_t i = 0; i < 3; i++) {
        converges(&(row){.workload = "grow",
                         .mode = modes[i],
                         .page_size = 512,
                         .txns = 1,
                         .profile = "ext4",
                         .first = FIRST_ALL});
    }
}

/* ---- what must be told ---- */

static uint64_t diverged(const row *r)
{
    const mc_again_counts *c = walk_cell(r);
    uint64_t count = mpz_sgn(c->diverged) == 0 ? 0 : mpz_get_ui(c->diverged) | 1;
    assert_true((count > 0) == (w->told > 0));
    assert_true(w->again_power == NULL || (count > 0) == (w->named > 0));
    assert_int_equal(mpz_sgn(c->unresolved), 0);
    assert_int_equal(c->disagreed, 0);
    close_walk();
    return count;
}

/* Promise: a recovery that deletes its journal first does not converge under kill; one that does
 * not sync, and one over a disk whose sync lies, do under kill, and do not when power is lost. A
 * deleted journal that goes block by block does not matter here: main is whole by then. */
static void broken_recoveries_are_told(void **unused)
{
    (void)unused;
    row r = {.workload = "grow", .mode = MC_MODE_DELETE, .page_size = 4096, .txns = 1};
    r.workload = "inplace";
    r.plant = delete_first;
    assert_true(diverged(&r));
    r.plant = drop_syncs;
    assert_false(diverged(&r));
    r.profile = "ext4";
    r.first = FIRST_EXTREMES;
    assert_true(diverged(&r));
    r.plant = NULL;
    r.second = "lying-sync";
    assert_true(diverged(&r));
    r.mode = MC_MODE_WAL;
    assert_true(diverged(&r));
    r.second = "nonatomic-unlink";
    assert_false(diverged(&r));
    r.mode = MC_MODE_DELETE;
    r.profile = "nonatomic-unlink";
    assert_false(diverged(&r));
}

/* Promise: what only a second crash shows is found. The super-journal is gone, so a transaction
 * over two databases is committed, and recovery does no more than to delete their journals; one
 * that goes block by block loses its end first, and with it the super-journal's name, so it is hot
 * again. */
static void second_crash_alone_tears(void **unused)
{
    (void)unused;
    row r = {.workload = "attach",
             .mode = MC_MODE_DELETE,
             .page_size = 1024,
             .txns = 1,
             .profile = "nonatomic-unlink"};
    assert_true(diverged(&r));
    r.profile = "ext4";
    assert_false(diverged(&r));
}

static mc_status abandon(const mc_input *input, mc_arena *arena, mc_import *out, mc_error *error)
{
    return mc_importer_find("abandon")->import(input, arena, out, error);
}

/* Promise: an importer that forgets the journal of the recovery is told apart from SQLite. */
static void broken_importer_is_told(void **unused)
{
    (void)unused;
    row r = {.workload = "inplace", .mode = MC_MODE_DELETE, .page_size = 4096, .txns = 1};
    mc_record_options record;
    mc_judge_options options;
    mc_error error;
    mc_explored explored;
    open_walk(&r, &record, &options);
    w->recover = *mc_importer_find("recover");
    w->recover.import = abandon;
    w->importers.chosen[0].core = &w->recover;
    mc_visitor visitor = {&w->j, mc_judging_applied, mc_judging_acked, state};
    check(mc_judging_explore(&w->j, &visitor, &explored, &error), &error);
    assert_true(mc_again_counted(w->again)->disagreed > 0);
    assert_int_equal(mpz_sgn(mc_again_counted(w->again)->diverged), 0);
    assert_string_equal(w->what, "recover differs");
    close_walk();
}

/* Promise: a checkpoint that is interrupted in the middle, and the one that follows, too. */
static void checkpoints_converge(void **unused)
{
    (void)unused;
    row r = {.workload = "checkpoint", .mode = MC_MODE_WAL, .page_size = 4096, .txns = 1};
    converges(&r);
    r.profile = "ext4";
    converges(&r);
}

/* ---- brute force ---- */

/* What SQLite reads: nothing of midcommit's judging is in it. */
static mc_hash128 read_by_sqlite(mc_disk *disk)
{
    mc_stock stock;
    mc_hash128 id = {0, 0};
    assert_true(mc_stock_ask_disk(disk, "main.db", MC_STOCK_LIMIT_BYTES, &stock));
    /* One page is an empty database here, because each table has a root; so is no file. */
    if (stock.code != SQLITE_OK && stock.code != SQLITE_CANTOPEN) {
        id.high = UINT64_MAX;
    } else if (stock.page_count > 1) {
        uint32_t size = (uint32_t)(stock.image_size / stock.page_count);
        for (uint32_t i = 0; i < stock.page_count; i++) {
            uint64_t page = mc_page_hash(i + 1, stock.image + (size_t)i * size, size);
            id.low = (id.low ^ page) * UINT64_C(0x9e3779b97f4a7c15);
            id.low ^= id.low >> 29;
        }
        id.high = (uint64_t)stock.page_count;
    }
    mc_stock_free(&stock);
    return id;
}

static void compare_state(force *f)
{
    put_state(f, &b.disk);
    b.diverged += !mc_hash128_equal(read_by_sqlite(&b.disk), b.wanted);
}

static void force_recovery(mc_trace *recovery)
{
    b.plant(recovery);
    b.wanted = read_by_sqlite(&recovery->base);
    force f = {.trace = recovery, .limit = STATES_MAX, .state = compare_state};
    force_trace(&f, w->again_power);
    b.total += f.total;
}

static void keep_all(mc_trace *recovery)
{
    (void)recovery;
}

/* Promise: what comes of the second crashes is what comes of making each of them. */
static void classes_are_brute_force(void **unused)
{
    (void)unused;
    static const char *const profiles[] = {"psow", "ext4", "sector-512", "lying-sync"};
    uint64_t compared = 0;
    uint64_t diverging = 0;
    for (size_t i = 0; i < 32; i++) {
        row r = {.workload = "grow",
                 .mode = modes[i % 4],
                 .page_size = 512,
                 .txns = 1,
                 .profile = "ext4",
                 .second = profiles[i / 4 % 4],
                 .plant = force_recovery};
        b.plant = i < 16 ? keep_all : drop_syncs;
        const mc_again_counts *c = walk_cell(&r);
        assert_int_equal(c->disagreed, 0);
        compared += w->compared;
        diverging += w->diverging;
        close_walk();
    }
    print_message("%lu first states compared, %lu do not converge\n", (unsigned long)compared,
                  (unsigned long)diverging);
    mc_disk_free(&b.disk);
    assert_true(compared > 100 && diverging > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checkpoints_converge),
        cmocka_unit_test(second_crash_alone_tears),
        cmocka_unit_test(broken_importer_is_told),
        cmocka_unit_test(classes_are_brute_force),
    };
    const struct CMUnitTest long_tests[] = {
        cmocka_unit_test(kills_converge),
        cmocka_unit_test(losses_converge),
        cmocka_unit_test(members_converge),
        cmocka_unit_test(broken_recoveries_are_told),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    /* Under a sanitizer these take many minutes, and run the same code. */
    return failed + (SANITIZED ? 0 : cmocka_run_group_tests(long_tests, NULL, NULL));
}
