/* What a checkpoint's file is to be: everything but the bytes of its arrays. HDF5 makes the file from it, with every
 * dataset in its place; ranks then write bytes where they belong, without HDF5 (part.h). */
#ifndef DTRAIN_OUTLINE_H
#define DTRAIN_OUTLINE_H

#include "store_internal.h"

typedef struct dt_outline {
    char path[4096 + 8]; /* of the file, while it is made */
    char created[32];
    dt_position position;
    int64_t shards, seed;
    int64_t digested, count; /* datasets of the digest; of these and those beside */
    dt_item *items;          /* [count]; data: where this process has the bytes */
    uint64_t *hashes;        /* [count] */
    uint64_t *offsets;       /* [count], in the file */
} dt_outline;

/* Of a state. To be closed, also after a failure. */
dt_status dt_outline_open(dt_outline *outline, const char *path, const dt_state *state);
void dt_outline_close(dt_outline *outline);

/* The digest that follows from the hashes, and the seal over what is beside it. */
uint64_t dt_outline_digest(const dt_outline *outline, uint64_t *seal);

/* These use HDF5 in the calling process. Makes the file, and says where the datasets lie; hashes are not looked at. */
dt_status dt_outline_make(dt_outline *outline);
/* The file gets its hashes, digest and seal, is synced, and read back: that it says what the outline says, and where.
 */
dt_status dt_outline_seal(const dt_outline *outline);

/* Who does these two: this process, or a child that stays, for HDF5 is for one thread at a time and the process has
 * other files open. The child is made before there is much memory to share with it, and has no array. */
typedef struct dt_outliner dt_outliner;
dt_status dt_outliner_start(dt_outliner **out);
void dt_outliner_end(dt_outliner *outliner); /* accepts NULL */
/* NULL: this process. Any thread, one at a time. */
dt_status dt_outliner_make(dt_outliner *outliner, dt_outline *outline);
dt_status dt_outliner_seal(dt_outliner *outliner, const dt_outline *outline);
/* Seconds of processor time that the child had taken when it answered last; of NULL 0. */
double dt_outliner_work(const dt_outliner *outliner);

#endif
