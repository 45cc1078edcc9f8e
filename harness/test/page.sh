#!/usr/bin/env bash
# page.sh BUILD: the report page of a real run, in a real browser (harness/pagecheck/check.mjs), with names
# that are markup; and the same run as SARIF and Markdown.
set -euo pipefail
. "$(dirname "$0")/../setup.sh"
build=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
    echo "page: $*"
    exit 1
}

chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome) ||
    fail "there is no chromium"
mkdir bin
ln -s "$build/midcommit" bin/midcommit
export PATH=$work/bin:$PATH PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1
cp -r "$top/harness/pagecheck" check
(cd check && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >../npm.log 2>&1) ||
    fail "npm: $(tail -n 3 npm.log)"

hostile='./<img src=x onerror=window.pwned=1>.sql'
cat >"$hostile" <<'END'
CREATE TABLE "</script><script>window.pwned=1</script><b x>{{data}}" (id INTEGER PRIMARY KEY, body TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
INSERT INTO "</script><script>window.pwned=1</script><b x>{{data}}" SELECT i, printf('%0200d', i) FROM n;
-- @program
UPDATE "</script><script>window.pwned=1</script><b x>{{data}}" SET body = '<b x>&amp;' || id;
END
options=(--txns 2 --importer 'reject,abandon,recover,sqlite,exec:cp main.db out.db # <b x>')
midcommit run --workload "inplace,equal,$hostile" --mode delete,wal --crash kill "${options[@]}" \
    --quiet --json run.json --results run.jsonl --html run.html || [ $? = 1 ] || fail "run: $?"
grep -q 'class="quiet"\|<style>' run.html || fail "this build has no page; was npm there?"

# Another run, of which the page says what is new.
midcommit run --workload inplace,equal --mode delete,wal --crash kill --txns 1 --quiet --json less.json ||
    [ $? = 1 ] || fail "run: $?"
midcommit report less.json run.json -o compared.html || [ $? = 1 ] || fail "report OLD NEW: $?"
midcommit run --workload equal --mode delete,wal --sync normal,full --crash power:psow --txns 1 --quiet \
    --html power.html --json power.json || [ $? = 1 ] || fail "run, power: $?"
node check/check.mjs run.html run.json "$chromium" compared.html power.html ||
    fail "the page is not as it should be"

# From the results file comes the same page, but for what only the run knows: its programs and its time.
midcommit report run.jsonl -o again.html || fail "report: $?"
inside() {
    sed -n 's/.*<script type="application\/json" id="data">\(.*\)<\/script>.*/\1/p' "$1"
}
same='del(.timing, .films, .programs_left)'
inside run.html | jq "$same" >one.json
inside again.html | jq "$same" >two.json
cmp one.json two.json || fail "report makes another page than run"
[ "$(inside again.html | jq '.programs_left')" = true ] || fail "a program that a file named was run"

# What other systems read: what it says by its schema is schemas.sh's.
midcommit report run.json --sarif run.sarif --markdown run.md || fail "report: $?"
[ "$(jq '.runs[0].results | length' run.sarif)" = "$(jq '.findings | length' run.json)" ] ||
    fail "SARIF has not one result for each finding"
! grep -q '<' run.md || fail "a name is markup in the summary: $(grep '<' run.md)"

# The documented commands, on less than the default run.
mkdir docs
cp less.json docs/old.json
cp run.json docs/new.json
sed -n 's/^    //p' "$top/docs/report.md" >commands
[ "$(grep -c midcommit commands)" = 5 ] || fail "$(grep -c midcommit commands) commands are documented"
while read -r command; do
    command=${command/midcommit run/midcommit run --workload grow --txns 1 --quiet}
    (cd docs && rm -f report.html && bash -c "$command") >said 2>&1 || [ $? = 1 ] ||
        fail "$command: $(cat said)"
    case $command in *html*) [ -s docs/report.html ] || fail "$command: no page" ;; esac
done <commands
echo "page: done"
