#!/usr/bin/env bash
# cluster.sh BUILD: the commands of docs/many-machines.md, as they stand there, on an installed midcommit;
# what their exit statuses do to the job; and the manifest, which must be valid.
#
# No second host and no cluster is here. `ssh HOST COMMAND` runs COMMAND in a folder HOST; `kubectl` checks
# the manifest by Kubernetes' schema and treats its pods as the Job controller would (job.mjs).
set -euo pipefail
. "$(dirname "$0")/../setup.sh"
build=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
    echo "cluster: $*"
    exit 1
}

mkdir bin hosts hosts/one hosts/two volume
cmake --install "$build" --prefix "$work/usr" >install.log || fail "cmake --install: $(tail -n 1 install.log)"
cat >bin/ssh <<'END'
#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift; done # parallel's own options
host=$1
shift
[ "$host" != -- ] || { host=$1; shift; }
[ "${1:-}" != -- ] || shift
echo "$host" >>"$WORK/contacted"
cd "$WORK/hosts/$host" && exec sh -c "$*"
END
cat >bin/kubectl <<'END'
#!/bin/sh
case $1 in
apply) node "$WORK/check/job.mjs" run "$WORK/job.yaml" >"$WORK/pods" 2>&1 || touch "$WORK/failed" ;;
wait) [ ! -e "$WORK/failed" ] ;;
esac
END
chmod +x bin/ssh bin/kubectl
# parallel asks $SHELL how to quote what it sends to a host; a login has one, a job of a CI server may not.
export WORK=$work PATH=$work/bin:$work/usr/bin:$PATH SHELL=${SHELL:-/bin/bash}

# As installed there, and with the volume in a folder of this test's.
here() {
    sed -E -e "s#/usr/local#$work/usr#g" -e "s#(^|[ :])/results#\1$work/volume#g"
}

cp -r "$top/harness/cluster/check" check
(cd check && npm ci --ignore-scripts --loglevel=error >../npm.log 2>&1) || fail "npm: $(tail -n 3 npm.log)"
manifest=$top/harness/cluster/job.yaml
node check/job.mjs check "$manifest" || fail "job.yaml is not valid"

# The check can fail: each of these manifests has one mistake.
while read -r mistake; do
    sed -E "$mistake" "$manifest" >wrong.yaml
    ! cmp -s "$manifest" wrong.yaml || fail "$mistake changes nothing"
    ! node check/job.mjs check wrong.yaml >said 2>&1 || fail "valid: $mistake"
    grep -q '^wrong.yaml: ' said || fail "$mistake: $(head -n 1 said)"
done <<'END'
s/podFailurePolicy/podFailurePolcy/
s/completions: 8/completions: eight/
s/values: .2./values: [0]/
s/action: FailJob/action: Fail/
s/Never/OnFailure/
s/containerName: shard/containerName: other/
s/mountPath/mountpath/
s#batch/v1#batch/v2#
s/claimName/claim/
END

# ---- the documented commands, in their order; what they must give ----

merges=0
whole() {
    midcommit run --workload inplace,grow --txns 2 "$@" || [ $? = 1 ]
}
whole >whole.txt
whole --json - | jq 'del(.timing)' >whole.json
here <"$manifest" >job.yaml
sed -n 's/^    //p' "$top/docs/many-machines.md" | here >commands
while read -r command; do
    bash -c "$command" >out.txt 2>err.txt </dev/null || fail "$command: status $?: $(tail -n 3 err.txt)"
    case $command in
    *--json*) jq 'del(.timing)' out.txt | cmp - whole.json || fail "$command: another result" ;;
    *--merge*) cmp out.txt whole.txt || fail "$command: another table" ;;
    esac
    case $command in *--merge*) merges=$((merges + 1)) ;; esac
