/* The first row that differs between two databases, table by table in key order. */
#include "harness/judge/rowdiff.h"

#include <stdio.h>
#include <string.h>

static void quote(sqlite3_stmt *row, int column, char *out, size_t size)
{
    switch (sqlite3_column_type(row, column)) {
    case SQLITE_NULL:
        (void)snprintf(out, size, "NULL");
        break;
    case SQLITE_BLOB: {
        const uint8_t *bytes = sqlite3_column_blob(row, column);
        int count = sqlite3_column_bytes(row, column);
        size_t at = (size_t)snprintf(out, size, "x'");
        for (int i = 0; i < count && i < 8; i++) {
            at += (size_t)snprintf(out + at, size - at, "%02x", bytes[i]);
        }
        (void)snprintf(out + at, size - at, count > 8 ? "...' (%d bytes)" : "'", count);
        break;
    }
    case SQLITE_TEXT: {
        const char *text = (const char *)sqlite3_column_text(row, column);
        (void)snprintf(out, size, strlen(text) > 24 ? "'%.24s...'" : "'%s'", text);
        break;
    }
    default:
        (void)snprintf(out, size, "%s", (const char *)sqlite3_column_text(row, column));
    }
    for (char *c = out; *c != '\0'; c++) {
        *c = (unsigned char)*c < 0x20 ? '?' : *c;
    }
}

static bool same_value(sqlite3_stmt *a, sqlite3_stmt *b, int column)
{
    if (sqlite3_column_type(a, column) != sqlite3_column_type(b, column)) {
        return false;
    }
    int size = sqlite3_column_bytes(a, column);
    if (size != sqlite3_column_bytes(b, column)) {
        return false;
    }
    return size == 0 || memcmp(sqlite3_column_blob(a, column), sqlite3_column_blob(b, column),
                               (size_t)size) == 0;
}

static bool describe_row(const char *table, sqlite3_stmt *a, sqlite3_stmt *b, bool has_a,
                         bool has_b, char *text, size_t size)
{
    char key[48];
    char want[64];
    char have[64];
    quote(has_a ? a : b, 0, key, sizeof key);
    if (!has_a || !has_b) {
        (void)snprintf(text, size, "table %s, row %s: %s", table, key,
                       has_a ? "expected, not found" : "found, not expected");
        return true;
    }
    for (int i = 0; i < sqlite3_column_count(a) && i < sqlite3_column_count(b); i++) {
        if (!same_value(a, b, i)) {
            quote(a, i, want, sizeof want);
            quote(b, i, have, sizeof have);
            (void)snprintf(text, size, "table %s, row %s, column %s: expected %s, found %s", table,
                           key, sqlite3_column_name(a, i), want, have);
            return true;
        }
    }
    return false;
}

/* Steps both queries side by side. Returns true when a difference was described. */
static bool compare_table(sqlite3 *expected, sqlite3 *found, const char *table, const char *sql,
                          char *text, size_t size)
{
    sqlite3_stmt *a = NULL;
    sqlite3_stmt *b = NULL;
    bool differs = false;
    if (sqlite3_prepare_v2(expected, sql, -1, &a, NULL) == SQLITE_OK) {
        if (sqlite3_prepare_v2(found, sql, -1, &b, NULL) != SQLITE_OK) {
            (void)snprintf(text, size, "table %s: %s", table, sqlite3_errmsg(found));
            differs = true;
        }
        while (!differs) {
            int rc_a = sqlite3_step(a);
            int rc_b = sqlite3_step(b);
            if (rc_b != SQLITE_ROW && rc_b != SQLITE_DONE) {
                (void)snprintf(text, size, "table %s: %s", table, sqlite3_errmsg(found));
                differs = true;
            } else if (rc_a != SQLITE_ROW && rc_b != SQLITE_ROW) {
                break;
            } else {
                differs =
                    describe_row(table, a, b, rc_a == SQLITE_ROW, rc_b == SQLITE_ROW, text, size);
            }
        }
    }
    (void)sqlite3_finalize(a);
    (void)sqlite3_finalize(b);
    return differs;
}

void mc_rowdiff(sqlite3 *expected, sqlite3 *found, char *text, size_t size)
{
    text[0] = '\0';
    sqlite3_stmt *tables = NULL;
    int rc = sqlite3_prepare_v2(expected,
                                "SELECT name FROM sqlite_schema WHERE type='table' AND rootpage>0"
                                " ORDER BY name",
                                -1, &tables, NULL);
    bool differs = false;
    while (rc == SQLITE_OK && !differs && sqlite3_step(tables) == SQLITE_ROW) {
        const char *table = (const char *)sqlite3_column_text(tables, 0);
        char *sql = mc_rowdiff_query(expected, table);
        differs = sql != NULL && compare_table(expected, found, table, sql, text, size);
        sqlite3_free(sql);
    }
    (void)sqlite3_finalize(tables);
}

char *mc_rowdiff_query(sqlite3 *db, const char *table)
{
    char *sql = sqlite3_mprintf("SELECT _rowid_, * FROM \"%w\" NOT INDEXED", table);
    sqlite3_stmt *probe = NULL;
    if (sql != NULL && sqlite3_prepare_v2(db, sql, -1, &probe, NULL) != SQLITE_OK) {
        sqlite3_free(sql);
        sql = sqlite3_mprintf("SELECT * FROM \"%w\"", table);
    }
    (void)sqlite3_finalize(probe);
    return sql;
}
