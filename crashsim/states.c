#include "crashsim/states.h"

#include <assert.h>
#include <string.h>

/* The cells of the write of which `cell` is one. */
static void write_of(const mc_power_file *file, uint32_t cell, uint32_t *first, uint32_t *end)
{
    *first = cell;
    *end = cell + 1;
    while (*first > 0 && file->cell[*first - 1].write == file->cell[cell].write) {
        --*first;
    }
    while (*end < file->cell_count && file->cell[*end].write == file->cell[cell].write) {
        ++*end;
    }
}

bool mc_states_choose(mc_states *states, uint32_t number, uint32_t cell, uint8_t choice)
{
    const mc_power_file *file = &states->file[number];
    uint8_t *chosen = states->choice[number];
    uint32_t first;
    uint32_t end;
    write_of(file, cell, &first, &end);
    bool linear = end - first > 1 && file->cell[end - 1].chained;
    for (uint32_t i = first; linear && i < end; i++) {
        bool open = chosen[i] == MC_POWER_UNCHOSEN || file->cell[i].alternatives == 1;
        if (!open && ((i < cell && choice > chosen[i]) || (i > cell && choice < chosen[i]))) {
            return false;
        }
    }
    for (uint32_t i = first; linear && i < end; i++) {
        if (chosen[i] == MC_POWER_UNCHOSEN && (choice == 0 ? i > cell : i < cell)) {
            chosen[i] = choice;
        }
    }
    chosen[cell] = choice;
    return true;
}

void mc_states_count_file(const mc_states *states, uint32_t number, mpz_t count)
{
    const mc_power_file *file = &states->file[number];
    const uint8_t *chosen = states->choice[number];
    unsigned long twos = 0;
    unsigned long product = 1;
    mpz_set_ui(count, 1);
    for (uint32_t i = 0; i < file->cell_count;) {
        uint32_t write = file->cell[i].write;
        uint32_t open = 0;
        bool linear = false;
        for (; i < file->cell_count && file->cell[i].write == write; i++) {
            const mc_power_cell *cell = &file->cell[i];
            linear = linear || cell->chained;
            if (chosen[i] != MC_POWER_UNCHOSEN || cell->alternatives == 1) {
                continue;
            }
            open++;
            if (cell->alternatives > 2) {
                product *= cell->alternatives;
                open--;
            }
            if (product > UINT32_MAX / 4) {
                mpz_mul_ui(count, count, product);
                product = 1;
            }
        }
        if (linear) {
            mpz_mul_ui(count, count, open + 1);
        } else {
            twos += open;
        }
    }
    mpz_mul_ui(count, count, product);
    mpz_mul_2exp(count, count, twos);
}

void mc_states_count_beside(const mc_states *states, const uint16_t *number, uint32_t numbers,
                            mpz_t count)
{
    mpz_t one;
    mpz_init(one);
    mpz_set(count, states->times);
    for (uint32_t i = 0; i < states->file_count; i++) {
        bool counted = states->file[i].exists;
        for (uint32_t k = 0; k < numbers; k++) {
            counted = counted && number[k] != i;
        }
        if (counted) {
            mc_states_count_file(states, i, one);
            mpz_mul(count, count, one);
        }
    }
    mpz_clear(one);
}

void mc_states_count(const mc_states *states, mpz_t count)
{
    mc_states_count_beside(states, NULL, 0, count);
}

static uint32_t cells_of(const mc_states *states, uint32_t number)
{
    return states->file[number].exists ? states->file[number].cell_count : 0;
}

void mc_states_keep(mc_states *states)
{
    for (uint32_t f = 0; f < states->file_count; f++) {
        uint32_t cells = cells_of(states, f);
        if (cells > 0) {
            memcpy(states->choice[f] + cells, states->choice[f], cells);
        }
    }
}

void mc_states_bring_back(mc_states *states)
{
    for (uint32_t f = 0; f < states->file_count; f++) {
        uint32_t cells = cells_of(states, f);
        if (cells > 0) {
            memcpy(states->choice[f], states->choice[f] + cells, cells);
        }
    }
}

void mc_states_choose_open(mc_states *states, int attempt, uint64_t *random)
{
    for (uint32_t f = 0; f < states->file_count; f++) {
        uint32_t cells = cells_of(states, f);
        for (uint32_t i = 0; i < cells; i++) {
            uint8_t most = (uint8_t)(states->file[f].cell[i].alternatives - 1);
            *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            uint8_t choice = attempt == 0 ? most : 0;
            if (attempt > 1) {
                choice = (uint8_t)((*random >> 33) % (most + 1u));
            }
            if (states->choice[f][i] == MC_POWER_UNCHOSEN && most > 0) {
                (void)mc_states_choose(states, f, i, choice);
            }
        }
    }
}

/* The bytes under a file's cells, laid anew into the file as a whole. */
static void lay_cells(const mc_power_file *file, const uint8_t *chosen, uint8_t *bytes)
{
    mc_power_file bare = *file;
    bare.cell_count = 0;
    for (uint32_t i = 0; i < file->cell_count; i++) {
        const mc_power_cell *cell = &file->cell[i];
        mc_power_bytes(&bare, NULL, cell->unit_from, cell->unit_to, bytes + cell->unit_from);
    }
    for (uint32_t i = 0; i < file->cell_count; i++) {
        mc_power_put_cell(&file->cell[i], chosen[i], 0, file->size, bytes);
    }
}

bool mc_states_show(const mc_states *states, mc_disk *disk, bool *shown)
{
    assert(!disk->logging);
    for (uint32_t i = 0; i < states->file_count; i++) {
        const mc_power_file *file = &states->file[i];
        bool again = shown[i];
        shown[i] = true;
        if (!file->exists) {
            if (!again && disk->file[i].exists && !mc_disk_delete(disk, (uint16_t)i)) {
                return false;
            }
            continue;
        }
        if (!again) {
            if (!mc_disk_create(disk, (uint16_t)i) ||
                !mc_disk_truncate(disk, (uint16_t)i, file->size)) {
                return false;
            }
            mc_power_file bare = *file;
            bare.cell_count = 0;
            mc_power_bytes(&bare, NULL, 0, file->size, disk->file[i].data);
        }
        lay_cells(file, states->choice[i], disk->file[i].data);
    }
    return true;
}
