#include "fuzz/caselaw.h"

#include <stdlib.h>
#include <string.h>

#include "harness/case/casejudge.h"
#include "harness/case/replay.h"
#include "harness/run/run.h"

static const char built_in[] = "reject,abandon,recover,sqlite";

enum { ZSTD_HEADER_BYTES = 6, ZSTD_BLOCK_HEADER_BYTES = 3, ZSTD_BLOCK_BYTES = 1 << 17 };

uint8_t *mc_caselaw_zstd(const uint8_t *data, size_t size, size_t *out_size)
{
    /* Magic; no checksum, no content size; a window of 128 KiB. */
    static const uint8_t header[ZSTD_HEADER_BYTES] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38};
    size_t blocks = size / ZSTD_BLOCK_BYTES + 1;
    uint8_t *out = malloc(sizeof header + blocks * ZSTD_BLOCK_HEADER_BYTES + size);
    if (out == NULL) {
        return NULL;
    }
    memcpy(out, header, sizeof header);
    uint8_t *p = out + sizeof header;
    for (size_t i = 0; i < blocks; i++) {
        size_t left = size - i * ZSTD_BLOCK_BYTES;
        size_t block = left < ZSTD_BLOCK_BYTES ? left : ZSTD_BLOCK_BYTES;
        uint32_t block_header = (uint32_t)block << 3 | (i + 1 == blocks); /* type 0: raw */
        *p++ = (uint8_t)block_header;
        *p++ = (uint8_t)(block_header >> 8);
        *p++ = (uint8_t)(block_header >> 16);
        if (block > 0) {
            memcpy(p, data + i * ZSTD_BLOCK_BYTES, block);
        }
        p += block;
    }
    *out_size = (size_t)(p - out);
    return out;
}

/* ---- cases ---- */

static bool same_case(const mc_case *a, const mc_case *b)
{
    bool same = json_equal(a->facts, b->facts) && a->entry_count == b->entry_count;
    for (uint32_t i = 0; same && i < a->entry_count; i++) {
        const mc_file *x = &a->entry[i].file;
        const mc_file *y = &b->entry[i].file;
        same = strcmp(a->entry[i].name, b->entry[i].name) == 0 && x->size == y->size &&
               (x->size == 0 || memcmp(x->data, y->data, (size_t)x->size) == 0);
    }
    return same;
}

bool mc_caselaw_written(const mc_case *c, const uint8_t *data, size_t size, mc_law *law)
{
    mc_case again;
    mc_error error = {0};
    mc_status status = mc_case_decode("again.case", data, size, &again, &error);
    if (status != MC_OK) {
        /* Written out, with its spaces, case.json may pass the limit within which it was read. */
        bool grew = status == MC_NO_MEMORY || strcmp(error.reason, "case-too-large") == 0;
        return grew
                   ? mc_law_error(law, status, &error)
                   : mc_law_broken(law, "case-reread", "a written case is refused: %s", error.text);
    }
    bool holds = same_case(c, &again) ||
                 mc_law_broken(law, "case-roundtrip", "a written case reads as another");
    mc_case_free(&again);
    return holds;
}

/* The importers that the case names, if none of them is a program, a script or a library. */
static bool choose_importers(const mc_case *c, mc_importers *out, mc_law *law)
{
    mc_error error = {0};
    const char *name;
    json_t *value;
    bool plain = true;
    json_object_foreach(json_object_get(c->facts, "expected"), name, value)
    {
        plain = plain && strchr(name, '@') == NULL;
    }
    mc_status status = plain ? mc_replay_importers(c, NULL, out, &error) : MC_USAGE;
    if (plain && status != MC_OK && !mc_law_error(law, status, &error)) {
        return false;
    }
    for (uint32_t i = 0; status == MC_OK && i < out->count; i++) {
        if (out->chosen[i].kind == MC_IMPORTER_EXEC || out->chosen[i].kind == MC_IMPORTER_SO) {
            return mc_law_broken(law, "case-runs", "a case alone lets %.100s run",
                                 out->chosen[i].name);
        }
    }
    if (status != MC_OK) {
        mc_importers_free(out);
        status = mc_importers_parse(built_in, out, &error);
    }
    return status == MC_OK || mc_law_error(law, status, &error);
}

