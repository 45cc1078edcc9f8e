#!/usr/bin/env bash
# mutants.sh BUILD_DIR: plants one defect after the other in the real `recover`, replays the corpus, and
# demands that cases of every journal mode that the defect concerns change their verdict. A corpus that
# lets one pass has a hole; a defect that no longer applies (the code has moved on) is an error, too.
#
# Each defect is one substitution in one file of core/; the file is compiled and linked before the
# library, whose own member is then left out. With CORPUS set, that folder is replayed instead.
set -euo pipefail
build=$(cd "$1" && pwd)
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
corpus=${CORPUS:-$top/corpus}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The command that ninja links the program with.
link_command() {
    ninja -C "$build" -t commands midcommit | tail -n 1
}

# compile_command FILE: the one for core/FILE.
compile_command() {
    ninja -C "$build" -t commands midcommit | grep -- " -c .*core/$1\$"
}

# kill_one NAME FILE SUBSTITUTION MODES
kill_one() {
    local name=$1 file=$2 substitution=$3 modes=$4 mode changed
    mkdir -p "$work/core"
    perl -0pe "$substitution" "$top/core/$file" >"$work/core/$file"
    if cmp -s "$top/core/$file" "$work/core/$file"; then
        echo "$name: the defect does not apply to core/$file any more"
        return 1
    fi
    (
        cd "$build"
        eval "$(compile_command "$file" |
            sed "s# -o [^ ]*# -o $work/mutant.o#; s# -c .*# -c $work/core/$file#; s#-Werror##")"
        eval "$(link_command | sed "s# -o midcommit# -o $work/midcommit $work/mutant.o#")"
    ) 2>"$work/warnings" || { cat "$work/warnings"; return 1; }
    "$work/midcommit" replay "$corpus" >"$work/replayed" 2>&1 || true
    changed=$(grep '^CHANGED' "$work/replayed" || true)
    for mode in $modes; do
        if ! grep -q "/$mode-" <<<"$changed"; then
            echo "$name: no case in mode $mode notices"
            return 1
        fi
    done
    echo "$name: $(wc -l <<<"$changed") cases notice"
}

"$build/midcommit" replay --quiet "$corpus" >"$work/replayed" 2>&1 ||
    { echo "the corpus does not replay without a defect: $(tail -n 1 "$work/replayed")"; exit 1; }
count=0
failed=0
while IFS=$'\x01' read -r name file substitution modes; do
    count=$((count + 1))
    kill_one "$name" "$file" "$substitution" "$modes" || failed=$((failed + 1))
done < <(grep -v '^#' "$top/harness/test/mutants.list" | sed $'s/ :: /\x01/g')
echo "$count defects planted, $((count - failed)) noticed"
[ "$failed" = 0 ] && [ "$count" -ge 10 ]
