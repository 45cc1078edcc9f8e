#include "crashsim/gray.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* One digit: a cell, or a cell and those that are chained to it, which fill up one by one. */
struct mc_gray_digit {
    uint32_t file;
    uint32_t first; /* cell */
    uint32_t end;
    uint32_t at; /* the cell that is filled in part; those before it are full, those behind not */
    uint32_t value;  /* the sum of the choices */
    uint32_t values; /* how many there are */
    bool down;
};

static bool make_room(mc_gray *g, uint32_t count)
{
    if (count <= g->capacity) {
        return true;
    }
    mc_gray_digit *digits = realloc(g->digit, count * sizeof *digits);
    g->digit = digits != NULL ? digits : g->digit;
    uint32_t *focus = realloc(g->focus, (count + 1) * sizeof *focus);
    g->focus = focus != NULL ? focus : g->focus;
    if (digits == NULL || focus == NULL) {
        return false;
    }
    g->capacity = count;
    return true;
}

bool mc_gray_begin(mc_gray *g, mc_states *states)
{
    uint32_t cells = 0;
    for (uint32_t f = 0; f < states->file_count; f++) {
        cells += states->file[f].exists ? states->file[f].cell_count : 0;
    }
    g->states = states;
    g->count = 0;
    if (!make_room(g, cells + 1)) {
        return false;
    }
    for (uint32_t f = 0; f < states->file_count; f++) {
        const mc_power_file *file = &states->file[f];
        for (uint32_t i = 0; file->exists && i < file->cell_count;) {
            mc_gray_digit d = {.file = f, .first = i, .end = i, .at = i, .values = 1};
            do {
                d.values += file->cell[d.end].alternatives - 1u;
                states->choice[f][d.end++] = 0;
            } while (d.end < file->cell_count && file->cell[d.end].chained &&
                     file->cell[d.end].write == file->cell[i].write);
            i = d.end;
            if (d.values > 1) {
                g->digit[g->count++] = d;
            }
        }
    }
    for (uint32_t k = 0; k <= g->count; k++) {
        g->focus[k] = k;
    }
    return true;
}

/* One more or less of a digit is there. Returns the cell that changed. */
static uint32_t move(mc_states *states, mc_gray_digit *d)
{
    const mc_power_file *file = &states->file[d->file];
    uint8_t *chosen = states->choice[d->file];
    if (d->down) {
        while (chosen[d->at] == 0) {
            d->at--;
        }
        chosen[d->at]--;
        d->value--;
    } else {
        while (chosen[d->at] + 1u == file->cell[d->at].alternatives) {
            d->at++;
        }
        chosen[d->at]++;
        d->value++;
    }
    return d->at;
}

bool mc_gray_next(mc_gray *g, uint32_t *file, uint32_t *cell)
{
    uint32_t k = g->focus[0];
    g->focus[0] = 0;
    if (k == g->count) {
        return false;
    }
    mc_gray_digit *d = &g->digit[k];
    *file = d->file;
    *cell = move(g->states, d);
    if (d->value == (d->down ? 0 : d->values - 1)) {
        d->down = !d->down;
        g->focus[k] = g->focus[k + 1];
        g->focus[k + 1] = k + 1;
    }
    return true;
}

void mc_gray_free(mc_gray *g)
{
    free(g->digit);
    free(g->focus);
    *g = (mc_gray){0};
}

/* ---- all of a crash point ---- */

enum { LAYOUT_DIGITS_MAX = 256 };

typedef struct exploring {
    mc_power *power;
    mc_states states;
    mc_power_file *file;
    bool *shown;
    mc_gray gray;
    mc_arena arena;
    mc_disk *disk;
    const mc_gray_visitor *visitor;
    uint32_t digit[LAYOUT_DIGITS_MAX]; /* names and lengths */
    uint32_t base[LAYOUT_DIGITS_MAX];
    uint32_t digits;
    uint32_t asked;
    bool most; /* digits begin with all that can be there */
} exploring;

static uint32_t next_digit(void *context, mc_power_item item, const mc_op *op, uint32_t count)
{
    exploring *e = context;
    (void)item;
    (void)op;
    assert(e->asked < LAYOUT_DIGITS_MAX);
    if (e->asked == e->digits) {
        e->digit[e->digits++] = e->most ? count - 1 : 0;
    }
    e->base[e->asked] = count;
    return e->digit[e->asked++];
}

static bool step_digits(exploring *e)
{
    for (; e->digits > 0; e->digits--) {
        if (++e->digit[e->digits - 1] < e->base[e->digits - 1]) {
            return true;
        }
    }
    return false;
}

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "power: out of memory");
}

