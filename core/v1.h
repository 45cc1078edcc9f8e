/* v1.h: the v1 key-value layout, and the files that its VFS saw in it.
 *
 * A v1 actor kept its SQLite files in a key-value store:
 *
 *     08 01 00 TAG                metadata, 10 bytes: u16 LE version = 1, u64 LE size in bytes
 *     08 01 01 TAG  u32 BE index  bytes [index * 4096, ...) of the file, at most 4096
 *
 * with TAG 0 main, 1 journal, 2 wal, 3 shm (source: rivet-dev/rivet, sqlite-native kv.rs, vfs.rs).
 *
 * The metadata alone says whether a file exists and how long it is. Chunks are bytes and
 * nothing else: one that is missing or short reads as zeros, one at or past the size is invisible,
 * and chunks without metadata belong to no file. A crash between requests leaves all of these.
 *
 * A store may hold other keys, too (an actor's own data). Nothing here looks at them. */
#ifndef MIDCOMMIT_CORE_V1_H
#define MIDCOMMIT_CORE_V1_H

#include "core/importer.h"

enum {
    MC_V1_CHUNK_BYTES = 4096,
    MC_V1_METADATA_BYTES = 10,
    MC_V1_METADATA_KEY_BYTES = 4,
    MC_V1_CHUNK_KEY_BYTES = 8
};

/* The largest size that the VFS takes for a file: every 32-bit chunk index used (npm package
 * @rivetkit/sqlite-vfs, vfs.ts). */
#define MC_V1_FILE_BYTES_MAX ((uint64_t)MC_V1_CHUNK_BYTES << 32)

typedef enum mc_v1_tag { MC_V1_MAIN, MC_V1_JOURNAL, MC_V1_WAL, MC_V1_SHM, MC_V1_TAGS } mc_v1_tag;

extern const char *const mc_v1_tag_names[MC_V1_TAGS]; /* "main", "journal", "wal", "shm" */

/* What a store holds for one tag; pointers into the store. */
typedef struct mc_v1_file {
    const mc_pair *metadata; /* null: the file does not exist */
    const mc_pair *chunk;    /* every key that begins with 08 01 01 TAG, ascending; keys of another
                                length than 8, which no VFS wrote, are among them */
    size_t chunk_count;
} mc_v1_file;

typedef struct mc_v1 {
    mc_v1_file file[MC_V1_TAGS];
} mc_v1;

/* Finds what belongs to each tag: eight binary searches, no other byte is read. */
void mc_v1_parse(const mc_store *store, mc_v1 *out);

/* Keys and metadata as bytes. */
void mc_v1_metadata_key(uint8_t key[MC_V1_METADATA_KEY_BYTES], mc_v1_tag tag);
void mc_v1_chunk_key(uint8_t key[MC_V1_CHUNK_KEY_BYTES], mc_v1_tag tag, uint32_t index);
void mc_v1_encode_metadata(uint8_t value[MC_V1_METADATA_BYTES], uint64_t size_bytes);

/* MC_REFUSED "metadata-length" or "metadata-version". The size is what the bytes say: up to 2^64-1.
 */
mc_status mc_v1_decode_metadata(const uint8_t *value, uint32_t value_size, mc_v1_tag tag,
                                uint64_t *size_bytes, mc_error *error);

/* The size of a file that exists, as the VFS takes it when it opens the file; besides the two
 * refusals above, "metadata-size" for more than MC_V1_FILE_BYTES_MAX. */
mc_status mc_v1_file_size(const mc_v1_file *file, mc_v1_tag tag, uint64_t *size_bytes,
                          mc_error *error);

/* The index of a chunk; false for a key that is not 8 bytes long. */
bool mc_v1_chunk_index(const mc_pair *pair, uint32_t *index);

/* The store's files as the VFS itself reads them, put together in `arena`. MC_REFUSED (slugs above)
 * when main, journal or wal exists and the VFS could not open it, and "too-large" when its size
 * passes the arena's limit: sizes come from outside. MC_NO_MEMORY is the machine's want of memory
 * for what the limit allows. The VFS has no shared memory, so of an shm file only `exists` is
 * filled in. `out->other` is null. */
mc_status mc_v1_files(const mc_store *store, mc_arena *arena, mc_files *out, mc_error *error);

/* One file as the VFS reads it once its metadata says `size_bytes`: chunks, or parts of them, that
 * lay behind a smaller size are seen again. MC_REFUSED "too-large", MC_NO_MEMORY. */
mc_status mc_v1_show(const mc_v1_file *file, mc_v1_tag tag, uint64_t size_bytes, mc_arena *arena,
                     mc_file *out, mc_error *error);

/* What a migration leaves lying in the store for nobody. A pair is an orphan when it is
 *   - metadata or a chunk of the journal, the wal or the shm, with or without metadata: whatever
 * the migration made of them, v2 has no place for them and no v1 reader will open them again;
 *   - a chunk of main that the VFS cannot see: at or past the size, or main has no metadata.
 * What main's metadata makes visible is no orphan (v1 data is kept after a migration), nor is
 * main's metadata, nor any key that is not exactly of the two shapes above, nor, when main's
 * metadata is malformed, any chunk of main, because then nobody can say what is visible.
 *
 * `migrate --sweep` deletes exactly the orphans, and only after a migration has succeeded: if the
 * journal was hot, main alone is no longer the database, and the imported image is. */
bool mc_v1_is_orphan(const mc_v1 *v1, const mc_pair *pair);

/* Counts them. `bytes` counts keys and values. */
void mc_v1_orphans(const mc_store *store, size_t *keys, uint64_t *bytes);

#endif
