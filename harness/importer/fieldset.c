#include "harness/importer/fieldset.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const mc_field_row mc_field_rows[] = {
    {"@cp", "cp.sh", mc_field_cp, "cp of the main file"},
    {"@cp-wal", "cp-wal.sh", mc_field_cp_wal,
     "cp of main and WAL, not the journal; the copy is checkpointed"},
    {"@cp-live", "cp-live.sh", mc_field_cp_live,
     "cp block by block; half way the service restarts and recovers"},
    {"@.backup", "backup.sh", mc_field_backup, "sqlite3 main.db '.backup out.db'"},
    {"@vacuum", "vacuum.sh", mc_field_vacuum, "sqlite3 main.db \"VACUUM INTO 'out.db'\""},
    {"@readonly", "readonly.sh", mc_field_readonly, "sqlite3 -readonly main.db '.backup out.db'"},
    {"@immut", "immutable.sh", mc_field_immutable, "the same of file:main.db?immutable=1"},
    {"@.recover", "recover.sh", NULL, "sqlite3 main.db .recover | sqlite3 out.db"},
    {"@header", "header.sh", mc_field_header, "cp, if magic, page size and whole pages are right"},
    {"@pages", "pages.sh", mc_field_pages, "@header, and if the header counts the pages there are"},
    {"@quick-ck", "quick-check.sh", mc_field_quick_check, "cp, if PRAGMA quick_check says ok"},
    {"@integ-ck", "integrity-check.sh", mc_field_integrity_check,
     "cp, if PRAGMA integrity_check says ok"},
    {NULL, NULL, NULL, NULL},
};

const mc_field_row *mc_fieldset_find(const char *name)
{
    for (const mc_field_row *row = mc_field_rows; row->script != NULL; row++) {
        if (strcmp(row->name, name) == 0) {
            return row;
        }
    }
    return NULL;
}

/* "FOLDER/../share/midcommit/field", where FOLDER is this program's; empty when it is too long. */
static void installed_folder(char *out, size_t size)
{
    char program[4096];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    program[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(program, '/');
    int length = 0;
    if (slash != NULL) {
        *slash = '\0';
        length = snprintf(out, size, "%s/%s/midcommit/field", program, MIDCOMMIT_DATA_FROM_BIN);
    }
    if (slash == NULL || length < 0 || (size_t)length >= size) {
        out[0] = '\0';
    }
}

mc_status mc_fieldset_script(const mc_field_row *row, char *path, size_t size, mc_error *error)
{
    char installed[4096];
    installed_folder(installed, sizeof installed);
    const char *const folder[] = {installed, MIDCOMMIT_FIELD_SOURCE};
    for (size_t i = 0; i < sizeof folder / sizeof *folder; i++) {
        int n = snprintf(path, size, "%s/%s", folder[i], row->script);
        if (folder[i][0] != '\0' && n > 0 && (size_t)n < size && access(path, X_OK) == 0) {
            return MC_OK;
        }
    }
    return mc_fail(error, MC_IO, "importer", "--importer %s: no %s to execute in %s or %s",
                   row->name, row->script, folder[0], folder[1]);
}

mc_status mc_fieldset_shell(char *version, size_t size, bool *able, mc_error *error)
{
    char ignored[64];
    FILE *shell = popen("sqlite3 -version 2>/dev/null && exec sqlite3 -init /dev/null :memory: "
                        "'SELECT count(*) FROM sqlite_dbpage' 2>/dev/null",
                        "re");
    bool said = shell != NULL && fgets(version, (int)size, shell) != NULL;
    while (shell != NULL && fgets(ignored, sizeof ignored, shell) != NULL) {
    }
    *able = shell != NULL && pclose(shell) == 0;
    if (!said) {
        version[0] = '\0';
        return mc_fail(
            error, MC_IO, "sqlite3",
            "--importer @.recover: there is no sqlite3 program in PATH (package sqlite3)");
    }
    version[strcspn(version, " \n")] = '\0';
    return MC_OK;
}
