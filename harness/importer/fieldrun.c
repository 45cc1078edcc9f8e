#include "harness/importer/fieldrun.h"

#include "core/bytes.h"
#include "core/field.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4200, COPY_BYTES = 65536, HEAD_BYTES = 100, BLOCK_BYTES = 4096 };

typedef struct path {
    char text[PATH_BYTES];
} path;

static path file_in(const char *folder, const char *name)
{
    path p;
    (void)snprintf(p.text, sizeof p.text, "%s/%s", folder, name);
    return p;
}

static mc_status io_error(const char *what, const char *name, mc_error *error)
{
    return mc_fail(error, MC_IO, "io", "importer: %s %s: %s", what, name, strerror(errno));
}

/* Copies `size` bytes, or as many as there are, from `offset` on to the end of `to`. */
static mc_status append(const char *from, off_t offset, off_t size, const char *to, mc_error *error)
{
    char block[COPY_BYTES];
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0) {
        return io_error("open", from, error);
    }
    int out = open(to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    bool good = out >= 0;
    ssize_t n = 1;
    for (off_t at = offset; good && n > 0 && at < offset + size; at += n) {
        off_t left = offset + size - at;
        n = pread(in, block, left < COPY_BYTES ? (size_t)left : (size_t)COPY_BYTES, at);
        good = n >= 0 && write(out, block, (size_t)n) == n;
    }
    mc_status status = good ? MC_OK : io_error("copy to", to, error);
    (void)close(in);
    if (out >= 0) {
        (void)close(out);
    }
    return status;
}

static mc_status copy(const char *folder, const char *from, const char *to, mc_error *error)
{
    path source = file_in(folder, from);
    path target = file_in(folder, to);
    struct stat info;
    if (stat(source.text, &info) != 0) {
        return errno == ENOENT ? mc_fail(error, MC_REFUSED, "no-main", "importer: no %s", from)
                               : io_error("look at", from, error);
    }
    return append(source.text, 0, info.st_size, target.text, error);
}

/* What SQLite does not read is refused; what goes wrong with the machine is a failure. */
static mc_status meaning_of(int code, sqlite3 *db, mc_error *error)
{
    int primary = code & 0xff;
    if (primary == SQLITE_OK || primary == SQLITE_DONE) {
        return MC_OK;
    }
    bool machine = primary == SQLITE_FULL || primary == SQLITE_NOMEM || primary == SQLITE_IOERR;
    return mc_fail(error, machine ? MC_IO : MC_REFUSED, "sqlite-error", "importer: SQLite: %s",
                   db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(code));
}

/* Not the default file system: that is the recording one, in memory. */
static int open_real(const char *name, int flags, sqlite3 **db)
{
    return sqlite3_open_v2(name, db, flags | SQLITE_OPEN_URI, "unix");
}

enum { READ_WRITE = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE };

/* Opens, runs one statement to its end, closes. The first column of the first row, cut to `size`,
 * goes to `said`. */
static mc_status ask(const char *name, const char *sql, char *said, size_t size, mc_error *error)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    said[0] = '\0';
    int rc = open_real(name, READ_WRITE, &db);
    rc = rc == SQLITE_OK ? sqlite3_prepare_v2(db, sql, -1, &statement, NULL) : rc;
    bool first = true;
    while (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        if (first) {
            (void)snprintf(said, size, "%s", text != NULL ? text : "");
        }
        first = false;
        rc = SQLITE_OK;
    }
    mc_status status = meaning_of(rc, db, error);
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(db);
    return status;
}

/* As the program's .backup does (shell.c). */
static mc_status back_up(const char *folder, const char *source, int flags, mc_error *error)
{
    path target = file_in(folder, "out.db");
    sqlite3 *to = NULL;
    sqlite3 *from = NULL;
    int rc = open_real(target.text, READ_WRITE, &to);
    mc_status status = meaning_of(rc, to, error);
    if (status == MC_OK) {
        status = meaning_of(open_real(source, flags, &from), from, error);
    }
    sqlite3_backup *backup = status == MC_OK ? sqlite3_backup_init(to, "main", from, "main") : NULL;
    if (status == MC_OK) {
        rc = SQLITE_OK;
        while (backup != NULL && rc == SQLITE_OK) {
            rc = sqlite3_backup_step(backup, 100);
        }
        (void)sqlite3_backup_finish(backup);
        status = meaning_of(backup == NULL ? sqlite3_errcode(to) : rc, to, error);
    }
    (void)sqlite3_close(to);
    (void)sqlite3_close(from);
    return status;
}

mc_status mc_field_cp(const char *folder, mc_error *error)
{
    return copy(folder, "main.db", "out.db", error);
}

mc_status mc_field_cp_wal(const char *folder, mc_error *error)
{
    char said[8];
    path wal = file_in(folder, "main.db-wal");
    mc_status status = copy(folder, "main.db", "out.db", error);
    if (status == MC_OK && access(wal.text, F_OK) == 0) {
        status = copy(folder, "main.db-wal", "out.db-wal", error);
    }
    return status != MC_OK ? status
                           : ask(file_in(folder, "out.db").text, "PRAGMA wal_checkpoint(TRUNCATE)",
                                 said, sizeof said, error);
}

