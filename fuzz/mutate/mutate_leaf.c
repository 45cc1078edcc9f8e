/* mutate_leaf.c: a mutation of plain bytes of our own. */
#include "fuzz/mutate/mutate_edit.h"

#include <string.h>

enum { RUN_BYTES_MAX = 64, STEP_MAX = 35 };

static uint64_t state;

void mc_mutate_leaf_seed(uint64_t seed)
{
    state = seed;
}

static size_t run_within(mc_edit *edit, size_t most)
{
    size_t longest = mc_edit_one_in(edit, 8) || most < RUN_BYTES_MAX ? most : RUN_BYTES_MAX;
    return 1 + (size_t)mc_edit_below(edit, longest);
}

static bool flip(mc_edit *edit)
{
    edit->data[mc_edit_below(edit, edit->size)] ^= (uint8_t)(1u << mc_edit_below(edit, 8));
    return true;
}

static bool border(mc_edit *edit)
{
    uint32_t width = 1u << mc_edit_below(edit, 3);
    if (edit->size < width) {
        return false;
    }
    size_t at = mc_edit_below(edit, edit->size - width + 1);
    mc_edit_field(edit, at, width, (uint32_t)edit->size);
    if (width == 4 && mc_edit_one_in(edit, 2)) { /* little-endian, as chunk sizes are */
        uint8_t *p = edit->data + at;
        uint8_t turned[4] = {p[3], p[2], p[1], p[0]};
        memcpy(p, turned, sizeof turned);
    }
    return true;
}

static bool step(mc_edit *edit)
{
    uint8_t *byte = edit->data + mc_edit_below(edit, edit->size);
    *byte =
        (uint8_t)(*byte + 1 + mc_edit_below(edit, STEP_MAX) - mc_edit_below(edit, STEP_MAX + 2));
    return true;
}

static bool copy(mc_edit *edit)
{
    size_t bytes = run_within(edit, edit->size);
    size_t from = mc_edit_below(edit, edit->size - bytes + 1);
    size_t to = mc_edit_below(edit, edit->size - bytes + 1);
    memmove(edit->data + to, edit->data + from, bytes);
    return true;
}

static bool fill(mc_edit *edit)
{
    size_t bytes = run_within(edit, edit->size);
    size_t at = mc_edit_below(edit, edit->size - bytes + 1);
    memset(edit->data + at, (int)mc_edit_border(edit, edit->data[at], ' ', 8), bytes);
    return true;
}

static bool insert(mc_edit *edit)
{
    size_t room = edit->capacity - edit->size;
    if (room == 0) {
        return false;
    }
    size_t bytes = run_within(edit, room < RUN_BYTES_MAX ? room : RUN_BYTES_MAX);
    size_t at = mc_edit_below(edit, edit->size + 1);
    if (!mc_edit_splice(edit, at, 0, NULL, bytes)) {
        return false;
    }
    if (at >= bytes && mc_edit_one_in(edit, 2)) {
        memcpy(edit->data + at, edit->data + at - bytes, bytes);
    } else {
        memset(edit->data + at, (int)mc_edit_below(edit, 256), bytes);
    }
    return true;
}

static bool cut(mc_edit *edit)
{
    if (edit->size < 2) {
        return false;
    }
    size_t bytes = run_within(edit, edit->size - 1);
    size_t at = mc_edit_below(edit, edit->size - bytes + 1);
    return mc_edit_splice(edit, at, bytes, NULL, 0);
}

size_t mc_mutate_leaf(uint8_t *data, size_t size, size_t capacity)
{
    static bool (*const change[])(mc_edit *) = {flip, border, step, copy, fill, insert, cut};
    mc_edit edit = {.data = data, .size = size, .capacity = capacity, .random = &state};
    if (size == 0) {
        data[0] = (uint8_t)mc_edit_below(&edit, 256);
        return 1;
    }
    do {
        while (!change[mc_edit_below(&edit, sizeof change / sizeof *change)](&edit)) {
            continue;
        }
    } while (mc_edit_one_in(&edit, 2));
    return edit.size;
}
