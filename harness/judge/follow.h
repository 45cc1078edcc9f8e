/* follow.h: keeps what `abandon` and `recover` would import while a disk changes under them.
 *
 * Running an importer on every state of a trace costs the whole database every time. But from one
 * state to the next one write happened, and most writes cannot change what recovery gives: a record
 * appended to a journal whose first byte is still zero, a page of main that the journal will
 * restore, a frame without its commit. So the follower keeps two views of an oracle up to date,
 * main as it lies (`abandon`) and main as recovery would leave it (`recover`), and asks core/ again
 * only when an operation can have changed the answer:
 *
 *   journal cold     recovered = main; operations on the journal matter only once it may be hot
 *   journal hot      recovered = main cut to the old size, overlaid by the records; writes to pages
 *                    that have a record do not show
 *   WAL              recovered = main overlaid by the frames that count; the scan goes on where it
 *                    stopped, so a frame's checksum is computed once
 *   both, or odd     one run of core's mc_recover_files
 *
 * The raw view is main in pages of the workload's size, even where a damaged header states another:
 * its page 1 equals no snapshot's then, and what is shown to SQLite are the bytes.
 *
 * The decisions (is it hot, which records, which frames) are core's own functions. That the
 * follower says what the one-shot importer says is a test over every state of every workload. */
#ifndef MIDCOMMIT_HARNESS_JUDGE_FOLLOW_H
#define MIDCOMMIT_HARNESS_JUDGE_FOLLOW_H

#include "core/journal.h"
#include "core/wal.h"
#include "harness/judge/oracle.h"

enum { MC_VIEW_RAW, MC_VIEW_RECOVERED, MC_VIEW_SCRATCH };

typedef struct mc_follow mc_follow;

/* Stands at the trace's base: `disk` is trace->base (or equal to it), the oracle at snapshot 0 with
 * its views empty. Null without memory or when core fails; then `error` says why. */
mc_follow *mc_follow_open(const mc_trace *trace, mc_disk *disk, mc_oracle *oracle, mc_error *error);
void mc_follow_close(mc_follow *follow);

/* Bytes [from, to) of a write `op` (or the whole of another operation) were just applied to the
 * disk; `size_before` is the size of op->file before that. */
mc_status mc_follow_applied(mc_follow *follow, const mc_op *op, uint32_t from, uint32_t to,
                            uint64_t size_before, mc_error *error);

/* What the built-in importers say of the present state: MC_OK (see the view), or MC_REFUSED with
 * `reason` from the first database that is refused. */
mc_status mc_follow_abandon(const mc_follow *follow, const char **reason);
mc_status mc_follow_reject(const mc_follow *follow, const char **reason);
mc_status mc_follow_recover(const mc_follow *follow, const char **reason);

#endif
