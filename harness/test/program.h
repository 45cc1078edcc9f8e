/* program.h: a folder of its own for a test, and the program run in it, for tests that look at what
 * people and scripts get. */
#ifndef MIDCOMMIT_HARNESS_TEST_PROGRAM_H
#define MIDCOMMIT_HARNESS_TEST_PROGRAM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define PROGRAM_UNUSED __attribute__((unused))

static char program_folder[] = "midcommit-test-XXXXXX";

/* In front of every command: a limit, another user; or "". */
static const char *program_before = "";

/* Output of one run. */
typedef struct output {
    int status;
    char *out;
    char *err;
} output;

PROGRAM_UNUSED static int program_enter(void **unused)
{
    (void)unused;
    if (MIDCOMMIT_PROGRAM[0] == '\0') {
        print_message("there is no midcommit program in this build\n");
        return -1;
    }
    return mkdtemp(program_folder) != NULL && chdir(program_folder) == 0 ? 0 : -1;
}

PROGRAM_UNUSED static int program_leave(void **unused)
{
    (void)unused;
    char command[80];
    (void)snprintf(command, sizeof command, "chmod -R u+rwX '%s' && rm -rf '%s'", program_folder,
                   program_folder);
    return chdir("..") == 0 ? system(command) : -1;
}

/* The bytes of a file, with a zero behind them; null when it is not there. */
PROGRAM_UNUSED static char *program_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return NULL;
    }
    char *text = NULL;
    size_t have = 0;
    size_t n = 0;
    do {
        text = realloc(text, have + 65536 + 1);
        assert_non_null(text);
        n = fread(text + have, 1, 65536, file);
        have += n;
    } while (n > 0);
    text[have] = '\0';
    assert_int_equal(fclose(file), 0);
    *size = have;
    return text;
}

PROGRAM_UNUSED static void program_write(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* A shell command; its exit status. */
__attribute__((format(printf, 1, 2))) PROGRAM_UNUSED static int program_shell(const char *format,
                                                                              ...)
{
    char line[9000];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    assert_in_range(n, 1, sizeof line - 1);
    int status = system(line);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

__attribute__((format(printf, 1, 2))) PROGRAM_UNUSED static output program_run(const char *format,
                                                                               ...)
{
    char words[8000];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    assert_in_range(n, 0, sizeof words - 1);
    size_t size;
    int status = program_shell("%s '%s' %s >.out 2>.err </dev/null", program_before,
                               MIDCOMMIT_PROGRAM, words);
    return (output){status, program_read(".out", &size), program_read(".err", &size)};
}

PROGRAM_UNUSED static void program_done(output *o)
{
    free(o->out);
    free(o->err);
    *o = (output){0};
}

/* That it ended with `status`; shows what it said when not. */
PROGRAM_UNUSED static void program_expect(const output *o, int status, const char *what)
{
    if (o->status != status) {
        print_error("%s: status %d, expected %d\n%s%s", what, o->status, status, o->out, o->err);
        fail();
    }
}

/* Replay has told about its cases; that some could not be judged is its one line of error. */
PROGRAM_UNUSED static void program_expect_unjudged(const output *o)
{
    static const char lead[] = "midcommit: replay: ";
    const char *end = strchr(o->err, '\n');
    assert_int_equal(strncmp(o->err, lead, strlen(lead)), 0);
    assert_true(end != NULL && end[1] == '\0' && strstr(o->err, " could not be judged") != NULL);
}

/* That it ended with `status` and one line on standard error, and said nothing else. */
PROGRAM_UNUSED static void program_expect_line(const output *o, int status, const char *what)
{
    program_expect(o, status, what);
    const char *end = strchr(o->err, '\n');
    bool one = strncmp(o->err, "midcommit: ", 11) == 0 && end != NULL && end[1] == '\0';
    for (const char *at = o->err; one && at < end; at++) {
        one = (unsigned char)*at >= 0x20 && *at != 0x7f;
    }
    if (!one || o->out[0] != '\0') {
        print_error("%s: not one line:\n%s%s", what, o->out, o->err);
        fail();
    }
}

#endif
