#include "harness/judge/settle.h"

#include "core/dbheader.h"

/* Pages that SQLite has changed in part are settled by reading the rest. */
static void read_changed_pages(const mc_judging *j, uint16_t number, mc_reads *reads)
{
    const mc_disk *disk = &j->trace.base;
    uint32_t page_size = j->history.page_size;
    for (size_t i = 0; i < disk->change_count; i++) {
        const mc_disk_change *change = &disk->change[i];
        uint64_t size = disk->file[number].size;
        uint64_t from = change->touched > 0 ? change->offset : size;
        uint64_t end = change->touched > 0 ? change->offset + change->touched : size;
        if (change->file == number) {
            mc_reads_bytes(reads, number, from / page_size * page_size,
                           (end + page_size - 1) / page_size * page_size);
        }
    }
}

static void read_main_files(const mc_judging *j, mc_reads *reads)
{
    for (uint32_t d = 0; d < j->trace.database_count; d++) {
        uint16_t number = j->main_slot[d];
        mc_reads_bytes(reads, number, 0, MC_DBHEADER_BYTES);
        mc_reads_size(reads, number);
        mc_reads_exists(reads, number);
        read_changed_pages(j, number, reads);
    }
}

/* The images in `given`, page by page. */
static mc_status settle_images(const mc_judging *j, const mc_reads *reads, mc_arena *ends,
                               mc_end *end, mc_error *error)
{
    uint64_t page_size = j->history.page_size;
    for (uint32_t d = 0; d < j->trace.database_count; d++) {
        const mc_image *image = &j->given[d];
        end->page_count[d] = image->page_count;
        end->settled[d] = mc_arena_calloc(ends, image->page_count + 1, sizeof **end->settled);
        if (end->settled[d] == NULL) {
            return mc_fail(error, MC_NO_MEMORY, "no-memory", "power: out of memory");
        }
        for (uint32_t i = 0; i < image->page_count; i++) {
            if (mc_reads_know(reads, j->main_slot[d], i * page_size, (i + 1) * page_size)) {
                end->settled[d][i] = mc_page_hash(i + 1, image->page[i], (uint32_t)page_size);
            }
        }
    }
    return MC_OK;
}

mc_status mc_settle(mc_judging *j, mc_control *control, mc_reads *reads, mc_arena *ends,
                    mc_end *end, mc_outcome *outcome, mc_error *error)
{
    mc_control_answer answer;
    mc_status status = MC_OK;
    mc_control_note(control, reads);
    mc_control_recover(control, &answer);
    mc_control_note(control, NULL);
    if (!answer.recovered) {
        *outcome =
            (mc_outcome){.kind = MC_OUTCOME_REFUSED, .reason = mc_judging_intern(j, answer.text)};
    } else {
        if (reads != NULL) {
            read_main_files(j, reads);
        }
        mc_arena_reset(&j->arena);
        status = mc_judging_control_images(j, &j->arena, j->given, error);
        if (status == MC_OK && end != NULL) {
            status = settle_images(j, reads, ends, end, error);
        }
        status = status == MC_OK ? mc_judging_given(j, outcome, error) : status;
    }
    mc_control_undo(control);
    if (status == MC_OK && end != NULL) {
        end->refusal = outcome->kind == MC_OUTCOME_REFUSED ? outcome->reason : NULL;
    }
    return status;
}
