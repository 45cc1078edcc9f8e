#include "harness/judge/loss.h"

#include "harness/judge/losing.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* For one crash point. */
enum {
    RUNS_DEFAULT = 20000,  /* of SQLite */
    CLASSES_DEFAULT = 2000 /* that are walked, met before or not */
};

mc_status mc_loss_no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "power: out of memory");
}

bool mc_loss_grow(void **array, uint32_t count, uint32_t *capacity, size_t element)
{
    if (count < *capacity) {
        return true;
    }
    uint32_t more = *capacity == 0 ? 4 : *capacity * 2;
    void *moved = realloc(*array, more * element);
    if (moved == NULL) {
        return false;
    }
    *array = moved;
    *capacity = more;
    return true;
}

static uint32_t next_digit(void *context, mc_power_item item, const mc_op *op, uint32_t count)
{
    mc_loss *l = context;
    (void)item;
    (void)op;
    assert(l->asked < MC_DIGITS_MAX);
    if (l->asked == l->digits) {
        l->digit[l->digits++] = 0;
    }
    l->base[l->asked] = count;
    return l->digit[l->asked++];
}

/* The next choice of names and lengths; false behind the last. */
static bool step_digits(mc_loss *l)
{
    while (l->digits > 0) {
        uint32_t last = l->digits - 1;
        if (l->digit[last] + 1 < l->base[last]) {
            l->digit[last]++;
            return true;
        }
        l->digits--;
    }
    return false;
}

/* What the layout with the present digits would be. */
static mc_hash128 peek(mc_loss *l)
{
    XXH128_hash_t id = {l->crash.begun, 0};
    l->asked = 0;
    mc_power_metadata(l->power, next_digit, l);
    for (uint16_t f = 0; f < l->states.file_count; f++) {
        l->laid[f].wanted = mc_power_peek(l->power, f, next_digit, l);
        uint64_t facts[] = {id.low64, id.high64, l->laid[f].wanted.low, l->laid[f].wanted.high};
        id = XXH3_128bits(facts, sizeof facts);
    }
    return (mc_hash128){id.low64, id.high64};
}

/* Lays the files that are not laid so already. */
static mc_status lay(mc_loss *l, mc_error *error)
{
    mc_status status = MC_OK;
    l->asked = 0;
    mc_power_metadata(l->power, next_digit, l);
    for (uint16_t f = 0; status == MC_OK && f < l->states.file_count; f++) {
        mc_laid *file = &l->laid[f];
        mc_power_file *out = &l->file[f];
        if (mc_hash128_equal(file->id, file->wanted)) {
            (void)mc_power_peek(l->power, f, next_digit, l);
        } else {
            mc_arena_reset(&file->arena);
            status = mc_power_lay(l->power, f, next_digit, l, &file->arena, out, error);
            file->id = file->wanted;
            l->shown[f] = false;
            l->states.choice[f] = mc_arena_alloc(&file->arena, 2 * (size_t)out->cell_count + 1);
            if (status == MC_OK && l->states.choice[f] == NULL) {
                status = mc_loss_no_memory(error);
            }
        }
        if (status == MC_OK) {
            memset(l->states.choice[f], MC_POWER_UNCHOSEN, out->cell_count);
        }
    }
    return status;
}

static mc_status walk_layout(mc_loss *l, const mpz_t total, mc_error *error)
{
    mc_judging *j = l->j;
    mpz_set_ui(l->resolved, 0);
    mpz_set(l->layout_total, total);
    for (int k = 0; k < 2; k++) {
        mpz_set_ui(l->taken[k], 0);
        l->taken_classes[k] = 0;
    }
    l->ends_at[1] = UINT32_MAX;
    mc_status status = mc_loss_walk(l, &l->subject[MC_LOSS_CONTROL], mc_loss_control_leaf,
                                    mc_loss_control_unresolved, error);
    if (status == MC_OK && mpz_cmp(l->resolved, total) != 0) {
        status = mc_fail(error, MC_IO, "classes", "power: the classes at %zu do not add up",
                         l->crash.point);
    }
    /* Importers have no limit of their own; what one refuses is not shared out then. */
    uint64_t left = l->classes_left;
    l->cut = left == 0;
    for (uint32_t i = 0; status == MC_OK && i < j->importers->count; i++) {
        mc_importer_kind kind = j->importers->chosen[i].kind;
        if (kind == MC_IMPORTER_REJECT || kind == MC_IMPORTER_ABANDON) {
            l->ends_at[0] = UINT32_MAX;
            l->classes_left = UINT64_MAX;
            status = mc_loss_walk(l, &l->subject[i], mc_loss_field_leaf, mc_loss_leave_unresolved,
                                  error);
        }
    }
    l->classes_left = left;
    return status;
}

