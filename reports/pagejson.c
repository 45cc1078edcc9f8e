/* pagejson.c: midcommit/page/1, the document inside the page. */
#include "reports/page.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static json_int_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* {"keys":[...],"rows":[[...],...]}: each key is written once. Keys that only some have stay null
 * in the others. */
static json_t *columns(const json_t *list)
{
    json_t *keys = json_array();
    json_t *seen = json_object();
    json_t *rows = json_array();
    const char *key;
    json_t *value;
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_object_foreach(json_array_get(list, i), key, value)
        {
            if (json_object_get(seen, key) == NULL) {
                json_object_set_new(seen, key, json_true());
                json_array_append_new(keys, json_string(key));
            }
        }
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *row = json_array();
        for (size_t k = 0; k < json_array_size(keys); k++) {
            const char *name = json_string_value(json_array_get(keys, k));
            json_t *have = json_object_get(json_array_get(list, i), name);
            json_array_append_new(row, have != NULL ? json_incref(have) : json_null());
        }
        json_array_append_new(rows, row);
    }
    json_decref(seen);
    return json_pack("{s:o,s:o}", "keys", keys, "rows", rows);
}

/* What one importer made of all states that were made, power losses apart. */
typedef struct sum {
    const char *importer;
    json_int_t states;
    json_int_t torn;
    json_int_t silent;
    json_int_t blocked;
} sum;

/* Are states handed over without a mistake among the cells? Then the answer is about them alone. */
static bool has_as_is(const json_t *cells)
{
    bool any = false;
    for (size_t i = 0; i < json_array_size(cells); i++) {
        any = any || strcmp(text_of(json_array_get(cells, i), "sidecars"), "as-is") == 0;
    }
    return any;
}

static size_t sums_of(const json_t *run, sum out[MC_IMPORTERS_MAX])
{
    const json_t *cells = json_object_get(run, "cells");
    bool as_is = has_as_is(cells);
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(cells); i++) {
        const json_t *cell = json_array_get(cells, i);
        size_t k = 0;
        while (k < count && strcmp(out[k].importer, text_of(cell, "importer")) != 0) {
            k++;
        }
        const char *sidecars = text_of(cell, "sidecars");
        bool mistaken = as_is && sidecars[0] != '\0' && strcmp(sidecars, "as-is") != 0;
        if (json_object_get(cell, "power") != NULL || k == MC_IMPORTERS_MAX || mistaken) {
            continue;
        }
        if (k == count) {
            out[count++] = (sum){.importer = text_of(cell, "importer")};
        }
        out[k].states += number_of(cell, "states");
        out[k].torn += number_of(cell, "torn");
        out[k].silent += number_of(cell, "silent");
        out[k].blocked += number_of(cell, "blocked");
    }
    return count;
}

/* "18,222": thousands apart. */
static void put_number(FILE *out, json_int_t number)
{
    char digits[32];
    int size = snprintf(digits, sizeof digits, "%" JSON_INTEGER_FORMAT, number);
    for (int i = 0; i < size; i++) {
        (void)fprintf(out, "%s%c", i > 0 && (size - i) % 3 == 0 ? "," : "", digits[i]);
    }
}

/* Of power losses alone: did SQLite keep its promises? */
static const char *answer_of_losses(const json_t *promises)
{
    bool promised = false;
    for (size_t i = 0; i < json_array_size(promises); i++) {
        const json_t *row = json_array_get(promises, i);
        promised = promised || strcmp(text_of(row, "promised"), "nothing") != 0;
        if (strcmp(text_of(row, "promised"), "nothing") != 0 && number_of(row, "broken") > 0) {
            return "After a power loss SQLite broke a promise.";
        }
    }
    return promised ? "After a power loss SQLite kept every promise that it makes here."
                    : "After a power loss SQLite promises nothing here.";
}

