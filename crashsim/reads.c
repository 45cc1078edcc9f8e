#include "crashsim/reads.h"

#include <stdlib.h>
#include <string.h>

typedef struct range {
    uint64_t from;
    uint64_t to;
} range;

struct mc_known_file {
    bool exists;
    bool size;
    range *range; /* in order, with gaps between */
    size_t count;
    size_t capacity;
};

void mc_reads_begin(mc_reads *reads)
{
    reads->count = 0;
    reads->failed = false;
    for (uint32_t i = 0; i < reads->file_capacity; i++) {
        mc_known_file *k = &reads->known[i];
        k->exists = false;
        k->size = false;
        k->count = 0;
    }
}

void mc_reads_free(mc_reads *reads)
{
    for (uint32_t i = 0; i < reads->file_capacity; i++) {
        free(reads->known[i].range);
    }
    free(reads->known);
    free(reads->read);
    *reads = (mc_reads){0};
}

static mc_known_file *known_of(mc_reads *reads, uint16_t file)
{
    if (file >= reads->file_capacity) {
        uint32_t capacity = (uint32_t)file + 8;
        mc_known_file *moved = realloc(reads->known, capacity * sizeof *moved);
        if (moved == NULL) {
            reads->failed = true;
            return NULL;
        }
        memset(moved + reads->file_capacity, 0, (capacity - reads->file_capacity) * sizeof *moved);
        reads->known = moved;
        reads->file_capacity = capacity;
    }
    return &reads->known[file];
}

static void add(mc_reads *reads, mc_read read)
{
    if (reads->count == reads->capacity) {
        size_t capacity = reads->capacity == 0 ? 256 : reads->capacity * 2;
        mc_read *moved = realloc(reads->read, capacity * sizeof *moved);
        if (moved == NULL) {
            reads->failed = true;
            return;
        }
        reads->read = moved;
        reads->capacity = capacity;
    }
    reads->read[reads->count++] = read;
}

/* The first range that ends at or behind `at`. */
static size_t find(const mc_known_file *k, uint64_t at)
{
    size_t low = 0;
    size_t high = k->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (k->range[middle].to < at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* [from, to) becomes known; it swallows the ranges that it touches. */
static void learn(mc_reads *reads, mc_known_file *k, uint64_t from, uint64_t to)
{
    size_t first = find(k, from);
    size_t end = first;
    while (end < k->count && k->range[end].from <= to) {
        from = k->range[end].from < from ? k->range[end].from : from;
        to = k->range[end].to > to ? k->range[end].to : to;
        end++;
    }
    if (end == first && k->count == k->capacity) {
        size_t capacity = k->capacity == 0 ? 32 : k->capacity * 2;
        range *moved = realloc(k->range, capacity * sizeof *moved);
        if (moved == NULL) {
            reads->failed = true;
            return;
        }
        k->range = moved;
        k->capacity = capacity;
    }
    memmove(k->range + first + 1, k->range + end, (k->count - end) * sizeof *k->range);
    k->range[first] = (range){from, to};
    k->count += 1 - (end - first);
}

void mc_reads_exists(mc_reads *reads, uint16_t file)
{
    mc_known_file *k = known_of(reads, file);
    if (k != NULL && !k->exists) {
        k->exists = true;
        add(reads, (mc_read){.kind = MC_READ_EXISTS, .file = file});
    }
}

void mc_reads_size(mc_reads *reads, uint16_t file)
{
    mc_known_file *k = known_of(reads, file);
    if (k != NULL && !k->size) {
        k->size = true;
        add(reads, (mc_read){.kind = MC_READ_SIZE, .file = file});
    }
}

void mc_reads_bytes(mc_reads *reads, uint16_t file, uint64_t from, uint64_t to)
{
    mc_known_file *k = known_of(reads, file);
    if (k == NULL || from >= to) {
        return;
    }
    uint64_t at = from;
    for (size_t i = find(k, from); at < to; i++) {
        bool known = i < k->count && k->range[i].from < to;
        uint64_t gap_end = known ? k->range[i].from : to;
        if (at < gap_end) {
            add(reads, (mc_read){.kind = MC_READ_BYTES, .file = file, .from = at, .to = gap_end});
        }
        at = known && k->range[i].to > at ? k->range[i].to : at > gap_end ? at : gap_end;
    }
    learn(reads, k, from, to);
}

void mc_reads_wrote(mc_reads *reads, uint16_t file, uint64_t from, uint64_t to)
{
    mc_known_file *k = known_of(reads, file);
    if (k != NULL && from < to) {
        learn(reads, k, from, to);
    }
}

void mc_reads_cut(mc_reads *reads, uint16_t file, uint64_t size)
{
    mc_known_file *k = known_of(reads, file);
    if (k != NULL) {
        k->size = true;
        learn(reads, k, size, UINT64_MAX);
    }
}

void mc_reads_renewed(mc_reads *reads, uint16_t file)
{
    mc_known_file *k = known_of(reads, file);
    if (k != NULL) {
        k->exists = true;
        k->size = true;
        learn(reads, k, 0, UINT64_MAX);
    }
}

bool mc_reads_know(const mc_reads *reads, uint16_t file, uint64_t from, uint64_t to)
{
    if (file >= reads->file_capacity || from >= to) {
        return from >= to;
    }
    const mc_known_file *k = &reads->known[file];
    size_t i = find(k, from);
    i += i < k->count && k->range[i].to == from; /* it only touches */
    return i < k->count && k->range[i].from <= from && k->range[i].to >= to;
}
