#!/usr/bin/env bash
# seeds.sh BUILD_DIR: midcommit-seeds writes the same tree in two processes, and each fuzz target that is
# built runs over all of its seeds, of which there are some, and its property holds for each.
set -euo pipefail
build=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$build/midcommit-seeds" "$work/one" >/dev/null
"$build/midcommit-seeds" "$work/two" >/dev/null
diff -r "$work/one" "$work/two"

ran=0
for target in "$build"/*_fuzzer; do
    name=${target##*/}
    [ "$name" != canary_fuzzer ] || continue # what it finds is planted
    files=$(find "$work/one/$name" -type f | wc -l)
    said=$("$target" "$work/one/$name" 2>"$work/stderr") || {
        tail -n 3 "$work/stderr"
        exit 1
    }
    echo "$said"
    [ "$files" -gt 0 ] && [ "$said" = "$name: $files inputs, the property holds for each" ] || {
        echo "$name: $files seeds, and: $said"
        exit 1
    }
    ran=$((ran + 1))
done
[ "$ran" -ge 6 ] || { echo "only $ran targets"; exit 1; }
