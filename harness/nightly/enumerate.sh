# enumerate.sh: crash states, until the time is over. Sourced by nightly.sh.

shards=18 # of a cell: a workload each, so that something is finished in a short night, too

# The cells of one pass, in an order of the seed's: mode, sync, crash model, shard. Every second one is a
# power loss, as long as there are both; the first is not, since those take longer.
cells() {
    paste -d '\n' <(shards_of lives) <(shards_of dies) | sed '/^$/d'
}

shards_of() {
    local part
    for ((part = 1; part <= shards; part++)); do
        "$1" | sed "s#\$# $part/$shards#"
    done | shuf --random-source=<(yes "$seed")
}

# The machine lives.
lives() {
    local mode sync
    for sync in full normal extra off; do
        for mode in delete wal truncate persist memory off; do
            echo "$mode $sync kill"
        done
        echo "delete $sync kv:journal"
        echo "delete $sync kv:batch"
        echo "delete $sync kv:batch-128"
    done
}

# It dies.
dies() {
    local mode sync profile
    for sync in full normal extra; do
        for mode in delete wal truncate persist; do
            for profile in strict psow ext4 xfs btrfs sector-512; do
                echo "$mode $sync power:$profile"
            done
        done
    done
}

# Pass after pass over the cells in an order of the seed's, each pass with a seed of its own. A cell is cut
# short by the clock alone, and goes on from its results when the night is resumed.
enumerate() {
    local pass=0 done=0 all mode sync crash shard work=$out/work/enumerate
    mkdir -p "$work"
    all=$(cells | wc -l)
    while ! over; do
        pass=$((pass + 1))
        while read -r mode sync crash shard; do
            ! over || break
            one_cell "$work/$pass-$mode-$sync-${crash/:/-}-${shard%/*}" "$mode" "$sync" "$crash" \
                $((seed + pass - 1)) "$shard"
        done < <(cells)
    done
    done=$(find "$work" -name cell.json | wc -l)
    note "crash states: $done shards of a mode, sync and model were finished; one pass has $all"
    [ "$done" != 0 ] || find "$work" -name results | grep -q . || problem "enumerate: no cell was begun"
    [ "$(states_judged)" != 0 ] || problem "enumerate: no state was judged"
}

one_cell() {
    local folder=$1 mode=$2 sync=$3 crash=$4 status=0 budget=()
    # Classes of a power loss take memory: the largest cell has passed 3 GB with 2,000 a crash point.
    [[ $crash != power:* ]] || budget=(--budget 100)
    [ ! -f "$folder/cell.json" ] || return 0
    mkdir -p "$folder"
    program "$(left)" run --mode "$mode" --sync "$sync" --crash "$crash" --seed "$5" \
        --shard "$6" --importer "$importer,sqlite" --require "$importer" --jobs "$jobs" --quiet \
        "${budget[@]}" --cases "$folder/cases" \
        --json "$folder/run.json" --results "$folder/results" --resume 2>"$folder/said" || status=$?
    cat "$folder/said"
    case $status in
    0 | 1)
        jq --arg folder "$(basename "$folder")" --argjson seed "$5" --argjson status "$status" \
            --arg options "--mode $mode --sync $sync --crash $crash --shard $6 --seed $5 ${budget[*]}" \
            --arg crash "$crash" \
            '{folder: $folder, options: $options, crash: $crash, seed: $seed, status: $status,
              findings: [.findings[] | select(.fails)],
              states: ([.cells[] | select(.importer == "sqlite") | .states] | add // 0),
              disagreements: (.recover_against_sqlite.disagreements // 0)}' "$folder/run.json" |
            whole "$folder/cell.json"
        ;;
    124 | 137) ;; # the night's time
    2) note "midcommit run --mode $mode --crash $crash: $(tail -n 1 "$folder/said")" ;;
    3) # the classes of a large cell may need more than a process of the night has
        if [[ $crash == power:* ]] && grep -q 'power: out of memory$' "$folder/said"; then
            note "not judged, $memory MB were not enough: --mode $mode --sync $sync --crash $crash --shard $6"
        else
            problem "midcommit run --mode $mode --sync $sync --crash $crash --seed $5: status $status"
        fi
        ;;
    *) problem "midcommit run --mode $mode --sync $sync --crash $crash --seed $5: status $status" ;;
    esac
}

states_judged() {
    records enumerate | jq -s 'map(.states) | add // 0'
}

# A finding of a cell that failed, by its signature; or the cell itself, when it says no more. What there is
# no time for is new again in the next night; the first is always taken, so that this night is red.
triage_states() {
    local cell line signature state options taken=0
    for cell in "$out/work/enumerate"/*/cell.json; do
        [ -f "$cell" ] && [ "$(jq .status "$cell")" = 1 ] || continue
        options="--seed $(jq -r .seed "$cell")"
        while read -r line; do
            if over && [ "$taken" -gt 0 ]; then
                note "crash states: there are more findings, for which there was no time: work/enumerate"
                return
            fi
            taken=$((taken + 1))
            signature=$(jq -r .signature <<<"$line")
            state=$(jq -r .case <<<"$line")
            is_recorded "run: $signature" ||
                record_finding run "run: $signature" \
                    "$(jq -r '"\(.verdict), \(.count) states"' <<<"$line")" \
                    "" "$(state_case "${cell%/*}" "$signature")" \
                    "$(shown "$midcommit") explain $state $options --importer $(printf %q "$importer")"
        done < <(jq -c '.findings[]' "$cell")
        if [ "$(jq '.findings | length' "$cell")" = 0 ]; then
            record_finding run "run: $(jq -r '.folder | sub("^[0-9]+-"; "")' "$cell"): no signature" \
                "$(jq -r '"recover and SQLite disagree in \(.disagreements) states"' "$cell")" "" "" \
                "$(shown "$midcommit") run $(jq -r .options "$cell") --importer $importer,sqlite"
        fi
    done
}

# state_case FOLDER SIGNATURE: the case that the run kept of that signature, reduced, as cases/NAME.
state_case() {
    local start file small=$out/work/small.case
    start=$(tr -cs 'a-z0-9\n' '-' <<<"${2,,}")
    for file in "$1/cases/$start"-????????.case; do
        [ -f "$file" ] || continue
        rm -f "$small"
        [ "$(left)" -gt 1 ] && program 60 reduce "$file" -o "$small" >/dev/null ||
            cp "$file" "$small"
        mv "$small" "$out/cases/$(basename "$file")"
        echo "cases/$(basename "$file")"
        return
    done
}
