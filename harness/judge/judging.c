#include "harness/judge/judging.h"

#include "core/dbheader.h"
#include "core/recover.h"
#include "core/v1.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "judge: out of memory");
}

/* A sidecar that is handed over wrongly does not change what lies in main. On a single state there
 * is nothing to follow: the importers themselves are asked. */
bool mc_judging_followed(const mc_judging *j, uint32_t importer)
{
    mc_importer_kind kind = j->importers->chosen[importer].kind;
    const mc_mistake *mistake = j->handover.mistake;
    if (mistake != NULL) {
        return kind == MC_IMPORTER_ABANDON && mistake->file != MC_HANDED_MAIN;
    }
    return !j->trace.is_kv && !j->single && j->options->power == NULL &&
           kind <= MC_IMPORTER_RECOVER;
}

mc_status mc_judging_hand_over(mc_judging *j, uint32_t mistake, const mc_crash *crash,
                               mc_crash *handed, bool *made, mc_error *error)
{
    *handed = *crash;
    *made = true;
    j->content.domain = mistake;
    return mistake == MC_MISTAKE_AS_IS
               ? MC_OK
               : mc_handover_make(&j->handover, mistake, crash, handed, made, error);
}

void mc_judging_take_back(mc_judging *j)
{
    if (j->handover.mistake != NULL) {
        mc_handover_take_back(&j->handover);
    }
}

/* The pages of a main file that SQLite has just read: those its header counts. Where core/ would
 * not open what SQLite opened, all that lie there: never none, which could pass for an empty
 * database. */
static uint32_t pages_for_reader(const mc_file *main, uint32_t page_size)
{
    uint32_t pages = (uint32_t)((main->size + page_size - 1) / page_size);
    uint32_t counted = pages;
    mc_error ignored;
    if (main->size >= page_size &&
        mc_recover_page_count(main->data, page_size, pages, &counted, &ignored) != MC_OK) {
        return pages;
    }
    return counted;
}

/* A main file as an image: every page it has, or, for a reader, those its header counts. */
static mc_status image_of_bytes(const mc_file *main, uint32_t page_size, bool as_reader,
                                mc_arena *arena, mc_image *out, mc_error *error)
{
    uint32_t pages = (uint32_t)((main->size + page_size - 1) / page_size);
    uint32_t counted = as_reader ? pages_for_reader(main, page_size) : pages;
    const uint8_t **page = mc_arena_calloc(arena, pages, sizeof *page);
    if (page == NULL) {
        return no_memory(error);
    }
    for (uint32_t i = 0; i < pages; i++) {
        uint64_t at = (uint64_t)i * page_size;
        page[i] = main->data + at;
        if (at + page_size > main->size) {
            uint8_t *last = mc_arena_calloc(arena, 1, page_size);
            if (last == NULL) {
                return no_memory(error);
            }
            memcpy(last, main->data + at, (size_t)(main->size - at));
            page[i] = last;
        }
    }
    counted = counted < pages ? counted : pages;
    *out = (mc_image){counted == 0 ? 0 : page_size, counted, page};
    return MC_OK;
}

/* The image of the raw view: what `abandon` imports from the files as they lie. */
mc_status mc_judging_raw_images(void *context, mc_arena *arena, mc_image *images, mc_error *error)
{
    mc_judging *j = context;
    mc_status status = MC_OK;
    for (uint32_t d = 0; status == MC_OK && d < j->trace.database_count; d++) {
        mc_files files;
        mc_disk_files(&j->trace.base, j->trace.database[d], &files);
        status = image_of_bytes(&files.main, j->history.page_size, false, arena, &images[d], error);
    }
    return status;
}

/* The same after SQLite recovered in place. */
mc_status mc_judging_control_images(void *context, mc_arena *arena, mc_image *images,
                                    mc_error *error)
{
    mc_judging *j = context;
    mc_status status = MC_OK;
    for (uint32_t d = 0; status == MC_OK && d < j->trace.database_count; d++) {
        mc_files files;
        mc_disk_files(&j->trace.base, j->trace.database[d], &files);
        status = image_of_bytes(&files.main, j->history.page_size, true, arena, &images[d], error);
    }
    return status;
}

