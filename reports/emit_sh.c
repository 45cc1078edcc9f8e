/* emit_sh.c: a case as a shell script. The files travel as a tar archive in base64 at its end; the
 * logic is one fixed text in front of it, told by a handful of assignments what to expect. Names
 * from the case have only letters, digits, '.' and '-', and always stand behind "./". */
#include "reports/emitting.h"
#include "reports/shell.h"

#include <stdlib.h>
#include <string.h>

/* ---- the archive ---- */

static void put_base64(FILE *out, const unsigned char *data, size_t size)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    enum { LINE_BYTES = 57 }; /* 76 characters */
    for (size_t i = 0; i < size; i += 3) {
        uint32_t bits = (uint32_t)data[i] << 16;
        bits |= i + 1 < size ? (uint32_t)data[i + 1] << 8 : 0;
        bits |= i + 2 < size ? data[i + 2] : 0;
        (void)fputc(digit[bits >> 18], out);
        (void)fputc(digit[bits >> 12 & 63], out);
        (void)fputc(i + 1 < size ? digit[bits >> 6 & 63] : '=', out);
        (void)fputc(i + 2 < size ? digit[bits & 63] : '=', out);
        if ((i + 3) % LINE_BYTES == 0 || i + 3 >= size) {
            (void)fputc('\n', out);
        }
    }
}

static mc_status put_files(const mc_emission *e, FILE *out, mc_error *error)
{
    mc_packed *entry = calloc(e->file_count + 1, sizeof *entry);
    if (entry == NULL) {
        return mc_fail(error, MC_NO_MEMORY, "no-memory", "emit: out of memory");
    }
    uint32_t count = e->file_count;
    memcpy(entry, e->file, count * sizeof *entry);
    if (e->is_kv) {
        entry[count++] = (mc_packed){"kv.jsonl", mc_case_file(e->c, "kv.jsonl")};
    }
    uint8_t *data = NULL;
    size_t size = 0;
    mc_status status = mc_pack(entry, count, MC_PACK_GZIP, &data, &size, error);
    if (status == MC_OK) {
        (void)fputs("\nunpack() {\n    base64 -d <<'END_OF_FILES' | tar -xzf -\n", out);
        put_base64(out, data, size);
        (void)fputs("END_OF_FILES\n}\n", out);
    }
    free(data);
    free(entry);
    return status;
}

/* ---- the script ---- */

/* An assignment; `value` is printable. */
static void assign(FILE *out, const char *name, const char *value)
{
    (void)fprintf(out, "%s=", name);
    mc_shell_word(out, value);
    (void)fputc('\n', out);
}

static void put_expectation(mc_emission *e, FILE *out)
{
    static const char *const ways[] = {"open", "abandon", "reject", "elsewhere"};
    const mc_emit_expected *x = &e->expected;
    char text[600] = "";
    FILE *go_on = fmemopen(text, sizeof text, "w");
    if (go_on != NULL) {
        mc_emit_go_on(e, go_on);
        (void)fclose(go_on);
        text[sizeof text - 1] = '\0';
    }
    assign(out, "importer", e->subject);
    assign(out, "verdict", e->verdict);
    (void)fprintf(out, "way=%s     # how the importer's part is done here\n", ways[e->way]);
    (void)fprintf(out, "refusal=%s   # must the importer refuse?\n", x->refusal ? "yes" : "no");
    if (x->none) {
        (void)fputs("expected=none   # the snapshots that the database may equal\n", out);
    } else {
        (void)fputs("expected='", out);
        for (uint32_t k = x->low; k <= x->high; k++) {
            (void)fprintf(out, "%s%u", k > x->low ? " " : "", k);
        }
        (void)fputs("'   # the snapshots that the database may equal\n", out);
    }
    (void)fprintf(out, "soundness=%s   # what integrity_check must say\n",
                  x->sound     ? "ok"
                  : x->unsound ? "wrong"
                               : "any");
    (void)fprintf(out, "acked=%u\nbegun=%u\n", e->acked, e->begun);
    assign(out, "go_on", text);
}

/* The two functions that name the databases. */
static void put_names(const mc_emission *e, FILE *out)
{
    (void)fputs("\nimported() {\n    content", out);
    for (uint32_t d = 0; d < e->databases; d++) {
        (void)fprintf(out, " ./%s", mc_case_database(e->c, d));
    }
    (void)fputs("\n}\n\nsnapshot() {\n    content", out);
    for (uint32_t d = 0; d < e->databases; d++) {
        (void)fprintf(out, " \"./snapshot-$1%s.db\"", d == 0 ? "" : "-aux");
    }
    (void)fputs("\n}\n\nintegrity() {\n    for database in", out);
    for (uint32_t d = 0; d < e->databases; d++) {
        (void)fprintf(out, " ./%s", mc_case_database(e->c, d));
    }
    (void)fputs("; do\n        ask \"$database\" 'PRAGMA integrity_check(1)'\n    done\n}\n", out);
    (void)fputs("\nsidecars() {\n    for file in", out);
    for (uint32_t d = 0; d < e->databases; d++) {
        for (size_t s = 0; s < sizeof mc_emit_sidecars / sizeof *mc_emit_sidecars; s++) {
            (void)fprintf(out, " ./%s%s", mc_case_database(e->c, d), mc_emit_sidecars[s]);
        }
    }
    (void)fputs("; do\n        [ ! -e \"$file\" ] || echo \"$file\"\n    done\n}\n", out);
}

