/* broken.h: the mistakes that recovery code makes, each as an importer.
 *
 * `broken:NAME` recovers as SQLite does but for one rule. They show what each rule is for, give
 * the corpus states that whoever gets that rule wrong will trip over, and are what the harness must
 * catch in its own tests. They read files, not v1 stores. */
#ifndef MIDCOMMIT_HARNESS_IMPORTER_BROKEN_H
#define MIDCOMMIT_HARNESS_IMPORTER_BROKEN_H

#include "core/importer.h"

extern const mc_importer
    mc_broken_importers[]; /* ended by a row without name; the first has no mistake */

/* "broken:past-commit", or null. */
const mc_importer *mc_broken_find(const char *name);

#endif
