/* optext.h: one element of a trace in words: what it did, and what the bytes it wrote are. */
#ifndef MIDCOMMIT_HARNESS_CASE_OPTEXT_H
#define MIDCOMMIT_HARNESS_CASE_OPTEXT_H

#include "crashsim/trace.h"

/* Writes one line for element `index`: "write main.db-journal at 512, 4 bytes: record: page number
 * 5". Looks only at the trace. Returns the page of the database that it is about, or 0. */
uint32_t mc_optext(const mc_trace *trace, size_t index, uint32_t page_size, char *out, size_t size);

#endif
