/* image_fuzzer.c: whatever a main file holds, the images that `abandon` and `recover` make of it
 * agree, and page walk, hashes and LTX keep their laws (imagelaw.h, ltxlaw.h); and any bytes as LTX
 * are refused in one line or mean something that LTX can say again. */
#include "fuzz/finding.h"

#include "core/field.h"
#include "core/hash.h"
#include "core/recover.h"
#include "fuzz/differ.h"
#include "fuzz/imagelaw.h"
#include "fuzz/ltxlaw.h"

enum { ARENA_BYTES_MAX = 128 << 20, INPUT_BYTES_MAX = 4 << 20 };

static mc_status files(const uint8_t *data, size_t size, const char *dir, char *state,
                       size_t state_size, mc_error *error)
{
    return mc_differ_unpack(data, size, "M", dir, state, state_size, error);
}

const mc_target mc_fuzz_target = {
    "image_fuzzer", "page walk, hashes and LTX keep their laws on any main file and any LTX",
    files};

/* False when the importer refuses, and then its error keeps the law. */
static bool import(const mc_importer *importer, const mc_input *input, mc_arena *arena,
                   mc_image *out, mc_law *law)
{
    mc_import answer = {0};
    mc_error error = {0};
    mc_status status = importer->import(input, arena, &answer, &error);
    *out = answer.image;
    return status == MC_OK || (mc_law_error(law, status, &error) && false);
}

static bool image_holds(const mc_image *image, uint64_t salt, mc_arena *arena, mc_law *law)
{
    return mc_imagelaw_pages(image, arena, law) && mc_imagelaw_hashes(image, salt, law) &&
           mc_ltxlaw_image(image, salt, arena, law);
}

static void main_holds(const mc_piece *piece, mc_arena *arena, mc_law *law)
{
    uint64_t salt = mc_hash64(piece->data, piece->size);
    mc_input input = {.kind = MC_INPUT_FILES};
    input.files.main = (mc_file){true, piece->size > 0 ? piece->data : NULL, piece->size};
    mc_image abandoned;
    mc_image recovered;
    bool abandons = import(&mc_importer_abandon, &input, arena, &abandoned, law);
    bool recovers = import(&mc_importer_recover, &input, arena, &recovered, law);
    const uint32_t pages[] = {abandons ? abandoned.page_count + 1 : 0,
                              recovers ? recovered.page_count + 1 : 0};
    mc_fuzz_note(pages, sizeof pages);
    if (abandons && recovers && !mc_imagelaw_agree(&abandoned, &recovered, law)) {
        return;
    }
    if (abandons && image_holds(&abandoned, salt, arena, law) && recovers) {
        abandons = abandoned.page_count == recovered.page_count; /* then that was both */
    }
    if (recovers && !abandons) {
        (void)image_holds(&recovered, salt, arena, law);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static mc_arena arena = {.limit_bytes = ARENA_BYTES_MAX};
    static mc_piece piece[MC_PIECES_MAX];
    if (size > INPUT_BYTES_MAX) {
        return -1;
    }
    size_t count = mc_pieces_read(data, size, piece);
    const mc_piece *main = mc_pieces_find(piece, count, MC_PIECE_MAIN);
    const mc_piece *ltx = mc_pieces_find(piece, count, MC_PIECE_LTX);
    mc_law law = {0};
    mc_arena_reset(&arena);
    if (main != NULL) {
        main_holds(main, &arena, &law);
    }
    if (ltx != NULL && law.broken == NULL) {
        (void)mc_ltxlaw_bytes((mc_bytes){ltx->data, ltx->size}, &arena, &law);
    }
    mc_law_demand(&law);
    return main != NULL || ltx != NULL ? 0 : -1;
}
