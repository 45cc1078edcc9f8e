#!/bin/sh
# shard.sh FOLDER I/N [OPTION...]: one shard of `midcommit run OPTION...`, as schedulers want a job to be:
# it may be killed and started again anywhere FOLDER is, and succeeds when its results are complete.
#
# The results are FOLDER/I-of-N.jsonl. One process runs at a time, unless an OPTION is --jobs: it is the
# scheduler who knows how many there should be. The program is $MIDCOMMIT, or midcommit in PATH.
#
# Exit status: 0 when the shard is complete, also with findings: they are in its results, a retry would
# find them again, and `midcommit run --merge` tells them. 2 wrong usage, which no retry helps; 3 it could
# not run.
set -u
folder=${1:-} shard=${2:-}
case $folder,$shard in
?*,?*/?*) shift 2 ;;
*)
    echo "shard.sh: usage: shard.sh FOLDER I/N [OPTION...]" >&2
    exit 2
    ;;
esac
mkdir -p "$folder" || exit 3

"${MIDCOMMIT:-midcommit}" run --jobs 1 "$@" --quiet --shard "$shard" \
    --results "$folder/${shard%%/*}-of-${shard#*/}.jsonl" --resume &
child=$!
# Who ends this script means the run, which keeps what it has.
trap 'kill "$child" 2>/dev/null; wait "$child"; exit 143' TERM INT HUP
wait "$child"
status=$?
case $status in
1) exit 0 ;;
126 | 127) exit 3 ;; # there is no such program
*) exit "$status" ;;
esac
