/* kv_fuzzer.c: of any pairs as a v1 store, `reject` and `abandon` answer as the field's rules say,
 * a sweep finds the orphans, and `recover` as stock SQLite does through the v1 VFS in each of its
 * builds, byte for byte. */
#include <sqlite3.h>
#include <string.h>

#include "core/field.h"
#include "core/journal.h"
#include "core/recover.h"
#include "core/v1.h"
#include "crashsim/stock.h"
#include "fuzz/fieldlaw.h"
#include "fuzz/finding.h"
#include "fuzz/kvpairs.h"
#include "fuzz/pieces.h"
#include "fuzz/process.h"

enum {
    IMAGE_BYTES_MAX = 1 << 20,
    RECOVER_BYTES_MAX = 8 << 20,
    STORE_BYTES_MAX = 160 << 20,
    INPUT_BYTES_MAX = 1 << 20
};

const mc_target mc_fuzz_target = {
    "kv_fuzzer", "reject, abandon and recover answer for a v1 store as the field and SQLite do",
    mc_kvpairs_files};

/* A super-journal named as a file of the store is nothing that a v1 actor could have: only here has
 * main the name "main.db", and core/, which knows no names, cannot see that the journal names its
 * own database. */
static bool names_itself(const mc_store *store, mc_arena *arena)
{
    mc_files view;
    mc_error error;
    size_t size = 0;
    const uint8_t *name = mc_v1_files(store, arena, &view, &error) == MC_OK
                              ? mc_journal_super_name(&view.journal, &size)
                              : NULL;
    return name != NULL && size >= 7 && memcmp(name, "main.db", 7) == 0;
}

/* recover refuses a sidecar that the VFS could not open, also where SQLite never opens it: beside a
 * main that is missing, or is empty when it comes to that. Then the builds differ, too: one reads
 * the metadata of what it deletes. */
static bool refuses_unopened(mc_status status, const mc_error *error, const mc_stock *stock)
{
    return status == MC_REFUSED && strncmp(error->reason, "metadata-", 9) == 0 &&
           strncmp(error->text, "main", 4) != 0 &&
           (stock->code == SQLITE_CANTOPEN || stock->page_count == 0);
}

static void compare(const mc_kvstore *store, mc_arena *arena)
{
    static mc_arena values = {.limit_bytes = STORE_BYTES_MAX};
    mc_pair pair[MC_PIECES_MAX];
    mc_input input = {.kind = MC_INPUT_STORE};
    mc_import import = {0};
    mc_error error = {0};
    mc_kvstore_view(store, pair, &input.store);
    mc_arena_reset(arena);
    bool itself = names_itself(&input.store, arena);
    mc_arena_reset(arena);
    mc_status status = mc_importer_recover.import(&input, arena, &import, &error);
    bool large = status == MC_REFUSED && strcmp(error.reason, "too-large") == 0;
    for (int build = 0; build < MC_KV_BUILDS && !itself && !large; build++) {
        char problem[512] = "";
        const char *signature = "";
        mc_stock stock;
        mc_arena_reset(&values);
        if (!mc_stock_ask_store(store, (mc_kv_build)build, &values, IMAGE_BYTES_MAX, &stock)) {
            return;
        }
        const int64_t number[] = {status, import.image.page_count, stock.code, stock.page_count};
        mc_fuzz_note(number, sizeof number);
        bool agrees = refuses_unopened(status, &error, &stock) ||
                      mc_stock_agrees(&stock, status, &import.image, &error, problem,
                                      sizeof problem, &signature);
        mc_stock_free(&stock);
        if (!agrees) {
            mc_finding(signature, "build %d: %s", build, problem);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static mc_arena arena = {.limit_bytes = RECOVER_BYTES_MAX};
    mc_kvstore store;
    mc_fuzz_process();
    bool made = size <= INPUT_BYTES_MAX && mc_kvpairs_store(data, size, &store);
    if (!made) {
        return -1;
    }
    mc_law law = {0};
    mc_arena_reset(&arena);
    (void)(mc_fieldlaw_holds(&store, &mc_importer_reject, true, &arena, &law) &&
           mc_fieldlaw_holds(&store, &mc_importer_abandon, false, &arena, &law) &&
           mc_fieldlaw_sweeps(&store, &arena, &law));
    mc_law_demand(&law);
    compare(&store, &arena);
    mc_kvstore_free(&store);
    return 0;
}
