#!/usr/bin/env bash
# nightly.sh BUILD_DIR: harness/nightly.sh, three nights of a minute (of two where others have the cores), one
# after the other, with SQLite as the machine has it:
#
#   - a planted finding gives status 1, a case and a command that shows it again, and is known afterwards;
#   - a night killed at some moment leaves no process and a folder that says so; resumed, it finishes, and
#     with that finding known its status is 0;
#   - a fuzzer that executes nothing gives status 3.
#
# The targets are `planted`, which finds something in any database whose input ends in a byte of 1, and a
# program that ends at once. What the targets of the tree find has no part in this.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$top/harness/setup.sh"
need fuzz
plain=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT

fail() {
    echo "nightly: $*"
    tail -n 40 "$work"/*.said
    exit 1
}

# The builds of a night, with the targets of this test; those of the tree are left out by --targets.
make_builds() {
    local engine folder
    cat >"$work/planted.c" <<'END'
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 4096 && memcmp(data + 4, "SQLite format 3", 16) == 0 && data[size - 1] == 1) {
        fprintf(stderr, "midcommit: finding: planted_fuzzer: last-byte-is-one: byte %zu\n", size);
        abort();
    }
    return size > 4 && data[0] > 99 ? -1 : 0;
}
END
    mkdir -p "$work"/built/{plain,libfuzzer,afl-plain,afl-cmplog}
    ln -s "$plain/midcommit" "$plain/canary_fuzzer" "$work/built/plain/"
    for engine in libfuzzer afl-plain afl-cmplog; do
        folder=$("$top/fuzz/build.sh" "$engine" system canary_fuzzer)
        ln -s "$folder/canary_fuzzer" "$work/built/$engine/"
    done
    clang -g -fsanitize=fuzzer,address "$work/planted.c" -o "$work/built/libfuzzer/planted_fuzzer"
    AFL_QUIET=1 afl-clang-fast -fsanitize=fuzzer "$work/planted.c" -o "$work/built/afl-plain/planted_fuzzer"
    AFL_QUIET=1 AFL_LLVM_CMPLOG=1 afl-clang-fast -fsanitize=fuzzer "$work/planted.c" \
        -o "$work/built/afl-cmplog/planted_fuzzer"
    ln -s canary_fuzzer "$work/built/plain/planted_fuzzer" # its driver unpacks the same kind of input
    for folder in "$work"/built/*; do
        printf '#!/bin/sh\nexit 0\n' >"$folder/dead_fuzzer"
        chmod +x "$folder/dead_fuzzer"
    done
}

# night NAME OPTION...: its status; what it says lies in NAME.said.
night() {
    local name=$1 status=0
    shift
    "$top/harness/nightly.sh" --out "$work/$name" "$@" >"$work/$name.said" 2>&1 || status=$?
    echo "$status"
}

minutes=$(awk -v cores="$cores" '{ print ($1 > 2 * cores) ? 2 : 1 }' /proc/loadavg)
start=(--minutes "$minutes" --built "$work/built" --sqlite system --kept "$work/kept" --seed 7 --fuzz 40)
finding="planted_fuzzer: last-byte-is-one"

# nothing_left PID: no process of the night with that process id, a moment after its end.
nothing_left() {
    local tries=0
    while grep -lsz "^MIDCOMMIT_NIGHT=$1-" /proc/[0-9]*/environ >"$work/left"; do
        tries=$((tries + 1))
        [ "$tries" -lt 15 ] || fail "processes left: $(tr '\n' ' ' <"$work/left")"
        sleep 1
    done
}

finds_what_is_planted() {
    local out=$work/first status command
    status=$(night first "${start[@]}" --targets planted_fuzzer)
    [ "$status" = 1 ] || fail "a planted finding: status $status"
    for file in summary.md summary.json junit.xml corpora/planted_fuzzer logs cases; do
        [ -n "$(find "$out/$file" -print -quit)" ] || fail "no $file"
    done
    jq -e '.ended and .problems == [] and (.canaries | length) == 4 and all(.canaries[]; .found)
        and (.findings | length) == 1 and .enumeration.states > 0
        and ([.engines[] | select(.runs > 0)] | length) == 2' "$out/summary.json" >/dev/null ||
        fail "its summary: $(jq -c '[.problems, .canaries, .findings, .engines]' "$out/summary.json")"
    # Other tests may have the cores; on a machine of its own it is a tenth.
    [ "$(jq .timing.seconds "$out/summary.json")" -le $((minutes * 75)) ] || fail "it took too long"
    [ "$(cat "$work/kept/known.txt")" = "$finding" ] || fail "known.txt"
    command=$(jq -r '.findings[0].command' "$out/summary.json")
    if (cd "$work" && eval "$command") >"$work/again" 2>&1; then
        fail "$command: ends well"
    fi
    grep -q '^midcommit: finding: .*: last-byte-is-one' "$work/again" || fail "$command"
    "$plain/midcommit" replay --quiet "$out/$(jq -r '.findings[0].case' "$out/summary.json")" >/dev/null ||
        fail "its case does not replay"
}

goes_on_after_a_kill() {
    local out=$work/second pid moment=$((4 + RANDOM % 30)) status
    mkdir "$work/kept-second" # with what the first night leaves there, but for the corpus
    echo "$finding" >"$work/kept-second/known.txt"
    "$top/harness/nightly.sh" --out "$out" "${start[@]}" --kept "$work/kept-second" \
        --targets planted_fuzzer >"$work/second.said" 2>&1 &
    pid=$!
    sleep "$moment"
    kill -9 "$pid"
    wait "$pid" 2>/dev/null || true
    nothing_left "$pid"
    find "$out" -name '*.json' -not -name run.json -exec jq . {} + >/dev/null || fail "killed: broken JSON"
    [ ! -f "$out/summary.json" ] || jq -e '.ended | not' "$out/summary.json" >/dev/null ||
        fail "killed, and it says that it ended"
    status=$(night second --resume)
    [ "$status" = 0 ] || fail "killed after $moment s and resumed, a known finding: status $status"
    jq -e '.ended and (.findings | length) == 1 and (.findings[0].new | not)' "$out/summary.json" \
        >/dev/null || fail "resumed: $(jq -c .findings "$out/summary.json")"
}

sees_a_dead_fuzzer() {
    local status
    status=$(night third "${start[@]}" --kept "$work/kept-third" --targets dead_fuzzer)
    [ "$status" = 3 ] || fail "a fuzzer that executes nothing: status $status"
    jq -e '[.problems[] | select(startswith("libfuzzer dead_fuzzer: it executed nothing"))] | length == 1' \
        "$work/third/summary.json" >/dev/null || fail "a fuzzer that executes nothing is not named"
}

make_builds
finds_what_is_planted
sees_a_dead_fuzzer
goes_on_after_a_kill
xmllint --noout --schema "$top/reports/schema/junit.xsd" "$work"/*/junit.xml 2>/dev/null || [ "$?" = 127 ] ||
    fail "a junit.xml is not as the schema says"

echo "three nights, as they should be"
