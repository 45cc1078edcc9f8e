/* importers.h: the importers of one run, by name: built-in, stock SQLite, a user's program or
 * library.
 *
 *     reject, abandon, recover    core's (core/importer.h)
 *     sqlite                      the control itself, judged like any other
 *     exec:CMD                    CMD runs in a fresh directory that holds the state's files
 *                                 (main.db and sidecars, or kv.jsonl) and writes out.db there; exit
 *                                 0: imported, exit 3: refused; anything else, or more than 60 s,
 *                                 is a failure of the importer and ends the run. If CMD
 *                                 is the path of an executable file, that program is started, with
 *                                 the directory as its argument; otherwise CMD is a shell command
 *                                 with the directory as $1
 *     so:PATH                     a shared library that exports midcommit_importer()
 *     @cp and others, @field      ready ones, in the same folder and under the same rules as exec:
 *                                 (harness/importer/fieldset.h); all of them
 *     broken:NAME                 a recovery with one mistake (broken.h) */
#ifndef MIDCOMMIT_HARNESS_IMPORTER_IMPORTERS_H
#define MIDCOMMIT_HARNESS_IMPORTER_IMPORTERS_H

#include "core/importer.h"
#include "crashsim/disk.h"
#include "crashsim/kvstore.h"

enum { MC_IMPORTERS_MAX = 24 };

typedef enum mc_importer_kind {
    MC_IMPORTER_REJECT,
    MC_IMPORTER_ABANDON,
    MC_IMPORTER_RECOVER,
    MC_IMPORTER_SQLITE,
    MC_IMPORTER_EXEC,
    MC_IMPORTER_SO,
    MC_IMPORTER_BROKEN
} mc_importer_kind;

typedef struct mc_chosen {
    mc_importer_kind kind;
    const char *name;        /* as given: "recover", "exec:./mine.sh" */
    const mc_importer *core; /* all but sqlite and exec */
    const char *command;     /* exec: CMD; of a ready script its name again */
    const char *program;     /* exec: absolute path when CMD is an executable file; else null */
} mc_chosen;

typedef struct mc_importers {
    mc_arena arena; /* owns names */
    mc_chosen chosen[MC_IMPORTERS_MAX];
    uint32_t count;
    bool ready;       /* a ready one is among them: only files can be imported */
    char shell[32];   /* version of the sqlite3 program, when a ready one needs it; else "" */
    bool named_only;  /* libraries were not loaded: nothing may be imported */
    const char *left; /* of @field, not among them because that program cannot do it; or null */
} mc_importers;

/* Parses a comma list ("reject,abandon,so:./mine.so"); a comma inside an exec: command is written
 * "\,". An unknown or repeated name, or a library without the right interface, is MC_USAGE; a ready
 * one whose script or sqlite3 program is not there is MC_IO. */
mc_status mc_importers_parse(const char *list, mc_importers *out, mc_error *error);

/* The same without loading libraries, for whoever only wants to know who they are. */
mc_status mc_importers_name(const char *list, mc_importers *out, mc_error *error);
void mc_importers_free(mc_importers *importers);

/* Appends a name to a comma list as mc_importers_parse takes it. False when there is no room, or a
 * list cannot have the name: a '\\' at its end would take the next comma into it. */
bool mc_importers_append(char *list, size_t size, const char *name);

/* reject, abandon, recover and sqlite, and then those of `list` that are none of them. */
mc_status mc_importers_usual(const char *list, mc_importers *out, mc_error *error);

/* If there is an exec: importer: makes a folder for all of a run's and names it in TMPDIR, so that
 * nothing stays when a worker is killed. `*scratch` is null when none was needed. */
mc_status mc_importers_scratch(const mc_importers *importers, char **scratch, mc_error *error);
void mc_importers_remove_scratch(char *scratch); /* and frees it; null is fine */

/* The time that importers are measured with, in nanoseconds. */
uint64_t mc_importers_clock(void);

/* Runs an exec: importer on the database `main_name` of a disk, or on a store when `store` is not
 * null. The image lies in `arena`. MC_REFUSED: it exited with 3. An out.db that SQLite would not
 * open gives MC_MALFORMED: imported, and unreadable. `*nanoseconds` is the time from the start of
 * the importer to its end; the files lay there before. */
mc_status mc_importers_exec(const mc_chosen *chosen, const mc_disk *disk, const char *main_name,
                            const mc_kvstore *store, mc_arena *arena, mc_import *out,
                            uint64_t *nanoseconds, mc_error *error);

#endif