mc_status mc_judging_recovered_images(void *context, mc_arena *arena, mc_image *images,
                                      mc_error *error)
{
    mc_judging *j = context;
    mc_status status = MC_OK;
    for (uint32_t d = 0; status == MC_OK && d < j->trace.database_count; d++) {
        mc_files files;
        mc_disk_files(&j->trace.base, j->trace.database[d], &files);
        mc_import import = {0};
        status = mc_recover_files(&files, arena, &import, error);
        images[d] = import.image;
    }
    return status;
}

/* Images that are there already. */
static mc_status given_images(void *context, mc_arena *arena, mc_image *images, mc_error *error)
{
    (void)arena;
    (void)error;
    mc_judging *j = context;
    memcpy(images, j->given, j->trace.database_count * sizeof *images);
    return MC_OK;
}

static const uint8_t *given_head(void *context, uint32_t database)
{
    const mc_judging *j = context;
    return j->given[database].page_count > 0 ? j->given[database].page[0] : NULL;
}

/* Main as it lies there, also after SQLite recovered in place. */
static const uint8_t *main_head(void *context, uint32_t database)
{
    const mc_judging *j = context;
    const mc_disk_file *file = &j->trace.base.file[j->main_slot[database]];
    return file->exists && file->size >= MC_DBHEADER_BYTES ? file->data : NULL;
}

/* An image of another page size than the workload's equals no snapshot: its pages hash otherwise.
 */
mc_status mc_judging_given(mc_judging *j, mc_outcome *out, mc_error *error)
{
    for (uint32_t d = 0; d < j->trace.database_count; d++) {
        if (!mc_oracle_set_image(&j->oracle, MC_VIEW_SCRATCH, d, &j->given[d])) {
            return no_memory(error);
        }
    }
    return mc_content_of_view(&j->content, &j->oracle, MC_VIEW_SCRATCH, given_images, given_head, j,
                              out, error);
}

static mc_outcome refusal(const char *reason)
{
    return (mc_outcome){.kind = MC_OUTCOME_REFUSED, .reason = reason};
}

/* What SQLite changed in place is shown in the raw view for a moment. */
static mc_status show_control(mc_judging *j, mc_outcome *out, mc_error *error)
{
    const mc_disk *disk = &j->trace.base;
    uint32_t page_size = j->history.page_size;
    uint32_t kept[MC_DATABASES_MAX];
    size_t saved = 0;
    bool ok = true;
    for (uint32_t d = 0; d < j->trace.database_count; d++) {
        kept[d] = j->oracle.view[MC_VIEW_RAW].page_count[d];
    }
    for (size_t i = 0; ok && i < disk->change_count; i++) {
        const mc_disk_change *change = &disk->change[i];
        uint32_t d = 0;
        while (d < j->trace.database_count && j->main_slot[d] != change->file) {
            d++;
        }
        if (d == j->trace.database_count) {
            continue;
        }
        const mc_disk_file *file = &disk->file[change->file];
        uint64_t end = change->offset + change->touched;
        uint64_t high = change->size_before > file->size ? change->size_before : file->size;
        uint64_t low = change->size_before < file->size ? change->size_before : file->size;
        uint64_t from = change->touched > 0 ? change->offset : low;
        from = change->size_before != file->size && low < from ? low : from;
        end = change->size_before != file->size && high > end ? high : end;
        for (uint64_t at = from / page_size * page_size; ok && at < end; at += page_size) {
            uint32_t page = (uint32_t)(at / page_size) + 1;
            uint64_t old = mc_oracle_page(&j->oracle, MC_VIEW_RAW, d, page);
            uint64_t hash = 0;
            if (at + page_size <= file->size) {
                hash = mc_page_hash(page, file->data + at, page_size);
            } else if (at < file->size) {
                memset(j->page, 0, page_size);
                memcpy(j->page, file->data + at, (size_t)(file->size - at));
                hash = mc_page_hash(page, j->page, page_size);
            }
            if (hash == old) {
                continue;
            }
            ok = mc_judging_save(j, saved++, d, page, old) &&
                 mc_oracle_set_page(&j->oracle, MC_VIEW_RAW, d, page, hash);
        }
    }
    mc_status status = ok ? MC_OK : no_memory(error);
    for (uint32_t d = 0; status == MC_OK && d < j->trace.database_count; d++) {
        const mc_disk_file *file = &disk->file[j->main_slot[d]];
        mc_file main = {file->exists, file->data, file->size};
        uint32_t pages = pages_for_reader(&main, page_size);
        if (!mc_oracle_set_count(&j->oracle, MC_VIEW_RAW, d, pages)) {
            status = no_memory(error);
        }
    }
    if (status == MC_OK) {
        status = mc_content_of_view(&j->content, &j->oracle, MC_VIEW_RAW, mc_judging_control_images,
                                    main_head, j, out, error);
    }
    for (; saved > 0; saved--) {
        const mc_saved_page *s = &j->saved[saved - 1];
        (void)mc_oracle_set_page(&j->oracle, MC_VIEW_RAW, s->database, s->page, s->hash);
    }
    for (uint32_t d = 0; d < j->trace.database_count; d++) {
        (void)mc_oracle_set_count(&j->oracle, MC_VIEW_RAW, d, kept[d]);
    }
    return status;
}

