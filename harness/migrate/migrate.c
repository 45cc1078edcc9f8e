#include "harness/migrate/migrate.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "core/ltx.h"
#include "core/recover.h"
#include "harness/judge/inspect.h"
#include "harness/host/outfile.h"
#include "harness/migrate/v2store.h"

const char *const mc_migrate_outcome_names[MC_MIGRATE_OUTCOMES] = {"imported", "refused",
                                                                   "skipped"};
const char *const mc_migrate_state_names[MC_STATES] = {"clean", "hot-journal",   "wal",
                                                       "torn",  "stale-sidecar", "malformed"};
const char *const mc_migrate_phase_names[MC_PHASES] = {"read_v1", "validate", "finalize"};

enum { PATH_BYTES = 4096, WORK_PER_INPUT = 4, WORK_SPARE_BYTES = 64 << 20 };

typedef struct migration {
    const mc_migrate_options *options;
    mc_migration *out;
    mc_source source;
    mc_arena arena;
    uint32_t used;       /* sidecars that recovery makes use of */
    mc_status recovered; /* how recovery ended */
    mc_error trouble;    /* and why it did not give an image */
    mc_image recovery;   /* else the image */
    mc_image image;      /* what the policy imports */
    mc_bytes ltx;        /* and its LTX, when an output wants it */
} migration;

/* ---- the input ---- */

static mc_input input_of(const migration *m)
{
    return (mc_input){
        .kind = m->source.kind == MC_SOURCE_FILES ? MC_INPUT_FILES : MC_INPUT_STORE,
        .files = m->source.files,
        .store = m->source.store,
    };
}

static void recover(migration *m)
{
    mc_import import = {0};
    if (m->source.visible != MC_OK) {
        m->recovered = m->source.visible;
        m->trouble = m->source.trouble;
        return;
    }
    if (!m->source.files.main.exists) {
        m->recovered = mc_fail(&m->trouble, MC_REFUSED, "main-missing",
                               "%s: expected a main file, found none", m->source.path);
        return;
    }
    mc_input input = input_of(m);
    m->recovered = mc_recover(&input, &m->arena, &import, &m->used, &m->trouble);
    m->recovery = import.image;
}

static mc_status is_torn(const mc_image *image, bool *torn, mc_error *error)
{
    mc_inspection inspection;
    mc_inspector *inspector = mc_inspector_open();
    if (inspector == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "migrate: no memory to inspect the image");
    }
    mc_status status = mc_inspect(inspector, image, 1, &inspection, error);
    mc_inspector_close(inspector);
    *torn = status == MC_OK && inspection.corrupt;
    return status;
}

static mc_status judge_input(migration *m, mc_error *error)
{
    mc_migration *out = m->out;
    bool torn = false;
    if (m->recovered != MC_OK) {
        out->state = MC_STATE_MALFORMED;
        return MC_OK;
    }
    mc_status status = is_torn(&m->recovery, &torn, error);
    out->state = torn                                  ? MC_STATE_TORN
                 : (m->used & MC_SIDECAR_JOURNAL) != 0 ? MC_STATE_HOT_JOURNAL
                 : (m->used & MC_SIDECAR_WAL) != 0     ? MC_STATE_WAL
                 : out->sidecars != 0                  ? MC_STATE_STALE_SIDECAR
                                                       : MC_STATE_CLEAN;
    return status;
}

/* ---- the import ---- */

/* The reasons of core/field.h and core/v1.h that say: v1 itself could not be read. */
static mc_migrate_phase phase_of_refusal(const char *reason)
{
    static const char *const reading[] = {
        "main-missing",    "main-missing-metadata", "main-chunks-without-metadata",
        "metadata-length", "metadata-version",      "metadata-size",
        "over-size-limit", "chunk-key-length",      "chunk-count",
        "chunk-gap",       "chunk-too-long",        "chunk-past-size",
    };
    for (size_t i = 0; i < sizeof reading / sizeof *reading; i++) {
        if (strcmp(reason, reading[i]) == 0) {
            return MC_PHASE_READ_V1;
        }
    }
    return MC_PHASE_VALIDATE;
}

static void refuse(const migration *m, const mc_error *why)
{
    mc_migration *out = m->out;
    bool unread = m->options->policy == &mc_importer_recover && m->source.visible != MC_OK;
    out->outcome = MC_MIGRATE_REFUSED;
    out->reason = why->reason;
    out->phase = unread ? MC_PHASE_READ_V1 : phase_of_refusal(why->reason);
    (void)snprintf(out->detail, sizeof out->detail, "%s", why->text);
}

