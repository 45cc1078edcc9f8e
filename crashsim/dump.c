#include "crashsim/dump.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char HEX[] = "0123456789abcdef";

/* Where in which dump, for errors. */
typedef struct place {
    const char *name;
    size_t line;
} place;

typedef struct dump_item {
    mc_kv_entry entry;
    size_t line;
} dump_item;

typedef struct dump_items {
    dump_item *item;
    size_t count;
    size_t capacity;
} dump_items;

static mc_status malformed(const place *at, const char *expected, mc_error *error)
{
    return mc_fail(error, MC_MALFORMED, "bad-dump", "%s: line %zu: expected %s", at->name, at->line,
                   expected);
}

static mc_status no_memory(const place *at, mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "%s: line %zu: no memory for the dump",
                   at->name, at->line);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* `*foreign`: it is a key that is too long to be kept, and none of v1's. */
static mc_status decode_key(const json_t *text, const place *at, mc_kv_entry *out, bool *foreign,
                            mc_error *error)
{
    size_t size = json_string_length(text);
    const char *digits = json_string_value(text);
    *foreign = false;
    if (size % 2 != 0) {
        return malformed(at, "a key of pairs of hexadecimal digits", error);
    }
    if (size / 2 > MC_KV_KEY_MAX) {
        for (size_t i = 0; i < size; i++) {
            if (hex_digit(digits[i]) < 0) {
                return malformed(at, "a key of hexadecimal digits", error);
            }
        }
        *foreign = strncmp(digits, "0801", 4) != 0;
        return *foreign ? MC_OK : malformed(at, "a v1 key of at most 16 bytes", error);
    }
    for (size_t i = 0; i < size / 2; i++) {
        int high = hex_digit(digits[2 * i]);
        int low = hex_digit(digits[2 * i + 1]);
        if (high < 0 || low < 0) {
            return malformed(at, "a key of hexadecimal digits", error);
        }
        out->key[i] = (uint8_t)(high * 16 + low);
    }
    out->key_size = (uint32_t)(size / 2);
    return MC_OK;
}

/* The value of each base64 digit, and 64 for every other byte. */
static void base64_values(uint8_t value[256])
{
    memset(value, 64, 256);
    for (uint8_t i = 0; i < 64; i++) {
        value[(uint8_t)BASE64[i]] = i;
    }
}

/* Decodes `size` digits, padding already taken off, into size * 6 / 8 bytes; false for a digit that
 * is none, or bits left over that are not zero. */
static bool decode_base64(const char *digits, size_t size, uint8_t *out)
{
    uint8_t value[256];
    base64_values(value);
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < size; i++) {
        uint8_t digit = value[(uint8_t)digits[i]];
        if (digit == 64) {
            return false;
        }
        bits = (bits << 6) | digit;
        held += 6;
        if (held >= 8) {
            held -= 8;
            *out++ = (uint8_t)(bits >> held);
            bits &= (1u << held) - 1;
        }
    }
    assert(held < 6); /* whole groups of four, less one or two digits of padding */
    return bits == 0;
}

static mc_status decode_value(const json_t *text, const place *at, mc_arena *arena,
                              mc_kv_entry *out, mc_error *error)
{
    size_t size = json_string_length(text);
    const char *digits = json_string_value(text);
    size_t padding = 0;
    while (padding < 2 && padding < size && digits[size - 1 - padding] == '=') {
        padding++;
    }
    size_t value_size = (size - padding) * 6 / 8;
    if (value_size > MC_DUMP_VALUE_BYTES_MAX) {
        return malformed(at, "a value of at most 131072 bytes", error);
    }
    uint8_t *value = mc_arena_alloc(arena, value_size);
    if (value == NULL) {
        return no_memory(at, error);
    }
    if (size % 4 != 0 || !decode_base64(digits, size - padding, value)) {
        return malformed(at, "a value in base64", error);
    }
    out->value = value;
    out->value_size = (uint32_t)value_size;
    return MC_OK;
}

static mc_status add_item(dump_items *items, const dump_item *item, const place *at,
                          mc_error *error)
{
    if (items->count == items->capacity) {
        size_t capacity = items->capacity == 0 ? 256 : items->capacity * 2;
        dump_item *moved = realloc(items->item, capacity * sizeof *moved);
        if (moved == NULL) {
            return no_memory(at, error);
        }
        items->item = moved;
        items->capacity = capacity;
    }
    items->item[items->count++] = *item;
    return MC_OK;
}

static mc_status parse_line(const char *text, size_t size, const place *at, mc_arena *arena,
                            dump_items *items, mc_error *error)
{
    json_error_t ignored;
    if (size > MC_DUMP_LINE_BYTES_MAX) {
        return malformed(at, "a line of at most 4194304 bytes", error);
    }
    json_t *line = json_loadb(text, size, JSON_REJECT_DUPLICATES, &ignored);
    if (!json_is_object(line)) {
        json_decref(line);
        return malformed(at, "one JSON object", error);
    }
    const json_t *key = json_object_get(line, "k");
    const json_t *value = json_object_get(line, "v");
    mc_status status = MC_OK;
    if (json_is_string(key) && json_is_string(value)) {
        dump_item item = {.line = at->line};
        bool foreign;
        status = decode_key(key, at, &item.entry, &foreign, error);
        if (status == MC_OK && foreign) {
            json_decref(line);
            return MC_OK;
        }
        if (status == MC_OK) {
            status = decode_value(value, at, arena, &item.entry, error);
        }
        if (status == MC_OK) {
            status = add_item(items, &item, at, error);
        }
    } else if (key != NULL || value != NULL) {
        status = malformed(at, "\"k\" and \"v\", both strings", error);
    }
    json_decref(line);
    return status;
}

