/* One rank's part of a checkpoint: whole arrays, which it hashes, writes to their places in the file, and reads back.
 * Large arrays go to whoever has least so far, small ones in turns. An array is one rank's, for its hash goes over all
 * of its bytes in their order; so a rank may have as much as the largest array. */
#ifndef DTRAIN_PART_H
#define DTRAIN_PART_H

#include "outline.h"

typedef struct dt_part {
    int64_t *items; /* [count], numbers of arrays in the outline */
    int64_t count;
    size_t room; /* bytes that a copy takes */
} dt_part;

/* To be closed, also after a failure. */
dt_status dt_part_open(dt_part *part, const dt_outline *outline, int rank, int ranks);
void dt_part_close(dt_part *part);

/* Copies the arrays to `to` [room], which is aligned to pages; the outline's items are there from now on. */
void dt_part_copy(const dt_part *part, dt_outline *outline, void *to);

/* Called between pieces of some MB; false: give up. */
typedef struct dt_pause {
    bool (*take)(void *context);
    void *context;
} dt_pause;

/* About how many pauses the three that follow take in all. */
int64_t dt_part_pieces(const dt_part *part, const dt_outline *outline);

/* These three fail with DT_ERR_STOPPED where a pause says so. Hashes of this part's arrays, into outline->hashes. */
dt_status dt_part_hash(const dt_part *part, dt_outline *outline, dt_pause pause);
/* Their bytes into the file, synced. */
dt_status dt_part_write(const dt_part *part, const dt_outline *outline, dt_pause pause);
/* That the disk has them: past the system's memory where the file system knows how (O_DIRECT), else after asking that
 * it be dropped. */
dt_status dt_part_read_back(const dt_part *part, const dt_outline *outline, dt_pause pause);

#endif
