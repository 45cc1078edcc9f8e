# engines.sh: what is built for a night, and which targets there are. Sourced by nightly.sh.

canary=canary_fuzzer # finds what is planted in it, and so is none of the targets

# Sets targets, and the folder of each kind of build. The canary is built with the others. The SQLite that
# is fuzzed is the one that crash states are made and judged with.
build_engines() {
    need fuzz
    if [ -n "$built" ]; then
        plain=$built/plain libfuzzer=$built/libfuzzer
        afl_plain=$built/afl-plain afl_cmplog=$built/afl-cmplog afl_asan=$built/afl
    else
        need run
        plain=$("$top/fuzz/build.sh" plain "$sqlite") || exit 3
        libfuzzer=$("$top/fuzz/build.sh" libfuzzer "$sqlite") || exit 3
        afl_plain=$("$top/fuzz/build.sh" afl-plain "$sqlite") || exit 3
        afl_cmplog=$("$top/fuzz/build.sh" afl-cmplog "$sqlite") || exit 3
        afl_asan=$("$top/fuzz/build.sh" afl "$sqlite") || exit 3
        [ "$sqlite" = system ] || "$top/fuzz/build.sh" coverage "$sqlite" >/dev/null || exit 3
    fi
    midcommit=$plain/midcommit
    find_targets
    export ASAN_SYMBOLIZER_PATH=${ASAN_SYMBOLIZER_PATH:-$(command -v llvm-symbolizer-14 || true)}
}

# What a reader of the summary wants to know of the place, as JSON. The tree's state counts, not its name.
describe_machine() {
    local commit
    commit=$(git -C "$top" describe --always --dirty 2>/dev/null || echo unknown)
    jq -n --arg commit "$commit" --arg midcommit "$("$midcommit" --version)" --argjson cores "$cores" \
        --arg cpu "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
        --arg memory "$(awk '/^MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)" \
        --arg kernel "$(uname -srm)" --arg clang "$(clang --version | sed -n '1s/.*version //p')" \
        --arg afl "$(afl-fuzz -h 2>&1 | grep -o -m 1 -E 'afl-fuzz\+*[0-9.]+[a-z]*' | sed 's/afl-fuzz++//')" '
        {commit: $commit, sqlite: ($midcommit | sub(".*SQLite "; "")), cpu: $cpu, cores: $cores,
         memory: $memory, kernel: $kernel, clang: $clang, afl: $afl}' | whole "$out/work/machine.json"
}

find_targets() {
    local name
    mapfile -t targets < <(
        if [ -n "$wanted" ]; then
            tr , '\n' <<<"$wanted"
        elif [ -n "$built" ]; then
            find "$libfuzzer/" -maxdepth 1 -name '*_fuzzer' -printf '%f\n' | sort
        else
            find "$top/fuzz" -maxdepth 1 -name '*_fuzzer.c' -printf '%f\n' | sed 's/\.c$//' | sort
        fi | { grep -vxF "$canary" || true; }
    )
    [ "${#targets[@]}" -gt 0 ] || die 3 "nightly: there is no fuzz target"
    for name in "${targets[@]}"; do
        [ -x "$libfuzzer/$name" ] || die 3 "nightly: $name: no such target was built"
    done
}

# dictionary ENGINE_OPTION TARGET: that option with the target's dictionary, if it has one.
dictionary() {
    local file=$top/fuzz/dict/$2.dict
    [ ! -f "$file" ] || echo "$1$file"
}

# piece TAG FILE: a piece of a fuzz input (fuzz/pieces.h).
piece() {
    local size
    size=$(stat -c %s "$2")
    printf "$1\\x$(printf %02x $((size & 255)))\\x$(printf %02x $((size >> 8 & 255)))"
    printf "\\x$(printf %02x $((size >> 16 & 255)))"
    cat "$2"
}

# seed_of DIR: the files of one crash state as a fuzz input, on stdout.
seed_of() {
    piece M "$1/main.db"
    [ ! -f "$1/main.db-journal" ] || piece J "$1/main.db-journal"
    [ ! -f "$1/main.db-wal" ] || piece W "$1/main.db-wal"
}

# fresh_state MODE DIR: the files of a crash state whose sidecar counts: main alone is torn, or stale.
fresh_state() {
    local state
    rm -rf "$2"
    (
        cd "$nightly"
        state=$("$midcommit" run --workload seed.sql --mode "$1" --crash kill --page-size 512 \
            --importer abandon --json - | jq -r '.findings[0].case')
        "$midcommit" explain "$state" --page-size 512 --output "$2" >/dev/null
    )
}

# The regular files right in DIR, or none when there is no such folder.
files_in() {
    [ ! -d "$1" ] || find "$1" -maxdepth 1 -type f
}

count_files() {
    files_in "$1" | wc -l
}