/* Pages of either image that are not the same page in the other. */
static uint32_t count_differing(const mc_image *a, const mc_image *b)
{
    uint32_t shared = a->page_count < b->page_count ? a->page_count : b->page_count;
    uint32_t longest = a->page_count < b->page_count ? b->page_count : a->page_count;
    uint32_t differing = longest - shared;
    if (shared > 0 && a->page_size != b->page_size) {
        return longest;
    }
    for (uint32_t i = 0; i < shared; i++) {
        differing += a->page[i] != b->page[i] && memcmp(a->page[i], b->page[i], a->page_size) != 0;
    }
    return differing;
}

/* Runs the policy: MC_OK, MC_REFUSED, or a failure. The sidecars are found by the field's rule,
 * whatever the policy. */
static mc_status import_source(migration *m, mc_error *error)
{
    const mc_importer *policy = m->options->policy;
    mc_input input = input_of(m);
    bool recovers = policy == &mc_importer_recover;
    const mc_importer *field = mc_importer_find(recovers ? "abandon" : policy->name);
    mc_import import = {0};
    mc_error why;
    mc_status status = field->import(&input, &m->arena, &import, &why);
    m->out->sidecars = import.sidecars;
    if (recovers) {
        status = m->recovered;
        why = m->trouble;
        import.image = m->recovery;
    }
    m->image = import.image;
    if (status != MC_OK) {
        *error = why;
    }
    return status;
}

static void describe_import(migration *m)
{
    mc_migration *out = m->out;
    bool recovers = m->options->policy == &mc_importer_recover;
    out->pages = m->image.page_count;
    out->page_size = m->image.page_size;
    out->content_hash = mc_image_content_hash(&m->image);
    out->abandoned = out->sidecars & ~(recovers ? m->used : 0u);
    out->compared = m->recovered == MC_OK;
    if (out->compared) {
        out->pages_differing = count_differing(&m->image, &m->recovery);
    }
}

/* ---- outputs ---- */

static mc_status encode(migration *m, mc_error *error)
{
    mc_ltx ltx;
    /* Two runs write the same bytes: the time is left at 0. */
    mc_status status =
        mc_ltx_from_image(&m->image, MC_V2_MIGRATION_TXID, 0, &m->arena, &ltx, error);
    return status == MC_OK ? mc_ltx_encode(&ltx, &m->arena, &m->ltx, error) : status;
}

static mc_status fill_file(const migration *m, mc_outfile *file, mc_error *error)
{
    mc_status status = mc_outfile_open(file, m->options->to_file, error);
    if (status != MC_OK) {
        return status;
    }
    for (uint32_t i = 0; status == MC_OK && i < m->image.page_count; i++) {
        status = mc_outfile_write(file, m->image.page[i], m->image.page_size, error);
    }
    if (status != MC_OK) {
        mc_outfile_abandon(file);
    }
    return status;
}

static mc_status fill_ltx(const migration *m, mc_outfile *file, mc_error *error)
{
    mc_status status = mc_outfile_open(file, m->options->to_ltx, error);
    if (status == MC_OK) {
        status = mc_outfile_write(file, m->ltx.data, (size_t)m->ltx.size, error);
        if (status != MC_OK) {
            mc_outfile_abandon(file);
        }
    }
    return status;
}

/* Both files are filled before the first takes its place. */
static mc_status write_files(const migration *m, mc_error *error)
{
    mc_outfile file;
    mc_outfile ltx;
    bool has_file = m->options->to_file != NULL;
    bool has_ltx = m->options->to_ltx != NULL;
    mc_status status = has_file ? fill_file(m, &file, error) : MC_OK;
    has_file = has_file && status == MC_OK;
    status = status == MC_OK && has_ltx ? fill_ltx(m, &ltx, error) : status;
    has_ltx = has_ltx && status == MC_OK;
    if (status != MC_OK) {
        if (has_file) {
            mc_outfile_abandon(&file);
        }
        return status;
    }
    status = has_file ? mc_outfile_commit(&file, error) : MC_OK;
    if (has_ltx && status != MC_OK) {
        mc_outfile_abandon(&ltx);
    }
    return has_ltx && status == MC_OK ? mc_outfile_commit(&ltx, error) : status;
}

static mc_status skip(mc_migration *out)
{
    out->outcome = MC_MIGRATE_SKIPPED;
    out->reason = "v2-has-head";
    (void)snprintf(out->detail, sizeof out->detail, "v2: the store has a head already");
    return MC_OK;
}

