/* One checkpoint on its way (publication.c). */
#ifndef DTRAIN_PUBLICATION_H
#define DTRAIN_PUBLICATION_H

#include "outline.h"
#include "part.h"
#include "store/publish.h"

/* What a rank does by itself, between two meetings. */
typedef enum dt_stage {
    DT_STAGE_OUTLINE, /* hashes its part; rank 0 makes the file */
    DT_STAGE_BYTES,   /* writes its part, syncs it, reads it back; rank 0 fills in the hashes */
    DT_STAGE_COMMIT,  /* rank 0 gives the file its name, and prunes */
    DT_STAGE_OVER,
} dt_stage;

typedef struct dt_publication {
    const dt_ranks *ranks;
    dt_outliner *outliner; /* rank 0; NULL: this thread */
    dt_pause pause;
    char directory[4096], path[4096]; /* of the file once it counts */
    dt_outline outline;
    dt_part part;
    uint64_t small; /* hash of this rank's own small arrays */
    dt_status (*may_commit)(void *context);
    void *commit_context;
    bool prunes;
    dt_keeping keeping;
    dt_stage stage;
    dt_status status; /* of this rank's stage */
} dt_publication;

/* Not collective. A state's way to `path`, under the name temporary until it counts. To be closed, also after a
 * failure. */
dt_status dt_publication_open(dt_publication *p, const dt_ranks *ranks, const char *temporary, const dt_state *state);
void dt_publication_close(dt_publication *p);
/* Not collective. Does this rank's stage; what comes of it is p->status. */
void dt_publication_work(dt_publication *p);
/* Collective. The next stage, when all ranks have done this one; after a failure of any there is none, and no file. */
dt_status dt_publication_meet(dt_publication *p);
/* Collective. Work and meetings up to the end of a stage. */
dt_status dt_publication_run(dt_publication *p, dt_stage last);

/* The names of the checkpoint of a step, and while it is on its way. */
dt_status dt_publication_names(dt_publication *p, char temporary[4096 + 8], const char *directory, int64_t step);

#endif
