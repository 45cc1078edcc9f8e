/* mutate_program.c: programs, statements of four bytes (an op and three operands); and the choices
 * of a crash or of how a database is made, which are small integers. */
#include "fuzz/mutate/mutate_edit.h"

#include <string.h>

enum { STATEMENT_BYTES = 4, SMALL = 16 };

static mc_units statements_of(const mc_edit *edit)
{
    return (mc_units){0, STATEMENT_BYTES, edit->size / STATEMENT_BYTES};
}

static uint8_t small_or_border(mc_edit *edit, uint8_t old)
{
    return mc_edit_one_in(edit, 2) ? (uint8_t)mc_edit_below(edit, SMALL)
                                   : (uint8_t)mc_edit_border(edit, old, SMALL, 8);
}

static bool statement_op(mc_edit *edit)
{
    mc_units units = statements_of(edit);
    if (units.count == 0) {
        return false;
    }
    uint8_t *op = edit->data + STATEMENT_BYTES * (size_t)mc_edit_below(edit, units.count);
    *op = small_or_border(edit, *op);
    return true;
}

static bool statement_operand(mc_edit *edit)
{
    mc_units units = statements_of(edit);
    if (units.count == 0) {
        return false;
    }
    uint8_t *operand = edit->data + STATEMENT_BYTES * (size_t)mc_edit_below(edit, units.count) + 1 +
                       mc_edit_below(edit, STATEMENT_BYTES - 1);
    *operand = small_or_border(edit, *operand);
    return true;
}

static bool statement_insert(mc_edit *edit)
{
    uint8_t statement[STATEMENT_BYTES];
    for (size_t i = 0; i < STATEMENT_BYTES; i++) {
        statement[i] = small_or_border(edit, 0);
    }
    return mc_units_insert(edit, statements_of(edit), statement);
}

static bool statement_swap(mc_edit *edit)
{
    return mc_units_swap(edit, statements_of(edit));
}

static bool statement_duplicate(mc_edit *edit)
{
    return mc_units_duplicate(edit, statements_of(edit));
}

static bool statement_delete(mc_edit *edit)
{
    return mc_units_delete(edit, statements_of(edit));
}

/* A run of them once more, at the end: what loops in a workload do. */
static bool statement_repeat(mc_edit *edit)
{
    mc_units units = statements_of(edit);
    if (units.count < 2) {
        return false;
    }
    size_t from = mc_edit_below(edit, units.count);
    size_t count = 1 + (size_t)mc_edit_below(edit, units.count - from);
    size_t end = units.count * STATEMENT_BYTES;
    if (!mc_edit_splice(edit, end, 0, NULL, count * STATEMENT_BYTES)) {
        return false;
    }
    memcpy(edit->data + end, edit->data + from * STATEMENT_BYTES, count * STATEMENT_BYTES);
    return true;
}

static bool choice_value(mc_edit *edit)
{
    if (edit->size == 0) {
        return false;
    }
    uint8_t *byte = edit->data + mc_edit_below(edit, edit->size);
    *byte = small_or_border(edit, *byte);
    return true;
}

static bool choice_step(mc_edit *edit)
{
    if (edit->size == 0) {
        return false;
    }
    uint8_t *byte = edit->data + mc_edit_below(edit, edit->size);
    *byte = (uint8_t)(*byte + (mc_edit_one_in(edit, 2) ? 1 : 255));
    return true;
}

static bool choice_insert(mc_edit *edit)
{
    uint8_t byte = small_or_border(edit, 0);
    return mc_units_insert(edit, (mc_units){0, 1, edit->size}, &byte);
}

static bool choice_delete(mc_edit *edit)
{
    return edit->size > 1 && mc_units_delete(edit, (mc_units){0, 1, edit->size});
}

static bool bytes_leaf(mc_edit *edit)
{
    if (edit->capacity == 0) {
        return false;
    }
    edit->size = edit->leaf(edit->data, edit->size, edit->capacity);
    return true;
}

static const mc_mutation program_rows[] = {
    {"statement: op", statement_op, false},
    {"statement: operand", statement_operand, false},
    {"statement: insert", statement_insert, false},
    {"statement: swap", statement_swap, false},
    {"statement: delete", statement_delete, false},
    {"statement: duplicate", statement_duplicate, false},
    {"statement: repeat", statement_repeat, false},
};

static const mc_mutation crash_rows[] = {
    {"choice: value", choice_value, false},
    {"choice: step", choice_step, false},
    {"choice: insert", choice_insert, false},
    {"choice: delete", choice_delete, false},
};

static const mc_mutation bytes_rows[] = {{"bytes", bytes_leaf, false}};

const mc_mutation_table mc_mutate_program = {MC_PIECE_PROGRAM, program_rows,
                                             sizeof program_rows / sizeof *program_rows, NULL};
const mc_mutation_table mc_mutate_crash = {MC_PIECE_CRASH, crash_rows,
                                           sizeof crash_rows / sizeof *crash_rows, NULL};
const mc_mutation_table mc_mutate_bytes = {0, bytes_rows, 1, NULL};