/* The raw view shows the main file that the crash left. Where another is in its place, as after
 * every power loss, what SQLite made of it is read as a whole. */
static mc_status show_replaced(mc_judging *j, mc_outcome *out, mc_error *error)
{
    mc_arena_reset(&j->arena);
    mc_status status = mc_judging_control_images(j, &j->arena, j->given, error);
    return status == MC_OK ? mc_judging_given(j, out, error) : status;
}

static mc_status control_files(mc_judging *j, mc_outcome *out, mc_error *error)
{
    mc_control_answer answer;
    mc_control_recover(j->control, &answer);
    mc_status status = MC_OK;
    const mc_mistake *mistake = j->handover.mistake;
    bool replaced = mistake != NULL && mistake->file == MC_HANDED_MAIN;
    if (answer.recovered && (replaced || (j->options->power != NULL && !j->raw_is_shown))) {
        status = show_replaced(j, out, error);
    } else if (answer.recovered) {
        status = show_control(j, out, error);
    } else {
        *out = refusal(mc_judging_intern(j, answer.text));
    }
    mc_control_undo(j->control);
    return status;
}

mc_status mc_judging_control_copy(mc_judging *j, mc_arena *arena, mc_image *images, mc_error *error)
{
    mc_control_answer answer;
    mc_control_recover(j->control, &answer);
    mc_status status = mc_judging_control_images(j, arena, images, error);
    for (uint32_t d = 0; status == MC_OK && d < j->trace.database_count; d++) {
        /* The pages lie on the disk, which goes back to the state in a moment. */
        const uint8_t **page = mc_arena_calloc(arena, images[d].page_count, sizeof *page);
        for (uint32_t i = 0; page != NULL && i < images[d].page_count; i++) {
            uint8_t *copy = mc_arena_alloc(arena, images[d].page_size);
            page[i] = copy == NULL ? NULL : memcpy(copy, images[d].page[i], images[d].page_size);
            status = copy == NULL ? no_memory(error) : status;
        }
        status = page == NULL ? no_memory(error) : status;
        images[d].page = page;
        bool ok =
            status == MC_OK && mc_oracle_set_image(&j->oracle, MC_VIEW_SCRATCH, d, &images[d]);
        status = status == MC_OK && !ok ? no_memory(error) : status;
    }
    mc_control_undo(j->control);
    return status;
}

static mc_status control_store(mc_judging *j, mc_outcome *out, mc_error *error)
{
    mc_control_answer answer;
    mc_arena_reset(&j->arena);
    mc_status status =
        mc_control_store(&j->store, j->trace.kv_build, &j->arena, &j->given[0], &answer, error);
    if (status != MC_OK) {
        return status;
    }
    if (!answer.recovered) {
        *out = refusal(mc_judging_intern(j, answer.text));
        return MC_OK;
    }
    return mc_judging_given(j, out, error);
}

