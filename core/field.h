/* field.h: the v1 -> v2 importer that ran in the field, before and after its change, refusal by
 * refusal (source: rivet-dev/rivet, actor_sqlite.rs; the change is pull request 5183).
 *
 *     reject    refuses as soon as any sidecar exists; else imports the main file as it is
 *     abandon   names the sidecars, goes on, and imports the main file as it is
 *
 * A sidecar "exists" in a store when its metadata exists or any of its chunks does, and among files
 * when the file exists, even empty. Then main is read. Each step has its slug, and the first that
 * fails is the answer:
 *
 *     journal-exists, wal-exists, shm-exists     (reject only)
 *     main-missing-metadata                      neither metadata nor chunks (files: no file)
 *     main-chunks-without-metadata
 *     metadata-length, metadata-version
 *     over-size-limit                            more than 128 MiB
 *     chunk-key-length                           among the first ceil(size / 4096) + 1 chunk keys
 *     chunk-count                                not exactly ceil(size / 4096)
 *     chunk-gap, chunk-too-long, chunk-past-size in the order of the chunks
 *     main-too-small                             less than 18 bytes, but not 0
 *     bad-magic, page-size-range, page-size-unsupported, not-page-aligned
 *
 * Size 0 imports as a database of no pages. Nothing else is checked, and a short chunk is filled up
 * with zeros, whatever it once held. For files only the last two lines apply, with any page size
 * that SQLite has (the field knew no files; a size that is no power of two is
 * page-size-unsupported). */
#ifndef MIDCOMMIT_CORE_FIELD_H
#define MIDCOMMIT_CORE_FIELD_H

#include "core/importer.h"

extern const mc_importer mc_importer_reject;
extern const mc_importer mc_importer_abandon;

enum { MC_FIELD_HEAD_BYTES = 18, MC_FIELD_BYTES_MAX = 128 * 1024 * 1024 };

/* All that the field asks of main's bytes, without touching any but the first 18: for `size` bytes
 * of main beginning with `head`. head_size is at least 18 or at least `size`. With
 * required_page_size 0 any page size that SQLite has will do. MC_OK or MC_REFUSED. */
mc_status mc_field_check_main(const uint8_t *head, size_t head_size, uint64_t size,
                              uint32_t required_page_size, mc_error *error);

#endif
