/* sqltext.h: SQL taken apart as text: a program into statements, a statement into tokens. Nothing
 * is understood but what ends a statement (SQLite says it) and what a token is. */
#ifndef MIDCOMMIT_HARNESS_CASE_SQLTEXT_H
#define MIDCOMMIT_HARNESS_CASE_SQLTEXT_H

#include "crashsim/workload.h"

enum { MC_SQLTEXT_TOKENS_MAX = 600 };

typedef struct mc_sqltext {
    const char *token[MC_SQLTEXT_TOKENS_MAX]; /* each with the white space behind it */
    uint32_t count;
} mc_sqltext;

/* Fills setup and program of `program` (whose arena is set) from a FILE.sql, one statement or
 * directive a script. */
mc_status mc_sqltext_program(const char *text, size_t size, mc_program *program, mc_error *error);

/* False without memory, or for a statement of too many tokens. */
bool mc_sqltext_split(mc_sqltext *out, const char *statement, mc_arena *arena);

/* The tokens for which `keep` holds (null: all), put together; null without memory. */
const char *mc_sqltext_join(const mc_sqltext *text, const bool *keep, mc_arena *arena);

/* The value of a token that is a whole number, else 0. */
uint64_t mc_sqltext_number(const mc_sqltext *text, uint32_t token);
bool mc_sqltext_set_number(mc_sqltext *text, uint32_t token, uint64_t value, mc_arena *arena);

#endif
