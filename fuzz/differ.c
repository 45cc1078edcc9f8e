#include "fuzz/differ.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "core/recover.h"
#include "crashsim/stock.h"
#include "fuzz/finding.h"
#include "fuzz/process.h"

enum { RECOVER_BYTES_MAX = 64 << 20, DISK_FILE_BYTES_MAX = 64 << 20 };

static const struct {
    mc_piece_tag tag;
    const char *name;
} files[] = {
    {MC_PIECE_MAIN, "main.db"},
    {MC_PIECE_JOURNAL, "main.db-journal"},
    {MC_PIECE_WAL, "main.db-wal"},
    {MC_PIECE_SUPER, "main.db-mj1"},
};

bool mc_differ_disk(const uint8_t *data, size_t size, const char *tags, mc_disk *disk)
{
    static mc_piece piece[MC_PIECES_MAX];
    size_t count = mc_pieces_read(data, size, piece);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const mc_piece *p = mc_pieces_find(piece, count, files[i].tag);
        if (p == NULL || strchr(tags, (int)files[i].tag) == NULL) {
            continue;
        }
        uint16_t number = mc_disk_slot(disk, files[i].name);
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
                 (uint64_t)import->image.page_count * import->image.page_size <= MC_STOCK_BYTES_MAX;
    for (uint32_t i = 0; whole && i < import->image.page_count; i++) {
        mc_fuzz_note(import->image.page[i], import->image.page_size);
    }
    if (status != MC_OK) {
        mc_fuzz_note(error->text, strlen(error->text));
    }
    mc_fuzz_note(stock->message, strlen(stock->message));
    mc_fuzz_note(stock->image, stock->image != NULL ? (size_t)stock->image_size : 0);
}

void mc_differ(mc_disk *disk)
{
    static mc_arena arena = {.limit_bytes = RECOVER_BYTES_MAX};
    mc_arena_reset(&arena);
    mc_stock stock; /* first: it moves the disk's bytes, and recover's pages point at them */
    disk->limit_bytes = DISK_FILE_BYTES_MAX; /* a journal may state any original size */
    if (!mc_stock_ask_disk(disk, "main.db", &stock)) {
        return;
    }
    if (stock.code == SQLITE_FULL) {
        mc_stock_free(&stock);
        return; /* the disk's answer, not SQLite's */
    }
    mc_files view;
    mc_import import = {0};
    mc_error error = {0};
    mc_disk_files(disk, "main.db", &view);
    mc_status status = mc_recover_files(&view, &arena, &import, &error);
    note(status, &import, &error, &stock);
    char problem[512] = "";
    const char *signature = "";
    bool agrees =
        mc_stock_agrees(&stock, status, &import.image, &error, problem, sizeof problem, &signature);
    mc_stock_free(&stock);
    if (!agrees) {
        mc_finding(signature, "%s", problem);
    }
}

int mc_differ_input(const uint8_t *data, size_t size, const char *tags)
{
    mc_disk disk = {0};
    mc_fuzz_process();
    bool made = mc_differ_disk(data, size, tags, &disk);
    if (made) {
        mc_differ(&disk);
    }
    mc_disk_free(&disk);
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
