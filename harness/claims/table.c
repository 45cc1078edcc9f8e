/* table.c: the claims, and what is run for each.
 *
 * `never` is what the claim excludes; `some` what it says, or shows that the experiment can see
 * what it looks for (with the rule broken, or where SQLite promises nothing). The workloads are
 * small, so that every state is covered; 512-byte pages make the checksum of a journal's record
 * look at the fewest bytes. */
#include "harness/claims/claiming.h"

#define MODE(m) (1u << MC_MODE_##m)
#define SYNC(s) (1u << MC_SYNC_##s)
#define WITH_JOURNAL (MODE(DELETE) | MODE(TRUNCATE) | MODE(PERSIST))
#define ON_DISK (WITH_JOURNAL | MODE(WAL))
#define ANY_SYNC (SYNC(OFF) | SYNC(NORMAL) | SYNC(FULL) | SYNC(EXTRA))

/* Disks that keep what they promise and the order of names and cuts; and one that keeps no order.
 */
#define IN_ORDER "sector-512,sector-4096,ext4,ext4-ordered,ext4-writeback,xfs,btrfs"
#define NO_ORDER "psow"
#define HONEST NO_ORDER "," IN_ORDER
#define FILE_SYSTEMS "ext4,ext4-ordered,ext4-writeback,xfs,btrfs"

/* A disk that tears 4096 bytes at once and damages what lies beside the write in them. */
static const mc_power_profile wide_sectors = {.name = "wide-sectors",
                                              .summary = "as strict, with larger sectors",
                                              .tear_bytes = 4096,
                                              .tear_any = true,
                                              .data = MC_POWER_DATA_FREE,
                                              .garbage = true,
                                              .syncs = true,
                                              .dir_syncs = true,
                                              .source = "psow.html"};

/* Disks whose sectors of 512 bytes are not written at once. */
static const mc_power_profile torn_within = {.name = "torn-within",
                                             .summary = "a sector may stop at any 64 bytes",
                                             .tear_bytes = 64,
                                             .psow = true,
                                             .ordered = MC_POWER_NAMES | MC_POWER_SHRINKS |
                                                        MC_POWER_GROWTHS,
                                             .data = MC_POWER_DATA_BEFORE_LATER,
                                             .syncs = true,
                                             .dir_syncs = true,
                                             .source = "atomiccommit.html 2.0"};
static const mc_power_profile in_pieces = {.name = "in-pieces",
                                           .summary = "any 64 bytes of a sector may be there",
                                           .tear_bytes = 64,
                                           .tear_any = true,
                                           .psow = true,
                                           .ordered = MC_POWER_NAMES | MC_POWER_SHRINKS,
                                           .data = MC_POWER_DATA_BEFORE_SIZE,
                                           .syncs = true,
                                           .dir_syncs = true,
                                           .source = "atomiccommit.html 2.0, without the order"};

#define RULES(name) static const mc_claim_rule name[]
#define END                                                                                        \
    {                                                                                              \
        .label = NULL                                                                              \
    }

RULES(rolled_back) = {{"FULL", "inplace,grow,spill,rollback,shrink", ON_DISK, SYNC(FULL), "kill",
                       .never = MC_CAME_ANY},
                      END};

RULES(application_crash) = {{"journal on disk or WAL, every level",
                             "inplace,grow,spill,shrink,savepoint", ON_DISK, ANY_SYNC, "kill",
                             .never = MC_CAME_ANY},
                            {"batch-atomic, every level", "inplace", MODE(DELETE), ANY_SYNC,
                             "kv:batch", .never = MC_CAME_ANY},
                            END};

RULES(full_power) = {
    {"FULL, names and cuts in order", "inplace,shrink", ON_DISK, SYNC(FULL), IN_ORDER,
     .never = MC_CAME_BROKEN},
    {"FULL, in no order", "inplace,shrink", ON_DISK, SYNC(FULL), NO_ORDER, .never = MC_CAME_BROKEN},
    {"FULL, 512-byte pages", "grow", ON_DISK, SYNC(FULL), HONEST, .never = MC_CAME_BROKEN,
     .txns = 3, .page_size = 512},
    END};

RULES(extra) = {{"DELETE with FULL", "grow", MODE(DELETE), SYNC(FULL), HONEST,
                 .some = MC_CAME_STALE, .txns = 3, .page_size = 512},
                {"DELETE with EXTRA", "grow", MODE(DELETE), SYNC(EXTRA), HONEST,
                 .never = MC_CAME_STALE | MC_CAME_BROKEN, .txns = 3, .page_size = 512},
                {"DELETE with EXTRA", "inplace,shrink", MODE(DELETE), SYNC(EXTRA), HONEST,
                 .never = MC_CAME_STALE | MC_CAME_BROKEN},
                END};

