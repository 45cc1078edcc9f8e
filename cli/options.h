/* options.h: command lines from a table: one row per option gives parsing, --help and errors. */
#ifndef MIDCOMMIT_CLI_OPTIONS_H
#define MIDCOMMIT_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/result.h"

/* Exit status of every command. */
enum { MC_EXIT_OK = 0, MC_EXIT_FINDING = 1, MC_EXIT_USAGE = 2, MC_EXIT_FAILED = 3 };

typedef struct mc_option {
    const char *name;     /* without dashes; a row without name ends the table */
    const char *argument; /* its name in --help; null: a flag */
    const char *help;     /* one line */
    const char *initial;  /* default as text, shown in --help; null: none */
} mc_option;

enum { MC_OPTIONS_MAX = 48 };

typedef struct mc_arguments {
    const mc_option *option;
    const char *value[MC_OPTIONS_MAX]; /* by row: as given, else the default; a given flag: "" */
    bool given[MC_OPTIONS_MAX];
    char **operand; /* what is left */
    int operand_count;
    bool help; /* --help was given and answered */
} mc_arguments;

/* Parses argv (argv[0] is the command's name). Prints the help on standard output if it is asked
 * for. MC_USAGE with a one-line error otherwise. */
mc_status mc_options_parse(const mc_option *table, const char *synopsis, const char *about,
                           int argc, char **argv, mc_arguments *out, mc_error *error);

/* The value of an option by name; null when it was not given and has no default. */
const char *mc_options_get(const mc_arguments *arguments, const char *name);
bool mc_options_given(const mc_arguments *arguments, const char *name);

/* Those of the options `names` (ended by null) that were given, as words of a shell with a space in
 * front of each. */
void mc_options_repeat(const mc_arguments *arguments, const char *const *names, char *out,
                       size_t size);

/* A whole number from `least` to `most`. */
mc_status mc_options_number(const mc_arguments *arguments, const char *name, uint64_t least,
                            uint64_t most, uint64_t *out, mc_error *error);

/* A comma list of words, as bits by their index in `words`. */
mc_status mc_options_words(const mc_arguments *arguments, const char *name,
                           const char *const *words, uint32_t count, uint32_t *bits,
                           mc_error *error);

/* Prints "midcommit: what: why" and returns the exit status that belongs to the error. */
int mc_options_fail(const mc_error *error);

#endif
