/* stock.h: what stock SQLite reads from the files of one database, and whether recover agrees.
 *
 * SQLite opens the files as any program would, makes its recovery on the first read, and is then
 * asked for every page through its own pager (sqlite3_serialize). recover must give the same number
 * of pages and the same bytes in each, or refuse for a reason for which SQLite has that very code.
 * Nothing is masked here: where a page is undefined after recovery, both read the same bytes. */
#ifndef MIDCOMMIT_CRASHSIM_STOCK_H
#define MIDCOMMIT_CRASHSIM_STOCK_H

#include "crashsim/disk.h"
#include "crashsim/kvstore.h"

/* A limit on the image for those who have no reason for another. */
enum { MC_STOCK_LIMIT_BYTES = 64 << 20 };

typedef struct mc_stock {
    int code;           /* of the first read: SQLITE_OK or a primary error code */
    char message[128];  /* SQLite's own */
    int64_t page_count; /* -1: not to be had */
    uint8_t *image;     /* all pages, from sqlite3_malloc, or null; mc_stock_free */
    int64_t image_size;
    uint64_t limit_bytes; /* of larger databases the number of pages is compared alone */
} mc_stock;

/* Asks through the VFS of that name (null: the default, real files). SQLite may change the files:
 * that is its recovery. */
void mc_stock_ask(const char *path, const char *vfs, uint64_t limit_bytes, mc_stock *out);
void mc_stock_free(mc_stock *stock);

/* The same of a disk, which is left as it was. False without memory. */
bool mc_stock_ask_disk(mc_disk *disk, const char *main_name, uint64_t limit_bytes, mc_stock *out);

/* The same of a v1 store, through the v1 VFS with a v1 actor's settings, on a copy of which values
 * lie in `arena`: a limit of a hundred times the store's bytes is enough for any recovery. */
bool mc_stock_ask_store(const mc_kvstore *store, mc_kv_build build, mc_arena *arena,
                        uint64_t limit_bytes, mc_stock *out);

/* True when recover's answer (its status, image and error) agrees; else `problem` says how not, and
 * `*signature`, if not null, gets a static slug of the kind of difference. */
bool mc_stock_agrees(const mc_stock *stock, mc_status status, const mc_image *image,
                     const mc_error *error, char *problem, size_t size, const char **signature);

#endif
