#include "harness/case/case.h"

#include "core/bytes.h"
#include "harness/host/infile.h"
#include "harness/host/outfile.h"
#include "harness/judge/judge.h"

#include <archive.h>
#include <archive_entry.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

static const char schema[] = "midcommit/case/1";
static const char facts_name[] = "case.json";
enum {
    READ_BYTES = 1 << 16,
    GIVE_BYTES = 4096,           /* compressed bytes that become at most 128 MiB (RFC 8878 3.1.1) */
    HEADERS_BYTES_MAX = 8 << 20, /* of the archive, beside what its entries hold */
    FACTS_BYTES_MAX = 1 << 20,   /* of case.json: as values it takes some fifty times the memory */
    SHOWN_BYTES_MAX = 100,       /* of a path in an error, so that the reason has room */
    NAME_LETTERS_MAX = 100
};

/* The one place that says which facts a case has, and of which form. */
typedef enum fact_kind { FACT_TEXT, FACT_NUMBER, FACT_OBJECT } fact_kind;
typedef struct fact {
    const char *key;
    fact_kind kind;
    json_int_t most; /* of a number; length of a text */
} fact;
static const fact facts[] = {
    {"signature", FACT_TEXT, 199},
    {"state", FACT_TEXT, 599},
    {"importer", FACT_TEXT, 4095},
    {"sqlite", FACT_TEXT, 31},
    {"workload", FACT_TEXT, 4095},
    {"mode", FACT_TEXT, 15},
    {"sync", FACT_TEXT, 15},
    {"crash", FACT_TEXT, 31},
    {"seed", FACT_NUMBER, INT64_MAX},
    {"txns", FACT_NUMBER, 100000},
    {"cache_pages", FACT_NUMBER, 1000000},
    {"page_size", FACT_NUMBER, MC_PAGE_SIZE_MAX},
    {"acked", FACT_NUMBER, MC_CASE_COMMITS_MAX},
    {"begun", FACT_NUMBER, MC_CASE_COMMITS_MAX},
    {"expected", FACT_OBJECT, 0},
};

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "case: out of memory");
}

static bool good_name(const char *name)
{
    size_t size = name == NULL ? 0 : strlen(name);
    return size > 0 && size < MC_CASE_NAME_BYTES && name[0] != '.' &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-") == size;
}

mc_status mc_case_add(mc_case *c, const char *name, const void *data, uint64_t size,
                      mc_error *error)
{
    if (c->arena.limit_bytes == 0) {
        /* Names, padding and the blocks' own size come on top of what the entries hold. */
        c->arena.limit_bytes = (size_t)MC_CASE_BYTES_MAX + (1 << 20);
        c->entry = mc_arena_calloc(&c->arena, MC_CASE_ENTRIES_MAX, sizeof *c->entry);
    }
    if (c->entry == NULL) {
        return no_memory(error);
    }
    if (!good_name(name)) {
        return mc_fail(error, MC_MALFORMED, "case-name", "entry \"%.64s\": not a plain file name",
                       name == NULL ? "" : name);
    }
    if (mc_case_file(c, name).exists) {
        return mc_fail(error, MC_MALFORMED, "case-twice", "entry %s: it is there twice", name);
    }
    if (c->entry_count == MC_CASE_ENTRIES_MAX || !mc_arena_fits(&c->arena, size)) {
        return mc_fail(error, MC_MALFORMED, "case-too-large",
                       "entry %s: more than %d entries or %d bytes", name, MC_CASE_ENTRIES_MAX,
                       MC_CASE_BYTES_MAX);
    }
    char *kept = mc_arena_alloc(&c->arena, strlen(name) + 1);
    uint8_t *bytes = mc_arena_alloc(&c->arena, (size_t)size);
    if (kept == NULL || bytes == NULL) {
        return no_memory(error);
    }
    memcpy(kept, name, strlen(name) + 1);
    if (size > 0) {
        memcpy(bytes, data, (size_t)size);
    }
    c->entry[c->entry_count++] = (mc_packed){kept, {true, size > 0 ? bytes : NULL, size}};
    return MC_OK;
}

mc_file mc_case_file(const mc_case *c, const char *name)
{
    for (uint32_t i = 0; i < c->entry_count; i++) {
        if (strcmp(c->entry[i].name, name) == 0) {
            return c->entry[i].file;
        }
    }
    return (mc_file){0};
}

