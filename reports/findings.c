#include "reports/findings.h"

#include <jansson.h>
#include <stdlib.h>

mc_found *mc_findings(const mc_run_result *result, uint32_t *count)
{
    uint32_t most = 0;
    for (uint32_t c = 0; c < result->cell_count; c++) {
        most += result->cell[c].cell.finding_count;
    }
    *count = 0;
    mc_found *found = most > 0 ? calloc(most, sizeof *found) : NULL;
    json_t *known = json_object(); /* signature: its number */
    for (uint32_t c = 0; found != NULL && c < result->cell_count; c++) {
        const mc_cell *cell = &result->cell[c].cell;
        for (uint32_t k = 0; k < cell->finding_count; k++) {
            const mc_finding *f = &cell->finding[k];
            const json_t *number = json_object_get(known, f->signature);
            if (number != NULL) {
                found[json_integer_value(number)].count += f->count;
                continue;
            }
            json_object_set_new(known, f->signature, json_integer(*count));
            found[(*count)++] = (mc_found){f, &result->cell[c], f->count};
        }
    }
    json_decref(known);
    return found;
}

const char *mc_finding_importer(const mc_run_result *result, const mc_finding *finding)
{
    return finding->importer == UINT32_MAX ? "sqlite"
                                           : result->importers.chosen[finding->importer].name;
}
