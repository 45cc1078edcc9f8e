#!/usr/bin/env bash
# build.sh ENGINE [SQLITE [TARGET...]]: builds the fuzz targets for one engine, or those that are named, and
# prints the folder they lie in.
#
#   ENGINE   libfuzzer   clang's libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer
#            afl         AFL++ with AddressSanitizer; afl-plain without; afl-cmplog for its CMPLOG variant
#            coverage    the regression driver, instrumented for llvm-cov
#            driver      the regression driver alone, sanitized
#            plain       the same, not sanitized, and with it midcommit, the seeds and AFL++'s mutator
#   SQLITE   current (the default) or debian: whose source is instrumented (harness/get-sqlite.sh);
#            system: the machine's library as it is, which builds in seconds (tests of the scripts)
#
# A folder is kept and built again only where something changed. Exit status: 0; 2 wrong usage; 3 when
# something cannot be fetched or built.
set -euo pipefail
. "$(dirname "$0")/../harness/setup.sh"

engine=${1:-}
sqlite=${2:-current}
build_only=("${@:3}")
case $engine in
libfuzzer | coverage | driver | plain) compiler=clang ;;
afl | afl-plain | afl-cmplog) compiler=afl-clang-fast ;;
*) die 2 "fuzz/build: ${engine:-no engine}: usage: build.sh" \
    "libfuzzer|afl|afl-plain|afl-cmplog|coverage|driver|plain [current|debian|system [TARGET...]]" ;;
esac
need fuzz
source=
[ "$sqlite" = system ] || source=$("$top/harness/get-sqlite.sh" "$sqlite")
dir=$top/build-fuzz/$engine-$sqlite

sanitize=ON
drives=$engine
case $engine in
coverage) sanitize=OFF ;;
driver) drives= ;;
plain) sanitize=OFF drives= ;;
afl-plain | afl-cmplog) sanitize=OFF ;;
esac
case $engine in afl*) drives=afl ;; esac
export AFL_QUIET=1 AFL_DONT_OPTIMIZE=1 # the options below decide
if [ "$engine" = afl-cmplog ]; then export AFL_LLVM_CMPLOG=1; fi
if [ "$engine" = plain ] && [ "${#build_only[@]}" = 0 ]; then
    build_only=(midcommit midcommit-seeds midcommit-mutator) # without the tests
    for file in "$top"/fuzz/*_fuzzer.c; do build_only+=("$(basename "$file" .c)"); done
fi
build "$dir" -G Ninja -DCMAKE_C_COMPILER="$compiler" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_C_FLAGS_RELEASE="-O2 -g1" -DMIDCOMMIT_SANITIZE="$sanitize" -DMIDCOMMIT_FUZZ="$drives" \
    -DMIDCOMMIT_SQLITE_DIR="$source"
echo "$dir"
