/* powerprofile.c: the table of profiles.
 *
 * What a row says of a file system comes from its documents, and from the abstract persistence
 * models that others found by experiment: ALICE (Pillai et al., OSDI 2014: which operations a file
 * system reorders), BOB (the same paper's block-order breaker), Ferrite (Bornholt et al., ASPLOS
 * 2016: ext4's axioms), and the documents of SQLite for what it takes its disks for. What has been
 * seen on real file systems is measured by `midcommit run --validate`. */
#include "crashsim/power.h"

#include <string.h>

enum { SECTOR = 512, PAGE = 4096 };

const mc_power_profile mc_power_profiles[] = {
    {.name = "strict",
     .summary = "between two syncs everything may happen, in any order",
     .tear_bytes = SECTOR,
     .tear_any = true,
     .data = MC_POWER_DATA_FREE,
     .garbage = true,
     .syncs = true,
     .dir_syncs = true,
     .source = "POSIX fsync, and no more; psow.html: a torn sector may damage what lies beside the "
               "write"},
    {.name = "psow",
     .summary = "as strict, but a write changes no byte outside itself",
     .tear_bytes = SECTOR,
     .tear_any = true,
     .psow = true,
     .data = MC_POWER_DATA_FREE,
     .garbage = true,
     .syncs = true,
     .dir_syncs = true,
     .source = "psow.html: what SQLite takes its disks for"},
    {.name = "sector-512",
     .summary =
         "names and lengths in order, bytes before them; a write may stop at any multiple of 512",
     .tear_bytes = SECTOR,
     .psow = true,
     .ordered = MC_POWER_NAMES | MC_POWER_SHRINKS | MC_POWER_GROWTHS,
     .data = MC_POWER_DATA_BEFORE_LATER,
     .syncs = true,
     .dir_syncs = true,
     .source = "atomiccommit.html 2.0: a write goes linearly from one end to the other"},
    {.name = "sector-4096",
     .summary =
         "names and lengths in order, bytes before them; a write may stop at any multiple of 4096",
     .tear_bytes = PAGE,
     .psow = true,
     .ordered = MC_POWER_NAMES | MC_POWER_SHRINKS | MC_POWER_GROWTHS,
     .data = MC_POWER_DATA_BEFORE_LATER,
     .syncs = true,
     .dir_syncs = true,
     .source = "the same, on a disk with 4096-byte sectors"},
    {.name = "ext4-ordered",
     .summary = "ext4 with data=ordered,dioread_lock: the default up to Linux 5.5",
     .tear_bytes = SECTOR,
     .tear_any = true,
     .psow = true,
     .ordered = MC_POWER_NAMES | MC_POWER_SHRINKS,
     .data = MC_POWER_DATA_WITH_SIZE,
     .syncs = true,
     .dir_syncs = true,
     .source = "Linux, admin-guide/ext4: data is forced out before its metadata is committed"},
    {.name = "ext4-writeback",
     .summary = "ext4 with data=writeback: lengths may be there before their bytes",
     .tear_bytes = SECTOR,
     .tear_any = true,
     .psow = true,
     .ordered = MC_POWER_NAMES | MC_POWER_SHRINKS,
     .data = MC_POWER_DATA_FREE,
     .garbage = true,
     .syncs = true,
     .dir_syncs = true,
     .source = "Linux, admin-guide/ext4: data may be written after its metadata"},
    {.name = "lying-sync",
     .summary = "as ext4-ordered, on a disk whose sync does nothing",
     .tear_bytes = SECTOR,
     .tear_any = true,
     .psow = true,
     .ordered = MC_POWER_NAMES | MC_POWER_SHRINKS,
     .data = MC_POWER_DATA_WITH_SIZE,
     .source = "howtocorrupt.html 3.1: disk drives that do not honor sync requests"},
    {.name = "no-dirsync",
     .summary = "as psow, under a VFS that never syncs the directory",
     .tear_bytes = SECTOR,
     .tear_any = true,
     .psow = true,
     .data = MC_POWER_DATA_FREE,
     .garbage = true,
     .syncs = true,
     .source = "compile.html: SQLITE_DISABLE_DIRSYNC; VFSes that have no directory to sync"},
    {.name = "xfs",
     .summary = "xfs: one log in order; a length is there when its bytes are",
     .tear_bytes = SECTOR,
     .tear_any = true,
     .psow = true,
     .ordered = MC_POWER_NAMES | MC_POWER_SHRINKS,
     .data = MC_POWER_DATA_BEFORE_SIZE,
     .syncs = true,
     .dir_syncs = true,
     .source = "Linux, filesystems/xfs-delayed-logging-design; sizes are logged when the writing "
               "of their bytes ends (xfs_setfilesize)"},
    {.name = "btrfs",
     .summary = "btrfs: copies on write; a sync commits its own file and no other",
     .tear_bytes = PAGE,
     .tear_any = true,
     .psow = true,
     .ordered = MC_POWER_NAMES | MC_POWER_SHRINKS,
     .data = MC_POWER_DATA_BEFORE_SIZE,
     .syncs = true,
     .dir_syncs = true,
     .sync_alone = true,
     .source =
         "Linux, btrfs: the log tree holds the inode that is synced and its names "
         "(btrfs_log_inode_parent), the length follows its extents (btrfs_finish_ordered_io); "
         "checksummed blocks of 4096 bytes are not torn"},
    {.name = "nonatomic-unlink",
     .summary = "as ext4-ordered, where a deleted file shrinks block by block before it is gone",
     .tear_bytes = SECTOR,
     .tear_any = true,
     .psow = true,
     .ordered = MC_POWER_NAMES | MC_POWER_SHRINKS,
     .data = MC_POWER_DATA_WITH_SIZE,
     .syncs = true,
     .dir_syncs = true,
     .unlink_shrinks = true,
     .source = "atomiccommit.html 9.3: incomplete deletions; a model only"},
    {.name = "ext4",
     .summary = "ext4 as it is mounted by default: a longer file may be zeros where it grew",
     .tear_bytes = SECTOR,
     .tear_any = true,
     .psow = true,
     .ordered = MC_POWER_NAMES | MC_POWER_SHRINKS,
     .data = MC_POWER_DATA_FREE,
     .syncs = true,
     .dir_syncs = true,
     .source = "Linux 244adf6426ee: dioread_nolock is the default from 5.6 on, and new blocks are "
               "unwritten until their data is there; the length may be committed before"},
    {.name = NULL},
};

const mc_power_profile *mc_power_find(const char *name)
{
    for (const mc_power_profile *row = mc_power_profiles; row->name != NULL; row++) {
        if (strcmp(row->name, name) == 0) {
            return row;
        }
    }
    return NULL;
}
