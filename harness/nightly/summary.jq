# The records of a night as one object; see summary_json in report.sh.
([if $ended then empty else "interrupted, or still running; --resume goes on" end]
 + [$phases[].problems[]]
 + [if $canaries == [] and $ended then "canary: not tried" else empty end]) as $problems |
{
  schema: "midcommit/night/1",
  status: (if any($findings[]; .new) then 1 elif $problems != [] then 3 else 0 end),
  ended: $ended, minutes: $minutes, seed: $seed, sqlite: $sqlite, targets: ($targets | split(" ")),
  findings: ($findings | sort_by(.signature)),
  problems: $problems,
  notes: ([if $left_out > 0 then
             "AFL++: \($left_out) targets had no turn in so short a night; other nights take others"
           else empty end] + [$phases[].notes[]]),
  canaries: $canaries,
  engines: ($engines | group_by([.target, .engine]) | map({
    target: .[0].target, engine: .[0].engine, rounds: length, runs: (map(.runs) | add),
    edges: (map(.edges) | max), inputs: (map(.inputs) | add)})),
  enumeration: {cells: ($cells | length), states: ($cells | map(.states) | add // 0),
                failed: ($cells | map(select(.status == 1)) | length)},
  phases: $phases,
  timing: {seconds: $used}
}
