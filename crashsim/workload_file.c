/* workload_file.c: a user's FILE.sql as a program. SQLite itself splits it into statements when it
 * runs, so triggers and strings with semicolons are no special case here. */
#include "crashsim/workload_make.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_BYTES_MAX = 16 << 20 };

static mc_status fail_file(mc_error *error, const char *path, const char *why)
{
    return mc_fail(error, MC_MALFORMED, "workload-file", "%s: %s", path, why);
}

/* The length of the UTF-8 sequence at `text`, or 0: RFC 3629, without surrogates and overlong
 * forms. The zero that ends the text ends any sequence, so nothing behind it is read. */
static size_t utf8_size(const unsigned char *text)
{
    unsigned char a = text[0];
    if (a < 0x80) {
        return 1;
    }
    size_t size = a >= 0xf0 ? 4 : a >= 0xe0 ? 3 : 2;
    unsigned char low = a == 0xe0 ? 0xa0 : a == 0xf0 ? 0x90 : 0x80;
    unsigned char high = a == 0xed ? 0x9f : a == 0xf4 ? 0x8f : 0xbf;
    if (a < 0xc2 || a > 0xf4 || text[1] < low || text[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < size; i++) {
        if (text[i] < 0x80 || text[i] > 0xbf) {
            return 0;
        }
    }
    return size;
}

static bool is_utf8(const char *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        size_t step = utf8_size((const unsigned char *)text + at);
        if (step == 0) {
            return false;
        }
        at += step;
    }
    return true;
}

static mc_status read_file(mc_arena *arena, const char *path, char **out, mc_error *error)
{
    struct stat info;
    const char *why = NULL;
    /* Asked by name, because opening a pipe would wait for a writer. */
    if (stat(path, &info) != 0) {
        return fail_file(error, path, strerror(errno));
    }
    FILE *file = S_ISREG(info.st_mode) ? fopen(path, "rb") : NULL;
    if (!S_ISREG(info.st_mode)) {
        why = "not a regular file";
    } else if (file == NULL) {
        why = strerror(errno);
    } else if (info.st_size == 0) {
        why = "the file is empty";
    } else if (info.st_size > FILE_BYTES_MAX) {
        why = "the file is larger than 16 MiB";
    }
    size_t size = why == NULL ? (size_t)info.st_size : 0;
    char *text = why == NULL ? mc_arena_alloc(arena, size + 1) : NULL;
    if (why == NULL && text == NULL) {
        why = "no memory to read it";
    }
    if (why == NULL && fread(text, 1, size, file) != size) {
        why = "cannot be read";
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    if (why != NULL) {
        return fail_file(error, path, why);
    }
    text[size] = '\0';
    if (strlen(text) != size) {
        return fail_file(error, path, "the file has a zero byte");
    }
    if (!is_utf8(text, size)) {
        return fail_file(error, path, "the file is not UTF-8");
    }
    *out = text;
    return MC_OK;
}

/* The line "-- @program", or null. */
static char *find_program_line(char *text)
{
    static const char line[] = "-- @program";
    for (char *at = strstr(text, line); at != NULL; at = strstr(at + 1, line)) {
        char before = at == text ? '\n' : at[-1];
        char after = at[sizeof line - 1];
        if (before == '\n' && (after == '\0' || after == '\n' || after == '\r')) {
            return at;
        }
    }
    return NULL;
}

mc_status mc_make_from_file(mc_program *program, const char *path, mc_error *error)
{
    char *text = NULL;
    MC_TRY(read_file(program->arena, path, &text, error));
    char *line = find_program_line(text);
    if (line == NULL) {
        MC_DO("%s", text);
        return MC_OK;
    }
    MC_DO("%s", line);
    *line = '\0';
    MC_SETUP("%s", text);
    return MC_OK;
}
