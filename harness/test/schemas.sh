#!/usr/bin/env bash
# schemas.sh BUILD: what the commands write is what the files of reports/schema say, SARIF what its own
# schema says; and the schemas say enough: a document with one key's value replaced is not valid.
set -euo pipefail
. "$(dirname "$0")/../setup.sh"
build=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
    echo "schemas: $*"
    exit 1
}

cp -r "$top/reports/schema/check" check
(cd check && npm ci --ignore-scripts --loglevel=error >../npm.log 2>&1) || fail "npm: $(tail -n 3 npm.log)"
midcommit=$build/midcommit

# valid SCHEMA DOCUMENT...
valid() {
    node check/check.mjs "$@" || fail "$1: not valid"
}

# The workload has a name that no page may take for markup, and no URI for its own.
printf 'CREATE TABLE t(a);\n-- @program\nINSERT INTO t VALUES(1);\nUPDATE t SET a = 2;\n' >'a <b>|`c`.sql'
"$midcommit" run --workload 'inplace,a <b>|`c`.sql' --txns 1 --mode delete,wal --depth 2 --quiet \
    --json kill.json --sarif kill.sarif --markdown kill.md
"$midcommit" run --workload 'a <b>|`c`.sql' --crash power:ext4-ordered --mode delete --sync normal --quiet \
    --json power.json --sarif power.sarif --markdown power.md
"$midcommit" run --workload inplace --txns 1 --mode delete --crash kill --sidecars older-journal --quiet \
    --importer 'abandon,exec:cp main.db out.db' --json handed.json --sarif handed.sarif
"$midcommit" run --workload inplace --txns 1 --mode delete --crash kill --require abandon --quiet \
    --sarif failed.sarif --markdown failed.md && fail "abandon is never clean, and was required"
"$midcommit" migrate --from-kv "$top/corpus/rivet-kv/grow_10_k0001.jsonl" --json migrate.json 2>/dev/null
"$midcommit" migrate --from-kv "$top/corpus/rivet-kv/vacuum_k0002.jsonl" --policy reject \
    --json refused.json 2>/dev/null || true
mkdir cases
for file in "$top"/corpus/*/*.case; do
    tar --zstd -xOf "$file" case.json >"cases/$(basename "$file").json"
done

jq -e '.second_crashes | length > 0' kill.json >/dev/null || fail "no second crash was judged"
schema=$top/reports/schema
valid "$schema/run-1.json" kill.json power.json handed.json
valid --each-mistake "$schema/run-1.json" kill.json power.json
valid "$schema/migrate-1.json" migrate.json refused.json
valid --each-mistake "$schema/migrate-1.json" migrate.json
valid "$schema/case-1.json" cases/*.json
valid sarif kill.sarif power.sarif handed.sarif failed.sarif

# As many results as the JSON has findings, each with its first state, as explain takes it.
for name in kill power; do
    jq -e --slurpfile run $name.json '
        .runs[0].results as $found | ($found | length) > 3 and
        ($run[0].findings | length) == ($found | length)
        and all($run[0].findings[]; . as $f | any($found[];
            .partialFingerprints["midcommitSignature/v1"] == $f.signature and .occurrenceCount == $f.count
            and (.message.text | contains($f.case))))' $name.sarif >/dev/null ||
        fail "$name.sarif: other findings than $name.json"
    # A cell of a table ends where it should: every line of one has as many bars as its head.
    awk -F '|' '/^\|/ { if (!head) head = NF; if (NF != head) { print; bad = 1 } next }
        { head = 0 } END { exit bad }' $name.md || fail "$name.md: a row is broken"
    ! grep -q '<b>' $name.md || fail "$name.md: a name is markup"
done
jq -e '[.runs[0].results[] | select(.level == "error")] | length > 0' failed.sarif >/dev/null ||
    fail "failed.sarif: no error"
grep -q 'Findings that fail the run' failed.md || fail "failed.md: $(head -n 3 failed.md)"
state=$(jq -r '[.runs[0].results[] | select(.ruleId == "torn-silent")][0].message.text' kill.sarif |
    sed 's/.* explain //')
"$midcommit" explain "$state" >story.txt || fail "explain $state: $?"
grep -q '^Torn, silent: ' story.txt || fail "explain $state: $(head -n 3 story.txt)"
"$midcommit" run --workload inplace --txns 1 --mode delete --crash kill --markdown - >out.md
grep -q '^| abandon | ' out.md && ! grep -q '^workload' out.md || fail "--markdown -: $(head -n 3 out.md)"
for pair in "json sarif" "markdown sarif" "sarif results" "html json"; do
    status=0
    # shellcheck disable=SC2086 # two words
    set -- $pair
    "$midcommit" run --"$1" same --"$2" ./same 2>err.txt || status=$?
    [ "$status" = 2 ] && [ "$(wc -l <err.txt)" = 1 ] || fail "--$1 and --$2 in one file: status $status"
done
"$midcommit" run --workload grow --txns 1 --mode delete --crash kill --quiet --results merged.jsonl
for output in json markdown sarif html; do
    cp merged.jsonl before.jsonl
    status=0
    "$midcommit" run --merge --"$output" ./merged.jsonl merged.jsonl 2>err.txt || status=$?
    [ "$status" = 2 ] && cmp -s before.jsonl merged.jsonl || fail "--merge --$output over its input: $status"
done
echo "schemas: $(find cases -name '*.json' | wc -l) cases and all formats are what their schemas say"
