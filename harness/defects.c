#include "harness/defects.h"

#include <limits.h>
#include <string.h>

static const mc_defect defects[] = {
    {.name = NULL},
};

static bool listed(const char *list, const char *name)
{
    size_t size = strlen(name);
    for (const char *at = strstr(list, name); at != NULL; at = strstr(at + 1, name)) {
        bool starts = at == list || at[-1] == ',';
        if (starts && (at[size] == ',' || at[size] == '\0')) {
            return true;
        }
    }
    return false;
}

const char *mc_defect_find(int version, const char *workload, mc_mode mode, const mc_verdict *verdict)
{
    for (const mc_defect *defect = defects; defect->name != NULL; defect++) {
        if (version >= defect->first_version && version < defect->fixed_version &&
            listed(defect->workloads, workload) && (defect->modes & 1u << mode) != 0 &&
            (defect->verdicts & 1u << verdict->kind) != 0) {
            return defect->name;
        }
    }
    return NULL;
}

const char *mc_defect_name(const char *name)
{
    for (const mc_defect *defect = defects; defect->name != NULL; defect++) {
        if (strcmp(defect->name, name) == 0) {
            return defect->name;
        }
    }
    return NULL;
}
