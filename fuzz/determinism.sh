#!/usr/bin/env bash
# determinism.sh TARGET CORPUS_DIR [N]: a target concludes the same of the same input, whatever ran before
# it and in whatever process.
#
#   TARGET       a target's name, whose sanitized driver is built (build.sh driver); or the path of one
#   CORPUS_DIR   a folder of inputs; of more than N (200) a sample at equal distances is taken
#
# Each input runs alone in a fresh process. Those that hold the property then run in one process, in the
# order of their names and in the opposite order. The driver's --hash gives one hash for what the target
# concluded of an input (finding.h); any difference between the three is printed and fails. An input that
# breaks the property ends its process, so it cannot share one: it runs in two fresh ones, which must end
# in the same finding.
#
# Exit status: 0 all equal; 1 a difference; 2 wrong usage; 3 when it cannot run, or nothing ran.
set -euo pipefail
. "$(dirname "$0")/../harness/setup.sh"

[ $# = 2 ] || [ $# = 3 ] || die 2 "fuzz/determinism: usage: determinism.sh TARGET CORPUS_DIR [N]"
target=$1
corpus=$2
wanted=${3:-200}
case $wanted in '' | 0* | *[!0-9]*) die 2 "fuzz/determinism: $wanted: not a number of inputs" ;; esac
[ -d "$corpus" ] || die 3 "fuzz/determinism: $corpus: no such folder"
case $target in
*/*) driver=$target ;;
*) driver=$("$top/fuzz/build.sh" driver)/$target ;;
esac
[ -x "$driver" ] || die 3 "fuzz/determinism: $driver: no such program"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One input a line, in the order of names.
find "$corpus" -maxdepth 1 -type f -not -name '.*' | LC_ALL=C sort >"$work/all"
total=$(wc -l <"$work/all")
[ "$total" != 0 ] || die 3 "fuzz/determinism: $corpus: holds no input"
awk -v total="$total" -v wanted="$wanted" \
    'total <= wanted || int(NR * wanted / total) > int((NR - 1) * wanted / total)' "$work/all" >"$work/sample"

# The hashes of the inputs that are named on stdin, run in one process: the lines "HASH ...: PATH". False
# when that process broke; the last lines it wrote to stderr are in $work/stderr.
hashes() {
    local -a inputs
    mapfile -t inputs
    { "$driver" --hash "${inputs[@]}" 2>"$work/stderr" >"$work/stdout"; } 2>/dev/null || return 1
    grep -E '^[0-9a-f]{16} ' "$work/stdout"
}

# What ended the last process, without what differs from one process to the next.
finding() {
    grep -m 1 -E '^midcommit: finding: |ERROR: |runtime error: ' "$work/stderr" |
        sed -E 's/==[0-9]+==//; s/0x[0-9a-f]+/ADDRESS/g' | grep . ||
        echo "ended without a finding: $(tail -n 1 "$work/stderr")"
}

: >"$work/fresh"
: >"$work/good"
broken=0
different=0
while read -r input; do
    if hashes <<<"$input" >>"$work/fresh"; then
        echo "$input" >>"$work/good"
        continue
    fi
    broken=$((broken + 1))
    first=$(finding)
    second="none: the property holds"
    hashes <<<"$input" >/dev/null || second=$(finding)
    if [ "$first" != "$second" ]; then
        different=$((different + 1))
        printf '%s\n  one fresh process: %s\n  another:           %s\n' "$input" "$first" "$second"
    fi
done <"$work/sample"

# same ORDER FILE: whether one process that runs FILE's inputs concludes what fresh ones did.
same() {
    hashes <"$2" >"$work/together" || {
        echo "$1: one process for all ends with: $(finding)"
        echo "  while running $(sed -n 's/^running //p' "$work/stderr" | tail -n 1), which is good alone"
        return 1
    }
    LC_ALL=C sort -k 4 "$work/fresh" >"$work/expected"
    LC_ALL=C sort -k 4 "$work/together" | diff "$work/expected" - >"$work/diff" && return
    echo "$1: one process for all (>) concludes otherwise than a fresh one for each (<):"
    head -n 20 "$work/diff"
    return 1
}

[ -s "$work/good" ] || die 3 "fuzz/determinism: $target: each input breaks the property, or the program"
grep -qv ' 0 notes' "$work/fresh" || die 3 "fuzz/determinism: $target: notes no conclusions (finding.h)"
tac "$work/good" >"$work/backwards"
same "in the order of names" "$work/good" || different=$((different + 1))
same "backwards" "$work/backwards" || different=$((different + 1))
echo "$(basename "$driver"): $(wc -l <"$work/sample") of $total inputs, $broken of them break the property;" \
    "$different differences"
[ "$different" = 0 ]
