/* mutate_tar.c: a ustar archive, which is what a case holds: the fields of its headers, its
 * members, and their content by their names. Half of the headers that change get a right sum. */
#include "fuzz/mutate/mutate_edit.h"

#include <stdio.h>
#include <string.h>

enum {
    BLOCK = MC_TAR_BLOCK_BYTES,
    NAME_BYTES = 100,
    SIZE_AT = 124,
    SIZE_BYTES = 12,
    SUM_AT = 148,
    SUM_BYTES = 8,
    TYPE_AT = 156,
    MAGIC_AT = 257
};

bool mc_mutate_is_tar(const uint8_t *data, size_t size)
{
    return size >= BLOCK && memcmp(data + MAGIC_AT, "ustar", 5) == 0;
}

static size_t octal(const uint8_t *p, size_t digits)
{
    size_t value = 0;
    for (size_t i = 0; i < digits && p[i] >= '0' && p[i] <= '7'; i++) {
        value = value * 8 + (size_t)(p[i] - '0');
    }
    return value;
}

size_t mc_members_read(const uint8_t *data, size_t size, mc_member member[MC_MEMBERS_MAX])
{
    size_t count = 0;
    size_t at = 0;
    while (count < MC_MEMBERS_MAX && size - at >= BLOCK && data[at] != 0) {
        size_t left = size - at - BLOCK;
        size_t given = octal(data + at + SIZE_AT, SIZE_BYTES);
        given = given < left ? given : left;
        size_t padded = (given + BLOCK - 1) / BLOCK * BLOCK;
        member[count] = (mc_member){at, given, BLOCK + (padded < left ? padded : left)};
        at += member[count++].bytes;
    }
    return count;
}

static mc_member member[MC_MEMBERS_MAX];

static bool pick(mc_edit *edit, mc_member *out)
{
    size_t count = mc_members_read(edit->data, edit->size, member);
    if (count > 0) {
        *out = member[mc_edit_below(edit, count)];
    }
    return count > 0;
}

static void fix(mc_edit *edit, size_t header)
{
    uint8_t *p = edit->data + header;
    unsigned sum = 0;
    memset(p + SUM_AT, ' ', SUM_BYTES);
    for (size_t i = 0; i < BLOCK; i++) {
        sum += p[i];
    }
    char text[SUM_BYTES];
    (void)snprintf(text, sizeof text, "%06o", sum & 0777777);
    memcpy(p + SUM_AT, text, SUM_BYTES - 1);
}

static void changed(mc_edit *edit, size_t header)
{
    if (edit->right) {
        fix(edit, header);
    }
}

static void put_size(mc_edit *edit, size_t header, size_t size)
{
    char text[SIZE_BYTES + 1];
    (void)snprintf(text, sizeof text, "%011o", (unsigned)(size & 037777777777));
    memcpy(edit->data + header + SIZE_AT, text, SIZE_BYTES);
}

static bool header_name(mc_edit *edit)
{
    static const char *const names[] = {
        "case.json", "workload.sql",  "main.db",       "main.db-journal",   "main.db-wal", "aux.db",
        "kv.jsonl",  "snapshot-0.db", "snapshot-1.db", "snapshot-1-aux.db", "../x",        "/x",
        ".x",        "x/y",           "main.db-shm"};
    mc_member m;
    if (!pick(edit, &m)) {
        return false;
    }
    const char *name = names[mc_edit_below(edit, sizeof names / sizeof *names)];
    memset(edit->data + m.header, mc_edit_one_in(edit, 16) ? 'a' : 0, NAME_BYTES);
    memcpy(edit->data + m.header, name, strlen(name));
    changed(edit, m.header);
    return true;
}

static bool header_size(mc_edit *edit)
{
    mc_member m;
    if (!pick(edit, &m)) {
        return false;
    }
    size_t size = mc_edit_one_in(edit, 2) ? m.size + mc_edit_below(edit, 3) - 1
                                          : mc_edit_border(edit, (uint32_t)m.size, BLOCK, 32);
    put_size(edit, m.header, size);
    changed(edit, m.header);
    return true;
}

static bool header_type(mc_edit *edit)
{
    static const char types[] = {'0', '1', '2', '3', '5', '7', 'x', 'g', 'L', 'K', 'S', 0};
    mc_member m;
    if (!pick(edit, &m)) {
        return false;
    }
    edit->data[m.header + TYPE_AT] = (uint8_t)types[mc_edit_below(edit, sizeof types)];
    changed(edit, m.header);
    return true;
}

static bool header_bytes(mc_edit *edit)
{
    mc_member m;
    if (!pick(edit, &m)) {
        return false;
    }
    (void)mc_edit_leaf(edit, m.header, BLOCK);
    changed(edit, m.header);
    return true;
}

static bool header_sum(mc_edit *edit)
{
    mc_member m;
    if (!pick(edit, &m)) {
        return false;
    }
    edit->data[m.header + SUM_AT + mc_edit_below(edit, 6)] ^= 1;
    edit->right = false; /* this is about wrong ones */
    return true;
}

