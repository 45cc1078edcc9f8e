/* mutate_afl.c: the mutator as AFL++ loads one (AFL_CUSTOM_MUTATOR_LIBRARY=midcommit-mutator.so).
 *
 * The functions are those of AFL++ 4.04c, docs/custom_mutators.md. Seeds are drawn from the one
 * that afl-fuzz gives (afl-fuzz -s), 32 bits each as libFuzzer's are. Plain bytes get our own leaf.
 */
#include "fuzz/mutate/mutate_edit.h"

#include <stdlib.h>
#include <string.h>

enum { CROSS_ONE_IN = 6 };

typedef struct mutator {
    uint64_t random;
    uint8_t *out;                    /* what afl_custom_fuzz or afl_custom_trim gave last */
    uint8_t *trimmed;                /* the shortest input so far while trimming */
    size_t out_bytes, trimmed_bytes; /* allocated */
    size_t out_size, trimmed_size;
    uint32_t step;
    int32_t stages; /* as afl_custom_init_trim told them */
    char description[256];
    char name[128]; /* the same, for afl_custom_describe */
} mutator;

void *afl_custom_init(void *afl, unsigned int seed);
void afl_custom_deinit(void *data);
size_t afl_custom_fuzz(void *data, uint8_t *buffer, size_t size, uint8_t **out, uint8_t *other,
                       size_t other_size, size_t most);
const char *afl_custom_describe(void *data, size_t most);
int32_t afl_custom_init_trim(void *data, uint8_t *buffer, size_t size);
size_t afl_custom_trim(void *data, uint8_t **out);
int32_t afl_custom_post_trim(void *data, uint8_t success);

void *afl_custom_init(void *afl, unsigned int seed)
{
    (void)afl;
    mutator *m = calloc(1, sizeof *m);
    if (m != NULL) {
        m->random = seed;
    }
    return m;
}

void afl_custom_deinit(void *data)
{
    mutator *m = data;
    free(m->out);
    free(m->trimmed);
    free(m);
}

static bool reserve(uint8_t **buffer, size_t *bytes, size_t wanted)
{
    if (wanted <= *bytes) {
        return true;
    }
    uint8_t *grown = realloc(*buffer, wanted);
    if (grown == NULL) {
        return false;
    }
    *buffer = grown;
    *bytes = wanted;
    return true;
}

/* Returns 0, which skips this one, when there is no memory. */
size_t afl_custom_fuzz(void *data, uint8_t *buffer, size_t size, uint8_t **out, uint8_t *other,
                       size_t other_size, size_t most)
{
    mutator *m = data;
    *out = buffer;
    if (most == 0 || !reserve(&m->out, &m->out_bytes, most)) {
        return 0;
    }
    uint32_t seed = (uint32_t)mc_edit_step(&m->random);
    mc_mutate_leaf_seed(seed);
    *out = m->out;
    (void)strcpy(m->description, "cross");
    if (other != NULL && other_size > 0 && seed % CROSS_ONE_IN == 0) {
        size_t made = mc_mutate_cross(buffer, size, other, other_size, m->out, most, seed);
        if (made > 0) {
            return made;
        }
    }
    size = size < most ? size : most;
    memcpy(m->out, buffer, size);
    size = mc_mutate(m->out, size, most, seed, mc_mutate_leaf);
    (void)strncpy(m->description, mc_mutate_last(), sizeof m->description - 1);
    return size;
}

/* It becomes part of a file's name: words joined by '-', what was done by '+'. */
const char *afl_custom_describe(void *data, size_t most)
{
    mutator *m = data;
    size_t length = 0;
    enum { NAME_MAX_BYTES = 64 }; /* it becomes part of a file name, with the names of parents */
    most = most < NAME_MAX_BYTES ? most : NAME_MAX_BYTES;
    for (const char *p = m->description; *p != '\0' && length < most; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9');
        if (plain) {
            m->name[length++] = *p;
        } else if (*p == ';') {
            m->name[length++] = '+';
        } else if (length > 0 && m->name[length - 1] != '-' && m->name[length - 1] != '+') {
            m->name[length++] = '-';
        }
    }
    m->name[length] = '\0';
    return m->name;
}

/* Returns how many stages there are: 0 also without memory, which trims nothing. */
int32_t afl_custom_init_trim(void *data, uint8_t *buffer, size_t size)
{
    mutator *m = data;
    m->step = 0;
    m->stages = 0;
    if (reserve(&m->trimmed, &m->trimmed_bytes, size) && reserve(&m->out, &m->out_bytes, size)) {
        memcpy(m->trimmed, buffer, size);
        m->trimmed_size = size;
        m->stages = (int32_t)mc_mutate_trim_steps(buffer, size);
    }
    return m->stages;
}

size_t afl_custom_trim(void *data, uint8_t **out)
{
    mutator *m = data;
    m->out_size = mc_mutate_trim(m->trimmed, m->trimmed_size, m->step, m->out);
    *out = m->out;
    return m->out_size;
}

/* Returns the next stage, or their number at the end. After a success the steps are those of the
 * shorter input, where what came next has moved up to this step. */
int32_t afl_custom_post_trim(void *data, uint8_t success)
{
    mutator *m = data;
    if (success) {
        memcpy(m->trimmed, m->out, m->out_size);
        m->trimmed_size = m->out_size;
    } else {
        m->step++;
    }
    if (m->step >= mc_mutate_trim_steps(m->trimmed, m->trimmed_size)) {
        return m->stages;
    }
    return (int32_t)m->step < m->stages ? (int32_t)m->step : m->stages - 1;
}
