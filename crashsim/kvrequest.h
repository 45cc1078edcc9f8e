/* kvrequest.h: the requests that the v1 VFS sends to its store, put together and sent.
 *
 * Sending is the one place where a store of a running VFS changes: the request becomes one element
 * of the trace, then it is applied. So between any two elements of a trace lies exactly the state
 * that a crash there leaves. Encoding: kvstore.h. */
#ifndef MIDCOMMIT_CRASHSIM_KVREQUEST_H
#define MIDCOMMIT_CRASHSIM_KVREQUEST_H

#include "core/v1.h"
#include "crashsim/trace.h"

/* Zero-initialise and fill in the first four. */
typedef struct mc_kvrequest {
    mc_kvstore *store;
    mc_arena *arena;           /* owns the values that are put when there is no trace */
    mc_trace *trace;           /* or null */
    const uint32_t *statement; /* index of the running statement; or null */
    uint64_t answered;         /* requests since the start; whoever reads adds its own */
    uint8_t *data;             /* the request being put together */
    size_t size;
    size_t capacity;
    uint32_t keys;
    bool failed; /* no memory to put it together; sending says so */
} mc_kvrequest;

void mc_kvrequest_free(mc_kvrequest *request);

/* Starts an empty request; then any number of keys, or of pairs, but not both. */
void mc_kvrequest_begin(mc_kvrequest *request);
void mc_kvrequest_metadata_key(mc_kvrequest *request, mc_v1_tag tag);
void mc_kvrequest_chunk_key(mc_kvrequest *request, mc_v1_tag tag, uint32_t index);
void mc_kvrequest_put_metadata(mc_kvrequest *request, mc_v1_tag tag, uint64_t size_bytes);
void mc_kvrequest_put_chunk(mc_kvrequest *request, mc_v1_tag tag, uint32_t index,
                            const uint8_t *data, uint32_t size);

/* Records and applies what was put together: 1 to 128 keys. `kind` is MC_OP_KV_PUT or
 * MC_OP_KV_DELETE. False only without memory. */
bool mc_kvrequest_send(mc_kvrequest *request, mc_op_kind kind);

/* Deletes a file's chunks from `first` on in one range request. */
bool mc_kvrequest_delete_range(mc_kvrequest *request, mc_v1_tag tag, uint32_t first);

/* Deletes chunks [first, end) key by key, 128 keys to a request; with `metadata` its key goes
 * before them in the first. Requests that would name none but chunks past the last one stored would
 * change nothing and are left out, so that a hostile size does not ask for millions of them. */
bool mc_kvrequest_delete_keys(mc_kvrequest *request, mc_v1_tag tag, bool metadata, uint64_t first,
                              uint64_t end);

#endif