/* What came of the layout is what came of the crash point. */
static mc_status add_layout(mc_loss *l, const mc_known_layout *known, mc_error *error)
{
    mpz_add(l->point_total, l->point_total, known->total);
    mpz_add(l->point_lost, l->point_lost, known->lost);
    l->point_classes += known->classes;
    for (uint32_t i = 0; i < known->came.count; i++) {
        const mc_share *from = &known->came.share[i];
        bool added;
        mc_share *to = mc_loss_row(&l->point, from, &added);
        if (to == NULL) {
            return mc_loss_no_memory(error);
        }
        mpz_add(to->states, to->states, from->states);
        to->classes += from->classes;
        if (added) {
            mc_loss_name_state(l, from->choice);
            to->choice = strdup(l->choice);
            if (to->choice == NULL) {
                return mc_loss_no_memory(error);
            }
        }
    }
    return MC_OK;
}

static void free_layout(mc_known_layout *layout)
{
    mc_loss_free_shares(&layout->came);
    free(layout->came.share);
    mpz_clears(layout->total, layout->lost, NULL);
}

static mc_status judge_layout(mc_loss *l, mc_error *error)
{
    mc_hash128 id = peek(l);
    uint32_t index;
    if (mc_idmap_get(&l->seen, id, &index)) {
        return add_layout(l, &l->layout[index], error);
    }
    index = l->layout_count;
    mc_status status = lay(l, error);
    if (status != MC_OK) {
        return status;
    }
    mc_known_layout known = {0};
    mpz_inits(known.total, known.lost, NULL);
    mc_states_count(&l->states, known.total);
    mpz_set_ui(l->layout_lost, 0);
    l->layout_classes = 0;
    l->adding = &known.came;
    if (l->classes_left > 0) {
        status = walk_layout(l, known.total, error);
    } else {
        mpz_set(l->layout_lost, known.total);
    }
    mpz_set(known.lost, l->layout_lost);
    known.classes = l->layout_classes;
    status = status == MC_OK ? add_layout(l, &known, error) : status;
    /* One that there was no room for may be walked to its end at a later crash point. */
    bool kept = status == MC_OK && l->classes_left > 0;
    if (kept &&
        (!mc_loss_grow((void **)&l->layout, index, &l->layout_capacity, sizeof *l->layout) ||
         !mc_idmap_put(&l->seen, id, index))) {
        status = mc_loss_no_memory(error);
        kept = false;
    }
    if (kept) {
        l->layout[l->layout_count++] = known;
    } else {
        free_layout(&known);
    }
    return status;
}

static mc_status judge_point(mc_loss *l, mc_error *error)
{
    mc_loss_free_shares(&l->point);
    mc_lazy_forget(l->lazy);
    mpz_set_ui(l->point_total, 0);
    mpz_set_ui(l->point_lost, 0);
    l->point_classes = 0;
    l->digits = 0;
    uint64_t budget = l->j->options->budget;
    l->runs_left = budget > 0 ? budget : RUNS_DEFAULT;
    l->classes_left += budget > 0 ? budget : CLASSES_DEFAULT;
    mc_status status;
    do {
        status = judge_layout(l, error);
    } while (status == MC_OK && step_digits(l));
    return status;
}

/* Brings the judging's disk to one of the states that make up a share. */
static mc_status show_again(mc_loss *l, const char *choice, mc_error *error)
{
    mc_disk *disk = &l->j->trace.base;
    mc_choice_reader reader = {.text = choice};
    mc_disk_clear(disk);
    memset(l->shown, 0, l->states.file_count * sizeof *l->shown);
    mc_arena_reset(&l->arena);
    return mc_power_state(&l->trace, l->crash.point, l->j->options->power, mc_choice_next, &reader,
                          &l->arena, disk, error);
}

