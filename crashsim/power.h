/* power.h: the crash model `power`: what a disk can hold after the machine died at a crash point.
 *
 * A file system keeps what a program did in memory and writes it out when it likes. What a sync
 * covered is on the disk. Everything since is *pending*, and each part of it may have reached the
 * disk or not, on its own:
 *
 *   bytes    A write is split at multiples of the tear unit in the file; each unit of it is there,
 *            or is not. A disk writes its sectors whole (a torn one fails its checksum), the kernel
 *            writes pages back in any order, and several writes of one place may be merged or not.
 *   sizes    A file's length lies in its inode, not beside its bytes. It may be any length that the
 *            file had since it was last durable. Where the length is there and the bytes are not,
 *            lie zeros, or what the file system's block held before (garbage).
 *   names    Creating and deleting change a directory, which is a file of its own. A name leads to
 *            any file that it led to since the directory was last durable, or to none; so a file
 *            that was deleted can be there again, with what was durable of it, even when another
 *            one had been made under its name.
 *
 * How free they are of each other is the file system's doing: a profile. A journaling file system
 * commits metadata (names, and lengths, as far as it does not delay them) in the order in which
 * they were made, so that what is there of it is a prefix, and a sync of a file with metadata
 * pending commits all metadata before it. `data` says whether bytes are tied to it: with
 * MC_POWER_DATA_WITH_SIZE a length that grew is not there before its new blocks are (ext4's
 * data=ordered: jbd2 writes those before it commits). A block may have been written back as soon as
 * there was something in it, and is not new then, so what is sure of it is the write that was the
 * first in it; a later one, beside the first or over it, may be missing although the length that
 * it gave the file is there (ext4_da_write_end sets the length at once where the block is mapped).
 * With MC_POWER_DATA_BEFORE_SIZE a length that grew waits for all bytes that were written beyond
 * the end that the file had (xfs and btrfs set it when the writing of those has ended), and for
 * nothing that was written over them. A cut waits for nothing, in both: a file may be cut to blocks
 * that were never written back.
 *
 * With `sync_alone` a sync of a file commits that inode's own metadata, the names that lead to it
 * included, and a sync of the directory commits names; neither commits anything else that is older.
 *
 * An element with MC_OPF_DIR_SYNC is two things, and the machine can die between them. For an
 * unlink (DELETE), and with `sync_alone` for a SYNC, the crash point right after the element stands
 * for that: the sync of the directory is over when the next element, which can be a mark, begins.
 * The point before the element and one after both halves would not be enough: names in no order
 * that are older than the unlink may be missing where it is there, an unlink that shrinks may have
 * stopped half way, and a sync alone brings a file's name without older ones. Any other sync only
 * takes states away: what lies between its halves is possible before it, so it needs no such point.
 *
 * The WAL index (-shm) is never on the disk: SQLite makes no sync of it, and rebuilds it.
 *
 * Left out: sectors that change although nobody wrote near them, media faults, a sync that fails,
 * renames and hard links (SQLite makes none), syncs that cover a part of a file, a write that
 * reaches the disk after a later one of the same unit was written over it (caches keep one copy of
 * a block), garbage that is the former content of another file rather than a pattern, and, with
 * both kinds of tied data, a file whose later blocks were written back and its earlier ones were
 * not, which the kernel does only to large files and when it is asked to (sync_file_range). */
#ifndef MIDCOMMIT_CRASHSIM_POWER_H
#define MIDCOMMIT_CRASHSIM_POWER_H

#include "crashsim/trace.h"

/* Bits: kinds of metadata that become durable in the order in which they were made. */
enum { MC_POWER_NAMES = 1, MC_POWER_SHRINKS = 2, MC_POWER_GROWTHS = 4 };

typedef enum mc_power_data {
    MC_POWER_DATA_FREE,         /* bytes are tied to nothing */
    MC_POWER_DATA_WITH_SIZE,    /* to the length that makes them visible, in new blocks */
    MC_POWER_DATA_BEFORE_SIZE,  /* to the length that they gave the file, wherever they lie */
    MC_POWER_DATA_BEFORE_LATER, /* to all ordered metadata that was made later, overwrites too */
} mc_power_data;

typedef struct mc_power_profile {
    const char *name;
    const char *summary; /* one line: whose behaviour it is */
    uint32_t tear_bytes; /* a power of two */
    bool tear_any;       /* any units of a write may be there; else those up to some point in it */
    bool psow;           /* powersafe overwrite: a torn unit changes no byte beside the write */
    uint8_t ordered;     /* MC_POWER_NAMES... */
    mc_power_data data;
    bool garbage;        /* unwritten bytes of a longer file may be any; else zeros */
    bool syncs;          /* a sync does what it says */
    bool dir_syncs;      /* the VFS syncs the directory where MC_OPF_DIR_SYNC says so */
    bool sync_alone;     /* a sync of a file commits its own metadata, not all that is older */
    bool unlink_shrinks; /* a file that is deleted shrinks block by block before its name goes */
    const char *source;
} mc_power_profile;

extern const mc_power_profile mc_power_profiles[]; /* ended by a row without name */

const mc_power_profile *mc_power_find(const char *name); /* or null */

