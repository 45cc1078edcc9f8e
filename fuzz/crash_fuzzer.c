/* crash_fuzzer.c: whatever a program was doing when its process or its machine died, in every
 * journal mode, what is recovered keeps SQLite's promise; recover and stock SQLite recover the same
 * pages; and neither a crash of the recovery itself nor its failure changes anything. */
#include <string.h>

#include "fuzz/crashing.h"
#include "fuzz/finding.h"
#include "fuzz/pool.h"
#include "fuzz/process.h"

const mc_target mc_fuzz_target = {
    "crash_fuzzer",
    "after a crash recover equals SQLite, and what they recover is within SQLite's promise",
    mc_crash_files};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mc_crash_report report;
    mc_fuzz_process();
    size_t live = mc_pool_live();
    if (!mc_crash_run(data, size, &mc_crash_rules_true, &report)) {
        return -1;
    }
    mc_fuzz_note(&report.image, sizeof report.image);
    mc_fuzz_note(report.text, strlen(report.text));
    if (report.signature[0] != '\0') {
        mc_finding(report.signature, "%s", report.text);
    }
    if (mc_pool_live() != live) {
        mc_finding("sqlite-leaks", "%zu allocations of SQLite's before, %zu after", live,
                   mc_pool_live());
    }
    return 0;
}
