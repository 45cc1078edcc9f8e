/* emit_sql.c: a case as a script for the sqlite3 shell.
 *
 * The script is the program of the case under the recorder's settings (crashsim/record.c). The
 * shell adds to SQL what nobody else has: lines that begin with '.' are commands, and functions
 * write files and start editors. A case may come from a stranger and people run what they are
 * given, so no line of the program can become a command, and a program with such a word in it is
 * refused: a recording cannot have had it, as libsqlite3 does not know them. */
#include "reports/emitting.h"

#include <stdlib.h>
#include <string.h>

enum { CACHE_DEFAULT = -2000 /* KiB: SQLite's own default (pragma.html, "cache_size") */ };

/* ---- words that only the shell knows ---- */

typedef struct shell_word {
    const char *word;
    bool called; /* dangerous only as a function: "edit(" */
} shell_word;

static const shell_word shell_words[] = {
    {"attach", false},  {"writefile", false}, {"load_extension", false},
    {"zipfile", false}, {"readfile", false},  {"fsdir", false},
    {"sqlar", false},   {"edit", true},       {"shell_add_schema", true},
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

/* Past white space, comments and closing quotes: does a call follow? */
static bool calls(const char *at)
{
    for (;;) {
        at += strspn(at, " \t\r\n\f\v\"]`'");
        if (at[0] == '-' && at[1] == '-') {
            at += strcspn(at, "\n");
        } else if (at[0] == '/' && at[1] == '*') {
            const char *end = strstr(at + 2, "*/");
            at = end == NULL ? at + strlen(at) : end + 2;
        } else {
            return at[0] == '(';
        }
    }
}

/* The first word of the text that it must not have, or null. VACUUM INTO writes a file, too. */
static const char *forbidden_word(const char *text)
{
    bool vacuum = false;
    for (const char *at = text; *at != '\0';) {
        if (!is_letter(*at)) {
            vacuum = vacuum && *at != ';';
            at++;
            continue;
        }
        size_t size = 1;
        while (is_letter(at[size])) {
            size++;
        }
        for (size_t i = 0; i < sizeof shell_words / sizeof *shell_words; i++) {
            const shell_word *w = &shell_words[i];
            if (strlen(w->word) == size && strncasecmp(w->word, at, size) == 0 &&
                (!w->called || calls(at + size))) {
                return w->word;
            }
        }
        if (vacuum && size == 4 && strncasecmp(at, "into", size) == 0) {
            return "vacuum into";
        }
        vacuum = vacuum || (size == 6 && strncasecmp(at, "vacuum", size) == 0);
        at += size;
    }
    return NULL;
}

/* ---- the script ---- */

static bool fact(const mc_emission *e, const char *key)
{
    return json_is_true(json_object_get(e->c->facts, key));
}

/* `fresh`: no database is there yet, so auto_vacuum can still be chosen. */
static void put_settings(const mc_emission *e, const char *mode, const char *sync, bool attach,
                         bool fresh, FILE *out)
{
    static const char *const schema[] = {"main", "aux"};
    uint32_t cache = mc_case_number(e->c, "cache_pages");
    (void)fputs("PRAGMA temp_store=MEMORY;\nPRAGMA mmap_size=0;\n"
                "PRAGMA wal_autocheckpoint=0;\nPRAGMA cache_spill=ON;\n",
                out);
    if (e->is_kv) {
        (void)fputs("PRAGMA locking_mode=EXCLUSIVE;\n", out);
    }
    if (attach) {
        (void)fputs("ATTACH 'aux.db' AS aux;\n", out);
    }
    for (int i = 0; i < (fact(e, "attach") ? 2 : 1); i++) {
        const char *on = schema[i];
        (void)fprintf(out,
                      "PRAGMA %s.page_size=%u;\nPRAGMA %s.secure_delete=OFF;\n"
                      "PRAGMA %s.synchronous=%s;\n",
                      on, mc_case_number(e->c, "page_size"), on, on, sync);
        if (fresh) {
            (void)fprintf(out, "PRAGMA %s.auto_vacuum=%s;\n", on,
                          fact(e, "auto_vacuum") ? "FULL" : "NONE");
        }
        (void)fprintf(out, "PRAGMA %s.cache_size=%d;\nPRAGMA %s.journal_mode=%s;\n", on,
                      cache != 0 ? (int)cache : CACHE_DEFAULT, on, mode);
    }
}

static bool is_directive(const char *text, const char *stop)
{
    static const char *const directives[] = {"@reopen", "@reader begin", "@reader end"};
    for (size_t i = 0; i < sizeof directives / sizeof *directives; i++) {
        size_t size = strlen(directives[i]);
        if ((size_t)(stop - text) >= size && memcmp(text, directives[i], size) == 0 &&
            strspn(text + size, " \t\r;") >= (size_t)(stop - text) - size) {
            return true;
        }
    }
    return false;
}

/* Lines of the program. A directive becomes a comment, and a line that the shell could take for a
 * command of its own is kept from its left margin. */
static void put_lines(const char *text, const char *end, FILE *out)
{
    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        stop = stop == NULL ? end : stop;
        if (is_directive(text + strspn(text, " \t"), stop)) {
            (void)fputs("-- the harness does here: ", out);
        } else if (*text == '.') {
            (void)fputs("/**/", out);
        }
        (void)fwrite(text, 1, (size_t)(stop - text), out);
        (void)fputc('\n', out);
        text = stop + 1;
    }
}

