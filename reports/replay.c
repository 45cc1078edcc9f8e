#include "reports/replay.h"

#include "core/text.h"
#include "reports/shell.h"
#include "reports/wrap.h"

#include <libxml/xmlwriter.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_BYTES = 2 * 4096 + 16 }; /* an importer's name with every byte escaped */

/* --importer takes a list, in which a name's own commas are escaped. */
static void print_command(const char *program, const mc_replayed *one,
                          const mc_replay_change *change, FILE *out)
{
    char importer[LIST_BYTES] = "";
    (void)mc_importers_append(importer, sizeof importer, change->importer);
    mc_shell_word(out, program);
    (void)fputs(" explain ", out);
    mc_shell_word(out, one->path);
    (void)fputs(" --importer ", out);
    mc_shell_word(out, importer);
}

static void print_path(const char *what, const mc_replayed *one, FILE *out)
{
    (void)fprintf(out, "%-8s ", what);
    mc_plain(out, one->path);
    (void)fputc('\n', out);
}

static void print_one(const mc_replayed *one, const char *program, bool quiet, FILE *out)
{
    if (one->failure != NULL) {
        print_path("ERROR", one, out);
        (void)fputs("         ", out);
        mc_plain(out, one->failure);
        (void)fputc('\n', out);
    } else if (one->change_count == 0) {
        if (!quiet) {
            print_path("ok", one, out);
        }
    } else {
        print_path(one->accepted ? "ACCEPTED" : "CHANGED", one, out);
    }
    for (uint32_t i = 0; i < one->change_count && one->failure == NULL; i++) {
        const mc_replay_change *change = &one->change[i];
        (void)fputs("         ", out);
        mc_plain(out, change->importer);
        (void)fputs(": expected \"", out);
        mc_plain(out, change->expected);
        (void)fputs("\", found \"", out);
        mc_plain(out, change->found);
        (void)fputs("\"\n         ", out);
        print_command(program, one, change, out);
        (void)fputc('\n', out);
    }
}

void mc_report_replay(const mc_replay *replay, const char *program, bool quiet, FILE *out)
{
    for (uint32_t i = 0; i < replay->count; i++) {
        print_one(&replay->replayed[i], program, quiet, out);
    }
    uint32_t same = replay->count - replay->changed - replay->accepted - replay->failed;
    (void)fprintf(out, "%u case%s replayed: %u as expected, %u changed, %u could not be judged",
                  replay->count, replay->count == 1 ? "" : "s", same, replay->changed,
                  replay->failed);
    if (replay->accepted > 0) {
        (void)fprintf(out, ", %u accepted as they are now", replay->accepted);
    }
    (void)fputs(".\n", out);
}

/* ---- JUnit ---- */

/* Text that XML may hold (XML 1.0, 2.2): no control characters, no bytes that are not UTF-8, and
 * neither U+FFFE nor U+FFFF. */
static const char *xml_text(mc_arena *arena, const char *text)
{
    mc_bytes bytes = {(const uint8_t *)text, strlen(text)};
    const char *plain = mc_text_utf8(arena, bytes, MC_TEXT_UTF8);
    char *copy = plain == NULL ? NULL : mc_arena_alloc(arena, strlen(plain) + 1);
    if (copy == NULL) {
        return "?";
    }
    strcpy(copy, plain);
    for (char *at = strstr(copy, "\xef\xbf"); at != NULL; at = strstr(at + 3, "\xef\xbf")) {
        if ((unsigned char)at[2] >= 0xbe) {
            memcpy(at, "???", 3);
        }
    }
    return copy;
}

static void put_attribute(xmlTextWriterPtr writer, mc_arena *arena, const char *name,
                          const char *value)
{
    (void)xmlTextWriterWriteAttribute(writer, BAD_CAST name, BAD_CAST xml_text(arena, value));
}

static void put_count(xmlTextWriterPtr writer, const char *name, uint32_t count)
{
    (void)xmlTextWriterWriteFormatAttribute(writer, BAD_CAST name, "%u", count);
}

