/* A state as a flat list of datasets, in the order the digest takes them: what is written, read, verified and hashed is
 * this list. */
#ifndef DTRAIN_STORE_INTERNAL_H
#define DTRAIN_STORE_INTERNAL_H

#include "dtrain/checkpoint.h"

typedef struct dt_item {
    char dataset[192];
    dt_dtype dtype;
    dt_shape shape;
    void *data;
    size_t bytes;
} dt_item;

int dt_state_count(const dt_state *state);
dt_item dt_state_item(const dt_state *state, int index);

typedef struct dt_digest {
    uint64_t value;
} dt_digest;

uint64_t dt_hash_bytes(const void *bytes, size_t count);
void dt_digest_begin(dt_digest *digest, const dt_position *position, int64_t shards, int64_t seed);
void dt_digest_add(dt_digest *digest, const char *dataset, uint64_t hash);

#endif
