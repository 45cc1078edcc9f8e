/* gate.h: a buffer whose end the kernel does not get: a write from it stops in the middle.
 *
 * The kernel copies a write into its page cache page by page, and looks between two pages whether
 * the process was killed. To be there at the right moment is a matter of a microsecond, so the
 * buffer makes the moment last: its bytes from the cut on lie in a page that is not there
 * (userfaultfd). When the kernel asks for it, the bytes in front of it are in the page cache. Then
 * the process is killed, and the kernel ends the write where it stands. */
#ifndef MIDCOMMIT_HARNESS_VALIDATE_GATE_H
#define MIDCOMMIT_HARNESS_VALIDATE_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Does this kernel withhold pages for this user? */
bool mc_gate_works(void);

/* A copy of `size` bytes of `data` that are to be written at `offset` of a file, of which the
 * kernel gets the first `cut`: offset + cut must be a multiple of 4096 below offset + size. When it
 * asks for more, this process is killed. Null when there is no such memory. */
const void *mc_gate_put(const void *data, size_t size, uint64_t offset, uint32_t cut);

#endif
