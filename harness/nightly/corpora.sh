# corpora.sh: what the fuzzers start from, share, and hand to the next night. Sourced by nightly.sh.

quiet_afl=(AFL_QUIET=1 AFL_ALLOW_TMP=1) # the tools refuse to work below /tmp, where a night may well be

# add_to_corpus TARGET: the files named on stdin, by content.
add_to_corpus() {
    copy_by_content "$out/corpora/$1/"
}

# copy_by_content PREFIX: the files named on stdin, each to PREFIX and its SHA-1, as libFuzzer names them. In
# one process: thousands of cp take longer than the turn of a fuzzer on a busy machine.
copy_by_content() {
    xargs -r -d '\n' sha1sum -- | prefix=$1 perl -MFile::Copy -lne '
        my ($name, $file) = /^([0-9a-f]{40})  (.+)$/ or die "$_: no sum\n";
        -e "$ENV{prefix}$name" or copy($file, "$ENV{prefix}$name") or die "$file: $!\n";'
}

# Of earlier nights, of the seeds that the project makes, or of two crash states that are made here.
first_corpus() {
    local target=$1 seeds=$out/work/seeds mode
    mkdir -p "$out/corpora/$target"
    files_in "$kept/corpora/$target" | add_to_corpus "$target"
    if [ -x "$plain/midcommit-seeds" ] && [ ! -d "$seeds" ]; then
        rm -rf "$seeds.part"
        within "$(left)" "$plain/midcommit-seeds" "$seeds.part" || problem "midcommit-seeds: it failed"
        mv "$seeds.part" "$seeds"
    fi
    files_in "$seeds/$target" | add_to_corpus "$target"
    if [ "$(count_files "$out/corpora/$target")" = 0 ]; then
        for mode in delete wal; do
            fresh_state "$mode" "$out/work/state"
            seed_of "$out/work/state" >"$out/work/state/input"
            echo "$out/work/state/input" | add_to_corpus "$target"
        done
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
    local target=$1 corpus=$out/corpora/$1 work=$out/work/merge/$1 before by="-merge=1, afl-cmin"
    before=$(count_files "$corpus")
    rm -rf "$work"
    mkdir -p "$work/libfuzzer" "$work/small"
    if ! within "$(left)" "$libfuzzer/$target" -merge=1 -rss_limit_mb="$memory" -timeout=25 \
        -artifact_prefix="$out/work/artifacts/$target/" "$work/libfuzzer" "$corpus" ||
        [ "$(count_files "$work/libfuzzer")" = 0 ]; then
        note "corpus of $target: not minimised: no time, or -merge=1 failed; all $before inputs are kept"
        corpus_result "$target" "$before" "nothing: all are kept"
        return
    fi
    if [ "$(left)" -lt 20 ] || ! within "$(left)" env "${quiet_afl[@]}" afl-cmin -m "$memory" -t 10000 \
        -i "$corpus" -o "$work/afl" -- "$afl_plain/$target"; then
        note "corpus of $target: afl-cmin had no time, or failed; it is libFuzzer's choice alone"
        by="-merge=1"
    fi
    files_in "$work/afl" | copy_by_content "$work/libfuzzer/"
    replace_folder "$work/libfuzzer" "$corpus"
    ! $weekly || make_smaller "$target"
    corpus_result "$target" "$before" "$by"
}

# corpus_result TARGET BEFORE BY
corpus_result() {
    jq -n --arg target "$1" --argjson before "$2" --arg by "$3" \
        --argjson inputs "$(count_files "$out/corpora/$1")" \
        --argjson bytes "$(files_in "$out/corpora/$1" | xargs -r -d '\n' cat | wc -c)" \
        '{target: $target, before: $before, inputs: $inputs, bytes: $bytes, by: $by}' |
        whole "$out/work/corpora/$1.json"
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
        within "$(left)" env "${quiet_afl[@]}" afl-tmin -m "$memory" -t 10000 -i "$file" -o "$small/out" -- \
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
        records findings | jq -r .signature
    } | sort -u | whole "$kept/known.txt"
}

measure_coverage() {
    if [ "$sqlite" = system ] || [ -n "$built" ]; then
        note "coverage: not measured: this night has no instrumented SQLite"
        return
    fi
    within "$(left)" "$top/fuzz/coverage.sh" "$out/coverage" "$out/corpora" "$sqlite" \
        "${targets[@]}" || case $? in
    1) note "coverage: below a goal, see coverage/coverage.md" ;;
    124 | 137) note "coverage: it did not end in its time" ;;
    *) problem "coverage: fuzz/coverage.sh failed" ;;
    esac
}
