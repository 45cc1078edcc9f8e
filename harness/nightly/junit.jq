# summary.json as one suite of JUnit XML, as reports/schema/junit.xsd has it.
def attribute: gsub("\n"; " ") | @html;
def test(class; name): "  <testcase classname=\"\(class)\" name=\"\(name | attribute)\"";
def complaint(kind; message; text):
  "><\(kind) type=\"night\" message=\"\(message | attribute)\">\(text | @html)</\(kind)></testcase>";
([.phases[] | select(.outcome != "ran")]) as $failed |
([.findings[] | select(.new)]) as $new |
(if .ended then 0 else 1 end) as $cut |
" <testsuite name=\"night\" tests=\"\((.phases | length) + (.findings | length) + $cut)\""
+ " failures=\"\($new | length)\" errors=\"\(($failed | length) + $cut)\">",
(if .ended then empty else test("night"; "end") + complaint("error"; "interrupted"; "it did not end") end),
(.phases[] | test("night"; .name)
 + (if .outcome == "ran" then "/>" else complaint("error"; .problems[0]; .problems | join("\n")) end)),
(.findings[] | test("finding"; .signature)
 + (if .new then complaint("failure"; .command; "\(.signature): \(.text)") else "/>" end)),
" </testsuite>"
