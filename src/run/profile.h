/* A profile of a run: where the time went, on request (profile.c). */
#ifndef DTRAIN_PROFILE_H
#define DTRAIN_PROFILE_H

#include <stdio.h>

#include "clock.h"
#include "trainee.h"

typedef struct dt_profile {
    char path[4096];       /* what becomes the trace */
    FILE *file;            /* it, rank 0 */
    double origin;         /* clock; the same moment on all ranks */
    int64_t memory_before; /* what this process had when it began */
} dt_profile;

/* Both collective; they do nothing unless the options ask for a profile or a trace. */
dt_status dt_profile_open(dt_profile *profile, const dt_session *session, dt_run_clock *clock);
/* After `steps` steps. */
dt_status dt_profile_finish(const dt_profile *profile, const dt_session *session, const dt_run_clock *clock,
                            const dt_trainee *trainee, const dt_source *source, int64_t steps,
                            const dt_memory_beside *beside);
/* Not collective. */
void dt_profile_close(dt_profile *profile);

#endif