/* What the share means at this crash point. */
static mc_status account(mc_loss *l, const mc_share *s, mc_error *error)
{
    mc_judging *j = l->j;
    l->crash.choice = s->choice;
    l->crash.note = NULL;
    mc_verdict verdict = mc_verdict_of(&s->outcome, j->content.classes, l->crash.acked,
                                       l->crash.begun, j->content.empty_class, s->recovers);
    mc_proof *p = l->proof;
    mpz_add(p->verdict[s->who][verdict.kind], p->verdict[s->who][verdict.kind], s->states);
    if (verdict.kind == MC_TORN && verdict.silent) {
        mpz_add(p->silent[s->who], p->silent[s->who], s->states);
    }
    if (s->induced) {
        mpz_add(p->induced, p->induced, s->states);
        l->crash.note = "recovery-induced";
    }
    if (s->who == MC_LOSS_CONTROL) {
        mc_status status = MC_OK;
        if (!mc_promise_kept(j->cell->promise, &verdict)) {
            status = show_again(l, s->choice, error);
            status = status == MC_OK
                         ? mc_judged_control(j, &l->crash, &s->outcome, &verdict, s->classes, error)
                         : status;
        }
        for (uint32_t i = 0; status == MC_OK && i < j->importers->count; i++) {
            mc_importer_kind kind = j->importers->chosen[i].kind;
            if (kind == MC_IMPORTER_SQLITE || kind == MC_IMPORTER_RECOVER) {
                mpz_add(p->verdict[i][verdict.kind], p->verdict[i][verdict.kind], s->states);
                status = mc_judged_importer(j, &l->crash, i, &s->outcome, &verdict, false,
                                            s->classes, error);
            }
        }
        return status;
    }
    /* Where SQLite promises to be clean it is, so an importer that is not has done worse. */
    bool unmet = verdict.kind != MC_CLEAN && j->cell->promise == MC_PROMISE_CLEAN;
    return mc_judged_importer(j, &l->crash, s->who, &s->outcome, &verdict, unmet, s->classes,
                              error);
}

static mc_status account_all(mc_loss *l, mc_error *error)
{
    mc_proof *p = l->proof;
    mc_status status = MC_OK;
    for (uint32_t i = 0; status == MC_OK && i < l->point.count; i++) {
        status = account(l, &l->point.share[i], error);
    }
    mpz_add(p->total, p->total, l->point_total);
    mpz_add(p->unresolved, p->unresolved, l->point_lost);
    p->classes += l->point_classes;
    p->points += mpz_cmp_ui(l->point_total, 1) > 0;
    if (mpz_cmp(l->point_total, p->widest) > 0) {
        mpz_set(p->widest, l->point_total);
        p->widest_point = l->crash.point;
        p->widest_classes = l->point_classes;
    }
    l->cell->explored.points++;
    l->cell->explored.states += l->point_classes;
    l->cell->explored.skipped += mpz_sgn(l->point_lost) > 0;
    return status;
}

static mc_status judge_trace(mc_loss *l, mc_error *error)
{
    mc_judging *j = l->j;
    mc_status status = MC_OK;
    for (size_t point = 0; status == MC_OK && point <= l->trace.op_count; point++) {
        const mc_op *before = point > 0 ? &l->trace.op[point - 1] : NULL;
        l->crash.point = point;
        l->crash.op = point < l->trace.op_count ? &l->trace.op[point] : NULL;
        if (before != NULL && before->kind == MC_OP_BEGUN) {
            l->crash.begun = (uint32_t)before->offset;
        } else if (before != NULL && before->kind == MC_OP_ACKED) {
            l->crash.acked = (uint32_t)before->offset;
            mc_judging_acked(j, l->crash.acked);
        }
        /* Most marks change nothing on the disk; one that begins a commit lets it be there. */
        if (before == NULL || before->kind != MC_OP_ACKED || !mc_power_is_same(&l->trace, point)) {
            status = mc_power_advance(l->power, point, error);
            status = status == MC_OK ? judge_point(l, error) : status;
        }
        status = status == MC_OK ? account_all(l, error) : status;
    }
    return status;
}

/* ---- all of it ---- */

static bool open_subjects(mc_loss *l)
{
    for (uint32_t i = 0; i < MC_LOSS_SUBJECTS; i++) {
        l->subject[i] = (mc_loss_subject){.loss = l, .who = i};
        l->subject[i].checked =
            (mc_checked){.trace = &l->j->trace, .page_size = l->j->history.page_size};
        bool used = i == MC_LOSS_CONTROL || i < l->j->importers->count;
        l->subject[i].trie = used ? mc_trie_open() : NULL;
        if (used && l->subject[i].trie == NULL) {
            return false;
        }
    }
    return true;
}

