#include "reports/replay.h"

#include "reports/shell.h"

#include <libxml/xmlwriter.h>
#include <stdlib.h>
#include <string.h>

static void print_command(const char *program, const mc_replayed *one,
                          const mc_replay_change *change, FILE *out)
{
    mc_shell_word(out, program);
    (void)fputs(" explain ", out);
    mc_shell_word(out, one->path);
    (void)fputs(" --importer ", out);
    mc_shell_word(out, change->importer);
    (void)fputc('\n', out);
}

static void print_one(const mc_replayed *one, const char *program, bool quiet, FILE *out)
{
    if (one->failure != NULL) {
        (void)fprintf(out, "ERROR    %s\n", one->failure);
    } else if (one->change_count == 0) {
        if (!quiet) {
            (void)fprintf(out, "ok       %s\n", one->path);
        }
    } else {
        (void)fprintf(out, "%s %s\n", one->accepted ? "ACCEPTED" : "CHANGED ", one->path);
        for (uint32_t i = 0; i < one->change_count; i++) {
            const mc_replay_change *change = &one->change[i];
            (void)fprintf(out, "         %s: expected \"%s\", found \"%s\"\n         ",
                          change->importer, change->expected, change->found);
            print_command(program, one, change, out);
        }
    }
}

void mc_report_replay(const mc_replay *replay, const char *program, bool quiet, FILE *out)
{
    for (uint32_t i = 0; i < replay->count; i++) {
        print_one(&replay->replayed[i], program, quiet, out);
    }
    uint32_t same = replay->count - replay->changed - replay->accepted - replay->failed;
    (void)fprintf(out, "%u cases replayed: %u as expected, %u changed, %u could not be judged",
                  replay->count, same, replay->changed, replay->failed);
    if (replay->accepted > 0) {
        (void)fprintf(out, ", %u accepted as they are now", replay->accepted);
    }
    (void)fputs(".\n", out);
}

/* ---- JUnit ---- */

/* XML has no control characters, and this file no bytes that are not UTF-8. */
static void put_attribute(xmlTextWriterPtr writer, const char *name, const char *value)
{
    char *text = strdup(value);
    bool utf8 = xmlCheckUTF8((const unsigned char *)value) != 0;
    for (char *c = text; text != NULL && *c != '\0'; c++) {
        unsigned char byte = (unsigned char)*c;
        *c = byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !utf8) ? '?' : *c;
    }
    (void)xmlTextWriterWriteAttribute(writer, BAD_CAST name, BAD_CAST(text != NULL ? text : ""));
    free(text);
}

static void put_count(xmlTextWriterPtr writer, const char *name, uint32_t count)
{
    (void)xmlTextWriterWriteFormatAttribute(writer, BAD_CAST name, "%u", count);
}

/* The folder is the class, the file the test: servers group by them. */
static void put_case(xmlTextWriterPtr writer, const mc_replayed *one)
{
    char folder[4096];
    const char *slash = strrchr(one->path, '/');
    (void)snprintf(folder, sizeof folder, "%.*s", slash != NULL ? (int)(slash - one->path) : 1,
                   slash != NULL ? one->path : ".");
    (void)xmlTextWriterStartElement(writer, BAD_CAST "testcase");
    put_attribute(writer, "classname", folder);
    put_attribute(writer, "name", slash != NULL ? slash + 1 : one->path);
    if (one->failure != NULL) {
        (void)xmlTextWriterStartElement(writer, BAD_CAST "error");
        put_attribute(writer, "message", one->failure);
        (void)xmlTextWriterEndElement(writer);
    }
    for (uint32_t i = 0; i < one->change_count && !one->accepted; i++) {
        const mc_replay_change *change = &one->change[i];
        char message[512];
        (void)snprintf(message, sizeof message, "%s: expected \"%s\", found \"%s\"",
                       change->importer, change->expected, change->found);
        (void)xmlTextWriterStartElement(writer, BAD_CAST "failure");
        put_attribute(writer, "message", message);
        put_attribute(writer, "type", "verdict");
        (void)xmlTextWriterEndElement(writer);
    }
    (void)xmlTextWriterEndElement(writer);
}

static bool write_suite(const mc_replay *replay, xmlTextWriterPtr writer)
{
    bool ok = xmlTextWriterSetIndent(writer, 1) >= 0 &&
              xmlTextWriterStartDocument(writer, NULL, "UTF-8", NULL) >= 0;
    (void)xmlTextWriterStartElement(writer, BAD_CAST "testsuites");
    (void)xmlTextWriterStartElement(writer, BAD_CAST "testsuite");
    put_attribute(writer, "name", "midcommit replay");
    put_count(writer, "tests", replay->count);
    put_count(writer, "failures", replay->changed);
    put_count(writer, "errors", replay->failed);
    for (uint32_t i = 0; i < replay->count; i++) {
        put_case(writer, &replay->replayed[i]);
    }
    return ok && xmlTextWriterEndDocument(writer) >= 0 && xmlTextWriterFlush(writer) >= 0;
}

mc_status mc_report_junit(const mc_replay *replay, char **text, size_t *size, mc_error *error)
{
    xmlBufferPtr buffer = xmlBufferCreate();
    xmlTextWriterPtr writer = buffer != NULL ? xmlNewTextWriterMemory(buffer, 0) : NULL;
    bool ok = writer != NULL && write_suite(replay, writer);
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
