/* What could not be computed. */
#ifndef DTRAIN_COMPUTE_FAILURE_H
#define DTRAIN_COMPUTE_FAILURE_H

#include <stdbool.h>

#include "base/status.h"

/* Products and convolutions return nothing, and yet a library may find no memory in them: what they give is then
 * whatever was there before. Whether that has happened on the calling thread, and what was first, with the shape; the
 * second forgets it. To be asked before anything follows from what they gave. */
bool dt_compute_failed(void);
dt_status dt_compute_failure(void);
/* Keeps such a failure, if it is the first: also of samples that could not be read for a step. */
void dt_compute_fail(dt_status status);

#endif
