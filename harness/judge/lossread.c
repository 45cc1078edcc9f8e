/* lossread.c: the readers: SQLite, and the importers that take main as it is. */
#include "harness/judge/losing.h"

#include "core/dbheader.h"
#include "harness/judge/settle.h"

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
        }
        bool foreign =
            import.image.page_count > 0 && import.image.page_size != j->history.page_size;
        end->page_count[d] = foreign ? UINT32_MAX : import.image.page_count; /* of no snapshot */
    }
    return end == NULL ? mc_loss_no_memory(error) : MC_OK;
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
    mc_status status = mc_settle(j, j->control, reads, &l->ends, end, &outcome, error);
    return status == MC_OK ? meet_recover(l, &outcome, error) : status;
}

static bool checks(void *context, const mc_states *states, const mc_read *read, uint64_t *from,
                   uint64_t *to)
{
    mc_loss_subject *s = context;
    if (!mc_checked_begin(&s->checked, states, read)) {
        return false;
    }
    if (!s->checked.is_wal) { /* of a frame, all is read */
        *from = s->checked.page_at;
        *to = s->checked.page_at + s->checked.page_size;
    }
    return true;
}

static bool fails(void *context, const mc_states *states, const mc_read *read)
{
    mc_loss_subject *s = context;
    return mc_checked_fails(&s->checked, states, read);
}

static uint64_t weight(void *context, const mc_states *states, const mc_read *read)
{
    mc_loss_subject *s = context;
    return mc_checked_weight(&s->checked, states, read);
}

static void weights(void *context, const uint64_t **right, uint32_t *count)
{
    mc_loss_subject *s = context;
    *right = s->checked.weight;
    *count = s->checked.weight_count;
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
        reader = (mc_subject){.context = s,
                              .run = run_control,
                              .checks = checks,
                              .fails = fails,
                              .weight = weight,
                              .weights = weights,
                              .same = same_end,
                              .around = l->j->history.page_size + MC_CHECKED_BESIDE_PAGE};
    }
    mc_walk w = {.trie = s->trie,
                 .reader = &reader,
                 .states = &l->states,
                 .disk = &l->j->trace.base,
                 .runs_left = l->runs_left,
                 .leaves_left = l->classes_left,
                 .shown = l->shown,
                 .leaf = leaf,
                 .unresolved = unresolved,
                 .context = s};
    mc_status status = mc_classes_walk(&w, error);
    l->runs_left = w.runs_left;
    l->classes_left = w.leaves_left;
    mc_reads_free(&w.reads);
    return status;
}
