/* powerstate.c: the bytes of laid files, and one state by answers. */
#include "crashsim/powering.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Garbage is a function of its place that repeats every 256 bytes. */
static void put_garbage(uint64_t from, uint64_t to, uint8_t *out)
{
    enum { PERIOD = 256 };
    static uint8_t pattern[2 * PERIOD];
    if (pattern[0] == 0) {
        for (uint32_t i = 0; i < 2 * PERIOD; i++) {
            pattern[i] = (uint8_t)(i * 167 + 13);
        }
    }
    while (from < to) {
        size_t count = to - from < PERIOD ? (size_t)(to - from) : PERIOD;
        memcpy(out, pattern + from % PERIOD, count);
        out += count;
        from += count;
    }
}

void mc_power_put_cell(const mc_power_cell *cell, uint8_t choice, uint64_t from, uint64_t to,
                       uint8_t *out)
{
    uint32_t most = cell->alternatives - 1u;
    uint32_t chosen = choice < most ? choice : most;
    if (chosen == most) {
        uint64_t first = cell->from > from ? cell->from : from;
        uint64_t end = cell->to < to ? cell->to : to;
        if (first < end) {
            memcpy(out + (first - from), cell->data + (first - cell->from), (size_t)(end - first));
        }
    } else if (chosen == 1) {
        uint64_t first = cell->unit_from > from ? cell->unit_from : from;
        put_garbage(first, cell->unit_to < to ? cell->unit_to : to, out + (first - from));
    }
}

void mc_power_bytes(const mc_power_file *file, const uint8_t *choice, uint64_t from, uint64_t to,
                    uint8_t *out)
{
    assert(from <= to && to <= file->size);
    if (from == to) {
        return; /* an empty file need not have a place */
    }
    uint64_t sure = file->sure < from ? from : file->sure < to ? file->sure : to;
    if (sure > from) {
        memcpy(out, file->bytes + from, (size_t)(sure - from));
    }
    if (file->garbage) {
        put_garbage(sure, to, out + (sure - from));
    } else {
        memset(out + (sure - from), 0, (size_t)(to - sure));
    }
    if (file->cell_count == 0) {
        return;
    }
    uint32_t end = file->block[(to - 1) / MC_POWER_BLOCK_BYTES + 1];
    for (uint32_t i = file->block[from / MC_POWER_BLOCK_BYTES]; i < end; i++) {
        uint32_t cell = file->by_block[i];
        mc_power_put_cell(&file->cell[cell], choice[cell], from, to, out);
    }
}

/* Asks for the cells of one write that begin at `first`; returns where the next write's begin. */
static uint32_t ask_write(const mc_power *p, const mc_power_file *file, uint32_t first,
                          uint8_t *choice)
{
    enum { GONE, TORN };
    const mc_power_cell *cell = file->cell;
    uint32_t end = first;
    uint32_t free_cells = 0;
    bool damages = false;
    while (end < file->cell_count && cell[end].write == cell[first].write) {
        free_cells += cell[end].alternatives > 1;
        damages = damages || cell[end].alternatives > 2;
        end++;
    }
    mc_power_event about = {.op = (size_t)(cell[first].op - p->trace->op)};
    bool linear = !p->profile->tear_any;
    bool splits = free_cells > 1 || damages;
    uint32_t whole = free_cells == 0 ? 0 : linear ? free_cells : splits ? 2 : 1;
    uint32_t kept = mc_power_ask(p, MC_POWER_WRITE, &about, whole + 1);
    uint32_t number = 0;
    for (uint32_t i = first; i < end; i++) {
        uint32_t most = cell[i].alternatives - 1u;
        choice[i] = (uint8_t)most;
        if (most == 0) {
            continue;
        }
        if (linear) {
            choice[i] = (uint8_t)(number < kept ? most : 0);
        } else if (kept != whole) {
            choice[i] =
                (uint8_t)(kept == TORN ? mc_power_ask(p, MC_POWER_UNIT, &about, most + 1) : GONE);
        }
        number++;
    }
    return end;
}

/* What ask_write asks for the cells of one write, answered by their choices. */
static uint32_t answer_write(const mc_power *p, const mc_power_file *file, uint32_t first,
                             const uint8_t *choice, void (*say)(void *, uint32_t), void *context)
{
    const mc_power_cell *cell = file->cell;
    uint32_t end = first;
    uint32_t free_cells = 0;
    uint32_t there = 0;
    bool damages = false;
    bool damaged = false;
    while (end < file->cell_count && cell[end].write == cell[first].write) {
        uint32_t most = cell[end].alternatives - 1u;
        free_cells += most > 0;
        damages = damages || most > 1;
        there += most > 0 && choice[end] >= most;
        damaged = damaged || (most > 1 && choice[end] == 1);
        end++;
    }
    bool linear = !p->profile->tear_any;
    bool splits = free_cells > 1 || damages;
    if (free_cells == 0) {
        return end;
    }
    if (linear || !splits) {
        say(context, there);
        return end;
    }
    bool torn = damaged || (there > 0 && there < free_cells);
    say(context, torn ? 1 : there == 0 ? 0 : 2);
    for (uint32_t i = first; torn && i < end; i++) {
        uint32_t most = cell[i].alternatives - 1u;
        if (most > 0) {
            say(context, choice[i] < most ? choice[i] : most);
        }
    }
    return end;
}

void mc_power_answers(const mc_power *p, const mc_power_file *file, uint8_t *const *choice,
                      void (*say)(void *context, uint32_t answer), void *context)
{
    for (uint32_t f = 0; f < p->trace->base.file_count; f++) {
        for (uint32_t i = 0; file[f].exists && i < file[f].cell_count;) {
            i = answer_write(p, &file[f], i, choice[f], say, context);
        }
    }
}

static bool put_file(const mc_power *p, const mc_power_file *file, uint16_t number, mc_arena *arena,
                     mc_disk *disk)
{
    uint8_t *choice = mc_arena_alloc(arena, file->cell_count + 1);
    uint8_t *bytes = mc_arena_alloc(arena, (size_t)file->size + 1);
    if (choice == NULL || bytes == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < file->cell_count;) {
        i = ask_write(p, file, i, choice);
    }
    mc_power_bytes(file, choice, 0, file->size, bytes);
    return mc_disk_create(disk, number) &&
           mc_disk_write(disk, number, 0, bytes, (size_t)file->size);
}

mc_status mc_power_state(const mc_trace *trace, size_t point, const mc_power_profile *profile,
                         mc_power_choose choose, void *context, mc_arena *arena, mc_disk *disk,
                         mc_error *error)
{
    uint32_t files = trace->base.file_count;
    mc_power *p = mc_power_open(trace, profile);
    mc_power_file *file = mc_arena_calloc(arena, files, sizeof *file);
    if (p == NULL || file == NULL) {
        mc_power_close(p);
        return mc_power_no_memory(error);
    }
    mc_status status = mc_power_advance(p, point, error);
    if (status == MC_OK) {
        mc_power_metadata(p, choose, context);
    }
    for (uint16_t i = 0; status == MC_OK && i < files; i++) {
        status = mc_power_lay(p, i, choose, context, arena, &file[i], error);
    }
    for (uint32_t i = 0; status == MC_OK && i < files; i++) {
        uint16_t number = mc_disk_slot(disk, trace->base.file[i].name);
        assert(number == MC_DISK_NONE || number == i);
        if (number == MC_DISK_NONE ||
            (file[i].exists && !put_file(p, &file[i], number, arena, disk))) {
            status = mc_power_no_memory(error);
        }
    }
    mc_power_close(p);
    return status;
}
