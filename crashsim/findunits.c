/* findunits.c: what a read can find, unit by unit.
 *
 * Cells of one unit lie over each other, and many choices of them leave the same bytes: those are
 * one option of the unit, which counts as often as there are of them. Units are free of each other,
 * so what a read can find is every combination of their options. Options that differ only beside
 * the read are not told apart before it is known whether what is read fails its check: if it does,
 * nobody looks beside it.
 *
 * Few combinations pass a check: those whose bytes weigh what they must, which a checksum that is a
 * sum says of each unit on its own. They are found as pairs, of a combination of the units in front
 * and one of those behind, by the weight that one lacks and the other has; and then they are
 * checked in full. What does not weigh right fails, and is counted. */
#include "crashsim/finding.h"

#include <stdlib.h>
#include <xxhash.h>
#include <string.h>

enum {
    UNIT_CHOICES_MAX = 1 << 12, /* of the cells of one unit */
    UNIT_OPTIONS_MAX = 256,
    SUMS_MAX = 1 << 16 /* of one half of the units */
};

/* Choices of a unit's cells that leave the same bytes. */
typedef struct option {
    mc_hash128 bytes;  /* names them, */
    mc_hash128 inside; /* and those of them that are read */
    uint64_t times;
    uint8_t choice[MC_FIND_CELLS_MAX]; /* the first of them; by number among the unit's cells */
} option;

typedef struct unit {
    uint32_t cell[MC_FIND_CELLS_MAX]; /* index in the file */
    uint32_t cells;
    option *option; /* those that are read alike side by side */
    uint32_t options;
    uint32_t contents;                      /* how many are not read alike */
    uint32_t content[UNIT_OPTIONS_MAX + 1]; /* the first option of each */
    uint64_t weight[UNIT_OPTIONS_MAX];      /* of each, more than the first one's */
    uint32_t now;                           /* the option that is chosen */
    uint32_t number;                        /* its content; of the options with that, */
    uint32_t first;                         /* the first, and they end before `end` */
    uint32_t end;
} unit;

typedef struct units {
    unit unit[MC_FIND_CELLS_MAX];
    uint32_t count;
} units;

static void choose_option(const mc_finder *f, const mc_read *read, unit *u, uint32_t number)
{
    u->now = number;
    for (uint32_t i = 0; i < u->cells; i++) {
        f->states->choice[read->file][u->cell[i]] = u->option[number].choice[i];
    }
}

/* The bytes that the unit's cells can change, as chosen now; `window` is what is read, and what
 * decides of it. */
static void name_bytes(mc_finder *f, const mc_read *window, const unit *u, option *out)
{
    const mc_power_file *file = &f->states->file[window->file];
    uint8_t *bytes = f->trie->bytes;
    uint64_t from = UINT64_MAX;
    uint64_t to = 0;
    for (uint32_t i = 0; i < u->cells; i++) {
        uint64_t cell_from;
        uint64_t cell_to;
        mc_find_reach(&file->cell[u->cell[i]], &cell_from, &cell_to);
        from = cell_from < from ? cell_from : from;
        to = cell_to > to ? cell_to : to;
    }
    uint64_t first = window->from > from ? window->from : from;
    uint64_t end = window->to < to ? window->to : to;
    mc_power_bytes(file, f->states->choice[window->file], from, to, bytes);
    XXH128_hash_t all = XXH3_128bits(bytes, (size_t)(to - from));
    XXH128_hash_t inside = XXH3_128bits(bytes + (first - from), (size_t)(end - first));
    out->bytes = (mc_hash128){all.low64, all.high64};
    out->inside = (mc_hash128){inside.low64, inside.high64};
}

/* Where an option goes: behind those that are read alike, or to the end. */
static uint32_t place_of_option(const unit *u, const option *o)
{
    uint32_t at = u->options;
    while (at > 0 && !mc_hash128_equal(u->option[at - 1].inside, o->inside)) {
        at--;
    }
    return at == 0 ? u->options : at;
}

static bool add_option(unit *u, const option *o)
{
    for (uint32_t i = 0; i < u->options; i++) {
        if (mc_hash128_equal(u->option[i].bytes, o->bytes)) {
            u->option[i].times++;
            return true;
        }
    }
    if (u->options == UNIT_OPTIONS_MAX) {
        return false;
    }
    uint32_t at = place_of_option(u, o);
    memmove(&u->option[at + 1], &u->option[at], (u->options - at) * sizeof *u->option);
    u->option[at] = *o;
    u->options++;
    return true;
}