static bool member_delete(mc_edit *edit)
{
    size_t count = mc_members_read(edit->data, edit->size, member);
    if (count < 2) {
        return false;
    }
    mc_member m = member[mc_edit_below(edit, count)];
    return mc_edit_splice(edit, m.header, m.bytes, NULL, 0);
}

/* Once more, or somewhere else. */
static bool put_again(mc_edit *edit, bool moves)
{
    mc_member m;
    size_t count = mc_members_read(edit->data, edit->size, member);
    if (count == 0 || count == MC_MEMBERS_MAX || (moves && count < 2) || !pick(edit, &m) ||
        m.bytes > sizeof mc_mutate_work) {
        return false;
    }
    memcpy(mc_mutate_work, edit->data + m.header, m.bytes);
    if (moves) {
        (void)mc_edit_splice(edit, m.header, m.bytes, NULL, 0);
        count = mc_members_read(edit->data, edit->size, member);
        if (count == 0) {
            return mc_edit_splice(edit, 0, 0, mc_mutate_work, m.bytes);
        }
    }
    mc_member before = member[mc_edit_below(edit, count)];
    size_t at = mc_edit_one_in(edit, 2) ? before.header : before.header + before.bytes;
    return mc_edit_splice(edit, at, 0, mc_mutate_work, m.bytes);
}

static bool member_duplicate(mc_edit *edit)
{
    return put_again(edit, false);
}

static bool member_move(mc_edit *edit)
{
    return put_again(edit, true);
}

static bool cut(mc_edit *edit)
{
    if (edit->size < 2 || !mc_edit_cut(edit, BLOCK)) {
        return false;
    }
    edit->size = edit->size > 0 ? edit->size : 1;
    return true;
}

/* What a member is, by its name: "main.db-wal" is a WAL. */
static uint8_t kind_of(const uint8_t *header)
{
    static const struct {
        const char *end;
        uint8_t tag;
    } kind[] = {{".db", MC_PIECE_MAIN}, {"-journal", MC_PIECE_JOURNAL}, {"-wal", MC_PIECE_WAL}};
    size_t length = strnlen((const char *)header, NAME_BYTES);
    for (size_t i = 0; i < sizeof kind / sizeof *kind; i++) {
        size_t end = strlen(kind[i].end);
        if (length >= end && memcmp(header + length - end, kind[i].end, end) == 0) {
            return kind[i].tag;
        }
    }
    return 0;
}

static bool content(mc_edit *edit)
{
    static mc_piece file[MC_MEMBERS_MAX];
    mc_member m;
    if (!pick(edit, &m) || m.size > MC_EDIT_BYTES_MAX) {
        return false;
    }
    size_t count = mc_members_read(edit->data, edit->size, member);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *header = edit->data + member[i].header;
        file[i] = (mc_piece){kind_of(header), (uint32_t)member[i].size, header + BLOCK};
    }
    uint8_t tag = kind_of(edit->data + m.header);
    mc_edit taken = mc_mutate_take(edit, edit->data + m.header + BLOCK, m.size, file, count);
    mc_mutate_file(&taken, tag, "tar: content, ");
    size_t padded = (taken.size + BLOCK - 1) / BLOCK * BLOCK;
    size_t padding = padded - taken.size;
    if (padding > sizeof mc_mutate_work - taken.size) {
        return true;
    }
    memset(taken.data + taken.size, 0, padding);
    if (mc_edit_splice(edit, m.header + BLOCK, m.bytes - BLOCK, taken.data, padded) &&
        taken.size != m.size) {
        put_size(edit, m.header, taken.size);
        fix(edit, m.header); /* else everything behind it would be lost */
    }
    return true;
}

static const mc_mutation rows[] = {
    {"tar: content", content, true}, /* what lies behind the archive's reader: oftenest */
    {"tar: content", content, true},
    {"tar: content", content, true},
    {"tar: content", content, true},
    {"tar: content", content, true},
    {"tar header: name", header_name, false},
    {"tar header: size", header_size, false},
    {"tar header: type", header_type, false},
    {"tar header: bytes", header_bytes, false},
    {"tar header: sum", header_sum, false},
    {"tar: delete", member_delete, false},
    {"tar: duplicate", member_duplicate, false},
    {"tar: move", member_move, false},
    {"tar: cut", cut, false},
};

const mc_mutation_table mc_mutate_archive = {0, rows, sizeof rows / sizeof *rows, NULL};

void mc_mutate_tar(mc_edit *edit)
{
    const mc_mutation *row = mc_mutate_row(edit, &mc_mutate_archive);
    if (row == NULL) {
        edit->size = edit->leaf(edit->data, edit->size, edit->capacity);
        mc_mutate_note("", "bytes", "");
    } else if (!row->notes) {
        mc_mutate_note("", row->name, edit->right ? ", sum right" : ", sum left");
    }
}
