#include "harness/case/sqltext.h"

#include <ctype.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char space[] = " \t\r\n\f";

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "program: out of memory");
}

static char *copy_text(const char *text, size_t size, mc_arena *arena)
{
    char *copy = mc_arena_alloc(arena, size + 1);
    if (copy != NULL) {
        memcpy(copy, text, size);
        copy[size] = '\0';
    }
    return copy;
}

/* The length of the statement at `text`: up to the first semicolon after which SQLite calls it
 * complete, or all of it. A directive is its line. */
static size_t statement_size(char *text)
{
    if (text[0] == '@') {
        return strcspn(text, "\n");
    }
    for (char *at = strchr(text, ';'); at != NULL; at = strchr(at + 1, ';')) {
        char next = at[1];
        at[1] = '\0';
        bool complete = sqlite3_complete(text) != 0;
        at[1] = next;
        if (complete) {
            return (size_t)(at - text) + 1;
        }
    }
    return strlen(text);
}

static mc_status split_script(char *text, mc_program *program, mc_script *script, mc_error *error)
{
    for (text += strspn(text, space); *text != '\0'; text += strspn(text, space)) {
        size_t size = statement_size(text);
        mc_status status = mc_program_add(program, script, error, "%.*s", (int)size, text);
        if (status != MC_OK) {
            return status;
        }
        text += size;
    }
    return MC_OK;
}

mc_status mc_sqltext_program(const char *text, size_t size, mc_program *program, mc_error *error)
{
    static const char line[] = "-- @program\n";
    char *copy = copy_text(text, size, program->arena);
    if (copy == NULL) {
        return no_memory(error);
    }
    char *mark = strstr(copy, line);
    while (mark != NULL && mark != copy && mark[-1] != '\n') {
        mark = strstr(mark + 1, line);
    }
    if (mark == NULL) {
        return split_script(copy, program, &program->program, error);
    }
    *mark = '\0';
    mc_status status = split_script(copy, program, &program->setup, error);
    return status == MC_OK ? split_script(mark + strlen(line), program, &program->program, error)
                           : status;
}

static size_t quoted_size(const char *text)
{
    char end = text[0] == '[' ? ']' : text[0];
    size_t size = 1;
    while (text[size] != '\0' && text[size] != end) {
        size++;
    }
    return text[size] == '\0' ? size : size + 1;
}

static size_t token_size(const char *text)
{
    if (strchr("'\"`[", text[0]) != NULL) {
        return quoted_size(text);
    }
    size_t size = 0;
    while (isalnum((unsigned char)text[size]) || text[size] == '_' || text[size] == '.' ||
           (unsigned char)text[size] >= 0x80) {
        size++;
    }
    return size > 0 ? size : 1;
}

bool mc_sqltext_split(mc_sqltext *out, const char *statement, mc_arena *arena)
{
    out->count = 0;
    for (const char *at = statement; *at != '\0';) {
        size_t size = token_size(at);
        size += strspn(at + size, space);
        if (out->count == MC_SQLTEXT_TOKENS_MAX) {
            return false;
        }
        const char *token = copy_text(at, size, arena);
        if (token == NULL) {
            return false;
        }
        out->token[out->count++] = token;
        at += size;
    }
    return true;
}

const char *mc_sqltext_join(const mc_sqltext *text, const bool *keep, mc_arena *arena)
{
    size_t size = 0;
    for (uint32_t i = 0; i < text->count; i++) {
        size += keep == NULL || keep[i] ? strlen(text->token[i]) : 0;
    }
    char *joined = mc_arena_alloc(arena, size + 1);
    size_t at = 0;
    for (uint32_t i = 0; joined != NULL && i < text->count; i++) {
        if (keep == NULL || keep[i]) {
            size_t length = strlen(text->token[i]);
            memcpy(joined + at, text->token[i], length);
            at += length;
        }
    }
    if (joined != NULL) {
        joined[at] = '\0';
    }
    return joined;
}

uint64_t mc_sqltext_number(const mc_sqltext *text, uint32_t token)
{
    const char *at = text->token[token];
    size_t digits = strspn(at, "0123456789");
    bool whole = digits > 0 && digits < 19 && digits + strspn(at + digits, space) == strlen(at);
    return whole ? strtoull(at, NULL, 10) : 0;
}

bool mc_sqltext_set_number(mc_sqltext *text, uint32_t token, uint64_t value, mc_arena *arena)
{
    const char *behind = text->token[token] + strspn(text->token[token], "0123456789");
    char number[32];
    (void)snprintf(number, sizeof number, "%" PRIu64, value);
    size_t size = strlen(number) + strlen(behind);
    char *now = mc_arena_alloc(arena, size + 1);
    if (now == NULL) {
        return false;
    }
    (void)snprintf(now, size + 1, "%s%s", number, behind);
    text->token[token] = now;
    return true;
}
