/* emitting.h: the inside of emit.h: what the three back ends share. */
#ifndef MIDCOMMIT_REPORTS_EMITTING_H
#define MIDCOMMIT_REPORTS_EMITTING_H

#include <stdio.h>

#include "reports/emit.h"

/* How stock tools do what the importer does. */
typedef enum mc_emit_way {
    MC_EMIT_OPEN,     /* SQLite opens the database with its sidecars: sqlite, and recover */
    MC_EMIT_ABANDON,  /* the sidecars are removed first */
    MC_EMIT_REJECT,   /* refused when a sidecar is there; SQLite says what was refused */
    MC_EMIT_ELSEWHERE /* not at all: they build the files, and midcommit goes on */
} mc_emit_way;

/* What must come out. `low` and `high` bound the snapshot that the database equals. */
typedef struct mc_emit_expected {
    bool refusal; /* the importer refuses, and the rest is about what SQLite recovers */
    bool none;    /* it equals no snapshot; low and high say nothing */
    uint32_t low;
    uint32_t high;
    bool sound;   /* integrity_check says ok */
    bool unsound; /* it says something else */
} mc_emit_expected;

typedef struct mc_emission {
    const mc_case *c;
    mc_arena arena;
    const char *subject;
    const char *verdict;
    mc_emit_way way;
    mc_emit_expected expected;
    bool is_kv;
    uint32_t acked;
    uint32_t begun;
    uint32_t databases;
    mc_packed *file; /* the state's files as SQLite sees them, then the snapshots */
    uint32_t file_count;
} mc_emission;

extern const char *const mc_emit_sidecars[3]; /* "-journal", "-wal", "-shm" */

/* A text of the case in printable ASCII: other bytes become '?', and what would begin or end a
 * comment of C, or a trigraph, is pulled apart. At most `most` bytes, then "...". */
void mc_emit_plain(FILE *out, const char *text, size_t most);

/* The same as text, in the arena; null without memory. */
const char *mc_emit_plain_text(mc_emission *e, const char *text);

/* What the emitted text is and what it shows, as comment lines that begin with `lead`. */
void mc_emit_about(const mc_emission *e, const char *lead, FILE *out);

/* The operations near the crash and what each importer makes of what it left, likewise. */
void mc_emit_story(const mc_emission *e, const char *lead, FILE *out);

/* How to go on where the way is MC_EMIT_ELSEWHERE: one line of printable ASCII. */
void mc_emit_go_on(const mc_emission *e, FILE *out);

/* The back ends. They write to memory; what `out` cannot take shows when it is closed. */
mc_status mc_emit_sql(mc_emission *e, FILE *out, mc_error *error);
mc_status mc_emit_sh(mc_emission *e, FILE *out, mc_error *error);
mc_status mc_emit_c(mc_emission *e, FILE *out, mc_error *error);

#endif
