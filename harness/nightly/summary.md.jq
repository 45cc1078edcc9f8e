# summary.json as a page for people.
def bullets: if length == 0 then "- none" else map("- " + .)[] end;
def told:
  "`\(.signature)`: \(.text)\n  shown by `\(.command)`"
  + (if .case then "; kept as \(.case)" elif .input then "; kept as \(.input)" else "" end);
def row: map(tostring) | "| " + join(" | ") + " |";
def table(columns): (columns | row), (columns | map("---") | row), (.[] | row);
def table_or_none(columns): if length == 0 then "- none" else table(columns) end;
def grouped: tostring | [while(length > 0; .[:-3]) | .[-3:]] | reverse | join(" ");
def clock: round | if . < 120 then "\(.) s" else "\(. / 60 * 10 | round / 10) min" end;
def share: "\(.covered) of \(.regions) regions, \(.percent) % (goal: \(.goal) %)";
def sum(values): [values] | add // 0;
"# Night of \(.minutes) minutes, seed \(.seed): "
+ (if .status == 0 then "green" elif .status == 1 then "a new finding" else "not all of it ran" end),
"",
"| | |", "| --- | --- |",
([["SQLite", if .machine then "\(.machine.sqlite) (`--sqlite \(.sqlite)`)" else .sqlite end],
  (.machine // empty | ["midcommit", .commit],
     ["machine", "\(.cpu), \(.cores) cores, \(.memory); \(.kernel)"],
     ["engines", "libFuzzer of clang \(.clang), AFL++ \(.afl)"]),
  ["limits", "\(.jobs) processes at a time, \(.memory_mb) MB each"],
  ["time", "\(.timing.seconds | clock)"],
  ["fuzzed", "\(sum(.engines[].runs) | grouped) executions in "
     + "\(.timing.fuzzed_process_seconds | clock) of process time"],
  ["crash states", "\(.enumeration.states | grouped)"],
  ["findings", "\([.findings[] | select(.new)] | length) new, "
     + "\([.findings[] | select(.new | not)] | length) known"]] | .[] | row),
"", "## New findings", "",
(.findings | map(select(.new) | told) | bullets),
"", "## Known findings, met again", "",
(.findings | map(select(.new | not) | told) | bullets),
"", "## What did not run, or did nothing", "",
(.problems | bullets),
"", "## Planted mistakes", "",
(.canaries | map("\(.who): " + (if .found then "found" else "NOT FOUND" end)) | bullets),
"", "## Fuzzers", "",
"Executions of all processes of an engine together; a second is one by the clock.", "",
([.engines[] | [.target, (if .engine == "afl" then "AFL++: " + (.roles | join(", ")) else "libFuzzer" end),
    (.process_seconds | clock), (.runs | grouped), (.per_second | grouped), .edges, .inputs]]
 | table_or_none(["target", "engine", "process time", "executions", "a second", "edges", "new inputs"])),
"", "## Corpora", "",
"Minimised at the end; of each a sample was run again, alone in fresh processes and all in one.", "",
([.corpora[] | [.target, .before, .inputs, "\(.bytes / 1024 | round) KiB", .by, .sample // "-", .differences // "-"]]
 | table_or_none(["target", "inputs", "needed", "size", "chosen by", "sample", "that differ"])),
"", "## Coverage", "",
(if .coverage then
   "- core/: \(.coverage.core | share)",
   "- SQLite's rollback playback and WAL recovery: \(.coverage.recovery | share)",
   "- line by line: [core/](coverage/html/core/index.html), [SQLite](coverage/html/sqlite/index.html);"
   + " tables: [coverage.md](coverage/coverage.md)"
 else "- not measured" end),
"", "## Crash states", "",
([.enumeration.by[] | [.crash, .shards, (.states | grouped), .failed]]
 | table_or_none(["crash model", "shards", "states", "shards with a finding"])),
"", "## Notes", "",
(.notes | bullets),
"", "## Parts", "",
([.phases[] | [.name, .seconds, .outcome]] | table_or_none(["part", "seconds", "outcome"]))
