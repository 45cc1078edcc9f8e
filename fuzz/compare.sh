#!/usr/bin/env bash
# compare.sh OUT_DIR [SEEDS_DIR [SECONDS [ROUNDS]]]: executions a second of our targets, beside SQLite's own
# fuzz harness test/ossfuzz.c in the same run.
#
#   OUT_DIR     gets compare.txt (which is printed too) and compare.json
#   SEEDS_DIR   a folder of inputs for each target, named as it; default: what midcommit-seeds makes
#   SECONDS     of each measurement by mutation [10]
#   ROUNDS      of all measurements, in alternating order; medians count [3]
#
# Both sides are libFuzzer with AddressSanitizer and UndefinedBehaviorSanitizer, with the same options of both
# (process.c has them for our targets). ossfuzz.c is compiled with
# the very command that compiled our SQLite and linked to that object, so both fuzz the same machine code of
# SQLite. Its inputs are the SQL scripts of SQLite's own test/fuzzdata1.db.
#
# Two ways: `replay` executes each input, nothing mutated (our few seeds again and again, until about as many
# executions as there are scripts); `mutate` fuzzes from 200 of them, or as many as there are. A second is
# one of processor time, because the machine may be shared; by the clock it is told too. What a process needs
# to start is taken off, and inputs are not weighed (-entropic=0): libFuzzer's weighing takes more than half
# of the time of an execution that has many features.
# A measurement by mutation that a finding ends before half its time does not count, and is told.
#
# The goal of a target is a number of executions in both ways, and twice ossfuzz.c's in replay, where that one
# executes the scripts. Most of what it makes of them by mutation is no SQL, and ends in the parser.
#
# Exit status: 0 each target reaches its goal; 1 one does not; 2 wrong usage; 3 when something did not run.
set -euo pipefail
. "$(dirname "$0")/../harness/setup.sh"

[ $# -ge 1 ] && [ $# -le 4 ] ||
    die 2 "fuzz/compare: usage: compare.sh OUT_DIR [SEEDS_DIR [SECONDS [ROUNDS]]]"
out=$1
seeds=${2:-}
seconds=${3:-10}
rounds=${4:-3}
case $seconds$rounds in 0* | *[!0-9]*) die 2 "fuzz/compare: SECONDS and ROUNDS are numbers" ;; esac
export ASAN_OPTIONS=quarantine_size_mb=4
goals="journal_fuzzer 3000 wal_fuzzer 2000 crash_fuzzer 1500" # executions a second

need run # the sqlite3 program
built=$("$top/fuzz/build.sh" libfuzzer)
theirs=$("$top/harness/get-sqlite.sh" ossfuzz)
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

build_ossfuzz() {
    local command
    command=$(jq -r '.[] | select(.file | endswith("/sqlite3.c")) | .command | sub(" -o .*"; "")' \
        "$built/compile_commands.json")
    # shellcheck disable=SC2086 # a list of words
    $command -o "$work/ossfuzz.o" -c "$theirs/ossfuzz.c" &&
        clang -fsanitize=address,undefined,fuzzer "$work/ossfuzz.o" "$built/libsqlite3_under_test.a" \
            -lpthread -ldl -lm -o "$work/ossfuzz"
}

# What a harness starts from, in $work/inputs/NAME.
gather_inputs() {
    mkdir -p "$work/inputs/ossfuzz" "$work/empty"
    (cd "$work/inputs/ossfuzz" && sqlite3 -readonly "$theirs/fuzzdata1.db" \
        "SELECT count(writefile(printf('%05d.sql', sqlid), sqltext)) FROM xsql") >/dev/null
    if [ -z "$seeds" ]; then
        [ -x "$built/midcommit-seeds" ] || die 3 "fuzz/compare: there is no midcommit-seeds; name a SEEDS_DIR"
        seeds=$work/seeds
        "$built/midcommit-seeds" "$seeds" >/dev/null || die 3 "fuzz/compare: midcommit-seeds fails"
    fi
    for name in "${ours[@]}"; do
        [ -d "$seeds/$name" ] || die 3 "fuzz/compare: $seeds/$name: no such folder"
        ln -s "$(cd "$seeds/$name" && pwd)" "$work/inputs/$name"
    done
}

# At most 200 of them, at equal distances, in $work/some/NAME: more take longer to load than to mutate.
sample_inputs() {
    mkdir -p "$work/some/$1"
    find -L "$work/inputs/$1" -type f | LC_ALL=C sort | awk '{ name[NR] = $0 }
        END { for (i = 1; i <= NR; i++) { if (NR <= 200 || int(i * 200 / NR) > int((i - 1) * 200 / NR)) {
            print name[i] } } }' | xargs -d '\n' cp -t "$work/some/$1"
}

program() {
    if [ "$1" = ossfuzz ]; then echo "$work/ossfuzz"; else echo "$built/$1"; fi
}

# timed NAME ARGUMENT...: runs a harness; "EXECUTIONS CLOCK_SECONDS CPU_SECONDS STATUS".
timed() {
    local name=$1 status=0 TIMEFORMAT='%R %U %S'
    shift
    { time "$(program "$name")" -detect_leaks=0 -entropic=0 -timeout=120 -print_final_stats=1 \
        -artifact_prefix="$work/" "$@" >"$work/log" 2>&1 || status=$?; } 2>"$work/time"
    awk -v status="$status" '
        FNR == NR { clock = $1; cpu = $2 + $3; next }
        /^stat::number_of_executed_units:/ { count = $2 }
        END { print count + 0, clock, cpu, status }' "$work/time" "$work/log"
}