void mc_case_snapshot_name(uint32_t snapshot, uint32_t database, char out[MC_CASE_NAME_BYTES])
{
    (void)snprintf(out, MC_CASE_NAME_BYTES, "snapshot-%u%s.db", snapshot,
                   database == 0 ? "" : "-aux");
}

bool mc_case_is_state(const char *name)
{
    return strcmp(name, facts_name) != 0 && strcmp(name, "workload.sql") != 0 &&
           strncmp(name, "snapshot-", strlen("snapshot-")) != 0;
}

void mc_case_free(mc_case *c)
{
    json_decref(c->facts);
    mc_arena_free(&c->arena);
    memset(c, 0, sizeof *c);
}

/* ---- writing ---- */

typedef struct buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
} buffer;

mc_status mc_case_encode(const mc_case *c, uint8_t **out, size_t *size, mc_error *error)
{
    char *text = json_dumps(c->facts, JSON_INDENT(1));
    mc_packed *entry = calloc(c->entry_count + 1, sizeof *entry);
    mc_status status = text == NULL || entry == NULL ? no_memory(error) : MC_OK;
    if (status == MC_OK) {
        entry[0] = (mc_packed){facts_name, {true, (const uint8_t *)text, strlen(text)}};
        for (uint32_t i = 0; i < c->entry_count; i++) {
            entry[i + 1] = c->entry[i];
        }
        status = mc_pack(entry, c->entry_count + 1, MC_PACK_ZSTD, out, size, error);
    }
    free(entry);
    free(text);
    return status;
}

mc_status mc_case_write(const mc_case *c, const char *path, mc_error *error)
{
    uint8_t *data = NULL;
    size_t size = 0;
    mc_status status = mc_case_encode(c, &data, &size, error);
    status = status == MC_OK ? mc_outfile_put(path, data, size, error) : status;
    free(data);
    return status;
}

/* ---- reading ---- */

static mc_status too_large(mc_error *error)
{
    return mc_fail(error, MC_MALFORMED, "case-too-large", "more than %d bytes", MC_CASE_BYTES_MAX);
}

/* A compressed file, handed on piece by piece. */
typedef struct source {
    const uint8_t *data;
    size_t size;
    size_t given;
} source;

/* Headers can be as plentiful as zeros in a few bytes of zstd, and the library reads any number of
 * them before it shows an entry: what comes out is counted here, too. */
static la_ssize_t give_bytes(struct archive *archive, void *context, const void **out)
{
    source *s = context;
    if (archive_filter_bytes(archive, 0) > (la_int64_t)MC_CASE_BYTES_MAX + HEADERS_BYTES_MAX) {
        archive_set_error(archive, EFBIG, "more than %d bytes", MC_CASE_BYTES_MAX);
        return -1;
    }
    size_t left = s->size - s->given;
    size_t size = left < GIVE_BYTES ? left : GIVE_BYTES;
    if (size > 0) {
        *out = s->data + s->given;
        s->given += size;
    }
    return (la_ssize_t)size;
}

/* The bytes of the present entry, grown as they arrive: what a header promises is not believed. */
static mc_status read_entry(struct archive *archive, buffer *b, mc_error *error)
{
    b->size = 0;
    for (;;) {
        if (b->size > MC_CASE_BYTES_MAX) {
            return too_large(error);
        }
        if (b->capacity - b->size < READ_BYTES) {
            size_t most = (size_t)MC_CASE_BYTES_MAX + 2 * READ_BYTES;
            size_t capacity = b->capacity * 2 + READ_BYTES;
            capacity = capacity < most ? capacity : most;
            uint8_t *more = realloc(b->data, capacity);
            if (more == NULL) {
                return no_memory(error);
            }
            b->data = more;
            b->capacity = capacity;
        }
        la_ssize_t n = archive_read_data(archive, b->data + b->size, b->capacity - b->size);
        if (n < 0) {
            const char *why = archive_error_string(archive);
            return mc_fail(error, MC_MALFORMED, "case-damaged", "not a whole archive: %s",
                           why != NULL ? why : "unknown");
        }
        if (n == 0) {
            return MC_OK;
        }
        b->size += (size_t)n;
    }
}

