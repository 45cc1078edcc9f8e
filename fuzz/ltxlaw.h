/* ltxlaw.h: what holds of LTX in both directions. */
#ifndef MIDCOMMIT_FUZZ_LTXLAW_H
#define MIDCOMMIT_FUZZ_LTXLAW_H

#include "core/ltx.h"
#include "fuzz/law.h"

/* Equal meaning: all fields and the bytes of every page. */
bool mc_ltxlaw_equal(const mc_ltx *a, const mc_ltx *b);

/* Does the decoder take `bytes` for exactly `ltx`, whose encoding they are said to be? And is every
 * strict prefix, and the whole with a byte behind it, refused as malformed (`salt` chooses which)?
 */
bool mc_ltxlaw_encoded(const mc_ltx *ltx, mc_bytes bytes, uint64_t salt, mc_arena *arena,
                       mc_law *law);

/* Any bytes: the decoder refuses them as malformed, in one line, or gives a value that encodes, and
 * that encoding decodes to the same value. */
bool mc_ltxlaw_bytes(mc_bytes bytes, mc_arena *arena, mc_law *law);

/* The image as one commit: it encodes, twice to the same bytes, and both laws hold of these and of
 * a copy in which `salt` chose a byte to change. */
bool mc_ltxlaw_image(const mc_image *image, uint64_t salt, mc_arena *arena, mc_law *law);

#endif