typedef struct looked {
    char text[MC_IMPORTERS_MAX][MC_CASE_VERDICT_BYTES];
} looked;

static mc_status look(void *context, mc_judging *judging, const mc_crash *crash, mc_error *error)
{
    looked *l = context;
    return mc_case_verdicts(judging, crash, l->text, error);
}

static bool judged(const mc_case *c, mc_law *law)
{
    mc_importers importers = {0};
    looked *l = calloc(1, sizeof *l);
    mc_error error = {0};
    bool holds = l == NULL || choose_importers(c, &importers, law);
    if (l != NULL && holds) {
        mc_status status = mc_case_judge(c, &importers, look, l, &error);
        holds = status == MC_OK || mc_law_error(law, status, &error);
        for (uint32_t i = 0; status == MC_OK && holds && i < importers.count; i++) {
            size_t length = strnlen(l->text[i], MC_CASE_VERDICT_BYTES);
            holds = (length > 0 && length < MC_CASE_VERDICT_BYTES) ||
                    mc_law_broken(law, "case-verdict", "%s has none", importers.chosen[i].name);
        }
    }
    mc_importers_free(&importers);
    free(l);
    return holds;
}

bool mc_caselaw_case(const uint8_t *data, size_t size, bool *reads, mc_law *law)
{
    mc_case c;
    mc_error error = {0};
    mc_status status = mc_case_decode("input.case", data, size, &c, &error);
    *reads = status == MC_OK;
    if (!*reads) {
        return mc_law_error(law, status, &error);
    }
    uint8_t *written = NULL;
    size_t written_size = 0;
    status = mc_case_encode(&c, &written, &written_size, &error);
    bool holds = status == MC_OK ? mc_caselaw_written(&c, written, written_size, law)
                                 : mc_law_error(law, status, &error);
    holds = holds && judged(&c, law);
    free(written);
    mc_case_free(&c);
    return holds;
}

/* ---- results ---- */

/* Both lines to be freed: what was written of what was read of `line`. */
static mc_status rewrite(const char *line, const char *identity, const mc_run_options *options,
                         const mc_importers *importers, char **out, mc_error *error)
{
    mc_task task = {0};
    mc_cell cell = {0};
    mc_status status = mc_run_decode(line, "results: line 1", identity, options, importers,
                                     task.name, &cell, error);
    *out = status == MC_OK ? mc_run_encode(&task, options, importers, &cell) : NULL;
    mc_cell_free(&cell);
    return status;
}

bool mc_caselaw_results(const uint8_t *line, size_t size, bool *reads, mc_law *law)
{
    mc_run_options options = {.importers = "", .required = ""};
    mc_importers importers = {0};
    mc_error error = {0};
    char identity[MC_RUN_IDENTITY_MAX];
    char *text = calloc(1, size + 1);
    char *once = NULL;
    char *twice = NULL;
    mc_status status = mc_importers_parse(built_in, &importers, &error);
    *reads = false;
    if (text != NULL && status == MC_OK) {
        memcpy(text, line, size);
        mc_run_identity(&options, &importers, identity, sizeof identity);
        status = rewrite(text, MC_CASELAW_IDENTITY, &options, &importers, &once, &error);
        *reads = status == MC_OK;
    }
    bool holds = status == MC_OK || mc_law_error(law, status, &error);
    if (once != NULL) {
        status = rewrite(once, identity, &options, &importers, &twice, &error);
        holds =
            status != MC_OK
                ? mc_law_broken(law, "results-reread", "a written line is refused: %s", error.text)
                : (twice == NULL || strcmp(once, twice) == 0 ||
                   mc_law_broken(law, "results-roundtrip", "a written line reads as another"));
    }
    free(text);
    free(once);
    free(twice);
    mc_importers_free(&importers);
    return holds;
}
