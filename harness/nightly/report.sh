# report.sh: what people and programs read of a night. Sourced by nightly.sh.

afl_left_out=0

# summary_json ENDED: everything as one JSON; what people read is made of it.
summary_json() {
    jq -n --argjson ended "$1" --argjson minutes "$minutes" --argjson seed "$seed" --arg sqlite "$sqlite" \
        --argjson used $((EPOCHSECONDS - clock_start)) --argjson left_out "$afl_left_out" \
        --arg targets "${targets[*]}" --argjson jobs "$jobs" --argjson memory "$memory" \
        --slurpfile machine <(cat "$out/work/machine.json" 2>/dev/null || true) \
        --slurpfile corpora <(records corpora) \
        --slurpfile same <(records same) \
        --slurpfile coverage <(cat "$out/coverage/coverage.json" 2>/dev/null || true) \
        --slurpfile phases <(records phases) \
        --slurpfile findings <(records findings) \
        --slurpfile engines <(records engines) \
        --slurpfile canaries <(records canary) \
        --slurpfile cells <(records enumerate) -f "$nightly/summary.jq"
}

# The parts of the night, its findings, and the cases of the corpus.
junit_xml() {
    echo '<?xml version="1.0" encoding="UTF-8"?>'
    echo '<testsuites>'
    jq -r -f "$nightly/junit.jq" "$out/summary.json" | tr -d '\000-\010\013\014\016-\037'
    [ ! -f "$out/work/corpus.xml" ] || grep -vE '^<(\?xml|/?testsuites)' "$out/work/corpus.xml"
    echo '</testsuites>'
}

# write_reports ENDED: after each part, so that a night that is killed has them, too.
write_reports() {
    summary_json "$1" | whole "$out/summary.json"
    jq -r -f "$nightly/summary.md.jq" "$out/summary.json" | whole "$out/summary.md"
    junit_xml | whole "$out/junit.xml"
}

finish_night() {
    keep_for_next_night
    write_reports true
    sweep
    say "$(head -n 1 "$out/summary.md" | sed 's/^# //'); see $(shown "$out/summary.md")"
    exit "$(jq .status "$out/summary.json")"
}
