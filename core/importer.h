/* importer.h: the interface between midcommit and code that moves a database somewhere else.
 *
 * An importer gets one disk state (the files of one database, or the pairs of one v1 key-value
 * store) and answers with the image it would import, or refuses with a reason. midcommit's own
 * importers (`reject`, `abandon`, `recover`) implement it, and so can yours:
 *
 *     // mine.c: cc -shared -fPIC $(pkg-config --cflags midcommit) mine.c -o mine.so
 *     #include <core/importer.h>          // then: midcommit run --importer so:./mine.so
 *     static mc_status import(const mc_input *input, mc_arena *arena, mc_import *out,
 *                             mc_error *error);
 *     static const mc_importer mine = {MC_IMPORTER_ABI, "mine", "what it does", import};
 *     const mc_importer *midcommit_importer(void) { return &mine; }
 *
 * Rules: an importer is a pure function. It keeps nothing between calls, writes nothing but `out`,
 * `error` and memory from `arena`, and gives the same answer for the same bytes. */
#ifndef MIDCOMMIT_CORE_IMPORTER_H
#define MIDCOMMIT_CORE_IMPORTER_H

#include "core/arena.h"
#include "core/image.h"
#include "core/result.h"

#define MC_IMPORTER_ABI 1u

/* One file of a disk state. A file that exists may be empty; `data` is null only when size is 0. */
typedef struct mc_file {
    bool exists;
    const uint8_t *data;
    uint64_t size;
} mc_file;

/* A database as files. `other` looks up another file of the same directory by the name that the
 * journal's super-journal record carries (not terminated, exactly as stored); it returns false when
 * there is none. A null `other` means: there are no other files. */
typedef struct mc_files {
    mc_file main;
    mc_file journal; /* MAIN-journal */
    mc_file wal;     /* MAIN-wal */
    mc_file shm;     /* MAIN-shm; its bytes are never needed */
    bool (*other)(void *context, const uint8_t *name, size_t name_size, mc_file *out);
    void *context;
} mc_files;

/* One pair of a key-value store. */
typedef struct mc_pair {
    const uint8_t *key;
    const uint8_t *value;
    uint32_t key_size;
    uint32_t value_size;
} mc_pair;

/* All pairs of a v1 store, ascending by key (memcmp order, a prefix first), no key twice. */
typedef struct mc_store {
    const mc_pair *pair;
    size_t count;
} mc_store;

typedef enum mc_input_kind { MC_INPUT_FILES, MC_INPUT_STORE } mc_input_kind;

typedef struct mc_input {
    mc_input_kind kind;
    mc_files files; /* for MC_INPUT_FILES */
    mc_store store; /* for MC_INPUT_STORE */
} mc_input;

/* Bits of mc_import.sidecars. */
enum { MC_SIDECAR_JOURNAL = 1, MC_SIDECAR_WAL = 2, MC_SIDECAR_SHM = 4 };

typedef struct mc_import {
    mc_image image;
    uint32_t sidecars; /* which sidecars the input has, also set when the importer refuses */
} mc_import;

typedef struct mc_importer {
    uint32_t abi; /* MC_IMPORTER_ABI */
    const char *name;
    const char *summary; /* one line, for --help and the report */
    /* MC_OK: `out->image` is the database. MC_REFUSED: `error->reason` says why. Anything else
     * means that the importer itself failed. `out` is zeroed by the caller. */
    mc_status (*import)(const mc_input *input, mc_arena *arena, mc_import *out, mc_error *error);
} mc_importer;

/* The three built-in importers, in the order reject, abandon, recover, ended by a null pointer. */
extern const mc_importer *const mc_builtin_importers[];

/* The built-in importer of that name, or null. */
const mc_importer *mc_importer_find(const char *name);

#endif