mc_status mc_field_cp_live(const char *folder, mc_error *error)
{
    char said[8];
    mc_error ignored;
    path main = file_in(folder, "main.db");
    path out = file_in(folder, "out.db");
    struct stat info;
    if (stat(main.text, &info) != 0) {
        return mc_fail(error, MC_REFUSED, "no-main", "importer: no main.db");
    }
    off_t half = (info.st_size + BLOCK_BYTES - 1) / BLOCK_BYTES / 2 * BLOCK_BYTES;
    mc_status status = append(main.text, 0, half, out.text, error);
    if (status == MC_OK) {
        (void)ask(main.text, "SELECT count(*) FROM sqlite_schema", said, sizeof said, &ignored);
        status = stat(main.text, &info) != 0 ? io_error("look at", main.text, error) : MC_OK;
    }
    off_t left = info.st_size > half ? info.st_size - half : 0;
    return status == MC_OK ? append(main.text, half, left, out.text, error) : status;
}

mc_status mc_field_backup(const char *folder, mc_error *error)
{
    return back_up(folder, file_in(folder, "main.db").text, READ_WRITE, error);
}

mc_status mc_field_vacuum(const char *folder, mc_error *error)
{
    char sql[PATH_BYTES + 32];
    char said[8];
    path out = file_in(folder, "out.db");
    (void)sqlite3_snprintf(sizeof sql, sql, "VACUUM INTO %Q", out.text);
    return ask(file_in(folder, "main.db").text, sql, said, sizeof said, error);
}

mc_status mc_field_readonly(const char *folder, mc_error *error)
{
    return back_up(folder, file_in(folder, "main.db").text, SQLITE_OPEN_READONLY, error);
}

/* A folder's name of our own making (mkdtemp below TMPDIR) is put into the URI as it is. */
mc_status mc_field_immutable(const char *folder, mc_error *error)
{
    char uri[PATH_BYTES + 32];
    (void)snprintf(uri, sizeof uri, "file:%s?immutable=1", file_in(folder, "main.db").text);
    return back_up(folder, uri, SQLITE_OPEN_READONLY, error);
}

/* Reads the first bytes of the copy; `*have` of them are there. */
static mc_status read_head(const char *folder, uint8_t head[HEAD_BYTES], size_t *have,
                           uint64_t *size, mc_error *error)
{
    path out = file_in(folder, "out.db");
    int fd = open(out.text, O_RDONLY | O_CLOEXEC);
    struct stat info;
    ssize_t n = fd < 0 || fstat(fd, &info) != 0 ? -1 : pread(fd, head, HEAD_BYTES, 0);
    mc_status status = n < 0 ? io_error("read", out.text, error) : MC_OK;
    if (fd >= 0) {
        (void)close(fd);
    }
    *have = n < 0 ? 0 : (size_t)n;
    *size = n < 0 ? 0 : (uint64_t)info.st_size;
    return status;
}

static mc_status copy_and_look(const char *folder, uint8_t head[HEAD_BYTES], uint64_t *size,
                               mc_error *error)
{
    size_t have = 0;
    mc_status status = copy(folder, "main.db", "out.db", error);
    status = status == MC_OK ? read_head(folder, head, &have, size, error) : status;
    return status == MC_OK ? mc_field_check_main(head, have, *size, 0, error) : status;
}

mc_status mc_field_header(const char *folder, mc_error *error)
{
    uint8_t head[HEAD_BYTES];
    uint64_t size = 0;
    return copy_and_look(folder, head, &size, error);
}

/* The number of pages counts when the change counter equals version-valid-for and it is not 0
 * (fileformat2 1.3.7). */
mc_status mc_field_pages(const char *folder, mc_error *error)
{
    uint8_t head[HEAD_BYTES];
    uint64_t size = 0;
    mc_status status = copy_and_look(folder, head, &size, error);
    if (status != MC_OK || size == 0) {
        return status;
    }
    uint32_t page_size = mc_bytes_get_be16(head + 16);
    page_size = page_size == 1 ? MC_PAGE_SIZE_MAX : page_size;
    uint64_t pages = mc_bytes_get_be32(head + 28);
    bool counts = pages != 0 && memcmp(head + 24, head + 92, 4) == 0;
    return counts && pages * page_size != size
               ? mc_fail(error, MC_REFUSED, "page-count", "importer: the header counts other pages")
               : MC_OK;
}

static mc_status gate(const char *folder, const char *sql, const char *reason, mc_error *error)
{
    char said[8];
    mc_status status = copy(folder, "main.db", "out.db", error);
    status = status == MC_OK ? ask(file_in(folder, "out.db").text, sql, said, sizeof said, error)
                             : status;
    return status == MC_OK && strcmp(said, "ok") != 0
               ? mc_fail(error, MC_REFUSED, reason, "importer: %s did not say ok", sql)
               : status;
}

mc_status mc_field_quick_check(const char *folder, mc_error *error)
{
    return gate(folder, "PRAGMA quick_check(1)", "quick-check", error);
}

mc_status mc_field_integrity_check(const char *folder, mc_error *error)
{
    return gate(folder, "PRAGMA integrity_check(1)", "integrity-check", error);
}
