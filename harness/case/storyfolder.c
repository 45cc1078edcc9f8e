/* storyfolder.c: one state as a folder of files that stock tools open. */
#include "harness/case/telling.h"

#include "crashsim/dump.h"
#include "harness/host/outfile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static mc_status put_image(const char *folder, const char *name, const mc_image *image,
                           mc_error *error)
{
    char path[4096];
    mc_outfile file;
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    mc_status status = mc_outfile_open(&file, path, error);
    if (status != MC_OK) {
        return status;
    }
    for (uint32_t i = 0; status == MC_OK && i < image->page_count; i++) {
        status = mc_outfile_write(&file, image->page[i], image->page_size, error);
    }
    if (status != MC_OK) {
        mc_outfile_abandon(&file);
        return status;
    }
    return mc_outfile_commit(&file, error);
}

static mc_status put_state(mc_telling *t, mc_error *error)
{
    const mc_disk *disk = &t->j->trace.base;
    char path[4096];
    if (t->j->trace.is_kv) {
        (void)snprintf(path, sizeof path, "%s/kv.jsonl", t->request->folder);
        FILE *file = fopen(path, "wxe");
        if (file == NULL) {
            return mc_fail(error, MC_IO, "io", "%s: %s", path, strerror(errno));
        }
        mc_status status = mc_dump_write(&t->j->store, file, path, error);
        (void)fclose(file);
        return status;
    }
    for (uint32_t i = 0; i < disk->file_count; i++) {
        const mc_disk_file *file = &disk->file[i];
        if (file->exists) {
            (void)snprintf(path, sizeof path, "%s/%s", t->request->folder, file->name);
            mc_status status = mc_outfile_put(path, file->data, (size_t)file->size, error);
            if (status != MC_OK) {
                return status;
            }
        }
    }
    return MC_OK;
}

mc_status mc_telling_folder(mc_telling *t, const mc_outcome *outcome, const mc_image *images,
                            mc_error *error)
{
    if (mkdir(t->request->folder, 0777) != 0) {
        return mc_fail(error, MC_IO, "io", "%s: %s", t->request->folder, strerror(errno));
    }
    mc_status status = put_state(t, error);
    bool imported = outcome->kind == MC_OUTCOME_SNAPSHOT || outcome->kind == MC_OUTCOME_OTHER;
    for (uint32_t d = 0; status == MC_OK && d < t->j->history.database_count; d++) {
        char name[64];
        const char *suffix = d == 0 ? "" : "-aux";
        if (imported) {
            (void)snprintf(name, sizeof name, "imported%s.db", suffix);
            status = put_image(t->request->folder, name, &images[d], error);
        }
        for (uint32_t k = t->story->acked; status == MC_OK && k <= t->story->begun; k++) {
            mc_image image;
            status = mc_history_image(&t->j->history, k, d, &t->story->arena, &image, error);
            (void)snprintf(name, sizeof name, "snapshot-%u%s.db", k, suffix);
            status = status == MC_OK ? put_image(t->request->folder, name, &image, error) : status;
        }
    }
    return status;
}
