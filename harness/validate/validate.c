#include "harness/validate/validate.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness/validate/blocklog.h"
#include "harness/validate/live.h"

enum { PATH_BYTES = 4000, PAGE_BYTES = 4096 };

typedef struct cell {
    const char *workload;
    mc_mode mode;
    mc_sync sync;
    uint32_t txns;
} cell;

/* Names come and go, files are cut, lengths grow, places are written again; in each journal mode.
 */
static const cell kill_cells[] = {
    {"grow", MC_MODE_DELETE, MC_SYNC_FULL, 2},     {"grow", MC_MODE_WAL, MC_SYNC_FULL, 2},
    {"shrink", MC_MODE_TRUNCATE, MC_SYNC_FULL, 1}, {"overflow", MC_MODE_PERSIST, MC_SYNC_FULL, 1},
    {"equal", MC_MODE_DELETE, MC_SYNC_OFF, 1},     {"walreset", MC_MODE_WAL, MC_SYNC_NORMAL, 1},
};

static const cell fs_cells[] = {
    {"grow", MC_MODE_DELETE, MC_SYNC_FULL, 3},       {"spill", MC_MODE_DELETE, MC_SYNC_EXTRA, 1},
    {"shrink", MC_MODE_TRUNCATE, MC_SYNC_NORMAL, 2}, {"overflow", MC_MODE_PERSIST, MC_SYNC_FULL, 2},
    {"checkpoint", MC_MODE_WAL, MC_SYNC_FULL, 1},    {"grow", MC_MODE_WAL, MC_SYNC_NORMAL, 3},
    {"grow", MC_MODE_DELETE, MC_SYNC_OFF, 3},
};

static mc_record_options record_of(const cell *c, uint64_t seed)
{
    return (mc_record_options){.workload = c->workload,
                               .mode = c->mode,
                               .sync = c->sync,
                               .txns = c->txns,
                               .page_size = PAGE_BYTES,
                               .seed = seed};
}

/* ---- the lane of kills ---- */

static volatile sig_atomic_t stopped;

static void stop(int number)
{
    stopped = number;
}

static mc_status run_kills(const mc_validate_options *options, mc_validated *out, mc_error *error)
{
    char folder[PATH_BYTES];
    const char *place = getenv("TMPDIR");
    (void)snprintf(folder, sizeof folder, "%s/midcommit-XXXXXX",
                   place == NULL || place[0] == '\0' ? P_tmpdir : place);
    if (mkdtemp(folder) == NULL) {
        return mc_fail(error, MC_IO, "validate", "%s: cannot make a folder", folder);
    }
    stopped = 0;
    struct sigaction action = {.sa_handler = stop};
    struct sigaction interrupt;
    struct sigaction terminate;
    (void)sigaction(SIGINT, &action, &interrupt);
    (void)sigaction(SIGTERM, &action, &terminate);
    mc_status status = MC_OK;
    for (size_t i = 0; status == MC_OK && i < sizeof kill_cells / sizeof *kill_cells; i++) {
        mc_record_options record = record_of(&kill_cells[i], options->seed);
        status = mc_kills_run(&record, folder, &stopped, &out->kills, error);
        out->kill_cells++;
    }
    (void)sigaction(SIGINT, &interrupt, NULL);
    (void)sigaction(SIGTERM, &terminate, NULL);
    mc_live_clear(folder);
    (void)rmdir(folder);
    if (status == MC_OK && out->kills.fired == 0) {
        status = mc_fail(error, MC_IO, "no-kills",
                         "real kills: no process died, so nothing was"
                         " tested");
    }
    return status;
}

/* ---- the lane of file systems ---- */

typedef struct fs_lane {
    const mc_validate_options *options;
    const mc_realfs *fs;
    mc_losses *losses; /* shared */
} fs_lane;

static mc_status run_fs(void *context, const char *folder, mc_error *error)
{
    const fs_lane *lane = context;
    mc_status status = MC_OK;
    for (size_t i = 0; status == MC_OK && i < sizeof fs_cells / sizeof *fs_cells; i++) {
        mc_record_options record = record_of(&fs_cells[i], lane->options->seed);
        mc_losses_options losses = {.fs = lane->fs,
                                    .record = &record,
                                    .states = lane->options->states,
                                    .seed = lane->options->seed + i,
                                    .write_back = i % 3 != 0};
        status = mc_losses_run(&losses, folder, lane->losses, error);
    }
    return status;
}

static mc_status run_losses(const mc_validate_options *options, mc_validated *out, mc_error *error)
{
    mc_losses *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "validate: out of memory");
    }
    mc_status status = MC_OK;
    out->fs_cells = sizeof fs_cells / sizeof *fs_cells;
    for (size_t i = 0; status == MC_OK && mc_realfs_rows[i].name != NULL; i++) {
        assert(i < MC_REALFS_MAX);
        const mc_realfs *fs = &mc_realfs_rows[i];
        fs_lane lane = {options, fs, shared};
        bool wanted = options->only == NULL || strcmp(options->only, fs->name) == 0;
        out->fs_skipped[i] = wanted ? mc_realfs_lacks(fs) : "not asked for";
        if (out->fs_skipped[i] == NULL) {
            *shared = (mc_losses){0};
            status = mc_realfs_world(run_fs, &lane, error);
            out->losses[i] = *shared;
        }
    }
    (void)munmap(shared, sizeof *shared);
    return status;
}

mc_status mc_validate(const mc_validate_options *options, mc_validated *out, mc_error *error)
{
    *out = (mc_validated){0};
    mc_status status = run_kills(options, out, error);
    out->skipped = mc_blocklog_built() ? mc_realfs_cannot() : "built without libfuse3";
    return status == MC_OK && out->skipped == NULL ? run_losses(options, out, error) : status;
}

bool mc_validated_holds(const mc_validated *v)
{
    bool holds = v->kills.equal == v->kills.points;
    for (size_t i = 0; v->skipped == NULL && mc_realfs_rows[i].name != NULL; i++) {
        const mc_losses *l = &v->losses[i];
        holds = holds && l->in == l->distinct && l->broken == 0;
    }
    return holds;
}