RULES(normal) = {{"sector-512 and sector-4096", "grow", WITH_JOURNAL, SYNC(NORMAL),
                  "sector-512,sector-4096", .count = MC_CAME_BROKEN, .txns = 3, .page_size = 512},
                 {"xfs, btrfs", "grow", WITH_JOURNAL, SYNC(NORMAL), "xfs,btrfs",
                  .count = MC_CAME_BROKEN, .txns = 3, .page_size = 512},
                 {"ext4", "grow", WITH_JOURNAL, SYNC(NORMAL), "ext4", .count = MC_CAME_BROKEN,
                  .txns = 3, .page_size = 512},
                 {"ext4-ordered", "grow", WITH_JOURNAL, SYNC(NORMAL), "ext4-ordered",
                  .count = MC_CAME_BROKEN, .txns = 3, .page_size = 512},
                 {"psow", "grow", WITH_JOURNAL, SYNC(NORMAL), "psow", .count = MC_CAME_BROKEN,
                  .txns = 3, .page_size = 512},
                 {"4096-byte pages, ext4-ordered", "inplace", MODE(DELETE), SYNC(NORMAL),
                  "ext4-ordered", .count = MC_CAME_BROKEN, .budget = 300},
                 {"4096-byte pages, xfs and btrfs", "inplace", WITH_JOURNAL, SYNC(NORMAL),
                  "xfs,btrfs", .count = MC_CAME_BROKEN},
                 END};

RULES(wal_normal) = {{"WAL with NORMAL", "inplace,shrink,checkpoint", MODE(WAL), SYNC(NORMAL),
                      HONEST, .never = MC_CAME_BROKEN},
                     {"WAL with NORMAL", "grow", MODE(WAL), SYNC(NORMAL), HONEST,
                      .some = MC_CAME_STALE, .txns = 3, .page_size = 512},
                     END};

RULES(wal_full) = {{"WAL with FULL", "inplace,shrink,checkpoint", MODE(WAL), SYNC(FULL), HONEST,
                    .never = MC_CAME_STALE | MC_CAME_BROKEN},
                   {"WAL with FULL, 512-byte pages", "grow", MODE(WAL), SYNC(FULL), HONEST,
                    .never = MC_CAME_STALE | MC_CAME_BROKEN, .txns = 3, .page_size = 512},
                   END};

RULES(off) = {
    {"OFF, killed", "inplace,grow,spill,shrink", ON_DISK, SYNC(OFF), "kill", .never = MC_CAME_ANY},
    {"OFF, killed, batch-atomic", "inplace", MODE(DELETE), SYNC(OFF), "kv:batch",
     .never = MC_CAME_ANY},
    {"OFF, power lost", "grow", ON_DISK, SYNC(OFF), "ext4,xfs,btrfs", .some = MC_CAME_BROKEN,
     .txns = 2, .page_size = 512},
    END};

RULES(off_attached) = {{"OFF, killed, transactions over two files", "attach", WITH_JOURNAL,
                        SYNC(OFF), "kill", .count = MC_CAME_BROKEN, .txns = 2},
                       END};

RULES(truncate) = {{"TRUNCATE with FULL", "inplace,shrink", MODE(TRUNCATE), SYNC(FULL), HONEST,
                    .never = MC_CAME_STALE | MC_CAME_BROKEN},
                   {"TRUNCATE with FULL, 512-byte pages", "grow", MODE(TRUNCATE), SYNC(FULL),
                    HONEST, .never = MC_CAME_STALE | MC_CAME_BROKEN, .txns = 3, .page_size = 512},
                   {"TRUNCATE with NORMAL", "grow", MODE(TRUNCATE), SYNC(NORMAL), HONEST,
                    .some = MC_CAME_STALE, .txns = 3, .page_size = 512},
                   END};

RULES(garbage) = {{"FULL", "grow", WITH_JOURNAL, SYNC(FULL), HONEST, .never = MC_CAME_BROKEN,
                   .txns = 3, .page_size = 512},
                  {"NORMAL, where one sync covers both", "grow", WITH_JOURNAL, SYNC(NORMAL), HONEST,
                   .some = MC_CAME_BROKEN, .txns = 3, .page_size = 512},
                  END};

