/* storymap.c: what the writes around a crash were, and which snapshot each page belongs to. */
#include "harness/case/telling.h"

#include "harness/case/optext.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { OPS_BEFORE = 8, OPS_AFTER = 4, LINE_BYTES = 240 };

static mc_status no_memory(mc_error *error)
{
    return mc_fail(error, MC_NO_MEMORY, "no-memory", "story: out of memory");
}

/* The pages of one snapshot of one database, by walking its b-trees. */
typedef struct roles {
    mc_page_info *info;
    uint32_t count;
} roles;

static mc_status find_roles(mc_telling *t, uint32_t snapshot, uint32_t database, roles *out,
                            mc_error *error)
{
    mc_image image;
    mc_arena *arena = &t->story->arena;
    mc_status status = mc_history_image(&t->j->history, snapshot, database, arena, &image, error);
    if (status != MC_OK) {
        return status;
    }
    out->count = image.page_count;
    out->info = mc_arena_calloc(arena, image.page_count, sizeof *out->info);
    return out->info == NULL ? no_memory(error) : mc_pages_walk(&image, arena, out->info, error);
}

/* "table leaf of t"; "-" for a page that the snapshot does not have. */
static void role_text(const roles *r, uint32_t page, char *out, size_t size)
{
    const mc_page_info *info = page > 0 && page <= r->count ? &r->info[page - 1] : NULL;
    (void)snprintf(out, size, "%s%s%s",
                   info != NULL ? mc_page_role_name((mc_page_role)info->role) : "-",
                   info != NULL && info->owner != NULL ? " of " : "",
                   info != NULL && info->owner != NULL ? info->owner : "");
}

/* The database that a file belongs to by its name: main.db and main.db-journal to the same. */
static uint32_t database_of(const mc_trace *trace, uint16_t file)
{
    for (uint32_t d = 0; d < trace->database_count; d++) {
        if (strncmp(trace->base.file[file].name, trace->database[d], strlen(trace->database[d])) ==
            0) {
            return d;
        }
    }
    return 0;
}

/* One element in words, with the role of the page that it is about. */
static const char *line_of(mc_telling *t, const roles *role, size_t index)
{
    const mc_trace *trace = &t->j->trace;
    char line[LINE_BYTES];
    uint32_t page = mc_optext(trace, index, t->j->history.page_size, line, sizeof line);
    if (page > 0) {
        char text[80];
        size_t have = strlen(line);
        role_text(&role[database_of(trace, trace->op[index].file)], page, text, sizeof text);
        (void)snprintf(line + have, sizeof line - have, " (%s)",
                       strcmp(text, "-") == 0 ? "new" : text);
    }
    return mc_telling_keep(t->story, line);
}

mc_status mc_telling_operations(mc_telling *t, mc_error *error)
{
    const mc_trace *trace = &t->j->trace;
    mc_story *story = t->story;
    size_t point = t->request->point;
    size_t first = point > OPS_BEFORE ? point - OPS_BEFORE : 0;
    size_t end = point + OPS_AFTER < trace->op_count ? point + OPS_AFTER : trace->op_count;
    first = t->end > 0 ? t->first : first;
    end = t->end > 0 ? t->end : end;
    roles role[MC_DATABASES_MAX] = {{0}};
    story->op = mc_arena_calloc(&story->arena, end - first + 1, sizeof *story->op);
    if (story->op == NULL) {
        return no_memory(error);
    }
    for (uint32_t d = 0; d < t->j->history.database_count; d++) {
        mc_status status = find_roles(t, story->begun, d, &role[d], error);
        if (status != MC_OK) {
            return status;
        }
    }
    if (story->before != NULL) {
        story->bad_text = line_of(t, role, story->bad);
    }
    for (size_t i = first; i < end; i++) {
        mc_story_op *op = &story->op[story->op_count++];
        *op = (mc_story_op){.number = i, .text = line_of(t, role, i), .crash = i == point};
        bool changed = i == first || trace->op[i].statement != trace->op[i - 1].statement;
        if (changed && trace->op[i].statement < trace->statement_count) {
            op->statement = mc_telling_keep(story, trace->statement[trace->op[i].statement]);
        }
    }
    return MC_OK;
}

