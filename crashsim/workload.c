/* workload.c: the table of workloads, and how a name becomes a program. */
#include "crashsim/workload.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "crashsim/workload_make.h"

enum { TEXTS_FIRST = 64 };

#define EVERY_MODE ((1u << MC_MODES) - 1)
#define WAL_MODE (1u << MC_MODE_WAL)
/* With journal_mode=OFF there is nothing to roll back with: the result of ROLLBACK is undefined. */
#define ROLLBACK_MODES (EVERY_MODE & ~(1u << MC_MODE_OFF))
/* The modes in which a transaction over two databases writes a super-journal (vdbeaux.c
 * vdbeCommit). */
#define SUPER_JOURNAL_MODES                                                                        \
    ((1u << MC_MODE_DELETE) | (1u << MC_MODE_TRUNCATE) | (1u << MC_MODE_PERSIST))

#define SWITCH_MODES (SUPER_JOURNAL_MODES | WAL_MODE)

const mc_workload mc_workloads[] = {
    {"grow", "an empty directory becomes a database that every transaction lengthens", 12,
     EVERY_MODE, true, mc_make_grow, false},
    {"inplace", "updates of fixed size to rows all over a table: nothing moves, nothing grows", 8,
     EVERY_MODE, true, mc_make_inplace, false},
    {"indexed", "rows changed, removed and added under two indexes: b-trees split and merge", 12,
     EVERY_MODE, true, mc_make_indexed, false},
    {"spill", "transactions larger than the cache: pages reach the file before COMMIT", 3,
     EVERY_MODE, true, mc_make_spill, false},
    {"ddl", "tables, indexes, views and triggers made, altered and dropped", 2, EVERY_MODE, true,
     mc_make_ddl, false},
    {"overflow", "rows of several pages whose chains grow, shrink and are freed", 16, EVERY_MODE,
     true, mc_make_overflow, false},
    {"vacuum", "VACUUM after a third of the rows went: every page is rewritten, the file shrinks",
     3, EVERY_MODE, true, mc_make_vacuum, false},
    {"shrink", "auto_vacuum moves pages to the front and cuts the file at each commit", 9,
     EVERY_MODE, false, mc_make_shrink, false},
    {"freed", "pages taken and freed within one transaction, some of them spilled in between", 6,
     EVERY_MODE, true, mc_make_freed, false},
    {"rollback", "transactions that spill and are rolled back, between others that commit", 3,
     ROLLBACK_MODES, true, mc_make_rollback, false},
    {"savepoint", "nested savepoints rolled back to after they spilled, then written over", 2,
     ROLLBACK_MODES, true, mc_make_savepoint, false},
    {"attach", "transactions over two databases, tied together by a super-journal", 6,
     SUPER_JOURNAL_MODES, false, mc_make_attach, false},
    {"checkpoint", "passive, full, restart and truncate checkpoints, with and without a reader", 2,
     WAL_MODE, false, mc_make_checkpoint, false},
    {"walreset", "the WAL starts over: few new frames before many stale ones", 4, WAL_MODE, false,
     mc_make_walreset, false},
    {"blob", "blobs that grow step by step over the limits of cell, page and chain", 18, EVERY_MODE,
     true, mc_make_blob, false},
    {"modes", "the journal mode changes between commits, to WAL and back", 2, SWITCH_MODES, false,
     mc_make_modes, false},
    {"equal", "commits that change nothing, and contents that return: snapshots that are equal", 3,
     EVERY_MODE, true, mc_make_equal, false},
    {"mixed", "a seeded random program of everything above", 24, EVERY_MODE, true, mc_make_mixed,
     false},
    {"sampled",
     "pages whose bytes that a journal's checksum looks at are zero; runs if it is named", 2,
     EVERY_MODE, true, mc_make_sampled, true},
    {NULL, NULL, 0, 0, false, NULL, false},
};

const mc_workload *mc_workload_find(const char *name)
{
    for (const mc_workload *row = mc_workloads; row->name != NULL; row++) {
        if (strcmp(row->name, name) == 0) {
            return row;
        }
    }
    return NULL;
}

mc_status mc_program_add(mc_program *program, mc_script *script, mc_error *error,
                         const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    assert(size >= 0);
    char *text = mc_arena_alloc(program->arena, (size_t)size + 1);
    if (script->count == script->capacity) {
        uint32_t capacity = script->capacity == 0 ? TEXTS_FIRST : script->capacity * 2;
        const char **moved = mc_arena_calloc(program->arena, capacity, sizeof *moved);
        if (moved != NULL && script->count > 0) {
            memcpy(moved, script->text, script->count * sizeof *moved);
        }
        script->text = moved;
        script->capacity = capacity;
    }
    if (text == NULL || script->text == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "workload: no memory for %u statements",
                       script->count);
    }
    va_start(arguments, format);
    (void)vsnprintf(text, (size_t)size + 1, format, arguments);
    va_end(arguments);
    script->text[script->count++] = text;
    return MC_OK;
}

static bool looks_like_path(const char *name)
{
    size_t size = strlen(name);
    return strchr(name, '/') != NULL || (size > 4 && strcmp(name + size - 4, ".sql") == 0);
}

mc_status mc_program_make(mc_program *program, const mc_record_options *options, mc_error *error)
{
    const mc_workload *row = mc_workload_find(options->workload);
    if (row == NULL) {
        if (looks_like_path(options->workload)) {
            return mc_make_from_file(program, options->workload, error);
        }
        return mc_fail(error, MC_USAGE, "no-such-workload",
                       "%s: no such workload, and not the path of a .sql file", options->workload);
    }
    if ((row->modes & (1u << options->mode)) == 0) {
        return mc_fail(error, MC_USAGE, "workload-mode", "%s: not made for journal mode %s",
                       row->name, mc_mode_names[options->mode]);
    }
    if (options->kv && !row->kv) {
        return mc_fail(error, MC_USAGE, "workload-kv", "%s: does not run on the v1 store",
                       row->name);
    }
    mc_record_options filled = *options;
    filled.txns = options->txns == 0 ? row->txns : options->txns;
    return row->make(program, &filled, error);
}