/* A library is code that is being tested: what it says is checked before it is used. */
static mc_status check_answer(const mc_chosen *chosen, mc_status status, const mc_import *import,
                              mc_error *error)
{
    error->text[sizeof error->text - 1] = '\0';
    if (status > MC_USAGE || (status != MC_OK && error->reason == NULL)) {
        return mc_fail(error, MC_IO, "importer", "importer %s: returned %d without a reason",
                       chosen->name, (int)status);
    }
    const mc_image *image = &import->image;
    if (status != MC_OK || image->page_count == 0) {
        return status;
    }
    bool power_of_two = (image->page_size & (image->page_size - 1)) == 0;
    if (image->page == NULL || !power_of_two || image->page_size < MC_PAGE_SIZE_MIN ||
        image->page_size > MC_PAGE_SIZE_MAX) {
        return mc_fail(error, MC_IO, "importer", "importer %s: %u pages of %u bytes at %s",
                       chosen->name, image->page_count, image->page_size,
                       image->page == NULL ? "no place" : "some place");
    }
    for (uint32_t i = 0; i < image->page_count; i++) {
        if (image->page[i] == NULL) {
            return mc_fail(error, MC_IO, "importer", "importer %s: page %u of %u is missing",
                           chosen->name, i + 1, image->page_count);
        }
    }
    return MC_OK;
}

static mc_status run_one_shot(mc_judging *j, const mc_chosen *chosen, uint32_t database,
                              mc_error *error)
{
    mc_import import = {0};
    mc_status status;
    uint64_t took = 0;
    if (chosen->kind == MC_IMPORTER_EXEC) {
        status =
            mc_importers_exec(chosen, &j->trace.base, j->trace.database[database],
                              j->trace.is_kv ? &j->store : NULL, &j->arena, &import, &took, error);
    } else {
        mc_input input = {.kind = j->trace.is_kv ? MC_INPUT_STORE : MC_INPUT_FILES};
        if (j->trace.is_kv) {
            mc_pair *pair = mc_arena_calloc(&j->arena, j->store.count, sizeof *pair);
            if (pair == NULL) {
                return no_memory(error);
            }
            mc_kvstore_view(&j->store, pair, &input.store);
        } else {
            mc_disk_files(&j->trace.base, j->trace.database[database], &input.files);
        }
        memset(error, 0, sizeof *error);
        took = mc_importers_clock();
        status = chosen->core->import(&input, &j->arena, &import, error);
        took = mc_importers_clock() - took;
        status = check_answer(chosen, status, &import, error);
    }
    j->nanoseconds += took;
    j->given[database] = import.image;
    return status;
}

bool mc_judging_files(mc_judging *j, uint32_t database, mc_files *out)
{
    if (!j->trace.is_kv) {
        mc_disk_files(&j->trace.base, j->trace.database[database], out);
        return true;
    }
    mc_store store;
    mc_error ignored;
    mc_arena_reset(&j->arena);
    mc_pair *pair = mc_arena_calloc(&j->arena, j->store.count, sizeof *pair);
    if (pair == NULL) {
        return false;
    }
    mc_kvstore_view(&j->store, pair, &store);
    return mc_v1_files(&store, &j->arena, out, &ignored) == MC_OK;
}

bool mc_judging_nothing_there(const mc_judging *j)
{
    if (j->trace.is_kv) {
        uint8_t key[MC_V1_METADATA_KEY_BYTES];
        mc_v1_metadata_key(key, MC_V1_MAIN);
        return mc_kvstore_get(&j->store, key, sizeof key) == NULL;
    }
    for (uint32_t d = 0; d < j->trace.database_count; d++) {
        if (j->trace.base.file[j->main_slot[d]].exists) {
            return false;
        }
    }
    return true;
}

/* An importer that is run on each distinct state. A program that fails where there is no main file,
 * as `cp` does, has refused it; anywhere else its failure is the run's. */
