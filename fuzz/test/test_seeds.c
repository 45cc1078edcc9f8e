/* test_seeds.c: seeds are the same each time, and reach what their targets are for. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/recover.h"
#include "fuzz/differ.h"
#include "fuzz/finding.h"
#include "fuzz/seeds/seedcase.h"
#include "fuzz/seeds/seedcrash.h"
#include "fuzz/seeds/seedtrace.h"
#include "harness/host/infile.h"

const mc_target mc_fuzz_target = {"test_seeds", "none", NULL};

static char scratch[] = "midcommit-seeds-XXXXXX";
static mc_seeds *made[2];
static char folder[2][64];

static int make_twice(void **unused)
{
    (void)unused;
    mc_error error = {0};
    if (mkdtemp(scratch) == NULL) {
        return -1;
    }
    for (int i = 0; i < 2; i++) {
        made[i] = calloc(1, sizeof *made[i]);
        (void)snprintf(folder[i], sizeof folder[i], "%s/%d", scratch, i);
        made[i]->folder = folder[i];
        if (mc_seeds_start(made[i], &error) != MC_OK || mc_seed_traces(made[i], &error) != MC_OK ||
            mc_seed_crashes(made[i], &error) != MC_OK ||
            mc_seed_cases(made[i], MIDCOMMIT_SOURCE_DIR "/corpus", &error) != MC_OK) {
            (void)fprintf(stderr, "%s\n", error.text);
            return -1;
        }
    }
    return 0;
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void read_seed(int which, mc_seed_target target, const char *name, mc_arena *arena,
                      mc_file *out)
{
    char path[512];
    mc_infile in;
    mc_error error;
    (void)snprintf(path, sizeof path, "%s/%s/%s", folder[which], mc_seed_target_names[target],
                   name);
    mc_arena_reset(arena);
    assert_int_equal(mc_infile_open(&in, path, MC_SEED_BYTES_MAX, &error), MC_OK);
    assert_true(in.fd >= 0);
    assert_int_equal(mc_infile_read(&in, arena, &error), MC_OK);
    *out = in.file;
    mc_infile_close(&in);
}

/* Calls `look` with each seed of a target, in the order of names; returns how many. */
static uint32_t each(mc_seed_target target, void (*look)(void *, const char *, const mc_file *),
                     void *context)
{
    struct dirent **entry;
    char path[512];
    mc_arena arena = {.limit_bytes = 1 << 20};
    (void)snprintf(path, sizeof path, "%s/%s", folder[0], mc_seed_target_names[target]);
    int count = scandir(path, &entry, not_hidden, alphasort);
    assert_true(count >= 0);
    for (int i = 0; i < count; i++) {
        mc_file seed;
        read_seed(0, target, entry[i]->d_name, &arena, &seed);
        look(context, entry[i]->d_name, &seed);
        free(entry[i]);
    }
    free(entry);
    mc_arena_free(&arena);
    return (uint32_t)count;
}

typedef struct comparison {
    mc_seed_target target;
    uint32_t small;
} comparison;

static void compare(void *context, const char *name, const mc_file *seed)
{
    comparison *c = context;
    mc_arena arena = {.limit_bytes = 1 << 20};
    mc_file again;
    read_seed(1, c->target, name, &arena, &again);
    assert_int_equal(seed->size, again.size);
    assert_memory_equal(seed->data, again.data, (size_t)seed->size);
    c->small += seed->size <= 32 << 10;
    mc_arena_free(&arena);
}

/* Promise: two runs write the same files; most are small, none is there twice. */
static void seeds_are_deterministic_and_small(void **unused)
{
    (void)unused;
    for (mc_seed_target target = 0; target < MC_SEED_TARGETS; target++) {
        comparison c = {target, 0};
        uint32_t count = each(target, compare, &c);
        assert_int_equal(count, made[0]->count[target]);
        assert_int_equal(count, made[1]->count[target]);
        assert_true(count >= 50);
        assert_true(c.small * 10 >= count * 7);
    }
}

