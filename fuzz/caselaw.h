/* caselaw.h: what holds of a file that is said to be a case, and of a line that is said to be of a
 * results file, when both come from anywhere. Nothing here runs a program, loads a library or opens
 * a file: a case that names importers which do is judged by the four built-in ones. */
#ifndef MIDCOMMIT_FUZZ_CASELAW_H
#define MIDCOMMIT_FUZZ_CASELAW_H

#include <stddef.h>
#include <stdint.h>

#include "fuzz/law.h"
#include "harness/case/case.h"

/* A case reads or is refused in one line; one that reads is written, which reads as the same case;
 * and it is judged, or that is refused in one line. `*reads` says whether it read. */
bool mc_caselaw_case(const uint8_t *data, size_t size, bool *reads, mc_law *law);

/* The second law alone, for a case that was read and the bytes that it was written as. */
bool mc_caselaw_written(const mc_case *c, const uint8_t *data, size_t size, mc_law *law);

/* A line of a results file, made under the identity MC_CASELAW_IDENTITY, reads or is refused in one
 * line; what was read is written, and that reads and is written as the same line. */
#define MC_CASELAW_IDENTITY "fuzz"
bool mc_caselaw_results(const uint8_t *line, size_t size, bool *reads, mc_law *law);

/* Any bytes as a file of zstd (RFC 8878: raw blocks, nothing is compressed), so that a tar archive
 * can be changed where it lies. To be freed with free; null without memory. */
uint8_t *mc_caselaw_zstd(const uint8_t *data, size_t size, size_t *out_size);

#endif
