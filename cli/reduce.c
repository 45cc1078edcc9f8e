#include "cli/commands.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/options.h"
#include "harness/outfile.h"
#include "harness/reduce.h"
#include "harness/replay.h"
#include "reports/shell.h"

static const mc_option table[] = {
    {"output", "OUT", "the smaller case, or a folder for it; also -o OUT", NULL},
    {"importer", "LIST", "exec: and so: importers of the case that may run", NULL},
    {NULL, NULL, NULL, NULL},
};

static void print_size(const char *what, uint64_t before, uint64_t after)
{
    if (before != after) {
        printf("  %-22s %8" PRIu64 " -> %" PRIu64 "\n", what, before, after);
    }
}

static void print_result(const mc_reduced *r, const mc_case *c, const char *out)
{
    printf("%s\n", mc_case_text(c, "signature"));
    if (r->no_program) {
        printf("  nothing removed: the case has no program\n");
    }
    print_size("statements", r->before.statements, r->after.statements);
    print_size("statements of setup", r->before.setup, r->after.setup);
    print_size("transactions", r->before.commits, r->after.commits);
    print_size("pages", r->before.pages, r->after.pages);
    print_size("torn writes", r->before.torn_write, r->after.torn_write);
    print_size("bytes of disk state", r->before.bytes, r->after.bytes);
    if (!r->no_program) {
        printf("  %u programs were run; %s\n", r->tried,
               r->minimal ? "nothing more can go" : "more might go: the effort was spent");
        mc_file sql = mc_case_file(c, "workload.sql");
        printf("\n%.*s", (int)sql.size, (const char *)sql.data);
    }
    printf("\n    ");
    mc_shell_word(stdout, program_invocation_name);
    printf(" explain ");
    mc_shell_word(stdout, out);
    printf("\n");
}

/* In a folder a case is called after its signature. */
static const char *name_in_folder(const char *path, const mc_case *c, char *out, size_t size)
{
    struct stat info;
    char name[200];
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) {
        return path;
    }
    mc_case_name_of(mc_case_text(c, "signature"), name, sizeof name);
    (void)snprintf(out, size, "%s/%s", path, name);
    return out;
}

int mc_command_reduce(int argc, char **argv)
{
    mc_arguments a;
    mc_error error;
    mc_status status = mc_options_parse(
        table, "reduce CASE -o OUT [options]",
        "Shrinks a case to a smaller one with the same signature, and says what was removed.", argc,
        argv, &a, &error);
    if (status != MC_OK || a.help) {
        return status == MC_OK ? MC_EXIT_OK : mc_options_fail(&error);
    }
    const char *path = mc_options_get(&a, "output");
    if (a.operand_count != 1 || path == NULL) {
        (void)mc_fail(&error, MC_USAGE, "usage",
                      "reduce: exactly one CASE, and -o OUT; see midcommit reduce --help");
        return mc_options_fail(&error);
    }
    mc_case c = {0};
    mc_case smaller = {0};
    mc_importers importers = {0};
    mc_reduced reduced;
    status = mc_case_read(a.operand[0], &c, &error);
    status = status == MC_OK
                 ? mc_replay_importers(&c, mc_options_get(&a, "importer"), &importers, &error)
                 : status;
    status = status == MC_OK ? mc_reduce(&c, &importers, 0, &smaller, &reduced, &error) : status;
    char place[4400];
    if (status == MC_OK) {
        path = name_in_folder(path, &smaller, place, sizeof place);
        status = mc_case_write(&smaller, path, &error);
    }
    if (status == MC_OK && strcmp(path, "-") != 0) {
        print_result(&reduced, &smaller, path);
    }
    mc_case_free(&smaller);
    mc_case_free(&c);
    mc_importers_free(&importers);
    return status == MC_OK ? MC_EXIT_OK : mc_options_fail(&error);
}
