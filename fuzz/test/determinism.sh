#!/usr/bin/env bash
# determinism.sh BUILD_DIR: fuzz/determinism.sh finds a target that depends on more than its input, of each
# kind that a planted driver can be, and passes the file targets of this build.
#
# The planted drivers are scripts that answer --hash as driver.c does; the real ones run on three inputs.
# (coverage.sh and compare.sh need instrumented builds of SQLite, which take minutes: the nightly runs them.)
set -euo pipefail
build=$1
top=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir "$work/corpus"
printf 'M\0\0\0' >"$work/corpus/empty"
printf 'M\020\0\0SQLite format 3\0J\0\0\0' >"$work/corpus/short"
printf 'no pieces' >"$work/corpus/noise"

# planted HASH [NOTES [BEFORE]]: a driver whose hash of an input is what HASH expands to while `place` is the
# input's place in its process; BEFORE runs for each input.
planted() {
    cat >"$work/driver" <<END
#!/usr/bin/env bash
shift
place=0
for input; do
    place=\$((place + 1))
    echo "running \$input" >&2
    ${3:-:}
    printf '%016x ${2:-1} notes, returned 0: %s\n' "$1" "\$input"
done
END
    chmod +x "$work/driver"
}

# expect STATUS WHAT [WORD]: determinism.sh on the planted driver ends so, and says WORD.
expect() {
    local status=0
    "$top/fuzz/determinism.sh" "$work/driver" "$work/corpus" >"$work/said" 2>&1 || status=$?
    if [ "$status" != "$1" ] || ! grep -q "${3:-}" "$work/said"; then
        echo "determinism.sh on $2: status $status, expected $1; it said:"
        cat "$work/said"
        exit 1
    fi
}

# shellcheck disable=SC2016 # expanded in the driver
{
    finding='{ echo "midcommit: finding: planted: %s" >&2; kill -ABRT $$; }'
    planted '$(cksum <"$input" | cut -d " " -f 1)'
    expect 0 "a function of the input" "3 of 3 inputs, 0 of them break the property; 0 differences"
    planted '$place'
    expect 1 "what ran before" "in the order of names: one process for all"
    planted '$other' 1 'other=$(($# > 1 && place == 1)); [ "${input##*/}" = short ] || other=0'
    expect 1 "what ran before, backwards" "backwards: one process for all"
    planted '$$'
    expect 1 "the process" "concludes otherwise"
    planted 0 1 '[ $place != 3 ] || '"${finding/\%s/late}"
    expect 1 "a finding that needs others before it" "which is good alone"
    planted 0 1 '[ "${input##*/}" != noise ] || '"${finding/\%s/always}"
    expect 0 "an input that breaks the property" "1 of them break the property; 0 differences"
    planted 0 1 '[ "${input##*/}" != noise ] || '"${finding/\%s/in \$\$}"
    expect 1 "a finding that depends on the process" "another: "
    planted 0 1 "${finding/\%s/always}"
    expect 3 "nothing but findings" "each input breaks the property"
    planted 0 0
    expect 3 "a target that notes nothing" "notes no conclusions"
}
for target in journal_fuzzer wal_fuzzer; do
    "$top/fuzz/determinism.sh" "$build/$target" "$work/corpus"
done
