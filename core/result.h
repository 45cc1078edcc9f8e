/* result.h: how every function of midcommit says that it did not do what it was asked.
 *
 * A function that can fail returns an mc_status and takes a caller-owned mc_error. The error
 * carries a stable slug for programs (`reason`, kebab-case, static storage) and one line for people
 * (`text`) that names the file, the place, what was expected and what was found. On MC_OK the error
 * is left untouched. */
#ifndef MIDCOMMIT_CORE_RESULT_H
#define MIDCOMMIT_CORE_RESULT_H

typedef enum mc_status {
    MC_OK = 0,
    MC_REFUSED,   /* an importer read its input and will not import it; `reason` says why */
    MC_MALFORMED, /* bytes from outside do not have the form they must have */
    MC_NO_MEMORY, /* an arena's limit or the machine's memory was reached */
    MC_IO,        /* the operating system or a library refused an operation */
    MC_USAGE      /* the caller asked for something that does not exist */
} mc_status;

typedef struct mc_error {
    mc_status status;
    const char *reason; /* such as "journal-exists"; never null after a failure */
    char text[256];     /* one line, no newline, always terminated */
} mc_error;

/* Fills `error` and returns `status`, so that a failure is one statement:
 *     return mc_fail(error, MC_REFUSED, "bad-magic", "main: offset 0: ...", ...);
 * Control characters that the format's arguments bring along are replaced by '?'. `reason` must
 * have static storage. `error` must not be null. */
mc_status mc_fail(mc_error *error, mc_status status, const char *reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