static mc_status outcome_one_shot(mc_judging *j, const mc_chosen *chosen, mc_outcome *out,
                                  mc_error *error)
{
    mc_arena_reset(&j->arena);
    j->nanoseconds = 0;
    for (uint32_t d = 0; d < j->trace.database_count; d++) {
        mc_status status = run_one_shot(j, chosen, d, error);
        bool failed = status == MC_IO && chosen->kind == MC_IMPORTER_EXEC;
        if (status == MC_REFUSED || (failed && mc_judging_nothing_there(j))) {
            *out = refusal(mc_judging_intern(j, error->reason));
            return MC_OK;
        }
        if (status == MC_MALFORMED) {
            /* The checks of SQLite do not say ok of what it does not open. */
            *out = (mc_outcome){.kind = MC_OUTCOME_OTHER,
                                .noticed = MC_NOTICED_HEADER | MC_NOTICED_QUICK_CHECK |
                                           MC_NOTICED_INTEGRITY_CHECK | MC_NOTICED_UNREADABLE};
            return MC_OK;
        }
        if (status != MC_OK) {
            return status;
        }
    }
    return mc_judging_given(j, out, error);
}

mc_status mc_judging_control(mc_judging *j, mc_outcome *out, mc_error *error)
{
    return j->trace.is_kv ? control_store(j, out, error) : control_files(j, out, error);
}

/* The built-in importers, whose images the follower keeps up to date. */
static mc_status outcome_followed(mc_judging *j, const mc_chosen *chosen, mc_outcome *out,
                                  mc_error *error)
{
    const char *reason = NULL;
    bool recover = chosen->kind == MC_IMPORTER_RECOVER;
    mc_status status = recover                              ? mc_follow_recover(j->follow, &reason)
                       : chosen->kind == MC_IMPORTER_REJECT ? mc_follow_reject(j->follow, &reason)
                                                            : mc_follow_abandon(j->follow, &reason);
    if (status == MC_REFUSED) {
        *out = refusal(reason);
        return MC_OK;
    }
    return mc_content_of_view(&j->content, &j->oracle, recover ? MC_VIEW_RECOVERED : MC_VIEW_RAW,
                              recover ? mc_judging_recovered_images : mc_judging_raw_images,
                              recover ? NULL : main_head, j, out, error);
}

/* Who refuses because there is no database at all has said that it is empty: there is no data that
 * anybody could be locked out of. That is an answer only where a snapshot is empty, too. */
static mc_status refused_nothing(mc_judging *j, mc_outcome *out, mc_error *error)
{
    mc_outcome empty;
    memset(j->given, 0, sizeof j->given);
    mc_status status = mc_judging_given(j, &empty, error);
    if (status == MC_OK && empty.kind == MC_OUTCOME_SNAPSHOT) {
        *out = empty;
    }
    return status;
}

mc_status mc_judging_outcome(mc_judging *j, uint32_t importer, mc_outcome *out, mc_error *error)
{
    const mc_chosen *chosen = &j->importers->chosen[importer];
    if (chosen->kind == MC_IMPORTER_SQLITE) {
        return mc_judging_control(j, out, error);
    }
    mc_status status = mc_judging_followed(j, importer) ? outcome_followed(j, chosen, out, error)
                                                        : outcome_one_shot(j, chosen, out, error);
    if (status == MC_OK && out->kind == MC_OUTCOME_REFUSED && mc_judging_nothing_there(j)) {
        status = refused_nothing(j, out, error);
    }
    return status;
}

mc_status mc_judging_applied(void *context, const mc_op *op, uint32_t from, uint32_t to,
                             uint64_t size_before, mc_error *error)
{
    mc_judging *j = context;
    mc_handover_applied(&j->handover, op);
    return mc_follow_applied(j->follow, op, from, to, size_before, error);
}

void mc_judging_acked(void *context, uint32_t commit)
{
    mc_judging *j = context;
    mc_oracle_advance(&j->oracle);
    assert(j->oracle.acked == commit);
    mc_handover_acked(&j->handover, commit);
}