static mc_status take_entry(mc_case *c, struct archive *archive, struct archive_entry *entry,
                            buffer *b, mc_error *error)
{
    const char *name = archive_entry_pathname(entry);
    if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) != NULL ||
        archive_entry_symlink(entry) != NULL) {
        return mc_fail(error, MC_MALFORMED, "case-name", "entry \"%.64s\": not a regular file",
                       name == NULL ? "" : name);
    }
    if (!good_name(name)) {
        return mc_fail(error, MC_MALFORMED, "case-name", "entry \"%.64s\": not a plain file name",
                       name == NULL ? "" : name);
    }
    mc_status status = read_entry(archive, b, error);
    if (status != MC_OK) {
        return status;
    }
    if (strcmp(name, facts_name) != 0) {
        return mc_case_add(c, name, b->data, b->size, error);
    }
    json_error_t why;
    if (c->facts != NULL) {
        return mc_fail(error, MC_MALFORMED, "case-twice", "entry %s: it is there twice", name);
    }
    if (b->size > FACTS_BYTES_MAX) {
        return mc_fail(error, MC_MALFORMED, "case-too-large", "%s: more than %d bytes", name,
                       FACTS_BYTES_MAX);
    }
    c->facts = json_loadb((const char *)b->data, b->size, JSON_REJECT_DUPLICATES, &why);
    return c->facts != NULL ? MC_OK
                            : mc_fail(error, MC_MALFORMED, "case-facts", "%s: line %d: %s",
                                      facts_name, why.line, why.text);
}

static mc_status unpack(mc_case *c, const uint8_t *data, size_t size, mc_error *error)
{
    struct archive *archive = archive_read_new();
    source from = {.data = data, .size = size};
    buffer b = {0};
    mc_status status = MC_OK;
    /* Exactly one zstd: filters that the library would find by itself could hide one in another. */
    if (archive == NULL || archive_read_append_filter(archive, ARCHIVE_FILTER_ZSTD) != ARCHIVE_OK ||
        archive_read_support_format_tar(archive) != ARCHIVE_OK) {
        status = no_memory(error);
    } else if (archive_read_open(archive, &from, NULL, give_bytes, NULL) != ARCHIVE_OK) {
        status = mc_fail(error, MC_MALFORMED, "case-damaged", "not a tar archive in zstd: %s",
                         archive_error_string(archive));
    }
    while (status == MC_OK) {
        struct archive_entry *entry;
        int rc = archive_read_next_header(archive, &entry);
        if (rc == ARCHIVE_EOF) {
            break;
        }
        status = rc == ARCHIVE_OK
                     ? take_entry(c, archive, entry, &b, error)
                     : mc_fail(error, MC_MALFORMED, "case-damaged", "not a whole archive: %s",
                               archive_error_string(archive));
    }
    free(b.data);
    (void)archive_read_free(archive);
    return status;
}

static mc_status bad_fact(mc_error *error, const char *key, const char *what)
{
    return mc_fail(error, MC_MALFORMED, "case-facts", "%s: \"%s\": %s", facts_name, key, what);
}

static int word_index(const char *word, const char *const *words, int count)
{
    for (int i = 0; word != NULL && i < count; i++) {
        if (strcmp(word, words[i]) == 0) {
            return i;
        }
    }
    return -1;
}

enum { NAMES = 2 };
static const char *const database_names[NAMES] = {"main.db", "aux.db"};
static const char *const crash_words[] = {"kv:journal", "kv:batch", "kv:batch-128", "kill"};
enum { CRASH_WORDS = 4 };

/* "kill@no-journal" and "kill+again" are kills, too: how a state was handed over, and that it is of
 * a second crash, shows in its files. */
static void crash_word(const mc_case *c, char *out, size_t size)
{
    (void)snprintf(out, size, "%s", mc_case_text(c, "crash"));
    char *again = strstr(out, MC_AGAIN_MARK);
    if (again != NULL && again[strlen(MC_AGAIN_MARK)] == '\0') {
        *again = '\0';
    }
    out[strcspn(out, "@")] = '\0';
}

const mc_power_profile *mc_case_power(const mc_case *c)
{
    char word[48];
    crash_word(c, word, sizeof word);
    return strncmp(word, "power:", 6) == 0 ? mc_power_find(word + 6) : NULL;
}

