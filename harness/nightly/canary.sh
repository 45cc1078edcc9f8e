# canary.sh: what is known to pass is replayed, and what is planted must be found. Sourced by nightly.sh.

replay_corpus() {
    program 3600 replay "$top/corpus" --quiet --jobs "$jobs" --junit "$out/work/corpus.xml" ||
        case $? in
        1) corpus_changed ;;
        *) problem "replay: the corpus could not be replayed" ;;
        esac
    [ -s "$out/work/corpus.xml" ] || problem "replay: no case was judged"
}

# A case of the corpus with another verdict is a finding.
corpus_changed() {
    xml_names "$out/work/corpus.xml" | while read -r path; do
        record_finding corpus "corpus: $(basename "$path")" "its verdict has changed" "" "" \
            "$(shown "$midcommit") replay $(shown "$path")"
    done
}

# The cases that failed in a JUnit file, as paths: those with content between their tags.
xml_names() {
    sed -n -E 's/.*<testcase classname="([^"]*)" name="([^"]*)">$/\1\/\2/p' "$1"
}

# Wrong importers, and the fuzzer whose recovery is wrong: each engine must find it.
find_canaries() {
    local work=$out/work/canary
    rm -rf "$work"
    mkdir -p "$work/seeds"
    run_finds delete broken:last-record
    run_finds wal broken:last-frame
    fresh_state delete "$work/state"
    # The count of records in the journal's header becomes 4, and main is what they restore.
    printf '\0\0\0\4' | dd of="$work/state/main.db-journal" bs=1 seek=8 conv=notrunc status=none
    cp "$work/state/snapshot-0.db" "$work/state/main.db"
    seed_of "$work/state" >"$work/seeds/four-records"
    libfuzzer_finds "$work"
    afl_finds "$work"
}

run_finds() {
    local status=0
    program 60 run --workload spill --txns 1 --mode "$1" --crash kill --seed "$seed" \
        --importer "$2,sqlite" --require "$2" --quiet || status=$?
    canary_result "midcommit run --importer $2" "$([ "$status" = 1 ] && echo true || echo false)"
}

# canary_result WHO FOUND
canary_result() {
    jq -n --arg who "$1" --argjson found "$2" '{who: $who, found: $found}' |
        whole "$out/work/canary/$(slug "$1").json"
    $2 || problem "canary: $1 did not find the planted mistake"
}

# The seed must not show it: a canary that is found without fuzzing says nothing of fuzzing.
libfuzzer_finds() {
    local work=$1 found=false seconds
    seconds=$(($(left) / 2 + 1))
    cp -r "$work/seeds" "$work/corpus"
    if ! within 30 "$libfuzzer/$canary" -exact_artifact_path=/dev/null "$work/seeds/four-records"; then
        problem "canary: its seed shows the mistake already, or the fuzzer does not start"
    elif within "$seconds" "$libfuzzer/$canary" -seed="$seed" -rss_limit_mb="$memory" -timeout=25 \
        -artifact_prefix="$work/" "$work/corpus"; then
        echo "it ended without a crash"
    fi
    for input in "$work"/crash-*; do
        [ ! -f "$input" ] || [[ $(signature_of "$canary" "$input") != "$canary: planted-"* ]] || found=true
    done
    canary_result "libFuzzer" "$found"
}

afl_finds() {
    local work=$1 found=false input
    AFL_BENCH_UNTIL_CRASH=1 afl_one "$canary" main "$work/seeds" "$work/afl" "$(left)" || true
    for input in "$work"/afl/*/crashes/id:*; do
        [ ! -f "$input" ] || [[ $(signature_of "$canary" "$input") != "$canary: planted-"* ]] || found=true
    done
    canary_result "AFL++" "$found"
}