RULES(header_sector) = {
    {"torn sectors of 512 damage what lies beside", "grow", WITH_JOURNAL, SYNC(FULL), "strict",
     .never = MC_CAME_BROKEN, .txns = 3, .page_size = 512},
    {"sectors of 4096 that SQLite takes for 512", "grow", WITH_JOURNAL, SYNC(FULL), "",
     .some = MC_CAME_BROKEN, .txns = 3, .page_size = 512, .profile = &wide_sectors},
    END};

RULES(whole_sectors) = {
    {"told of sectors of 4096", "grow", WITH_JOURNAL, SYNC(FULL), "", .never = MC_CAME_BROKEN,
     .txns = 3, .page_size = 2048, .profile = &wide_sectors, .plain_disk = true},
    {"told of powersafe overwrite, which the disk has not", "grow", WITH_JOURNAL, SYNC(FULL), "",
     .some = MC_CAME_BROKEN, .txns = 3, .page_size = 2048, .profile = &wide_sectors},
    END};

RULES(powersafe) = {
    {"assumed", "inplace,grow", WITH_JOURNAL, SYNC(FULL), "psow", .never = MC_CAME_BROKEN},
    {"assumed, 512-byte pages", "grow", WITH_JOURNAL, SYNC(FULL), "psow", .never = MC_CAME_BROKEN,
     .txns = 3, .page_size = 512},
    {"not assumed", "grow", WITH_JOURNAL, SYNC(FULL), "psow", .never = MC_CAME_BROKEN, .txns = 3,
     .page_size = 512, .plain_disk = true},
    {"pages are torn before recovery", "inplace", WITH_JOURNAL, SYNC(FULL), "psow",
     .some = 1 << MC_TORN, .importer = "abandon"},
    END};

RULES(grows_first) = {
    {"main as it lies", "grow", WITH_JOURNAL, SYNC(FULL), "ext4,ext4-writeback,psow",
     .some = MC_CAME_BROKEN, .txns = 3, .page_size = 512, .importer = "abandon"},
    {"after recovery", "grow", WITH_JOURNAL, SYNC(FULL), "ext4,ext4-writeback,psow",
     .never = MC_CAME_BROKEN, .txns = 3, .page_size = 512},
    END};

RULES(linear) = {{"torn within, main as it lies", "grow", WITH_JOURNAL, SYNC(FULL), "",
                  .some = 1 << MC_TORN, .txns = 3, .page_size = 512, .importer = "abandon",
                  .profile = &torn_within},
                 {"torn within, recovered", "grow", WITH_JOURNAL, SYNC(FULL), "",
                  .never = MC_CAME_BROKEN, .txns = 3, .page_size = 512, .profile = &torn_within},
                 {"and any 64 bytes of one there", "grow", WITH_JOURNAL, SYNC(FULL), "",
                  .never = MC_CAME_BROKEN, .txns = 3, .page_size = 512, .profile = &in_pieces},
                 END};

RULES(deletion) = {{"DELETE, atomic", "inplace", MODE(DELETE), SYNC(FULL), "ext4-ordered",
                    .never = MC_CAME_BROKEN},
                   {"DELETE, the file shrinks before it goes", "inplace", MODE(DELETE), SYNC(FULL),
                    "nonatomic-unlink", .some = MC_CAME_BROKEN},
                   {"TRUNCATE and PERSIST there", "inplace", MODE(TRUNCATE) | MODE(PERSIST),
                    SYNC(FULL), "nonatomic-unlink", .never = MC_CAME_BROKEN},
                   END};

RULES(free_pages) = {{"FULL, killed", "freed,overflow", WITH_JOURNAL, SYNC(FULL), "kill",
                      .never = MC_CAME_ANY, .txns = 4},
                     {"FULL, power lost", "freed", WITH_JOURNAL, SYNC(FULL), "psow,ext4",
                      .never = MC_CAME_BROKEN, .txns = 2, .page_size = 512},
                     END};

RULES(several_files) = {
    {"FULL, killed", "attach", WITH_JOURNAL, SYNC(FULL), "kill", .never = MC_CAME_ANY, .txns = 3},
    {"FULL, power lost", "attach", WITH_JOURNAL, SYNC(FULL), "psow,ext4,xfs,btrfs",
     .never = MC_CAME_BROKEN, .page_size = 512},
    END};

