#include "fuzz/seeds/seedcrash.h"

#include <stdio.h>
#include <string.h>

#include "fuzz/pieces.h"

/* Statements as crash_fuzzer's program.h numbers them, of four bytes each. Every byte string is a
 * program there, so a number that moves makes of a seed another program, never a bad one. */
#define INSERT(table, size, rows) "\0" table size rows
#define UPDATE(table, size, rows) "\2" table size rows
#define UPDATE_ONE(table, k, id) "\3" table k id
#define REPLACE(table, size, id) "\4" table size id
#define DELETE(table, rows) "\5" table "\0" rows
#define BEGIN "\6\0\0\0"
#define COMMIT "\7\0\0\0"
#define ROLLBACK "\x09\0\0\0"
#define SAVEPOINT "\x0a\0\0\0"
#define RELEASE "\x0b\0\0\0"
#define ROLLBACK_TO "\x0c\0\0\0"
#define CHECKPOINT(kind) "\x0d" kind "\0\0"
#define VACUUM "\x0f\0\0\0"
#define MODE(mode) "\x10" mode "\0\0"
#define INCREMENTAL "\x11\2\0\0"
#define INDEX(table, off) "\x12" table off "\0"
#define TABLE_ANEW "\x13\0\0\0"
#define CACHE "\x14\3\0\0"
#define REOPEN "\x15\0\0\0"
#define READER "\x16\0\0\0"
#define VERSION "\x17\5\0\0"

static const struct {
    const char *name;
    const char *bytes;
    size_t size;
} programs[] = {
#define PROGRAM(name, text)                                                                        \
    {                                                                                              \
        name, text, sizeof(text) - 1                                                               \
    }
    PROGRAM("rows", INSERT("\0", "\3", "\2") UPDATE("\0", "\2", "\2") DELETE("\0", "\1")),
    PROGRAM("one", UPDATE_ONE("\0", "\7", "\3")),
    PROGRAM("overflow", INSERT("\1", "\7", "\1") REPLACE("\1", "\6", "\1") DELETE("\1", "\0")),
    PROGRAM("spill", CACHE BEGIN INSERT("\1", "\6", "\3") UPDATE("\1", "\5", "\0")
                         INSERT("\0", "\6", "\3") UPDATE("\0", "\5", "\0") COMMIT VERSION),
    PROGRAM("undo", BEGIN INSERT("\0", "\5", "\3") ROLLBACK UPDATE("\0", "\2", "\3")),
    PROGRAM("savepoint", CACHE BEGIN UPDATE("\1", "\6", "\0") SAVEPOINT UPDATE("\1", "\7", "\0")
                             ROLLBACK_TO DELETE("\1", "\1") RELEASE COMMIT),
    PROGRAM("index", INDEX("\0", "\0") UPDATE("\0", "\3", "\1") INDEX("\0", "\1") TABLE_ANEW),
    PROGRAM("vacuum", DELETE("\1", "\1") VACUUM INSERT("\0", "\2", "\1") INCREMENTAL),
    PROGRAM("checkpoint", UPDATE("\0", "\2", "\0") CHECKPOINT("\0") READER UPDATE("\0", "\3", "\1")
                              CHECKPOINT("\1") READER CHECKPOINT("\2") UPDATE_ONE("\0", "\1", "\1")
                                  CHECKPOINT("\3") REOPEN UPDATE("\1", "\3", "\1")),
    PROGRAM("modes", UPDATE_ONE("\0", "\1", "\2") MODE("\3") UPDATE("\0", "\2", "\1") MODE("\2")
                         DELETE("\0", "\1") MODE("\1") UPDATE_ONE("\0", "\2", "\2")),
#undef PROGRAM
};

/* Mode, synchronous, page size, cache, auto_vacuum and rows, crash model, profile or build, seed.
 */
static const struct {
    const char *name;
    uint8_t bytes[8];
} options[] = {
    {"delete-kill", {0, 2, 0, 1, 4, 0, 0, 0}},     {"truncate-kill", {1, 2, 1, 1, 5, 0, 0, 1}},
    {"persist-kill", {2, 1, 0, 1, 6, 0, 0, 0}},    {"memory-kill", {3, 2, 0, 0, 4, 0, 0, 0}},
    {"off-kill", {4, 2, 0, 0, 4, 0, 0, 0}},        {"wal-kill", {5, 2, 0, 1, 4, 0, 0, 2}},
    {"empty-kill", {0, 2, 0, 0, 16, 0, 0, 0}},     {"delete-power-0", {0, 2, 0, 1, 4, 1, 0, 0}},
    {"delete-power-1", {0, 3, 0, 1, 8, 1, 1, 0}},  {"truncate-power-2", {1, 2, 1, 1, 4, 1, 2, 0}},
    {"persist-power-3", {2, 2, 0, 1, 4, 1, 3, 0}}, {"wal-power-0", {5, 1, 0, 1, 4, 1, 0, 0}},
    {"wal-power-1", {5, 2, 0, 1, 4, 1, 1, 0}},     {"kv-journal", {0, 1, 3, 1, 4, 3, 0, 0}},
    {"kv-batch", {0, 1, 3, 1, 4, 3, 1, 0}},        {"kv-batch-128", {0, 1, 3, 1, 4, 3, 2, 0}},
};

static uint8_t next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (uint8_t)(*state >> 24);
}

/* One input; every fourth dies again, in another fourth the recovery fails, and the choices of what
 * survives are spread, too. */
static mc_status put(mc_seeds *seeds, size_t p, size_t o, uint32_t number, mc_error *error)
{
    uint8_t input[512];
    uint8_t crash[12];
    size_t size = 0;
    char name[MC_SEED_NAME_BYTES];
    uint32_t state = number * 2654435761u + 1;
    bool fits = mc_pieces_add(input, &size, sizeof input, MC_PIECE_OPTIONS, options[o].bytes,
                              sizeof options[o].bytes) &&
                mc_pieces_add(input, &size, sizeof input, MC_PIECE_PROGRAM, programs[p].bytes,
                              programs[p].size);
    for (uint32_t i = 0; i < (number % 4 == 3 ? 2u : 1u); i++) {
        for (size_t at = 0; at < sizeof crash; at++) {
            crash[at] = next(&state);
        }
        fits = fits && mc_pieces_add(input, &size, sizeof input, MC_PIECE_CRASH, crash,
                                     3 + next(&state) % (sizeof crash - 3));
    }
    if (number % 4 == 2) {
        const uint8_t fault[] = {next(&state), 0, (uint8_t)(number / 4 % 2)};
        fits =
            fits && mc_pieces_add(input, &size, sizeof input, MC_PIECE_FAULT, fault, sizeof fault);
    }
    (void)snprintf(name, sizeof name, "%s-%s-%u", programs[p].name, options[o].name, number % 2);
    return fits ? mc_seeds_put(seeds, MC_SEED_CRASH, name, input, size, error) : MC_OK;
}

mc_status mc_seed_crashes(mc_seeds *seeds, mc_error *error)
{
    mc_status status = MC_OK;
    uint32_t number = 0;
    for (size_t p = 0; p < sizeof programs / sizeof *programs; p++) {
        for (size_t o = 0; status == MC_OK && o < sizeof options / sizeof *options; o++) {
            status = put(seeds, p, o, number, error);
            status = status == MC_OK ? put(seeds, p, o, number + 1, error) : status;
            number += 2;
        }
    }
    return status;
}
