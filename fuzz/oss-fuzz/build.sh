#!/usr/bin/env bash
# build.sh: what OSS-Fuzz and ClusterFuzzLite run in their container, with $CC $CXX $CFLAGS $CXXFLAGS
# $LIB_FUZZING_ENGINE $SRC $WORK $OUT set. $OUT gets, of each fuzz/*_fuzzer.c but the canary, the fuzzer,
# its NAME_seed_corpus.zip, NAME.dict and NAME.options; and in lib/ the libraries that the machine on which
# it is run lacks. The tree is $SRC/midcommit; the test of this script is harness/test/ossfuzz.sh.
#
# SQLITE   whose source is instrumented, as fuzz/build.sh takes it: current if not set
set -euo pipefail
tree=$SRC/midcommit
build=$WORK/midcommit
sqlite=${SQLITE:-current}

source=
[ "$sqlite" = system ] || source=$("$tree/harness/get-sqlite.sh" "$sqlite")
# A runpath would count for the fuzzer's own libraries only and not for theirs, so it is a rpath.
cmake -S "$tree" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=None -DMIDCOMMIT_FUZZ=engine \
    -DMIDCOMMIT_SQLITE_DIR="$source" "-DCMAKE_BUILD_RPATH=\$ORIGIN/lib" \
    -DCMAKE_EXE_LINKER_FLAGS=-Wl,--disable-new-dtags
ninja -C "$build" -k 0

# Seeds are made by a program that no engine or sanitizer has a hand in.
seeds=$WORK/seeds
rm -rf "$seeds"
if [ -f "$tree/fuzz/seeds/seeds.c" ]; then
    env -u CFLAGS -u CXXFLAGS -u LDFLAGS cmake -S "$tree" -B "$WORK/seeds-build" -G Ninja \
        -DCMAKE_BUILD_TYPE=Release
    ninja -C "$WORK/seeds-build" midcommit-seeds
    "$WORK/seeds-build/midcommit-seeds" "$seeds"
fi

# What a bare machine has of itself.
base='linux-vdso|ld-linux|libc|libm|libdl|libpthread|librt|libgcc_s|libstdc\+\+|libresolv|libutil'
mkdir -p "$OUT/lib"
for source_file in "$tree"/fuzz/*_fuzzer.c; do
    name=$(basename "$source_file" .c)
    [ "$name" != canary_fuzzer ] || continue # it would be reported as a bug every day
    cp "$build/$name" "$OUT/$name"
    ldd "$build/$name" | sed -n -E 's/.* => (\/[^ ]*) .*/\1/p' | { grep -vE "/($base)\.so" || true; } |
        xargs -r cp -nLt "$OUT/lib"
    options=$tree/fuzz/oss-fuzz/$name.options
    [ -f "$options" ] || options=$tree/fuzz/oss-fuzz/any.options
    cp "$options" "$OUT/$name.options"
    if [ -f "$tree/fuzz/dict/$name.dict" ]; then
        cp "$tree/fuzz/dict/$name.dict" "$OUT/$name.dict"
    fi
    if [ -d "$seeds/$name" ]; then
        rm -f "$OUT/${name}_seed_corpus.zip"
        (cd "$seeds/$name" && cmake -E tar cf "$OUT/${name}_seed_corpus.zip" --format=zip .)
    fi
done