/* The line "-- @program" that ends the setup; null: there is no setup. */
static const char *find_program(const char *text)
{
    static const char line[] = "-- @program";
    for (const char *at = strstr(text, line); at != NULL; at = strstr(at + 1, line)) {
        if ((at == text || at[-1] == '\n') && strchr("\r\n", at[sizeof line - 1]) != NULL) {
            return at;
        }
    }
    return NULL;
}

static void put_script(const mc_emission *e, const char *text, size_t size, FILE *out)
{
    const char *program = find_program(text);
    const char *mode = mc_case_text(e->c, "mode");
    bool attach = fact(e, "attach");
    bool setup = program != NULL && strspn(text, " \t\r\n") < (size_t)(program - text);
    (void)fputs("--\n.bail on\n", out);
    if (strcmp(mode, "off") == 0) {
        (void)fputs(".dbconfig defensive off\n", out); /* or newer shells keep the journal */
    }
    if (setup) {
        (void)fputs("\n-- The setup: a connection of its own, before anything is killed.\n", out);
        put_settings(e, e->is_kv ? "DELETE" : "MEMORY", "OFF", attach, true, out);
        put_lines(text, program, out);
        attach = false; /* it is */
    }
    (void)fputs("\n-- The program: a new connection. The process is killed in here.\n", out);
    put_settings(e, mode, mc_case_text(e->c, "sync"), attach, !setup, out);
    put_lines(program != NULL ? program : text, text + size, out);
}

mc_status mc_emit_sql(mc_emission *e, FILE *out, mc_error *error)
{
    mc_file entry = mc_case_file(e->c, "workload.sql");
    if (!entry.exists || entry.size == 0) {
        return mc_fail(error, MC_MALFORMED, "emit-no-program",
                       "workload.sql: the case has none, so there are no steps to write down");
    }
    size_t size = (size_t)entry.size;
    char *text = mc_arena_alloc(&e->arena, size + 1);
    if (text == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "emit: out of memory");
    }
    memcpy(text, entry.data, size);
    text[size] = '\0';
    const char *word = forbidden_word(text);
    if (word != NULL || strlen(text) != size) {
        return mc_fail(error, MC_MALFORMED, "emit-program",
                       "workload.sql: %s%s, which is not for the sqlite3 shell",
                       word != NULL ? "it has the word " : "it has a zero byte",
                       word != NULL ? word : "");
    }
    mc_emit_about(e, "-- ", out);
    (void)fputs("--\n-- usage: sqlite3 new.db <THIS    in an empty folder\n"
                "-- It runs to its end. To see the finding, kill the process where it says so.\n"
                "--\n",
                out);
    mc_emit_story(e, "-- ", out);
    put_script(e, text, size, out);
    return MC_OK;
}