static const char head[] =
    "#\n"
    "# usage: sh THIS [FOLDER]    FOLDER is made; without it a new one in the temporary folder\n"
    "# exit status: 0 this verdict came out, 1 another did, 2 stock tools cannot say it\n"
    "# It needs base64, tar, gzip and sqlite3. What begins with _ in FOLDER are its notes.\n";

static const char tools[] =
    "\n"
    "say() { printf '%s\\n' \"$*\"; }\n"
    "die() { printf '%s\\n' \"$*\" >&2; exit 2; }\n"
    "\n"
    "# What a database says must not reach a terminal as it is.\n"
    "plain() { LC_ALL=C tr -c '[:print:]\\n' '?' | cut -c 1-160; }\n"
    "\n"
    "# ask DATABASE QUERY...: nobody's settings, and no trust in the schema.\n"
    "ask() { sqlite3 -batch -init /dev/null \"$1\" 'PRAGMA trusted_schema=OFF' \"$2\" 2>&1 || :; "
    "}\n"
    "\n"
    "# content DATABASE...: all rows of all tables, the schema, and the application's numbers.\n"
    "content() {\n"
    "    for database do\n"
    "        ask \"$database\" 'PRAGMA user_version'\n"
    "        ask \"$database\" 'PRAGMA application_id'\n"
    "        ask \"$database\" '.dump --preserve-rowids'\n"
    "    done\n"
    "}\n";

static const char judgement[] =
    "\n"
    "equals() {\n"
    "    snapshot \"$1\" >_snapshot\n"
    "    cmp -s _snapshot _imported\n"
    "}\n"
    "\n"
    "# The snapshot that the database equals: the acknowledged one, the one in flight, or the\n"
    "# newest older one. A dump cannot see a torn index, so integrity_check has a say.\n"
    "find_snapshot() {\n"
    "    found=none\n"
    "    [ \"$sound\" = ok ] || return 0\n"
    "    if equals \"$acked\"; then found=$acked; return 0; fi\n"
    "    if equals \"$begun\"; then found=$begun; return 0; fi\n"
    "    k=$((acked - 1))\n"
    "    while [ \"$k\" -ge 0 ]; do\n"
    "        if equals \"$k\"; then found=$k; return 0; fi\n"
    "        k=$((k - 1))\n"
    "    done\n"
    "}\n"
    "\n"
    "show_difference() {\n"
    "    snapshot \"$acked\" >_snapshot\n"
    "    say \"it equals no snapshot; from snapshot $acked it differs so:\"\n"
    "    diff _snapshot _imported >_difference || :\n"
    "    sed -n '/^</{p;q;}' _difference | plain\n"
    "    sed -n '/^>/{p;q;}' _difference | plain\n"
    "}\n"
    "\n"
    "main() {\n"
    "    command -v sqlite3 >/dev/null || die 'sqlite3: not found'\n"
    "    if [ $# -gt 0 ]; then\n"
    "        folder=$1\n"
    "        mkdir -- \"$folder\" || exit 2\n"
    "    else\n"
    "        folder=$(mktemp -d) || exit 2\n"
    "    fi\n"
    "    CDPATH= cd -- \"$folder\" || exit 2\n"
    "    unpack || die 'the files cannot be unpacked'\n"
    "    say \"the files are in $folder\"\n"
    "    if [ \"$way\" = elsewhere ]; then\n"
    "        say \"stock tools cannot do what $importer does; go on there with: $go_on\"\n"
    "        say \"expected: $verdict\"\n"
    "        exit 2\n"
    "    fi\n"
    "    refused=no\n"
    "    if [ \"$way\" = reject ] && [ -n \"$(sidecars)\" ]; then\n"
    "        say \"$importer refuses:\" $(sidecars)\n"
    "        refused=yes\n"
    "    elif [ \"$way\" = abandon ]; then\n"
    "        sidecars >_sidecars\n"
    "        while read -r file; do rm -f -- \"$file\"; done <_sidecars\n"
    "    fi\n"
    "    sound=ok\n"
    "    integrity >_integrity\n"
    "    ! grep -qvx ok _integrity || sound=wrong\n"
    "    say 'integrity_check:' \"$(head -n 3 _integrity | plain)\"\n"
    "    imported >_imported\n"
    "    find_snapshot\n"
    "    if [ \"$found\" = none ]; then\n"
    "        show_difference\n"
    "    else\n"
    "        say \"it equals snapshot $found; $acked were acknowledged, $begun begun\"\n"
    "    fi\n"
    "    case \" $expected \" in *\" $found \"*) as_expected=yes ;; *) as_expected=no ;; esac\n"
    "    [ \"$soundness\" = any ] || [ \"$soundness\" = \"$sound\" ] || as_expected=no\n"
    "    [ \"$refusal\" = \"$refused\" ] || as_expected=no\n"
    "    if [ \"$as_expected\" = no ]; then\n"
    "        say \"NOT reproduced: $importer: $verdict\"\n"
    "        exit 1\n"
    "    fi\n"
    "    say \"reproduced: $importer: $verdict\"\n"
    "}\n";

mc_status mc_emit_sh(mc_emission *e, FILE *out, mc_error *error)
{
    (void)fputs("#!/bin/sh\n", out);
    mc_emit_about(e, "# ", out);
    (void)fputs(head, out);
    (void)fputs("#\n", out);
    mc_emit_story(e, "# ", out);
    (void)fputs("set -eu\n\n", out);
    put_expectation(e, out);
    (void)fputs(tools, out);
    put_names(e, out);
    (void)fputs(judgement, out);
    mc_status status = put_files(e, out, error);
    (void)fputs("\nmain \"$@\"\n", out);
    return status;
}
