#!/usr/bin/env bash
# check-style.sh [TREE]: the rules of this tree that a program can check, one line for each breach.
#
#   - a source file has at most 700 lines and no tab, a function at most 80 lines: beyond that a
#     second idea is hiding in it. A script's line has at most 110 columns; clang-format sees to C's;
#   - no file names a path of somebody's machine;
#   - the rooms depend on each other one way: reports -> harness -> crashsim -> core, with cli on top
#     and fuzz beside reports; inside harness: claims -> validate -> run -> case -> migrate -> judge ->
#     importer -> host; what is included is named by its path from the top;
#   - core/ is functions over bytes: the C library, xxHash and LZ4, no files, no output, no exit, and
#     memory only through an arena. Its tests may use what they need.
#
# Exit status: 0 when all hold, 1 when one is broken.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
cd "${1:-$top}"

check_shape() {
    tree_files '*.c' '*.h' '*.sh' '*.py' | while read -r file; do
        LC_ALL=C.UTF-8 awk -v file="$file" '
            function breach(line, what) { print file ":" line ": " what }
            file !~ /\.[ch]$/ && length($0) > 110 { breach(FNR, "more than 110 columns") }
            /\t/ { breach(FNR, "a tab") }
            file ~ /\.[ch]$/ && /^{/ { start = FNR }
            file ~ /\.[ch]$/ && /^}/ {
                if (start && FNR - start > 81) {
                    breach(start, "a function of more than 80 lines")
                }
                start = 0
            }
            END { if (FNR > 700) { breach(FNR, "a file of more than 700 lines") } }' "$file"
    done
}

check_paths() {
    tree_files '*.c' '*.h' '*.sh' '*.py' '*.md' '*.txt' '*.json' '*.in' '*.1' '*.cmake' '.ci/run' |
        grep -v '^corpus/' | while read -r file; do
        grep -nE '(^|[^A-Za-z0-9_.}])/(work|root|home/[a-z]+|tmp/(sq|build))[/-]' "$file" /dev/null |
            sed -E 's/^([^:]*:[0-9]*):.*/\1: a path of a machine/' || true
    done
}

# Each room may include from the floors below it; those on one floor not from each other.
check_rooms() {
    tree_files '*.c' '*.h' | xargs grep -nE '^ *# *include "' /dev/null |
        sed -E 's/^([^:]*):([0-9]+):[^"]*"([^"]*)".*/\1 \2 \3/' | awk '
        BEGIN {
            floor["core"] = 1; floor["crashsim"] = 2; floor["harness"] = 3
            floor["reports"] = 4; floor["fuzz"] = 4; floor["cli"] = 5
            inner["host"] = 1; inner["importer"] = 2; inner["judge"] = 3
            inner["migrate"] = 4; inner["case"] = 5; inner["run"] = 6; inner["validate"] = 7
            inner["claims"] = 8
        }
        {
            split($1, from, "/"); split($3, to, "/")
            may = from[1] == to[1] || floor[to[1]] && floor[to[1]] < floor[from[1]]
            if (from[1] == "core" && from[2] == "test" && to[1] == "crashsim") {
                may = 1 # they compare with stock SQLite
            }
            if (from[1] == "harness" && to[1] == "harness" && inner[from[2]] && inner[to[2]]) {
                may = inner[to[2]] <= inner[from[2]]
                from[1] = from[1] "/" from[2]
            }
            if (!may) { print $1 ":" $2 ": " from[1] " must not include " $3 }
        }'
}

check_core() {
    local headers='assert|errno|inttypes|limits|lz4|stdalign|stdarg|stdbool|stddef|stdint|stdio'
    headers="$headers|string|xxhash"
    local calls='f(open|read|write|close|printf|puts|putc|flush)|printf|puts|putchar|perror|exit|abort'
    calls="$calls|getenv|system|time|rand|open|read|write|mmap"
    tree_files 'core/*.c' 'core/*.h' | grep -E '^core/[^/]*$' | while read -r file; do
        grep -nE '^ *# *include <' "$file" | grep -vE "<($headers)\.h>" |
            { [ "$file" = core/arena.c ] && grep -v '<stdlib.h>' || cat; } |
            sed -E "s#^([0-9]+):.*<(.*)>.*#$file:\1: core must not include \2#"
        grep -nE "(^|[^A-Za-z0-9_>.])($calls)\(" "$file" | grep -vE '^[0-9]+: *(/?\*|//)' |
            sed -E "s#^([0-9]+):.*#$file:\1: core does no I/O and never exits#" || true
    done
}

# Each check prints what it finds; its status says nothing (a grep that finds nothing fails).
breaches=$(check_shape; check_paths; check_rooms; check_core; true)
if [ -n "$breaches" ]; then
    echo "$breaches"
    exit 1
fi
echo "style: $(tree_files '*.c' '*.h' '*.sh' | wc -l) files, no breach"