RULES(both_flushes) = {
    {"both", "attach", WITH_JOURNAL, SYNC(FULL), "psow,ext4", .never = MC_CAME_BROKEN,
     .page_size = 512},
    {"without the first", "attach", MODE(DELETE), SYNC(FULL), "psow,ext4", .some = MC_CAME_BROKEN,
     .page_size = 512, .budget = 30, .edit = mc_claim_edit_first_flush},
    {"without the second", "attach", MODE(DELETE), SYNC(FULL), "psow,ext4", .some = MC_CAME_BROKEN,
     .page_size = 512, .budget = 30, .edit = mc_claim_edit_second_flush},
    END};

RULES(children) = {
    {"killed", "attach", WITH_JOURNAL, SYNC(FULL), "kill", .never = MC_CAME_ANY, .txns = 3},
    {"power lost, any of them there again", "attach", MODE(DELETE), SYNC(FULL), "psow",
     .never = MC_CAME_BROKEN, .page_size = 512},
    {"the same, deleted in the other order", "attach", MODE(DELETE), SYNC(FULL), "psow,ext4",
     .never = MC_CAME_BROKEN, .page_size = 512, .edit = mc_claim_edit_children},
    END};

RULES(lying) = {{"syncs do nothing, no checkpoint", "inplace,shrink", MODE(WAL), SYNC(FULL),
                 "lying-sync", .never = MC_CAME_BROKEN, .page_size = 512},
                {"syncs do nothing, a checkpoint", "checkpoint", MODE(WAL), SYNC(FULL),
                 "lying-sync", .some = MC_CAME_BROKEN, .page_size = 512,
                 .end = mc_claim_end_checkpoint},
                END};

RULES(barrier) = {{"syncs order, and nothing waits for them", "grow", ON_DISK, SYNC(FULL), HONEST,
                   .never = MC_CAME_BROKEN, .txns = 3, .page_size = 512,
                   .edit = mc_claim_edit_barrier},
                  {"the same", "grow", ON_DISK, SYNC(FULL), HONEST, .some = MC_CAME_STALE,
                   .txns = 3, .page_size = 512, .edit = mc_claim_edit_barrier},
                  END};

RULES(mispaired) = {{"journal deleted", "inplace", MODE(DELETE), SYNC(FULL), "kill",
                     .some = MC_CAME_BROKEN, .txns = 3, .mistake = "no-journal"},
                    {"WAL deleted", "inplace", MODE(WAL), SYNC(FULL), "kill",
                     .some = MC_CAME_STALE | MC_CAME_BROKEN, .txns = 3, .mistake = "no-wal"},
                    {"an older journal", "inplace", MODE(DELETE), SYNC(FULL), "kill",
                     .some = MC_CAME_STALE | MC_CAME_BROKEN, .txns = 3, .mistake = "older-journal"},
                    {"an older WAL", "inplace", MODE(WAL), SYNC(FULL), "kill",
                     .some = MC_CAME_STALE | MC_CAME_BROKEN, .txns = 3, .mistake = "older-wal"},
                    {"another database's journal", "inplace", MODE(DELETE), SYNC(FULL), "kill",
                     .some = MC_CAME_BROKEN, .txns = 3, .mistake = "other-journal"},
                    {"another database's WAL", "inplace", MODE(WAL), SYNC(FULL), "kill",
                     .some = MC_CAME_BROKEN, .txns = 3, .mistake = "other-wal"},
                    END};

RULES(copied) = {{"with its sidecar", "inplace,spill", ON_DISK, SYNC(FULL), "kill",
                  .never = MC_CAME_ANY, .txns = 2},
                 {"without its journal", "inplace,spill", WITH_JOURNAL, SYNC(FULL), "kill",
                  .some = MC_CAME_BROKEN, .txns = 2, .mistake = "no-journal"},
                 {"without its WAL", "checkpoint", MODE(WAL), SYNC(FULL), "kill",
                  .some = MC_CAME_STALE | MC_CAME_BROKEN, .txns = 2, .mistake = "no-wal"},
                 END};

RULES(stale_frames) = {
    {"killed", "walreset", MODE(WAL), SYNC(FULL), "kill", .never = MC_CAME_ANY, .txns = 2},
    {"power lost", "walreset", MODE(WAL), SYNC(FULL) | SYNC(NORMAL), "psow,ext4",
     .never = MC_CAME_BROKEN, .page_size = 512},
    {"recovery that does not look at salts", "walreset", MODE(WAL), SYNC(FULL), "kill",
     .some = MC_CAME_STALE | MC_CAME_BROKEN, .txns = 2, .importer = "broken:old-salts"},
    {"recovery that does not check frames", "walreset", MODE(WAL), SYNC(FULL), "kill",
     .some = MC_CAME_BROKEN, .txns = 2, .importer = "broken:wal-checksum"},
    END};