typedef struct reached {
    uint32_t hot;
    uint32_t restoring;
    uint32_t segments; /* journals with a second header */
    uint32_t super;
    uint32_t frames;
    uint32_t commits;
    uint32_t big_endian;
    uint32_t stale; /* WALs with frames of an earlier round behind those that are valid */
} reached;

static void count_reached(void *context, const char *name, const mc_file *seed)
{
    (void)name;
    reached *r = context;
    mc_disk disk = {0};
    mc_files files;
    mc_journal journal;
    mc_wal wal = {0};
    mc_error error;
    mc_arena arena = {.limit_bytes = 1 << 22};
    size_t name_size;
    assert_true(mc_differ_disk(seed->data, (size_t)seed->size, "MJWU", &disk));
    mc_disk_files(&disk, "main.db", &files);
    if (mc_journal_read(&files, &arena, &journal, &error) == MC_OK && journal.hot) {
        r->hot++;
        r->restoring += journal.record_count > 0;
        for (uint64_t at = 512; at + 512 < files.journal.size; at += 512) {
            if (memcmp(files.journal.data + at, mc_journal_magic, MC_JOURNAL_MAGIC_BYTES) == 0) {
                r->segments++;
                break;
            }
        }
    }
    r->super += mc_journal_super_name(&files.journal, &name_size) != NULL;
    if (mc_wal_open(&files.wal, &wal, NULL, &error) == MC_OK && wal.usable) {
        mc_wal_advance(&wal, &files.wal);
        r->frames += wal.valid_frames > 0;
        r->commits += wal.commit_frames > 0;
        r->big_endian += wal.big_endian && wal.commit_frames > 0;
        r->stale +=
            wal.valid_frames > 0 &&
            mc_wal_frame_offset(&wal, wal.valid_frames + 1) + wal.page_size <= files.wal.size;
    }
    mc_arena_free(&arena);
    mc_disk_free(&disk);
}

static void journal_seeds_are_rolled_back(void **unused)
{
    (void)unused;
    reached r = {0};
    (void)each(MC_SEED_JOURNAL, count_reached, &r);
    print_message("hot %u, restoring %u, of several segments %u, super-journals %u\n", r.hot,
                  r.restoring, r.segments, r.super);
    assert_true(r.hot >= 100 && r.restoring >= 80 && r.segments >= 8 && r.super >= 8);
}

static void wal_seeds_have_frames(void **unused)
{
    (void)unused;
    reached r = {0};
    (void)each(MC_SEED_WAL, count_reached, &r);
    print_message(
        "frames %u, commits %u, big-endian %u, stale behind %u, beside a hot journal %u\n",
        r.frames, r.commits, r.big_endian, r.stale, r.hot);
    assert_true(r.frames >= 80 && r.commits >= 60 && r.big_endian >= 3 && r.stale >= 5);
}

static int clean_up(void **unused)
{
    (void)unused;
    for (int i = 0; i < 2; i++) {
        for (mc_seed_target target = 0; target < MC_SEED_TARGETS; target++) {
            struct dirent **entry;
            char path[512];
            char file[1024];
            (void)snprintf(path, sizeof path, "%s/%s", folder[i], mc_seed_target_names[target]);
            int count = scandir(path, &entry, not_hidden, alphasort);
            for (int k = 0; k < count; k++) {
                (void)snprintf(file, sizeof file, "%s/%s", path, entry[k]->d_name);
                (void)unlink(file);
                free(entry[k]);
            }
            free(count >= 0 ? entry : NULL);
            (void)rmdir(path);
        }
        (void)rmdir(folder[i]);
        free(made[i]);
    }
    (void)rmdir(scratch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seeds_are_deterministic_and_small),
        cmocka_unit_test(journal_seeds_are_rolled_back),
        cmocka_unit_test(wal_seeds_have_frames),
    };
    return cmocka_run_group_tests(tests, make_twice, clean_up);
}
