/* test_losses.c: the lane of real file systems itself. On ext4 it must find the profile true; it
 * must say so when a profile is not, when nothing was tested, and leave nothing behind, also when
 * it is killed. Skipped, with the reason, where the machine has no root, FUSE or loop devices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "harness/validate/blocklog.h"
#include "harness/validate/losses.h"

typedef struct shared {
    mc_losses losses;
    atomic_bool mounted;
} shared;

static shared *memory;
static mc_realfs fs;
static mc_record_options record = {.workload = "grow",
                                   .mode = MC_MODE_DELETE,
                                   .sync = MC_SYNC_FULL,
                                   .page_size = 4096,
                                   .txns = 2,
                                   .seed = 1};
static bool forgets_syncs;

static void skip_if_not_possible(void)
{
    fs = mc_realfs_rows[0];
    const char *why = mc_blocklog_built() ? mc_realfs_cannot() : "built without libfuse3";
    why = why == NULL ? mc_realfs_lacks(&fs) : why;
    if (why != NULL) {
        print_message("skipped: %s\n", why);
        skip();
    }
}

static mc_status run_lane(void *context, const char *folder, mc_error *error)
{
    (void)context;
    mc_losses_options options = {.fs = &fs,
                                 .record = &record,
                                 .states = 24,
                                 .seed = 5,
                                 .write_back = true,
                                 .forgets_syncs = forgets_syncs};
    return mc_losses_run(&options, folder, &memory->losses, error);
}

/* Is a file of that name attached to a loop device? Other processes may attach theirs. */
static bool is_attached(const char *name)
{
    bool found = false;
    for (int i = 0; i < 64; i++) {
        char path[80];
        char line[400] = "";
        (void)snprintf(path, sizeof path, "/sys/block/loop%d/loop/backing_file", i);
        FILE *file = fopen(path, "re");
        if (file != NULL) {
            found = found || (fgets(line, sizeof line, file) != NULL && strstr(line, name) != NULL);
            (void)fclose(file);
        }
    }
    return found;
}

/* Promise: what ext4 leaves is in its profile, and differs from what a kill leaves; a profile that
 * is too narrow is found out. */
static void ext4_leaves_what_its_profile_says(void **unused)
{
    (void)unused;
    mc_error error = {0};
    const mc_losses *l = &memory->losses;
    skip_if_not_possible();
    if (mc_realfs_world(run_lane, NULL, &error) != MC_OK) {
        fail_msg("%s", error.text);
    }
    print_message("%llu states, %llu distinct, %llu as a kill leaves them\n",
                  (unsigned long long)l->states, (unsigned long long)l->distinct,
                  (unsigned long long)l->killed);
    assert_string_equal(l->first, "");
    assert_true(l->flushes > 5 && l->states >= 10 && l->unmountable * 4 < l->states);
    assert_true(l->distinct > l->killed);
    assert_int_equal(l->in, l->distinct);
    assert_int_equal(l->broken, 0);

    mc_record_options kept = record;
    record.workload = "spill";
    record.txns = 1;
    fs.profile = "sector-4096";
    memory->losses = (mc_losses){0};
    assert_int_equal(mc_realfs_world(run_lane, NULL, &error), MC_OK);
    assert_true(l->in < l->distinct);
    assert_true(l->first[0] != '\0');
    record = kept;
}

/* Promise: syncs that are not made, though the model says that they were, are found. */
static void forgotten_syncs_are_found(void **unused)
{
    (void)unused;
    mc_error error = {0};
    const mc_losses *l = &memory->losses;
    skip_if_not_possible();
    memory->losses = (mc_losses){0};
    forgets_syncs = true;
    mc_status status = mc_realfs_world(run_lane, NULL, &error);
    forgets_syncs = false;
    if (status != MC_OK) { /* no sync, no flush: that is found, too */
        assert_non_null(strstr(error.text, "no flush"));
        return;
    }
    print_message("%llu of %llu; %s\n", (unsigned long long)l->in, (unsigned long long)l->distinct,
                  l->first);
    assert_true(l->in < l->distinct);
}

/* Promise: a disk that is never told to flush is no test. */
static void without_flushes_nothing_was_tested(void **unused)
{
    (void)unused;
    mc_error error = {0};
    skip_if_not_possible();
    fs.options = "data=ordered,nobarrier,nodiscard";
    assert_int_equal(mc_realfs_world(run_lane, NULL, &error), MC_IO);
    assert_non_null(strstr(error.text, "no flush"));
}

static char image_name[64];

static mc_status mount_and_wait(void *context, const char *folder, mc_error *error)
{
    (void)context;
    char image[200];
    char place[200];
    mc_mounted mounted;
    (void)snprintf(image, sizeof image, "%s/%s", folder, image_name);
    (void)snprintf(place, sizeof place, "%s/mount", folder);
    if (mkdir(place, 0700) != 0 || mc_realfs_make(&fs, image, error) != MC_OK ||
        mc_realfs_mount(&fs, image, place, &mounted, error) != MC_OK) {
        return MC_IO;
    }
    atomic_store(&memory->mounted, true);
    for (;;) {
        (void)pause();
    }
}

/* Promise: when the program is killed in the middle, nothing stays attached or running. */
static void a_killed_lane_leaves_nothing(void **unused)
{
    (void)unused;
    skip_if_not_possible();
    (void)snprintf(image_name, sizeof image_name, "midcommit-test-%ld", (long)getpid());
    atomic_store(&memory->mounted, false);
    pid_t process = fork();
    assert_true(process >= 0);
    if (process == 0) {
        mc_error error;
        _exit((int)mc_realfs_world(mount_and_wait, NULL, &error));
    }
    for (int i = 0; i < 400 && !atomic_load(&memory->mounted); i++) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 25000000}, NULL);
    }
    assert_true(atomic_load(&memory->mounted));
    assert_true(is_attached(image_name));
    assert_int_equal(kill(process, SIGKILL), 0);
    assert_int_equal(waitpid(process, NULL, 0), process);
    bool attached = true; /* the kernel takes things apart a moment later */
    for (int i = 0; i < 400 && attached; i++) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 25000000}, NULL);
        attached = is_attached(image_name);
    }
    assert_false(attached);
}

int main(void)
{
    memory = mmap(NULL, sizeof *memory, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ext4_leaves_what_its_profile_says),
        cmocka_unit_test(forgotten_syncs_are_found),
        cmocka_unit_test(without_flushes_nothing_was_tested),
        cmocka_unit_test(a_killed_lane_leaves_nothing),
    };
    return memory == MAP_FAILED ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
