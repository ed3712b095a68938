/* Publishing a checkpoint, by all ranks together. What reads one knows no ranks (checkpoint.h). */
#ifndef DTRAIN_PUBLISH_H
#define DTRAIN_PUBLISH_H

#include "base/ranks.h"
#include "store/checkpoint.h"

/* Collective. Writes `directory`/step-<9 digits>.h5 from equal states on all ranks (each rank writes its own part),
 * reads it back, compares, commits by rename. On failure nothing that existed is touched, and every rank gets the same
 * status. `path` [4096] receives the file's path; `digest` the state's. Either may be NULL. */
dt_status dt_checkpoint_publish(const dt_ranks *ranks, const char *directory, const dt_state *state, char *path,
                                uint64_t *digest);

/* A state into the file `path` by this process alone, and read back. Whoever asks gives the file its name once it is
 * whole (data/publish.h). */
dt_status dt_checkpoint_save(const char *path, const dt_state *state, uint64_t *digest);

/* Collective. Tries what could keep such a state from being published, without writing its arrays: permissions, names,
 * limits, room for it on the disk. Leaves nothing behind. */
dt_status dt_checkpoint_rehearse(const dt_ranks *ranks, const char *directory, const dt_state *state);

/* ---- beside the training (publisher.c) ----
 *
 * Each rank copies its part of the state, and a thread of it hashes, writes and reads back the copy while steps go on.
 * Where it has to know of the others' parts it waits until all ranks meet; whoever trains lets them meet where they do
 * anyway, once all are ready. One checkpoint is in flight at a time. */
typedef struct dt_publisher dt_publisher;

/* Which older checkpoints stay (dt_checkpoint_prune). */
typedef struct dt_keeping {
    int64_t keep, keep_every, keep_step;
} dt_keeping;

/* Not collective. To be called before there is much memory: rank 0's helper is a child, too (outline.h). */
dt_status dt_publisher_open(dt_publisher **out, const dt_ranks *ranks);
/* Not collective. What is in flight is given up, and nothing is left of it. Accepts NULL. */
void dt_publisher_close(dt_publisher *publisher);
/* Not collective. Takes the memory for this rank's part of such a state, at most so many bytes (0: any), and starts its
 * thread; DT_ERR_MEMORY or DT_ERR_IO when there is none: then nothing can be published beside the training. */
dt_status dt_publisher_fit(dt_publisher *publisher, const dt_state *state, size_t most);
/* Bytes of that memory. */
size_t dt_publisher_memory(const dt_publisher *publisher);

/* Collective; nothing is in flight. From its return on the state may change. */
dt_status dt_publisher_begin(dt_publisher *publisher, const char *directory, const dt_state *state, dt_keeping keeping);
/* The step of what is in flight; -1: nothing is. The same on all ranks. */
int64_t dt_publisher_flies(const dt_publisher *publisher);
/* Whether something is in flight and this rank can do nothing more for it before the next meeting. */
bool dt_publisher_is_ready(dt_publisher *publisher);
/* Collective; something is in flight. Waits until this rank is ready, meets the others, and lets the helpers go on.
 * *over: the checkpoint counts, as far as the status says so; it is no longer in flight. */
dt_status dt_publisher_meet(dt_publisher *publisher, bool *over);
/* Collective. Meets until nothing is in flight; the helpers then take all the time they can get. */
dt_status dt_publisher_finish(dt_publisher *publisher);
/* Seconds without anything moved by this rank's helper, while it is to do something. */
double dt_publisher_stands(dt_publisher *publisher);
/* Seconds of processor time that this rank's helpers have taken so far. */
double dt_publisher_work(const dt_publisher *publisher);

#endif