static bool is_blank(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r') {
            return false;
        }
    }
    return true;
}

static int compare_keys(const mc_kv_entry *a, const mc_kv_entry *b)
{
    uint32_t shared = a->key_size < b->key_size ? a->key_size : b->key_size;
    int order = memcmp(a->key, b->key, shared);
    return order != 0 ? order : (a->key_size > b->key_size) - (a->key_size < b->key_size);
}

/* By key, and lines with one key in the order of the dump. */
static int compare_items(const void *left, const void *right)
{
    const dump_item *a = left;
    const dump_item *b = right;
    int order = compare_keys(&a->entry, &b->entry);
    return order != 0 ? order : (a->line > b->line) - (a->line < b->line);
}

static mc_status fill_store(const dump_items *items, const char *name, mc_kvstore *store,
                            mc_error *error)
{
    for (size_t i = 0; i < items->count; i++) {
        const dump_item *item = &items->item[i];
        place at = {.name = name, .line = item->line};
        if (i > 0 && compare_keys(&items->item[i - 1].entry, &item->entry) == 0) {
            return mc_fail(error, MC_MALFORMED, "duplicate-key",
                           "%s: line %zu: expected a new key, found the key of line %zu", name,
                           item->line, items->item[i - 1].line);
        }
        if (!mc_kvstore_put(store, item->entry.key, item->entry.key_size, item->entry.value,
                            item->entry.value_size)) {
            return no_memory(&at, error);
        }
    }
    return MC_OK;
}

mc_status mc_dump_parse(const char *name, const char *text, size_t size, mc_arena *arena,
                        mc_kvstore *store, mc_error *error)
{
    assert(store->count == 0);
    if (size > MC_DUMP_BYTES_MAX) {
        return mc_fail(error, MC_MALFORMED, "too-large",
                       "%s: expected a dump of at most %" PRIu64 " bytes, found %zu", name,
                       MC_DUMP_BYTES_MAX, size);
    }
    dump_items items = {0};
    place at = {.name = name};
    mc_status status = MC_OK;
    for (size_t start = 0; status == MC_OK && start < size;) {
        const char *newline = memchr(text + start, '\n', size - start);
        size_t end = newline == NULL ? size : (size_t)(newline - text);
        at.line++;
        if (!is_blank(text + start, end - start)) {
            status = parse_line(text + start, end - start, &at, arena, &items, error);
        }
        start = end + 1;
    }
    if (status == MC_OK && items.count > 0) {
        qsort(items.item, items.count, sizeof *items.item, compare_items);
        status = fill_store(&items, name, store, error);
    }
    free(items.item);
    if (status != MC_OK) {
        mc_kvstore_free(store);
    }
    return status;
}

static mc_status io_error(const char *path, const char *what, mc_error *error)
{
    return mc_fail(error, MC_IO, "cannot-read", "%s: %s: %s", path, what, strerror(errno));
}

/* The whole file, to be freed by the caller; one byte more than a dump may have is read at most. */
static mc_status read_whole(FILE *file, const char *path, char **text, size_t *size,
                            mc_error *error)
{
    size_t capacity = 64 * 1024;
    *size = 0;
    *text = malloc(capacity);
    while (*text != NULL && *size <= MC_DUMP_BYTES_MAX) {
        size_t got = fread(*text + *size, 1, capacity - *size, file);
        *size += got;
        if (got == 0) {
            return ferror(file) ? io_error(path, "cannot read", error) : MC_OK;
        }
        if (*size == capacity) {
            capacity *= 2;
            char *moved = realloc(*text, capacity);
            if (moved == NULL) {
                free(*text);
            }
            *text = moved;
        }
    }
    if (*text == NULL) {
        return no_memory(&(place){.name = path}, error);
    }
    return MC_OK;
}

mc_status mc_dump_read(const char *path, mc_arena *arena, mc_kvstore *store, mc_error *error)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return io_error(path, "cannot open", error);
    }
    char *text;
    size_t size;
    mc_status status = read_whole(file, path, &text, &size, error);
    (void)fclose(file);
    if (status == MC_OK) {
        status = mc_dump_parse(path, text, size, arena, store, error);
    }
    free(text);
    return status;
}

static void write_base64(const uint8_t *value, uint32_t size, FILE *file)
{
    for (uint32_t i = 0; i < size; i += 3) {
        uint32_t left = size - i;
        uint32_t bits = (uint32_t)value[i] << 16;
        bits |= left > 1 ? (uint32_t)value[i + 1] << 8 : 0;
        bits |= left > 2 ? (uint32_t)value[i + 2] : 0;
        char digits[4] = {BASE64[bits >> 18], BASE64[bits >> 12 & 63],
                          left > 1 ? BASE64[bits >> 6 & 63] : '=',
                          left > 2 ? BASE64[bits & 63] : '='};
        (void)fwrite(digits, 1, sizeof digits, file);
    }
}

mc_status mc_dump_write(const mc_kvstore *store, FILE *file, const char *name, mc_error *error)
{
    for (size_t i = 0; i < store->count; i++) {
        const mc_kv_entry *entry = &store->entry[i];
        (void)fputs("{\"k\":\"", file);
        for (uint32_t k = 0; k < entry->key_size; k++) {
            (void)fputc(HEX[entry->key[k] >> 4], file);
            (void)fputc(HEX[entry->key[k] & 15], file);
        }
        (void)fputs("\",\"v\":\"", file);
        write_base64(entry->value, entry->value_size, file);
        (void)fputs("\"}\n", file);
    }
    if (fflush(file) != 0 || ferror(file)) {
        return mc_fail(error, MC_IO, "cannot-write", "%s: cannot write the dump: %s", name,
                       strerror(errno));
    }
    return MC_OK;
}
