/* pack.h: files as one compressed tar archive, through libarchive: equal files give equal bytes,
 * for there are no times, owners or other accidents in it. */
#ifndef MIDCOMMIT_HARNESS_CASE_PACK_H
#define MIDCOMMIT_HARNESS_CASE_PACK_H

#include "core/importer.h"

typedef struct mc_packed {
    const char *name;
    mc_file file;
} mc_packed;

typedef enum mc_pack_kind { MC_PACK_ZSTD, MC_PACK_GZIP } mc_pack_kind;

/* `*out` is freed with free. */
mc_status mc_pack(const mc_packed *entry, uint32_t count, mc_pack_kind kind, uint8_t **out,
                  size_t *size, mc_error *error);

#endif
