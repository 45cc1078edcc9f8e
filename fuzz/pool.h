/* pool.h: SQLite's memory in a process of many short executions under AddressSanitizer.
 *
 * A statement of SQLite's makes hundreds of allocations that live for microseconds. For each of
 * them AddressSanitizer's own allocator records two call stacks and queues the memory, which is
 * more work than all that SQLite does with it. A pool does without the stacks, and keeps what finds
 * errors: each object is an allocation of its own between bytes that may not be touched, to the
 * byte, and what was freed may not be touched until many others of its size were freed. An error is
 * reported as "use-after-poison" at the place that made it; to learn where the memory came from,
 * run the input again with MIDCOMMIT_POOL=off in the environment.
 *
 * An object's first bytes are the same for each execution, so that what SQLite does not set cannot
 * carry anything from one input to the next.
 *
 * Without AddressSanitizer there is no pool: malloc is as fast. One thread only. */
#ifndef MIDCOMMIT_FUZZ_POOL_H
#define MIDCOMMIT_FUZZ_POOL_H

#include <stddef.h>

/* Sets SQLite's allocator; SQLite must not be in use. Does nothing without AddressSanitizer. */
void mc_pool_use(void);

/* How many objects SQLite holds in the pool, or 0 without one. What an execution adds to it is a
 * leak, which AddressSanitizer cannot see. */
size_t mc_pool_live(void);

#endif
