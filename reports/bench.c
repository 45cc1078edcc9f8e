#include "reports/report.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <sqlite3.h>

static uint64_t peak_of(const mc_bench *bench)
{
    uint64_t peak = 0;
    for (uint32_t i = 0; i < bench->row_count; i++) {
        peak = bench->row[i].peak_rss_bytes > peak ? bench->row[i].peak_rss_bytes : peak;
    }
    return peak;
}

void mc_report_bench(const mc_bench *bench, FILE *out)
{
    (void)fprintf(out, "%-13s %-7s %-8s %13s %9s %13s %12s %10s\n", "path", "mode", "workload",
                  "database", "states", "states/second", "to baseline", "peak MB");
    for (uint32_t i = 0; i < bench->row_count; i++) {
        const mc_bench_row *row = &bench->row[i];
        (void)fprintf(out, "%-13s %-7s %-8s %13" PRIu64 " %9" PRIu64, row->path,
                      mc_mode_names[row->mode], row->workload, row->database_bytes, row->states);
        (void)fprintf(out, row->states_per_second < 1e12 ? " %13.0f %11.1fx" : " %13.1e %11.0ex",
                      row->states_per_second, row->ratio);
        (void)fprintf(out, " %10.1f\n", (double)row->peak_rss_bytes / 1048576);
    }
    const mc_bench_two_jobs *j = &bench->jobs;
    (void)fprintf(out,
                  "two jobs: %.2f times one by the clock (%.2f and %.2f s), %.2f by processor "
                  "time%s\n",
                  j->ratio, j->one_seconds, j->two_seconds, j->ratio_cpu,
                  j->busy ? "; the machine was busy: the clock is not to be believed" : "");
}

char *mc_report_bench_json(const mc_bench *bench)
{
    json_t *paths = json_array();
    for (uint32_t i = 0; i < bench->row_count; i++) {
        const mc_bench_row *row = &bench->row[i];
        json_array_append_new(
            paths, json_pack("{s:s,s:s,s:s,s:I,s:I,s:I,s:f,s:f,s:I}", "path", row->path, "mode",
                             mc_mode_names[row->mode], "workload", row->workload, "db_bytes",
                             (json_int_t)row->database_bytes, "trace_bytes",
                             (json_int_t)row->trace_bytes, "states", (json_int_t)row->states,
                             "states_per_second", round(row->states_per_second),
                             "ratio_to_baseline", round(row->ratio * 100) / 100, "peak_rss_bytes",
                             (json_int_t)row->peak_rss_bytes));
    }
    const mc_bench_two_jobs *j = &bench->jobs;
    json_t *jobs = json_pack("{s:f,s:f,s:f,s:f,s:f,s:f,s:b}", "one_seconds", j->one_seconds,
                             "two_seconds", j->two_seconds, "one_cpu_seconds", j->one_cpu_seconds,
                             "two_cpu_seconds", j->two_cpu_seconds, "ratio", j->ratio, "ratio_cpu",
                             j->ratio_cpu, "busy", j->busy);
    json_t *root = json_pack("{s:s,s:s,s:i,s:o,s:o,s:I}", "schema", "midcommit/bench/1", "sqlite",
                             sqlite3_libversion(), "cores", 1, "paths", paths, "two_jobs", jobs,
                             "peak_rss_bytes", (json_int_t)peak_of(bench));
    char *text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    json_decref(root);
    return text;
}
