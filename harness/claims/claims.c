/* claims.c: tests claims, each in a process of its own, and takes back what came out. */
#include "harness/claims/claiming.h"

#include "harness/host/tasks.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *const mc_claim_verdict_names[MC_CLAIM_VERDICTS] = {"confirmed", "refuted", "bounded",
                                                               "as far as seen", "not testable"};

uint32_t mc_claims_count(void)
{
    uint32_t count = 0;
    while (mc_claims[count].text != NULL) {
        count++;
    }
    assert(count <= MC_CLAIMS_MAX);
    return count;
}

uint32_t mc_claims_find(uint64_t number)
{
    for (uint32_t i = 0; mc_claims[i].text != NULL; i++) {
        if (mc_claims[i].number == number) {
            return i;
        }
    }
    return MC_CLAIMS_MAX;
}

static mc_claim_verdict verdict_of(const mc_claim_test *t)
{
    return t->refuted   ? MC_CLAIM_REFUTED
           : !t->tested ? MC_CLAIM_UNTESTABLE
           : t->bounded ? MC_CLAIM_BOUNDED
           : t->open    ? MC_CLAIM_SEEN
                        : MC_CLAIM_CONFIRMED;
}

mc_status mc_claims_test(const mc_claims_options *options, const mc_claim *claim,
                         mc_claim_result *result, mc_error *error)
{
    mc_claim_test t = {.options = options, .claim = claim, .result = result};
    memset(result, 0, sizeof *result);
    mpz_init(t.states);
    mc_status status = claim->rule != NULL ? mc_claim_rules(&t, claim->rule, error) : MC_OK;
    status = status == MC_OK && claim->test != NULL ? claim->test(&t, error) : status;
    result->verdict = verdict_of(&t);
    if (mpz_sizeinbase(t.states, 10) + 2 <= sizeof result->states) {
        (void)mpz_get_str(result->states, 10, t.states);
    } else if (status == MC_OK) {
        status = mc_fail(error, MC_REFUSED, "claim", "claim %u: too many states to be said",
                         claim->number);
    }
    mpz_clear(t.states);
    return status;
}

typedef struct runner {
    const mc_claims_options *options;
    mc_claims_result *result;
    uint32_t done;
    uint32_t all;
    char name[MC_CLAIMS_MAX][32];
} runner;

static bool wanted(void *context, uint32_t index)
{
    const runner *r = context;
    return r->options->chosen == 0 || (r->options->chosen & (uint64_t)1 << index) != 0;
}

static const char *task_name(void *context, uint32_t index)
{
    return ((const runner *)context)->name[index];
}

static char *work(void *context, uint32_t index, mc_error *error)
{
    const runner *r = context;
    mc_claim_result *c = malloc(sizeof *c);
    mc_error why;
    mc_status status = c == NULL ? mc_fail(&why, MC_NO_MEMORY, "no-memory", "claims: out of memory")
                                 : mc_claims_test(r->options, &mc_claims[index], c, &why);
    char *text = NULL;
    if (status == MC_OK) {
        json_t *line =
            json_pack("{s:i,s:s,s:s,s:I,s:s,s:s,s:s}", "verdict", (int)c->verdict, "model",
                      c->model, "states", c->states, "classes", (json_int_t)c->classes, "state",
                      c->state, "command", c->command, "note", c->note);
        text = line == NULL ? NULL : json_dumps(line, JSON_COMPACT);
        json_decref(line);
        status = text == NULL ? mc_fail(&why, MC_NO_MEMORY, "no-memory", "claims: out of memory")
                              : MC_OK;
    }
    if (status != MC_OK) {
        (void)mc_fail(error, status, why.reason, "claim %u: %s", mc_claims[index].number, why.text);
    }
    free(c);
    return text;
}

static void take_text(const json_t *line, const char *key, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(line, key));
    (void)snprintf(out, size, "%s", text == NULL ? "" : text);
}

static mc_status done(void *context, uint32_t index, char *text, mc_error *error)
{
    runner *r = context;
    mc_claim_result *c = &r->result->claim[index];
    json_t *line = json_loads(text, 0, NULL);
    json_int_t verdict = json_integer_value(json_object_get(line, "verdict"));
    free(text);
    if (line == NULL || verdict < 0 || verdict >= MC_CLAIM_VERDICTS) {
        json_decref(line);
        return mc_fail(error, MC_IO, "claims",
                       "claim %u: its process said nothing that is a result",
                       mc_claims[index].number);
    }
    c->verdict = (mc_claim_verdict)verdict;
    c->classes = (uint64_t)json_integer_value(json_object_get(line, "classes"));
    take_text(line, "model", c->model, sizeof c->model);
    take_text(line, "states", c->states, sizeof c->states);
    take_text(line, "state", c->state, sizeof c->state);
    take_text(line, "command", c->command, sizeof c->command);
    take_text(line, "note", c->note, sizeof c->note);
    json_decref(line);
    r->result->done[index] = true;
    r->done++;
    if (r->options->progress != NULL) {
        r->options->progress(r->options->context, r->done, r->all);
    }
    return MC_OK;
}

static double now_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

mc_status mc_claims_run(const mc_claims_options *options, mc_claims_result *result, mc_error *error)
{
    runner *r = calloc(1, sizeof *r);
    double start = now_seconds();
    if (r == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "claims: out of memory");
    }
    memset(result, 0, sizeof *result);
    result->seed = options->seed;
    r->options = options;
    r->result = result;
    uint32_t count = mc_claims_count();
    for (uint32_t i = 0; i < count; i++) {
        (void)snprintf(r->name[i], sizeof r->name[i], "claim %u", mc_claims[i].number);
        r->all += wanted(r, i);
    }
    mc_status status = mc_tasks_run(count, options->jobs, wanted, task_name, work, done, r, error);
    result->seconds = now_seconds() - start;
    free(r);
    return status;
}
