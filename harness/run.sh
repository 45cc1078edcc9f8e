#!/usr/bin/env bash
# run.sh [OPTION...]: `midcommit run OPTION...` on any machine. Installs what is missing, builds what
# has changed, and runs; asks nothing. Exit status: the program's own, or 3 when it could not be built.
set -euo pipefail
. "$(dirname "$0")/setup.sh"

need run
build "$top/build" --preset release
program=$top/build/midcommit
[ "$PWD" != "$top" ] || program=build/midcommit # the commands that it prints are then short ones
exec "$program" run "$@"