/* All choices of a unit's cells, as options. False when they are too many, or without memory. */
static bool list_options(mc_finder *f, const mc_read *read, unit *u)
{
    const mc_power_file *file = &f->states->file[read->file];
    uint8_t *chosen = f->states->choice[read->file];
    uint64_t choices = 1;
    for (uint32_t i = 0; i < u->cells; i++) {
        choices *= file->cell[u->cell[i]].alternatives;
        if (choices > UNIT_CHOICES_MAX) {
            return false;
        }
    }
    uint32_t most = choices < UNIT_OPTIONS_MAX ? (uint32_t)choices : (uint32_t)UNIT_OPTIONS_MAX;
    u->option = malloc((most + 1) * sizeof *u->option);
    bool ok = u->option != NULL;
    for (uint64_t n = 0; ok && n < choices; n++) {
        uint64_t rest = n;
        option o = {.times = 1};
        for (uint32_t i = 0; i < u->cells; i++) {
            o.choice[i] = (uint8_t)(rest % file->cell[u->cell[i]].alternatives);
            rest /= file->cell[u->cell[i]].alternatives;
            chosen[u->cell[i]] = o.choice[i];
        }
        name_bytes(f, read, u, &o);
        ok = add_option(u, &o);
    }
    for (uint32_t i = 0; i < u->cells; i++) {
        chosen[u->cell[i]] = MC_POWER_UNCHOSEN;
    }
    u->contents = 0;
    for (uint32_t i = 0; i < u->options; i++) {
        if (i == 0 || !mc_hash128_equal(u->option[i].inside, u->option[i - 1].inside)) {
            u->content[u->contents++] = i;
        }
    }
    u->content[u->contents] = u->options;
    return ok;
}

static bool list_units(mc_finder *f, const mc_read *read, const uint32_t *cells, uint32_t count,
                       units *all)
{
    const mc_power_file *file = &f->states->file[read->file];
    bool ok = true;
    all->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t k = 0;
        while (k < all->count &&
               file->cell[all->unit[k].cell[0]].unit_from != file->cell[cells[i]].unit_from) {
            k++;
        }
        unit *u = &all->unit[k];
        if (k == all->count) {
            all->count++;
            u->cells = 0;
            u->options = 0;
            u->option = NULL;
        }
        u->cell[u->cells++] = cells[i];
    }
    for (uint32_t k = 0; ok && k < all->count; k++) {
        ok = list_options(f, read, &all->unit[k]);
    }
    return ok;
}

/* The unit has that content, by the first option that gives it. */
static void choose_content(const mc_finder *f, const mc_read *read, unit *u, uint32_t number)
{
    u->number = number;
    u->first = u->content[number];
    u->end = u->content[number + 1];
    choose_option(f, read, u, u->first);
}

/* The next combination of contents; false behind the last. */
static bool next_contents(const mc_finder *f, const mc_read *read, units *all)
{
    for (uint32_t k = all->count; k-- > 0;) {
        unit *u = &all->unit[k];
        if (u->number + 1 < u->contents) {
            choose_content(f, read, u, u->number + 1);
            return true;
        }
        choose_content(f, read, u, 0);
    }
    return false;
}

static bool contents_before(const mc_finder *f, const mc_read *read, units *all)
{
    for (uint32_t k = all->count; k-- > 0;) {
        unit *u = &all->unit[k];
        if (u->number > 0) {
            choose_content(f, read, u, u->number - 1);
            return true;
        }
        choose_content(f, read, u, u->contents - 1);
    }
    return false;
}

/* The next combination of options that are read alike. */
static bool next_alike(const mc_finder *f, const mc_read *read, units *all)
{
    for (uint32_t k = all->count; k-- > 0;) {
        unit *u = &all->unit[k];
        if (u->now + 1 < u->end) {
            choose_option(f, read, u, u->now + 1);
            return true;
        }
        choose_option(f, read, u, u->first);
    }
    return false;
}

/* For how many choices the options of now stand; or with all that are read alike. */
static uint64_t times_now(const units *all, bool alike)
{
    uint64_t times = 1;
    for (uint32_t k = 0; k < all->count; k++) {
        const unit *u = &all->unit[k];
        uint64_t of_unit = u->option[u->now].times;
        for (uint32_t i = u->first; alike && i < u->end; i++) {
            of_unit += i == u->now ? 0 : u->option[i].times;
        }
        times *= of_unit;
    }
    return times;
}

