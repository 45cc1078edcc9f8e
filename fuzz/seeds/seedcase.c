#include "fuzz/seeds/seedcase.h"

#include <archive.h>
#include <archive_entry.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crashsim/dump.h"
#include "fuzz/caselaw.h"
#include "fuzz/seeds/seedstate.h"
#include "harness/host/infile.h"
#include "harness/run/run.h"

enum { ARENA_BYTES_MAX = 64 << 20, TAR_BYTES_MAX = 1 << 20 };

/* One of so many cases has a turn as: */
enum { EVERY_STATE = 5, EVERY_IMAGE = 19, EVERY_FILE = 7, EVERY_TAR = 11 };

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "seeds: out of memory");
}

/* What a file of zstd holds; the size is 0 when it is not to be had. */
static size_t unpack(const mc_file *file, uint8_t *out, size_t capacity)
{
    struct archive *archive = archive_read_new();
    struct archive_entry *entry;
    la_ssize_t size = 0;
    if (archive != NULL && archive_read_append_filter(archive, ARCHIVE_FILTER_ZSTD) == ARCHIVE_OK &&
        archive_read_support_format_raw(archive) == ARCHIVE_OK &&
        archive_read_open_memory(archive, file->data, (size_t)file->size) == ARCHIVE_OK &&
        archive_read_next_header(archive, &entry) == ARCHIVE_OK) {
        size = archive_read_data(archive, out, capacity);
    }
    (void)archive_read_free(archive);
    return size > 0 ? (size_t)size : 0;
}

static mc_status put_case_file(mc_seeds *seeds, const char *name, const mc_file *file, bool as_tar,
                               mc_error *error)
{
    static uint8_t tar[TAR_BYTES_MAX];
    char full[MC_SEED_NAME_BYTES];
    (void)snprintf(full, sizeof full, "%s%s", name, as_tar ? ".tar" : ".case");
    size_t size = as_tar ? unpack(file, tar, sizeof tar) : (size_t)file->size;
    return mc_seeds_put(seeds, MC_SEED_CASE, full, as_tar ? tar : file->data, size, error);
}

static mc_status put_store(mc_seeds *seeds, const char *name, const mc_file *dump, mc_error *error)
{
    mc_arena arena = {.limit_bytes = ARENA_BYTES_MAX};
    mc_kvstore store = {0};
    mc_status status = mc_dump_parse("kv.jsonl", (const char *)dump->data, (size_t)dump->size,
                                     &arena, &store, error);
    status = status == MC_OK ? mc_seed_store_put(seeds, name, &store, error) : status;
    mc_kvstore_free(&store);
    mc_arena_free(&arena);
    return status;
}

static mc_status put_files(mc_seeds *seeds, const char *name, const mc_case *c, bool images,
                           mc_error *error)
{
    mc_disk disk = {0};
    mc_arena arena = {.limit_bytes = ARENA_BYTES_MAX};
    mc_seed_state state;
    bool ok = true;
    for (uint32_t i = 0; ok && i < c->entry_count; i++) {
        const mc_packed *entry = &c->entry[i];
        if (mc_case_is_state(entry->name)) {
            uint16_t number = mc_disk_slot(&disk, entry->name);
            ok = number != MC_DISK_NONE && mc_disk_create(&disk, number) &&
                 (entry->file.size == 0 ||
                  mc_disk_write(&disk, number, 0, entry->file.data, (size_t)entry->file.size));
        }
    }
    mc_status status = ok && mc_seed_state_of(&disk, &arena, &state) ? MC_OK : no_memory(error);
    status = status == MC_OK ? mc_seed_state_put(seeds, name, &state, error) : status;
    if (status == MC_OK && images) {
        status = mc_seed_state_images(seeds, name, &state, error);
    }
    mc_arena_free(&arena);
    mc_disk_free(&disk);
    return status;
}

static mc_status put_case(mc_seeds *seeds, const char *path, uint32_t number, mc_error *error)
{
    mc_case c;
    mc_infile in;
    char name[24];
    mc_arena arena = {.limit_bytes = ARENA_BYTES_MAX};
    mc_status status = mc_infile_open(&in, path, ARENA_BYTES_MAX / 2, error);
    status = status == MC_OK ? mc_infile_read(&in, &arena, error) : status;
    if (status == MC_OK) {
        status = mc_case_decode(path, in.file.data, (size_t)in.file.size, &c, error);
    }
    if (status == MC_OK) {
        mc_file dump = mc_case_file(&c, "kv.jsonl");
        (void)snprintf(name, sizeof name, "case-%03u", number);
        if (dump.exists) {
            status = put_store(seeds, name, &dump, error);
        } else if (number % EVERY_STATE == 0 || number % EVERY_IMAGE == 0) {
            status = put_files(seeds, name, &c, number % EVERY_IMAGE == 0, error);
        }
        mc_case_free(&c);
    }
    if (status == MC_OK && (number % EVERY_FILE == 0 || number % EVERY_TAR == 0)) {
        status = put_case_file(seeds, name, &in.file, number % EVERY_TAR == 0, error);
    }
    mc_infile_close(&in);
    mc_arena_free(&arena);
    return status;
}

/* Lines that caselaw.h reads: of an empty cell, and of one with a finding. */
static mc_status put_results(mc_seeds *seeds, mc_error *error)
{
    mc_finding finding = {.signature = "delete/kill/write main/page 1/abandon/torn, silent",
                          .verdict = "torn, silent",
                          .state = "inplace/delete/full/kill/57+4096",
                          .count = 3,
                          .bytes = 40960,
                          .importer = 1,
                          .fails = true};
    mc_cell cell = {.explored = {.points = 9, .states = 12}, .unique = 7, .commits = 2};
    mc_run_options options = {.importers = "", .required = ""};
    mc_task task = {.name = "inplace/delete/full/kill"};
    mc_importers importers = {0};
    mc_status status = mc_importers_parse("reject,abandon,recover,sqlite", &importers, error);
    for (uint32_t i = 0; status == MC_OK && i < 2; i++) {
        cell.finding = &finding;
        cell.finding_count = i;
        char *line = mc_run_encode(&task, &options, &importers, &cell);
        json_t *object = line != NULL ? json_loads(line, 0, NULL) : NULL;
        free(line);
        json_object_set_new(object, "run", json_string(MC_CASELAW_IDENTITY));
        line = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
        json_decref(object);
        status = line == NULL
                     ? no_memory(error)
                     : mc_seeds_put(seeds, MC_SEED_CASE, i == 0 ? "results-0" : "results-1",
                                    (const uint8_t *)line, strlen(line), error);
        free(line);
    }
    mc_importers_free(&importers);
    return status;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

mc_status mc_seed_cases(mc_seeds *seeds, const char *folder, mc_error *error)
{
    char *copy = strdup(folder);
    char *roots[] = {copy, NULL};
    FTS *walk = copy == NULL ? NULL : fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    mc_status status = walk == NULL ? no_memory(error) : MC_OK;
    uint32_t number = 0;
    FTSENT *entry;
    while (status == MC_OK && (entry = fts_read(walk)) != NULL) {
        size_t size = strlen(entry->fts_name);
        if (entry->fts_info == FTS_F && size > 5 &&
            strcmp(entry->fts_name + size - 5, ".case") == 0) {
            status = put_case(seeds, entry->fts_path, number++, error);
        }
    }
    if (status == MC_OK && number == 0) {
        status = mc_fail(error, MC_IO, "nothing", "%s: no case there", folder);
    }
    if (walk != NULL) {
        (void)fts_close(walk);
    }
    free(copy);
    return status == MC_OK ? put_results(seeds, error) : status;
}
