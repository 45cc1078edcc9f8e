/* memfile.h: one open file of a memvfs (inside memvfs.c and memfile.c). */
#ifndef MIDCOMMIT_CRASHSIM_MEMFILE_H
#define MIDCOMMIT_CRASHSIM_MEMFILE_H

#include <sqlite3.h>

#include "crashsim/memvfs.h"
#include "crashsim/seeded.h"

/* What belongs to a file rather than to a handle, as an inode does. */
typedef struct mc_memnode {
    int level;  /* the strongest lock any handle holds: SQLITE_LOCK_NONE..EXCLUSIVE */
    int shared; /* handles that hold SHARED or more */
    int shm_users;
    int shm_page_bytes;
    int shm_page_count;
    uint8_t **shm_page;
    int shm_shared[SQLITE_SHM_NLOCK];     /* holders of each lock in shared mode */
    bool shm_exclusive[SQLITE_SHM_NLOCK]; /* or one holder of it alone */
} mc_memnode;

struct mc_memvfs {
    sqlite3_vfs vfs; /* first: SQLite hands out pointers to it */
    char name[32];
    mc_memvfs_options options;
    mc_reads *reads;   /* null: do not note */
    mc_disk temporary; /* files without a name; their slots are used again */
    mc_memnode **node; /* by file number of options.disk */
    uint32_t node_count;
    mc_seeded seeded;
};

typedef struct mc_memfile {
    sqlite3_file base; /* first */
    mc_memvfs *vfs;
    mc_disk *disk;    /* the VFS's disk, or its temporary one */
    mc_memnode *node; /* null for temporary files */
    uint16_t number;
    bool read_only;
    bool dir_sync; /* the next sync syncs the directory, too */
    bool shm_open;
    int level;
    unsigned shm_shared; /* bit per lock held */
    unsigned shm_exclusive;
} mc_memfile;

extern const sqlite3_io_methods mc_memfile_methods;

/* Appends one element about a file of the disk; SQLITE_OK also when nothing is recorded. */
int mc_memfile_record(const mc_memvfs *vfs, mc_op op);

/* The number of a named file; MC_DISK_NONE when the name is too long or there is no memory. */
uint16_t mc_memfile_number(const mc_memvfs *vfs, const char *name);

/* Frees the WAL index of a node that nobody uses. */
void mc_memfile_free_shm(mc_memnode *node);

#endif
