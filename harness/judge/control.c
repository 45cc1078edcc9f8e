#include "harness/judge/control.h"

#include "crashsim/kvvfs.h"
#include "crashsim/memvfs.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COPY_BYTES_MAX = 1 << 28 };

typedef enum state_kind { KIND_ROLLBACK, KIND_WAL, KIND_MIXED } state_kind;

typedef struct opened {
    sqlite3 *db;
    sqlite3_stmt *read; /* begins a read transaction, and so recovers */
    state_kind kind;
} opened;

struct mc_control {
    mc_disk *disk;
    mc_memvfs *vfs;
    mc_reads *reads; /* null: do not note */
    bool reuse;
    uint32_t database_count;
    const char *database[MC_DATABASES_MAX];
    opened opened[MC_DATABASES_MAX];
};

mc_control *mc_control_open(const mc_trace *trace, mc_disk *disk, bool reuse)
{
    mc_control *control = calloc(1, sizeof *control);
    if (control == NULL) {
        return NULL;
    }
    mc_memvfs_options options = {.disk = disk};
    control->disk = disk;
    control->reuse = reuse;
    control->database_count = trace->database_count;
    memcpy(control->database, trace->database, sizeof control->database);
    control->vfs = mc_memvfs_open(&options);
    if (control->vfs == NULL) {
        free(control);
        return NULL;
    }
    return control;
}

static void drop(opened *o)
{
    (void)sqlite3_finalize(o->read);
    (void)sqlite3_close(o->db);
    *o = (opened){0};
}

void mc_control_close(mc_control *control)
{
    if (control == NULL) {
        return;
    }
    /* Closing may recover or checkpoint; the state is not the control's to change. */
    mc_disk_begin(control->disk);
    for (uint32_t i = 0; i < control->database_count; i++) {
        drop(&control->opened[i]);
    }
    mc_disk_rewind(control->disk);
    mc_memvfs_close(control->vfs);
    free(control);
}

void mc_control_note(mc_control *control, mc_reads *reads)
{
    control->reads = reads;
}

/* What kind_of looks at, and whether there is a database at all. */
static void note_kind(const mc_control *control, uint32_t index)
{
    if (control->reads == NULL) {
        return;
    }
    static const char *const suffix[] = {"", "-journal", "-wal"};
    char name[MC_DISK_NAME_MAX + 16];
    for (size_t i = 0; i < sizeof suffix / sizeof *suffix; i++) {
        (void)snprintf(name, sizeof name, "%s%s", control->database[index], suffix[i]);
        uint16_t number = mc_disk_find(control->disk, name);
        if (number != MC_DISK_NONE) {
            mc_reads_exists(control->reads, number);
            mc_reads_size(control->reads, number);
            if (i == 0) {
                mc_reads_bytes(control->reads, number, 19, 20);
            }
        }
    }
}

static state_kind kind_of(const mc_files *files)
{
    bool wal = files->wal.size > 0 || (files->main.size > 20 && files->main.data[19] == 2);
    if (wal) {
        return files->journal.size > 0 ? KIND_MIXED : KIND_WAL;
    }
    return KIND_ROLLBACK;
}

static int fresh(mc_control *control, uint32_t index, state_kind kind)
{
    opened *o = &control->opened[index];
    int rc =
        sqlite3_open_v2(control->database[index], &o->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, mc_memvfs_name(control->vfs));
    if (rc == SQLITE_OK) {
        /* Reads page 1 and no schema: recovery happens, and nothing else. */
        rc = sqlite3_prepare_v2(o->db, "PRAGMA schema_version", -1, &o->read, NULL);
    }
    o->kind = kind;
    return rc;
}

static int read_once(opened *o)
{
    int rc = sqlite3_step(o->read);
    int reset = sqlite3_reset(o->read);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : reset;
}

/* SQLite reads a database that it will not checkpoint: brings its pages home page by page. A size
 * that only a forged WAL states stays refused. */
static int copy_home(mc_control *control, uint32_t index)
{
    sqlite3 *db = control->opened[index].db;
    sqlite3_int64 size = 0;
    (void)sqlite3_serialize(db, "main", &size, SQLITE_SERIALIZE_NOCOPY);
    if (size <= 0 || size > COPY_BYTES_MAX) {
        return SQLITE_CORRUPT;
    }
    unsigned char *bytes = sqlite3_serialize(db, "main", &size, 0);
    if (bytes == NULL) {
        return SQLITE_CORRUPT;
    }
    uint16_t number = mc_disk_find(control->disk, control->database[index]);
    bool ok = mc_disk_write(control->disk, number, 0, bytes, (size_t)size) &&
              mc_disk_truncate(control->disk, number, (uint64_t)size);
    sqlite3_free(bytes);
    if (control->reads != NULL) {
        mc_reads_wrote(control->reads, number, 0, (uint64_t)size);
        mc_reads_cut(control->reads, number, (uint64_t)size);
    }
    return ok ? SQLITE_OK : SQLITE_NOMEM;
}

