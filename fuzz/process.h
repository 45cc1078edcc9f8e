/* process.h: what a fuzzing process sets once, for speed and for sharper eyes.
 *
 * SQLite: no lookaside and no bulk allocation of cache pages, so that each object and each cached
 * page is an allocation of its own, which AddressSanitizer watches and which costs no more than
 * what an execution uses; with AddressSanitizer they come from a pool (pool.h); no memory
 * statistics and no mutexes, since a target has one thread. None of it decides what SQLite reads or
 * writes.
 *
 * AddressSanitizer: freed memory comes back after 4 MiB, some executions later, not after 256: the
 * memory in use stays in the processor's cache, and the kernel need not give fresh pages. Of each
 * allocation it keeps four callers, not thirty; ASAN_OPTIONS=malloc_context_size=30 when one run
 * wants more. */
#ifndef MIDCOMMIT_FUZZ_PROCESS_H
#define MIDCOMMIT_FUZZ_PROCESS_H

/* Sets SQLite up; call it before any other use of SQLite. Calls after the first do nothing. */
void mc_fuzz_process(void);

#endif
