# libfuzzer.sh: how the time for fuzzing is divided, and libFuzzer's part. Sourced by nightly.sh.

round_seconds=1200   # of one target in one round, at most; then the engines exchange what they found
rounds_wanted=4      # so that with two cores each kind of AFL++'s secondaries has its turn
turn_seconds=150     # but no turn is made shorter than this for it: libFuzzer reads its corpus first
afl_least_seconds=10 # below that AFL++ has hardly started

# fuzz_all SECONDS: rounds over all targets; in each libFuzzer has the cores first, then AFL++, on the same
# corpus. In a short night AFL++ gets a few targets only, others each night: by the seed.
fuzz_all() {
    local count=${#targets[@]} rounds round i each afl with_afl
    rounds=$(($1 / count / 2 / turn_seconds))
    rounds=$((rounds < rounds_wanted ? rounds : rounds_wanted))
    [ $(($1 / count / round_seconds)) -lt "$rounds" ] || rounds=$(($1 / count / round_seconds))
    rounds=$((rounds > 0 ? rounds : 1))
    each=$(($1 / 2 / count / rounds))
    afl=$each
    with_afl=$count
    if [ "$afl" -lt "$afl_least_seconds" ]; then
        afl=$afl_least_seconds
        with_afl=$(($1 / 2 / afl))
        with_afl=$((with_afl > 0 ? with_afl : 1))
    fi
    afl_left_out=$((count - with_afl))
    for ((round = 1; round <= rounds; round++)); do
        for ((i = 0; i < count; i++)); do
            phase "libfuzzer-${targets[i]}-$round" "$each" libfuzzer_round "${targets[i]}" "$round"
            if [ $(((i + seed + round) % count)) -lt "$with_afl" ]; then
                phase "afl-${targets[i]}-$round" "$afl" afl_round "${targets[i]}" "$round"
            fi
        done
    done
}

# What an engine has of its part; ending it and looking at what it left takes the rest.
engine_seconds() {
    local seconds=$(($(left) - 3 - $(left) / 50))
    echo $((seconds > 0 ? seconds : 1))
}

# The first round of a target starts from what earlier nights kept, and from seeds.
libfuzzer_round() {
    local target=$1 round=$2 corpus=$out/corpora/$1 before status=0 start
    local log=$out/logs/libfuzzer-$1-$2.engine.log
    [ "$round" != 1 ] || first_corpus "$target"
    before=$(count_files "$corpus")
    mkdir -p "$out/work/artifacts/$target"
    # To weigh inputs by what they reach (-entropic=1) takes crash_fuzzer more time than to run them.
    start=$EPOCHSECONDS
    # shellcheck disable=SC2046 # an option, or none
    within "$(left)" "$libfuzzer/$target" -fork="$jobs" -ignore_crashes=1 -ignore_ooms=1 -ignore_timeouts=1 \
        -entropic=0 -max_total_time="$(engine_seconds)" -rss_limit_mb="$memory" -timeout=25 \
        -seed=$((seed + round)) -artifact_prefix="$out/work/artifacts/$target/" \
        $(dictionary -dict= "$target") "$corpus" >"$log" 2>&1 || status=$?
    libfuzzer_result "$target" "$round" "$log" "$before" "$status" $((EPOCHSECONDS - start))
}

# In fork mode libFuzzer says now and then: "#1234: cov: 56 ft: 78 corp: 9 exec/s 10 ...".
libfuzzer_result() {
    local target=$1 round=$2 log=$3 before=$4 status=$5 runs=0 edges=0 after words
    after=$(count_files "$out/corpora/$target")
    words=$(sed -n -E 's/^#([0-9]+):? +cov: ([0-9]+) .*exec.*/\1 \2/p' "$log" | sort -n | tail -n 1)
    [ -z "$words" ] || read -r runs edges <<<"$words"
    if [ "$runs" = 0 ]; then
        problem "libfuzzer $target: it executed nothing (status $status), see logs/$(basename "$log")"
    elif [ "$edges" = 0 ] || { [ "$before" -le 2 ] && started_empty "$target" && [ "$after" -le "$before" ] &&
        [ "$(count_files "$out/work/artifacts/$target")" = 0 ]; }; then
        problem "libfuzzer $target: from an empty corpus it found no new coverage"
    fi
    engine_result "$target" libfuzzer "$round" "$runs" "$edges" "$((after - before))" "$6"
}

# engine_result TARGET ENGINE ROUND RUNS EDGES INPUTS SECONDS [ROLE...]: SECONDS by the clock, in which the
# engine had --jobs processes.
engine_result() {
    jq -n --arg target "$1" --arg engine "$2" --argjson round "$3" --argjson runs "$4" \
        --argjson edges "$5" --argjson inputs "$6" --argjson seconds "$7" --argjson processes "$jobs" \
        --arg roles "${*:8}" '
        {target: $target, engine: $engine, round: $round, runs: $runs, edges: $edges, inputs: $inputs,
         seconds: $seconds, processes: $processes, roles: ($roles | split(" "))}' |
        whole "$out/work/engines/$2-$1-$3.json"
}
