# summary.json as one suite of JUnit XML.
def attribute: gsub("\n"; " ") | @html;
def test(class; name): "  <testcase classname=\"\(class)\" name=\"\(name | attribute)\"";
([.phases[] | select(.outcome != "ran")]) as $failed |
([.findings[] | select(.new)]) as $new |
(if .ended then 0 else 1 end) as $cut |
" <testsuite name=\"night\" tests=\"\((.phases | length) + (.findings | length) + $cut)\""
+ " failures=\"\($new | length)\" errors=\"\(($failed | length) + $cut)\">",
(if .ended then empty else test("night"; "end") + "><error message=\"interrupted\"/></testcase>" end),
(.phases[] | test("night"; .name)
 + (if .outcome == "ran" then "/>"
    else "><error message=\"\(.problems | join("; ") | attribute)\"/></testcase>" end)),
(.findings[] | test("finding"; .signature)
 + (if .new then "><failure message=\"\(.command | attribute)\">\(.text | @html)</failure></testcase>"
    else "/>" end)),
" </testsuite>"