const char *mc_judging_intern(mc_judging *j, const char *text)
{
    for (uint32_t i = 0; i < j->interned_count; i++) {
        if (strcmp(j->interned[i], text) == 0) {
            return j->interned[i];
        }
    }
    size_t size = strlen(text) + 1;
    const char **more = realloc((void *)j->interned, (j->interned_count + 1) * sizeof *more);
    char *copy = mc_arena_alloc(&j->names, size);
    if (more == NULL || copy == NULL) {
        j->interned = more != NULL ? more : j->interned;
        return "unknown"; /* without memory a reason loses its name, never a verdict */
    }
    memcpy(copy, text, size);
    j->interned = more;
    j->interned[j->interned_count++] = copy;
    return copy;
}

bool mc_judging_save(mc_judging *j, size_t at, uint32_t database, uint32_t page, uint64_t hash)
{
    if (at == j->saved_capacity) {
        size_t capacity = at < 64 ? 64 : at * 2;
        mc_saved_page *more = realloc(j->saved, capacity * sizeof *more);
        if (more == NULL) {
            return false;
        }
        j->saved = more;
        j->saved_capacity = capacity;
    }
    j->saved[at] = (mc_saved_page){database, page, hash};
    return true;
}

/* What was going on when the process died: "write main", "delete journal", "after the last
 * operation". */
static void crash_kind(const mc_judging *j, const mc_crash *crash, char *out, size_t size)
{
    if (crash->op == NULL) {
        (void)snprintf(out, size, "end");
    } else if (crash->op->file == MC_DISK_NONE) {
        (void)snprintf(out, size, "%s", mc_op_kind_name((mc_op_kind)crash->op->kind));
    } else {
        (void)snprintf(out, size, "%s %s", mc_op_kind_name((mc_op_kind)crash->op->kind),
                       mc_file_role(&j->trace, crash->op->file));
    }
}

void mc_judging_signature(const mc_judging *j, const mc_crash *crash, const char *who,
                          const mc_verdict *verdict, const mc_outcome *outcome, const char *defect,
                          char out[MC_SIGNATURE_MAX])
{
    char kind[48];
    char text[64];
    const mc_seen_image *seen =
        verdict->kind == MC_TORN ? mc_content_seen(&j->content, outcome->image) : NULL;
    crash_kind(j, crash, kind, sizeof kind);
    mc_verdict_text(verdict, text, sizeof text);
    /* How far behind is a matter of when, not of what: one signature for all. */
    const char *class = verdict->kind == MC_STALE && !verdict->empty ? "stale" : text;
    const mc_mistake *mistake = j->handover.mistake;
    (void)snprintf(out, MC_SIGNATURE_MAX, "%s/%s%s%s%s/%s/%s/%s/%s%s%s%s%s",
                   mc_mode_names[j->options->record->mode], j->crash_name,
                   crash->again != NULL ? MC_AGAIN_MARK : "", mistake != NULL ? "@" : "",
                   mistake != NULL ? mistake->name : "", kind,
                   seen != NULL && seen->role[0] != '\0' ? seen->role : "-", who, class,
                   defect != NULL ? "/" : "", defect != NULL ? defect : "",
                   crash->note != NULL ? "/" : "", crash->note != NULL ? crash->note : "");
}

void mc_judging_state_id(const mc_judging *j, const mc_crash *crash, char *out, size_t size)
{
    const mc_record_options *record = j->options->record;
    int n = snprintf(out, size, "%s/%s/%s/%s/%zu", record->workload, mc_mode_names[record->mode],
                     mc_sync_names[record->sync], j->crash_name, crash->point);
    if (crash->cut > 0 && n > 0 && (size_t)n < size) {
        n += snprintf(out + n, size - (size_t)n, "+%u", crash->cut);
    }
    if (crash->choice != NULL && crash->choice[0] != '\0' && n > 0 && (size_t)n < size) {
        /* A part of a choice would name another state. */
        bool fits = (size_t)n + strlen(crash->choice) + 2 <= size;
        n += snprintf(out + n, size - (size_t)n, "+%s", fits ? crash->choice : "...");
    }
    if (j->handover.mistake != NULL && n > 0 && (size_t)n < size) {
        (void)snprintf(out + n, size - (size_t)n, "@%s", j->handover.mistake->name);
    }
    if (crash->again != NULL && n > 0 && (size_t)n < size) {
        bool fits = (size_t)n + strlen(crash->again) + 3 <= size;
        (void)snprintf(out + n, size - (size_t)n, "//%s", fits ? crash->again : "...");
    }
}