static mc_status write_outputs(migration *m, mc_error *error)
{
    const mc_migrate_options *options = m->options;
    bool wants_ltx = options->to_ltx != NULL || options->to_v2 != NULL;
    mc_status status = wants_ltx ? encode(m, error) : MC_OK;
    status = status == MC_OK ? write_files(m, error) : status;
    if (status != MC_OK || options->to_v2 == NULL) {
        return status;
    }
    bool skipped;
    status = mc_v2store_import(options->to_v2, m->ltx, m->image.page_count, &skipped, error);
    return status == MC_OK && skipped ? skip(m->out) : status;
}

/* ---- what must not be one ---- */

/* Null is no output, and "-" standard output. */
static bool is_path(const char *output)
{
    return output != NULL && strcmp(output, "-") != 0;
}

/* Is `output` the source, one of its files, or what SQLite would take for its sidecar? */
static mc_status check_apart(const mc_migrate_options *options, const char *output, mc_error *error)
{
    static const char *const suffixes[] = {"",     "-journal",  "-wal",
                                           "-shm", "/data.mdb", "/lock.mdb"};
    char main[PATH_MAX];
    if (!is_path(output)) {
        return MC_OK;
    }
    if (realpath(options->source, main) == NULL) {
        (void)snprintf(main, sizeof main, "%s", options->source);
    }
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char path[PATH_MAX + 16];
        (void)snprintf(path, sizeof path, "%s%s", main, suffixes[i]);
        if (mc_outfile_same(path, output)) {
            return mc_fail(error, MC_USAGE, "same-file", "%s: is the source, too", output);
        }
    }
    return MC_OK;
}

/* A sidecar beside the target is none of its own: SQLite would play it back into the new file. */
static mc_status check_beside(const char *target, mc_error *error)
{
    static const char *const suffixes[] = {"-journal", "-wal", "-shm"};
    for (size_t i = 0; target != NULL && i < sizeof suffixes / sizeof *suffixes; i++) {
        char path[PATH_BYTES];
        struct stat info;
        if (snprintf(path, sizeof path, "%s%s", target, suffixes[i]) >= (int)sizeof path) {
            return mc_fail(error, MC_IO, "io", "%.60s...: the path is too long", target);
        }
        if (lstat(path, &info) == 0) {
            return mc_fail(error, MC_IO, "sidecar-beside-target",
                           "%s: is there already, and would be taken for a sidecar of %s", path,
                           target);
        }
    }
    return MC_OK;
}

/* May `other` be written beside `target`? `suffixes` name, after the target itself, what belongs to
 * it: a sidecar, or a file of the v2 store. Ends with null. */
static mc_status check_pair(const char *target, const char *const *suffixes, const char *other,
                            mc_error *error)
{
    for (; is_path(target) && is_path(other) && *suffixes != NULL; suffixes++) {
        char path[PATH_BYTES];
        (void)snprintf(path, sizeof path, "%s%s", target, *suffixes);
        if (mc_outfile_same(path, other)) {
            return **suffixes == '\0'
                       ? mc_fail(error, MC_USAGE, "same-file", "%s: is an output twice", other)
                       : mc_fail(error, MC_USAGE, "same-file", "%s: would be taken for %s%s", other,
                                 target, *suffixes);
        }
    }
    return MC_OK;
}

/* A report that cannot be written is found out before the migration, not after it. */
static mc_status check_report(const char *path, mc_error *error)
{
    if (!is_path(path)) {
        return MC_OK;
    }
    mc_outfile file;
    mc_status status = mc_outfile_open(&file, path, error);
    if (status == MC_OK) {
        mc_outfile_abandon(&file);
    }
    return status;
}

/* Before anything is opened: what names one thing twice loses one of them. */
static mc_status check_outputs(const mc_migrate_options *options, mc_error *error)
{
    static const char *const of_database[] = {"", "-journal", "-wal", "-shm", NULL};
    static const char *const of_store[] = {"", "/data.mdb", "/lock.mdb", NULL};
    static const char *const of_file[] = {"", NULL};
    const struct {
        const char *path;
        const char *const *suffixes;
    } output[] = {{options->to_file, of_database},
                  {options->to_v2, of_store},
                  {options->to_ltx, of_file},
                  {options->report[0], of_file},
                  {options->report[1], of_file}};
    enum { OUTPUTS = sizeof output / sizeof *output };
    mc_status status = MC_OK;
    for (int i = 0; status == MC_OK && i < OUTPUTS; i++) {
        status = check_apart(options, output[i].path, error);
        for (int k = 0; status == MC_OK && k < OUTPUTS; k++) {
            status = k == i ? MC_OK
                            : check_pair(output[i].path, output[i].suffixes, output[k].path, error);
        }
    }
    return status;
}

