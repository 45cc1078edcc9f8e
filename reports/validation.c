#include "reports/report.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

static void put_kills(const mc_validated *v, FILE *out)
{
    const mc_kills *k = &v->kills;
    (void)fprintf(
        out,
        "Real kills: %" PRIu64 " processes of %u workloads died of SIGKILL, each in front of"
        " another operation\nor (%" PRIu64 ") within a write; %" PRIu64 " left the files of"
        " the model \"kill\" byte for byte, and SQLite read\nthe same pages of them: %" PRIu64
        " clean, %" PRIu64 " stale, %" PRIu64 " torn.\n",
        k->fired, v->kill_cells, k->cut + k->undone, k->equal, k->clean + k->undone, k->stale,
        k->torn);
    if (k->uncut > 0) {
        (void)fprintf(out,
                      "%" PRIu64
                      " states within a write were left out: this kernel does not withhold"
                      " pages (userfaultfd).\n",
                      k->uncut);
    }
    if (k->first[0] != '\0') {
        (void)fprintf(out, "The first that was not the model's: %s\n", k->first);
    }
}

static void put_rows(const mc_validated *v, FILE *out)
{
    (void)fprintf(out, "\n%-15s %-15s %6s %6s %6s %6s %6s %6s %6s %6s %6s\n", "file system",
                  "profile", "writes", "flush", "states", "differ", "in it", "kill's", "clean",
                  "stale", "torn");
    for (size_t i = 0; mc_realfs_rows[i].name != NULL; i++) {
        const mc_realfs *fs = &mc_realfs_rows[i];
        const mc_losses *l = &v->losses[i];
        if (v->fs_skipped[i] != NULL) {
            (void)fprintf(out, "%-15s %-15s skipped: %s\n", fs->name, fs->profile,
                          v->fs_skipped[i]);
            continue;
        }
        (void)fprintf(out,
                      "%-15s %-15s %6" PRIu64 " %6" PRIu64 " %6" PRIu64 " %6" PRIu64 " %6" PRIu64
                      " %6" PRIu64 " %6" PRIu64 " %6" PRIu64 " %6" PRIu64 "\n",
                      fs->name, fs->profile, l->writes, l->flushes, l->states, l->distinct, l->in,
                      l->killed, l->clean, l->stale, l->torn);
    }
}

static void put_misses(const mc_validated *v, FILE *out)
{
    for (size_t i = 0; mc_realfs_rows[i].name != NULL; i++) {
        const mc_losses *l = &v->losses[i];
        const char *name = mc_realfs_rows[i].name;
        if (l->unmountable > 0) {
            (void)fprintf(
                out, "%s: %" PRIu64 " of its disks could not be mounted and were not judged.\n",
                name, l->unmountable);
        }
        if (l->in < l->distinct) {
            (void)fprintf(out, "%s: NOT IN THE PROFILE: %" PRIu64 " states; the first: %s\n", name,
                          l->distinct - l->in, l->first);
        }
        if (l->broken > 0) {
            (void)fprintf(out, "%s: SQLITE'S PROMISE BROKEN: %" PRIu64 " states; the first: %s\n",
                          name, l->broken, l->first_broken);
        }
    }
}

/* Which profiles have all that was seen on a file system. */
static void put_profiles(const mc_validated *v, FILE *out)
{
    (void)fprintf(out, "\nStates that each profile contains, of those that differ:\n%-15s",
                  "file system");
    for (size_t p = 0; mc_power_profiles[p].name != NULL; p++) {
        (void)fprintf(out, " %s", mc_power_profiles[p].name);
    }
    (void)fprintf(out, "\n");
    for (size_t i = 0; mc_realfs_rows[i].name != NULL; i++) {
        const mc_losses *l = &v->losses[i];
        if (v->fs_skipped[i] == NULL) {
            (void)fprintf(out, "%-15s", mc_realfs_rows[i].name);
            for (size_t p = 0; mc_power_profiles[p].name != NULL; p++) {
                char number[24];
                (void)snprintf(number, sizeof number, "%" PRIu64, l->in_other[p]);
                (void)fprintf(out, " %*s", (int)strlen(mc_power_profiles[p].name),
                              l->in_other[p] == l->distinct ? "all" : number);
            }
            (void)fprintf(out, "\n");
        }
    }
}

static void put_classes(const mc_validated *v, FILE *out)
{
    (void)fprintf(out,
                  "\nClasses of states, as they differ from what a kill leaves: how often seen on"
                  " each file system\n%-46s",
                  "class");
    for (size_t i = 0; mc_realfs_rows[i].name != NULL; i++) {
        if (v->fs_skipped[i] == NULL) {
            (void)fprintf(out, " %14s", mc_realfs_rows[i].name);
        }
    }
    (void)fprintf(out, "\n");
    for (int c = 0; c < MC_TRAIT_CLASSES; c++) {
        char name[80];
        uint64_t any = 0;
        for (size_t i = 0; mc_realfs_rows[i].name != NULL; i++) {
            any += v->losses[i].classes[c] + v->losses[i].modelled[c];
        }
        (void)snprintf(name, sizeof name, "%s: %s", mc_trait_roles[c / MC_TRAITS],
                       mc_trait_names[c % MC_TRAITS]);
        if (any > 0) {
            (void)fprintf(out, "%-46s", name);
        }
        for (size_t i = 0; any > 0 && mc_realfs_rows[i].name != NULL; i++) {
            const mc_losses *l = &v->losses[i];
            char cell[32];
            (void)snprintf(cell, sizeof cell, "%" PRIu64, l->classes[c]);
            if (v->fs_skipped[i] == NULL) {
                (void)fprintf(out, " %14s",
                              l->classes[c] > 0    ? cell
                              : l->modelled[c] > 0 ? "model only"
                                                   : "-");
            }
        }
        (void)fprintf(out, any > 0 ? "\n" : "");
    }
}

void mc_report_validation(const mc_validated *v, FILE *out)
{
    struct utsname machine = {0};
    (void)uname(&machine);
    (void)fprintf(out, "Do the crash models tell the truth? SQLite %s, Linux %s\n\n",
                  sqlite3_libversion(), machine.release);
    put_kills(v, out);
    if (v->skipped != NULL) {
        (void)fprintf(out, "\nReal file systems: skipped: %s\n", v->skipped);
        return;
    }
    (void)fprintf(out,
                  "\nReal file systems: %u workloads on each; disks built from the log of blocks"
                  " and mounted again.\n",
                  v->fs_cells);
    put_rows(v, out);
    put_misses(v, out);
    put_profiles(v, out);
    put_classes(v, out);
}
