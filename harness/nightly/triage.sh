# triage.sh: from inputs that crash to findings: one for each signature, as small as can be, as a case, and
# with the command that shows it again. Sourced by nightly.sh.

slug() {
    tr '[:upper:]' '[:lower:]' <<<"$1" | tr -cs 'a-z0-9\n' '-' | cut -c 1-100 | sed 's/^-*//; s/-*$//'
}

# shown PATH: as a person would type it: short when it lies in the tree.
shown() {
    case $1 in
    "$top"/*) printf %q "${1#"$top"/}" ;;
    *) printf %q "$1" ;;
    esac
}

is_known() {
    grep -qxF -- "$1" "$kept/known.txt" 2>/dev/null
}

is_recorded() {
    [ -f "$out/work/findings/$(slug "$1").json" ]
}

# record_finding SOURCE SIGNATURE TEXT INPUT CASE COMMAND
record_finding() {
    local new=true
    ! is_known "$2" || new=false
    jq -n --arg source "$1" --arg signature "$2" --arg text "$3" --arg input "$4" --arg case "$5" \
        --arg command "$6" --arg target "${finding_target:-}" --argjson new "$new" '
        def path: if . == "" then null else . end;
        {signature: $signature, source: $source, new: $new, text: $text, input: ($input | path),
         case: ($case | path), target: ($target | path), command: $command}' |
        whole "$out/work/findings/$(slug "$2").json"
    echo "finding: $2"
}

# signature_of TARGET INPUT: what the sanitized build says of it, or the plain one where that says nothing;
# nothing when both pass. What it said lies in work/said. Not cut by the end of the part, since that would
# make another signature of it.
signature_of() {
    local target=$1 input=$2 status=0 said=$out/work/said
    timeout -k 3 40 "$libfuzzer/$target" -rss_limit_mb="$memory" -timeout=25 \
        -exact_artifact_path=/dev/null "$input" >"$said" 2>&1 || status=$?
    if [ "$status" = 0 ]; then
        timeout -k 3 40 "$plain/$target" "$input" >"$said" 2>&1 || status=$?
    fi
    [ "$status" != 0 ] || return 0
    [ "$status" != 124 ] || { echo "$target: timeout"; return 0; }
    awk -v target="$target" '
        /^midcommit: finding: / && !found {
            split($0, part, ": ")
            found = part[4]
        }
        function after(pattern, text) { sub(".*" pattern, "", text); return text }
        /^SUMMARY: AddressSanitizer: / && !kind { kind = $3 }
        /: Assertion .* failed/ && !kind { kind = "assertion " after(": Assertion ", $0) }
        /: runtime error: / && !kind {
            kind = after(": runtime error: ", $0)
            gsub(/0x[0-9a-f]+|[0-9]+/, "N", kind) # addresses and values differ from input to input
        }
        /ERROR: libFuzzer: / && !kind {
            kind = after("ERROR: libFuzzer: ", $0)
            sub(/ [(].*/, "", kind)
        }
        /^ *#[0-9]+ 0x[0-9a-f]+ in / {
            sub(/[(].*/, "", $4)
            if ($4 !~ /^(__|fuzzer::|raise$|abort$|gsignal$|pthread_kill)|Interceptor/ && frames < 3) {
                stack = stack (frames++ ? " < " : " in ") $4
            }
        }
        END { print target ": " (found ? found : (kind ? kind : "crash") stack) }' "$said"
}

# First every input is given its signature, the smallest first, and the first of each is kept; then what was
# kept is made smaller and told as a case.
triage_target() {
    local target=$1 file signature seen=0 all gone=0 made=0
    all=$(count_files "$out/work/artifacts/$target")
    while read -r _ file; do
        ! over || break
        seen=$((seen + 1))
        signature=$(signature_of "$target" "$file")
        if [ -z "$signature" ]; then
            gone=$((gone + 1))
        elif ! is_recorded "$signature"; then
            cp "$file" "$out/cases/$(slug "$signature").input"
            fuzz_finding "$target" "$signature" "$(said_in_short)" ""
        fi
    done < <(files_in "$out/work/artifacts/$target" | xargs -r -d '\n' stat -c '%s %n' | sort -n)
    [ "$seen" = "$all" ] || note "$target: $((all - seen)) of $all crashing inputs were not looked at"
    [ "$gone" = 0 ] || note "$target: $gone inputs that an engine stopped at pass when they are run again"
    records findings | jq -c --arg target "$target" 'select(.target == $target and .new and .case == null)' |
        while read -r finding; do
            if over && [ "$made" -gt 0 ]; then
                note "$target: there was no time to make cases of all findings"
                break
            fi
            made=$((made + 1))
            improve "$target" "$(jq -r .signature <<<"$finding")" "$(jq -r .text <<<"$finding")"
        done
}

said_in_short() {
    grep -a -m 1 -E '^midcommit: finding|^SUMMARY|runtime error:|Assertion' "$out/work/said" |
        sed -E 's/ \(\/.*//; s/^midcommit: finding: [^:]*: [^:]*: //' || true
}

# fuzz_finding TARGET SIGNATURE TEXT CASE
fuzz_finding() {
    local input
    input=cases/$(slug "$2").input
    finding_target=$1 record_finding fuzz "$2" "$3" "$input" "$4" \
        "$(shown "$libfuzzer/$1") $(shown "$out/$input")"
}

# improve TARGET SIGNATURE TEXT: a smaller input, if the signature stays, and a case. An input that is cut off
# from its time stays as it is.
improve() {
    local target=$1 signature=$2 input small=$out/work/small made
    input=$out/cases/$(slug "$signature").input
    rm -f "$small"
    if [ "$(left)" -gt 3 ]; then
        within $(($(left) / 2)) "$libfuzzer/$target" -minimize_crash=1 -max_total_time=$(($(left) / 3)) \
            -rss_limit_mb="$memory" -timeout=25 -exact_artifact_path="$small" "$input" >/dev/null 2>&1 || true
        if [ -s "$small" ] && [ "$(signature_of "$target" "$small")" = "$signature" ]; then
            mv "$small" "$input"
        fi
    fi
    made=$(case_of "$target" "$input" "$(slug "$signature")")
    [ -z "$made" ] || fuzz_finding "$target" "$signature" "$3" "$made"
}

# case_of TARGET INPUT NAME: cases/NAME.case of what the input stands for, reduced when it can be; prints
# that, or nothing when the input is no state that midcommit explains.
case_of() {
    local target=$1 input=$2 name=$3 files=$out/work/files command
    rm -rf "$files"
    command=$(timeout -k 3 20 "$plain/$target" --files "$files" "$input") || return 0
    command=${command##*midcommit explain }
    (cd "$files" && timeout -k 3 20 "$midcommit" explain "$command" --save "$files/found.case") >/dev/null ||
        return 0
    [ -f "$files/found.case" ] || return 0
    if timeout -k 3 20 "$midcommit" reduce "$files/found.case" -o "$files/small.case" >/dev/null; then
        mv "$files/small.case" "$files/found.case"
    fi
    mv "$files/found.case" "$out/cases/$name.case"
    echo "cases/$name.case"
}