# One line a measurement to $work/measured: NAME WAY EXECUTIONS CLOCK CPU, or NAME WAY ended.
replay() {
    local name=$1 inputs copies start
    inputs=$(find -L "$work/inputs/$name" -type f | wc -l)
    [ "$inputs" != 0 ] || die 3 "fuzz/compare: $name: no inputs"
    mapfile -t copies < <(yes "$work/inputs/$name" | head -n $(((scripts + inputs - 1) / inputs)))
    start=$(timed "$name" -runs=0 "$work/empty")
    timed "$name" -runs=0 "${copies[@]}" | awk -v name="$name" -v start="$start" '
        { split(start, s) }
        $4 != 0 || $1 == 0 || $3 <= s[3] { print name, "replay ended"; next }
        { print name, "replay", $1, $2 - s[2], $3 - s[3] }' >>"$work/measured"
}

mutate() {
    local name=$1 round=$2 start
    rm -rf "$work/found"
    mkdir "$work/found"
    start=$(timed "$name" -runs=0 "$work/empty")
    timed "$name" -max_total_time="$seconds" -seed="$round" "$work/found" "$work/some/$name" |
        awk -v name="$name" -v start="$start" -v least="$seconds" '
            { split(start, s) }
            $2 < least / 2 || $1 == 0 || $3 <= s[3] { print name, "mutate ended"; next }
            { print name, "mutate", $1, $2 - s[2], $3 - s[3] }' >>"$work/measured"
}

ours=()
for target in $(echo "$goals" | tr ' ' '\n' | grep _fuzzer); do
    if [ -x "$built/$target" ]; then
        ours+=("$target")
    else
        say "compare: there is no $target"
    fi
done
build_ossfuzz >"$work/log" 2>&1 || die 3 "fuzz/compare: ossfuzz.c cannot be built: $(tail -n 1 "$work/log")"
gather_inputs
scripts=$(find "$work/inputs/ossfuzz" -type f | wc -l)
names=(ossfuzz "${ours[@]}")
for name in "${names[@]}"; do
    sample_inputs "$name"
done
for ((round = 1; round <= rounds; round++)); do
    for name in "${names[@]}"; do
        say "compare: round $round of $rounds: $name"
        replay "$name"
        mutate "$name" "$round"
    done
    mapfile -t names < <(printf '%s\n' "${names[@]}" | tac)
done

header=$("$top/harness/get-sqlite.sh" current)/sqlite3.h
version=$(sed -n 's/^#define SQLITE_VERSION  *"\(.*\)"/\1/p' "$header")
jq -Rn --arg version "$version" --arg goals "$goals" --argjson seconds "$seconds" --argjson rounds "$rounds" '
    def median: sort | if length == 0 then null
        else (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2 end;
    def rounded(n): if . == null then null else (. * n | round) / n end;
    ($goals | split(" ") | [range(0; length; 2) as $i | {key: .[$i], value: (.[$i + 1] | tonumber)}]
        | from_entries) as $goal
    | [inputs | split(" ") | {harness: .[0], way: .[1], count: .[2], clock: (.[3] // "0" | tonumber),
                              cpu: (.[4] // "0" | tonumber)}]
    | group_by([.way, .harness]) | map(
        map(select(.count != "ended") | .count |= tonumber) as $whole
        | {harness: .[0].harness, way: .[0].way, measured: ($whole | length),
           ended_early: (length - ($whole | length)),
           per_second: ($whole | map(.count / .cpu) | median),
           per_clock_second: ($whole | map(.count / .clock) | median)})
    | (map(select(.harness == "ossfuzz") | {key: .way, value: .per_second}) | from_entries) as $theirs
    | map(. + {ratio: (if .per_second == null or $theirs[.way] == null then null
                       else .per_second / $theirs[.way] end), goal: $goal[.harness]}
        | . + {reached: (.goal == null or (.per_second != null and .ratio != null
                                           and .per_second >= .goal
                                           and (.way == "mutate" or .ratio >= 2)))}
        | .per_second |= rounded(1) | .per_clock_second |= rounded(1) | .ratio |= rounded(100))
    | {schema: "midcommit/fuzz-compare/1", sqlite: $version, seconds: $seconds, rounds: $rounds, rows: .}
    ' "$work/measured" >"$out/compare.json"
jq -r '"SQLite \(.sqlite), \(.rounds) rounds, \(.seconds) s of each mutation; ASan and UBSan; ossfuzz.c = 1",
    (["harness", "way", "exec/s CPU", "exec/s clock", "ratio", "goal", "reached", "ended early"],
     (.rows[] | [.harness, .way, .per_second, .per_clock_second, .ratio, .goal // "-",
                 (if .goal == null then "-" elif .reached then "yes" else "no" end), .ended_early])
     | map(. // "none" | tostring) | @tsv)' "$out/compare.json" |
    awk -F '\t' 'NF == 1 { print; next }
        { printf "%-16s%-9s%12s%14s%8s%8s%9s%13s\n", $1, $2, $3, $4, $5, $6, $7, $8 }' |
    tee "$out/compare.txt"
jq -e 'all(.rows[]; .measured > 0)' "$out/compare.json" >/dev/null ||
    die 3 "fuzz/compare: a harness has no whole measurement"
jq -e 'all(.rows[]; .reached)' "$out/compare.json" >/dev/null