static mc_status open_files(mc_judging *j, mc_error *error)
{
    j->follow = mc_follow_open(&j->trace, &j->trace.base, &j->oracle, error);
    if (j->follow == NULL) {
        return error->status;
    }
    /* Classes want a reader without memory. */
    j->control = mc_control_open(&j->trace, &j->trace.base, j->options->power == NULL);
    if (j->control == NULL) {
        return no_memory(error);
    }
    for (uint32_t d = 0; d < j->trace.database_count; d++) {
        j->main_slot[d] = mc_disk_slot(&j->trace.base, j->trace.database[d]);
    }
    return MC_OK;
}

void mc_judging_start(mc_judging *j, const mc_judge_options *options)
{
    memset(j, 0, sizeof *j);
    j->options = options;
    j->importers = options->importers;
    j->crash_name = options->record->kv ? mc_kv_crash_names[options->record->kv_build] : "kill";
    if (options->power != NULL) {
        (void)snprintf(j->power_name, sizeof j->power_name, "power:%s", options->power->name);
        j->crash_name = j->power_name;
    }
    j->arena.limit_bytes = SIZE_MAX / 2;
    j->names.limit_bytes = 1 << 20;
}

mc_status mc_judging_ready(mc_judging *j, mc_error *error)
{
    mc_status status = mc_handover_open(&j->handover, j->options->sidecars, j->options->record,
                                        &j->trace, &j->history, error);
    status = status == MC_OK ? mc_content_open(&j->content, &j->history, error) : status;
    if (status == MC_OK && !mc_oracle_init(&j->oracle, &j->history, MC_VIEW_SCRATCH + 1)) {
        status = no_memory(error);
    }
    if (status == MC_OK && j->trace.is_kv && !mc_kvstore_copy(&j->store, &j->trace.base_kv)) {
        status = no_memory(error);
    }
    if (status == MC_OK && !j->trace.is_kv) {
        status = open_files(j, error);
    }
    if (status != MC_OK) {
        mc_judging_close(j);
    }
    return status;
}

mc_status mc_judging_open(mc_judging *j, const mc_judge_options *options, mc_error *error)
{
    mc_judging_start(j, options);
    mc_status status = mc_record(options->record, &j->trace, error);
    status = status == MC_OK ? mc_history_build(&j->trace, true, &j->history, error) : status;
    if (status != MC_OK) {
        mc_judging_close(j);
        return status;
    }
    return mc_judging_ready(j, error);
}

void mc_judging_close(mc_judging *j)
{
    mc_control_close(j->control);
    mc_follow_close(j->follow);
    mc_kvstore_free(&j->store);
    mc_oracle_free(&j->oracle);
    if (j->content.history != NULL) {
        mc_content_close(&j->content);
    }
    mc_history_free(&j->history);
    mc_trace_free(&j->trace);
    mc_trace_free(&j->told);
    mc_handover_close(&j->handover);
    for (uint32_t i = 0; i < MC_MISTAKES_MAX; i++) {
        mc_idmap_free(&j->known[i].seen);
        free(j->known[i].stored);
    }
    mc_arena_free(&j->arena);
    mc_arena_free(&j->names);
    free((void *)j->interned);
    free(j->saved);
    memset(j, 0, sizeof *j);
}

mc_status mc_judging_explore(mc_judging *j, const mc_visitor *visitor, mc_explored *explored,
                             mc_error *error)
{
    uint64_t budget = j->options->budget;
    return j->trace.is_kv
               ? mc_kv_explore(&j->trace, &j->store, budget, visitor, explored, error)
               : mc_kill_explore(&j->trace, &j->trace.base, budget, visitor, explored, error);
}