done <commands
[ "$merges" = 5 ] || fail "$merges merges were documented, expected 5"
[ "$(sort -u contacted | xargs)" = "one two" ] || fail "hosts: $(sort -u contacted | xargs)"
[ "$(grep -c 'ended with 0: Succeeded' pods)" = 8 ] || fail "pods: $(cat pods)"

# ---- what an exit status does ----

# A shard that cannot run is the one that is run again; one with findings is done.
shard=$work/usr/share/midcommit/cluster/shard.sh
findings="--workload inplace --txns 1 --mode delete --require abandon"
again() {
    seq 3 | parallel --joblog again.log --resume-failed "$shard" again {}/3 "$findings" 2>again.err
}
mkdir -p again/2-of-3.jsonl # no place for a file
! again || fail "a shard that cannot run is no failure"
[ "$(awk 'NR > 1 { print $7 }' again.log | sort | xargs)" = "0 0 3" ] || fail "joblog: $(cat again.log)"
rmdir again/2-of-3.jsonl
again || fail "the failed shard again: $(cat again.err)"
[ "$(awk 'NR > 1' again.log | wc -l)" = 4 ] || fail "more was run again than had failed: $(cat again.log)"
status=0
midcommit run --merge again/*.jsonl >out.txt || status=$?
[ "$status" = 1 ] || fail "the merge of findings ends with $status"

# job NAME STATUS SED LINE...: the Job's status, and what it says of its pods, with the manifest changed.
job() {
    local name=$1 expected=$2 change=$3 status=0
    shift 3
    sed -E "$change" job.yaml >"$name.yaml"
    rm -rf volume/*
    node check/job.mjs run "$name.yaml" >pods 2>job.err || status=$?
    [ "$status" = "$expected" ] || fail "job, $name: status $status: $(cat pods job.err)"
    printf '%s\n' "$@" | cmp - pods || fail "job, $name: $(cat pods)"
}
two='s/completions: 8/completions: 2/; s#1\)\)/8#1))/2#'
job findings 0 "$two; s/--workload.*/$findings/" 'pod 0: ended with 0: Succeeded' \
    'pod 1: ended with 0: Succeeded'
job usage 1 "$two; s/--txns 2/--txns none/" 'pod 0: ended with 2: FailJob'
job cannot 1 "$two; s/backoffLimit: 8/backoffLimit: 1/; s/inplace,grow/missing.sql/" \
    'pod 0: ended with 3: Count' 'pod 0: ended with 3: Count'
job killed 0 "$two; s#exec .*#test -e $work/once || { touch $work/once; kill -9 \$\$; }; &#" \
    'pod 0: ended with 137: Count' 'pod 0: ended with 0: Succeeded' \
    'pod 1: ended with 0: Succeeded'

# ---- shard.sh ----

for usage in "" "folder" "folder 1" "folder 0/2" "folder 1/2 --nonsense"; do
    status=0
    # shellcheck disable=SC2086 # words
    "$shard" $usage >out.txt 2>err.txt || status=$?
    [ "$status" = 2 ] && [ "$(wc -l <err.txt)" = 1 ] || fail "shard.sh $usage: $status, $(cat err.txt)"
done
status=0
MIDCOMMIT=/nonexistent "$shard" folder 1/2 2>err.txt || status=$?
[ "$status" = 3 ] || fail "shard.sh without midcommit: $status"

# Its end is the run's end, and the run goes on later.
"$shard" ended 1/1 --workload inplace,grow,equal,modes &
pid=$!
until [ -s ended/1-of-1.jsonl ]; do sleep 0.05; done
kill -TERM "$pid"
status=0
wait "$pid" || status=$?
[ "$status" = 143 ] || fail "shard.sh, ended: $status"
"$shard" ended 1/1 --workload inplace,grow,equal,modes || fail "shard.sh does not go on"
midcommit run --merge ended/*.jsonl >ended.txt
midcommit run --workload inplace,grow,equal,modes | cmp - ended.txt || fail "the ended run is another"
echo "cluster: $(wc -l <commands) documented commands, all as they say"