static void put_answer(const sum *sums, size_t count, const json_t *promises, FILE *out)
{
    const sum *torn = NULL;
    const sum *blocked = NULL;
    size_t sound = 0;
    for (size_t i = 0; i < count; i++) {
        torn = sums[i].torn > 0 && (torn == NULL || sums[i].torn > torn->torn) ? &sums[i] : torn;
        bool more = blocked == NULL || sums[i].blocked > blocked->blocked;
        blocked = sums[i].torn == 0 && sums[i].blocked > 0 && more ? &sums[i] : blocked;
        sound += sums[i].torn == 0 && sums[i].blocked == 0;
    }
    if (torn != NULL) {
        (void)fprintf(out, "%s tears the database at ", torn->importer);
        put_number(out, torn->torn);
        (void)fputs(" of ", out);
        put_number(out, torn->states);
        if (torn->silent > 0) {
            (void)fputs(" crash states, and no check notices ", out);
            put_number(out, torn->silent);
            (void)fputs(" of them.", out);
        } else {
            (void)fputs(" crash states, and checks notice all of them.", out);
        }
    } else if (blocked != NULL) {
        (void)fprintf(out, "%s refuses ", blocked->importer);
        put_number(out, blocked->blocked);
        (void)fputs(" of ", out);
        put_number(out, blocked->states);
        (void)fputs(" databases that SQLite recovers.", out);
    } else {
        (void)fputs(count > 0 ? "Nothing was torn, and nothing refused that SQLite recovers."
                              : answer_of_losses(promises),
                    out);
    }
    for (size_t i = 0, told = 0; (torn != NULL || blocked != NULL) && i < count; i++) {
        if (sums[i].torn == 0 && sums[i].blocked == 0) {
            told++;
            (void)fprintf(out, "%s%s",
                          told == 1       ? " "
                          : told == sound ? " and "
                                          : ", ",
                          sums[i].importer);
            (void)fputs(told == sound
                            ? (sound == 1 ? " tears and refuses none." : " tear and refuse none.")
                            : "",
                        out);
        }
    }
}

char *mc_page_answer(const json_t *run)
{
    sum sums[MC_IMPORTERS_MAX];
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return NULL;
    }
    put_answer(sums, sums_of(run, sums), json_object_get(run, "promises"), out);
    return fclose(out) == 0 ? text : NULL;
}

static json_t *identity_json(const mc_page *page)
{
    json_t *words = page->words == NULL ? json_null() : json_array();
    for (const mc_run_word *word = page->words; word != NULL && word->name != NULL; word++) {
        json_t *pair = json_pack("[s,s]", word->name, word->value);
        json_array_append_new(words, pair != NULL ? pair : json_null());
    }
    /* The source id is that of the SQLite here, so it is said of a run of another version only
     * that it is not known. */
    const char *version = text_of(page->run, "sqlite");
    bool same = strcmp(version, sqlite3_libversion()) == 0 && page->words != NULL;
    return json_pack("{s:s,s:s,s:s?,s:O,s:o,s:s}", "midcommit", page->version, "sqlite", version,
                     "source", same ? sqlite3_sourceid() : NULL, "seed",
                     json_object_get(page->run, "seed"), "options", words, "explain",
                     page->options);
}

/* The films that fit, in the order of the cells, and how many do not. */
static json_t *films_json(const mc_films *films, json_int_t *left)
{
    json_t *list = json_array();
    size_t bytes = 0;
    *left = 0;
    for (uint32_t i = 0; films != NULL && i < films->count; i++) {
        size_t size = films->text[i] != NULL ? strlen(films->text[i]) : 0;
        if (size > 0 && bytes + size <= MC_PAGE_FILMS_BYTES) {
            json_error_t why;
            json_t *film = json_loads(films->text[i], 0, &why);
            bytes += size;
            json_array_append_new(list, film != NULL ? film : json_null());
        } else {
            *left += size > 0;
        }
    }
    return list;
}

static json_t *timing_json(const mc_page *page)
{
    json_t *timing = json_deep_copy(json_object_get(page->run, "timing"));
    if (page->untimed) {
        (void)json_object_del(timing, "seconds");
        (void)json_object_del(timing, "states_per_second");
    }
    json_object_set_new(timing, "host", json_string(page->host));
    json_object_set_new(timing, "time", json_string(page->time));
    return timing;
}

char *mc_page_json(const mc_page *page)
{
    static const char *const kept[] = {"recover_against_sqlite", "promises", "sqlite3_program"};
    json_int_t left;
    json_t *films = films_json(page->films, &left);
    char *answer = mc_page_answer(page->run);
    json_t *root = json_pack(
        "{s:s,s:s,s:o,s:o,s:o,s:o,s:I,s:b,s:s?,s:s?}", "schema", "midcommit/page/1", "answer",
        answer != NULL ? answer : "", "identity", identity_json(page), "cells",
        columns(json_object_get(page->run, "cells")), "findings",
        json_deep_copy(json_object_get(page->run, "findings")), "films", films, "films_left", left,
        "programs_left", page->films != NULL && page->films->programs_left, "limits", page->limits,
        "control", page->control);
    free(answer);
    for (size_t i = 0; root != NULL && i < sizeof kept / sizeof *kept; i++) {
        json_t *value = json_object_get(page->run, kept[i]);
        if (value != NULL) {
            json_object_set(root, kept[i], value);
        }
    }
    if (root != NULL && page->compared != NULL) {
        json_object_set(root, "compared", (json_t *)page->compared);
    }
    if (root != NULL) {
        json_object_set_new(root, "timing", timing_json(page));
    }
    char *text = root == NULL ? NULL : json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(root);
    return text;
}
