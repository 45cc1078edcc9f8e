#include "reports/corpus.h"

#include "harness/judge/judge.h"

#include <string.h>

enum { PARTS = 6, PART_BYTES = 128 };
enum { MODE, CRASH, KIND, ROLE, WHO, VERDICT };

/* A signature's six parts; the last one may hold slashes. False when there are fewer. */
static bool split(const char *signature, char part[PARTS][PART_BYTES])
{
    const char *at = signature;
    for (int i = 0; i < PARTS; i++) {
        size_t size = i + 1 < PARTS ? strcspn(at, "/") : strlen(at);
        if (i + 1 < PARTS && at[size] == '\0') {
            return false;
        }
        (void)snprintf(part[i], PART_BYTES, "%.*s", (int)size, at);
        at += size + 1;
    }
    return true;
}

/* "before the journal is synced" */
static void write_moment(const char *kind, char *out, size_t size)
{
    static const char *const verbs[][2] = {{"write ", "written"},  {"sync ", "synced"},
                                           {"create ", "created"}, {"truncate ", "truncated"},
                                           {"delete ", "deleted"}, {"batch ", "batched"}};
    static const char *const whole[][2] = {
        {"commit begun", "before a commit begins"},
        {"commit acknowledged", "before a commit is acknowledged"},
        {"end", "after its last operation"},
        {"put", "at a put"},
        {"delete keys", "at a deletion of keys"},
        {"delete range", "at a deletion of a range of keys"},
    };
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        if (strcmp(kind, whole[i][0]) == 0) {
            (void)snprintf(out, size, "%s", whole[i][1]);
            return;
        }
    }
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        size_t length = strlen(verbs[i][0]);
        const char *role = kind + length;
        if (strncmp(kind, verbs[i][0], length) == 0) {
            bool wal = strcmp(role, "wal") == 0;
            (void)snprintf(out, size, "before %s%s is %s", strcmp(role, "main") == 0 ? "" : "the ",
                           wal                        ? "WAL"
                           : strcmp(role, "shm") == 0 ? "-shm"
                                                      : role,
                           verbs[i][1]);
            return;
        }
    }
    (void)snprintf(out, size, "at \"%s\"", kind);
}

/* "abandon makes a torn database that every check accepts" */
static void write_result(char part[PARTS][PART_BYTES], char *out, size_t size)
{
    const char *who = part[WHO];
    const char *verdict = part[VERDICT];
    const char *reason = strchr(verdict, ':') != NULL ? strchr(verdict, ':') + 2 : "";
    if (strncmp(verdict, "torn", 4) == 0) {
        (void)snprintf(out, size, "%s makes a torn database that %s%s%s%s", who,
                       strcmp(verdict, "torn, silent") == 0 ? "every check accepts"
                                                            : "a check notices",
                       strcmp(part[ROLE], "-") == 0 ? "" : " (first wrong: ",
                       strcmp(part[ROLE], "-") == 0 ? "" : part[ROLE],
                       strcmp(part[ROLE], "-") == 0 ? "" : ")");
    } else if (strncmp(verdict, "stale, empty", 12) == 0) {
        (void)snprintf(out, size, "%s makes an empty database though commits were acknowledged",
                       who);
    } else if (strncmp(verdict, "stale", 5) == 0) {
        (void)snprintf(out, size, "%s loses acknowledged commits", who);
    } else if (strncmp(verdict, "blocked", 7) == 0) {
        (void)snprintf(out, size, "%s refuses (%s) what SQLite recovers", who, reason);
    } else if (strncmp(verdict, "refused", 7) == 0) {
        (void)snprintf(out, size, "%s refuses (%s), and SQLite recovers no commit either", who,
                       reason);
    } else {
        (void)snprintf(out, size, "%s is right%s", who,
                       strcmp(verdict, "clean, ahead") == 0 ? ": the commit in flight is whole"
                                                            : "");
    }
}

void mc_corpus_sentence(const char *signature, char *out, size_t size)
{
    char part[PARTS][PART_BYTES];
    if (!split(signature, part)) {
        (void)snprintf(out, size, "%s", signature);
        return;
    }
    char moment[160];
    char result[400];
    char *handed = strchr(part[CRASH], '@');
    if (handed != NULL) {
        *handed++ = '\0';
    }
    char *again = strstr(part[CRASH], MC_AGAIN_MARK);
    if (again != NULL) {
        *again = '\0';
    }
    char *defect = strchr(part[VERDICT], '/');
    if (defect != NULL) {
        *defect++ = '\0';
    }
    if (strcmp(part[WHO], "control breaks its promise") == 0 ||
        strcmp(part[WHO], "does not converge") == 0) {
        (void)snprintf(part[WHO], sizeof part[WHO], "SQLite itself");
    }
    write_moment(part[KIND], moment, sizeof moment);
    write_result(part, result, sizeof result);
    if (defect != NULL) {
        size_t length = strlen(result);
        bool induced = strcmp(defect, "recovery-induced") == 0;
        bool another = strcmp(defect, "another snapshot") == 0;
        (void)snprintf(result + length, sizeof result - length, "%s%s",
                       induced   ? ", though main was a commit before SQLite recovered it"
                       : another ? ", but not what it made before the second crash"
                                 : ", its known defect ",
                       induced || another ? "" : defect);
    }
    bool kv = strncmp(part[CRASH], "kv", 2) == 0;
    bool power = strncmp(part[CRASH], "power:", 6) == 0;
    if (strcmp(part[KIND], "found") == 0) {
        (void)snprintf(out, size, "A %s found in the field; %s.", kv ? "v1 store" : "database",
                       result);
    } else {
        (void)snprintf(out, size, "%s%s %s (%s%s%s)%s%s; %s.",
                       kv      ? "The actor is cut off"
                       : power ? "The power goes"
                               : "SQLite is killed",
                       again == NULL ? ""
                       : power       ? ", and again in the recovery that follows,"
                                     : ", and again in its recovery,",
                       moment, kv ? part[CRASH] : part[MODE], power ? ", " : "",
                       power ? part[CRASH] : "", handed != NULL ? ", handed over as " : "",
                       handed != NULL ? handed : "", result);
    }
}

/* A cell of a Markdown table: its bar is the column's end. */
static void put_cell(const char *text, FILE *out)
{
    for (const char *at = text; *at != '\0'; at++) {
        (void)fputs(*at == '|' ? "\\" : "", out);
        (void)fputc((unsigned char)*at < 0x20 ? ' ' : *at, out);
    }
}

void mc_report_corpus(const mc_replay *replay, const char *root, FILE *out)
{
    size_t length = strlen(root);
    (void)fputs("| case | signature | what happened |\n| --- | --- | --- |\n", out);
    for (uint32_t i = 0; i < replay->count; i++) {
        const mc_replayed *one = &replay->replayed[i];
        if (one->signature == NULL) {
            continue;
        }
        const char *name = one->path;
        if (strncmp(name, root, length) == 0) {
            name += length;
            name += strspn(name, "/");
        }
        char sentence[800];
        mc_corpus_sentence(one->signature, sentence, sizeof sentence);
        size_t size = strlen(name);
        size_t stem = size > 5 && strcmp(name + size - 5, ".case") == 0 ? size - 5 : size;
        (void)fprintf(out, "| [%.*s](%s) | ", (int)stem, name, name);
        put_cell(one->signature, out);
        (void)fputs(" | ", out);
        put_cell(sentence, out);
        (void)fputs(" |\n", out);
    }
}
