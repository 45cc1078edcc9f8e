/* emit_c.c: a case as a C program that needs only sqlite3.
 *
 * Files are written as rows of 32 bytes in hexadecimal. A file names another one that it is like
 * (a snapshot the one before it, the first snapshot the main file) and lists only the rows in which
 * it differs from that, or from zeros; equal rows that follow each other are one row with a count.
 * So the text is small enough to read, and to review. */
#include "reports/emitting.h"

#include <string.h>

enum { ROW_BYTES = 32 };

/* A text of printable ASCII as a string of C: octal for what could be more than itself. */
static void put_string(FILE *out, const char *text)
{
    (void)fputc('"', out);
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\' || *at == '?' || *at == '%' || *at < ' ' || *at > '~') {
            (void)fprintf(out, "\\%03o", (unsigned)(unsigned char)*at);
        } else {
            (void)fputc(*at, out);
        }
    }
    (void)fputc('"', out);
}

/* ---- the files ---- */

/* The earlier file that file `index` is like, or -1: zeros. Snapshots come last, one per database
 * and commit. */
static int like(const mc_emission *e, uint32_t index)
{
    uint32_t first = 0;
    while (first < e->file_count && mc_case_is_state(e->file[first].name)) {
        first++;
    }
    if (index >= first + e->databases) {
        return (int)(index - e->databases);
    }
    for (uint32_t i = 0; index >= first && i < first; i++) {
        if (strcmp(e->file[i].name, mc_case_database(e->c, index - first)) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* Row `at` of a file, or of zeros when it has none there. */
static void get_row(const mc_file *file, uint64_t at, uint8_t row[ROW_BYTES])
{
    memset(row, 0, ROW_BYTES);
    if (file != NULL && at < file->size) {
        uint64_t left = file->size - at;
        memcpy(row, file->data + at, left < ROW_BYTES ? (size_t)left : ROW_BYTES);
    }
}

static void put_row(FILE *out, uint64_t offset, uint64_t times, const uint8_t row[ROW_BYTES])
{
    static const char digit[] = "0123456789abcdef";
    char hex[2 * ROW_BYTES + 1] = "";
    size_t used = 0;
    for (size_t i = 0; i < ROW_BYTES; i++) {
        hex[used++] = digit[row[i] >> 4];
        hex[used++] = digit[row[i] & 15];
    }
    (void)fprintf(out, "    {0x%06llx, %llu, \"%s\"},\n", (unsigned long long)offset,
                  (unsigned long long)times, hex);
}

static void put_rows(const mc_emission *e, uint32_t index, FILE *out)
{
    const mc_file *file = &e->file[index].file;
    int base = like(e, index);
    const mc_file *other = base >= 0 ? &e->file[base].file : NULL;
    uint8_t pending[ROW_BYTES];
    uint64_t first = 0;
    uint64_t times = 0;
    (void)fprintf(out, "\nstatic const struct row rows_%u[] = { /* %s", index, e->file[index].name);
    (void)fprintf(out, base >= 0 ? ", where it differs from %s */\n" : " */\n",
                  base >= 0 ? e->file[base].name : "");
    for (uint64_t at = 0; at < file->size; at += ROW_BYTES) {
        uint8_t row[ROW_BYTES];
        uint8_t old[ROW_BYTES];
        get_row(file, at, row);
        get_row(other, at, old);
        bool listed = memcmp(row, old, ROW_BYTES) != 0;
        if (times > 0 && (!listed || memcmp(row, pending, ROW_BYTES) != 0)) {
            put_row(out, first, times, pending);
            times = 0;
        }
        if (listed) {
            first = times == 0 ? at : first;
            memcpy(pending, row, ROW_BYTES);
            times++;
        }
    }
    if (times > 0) {
        put_row(out, first, times, pending);
    }
    (void)fputs("    {0, 0, NULL},\n};\n", out);
}

static void put_files(const mc_emission *e, FILE *out)
{
    for (uint32_t i = 0; i < e->file_count; i++) {
        put_rows(e, i, out);
    }
    (void)fputs("\n/* Like an earlier file, or like -1: zeros. */\n"
                "static struct file files[] = {\n",
                out);
    for (uint32_t i = 0; i < e->file_count; i++) {
        (void)fprintf(out, "    {\"%s\", %llu, %d, rows_%u, NULL},\n", e->file[i].name,
                      (unsigned long long)e->file[i].file.size, like(e, i), i);
    }
    (void)fputs("    {NULL, 0, -1, NULL, NULL},\n};\n", out);
}

/* ---- the program ---- */

static void put_expectation(const mc_emission *e, FILE *out)
{
    static const char *const ways[] = {"OPEN", "ABANDON", "REJECT"};
    const mc_emit_expected *x = &e->expected;
    (void)fputs("\nstatic const char importer[] = ", out);
    put_string(out, e->subject);
    (void)fputs(";\nstatic const char verdict[] = ", out);
    put_string(out, e->verdict);
    (void)fprintf(out,
                  ";\nenum { OPEN, ABANDON, REJECT }; /* how the importer's part is done */\n"
                  "static const int way = %s;\n"
                  "static const int refusal = %d; /* must the importer refuse? */\n",
                  ways[e->way], x->refusal);
    (void)fprintf(out,
                  "static const int lowest = %d, highest = %d; /* snapshots that the database may"
                  " equal; -1: none */\n",
                  x->none ? -1 : (int)x->low, x->none ? -1 : (int)x->high);
    (void)fprintf(out,
                  "static const int soundness = %d; /* must integrity_check say ok? 1 yes, 0 no,"
                  " -1 either */\n"
                  "static const int acked = %u, begun = %u;\n"
                  "static const char *const database[] = {",
                  x->sound     ? 1
                  : x->unsound ? 0
                               : -1,
                  e->acked, e->begun);
    for (uint32_t d = 0; d < e->databases; d++) {
        (void)fprintf(out, "%s\"%s\"", d > 0 ? ", " : "", mc_case_database(e->c, d));
    }
    (void)fprintf(out, "};\nenum { DATABASES = %u };\n", e->databases);
}

static const char head[] = "#define _XOPEN_SOURCE 700\n"
                           "#include <sqlite3.h>\n"
                           "#include <stdio.h>\n"
                           "#include <stdlib.h>\n"
                           "#include <string.h>\n"
                           "#include <sys/stat.h>\n"
                           "#include <unistd.h>\n"
                           "\n"
                           "enum { ROW_BYTES = 32, PATH_BYTES = 128 };\n"
                           "struct row { unsigned long offset, times; const char *hex; };\n"
                           "struct file {\n"
                           "    const char *name;\n"
                           "    unsigned long size;\n"
                           "    int like;\n"
                           "    const struct row *rows;\n"
                           "    unsigned char *bytes;\n"
                           "};\n";

static const char making[] =
    "\n"
    "static void fail(const char *what)\n"
    "{\n"
    "    perror(what);\n"
    "    exit(2);\n"
    "}\n"
    "\n"
    "static unsigned nibble(char c) { return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10); }\n"
    "\n"
    "static void make(struct file *f)\n"
    "{\n"
    "    f->bytes = calloc(f->size + ROW_BYTES, 1);\n"
    "    if (f->bytes == NULL) {\n"
    "        fail(f->name);\n"
    "    }\n"
    "    if (f->like >= 0) {\n"
    "        const struct file *other = &files[f->like];\n"
    "        memcpy(f->bytes, other->bytes, other->size < f->size ? other->size : f->size);\n"
    "    }\n"
    "    for (const struct row *r = f->rows; r->hex != NULL; r++) {\n"
    "        for (unsigned long i = 0; i < r->times * ROW_BYTES; i++) {\n"
    "            const char *hex = r->hex + i % ROW_BYTES * 2;\n"
    "            f->bytes[r->offset + i] = (unsigned char)(nibble(hex[0]) << 4 | nibble(hex[1]));\n"
    "        }\n"
    "    }\n"
    "    FILE *out = fopen(f->name, \"wb\");\n"
    "    if (out == NULL || fwrite(f->bytes, 1, f->size, out) != f->size || fclose(out) != 0) {\n"
    "        fail(f->name);\n"
    "    }\n"
    "}\n";

static const char reading[] =
    "\n"
    "static const char *const suffix[] = {\"-journal\", \"-wal\", \"-shm\"};\n"
    "\n"
    "/* How many sidecars there are; removes them if asked. */\n"
    "static int sidecars(const char *name, int and_remove)\n"
    "{\n"
    "    int count = 0;\n"
    "    for (int i = 0; i < 3; i++) {\n"
    "        char path[PATH_BYTES];\n"
    "        snprintf(path, sizeof path, \"%s%s\", name, suffix[i]);\n"
    "        count += access(path, F_OK) == 0;\n"
    "        if (and_remove) {\n"
    "            remove(path);\n"
    "        }\n"
    "    }\n"
    "    return count;\n"
    "}\n"
    "\n"
    "/* A value that no terminal and no comparison mistakes for another. */\n"
    "static void put_value(FILE *out, sqlite3_stmt *row, int column)\n"
    "{\n"
    "    int type = sqlite3_column_type(row, column);\n"
    "    if (type == SQLITE_INTEGER) {\n"
    "        fprintf(out, \" %lld\", (long long)sqlite3_column_int64(row, column));\n"
    "    } else if (type == SQLITE_FLOAT) {\n"
    "        fprintf(out, \" %a\", sqlite3_column_double(row, column));\n"
    "    } else if (type == SQLITE_NULL) {\n"
    "        fputs(\" NULL\", out);\n"
    "    } else {\n"
    "        const unsigned char *bytes = sqlite3_column_blob(row, column);\n"
    "        int size = sqlite3_column_bytes(row, column);\n"
    "        fputs(type == SQLITE_TEXT ? \" '\" : \" x'\", out);\n"
    "        for (int i = 0; i < size; i++) {\n"
    "            int plain = bytes[i] >= ' ' && bytes[i] <= '~' && !strchr(\"\\\\'\", bytes[i]);\n"
    "            fprintf(out, plain ? \"%c\" : \"\\\\x%02x\", bytes[i]);\n"
    "        }\n"
    "        fputc('\\'', out);\n"
    "    }\n"
    "}\n"
    "\n"
    "/* Rows of a query, a line each, begun with `lead`. What cannot be read becomes a line, too. "
    "*/\n"
    "static int put_query(FILE *out, sqlite3 *db, const char *lead, const char *sql)\n"
    "{\n"
    "    sqlite3_stmt *row;\n"
    "    if (sqlite3_prepare_v2(db, sql, -1, &row, NULL) != SQLITE_OK) {\n"
    "        return 0;\n"
    "    }\n"
    "    while (sqlite3_step(row) == SQLITE_ROW) {\n"
    "        fputs(lead, out);\n"
    "        for (int i = 0; i < sqlite3_column_count(row); i++) {\n"
    "            put_value(out, row, i);\n"
    "        }\n"
    "        fputc('\\n', out);\n"
    "    }\n"
    "    if (sqlite3_finalize(row) != SQLITE_OK) {\n"
    "        fprintf(out, \"%s: %s\\n\", lead, sqlite3_errmsg(db));\n"
    "    }\n"
    "    return 1;\n"
    "}\n"
    "\n"
    "static void put_table(FILE *out, sqlite3 *db, const char *table)\n"
    "{\n"
    "    static const char *const query[] = {\"SELECT rowid, * FROM \\\"%w\\\" NOT INDEXED\",\n"
    "                                        \"SELECT * FROM \\\"%w\\\" NOT INDEXED\"};\n"
    "    for (int i = 0; i < 2; i++) { /* the second for a table WITHOUT ROWID */\n"
    "        char *sql = sqlite3_mprintf(query[i], table);\n"
    "        int done = sql != NULL && put_query(out, db, \"row\", sql);\n"
    "        sqlite3_free(sql);\n"
    "        if (done) {\n"
    "            return;\n"
    "        }\n"
    "    }\n"
    "    fprintf(out, \"a table cannot be read: %s\\n\", sqlite3_errmsg(db));\n"
    "}\n"
    "\n"
    "/* The schema, all rows of all tables and the application's numbers: appended to `out`. "
    "Returns\n"
    " * whether integrity_check says ok. */\n"
    "static int put_content(FILE *out, const char *name)\n"
    "{\n"
    "    char path[PATH_BYTES];\n"
    "    sqlite3 *db;\n"
    "    sqlite3_stmt *table;\n"
    "    snprintf(path, sizeof path, \"./%s\", name);\n"
    "    if (sqlite3_open(path, &db) != SQLITE_OK) {\n"
    "        fail(path);\n"
    "    }\n"
    "    sqlite3_exec(db, \"PRAGMA trusted_schema=OFF\", NULL, NULL, NULL);\n"
    "    char *check = NULL;\n"
    "    size_t check_size;\n"
    "    FILE *answer = open_memstream(&check, &check_size);\n"
    "    if (answer == NULL) {\n"
    "        fail(\"memory\");\n"
    "    }\n"
    "    put_query(answer, db, \"integrity_check:\", \"PRAGMA integrity_check(1)\");\n"
    "    fclose(answer);\n"
    "    int sound = strcmp(check, \"integrity_check: 'ok'\\n\") == 0;\n"
    "    if (!sound) {\n"
    "        printf(\"%s: %s\", name, check[0] != '\\0' ? check : \"it cannot be checked\\n\");\n"
    "    }\n"
    "    free(check);\n"
    "    put_query(out, db, \"user_version\", \"PRAGMA user_version\");\n"
    "    put_query(out, db, \"application_id\", \"PRAGMA application_id\");\n"
    "    put_query(out, db, \"schema\", \"SELECT type, name, tbl_name, sql FROM sqlite_master\");\n"
    "    if (sqlite3_prepare_v2(db, \"SELECT name FROM sqlite_master WHERE type = 'table'\"\n"
    "                               \" AND rootpage > 0\", -1, &table, NULL) == SQLITE_OK) {\n"
    "        while (sqlite3_step(table) == SQLITE_ROW) {\n"
    "            fputs(\"table\", out);\n"
    "            put_value(out, table, 0);\n"
    "            fputc('\\n', out);\n"
    "            put_table(out, db, (const char *)sqlite3_column_text(table, 0));\n"
    "        }\n"
    "        sqlite3_finalize(table);\n"
    "    }\n"
    "    sqlite3_close(db);\n"
    "    return sound;\n"
    "}\n";

static const char judging[] =
    "\n"
    "/* The content of snapshot k, or of the database that was imported when k is -1. */\n"
    "static char *content(int k, int *sound)\n"
    "{\n"
    "    char *text = NULL;\n"
    "    size_t size;\n"
    "    FILE *out = open_memstream(&text, &size);\n"
    "    if (out == NULL) {\n"
    "        fail(\"memory\");\n"
    "    }\n"
    "    *sound = 1;\n"
    "    for (int d = 0; d < DATABASES; d++) {\n"
    "        char name[PATH_BYTES];\n"
    "        snprintf(name, sizeof name, \"snapshot-%d%s.db\", k, d == 0 ? \"\" : \"-aux\");\n"
    "        *sound &= put_content(out, k < 0 ? database[d] : name);\n"
    "    }\n"
    "    if (fclose(out) != 0) {\n"
    "        fail(\"memory\");\n"
    "    }\n"
    "    return text;\n"
    "}\n"
    "\n"
    "static int equals(int k, const char *imported)\n"
    "{\n"
    "    int unused;\n"
    "    char *expected = content(k, &unused);\n"
    "    int same = strcmp(expected, imported) == 0;\n"
    "    free(expected);\n"
    "    return same;\n"
    "}\n"
    "\n"
    "/* The acknowledged one, the one in flight, or the newest older one; -1: none. A dump cannot\n"
    " * see a torn index, so integrity_check has a say. */\n"
    "static int find_snapshot(const char *imported, int sound)\n"
    "{\n"
    "    if (!sound) {\n"
    "        return -1;\n"
    "    }\n"
    "    if (equals(acked, imported)) {\n"
    "        return acked;\n"
    "    }\n"
    "    if (equals(begun, imported)) {\n"
    "        return begun;\n"
    "    }\n"
    "    int k = acked - 1;\n"
    "    while (k >= 0 && !equals(k, imported)) {\n"
    "        k--;\n"
    "    }\n"
    "    return k;\n"
    "}\n"
    "\n"
    "static void show_line(const char *what, const char *line)\n"
    "{\n"
    "    int size = (int)strcspn(line, \"\\n\");\n"
    "    printf(\"  %s %.*s\\n\", what, size < 160 ? size : 160, line);\n"
    "}\n"
    "\n"
    "static void show_difference(const char *imported)\n"
    "{\n"
    "    int unused;\n"
    "    char *expected = content(acked, &unused);\n"
    "    size_t i = 0, line = 0;\n"
    "    for (; expected[i] != '\\0' && expected[i] == imported[i]; i++) {\n"
    "        line = expected[i] == '\\n' ? i + 1 : line;\n"
    "    }\n"
    "    printf(\"It equals no snapshot. From snapshot %d it differs so:\\n\", acked);\n"
    "    show_line(\"expected\", expected + line);\n"
    "    show_line(\"found   \", imported + line);\n"
    "    free(expected);\n"
    "}\n"
    "\n"
    "static int judge(void)\n"
    "{\n"
    "    int refused = 0, sound;\n"
    "    for (int d = 0; d < DATABASES; d++) {\n"
    "        int count = sidecars(database[d], way == ABANDON);\n"
    "        refused |= way == REJECT && count > 0;\n"
    "    }\n"
    "    if (refused) {\n"
    "        printf(\"%s refuses for a sidecar; this is what SQLite makes of it:\\n\", importer);\n"
    "    }\n"
    "    char *imported = content(-1, &sound);\n"
    "    int found = find_snapshot(imported, sound);\n"
    "    printf(\"integrity_check: %s\\n\", sound ? \"ok\" : \"not ok\");\n"
    "    if (found >= 0) {\n"
    "        printf(\"It equals snapshot %d; %d were acknowledged, %d begun.\\n\", found, acked,\n"
    "               begun);\n"
    "    } else {\n"
    "        show_difference(imported);\n"
    "    }\n"
    "    free(imported);\n"
    "    int reproduced = found >= lowest && found <= highest && refused == refusal &&\n"
    "                     (soundness < 0 || soundness == sound);\n"
    "    printf(\"%s: %s: %s\\n\", reproduced ? \"reproduced\" : \"NOT reproduced\", importer,\n"
    "           verdict);\n"
    "    return reproduced ? 0 : 1;\n"
    "}\n"
    "\n"
    "static void clean_up(const char *folder)\n"
    "{\n"
    "    for (struct file *f = files; f->name != NULL; f++) {\n"
    "        sidecars(f->name, 1);\n"
    "        remove(f->name);\n"
    "        free(f->bytes);\n"
    "    }\n"
    "    for (int d = 0; d < DATABASES; d++) {\n"
    "        sidecars(database[d], 1);\n"
    "        remove(database[d]);\n"
    "    }\n"
    "    if (chdir(\"/\") != 0 || rmdir(folder) != 0) {\n"
    "        perror(folder);\n"
    "    }\n"
    "}\n"
    "\n"
    "/* With the name of a folder to make, the files stay there. */\n"
    "int main(int argc, char **argv)\n"
    "{\n"
    "    const char *parent = getenv(\"TMPDIR\");\n"
    "    char folder[4096];\n"
    "    snprintf(folder, sizeof folder, \"%s/case-XXXXXX\", parent != NULL ? parent : \"/tmp\");\n"
    "    if (argc > 1 ? mkdir(argv[1], 0777) != 0 : mkdtemp(folder) == NULL) {\n"
    "        fail(argc > 1 ? argv[1] : folder);\n"
    "    }\n"
    "    if (chdir(argc > 1 ? argv[1] : folder) != 0) {\n"
    "        fail(\"chdir\");\n"
    "    }\n"
    "    for (struct file *f = files; f->name != NULL; f++) {\n"
    "        make(f);\n"
    "    }\n"
    "    int status = judge();\n"
    "    if (argc <= 1) {\n"
    "        clean_up(folder);\n"
    "    }\n"
    "    return status;\n"
    "}\n";

/* Where stock tools cannot do the importer's part, the program only says so. */
static void put_elsewhere(const mc_emission *e, FILE *out)
{
    char text[600] = "";
    FILE *go_on = fmemopen(text, sizeof text, "w");
    if (go_on != NULL) {
        mc_emit_go_on(e, go_on);
        (void)fclose(go_on);
        text[sizeof text - 1] = '\0';
    }
    (void)fputs("int main(int argc, char **argv)\n{\n"
                "    if (argc > 1) { /* the files are kept there */\n"
                "        if (mkdir(argv[1], 0777) != 0 || chdir(argv[1]) != 0) {\n"
                "            fail(argv[1]);\n"
                "        }\n"
                "        for (struct file *f = files; f->name != NULL; f++) {\n"
                "            make(f);\n"
                "        }\n"
                "    }\n"
                "    puts(\"SQLite cannot do this importer's part; go on with:\");\n"
                "    puts(",
                out);
    put_string(out, text);
    (void)fputs(");\n    return 2;\n}\n", out);
}

mc_status mc_emit_c(mc_emission *e, FILE *out, mc_error *error)
{
    (void)error;
    (void)fputs("/*\n", out);
    mc_emit_about(e, " * ", out);
    (void)fputs(" *\n * usage: cc THIS -lsqlite3 && ./a.out [FOLDER]\n"
                " * exit status: 0 this verdict came out, 1 another did, 2 SQLite cannot say it\n"
                " *\n",
                out);
    mc_emit_story(e, " * ", out);
    (void)fputs(" */\n", out);
    (void)fputs(head, out);
    if (e->way != MC_EMIT_ELSEWHERE) {
        put_expectation(e, out);
    }
    put_files(e, out);
    (void)fputs(making, out);
    if (e->way == MC_EMIT_ELSEWHERE) {
        (void)fputc('\n', out);
        put_elsewhere(e, out);
        return MC_OK;
    }
    (void)fputs(reading, out);
    (void)fputs(judging, out);
    return MC_OK;
}