RULES(disposable) = {{"deleted", "inplace,spill,walreset", MODE(WAL), SYNC(FULL), "kill",
                      .never = MC_CAME_ANY, .txns = 2, .mistake = "no-shm"},
                     END};

RULES(no_journal) = {{"MEMORY", "inplace,spill,grow,shrink", MODE(MEMORY), SYNC(FULL), "kill",
                      .count = MC_CAME_BROKEN, .txns = 2},
                     {"OFF", "inplace,spill,grow,shrink", MODE(OFF), SYNC(FULL), "kill",
                      .count = MC_CAME_BROKEN, .txns = 2},
                     END};

RULES(checkpoints) = {
    {"both syncs", "checkpoint,walreset", MODE(WAL), SYNC(FULL) | SYNC(NORMAL), "psow,ext4",
     .never = MC_CAME_BROKEN, .page_size = 512},
    {"without the WAL's", "checkpoint", MODE(WAL), SYNC(NORMAL), "psow", .some = MC_CAME_BROKEN,
     .page_size = 512, .edit = mc_claim_edit_wal_sync, .end = mc_claim_end_checkpoint},
    {"without the database's", "walreset", MODE(WAL), SYNC(NORMAL), "psow", .some = MC_CAME_BROKEN,
     .page_size = 512, .budget = 100, .edit = mc_claim_edit_main_sync, .end = mc_claim_end_reuse},
    END};

RULES(openers) = {
    {"read-only, beside a hot journal", "grow", MODE(DELETE), SYNC(FULL), "kill",
     .never = MC_CAME_STALE | 1 << MC_TORN, .txns = 3, .page_size = 512, .importer = "@readonly"},
    {"the same", "grow", MODE(DELETE), SYNC(FULL), "kill", .some = MC_CAME_BLOCKED, .txns = 3,
     .page_size = 512, .importer = "@readonly"},
    {"immutable, beside a hot journal", "inplace", MODE(DELETE), SYNC(FULL), "kill",
     .some = MC_CAME_BROKEN, .page_size = 512, .importer = "@immut"},
    {"immutable, beside a WAL", "grow", MODE(WAL), SYNC(FULL), "kill",
     .some = MC_CAME_STALE | MC_CAME_BROKEN, .txns = 3, .page_size = 512, .importer = "@immut"},
    END};

RULES(batch) = {{"NORMAL and above", "inplace,grow,overflow", MODE(DELETE),
                 SYNC(NORMAL) | SYNC(FULL) | SYNC(EXTRA), "kv:batch", .never = MC_CAME_ANY,
                 .txns = 2},
                END};

RULES(page_one) = {{"after recovery", "checkpoint,walreset", MODE(WAL), SYNC(FULL) | SYNC(NORMAL),
                    HONEST, .never = MC_CAME_BROKEN, .page_size = 512},
                   {"main as it lies", "checkpoint", MODE(WAL), SYNC(FULL), "psow",
                    .some = MC_CAME_BROKEN, .page_size = 512, .importer = "abandon"},
                   END};

