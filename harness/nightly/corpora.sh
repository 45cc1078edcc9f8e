# corpora.sh: what the fuzzers start from, share, and hand to the next night. Sourced by nightly.sh.

count_files() {
    find "$1" -maxdepth 1 -type f 2>/dev/null | wc -l
}

# add_to_corpus TARGET: the files named on stdin, by content.
add_to_corpus() {
    local file name
    while read -r file; do
        name=$(sha1sum <"$file")
        cp -n "$file" "$out/corpora/$1/${name%% *}"
    done
}

# Of earlier nights, of the seeds that the project makes, or of one crash state that is made here.
first_corpus() {
    local target=$1 seeds=$out/work/seeds
    mkdir -p "$out/corpora/$target"
    find "$kept/corpora/$target" -type f 2>/dev/null | add_to_corpus "$target"
    if [ -x "$plain/midcommit-seeds" ] && [ ! -d "$seeds" ]; then
        rm -rf "$seeds.part"
        within "$(left)" "$plain/midcommit-seeds" "$seeds.part" || problem "midcommit-seeds: it failed"
        mv "$seeds.part" "$seeds"
    fi
    find "$seeds/$target" -type f 2>/dev/null | add_to_corpus "$target"
    if [ "$(count_files "$out/corpora/$target")" = 0 ]; then
        rm -rf "$out/work/state"
        fresh_state "spill/delete/full/kill/52" "$out/work/state"
        seed_of "$out/work/state" >"$out/work/state/input"
        echo "$out/work/state/input" | add_to_corpus "$target"
        : >"$out/work/empty-$target"
    fi
}

# Whether the target had no corpus and no seeds of its own.
started_empty() {
    [ -f "$out/work/empty-$1" ]
}

# What both engines need and nothing else: libFuzzer's choice of all inputs, and AFL++'s, which looks at
# other things. It replaces the corpus only when libFuzzer has looked at all of it.
merge_corpus() {
    local target=$1 corpus=$out/corpora/$1 work=$out/work/merge/$1 before
    before=$(count_files "$corpus")
    rm -rf "$work"
    mkdir -p "$work/libfuzzer" "$work/small"
    if ! within "$(left)" "$libfuzzer/$target" -merge=1 -rss_limit_mb="$memory" -timeout=25 \
        "$work/libfuzzer" "$corpus" || [ "$(count_files "$work/libfuzzer")" = 0 ]; then
        note "corpus of $target: not minimised: no time, or -merge=1 failed; all $before inputs are kept"
        return
    fi
    if over || ! within "$(left)" env AFL_QUIET=1 afl-cmin -m "$memory" -t 10000 -i "$corpus" \
        -o "$work/afl" -- "$afl_plain/$target"; then
        note "corpus of $target: afl-cmin had no time, or failed; it is libFuzzer's choice alone"
    fi
    find "$work/afl" -maxdepth 1 -type f 2>/dev/null | while read -r file; do
        name=$(sha1sum <"$file")
        cp -n "$file" "$work/libfuzzer/${name%% *}"
    done
    replace_folder "$work/libfuzzer" "$corpus"
    ! $weekly || make_smaller "$target"
    note "corpus of $target: $before inputs, of which $(count_files "$corpus") are needed"
}

# replace_folder NEW OLD: OLD is the one or the other at any moment, or for an instant beside its place.
replace_folder() {
    rm -rf "$2.old"
    [ ! -d "$2" ] || mv -T "$2" "$2.old"
    mv -T "$1" "$2"
    rm -rf "$2.old"
}

# afl-tmin for each input, the largest first, while there is time.
make_smaller() {
    local target=$1 small=$out/work/merge/$1/small file name done=0 all
    all=$(count_files "$out/corpora/$target")
    while read -r _ file; do
        ! over || break
        done=$((done + 1))
        within "$(left)" env AFL_QUIET=1 afl-tmin -m "$memory" -t 10000 -i "$file" -o "$small/out" -- \
            "$afl_plain/$target" </dev/null || continue
        name=$(sha1sum <"$small/out")
        mv "$small/out" "$out/corpora/$target/${name%% *}"
        [ "$(basename "$file")" = "${name%% *}" ] || rm -f "$file"
    done < <(find "$out/corpora/$target" -type f -printf '%s %p\n' | sort -rn)
    note "corpus of $target: afl-tmin was given $done of $all inputs"
}

# The corpora and the signatures, each folder as a whole.
keep_for_next_night() {
    local target
    for target in "${targets[@]}"; do
        [ "$(count_files "$out/corpora/$target")" != 0 ] || continue
        rm -rf "$kept/corpora/.$target"
        cp -r "$out/corpora/$target" "$kept/corpora/.$target"
        replace_folder "$kept/corpora/.$target" "$kept/corpora/$target"
    done
    {
        cat "$kept/known.txt" 2>/dev/null || true
        cat "$out"/work/findings/*.json 2>/dev/null | jq -r .signature
    } | sort -u | whole "$kept/known.txt"
}

measure_coverage() {
    if [ ! -x "$top/fuzz/coverage.sh" ]; then
        note "coverage: there is no fuzz/coverage.sh yet"
        return
    fi
    within "$(left)" "$top/fuzz/coverage.sh" "$out/coverage" "$out/corpora" || case $? in
    124 | 137) note "coverage: it did not end in its time" ;;
    *) problem "coverage: fuzz/coverage.sh failed" ;;
    esac
}