static int recover_one(mc_control *control, uint32_t index)
{
    mc_files files;
    mc_disk_files(control->disk, control->database[index], &files);
    note_kind(control, index);
    state_kind now = kind_of(&files);
    opened *o = &control->opened[index];
    int rc = SQLITE_OK;
    if (o->db == NULL) {
        rc = fresh(control, index, now);
    } else {
        (void)sqlite3_db_release_memory(o->db);
    }
    rc = rc == SQLITE_OK ? read_once(o) : rc;
    if (rc == SQLITE_OK) {
        /* A hot journal can uncover a WAL header, so ask whatever the kind was. */
        mc_disk_files(control->disk, control->database[index], &files);
        note_kind(control, index);
        state_kind after = kind_of(&files);
        if (after != now) {
            o->kind = KIND_MIXED; /* the connection has become of another kind: use it only once */
        }
        if (after != KIND_ROLLBACK) {
            rc = sqlite3_wal_checkpoint_v2(o->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
            rc = rc == SQLITE_CORRUPT ? copy_home(control, index) : rc;
        }
    }
    return rc;
}

/* Closes connections that cannot serve the present state. Closing the last connection to a WAL
 * checkpoints and deletes it, and that must not happen to the state about to be recovered. */
static void drop_unfit(mc_control *control)
{
    for (uint32_t i = 0; i < control->database_count; i++) {
        mc_files files;
        mc_disk_files(control->disk, control->database[i], &files);
        opened *o = &control->opened[i];
        state_kind now = kind_of(&files);
        if (o->db != NULL && (o->kind != now || now == KIND_MIXED || !control->reuse)) {
            mc_disk_begin(control->disk);
            drop(o);
            mc_disk_rewind(control->disk);
        }
    }
}

void mc_control_recover(mc_control *control, mc_control_answer *out)
{
    memset(out, 0, sizeof *out);
    drop_unfit(control);
    mc_disk_begin(control->disk);
    mc_memvfs_drop_shm(control->vfs);
    mc_memvfs_note(control->vfs, control->reads);
    out->recovered = true;
    for (uint32_t i = 0; i < control->database_count && out->recovered; i++) {
        int rc = recover_one(control, i);
        if (rc != SQLITE_OK) {
            out->recovered = false;
            out->code = rc;
            (void)snprintf(out->text, sizeof out->text, "%s",
                           sqlite3_errmsg(control->opened[i].db));
            drop(&control->opened[i]);
        }
    }
    mc_memvfs_note(control->vfs, NULL);
}

void mc_control_undo(mc_control *control)
{
    mc_disk_rewind(control->disk);
}

/* Copies what SQLite itself reads into pages of `arena`. */
static mc_status serialize(sqlite3 *db, mc_arena *arena, mc_image *image, mc_error *error)
{
    sqlite3_int64 size = 0;
    *image = (mc_image){0};
    (void)sqlite3_serialize(db, "main", &size, SQLITE_SERIALIZE_NOCOPY); /* asks for the size */
    if (size <= 0) {
        return MC_OK;
    }
    unsigned char *bytes =
        mc_arena_fits(arena, (uint64_t)size) ? sqlite3_serialize(db, "main", &size, 0) : NULL;
    if (bytes == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "control: no memory for %lld bytes",
                       (long long)size);
    }
    uint32_t page_size = (uint32_t)bytes[16] << 8 | bytes[17];
    page_size = page_size == 1 ? MC_PAGE_SIZE_MAX : page_size;
    uint32_t pages = (uint32_t)(size / page_size);
    uint8_t *copy = mc_arena_alloc(arena, (size_t)size);
    const uint8_t **page = mc_arena_alloc(arena, pages * sizeof *page);
    if (copy != NULL && page != NULL) {
        memcpy(copy, bytes, (size_t)size);
        for (uint32_t i = 0; i < pages; i++) {
            page[i] = copy + (size_t)i * page_size;
        }
        *image = (mc_image){page_size, pages, page};
    }
    sqlite3_free(bytes);
    return copy != NULL && page != NULL
               ? MC_OK
               : mc_fail(error, MC_NO_MEMORY, "no-memory", "control: out of memory");
}

mc_status mc_control_store(const mc_kvstore *store, mc_kv_build build, mc_arena *arena,
                           mc_image *image, mc_control_answer *out, mc_error *error)
{
    memset(out, 0, sizeof *out);
    mc_kvstore copy = {0};
    mc_kvvfs *vfs = NULL;
    if (mc_kvstore_copy(&copy, store)) {
        mc_kvvfs_options options = {.store = &copy, .arena = arena, .build = build};
        vfs = mc_kvvfs_open(&options);
    }
    if (vfs == NULL) {
        mc_kvstore_free(&copy);
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "control: out of memory");
    }
    opened o = {0};
    int rc = sqlite3_open_v2("main.db", &o.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                             mc_kvvfs_name(vfs));
    if (rc == SQLITE_OK) {
        rc = sqlite3_exec(o.db,
                          "PRAGMA locking_mode=EXCLUSIVE; PRAGMA temp_store=MEMORY;"
                          " PRAGMA schema_version",
                          NULL, NULL, NULL);
    }
    mc_status status = MC_OK;
    out->recovered = rc == SQLITE_OK;
    if (out->recovered) {
        status = serialize(o.db, arena, image, error);
    } else {
        out->code = rc;
        (void)snprintf(out->text, sizeof out->text, "%s", sqlite3_errmsg(o.db));
    }
    drop(&o);
    mc_kvvfs_close(vfs);
    mc_kvstore_free(&copy);
    return status;
}
