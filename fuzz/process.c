#include "fuzz/process.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

#include "fuzz/pool.h"

/* Asked by AddressSanitizer when a process starts; ASAN_OPTIONS goes before it. What was freed
 * stays poisoned for the length of some inputs, not for 256 MiB: memory that is cold each time
 * costs a third of the speed. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=4:malloc_context_size=4:allocator_release_to_os_interval_ms=-1";
}

void mc_fuzz_process(void)
{
    static bool done;
    if (done) {
        return;
    }
    done = true;
    int code = sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
    assert(code == SQLITE_OK);                         /* else SQLite is in use already */
    code = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* counting rounds sizes up */
    assert(code == SQLITE_OK);
    code = sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
    assert(code == SQLITE_OK);
    code = sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
    assert(code == SQLITE_OK);
    mc_pool_use();
    code = sqlite3_initialize(); /* what it allocates stays */
    assert(code == SQLITE_OK);
    (void)code;
}
