#!/usr/bin/env bash
# recipes.sh BUILD_DIR: the commands of fuzz/README.md do what they are there for.
#
# They are taken from the page, in its order, and typed in a folder that looks like the top of the tree, with
# two things planted: crash-HASH, for which the page leaves a name to fill in, and small, what minimising it
# would give. Fuzzers are stopped after some seconds; targets are built with SQLite as the machine has it.
# What takes minutes, or Docker, or another host, or changes the tree is not run, and is named with the
# reason. A command that this script does not know fails: it must be put among the one or the other.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$top/harness/setup.sh"
need fuzz
plain=$(cd "$1" && pwd)
seconds=10 # of each fuzzer
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

# leaves COMMAND: a file that must be there afterwards.
leaves() {
    case $1 in
    *afl-fuzz*) echo "findings-afl/default/queue/*" ;;
    *-fork=* | *-merge=1*) echo "corpus-now/*" ;;
    *--files*) echo "unpacked/main.db" ;;
    *--save*) echo found.case ;;
    "build/midcommit reduce"*) echo small.case ;;
    *) echo . ;;
    esac
}

cd "$work"
ln -s "$top/fuzz" "$top/harness" .
ln -s "$plain" build
mkdir build-fuzz findings
for engine in libfuzzer afl-plain; do
    ln -s "$("$top/fuzz/build.sh" "$engine" system journal_fuzzer wal_fuzzer)" "build-fuzz/$engine-current"
done
build/midcommit-seeds planted >/dev/null
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
    limit=60 status=0
    ! goes_on "$command" || limit=$seconds
    timeout -k 5 "$limit" bash -c "$command" >said 2>&1 </dev/null || status=$?
    ! goes_on "$command" || [ "$status" != 124 ] || status=0
    if [ "$status" != 0 ] || ! compgen -G "$(leaves "$command")" >/dev/null; then
        echo "$command: status $status, or it left nothing; it said:"
        tail -n 20 said
        exit 1
    fi
    ran=$((ran + 1))
done < <(commands)
echo "$ran commands did what the page says"
[ "$ran" -gt 5 ]
