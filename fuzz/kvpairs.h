/* kvpairs.h: a v1 store as pieces (pieces.h): u8 key size, key, value. */
#ifndef MIDCOMMIT_FUZZ_KVPAIRS_H
#define MIDCOMMIT_FUZZ_KVPAIRS_H

#include "crashsim/kvstore.h"

/* The store of an input's pairs; of two with one key the later counts, and one whose key does not
 * fit in its piece or in a store is none. Values stay in `data`. False without memory; `store` may
 * be freed all the same. */
bool mc_kvpairs_store(const uint8_t *data, size_t size, mc_kvstore *store);

/* Appends the pairs to an input; false when they do not fit. */
bool mc_kvpairs_add(uint8_t *buffer, size_t *size, size_t capacity, const mc_kvstore *store);

/* Writes the store of an input as DIR/kv.jsonl (mc_target.files). */
mc_status mc_kvpairs_files(const uint8_t *data, size_t size, const char *dir, char *state,
                           size_t state_size, mc_error *error);

#endif
