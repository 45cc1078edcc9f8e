/* midcommit: kills SQLite in the middle of commits and says what is left. */
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/options.h"

typedef struct command {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv); /* null: belongs to the tool and is not built yet */
} command;

static const command commands[] = {
    {"run", "crash, import, classify: the main job", mc_command_run},
    {"explain", "the story of one crash state or case", mc_command_explain},
    {"migrate", "import one real database or v1 dump, with the verdict on its input",
     mc_command_migrate},
    {"bench", "states per second of each path, against the usual way", mc_command_bench},
    {"replay", "judge stored cases again", mc_command_replay},
    {"reduce", "shrink a case", mc_command_reduce},
    {"record", "record an unmodified program's SQLite I/O", NULL},
    {"report", "the report page; or what changed between two runs", mc_command_report},
};

static void print_help(void)
{
    printf("usage: midcommit COMMAND [options]\n\n");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        printf("  %-8s %s%s\n", commands[i].name, commands[i].summary,
               commands[i].run == NULL ? " (not built yet)" : "");
    }
    printf("\nEvery command takes --help. SQLite under test: %s.\n", sqlite3_libversion());
}

/* What was printed must have arrived: a full disk is no success. */
static int finish(int status)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0) {
        return status;
    }
    (void)fprintf(stderr, "midcommit: standard output: it could not be written whole\n");
    return MC_EXIT_FAILED;
}

int main(int argc, char **argv)
{
    (void)signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        (void)fprintf(stderr, "midcommit: no command; see midcommit --help\n");
        return MC_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help();
        return finish(MC_EXIT_OK);
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("midcommit %s, SQLite %s\n", MIDCOMMIT_VERSION, sqlite3_libversion());
        return MC_EXIT_OK;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(argv[1], commands[i].name) == 0 && commands[i].run != NULL) {
            return finish(commands[i].run(argc - 1, argv + 1));
        }
        if (strcmp(argv[1], commands[i].name) == 0) {
            if (argc > 2 && strcmp(argv[2], "--help") == 0) {
                printf("midcommit %s: %s. Not built yet.\n", argv[1], commands[i].summary);
                return finish(MC_EXIT_OK);
            }
            (void)fprintf(stderr, "midcommit: %s: not built yet\n", argv[1]);
            return MC_EXIT_USAGE;
        }
    }
    (void)fprintf(stderr, "midcommit: %s: no such command; see midcommit --help\n", argv[1]);
    return MC_EXIT_USAGE;
}
