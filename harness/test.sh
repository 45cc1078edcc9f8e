#!/usr/bin/env bash
# test.sh [--ci] [--only REGEX]: builds and runs all tests on any machine. Installs what is missing,
# asks nothing, and ends with one plain line `N passed, N failed` that counts test cases over all lanes.
#
# A lane is one build and one run of its tests: `release` and `sanitize` (AddressSanitizer and
# UndefinedBehaviorSanitizer). With --ci warnings are errors, `sanitize` is built by clang, and two
# lanes come on top: `current`, against a current SQLite instead of the system's, and `format`.
#
# Exit status: 0 when tests ran and none failed; 1 when one failed or none ran; 3 when it could not run.
set -euo pipefail
. "$(dirname "$0")/setup.sh"

ci=false
only=.
while [ $# -gt 0 ]; do
    case $1 in
    --ci) ci=true ;;
    --only)
        [ $# -gt 1 ] || die 2 "test.sh: --only: needs a regular expression"
        only=$2
        shift
        ;;
    *) die 2 "test.sh: $1: unknown; usage: test.sh [--ci] [--only REGEX]" ;;
    esac
    shift
done

passed=0
failed=0

# Reads `ctest -V`. Prints `passed failed`, with a test that is no cmocka group counted as one, and one
# that died before its group reported as one failure; `output` gets the output of the failed tests.
count_cases='
function test_of(line) { sub(/^ */, "", line); sub(/:.*/, "", line); return line }
function number(line) { match(line, /[0-9]+ test\(s\)/); return substr(line, RSTART, RLENGTH) + 0 }
/^ *[0-9]+: / { text[test_of($0)] = text[test_of($0)] $0 "\n" }
/^ *[0-9]+: \[  PASSED  \] [0-9]+ test\(s\)/ { good[test_of($0)] += number($0) }
/^ *[0-9]+: \[  FAILED  \] .*[0-9]+ test\(s\), listed below/ { bad[test_of($0)] += number($0) }
/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: / {
    match($0, /#[0-9]+/)
    test = substr($0, RSTART + 1, RLENGTH - 1)
    if ($0 ~ /   Passed +[0-9.]+ sec/) {
        if (good[test] + bad[test] == 0) { good[test] = 1 }
    } else {
        if (bad[test] == 0) { bad[test] = 1 }
        printf "%s\n%s", $0, text[test] >output
    }
    passed += good[test]
    failed += bad[test]
}
END { print passed + 0, failed + 0 }'

# lane NAME DIR CMAKE_ARGUMENT...
lane() {
    local name=$1 dir=$2 counts started=$SECONDS
    shift 2
    build "$dir" "$@"
    [ -x "$dir/test_run" ] || die 3 "$name: the build has no tests; is libcmocka-dev there?"
    ctest --test-dir "$dir" -V -j "$cores" -R "$only" --timeout 900 >"$dir/ctest.log" 2>&1 || true
    : >"$dir/failures.log"
    counts=$(awk -v output="$dir/failures.log" "$count_cases" "$dir/ctest.log")
    cat "$dir/failures.log"
    echo "$name: ${counts% *} passed, ${counts#* } failed ($((SECONDS - started)) s)"
    passed=$((passed + ${counts% *}))
    failed=$((failed + ${counts#* }))
}

# A check that is one command, with its output.
check() {
    local name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "$name: failed"
    fi
}

format_is_kept() {
    local found
    found=$(cd "$top" && tree_files '*.c' '*.h' | xargs clang-format-14 --dry-run -Werror 2>&1) ||
        { echo "$found" | grep -m 20 'clang-formatted'; false; }
}

if $ci; then
    need ci
    lane release "$top/build-ci" --preset release -DMIDCOMMIT_WERROR=ON \
        -DMIDCOMMIT_ENGINE_TESTS=ON
    lane sanitize "$top/build-ci-sanitize" --preset sanitize -DMIDCOMMIT_WERROR=ON \
        -DCMAKE_C_COMPILER=clang
    sqlite=$("$top/harness/get-sqlite.sh" current)
    lane current "$top/build-ci-current" --preset release -DMIDCOMMIT_WERROR=ON \
        "-DMIDCOMMIT_SQLITE_DIR=$sqlite"
    check format format_is_kept
else
    need test
    lane release "$top/build" --preset release
    lane sanitize "$top/build-sanitize" --preset sanitize
fi

# Nothing may come after this line.
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