/* Which snapshots near the crash a page's hash belongs to. */
static const char *belongs_to(mc_telling *t, uint32_t database, uint32_t page, uint64_t hash)
{
    const mc_history *history = &t->j->history;
    char text[80];
    uint32_t last = t->story->begun;
    if (hash == 0) {
        return "absent";
    }
    bool now = mc_history_page(history, t->story->acked, database, page) == hash;
    bool next = last != t->story->acked && mc_history_page(history, last, database, page) == hash;
    if (now && next) {
        return "both";
    }
    if (now || next) {
        (void)snprintf(text, sizeof text, "%u (%s)", now ? t->story->acked : last,
                       now ? "acknowledged" : "in flight");
        return mc_telling_keep(t->story, text);
    }
    for (uint32_t k = t->story->acked; k > 0; k--) {
        if (mc_history_page(history, k - 1, database, page) == hash) {
            (void)snprintf(text, sizeof text, "%u (older)", k - 1);
            return mc_telling_keep(t->story, text);
        }
    }
    return "none";
}

static mc_status tell_page(mc_telling *t, uint32_t view, uint32_t database, uint32_t page,
                           const roles *r)
{
    const mc_history *history = &t->j->history;
    mc_story *story = t->story;
    uint64_t hash = mc_oracle_page(&t->j->oracle, view, database, page);
    hash = page <= t->j->oracle.view[view].page_count[database] ? hash : 0;
    uint64_t expected = mc_history_page(history, story->snapshot, database, page);
    uint64_t other = mc_history_page(history, story->begun, database, page);
    uint64_t acked = mc_history_page(history, story->acked, database, page);
    bool wrong = expected != MC_ANY && expected != hash;
    char role[80];
    role_text(r, page, role, sizeof role);
    mc_story_page *told = &story->map[story->map_count++];
    *told = (mc_story_page){
        .database = database,
        .page = page,
        .role = mc_telling_keep(story, role),
        .of = expected == MC_ANY ? "content does not count" : belongs_to(t, database, page, hash),
        .wrong = wrong,
    };
    if (wrong || other != acked) {
        story->page[story->page_count++] = *told;
    } else {
        story->pages_same++;
    }
    return MC_OK;
}

mc_status mc_telling_pages(mc_telling *t, uint32_t view, mc_error *error)
{
    mc_judging *j = t->j;
    mc_story *story = t->story;
    uint32_t database;
    uint32_t first;
    /* A torn image is held against the snapshot that it is nearer to, any other against the one
     * that it should be. */
    story->snapshot = mc_content_first_wrong(&j->oracle, view, &database, &first);
    if (strncmp(story->verdict, "torn", 4) != 0) {
        bool ahead = strcmp(story->verdict, "clean, ahead") == 0;
        story->snapshot = ahead ? story->begun : story->acked;
    }
    uint32_t limit = 0;
    for (uint32_t d = 0; d < j->history.database_count; d++) {
        uint32_t have = j->oracle.view[view].page_count[d];
        uint32_t want = j->history.snapshot[story->snapshot].page_count[d];
        limit += have > want ? have : want;
    }
    story->page = mc_arena_calloc(&story->arena, limit, sizeof *story->page);
    story->map = mc_arena_calloc(&story->arena, limit, sizeof *story->map);
    if (story->page == NULL || story->map == NULL) {
        return no_memory(error);
    }
    for (uint32_t d = 0; d < j->history.database_count; d++) {
        roles r = {0};
        mc_status status = find_roles(t, story->snapshot, d, &r, error);
        uint32_t have = j->oracle.view[view].page_count[d];
        uint32_t pages = have > r.count ? have : r.count;
        for (uint32_t page = 1; status == MC_OK && page <= pages; page++) {
            status = tell_page(t, view, d, page, &r);
        }
        if (status != MC_OK) {
            return status;
        }
    }
    return MC_OK;
}
