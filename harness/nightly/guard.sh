#!/usr/bin/env bash
# guard.sh PID MARK: waits until the night with that process id has ended, however it ended, and then ends
# every process that carries its mark (MIDCOMMIT_NIGHT=MARK in the environment it was started with). Fuzzers
# make sessions and groups of their own; this mark is the one thing that all of them inherit.
#
# guard.sh now MARK [PID]: the same at once, sparing PID.
set -euo pipefail
mark=$2
spared=${3:-none}
exec {idle}<> <(:) # nobody writes there: reading it is a sleep without a process

marked() {
    { grep -lszxF "MIDCOMMIT_NIGHT=$mark" /proc/[0-9]*/environ || true; } |
        sed -E 's#/proc/([0-9]+)/environ#\1#' | { grep -vxF "$spared" || true; }
}

if [ "$1" != now ]; then
    while grep -qszxF "MIDCOMMIT_NIGHT=$mark" "/proc/$1/environ"; do
        read -rt 1 -u "$idle" || true
    done
fi
for signal in TERM TERM TERM KILL KILL KILL; do
    pids=$(marked)
    [ -n "$pids" ] || exit 0
    # shellcheck disable=SC2086 # a list of numbers
    kill -s "$signal" $pids 2>/dev/null || true
    read -rt 1 -u "$idle" || true
done
[ -z "$(marked)" ]
