/* seedstate.h: one disk state or store as seeds: as it is, and forged into what no crash leaves. */
#ifndef MIDCOMMIT_FUZZ_SEEDS_SEEDSTATE_H
#define MIDCOMMIT_FUZZ_SEEDS_SEEDSTATE_H

#include "crashsim/disk.h"
#include "crashsim/kvstore.h"
#include "fuzz/seeds/seedfile.h"

/* What a state holds, as an input's pieces would. `super` is the file that the journal names. */
typedef struct mc_seed_state {
    mc_file main;
    mc_file journal;
    mc_file wal;
    mc_file super;
} mc_seed_state;

/* The state of database main.db on a disk. A super-journal is renamed, in the journal too, to the
 * one name that a piece can have; then the journal's bytes lie in `arena`. False without memory. */
bool mc_seed_state_of(const mc_disk *disk, mc_arena *arena, mc_seed_state *out);

/* journal_fuzzer's seed, or wal_fuzzer's when there is a WAL or main says so. */
mc_status mc_seed_state_put(mc_seeds *seeds, const char *name, const mc_seed_state *state,
                            mc_error *error);

/* FORMATS 4's table of crafted input, made of a state with a hot journal, or with frames in its
 * WAL: counts, sizes and page numbers that lie, cuts, the other byte order, a super-journal that is
 * there and one that is not. Checksums are right where the row does not say otherwise. */
mc_status mc_seed_state_forge(mc_seeds *seeds, const char *name, const mc_seed_state *state,
                              mc_error *error);

/* image_fuzzer's: main alone; and what recovery makes of the state as a main file and as LTX. */
mc_status mc_seed_state_images(mc_seeds *seeds, const char *name, const mc_seed_state *state,
                               mc_error *error);

/* kv_fuzzer's seed; and with lies in its metadata and chunks. */
mc_status mc_seed_store_put(mc_seeds *seeds, const char *name, const mc_kvstore *store,
                            mc_error *error);
mc_status mc_seed_store_forge(mc_seeds *seeds, const char *name, const mc_kvstore *store,
                              mc_error *error);

#endif
