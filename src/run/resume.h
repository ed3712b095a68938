/* What a run goes on from (resume.c). */
#ifndef DTRAIN_RESUME_H
#define DTRAIN_RESUME_H

#include "session.h"

typedef struct dt_start {
    char path[4096]; /* of the checkpoint; "": the run begins */
    int64_t shards;
} dt_start;

/* Collective. Before anything is planned that follows from it. */
dt_status dt_resume_choose(const dt_session *session, dt_start *start);

#endif
