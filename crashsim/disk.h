/* disk.h: a directory of files in memory, with exact undo.
 *
 * One disk is one disk state: what a crash left. It is flat (file names, no folders) and holds each
 * file as contiguous bytes, so that an importer can be handed pointers into it. Deleted files keep
 * their slot, so a file's number is stable for a disk's life.
 *
 * Undo: between mc_disk_begin and mc_disk_rewind every change is logged with what it replaced.
 * Stock SQLite can therefore recover a state in place, cost in proportion to what it changed, and
 * the state comes back for the next judge. The log also tells which bytes were changed. */
#ifndef MIDCOMMIT_CRASHSIM_DISK_H
#define MIDCOMMIT_CRASHSIM_DISK_H

#include "core/importer.h"

enum { MC_DISK_NONE = 0xffff, MC_DISK_NAME_MAX = 120 };

typedef struct mc_disk_file {
    char *name;
    uint8_t *data;
    uint64_t size;
    uint64_t capacity;
    bool exists;
} mc_disk_file;

/* One logged change. For a write or a shrink `old` holds the replaced bytes of [offset, offset +
 * old_size); `size_before` and `existed` restore the rest. */
typedef struct mc_disk_change {
    uint16_t file;
    bool existed;
    uint64_t offset;
    uint64_t size_before;
    uint64_t
        touched; /* bytes from `offset` on whose content may differ now (0: size or name only) */
    uint64_t old_at; /* where the replaced bytes lie in the log's byte store */
    uint64_t old_size;
} mc_disk_change;

typedef struct mc_disk {
    mc_disk_file *file;
    uint32_t file_count;
    uint32_t file_capacity;
    bool logging;
    mc_disk_change *change;
    size_t change_count;
    size_t change_capacity;
    uint8_t *old;
    size_t old_size;
    size_t old_capacity;
    uint64_t limit_bytes; /* no file may grow beyond; 0: none */
} mc_disk;

/* A zeroed mc_disk is an empty directory. Frees all files and the log. */
void mc_disk_free(mc_disk *disk);

/* Every file is gone, and no log; names, numbers and memory stay for the next use. */
void mc_disk_clear(mc_disk *disk);

/* A file's number, or MC_DISK_NONE if the name was never used. The file may not exist (deleted). */
uint16_t mc_disk_find(const mc_disk *disk, const char *name);

/* The number of the file of that name; makes a slot, not the file, when the name is new.
 * MC_DISK_NONE without memory or past 65,534 names. */
uint16_t mc_disk_slot(mc_disk *disk, const char *name);

/* All of these return false only without memory, or past the limit. Writing past the end fills the
 * gap with zeros. */
bool mc_disk_create(mc_disk *disk, uint16_t file); /* makes an empty file; no change if it exists */
bool mc_disk_write(mc_disk *disk, uint16_t file, uint64_t offset, const void *data, size_t size);
bool mc_disk_truncate(mc_disk *disk, uint16_t file, uint64_t size); /* to smaller or larger */
bool mc_disk_delete(mc_disk *disk, uint16_t file);

void mc_disk_begin(mc_disk *disk);  /* start logging; must not be logging */
void mc_disk_rewind(mc_disk *disk); /* undo all since begin, stop logging */
void mc_disk_accept(mc_disk *disk); /* keep all since begin, stop logging */

/* Copies every existing file of `source` into the empty `target`; all file numbers stay, those of
 * names without a file too. False only without memory. */
bool mc_disk_copy(mc_disk *target, const mc_disk *source);

/* The importer's view of the database whose main file is `main_name`: pointers into `disk`, valid
 * until it changes. `out->other` finds the other files of the disk, the super-journal among them.
 */
void mc_disk_files(const mc_disk *disk, const char *main_name, mc_files *out);

#endif
