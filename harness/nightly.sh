#!/usr/bin/env bash
# nightly.sh --minutes N [OPTION...]: the nightly job, on any machine. Installs and builds what is
# missing, then uses N minutes: replays the corpus, looks for planted mistakes, fuzzes every target with
# libFuzzer and AFL++, turns each finding into a reduced case, and fills what is left with crash states.
#
#   --minutes N       all of the night but building; kept to within a tenth
#   --out DIR         a new folder for what comes out; build/nights/DATE-TIME if not given
#   --kept DIR        what one night hands to the next: known.txt, the signatures of all findings so far
#                     (take a line out, and its finding is new again), and corpora/; DIR of --out/../kept
#   --resume          go on with the night in --out, by the options it was started with
#   --jobs N          processes at a time; one per core
#   --memory MB       of each process that the night starts; 512
#   --fuzz PERCENT    of the time for the fuzzers, half of it for each engine; 60, at most 80
#   --weekly          afl-tmin, too, for the inputs of the corpora
#   --seed N          of the night; from the date if not given
#   --sqlite KIND     current or debian (fuzz/build.sh); system, for tests of this script
#   --targets LIST    with commas between them; all fuzz/*_fuzzer.c
#   --importer NAME   which must be clean wherever SQLite is; recover
#   --built DIR       builds nothing and takes DIR/{plain,libfuzzer,afl-plain,afl-cmplog}, and DIR/afl if it
#                     is there
#
# DIR gets summary.md, summary.json, junit.xml, coverage/, corpora/, cases/, logs/, and in work/ what
# --resume needs. Files are written whole, then renamed; a part of the night is recorded when it ends.
#
# Exit status: 1 a finding that known.txt did not have; 2 wrong usage; 3 something did not run, did
# nothing, or a planted mistake was not found; 0 otherwise.
set -euo pipefail
nightly=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/nightly
. "$nightly/../setup.sh"

# Everything that a night starts carries this mark in its environment; see guard.sh.
case ${MIDCOMMIT_NIGHT:-} in
"$$-"*) ;;
*) MIDCOMMIT_NIGHT=$$-$(date +%s%N) exec "${BASH_SOURCE[0]}" "$@" ;;
esac
for part in options phases engines canary libfuzzer afl corpora same triage enumerate report; do
    # shellcheck source=/dev/null
    . "$nightly/$part.sh"
done

parse_options "$@"
open_night
build_engines
describe_machine
start_guard
trap 'interrupted' INT TERM HUP
start_clock

# These are limits: what a part leaves goes to the crash states, which take all that there is, and at least
# what is reserved, on a machine that is busy with other things.
reserved=$(percent 10)
phase replay "$(at_most 600 15)" replay_corpus
phase canary "$(at_most 900 25)" find_canaries
fuzz_all "$(percent "$fuzz")"
for target in "${targets[@]}"; do
    phase "corpus-$target" "$(shared 7)" merge_corpus "$target"
done
for target in "${targets[@]}"; do
    phase "triage-$target" "$(shared 6)" triage_target "$target"
done
phase determinism "$(percent 3)" check_determinism
phase coverage "$(at_most 900 8)" measure_coverage
reserved=0
phase enumerate "$(all_but 4)" enumerate
phase triage-states "$(all_but 1)" triage_states

finish_night
