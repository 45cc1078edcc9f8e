/* run.h: the main job: many cells, on several processes, into one result.
 *
 * The work is a numbered list of tasks, the same for the same options: one workload in one journal
 * mode at one synchronous level under one crash model (for `kv`, one build of the v1 VFS; for
 * `power`, one profile). Each task runs in a child process
 * of its own, because SQLite's generator of random numbers is one per process and must be the
 * task's alone, and because an importer under test may crash. A child hands back one line of JSON;
 * lines are merged in task order, so neither the number of jobs nor their timing can show in the
 * result. */
#ifndef MIDCOMMIT_HARNESS_RUN_RUN_H
#define MIDCOMMIT_HARNESS_RUN_RUN_H

#include "harness/judge/judge.h"

enum {
    MC_TASKS_MAX = 4096,
    MC_TASK_NAME_MAX = 200,
    MC_CRASH_NAME_MAX = 40,
    MC_RUN_IDENTITY_MAX = 4096,
    MC_RUN_WORDS_MAX = 32
};

/* Bits of mc_run_options.crash. */
enum {
    MC_CRASH_KILL = 1,
    MC_CRASH_KV_JOURNAL = 2, /* << mc_kv_build */
    MC_CRASH_KV_BATCH = 4,
    MC_CRASH_KV_BATCH_128 = 8,
    MC_CRASH_KV = 14
};

/* An option as it was given: "txns", "2". */
typedef struct mc_run_word {
    const char *name;
    const char *value; /* "" for one without */
} mc_run_word;

typedef struct mc_run_options {
    uint32_t modes;  /* bits of mc_mode */
    uint32_t syncs;  /* bits of mc_sync */
    bool sync_given; /* false: kv runs at NORMAL, which v1 actors used, whatever `syncs` is */
    uint32_t crash;
    uint32_t profiles;     /* power: bits by row of mc_power_profiles */
    const char *importers; /* comma list */
    const char *required;  /* comma list */
    bool required_given;   /* each of them must be among `importers` */
    const char *workloads; /* comma list; null: every built-in one */
    uint32_t txns;
    uint32_t page_size;
    uint32_t cache_pages;
    uint64_t seed;
    uint64_t budget;   /* of mc_judge_options */
    bool clean_too;    /* findings of clean verdicts, too */
    uint32_t sidecars; /* bits of mistakes (handover.h); 0: as-is, and nothing is said of it */
    bool again;        /* files that are handed over as-is: crash the recovery, too (again.h) */
    uint32_t shard;    /* 1..shards */
    uint32_t shards;
    uint32_t jobs;
    const char *results; /* file of task lines to append to, or null */
    bool resume;         /* take what `results` already holds */
    /* Those of the command's options that say what is run, ended by a null name: kept with each
     * line of results, so that whoever merges them need not repeat any. Null: none are kept. */
    const mc_run_word *words;
    const char *const *merge; /* results files to take all lines from, instead of running */
    uint32_t merge_count;
    void (*progress)(void *context, uint32_t done, uint32_t tasks, uint64_t states,
                     uint64_t findings); /* or null */
    void *context;
} mc_run_options;

typedef struct mc_task {
    char name[MC_TASK_NAME_MAX]; /* "inplace/delete/full/kill" */
    const char *workload;
    mc_mode mode;
    mc_sync sync;
    bool kv;
    mc_kv_build build;
    const mc_power_profile *power; /* or null */
} mc_task;

/* The merged cells of one (workload, mode, sync, crash, mistake). */
typedef struct mc_run_cell {
    char workload[MC_TASK_NAME_MAX];
    mc_mode mode;
    mc_sync sync;
    char crash[MC_CRASH_NAME_MAX]; /* "kill", "kv", "power:psow" */
    const mc_power_profile *power; /* or null */
    uint32_t mistake;
    mc_cell cell;
} mc_run_cell;

typedef struct mc_run_result {
    mc_importers importers;
    uint64_t seed;
    uint32_t page_size; /* as asked for; kv has 4096 always */
    uint32_t sidecars;  /* as asked for */
    uint32_t shard;
    uint32_t shards; /* 0: not a part */
    mc_run_cell *cell;
    uint32_t cell_count;
    uint64_t states;
    double seconds;
    uint32_t tasks;
    uint32_t resumed;      /* of them, read from the results file */
    bool batch_missing;    /* kv was asked for, and this SQLite has no batch-atomic support */
    bool kv_not_files;     /* kv was asked for, and a ready importer needs files */
    bool power_not_judged; /* power was asked for, and no importer is judged under it */
    char skipped[400];     /* workload and mode pairs that make no sense together, as a sentence */
    bool failed;           /* an expectation did not hold */
} mc_run_result;

/* Runs everything. MC_USAGE for options that name nothing; other errors name the task. `result`
 * must be zeroed and is freed with mc_run_free. */
mc_status mc_run(const mc_run_options *options, mc_run_result *result, mc_error *error);
void mc_run_free(mc_run_result *result);

/* The words that the first line of `files` was made with, in `words` (MC_RUN_WORDS_MAX) and
 * `arena`. They come from outside: nothing is known of them but that they are texts. */
mc_status mc_run_words(const char *const *files, uint32_t count, mc_run_word *words,
                       mc_arena *arena, mc_error *error);

/* One task's cells, one for each chosen mistake, as one line of JSON (without newline; to be freed)
 * and back. A line whose identity is another than `identity`, or whose words are others than those
 * of `options`, is refused. After a failure, too, the cells are the caller's to free. */
char *mc_run_encode(const mc_task *task, const mc_run_options *options,
                    const mc_importers *importers, const mc_cell *cell);
mc_status mc_run_decode(const char *line, const char *where, const char *identity,
                        const mc_run_options *options, const mc_importers *importers,
                        char task[MC_TASK_NAME_MAX], mc_cell *cell, mc_error *error);

/* What must be equal for a line of a results file to belong to this run, as text: the options, and
 * the contents of the user's files among workloads and importers. */
void mc_run_identity(const mc_run_options *options, const mc_importers *importers, char *out,
                     size_t size);

/* Is this importer judged in such a cell? Under power only those are whose reads are known: what a
 * program or library looks at is not. */
bool mc_run_judges(const mc_run_cell *cell, const mc_chosen *importer);

/* Is the recovery of such a task's states crashed, too? */
bool mc_run_crashes_again(const mc_run_options *options, const mc_task *task);

/* Adds the counts and findings of `more` to `cell`. False without memory. */
bool mc_run_merge(mc_cell *cell, const mc_cell *more, uint32_t importers);

#endif