/* A row for each way in which what is read now can be there. */
static bool add_alike(mc_finder *f, mc_findings *found, const mc_read *read, const uint32_t *cells,
                      units *all)
{
    mc_hash128 label = mc_find_label(f, read);
    bool ok = true;
    do {
        ok = mc_find_add_row(f, found, read, cells, label, false, times_now(all, false));
        found->too_many = found->count > MC_FIND_CONTENTS_MAX;
    } while (ok && !found->too_many && next_alike(f, read, all));
    return ok;
}

/* Every combination of options. `found` says so if they are too many. */
static bool find_unchecked(mc_finder *f, mc_findings *found, const mc_read *read,
                           const uint32_t *cells, units *all)
{
    uint64_t contents = 1;
    for (uint32_t k = 0; k < all->count && contents <= MC_FIND_CONTENTS_MAX; k++) {
        contents *= all->unit[k].contents;
        choose_content(f, read, &all->unit[k], 0);
    }
    bool ok = true;
    found->too_many = contents > MC_FIND_CONTENTS_MAX;
    while (ok && !found->too_many) {
        ok = add_alike(f, found, read, cells, all);
        if (!next_contents(f, read, all)) {
            break;
        }
    }
    return ok;
}

/* ---- what does not fail a check ---- */

/* Sums and differences of weights: each half on its own. */
static uint64_t plus(uint64_t a, uint64_t b)
{
    uint64_t high = (a >> 32) + (b >> 32);
    return high << 32 | (uint32_t)(a + b);
}

static uint64_t minus(uint64_t a, uint64_t b)
{
    uint64_t high = (a >> 32) - (b >> 32);
    return high << 32 | (uint32_t)((uint32_t)a - (uint32_t)b);
}

typedef struct sum {
    uint64_t weight;
    uint32_t number; /* of the combination of contents, of units in front */
} sum;

static int by_weight(const void *a, const void *b)
{
    const sum *left = a;
    const sum *right = b;
    if (left->weight != right->weight) {
        return left->weight < right->weight ? -1 : 1;
    }
    return left->number < right->number ? -1 : left->number > right->number;
}

/* The weight of combination `number` of units [first, end), more than their first contents'. */
static uint64_t weight_of(const units *all, uint32_t first, uint32_t end, uint32_t number)
{
    uint64_t weight = 0;
    for (uint32_t k = first; k < end; k++) {
        weight = plus(weight, all->unit[k].weight[number % all->unit[k].contents]);
        number /= all->unit[k].contents;
    }
    return weight;
}

static void choose_contents(const mc_finder *f, const mc_read *read, units *all, uint32_t first,
                            uint32_t end, uint32_t number)
{
    for (uint32_t k = first; k < end; k++) {
        choose_content(f, read, &all->unit[k], number % all->unit[k].contents);
        number /= all->unit[k].contents;
    }
}

/* Weighs each content of each unit, the others having their first; returns the weight of all
 * first ones. */
static uint64_t weigh(const mc_finder *f, const mc_read *read, units *all)
{
    const mc_subject *reader = f->reader;
    for (uint32_t k = 0; k < all->count; k++) {
        choose_content(f, read, &all->unit[k], 0);
    }
    uint64_t first = reader->weight(reader->context, f->states, read);
    for (uint32_t k = 0; k < all->count; k++) {
        unit *u = &all->unit[k];
        for (uint32_t i = 0; i < u->contents; i++) {
            choose_content(f, read, u, i);
            u->weight[i] = minus(reader->weight(reader->context, f->states, read), first);
        }
        choose_content(f, read, u, 0);
    }
    return first;
}

/* Units [0, middle) have about as many combinations as those behind. */
typedef struct halves {
    uint32_t middle;
    uint64_t front;
    uint64_t back;
} halves;

static halves halve(const units *all)
{
    halves h = {0, 1, 1};
    uint32_t high = all->count;
    while (h.middle < high && h.front <= SUMS_MAX && h.back <= SUMS_MAX) {
        if (h.front <= h.back) {
            h.front *= all->unit[h.middle++].contents;
        } else {
            h.back *= all->unit[--high].contents;
        }
    }
    return h;
}

/* The first of the sums that is not below `weight`. */
static uint32_t find_sum(const sum *sums, uint32_t count, uint64_t weight)
{
    uint32_t low = 0;
    uint32_t high = count;
    while (low < high) {
        uint32_t at = (low + high) / 2;
        if (sums[at].weight < weight) {
            low = at + 1;
        } else {
            high = at;
        }
    }
    return low;
}

/* Rows for the combinations that have a right weight and do not fail: pairs of one of the units in
 * front and one of those behind. `*valid` counts choices. */
