#!/usr/bin/env bash
# Promise: check-style.sh finds a breach of each of its rules, names the place, and passes without one.
set -euo pipefail
check=$(cd "$(dirname "$0")/.." && pwd)/check-style.sh
tree=$(mktemp -d)
mkdir -p "$tree"/{core/test,crashsim,harness/judge}
failures=$(mktemp) # a file: `breach` stands at the end of pipes, so in a shell of its own
trap 'rm -rf "$tree" "$failures"' EXIT

# breach WANTED FILE: FILE's content is on stdin; "" wants no breach.
breach() {
    local wanted=$1 file=$2 found status=0
    cat >"$tree/$file"
    found=$("$check" "$tree") || status=$?
    rm "$tree/$file"
    if [ -n "$wanted" ] && { [ "$status" != 1 ] || [ "$found" != "$file:$wanted" ]; }; then
        echo "$file: wanted '$file:$wanted', got status $status: $found" >>"$failures"
    elif [ -z "$wanted" ] && [ "$status" != 0 ]; then
        echo "$file: wanted no breach, got: $found" >>"$failures"
    fi
}

repeat() {
    local i
    for ((i = 0; i < $1; i++)); do
        echo "$2"
    done
}

place=/wor # in two parts, so that this file names no such path itself

repeat 700 "x" | breach "" core/long.c
repeat 701 "x" | breach "701: a file of more than 700 lines" core/long.c
printf 'a\n\tb\n' | breach "2: a tab" harness/tab.h
{ echo "void f(void)"; echo "{"; repeat 80 "    x();"; echo "}"; } | breach "" core/function.c
{ echo "void f(void)"; echo "{"; repeat 81 "    x();"; echo "}"; } |
    breach "2: a function of more than 80 lines" core/function.c
printf '%0111d\n' 0 | breach "1: more than 110 columns" harness/wide.sh
echo "see ${place}k/notes" | breach "1: a path of a machine" harness/notes.md
echo "/* ${place}k/data */" | breach "1: a path of a machine" core/path.c
echo "a frame${place}k/page" | breach "" harness/notes.md
echo '#include "core/image.h"' | breach "" harness/fine.c
echo '#include "harness/judge/oracle.h"' | breach "1: core must not include harness/judge/oracle.h" core/up.c
echo '#include "harness/judge/judge.h"' | breach "1: crashsim must not include harness/judge/judge.h" \
    crashsim/up.h
echo '#include "harness/case/case.h"' | breach "1: harness/judge must not include harness/case/case.h" \
    harness/judge/up.c
echo '#include "harness/host/tasks.h"' | breach "" harness/judge/down.c
echo '#include "image.h"' | breach "1: core must not include image.h" core/near.c
echo '#include <sqlite3.h>' | breach "1: core must not include sqlite3.h" core/sql.c
echo '#include <sqlite3.h>' | breach "" core/test/sql.c
echo '#include <stdlib.h>' | breach "1: core must not include stdlib.h" core/heap.c
echo '#include <stdlib.h>' | breach "" core/arena.c
echo '    fopen("x", "r");' | breach "1: core does no I/O and never exits" core/io.c
echo '    n = snprintf(out, 3, "x");' | breach "" core/io.c
echo '    visitor->read(1);' | breach "" core/io.c
cat "$failures"
[ ! -s "$failures" ]
