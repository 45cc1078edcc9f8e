#include "fuzz/differ.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/recover.h"
#include "crashsim/stock.h"
#include "fuzz/finding.h"
#include "fuzz/process.h"

/* A journal may state any original size: the disk is small, and its memory is used again. */
enum { RECOVER_BYTES_MAX = 64 << 20, DISK_FILE_BYTES_MAX = 1 << 20, IMAGE_BYTES_MAX = 128 << 10 };

static const struct {
    mc_piece_tag tag;
    const char *name;
} piece_files[] = {
    {MC_PIECE_MAIN, "main.db"},
    {MC_PIECE_JOURNAL, "main.db-journal"},
    {MC_PIECE_WAL, "main.db-wal"},
    {MC_PIECE_SUPER, "main.db-mj1"},
};

bool mc_differ_disk(const uint8_t *data, size_t size, const char *tags, mc_disk *disk)
{
    static mc_piece piece[MC_PIECES_MAX];
    size_t count = mc_pieces_read(data, size, piece);
    for (size_t i = 0; i < sizeof piece_files / sizeof piece_files[0]; i++) {
        const mc_piece *p = mc_pieces_find(piece, count, piece_files[i].tag);
        if (p == NULL || strchr(tags, (int)piece_files[i].tag) == NULL) {
            continue;
        }
        uint16_t number = mc_disk_slot(disk, piece_files[i].name);
        if (number == MC_DISK_NONE || !mc_disk_create(disk, number) ||
            !mc_disk_write(disk, number, 0, p->data, p->size)) {
            return false;
        }
    }
    return true;
}

/* What both concluded, for whoever listens (finding.h). */
static void note(mc_status status, const mc_import *import, const mc_error *error,
                 const mc_stock *stock)
{
    if (!mc_fuzz_listening) {
        return;
    }
    const int64_t number[] = {(int64_t)status, import->image.page_count, import->image.page_size,
                              stock->code, stock->page_count};
    mc_fuzz_note(number, sizeof number);
    bool whole = status == MC_OK &&
                 (uint64_t)import->image.page_count * import->image.page_size <= IMAGE_BYTES_MAX;
    for (uint32_t i = 0; whole && i < import->image.page_count; i++) {
        mc_fuzz_note(import->image.page[i], import->image.page_size);
    }
    if (status != MC_OK) {
        mc_fuzz_note(error->text, strlen(error->text));
    }
    /* What SQLite says of a corrupt database is not a function of it: of a cell that reaches behind
     * its page it reads what lies there in memory. */
    if (stock->code != SQLITE_CORRUPT) {
        mc_fuzz_note(stock->message, strlen(stock->message));
    }
    mc_fuzz_note(stock->image, stock->image != NULL ? (size_t)stock->image_size : 0);
}

/* The files of a disk, each in memory of exactly its size, so that AddressSanitizer sees a read
 * past it. A journal that names one of them as its super-journal names the copy. */
typedef struct exact_files {
    mc_files disk;
    mc_files files;
} exact_files;

static bool find_exact(void *context, const uint8_t *name, size_t name_size, mc_file *out)
{
    const exact_files *x = context;
    if (!x->disk.other(x->disk.context, name, name_size, out)) {
        return false;
    }
    const mc_file *from[] = {&x->disk.main, &x->disk.journal, &x->disk.wal};
    const mc_file *to[] = {&x->files.main, &x->files.journal, &x->files.wal};
    for (int i = 0; i < 3; i++) {
        if (from[i]->exists && from[i]->data == out->data && from[i]->size == out->size) {
            *out = *to[i];
        }
    }
    return true;
}

static bool copy(mc_file *file)
{
    uint8_t *data = file->size > 0 ? malloc((size_t)file->size) : NULL;
    if (data != NULL) {
        memcpy(data, file->data, (size_t)file->size);
    }
    file->data = data;
    return data != NULL || file->size == 0;
}

/* recover goes first: SQLite's recovery is taken back, but leaves the disk's bytes elsewhere, and
 * then a super-journal that is a file of the disk would not be known again. */
static void compare(mc_disk *disk, const mc_files *files)
{
    static mc_arena arena = {.limit_bytes = RECOVER_BYTES_MAX};
    mc_arena_reset(&arena);
    mc_import import = {0};
    mc_error error = {0};
    mc_status status = mc_recover_files(files, &arena, &import, &error);
    mc_stock stock;
    if (!mc_stock_ask_disk(disk, "main.db", IMAGE_BYTES_MAX, &stock)) {
        return;
    }
    if (stock.code != SQLITE_FULL) { /* that would be the disk's answer, not SQLite's */
        char problem[512] = "";
        const char *signature = NULL;
        note(status, &import, &error, &stock);
        if (!mc_stock_agrees(&stock, status, &import.image, &error, problem, sizeof problem,
                             &signature)) {
            mc_finding(signature, "%s", problem);
        }
    }
    mc_stock_free(&stock);
}

void mc_differ(mc_disk *disk)
{
    exact_files x;
    mc_disk_files(disk, "main.db", &x.disk);
    x.files = x.disk;
    x.files.other = find_exact;
    x.files.context = &x;
    bool made = copy(&x.files.main);
    made = copy(&x.files.journal) && made;
    made = copy(&x.files.wal) && made;
    if (made) {
        compare(disk, &x.files);
    }
    free((void *)x.files.main.data);
    free((void *)x.files.journal.data);
    free((void *)x.files.wal.data);
}

int mc_differ_input(const uint8_t *data, size_t size, const char *tags)
{
    static mc_disk disk = {.limit_bytes = DISK_FILE_BYTES_MAX};
    mc_fuzz_process();
    mc_disk_clear(&disk);
    bool made = mc_differ_disk(data, size, tags, &disk);
    if (made) {
        mc_differ(&disk);
    }
    return made ? 0 : -1;
}

mc_status mc_differ_files(const mc_disk *disk, const char *dir, char *state, size_t state_size,
                          mc_error *error)
{
    for (uint32_t i = 0; i < disk->file_count; i++) {
        if (!disk->file[i].exists) {
            continue;
        }
        char path[4096];
        int length = snprintf(path, sizeof path, "%s/%s", dir, disk->file[i].name);
        FILE *file = length < (int)sizeof path ? fopen(path, "wb") : NULL;
        bool written = file != NULL && fwrite(disk->file[i].data, 1, disk->file[i].size, file) ==
                                           disk->file[i].size;
        if (file == NULL || fclose(file) != 0 || !written) {
            return mc_fail(error, MC_IO, "write", "%s: cannot be written", path);
        }
    }
    (void)snprintf(state, state_size, "main.db");
    return MC_OK;
}

mc_status mc_differ_unpack(const uint8_t *data, size_t size, const char *tags, const char *dir,
                           char *state, size_t state_size, mc_error *error)
{
    mc_disk disk = {0};
    mc_status status = mc_differ_disk(data, size, tags, &disk)
                           ? mc_differ_files(&disk, dir, state, state_size, error)
                           : mc_fail(error, MC_NO_MEMORY, "no-memory", "out of memory");
    mc_disk_free(&disk);
    return status;
}
