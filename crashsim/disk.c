/* disk.c: files in memory whose changes can be taken back.
 *
 * Every change is one of five shapes (create, overwrite, grow, shrink, delete), and the log needs
 * no field that says which: putting back the bytes that were replaced, then the size, then the
 * existence undoes any of them. Two invariants make that exact:
 *   - a file that does not exist has size 0, so a file that comes back into being starts empty;
 *   - a buffer never shrinks, so the bytes to put back always have room and undo cannot fail.
 * Bytes of a buffer past the file's size are garbage; whoever grows a file clears them. */
#include "crashsim/disk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_FIRST = 8, CHANGES_FIRST = 64, BYTES_FIRST = 4096 };

/* Makes room for `need` items, at least doubling, so that n appends cost O(n). */
static bool reserve(void **items, size_t *capacity, size_t need, size_t item_bytes, size_t first)
{
    if (need <= *capacity) {
        return true;
    }
    size_t grown = *capacity == 0 ? first : *capacity;
    while (grown < need) {
        if (grown > SIZE_MAX / 2) {
            return false;
        }
        grown *= 2;
    }
    if (grown > SIZE_MAX / item_bytes) {
        return false;
    }
    void *moved = realloc(*items, grown * item_bytes);
    if (moved == NULL) {
        return false;
    }
    *items = moved;
    *capacity = grown;
    return true;
}

static bool reserve_data(const mc_disk *disk, mc_disk_file *file, uint64_t size)
{
    if (size > (disk->limit_bytes > 0 ? disk->limit_bytes : SIZE_MAX / 2)) {
        return false;
    }
    size_t capacity = (size_t)file->capacity;
    void *data = file->data;
    bool ok = reserve(&data, &capacity, (size_t)size, 1, BYTES_FIRST);
    file->data = data;
    file->capacity = capacity;
    return ok;
}

void mc_disk_free(mc_disk *disk)
{
    for (uint32_t i = 0; i < disk->file_count; i++) {
        free(disk->file[i].name);
        free(disk->file[i].data);
    }
    free(disk->file);
    free(disk->change);
    free(disk->old);
    *disk = (mc_disk){0};
}

void mc_disk_clear(mc_disk *disk)
{
    assert(!disk->logging);
    for (uint32_t i = 0; i < disk->file_count; i++) {
        disk->file[i].exists = false;
        disk->file[i].size = 0;
    }
}

static uint16_t find_sized(const mc_disk *disk, const char *name, size_t name_size)
{
    for (uint32_t i = 0; i < disk->file_count; i++) {
        const char *other = disk->file[i].name;
        if (strncmp(other, name, name_size) == 0 && other[name_size] == '\0') {
            return (uint16_t)i;
        }
    }
    return MC_DISK_NONE;
}

uint16_t mc_disk_find(const mc_disk *disk, const char *name)
{
    return find_sized(disk, name, strlen(name));
}

uint16_t mc_disk_slot(mc_disk *disk, const char *name)
{
    assert(strlen(name) <= MC_DISK_NAME_MAX);
    uint16_t number = mc_disk_find(disk, name);
    if (number != MC_DISK_NONE) {
        return number;
    }
    if (disk->file_count >= MC_DISK_NONE - 1) {
        return MC_DISK_NONE;
    }
    size_t capacity = disk->file_capacity;
    void *files = disk->file;
    bool ok =
        reserve(&files, &capacity, (size_t)disk->file_count + 1, sizeof *disk->file, FILES_FIRST);
    disk->file = files;
    disk->file_capacity = (uint32_t)capacity;
    char *copy = ok ? strdup(name) : NULL;
    if (copy == NULL) {
        return MC_DISK_NONE;
    }
    number = (uint16_t)disk->file_count++;
    disk->file[number] = (mc_disk_file){.name = copy};
    return number;
}

/* Logs that [offset, offset + touched) of `file` is about to change, and keeps the part of it that
 * exists now. Must come before the change. */
static bool log_change(mc_disk *disk, uint16_t number, uint64_t offset, uint64_t touched)
{
    if (!disk->logging) {
        return true;
    }
    const mc_disk_file *file = &disk->file[number];
    assert(offset <= file->size);
    uint64_t there = file->size - offset;
    size_t old_size = (size_t)(touched < there ? touched : there);
    void *changes = disk->change;
    bool ok = reserve(&changes, &disk->change_capacity, disk->change_count + 1,
                      sizeof *disk->change, CHANGES_FIRST);
    disk->change = changes;
    void *bytes = disk->old;
    ok = ok && reserve(&bytes, &disk->old_capacity, disk->old_size + old_size, 1, BYTES_FIRST);
    disk->old = bytes;
    if (!ok) {
        return false;
    }
    disk->change[disk->change_count++] = (mc_disk_change){.file = number,
                                                          .existed = file->exists,
                                                          .offset = offset,
                                                          .size_before = file->size,
                                                          .touched = touched,
                                                          .old_at = disk->old_size,
                                                          .old_size = old_size};
    if (old_size > 0) {
        memcpy(disk->old + disk->old_size, file->data + offset, old_size);
        disk->old_size += old_size;
    }
    return true;
}

