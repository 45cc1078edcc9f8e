/* crashfiles.c: an input of crash_fuzzer as files that people and midcommit can read. */
#include "fuzz/crashing.h"

#include <stdio.h>
#include <string.h>

#include "crashsim/dump.h"
#include "fuzz/differ.h"

enum { PATH_BYTES = 4096 };

static mc_status open_file(const char *dir, const char *name, FILE **file, mc_error *error)
{
    char path[PATH_BYTES];
    int length = snprintf(path, sizeof path, "%s/%s", dir, name);
    *file = length < (int)sizeof path ? fopen(path, "wb") : NULL;
    return *file != NULL ? MC_OK
                         : mc_fail(error, MC_IO, "write", "%s: %s cannot be made", dir, name);
}

/* Ends what open_file began; `status` is what became of it in between. */
static mc_status close_file(FILE *file, const char *name, mc_status status, mc_error *error)
{
    bool written = ferror(file) == 0;
    written = fclose(file) == 0 && written;
    return status != MC_OK || written
               ? status
               : mc_fail(error, MC_IO, "write", "%s: cannot be written", name);
}

static mc_status write_sql(const mc_program *program, const char *dir, mc_error *error)
{
    FILE *file = NULL;
    mc_status status = open_file(dir, "program.sql", &file, error);
    if (status != MC_OK) {
        return status;
    }
    for (uint32_t i = 0; i < program->setup.count; i++) {
        (void)fprintf(file, "%s;\n", program->setup.text[i]);
    }
    if (program->setup.count > 0) {
        (void)fprintf(file, "-- @program\n");
    }
    for (uint32_t i = 0; i < program->program.count; i++) {
        const char *statement = program->program.text[i];
        (void)fprintf(file, "%s%s\n", statement, statement[0] == '@' ? "" : ";");
    }
    return close_file(file, "program.sql", MC_OK, error);
}

static mc_status write_store(const mc_kvstore *store, const char *dir, mc_error *error)
{
    FILE *file = NULL;
    mc_status status = open_file(dir, "kv.jsonl", &file, error);
    if (status != MC_OK) {
        return status;
    }
    return close_file(file, "kv.jsonl", mc_dump_write(store, file, "kv.jsonl", error), error);
}

/* The state's name, as `midcommit run` gives it, behind the options that make it the same run. */
static void name_state(const mc_crash_case *c, char *out, size_t size)
{
    static const char *const builds[MC_KV_BUILDS] = {"kv:journal", "kv:batch", "kv:batch-128"};
    const mc_record_options *record = &c->options.record;
    const char *model = record->kv ? builds[record->kv_build] : "kill";
    char cache[32] = "";
    char cut[16] = "";
    if (record->cache_pages != 0) {
        (void)snprintf(cache, sizeof cache, "--cache-pages %u ", record->cache_pages);
    }
    if (c->state.cut != 0) {
        (void)snprintf(cut, sizeof cut, "+%u", c->state.cut);
    }
    (void)snprintf(out, size, "--page-size %u %s--seed %u ./program.sql/%s/%s/%s/%zu%s",
                   record->page_size, cache, (unsigned)record->seed, mc_mode_names[record->mode],
                   mc_sync_names[record->sync], model, c->state.point, cut);
}

mc_status mc_crash_files(const uint8_t *data, size_t size, const char *dir, char *state,
                         size_t state_size, mc_error *error)
{
    mc_crash_case c;
    mc_status status = mc_crash_open(data, size, &c, error);
    status = status == MC_OK ? write_sql(&c.program, dir, error) : status;
    if (status == MC_OK) {
        status = c.state.is_kv ? write_store(&c.state.store, dir, error)
                               : mc_differ_files(&c.state.disk, dir, state, state_size, error);
    }
    if (status == MC_OK && c.options.model != MC_MODEL_POWER) {
        name_state(&c, state, state_size); /* of power, the files themselves can be explained */
    }
    mc_crash_close(&c);
    return status;
}
