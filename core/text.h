/* text.h: text from a database made safe to print.
 *
 * Names come out of images that may be torn, in any of SQLite's three encodings, and end in
 * terminals, JSON and HTML. What comes out of here is always valid UTF-8 without control
 * characters. */
#ifndef MIDCOMMIT_CORE_TEXT_H
#define MIDCOMMIT_CORE_TEXT_H

#include "core/arena.h"
#include "core/bytes.h"

/* The values of the header's text encoding field, offset 56 (fileformat2 1.3.13). */
enum { MC_TEXT_UTF8 = 1, MC_TEXT_UTF16LE = 2, MC_TEXT_UTF16BE = 3 };

/* `bytes` as terminated UTF-8 in the arena, or null without memory. Control characters and what is
 * not valid in the encoding become '?', one per bad byte (UTF-8) or bad unit (UTF-16); an unknown
 * encoding is read as UTF-8. */
const char *mc_text_utf8(mc_arena *arena, mc_bytes bytes, uint32_t encoding);

#endif
