/* migrate.h: what people and programs read about one migration. */
#ifndef MIDCOMMIT_REPORTS_MIGRATE_H
#define MIDCOMMIT_REPORTS_MIGRATE_H

#include <stdio.h>

#include "harness/migrate/migrate.h"

/* midcommit/migrate/1 as text with a newline, to be freed; null without memory. A function of the
 * input's bytes and the options. `reason` and `content_hash` are null where there is none; a sweep
 * adds "swept". */
char *mc_report_migrate_json(const mc_migration *migration);

/* A few lines for people. */
void mc_report_migrate_text(const mc_migration *migration, const char *source, FILE *out);

/* One line of JSON for a log, with a newline, to be freed; null without memory. `failure` is null
 * for a migration that ran. Whatever `actor` holds (null: not given), the line is ASCII. */
char *mc_report_migrate_log(const mc_migration *migration, const char *actor,
                            const mc_error *failure);

/* Metrics of this one migration in Prometheus text format, to be freed; null without memory.
 * `failed`: it could not run. */
char *mc_report_migrate_metrics(const mc_migration *migration, bool failed);

#endif
