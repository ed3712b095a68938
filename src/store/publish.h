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

/* Collective: a state into a file, every rank its part; not yet compared, nor committed. */
dt_status dt_checkpoint_write(const dt_ranks *ranks, const char *path, const dt_state *state);

#endif