/* What one choice is about. */
typedef enum mc_power_item {
    MC_POWER_METADATA, /* how much of the ordered metadata is there */
    MC_POWER_NAME,     /* which of its states since it was durable a name has */
    MC_POWER_SIZE,     /* which of its lengths a file has */
    MC_POWER_FILL,     /* zeros, or garbage, where nothing was written */
    MC_POWER_WRITE,    /* a write: not there, torn, there; or how many of its units are */
    MC_POWER_UNIT      /* one unit of a torn write: not there, (damaged,) there */
} mc_power_item;

/* Chooses one of `count` (2 or more) alternatives: 0 is what is the least on the disk, count - 1
 * what is the most: all of it. `op` is the element of the trace that it is about, or null. */
typedef uint32_t (*mc_power_choose)(void *context, mc_power_item item, const mc_op *op,
                                    uint32_t count);

/* One unit of one pending write, as far as it can be seen. It is there, or it is not; or, without
 * powersafe overwrite and where the write leaves a part of the unit alone, the unit is damaged. */
typedef struct mc_power_cell {
    uint64_t from; /* bytes [from, to) of the file become `data` */
    uint64_t to;
    const uint8_t *data;
    uint64_t unit_from; /* what is garbage if it is damaged */
    uint64_t unit_to;
    const mc_op *op;
    uint32_t write;       /* cells of one write have one number, and stand side by side */
    uint8_t alternatives; /* 1: there for sure; 2: not there, there; 3: damaged between the two */
    bool chained;         /* there only if the cell before it is, which is of the same write */
    uint8_t unused[2];    /* zero: cells are compared as bytes */
} mc_power_cell;

/* One file of the disk, its names and lengths being chosen: the bytes that are sure, then zeros or
 * garbage up to its size, then the cells over it in their order. */
typedef struct mc_power_file {
    bool exists;
    bool garbage;
    uint64_t size;
    uint64_t sure; /* of `bytes` */
    const uint8_t *bytes;
    mc_power_cell *cell;
    uint32_t cell_count;
    /* The cells of block b of 4096 bytes, in their order: by_block[block[b]] up to block[b + 1].
     * Null without cells. */
    const uint32_t *block;
    const uint32_t *by_block;
} mc_power_file;

enum { MC_POWER_BLOCK_BYTES = 4096 };

/* What cell choices mean, by the number of a cell; for one that is not chosen yet the most is
 * taken. */
enum { MC_POWER_UNCHOSEN = 0xff };

/* Bytes [from, to) of a file, which must lie in it. */
void mc_power_bytes(const mc_power_file *file, const uint8_t *choice, uint64_t from, uint64_t to,
                    uint8_t *out);

/* What one cell does to bytes [from, to), which are `out`. */
void mc_power_put_cell(const mc_power_cell *cell, uint8_t choice, uint64_t from, uint64_t to,
                       uint8_t *out);

/* The trace up to a crash point, as what is durable and what is pending. It only goes forward. */
typedef struct mc_power mc_power;

mc_power *mc_power_open(const mc_trace *trace, const mc_power_profile *profile); /* or null */
void mc_power_close(mc_power *power);
mc_status mc_power_advance(mc_power *power, size_t point, mc_error *error);

/* Are the states at `point` those at `point` - 1, since a mark lies between that ends no sync? */
bool mc_power_is_same(const mc_trace *trace, size_t point);

/* How many things are pending: writes, lengths, names. 0: the only state is what kill leaves there,
 * without the WAL index. */
size_t mc_power_pending(const mc_power *power);

/* Lays out the disk, a part of the choices being made: how much of the ordered metadata is there;
 * then of one file, which of those it is that had its name, how long, and with what fill. The files
 * must be laid after the metadata is chosen, in any order; one that is laid points into the trace,
 * into `power`, until that goes on, and into `arena`. */
void mc_power_metadata(mc_power *power, mc_power_choose choose, void *context);
mc_status mc_power_lay(mc_power *power, uint16_t number, mc_power_choose choose, void *context,
                       mc_arena *arena, mc_power_file *file, mc_error *error);

/* Asks as mc_power_lay does, and names what it would lay: equal for files that are laid alike. */
mc_hash128 mc_power_peek(mc_power *power, uint16_t number, mc_power_choose choose, void *context);

/* The answers that give the state with these choices of the files' cells: `say` is told each in the
 * order in which mc_power_state asks for them. Those of METADATA to FILL come before. */
void mc_power_answers(const mc_power *power, const mc_power_file *file, uint8_t *const *choice,
                      void (*say)(void *context, uint32_t answer), void *context);

/* Appends one disk state of a crash at `point` (elements [0, point) of the trace have happened) to
 * the empty `disk`; its file numbers are the trace's. Asks `choose` for each thing that is pending
 * and still visible after the choices before it, in a fixed order. `arena` gives working memory.
 * Equal answers, equal state; any answers below `count` give a state that the profile allows. */
mc_status mc_power_state(const mc_trace *trace, size_t point, const mc_power_profile *profile,
                         mc_power_choose choose, void *context, mc_arena *arena, mc_disk *disk,
                         mc_error *error);

#endif
