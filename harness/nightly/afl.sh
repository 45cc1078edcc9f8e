# afl.sh: AFL++'s part of a round: a main and secondaries of other kinds. Sourced by nightly.sh.

# The kinds that fit on the cores, the main first. With fewer cores than kinds the secondaries take turns.
afl_roles() {
    local turn=$1 others=(cmplog explore exploit) i
    [ ! -d "$afl_asan" ] || others+=(asan)
    echo main
    for ((i = 0; i < ${#others[@]} && i < (jobs > 1 ? jobs - 1 : 1); i++)); do
        echo "${others[(turn + i) % ${#others[@]}]}"
    done
    for ((i = 1 + ${#others[@]}; i < jobs; i++)); do
        echo "more$i"
    done
}

# afl_one TARGET ROLE INPUTS OUT SECONDS: one instance. AFL++ saves and ends in good order when told to by
# SIGTERM. It takes what others of OUT found by itself; what libFuzzer found comes by -F. Its limit of memory
# is one of addresses, which AddressSanitizer reserves by the terabyte: there a single allocation is limited,
# and the other instances and libFuzzer limit all of it for the same inputs.
afl_one() {
    local target=$1 role=$2 inputs=$3 folder=$4 seconds=$5 options=(-S "$2")
    local program=$afl_plain/$1 most=$memory
    export AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_NO_AFFINITY=1 AFL_AUTORESUME=1 AFL_IMPORT_FIRST=1
    export AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_FORKSRV_INIT_TMOUT=30000
    case $role in
    main) options=(-M main -F "$inputs") ;;
    cmplog) options+=(-c "$afl_cmplog/$target" -l 2) ;;
    explore | exploit) options+=(-p "$role") ;;
    asan)
        program=$afl_asan/$target most=none
        export ASAN_OPTIONS=abort_on_error=1:symbolize=0:detect_leaks=0:max_allocation_size_mb=$memory
        export UBSAN_OPTIONS=abort_on_error=1:symbolize=0:halt_on_error=1
        ;;
    esac
    if [ -f "$plain/midcommit-mutator.so" ]; then
        export AFL_CUSTOM_MUTATOR_LIBRARY=$plain/midcommit-mutator.so
    fi
    # shellcheck disable=SC2046 # two words, or none
    within "$seconds" afl-fuzz -i "$inputs" -o "$folder" -m "$most" -t 10000+ -s $((seed + ${#role})) \
        "${options[@]}" $(dictionary "-x " "$target") -- "$program"
}

afl_round() {
    local target=$1 round=$2 folder=$out/work/afl/$1 corpus=$out/corpora/$1 role roles before
    local start used
    before=$(count_files "$corpus")
    mkdir -p "$out/work/artifacts/$target"
    [ "$before" != 0 ] || first_corpus "$target"
    mapfile -t roles < <(afl_roles $((round + seed)))
    start=$EPOCHSECONDS
    for role in "${roles[@]}"; do
        stat_of execs_done "$folder/$role/fuzzer_stats" >"$out/work/afl-$role.before"
        afl_one "$target" "$role" "$corpus" "$folder" "$(engine_seconds)" \
            >"$out/logs/afl-$target-$round-$role.engine.log" 2>&1 &
    done
    wait
    used=$((EPOCHSECONDS - start))
    take_from_afl "$target"
    afl_result "$target" "$round" "$before" "$used" "${roles[@]}"
}

# What AFL++ found goes into the corpus and among the inputs to look at.
take_from_afl() {
    local target=$1 afl=$out/work/afl/$1
    [ -d "$afl" ] || return 0
    find "$afl" -path '*/queue/id:*' -type f | add_to_corpus "$target"
    find "$afl" -path '*/crashes/id:*' -type f | copy_by_content "$out/work/artifacts/$target/afl-"
}

# afl_result TARGET ROUND BEFORE SECONDS ROLE...
afl_result() {
    local target=$1 round=$2 before=$3 role stats runs=0 edges=0 new=0 after done
    for role in "${@:5}"; do
        stats=$out/work/afl/$target/$role/fuzzer_stats
        done=$(($(stat_of execs_done "$stats") - $(cat "$out/work/afl-$role.before")))
        if [ "$done" = 0 ]; then
            problem "afl $target: $role executed nothing, see logs/afl-$target-$round-$role.engine.log"
        fi
        runs=$((runs + done))
        new=$((new + $(stat_of corpus_found "$stats")))
        [ "$(stat_of edges_found "$stats")" -le "$edges" ] || edges=$(stat_of edges_found "$stats")
    done
    after=$(count_files "$out/corpora/$target")
    if [ "$before" -le 2 ] && started_empty "$target" && [ "$((new + after - before))" = 0 ]; then
        problem "afl $target: from an empty corpus it found no new coverage"
    fi
    engine_result "$target" afl "$round" "$runs" "$edges" "$((after - before))" "$4" "${@:5}"
}

stat_of() {
    local value
    value=$(sed -n -E "s/^$1 *: *([0-9]+).*/\1/p" "$2" 2>/dev/null || true)
    echo "${value:-0}"
}
