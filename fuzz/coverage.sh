#!/usr/bin/env bash
# coverage.sh OUT_DIR CORPORA_DIR [SQLITE [TARGET...]]: what the fuzz targets reach with their corpora.
#
#   CORPORA_DIR   has a folder of inputs for each target, named as it
#   TARGET        each fuzz/*_fuzzer.c, if none is named
#   SQLITE        current (the default) or debian
#   OUT_DIR       gets coverage.md, coverage.json, and html/: core/ by file, SQLite's recovery by function
#
# Two numbers count, both of regions (llvm-cov's: a stretch of code that runs as a whole): core/, file by
# file, a file that no target links included; and SQLite's pager playback and WAL recovery, the functions
# that coverage-functions.txt lists and says why. Nothing is left out of either: what only a failure of
# memory or of the file system reaches counts as not reached.
#
# An input that breaks its target's property ends the process. What ran before it is kept, what it ran
# itself too if it ended in a finding (finding.c); the run goes on behind it, and it is named in the output.
#
# Exit status: 0 both goals are reached (97 % and 90 %); 1 one is not; 2 wrong usage; 3 when something did
# not run: a target without a corpus, a listed function that is not in the build.
set -euo pipefail
. "$(dirname "$0")/../harness/setup.sh"

[ $# -ge 2 ] ||
    die 2 "fuzz/coverage: usage: coverage.sh OUT_DIR CORPORA_DIR [current|debian [TARGET...]]"
out=$1
corpora=$2
sqlite=${3:-current}
core_goal=97
recovery_goal=90
batch=1000 # inputs for one process

built=$("$top/fuzz/build.sh" coverage "$sqlite")
source=$("$top/harness/get-sqlite.sh" "$sqlite")/sqlite3.c
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

targets=("${@:4}")
[ "${#targets[@]}" != 0 ] || for file in "$top"/fuzz/*_fuzzer.c; do
    [ "${file##*/}" = canary_fuzzer.c ] || targets+=("$(basename "$file" .c)") # it is no target
done

# run TARGET: runs its corpus, in batches; "TARGET INPUTS BROKEN" to $work/ran, the broken ones to
# $work/broken.
run() {
    local target=$1 inputs=0 broken=0 size bad profile=$work/$1.%p.profraw
    [ -d "$corpora/$target" ] || die 3 "fuzz/coverage: $corpora/$target: no such folder"
    find "$corpora/$target" -maxdepth 1 -type f -not -name '.*' | LC_ALL=C sort >"$work/left"
    while [ -s "$work/left" ]; do
        head -n "$batch" "$work/left" >"$work/batch"
        if LLVM_PROFILE_FILE=$profile xargs -d '\n' -a "$work/batch" "$built/$target" \
            >/dev/null 2>"$work/stderr"; then
            size=$(wc -l <"$work/batch")
            inputs=$((inputs + size))
            sed -i "1,${size}d" "$work/left"
            continue
        fi
        bad=$(sed -n 's/^running //p' "$work/stderr" | tail -n 1)
        [ -n "$bad" ] || die 3 "fuzz/coverage: $target: $(tail -n 1 "$work/stderr")"
        size=$(grep -nxF -- "$bad" "$work/left" | cut -d: -f1)
        broken=$((broken + 1))
        echo "${bad#"$corpora/"}: $(grep -m 1 '^midcommit: finding: ' "$work/stderr" ||
            echo 'died without a finding')" >>"$work/broken"
        if grep -q '^midcommit: finding: ' "$work/stderr"; then
            inputs=$((inputs + size)) # its profile was written
            sed -i "1,${size}d" "$work/left"
        else
            sed -i "${size}d" "$work/left" # the batch runs again without it
        fi
    done
    [ "$inputs" != 0 ] || die 3 "fuzz/coverage: $target: no input of $corpora/$target ran"
    echo "$target $inputs $broken" >>"$work/ran"
}

: >"$work/broken"
objects=()
for target in "${targets[@]}"; do
    say "running $target"
    run "$target"
    objects+=(-object "$built/$target")
