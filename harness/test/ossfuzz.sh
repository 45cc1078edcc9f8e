#!/usr/bin/env bash
# ossfuzz.sh BUILD_DIR: fuzz/oss-fuzz/build.sh keeps the contract of OSS-Fuzz: run with the variables set as
# its container sets them, it leaves fuzzers that start after $OUT was moved elsewhere, with nothing of the
# build machine, and that execute inputs with their options, dictionaries and seeds.
#
# SQLite is the machine's, so that this takes seconds; SQLITE=current instruments it as the real thing does.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$top/harness/setup.sh"
need fuzz
mkdir -p "$1/ossfuzz/work"
room=$(cd "$1/ossfuzz" && pwd)
moved=$(mktemp -d)
trap 'rm -rf "$moved"' EXIT

export SRC=$room/src WORK=$room/work OUT=$room/out SQLITE=${SQLITE:-system}
mkdir -p "$SRC"
rm -rf "$OUT"
mkdir "$OUT"
ln -sfn "$top" "$SRC/midcommit"
export CC=clang CXX=clang++ SANITIZER=address FUZZING_ENGINE=libfuzzer LIB_FUZZING_ENGINE=-fsanitize=fuzzer
CFLAGS="-O1 -fno-omit-frame-pointer -gline-tables-only -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION"
CFLAGS="$CFLAGS -fsanitize=address -fsanitize-address-use-after-scope -fsanitize=fuzzer-no-link"
export CFLAGS CXXFLAGS=$CFLAGS
flock "$room" "$top/fuzz/oss-fuzz/build.sh" >"$room/log" 2>&1 || { tail -n 30 "$room/log"; exit 1; }
mv "$OUT" "$moved/out"

# try NAME: the fuzzer, as its runner starts it.
try() {
    local name=$1 options=() seeds=$moved/$1.seeds runs
    mapfile -t options < <(sed -n -E 's/^([a-z_]+) *= *(.*)/-\1=\2/p' "$moved/out/$name.options")
    [ "${#options[@]}" -gt 0 ] || { echo "$name: no options"; return 1; }
    [ ! -f "$moved/out/$name.dict" ] || options+=("-dict=$moved/out/$name.dict")
    mkdir "$seeds"
    if [ -f "$top/fuzz/seeds/seeds.c" ]; then
        [ -f "$moved/out/${name}_seed_corpus.zip" ] || { echo "$name: no seeds"; return 1; }
        (cd "$seeds" && cmake -E tar xf "$moved/out/${name}_seed_corpus.zip")
    fi
    if ldd "$moved/out/$name" | grep -vE "$moved|linux-vdso|/(ld-linux[^ ]*|lib(c|m|dl|rt|pthread|gcc_s|\
stdc\+\+|resolv)\.so[^ ]*)( |$)"; then
        echo "$name: needs these libraries of the machine"
        return 1
    fi
    env -i PATH=/usr/bin:/bin "$moved/out/$name" "${options[@]}" -max_total_time=2 -print_final_stats=1 \
        -artifact_prefix="$moved/" "$seeds" >"$moved/$name.log" 2>&1 || {
        grep -q '^midcommit: finding' "$moved/$name.log" || { tail -n 20 "$moved/$name.log"; return 1; }
    }
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$moved/$name.log")
    echo "$name: ${runs:-0} inputs"
    [ "${runs:-0}" -gt 0 ]
}

count=0
for source in "$top"/fuzz/*_fuzzer.c; do
    name=$(basename "$source" .c)
    if [ "$name" = canary_fuzzer ]; then
        [ ! -e "$moved/out/$name" ] || { echo "the canary is among the fuzzers"; exit 1; }
        continue
    fi
    try "$name"
    count=$((count + 1))
done
[ "$count" -gt 0 ]
