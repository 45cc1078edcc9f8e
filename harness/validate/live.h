/* live.h: a recorded workload lives again, in a process of its own on real files. */
#ifndef MIDCOMMIT_HARNESS_VALIDATE_LIVE_H
#define MIDCOMMIT_HARNESS_VALIDATE_LIVE_H

#include <sys/types.h>

#include "crashsim/record.h"
#include "harness/validate/shim.h"

/* Memory that this process and those it forks share; null without. */
mc_shim_said *mc_live_said(void);
void mc_live_said_free(mc_shim_said *said);

/* Starts a process that runs the program of `options` (whose recording is plan->trace) in `folder`,
 * on the files that lie there. It ends by itself after the last element, without closing anything,
 * unless the plan kills it before; it dies with its parent. Returns its id, or -1. */
pid_t mc_live_start(const mc_record_options *options, const mc_shim_plan *plan, const char *folder);

/* Waits for its end: MC_OK if it was killed, or has run to the end; `*killed` says which. */
mc_status mc_live_wait(pid_t process, const mc_shim_said *said, bool *killed, mc_error *error);

/* Writes the files of `disk` into the folder, in which none of them may be. */
mc_status mc_live_put(const mc_disk *disk, const char *folder, mc_error *error);

/* Reads the files in the folder but for the WAL index (what SQLite makes of it is memory), into the
 * empty `out`: those that `disk` knows have its numbers, any others the numbers after those. */
mc_status mc_live_take(const mc_disk *disk, const char *folder, mc_disk *out, mc_error *error);

/* Removes every file in the folder. */
void mc_live_clear(const char *folder);

/* Are they equal, but for WAL indexes? If not, `text` says where they first differ. */
bool mc_live_same(const mc_disk *model, const mc_disk *real, char *text, size_t size);

/* The newest commit of `trace` whose database stock SQLite, asked by mc_stock_ask*, has read; -1 if
 * it is none's, -2 if SQLite read nothing. */
struct mc_stock;
int mc_live_commit(const mc_trace *trace, const struct mc_stock *stock, mc_arena *arena);

#endif
