# summary.json as a page for people.
def bullets: if length == 0 then "- none" else map("- " + .)[] end;
def told:
  "`\(.signature)`: \(.text)\n  shown by `\(.command)`"
  + (if .case then "; kept as \(.case)" elif .input then "; kept as \(.input)" else "" end);
"# Night of \(.minutes) minutes, seed \(.seed): "
+ (if .status == 0 then "green" elif .status == 1 then "a new finding" else "not all of it ran" end),
"",
"\(.timing.seconds) seconds used. SQLite: \(.sqlite). "
+ "\(.enumeration.states) crash states in \(.enumeration.cells) shards.",
"", "## New findings", "",
(.findings | map(select(.new) | told) | bullets),
"", "## Known findings, met again", "",
(.findings | map(select(.new | not) | told) | bullets),
"", "## What did not run, or did nothing", "",
(.problems | bullets),
"", "## Planted mistakes", "",
(.canaries | map("\(.who): " + (if .found then "found" else "NOT FOUND" end)) | bullets),
"", "## Fuzzers", "",
"| target | engine | runs | edges | new inputs |", "| --- | --- | --- | --- | --- |",
(.engines[] | "| \(.target) | \(.engine) | \(.runs) | \(.edges) | \(.inputs) |"),
"", "## Notes", "",
(.notes | bullets),
"", "## Parts", "", "| part | seconds | |", "| --- | --- | --- |",
(.phases[] | "| \(.name) | \(.seconds) | \(.outcome) |")