/* A line for each verdict that changed. */
static void put_changes(xmlTextWriterPtr writer, mc_arena *arena, const mc_replayed *one)
{
    for (uint32_t i = 0; i < one->change_count; i++) {
        const mc_replay_change *change = &one->change[i];
        (void)xmlTextWriterWriteString(writer, BAD_CAST xml_text(arena, change->importer));
        (void)xmlTextWriterWriteString(writer, BAD_CAST ": expected \"");
        (void)xmlTextWriterWriteString(writer, BAD_CAST xml_text(arena, change->expected));
        (void)xmlTextWriterWriteString(writer, BAD_CAST "\", found \"");
        (void)xmlTextWriterWriteString(writer, BAD_CAST xml_text(arena, change->found));
        (void)xmlTextWriterWriteString(writer, BAD_CAST "\"\n");
    }
}

/* The folder is the class, the file the test: servers group by them. What is wrong is one element,
 * because some readers take only the first, with its text twice, because some show only the
 * attribute and some only the content. */
static void put_case(xmlTextWriterPtr writer, mc_arena *arena, const mc_replayed *one)
{
    const char *slash = strrchr(one->path, '/');
    char *folder = slash != NULL ? strndup(one->path, (size_t)(slash - one->path)) : strdup(".");
    (void)xmlTextWriterStartElement(writer, BAD_CAST "testcase");
    put_attribute(writer, arena, "classname", folder != NULL ? folder : ".");
    put_attribute(writer, arena, "name", slash != NULL ? slash + 1 : one->path);
    free(folder);
    if (one->failure != NULL) {
        (void)xmlTextWriterStartElement(writer, BAD_CAST "error");
        put_attribute(writer, arena, "message", one->failure);
        put_attribute(writer, arena, "type", "case");
        (void)xmlTextWriterWriteString(writer, BAD_CAST xml_text(arena, one->failure));
        (void)xmlTextWriterEndElement(writer);
    } else if (one->change_count > 0 && !one->accepted) {
        char message[1000];
        (void)snprintf(message, sizeof message, "%s: expected \"%s\", found \"%s\"%s",
                       one->change[0].importer, one->change[0].expected, one->change[0].found,
                       one->change_count > 1 ? ", and more" : "");
        (void)xmlTextWriterStartElement(writer, BAD_CAST "failure");
        put_attribute(writer, arena, "message", message);
        put_attribute(writer, arena, "type", "verdict");
        put_changes(writer, arena, one);
        (void)xmlTextWriterEndElement(writer);
    }
    (void)xmlTextWriterEndElement(writer);
}

static bool write_suite(const mc_replay *replay, mc_arena *arena, xmlTextWriterPtr writer)
{
    bool ok = xmlTextWriterSetIndent(writer, 1) >= 0 &&
              xmlTextWriterStartDocument(writer, NULL, "UTF-8", NULL) >= 0;
    (void)xmlTextWriterStartElement(writer, BAD_CAST "testsuites");
    (void)xmlTextWriterStartElement(writer, BAD_CAST "testsuite");
    put_attribute(writer, arena, "name", "midcommit replay");
    put_count(writer, "tests", replay->count);
    put_count(writer, "failures", replay->changed);
    put_count(writer, "errors", replay->failed);
    for (uint32_t i = 0; i < replay->count; i++) {
        put_case(writer, arena, &replay->replayed[i]);
    }
    return ok && xmlTextWriterEndDocument(writer) >= 0 && xmlTextWriterFlush(writer) >= 0;
}

mc_status mc_report_junit(const mc_replay *replay, char **text, size_t *size, mc_error *error)
{
    xmlBufferPtr buffer = xmlBufferCreate();
    xmlTextWriterPtr writer = buffer != NULL ? xmlNewTextWriterMemory(buffer, 0) : NULL;
    mc_arena arena = {.limit_bytes = SIZE_MAX / 2};
    bool ok = writer != NULL && write_suite(replay, &arena, writer);
    mc_arena_free(&arena);
    if (writer != NULL) {
        xmlFreeTextWriter(writer);
    }
    *size = ok ? (size_t)xmlBufferLength(buffer) : 0;
    *text = ok ? malloc(*size + 1) : NULL;
    if (*text != NULL) {
        memcpy(*text, xmlBufferContent(buffer), *size);
        (*text)[*size] = '\0';
    }
    if (buffer != NULL) {
        xmlBufferFree(buffer);
    }
    return *text != NULL ? MC_OK
                         : mc_fail(error, MC_NO_MEMORY, "no-memory", "--junit: out of memory");
}
