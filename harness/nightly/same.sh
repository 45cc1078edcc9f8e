# same.sh: the same input gives the same result in a fresh process. Sourced by nightly.sh.

# A sample of each corpus, as large as the time allows: an input runs three times, alone and with others.
check_determinism() {
    local target
    for target in "${targets[@]}"; do
        same_results "$target" $(($(percent 3) * 4 / ${#targets[@]}))
    done
}

# same_results TARGET INPUTS: a difference is a finding.
same_results() {
    local target=$1 most=$(($2 < 200 ? $2 : 200)) said=$out/work/same/$1.said status=0 command
    mkdir -p "$out/work/same"
    most=$((most > 5 ? most : 5))
    within "$(left)" "$top/fuzz/determinism.sh" "$plain/$target" "$out/corpora/$target" "$most" \
        >"$said" 2>&1 || status=$?
    cat "$said"
    case $status in
    0 | 1) ;;
    124 | 137) note "determinism of $target: no time for a sample of $most inputs"; return ;;
    *) problem "determinism of $target: $(tail -n 1 "$said")"; return ;;
    esac
    if [ "$status" = 1 ]; then
        cp "$said" "$out/cases/determinism-$target.txt"
        command="fuzz/determinism.sh $(shown "$plain/$target") $(shown "$out/corpora/$target") $most"
        record_finding determinism "$target: not a function of its input" "$(head -n 1 "$said")" \
            "cases/determinism-$target.txt" "" "$command"
    fi
    sed -n -E "s/^$target: ([0-9]+) of .*; ([0-9]+) differences$/\1 \2/p" "$said" |
        jq -R --arg target "$target" 'split(" ") | map(tonumber)
            | {target: $target, sample: .[0], differences: .[1]}' | whole "$out/work/same/$target.json"
}
