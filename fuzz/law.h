/* law.h: a law is what must hold of a result, whatever the input was. Each module of laws
 * (fieldlaw.h, imagelaw.h, ltxlaw.h, caselaw.h) judges a result that it is handed, so that a test
 * can hand it a wrong one. */
#ifndef MIDCOMMIT_FUZZ_LAW_H
#define MIDCOMMIT_FUZZ_LAW_H

#include <stdbool.h>

#include "core/result.h"

/* Zero-initialise. */
typedef struct mc_law {
    const char *broken; /* a signature as mc_finding takes it; null: nothing is */
    char text[256];
} mc_law;

/* Says which law is broken, keeps the first, and returns false, so that a law is one statement. */
bool mc_law_broken(mc_law *law, const char *signature, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* An error is one line for people: a slug, and text that is not empty, ends, and has no control
 * character in it. */
bool mc_law_error(mc_law *law, mc_status status, const mc_error *error);

/* Ends in mc_finding when one is broken. */
void mc_law_demand(const mc_law *law);

#endif
