/* program.h: a database and a program as bytes, for crash_fuzzer.
 *
 * Every byte string is an OPTIONS piece and every one is a PROGRAM piece. What the options are:
 *
 *     0  journal mode: modulo 6, in the order of mc_mode
 *     1  synchronous: modulo 4, in the order of mc_sync
 *     2  page size: modulo 8 in 512, 1024, 512, 4096, 512, 1024, 512, 8192
 *     3  cache pages: modulo 4 in 0 (SQLite's default), 5, 10, 20
 *     4  bits 0, 1: auto_vacuum none, full, incremental, none; bits 2, 3: that many times four
 *        rows to begin with; bits 4 and 5 both set: no database to begin with, the program
 *        makes it
 *     5  crash model: modulo 4 in kill, power, power, kv (which sets mode delete, page size 4096)
 *     6  power: the profile, modulo the number of rows of mc_power_profiles;
 *        kv: the build of the v1 VFS, modulo MC_KV_BUILDS
 *     7  seed: modulo MC_FUZZ_SEEDS
 *
 * A missing byte is 0. A statement is four bytes: op (modulo the rows of the table in program.c)
 * and three operands. A statement that cannot run where it stands (COMMIT without BEGIN, a
 * checkpoint in a transaction, a second VACUUM) is left out; all that are
 * left run to their end without an error, on every version of SQLite, in time that does not depend
 * on the input. There are at most MC_STATEMENTS_MAX; bytes behind them do not count. */
#ifndef MIDCOMMIT_FUZZ_PROGRAM_H
#define MIDCOMMIT_FUZZ_PROGRAM_H

#include "crashsim/power.h"
#include "crashsim/workload.h"
#include "fuzz/pieces.h"

enum { MC_STATEMENT_BYTES = 4, MC_STATEMENTS_MAX = 8, MC_FUZZ_SEEDS = 2 };

typedef enum mc_model { MC_MODEL_KILL, MC_MODEL_POWER, MC_MODEL_KV } mc_model;

typedef struct mc_fuzz_options {
    mc_record_options record; /* its program is null */
    mc_model model;
    const mc_power_profile *profile; /* power */
    uint8_t auto_vacuum;             /* as PRAGMA auto_vacuum counts: 0, 1 full, 2 incremental */
    uint8_t rows;                    /* in each table, to begin with */
    bool empty;                      /* there is no database to begin with */
} mc_fuzz_options;

/* `piece` may be null: no bytes. */
void mc_fuzz_options_read(const mc_piece *piece, mc_fuzz_options *out);

/* "kill", "kv", or "power:PROFILE": as mc_promise_of names the model. */
const char *mc_fuzz_options_crash(const mc_fuzz_options *options);

/* Decodes the program; its arena must be set, and the rest of it zeroed. `*modes` gets a bit for
 * each journal mode that the program runs in. Fails only without memory. */
mc_status mc_fuzz_program(const mc_fuzz_options *options, const mc_piece *piece,
                          mc_program *program, uint32_t *modes, mc_error *error);

#endif
