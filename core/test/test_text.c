/* Text made safe to print. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"

typedef struct sample {
    const char *bytes;
    size_t size;
    uint32_t encoding;
    const char *expected;
} sample;

#define SAMPLE(bytes, encoding, expected)                                                          \
    {                                                                                              \
        bytes, sizeof bytes - 1, encoding, expected                                                \
    }

/* Known answers from the Unicode standard: table 3-7 (well-formed UTF-8) and 3.9 (UTF-16). */
static const sample samples[] = {
    SAMPLE("", MC_TEXT_UTF8, ""),
    SAMPLE("abc", MC_TEXT_UTF8, "abc"),
    SAMPLE("a\0b\n\x7f", MC_TEXT_UTF8, "a?b??"),
    SAMPLE("\xc2\x85x", MC_TEXT_UTF8, "?x"),
    SAMPLE("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", MC_TEXT_UTF8, "\u00e9\u20ac\U0001F600"),
    SAMPLE("\xc0\x80", MC_TEXT_UTF8, "??"),
    SAMPLE("\xe0\x9f\xbf", MC_TEXT_UTF8, "???"),
    SAMPLE("\xf0\x8f\xbf\xbf", MC_TEXT_UTF8, "????"),
    SAMPLE("\xed\xa0\x80", MC_TEXT_UTF8, "???"),
    SAMPLE("\xf4\x90\x80\x80", MC_TEXT_UTF8, "????"),
    SAMPLE("\xf5z\xff", MC_TEXT_UTF8, "?z?"),
    SAMPLE("\xe2\x82", MC_TEXT_UTF8, "??"),
    SAMPLE("\xe2\x82z", MC_TEXT_UTF8, "??z"),
    SAMPLE("\xc3\xa9", 99, "\u00e9"),
    SAMPLE("a\0\xe9\0\xac\x20", MC_TEXT_UTF16LE, "a\u00e9\u20ac"),
    SAMPLE("\0a\0\xe9\x20\xac", MC_TEXT_UTF16BE, "a\u00e9\u20ac"),
    SAMPLE("\x3d\xd8\0\xde", MC_TEXT_UTF16LE, "\U0001F600"),
    SAMPLE("\xd8\x3d\xde\0z", MC_TEXT_UTF16BE, "\U0001F600?"),
    SAMPLE("\xd8\x3d\0z", MC_TEXT_UTF16BE, "?z"),
    SAMPLE("\xde\0\0z", MC_TEXT_UTF16BE, "?z"),
    SAMPLE("\xd8\x3d", MC_TEXT_UTF16BE, "?"),
    SAMPLE("\0\n\0z", MC_TEXT_UTF16BE, "?z"),
};

static void test_samples(void **state)
{
    /* Promise: valid characters stay, all others and controls become '?'. */
    (void)state;
    mc_arena arena = {.limit_bytes = 1u << 16};
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        uint8_t *exact = malloc(samples[i].size + 1);
        assert_non_null(exact);
        memcpy(exact, samples[i].bytes, samples[i].size);
        uint8_t *bytes = realloc(exact, samples[i].size == 0 ? 1 : samples[i].size);
        assert_non_null(bytes);
        const char *text = mc_text_utf8(&arena, (mc_bytes){.data = bytes, .size = samples[i].size},
                                        samples[i].encoding);
        assert_string_equal(text, samples[i].expected);
        free(bytes);
    }
    mc_arena_free(&arena);
}

static void test_no_memory(void **state)
{
    /* Promise: null when the arena's limit is reached. */
    (void)state;
    mc_arena arena = {.limit_bytes = 8};
    assert_null(mc_text_utf8(&arena, (mc_bytes){.data = (const uint8_t *)"ten bytes!", .size = 10},
                             MC_TEXT_UTF8));
    mc_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
