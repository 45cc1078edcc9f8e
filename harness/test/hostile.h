/* hostile.h: archives that no case should be, built entry by entry from good ones, for tests. */
#ifndef MIDCOMMIT_HARNESS_TEST_HOSTILE_H
#define MIDCOMMIT_HARNESS_TEST_HOSTILE_H

#include "core/test/sanitized.h"
#include "harness/test/program.h"

#include <archive.h>
#include <archive_entry.h>

enum { ITEMS_MAX = 4096 };

typedef struct item {
    char *name;
    char *data;
    size_t size;
    int type; /* AE_IFREG and so on; 0: AE_IFREG */
    const char *hardlink;
    const char *symlink;
} item;

typedef struct items {
    item list[ITEMS_MAX];
    int count;
} items;

PROGRAM_UNUSED static void items_free(items *all)
{
    for (int i = 0; i < all->count; i++) {
        free(all->list[i].name);
        free(all->list[i].data);
    }
    all->count = 0;
}

/* Adds one; takes a copy of the bytes. */
PROGRAM_UNUSED static item *items_add(items *all, const char *name, const void *data, size_t size)
{
    assert_true(all->count < ITEMS_MAX);
    item *one = &all->list[all->count++];
    *one = (item){.name = strdup(name), .data = calloc(1, size + 1), .size = size};
    assert_non_null(one->name);
    assert_non_null(one->data);
    if (size > 0) {
        memcpy(one->data, data, size);
    }
    return one;
}

PROGRAM_UNUSED static item *items_find(items *all, const char *name)
{
    for (int i = 0; i < all->count; i++) {
        if (strcmp(all->list[i].name, name) == 0) {
            return &all->list[i];
        }
    }
    print_error("no entry %s\n", name);
    fail();
    return NULL;
}

PROGRAM_UNUSED static void items_replace(items *all, const char *name, const void *data,
                                         size_t size)
{
    item *one = items_find(all, name);
    free(one->data);
    one->data = calloc(1, size + 1);
    assert_non_null(one->data);
    one->size = size;
    if (size > 0) {
        memcpy(one->data, data, size);
    }
}

PROGRAM_UNUSED static void items_remove(items *all, const char *name)
{
    item *one = items_find(all, name);
    free(one->name);
    free(one->data);
    all->count--;
    memmove(one, one + 1, (size_t)(&all->list[all->count] - one) * sizeof *one);
}

/* The entries of a good case. */
PROGRAM_UNUSED static void items_read(items *all, const char *path)
{
    all->count = 0;
    struct archive *archive = archive_read_new();
    struct archive_entry *entry;
    assert_int_equal(archive_read_support_filter_zstd(archive), ARCHIVE_OK);
    assert_int_equal(archive_read_support_format_tar(archive), ARCHIVE_OK);
    assert_int_equal(archive_read_open_filename(archive, path, 4096), ARCHIVE_OK);
    while (archive_read_next_header(archive, &entry) == ARCHIVE_OK) {
        size_t size = (size_t)archive_entry_size(entry);
        item *one = items_add(all, archive_entry_pathname(entry), NULL, 0);
        free(one->data);
        one->data = calloc(1, size + 1);
        one->size = size;
        assert_non_null(one->data);
        assert_int_equal(archive_read_data(archive, one->data, size), size);
    }
    assert_int_equal(archive_read_free(archive), ARCHIVE_OK);
    assert_true(all->count > 3);
}

/* Writes an archive; `filter` and `format` as libarchive numbers them. */
PROGRAM_UNUSED static void items_write_as(const items *all, const char *path, int filter,
                                          int format)
{
    struct archive *archive = archive_write_new();
    assert_int_equal(archive_write_add_filter(archive, filter), ARCHIVE_OK);
    assert_int_equal(archive_write_set_format(archive, format), ARCHIVE_OK);
    assert_int_equal(archive_write_open_filename(archive, path), ARCHIVE_OK);
    for (int i = 0; i < all->count; i++) {
        const item *one = &all->list[i];
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, one->name);
        archive_entry_set_filetype(entry,
                                   one->type == 0 ? (unsigned)AE_IFREG : (unsigned)one->type);
        archive_entry_set_perm(entry, 0644);
        archive_entry_set_size(entry, (la_int64_t)one->size);
        if (one->hardlink != NULL) {
            archive_entry_set_hardlink(entry, one->hardlink);
        }
        if (one->symlink != NULL) {
            archive_entry_set_symlink(entry, one->symlink);
        }
        assert_true(archive_write_header(archive, entry) >= ARCHIVE_WARN);
        if (one->size > 0 && one->hardlink == NULL && one->symlink == NULL) {
            (void)archive_write_data(archive, one->data, one->size);
        }
        archive_entry_free(entry);
    }
    assert_int_equal(archive_write_free(archive), ARCHIVE_OK);
}

PROGRAM_UNUSED static void items_write(const items *all, const char *path)
{
    items_write_as(all, path, ARCHIVE_FILTER_ZSTD, ARCHIVE_FORMAT_TAR_PAX_RESTRICTED);
}

