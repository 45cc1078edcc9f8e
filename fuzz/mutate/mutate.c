/* mutate.c: which form an input has, which part changes it, and how that is told. */
#include "fuzz/mutate/mutate_edit.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "core/dbheader.h"
#include "core/journal.h"
#include "core/wal.h"

/* Inputs that are this large do not grow: what an execution costs grows with them. A database of
 * two pages of 65536 bytes and its journal are within it. */
enum { GROW_BYTES_MAX = 300 << 10, TRIES = 6, ROUNDS_MAX = 4 };

static const mc_mutation_table *const tables[] = {
    &mc_mutate_bytes, &mc_mutate_list, &mc_mutate_main,    &mc_mutate_journal,
    &mc_mutate_wal,   &mc_mutate_pair, &mc_mutate_store,   &mc_mutate_program,
    &mc_mutate_crash, &mc_mutate_ltx,  &mc_mutate_archive,
};

uint8_t mc_mutate_work[MC_EDIT_BYTES_MAX];

static char last[200];

const char *mc_mutate_last(void)
{
    return last;
}

void mc_mutate_note(const char *where, const char *what, const char *how)
{
    size_t used = strlen(last);
    (void)snprintf(last + used, sizeof last - used, "%s%s%s%s", used > 0 ? "; " : "", where, what,
                   how);
}

const char *mc_mutate_kind(size_t index)
{
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        if (index < tables[i]->count) {
            return tables[i]->row[index].name;
        }
        index -= tables[i]->count;
    }
    return NULL;
}

const mc_mutation *mc_mutate_row(mc_edit *edit, const mc_mutation_table *table)
{
    for (int i = 0; i < TRIES; i++) {
        const mc_mutation *row = &table->row[mc_edit_below(edit, table->count)];
        if (row->apply(edit)) {
            return row;
        }
    }
    return NULL;
}

const mc_mutation_table *mc_mutate_table(uint8_t tag)
{
    if (tag == MC_PIECE_OPTIONS || tag == MC_PIECE_FAULT) {
        tag = MC_PIECE_CRASH; /* all are small integers */
    }
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        if (tables[i]->tag == tag && tag != 0) {
            return tables[i];
        }
    }
    return &mc_mutate_bytes;
}

mc_edit mc_mutate_take(mc_edit *whole, const void *data, size_t size, const mc_piece *other,
                       size_t other_count)
{
    assert(size <= MC_EDIT_BYTES_MAX);
    if (size > 0) {
        memcpy(mc_mutate_work, data, size);
    }
    mc_edit file = *whole;
    size_t room = whole->capacity - whole->size;
    file.data = mc_mutate_work;
    file.size = size;
    file.capacity = room < MC_EDIT_BYTES_MAX - size ? size + room : MC_EDIT_BYTES_MAX;
    file.other = other;
    file.other_count = other_count;
    return file;
}

void mc_mutate_file(mc_edit *file, uint8_t tag, const char *where)
{
    const mc_mutation_table *table = mc_mutate_table(tag);
    const mc_mutation *row = NULL;
    if (!mc_edit_one_in(file, 8)) { /* whatever has structure is bytes, too */
        row = mc_mutate_row(file, table);
    }
    if (row == NULL) {
        row = &mc_mutate_bytes.row[0];
        if (!row->apply(file)) {
            return;
        }
    }
    const char *how = "";
    if (table->fix != NULL) {
        how = file->right && table->fix(file) ? ", checksums right" : ", checksums left";
    }
    mc_mutate_note(where, row->name, how);
}

uint8_t mc_mutate_kind_of(const uint8_t *data, size_t size)
{
    if (size >= MC_DBHEADER_MAGIC_BYTES &&
        memcmp(data, mc_dbheader_magic, MC_DBHEADER_MAGIC_BYTES) == 0) {
        return MC_PIECE_MAIN;
    }
    if (size >= MC_JOURNAL_MAGIC_BYTES &&
        memcmp(data, mc_journal_magic, MC_JOURNAL_MAGIC_BYTES) == 0) {
        return MC_PIECE_JOURNAL;
    }
    if (size >= MC_WAL_HEADER_BYTES && data[0] == 0x37 && data[1] == 0x7f && data[2] == 0x06) {
        return MC_PIECE_WAL;
    }
    return 0;
}

static void mutate_once(mc_edit *edit)
{
    if (mc_mutate_is_tar(edit->data, edit->size)) {
        mc_mutate_tar(edit);
    } else if (mc_mutate_is_pieces(edit->data, edit->size)) {
        mc_mutate_pieces(edit);
    } else {
        edit->other = NULL;
        edit->other_count = 0;
        mc_mutate_file(edit, mc_mutate_kind_of(edit->data, edit->size), "");
    }
    if (edit->size == 0) {
        edit->data[0] = 0;
        edit->size = 1;
    }
}

size_t mc_mutate(uint8_t *buffer, size_t size, size_t capacity, uint64_t seed,
                 mc_mutate_leaf_fn leaf)
{
    assert(capacity > 0 && size <= capacity);
    uint64_t random = seed;
    last[0] = '\0';
    if (size == 0) {
        buffer[size++] = 0;
    }
    if (capacity > GROW_BYTES_MAX) {
        capacity = size > GROW_BYTES_MAX ? size : GROW_BYTES_MAX;
    }
    mc_edit edit = {
        .data = buffer, .size = size, .capacity = capacity, .random = &random, .leaf = leaf};
    bool right = mc_edit_one_in(&edit, 2);
    int round = 0;
    do {
        edit.right = right;
        mutate_once(&edit);
    } while (++round < ROUNDS_MAX && mc_edit_one_in(&edit, 4));
    return edit.size;
}