static void close_loss(mc_loss *l)
{
    for (uint32_t i = 0; i < MC_LOSS_SUBJECTS; i++) {
        mc_trie_free(l->subject[i].trie);
        mc_idmap_free(&l->subject[i].known);
        free(l->subject[i].end);
        free(l->subject[i].checked.bytes);
        free(l->subject[i].outcome);
    }
    mc_loss_free_shares(&l->point);
    mc_loss_free_splits(l);
    free(l->split);
    free(l->point.share);
    for (uint32_t i = 0; i < l->layout_count; i++) {
        free_layout(&l->layout[i]);
    }
    free(l->layout);
    mc_idmap_free(&l->seen);
    mc_idmap_free(&l->proved);
    for (uint32_t k = 0; l->match != NULL && k < l->j->history.snapshot_count; k++) {
        mpz_clear(l->match[k]);
    }
    free(l->match);
    mpz_clears(l->rest, l->layout_lost, l->resolved, l->point_total, l->point_lost, l->taken[0],
               l->taken[1], l->layout_total, NULL);
    mc_lazy_close(l->lazy);
    mc_power_close(l->power);
    for (uint32_t f = 0; l->laid != NULL && f < l->trace.base.file_count; f++) {
        mc_arena_free(&l->laid[f].arena);
    }
    free(l->laid);
    free(l->shown);
    free(l->file);
    free(l->states.choice);
    mpz_clear(l->states.times);
    mc_disk_free(&l->trace.base);
    mc_arena_free(&l->arena);
    mc_arena_free(&l->ends);
}

static mc_status open_loss(mc_loss *l, mc_error *error)
{
    mc_judging *j = l->j;
    mpz_inits(l->rest, l->layout_lost, l->resolved, l->point_total, l->point_lost, l->taken[0],
              l->taken[1], l->layout_total, NULL);
    l->arena.limit_bytes = SIZE_MAX / 2;
    l->ends.limit_bytes = SIZE_MAX / 2;
    l->trace = j->trace;
    l->trace.base = (mc_disk){0};
    l->match = calloc(j->history.snapshot_count, sizeof *l->match);
    for (uint32_t k = 0; l->match != NULL && k < j->history.snapshot_count; k++) {
        mpz_init(l->match[k]);
    }
    bool ok = l->match != NULL && mc_disk_copy(&l->trace.base, &j->trace.base);
    uint32_t files = ok ? l->trace.base.file_count : 0;
    l->laid = calloc(files + 1, sizeof *l->laid);
    l->shown = calloc(files + 1, sizeof *l->shown);
    l->file = calloc(files + 1, sizeof *l->file);
    l->states.file = l->file;
    l->states.file_count = files;
    l->states.choice = calloc(files + 1, sizeof *l->states.choice);
    mpz_init_set_ui(l->states.times, 1);
    ok = ok && l->laid != NULL && l->shown != NULL && l->file != NULL && l->states.choice != NULL;
    for (uint32_t f = 0; ok && f < files; f++) {
        l->laid[f].arena.limit_bytes = SIZE_MAX / 2;
    }
    l->power = ok ? mc_power_open(&l->trace, j->options->power) : NULL;
    l->lazy = ok ? mc_lazy_open(&j->history, j->main_slot) : NULL;
    return l->power != NULL && l->lazy != NULL && open_subjects(l) ? MC_OK
                                                                   : mc_loss_no_memory(error);
}

mc_status mc_loss_judge(mc_judging *j, mc_cell *cell, mc_error *error)
{
    mc_loss *l = calloc(1, sizeof *l);
    cell->proof = malloc(sizeof *cell->proof);
    if (l == NULL || cell->proof == NULL) {
        free(l);
        free(cell->proof);
        cell->proof = NULL;
        return mc_loss_no_memory(error);
    }
    mc_proof_init(cell->proof);
    l->j = j;
    l->cell = cell;
    l->proof = cell->proof;
    mc_status status = open_loss(l, error);
    status = status == MC_OK ? judge_trace(l, error) : status;
    if (status == MC_OK) {
        cell->proof->runs = mc_trie_runs(l->subject[MC_LOSS_CONTROL].trie);
        cell->unique = mc_trie_leaves(l->subject[MC_LOSS_CONTROL].trie);
    }
    close_loss(l);
    free(l);
    return status;
}