/* A tar header as it stands in an archive, with a right checksum. `size` is what it promises. */
PROGRAM_UNUSED static void tar_header(char out[512], const char *name, uint64_t size, char type)
{
    memset(out, 0, 512);
    (void)snprintf(out, 100, "%s", name);
    memcpy(out + 100, "0000644\0000000000\0000000000", 24);
    (void)snprintf(out + 124, 12, "%011llo", (unsigned long long)(size & UINT64_C(0x1ffffffff)));
    if (size > UINT64_C(0x1ffffffff)) { /* base 256, as GNU tar writes sizes over 8 GiB */
        out[124] = (char)0x80;
        for (int i = 0; i < 8; i++) {
            out[135 - i] = (char)(size >> (8 * i));
        }
    }
    memcpy(out + 136, "00000000000", 12);
    out[156] = type;
    memcpy(out + 257, "ustar\00000", 8);
    memset(out + 148, ' ', 8);
    unsigned sum = 0;
    for (int i = 0; i < 512; i++) {
        sum += (unsigned char)out[i];
    }
    (void)snprintf(out + 148, 8, "%06o", sum & 0777777);
}

/* Bytes through zstd, `times` times one after the other. */
PROGRAM_UNUSED static void write_zstd(const char *path, const char *data, size_t size,
                                      uint64_t times)
{
    struct archive *archive = archive_write_new();
    struct archive_entry *entry = archive_entry_new();
    assert_int_equal(archive_write_add_filter_zstd(archive), ARCHIVE_OK);
    assert_int_equal(archive_write_set_format_raw(archive), ARCHIVE_OK);
    assert_int_equal(archive_write_open_filename(archive, path), ARCHIVE_OK);
    archive_entry_set_pathname(entry, "data");
    archive_entry_set_filetype(entry, AE_IFREG);
    assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
    for (uint64_t i = 0; i < times; i++) {
        assert_int_equal(archive_write_data(archive, data, size), size);
    }
    archive_entry_free(entry);
    assert_int_equal(archive_write_free(archive), ARCHIVE_OK);
}

/* ---- good cases to be spoilt, and what is expected of spoilt ones ---- */

static items good; /* inplace in mode delete, with a hot journal */
static items good_wal;
static items good_kv;

PROGRAM_UNUSED static int make_good(void **unused)
{
    static const struct {
        const char *state;
        const char *path;
        items *into;
    } rows[] = {{"inplace/delete/full/kill/60 --txns 1", "good.case", &good},
                {"inplace/wal/full/kill/18 --txns 1", "wal.case", &good_wal},
                {"inplace/delete/normal/kv:journal/20 --txns 1", "kv.case", &good_kv}};
    int rc = program_enter(unused);
    for (size_t i = 0; rc == 0 && i < sizeof rows / sizeof *rows; i++) {
        output o = program_run("explain %s --save %s", rows[i].state, rows[i].path);
        program_expect(&o, 0, rows[i].state);
        program_done(&o);
        items_read(rows[i].into, rows[i].path);
    }
    /* An address space as a small machine may give; a sanitizer wants terabytes of it. */
    program_before = SANITIZED ? "ulimit -t 600;" : "ulimit -v 1572864; ulimit -t 60;";
    return rc;
}

PROGRAM_UNUSED static int drop_good(void **unused)
{
    items_free(&good);
    items_free(&good_wal);
    items_free(&good_kv);
    return program_leave(unused);
}

/* ---- what is expected of every one ---- */

/* A case that cannot be read: explain says so in one line, replay in its table, status 3. */
PROGRAM_UNUSED static void expect_refused(const char *path, const char *what)
{
    output o = program_run("explain %s", path);
    program_expect_line(&o, 3, what);
    program_done(&o);
    o = program_run("replay %s", path);
    program_expect(&o, 3, what);
    program_expect_unjudged(&o);
    assert_non_null(strstr(o.out, "ERROR    "));
    assert_non_null(strstr(o.out, "\n1 case replayed: 0 as expected, 0 changed, 1 could not"));
    program_done(&o);
}

/* The same, for that reason and no other: something behind it would have refused it, too. */
PROGRAM_UNUSED static void expect_refused_for(const char *path, const char *what,
                                              const char *reason)
{
    expect_refused(path, what);
    output o = program_run("explain %s", path);
    if (strstr(o.err, reason) == NULL) {
        print_error("%s: not for \"%s\": %s", what, reason, o.err);
        fail();
    }
    program_done(&o);
}

/* One that is whole gets verdicts: as expected, or changed. */
PROGRAM_UNUSED static void expect_verdicts(const char *path, const char *what)
{
    output o = program_run("replay %s", path);
    if (o.status != 0 && o.status != 1) {
        program_expect(&o, 1, what);
    }
    assert_string_equal(o.err, "");
    program_done(&o);
    o = program_run("explain %s", path);
    program_expect(&o, 0, what);
    for (const char *at = o.out; *at != '\0'; at++) {
        assert_true((unsigned char)*at >= 0x20 || *at == '\n');
    }
    program_done(&o);
}

/* A copy of the good items to be spoilt. */
PROGRAM_UNUSED static items copy_of(const items *from)
{
    items copy = {.count = 0};
    for (int i = 0; i < from->count; i++) {
        (void)items_add(&copy, from->list[i].name, from->list[i].data, from->list[i].size);
    }
    return copy;
}

/* Promise: none of all that wrote a file, but those that it was asked for. Runs last. */
PROGRAM_UNUSED static void nothing_was_written(void **unused)
{
    (void)unused;
    size_t size;
    assert_int_equal(
        program_shell(": >.list; ls -A | grep -vE '^[a-z]+[.]case$' | tr '\n' ' ' >.list"), 0);
    char *text = program_read(".list", &size);
    assert_string_equal(text, ".err .list .out ");
    free(text);
}

#endif