static mc_status lay(exploring *e, mc_error *error)
{
    mc_status status = MC_OK;
    mc_arena_reset(&e->arena);
    e->asked = 0;
    mc_power_metadata(e->power, next_digit, e);
    for (uint16_t f = 0; status == MC_OK && f < e->states.file_count; f++) {
        status = mc_power_lay(e->power, f, next_digit, e, &e->arena, &e->file[f], error);
        uint32_t cells = status == MC_OK ? e->file[f].cell_count : 0;
        e->states.choice[f] = mc_arena_alloc(&e->arena, cells + 1);
        if (status == MC_OK && e->states.choice[f] == NULL) {
            status = no_memory(error);
        }
        if (status == MC_OK) {
            memset(e->states.choice[f], MC_POWER_UNCHOSEN, cells);
        }
    }
    return status;
}

static mc_status show_cell(const exploring *e, uint32_t number, uint32_t cell, mc_error *error)
{
    const mc_power_file *file = &e->file[number];
    const mc_power_cell *c = &file->cell[cell];
    mc_power_bytes(file, e->states.choice[number], c->unit_from, c->unit_to,
                   e->disk->file[number].data + c->unit_from);
    return e->visitor->changed == NULL ? MC_OK
                                       : e->visitor->changed(e->visitor->context, (uint16_t)number,
                                                             c->unit_from, c->unit_to, error);
}

static mc_status visit_layout(exploring *e, uint64_t *visited, mc_error *error)
{
    uint32_t file;
    uint32_t cell;
    mc_disk_clear(e->disk);
    memset(e->shown, 0, e->states.file_count * sizeof *e->shown);
    if (!mc_gray_begin(&e->gray, &e->states) || !mc_states_show(&e->states, e->disk, e->shown)) {
        return no_memory(error);
    }
    ++*visited;
    mc_status status =
        e->visitor->laid == NULL ? MC_OK : e->visitor->laid(e->visitor->context, error);
    status = status == MC_OK ? e->visitor->state(e->visitor->context, error) : status;
    while (status == MC_OK && mc_gray_next(&e->gray, &file, &cell)) {
        ++*visited;
        status = show_cell(e, file, cell, error);
        status = status == MC_OK ? e->visitor->state(e->visitor->context, error) : status;
    }
    return status;
}

/* How many states there are, or more than `budget`. */
static mc_status count_states(exploring *e, uint64_t budget, uint64_t *count, mc_error *error)
{
    mc_status status = MC_OK;
    mpz_t of_layout;
    mpz_init(of_layout);
    *count = 0;
    e->digits = 0;
    /* The layout with all that can be there mostly has the most states: if these are too many, no
     * other has to be laid. */
    for (e->most = true; status == MC_OK && *count <= budget; e->most = false) {
        if (!e->most && *count > 0 && !step_digits(e)) {
            break;
        }
        status = lay(e, error);
        if (status == MC_OK) {
            mc_states_count(&e->states, of_layout);
            bool fits = mpz_cmp_ui(of_layout, budget) <= 0;
            *count = !fits ? budget + 1 : e->most ? 0 : *count + mpz_get_ui(of_layout);
        }
        e->digits = e->most ? 0 : e->digits;
    }
    mpz_clear(of_layout);
    return status;
}

mc_status mc_gray_explore(mc_power *power, uint32_t file_count, mc_disk *disk, uint64_t budget,
                          const mc_gray_visitor *visitor, uint64_t *visited, mc_error *error)
{
    exploring e = {.power = power, .disk = disk, .visitor = visitor};
    uint64_t count = 0;
    *visited = 0;
    e.arena.limit_bytes = SIZE_MAX / 2;
    e.file = calloc(file_count + 1, sizeof *e.file);
    e.shown = calloc(file_count + 1, sizeof *e.shown);
    e.states = (mc_states){.file = e.file, .file_count = file_count};
    e.states.choice = calloc(file_count + 1, sizeof *e.states.choice);
    mpz_init_set_ui(e.states.times, 1);
    mc_status status = e.file != NULL && e.shown != NULL && e.states.choice != NULL
                           ? count_states(&e, budget, &count, error)
                           : no_memory(error);
    e.digits = 0;
    while (status == MC_OK && count <= budget) {
        status = lay(&e, error);
        status = status == MC_OK ? visit_layout(&e, visited, error) : status;
        if (!step_digits(&e)) {
            break;
        }
    }
    if (status == MC_OK && count <= budget && *visited != count) {
        status = mc_fail(error, MC_IO, "states", "power: not all states were visited");
    }
    mpz_clear(e.states.times);
    mc_gray_free(&e.gray);
    mc_arena_free(&e.arena);
    free(e.file);
    free(e.shown);
    free(e.states.choice);
    return status;
}