const mc_claim mc_claims[] = {
    {1, "A transaction whose process is killed is rolled back by the next opener, as a whole.",
     "howtocorrupt", rolled_back, NULL},
    {2, "Transactions survive an application crash whatever synchronous and the journal mode are.",
     "pragma, synchronous", application_crash, NULL},
    {3, "With FULL a crash of the operating system or a power failure does not corrupt.",
     "pragma, synchronous", full_power, NULL},
    {4, "EXTRA makes commits of DELETE mode durable where FULL does not.", "pragma, synchronous",
     extra, NULL},
    {5, "With NORMAL and a journal there is a very small chance that a power loss corrupts.",
     "pragma, synchronous; atomiccommit 6.2", normal, NULL},
    {6, "WAL with NORMAL is never corrupt, but commits may be lost.", "pragma, synchronous; wal",
     wal_normal, NULL},
    {7, "WAL with FULL is durable.", "pragma, synchronous", wal_full, NULL},
    {8, "OFF is safe against an application crash and not against a power loss.",
     "pragma, synchronous; howtocorrupt 7", off, mc_claim_attached},
    {9, "TRUNCATE is durable, since its truncation is synced.",
     "release notes 3.8.8; atomiccommit 7.6 says otherwise", truncate, NULL},
    {10, "With FULL the checksums of a journal's records are not needed.", "atomiccommit 6.2", NULL,
     mc_claim_checksums},
    {11, "A journal's header counts no record before that is synced: garbage is never played back.",
     "atomiccommit 6.2", garbage, mc_claim_counts},
    {12, "A journal's header has a sector to itself, so that writing it cannot hurt records.",
     "atomiccommit 6.2; fileformat2 3", header_sector, mc_claim_header_sector},
    {13, "Without powersafe overwrite whole sectors are journalled.", "atomiccommit 6.1",
     whole_sectors, mc_claim_whole_sectors},
    {14, "To assume powersafe overwrite does not weaken recovery from torn pages.", "psow",
     powersafe, NULL},
    {15, "A file may be longer before its content is there, and recovery copes with garbage.",
     "atomiccommit 2", grows_first, NULL},
    {16, "A sector is written from one end to the other and not at once; that is recovered from.",
     "atomiccommit 2", linear, NULL},
    {17, "That a file is deleted at once is assumed, and needed.", "atomiccommit 2 and 9.3",
     deletion, NULL},
    {18, "Leaf pages of the freelist need no record in the journal.", "atomiccommit 7.3",
     free_pages, mc_claim_free_pages},
    {19, "A commit over several files is atomic across a power loss.", "atomiccommit 5",
     several_files, NULL},
    {20, "Both flushes of the journals around the super-journal's name are needed.",
     "atomiccommit 5.3", both_flushes, NULL},
    {21, "Once the super-journal is gone its child journals do not count, in any order.",
     "atomiccommit 5.5 and 5.6", children, NULL},
    {22, "To play a hot journal back can be repeated, and may itself be interrupted.",
     "atomiccommit 4.5", NULL, mc_claim_again},
    {23, "A rollback restores size and content exactly.", "atomiccommit 4.4", NULL,
     mc_claim_exactly},
    {24, "In WAL mode a sync that lies hurts around checkpoints only.", "howtocorrupt 3.1", lying,
     NULL},
    {25, "A sync that is a barrier alone keeps consistency and loses durability.", "howtocorrupt 3",
     barrier, NULL},
    {26, "To delete, move or mispair a journal or a WAL corrupts.", "howtocorrupt 1.3 and 1.4",
     mispaired, NULL},
    {27, "A copy within a transaction is corrupt without its sidecar, and not with it.",
     "howtocorrupt 1.2", copied, NULL},
    {28, "Another name, by a link or a rename, hides a hot journal or a WAL.",
     "howtocorrupt 2.4 and 2.5; atomiccommit 9.5", NULL, mc_claim_renamed},
    {29, "Stale frames of a WAL are rejected by salts and checksums.", "fileformat2 4",
     stale_frames, NULL},
    {30, "The WAL index (-shm) may be deleted or damaged: it is built anew.", "fileformat2 4.6",
     disposable, mc_claim_shm},
    {31, "Read and write versions keep programs that know no WAL away from its databases.",
     "wal 10", NULL, mc_claim_versions},
    {32, "With journal_mode MEMORY or OFF an application crash may corrupt.", "howtocorrupt 7",
     no_journal, NULL},
    {33, "A checkpoint syncs the WAL before, and the database before the WAL is used again.",
     "wal 2.3; fileformat2 4.3", checkpoints, mc_claim_checkpoint_order},
    {34, "Nothing is written over in the database that is not in the journal, and synced.",
     "testing 8.5", NULL, mc_claim_journal_first},
    {35,
     "Beside a hot journal a read-only opener is refused; an immutable one sees what lies there.",
     "rescode, READONLY_ROLLBACK; uri, immutable", openers, NULL},
    {36, "Commits on a file system with batch-atomic writes need no journal.",
     "c3ref, IOCAP_BATCH_ATOMIC", batch, NULL},
    {37, "A commit takes effect exactly when its journal is deleted, cut or zeroed.",
     "fileformat2 3", NULL, mc_claim_effect},
    {38, "A power loss while a checkpoint writes page 1 is recovered from.",
     "fileformat2 4; the WAL tells the page size", page_one, mc_claim_page_one},
    {0, NULL, NULL, NULL, NULL},
};

/* Not a part of the verdict: the page speaks of one database. */
mc_status mc_claim_attached(mc_claim_test *t, mc_error *error)
{
    bool bounded = t->bounded;
    mc_status status = mc_claim_rules(t, off_attached, error);
    t->bounded = bounded;
    return status;
}
