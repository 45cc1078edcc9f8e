#include "reports/report.h"

#include "reports/findings.h"
#include "reports/tabling.h"

#include <gmp.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_MAX = 50, SENTENCE_BYTES = 2000, COMMAND_BYTES = 16384 };

/* A text from outside as code in a cell: what could end the cell, the code or the line does not. */
static void put_code(const char *text, FILE *out)
{
    (void)fputc('`', out);
    for (const char *at = text; *at != '\0'; at++) {
        bool control = (unsigned char)*at < 0x20 || *at == 0x7f;
        (void)fputs(*at == '|' ? "\\" : "", out);
        (void)fputc(control ? '?' : *at == '`' ? '\'' : *at, out);
    }
    (void)fputc('`', out);
}

static void put_sums(const mc_run_result *result, FILE *out)
{
    (void)fputs(
        "\n| importer | states | clean | stale | torn | of which silent | blocked | refused "
        "|\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
        out);
    for (uint32_t i = 0; i < result->importers.count; i++) {
        uint64_t states;
        mc_tally sum = mc_table_sum(result, i, &states);
        (void)fputs("| ", out);
        put_code(result->importers.chosen[i].name, out);
        (void)fprintf(out,
                      " | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %" PRIu64
                      " | %" PRIu64 " | %" PRIu64 " |\n",
                      states, sum.verdict[MC_CLEAN], sum.verdict[MC_STALE], sum.verdict[MC_TORN],
                      sum.silent, sum.verdict[MC_BLOCKED], sum.verdict[MC_REFUSED_TOO]);
    }
}

static void put_losses(const mc_run_result *result, FILE *out)
{
    uint32_t count;
    mc_loss_row *row = mc_loss_rows(result, &count);
    if (count > 0) {
        (void)fputs("\n| power loss | mode | sync | promised | worst | classes that break it | "
                    "states |\n| --- | --- | --- | --- | --- | ---: | --- |\n",
                    out);
    }
    for (uint32_t i = 0; i < count; i++) {
        const mc_run_cell *cell = row[i].cell;
        size_t bits = mpz_sizeinbase(row[i].states, 2);
        (void)fprintf(out, "| %s | %s | %s | %s | %s | %" PRIu64 " | ", cell->power->name,
                      mc_mode_names[cell->mode], mc_sync_names[cell->sync],
                      mc_loss_promise(cell->cell.promise), mc_verdict_names[row[i].worst],
                      row[i].broken);
        if (bits <= 20) {
            (void)gmp_fprintf(out, "%Zd", row[i].states);
        } else {
            (void)fprintf(out, "over 2^%zu", bits - 1);
        }
        (void)fprintf(out, ", %s |\n", row[i].proved ? "all judged" : "not all judged");
    }
    mc_loss_rows_free(row, count);
}

static void put_findings(const mc_run_result *result, FILE *out)
{
    uint32_t count;
    mc_found *found = mc_findings(result, &count);
    (void)fprintf(out, "\n<details><summary>%" PRIu32 " signatures</summary>\n\n", count);
    (void)fputs("| importer | result | states | first |\n| --- | --- | ---: | --- |\n", out);
    for (uint32_t i = 0; i < count && i < SHOWN_MAX; i++) {
        const mc_finding *f = found[i].first;
        (void)fputs("| ", out);
        put_code(mc_finding_importer(result, f), out);
        (void)fprintf(out, " | %s%s | %" PRIu64 " | ", f->verdict,
                      f->fails            ? " (**failed**)"
                      : f->defect != NULL ? " (known defect of SQLite)"
                                          : "",
                      found[i].count);
        put_code(f->state, out);
        (void)fputs(" |\n", out);
    }
    if (count > SHOWN_MAX) {
        (void)fprintf(out, "\nAnd %" PRIu32 " more.\n", count - SHOWN_MAX);
    }
    (void)fputs("\n</details>\n", out);
    free(found);
}

void mc_report_markdown(const mc_run_result *result, const char *explain, FILE *out)
{
    char sentence[SENTENCE_BYTES];
    char command[COMMAND_BYTES];
    (void)fprintf(out, "### midcommit: %s\n\nSQLite %s, seed %" PRIu64 ", %" PRIu64 " states.\n",
                  result->failed ? "an expectation did not hold" : "all expectations held",
                  sqlite3_libversion(), result->seed, result->states);
    if (mc_table_sentence(result, sentence, sizeof sentence, explain, command, sizeof command)) {
        (void)fprintf(out, "\n%s See the first one:\n\n    %s\n", sentence, command);
    }
    if (mc_table_any(result)) {
        put_sums(result, out);
    }
    put_losses(result, out);
    put_findings(result, out);
}
