/* Publishing while everything waits: the same stages as beside the training (publication.c), by the thread that asks,
 * without a copy. */
#include "store/publish.h"

#include <string.h>

#include "base/alive.h"
#include "publication.h"

static bool go_on(void *context) {
    (void)context;
    dt_alive();
    return true;
}

/* Collective. */
static dt_status open_here(dt_publication *p, const dt_ranks *ranks, const char *temporary, const dt_state *state) {
    p->pause = (dt_pause){go_on, NULL};
    return dt_ranks_agree(ranks, dt_publication_open(p, ranks, temporary, state));
}

static uint64_t digest_of(const dt_publication *p) {
    uint64_t seal;
    return dt_outline_digest(&p->outline, &seal);
}

dt_status dt_checkpoint_publish(const dt_ranks *ranks, const char *directory, const dt_state *state, char *path,
                                uint64_t *digest) {
    char temporary[4096 + 8];
    dt_publication p;
    memset(&p, 0, sizeof p);
    DT_TRY(dt_publication_names(&p, temporary, directory, state->position.step));
    dt_status status = open_here(&p, ranks, temporary, state);
    if (status.code == DT_OK) status = dt_publication_run(&p, DT_STAGE_COMMIT);
    if (status.code == DT_OK && path) memcpy(path, p.path, sizeof p.path);
    if (status.code == DT_OK && digest) *digest = digest_of(&p);
    dt_publication_close(&p);
    return dt_status_within(status, "the checkpoint of step %lld was not written (older ones are untouched)",
                            (long long)state->position.step);
}

dt_status dt_checkpoint_write(const dt_ranks *ranks, const char *path, const dt_state *state, uint64_t *digest) {
    dt_publication p;
    memset(&p, 0, sizeof p);
    dt_status status = open_here(&p, ranks, path, state);
    if (status.code == DT_OK) status = dt_publication_run(&p, DT_STAGE_BYTES);
    if (status.code == DT_OK && digest) *digest = digest_of(&p);
    dt_publication_close(&p);
    return status;
}

dt_status dt_checkpoint_save(const char *path, const dt_state *state, uint64_t *digest) {
    const dt_ranks alone = dt_ranks_alone();
    return dt_checkpoint_write(&alone, path, state, digest);
}
