/* tabling.h: the inside of the table of a run: what its parts share. */
#ifndef MIDCOMMIT_REPORTS_TABLING_H
#define MIDCOMMIT_REPORTS_TABLING_H

#include "reports/lossrow.h"
#include "reports/report.h"

enum { MC_TABLE_LABEL = 10, MC_TABLE_WORKLOAD = 11 };

/* The last part of a long path: a row has one line. */
const char *mc_table_tail(const char *name, size_t width);

/* A name that fits its column: "recover", or "exec-2" for the second importer of the list. */
const char *mc_table_label(const mc_run_result *result, uint32_t importer,
                           char text[static MC_TABLE_LABEL]);

/* The command that tells the story of one state; `importer` null: the default. */
void mc_table_explain(const char *state, const char *importer, const char *explain, FILE *out);

/* losstable.c: the cells of power; then what SQLite promises beside what came out, if they are of
 * more than one mode or level. Nothing without such cells. */
void mc_table_losses(const mc_run_result *result, FILE *out);

/* againtable.c: second crashes. Nothing where there were none. */
void mc_table_again(const mc_run_result *result, FILE *out);

/* The cell of power of whose states an importer tears the largest share, and how to see it. */
void mc_table_loss_sentence(const mc_run_result *result, const char *explain, FILE *out);

#endif
