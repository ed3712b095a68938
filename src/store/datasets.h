/* The datasets of a checkpoint's digest, one by one: for who compares two checkpoints, or one with a state. Not
 * collective. */
#ifndef DTRAIN_DATASETS_H
#define DTRAIN_DATASETS_H

#include "store/checkpoint.h"

typedef struct dt_dataset {
    char name[192]; /* "/weights/dense1/w" */
    dt_dtype dtype;
    dt_shape shape;
    uint64_t hash;
} dt_dataset;

typedef struct dt_datasets {
    dt_dataset *all; /* [count], in the digest's order: weights in the order of their table first */
    int64_t count;
} dt_datasets;

/* What a file says of them, which comes to its digest, or it is DT_ERR_CORRUPT; values are not read. To be finished,
 * also after a failure. */
dt_status dt_datasets_of_file(const char *path, dt_datasets *out);
/* The same of a state in memory. */
dt_status dt_datasets_of_state(const dt_state *state, dt_datasets *out);
void dt_datasets_finish(dt_datasets *datasets);

/* The values of one, to dt_free: of a file compared with its hash. */
dt_status dt_dataset_read(const char *path, const dt_dataset *one, void **values);
dt_status dt_dataset_copy(const dt_state *state, int index, void **values);

size_t dt_dataset_bytes(const dt_dataset *one);

#endif
