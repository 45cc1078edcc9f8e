/* claims.h: `run --claims` (inside cli/). */
#ifndef MIDCOMMIT_CLI_CLAIMS_H
#define MIDCOMMIT_CLI_CLAIMS_H

#include "cli/options.h"

/* The operands are numbers of claims; none: all. Returns the exit status. */
int mc_claims_command(const mc_arguments *arguments);

#endif
