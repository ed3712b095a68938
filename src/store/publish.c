/* Publishing while everything waits: the same stages as beside the training (publication.c), by the thread that asks,
 * without a copy. */
#include "store/publish.h"

#include <string.h>

#include "base/headway.h"
#include "publication.h"

typedef struct progress {
    dt_headway headway;
    int64_t pieces; /* done so far */
} progress;

static bool go_on(void *context) {
    progress *far = context;
    dt_headway_at(&far->headway, ++far->pieces);
    return true;
}

/* Collective. */
static dt_status open_here(dt_publication *p, const dt_ranks *ranks, const char *temporary, const dt_state *state,
                           progress *far) {
    p->pause = (dt_pause){go_on, far};
    dt_status status = dt_ranks_agree(ranks, dt_publication_open(p, ranks, temporary, state));
    far->pieces = 0;
    dt_headway_begin(&far->headway, "pieces", dt_part_pieces(&p->part, &p->outline), "writing %s", temporary);
    return status;
}

static void close_here(dt_publication *p, progress *far) {
    dt_headway_end(&far->headway);
    dt_publication_close(p);
}

static uint64_t digest_of(const dt_publication *p) {
    uint64_t seal;
    return dt_outline_digest(&p->outline, &seal);
}

dt_status dt_checkpoint_publish(const dt_ranks *ranks, const char *directory, const dt_state *state, char *path,
                                uint64_t *digest) {
    char temporary[4096 + 8];
    dt_publication p;
    progress far;
    memset(&p, 0, sizeof p);
    DT_TRY(dt_publication_names(&p, temporary, directory, state->position.step));
    dt_status status = open_here(&p, ranks, temporary, state, &far);
    if (status.code == DT_OK) status = dt_publication_run(&p, DT_STAGE_COMMIT);
    if (status.code == DT_OK && path) memcpy(path, p.path, sizeof p.path);
    if (status.code == DT_OK && digest) *digest = digest_of(&p);
    close_here(&p, &far);
    return dt_status_within(status, "the checkpoint of step %lld was not written (older ones are untouched)",
                            (long long)state->position.step);
}

dt_status dt_checkpoint_write(const dt_ranks *ranks, const char *path, const dt_state *state, uint64_t *digest) {
    dt_publication p;
    progress far;
    memset(&p, 0, sizeof p);
    dt_status status = open_here(&p, ranks, path, state, &far);
    if (status.code == DT_OK) status = dt_publication_run(&p, DT_STAGE_BYTES);
    if (status.code == DT_OK && digest) *digest = digest_of(&p);
    close_here(&p, &far);
    return status;
}

dt_status dt_checkpoint_save(const char *path, const dt_state *state, uint64_t *digest) {
    const dt_ranks alone = dt_ranks_alone();
    return dt_checkpoint_write(&alone, path, state, digest);
}