static mc_disk_file *file_of(mc_disk *disk, uint16_t number)
{
    assert(number < disk->file_count);
    mc_disk_file *file = &disk->file[number];
    assert(file->exists || file->size == 0);
    return file;
}

bool mc_disk_create(mc_disk *disk, uint16_t file)
{
    mc_disk_file *f = file_of(disk, file);
    if (f->exists) {
        return true;
    }
    if (!log_change(disk, file, 0, 0)) {
        return false;
    }
    f->exists = true;
    return true;
}

bool mc_disk_write(mc_disk *disk, uint16_t file, uint64_t offset, const void *data, size_t size)
{
    mc_disk_file *f = file_of(disk, file);
    assert(f->exists);
    if (size == 0) {
        return true;
    }
    if (offset > SIZE_MAX / 4 || size > SIZE_MAX / 4) {
        return false;
    }
    uint64_t end = offset + size;
    uint64_t start = offset < f->size ? offset : f->size; /* a gap changes from nothing to zeros */
    if (!reserve_data(disk, f, end) || !log_change(disk, file, start, end - start)) {
        return false;
    }
    if (offset > f->size) {
        memset(f->data + f->size, 0, (size_t)(offset - f->size));
    }
    memcpy(f->data + offset, data, size);
    if (end > f->size) {
        f->size = end;
    }
    return true;
}

bool mc_disk_truncate(mc_disk *disk, uint16_t file, uint64_t size)
{
    mc_disk_file *f = file_of(disk, file);
    assert(f->exists);
    if (size == f->size) {
        return true;
    }
    if (size < f->size) {
        if (!log_change(disk, file, size, f->size - size)) {
            return false;
        }
    } else {
        if (!reserve_data(disk, f, size) || !log_change(disk, file, f->size, size - f->size)) {
            return false;
        }
        memset(f->data + f->size, 0, (size_t)(size - f->size));
    }
    f->size = size;
    return true;
}

bool mc_disk_delete(mc_disk *disk, uint16_t file)
{
    mc_disk_file *f = file_of(disk, file);
    if (!f->exists) {
        return true;
    }
    if (!log_change(disk, file, 0, f->size)) {
        return false;
    }
    f->exists = false;
    f->size = 0;
    return true;
}

void mc_disk_begin(mc_disk *disk)
{
    assert(!disk->logging);
    disk->logging = true;
    disk->change_count = 0;
    disk->old_size = 0;
}

void mc_disk_rewind(mc_disk *disk)
{
    assert(disk->logging);
    for (size_t i = disk->change_count; i-- > 0;) {
        const mc_disk_change *change = &disk->change[i];
        mc_disk_file *f = &disk->file[change->file];
        assert(change->offset + change->old_size <= f->capacity);
        if (change->old_size > 0) {
            memcpy(f->data + change->offset, disk->old + change->old_at, (size_t)change->old_size);
        }
        f->size = change->size_before;
        f->exists = change->existed;
    }
    mc_disk_accept(disk);
}

void mc_disk_accept(mc_disk *disk)
{
    assert(disk->logging);
    disk->logging = false;
    disk->change_count = 0;
    disk->old_size = 0;
}

bool mc_disk_copy(mc_disk *target, const mc_disk *source)
{
    assert(target->file_count == 0);
    for (uint32_t i = 0; i < source->file_count; i++) {
        const mc_disk_file *file = &source->file[i];
        uint16_t number = mc_disk_slot(target, file->name);
        if (number != i) {
            return false;
        }
        if (!file->exists) {
            continue;
        }
        if (!mc_disk_create(target, number) ||
            !mc_disk_write(target, number, 0, file->data, (size_t)file->size)) {
            return false;
        }
    }
    return true;
}

static mc_file view_of(const mc_disk *disk, uint16_t number)
{
    if (number == MC_DISK_NONE || !disk->file[number].exists) {
        return (mc_file){.exists = false};
    }
    const mc_disk_file *file = &disk->file[number];
    return (mc_file){
        .exists = true, .data = file->size == 0 ? NULL : file->data, .size = file->size};
}

/* SQLite hands the name on as a C string, so bytes behind a zero do not count (pager.c
 * readSuperJournal). */
static bool find_other(void *context, const uint8_t *name, size_t name_size, mc_file *out)
{
    const mc_disk *disk = context;
    size_t length = strnlen((const char *)name, name_size);
    *out = view_of(disk, find_sized(disk, (const char *)name, length));
    return out->exists;
}

void mc_disk_files(const mc_disk *disk, const char *main_name, mc_files *out)
{
    static const char *const suffix[] = {"", "-journal", "-wal", "-shm"};
    mc_file *const target[] = {&out->main, &out->journal, &out->wal, &out->shm};
    size_t main_size = strlen(main_name);
    assert(main_size + sizeof "-journal" <= MC_DISK_NAME_MAX);
    for (size_t i = 0; i < sizeof suffix / sizeof *suffix; i++) {
        char name[MC_DISK_NAME_MAX];
        memcpy(name, main_name, main_size);
        strcpy(name + main_size, suffix[i]);
        *target[i] = view_of(disk, mc_disk_find(disk, name));
    }
    out->other = find_other;
    out->context = (void *)(uintptr_t)disk;
}
