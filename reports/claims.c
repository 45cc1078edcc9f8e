#include "reports/claims.h"

#include "reports/wrap.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

enum { INDENT = 4 };

/* All digits of a small number, else the power of two below it. */
static void write_states(const char *digits, char *out, size_t size)
{
    mpz_t number;
    mpz_init(number);
    if (mpz_set_str(number, digits, 10) == 0) {
        mc_proof_text(number, out, size);
    } else {
        (void)snprintf(out, size, "0");
    }
    mpz_clear(number);
}

static void put_claim(const mc_claim *claim, const mc_claim_result *c, const char *program,
                      FILE *out)
{
    char states[64];
    write_states(c->states, states, sizeof states);
    (void)fprintf(out, "\n%2u  %-16s %-22s %16s %10" PRIu64 "\n", claim->number,
                  mc_claim_verdict_names[c->verdict], c->model[0] != '\0' ? c->model : "-", states,
                  c->classes);
    mc_wrap(out, INDENT, "    %s [%s]", claim->text, claim->page);
    mc_wrap(out, INDENT, "    %s.", c->note);
    const char *how = c->verdict == MC_CLAIM_REFUTED ? "refuted by" : "for example";
    if (c->command[0] != '\0') {
        (void)fprintf(out, "    %s: %s %s\n", how, program, c->command);
    } else if (c->state[0] != '\0') {
        (void)fprintf(out, "    %s: %s, which explain does not make\n", how, c->state);
    }
}

void mc_report_claims(const mc_claims_result *result, const char *program, FILE *out)
{
    uint32_t count[MC_CLAIM_VERDICTS] = {0};
    uint32_t all = 0;
    (void)fprintf(out, "SQLite %s, seed %" PRIu64 "\n\n", sqlite3_libversion(), result->seed);
    (void)fprintf(out, "%2s  %-16s %-22s %16s %10s\n", "", "verdict", "crash", "states", "classes");
    for (uint32_t i = 0; mc_claims[i].text != NULL; i++) {
        if (result->done[i]) {
            put_claim(&mc_claims[i], &result->claim[i], program, out);
            count[result->claim[i].verdict]++;
            all++;
        }
    }
    (void)fprintf(out, "\n%u claim%s:", all, all == 1 ? "" : "s");
    const char *comma = "";
    for (uint32_t v = 0; v < MC_CLAIM_VERDICTS; v++) {
        if (count[v] > 0) {
            (void)fprintf(out, "%s %u %s", comma, count[v], mc_claim_verdict_names[v]);
            comma = ",";
        }
    }
    (void)fprintf(out, ".\n");
}

char *mc_report_claims_json(const mc_claims_result *result)
{
    json_t *list = json_array();
    for (uint32_t i = 0; mc_claims[i].text != NULL; i++) {
        const mc_claim_result *c = &result->claim[i];
        if (!result->done[i]) {
            continue;
        }
        json_t *claim = json_pack("{s:I,s:s,s:s,s:s,s:s,s:s,s:I,s:s}", "number",
                                  (json_int_t)mc_claims[i].number, "claim", mc_claims[i].text,
                                  "page", mc_claims[i].page, "crash", c->model, "verdict",
                                  mc_claim_verdict_names[c->verdict], "states", c->states,
                                  "classes", (json_int_t)c->classes, "measured", c->note);
        json_t *state = c->state[0] != '\0' ? json_string(c->state) : json_null();
        json_t *command = c->command[0] != '\0' ? json_string(c->command) : json_null();
        json_object_set_new(claim, "state", state);
        json_object_set_new(claim, "command", command);
        json_array_append_new(list, claim);
    }
    json_t *root = json_pack("{s:s,s:s,s:I,s:o,s:{s:f}}", "schema", "midcommit/claims/1", "sqlite",
                             sqlite3_libversion(), "seed", (json_int_t)result->seed, "claims", list,
                             "timing", "seconds", round(result->seconds * 1000) / 1000);
    char *text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    json_decref(root);
    return text;
}
