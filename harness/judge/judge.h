/* judge.h: explores one cell of the experiment: every crash state of one trace, through every
 * importer.
 *
 * The state goes to stock SQLite (the control) and to each importer; each answer becomes an outcome
 * (which snapshot's content, or none), each outcome a verdict (verdict.h). Equal states are run
 * once, equal images are inspected once, and what can be followed from state to state (follow.h) is
 * not run at all. `recover` is compared with the control on every distinct state: a difference in
 * logical content is a finding of its own, whatever the verdicts say. */
#ifndef MIDCOMMIT_HARNESS_JUDGE_JUDGE_H
#define MIDCOMMIT_HARNESS_JUDGE_JUDGE_H

#include "crashsim/crash.h"
#include "crashsim/power.h"
#include "harness/importer/importers.h"
#include "harness/judge/againcount.h"
#include "harness/judge/proof.h"
#include "harness/judge/verdict.h"

enum {
    MC_SIGNATURE_MAX = 200,
    MC_STATE_ID_MAX = 600,
    MC_STATE_AGAIN_MAX = 1800 /* with a second crash */
};

/* Behind the crash model in signatures and cases: a second crash, of the recovery from the first.
 */
#define MC_AGAIN_MARK "+again"

/* Counts of states, for one importer. */
typedef struct mc_tally {
    uint64_t verdict[MC_VERDICTS];
    uint64_t ahead;                   /* of clean */
    uint64_t empty;                   /* of stale */
    uint64_t silent;                  /* of torn */
    uint64_t missed;                  /* of torn: integrity_check says ok */
    uint64_t unmet;                   /* not clean though the control is */
    uint64_t ran;                     /* distinct states on which a program or library was run */
    uint64_t nanoseconds;             /* ... and the time that took, without staging and judging */
    char first_case[MC_STATE_ID_MAX]; /* the first state that is torn, else stale, else blocked; ""
                                       */
    mc_verdict_kind first_kind;
} mc_tally;

/* All states of a cell that share a signature. */
typedef struct mc_finding {
    char signature[MC_SIGNATURE_MAX];
    char verdict[64];
    char state[MC_STATE_AGAIN_MAX]; /* the first one */
    uint64_t count;
    uint64_t bytes;     /* what a case of that state would hold, about: the smaller, the better */
    uint32_t importer;  /* index in the importers; UINT32_MAX: the control or the differential */
    const char *defect; /* name of the known SQLite defect that explains it, or null */
    bool fails;         /* counts against the run (exit status 1) */
} mc_finding;

typedef struct mc_cell {
    mc_explored explored;
    uint64_t unique;
    uint64_t control_dirty; /* the control broke SQLite's promise, unexplained */
    uint64_t known_defect;  /* ... and a known defect explains it */
    uint64_t compared;      /* distinct states on which recover met the control */
    uint64_t disagreements;
    uint32_t commits;
    uint64_t steps; /* of the recording (trace.h); not kept with results */
    mc_promise promise;
    mc_tally tally[MC_IMPORTERS_MAX];
    mc_proof *proof; /* power: the same in states; the counts above are of classes. Else null */
    mc_again_counts *again; /* of second crashes; null when there were none */
    mc_finding *finding;
    uint32_t finding_count;
    uint32_t finding_capacity;
} mc_cell;

typedef struct mc_judge_options {
    const mc_record_options *record; /* what to run; kv decides the crash model */
    const mc_importers *importers;
    uint32_t required;             /* bit per importer: must be clean wherever the control is */
    const mc_power_profile *power; /* null: the machine lives on */
    uint64_t budget;   /* states per crash point; 0: no bound. power: states that are run for it */
    bool clean_too;    /* a clean verdict is a finding, too, that never fails */
    uint32_t sidecars; /* bits of mistakes (handover.h), for files only; 0: as-is */
    bool again;        /* for files: crash the recovery, too (again.h) */
    void (*plant)(
        mc_trace *recovery); /* for tests: breaks each recovery that was recorded; or null */
} mc_judge_options;

/* Records the workload and judges all its states, with each chosen mistake. `cell` is one for each,
 * in the order of the table (so one, if none was chosen); each must be zeroed, and is freed with
 * mc_cell_free. States in which a mistake changes nothing are not counted in its cell. */
mc_status mc_judge(const mc_judge_options *options, mc_cell *cell, mc_error *error);
void mc_cell_free(mc_cell *cell);

/* Is it of a second crash? */
bool mc_finding_is_again(const mc_finding *finding);

#endif