/* A power loss is a kill, too: what was left is in the files. */
static int crash_index(const mc_case *c)
{
    char word[48];
    if (mc_case_power(c) != NULL) {
        return MC_KV_BUILDS;
    }
    crash_word(c, word, sizeof word);
    return word_index(word, crash_words, CRASH_WORDS);
}

static mc_status check_form(const mc_case *c, mc_error *error)
{
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        const fact *f = &facts[i];
        const json_t *value = json_object_get(c->facts, f->key);
        bool good = f->kind == FACT_TEXT
                        ? json_is_string(value) && json_string_length(value) <= (size_t)f->most &&
                              strlen(json_string_value(value)) == json_string_length(value)
                    : f->kind == FACT_NUMBER
                        ? json_is_integer(value) && json_integer_value(value) >= 0 &&
                              json_integer_value(value) <= f->most
                        : json_is_object(value);
        if (!good) {
            return bad_fact(error, f->key, value == NULL ? "missing" : "of another form");
        }
    }
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(c->facts, "expected"), key, value)
    {
        if (!json_is_string(value) || json_string_length(value) > 63 || strlen(key) > 4095) {
            return bad_fact(error, "expected", "not the verdict of an importer");
        }
    }
    return MC_OK;
}

/* A snapshot is whole pages, as many as its header counts where the count is valid
 * (fileformat2 1.3.8). */
static const char *wrong_with_snapshot(const mc_file *file, uint32_t page_size)
{
    enum { CHANGE_COUNTER = 24, PAGE_COUNT = 28, VERSION_VALID_FOR = 92 };
    if (!file->exists) {
        return "missing";
    }
    if (file->size % page_size != 0) {
        return "not whole pages";
    }
    if (file->size == 0 ||
        memcmp(file->data + CHANGE_COUNTER, file->data + VERSION_VALID_FOR, 4) != 0) {
        return NULL;
    }
    uint32_t counted = mc_bytes_get_be32(file->data + PAGE_COUNT);
    return counted == 0 || counted == file->size / page_size ? NULL
                                                             : "its header counts other pages";
}

static mc_status check_snapshots(const mc_case *c, mc_error *error)
{
    uint32_t page_size = mc_case_number(c, "page_size");
    for (uint32_t k = 0; k <= mc_case_number(c, "begun"); k++) {
        for (uint32_t d = 0; d < mc_case_database_count(c); d++) {
            char name[MC_CASE_NAME_BYTES];
            mc_case_snapshot_name(k, d, name);
            mc_file file = mc_case_file(c, name);
            const char *why = wrong_with_snapshot(&file, page_size);
            if (why != NULL) {
                return mc_fail(error, MC_MALFORMED, "case-snapshot", "%s: %s", name, why);
            }
        }
    }
    return MC_OK;
}

static mc_status check(const mc_case *c, mc_error *error)
{
    const char *found = json_string_value(json_object_get(c->facts, "schema"));
    if (c->facts == NULL || found == NULL || strcmp(found, schema) != 0) {
        return mc_fail(error, MC_MALFORMED, "case-schema", "%s: schema is not %s", facts_name,
                       schema);
    }
    mc_status status = check_form(c, error);
    if (status != MC_OK) {
        return status;
    }
    uint32_t page_size = mc_case_number(c, "page_size");
    uint32_t acked = mc_case_number(c, "acked");
    uint32_t begun = mc_case_number(c, "begun");
    const json_t *names = json_object_get(c->facts, "databases");
    size_t databases = json_array_size(names);
    bool kv = crash_index(c) >= 0 && crash_index(c) < MC_KV_BUILDS;
    bool known = databases >= 1 && databases <= (kv ? 1 : NAMES);
    for (size_t i = 0; known && i < databases; i++) {
        known = word_index(json_string_value(json_array_get(names, i)), &database_names[i], 1) == 0;
    }
    if (!known) {
        return bad_fact(error, "databases", "neither main.db nor, of files, main.db and aux.db");
    }
    if (page_size < MC_PAGE_SIZE_MIN || (page_size & (page_size - 1)) != 0) {
        return bad_fact(error, "page_size", "not a page size of SQLite");
    }
    if (begun != acked && begun != acked + 1) {
        return bad_fact(error, "begun", "neither acked nor acked + 1");
    }
    if (word_index(mc_case_text(c, "mode"), mc_mode_names, MC_MODES) < 0 ||
        word_index(mc_case_text(c, "sync"), mc_sync_names, MC_SYNCS) < 0 || crash_index(c) < 0) {
        return bad_fact(error, "mode", "or \"sync\" or \"crash\" is not a known word");
    }
    if (kv && !mc_case_file(c, "kv.jsonl").exists) {
        return mc_fail(error, MC_MALFORMED, "case-state", "kv.jsonl: missing");
    }
    return check_snapshots(c, error);
}

