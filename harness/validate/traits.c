#include "harness/validate/traits.h"

#include <string.h>

enum { UNIT = 512 };

const char *const mc_trait_names[MC_TRAITS] = {
    "made, not there",   "deleted, there",
    "shorter",           "longer",
    "older bytes in it", "zeros in place of bytes",
    "a write torn",      "a write missing before a later one",
};
const char *const mc_trait_roles[MC_TRAIT_ROLES] = {"main", "journal", "wal"};

static int role_of(const mc_trace *trace, uint16_t file)
{
    const char *role = mc_file_role(trace, file);
    for (int i = 0; i < MC_TRAIT_ROLES; i++) {
        if (strcmp(role, mc_trait_roles[i]) == 0) {
            return i;
        }
    }
    return -1;
}

static uint32_t bit(int role, mc_trait trait)
{
    return 1u << (role * MC_TRAITS + (int)trait);
}

static bool is_zero(const uint8_t *data, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++) {
        if (data[i] != 0) {
            return false;
        }
    }
    return true;
}

static uint32_t of_file(int role, const mc_disk_file *killed, const mc_disk_file *found)
{
    if (killed->exists != found->exists) {
        return bit(role, killed->exists ? MC_TRAIT_NOT_MADE : MC_TRAIT_BACK);
    }
    if (!found->exists) {
        return 0;
    }
    uint32_t bits = found->size < killed->size   ? bit(role, MC_TRAIT_SHORTER)
                    : found->size > killed->size ? bit(role, MC_TRAIT_LONGER)
                                                 : 0;
    uint64_t both = found->size < killed->size ? found->size : killed->size;
    for (uint64_t at = 0; at < both; at += UNIT) {
        uint64_t size = both - at < UNIT ? both - at : UNIT;
        if (memcmp(found->data + at, killed->data + at, (size_t)size) != 0) {
            bits |= bit(role, is_zero(found->data + at, size) ? MC_TRAIT_HOLE : MC_TRAIT_OLD);
        }
    }
    return bits;
}

typedef struct kept {
    bool all;  /* every unit of the write is there */
    bool none; /* none is */
} kept;

/* How much of a write is there, if nothing was written over it later; else neither is said. */
static kept look_for(const mc_op *op, const mc_disk_file *killed, const mc_disk_file *found)
{
    kept k = {true, true};
    uint64_t end = op->offset + op->size;
    if (!killed->exists || !found->exists || killed->size < end ||
        memcmp(killed->data + op->offset, op->data, op->size) != 0) {
        return (kept){false, false};
    }
    for (uint64_t at = op->offset, to; at < end; at = to) {
        to = (at / UNIT + 1) * UNIT;
        to = to < end ? to : end;
        bool same = to <= found->size &&
                    memcmp(found->data + at, op->data + (at - op->offset), (size_t)(to - at)) == 0;
        k.all = k.all && same;
        k.none = k.none && !same;
    }
    return k;
}

uint32_t mc_traits_of(const mc_trace *trace, size_t point, const mc_disk *killed,
                      const mc_disk *state)
{
    uint32_t bits = 0;
    uint32_t late = 0; /* roles of which a write is missing so far */
    for (uint32_t i = 0; i < trace->base.file_count; i++) {
        int role = role_of(trace, (uint16_t)i);
        bits |= role < 0 ? 0 : of_file(role, &killed->file[i], &state->file[i]);
    }
    for (size_t i = 0; bits != 0 && i < point; i++) {
        const mc_op *op = &trace->op[i];
        int role = op->kind == MC_OP_WRITE ? role_of(trace, op->file) : -1;
        if (role < 0) {
            continue;
        }
        kept k = look_for(op, &killed->file[op->file], &state->file[op->file]);
        if (k.all) {
            bits |= late;
        } else if (k.none) {
            late |= bit(role, MC_TRAIT_LATE);
        } else if (killed->file[op->file].exists && state->file[op->file].exists) {
            kept whole = look_for(op, &killed->file[op->file], &killed->file[op->file]);
            bits |= whole.all ? bit(role, MC_TRAIT_TORN) : 0;
        }
    }
    return bits;
}
