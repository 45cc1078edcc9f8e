# phases.sh: the parts of a night, each with its time, its log and its record. Sourced by nightly.sh.

start_guard() {
    env -u MIDCOMMIT_NIGHT setsid "$nightly/guard.sh" $$ "$MIDCOMMIT_NIGHT" {night_lock}>&- \
        </dev/null >/dev/null 2>&1 &
    disown
}

# Ends what the night has started, the subshells of a part among it.
sweep() {
    env -u MIDCOMMIT_NIGHT "$nightly/guard.sh" now "$MIDCOMMIT_NIGHT" $$ || true
}

# What was used before a --resume counts; so does nothing of the building.
start_clock() {
    local before
    before=$(records phases | jq -s 'map(.seconds) | add // 0')
    budget=$((minutes * 60))
    clock_start=$((EPOCHSECONDS - before))
    say "night of $minutes minutes, seed $seed, in $out"
}

# records KIND: all that were written so far, perhaps none.
records() {
    find "$out/work/$1" -name '*.json' -not -name run.json 2>/dev/null | LC_ALL=C sort |
        xargs -r -d '\n' cat
}

# The seconds left of the night.
night_left() {
    local left=$((clock_start + budget - EPOCHSECONDS))
    echo $((left > 0 ? left : 0))
}

# percent N: that part of the whole night, in seconds.
percent() {
    echo $((budget * $1 / 100))
}

# at_most SECONDS PERCENT: the less of both.
at_most() {
    local seconds
    seconds=$(percent "$2")
    echo $((seconds < $1 ? seconds : $1))
}

# all_but N: what is left of the night, but for N percent of the whole.
all_but() {
    echo $(($(night_left) - $(percent "$1")))
}

# shared PERCENT: what each target has of that part of the night.
shared() {
    echo $(($(percent "$1") / ${#targets[@]}))
}

# left: the seconds left of this part; at least 1, since timeout takes 0 for no limit.
left() {
    local seconds=$((phase_end - EPOCHSECONDS))
    echo $((seconds > 0 ? seconds : 1))
}

over() {
    [ "$EPOCHSECONDS" -ge "$phase_end" ]
}

# within SECONDS COMMAND...: ends COMMAND and its group then; its status, or 124. Never beyond the part.
within() {
    local most
    most=$(left)
    local seconds=$(($1 < most ? $1 : most))
    shift
    timeout -k 3 "$seconds" "$@"
}

# program SECONDS ARGUMENT...: midcommit, likewise, each of its processes within the night's memory.
program() {
    within "$1" prlimit --data=$((memory << 20)) "$midcommit" "${@:2}"
}

# problem TEXT: this part did not do what it is for. note TEXT: a reader of the summary should know.
problem() {
    echo "$*" >>"$phase_file.problems"
    echo "problem: $*"
}

note() {
    grep -qxF -- "$*" "$phase_file.notes" || echo "$*" >>"$phase_file.notes"
    echo "note: $*"
}

# phase NAME SECONDS FUNCTION ARGUMENT...: runs a part of the night, unless it is done, in a process of its
# own, so that a signal reaches this script at once. What is reserved for later parts it does not use.
phase() {
    phase_name=$1
    local seconds=$2 started=$EPOCHSECONDS status=0 most
    shift 2
    phase_file=$out/work/problems/$phase_name
    ! done_well "$phase_name" || return 0
    : >"$phase_file.problems"
    : >"$phase_file.notes"
    most=$(($(night_left) - reserved))
    seconds=$((seconds < most ? seconds : most))
    phase_end=$((started + (seconds > 0 ? seconds : 1)))
    say "$phase_name: $((phase_end - started)) s"
    "$@" >"$out/logs/$phase_name.log" 2>&1 &
    wait $! || status=$?
    [ "$status" = 0 ] || problem "$phase_name: ended with status $status, see logs/$phase_name.log" >/dev/null
    jq -n --arg name "$phase_name" --argjson started $((started - clock_start)) \
        --argjson seconds $((EPOCHSECONDS - started)) \
        --rawfile problems "$phase_file.problems" --rawfile notes "$phase_file.notes" '
        def lines: split("\n") | map(select(. != ""));
        {name: $name, started: $started, outcome: (if $problems == "" then "ran" else "failed" end),
         seconds: $seconds, problems: ($problems | lines), notes: ($notes | lines)}' |
        whole "$out/work/phases/$phase_name.json"
    [ ! -s "$phase_file.problems" ] || say "$phase_name: $(head -n 1 "$phase_file.problems")"
    write_reports false
}

done_well() {
    [ "$(jq -r .outcome "$out/work/phases/$1.json" 2>/dev/null)" = ran ]
}

interrupted() {
    trap '' INT TERM HUP
    say "interrupted; go on with: harness/nightly.sh --resume --out $(shown "$out")"
    sweep
    write_reports false
    exit "$(jq .status "$out/summary.json")"
}