done
objects=("${objects[@]:1}")
for file in "$built"/CMakeFiles/midcommit_core.dir/core/*.o; do
    objects+=(-object "$file") # also what no target links
done
llvm-profdata-14 merge -sparse "$work"/*.profraw -o "$work/profile" ||
    die 3 "fuzz/coverage: the profiles cannot be merged"

# Listed functions, as {name: [part, why]}.
grep -vE '^(#|$)' "$top/fuzz/coverage-functions.txt" | awk -v sqlite="$sqlite" '
    $3 == "all" || $3 == sqlite { print $1 "\t" $2 }' >"$work/functions"
llvm-cov-14 export -instr-profile "$work/profile" "${objects[@]}" "$source" >"$work/sqlite.json"
llvm-cov-14 export -summary-only -instr-profile "$work/profile" "${objects[@]}" \
    -ignore-filename-regex='/(fuzz|crashsim|harness|build)/|sqlite3\.[ch]$' >"$work/core.json"
commit=$(git -C "$top" rev-parse --short HEAD 2>/dev/null || echo unknown)
version=$(sed -n 's/^#define SQLITE_VERSION  *"\(.*\)"/\1/p' "$source")

# Regions are those of kind 0, "code", as in llvm-cov's own count.
jq -n --rawfile functions "$work/functions" --slurpfile sqlite "$work/sqlite.json" \
    --slurpfile core "$work/core.json" --rawfile ran "$work/ran" --rawfile broken "$work/broken" \
    --arg top "$top/" --arg commit "$commit" --arg version "$version" \
    --argjson core_goal $core_goal --argjson recovery_goal $recovery_goal '
    def lines: split("\n") | map(select(. != ""));
    def percent: if .regions == 0 then 0 else .covered * 10000 / .regions | floor / 100 end;
    def summed: {regions: (map(.regions) | add // 0), covered: (map(.covered) | add // 0)}
        | . + {percent: percent};
    ($sqlite[0].data[0].functions | map(select(.filenames[0] | endswith("/sqlite3.c")))
        | map({key: (.name | sub("^.*:"; "")), value: (.regions | map(select(.[7] == 0))
            | {regions: length, covered: (map(select(.[4] > 0)) | length)})}) | from_entries) as $known
    | ($functions | lines | map(split("\t") as [$part, $name] | {part: $part, name: $name}
        + ($known[$name] // {absent: true}))) as $recovery
    | ($core[0].data[0].files | map(select(.filename | startswith($top + "core/"))
        | {file: (.filename | ltrimstr($top)), regions: .summary.regions.count,
           covered: .summary.regions.covered} | select(.regions > 0))
        | map(. + {percent: percent})) as $files
    | {schema: "midcommit/fuzz-coverage/1", commit: $commit, sqlite: $version,
       targets: ($ran | lines | map(split(" ") | {name: .[0], inputs: (.[1] | tonumber),
                                                 broken: (.[2] | tonumber)})),
       broken: ($broken | lines),
       core: (($files | summed) + {goal: $core_goal, files: $files}),
       recovery: (($recovery | map(select(.absent | not)) | summed)
           + {goal: $recovery_goal, absent: ($recovery | map(select(.absent) | .name)),
              functions: ($recovery | map(select(.absent | not)) | map(. + {percent: percent}))})}
    ' >"$work/coverage.json" || die 3 "fuzz/coverage: llvm-cov's output cannot be read"
absent=$(jq -r '.recovery.absent | join(" ")' "$work/coverage.json")
[ -z "$absent" ] || die 3 "fuzz/coverage: not in the build of SQLite $version: $absent"
for file in "$top"/core/*.c; do
    jq -e --arg file "core/$(basename "$file")" 'any(.core.files[]; .file == $file)' \
        "$work/coverage.json" >/dev/null ||
        die 3 "fuzz/coverage: core/$(basename "$file"): not in the build"
done
mv "$work/coverage.json" "$out/coverage.json"

jq -r 'def row(name): "| \(name) | \(.covered) of \(.regions) | \(.percent) % |";
    "# What the fuzz targets reach", "",
    "Commit \(.commit), SQLite \(.sqlite); regions as llvm-cov counts them.", "",
    "| target | inputs | of which end in a finding or a crash |", "| --- | --- | --- |",
    (.targets[] | "| \(.name) | \(.inputs) | \(.broken) |"), "",
    "| core/ | regions reached | share |", "| --- | --- | --- |",
    (.core.files[] | row(.file)), (.core | row("all, the goal is \(.goal) %")), "",
    "| recovery of SQLite | regions reached | share |", "| --- | --- | --- |",
    (.recovery.functions[] | row("\(.part): \(.name)")),
    (.recovery | row("all, the goal is \(.goal) %")),
    (if .broken == [] then empty else "", "Inputs that break a property:", "",
        (.broken[] | "- \(.)") end)' "$out/coverage.json" >"$out/coverage.md"

names=$(cut -f 2 "$work/functions" | paste -sd '|')
rm -rf "$out/html"
llvm-cov-14 show -format=html -output-dir="$out/html/core" -instr-profile "$work/profile" "${objects[@]}" \
    -ignore-filename-regex='/(fuzz|crashsim|harness|build)/|sqlite3\.[ch]$' >"$work/show" 2>&1 &&
    llvm-cov-14 show -format=html -output-dir="$out/html/sqlite" -instr-profile "$work/profile" \
        "${objects[@]}" -name-regex="(^|:)($names)\$" "$source" >"$work/show" 2>&1 ||
    die 3 "fuzz/coverage: llvm-cov cannot show: $(tail -n 1 "$work/show")"

jq -r '"core: \(.core.percent) %, the goal is \(.core.goal); recovery of SQLite: \(.recovery.percent) %, " +
    "the goal is \(.recovery.goal); \(.broken | length) inputs break a property"' "$out/coverage.json"
jq -e '.core.percent >= .core.goal and .recovery.percent >= .recovery.goal' "$out/coverage.json" >/dev/null