/* Before anything is written. */
static mc_status check_targets(const mc_migrate_options *options, mc_error *error)
{
    mc_status status = check_beside(options->to_file, error);
    for (int i = 0; status == MC_OK && i < MC_MIGRATE_REPORTS; i++) {
        status = check_report(options->report[i], error);
    }
    return status;
}

/* ---- the whole ---- */

/* Does the v2 store hold exactly this image? Whatever cannot be read back does not. */
static bool holds_same(migration *m, mc_hash128 expected)
{
    mc_v2head head;
    mc_ltx ltx;
    mc_error ignored;
    if (mc_v2store_read(m->options->to_v2, &m->arena, &head, &ltx, &ignored) != MC_OK ||
        head.txid == 0) {
        return false;
    }
    const uint8_t **page = mc_arena_calloc(&m->arena, ltx.page_count, sizeof *page);
    for (uint32_t i = 0; page != NULL && i < ltx.page_count; i++) {
        page[i] = ltx.page[i].data;
    }
    mc_image image = {ltx.page_count == 0 ? 0 : ltx.page_size, ltx.page_count, page};
    return page != NULL && mc_hash128_equal(mc_image_content_hash(&image), expected);
}

static mc_status sweep(migration *m, mc_error *error)
{
    mc_migration *out = m->out;
    if (!m->options->sweep) {
        return MC_OK;
    }
    mc_status status = mc_source_sweep(&m->source, &out->swept_keys, &out->swept_bytes, error);
    out->swept = status == MC_OK;
    return status;
}

static mc_status migrate_skipped(migration *m, mc_status imported, mc_error *error)
{
    m->out->phase = MC_PHASE_FINALIZE;
    (void)skip(m->out);
    bool done_before =
        m->options->sweep && imported == MC_OK && holds_same(m, mc_image_content_hash(&m->image));
    return done_before ? sweep(m, error) : MC_OK;
}

static mc_status migrate_read(migration *m, mc_error *error)
{
    const mc_migrate_options *options = m->options;
    mc_migration *out = m->out;
    out->kv_requests = m->source.kv_requests;
    mc_v1_orphans(&m->source.store, &out->orphan_keys, &out->orphan_bytes);
    out->phase = MC_PHASE_FINALIZE;
    mc_v2head head = {0};
    mc_status status = check_targets(options, error);
    if (status == MC_OK && options->to_v2 != NULL) {
        status = mc_v2store_head(options->to_v2, &head, error);
    }
    if (status != MC_OK) {
        return status;
    }
    out->phase = MC_PHASE_VALIDATE;
    recover(m);
    mc_error why;
    mc_status imported = import_source(m, &why);
    status = judge_input(m, error);
    if (status != MC_OK) {
        return status;
    }
    if (head.txid != 0) {
        return migrate_skipped(m, imported, error);
    }
    if (imported == MC_OK && options->to_v2 != NULL && m->image.page_count > 0 &&
        m->image.page_size != MC_V2_PAGE_BYTES) {
        imported = mc_fail(&why, MC_REFUSED, "page-size-unsupported",
                           "main: expected a page size of %d as v2 takes it, found %u",
                           MC_V2_PAGE_BYTES, (unsigned)m->image.page_size);
    }
    if (imported == MC_REFUSED) {
        refuse(m, &why);
        return MC_OK;
    }
    if (imported != MC_OK) {
        return mc_fail(error, imported, why.reason, "%s: %s", options->source, why.text);
    }
    out->phase = MC_PHASE_FINALIZE;
    status = write_outputs(m, error);
    if (status != MC_OK || out->outcome == MC_MIGRATE_SKIPPED) {
        return status;
    }
    describe_import(m);
    return sweep(m, error);
}

static double now_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

mc_status mc_migrate(const mc_migrate_options *options, mc_migration *out, mc_error *error)
{
    assert(!options->sweep ||
           (options->from == MC_SOURCE_LMDB &&
            (options->to_file != NULL || options->to_ltx != NULL || options->to_v2 != NULL)));
    double start = now_seconds();
    *out = (mc_migration){.policy = options->policy, .phase = MC_PHASE_READ_V1};
    migration m = {
        .options = options,
        .out = out,
        .arena.limit_bytes = (size_t)options->limit_bytes * WORK_PER_INPUT + WORK_SPARE_BYTES,
    };
    mc_status status = check_outputs(options, error);
    if (status != MC_OK) {
        return status;
    }
    status = mc_source_open(&m.source, options->from, options->source, options->limit_bytes, error);
    status = status == MC_OK ? migrate_read(&m, error) : status;
    mc_source_close(&m.source);
    mc_arena_free(&m.arena);
    out->seconds = now_seconds() - start;
    return status;
}
