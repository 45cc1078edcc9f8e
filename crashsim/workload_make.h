/* workload_make.h: the makers behind the table of workloads (inside crashsim). */
#ifndef MIDCOMMIT_CRASHSIM_WORKLOAD_MAKE_H
#define MIDCOMMIT_CRASHSIM_WORKLOAD_MAKE_H

#include "crashsim/workload.h"

/* One statement of the setup or the program, formatted; returns from the caller on failure. */
#define MC_SETUP(...)                                                                              \
    do {                                                                                           \
        if (mc_program_add(program, &program->setup, error, __VA_ARGS__) != MC_OK) {               \
            return error->status;                                                                  \
        }                                                                                          \
    } while (0)
#define MC_DO(...)                                                                                 \
    do {                                                                                           \
        if (mc_program_add(program, &program->program, error, __VA_ARGS__) != MC_OK) {             \
            return error->status;                                                                  \
        }                                                                                          \
    } while (0)

/* Returns from the caller on failure. */
#define MC_TRY(call)                                                                               \
    do {                                                                                           \
        if ((call) != MC_OK) {                                                                     \
            return error->status;                                                                  \
        }                                                                                          \
    } while (0)

/* Setup of SCHEMA.t(id, version, data) with `rows` rows, MC_ROWS_A_PAGE of them on each page at any
 * page size, and MC_ROWS of them on about 60 pages. */
enum { MC_ROWS_A_PAGE = 6, MC_ROWS = 342 };
mc_status mc_setup_rows(mc_program *program, const mc_record_options *options, const char *schema,
                        uint32_t rows, mc_error *error);

/* One UPDATE of rows of `table`, which is like t, to contents of the same size. */
mc_status mc_do_update(mc_program *program, const mc_record_options *options, const char *table,
                       uint32_t version, const char *where, mc_error *error);

/* One INSERT of `rows` rows into `table`, which is like t. */
mc_status mc_do_insert(mc_program *program, const mc_record_options *options, const char *table,
                       uint32_t version, uint32_t rows, mc_error *error);

typedef mc_status mc_maker(mc_program *program, const mc_record_options *options, mc_error *error);

/* workload_rows.c */
mc_maker mc_make_grow, mc_make_inplace, mc_make_indexed, mc_make_spill, mc_make_overflow,
    mc_make_blob, mc_make_freed, mc_make_equal, mc_make_sampled;
/* workload_shape.c */
mc_maker mc_make_ddl, mc_make_vacuum, mc_make_shrink, mc_make_attach;
/* workload_undo.c */
mc_maker mc_make_rollback, mc_make_savepoint;
/* workload_wal.c */
mc_maker mc_make_checkpoint, mc_make_walreset, mc_make_modes;
/* workload_mixed.c */
mc_maker mc_make_mixed;

/* A user's FILE.sql. */
mc_status mc_make_from_file(mc_program *program, const char *path, mc_error *error);

#endif
