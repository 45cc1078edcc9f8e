/* fieldrun.h: what the ready scripts of fieldset.h do, step for step, without starting a process
 * for each state: the same files in the same folder, through the same SQLite calls as the sqlite3
 * program makes. A process costs several times what the import itself does.
 *
 * harness/test/test_field_set.c holds each against its script, verdict by verdict. */
#ifndef MIDCOMMIT_HARNESS_IMPORTER_FIELDRUN_H
#define MIDCOMMIT_HARNESS_IMPORTER_FIELDRUN_H

#include "core/result.h"

/* Imports `folder`/main.db into `folder`/out.db. MC_REFUSED: a gate said no, SQLite could not read
 * it, or there is no main file. MC_IO, MC_NO_MEMORY: the machine failed. */
typedef mc_status (*mc_field_fn)(const char *folder, mc_error *error);

mc_status mc_field_cp(const char *folder, mc_error *error);
mc_status mc_field_cp_wal(const char *folder, mc_error *error);
mc_status mc_field_cp_live(const char *folder, mc_error *error);
mc_status mc_field_backup(const char *folder, mc_error *error);
mc_status mc_field_vacuum(const char *folder, mc_error *error);
mc_status mc_field_readonly(const char *folder, mc_error *error);
mc_status mc_field_immutable(const char *folder, mc_error *error);
mc_status mc_field_header(const char *folder, mc_error *error);
mc_status mc_field_pages(const char *folder, mc_error *error);
mc_status mc_field_quick_check(const char *folder, mc_error *error);
mc_status mc_field_integrity_check(const char *folder, mc_error *error);

#endif
