#!/usr/bin/env bash
# recipes.sh BUILD_DIR: the commands of fuzz/README.md do what they are there for.
#
# They are taken from the page, in its order, and typed in a folder that looks like the top of the tree, with
# two things planted: crash-HASH, for which the page leaves a name to fill in, and small, what minimising it
# would give. Fuzzers are stopped when they have fuzzed; targets are built with SQLite as the machine has it.
# What takes minutes, or Docker, or another host, or changes the tree is not run, and is named with the
# reason. A command that this script does not know fails: it must be put among the one or the other.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$top/harness/setup.sh"
need fuzz
plain=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The indented lines of the page, those that end in a backslash joined with the next, without comments.
commands() {
    sed -n 's/^    //p' "$top/fuzz/README.md" |
        sed -e ':join' -e '/\\$/{N;s/ *\\\n */ /;bjoin' -e '}' -e 's/  *# .*//'
}

why_not() {
    case $1 in
    fuzz/build.sh* | cmake*) echo "builds for minutes" ;;
    harness/nightly.sh*) echo "takes minutes; harness/test/nightly.sh runs it" ;;
    fuzz/coverage.sh* | fuzz/determinism.sh*) echo "builds for minutes; the night runs it" ;;
    *-minimize_crash=1*) echo "needs an input that crashes" ;;
    harness/corpus-add* | "sed -i"*) echo "changes the tree" ;;
    "host "[0-9]* | rsync*) echo "needs other hosts" ;;
    docker*) echo "needs Docker" ;;
    esac
}

# goes_on COMMAND: whether it runs until it is stopped.
goes_on() {
    case $1 in *afl-fuzz* | *-fork=*) ;; *) false ;; esac
}

# did COMMAND: whether it left what it is for; what it said lies in said.
did() {
    case $1 in
    *-fork=*) grep -qE '^#[1-9][0-9]*: cov: [1-9]' said ;;
    *afl-fuzz*) grep -qsE '^execs_done *: [1-9]' findings-afl/default/fuzzer_stats ;;
    *-merge=1*) [ -n "$(find corpus-now -type f -print -quit)" ] ;;
    *--files*) [ -f unpacked/main.db ] ;;
    *--save*) [ -f found.case ] ;;
    "build/midcommit reduce"*) [ -f small.case ] ;;
    esac
}

cd "$work"
ln -s "$top/fuzz" "$top/harness" .
ln -s "$plain" build
mkdir build-fuzz findings
for engine in libfuzzer afl-plain; do
    ln -s "$("$top/fuzz/build.sh" "$engine" system journal_fuzzer wal_fuzzer)" "build-fuzz/$engine-current"
done
build/midcommit-seeds planted
cp "$(find planted/journal_fuzzer -name 'spill-delete-*' | sort | head -n 1)" findings/crash-HASH
cp findings/crash-HASH small

ran=0
while read -r command; do
    reason=$(why_not "$command")
    if [ -n "$reason" ]; then
        echo "not run: $command: $reason"
        continue
    fi
    case $command in
    mkdir* | cp\ -r\ fuzz/oss-fuzz* | build*/* | AFL_SKIP_CPUFREQ=1*) ;;
    *) echo "unknown: $command"; exit 1 ;;
    esac
    status=0
    timeout -k 5 90 bash -c "$command" >said 2>&1 </dev/null &
    if goes_on "$command"; then
        until did "$command" || ! kill -0 $! 2>/dev/null; do sleep 0.5; done
        kill $! 2>/dev/null || true
        wait $! || true
    else
        wait $! || status=$?
    fi
    if [ "$status" != 0 ] || ! did "$command"; then
        echo "$command: status $status, or it did nothing; it said:"
        tail -n 20 said
        exit 1
    fi
    ran=$((ran + 1))
done < <(commands)
echo "$ran commands did what the page says"
[ "$ran" -gt 5 ]
