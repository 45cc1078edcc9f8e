/* canary_fuzzer.c: a fuzzer that must find something. Its recovery plays back the first three
 * records of a rollback journal and forgets the others, so it imports a torn database; a night in
 * which no engine found that proves nothing about the targets that found nothing either.
 *
 * The seed it starts from (harness/nightly/canary.sh) has a journal of four records and a main file
 * that is already as they would restore it: the mistake shows only after a mutation of the page
 * that the fourth record restores. */
#include <string.h>

#include "core/bytes.h"
#include "core/recover.h"
#include "crashsim/stock.h"
#include "fuzz/differ.h"
#include "fuzz/finding.h"

enum { RECORDS = 3, COUNT_AT = 8, SECTOR_AT = 20, PAGE_AT = 24, HEADER_BYTES = 28 };
enum { RECOVER_BYTES_MAX = 64 << 20 };

static const char tags[] = "MJ";

static mc_status files(const uint8_t *data, size_t size, const char *dir, char *state,
                       size_t state_size, mc_error *error)
{
    return mc_differ_unpack(data, size, tags, dir, state, state_size, error);
}

const mc_target mc_fuzz_target = {"canary_fuzzer",
                                  "a recovery that forgets the fourth record is found out", files};

/* The journal as that recovery sees it: cut behind the third record, if it has more. */
static mc_file forget(const mc_file *journal)
{
    mc_file cut = *journal;
    if (journal->size >= HEADER_BYTES) {
        uint64_t record = (uint64_t)mc_bytes_get_be32(journal->data + PAGE_AT) + 8;
        uint64_t end = mc_bytes_get_be32(journal->data + SECTOR_AT) + RECORDS * record;
        cut.size = end < cut.size ? end : cut.size;
    }
    return cut;
}

static bool agrees(const mc_stock *stock, const mc_files *view, char *problem, size_t size)
{
    mc_arena arena = {.limit_bytes = RECOVER_BYTES_MAX};
    mc_import import = {0};
    mc_error error = {0};
    mc_status status = mc_recover_files(view, &arena, &import, &error);
    bool same = mc_stock_agrees(stock, status, &import.image, &error, problem, size, NULL);
    mc_arena_free(&arena);
    return same;
}

/* recover itself must agree, and SQLite must accept the files: what is found is the planted mistake
 * and nothing else. */
static void judge(mc_disk *disk)
{
    char problem[512] = "";
    mc_files view;
    mc_stock stock;
    if (!mc_stock_ask_disk(disk, "main.db", MC_STOCK_LIMIT_BYTES, &stock)) {
        return;
    }
    mc_disk_files(disk, "main.db", &view); /* only now: SQLite's recovery may move the bytes */
    bool sound = stock.code == 0 && agrees(&stock, &view, problem, sizeof problem);
    view.journal = forget(&view.journal);
    bool found = sound && !agrees(&stock, &view, problem, sizeof problem);
    const int64_t number[] = {stock.code, stock.page_count, sound};
    mc_fuzz_note(number, sizeof number);
    mc_stock_free(&stock);
    if (found) {
        mc_finding("planted-fourth-record-forgotten", "%s", problem);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mc_disk disk = {0};
    bool made = mc_differ_disk(data, size, tags, &disk);
    if (made) {
        judge(&disk);
    }
    mc_disk_free(&disk);
    return made ? 0 : -1;
}