static bool add_valid(mc_finder *f, mc_findings *found, const mc_read *read, const uint32_t *cells,
                      units *all, const sum *sums, halves h, uint64_t first, uint64_t *valid)
{
    const uint64_t *right;
    uint32_t rights;
    f->reader->weights(f->reader->context, &right, &rights);
    bool ok = true;
    uint32_t met = 0;
    for (uint64_t pair = 0; ok && !found->too_many && pair < h.back * rights; pair++) {
        uint32_t n = (uint32_t)(pair / rights);
        uint64_t behind = plus(first, weight_of(all, h.middle, all->count, n));
        uint64_t wanted = minus(right[pair % rights], behind);
        for (uint32_t i = find_sum(sums, (uint32_t)h.front, wanted);
             ok && !found->too_many && i < h.front && sums[i].weight == wanted; i++) {
            choose_contents(f, read, all, 0, h.middle, sums[i].number);
            choose_contents(f, read, all, h.middle, all->count, n);
            if (!f->reader->fails(f->reader->context, f->states, read)) {
                *valid += times_now(all, true);
                ok = add_alike(f, found, read, cells, all);
            }
            found->too_many = found->too_many || ++met > MC_FIND_CONTENTS_MAX;
        }
    }
    return ok;
}

/* The first or last combination of contents that fails is chosen. False when none does, or too many
 * do not. */
static bool choose_failing(mc_finder *f, const mc_read *read, units *all, bool last)
{
    for (uint32_t k = 0; k < all->count; k++) {
        choose_content(f, read, &all->unit[k], last ? all->unit[k].contents - 1 : 0);
    }
    for (uint32_t n = 0; n <= MC_FIND_CONTENTS_MAX; n++) {
        if (f->reader->fails(f->reader->context, f->states, read)) {
            return true;
        }
        if (last ? !contents_before(f, read, all) : !next_contents(f, read, all)) {
            return false;
        }
    }
    return false;
}

static uint64_t all_choices(const units *all)
{
    uint64_t choices = 1;
    for (uint32_t k = 0; k < all->count; k++) {
        uint64_t of_unit = 0;
        for (uint32_t i = 0; i < all->unit[k].options; i++) {
            of_unit += all->unit[k].option[i].times;
        }
        choices *= of_unit;
    }
    return choices;
}

/* All that fail are one row: those that have no right weight, and of the others those that are seen
 * to. */
static bool find_checked(mc_finder *f, mc_findings *found, const mc_read *read,
                         const uint32_t *cells, units *all)
{
    uint64_t choices = all_choices(all);
    uint64_t valid = 0;
    uint64_t first = weigh(f, read, all);
    halves h = halve(all);
    found->too_many = h.front > SUMS_MAX || h.back > SUMS_MAX;
    sum *sums = found->too_many ? NULL : malloc((size_t)h.front * sizeof *sums);
    if (sums == NULL) {
        return found->too_many;
    }
    for (uint32_t n = 0; n < h.front; n++) {
        sums[n] = (sum){weight_of(all, 0, h.middle, n), n};
    }
    qsort(sums, (size_t)h.front, sizeof *sums, by_weight);
    bool fails = choose_failing(f, read, all, false);
    bool ok = !fails || mc_find_add_row(f, found, read, cells, mc_find_failure, true, 0);
    ok = ok && add_valid(f, found, read, cells, all, sums, h, first, &valid);
    free(sums);
    if (ok && fails) {
        (void)choose_failing(f, read, all, true);
        ok = mc_find_add_row(f, found, read, cells, mc_find_failure, true, choices - valid);
    }
    /* Where nothing that was tried fails, all must have been found. */
    found->too_many = found->too_many || (!fails && valid != choices);
    return ok;
}

bool mc_find_by_units(mc_finder *f, mc_findings *found, const mc_read *read, const mc_read *window,
                      const uint32_t *cells, bool checked)
{
    units *all = malloc(sizeof *all);
    if (all == NULL) {
        return false;
    }
    found->too_many = !list_units(f, window, cells, found->cells, all);
    bool ok = found->too_many || (checked ? find_checked(f, found, read, cells, all)
                                          : find_unchecked(f, found, read, cells, all));
    for (uint32_t i = 0; i < found->cells; i++) {
        f->states->choice[read->file][cells[i]] = MC_POWER_UNCHOSEN;
    }
    for (uint32_t k = 0; k < all->count; k++) {
        free(all->unit[k].option);
    }
    free(all);
    return ok;
}
