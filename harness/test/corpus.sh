#!/usr/bin/env bash
# corpus.sh BUILD_DIR: the corpus replays; it has at least 150 cases, no two with one signature, each in
# the folder of its verdict and under the name of its signature; and the table in its README is the one
# that the program makes.
set -euo pipefail
build=$(cd "$1" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$build/midcommit" replay --quiet corpus --table "$work/table" | tee "$work/said"
awk '/^<!-- end of table -->/ { exit } inside && NF { print } /^<!-- table/ { inside = 1 }' \
    corpus/README.md >"$work/kept"
cmp "$work/table" "$work/kept" || { echo "corpus/README.md: run harness/corpus-add --table"; exit 1; }

sed 1,2d "$work/table" | sed 's/\\|/!/g' | awk -F ' \\| ' '
    { sub(/.*\(/, "", $1); sub(/\).*/, "", $1); split($1, path, "/"); folder = path[1] }
    seen[$2]++ { print $1 ": its signature is there twice"; bad = 1 }
    folder != "malformed" && index($2, "/" folder) == 0 { print $1 ": in the wrong folder"; bad = 1 }
    { count[folder]++; all++ }
    END {
        for (f in count) { print f ": " count[f] }
        if (all < 150) { print "only " all + 0 " cases"; bad = 1 }
        exit bad
    }'
