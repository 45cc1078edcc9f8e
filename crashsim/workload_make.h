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

/* Setup of SCHEMA.t(id, version, data): about 60 pages at any page size. */
mc_status mc_setup_rows(mc_program *program, const mc_record_options *options, const char *schema,
                        mc_error *error);

/* One UPDATE of rows of `table`, which is like t, to contents of the same size. */
mc_status mc_do_update(mc_program *program, const mc_record_options *options, const char *table,
                       uint32_t version, const char *where, mc_error *error);

/* One INSERT of `rows` rows into `table`, which is like t. */
mc_status mc_do_insert(mc_program *program, const mc_record_options *options, const char *table,
                       uint32_t version, uint32_t rows, mc_error *error);

typedef mc_status mc_maker(mc_program *program, const mc_record_options *options, mc_error *error);

mc_maker mc_make_grow, mc_make_inplace;

/* A user's FILE.sql. */
mc_status mc_make_from_file(mc_program *program, const char *path, mc_error *error);

#endif
