/* report.h: what people and programs read about a run. */
#ifndef MIDCOMMIT_REPORTS_REPORT_H
#define MIDCOMMIT_REPORTS_REPORT_H

#include <stdio.h>

#include "harness/run/bench.h"
#include "harness/run/run.h"
#include "harness/case/story.h"
#include "harness/validate/validate.h"

/* The table, a sentence a person can repeat, and the command that shows the first finding. Fits 100
 * columns. `explain` is a command line to which a state's name need only be added. */
void mc_report_table(const mc_run_result *result, const char *explain, FILE *out);

/* What was skipped or cut short, and what is to say of SQLite itself: parts of that table. */
void mc_report_limits(const mc_run_result *result, FILE *out);
void mc_report_control(const mc_run_result *result, FILE *out);

/* midcommit/run/1 as text, to be freed; null without memory. Everything but the keys under "timing"
 * is a function of options and seed. */
char *mc_report_json(const mc_run_result *result);

/* Where a reader has the state's files: how midcommit is called, the state, case or file that it
 * was asked to explain, and the folder to which they were written, or null. */
typedef struct mc_story_place {
    const char *program;
    const char *operand;
    const char
        *options; /* with which it was asked, as words with a space in front of each; or "" */
    bool is_case; /* the operand is a case file */
    const char *folder;
} mc_story_place;

/* One screen about one state. */
void mc_report_story(const mc_story *story, const mc_story_place *place, FILE *out);

/* A table, and midcommit/bench/1 as text, to be freed; null without memory. */
void mc_report_bench(const mc_bench *bench, FILE *out);
char *mc_report_bench_json(const mc_bench *bench);

/* What the two lanes of `run --validate` found: a line about the kills, a row for each file system,
 * and which classes of the model were seen on which. */
void mc_report_validation(const mc_validated *validated, FILE *out);

#endif
