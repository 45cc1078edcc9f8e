#include "core/importer.h"

#include <string.h>

#include "core/field.h"

extern const mc_importer mc_importer_recover;

const mc_importer *const mc_builtin_importers[] = {&mc_importer_reject, &mc_importer_abandon,
                                                   &mc_importer_recover, NULL};

const mc_importer *mc_importer_find(const char *name)
{
    for (const mc_importer *const *importer = mc_builtin_importers; *importer != NULL; importer++) {
        if (strcmp((*importer)->name, name) == 0) {
            return *importer;
        }
    }
    return NULL;
}
