/* compare.h: what changed from one run to another, both as midcommit/run/1. */
#ifndef MIDCOMMIT_REPORTS_COMPARE_H
#define MIDCOMMIT_REPORTS_COMPARE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "core/result.h"

/* {"old":{"sqlite","seed"}, "new":{...},
 *  "findings":{"appeared":[finding...],"disappeared":[finding...],
 *              "changed":[{"signature","verdict","old","new","case"}]},
 *  "cells":{"appeared":[name...],"disappeared":[name...],"changed":[{"cell","what","old","new"}]},
 *  "others":[text...]: what else is another: promises, second crashes, the power of a cell}
 * A cell's name is "inplace/delete/full/kill/abandon", with its mistake behind the crash model; a
 * change names each number that is another. Lists are in the order of the runs. Null without
 * memory. */
json_t *mc_compare(const json_t *old, const json_t *now);

/* The same for a terminal. */
void mc_compare_table(const json_t *compared, FILE *out);

/* Did a finding appear that fails a run? */
bool mc_compare_failed(const json_t *compared);

#endif