mc_status mc_case_decode(const char *name, const uint8_t *data, size_t size, mc_case *c,
                         mc_error *error)
{
    size_t length = strlen(name);
    bool long_name = length > SHOWN_BYTES_MAX;
    memset(c, 0, sizeof *c);
    mc_error why;
    mc_status status = unpack(c, data, size, &why);
    status = status == MC_OK ? check(c, &why) : status;
    if (status != MC_OK) {
        mc_case_free(c);
        return mc_fail(error, status, why.reason, "%s%s: %s", long_name ? "..." : "",
                       long_name ? name + length - SHOWN_BYTES_MAX : name, why.text);
    }
    return MC_OK;
}

mc_status mc_case_read(const char *path, mc_case *c, mc_error *error)
{
    mc_infile in;
    mc_arena arena = {.limit_bytes = (size_t)MC_CASE_FILE_BYTES_MAX * 2};
    memset(c, 0, sizeof *c);
    mc_status status = mc_infile_open(&in, path, MC_CASE_FILE_BYTES_MAX, error);
    if (status == MC_OK && in.fd < 0) {
        status = mc_fail(error, MC_IO, "io", "%s: %s", path, strerror(ENOENT));
    }
    status = status == MC_OK ? mc_infile_read(&in, &arena, error) : status;
    mc_infile_close(&in);
    if (status == MC_OK) {
        status = mc_case_decode(path, in.file.data, (size_t)in.file.size, c, error);
    }
    mc_arena_free(&arena);
    return status;
}

/* ---- facts ---- */

const char *mc_case_text(const mc_case *c, const char *key)
{
    const char *text = json_string_value(json_object_get(c->facts, key));
    assert(text != NULL);
    return text;
}

uint32_t mc_case_number(const mc_case *c, const char *key)
{
    const json_t *value = json_object_get(c->facts, key);
    assert(json_is_integer(value));
    return (uint32_t)json_integer_value(value);
}

uint32_t mc_case_database_count(const mc_case *c)
{
    return (uint32_t)json_array_size(json_object_get(c->facts, "databases"));
}

const char *mc_case_database(const mc_case *c, uint32_t database)
{
    return json_string_value(json_array_get(json_object_get(c->facts, "databases"), database));
}

void mc_case_recipe(const mc_case *c, mc_record_options *out)
{
    int crash = crash_index(c);
    assert(crash >= 0);
    *out = (mc_record_options){
        .workload = mc_case_text(c, "workload"),
        .mode = (mc_mode)word_index(mc_case_text(c, "mode"), mc_mode_names, MC_MODES),
        .sync = (mc_sync)word_index(mc_case_text(c, "sync"), mc_sync_names, MC_SYNCS),
        .page_size = mc_case_number(c, "page_size"),
        .cache_pages = mc_case_number(c, "cache_pages"),
        .txns = mc_case_number(c, "txns"),
        .seed = (uint64_t)json_integer_value(json_object_get(c->facts, "seed")),
        .kv = crash < MC_KV_BUILDS,
        .kv_build = crash < MC_KV_BUILDS ? (mc_kv_build)crash : MC_KV_JOURNAL,
    };
}

void mc_case_name_of(const char *signature, char *out, size_t size)
{
    size_t have = 0;
    for (const char *at = signature; *at != '\0' && have < NAME_LETTERS_MAX && have + 32 < size;
         at++) {
        bool plain =
            (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9');
        if (plain || (have > 0 && out[have - 1] != '-')) {
            out[have++] = plain ? *at : '-';
        }
    }
    while (have > 0 && out[have - 1] == '-') {
        have--;
    }
    (void)snprintf(out + have, size - have, "-%08" PRIx32 ".case",
                   (uint32_t)XXH3_64bits(signature, strlen(signature)));
}
