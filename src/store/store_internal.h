/* A state as a flat list of datasets, in the order the digest takes them: what is written, read, verified and hashed is
 * this list. */
#ifndef DTRAIN_STORE_INTERNAL_H
#define DTRAIN_STORE_INTERNAL_H

#include "base/guard.h"
#include "base/ranks.h"
#include "store/checkpoint.h"
#include "store/h5.h"

#define DT_CHECKPOINT_FORMAT "dtrain checkpoint"
#define DT_METRICS_PART "metrics.h5.part" /* what becomes metrics.h5 when the run ends */
#define DT_MOST_DATASETS 1000000          /* of a checkpoint */
#define DT_PART_LARGE ((size_t)64 << 10)  /* bytes of an array that begins at a page in a checkpoint */
#define DT_PART_PAGE ((size_t)4096)

typedef struct dt_item {
    char dataset[192];
    dt_dtype dtype;
    dt_shape shape;
    void *data;
    size_t bytes;
    bool text; /* the bytes are UTF-8 */
} dt_item;

/* Whether a name is that of a checkpoint. */
bool dt_is_checkpoint(const char *name);

int dt_state_count(const dt_state *state);     /* of the digest's */
int dt_state_count_all(const dt_state *state); /* with those beside, which follow, and the texts, which are last */
dt_item dt_state_item(const dt_state *state, int index);

typedef struct dt_digest {
    uint64_t value;
} dt_digest;

void dt_digest_begin(dt_digest *digest, const dt_position *position, int64_t shards, int64_t seed);
void dt_digest_add(dt_digest *digest, const char *dataset, uint64_t hash);

/* That a dataset of a file, which is described, has the shape and the type of an item. */
dt_status dt_item_check(dt_h5 *file, const dt_item *item, dt_h5_info *info);
/* Reads one dataset of a file, in pieces, which go to `to` where that is not NULL, and compares it with its stored
 * hash. Fails where the file has another shape or type than the item. */
dt_status dt_item_read(dt_h5 *file, const dt_item *item, dt_guard *to, uint64_t *hash);

/* These read HDF5 in the calling process: for a child, or for what this process has just written itself. */
dt_status dt_checkpoint_open(dt_h5 **file, const char *path, dt_checkpoint_head *head);
/* That the numbers of a head can be. */
dt_status dt_checkpoint_check_head(const char *path, const dt_checkpoint_head *head);

/* Collective: a state into a file, every rank its part, read back; not committed. After a failure there is none.
 * `digest` may be NULL. */
dt_status dt_checkpoint_write(const dt_ranks *ranks, const char *path, const dt_state *state, uint64_t *digest);
/* Rank 0: the rename, made to last. */
dt_status dt_checkpoint_commit(const char *temporary, const char *path, const char *directory);

dt_status dt_fail_digest(const char *path, const char *which, uint64_t stored, uint64_t found);

#endif
