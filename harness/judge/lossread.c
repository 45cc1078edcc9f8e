/* lossread.c: the readers: SQLite, and the importers that take main as it is. */
#include "harness/judge/losing.h"

#include "core/dbheader.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static uint16_t sidecar(const mc_disk *disk, const char *main, const char *suffix)
{
    char name[MC_DISK_NAME_MAX + 16];
    (void)snprintf(name, sizeof name, "%s%s", main, suffix);
    return mc_disk_find(disk, name);
}

/* What an importer that takes main as it is looks at (core/field.c). */
static void note_field_reads(const mc_disk *disk, const char *main, mc_reads *reads)
{
    static const char *const suffix[] = {"-journal", "-wal", "-shm", ""};
    for (size_t i = 0; i < sizeof suffix / sizeof *suffix; i++) {
        uint16_t number = sidecar(disk, main, suffix[i]);
        if (number != MC_DISK_NONE) {
            mc_reads_exists(reads, number);
        }
        if (number != MC_DISK_NONE && suffix[i][0] == '\0') {
            mc_reads_size(reads, number);
            mc_reads_bytes(reads, number, 0, MC_DBHEADER_BYTES);
        }
    }
}

static mc_end *new_end(mc_loss_subject *s, uint32_t *number)
{
    if (!mc_loss_grow((void **)&s->end, s->end_count, &s->end_capacity, sizeof *s->end)) {
        return NULL;
    }
    *number = s->end_count;
    mc_end *end = &s->end[s->end_count++];
    *end = (mc_end){0};
    return end;
}

static bool settle_pages(mc_loss *l, mc_end *end, uint32_t d, uint32_t pages)
{
    end->page_count[d] = pages;
    end->settled[d] = mc_arena_calloc(&l->ends, pages + 1, sizeof **end->settled);
    return end->settled[d] != NULL;
}

static mc_status run_field(void *context, mc_disk *disk, mc_reads *reads, uint32_t *number,
                           mc_error *error)
{
    mc_loss_subject *s = context;
    mc_loss *l = s->loss;
    mc_judging *j = l->j;
    const mc_importer *core = j->importers->chosen[s->who].core;
    mc_end *end = new_end(s, number);
    mc_arena_reset(&j->arena);
    for (uint32_t d = 0; end != NULL && d < j->trace.database_count; d++) {
        mc_input input = {.kind = MC_INPUT_FILES};
        mc_import import = {0};
        note_field_reads(disk, j->trace.database[d], reads);
        mc_disk_files(disk, j->trace.database[d], &input.files);
        mc_status status = core->import(&input, &j->arena, &import, error);
        if (status == MC_REFUSED) {
            end->refusal = mc_judging_intern(j, error->reason);
        } else if (status != MC_OK) {
            return status;
        } else if (import.image.page_count > 0 && import.image.page_size != j->history.page_size) {
            end->refusal = NULL;
            import.image.page_count = UINT32_MAX; /* equals no snapshot */
        }
        if (!settle_pages(l, end, d,
                          import.image.page_count == UINT32_MAX ? 0 : import.image.page_count)) {
            return mc_loss_no_memory(error);
        }
        if (import.image.page_count == UINT32_MAX) {
            end->page_count[d] = UINT32_MAX;
        }
    }
    return end == NULL ? mc_loss_no_memory(error) : MC_OK;
}

/* Pages that SQLite has changed in part are settled by reading the rest. */
static void read_changed_pages(mc_loss *l, uint16_t number, mc_reads *reads)
{
    const mc_disk *disk = &l->j->trace.base;
    uint32_t page_size = l->j->history.page_size;
    for (size_t i = 0; i < disk->change_count; i++) {
        const mc_disk_change *change = &disk->change[i];
        uint64_t size = disk->file[number].size;
        uint64_t end = change->touched > 0 ? change->offset + change->touched : size;
        uint64_t from = change->touched > 0 ? change->offset : size;
        if (change->file == number) {
            mc_reads_bytes(reads, number, from / page_size * page_size,
                           (end + page_size - 1) / page_size * page_size);
        }
    }
}

