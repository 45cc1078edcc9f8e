#include "cli/commands.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/options.h"
#include "harness/host/outfile.h"
#include "harness/case/reduce.h"
#include "harness/case/replay.h"
#include "reports/emit.h"
#include "reports/shell.h"

static const mc_option table[] = {
    {"output", "OUT", "the smaller case, or a folder for it; also -o OUT", NULL},
    {"emit", "KIND", "sql, sh or c: write a reproducer that needs no midcommit", NULL},
    {"importer", "LIST", "exec: and so: importers of the case that may run", NULL},
    {NULL, NULL, NULL, NULL},
};

static void print_size(const char *what, uint64_t before, uint64_t after)
{
    if (before != after) {
        printf("  %-22s %8" PRIu64 " -> %" PRIu64 "\n", what, before, after);
    }
}

static void print_result(const mc_reduced *r, const mc_case *c)
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

/* The case, or its reproducer of kind `emit`. A reproducer goes to standard output by default. */
static mc_status write_result(const mc_reduced *reduced, const mc_case *c, uint32_t emit,
                              const char *path, mc_error *error)
{
    char place[4400];
    mc_status status;
    if (emit != 0) {
        char *text = NULL;
        size_t size = 0;
        path = path != NULL ? path : "-";
        status = mc_emit(c, (mc_emit_kind)__builtin_ctz(emit), &text, &size, error);
        status = status == MC_OK ? mc_outfile_put(path, text, size, error) : status;
        free(text);
    } else {
        path = name_in_folder(path, c, place, sizeof place);
        status = mc_case_write(c, path, error);
    }
    if (status == MC_OK && strcmp(path, "-") != 0) {
        print_result(reduced, c);
        printf("\n    ");
        if (emit == 0) {
            mc_shell_word(stdout, program_invocation_name);
            printf(" explain ");
        }
        mc_shell_word(stdout, path);
        printf("\n");
    }
    return status;
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
    uint32_t emit = 0;
    if (mc_options_given(&a, "emit")) {
        status = mc_options_words(&a, "emit", mc_emit_names, MC_EMIT_KINDS, &emit, &error);
        if (status == MC_OK && (emit & (emit - 1)) != 0) {
            status = mc_fail(&error, MC_USAGE, "usage", "--emit: one kind, not a list");
        }
    }
    if (status == MC_OK && (a.operand_count != 1 || (path == NULL && emit == 0))) {
        status = mc_fail(&error, MC_USAGE, "usage",
                         "reduce: exactly one CASE, and -o OUT; see midcommit reduce --help");
    }
    mc_case c = {0};
    mc_case smaller = {0};
    mc_importers importers = {0};
    mc_reduced reduced;
    status = status == MC_OK ? mc_case_read(a.operand[0], &c, &error) : status;
    if (status == MC_OK) {
        mc_error why;
        status = mc_replay_importers(&c, mc_options_get(&a, "importer"), &importers, &why);
        if (status != MC_OK) {
            (void)mc_fail(&error, status, why.reason, "%s: %s", a.operand[0], why.text);
        }
    }
    status = status == MC_OK ? mc_reduce(&c, &importers, 0, &smaller, &reduced, &error) : status;
    status = status == MC_OK ? write_result(&reduced, &smaller, emit, path, &error) : status;
    mc_case_free(&smaller);
    mc_case_free(&c);
    mc_importers_free(&importers);
    return status == MC_OK ? MC_EXIT_OK : mc_options_fail(&error);
}
