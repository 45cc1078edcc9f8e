# The records of a night as one object; see summary_json in report.sh.
def rate: if .seconds > 0 then .runs / .seconds | round else 0 end;
([if $ended then empty else "interrupted, or still running; --resume goes on" end]
 + [$phases[].problems[]]
 + [if $canaries == [] and $ended then "canary: not tried" else empty end]) as $problems |
{
  schema: "midcommit/night/2",
  status: (if any($findings[]; .new) then 1 elif $problems != [] then 3 else 0 end),
  ended: $ended, minutes: $minutes, seed: $seed, sqlite: $sqlite, machine: ($machine[0] // null),
  targets: ($targets | split(" ")), jobs: $jobs, memory_mb: $memory,
  findings: ($findings | sort_by(.signature)),
  problems: $problems,
  notes: ([if $left_out > 0 then
             "AFL++: \($left_out) targets had no turn in so short a night; other nights take others"
           else empty end] + [$phases[].notes[]]),
  canaries: $canaries,
  engines: ($engines | group_by([.target, .engine]) | map({
    target: .[0].target, engine: .[0].engine, rounds: length, runs: (map(.runs) | add),
    seconds: (map(.seconds) | add), process_seconds: (map(.seconds * .processes) | add),
    edges: (map(.edges) | max), inputs: (map(.inputs) | add),
    roles: (map(.roles[]) | unique | sort_by(. != "main"))} | . + {per_second: rate})),
  corpora: [$corpora[] as $corpus | $corpus
    + ([$same[] | select(.target == $corpus.target) | {sample, differences}] | .[0] // {})],
  coverage: ($coverage[0] // null | if . == null then null else
    {core: (.core | del(.files)), recovery: (.recovery | del(.functions, .absent)),
     broken: (.broken | length)} end),
  enumeration: {cells: ($cells | length), states: ($cells | map(.states) | add // 0),
                failed: ($cells | map(select(.status == 1)) | length),
                by: ($cells | group_by(.crash) | map({crash: .[0].crash, shards: length,
                    states: (map(.states) | add), failed: (map(select(.status == 1)) | length)}))},
  phases: ($phases | sort_by(.started)),
  timing: {seconds: $used, fuzzed_process_seconds: ($engines | map(.seconds * .processes) | add // 0)}
}