static mc_status settle_control(mc_loss *l, mc_end *end, mc_reads *reads, mc_outcome *outcome,
                                mc_error *error)
{
    mc_judging *j = l->j;
    mc_arena_reset(&j->arena);
    for (uint32_t d = 0; d < j->trace.database_count; d++) {
        mc_reads_bytes(reads, j->main_slot[d], 0, MC_DBHEADER_BYTES);
        mc_reads_size(reads, j->main_slot[d]);
        mc_reads_exists(reads, j->main_slot[d]);
        read_changed_pages(l, j->main_slot[d], reads);
    }
    mc_status status = mc_judging_control_images(j, &j->arena, j->given, error);
    for (uint32_t d = 0; status == MC_OK && d < j->trace.database_count; d++) {
        const mc_image *image = &j->given[d];
        uint64_t page_size = j->history.page_size;
        if (!settle_pages(l, end, d, image->page_count)) {
            return mc_loss_no_memory(error);
        }
        for (uint32_t i = 0; i < image->page_count; i++) {
            if (mc_reads_know(reads, j->main_slot[d], i * page_size, (i + 1) * page_size)) {
                end->settled[d][i] = mc_page_hash(i + 1, image->page[i], (uint32_t)page_size);
            }
        }
    }
    return status == MC_OK ? mc_judging_given(j, outcome, error) : status;
}

/* The disk shows a state of which SQLite made `control`. */
static mc_status meet_recover(mc_loss *l, const mc_outcome *control, mc_error *error)
{
    mc_judging *j = l->j;
    for (uint32_t i = 0; i < j->importers->count; i++) {
        if (j->importers->chosen[i].kind == MC_IMPORTER_RECOVER) {
            mc_outcome own;
            mc_status status = mc_judging_outcome(j, i, &own, error);
            char cells[MC_CHOICE_MAX];
            mc_loss_name_cells(l, cells);
            mc_loss_name_state(l, cells);
            return status == MC_OK ? mc_judged_meeting(j, &l->crash, control, &own, error) : status;
        }
    }
    return MC_OK;
}

static mc_status run_control(void *context, mc_disk *disk, mc_reads *reads, uint32_t *number,
                             mc_error *error)
{
    (void)disk;
    mc_loss_subject *s = context;
    mc_loss *l = s->loss;
    mc_judging *j = l->j;
    mc_end *end = new_end(s, number);
    if (end == NULL) {
        return mc_loss_no_memory(error);
    }
    mc_outcome outcome;
    mc_control_answer answer;
    mc_control_note(j->control, reads);
    mc_control_recover(j->control, &answer);
    mc_control_note(j->control, NULL);
    mc_status status = MC_OK;
    if (answer.recovered) {
        status = settle_control(l, end, reads, &outcome, error);
    } else {
        end->refusal = mc_judging_intern(j, answer.text);
        outcome = (mc_outcome){.kind = MC_OUTCOME_REFUSED, .reason = end->refusal};
    }
    mc_control_undo(j->control);
    return status == MC_OK ? meet_recover(l, &outcome, error) : status;
}

static bool checks(void *context, const mc_states *states, const mc_read *read)
{
    mc_loss_subject *s = context;
    return mc_checked_begin(&s->checked, states, read);
}

static bool fails(void *context, const mc_states *states, const mc_read *read)
{
    mc_loss_subject *s = context;
    return mc_checked_fails(&s->checked, states, read);
}

static bool same_end(void *context, uint32_t a, uint32_t b)
{
    const mc_loss_subject *s = context;
    const mc_end *left = &s->end[a];
    const mc_end *right = &s->end[b];
    bool same = left->refusal == right->refusal;
    for (uint32_t d = 0; same && left->refusal == NULL && d < s->loss->j->trace.database_count;
         d++) {
        uint32_t pages = left->page_count[d];
        same = pages == right->page_count[d] &&
               (pages == 0 ||
                memcmp(left->settled[d], right->settled[d], pages * sizeof **left->settled) == 0);
    }
    return same;
}

mc_status mc_loss_walk(mc_loss *l, mc_loss_subject *s,
                       mc_status (*leaf)(void *, uint32_t, mc_error *),
                       mc_status (*unresolved)(void *, mc_error *), mc_error *error)
{
    mc_subject reader = {.context = s, .run = run_field};
    if (s->who == MC_LOSS_CONTROL) {
        reader = (mc_subject){s, run_control, checks, fails, same_end};
    }
    mc_walk w = {.trie = s->trie,
                 .reader = &reader,
                 .states = &l->states,
                 .disk = &l->j->trace.base,
                 .runs_left = l->runs_left,
                 .shown = l->shown,
                 .leaf = leaf,
                 .unresolved = unresolved,
                 .context = s};
    mc_status status = mc_classes_walk(&w, error);
    l->runs_left = w.runs_left;
    mc_reads_free(&w.reads);
    return status;
}
