/* crashing.h: what crash_fuzzer does with one input: record its program, crash it, let stock SQLite
 * and recover loose on what is left, and hold the result against what was committed.
 *
 * A CRASH piece is
 *
 *     0  u16 LE: the crash point, modulo the number of points (elements of the trace, plus one)
 *     2  u8: kill: where the write at the point is cut, modulo the number of places (0: not begun);
 *        kv: odd when the request at the point was applied
 *     3  power: choices in the order in which mc_power_state asks for them, each modulo the number
 *        of alternatives; behind the last byte everything is kept
 *
 * Missing bytes are 0. Without a CRASH piece the machine dies at the end of the program. A second
 * CRASH piece does the same to the trace of SQLite's recovery from the first; what is left then
 * must be recovered to the very same database.
 *
 * A FAULT piece lets a recovery from the first state fail in the middle:
 *
 *     0  u16 LE: which of its calls of the VFS fails (faultvfs.h), modulo their number
 *     2  u8: odd: no call fails, but the disk is read-only
 *
 * However it ends, the next recovery must give the very same database.
 *
 * The property, for each state: recover and SQLite agree (crashsim/stock.h); what they agree on is
 * within SQLite's promise for the journal modes that the program used (harness/judge/verdict.h),
 * unless a bug of SQLite that is known explains it (harness/judge/defects.h). */
#ifndef MIDCOMMIT_FUZZ_CRASHING_H
#define MIDCOMMIT_FUZZ_CRASHING_H

#include "fuzz/program.h"
#include "harness/judge/verdict.h"

enum { MC_CRASHES_MAX = 2 };

/* One disk state. */
typedef struct mc_crashed {
    bool is_kv;
    mc_disk disk;
    mc_kvstore store; /* its values are the trace's */
    size_t point;
    uint32_t cut;
} mc_crashed;

/* An input that was run up to its first crash. */
typedef struct mc_crash_case {
    mc_fuzz_options options;
    mc_piece piece[MC_CRASHES_MAX]; /* into the input */
    size_t crashes;
    mc_piece fault; /* of size 0: none */
    mc_program program;
    uint32_t modes; /* a bit for each journal mode that it uses */
    mc_trace trace;
    mc_crashed state;
} mc_crash_case;

/* Any error but MC_NO_MEMORY is a finding: every program runs. The program is valid until the next
 * one is opened. Close it after a failure, too. */
mc_status mc_crash_open(const uint8_t *data, size_t size, mc_crash_case *out, mc_error *error);
void mc_crash_close(mc_crash_case *crash_case);

typedef struct mc_crash_report {
    char signature[96]; /* empty: the property holds */
    char text[512];
    mc_fuzz_options options;
    mc_promise promise;
    mc_verdict verdict; /* of the first crash */
    const char *defect; /* the bug of SQLite that explains it; or null */
    size_t point;
    uint32_t cut;
    uint32_t acked;
    uint32_t begun;
    uint32_t commits;
    size_t elements;  /* of the program's trace */
    size_t recovery;  /* elements of the recovery's, when it was crashed too */
    uint64_t calls;   /* of the recovery, when one was to fail */
    int failed;       /* what it then ended with; 0: it did not matter */
    mc_hash128 image; /* what was recovered; 0: refused */
} mc_crash_report;

/* The parts of the property that a test exchanges for broken ones. */
typedef struct mc_crash_rules {
    const mc_importer *recover; /* gets files, or a v1 store: their recoveries differ */
    mc_promise (*promise)(mc_mode mode, mc_sync sync, const char *crash, uint32_t databases,
                          const char **source);
    bool lying_disk; /* the call that fails says that it did not */
} mc_crash_rules;

extern const mc_crash_rules mc_crash_rules_true;

/* Runs one input. False only without memory. The result is a function of the input: what is kept
 * between calls (databases to begin with) is a function of the options that it is found by. */
bool mc_crash_run(const uint8_t *data, size_t size, const mc_crash_rules *rules,
                  mc_crash_report *report);

/* Writes program.sql, which `midcommit run --workload` takes, and the first crash's files; `state`
 * gets what `midcommit explain` takes (mc_target.files). */
mc_status mc_crash_files(const uint8_t *data, size_t size, const char *dir, char *state,
                         size_t state_size, mc_error *error);

#endif
