/* fieldlaw.h: the field's importer, written down a second time from FORMATS 2's rules and from
 * nothing of core/: it walks the pairs one by one, where core/ searches them. */
#ifndef MIDCOMMIT_FUZZ_FIELDLAW_H
#define MIDCOMMIT_FUZZ_FIELDLAW_H

#include "crashsim/kvstore.h"
#include "fuzz/law.h"

/* The slug for which the field refuses the store (`reject`: any sidecar, too), or null and the
 * number of pages that it migrates. */
const char *mc_fieldlaw_refusal(const mc_kvstore *store, bool reject, uint32_t *pages);

/* Does that importer (field.h: reject, abandon) answer so, page for page? */
bool mc_fieldlaw_holds(const mc_kvstore *store, const mc_importer *importer, bool reject,
                       mc_arena *arena, mc_law *law);

/* Are the orphans (v1.h) those pairs that the rule there names? */
bool mc_fieldlaw_sweeps(const mc_kvstore *store, mc_arena *arena, mc_law *law);

#endif
