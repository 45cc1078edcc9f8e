/* seeds.c: midcommit-seeds OUT_DIR [CORPUS]: makes OUT_DIR and writes OUT_DIR/TARGET/NAME, inputs
 * from which the fuzz targets start: crash states of small programs, those programs themselves, the
 * stored cases, and what was forged of them. Equal builds write equal files. Exit status: 0; 2
 * wrong usage; 3 a failure. */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz/seeds/seedcase.h"
#include "fuzz/seeds/seedcrash.h"
#include "fuzz/seeds/seedtrace.h"

static mc_status make(mc_seeds *seeds, const char *corpus, mc_error *error)
{
    mc_status status = mc_seeds_start(seeds, error);
    status = status == MC_OK ? mc_seed_traces(seeds, error) : status;
    status = status == MC_OK ? mc_seed_crashes(seeds, error) : status;
    return status == MC_OK ? mc_seed_cases(seeds, corpus, error) : status;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3 || argv[1][0] == '-') {
        (void)fprintf(stderr, "usage: %s OUT_DIR [CORPUS]\n", argv[0]);
        return 2;
    }
    mc_error error = {0};
    mc_seeds *seeds = calloc(1, sizeof *seeds);
    mc_status status = MC_NO_MEMORY;
    if (seeds != NULL) {
        seeds->folder = argv[1];
        status = make(seeds, argc == 3 ? argv[2] : MIDCOMMIT_CORPUS, &error);
    }
    if (status != MC_OK) {
        (void)fprintf(stderr, "midcommit: seeds: %s\n", error.text);
    }
    for (int i = 0; status == MC_OK && i < MC_SEED_TARGETS; i++) {
        (void)printf("%s: %u seeds, %llu bytes\n", mc_seed_target_names[i], seeds->count[i],
                     (unsigned long long)seeds->bytes[i]);
    }
    free(seeds);
    return status == MC_OK ? 0 : 3;
}
