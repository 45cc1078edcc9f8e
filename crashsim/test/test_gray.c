/* test_gray.c: the states of a layout in Gray-code order: each once, each one choice from the one
 * before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "crashsim/gray.h"

enum { CELLS = 7, STATES_MAX = 4096 };

/* Promise: all combinations that are valid are visited, each once; from one to the next one choice
 * of one cell changes, by one. Two files, one of which is not there; cells with one to three
 * alternatives; one write whose cells are chained. */
static void visits_each_once(void **unused)
{
    (void)unused;
    mc_power_cell cell[CELLS] = {
        {.alternatives = 2, .write = 1}, {.alternatives = 3, .write = 2},
        {.alternatives = 1, .write = 2}, {.alternatives = 2, .write = 3},
        {.alternatives = 2, .write = 3}, {.alternatives = 2, .write = 3},
        {.alternatives = 3, .write = 4},
    };
    cell[4].chained = true;
    cell[5].chained = true;
    mc_power_file file[] = {{.exists = true, .cell = cell, .cell_count = CELLS},
                            {.cell = cell, .cell_count = CELLS}};
    uint8_t choice[2][CELLS];
    uint8_t *choices[] = {choice[0], choice[1]};
    mc_states states = {.file = file, .choice = choices, .file_count = 2};
    static uint8_t seen[STATES_MAX][CELLS];
    uint32_t count = 0;
    mc_gray gray = {0};
    uint32_t f = 0;
    uint32_t changed = 0;
    assert_true(mc_gray_begin(&gray, &states));
    do {
        memcpy(seen[count], choice[0], CELLS);
        for (uint32_t k = 0; k < count; k++) {
            assert_int_not_equal(memcmp(seen[k], seen[count], CELLS), 0);
        }
        for (uint32_t i = 0; i < CELLS && count > 0; i++) {
            int step = (int)seen[count][i] - (int)seen[count - 1][i];
            assert_true(i == changed ? step == 1 || step == -1 : step == 0);
        }
        for (uint32_t i = 4; i < 6; i++) {
            assert_true(choice[0][i] == 0 || choice[0][i - 1] == 1);
        }
        count++;
    } while (mc_gray_next(&gray, &f, &changed) && f == 0);
    mpz_t all;
    mpz_init(all);
    mpz_init_set_ui(states.times, 1);
    memset(choice, MC_POWER_UNCHOSEN, sizeof choice);
    mc_states_count(&states, all);
    assert_int_equal(mpz_get_ui(all), 2 * 3 * 4 * 3);
    assert_int_equal(count, mpz_get_ui(all));
    mpz_clears(all, states.times, NULL);
    mc_gray_free(&gray);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(visits_each_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
