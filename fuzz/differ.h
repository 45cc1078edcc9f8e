/* differ.h: the property at the heart of the file fuzzers: recover and stock SQLite agree on what
 * is recovered from a main file and its sidecars, byte for byte, malformed as they may be. */
#ifndef MIDCOMMIT_FUZZ_DIFFER_H
#define MIDCOMMIT_FUZZ_DIFFER_H

#include "core/result.h"
#include "crashsim/disk.h"
#include "fuzz/pieces.h"

/* Puts the files of the pieces whose tags are in `tags` ("MJU") on the empty `disk`. False without
 * memory. */
bool mc_differ_disk(const uint8_t *data, size_t size, const char *tags, mc_disk *disk);

/* Judges that state: returns when both agree, else ends in mc_finding. */
void mc_differ(mc_disk *disk);

/* Both at once: what a file target's LLVMFuzzerTestOneInput does. */
int mc_differ_input(const uint8_t *data, size_t size, const char *tags);

/* Writes those files into the folder `dir` (mc_target.files). */
mc_status mc_differ_unpack(const uint8_t *data, size_t size, const char *tags, const char *dir,
                           char *state, size_t state_size, mc_error *error);

/* The same for a disk. */
mc_status mc_differ_files(const mc_disk *disk, const char *dir, char *state, size_t state_size,
                          mc_error *error);

#endif
