/* corpus.h: a table of cases in Markdown: name, signature, and what happened in one sentence. */
#ifndef MIDCOMMIT_REPORTS_CORPUS_H
#define MIDCOMMIT_REPORTS_CORPUS_H

#include <stdio.h>

#include "harness/case/replay.h"

/* One row a case that could be read, in the order of the replay. `root` is left off the names: the
 * table then links to the files from a page in that folder. */
void mc_report_corpus(const mc_replay *replay, const char *root, FILE *out);

/* The sentence of one signature: "SQLite is killed before the journal is synced (delete); abandon
 * makes a torn database that every check accepts." */
void mc_corpus_sentence(const char *signature, char *out, size_t size);

#endif
