#include "cli/options.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/shell.h"

enum { KNOWN_BYTES = 160 };

static int row_of(const mc_arguments *arguments, const char *name)
{
    for (int i = 0; arguments->option[i].name != NULL; i++) {
        if (strcmp(arguments->option[i].name, name) == 0) {
            return i;
        }
    }
    assert(false && "an option that is not in the table");
    return 0;
}

static void print_help(const mc_option *table, const char *synopsis, const char *about)
{
    printf("usage: midcommit %s\n\n%s\n\n", synopsis, about);
    for (const mc_option *o = table; o->name != NULL; o++) {
        char left[64];
        (void)snprintf(left, sizeof left, "--%s%s%s", o->name, o->argument != NULL ? " " : "",
                       o->argument != NULL ? o->argument : "");
        printf("  %-24s %s%s%s%s\n", left, o->help, o->initial != NULL ? " [" : "",
               o->initial != NULL ? o->initial : "", o->initial != NULL ? "]" : "");
    }
    printf(
        "  %-24s %s\n\nexit status: 0 as expected, 1 a finding, 2 wrong usage, 3 could not run\n",
        "--help", "this text");
}

mc_status mc_options_parse(const mc_option *table, const char *synopsis, const char *about,
                           int argc, char **argv, mc_arguments *out, mc_error *error)
{
    struct option rows[MC_OPTIONS_MAX + 2] = {{0}};
    int count = 0;
    memset(out, 0, sizeof *out);
    out->option = table;
    for (; table[count].name != NULL; count++) {
        assert(count < MC_OPTIONS_MAX);
        bool takes = table[count].argument != NULL;
        rows[count] = (struct option){table[count].name, takes ? required_argument : no_argument,
                                      NULL, 256 + count};
        out->value[count] = table[count].initial;
    }
    rows[count] = (struct option){"help", no_argument, NULL, 'h'};
    opterr = 0;
    optind = 0; /* GNU: start over, so that a process may parse more than one line */
    for (;;) {
        int at = optind == 0 ? 1 : optind;
        int c = getopt_long(argc, argv, ":ho:", rows, NULL);
        if (c == -1) {
            break;
        }
        if (c == 'h') {
            print_help(table, synopsis, about);
            out->help = true;
            return MC_OK;
        }
        int output = 0;
        while (table[output].name != NULL && strcmp(table[output].name, "output") != 0) {
            output++;
        }
        if (c == 'o') { /* short for --output, where there is one */
            c = table[output].name != NULL ? 256 + output : '?';
        }
        if (c == ':') {
            return mc_fail(error, MC_USAGE, "usage",
                           "%s: %s needs a value; see midcommit %s --help", argv[0], argv[at],
                           argv[0]);
        }
        if (c == '?') {
            return mc_fail(error, MC_USAGE, "usage",
                           "%s: unknown option %s; see midcommit %s --help", argv[0], argv[at],
                           argv[0]);
        }
        out->value[c - 256] = optarg != NULL ? optarg : "";
        out->given[c - 256] = true;
    }
    out->operand = argv + optind;
    out->operand_count = argc - optind;
    return MC_OK;
}

const char *mc_options_get(const mc_arguments *arguments, const char *name)
{
    return arguments->value[row_of(arguments, name)];
}

bool mc_options_given(const mc_arguments *arguments, const char *name)
{
    return arguments->given[row_of(arguments, name)];
}

void mc_options_repeat(const mc_arguments *arguments, const char *const *names, char *out,
                       size_t size)
{
    FILE *text = fmemopen(out, size, "w");
    out[0] = '\0';
    for (; text != NULL && *names != NULL; names++) {
        if (mc_options_given(arguments, *names)) {
            (void)fprintf(text, " --%s ", *names);
            mc_shell_word(text, mc_options_get(arguments, *names));
        }
    }
    if (text != NULL) {
        (void)fclose(text);
    }
}

mc_status mc_options_number(const mc_arguments *arguments, const char *name, uint64_t least,
                            uint64_t most, uint64_t *out, mc_error *error)
{
    const char *text = mc_options_get(arguments, name);
    char *end = NULL;
    errno = 0;
    unsigned long long value = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
    if (end == NULL || *end != '\0' || errno != 0 || value < least || value > most) {
        return mc_fail(error, MC_USAGE, "usage",
                       "--%s: \"%s\" is not a whole number from %llu to %llu", name, text,
                       (unsigned long long)least, (unsigned long long)most);
    }
    *out = value;
    return MC_OK;
}

mc_status mc_options_words(const mc_arguments *arguments, const char *name,
                           const char *const *words, uint32_t count, uint32_t *bits,
                           mc_error *error)
{
    const char *at = mc_options_get(arguments, name);
    *bits = 0;
    for (;;) {
        size_t size = strcspn(at, ",");
        uint32_t i = 0;
        while (i < count && (strlen(words[i]) != size || strncmp(words[i], at, size) != 0)) {
            i++;
        }
        if (i == count) {
            char known[KNOWN_BYTES] = ""; /* an error has one line */
            for (uint32_t k = 0; k < count; k++) {
                size_t have = strlen(known);
                bool fits = have + strlen(words[k]) + strlen(", , ...") < sizeof known;
                (void)snprintf(known + have, sizeof known - have, "%s%s", k > 0 ? ", " : "",
                               fits ? words[k] : "...");
                k = fits ? k : count;
            }
            return mc_fail(error, MC_USAGE, "usage", "--%s: \"%.*s\" is none of %s", name,
                           (int)size, at, known);
        }
        *bits |= 1u << i;
        if (at[size] == '\0') {
            return MC_OK;
        }
        at += size + 1;
    }
}

int mc_options_fail(const mc_error *error)
{
    (void)fprintf(stderr, "midcommit: %s\n", error->text);
    return error->status == MC_USAGE ? MC_EXIT_USAGE : MC_EXIT_FAILED;
}
